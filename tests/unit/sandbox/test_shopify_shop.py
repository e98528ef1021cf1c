"""The simulated Shopify as the retailer's shop: people do what they do in every shop, the connector tells the rest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from connectors.base import Receipt, Write
from connectors.shopify import Shopify
from deployments.demo.data import LAST_KETTLE, karavan_home
from deployments.sandbox.books import Books
from deployments.sandbox.people import People, Placed, Refusal
from deployments.sandbox.shopify.fill import play
from deployments.sandbox.start import Part, Playing
from tests.contract.harness import ports_with

BUYER = {"email": "Saule@Example.kz", "name": "Сәуле Омарова"}


@pytest.fixture(scope="module")
def shop() -> Iterator[Playing]:
    """The shop of Karavan Home on a port of its own."""
    books = Books("shop", None)
    part = Part(name="shop", books=books, seed=7, retailer=karavan_home(7), wall=lambda: datetime.now(UTC))
    running = play(part)
    yield running
    running.stop()


@pytest.fixture
def people(shop: Playing) -> People:
    return People("http://127.0.0.1:1", {"shop": shop.url})


@pytest.fixture
def connector(shop: Playing) -> Shopify:
    secrets = {"token": shop.secrets["TOKEN"], "hook_secret": shop.secrets["HOOK_SECRET"]}
    return Shopify(channel="shop-kz", url=shop.url, options={"secrets": {"token": "env:T"}}, ports=ports_with(secrets))


def sku_of(people: People, n: int) -> str:
    """An article that the shop shows enough of."""
    shown = {entry["sku"]: int(entry["now"]) for entry in people.books("shop") if entry["kind"] == "shown"}
    return [sku for sku, units in shown.items() if sku is not None and units >= 5][n]


def order(connector: Shopify, placed: Placed) -> dict[str, object]:
    (doc,) = connector.fetch("orders", [placed.id]).values()
    assert doc is not None
    return doc


def told(people: People, placed: Placed) -> list[str]:
    return [entry["what"] for entry in people.books("shop") if entry["kind"] == "told" and entry["id"] == placed.id]


def write(connector: Shopify, resource: str, doc: dict[str, object], *, key: str, attempt: int = 1) -> Receipt:
    (receipt,) = connector.write(resource, [Write(key=key, op="create", doc=doc, attempt=attempt)])
    return receipt


def test_the_last_one_is_sold_once(people: People) -> None:
    """P8: what is shown falls with the order; who comes second is turned away, and the number is the merchant's own."""
    assert people.shown("shop", LAST_KETTLE) == 1
    assert people.buy_in_shop({LAST_KETTLE: 1}, **BUYER).number.isdigit()
    with pytest.raises(Refusal, match="sold_out"):
        people.buy_in_shop({LAST_KETTLE: 1}, **BUYER)
    assert people.shown("shop", LAST_KETTLE) == 0


def test_goods_that_wait_in_a_store_are_announced_once(people: People, connector: Shopify) -> None:
    """P2: told again after an answer that was lost, the buyer hears it once; what is sent cannot be collected."""
    placed = people.buy_in_shop({sku_of(people, 0): 1}, pickup="almaty-1", **BUYER)
    doc = {"orderId": placed.id, "kind": "READY", "reason": None, "note": None}
    assert write(connector, "decisions", doc, key="a").outcome == "applied"
    assert write(connector, "decisions", doc, key="a", attempt=2).outcome == "applied"
    assert told(people, placed) == ["ready"]
    sent = people.buy_in_shop({sku_of(people, 0): 1}, **BUYER)
    refused = write(connector, "decisions", {**doc, "orderId": sent.id}, key="b")
    assert (refused.outcome, refused.detail) == ("rejected", "nothing of the order is to be collected")


def test_money_goes_back_to_the_payment_it_came_from_and_never_twice(people: People, connector: Shopify) -> None:
    """P2: a refund whose answer was lost is found by our key; more than a payment took is refused."""
    sku = sku_of(people, 1)
    placed = people.buy_in_shop({sku: 1}, gift_card=Decimal(1000), **BUYER)
    bought = order(connector, placed)
    card, rest = [payment["id"] for payment in bought["transactions"]]  # type: ignore[attr-defined]
    line = bought["lineItems"]["nodes"][0]["id"]  # type: ignore[index]
    back = {"orderId": placed.id, "lines": [{"lineItemId": line, "quantity": 1}],
            "payments": [{"tender": rest, "amount": str(placed.total - 1000)},
                         {"tender": card, "amount": "1000"}]}  # fmt: skip
    first = write(connector, "refunds", back, key="r")
    again = write(connector, "refunds", back, key="r", attempt=2)
    assert (first.outcome, again.outcome, first.id) == ("applied", "applied", again.id)
    refunded = {one["kind"]: Decimal(one["refunded"]) for one in people.order_state("shop", placed.id)["tenders"]}
    assert refunded == {"GIFT_CARD": Decimal(1000), "CARD": placed.total - 1000}
    over = {**back, "lines": [], "payments": [{"tender": card, "amount": "1"}]}
    assert write(connector, "refunds", over, key="s").outcome == "rejected"


def test_who_pays_later_signs_or_the_order_ends(people: People, connector: Shopify) -> None:
    """Cash is due until the courier hands it in; a cancelled order is told its buyer and its goods are shown again."""
    sku = sku_of(people, 2)
    before = people.shown("shop", sku)
    later = people.buy_in_shop({sku: 1}, pay="INSTALMENT", **BUYER)
    cash = people.buy_in_shop({sku: 1}, pay="CASH_ON_DELIVERY", cash_fee=50_000, **BUYER)
    assert [order(connector, one)["displayFinancialStatus"] for one in (later, cash)] == ["PENDING", "PENDING"]
    assert cash.total - later.total == 500
    people.sign(later.id)
    people.pay_courier(cash.id)
    assert [order(connector, one)["displayFinancialStatus"] for one in (later, cash)] == ["PAID", "PAID"]
    doc = {"orderId": cash.id, "kind": "CANCELLED", "reason": "CUSTOMER", "note": None}
    assert write(connector, "decisions", doc, key="c").outcome == "applied"
    assert write(connector, "decisions", doc, key="c", attempt=2).outcome == "applied"
    assert told(people, cash) == ["cancelled"]
    assert people.shown("shop", sku) == before - 1
    assert people.order_state("shop", cash.id)["status"] == "CANCELLED"
