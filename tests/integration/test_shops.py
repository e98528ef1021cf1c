"""A real ERP and a real shop kept in agreement; judged by the systems' own databases and their own APIs.

Each test makes what it needs and may find what the others left. ``sync`` is what the schedule does: every read, then
every write that follows from it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal

import psycopg2
import pytest
from sqlalchemy import text

from flows.ledger import Ledger
from flows.steps import pull_all, push_all, sync_all
from flows.wiring import House
from registry import Tx, load_cursor, outbox_counts, parked
from tests.integration.conftest import Karavan
from tests.integration.people import written
from tests.integration.swallow import Proxy

pytestmark = [pytest.mark.real, pytest.mark.timeout(1500)]

OWN_ROWS: dict[str, dict[str, dict[str, int]]] = {
    "medusa": {"price": {"product_variant": 1, "price": 1}, "stock": {"inventory_level": 1},
               "name": {"product": 1, "product_variant": 1}},
    "vendure": {"price": {"product_variant": 1, "product_variant_price": 1},
                "stock": {"product_variant": 1, "stock_level": 1},
                "name": {"product": 1, "product_translation": 1, "product_variant": 1,
                         "product_variant_translation": 1}},
}  # fmt: skip
"""Shop → what changed in the ERP → the rows of the shop that are about it."""
KETTLE = {"medusa": "4006381333931", "vendure": "5901234123457"}


def sync(karavan: Karavan, channels: Sequence[str] | None = None) -> list[Ledger]:
    """Until nothing is due (on these channels); nothing may fail, wait for a person, or not add up.

    On a slow machine a stretch of work ends with the rest of it still to do.
    """
    found: list[Ledger] = []
    more = True
    while more:
        ledgers = sync_all(karavan.house, channels=channels)
        assert [ledger.note for ledger in ledgers if ledger.note] == []
        assert [fault for ledger in ledgers for fault in ledger.faults] == []
        assert all(ledger.balanced for ledger in ledgers)
        found += ledgers
        more = any(ledger.more for ledger in ledgers)
        print(*(ledger.sentence() for ledger in ledgers), sep="\n")
    return found


def in_shop(karavan: Karavan, sku: str) -> str:
    """The shop's id of a variant."""
    (found,) = karavan.shop.variants(sku)
    return found


def sales(karavan: Karavan, order: str) -> list[tuple[int, str, Decimal]]:
    """(id, state, total) of the sales in Tryton that hold a line of the shop's order."""
    lines = karavan.shop.lines(order)
    assert lines
    ids = [id for (id,) in karavan.erp.rows("SELECT DISTINCT sale FROM sale_line WHERE note = ANY(%s)", lines)]
    rows = karavan.clerk.search("sale.sale", [["id", "in", ids]], "state", "total_amount")
    return [(row["id"], row["state"], Decimal(row["total_amount"]["decimal"])) for row in rows]


def test_articles_stock_by_location_and_prices_of_the_erp_stand_in_the_shop(karavan: Karavan) -> None:
    """P1, P7: nothing lost, nothing rounded; the storefront shows what the ERP says."""
    one, other = f"007-{karavan.shop.name}", f"BLUE-{karavan.shop.name}"
    karavan.clerk.article("Чайник", one, other, price="12500.5", barcode=KETTLE[karavan.shop.name])
    karavan.clerk.receive(one, "almaty-wh", 10)
    karavan.clerk.receive(one, "almaty-1", 3)
    sync(karavan)
    assert [name for name, _ in karavan.shop.titles(one)] == ["Чайник"]
    assert karavan.shop.shown(one) == {"almaty-wh": (10, 0), "almaty-1": (3, 0)}
    assert karavan.shop.shown(other) == {"almaty-wh": (0, 0), "almaty-1": (0, 0)}
    assert karavan.shop.sees(in_shop(karavan, one)) == (Decimal("12500.5"), 13)
    if karavan.shop.name == "medusa":
        query = "SELECT status, variant.barcode FROM product JOIN product_variant variant " \
                "ON product.id = variant.product_id WHERE sku = %s"  # fmt: skip
        assert karavan.shop.books.rows(query, one) == [("published", KETTLE["medusa"])]


@pytest.mark.parametrize("what", ["price", "stock", "name"])
def test_a_change_in_the_erp_reaches_the_shop_and_nothing_else_is_written(karavan: Karavan, what: str) -> None:
    """P4: one change, its own row in the shop, none besides; none in the ERP."""
    sku = f"CHANGE-{what}-{karavan.shop.name}"
    template = karavan.clerk.article(f"Vase {what}", sku, price="100")
    karavan.clerk.receive(sku, "almaty-wh", 5)
    sync(karavan)
    variant = in_shop(karavan, sku)
    assert karavan.shop.sees(variant) == (100, 5)
    if what == "price":
        karavan.clerk.reprice(template, "99.90")
    elif what == "stock":
        karavan.clerk.receive(sku, "almaty-wh", 2)
    else:
        karavan.clerk.do("product.template.write", [template], {"name": "Vase renamed"})
    shop, erp = karavan.shop.books.stamps(), karavan.erp.stamps()
    sync(karavan)
    shown = {"price": (Decimal("99.90"), 5), "stock": (Decimal(100), 7), "name": (Decimal(100), 5)}[what]
    assert written(shop, karavan.shop.books.stamps()) == OWN_ROWS[karavan.shop.name][what]
    assert karavan.shop.sees(variant) == shown
    assert written(erp, karavan.erp.stamps()) == {}


def test_an_order_becomes_one_sale_with_its_customer_its_address_and_its_total(karavan: Karavan) -> None:
    """P2, P7: and what is promised is not sold twice; the second run writes nothing."""
    sku, email = f"PLATE-{karavan.shop.name}", f"Aigerim-{karavan.shop.name}@Example.test"
    karavan.clerk.article("Plate", sku, price="333.33")
    karavan.clerk.receive(sku, "almaty-wh", 8)
    sync(karavan)
    order = karavan.shop.buy(in_shop(karavan, sku), 3, email=email)
    sync(karavan)
    ((sale, state, amount),) = sales(karavan, order)
    assert (state, amount) == ("processing", karavan.shop.owed(order))
    ((name, email, street),) = karavan.erp.rows(
        "SELECT party.name, contact.value, address.street_unstructured "
        "FROM sale_sale sale JOIN party_party party ON party.id = sale.party "
        "JOIN party_address address ON address.id = sale.shipment_address "
        "JOIN party_contact_mechanism contact ON contact.party = party.id AND contact.type = 'email' "
        "WHERE sale.id = %s",
        sale,
    )
    assert (name, email, street) == ("Айгерим Сулейменова", email.lower(), "Abay 10")
    sync(karavan)
    assert karavan.shop.shown(sku) == {"almaty-wh": (8, 3), "almaty-1": (0, 0)}
    assert karavan.shop.sees(in_shop(karavan, sku))[1] == 5
    shop, erp = karavan.shop.books.stamps(), karavan.erp.stamps()
    sync(karavan)
    assert (written(shop, karavan.shop.books.stamps()), written(erp, karavan.erp.stamps())) == ({}, {})


@pytest.mark.parametrize("lost", ["model.sale.sale.create", "model.sale.sale.quote", "model.sale.sale.confirm"])
def test_an_order_whose_answer_never_came_is_still_one_sale(on_medusa: Karavan, lost: str) -> None:
    """P2, P3: a request timed out after Tryton had taken it; it is found by our reference, finished, never doubled."""
    sku = f"LOST-{lost.rpartition('.')[2]}"
    on_medusa.clerk.article("Carpet", sku, price="1000")
    on_medusa.clerk.receive(sku, "almaty-wh", 4)
    sync(on_medusa)
    order = on_medusa.shop.buy(in_shop(on_medusa, sku), 1, email=f"{lost.rpartition('.')[2]}@example.test")
    swallowed = on_medusa.wire.swallowed
    on_medusa.wire.swallow(lost.encode())
    sync_all(on_medusa.house)
    assert len(sales(on_medusa, order)) == 1
    until_settled(on_medusa.house)
    assert on_medusa.wire.swallowed == swallowed + 1
    assert [state for _, state, _ in sales(on_medusa, order)] == ["processing"]
    sync(on_medusa)
    assert len(sales(on_medusa, order)) == 1


def until_settled(house: House, channel: str = "erp-kz") -> None:
    """What the schedule does until no write to the channel is open: at most a minute and a half."""
    until = time.monotonic() + 90
    while time.monotonic() < until:
        push_all(house, channels=[channel])
        with house.registry.read() as tx:
            if not [key for key in outbox_counts(tx) if key[0] == channel]:
                return
        time.sleep(1)
    raise AssertionError(f"a write to {channel} is still open")


def test_a_shipment_becomes_a_fulfilment_with_its_tracking_number(karavan: Karavan) -> None:
    """P2: once, with the goods of the order, and the shop's stock falls with it."""
    sku = f"TEAPOT-{karavan.shop.name}"
    karavan.clerk.article("Teapot", sku, price="5000")
    karavan.clerk.receive(sku, "almaty-wh", 6)
    sync(karavan)
    order = karavan.shop.buy(in_shop(karavan, sku), 2, email=f"dina-{karavan.shop.name}@example.test")
    sync(karavan)
    ((sale, _, _),) = sales(karavan, order)
    karavan.clerk.ship(sale, "KZ0012345678")
    for _ in range(2):
        sync(karavan)
        assert karavan.shop.parcels(order) == [("KZ0012345678", 2, True)]
    assert karavan.shop.shown(sku) == {"almaty-wh": (4, 0), "almaty-1": (0, 0)}


@contextmanager
def held_open(url: str, *statements: tuple[str, tuple[object, ...]]) -> Iterator[psycopg2.extensions.connection]:
    """A transaction that has written and not yet committed."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        for statement, values in statements:
            cursor.execute(statement, values)
        yield connection


def test_rows_committed_late_behind_the_watermark_are_found(on_medusa: Karavan) -> None:
    """P1: a stamp is the start of the transaction; what commits after the next read still arrives."""
    late, quick = (on_medusa.clerk.article(sku.title(), sku, price="10") for sku in ("LATE", "QUICK"))
    sync(on_medusa)
    with held_open(
        on_medusa.erp.url,
        ("UPDATE product_list_price SET list_price = 11 WHERE template = %s", (late,)),
        ("UPDATE product_template SET write_date = CURRENT_TIMESTAMP WHERE id = %s", (late,)),
    ) as transaction:
        time.sleep(1.5)  # the systems' own clocks tell whole seconds in their answers
        on_medusa.clerk.reprice(quick, "12")
        time.sleep(1.5)
        sync(on_medusa)
        assert on_medusa.shop.sees(in_shop(on_medusa, "QUICK"))[0] == 12
        assert on_medusa.shop.sees(in_shop(on_medusa, "LATE"))[0] == 10
        transaction.commit()
    with on_medusa.house.registry.read() as tx:
        stored = load_cursor(tx, "erp-kz", "variants", "live")
    assert stored is not None
    ((stamp,),) = on_medusa.erp.rows("SELECT write_date FROM product_template WHERE id = %s", late)
    assert stamp.isoformat() < stored["at"]["windows"]["product.template"]["since"], "it does lie behind the watermark"
    sync(on_medusa)
    assert on_medusa.shop.sees(in_shop(on_medusa, "LATE"))[0] == 11


def test_a_second_run_of_everything_writes_nothing(karavan: Karavan) -> None:
    """P4: every resource of both read from page one, every due write weighed: no row moves in either system."""
    sync(karavan)
    shop, erp = karavan.shop.books.stamps(), karavan.erp.stamps()
    ledgers = [*pull_all(karavan.house, full=True), *push_all(karavan.house)]
    assert sum(ledger.read for ledger in ledgers) > 20
    assert [ledger.sentence() for ledger in ledgers if ledger.total("created", "updated", "written")] == []
    assert (written(shop, karavan.shop.books.stamps()), written(erp, karavan.erp.stamps())) == ({}, {})
    with karavan.house.registry.read() as tx:
        assert [row for row in parked(tx)] == []


# -- both sides at once, crashes, lost answers -------------------------------------------------------------------------


def test_an_edit_on_both_sides_at_once_ends_as_the_one_in_charge_says(karavan: Karavan) -> None:
    """P4, P7: the ERP has the say over names; what only the shop keeps stays as its people left it."""
    sku = f"BOTH-{karavan.shop.name}"
    template = karavan.clerk.article("Bowl", sku, price="10")
    sync(karavan)
    karavan.shop.retitle(sku, "Bowl of the shop", f"bowl-of-{karavan.shop.name}")
    karavan.clerk.do("product.template.write", [template], {"name": "Bowl of the ERP"})
    karavan.clerk.reprice(template, "11")
    erp = karavan.erp.stamps()
    for _ in range(2):
        sync(karavan)
    assert [name for name, _ in karavan.shop.titles(sku)] == ["Bowl of the ERP"]
    assert karavan.shop.sees(in_shop(karavan, sku))[0] == 11
    assert karavan.shop.own_words(sku) == f"bowl-of-{karavan.shop.name}"
    assert written(erp, karavan.erp.stamps()) == {}


def test_goods_that_come_in_while_others_are_sold_are_counted_once_each(karavan: Karavan) -> None:
    """P7: the sale and the delivery meet in the same minute; neither figure overwrites the other."""
    sku = f"MEET-{karavan.shop.name}"
    karavan.clerk.article("Cup", sku, price="10")
    karavan.clerk.receive(sku, "almaty-wh", 5)
    sync(karavan)
    order = karavan.shop.buy(in_shop(karavan, sku), 2, email=f"meet-{karavan.shop.name}@example.test")
    karavan.clerk.receive(sku, "almaty-wh", 10)
    for _ in range(2):
        sync(karavan)
    assert karavan.shop.shown(sku) == {"almaty-wh": (15, 2), "almaty-1": (0, 0)}
    assert karavan.shop.sees(in_shop(karavan, sku))[1] == 13
    assert [state for _, state, _ in sales(karavan, order)] == ["processing"]


@pytest.mark.parametrize("where", ["reading", "creating", "counting"])
def test_a_crash_in_mid_page_loses_nothing_and_doubles_nothing(karavan: Karavan, where: str) -> None:
    """P1, P2: killed with SIGKILL while the shop answered; who comes next finishes the page."""
    skus = [f"CRASH-{where}-{number}-{karavan.shop.name}" for number in range(3)]
    for sku in skus:
        karavan.clerk.article(f"Jar {sku}", sku, price="7.5")
        karavan.clerk.receive(sku, "almaty-1", 4)
    marker = {"reading": karavan.shop.pages, "creating": karavan.shop.creates, "counting": karavan.shop.stocks}[where]
    killed = crashed(karavan, marker)
    assert killed == -signal.SIGKILL
    run_out(karavan.house)
    until_settled(karavan.house, shop_channel(karavan))
    for _ in range(2):
        sync(karavan)
    for sku in skus:
        assert [name for name, _ in karavan.shop.titles(sku)] == [f"Jar {sku}"]
        assert karavan.shop.shown(sku) == {"almaty-wh": (0, 0), "almaty-1": (4, 0)}
        assert karavan.shop.sees(in_shop(karavan, sku)) == (Decimal("7.5"), 4)


def crashed(karavan: Karavan, marker: bytes, door: Proxy | None = None) -> int:
    """How a process that synchronises everything ended, killed as soon as the shop (or whoever is behind ``door``) got
    the first such request."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.once", str(karavan.folder)], stdout=out, stderr=out
        )
        try:
            (door or karavan.door).upon(marker, 1, process.kill)
            return process.wait(120)
        finally:
            process.kill()
            process.wait(10)


def run_out(house: House) -> None:
    """The two minutes are over after which anybody may take up what a dead process held."""

    def work(tx: Tx) -> None:
        tx.run(text("UPDATE lease SET until = 0"))
        tx.run(text("UPDATE outbox SET claimed_until = 0 WHERE claimed_until IS NOT NULL"))

    house.registry.attempt(work)


@pytest.mark.parametrize("lost", ["creates", "stocks"])
def test_a_write_to_the_shop_whose_answer_never_came_was_done_once(karavan: Karavan, lost: str) -> None:
    """P2, P3: the shop carried it out and nobody heard; it is found by our reference or by its place, never doubled."""
    sku = f"QUIET-{lost}-{karavan.shop.name}"
    karavan.clerk.article("Lamp", sku, price="50")
    karavan.clerk.receive(sku, "almaty-wh", 3)
    silence(karavan, getattr(karavan.shop, lost))
    assert [name for name, _ in karavan.shop.titles(sku)] == ["Lamp"]
    assert karavan.shop.shown(sku) == {"almaty-wh": (3, 0), "almaty-1": (0, 0)}
    assert karavan.shop.sees(in_shop(karavan, sku)) == (50, 3)


def test_a_parcel_whose_answer_never_came_is_told_to_the_shop_once(karavan: Karavan) -> None:
    """P2, P3: the buyer hears of one parcel, with its number."""
    sku = f"QUIET-sends-{karavan.shop.name}"
    karavan.clerk.article("Mirror", sku, price="50")
    karavan.clerk.receive(sku, "almaty-wh", 3)
    sync(karavan)
    order = karavan.shop.buy(in_shop(karavan, sku), 1, email=f"quiet-{karavan.shop.name}@example.test")
    sync(karavan)
    ((sale, _, _),) = sales(karavan, order)
    karavan.clerk.ship(sale, "KZ00QUIET")
    silence(karavan, karavan.shop.sends)
    assert karavan.shop.parcels(order) == [("KZ00QUIET", 1, True)]


def silence(karavan: Karavan, marker: bytes) -> None:
    """Everything is brought over although the answer to the first such request never comes."""
    before = karavan.door.swallowed
    karavan.door.swallow(marker)
    sync_all(karavan.house)
    until_settled(karavan.house, shop_channel(karavan))
    sync(karavan)
    assert karavan.door.swallowed == before + 1


def shop_channel(karavan: Karavan) -> str:
    """The name of the shop's channel."""
    (found,) = [n for n, row in karavan.house.project.channels.items() if row.platform == karavan.shop.name]
    return found
