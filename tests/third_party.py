"""Where vendors' published examples of their own answers lie, and which of our mappings reads each.

Nothing of it is copied: the documents are read where ``SERAI_SPECS`` says they are, by default in ``shared/specs``
beside the checkout. Each folder there has a ``PROVENANCE.md`` with source, date and licence.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from connectors.bitrix24_facts import keyed

ROOT = Path(__file__).resolve().parent.parent
SPECS = Path(os.environ.get("SERAI_SPECS", ROOT.parent / "shared" / "specs"))
ABSENT = f"no vendors' documents at {SPECS}: set SERAI_SPECS"


# -- where the documents lie ------------------------------------------------------------------------------------------
@cache
def read_json(path: str) -> Any:
    """A published file, its numbers exact."""
    return msgspec.json.Decoder(float_hook=Decimal).decode((SPECS / path).read_bytes())


@cache
def read_yaml(path: str) -> Any:
    return yaml.load((SPECS / path).read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def exact(node: Any) -> Any:
    """A document from YAML as a connector would have it: JSON with exact numbers."""
    return msgspec.json.Decoder(float_hook=Decimal).decode(msgspec.json.encode(node))


def shopify_pairs(name: str, one: str, many: str, needs: set[str]) -> list[Any]:
    """Every whole document in the answers of Shopify's request and response pairs."""
    answers = [pair["response"] for pair in read_json(f"shopify/rest-2024-04-pairs/{name}.json")]
    found = [doc for answer in answers for doc in [*answer.get(many, []), *([answer[one]] if one in answer else [])]]
    return [doc for doc in found if needs <= set(doc)]


def square(schema: str, field: str) -> list[Any]:
    """The example of a Square answer: always a list of documents."""
    found = read_json("square/api.json")["components"]["schemas"][schema]["example"][field]
    return found if isinstance(found, list) else [found]


def bigcommerce_orders(response: str) -> list[Any]:
    content = read_yaml("bigcommerce/orders.v2.oas2.yml")["components"]["responses"][response]["content"]
    values = [exact(example["value"]) for example in content["application/json"]["examples"].values()]
    return [doc for value in values for doc in (value if isinstance(value, list) else [value])]


def bigcommerce_catalog(file: str, path: str) -> list[Any]:
    responses = read_yaml(f"bigcommerce/{file}")["paths"][path]["get"]["responses"]
    found = exact(responses.get("200", responses.get(200))["content"]["application/json"]["example"]["data"])
    return found if isinstance(found, list) else [found]


def amazon_sandbox(model: str, one: str | None, many: str) -> list[Any]:
    """Every document in the static sandbox answers of an Amazon model."""
    paths = read_json(f"amazon_sp_api/models/{model}.json")["paths"].values()
    answers = [
        case["response"]
        for path in paths
        for case in path.get("get", {})
        .get("responses", {})
        .get("200", {})
        .get("x-amzn-api-sandbox", {"static": []})["static"]
    ]
    return [doc for answer in answers for doc in answer.get(many) or [answer if one is None else answer[one]]]


def bitrix24(page: str, field: str | None) -> list[Any]:
    """The result that a page of Bitrix24's reference shows, named as the connector does: always a list of documents."""
    results = [
        block["json"]["result"]
        for block in read_json("bitrix24/examples-extracted.json")
        if block["file"] == page and block["heading"] == "Response Handling" and "json" in block
    ]
    found = results[0] if field is None else results[0][field]
    named = {"sale/order": "orders", "catalog/store-product": "stock", "crm/companies": "companies"}
    resource = named.get(page.rpartition("/")[0], "")
    return [keyed(resource, doc) for doc in (found if isinstance(found, list) else [found])]


def woocommerce(page: str, needs: str) -> list[Any]:
    """Every document on a page of WooCommerce's reference: single answers, lists and batches."""
    found = []
    for block in read_json("woocommerce/examples-extracted.json"):
        if block["file"] == page and "json" in block:
            value = block["json"]
            batch = isinstance(value, dict) and {"create", "update"} & set(value)
            found += (
                [doc for key in ("create", "update") for doc in value.get(key, [])]
                if batch
                else (value if isinstance(value, list) else [value])
            )
    return [doc for doc in found if needs in doc]


@dataclass(frozen=True, kw_only=True)
class Published:
    """Documents of one kind in one place: the mapping that reads them and how many records and skips they give."""

    mapping: str
    where: str
    docs: Callable[[], list[Any]]
    gives: Mapping[str, int]
    skips: Mapping[str, int]


def published(mapping: str, where: str, docs: Callable[[], list[Any]], skips: Any = None, **gives: int) -> Published:
    return Published(mapping=mapping, where=where, docs=docs, gives=gives, skips=skips or {})


NO_SKU = "a variant without a SKU"
DOCUMENTS = [
    published(
        "shopify/rest_orders",
        "shopify/rest-2024-04-pairs/order.json",
        lambda: shopify_pairs("order", "order", "orders", {"line_items", "processed_at"}),
        **{"order": 29, "return": 19},
    ),
    published(
        "shopify/rest_products",
        "shopify/rest-2024-04-pairs/product.json",
        lambda: shopify_pairs("product", "product", "products", {"variants", "status"})[:2],
        product=2,
        variant=5,
    ),
    published(
        "square/orders", "square/api.json RetrieveOrder", lambda: square("RetrieveOrderResponse", "order"), order=1
    ),
    published("square/orders", "square/api.json PayOrder", lambda: square("PayOrderResponse", "order"), order=1),
    published(
        "square/catalog",
        "square/api.json RetrieveCatalogObject",
        lambda: square("RetrieveCatalogObjectResponse", "object"),
        {"a variation without a SKU": 1},
        product=1,
    ),
    published(
        "square/inventory",
        "square/api.json RetrieveInventoryCount",
        lambda: square("RetrieveInventoryCountResponse", "counts"),
        stock=1,
    ),
    published(
        "square/inventory",
        "square/api.json BatchRetrieveInventoryCounts",
        lambda: square("BatchRetrieveInventoryCountsResponse", "counts"),
        stock=1,
    ),
    published(
        "square/locations",
        "square/api.json RetrieveLocation",
        lambda: square("RetrieveLocationResponse", "location"),
        location=1,
    ),
    published(
        "square/customers",
        "square/api.json RetrieveCustomer",
        lambda: square("RetrieveCustomerResponse", "customer"),
        customer=1,
    ),
    published(
        "bigcommerce/products",
        "bigcommerce/products_catalog.v3.yml",
        lambda: bigcommerce_catalog("products_catalog.v3.yml", "/catalog/products/{product_id}"),
        product=1,
    ),
    published(
        "bigcommerce/variants",
        "bigcommerce/product-variants_catalog.v3.yml",
        lambda: bigcommerce_catalog("product-variants_catalog.v3.yml", "/catalog/products/{product_id}/variants"),
        variant=3,
    ),
    published(
        "amazon/orders",
        "amazon_sp_api/models/orders_2026-01-01.json sandbox",
        lambda: amazon_sandbox("orders_2026-01-01", "order", "orders"),
        order=6,
        shipment=1,
    ),
    published(
        "amazon/listings",
        "amazon_sp_api/models/listingsItems_2021-08-01.json sandbox",
        lambda: amazon_sandbox("listingsItems_2021-08-01", None, "items"),
        variant=2,
        stock=2,
    ),
    published(
        "amazon/listing_prices",
        "amazon_sp_api/models/listingsItems_2021-08-01.json sandbox",
        lambda: amazon_sandbox("listingsItems_2021-08-01", None, "items"),
        price=2,
    ),
    published(
        "amazon/returns",
        "amazon_sp_api/models/externalFulfillmentReturns_2024-09-11.json sandbox",
        lambda: amazon_sandbox("externalFulfillmentReturns_2024-09-11", None, "returns"),
        skips={"the goods are not back yet": 22},
        **{"return": 1},
    ),
    published(
        "bitrix24/orders", "bitrix24 sale.order.get", lambda: bitrix24("sale/order/sale-order-get.md", "order"), order=1
    ),
    published(
        "bitrix24/products",
        "bitrix24 catalog.product.get",
        lambda: bitrix24("catalog/product/catalog-product-get.md", "product"),
        product=1,
        variant=1,
    ),
    published(
        "bitrix24/offers",
        "bitrix24 catalog.product.offer.get",
        lambda: bitrix24("catalog/product/offer/catalog-product-offer-get.md", "offer"),
        variant=1,
    ),
    published(
        "bitrix24/stock",
        "bitrix24 catalog.storeproduct.list",
        lambda: bitrix24("catalog/store-product/catalog-store-product-list.md", "storeProducts"),
        stock=2,
    ),
    published(
        "bitrix24/stores",
        "bitrix24 catalog.store.get",
        lambda: bitrix24("catalog/store/catalog-store-get.md", "store"),
        location=1,
    ),
    published(
        "bitrix24/contacts",
        "bitrix24 crm.contact.get",
        lambda: bitrix24("crm/contacts/crm-contact-get.md", None),
        customer=1,
    ),
    published(
        "bitrix24/companies",
        "bitrix24 crm.company.get",
        lambda: bitrix24("crm/companies/crm-company-get.md", None),
        customer=1,
    ),
    published("woocommerce/orders", "woocommerce orders.md", lambda: woocommerce("orders.md", "line_items"), order=9),
    published(
        "woocommerce/products",
        "woocommerce products.md",
        lambda: woocommerce("products.md", "variations"),
        {NO_SKU: 7, "its variations are sold, not it": 3},
        product=10,
    ),
    published(
        "woocommerce/variations",
        "woocommerce product-variations.md",
        lambda: woocommerce("product-variations.md", "attributes"),
        {NO_SKU: 9},
    ),
    published(
        "woocommerce/customers", "woocommerce customers.md", lambda: woocommerce("customers.md", "billing"), customer=9
    ),
    published(
        "woocommerce/refunds",
        "woocommerce order-refunds.md",
        lambda: woocommerce("order-refunds.md", "line_items"),
        {"a refund of money alone": 4},
        **{"return": 1},
    ),
]
