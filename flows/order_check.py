"""Orders compared across channels: after each write with the answer or the next read, and by night as each was read.

What surprises here: a receiver that answers "applied" and shows something else has made no edit (P3); so whatever it
shows is held against what it was told at once, and what it did not take is a person's (`ignored`). Hashes are compared
first, of what a buyer ordered and owes; only where these differ are the figures. A receiver is compared on what it
tells: one that keeps its own line keys on the units per article.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final

from msgspec import Struct

from flows.wiring import House
from flows.work import Work
from mappings.commerce.orders.edits import apart, fingerprint
from registry import (
    Binding,
    EditRow,
    ParkedRow,
    Tx,
    bindings_of,
    edits_of,
    mark_due,
    open_inward,
    open_outward,
    outbox_rows,
    park,
    records,
    records_where,
    unpark,
)

RULE: Final = "apart"
IGNORED: Final = "ignored"
PAGE: Final = 500
RAISED: Final = ("parked", "rejected", "held")
"""States of a write that a person has before them already."""


class Heard(Struct, frozen=True, kw_only=True):
    """An order that a channel was told, and what it shows of it since; ``before`` is what it showed until then, seen
    at ``seen_before``."""

    uid: str
    id: str
    resource: str
    order: Mapping[str, Any]
    there: Mapping[str, Any]
    before: Mapping[str, Any] | None
    seen_before: datetime | None


def answered(tx: Tx, channel: str, heard: Sequence[Heard], raised: Collection[str] = ()) -> list[str]:
    """Raises what the channel did not take although it said so; a sentence each. Afterwards what was ``raised`` and is
    shown as told is parked no more. A constant number of statements; none for nobody."""
    if not heard:
        return []
    uids = [one.uid for one in heard]
    bound, edits = bindings_of(tx, uids, "order"), edits_of(tx, uids)
    rows: list[ParkedRow] = []
    agreed = []
    for one in heard:
        origin = _origin(bound.get(one.uid, ()))
        apart = _not_taken(one, edits[one.uid], own=origin is not None and origin.channel == channel)
        if not apart:
            agreed += [(channel, "order", one.uid, "outward")] if one.uid in raised else []
            continue
        rows.append(ParkedRow(
            channel=channel, entity="order", direction="outward", external_id=one.id, record_uid=one.uid,
            resource=one.resource, rule=IGNORED, field="lines", path="$",
            message=f"{channel} said it took the change, and shows: {'; '.join(apart)}",
            remedy=f"change it at {channel} by hand; it closes by itself as soon as {channel} shows it",
        ))
    unpark(tx, agreed)
    park(tx, rows)
    return [f"{channel} order {row.external_id}: {row.message}" for row in rows]


def _not_taken(one: Heard, edits: Sequence[EditRow], *, own: bool) -> list[str]:
    """What the channel shows otherwise than it was told: figures, a cancellation, an address that did not move.

    Of an address, which each system spells its own way, only one that was edited since the channel was seen last, and
    stands there as it stood then.
    """
    found = [] if own else _different(one.order, one.there)
    status = one.there.get("status")
    if one.order.get("status") == "cancelled" and status not in (None, "cancelled"):
        found.append(f"status: cancelled here, {status} there")
    before = one.before or {}
    moved = one.seen_before is not None and any(
        edit.kind == "address" and edit.at > one.seen_before for edit in edits
    )
    if moved and before.get("address") == one.there.get("address") and _elsewhere(one.order, one.there):
        found.append("address: as it was there before")
    return found


def _elsewhere(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    here, there = ours.get("address"), theirs.get("address")
    if here is None or there is None:
        return False
    return any(_folded(value) != _folded(there[name]) for name, value in here.items()
               if value is not None and there.get(name) is not None)


def _folded(value: Any) -> str:
    return " ".join(str(value).casefold().split())


def heard(work: Work) -> None:
    """What the page's channel shows of orders that it was told and did not show in its answer, or that stand raised.

    A constant number of statements; none where the channel is told no orders.
    """
    if not work.shown or "order" not in work.house.channel(work.channel).receives:
        return
    raised = {uid for uid, rule in open_outward(work.tx, work.channel, "order", list(work.shown)).items()
              if rule in (RULE, IGNORED)}
    uids = [uid for uid, item in work.shown.items() if uid in raised or (item.was is not None and item.was.pending)]
    if not uids:
        return
    under_way = {row.uid for row in outbox_rows(work.tx, work.channel, "order", uids=uids)}
    orders = records(work.tx, uids)
    for sentence in answered(work.tx, work.channel, [
        Heard(
            uid=uid, id=item.record.id, resource=work.resource, order=orders[uid].values, there=item.values,
            before=None if item.was is None else item.was.values,
            seen_before=None if item.was is None else item.was.verified_at,
        )
        for uid in uids if uid not in under_way and uid in orders for item in [work.shown[uid]]
    ], raised):
        work.account.fault(sentence)


def compare_orders(house: House, channel: str) -> list[str]:
    """Compares every order of which the channel tells with what the others hold of it; a sentence per difference.

    Afterwards each receiver that holds an order otherwise is told once more, forced, and a person finds the difference
    among what is parked until the receiver takes it. Nothing is said of orders that are parked themselves, or of which
    a write is under way. A constant number of statements per 500 orders.
    """
    receivers = [name for name in house.project.channels
                 if "order" in house.channel(name).receives and "order" in house.of(name).outward]
    found: list[str] = []
    after = ""
    while receivers:
        with house.registry.read() as tx:
            page = records_where(tx, "order", after, PAGE)
        if not page:
            break
        after = page[-1].uid
        values = {record.uid: record.values for record in page if record.state == "live"}
        found += house.registry.attempt(partial(_page, house, channel, receivers, values))
    return found


def _page(
    house: House, channel: str, receivers: Sequence[str], values: Mapping[str, Mapping[str, Any]], tx: Tx
) -> list[str]:
    bound = bindings_of(tx, list(values), "order")
    stopped = open_inward(tx, "order", list(values))
    writes = {(row.channel, row.uid): row.state for row in outbox_rows(
        tx, entity="order", uids=list(values), limit=PAGE * (len(house.project.channels) + 1)
    )}
    sentences: list[str] = []
    parked, due, agreed = [], [], []
    for uid, order in values.items():
        rows = bound.get(uid, ())
        if uid in stopped or channel not in {one.channel for one in rows}:
            continue
        for one in rows:
            state = writes.get((one.channel, uid))
            if one.channel not in receivers or _origin(rows) is one or one.values is None or one.pending:
                continue
            if state is not None and state not in RAISED:
                continue
            different = _different(order, one.values)
            key = (one.channel, "order", uid, "outward")
            if not different:
                agreed.append(key)
                continue
            sentences.append(f"order {order.get('number')} at {one.channel}: {'; '.join(different)}")
            if state is not None:
                continue
            due.append((one.channel, "order", uid, None, True, one.channel))
            parked.append(ParkedRow(
                channel=one.channel, entity="order", direction="outward", external_id=one.external_id, record_uid=uid,
                resource=one.resource, rule=RULE, field="lines", path="$", message="; ".join(different),
                remedy=f"it is told once more; if {one.channel} refuses it, change it there by hand, then `serai "
                       f"reconcile {one.channel}`",
            ))  # fmt: skip
    if parked:
        mark_due(tx, due)
        park(tx, parked)
    if agreed:
        unpark(tx, agreed)
    return sentences


def _different(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """What the receiver holds otherwise; nothing where the fingerprints agree, or where it tells too little."""
    if "total" not in theirs and "lines" not in theirs:
        return []
    if fingerprint(ours) == fingerprint(theirs):
        return []
    mine, other = ours.get("lines") or (), theirs.get("lines") or ()
    if {line["key"] for line in mine} & {line["key"] for line in other} or not other:
        return apart(ours, theirs)
    here, there = _by_article(mine), _by_article(other)
    return [
        f"{line_name(mine, uid)}: {here.get(uid, Decimal(0)):f} here, {there.get(uid, Decimal(0)):f} there"
        for uid in sorted({*here, *there}) if here.get(uid) != there.get(uid)
    ] + apart({"total": ours.get("total")}, {"total": theirs.get("total")})


def line_name(lines: Sequence[Mapping[str, Any]], variant: str) -> str:
    """The article of a line, as its channel names it."""
    return next((str(line.get("sku") or line["key"]) for line in lines if line.get("variant") == variant), variant)


def _by_article(lines: Sequence[Mapping[str, Any]]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for line in lines:
        if line.get("variant") is not None:
            uid = line["variant"]
            found[uid] = found.get(uid, Decimal(0)) + Decimal(line["quantity"]["value"])
    return found


def _origin(rows: Sequence[Binding]) -> Binding | None:
    told = [one for one in rows if one.values is not None]
    return min(told, key=lambda one: (one.changed.get("$since", 1 << 62), one.channel), default=None)
