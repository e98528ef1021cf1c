"""Offers: where they were told, how often orders redeemed them, and which of those they were not meant for.

What surprises here: an order is never re-priced. One that redeemed what it should not have is shown with the reason: by
the moment at which it was placed, and the segments that its customer is in now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flows.segmenting import bought, with_origin
from flows.wiring import House
from mappings.commerce.customers.offers import codes, redeemed, refused
from mappings.commerce.customers.segments import NOT_BOUGHT, segments_of
from registry import Record, bindings_of, members, records_where

PAGE = 1_000


@dataclass(kw_only=True)
class Offered:
    """One offer: what it says, the channels that hold it, its redemptions, and those that it was not meant for."""

    offer: dict[str, Any]
    told: Sequence[str]
    times: int = 0
    customers: int = 0
    wrong: list[tuple[str, str]] = field(default_factory=list)
    """(number of the order, why)."""


def offers(house: House, code: str | None = None) -> list[Offered]:
    """Every offer, or the one of a code, by code; reads all orders once."""
    found: dict[str, Offered] = {}
    uids: dict[str, str] = {}
    with house.registry.read() as tx:
        after = ""
        while page := records_where(tx, "offer", after, PAGE):
            there = bindings_of(tx, [one.uid for one in page], "offer")
            for one in page:
                told = sorted({b.channel for b in there.get(one.uid, ()) if b.told is not None})
                if code in (None, one.values["code"]):
                    found[one.values["code"]] = Offered(offer=one.values, told=told)
                    uids[one.values["code"]] = one.uid
            after = page[-1].uid
    after = ""
    mine: Counter[tuple[str, str]] = Counter()
    while found:
        with house.registry.read() as tx:
            orders = records_where(tx, "order", after, PAGE)
            carrying = [one for one in orders if codes(one.values) & found.keys()]
            customers = {one.values["customer"] for one in carrying if one.values.get("customer") is not None}
            same = members(tx, customers)
            worth = {uid: segments_of(of, house.project.customers.segments)
                     for uid, of in bought(tx, sorted(customers), house.registry.now()).items()}
            origin = {row["uid"]: row["channel"] for row in with_origin(tx, carrying)}
        for one in carrying:
            _count(found, mine, one, origin.get(one.uid), same, worth)
        if len(orders) < PAGE:
            break
        after = orders[-1].uid
    for (name, _), times in mine.items():
        found[name].customers += times > 0
    return [found[name] for name in sorted(found)]


def _count(
    found: dict[str, Offered], mine: Counter[tuple[str, str]], order: Record, channel: str | None,
    same: dict[str, list[str]], worth: dict[str, list[str]],
) -> None:
    values = order.values
    customer = values.get("customer")
    person = same[customer][0] if customer in same else None
    for name in codes(values) & found.keys():
        one = found[name]
        if values.get("status") in NOT_BOUGHT:
            continue
        at = datetime.fromisoformat(values["placed_at"]) if values.get("placed_at") is not None else None
        why = None if at is None else refused(
            one.offer, at, channel or "", worth.get(customer or "", []), times=one.times,
            mine=mine[name, person] if person is not None else 0,
        )
        if why is not None:
            one.wrong.append((str(values.get("number")), why))
        one.times += redeemed(name, [values])
        if person is not None:
            mine[name, person] += 1
