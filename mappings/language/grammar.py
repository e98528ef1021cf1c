"""The grammar of a mapping file: which keys may stand where, and what each of them holds."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mappings.language.loader import Node

HEADERS = (
    "platform",
    "resource",
    "id",
    "extends",
    "forms",
    "tables",
    "fragments",
    "inward",
    "outward",
    "tests",
)
ROW = (
    "use",
    "without",
    "let",
    "from",
    "when",
    "each",
    "where",
    "distinct",
    "sort",
    "group",
    "fields",
    "items",
    "table",
    "ref",
    "kept",
    "otherwise",
    "as",
    "round",
    "default",
    "required",
    "on_error",
)
CASE = ("if", "then", "else")
SORT = ("by", "descending")
BLOCK = (
    "use",
    "without",
    "from",
    "each",
    "where",
    "distinct",
    "sort",
    "group",
    "id",
    "let",
    "drop_if",
    "fields",
    "keep",
    "required",
    "on_error",
)
OUTWARD = (
    "entity",
    "with",
    "per",
    "use",
    "without",
    "id",
    "let",
    "drop_if",
    "fields",
    "emit_partial",
    "required",
    "on_error",
)
MAX_EXPRESSION_DEPTH = 60
MAX_USES = 1000
FORMS = ("money", "moment", "quantity", "date", "phone", "empty", "link", "decimal", "thousands")
SHARED = ("tables", "fragments")
OPTIONS = {
    "money": ("amount", "currency", "minor"),
    "moment": ("zone", "format"),
    "quantity": ("unit", "kind", "value"),
    "date": ("format",),
    "phone": ("region",),
}
OTHERWISE_REF = ("wait", "fetch", "error")
OTHERWISE_TABLE = ("error", "pass", "default", "park")
ON_ERROR = ("fault", "default", "absent", "park", "skip")
ON_ERROR_BLOCK = ("fault", "park", "skip")


@dataclass(kw_only=True, slots=True)
class Leaf:
    """A path (``segments``) or an expression (``tree``) as it stands in the file."""

    node: Node
    text: str
    segments: tuple[str, ...] | None = None
    tree: ast.expr | None = None


@dataclass(kw_only=True, slots=True)
class Case:
    """One case of ``when``; without a condition it is ``else``."""

    condition: Leaf | None
    row: Row


@dataclass(kw_only=True, slots=True)
class Items:
    """What becomes of a list before its items are mapped, in this order; ``inside`` are the lists within its items."""

    inside: tuple[Leaf, ...] = ()
    distinct: Leaf | None = None
    sort: tuple[tuple[Leaf, bool], ...] = ()  # (by, descending)
    group: Leaf | None = None

    @property
    def plain(self) -> bool:
        """Whether the list stays as it is."""
        return not self.inside and self.distinct is None and not self.sort and self.group is None

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Everything that is read of an item."""
        return (*self.inside, *(leaf for leaf in (self.distinct, self.group) if leaf), *(by for by, _ in self.sort))


@dataclass(kw_only=True, slots=True)
class Row:
    """One field's rule: where its value comes from and what is done with it, in the order of ``ROW``."""

    name: str
    node: Node
    line: int
    column: int
    source: Leaf | None = None
    when: list[Case] = field(default_factory=list)
    as_: str | None = None
    options: dict[str, Leaf] = field(default_factory=dict)
    table: dict[str, Any] | None = None
    table_node: Node | None = None
    otherwise: str | None = None
    ref: str | None = None
    kept: str | None = None
    each: Leaf | None = None
    over: Items = field(default_factory=Items)
    where: Leaf | None = None
    fields: list[Row] | None = None
    items: list[Row] | None = None
    let: list[Row] = field(default_factory=list)
    default: Leaf | None = None
    required: bool | None = None
    on_error: str = "fault"
    round: str | int | None = None

    @property
    def inner(self) -> tuple[Row, ...]:
        """The rows that stand inside it."""
        return (*self.let, *(self.fields or ()), *(self.items or ()), *(case.row for case in self.when))

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """The paths and expressions of the row itself."""
        conditions = (case.condition for case in self.when)
        own = (self.source, self.each, self.where, self.default, *conditions)
        return (*(leaf for leaf in own if leaf is not None), *self.over.leaves, *self.options.values())


@dataclass(kw_only=True, slots=True)
class Block:
    """What a document yields of one entity, or (outward) what is written for one record."""

    entity: str
    node: Node
    line: int
    column: int
    fields: list[Row] = field(default_factory=list)
    source: Leaf | None = None
    each: Leaf | None = None
    over: Items = field(default_factory=Items)
    where: Leaf | None = None
    let: list[Row] = field(default_factory=list)
    id: Row | None = None
    key: Row | None = None
    keep: list[Row] = field(default_factory=list)
    drop_if: list[tuple[str, Leaf]] = field(default_factory=list)
    partial: bool = False
    on_error: str = "fault"
    emit_partial: tuple[str, ...] | None = None
    per: str | None = None
    with_: tuple[str, ...] = ()


@dataclass(kw_only=True, slots=True)
class Forms:
    """How a platform writes things: options per type, values that mean null, where a link's id lies."""

    options: dict[str, dict[str, Leaf]] = field(default_factory=dict)
    empty: tuple[Any, ...] = ()
    link: str | None = None
    decimal: str = "."
    thousands: str = ""


@dataclass(kw_only=True, slots=True)
class File:
    """A mapping file, read. ``tables`` holds every named table as plain data."""

    platform: str
    resource: str
    id: Leaf
    forms: Forms
    tables: Mapping[str, Any]
    inward: list[Block]
    outward: Block | None
    tests: Node | None
    root: Node
