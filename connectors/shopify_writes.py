"""How Shopify's answers become documents, and documents its mutations.

What surprises here: see shopify.py, whose documents and mutations these are.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors.base import Doc, Write
from connectors.graphql import Mutation
from connectors.paging import ABSENT, at
from connectors.shopify_facts import CODED, CUSTOMER, ERRORS, FULFILMENT, LEVEL, PRICE, PRODUCT, VARIANT

# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


def level_doc(level: Doc) -> Doc:
    """A stock level under an id that names its place, with the figure that is compared and set."""
    found = [row["quantity"] for row in level["quantities"] if row["name"] == "available"]
    own = {"id": f"{level['item']['id']}@{level['location']['id']}", "inventoryItemId": level["item"]["id"]}
    return {**level, **own, "locationId": level["location"]["id"], "available": found[0] if found else None}


def price_doc(price: Doc, price_list: str) -> Doc:
    """A fixed price of a price list under an id that names both."""
    return {**price, "id": f"{price['variant']['id']}@{price_list}", "priceListId": price_list,
            "variantId": price["variant"]["id"]}  # fmt: skip


def key_of(mutation: str, writes: Sequence[Write]) -> str:
    """The idempotency key of a call: of no other mutation or selection of writes, and as long as Shopify likes keys."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "\n".join([mutation, *(write.key for write in writes)])))


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What a webhook is about: resource and id of each record, and when it changed by its own (signed) stamp."""

    records: Sequence[tuple[str, str]] = ()
    at: Any = None


_KINDS = {"Product": "products", "ProductVariant": "variants", "Order": "orders", "Customer": "customers",
          "Location": "locations", "Return": "returns"}  # fmt: skip


def noticed(body: Doc, topic: str) -> Told:
    """By the body, which is signed; the topic is believed only where the body is a bare id: of a deletion."""
    stamp = next((body[name] for name in ("updated_at", "created_at", "processed_at") if body.get(name)), None)
    if "inventory_item_id" in body and "location_id" in body:
        place = f"{_gid('InventoryItem', body['inventory_item_id'])}@{_gid('Location', body['location_id'])}"
        return Told(records=[("inventory", place)], at=stamp)
    if body.get("order_id") is not None:  # a refund or a fulfilment
        return Told(records=[("orders", _gid("Order", body["order_id"]))], at=stamp)
    kind, id = str(body.get("admin_graphql_api_id", "")).rpartition("/")[0].rpartition("/")[2], body.get("id")
    if kind == "" and set(body) == {"id"}:
        kind = {"products/delete": "Product", "customers/delete": "Customer"}.get(topic, "")
    if kind not in _KINDS or id is None:
        return Told(at=stamp)
    variants = [("variants", _gid("ProductVariant", row["id"])) for row in body.get("variants") or [] if row.get("id")]
    return Told(records=[(_KINDS[kind], _gid(kind, id)), *variants], at=stamp)


def _gid(kind: str, number: Any) -> str:
    return f"gid://shopify/{kind}/{number}"


def as_held(resource: str, doc: Doc) -> Doc:
    """What was sent, in the words of the document that Shopify then holds, as far as both say the same."""
    if resource == "inventory":
        return {"available": doc["quantity"]}
    if doc.get("priceListId") is not None:
        return {"price": {"amount": doc["price"]}}
    if resource in ("variants", "prices"):
        named = ("barcode", "price", "compareAtPrice", "taxable")
        return {**{name: doc[name] for name in named if name in doc}, **_sku(doc)}
    if resource == "customers":
        same = ("firstName", "lastName", "locale", "note", "tags", "taxExempt")
        return {name: doc[name] for name in same if name in doc}
    if resource == "shipments":
        return {}
    elsewhere = ("files", "productOptions", "variants", "metafields")
    return {name: value for name, value in doc.items() if name not in elsewhere}


def _sku(doc: Doc) -> Doc:
    sku = at(doc, "inventoryItem.sku")
    return {} if sku is ABSENT else {"sku": sku}


def parcel(doc: Doc, order: Doc | None) -> list[Doc]:
    """Which lines of which fulfilment orders a shipment takes: those it names, or all that are left. ValueError says
    what the order lacks; a fulfilment leaves from one location."""
    if order is None:
        raise ValueError("the order does not exist")
    asked = {str(line["lineItemId"]): int(line["quantity"]) for line in doc.get("lines") or []}
    whole, rows, places = not asked, [], set()
    lists = [order["fulfillmentOrders"], *(part["lineItems"] for part in order["fulfillmentOrders"]["nodes"])]
    if any(one["pageInfo"]["hasNextPage"] for one in lists):
        raise ValueError("the order has more than 5 parts, or more than 60 lines in one; fulfil it in Shopify")
    for part in order["fulfillmentOrders"]["nodes"]:
        if part["status"] not in ("OPEN", "IN_PROGRESS"):
            continue
        taken = []
        for item in part["lineItems"]["nodes"]:
            line, left = str(item["lineItem"]["id"]), int(item["remainingQuantity"])
            quantity = left if whole else min(left, asked.get(line, 0))
            if quantity > 0:
                taken.append({"id": item["id"], "quantity": quantity})
                asked[line] = asked.get(line, 0) - quantity
        if taken:
            rows.append({"fulfillmentOrderId": part["id"], "fulfillmentOrderLineItems": taken})
            places.add(at(part, "assignedLocation.location.id"))
    if not whole and any(left > 0 for left in asked.values()):
        raise ValueError("the order has less left to send than the shipment names; was it sent already, or is it held?")
    if not rows or len(places) > 1:
        raise ValueError("nothing of the order is left to send" if not rows else
                         "the order leaves from several locations; send one shipment for each")  # fmt: skip
    return rows


def same_parcel(doc: Doc, order: Doc | None) -> Doc | None:
    """The order's fulfilment with the shipment's tracking number or, without one, with just its lines."""
    number = at(doc, "tracking.number")
    wanted = sorted((str(line["lineItemId"]), int(line["quantity"])) for line in doc.get("lines") or [])
    for found in order["fulfillments"] if order is not None else ():
        if found["status"] == "CANCELLED":
            continue
        lines = sorted((str(r["lineItem"]["id"]), int(r["quantity"])) for r in found["fulfillmentLineItems"]["nodes"])
        numbers = [info["number"] for info in found["trackingInfo"]]
        if number in numbers if isinstance(number, str) else not wanted or lines == wanted:
            return dict(found)
    return None


# ── writes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _quantities(writes: Sequence[Write]) -> Doc:
    rows = [
        {"inventoryItemId": write.doc["inventoryItemId"], "locationId": write.doc["locationId"],
         "quantity": write.doc["quantity"],
         "changeFromQuantity": None if write.expected is None else int(Decimal(write.expected))}
        for write in writes
    ]  # fmt: skip
    return {"key": key_of("set", writes), "input": {"name": "available", "reason": "correction", "quantities": rows}}


def _told(write: Write) -> Doc:
    """A stock level as the platform holds it after the write was carried out."""
    item, location = str(write.doc["inventoryItemId"]), str(write.doc["locationId"])
    return {"id": f"{item}@{location}", "inventoryItemId": item, "locationId": location,
            "available": write.doc["quantity"]}  # fmt: skip


_Docs = Callable[[Sequence[Write], Doc], Sequence[Doc | None]]


def _one(name: str) -> _Docs:
    return lambda writes, payload: [payload[name]]


def _by_id(name: str) -> _Docs:
    """Documents of a list in the payload, by the id of each write."""

    def docs(writes: Sequence[Write], payload: Doc) -> list[Doc | None]:
        held = {str(doc["id"]): doc for doc in payload[name] or []}
        return [held.get(str(write.id)) for write in writes]

    return docs


def _in_order(name: str) -> _Docs:
    return lambda writes, payload: list(at(payload, name))[-len(writes) :]


SET = Mutation(
    name="inventorySetQuantities", listed="input.quantities", stale=frozenset({"CHANGE_FROM_QUANTITY_STALE"}),
    open=frozenset({"IDEMPOTENCY_CONCURRENT_REQUEST"}), variables=_quantities,
    docs=lambda writes, payload: [_told(write) for write in writes],
    text="mutation inventorySetQuantities($input: InventorySetQuantitiesInput!, $key: String!)"
    " { inventorySetQuantities(input: $input) @idempotent(key: $key) { inventoryAdjustmentGroup { id }"
    f" {CODED} }} }}",
)  # fmt: skip
ACTIVATE = Mutation(
    name="inventoryActivate",
    variables=lambda writes: {"key": key_of("activate", writes), "item": writes[0].doc["inventoryItemId"],
                              "location": writes[0].doc["locationId"], "available": writes[0].doc["quantity"]},
    docs=lambda writes, payload: [level_doc(payload["inventoryLevel"])],
    text="mutation inventoryActivate($item: ID!, $location: ID!, $available: Int, $key: String!)"
    " { inventoryActivate(inventoryItemId: $item, locationId: $location, available: $available) @idempotent(key: $key)"
    f" {{ inventoryLevel {{ {LEVEL} }} {ERRORS} }} }}",
)  # fmt: skip
PRODUCT_SET = Mutation(
    name="productSet", docs=_one("product"),
    variables=lambda writes: {
        "of": None if writes[0].id is None else {"id": writes[0].id},
        "input": {name: value for name, value in writes[0].doc.items() if name != "files" or writes[0].id is None},
    },
    text="mutation productSet($of: ProductSetIdentifiers, $input: ProductSetInput!)"
    f" {{ productSet(identifier: $of, input: $input, synchronous: true) {{ product {{ {PRODUCT} }} {CODED} }} }}",
)  # fmt: skip
VARIANTS_CREATE = Mutation(
    name="productVariantsBulkCreate", listed="variants", docs=_in_order("productVariants"),
    variables=lambda writes: {"id": writes[0].doc["productId"], "variants": [_variant(write) for write in writes]},
    text="mutation productVariantsBulkCreate($id: ID!, $variants: [ProductVariantsBulkInput!]!)"
    " { productVariantsBulkCreate(productId: $id, variants: $variants, strategy: REMOVE_STANDALONE_VARIANT)"
    f" {{ productVariants {{ {VARIANT} }} {CODED} }} }}",
)  # fmt: skip
VARIANTS_UPDATE = Mutation(
    name="productVariantsBulkUpdate", listed="variants", partial=True, docs=_by_id("productVariants"),
    variables=lambda writes: {"id": writes[0].doc["productId"],
                              "variants": [{"id": write.id, **_variant(write)} for write in writes]},
    text="mutation productVariantsBulkUpdate($id: ID!, $variants: [ProductVariantsBulkInput!]!)"
    " { productVariantsBulkUpdate(productId: $id, variants: $variants, allowPartialUpdates: true)"
    f" {{ productVariants {{ {VARIANT} }} {CODED} }} }}",
)  # fmt: skip
PRICES_ADD = Mutation(
    name="priceListFixedPricesAdd", listed="prices",
    variables=lambda writes: {"id": writes[0].doc["priceListId"], "prices": [_fixed(write.doc) for write in writes]},
    docs=lambda writes, payload: [price_doc(
        {str(row["variant"]["id"]): row for row in payload["prices"]}[str(write.doc["variantId"])],
        str(write.doc["priceListId"])) for write in writes],
    text="mutation priceListFixedPricesAdd($id: ID!, $prices: [PriceListPriceInput!]!)"
    f" {{ priceListFixedPricesAdd(priceListId: $id, prices: $prices) {{ prices {{ {PRICE} }} {CODED} }} }}",
)  # fmt: skip
CUSTOMER_CREATE = Mutation(
    name="customerCreate", docs=_one("customer"), variables=lambda writes: {"input": writes[0].doc},
    text="mutation customerCreate($input: CustomerInput!)"
    f" {{ customerCreate(input: $input) {{ customer {{ {CUSTOMER} }} {ERRORS} }} }}",
)  # fmt: skip
CUSTOMER_UPDATE = Mutation(
    name="customerUpdate", docs=_one("customer"),
    variables=lambda writes: {"input": {"id": writes[0].id, **writes[0].doc}},
    text="mutation customerUpdate($input: CustomerInput!)"
    f" {{ customerUpdate(input: $input) {{ customer {{ {CUSTOMER} }} {ERRORS} }} }}",
)  # fmt: skip
FULFIL = Mutation(
    name="fulfillmentCreate", docs=_one("fulfillment"),
    variables=lambda writes: {"fulfillment": writes[0].doc},
    text="mutation fulfillmentCreate($fulfillment: FulfillmentInput!)"
    f" {{ fulfillmentCreate(fulfillment: $fulfillment) {{ fulfillment {{ {FULFILMENT} }} {ERRORS} }} }}",
)  # fmt: skip
TRACK = Mutation(
    name="fulfillmentTrackingInfoUpdate", docs=_one("fulfillment"),
    variables=lambda writes: {"id": writes[0].id, "info": writes[0].doc.get("tracking") or {},
                              "notify": writes[0].doc.get("notifyCustomer")},
    text="mutation fulfillmentTrackingInfoUpdate($id: ID!, $info: FulfillmentTrackingInput!, $notify: Boolean)"
    " { fulfillmentTrackingInfoUpdate(fulfillmentId: $id, trackingInfoInput: $info, notifyCustomer: $notify)"
    f" {{ fulfillment {{ {FULFILMENT} }} {ERRORS} }} }}",
)  # fmt: skip


def _variant(write: Write) -> Doc:
    """The variant, or its price, without what only says where it belongs."""
    elsewhere = ("productId", "variantId", "priceListId", "currency", "id")
    return {name: value for name, value in write.doc.items() if name not in elsewhere}


def _fixed(doc: Doc) -> Doc:
    """The fixed price of a variant."""
    amounts = {name: doc.get(name) for name in ("price", "compareAtPrice")}
    money = {n: None if v is None else {"amount": v, "currencyCode": doc["currency"]} for n, v in amounts.items()}
    return {"variantId": doc["variantId"], **money}
