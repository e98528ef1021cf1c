"""What vendors publish as examples of their own answers, through our mappings: without a fault, to the figure.

A pass means: agrees with what the vendor published on that date, never "works with X". Every test skips visibly where
the documents are not at hand (``tests/third_party.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
import pytest

from flows.mapping_files import PACKAGE, compile_file
from mappings.canonical import problems
from mappings.commerce.orders.balance import balance, imbalance
from mappings.commerce.orders.figures import expected_payout
from mappings.language import Mapping as MappingFile
from tests.third_party import (
    ABSENT,
    DOCUMENTS,
    SPECS,
    Published,
    amazon_sandbox,
    bigcommerce_catalog,
    bigcommerce_orders,
    bitrix24,
    shopify_pairs,
    square,
    woocommerce,
)

pytestmark = pytest.mark.skipif(not SPECS.is_dir(), reason=ABSENT)
CONTEXT = {
    "channel": "test",
    "company": {"name": "Test", "country": "KZ", "currency": "KZT", "price_list": "retail"},
    "settings": {"marketplace": "ATVPDKIKX0DER"},
    "now": "2026-01-01T00:00:00Z",
    "run": "test",
}


PARTS = {("amazon/listings", "stock")}
"""What a mapping tells a part of only (``required: false``): one figure for all places."""


class Everything(dict[tuple[str, str], str]):
    """Every reference resolves, to ``<entity>:<id>``."""

    def get(self, key: tuple[str, str], default: Any = None) -> Any:
        return self[key]

    def __missing__(self, key: tuple[str, str]) -> str:
        return f"{key[0]}:{key[1]}"


@cache
def mapping(name: str) -> MappingFile:
    return compile_file(None, PACKAGE / f"{name}.yaml")


def records(name: str, docs: list[Any]) -> dict[str, list[dict[str, Any]]]:
    """Entity → the canonical records of the documents, each valid; a fault fails the test."""
    result = mapping(name).map_inward(docs, Everything(), CONTEXT)
    assert [str(fault) for fault in result.faults] == []
    found: dict[str, list[dict[str, Any]]] = {}
    for record in result.records:
        values = msgspec.json.decode(msgspec.json.encode(record.values))
        for local in record.local:
            place: Any = values
            for step in local.path[:-1]:
                place = place[step]
            place[local.path[-1]] = f"{local.entity}:{local.id}"
        whole = (name, record.entity) not in PARTS
        assert list(problems(record.entity, values, partial=not whole)) == [], f"{record.entity} {record.id}"
        found.setdefault(record.entity, []).append({**values, "id": record.id, "keep": record.keep})
    return found


def amount(money: Any) -> Decimal:
    return Decimal(money["amount"])


def difference(order: dict[str, Any]) -> Decimal:
    """By how much the parts of an order are more than its total."""
    return amount(balance(order))


def order(name: str, where: str, number: str) -> dict[str, Any]:
    """The first of the published orders with that number."""
    docs = next(one.docs() for one in DOCUMENTS if one.mapping == name and one.where == where)
    return next(one for one in records(name, docs)["order"] if one["number"] == number)


@pytest.fixture(scope="module", autouse=True)
def table(request: pytest.FixtureRequest) -> Iterator[list[tuple[str, str, str]]]:
    """What was mapped, printed once the tests of this file are through."""
    rows: list[tuple[str, str, str]] = []
    yield rows
    reporter = request.config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None and rows:
        reporter.write_line("")
        for row in [("published document", "mapping", "gives"), *sorted(rows)]:
            reporter.write_line(f"{row[0]:58} {row[1]:23} {row[2]}")


@pytest.mark.parametrize("one", DOCUMENTS, ids=lambda one: f"{one.mapping}: {one.where}")
def test_a_published_document_gives_valid_canonical_records(one: Published, table: list[tuple[str, str, str]]) -> None:
    """P7: whatever is in a vendor's own example is understood, and what is left out is told."""
    docs = one.docs()
    assert docs
    found = records(one.mapping, docs)
    assert {entity: len(of) for entity, of in found.items()} == one.gives
    reasons = [skip.reason for skip in mapping(one.mapping).map_inward(docs, Everything(), CONTEXT).skips]
    assert {reason: reasons.count(reason) for reason in reasons} == one.skips
    told = [f"{count} {entity}" for entity, count in one.gives.items()] + [f"{n} skipped" for n in one.skips.values()]
    table.append((one.where, one.mapping, ", ".join(told)))


def test_at_least_ten_published_orders_products_and_stocks_are_mapped() -> None:
    assert len([one for one in DOCUMENTS if {"order", "product", "variant", "stock"} & set(one.gives)]) >= 10
    assert {one.mapping.split("/")[0] for one in DOCUMENTS} >= {
        "shopify",
        "square",
        "bigcommerce",
        "amazon",
        "bitrix24",
        "woocommerce",
    }


@pytest.mark.parametrize(
    "name", ["shopify/rest_orders", "square/orders", "amazon/orders", "bitrix24/orders", "woocommerce/orders"]
)
def test_the_parts_of_a_published_order_are_its_total(name: str) -> None:
    """Pain 16: discounts and taxes of lines, orders and deliveries add up to what the buyer paid."""
    found = [o for one in DOCUMENTS if one.mapping == name for o in records(name, one.docs())["order"]]
    assert {o["number"]: difference(o) for o in found if difference(o) != 0} == {}


@pytest.mark.parametrize(("name", "kinds"), [("woocommerce/orders", {"invoice"}), ("amazon/orders", {"channel"})])
def test_the_lines_the_taxes_and_the_tenders_of_a_published_order_hold_every_equation(
    name: str, kinds: set[str]
) -> None:
    """No order of theirs would be parked: lines, total and tenders agree to the minor unit.

    The tax of WooCommerce's order 728 is 2.25, that of its three lines 1.13 + 0.23 + 0.90: the order's own counts.
    """
    found = [o for one in DOCUMENTS if one.mapping == name for o in records(name, one.docs())["order"]]
    assert [imbalance(o) for o in found] == [None] * len(found)
    assert {row["kind"] for o in found for row in o["tenders"]} == kinds
    assert all(line["gross"] is not None for o in found for line in o["lines"])
    assert {row["remitted_by"] for o in found for row in o["taxes"]} == {"seller"}


def test_what_amazon_is_known_to_keep_is_an_expected_fee() -> None:
    """Points are the seller's expense; the settlement report says what else there is."""
    found = order("amazon/orders", "amazon_sp_api/models/orders_2026-01-01.json sandbox", "250-1234567-8901234")
    assert [(fee["kind"], fee["amount"]["amount"], fee["state"]) for fee in found["fees"]] == [
        ("points", "60", "estimated"), ("points", "140", "estimated")
    ]
    assert {line["fulfilled_by"] for line in found["lines"]} == {"channel"}
    assert expected_payout(found) == {"amount": "19740", "currency": "JPY"}


def test_shopify_shares_a_discount_of_the_order_over_its_lines_and_tells_what_came_back() -> None:
    found = order("shopify/rest_orders", "shopify/rest-2024-04-pairs/order.json", "#1001")
    assert (found["total"], found["payment"]) == ({"amount": "598.94", "currency": "USD"}, "part_refunded")
    assert [line["discount"]["amount"] for line in found["lines"]] == ["3.34", "3.33", "3.33"]
    assert [line["total"]["amount"] for line in found["lines"]] == ["199.64", "199.65", "199.65"]
    assert [line["sku"] for line in found["lines"]] == ["IPOD2008GREEN", "IPOD2008RED", "IPOD2008BLACK"]
    assert found["placed_at"] == "2008-01-10T16:00:00Z"
    docs = shopify_pairs("order", "order", "orders", {"line_items", "processed_at"})
    returned = records("shopify/rest_orders", docs[:1])["return"][0]
    assert returned["order"] == "order:450789469"
    assert {line["line"]: line["quantity"]["value"] for line in returned["lines"]} == {
        "703073504": "1",
        "466157049": "1",
    }


def test_shopify_keeps_the_currency_and_the_tax_of_a_buyer_abroad() -> None:
    """Pain 17."""
    docs = shopify_pairs("order", "order", "orders", {"line_items", "processed_at"})
    euros = [o for o in records("shopify/rest_orders", docs)["order"] if o["currency"] == "EUR"]
    assert [(o["total"], o["lines"][0]["quantity"]["value"], o["lines"][0]["price"]["amount"]) for o in euros] == [
        ({"amount": "238.47", "currency": "EUR"}, "3", "74.99")
    ]


def test_shopify_products_have_their_variants() -> None:
    docs = shopify_pairs("product", "product", "products", {"variants", "status"})[:1]
    found = records("shopify/rest_products", docs)
    assert [(one["code"], one["name"]) for one in found["product"]] == [("ipod-nano", "IPod Nano - 8GB")]
    assert {one["sku"] for one in found["variant"]} == {"IPOD2008PINK", "IPOD2008RED", "IPOD2008GREEN", "IPOD2008BLACK"}
    assert {one["product"] for one in found["variant"]} == {"product:632910392"}


def test_square_counts_cents() -> None:
    found = order("square/orders", "square/api.json RetrieveOrder", "CAISENgvlJ6jLWAzERDzjyHVybY")
    assert found["total"] == {"amount": "5.50", "currency": "USD"}
    assert [(line["quantity"]["value"], line["total"]["amount"]) for line in found["lines"]] == [
        ("1", "2.50"),
        ("2", "3.00"),
    ]
    assert [line["discount"]["amount"] for line in found["lines"]] == ["2.50", "3.00"]
    assert found["location"] == "location:D7AVYMEAPJ3A3"


def test_square_and_bitrix24_tell_what_may_be_sold() -> None:
    """Pain 2: the kind of a quantity is never left open."""
    counts = records("square/inventory", square("BatchRetrieveInventoryCountsResponse", "counts"))["stock"]
    assert [one["quantity"] for one in counts] == [{"value": "79", "unit": "each", "kind": "available"}]
    assert counts[0]["as_of"] == "2016-11-16T22:28:01.223000Z"
    stores = records(
        "bitrix24/stock", bitrix24("catalog/store-product/catalog-store-product-list.md", "storeProducts")
    )["stock"]
    assert {one["location"]: one["quantity"]["value"] for one in stores} == {"location:1": "54", "location:11": "14"}


def test_bigcommerce_tells_what_the_shopper_paid_in_the_currency_of_the_payment(
    table: list[tuple[str, str, str]],
) -> None:
    """Its published orders and lines belong to different orders, so that the sums cannot be compared."""
    lines = bigcommerce_orders("orderProductsCollection_Resp")
    addresses = bigcommerce_orders("orderShippingAddressCollection_Resp")
    heads = bigcommerce_orders("order_Resp") + bigcommerce_orders("orderCollection_Resp")
    found = records("bigcommerce/orders", [{**o, "products": lines, "shipping_addresses": addresses} for o in heads])[
        "order"
    ]
    assert [(o["number"], o["total"]["amount"], o["total"]["currency"]) for o in found] == [
        ("218", "69.84", "USD"),
        ("247", "1008.74", "USD"),
        ("100", "361.95", "USD"),
    ]
    assert [o["payment"] for o in found] == ["authorized", "paid", "authorized"]
    assert [amount(o["shipping"]) for o in found] == [
        Decimal("12.00") + Decimal("24.30"),
        Decimal("8.00"),
        Decimal("0.00"),
    ]
    assert [(line["sku"], line["discount"]["amount"], line["total"]["amount"]) for line in found[0]["lines"]] == [
        ("S-ORAN", "1.59", "63.64"),
        ("ABS", "0.00", "0.00"),
    ]
    assert found[0]["address"]["postcode"] == "78251"
    table.append(("bigcommerce/orders.v2.oas2.yml", "bigcommerce/orders", f"{len(found)} order"))


def test_bigcommerce_variants_are_named_by_their_options() -> None:
    docs = bigcommerce_catalog("product-variants_catalog.v3.yml", "/catalog/products/{product_id}/variants")
    found = records("bigcommerce/variants", docs)["variant"]
    assert {one["sku"]: one["options"] for one in found} == {
        "SMIT": {"Color": "Beige"},
        "SMIT-1": {"Color": "Grey"},
        "SMIT-2": {"Color": "Black"},
    }


def test_amazon_tells_yen_without_cents_and_tax_inside_the_line() -> None:
    found = {
        o["number"]: o
        for o in records("amazon/orders", amazon_sandbox("orders_2026-01-01", "order", "orders"))["order"]
    }
    yen = found["250-1234567-8901234"]
    assert yen["total"] == {"amount": "19940", "currency": "JPY"}
    assert [(line["quantity"]["value"], line["total"]["amount"]) for line in yen["lines"]] == [
        ("1", "5980"),
        ("2", "13960"),
    ]
    taxed = found["114-9876543-1234567"]
    assert (taxed["lines"][0]["price"]["amount"], taxed["lines"][0]["total"]["amount"]) == ("39.99", "49.99")
    assert {o["status"] for o in found.values()} == {"open", "shipped"}


def test_amazon_listings_keep_the_product_type_that_a_patch_needs() -> None:
    found = records("amazon/listings", amazon_sandbox("listingsItems_2021-08-01", None, "items"))["variant"]
    assert {(one["sku"], one["keep"]["product_type"], one["status"]) for one in found} == {
        ("GM-ZDPI-9B4E", "LUGGAGE", "active")
    }


def test_bitrix24_tells_delivery_apart_and_takes_the_contact_for_the_customer() -> None:
    found = order("bitrix24/orders", "bitrix24 sale.order.get", "392")
    assert (found["total"]["amount"], found["shipping"]["amount"], found["currency"]) == ("1480.00", "500.00", "USD")
    assert [(line["total"]["amount"], line["quantity"]["unit"]) for line in found["lines"]] == [("980.00", "each")]
    assert (found["customer"], found["buyer"]["name"]) == ("customer:6", "John Smith")


def test_woocommerce_reads_the_time_of_greenwich_and_adds_the_tax() -> None:
    found = order("woocommerce/orders", "woocommerce orders.md", "727")
    assert (found["placed_at"], found["total"]["amount"]) == ("2017-03-22T19:28:02Z", "29.35")
    assert [(line["variant"], line["total"]["amount"]) for line in found["lines"]] == [
        ("variant:93", "6.45"),
        ("variant:23", "12.90"),
    ]
    assert found["lines"][1]["name"] == "Ship Your Idea – Color: Black, Size: M Test"
    assert (found["customer"], found["shipping"]["amount"], found["payment"]) == (None, "10.00", "paid")
    returned = records("woocommerce/refunds", woocommerce("order-refunds.md", "line_items"))["return"]
    assert [(one["order"], one["lines"][0]["quantity"]["value"]) for one in returned] == [("order:723", "1")]


def test_woocommerce_variations_know_their_product_and_their_options() -> None:
    """None of the published ones has a SKU, so that all are skipped; with one they are variants."""
    docs = [{**doc, "sku": f"SKU-{doc['id']}"} for doc in woocommerce("product-variations.md", "attributes")]
    docs = [{**doc, "status": "publish"} for doc in docs]  # the first one says `true`, which WooCommerce never answers
    found = {one["sku"]: one for one in records("woocommerce/variations", docs)["variant"]}
    assert (found["SKU-732"]["product"], found["SKU-732"]["options"]) == ("product:22", {"Color": "Black"})
    assert found["SKU-735"]["name"] == "Blue"
