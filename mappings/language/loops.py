"""Emits ``each``: the loop over a list, and what ``where``, ``distinct``, ``sort`` and ``group`` make of it before.

A list that stays as it is becomes one loop, or a comprehension. Otherwise its items are first collected, each with the
items that enclose it (and, in the safe variant, with its index), and then told apart, sorted and grouped by keys.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mappings.language.grammar import Items, Leaf, Row
from mappings.language.kinds import Scope, Val, item_of, spoken
from mappings.language.rows import Rows, row_of
from mappings.language.shapes import ANY, Shape


@dataclass(frozen=True, kw_only=True, slots=True)
class Loop:
    """A loop to be: ``for pattern in over`` with what names mean inside, and the condition not yet applied."""

    pattern: str
    over: str
    scope: Scope
    where: Leaf | None


class Loops(Rows):
    """Emits the rows that go over lists."""

    def each(self, scope: Scope, row: Row, shape: Shape) -> Val:
        """A list, item by item."""
        assert row.each is not None
        items = self.leaf(scope, row.each, absent=True)
        self.opened(items)
        if items.kind not in ("list", "any"):
            return self._mistyped_at(row.node, f"each over {spoken(items.kind)}", "a list")
        if shape.kind not in ("list", "any"):
            return self._mistyped_at(row.node, f"{row.name} is {spoken(shape.kind)}, not a list", "from: or fields:")
        source, result = self.name("l"), self.name("r")
        typed = self.name("p") if self.wanted.get(row.name) else None
        if typed and self.safe:
            self.put(f"{typed} = FAULTED")
        self.put(f"{source} = {items.code}")
        test = self.lacking(source, items)
        depth = self.depth
        other = self._default_value(scope, row, shape).code if row.default is not None else source
        if test:
            self.put(f"if {test}: {result} = {other}" + (f"; {typed} = {other}" if typed else ""))
            self.put("else:")
            self.depth += 1
        wanted, self.wanted = self.wanted, {}
        loop = self.loop(scope, items, source, row, row.over, row.where, list_name=row.name)
        item = shape.item if shape.kind == "list" else ANY
        self.enter(items)
        done = self._loop(row, loop, item, result, typed, wanted.get(row.name, ()))
        self.leave()
        self.wanted = wanted
        self.depth = depth
        kept = row.default is None
        done = replace(done, code=result, null=items.null and kept, absent=items.absent and kept)
        return self._required(row, done)

    # -- what goes over the list --------------------------------------------------------------------------------------
    def loop(
        self,
        scope: Scope,
        items: Val,
        source: str,
        row: Row | None,
        over: Items,
        where: Leaf | None,
        *,
        list_name: str | None = None,
    ) -> Loop:
        """The loop over a list that stands in ``source``, after all that comes before it was emitted."""
        index, variable = self.name("i"), self.name("s")
        pattern, code = variable, f"{self.listing(items)}({source})"
        if self.safe:
            pattern, code = f"{index}, {variable}", f"enumerate({code})"
        here = replace(item_of(items), code=variable, null=False, absent=False, text="")
        inner = scope.inside(here, **self._labels(scope, items.text, index, list_name))
        if over.plain:
            return Loop(pattern=pattern, over=code, scope=inner, where=where)
        collected = self.name("c")
        self.put(f"{collected} = []")
        depth = self.depth
        self.put(f"for {pattern} in {code}:")
        self.depth += 1
        for leaf in over.inside:
            inside = self.leaf(inner, leaf)
            self.opened(inside)
            if inside.kind not in ("list", "any"):
                self._mistyped_at(leaf.node, f"each over {spoken(inside.kind)}", "a list")
            source, index, variable = self.name("l"), self.name("i"), self.name("s")
            self.put(f"{source} = {inside.code}")
            self.put(f"if {source} is None: continue")
            if self.safe:
                pattern = f"{pattern}, {index}, {variable}"
                self.put(f"for {index}, {variable} in enumerate(work.take({source})):")
            else:
                pattern = f"{pattern}, {variable}"
                self.put(f"for {variable} in work.take({source}):")
            self.depth += 1
            here = replace(item_of(inside), code=variable, null=False, absent=False, text="")
            inner = inner.inside(here, label=self._labels(inner, inside.text, index, None)["label"])
        if where is not None:
            self.filtered(row, inner, where)
        self.put(f"{collected}.append(({pattern}))" if "," in pattern else f"{collected}.append({pattern})")
        self.depth = depth
        return self._gathered(scope, inner, over, collected, pattern, variable, list_name)

    def _gathered(
        self, scope: Scope, inner: Scope, over: Items, collected: str, pattern: str, variable: str, name: str | None
    ) -> Loop:
        if over.distinct is not None:
            key = self._key(inner, over.distinct, "distinct")
            self.put(f"{collected} = distinct_by({collected}, [{key} for {pattern} in {collected}])")
        if over.sort:
            keys = ", ".join(self._key(inner, by, "sort") for by, _ in over.sort)
            down = tuple(descending for _, descending in over.sort)
            self.put(f"{collected} = sorted_by({collected}, [[{keys}] for {pattern} in {collected}], {down!r})")
        if over.group is None:
            if name is not None and self.safe:  # what is written is counted anew, what is read keeps its place
                at = self.name("i")
                code, pattern = f"enumerate({collected})", f"{at}, ({pattern})"
                inner = replace(inner, prefix=self._labels(scope, "", at, name)["prefix"])
                return Loop(pattern=pattern, over=code, scope=inner, where=None)
            return Loop(pattern=pattern, over=collected, scope=inner, where=None)
        key = self._key(inner, over.group, "group")
        val = self.cook_guarded(self.leaf(inner, over.group))
        self.put(
            f"{collected} = grouped_by([{key} for {pattern} in {collected}], [{variable} for {pattern} in {collected}])"
        )
        at, group = self.name("i"), self.name("g")
        member = replace(inner.source, code="")
        schema = {"type": "array", "items": member.shape.schema}
        shape = Shape(kind="list", null=False, schema=schema, book=member.shape.book)
        held = Val(code=f"{group}['items']", kind="list", null=False, sure=True, shape=shape, item=member, text="items")
        here = {
            "key": replace(val, code=f"{group}['key']", json=None, text="key", place=None, reads=_reads(val)),
            "items": held,
        }
        whole = Shape(kind="object", null=False, schema={"properties": {"key": {}, "items": {"type": "array"}}})
        scope = scope.inside(
            Val(code=group, kind="object", null=False, sure=True, shape=whole),
            here=here,
            **self._labels(scope, "group", at, name),
        )
        pattern, code = (f"{at}, {group}", f"enumerate({collected})") if self.safe else (group, collected)
        return Loop(pattern=pattern, over=code, scope=scope, where=None)

    def _labels(self, scope: Scope, text: str, index: str, name: str | None) -> dict[str, str]:
        """Code for where an item lies in the input, and (with a name) in the output."""
        if not self.safe:
            return {"label": "''", "prefix": "''"}
        found = {"label": f"{scope.label} + {text + '['!r} + str({index}) + '].'"}
        if name is not None:
            found["prefix"] = f"{scope.prefix} + {name + '['!r} + str({index}) + '].'"
        return found

    def _key(self, scope: Scope, leaf: Leaf, word: str) -> str:
        val = self.cook_guarded(self.leaf(scope, leaf))
        if val.kind in ("object", "list") or (word == "sort" and val.kind == "boolean"):
            self._mistyped_at(leaf.node, f"{word} by {spoken(val.kind)}", "a text, a number, an amount or a moment")
        if val.kind == "moment" and word == "sort":  # without the Z, moments with and without a fraction compare right
            val = self._guarded(val, True, lambda code: f"({code})[:-1]", "text")
        return val.code

    # -- items --------------------------------------------------------------------------------------------------------
    def _loop(self, row: Row, loop: Loop, shape: Shape, result: str, typed: str | None, wanted: tuple[str, ...]) -> Val:
        """The loop itself: a comprehension where nothing needs a statement. ``typed`` holds what ``out`` asks for."""
        before, self.lines, depth = self.lines, [], self.depth
        self.depth += 1
        condition = None
        if loop.where is not None and not self.safe:
            condition = self.condition_of(loop.scope, loop.where)
        elif loop.where is not None:
            self.filtered(row, loop.scope, loop.where)
        val, fields = self._item(row, loop.scope, shape, wanted)
        body, self.lines, self.depth = self.lines, before, depth
        item = Val(code="", kind="object", null=False, sure=True, fields=fields)
        done = Val(code=result, kind="list", sure=True, done=True)
        if typed:
            reads = tuple(dict.fromkeys(read for field in fields.values() for read in field.reads))
            code = f"met(tr, {typed}, {'out.' + row.name!r}, False)" if self.safe else typed
            done = replace(done, typed=Val(code=code, kind="list", item=item, reads=reads))
        if not body and not val.absent and not typed:
            test = f" if {condition}" if condition is not None else ""
            self.put(f"{result} = [{val.code} for {loop.pattern} in {loop.over}{test}]")
            return done
        self.put(f"{result} = []")
        kept_list = self.name("q") if typed else ""
        if typed:
            self.put(f"{kept_list} = []")
        self.put(f"for {loop.pattern} in {loop.over}:")
        self.depth += 1
        if condition is not None:
            self.put(f"if not {condition}: continue")
        self.lines += body
        if typed:
            inside = ", ".join(f"{name!r}: {field.code}" for name, field in fields.items())
            self.put(f"{kept_list}.append({{{inside}}})")
        if val.absent:
            kept = self.name("k")
            self.put(f"{kept} = {val.code}")
            self.put(f"if {kept} is not MISSING and {kept} is not FAULTED: {result}.append({kept})")
        else:
            self.put(f"{result}.append({val.code})")
        self.depth = depth
        if typed:  # only now: a loop that breaks off has no values to add up
            self.put(f"{typed} = {kept_list}")
        return done

    def filtered(self, row: Row | None, scope: Scope, where: Leaf) -> None:
        """Goes on with the next item unless the condition holds."""
        if not self.safe or row is None:
            self.put(f"if not {self.condition_of(scope, where)}: continue")
            return
        told = replace(row, required=True)  # an item whose condition lacks a value is a fault, never left out unseen
        number = self.info(told, f"{row.name}.where" if row.each is not None else row.name)
        self.put(f"tr.begin({number}, '')")
        with self.under("try:"):
            self.put(f"if not {self.condition_of(scope, where)}: continue")
        with self.under("except Exception as error:"):
            self.put(f"tr.fault(error, {number}, '')")
            self.put("continue")

    def _item(self, row: Row, scope: Scope, shape: Shape, wanted: tuple[str, ...]) -> tuple[Val, dict[str, Val]]:
        if row.let:
            scope = self.lets(scope, row.let)
        if row.fields is not None:
            key = shape.properties if shape.kind == "object" else {}
            if self.inward and "key" in key and not any(field.name == "key" for field in row.fields):
                self.wrong(row.node, "missing-key", f"the items of {row.name} have no key", "fields: {key: id, …}")
            self.missing_fields(row.fields, shape, row)
            val = self.object(scope, row.fields, shape, wanted=wanted)
            return replace(val, absent=False), dict(val.fields or {})
        one = item_row(row)
        if self.safe:
            code = self._safe_row(scope.inner(prefix=f"({scope.prefix})[:-1]"), one, shape, False, path="")
            return Val(code=code, absent=True, done=True, sure=True), {}
        return self.filled(self.valid(self.fit(self.value(scope, one, shape), shape, one), shape), shape), {}

    def missing_fields(self, rows: list[Row], shape: Shape, row: Row) -> None:
        """Required canonical fields of a nested object that no row sets."""
        lacking = sorted(shape.required - {field.name for field in rows}) if self.inward else []
        if lacking:
            self.wrong(row.node, "required-field", f"{row.name}: nothing sets {', '.join(lacking)}", "a row for each")


def item_row(row: Row) -> Row:
    """The row that each item of a list obeys; without ``from`` its value is the item itself."""
    source = row.source
    if source is None and not row.when:
        source = Leaf(node=row.node, text="this", segments=("this",))
    return replace(row, each=None, over=Items(), where=None, let=[], required=None, default=None, source=source)


def _reads(val: Val) -> tuple[str, ...]:
    return val.reads if val.place is None else (val.place,)


__all__ = ["Loop", "Loops", "item_row", "row_of"]
