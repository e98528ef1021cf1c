"""Documents as Vendure's mutations want them, and what their payloads say.

What surprises here: see vendure.py, whose mutations these are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from connectors.base import Doc, Write
from connectors.graphql import Mutation, Operation
from connectors.paging import ABSENT, at
from connectors.vendure_facts import (
    CUSTOMER,
    FULFILMENT,
    LEVELS,
    PRICES,
    PRODUCT,
    VARIANT,
    documents,
    place_of,
)

OPTION_NAME, OPTION_CODE = "Article", "article-{}"
TRANSLATED = ("name", "slug", "description")
ERROR = "... on ErrorResult { errorCode message }"


def declined(payload: Any) -> list[Doc]:
    """What a payload complains of: it is then of a type with ``errorCode``, or absent."""
    code = at(payload, "errorCode")
    if code is not ABSENT:
        return [{"code": code, "message": payload["message"]}]
    return [{"message": "the answer is empty"}] if payload is None else []


def on_hand(doc: Doc, held: Mapping[str, Doc | None]) -> Doc:
    """The stock document with what must lie there so that its ``available`` may still be sold."""
    level = held[str(place_of("stock", doc))]
    allocated = Decimal(0) if level is None else Decimal(level["stockAllocated"])
    return {**doc, "stockOnHand": int(Decimal(doc["available"]) + allocated)}


def named(code: str, name: str, language: str) -> Doc:
    return {"code": code, "translations": [{"languageCode": language, "name": name}]}


def group(code: str, skus: Sequence[str], language: str) -> Doc:
    """The variables that make the option group of a product."""
    rows = [named(sku, sku, language) for sku in skus]
    return {"input": {**named(code, OPTION_NAME, language), "options": rows}}


def same_parcel(doc: Doc, order: Doc) -> Doc | None:
    """The order's fulfilment with the shipment's tracking number or, without one, with just its lines."""
    number = doc.get("trackingCode")
    wanted = _lines(doc.get("lines") or [])
    for found in order.get("fulfillments") or []:
        same = found["trackingCode"] == number if number is not None else not wanted or _lines(found["lines"]) == wanted
        if same and found["state"] != "Cancelled":
            return dict(found)
    return None


def unsent(order: Doc) -> list[Doc]:
    """The lines of an order that are in no fulfilment yet, and how many of each."""
    gone: dict[str, int] = {}
    for part in order.get("fulfillments") or []:
        for row in part["lines"] if part["state"] != "Cancelled" else ():
            gone[row["orderLineId"]] = gone.get(row["orderLineId"], 0) + row["quantity"]
    left = [(line["id"], line["quantity"] - gone.get(line["id"], 0)) for line in order["lines"]]
    return [{"orderLineId": id, "quantity": quantity} for id, quantity in left if quantity > 0]


def chosen(doc: Doc, *, gross: bool) -> Doc:
    """A price with the one of its two figures that the channel keeps."""
    return {**doc, "price": doc["withTax" if gross else "net"]}


def _lines(rows: Sequence[Doc]) -> list[tuple[str, int]]:
    return sorted((str(row["orderLineId"]), int(row["quantity"])) for row in rows)


def mutation(resource: str, op: str, *, language: str, gross: bool) -> Mutation:
    """The mutation that carries writes of one kind, in the channel's language; ``gross``: its prices hold the tax."""
    verb = "create" if op == "create" and resource in ("products", "variants", "customers") else "update"
    name = verb + {"products": "Product", "customers": "Customer"}.get(resource, "ProductVariants")
    one = name.removesuffix("s")
    kind = f"{one[0].upper()}{one[1:]}Input"
    if resource in ("products", "customers"):
        fields = PRODUCT if resource == "products" else f"... on Customer {{ {CUSTOMER} }} {ERROR}"
        return Mutation(
            name=name, complaints=declined,
            text=f"mutation {name}($input: {kind}!) {{ {name}(input: $input) {{ {fields} }} }}",
            variables=lambda writes: {"input": _row(resource, writes[0], language)},
            docs=lambda writes, payload: [payload],
        )  # fmt: skip
    return Mutation(
        name=name, complaints=declined,
        text=f"mutation {name}($input: [{kind}!]!) {{ {name}(input: $input) {{ {VARIANT} {PRICES} {LEVELS} }} }}",
        variables=lambda writes: {"input": [_row(resource, write, language) for write in writes]},
        docs=lambda writes, payload: _held(resource, writes, payload, gross),
    )  # fmt: skip


def _row(resource: str, write: Write, language: str) -> Doc:
    """The input of one write."""
    doc, new = write.doc, write.op == "create"
    if resource == "prices":
        return {"id": doc["variantId"], "prices": [{name: doc[name] for name in ("currencyCode", "price")}]}
    if resource == "stock":
        return {
            "id": doc["variantId"],
            "stockLevels": [{name: doc[name] for name in ("stockLocationId", "stockOnHand")}],
        }
    if resource == "customers":
        return doc if new else {**doc, "id": write.id}
    texts = {name: doc[name] for name in TRANSLATED if name in doc and (new or name != "slug")}
    if resource == "products" and (new or "description" in texts):
        texts["description"] = texts.get("description") or ""
    bare = {name: value for name, value in doc.items() if name not in TRANSLATED}
    if texts or new:
        bare["translations"] = [{"languageCode": language, **texts}]
    return bare if new else {**{name: value for name, value in bare.items() if name != "productId"}, "id": write.id}


def _held(resource: str, writes: Sequence[Write], rows: Any, gross: bool) -> list[Doc | None]:
    """The document that each write left, in the variant that its answer shows."""
    if resource == "variants":
        return list(rows)
    held = {doc["id"]: doc for doc in documents(resource, rows, gross=gross)}
    return [held.get(str(place_of(resource, write.doc))) for write in writes]


FULFIL = Mutation(
    name="addFulfillmentToOrder", complaints=declined,
    text="mutation addFulfillmentToOrder($input: FulfillOrderInput!)"
    f" {{ addFulfillmentToOrder(input: $input) {{ ... on Fulfillment {{ {FULFILMENT} }} {ERROR} }} }}",
    variables=lambda writes: {"input": {
        "lines": writes[0].doc["lines"],
        "handler": {"code": "manual-fulfillment", "arguments": [
            {"name": "method", "value": writes[0].doc.get("method") or ""},
            {"name": "trackingCode", "value": writes[0].doc.get("trackingCode") or ""}]},
    }},
    docs=lambda writes, payload: [payload],
)  # fmt: skip
SHIP = Mutation(
    name="transitionFulfillmentToState", complaints=declined,
    text='mutation transitionFulfillmentToState($id: ID!) { transitionFulfillmentToState(id: $id, state: "Shipped")'
    f" {{ ... on Fulfillment {{ {FULFILMENT} }} {ERROR} }} }}",
    variables=lambda writes: {"id": str(writes[0].id).rpartition("@")[2]},
    docs=lambda writes, payload: [{**payload, "id": writes[0].id, "orderId": writes[0].doc["orderId"]}],
)  # fmt: skip
GROUP = Operation(
    name="group",
    text="mutation group($input: CreateProductOptionGroupInput!)"
    " { made: createProductOptionGroup(input: $input) { id options { id code } } }",
)
ADD_GROUP = Operation(
    name="addGroup",
    text="mutation addGroup($product: ID!, $group: ID!)"
    " { addOptionGroupToProduct(productId: $product, optionGroupId: $group) { id } }",
)
OPTION = Operation(
    name="option",
    text="mutation option($input: CreateProductOptionInput!) { made: createProductOption(input: $input) { id } }",
)
