"""Money and quantities while a mapping runs, and how they are read from and written to JSON.

What surprises here: money is the tuple ``(amount, currency)`` and a quantity ``(value, unit, kind)``, amounts are
``Decimal``. Tuples because one is built per price of every order line: a class costs three times as much.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, TypeAlias

from mappings.language.values import EXACT, ROUNDING, Refused, decimal_of, fewer, integer_of, number_text, wrong

Money: TypeAlias = tuple[Decimal, str]
Quantity: TypeAlias = tuple[Decimal, str, str]

CENT = Decimal("0.01")
_CENTS = re.compile(r"(?:0|[1-9][0-9]{0,20})\.[0-9]{2}").fullmatch
"""What most amounts look like: already canonical for a currency of two digits, so nothing has to be computed."""

_FIGURE = re.compile(r"(?:0|[1-9][0-9]{0,20})(?:\.[0-9]{1,20})?").fullmatch
"""What most figures look like: without the zeros at its end the text is the number's shortest form."""

_CURRENCY = re.compile(r"[A-Z]{3}").fullmatch  # str.isupper would let "1E5" pass


class _Digits(dict[str, Decimal]):
    """Currency → its smallest unit. ISO 4217: two digits, but for those named here."""

    def __missing__(self, currency: Any) -> Decimal:
        if currency.__class__ is not str or _CURRENCY(currency) is None:
            raise (
                wrong(currency, "a currency code")
                if currency.__class__ is not str
                else Refused("currency", "not a currency code of three capital letters", currency)
            )
        if len(self) < 1000:
            self[currency] = CENT
        return CENT


_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
DIGITS = _Digits(
    {
        **dict.fromkeys(_NO_DIGITS.split(), Decimal(1)),
        **dict.fromkeys(_THREE_DIGITS.split(), Decimal("0.001")),
        **dict.fromkeys(("CLF", "UYW"), Decimal("0.0001")),
    }
)


def money_of(amount: Any, currency: Any = None, separator: str = ".") -> Money:
    """Money with exactly the digits its currency has; more digits are refused (``round:`` says how to lose them).

    An amount that is already money, or its canonical JSON form, keeps its currency.
    """
    if amount.__class__ is str:
        if _CENTS(amount) is not None and DIGITS[currency] is CENT:
            return Decimal(amount), currency
    elif amount.__class__ is tuple:
        amount, currency = amount
    elif amount.__class__ is dict and currency is None:
        amount, currency = amount.get("amount"), amount.get("currency")
    unit = DIGITS[currency]
    if amount.__class__ is not Decimal:
        amount = decimal_of(amount, separator)
    exact = amount.quantize(unit, context=EXACT)
    if exact != amount:
        raise Refused("digits", f"more digits than {currency} has; `round:` says how to round", amount)
    if exact.is_zero():
        exact = exact.copy_abs()
    return exact, currency


def minor_of(amount: Any, currency: Any, separator: str = ".") -> Money:
    """Money counted in the smallest unit of its currency."""
    unit = DIGITS[currency]
    return EXACT.multiply(Decimal(integer_of(amount, separator)), unit) + 0, currency


def money_rounded(amount: Any, currency: Any, mode: str, separator: str = ".") -> Money:
    """Money rounded to the digits of its currency by the named mode."""
    if amount.__class__ is tuple:
        amount, currency = amount
    elif amount.__class__ is dict and currency is None:
        amount, currency = amount.get("amount"), amount.get("currency")
    unit = DIGITS[currency]
    return money_of(decimal_of(amount, separator).quantize(unit, ROUNDING[mode], EXACT), currency)


def money_json(money: Any) -> Any:
    """Money in the canonical JSON form; null stays null."""
    if money is None:
        return None
    text = str(money[0])  # half the time of format(…, "f"), which only amounts with an exponent need
    return {"amount": text if "E" not in text else format(money[0], "f"), "currency": money[1]}


def money_out(amount: Any, currency: Any, separator: str = ".") -> dict[str, str]:
    """``money_of`` and ``money_json`` in one step, for a row to which no other row refers."""
    if amount.__class__ is str and _CENTS(amount) is not None and DIGITS[currency] is CENT:
        return {"amount": amount, "currency": currency}  # already in canonical form
    return money_json(money_of(amount, currency, separator))  # type: ignore[no-any-return]  # money is never null here


def subtract_money(a: Money, b: Money) -> Money:
    """a - b in one currency."""
    if a[1] != b[1]:
        raise Refused("mixed", "different currencies in one sum")
    return a[0] - b[0], a[1]


def add_money(a: Money, b: Money) -> Money:
    """a + b in one currency."""
    if a[1] != b[1]:
        raise Refused("mixed", "different currencies in one sum")
    return a[0] + b[0], a[1]


def sum_money(values: list[Money], start: Money) -> Money:
    """The total of amounts in one currency."""
    total, currency = start
    for amount, other in values:
        if other != currency:
            raise Refused("mixed", "different currencies in one sum")
        total += amount
    return total, currency


def quantity_of(value: Any, unit: Any = None, kind: Any = None, separator: str = ".") -> Quantity:
    """A quantity; one in canonical JSON form keeps its unit and kind."""
    if value.__class__ is tuple:
        return value
    if value.__class__ is dict:
        value, unit, kind = value.get("value"), value.get("unit"), value.get("kind")
    if unit.__class__ is not str or kind.__class__ is not str:
        raise wrong(unit if unit.__class__ is not str else kind, "a unit and a kind of quantity")
    return decimal_of(value, separator), unit, kind


def shortest(value: Any) -> str:
    """A number without trailing zeros and without an exponent: 3.0 and 3 are the same quantity."""
    if value.__class__ is int:
        return str(value)
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def quantity_json(quantity: Any) -> Any:
    """A quantity in the canonical JSON form; null stays null."""
    return quantity if quantity is None else {"value": shortest(quantity[0]), "unit": quantity[1], "kind": quantity[2]}


def quantity_out(value: Any, unit: str, kind: str, separator: str = ".") -> dict[str, str]:
    """``quantity_of`` and ``quantity_json`` in one step."""
    if value.__class__ is int:
        return {"value": str(value), "unit": unit, "kind": kind}
    plain = value.__class__ is str and unit.__class__ is str and kind.__class__ is str and separator == "."
    if plain and _FIGURE(value) is not None:
        return {"value": value.rstrip("0").rstrip(".") if "." in value else value, "unit": unit, "kind": kind}
    json: dict[str, str] = quantity_json(quantity_of(value, unit, kind, separator))
    return json


def plain(value: Any, left: list[int] | None = None) -> Any:
    """Any value as canonical JSON: exact numbers and composites become text, however deep they lie."""
    if value is None or value is True or value is False:
        return value
    kind = value.__class__
    if kind is Decimal:
        return number_text(value)
    if kind is tuple:
        return money_json(value) if len(value) == 2 else quantity_json(value)
    if kind is list or kind is dict:
        left = fewer(len(value), left)
        if kind is list:
            return [plain(item, left) for item in value]
        return {key: plain(item, left) for key, item in value.items()}
    return value


def native(value: Any, left: list[int] | None = None) -> Any:
    """Any value as a document may hold it: numbers stay exact numbers, composites become objects."""
    kind = value.__class__
    if kind is tuple:
        return money_json(value) if len(value) == 2 else quantity_json(value)
    if kind is list or kind is dict:
        left = fewer(len(value), left)
        if kind is list:
            return [native(item, left) for item in value]
        return {key: native(item, left) for key, item in value.items()}
    return value
