"""The functions of expressions: a closed, typed registry; every one terminates and none changes a null into a value.

A signature is written in the language's own words (``replace(value: text, old: text, new: text) -> text``); the checker
reads the kinds of arguments and result from it. ``same`` is the kind of the first argument (of its items, if it is a
list); a parameter ending in ``= …`` may be left out; ``*name`` takes any number.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

import re2
from anyascii import anyascii

from mappings.language.operators import add, number_only, text_only, truth
from mappings.language.values import (
    DIGITS,
    EXACT,
    MISSING,
    READERS,
    ROUNDING,
    NullOperand,
    Refused,
    decimal_of,
    moment_of,
    moment_text,
    text_of,
    wrong,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One parameter: its kind, and whether it may be left out or repeated."""

    name: str
    kind: str
    optional: bool = False
    many: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Function:
    """A function of the language. ``example`` is an expression and ``gives`` its value; a test runs every one."""

    name: str
    family: str
    signature: str
    parameters: tuple[Parameter, ...]
    result: str
    run: Callable[..., Any]
    what: str
    example: str
    gives: Any
    takes_null: bool = False


FUNCTIONS: dict[str, Function] = {}


def _register(
    family: str, signature: str, what: str, example: str, gives: Any, *, takes_null: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    tree = ast.parse(f"def {signature}: ...").body[0]
    assert isinstance(tree, ast.FunctionDef)
    assert isinstance(tree.returns, ast.Name)
    firsts = len(tree.args.args) - len(tree.args.defaults)
    parameters = [
        Parameter(
            name=a.arg, kind=a.annotation.id if isinstance(a.annotation, ast.Name) else "any", optional=i >= firsts
        )
        for i, a in enumerate(tree.args.args)
    ]
    if tree.args.vararg is not None:
        kind = tree.args.vararg.annotation
        parameters.append(
            Parameter(name=tree.args.vararg.arg, kind=kind.id if isinstance(kind, ast.Name) else "any", many=True)
        )

    result = tree.returns.id

    def keep(run: Callable[..., Any]) -> Callable[..., Any]:
        FUNCTIONS[tree.name] = Function(
            name=tree.name,
            family=family,
            signature=signature,
            parameters=tuple(parameters),
            result=result,
            run=run,
            what=what,
            example=example,
            gives=gives,
            takes_null=takes_null,
        )
        return run

    return keep


def _list(values: Any) -> Any:
    if values is None or values.__class__ in (str, dict, int, Decimal, bool):
        raise wrong(values, "a list")
    return values


# -- text -------------------------------------------------------------------------------------------------------------
_register("text", "trim(value: text) -> text", "without blanks at both ends", "trim('  kettle ')", "kettle")(str.strip)
_register("text", "upper(value: text) -> text", "in capitals", "upper('kzt')", "KZT")(str.upper)
_register("text", "lower(value: text) -> text", "in small letters", "lower('RED')", "red")(str.lower)
_register("text", "title(value: text) -> text", "each word capitalised", "title('tea kettle')", "Tea Kettle")(str.title)


@_register(
    "text",
    "replace(value: text, old: text, new: text) -> text",
    "every `old` replaced",
    "replace('a-b', '-', '/')",
    "a/b",
)
def _replace(value: str, old: str, new: str) -> str:
    found = text_only(value).count(text_only(old))
    if len(value) + found * len(text_only(new)) > 1_000_000:
        raise Refused("length", "the text would grow beyond 1,000,000 characters", value)
    return value.replace(old, new)


@_register("text", "split(value: text, by: text) -> list", "the parts between `by`", "split('a,b', ',')", ["a", "b"])
def _split(value: str, by: str) -> list[str]:
    return text_only(value).split(text_only(by))


@_register(
    "text",
    "join(values: list, by: text = '') -> text",
    "the texts in one, `by` between",
    "join(['a', 'b'], '/')",
    "a/b",
)
def _join(values: Iterable[Any], by: str = "") -> str:
    return text_only(by).join([text_only(value) for value in _list(values)])


@_register("text", "left(value: text, count: integer) -> text", "the first characters", "left('kettle', 3)", "ket")
def _left(value: str, count: int) -> str:
    return text_only(value)[: max(count, 0)]


@_register("text", "right(value: text, count: integer) -> text", "the last characters", "right('kettle', 2)", "le")
def _right(value: str, count: int) -> str:
    return text_only(value)[max(len(value) - max(count, 0), 0) :]


@_register(
    "text", "slug(value: text) -> text", "for an address: Latin, small, hyphens", "slug('Чайник 2 л')", "chaynik-2-l"
)
def _slug(value: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", anyascii(text_only(value)).lower()).strip("-")


@_register(
    "text",
    "contains(value: any, part: any) -> boolean",
    "whether the part is in the text or list",
    "contains('kettle', 'tt')",
    True,
)
def _contains(value: Any, part: Any) -> bool:
    if value.__class__ is str:
        return text_only(part) in value
    return part in _list(value)


@_register(
    "text",
    "startswith(value: text, start: text) -> boolean",
    "whether it begins so",
    "startswith('SKU-1', 'SKU')",
    True,
)
def _startswith(value: str, start: str) -> bool:
    return text_only(value).startswith(text_only(start))


@_register(
    "text", "endswith(value: text, end: text) -> boolean", "whether it ends so", "endswith('a.png', '.png')", True
)
def _endswith(value: str, end: str) -> bool:
    return text_only(value).endswith(text_only(end))


@_register("text", "digits(value: text) -> text", "only the digits", "digits('+7 (701) 5')", "77015")
def _digits(value: str) -> str:
    return re.sub(r"[^0-9]", "", text_only(value))


@_register("text", "len(value: any) -> integer", "how many characters or items", "len('kettle')", 6)
def _len(value: Any) -> int:
    return len(value) if value.__class__ is str else sum(1 for _ in _list(value))


@lru_cache(maxsize=512)
def _pattern(pattern: str) -> Any:
    try:
        return re2.compile(pattern)
    except re2.error:
        raise Refused("pattern", "the pattern is not a regular expression of RE2") from None


@_register(
    "text",
    "matches(value: text, pattern: text) -> boolean",
    "whether the whole text fits (RE2)",
    "matches('AB-12', '[A-Z]+-[0-9]+')",
    True,
)
def _matches(value: str, pattern: str) -> bool:
    return _pattern(pattern).fullmatch(text_only(value)) is not None


@_register(
    "text",
    "extract(value: text, pattern: text) -> text",
    "the first match, or its first group; null without one",
    "extract('Order #1001', '#([0-9]+)')",
    "1001",
)
def _extract(value: str, pattern: str) -> str | None:
    found = _pattern(pattern).search(text_only(value))
    if found is None:
        return None
    text: str | None = found.group(1) if found.re.groups else found.group(0)
    return text


# -- number -----------------------------------------------------------------------------------------------------------
@_register("number", "int(value: any) -> integer", "a whole number; a fraction is refused", "int('12')", 12)
def _int(value: Any) -> int:
    return READERS["integer"](value)  # type: ignore[no-any-return]  # integer_of returns int


@_register("number", "abs(value: same) -> same", "without its sign", "abs(0 - 2.5)", Decimal("2.5"))
def _abs(value: Any) -> Any:
    if value.__class__ is tuple:
        return (abs(value[0]), *value[1:])
    return abs(number_only(value))


@_register(
    "number",
    "round(value: same, digits: integer = 0, mode: text = 'half_up') -> same",
    "rounded; money without digits: to its currency's",
    "round(2.345, 2)",
    Decimal("2.35"),
)
def _round(value: Any, digits: Any = MISSING, mode: str = "half_up") -> Any:
    if mode not in ROUNDING:
        raise Refused("round", f"no such rounding mode; known: {', '.join(ROUNDING)}", mode)
    if value.__class__ is tuple:
        unit = DIGITS[value[1]] if digits is MISSING else Decimal(1).scaleb(-digits)
        return (value[0].quantize(unit, ROUNDING[mode], EXACT), *value[1:])
    if digits is not MISSING and not -30 <= digits <= 30:
        raise Refused("round", "between -30 and 30 digits")
    return decimal_of(number_only(value)).quantize(
        Decimal(1).scaleb(0 if digits is MISSING else -digits), ROUNDING[mode], EXACT
    )


def _comparable(values: Any) -> list[Any]:
    items = list(_list(values))
    if any(item is None for item in items):
        raise NullOperand("one of the values is null")
    if len({item[1:] if item.__class__ is tuple else item.__class__ is str for item in items}) > 1:
        raise Refused("mixed", "values of different currency, unit, kind or type are not compared")
    return items


@_register("number", "min(*values: any) -> same", "the smallest of a list or of the arguments", "min(3, 2)", 2)
def _min(*values: Any) -> Any:
    items = _comparable(values[0] if len(values) == 1 else values)
    return min(items) if items else None


@_register("number", "max(*values: any) -> same", "the largest of a list or of the arguments", "max([3, 2])", 3)
def _max(*values: Any) -> Any:
    items = _comparable(values[0] if len(values) == 1 else values)
    return max(items) if items else None


# -- money ------------------------------------------------------------------------------------------------------------
ZEROS = {unit: unit - unit for unit in (Decimal(1), Decimal("0.01"), Decimal("0.001"), Decimal("0.0001"))}


@_register("money", "zero(currency: text) -> money", "no money, in that currency", "currency(zero('KZT'))", "KZT")
def _zero(currency: str) -> Any:
    return ZEROS[DIGITS[currency]], currency


@_register("money", "amount(value: money) -> decimal", "the number", "amount(money(12.5, 'KZT'))", Decimal("12.50"))
def _amount(value: Any) -> Decimal:
    if value.__class__ is not tuple:
        raise wrong(value, "money")
    return value[0]  # type: ignore[no-any-return]  # money is (Decimal, text)


@_register("money", "currency(value: money) -> text", "the code", "currency(money(12.5, 'KZT'))", "KZT")
def _currency(value: Any) -> str:
    if value.__class__ is not tuple:
        raise wrong(value, "money")
    return value[1]  # type: ignore[no-any-return]  # money is (Decimal, text)


@_register(
    "money",
    "value(value: quantity) -> decimal",
    "the number of a quantity",
    "value(quantity(3, 'each', 'ordered'))",
    Decimal(3),
)
def _value(value: Any) -> Decimal:
    if value.__class__ is not tuple:
        raise wrong(value, "a quantity")
    return value[0]  # type: ignore[no-any-return]  # a quantity is (Decimal, text, text)


# -- moment -----------------------------------------------------------------------------------------------------------
@_register(
    "moment",
    "day(value: moment, zone: text = 'UTC') -> date",
    "the calendar day in that zone",
    "day(moment('2026-03-01T20:00:00Z'), 'Asia/Almaty')",
    "2026-03-02",
)
def _day(value: str, zone: str = "UTC") -> str:
    text: str = moment_text(text_only(value), zone, "%Y-%m-%d")
    return text


@_register(
    "moment",
    "format_moment(value: moment, format: text, zone: text = 'UTC') -> text",
    "written by a pattern",
    "format_moment(moment('2026-03-01T09:00:00Z'), '%d.%m.%Y')",
    "01.03.2026",
)
def _format_moment(value: str, format: str, zone: str = "UTC") -> Any:
    return text_of(moment_text(moment_of(value), zone, format))


# -- list -------------------------------------------------------------------------------------------------------------
@_register(
    "list",
    "sum(values: list, start: any = 0) -> same",
    "the total; of money with `start=zero(currency)`",
    "sum([1, 2.5])",
    Decimal("3.5"),
)
def _sum(values: Any, start: Any = 0) -> Any:
    total = start
    for value in _list(values):
        total = add(total, value)
    return total


@_register("list", "count(values: list) -> integer", "how many items", "count(x for x in [1, 2] if x > 1)", 1)
def _count(values: Any) -> int:
    return sum(1 for _ in _list(values))


@_register(
    "list",
    "first(*values: any) -> same",
    "the first that is not null: of a list, or of the arguments; else null",
    "first(null, 'a')",
    "a",
    takes_null=True,
)
def _first(*values: Any) -> Any:
    for value in _list(values[0]) if len(values) == 1 and values[0] is not None else values:
        if value is not None and value is not MISSING:
            return value
    return None


@_register(
    "list", "coalesce(*values: any) -> same", "the same as first(a, b, …)", "coalesce(null, 0, 5)", 0, takes_null=True
)
def _coalesce(*values: Any) -> Any:
    return next((value for value in values if value is not None and value is not MISSING), None)


@_register(
    "list", "any(values: list) -> boolean", "whether one of the conditions holds", "any(x > 1 for x in [1, 2])", True
)
def _any(values: Any) -> bool:
    return True in [truth(value) for value in _list(values)]


@_register("list", "all(values: list) -> boolean", "whether every condition holds", "all(x > 1 for x in [1, 2])", False)
def _all(values: Any) -> bool:
    return False not in [truth(value) for value in _list(values)]


@_register(
    "list", "distinct(values: list) -> list", "without repetitions, in order", "distinct(['a', 'b', 'a'])", ["a", "b"]
)
def _distinct(values: Any) -> list[Any]:
    kept: list[Any] = []
    for value in _list(values):
        if value not in kept:
            kept.append(value)
    return kept


@_register("list", "concat(*lists: list) -> list", "one list after the other", "concat(['a'], ['b'])", ["a", "b"])
def _concat(*lists: Any) -> list[Any]:
    return [value for values in lists for value in _list(values)]


@_register("list", "filled(values: list) -> list", "without nulls", "filled(['a', null])", ["a"])
def _filled(values: Any) -> list[Any]:
    return [value for value in _list(values) if value is not None and value is not MISSING]


@_register(
    "list",
    "lookup(table: object, key: text) -> any",
    "the entry of an object; null without one",
    "lookup({'a': 1}, 'a')",
    1,
)
def _lookup(table: Any, key: str) -> Any:
    if table.__class__ is not dict:
        raise wrong(table, "an object")
    return table.get(text_only(key))


@_register(
    "list",
    "pairs(table: object) -> list",
    "the entries of an object as {key, value}",
    "pairs({'a': 1})",
    [{"key": "a", "value": 1}],
)
def _pairs(table: Any) -> list[Any]:
    if table.__class__ is not dict:
        raise wrong(table, "an object")
    return [{"key": key, "value": value} for key, value in table.items()]


def nearest_names() -> list[str]:
    """Every name that an expression may call."""
    return sorted({*FUNCTIONS, *READERS})
