"""What meets half-way: a page in flight while a write lands, a notice before its receipt, two workers at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree

import pytest

from tests.databases import fresh_postgres, fresh_sqlite
from tests.scenario.border import Border
from tests.scenario.kept import made
from tests.scenario.oracle import wrong
from tests.scenario.test_crashes import day, working
from tests.scenario.world import LONG, World, world

SEED = int(os.environ.get("SERAI_TEST_SEED", "1"))


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[World]:
    with made(tmp_path, live, seed=SEED) as found:
        yield found


def live(found: World) -> None:
    found.goods("KTL-1", on_hand=20)
    found.goods("007", on_hand=20)
    found.go_live()


def once(wanted: str, work: Callable[[], object]) -> Callable[[str], None]:
    """A hook that works when ``wanted`` is about to happen, or was answered, for the first time."""
    left = [work]

    def hook(what: str) -> None:
        if what == wanted and left:
            left.pop()()

    return hook


def all_agree(found: World) -> None:
    """Everything is right by the books, and a complete round writes nothing."""
    assert wrong(found.books()) == [], found.parked()
    quiet = found.marks()
    found.full_round()
    assert found.writes(quiet) == []


@pytest.mark.parametrize(("path", "resource", "entity", "change"), [
    ("shop/prices", "prices", "price", lambda w: w.people.set_price("007", "2500.00")),
    ("shop/inventory", "inventory", "stock", lambda w: w.people.receive_goods("007", "almaty-wh", 10)),
    ("shop/variants", "variants", "variant", lambda w: w.people.rename_item("007", "Самовар")),
])
def test_a_page_asked_for_before_a_write_is_not_taken_for_an_edit(
    shops: World, path: str, resource: str, entity: str, change: Callable[[World], None]
) -> None:
    """P5, P4: the page still shows what was there before; it is skipped and read again, and nothing is put back."""
    change(shops)
    shops.sync(channels=["erp-kz"])
    other = shops.worker()
    began = shops.marks()
    shops.house.border.answered = once(f"GET {path}", lambda: shops.step("push", "shop-kz", entity, house=other))
    done = shops.step("pull", "shop-kz", resource, full=True)
    stale = sum(n for ledger in done for reason, n in ledger.reasons.items() if "stale" in reason)
    assert stale == 1
    assert len(shops.writes(began, "shop")) == 1, shops.writes(began)
    shops.until_quiet()
    other.close()
    assert len(shops.writes(began, "shop")) == 1, shops.writes(began)
    all_agree(shops)


@pytest.mark.parametrize(("written", "prepare"), [
    ("POST erp/customers/batch", lambda w: None),
    ("POST erp/orders/batch", lambda w: None),
    ("POST crm/contacts", lambda w: None),
    ("POST crm/deals", lambda w: None),
    ("POST shop/fulfilments", lambda w: (w.drain(), w.people.ship(source_number=w.placed["shop"][0].number))),
    ("POST market/shipments", lambda w: (w.drain(), w.people.ship(source_number=w.placed["market"][0].number))),
])
def test_a_notice_that_overtakes_the_receipt_makes_no_second_record(
    shops: World, written: str, prepare: Callable[[World], object]
) -> None:
    """P2, P15: the system tells of what we created before its answer to us was kept."""
    shops.buy("shop", {"007": 1}, 1)
    shops.buy("market", {"007": 1}, 2)
    prepare(shops)
    other = shops.worker()
    met: list[str] = []

    def overtaken() -> None:
        for system in ("erp", "crm", "shop", "market"):
            shops.people.notices_sent(system, 20)
        met.append(written)
        shops.step("take_notices", house=other)
        shops.step("push_all", house=other)

    shops.hear()
    shops.house.border.answered = once(written, overtaken)
    shops.step("push_all")
    assert met == [written], "nothing was written there: the test shows nothing"
    shops.drain()
    other.close()
    all_agree(shops)


def test_a_new_product_announced_before_its_receipt_is_one_product(shops: World) -> None:
    """P2: the shop's notice of the page, the variant that Serai just made comes before the answer is kept."""
    shops.goods("NEW-1", listed=False)
    shops.hear()
    other = shops.worker()

    def overtaken() -> None:
        shops.people.notices_sent("shop", 20)
        shops.step("take_notices", house=other)
        shops.step("push_all", house=other)

    for path in ("products", "variants"):
        shops.house.border.answered = once(f"POST shop/{path}/batch", overtaken)
        shops.step("push", "shop-kz", path.removesuffix("s"))
    shops.settle_down()     # its listing was made by hand before the ERP told of it, and is found by the comparison
    other.close()
    docs = [doc["sku"] for doc in shops.sandbox.systems["shop"].docs("variants")]
    assert sorted(docs) == ["007", "KTL-1", "NEW-1"]
    assert len(list(shops.sandbox.systems["shop"].docs("products"))) == 3
    all_agree(shops)


def test_an_order_whose_answer_was_lost_is_found_by_our_reference(shops: World) -> None:
    """P2, P3: the ERP took the order and said nothing; the worker dies before it can ask."""
    shops.people.temper("erp", "lose_answer", on="POST /orders", next=1)
    shops.buy("shop", {"007": 1}, 1)
    shops.hear()
    shops.step("push_all")
    shops.people.calm("erp")
    shops.restart(Border())
    shops.until_quiet()
    all_agree(shops)


def test_an_order_that_arrives_after_its_sender_gave_up_is_found_before_it_is_sent_again(shops: World) -> None:
    """P2, P3: not there when it was looked for, there a minute later; only our reference tells that it is the same."""
    shops.buy("shop", {"007": 1}, 1)
    shops.hear()
    border = shops.house.border
    border.slow = "POST erp/orders/batch"
    shops.step("push", "erp-kz", "customer")
    shops.step("push", "erp-kz", "order")       # not push_all: on a slow machine its next round settles already
    assert border.slow == "", "no order was sent"
    shops.pass_time(LONG)
    assert [ledger for ledger in shops.step("settle", "erp-kz", "order") if ledger.read == 1]
    border.arrive()
    shops.drain()
    all_agree(shops)


def test_orders_that_a_slow_system_takes_one_by_one_are_entered_once(shops: World) -> None:
    """P2: a page takes longer than a claim lasts, and another worker asks what became of it after each request."""
    for n in range(3):
        shops.buy("shop", {"007": 1}, n)
    other = shops.worker()
    took: list[str] = []

    def slowly(what: str) -> None:
        if what.endswith("crm/deals"):
            took.append(what)
            shops.pass_time(25)
            shops.step("settle", "crm-kz", "order", house=other)
            shops.step("push", "crm-kz", "order", house=other)

    shops.hear()
    shops.house.border.answered = slowly
    shops.step("push_all")
    shops.house.border.answered = lambda what: None
    shops.drain()
    other.close()
    assert took.count("POST crm/deals") == 3, took
    assert len(list(shops.sandbox.systems["crm"].docs("deals"))) == 3
    all_agree(shops)


def test_a_registry_put_back_from_a_copy_enters_no_order_twice(tmp_path: Path) -> None:
    """P2: the copy was made before the order went out; the ERP is asked for our reference before it is entered."""
    with fresh_sqlite(tmp_path / "registry") as url, world(tmp_path, url, SEED) as found:
        found.goods("007", on_hand=20)
        found.go_live()
        found.buy("shop", {"007": 1}, 1)
        found.hear()
        found.house.close()
        found.desk.close()
        copytree(tmp_path / "registry", tmp_path / "copy")
        found.restart()
        found.drain()
        found.house.close()
        found.desk.close()
        for file in (tmp_path / "registry").iterdir():
            file.unlink()
        copytree(tmp_path / "copy", tmp_path / "registry", dirs_exist_ok=True)
        found.restart()
        found.settle_down()
        all_agree(found)


def test_an_order_changed_by_the_erp_while_its_receipt_is_on_its_way_keeps_the_change(shops: World) -> None:
    """P3, P5: what a person does in that moment is an edit like any other."""
    order = shops.buy("shop", {"007": 1}, 1)
    other = shops.worker()

    def shipped() -> None:
        shops.people.ship(source_number=order.number)
        shops.people.notices_sent("erp", 20)
        shops.step("take_notices", house=other)

    shops.hear()
    shops.house.border.answered = once("POST erp/orders/batch", shipped)
    shops.step("push_all")
    shops.drain()
    other.close()
    all_agree(shops)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_two_processes_on_one_registry_do_not_get_in_each_other_s_way(database: str, tmp_path: Path) -> None:
    """P2, P15: both read, match, render and write at once; every order is entered once, every edit written once."""
    opened = fresh_sqlite(tmp_path) if database == "sqlite" else fresh_postgres()
    with opened as url, world(tmp_path, url, SEED) as found:
        found.goods("KTL-1", on_hand=300)
        found.goods("007", on_hand=300)
        found.go_live()
        with working(found) as one, working(found) as two:
            for n in range(2):
                day(found, n)
        assert (one.exitcode, two.exitcode) == (0, 0)
        found.settle_down()
        all_agree(found)
