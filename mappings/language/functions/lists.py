"""Functions of lists and objects. Where items are put in order or in groups, ``by`` is a list of one key per item:
``sort(lines, [l.price for l in lines])``, so that keys are values like any other, typed and exact."""

from __future__ import annotations

from typing import Any

from mappings.language.functions.registry import Family, list_only, of_items, whole
from mappings.language.operators import same_kind, text_only, truth
from mappings.language.values import MISSING, NullOperand, Refused, fewer, wrong

family = Family("list")


@family("count(values: list) -> integer", "how many items", "count(x for x in [1, 2] if x > 1)", 1)
def _count(values: Any) -> int:
    return len(list_only(values))


@family(
    "first(*values: any) -> same",
    "the first that is not null: of a list, or of the arguments; else null",
    "first(null, 'a')",
    "a",
    takes_null=True,
)
def _first(*values: Any) -> Any:
    for value in list_only(values[0]) if len(values) == 1 and values[0] is not None else values:
        if value is not None and value is not MISSING:
            return value
    return None


@family("coalesce(*values: any) -> same", "the same as first(a, b, …)", "coalesce(null, 0, 5)", 0, takes_null=True)
def _coalesce(*values: Any) -> Any:
    return next((value for value in values if value is not None and value is not MISSING), None)


@family("last(values: list) -> item?", "the last item; null of an empty list", "last([1, 2])", 2)
def _last(values: Any) -> Any:
    return values[-1] if list_only(values) else None


@family(
    "nth(values: list, index: integer) -> item?",
    "the item at that place (the first is 0, the last -1); null when there is none",
    "nth(['a', 'b'], 1)",
    "b",
)
def _nth(values: Any, index: int) -> Any:
    return values[index] if -len(list_only(values)) <= whole(index) < len(values) else None


@family(
    "slice(values: list, start: integer, end: integer = 0) -> same",
    "the items from the place `start` up to `end`, which is left out; without it to the last",
    "slice(['a', 'b', 'c'], 1)",
    ["b", "c"],
)
def _slice(values: Any, start: int, end: int | None = None) -> list[Any]:
    made: list[Any] = list_only(values)[whole(start) : None if end is None else whole(end)]
    return made


@family("any(values: list) -> boolean", "whether one of the conditions holds", "any(x > 1 for x in [1, 2])", True)
def _any(values: Any) -> bool:
    return True in [truth(value) for value in list_only(values)]


@family("all(values: list) -> boolean", "whether every condition holds", "all(x > 1 for x in [1, 2])", False)
def _all(values: Any) -> bool:
    return False not in [truth(value) for value in list_only(values)]


def _hashed(value: Any, left: list[int] | None = None) -> Any:
    """Something that is equal exactly for equal values: 1 is not true, 1.0 is 1."""
    if value.__class__ is list:
        left = fewer(len(value), left)
        return ("list", *[_hashed(inner, left) for inner in value])
    if value.__class__ is dict:
        left = fewer(len(value), left)
        return ("object", frozenset((key, _hashed(inner, left)) for key, inner in value.items()))
    return (value.__class__ is bool, value)


@family("distinct(values: list) -> same", "without repetitions, in order", "distinct(['a', 'b', 'a'])", ["a", "b"])
def _distinct(values: Any) -> list[Any]:
    found: dict[Any, Any] = {}
    for value in list_only(values):
        found.setdefault(_hashed(value), value)
    return list(found.values())


@family("filled(values: list) -> same", "without nulls", "filled(['a', null])", ["a"])
def _filled(values: Any) -> list[Any]:
    return [value for value in list_only(values) if value is not None and value is not MISSING]


@family("concat(*lists: list) -> same", "one list after the other", "concat(['a'], ['b'])", ["a", "b"])
def _concat(*lists: Any) -> list[Any]:
    of_items(sum(len(list_only(values)) for values in lists))
    return [value for values in lists for value in values]


@family(
    "flatten(lists: list) -> inner",
    "the items of the lists, as one list",
    "flatten([['a'], ['b', 'c']])",
    ["a", "b", "c"],
)
def _flatten(lists: Any) -> list[Any]:
    of_items(sum(len(list_only(values)) for values in list_only(lists)))
    return [value for values in lists for value in values]


@family("reverse(values: list) -> same", "from the last to the first", "reverse([1, 2])", [2, 1])
def _reverse(values: Any) -> list[Any]:
    return list(reversed(list_only(values)))


def _keys(values: Any, by: Any) -> list[Any]:
    keys: list[Any] = list_only(values) if by is None else list_only(by)
    if len(keys) != len(list_only(values)):
        raise Refused("by", f"{len(keys)} keys for {len(values)} items: `by` has one per item")
    if any(key is None for key in keys):
        raise NullOperand("one of the keys is null")
    return keys


def _order(values: Any, by: Any) -> list[int]:
    keys = _keys(values, by)
    same_kind(keys)
    if any(key.__class__ in (list, dict) for key in keys):
        raise Refused("by", "lists and objects have no order; `by` gives each a key")
    return sorted(range(len(keys)), key=keys.__getitem__)


@family(
    "sort(values: list, by: list = [], order: order = 'ascending') -> same",
    "in the order of the keys; equal ones stay as they were",
    "sort(['b', 'a'], [2, 1])",
    ["a", "b"],
)
def sort(values: Any, by: Any = None, order: str = "ascending") -> list[Any]:
    """Stable in both directions."""
    if order not in ("ascending", "descending"):
        raise Refused("order", "ascending or descending", order)
    if order == "descending":
        places = _order(list(reversed(list_only(values))), None if by is None else list(reversed(list_only(by))))
        return [values[len(values) - 1 - place] for place in reversed(places)]
    return [values[place] for place in _order(values, by)]


@family(
    "min_by(values: list, by: list) -> item?",
    "the item with the smallest key, the first of equals; null of an empty list",
    "min_by(['b', 'a'], [2, 1])",
    "a",
)
def _min_by(values: Any, by: Any) -> Any:
    return next(iter(sort(values, by)), None)


@family(
    "max_by(values: list, by: list) -> item?",
    "the item with the largest key, the first of equals; null of an empty list",
    "max_by(['b', 'a'], [2, 1])",
    "b",
)
def _max_by(values: Any, by: Any) -> Any:
    return next(iter(sort(values, by, "descending")), None)


@family(
    "group(values: list, by: list) -> groups",
    "the items of each key as {key, items}, in the order in which keys appear",
    "group([1, 2, 3], ['odd', 'even', 'odd'])",
    [{"key": "odd", "items": [1, 3]}, {"key": "even", "items": [2]}],
)
def group(values: Any, by: Any) -> list[dict[str, Any]]:
    """Equal keys are equal values: 1 and 1.0, not 1 and true."""
    found: dict[Any, dict[str, Any]] = {}
    for key, value in zip(_keys(values, by), values, strict=True):
        found.setdefault(_hashed(key), {"key": key, "items": []})["items"].append(value)
    return list(found.values())


@family(
    "keyed(values: list, by: list) -> object",
    "an object of the items by their keys (texts), for lookup(…); a key twice is a fault",
    "keyed([1, 2], ['a', 'b'])",
    {"a": 1, "b": 2},
)
def _keyed(values: Any, by: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in zip(_keys(values, by), values, strict=True):
        if text_only(key) in made:
            raise Refused("by", "two items have the same key")
        made[key] = value
    return made


@family(
    "chunk(values: list, size: integer) -> chunks",
    "lists of at most so many items",
    "chunk([1, 2, 3], 2)",
    [[1, 2], [3]],
)
def _chunk(values: Any, size: int) -> list[list[Any]]:
    if whole(size) < 1:
        raise Refused("chunk", "the size is at least 1", size)
    return [values[at : at + size] for at in range(0, len(list_only(values)), size)]


@family(
    "zip(*lists: list) -> lists",
    "the first items of each list together, then the second; the lists are equally long",
    "zip(['a', 'b'], [1, 2])",
    [["a", 1], ["b", 2]],
)
def _zip(*lists: Any) -> list[list[Any]]:
    if len({len(list_only(values)) for values in lists}) > 1:
        raise Refused("zip", "the lists are not equally long")
    return [list(items) for items in zip(*lists, strict=True)]


@family(
    "numbered(values: list) -> numbered",
    "each item as {index, value}; the first index is 0",
    "numbered(['a', 'b'])",
    [{"index": 0, "value": "a"}, {"index": 1, "value": "b"}],
)
def _numbered(values: Any) -> list[dict[str, Any]]:
    return [{"index": index, "value": value} for index, value in enumerate(list_only(values))]


@family(
    "lookup(table: object, key: text) -> any?", "the entry of an object; null without one", "lookup({'a': 1}, 'a')", 1
)
def _lookup(table: Any, key: str) -> Any:
    if table.__class__ is not dict:
        raise wrong(table, "an object")
    return table.get(text_only(key))


@family(
    "pairs(table: object) -> list",
    "the entries of an object as {key, value}",
    "pairs({'a': 1})",
    [{"key": "a", "value": 1}],
)
def _pairs(table: Any) -> list[Any]:
    if table.__class__ is not dict:
        raise wrong(table, "an object")
    return [{"key": key, "value": value} for key, value in table.items()]
