"""What an author may write, right or wrong: expressions, mapping files, and real mapping files with parts exchanged.

Everything is drawn from a ``Random`` that Hypothesis hands in, so that what breaks something is shrunk and repeated.
Expressions follow the signatures of the functions, mostly, so that many pass lint and run.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from mappings.language.functions import FUNCTIONS
from mappings.language.grammar import BLOCK, FORMS, HEADERS, ON_ERROR, OPTIONS, OUTWARD, ROW
from mappings.language.types import READERS
from mappings.language.values import ROUNDING

ROOT = Path(__file__).resolve().parents[2]
REAL = {path: path.read_text() for path in sorted((ROOT / "mappings").glob("*/*.yaml"))}
LINES = sorted({line for text in REAL.values() for line in text.splitlines() if line.strip()})
ENTITIES = ("product", "variant", "stock", "price", "order", "customer", "location", "shipment")
FIELDS = ("name", "code", "status", "sku", "total", "quantity", "lines", "attributes", "placed_at", "customer", "key")
NAMES = ("a", "b", "c", "l", "m", "n", "x", "id")
ODD_NAMES = ("this", "doc", "out.name", "up.a", "context.now", "context.company.country", "tables.t.a", "items", "key")
WILD = ("__class__", "__import__", "a.__dict__", "self", "tr", "refs", "MISSING", "f_upper", "work", "None", "ａ", "аb")
LITERALS: dict[str, tuple[str, ...]] = {
    "text": ("''", "'a'", "'1E5'", "'007'", "'<b>x</b>'", "'12,5'", "'Чай'", "'\\x00'", "'\\ud800'"),
    "integer": ("0", "1", "-1", "3", "9007199254740993", "99999999999999999999"),
    "decimal": ("0.10", "0.5", "12.50", "-0.0", "0.00000000000000000001"),
    "boolean": ("true", "false", "a is null", "n == 0"),
    "list": ("[]", "l", "[1, 2]", "['a', 'b']", "[null]", "[l, l]", "[{'a': 1}]"),
    "object": ("{}", "{'a': 1}", "m", "this"),
    "date": ("date('2026-02-28')", "day(moment(context.now))"),
    "moment": ("moment(context.now)", "moment('2026-03-29T01:30:00', 'Europe/Berlin')", "moment(a, 'UTC')"),
    "money": ("money(12.5, 'KZT')", "money(a, 'JPY')", "zero('EUR')", "money(n, 'KZT')"),
    "quantity": ("quantity(n, 'each', 'on_hand')", "quantity(2, 'case', 'available')"),
    "pattern": ("'(a+)+'", "'[0-9]+'", "''", "'('", "'(a{9}){9}'"),
    "zone": ("'UTC'", "'Asia/Almaty'", "a"),
    "currency": ("'KZT'", "'JPY'", "a"),
    "format": ("'%d.%m.%Y'", "'%Y'", "'unix'", "a"),
    "mode": tuple(repr(mode) for mode in ROUNDING),
    "order": ("'descending'", "'ascending'"),
    "span": ("'week'", "'day'", "'year'", "'month'"),
    "unit": ("'each'", "'case'"),
    "kind": ("'available'", "'on_hand'"),
}
KINDS = tuple(LITERALS)[:10]
LISTS = ("list", "same", "texts", "moneys", "inner", "chunks", "lists", "numbered", "groups")
GIVING = {
    kind: tuple(f for f in FUNCTIONS.values() if f.result in (LISTS if kind == "list" else (kind, "item", "any")))
    + tuple(f for f in FUNCTIONS.values() if f.result == "same" and f.parameters[0].kind in ("same", "any"))
    for kind in KINDS
}
BINARY = ("+", "-", "*", "/", "//", "%", "==", "<", ">=", "in", "and", "or")
JUNK = (
    "**",
    "<<",
    "|",
    "is",
    "@",
    ":=",
    "lambda: ",
    "...",
    "f'{a}'",
    "b'x'",
    "1j",
    "1e5",
    "0x10",
    "1_000",
    "yield ",
    "*",
)


PIECES = (
    "&a ",
    "*a",
    "!!python/object ",
    "? ",
    "- ",
    ": ",
    "#",
    "\t",
    "{",
    "}",
    "[",
    "]",
    "|",
    ">",
    "'",
    '"',
    "\x00",
    "\ufeff",
)


class Author:
    """Writes one thing; ``careful`` authors make few mistakes, so that what they write mostly compiles."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.careful = rng.randrange(4) > 0
        self.root = ""

    def slips(self, odds: int) -> bool:
        """Whether a careless author makes a mistake now."""
        return not self.careful and self.rng.randrange(odds) == 0

    def one(self, among: Any) -> Any:
        """One of a sequence."""
        return among[self.rng.randrange(len(among))]

    def path(self) -> str:
        """A path, mostly one that leads somewhere."""
        if self.slips(6):
            return str(self.one(WILD))
        if self.slips(3):
            return str(self.one(ODD_NAMES))
        odd = self.rng.randrange(12)
        if odd == 0:
            return str(self.one(("this", "doc", "context.now", "context.company.country")))
        return self.root + ".".join(str(self.one(NAMES)) for _ in range(1 + self.slips(2)))

    def expression(self, kind: str = "any", depth: int = 3) -> str:
        """An expression that gives a value of that kind, if luck will have it."""
        if self.slips(5):
            kind = "any"
        if kind not in LITERALS:
            kind = str(self.one(KINDS))
        if kind == "boolean" and depth > 0 and not self.slips(2):
            return self.condition(depth - 1)
        roll = self.rng.randrange(10)
        if depth <= 0 or kind not in KINDS or roll < 2:
            return str(self.one(LITERALS[kind])) if self.rng.randrange(3) else self.path()
        inner = depth - 1
        if roll < 6:
            return self.call(self.one(GIVING[kind]).name, inner)
        if roll == 6:
            return f"({self.expression(kind, inner)} if {self.condition(inner)} else {self.expression(kind, inner)})"
        if roll == 7:
            return f"({self.expression(kind, inner)} {self.one(BINARY)} {self.expression(kind, inner)})"
        if kind == "list":
            test = f" if {self.condition(inner)}" if self.rng.randrange(2) else ""
            return f"[{self.expression('any', inner)} for x in {self.expression('list', inner)}{test}]"
        if self.slips(2):
            return self.wild(inner)
        if kind in READERS:
            return self.call(kind, inner)
        return self.path()

    def condition(self, depth: int) -> str:
        """A condition."""
        kind = self.one(("integer", "text", "decimal", "money", "moment"))
        return f"{self.expression(kind, depth)} {self.one(('==', '<', '>=', '!='))} {self.expression(kind, depth)}"

    def call(self, name: str, depth: int) -> str:
        """A call with arguments as its signature asks for them, sometimes by name, sometimes too few or too many."""
        known = FUNCTIONS.get(name)
        if known is None:
            more = {
                "money": ["'KZT'"],
                "quantity": ["'each'", "'on_hand'"],
                "moment": ["'UTC'"],
                "date": ["'%Y-%m-%d'"],
            }
            args = [self.path() if self.rng.randrange(2) else self.expression("text", depth), *more.get(name, [])]
            return f"{name}({', '.join(args[: 1 + self.rng.randrange(len(args))] if self.slips(3) else args)})"
        args, named = [], False
        for parameter in known.parameters:
            if parameter.optional and self.rng.randrange(2):
                named = True
                continue
            value = self.expression(parameter.kind, depth)
            args.append(f"{parameter.name}={value}" if named else value)
            if parameter.many and self.rng.randrange(2):
                args.append(self.expression(parameter.kind, depth))
        if self.slips(8):
            args = args[1:] or ["a", "b", "c", "d", "e"]
        return f"{name}({', '.join(args)})"

    def wild(self, depth: int) -> str:
        """Python that is no part of the language, or nothing at all."""
        a, b = self.expression("any", depth), self.expression("any", depth)
        return str(
            self.one(
                (
                    f"{a} {self.one(JUNK)} {b}",
                    f"{self.one(JUNK)}{a}",
                    f"{a}[{b}]",
                    f"{a}.b.c",
                    f"{a}({b}",
                    f"-{a}",
                    f"not {a}",
                ),
            )
        )

    def leaf(self, kind: str = "any") -> Any:
        """A path, an expression, or something that is neither."""
        if self.slips(8):
            return self.one((None, True, 5, "", "= ", "a..b", "@x", "a b", "= 'x", "text"))
        return self.path() if self.rng.randrange(2) else f"= {self.expression(kind)}"

    def rows(self, depth: int, names: tuple[str, ...] = (*FIELDS, *NAMES)) -> dict[str, Any]:
        """A map of rows."""
        return {str(self.one(names)): self.row(depth) for _ in range(self.rng.randint(1, 4))}

    def row(self, depth: int = 2) -> Any:
        """A leaf, or a row whose keys mostly go together."""
        if depth <= 0 or self.rng.randrange(3) == 0:
            return self.leaf()
        shapes = (
            ("from", "as"),
            ("from", "table", "otherwise"),
            ("from", "default"),
            ("from", "ref"),
            ("each", "where", "fields"),
            ("each", "from", "sort"),
            ("each", "distinct", "group", "from"),
            ("from", "fields"),
            ("let", "from"),
            ("let", "fields"),
            ("when",),
            ("items",),
            ("use",),
        )
        keys = list(self.one(shapes))
        if self.rng.randrange(3) == 0 and "items" not in keys:
            keys.append(str(self.one(("required", "on_error", "default", "let"))))
        if self.slips(4):
            keys.append(str(self.one(ROW)))
        made = {key: self._value(key, depth - 1) for key in keys}
        if "default" in (made.get("on_error"), made.get("otherwise")):
            made.setdefault("default", "= 'x'")
        return made

    def _value(self, key: str, depth: int) -> Any:
        if key in ("fields", "let", "keep"):
            return self.rows(depth, NAMES)
        if key == "as":
            kind = self.one(tuple(OPTIONS)) if self.rng.randrange(2) else self.one(tuple(READERS))
            return {kind: self.options(kind)} if kind in OPTIONS else kind
        if key == "table":
            return (
                {self.one(("a", "1", "true", "")): self.one(("active", 1, None, True)) for _ in range(3)}
                if self.rng.randrange(3)
                else "t"
            )
        if key == "items":
            return [self.row(depth) for _ in range(self.rng.randint(0, 3))]
        if key == "when":
            arms: list[Any] = [
                {"if": f"= {self.condition(1)}", "then": self.leaf()} for _ in range(self.rng.randint(1, 2))
            ]
            return [*arms, {"else": self.leaf()}] if self.rng.randrange(2) else arms
        if key == "sort":
            return (
                self.leaf() if self.rng.randrange(2) else {"by": self.leaf(), "descending": bool(self.rng.randrange(2))}
            )
        words: dict[str, tuple[Any, ...]] = {
            "otherwise": ("error", "pass", "default", "park") if not self.slips(4) else ("wait", "fetch"),
            "on_error": ON_ERROR,
            "round": (*ROUNDING, 2, 40),
            "ref": ENTITIES,
            "required": (True, False),
            "use": ("f",),
        }
        if key in words:
            return self.one(words[key])
        return self.leaf({"each": "list", "where": "boolean"}.get(key, "any"))

    def options(self, kind: str) -> dict[str, Any]:
        """Options of a type, or of a form."""
        right = {
            "money": {"currency": "= 'KZT'"},
            "moment": {"zone": "Asia/Almaty"},
            "quantity": {"unit": "each", "kind": "on_hand"},
            "date": {"format": "%d.%m.%Y"},
            "phone": {"region": "KZ"},
        }
        made: dict[str, Any] = dict(right[kind])
        if kind == "money" and self.rng.randrange(2):
            made |= self.one(({"minor": True}, {"currency": "b"}, {"amount": "a", "currency": "b"}))
        if self.slips(2):
            made[self.one(OPTIONS[kind])] = self.one(("UTC", "a", "= 'KZT'", "%Y", True, "each", "on_hand", 5))
        return made

    def block(self, keys: tuple[str, ...]) -> dict[str, Any]:
        """A block of an entity."""
        rows = self.rows(3)
        if self.careful and keys is BLOCK:  # a field that takes anything, whatever the entity
            rows = {"attributes": {"fields": rows}}
        made: dict[str, Any] = {"required": False, "fields": rows}
        if self.rng.randrange(3) == 0:
            made |= {"each": self.leaf("list")} if keys is BLOCK else {}
            made["id"] = self.path()
            made["let"] = self.rows(1, NAMES)
        if self.slips(2):
            key = self.one(keys)
            made[key] = self._value(key, 2)
        if self.rng.randrange(4) == 0:
            made["drop_if"] = {"no": self.leaf("boolean")}
        return made

    def file(self) -> str:
        """A mapping file as JSON (which is YAML), sometimes with a slip of the keyboard."""
        made: dict[str, Any] = {"platform": "x", "resource": "r"}
        if self.rng.randrange(2):
            made["inward"] = {self.one(ENTITIES): self.block(BLOCK) for _ in range(self.rng.randint(1, 2))}
        else:
            self.root = "attributes."
            made["outward"] = {**self.block(OUTWARD), "entity": self.one(ENTITIES)}
            made["outward"]["let"] = {name: f"attributes.{name}" for name in NAMES}
            if self.rng.randrange(4) == 0:
                made["outward"]["with"] = [self.one(ENTITIES)]
            del made["outward"]["required"]
        if self.rng.randrange(3) == 0:
            empty = {"empty": self.one(([False], [""], [0], [None, "-"], "x"))}
            kind = self.one(tuple(OPTIONS))
            made["forms"] = (
                empty if self.rng.randrange(2) else {kind: self.options(kind), "decimal": ",", "thousands": "."}
            )
            if self.slips(3):
                made["forms"][self.one(FORMS)] = self.leaf()
        text = json.dumps(made)
        if '"use"' in text:
            made["fragments"] = {"f": self.row(0)}
        if '"t"' in text or "tables." in text:
            made["tables"] = {"t": {"a": "active"}}
        if self.slips(5):
            made[self.one((*HEADERS, "on"))] = self.row()
        text = json.dumps(made, ensure_ascii=False)
        return self.slipped(text) if self.slips(3) else text

    def slipped(self, text: str) -> str:
        """A text with a few pieces cut out or put in."""
        for _ in range(self.rng.randint(1, 3)):
            at = self.rng.randrange(len(text) + 1)
            text = (
                text[:at]
                + self.one((*PIECES, "", "null", "0", "= ", "each", "fields"))
                + text[at + self.one((0, 0, 1, 3, 10)) :]
            )
        return text

    def crossed(self) -> tuple[Path, str]:
        """A real mapping file with lines left out, doubled, or taken from another one; and where it stands."""
        found = self.one(tuple(REAL))
        lines = REAL[found].splitlines()
        for _ in range(self.rng.randint(1, 4)):
            at, other, kind = self.rng.randrange(len(lines)), self.one(LINES), self.rng.randrange(6)
            if kind == 0 and len(lines) > 1:
                del lines[at]
            elif kind == 1:
                lines.insert(at, lines[at])
            elif kind == 2:
                lines[at] = " " * (len(lines[at]) - len(lines[at].lstrip())) + other.strip()
            elif kind == 3 and ": " in lines[at] and ": " in other:
                lines[at] = lines[at].split(": ")[0] + ": " + other.split(": ", 1)[1]
            elif kind == 4:
                words = lines[at].split(" ")
                words[self.rng.randrange(len(words))] = self.one(other.split(" "))
                lines[at] = " ".join(words)
            else:
                lines[at] = "  " + lines[at]
        return found, "\n".join(lines) + "\n"


EDGES: tuple[Any, ...] = (
    *(0, -1, 1, "", False, True, None, "007", "1E5", 2**53 + 1, 10**60, 10**400, "0.10", "a", "a\x00b", "\ud800", "−1"),
    *("KZT", "2026-03-01", "2026-03-01T10:00:00Z", "9999-12-31T23:59:59+14:00", "12.50", "'" * 20, "x" * 3000, "<b>"),
    *(Decimal("0.10"), Decimal("-0.0"), Decimal("1E+300"), Decimal("1E-300"), Decimal("12.5"), Decimal(3)),
)


def document(rng: Random, depth: int = 3) -> Any:
    """Any JSON value, mostly an object with names that mappings ask for."""
    roll = rng.randrange(8)
    if depth <= 0 or roll < 2:
        return rng.choice(EDGES)
    if roll < 4:
        return [document(rng, depth - 1) for _ in range(rng.randint(0, 3))]
    return {str(rng.choice((*NAMES, *FIELDS, "uid"))): document(rng, depth - 1) for _ in range(rng.randint(0, 5))}
