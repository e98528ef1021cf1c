"""Exact values while a mapping runs: numbers, text, absence, and how a value is refused.

What surprises here: every reader refuses what it cannot read exactly; none turns a null into something else. Money and
quantities stand in amounts.py, moments in moments.py, what `as:` may say in types.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Context, Decimal
from functools import lru_cache
from typing import Any, NoReturn

EXACT = Context(prec=60)
"""Arithmetic of a page: 60 digits, so that sums and products of business figures are never rounded in passing."""

ROUNDING = {
    "half_up": ROUND_HALF_UP,
    "half_even": ROUND_HALF_EVEN,
    "up": ROUND_UP,
    "down": ROUND_DOWN,
    "floor": ROUND_FLOOR,
    "ceiling": ROUND_CEILING,
}


class _Missing:
    """Absent, as opposed to null. It has no truth value, so that no test can mistake it for one."""

    def __bool__(self) -> NoReturn:
        raise TypeError("absent is neither true nor false: test `is MISSING`")

    def __repr__(self) -> str:
        return "absent"


MISSING: Any = _Missing()


class Refused(Exception):
    """A value breaks a rule. ``value`` is what was found; it is shown only by its shape (see ``faults.mask``)."""

    def __init__(self, rule: str, message: str, value: Any = MISSING) -> None:
        super().__init__(message)
        self.rule = rule
        self.value = value


class NullOperand(Refused):
    """Something that must have a value is null."""

    def __init__(self, message: str = "a value it needs is null") -> None:
        super().__init__("null", message)


def _named(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", str: "text", int: "a number", Decimal: "a number", dict: "an object", list: "a list"}
    return names.get(value.__class__, "a composite value")


def wrong(value: Any, wanted: str, hint: str = "") -> Refused:
    """The fault of a value of the wrong type."""
    if value is None or value is MISSING:
        return NullOperand(f"{wanted} is wanted, the value is null")
    return Refused("type", f"{_named(value)} where {wanted} is wanted{hint}", value)


_PLAIN = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)").fullmatch


def decimal_of(value: Any, separator: str = ".") -> Decimal:
    """An exact number from a JSON number or from text in plain notation (no ``1E5``, no ``1_000``, no spaces).

    ``separator`` is the decimal mark and, after it, the mark of thousands where the text may have one.
    """
    kind = value.__class__
    if kind is str:
        text = value if separator == "." else separated(value, separator)
        if _PLAIN(text) is None or len(text) > 50:
            raise Refused("number", "the text is not an exact number in plain notation", value)
        return Decimal(text)
    if kind is Decimal:
        if not value.is_finite() or abs(value.adjusted()) > 50:
            raise Refused("number", "the number is out of range", value)
        number: Decimal = value
        return number
    if kind is int:
        return Decimal(value)
    raise wrong(value, "a number")


@lru_cache(maxsize=64)
def _located(decimal: str, thousands: str) -> re.Pattern[str]:
    group = re.escape(thousands) if thousands else "(?!)"
    return re.compile(rf"[+-]?(?:[0-9]+|[0-9]{{1,3}}(?:{group}[0-9]{{3}})+)(?:{re.escape(decimal)}[0-9]+)?")


def separated(text: str, separator: str) -> str:
    """The number in plain notation; blanks of every width count as one, and a minus sign as a hyphen."""
    decimal, thousands = separator[0], separator[1:]
    text = re.sub("[\u00a0\u2009\u202f]", " ", text).replace("\u2212", "-")
    if len(text) > 80 or _located(decimal, thousands).fullmatch(text) is None:
        marks = f"{decimal!r} before decimals" + (f" and {thousands!r} between thousands" if thousands else "")
        raise Refused("number", f"the text is not a number with {marks}", text)
    return (text.replace(thousands, "") if thousands else text).replace(decimal, ".")


def printable(value: Decimal) -> bool:
    """1E+999999999 is ten characters in JSON and a gigabyte in plain notation."""
    return value.is_finite() and -60 < value.adjusted() < 60 and int(value.as_tuple().exponent) > -60


def number_text(value: int | Decimal) -> str:
    """A number in plain notation with the digits it has: ``0.10`` stays ``0.10``."""
    if value.__class__ is int:
        return str(value)
    if value.__class__ is Decimal:
        if not printable(value):
            raise Refused("number", "the number is out of range", value)
        return format(value, "f")
    raise wrong(value, "a number")


def integer_of(value: Any, separator: str = ".") -> int:
    """A whole number; a fraction is refused, not cut off."""
    if value.__class__ is int:
        return value
    number = decimal_of(value, separator)
    whole = int(number)
    if whole != number:
        raise Refused("integer", "the number has a fraction", value)
    return whole


def text_of(value: Any) -> str:
    """Text as it is; numbers in plain notation; booleans as ``true`` and ``false``."""
    kind = value.__class__
    if kind is str:
        text: str = value
        return text
    if kind is int or kind is Decimal:
        return number_text(value)
    if kind is bool:
        return "true" if value is True else "false"
    raise wrong(value, "text")


def boolean_of(value: Any) -> bool:
    """true or false; nothing else counts as either."""
    if value is True or value is False:
        return value
    raise wrong(value, "true or false", "; a table can say what counts as true")


def object_of(value: Any) -> dict[str, Any]:
    """An object."""
    if value.__class__ is dict:
        return value
    raise wrong(value, "an object")


def list_of(value: Any) -> list[Any]:
    """A list."""
    if value.__class__ is list:
        return value
    raise wrong(value, "a list")


MAX_VALUES = 250_000
"""How many values one document may yield or go through: far more than any order has, far less than a machine."""


def fewer(count: int, left: list[int] | None) -> list[int]:
    """What is left after so many values; a list in a list in a list of the same list is small until it is copied."""
    left = [MAX_VALUES] if left is None else left
    left[0] -= count
    if left[0] < 0:
        raise Refused("length", f"the value would hold more than {MAX_VALUES:,} values")
    return left


def masked(value: Any) -> str:
    """The shape of a value, never the value: ``dd,dd``, ``text(12)``, ``object(3 fields)``."""
    if value is MISSING:
        return "absent"
    if value is None:
        return "null"
    if value.__class__ is bool:
        return "a boolean"
    if isinstance(value, int | Decimal):
        if value.bit_length() > 200 if isinstance(value, int) else not printable(value):
            return "a number out of range"
        return re.sub(r"[0-9]", "d", number_text(value))[:24]
    if isinstance(value, str):
        if len(value) <= 12 and re.fullmatch(r"[0-9.,+\- ]+", value):
            return re.sub(r"[0-9]", "d", value)
        return f"text({len(value)})"
    if isinstance(value, Mapping):
        return f"object({len(value)} fields)"
    return f"list({len(value)} items)" if isinstance(value, list) else "a composite value"
