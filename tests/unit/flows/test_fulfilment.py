"""Orders are answered, placed and dated inside the transaction that takes them, and their buyers are told.

One retailer per database for all tests, since going live costs more than any of them; each test has an article of its
own, and what it changes of the policies is put back. Time only goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deployments.cli import app
from deployments.sandbox.people import Refusal
from flows import steps
from flows.accept import accept_page
from flows.consequences import stock_due
from flows.desk import CannotDecide, decide, returnable, show_order
from flows.fulfilment import Told, tell
from flows.lapse import lapse
from flows.pressing import pressing
from mappings.commerce.fulfilment.deadlines import Term
from mappings.commerce.fulfilment.decisions import Decision
from mappings.commerce.fulfilment.policy import Fulfilment
from mappings.commerce.fulfilment.routing import Routing
from mappings.commerce.orders.quantities import of_order
from registry import (
    Tx,
    deadline_counts,
    decision_counts,
    live_since,
    parked,
    records_where,
    reserved,
    set_mode,
)
from tests.databases import fresh_postgres, fresh_sqlite
from tests.scenario.world import MOVING, STORES, WAREHOUSE, World, world

QUARTER = 900.0
ARTICLES = {f"K-{n:02}": 10 for n in range(1, 15)} | {"LAST": 1, "MANY": 60, "OLD": 10, "NEAR": 10}
CARRIED = (("erp-kz", "customer"), ("erp-kz", "order"), ("market-kz", "decision"), ("shop-kz", "decision"))


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, World]]:
    """The retailers that are live already, by database."""
    with ExitStack() as stack:
        yield Worlds(stack, tmp_path_factory.mktemp("fulfilment"))


class Worlds(dict[str, World]):
    """A retailer goes live when it is first asked for."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        super().__init__()
        self.stack, self.folder = stack, folder

    def __missing__(self, name: str) -> World:
        folder = self.folder / name
        folder.mkdir()
        url = self.stack.enter_context(fresh_sqlite(folder) if name == "sqlite" else fresh_postgres())
        found = self.stack.enter_context(world(folder, url, seed=7))
        for sku, units in ARTICLES.items():
            found.goods(sku, on_hand=units)
        found.go_live()
        return self.setdefault(name, found)


def borrowed(found: World) -> Iterator[World]:
    """The retailer, whose policies are put back afterwards."""
    project = found.desk.project
    yield found
    for house in (found.desk, found.house):
        house.project = project


@pytest.fixture
def retail(worlds: dict[str, World]) -> Iterator[World]:
    """On SQLite."""
    yield from borrowed(worlds["sqlite"])


@pytest.fixture(params=["sqlite", "postgresql"])
def retail_on_each(worlds: dict[str, World], request: pytest.FixtureRequest) -> Iterator[World]:
    """On SQLite and on PostgreSQL in turn."""
    yield from borrowed(worlds[request.param])


def carry(found: World) -> None:
    """What the drain does with orders: notices taken, decisions and orders sent, what comes back taken.

    Once more where a busy machine let a request time out.
    """
    for _ in range(4):
        found.hear()
        for channel, entity in CARRIED:
            found.step("push", channel, entity)
        found.hear()
        found.step("push", "erp-kz", "order")
        on_their_way = {f"{channel} {entity} {word}" for channel, entity in CARRIED for word in MOVING}
        left = [what for what in found.moving() if what in on_their_way or what.startswith("notices")]
        if not left:
            return
        found.pass_time(1)


def told(found: World, *orders: Any, system: str = "market") -> list[tuple[str, str, str | None]]:
    """(order, kind, reason) of every decision about these orders that arrived at a system, in the order of arrival."""
    wanted = {order.id for order in orders}
    return [(doc["orderId"], doc["kind"], doc["reason"])
            for doc in found.sandbox.systems[system].docs("decisions") if doc["orderId"] in wanted]


def state(found: World, system: str, id: str) -> str:
    doc = found.sandbox.systems[system].get("orders", id)
    return str(doc["state" if system == "market" else "status"])


def entered(found: World, *orders: Any) -> list[dict[str, Any]]:
    """The ERP's sales of these orders."""
    wanted = {order.number for order in orders}
    return [doc for doc in found.sandbox.systems["erp"].docs("orders") if doc["source_number"] in wanted]


def with_policy(found: World, **change: Any) -> None:
    """The retailer's fulfilment policy is another one for this test."""
    policy = replace(found.desk.project.fulfilment, **change)
    for house in (found.desk, found.house):
        house.project = replace(house.project, fulfilment=policy)


def allot(found: World, policies: Any) -> None:
    """What each channel may show is another for this test."""
    for house in (found.desk, found.house):
        house.project = replace(house.project, stock=policies)


def all_to(found: World, channel: str, sku: str) -> None:
    """This channel shows everything there is of an article, the other one nothing."""
    allot(found, {name: replace(row, share=Decimal(name == channel))
                  for name, row in found.desk.project.stock.items()})
    with found.registry.read() as tx:
        variant = next(row.uid for row in records_where(tx, "variant") if row.values["sku"] == sku)
    found.registry.attempt(lambda tx: stock_due(found.house, tx, [variant], "test"))
    for name in ("shop-kz", "market-kz"):
        found.step("push", name, "stock")
    assert found.shown("market", sku) == ARTICLES[sku]


def offer(found: World, sku: str, n: int = 0, seconds: float = QUARTER) -> Any:
    """Somebody orders on the marketplace, which waits for our answer."""
    return found.people.buy_on_market(
        {sku: 1}, name=f"Buyer{n}", phone=f"+770112345{n:02d}", accept_within=seconds
    )


def bought(found: World, sku: str, **how: Any) -> Any:
    """Somebody orders in the shop."""
    return found.people.buy_in_shop({sku: 1}, email="buyer@example.kz", name="Ким", phone="+77011234501", **how)


def held(found: World, sku: str) -> list[tuple[str, str]]:
    """(place, quantity) of what is promised of an article."""
    with found.registry.read() as tx:
        variant = next(row.uid for row in records_where(tx, "variant") if row.values["sku"] == sku)
        places = {row.uid: row.values["code"] for row in records_where(tx, "location")}
        return [(places[place or ""], str(quantity)) for _, place, quantity, _ in reserved(tx, [variant])[variant]]


def decided(found: World) -> dict[tuple[str, str | None], int]:
    with found.registry.read() as tx:
        return decision_counts(tx)


def test_of_two_buyers_of_the_last_kettle_one_is_accepted_and_the_other_refused_and_told(retail_on_each: World) -> None:
    """P8: both offers came before either was answered; one piece, one yes, one no with its reason, nothing parked."""
    found = retail_on_each
    before = decided(found)
    all_to(found, "market-kz", "LAST")
    offers = [offer(found, "LAST", n) for n in range(2)]
    carry(found)
    answers = told(found, *offers)
    assert sorted((kind, reason) for _, kind, reason in answers) == [("ACCEPTED", None), ("REFUSED", "OUT_OF_STOCK")]
    assert sorted(state(found, "market", one.id) for one in offers) == ["ACCEPTED", "REFUSED"]
    assert len({order for order, _, _ in answers}) == 2
    accepted = next(order for order, kind, _ in answers if kind == "ACCEPTED")
    assert [doc["source_number"] for doc in entered(found, *offers)] == [accepted]
    assert found.parked() == []
    assert held(found, "LAST") == [(WAREHOUSE, "1")]
    found.step("reconcile", "market-kz", "orders")
    carry(found)
    assert told(found, *offers) == answers
    after = decided(found)
    assert {key: number - before.get(key, 0) for key, number in after.items() if number != before.get(key, 0)} == {
        ("accepted", None): 1, ("refused", "out_of_stock"): 1,
    }
    shown = show_order(found.house, accepted)
    assert [(row.kind, row.state) for row in shown.deadlines if row.kind == "accept"] == [("accept", "met")]


def test_an_offer_that_waits_for_a_person_is_soon_late_then_late_and_no_other_channel_hears_of_it(
    retail: World
) -> None:
    """accept_by is the marketplace's own; a person's yes reaches it, and only then the ERP."""
    with_policy(retail, channels={})
    one = offer(retail, "K-01", seconds=2 * 3600)
    carry(retail)
    assert told(retail, one) == []
    assert entered(retail, one) == []
    assert held(retail, "K-01") == [(WAREHOUSE, "1")]
    words = []
    for minutes in (30, 90, 125):
        with retail.registry.read() as tx:
            counts = deadline_counts(tx, retail.clock.now() + timedelta(minutes=minutes))
        words.append({word for channel, kind, word in counts if (channel, kind) == ("market-kz", "accept")})
    assert words == [set(), {"soon"}, {"late"}]
    assert "market-kz is told" in decide(retail.house, one.number, "accepted", who="Aigerim")
    assert "nothing to do" in decide(retail.house, one.number, "accepted", who="Dana")
    with pytest.raises(CannotDecide, match="was accepted before"):
        decide(retail.house, one.number, "refused", who="Dana", reason="price")
    carry(retail)
    assert told(retail, one) == [(one.id, "ACCEPTED", None)]
    assert len(entered(retail, one)) == 1
    with pytest.raises(CannotDecide, match="only an offer"):
        decide(retail.house, one.number, "refused", who="Dana", reason="price")


def test_an_erps_cancellation_reaches_the_channel_of_origin_with_its_reason_and_is_counted(
    retail_on_each: World
) -> None:
    """The gap that copy loops leave: the buyer hears from the shop that nothing comes, and why; the goods are free."""
    found = retail_on_each
    before = decided(found).get(("cancelled", "out_of_stock"), 0)
    shop, market = bought(found, "K-02"), found.buy("market", {"K-02": 1})
    carry(found)
    assert len(entered(found, shop, market)) == 2
    for order in (shop, market):
        found.people.cancel_sale(source_number=order.number, reason="OUT_OF_STOCK")
    for _ in range(2):
        carry(found)
    assert told(found, shop, system="shop") == [(shop.id, "CANCELLED", "OUT_OF_STOCK")]
    assert told(found, market) == [(market.id, "CANCELLED", "OUT_OF_STOCK")]
    assert state(found, "shop", shop.id) == "CANCELLED"
    assert state(found, "market", market.id) == "CANCELLED"
    assert held(found, "K-02") == []
    assert decided(found)["cancelled", "out_of_stock"] == before + 2
    again = Told(order=show_order(found.house, market.number).uid, by="erp-kz",
                 decision=Decision(kind="cancelled", reason="out_of_stock"))
    due = found.registry.attempt(lambda tx: tell(
        found.house, tx, [again], {again.order: {}}, {again.order: "market-kz"}, found.clock.now(), "test"
    ))
    assert due == []
    assert decided(found)["cancelled", "out_of_stock"] == before + 2


def test_a_buyers_own_cancellation_is_not_told_back(retail: World) -> None:
    """P4: what the channel of origin said goes to the others, never to itself."""
    order = retail.buy("market", {"K-03": 1})
    carry(retail)
    retail.people.cancel_on_market(order.id)
    carry(retail)
    assert told(retail, order) == []
    assert [doc["state"] for doc in entered(retail, order)] == ["cancelled"]


def test_an_unpaid_credit_expires_at_its_moment_its_goods_are_free_and_its_buyer_is_told(retail_on_each: World) -> None:
    """Only unpaid and uncollected reservations expire; a paid order beside it stays."""
    found = retail_on_each
    paid, waiting = bought(found, "K-04"), bought(found, "K-04", pay="INSTALMENT", sign_within=3600.0)
    carry(found)
    assert [doc["source_number"] for doc in entered(found, paid, waiting)] == [paid.number]
    assert held(found, "K-04") == [(WAREHOUSE, "1")] * 2
    assert lapse(found.house).total("updated") == 0
    found.pass_time(3601)
    assert lapse(found.house).total("updated") == 1
    assert held(found, "K-04") == [(WAREHOUSE, "1")]
    carry(found)
    assert told(found, waiting, system="shop") == [(waiting.id, "CANCELLED", "UNPAID")]
    assert state(found, "shop", waiting.id) == "CANCELLED"
    assert lapse(found.house).total("updated") == 0
    found.pass_time(10 * 86_400)
    assert lapse(found.house).total("updated") == 0
    assert told(found, paid, system="shop") == []


def test_a_payment_that_was_not_read_yet_is_not_answered_by_a_cancellation(retail: World) -> None:
    """The order is read once more before it ends."""
    order = bought(retail, "K-05", pay="INSTALMENT", sign_within=3600.0)
    carry(retail)
    retail.people.temper("shop", "drop", next=100)
    retail.people.sign(order.id)
    retail.people.calm("shop")
    retail.pass_time(3601)
    assert lapse(retail.house).total("updated") == 0
    assert told(retail, order, system="shop") == []
    assert held(retail, "K-05") == [(WAREHOUSE, "1")]


def test_a_pickup_is_announced_only_after_somebody_in_the_store_has_the_goods(retail: World) -> None:
    """Click & collect: reserved in the store, sent to the ERP with its place, and silent until a person confirms."""
    order = bought(retail, "K-06", pickup=STORES[0])
    carry(retail)
    assert held(retail, "K-06") == [(STORES[0], "1")]
    assert [doc["location"] for doc in entered(retail, order)] == [STORES[0]]
    assert told(retail, order, system="shop") == []
    with pytest.raises(CannotDecide, match="a buyer is told why"):
        decide(retail.house, order.number, "cancelled", who="Dana")
    decide(retail.house, order.number, "ready", who="Dana in the store")
    carry(retail)
    assert told(retail, order, system="shop") == [(order.id, "READY", None)]
    shown = show_order(retail.house, order.number)
    assert {row.kind for row in shown.deadlines if row.state == "open"} == {"collect"}
    assert [one.told is not None for one in shown.decisions] == [True]


def lines_of(found: World, number: str) -> list[tuple[int, ...]]:
    """(open, allocated, picked, handed over) of each line of an order, as its record says."""
    order = show_order(found.house, number).order
    return [tuple(int(getattr(where, name)) for name in ("open", "allocated", "picked", "handed_over"))
            for where in of_order(order).values()]


def test_what_the_warehouse_puts_aside_is_picked_until_it_leaves(retail: World) -> None:
    """Quantities per line move from open to picked to handed over; no buyer hears of it before a shipment."""
    order = retail.people.buy_in_shop({"K-14": 3}, email="b@example.kz", name="Ким", guest=True)
    carry(retail)
    assert lines_of(retail, order.number) == [(3, 0, 0, 0)]
    retail.people.pick(source_number=order.number, lines={"1": 2})
    with pytest.raises(Refusal, match="too_many"):
        retail.people.pick(source_number=order.number, lines={"1": 2})
    carry(retail)
    assert lines_of(retail, order.number) == [(1, 0, 2, 0)]
    assert "line 1: 1 open, 2 picked of 3" in serai(retail, "order", "show", order.number)[1]
    assert told(retail, order, system="shop") == []
    retail.people.pick(source_number=order.number)
    carry(retail)
    assert lines_of(retail, order.number) == [(0, 0, 3, 0)]
    retail.people.ship(source_number=order.number)
    carry(retail)
    assert lines_of(retail, order.number) == [(0, 0, 0, 3)]


def test_a_pickup_is_announced_when_the_store_has_put_all_of_it_aside_and_not_when_it_only_lies_there(
    retail: World
) -> None:
    """Half of it in the store's hands announces nothing; the rest does, once, also when somebody says ready as well."""
    order = retail.people.buy_in_shop({"K-14": 2}, email="b@example.kz", name="Ким", guest=True, pickup=STORES[0])
    carry(retail)
    retail.people.pick(source_number=order.number, lines={"1": 1})
    carry(retail)
    assert told(retail, order, system="shop") == []
    retail.people.pick(source_number=order.number)
    carry(retail)
    assert told(retail, order, system="shop") == [(order.id, "READY", None)]
    assert "nothing to do" in decide(retail.house, order.number, "ready", who="Dana in the store")
    shown = show_order(retail.house, order.number)
    assert {row.kind for row in shown.deadlines if row.state == "open"} == {"collect"}


def test_goods_that_nobody_collects_go_back_on_sale_and_the_buyer_hears_why(retail: World) -> None:
    """collect_by runs from the announcement; afterwards the order ends as not collected."""
    order = bought(retail, "K-07", pickup=STORES[0])
    carry(retail)
    retail.pass_time(20 * 86_400)
    lapse(retail.house)
    assert len(held(retail, "K-07")) == 1
    decide(retail.house, order.number, "ready", who="Dana in the store")
    retail.pass_time(10 * 86_400)
    assert lapse(retail.house).total("updated") >= 1
    assert held(retail, "K-07") == []
    carry(retail)
    assert told(retail, order, system="shop")[-1] == (order.id, "CANCELLED", "NOT_COLLECTED")


def test_an_order_is_sent_from_the_place_that_has_it(retail: World) -> None:
    """Ship from store: the warehouse and the first store are empty, the second store has the goods; the ERP is told."""
    rules = retail.desk.project.fulfilment.of("shop-kz")
    with_policy(
        retail, routing={"stores": Routing(places=(WAREHOUSE, *STORES))},
        channels={"shop-kz": replace(rules, routing={"ship": "stores"})},
    )
    first = bought(retail, "K-08")
    carry(retail)
    retail.people.receive_goods("K-08", WAREHOUSE, -10)
    retail.people.receive_goods("K-08", STORES[0], -5)
    retail.step("pull", "erp-kz", "stock")
    second = bought(retail, "K-08")     # the shop still shows what it was told before
    carry(retail)
    assert sorted(held(retail, "K-08")) == [(STORES[1], "1"), (WAREHOUSE, "1")]
    sent = {doc["source_number"]: doc["location"] for doc in entered(retail, first, second)}
    assert sent == {first.number: WAREHOUSE, second.number: STORES[1]}


def test_an_order_is_sent_from_the_store_nearest_to_the_pin_on_the_shoppers_map(retail: World) -> None:
    """Both stores have the goods, and stand in one town as the buyer does: the shop tells where the buyer is, the ERP
    where the stores are. An address without a pin goes by the rule's order."""
    erp = retail.sandbox.systems["erp"]
    pins = {STORES[0]: ("43.2380", "76.9450"), STORES[1]: ("43.2050", "76.6690")}
    for code, (lat, lon) in pins.items():
        erp.put("locations", erp.get("locations", code) | {"geo": {"lat": lat, "lon": lon}}, by="people", id=code)
    retail.step("pull", "erp-kz", "locations")
    rules = retail.desk.project.fulfilment.of("shop-kz")
    with_policy(
        retail, routing={"stores": Routing(places=STORES, by=("distance",))},
        channels={"shop-kz": replace(rules, routing={"ship": "stores"})},
    )
    home = {"name": "Ким", "address1": "Абая 10", "city": "Алматы", "countryCode": "KZ"}
    far_west = {**home, "latitude": 43.21, "longitude": 76.68}
    centre = {**home, "latitude": 43.24, "longitude": 76.93}
    orders = [bought(retail, "NEAR", address=address) for address in (far_west, centre, home)]
    carry(retail)
    sent = {doc["source_number"]: doc["location"] for doc in entered(retail, *orders)}
    assert [sent[order.number] for order in orders] == [STORES[1], STORES[0], STORES[0]]


def test_an_order_no_place_can_serve_is_parked_with_the_remedy_keeps_its_goods_and_goes_on_by_itself(
    retail: World
) -> None:
    """The pickup store has none; when goods arrive there the order is placed and sent without anybody's help."""
    retail.people.receive_goods("K-09", STORES[0], -5)
    retail.step("pull", "erp-kz", "stock")
    order = bought(retail, "K-09", pickup=STORES[0])
    carry(retail)
    assert entered(retail, order) == []
    with retail.registry.read() as tx:
        (row,) = parked(tx, "erp-kz")
    assert row.message == f"{STORES[0]} does not hold the goods"
    assert row.remedy is not None
    assert "move goods there" in row.remedy
    assert len(held(retail, "K-09")) == 1
    lapse(retail.house)
    assert entered(retail, order) == []
    retail.people.receive_goods("K-09", STORES[0], 2)
    retail.step("pull", "erp-kz", "stock")
    assert lapse(retail.house).total("updated") == 1
    carry(retail)
    assert len(entered(retail, order)) == 1
    assert retail.parked() == []
    assert held(retail, "K-09") == [(STORES[0], "1")]


def statements(found: World, orders: Sequence[dict[str, Any]]) -> int:
    """How many statements it takes to accept a page of offers."""
    counts: list[int] = []

    def work(tx: Tx) -> None:
        account = found.house.account("market-kz", "orders", "inward")
        now = found.house.registry.now()
        begun = tx.statements
        accept_page(found.house, tx, account, "market-kz", "orders", orders, now, now)
        counts.append(tx.statements - begun)

    found.registry.attempt(work)
    return counts[0]


def test_a_page_of_offers_costs_the_same_number_of_statements_whatever_it_holds(retail_on_each: World) -> None:
    """Twice as many offers answered, placed and dated take no statement more; those beyond the goods are refused."""
    found = retail_on_each
    all_to(found, "market-kz", "MANY")
    doc = found.sandbox.systems["market"].get("orders", offer(found, "MANY", 30).id)

    def page(first: int, size: int) -> list[dict[str, Any]]:
        return [{**json.loads(json.dumps(doc)), "orderId": f"MK-{first + n}"} for n in range(size)]

    before = decided(found)
    few, many = statements(found, page(1_000, 80)), statements(found, page(2_000, 160))
    assert many <= few
    after = decided(found)
    assert after["accepted", None] - before.get(("accepted", None), 0) == 60
    assert after["refused", "out_of_stock"] - before.get(("refused", "out_of_stock"), 0) == 180
    assert held(found, "MANY") == [(WAREHOUSE, "1")] * 60       # what was refused is free at once


def test_a_desk_is_told_before_it_takes_goods_whether_it_may_refund(retail: World) -> None:
    """Nothing before it was sent; then the store's desk learns what goes back to which tender."""
    order = bought(retail, "K-10")
    carry(retail)
    assert returnable(retail.house, order.number, STORES[0]).because == "nothing of it is with the buyer"
    retail.people.ship(source_number=order.number)
    carry(retail)
    answer = returnable(retail.house, order.number, STORES[0])
    assert answer.allowed, answer
    assert [money for _, money in answer.refund] == [{"amount": "1990.00", "currency": "KZT"}]
    with pytest.raises(CannotDecide, match="there is no place"):
        returnable(retail.house, order.number, "nowhere")
    with pytest.raises(CannotDecide, match="no order goes by"):
        returnable(retail.house, "4711", STORES[0])


def test_a_project_without_the_policy_answers_dates_and_routes_nothing(retail: World) -> None:
    """No file, no rule: an offer waits for a person, nothing expires."""
    for house in (retail.desk, retail.house):
        house.project = replace(house.project, fulfilment=Fulfilment())
    one = offer(retail, "K-11")
    carry(retail)
    assert told(retail, one) == []
    shown = show_order(retail.house, one.number)
    assert shown.order["status"] == "offered"
    assert datetime.now(UTC) < shown.deadlines[0].due_at
    assert steps.push(retail.house, "market-kz", "decision").read == 0
    retail.people.cancel_on_market(one.id)
    carry(retail)
    assert held(retail, "K-11") == []


def read_late(found: World, sku: str, how: dict[str, Any] | None = None, **change: Any) -> Any:
    """An order of the shop, read as ``change`` says it."""
    order = bought(found, sku, guest=True, **(how or {}))
    doc = {**found.sandbox.systems["shop"].get("orders", order.id), **change}

    def work(tx: Tx) -> None:
        account = found.house.account("shop-kz", "orders", "inward")
        now = found.house.registry.now()
        accept_page(found.house, tx, account, "shop-kz", "orders", [doc], now, now)

    found.registry.attempt(work)
    return order


def test_what_was_late_before_its_channel_was_switched_on_is_history_and_what_is_read_late_is_late(
    retail_on_each: World
) -> None:
    """First contact brings years of orders a shop never closed: none of them is late here, none is ended by us, and
    each is still listed. An order that an outage kept from us is late from the moment it is seen."""
    found = retail_on_each
    live = found.house.registry.attempt(lambda tx: live_since(tx, "order"))["shop-kz"]
    assert live < found.clock.now() < live + timedelta(days=400)
    rules = found.desk.project.fulfilment.of("shop-kz")
    terms = replace(rules.terms, of={"ship": Term(span=timedelta(days=1)), "pay": Term(span=timedelta(days=2))})
    with_policy(found, channels={"shop-kz": replace(rules, terms=terms)})
    old = read_late(found, "OLD", placedAt="2025-02-08T04:00:00Z")
    unsigned = read_late(found, "OLD", {"pay": "INSTALMENT", "sign_within": 3600.0}, placedAt="2025-02-08T04:00:00Z",
                         signBy="2025-02-09T04:00:00Z")
    edge = read_late(found, "OLD", placedAt=(live - timedelta(days=1, seconds=-2)).isoformat(timespec="seconds"))
    found.pass_time(3 * 86_400)
    missed = read_late(found, "OLD", placedAt=(found.clock.now() - timedelta(days=2)).isoformat(timespec="seconds"))
    seen = {row.number: row for row in pressing(found.house).lines if row.kind == "ship"}
    assert old.number not in seen
    assert (seen[missed.number].state, seen[edge.number].state) == ("late", "late")
    assert "serai order delay" in seen[missed.number].remedy
    assert {(row.number, row.kind) for row in pressing(found.house).history} == {
        (old.number, "ship"), (unsigned.number, "pay"),
    }
    assert pressing(found.house, "market-kz").history == ()
    lapse(found.house)
    found.step("push", "shop-kz", "decision")
    assert told(found, old, unsigned, system="shop") == []
    code, text = serai(found, "deadlines")
    assert code == 0
    assert "had passed a deadline before orders of the channel were switched on" in text
    assert old.number in serai(found, "deadlines", "--history")[1]
    with found.registry.write() as tx:
        for word in ("off", "on"):
            set_mode(tx, "shop-kz", "order", word, "Dana", "a day of repairs")
    with found.registry.read() as tx:
        assert live_since(tx, "order")["shop-kz"] == live
    assert missed.number in {row.number for row in pressing(found.house).lines}


def serai(found: World, *words: str) -> tuple[int, str]:
    """Exit code and output of the command line on this retailer."""
    environment = {"SERAI_PROJECT": str(found.house.project.folder), "SERAI_REGISTRY": found.url, "SERAI_USER": "Dana"}
    done = CliRunner().invoke(app, list(words), env=environment)
    return done.exit_code, done.output + (str(done.exception) if isinstance(done.exception, CannotDecide) else "")


def test_the_command_line_shows_and_decides_orders_without_saying_who_the_buyer_is(retail: World) -> None:
    """P13: what an order waits for, where its goods are, what its channel was told, and nobody's name."""
    with_policy(retail, channels={})
    one, order = offer(retail, "K-12", 12), bought(retail, "K-13", pickup=STORES[0])
    carry(retail)
    code, text = serai(retail, "order", "show", one.number)
    assert code == 0
    assert "offered, authorized" in text
    assert f"line 1: 1 at {WAREHOUSE}" in text
    assert "accept by" in text
    assert serai(retail, "order", "refuse", one.number)[0] == 2
    assert "--reason is one of" in serai(retail, "order", "refuse", one.number, "--reason", "mood")[1]
    assert serai(retail, "order", "refuse", one.number, "--reason", "price", "--note", "typo")[0] == 0
    assert held(retail, "K-12") == []
    text = serai(retail, "order", "show", order.number)[1]
    assert f"delivery: pickup {STORES[0]}" in text
    assert f"line 1: 1 at {STORES[0]}" in text      # where the buyer comes to, whatever policy says of routing
    assert serai(retail, "order", "ready", order.number)[0] == 0
    assert "NOT told" in serai(retail, "order", "show", one.number)[1]
    carry(retail)
    shown = [serai(retail, "order", "show", name, *more)[1] for name in (one.number, order.number)
             for more in ((), ("--json",))]
    assert "refused by desk (price: typo); market-kz told at" in shown[0]
    assert json.loads(shown[1])["decisions"][0]["kind"] == "refused"
    assert json.loads(shown[3])["only_the_channel_refunds"] is None
    assert not [text for text in shown for secret in ("Ким", "Buyer12", "buyer@", "+7701") if secret in text]
    code, text = serai(retail, "returnable", order.number, "--at", STORES[0])
    assert code == 1
    assert "no, do not take it: nothing of it is with the buyer" in text
    code, text = serai(retail, "deadlines", "--json")
    assert code == 0
    assert {"decision": "refused", "reason": "price", "orders": 1} in json.loads(text)["decisions"]


def test_an_offer_is_not_accepted_while_another_channel_may_still_sell_its_goods(tmp_path: Path) -> None:
    """P8: three buyers of two pieces on two channels at the same moment; nobody is promised what is not there."""
    with fresh_sqlite(tmp_path) as url, world(tmp_path, url, seed=7) as found:
        found.goods("KTL-1", on_hand=2)
        allot(found, {name: replace(row, allocation="hard") for name, row in found.desk.project.stock.items()})
        found.go_live()
        assert (found.shown("shop", "KTL-1"), found.shown("market", "KTL-1")) == (1, 1)
        rules = found.desk.project.fulfilment.of("market-kz")
        eager = replace(rules, terms=replace(rules.terms, soon=timedelta(hours=2)))
        with_policy(found, channels={"market-kz": eager})       # somebody is told at once; that answers nothing
        offers = [offer(found, "KTL-1", n) for n in range(2)]
        found.people.temper("shop", "drop", next=100)
        bought(found, "KTL-1")
        found.hear()
        assert decided(found) == {("accepted", None): 1}
        for resource in ("customers", "orders"):
            found.step("pull", "shop-kz", resource)
        for _ in range(2):
            found.drain()
            lapse(found.house)
        found.drain()
        assert sorted(kind for _, kind, _ in told(found, *offers)) == ["ACCEPTED", "REFUSED"]
        assert sum(int(quantity) for _, quantity in held(found, "KTL-1")) == 2
        assert found.shown("shop", "KTL-1") == found.shown("market", "KTL-1") == 0
