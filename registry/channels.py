"""Channels, their modes, the red button, a person's consent, and the audit of everything a person decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import bindparam, select, update

from registry import bulk
from registry.codec import moment
from registry.engine import AnyRow, RegistryError, Tx
from registry.tables import MODES, audit, channel, consent as consents, mode

ChannelSetting: TypeAlias = tuple[str, str, str, Mapping[str, str]]
"""(name, platform, company, {entity: its first mode})"""
LIVE = ("canary", "on")
"""The modes in which what a channel says counts."""
# Built once: these are asked for at every page, and building a statement costs more than running it.
_MODES = (
    select(mode.c.channel, mode.c.entity, mode.c.mode)
    .join(channel, channel.c.name == mode.c.channel)
    .where(channel.c.vanished_at.is_(None))
)
_PAUSED = select(channel.c.name).where(channel.c.paused)
_REBOUND = select(channel.c.rebound).where(channel.c.name == bindparam("name_"))


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRow:
    """Who changed what, why, and from what to what (as JSON-able words)."""

    at: datetime
    who: str
    what: str
    because: str
    before: str | None
    after: str | None


def put_channels(tx: Tx, channels: Iterable[ChannelSetting]) -> None:
    """Afterwards exactly these channels are known; new entities have their first mode, existing modes stay.

    A channel no longer named is marked vanished and keeps everything known of it; naming it again revives it.
    """
    found = list(channels)
    _modes_are_known(word for _name, _platform, _company, modes_of in found for word in modes_of.values())
    bulk.upsert(
        tx,
        "channel",
        ("name", "platform", "company", "paused", "created_at", "vanished_at"),
        [(name, platform, company, False, tx.stamp, None) for name, platform, company, _modes in found],
        key=("name",),
        keep=("paused", "created_at"),
    )
    bulk.upsert(
        tx,
        "mode",
        ("channel", "entity", "mode", "changed_at"),
        [(name, entity, word, tx.stamp) for name, _p, _c, modes_of in found for entity, word in modes_of.items()],
        key=("channel", "entity"),
        change={},
    )
    names = [name for name, _platform, _company, _modes in found]
    tx.run(
        update(channel)
        .where(~bulk.within(tx, channel.c.name, names), channel.c.vanished_at.is_(None))
        .values(vanished_at=tx.stamp)
    )


def rebound(tx: Tx, name: str) -> int:
    """How often documents of the channel came to mean other records: what was concluded before the last time may not
    hold any more. Read before the references it is kept with.
    """
    found = tx.rows(_REBOUND, {"name_": name})
    return int(found[0].rebound) if found else 0


def rebind(tx: Tx, names: Iterable[str]) -> None:
    """Documents of these channels mean other records now; every document that refers to one is mapped again."""
    tx.run(update(channel).where(bulk.within(tx, channel.c.name, sorted(names))).values(rebound=channel.c.rebound + 1))


def modes(tx: Tx) -> dict[tuple[str, str], str]:
    """(channel, entity) → off | shadow | canary | on, of every channel that has not vanished."""
    return {(name, entity): word for name, entity, word in tx.rows(_MODES)}


def live_since(tx: Tx, entity: str) -> dict[str, datetime]:
    """Channel → when the entity was first switched on there, whatever it is now; without those where it never was.

    Where it was on from the beginning, that is when the pair became known; the audit knows every later switch.
    """
    found: dict[str, datetime] = {}
    begun = tx.rows(
        select(mode.c.channel, mode.c.mode, mode.c.changed_at, channel.c.created_at)
        .join(channel, channel.c.name == mode.c.channel).where(mode.c.entity == entity)
    )
    names = {_switch(entity, row.channel): row.channel for row in begun}
    switched: dict[str, list[AnyRow]] = {row.channel: [] for row in begun}
    for row in tx.rows(
        select(audit.c.what, audit.c.at, audit.c.before, audit.c.after)
        .where(bulk.within(tx, audit.c.what, sorted(names))).order_by(audit.c.id)
    ):
        switched[names[row.what]].append(row)
    for row in begun:
        turns = switched[row.channel]
        first = next((turn.at for turn in turns if turn.after in LIVE), None)
        if turns and turns[0].before in LIVE:
            found[row.channel] = moment(row.created_at)
        elif first is not None:
            found[row.channel] = moment(first)
        elif not turns and row.mode in LIVE:
            found[row.channel] = moment(row.changed_at)
    return found


def set_mode(tx: Tx, channel_name: str, entity: str, word: str, who: str, because: str) -> None:
    """Afterwards the mode is ``word``, and the audit says who changed it from what and why."""
    _modes_are_known([word])
    before = tx.rows(
        select(mode.c.mode).where(mode.c.channel == channel_name, mode.c.entity == entity).with_for_update()
    )
    bulk.upsert(
        tx,
        "mode",
        ("channel", "entity", "mode", "changed_at"),
        [(channel_name, entity, word, tx.stamp)],
        key=("channel", "entity"),
    )
    write_audit(tx, who, _switch(entity, channel_name), because, before[0].mode if before else None, word)


def _switch(entity: str, channel_name: str) -> str:
    return f"mode of {entity} on {channel_name}"


def set_pause(tx: Tx, channel_name: str, paused: bool, who: str, because: str) -> None:
    """The red button: afterwards no write to the channel may begin (True) or writes go on (False); audited."""
    before = tx.rows(select(channel.c.paused).where(channel.c.name == channel_name).with_for_update())
    if not before:
        raise RegistryError(f"{channel_name}: no such channel; channels.yaml names them")
    tx.run(update(channel).where(channel.c.name == channel_name).values(paused=paused))
    words = {True: "paused", False: "writing"}
    write_audit(tx, who, f"writes to {channel_name}", because, words[before[0].paused], words[paused])


def paused(tx: Tx) -> set[str]:
    """Names of the channels whose writes are paused."""
    return {row.name for row in tx.rows(_PAUSED)}


def consent(tx: Tx, channel_name: str, entity: str, who: str, because: str = "the match report was accepted") -> None:
    """A person allowed that new ``entity`` documents are created on the channel; audited, the first consent stays."""
    columns = ("channel", "entity", "who", "at")
    row = (channel_name, entity, who, tx.stamp)
    if bulk.upsert(tx, "consent", columns, [row], key=("channel", "entity"), change={}):
        write_audit(tx, who, f"creating {entity} on {channel_name}", because, None, "allowed")


def consented(tx: Tx) -> set[tuple[str, str]]:
    """(channel, entity) pairs for which a person allowed creation."""
    return {(row.channel, row.entity) for row in tx.rows(select(consents.c.channel, consents.c.entity))}


def write_audit(tx: Tx, who: str, what: str, because: str, before: str | None, after: str | None) -> None:
    """Notes a person's decision: who, what, why, from what to what. Never a secret or a personal value."""
    columns = ("at", "who", "what", "because", "before", "after")
    bulk.insert(tx, "audit", columns, [(tx.stamp, who, what, because, before, after)])


def audit_rows(tx: Tx, limit: int = 100) -> list[AuditRow]:
    """The newest decisions first."""
    found = tx.rows(select(audit).order_by(audit.c.id.desc()).limit(limit))
    return [
        AuditRow(at=moment(row.at), who=row.who, what=row.what, because=row.because, before=row.before, after=row.after)
        for row in found
    ]


def _modes_are_known(words: Iterable[str]) -> None:
    for word in words:
        if word not in MODES:
            raise RegistryError(f"mode {word!r}: allowed are {', '.join(MODES)}")
