"""Orders compared across channels, as each was read last: what events missed is told again, or a person hears of it.

What surprises here: hashes are compared first, of what a buyer ordered and owes; only where these differ are the
figures. A receiver is compared on what it tells: one that keeps its own line keys on the units per article.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

from flows.wiring import House
from mappings.commerce.orders.edits import apart, fingerprint
from registry import (
    Binding,
    ParkedRow,
    Tx,
    bindings_of,
    mark_due,
    open_inward,
    outbox_rows,
    park,
    records_where,
    unpark,
)

RULE: Final = "apart"
PAGE: Final = 500
RAISED: Final = ("parked", "rejected", "held")
"""States of a write that a person has before them already."""


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
