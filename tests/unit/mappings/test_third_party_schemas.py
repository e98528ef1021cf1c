"""What vendors publish as schemas: our native schemas agree with them, and so does what our mappings write.

Vendors answer 2xx to a misspelt field and change nothing: a document that goes out may hold no field that the vendor's
schema does not name. Every test skips visibly where the schemas are not at hand (``tests/third_party.py``).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs
import pytest

from flows.mapping_files import PACKAGE, compile_file
from mappings.language import Ref
from tests.third_party import ABSENT, SPECS, read_json, read_yaml

pytestmark = pytest.mark.skipif(not SPECS.is_dir(), reason=ABSENT)
CONTEXT = {
    "channel": "test",
    "company": {"name": "Test", "country": "KZ", "currency": "KZT", "price_list": "retail"},
    "settings": {"marketplace": "ATVPDKIKX0DER"},
    "now": "2026-01-01T00:00:00Z",
    "run": "test",
}
TYPES = {"integer": {"integer", "number"}, "number": {"integer", "number"}}
"""A vendor's type → ours that agree with it; any other must be the same."""


def native(name: str) -> Any:
    """Our schema of a native document."""
    return json.loads((PACKAGE / f"{name}.schema.json").read_text(encoding="utf-8"))


def own(node: Any, root: Any) -> Any:
    return root["$defs"][node["$ref"].rsplit("/", 1)[-1]] if "$ref" in node else node


def types(node: Any) -> set[str]:
    found = node.get("type", [])
    return {found} if isinstance(found, str) else set(found)


# -- JSON Schema, Swagger, OpenAPI ------------------------------------------------------------------------------------
def vendor(node: Any, root: Any) -> Any:
    """A vendor's schema with references and ``allOf`` resolved; ``nullable`` beside a reference is kept."""
    merged: dict[str, Any] = {"properties": {}}
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if "$ref" in part:
            target = root
            for step in part["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            waiting.append(target)
        waiting += part.get("allOf", [])
        merged["properties"] |= part.get("properties", {})
        merged |= {key: value for key, value in part.items() if key in ("type", "enum", "items", "nullable")}
    return merged


def disagreements(ours: Any, root: Any, theirs: Any, theirs_root: Any, path: str, nulls: bool) -> Iterator[str]:
    """Every field that the vendor does not name, or names with another type, other values or an unexpected null."""
    ours, theirs = own(ours, root), vendor(theirs, theirs_root)
    if (
        "type" in theirs
        and types(ours) - {"null"}
        and not types(ours) - {"null"} <= TYPES.get(theirs["type"], {theirs["type"]})
    ):
        yield f"{path}: {sorted(types(ours))}, the vendor says {theirs['type']}"
    if nulls and theirs.get("nullable") and "null" not in types(ours):
        yield f"{path}: may be null"
    if "enum" in ours and "enum" in theirs and set(ours["enum"]) - {None} != set(theirs["enum"]) - {""}:
        yield f"{path}: {sorted(set(theirs['enum']) ^ set(ours['enum']), key=str)} on one side only"
    for name, inner in ours.get("properties", {}).items():
        if name not in theirs["properties"]:
            yield f"{path}.{name}: the vendor knows no such field"
        else:
            yield from disagreements(inner, root, theirs["properties"][name], theirs_root, f"{path}.{name}", nulls)
    if "items" in ours and "items" in theirs:
        yield from disagreements(ours["items"], root, theirs["items"], theirs_root, f"{path}[]", nulls)


def without(schema: Any, *names: str) -> Any:
    return {**schema, "properties": {name: one for name, one in schema["properties"].items() if name not in names}}


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("orders", "Order"),
        ("catalog", "CatalogObject"),
        ("customers", "Customer"),
        ("locations", "Location"),
        ("inventory", "InventoryCount"),
    ],
)
def test_square_names_every_field_that_is_read_and_which_may_be_null(name: str, component: str) -> None:
    root = read_json("square/api.json")
    ours = without(native(f"square/{name}"), *(("type", "physical_count") if name == "inventory" else ()))
    found = disagreements(ours, ours, root["components"]["schemas"][component], root, component, nulls=True)
    # an amount without its number or currency is no money: such a line is refused, so they are not called nullable
    assert [
        one for one in found if not one.endswith(("money.amount: may be null", "money.currency: may be null"))
    ] == []


@pytest.mark.parametrize(
    ("name", "model", "definition"),
    [
        ("orders", "orders_2026-01-01", "Order"),
        ("listings", "listingsItems_2021-08-01", "Item"),
        ("listing_prices", "listingsItems_2021-08-01", "Item"),
        ("returns", "externalFulfillmentReturns_2024-09-11", "Return"),
        ("inventory", "fbaInventory", "InventorySummary"),
    ],
)
def test_amazon_names_every_field_that_is_read(name: str, model: str, definition: str) -> None:
    root = read_json(f"amazon_sp_api/models/{model}.json")
    ours = without(native(f"amazon/{name}"), "productType", "patches", "orderItemId")  # the last is the connector's
    assert list(disagreements(ours, ours, root["definitions"][definition], root, definition, nulls=False)) == []
    assert set(ours.get("required", ())) <= set(root["definitions"][definition].get("required", ()))


@pytest.mark.parametrize(
    ("name", "file", "component"),
    [
        ("products", "products_catalog.v3.yml", "product_Full"),
        ("variants", "product-variants_catalog.v3.yml", "productVariant_Full"),
        ("inventory", "inventory.v3.yml", "ItemResponse"),
    ],
)
def test_bigcommerce_names_every_field_that_is_read(name: str, file: str, component: str) -> None:
    root = read_yaml(f"bigcommerce/{file}")
    ours = without(native(f"bigcommerce/{name}"), "location_id", "variant_id", "quantity")
    if name == "variants":
        ours = native("bigcommerce/variants")
    assert list(disagreements(ours, ours, root["components"]["schemas"][component], root, component, nulls=False)) == []


def test_bigcommerce_names_every_field_that_is_read_of_an_order_and_of_what_it_leads_to() -> None:
    root = read_yaml("bigcommerce/orders.v2.oas2.yml")
    schemas = root["components"]["schemas"]
    ours = native("bigcommerce/orders")
    fees = {"properties": {"fees": {"type": "array", "items": {"$ref": "#/components/schemas/orderFees_Resp"}}}}
    theirs = {
        "order_Resp": (without(ours, "products", "shipping_addresses"), {"allOf": [fees, schemas["order_Resp"]]}),
        "orderProducts": (ours["properties"]["products"]["items"], schemas["orderProducts"]),
        "orderShippingAddress": (ours["properties"]["shipping_addresses"]["items"], schemas["orderShippingAddress"]),
    }
    found = [
        one for name, (mine, its) in theirs.items() for one in disagreements(mine, ours, its, root, name, nulls=False)
    ]
    assert found == []


# -- GraphQL ----------------------------------------------------------------------------------------------------------
@cache
def graphql() -> dict[str, Any]:
    """Type name → the type, of the published introspection."""
    found = json.loads(gzip.decompress((SPECS / "shopify/admin_2026-10.json.gz").read_bytes()))
    schema = found.get("data", found)["__schema"]
    return {one["name"]: one for one in schema["types"]}


SCALARS = {"Int": "integer", "Float": "number", "Boolean": "boolean"}


def graphql_disagreements(ours: Any, root: Any, theirs: Any, path: str) -> Iterator[str]:
    """Every field that Shopify does not name, has deprecated, or says otherwise whether it may be null."""
    ours = own(ours, root)
    null = theirs["kind"] != "NON_NULL"
    inner = theirs if null else theirs["ofType"]
    if null != ("null" in types(ours)) and path.count("."):
        yield f"{path}: may {'be' if null else 'not be'} null"
    if inner["kind"] == "LIST":
        yield from graphql_disagreements(ours["items"], root, inner["ofType"], f"{path}.[]")
        return
    kind = graphql()[inner["name"]]
    if kind["kind"] == "ENUM":
        values = {value["name"] for value in kind["enumValues"]}
        if "enum" in ours and set(ours["enum"]) - {None} != values:
            yield f"{path}: {sorted(values ^ set(ours['enum']), key=str)} on one side only"
    elif kind["kind"] == "SCALAR":
        if types(ours) - {"null"} != {SCALARS.get(inner["name"], "string")}:
            yield f"{path}: {sorted(types(ours))}, Shopify says {inner['name']}"
    else:
        fields = {one["name"]: one for one in kind["fields"] or kind["inputFields"] or []}
        for name, mine in ours["properties"].items():
            if name not in fields or fields[name].get("isDeprecated"):
                yield f"{path}.{name}: {'deprecated' if name in fields else 'no such field'}"
            else:
                yield from graphql_disagreements(mine, root, fields[name]["type"], f"{path}.{name}")


@pytest.mark.parametrize(
    ("name", "kind", "added"),
    [
        ("orders", "Order", ()),
        ("products", "Product", ("files",)),
        ("variants", "ProductVariant", ("productId", "optionValues")),
        ("prices", "ProductVariant", ("productId", "variantId", "priceListId", "currency")),
        ("catalog_prices", "PriceListPrice", ("id", "variantId", "priceListId")),
        ("customers", "Customer", ("email", "phone")),
        ("locations", "Location", ()),
        ("inventory", "InventoryLevel", ("id", "inventoryItemId", "locationId", "available", "quantity")),
        ("shipments", "Fulfillment", ("orderId", "tracking", "lines")),
    ],
)
def test_shopify_names_every_field_that_is_read_and_whether_it_may_be_null(
    name: str, kind: str, added: tuple[str, ...]
) -> None:
    """But for what the connector adds, and what only goes out."""
    ours = without(native(f"shopify/{name}"), *added)
    if name == "variants":  # goes out inside the inventory item
        del ours["properties"]["inventoryItem"]["properties"]["sku"]
    assert list(graphql_disagreements(ours, ours, {"kind": "OBJECT", "name": kind}, kind)) == []


# -- what goes out ----------------------------------------------------------------------------------------------------
STOCK = {"uid": "s1", "variant": "v1", "location": "l1", "publish": "3"}
GROUP = {
    "uid": "v1",
    "variant": {"uid": "v1", "sku": "007", "name": "Kettle"},
    "stocks": [STOCK, {**STOCK, "publish": "4"}],
}
PRICE = {
    "uid": "q1",
    "variant": "v1",
    "list": "retail",
    "amount": {"amount": "12.50", "currency": "USD"},
    "tax_mode": "gross",
}
KNOWN = {
    ("variant", "v1"): Ref("79", {"inventory_item": "gid://shopify/InventoryItem/3", "product_type": "KETTLE"}),
    ("location", "l1"): Ref("1", {}),
}


def written(name: str, record: dict[str, Any]) -> dict[str, Any]:
    """The document that goes out for a record, as it stands in the request."""
    result = compile_file(None, PACKAGE / f"{name}.yaml").map_outward([record], KNOWN, CONTEXT)
    assert [str(fault) for fault in result.faults] == []
    document: dict[str, Any] = json.loads(json.dumps(result.docs[0].doc, default=float))
    return document


def strangers(document: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    """The fields of a document that the vendor's schema does not name; an object without named fields takes any."""
    known = vendor(schema, root)
    if isinstance(document, dict) and known["properties"]:
        for name, value in document.items():
            if name in known["properties"]:
                yield from strangers(value, known["properties"][name], root, f"{path}.{name}")
            else:
                yield f"{path}.{name}"
    elif isinstance(document, list) and "items" in known:
        for item in document:
            yield from strangers(item, known["items"], root, f"{path}[]")


@pytest.mark.parametrize(("name", "record"), [("amazon/listings", GROUP), ("amazon/listing_prices", PRICE)])
def test_amazon_takes_our_patch_alone_and_in_a_feed(name: str, record: dict[str, Any]) -> None:
    root = read_json("amazon_sp_api/models/listingsItems_2021-08-01.json")
    request = root["definitions"]["ListingsItemPatchRequest"]
    patch = written(name, record)
    jsonschema_rs.validator_for({**request, "definitions": root["definitions"]}).validate(patch)
    assert list(strangers(patch, request, root, "patch")) == []
    feed = json.loads((SPECS / "amazon_sp_api/schemas/feeds/listings-feed-message-schema-v2.json").read_bytes())
    message = {"messageId": 1, "sku": "79", "operationType": "PATCH", **patch}
    jsonschema_rs.validator_for(feed).validate(message)
    assert patch["productType"] == "KETTLE"
    assert not jsonschema_rs.validator_for(feed).is_valid({**message, "patches": []})


def test_amazon_is_told_one_figure_and_a_price_with_tax() -> None:
    stock = written("amazon/listings", GROUP)["patches"][0]
    assert (stock["op"], stock["path"]) == ("replace", "/attributes/fulfillment_availability")
    assert stock["value"] == [{"fulfillment_channel_code": "DEFAULT", "quantity": 7}]
    price = written("amazon/listing_prices", PRICE)["patches"][0]["value"][0]
    assert (price["currency"], price["our_price"][0]["schedule"][0]["value_with_tax"]) == ("USD", 12.5)


def test_square_takes_our_count() -> None:
    root = read_json("square/api.loadable.json")
    change = written("square/inventory", STOCK)
    assert list(strangers(change, root["components"]["schemas"]["InventoryChange"], root, "change")) == []
    count = vendor(root["components"]["schemas"]["InventoryPhysicalCount"], root)["properties"]
    assert change["physical_count"]["state"] in vendor(count["state"], root)["enum"]
    assert change["type"] in vendor(root["components"]["schemas"]["InventoryChangeType"], root)["enum"]
    assert change["physical_count"]["quantity"] == "3"


def test_bigcommerce_takes_our_adjustment() -> None:
    root = read_yaml("bigcommerce/inventory.v3.yml")
    request = root["components"]["schemas"]["AdjustmentsAbsoluteRequest"]
    item = written("bigcommerce/inventory", STOCK)
    jsonschema_rs.validator_for(request).validate({"reason": "Serai", "items": [item]})
    assert item == {"location_id": 1, "variant_id": 79, "quantity": 3}


def test_shopify_takes_our_quantity_once_the_connector_adds_what_it_compares_with() -> None:
    """The type lets changeFromQuantity be left out; the text beside it says that it must be sent, even as null."""
    fields = {one["name"]: one["type"]["kind"] for one in graphql()["InventoryQuantityInput"]["inputFields"]}
    row = written("shopify/inventory", STOCK)
    assert set(row) | {"changeFromQuantity"} == set(fields)
    assert {name for name, kind in fields.items() if kind == "NON_NULL"} == set(row)
    assert row["quantity"] == 3
