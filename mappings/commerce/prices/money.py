"""Money to the digits of its currency.

What surprises here: arithmetic runs on fractions, so that the only rounding is the last one, half away from zero.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

_EXCEPTIONS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_DIGITS = {currency: places for places, currencies in _EXCEPTIONS.items() for currency in currencies.split()}


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


def text(value: Fraction) -> str:
    """Text that ``Fraction`` reads again, no digit lost: ``12490.5``, or ``37470/7`` where it never ends."""
    below = value.denominator
    for prime in (2, 5):
        while below % prime == 0:
            below //= prime
    if below != 1:
        return str(value)
    places = 0
    while (value * 10**places).denominator != 1:
        places += 1
    return f"{exact(value, places):f}"
