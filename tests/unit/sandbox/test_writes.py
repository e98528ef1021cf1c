"""What the systems accept, refuse and do on their own when programs write to them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from deployments.demo.data import LAST_KETTLE
from deployments.sandbox import Sandbox
from deployments.sandbox.people import People, Refusal
from tests.unit.sandbox.conftest import Ask

LINE = {"ref": "a", "item": LAST_KETTLE, "qty": "1", "price": "24990", "sum": "24990"}
SALE: dict[str, Any] = {
    "reference": "key-1",
    "source_number": "1011",
    "ordered_at": "2026-03-01T09:00:00Z",
    "state": "confirmed",
    "paid": "yes",
    "currency": "KZT",
    "lines": [LINE],
    "total": "24990",
}


def on_hand(ask: Ask, item: str, location: str) -> str:
    return str(ask("erp", "GET", f"/stock/{item}@{location}").body["on_hand"])


def test_the_erp_takes_a_reference_twice_and_finds_both_by_it(ask: Ask) -> None:
    """Idempotency is ours (P2): this system books the same sale twice without a word, and tells so by reference."""
    first, second = ask("erp", "POST", "/orders", SALE), ask("erp", "POST", "/orders", SALE)
    assert (first.status, second.status) == (201, 201)
    found = ask("erp", "GET", "/orders", query={"reference": "key-1"}).body["items"]
    assert [doc["number"] for doc in found] == [first.body["number"], second.body["number"]]


def test_the_erp_answers_in_its_own_notation(ask: Ask) -> None:
    """Decimals get its places and moments its offset, as real systems do: what comes back is not what was sent."""
    made = ask("erp", "POST", "/orders", SALE).body
    assert made["ordered_at"] == "2026-03-01T14:00:00+05:00"
    assert (made["total"], made["lines"][0]["qty"], made["lines"][0]["discount"]) == ("24990.00", "1.000", "0.00")
    assert made["customer"] is None


def test_a_sale_handed_over_posts_stock_at_once_and_any_other_when_shipped(ask: Ask, people: People) -> None:
    """The rule of the ERP that a till's sale and a shop's order depend on."""
    people.count_stock(LAST_KETTLE, "almaty-1", 4)
    over = {**SALE, "handed_over": True, "location": "almaty-1", "state": "done"}
    assert ask("erp", "POST", "/orders", over).status == 201
    assert on_hand(ask, LAST_KETTLE, "almaty-1") == "3.000"
    number = ask("erp", "POST", "/orders", SALE).body["number"]
    assert on_hand(ask, LAST_KETTLE, "almaty-wh") == "1.000"
    sent = people.ship(order=number)
    assert on_hand(ask, LAST_KETTLE, "almaty-wh") == "0.000"
    assert ask("erp", "GET", f"/orders/{number}").body["state"] == "shipped"
    shipment = ask("erp", "GET", f"/shipments/{sent.number}").body
    assert (shipment["tracking"], shipment["lines"][0]["order_line"]) == (sent.tracking, "a")
    second = ask("erp", "POST", "/orders", SALE).body["number"]
    with pytest.raises(Refusal, match="short"):
        people.ship(order=second)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"lines": [{**LINE, "item": "NO-SUCH"}]}, "unknown_item"),
        ({"lines": []}, "empty"),
        ({"lines": [{**LINE, "qty": "0"}]}, "bad_quantity"),
        ({"total": "24989.99"}, "bad_total"),
        ({"customer": "C99999"}, "unknown_customer"),
        ({"handed_over": True}, "no_location"),
        ({"ordered_at": "2026-03-01T09:00:00"}, "bad_moment"),
        ({"number": "S1"}, "read_only"),
        ({"nonsense": 1}, "invalid"),
        ({"total": 24990}, "invalid"),
    ],
)
def test_the_erp_refuses_a_sale_that_cannot_be(ask: Ask, change: dict[str, Any], code: str) -> None:
    """A bad sale is refused by name, and nothing of it is left."""
    answer = ask("erp", "POST", "/orders", {**SALE, **change})
    assert (answer.status, answer.body["error"]["code"]) == (422, code)
    assert ask("erp", "GET", "/orders", query={"reference": "key-1"}).body["items"] == []


def test_a_batch_says_of_each_row_what_became_of_it(ask: Ask) -> None:
    """P6: one bad row does not stop the others; results come in order, one per row."""
    rows = [
        {"op": "update", "id": "81001", "doc": {"amountMinor": 100}},
        {"op": "update", "id": "81002", "doc": {"amountMinor": 0}},
        {"op": "create", "doc": {"variantId": "99999", "amountMinor": 100, "currency": "KZT"}},
        {"op": "create", "doc": {"variantId": "81003", "amountMinor": 7, "currency": "KZT"}},
        {"op": "update", "doc": {}},
        {"op": "delete", "id": "81001"},
    ]
    answer = ask("shop", "POST", "/prices/batch", {"items": rows})
    assert answer.status == 200
    assert [row["status"] for row in answer.body["results"]] == [200, 422, 422, 200, 422, 405]
    assert ask("shop", "GET", "/prices/81003").body["amountMinor"] == 7
    many = ask("shop", "POST", "/prices/batch", {"items": [rows[0]] * 101})
    assert (many.status, many.body["error"]["code"]) == (422, "too_many")
    assert ask("crm", "POST", "/contacts/batch", {"items": []}).status == 405


def test_an_item_of_the_erp_refuses_a_stale_version(ask: Ask) -> None:
    """Optimistic locking where it is declared: the second of two writers is told, and loses nothing of the first."""
    item = ask("erp", "GET", "/items/007").body
    version = str(item["revision"])
    assert ask("erp", "PATCH", "/items/007", {"name": "Қазан"}, headers={"If-Match": version}).status == 200
    late = ask("erp", "PATCH", "/items/007", {"name": "Казан"}, headers={"If-Match": version})
    assert (late.status, late.body["error"]["code"]) == (412, "stale")
    assert ask("erp", "GET", "/items/007").body["name"] == "Қазан"


def test_a_write_that_changes_nothing_moves_the_stamp_in_the_shop_only(sandbox: Sandbox, ask: Ask) -> None:
    """An echo trap: a platform may call a write a change though nothing changed."""
    before = ask("shop", "GET", "/inventory/81001").body
    after = ask("shop", "PATCH", "/inventory/81001", {"available": before["available"]}).body
    assert after["updatedAt"] > before["updatedAt"]
    item = ask("erp", "GET", "/items/1E5").body
    assert ask("erp", "PATCH", "/items/1E5", {"name": item["name"]}).body == item


def test_deleting_archives_in_the_crm_removes_in_the_shop_and_is_refused_elsewhere(ask: Ask) -> None:
    """Three meanings of a delete, which a reader of lists must tell apart."""
    assert ask("crm", "DELETE", "/contacts/50101").status == 204
    assert ask("crm", "GET", "/contacts/50101").body["archived"] is True
    ids = [doc["id"] for doc in ask("crm", "GET", "/contacts").body["results"]]
    assert "50101" not in ids
    hidden = ask("crm", "GET", "/contacts", query={"archived": "true"}).body["results"]
    assert hidden[0]["id"] == "50101"
    assert ask("shop", "DELETE", "/products/7001").status == 204
    assert ask("shop", "GET", "/products/7001").status == 404
    assert ask("erp", "DELETE", "/items/007").status == 405
    assert ask("market", "DELETE", "/offers/007").status == 405


def test_the_marketplace_takes_a_shipment_reference_once(ask: Ask, people: People) -> None:
    """Idempotent where it says so: the same reference gives the shipment that is there."""
    placed = people.buy_on_market({LAST_KETTLE: 1}, name="Assel Kim", phone="7015550001")
    doc: dict[str, Any] = {
        "orderId": placed.id,
        "reference": "key-9",
        "sentAt": "2026-03-01T09:00:00Z",
        "state": "SENT",
    }
    doc |= {"trackNumber": "KZ1", "items": [{"id": "1", "itemId": "1", "qty": "1"}]}
    first, again = ask("market", "POST", "/shipments", doc), ask("market", "POST", "/shipments", doc)
    assert (first.status, again.status) == (201, 200)
    assert first.body == again.body
    other = ask("market", "POST", "/shipments", {**doc, "reference": "key-10"})
    assert (other.status, other.body["error"]["code"]) == (422, "too_many")
    assert ask("market", "GET", f"/orders/{placed.id}").body["state"] == "SENT"


def test_a_fulfilment_of_everything_moves_the_order_on(ask: Ask, people: People) -> None:
    """The shopper sees the order shipped with its tracking number, then delivered."""
    placed = people.buy_in_shop({LAST_KETTLE: 1}, email="a@example.kz", name="Айгерім Ким")
    doc: dict[str, Any] = {
        "orderId": placed.id,
        "reference": "k",
        "trackingNumber": "KZ1",
        "shippedAt": "2026-03-01T09:00:00Z",
    }
    doc |= {"status": "SHIPPED", "lines": [{"id": "1", "orderLineId": "1", "quantity": 1}]}
    made = ask("shop", "POST", "/fulfilments", doc)
    assert made.status == 201
    assert ask("shop", "GET", f"/orders/{placed.id}").body["status"] == "SHIPPED"
    assert ask("shop", "PATCH", f"/fulfilments/{made.body['id']}", {"status": "DELIVERED"}).status == 200
    assert ask("shop", "GET", f"/orders/{placed.id}").body["status"] == "COMPLETED"


def test_left_alone_the_channels_sell_the_last_kettle_twice(ask: Ask, people: People) -> None:
    """What Serai is for: both channels show the one that is there, both sell it, and the second cannot be shipped."""
    people.buy_in_shop({LAST_KETTLE: 1}, email="a@example.kz", name="Айгерім Ким")
    people.buy_on_market({LAST_KETTLE: 1}, name="Assel Kim")
    with pytest.raises(Refusal, match="sold_out"):
        people.buy_in_shop({LAST_KETTLE: 1}, email="b@example.kz", name="Нұрлан Ким")
    with pytest.raises(Refusal, match="sold_out"):
        people.buy_on_market({LAST_KETTLE: 1}, name="Nurlan Kim")
    numbers = [ask("erp", "POST", "/orders", {**SALE, "reference": key}).body["number"] for key in ("x", "y")]
    people.ship(order=numbers[0])
    with pytest.raises(Refusal, match="short"):
        people.ship(order=numbers[1])


def test_cancelling_shows_the_goods_again(ask: Ask, people: People) -> None:
    """An order that is called off gives its goods back to the channel's own figure."""
    shop = people.buy_in_shop({LAST_KETTLE: 1}, email="a@example.kz", name="Айгерім Ким")
    market = people.buy_on_market({LAST_KETTLE: 1}, name="Assel Kim")
    people.cancel_in_shop(shop.id)
    people.cancel_on_market(market.id)
    assert ask("market", "GET", f"/stocks/{LAST_KETTLE}").body["available"] == "1"
    people.buy_in_shop({LAST_KETTLE: 1}, email="a@example.kz", name="Айгерім Ким")


def test_a_listing_made_by_hand_can_be_bought_though_nobody_else_knows_it(ask: Ask, people: People) -> None:
    """Somebody lists an unknown SKU; its order is real all the same."""
    people.list_by_hand("HAND-1", "Самовар деда", "150000", 1)
    placed = people.buy_on_market({"HAND-1": 1}, name="James Ким")
    assert placed.total == Decimal(150000)
    assert ask("market", "GET", f"/orders/{placed.id}").body["items"][0]["sellerSku"] == "HAND-1"
    assert ask("erp", "GET", "/items/HAND-1").status == 404


def test_an_edited_phone_shows_in_the_system_where_it_was_edited(ask: Ask, people: People) -> None:
    """A customer's own edit, in the shop and in the CRM."""
    people.edit_phone("shop", "9001", "+77770001122")
    people.edit_phone("crm", "50101", "8 777 000 11 22")
    assert ask("shop", "GET", "/customers/9001").body["phone"] == "+77770001122"
    assert ask("crm", "GET", "/contacts/50101").body["properties"]["phone"] == "8 777 000 11 22"


def test_a_wrong_token_is_refused_and_a_reading_one_cannot_write(sandbox: Sandbox, ask: Ask) -> None:
    """401 without a valid token; 403 names the scope that is missing."""
    assert ask("erp", "GET", "/items", token="wrong").status == 401
    reader = sandbox.readers["erp"]
    assert ask("erp", "GET", "/items", token=reader).status == 200
    refused = ask("erp", "POST", "/orders", SALE, token=reader)
    assert (refused.status, refused.body["error"]["scope"]) == (403, "write:orders")


def test_bad_requests_are_told_as_such(ask: Ask) -> None:
    """Garbage, ten megabytes, unknown parameters, systems and resources: refused with a reason, and nothing breaks."""
    assert ask("erp", "POST", "/orders", b"{not json").body["error"]["code"] == "bad_json"
    assert ask("erp", "POST", "/orders", b"", headers={"Content-Length": "99999999"}).status == 413
    assert ask("erp", "GET", "/items", query={"changed": "x"}).body["error"]["code"] == "unknown_parameter"
    assert ask("erp", "GET", "/items", query={"changed_since": "yesterday"}).status == 400
    assert ask("erp", "GET", "/items", query={"cursor": "zz"}).status == 400
    assert ask("erp", "GET", "/nothing").status == 404
    assert ask("erp", "PUT", "/items/007", {}).status == 405
    assert ask("erp", "GET", "/items/007").status == 200
