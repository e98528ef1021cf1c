"""What the emitter knows of a value, what names mean at a level, and which kinds go together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mappings.language.measures import UNMEASURED, Measure, measure_of
from mappings.language.shapes import ANY, Shape

NUMBERS = ("integer", "decimal")
AMOUNTS = ("money", "quantity")
TEXTS = ("text", "moment", "date", "email", "phone")
EXACT = ("money", "quantity", "moment", "date", "decimal")
WORDS = ("pattern", "zone", "currency", "format", "mode", "order", "span", "unit", "kind")
"""Kinds of text that parameters ask for; ``words.py`` knows which constants are right."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Val:
    """Emitted code and what is known of its value.

    ``sure``: our own code made the value, so its kind is certain, not only promised by a schema. ``raw``: an exact kind
    in its canonical JSON form. ``loose``: money that may have more digits than its currency. ``json``: code that gives
    the canonical JSON form at once. ``done``: the value is already in its final form. ``values``: all it can be.
    ``place``: its path from the document on, if it is nothing but that; ``reads``: the paths it was made of, if not.
    ``fields``: what is known of the fields of an object we made; ``typed``: the same list with such items.
    ``measure``: what an amount counts, as far as that is known before anything runs.
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
    place: str | None = None
    reads: tuple[str, ...] = ()
    fields: Mapping[str, Val] | None = None
    typed: Val | None = None
    measure: Measure = UNMEASURED


BROKEN = Val(code="None", done=True)
"""Stands for a value that is a mistake already told; nothing more is said of it."""


@dataclass(kw_only=True, slots=True)
class Scope:
    """What names mean at one level; ``label`` and ``prefix`` are code for where a fault lies in input and output.

    ``names`` hold inside as well, ``here`` only at this level; ``outer`` are the names that come from further out.
    """

    source: Val
    label: str = "''"
    prefix: str = "''"
    names: dict[str, Val] = field(default_factory=dict)
    out: dict[str, Val] = field(default_factory=dict)
    here: dict[str, Val] = field(default_factory=dict)
    outer: frozenset[str] = frozenset()
    up: Scope | None = None

    def inner(self, **changes: Any) -> Scope:
        """A scope inside this one."""
        return replace(self, **changes)

    def inside(self, source: Val, **changes: Any) -> Scope:
        """The level of an object or item inside this one."""
        changes = {"up": self, "out": {}, "here": {}, "outer": frozenset(self.names), **changes}
        return replace(self, source=source, **changes)


def boolean_val(code: str) -> Val:
    return Val(code=code, kind="boolean", null=False, sure=True)


def of_shape(code: str, shape: Shape) -> Val:
    raw = shape.book.canonical and shape.kind in ("money", "quantity", "decimal", "moment", "date")
    return Val(
        code=code,
        kind=shape.kind,
        null=shape.null,
        raw=raw,
        shape=shape,
        values=shape.enum,
        measure=measure_of(shape),
    )


def item_of(val: Val) -> Val:
    """What is known of the items of a list."""
    if val.item is not None:
        return val.item
    return replace(of_shape("", val.shape.item), place=None if val.place is None else f"{val.place}[]")


def constant_of(val: Val | None) -> str | None:
    """The text that a value always is."""
    if val is None or not val.sure or val.values is None or len(val.values) != 1:
        return None
    return val.values[0] if isinstance(val.values[0], str) else None


def either(code: str, a: Val, b: Val) -> Val:
    kind = a.kind if b.kind in (a.kind, "null") else b.kind if a.kind == "null" else "any"
    if {a.kind, b.kind} == {"integer", "decimal"}:
        kind = "decimal"
    values = (*a.values, *b.values) if a.values is not None and b.values is not None else None
    return Val(
        code=code,
        kind=kind,
        null=a.null or b.null,
        sure=a.sure and b.sure and kind != "any",
        loose=a.loose or b.loose,
        values=values,
        item=a.item or b.item,
        measure=a.measure.either(b.measure),
    )


def sum_kind(sign: str, a: str, b: str) -> str | None:
    if a in NUMBERS and b in NUMBERS:
        return "decimal" if "decimal" in (a, b) or sign == "/" else "integer"
    if sign == "+" and a in TEXTS and b in TEXTS:
        return "text"
    if a in AMOUNTS and a == b:
        return a if sign in "+-" else "decimal" if sign == "/" else None
    if a in AMOUNTS and b in NUMBERS and sign in "*/":
        return a
    return b if b in AMOUNTS and a in NUMBERS and sign == "*" else None


def hint(sign: str, kinds: tuple[str, str]) -> str:
    if set(kinds) & set(TEXTS):
        return "decimal(x) reads a number from text; text(x) makes text of a number"
    if set(kinds) & set(AMOUNTS):
        return "amounts are added to amounts of the same currency, and multiplied by numbers"
    return ""


def alike(a: str, b: str) -> bool:
    if "any" in (a, b) or a == b or (a in NUMBERS and b in NUMBERS):
        return True
    return a in TEXTS and b in TEXTS


def fits(kind: str, wanted: str) -> bool:
    if "any" in (kind, wanted) or kind == wanted or wanted == "same" or kind == "null":
        return True
    if wanted == "decimal":
        return kind in NUMBERS
    if wanted in WORDS:
        return kind == "text"
    return wanted == "text" and kind in TEXTS


def spoken(kind: str) -> str:
    names = {
        "text": "text",
        "integer": "a whole number",
        "decimal": "a number",
        "boolean": "a boolean",
        "money": "money",
        "quantity": "a quantity",
        "moment": "a moment",
        "date": "a date",
        "object": "an object",
        "list": "a list",
        "null": "null",
        "any": "a value",
        **{word: f"text ({word})" for word in WORDS},
    }
    return names.get(kind, kind)


def table_key(value: Any) -> str:
    if value is True or value is False:
        return "true" if value else "false"
    return str(value)


def kind_of(value: Any) -> str:
    names = {str: "text", bool: "boolean", int: "integer"}
    return names.get(value.__class__, "decimal")


def remedy(have: str, want: str) -> str:
    if want == "text":
        return "as: text" if have not in ("object", "list", *AMOUNTS) else "a path further in, or join, amount, …"
    if want in ("integer", "decimal", "boolean"):
        return f"as: {want}, or a table" if want != "boolean" else "a table, or a comparison: = x == 'yes'"
    return f"as: {want}" if want in EXACT else ""
