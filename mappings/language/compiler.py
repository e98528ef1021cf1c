"""Compiles a mapping file to Python source: a page function inward, one outward, and one each for their references.

The generated source is kept (``Mapping.source``) for people to read. Its globals hold nothing but the functions of the
language and the constants of the file; ``__builtins__`` is reduced to the four names the emitter uses.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mappings.language import faults, functions, values
from mappings.language.grammar import Block, File, Forms, Leaf, Row, read
from mappings.language.kinds import Scope, Val, of_shape
from mappings.language.lint import LintError, LintErrors
from mappings.language.rows import Rows
from mappings.language.shapes import ANY, Book, Schema, Shape, shape_of

VERSION = "1"
"""Part of every mapping's hash: raised when the same file may give other values than before."""

_CONTEXT: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["channel", "company", "settings", "now", "run"],
    "properties": {
        "channel": {"type": "string"}, "company": {"type": "object"}, "settings": {"type": "object"},
        "now": {"type": "string", "format": "date-time"}, "run": {"type": "string"},
    },
}  # fmt: skip

_GLOBALS: dict[str, Any] = {
    "__builtins__": {"enumerate": enumerate, "frozenset": frozenset, "len": len, "str": str, "Exception": Exception,
                     "int": int, "bool": bool, "list": list, "dict": dict},
    **{f"f_{name}": function.run for name, function in functions.FUNCTIONS.items()},
    **{reader.__name__: reader for reader in values.READERS.values()},
    **{name: getattr(functions, name) for name in
       ("add", "subtract", "multiply", "divide", "floor_divide", "remainder", "less", "truth")},
    **{name: getattr(values, name) for name in
       ("MISSING", "money_json", "money_out", "money_rounded", "add_money", "subtract_money", "sum_money",
        "quantity_json", "quantity_out", "number_text", "moment_text",
        "plain", "native")},
    **{name: getattr(faults, name) for name in
       ("FAULTED", "walk", "met", "emptied", "at", "nullified", "need", "choose", "refer", "refer_out", "region", "Skip",
        "InwardRecord", "OutwardDoc")},
    "contains": functions.FUNCTIONS["contains"].run,
    "text_only": faults.only(str, "text", "; as: text reads numbers too"),
    "integer_only": faults.only(int, "a whole number", "; as: integer reads it"),
    "boolean_only": faults.only(bool, "true or false"),
    "list_only": faults.only(list, "a list"),
    "object_only": faults.only(dict, "an object"),
    "present": lambda items: [item for item in items if item is not values.MISSING],
    "NOTHING_KEPT": {},
}  # fmt: skip


class Emitter(Rows):
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
            self.put(f"tr.item({file.inward[0].entity!r}, None)")
        if needs_id:
            self._doc_id(scope, file)
        for block in file.inward:
            self._block(scope, block)
        return self.lines

    def _doc_id(self, scope: Scope, file: File) -> None:
        row = Row(name="id", node=file.id.node, line=file.id.node.line, column=file.id.node.column, source=file.id, required=True)
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
        depth = self.depth
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
        kept = self.object(scope.inner(out={}), block.keep, ANY) if block.keep else Val(code="NOTHING_KEPT")
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
            self.put(f"    tr.waiting.append((n, InwardRecord(n, {block.entity!r}, {item}, {body}, {covers}, {kept.code}),"
                     " tr.pending))")  # fmt: skip
        else:
            self.put(f"add(InwardRecord(n, {block.entity!r}, {item}, {body}, {covers}, {kept.code}))")
        self.depth = depth

    def _block_checks(self, block: Block, shape: Shape) -> None:
        lacking = sorted(shape.required - {row.name for row in block.fields})
        if lacking and not block.partial and shape.kind != "any":
            self.errors.append(LintError(
                file=block.node.file, line=block.line, column=block.column, code="required-field",
                what=f"{block.entity}: nothing sets {', '.join(lacking)}",
                allowed="a row for each, or `required: false` beside fields: when another channel completes the record",
            ))  # fmt: skip
        if block.each is not None and block.key is None and block.id is None:
            self.errors.append(LintError(
                file=block.node.file, line=block.line, column=block.column, code="missing-key",
                what=f"{block.entity}: the items have no key", allowed="fields: {key: id, …}, or id: beside fields:",
            ))  # fmt: skip

    def _from(self, scope: Scope, block: Block) -> Scope:
        assert block.source is not None
        source = self.leaf(scope, block.source)
        variable = self.name("s")
        self.put(f"{variable} = {source.code}")
        self.put(f"if {variable} is not None:")
        self.depth += 1
        here = replace(source, code=variable, null=False, absent=False)
        return scope.inner(source=here, up=scope, label=repr(block.source.text + "."))

    def _over(self, scope: Scope, block: Block) -> Scope:
        assert block.each is not None
        items = self.leaf(scope, block.each)
        if items.kind not in ("list", "any"):
            self._mistyped_at(block.each.node, f"each over {items.kind}", "a list")
        source, index, variable = self.name("l"), self.name("i"), self.name("s")
        if self.safe:
            row = Row(name="each", node=block.each.node, line=block.each.node.line, column=block.each.node.column,
                      source=block.each)  # fmt: skip
            number = self.info(row)
            self.put(f"tr.item({block.entity!r}, None)")
            self.put(f"tr.begin({number}, '')")
            with self.under("try:"):
                self.put(f"{source} = {items.code}")
                self.put(f"{source} = () if {source} is None else list_of({source})")
            with self.under("except Exception as error:"):
                self.put(f"tr.fault(error, {number}, '')")
                self.put(f"{source} = ()")
            self.put(f"for {index}, {variable} in enumerate({source}):")
        else:
            self.put(f"if ({source} := {items.code}) is None: {source} = ()")
            self.put(f"else: list_of({source})")
            self.put(f"for {variable} in {source}:")
        self.depth += 1
        item = items.item if items.item is not None else of_shape("", items.shape.item)
        item = replace(item, code=variable, null=False, text="")
        label = f"{block.each.text + '['!r} + str({index}) + '].'" if self.safe else "''"
        inner = scope.inner(source=item, up=scope, names={}, out={}, label=label)
        if block.where is not None:
            if self.safe:
                row = Row(name="where", node=block.where.node, line=block.where.node.line, column=block.where.node.column)
                number = self.info(row)
                self.put(f"tr.begin({number}, '')")
                with self.under("try:"):
                    self.put(f"if not {self.condition_of(inner, block.where)}: continue")
                with self.under("except Exception as error:"):
                    self.put(f"tr.item({block.entity!r}, None)")
                    self.put(f"tr.fault(error, {number}, '')")
                    self.put("continue")
            else:
                self.put(f"if not {self.condition_of(inner, block.where)}: continue")
        return inner

    def _item_id(self, scope: Scope, block: Block, item: str) -> None:
        if block.id is None and block.key is None:
            self.put(f"{item} = d")
            if self.safe:
                self.put(f"tr.item({block.entity!r}, {item})")
            return
        row = block.id if block.id is not None else block.key
        assert row is not None
        row = replace(row, required=True)
        if self.safe:
            number = self.info(row)
            self.put(f"{item} = None")
            self.put(f"tr.item({block.entity!r}, None)")
            self.put(f"tr.begin({number}, '')")
            with self.under("try:"):
                code = self.value(scope, row, ANY, number=number).code
                self.put(f"{item} = text_of({code})" if block.id is not None else f"{item} = d + '/' + text_of({code})")
                self.put(f"tr.id = {item}")
            with self.under("except Exception as error:"):
                self.put(f"tr.fault(error, {number}, '')")
        else:
            code = self.value(scope, row, ANY).code
            self.put(f"{item} = text_of({code})" if block.id is not None else f"{item} = d + '/' + text_of({code})")

    def _drops(self, scope: Scope, block: Block, item: str) -> None:
        out = "outward" if not self.inward else block.entity
        for reason, leaf in block.drop_if:
            skip = f"skip(Skip(n, {block.entity!r}, {item}, {reason!r}))"
            dropped = self.name("q")
            if self.safe:
                row = Row(name="drop_if", node=leaf.node, line=leaf.node.line, column=leaf.node.column, source=leaf)
                number = self.info(row)
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
                self.put(f"if {self.condition_of(scope, leaf)}: {skip}")
                self.put("else:")
            self.depth += 1
        assert out

    # -- outward ------------------------------------------------------------------------------------------------------
    def outward_page(self, block: Block, target: Shape) -> list[str]:
        """The body of the loop over the records."""
        self.lines = []
        self.depth = 3
        scope = Scope(source=self.doc)
        own = block.per or block.entity
        self.put("x = None")
        if self.safe:
            self.put(f"tr.item({block.entity!r}, None)")
        if block.let:
            scope = self.lets(scope, block.let)
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
            val = self.value(scope, row, ANY, number=None)
            if self.safe:
                number = self.info(row)
                self.put(f"tr.begin({number}, '')")
                with self.under("try:"):
                    self.put(f"x = {val.code}")
                    self.put("x = None if x is None or x is MISSING else text_of(x)")
                with self.under("except Exception as error:"):
                    self.put(f"tr.fault(error, {number}, '')")
            else:
                t = self.name("t")
                self.put(f"{t} = {val.code}")
                self.put(f"x = None if {t} is None or {t} is MISSING else text_of({t})")
            return
        entity = row.ref if row is not None and row.ref is not None else own
        if row is not None and (row.source is not None or entity != own):
            source = self.referred(self._source(scope, row))
        else:
            source = Val(code="doc['uid']", kind="text", null=False)
        t = self.name("t")
        self.put(f"{t} = {source.code}")
        self.put(f"{t} = refs.get(({entity!r}, {t}))")
        kept = row.kept if row is not None else None
        self.put(f"x = None if {t} is None else {t}.id" if kept is None else f"x = None if {t} is None else {t}.kept.get({kept!r})")

    # -- references ---------------------------------------------------------------------------------------------------
    def references_page(self, blocks: list[Block]) -> list[str]:
        """The body of the loop that collects references, before the map."""
        self.lines = []
        self.depth = 3
        for block in blocks:
            depth = self.depth
            scope = Scope(source=self.doc)
            rows = [*block.fields, *block.keep]
            if not self.inward:
                self._own_reference(scope, block)
            if any(map(_has_ref, [*rows, *block.let])):
                if block.source is not None:
                    scope = self._quiet_from(scope, block.source)
                if block.each is not None:
                    scope = self._quiet_over(scope, block.each)
                self._collect(scope, rows, block.let)
            self.depth = depth
        return self.lines

    def _own_reference(self, scope: Scope, block: Block) -> None:
        row = block.id
        own = block.per or block.entity
        if row is None or (row.ref == own and row.source is None):
            self.put(f"add(({own!r}, doc['uid']))")
        elif row.ref is not None:
            self._add(scope, row)
        self.put("pass")

    def _quiet_from(self, scope: Scope, leaf: Leaf) -> Scope:
        source = self.leaf(scope, leaf)
        variable = self.name("s")
        self.put(f"{variable} = {source.code}")
        self.put(f"if {variable} is not None:")
        self.depth += 1
        return scope.inner(source=replace(source, code=variable, null=False, absent=False), up=scope, names={})

    def _quiet_over(self, scope: Scope, leaf: Leaf) -> Scope:
        items = self.leaf(scope, leaf)
        variable = self.name("s")
        if items.null or self.safe:
            source = self.name("l")
            self.put(f"{source} = {items.code}")
            self.put(f"for {variable} in (() if {source} is None else list_of({source})):")
        else:
            self.put(f"for {variable} in list_of({items.code}):")
        self.depth += 1
        item = items.item if items.item is not None else of_shape("", items.shape.item)
        return scope.inner(source=replace(item, code=variable, null=False), up=scope, names={}, out={})

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
            depth = self.depth
            if self.safe:
                self.put("try:")
                self.depth += 1
                self.put("tr.operands = []")
            self._collect_row(scope, row)
            self.depth = depth
            if self.safe:
                self.put("except Exception: pass")

    def _collect_row(self, scope: Scope, row: Row) -> None:
        inner = scope
        if row.items is not None:
            self._collect(scope, row.items, row.let)
        elif row.each is not None:
            if row.let and row.fields is None:
                inner = self.lets(inner, row.let)
            inner = self._quiet_over(scope, row.each)
            if row.fields is not None:
                self._collect(inner, row.fields, row.let)
            else:
                self._add(inner, replace(row, each=None, where=None))
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
    return row.ref is not None or any(map(_has_ref, [*(row.fields or ()), *(row.items or ()), *row.let]))


def emit(
    file: File, source: Shape, canonical: Mapping[str, Schema], record: Shape
) -> tuple[str, dict[str, Any], list[faults.RowInfo], list[LintError]]:
    """The module's source, its constants, its rows and the mistakes found."""
    book = Book(root=_CONTEXT)
    context = Val(code="context", kind="object", null=False, shape=shape_of(_CONTEXT, book), text="context")
    parts: list[str] = []
    constants: dict[str, Any] = {"OWN": frozenset(block.entity for block in file.inward)}
    infos: list[faults.RowInfo] = []
    errors: list[LintError] = []

    def emitter(shape: Shape, *, safe: bool, inward: bool, forms: Forms) -> Emitter:
        doc = Val(code="doc", kind=shape.kind if shape.kind == "object" else "any", null=False, shape=shape)
        made = Emitter(canonical=canonical, safe=safe, inward=inward, forms=forms, doc=doc, context=context)
        made.count = len(constants) * 1000 + 1000
        made.infos = infos
        return made

    def add(kind: str, safe: bool, inward: bool, run: Callable[[Emitter], list[str]]) -> None:
        made = emitter(source if inward else record, safe=safe, inward=inward, forms=file.forms)
        lines = run(made)
        if not safe:
            errors.extend(made.errors)
        constants.update(made.constants)
        parts.extend(_wrapped(kind, lines, safe, needs_mark=len(file.inward) > 1 or any(b.each for b in file.inward)))

    if file.inward:
        add("inward", False, True, lambda e: e.inward_page(file))
        add("inward", True, True, lambda e: e.inward_page(file))
        add("inward_references", False, True, lambda e: e.references_page(file.inward))
        add("inward_references", True, True, lambda e: e.references_page(file.inward))
    if file.outward is not None:
        block = file.outward
        add("outward", False, False, lambda e: e.outward_page(block, source))
        add("outward", True, False, lambda e: e.outward_page(block, source))
        add("outward_references", False, False, lambda e: e.references_page([block]))
        add("outward_references", True, False, lambda e: e.references_page([block]))
    return "\n".join(parts) + "\n", constants, infos, errors


def _wrapped(kind: str, lines: list[str], safe: bool, *, needs_mark: bool) -> list[str]:
    """A function around the body of a loop. A record that the fast one cannot map goes through the safe one."""
    body = lines or ["            pass"]
    if kind.endswith("references"):
        if safe:
            return [f"def {kind}_safe(n, doc, context, add, tr):", "    for _ in (0,):", "        if True:", *body, ""]
        return [f"def {kind}(docs, context, add, trace):", "    for n, doc in enumerate(docs):", "        try:", *body,
                "        except Exception:", f"            {kind}_safe(n, doc, context, add, trace(n))", ""]  # fmt: skip
    if safe:
        return [f"def {kind}_safe(n, doc, refs, context, add, skip, tr):", "    for _ in (0,):", "        if True:", *body, ""]
    mark = ["        mark = len(records), len(skips)"]
    undo = ["            del records[mark[0]:], skips[mark[1]:]"]
    return [f"def {kind}(docs, refs, context, records, skips, safe):", "    add = records.append", "    skip = skips.append",
            "    for n, doc in enumerate(docs):", *(mark if needs_mark else []), "        try:", *body,
            "        except Exception:", *(undo if needs_mark else []), "            safe(n, doc)", ""]  # fmt: skip


def compiled(source: str, constants: dict[str, Any], name: str) -> dict[str, Any]:
    """The functions of the generated source."""
    space = {**_GLOBALS, **constants, "__builtins__": dict(_GLOBALS["__builtins__"])}
    exec(compile(source, f"<{name}>", "exec"), space)  # noqa: S102  # the emitter writes only whitelisted nodes
    return space


def digest(texts: list[str], *schemas: Any) -> str:
    """The content hash of a mapping: its texts, the schemas, the compiler's version."""
    made = hashlib.blake2b(digest_size=16)
    for part in (VERSION, *texts, *(json.dumps(schema, sort_keys=True, default=str) for schema in schemas)):
        encoded = part.encode("utf-8", "surrogatepass")
        made.update(len(encoded).to_bytes(8, "big") + encoded)
    return made.hexdigest()


__all__ = ["LintErrors", "compiled", "digest", "emit", "read"]
