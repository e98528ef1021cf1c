"""Orders through accept and push: what is parked, what goes on, what is edited, by which numbers they are found."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from flows import steps
from flows.finding import find
from flows.wiring import House
from mappings.commerce.orders.figures import FeeRule, OrderPolicy
from registry import put_bindings, reserved
from tests.scenario.world import World
from tests.unit.flows.retail import again, binding, items, live, outbox, records, take, values


def held(house: House, sku: str) -> Decimal:
    """Units of an article that are promised."""
    uid = records(house, "variant")[sku].uid
    with house.registry.read() as tx:
        return sum((row[2] for row in reserved(tx, [uid])[uid]), Decimal(0))


def native(world: World, system: str, resource: str, id: str) -> dict[str, Any]:
    return dict(world.sandbox.systems[system].get(resource, id))


def sales(world: World) -> list[dict[str, Any]]:
    return [dict(doc) for doc in world.sandbox.systems["erp"].docs("orders")]


def now(world: World) -> Any:
    return world.house.registry.now()


def test_an_order_that_does_not_add_up_keeps_its_goods_and_goes_nowhere(kettles_on_each: World) -> None:
    """Parked with path, figures and remedy; what it names is reserved; nothing is adjusted."""
    world = kettles_on_each
    placed = world.buy("shop", {"KTL-1": 2})
    doc = native(world, "shop", "orders", placed.id)
    steps.pull(world.house, "shop-kz", "customers")
    wrong = {**doc, "totalMinor": doc["totalMinor"] + 1}
    ledger = take(world, "shop-kz", "orders", [wrong], now(world))
    assert ledger.counts[("order", "parked")] == 1
    (row,) = items(world.house, "parked", channel="shop-kz")
    assert (row.rule, row.path) == ("balance", "$.total")
    assert "0.01 KZT" in row.message
    assert "serai replay" in str(row.remedy)
    assert held(world.house, "KTL-1") == 2
    steps.push_all(world.house)
    assert sales(world) == []
    assert outbox(world.house)["erp-kz order waiting"] == 1
    take(world, "shop-kz", "orders", [wrong], now(world))
    assert len(items(world.house, "parked", channel="shop-kz")) == 1
    live(world, "erp-kz", "shop-kz")
    assert items(world.house, channel="shop-kz") == []
    assert [sale["source_number"] for sale in sales(world)] == [placed.number]
    assert held(world.house, "KTL-1") == 2


def test_an_unknown_article_parks_the_order_and_the_rest_of_it_is_reserved(kettles_on_each: World) -> None:
    """A person binds the listing; then the whole order goes on by itself."""
    world = kettles_on_each
    placed = world.buy("shop", {"KTL-1": 2})
    doc = native(world, "shop", "orders", placed.id)
    ghost = {**doc["lines"][0], "id": "9", "variantId": "99999", "sku": "GHOST"}
    total = doc["totalMinor"] + ghost["totalMinor"]
    tenders = [{**doc["tenders"][0], "amountMinor": total}]
    both = {**doc, "lines": [*doc["lines"], ghost], "totalMinor": total, "tenders": tenders}
    steps.pull(world.house, "shop-kz", "customers")
    ledger = take(world, "shop-kz", "orders", [both], now(world))
    assert ledger.counts[("order", "parked")] == 1
    (row,) = items(world.house, "parked", channel="shop-kz")
    assert "serai match bind shop-kz 99999" in str(row.remedy)
    assert held(world.house, "KTL-1") == 2
    lines = values(world.house, "order", placed.number)["lines"]
    assert [line.get("variant") is None for line in lines] == [False, True]
    steps.push_all(world.house)
    assert sales(world) == []
    assert outbox(world.house)["erp-kz order waiting"] == 1
    take(world, "shop-kz", "orders", [both], now(world))
    assert len(items(world.house, "parked", channel="shop-kz")) == 1
    live(world, "erp-kz", "shop-kz")      # the shop's own document knows no such line
    assert items(world.house, channel="shop-kz") == []
    assert len(sales(world)) == 1


def test_an_offer_keeps_its_goods_and_must_not_ship_until_it_is_signed(kettles_on_each: World) -> None:
    """A credit of a bank: a shipment of it is a person's; after the signature the same document is taken."""
    world = kettles_on_each
    placed = world.people.buy_in_shop(
        {"KTL-1": 1}, email="a@example.kz", name="Ann Kim", pay="INSTALMENT", sign_within=600
    )
    again(world, "shop-kz", "erp-kz")
    assert values(world.house, "order", placed.number)["status"] == "offered"
    assert held(world.house, "KTL-1") == 1
    left = {"id": "77", "orderId": placed.id, "trackingCompany": "Kazpost", "trackingNumber": "KZ1",
            "status": "SHIPPED", "reference": None, "shippedAt": "2026-03-02T05:00:00Z",
            "lines": [{"id": "1", "orderLineId": "1", "quantity": 1}]}
    ledger = take(world, "shop-kz", "fulfilments", [left], now(world))
    assert ledger.counts == {("shipment", "parked"): 1}
    (row,) = items(world.house, "parked", channel="shop-kz")
    assert (row.entity, row.rule) == ("shipment", "move")
    assert "offer" in row.message
    assert records(world.house, "shipment") == {}
    world.people.sign(placed.id)
    again(world, "shop-kz", "erp-kz")
    assert values(world.house, "order", placed.number)["status"] in ("open", "confirmed")
    ledger = take(world, "shop-kz", "fulfilments", [left], now(world))
    assert ledger.total("created") == 1
    assert items(world.house, "parked", channel="shop-kz") == []


def test_more_than_was_ordered_does_not_leave_nor_come_back(kettles: World) -> None:
    """The second shipment of the same goods, the return of three of two, the refund of more than was paid."""
    world = kettles
    placed = world.buy("shop", {"KTL-1": 2})
    again(world, "shop-kz", "erp-kz")
    sent = {"orderId": placed.id, "trackingCompany": "Kazpost", "trackingNumber": "KZ1", "status": "SHIPPED",
            "reference": None, "shippedAt": "2026-03-02T05:00:00Z",
            "lines": [{"id": "1", "orderLineId": "1", "quantity": 2}]}
    assert take(world, "shop-kz", "fulfilments", [{**sent, "id": "77"}], now(world)).total("created") == 1
    assert take(world, "shop-kz", "fulfilments", [{**sent, "id": "78"}], now(world)).total("parked") == 1
    (row,) = items(world.house, "parked", channel="shop-kz")
    assert "4 each handed over" in row.message
    assert take(world, "shop-kz", "fulfilments", [{**sent, "id": "77"}], now(world)).total("unchanged") == 1


def test_an_order_cancelled_after_its_goods_left_is_shipped_and_a_person_hears_of_it(kettles_on_each: World) -> None:
    """Once they left it is a return; nobody finds out by himself that a refunded buyer gets a parcel."""
    world = kettles_on_each
    placed = world.buy("shop", {"KTL-1": 1})
    again(world, "shop-kz", "erp-kz")
    doc = native(world, "shop", "orders", placed.id)
    world.people.ship(source_number=placed.number)
    again(world, "erp-kz")
    gone = {**doc, "status": "CANCELLED", "financialStatus": "REFUNDED"}
    ledger = take(world, "shop-kz", "orders", [gone], now(world))
    assert ledger.total("parked") == 1
    assert values(world.house, "order", placed.number)["status"] == "shipped"
    (row,) = items(world.house, "parked", channel="shop-kz")
    assert row.rule == "move"
    assert "cancelled order was shipped" in row.message


def test_an_edit_after_import_is_raised_where_the_receiver_takes_none(kettles_on_each: World) -> None:
    """One interval: the ERP keeps the lines of a sale, so a person hears what was edited, in figures."""
    world = kettles_on_each
    placed = world.buy("shop", {"KTL-1": 1})
    again(world, "shop-kz", "erp-kz")
    doc = native(world, "shop", "orders", placed.id)
    line, price = doc["lines"][0], doc["lines"][0]["unitPriceMinor"]
    world.people.edit("shop", "orders", placed.id, {
        "lines": [{**line, "quantity": 2, "totalMinor": 2 * price}], "totalMinor": doc["totalMinor"] + price,
        "tenders": [{**doc["tenders"][0], "amountMinor": doc["totalMinor"] + price}],
    })
    again(world, "shop-kz", "erp-kz")
    (found,) = find(world.house, placed.number)
    assert "quantity of 1: 1 each → 2 each" in [edit.detail for edit in found.edits]
    (row,) = items(world.house, "parked", channel="erp-kz")
    assert (row.entity, row.direction) == ("order", "outward")
    assert held(world.house, "KTL-1") == 2


def two_instead_of_one(world: World) -> None:
    """An order of one kettle becomes one of two after the ERP has it."""
    placed = world.buy("shop", {"KTL-1": 1})
    again(world, "shop-kz", "erp-kz")
    doc = native(world, "shop", "orders", placed.id)
    line, price = doc["lines"][0], doc["lines"][0]["unitPriceMinor"]
    world.people.edit("shop", "orders", placed.id, {
        "lines": [{**line, "quantity": 2, "totalMinor": 2 * price}], "totalMinor": doc["totalMinor"] + price,
        "tenders": [{**doc["tenders"][0], "amountMinor": doc["totalMinor"] + price}],
    })


@pytest.mark.parametrize("answers", [True, False])
def test_an_edit_that_the_receiver_takes_and_ignores_is_raised_at_once(kettles: World, answers: bool) -> None:
    """Typed changes are applied downstream or raised within one interval: by the answer, or by the next read."""
    world = kettles
    if not answers:
        forgetful(world)
    two_instead_of_one(world)
    world.people.temper("erp", "ignore", on="/orders", next=9)
    again(world, "shop-kz", "erp-kz")
    if not answers:
        assert items(world.house, "parked", channel="erp-kz") == []
        again(world, "shop-kz", "erp-kz")
    (row,) = items(world.house, "parked", channel="erp-kz")
    assert (row.rule, row.direction) == ("ignored", "outward")
    assert "line 1 quantity: 2 here, 1 there" in row.message
    assert "by hand" in str(row.remedy)
    again(world, "shop-kz", "erp-kz")
    assert [one.uid for one in items(world.house, "parked", channel="erp-kz")] == [row.uid]
    world.people.calm("erp")
    (sale,) = sales(world)
    line = {**sale["lines"][0], "qty": "2.000", "sum": f"{2 * Decimal(sale['lines'][0]['sum'])}"}
    world.people.edit("erp", "orders", sale["number"], {"lines": [line], "total": line["sum"]})
    again(world, "shop-kz", "erp-kz")
    assert items(world.house, "parked", channel="erp-kz") == []


def test_a_cancellation_and_an_address_that_the_receiver_ignores_are_raised_at_once(kettles: World) -> None:
    world = kettles
    address = {"address1": "Abay 1", "city": "Almaty", "zip": "050000", "countryCode": "KZ"}
    moved, dropped = world.buy("shop", {"KTL-1": 1}), world.buy("shop", {"KTL-1": 1})
    world.people.edit("shop", "orders", moved.id, {"shippingAddress": address})
    again(world, "shop-kz", "erp-kz")
    assert items(world.house, "parked", channel="erp-kz") == []
    world.people.edit("shop", "orders", moved.id, {"shippingAddress": {**address, "address1": "Dostyk 5"}})
    world.people.cancel_in_shop(dropped.id)
    world.people.temper("erp", "ignore", on="/orders", next=9)
    again(world, "shop-kz", "erp-kz")
    said = {row.message.partition("shows: ")[2] for row in items(world.house, "parked", channel="erp-kz")}
    assert said == {"address: as it was there before", "status: cancelled here, open there"}
    assert not any("Dostyk" in row.message for row in items(world.house, "parked"))


def forgetful(world: World) -> None:
    """The ERP answers writes of orders without the document."""
    project = world.desk.project
    description = deepcopy(dict(project.channels["erp-kz"].description or {}))
    description["resources"]["orders"]["returns_doc"] = False
    erp = replace(project.channels["erp-kz"], description=description)
    world.desk.project = replace(project, channels={**project.channels, "erp-kz": erp})
    world.restart()


def test_the_nightly_comparison_finds_what_was_changed_behind_our_back(kettles_on_each: World) -> None:
    """Another total before our write was read back is no edit and no event: only comparing tells (P3)."""
    world = kettles_on_each
    placed = world.buy("shop", {"KTL-1": 1})
    again(world, "shop-kz", "erp-kz")
    (sale,) = sales(world)
    right = {"lines": sale["lines"], "total": sale["total"]}
    told = binding(world.house, "erp-kz", "order", sale["number"])
    world.registry.attempt(lambda tx: put_bindings(tx, [told.row(pending=True)]))   # as if it had answered nothing
    wrong = [{**sale["lines"][0], "sum": "1.00"}]
    world.people.edit("erp", "orders", sale["number"], {"lines": wrong, "total": "1.00"})
    ledger = steps.reconcile(world.house, "erp-kz", "orders")
    assert ["1 KZT there" in fault for fault in ledger.faults] == [True, True]     # by the read itself, and by night
    assert placed.number in ledger.faults[-1]
    (row,) = items(world.house, "parked", channel="erp-kz")
    assert "1 KZT there" in row.message
    steps.push_all(world.house)
    world.people.edit("erp", "orders", sale["number"], right)
    steps.reconcile(world.house, "erp-kz", "orders")
    steps.push_all(world.house)
    steps.reconcile(world.house, "erp-kz", "orders")
    assert items(world.house, "parked", channel="erp-kz") == []
    assert not any(what.startswith("erp-kz order") for what in outbox(world.house))


def test_the_same_number_of_two_shops_names_two_orders(retail_on_each: World) -> None:
    """`#1001` of two shops never meet; each is found with the channel that calls it so."""
    world = retail_on_each
    world.goods("KTL-1", on_hand=10)
    live(world, "erp-kz", "shop-kz", "market-kz")
    first, second = world.buy("shop", {"KTL-1": 1}), world.buy("market", {"KTL-1": 1})
    steps.pull(world.house, "shop-kz", "customers")
    steps.pull(world.house, "market-kz", "buyers")
    take(world, "shop-kz", "orders", [{**native(world, "shop", "orders", first.id), "number": "1001"}], now(world))
    sold = {**native(world, "market", "orders", second.id), "orderId": "1001"}
    take(world, "market-kz", "orders", [sold], now(world))
    found = find(world.house, "1001")
    called = sorted(name for one in found for name in one.called)
    assert called == ["market-kz: id", "market-kz: number", "shop-kz: number"]
    assert len({one.uid for one in found}) == 2
    assert find(world.house, "no such number") == []
    again(world, "shop-kz", "erp-kz")
    erp = next(sale["number"] for sale in sales(world) if sale["source_number"] == first.number)
    (one,) = find(world.house, erp)
    assert one.at["erp-kz"] == erp


def test_the_fee_of_a_channel_is_expected_from_the_start_and_settled_by_its_report(retail: World) -> None:
    """Buyer's price, seller's price and payout are three figures; a later policy changes no old order."""
    world = retail
    world.goods("KTL-1", on_hand=10, price="1000.00")
    live(world, "erp-kz", "shop-kz")
    rule = OrderPolicy(fees=(FeeRule(kind="commission", rate=Decimal("0.125")),))
    project = world.house.project
    world.house.project = replace(project, orders={"shop-kz": rule})
    placed = world.buy("shop", {"KTL-1": 1})
    again(world, "shop-kz", "erp-kz")
    world.house.project = replace(project, orders={})
    doc = native(world, "shop", "orders", placed.id)
    take(world, "shop-kz", "orders", [{**doc, "financialStatus": "REFUNDED"}], now(world))
    order = values(world.house, "order", placed.number)
    (fee,) = order["fees"]
    assert fee["state"] == "estimated"
    (found,) = find(world.house, placed.number)
    assert Decimal(found.row()["payout"]["amount"]) == placed.total - Decimal(fee["amount"]["amount"])
    assert Decimal(fee["amount"]["amount"]) == placed.total / 8
