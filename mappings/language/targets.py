"""Emits the last step of a row: the value in the form its target's schema asks for, or the mistake that it has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mappings.language.bounded import RULES, Rule, rule_of
from mappings.language.expressions import Expressions
from mappings.language.grammar import Leaf, Row
from mappings.language.kinds import AMOUNTS, BROKEN, EXACT, NUMBERS, TEXTS, Scope, Val, remedy, spoken
from mappings.language.lint import nearest
from mappings.language.measures import measure_of
from mappings.language.shapes import Shape


class Targets(Expressions):
    """Fits values into canonical JSON (inward) or native documents (outward)."""

    def condition_of(self, scope: Scope, leaf: Leaf) -> str:
        """A condition written as a path or an expression."""
        if leaf.tree is not None:
            before, self._leaf = self._leaf, leaf
            code = self.condition(scope, leaf.tree)
            self._leaf = before
            return code
        val = self.leaf(scope, leaf)
        if val.kind not in ("boolean", "any"):
            self._mistyped_at(
                leaf.node, f"{spoken(val.kind)} is used as a condition", "compare it: = x != 0, = x is not null"
            )
        return f"truth({val.code})"

    def cook_guarded(self, val: Val) -> Val:
        """``cook``, with null and absent passing through."""
        if not val.raw or val.kind in ("moment", "date"):
            return val
        reader = {"money": "money_of", "quantity": "quantity_of", "decimal": "decimal_of"}[val.kind]
        return self._guarded(val, True, lambda c: f"{reader}({c})", val.kind)

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
                self.wrong(
                    node, "enum", f"{row.name} is never {value!r}", nearest(str(value), map(str, allowed)), key=key
                )

    def fit(self, val: Val, shape: Shape, row: Row) -> Val:
        """The value in the form of its target; a kind that cannot become it is a mistake."""
        self.counts(val, measure_of(shape), row.source.node if row.source is not None else row.node)
        if val.kind == "null" or val.done:
            if val.done and shape.kind not in ("any", val.kind) and val.kind in ("object", "list"):
                self._mistyped_at(row.node, f"{row.name} is {spoken(shape.kind)}, not {spoken(val.kind)}", "")
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
            (deep, left), t = self._copied(), self.name("t")
            test = f"({t} := {val.code}).__class__ is str" + (f" or {t} is None" if val.null else "")
            return replace(val, code=f"({t} if {test} else {deep}({t}{left}))", json=None, done=True)
        if want == "money" and have in NUMBERS:
            self.wrong(
                row.source.node if row.source else row.node,
                "float-money",
                f"{row.name} is money, {val.text or 'the value'} is a bare number",
                remedy(have, want) + ", or money(x, currency)",
            )
            return BROKEN
        if have not in ("any", want) and have not in same.get(want, ()):
            return self._mistyped_at(
                row.source.node if row.source else row.node,
                f"{row.name} is {spoken(want)}, {val.text or 'the value'} is {spoken(have)}",
                remedy(have, want),
            )
        if have in ("list", "object") or want in ("list", "object"):
            deep, left = self._copied()
            return self._as_json(val, lambda c: f"{deep}({want}_only({c}){left})")
        if val.sure and have != "any":
            return val
        if want in ("text", "integer", "boolean", "list", "object"):
            python = {"text": "str", "integer": "int", "boolean": "bool", "list": "list", "object": "dict"}[want]
            if self.safe:
                return replace(val, code=f"{want}_only({val.code})")
            t, null = self.name("t"), val.null and (shape.null or not self.inward)
            check = f"{want}_only" if null or not val.null else f"{want}_sure"
            code = f"({t} if ({t} := {val.code}).__class__ is {python} else {check}({t}))"
            return replace(val, code=code, null=null, json=None)
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

    def _copied(self) -> tuple[str, str]:
        """What copies a composite value, and what it may still copy inside a loop."""
        return "plain" if self.inward else "native", ", work.left" if self.looping else ""

    def valid(self, val: Val, shape: Shape) -> Val:
        """A text in the bounds of its canonical field, checked unless the source schema or the row promises it."""
        rule = rule_of(shape.schema) if self.inward and shape.kind == "text" and "x-ref" not in shape.schema else None
        if rule is None or val.kind == "null" or (val.values is not None and val.sure):
            return val
        promised = val.shape.schema if val.place is not None else {}
        if all(promised.get(word) == shape.schema[word] for word in RULES if word in shape.schema):
            return val
        if rule == Rule(least=1) and not self.safe:
            t = self.name("t")
            return replace(val, code=f"({t} if ({t} := {val.code}) != '' else within('', EMPTY))", json=None)
        return replace(val, code=f"within({val.code}, {self.constant(rule, 'R')})", json=None)

    @property
    def entities(self) -> Any:
        """The canonical schemas by name; set by the compiler."""
        raise NotImplementedError
