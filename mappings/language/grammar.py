"""The grammar of a mapping file: which keys may stand where, and what each of them holds.

Reading never stops at the first mistake: every unknown key, misplaced value and unreadable expression of a file is
collected, so that its author mends them in one go. Whether paths and types are right is checked in ``emit``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mappings.language.lint import LintError, nearest
from mappings.language.loader import Node
from mappings.language.values import READERS, ROUNDING

HEADERS = ("platform", "resource", "id", "extends", "forms", "inward", "outward", "tests")
ROW = (
    "from",
    "as",
    "table",
    "otherwise",
    "ref",
    "kept",
    "each",
    "where",
    "fields",
    "items",
    "let",
    "default",
    "required",
    "on_error",
    "round",
)
BLOCK = ("fields", "each", "where", "let", "id", "keep", "drop_if", "required", "from")
OUTWARD = ("entity", "with", "per", "id", "fields", "let", "drop_if", "required")
MAX_EXPRESSION_DEPTH = 60
FORMS = ("money", "moment", "quantity", "date", "phone", "empty", "link", "decimal")
OPTIONS = {
    "money": ("amount", "currency"),
    "moment": ("zone", "format"),
    "quantity": ("unit", "kind", "value"),
    "date": ("format",),
    "phone": ("region",),
}
OTHERWISE_REF = ("wait", "fetch", "error")
OTHERWISE_TABLE = ("error", "pass", "default", "park")
ON_ERROR = ("fault", "default", "absent", "park")


@dataclass(kw_only=True, slots=True)
class Leaf:
    """A path (``segments``) or an expression (``tree``) as it stands in the file."""

    node: Node
    text: str
    segments: tuple[str, ...] | None = None
    tree: ast.expr | None = None


@dataclass(kw_only=True, slots=True)
class Row:
    """One field's rule: where its value comes from and what is done with it, in the order of ``ROW``."""

    name: str
    node: Node
    line: int
    column: int
    source: Leaf | None = None
    as_: str | None = None
    options: dict[str, Leaf] = field(default_factory=dict)
    table: dict[str, Any] | None = None
    table_node: Node | None = None
    otherwise: str | None = None
    ref: str | None = None
    kept: str | None = None
    each: Leaf | None = None
    where: Leaf | None = None
    fields: list[Row] | None = None
    items: list[Row] | None = None
    let: list[Row] = field(default_factory=list)
    default: Leaf | None = None
    required: bool | None = None
    on_error: str = "fault"
    round: str | int | None = None


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
    where: Leaf | None = None
    let: list[Row] = field(default_factory=list)
    id: Row | None = None
    key: Row | None = None
    keep: list[Row] = field(default_factory=list)
    drop_if: list[tuple[str, Leaf]] = field(default_factory=list)
    partial: bool = False
    per: str | None = None
    with_: tuple[str, ...] = ()


@dataclass(kw_only=True, slots=True)
class Forms:
    """How a platform writes things: options per type, values that mean null, where a link's id lies."""

    options: dict[str, dict[str, Leaf]] = field(default_factory=dict)
    empty: tuple[Any, ...] = ()
    link: str | None = None
    decimal: str = "."


@dataclass(kw_only=True, slots=True)
class File:
    """A mapping file, read."""

    platform: str
    resource: str
    id: Leaf
    forms: Forms
    inward: list[Block]
    outward: Block | None
    tests: Node | None
    root: Node


class Reader:
    """Reads nodes into rows and keeps what is wrong."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.texts = {name: text.splitlines()}
        self.errors: list[LintError] = []

    # -- small readers ------------------------------------------------------------------------------------------------
    def wrong(self, node: Node, code: str, what: str, allowed: str = "", *, key: str | None = None) -> None:
        """Keeps a mistake at a node or at one of its keys."""
        self.errors.append(node.error(code, what, allowed, key=key))

    def is_map(self, node: Node, what: str) -> bool:
        """Whether the node is a map; a mistake otherwise."""
        if node.kind != "map":
            self.wrong(node, "shape", f"{what} is a map", "write keys and values under it")
        return node.kind == "map"

    def known(self, node: Node, keys: tuple[str, ...], what: str) -> None:
        """Every key that the grammar does not know is a mistake."""
        for key in node.value:
            if key in keys:
                continue
            if self._spilled(node, key):
                self.wrong(
                    node,
                    "quote",
                    f"{key!r} is the rest of an expression",
                    "quote it: in braces, an expression with , [ ] { } must stand in quotes",
                    key=key,
                )
            else:
                self.wrong(node, "unknown-key", f"unknown key {key!r} in {what}", nearest(key, keys), key=key)

    @staticmethod
    def _spilled(node: Node, key: str) -> bool:
        value = node.value[key]
        cut = any(isinstance(v.value, str) and v.plain and v.value.startswith("=") for v in node.value.values())
        return cut and value.kind == "scalar" and value.value is None and value.plain

    def text(self, node: Node, what: str) -> str:
        """A text scalar; a mistake otherwise."""
        if node.kind != "scalar" or not isinstance(node.value, str) or not node.value:
            self.wrong(node, "text", f"{what} is a text", "")
            return ""
        return node.value

    def choice(self, node: Node, what: str, known: tuple[str, ...]) -> str:
        """One of the known words; a mistake otherwise."""
        value = self.text(node, what)
        if value and value not in known:
            self.wrong(node, "choice", f"{value!r} is no {what}", nearest(value, known))
        return value

    def leaf(self, node: Node) -> Leaf:
        """A path or an expression."""
        if node.kind != "scalar":
            self.wrong(node, "leaf", "a path or an expression is wanted here", "for example name, or = upper(name)")
            return Leaf(node=node, text="", segments=())
        value = node.value
        if not isinstance(value, str):
            shown = {None: "null", True: "true", False: "false"}.get(value, str(value))
            self.wrong(node, "bare-value", f"{shown} is neither a path nor an expression", f"write = {shown}")
            return Leaf(node=node, text="", segments=())
        if value.startswith("="):
            return self.expression(node, value[1:])
        if not value or re.search(r"[\s\[\](){},'\"]", value) or ".." in value or value[0] == "." or value[-1] == ".":
            self.wrong(
                node,
                "path",
                f"{_short(value)} is not a path",
                "names with dots between, such as customer.id; an "
                "expression begins with =, a constant text is = 'text'",
            )
            return Leaf(node=node, text=value, segments=())
        return Leaf(node=node, text=value, segments=tuple(value.split(".")))

    def expression(self, node: Node, text: str) -> Leaf:
        """The tree of an expression; what Python cannot parse is a mistake with the remedy for silent mis-parses."""
        stripped = text.strip()
        if len(stripped) > 2000:
            self.wrong(node, "expression", "an expression of more than 2000 characters", "split it with let:")
            return Leaf(node=node, text="", segments=())
        try:
            tree = ast.parse(stripped, mode="eval").body
            if _depth(tree) <= MAX_EXPRESSION_DEPTH:
                return Leaf(node=node, text=stripped, tree=tree)
            self.wrong(node, "expression", f"nested deeper than {MAX_EXPRESSION_DEPTH} levels", "split it with let:")
            return Leaf(node=node, text="", segments=())
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            what = getattr(error, "msg", None) or "too deep"
            self.wrong(
                node,
                "quote" if self._cut(node) else "expression",
                f"= {_short(stripped)}: {what}",
                "quote it: what follows on this line was cut off by YAML"
                if self._cut(node)
                else "a subset of Python's expressions; see mappings/README.md",
            )
            return Leaf(node=node, text="", segments=())

    def _cut(self, node: Node) -> bool:
        lines = self.texts.get(node.file, [])
        line, column = node.end
        rest = lines[line - 1][column - 1 :] if 0 < line <= len(lines) else ""
        return node.plain and re.match(r"\s+#|\s*[,\]\[{}]|\s*:\s", rest) is not None

    # -- rows ---------------------------------------------------------------------------------------------------------
    def rows(self, node: Node, what: str) -> list[Row]:
        """The rows of a ``fields`` or ``let`` map."""
        if not self.is_map(node, what):
            return []
        rows = []
        for name, child in node.items():
            if self._spilled(node, name):
                self.known(Node("map", {name: child}, node.file, node.line, node.column), (), what)
                self.errors.pop()
                self.wrong(
                    node,
                    "quote",
                    f"{name!r} is the rest of an expression",
                    "quote it: in braces, an expression with , [ ] { } must stand in quotes",
                    key=name,
                )
                continue
            rows.append(self.row(name, child, node.keys.get(name)))
        return rows

    def row(self, name: str, node: Node, at: tuple[int, int] | None = None) -> Row:
        """One row: a map is always a row, anything else is a leaf."""
        line, column = at if at is not None else (node.line, node.column)
        row = Row(name=name, node=node, line=line, column=column)
        if node.kind == "list":
            self.wrong(node, "shape", f"{name} is a list", "a literal list is written {items: […]}")
            return row
        if node.kind == "scalar":
            row.source = self.leaf(node)
            return row
        self.known(node, ROW, f"the row {name}")
        get = node.get
        for key in ("from", "each", "where", "default"):
            found = get(key)
            if found is not None:
                setattr(row, "source" if key == "from" else key, self.leaf(found))
        if (found := get("as")) is not None:
            row.as_, row.options = self.as_(found)
        if (found := get("table")) is not None and self.is_map(found, "table"):
            row.table, row.table_node = found.data(), found
            for key, value in found.items():
                if value.kind != "scalar":
                    self.wrong(
                        value, "table", f"the entry {key!r} is not a single value", "texts, numbers, booleans, null"
                    )
        if (found := get("ref")) is not None:
            row.ref = self.text(found, "ref")
        if (found := get("kept")) is not None:
            row.kept = self.text(found, "kept")
        if (found := get("otherwise")) is not None:
            row.otherwise = self.choice(found, "otherwise", OTHERWISE_REF if row.ref else OTHERWISE_TABLE)
        if (found := get("on_error")) is not None:
            row.on_error = self.choice(found, "on_error", ON_ERROR) or "fault"
        if (found := get("required")) is not None:
            row.required = self.boolean(found, "required")
        if (found := get("round")) is not None:
            if isinstance(found.value, int) and not isinstance(found.value, bool):
                row.round = found.value
            else:
                row.round = self.choice(found, "round", tuple(ROUNDING)) or None
        if (found := get("let")) is not None:
            row.let = self.rows(found, "let")
        if (found := get("fields")) is not None:
            row.fields = self.rows(found, "fields")
        if (found := get("items")) is not None:
            if found.kind != "list":
                self.wrong(found, "shape", "items is a list", "items: [row, row]")
            else:
                row.items = [self.row(f"{name}[{i}]", item) for i, item in enumerate(found.value)]
        self._agree(row)
        return row

    def _agree(self, row: Row) -> None:
        """Keys that contradict each other, or say nothing alone."""
        node = row.node
        if row.ref is not None and row.table is not None:
            self.wrong(node, "contradiction", "a row has one of ref, table", "two rows, or let:", key="table")
        if row.otherwise is not None and row.ref is None and row.table is None:
            self.wrong(node, "alone", "otherwise needs ref or table", "", key="otherwise")
        if row.kept is not None and row.ref is None:
            self.wrong(node, "alone", "kept needs ref", "{ref: variant, kept: product_type}", key="kept")
        if row.where is not None and row.each is None:
            self.wrong(node, "alone", "where needs each", "", key="where")
        if row.items is not None and (row.fields is not None or row.source is not None or row.each is not None):
            self.wrong(node, "contradiction", "items stands alone", "with required or on_error at most", key="items")
        if row.otherwise == "default" and row.default is None:
            self.wrong(node, "alone", "otherwise: default needs default", "default: = 'x'", key="otherwise")
        if row.on_error == "default" and row.default is None:
            self.wrong(node, "alone", "on_error: default needs default", "default: = 'x'", key="on_error")
        has = (row.source, row.ref, row.each, row.fields, row.items, row.default)
        if all(part is None for part in has):
            self.wrong(node, "empty-row", f"the row {row.name} says nothing", "from, fields, each, items or default")

    def as_(self, node: Node) -> tuple[str | None, dict[str, Leaf]]:
        """``as: money`` or ``as: {money: {currency: doc.currency}}``."""
        if node.kind == "map" and len(node.value) == 1:
            name, inner = next(node.items())
            if name in READERS and self.is_map(inner, f"the options of {name}"):
                return name, self.options(name, inner)
            if name not in READERS:
                self.wrong(node, "unknown-type", f"unknown type {name!r}", nearest(name, READERS), key=name)
            return None, {}
        name = self.text(node, "as")
        if name and name not in READERS:
            self.wrong(node, "unknown-type", f"unknown type {name!r}", nearest(name, READERS))
            return None, {}
        return name or None, {}

    def options(self, name: str, node: Node) -> dict[str, Leaf]:
        """The options of a type: ``amount``, ``currency``, ``value`` are paths, the others constant texts or = …."""
        self.known(node, OPTIONS.get(name, ()), f"the options of {name}")
        found = {}
        for key, child in node.items():
            value = child.value
            if key in ("amount", "currency", "value") or not isinstance(value, str) or value.startswith("="):
                found[key] = self.leaf(child)
            else:
                found[key] = Leaf(node=child, text=repr(value), tree=ast.Constant(value))
        return found

    def boolean(self, node: Node, what: str) -> bool:
        """true or false."""
        if node.value is True or node.value is False:
            return bool(node.value)
        self.wrong(node, "boolean", f"{what} is true or false", "")
        return False

    # -- blocks -------------------------------------------------------------------------------------------------------
    def block(self, entity: str, node: Node, at: tuple[int, int] | None) -> Block:
        """An entity's block inward: with ``fields`` a row, else its keys are the fields."""
        line, column = at if at is not None else (node.line, node.column)
        block = Block(entity=entity, node=node, line=line, column=column)
        if not self.is_map(node, entity):
            return block
        if "fields" not in node.value:
            block.fields = self.rows(node, entity)
        else:
            self.known(node, BLOCK, f"the block {entity}")
            self._block_keys(block, node)
        block.key = next((row for row in block.fields if row.name == "key"), None)
        block.fields = [row for row in block.fields if row.name != "key"]
        return block

    def _block_keys(self, block: Block, node: Node) -> None:
        get = node.get
        if (found := get("fields")) is not None:
            block.fields = self.rows(found, "fields")
        if (found := get("from")) is not None:
            block.source = self.leaf(found)
        if (found := get("each")) is not None:
            block.each = self.leaf(found)
        if (found := get("where")) is not None:
            block.where = self.leaf(found)
            if block.each is None:
                self.wrong(node, "alone", "where needs each", "drop_if leaves a whole item out", key="where")
        if (found := get("let")) is not None:
            block.let = self.rows(found, "let")
        if (found := get("id")) is not None:
            block.id = self.row("id", found, node.keys.get("id"))
        if (found := get("keep")) is not None:
            block.keep = self.rows(found, "keep")
        if (found := get("required")) is not None:
            block.partial = not self.boolean(found, "required")
        if (found := get("drop_if")) is not None and self.is_map(found, "drop_if"):
            block.drop_if = [(reason, self.leaf(child)) for reason, child in found.items()]

    def outward(self, node: Node, entities: Mapping[str, Any]) -> Block | None:
        """The outward head and its fields."""
        if not self.is_map(node, "outward"):
            return None
        self.known(node, OUTWARD, "outward")
        found = node.get("entity")
        if found is None:
            self.wrong(node, "missing-key", "outward names no entity", "entity: " + ", ".join(sorted(entities)))
            return None
        block = Block(entity=self.text(found, "entity"), node=node, line=node.line, column=node.column)
        self.entity(found, block.entity, entities)
        self._block_keys(block, node)
        if node.get("fields") is None:
            self.wrong(node, "missing-key", "outward has no fields", "fields: {…}")
        if (found := node.get("per")) is not None:
            block.per = self.text(found, "per")
            self.entity(found, block.per, entities)
        if (found := node.get("with")) is not None:
            if found.kind != "list":
                self.wrong(found, "shape", "with is a list of entities", "with: [product, price]")
            else:
                block.with_ = tuple(self.text(item, "an entity") for item in found.value)
                for item, name in zip(found.value, block.with_, strict=True):
                    self.entity(item, name, entities)
        return block

    def entity(self, node: Node, name: str, entities: Mapping[str, Any], *, key: str | None = None) -> None:
        """An entity must have a canonical schema."""
        if name and name not in entities:
            self.wrong(node, "unknown-entity", f"unknown entity {name!r}", nearest(name, entities), key=key)

    def forms(self, *nodes: Node) -> Forms:
        """The forms of a platform; later nodes override earlier ones."""
        forms = Forms()
        for node in nodes:
            if not self.is_map(node, "forms"):
                continue
            self.known(node, FORMS, "forms")
            for name, child in node.items():
                if name in OPTIONS and self.is_map(child, name):
                    forms.options[name] = {**forms.options.get(name, {}), **self.options(name, child)}
                elif name == "empty":
                    values = child.value if child.kind == "list" else [child]
                    forms.empty = tuple(value.value for value in values)
                elif name == "link":
                    forms.link = str(child.value)
                elif name == "decimal":
                    forms.decimal = self.choice(child, "decimal", (",", ".")) or "."
        return forms


def _depth(tree: ast.AST) -> int:
    """How deep an expression is nested."""
    depth, level = 0, [tree]
    while level:
        depth += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"
