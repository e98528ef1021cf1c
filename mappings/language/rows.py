"""Emits rows: from → table | ref → as → round → default → required → the target's JSON form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from mappings.language.grammar import Leaf, Row
from mappings.language.kinds import NUMBERS, Scope, Val, item_of, spoken
from mappings.language.lint import LintError, nearest
from mappings.language.scalars import Scalars
from mappings.language.shapes import ANY, Shape
from mappings.language.tracing import RowInfo


class Rows(Scalars):
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
        self.infos.append(
            RowInfo(
                field=row.name if path is None else path,
                file=row.node.file,
                line=row.line,
                column=row.column,
                text=row.source.text if row.source is not None else "",
                on_error=row.on_error,
                has_default=row.default is not None,
                required=bool(row.required),
            )
        )
        return len(self.infos) - 1

    # -- objects ------------------------------------------------------------------------------------------------------
    def object(self, scope: Scope, rows: list[Row], target: Shape, *, part: str = "fields") -> Val:
        """An object of rows; absent fields are left out. ``absent`` of the result: every field may be."""
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
            with self.origin(row, part) as reading:
                val = self.value(scope, row, shape)
                if row.name in used:
                    typed = self.name("v")
                    self.put(f"{typed} = {val.code}")
                    val = replace(val, code=typed, json=None, text=f"out.{row.name}", reads=reading.all)
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

    def _safe_row(self, scope: Scope, row: Row, shape: Shape, used: bool, *, path: str | None = None) -> str:
        number = self.info(row, path)
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
            self.errors.append(
                line("unknown-field", f"there is no field {row.name!r} to set", nearest(row.name, target.properties))
            )
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
                with self.origin(row, "let") as reading:
                    val = replace(self.value(scope, row, ANY), reads=reading.all)
                self.put(f"{variable} = {val.code}")
            scope.names[row.name] = replace(val, code=variable, json=None, text=row.name)
        return scope

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
        return Val(
            code=code,
            kind=kind,
            null=other.null,
            sure=val.sure and other.sure,
            raw=val.raw and other.raw,
            loose=val.loose or other.loose,
            shape=val.shape,
            text=val.text,
        )

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
            with self.origin(replace(item, name=item.name.removeprefix(row.name))):
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
        self.opened(source)
        if source.kind not in ("object", "any"):
            return self._mistyped_at(row.node, f"fields from {spoken(source.kind)}", "an object")
        variable, result = self.name("s"), self.name("r")
        self.put(f"{variable} = {source.code}")
        here = replace(source, code=variable, null=False, absent=False)
        inner = scope.inner(
            source=here,
            up=scope,
            names={},
            label=_under(scope, source, self.safe),
            prefix=f"{scope.prefix} + {row.name + '.'!r}" if self.safe else "''",
        )
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
        self.opened(items)
        if items.kind not in ("list", "any"):
            return self._mistyped_at(row.node, f"each over {spoken(items.kind)}", "a list")
        if shape.kind not in ("list", "any"):
            return self._mistyped_at(row.node, f"{row.name} is {spoken(shape.kind)}, not a list", "from: or fields:")
        source, result, index, variable = self.name("l"), self.name("r"), self.name("i"), self.name("s")
        self.put(f"{source} = {items.code}")
        item = replace(item_of(items), code=variable, null=False, text="")
        label = f"{scope.label} + {items.text + '['!r} + str({index}) + '].'" if self.safe else "''"
        prefix = f"{scope.prefix} + {row.name + '['!r} + str({index}) + '].'" if self.safe else "''"
        inner = scope.inner(source=item, up=scope, names={}, out={}, label=label, prefix=prefix)
        test = " or ".join(
            ([f"{source} is None"] if items.null else []) + ([f"{source} is MISSING"] if items.absent else [])
        )
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
        if self.safe:
            return Val(
                code=self._safe_row(scope.inner(prefix=f"({scope.prefix})[:-1]"), one, shape, False, path=""),
                absent=True,
                done=True,
                sure=True,
            )
        return self.fit(self.value(scope, one, shape), shape, one)

    def missing_fields(self, rows: list[Row], shape: Shape, row: Row) -> None:
        """Required canonical fields of a nested object that no row sets."""
        lacking = sorted(shape.required - {field.name for field in rows}) if self.inward else []
        if lacking:
            self.wrong(row.node, "required-field", f"{row.name}: nothing sets {', '.join(lacking)}", "a row for each")


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
    """The row that each item of a list obeys; without ``from`` its value is the item itself."""
    source = row.source or Leaf(node=row.node, text="this", segments=("this",))
    return replace(row, each=None, where=None, let=[], required=None, source=source)


def replace_table(row: Row) -> Row:
    """The row without its table."""
    return replace(row, table=None, table_node=None)
