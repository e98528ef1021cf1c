"""What a page of documents becomes: items mapped, matched, merged and stored, with everything that follows marked due.

What surprises here:

* One transaction covers whole pages and their cursor; the items of a page add up before it commits (P1).
* A difference counts as an edit only against what *that same channel* last said or was seen to hold; the first read
  after a write of ours completes the projection and is no edit (P3, P4).
* A document asked for before the state we know is stale: it is skipped and read once more (P5).
* Nothing here asks a system or a clock: documents, modes and moments come in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from connectors.base import Doc
from flows.consequences import Change, counted, follow
from flows.drift import told_figure
from flows.faults import settle_faults
from flows.ledger import Account
from flows.matching import report_matches
from flows.recognise import Look, look, only_salted_otherwise
from flows.render import shown
from flows.wiring import OURS, House, entity_order, not_there
from mappings.commerce.match import keys as match_keys
from mappings.commerce.merge import Contribution, record_values
from mappings.commerce.order import balance
from mappings.language import InwardRecord, Mapping as MappingFile
from registry import (
    OWN_KEY,
    Binding,
    BindingRow,
    DueRow,
    HopRow,
    ParkedRow,
    Record,
    RecordRow,
    Standing,
    Tx,
    add_links,
    bindings,
    bindings_of,
    claim_keys,
    digest,
    drop_candidates,
    encode,
    lock_entities,
    lock_records,
    mark_due,
    micros,
    modes,
    moment,
    new_uids,
    note_documents,
    own_key,
    own_kind,
    owners,
    park,
    put_bindings,
    put_documents,
    put_hops,
    put_links,
    put_records,
    put_sightings,
    rebind,
    records,
    seen_later,
    standings,
    uids_for,
    unpark,
    wake,
)

STALE = "stale: asked for before what we know"
SHOWN = "stock/variant"
"""How what a channel shows of a variant in all is filed, beside what it was told."""

ItemKey = tuple[str, str]
"""(entity, external id): what a document yields."""


@dataclass(kw_only=True)
class Item:
    """One (entity, external id) of the page on its way from document to record."""

    record: InwardRecord
    binding: Binding | None = None
    uid: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    key: str | None = None
    text: str = ""
    mark: bytes = b""
    changed: dict[str, int] = field(default_factory=dict)
    first: bool = False
    new: bool = False
    edit: bool = False
    moved: frozenset[str] = frozenset()


@dataclass(kw_only=True)
class Work:
    """Everything one transaction has in hand while it accepts a page."""

    house: House
    tx: Tx
    account: Account
    channel: str
    resource: str
    docs: Sequence[Doc]
    asked_at: datetime
    now: datetime
    mapping_hash: str
    known: dict[ItemKey, str] = field(default_factory=dict)
    reread: set[str] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)
    stored: list[BindingRow] = field(default_factory=list)
    fresh: list[BindingRow] = field(default_factory=list)
    records: list[RecordRow] = field(default_factory=list)
    new_records: list[RecordRow] = field(default_factory=list)
    hops: list[HopRow] = field(default_factory=list)
    links: list[tuple[str, str, str, str]] = field(default_factory=list)
    first_links: list[tuple[str, str, str, str]] = field(default_factory=list)
    relinked: set[str] = field(default_factory=set)
    documents: set[int] = field(default_factory=set)
    matched: dict[str, list[str]] = field(default_factory=dict)
    hashes: Sequence[bytes | None] = ()
    standing: Mapping[str, Standing] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    seen_stock: set[str] = field(default_factory=set)
    deciding: dict[str, bool] = field(default_factory=dict)
    moved: dict[tuple[str, ...], str] = field(default_factory=dict)

    @cached_property
    def moment(self) -> int:
        """When the page's request began, in microseconds."""
        return micros(self.asked_at)

    def alone(self, entity: str) -> bool:
        """Whether a record that only this channel speaks of is exactly what it says."""
        if entity not in self.deciding:
            self.deciding[entity] = self.house.decides_alone(self.channel, entity)
        return self.deciding[entity]

    def since_now(self, values: Mapping[str, Any]) -> str:
        """The text that says that all these fields moved when the page was asked for."""
        fields = tuple(values)
        if fields not in self.moved:
            self.moved[fields] = encode({"$since": self.moment, **dict.fromkeys(fields, self.moment)})
        return self.moved[fields]

    def hash(self, record: InwardRecord) -> bytes | None:
        """The digest of the document a record came from; None where it cannot be known again by it."""
        return self.hashes[record.doc] if self.hashes else None


def accept_page(
    house: House, tx: Tx, account: Account, channel: str, resource: str, docs: Sequence[Doc],
    asked_at: datetime, now: datetime, *, scan: str | None = None,
) -> set[str]:
    """Accepts documents that were asked for at ``asked_at``; returns ids of documents to read once more (stale ones).

    Afterwards ``account`` is balanced, contributions and records are stored, and what follows is due. Raises
    Unbalanced, and then the caller's transaction must not commit.
    """
    mapping = house.of(channel).inward[resource]
    lock_entities(tx, channel, mapping.inward)
    mode = {entity: mode for (name, entity), mode in modes(tx).items() if name == channel}
    first = look(house, tx, channel, resource, docs, now, mode)
    docs = first.docs
    wanted = mapping.inward_references(docs)
    refs = uids_for(tx, channel, list(wanted))
    result = mapping.map_inward(docs, refs, house.context(channel, now, account.run))
    work = Work(
        house=house, tx=tx, account=account, channel=channel, resource=resource, docs=docs, asked_at=asked_at,
        now=now, mapping_hash=mapping.hash, standing=first.found, asked=first.asked,
        hashes=_known_by(first, mapping, wanted - refs.keys()),
    )
    _settled(work, first)
    read = len(first.settled) + settle_faults(house, tx, account, channel, resource, docs, result, mode)
    by_entity: dict[str, dict[str, InwardRecord]] = {}
    for record in result.records:
        same = by_entity.setdefault(record.entity, {})
        if record.id in same:
            account.count(record.entity, "skipped", reason="said again later in the page")
        same[record.id] = record
    read += len(result.records)
    for entity in entity_order(list(by_entity)):
        items = by_entity[entity]
        match mode.get(entity, "off"):
            case "off":
                account.count(entity, "skipped", len(items), reason="switched off")
            case "shadow":
                report_matches(house, tx, channel, entity, list(items.values()))
                account.count(entity, "skipped", len(items), reason="shadow: matched, not taken")
            case _:
                _accept_entity(work, entity, items)
    _store(work)
    seen: dict[str, list[str]] = {first.entity: list(first.settled)} if first.settled else {}
    for record in result.records:
        seen.setdefault(record.entity, []).append(record.id)
    for fault in result.faults:
        if fault.id is not None:
            seen.setdefault(fault.entity, []).append(fault.id)
    put_sightings(tx, channel, seen, asked_at, scan=scan)
    account.close_page(read)
    return work.reread


def _known_by(first: Look, mapping: MappingFile, missing: Set[tuple[str, str]]) -> Sequence[bytes | None]:
    """The digests by which documents may be known again: none of one that refers to what is not there yet."""
    if not missing:
        return first.hashes
    return [
        None if mapping.inward_references([doc]) & missing else mark
        for doc, mark in zip(first.docs, first.hashes, strict=False)
    ]


def _settled(work: Work, first: Look) -> None:
    """What is as it was: accounted for, no longer parked, and its stock figures counted."""
    if first.settled:
        unpark(work.tx, [(work.channel, first.entity, id, "inward") for id in first.settled])
        work.account.count(first.entity, "unchanged", len(first.settled))
        if first.entity == "stock" and work.house.may_create(work.channel, "stock"):
            work.seen_stock.update(first.settled.values())


def _accept_entity(work: Work, entity: str, records: Mapping[str, InwardRecord]) -> None:
    """Sorts the items of one entity into unchanged, stale, edited and fresh, and carries the last two on."""
    if entity == "stock":
        records = _take_shown(work, records)
    found = {**work.standing, **standings(work.tx, work.channel, entity, records.keys() - work.asked)}
    changed: list[str] = []
    unchanged: list[str] = []
    noted: dict[str, bytes] = {}
    edited: list[Item] = []
    fresh: list[Item] = []
    for id, record in records.items():
        if record.local:
            _resolve_local(work, record)
        known = found.get(id)
        if known is None or known.uid is None or known.state != "live":
            fresh.append(Item(record=record, uid=None if known is None else known.uid, first=True))
            continue
        work.known[entity, id] = known.uid
        if not known.pending and digest(encode(record.values)) == known.values_hash:
            unchanged.append(id)
            mark = work.hash(record)
            if mark is not None and mark != known.document_hash and only_salted_otherwise(known, mark):
                noted[id] = mark
        else:
            changed.append(id)
    later = seen_later(work.tx, work.channel, entity, work.asked_at) if changed else frozenset()
    for id in changed:
        record, known = records[id], found[id]
        if later is None or id in later or (known.asked_at is not None and known.asked_at > work.moment):
            work.reread.add(_document_id(work, record))
            work.account.count(entity, "skipped", reason=STALE)
        else:
            edited.append(Item(record=record, uid=known.uid, first=known.values_hash is None and not known.pending))
    moved = [item for item in edited + fresh if item.record.id in found]
    held = bindings(work.tx, work.channel, [(entity, item.record.id) for item in moved])
    for item in moved:
        item.binding = held[entity, item.record.id]
    if noted:
        note_documents(work.tx, work.channel, entity, noted)
    if unchanged:
        unpark(work.tx, [(work.channel, entity, id, "inward") for id in unchanged])
        work.account.count(entity, "unchanged", len(unchanged))
    fresh = _match(work, entity, fresh)
    _merge(work, entity, edited + fresh)
    if entity == "stock" and work.house.may_create(work.channel, "stock"):
        work.seen_stock.update(str(found[id].uid) for id in unchanged)
        work.seen_stock.update(str(item.uid) for item in edited + fresh)


def _take_shown(work: Work, records: Mapping[str, InwardRecord]) -> dict[str, InwardRecord]:
    """Figures without a location are what a channel shows of a variant, no stock of any place; returns the others.

    They are filed with what the channel was told of the variant and never enter a record. A figure above what was told
    is put back; a first figure is compared with what the channel may show.
    """
    figures = {id: record for id, record in records.items()
               if record.values.get("location") is None and record.values.get("variant") is not None}
    found = bindings(work.tx, work.channel, [(SHOWN, id) for id in figures])
    later = seen_later(work.tx, work.channel, "stock", work.asked_at) if found else frozenset()
    due: list[DueRow] = []
    for id, record in figures.items():
        old = found.get((SHOWN, id))
        variant = record.values["variant"]
        text = encode(record.values)
        overtaken = old is not None and old.asked_at is not None and old.asked_at > work.asked_at
        same = old is not None and old.values_hash == digest(text) and old.uid == variant and old.state == "live"
        if same and not overtaken:
            work.account.count("stock", "unchanged")
            continue
        if overtaken or (old is not None and (later is None or id in later)):
            work.reread.add(_document_id(work, record))
            work.account.count("stock", "skipped", reason=STALE)
            continue
        said: dict[str, Any] = {"uid": variant, "resource": work.resource, "values": text, "state": "live",
                                "asked_at": work.asked_at, "verified_at": work.asked_at,
                                "mapping_hash": work.mapping_hash}
        work.stored.append(old.row(**said) if old is not None else BindingRow(
            channel=work.channel, entity=SHOWN, external_id=id, **said
        ))
        work.account.count("stock", "created" if old is None else "updated")
        told = told_figure(old)
        if told is None or shown(record.values) > told:
            due.append((work.channel, "stock", variant, None, told is not None, work.account.run))
    if due and "stock" in work.house.channel(work.channel).receives:
        mark_due(work.tx, due)
    return {id: record for id, record in records.items() if id not in figures}


def _resolve_local(work: Work, record: InwardRecord) -> None:
    """References to items of the same document become uids, now that those items have theirs."""
    for local in record.local:
        place: Any = record.values
        for step in local.path[:-1]:
            place = place[step]
        place[local.path[-1]] = work.known.get((local.entity, local.id))


def _document_id(work: Work, record: InwardRecord) -> str:
    return work.house.document_id(work.channel, work.resource, work.docs[record.doc])


def _match(work: Work, entity: str, items: list[Item]) -> list[Item]:
    """Gives each unbound item its record: the owner of its keys, or a new one where the channel may create.

    What matches several records is quarantined; what matches none, on a channel without the right to create, is
    skipped and kept as a candidate for a person to bind.
    """
    if not items:
        return []
    if entity == "order":
        items = _balanced(work, items)
    country = work.house.channel(work.channel).company.country
    keys = {
        item.record.id: match_keys(entity, item.record.values, work.channel, item.record.id, country=country)
        for item in items
    }
    owned = owners(work.tx, [(entity, kind, value) for pairs in keys.values() for kind, value in pairs])
    ours = _ours(work, entity, items)
    may_create = work.house.may_create(work.channel, entity)
    matched: list[Item] = []
    unmatched: list[InwardRecord] = []
    before = {item.record.id: item.uid for item in items if item.uid is not None}
    for item in items:
        hits = list(dict.fromkeys(
            owned[entity, kind, value] for kind, value in keys[item.record.id] if (entity, kind, value) in owned
        ))
        if item.record.id in ours:
            item.uid = ours[item.record.id]
            matched.append(item)
        elif len(hits) > 1 and entity != "customer":
            work.account.count(entity, "quarantined", reason="its keys belong to several records")
            unmatched.append(item.record)
        elif hits:
            item.uid = hits[0]
            matched.append(item)
        elif may_create:
            item.new = True
            matched.append(item)
        else:
            work.account.count(entity, "skipped", reason="unmatched: `serai match` lists it for a person to bind")
            unmatched.append(item.record)
    if unmatched:
        report_matches(work.house, work.tx, work.channel, entity, unmatched)
    own = own_kind(entity)
    for item, uid in zip((new := [item for item in matched if item.new]), new_uids(len(new)), strict=True):
        item.uid = uid
    for item in new if own is not None else ():  # two documents of a page may be about one
        item.key = next((value for kind, value in keys[item.record.id] if kind == own), None)
        winner = owned.setdefault((entity, str(own), item.key), str(item.uid)) if item.key is not None else item.uid
        if winner != item.uid:
            item.uid, item.new = winner, False
    claims = [
        (entity, kind, value, item.uid) for item in matched for kind, value in keys[item.record.id]
        if kind != own and item.uid is not None and owned.get((entity, kind, value), item.uid) == item.uid
    ]
    owned = claim_keys(work.tx, claims) if claims else {}
    for item in matched:
        for kind, value in keys[item.record.id]:
            winner = owned.get((entity, kind, value))
            if item.new and winner is not None and winner != item.uid:
                item.uid, item.new = winner, False      # another worker, or this page, was first with the same key
                break
        work.known[entity, item.record.id] = str(item.uid)
    if any(before.get(item.record.id, item.uid) != item.uid for item in matched):
        rebind(work.tx, [work.channel])
    if matched:
        work.matched[entity] = [item.record.id for item in matched]
    return matched


def _balanced(work: Work, items: list[Item]) -> list[Item]:
    """The orders whose lines and shipping add up to their total; the others are parked, never adjusted in silence."""
    apart = [(item, difference) for item in items if (difference := _off(item.record.values)) is not None]
    park(work.tx, [
        ParkedRow(
            channel=work.channel, entity="order", direction="inward", external_id=item.record.id,
            resource=work.resource, document=encode(work.docs[item.record.doc]).encode(), field="total",
            rule="balance", message=f"lines and shipping differ from the total by {difference}",
            remedy="mend the order on the channel, or the mapping of its lines, then `serai replay`",
        )
        for item, difference in apart
    ])
    work.account.count("order", "parked", len(apart), reason="its money does not add up")
    wrong = {item.record.id for item, _ in apart}
    return [item for item in items if item.record.id not in wrong]


def _off(values: Mapping[str, Any]) -> str | None:
    """By how much an order does not add up; None when it does, or does not say enough to tell."""
    if values.get("total") is None or values.get("lines") is None:
        return None
    try:
        difference = balance(values)
    except ValueError as fault:
        return str(fault)
    return None if Decimal(difference["amount"]) == 0 else f"{difference['amount']} {difference['currency']}"


def _ours(work: Work, entity: str, items: Sequence[Item]) -> dict[str, str]:
    """External id → record, of documents that carry our reference: it names the record by itself.

    The platform may tell of what we created before its answer to us was read or kept, and may remember it after a
    registry was put back from a copy; without this such a document would make a second record.
    """
    named: dict[str, str] = {}
    if not work.house.carries_ours(work.channel, work.resource, entity):
        return named
    for item in items:
        key = work.house.our_reference(work.channel, work.resource, entity, work.docs[item.record.doc])
        if key is not None:
            named[item.record.id] = key.removeprefix(OURS)[:32]
    there = records(work.tx, list(named.values())) if named else {}
    return {id: there[uid].uid for id, uid in named.items() if uid in there and there[uid].entity == entity}


def _merge(work: Work, entity: str, items: list[Item]) -> None:
    """Stores each item's contribution and the records that follow from all channels' contributions."""
    if not items:
        return
    held = sorted({item.uid for item in items if item.uid is not None and not item.new})
    locked = lock_records(work.tx, held) if held else {}
    others = bindings_of(work.tx, held, entity) if held else {}
    by_uid: dict[str, list[Item]] = {}
    for item in items:
        mine = item.binding if not others else next(
            (b for b in others.get(str(item.uid), ()) if b.channel == work.channel
             and b.external_id == item.record.id), item.binding
        )
        _contribute(work, item, mine)
        by_uid.setdefault(str(item.uid), []).append(item)
    for uid, group in by_uid.items():
        said = {item.record.id for item in group}
        rest = [b for b in others.get(uid, ()) if b.channel != work.channel or b.external_id not in said]
        values = _merged(work, entity, group, rest)
        before = locked.get(uid)
        alone = values is group[0].values
        text = group[0].text if alone else encode(values)
        mark = group[0].mark if alone else digest(text)
        moved = before is None or before.hash != mark
        if moved:
            _record(work, entity, uid, values, text, mark, before, group[0])
        for item in group:
            put_back = item.edit and _wrong(item, values)
            if moved or put_back or item.first:
                work.changes.append(Change(
                    entity=entity, uid=uid, source=work.channel, before=before.values if before else None,
                    after=values, bound=not item.first, put_back=put_back,
                ))
            work.account.count(entity, "created" if item.new else "updated")
            work.documents.add(item.record.doc)


def _wrong(item: Item, values: Mapping[str, Any]) -> bool:
    """Whether the channel's own edit must be put back: it says otherwise than the record, or shows too much stock."""
    if item.record.entity == "stock":
        told = told_figure(item.binding)
        return told is not None and shown(item.values) > told
    return any(values.get(name) != item.values.get(name) for name in item.moved)


def _contribute(work: Work, item: Item, binding: Binding | None) -> None:
    """What the channel says of the record from now on: covered fields replaced, the others as they were."""
    if binding is None:
        item.values = item.record.values
        item.moved = frozenset(item.values)
        item.edit = bool(item.moved) and not item.first
        item.changed = {"$since": work.moment, **dict.fromkeys(item.values, work.moment)}
        covers = work.since_now(item.values)
    else:
        old, since, pending = binding.values or {}, binding.changed, binding.pending
        item.values = {**old, **item.record.values}
        item.moved = frozenset(
            name for name, value in item.record.values.items() if name not in old or old[name] != value
        )
        item.edit = bool(item.moved) and not pending and not item.first
        item.changed = {
            "$since": since.get("$since", work.moment), **since,
            **{name: work.moment for name in item.moved if not pending or name not in since},
        }
        covers = encode(item.changed)
    item.text = encode(item.values)
    item.mark = digest(item.text)
    said: dict[str, Any] = {
        "uid": item.uid, "resource": work.resource, "values": item.text, "values_hash": item.mark,
        "covers": covers, "asked_at": work.asked_at, "verified_at": work.asked_at,
        "mapping_hash": work.mapping_hash, "state": "live", "pending": False,
        "document_hash": work.hash(item.record),
    }
    if binding is not None:
        work.stored.append(binding.row(**said, kept={**binding.kept, **item.record.keep}))
    else:
        work.fresh.append(BindingRow(
            channel=work.channel, entity=item.record.entity, external_id=item.record.id, kept=item.record.keep or None,
            **said,
        ))


def _merged(work: Work, entity: str, group: Sequence[Item], rest: Sequence[Binding]) -> dict[str, Any]:
    """The record's values. One contribution that decides every field is the record: most first contacts."""
    if not rest and len(group) == 1 and work.alone(entity):
        return group[0].values
    contributions = [
        _contribution(work.channel, item.values, item.changed, work.asked_at) for item in group
    ] + [
        _contribution(b.channel, b.values or {}, b.changed, b.asked_at or work.asked_at)
        for b in rest if b.values_text is not None
    ]
    return record_values(entity, contributions, work.house.authority(entity))


def _contribution(channel: str, values: Mapping[str, Any], changed: Mapping[str, int], at: datetime) -> Contribution:
    moments = {name: moment(stamp) for name, stamp in changed.items()}
    return Contribution(
        channel=channel, values=values, covers=values.keys(), asked_at=at, since=moments.pop("$since", at),
        changed=moments,
    )


def _record(
    work: Work, entity: str, uid: str, values: dict[str, Any], text: str, mark: bytes, before: Record | None,
    item: Item,
) -> None:
    """Adds the record, its links and its hop to what will be stored."""
    state = "archived" if values.get("status") == "archived" else "live"
    own = OWN_KEY.get(entity, ())
    links = [(uid, entity, name, values[name]) for name in work.house.references.get(entity, ())
             if name not in own and values.get(name) is not None]
    if before is None:
        key = item.key or own_key(entity, values, uid, free=False)
        work.new_records.append(RecordRow(uid=uid, entity=entity, key=key, values=text, hash=mark, state=state))
        work.first_links += links
    else:
        held = before.values
        key = None
        if any(values.get(name) != held.get(name) for name in own):
            key = own_key(entity, values, uid)
            taken = owners(work.tx, [(entity, "@".join(own), str(key))])
            key = own_key(entity, values, uid, free=uid in taken.values() or not taken)
        work.records.append(RecordRow(uid=uid, entity=entity, key=key, values=text, hash=mark, state=state))
        if any(values.get(name) != held.get(name) for name in work.house.references.get(entity, ())):
            work.relinked.add(uid)
            work.links += links
    work.hops.append(HopRow(
        uid=uid, entity=entity, channel=work.channel, direction="inward", run=work.account.run,
        external_id=item.record.id, before_hash=None if before is None else before.hash, after_hash=mark,
        mapping_hash=work.mapping_hash, release=work.house.release_number,
    ))


def _store(work: Work) -> None:
    """Writes everything the page became, in a constant number of statements."""
    tx = work.tx
    put_records(tx, work.new_records, new=True)
    put_records(tx, work.records)
    if work.relinked:
        put_links(tx, work.links, of=work.relinked)
    if work.first_links:
        add_links(tx, work.first_links)
    put_bindings(tx, work.fresh, new=True)
    put_bindings(tx, work.stored)
    stored = [*work.fresh, *work.stored]
    if stored:
        unpark(tx, [(b.channel, b.entity.split("/")[0], b.external_id, "inward") for b in stored])
    if work.documents:
        docs = [work.docs[index] for index in sorted(work.documents)]
        put_documents(tx, [
            (work.channel, work.resource, id, encode(doc).encode(), work.asked_at)
            for id, doc in zip(work.house.document_ids(work.channel, work.resource, docs), docs, strict=True)
        ])
    if work.hops:
        put_hops(tx, work.hops)
    if work.changes:
        follow(work.house, tx, work.changes, now=work.now, run=work.account.run)
    for entity, ids in work.matched.items():
        drop_candidates(tx, work.channel, entity, ids)
    for entity in {change.entity for change in work.changes if not change.bound}:
        wake(tx, channel=work.channel, reason=not_there(entity, work.channel))
    counted(work.house, tx, work.seen_stock, work.asked_at, work.account.run)
