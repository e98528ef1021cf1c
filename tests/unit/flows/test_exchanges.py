"""Goods given back for others, papers of shipments, fiscal receipts: from where they happen to who wants them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deployments.cli import app
from mappings.commerce.orders.balance import balanced
from mappings.commerce.orders.refunds import money_ledger
from tests.scenario.kept import made
from tests.scenario.world import World
from tests.unit.flows.retail import again, items, live, records, take, values

CHANNELS = ("erp-kz", "shop-kz", "pos-kz")


@pytest.fixture
def bought(tmp_path: Path) -> Iterator[World]:
    """A shop's order of two kettles was sent, the desks know of it; kettles of three prices are known everywhere."""
    with made(tmp_path, two_kettles) as found:
        yield found


def two_kettles(world: World) -> None:
    for sku, price in (("KTL-1", "1000.00"), ("KTL-2", "1300.00"), ("KTL-3", "400.00")):
        world.goods(sku, on_hand=10, price=price)
    live(world, *CHANNELS)
    live(world, *CHANNELS)
    placed = world.buy("shop", {"KTL-1": 2})
    again(world, *CHANNELS)
    world.people.ship(source_number=placed.number)
    for _ in range(3):
        again(world, *CHANNELS)


def docs(world: World, system: str, resource: str) -> list[dict[str, Any]]:
    return [dict(doc) for doc in world.sandbox.systems[system].docs(resource)]


def owed(world: World, number: str) -> Decimal:
    """What is still owed of an order, either way."""
    record = records(world.house, "order")[number]
    returns = [one.values for one in records(world.house, "return").values() if one.values["order"] == record.uid]
    ledger = money_ledger(record.values, [one.values for one in records(world.house, "shipment").values()
                                          if one.values["order"] == record.uid], returns)
    return Decimal(ledger.owed.numerator) / ledger.owed.denominator


def test_an_exchange_is_a_return_and_an_order_that_name_each_other_and_every_cent_is_somewhere(bought: World) -> None:
    """What comes back pays what leaves, the difference is tendered; the ERP gets both, with their fiscal receipts, the
    shop the goods and what its own tenders gave back."""
    world, number = bought, bought.placed["shop"][0].number
    dearer = world.people.exchange("almaty-1", {"1": 1}, {"KTL-2": 1}, number=number, tender="CASH")["id"]
    cheaper = world.people.exchange("almaty-1", {"1": 1}, {"KTL-3": 1}, number=number)["id"]
    for _ in range(3):
        again(world, *CHANNELS)
    orders, returns = records(world.house, "order"), records(world.house, "return")
    (erp,) = [one for one in docs(world, "erp", "orders") if one["source_number"] == number]
    for id, paid, given in (
        (dearer, [("exchange", "1000.00"), ("cash", "300.00")], [(None, "1000.00")]),
        (cheaper, [("exchange", "400.00")], [(None, "400.00"), ("1", "600.00")]),
    ):
        old, new, back = orders[number], orders[id], returns[id]
        assert (back.values["order"], back.values["exchange"], new.values["exchange_of"]) == (old.uid, new.uid, old.uid)
        assert [(row["kind"], row["amount"]["amount"]) for row in new.values["tenders"]] == paid
        assert [(row.get("tender"), row["amount"]["amount"]) for row in back.values["refunds"]] == given
        assert balanced(new.values)
        (sale,) = [one for one in docs(world, "erp", "orders") if one["source_number"] == id]
        (taken,) = [one for one in docs(world, "erp", "returns") if one["exchange"] == sale["number"]]
        assert (sale["replaces"], taken["order"]) == (erp["number"], erp["number"])
        assert [(one["payment"], one["amount"]) for one in taken["refunds"]] == given
        assert [(one["kind"], one["amount"]) for one in sale["payments"]] == paid
        (issued,) = dict(world.sandbox.systems["pos"].get("exchanges", id))["fiscal"]
        for kept in (sale, taken):
            assert [(one["number"], one["url"]) for one in kept["fiscal"]] == [(issued["number"], issued["url"])]
        assert owed(world, id) == 0
    assert owed(world, number) == 0
    refunds = docs(world, "shop", "refunds")
    assert [line["quantity"] for one in refunds for line in one["lines"]] == [1, 1]
    assert [payment["amountMinor"] for one in refunds for payment in one["payments"]] == [60000]
    assert items(world.house, "parked") == []
    said = shown(world, number)
    assert f"exchange {dearer}, for order {dearer}: 1000.00 KZT pays the goods taken in exchange" in said
    assert f"exchange {cheaper}, for order {cheaper}: 400.00 KZT pays the goods taken in exchange, 600.00" in said
    assert f"exchange {dearer}, of order {number}: " in shown(world, dearer)


def test_an_exchange_whose_two_halves_do_not_fit_is_parked_with_the_difference(bought: World) -> None:
    """No order is adjusted in silence: what was given back covers what was taken, to the minor unit."""
    world = bought
    receipt = world.people.sell_at_till("almaty-1", {"KTL-1": 1})
    again(world, *CHANNELS)
    doc = world.people.exchange("almaty-1", {"1": 1}, {"KTL-2": 1}, receipt=receipt.id)
    world.sandbox.systems["pos"].tables["exchanges"].rows.clear()      # only the documents below are read
    short = {**doc, "refunds": [{"n": 1, "sum": Decimal("999.99")}]}
    ledger = take(world, "pos-kz", "exchanges", [short], world.house.registry.now())
    assert ledger.counts[("return", "parked")] == 1
    (row,) = items(world.house, "parked")
    assert (row.entity, row.path) == ("return", "$.refunds")
    assert "999.99 KZT of the goods given back pay the new ones" in row.message
    assert "was paid 1000.00 KZT by them" in row.message
    assert records(world.house, "return") == {}
    take(world, "pos-kz", "exchanges", [doc], world.house.registry.now())
    assert items(world.house, "parked") == []
    assert owed(world, receipt.id) == owed(world, doc["id"]) == 0
    assert values(world.house, "return", doc["id"])["exchange"] == records(world.house, "order")[doc["id"]].uid


def test_papers_of_a_shipment_stand_in_the_shop_beside_its_tracking_number(bought: World) -> None:
    """Label and waybill of the ERP, in the record and in the shop; what a till issued is shown with its receipt."""
    world = bought
    (sent,) = docs(world, "erp", "shipments")
    (shown_there,) = docs(world, "shop", "fulfilments")
    label, waybill = sent["documents"]
    assert shown_there["trackingNumber"] == sent["tracking"]
    assert shown_there["documents"] == [
        {"kind": "LABEL", "number": None, "url": label["url"]},
        {"kind": "WAYBILL", "number": waybill["number"], "url": None},
    ]
    (kept,) = [one.values for one in records(world.house, "shipment").values()]
    assert [(one["kind"], one["number"], one["url"]) for one in kept["documents"]] == [
        ("label", None, label["url"]), ("waybill", waybill["number"], None)
    ]
    receipt = world.people.sell_at_till("almaty-1", {"KTL-2": 1})
    again(world, "pos-kz")
    (issued,) = values(world.house, "order", receipt.id)["fiscal"]
    assert f"fiscal receipt {issued['number']}" in shown(world, receipt.id)
    assert f"waybill {waybill['number']}" in shown(world, world.placed["shop"][0].number)


def shown(world: World, number: str) -> str:
    """What `serai order show` prints."""
    done = CliRunner().invoke(app, ["order", "show", number, "--project", str(world.folder / "project")],
                              env={"SERAI_REGISTRY": world.url})
    assert done.exit_code == 0, done.output
    return done.output
