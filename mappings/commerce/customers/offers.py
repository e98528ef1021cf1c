"""Offers: who may redeem a code now, and how often orders have redeemed it.

What surprises here: Serai counts and tells, it never changes the price of an order: whether a code holds is decided
where the sale happens, and an order that redeemed one it should not have is shown, not corrected.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from mappings.commerce.customers.segments import NOT_BOUGHT

ENDED: Final = "ended"


def redeemed(code: str, orders: Iterable[Mapping[str, Any]]) -> int:
    """How many orders, neither offered nor cancelled, carry a discount of this code, in the order or in a line."""
    return sum(order.get("status") not in NOT_BOUGHT and code in codes(order) for order in orders)


def codes(order: Mapping[str, Any]) -> set[str]:
    """The codes an order redeemed."""
    rows = [order, *(order.get("lines") or ())]
    return {
        discount["code"] for row in rows for discount in row.get("discounts") or () if discount.get("code") is not None
    }


def refused(
    offer: Mapping[str, Any], now: datetime, channel: str, segments: Collection[str], *, times: int = 0, mine: int = 0
) -> str | None:
    """Why the offer may not be redeemed; None where it may.

    ``not ended ∧ valid_from ≤ now < valid_to ∧ channel ∈ channels ∧ segment ∈ segments ∧ times < limit
    ∧ mine < per_customer``; what the offer leaves out limits nothing.
    """
    start, end = (None if offer.get(name) is None else datetime.fromisoformat(offer[name])
                  for name in ("valid_from", "valid_to"))
    limit, per_customer = offer.get("limit"), offer.get("per_customer")
    if offer.get("state") == ENDED:
        return "it was ended"
    if start is not None and now < start:
        return "it does not hold yet"
    if end is not None and now >= end:
        return "it no longer holds"
    if offer.get("channels") is not None and channel not in offer["channels"]:
        return f"it does not hold on {channel}"
    if offer.get("segment") is not None and offer["segment"] not in segments:
        return f"it is for {offer['segment']} only"
    if limit is not None and times >= limit:
        return f"it was redeemed {times} of {limit} times"
    if per_customer is not None and mine >= per_customer:
        return f"this customer redeemed it {mine} of {per_customer} times"
    return None


def seen_on(offer: Mapping[str, Any], channel: str) -> dict[str, Any]:
    """The offer as a channel is to see it: as it is where ``channel ∈ channels`` (or none are named), else ended."""
    if offer.get("channels") is None or channel in offer["channels"]:
        return dict(offer)
    return {**offer, "state": ENDED}
