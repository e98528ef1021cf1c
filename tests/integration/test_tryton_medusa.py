"""A real ERP and a real shop kept in agreement; judged by the systems' own databases and their own APIs.

Each test makes what it needs and may find what the others left. ``sync`` is what the schedule does: every read, then
every write that follows from it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import ROUND_HALF_UP, Decimal

import psycopg2
import pytest

from flows.ledger import Ledger
from flows.steps import pull_all, push_all, sync_all
from flows.wiring import House
from registry import load_cursor, outbox_counts, parked
from tests.integration.conftest import Karavan
from tests.integration.people import written

pytestmark = [pytest.mark.real, pytest.mark.timeout(1500)]

KETTLE = "4006381333931"


def sync(karavan: Karavan) -> list[Ledger]:
    """Until nothing is due; nothing may fail, wait for a person, or not add up."""
    ledgers = sync_all(karavan.house)
    assert [ledger.note for ledger in ledgers if ledger.note] == []
    assert [fault for ledger in ledgers for fault in ledger.faults] == []
    assert all(ledger.balanced for ledger in ledgers)
    return ledgers


def in_shop(karavan: Karavan, sku: str) -> str:
    """The shop's id of a variant."""
    found = karavan.shop.rows("SELECT id FROM product_variant WHERE sku = %s AND deleted_at IS NULL", sku)
    assert len(found) == 1, f"{len(found)} variants with SKU {sku} in the shop"
    return str(found[0][0])


def shown(karavan: Karavan, sku: str) -> dict[str, tuple[Decimal, Decimal]]:
    """Location code → (stocked, reserved) of a SKU in the shop's database."""
    query = """
        SELECT location.metadata->>'code', level.stocked_quantity, level.reserved_quantity
        FROM inventory_level level JOIN inventory_item item ON item.id = level.inventory_item_id
        JOIN stock_location location ON location.id = level.location_id
        WHERE item.sku = %s AND level.deleted_at IS NULL AND item.deleted_at IS NULL"""
    return {code: (stocked, reserved) for code, stocked, reserved in karavan.shop.rows(query, sku)}


def sales(karavan: Karavan, order: str) -> list[tuple[int, str, Decimal]]:
    """(id, state, total) of the sales in Tryton that hold a line of the shop's order."""
    lines = [id for (id,) in karavan.shop.rows("SELECT item_id FROM order_item WHERE order_id = %s", order)]
    assert lines
    ids = [id for (id,) in karavan.erp.rows("SELECT DISTINCT sale FROM sale_line WHERE note = ANY(%s)", lines)]
    rows = karavan.clerk.search("sale.sale", [["id", "in", ids]], "state", "total_amount")
    return [(row["id"], row["state"], Decimal(row["total_amount"]["decimal"])) for row in rows]


def total(karavan: Karavan, order: str) -> Decimal:
    """What the shopper owes, by the shop's own books, to the tiyn: they keep every digit of the tax."""
    query = "SELECT totals->>'current_order_total' FROM order_summary WHERE order_id = %s ORDER BY version DESC"
    ((amount,), *_) = karavan.shop.rows(query, order)
    return Decimal(amount).quantize(Decimal("0.01"), ROUND_HALF_UP)


def test_articles_stock_by_location_and_prices_of_the_erp_stand_in_the_shop(karavan: Karavan) -> None:
    """P1, P7: nothing lost, nothing rounded; the storefront shows what the ERP says."""
    karavan.clerk.article("Чайник", "007", "K-BLUE", price="12500.5", barcode=KETTLE)
    karavan.clerk.receive("007", "almaty-wh", 10)
    karavan.clerk.receive("007", "almaty-1", 3)
    sync(karavan)
    (row,) = karavan.shop.rows(
        "SELECT product.title, product.status, variant.barcode FROM product_variant variant "
        "JOIN product ON product.id = variant.product_id WHERE variant.sku = '007'"
    )
    assert row == ("Чайник", "published", KETTLE)
    assert shown(karavan, "007") == {"almaty-wh": (10, 0), "almaty-1": (3, 0)}
    assert shown(karavan, "K-BLUE") == {"almaty-wh": (0, 0), "almaty-1": (0, 0)}
    assert karavan.shopper.sees(in_shop(karavan, "007")) == (Decimal("12500.5"), 13)


@pytest.mark.parametrize("what", ["price", "stock", "name"])
def test_a_change_in_the_erp_reaches_the_shop_and_nothing_else_is_written(karavan: Karavan, what: str) -> None:
    """P4: one change, its own row in the shop, none besides; none in the ERP."""
    sku = f"CHANGE-{what}"
    template = karavan.clerk.article(f"Vase {what}", sku, price="100")
    karavan.clerk.receive(sku, "almaty-wh", 5)
    sync(karavan)
    variant = in_shop(karavan, sku)
    assert karavan.shopper.sees(variant) == (100, 5)
    if what == "price":
        karavan.clerk.reprice(template, "99.90")
    elif what == "stock":
        karavan.clerk.receive(sku, "almaty-wh", 2)
    else:
        karavan.clerk.do("product.template.write", [template], {"name": "Vase renamed"})
    shop, erp = karavan.shop.stamps(), karavan.erp.stamps()
    sync(karavan)
    expected = {"price": ({"product_variant": 1, "price": 1}, (Decimal("99.90"), 5)),
                "stock": ({"inventory_level": 1}, (100, 7)),
                "name": ({"product": 1, "product_variant": 1}, (100, 5))}[what]  # fmt: skip
    assert written(shop, karavan.shop.stamps()) == expected[0]
    assert karavan.shopper.sees(variant) == expected[1]
    assert written(erp, karavan.erp.stamps()) == {}


def test_an_order_becomes_one_sale_with_its_customer_its_address_and_its_total(karavan: Karavan) -> None:
    """P2, P7: and what is promised is not sold twice; the second run writes nothing."""
    karavan.clerk.article("Plate", "PLATE", price="333.33")
    karavan.clerk.receive("PLATE", "almaty-wh", 8)
    sync(karavan)
    order = karavan.shopper.buy(in_shop(karavan, "PLATE"), 3, email="Aigerim@Example.test")
    sync(karavan)
    ((sale, state, amount),) = sales(karavan, order)
    assert (state, amount) == ("processing", total(karavan, order))
    ((name, email, street),) = karavan.erp.rows(
        "SELECT party.name, contact.value, address.street_unstructured "
        "FROM sale_sale sale JOIN party_party party ON party.id = sale.party "
        "JOIN party_address address ON address.id = sale.shipment_address "
        "JOIN party_contact_mechanism contact ON contact.party = party.id AND contact.type = 'email' "
        "WHERE sale.id = %s",
        sale,
    )
    assert (name, email, street) == ("Айгерим Сулейменова", "aigerim@example.test", "Abay 10")
    sync(karavan)
    assert shown(karavan, "PLATE") == {"almaty-wh": (8, 3), "almaty-1": (0, 0)}
    assert karavan.shopper.sees(in_shop(karavan, "PLATE"))[1] == 5
    shop, erp = karavan.shop.stamps(), karavan.erp.stamps()
    sync(karavan)
    assert (written(shop, karavan.shop.stamps()), written(erp, karavan.erp.stamps())) == ({}, {})


@pytest.mark.parametrize("lost", ["model.sale.sale.create", "model.sale.sale.quote", "model.sale.sale.confirm"])
def test_an_order_whose_answer_never_came_is_still_one_sale(karavan: Karavan, lost: str) -> None:
    """P2, P3: a request timed out after Tryton had taken it; it is found by our reference, finished, never doubled."""
    sku = f"LOST-{lost.rpartition('.')[2]}"
    karavan.clerk.article("Carpet", sku, price="1000")
    karavan.clerk.receive(sku, "almaty-wh", 4)
    sync(karavan)
    order = karavan.shopper.buy(in_shop(karavan, sku), 1, email=f"{lost.rpartition('.')[2]}@example.test")
    swallowed = karavan.wire.swallowed
    karavan.wire.swallow(lost.encode())
    sync_all(karavan.house)
    assert len(sales(karavan, order)) == 1
    until_settled(karavan.house)
    assert karavan.wire.swallowed == swallowed + 1
    assert [state for _, state, _ in sales(karavan, order)] == ["processing"]
    sync(karavan)
    assert len(sales(karavan, order)) == 1


def until_settled(house: House) -> None:
    """What the schedule does until no write to the ERP is open: at most a minute and a half."""
    until = time.monotonic() + 90
    while time.monotonic() < until:
        push_all(house, channels=["erp-kz"])
        with house.registry.read() as tx:
            if not [key for key in outbox_counts(tx) if key[0] == "erp-kz"]:
                return
        time.sleep(1)
    raise AssertionError("a write to the ERP is still open")


def test_a_shipment_becomes_a_fulfilment_with_its_tracking_number(karavan: Karavan) -> None:
    """P2: once, with the goods of the order, and the shop's stock falls with it."""
    karavan.clerk.article("Teapot", "TEAPOT", price="5000")
    karavan.clerk.receive("TEAPOT", "almaty-wh", 6)
    sync(karavan)
    order = karavan.shopper.buy(in_shop(karavan, "TEAPOT"), 2, email="dina@example.test", name=("Дина", "Ахметова"))
    sync(karavan)
    ((sale, _, _),) = sales(karavan, order)
    karavan.clerk.ship(sale, "KZ0012345678")
    for _ in range(2):
        sync(karavan)
        found = karavan.shop.rows(
            "SELECT label.tracking_number, item.quantity, fulfillment.shipped_at IS NOT NULL "
            "FROM order_fulfillment link JOIN fulfillment ON fulfillment.id = link.fulfillment_id "
            "JOIN fulfillment_label label ON label.fulfillment_id = fulfillment.id "
            "JOIN fulfillment_item item ON item.fulfillment_id = fulfillment.id WHERE link.order_id = %s",
            order,
        )
        assert found == [("KZ0012345678", 2, True)]
    assert shown(karavan, "TEAPOT") == {"almaty-wh": (4, 0), "almaty-1": (0, 0)}


@contextmanager
def held_open(url: str, *statements: tuple[str, tuple[object, ...]]) -> Iterator[psycopg2.extensions.connection]:
    """A transaction that has written and not yet committed."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        for statement, values in statements:
            cursor.execute(statement, values)
        yield connection


def test_rows_committed_late_behind_the_watermark_are_found(karavan: Karavan) -> None:
    """P1: a stamp is the start of the transaction; what commits after the next read still arrives."""
    late, quick = karavan.clerk.article("Late", "LATE", price="10"), karavan.clerk.article("Quick", "QUICK", price="10")
    sync(karavan)
    with held_open(
        karavan.erp.url,
        ("UPDATE product_list_price SET list_price = 11 WHERE template = %s", (late,)),
        ("UPDATE product_template SET write_date = CURRENT_TIMESTAMP WHERE id = %s", (late,)),
    ) as transaction:
        time.sleep(1.5)  # the systems' own clocks tell whole seconds in their answers
        karavan.clerk.reprice(quick, "12")
        time.sleep(1.5)
        sync(karavan)
        assert karavan.shopper.sees(in_shop(karavan, "QUICK"))[0] == 12
        assert karavan.shopper.sees(in_shop(karavan, "LATE"))[0] == 10
        transaction.commit()
    with karavan.house.registry.read() as tx:
        stored = load_cursor(tx, "erp-kz", "variants", "live")
    assert stored is not None
    ((stamp,),) = karavan.erp.rows("SELECT write_date FROM product_template WHERE id = %s", late)
    assert stamp.isoformat() < stored["at"]["windows"]["product.template"]["since"], "it does lie behind the watermark"
    sync(karavan)
    assert karavan.shopper.sees(in_shop(karavan, "LATE"))[0] == 11


def test_a_second_run_of_everything_writes_nothing(karavan: Karavan) -> None:
    """P4: every resource of both read from page one, every due write weighed: no row moves in either system."""
    sync(karavan)
    shop, erp = karavan.shop.stamps(), karavan.erp.stamps()
    ledgers = [*pull_all(karavan.house, full=True), *push_all(karavan.house)]
    assert sum(ledger.read for ledger in ledgers) > 20
    assert [ledger.sentence() for ledger in ledgers if ledger.total("created", "updated", "written")] == []
    assert (written(shop, karavan.shop.stamps()), written(erp, karavan.erp.stamps())) == ({}, {})
    with karavan.house.registry.read() as tx:
        assert [row for row in parked(tx)] == []
