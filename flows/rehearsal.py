"""What would be written to the channels if other mappings, authority or policies went live: tried on a copy.

What surprises here:

* Nothing is computed a second way. The very steps that run (`realign`, `push`) run on a private copy of the registry,
  with connectors that note what they are asked to write, and answer that it was applied. So a raise of stock waits for
  the lowering elsewhere, and a variant for its product, exactly as they will.
* What is on its way counts as applied: a lowering that nobody confirmed yet stands in the way of no raise.
* A document that would be created has no id yet: it gets one that is minted from its key, so that what refers to it can
  be rendered; ``minted`` tells those ids from real ones.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import ClassVar

from connectors.base import Connector, Cursor, Doc, Page, Receipt, Write
from connectors.errors import Stopped
from connectors.ports import Ports
from flows.companies import companies_of, hears
from flows.consequences import BACK_TO_ORIGIN
from flows.ledger import Stretch
from flows.pledges import AT, listings_at_places
from flows.pricing import carries
from flows.push import push
from flows.realign import Realigned, realign
from flows.receipts import record_receipts
from flows.reserving import with_bundles
from flows.routes import Group
from flows.settings import UNASKED, Channel
from flows.settle import resumed
from flows.wiring import RELEASE, House
from mappings.commerce.stock.bundles import parts_of
from registry import (
    Copy,
    Record,
    Tx,
    copied,
    decode,
    digest,
    encode,
    mark_due,
    modes,
    outbox_rows,
    records,
    records_where,
    refs_for,
)

ALL_OF_IT = Stretch(seconds=1e9, records=10**9)
ROUNDS = 20
PAGE = 5_000
EVERYTHING = 10**9
ON_THEIR_WAY = ("sent", "accepted", "unknown")
AT_ONCE = 100
"""Writes in one batch: a rehearsal has no platform whose limits it must keep."""
NOWHERE = "http://localhost"
MINTED = re.compile(r"9\d{17}")
"""What a minted id looks like, so that it is found in a document without looking for each."""
ALREADY_REJECTED = "the platform rejected exactly this before"


class Noting(Connector):
    """Stands for a channel's connector: knows its resources, answers each write as applied, asks nobody anything."""

    platform = "rehearsal"

    def __init__(self, real: Connector, house: Rehearsal) -> None:
        super().__init__(channel=real.channel, url=NOWHERE, options={}, ports=UNASKED)
        self.resources = {
            name: replace(resource, batch=max(AT_ONCE, resource.batch)) for name, resource in real.resources.items()
        }
        self._house = house

    def check(self) -> None:
        """Nothing is asked."""

    def read(self, resource: str, cursor: Cursor | None = None) -> Iterator[Page]:
        """Nothing may be read."""
        raise Stopped(f"{self.channel}: nothing is read while a plan is made")

    def fetch(self, resource: str, ids: Sequence[str]) -> Mapping[str, Doc | None]:
        """Nothing is known."""
        return {}

    def write(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """Each is applied, except what the platform rejected in the same words before."""
        rejected = self._house.rejected.get((self.channel, resource), frozenset())
        for write in writes:
            if rejected and digest(encode(write.doc)) in rejected:
                yield Receipt(outcome="rejected", id=write.id, detail=ALREADY_REJECTED)
            else:
                yield Receipt(outcome="applied", id=write.id or self._house.mint(write.key))

    def settle(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """None is there yet."""
        for _ in writes:
            yield Receipt(outcome="rejected", detail="not found: it is only rehearsed")


@dataclass(kw_only=True)
class Rehearsal(House):
    """A house over a copy of the registry, whose connectors only note."""

    rehearses: ClassVar[bool] = True
    rejected: Mapping[tuple[str, str], frozenset[bytes]] = field(default_factory=dict)
    minted: set[str] = field(default_factory=set)

    @property
    def release_cause(self) -> str:
        """What is rehearsed would be put in force by a person: the breaker gives its verdict and holds nothing."""
        return f"{RELEASE} rehearsed"

    def mint(self, key: str) -> str:
        """The id of what would be created under this key: the same for the same key, digits only."""
        id = f"9{int.from_bytes(digest(key)[:7], 'big'):017d}"
        self.minted.add(id)
        return id

    def _connect(self, row: Channel, lane: str) -> Connector:
        return Noting(super()._connect(row, lane), self)

    def _address(self, row: Channel) -> str:
        return NOWHERE

    def _ports(self, row: Channel) -> Ports:
        return UNASKED


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which part of the channels is looked at; ``since`` leaves records out that did not change since that moment.

    ``all_of_it``: also what neither mapping nor policy changed for.
    """

    channel: str | None = None
    entity: str | None = None
    since: datetime | None = None
    all_of_it: bool = False

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return self.channel is None and self.entity is None and self.since is None

    def holds(self, channel: str, entity: str) -> bool:
        """Whether writes of the entity to the channel are looked at."""
        return self.channel in (None, channel) and self.entity in (None, entity)


@dataclass(kw_only=True)
class Rehearsed:
    """What came of it. ``told``: (channel, entity, uid) → op, the last one; ``looked_at`` and ``notes`` per (channel,
    entity); ``stuck``: (channel, entity, uid) → (state, why) of what could not be written."""

    house: Rehearsal
    realigned: Realigned
    told: dict[tuple[str, str, str], str]
    looked_at: dict[tuple[str, str], int]
    notes: dict[tuple[str, str], str]
    stuck: dict[tuple[str, str, str], tuple[str, str]]
    faults: list[str]


def places(house: House, scope: Scope) -> list[tuple[str, str]]:
    """(channel, entity) of everything that is written to channels, within the scope."""
    return [
        (name, entity) for name, row in house.project.channels.items() for entity in row.receives
        if scope.holds(name, entity) and entity in house.of(name).outward
    ]


def affected(house: House, before: House | None, channel: str, entity: str) -> bool:
    """Whether the group's mapping or the policies it follows differ; all that it holds is then rendered anew."""
    if before is None or channel not in before.project.channels:
        return True
    old = before.of(channel).outward.get(entity)
    group = house.of(channel).outward[entity]
    if old is None or old.mapping.hash != group.mapping.hash:
        return True
    if carries(group) and house.project.prices.get(channel) != before.project.prices.get(channel):
        return True
    return "stock" in (group.entity, *group.joins) and house.project.stock != before.project.stock


def rehearse(house: House, before: House | None, scope: Scope, copy: Copy) -> Rehearsed:
    """Tries on ``copy`` what ``house`` would write, ``before`` being in force; nothing else is written anywhere."""
    stage = Rehearsal(
        project=house.project, registry=copy, mappings=house.mappings, release=house.release,
        rejected=_rejected(house),
    )
    account = stage.account("*", "plan", "outward")
    realigned = realign(stage, before, run=account.run, documents=house.registry)
    wanted = places(stage, scope)
    arrived = _arrived(stage, wanted)
    with copy.read() as tx:
        mode = modes(tx)
    looked_at = {
        place: _mark(stage, before, *place, realigned.moved, scope)
        for place in wanted if mode.get(place, "off") == "on"
    }
    notes, faults = _push_all(stage, wanted)
    with copy.read() as tx:
        left = outbox_rows(tx, limit=EVERYTHING)
    return Rehearsed(
        house=stage, realigned=realigned, looked_at=looked_at, notes=notes, faults=faults,
        told={(channel, entity, uid): op for channel, entity, uid, op, _ in copy.told()[arrived:]},
        stuck={(row.channel, row.entity, row.uid): (row.state, row.reason or "") for row in left
               if scope.holds(row.channel, row.entity) and mode.get((row.channel, row.entity), "off") == "on"},
    )


def _rejected(house: House) -> dict[tuple[str, str], frozenset[bytes]]:
    """(channel, resource) → digests of the documents that the platform rejected and a person has not seen to."""
    with house.registry.read() as tx:
        rows = outbox_rows(tx, states=("parked", "rejected"), limit=EVERYTHING)
    found: dict[tuple[str, str], set[bytes]] = {}
    for row in rows:
        group = house.of(row.channel).outward.get(row.entity) if row.channel in house.project.channels else None
        if group is not None and row.payload is not None:
            mark = digest(encode(decode(row.payload)["doc"]))
            found.setdefault((row.channel, group.mapping.resource), set()).add(mark)
    return {place: frozenset(marks) for place, marks in found.items()}


def _arrived(house: Rehearsal, wanted: Sequence[tuple[str, str]]) -> int:
    """What is on its way to these places is taken as applied, as it was decided; how many writes that were."""
    with house.registry.read() as tx:
        rows = outbox_rows(tx, states=ON_THEIR_WAY, limit=EVERYTHING)
    number = 0
    for channel, entity in wanted:
        sending = [resumed(row) for row in rows if (row.channel, row.entity) == (channel, entity)]
        number += len(sending)
        account, group = house.account(channel, entity, "outward"), house.of(channel).outward[entity]
        receipts = [(one, Receipt(outcome="applied", id=one.write.id or house.mint(one.write.key))) for one in sending]
        with house.registry.write() as tx:
            record_receipts(house, tx, account, channel, group, receipts)
    return number


def _mark(
    house: Rehearsal, before: House | None, channel: str, entity: str, moved: Collection[str], scope: Scope
) -> int:
    """Marks due what must be rendered anew; returns how many records the group has in all."""
    group = house.of(channel).outward[entity]
    whole = scope.all_of_it or affected(house, before, channel, entity)
    touched: set[str] | None = None
    if not whole:
        touched = _touched(house, group, moved, None)
    elif scope.since is not None:
        touched = _touched(house, group, moved, scope.since)
    number, after = 0, ""
    if group.base == "stock":
        number += house.registry.attempt(partial(_mark_bundles, house, channel, group, touched, moved))
    while True:
        marked, after = house.registry.attempt(partial(
            _mark_page, house, channel, group, after, touched, house.release_cause
        ))
        number += marked
        if not after:
            return number


def _mark_page(
    house: House, channel: str, group: Group, after: str, touched: set[str] | None, cause: str, tx: Tx
) -> tuple[int, str]:
    page = records_where(tx, group.base, after, PAGE)
    if group.base in BACK_TO_ORIGIN:
        orders = {record.uid: record.values.get("order") for record in page}
        held = refs_for(tx, channel, [("order", order) for order in orders.values() if order is not None])
        page_uids = [record.uid for record in page if ("order", orders[record.uid]) in held]
    else:
        whose = companies_of(house, tx, group.base, {record.uid: None for record in page})
        page_uids = [record.uid for record in page if whose is None or hears(house, channel, whose[record.uid])]
    mark_due(tx, [
        (channel, group.entity, uid, None, False, cause) for uid in page_uids if touched is None or uid in touched
    ])
    return len(page_uids), page[-1].uid if page else ""


def _mark_bundles(
    house: House, channel: str, group: Group, touched: set[str] | None, moved: Collection[str], tx: Tx
) -> int:
    """The same for bundles, which have a figure at each place and no record there: what is made of what was touched."""
    bundles = {record.uid for record in every(tx, "variant") if parts_of(record.values)}
    if touched is not None:
        there = records(tx, sorted(touched)).values()
        bundles &= with_bundles(tx, {*moved, *(str(record.values["variant"]) for record in there)})
    listings = [uid for uid in listings_at_places(house, tx, bundles) if AT in uid]
    mark_due(tx, [(channel, group.entity, uid, None, False, house.release_cause) for uid in listings])
    return len(listings)


def _touched(
    house: Rehearsal, group: Group, moved: Collection[str], since: datetime | None
) -> set[str]:
    """Uids of the group's base whose records, or records joined to them, were moved, or changed since a moment."""
    found: set[str] = set()
    if not moved and since is None:
        return found
    for entity in dict.fromkeys((group.base, *group.joins)):
        changed = {record.uid: record for record in _all(house, entity)
                   if record.uid in moved or (since is not None and record.changed_at >= since)}
        if entity == group.base:
            found |= changed.keys()
            continue
        for name, target in house.references.get(entity, {}).items():
            if target == group.base:
                found |= {uid for record in changed.values() if (uid := record.values.get(name)) is not None}
        for name, target in house.references.get(group.base, {}).items():
            if target == entity and changed:
                found |= {record.uid for record in _all(house, group.base) if record.values.get(name) in changed}
    return found


def _all(house: Rehearsal, entity: str) -> Iterator[Record]:
    with house.registry.read() as tx:
        yield from every(tx, entity)


def every(tx: Tx, entity: str) -> Iterator[Record]:
    """All records of an entity, by the page."""
    after = ""
    while page := records_where(tx, entity, after, PAGE):
        yield from page
        after = page[-1].uid


def _push_all(house: Rehearsal, wanted: Sequence[tuple[str, str]]) -> tuple[dict[tuple[str, str], str], list[str]]:
    """Pushes until nothing that is due can move; what stands in the way of an entity, and the faults of records."""
    notes: dict[tuple[str, str], str] = {}
    faults: dict[str, None] = {}
    for _ in range(ROUNDS):
        written = 0
        for channel, entity in wanted:
            ledger = push(house, channel, entity, stretch=ALL_OF_IT)
            faults.update(dict.fromkeys(ledger.faults))
            if ledger.note:
                notes[channel, entity] = ledger.note
            written += ledger.total("written")
        if written == 0:
            break
    return notes, list(faults)


__all__ = ["Rehearsal", "Rehearsed", "Scope", "affected", "copied", "places", "rehearse"]
