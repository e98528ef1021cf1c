"""What Vendure's lists are to us: which fields are asked for, how they are filtered, and how answers become documents.

What surprises here: see vendure.py, whose facts and documents these are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from connectors.base import Doc, Resource
from connectors.graphql import Operation

DAY = 86_400.0
ADDRESS = "fullName company streetLine1 streetLine2 city province postalCode phoneNumber"
LOCATION = "id name description updatedAt"
PRODUCT = "id name slug description enabled languageCode updatedAt"
PRICES = "id productId updatedAt prices { currencyCode price }"
LEVELS = "id sku trackInventory stockLevels { stockLocationId stockOnHand stockAllocated updatedAt }"
VARIANT = "id sku name enabled trackInventory productId updatedAt product { name enabled }"
CUSTOMER = "id emailAddress firstName lastName phoneNumber updatedAt user { id verified }"
CUSTOMER += f" addresses {{ {ADDRESS} country {{ code }} defaultShippingAddress }}"
FULFILMENT = "id state method trackingCode createdAt updatedAt lines { orderLineId quantity }"
REFUND = "id state total reason createdAt lines { orderLineId quantity }"
ORDER = "id code state createdAt updatedAt orderPlacedAt currencyCode couponCodes customer { id user { id }"
ORDER += f" emailAddress firstName lastName phoneNumber }} shippingAddress {{ {ADDRESS} countryCode }}"
ORDER += " lines { id quantity orderPlacedQuantity unitPriceWithTax linePriceWithTax proratedLinePriceWithTax"
ORDER += " proratedLinePrice taxRate productVariant { id sku name } }"
ORDER += " surcharges { id description priceWithTax } shippingWithTax totalWithTax"
ORDER += " taxSummary { description taxRate taxTotal }"
ORDER += f" payments {{ id method state amount refunds {{ {REFUND} }} }} fulfillments {{ {FULFILMENT} }}"
SHIPPED = f"id state orderPlacedAt lines {{ id quantity }} fulfillments {{ {FULFILMENT} }}"
_PLACED = {"active": {"eq": False}, "orderPlacedAt": {"isNull": False}}


def _listed(path: str, **facts: Any) -> Resource:
    """A list of the root, paged by how many rows to skip, in the order of the ids."""
    options = {"size": "take", "param": "skip", "total": f"data.{path}.totalItems"}
    told = {"path": path, "items": f"data.{path}.items", "paging": "offset", "paging_options": options}
    return Resource(**{"updated": "updatedAt", "since": "updatedAt", "lag": 60.0, "page_size": 100, **told, **facts})


RESOURCES: Mapping[str, Resource] = {
    "locations": _listed("stockLocations"),
    "products": _listed("products", create="createProduct", update="updateProduct", reference="slug",
                        reference_field="slug"),
    "variants": _listed("productVariants", create="createProductVariants", update="updateProductVariants", batch=50,
                        reference="sku", reference_field="sku"),
    "prices": _listed("productVariants", create="updateProductVariants", update="updateProductVariants", batch=50),
    "stock": _listed("productVariants", updated=None, since=None, stock_kind="available", batch=50,
                     create="updateProductVariants", update="updateProductVariants"),
    "customers": _listed("customers", create="createCustomer", update="updateCustomer", reference="emailAddress",
                         reference_field="emailAddress"),
    "orders": _listed("orders", updated="orderPlacedAt", since="orderPlacedAt", lag=30 * DAY, page_size=50),
    "shipments": _listed("orders", updated="orderPlacedAt", since="orderPlacedAt", lag=30 * DAY, page_size=50,
                         create="addFulfillmentToOrder", reference="orderId", reference_field="orderId"),
}  # fmt: skip
FIELDS: Mapping[str, str] = {
    "locations": LOCATION, "products": PRODUCT, "variants": VARIANT, "prices": PRICES, "stock": LEVELS,
    "customers": CUSTOMER, "orders": ORDER, "shipments": SHIPPED,
}  # fmt: skip
KINDS: Mapping[str, str] = {
    "stockLocations": "StockLocation", "products": "Product", "productVariants": "ProductVariant",
    "customers": "Customer", "orders": "Order",
}  # fmt: skip
SCOPES: Mapping[str, tuple[str, ...]] = {
    "locations": ("ReadStockLocation",), "products": ("ReadCatalog", "UpdateCatalog"),
    "variants": ("ReadCatalog", "UpdateCatalog"), "prices": ("ReadCatalog", "UpdateCatalog"),
    "stock": ("ReadCatalog", "UpdateCatalog"), "customers": ("ReadCustomer", "UpdateCustomer"),
    "orders": ("ReadOrder",), "shipments": ("ReadOrder", "UpdateOrder"),
}  # fmt: skip
"""Resource → the permissions that its reading and writing need; those of catalogue and customers with Create…."""


def _list(resource: str) -> Operation:
    path = RESOURCES[resource].path
    inner = f"{path}(options: $options) {{ items {{ {FIELDS[resource]} }} totalItems }}"
    return Operation(name=resource, text=f"query {resource}($options: {KINDS[path]}ListOptions!) {{ {inner} }}")


LISTS: Mapping[str, Operation] = {resource: _list(resource) for resource in RESOURCES}
_CHANNEL = "activeChannel { defaultLanguageCode defaultCurrencyCode pricesIncludeTax }"
HOME = Operation(name="home", text=f"query home {{ {_CHANNEL} }}")
CHECK = Operation(
    name="check",
    text=f"query check {{ {_CHANNEL} globalSettings {{ serverConfig {{ moneyStrategyPrecision }} }} }}",
)
OPTIONS = Operation(
    name="options", text="query options($id: ID!) { product(id: $id) { optionGroups { id code options { id code } } } }"
)


def adjusted(options: Mapping[str, Any]) -> Mapping[str, Resource]:
    """The resources with the channel's own ``page_size`` (an upper bound), ``lag`` and ``orders_days``."""
    size, days = int(options.get("page_size", 1000)), float(options.get("orders_days", 30))
    found = {}
    for name, facts in RESOURCES.items():
        lag = days * DAY if facts.since == "orderPlacedAt" else float(options.get("lag", facts.lag))
        found[name] = replace(facts, page_size=min(size, facts.page_size), lag=lag)
    return found


def page(facts: Resource, params: Mapping[str, str]) -> Doc:
    """The variables of a page: how many rows, from which on, changed since when."""
    wanted: Doc = dict(_PLACED) if facts.path == "orders" else {}
    if facts.since is not None and facts.since in params:
        wanted = {"_and": [wanted, {facts.since: {"after": params[facts.since]}}]}
    return _options(wanted, int(params.get("take", facts.page_size)), int(params.get("skip", "0")))


def of_values(field: str, values: Sequence[str]) -> Doc:
    """The variables that ask for the rows whose field is one of these values."""
    return _options({field: {"in": list(values)}}, max(1, 20 * len(values)), 0)


def _options(wanted: Doc, take: int, skip: int) -> Doc:
    options: Doc = {"take": min(take, 1000), "skip": skip, "sort": {"id": "ASC"}}
    return {"options": {**options, **({"filter": wanted} if wanted else {})}}


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


def documents(resource: str, rows: Sequence[Doc], *, gross: bool) -> list[Doc]:
    """The resource's documents in rows of its list; ``gross``: the channel's prices hold the tax."""
    if resource == "prices":
        return [price_doc(row, price, gross=gross) for row in rows for price in row["prices"]]
    if resource == "stock":
        return [level_doc(row, level) for row in rows for level in row["stockLevels"]]
    if resource == "shipments":
        return [shipment_doc(row, part) for row in rows for part in row["fulfillments"] or []]
    return list(rows)


def price_doc(variant: Doc, price: Doc, *, gross: bool) -> Doc:
    """A variant's price in one currency, in minor units, and whether it holds the tax."""
    return {"id": f"{variant['id']}@{price['currencyCode']}", "variantId": variant["id"], "gross": gross,
            "productId": variant["productId"], "updatedAt": variant["updatedAt"], **price}  # fmt: skip


def level_doc(variant: Doc, level: Doc) -> Doc:
    """A variant's stock at one location with an id that names both, and what may still be sold there."""
    available = Decimal(level["stockOnHand"]) - Decimal(level["stockAllocated"])
    return {"id": f"{variant['id']}@{level['stockLocationId']}", "variantId": variant["id"], **level,
            "tracked": variant["trackInventory"] != "FALSE", "available": available}  # fmt: skip


def shipment_doc(order: Doc, part: Doc) -> Doc:
    """A fulfilment with its order."""
    return {**part, "id": f"{order['id']}@{part['id']}", "orderId": order["id"]}


def place_of(resource: str, doc: Doc) -> str | None:
    """The id of what a write is about, where its document names the place; None where Vendure gives the id."""
    other = {"prices": "currencyCode", "stock": "stockLocationId"}.get(resource)
    return None if other is None else f"{doc['variantId']}@{doc[other]}"


def as_held(resource: str, doc: Doc) -> Doc:
    """What was sent, in the words of the document that Vendure then holds, as far as both say the same."""
    same = {
        "products": ("name", "description", "enabled"), "variants": ("sku", "name", "enabled", "trackInventory"),
        "prices": ("price",), "stock": ("available",), "customers": ("firstName", "lastName", "phoneNumber"),
    }.get(resource, ())  # fmt: skip
    return {name: doc[name] for name in same if name in doc}
