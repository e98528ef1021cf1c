"""What people do on the simulated marketplace: the acts of the sandbox's marketplace, as far as Amazon has them.

What surprises here: nobody accepts an order on Amazon, so nothing waits for the seller's word and nothing lapses; an
order may be Pending instead, until its payment went through (``pay``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from deployments.sandbox.amazon import documents, orders
from deployments.sandbox.amazon.fill import enter
from deployments.sandbox.amazon.state import Market
from deployments.sandbox.notation import Doc

STATES: Mapping[str, str] = {"UNSHIPPED": "NEW", "PARTIALLY_SHIPPED": "NEW", "SHIPPED": "SENT"}
"""Amazon's states in the words of the sandbox's marketplace; the others are called the same."""


def order(market: Market, ask: Mapping[str, Any]) -> Doc:
    """Somebody buys; see orders.place."""
    made = orders.place(market, ask)
    return {"id": made["id"], "number": made["id"], "total": f"{orders.total(made):.2f}", "currency": market.currency}


def order_state(market: Market, ask: Mapping[str, Any]) -> Doc:
    """How an order stands: state, its buyer, why it ended."""
    found = market.order(str(ask["id"]))
    state = STATES.get(found["status"], found["status"])
    return {"state": state, "buyer": dict(found["buyer"]), "reason": found["reason"]}


def list_by_hand(market: Market, ask: Mapping[str, Any]) -> Doc:
    """Somebody types a listing into the seller's page: ``{sku, title, price, available}``."""
    price, available = Decimal(str(ask["price"])), int(ask["available"])
    made = enter(market, str(ask["sku"]), title=str(ask["title"]), price=price, available=available)
    return {"id": made.sku}


def store(market: Market, ask: Mapping[str, Any]) -> Doc:
    """Goods of the seller arrive in Amazon's network (or leave it): ``{sku, delta}``."""
    market.listing(str(ask["sku"]))
    orders.lay(market, str(ask["sku"]), int(ask["delta"]), "people")
    return {"id": str(ask["sku"])}


def fate(market: Market, ask: Mapping[str, Any]) -> Doc:
    """The next feed ends so: ``{status}``, CANCELLED or FATAL."""
    market.fates.append(str(ask["status"]))
    return {"id": str(len(market.fates))}


def _named(work: Callable[[Market, Mapping[str, Any]], Doc]) -> Callable[[Market, Mapping[str, Any]], Doc]:
    return lambda market, ask: {"id": work(market, ask)["id"]}


ACTS: Mapping[str, Callable[[Market, Mapping[str, Any]], Doc]] = {
    "order": order, "order_state": order_state, "list_by_hand": list_by_hand, "store": store,
    "refund": documents.refund, "settle": documents.settle, "fate": fate,
    "pay": _named(orders.pay), "cancel": _named(orders.cancel), "send_own": _named(orders.send_own),
}  # fmt: skip
