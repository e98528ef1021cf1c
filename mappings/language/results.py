"""What a call gives, as far as its arguments tell: the words that stand after ``->`` in a signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mappings.language.functions import Function
from mappings.language.kinds import AMOUNTS, Val, constant_of, either, item_of
from mappings.language.measures import Measure
from mappings.language.shapes import ANY, Shape


def result_of(known: Function, given: Mapping[str, Val], args: list[Val], named: Mapping[str, Val]) -> Val:
    """The value of a call, without its code; nothing promised about it is untrue whatever the document holds.

    ``given`` are its arguments by the names of the parameters, ``args`` and ``named`` as they were written.
    """
    first = args[0]
    if known.result == "same":
        made = _same(known, args, named)
    elif known.result == "item":
        made = replace(item_of(first), sure=False)
    else:
        made = replace(_named(known.result, args, named), loose=known.name == "exchange")
    return replace(
        made, null=made.null or known.nullable, absent=False, measure=_measure(known.name, given, made, first)
    )


def _measure(name: str, given: Mapping[str, Val], made: Val, first: Val) -> Measure:
    if name in ("zero", "from_minor"):
        return Measure(currency=constant_of(given.get("currency")))
    if name == "exchange":
        return Measure(currency=constant_of(given.get("to")))
    if name == "convert":
        return replace(first.measure, unit=constant_of(given.get("to")))
    if name == "count_as":
        kind = constant_of(given.get("kind"))
        return replace(first.measure, kinds=(kind,) if kind is not None else ())
    if name == "sum" and "start" in given:
        return given["start"].measure.joined(item_of(given["values"]).measure)
    if name in ("sum", "min", "max", "first") and first.kind == "list":
        return item_of(first).measure
    if name in ("value", "amount", "int", "net", "gross", "tax"):
        return first.measure
    return made.measure


HANDED_ON = ("first", "coalesce", "min", "max")
"""Functions that hand a value on as it is: what only a schema promised of it is still only promised."""


def _same(known: Function, args: list[Val], named: Mapping[str, Val]) -> Val:
    first = args[0]
    if known.name in HANDED_ON and len(args) > 1:
        result = first
        for other in args[1:]:
            result = either("", result, other)
        return replace(result, null=all(a.null for a in args))
    if known.name == "round_to" and len(args) > 1 and "decimal" in (args[1].kind, first.kind):
        first = replace(first, kind="decimal" if first.kind == "integer" else first.kind)
    if known.name == "sum" or (first.kind == "list" and known.name in ("min", "max", "first") and len(args) == 1):
        inner = item_of(first)
        start = named.get("start") or (args[1] if len(args) > 1 else None)
        kind = start.kind if start is not None and start.kind in AMOUNTS else inner.kind
        kind = "any" if first.kind == "any" and start is None else kind
        if start is not None and kind == "integer" and start.kind != "integer":
            kind = "decimal" if start.kind == "decimal" else "any"
        loose = inner.loose or (kind in AMOUNTS and inner.kind == "any")
        sure = inner.sure or (known.name == "sum" and kind != "any")  # the others hand an item on as they found it
        return Val(code="", kind=kind, null=known.name != "sum", sure=sure, loose=loose)
    if first.kind == "list":
        return Val(code="", kind="list", null=False, sure=True, item=item_of(first))
    sure = first.sure if known.name in HANDED_ON else first.kind != "any"
    return replace(first, null=False, sure=sure, loose=first.loose or known.name.startswith("round"))


def _named(word: str, args: list[Val], named: Mapping[str, Val]) -> Val:
    first = args[0]
    item: Val | None = None
    if word in ("texts", "moneys"):
        item = Val(code="", kind=word[:-1] if word == "texts" else "money", null=False, sure=True)
    elif word == "inner":
        item = item_of(item_of(first))
    elif word == "chunks":
        item = Val(code="", kind="list", null=False, sure=True, item=item_of(first))
    elif word == "lists":
        item = Val(code="", kind="list", null=False, sure=True)
    elif word == "numbered":
        item = _object(first, {"index": {"type": "integer"}}, "value", whole=False)
    elif word == "groups":
        by = named.get("by") or (args[1] if len(args) > 1 else Val(code=""))
        item = _object(first, {"key": _schema(item_of(by).kind)}, "items", whole=True)
    else:
        return Val(code="", kind=word, null=False, sure=word != "any")
    return Val(code="", kind="list", null=False, sure=True, item=item)


def _schema(kind: str) -> dict[str, str]:
    types = {"text": "string", "integer": "integer", "boolean": "boolean"}
    return {"type": types[kind]} if kind in types else {}


def _object(values: Val, fields: dict[str, dict[str, str]], name: str, *, whole: bool) -> Val:
    """An object made by a function around items (or the whole list) of another list, whose schema it keeps."""
    item = item_of(values)
    inner = dict(item.shape.schema) if item.shape is not ANY else {}
    inner = {"anyOf": [inner, {"type": "null"}]} if inner and item.null else inner
    properties = {**fields, name: {"type": "array", "items": inner} if whole else inner}
    schema = {"type": "object", "additionalProperties": False, "properties": properties, "required": list(properties)}
    shape = Shape(kind="object", null=False, schema=schema, book=item.shape.book)
    return Val(code="", kind="object", null=False, sure=True, shape=shape)
