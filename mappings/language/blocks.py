"""Emits the bodies of a mapping's functions: an entity's block inward and the outward head."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from mappings.language.grammar import Block, File, Leaf
from mappings.language.kinds import Scope, Val
from mappings.language.lint import LintError
from mappings.language.loops import Loop
from mappings.language.references import References
from mappings.language.rows import row_of
from mappings.language.shapes import ANY, Book, Schema, Shape, shape_of


class Emitter(References):
    """Emits the functions of one mapping in one of the two variants."""

    def __init__(self, *, canonical: Mapping[str, Schema], record: Shape = ANY, **settings: Any) -> None:
        super().__init__(**settings)
        self.canonical = canonical
        self.record = record

    @property
    def entities(self) -> Any:
        return self.canonical

    def entity_shape(self, name: str) -> Shape:
        """The canonical shape of an entity."""
        schema = self.canonical.get(name)
        return ANY if schema is None else shape_of(schema, Book(root=schema, others=self.canonical, canonical=True))

    # -- inward -------------------------------------------------------------------------------------------------------
    def inward_page(self, file: File) -> list[str]:
        """The body of the loop over a page's documents."""
        self.own = frozenset(block.entity for block in file.inward)
        self.lines = []
        self.depth = 3
        scope = Scope(source=self.doc)
        needs_id = any(block.id is None for block in file.inward)
        if self.safe:
            self.put("d = None")
            self.item(file.inward[0])
        if needs_id:
            self._doc_id(scope, file)
        for block in file.inward:
            self.entity = block.entity
            self._block(scope, block)
        return self.lines

    def _doc_id(self, scope: Scope, file: File) -> None:
        row = replace(row_of("id", file.id), required=True)
        self.entity = next(block.entity for block in file.inward if block.id is None)
        with self.origin(row, "id"):
            val = self.leaf(scope, file.id)
        if val.kind in ("object", "list", "boolean"):
            self._mistyped_at(file.id.node, f"the document's id is {val.kind}", "id: path of its id")
        code = val.code
        if self.safe:
            number = self.info(row)
            self.put(f"tr.begin({number}, '')")
            with self.under("try:"):
                self.put(f"d = text_of({code})")
            with self.under("except Exception as error:"):
                self.put(f"tr.fault(error, {number}, '')")
            self.put("if d is None: continue")
        else:
            self.put(f"if (d := {code}).__class__ is not str: d = text_of(d)")

    def _block(self, scope: Scope, block: Block) -> None:
        shape = self.entity_shape(block.entity)
        self._block_checks(block, shape)
        depth, self.looping, self.chain = self.depth, 0, [""]
        if block.source is not None:
            scope = self._from(scope, block)
        if block.each is not None:
            scope = self._over(scope, block)
        item = "x" + str(self.count)
        self._item_id(scope, block, item)
        if block.let:
            scope = self.lets(scope, block.let)
        if block.drop_if:
            self._drops(scope, block, item)
        covered = self.object(scope, block.fields, shape)
        kept = self.object(scope, block.keep, ANY, part="keep") if block.keep else Val(code="{}")
        body = covered.code
        if not self.safe and body.startswith("{"):
            covers = self.constant(frozenset(row.name for row in block.fields), "C")
        else:
            if not body.isidentifier():
                self.put(f"w = {body}")
                body = "w"
            covers = f"frozenset({body})"
        if self.safe:
            self.put("if not tr.failed:")
            self.put(
                f"    tr.waiting.append((n, InwardRecord(n, {block.entity!r}, {item}, {body}, {covers}, {kept.code}),"
                " tr.pending))"
            )
        else:
            self.put(f"add(InwardRecord(n, {block.entity!r}, {item}, {body}, {covers}, {kept.code}))")
        self.depth = depth

    def _block_checks(self, block: Block, shape: Shape) -> None:
        lacking = sorted(shape.required - {row.name for row in block.fields})
        if lacking and not block.partial and shape.kind != "any":
            self.errors.append(
                LintError(
                    file=block.node.file,
                    line=block.line,
                    column=block.column,
                    code="required-field",
                    what=f"{block.entity}: nothing sets {', '.join(lacking)}",
                    allowed="a row for each, or `required: false` beside fields when another channel completes it",
                )
            )
        if block.each is not None and block.key is None and block.id is None:
            self.errors.append(
                LintError(
                    file=block.node.file,
                    line=block.line,
                    column=block.column,
                    code="missing-key",
                    what=f"{block.entity}: the items have no key",
                    allowed="fields: {key: id, …}, or id: beside fields:",
                )
            )

    def _from(self, scope: Scope, block: Block) -> Scope:
        assert block.source is not None
        with self.origin(row_of("from", block.source), "from"):
            source = self.leaf(scope, block.source)
            self.opened(source)
        variable = self.name("s")
        self.put(f"{variable} = {source.code}")
        self.put(f"if {variable} is not None:")
        self.depth += 1
        here = replace(source, code=variable, null=False, absent=False)
        return scope.inside(here, out=scope.out, label=repr(block.source.text + "."))

    def _over(self, scope: Scope, block: Block) -> Scope:
        """The loop over the block's items; what names mean inside."""
        assert block.each is not None
        row = row_of("each", block.each)
        with self.origin(row, "each"):
            items = self.leaf(scope, block.each)
            self.opened(items)
            if items.kind not in ("list", "any"):
                self._mistyped_at(block.each.node, f"each over {items.kind}", "a list")
            source = self.name("l")
            if not self.safe:
                self.put(f"if ({source} := {items.code}) is None: {source} = []")
                loop = self.loop(scope, items, source, None, block.over, block.where)
            else:
                number = self.info(row)
                self.item(block)
                self.put(f"tr.begin({number}, '')")
                with self.under("try:"):
                    self.put(f"{source} = {items.code}")
                    self.put(f"{source} = [] if {source} is None else list_of({source})")
                with self.under("except Exception as error:"):
                    self.put(f"tr.fault(error, {number}, '')")
                    self.put(f"{source} = []")
                if block.over.plain:
                    loop = self.loop(scope, items, source, None, block.over, block.where)
                else:
                    loop = self._guarded_loop(scope, items, source, block, number)
        self.put(f"for {loop.pattern} in {loop.over}:")
        self.depth += 1
        self.enter(items)
        if loop.where is not None:
            if self.safe:
                self.item(block)
            where = row_of("where", loop.where)
            with self.origin(where, "where"):
                self.filtered(where, loop.scope, loop.where)
        return loop.scope

    def _guarded_loop(self, scope: Scope, items: Val, source: str, block: Block, number: int) -> Loop:
        """Telling apart, sorting and grouping can fail as a whole: then no item is left."""
        with self.under("try:"):
            where = row_of("where", block.where) if block.where is not None else None
            loop = self.loop(scope, items, source, where, block.over, block.where)
        with self.under("except Exception as error:"):
            self.put(f"tr.fault(error, {number}, '')")
            self.put("continue")
        return loop

    def item(self, block: Block, code: str = "None") -> None:
        """The faults that follow are this item's."""
        self.put(f"tr.item({block.entity!r}, {code}, {block.on_error!r})")

    def _item_id(self, scope: Scope, block: Block, item: str) -> None:
        if block.id is None and block.key is None:
            self.put(f"{item} = d")
            if self.safe:
                self.item(block, item)
            return
        row = block.id if block.id is not None else block.key
        assert row is not None
        row = replace(row, required=True)
        if self.safe:
            number = self.info(row)
            self.put(f"{item} = None")
            self.item(block)
            self.put(f"tr.begin({number}, '')")
            with self.under("try:"):
                code = self.value(scope, row, ANY, number=number).code
                self.put(f"{item} = text_of({code})" if block.id is not None else f"{item} = d + '/' + text_of({code})")
                self.put(f"tr.id = {item}")
            with self.under("except Exception as error:"):
                self.put(f"tr.fault(error, {number}, '')")
        else:
            with self.origin(replace(row, name="id"), "id"):
                code = self.value(scope, row, ANY).code
            self.put(f"{item} = text_of({code})" if block.id is not None else f"{item} = d + '/' + text_of({code})")

    def _drops(self, scope: Scope, block: Block, item: str) -> None:
        for reason, leaf in block.drop_if:
            skip = f"skip(Skip(n, {block.entity!r}, {item}, {reason!r}))"
            dropped = self.name("q")
            if self.safe:
                number = self.info(replace(row_of("drop_if", leaf), required=True))  # what lacks a value is told
                self.put(f"tr.begin({number}, '')")
                with self.under("try:"):
                    self.put(f"{dropped} = {self.condition_of(scope, leaf)}")
                with self.under("except Exception as error:"):
                    self.put(f"tr.fault(error, {number}, '')")
                    self.put(f"{dropped} = False")
                    self.put("tr.failed = True")
                self.put(f"if {dropped} and not tr.failed: {skip}")
                self.put(f"if not {dropped}:")
            else:
                with self.origin(row_of(reason, leaf), "drop_if"):
                    self.put(f"if {self.condition_of(scope, leaf)}: {skip}")
                self.put("else:")
            self.depth += 1

    # -- outward ------------------------------------------------------------------------------------------------------
    def outward_page(self, block: Block, target: Shape) -> list[str]:
        """The body of the loop over the records."""
        self.lines = []
        self.depth = 3
        scope = Scope(source=self.doc)
        own = block.per or block.entity
        self.direction, self.entity = "outward", block.entity
        self.put("x = None")
        if self.safe:
            self.item(block)
        if block.let:
            scope = self.lets(scope, block.let)
        with self.origin(block.id if block.id is not None else row_of("id", Leaf(node=block.node, text="uid")), "id"):
            self._outward_id(scope, block, own)
        if self.safe:
            self.put("tr.id = x")
        if block.drop_if:
            self._drops(scope, block, "x")
        doc = self.object(scope, block.fields, target)
        self.put(f"{'if not tr.failed: ' if self.safe else ''}add(OutwardDoc(n, {doc.code}, x))")
        return self.lines

    def _outward_id(self, scope: Scope, block: Block, own: str) -> None:
        row = block.id
        if row is not None and row.ref is None:
            t, self.naming = self.name("t"), own
            number = self.info(row) if self.safe else None
            if number is not None:
                self.put(f"tr.begin({number}, '')")
            with self.under("try:") if number is not None else nullcontext():
                self.put(f"{t} = {self.value(scope, row, ANY, number=number).code}")
                self.put(f"x = None if {t} is None or {t} is MISSING else text_of({t})")
            if number is not None:
                with self.under("except Exception as error:"):
                    self.put(f"tr.fault(error, {number}, '')")
            self.naming = None
            return
        entity = row.ref if row is not None and row.ref is not None else own
        if row is not None and (row.source is not None or entity != own):
            source = self.referred(self._source(scope, row))
        else:
            source = Val(code="doc['uid']", kind="text", null=False, place="uid")
            self.note(source)
        t = self.name("t")
        kept = row.kept if row is not None else None
        found = f"{t}.id" if kept is None else f"{t}.kept.get({kept!r})"
        lines = [
            f"{t} = {source.code}",
            f"{t} = refs.get(({entity!r}, {t}))",
            f"x = None if {t} is None else {found}",
        ]
        if not self.safe:
            for line in lines:
                self.put(line)
            return
        number = self.info(row if row is not None else row_of("id", Leaf(node=block.node, text="uid")))
        self.put(f"tr.begin({number}, '')")
        with self.under("try:"):
            for line in lines:
                self.put(line)
        with self.under("except Exception as error:"):
            self.put(f"tr.fault(error, {number}, '')")
