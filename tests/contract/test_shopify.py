"""What Shopify does to a connector, in front of the simulated shop over HTTP: comparing, points, late news, edits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from connectors import graphql
from connectors.base import Write
from connectors.errors import Misconfigured, RetryLater
from connectors.shopify import Shopify
from deployments.sandbox.shopify import orders
from deployments.sandbox.shopify.api import Bucket
from deployments.sandbox.shopify.server import Running, empty, start
from deployments.sandbox.shopify.state import Shop
from flows.mapping_files import PACKAGE, compile_file
from mappings.commerce.orders.balance import imbalance
from tests.contract.harness import ports_with
from tests.listening import listening

PLACE = "gid://shopify/Location/4"


@pytest.fixture
def running() -> Iterator[Running]:
    """A shop with three articles at one place, ten pieces each, that serves and notifies."""
    found = start(filled(empty()))
    yield found
    found.stop()


def filled(shop: Shop) -> Shop:
    """One place and three articles."""
    place = {"legacyResourceId": "4", "name": "Almaty", "isActive": True, "fulfillsOnlineOrders": True, "address": {}}
    shop.opening = datetime.now(UTC) - timedelta(days=1)
    shop.put(PLACE, place)
    for number in range(3):
        product = shop.product({"title": f"Kettle {number}", "handle": f"kettle-{number}"})
        (variant,) = shop.variants_of(product["id"])
        made = shop.variant(product["id"], {"sku": f"K{number}", "price": "1160.00"}, id=variant["id"])
        shop.stock(made["item"], PLACE, available=10, why="opening")
    shop.opening = None
    return shop


def connect(running: Running, **given: Any) -> Shopify:
    secrets = given.pop("secrets", {"token": running.token, "hook_secret": running.hook_secret})
    options = {"secrets": {name: f"env:{name}" for name in secrets}}
    return Shopify(channel="shop-kz", url=running.url, options=options, ports=ports_with(secrets), **given)


def stock(running: Running, sku: str) -> int:
    level = running.shop.level(running.shop.of_sku(sku)["item"], PLACE)
    assert level is not None
    return level.available


def row(running: Running, sku: str, quantity: int, expected: str | None) -> Write:
    item = running.shop.of_sku(sku)["item"]
    doc = {"inventoryItemId": item, "locationId": PLACE, "quantity": quantity}
    return Write(key=f"{sku}-{quantity}-{expected}", op="update", id=f"{item}@{PLACE}", doc=doc, expected=expected)


def test_a_sale_that_came_between_is_never_overwritten_and_stops_no_other_row(running: Running) -> None:
    """P1, P6: of a batch that Shopify refuses as a whole only the stale row is left, and it says that it is stale."""
    orders.place(running.shop, {"lines": [{"sku": "K1", "quantity": 4}], "place": PLACE})
    writes = [row(running, "K0", 5, "10"), row(running, "K1", 7, "10"), row(running, "K2", 0, None)]
    receipts = list(connect(running).write("inventory", writes))
    assert [(r.outcome, r.stale) for r in receipts] == [("applied", False), ("rejected", True), ("applied", False)]
    assert [stock(running, sku) for sku in ("K0", "K1", "K2")] == [5, 6, 0]
    held = connect(running).fetch("inventory", [str(writes[1].id)])[str(writes[1].id)]
    assert held is not None
    assert held["available"] == 6


def test_a_figure_where_somebody_else_has_begun_to_keep_the_item_is_set_all_the_same(running: Running) -> None:
    """P1, P2: what was to be switched on is on already; it is set, once, under a key of its own."""
    write = row(running, "K0", 4, None)
    write = structs.replace(write, op="create", id=None)
    connector = connect(running)
    assert [receipt.outcome for receipt in connector.write("inventory", [write])] == ["applied"]
    assert stock(running, "K0") == 4
    orders.place(running.shop, {"lines": [{"sku": "K0", "quantity": 1}], "place": PLACE})
    assert [receipt.outcome for receipt in connector.write("inventory", [write])] == ["applied"]
    assert stock(running, "K0") == 3


def test_a_write_whose_answer_was_lost_is_not_done_twice(running: Running) -> None:
    """P2, P3: the same key again gives the same answer, whatever was sold in between."""
    running.faults.command({"fault": "lose_answer", "next": 1})
    connector, write = connect(running), row(running, "K0", 8, "10")
    (first,) = connector.write("inventory", [write])
    assert first.outcome == "unknown"
    orders.place(running.shop, {"lines": [{"sku": "K0", "quantity": 1}], "place": PLACE})
    (again,) = connector.write("inventory", [write])
    assert again.outcome == "applied"
    assert stock(running, "K0") == 7


def test_too_dear_a_shop_is_waited_for_as_long_as_its_points_need() -> None:
    """P14: (requested − available) / restore rate, and the account's other workers are told."""
    told: list[float] = []
    clock = [0.0]
    found = start(filled(empty()), bucket=Bucket(maximum=900.0, restore=100.0, clock=lambda: clock[0]))
    try:
        connector = connect(found)
        budget: Any = connector.ports.budget
        budget.refused = lambda after, bucket="": told.append(after)
        found.api.bucket.level = 3.0  # one of them for how many there are
        with pytest.raises(RetryLater) as caught:
            next(iter(connector.read("variants")))
        assert caught.value.after == pytest.approx((502 - 2) / 100)
        assert told == [caught.value.after]
        clock[0] += caught.value.after + 0.01  # and the point for how many there are
        assert len(next(iter(connector.read("variants"))).docs) == 3
        assert found.api.bucket.refusals == 1
    finally:
        found.stop()


def test_a_question_that_is_dearer_than_published_is_paid_for_in_full_from_then_on(running: Running) -> None:
    """P14: what it asks is taken from the account's points before it is sent, however many ids go with it."""
    connector, taken = connect(running), list[float]()
    budget: Any = connector.ports.budget
    budget.take = lambda n, lane, bucket="": taken.append(n)
    ids = [f"gid://shopify/ProductVariant/{1001 + n}" for n in range(50)]
    connector.fetch("variants", ids[:1])
    connector.fetch("variants", ids)
    assert taken == [4.0, 200.0]
    asked = running.api._answered

    def dearer(*given: Any) -> Any:
        answer = asked(*given)
        answer["extensions"]["cost"]["requestedQueryCost"] *= 1.5
        return answer

    running.api._answered = dearer  # type: ignore[method-assign]  # Shopify counts otherwise than it publishes
    connector.fetch("variants", ids)
    connector.fetch("variants", ids[:1])
    assert taken[2:] == [200.0, 6.0]


def test_a_question_that_is_too_dear_at_any_time_is_a_setting_to_lower(running: Running) -> None:
    """Nothing is tried again: it would never be answered."""
    lines = "lineItems(first: 250) { nodes { id } }"
    dear = graphql.Operation(name="dear", text=f"query dear {{ orders(first: 100) {{ nodes {{ {lines} }} }} }}")
    with pytest.raises(Misconfigured, match="lower `page_size`"):
        connect(running)._graph.question(dear, {})


def test_a_change_that_the_search_has_not_heard_of_is_found_by_the_next_read() -> None:
    """P1: the index lags, the window overlaps."""
    found = start(filled(empty()))
    try:
        connector = connect(found)
        clock: Any = connector.ports.clock
        clock.at = datetime.now(UTC)
        product, *_, newest = found.shop.table("Product")
        found.shop.product({}, id=newest)
        (page,) = connector.read("products")
        found.shop.index_lag = 30.0
        found.shop.product({"title": "Renamed"}, id=product)
        (after,) = connector.read("products", page.cursor)
        assert "Renamed" not in [doc["title"] for doc in after.docs]
        found.shop.index_lag = 0.0
        (later,) = connector.read("products", after.cursor)
        assert "Renamed" in [doc["title"] for doc in later.docs]
    finally:
        found.stop()


def test_news_of_an_order_are_signed_and_a_repetition_is_known_by_its_body(running: Running) -> None:
    """P2, P13: also when it comes twice and late; whoever has no secret is refused."""
    with listening() as ear:
        connector = connect(running)
        for _ in range(2):
            connector.subscribe(f"{ear.url}/hooks/shop-kz")
        running.faults.command({"fault": "duplicate", "on": "/orders/create"})
        order = orders.place(running.shop, {"lines": [{"sku": "K0", "quantity": 1}], "place": PLACE})
        assert running.hooks.settled(10)
        notices = [notice for request in ear.heard for notice in connector.receive(request).notices]
        of_order = [notice for notice in notices if notice.resource == "orders"]
        assert {notice.id for notice in of_order} == {order["id"]}
        assert len(of_order) == 2
        assert len({notice.delivery for notice in of_order}) == 1
        item = running.shop.of_sku("K0")["item"]
        assert f"{item}@{PLACE}" in [notice.id for notice in notices if notice.resource == "inventory"]


def test_orders_of_a_shop_add_up_with_tax_on_top_and_contained(running: Running) -> None:
    """P7: discounts, delivery, several tenders, edits and refunds, through connector and mapping, to the last unit."""
    mapping = compile_file(None, PACKAGE / "shopify" / "orders.yaml")
    shop = running.shop
    for contained in (True, False):
        shop.tax_included = contained
        lines = [{"sku": "K0", "quantity": 3, "discount": "100"}, {"sku": "K1", "quantity": 1}]
        tenders = [{"gateway": "gift_card", "amount": "500"}]
        order = orders.place(
            shop, {"lines": lines, "place": PLACE, "shipping": "1000", "tenders": tenders, "code": "S"}
        )
        due = order["totalPriceSet"]["shopMoney"]["amount"]
        rest = orders._payment(shop, {"gateway": "shopify_payments", "amount": str(float(due) - 500)})
        shop.put(order["id"], {"payments": [*order["payments"], rest]})
        orders.edit(shop, {"id": order["id"], "sku": "K0", "quantity": 2})
        orders.refund(shop, {"id": order["id"], "lines": [{"sku": "K0", "quantity": 1}]})
    docs = [doc for page in connect(running).read("orders") for doc in page.docs]
    company = {"name": "Karavan", "country": "KZ", "currency": "KZT"}
    context = {"channel": "shop-kz", "company": company, "settings": {}, "now": "2026-03-01T00:00:00Z", "run": "1"}
    refs = {("variant", shop.of_sku(sku)["id"]): sku for sku in ("K0", "K1")} | {("location", PLACE): "almaty"}
    refs |= {("order", doc["id"]): doc["id"] for doc in docs}
    result = mapping.map_inward(docs, refs, context)
    records, faults = result.records, result.faults
    assert [str(fault) for fault in faults] == []
    found = [record.values for record in records if record.entity == "order"]
    assert len(found) == 2
    assert [imbalance(values) for values in found] == [None, None]
    assert [values["lines"][0]["cancelled"]["value"] for values in found] == ["1", "1"]
    assert [values["payment"] for values in found] == ["part_refunded", "part_refunded"]


def test_goods_that_came_back_for_other_goods_or_none_are_returns_once_they_are_closed(running: Running) -> None:
    """P1: what a refund does not tell; as many lines and returns as an order has, each once, and by id."""
    mapping = compile_file(None, PACKAGE / "shopify" / "returns.yaml")
    shop, connector = running.shop, connect(running)
    lines = [{"sku": f"K{n % 3}", "quantity": 4} for n in range(7)]
    for n in range(3):
        shop.stock(shop.of_sku(f"K{n}")["item"], PLACE, available=90)
    order = orders.place(shop, {"lines": lines, "place": PLACE})
    list(connector.write("shipments", [Write(key="s", op="create", doc={"orderId": order["id"]})]))
    orders.take_in(shop, {"id": order["id"], "lines": [{"sku": "K0", "quantity": 1}], "closed": False})
    orders.take_in(shop, {"id": order["id"], "lines": lines[:6], "exchange": True})
    orders.take_in(shop, {"id": order["id"], "lines": lines[:1]})
    docs = [doc for page in connector.read("returns") for doc in page.docs]
    assert [(doc["status"], len(doc["returnLineItems"]["nodes"])) for doc in docs] == [
        ("OPEN", 1), ("CLOSED", 6), ("CLOSED", 1)
    ]  # fmt: skip
    by_id = connector.fetch("returns", [str(doc["id"]) for doc in docs])
    assert [{**(doc or {}), "updatedAt": docs[0]["updatedAt"]} for doc in by_id.values()] == docs
    context = {"channel": "shop-kz", "company": {}, "settings": {}, "now": "2026-03-01T00:00:00Z", "run": "1"}
    result = mapping.map_inward(docs, {("order", order["id"]): "o1"}, context)
    assert [str(fault) for fault in result.faults] == []
    assert [(r.values["kind"], r.values["number"], len(r.values["lines"])) for r in result.records] == [
        ("exchange", f"{order['name']}-R2", 6), ("return", f"{order['name']}-R3", 1)
    ]  # fmt: skip


def test_an_app_gets_its_token_of_a_day_and_a_missing_right_is_named(running: Running) -> None:
    """P13: by client id and secret, stored before it is used; `serai check` reads what was granted."""
    secrets = {"client_id": "app", "client_secret": running.hook_secret, "hook_secret": running.hook_secret}
    connector = connect(running, secrets=secrets)
    connector.check()
    assert connector.ports.tokens.load()[1]["access_token"] == running.token
    assert {"read_orders", "write_inventory"} <= connector.granted()
    running.api.tokens = {running.token: frozenset({"read_products"})}
    with pytest.raises(Misconfigured, match="scope `read_orders` is missing"):
        next(iter(connector.read("orders")))


def test_what_is_left_of_an_order_is_sent_once_whatever_is_tried_again(running: Running) -> None:
    """P2: nothing of ours can be stored on a fulfilment; it is known by its number."""
    order = orders.place(running.shop, {"lines": [{"sku": "K0", "quantity": 2}], "place": PLACE})
    connector = connect(running)
    write = Write(key="s", op="create", doc={"orderId": order["id"], "tracking": {"number": "KZ1", "company": None}})
    (first,) = connector.write("shipments", [write])
    (again,) = connector.write("shipments", [Write(key="s", op="create", doc=write.doc, attempt=2)])
    assert (first.outcome, again.outcome, again.id) == ("applied", "applied", first.id)
    (other,) = connector.write("shipments", [Write(key="t", op="create", doc={"orderId": order["id"]})])
    assert other.outcome == "rejected"
    assert "nothing of the order is left" in other.detail
    assert len(running.shop.table("Fulfillment")) == 1
