"""What else Medusa has that a figure, a price or an order may mean: reservations, price lists, drafts, returns."""

from __future__ import annotations

import signal
from decimal import Decimal
from typing import Any

import pytest

from flows.steps import pull_all, push_all, reconcile, sync_all
from tests.integration.conftest import Karavan
from tests.integration.people import MedusaShop, written
from tests.integration.test_shops import crashed, in_shop, run_out, sales, sync, until_settled

pytestmark = [pytest.mark.real, pytest.mark.timeout(1500)]


def admin(karavan: Karavan, method: str, path: str, body: object = None) -> Any:
    """What Medusa's admin API answers to somebody at its dashboard."""
    assert isinstance(karavan.shop, MedusaShop)
    return karavan.shop.admin(method, path, body)


def article(karavan: Karavan, sku: str, quantity: int, price: str = "100") -> tuple[int, str]:
    """A new article, so many of it in the warehouse, in the shop; the ids of its template and of its variant there."""
    template = karavan.clerk.article(sku.title(), sku, price=price)
    karavan.clerk.receive(sku, "almaty-wh", quantity)
    sync(karavan)
    return template, in_shop(karavan, sku)


def test_what_the_shop_sets_aside_by_hand_is_not_given_back_to_the_storefront(on_medusa: Karavan) -> None:
    """P7: a reservation without an order stands until the shop's people lift it, whatever the ERP says meanwhile."""
    _, variant = article(on_medusa, "ASIDE", 10)
    ((item, place),) = on_medusa.shop.books.rows(
        "SELECT level.inventory_item_id, level.location_id FROM inventory_level level JOIN inventory_item item "
        "ON item.id = level.inventory_item_id JOIN stock_location place ON place.id = level.location_id "
        "WHERE item.sku = 'ASIDE' AND place.metadata->>'code' = 'almaty-wh'"
    )
    asked = {"inventory_item_id": item, "location_id": place, "quantity": 3, "description": "for the fair"}
    made = admin(on_medusa, "POST", "/admin/reservations", asked)["reservation"]["id"]
    sync(on_medusa)
    assert on_medusa.shop.sees(variant)[1] == 7
    on_medusa.clerk.receive("ASIDE", "almaty-wh", 5)
    sync(on_medusa)
    assert on_medusa.shop.sees(variant)[1] == 12
    admin(on_medusa, "DELETE", f"/admin/reservations/{made}")
    for _ in range(2):
        sync(on_medusa)
    assert on_medusa.shop.sees(variant)[1] == 15


def test_a_price_list_of_the_shop_is_left_alone(on_medusa: Karavan) -> None:
    """P7: the ERP has the say over the usual price; a campaign of the shop keeps its own, before and after."""
    template, variant = article(on_medusa, "CAMPAIGN", 5)
    admin(on_medusa, "POST", "/admin/price-lists", {
        "title": "Spring", "description": "Spring", "type": "sale", "status": "active",
        "prices": [{"variant_id": variant, "currency_code": "kzt", "amount": 80}],
    })  # fmt: skip
    sync(on_medusa)
    assert on_medusa.shop.sees(variant)[0] == 80
    on_medusa.clerk.reprice(template, "120")
    sync(on_medusa)
    assert on_medusa.shop.sees(variant)[0] == 80
    amounts = on_medusa.shop.books.rows(
        "SELECT price.amount, list.title FROM price LEFT JOIN price_list list ON list.id = price.price_list_id "
        "JOIN product_variant_price_set link ON link.price_set_id = price.price_set_id "
        "WHERE link.variant_id = %s AND price.deleted_at IS NULL ORDER BY price.amount",
        variant,
    )
    assert amounts == [(80, "Spring"), (120, None)]


def drafted(karavan: Karavan, variant: str, email: str) -> str:
    """Somebody at the call centre begins an order of two pieces, sent by courier; its id."""
    region = admin(karavan, "GET", "/admin/regions")["regions"][0]["id"]
    address = {"first_name": "Дина", "last_name": "Ахметова", "address_1": "Abay 1", "city": "Almaty",
               "country_code": "kz", "phone": "+77010000001"}  # fmt: skip
    return str(admin(karavan, "POST", "/admin/draft-orders", {
        "region_id": region, "email": email, "shipping_address": address, "billing_address": address,
        "items": [{"variant_id": variant, "quantity": 2}],
    })["draft_order"]["id"])  # fmt: skip


def agreed(karavan: Karavan, draft: str) -> None:
    """The buyer agrees: the draft becomes an order under its own id."""
    admin(karavan, "POST", f"/admin/draft-orders/{draft}/convert-to-order", {})


def test_a_draft_is_no_sale_until_it_is_agreed_to(on_medusa: Karavan) -> None:
    """P2, P7: it takes nothing from anybody; then it is one sale, for what was agreed at last, also when goods come in
    meanwhile; a second run of everything writes nothing."""
    _, variant = article(on_medusa, "DRAFT", 5)
    draft = drafted(on_medusa, variant, "draft@example.test")
    sync(on_medusa)
    assert sales(on_medusa, draft) == []
    assert on_medusa.shop.shown("DRAFT")["almaty-wh"] == (5, 0)
    assert on_medusa.shop.sees(variant)[1] == 5
    (line,) = on_medusa.shop.lines(draft)
    admin(on_medusa, "POST", f"/admin/draft-orders/{draft}/edit", {})
    admin(on_medusa, "POST", f"/admin/draft-orders/{draft}/edit/items/item/{line}", {"quantity": 3})
    admin(on_medusa, "POST", f"/admin/draft-orders/{draft}/edit/confirm", {})
    on_medusa.clerk.receive("DRAFT", "almaty-wh", 4)
    agreed(on_medusa, draft)
    sync(on_medusa)
    assert [(state, total) for _, state, total in sales(on_medusa, draft)] == [("processing", Decimal(348))]
    assert on_medusa.shop.shown("DRAFT")["almaty-wh"] == (9, 3)
    assert on_medusa.shop.sees(variant)[1] == 6
    shop, erp = on_medusa.shop.books.stamps(), on_medusa.erp.stamps()
    ledgers = [*pull_all(on_medusa.house, full=True), *push_all(on_medusa.house)]
    assert [ledger.sentence() for ledger in ledgers if ledger.total("written")] == []
    assert (written(shop, on_medusa.shop.books.stamps()), written(erp, on_medusa.erp.stamps())) == ({}, {})


@pytest.fixture(scope="module")
def agreed_goods(on_medusa: Karavan) -> None:
    """Fifteen pieces of an article that the call centre sells."""
    article(on_medusa, "AGREED", 15)


@pytest.mark.parametrize("trouble", ["killed while reading", "killed while entering", "no answer"])
@pytest.mark.usefixtures("agreed_goods")
def test_a_draft_that_was_agreed_to_becomes_one_sale_whatever_breaks(on_medusa: Karavan, trouble: str) -> None:
    """P1, P2, P3: the worker dies with the shop's orders in hand or once Tryton has the sale, or Tryton's answer is
    lost; the draft beside it, which nobody agreed to, stays one."""
    name, variant = trouble.replace(" ", "-"), in_shop(on_medusa, "AGREED")
    before = on_medusa.shop.shown("AGREED")["almaty-wh"]
    draft, open_ = (drafted(on_medusa, variant, f"{name}-{one}@example.test") for one in ("agreed", "open"))
    agreed(on_medusa, draft)
    if trouble == "no answer":
        on_medusa.wire.swallow(b"model.sale.sale.create")
        sync_all(on_medusa.house)
    else:
        entering = (b"model.sale.sale.create", on_medusa.wire)
        marker, door = entering if name.endswith("entering") else (b"GET /admin/orders?", on_medusa.door)
        assert crashed(on_medusa, marker, door) == -signal.SIGKILL
        run_out(on_medusa.house)
    until_settled(on_medusa.house)
    sync(on_medusa)
    assert [(state, total) for _, state, total in sales(on_medusa, draft)] == [("processing", Decimal(232))]
    assert sales(on_medusa, open_) == []
    assert on_medusa.shop.shown("AGREED")["almaty-wh"] == (before[0], before[1] + 2)


def test_what_a_buyer_sends_back_is_counted_by_the_erp_alone(on_medusa: Karavan) -> None:
    """P7: Medusa puts it back on its own shelf at once and takes it off the order; the order stands as it was bought,
    and the storefront is put right by the next reconcile, until the ERP has the goods."""
    _, variant = article(on_medusa, "BACK", 6)
    order = on_medusa.shop.buy(variant, 2, email="back@example.test")
    sync(on_medusa)
    ((sale, _, _),) = sales(on_medusa, order)
    on_medusa.clerk.ship(sale, "KZ00BACK")
    for _ in range(2):
        sync(on_medusa)
    assert on_medusa.shop.shown("BACK")["almaty-wh"] == (4, 0)
    (line,) = on_medusa.shop.lines(order)
    returned(on_medusa, order, line)
    assert on_medusa.shop.shown("BACK")["almaty-wh"] == (5, 0), "Medusa has put it back by itself"
    ledgers = [*sync(on_medusa), *sync(on_medusa)]
    assert sum(ledger.total("created") for ledger in ledgers if ledger.what == "returns") == 1
    reconcile(on_medusa.house, "shop-kz", "stock")
    sync(on_medusa)
    assert on_medusa.shop.shown("BACK")["almaty-wh"] == (4, 0)
    assert [total for _, _, total in sales(on_medusa, order)] == [Decimal(1972)]
    on_medusa.clerk.receive("BACK", "almaty-wh", 1)
    sync(on_medusa)
    assert on_medusa.shop.shown("BACK")["almaty-wh"] == (5, 0)
    assert on_medusa.shop.sees(variant) == (Decimal(100), 5)


def returned(karavan: Karavan, order: str, line: str) -> None:
    """One piece comes back: asked for, agreed to and taken in by the shop's people."""
    ((place,),) = karavan.shop.books.rows("SELECT id FROM stock_location WHERE metadata->>'code' = 'almaty-wh'")
    begun = admin(karavan, "POST", "/admin/returns", {"order_id": order, "location_id": place})["return"]["id"]
    admin(karavan, "POST", f"/admin/returns/{begun}/request-items", {"items": [{"id": line, "quantity": 1}]})
    admin(karavan, "POST", f"/admin/returns/{begun}/request", {"no_notification": True})
    admin(karavan, "POST", f"/admin/returns/{begun}/receive", {})
    admin(karavan, "POST", f"/admin/returns/{begun}/receive-items", {"items": [{"id": line, "quantity": 1}]})
    admin(karavan, "POST", f"/admin/returns/{begun}/receive/confirm", {})
