"""One currency in another: dated rates of exchange, and redenominations that are planned.

What surprises here: nothing is rounded, and nothing is converted without a rate that somebody wrote down. A rate of A
in B is also ``1 / rate`` of B in A, and two rates are never chained. From the moment of a redenomination every amount
in the old currency counts as ``amount / divide_by`` of the new one, everywhere: in lists, in costs, on channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from mappings.commerce.prices.windows import in_force


@dataclass(frozen=True, kw_only=True, slots=True)
class FxRate:
    """One unit of ``base`` is ``rate`` units of ``quote``, from ``start`` to ``end``."""

    base: str
    quote: str
    rate: Decimal
    start: datetime | None = None
    end: datetime | None = None
    where: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Redenomination:
    """From ``at`` on, ``divide_by`` units of ``currency`` are one unit of ``becomes``."""

    currency: str
    becomes: str
    divide_by: Decimal
    at: datetime
    where: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fx:
    """Every rate of exchange and every redenomination that is known."""

    rates: Sequence[FxRate] = ()
    redenominations: Sequence[Redenomination] = ()


_ONE = Fraction(1)
NO_FX = Fx()
"""Nothing is converted."""


def factor(fx: Fx, base: str, quote: str, at: datetime) -> tuple[Fraction, str] | None:
    """What an amount of ``base`` is multiplied with to be ``quote`` at a moment, and where the rate stands.

    ``rate(base → quote)``, else ``1 / rate(quote → base)``; None: nobody wrote a rate down that holds then.
    """
    if base == quote:
        return Fraction(1), ""
    found = in_force([one for one in fx.rates if (one.base, one.quote) == (base, quote)], at)
    if found is not None:
        return Fraction(found.rate), found.where
    found = in_force([one for one in fx.rates if (one.base, one.quote) == (quote, base)], at)
    return None if found is None else (1 / Fraction(found.rate), found.where)


def today(fx: Fx, currency: str, at: datetime) -> tuple[str, Fraction, str]:
    """What a currency is called at a moment, what its amounts are multiplied with, and where that stands.

    ``Π 1 / divide_by`` over the redenominations whose moment has come; 1 and itself where none has.
    """
    total, where, seen = _ONE, "", {currency}
    if not fx.redenominations:
        return currency, total, where
    while True:
        due = next((one for one in fx.redenominations if one.currency == currency and one.at <= at), None)
        if due is None or due.becomes in seen:
            return currency, total, where
        currency, total, where = due.becomes, total / Fraction(due.divide_by), due.where
        seen.add(currency)


def formerly(fx: Fx, currency: str, at: datetime) -> set[str]:
    """The currencies that count as ``currency`` at a moment: itself, and those that became it."""
    return {currency} | {one.currency for one in fx.redenominations if today(fx, one.currency, at)[0] == currency}
