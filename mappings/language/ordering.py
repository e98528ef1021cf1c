"""What ``distinct``, ``sort`` and ``group`` do with the items of a list, given the key of each; order is kept."""

from __future__ import annotations

from collections.abc import Hashable
from decimal import Decimal
from typing import Any

from mappings.language.tracing import FAULTED, Depends
from mappings.language.values import Refused, wrong


def _token(key: Any) -> Hashable:
    """What makes two keys the same: 1 and 1.0 are, true and 1 are not."""
    if key is FAULTED:
        raise Depends
    if key.__class__ is bool:
        return bool, key
    if key.__class__ is list:
        return tuple(map(_token, key))
    if key.__class__ is dict:
        raise wrong(key, "a single value", "; take a field of it")
    return key  # type: ignore[no-any-return]  # what is left is text, a number, an amount or null


def distinct_by(items: list[Any], keys: list[Any]) -> list[Any]:
    """The first item of every key."""
    kept: dict[Hashable, Any] = {}
    for item, key in zip(items, keys, strict=True):
        kept.setdefault(_token(key), item)
    return list(kept.values())


def grouped_by(keys: list[Any], items: list[Any]) -> list[dict[str, Any]]:
    """One ``{key, items}`` for every key, in the order in which keys first occur."""
    groups: dict[Hashable, dict[str, Any]] = {}
    for key, item in zip(keys, items, strict=True):
        token = _token(key)
        group = groups.get(token)
        if group is None:
            groups[token] = {"key": key, "items": [item]}
        else:
            group["items"].append(item)
    return list(groups.values())


def sorted_by(items: list[Any], keys: list[list[Any]], descending: tuple[bool, ...]) -> list[Any]:
    """The items in the order of their keys, the first key first; null comes last, equal ones stay as they are."""
    order = list(range(len(items)))
    for at in reversed(range(len(descending))):
        column = [row[at] for row in keys]
        _comparable(column)
        present = [n for n in order if column[n] is not None]
        present.sort(key=column.__getitem__, reverse=descending[at])
        order = present + [n for n in order if column[n] is None]
    return [items[n] for n in order]


def _comparable(keys: list[Any]) -> None:
    kinds = set()
    for key in keys:
        if key is FAULTED:
            raise Depends
        if key.__class__ is tuple:
            kinds.add(key[1:])
        elif key.__class__ is str or key.__class__ is int or key.__class__ is Decimal:
            kinds.add((key.__class__ is str,))
        elif key is not None:
            raise wrong(key, "a text, a number or an amount", " to sort by")
    if len(kinds) > 1:
        raise Refused("mixed", "values of different currency, unit, kind or type are not put in one order")
