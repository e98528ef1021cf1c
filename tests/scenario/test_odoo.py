"""A retailer whose ERP is Odoo: an article entered there is sold in the shop, and leaves by a delivery of Odoo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.sandbox.odoo.server import play
from deployments.sandbox.people import People
from flows.wiring import House
from registry import parked, runs
from tests.scenario.played import played, quiet

ODOO = """\
erp-kz:
  platform: odoo
  company: kz
  url: env:SERAI_ERP_URL
  secrets: {token: env:SERAI_ERP_TOKEN, hook_secret: env:SERAI_ERP_HOOK_SECRET}
  entities: {location: on, product: on, variant: on, stock: on, price: on, customer: on, order: on, shipment: on}
  receives: [customer, order]
  settings:
    company: 1
    lag: 5
    places: {ALMWH: almaty-wh, ALM1: almaty-1, ALM2: almaty-2, AST1: astana-1, MKTAL: mkt-alm}
    charges: {surcharge: SURCHARGE}

"""
SHOP = """\
shop-kz:
  platform: sandbox_shop
  company: kz
  url: env:SERAI_SHOP_URL
  secrets: {token: env:SERAI_SHOP_TOKEN, hook_secret: env:SERAI_SHOP_HOOK_SECRET}
  entities: {location: on, product: on, variant: on, stock: on, price: on, customer: on, order: on, shipment: on}
  receives: [product, variant, stock, price, shipment]
"""
TILLS = """
pos-kz:
  platform: sandbox_pos
  company: kz
  url: env:SERAI_POS_URL
  secrets: {token: env:SERAI_POS_TOKEN, hook_secret: env:SERAI_POS_HOOK_SECRET}
  entities: {location: on, variant: on, price: on, order: on}
  receives: [variant, price]
"""
AUTHORITY = """\
product: {'*': [erp-kz]}
variant: {'*': [erp-kz]}
stock: {'*': [erp-kz]}
price: {'*': [erp-kz]}
location: {'*': [erp-kz, shop-kz]}
customer: {'*': newest}
order: {'*': origin, status: [erp-kz, origin]}
shipment: {'*': [erp-kz]}
"""
STOCK = """\
sources: {erp-kz: {figure: on_hand, allocates: true, restocks: source, fresh: 15m, dead_after: 8, dead: keep}}
shop-kz: {locations: [almaty-wh], share: 1, safety: 0}
"""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[House, People]]:
    """Serai between an Odoo and a shop."""
    files = {"channels": ODOO + SHOP + TILLS, "authority": AUTHORITY, "policies/stock": STOCK}
    with played(tmp_path / "project", {"erp": play}, files) as found:
        yield found


def test_an_article_of_odoo_is_sold_in_the_shop_sent_by_odoo_and_nothing_is_written_twice(
    house: tuple[House, People],
) -> None:
    """P1, P2, P4: catalogue, price and stock reach the shop, the order reaches Odoo once, the parcel the shop once."""
    serai, people = house
    people._act("erp", "enter", product="KTL-1", title="Чайник", item="007", name="Чайник", uom="PCE", vat="S",
                cost="500.00", price="990.00", currency="KZT", list="retail")  # fmt: skip
    people.receive_goods("007", "almaty-wh", 5)
    quiet(serai)
    assert people.shown("shop", "007") == 5
    bought = people.buy_in_shop({"007": 2}, email="dina@example.kz", name="Дина Ким", phone="+77010001122")
    quiet(serai)
    sale = people.sale(bought.number)
    assert sale is not None
    assert (sale["state"], sale["paid"], sale["location"]) == ("confirmed", "paid", "almaty-wh")
    sent = people.ship(source_number=bought.number)
    quiet(serai)
    parcels = [entry for entry in people.books("shop") if entry["kind"] == "shipment"]
    assert [(one["number"], one["tracking"]) for one in parcels] == [(bought.number, sent.tracking)]
    assert people.on_hand("007", "almaty-wh") == 3
    quiet(serai)  # the sale's reservation ends with a figure that was asked for after the parcel left
    assert people.shown("shop", "007") == 3
    orders = [entry for entry in people.books("erp") if entry["kind"] == "order"]
    assert [(one["number"], one["total"]) for one in orders] == [(bought.number, "1980.00")]
    written = {name: len([e for e in people.books(name) if e["kind"] == "write"]) for name in ("erp", "shop")}
    quiet(serai)
    assert {name: len([e for e in people.books(name) if e["kind"] == "write"]) for name in written} == written


def test_a_fee_is_no_goods_and_each_order_is_one_write_of_which_nothing_comes_back_as_news(
    house: tuple[House, People],
) -> None:
    """P4, P9: Odoo names lines and books fees as products of its own; neither waits for anybody nor is sent again."""
    serai, people = house
    people.enter("007", product="KTL-1", title="Чайник", price="990.00", cost="500.00")
    people.receive_goods("007", "almaty-wh", 5)
    people.receive_goods("007", "almaty-1", 5)
    quiet(serai)
    bought = people.buy_in_shop({"007": 2}, email="dina@example.kz", name="Дина Ким", pay="CASH_ON_DELIVERY",
                                cash_fee=50_000)  # fmt: skip
    receipt = people.sell_at_till("almaty-1", {"007": 1})
    for _ in range(2):
        quiet(serai)
    orders = [entry for entry in people.books("erp") if entry["kind"] == "order"]
    assert {(one["number"], one["total"]) for one in orders} == {(bought.number, "2480.00"), (receipt.number, "990.00")}
    with serai.registry.read() as tx:
        assert [row.message for row in parked(tx, "erp-kz")] == []
        made = [run for run in runs(tx, limit=1000) if (run.channel, run.direction) == ("erp-kz", "outward")]
    written = sum(run.counts.get("order", {}).get("written", 0) for run in made)
    steps_of = {entry["of"] for entry in people.books("erp") if str(entry.get("of")).startswith("orders/")}
    assert (written, len(steps_of)) == (2, 2)
    assert [one for one in people.books("shop") if one["kind"] == "shipment"] == []
