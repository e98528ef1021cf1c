"""Emits the reading of types: what ``as:`` and the functions of the same names do with a platform's way of writing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mappings.language.grammar import Leaf
from mappings.language.kinds import BROKEN, NUMBERS, Scope, Val, constant_of, spoken
from mappings.language.loader import Node
from mappings.language.measures import Measure
from mappings.language.moments import moment_of
from mappings.language.paths import Paths
from mappings.language.types import READERS
from mappings.language.values import Refused


class Readings(Paths):
    """Reads values as money, quantities, moments and the other types."""

    def read(
        self,
        scope: Scope,
        kind: str,
        val: Val,
        given: Mapping[str, Val | Leaf],
        node: Node,
        *,
        guard: bool = True,
        rounding: str | None = None,
        quantity_kind: str | None = None,
    ) -> Val:
        """The value read as a type of ``as:``. With ``guard`` null and absent pass through, else they are faults."""
        if val is BROKEN:
            return val
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
        self._words(options, node)
        if kind in ("decimal", "integer"):
            if val.kind in ("money", "quantity", "object", "list", "boolean"):
                return self._mistyped_at(
                    node, f"{spoken(val.kind)} as {kind}", "amount(x) or value(x) gives the number"
                )
            separator = self._marks()
            return self._guarded(val, guard, lambda c: f"{kind}_of({c}{separator})", kind)
        if kind == "quantity":
            options |= self._measured(val, given)
            return self._quantity(val, options, node, guard, quantity_kind)
        if kind == "moment":
            zone, form_text = options.get("zone"), options.get("format")
            if val.sure and val.values is not None and _has_offset(val.values):
                zone = zone or Val(code="None")
            fixed = form_text.values[0] if form_text is not None and form_text.values else ""
            explicit = (
                val.shape.schema.get("format") == "date-time" or fixed in ("unix", "unix_ms") or "%z" in str(fixed)
            )
            if zone is None and not explicit and val.kind != "moment":
                self.wrong(
                    node,
                    "naive-moment",
                    f"{val.text or 'the text'} may have no offset",
                    "forms: {moment: {zone: UTC}}, or as: {moment: {zone: Asia/Almaty}}",
                )
            extra = (f", {zone.code}" if zone is not None else ", None") + (f", {form_text.code}" if form_text else "")
            return self._guarded(val, guard, lambda c: f"moment_of({c}{extra})", kind)
        if kind == "date":
            extra = f", {options['format'].code}" if "format" in options else ""
            return self._guarded(val, guard, lambda c: f"date_of({c}{extra})", kind)
        if kind == "phone":
            region = options["region"].code if "region" in options else "region(context)"
            return self._guarded(val, guard, lambda c: f"phone_of({c}, {region})", "phone")
        if kind == "text" and val.kind in ("object", "list", "money", "quantity"):
            return self._mistyped_at(node, f"{spoken(val.kind)} as text", "join(list, ', '), amount(x)")
        return self._guarded(val, guard, lambda c: f"{kind}_of({c})", kind)

    def _option(self, scope: Scope, option: Val | Leaf) -> Val:
        return option if isinstance(option, Val) else self.cook(self.leaf(scope, option))

    def _marks(self) -> str:
        """The argument that says how the platform writes numbers in text: the decimal mark, then that of thousands."""
        marks = self.forms.decimal + self.forms.thousands
        return f", {marks!r}" if marks != "." and self.inward else ""

    @staticmethod
    def _measured(val: Val, given: Mapping[str, Val | Leaf]) -> dict[str, Val]:
        """What the source schema says that the value counts, as options; the row's own say it louder."""
        measure = val.measure
        kind = measure.kinds[0] if len(measure.kinds) == 1 else None
        said = {"currency": measure.currency, "unit": measure.unit, "kind": kind}
        return {
            name: Val(code=repr(text), kind="text", null=False, sure=True, values=(text,))
            for name, text in said.items()
            if text is not None and name not in given
        }

    def _words(self, options: Mapping[str, Val], node: Node) -> None:
        for name in ("zone", "format", "currency", "unit", "kind"):
            if name in options and options[name].kind == "text":
                self.word(name, options[name], node)

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
            return self._mistyped_at(
                node, f"{spoken(val.kind)} as money", "a number, a text, or an object with amount and currency"
            )
        if is_object and "amount" not in form:
            return self._mistyped_at(
                node, "an object as money", "forms: {money: {amount: …, currency: …}} name its fields"
            )
        if is_object:
            self.opened(val)
        if not is_object and "amount" in form:
            form = {}
        if val.shape.schema.get("format") in ("float", "double") and rounding is None and self.inward:
            self.wrong(
                node,
                "float-money",
                f"{val.text or 'the number'} is a binary float, it may have digits that no currency has",
                "round: half_up in the row",
            )
        options = {**form, **self._measured(val, given), **given}
        if "currency" not in options:
            self.wrong(
                node,
                "money-currency",
                "money without currency",
                "forms: {money: {currency: doc.currency}}, as: {money: {currency: …}} or money(x, currency)",
            )
            return Val(code="None", kind="money")
        separator = self._marks()
        minor = options.pop("minor", None)
        counted = minor is not None and self._option(scope, minor).values == (True,)
        if counted and not guard and "currency" in given and "minor" not in given:
            counted = False  # money(5, 'USD') is five dollars on every platform
        if counted and rounding is not None:
            self.wrong(node, "contradiction", "minor units have no digits to round", "minor: true, or round")
        tail = f", {rounding!r}" if rounding else ""
        name = "minor_of" if counted else "money_rounded" if rounding else "money_of"
        if not is_object:
            option = self._option(scope, options["currency"])
            self._words({"currency": option}, node)
            currency = option.code
            out = None if rounding or counted else (lambda c: f"money_out({c}, {currency}{separator})")
            said = Measure(currency=constant_of(option))
            self.counts(val, said, node)
            made = self._guarded(val, guard, lambda c: f"{name}({c}, {currency}{tail}{separator})", "money", out)
            return replace(made, measure=said)

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

        out_of_parts = None if rounding or counted else lambda c: call("money_out", c)
        return self._guarded(val, guard, lambda c: call(name, c), "money", out_of_parts)

    def _quantity(self, val: Val, options: Mapping[str, Val], node: Node, guard: bool, kind: str | None) -> Val:
        if val.kind == "quantity":
            return val
        if val.kind not in ("any", "text", *NUMBERS):
            return self._mistyped_at(node, f"{spoken(val.kind)} as quantity", "a number or a text")
        which = options["kind"].code if "kind" in options else repr(kind) if kind is not None else None
        if which is None:
            self.wrong(node, "quantity-kind", "a quantity without kind", "as: {quantity: {kind: on_hand}}, or in forms")
            which = "None"
        unit = options["unit"].code if "unit" in options else None
        known = constant_of(options.get("kind")) if "kind" in options else kind
        said = Measure(unit=constant_of(options.get("unit")), kinds=(known,) if known is not None else ())
        self.counts(val, said, node)
        if unit is None:
            self.wrong(node, "quantity-unit", "a quantity without unit", "forms: {quantity: {unit: each}}")
            unit = "None"
        separator = self._marks()
        made = self._guarded(
            val,
            guard,
            lambda c: f"quantity_of({c}, {unit}, {which}{separator})",
            "quantity",
            lambda c: f"quantity_out({c}, {unit}, {which}{separator})",
        )
        return replace(made, measure=said)


def _has_offset(constants: tuple[object, ...]) -> bool:
    """Whether constant texts are moments by themselves."""
    try:
        return all(moment_of(value) for value in constants)
    except Refused:
        return False
