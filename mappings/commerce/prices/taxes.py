"""Tax: net and gross, and the rate that holds for a company, a category and a moment.

What surprises here: a rate belongs to the moment of the sale. What comes back is taxed as it was sold, whatever holds
today: returns carry the rates of their sale's lines. Rates are fractions: 0.16 for 16 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from mappings.commerce.prices.money import money
from mappings.commerce.prices.windows import in_force

MODES = ("net", "gross")


@dataclass(frozen=True, kw_only=True, slots=True)
class TaxRate:
    """``rate`` holds from ``start`` to ``end`` for a category (None: every one) of a company (None: the country's)."""

    rate: Decimal
    company: str | None = None
    category: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    where: str = ""


def gross(net: Mapping[str, str], tax: Decimal) -> dict[str, str]:
    """``net · (1 + tax)``, rounded once. ``tax`` is a rate: 0.16 for 16 %; raises ValueError when it is negative."""
    return money(Fraction(net["amount"]) * factor(tax), net["currency"])


def net(gross: Mapping[str, str], tax: Decimal) -> dict[str, str]:
    """``gross / (1 + tax)``, rounded once. ``tax`` is a rate: 0.16 for 16 %; raises ValueError when it is negative."""
    return money(Fraction(gross["amount"]) / factor(tax), gross["currency"])


def convert(price: Mapping[str, Any], tax_mode: str, tax: Decimal) -> dict[str, str]:
    """The price's amount in the wanted tax mode (``net`` or ``gross``); untouched where it already is in it."""
    if tax_mode not in MODES:
        raise ValueError(f"{tax_mode!r} is no tax mode; known: net, gross")
    if price["tax_mode"] == tax_mode:
        return dict(price["amount"])
    return gross(price["amount"], tax) if tax_mode == "gross" else net(price["amount"], tax)


def rate(rates: Sequence[TaxRate], company: str, category: str | None, at: datetime) -> TaxRate | None:
    """The rate that holds: company and category, category, company, neither; the first of these that has one.

    A category that no rule names has the rate of those without category. None: no rule holds at that moment.
    """
    for whose, what in ((company, category), (None, category), (company, None), (None, None)):
        found = in_force([one for one in rates if (one.company, one.category) == (whose, what)], at)
        if found is not None:
            return found
    return None


def factor(tax: Decimal) -> Fraction:
    """``1 + tax``; raises ValueError when the rate is negative."""
    if tax < 0:
        raise ValueError(f"a tax rate is not negative: {tax}")
    return 1 + Fraction(tax)
