"""Makes the mutants of a mapping file: each is the file with one place changed, told by operator, place and change.

What surprises here: a mutant's text is JSON, which is YAML too; its lines are not the file's, so a mutant carries the
line of the place it changed.
"""

from __future__ import annotations

import ast
import copy
import json
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from mappings.language import load_yaml
from mappings.language.loader import Node, load_node
from mappings.language.mapping import _head
from mappings.language.shapes import ANY, Book, Shape, shape_of
from mappings.language.values import ROUNDING

OPERATORS: dict[str, Any] = load_yaml((Path(__file__).parent / "operators.yaml").read_text(), "operators.yaml")[0]
GONE = object()
SWAPPED = {ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*")}


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change. ``place`` is the way to it in the file, ``change`` what stood there and what stands there now."""

    operator: str
    place: tuple[str | int, ...]
    line: int
    change: str
    value: Any

    @property
    def key(self) -> str:
        """What names it in ``equivalent.yaml``: no line numbers, so that it outlives other edits of the file."""
        return f"{self.operator} {'.'.join(map(str, self.place))}: {self.change}"


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What names mean at a place: the source here, above, the document, and names that hide fields."""

    here: Shape
    doc: Shape
    up: Shape | None = None
    names: frozenset[str] = frozenset()


def mutants_of(text: str, mapping: Any, source: Shape, canonical: Mapping[str, Any], seed: int = 0) -> list[Mutant]:
    """Every mutant of a mapping's text, places with too many bounded by ``most`` of their operator."""
    root = load_node(text, "")
    found: list[Mutant] = []
    inward, outward = root.get("inward"), root.get("outward")
    for entity, node in inward.items() if inward is not None else ():
        target = shape_of(canonical[entity], Book(root=canonical[entity], others=canonical, canonical=True))
        _Maker(found, inward=True).block(node, ("inward", entity), Scope(here=source, doc=source), target)
    if outward is not None:
        record = _head(mapping.file.outward, canonical)[1]
        _Maker(found, inward=False).block(outward, ("outward",), Scope(here=record, doc=record), source)
    for name, table in _map(root.get("tables")):
        _Maker(found, inward=True).table(table, ("tables", name))
    for name, node in _map(root.get("fragments")):  # their paths mean something only where they are used
        _Maker(found, inward=False).row(node, ("fragments", name), Scope(here=ANY, doc=ANY), ANY)
    return list(_bounded(found, seed))


def _bounded(found: list[Mutant], seed: int) -> Iterator[Mutant]:
    groups: dict[tuple[str, tuple[str | int, ...], str], list[Mutant]] = {}
    for mutant in found:
        groups.setdefault((mutant.operator, mutant.place, mutant.change.partition(" → ")[0]), []).append(mutant)
    for (operator, place, _), group in groups.items():
        most = OPERATORS[operator]["most"]
        drawn = random.Random(f"{seed} {place}")  # a sample, no secret
        yield from group if len(group) <= most else drawn.sample(group, most)


def mutated(data: Any, mutant: Mutant) -> str:
    """The text of a file, given as plain data, with the change made."""
    data = copy.deepcopy(data)
    holder = data
    for step in mutant.place[:-1]:
        holder = holder[step]
    if mutant.value is GONE:
        del holder[mutant.place[-1]]
    else:
        holder[mutant.place[-1]] = mutant.value
    return _json(data)


def _json(value: Any) -> str:
    """JSON in which exact numbers are numbers."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    return format(value, "f") if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


class _Maker:
    """Walks the blocks and rows of a file; what it finds goes into ``found``."""

    def __init__(self, found: list[Mutant], *, inward: bool) -> None:
        self.found, self.inward = found, inward

    def add(self, operator: str, place: tuple[str | int, ...], node: Node, was: Any, now: Any) -> None:
        shown = "dropped" if now is GONE else _brief(now)
        change = f"{_brief(was)} → {shown}"
        self.found.append(Mutant(operator=operator, place=place, line=node.line, change=change, value=now))

    def gone(self, operator: str, place: tuple[str | int, ...], node: Node) -> None:
        self.add(operator, place, node, node.data(), GONE)

    # -- blocks and rows ----------------------------------------------------------------------------------------------
    def block(self, node: Node, place: tuple[str | int, ...], scope: Scope, target: Shape) -> None:
        """An entity's block, with ``fields`` or with its keys as the fields."""
        if "fields" not in node.value and self.inward:
            self.fields(node, place, scope, target)
        else:
            self.row(node, place, scope, target, block=True)

    def fields(self, node: Node, place: tuple[str | int, ...], scope: Scope, target: Shape) -> None:
        """A map of rows; one that the target does not require is also dropped."""
        required = target.required if self.inward else frozenset()
        for name, row in node.items():
            step = target.step(name)
            if name not in required and name != "key":
                self.gone("row", (*place, name), row)
            self.row(row, (*place, name), scope, step[0] if step is not None else ANY)

    def row(
        self, node: Node, place: tuple[str | int, ...], scope: Scope, target: Shape, *, block: bool = False
    ) -> None:
        """A row or a leaf: every key that an operator knows, then what lies inside."""
        if node.kind == "scalar":
            self.leaf(node, place, scope)
            return
        if node.kind != "map":
            return
        get = node.get
        if (let := get("let")) is not None and let.kind == "map":
            for name, row in let.items():
                self.row(row, (*place, "let", name), scope, ANY)
                scope = replace(scope, names=scope.names | {name})
        inner = scope
        for key in ("from", "each"):
            if (leaf := get(key)) is not None:
                self.leaf(leaf, (*place, key), scope)
                if key == "each" or get("fields") is not None:
                    here = self.shape(leaf, scope)
                    inner = Scope(here=here.item if key == "each" else here, doc=scope.doc, up=scope.here)
        for key in ("where", "default"):
            if (leaf := get(key)) is not None and leaf.kind == "scalar":
                self.leaf(leaf, (*place, key), inner, condition=key == "where")
        for reason, leaf in _map(get("drop_if")):
            self.leaf(leaf, (*place, "drop_if", reason), inner, condition=True)
            self.gone("drop_if", (*place, "drop_if", reason), leaf)
        for key in ("where", "otherwise", "on_error", "required"):
            if (found := get(key)) is not None:
                self.gone(key, (*place, key), found)
        self._default(get("default"), place)
        self._round(get("round"), place)
        self.table(get("table"), (*place, "table"))
        for key in ("distinct", "sort", "group"):
            self._order(get(key), (*place, key), inner)
        for name, option in _map(get("as")):
            for key, leaf in _map(option):
                self.leaf(leaf, (*place, "as", name, key), inner)
        for number, case in enumerate(_list(get("when"))):
            if (leaf := case.get("if")) is not None:
                self.leaf(leaf, (*place, "when", number, "if"), inner, condition=True)
            for key in ("then", "else"):
                if (row := case.get(key)) is not None:
                    self.row(row, (*place, "when", number, key), inner, target)
        if (row := get("id")) is not None and block:
            self.row(row, (*place, "id"), inner, ANY)
        for name, row in _map(get("keep")):
            self.gone("row", (*place, "keep", name), row)
            self.row(row, (*place, "keep", name), inner, ANY)
        if (fields := get("fields")) is not None and fields.kind == "map":
            item = target.item if target.kind == "list" and not block else target
            self.fields(fields, (*place, "fields"), inner, item)
        for number, row in enumerate(_list(get("items"))):
            self.row(row, (*place, "items", number), inner, target.item if target.kind == "list" else ANY)

    def _default(self, node: Node | None, place: tuple[str | int, ...]) -> None:
        if node is None:
            return
        value = node.value
        constant = None
        if isinstance(value, str) and value.startswith("="):
            try:
                constant = ast.literal_eval(value[1:].strip())
            except (ValueError, SyntaxError):
                constant = None
        if isinstance(constant, bool):
            self.add("default", (*place, "default"), node, value, f"= {str(not constant).lower()}")
        elif isinstance(constant, str):
            self.add("default", (*place, "default"), node, value, f"= {constant + '~'!r}")
        elif isinstance(constant, int):
            self.add("default", (*place, "default"), node, value, f"= {constant + 1}")
        else:
            self.gone("default", (*place, "default"), node)

    def _round(self, node: Node | None, place: tuple[str | int, ...]) -> None:
        if node is None:
            return
        if isinstance(node.value, int):
            self.add("round", (*place, "round"), node, node.value, node.value + 1)
        for mode in ("half_up", "half_even", "down"):
            if node.value in ROUNDING and mode != node.value:
                self.add("round", (*place, "round"), node, node.value, mode)

    def _order(self, node: Node | None, place: tuple[str | int, ...], scope: Scope) -> None:
        """What items are compared by: a leaf, ``{by: leaf}``, or a list of them."""
        if node is None:
            return
        if (by := node.get("by") if node.kind == "map" else None) is not None:
            self.leaf(by, (*place, "by"), scope)
        for number, part in enumerate(_list(node)):
            self._order(part, (*place, number), scope)
        self.leaf(node, place, scope)

    def table(self, node: Node | None, place: tuple[str | int, ...]) -> None:
        """Each entry of a table gives what another gives."""
        entries = [(key, value) for key, value in _map(node) if value.kind == "scalar"]
        values = list(dict.fromkeys(value.value for _, value in entries))
        for key, entry in entries:
            others = values[values.index(entry.value) + 1 :] + values[: values.index(entry.value)]
            if others:
                self.add("table", (*place, key), entry, entry.value, others[0])

    # -- leaves -------------------------------------------------------------------------------------------------------
    def leaf(self, node: Node, place: tuple[str | int, ...], scope: Scope, *, condition: bool = False) -> None:
        """A path, or an expression with what it reads, decides and computes."""
        text = node.value
        if node.kind != "scalar" or not isinstance(text, str) or not text:
            return
        if text.startswith("="):
            self.expression(node, place, scope, text[1:].strip(), condition=condition)
            return
        if condition:
            self.add("condition", place, node, text, f"= not {text}")
        *above, last = text.split(".")
        parent = self.follow(above, scope)
        for other in _siblings(parent, last) if parent is not None and self.named(text, scope) else ():
            self.add("path", place, node, text, ".".join((*above, other)))

    def named(self, text: str, scope: Scope) -> bool:
        return text.split(".")[0] not in scope.names

    def follow(self, steps: list[str], scope: Scope) -> Shape | None:
        """The shape at the end of a path; None where names lead outside the schema."""
        here: Shape | None = scope.here
        if steps and steps[0] in ("doc", "up", "this"):
            here = {"doc": scope.doc, "up": scope.up, "this": scope.here}[steps[0]]
            steps = steps[1:]
        elif steps and steps[0] in ("out", "context"):
            return None
        for step in steps:
            found = None if here is None else here.step(step)
            if here is not None and here.kind == "list" and re.fullmatch("-?[0-9]+", step):
                here = here.item
            else:
                here = None if found is None else found[0]
        return here

    def shape(self, leaf: Node, scope: Scope) -> Shape:
        """What a leaf gives, as far as a path says it."""
        text = leaf.value
        if not isinstance(text, str) or text.startswith("=") or not self.named(text, scope):
            return ANY
        return self.follow(text.split("."), scope) or ANY

    def expression(
        self, node: Node, place: tuple[str | int, ...], scope: Scope, text: str, *, condition: bool
    ) -> None:
        """Names, conditions and arithmetic of an expression, each changed where it stands in the text."""
        try:
            tree = ast.parse(text, mode="eval").body
        except SyntaxError:
            return
        raw = text.encode()

        def put(operator: str, start: int, end: int, new: str) -> None:
            now = (raw[:start] + new.encode() + raw[end:]).decode()
            self.add(operator, place, node, f"= {text}", f"= {now}")

        if condition:
            put("condition", 0, len(raw), f"not ({text})")
        for part, names in _parts(tree, {}, scope, self):
            start, end = part.col_offset, part.end_col_offset or 0
            if isinstance(part, ast.IfExp):
                a, b = part.test.col_offset, part.test.end_col_offset or 0
                put("condition", a, b, f"not ({raw[a:b].decode()})")
            elif isinstance(part, ast.comprehension):
                for test in part.ifs:
                    a, b = test.col_offset, test.end_col_offset or 0
                    put("condition", a, b, f"not ({raw[a:b].decode()})")
            elif isinstance(part, ast.BinOp) and type(part.op) in SWAPPED:
                sign, other = SWAPPED[type(part.op)]
                a, b = part.left.end_col_offset or 0, part.right.col_offset
                put("arithmetic", a, b, raw[a:b].decode().replace(sign, other, 1))
            elif isinstance(part, ast.Attribute):
                parent = _shape_in(part.value, names, scope, self)
                for name in _siblings(parent, part.attr) if parent is not None else ():
                    put("path", end - len(part.attr.encode()), end, name)
            elif isinstance(part, ast.Name) and part.id not in names and part.id not in scope.names:
                for name in _siblings(scope.here, part.id):
                    put("path", start, end, name)


def _map(node: Node | None) -> Iterator[tuple[str, Node]]:
    return iter(()) if node is None or node.kind != "map" else node.items()


def _list(node: Node | None) -> list[Node]:
    return [] if node is None or node.kind != "list" else list(node.value)


def _siblings(parent: Shape, name: str) -> list[str]:
    """The other fields of the type that can be read, in the order of the schema; none for a name it does not know."""
    own = parent.properties.get(name)
    if own is None:
        return []
    kind = shape_of(own, parent.book).kind
    return [
        other
        for other, schema in parent.properties.items()
        if other != name
        and schema.get("writeOnly") is not True
        and re.fullmatch(r"[^\W\d]\w*", other)
        and shape_of(schema, parent.book).kind == kind
    ]


def _parts(
    tree: ast.expr, names: dict[str, Shape], scope: Scope, maker: _Maker
) -> Iterator[tuple[Any, dict[str, Shape]]]:
    """Every part of an expression with the shapes of the names that generators give."""
    if isinstance(tree, ast.GeneratorExp | ast.ListComp):
        inner = dict(names)
        for loop in tree.generators:
            yield from _parts(loop.iter, dict(inner), scope, maker)
            if isinstance(loop.target, ast.Name):
                over = _shape_in(loop.iter, inner, scope, maker)
                inner[loop.target.id] = over.item if over is not None else ANY
            loop.col_offset = loop.end_col_offset = 0
            yield loop, inner
            for test in loop.ifs:
                yield from _parts(test, inner, scope, maker)
        yield from _parts(tree.elt, inner, scope, maker)
        return
    yield tree, names
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.expr) and not (isinstance(tree, ast.Call) and child is tree.func):
            yield from _parts(child, names, scope, maker)
        elif isinstance(child, ast.keyword):
            yield from _parts(child.value, names, scope, maker)


def _shape_in(node: ast.expr, names: dict[str, Shape], scope: Scope, maker: _Maker) -> Shape | None:
    """The shape of a chain of names in an expression."""
    steps: list[str] = []
    while isinstance(node, ast.Attribute):
        steps.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    if node.id in names:
        here: Shape | None = names[node.id]
        for step in steps:
            found = here.step(step) if here is not None else None
            here = found[0] if found is not None else None
        return here
    return None if node.id in scope.names else maker.follow([node.id, *steps], scope)


def _brief(value: Any) -> str:
    text = value if isinstance(value, str) else _json(value)
    return text if len(text) <= 200 else text[:197] + "…"
