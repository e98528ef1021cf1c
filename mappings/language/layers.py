"""Lays one map of a mapping file over another: what ``extends`` and ``use`` have in common.

A row replaces the row of the same name as a whole; ``without`` names rows that are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from mappings.language.lint import nearest
from mappings.language.loader import Node

ROWS = ("fields", "let", "keep", "drop_if")
"""Keys whose maps meet entry by entry; everything else is replaced."""

Met: TypeAlias = Callable[[str, Node, Node], None]
"""Called with the name of a row, the row below and the row that takes its place."""

Wrong: TypeAlias = Callable[..., None]


def map_of(value: dict[str, Node], like: Node, keys: dict[str, tuple[int, int]]) -> Node:
    """A map at the place of another."""
    made = Node("map", value, like.file, like.line, like.column)
    made.keys = keys
    return made


def laid(base: Node, over: Node, met: Met, wrong: Wrong) -> Node:
    """A row or block laid over another."""
    result = map_of({**base.value, **over.value}, over, {**base.keys, **over.keys})
    for key in ROWS:
        below, above = base.get(key), over.get(key)
        if below is not None and above is not None and below.kind == above.kind == "map":
            result.value[key] = _rows(below, above, met)
    return without(result, wrong)


def without(node: Node, wrong: Wrong) -> Node:
    """The block or row without the fields its key ``without`` names."""
    found, fields = node.get("without"), node.get("fields")
    if found is None:
        return node
    result = map_of({key: value for key, value in node.items() if key != "without"}, node, node.keys)
    named = found.value if found.kind == "list" else [found]
    if fields is not None and fields.kind == "map":
        left = dict(fields.value)
        for item in named:
            if item.kind != "scalar" or left.pop(str(item.value), None) is None:
                wrong(
                    item,
                    "unknown-field",
                    f"there is no row {item.value!r} to leave out",
                    nearest(str(item.value), fields.value),
                )
        result.value["fields"] = map_of(left, fields, fields.keys)
    return result


def _rows(below: Node, above: Node, met: Met) -> Node:
    for name, node in above.items():
        if name in below.value:
            met(name, below.value[name], node)
    return map_of({**below.value, **above.value}, above, {**below.keys, **above.keys})


def extended(base: Node, over: Node, met: Met, wrong: Wrong) -> Node:
    """A file laid over the file it extends: headers and entities merge, blocks meet row by row; tests are its own."""
    result = map_of({**base.value, **over.value}, over, {**base.keys, **over.keys})
    if over.get("tests") is None:
        result.value.pop("tests", None)
    for key in ("inward", "forms", "tables", "fragments", "outward"):
        below, above = base.get(key), over.get(key)
        if below is None or above is None or not below.kind == above.kind == "map":
            continue
        if key == "outward":
            result.value[key] = laid(below, above, met, wrong)
            continue
        merged = map_of({**below.value, **above.value}, above, {**below.keys, **above.keys})
        for name, node in above.items():
            under = below.get(name)
            if under is not None and under.kind == node.kind == "map" and key == "inward":
                merged.value[name] = laid(full(under), full(node), met, wrong)
            elif under is not None and under.kind == node.kind == "map" and key == "forms":
                merged.value[name] = map_of({**under.value, **node.value}, node, {**under.keys, **node.keys})
        result.value[key] = merged
    return result


def is_full(block: Node) -> bool:
    """Whether an entity's block is a row; else its keys are the fields."""
    return not {"fields", "use", "without"}.isdisjoint(block.value)


def full(block: Node) -> Node:
    """A block whose keys are its fields, as a row."""
    if is_full(block):
        return block
    return map_of({"fields": block}, block, {"fields": (block.line, block.column)})
