"""Reads the rows and blocks of a mapping file, with the fragments they use laid under them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from mappings.language.fragments import Shared
from mappings.language.grammar import (
    BLOCK,
    CASE,
    FORMS,
    ON_ERROR,
    ON_ERROR_BLOCK,
    OPTIONS,
    OTHERWISE_REF,
    OTHERWISE_TABLE,
    OUTWARD,
    ROW,
    SORT,
    Block,
    Case,
    Forms,
    Items,
    Leaf,
    Row,
)
from mappings.language.layers import is_full
from mappings.language.lint import nearest
from mappings.language.loader import Node
from mappings.language.types import READERS
from mappings.language.values import ROUNDING


class Reader(Shared):
    """Reads nodes into rows and keeps what is wrong."""

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
        node = row.node = self.used(node)
        get = node.get
        for key in ("from", "where", "default"):
            found = get(key)
            if found is not None:
                setattr(row, "source" if key == "from" else key, self.leaf(found))
        if (found := get("as")) is not None:
            row.as_, row.options = self.as_(found)
        if (found := get("table")) is not None and (table := self.table(found)) is not None:
            row.table, row.table_node = table
        if (found := get("when")) is not None:
            row.when = self.when(name, found)
        row.over = self.over(row, node)
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

    def when(self, name: str, node: Node) -> list[Case]:
        """The cases of a row, the first whose condition holds; ``else`` comes last."""
        cases: list[Case] = []
        if node.kind != "list" or not node.value:
            self.wrong(node, "shape", "when is a list of cases", "- {if: = x > 0, then: …}, and last - {else: …}")
            return cases
        for number, child in enumerate(node.value):
            if not self.is_map(child, "a case"):
                continue
            self.known(child, CASE, f"a case of {name}")
            test, then, other = child.get("if"), child.get("then"), child.get("else")
            if other is not None:
                if test is not None or then is not None:
                    self.wrong(child, "contradiction", "else stands alone in its case", "- {else: …}", key="else")
                if number < len(node.value) - 1:
                    self.wrong(node.value[number + 1], "unreachable", "a case after else", "else is the last case")
                cases.append(Case(condition=None, row=self.row(name, other, child.keys["else"])))
            elif test is None or then is None:
                self.wrong(child, "missing-key", "a case has if and then, or else", "- {if: = x > 0, then: = 'a'}")
            else:
                condition = self.leaf(test)
                if any(case.condition is not None and case.condition.text == condition.text for case in cases):
                    self.wrong(test, "unreachable", "an earlier case has the same condition", "the first one counts")
                cases.append(Case(condition=condition, row=self.row(name, then, child.keys["then"])))
        return cases

    def over(self, row: Row | Block, node: Node) -> Items:
        """Reads ``each``, and what ``distinct``, ``sort`` and ``group`` make of the list."""
        found = node.get("each")
        inside: tuple[Leaf, ...] = ()
        if found is not None and found.kind == "list" and found.value:
            row.each, *rest = [self.leaf(item) for item in found.value]
            inside = tuple(rest)
        elif found is not None:
            row.each = self.leaf(found)
        sort: list[tuple[Leaf, bool]] = []
        if (found := node.get("sort")) is not None:
            for item in found.value if found.kind == "list" else [found]:
                if item.kind != "map":
                    sort.append((self.leaf(item), False))
                    continue
                self.known(item, SORT, "sort")
                down = item.get("descending")
                if (by := item.get("by")) is None:
                    self.wrong(item, "missing-key", "sort has no by", "{by: position, descending: true}")
                else:
                    sort.append((self.leaf(by), down is not None and self.boolean(down, "descending")))
        leaves = {key: self.leaf(at) for key in ("distinct", "group") if (at := node.get(key)) is not None}
        if row.each is None:
            for key in ("where", "distinct", "sort", "group"):
                if node.get(key) is not None:
                    hint = "drop_if leaves a whole item out" if key == "where" and isinstance(row, Block) else ""
                    self.wrong(node, "alone", f"{key} needs each", hint, key=key)
        return Items(inside=inside, distinct=leaves.get("distinct"), sort=tuple(sort), group=leaves.get("group"))

    def _agree(self, row: Row) -> None:
        """Keys that contradict each other, or say nothing alone."""
        node = row.node
        if row.ref is not None and row.table is not None:
            self.wrong(node, "contradiction", "a row has one of ref, table", "two rows, or let:", key="table")
        if row.otherwise is not None and row.ref is None and row.table is None:
            self.wrong(node, "alone", "otherwise needs ref or table", "", key="otherwise")
        if row.kept is not None and row.ref is None:
            self.wrong(node, "alone", "kept needs ref", "{ref: variant, kept: product_type}", key="kept")
        if row.items is not None and (row.fields is not None or row.source is not None or row.each is not None):
            self.wrong(node, "contradiction", "items stands alone", "with required or on_error at most", key="items")
        others = {"from": row.source, "each": row.each, "fields": row.fields, "items": row.items, "ref": row.ref}
        for key, part in others.items():
            if row.when and part is not None:
                self.wrong(node, "contradiction", f"a row has one of when, {key}", f"{key} goes inside then:", key=key)
        if row.each is not None and row.fields is not None and row.source is not None:
            self.wrong(
                node, "contradiction", "a row with fields has one of each, from", "two rows, one inside", key="from"
            )
        if row.otherwise == "default" and row.default is None:
            self.wrong(node, "alone", "otherwise: default needs default", "default: = 'x'", key="otherwise")
        if row.on_error == "default" and row.default is None:
            self.wrong(node, "alone", "on_error: default needs default", "default: = 'x'", key="on_error")
        has = (row.source, row.ref, row.each, row.fields, row.items, row.default)
        if all(part is None for part in has) and node.get("when") is None:
            self.wrong(
                node, "empty-row", f"the row {row.name} says nothing", "from, when, fields, each, items or default"
            )

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
        """The options of a type: ``amount``, ``currency``, ``value`` are paths, ``minor`` a boolean, others texts."""
        self.known(node, OPTIONS.get(name, ()), f"the options of {name}")
        found = {}
        for key, child in node.items():
            value = child.value
            if key == "minor":
                flag = self.boolean(child, "minor")
                found[key] = Leaf(node=child, text=str(flag).lower(), tree=ast.Constant(flag))
            elif key in ("amount", "currency", "value") or not isinstance(value, str) or value.startswith("="):
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
        if not is_full(node):
            block.fields = self.rows(node, entity)
        else:
            self.known(node, BLOCK, f"the block {entity}")
            self._block_keys(block, self.used(node), entity)
        block.key = next((row for row in block.fields if row.name == "key"), None)
        block.fields = [row for row in block.fields if row.name != "key"]
        return block

    def _block_keys(self, block: Block, node: Node, what: str) -> None:
        get = node.get
        if (found := get("fields")) is not None:
            block.fields = self.rows(found, "fields")
        else:
            self.wrong(node, "missing-key", f"{what} has no fields", "fields: {…}")
        if (found := get("from")) is not None:
            block.source = self.leaf(found)
        if (found := get("where")) is not None:
            block.where = self.leaf(found)
        block.over = self.over(block, node)
        if (found := get("on_error")) is not None:
            block.on_error = self.choice(found, "on_error", ON_ERROR_BLOCK) or "fault"
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
        self._block_keys(block, self.used(node), "outward")
        if (found := node.get("emit_partial")) is not None:
            block.emit_partial = self.emit_partial(found, block)
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

    def emit_partial(self, node: Node, block: Block) -> tuple[str, ...] | None:
        """true, or the fields that are always written beside those that changed; None: every field is written."""
        if node.kind == "scalar":
            return () if self.boolean(node, "emit_partial") else None
        if not self.is_list(node, "emit_partial", "true, or the fields that are always written: [sku]"):
            return None
        known = [row.name for row in block.fields]
        names = []
        for item in node.value:
            names.append(self.text(item, "a field"))
            if names[-1] and names[-1] not in known:
                self.wrong(item, "unknown-field", f"outward sets no {names[-1]!r}", nearest(names[-1], known))
        return tuple(names)

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
                elif name == "thousands":
                    forms.thousands = self.choice(child, "thousands", (".", ",", " ", "'"))
        if forms.thousands == forms.decimal:
            allowed = "decimal: ',', thousands: '.'"
            self.wrong(nodes[-1], "contradiction", "one mark for decimals and thousands", allowed)
        return forms
