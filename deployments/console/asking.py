"""What a switch would do, in sentences with figures, before anybody presses it; and the switch itself.

What surprises here: an asked question carries what the person saw (``before``). Acting compares it with what is true in
the same transaction that switches; when they differ nothing is switched, and the question is asked anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deployments.console.pages import in_words, listed, resources_with, spoken
from flows.deciding import FREELY_CREATED
from flows.push import read_whole
from flows.wiring import House, entity_order
from registry import (
    Tx,
    candidates,
    consent,
    consented,
    modes,
    outbox_counts,
    parked_counts,
    paused,
    set_mode,
    set_pause,
    wake,
)

CHOICES = ("off", "shadow", "on")
"""The modes a person can choose here; a canary is set up by an engineer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A question to a person: what will happen, and what the answer must carry."""

    action: str
    title: str
    lead: str
    effects: Sequence[str]
    hidden: Mapping[str, str]
    button: str
    red: bool = False
    reason_needed: bool = True
    consent: str = ""
    moved: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """Who decided, and why; ``consent``: creating is allowed too."""

    who: str
    because: str
    consent: bool = False


class Moved(Exception):
    """Somebody else switched between question and answer; ``str()`` says what is true now."""


class Unknown(Exception):
    """The channel, entity or mode asked for does not exist."""


def ask_mode(house: House, channel: str, entity: str, mode: str) -> Ask:
    """The question before switching one entity, or all of a channel ("") to a mode. Raises Unknown."""
    entities = _entities(house, channel, entity)
    if mode not in CHOICES:
        raise Unknown(f"there is no mode {mode!r} to choose here; allowed: {', '.join(CHOICES)}")
    with house.registry.read() as tx:
        known = modes(tx)
        before = {name: known.get((channel, name), "off") for name in entities}
        waiting: Counter[str] = Counter()
        for (of, what, state), n in outbox_counts(tx).items():
            waiting[state] += n if of == channel and what in entities else 0
        parked = sum(
            n
            for (of, what, _, kind), n in parked_counts(tx).items()
            if of == channel and what in entities and kind != "waiting"
        )
        creating = _needs_consent(house, tx, channel, entities) if mode == "on" else []
        report = Counter(row.kind for row in candidates(tx, channel) if row.entity in entities) if mode == "on" else {}
        writes_stopped = channel in paused(tx)
        unread = [name for name in entities if name in house.of(channel).outward
                  and name in house.channel(channel).receives and not read_whole(house, tx, channel, name)]
    what = f"{entity} on {channel}" if entity else f"all of {channel}"
    to = "to shadow" if mode == "shadow" else mode
    reads = [name for name in entities if resources_with(house, channel, name)]
    writes = [name for name in entities if name in house.channel(channel).receives]
    effects = (
        _on(channel, reads, writes, unread, waiting) if mode == "on" else _LESS[mode](channel, reads, writes, waiting)
    )
    if report:
        counts = ", ".join(f"{n:,} {kind}" for kind, n in report.items())
        effects.append(f"The match report of first contact: {counts}.")
    if writes_stopped and mode == "on":
        effects.append(f"Writes to {channel} are paused and stay paused.")
    if parked:
        stay = "parked record stays" if parked == 1 else "parked records stay"
        effects.append(f"{parked:,} {stay} parked until replayed.")
    return Ask(
        action=f"/channels/{channel}/mode",
        title=f"Switch {what} {to}?",
        lead=f"Now: {spoken(before)}.",
        effects=effects,
        hidden={"entity": entity, "mode": mode, "before": written(before)},
        button=f"Switch {entity or 'all'} {to}",
        red=mode == "off" and "order" in reads,
        consent=f"Also allow Serai to create {' and '.join(creating)} on {channel}" if creating else "",
    )


def act_mode(house: House, channel: str, answer: Answer, entity: str, mode: str, before: str) -> str:
    """Switches what was asked and writes the audit in one transaction; says what is so now. Raises Moved, Unknown."""
    entities = _entities(house, channel, entity)
    if mode not in CHOICES:
        raise Unknown(f"there is no mode {mode!r} to choose here; allowed: {', '.join(CHOICES)}")

    def work(tx: Tx) -> int:
        known = modes(tx)
        found = {name: known.get((channel, name), "off") for name in entities}
        if written(found) != before:
            raise Moved(f"Somebody switched meanwhile. Now: {spoken(found)}. Nothing was changed by you.")
        moving = [name for name in entities if found[name] != mode]
        for name in moving:
            set_mode(tx, channel, name, mode, answer.who, answer.because)
        if answer.consent and mode == "on":
            for name in _needs_consent(house, tx, channel, entities):
                consent(tx, channel, name, answer.who, answer.because)
            wake(tx, channel=channel)
        return len(moving)

    moved = house.registry.attempt(work)
    what = f"{entity.capitalize()} on {channel}" if entity else f"All of {channel}"
    return f"{what} is {mode} now." if moved else f"{what} was {mode} already; nothing changed."


def ask_pause(house: House, channel: str, stop: bool) -> Ask:
    """The question before the red button, or before writes go on. Raises Unknown."""
    _entities(house, channel, "")
    with house.registry.read() as tx:
        now_paused = channel in paused(tx)
        waiting: Counter[str] = Counter()
        for (of, _, state), n in outbox_counts(tx).items():
            waiting[state] += n if of == channel else 0
    queued = waiting["due"] + waiting["decided"]
    flying = waiting["sent"] + waiting["accepted"] + waiting["unknown"]
    if stop:
        effects = [
            f"No write to {channel} begins later than 2 seconds from now.",
            "Reading goes on: orders, stock and everything else still come in.",
            f"{queued:,} {_due(queued)} now and will wait, and so will new ones.",
        ]
        if flying:
            effects.append(f"{flying:,} already sent cannot be called back; what became of them is found out later.")
    else:
        effects = [
            f"{queued:,} {_due(queued)} and go out at once, each with the values of that moment.",
            f"Later changes reach {channel} as before.",
        ]
    return Ask(
        action=f"/channels/{channel}/pause",
        title=f"Pause writes to {channel}?" if stop else f"Resume writes to {channel}?",
        lead=f"Now: writes are {'paused' if now_paused else 'running'}.",
        effects=effects,
        hidden={"paused": "1" if stop else "0", "before": "1" if now_paused else "0"},
        button="Pause writes" if stop else "Resume writes",
        red=stop,
        reason_needed=not stop,
    )


def act_pause(house: House, channel: str, answer: Answer, stop: bool, before: bool) -> str:
    """Presses or releases the red button, audited; says what is so now. Raises Moved, Unknown."""
    _entities(house, channel, "")

    def work(tx: Tx) -> None:
        found = channel in paused(tx)
        if found != before:
            raise Moved(f"Somebody was faster. Now: writes are {'paused' if found else 'running'}.")
        if found != stop:
            set_pause(tx, channel, stop, answer.who, answer.because or "the red button")

    house.registry.attempt(work)
    return f"Writes to {channel} are {'paused' if stop else 'running'} now."


def written(before: Mapping[str, str]) -> str:
    """Modes as one text that travels with the question: ``product=on,stock=shadow``."""
    return ",".join(f"{name}={mode}" for name, mode in sorted(before.items()))


def _entities(house: House, channel: str, entity: str) -> list[str]:
    if channel not in house.settings.channels:
        raise Unknown(f"there is no channel {channel!r}; channels.yaml has {', '.join(house.settings.channels)}")
    known = entity_order(list(house.channel(channel).entities))
    if entity and entity not in known:
        raise Unknown(f"{channel} does not carry {entity!r}; it carries {', '.join(known)}")
    return [entity] if entity else known


def _needs_consent(house: House, tx: Tx, channel: str, entities: Sequence[str]) -> list[str]:
    """Entities written to the channel whose first creation there a person has to allow, and nobody has."""
    allowed = consented(tx)
    written_there = set(house.channel(channel).receives) & set(house.of(channel).outward)
    return [
        name
        for name in entities
        if name in written_there and name not in FREELY_CREATED and (channel, name) not in allowed
    ]


def _on(
    channel: str, reads: Sequence[str], writes: Sequence[str], unread: Sequence[str], waiting: Mapping[str, int]
) -> list[str]:
    effects = []
    if reads:
        effects.append(
            f"What {channel} says of {listed(reads)} is read, from page one with the next run of the timetable, "
            f"and enters the records; `serai pull {channel}` reads it now."
        )
    if writes:
        due = waiting.get("due", 0) + waiting.get("decided", 0)
        when = f"; those of {listed(unread)} wait until {channel} was read" if unread else " and go out at once"
        now = f"{due:,} {_due(due)}{when}" if due else "none is due yet"
        effects.append(f"Changes of {listed(writes)} are written to {channel}: {now}.")
    return effects


def _shadow(channel: str, reads: Sequence[str], writes: Sequence[str], waiting: Mapping[str, int]) -> list[str]:
    effects = [
        f"Nothing of {listed(entity_order([*{*reads, *writes}]))} enters the records "
        f"and nothing is written to {channel}."
    ]
    if reads:
        effects.append(f"{listed(reads).capitalize()} are read and compared: `serai match` shows the report.")
    return effects + _kept(waiting)


def _off(channel: str, reads: Sequence[str], writes: Sequence[str], waiting: Mapping[str, int]) -> list[str]:
    effects = []
    if reads:
        effects.append(f"Nothing that {channel} says of {listed(reads)} enters the records.")
    if "order" in reads:
        effects.append(f"Orders placed on {channel} are not taken in until it is on again; then they are read.")
    if writes:
        effects.append(f"Nothing of {listed(writes)} is written to {channel}; customers there may see old figures.")
    return effects + _kept(waiting)


_LESS = {"shadow": _shadow, "off": _off}


def _kept(waiting: Mapping[str, int]) -> list[str]:
    words = in_words(waiting)
    return [f"In the outbox, kept until it is on again: {words}."] if words else []


def _due(n: int) -> str:
    return "write is due" if n == 1 else "writes are due"
