"""Tryton's own till beside its ERP: what went over the counter is not sold in the shop as well.

Here the tills' articles are the ERP's own; what came of it is read from the shop's books and from Tryton's.
"""

from __future__ import annotations

import signal

import pytest

from flows.steps import pull_all
from registry import parked
from tests.integration.conftest import Karavan
from tests.integration.people import written
from tests.integration.test_shops import crashed, in_shop, run_out, sync

pytestmark = [pytest.mark.real, pytest.mark.timeout(1500)]


def shelf(karavan: Karavan, sku: str, quantity: int) -> None:
    """So many of a new article lie in the store, and the shop knows."""
    karavan.clerk.article(f"Basket {sku}", sku, price="100")
    karavan.clerk.receive(sku, "almaty-1", quantity)
    sync(karavan)
    assert karavan.shop.shown(sku)["almaty-1"] == (quantity, 0)


def test_what_went_over_the_counter_is_not_sold_in_the_shop_and_taken_off_once(on_vendure: Karavan) -> None:
    """P1, P7: a receipt counts at once, though its goods leave Tryton's stock only when it is posted, and not twice."""
    shelf(on_vendure, "TILL-ONE", 9)
    receipts = [on_vendure.clerk.ring_up("TILL-ONE", 2, "116", cash=cash) for cash in (True, False)]
    sync(on_vendure)
    assert on_vendure.shop.sees(in_shop(on_vendure, "TILL-ONE"))[1] == 5
    on_vendure.clerk.post(*receipts)
    for _ in range(2):
        sync(on_vendure)
    assert on_vendure.shop.sees(in_shop(on_vendure, "TILL-ONE"))[1] == 5
    sales = "SELECT count(*) FROM sale_line WHERE product IN (SELECT id FROM product_product WHERE code = %s)"
    assert on_vendure.erp.rows(sales, "TILL-ONE") == [(0,)], "a receipt is no sale of the ERP"


def test_a_receipt_that_was_posted_before_it_was_seen_is_taken_off_once(on_vendure: Karavan) -> None:
    """P7: Tryton's own figure tells of it."""
    shelf(on_vendure, "TILL-LATE", 4)
    on_vendure.clerk.post(on_vendure.clerk.ring_up("TILL-LATE", 1, "116", cash=False))
    for _ in range(2):
        sync(on_vendure)
    assert on_vendure.shop.sees(in_shop(on_vendure, "TILL-LATE"))[1] == 3


def test_a_receipt_and_an_order_of_the_same_minute_are_both_kept(on_vendure: Karavan) -> None:
    """P7: the counter sells one of eight, the shop two of the five in the warehouse; ten are left."""
    shelf(on_vendure, "TILL-BOTH", 8)
    on_vendure.clerk.receive("TILL-BOTH", "almaty-wh", 5)
    sync(on_vendure)
    on_vendure.clerk.ring_up("TILL-BOTH", 1, "116", cash=True)
    on_vendure.shop.buy(in_shop(on_vendure, "TILL-BOTH"), 2, email="till-both@example.test")
    for _ in range(2):
        sync(on_vendure)
    assert on_vendure.shop.sees(in_shop(on_vendure, "TILL-BOTH"))[1] == 10


def test_a_crash_while_receipts_are_read_loses_none(on_vendure: Karavan) -> None:
    """P1: killed with SIGKILL as Tryton answered; whoever comes next reads them."""
    shelf(on_vendure, "TILL-CRASH", 6)
    for number in range(3):
        on_vendure.clerk.ring_up("TILL-CRASH", 1, "116", cash=number == 0)
    assert crashed(on_vendure, b"model.sale.point.sale.search_read", on_vendure.wire) == -signal.SIGKILL
    run_out(on_vendure.house)
    sync(on_vendure)
    assert on_vendure.shop.sees(in_shop(on_vendure, "TILL-CRASH"))[1] == 3


def test_an_answer_of_the_till_that_never_came_is_asked_for_again(on_vendure: Karavan) -> None:
    """P1: a read that timed out costs time, and no receipt."""
    shelf(on_vendure, "TILL-QUIET", 6)
    on_vendure.clerk.ring_up("TILL-QUIET", 2, "116", cash=True)
    swallowed = on_vendure.wire.swallowed
    on_vendure.wire.swallow(b"model.sale.point.sale.search_read")
    pull_all(on_vendure.house, channels=["till-kz"])
    sync(on_vendure)
    assert on_vendure.wire.swallowed == swallowed + 1
    assert on_vendure.shop.sees(in_shop(on_vendure, "TILL-QUIET"))[1] == 4


def test_reading_every_receipt_again_changes_nothing(on_vendure: Karavan) -> None:
    """P4: also those whose session was closed meanwhile."""
    sync(on_vendure)
    shop, erp = on_vendure.shop.books.stamps(), on_vendure.erp.stamps()
    ledgers = pull_all(on_vendure.house, full=True, channels=["till-kz"])
    assert sum(ledger.read for ledger in ledgers) > 10
    assert [ledger.sentence() for ledger in ledgers if ledger.total("created", "updated", "written")] == []
    sync(on_vendure)
    assert (written(shop, on_vendure.shop.books.stamps()), written(erp, on_vendure.erp.stamps())) == ({}, {})
    with on_vendure.house.registry.read() as tx:
        assert [row for row in parked(tx)] == []
