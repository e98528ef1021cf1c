"""Emits rows: from → table | ref → as → round → default → required → the target's JSON form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from mappings.language.expressions import AMOUNTS, NUMBERS, TEXTS, Expressions, Scope, Val, _a, _of_shape
from mappings.language.faults import RowInfo
from mappings.language.grammar import Leaf, Row
from mappings.language.lint import nearest
from mappings.language.shapes import ANY, Shape

EXACT = ("money", "quantity", "moment", "date", "decimal")


class Rows(Expressions):
    """Emits the statements of rows into ``lines``."""

    own: frozenset[str] = frozenset()

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.lines: list[str] = []
        self.depth = 2
        self.infos: list[RowInfo] = []

    # -- statements ---------------------------------------------------------------------------------------------------
    def put(self, line: str) -> None:
        """One statement at the present depth."""
        self.lines.append("    " * self.depth + line)

    @contextmanager
    def under(self, line: str) -> Iterator[None]:
        """A statement and its block."""
        self.put(line)
        self.depth += 1
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.put("pass")
        self.depth -= 1

    def info(self, row: Row, path: str | None = None) -> int:
        """Where the row's faults point."""
        self.infos.append(RowInfo(
            field=path or row.name, file=row.node.file, line=row.line, column=row.column,
            text=row.source.text if row.source is not None else "", on_error=row.on_error,
            has_default=row.default is not None, required=bool(row.required),
        ))  # fmt: skip
        return len(self.infos) - 1

    # -- objects ------------------------------------------------------------------------------------------------------
    def object(self, scope: Scope, rows: list[Row], target: Shape, *, own_out: bool = True) -> Val:
        """An object of rows; absent fields are left out. ``absent`` of the result: every field may be."""
        if own_out:
            scope = scope.inner(out={})
        used = {row.name for row in rows if _mentions(rows, row.name)}
        always: list[tuple[str, str]] = []
        maybe: list[tuple[str, str]] = []
        for row in rows:
            shape = self.target(row, target)
            if self.safe:
                variable = self._safe_row(scope, row, shape, row.name in used)
                maybe.append((row.name, variable))
                continue
            val = self.value(scope, row, shape)
            if row.name in used:
                typed = self.name("v")
                self.put(f"{typed} = {val.code}")
                val = replace(val, code=typed, json=None, text=f"out.{row.name}")
                scope.out[row.name] = val
            fitted = self.fit(val, shape, row)
            if fitted.absent:
                variable = self.name("j")
                self.put(f"{variable} = {fitted.code}")
                maybe.append((row.name, variable))
            else:
                always.append((row.name, fitted.code))
        body = "{" + ", ".join(f"{name!r}: {code}" for name, code in always) + "}"
        if not maybe:
            return Val(code=body, kind="object", null=False, sure=True, done=True)
        result = self.name("o")
        self.put(f"{result} = {body}")
        for name, variable in maybe:
            test = f"{variable} is not MISSING" + (f" and {variable} is not FAULTED" if self.safe else "")
            self.put(f"if {test}: {result}[{name!r}] = {variable}")
        return Val(code=result, kind="object", null=False, sure=True, done=True, absent=not always)

    def _safe_row(self, scope: Scope, row: Row, shape: Shape, used: bool) -> str:
        number = self.info(row)
        variable, typed = self.name("j"), self.name("v")
        self.put(f"tr.begin({number}, {scope.prefix})")
        with self.under("try:"):
            val = self.value(scope, row, shape, number=number)
            if used:
                self.put(f"{typed} = {val.code}")
                val = replace(val, code=typed, json=None, text=f"out.{row.name}")
            fitted = self.fit(val, shape, row)
            self.put(f"{variable} = {fitted.code}")
        with self.under("except Exception as error:"):
            self.put(f"{variable} = tr.fault(error, {number}, {scope.prefix})")
            if used:
                self.put(f"{typed} = {variable}")
        if used:
            scope.out[row.name] = val
        return variable

    def target(self, row: Row, target: Shape) -> Shape:
        """The shape of the field a row sets; unknown fields are mistakes."""
        found = target.step(row.name)
        if found is None:
            line = replace_position(row)
            self.errors.append(line("unknown-field", f"there is no field {row.name!r} to set",
                                    nearest(row.name, target.properties)))  # fmt: skip
            return ANY
        return found[0]

    # -- values -------------------------------------------------------------------------------------------------------
    def value(self, scope: Scope, row: Row, shape: Shape, *, number: int | None = None) -> Val:
        """The typed value of a row, before it takes the target's form."""
        if row.let:
            scope = self.lets(scope, row.let)
        if row.items is not None:
            return self._items(scope, row, shape)
        if row.each is not None:
            return self._each(scope, row, shape)
        if row.fields is not None:
            return self._fields(scope, row, shape)
        if row.default is not None and self.safe:
            return self._safe_default(scope, row, shape, number)
        val = self._scalar(scope, row, shape)
        if row.default is not None:
            val = self._default(scope, row, shape, val)
        return self._required(row, val)

    def _required(self, row: Row, val: Val) -> Val:
        if row.required and (val.null or val.absent or not val.sure):
            return replace(val, code=f"need({val.code})", null=False, absent=False, json=None)
        return val

    def lets(self, scope: Scope, rows: list[Row]) -> Scope:
        """The names of a ``let``; a later one may use an earlier one."""
        scope = scope.inner(names=dict(scope.names))
        for row in rows:
            variable = self.name("n")
            if self.safe:
                number = self.info(row)
                self.put(f"tr.begin({number}, {scope.prefix})")
                with self.under("try:"):
                    val = self.value(scope, row, ANY, number=number)
                    self.put(f"{variable} = {val.code}")
                with self.under("except Exception as error:"):
                    self.put(f"{variable} = tr.fault(error, {number}, {scope.prefix})")
            else:
                val = self.value(scope, row, ANY)
                self.put(f"{variable} = {val.code}")
            scope.names[row.name] = replace(val, code=variable, json=None, text=row.name)
        return scope

    def _source(self, scope: Scope, row: Row) -> Val:
        if row.source is not None:
            return self.leaf(scope, row.source, absent=True)
        if row.ref is not None and not self.inward:
            return self.path(scope, (row.ref,), row.node, absent=True)
        if row.each is None and row.ref is None and row.default is not None:
            return Val(code="None", kind="null", sure=True)
        if row.ref is not None:
            self.wrong(row.node, "missing-key", "a reference has no from", "{from: customer.id, ref: customer}")
        return scope.source

    def _scalar(self, scope: Scope, row: Row, shape: Shape) -> Val:
        val = self._source(scope, row)
        if self.inward and row.ref is None and shape.schema.get("x-ref") and row.default is None and val.kind != "null":
            self.wrong(row.node, "missing-ref", f"{row.name} refers to a {shape.schema['x-ref']}",
                       f"{{from: …, ref: {shape.schema['x-ref']}}}")  # fmt: skip
        if row.table is not None:
            val = self._table(row, val, shape)
        if row.ref is not None:
            return self._ref(row, val, shape)
        kind = row.as_
        if kind is None and self.inward and shape.kind in EXACT and val.kind != shape.kind and val.kind != "null":
            is_path = row.source is not None and row.source.segments is not None
            if shape.kind == "decimal" and val.kind == "integer":
                kind = None
            elif is_path or val.kind in ("any", *NUMBERS) and shape.kind == "decimal":
                kind = shape.kind
        if kind is None and self.inward and val.kind == "money" and (val.loose or row.round is not None):
            kind = "money"
        if kind is not None:
            enum = shape.step("kind")[0].enum if shape.kind == "quantity" and shape.step("kind") else None
            if not self.inward and kind == "moment" and val.kind == "moment":
                return self._moment_out(scope, row, val)
            rounding = row.round if isinstance(row.round, str) and kind == "money" else None
            val = self.read(scope, kind, val, row.options, row.source.node if row.source else row.node, rounding=rounding,
                            quantity_kind=enum[0] if enum is not None and len(enum) == 1 else None)  # fmt: skip
        if row.round is not None and val.kind != "money":
            digits, mode = (row.round, "half_up") if isinstance(row.round, int) else (0, row.round)
            val = self._guarded(self.cook_guarded(val), True, lambda c: f"f_round({c}, {digits}, {mode!r})", val.kind)
        return val

    def cook_guarded(self, val: Val) -> Val:
        """``cook``, with null and absent passing through."""
        if not val.raw or val.kind in ("moment", "date"):
            return val
        reader = {"money": "money_of", "quantity": "quantity_of", "decimal": "decimal_of"}[val.kind]
        return self._guarded(val, True, lambda c: f"{reader}({c})", val.kind)

    def _moment_out(self, scope: Scope, row: Row, val: Val) -> Val:
        options = {n: self._option(scope, o).code for n, o in {**self.forms.options.get("moment", {}), **row.options}.items()}
        zone, form = options.get("zone", "None"), options.get("format", "None")
        if zone == "'UTC'" and form == "None":
            return val
        return replace(self._guarded(val, True, lambda c: f"moment_text({c}, {zone}, {form})", "any"), sure=True)

    def _table(self, row: Row, val: Val, shape: Shape) -> Val:
        assert row.table is not None
        assert row.table_node is not None
        otherwise = row.otherwise or "error"
        if val.kind in ("object", "list", *AMOUNTS):
            return self._mistyped_at(row.node, f"{_a(val.kind)} in a table", "single values")
        if val.values is not None and otherwise == "error" and not val.sure:
            lacking = [str(v) for v in map(_key, val.values) if v not in row.table]
            if lacking:
                self.wrong(row.table_node, "table-gap", f"the table misses {', '.join(lacking[:8])}",
                           "an entry for each, or otherwise: pass | default | park")  # fmt: skip
            for key in row.table:
                if key not in map(_key, val.values):
                    self.wrong(row.table_node, "unreachable", f"{val.text} is never {key!r}",
                               nearest(key, map(_key, val.values)), key=key)  # fmt: skip
        self._in_target(row, row.table.values(), shape)
        table = self.constant(row.table, "T")
        values = list(row.table.values())
        kinds = {_kind_of(v) for v in values if v is not None}
        kind = next(iter(kinds)) if len(kinds) == 1 else "any"
        if otherwise == "pass":
            kind = kind if kind == val.kind else "any"

        def make(code: str) -> str:
            if self.safe:
                return f"choose({table}, {code}, {otherwise!r})"
            key = code if val.kind == "text" else f"text_of({code})"
            if otherwise == "pass":
                return f"{table}.get({key}, {code})" if val.kind == "text" else f"choose({table}, {code}, 'pass')"
            return f"{table}.get({key}, MISSING)" if otherwise == "default" else f"{table}[{key}]"

        done = self._guarded(val, True, make, kind)
        nulls = done.null or None in values or self.safe
        return replace(done, null=nulls, absent=done.absent or otherwise == "default", sure=otherwise != "pass",
                       values=tuple(v for v in values if v is not None) if otherwise in ("error", "park") else None)  # fmt: skip

    def _in_target(self, row: Row, values: Any, shape: Shape) -> None:
        allowed = shape.enum
        if allowed is None or row.as_ is not None:
            return
        for value in values:
            if value is not None and value not in allowed:
                key = None
                node = row.table_node if row.table_node is not None else row.node
                if row.table is not None:
                    key = next((k for k, v in row.table.items() if v == value), None)
                self.wrong(node, "enum", f"{row.name} is never {value!r}", nearest(str(value), map(str, allowed)), key=key)

    def _ref(self, row: Row, val: Val, shape: Shape) -> Val:
        assert row.ref is not None
        otherwise = row.otherwise or ("error" if self.inward else "wait")
        if row.ref not in self.entities:
            self.wrong(row.node, "unknown-entity", f"unknown entity {row.ref!r}", nearest(row.ref, self.entities), key="ref")
        wanted = shape.schema.get("x-ref")
        if self.inward and wanted is not None and wanted != row.ref:
            self.wrong(row.node, "wrong-ref", f"{row.name} refers to a {wanted}, not a {row.ref}", f"ref: {wanted}", key="ref")
        val = self.referred(val)
        if self.inward:
            def make(code: str) -> str:
                if self.safe:
                    return f"refer(tr, refs, {row.ref!r}, text_of({code}), {otherwise!r}, OWN)"
                return f"refs[({row.ref!r}, {code if val.kind == 'text' else f'text_of({code})'})]"
        else:
            def make(code: str) -> str:
                if self.safe:
                    return f"refer_out(refs, {row.ref!r}, {code}, {otherwise!r}, {row.kept!r})"
                found = f"refs[({row.ref!r}, {code})]"
                return f"{found}.id" if row.kept is None else f"{found}.kept[{row.kept!r}]"

        kind = "text" if row.kept is None else "any"
        result = self._guarded(val, True, make, kind)
        if row.kept is None and row.as_ is not None and not self.inward:
            return self.read(Scope(source=result), row.as_, result, row.options, row.node)
        return result

    def referred(self, val: Val) -> Val:
        """The id a value refers by: a platform's link, or the uid of a joined record."""
        if self.inward:
            if self.forms.link is not None and val.kind in ("list", "object", "any"):
                return self._link(val)
            if val.kind in ("object", "list", "boolean", *AMOUNTS):
                assert val.kind
                return replace(val, code=f"text_of({val.code})")
            return val
        if val.shape.step("uid") is not None and val.kind in ("object",):
            return self._guarded(val, True, lambda c: f"{c}['uid']", "text")
        return val

    def _link(self, val: Val) -> Val:
        step = str(self.forms.link)
        return replace(self._guarded(val, True, lambda c: f"at({c}, {step!r}, None)", "any"), null=True)

    # -- defaults -----------------------------------------------------------------------------------------------------
    def _default(self, scope: Scope, row: Row, shape: Shape, val: Val) -> Val:
        assert row.default is not None
        other = self._default_value(scope, row, shape)
        if val.kind == "null":
            return other
        t = self.name("t")
        test = f"({t} := {val.code}) is None" + (f" or {t} is MISSING" if val.absent else "")
        return self._joined(val, other, f"({other.code} if {test} else {t})")

    def _default_value(self, scope: Scope, row: Row, shape: Shape) -> Val:
        assert row.default is not None
        other = self.leaf(scope, row.default)
        if other.values is not None and other.sure:
            self._in_target(replace_table(row), other.values, shape)
        return self.cook_guarded(other)

    def _joined(self, val: Val, other: Val, code: str) -> Val:
        val = self.cook_guarded(val) if val.raw and other.sure else val
        kind = val.kind if other.kind in (val.kind, "null") else other.kind if val.kind == "null" else "any"
        if {val.kind, other.kind} <= {*NUMBERS}:
            kind = val.kind
        return Val(code=code, kind=kind, null=other.null, sure=val.sure and other.sure, raw=val.raw and other.raw,
                   loose=val.loose or other.loose, shape=val.shape, text=val.text)  # fmt: skip

    def _safe_default(self, scope: Scope, row: Row, shape: Shape, number: int | None) -> Val:
        variable = self.name("d")
        with self.under("try:"):
            val = self._scalar(scope, row, shape)
            self.put(f"{variable} = {val.code}")
        with self.under("except Exception as error:"):
            if number is None:
                self.put("raise")
            elif row.on_error == "default":
                self.put(f"{variable} = None")
            else:
                self.put(f"{variable} = tr.null_operand(error, {number})")
        other = self._default_value(scope, row, shape)
        self.put(f"if {variable} is None or {variable} is MISSING: {variable} = {other.code}")
        return self._required(row, self._joined(val, other, variable))

    # -- composites ---------------------------------------------------------------------------------------------------
    def _items(self, scope: Scope, row: Row, shape: Shape) -> Val:
        assert row.items is not None
        parts = []
        some_absent = False
        inner = shape.item if shape.kind == "list" else ANY
        for item in row.items:
            val = self.fit(self.value(scope, item, inner), inner, item)
            some_absent = some_absent or val.absent
            parts.append(val.code)
        code = "[" + ", ".join(parts) + "]"
        return Val(code=f"present({code})" if some_absent else code, kind="list", null=False, sure=True, done=True)

    def _fields(self, scope: Scope, row: Row, shape: Shape) -> Val:
        assert row.fields is not None
        if row.source is None:
            inner = scope.inner(prefix=f"{scope.prefix} + {row.name + '.'!r}") if self.safe else scope
            val = self.object(inner, row.fields, shape)
            return replace(val, code=f"({val.code} if len({val.code}) != 0 else MISSING)") if val.absent else val
        source = self.leaf(scope, row.source, absent=True)
        if source.kind not in ("object", "any"):
            return self._mistyped_at(row.node, f"fields from {_a(source.kind)}", "an object")
        variable, result = self.name("s"), self.name("r")
        self.put(f"{variable} = {source.code}")
        here = replace(source, code=variable, null=False, absent=False)
        inner = scope.inner(source=here, up=scope, names={}, label=_under(scope, source, self.safe),
                            prefix=f"{scope.prefix} + {row.name + '.'!r}" if self.safe else "''")  # fmt: skip
        test = " or ".join(
            ([f"{variable} is None"] if source.null else []) + ([f"{variable} is MISSING"] if source.absent else [])
        )
        if test:
            self.put(f"if {test}: {result} = {variable}")
            with self.under("else:"):
                val = self.object(inner, row.fields, shape)
                self.put(f"{result} = {val.code}")
        else:
            val = self.object(inner, row.fields, shape)
            self.put(f"{result} = {val.code}")
        done = Val(code=result, kind="object", null=source.null, absent=source.absent, sure=True, done=True)
        return self._required(row, done)

    def _each(self, scope: Scope, row: Row, shape: Shape) -> Val:
        assert row.each is not None
        items = self.leaf(scope, row.each, absent=True)
        if items.kind not in ("list", "any"):
            return self._mistyped_at(row.node, f"each over {_a(items.kind)}", "a list")
        if shape.kind not in ("list", "any"):
            return self._mistyped_at(row.node, f"{row.name} is {_a(shape.kind)}, not a list", "from: or fields:")
        source, result, index, variable = self.name("l"), self.name("r"), self.name("i"), self.name("s")
        self.put(f"{source} = {items.code}")
        item = items.item if items.item is not None else _of_shape("", items.shape.item)
        item = replace(item, code=variable, null=False, text="")
        label = f"{scope.label} + {items.text + '['!r} + str({index}) + '].'" if self.safe else "''"
        prefix = f"{scope.prefix} + {row.name + '['!r} + str({index}) + '].'" if self.safe else "''"
        inner = scope.inner(source=item, up=scope, names={}, out={}, label=label, prefix=prefix)
        test = " or ".join(([f"{source} is None"] if items.null else []) + ([f"{source} is MISSING"] if items.absent else []))
        depth = self.depth
        if test:
            self.put(f"if {test}: {result} = {source}")
            self.put("else:")
            self.depth += 1
        self._loop(row, inner, shape.item if shape.kind == "list" else ANY, source, result, index, variable)
        self.depth = depth
        done = Val(code=result, kind="list", null=items.null, absent=items.absent, sure=True, done=True)
        return self._required(row, done)

    def _loop(self, row: Row, inner: Scope, shape: Shape, source: str, result: str, index: str, variable: str) -> None:
        """The loop over the items, as a comprehension where nothing needs a statement."""
        before, self.lines, depth = self.lines, [], self.depth
        self.depth += 1
        condition = self.condition_of(inner, row.where) if row.where is not None and not self.safe else None
        if self.safe and row.where is not None:
            self._safe_where(row, inner)
        val = self._item(row, inner, shape)
        body, self.lines, self.depth = self.lines, before, depth
        if not body and not val.absent:
            test = f" if {condition}" if condition is not None else ""
            self.put(f"{result} = [{val.code} for {variable} in list_of({source}){test}]")
            return
        self.put(f"{result} = []")
        if self.safe:
            self.put(f"for {index}, {variable} in enumerate(list_of({source})):")
        else:
            self.put(f"for {variable} in list_of({source}):")
        self.depth += 1
        if condition is not None:
            self.put(f"if not {condition}: continue")
        self.lines += body
        if val.absent:
            kept = self.name("k")
            self.put(f"{kept} = {val.code}")
            self.put(f"if {kept} is not MISSING and {kept} is not FAULTED: {result}.append({kept})")
        else:
            self.put(f"{result}.append({val.code})")
        self.depth -= 1

    def _safe_where(self, row: Row, inner: Scope) -> None:
        assert row.where is not None
        number = self.info(row, f"{row.name}.where")
        self.put(f"tr.begin({number}, '')")
        with self.under("try:"):
            self.put(f"if not {self.condition_of(inner, row.where)}: continue")
        with self.under("except Exception as error:"):
            self.put(f"tr.fault(error, {number}, '')")
            self.put("continue")

    def condition_of(self, scope: Scope, leaf: Leaf) -> str:
        """A condition written as a path or an expression."""
        if leaf.tree is not None:
            before, self._leaf = self._leaf, leaf
            code = self.condition(scope, leaf.tree)
            self._leaf = before
            return code
        val = self.leaf(scope, leaf)
        if val.kind not in ("boolean", "any"):
            self._mistyped_at(leaf.node, f"{_a(val.kind)} is used as a condition", "compare it: = x != 0, = x is not null")
        return f"truth({val.code})"

    def _item(self, row: Row, scope: Scope, shape: Shape) -> Val:
        if row.let:
            scope = self.lets(scope, row.let)
        if row.fields is not None:
            key = shape.properties if shape.kind == "object" else {}
            if self.inward and "key" in key and not any(field.name == "key" for field in row.fields):
                self.wrong(row.node, "missing-key", f"the items of {row.name} have no key", "fields: {key: id, …}")
            self.missing_fields(row.fields, shape, row)
            val = self.object(scope, row.fields, shape)
            return replace(val, absent=False)
        one = replace_row(row)
        if one.source is None and one.ref is None:
            one.source = Leaf(node=row.node, text="this", segments=("this",))
        if self.safe:
            return Val(code=self._safe_row(scope, one, shape, False), absent=True, done=True, sure=True)
        return self.fit(self.value(scope, one, shape), shape, one)

    def missing_fields(self, rows: list[Row], shape: Shape, row: Row) -> None:
        """Required canonical fields of a nested object that no row sets."""
        lacking = sorted(shape.required - {field.name for field in rows}) if self.inward else []
        if lacking:
            self.wrong(row.node, "required-field", f"{row.name}: nothing sets {', '.join(lacking)}", "a row for each")

    # -- the target's form --------------------------------------------------------------------------------------------
    def fit(self, val: Val, shape: Shape, row: Row) -> Val:
        """The value in the form of its target; a kind that cannot become it is a mistake."""
        if val.kind == "null" or val.done:
            if val.done and shape.kind not in ("any", val.kind) and val.kind in ("object", "list"):
                self._mistyped_at(row.node, f"{row.name} is {_a(shape.kind)}, not {_a(val.kind)}", "")
            return val
        if val.values is not None:
            self._in_target(row, val.values, shape) if row.table is None else None
        return self._fit_inward(val, shape, row) if self.inward else self._fit_outward(val, shape, row)

    def _as_json(self, val: Val, make: Callable[[str], str]) -> Val:
        return replace(self._guarded(val, True, make, val.kind), done=True)

    def _fit_inward(self, val: Val, shape: Shape, row: Row) -> Val:
        have, want = val.kind, shape.kind
        if val.kind in AMOUNTS and not val.raw and want in (val.kind, "any"):
            if val.json is not None:
                return replace(val, code=val.json, done=True)
            if have == "money" and not self.safe and not (val.null or val.absent or val.loose) and val.sure:
                simple = val.code.isidentifier()
                t = val.code if simple else self.name("t")
                first = t if simple else f"({t} := {val.code})"
                return replace(val, code=f"{{'amount': str({first}[0]), 'currency': {t}[1]}}", done=True)
            return self._as_json(val, lambda c: f"{have}_json({c})")
        if have == "decimal" and val.sure and want in ("decimal", "any"):
            return self._as_json(val, lambda c: f"number_text({c})")
        if want == "decimal" and have == "integer":
            return self._as_json(val, lambda c: f"number_text({c})")
        if have == "any" and want in EXACT and row.source is not None:
            return self.fit(self.read(Scope(source=val), want, val, row.options, row.source.node), shape, row)
        return self._checked(val, shape, row, {"text": TEXTS, "decimal": ("decimal",)})

    def _checked(self, val: Val, shape: Shape, row: Row, same: dict[str, tuple[str, ...]]) -> Val:
        """Values as they are: kinds must agree; what only a schema promised is checked."""
        have, want = val.kind, shape.kind
        if want == "any":
            if val.sure and have in (*TEXTS, "integer", "boolean"):
                return val
            deep, t = "plain" if self.inward else "native", self.name("t")
            return replace(val, code=f"({t} if ({t} := {val.code}).__class__ is str else {deep}({t}))", json=None, done=True)
        if have not in ("any", want) and have not in same.get(want, ()):
            return self._mistyped_at(row.source.node if row.source else row.node, f"{row.name} is {_a(want)}, "
                                     f"{val.text or 'the value'} is {_a(have)}", _remedy(have, want))  # fmt: skip
        if have in ("list", "object"):
            deep = "plain" if self.inward else "native"
            return self._as_json(val, lambda c: f"{deep}({want}_only({c}))")
        if val.sure and have != "any":
            return val
        if want in ("text", "integer", "boolean", "list", "object"):
            python = {"text": "str", "integer": "int", "boolean": "bool", "list": "list", "object": "dict"}[want]
            if self.safe:
                return replace(val, code=f"{want}_only({val.code})")
            t = self.name("t")
            return replace(val, code=f"({t} if ({t} := {val.code}).__class__ is {python} else {want}_only({t}))", json=None)
        return val

    def _fit_outward(self, val: Val, shape: Shape, row: Row) -> Val:
        have, want = val.kind, shape.kind
        if want in NUMBERS and have in (*NUMBERS, "text", "any"):
            if have == "integer" and val.sure:
                return val
            if have == "decimal" and val.sure and not val.raw and want == "decimal":
                return val
            return self._as_json(val, lambda c: f"{want}_of({c})")
        if want == "text" and have == "decimal":
            return val if val.raw else self._as_json(val, lambda c: f"number_text({c})")
        if have in AMOUNTS and not val.raw and want in ("any", "object", have):
            return self._as_json(val, lambda c: f"{have}_json({c})")
        if have in (*AMOUNTS, "moment", "date", "decimal") and val.raw and want in ("any", "object"):
            return val
        if have == "decimal" and want == "any":
            return val
        return self._checked(val, shape, row, {"text": TEXTS, "object": AMOUNTS})

    @property
    def entities(self) -> Any:
        """The canonical schemas by name; set by the compiler."""
        raise NotImplementedError


def _under(scope: Scope, val: Val, safe: bool) -> str:
    """Code of the label of what lies under a value."""
    return f"{scope.label} + {val.text + '.'!r}" if safe else "''"


def _mentions(rows: list[Row], name: str) -> bool:
    pattern = re.compile(rf"\bout\.{re.escape(name)}\b")
    return any(pattern.search(text) for row in rows for text in _texts(row))


def _texts(row: Row) -> Iterator[str]:
    for leaf in (row.source, row.each, row.where, row.default, *row.options.values()):
        if leaf is not None:
            yield leaf.text
    for inner in (*row.let, *(row.fields or ()), *(row.items or ())):
        yield from _texts(inner)


def replace_position(row: Row) -> Callable[[str, str, str], Any]:
    """A mistake at the row's key."""
    from mappings.language.lint import LintError

    def make(code: str, what: str, allowed: str) -> LintError:
        return LintError(file=row.node.file, line=row.line, column=row.column, code=code, what=what, allowed=allowed)

    return make


def replace_row(row: Row) -> Row:
    """The row that each item of a list obeys."""
    return replace(row, each=None, where=None, let=[], required=None)


def replace_table(row: Row) -> Row:
    """The row without its table."""
    return replace(row, table=None, table_node=None)


def _key(value: Any) -> str:
    if value is True or value is False:
        return "true" if value else "false"
    return str(value)


def _kind_of(value: Any) -> str:
    names = {str: "text", bool: "boolean", int: "integer"}
    return names.get(value.__class__, "decimal")


def _remedy(have: str, want: str) -> str:
    if want == "text":
        return "as: text" if have not in ("object", "list", *AMOUNTS) else "a path further in, or join, amount, …"
    if want in ("integer", "decimal", "boolean"):
        return f"as: {want}, or a table" if want != "boolean" else "a table, or a comparison: = x == 'yes'"
    return f"as: {want}" if want in EXACT else ""
