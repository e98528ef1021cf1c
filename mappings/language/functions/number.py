"""Functions of numbers: exact, and no mark of a locale is guessed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mappings.language.amounts import DIGITS
from mappings.language.functions.registry import Family, list_only, whole
from mappings.language.operators import add, number_only, same_kind, text_only
from mappings.language.types import READERS
from mappings.language.values import EXACT, MISSING, ROUNDING, NullOperand, Refused, decimal_of, separated

family = Family("number")


@family("int(value: any) -> integer", "a whole number; a fraction is refused", "int('12')", 12)
def _int(value: Any) -> int:
    return READERS["integer"](value)  # type: ignore[no-any-return]  # integer_of returns int


@family(
    "number(value: text, decimal: text, thousands: text = '') -> decimal",
    "a number as a country writes it, by the marks it is told; a blank is any kind of space",
    "number('1.234,50', decimal=',', thousands='.')",
    Decimal("1234.50"),
)
def _number(value: str, decimal: str, thousands: str = "") -> Decimal:
    if len(text_only(decimal)) != 1 or len(text_only(thousands)) > 1 or decimal == thousands:
        raise Refused("number", "one mark for decimals, another or none for thousands", value)
    return decimal_of(separated(text_only(value), decimal + thousands))


@family("abs(value: same) -> same", "without its sign", "abs(0 - 2.5)", Decimal("2.5"))
def _abs(value: Any) -> Any:
    if value.__class__ is tuple:
        return (abs(value[0]), *value[1:])
    return abs(number_only(value))


def _mode(mode: str) -> str:
    if mode not in ROUNDING:
        raise Refused("round", f"no such rounding mode; known: {', '.join(ROUNDING)}", mode)
    return ROUNDING[mode]


@family(
    "round(value: same, digits: integer = 0, mode: mode = 'half_up') -> same",
    "rounded; money without digits: to its currency's",
    "round(2.345, 2)",
    Decimal("2.35"),
)
def _round(value: Any, digits: Any = MISSING, mode: str = "half_up") -> Any:
    if digits is not MISSING and not -30 <= whole(digits) <= 30:
        raise Refused("round", "between -30 and 30 digits")
    if value.__class__ is tuple:
        unit = DIGITS[value[1]] if digits is MISSING and len(value) == 2 else None
        unit = Decimal(1).scaleb(0 if digits is MISSING else -digits) if unit is None else unit
        return (value[0].quantize(unit, _mode(mode), EXACT) + 0, *value[1:])
    unit = Decimal(1).scaleb(0 if digits is MISSING else -digits)
    made = decimal_of(number_only(value)).quantize(unit, _mode(mode), EXACT)
    return int(made) if value.__class__ is int else made


@family(
    "round_to(value: same, step: decimal, mode: mode = 'half_up') -> same",
    "rounded to a multiple of the step: cash, packs",
    "amount(round_to(money(1238, 'KZT'), 5))",
    Decimal("1240.00"),
)
def _round_to(value: Any, step: Any, mode: str = "half_up") -> Any:
    if number_only(step) <= 0:
        raise Refused("round", "the step is more than zero")
    if value.__class__ is tuple:
        return (_round_to(value[0], step, mode), *value[1:])
    times = EXACT.divide(decimal_of(number_only(value)), Decimal(step)).quantize(Decimal(1), _mode(mode), EXACT)
    made = EXACT.multiply(times, Decimal(step))
    return int(made) if value.__class__ is int and step.__class__ is int else made


def _comparable(values: Any) -> list[Any]:
    items: list[Any] = list_only(values)
    if any(item is None for item in items):
        raise NullOperand("one of the values is null")
    same_kind(items)
    return items


@family("min(*values: any) -> same?", "the smallest of a list or of the arguments", "min(3, 2)", 2)
def _min(*values: Any) -> Any:
    items = _comparable(values[0] if len(values) == 1 else list(values))
    return min(items) if items else None


@family("max(*values: any) -> same?", "the largest of a list or of the arguments", "max([3, 2])", 3)
def _max(*values: Any) -> Any:
    items = _comparable(values[0] if len(values) == 1 else list(values))
    return max(items) if items else None


@family(
    "sum(values: list, start: any = 0) -> same",
    "the total; of money with `start=zero(currency)`",
    "sum([1, 2.5])",
    Decimal("3.5"),
)
def _sum(values: Any, start: Any = 0) -> Any:
    total = start
    for value in list_only(values):
        total = add(total, value)
    return total
