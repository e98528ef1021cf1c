"""What is kept, brought in line with other mappings or another authority: contributions mapped anew, records merged.

What surprises here:

* Nothing is asked of any system: the last document of each binding is mapped by the mapping that made its contribution
  and by the new one, and only what the two say differently is changed. A field of which the channel said otherwise
  since (it answered a write, say) stays as it is, and is counted as *left*: the next full read brings it.
* No channel is told: whoever calls marks due what shall be told. When each field last moved stays as it was, since a
  mapping that changed is no edit.
* Everything can be done again: what is in line already stays untouched, so that a killed run is simply repeated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from flows.consequences import Change, dated, follow
from flows.people import CUSTOMER, contributions_of
from flows.reserving import PART_FIELDS, part_links
from flows.routes import Route
from flows.wiring import House
from mappings.commerce.merge import record_values
from mappings.language import InwardRecord, Mapping as MappingFile
from registry import (
    Binding,
    BindingRow,
    HopRow,
    RecordRow,
    Registry,
    Tx,
    bindings,
    bindings_of,
    decode,
    digest,
    document_pages,
    encode,
    lock_records,
    mark_due,
    members,
    put_bindings,
    put_hops,
    put_links,
    put_records,
    records_where,
    uids_for,
)

PAGE = 1_000
ABSENT: Any = object()
MERGED = "merge"
"""The direction of hops that no document brought."""


@dataclass(kw_only=True)
class Realigned:
    """What was brought in line. ``moved`` is uid → its entity and the fields that changed, ``left`` why something
    was not.

    ``faults`` are items that the new mapping cannot map; their contributions stay.
    """

    contributions: int = 0
    records: int = 0
    moved: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Silent(House):
    """A house whose records change without any channel hearing of it."""

    @cached_property
    def routes(self) -> dict[str, list[Route]]:
        """None."""
        return {}


def realign(house: House, before: House | None, *, run: str, documents: Registry | None = None) -> Realigned:
    """Brings everything kept in line with ``house``, page by page; ``before`` is what was in force until now.

    ``documents`` is where documents are kept, when that is not the house's own registry. Without ``before`` only
    contributions that nothing was written to since are mapped anew.
    """
    done = Realigned()
    for channel, row in house.project.channels.items():
        carried = set(row.entities)
        for resource, mapping in house.of(channel).inward.items():
            old = _old(before, channel, resource)
            if carried.isdisjoint(mapping.inward) or (old is not None and old.hash == mapping.hash):
                continue
            _remap(house, channel, resource, mapping, old, done, run, documents or house.registry)
    for entity in _authority_differs(house, before):
        _remerge(house, entity, done, run)
    return done


def _old(before: House | None, channel: str, resource: str) -> MappingFile | None:
    if before is None or channel not in before.project.channels:
        return None
    return before.of(channel).inward.get(resource)


def _authority_differs(house: House, before: House | None) -> list[str]:
    return [entity for entity in house.references
            if before is None or before.authority(entity) != house.authority(entity)]


def _remap(
    house: House, channel: str, resource: str, mapping: MappingFile, old: MappingFile | None, done: Realigned,
    run: str, documents: Registry,
) -> None:
    after = ""
    while True:
        with documents.read() as tx:
            page = document_pages(tx, channel, resource, after, PAGE)
        if not page:
            return
        after = page[-1][0]
        docs = [decode(body) for _, body in page]
        part = house.registry.attempt(partial(_remap_page, house, channel, resource, mapping, old, docs, run))
        _add(done, part)


def _add(done: Realigned, part: Realigned) -> None:
    done.contributions += part.contributions
    done.records += part.records
    for uid, (entity, names) in part.moved.items():
        done.moved[uid] = (entity, names | done.moved.get(uid, (entity, frozenset[str]()))[1])
    done.left.update(part.left)
    done.faults += part.faults


def _remap_page(
    house: House, channel: str, resource: str, mapping: MappingFile, old: MappingFile | None,
    docs: Sequence[Any], run: str, tx: Tx,
) -> Realigned:
    done = Realigned()
    now = house.registry.now()
    wanted = mapping.inward_references(docs) | (old.inward_references(docs) if old is not None else set())
    refs = uids_for(tx, channel, list(wanted))
    context = house.context(channel, now, run)
    new = mapping.map_inward(docs, refs, context)
    done.faults += [f"{channel}: {fault}" for fault in new.faults]
    said = _by_key(new.records, refs)
    was = {} if old is None else _by_key(old.map_inward(docs, refs, context).records, refs)
    held = bindings(tx, channel, list(said.keys() | was.keys()))
    rows: list[BindingRow] = []
    moved: dict[str, list[str]] = {}
    for key, record in said.items():
        binding = held.get(key)
        if binding is None or binding.uid is None or binding.state != "live":
            done.left[f"{channel} {key[0]}: new to the mapping, comes with the next full read"] += 1
        elif binding.mapping_hash != mapping.hash:
            known = was[key].values if key in was and old is not None and binding.mapping_hash == old.hash else None
            row = _again(binding, record, known, mapping.hash, done)
            if row is not None:
                rows.append(row)
                if row.values_hash != binding.values_hash:
                    moved.setdefault(key[0], []).append(binding.uid)
    for key in was.keys() - said.keys():
        done.left[f"{channel} {key[0]}: no longer in the mapping, what it said stays until it is read again"] += 1
    if rows:
        put_bindings(tx, rows)
    done.contributions = sum(len(uids) for uids in moved.values())
    for entity, uids in moved.items():
        merge_again(house, tx, entity, uids, done, run)
    return done


def _by_key(found: Sequence[InwardRecord], refs: Mapping[tuple[str, str], str]) -> dict[tuple[str, str], InwardRecord]:
    """(entity, id) → item, references to items of its own document resolved."""
    for record in found:
        for local in record.local:
            place: Any = record.values
            for step in local.path[:-1]:
                place = place[step]
            place[local.path[-1]] = refs.get((local.entity, local.id))
    return {(record.entity, record.id): record for record in found}


def _again(
    binding: Binding, record: InwardRecord, was: Mapping[str, Any] | None, mapping_hash: str, done: Realigned
) -> BindingRow | None:
    """The binding with what the new mapping says; None where the kept document is not what the channel said last."""
    stored, since = binding.values or {}, binding.changed
    if was is None:
        if binding.told_hash is not None:
            done.left[f"{binding.channel} {binding.entity}: written since its document was kept, comes with the next "
                      "full read"] += 1
            return None
        was = {name: stored[name] for name in record.values if name in stored}
    values = dict(stored)
    for name in was.keys() | record.values.keys():
        said, saying = was.get(name, ABSENT), record.values.get(name, ABSENT)
        if said == saying:
            continue
        if stored.get(name, ABSENT) != said and stored.get(name, ABSENT) != saying:
            done.left[f"{binding.channel} {binding.entity}.{name}: moved since its document was kept, comes with the "
                      "next full read"] += 1
        elif saying is ABSENT:
            values.pop(name, None)
            since.pop(name, None)
        else:
            values[name] = saying
    text = encode(values)
    return binding.row(
        values=text, values_hash=digest(text), covers=encode(since), kept={**binding.kept, **record.keep},
        mapping_hash=mapping_hash,
    )


def _remerge(house: House, entity: str, done: Realigned, run: str) -> None:
    """Every record of an entity, merged under the authority of the house."""
    after = ""
    while True:
        with house.registry.read() as tx:
            uids = [record.uid for record in records_where(tx, entity, after, PAGE)]
        if not uids:
            return
        after = uids[-1]

        def work(tx: Tx, uids: Sequence[str] = uids) -> Realigned:
            part = Realigned()
            merge_again(house, tx, entity, uids, part, run)
            return part

        _add(done, house.registry.attempt(work))


def merge_again(house: House, tx: Tx, entity: str, uids: Sequence[str], done: Realigned, run: str) -> None:
    """Merges these records from what is kept of them; afterwards those that changed are stored, with links and hops.

    A record that was archived because its channel no longer has it stays as it is, and so does one of which no channel
    says anything.
    """
    locked = lock_records(tx, sorted(set(uids)))
    same = members(tx, list(locked)) if entity == CUSTOMER else {uid: [uid] for uid in locked}
    found = bindings_of(tx, {uid for uids in same.values() for uid in uids}, entity)
    said = {locked[uid].uid: [binding for one in same[uid] for binding in found[one]] for uid in locked}
    locked = {record.uid: record for record in locked.values()}
    names = house.references.get(entity, {})
    rows: list[RecordRow] = []
    hops: list[HopRow] = []
    links: list[tuple[str, str, str, str]] = []
    relinked: list[str] = []
    changes: list[Change] = []
    for uid, record in locked.items():
        contributions = contributions_of(said.get(uid, ()))
        values = record_values(
            entity, contributions, house.authority(entity), record.values, house.project.customers.survivorship
        )
        text = encode(values)
        mark = digest(text)
        if not contributions or mark == record.hash:
            continue
        archived = values.get("status") == "archived"
        held = record.values
        if record.state == "archived" and not archived:
            continue
        rows.append(RecordRow(uid=uid, entity=entity, values=text, hash=mark, state="archived" if archived else "live"))
        hops.append(HopRow(
            uid=uid, entity=entity, channel=contributions[0].channel, direction=MERGED, run=run,
            before_hash=record.hash, after_hash=mark, release=house.release_number,
        ))
        if any(values.get(name) != held.get(name) for name in (*names, *PART_FIELDS)):
            relinked.append(uid)
            links += [(uid, entity, name, values[name]) for name in names if values.get(name) is not None]
            links += part_links(entity, uid, values)
        changes.append(Change(entity=entity, uid=uid, source="", before=held, after=values))
        done.moved[uid] = (entity, frozenset(
            name for name in held.keys() | values.keys() if held.get(name, ABSENT) != values.get(name, ABSENT)
        ))
    if rows:
        put_records(tx, rows)
        put_hops(tx, hops)
        if relinked:
            put_links(tx, links, of=relinked)
        now = house.registry.now()
        quiet = Silent(project=house.project, registry=house.registry, mappings=house.mappings)
        follow(quiet, tx, changes, now=now, cause=house.release_cause)
        mark_due(tx, dated(house, [change for change in changes if change.entity == "price"], now, house.release_cause))
    done.records += len(rows)
