"""What may stand beside a price: the price before a reduction, struck through, and the price of a kilogram or litre.

What surprises here: in the European Union a reduction may only be announced with the lowest price of the 30 days before
it (Directive 98/6/EC, article 6a, since 2022-05-28), and only a channel's own history tells that. Where the history is
too short there is no strike-through price, and the reason says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from mappings.commerce.prices.money import money
from mappings.commerce.prices.windows import FOREVER

EU: Final = frozenset((
    "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE", "IT", "LV", "LT", "LU", "MT",
    "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE",
))
"""The countries of the European Union (ISO 3166), as of 2026."""
DAYS: Final = timedelta(days=30)

_UNITS: Final[Mapping[str, tuple[str, Fraction]]] = {
    "kg": ("kg", Fraction(1)), "g": ("kg", Fraction(1, 1000)), "mg": ("kg", Fraction(1, 10**6)),
    "l": ("l", Fraction(1)), "dl": ("l", Fraction(1, 10)), "cl": ("l", Fraction(1, 100)),
    "ml": ("l", Fraction(1, 1000)),
    "m": ("m", Fraction(1)), "cm": ("m", Fraction(1, 100)), "mm": ("m", Fraction(1, 1000)),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A price that a channel was seen to show, from ``start`` to ``end`` (None: still)."""

    amount: Decimal
    currency: str
    tax_mode: str
    start: datetime
    end: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """A strike-through price, or why there is none; one of the two is None."""

    amount: Decimal | None
    reason: str | None = None


def lowest_before(history: Sequence[Shown], reduced_at: datetime, now: Shown) -> Reference:
    """``min amount(s)`` over what was shown at any moment of ``[reduced_at − 30 days, reduced_at)``.

    None, with the reason: the history begins later than 30 days before the reduction, a price of it is in another
    currency or tax mode, or the lowest one is not above the price shown ``now``.
    """
    since = reduced_at - DAYS
    inside = [one for one in history if one.start < reduced_at and (one.end or FOREVER) > since]
    if not inside:
        return Reference(amount=None, reason="this channel was not seen to show a price in the 30 days before")
    begins = min(one.start for one in inside)
    if begins > since:
        days = max(0, (reduced_at - begins).days)
        return Reference(amount=None, reason=f"of the 30 days before, what this channel showed is known for {days}")
    if any((one.currency, one.tax_mode) != (now.currency, now.tax_mode) for one in inside):
        return Reference(amount=None, reason="the prices of the 30 days before are in another currency or tax mode")
    lowest = min(one.amount for one in inside)
    if lowest <= now.amount:
        return Reference(amount=None, reason=f"the lowest price of the 30 days before, {lowest}, is not above this one")
    return Reference(amount=lowest)


def usual_before(usual: Decimal | None, now: Decimal) -> Reference:
    """Outside the European Union: what the channel's price is without the sale, where that is more."""
    if usual is None:
        return Reference(amount=None, reason="there is no usual price beside the sale")
    if usual <= now:
        return Reference(amount=None, reason=f"the usual price, {usual}, is not above this one")
    return Reference(amount=usual)


def unit_price(amount: Decimal, currency: str, content: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """``amount / (value · kg, l or m per unit)``, rounded once to the currency's digits; None without a net content.

    Grams count as kilograms, millilitres as litres, centimetres as metres; any other unit is its own.
    """
    if content is None or Decimal(content["value"]) <= 0:
        return None
    unit, size = _UNITS.get(content["unit"].lower(), (content["unit"], Fraction(1)))
    per = Fraction(amount) / (Fraction(content["value"]) * size)
    return {"amount": money(per, currency), "per": {"value": "1", "unit": unit}}
