"""What a page of documents becomes: items mapped, identified, merged and stored, and what follows marked due.

What surprises here:

* One transaction covers whole pages and their cursor; the items of a page add up before it commits (P1).
* A difference counts as an edit only against what *that same channel* last said or was seen to hold; the first read
  after a write of ours completes the projection and is no edit (P3, P4).
* A document asked for before the state we know is stale: it is skipped and read once more (P5).
* Nothing here asks a system or a clock: documents, modes and moments come in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.base import Doc
from flows import escrows, order_check, order_moves, repricing, settlements
from flows.consequences import figures_read, follow, word_of
from flows.contribute import contribute
from flows.drift import told_figure
from flows.faults import settle_faults
from flows.figures import shown
from flows.identify import identify
from flows.identities import forgotten, settle
from flows.ledger import Account
from flows.matching import report_matches
from flows.pledges import AT, by_place, hard
from flows.recognise import Look, look, only_salted_otherwise
from flows.renaming import renew_keys
from flows.reserving import recipes
from flows.wiring import House, entity_order, not_there
from flows.work import Item, Work
from mappings.language import Fault, InwardRecord, Mapping as MappingFile
from registry import (
    BindingRow,
    DueRow,
    Tx,
    add_links,
    bindings,
    digest,
    drop_candidates,
    encode,
    encoded,
    lock_entities,
    mark_due,
    modes,
    note_documents,
    put_bindings,
    put_documents,
    put_hops,
    put_links,
    put_records,
    put_sightings,
    seen_later,
    standings,
    uids_for,
    unpark,
    unpark_at,
    wake,
)

STALE = "stale: asked for before what we know"

SHOWN = "stock/variant"
"""How what a channel shows of a variant in all is filed, beside what it was told."""


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
    context = house.context(channel, now, account.run)
    result = mapping.map_inward(docs, refs, context)
    partial: Mapping[str, Sequence[Fault]] = {}
    if result.faults and "order" in mapping.inward:
        result, partial = order_moves.nameable(mapping, docs, refs, context, result, mode.get("order", "off"))
    result, hushed, erased = forgotten(house, tx, channel, account, result)
    work = Work(
        house=house, tx=tx, account=account, channel=channel, resource=resource, docs=docs, asked_at=asked_at,
        now=now, mapping_hash=mapping.hash, standing=first.found, asked=first.asked,
        hashes=_known_by(first, mapping, wanted - refs.keys()), partial=partial,
        hushed=hushed,
    )
    _settled(work, first)
    read = len(first.settled) + erased + settle_faults(house, tx, account, channel, resource, docs, result, mode)
    by_entity: dict[str, dict[str, InwardRecord]] = {}
    seen: dict[str, list[str]] = {first.entity: list(first.settled)} if first.settled else {}
    for record in result.records:
        same = by_entity.setdefault(record.entity, {})
        if record.id in same:
            account.count(record.entity, "skipped", reason="said again later in the page")
        same[record.id] = record
    read += len(result.records)
    for entity in entity_order(list(by_entity)):
        items = by_entity[entity]
        seen.setdefault(entity, []).extend(items)
        match mode.get(entity, "off"):
            case "off":
                account.count(entity, "skipped", len(items), reason="switched off")
            case "shadow":
                report_matches(house, tx, channel, entity, list(items.values()))
                account.count(entity, "skipped", len(items), reason="shadow: matched, not taken")
            case _:
                _accept_entity(work, entity, items)
    _store(work)
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
        unpark_at(work.tx, work.channel, first.entity, "inward", first.settled, beside=False)
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
    moved = [item for item in edited + fresh if item.record.id in found] if found else []
    held = bindings(work.tx, work.channel, [(entity, item.record.id) for item in moved])
    for item in moved:
        item.binding = held[entity, item.record.id]
    if noted:
        note_documents(work.tx, work.channel, entity, noted)
    if unchanged:
        unpark_at(work.tx, work.channel, entity, "inward", unchanged, beside=False)
        work.account.count(entity, "unchanged", len(unchanged))
    renew_keys(work, entity, edited)
    taken = edited + identify(work, entity, fresh)
    if taken and entity in order_moves.MOVED:
        taken = order_moves.admissible(work, entity, taken)
    contribute(work, entity, taken)
    if entity == settlements.SETTLEMENT and taken:
        settlements.take(work, taken)
    if entity == "price" and "price" in work.house.channel(work.channel).receives:
        repricing.read(work.house, work.tx, work.channel, [item.values for item in taken], work.asked_at,
                     work.account.run)
    if entity == "order" and work.channel in work.house.project.counting.sources:
        work.said.update({str(item.uid): item.values for item in taken})
    if entity == "stock" and by_place(work.house, work.channel) and hard(work.house, work.channel) is not None:
        _look_at_places(work, records, {
            **{id: str(found[id].uid) for id in unchanged}, **{item.record.id: str(item.uid) for item in taken},
        })
    if entity == "stock" and work.house.may_create(work.channel, "stock"):
        work.seen_stock.update(str(found[id].uid) for id in unchanged)
        work.seen_stock.update(str(item.uid) for item in taken)


def _take_shown(work: Work, records: Mapping[str, InwardRecord]) -> Mapping[str, InwardRecord]:
    """Figures without a location are what a channel shows of a variant, no stock of any place, and those of a bundle
    are no stock at all; returns the others.

    They are filed with what the channel was told of the variant and never enter a record. A figure above what was told
    is put back; a first figure is compared with what the channel may show.
    """
    sets = _bundles_at_places(work, records)
    figures = {id: record for id, record in records.items() if id in sets or (
        record.values.get("location") is None and record.values.get("variant") is not None
    )}
    if not figures:
        return records
    kind = {id: "stock" if id in sets else SHOWN for id in figures}
    found = bindings(work.tx, work.channel, [(kind[id], id) for id in figures])
    later = seen_later(work.tx, work.channel, "stock", work.asked_at) if found else frozenset()
    due: list[DueRow] = []
    marks = escrows.versions(work.house, work.channel, work.resource, work.docs)
    seen: dict[str, tuple[Decimal, str | None]] = {}
    for id, record in figures.items():
        old = found.get((kind[id], id))
        variant = sets.get(id, record.values["variant"])
        text = encode(record.values)
        overtaken = old is not None and old.asked_at is not None and old.asked_at > work.asked_at
        if not overtaken:
            seen[variant] = shown(record.values), marks[record.doc]
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
                                "mapping_hash": work.mapping_hash, "pending": False}
        work.stored.append(old.row(**said) if old is not None else BindingRow(
            channel=work.channel, entity=kind[id], external_id=id, **said
        ))
        work.account.count("stock", "created" if old is None else "updated")
        told = told_figure(old)
        if told is None or shown(record.values) > told:
            due.append((work.channel, "stock", variant, None, told is not None, work.channel))
    if hard(work.house, work.channel) is not None:
        moved = escrows.looked(work.house, work.tx, work.channel, seen, work.asked_at)
        due = [(work.channel, "stock", variant, None, False, work.channel) for variant in moved]
    if due and "stock" in work.house.channel(work.channel).receives:
        mark_due(work.tx, due)
    return {id: record for id, record in records.items() if id not in figures}


def _bundles_at_places(work: Work, records: Mapping[str, InwardRecord]) -> dict[str, str]:
    """id → uid of the listing, of figures that a channel with a figure per place shows of a bundle."""
    if not by_place(work.house, work.channel) or work.house.may_create(work.channel, "stock"):
        return {}
    placed = {id: record.values for id, record in records.items()
              if record.values.get("location") is not None and record.values.get("variant") is not None}
    known = standings(work.tx, work.channel, "stock", placed)
    new = {str(values["variant"]) for id, values in placed.items() if id not in known or known[id].uid is None}
    bundles = recipes(work.tx, new).keys() & new if new else set()
    found = {id: str(row.uid) for id, row in known.items() if row.uid is not None and AT in row.uid}
    return found | {
        id: f"{values['variant']}{AT}{values['location']}" for id, values in placed.items()
        if id not in found and values["variant"] in bundles
    }


def _look_at_places(work: Work, records: Mapping[str, InwardRecord], uids: Mapping[str, str]) -> None:
    """What a channel under hard allocation was seen to show at each place is reckoned with; id → uid of the listing."""
    marks = escrows.versions(work.house, work.channel, work.resource, work.docs)
    moved = escrows.looked(work.house, work.tx, work.channel, {
        uid: (shown(records[id].values), marks[records[id].doc]) for id, uid in uids.items()
    }, work.asked_at)
    if moved and "stock" in work.house.channel(work.channel).receives:
        mark_due(work.tx, [(work.channel, "stock", uid, None, False, work.channel) for uid in moved])


def _resolve_local(work: Work, record: InwardRecord) -> None:
    """References to items of the same document become uids, now that those items have theirs."""
    for local in record.local:
        place: Any = record.values
        for step in local.path[:-1]:
            place = place[step]
        place[local.path[-1]] = work.known.get((local.entity, local.id))


def _document_id(work: Work, record: InwardRecord) -> str:
    return work.house.document_id(work.channel, work.resource, work.docs[record.doc])


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
    taken: dict[str, list[str]] = {}
    for row in (*work.fresh, *work.stored):
        taken.setdefault(row.entity.partition("/")[0], []).append(row.external_id)
    orders = {(work.channel, id) for id in taken.pop("order", ())} | work.cleared
    unpark(tx, [(channel, "order", id, "inward") for channel, id in sorted(orders - work.judged.keys())])
    for entity, ids in sorted(taken.items()):
        unpark_at(tx, work.channel, entity, "inward", ids)
    order_moves.store(work)
    settlements.store(work)
    order_check.heard(work)
    if work.documents:
        docs = [work.docs[index] for index in sorted(work.documents - work.hushed)]
        put_documents(tx, [
            (work.channel, work.resource, id, encoded(doc), work.asked_at)
            for id, doc in zip(work.house.document_ids(work.channel, work.resource, docs), docs, strict=True)
        ])
    if work.hops:
        put_hops(tx, work.hops)
    settle(work)
    if work.changes:
        follow(work.house, tx, work.changes, now=work.now, cause=work.channel)
    for entity, ids in work.matched.items():
        drop_candidates(tx, work.channel, entity, ids)
    for entity in {change.entity for change in work.changes if not change.bound}:
        wake(tx, channel=work.channel, reason=not_there(entity, work.channel))
    word_of(work.house, tx, work.channel, work.said, work.now, work.channel)
    figures_read(work.house, tx, work.channel, work.seen_stock, work.asked_at, work.now, work.channel)
