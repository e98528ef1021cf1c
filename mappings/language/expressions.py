"""Turns paths and expressions into Python source, checking kinds on the way.

Nothing of an author's text reaches the source except as a ``repr`` of a constant: names become dictionary look-ups,
calls become calls of registered functions, and every node of Python's syntax that is not named here is refused. An
expression therefore terminates: it can loop over input lists only (two levels), and it cannot grow text or numbers.

The same code is emitted twice. The *fast* source trusts the source schema about nulls and absence; where the schema was
wrong it raises, and the record is mapped again by the *safe* source, which walks every path step by step, remembers what
it met, and goes on after a fault. Where the fast source does not raise, both give the same values.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from mappings.language import functions
from mappings.language.functions import FUNCTIONS
from mappings.language.grammar import Forms, Leaf
from mappings.language.lint import LintError, nearest
from mappings.language.loader import Node
from mappings.language.shapes import ANY, Shape
from mappings.language.values import READERS

NUMBERS = ("integer", "decimal")
AMOUNTS = ("money", "quantity")
TEXTS = ("text", "moment", "date", "email", "phone")
SCOPES = ("out", "up", "doc", "context", "this")
_COMPARE: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "add"), ast.Sub: ("-", "subtract"), ast.Mult: ("*", "multiply"), ast.Div: ("/", "divide"),
    ast.FloorDiv: ("//", "floor_divide"), ast.Mod: ("%", "remainder"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Val:
    """Emitted code and what is known of its value.

    ``sure``: our own code made the value, so its kind is certain, not only promised by a schema. ``raw``: an exact kind
    in its canonical JSON form. ``loose``: money that may have more digits than its currency. ``json``: code that gives
    the canonical JSON form at once. ``done``: the value is already in its final form. ``values``: all it can be.
    """

    code: str
    kind: str = "any"
    null: bool = True
    absent: bool = False
    sure: bool = False
    raw: bool = False
    loose: bool = False
    done: bool = False
    json: str | None = None
    shape: Shape = ANY
    item: Val | None = None
    values: tuple[Any, ...] | None = None
    text: str = ""


@dataclass(kw_only=True, slots=True)
class Scope:
    """What names mean at one level; ``label`` and ``prefix`` are code for where a fault lies in input and output."""

    source: Val
    label: str = "''"
    prefix: str = "''"
    names: dict[str, Val] = field(default_factory=dict)
    out: dict[str, Val] = field(default_factory=dict)
    up: Scope | None = None

    def inner(self, **changes: Any) -> Scope:
        """A scope inside this one."""
        return replace(self, **changes)


class Expressions:
    """Emits values; ``errors`` collects what is wrong, each with its place."""

    def __init__(self, *, safe: bool, inward: bool, forms: Forms, doc: Val, context: Val) -> None:
        self.safe = safe
        self.inward = inward
        self.forms = forms
        self.doc = doc
        self.context = context
        self.errors: list[LintError] = []
        self.constants: dict[str, Any] = {}
        self.count = 0
        self._no_walrus = 0
        self._loops = 0
        self._leaf: Leaf | None = None

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
        first, rest = segments[0], segments[1:]
        if first in scope.names:
            return self.walk(self._met(scope.names[first], first, absent), rest, node, absent=absent, label=repr(first + "."))
        if first == "out":
            if not rest or rest[0] not in scope.out:
                name = rest[0] if rest else ""
                self.wrong(node, "unknown-field", f"out.{name} is no field above in this object",
                           nearest(name, scope.out))  # fmt: skip
                return Val(code="None")
            above = self._met(scope.out[rest[0]], f"out.{rest[0]}", absent)
            return self.walk(above, rest[1:], node, absent=absent, label=repr(f"out.{rest[0]}."))
        if first == "up":
            if scope.up is None:
                self.wrong(node, "scope", "there is no enclosing item here", "doc.… is the document")
                return Val(code="None")
            return self.path(scope.up, rest, node, absent=absent) if rest else scope.up.source
        if first == "doc":
            return self.walk(self.doc, rest, node, absent=absent, label="''")
        if first == "context":
            return self.walk(self.context, rest, node, absent=absent, label="'context.'")
        if first == "this":
            return self.walk(scope.source, rest, node, absent=absent, label=scope.label)
        return self.walk(scope.source, segments, node, absent=absent, label=scope.label)

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
            found = self._step(current, step, node, ".".join(steps[:number]))
            if found is None:
                return Val(code="None")
            shape, present = found
            current = self._take(current, step, shape, present, absent=absent)
        if not steps:
            return current
        text = ".".join(steps)
        if self.safe:
            empties = self.constant(self.forms.empty, "E") if self._has_empties(root) else "()"
            code = f"walk(tr, {root.code}, {label}, {steps!r}, {absent}, {empties})"
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
                self.wrong(node, "unknown-path", f"{where} no {step!r}: it is {_a(current.kind)}",
                           "a list is read by each:, a generator or an index" if current.kind == "list" else "")  # fmt: skip
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
        return Val(code=code, kind=shape.kind, null=null, absent=gone, raw=raw, shape=shape, values=shape.enum,
                   text=f"{current.text}.{step}" if current.text else step)  # fmt: skip

    def _emptied(self, code: str) -> str:
        if self._no_walrus:
            return f"emptied({code}, {self.constant(self.forms.empty, 'E')})"
        t = self.name("t")
        test = " or ".join(
            f"{t} is {value!r}" if isinstance(value, bool) else f"({t} == {value!r} and {t}.__class__ is str)"
            if isinstance(value, str) else f"emptied({t}, ({value!r},)) is None"
            for value in self.forms.empty
        )  # fmt: skip
        return f"(None if ({t} := {code}) is False or {t} is None else {t})" if self.forms.empty == (False,) else (
            f"({t} if ({t} := {code}) is None else None if {test} else {t})")  # fmt: skip

    # -- expressions --------------------------------------------------------------------------------------------------
    def refuse(self, what: str, allowed: str = "") -> Val:
        """Keeps a mistake in the expression that is being emitted."""
        assert self._leaf is not None
        self.wrong(self._leaf.node, "expression", what, allowed)
        return Val(code="None")

    def mistyped(self, what: str, allowed: str = "") -> Val:
        """Keeps a mistake about kinds."""
        assert self._leaf is not None
        self.wrong(self._leaf.node, "wrong-type", what, allowed)
        return Val(code="None")

    def cook(self, val: Val) -> Val:
        """The value itself where the path holds its canonical JSON form."""
        if not val.raw or val.kind in ("moment", "date"):
            return val
        reader = {"money": "money_of", "quantity": "quantity_of", "decimal": "decimal_of"}[val.kind]
        return Val(code=f"{reader}({val.code})", kind=val.kind, null=False, sure=True, text=val.text)

    def expression(self, scope: Scope, node: ast.expr) -> Val:
        """Emits one node of the whitelisted subset."""
        match node:
            case ast.Constant():
                return self._literal(node)
            case ast.Name(id="true" | "false" | "null" as word) if word not in scope.names:
                return self._literal(ast.Constant({"true": True, "false": False, "null": None}[word]))
            case ast.Name() | ast.Attribute() | ast.Subscript():
                return self._reach(scope, node)
            case ast.BinOp():
                return self._arithmetic(scope, node)
            case ast.UnaryOp(op=ast.USub()):
                value = self.cook(self.expression(scope, node.operand))
                if value.kind not in ("any", *NUMBERS, *AMOUNTS):
                    return self.mistyped(f"minus {_a(value.kind)}", "numbers and amounts")
                return replace(value, code=f"multiply({value.code}, -1)", json=None, values=None, text="")
            case ast.UnaryOp(op=ast.Not()):
                return _boolean(f"(not {self.condition(scope, node.operand)})")
            case ast.BoolOp():
                word = " and " if isinstance(node.op, ast.And) else " or "
                return _boolean("(" + word.join(self.condition(scope, part) for part in node.values) + ")")
            case ast.Compare():
                return self._compare(scope, node)
            case ast.IfExp():
                test = self.condition(scope, node.test)
                yes = self.cook(self.expression(scope, node.body))
                no = self.cook(self.expression(scope, node.orelse))
                return _either(f"({yes.code} if {test} else {no.code})", yes, no)
            case ast.Call():
                return self._call(scope, node)
            case ast.List() | ast.Tuple():
                items = [self.cook(self.expression(scope, item)) for item in node.elts]
                kinds = {item.kind for item in items}
                item = replace(items[0], code="") if len(kinds) == 1 else Val(code="")
                return Val(code="[" + ", ".join(i.code for i in items) + "]", kind="list", null=False, sure=True, item=item)
            case ast.Dict():
                parts = []
                for key, entry in zip(node.keys, node.values, strict=True):
                    if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                        return self.refuse("the key of an object is not a constant text", "{'a': x}")
                    parts.append(f"{key.value!r}: {self.cook(self.expression(scope, entry)).code}")
                return Val(code="{" + ", ".join(parts) + "}", kind="object", null=False, sure=True)
            case ast.ListComp(elt=elt, generators=generators):
                return self._generate(scope, elt, generators)
        return self.refuse(f"{_spoken(node)} is not part of the language",
                           "paths, literals, + - * / // %, comparisons, and or not, x if c else y, functions")  # fmt: skip

    def condition(self, scope: Scope, node: ast.expr) -> str:
        """Code of a condition; what is not true or false is refused, statically where that is known."""
        value = self.expression(scope, node)
        if value.kind not in ("boolean", "any"):
            self.mistyped(f"{_a(value.kind)} is used as a condition", "compare it: x != 0, x is not null, x != ''")
        return value.code if value.sure and not value.null else f"truth({value.code})"

    def _literal(self, node: ast.Constant) -> Val:
        value = node.value
        if value is None:
            return Val(code="None", kind="null", sure=True)
        if isinstance(value, bool):
            return replace(_boolean(repr(value)), values=(value,))
        if isinstance(value, str):
            return Val(code=repr(value), kind="text", null=False, sure=True, values=(value,))
        if isinstance(value, int | float):
            assert self._leaf is not None
            text = ast.get_source_segment(self._leaf.text, node) or repr(value)
            if re.fullmatch(r"[0-9]{1,50}", text):
                return Val(code=str(int(text)), kind="integer", null=False, sure=True)
            if re.fullmatch(r"[0-9]{1,50}\.[0-9]{1,50}", text):
                return Val(code=self.constant(Decimal(text)), kind="decimal", null=False, sure=True)
            return self.refuse(f"the number {text[:30]}", "plain notation such as 12 or 0.16, at most 50 digits")
        return self.refuse(f"a literal of type {type(value).__name__}", "texts, numbers, true, false, null")

    def _reach(self, scope: Scope, node: ast.expr) -> Val:
        """``a.b['c'][0]``: a path; the base may also be a call."""
        steps: list[str] = []
        base = node
        while True:
            if isinstance(base, ast.Attribute):
                steps.append(base.attr)
                base = base.value
            elif isinstance(base, ast.Subscript):
                key = base.slice
                if isinstance(key, ast.UnaryOp) and isinstance(key.op, ast.USub) and isinstance(key.operand, ast.Constant):
                    key = ast.Constant(-key.operand.value) if isinstance(key.operand.value, int) else key
                if not isinstance(key, ast.Constant) or not isinstance(key.value, str | int):
                    return self.refuse("an index that is not a constant", "x[0], x['name']; lookup(table, key)")
                steps.append(str(key.value))
                base = base.value
            else:
                break
        steps.reverse()
        assert self._leaf is not None
        at = self._leaf.node
        if isinstance(base, ast.Name):
            if any(step.startswith("__") for step in (base.id, *steps)):
                return self.refuse(f"the name {base.id}{'.' if steps else ''}{'.'.join(steps)}", "fields of documents")
            if base.id in FUNCTIONS and base.id not in scope.names and not steps and not self._known(scope, base.id):
                return self.refuse(f"{base.id} is a function", f"{base.id}(…)")
            return self.path(scope, (base.id, *steps), at)
        root = self.cook(self.expression(scope, base))
        t = root.code
        return self.walk(replace(root, code=t), tuple(steps), at, absent=False, label="''")

    @staticmethod
    def _known(scope: Scope, name: str) -> bool:
        return scope.source.shape.step(name) is not None

    def _arithmetic(self, scope: Scope, node: ast.BinOp) -> Val:
        if type(node.op) not in _ARITHMETIC:
            return self.refuse(f"the operator {type(node.op).__name__}", "+ - * / // %")
        sign, name = _ARITHMETIC[type(node.op)]
        a, b = self.cook(self.expression(scope, node.left)), self.cook(self.expression(scope, node.right))
        kinds = (a.kind, b.kind)
        if "null" in kinds:
            return self.mistyped(f"null {sign} …", "first(x, 0) gives a value to what may be null")
        if "any" not in kinds:
            result = _sum_kind(sign, *kinds)
            if result is None:
                return self.mistyped(f"{_a(a.kind)} {sign} {_a(b.kind)}", _hint(sign, kinds))
        else:
            result = "any"
            known = a.kind if b.kind == "any" else b.kind
            if known not in ("any", *NUMBERS, *AMOUNTS) and not (sign == "+" and known in TEXTS):
                return self.mistyped(f"{_a(known)} {sign} …", _hint(sign, kinds))
            if known in AMOUNTS and sign in "+-":
                result = known
        loose = a.loose or b.loose or sign in "*/"
        if a.sure and b.sure and result in NUMBERS and sign in "+-*":
            return Val(code=f"({a.code} {sign} {b.code})", kind=result, null=False, sure=True)
        if a.sure and b.sure and kinds == ("money", "money") and sign in "+-":
            name += "_money"
        return Val(code=f"{name}({a.code}, {b.code})", kind=result, null=False, sure=result != "any", loose=loose)

    def _compare(self, scope: Scope, node: ast.Compare) -> Val:
        if len(node.ops) != 1:
            return self.refuse("a chain of comparisons", "a < b and b < c")
        op = node.ops[0]
        a, b = self.expression(scope, node.left), self.expression(scope, node.comparators[0])
        if isinstance(op, ast.Is | ast.IsNot | ast.Eq | ast.NotEq) and "null" in (a.kind, b.kind):
            other = b if a.kind == "null" else a
            negated = isinstance(op, ast.IsNot | ast.NotEq)
            return _boolean(f"({other.code} is {'not ' if negated else ''}None)")
        if isinstance(op, ast.Is | ast.IsNot):
            return self.refuse("`is` compares with null only", "x is null, x == y")
        if isinstance(op, ast.In | ast.NotIn):
            word = "not " if isinstance(op, ast.NotIn) else ""
            if b.kind not in ("list", "any", *TEXTS):
                return self.mistyped(f"`in` {_a(b.kind)}", "a list or a text")
            return _boolean(f"({word}contains({b.code}, {a.code}))")
        a, b = self.cook(a), self.cook(b)
        if not _alike(a.kind, b.kind):
            return self.mistyped(f"{_a(a.kind)} is compared with {_a(b.kind)}", "decimal(x), text(x) or money(x, currency) "
                                 "make them alike")  # fmt: skip
        if isinstance(op, ast.Eq | ast.NotEq):
            self._in_enum(a, b)
            return _boolean(f"({a.code} {'==' if isinstance(op, ast.Eq) else '!='} {b.code})")
        x, y = (a.code, b.code) if isinstance(op, ast.Lt | ast.GtE) else (b.code, a.code)
        return _boolean(f"(not less({x}, {y}))" if isinstance(op, ast.LtE | ast.GtE) else f"less({x}, {y})")

    def _in_enum(self, a: Val, b: Val) -> None:
        for one, other in ((a, b), (b, a)):
            if one.values is not None and len(one.values) == 1 and one.sure and other.values is not None and not other.sure:
                value = one.values[0]
                if value not in other.values:
                    self.mistyped(f"{other.text} is never {value!r}", nearest(str(value), map(str, other.values)))

    def _call(self, scope: Scope, node: ast.Call) -> Val:
        if not isinstance(node.func, ast.Name):
            return self.refuse("a method is called", "functions: upper(x), not x.upper()")
        name = node.func.id
        if name not in FUNCTIONS and name not in READERS:
            known = functions.nearest_names()
            return self.refuse(f"unknown function {name!r}", nearest(name, known, at_most=80))
        if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
            return self.refuse("a * in a call", "each argument by itself")
        args = [self._argument(scope, arg) for arg in node.args]
        named = {str(k.arg): self._argument(scope, k.value) for k in node.keywords}
        if name in READERS:
            return self._reader(scope, name, args, named)
        known = FUNCTIONS[name]
        places = [p for p in known.parameters if not p.many]
        many = next((p for p in known.parameters if p.many), None)
        if (len(args) > len(places) and many is None) or any(k not in {p.name for p in places} for k in named):
            return self.refuse(f"{name} does not take these arguments", known.signature)
        given = {p.name: a for p, a in zip(places, args, strict=False)} | named
        if any(not p.optional and p.name not in given for p in places) or (many is not None and not args):
            return self.refuse(f"{name} needs more arguments", known.signature)
        for p, a in [(p, given[p.name]) for p in places if p.name in given] + [(many, a) for a in args if many]:
            if p is not None and not _fits(a.kind, p.kind):
                self.mistyped(f"{name}: {p.name} is {_a(a.kind)}, not {_a(p.kind)}",
                              "moment(x) reads one" if p.kind == "moment" else known.signature)  # fmt: skip
            if a.kind == "null" and not known.takes_null:
                self.mistyped(f"{name} takes no null", known.signature)
        code = ", ".join([a.code for a in args] + [f"{k}={v.code}" for k, v in named.items()])
        result = self._result(known, args, named)
        if name == "sum" and len(args) == 1 and set(named) == {"start"} and args[0].item is not None:
            item, start = args[0].item, named["start"]
            if (item.kind, start.kind) == ("money", "money") and args[0].sure and item.sure and start.sure:
                return replace(result, code=f"sum_money({args[0].code}, {start.code})", shape=ANY, text="")
        return replace(result, code=f"f_{name}({code})", values=None, json=None, shape=ANY, text="", raw=False)

    def _argument(self, scope: Scope, node: ast.expr) -> Val:
        if isinstance(node, ast.GeneratorExp):
            return self._generate(scope, node.elt, node.generators)
        return self.cook(self.expression(scope, node))

    def _result(self, known: functions.Function, args: list[Val], named: Mapping[str, Val]) -> Val:
        if known.result != "same":
            null = known.name in ("extract", "lookup")
            kind = known.result
            item = args[0].item if kind == "list" and args else None
            return Val(code="", kind=kind, null=null, sure=kind != "any", item=item)
        first = args[0]
        if known.name in ("first", "coalesce") and len(args) > 1:
            result = first
            for other in args[1:]:
                result = _either("", result, other)
            return replace(result, null=all(a.null for a in args), absent=False)
        if first.kind == "list" and (known.name in ("sum", "min", "max", "first")) and len(args) == 1 or (
            known.name == "sum"
        ):  # fmt: skip
            inner = self.cook(first.item) if first.item is not None else Val(code="")
            start = named.get("start") or (args[1] if len(args) > 1 else None)
            if known.name == "sum" and inner.kind in AMOUNTS and start is None:
                self.mistyped("a sum of amounts has no currency when the list is empty", "sum(…, start=zero(currency))")
            kind = start.kind if start is not None and start.kind in AMOUNTS else inner.kind
            kind = "any" if first.kind == "any" and start is None else kind
            loose = inner.loose or (kind in AMOUNTS and inner.kind == "any")
            return Val(code="", kind=kind, null=known.name != "sum", sure=kind != "any", loose=loose)
        return replace(first, null=False, sure=first.kind != "any", loose=first.loose or known.name == "round")

    def _generate(self, scope: Scope, element: ast.expr, generators: list[ast.comprehension]) -> Val:
        """A generator over input lists, as a list."""
        self._loops += len(generators)
        if self._loops > 2:
            self._loops -= len(generators)
            return self.refuse("more than two loops inside each other", "let: and each: take them apart")
        clauses = []
        for loop in generators:
            if not isinstance(loop.target, ast.Name) or loop.is_async or loop.target.id.startswith("__"):
                self._loops -= len(generators)
                return self.refuse("a loop over something else than one name", "for x in items")
            self._no_walrus += 1
            values = self.cook(self.expression(scope, loop.iter))
            self._no_walrus -= 1
            if values.kind not in ("list", "any"):
                self.mistyped(f"a loop over {_a(values.kind)}", "a list")
            variable = self.name("x")
            item = values.item if values.item is not None else _of_shape("", values.shape.item)
            item = replace(item, code=variable, text=loop.target.id)
            scope = scope.inner(names={**scope.names, loop.target.id: item})
            code = values.code if values.sure else f"list_of({values.code})"
            clauses.append(f"for {variable} in {code}")
            clauses += [f"if {self.condition(scope, test)}" for test in loop.ifs]
        value = self.cook(self.expression(scope, element))
        self._loops -= len(generators)
        return Val(code=f"[{value.code} {' '.join(clauses)}]", kind="list", null=False, sure=True, item=replace(value, code=""))

    # -- types --------------------------------------------------------------------------------------------------------
    def _reader(self, scope: Scope, kind: str, args: list[Val], named: dict[str, Val]) -> Val:
        """A type used as a function: ``money(x)``, ``money(x, currency)``, ``moment(x, zone='UTC')``."""
        order = {"money": ("amount", "currency"), "quantity": ("value", "unit", "kind"), "moment": ("value", "zone", "format"),
                 "date": ("value", "format"), "phone": ("value", "region")}.get(kind, ("value",))  # fmt: skip
        if not args or len(args) > len(order) or any(k not in order[1:] for k in named):
            return self.refuse(f"{kind} does not take these arguments", f"{kind}({', '.join(order)})")
        given = dict(zip(order[1:], args[1:], strict=False)) | named
        assert self._leaf is not None
        return self.read(scope, kind, args[0], given, self._leaf.node, guard=False)

    def read(
        self, scope: Scope, kind: str, val: Val, given: Mapping[str, Val | Leaf], node: Node, *,
        guard: bool = True, rounding: str | None = None, quantity_kind: str | None = None,
    ) -> Val:  # fmt: skip
        """The value read as a type of ``as:``. With ``guard`` null and absent pass through, else they are faults."""
        if val.kind == "null":
            return val if guard else self.mistyped(f"{kind}(null)", "")
        if val.kind == kind and val.raw:
            return self._guarded(val, guard, lambda c: f"{READERS[kind].__name__}({c})", kind)
        if kind == "money":
            return self._money(scope, val, given, node, guard, rounding)
        if val.kind == kind and (val.sure or kind in ("text", "boolean", "object", "list")):
            return val
        form = self.forms.options.get(kind, {})
        options = {name: self._option(scope, found) for name, found in {**form, **given}.items()}
        if kind in ("decimal", "integer"):
            if val.kind in ("money", "quantity", "object", "list", "boolean"):
                return self._mistyped_at(node, f"{_a(val.kind)} as {kind}", "amount(x) or value(x) gives the number")
            separator = f", {self.forms.decimal!r}" if self.forms.decimal != "." and self.inward else ""
            return self._guarded(val, guard, lambda c: f"{kind}_of({c}{separator})", kind)
        if kind == "quantity":
            return self._quantity(val, options, node, guard, quantity_kind)
        if kind == "moment":
            zone, form_text = options.get("zone"), options.get("format")
            fixed = form_text.values[0] if form_text is not None and form_text.values else ""
            explicit = val.shape.schema.get("format") == "date-time" or fixed in ("unix", "unix_ms") or "%z" in str(fixed)
            if zone is None and not explicit and val.kind != "moment":
                self.wrong(node, "naive-moment", f"{val.text or 'the text'} may have no offset",
                           "forms: {moment: {zone: UTC}}, or as: {moment: {zone: Asia/Almaty}}")  # fmt: skip
            extra = (f", {zone.code}" if zone is not None else ", None") + (f", {form_text.code}" if form_text else "")
            return self._guarded(val, guard, lambda c: f"moment_of({c}{extra})", kind)
        if kind == "date":
            extra = f", {options['format'].code}" if "format" in options else ""
            return self._guarded(val, guard, lambda c: f"date_of({c}{extra})", kind)
        if kind == "phone":
            region = options["region"].code if "region" in options else "region(context)"
            return self._guarded(val, guard, lambda c: f"phone_of({c}, {region})", "phone")
        if kind == "text" and val.kind in ("object", "list", "money", "quantity"):
            return self._mistyped_at(node, f"{_a(val.kind)} as text", "join(list, ', '), amount(x)")
        return self._guarded(val, guard, lambda c: f"{kind}_of({c})", kind)

    def _mistyped_at(self, node: Node, what: str, allowed: str) -> Val:
        self.wrong(node, "wrong-type", what, allowed)
        return Val(code="None")

    def _option(self, scope: Scope, option: Val | Leaf) -> Val:
        return option if isinstance(option, Val) else self.cook(self.leaf(scope, option))

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
        return Val(code=around(make), kind=kind, null=null, absent=absent, sure=True,
                   json=around(json) if json is not None else None, text=val.text)  # fmt: skip

    def _money(
        self, scope: Scope, val: Val, given: Mapping[str, Val | Leaf], node: Node, guard: bool, rounding: str | None
    ) -> Val:
        if val.kind == "money":
            if not val.loose and rounding is None:
                return val
            make = f"money_rounded({{}}, None, {rounding!r})" if rounding else "money_of({})"
            return self._guarded(val, guard, make.format, "money")
        form: dict[str, Val | Leaf] = dict(self.forms.options.get("money", {}))
        is_object = val.kind == "object" or (val.kind == "any" and "amount" in form and "currency" not in given)
        if val.kind not in ("object", "any", "text", *NUMBERS):
            return self._mistyped_at(node, f"{_a(val.kind)} as money", "a number, a text, or an object with amount and currency")
        if is_object and "amount" not in form:
            return self._mistyped_at(node, "an object as money", "forms: {money: {amount: …, currency: …}} name its fields")
        if not is_object and "amount" in form:
            form = {}
        options = {**form, **given}
        if "currency" not in options:
            self.wrong(node, "money-currency", "money without currency",
                       "forms: {money: {currency: doc.currency}}, as: {money: {currency: …}} or money(x, currency)")  # fmt: skip
            return Val(code="None", kind="money")
        separator = f", {self.forms.decimal!r}" if self.forms.decimal != "." and self.inward else ""
        tail = f", {rounding!r}" if rounding else ""
        name = "money_rounded" if rounding else "money_of"
        if not is_object:
            currency = self._option(scope, options["currency"]).code
            out = None if rounding else (lambda c: f"money_out({c}, {currency}{separator})")
            return self._guarded(val, guard, lambda c: f"{name}({c}, {currency}{tail}{separator})", "money", out)

        def call(run: str, code: str) -> str:
            t = code if code.isidentifier() else self.name("m") + "_"
            if t != code and self._no_walrus:
                self.wrong(node, "expression", "money is read in the source of a loop", "let: reads it before")
            value = replace(val, code=t, null=False, absent=False)
            inner = scope.inner(source=value, label=f"{scope.label} + {val.text + '.'!r}", names={})
            amount = self._option(inner, options["amount"]).code
            currency = self._option(inner, options["currency"]).code
            first = f"{amount}, {currency}"
            if t != code:
                first = first.replace(t, f"({t} := {code})", 1)
            return f"{run}({first}{tail}{separator})"

        out_of_parts = None if rounding else lambda c: call("money_out", c)
        return self._guarded(val, guard, lambda c: call(name, c), "money", out_of_parts)

    def _quantity(self, val: Val, options: Mapping[str, Val], node: Node, guard: bool, kind: str | None) -> Val:
        if val.kind == "quantity":
            return val
        if val.kind not in ("any", "text", *NUMBERS):
            return self._mistyped_at(node, f"{_a(val.kind)} as quantity", "a number or a text")
        which = options["kind"].code if "kind" in options else repr(kind) if kind is not None else None
        if which is None:
            self.wrong(node, "quantity-kind", "a quantity without kind", "as: {quantity: {kind: on_hand}}, or in forms")
            which = "None"
        unit = options["unit"].code if "unit" in options else None
        if unit is None:
            self.wrong(node, "quantity-unit", "a quantity without unit", "forms: {quantity: {unit: each}}")
            unit = "None"
        separator = f", {self.forms.decimal!r}" if self.forms.decimal != "." and self.inward else ""
        return self._guarded(val, guard, lambda c: f"quantity_of({c}, {unit}, {which}{separator})", "quantity",
                             lambda c: f"quantity_out({c}, {unit}, {which}{separator})")  # fmt: skip


# -- kinds ------------------------------------------------------------------------------------------------------------
def _boolean(code: str) -> Val:
    return Val(code=code, kind="boolean", null=False, sure=True)


def _of_shape(code: str, shape: Shape) -> Val:
    raw = shape.book.canonical and shape.kind in ("money", "quantity", "decimal", "moment", "date")
    return Val(code=code, kind=shape.kind, null=shape.null, raw=raw, shape=shape, values=shape.enum)


def _either(code: str, a: Val, b: Val) -> Val:
    kind = a.kind if b.kind in (a.kind, "null") else b.kind if a.kind == "null" else "any"
    if {a.kind, b.kind} == {"integer", "decimal"}:
        kind = "decimal"
    values = (*a.values, *b.values) if a.values is not None and b.values is not None else None
    return Val(code=code, kind=kind, null=a.null or b.null, sure=a.sure and b.sure and kind != "any",
               loose=a.loose or b.loose, values=values, item=a.item or b.item)  # fmt: skip


def _sum_kind(sign: str, a: str, b: str) -> str | None:
    if a in NUMBERS and b in NUMBERS:
        return "decimal" if "decimal" in (a, b) or sign == "/" else "integer"
    if sign == "+" and a in TEXTS and b in TEXTS:
        return "text"
    if a in AMOUNTS and a == b:
        return a if sign in "+-" else "decimal" if sign == "/" else None
    if a in AMOUNTS and b in NUMBERS and sign in "*/":
        return a
    return b if b in AMOUNTS and a in NUMBERS and sign == "*" else None


def _hint(sign: str, kinds: tuple[str, str]) -> str:
    if set(kinds) & set(TEXTS):
        return "decimal(x) reads a number from text; text(x) makes text of a number"
    if set(kinds) & set(AMOUNTS):
        return "amounts are added to amounts of the same currency, and multiplied by numbers"
    return ""


def _alike(a: str, b: str) -> bool:
    if "any" in (a, b) or a == b or (a in NUMBERS and b in NUMBERS):
        return True
    return a in TEXTS and b in TEXTS


def _fits(kind: str, wanted: str) -> bool:
    if "any" in (kind, wanted) or kind == wanted or wanted == "same" or kind == "null":
        return True
    if wanted == "decimal":
        return kind in NUMBERS
    return wanted == "text" and kind in TEXTS


def _a(kind: str) -> str:
    names = {"text": "text", "integer": "a whole number", "decimal": "a number", "boolean": "a boolean", "money": "money",
             "quantity": "a quantity", "moment": "a moment", "date": "a date", "object": "an object", "list": "a list",
             "null": "null", "any": "a value"}  # fmt: skip
    return names.get(kind, kind)


def _spoken(node: ast.expr) -> str:
    return {"Lambda": "a lambda", "JoinedStr": "an f-string", "NamedExpr": ":=", "Await": "await", "Set": "a set",
            "DictComp": "a generated object", "SetComp": "a generated set", "GeneratorExp": "a generator outside a function",
            "Yield": "yield", "Starred": "*", "Slice": "a slice"}.get(type(node).__name__, type(node).__name__)  # fmt: skip
