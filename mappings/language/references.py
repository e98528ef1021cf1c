"""Emits the functions that collect what a page refers to, before it is mapped: one look-up then serves all of it."""

from __future__ import annotations

from dataclasses import replace

from mappings.language.grammar import Block, Items, Leaf, Row
from mappings.language.kinds import Scope
from mappings.language.loops import Loops, item_row


class References(Loops):
    """Emits the collection of references."""

    def references_page(self, blocks: list[Block]) -> list[str]:
        """The body of the loop that collects references, before the map."""
        self.lines = []
        self.depth = 3
        for block in blocks:
            depth, self.looping, self.chain = self.depth, 0, [""]
            scope = Scope(source=self.doc)
            rows = [*block.fields, *block.keep]
            if self.safe:  # what hinders a block is its fault when it is mapped; the others go on
                self.put("try:")
                self.depth += 1
                self.put("pass")
            if not self.inward:
                self._own_reference(scope, block)
            if any(map(_has_ref, [*rows, *block.let])):
                if block.source is not None:
                    scope = self._quiet_from(scope, block.source)
                if block.each is not None:
                    scope = self._quiet_over(scope, block.each, block.over)
                self._collect(scope, rows, block.let)
            self.depth = depth
            if self.safe:
                self.put("except Exception: pass")
        return self.lines

    def _own_reference(self, scope: Scope, block: Block) -> None:
        row = block.id
        own = block.per or block.entity
        if row is None or (row.ref == own and row.source is None):
            self.put(f"add(({own!r}, doc['uid']))")
        elif _has_ref(row):
            self._collect(scope, [row], block.let)
        self.put("pass")

    def _quiet_from(self, scope: Scope, leaf: Leaf) -> Scope:
        source = self.leaf(scope, leaf)
        variable = self.name("s")
        self.put(f"{variable} = {source.code}")
        self.put(f"if {variable} is not None:")
        self.depth += 1
        return scope.inside(replace(source, code=variable, null=False, absent=False))

    def _quiet_over(self, scope: Scope, each: Leaf, over: Items) -> Scope:
        items = self.leaf(scope, each)
        source = self.name("l")
        self.put(f"if ({source} := {items.code}) is None: {source} = []")
        loop = self.loop(scope, items, source, None, over, None)
        self.put(f"for {loop.pattern} in {loop.over}:")
        self.depth += 1
        self.enter(items)
        return loop.scope

    def _collect(self, scope: Scope, rows: list[Row], let: list[Row]) -> None:
        if let:
            kept = [row for row in let if not _has_ref(row)]
            for row in let:
                if _has_ref(row):
                    self._collect(scope, [row], [])
            scope = self.lets(scope, kept)
        for row in rows:
            if not _has_ref(row):
                continue
            depth, looping, chain = self.depth, self.looping, list(self.chain)
            if self.safe:
                self.put("try:")
                self.depth += 1
                self.put("tr.operands = []")
            self._collect_row(scope, row)
            self.depth, self.looping, self.chain = depth, looping, chain
            if self.safe:
                self.put("except Exception: pass")

    def _collect_row(self, scope: Scope, row: Row) -> None:
        inner = scope
        if row.items is not None:
            self._collect(scope, row.items, row.let)
        elif row.each is not None:
            if row.let and row.fields is None:
                inner = self.lets(inner, row.let)
            inner = self._quiet_over(inner, row.each, row.over)
            if row.fields is not None:
                self._collect(inner, row.fields, row.let)
            else:
                self._collect(inner, [item_row(row)], [])
        elif row.when:
            if row.let:
                inner = self.lets(inner, row.let)
            self._collect(inner, [case.row for case in row.when], [])
        elif row.fields is not None:
            if row.source is not None:
                inner = self._quiet_from(scope, row.source)
            self._collect(inner, row.fields, row.let)
        else:
            self._add(self.lets(scope, row.let) if row.let else scope, row)

    def _add(self, scope: Scope, row: Row) -> None:
        if row.source is not None and "out." in row.source.text:
            self.wrong(row.node, "reference", "a reference is computed from out", "let: gives the value a name")
            return
        val = self.referred(self._source(scope, row))
        t = self.name("t")
        self.put(f"{t} = {val.code}")
        tests = [f"{t} is not None"] if val.null or self.safe else []
        tests += [f"{t} is not MISSING"] if val.absent or self.safe else []
        key = t if val.kind == "text" and not self.safe else f"text_of({t})"
        self.put((f"if {' and '.join(tests)}: " if tests else "") + f"add(({row.ref!r}, {key}))")


def _has_ref(row: Row) -> bool:
    return row.ref is not None or any(map(_has_ref, row.inner))
