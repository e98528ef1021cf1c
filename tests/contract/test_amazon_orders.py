"""Orders on the simulated Amazon: late, pending, sent by Amazon, in parcels, cancelled, back, paid out, and told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from connectors.amazon_reports import settlement
from connectors.base import Request, Write
from connectors.errors import Forged, ShapeChanged
from deployments.sandbox.amazon import documents
from deployments.sandbox.amazon.acts import ACTS
from deployments.sandbox.amazon.server import Running
from mappings.commerce.orders.balance import imbalance
from mappings.commerce.orders.settlement import unsettled
from tests.contract.amazon_market import NOW, Moving, connect, inward, parcel, serving
from tests.listening import listening


@pytest.fixture
def clock() -> Moving:
    return Moving()


@pytest.fixture
def running(clock: Moving) -> Iterator[Running]:
    with serving(clock) as found:
        yield found


def test_an_order_is_found_although_searches_are_two_minutes_behind(running: Running, clock: Moving) -> None:
    """P1: what changed a minute before a read is not behind the next read's window; by its id it is there at once."""
    running.market.order_lag = 120
    connector = connect(running, clock)
    early = ACTS["order"](running.market, {"lines": [{"sku": "K0", "quantity": 1}], "name": "Dina"})["id"]
    clock.on(seconds=121)
    late = ACTS["order"](running.market, {"lines": [{"sku": "K1", "quantity": 1}], "name": "Dina"})["id"]
    pages = list(connector.read("orders"))
    assert [doc["orderId"] for page in pages for doc in page.docs] == [early]
    assert connector.fetch("orders", [late])[late] is not None
    clock.on(seconds=121)
    found = [doc["orderId"] for page in connector.read("orders", pages[-1].cursor) for doc in page.docs]
    assert late in found
    assert connector.resources["orders"].lag > 120


def test_an_order_that_comes_on_two_pages_is_no_end_of_the_list(running: Running) -> None:
    """P1: pages overlap where orders move meanwhile; every order is there."""
    bought = {"lines": [{"sku": "K0", "quantity": 1}], "name": "D"}
    placed = [ACTS["order"](running.market, bought)["id"] for _ in range(5)]
    running.market.repeats = True
    pages = list(connect(running, settings={"page_size": 2}).read("orders"))
    found = [doc["orderId"] for page in pages for doc in page.docs]
    assert set(found) == set(placed)
    assert len(found) > len(placed)


def test_an_order_balances_whatever_it_holds(running: Running) -> None:
    """Discount, delivery and tax of a marketplace's order come to what its buyer paid, to the minor unit."""
    lines = [{"sku": "K0", "quantity": 3, "discount": "1000", "shipping": "500", "tax": "0.16"},
             {"sku": "K1", "quantity": 1}]  # fmt: skip
    made = ACTS["order"](running.market, {"name": "Dina", "lines": lines})
    (doc,) = [doc for page in connect(running).read("orders") for doc in page.docs]
    known = {("variant", "K0"): "v0", ("variant", "K1"): "v1"}
    (order,) = [one.values for one in inward("orders", [doc], known).records if one.entity == "order"]
    assert order["total"]["amount"] == made["total"]
    assert imbalance(order) is None


def test_a_pending_order_is_held_at_no_price_until_it_is_paid(running: Running) -> None:
    """P8: it has no price and no buyer before, and its goods are sold; nothing is invented for it but that."""
    id = ACTS["order"](running.market, {"lines": [{"sku": "K0", "quantity": 2}], "name": "Dina", "pending": True})["id"]
    connector, known = connect(running), {("variant", "K0"): "v0"}
    doc = connector.fetch("orders", [id])[id]
    assert doc is not None
    assert "proceeds" not in doc
    assert "buyer" not in doc
    (held,) = [one.values for one in inward("orders", [doc], known).records]
    assert (held["status"], held["payment"], held["total"]["amount"]) == ("held", "open", "0.00")
    assert [(line["variant"], line["quantity"]["value"]) for line in held["lines"]] == [("v0", "2")]
    assert imbalance(held) is None
    ACTS["pay"](running.market, {"id": id})
    paid = connector.fetch("orders", [id])[id]
    assert paid is not None
    (order,) = [one.values for one in inward("orders", [paid], known).records]
    assert (order["status"], order["payment"], order["total"]["amount"]) == ("open", "paid", "24980.00")


def test_what_amazon_sends_is_not_ours_to_confirm(running: Running) -> None:
    """AFN: the sale comes from the network's location, handed over; a confirmation of it is refused."""
    id = ACTS["order"](running.market, {"lines": [{"sku": "K0", "quantity": 2}], "name": "D", "warehouse": "X"})["id"]
    connector = connect(running)
    doc = connector.fetch("orders", [id])[id]
    assert doc is not None
    (order,) = inward("orders", [doc], {("variant", "K0"): "v0", ("location", "AFN"): "l9"}).records
    assert (order.values["handed_over"], order.values["location"]) == (True, "l9")
    assert [line["fulfilled_by"] for line in order.values["lines"]] == ["channel"]
    held = [row for page in connector.read("inventory") for row in page.docs]
    assert [(row["sellerSku"], row["inventoryDetails"]["fulfillableQuantity"]) for row in held] == [("K0", 3)]
    (receipt,) = connector.write("shipments", [parcel(doc, 2)])
    assert receipt.outcome == "rejected"
    ACTS["send_own"](running.market, {"id": id})
    assert ACTS["order_state"](running.market, {"id": id})["state"] == "SENT"


def test_parcels_leave_one_by_one_and_the_same_one_only_once(running: Running) -> None:
    """P2: two parcels of three pieces; a repetition of the first corrects nothing and sends nothing."""
    id = ACTS["order"](running.market, {"lines": [{"sku": "K0", "quantity": 3}], "name": "Dina"})["id"]
    connector = connect(running)
    order = connector.fetch("orders", [id])[id]
    assert order is not None
    first, second = parcel(order, 1), parcel(order, 2)
    (sent,) = connector.write("shipments", [first])
    assert sent.outcome == "applied"
    assert running.market.orders[id]["status"] == "PARTIALLY_SHIPPED"
    told = len([entry for entry in running.market.books.after(0) if entry["kind"] == "write"])
    (again,) = connector.write("shipments", [structs.replace(first, attempt=2)])
    assert len([entry for entry in running.market.books.after(0) if entry["kind"] == "write"]) == told
    assert (again.outcome, again.id) == ("applied", sent.id)
    (rest,) = connector.write("shipments", [second])
    assert running.market.orders[id]["status"] == "SHIPPED"
    (more,) = connector.write("shipments", [structs.replace(second, key="third")])
    assert more.outcome == "rejected"
    doc = connector.fetch("orders", [id])[id]
    assert doc is not None
    found = inward("orders", [doc], {("variant", "K0"): "v0"}).records
    assert sorted(one.id for one in found if one.entity == "shipment") == sorted([str(sent.id), str(rest.id)])


def cancel(order: str, reason: str = "NoInventory", **given: Any) -> Write:
    return Write(key=f"c-{order}", op="create", doc={"orderId": order, "reason": reason}, **given)


def test_orders_are_cancelled_by_a_feed_and_their_buyers_told(running: Running, clock: Moving) -> None:
    """P2, P3: one feed for all; the order itself tells that it was done, also when its buyer was faster."""
    market = running.market
    market.feed_lag = 30
    ids = [ACTS["order"](market, {"lines": [{"sku": "K0", "quantity": 1}], "name": "Dina"})["id"] for _ in range(3)]
    own = ACTS["order"](market, {"lines": [{"sku": "K0", "quantity": 1}], "name": "D", "warehouse": "X"})["id"]
    connector = connect(running, clock)
    writes = [cancel(id) for id in (*ids, own, "000-0000000-0000000")]
    receipts = list(connector.write("cancellations", writes))
    assert [one.outcome for one in receipts] == ["accepted"] * 3 + ["rejected"] * 2
    assert len(market.feeds) == 1
    ACTS["cancel"](market, {"id": ids[2]})
    sent = [structs.replace(one, ticket=receipt.ticket) for one, receipt in zip(writes, receipts, strict=True)][:3]
    assert [one.outcome for one in connector.settle("cancellations", sent)] == ["accepted", "accepted", "applied"]
    clock.on(seconds=31)
    assert [one.outcome for one in connector.settle("cancellations", sent)] == ["applied"] * 3
    assert [market.orders[id]["reason"] for id in ids] == ["NoInventory", "NoInventory", "BUYER"]
    assert market.listings["K0"].quantity == 10
    again = [structs.replace(one, attempt=2, ticket=None) for one in writes[:1]]
    assert [one.outcome for one in connector.write("cancellations", again)] == ["applied"]
    told = [entry["id"] for entry in market.books.after(0) if entry["kind"] == "told"]
    assert sorted(told) == sorted(ids)


def test_a_cancellation_that_amazon_refuses_says_why(running: Running) -> None:
    """P6: a reason that is none of Amazon's; nothing was cancelled. A feed that was given up never arrived."""
    market, connector = running.market, connect(running)
    id = ACTS["order"](market, {"lines": [{"sku": "K0", "quantity": 1}], "name": "Dina"})["id"]
    for fate, reason, detail in (("DONE", "Mood", "Amazon did not cancel"), ("FATAL", "NoInventory", "not found")):
        ACTS["fate"](market, {"status": fate})
        write = cancel(id, reason)
        (receipt,) = connector.write("cancellations", [write])
        (end,) = connector.settle("cancellations", [structs.replace(write, ticket=receipt.ticket)])
        assert (end.outcome, end.detail[: len(detail)]) == ("rejected", detail)
    assert market.orders[id]["status"] == "UNSHIPPED"


def test_without_roles_a_buyer_is_asked_for_with_a_restricted_token(running: Running) -> None:
    """P13: without the setting nobody is asked; with it one token serves many orders and opens nothing else."""
    running.market.roles = False
    buyer = {"name": "Dina Akhmetova", "phone": "+77010000001"}
    ids = [ACTS["order"](running.market, {"lines": [{"sku": "K0", "quantity": 1}], **buyer})["id"] for _ in range(2)]
    bare = connect(running).fetch("orders", ids)
    assert all(doc is not None and "buyer" not in doc for doc in bare.values())
    connector = connect(running, settings={"personal": "token"})
    for doc in connector.fetch("orders", ids).values():
        assert doc is not None
        assert doc["buyer"]["buyerName"] == "Dina Akhmetova"
        assert doc["recipient"]["deliveryAddress"]["phone"] == "+77010000001"
    assert len([token for token in running.api.tokens if token.startswith("Atz.sprdt|")]) == 1


def test_a_settlement_report_comes_to_what_was_paid_out(running: Running) -> None:
    """P7: sales, fees, a refund and a correction, packed, from an address of its own; the lines make the total."""
    market = running.market
    lines = [{"sku": "K0", "quantity": 2, "tax": "0.16", "discount": "90"}]
    id = ACTS["order"](market, {"lines": lines, "name": "D"})["id"]
    connector = connect(running)
    order = connector.fetch("orders", [id])[id]
    assert order is not None
    list(connector.write("shipments", [parcel(order, 2)]))
    ACTS["refund"](market, {"id": id, "lines": {"1": 1}})
    ACTS["settle"](market, {"corrections": {id: "-12.34"}})
    (doc,) = [doc for page in connector.read("settlements") for doc in page.docs]
    record, back = inward("settlements", [doc], {("order", id): "o1"}).records
    told = record.values["lines"]
    assert unsettled(record.values) is None
    assert {line["order_number"] for line in told} == {id}
    sums = {kind: sum(Decimal(line["amount"]["amount"]) for line in told if line["kind"] == kind)
            for kind in ("sale", "adjustment", "refund", "fee")}  # fmt: skip
    paid = Decimal("28976.80") - 90         # two for 12,490 each, 16 % tax, 90 off
    assert sums["sale"] == Decimal("28976.80")
    assert sums["adjustment"] == Decimal("-90") + Decimal("-12.34")
    assert sums["refund"] == -paid / 2
    assert sums["fee"] == Decimal("-3466.42")      # 12 %
    (refund,) = back.values["refunds"]
    assert (back.entity, refund["tender"], Decimal(refund["amount"]["amount"])) == ("return", "1", paid / 2)
    assert connector.fetch("settlements", [doc["reportId"], "0"]) == {doc["reportId"]: doc, "0": None}
    ACTS["settle"](market, {})
    assert len([doc for page in connector.read("settlements") for doc in page.docs]) == 2


def test_a_european_report_means_the_same(running: Running) -> None:
    """P7: a comma in the amounts, and days first."""
    head = "\t".join(documents.COLUMNS)
    sale = ["Order", "O1", "O1", "", "", "Amazon.de", "ItemPrice", "Principal", "1.234,50", "MFN", "02.03.2026"]
    rows = ["1\t01.03.2026 00:00:00 UTC\t\t08.03.2026 01:02:03 UTC\t1.234,50\tEUR",
            "\t".join(["1", *[""] * 5, *sale, "02.03.2026 05:00:00 UTC"])]  # fmt: skip
    doc = settlement({"reportId": "R", "createdTime": "2026-03-08T02:00:00Z"}, "\r\n".join([head, *rows]))
    assert (doc["total"], doc["rows"][0]["amount"]) == ("1234.50", "1234.50")
    assert (doc["start"], doc["end"], doc["depositDate"]) == (
        "2026-03-01T00:00:00+00:00", None, "2026-03-08T01:02:03+00:00")  # fmt: skip
    with pytest.raises(ShapeChanged, match="it has no amount"):
        settlement({"reportId": "R", "createdTime": "x"}, "settlement-id\ttotal-amount\tcurrency\n1\t2\tEUR")


def test_returns_are_taken_when_the_goods_are_back(running: Running) -> None:
    """A return on its way is not one yet."""
    market = running.market
    bought = [{"sku": "K0", "quantity": 2}, *[{"sku": "K1", "quantity": 1}] * 2]
    id = ACTS["order"](market, {"lines": bought, "name": "D"})["id"]
    connector = connect(running)
    order = connector.fetch("orders", [id])[id]
    assert order is not None
    items = [{"orderItemId": item["orderItemId"], "quantity": item["quantityOrdered"]} for item in order["orderItems"]]
    whole = parcel(order, 2)
    list(connector.write("shipments", [structs.replace(whole, doc={**whole.doc, "orderItems": items})]))
    ACTS["refund"](market, {"id": id, "lines": {"1": 1}})
    ACTS["refund"](market, {"id": id, "lines": {"2": 1}})
    ACTS["refund"](market, {"id": id, "lines": {"1": 1}, "status": "IN_TRANSIT"})
    docs = [doc for page in connector.read("returns") for doc in page.docs]
    found = inward("returns", docs, {("order", id): "o1"})
    assert [back.values["order"] for back in found.records] == ["o1", "o1"]
    named = {back.values["lines"][0].get("line") for back in found.records}
    assert named == {order["orderItems"][0]["orderItemId"], None}      # two items of the second SKU: neither is it
    assert [skip.reason for skip in found.skips] == ["the goods are not back yet"]
    assert connector.fetch("returns", [docs[0]["id"]])[docs[0]["id"]] == docs[0]


def test_what_the_queue_carries_names_what_changed(running: Running) -> None:
    """P2: a sale is told as its order and its listing; the key proves the sender, and each is fetched."""
    connector = connect(running)
    with listening(lambda: NOW) as ear:
        url = f"{ear.url}/hooks/market-kz"
        for _ in range(2):
            connector.subscribe(url)
        assert (len(running.market.destinations), len(running.market.subscriptions)) == (1, 6)
        running.queue.carried_to(url)
        id = ACTS["order"](running.market, {"lines": [{"sku": "K0", "quantity": 10}], "name": "D"})["id"]
        ACTS["store"](running.market, {"sku": "K0", "delta": 1})
        ACTS["settle"](running.market, {})
        assert running.queue.settled(10)
        told = {(notice.resource, notice.id) for request in ear.heard for notice in connector.receive(request).notices}
    (report,) = running.market.reports
    assert told == {("orders", id), ("listings", "K0"), ("inventory", "K0"), ("settlements", report)}
    first = ear.heard[0]
    for key in ("", "guess"):
        with pytest.raises(Forged):
            connector.receive(carried(first, {**first.headers, "x-api-key": key}, first.body))
    for wrapped in ({"detail": json.loads(first.body)}, [{"body": first.body.decode()}],
                    {"Records": [{"body": first.body.decode()}]}):  # fmt: skip
        again = connector.receive(carried(first, first.headers, json.dumps(wrapped).encode()))
        assert again.notices == connector.receive(first).notices
    strange = carried(first, first.headers, b'{"NotificationType": "ANY_OFFER_CHANGED", "Payload": {}}')
    assert connector.receive(strange).notices == []
    other = first.body.replace(running.market.seller.encode(), b"A9SOMEBODY")
    assert connector.receive(carried(first, first.headers, other)).notices == []
    with pytest.raises(ShapeChanged):
        connector.receive(carried(first, first.headers, b"<html>"))


def carried(request: Request, headers: Mapping[str, str], body: bytes) -> Request:
    return Request(method="POST", url=request.url, query={}, headers=headers, body=body, at=request.at)
