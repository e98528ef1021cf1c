"""Emits paths: dictionary look-ups, null-safe as far as the source schema calls for it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mappings.language.grammar import Forms, Leaf
from mappings.language.kinds import AMOUNTS, BROKEN, Scope, Val, spoken
from mappings.language.lint import LintError, nearest
from mappings.language.loader import Node
from mappings.language.measures import Measure, measure_of
from mappings.language.origins import Origins
from mappings.language.shapes import Shape
from mappings.language.words import wrong_word


class Paths(Origins):
    """Emits values; ``errors`` collects what is wrong, each with its place."""

    def __init__(self, *, safe: bool, inward: bool, forms: Forms, doc: Val, context: Val) -> None:
        super().__init__()
        self.safe = safe
        self.inward = inward
        self.forms = forms
        self.doc = doc
        self.context = context
        self.tables: Mapping[str, Any] = {}
        self.errors: list[LintError] = []
        self.constants: dict[str, Any] = {}
        self.count = 0
        self._no_walrus = 0
        self._loops = 0
        self.looping = 0
        self.chain: list[str | None] = [""]
        """How many loops are around what is being emitted: those of expressions and those of `each`."""
        self._leaf: Leaf | None = None

    def listing(self, val: Val) -> str:
        """What goes over a list: counted, unless it lies in the item of the loop around it: each is then met once."""
        return "list_of" if len(self.chain) == 1 or self._descends(val) else "work.take"

    def enter(self, val: Val) -> None:
        """What is emitted next stands in a loop over this list."""
        self.looping += 1
        first = len(self.chain) == 1 and val.place is not None
        self.chain.append(f"{val.place}[]" if first or self._descends(val) else None)

    def leave(self, count: int = 1) -> None:
        """The innermost loops end."""
        self.looping -= count
        del self.chain[-count:]

    def _descends(self, val: Val) -> bool:
        around = self.chain[-1]
        return bool(around) and val.place is not None and (val.place == around or val.place.startswith(f"{around}."))

    def name(self, letter: str) -> str:
        """A fresh variable."""
        self.count += 1
        return f"{letter}{self.count}"

    def constant(self, value: Any, letter: str = "K") -> str:
        """A name that holds the value in the generated module."""
        name = self.name(letter)
        self.constants[name] = value
        return name

    def wrong(self, node: Node, code: str, what: str, allowed: str = "", *, key: str | None = None) -> None:
        """Keeps a mistake."""
        self.errors.append(node.error(code, what, allowed, key=key))

    # -- paths --------------------------------------------------------------------------------------------------------
    def leaf(self, scope: Scope, leaf: Leaf, *, absent: bool = False) -> Val:
        """The value of a path or expression. With ``absent`` a path that is not there gives MISSING, else null."""
        before, self._leaf = self._leaf, leaf
        try:
            if leaf.segments is not None:
                return self.path(scope, leaf.segments, leaf.node, absent=absent) if leaf.segments else Val(code="None")
            assert leaf.tree is not None
            return self.expression(scope, leaf.tree)
        finally:
            self._leaf = before

    def path(self, scope: Scope, segments: tuple[str, ...], node: Node, *, absent: bool = False) -> Val:
        """Follows a path from the scope its first name belongs to."""
        val = self._followed(scope, segments, node, absent=absent)
        self.note(val)
        return val

    def _followed(self, scope: Scope, segments: tuple[str, ...], node: Node, *, absent: bool) -> Val:
        first, rest = segments[0], segments[1:]
        if first in scope.here:
            val = self._met(scope.here[first], first, absent)
            return self.walk(val, rest, node, absent=absent, label=repr(first + "."))
        if first in scope.names:
            if first in scope.outer and first in scope.source.shape.properties:
                self.wrong(
                    node,
                    "ambiguous",
                    f"{first} is a name of let: above and a field here",
                    f"this.{first} is the field; give the name of let: another",
                )
            return self.walk(
                self._met(scope.names[first], first, absent), rest, node, absent=absent, label=repr(first + ".")
            )
        if first == "out":
            if not rest or rest[0] not in scope.out:
                name = rest[0] if rest else ""
                self.wrong(
                    node, "unknown-field", f"out.{name} is no field above in this object", nearest(name, scope.out)
                )
                return BROKEN
            above = self._met(scope.out[rest[0]], f"out.{rest[0]}", absent)
            return self.walk(above, rest[1:], node, absent=absent, label=repr(f"out.{rest[0]}."))
        if first == "up":
            if scope.up is None:
                self.wrong(node, "scope", "there is no enclosing item here", "doc.… is the document")
                return BROKEN
            return self._followed(scope.up, rest, node, absent=absent) if rest else scope.up.source
        if first == "doc":
            return self.walk(self.doc, rest, node, absent=absent, label="''")
        if first == "tables" and self.tables:
            if not rest or rest[0] not in self.tables:
                name = rest[0] if rest else ""
                self.wrong(node, "unknown-table", f"unknown table {name!r}", nearest(name, self.tables))
                return BROKEN
            table = self._table_named(rest[0])
            return self.walk(table, rest[1:], node, absent=absent, label=repr(f"tables.{rest[0]}."))
        if first == "context":
            return self.walk(self.context, rest, node, absent=absent, label="'context.'")
        if first == "this":
            return self.walk(scope.source, rest, node, absent=absent, label=scope.label)
        return self.walk(scope.source, segments, node, absent=absent, label=scope.label)

    def _table_named(self, name: str) -> Val:
        table = self.tables[name]
        kind = "list" if isinstance(table, list) else "object"
        return Val(code=self.constant(table, "T"), kind=kind, null=False, sure=True, shape=Shape(kind=kind), text=name)

    def _met(self, val: Val, text: str, absent: bool) -> Val:
        """A value computed before: the safe source notes it, and follows a fault of it no further."""
        if self.safe:
            return replace(val, code=f"met(tr, {val.code}, {text!r}, {absent})", null=True, absent=absent, text=text)
        if val.absent and not absent:
            return replace(val, code=f"nullified({val.code})", null=True, absent=False, text=text)
        return replace(val, text=text)

    def walk(self, root: Val, steps: tuple[str, ...], node: Node, *, absent: bool, label: str) -> Val:
        """The value at the end of the steps, null-safe as far as the schema calls for it."""
        current = root
        for number, step in enumerate(steps):
            known = (current.fields or {}).get(step)
            if known is not None:
                current = replace(known, code=f"{current.code}[{step!r}]", json=None, text=f"{current.text}.{step}")
                continue
            found = self._step(current, step, node, ".".join(steps[:number]))
            if found is None:
                return BROKEN
            shape, present = found
            current = self._take(current, step, shape, present, absent=absent)
        if not steps:
            return current
        text = ".".join(steps)
        if current.place is None and not current.reads:  # what lies in a computed value comes from where that came from
            current = replace(current, reads=root.reads)
        if self.safe:
            empties = self.constant(self.forms.empty, "E") if self._has_empties(root) else "()"
            whole = ", True" if empties != "()" and current.kind == "boolean" else ""  # false is false here
            code = f"walk(tr, {root.code}, {label}, {steps!r}, {absent}, {empties}{whole})"
            return replace(current, code=code, null=True, absent=absent, text=text)
        return replace(current, text=text)

    def _has_empties(self, root: Val) -> bool:
        return bool(self.forms.empty) and self.inward and root.code != self.context.code

    def _step(self, current: Val, step: str, node: Node, before: str) -> tuple[Shape, bool] | None:
        if current.kind == "list" and step.lstrip("-").isdigit():
            return current.shape.item, False
        found = current.shape.step(step) if current.kind in ("object", "any", *AMOUNTS) else None
        if found is None:
            where = f"{current.text or before} has" if current.text or before else "the source has"
            if current.kind not in ("object", "any", *AMOUNTS):
                self.wrong(
                    node,
                    "unknown-path",
                    f"{where} no {step!r}: it is {spoken(current.kind)}",
                    "a list is read by each:, a generator or an index" if current.kind == "list" else "",
                )
            else:
                hint = nearest(step, current.shape.properties)
                self.wrong(node, "unknown-path", f"{where} no {step!r}", hint + "; a constant text is = 'text'")
            return None
        return found

    def _take(self, current: Val, step: str, shape: Shape, present: bool, *, absent: bool) -> Val:
        raw = shape.book.canonical and shape.kind in ("money", "quantity", "decimal", "moment", "date")
        index = current.kind in ("list", "any") and step.lstrip("-").isdigit()
        maybe = current.null or current.absent
        missing = "MISSING" if absent else "None"
        if self.safe:
            code, null, gone = "", True, absent
        elif index or (maybe and self._no_walrus):
            code, null, gone = f"at({current.code}, {step!r}, {missing})", True, absent
        else:
            get = f"[{step!r}]" if present else (f".get({step!r}, MISSING)" if absent else f".get({step!r})")
            null = shape.null or (maybe and (current.null or not absent)) or (not present and not absent)
            gone = absent and (current.absent or not present)
            if maybe:
                t = self.name("t")
                test = f"({t} := {current.code}) is None"
                test += f" or {t} is MISSING" if current.absent else ""
                code = f"({t if current.absent else 'None'} if {test} else {t}{get})"
            else:
                code = f"{current.code}{get}"
        if not self.safe and self._has_empties(current) and shape.kind != "boolean":
            code, null = self._emptied(code), True
        return Val(
            code=code,
            kind=shape.kind,
            null=null,
            absent=gone,
            raw=raw,
            shape=shape,
            values=shape.enum,
            measure=measure_of(shape),
            text=f"{current.text}.{step}" if current.text else step,
            place=f"{current.place}.{step}" if current.place else None if current.place is None else step,
        )

    def _emptied(self, code: str) -> str:
        if self._no_walrus:
            return f"emptied({code}, {self.constant(self.forms.empty, 'E')})"
        t = self.name("t")
        test = " or ".join(
            f"{t} is {value!r}"
            if isinstance(value, bool)
            else f"({t} == {value!r} and {t}.__class__ is str)"
            if isinstance(value, str)
            else f"emptied({t}, ({value!r},)) is None"
            for value in self.forms.empty
        )
        return (
            f"(None if ({t} := {code}) is False or {t} is None else {t})"
            if self.forms.empty == (False,)
            else (f"({t} if ({t} := {code}) is None else None if {test} else {t})")
        )

    def refuse(self, what: str, allowed: str = "") -> Val:
        """Keeps a mistake in the expression that is being emitted."""
        assert self._leaf is not None
        self.wrong(self._leaf.node, "expression", what, allowed)
        return BROKEN

    def unreachable(self, what: str, allowed: str = "") -> None:
        """Keeps a mistake about something that can never come to pass."""
        assert self._leaf is not None
        self.wrong(self._leaf.node, "unreachable", what, allowed)

    def mistyped(self, what: str, allowed: str = "") -> Val:
        """Keeps a mistake about kinds."""
        assert self._leaf is not None
        self.wrong(self._leaf.node, "wrong-type", what, allowed)
        return BROKEN

    def word(self, kind: str, val: Val, node: Node | None = None) -> None:
        """Keeps a mistake when a constant is not a word of that kind, or a pattern is not a constant."""
        at = node if node is not None else self._leaf.node if self._leaf is not None else None
        assert at is not None
        if val.sure and val.values is not None and all(isinstance(value, str) for value in val.values):
            for value in val.values:
                found = wrong_word(kind, value)
                if found is not None:
                    self.wrong(at, *found)
        elif kind == "pattern":
            self.wrong(at, "pattern", "a pattern that is not a constant text", "'[0-9]+'")

    def cook(self, val: Val) -> Val:
        """The value itself where the path holds its canonical JSON form."""
        if not val.raw or val.kind in ("moment", "date"):
            return val
        reader = {"money": "money_of", "quantity": "quantity_of", "decimal": "decimal_of"}[val.kind]
        return Val(
            code=f"{reader}({val.code})", kind=val.kind, null=False, sure=True, text=val.text, measure=val.measure
        )

    def counts(self, val: Val, said: Measure, node: Node) -> None:
        """Keeps a mistake when a value is known to count something else than what is said or wanted of it."""
        have, name = val.measure, val.text or "the value"
        if have.kinds and said.kinds and not set(have.kinds) <= set(said.kinds):
            kinds, wanted = " or ".join(have.kinds), " or ".join(said.kinds)
            allowed = f"count_as(x, {said.kinds[0]!r}) says so where it holds"
            self.wrong(node, "quantity-kind", f"{name} counts {kinds}, not {wanted}", allowed)
        clash = have.without_kind().clash(said)
        if clash:
            self.wrong(node, "mixed", f"{name} counts {clash.replace(' and ', ', not ')}", "exchange(…), convert(…)")

    def mixed(self, a: Val, b: Val, doing: str) -> None:
        """Keeps a mistake when two amounts are known to count different things."""
        clash = a.measure.clash(b.measure)
        if clash:
            assert self._leaf is not None
            self.wrong(
                self._leaf.node,
                "mixed",
                f"{clash} {doing}",
                "exchange(…) and convert(…) make them alike, count_as(x, 'available') says of which kind a count is",
            )

    def _mistyped_at(self, node: Node, what: str, allowed: str) -> Val:
        self.wrong(node, "wrong-type", what, allowed)
        return BROKEN

    def _guarded(
        self, val: Val, guard: bool, make: Callable[[str], str], kind: str, json: Callable[[str], str] | None = None
    ) -> Val:
        def around(run: Callable[[str], str]) -> str:
            if not guard or not (val.null or val.absent):
                return run(val.code)
            t = self.name("t")
            test = f"({t} := {val.code}) is None" + (f" or {t} is MISSING" if val.absent else "")
            return f"({t if val.absent else 'None'} if {test} else {run(t)})"

        null, absent = (val.null, val.absent) if guard else (False, False)
        return Val(
            code=around(make),
            kind=kind,
            null=null,
            absent=absent,
            sure=True,
            json=around(json) if json is not None else None,
            text=val.text,
            measure=val.measure,
        )

    def expression(self, scope: Scope, node: ast.expr) -> Val:
        """Emits an expression."""
        raise NotImplementedError
