"""A retailer who sells on Amazon: what Amazon has accepted and still works on is not submitted again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from deployments.sandbox.amazon.api import Plan
from deployments.sandbox.amazon.fill import enter
from deployments.sandbox.amazon.server import start
from deployments.sandbox.amazon.state import Market
from deployments.sandbox.people import People
from deployments.sandbox.start import Part, Playing
from flows import steps
from flows.wiring import House
from registry import outbox_counts
from tests.scenario.played import played

CHANNELS = """\
erp-kz:
  platform: sandbox_erp
  company: kz
  url: env:SERAI_ERP_URL
  secrets: {token: env:SERAI_ERP_TOKEN, hook_secret: env:SERAI_ERP_HOOK_SECRET}
  entities: {location: on, product: on, variant: on, stock: on, price: on, customer: on, order: on, shipment: on}
  receives: [customer, order]

amazon-kz:
  platform: amazon
  company: kz
  url: env:SERAI_AMAZON_URL
  secrets:
    client_id: env:SERAI_AMAZON_CLIENT_ID
    client_secret: env:SERAI_AMAZON_CLIENT_SECRET
    refresh_token: env:SERAI_AMAZON_REFRESH_TOKEN
  entities: {variant: on, stock: on, price: on, order: on, shipment: on}
  receives: [stock, price, shipment]
  settings: {seller: A3KARAVANHOME1, marketplace: A1KARAVANKZ001, token_url: /auth/o2/token, lag: 0}
"""
AUTHORITY = """\
product: {'*': [erp-kz]}
variant: {'*': [erp-kz]}
stock: {'*': [erp-kz]}
price: {'*': [erp-kz]}
location: {'*': [erp-kz]}
customer: {'*': newest}
order: {'*': origin, status: [erp-kz, origin]}
shipment: {'*': [erp-kz]}
"""
STOCK = """\
sources: {erp-kz: {figure: on_hand, restocks: source, fresh: 15m, dead_after: 8, dead: keep}}
amazon-kz: {locations: [almaty-wh], share: 1, safety: 0, allocation: hard}
"""
MOVING = ("due", "decided", "sent", "accepted", "unknown")
ROUNDS = 20


@dataclass(frozen=True, kw_only=True)
class Selling:
    """Serai between an ERP and Amazon, the people around them, and Amazon from within."""

    house: House
    people: People
    market: Market

    def quiet(self) -> None:
        """Rounds of everything until nothing moves any more, twice in a row: a figure may rise by way of zero."""
        still = 0
        for _ in range(ROUNDS):
            ledgers = steps.sync_all(self.house)
            assert [one.sentence() for one in ledgers if not one.balanced] == []
            with self.house.registry.read() as tx:
                moving = {key: n for key, n in outbox_counts(tx).items() if key[2] in MOVING}
            still = 0 if moving else still + 1
            if still == 2:
                return
            time.sleep(0.25)
        raise AssertionError(f"no quiet after {ROUNDS} rounds: {moving}")

    def submitted(self) -> int:
        """How often something was submitted for a listing so far."""
        return sum(one["kind"] == "write" and one["resource"] == "listings" for one in self.people.books("amazon"))


@pytest.fixture
def selling(tmp_path: Path) -> Iterator[Selling]:
    """Five kettles lie in the warehouse and are shown on Amazon, at the ERP's price, under hard allocation."""
    made: list[Market] = []

    def play(part: Part) -> Playing:
        market = Market(name=part.name, books=part.books, wall=part.wall)
        market.opening = datetime(2026, 3, 1, tzinfo=UTC)
        enter(market, "KTL", title="Kettle", price=Decimal(12490), available=0)
        market.opening = None
        made.append(market)
        running = start(market, plan=Plan(speed=1e9))
        return Playing(
            url=running.url, secrets={name.upper(): text for name, text in running.secrets.items()}, stop=running.stop
        )

    files = {"channels": CHANNELS, "authority": AUTHORITY, "policies/stock": STOCK}
    with played(tmp_path / "project", {"amazon": play}, files) as (house, people):
        found = Selling(house=house, people=people, market=made[0])
        people.enter("KTL", product="K", title="Чайник", price="12490.00", cost="5000.00")
        people.receive_goods("KTL", "almaty-wh", 5)
        found.quiet()
        yield found


def test_a_figure_that_amazon_still_works_on_is_not_submitted_again(selling: Selling) -> None:
    """P4: a look in the meantime shows the old figure; what was accepted is asked for, not sent a second time."""
    market = selling.market
    assert selling.people.shown("amazon", "KTL") == 5
    market.patch_lag = 600.0
    selling.people.count_stock("KTL", "almaty-wh", 3)
    before = selling.submitted()
    for _ in range(3):
        steps.pull_all(selling.house, full=True)
        steps.push_all(selling.house)
    assert selling.submitted() == before + 1
    market.wall, market.patch_lag = lambda: datetime.now(UTC) + timedelta(seconds=601), 0.0
    selling.quiet()
    assert selling.people.shown("amazon", "KTL") == 3


def test_what_nobody_paid_yet_is_sold_and_no_sale_in_the_erp_before_it_is_paid(selling: Selling) -> None:
    """P8: a pending order has no price, and its goods are nobody else's: the figure does not rise again."""
    people = selling.people
    placed = people.buy_on_market({"KTL": 2}, name="Dina", market="amazon", pending=True)
    selling.quiet()
    assert people.shown("amazon", "KTL") == 3
    assert people.sale(placed.number) is None
    people.count_stock("KTL", "almaty-wh", 9)
    selling.quiet()
    assert people.shown("amazon", "KTL") == 7
    people.pay_on_amazon(placed.id)
    selling.quiet()
    assert people.shown("amazon", "KTL") == 7
    sale = people.sale(placed.number)
    assert sale is not None
    assert (sale["total"], sale["paid"]) == ("24980.00", "yes")


def test_a_pending_order_that_is_never_paid_gives_its_goods_back(selling: Selling) -> None:
    """The buyer's bank refuses: Amazon cancels, the goods are on sale again, the ERP has nothing to send."""
    placed = selling.people.buy_on_market({"KTL": 2}, name="Dina", market="amazon", pending=True)
    selling.quiet()
    selling.people.cancel_on_market(placed.id, market="amazon")
    selling.quiet()
    assert selling.people.shown("amazon", "KTL") == 5
    sale = selling.people.sale(placed.number)
    assert sale is None or sale["state"] == "cancelled"
