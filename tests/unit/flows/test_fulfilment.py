"""Orders are answered, placed and dated inside the transaction that takes them, and their buyers are told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from flows import steps
from flows.desk import CannotDecide, decide, returnable, show_order
from flows.lapse import lapse
from mappings.commerce.fulfilment.policy import Fulfilment
from mappings.commerce.fulfilment.routing import Routing
from registry import Tx, deadline_counts, decision_counts, parked, records_where, reserved
from tests.scenario.world import STORES, WAREHOUSE, World

QUARTER = 900.0


def told(found: World, system: str = "market") -> list[tuple[str, str, str | None]]:
    """(order, kind, reason) of every decision that arrived at a system, in the order of arrival."""
    return [(doc["orderId"], doc["kind"], doc["reason"]) for doc in found.sandbox.systems[system].docs("decisions")]


def state(found: World, system: str, id: str) -> str:
    doc = found.sandbox.systems[system].get("orders", id)
    return str(doc["state" if system == "market" else "status"])


def all_to(found: World, channel: str) -> None:
    """This channel shows everything there is, the other one nothing."""
    allot(found, {name: replace(row, share=Decimal(name == channel))
                  for name, row in found.desk.project.stock.items()})


def allot(found: World, policies: Any) -> None:
    """What each channel may show is another from now on."""
    for house in (found.desk, found.house):
        house.project = replace(house.project, stock=policies)


def erp_numbers(found: World) -> list[str]:
    return [doc["source_number"] for doc in found.sandbox.systems["erp"].docs("orders")]


def with_policy(found: World, **change: Any) -> None:
    """The retailer's fulfilment policy is another one from now on; also for the worker."""
    policy = replace(found.desk.project.fulfilment, **change)
    for house in (found.desk, found.house):
        house.project = replace(house.project, fulfilment=policy)


def held(found: World, sku: str) -> list[tuple[str, str]]:
    """(place, quantity) of what is promised of an article."""
    with found.registry.read() as tx:
        variant = next(row.uid for row in records_where(tx, "variant") if row.values["sku"] == sku)
        places = {row.uid: row.values["code"] for row in records_where(tx, "location")}
        return [(places[place or ""], str(quantity)) for _, place, quantity, _ in reserved(tx, [variant])[variant]]


def test_of_two_buyers_of_the_last_kettle_one_is_accepted_and_the_other_refused_and_told(retail_on_each: World) -> None:
    """P8: both offers came before either was answered; one piece, one yes, one no with its reason, nothing parked."""
    found = retail_on_each
    found.goods("KTL-1", on_hand=1)
    all_to(found, "market-kz")
    found.go_live()
    offers = [
        found.people.buy_on_market({"KTL-1": 1}, name=f"Buyer{n}", phone=f"+770112345{n:02d}", accept_within=QUARTER)
        for n in range(2)
    ]
    found.drain()
    answers = sorted((kind, reason) for _, kind, reason in told(found))
    assert answers == [("ACCEPTED", None), ("REFUSED", "OUT_OF_STOCK")]
    assert sorted(state(found, "market", offer.id) for offer in offers) == ["ACCEPTED", "REFUSED"]
    assert len({order for order, _, _ in told(found)}) == 2
    accepted = next(order for order, kind, _ in told(found) if kind == "ACCEPTED")
    assert erp_numbers(found) == [accepted]
    assert found.parked() == []
    assert held(found, "KTL-1") == [(WAREHOUSE, "1")]
    before = len(told(found))
    found.full_round()
    found.drain()
    assert len(told(found)) == before
    with found.registry.read() as tx:
        assert decision_counts(tx) == {("accepted", None): 1, ("refused", "out_of_stock"): 1}
        assert deadline_counts(tx, found.clock.now()) == {}


def test_an_offer_is_not_accepted_while_another_channel_may_still_sell_its_goods(retail_on_each: World) -> None:
    """P8: three buyers of two pieces on two channels at the same moment; nobody is promised what is not there."""
    found = retail_on_each
    found.goods("KTL-1", on_hand=2)
    allot(found, {name: replace(row, allocation="hard") for name, row in found.desk.project.stock.items()})
    found.go_live()
    shown = {system: found.shown(system, "KTL-1") for system in ("shop", "market")}
    assert sum(shown.values()) <= 2
    offers = [
        found.people.buy_on_market({"KTL-1": 1}, name=f"Buyer{n}", phone=f"+770112345{n:02d}", accept_within=QUARTER)
        for n in range(2) if shown["market"] > 0
    ]
    found.people.temper("shop", "drop", next=100)
    order = found.buy("shop", {"KTL-1": 1}) if shown["shop"] > 0 else None
    found.hear()
    first = [kind for _, kind, _ in told(found)]
    for resource in ("customers", "orders"):
        found.step("pull", "shop-kz", resource)
    for _ in range(3):
        found.drain()
        lapse(found.house)
    served = [kind for _, kind, _ in told(found)].count("ACCEPTED") + (order is not None)
    assert first.count("ACCEPTED") <= 1
    assert served == 2
    assert len(told(found)) == len(offers)
    assert sum(int(quantity) for _, quantity in held(found, "KTL-1")) == 2
    assert found.shown("shop", "KTL-1") == found.shown("market", "KTL-1") == 0


def test_an_offer_that_waits_for_a_person_is_soon_late_then_late_and_no_other_channel_hears_of_it(
    retail: World
) -> None:
    """accept_by is the marketplace's own; a person's yes reaches it, and only then the ERP."""
    retail.goods("KTL-1")
    retail.go_live()
    with_policy(retail, channels={})
    offer = retail.people.buy_on_market({"KTL-1": 1}, name="Ким", phone="+77011234500", accept_within=2 * 3600)
    retail.drain()
    assert told(retail) == []
    assert erp_numbers(retail) == []
    assert held(retail, "KTL-1") == [(WAREHOUSE, "1")]
    words = []
    for minutes in (30, 90, 125):
        with retail.registry.read() as tx:
            placed = retail.clock.now()
            words.append(deadline_counts(tx, placed + timedelta(minutes=minutes)).keys())
    assert [set(one) for one in words] == [set(), {("market-kz", "accept", "soon")}, {("market-kz", "accept", "late")}]
    sentence = decide(retail.house, offer.number, "accepted", who="Aigerim")
    assert "market-kz is told" in sentence
    assert "nothing to do" in decide(retail.house, offer.number, "accepted", who="Dana")
    with pytest.raises(CannotDecide, match="was accepted before"):
        decide(retail.house, offer.number, "refused", who="Dana", reason="price")
    retail.drain()
    assert told(retail) == [(offer.id, "ACCEPTED", None)]
    assert erp_numbers(retail) == [offer.number]
    with pytest.raises(CannotDecide, match="only an offer"):
        decide(retail.house, offer.number, "refused", who="Dana", reason="price")


def test_an_erps_cancellation_reaches_the_channel_of_origin_with_its_reason_and_is_counted(
    retail_on_each: World
) -> None:
    """The gap that copy loops leave: the buyer hears from the shop that nothing comes, and why; the goods are free."""
    found = retail_on_each
    found.goods("KTL-1", on_hand=10)
    found.go_live()
    shop, market = found.buy("shop", {"KTL-1": 1}), found.buy("market", {"KTL-1": 1})
    found.drain()
    assert sorted(erp_numbers(found)) == sorted([shop.number, market.number])
    for order in (shop, market):
        found.people.cancel_sale(source_number=order.number, reason="OUT_OF_STOCK")
    found.drain()
    assert told(found, "shop") == [(shop.id, "CANCELLED", "OUT_OF_STOCK")]
    assert told(found) == [(market.id, "CANCELLED", "OUT_OF_STOCK")]
    assert state(found, "shop", shop.id) == "CANCELLED"
    assert state(found, "market", market.id) == "CANCELLED"
    assert held(found, "KTL-1") == []
    with found.registry.read() as tx:
        assert decision_counts(tx) == {("cancelled", "out_of_stock"): 2}
    found.full_round()
    found.drain()
    assert len(told(found)) == len(told(found, "shop")) == 1


def test_a_buyers_own_cancellation_is_not_told_back(retail: World) -> None:
    """P4: what the channel of origin said goes to the others, never to itself."""
    retail.goods("KTL-1")
    retail.go_live()
    order = retail.buy("market", {"KTL-1": 1})
    retail.drain()
    retail.people.cancel_on_market(order.id)
    retail.drain()
    assert told(retail) == []
    assert [doc["state"] for doc in retail.sandbox.systems["erp"].docs("orders")] == ["cancelled"]


def unpaid_order(found: World, **how: Any) -> Any:
    return found.people.buy_in_shop({"KTL-1": 1}, email="buyer@example.kz", name="Ким", phone="+77011234501", **how)


def test_an_unpaid_credit_expires_at_its_moment_its_goods_are_free_and_its_buyer_is_told(retail_on_each: World) -> None:
    """Only unpaid and uncollected reservations expire; a paid order beside it stays."""
    found = retail_on_each
    found.goods("KTL-1", on_hand=10)
    found.go_live()
    paid = found.buy("shop", {"KTL-1": 1}, 2)
    waiting = unpaid_order(found, pay="INSTALMENT", sign_within=3600.0)
    found.drain()
    assert erp_numbers(found) == [paid.number]
    assert held(found, "KTL-1") == [(WAREHOUSE, "1")] * 2
    assert lapse(found.house).read == 0
    found.pass_time(3601)
    ledger = lapse(found.house)
    assert (ledger.read, ledger.total("updated")) == (1, 1)
    assert held(found, "KTL-1") == [(WAREHOUSE, "1")]
    found.drain()
    assert told(found, "shop") == [(waiting.id, "CANCELLED", "UNPAID")]
    assert state(found, "shop", waiting.id) == "CANCELLED"
    assert state(found, "shop", paid.id) != "CANCELLED"
    assert lapse(found.house).read == 0
    found.pass_time(10 * 86_400)
    assert lapse(found.house).total("updated") == 0


def test_a_payment_that_was_not_read_yet_is_not_answered_by_a_cancellation(retail: World) -> None:
    """The order is read once more before it ends."""
    retail.goods("KTL-1")
    retail.go_live()
    order = unpaid_order(retail, pay="INSTALMENT", sign_within=3600.0)
    retail.drain()
    retail.people.temper("shop", "drop", next=100)
    retail.people.sign(order.id)
    retail.pass_time(3601)
    assert lapse(retail.house).total("updated") == 0
    assert told(retail, "shop") == []
    assert held(retail, "KTL-1") == [(WAREHOUSE, "1")]


def test_a_pickup_is_announced_only_after_somebody_in_the_store_has_the_goods(retail: World) -> None:
    """Click & collect: reserved in the store, sent to the ERP with its place, and silent until a person confirms."""
    retail.goods("KTL-1")
    retail.go_live()
    order = unpaid_order(retail, pickup=STORES[0])
    retail.drain()
    assert held(retail, "KTL-1") == [(STORES[0], "1")]
    entered = next(iter(retail.sandbox.systems["erp"].docs("orders")))
    assert entered["location"] == STORES[0]
    assert told(retail, "shop") == []
    with pytest.raises(CannotDecide, match="a buyer is told why"):
        decide(retail.house, order.number, "cancelled", who="Dana")
    decide(retail.house, order.number, "ready", who="Dana in the store")
    retail.drain()
    assert told(retail, "shop") == [(order.id, "READY", None)]
    shown = show_order(retail.house, order.number)
    assert {row.kind for row in shown.deadlines if row.state == "open"} == {"collect"}
    assert [one.told is not None for one in shown.decisions] == [True]


def test_goods_that_nobody_collects_go_back_on_sale_and_the_buyer_hears_why(retail: World) -> None:
    """collect_by runs from the announcement; afterwards the order ends as not collected."""
    retail.goods("KTL-1")
    retail.go_live()
    order = unpaid_order(retail, pickup=STORES[0])
    retail.drain()
    retail.pass_time(20 * 86_400)
    assert lapse(retail.house).read == 0
    decide(retail.house, order.number, "ready", who="Dana in the store")
    retail.drain()
    retail.pass_time(10 * 86_400)
    assert lapse(retail.house).total("updated") == 1
    retail.drain()
    assert told(retail, "shop")[-1] == (order.id, "CANCELLED", "NOT_COLLECTED")
    assert held(retail, "KTL-1") == []


def routed(found: World, *places: str, **more: Any) -> None:
    rules = found.desk.project.fulfilment.of("shop-kz")
    with_policy(
        found, routing={"stores": Routing(places=places, **more)},
        channels={"shop-kz": replace(rules, routing={"ship": "stores", "pickup": "stores"})},
    )


def test_an_order_is_sent_from_the_place_that_has_it(retail_on_each: World) -> None:
    """Ship from store: the warehouse is empty, the second store has the goods, the ERP is told which."""
    found = retail_on_each
    found.goods("KTL-1", on_hand=6)
    found.go_live()
    routed(found, WAREHOUSE, *STORES)
    found.buy("shop", {"KTL-1": 1}, 1)
    found.drain()
    assert held(found, "KTL-1") == [(WAREHOUSE, "1")]
    found.people.receive_goods("KTL-1", WAREHOUSE, -6)
    found.people.receive_goods("KTL-1", STORES[0], -5)
    found.step("pull", "erp-kz", "stock")
    second = unpaid_order_of_stock_seen_before(found)
    found.drain()
    assert (STORES[1], "1") in held(found, "KTL-1")
    sent = {doc["source_number"]: doc["location"] for doc in found.sandbox.systems["erp"].docs("orders")}
    assert sent[second.number] == STORES[1]


def unpaid_order_of_stock_seen_before(found: World) -> Any:
    """Somebody buys while the shop still shows the older figure."""
    return unpaid_order(found)


def test_an_order_no_place_can_serve_is_parked_with_the_remedy_keeps_its_goods_and_goes_on_by_itself(
    retail: World
) -> None:
    """The pickup store has none; when goods arrive there the order is placed and sent without anybody's help."""
    retail.goods("KTL-1", on_hand=6)
    retail.go_live()
    retail.people.receive_goods("KTL-1", STORES[0], -5)
    retail.drain()
    order = unpaid_order(retail, pickup=STORES[0])
    retail.drain()
    assert erp_numbers(retail) == []
    with retail.registry.read() as tx:
        (row,) = parked(tx, "erp-kz")
    assert row.message == f"{STORES[0]} does not hold the goods"
    assert row.remedy is not None
    assert "move goods there" in row.remedy
    assert len(held(retail, "KTL-1")) == 1
    assert lapse(retail.house).total("updated") == 0
    retail.people.receive_goods("KTL-1", STORES[0], 2)
    retail.drain()
    assert lapse(retail.house).total("updated") == 1
    retail.drain()
    assert erp_numbers(retail) == [order.number]
    assert retail.parked() == []
    assert held(retail, "KTL-1") == [(STORES[0], "1")]


def statements(found: World, orders: Sequence[dict[str, Any]]) -> int:
    """How many statements it takes to accept a page of offers."""
    counts: list[int] = []

    def work(tx: Tx) -> None:
        from flows.accept import accept_page

        account = found.house.account("market-kz", "orders", "inward")
        now = found.house.registry.now()
        begun = tx.statements
        accept_page(found.house, tx, account, "market-kz", "orders", orders, now, now)
        counts.append(tx.statements - begun)

    found.registry.attempt(work)
    return counts[0]


def test_a_page_of_offers_costs_the_same_number_of_statements_whatever_it_holds(retail_on_each: World) -> None:
    """Twice as many offers answered, placed and dated take no statement more."""
    found = retail_on_each
    found.goods("KTL-1", on_hand=60)
    all_to(found, "market-kz")
    found.go_live()
    one = found.people.buy_on_market({"KTL-1": 1}, name="Ким", phone="+77011234500", accept_within=QUARTER)
    doc = found.sandbox.systems["market"].get("orders", one.id)

    def page(first: int, size: int) -> list[dict[str, Any]]:
        return [{**json.loads(json.dumps(doc)), "orderId": f"MK-{first + n}"} for n in range(size)]

    few, many = statements(found, page(1_000, 80)), statements(found, page(2_000, 160))
    assert many <= few
    with found.registry.read() as tx:
        assert decision_counts(tx) == {("accepted", None): 60, ("refused", "out_of_stock"): 180}


def test_a_desk_is_told_before_it_takes_goods_whether_it_may_refund(retail: World) -> None:
    """Bought online with a gift card and a card, brought to a store: each gets its own back."""
    retail.goods("KTL-1")
    retail.go_live()
    order = unpaid_order(retail)
    market = retail.buy("market", {"KTL-1": 1}, 4)
    retail.drain()
    assert returnable(retail.house, order.number, STORES[0]).because == "nothing of it is with the buyer"
    for placed in (order, market):
        retail.people.ship(source_number=placed.number)
    retail.drain()
    answer = returnable(retail.house, order.number, STORES[0])
    assert answer.allowed, answer
    with pytest.raises(CannotDecide, match="there is no place"):
        returnable(retail.house, order.number, "nowhere")
    with pytest.raises(CannotDecide, match="no order goes by"):
        returnable(retail.house, "4711", STORES[0])


def test_a_project_without_the_policy_answers_dates_and_routes_nothing(retail: World) -> None:
    """No file, no rule: an offer waits for a person, nothing expires."""
    retail.goods("KTL-1")
    retail.go_live()
    for house in (retail.desk, retail.house):
        house.project = replace(house.project, fulfilment=Fulfilment())
    offer = retail.people.buy_on_market({"KTL-1": 1}, name="Ким", phone="+77011234500", accept_within=QUARTER)
    retail.drain()
    assert told(retail) == []
    shown = show_order(retail.house, offer.number)
    assert shown.order["status"] == "offered"
    assert datetime.now(UTC) < shown.deadlines[0].due_at
    assert steps.push(retail.house, "market-kz", "decision").read == 0
