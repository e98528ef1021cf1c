"""Rows for a new mapping, proposed by likeness of names and types; each is marked, for a person to judge.

What surprises here: nothing is proposed that lint would refuse for its form; what no field of the source resembles is
left out, and lint names it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from deployments.authoring.editing import written
from deployments.authoring.inferring import Schema, leaves

ALIKE = 0.62
"""Names less alike than this are not proposed."""
MARK = "# review"
SAME = {
    "name": "title label display fullname full",
    "code": "handle sku reference slug number id key external",
    "number": "name reference order id increment code",
    "placed_at": "created ordered date order",
    "status": "state active published enabled archived",
    "payment": "financial paid payment",
    "quantity": "qty count units available onhand stock",
    "amount": "price value unit",
    "price": "unit amount cost",
    "total": "grand amount sum",
    "currency": "currencycode currencyid",
    "email": "mail",
    "phone": "telephone mobile tel",
    "postcode": "zip postal zipcode",
    "street": "address1 line1 address",
    "city": "town locality",
    "region": "province state county",
    "country": "countrycode",
    "description": "body html text content long",
    "brand": "vendor manufacturer maker",
    "category": "type group collection",
    "images": "pictures photos media image",
    "gtin": "ean upc barcode isbn",
    "customer": "buyer partner client contact user account",
    "variant": "sku item product article",
    "sku": "code article item reference",
    "product": "parent template item",
    "location": "warehouse store place branch",
    "lines": "items positions rows line order products lineitems",
    "given_name": "first firstname",
    "family_name": "last lastname surname",
    "language": "lang locale",
    "tracking": "awb trackingnumber",
    "carrier": "company courier",
    "shipped_at": "shipped date created",
    "discount": "discounts allowance",
    "shipping": "delivery freight",
    "kind": "type",
    "at": "date created time",
    "buyer": "contact customer billing",
    "address": "shipping delivery ship",
    "key": "id uid line",
    "list": "pricelist",
}
"""Canonical field → words that platforms use for it."""
ENTITIES = {
    "location": "location locations warehouse warehouses store stores branch",
    "product": "product products template item",
    "variant": "variant variants sku skus item items article articles offer offers variation",
    "stock": "stock stocks inventory quant quants level levels availability",
    "price": "price prices pricelist listing",
    "customer": "customer customers contact contacts client clients partner partners buyer buyers user users",
    "order": "order orders sale sales receipt receipts deal deals cart",
    "shipment": "shipment shipments fulfilment fulfilments fulfillment fulfillments delivery deliveries package",
    "return": "return returns refund refunds rma",
    "interaction": "interaction interactions call calls activity activities event ticket",
}
"""Entity → words that platforms use for the collection of it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Field:
    """A field of the source: its path and schema."""

    path: str
    schema: Schema

    @property
    def kinds(self) -> set[str]:
        """Its JSON types, null left out; nothing known: every one."""
        kind = self.schema.get("type")
        kinds = set(kind) if isinstance(kind, list) else {kind} if kind is not None else set()
        return (kinds - {"null"}) or {"string", "integer", "number", "boolean", "object", "array"}


def entity_of(resource: str) -> str | None:
    """The entity a resource is called like."""
    words = _words(resource)
    return next((entity for entity, names in ENTITIES.items() if set(words) & set(names.split())), None)


def rows(entity: Schema, source: Schema) -> Iterator[str]:
    """The lines of an entity's fields, unindented."""
    fields = [Field(path=".".join(path), schema=part) for path, part in leaves(source) if all(map(_plain, path))]
    yield from _fields(entity, fields, currency=_currency(fields))


def _plain(step: str) -> bool:
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", step) is not None


def _currency(fields: Sequence[Field]) -> str:
    """The path of the document's currency, or the company's."""
    found = [field.path for field in fields if "currency" in _words(field.path)[-2:] and "string" in field.kinds]
    return min(found, key=lambda path: path.count(".")) if found else "= context.company.currency"


def _fields(entity: Schema, fields: Sequence[Field], *, currency: str) -> Iterator[str]:
    required = set(entity.get("required", ()))
    chosen = _chosen({
        name: {field: alike for field in fields if _fits(part, field) and (alike := _alike(name, field, part)) >= ALIKE}
        for name, part in entity["properties"].items() if name != "attributes"
    })
    for name, part in entity["properties"].items():
        if name in chosen:
            field, likeness = chosen[name]
            yield from _row(name, part, field, currency=currency, likeness=likeness)
        elif name in required:
            yield from _constant(name, part)


def _chosen(likely: dict[str, dict[Field, float]]) -> dict[str, tuple[Field, float]]:
    """A source field for each canonical one, none twice: first where there is least choice."""
    chosen: dict[str, tuple[Field, float]] = {}
    while likely:
        pressing = {}
        for name, fields in likely.items():
            best, second = [*sorted(fields.values(), reverse=True), 0.0, 0.0][:2]
            pressing[name] = (best > 0.95, best - second / 2)
        name = max(pressing, key=lambda one: pressing[one])
        fields = likely.pop(name)
        if fields:
            field = max(fields, key=lambda one: fields[one])
            chosen[name] = (field, fields[field])
            likely = {other: {one: at for one, at in there.items() if one is not field}
                      for other, there in likely.items()}
    return chosen


def _row(name: str, part: Schema, field: Field, *, currency: str, likeness: float) -> Iterator[str]:
    mark = f"{MARK}: {round(likeness * 100)} % alike"
    path, kinds = field.path, field.kinds
    if part.get("type") == "array" or "array" in _kinds(part):
        items, inner = part.get("items", {}), field.schema.get("items", {})
        if "properties" not in items:
            yield f"{name}: {path}   {mark}"
            return
        inside = [Field(path=".".join(at), schema=one) for at, one in leaves(inner) if all(map(_plain, at))]
        lines = list(_fields(items, inside, currency=_inner_currency(inside, currency)))
        if lines:
            yield f"{name}:   {mark}"
            yield f"  each: {path}"
            yield "  fields:"
            yield from (f"    {line}" for line in lines)
    elif part.get("x-type") == "money":
        code = written(currency) if currency.startswith("=") else currency
        how = "money" if money_parts(field.schema) else f"{{money: {{currency: {code}}}}}"
        yield f"{name}: {{from: {path}, as: {how}}}   {mark}"
    elif part.get("x-type") == "quantity":
        yield f"{name}: {{from: {path}, as: {{quantity: {{unit: each{_stock_kind(part)}}}}}}}   {mark}"
    elif part.get("x-type") in ("moment", "date"):
        yield f"{name}: {{from: {path}, as: {part['x-type']}}}   {mark}"
    elif "properties" in part:
        inside = [Field(path=".".join(at), schema=one) for at, one in leaves(field.schema) if all(map(_plain, at))]
        lines = list(_fields(part, inside, currency=currency))
        if lines:
            yield f"{name}:   {mark}"
            yield f"  from: {path}"
            yield "  fields:"
            yield from (f"    {line}" for line in lines)
    elif "enum" in part:
        yield f"{name}: {{from: {path}, table: {_table(part, field)}, otherwise: park}}   {mark}"
    elif "x-ref" in part:
        yield f"{name}: {{from: {path}, ref: {part['x-ref']}, otherwise: wait}}   {mark}"
    elif "boolean" in _kinds(part) or kinds <= {"string"}:
        yield f"{name}: {path}   {mark}"
    else:
        yield f"{name}: {{from: {path}, as: text}}   {mark}"


def _inner_currency(inside: Sequence[Field], currency: str) -> str:
    own = _currency([field for field in inside if "." not in field.path])
    if not own.startswith("="):
        return own
    return currency if currency.startswith("=") else f"doc.{currency}"


def money_parts(schema: Schema) -> tuple[str, str] | None:
    """The names of amount and currency inside an object that is money."""
    inner = schema.get("properties", {})
    amount = next((name for name in inner if set(_words(name)) & {"amount", "value"}), None)
    code = next((name for name in inner if "currency" in _words(name)), None)
    return (amount, code) if amount is not None and code is not None and len(inner) <= 6 else None


def forms(source: Schema) -> str:
    """The header that says how the source writes money and moments."""
    found = next(filter(None, map(money_parts, _objects(source))), None)
    money = "" if found is None else f"money: {{amount: {found[0]}, currency: {found[1]}}}, "
    return f"forms: {{{money}moment: {{zone: UTC}}}}   {MARK}: how money is written, and the zone of naive moments"


def _objects(schema: Schema) -> Iterator[Schema]:
    for part in schema.get("properties", {}).values():
        yield part
        yield from _objects(part)
    if "items" in schema:
        yield from _objects(schema["items"])


def _stock_kind(part: Schema) -> str:
    """Which kind of figure it is, where the canonical field leaves that open."""
    kind = part.get("properties", {}).get("kind", {})
    return ", kind: on_hand" if len(kind.get("enum", ())) > 1 else ""


def _table(part: Schema, field: Field) -> str:
    """Values of the source beside the canonical ones they resemble most; the first where none does."""
    allowed = [value for value in part["enum"] if value is not None]
    if "boolean" in field.kinds:
        pair = (allowed[0], allowed[1] if len(allowed) > 1 else allowed[0])
        return f"{{true: {pair[0]}, false: {pair[1]}}}"
    seen = [str(value) for value in field.schema.get("enum") or field.schema.get("examples") or [] if value is not None]
    pairs = {}
    for value in seen or [str(value) for value in allowed]:
        close = difflib.get_close_matches(value.lower(), allowed, n=1, cutoff=0.5)
        pairs[value] = close[0] if close else allowed[0]
    return written(pairs)


def _constant(name: str, part: Schema) -> Iterator[str]:
    """What is required and nothing resembles: a constant where the canonical schema offers some, else nothing."""
    allowed = [value for value in part.get("enum", ()) if value is not None]
    if allowed:
        yield f"{name}: = '{allowed[0]}'   {MARK}: no field resembles it"
    elif name == "unit":
        yield f"unit: = 'each'   {MARK}: no field resembles it"
    else:
        yield f"# {name}:   {MARK}: it is required, and no field resembles it"


# -- likeness ---------------------------------------------------------------------------------------------------------
def _fits(part: Schema, field: Field) -> bool:
    """Whether a value of the source could become the canonical one."""
    kinds = field.kinds
    if "array" in _kinds(part):
        same = "properties" in part.get("items", {})
        return "array" in kinds and ("properties" in field.schema.get("items", {})) is same
    if part.get("x-type") == "money":
        if "properties" in field.schema:
            return money_parts(field.schema) is not None
        return bool(kinds & {"number", "integer"}) or _is_sum(field)
    if part.get("x-type") == "quantity":
        return bool(kinds & {"number", "integer"}) and "properties" not in field.schema
    if part.get("x-type") in ("moment", "date"):
        return _is_moment(field)
    if "properties" in part:
        return "properties" in field.schema
    if "properties" in field.schema or ("array" in kinds and len(kinds) == 1) or _is_moment(field):
        return False
    if "boolean" in _kinds(part):
        return "boolean" in kinds
    if "enum" in part:
        return "boolean" in kinds or bool(field.schema.get("enum") or field.schema.get("examples"))
    return bool(kinds & {"string", "integer"})


def _is_sum(field: Field) -> bool:
    """Whether a text is a number, by the samples or by its name."""
    named = set(_words(field.path)[-2:]) & {"price", "amount", "total", "cost", "sum", "value", "tax", "subtotal"}
    return "string" in field.kinds and (field.schema.get("format") == "decimal" or bool(named))


def _is_moment(field: Field) -> bool:
    named = _words(field.path)[-1:]
    return field.schema.get("format") in ("date-time", "date") or (
        field.kinds == {"string"} and "format" not in field.schema and named in (["at"], ["date"], ["timestamp"])
    )


def _alike(name: str, field: Field, part: Schema) -> float:
    """0 to 1: how much a source field is called like a canonical one, deeper fields a little less."""
    wanted, words = _words(name), _words(field.path)
    last = _words(field.path.rpartition(".")[2])
    same = difflib.SequenceMatcher(None, "".join(wanted), "".join(last)).ratio()
    own = set(wanted) & set(words)
    known = set(SAME.get(name, "").split()) & {*last, "".join(last)}
    others = 0.05 * max(0, len(last) - len(own | known))
    score = max(same, 0.7 + 0.1 * len(known) - others if known else 0, 0.8 + 0.1 * len(own) - others if own else 0)
    if wanted == last:
        score = 1.0
    if "x-ref" in part:
        score += 0.05 if {"id", "code", "sku"} & set(last) else -0.15
    return max(0.0, min(score, 1.0) - 0.1 * field.path.count("."))


def _words(name: str) -> list[str]:
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [word.lower() for word in re.split(r"[^A-Za-z0-9]+", split) if word]


def _kinds(part: Schema) -> set[Any]:
    kind = part.get("type")
    return set(kind) if isinstance(kind, list) else {kind}
