"""Where values come from: which source paths every row reads, noted while the fast variant is emitted.

A path is written as in the file, with ``[]`` for "each item of": ``lineItems.nodes[].title``. What ``let`` and ``out``
hand on counts as read by the row that uses it; ``context.…`` is a source, but nothing a channel is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mappings.language.grammar import Row
    from mappings.language.kinds import Val

CONTEXT = "$context"
"""The place of ``context``: no document has a field of that name."""

WHOLE = "*"
"""Stands in ``needs`` when a row takes the whole document."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldLineage:
    """One row: the field it sets and what it reads.

    ``field`` is the dotted target path (``lines[].price``, ``patches[0].value[0].quantity``); ``part`` is the key it
    stands under: ``fields``, or ``id``, ``keep``, ``let``, ``drop_if`` (``field`` is the reason), ``from``, ``each``,
    ``where``. ``entity`` is the block's; ``sources`` are paths of the document
    (inward) or of the record (outward) in the order they are read; ``functions`` are those its expressions call.
    ``table`` tells whether a table translates the value, ``ref`` the entity it refers to.
    """

    direction: str
    entity: str
    part: str
    field: str
    file: str
    line: int
    column: int
    text: str
    sources: tuple[str, ...]
    functions: tuple[str, ...]
    table: bool
    ref: str | None


@dataclass(kw_only=True, slots=True)
class _Reading:
    """What the row at hand has read so far; ``inner`` is what the rows inside it read."""

    paths: dict[str, None] = field(default_factory=dict)
    functions: dict[str, None] = field(default_factory=dict)
    inner: dict[str, None] = field(default_factory=dict)

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.paths, *self.inner)


class Origins:
    """Notes reads while values are emitted."""

    def __init__(self) -> None:
        self.direction = "inward"
        self.entity = ""
        self.naming: str | None = None  # while a document's id is emitted: whose id it is
        self.lineage: list[FieldLineage] = []
        self._reads: Counter[str] = Counter()
        self._opened: Counter[str] = Counter()
        self._reading = [_Reading()]
        self._target: list[str] = []

    # -- reads --------------------------------------------------------------------------------------------------------
    def note(self, val: Val) -> None:
        """A value was read by its path, or by a name that stands for what other rows read."""
        if val.place is None:
            self._reading[-1].paths.update(dict.fromkeys(val.reads))
        else:
            self._reading[-1].paths[val.place or WHOLE] = None
            self._reads[val.place or WHOLE] += 1

    def opened(self, val: Val) -> None:
        """The value just read is only entered: what counts is what is read inside."""
        if val.place is not None:
            self._opened[val.place or WHOLE] += 1

    def called(self, function: str) -> None:
        """An expression calls a function."""
        self._reading[-1].functions[function] = None

    # -- rows ---------------------------------------------------------------------------------------------------------
    @contextmanager
    def origin(self, row: Row, part: str = "fields") -> Iterator[_Reading]:
        """The reads inside belong to this row; rows inside it have their own."""
        reading = _Reading()
        self._reading.append(reading)
        path = ("" if not self._target or row.name.startswith("[") else ".") + row.name
        self._target.append(path)
        place = len(self.lineage)
        if row.each is not None:
            self._target.append("[]")
        yield reading
        del self._target[-2 if row.each is not None else -1 :]
        self._reading.pop()
        self._reading[-1].inner.update(dict.fromkeys(reading.all))
        # `items: []` is a value of its own row: nothing inside it could say where it comes from.
        holds_rows = any(rows is not None and len(rows) > 0 for rows in (row.fields, row.items))
        if reading.paths or not holds_rows:
            self.lineage.insert(
                place,
                FieldLineage(
                    direction=self.direction,
                    entity=self.entity,
                    part=part,
                    field="".join((*self._target, path)),
                    file=row.node.file,
                    line=row.line,
                    column=row.column,
                    text=row.source.text if row.source is not None else row.each.text if row.each is not None else "",
                    sources=tuple(path.removeprefix("$") for path in reading.paths),
                    functions=tuple(reading.functions),
                    table=row.table is not None,
                    ref=row.ref,
                ),
            )

    def needs(self) -> frozenset[str]:
        """Every path that is read: a container only where nothing inside it is, or where it is also taken whole."""
        found = {path for path in self._reads if not path.startswith(CONTEXT)}
        return frozenset(
            path
            for path in found
            if self._reads[path] > self._opened[path]
            or (path != WHOLE and not any(other.startswith((f"{path}.", f"{path}[")) for other in found))
        )
