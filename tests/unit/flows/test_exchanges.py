"""Goods given back for others, papers of shipments, fiscal receipts: from where they happen to who wants them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner

from deployments.cli import app
from mappings.commerce.orders.balance import balanced
from mappings.commerce.orders.refunds import money_ledger
from tests.scenario.world import World
from tests.unit.flows.retail import again, binding, items, live, records, take, values

CHANNELS = ("erp-kz", "shop-kz", "pos-kz")


def stocked(world: World) -> World:
    """Kettles of 1,000.00, 1,300.00 and 400.00, known everywhere."""
    for sku, price in (("KTL-1", "1000.00"), ("KTL-2", "1300.00"), ("KTL-3", "400.00")):
        world.goods(sku, on_hand=10, price=price)
    live(world, *CHANNELS)
    live(world, *CHANNELS)
    return world


def docs(world: World, system: str, resource: str) -> list[dict[str, Any]]:
    return [dict(doc) for doc in world.sandbox.systems[system].docs(resource)]


def bought(world: World) -> str:
    """A shop's order of two kettles that the desks know of."""
    placed = world.buy("shop", {"KTL-1": 2})
    again(world, *CHANNELS)
    world.people.ship(source_number=placed.number)
    for _ in range(3):
        again(world, *CHANNELS)
    return str(placed.number)


def owed(world: World, number: str) -> Decimal:
    """What is still owed of an order, either way."""
    record = records(world.house, "order")[number]
    returns = [one.values for one in records(world.house, "return").values() if one.values["order"] == record.uid]
    ledger = money_ledger(record.values, [one.values for one in records(world.house, "shipment").values()
                                          if one.values["order"] == record.uid], returns)
    return Decimal(ledger.owed.numerator) / ledger.owed.denominator


@pytest.mark.parametrize(("sku", "difference", "paid", "given"), [
    ("KTL-2", "300.00", [("exchange", "1000.00"), ("cash", "300.00")], [(None, "1000.00")]),
    ("KTL-3", "600.00", [("exchange", "400.00")], [(None, "400.00"), ("1", "600.00")]),
])
def test_an_exchange_is_a_return_and_an_order_that_name_each_other_and_every_cent_is_somewhere(
    retail: World, sku: str, difference: str, paid: list[Any], given: list[Any]
) -> None:
    """What comes back pays what leaves, the difference is tendered; the ERP gets both, the shop the goods."""
    world = stocked(retail)
    number = bought(world)
    doc = world.people.exchange("almaty-1", {"1": 1}, {sku: 1}, number=number, tender="CASH")
    for _ in range(3):
        again(world, *CHANNELS)
    old, new, back = (records(world.house, entity)[key] for entity, key in (
        ("order", number), ("order", doc["id"]), ("return", doc["id"])
    ))
    assert (back.values["order"], back.values["exchange"], new.values["exchange_of"]) == (old.uid, new.uid, old.uid)
    assert [(row["kind"], row["amount"]["amount"]) for row in new.values["tenders"]] == paid
    assert [(row.get("tender"), row["amount"]["amount"]) for row in back.values["refunds"]] == given
    assert balanced(new.values)
    assert (owed(world, number), owed(world, doc["id"])) == (0, 0)
    (sale,) = [one for one in docs(world, "erp", "orders") if one["source_number"] == doc["id"]]
    (erp,) = [one for one in docs(world, "erp", "orders") if one["source_number"] == number]
    (taken,) = docs(world, "erp", "returns")
    assert (sale["replaces"], taken["order"], taken["exchange"]) == (erp["number"], erp["number"], sale["number"])
    assert [(one["payment"], one["amount"]) for one in taken["refunds"]] == given
    assert [(one["kind"], one["amount"]) for one in sale["payments"]] == paid
    (refund,) = docs(world, "shop", "refunds")
    assert [line["quantity"] for line in refund["lines"]] == [1]
    assert [f"{Decimal(one['amountMinor']) / 100:.2f}" for one in refund["payments"]] == (
        [difference] if len(given) == 2 else []
    )
    assert items(world.house, "parked") == []
    said = shown(world, doc["id"])
    assert f"exchange {doc['id']}, of order {number}: {given[0][1]} KZT pays the goods taken in exchange" in said
    assert f"exchange {doc['id']}, for order {doc['id']}: " in shown(world, number)


def test_an_exchange_whose_two_halves_do_not_fit_is_parked_with_the_difference(retail_on_each: World) -> None:
    """No order is adjusted in silence: what was given back covers what was taken, to the minor unit."""
    world = stocked(retail_on_each)
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


def test_papers_of_a_shipment_reach_the_shop_and_fiscal_receipts_the_erp(retail: World) -> None:
    """Label and waybill of the ERP stand with the tracking number; what the tills issued is kept with the sale."""
    world = stocked(retail)
    number = bought(world)
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
    world.people.bring_back("almaty-1", number, {"1": 1})
    for _ in range(3):
        again(world, *CHANNELS)
    (fiscal,) = dict(world.sandbox.systems["pos"].get("receipts", receipt.id))["fiscal"]
    (sale,) = [one for one in docs(world, "erp", "orders") if one["source_number"] == receipt.id]
    assert [(one["number"], one["url"]) for one in sale["fiscal"]] == [(fiscal["number"], fiscal["url"])]
    (back,) = docs(world, "pos", "returns")
    (taken,) = docs(world, "erp", "returns")
    assert [one["number"] for one in taken["fiscal"]] == [one["number"] for one in back["fiscal"]]
    said = binding(world.house, "erp-kz", "order", sale["number"]).values
    assert said is not None
    assert said["fiscal"] == values(world.house, "order", receipt.id)["fiscal"]
    assert f"fiscal receipt {fiscal['number']}" in shown(world, receipt.id)
    assert f"waybill {waybill['number']}" in shown(world, number)
    assert items(world.house, "parked") == []


def shown(world: World, number: str) -> str:
    """What `serai order show` prints."""
    done = CliRunner().invoke(app, ["order", "show", number, "--project", str(world.folder / "project")],
                              env={"SERAI_REGISTRY": world.url})
    assert done.exit_code == 0, done.output
    return done.output
