"""What a JSON Schema promises about a path: kind, nullability, presence, allowed values.

A shape without a schema knows nothing and allows everything (kind ``any``). In a canonical schema the exact kinds are
recognised: ``money``, ``quantity``, ``moment``, ``date``, ``decimal``: they cross as text or as objects of text, so a
path to one holds its JSON form until an expression or a target needs the value itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

_KINDS = {
    "string": "text",
    "integer": "integer",
    "number": "decimal",
    "boolean": "boolean",
    "object": "object",
    "array": "list",
}
_EXACT = {"money", "quantity", "moment", "date", "decimal"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Book:
    """The schemas that ``$ref`` may name: the root of ``#/…`` and other files by name."""

    root: Schema
    others: Mapping[str, Schema] = field(default_factory=dict)
    canonical: bool = False

    def follow(self, ref: str) -> tuple[Schema, Book]:
        """The schema a reference names and the book in which its own references are read; empty when unknown."""
        file, _, pointer = ref.partition("#")
        book = self
        if file:
            base = file.rsplit("/", 1)[-1]
            for name in (base, base.removesuffix(".json"), base.removesuffix(".schema.json")):
                if name in self.others:
                    book = Book(root=self.others[name], others=self.others, canonical=self.canonical)
                    break
            else:
                return {}, self
        schema: Any = book.root
        for part in pointer.strip("/").split("/") if pointer.strip("/") else []:
            if not isinstance(schema, Mapping) or part not in schema:
                return {}, self
            schema = schema[part]
        return schema, book


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """One place of a schema, with its references resolved."""

    kind: str = "any"
    null: bool = True
    schema: Schema = field(default_factory=dict)
    book: Book = field(default_factory=lambda: Book(root={}))

    @property
    def enum(self) -> tuple[Any, ...] | None:
        """The allowed values without null, or None when any is."""
        if "const" in self.schema:
            return (self.schema["const"],)
        values = self.schema.get("enum")
        return None if values is None else tuple(value for value in values if value is not None)

    @property
    def properties(self) -> Mapping[str, Any]:
        """The known fields of an object."""
        found: Mapping[str, Any] = self.schema.get("properties", {})
        return found

    @property
    def required(self) -> frozenset[str]:
        """The fields that are always present."""
        return frozenset(self.schema.get("required", ()))

    @property
    def item(self) -> Shape:
        """The shape of a list's items."""
        return shape_of(self.schema["items"], self.book) if isinstance(self.schema.get("items"), Mapping) else ANY

    @property
    def open(self) -> bool:
        """Whether fields that the schema does not name may exist."""
        if self.kind == "any":
            return True
        extra = self.schema.get("additionalProperties")
        return isinstance(extra, Mapping) or (extra is True) or (not self.properties and extra is not False)

    def step(self, name: str) -> tuple[Shape, bool] | None:
        """The field of that name and whether it is always present; None when the schema does not know it."""
        if name in self.properties:
            return shape_of(self.properties[name], self.book), name in self.required
        if not self.open:
            return None
        extra = self.schema.get("additionalProperties")
        return (shape_of(extra, self.book) if isinstance(extra, Mapping) else ANY), False


ANY = Shape()


def shape_of(schema: Schema, book: Book) -> Shape:
    """The shape at a schema: ``$ref``, ``allOf`` and a null branch of ``anyOf``/``oneOf`` are resolved."""
    merged: dict[str, Any] = {}
    null = False
    exact: str | None = None
    waiting: list[tuple[Schema, Book]] = [(schema, book)]
    seen = 0
    while waiting and seen < 50:
        part, at = waiting.pop(0)
        seen += 1
        if "$ref" in part:
            name = str(part["$ref"]).rsplit("/", 1)[-1].removesuffix(".schema.json")
            if at.canonical:
                exact = exact or next((k for k in _EXACT if name == k or name.endswith("_" + k)), None)
            found, where = at.follow(str(part["$ref"]))
            waiting.append((found, where))
            book = where
        for branch in part.get("allOf", ()):
            waiting.append((branch, at))
        choices = [*part.get("anyOf", ()), *part.get("oneOf", ())]
        null = null or any(choice.get("type") == "null" for choice in choices)
        choices = [choice for choice in choices if choice.get("type") != "null"]
        if len(choices) == 1:
            waiting.append((choices[0], at))
        for key, value in part.items():
            if key == "properties" and "properties" in merged:
                merged["properties"] = {**value, **merged["properties"]}
            elif key == "required" and "required" in merged:
                merged["required"] = [*merged["required"], *value]
            elif key not in ("allOf", "anyOf", "oneOf", "$ref"):
                merged.setdefault(key, value)
    types = merged.get("type")
    names = [types] if isinstance(types, str) else list(types or ())
    if "null" in names:
        null = True
        names = [name for name in names if name != "null"]
    kind = _KINDS.get(names[0], "any") if len(names) == 1 else "any"
    if kind == "any" and not names:
        kind = _from_values(merged)
    if book.canonical:
        exact = exact or _exact(merged, kind)
        kind = exact or kind
    return Shape(kind=kind, null=null or kind == "any", schema=merged, book=book)


def _from_values(schema: Schema) -> str:
    values = [value for value in schema.get("enum", ()) if value is not None]
    values += [schema["const"]] if "const" in schema else []
    if values and all(isinstance(value, str) for value in values):
        return "text"
    return "object" if "properties" in schema else "any"


def _exact(schema: Schema, kind: str) -> str | None:
    names = set(schema.get("properties", ()))
    if kind == "object" and names == {"amount", "currency"}:
        return "money"
    if kind == "object" and names == {"value", "unit", "kind"}:
        return "quantity"
    if kind == "text":
        return {"date-time": "moment", "date": "date", "decimal": "decimal"}.get(str(schema.get("format")))
    return None
