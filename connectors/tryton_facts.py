"""What Tryton's models are to us: which resource is which model, whose changes count, which fields, which tags.

What surprises here: see tryton.py, whose facts and values these are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.base import Doc, Resource, Write
from connectors.watched import Watch
from connectors.window import Window, iso

STAMP = "last_modified_at"
LAG = 300.0


def _resource(model: str, **facts: Any) -> Resource:
    return Resource(path=model, items="result", updated=STAMP, since=STAMP, lag=LAG, paging="keyset", page_size=200,
                    version="_timestamp", **facts)  # fmt: skip


RESOURCES: Mapping[str, Resource] = {
    "locations": _resource("stock.location"),
    "products": _resource("product.template"),
    "variants": _resource("product.product"),
    "stock": _resource("product.product", stock_kind="on_hand"),
    "customers": _resource(
        "party.party", create="create", update="write", reference="identifiers.code", reference_field="identifiers.code"
    ),
    "orders": _resource(
        "sale.sale", create="create", update="write", reference="reference", reference_field="reference"
    ),
    "shipments": _resource("stock.shipment.out"),
}
TILL: Mapping[str, Resource] = {
    **RESOURCES,
    "variants": _resource(
        "product.product", create="create", update="write", reference="code", reference_field="code", repeatable=True
    ),
    "prices": _resource("product.product", create="write", update="write", repeatable=True),
    "receipts": _resource("sale.point.sale"),
}
WATCHES: Mapping[str, Sequence[Watch]] = {
    "locations": [Watch(model="stock.location")],
    "products": [Watch(model="product.template")],
    "variants": [Watch(model="product.product"), Watch(model="product.template", names="products")],
    "prices": [Watch(model="product.product"), Watch(model="product.template", names="products")],
    "stock": [Watch(model="product.product"), Watch(model="stock.move", names="product")],
    "customers": [Watch(model="party.party"), Watch(model="party.address", names="party"),
                  Watch(model="party.contact_mechanism", names="party")],
    "orders": [Watch(model="sale.sale")],
    "shipments": [Watch(model="stock.shipment.out")],
    "receipts": [Watch(model="sale.point.sale"), Watch(model="sale.point.cash.session", names="payments.sale")],
}  # fmt: skip
ALSO_ARCHIVED: list[Any] = ["active", "in", [True, False]]
ONLY: Mapping[str, list[Any]] = {
    "locations": [["type", "=", "warehouse"], ALSO_ARCHIVED],
    "products": [ALSO_ARCHIVED],
    "variants": [ALSO_ARCHIVED],
    "prices": [ALSO_ARCHIVED],
    "stock": [["type", "=", "goods"], ["consumable", "=", False], ALSO_ARCHIVED],
    "customers": [ALSO_ARCHIVED],
    "shipments": [["state", "in", ["shipped", "done"]]],
    "receipts": [["number", "!=", None]],
}
FIELDS: Mapping[str, Sequence[str]] = {
    "locations": ["name", "code", "active", "storage_location", "output_location"],
    "products": ["name", "code", "active", "type", "salable"],
    "variants": ["code", "active", "type", "salable", "description", "template.name", "template.code",
                 "template.active", "template.products", "list_price_used", "identifiers.type", "identifiers.code",
                 "default_uom.symbol", "sale_uom", "account_category.customer_taxes"],
    "prices": ["code", "active", "type", "salable", "template.active", "list_price_used", "gross_price_used"],
    "stock": ["default_uom.symbol"],
    "customers": ["name", "code", "active", "email", "phone", "lang.code", "addresses.street_unstructured",
                  "addresses.city",
                  "addresses.postal_code", "addresses.country.code", "identifiers.code"],
    "orders": ["number", "reference", "description", "state", "shipment_state", "invoice_state", "create_date", "party",
               "party.name", "currency.code", "total_amount", "lines.type", "lines.product", "lines.product.code",
               "lines.product.type", "lines.quantity", "lines.unit.symbol", "lines.unit_price", "lines.amount",
               "lines.note"],
    "shipments": ["number", "state", "effective_date", "carrier.party.name", "shipping_reference",
                  "outgoing_moves.quantity", "outgoing_moves.sale", "outgoing_moves.unit.symbol",
                  "outgoing_moves.origin.note"],
    "receipts": ["number", "state", "create_date", "point.name", "point.storage_location.warehouse", "currency.code",
                 "total", "lines.product", "lines.product.code", "lines.product.name", "lines.product.type",
                 "lines.create_date", "lines.quantity", "lines.unit.symbol", "lines.unit_gross_price",
                 "lines.unit_list_price", "payments.amount", "payments.method.name", "payments.method.cash",
                 "payments.session.create_date", "payments.session.state", "payments.session.last_modified_at"],
}  # fmt: skip
FLOATS = frozenset({"quantity"})
TRANSIENT = ("deadlock", "serializ", "lock timeout", "canceling statement", "connection", "too many clients")
DRAFTS = {"draft": "quote", "quotation": "confirm"}
"""A sale's state → the button that leads out of it."""


def adjusted(resources: Mapping[str, Resource], options: Mapping[str, Any]) -> Mapping[str, Resource]:
    """The resources with the channel's own ``page_size`` and ``lag``, where its settings name them."""
    own: dict[str, Any] = {}
    if "page_size" in options:
        own["page_size"] = int(options["page_size"])
    if "lag" in options:
        own["lag"] = float(options["lag"])
    return {name: replace(facts, **own) for name, facts in resources.items()}


def plain(value: Any) -> Any:
    """Tryton's JSON without tags: Decimals, moments as UTC text, days as text; ``{"a.": …}`` becomes ``{"a": …}``."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("__class__")
    if kind == "Decimal":
        return Decimal(value["decimal"])
    if kind == "datetime":
        time = {name: value[name] for name in ("year", "month", "day", "hour", "minute", "second", "microsecond")}
        return iso(datetime(**time, tzinfo=UTC))
    if kind == "date":
        return f"{value['year']:04d}-{value['month']:02d}-{value['day']:02d}"
    if kind is not None:
        return value.get("seconds", value.get("base64"))
    bare = {name: plain(item) for name, item in value.items() if not name.endswith(".")}
    return {**bare, **{name[:-1]: plain(item) for name, item in value.items() if name.endswith(".")}}


def tagged(value: Any, name: str = "") -> Any:
    """The value as Tryton reads it: a Decimal with its tag, except where the field is a float.

    Raises ValueError for a number that is not finite.
    """
    if isinstance(value, Mapping):
        return {key: tagged(item, key) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [tagged(item, name) for item in value]
    if not isinstance(value, Decimal):
        return value
    if not value.is_finite():
        raise ValueError("a number is not finite")
    return value if name in FLOATS else {"__class__": "Decimal", "decimal": format(value, "f")}


def behind(window: Window, lag: float) -> list[Any]:
    """The domain of what a window still has to read: changed since (``lag`` seconds earlier), after its position."""
    domain: list[Any] = []
    if window.since is not None:
        domain.append([STAMP, ">=", naive(window.since - timedelta(seconds=lag))])
    if window.position is not None:
        stamp = str(window.position["stamp"]).removesuffix("Z")
        after = [[STAMP, "=", stamp], ["id", ">", window.position["id"]]]
        domain.append(["OR", [STAMP, ">", stamp], after])
    return domain


def naive(at: datetime) -> str:
    """A moment as Tryton stores it: UTC without a zone."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat()


def named_by(rows: Sequence[Doc], names: str) -> list[int]:
    """The documents' ids that these rows name, each once, in their order; ``a.b``: in field b of the rows of a."""
    head, _, rest = names.partition(".")
    found: dict[int, None] = {}
    for row in rows:
        value = row.get(head)
        inner = value if isinstance(value, list) else [] if value is None else [value]
        found.update(dict.fromkeys(named_by(inner, rest) if rest else inner))
    return list(found)


def sale_line(line: Doc, article: Doc) -> Doc:
    """The values of a sale's line; unit and taxes are the article's where the line has none."""
    own = (article.get("account_category") or {}).get("customer_taxes") or []
    return {
        "type": "line",
        "product": int(line["product_id"]),
        "quantity": Decimal(line["quantity"]),
        "unit": int(line["unit_id"] if line.get("unit_id") is not None else article["sale_uom"]),
        "unit_price": Decimal(line["unit_price"]),
        "taxes": [["add", [int(tax) for tax in line.get("tax_ids", own) or []]]],
        "note": line.get("note"),
    }


def address_parts(address: Doc) -> tuple[str | None, ...]:
    """Street, city, postal code and country code of an address, in Tryton's shape or as it is to be written."""
    country = address.get("country")
    code = country.get("code") if isinstance(country, Mapping) else country
    parts = (address.get("street_unstructured"), address.get("city"), address.get("postal_code"), code)
    return tuple(None if part == "" else part for part in parts)


def as_sent(doc: Doc | None) -> Doc | None:
    """A record the way it is written: of a party's addresses the first as `address`, "" as null; of an article's
    identifiers the first barcode as `ean`; of a price what is used as what was set."""
    if doc is not None and "identifiers" in doc and "template" in doc:
        return {**doc, "ean": barcode(doc)["code"]}
    if doc is not None and "gross_price_used" in doc:
        return {**doc, "gross_price": doc["gross_price_used"], "list_price": doc["list_price_used"]}
    if doc is None or "addresses" not in doc:
        return doc
    bare = {**doc, "email": doc["email"] or None, "phone": doc["phone"] or None}
    first = next(iter(doc["addresses"]), None)
    return bare if first is None else {**bare, "address": {**first, "country": address_parts(first)[3]}}


def barcode(article: Doc) -> Doc:
    """The first identifier of an article that is its barcode; without id and code where it has none."""
    return next((row for row in article["identifiers"] if row["type"] == "ean"), {"id": None, "code": None})


def expected(model: str, write: Write) -> dict[str, str]:
    """Tryton's optimistic lock: the record must still have this stamp."""
    return {} if write.expected is None else {f"{model},{write.id}": write.expected}
