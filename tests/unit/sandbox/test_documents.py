"""Whatever is done to the systems, their replies keep to the native formats that the mappings are written against."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings, strategies as st

import deployments
from deployments.demo.data import LAST_KETTLE
from deployments.sandbox import Sandbox, start_sandbox
from deployments.sandbox.people import People, Refusal
from tests.unit.sandbox.conftest import Ask, asking

MAPPINGS = Path(deployments.__file__).parents[1] / "mappings"
LISTS = {
    "erp": lambda name, body: body["items"],
    "crm": lambda name, body: body["results"],
    "shop": lambda name, body: body[name],
    "pos": lambda name, body: body,
    "market": lambda name, body: body["result"]["items"],
}


def native(system: str, resource: str) -> dict[str, Any]:
    path = MAPPINGS / f"sandbox_{system}" / f"{resource}.schema.json"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def checked(system: str, resource: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(native(system.removesuffix("_bg"), resource))


def an_act(people: People, dice: random.Random, sku: str, n: int) -> None:
    """One of the things that people do."""
    act = dice.randrange(7)
    if act == 0:
        people.buy_in_shop({sku: 1}, email=f"N{n}@Example.kz", name="Әсел Ким", phone=None)
    elif act == 1:
        people.buy_on_market({sku: 2}, name="Assel Kim", phone=f"70155500{n:02d}")
    elif act == 2:
        people.sell_at_till("almaty-2", {sku: 1}, phone="87015550011")
    elif act == 3:
        people.set_price(sku, f"{dice.randrange(1000, 90000)}.5")
    elif act == 4:
        people.count_stock(sku, "almaty-1", dice.randrange(0, 9))
    elif act == 5:
        people.rename_item(sku, f"Шәйнек {n}")
    else:
        people.list_by_hand(f"HAND-{n}", "Ручная работа", "1990", 2)


def a_busy_day(people: People, seed: int) -> None:
    """Forty seeded acts; what cannot be sold is refused, nothing else is."""
    dice = random.Random(seed)
    skus = [doc["sku"] for doc in people.books("market") if doc["kind"] == "shown"]
    refusals = []
    for n in range(40):
        try:
            an_act(people, dice, dice.choice(skus), n)
        except Refusal as refusal:
            refusals.append(refusal.code)
    assert set(refusals) <= {"sold_out", "not_sold", "not_found", "unknown_item"}
    assert len(refusals) < 20


def every_way_to_buy(people: People, ask: Ask, sku: str) -> None:
    """Offers, channel-held goods, collecting, instalments, cash, decisions, refunds, shifts, returns: one of each."""
    people.edit("market", "stocks", sku, {"available": "5"})
    offer = people.buy_on_market({sku: 1}, name="ნინო ბერიძე", accept_within=60)
    assert ask("market", "POST", "/decisions", {"orderId": offer.id, "kind": "ACCEPTED"}).status == 201
    people.store_at_market(sku, 2)
    own = people.buy_on_market({sku: 1}, name="Eka", warehouse="MKT-ALM").id
    people.send_from_market(own)
    people.refund_on_market(own, {"1": 1})
    assert people.settle(corrections={own: "-1.50"})["total"]["currency"] == "KZT"
    people.edit("shop", "inventory", shop_id(people, ask, sku), {"available": 9})
    how = {"email": "eka@example.ge", "name": "ეკა ლომიძე"}
    gift = people.buy_in_shop({sku: 2}, gift_card=500, coupon={"code": "NAURYZ", "amount": 100}, **how)
    people.pay_courier(people.buy_in_shop({sku: 1}, pay="CASH_ON_DELIVERY", cash_fee=50000, **how).id)
    people.sign(people.buy_in_shop({sku: 1}, pay="INSTALMENT", **how).id)
    ready = people.buy_in_shop({sku: 1}, pickup="astana-1", **how)
    assert ask("shop", "POST", "/decisions", {"orderId": ready.id, "kind": "READY"}).status == 201
    refund = {"orderId": gift.id, "at": "2026-03-01T09:00:00Z", "lines": []}
    payments = [{"id": "1", "tenderId": "1", "amountMinor": 20000}]
    assert ask("shop", "POST", "/refunds", {**refund, "payments": payments}).status == 201
    people.cut_off("astana-1")
    people.sell_at_till("astana-1", {sku: 1})
    people.back_online("astana-1")
    known: dict[str, Any] = {"reference": "k-1", "number": "1099", "total": 10}
    known["rows"] = [{"line": "1", "sku": sku, "qty": 1, "sum": 10}]
    assert ask("pos", "POST", "/online_orders", known).status == 201
    assert people.bring_back("astana-1", "1099", {"1": 1}) == 10
    shelf = {"store": ask("pos", "GET", "/stores").body[0]["id"], "sku": sku, "units": 3}
    assert ask("pos", "POST", "/shelves", shelf).status == 201
    assert people.exchange("astana-1", {"1": 1}, {sku: 1}, number="1099")["refunds"] == [{"n": 1, "sum": 10}]
    sold = people.buy_in_shop({bg_sku(ask): 1}, shop="shop_bg", email="ivan@example.bg", name="Иван Петров")
    assert ask("shop_bg", "POST", "/decisions", {"orderId": sold.id, "kind": "ACCEPTED"}).status == 201
    paid = [{"id": "1", "tenderId": "1", "amountMinor": 100}]
    assert ask("shop_bg", "POST", "/refunds", {**refund, "orderId": sold.id, "payments": paid}).status == 201


def shop_id(people: People, ask: Ask, sku: str) -> str:
    books = people.books("shop")
    assert any(entry.get("sku") == sku for entry in books)
    after = ""
    while True:
        body = ask("shop", "GET", "/variants", query={"after": after} if after else {}).body
        found = [doc["id"] for doc in body["variants"] if doc["sku"] == sku]
        if found:
            return str(found[0])
        after = body["pageInfo"]["endCursor"]


def sold_everywhere(sandbox: Sandbox) -> str:
    known = [{doc["sku"] for doc in sandbox.systems["shop"].docs("variants")}]
    known += [set(sandbox.systems["market"].tables["offers"].rows), set(sandbox.systems["pos"].tables["prices"].rows)]
    return min(set.intersection(*known))


def bg_sku(ask: Ask) -> str:
    shown = ask("shop_bg", "GET", "/inventory").body["inventory"]
    first = next(doc["variantId"] for doc in shown if doc["available"] > 0)
    return str(ask("shop_bg", "GET", f"/variants/{first}").body["sku"])


EMPTY_AT_FIRST = {
    ("shop", "fulfilments"), ("market", "shipments"), ("shop_bg", "fulfilments"), ("erp_bg", "customers"),
    ("crm", "points"), ("crm", "campaigns"), ("shop", "coupons"), ("shop_bg", "coupons"), ("shop", "reviews"),
    ("shop_bg", "reviews"), ("pos", "cards"), ("erp_bg", "orders"), ("erp_bg", "shipments"), ("erp_bg", "returns"),
}


def test_every_reply_keeps_to_its_schema_after_a_busy_day(sandbox: Sandbox, ask: Ask, people: People) -> None:
    """The formats are a contract: every document of every resource validates, opening data and after acts."""
    a_busy_day(people, seed=3)
    sale = {"ordered_at": "2026-03-01T09:00:00Z", "state": "confirmed", "paid": "yes", "currency": "KZT"}
    line = {"ref": "1", "item": "007", "qty": "1", "price": "10", "sum": "10"}
    people.receive_goods("007", "almaty-wh", 5)
    number = ask("erp", "POST", "/orders", {**sale, "lines": [line], "total": "10"}).body["number"]
    people.deliver(people.ship(order=number).number)
    back = {"order": number, "location": "astana-1", "returned_at": "2026-03-02T09:00:00Z", "refunds": [], "total": "0"}
    goods = [{"ref": "1", "order_line": "1", "qty": "1", "sum": "0", "to": "quarantine"}]
    assert ask("erp", "POST", "/returns", {**back, "lines": goods}).status == 201
    every_way_to_buy(people, ask, sold_everywhere(sandbox))
    seen = 0
    for system, running in sandbox.systems.items():
        for resource, table in running.tables.items():
            validator = checked(system, resource)
            docs = LISTS[system.removesuffix("_bg")](resource, ask(system, "GET", f"/{resource}").body)
            assert docs or (system, resource) in EMPTY_AT_FIRST
            alone = [ask(system, "GET", f"/{resource}/{id}").body for id in list(table.rows)[-3:]]
            for doc in [*docs, *alone]:
                validator.validate(doc)
                seen += 1
    assert seen > 800


def test_what_the_seller_says_reaches_the_buyer_once_and_in_time(ask: Ask, people: People) -> None:
    """An offer keeps the listing, is answered once and until its time is over; who is refused is told why."""
    people.edit("market", "stocks", LAST_KETTLE, {"available": "1"})
    first, second = (people.buy_on_market({LAST_KETTLE: 1}, name=name, accept_within=60) for name in ("Ana", "Eka"))
    late = people.buy_on_market({LAST_KETTLE: 1}, name="Nino", accept_within=0)
    accepted = {"orderId": first.id, "kind": "ACCEPTED", "reference": "a"}
    assert [ask("market", "POST", "/decisions", accepted).status for _ in range(2)] == [201, 200]
    assert ask("market", "GET", f"/stocks/{LAST_KETTLE}").body["available"] == "0"
    refusal = {"orderId": second.id, "kind": "REFUSED"}
    assert ask("market", "POST", "/decisions", refusal).body["error"]["code"] == "no_reason"
    assert ask("market", "POST", "/decisions", refusal | {"reason": "OUT_OF_STOCK"}).status == 201
    too_late = ask("market", "POST", "/decisions", {"orderId": late.id, "kind": "ACCEPTED"})
    assert (too_late.status, too_late.body["error"]["code"]) == (409, "too_late")
    assert people.expire("market") == 1
    books = [entry for entry in people.books("market") if entry["kind"] == "told"]
    told = [(entry["id"], entry["what"], entry["reason"]) for entry in books]
    assert told == [(first.id, "accepted", None), (second.id, "refused", "OUT_OF_STOCK"), (late.id, "expired", None)]
    states = [ask("market", "GET", f"/orders/{one.id}").body for one in (first, second, late)]
    assert [(doc["state"], doc["payment"]) for doc in states] == [
        ("ACCEPTED", "PREPAID"), ("REFUSED", "VOID"), ("EXPIRED", "VOID"),
    ]  # fmt: skip


def test_money_goes_back_tender_by_tender_and_never_more_than_came(ask: Ask, people: People) -> None:
    """A refund beyond what a tender captured is refused whole; cash that nobody paid yet cannot be given back."""
    paid = people.buy_in_shop({LAST_KETTLE: 1}, email="a@example.kz", name="Әсел Ким", gift_card=5000)
    refund = {"orderId": paid.id, "at": "2026-03-01T09:00:00Z", "lines": []}

    def back(*parts: tuple[str, int]) -> Any:
        payments = [{"id": str(n), "tenderId": id, "amountMinor": sum_} for n, (id, sum_) in enumerate(parts)]
        return ask("shop", "POST", "/refunds", {**refund, "payments": payments})

    assert back(("1", 500001)).body["error"]["code"] == "too_much"
    assert back(("1", 500000), ("2", 1)).status == 201
    assert back(("1", 1)).body["error"]["code"] == "too_much"
    tenders = ask("shop", "GET", f"/orders/{paid.id}").body["tenders"]
    assert [(one["kind"], one["state"], one["refundedMinor"]) for one in tenders] == [
        ("GIFT_CARD", "REFUNDED", 500000), ("CARD", "PARTIALLY_REFUNDED", 1),
    ]  # fmt: skip


def test_a_till_without_a_line_sells_on_and_posts_late(ask: Ask, people: People) -> None:
    """Nobody reads its receipts meanwhile; then they come with their shift, and say when they were made."""
    people.cut_off("almaty-2")
    sold = people.sell_at_till("almaty-2", {LAST_KETTLE: 1})
    assert ask("pos", "GET", f"/receipts/{sold.id}").status == 404
    shift = ask("pos", "GET", f"/shifts/{people.back_online('almaty-2')}").body
    receipt = ask("pos", "GET", f"/receipts/{sold.id}").body
    assert (shift["receipts"], receipt["shift"]) == ([sold.id], shift["id"])
    assert receipt["at"] <= shift["closed"] <= receipt["modified"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def shared_ask() -> Any:
    running = start_sandbox()
    yield asking(running)
    running.stop()


WRITTEN = [
    ("erp", "items", {"code": "007"}),
    ("erp", "orders", {}),
    ("crm", "contacts", {}),
    ("shop", "variants", {}),
    ("shop", "inventory", {"variantId": "81001"}),
    ("pos", "prices", {"sku": "007"}),
    ("market", "prices", {"sellerSku": "007"}),
]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_garbage_in_a_write_gets_past_the_schema_or_breaks_the_system(shared_ask: Ask, data: st.DataObject) -> None:
    """Whatever JSON is sent, the answer is a valid document or a refusal that says why, and no half row is left."""
    system, resource, key = data.draw(st.sampled_from(WRITTEN))
    validator = checked(system, resource)
    names = sorted(native(system, resource)["properties"])
    body = data.draw(st.dictionaries(st.sampled_from(names), json_values, max_size=4) | json_values)
    body = {**body, **key} if isinstance(body, dict) else body
    answer = shared_ask(system, "POST", f"/{resource}", body)
    assert answer.status in (200, 201, 400, 422)
    if answer.status < 300:
        validator.validate(answer.body)
    else:
        assert set(answer.body["error"]) >= {"code", "message"}
    for doc in LISTS[system](resource, shared_ask(system, "GET", f"/{resource}").body):
        validator.validate(doc)
