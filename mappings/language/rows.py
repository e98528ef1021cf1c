"""Emits rows: from → table | ref → as → round → default → required → the target's JSON form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from mappings.language.grammar import Leaf, Row
from mappings.language.kinds import NUMBERS, Scope, Val, either, spoken
from mappings.language.lint import LintError, nearest
from mappings.language.scalars import Scalars
from mappings.language.shapes import ANY, Shape
from mappings.language.tracing import RowInfo

_OUT = re.compile(r"\bout\.(\w+)")


class Rows(Scalars):
    """Emits the statements of rows into ``lines``."""

    own: frozenset[str] = frozenset()

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.lines: list[str] = []
        self.depth = 2
        self.infos: list[RowInfo] = []
        self.wanted: dict[str, tuple[str, ...]] = {}
        """Row over a list → fields of its items that rows below read through ``out``: their values are kept."""

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
    def object(
        self, scope: Scope, rows: list[Row], target: Shape, *, part: str = "fields", wanted: tuple[str, ...] = ()
    ) -> Val:
        """An object of rows; absent fields are left out. ``absent`` of the result: every field may be.

        ``fields`` of the result are the values of the ``wanted`` rows, before they take the target's form.
        """
        scope = scope.inner(out={})
        used = {*wanted, *_mentioned(rows)}
        before, self.wanted = self.wanted, _wanted(rows, used)
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
                fitted = self.filled(self.valid(self.fit(val, shape, row), shape), shape)
            if fitted.absent:
                variable = self.name("j")
                self.put(f"{variable} = {fitted.code}")
                maybe.append((row.name, variable))
            else:
                always.append((row.name, fitted.code))
        body = "{" + ", ".join(f"{name!r}: {code}" for name, code in always) + "}"
        self.wanted = before
        fields = {name: scope.out[name] for name in wanted if name in scope.out}
        if not maybe:
            return Val(code=body, kind="object", null=False, sure=True, done=True, fields=fields)
        result = self.name("o")
        self.put(f"{result} = {body}")
        for name, variable in maybe:
            test = f"{variable} is not MISSING" + (f" and {variable} is not FAULTED" if self.safe else "")
            self.put(f"if {test}: {result}[{name!r}] = {variable}")
        return Val(code=result, kind="object", null=False, sure=True, done=True, absent=not always, fields=fields)

    def _safe_row(self, scope: Scope, row: Row, shape: Shape, used: bool, *, path: str | None = None) -> str:
        number = self.info(row, path)
        variable, typed = self.name("j"), self.name("v")
        self.put(f"tr.begin({number}, {scope.prefix})")
        with self.under("try:"):
            val = self.value(scope, row, shape, number=number)
            if used:
                self.put(f"{typed} = {val.code}")
                val = replace(val, code=typed, json=None, text=f"out.{row.name}")
            fitted = self.filled(self.valid(self.fit(val, shape, row), shape), shape)
            self.put(f"{variable} = {fitted.code}")
        with self.under("except Exception as error:"):
            self.put(f"{variable} = tr.fault(error, {number}, {scope.prefix})")
            if used:
                self.put(f"{typed} = {variable}")
        if used:
            scope.out[row.name] = val
        return variable

    def filled(self, val: Val, shape: Shape) -> Val:
        """A canonical field that cannot be null is not; null is a fault of its row, absent leaves it out."""
        if not self.inward or shape.null or not (val.null or val.kind == "null"):
            return val
        if self.safe:
            return replace(val, code=f"not_null({val.code})", null=False)
        t = self.name("t")
        return replace(val, code=f"({t} if ({t} := {val.code}) is not None else need(None))", null=False, json=None)

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
        if row.let and row.each is None:  # with each they are names of every item
            scope = self.lets(scope, row.let)
        if row.items is not None:
            return self._items(scope, row, shape)
        if row.each is not None:
            return self.each(scope, row, shape)
        if row.fields is not None:
            return self._fields(scope, row, shape)
        if row.default is not None and self.safe:
            return self._safe_default(scope, row, shape, number)
        val = self.scalar(scope, row, shape)
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
            scope.outer -= {row.name}
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
            val = self.scalar(scope, row, shape)
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

    # -- cases ---------------------------------------------------------------------------------------------------------
    def scalar(self, scope: Scope, row: Row, shape: Shape) -> Val:
        """The value of a row before ``default`` and ``required``."""
        return self._scalar(scope, row, shape, self._when(scope, row, shape) if row.when else None)

    def _when(self, scope: Scope, row: Row, shape: Shape) -> Val:
        """The value of the first case whose condition holds; that none does is a fault, unless there is a default."""
        if row.as_ is not None or row.table is not None:
            shape = ANY
        result, word = self.name("w"), "if"
        vals: list[tuple[int, Val, Row]] = []
        for case in row.when:
            if case.condition is not None:
                self.put(f"{word} {self.condition_of(scope, case.condition)}:")
            else:
                self.put("else:" if word == "elif" else "if True:")
            word = "elif"
            self.depth += 1
            number = self.info(case.row) if self.safe else None
            val = self.value(scope, case.row, shape, number=number)
            vals.append((len(self.lines), val, case.row))
            self.put(f"{result} = ")  # completed below, when the kinds of all cases are known
            self.depth -= 1
        open_ = row.when[-1].condition is not None
        if open_:
            self.put(f"else: {result} = {'MISSING' if row.default is not None else 'no_case()'}")
        kinds = {val.kind for _, val, _ in vals if val.kind != "null"}
        if len(kinds) > 1 and not kinds <= {*NUMBERS}:
            vals = [(at, self.fit(val, shape, case), case) for at, val, case in vals]
        elif not all(val.raw or val.kind == "null" for _, val, _ in vals):
            vals = [(at, self.cook_guarded(val), case) for at, val, case in vals]
        for at, val, _ in vals:
            self.lines[at] += val.code
        joined = vals[0][1]
        for _, val, _ in vals[1:]:
            joined = replace(either("", joined, val), raw=joined.raw, done=joined.done or val.done)
        return replace(
            joined,
            code=result,
            null=any(val.null or val.kind == "null" for _, val, _ in vals),
            absent=(open_ and row.default is not None) or any(val.absent for _, val, _ in vals),
            sure=all(val.sure or val.kind == "null" for _, val, _ in vals),
            json=None,
            place=None,
            text=row.name,
        )

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
        inner = scope.inside(
            here,
            out=scope.out,
            label=_under(scope, source, self.safe),
            prefix=f"{scope.prefix} + {row.name + '.'!r}" if self.safe else "''",
        )
        test = self.lacking(variable, source)
        if test:
            other = self._default_value(scope, row, shape).code if row.default is not None else variable
            self.put(f"if {test}: {result} = {other}")
            with self.under("else:"):
                val = self.object(inner, row.fields, shape)
                self.put(f"{result} = {val.code}")
        else:
            val = self.object(inner, row.fields, shape)
            self.put(f"{result} = {val.code}")
        kept = row.default is None
        null, absent = source.null and kept, source.absent and kept
        done = Val(code=result, kind="object", null=null, absent=absent, sure=True, done=True)
        return self._required(row, done)

    def lacking(self, code: str, val: Val) -> str:
        """The test that a value is null or absent, as far as it can be."""
        tests = ([f"{code} is None"] if val.null else []) + ([f"{code} is MISSING"] if val.absent else [])
        return " or ".join(tests)

    def each(self, scope: Scope, row: Row, shape: Shape) -> Val:
        """A list, item by item; see ``loops``."""
        raise NotImplementedError


def _under(scope: Scope, val: Val, safe: bool) -> str:
    """Code of the label of what lies under a value."""
    return f"{scope.label} + {val.text + '.'!r}" if safe else "''"


def _wanted(rows: list[Row], used: set[str]) -> dict[str, tuple[str, ...]]:
    """The rows over lists whose items' fields the rows below read, ``sum(line.total for line in out.lines)``."""
    found = {}
    for number, row in enumerate(rows):
        if row.name in used and row.each is not None and row.fields is not None:
            text = "\n".join(text for below in rows[number + 1 :] for text in _texts(below))
            named = tuple(inner.name for inner in row.fields if re.search(rf"\.{re.escape(inner.name)}\b", text))
            if re.search(rf"\bin out\.{re.escape(row.name)}\b", text) and named:
                found[row.name] = named
    return found


def _mentioned(rows: list[Row]) -> set[str]:
    """Those of the rows whose values any of them reads as ``out.name``."""
    text = "\n".join(text for row in rows for text in _texts(row) if "out." in text)
    words = set(_OUT.findall(text))
    return {
        row.name for row in rows
        if row.name in words or (not row.name.isidentifier() and re.search(rf"\bout\.{re.escape(row.name)}\b", text))
    }


def _texts(row: Row) -> Iterator[str]:
    yield from (leaf.text for leaf in row.leaves)
    for inner in row.inner:
        yield from _texts(inner)


def replace_position(row: Row) -> Callable[[str, str, str], Any]:
    """A mistake at the row's key."""
    from mappings.language.lint import LintError

    def make(code: str, what: str, allowed: str) -> LintError:
        return LintError(file=row.node.file, line=row.line, column=row.column, code=code, what=what, allowed=allowed)

    return make


def replace_table(row: Row) -> Row:
    """The row without its table."""
    return replace(row, table=None, table_node=None)


def row_of(name: str, leaf: Leaf) -> Row:
    """A row that is nothing but its source, for what stands beside the fields."""
    return Row(name=name, node=leaf.node, line=leaf.node.line, column=leaf.node.column, source=leaf)
