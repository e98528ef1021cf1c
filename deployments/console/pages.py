"""What the pages show: read from the registry in one transaction each, put into plain, frozen rows for the templates.

What surprises here: nothing is cached. A page is what the registry says at this moment, in a constant number of
statements however many records there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors import verified
from connectors.verified import Verified
from deployments.console import times
from deployments.console.stock import allocations
from deployments.drain import SIGN_OF_LIFE
from flows.ledger import INWARD, OUTWARD
from flows.settings import MODES, Channel
from flows.wiring import House, entity_order
from registry import (
    CursorRow,
    Parked,
    RunRow,
    cursors,
    deadline_counts,
    held,
    holds,
    last_runs,
    modes,
    outbox_counts,
    parked,
    parked_counts,
    paused,
    runs,
)

SHOWN = 100
"""Rows of a list page."""
MEANING = {
    "due": "to write",
    "decided": "to write",
    "sent": "on their way",
    "accepted": "on their way",
    "unknown": "to settle",
    "waiting": "waiting",
    "held": "held",
    "parked": "parked",
    "rejected": "rejected",
}
"""What an outbox state means to a person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EntityRow:
    """One entity of a channel under *More*."""

    entity: str
    mode: str
    ways: str
    reads: bool
    read_at: datetime | None
    waiting: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunLine:
    """One run. ``good``: it balanced and no error ended it; ``verdict`` says so in a word."""

    at: datetime
    title: str
    link: str | None
    inward: bool
    read: int
    counts: Sequence[str]
    error: str | None
    good: bool
    verdict: str
    took: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """One channel. ``mode`` is its entities' common mode, or "mixed"; ``freshness`` is "", "warn" or "bad"; ``stock``
    is the allocation that it really has."""

    name: str
    platform: str
    company: str
    mode: str
    modes: str
    paused: bool
    only_receives: bool
    read_at: datetime | None
    verified_at: datetime | None
    freshness: str
    run: RunLine | None
    parked: int
    waiting: int
    late: int
    soon: int
    outbox: str
    notices: int
    verified: Verified
    entities: Sequence[EntityRow]
    stock: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ParkedLine:
    """One open item; ``details`` are (name, value) pairs worth a line each."""

    uid: str
    kind: str
    channel: str
    direction: str
    entity: str
    subject: str
    message: str
    remedy: str | None
    first_at: datetime
    last_at: datetime
    times: int
    details: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """Everything on the page of channels. ``drain`` is what a person must know about the drain, "" when it works."""

    cards: Sequence[Card]
    drain: str


def overview(house: House, prefect: str | None, only: str | None = None) -> Overview:
    """The cards of all channels (or one), in the order of channels.yaml."""
    with house.registry.read() as tx:
        now = tx.now
        mode = modes(tx)
        stopped = paused(tx)
        positions = cursors(tx)
        latest = last_runs(tx)
        stuck = parked_counts(tx)
        open_writes = outbox_counts(tx)
        pressing = deadline_counts(tx, house.registry.now())
        beating = any((lease.channel, lease.resource, lease.lane) == SIGN_OF_LIFE for lease in held(tx))
    notices = house.registry.inbox.depth()
    said = allocations(house)
    cards = []
    for name, channel in house.settings.channels.items():
        if only is not None and name != only:
            continue
        entities = [
            EntityRow(
                entity=entity,
                mode=mode.get((name, entity), "off"),
                ways=ways(house, channel, entity),
                reads=bool(resources_with(house, name, entity)),
                read_at=read_at(house, name, entity, positions, "live", "backfill", "reconcile"),
                waiting=in_words({key[2]: n for key, n in open_writes.items() if key[:2] == (name, entity)}),
            )
            for entity in entity_order(list(channel.entities))
        ]
        mine = [row for (of, _), row in latest.items() if of == name]
        waiting: Counter[str] = Counter()
        for (of, _, state), n in open_writes.items():
            waiting[state] += n if of == name else 0
        cards.append(
            Card(
                name=name,
                platform=channel.platform,
                company=channel.company.name,
                mode=common(row.mode for row in entities),
                modes=spoken({row.entity: row.mode for row in entities}),
                paused=name in stopped,
                only_receives=not any(row.reads for row in entities),
                read_at=_stalest(entities),
                verified_at=_oldest(
                    read_at(house, name, row.entity, positions, "reconcile") for row in entities if row.reads
                ),
                freshness=_freshness(channel, entities, now),
                run=run_line(max(mine, key=lambda row: row.started_at), prefect) if mine else None,
                parked=sum(n for (of, _, _, kind), n in stuck.items() if of == name and kind != "waiting"),
                waiting=sum(n for (of, _, _, kind), n in stuck.items() if of == name and kind == "waiting"),
                late=sum(n for (of, _, word), n in pressing.items() if (of, word) == (name, "late")),
                soon=sum(n for (of, _, word), n in pressing.items() if (of, word) == (name, "soon")),
                outbox=in_words(waiting),
                notices=notices.get(name, 0),
                verified=verified(channel.platform, channel.description),
                entities=entities,
                stock=said.get(name, ""),
            )
        )
    return Overview(cards=cards, drain="" if beating else _drain_words(sum(notices.values())))


def common(words: Iterable[str]) -> str:
    """The one word all share, else "mixed"; "off" when there is none."""
    found = set(words)
    return found.pop() if len(found) == 1 else "mixed" if found else "off"


def spoken(modes_of: Mapping[str, str]) -> str:
    """Modes for people: ``on`` when all are, else ``on: product and price; shadow: stock``."""
    word = common(modes_of.values())
    if word != "mixed":
        return word
    groups = {mode: [name for name, of in modes_of.items() if of == mode] for mode in MODES}
    return "; ".join(f"{mode}: {listed(names)}" for mode, names in groups.items() if names)


def listed(names: Sequence[str]) -> str:
    """``product, price and stock``."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def resources_with(house: House, channel: str, entity: str) -> list[str]:
    """The resources of a channel whose documents yield the entity."""
    return [resource for resource, mapping in house.of(channel).inward.items() if entity in mapping.inward]


def ways(house: House, channel: Channel, entity: str) -> str:
    """Which way an entity flows on a channel, for people."""
    reads, writes = bool(resources_with(house, channel.name, entity)), entity in channel.receives
    if reads and writes:
        return "both ways"
    return "from here" if reads else "to here" if writes else "not connected"


def read_at(house: House, channel: str, entity: str, positions: Sequence[CursorRow], *lanes: str) -> datetime | None:
    """When the newest stored read of the entity began, None when it was never read in these lanes."""
    resources = resources_with(house, channel, entity)
    moments = [
        row.asked_at for row in positions if row.channel == channel and row.resource in resources and row.lane in lanes
    ]
    return max(moments, default=None)


def in_words(states: Mapping[str, int]) -> str:
    """Outbox states as ``3 to write, 1 waiting``; "" when nothing is open."""
    words: Counter[str] = Counter()
    for state, meaning in MEANING.items():
        words[meaning] += states.get(state, 0)
    return ", ".join(f"{n:,} {meaning}" for meaning, n in words.items() if n)


def run_line(row: RunRow, prefect: str | None) -> RunLine:
    """A run for people; the link leads to its page in the Prefect UI when it ran there."""
    inward = row.direction == "inward"
    sums: Counter[str] = Counter()
    for outcomes in row.counts.values():
        sums.update(outcomes)
    order = INWARD if inward else OUTWARD
    verdict = "does not balance" if not row.balanced else "failed" if row.error else "balanced"
    return RunLine(
        at=row.started_at,
        title=f"{row.what} {'from' if inward else 'to'} {row.channel}",
        link=f"{prefect}/runs/flow-run/{row.prefect_run_id}" if prefect and row.prefect_run_id else None,
        inward=inward,
        read=row.read,
        counts=[f"{sums[word]:,} {word}" for word in order if sums[word]],
        error=row.error,
        good=row.balanced and not row.error,
        verdict=verdict if row.ended_at is not None or row.error else "running",
        took="" if row.ended_at is None else times.took((row.ended_at - row.started_at).total_seconds()),
    )


def run_lines(house: House, prefect: str | None, channel: str | None) -> list[RunLine]:
    """The newest runs first."""
    with house.registry.read() as tx:
        return [run_line(row, prefect) for row in runs(tx, channel, SHOWN)]


def parked_lines(house: House, channel: str | None) -> tuple[list[ParkedLine], int]:
    """The oldest open items and how many there are in all."""
    with house.registry.read() as tx:
        counts = parked_counts(tx)
        rows = parked(tx, channel, limit=SHOWN)
    return [_parked_line(row) for row in rows], sum(n for key, n in counts.items() if channel in (None, key[0]))


def still_open(house: House, uids: Sequence[str]) -> int:
    """How many of these items still stand open."""
    with house.registry.read() as tx:
        return len(parked(tx, uids=uids))


def parked_total(house: House) -> int:
    """How many items need a person: those that wait for a reference are not among them."""
    with house.registry.read() as tx:
        return sum(n for (_, _, _, kind), n in parked_counts(tx).items() if kind != "waiting")


def held_total(house: House) -> int:
    """How many sets of writes wait for a person's word."""
    with house.registry.read() as tx:
        return sum(one.kind != "alert" for one in holds(tx))


def late_total(house: House) -> int:
    """How many deadlines of orders are over."""
    with house.registry.read() as tx:
        return sum(n for (_, _, word), n in deadline_counts(tx, house.registry.now()).items() if word == "late")


def _parked_line(row: Parked) -> ParkedLine:
    place = f"{row.file}:{row.line}" if row.file and row.line is not None else row.file
    details = {
        "field": row.field,
        "path": row.path,
        "mapping": place,
        "rule": row.rule,
        "value": row.value_masked,
        "waits for": None if row.awaits is None else " ".join(row.awaits),
        "resource": row.resource,
    }
    return ParkedLine(
        uid=row.uid,
        kind=row.kind,
        channel=row.channel,
        direction=row.direction,
        entity=row.entity,
        subject=row.external_id if row.external_id is not None else row.subject,
        message=row.message,
        remedy=row.remedy,
        first_at=row.first_at,
        last_at=row.last_at,
        times=row.times,
        details=[(name, value) for name, value in details.items() if value is not None and value != ""],
    )


def _oldest(moments: Iterable[datetime | None]) -> datetime | None:
    found = list(moments)
    known = [at for at in found if at is not None]
    return min(known) if known and len(known) == len(found) else None


def _stalest(entities: Sequence[EntityRow]) -> datetime | None:
    """The read of the entity that was read longest ago, None when one of them never was."""
    return _oldest(row.read_at for row in entities if row.reads and row.mode != "off")


def _freshness(channel: Channel, entities: Sequence[EntityRow], now: datetime) -> str:
    """ "warn" after three missed turns of the schedule, "bad" after ten; nothing where nothing is read."""
    if not any(row.reads and row.mode != "off" for row in entities):
        return ""
    at = _stalest(entities)
    if at is None or now - at > timedelta(seconds=10 * channel.every):
        return "bad"
    return "warn" if now - at > timedelta(seconds=3 * channel.every) else ""


def _drain_words(notices: int) -> str:
    waiting = f"{notices:,} notices wait. " if notices else ""
    return (
        f"{waiting}The drain, which takes in notices and sends what is due, has given no sign of life for "
        "15 seconds. `serai up` starts it; its log is `.serai/logs/drain.log`. Nothing is lost meanwhile."
    )
