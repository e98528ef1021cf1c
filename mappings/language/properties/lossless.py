"""Which fields lose nothing on the way in and out again: plain paths, bijective tables and references, both ways.

Read from the rows as they are written; an expression, a rounding or a type says nothing about its inverse and is left
out. Paths hold ``ITEM`` for every item of a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from mappings.language.grammar import Block, Leaf, Row

Path: TypeAlias = tuple[str, ...]
ITEM = "*"
"""The step of a path that stands for every item of a list."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lossless:
    """A field of the record that stands at one place of the document in both directions."""

    canonical: Path
    native: Path
    inward: Row
    outward: Row


def lossless(inward: Block, outward: Block) -> list[Lossless]:
    """The fields of the pair that must survive a round trip; none under ``per``, where records share a document."""
    if outward.per is not None or inward.each is not None:
        return []
    start: Path | None = ()
    if inward.source is not None:
        start = _place(inward.source, (), frozenset())
    if start is None:
        return []
    back = {(source, target): row for source, target, row in _leaves(outward.fields, (), (), _names(outward.let))}
    return [
        Lossless(canonical=target, native=source, inward=row, outward=back[target, source])
        for source, target, row in _leaves(inward.fields, start, (), _names(inward.let))
        if (target, source) in back and _inverse(row, back[target, source])
    ]


def _inverse(inward: Row, outward: Row) -> bool:
    if inward.table is None and outward.table is None:
        return inward.ref == outward.ref
    if inward.table is None or outward.table is None:
        return False
    there = {key: str(value) for key, value in inward.table.items()}
    back = {key: str(value) for key, value in outward.table.items()}
    return len(set(there.values())) == len(there) and all(back.get(value) == key for key, value in there.items())


def _leaves(rows: Sequence[Row], source: Path, target: Path, names: frozenset[str]) -> Iterator[tuple[Path, Path, Row]]:
    """(where the value comes from, where it goes, its row) of every row that takes it from a path as it is."""
    for row in rows:
        to = (*target, row.name)
        inside = names | _names(row.let)
        if row.each is not None:
            start = _place(row.each, source, inside)
            if start is not None and row.where is None and row.over.plain and row.fields is not None:
                yield from _leaves(row.fields, (*start, ITEM), (*to, ITEM), inside)
        elif row.fields is not None:
            start = source if row.source is None else _place(row.source, source, inside)
            if start is not None:
                yield from _leaves(row.fields, start, to, inside)
        elif row.as_ is None and row.round is None and row.kept is None and row.otherwise not in ("pass", "default"):
            start = None
            if row.source is not None:
                start = _place(row.source, source, inside)
            elif row.ref is not None:
                start = (*source, row.ref)  # `{ref: variant}` reads the field of that name
            if start is not None:
                yield start, to, row


def _names(rows: Sequence[Row]) -> frozenset[str]:
    return frozenset(row.name for row in rows)


def _place(leaf: Leaf, under: Path, names: frozenset[str]) -> Path | None:
    """The place a path names, from the top of the document; None for anything else."""
    if leaf.segments is None or any(step.lstrip("-").isdigit() for step in leaf.segments):
        return None
    head, *rest = leaf.segments
    if head in names or head in ("up", "out", "context"):
        return None
    if head == "doc":
        return tuple(rest)
    return (*under, *rest) if head == "this" else (*under, *leaf.segments)


def values_at(value: Any, path: Path, at: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """The values at a path, each with the way to it; nothing where a step leads nowhere."""
    if not path:
        yield at, value
    elif path[0] == ITEM:
        for number, item in enumerate(value if isinstance(value, list) else ()):
            yield from values_at(item, path[1:], (*at, number))
    elif isinstance(value, dict) and path[0] in value:
        yield from values_at(value[path[0]], path[1:], (*at, path[0]))
