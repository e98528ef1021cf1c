"""What a breaker stopped and what became of it; and what each cause did to a channel of late.

What surprises here: an item keeps the digest of the document that was held. A person's word counts for exactly that
document: a record that renders otherwise afterwards is judged anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, func, or_, select, update

from registry import bulk
from registry.codec import decode, encode, maybe_moment, micros, moment, new_uids
from registry.engine import Tx
from registry.tables import binding, hold, hold_item, outbox, tally


def hold_name(uid: str) -> str:
    """What a person types of a hold: its last digits, as the first are the moment, which holds of one change share."""
    return uid[-8:]


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """A set of writes of one cause that a person decides about. ``kind``: ``single`` writes that nobody means,
    ``all`` of the cause until it is decided, or an ``alert``, which holds nothing."""

    uid: str
    channel: str
    entity: str
    cause: str
    kind: str
    because: Sequence[str]
    opened_at: datetime
    state: str = "open"
    decided_at: datetime | None = None
    who: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldItem:
    """One record of a hold: the digest of what would be written, and the prices it would move."""

    hold: str
    uid: str
    mark: bytes
    moves: Sequence[Mapping[str, Any]]
    state: str
    who: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TallyRow:
    """What writes of one cause did to a channel at one moment; ``moved`` is a sum of shares."""

    cause: str
    changed: int = 0
    moved: Decimal = Decimal(0)
    deleted: int = 0
    zeroed: int = 0


def open_holds(tx: Tx, channel: str, entity: str) -> dict[str, Hold]:
    """Cause → the hold that is open for it."""
    statement = select(hold).where(hold.c.channel == channel, hold.c.entity == entity, hold.c.state == "open")
    return {row.cause: _hold(row) for row in tx.rows(statement)}


def holds(tx: Tx, *, states: Collection[str] = ("open",), limit: int = 100) -> list[Hold]:
    """The newest first."""
    statement = select(hold).where(hold.c.state.in_(tuple(states))).order_by(hold.c.opened_at.desc(), hold.c.uid)
    return [_hold(row) for row in tx.rows(statement.limit(limit))]


def holds_called(tx: Tx, part: str) -> list[Hold]:
    """Every hold whose uid begins or ends so."""
    escaped = part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    like = or_(hold.c.uid.like(f"{escaped}%", escape="\\"), hold.c.uid.like(f"%{escaped}", escape="\\"))
    return [_hold(row) for row in tx.rows(select(hold).where(like).limit(2))]


def put_hold(tx: Tx, *, channel: str, entity: str, cause: str, kind: str, because: Sequence[str]) -> Hold:
    """Opens a hold; one that is open for the cause takes the new kind and reasons instead."""
    columns = ("uid", "channel", "entity", "cause", "kind", "because", "opened_at", "state")
    there = open_holds(tx, channel, entity).get(cause)
    if there is not None:
        tx.run(update(hold).where(hold.c.uid == there.uid).values(kind=kind, because=encode(list(because))))
        return Hold(uid=there.uid, channel=channel, entity=entity, cause=cause, kind=kind, because=because,
                    opened_at=there.opened_at)
    made = Hold(uid=new_uids(1)[0], channel=channel, entity=entity, cause=cause, kind=kind, because=tuple(because),
                opened_at=moment(tx.stamp))
    bulk.upsert(
        tx, "hold", columns,
        [(made.uid, channel, entity, cause, kind, encode(list(because)), tx.stamp, "open")], key=("uid",),
    )
    return made


def put_held(tx: Tx, of: Hold, items: Iterable[tuple[str, bytes, Sequence[Mapping[str, Any]]]]) -> int:
    """These records (uid, digest of the document, prices it would move) belong to the hold."""
    columns = ("hold", "channel", "entity", "uid", "mark", "moves", "at")
    rows = [(of.uid, of.channel, of.entity, uid, mark, encode(list(moves)), tx.stamp) for uid, mark, moves in items]
    return bulk.upsert(tx, "hold_item", columns, rows, key=("hold", "uid"))


_ITEMS = select(
    hold_item.c.hold, hold_item.c.uid, hold_item.c.mark, hold_item.c.moves, hold.c.state, hold.c.who,
).join(hold, hold.c.uid == hold_item.c.hold)  # fmt: skip


def held_items(tx: Tx, channel: str, entity: str, uids: Collection[str]) -> dict[str, list[HeldItem]]:
    """Record → its places in holds of this channel and entity, the latest last; records without any are left out."""
    statement = _ITEMS.where(hold_item.c.channel == channel, hold_item.c.entity == entity).order_by(
        hold.c.opened_at, hold.c.uid
    )
    found: dict[str, list[HeldItem]] = {}
    for row in bulk.gather(tx, statement, hold_item.c.uid, uids):
        found.setdefault(row.uid, []).append(_item(row))
    return found


def items_of(tx: Tx, of: Hold, *, limit: int = 100_000) -> list[HeldItem]:
    """The records of a hold, in the order of uids; of an open one only those whose write is still held."""
    statement = _ITEMS.where(hold_item.c.hold == of.uid).order_by(hold_item.c.uid).limit(limit)
    if of.state == "open":
        statement = statement.join(
            outbox,
            (outbox.c.uid == hold_item.c.uid) & (outbox.c.entity == of.entity) & (outbox.c.channel == of.channel)
            & (outbox.c.state == "held"),
        )
    return [_item(row) for row in tx.rows(statement)]


def decide_hold(tx: Tx, of: Hold, state: str, *, who: str, reason: str) -> bool:
    """Afterwards the hold is decided, its set is what was held, and its cause begins anew; False: it was before."""
    changed = tx.run(
        update(hold).where(hold.c.uid == of.uid, hold.c.state == "open")
        .values(state=state, decided_at=tx.stamp, who=who, reason=reason)
    )  # fmt: skip
    if changed == 0:
        return False
    still = select(outbox.c.uid).where(
        outbox.c.channel == of.channel, outbox.c.entity == of.entity, outbox.c.state == "held"
    )
    tx.run(delete(hold_item).where(hold_item.c.hold == of.uid, hold_item.c.uid.not_in(still)))
    tx.run(delete(tally).where(tally.c.channel == of.channel, tally.c.entity == of.entity, tally.c.cause == of.cause))
    return True


def listed(tx: Tx, channel: str, entity: str) -> int:
    """How many items of an entity the channel was told of and has."""
    statement = select(func.count()).where(
        binding.c.channel == channel, binding.c.entity == entity, binding.c.state == "live",
        binding.c.told_hash.is_not(None),
    )  # fmt: skip
    return int(tx.rows(statement)[0][0])


def tallies(tx: Tx, channel: str, entity: str, since: datetime) -> dict[str, list[TallyRow]]:
    """Cause → what it did since that moment."""
    statement = select(tally).where(
        tally.c.channel == channel, tally.c.entity == entity, tally.c.at >= micros(since)
    )
    found: dict[str, list[TallyRow]] = {}
    for row in tx.rows(statement):
        found.setdefault(row.cause, []).append(TallyRow(
            cause=row.cause, changed=row.changed, moved=Decimal(row.moved), deleted=row.deleted, zeroed=row.zeroed,
        ))
    return found


def put_tallies(tx: Tx, channel: str, entity: str, rows: Sequence[TallyRow], *, before: datetime) -> None:
    """Adds what was done now; what was done before that moment is forgotten."""
    tx.run(delete(tally).where(tally.c.channel == channel, tally.c.entity == entity, tally.c.at < micros(before)))
    columns = ("channel", "entity", "cause", "at", "changed", "moved", "deleted", "zeroed")
    bulk.insert(tx, "tally", columns, [
        (channel, entity, row.cause, tx.stamp, row.changed, format(row.moved, "f"), row.deleted, row.zeroed)
        for row in rows
    ])


def _hold(row: Any) -> Hold:
    return Hold(
        uid=row.uid, channel=row.channel, entity=row.entity, cause=row.cause, kind=row.kind,
        because=tuple(decode(row.because)), opened_at=moment(row.opened_at), state=row.state,
        decided_at=maybe_moment(row.decided_at), who=row.who, reason=row.reason,
    )


def _item(row: Any) -> HeldItem:
    return HeldItem(
        hold=row.hold, uid=row.uid, mark=bytes(row.mark), moves=decode(row.moves) if row.moves else (),
        state=row.state, who=row.who,
    )
