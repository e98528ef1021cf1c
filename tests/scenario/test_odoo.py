"""A retailer whose ERP is Odoo: an article entered there is sold in the shop, and leaves by a delivery of Odoo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.sandbox.odoo.server import play
from deployments.sandbox.people import People
from flows.wiring import House
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
    files = {"channels": ODOO + SHOP, "authority": AUTHORITY, "policies/stock": STOCK}
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
