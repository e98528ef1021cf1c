"""What became of each write, kept: the projection of what the channel holds now, the hop, the state in the outbox.

What surprises here: what the channel answers to a write completes the projection; it is never an edit (P4). Of a field
that no write touches the answer is not taken: it cannot come of our words, so the next read finds it and it is news.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from connectors.base import Receipt, Write
from flows import consenting, escrows, order_check, repricing
from flows.consequences import word_of
from flows.figures import RAISE_WAITS, Units, of_text
from flows.ledger import Account
from flows.people import CUSTOMER
from flows.pledges import PUBLISH
from flows.pricing import carries, told_apart
from flows.render import View
from flows.routes import Group
from flows.wiring import House, not_there
from registry import (
    Binding,
    BindingRow,
    HopRow,
    NumberRow,
    OutboxChange,
    OutboxRow,
    ParkedRow,
    Tx,
    binding_for,
    close_outbox,
    encode,
    erased_ids,
    lock_entities,
    micros,
    park,
    post_reservations,
    put_bindings,
    put_hops,
    put_numbers,
    records,
    set_outbox,
    standings,
    uids_for,
    unpark,
    wake,
)

MOVED_FIRST = "the channel's figure moved first: it is looked at and written again"


class Sending(Struct, frozen=True, kw_only=True):
    """One decided write: its outbox row, the call, its document's text and digest, the view it was rendered from."""

    row: OutboxRow
    write: Write
    text: str
    mark: bytes
    view: View | None
    publish: Units | None
    price: Mapping[str, Any] | None = None

    @property
    def kept_price(self) -> Mapping[str, Any] | None:
        """What is kept of the price that was told, also by who settles the write later; None: it carried none."""
        found: Mapping[str, Any] | None = self.price if self.view is None else self.view.policy.get("price")
        return found

    @property
    def policy(self) -> Mapping[str, Any] | None:
        """The rules' inputs and steps, for lineage."""
        if self.view is not None:
            return self.view.policy
        return None if self.price is None else {"price": self.price}


def record_receipts(
    house: House, tx: Tx, page: Account, channel: str, group: Group, receipts: Sequence[tuple[Sending, Receipt]]
) -> bool:
    """Keeps what became of each write: projection, hop and outbox row; afterwards what waited for it is due again.

    Whether a figure was lowered by it.
    """
    if not receipts:
        return False
    now = house.registry.now()
    uids = [one.row.uid for one, _ in receipts]
    lock_entities(tx, channel, {group.entity, group.name})
    bound = binding_for(tx, channel, group.name, uids)
    applied = [(one, receipt) for one, receipt in receipts if receipt.outcome == "applied"]
    answered = _answers(house, channel, group, applied, now)
    rows: list[BindingRow] = []
    fresh: list[BindingRow] = []
    hops: list[HopRow] = []
    lowered = created = False
    untold = encode({"$since": micros(now)})
    for one, receipt in applied:
        old = bound.get(one.row.uid)
        was = {} if old is None else old.kept
        told = _projection(channel, group, one, receipt, old, was, answered.get(one.write.key), now, untold)
        (rows if old is not None and old.external_id == told.external_id else fresh).append(told)
        if old is not None and old.external_id != told.external_id and told_apart(group):
            rows.append(old.row(state="gone", told=None, told_hash=None))     # the price has another place there now
        if one.publish is not None and not lowered:
            lowered = PUBLISH not in was or of_text(was[PUBLISH]) > one.publish
        created = created or old is None
        hops.append(HopRow(
            uid=one.row.uid, entity=group.entity, channel=channel, direction="outward", run=page.run,
            external_id=receipt.id or one.write.id, after_hash=one.mark,
            mapping_hash=group.mapping.hash, policy=one.policy,
            key=one.write.key, detail=one.write.op, release=house.release_number,
        ))
    if hops:
        _put(tx, channel, group, rows, fresh)
        put_hops(tx, hops)
        if group.entity == "order":
            put_numbers(tx, [NumberRow(order=row.uid, channel=channel, whose="id", number=row.external_id)
                             for row in (*rows, *fresh) if row.uid is not None])
        unpark(tx, [(channel, group.entity, one.row.uid, "outward") for one, _ in applied])
        page.count(group.entity, "written", len(hops))
    told_prices = [] if not carries(group) else [
        repricing.Told(
            price=one.kept_price, key=one.write.key, due_at=one.row.due_at,
            answer=answered[one.write.key].values if group.entity == "price" and one.write.key in answered else None,
        )
        for one, _ in applied if one.kept_price is not None
    ]
    if told_prices:
        repricing.confirmed(house, tx, channel, told_prices, now)
    escrows.answered(house, tx, channel, group, receipts, now)
    _outbox_states(house, tx, page, channel, group, receipts, now)
    if group.entity == "order":
        for sentence in order_check.answered(tx, channel, [
            order_check.Heard(
                uid=one.row.uid, id=receipt.id or one.write.id or "", resource=group.mapping.resource,
                order=one.view.values, there=answered[one.write.key].values,
                before=None if one.row.uid not in bound else bound[one.row.uid].values,
                seen_before=None if one.row.uid not in bound else bound[one.row.uid].verified_at,
            )
            for one, receipt in applied if one.view is not None and one.write.key in answered
        ]):
            page.fault(sentence)
    if group.entity == "order" and applied and channel in house.project.counting.sources:
        word_of(house, tx, channel, {
            one.row.uid: answered[one.write.key].values for one, _ in applied if one.write.key in answered
        }, now, channel)
        taken = records(tx, [one.row.uid for one, _ in applied])
        handed = [one.row.uid for one, _ in applied
                  if one.row.uid in taken and taken[one.row.uid].values.get("handed_over") is True]
        if handed:
            post_reservations(tx, handed, now)
    if group.name == CUSTOMER and applied:
        consenting.confirmed_by(tx, channel, {one.row.uid: one.view for one, _ in applied})
    if created:
        wake(tx, channel=channel, reason=not_there(group.entity, channel))
    if lowered:
        wake(tx, entity="stock", reason=RAISE_WAITS)
    return lowered


def _put(tx: Tx, channel: str, group: Group, rows: list[BindingRow], fresh: list[BindingRow]) -> None:
    """Stores projections; what looks new may stand under that id already, for another record or unmatched."""
    there = standings(tx, channel, group.name, [row.external_id for row in fresh]) if fresh else {}
    put_bindings(tx, [*rows, *(row for row in fresh if row.external_id in there)])
    put_bindings(tx, [row for row in fresh if row.external_id not in there], new=True)


def _outbox_states(
    house: House, tx: Tx, page: Account, channel: str, group: Group,
    receipts: Sequence[tuple[Sending, Receipt]], now: datetime,
) -> None:
    """Closes what was applied; parks rejections; leaves accepted and unknown ones for `settle`."""
    finished, settings, parked = [], [], []
    descriptor = house.descriptor(channel, group.mapping.resource)
    for one, receipt in receipts:
        if receipt.outcome == "applied":
            if one.view is not None and one.view.waits:
                settings.append(OutboxChange(id=one.row.id, state="waiting", reason=one.view.waits))
            else:
                finished.append(one.row.id)
        elif receipt.outcome == "rejected" and one.write.op == "create" and receipt.detail.startswith("not found"):
            settings.append(OutboxChange(id=one.row.id, state="due", reason=receipt.detail, due_at=now))
            page.count(group.entity, "failed", reason="it never arrived; it is sent again under the same key")
        elif receipt.outcome == "rejected" and receipt.stale and escrows.governs(house, channel, group) is not None:
            settings.append(OutboxChange(id=one.row.id, state="due", reason=MOVED_FIRST, due_at=now))
            page.count(group.entity, "failed", reason=MOVED_FIRST)
        elif receipt.outcome == "rejected":
            settings.append(OutboxChange(id=one.row.id, state="parked", reason=receipt.detail))
            page.count(group.entity, "parked", reason="rejected by the platform")
            page.fault(f"{channel} {group.entity} {one.write.id or one.row.uid}: rejected: {receipt.detail}")
            parked.append(_rejected(channel, group, one, receipt))
        else:
            update = receipt.outcome == "unknown" and one.write.op == "update"
            later = max(descriptor.visible_after, min(300.0, 2.0 ** min(one.write.attempt, 8) / 2))
            settings.append(OutboxChange(
                id=one.row.id, state="due" if update else receipt.outcome, ticket=receipt.ticket,
                due_at=now + timedelta(seconds=later), reason=receipt.detail, forced=update,
            ))
            page.count(group.entity, "failed", reason=f"{receipt.outcome}: settled later")
    if finished:
        close_outbox(tx, finished)
    if settings:
        set_outbox(tx, settings)
    if parked:
        park(tx, parked)


def _rejected(channel: str, group: Group, one: Sending, receipt: Receipt) -> ParkedRow:
    return ParkedRow(
        channel=channel, entity=group.entity, external_id=one.write.id or one.row.uid, direction="outward",
        resource=group.mapping.resource, kind="parked", record_uid=one.row.uid, file=group.mapping.name,
        rule="rejected",
        message=receipt.detail, remedy="mend the record where it has authority, or the mapping, then `serai replay`",
    )


def _answers(
    house: House, channel: str, group: Group, applied: Sequence[tuple[Sending, Receipt]], now: datetime
) -> dict[str, Any]:
    """Write key → what the channel's answer says of the record, mapped inward; only where it says the whole entity."""
    mapping = house.of(channel).inward.get(group.mapping.resource)
    if mapping is None or group.base != group.entity or group.entity not in mapping.inward:
        return {}
    carrying = [(one, receipt.doc) for one, receipt in applied if receipt.doc is not None]
    if not carrying:
        return {}
    docs = [doc for _, doc in carrying if doc is not None]
    with house.registry.read() as tx:
        refs = uids_for(tx, channel, list(mapping.inward_references(docs)))
    result = mapping.map_inward(docs, refs, house.context(channel, now))
    if group.entity == CUSTOMER:
        with house.registry.read() as tx:
            gone = erased_ids(tx, channel, [(record.entity, record.id) for record in result.records])
        for position, record in enumerate(result.records):
            if (record.entity, record.id) in gone:      # it was told to forget; what it still says is not taken in
                result.records[position] = record._replace(values={}, keep={})
    return {
        carrying[record.doc][0].write.key: record for record in result.records if record.entity == group.entity
    }


def _projection(
    channel: str, group: Group, one: Sending, receipt: Receipt, old: Binding | None, was: Mapping[str, Any],
    answer: Any, now: datetime, untold: str,
) -> BindingRow:
    """The binding after an applied write: told, and seen where the answer carried the document; pending otherwise.

    ``was`` is what was kept of it until now; ``untold`` are the moments of fields where the channel said nothing yet.
    """
    kept = {**was, **answer.keep} if answer is not None else {**was}
    if one.publish is not None:
        kept[PUBLISH] = str(one.publish)
    values: str | dict[str, Any] | None = None
    covers: str | None = untold
    verified = now if receipt.doc is not None else None
    version = mapping_hash = None
    if old is not None:
        values, covers, version, mapping_hash = old.values_text, old.covers_text, old.version, old.mapping_hash
        verified = now if receipt.doc is not None else old.verified_at
    if answer is not None:
        said = (old.values or {}) if old is not None else {}
        values = {**said, **{name: value for name, value in answer.values.items()
                             if name in group.needs or name not in said}} or None
        changed = {"$since": micros(now)} if old is None else old.changed
        covers = encode({**dict.fromkeys(answer.values, 0), **changed})
    gone = one.write.op == "delete"     # it holds nothing now: what comes next is created
    return BindingRow(
        channel=channel, entity=group.name, external_id=receipt.id or one.write.id or "", uid=one.row.uid,
        resource=group.mapping.resource, values=None if gone else values, covers=covers,
        told=None if gone else one.text, told_hash=None if gone else one.mark, told_at=now, kept=kept,
        version=version, asked_at=now, verified_at=verified, mapping_hash=mapping_hash,
        state="gone" if gone and told_apart(group) else "live",
        pending=answer is None and group.base == group.entity and not gone,
    )
