"""Turns paths and expressions into Python source, checking kinds on the way.

Nothing of an author's text reaches the source except as a ``repr`` of a constant: names become dictionary look-ups,
calls become calls of registered functions, and every node of Python's syntax that is not named here is refused. An
expression therefore terminates: it can loop over input lists only (two levels), and it cannot grow text or numbers.

The same code is emitted twice. The *fast* source trusts the source schema about nulls and absence; where the schema was
wrong it raises, and the record is mapped again by the *safe* source, which walks every path step by step, notes what
it met, and goes on after a fault. Where the fast source does not raise, both give the same values.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from decimal import Decimal

from mappings.language import functions
from mappings.language.functions import FUNCTIONS
from mappings.language.kinds import (
    AMOUNTS,
    BROKEN,
    NUMBERS,
    TEXTS,
    WORDS,
    Scope,
    Val,
    alike,
    boolean_val,
    either,
    fits,
    hint,
    item_of,
    spoken,
    sum_kind,
)
from mappings.language.lint import nearest
from mappings.language.measures import UNMEASURED
from mappings.language.readings import Readings
from mappings.language.results import result_of
from mappings.language.shapes import ANY
from mappings.language.types import READERS

_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "op_add"),
    ast.Sub: ("-", "op_subtract"),
    ast.Mult: ("*", "op_multiply"),
    ast.Div: ("/", "op_divide"),
    ast.FloorDiv: ("//", "op_floor_divide"),
    ast.Mod: ("%", "op_remainder"),
}


class Expressions(Readings):
    """Emits the whitelisted subset of Python's expressions."""

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
                    return self.mistyped(f"minus {spoken(value.kind)}", "numbers and amounts")
                return replace(value, code=f"op_multiply({value.code}, -1)", json=None, values=None, text="")
            case ast.UnaryOp(op=ast.Not()):
                return boolean_val(f"(not {self.condition(scope, node.operand)})")
            case ast.BoolOp():
                joint = " and " if isinstance(node.op, ast.And) else " or "
                return boolean_val("(" + joint.join(self.condition(scope, part) for part in node.values) + ")")
            case ast.Compare():
                return self._compare(scope, node)
            case ast.IfExp():
                self._arms(node)
                test = self.condition(scope, node.test)
                yes = self.cook(self.expression(scope, node.body))
                no = self.cook(self.expression(scope, node.orelse))
                return either(f"({yes.code} if {test} else {no.code})", yes, no)
            case ast.Call():
                return self._call(scope, node)
            case ast.List() | ast.Tuple():
                items = [self.cook(self.expression(scope, item)) for item in node.elts]
                kinds = {item.kind for item in items}
                item = replace(items[0], code="") if len(kinds) == 1 else Val(code="")
                return Val(
                    code="[" + ", ".join(i.code for i in items) + "]", kind="list", null=False, sure=True, item=item
                )
            case ast.Dict():
                parts = []
                for key, entry in zip(node.keys, node.values, strict=True):
                    if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                        return self.refuse("the key of an object is not a constant text", "{'a': x}")
                    parts.append(f"{key.value!r}: {self.cook(self.expression(scope, entry)).code}")
                return Val(code="{" + ", ".join(parts) + "}", kind="object", null=False, sure=True)
            case ast.ListComp(elt=elt, generators=generators):
                return self._generate(scope, elt, generators)
        return self.refuse(
            f"{spoken_node(node)} is not part of the language",
            "paths, literals, + - * / // %, comparisons, and or not, x if c else y, functions",
        )

    def _arms(self, node: ast.IfExp) -> None:
        """``x if c else y``: an arm that is never taken is a mistake."""
        test = node.test
        if isinstance(test, ast.Constant) or (isinstance(test, ast.Name) and test.id in ("true", "false")):
            self.unreachable("the condition is a constant, one of the two values is never taken", "a condition")
        later: ast.expr = node.orelse
        while isinstance(later, ast.IfExp):
            if ast.dump(later.test) == ast.dump(test):
                self.unreachable(f"{ast.unparse(test)} is asked twice, the second value is never taken", "")
            later = later.orelse

    def condition(self, scope: Scope, node: ast.expr) -> str:
        """Code of a condition; what is not true or false is refused, statically where that is known."""
        value = self.expression(scope, node)
        if value.kind not in ("boolean", "any"):
            self.mistyped(f"{spoken(value.kind)} is used as a condition", "compare it: x != 0, x is not null, x != ''")
        return value.code if value.sure and not value.null else f"truth({value.code})"

    def _literal(self, node: ast.Constant) -> Val:
        value = node.value
        if value is None:
            return Val(code="None", kind="null", sure=True)
        if isinstance(value, bool):
            return replace(boolean_val(repr(value)), values=(value,))
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
                if (
                    isinstance(key, ast.UnaryOp)
                    and isinstance(key.op, ast.USub)
                    and isinstance(key.operand, ast.Constant)
                ):
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
            result = sum_kind(sign, *kinds)
            if result is None:
                return self.mistyped(f"{spoken(a.kind)} {sign} {spoken(b.kind)}", hint(sign, kinds))
        else:
            result = "any"
            known = a.kind if b.kind == "any" else b.kind
            if known not in ("any", *NUMBERS, *AMOUNTS) and not (sign == "+" and known in TEXTS):
                return self.mistyped(f"{spoken(known)} {sign} …", hint(sign, kinds))
            if known in AMOUNTS and sign in "+-*":  # an amount times what can only be a number
                result = known
        loose = a.loose or b.loose or sign in "*/"
        if a.sure and b.sure and result in NUMBERS and sign in "+-":  # a product is bounded by its operator
            return Val(code=f"({a.code} {sign} {b.code})", kind=result, null=False, sure=True)
        if a.sure and b.sure and kinds == ("money", "money") and sign in "+-":
            name = name.removeprefix("op_") + "_money"
        measure = UNMEASURED
        if set(kinds) <= {"any", *AMOUNTS}:
            self.mixed(a, b, f"on the two sides of {sign}")
        if result in AMOUNTS:
            amounts = [v.measure for v in (a, b) if v.kind in AMOUNTS]
            measure = amounts[0].joined(amounts[-1])
        return Val(
            code=f"{name}({a.code}, {b.code})",
            kind=result,
            null=False,
            sure=result != "any",
            loose=loose,
            measure=measure,
        )

    def _compare(self, scope: Scope, node: ast.Compare) -> Val:
        if len(node.ops) != 1:
            return self.refuse("a chain of comparisons", "a < b and b < c")
        op = node.ops[0]
        a, b = self.expression(scope, node.left), self.expression(scope, node.comparators[0])
        if isinstance(op, ast.Is | ast.IsNot | ast.Eq | ast.NotEq) and "null" in (a.kind, b.kind):
            other = b if a.kind == "null" else a
            negated = isinstance(op, ast.IsNot | ast.NotEq)
            return boolean_val(f"({other.code} is {'not ' if negated else ''}None)")
        if isinstance(op, ast.Is | ast.IsNot):
            return self.refuse("`is` compares with null only", "x is null, x == y")
        if isinstance(op, ast.In | ast.NotIn):
            word = "not " if isinstance(op, ast.NotIn) else ""
            if b.kind not in ("list", "any", *TEXTS):
                return self.mistyped(f"`in` {spoken(b.kind)}", "a list or a text")
            return boolean_val(f"({word}contains({b.code}, {a.code}))")
        a, b = self.cook(a), self.cook(b)
        if not alike(a.kind, b.kind):
            return self.mistyped(
                f"{spoken(a.kind)} is compared with {spoken(b.kind)}",
                "decimal(x), text(x) or money(x, currency) make them alike",
            )
        if {a.kind, b.kind} <= {"any", *AMOUNTS}:
            self.mixed(a, b, "are compared")
        if isinstance(op, ast.Eq | ast.NotEq):
            self._in_enum(a, b)
            if self._may_be_boolean(a) and self._may_be_boolean(b):  # to Python, true is 1
                return boolean_val(f"({'' if isinstance(op, ast.Eq) else 'not '}same_value({a.code}, {b.code}))")
            return boolean_val(f"({a.code} {'==' if isinstance(op, ast.Eq) else '!='} {b.code})")
        if a.kind == b.kind == "moment":  # without the Z, texts with and without a fraction compare as time does
            a, b = replace(a, code=f"({a.code})[:-1]"), replace(b, code=f"({b.code})[:-1]")
        x, y = (a.code, b.code) if isinstance(op, ast.Lt | ast.GtE) else (b.code, a.code)
        return boolean_val(f"(not less({x}, {y}))" if isinstance(op, ast.LtE | ast.GtE) else f"less({x}, {y})")

    @staticmethod
    def _may_be_boolean(val: Val) -> bool:
        """Whether a boolean may meet a number here: a text constant or a text of our own making is neither."""
        return not (val.sure and val.kind in TEXTS)

    def _in_enum(self, a: Val, b: Val) -> None:
        for one, other in ((a, b), (b, a)):
            if (
                one.values is not None
                and len(one.values) == 1
                and one.sure
                and other.values is not None
                and not other.sure
            ):
                value = one.values[0]
                if value not in other.values:
                    self.unreachable(f"{other.text} is never {value!r}", nearest(str(value), map(str, other.values)))

    def _call(self, scope: Scope, node: ast.Call) -> Val:
        if not isinstance(node.func, ast.Name):
            return self.refuse("a method is called", "functions: upper(x), not x.upper()")
        name = node.func.id
        if name not in FUNCTIONS and name not in READERS:
            assert self._leaf is not None
            hint = nearest(name, functions.nearest_names(), at_most=8)
            self.wrong(self._leaf.node, "unknown-function", f"there is no function {name!r}", hint)
            return BROKEN
        if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
            return self.refuse("a * in a call", "each argument by itself")
        self.called(name)
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
            if p is not None and not fits(a.kind, p.kind):
                self.mistyped(
                    f"{name}: {p.name} is {spoken(a.kind)}, not {spoken(p.kind)}",
                    "moment(x) reads one" if p.kind == "moment" else known.signature,
                )
            if a.kind == "null" and not known.takes_null:
                self.mistyped(f"{name} takes no null", known.signature)
            if p is not None and p.kind in WORDS:
                self.word(p.kind, a)
        code = ", ".join([a.code for a in args] + [f"{k}={v.code}" for k, v in named.items()])
        result = result_of(known, given, args, named)
        if name == "sum" and "start" not in given and result.kind in AMOUNTS:
            self.mistyped("a sum of amounts has no currency when the list is empty", "sum(…, start=zero(currency))")
        if name == "sum" and len(args) == 1 and set(named) == {"start"} and args[0].item is not None:
            item, start = args[0].item, named["start"]
            if (item.kind, start.kind) == ("money", "money") and args[0].sure and item.sure and start.sure:
                return replace(result, code=f"sum_money({args[0].code}, {start.code})", shape=ANY, text="")
        return replace(
            result, code=f"f_{name}({code})", values=None, json=None, shape=ANY, text="", raw=False, place=None
        )

    def _argument(self, scope: Scope, node: ast.expr) -> Val:
        if isinstance(node, ast.GeneratorExp):
            return self._generate(scope, node.elt, node.generators)
        return self.cook(self.expression(scope, node))

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
                self.mistyped(f"a loop over {spoken(values.kind)}", "a list")
            variable = self.name("x")
            self.opened(values)
            values = values.typed or values
            item = replace(item_of(values), code=variable, text=loop.target.id)
            scope = scope.inner(names={**scope.names, loop.target.id: item})
            listing = self.listing(values)
            code = values.code if values.sure and listing == "list_of" else f"{listing}({values.code})"
            self.enter(values)
            clauses.append(f"for {variable} in {code}")
            clauses += [f"if {self.condition(scope, test)}" for test in loop.ifs]
        value = self.cook(self.expression(scope, element))
        self._loops -= len(generators)
        self.leave(len(generators))
        return Val(
            code=f"[{value.code} {' '.join(clauses)}]", kind="list", null=False, sure=True, item=replace(value, code="")
        )

    def _reader(self, scope: Scope, kind: str, args: list[Val], named: dict[str, Val]) -> Val:
        """A type used as a function: ``money(x)``, ``money(x, currency)``, ``moment(x, zone='UTC')``."""
        order = {
            "money": ("amount", "currency"),
            "quantity": ("value", "unit", "kind"),
            "moment": ("value", "zone", "format"),
            "date": ("value", "format"),
            "phone": ("value", "region"),
        }.get(kind, ("value",))
        if not args or len(args) > len(order) or any(k not in order[1:] for k in named):
            return self.refuse(f"{kind} does not take these arguments", f"{kind}({', '.join(order)})")
        given = dict(zip(order[1:], args[1:], strict=False)) | named
        assert self._leaf is not None
        return self.read(scope, kind, args[0], given, self._leaf.node, guard=False)


def spoken_node(node: ast.expr) -> str:
    return {
        "Lambda": "a lambda",
        "JoinedStr": "an f-string",
        "NamedExpr": ":=",
        "Await": "await",
        "Set": "a set",
        "DictComp": "a generated object",
        "SetComp": "a generated set",
        "GeneratorExp": "a generator outside a function",
        "Yield": "yield",
        "Starred": "*",
        "Slice": "a slice",
    }.get(type(node).__name__, type(node).__name__)
