"""What would change on the channels if the mappings, authority and policies of this checkout went live.

What surprises here: a plan is a rehearsal (`flows.rehearsal`) compared, record by record, with what the channels were
told and seen to hold; it asks no system anything and writes nothing. What a channel holds already, because the edit
was its own, is no change. Personal values are masked; digests of whole documents tell whether a record moved since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from flows.figures import of_text
from flows.labels import labels
from flows.plan_reasons import FileChange, Reasons, file_changes
from flows.pledges import PUBLISH
from flows.price_moves import Price, effect, opens, prices_of
from flows.rehearsal import MINTED, Rehearsal, Rehearsed, Scope, rehearse
from flows.release import Content, on_disk, released
from flows.routes import Group, load_mappings
from flows.settings import load_project
from flows.why import MASKED, personal_rows, veiled
from flows.wiring import House
from mappings.commerce.breaker import Verdict, judge
from mappings.language import LintErrors, Ref
from registry import (
    Binding,
    Release,
    Tx,
    binding_for,
    copied,
    digest,
    encode,
    micros,
    newest_release,
    outbox_rows,
    refs_for,
    registry_mark,
    released_before,
)

NEVER_HELD: Final = ("order", "shipment", "return")
"""Holding these loses a sale or leaves a buyer without news."""
FAULTS_NAMED = 20
EVERYTHING = 10**9
Key = tuple[str, str, str]
"""(channel, entity, uid): one write."""


@dataclass(frozen=True, kw_only=True)
class FieldChange:
    """One field of a native document: its path, and its values before and after; None and ABSENT are not the same."""

    path: str
    before: Any
    after: Any


ABSENT: Final = {"absent": True}
"""Stands for a field that is not there."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One write. ``label`` names the record for people (SKU, code, number); ``told`` and ``telling`` are digests of the
    whole documents before and after; ``minted`` says that it refers to what does not exist yet.
    """

    channel: str
    entity: str
    uid: str
    label: str
    op: str
    id: str | None
    fields: tuple[FieldChange, ...]
    told: str
    telling: str
    minted: bool
    because: tuple[str, ...]
    prices: tuple[Price, ...] = ()
    lowers: bool = False

    @property
    def key(self) -> Key:
        """Which write this is."""
        return self.channel, self.entity, self.uid


@dataclass(frozen=True, kw_only=True)
class Part:
    """The sums of one (channel, entity): writes by kind, and what would not be written, with the reasons."""

    channel: str
    entity: str
    create: int
    update: int
    delete: int
    unchanged: int
    waiting: int
    parked: int
    reasons: Mapping[str, int]
    fields: Mapping[str, int]
    prices: Sequence[Price]
    verdict: Verdict
    note: str = ""

    @property
    def writes(self) -> int:
        """How many writes in all."""
        return self.create + self.update + self.delete

    def money(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Currency → the sum of all price moves, up or down, and the largest of them."""
        found: dict[str, tuple[Decimal, Decimal]] = {}
        for price in self.prices:
            total, largest = found.get(price.currency, (Decimal(0), Decimal(0)))
            found[price.currency] = (total + price.moved, max(largest, price.moved))
        return found


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What would be written. ``content`` is the checkout's digest, ``base`` the release in force (None: none yet),
    ``project`` and ``registry`` say what it was made for.
    """

    made_at: datetime
    project: str
    registry: str
    content: str
    base: int | None
    scope: Scope
    files: Sequence[FileChange]
    parts: Sequence[Part]
    writes: Sequence[Planned]
    left: Mapping[str, int]
    faults: Sequence[str]
    realigned: tuple[int, int] = (0, 0)

    @property
    def held(self) -> list[Part]:
        """The parts that the breaker would hold."""
        return [part for part in self.parts if part.verdict.held]


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """What is on disk, compiled, beside what is in force: the two houses a plan compares.

    ``unsettled``: the newest release was applied in part, or its apply was cut short. Records may be in line with it
    already whose channels were not told, so everything is looked at.
    """

    content: Content
    house: House
    before: House | None
    old: Content | None
    newest: Release | None

    @property
    def unsettled(self) -> bool:
        """Whether the newest release is not reached yet."""
        return self.newest is not None and self.newest.settled_at is None


def checkout(house: House) -> Checkout:
    """The checkout's house over the registry of ``house``, and the one in force. Raises LintErrors.

    In force is the newest release that everything kept is in line with: after an `apply` that was cut short, the one
    before it, so that what it left undone is planned again.
    """
    project = load_project(house.project.folder)
    content = on_disk(project)
    with house.registry.read() as tx:
        newest = newest_release(tx)
        base = released_before(tx)
        old = None if base is None else released(tx, base)
    fresh = replace(house, project=project, mappings=load_mappings(project, content), release=newest)
    return Checkout(content=content, house=fresh, before=_before(house, old), old=old, newest=newest)


def _before(house: House, old: Content | None) -> House | None:
    """The house of a released content; None where it no longer fits the channels of this folder."""
    if old is None:
        return None
    try:
        project = load_project(house.project.folder, rules=old.rules)
        return replace(house, project=project, mappings=load_mappings(project, old))
    except LintErrors:
        return None


def plan(house: House, scope: Scope | None = None, *, of: Checkout | None = None) -> Plan:
    """What would be written if the checkout of the house's folder went live. Asks no system, writes nothing.

    Raises LintErrors when the checkout does not pass lint.
    """
    scope = scope or Scope()
    given = of or checkout(house)
    with copied(house.registry) as copy:
        widened = replace(scope, all_of_it=scope.all_of_it or given.unsettled)
        found = rehearse(given.house, given.before, widened, copy)
        with house.registry.read() as tx, copy.read() as tried:
            due = frozenset((row.channel, row.entity, row.uid) for row in outbox_rows(tx, limit=EVERYTHING))
            reasons = Reasons(house=given.house, before=given.before, realigned=found.realigned, due=due)
            writes = list(_writes(given, found, reasons, tx, tried))
            mark = registry_mark(tx)
    return Plan(
        made_at=house.registry.now(), project=house.project.folder.name, registry=mark,
        content=given.content.hash, base=None if given.newest is None else given.newest.number, scope=scope,
        files=file_changes(given.house, given.old, given.content), parts=_parts(given.house, found, writes),
        writes=writes, left=dict(found.realigned.left),
        faults=[*found.realigned.faults[:FAULTS_NAMED], *found.faults[:FAULTS_NAMED]],
        realigned=(found.realigned.contributions, found.realigned.records),
    )


def _writes(given: Checkout, found: Rehearsed, reasons: Reasons, tx: Tx, tried: Tx) -> Iterator[Planned]:
    """Every write that changes something, by channel and entity."""
    by_place: dict[tuple[str, str], list[str]] = {}
    for channel, entity, uid in found.told:
        by_place.setdefault((channel, entity), []).append(uid)
    for (channel, entity), uids in by_place.items():
        yield from _of_place(given, found, reasons, tx, tried, channel, entity, sorted(uids))


def _of_place(
    given: Checkout, found: Rehearsed, reasons: Reasons, tx: Tx, tried: Tx, channel: str, entity: str,
    uids: Sequence[str],
) -> Iterator[Planned]:
    house = found.house
    group = house.of(channel).outward[entity]
    was, now = binding_for(tx, channel, group.name, uids), binding_for(tried, channel, group.name, uids)
    held = _held(given, tx, channel, group, was, house.registry.now())
    names = labels(tried, uids)
    docs: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for uid in uids:
        after = now[uid].told or {} if uid in now else {}
        op = found.told[channel, entity, uid]
        before = {} if op == "create" else _told(was.get(uid), held.get(uid, {}))
        if op != "create" and held.get(uid) == after and _edited(was[uid]):
            continue        # the edit was the channel's own: it holds this already
        docs[uid] = before, after
    prices = prices_of(house, given.before, channel, group, docs, was, tried)
    veil = _veil(given, house, channel, group)
    for uid, (before, after) in docs.items():
        changes = tuple(_differ(before, after, veil(before), veil(after)))
        told = was[uid].told_text if uid in was else None
        text = encode(after)
        yield Planned(
            channel=channel, entity=entity, uid=uid, label=names.get(uid, uid), op=found.told[channel, entity, uid],
            id=was[uid].external_id if uid in was else None, fields=changes,
            told="" if told is None else digest(told).hex(), telling=digest(text).hex(),
            minted=not house.minted.isdisjoint(MINTED.findall(text)), prices=tuple(prices.get(uid, ())),
            because=reasons.of(channel, group, uid, [change.path for change in changes], told=told is not None),
            lowers=entity == "stock" and _lowers(was.get(uid), now.get(uid)),
        )


def _told(binding: Binding | None, held: dict[str, Any]) -> dict[str, Any]:
    """The document before: the one last told, else what the channel was seen to hold, in the words of its mapping."""
    if binding is not None and binding.told_text is not None:
        return binding.told or {}
    return held


def _held(
    given: Checkout, tx: Tx, channel: str, group: Group, bound: Mapping[str, Binding], now: datetime
) -> dict[str, dict[str, Any]]:
    """uid → what the channel was seen to hold, in the words of the mapping in force; where one record is one document.
    """
    if group.base != group.entity or group.joins:
        return {}
    old = given.before.of(channel).outward if given.before and channel in given.before.project.channels else {}
    mapping = old.get(group.entity, group).mapping
    seen = {uid: {**values, "uid": uid} for uid, binding in bound.items() if (values := binding.values) is not None}
    refs = refs_for(tx, channel, list(mapping.outward_references(list(seen.values()))))
    result = mapping.map_outward(
        list(seen.values()), {key: Ref(id=id, kept=kept) for key, (id, kept) in refs.items()},
        given.house.context(channel, now),
    )
    order = list(seen)
    return {order[out.index]: out.doc for out in result.docs}


def _veil(
    given: Checkout, house: House, channel: str, group: Group
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Masks personal values of a document, by the mapping in force and by the new one.

    Of an entity that has personal fields, a field that neither mapping has a row for is masked too: nobody knows where
    it came from.
    """
    if not house.personal.get(group.entity):
        return lambda doc: doc
    groups = [group]
    if given.before is not None and channel in given.before.project.channels:
        groups += [old for name, old in given.before.of(channel).outward.items() if name == group.entity]
    hidden = {field for one in groups for field in personal_rows(house, one)}
    known = {row.field for one in groups for row in one.mapping.rows}

    return lambda doc: {name: veiled(name, value, hidden, known) for name, value in doc.items()}


def _edited(binding: Binding) -> bool:
    """Whether the channel itself changed something since it was told, or was never told anything."""
    told = binding.told_at
    return told is None or any(stamp > micros(told) for stamp in binding.changed.values())


def _figure(binding: Binding | None) -> str | None:
    found = None if binding is None else binding.kept.get(PUBLISH)
    return None if found is None else str(found)


def _lowers(was: Binding | None, now: Binding | None) -> bool:
    before, after = _figure(was), _figure(now)
    return before is not None and after is not None and of_text(after) < of_text(before)


def _differ(before: Any, after: Any, old: Any, new: Any, path: str = "") -> Iterator[FieldChange]:
    """The leaves at which two documents differ; ``old`` and ``new`` are the same documents with values masked."""
    if before == after and type(before) is type(after):
        return
    if isinstance(before, dict) and isinstance(after, dict) and MASKED not in (old, new):
        for name in dict.fromkeys([*before, *after]):
            yield from _differ(
                before.get(name, ABSENT), after.get(name, ABSENT),
                old.get(name, ABSENT), new.get(name, ABSENT), f"{path}.{name}" if path else name,
            )
    elif (
        isinstance(before, list) and isinstance(after, list) and len(before) == len(after) and MASKED not in (old, new)
    ):
        for place, pair in enumerate(zip(before, after, old, new, strict=True)):
            yield from _differ(*pair, f"{path}[{place}]")
    else:
        yield FieldChange(path=path, before=old, after=new)


def _parts(house: House, found: Rehearsed, writes: Sequence[Planned]) -> list[Part]:
    by_place: dict[tuple[str, str], list[Planned]] = {}
    for one in writes:
        by_place.setdefault((one.channel, one.entity), []).append(one)
    stuck: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for (channel, entity, _), state in found.stuck.items():
        stuck.setdefault((channel, entity), []).append(state)
    parts = []
    for place in dict.fromkeys([*found.looked_at, *found.notes]):
        mine = by_place.get(place, [])
        left = stuck.get(place, [])
        parked = sum(state in ("parked", "rejected") for state, _ in left)
        ops = Counter(one.op for one in mine)
        looked_at = found.looked_at.get(place, 0)
        prices = [price for one in mine for price in one.prices]
        parts.append(Part(
            channel=place[0], entity=place[1], create=ops["create"], update=ops["update"], delete=ops["delete"],
            waiting=len(left) - parked, parked=parked, unchanged=max(0, looked_at - len(mine) - len(left)),
            reasons=dict(Counter(why for _, why in left if why)), note=found.notes.get(place, ""),
            fields=dict(Counter(path for one in mine for path in {_plain(change.path) for change in one.fields})),
            prices=prices, verdict=_verdict(house, place, mine, looked_at),
        ))
    return parts


def _verdict(house: House, place: tuple[str, str], mine: Sequence[Planned], known: int) -> Verdict:
    """What the breaker would say to these writes; falls of stock and orders are never its subject."""
    if place[1] in NEVER_HELD:
        return Verdict(held=False)
    effects = [effect(one.prices, counts=not one.lowers and not opens(place[1], one.prices)) for one in mine]
    return judge(effects, known, house.project.breaker_of(place[0]))


def _plain(path: str) -> str:
    """The path without positions in lists: ``images[0].src`` → ``images.src``."""
    return "".join(part.split("]")[-1] for part in path.split("["))


__all__ = ["Checkout", "FieldChange", "Part", "Plan", "Planned", "Rehearsal", "Scope", "checkout", "plan"]
