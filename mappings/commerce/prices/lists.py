"""Price lists: which price of a list holds, for whom, from how many units on, at a moment.

What surprises here: currency, list, window, group and quantity are filters; what is left is ordered from specific to
general. Two prices of which neither is more specific and that say different amounts are a fault of the data: they are
named (`Overlap`, `faults`), and none is picked. Moments are canonical text, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

from mappings.commerce.prices.windows import ALWAYS, FOREVER, moment, rank

Price: TypeAlias = Mapping[str, Any]

COST = "cost"
"""The kind of price that we pay: it is never published."""


class Overlap(ValueError):
    """Two or more prices hold at once, and none is more specific; ``prices`` are those."""

    def __init__(self, prices: Sequence[Price]) -> None:
        self.prices = tuple(prices)
        super().__init__(f"{len(prices)} prices hold at once on the list {prices[0]['list']}: "
                         + " and ".join(describe(price) for price in prices))


def pick(
    prices: Iterable[Price], price_list: str, now: str, *, currency: str | None = None, group: str | None = None,
    quantity: Decimal = Decimal(1), kind: str | None = None,
) -> Price | None:
    """The price of the list that holds at ``now`` for a customer of ``group`` who takes ``quantity`` units.

    Filters: list, currency (where one is asked for), ``valid_from ≤ now < valid_to`` (an absent end is open), a group
    that is the customer's or none, ``min_quantity ≤ quantity``, costs only when ``kind`` is ``cost``. Then, in this
    order: a price for the group before one for everybody, the largest ``min_quantity``, both ends before one end before
    undated, of those without end the latest start, a sale before a regular price. None: no price holds. Raises Overlap
    where that leaves several amounts, ValueError for a naive moment.
    """
    at = moment(now)
    valid = [price for price in prices if price["list"] == price_list and _fits(price, at, currency, group, quantity)
             and (price.get("kind") == COST) is (kind == COST)]
    if not valid:
        return None
    best = max(map(_specific, valid))
    left = [price for price in valid if _specific(price) == best]
    if len({_says(price) for price in left}) > 1:
        raise Overlap(sorted(left, key=describe))
    return min(left, key=lambda price: (str(price.get("uid", "")), describe(price)))


def breaks(prices: Iterable[Price], price_list: str, now: str, *, currency: str | None = None,
           group: str | None = None) -> list[Decimal]:
    """The quantities, above one unit, from which on another price of the list may hold at ``now``, rising."""
    at = moment(now)
    return sorted({
        Decimal(price["min_quantity"]) for price in prices
        if price["list"] == price_list and price.get("min_quantity") is not None and price.get("kind") != COST
        and Decimal(price["min_quantity"]) > 1
        and _fits(price, at, currency, group, Decimal(price["min_quantity"]))
    })


def next_change(prices: Iterable[Price], price_list: str, now: str) -> str | None:
    """The first moment after ``now`` at which another price of the list may hold: when to look again; None: never."""
    at = moment(now)
    edges = [
        price[edge]
        for price in prices
        for edge in ("valid_from", "valid_to")
        if price["list"] == price_list and price.get(edge) is not None and moment(price[edge]) > at
    ]
    return min(edges, key=moment, default=None)


def faults(prices: Sequence[Price]) -> list[str]:
    """What is wrong with the prices of one variant, a sentence each, whatever the moment.

    A window that never opens (``valid_from ≥ valid_to``); two windows of one list, currency, group, quantity and kind
    that hold together, neither more dated than the other, with different amounts.
    """
    found = [f"{describe(price)} never holds: it ends before it begins" for price in prices if _never(price)]
    rows = [price for price in prices if not _never(price)]
    for place, one in enumerate(rows):
        for other in rows[place + 1:]:
            if _place(one) == _place(other) and _says(one) != _says(other) and _meet(one, other):
                found.append(" and ".join(sorted((describe(one), describe(other)))) + " hold at once")
    return found


def describe(price: Price) -> str:
    """One price as a person finds it: list, amount, group, quantity, window."""
    parts = [f"{price['list']} {price['amount']['amount']} {price['amount']['currency']}"]
    if price.get("group") is not None:
        parts.append(f"for {price['group']}")
    if price.get("min_quantity") is not None:
        parts.append(f"from {price['min_quantity']} on")
    if price.get("kind") is not None:
        parts.append(str(price["kind"]))
    if price.get("valid_from") is not None or price.get("valid_to") is not None:
        parts.append(f"{price.get('valid_from') or '…'} – {price.get('valid_to') or '…'}")
    return " ".join(parts)


def plain(price: Price) -> bool:
    """Whether it is the list's usual price: for everybody, from the first unit, undated, no sale and no cost."""
    return all(price.get(name) is None for name in ("group", "min_quantity", "valid_from", "valid_to")) and (
        price.get("kind") in (None, "regular")
    )


def apart(price: Price, price_list: str, group: str | None = None) -> bool:
    """Whether a platform that holds prices with their windows is told this one by itself: it is on the channel's list,
    no cost, and not the list's usual price for whom the channel sells to (``group``; None: everybody)."""
    mine = {**price, "group": None} if price.get("group") == group else price
    return price["list"] == price_list and price.get("kind") != COST and not plain(mine)


def _window(price: Price) -> tuple[datetime | None, datetime | None]:
    start, end = price.get("valid_from"), price.get("valid_to")
    return None if start is None else moment(start), None if end is None else moment(end)


def _fits(price: Price, at: datetime, currency: str | None, group: str | None, quantity: Decimal) -> bool:
    start, end = _window(price)
    least = price.get("min_quantity")
    return (
        (start or ALWAYS) <= at < (end or FOREVER)
        and (currency is None or price["amount"]["currency"] == currency)
        and price.get("group") in (None, group)
        and (least is None or Decimal(least) <= quantity)
    )


def _specific(price: Price) -> tuple[bool, Decimal, tuple[int, datetime], bool]:
    least = price.get("min_quantity")
    return (price.get("group") is not None, Decimal(0 if least is None else least), rank(*_window(price)),
            price.get("kind") == "sale")


def _place(price: Price) -> tuple[Any, ...]:
    least = price.get("min_quantity")
    return (price["list"], price["amount"]["currency"], price.get("group"), Decimal(0 if least is None else least),
            price.get("kind") == COST, price.get("kind") == "sale")


def _says(price: Price) -> tuple[Decimal, str, str]:
    return Decimal(price["amount"]["amount"]), price["amount"]["currency"], price["tax_mode"]


def _never(price: Price) -> bool:
    start, end = _window(price)
    return start is not None and end is not None and start >= end


def _meet(one: Price, other: Price) -> bool:
    """Whether there is a moment at which both hold and neither is the more dated."""
    (start, end), (from_, to) = _window(one), _window(other)
    latest = max(start or ALWAYS, from_ or ALWAYS)
    return latest < min(end or FOREVER, to or FOREVER) and rank(start, end) == rank(from_, to)
