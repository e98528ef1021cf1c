"""Orders: whether the money adds up, and which of two statuses is the later one.

What surprises here: a total is never rebuilt from unit prices (their rounding differs from platform to platform); the
lines' own totals are summed and compared. And statuses arrive late, twice and out of order, so they form one line from
which every pair has a later one: a repeated or late status changes nothing, whatever the order of arrival.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from mappings.commerce.prices import digits, exact

STATUSES = ("open", "confirmed", "cancelled", "shipped", "delivered")
"""Earlier to later. Cancelling is legal until the goods leave; once they left, a cancellation is a return."""

PAID = frozenset({"paid", "part_paid", "part_refunded", "refunded"})
"""Payment states in which the buyer has handed over money."""


def later(known: str, told: str) -> str:
    """``max(known, told)`` along STATUSES; raises ValueError for a status that is none."""
    for status in (known, told):
        if status not in STATUSES:
            raise ValueError(f"{status!r} is no status of an order; known: {', '.join(STATUSES)}")
    return max(known, told, key=STATUSES.index)


def balance(order: Mapping[str, Any]) -> dict[str, str]:
    """Money: ``Σ lines.total + shipping − total``, exact, at the currency's digits or finer if the order is finer.

    Zero means that the order adds up. Line totals are after discount and with tax, as the buyer paid them; absent or
    null shipping is nothing. Raises ValueError when the amounts are not all in one currency.
    """
    total = order["total"]
    parts = [line["total"] for line in order["lines"]]
    shipping = order.get("shipping")
    if shipping is not None:
        parts.append(shipping)
    currency = one_currency([total, *parts])
    difference = sum((Fraction(part["amount"]) for part in parts), Fraction(0)) - Fraction(total["amount"])
    finest = max(digits(currency), *(-int(Decimal(part["amount"]).as_tuple().exponent) for part in [total, *parts]))
    return {"amount": f"{exact(difference, finest):f}", "currency": currency}


def balanced(order: Mapping[str, Any]) -> bool:
    """Whether lines and shipping add up to the total, to the last digit."""
    return Decimal(balance(order)["amount"]) == 0


def one_currency(amounts: Iterable[Mapping[str, str]]) -> str:
    """The currency all amounts share; raises ValueError naming the currencies found."""
    found = sorted({money["currency"] for money in amounts})
    if len(found) != 1:
        raise ValueError(f"one order, one currency: found {', '.join(found) or 'none'}")
    return found[0]
