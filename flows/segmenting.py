"""What people bought, from the orders of all their identities, and the segments that this makes a channel hear of.

What surprises here: nothing is stored. An order makes its customer due on channels that want segments, and so does the
nightly comparison, since days pass without an order; what a channel was told already is not written again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from mappings.commerce.customers.segments import Purchases, purchases, segments_of, shown_segments
from registry import Record, Tx, binding_for, bindings_of, mark_due, members, records, records_by_field, records_where

if TYPE_CHECKING:
    from flows.routes import Group
    from flows.wiring import House

SEGMENTS: Final = "segments"
PAGE: Final = 1_000


def wants_segments(group: Group) -> bool:
    """Whether what is written of a customer says segments."""
    return group.entity == group.base == "customer" and SEGMENTS in group.needs


def show_segments(
    house: House, tx: Tx, channel: str, own: Mapping[str, dict[str, Any]], now: datetime
) -> None:
    """Adds ``segments`` to the customers that are in any and did not object; a constant number of statements."""
    policy = house.project.customers.segments
    if not policy or not own:
        return
    said = {uid: record.values.get("consents") or [] for uid, record in records(tx, list(own)).items()}
    for uid, of in bought(tx, list(own), now).items():
        names = shown_segments(segments_of(of, policy), said.get(uid, []), channel)
        if names:
            own[uid][SEGMENTS] = names


def look_again(house: House, channel: str) -> None:
    """Afterwards every account on the channel is due there, where it wants segments: time alone moves people."""
    group = house.of(channel).outward.get("customer")
    if group is None or "customer" not in house.channel(channel).receives or not wants_segments(group):
        return
    after = ""
    while True:
        def work(tx: Tx, after: str = after) -> list[str]:
            page = [record.uid for record in records_where(tx, "customer", after, PAGE)]
            everyone = {uid for found in members(tx, page).values() for uid in found} if page else set()
            there = binding_for(tx, channel, "customer", everyone)
            mark_due(tx, [(channel, "customer", uid, None, False, SEGMENTS) for uid in sorted(there)])
            return page

        page = house.registry.attempt(work)
        if len(page) < PAGE:
            return
        after = page[-1]


def bought(tx: Tx, people: Sequence[str], now: datetime) -> dict[str, Purchases]:
    """Person or identity → what all identities of the person bought; a constant number of statements."""
    same = members(tx, people)
    orders = bought_by(tx, {uid for found in same.values() for uid in found})
    names = named(tx, orders)
    of: dict[str, list[dict[str, Any]]] = {}
    for order in orders:
        of.setdefault(order["customer"], []).append(order)
    return {
        uid: purchases([order for one in found for order in of.get(one, ())], now, **names)
        for uid, found in same.items()
    }


def bought_by(tx: Tx, identities: Collection[str]) -> list[dict[str, Any]]:
    """The orders of these identities, each with the channel it came from and what was refunded."""
    found = {record.uid: record for rows in records_by_field(tx, "order", "customer", identities).values()
             for record in rows}
    return with_origin(tx, list(found.values()))


def with_origin(tx: Tx, orders: Sequence[Record]) -> list[dict[str, Any]]:
    """These orders, each with the channel that told of it first, and what was refunded."""
    said = bindings_of(tx, [order.uid for order in orders], "order")
    back = records_by_field(tx, "return", "order", [order.uid for order in orders])
    rows = []
    for order in orders:
        told = [one for one in said[order.uid] if one.values_text is not None]
        first = min(told, key=lambda one: (one.changed.get("$since", 0), one.channel), default=None)
        values = {**order.values, "uid": order.uid, "channel": None if first is None else first.channel}
        refunds = [part["amount"] for one in back[order.uid] for part in one.values.get("refunds") or ()
                   if part.get("amount") is not None]
        if refunds:
            currency = refunds[0]["currency"]
            amount = sum((Decimal(part["amount"]) for part in refunds if part["currency"] == currency), Decimal(0))
            values["refunded"] = {"amount": str(amount), "currency": currency}
        rows.append(values)
    return rows


def named(tx: Tx, orders: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """The categories of the variants and the codes of the stores that these orders name, by uid."""
    variants = {line["variant"] for order in orders for line in order.get("lines") or ()
                if line.get("variant") is not None}
    found = records(tx, variants)
    products = records(tx, {one.values["product"] for one in found.values() if one.values.get("product") is not None})
    categories = {}
    for uid, one in found.items():
        values = one.values
        product = products.get(values.get("product") or "")
        category = values.get("category") or (None if product is None else product.values.get("category"))
        if category is not None:
            categories[uid] = str(category)
    places = records(tx, {order["location"] for order in orders if order.get("location") is not None})
    return {"categories": categories, "stores": {uid: str(one.values.get("code")) for uid, one in places.items()}}
