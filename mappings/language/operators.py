"""The operators of expressions, for operands whose kinds are known only while running: exact and strict."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from mappings.language.values import EXACT, NullOperand, Refused, fewer, wrong

MAX_TEXT = 1_000_000
"""No text that a mapping builds has more characters: a chain of `let:` could double one as often as it has names."""


def text_only(value: Any) -> str:
    if value.__class__ is not str:
        raise wrong(value, "text", "; text(…) turns numbers into text")
    return value


def number_only(value: Any) -> Any:
    if value.__class__ is int or value.__class__ is Decimal:
        return value
    raise wrong(value, "a number", "; decimal(…) reads one from text")


def same_value(a: Any, b: Any, left: list[int] | None = None) -> bool:
    """a == b of JSON values and amounts: 1 is 1.0, but neither is true."""
    if a is b:
        return True
    if a.__class__ is bool or b.__class__ is bool:
        return False
    if a.__class__ is list and b.__class__ is list:
        left = fewer(len(a), left)
        return len(a) == len(b) and all(same_value(x, y, left) for x, y in zip(a, b, strict=True))
    if a.__class__ is dict and b.__class__ is dict:
        left = fewer(len(a), left)
        return a.keys() == b.keys() and all(same_value(value, b[key], left) for key, value in a.items())
    return bool(a == b)


def _sort_of(value: Any) -> Any:
    if value.__class__ is tuple:
        return value[1:]
    return "number" if value.__class__ is int or value.__class__ is Decimal else value.__class__


def same_kind(values: list[Any]) -> None:
    """Refuses values that have no common order: numbers beside texts, two currencies."""
    if len({_sort_of(value) for value in values}) > 1:
        raise Refused("mixed", "values of different currency, unit, kind or type are not compared")


def truth(value: Any) -> bool:
    """A condition is true or false; no other value counts as either."""
    if value is True or value is False:
        return value
    raise wrong(value, "a condition", "; compare it with something")


def add(a: Any, b: Any) -> Any:
    """Numbers, two texts, or two amounts of the same currency (quantities: unit and kind)."""
    if a.__class__ is tuple or b.__class__ is tuple:
        return _same(a, b, lambda x, y: x + y)
    if a.__class__ is str or b.__class__ is str:
        if len(text_only(a)) + len(text_only(b)) > MAX_TEXT:
            raise Refused("length", f"the text would grow beyond {MAX_TEXT:,} characters")
        return a + b
    return number_only(a) + number_only(b)


def subtract(a: Any, b: Any) -> Any:
    """Numbers, or two amounts of the same currency (quantities: unit and kind)."""
    if a.__class__ is tuple or b.__class__ is tuple:
        return _same(a, b, lambda x, y: x - y)
    return number_only(a) - number_only(b)


def _same(a: Any, b: Any, run: Callable[[Decimal, Decimal], Decimal]) -> Any:
    if a.__class__ is int and a == 0:  # the start of a sum of money
        return b
    if a is None or b is None:
        raise NullOperand
    if a.__class__ is not b.__class__ or a[1:] != b[1:]:
        what = "currencies" if len(b if b.__class__ is tuple else a) == 2 else "units or kinds"
        raise Refused("mixed", f"different {what} in one sum")
    return (run(a[0], b[0]), *a[1:])


def multiply(a: Any, b: Any) -> Any:
    """Numbers, or money (or a quantity) and a number; text is never repeated."""
    if a.__class__ is tuple:
        return (a[0] * number_only(b) + 0, *a[1:])  # + 0: there is no -0.00 in business
    if b.__class__ is tuple:
        return (b[0] * number_only(a) + 0, *b[1:])
    return _bounded(number_only(a) * number_only(b))


def _bounded(value: Any) -> Any:
    if value.__class__ is int and value.bit_length() > 400:
        raise Refused("number", "the number is out of range", value)
    return value


def divide(a: Any, b: Any) -> Any:
    """Exact up to 60 digits; two amounts of one currency give a number."""
    if b.__class__ is tuple:
        if a.__class__ is not tuple or a[1:] != b[1:]:
            raise Refused("mixed", "different currencies, units or kinds in one quotient")
        return divide(a[0], b[0])
    if number_only(b) == 0:
        raise Refused("division", "division by zero")
    if a.__class__ is tuple:
        return (EXACT.divide(a[0], Decimal(b)), *a[1:])
    return EXACT.divide(Decimal(number_only(a)), Decimal(b))


def floor_divide(a: Any, b: Any) -> Any:
    """How often b goes into a, as a whole number, rounded down."""
    if number_only(b) == 0:
        raise Refused("division", "division by zero")
    quotient = EXACT.divide(Decimal(number_only(a)), Decimal(b))
    if not quotient.is_finite() or quotient.adjusted() > 50:
        raise Refused("number", "the number is out of range", quotient)
    return int(quotient.to_integral_value("ROUND_FLOOR"))


def remainder(a: Any, b: Any) -> Any:
    """What is left of a after ``floor_divide``; it has the sign of b."""
    return number_only(a) - floor_divide(a, b) * b


def less(a: Any, b: Any) -> bool:
    """a < b, of numbers, texts, or amounts of one currency."""
    if a.__class__ is tuple or b.__class__ is tuple:
        if a is None or b is None or a.__class__ is not b.__class__ or a[1:] != b[1:]:
            raise NullOperand() if a is None or b is None else Refused("mixed", "amounts of different kinds compared")
        return bool(a[0] < b[0])
    if a.__class__ is str or b.__class__ is str:
        return text_only(a) < text_only(b)
    return bool(number_only(a) < number_only(b))
