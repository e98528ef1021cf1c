"""What a channel says of its records from now on, and the records that follow from what all channels say.

What surprises here:

* A record that one channel alone decides is that channel's contribution itself, text and digest included; most first
  contacts are of that kind.
* What a channel is seen to hold while a write of ours is under way, or before its outcome was read back, may be what it
  made of that write. It is taken as what the channel holds, never as something that moved there (P3): of what the
  channel said before the moment stays as it was, what it never said moved at no moment at all, so that whoever really
  said it is newer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flows import order_moves
from flows.consequences import Change
from flows.drift import told_figure
from flows.figures import shown
from flows.people import CUSTOMER
from flows.reserving import PART_FIELDS, part_links
from flows.work import Item, Work
from mappings.commerce.merge import Contribution, record_values
from registry import (
    OWN_KEY,
    QUALIFIED,
    Binding,
    BindingRow,
    HopRow,
    Record,
    RecordRow,
    bindings_of,
    digest,
    encode,
    lock_records,
    members,
    moment,
    own_key,
    owners,
    under_way,
)

NEVER = 0
"""When a field moved on a channel that holds only what it made of our words, in microseconds."""


def contribute(work: Work, entity: str, items: list[Item]) -> None:
    """Stores each item's contribution and the records that follow from all channels' contributions."""
    if not items:
        return
    held = sorted({item.uid for item in items if item.uid is not None and not item.new})
    locked = lock_records(work.tx, held) if held else {}
    others = _others(work, entity, held)
    told = under_way(work.tx, work.channel, entity, {*held, *(row.uid for row in locked.values())}) if held else set()
    by_uid: dict[str, list[Item]] = {}
    for item in items:
        mine = item.binding if not others else next(
            (b for b in others.get(str(item.uid), ()) if b.channel == work.channel
             and b.external_id == item.record.id), item.binding
        )
        asked = str(item.uid)
        uid = locked[asked].uid if asked in locked else asked
        _said(work, item, mine, asked in told or uid in told)
        by_uid.setdefault(uid, []).append(item)
        if entity == CUSTOMER:
            work.people[asked] = item.values
    linking = [name for name in work.house.references.get(entity, ()) if name not in OWN_KEY.get(entity, ())]
    made = moved_on = 0
    for uid, group in by_uid.items():
        rest: list[Binding] = []
        if others:
            said = {item.record.id for item in group}
            rest = [b for b in others.get(str(group[0].uid), ())
                    if b.channel != work.channel or b.external_id not in said]
        before = locked.get(str(group[0].uid))
        values = _merged(work, entity, group, rest, before)
        alone = values is group[0].values
        text = group[0].text if alone else encode(values)
        mark = group[0].mark if alone else digest(text)
        held_values = None if before is None else before.values
        moved = before is None or before.hash != mark or _again(work, before)
        if moved:
            _record(work, entity, uid, values, text, mark, before, group[0], linking)
        for item in group:
            put_back = item.edit and _wrong(work, item, values)
            if moved or put_back or item.first:
                work.changes.append(Change(
                    entity=entity, uid=uid, source=work.channel, before=held_values,
                    after=values, bound=not item.first, put_back=put_back, identity=item.uid,
                ))
            if entity == "order":
                work.shown[uid] = item
                work.numbers += order_moves.numbers_of(work.channel, uid, item.values, item.record.id)
            if entity == "order" and order_moves.judge(work, item, uid, values, held_values, rest):
                work.account.count(entity, "parked", reason="taken and reserved; a person must look at it")
            elif item.new:
                made += 1
            else:
                moved_on += 1
            work.documents.add(item.record.doc)
    work.account.count(entity, "created", made)
    work.account.count(entity, "updated", moved_on)


def _again(work: Work, before: Record) -> bool:
    """Whether what was a price no more is one again: who has a say lists it."""
    return before.entity == "price" and before.state != "live" and work.house.may_create(work.channel, "price")


def _others(work: Work, entity: str, held: Sequence[str]) -> Mapping[str, Sequence[Binding]]:
    """uid → what is known of its record on all channels; of a customer, what all identities of the person say."""
    if not held or entity != CUSTOMER:
        return bindings_of(work.tx, held, entity) if held else {}
    same = members(work.tx, held)
    found = bindings_of(work.tx, {uid for uids in same.values() for uid in uids}, entity)
    return {uid: [binding for one in uids for binding in found[one]] for uid, uids in same.items()}


def _wrong(work: Work, item: Item, values: Mapping[str, Any]) -> bool:
    """Whether the channel's own edit must be put back: it says otherwise than the record, or shows too much stock."""
    if item.record.entity == "stock":
        told = told_figure(item.binding)
        return told is not None and shown(item.values) > told
    if item.record.entity == "price" and work.house.project.prices[work.channel].written:
        return bool(item.moved & {"amount", "tax_mode", "reference_price"})    # it was told other than the record says
    return any(values.get(name) != item.values.get(name) for name in item.moved)


def _said(work: Work, item: Item, binding: Binding | None, told: bool) -> None:
    """What the channel says of the record from now on: covered fields replaced, the others as they were.

    ``told``: a write of the record to this channel is under way.
    """
    item.was = binding
    if binding is None:
        item.values = item.record.values
        if not item.first:
            item.moved = frozenset(item.values)
            item.edit = bool(item.moved)
        if told:
            item.changed = {"$since": work.moment, **dict.fromkeys(item.values, NEVER)}
        item.text = encode(item.values)
        item.mark = digest(item.text)
        work.fresh.append(BindingRow(
            channel=work.channel, entity=item.record.entity, external_id=item.record.id, uid=item.uid,
            resource=work.resource, values=item.text, values_hash=item.mark,
            covers=encode(item.changed) if told else work.since_now,
            kept=item.record.keep or None, asked_at=work.asked_at, verified_at=work.asked_at,
            mapping_hash=work.mapping_hash, document_hash=work.hash(item.record),
        ))
    else:
        old, since, pending = binding.values or {}, binding.changed, binding.pending or told
        item.values = {**old, **item.record.values}
        item.moved = frozenset(
            name for name, value in item.record.values.items() if name not in old or old[name] != value
        )
        item.edit = bool(item.moved) and not pending and not item.first
        item.changed = {
            "$since": since.get("$since", work.moment), **since,
            **{name: since.get(name, NEVER) if pending else work.moment for name in item.moved},
        }
        item.text = encode(item.values)
        item.mark = digest(item.text)
        work.stored.append(binding.row(
            uid=item.uid, resource=work.resource, values=item.text, values_hash=item.mark, covers=encode(item.changed),
            asked_at=work.asked_at, verified_at=work.asked_at, mapping_hash=work.mapping_hash, state="live",
            pending=False, document_hash=work.hash(item.record), kept={**binding.kept, **item.record.keep},
        ))


def _merged(
    work: Work, entity: str, group: Sequence[Item], rest: Sequence[Binding], before: Record | None
) -> dict[str, Any]:
    """The record's values. One contribution that decides every field is the record: most first contacts."""
    if entity != "order" and not rest and len(group) == 1 and work.alone(entity):
        return group[0].values
    contributions = [
        _contribution(work.channel, item.values, item.changed, work.asked_at) for item in group
    ] + [
        _contribution(b.channel, b.values or {}, b.changed, b.asked_at or work.asked_at)
        for b in rest if b.values_text is not None
    ]
    known = None if before is None else before.values
    values = record_values(
        entity, contributions, work.house.authority(entity), known, work.house.project.customers.survivorship
    )
    if entity != "order":
        return values
    if known is None:
        values = order_moves.estimated(work.house, work.channel, values)
    return group[0].values if values == group[0].values else values


def _contribution(channel: str, values: Mapping[str, Any], changed: Mapping[str, int], at: datetime) -> Contribution:
    moments = {name: moment(stamp) for name, stamp in changed.items()}
    return Contribution(
        channel=channel, values=values, covers=values.keys(), asked_at=at, since=moments.pop("$since", at),
        changed=moments,
    )


def _record(
    work: Work, entity: str, uid: str, values: dict[str, Any], text: str, mark: bytes, before: Record | None,
    item: Item, linking: Sequence[str],
) -> None:
    """Adds the record, its links (the fields ``linking``, and a bundle's parts) and its hop to what will be stored."""
    over = entity == "price" and before is not None and before.state != "live" and not _again(work, before)
    state = "archived" if over or values.get("status") == "archived" else "live"
    links = [(uid, entity, name, values[name]) for name in linking if values.get(name) is not None]
    links += part_links(entity, uid, values)
    if before is None:
        key = item.key or own_key(entity, values, uid, free=False)
        work.new_records.append(RecordRow(uid=uid, entity=entity, key=key, values=text, hash=mark, state=state))
        work.first_links += links
    else:
        held, own = before.values, OWN_KEY.get(entity, ())
        key = None
        if any(values.get(name) != held.get(name) for name in (*own, *QUALIFIED.get(entity, ()))):
            key = own_key(entity, values, uid)
            taken = owners(work.tx, [(entity, "@".join(own), str(key))])
            key = own_key(entity, values, uid, free=uid in taken.values() or not taken)
        work.records.append(RecordRow(uid=uid, entity=entity, key=key, values=text, hash=mark, state=state))
        names = (*work.house.references.get(entity, ()), *PART_FIELDS)
        if any(values.get(name) != held.get(name) for name in names):
            work.relinked.add(uid)
            work.links += links
    work.hops.append(HopRow(
        uid=uid, entity=entity, channel=work.channel, direction="inward", run=work.account.run,
        external_id=item.record.id, before_hash=None if before is None else before.hash, after_hash=mark,
        mapping_hash=work.mapping_hash, release=work.house.release_number,
    ))
