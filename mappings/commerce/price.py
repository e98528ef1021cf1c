"""Prices: which one holds now, net and gross, rounded to the digits of their currency.

What surprises here: arithmetic runs on fractions, so that the only rounding is the last one (half away from zero);
an amount in another currency is never converted. Moments are canonical text, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

_EXCEPTIONS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_DIGITS = {currency: places for places, currencies in _EXCEPTIONS.items() for currency in currencies.split()}

_ALWAYS = datetime.min.replace(tzinfo=UTC)
_FOREVER = datetime.max.replace(tzinfo=UTC)


def digits(currency: str) -> int:
    """Digits behind the decimal point: ISO 4217's minor unit; 2 unless the currency is an exception."""
    return _DIGITS.get(currency, 2)


def exact(value: Fraction, places: int) -> Decimal:
    """``value`` at ``places`` digits, half away from zero: ``sign(v) · ⌊|v| · 10^places + ½⌋ / 10^places``."""
    scaled = int(abs(value) * 10**places + Fraction(1, 2))
    return Decimal((1 if value < 0 and scaled else 0, tuple(int(digit) for digit in str(scaled)), -places))


def money(amount: Fraction | Decimal, currency: str) -> dict[str, str]:
    """Canonical money, rounded half-up to the currency's digits: 2 for KZT and EUR, 0 for JPY, 3 for KWD."""
    return {"amount": f"{exact(Fraction(amount), digits(currency)):f}", "currency": currency}


def gross(net: Mapping[str, str], tax: Decimal) -> dict[str, str]:
    """``net · (1 + tax)``, rounded once. ``tax`` is a rate: 0.16 for 16 %; raises ValueError when it is negative."""
    return money(Fraction(net["amount"]) * _factor(tax), net["currency"])


def net(gross: Mapping[str, str], tax: Decimal) -> dict[str, str]:
    """``gross / (1 + tax)``, rounded once. ``tax`` is a rate: 0.16 for 16 %; raises ValueError when it is negative."""
    return money(Fraction(gross["amount"]) / _factor(tax), gross["currency"])


def convert(price: Mapping[str, Any], tax_mode: str, tax: Decimal) -> dict[str, str]:
    """The price's amount in the wanted tax mode (``net`` or ``gross``); untouched where it already is in it."""
    if tax_mode not in ("net", "gross"):
        raise ValueError(f"{tax_mode!r} is no tax mode; known: net, gross")
    if price["tax_mode"] == tax_mode:
        return dict(price["amount"])
    return gross(price["amount"], tax) if tax_mode == "gross" else net(price["amount"], tax)


def pick(prices: Iterable[Mapping[str, Any]], price_list: str, now: str) -> Mapping[str, Any] | None:
    """The price of the list that holds at ``now``: ``valid_from ≤ now < valid_to``, an absent end being open.

    A dated price beats an undated one; among dated ones the latest start wins, then the earliest end, then the lowest
    amount. None: no price of the list holds. Raises ValueError for a naive moment.
    """
    at = _moment(now)
    valid = [
        (price.get("valid_from") is None and price.get("valid_to") is None, start, end, price)
        for price in prices
        if price["list"] == price_list
        for start, end in [_window(price)]
        if start <= at < end
    ]
    if not valid:
        return None
    return min(valid, key=lambda row: (row[0], _FOREVER - row[1], row[2], Decimal(row[3]["amount"]["amount"])))[3]


def next_change(prices: Iterable[Mapping[str, Any]], price_list: str, now: str) -> str | None:
    """The first moment after ``now`` at which another price of the list may hold: when to look again; None: never."""
    at = _moment(now)
    edges = [
        price[edge]
        for price in prices
        for edge in ("valid_from", "valid_to")
        if price["list"] == price_list and price.get(edge) is not None and _moment(price[edge]) > at
    ]
    return min(edges, key=_moment, default=None)


def _factor(tax: Decimal) -> Fraction:
    if tax < 0:
        raise ValueError(f"a tax rate is not negative: {tax}")
    return 1 + Fraction(tax)


def _window(price: Mapping[str, Any]) -> tuple[datetime, datetime]:
    start, end = price.get("valid_from"), price.get("valid_to")
    return _ALWAYS if start is None else _moment(start), _FOREVER if end is None else _moment(end)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"a moment needs its zone: {text}")
    return moment
