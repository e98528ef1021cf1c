"""What one edit sets going, to the write: once on each other channel, put back once where it had no authority."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from tests.databases import fresh_sqlite
from tests.scenario.oracle import wrong
from tests.scenario.project import LABEL
from tests.scenario.world import World, world

SEED = int(os.environ.get("SERAI_TEST_SEED", "1"))


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for the file, its channels lossy: every test leaves it quiet, which is what each of them shows."""
    folder = tmp_path_factory.mktemp("edits")
    with fresh_sqlite(folder) as url, world(folder, url, SEED, lossy=True) as found:
        found.goods("KTL-1", on_hand=30)
        found.goods("007", on_hand=30)
        found.go_live()
        found.buy("shop", {"KTL-1": 1}, 1)
        found.until_quiet()
        yield found


def written(found: World, act: Callable[[], object], how: str) -> list[str]:
    """What programs wrote because of the act: heard of by notices or by timetable first, then the other way."""
    began = found.marks()
    act()
    for work in (found.drain, found.until_quiet) if how == "heard" else (found.until_quiet, found.drain):
        work()
    return sorted(line.rsplit(" ", 2)[0] for line in found.writes(began))


@pytest.mark.parametrize("how", ["heard", "polled"])
def test_a_price_of_the_erp_is_written_once_to_each_channel(shops: World, how: str) -> None:
    """P4: and no channel's answer, stamp or notice of that write causes another."""
    amount = "4100.00" if how == "heard" else "4200.00"
    assert written(shops, lambda: shops.people.set_price("007", amount), how) == [
        "market prices update", "pos prices update", "shop prices update",
    ]


def test_a_price_that_a_channel_cannot_hold_to_the_digit_is_not_written_again(shops: World) -> None:
    """P4: a channel that rounds what it is told does not start an endless exchange."""
    assert written(shops, lambda: shops.people.set_price("007", "1234.56"), "heard") == [
        "market prices update", "pos prices update", "shop prices update",
    ]


@pytest.mark.parametrize(("how", "name"), [
    ("heard", "Самовар «Тула» на 5 литров"), ("polled", "Другой самовар «Тула»"),
])
def test_a_name_of_the_erp_is_written_once_though_the_tills_cut_it(shops: World, how: str, name: str) -> None:
    """P3, P4: what a channel was seen to hold after a write is no edit, also where it is less than it was told."""
    assert written(shops, lambda: shops.people.rename_item("007", name), how) == [
        "pos articles update", "shop variants update",
    ]
    assert shops.sandbox.systems["pos"].get("articles", "007")["label"] == name[:LABEL]


@pytest.mark.parametrize(("system", "resource", "change"), [
    ("shop", "prices", {"amountMinor": 100}), ("shop", "variants", {"title": "по-своему"}),
    ("market", "prices", {"price": {"amount": "1.00", "currency": "KZT"}}),
    ("pos", "articles", {"label": "по-своему всё"}), ("pos", "prices", {"price": 1}),
    ("shop", "inventory", {"available": 99}), ("market", "stocks", {"available": "99"}),
])
@pytest.mark.parametrize("how", ["heard", "polled"])
def test_an_edit_without_authority_is_put_back_once_and_told_nobody(
    shops: World, system: str, resource: str, change: dict[str, object], how: str
) -> None:
    """P4"""
    id = shops.shop_id("007") if system == "shop" else "007"
    assert written(shops, lambda: shops.people.edit(system, resource, id, change), how) == [
        f"{system} {resource} update"]
    assert wrong(shops.books(), label=LABEL) == []


@pytest.mark.parametrize("system", ["shop", "crm", "erp"])
def test_a_customer_s_new_number_is_written_once_to_the_others(shops: World, system: str) -> None:
    """P4: three channels hold the customer, two of them write numbers in their own way; the newest counts."""
    name, phone = {"shop": "customers", "crm": "contacts", "erp": "customers"}[system], {
        "shop": "+77015550001", "crm": "8 (701) 555-00-02", "erp": "8 701 555 00 03"}[system]
    docs = list(shops.sandbox.systems[system].docs(name))
    assert len(docs) == 1
    if system == "erp":
        done = written(shops, lambda: shops.people.edit("erp", "customers", docs[0]["code"], {"phone": phone}), "heard")
    else:
        done = written(shops, lambda: shops.people.edit_phone(system, docs[0]["id"], phone), "heard")
    assert done == [f"{other} {kind} update" for other, kind in (("crm", "contacts"), ("erp", "customers"))
                    if other != system]
    last = phone[-2:]
    held = {
        "erp": next(shops.sandbox.systems["erp"].docs("customers"))["phone"],
        "crm": next(shops.sandbox.systems["crm"].docs("contacts"))["properties"]["phone"],
    }
    assert all(number.endswith(last) for number in held.values()), held


def test_a_write_that_only_moves_a_stamp_moves_nothing_else(shops: World) -> None:
    """P4: somebody saves a page of the shop without changing it."""
    title = next(doc["title"] for doc in shops.sandbox.systems["shop"].docs("variants") if doc["sku"] == "007")
    id = shops.shop_id("007")
    assert written(shops, lambda: shops.people.edit("shop", "variants", id, {"title": title}), "heard") == []


@pytest.mark.parametrize("fault", ["duplicate", "reorder"])
def test_notices_that_come_twice_or_late_write_nothing_more(shops: World, fault: str) -> None:
    """P2, P5"""
    for system in ("erp", "shop", "market", "pos"):
        shops.people.temper(system, fault, next=20)
    amount = "5100.00" if fault == "duplicate" else "5200.00"

    def act() -> None:
        shops.people.set_price("007", "5000.00")
        shops.people.set_price("007", amount)

    done = written(shops, act, "heard")
    for system in ("erp", "shop", "market", "pos"):
        shops.people.calm(system)
    assert done == ["market prices update", "pos prices update", "shop prices update"]
    assert wrong(shops.books(), label=LABEL) == []


def test_a_page_missing_from_a_complete_scan_deletes_and_archives_nothing(shops: World) -> None:
    """P10: each of what was not seen is asked for, and is there."""
    began = shops.marks()
    for system, resource in (("shop", "variants"), ("shop", "products"), ("market", "offers"), ("pos", "articles"),
                             ("erp", "items"), ("erp", "products"), ("erp", "prices"), ("erp", "stock")):
        shops.people.temper(system, "omit_page", on=f"/{resource}", page=1)
        shops.step("reconcile", f"{system}-kz", resource)
        shops.people.calm(system)
    shops.until_quiet()
    assert shops.writes(began) == []
    assert all(doc["active"] for doc in shops.sandbox.systems["shop"].docs("variants"))
    assert wrong(shops.books(), label=LABEL) == []


def test_a_variant_that_somebody_removed_from_the_shop_comes_back_once(shops: World) -> None:
    """P10, P4: the fetch confirms that it is gone; the ERP still sells it, so it is made again, once."""
    shops.goods("GONE-1", on_hand=10)
    shops.settle_down()
    id = shops.shop_id("GONE-1")
    shops.people.remove("shop", "variants", id)
    shops.settle_down()
    assert [doc["sku"] for doc in shops.sandbox.systems["shop"].docs("variants")].count("GONE-1") == 1
    quiet = shops.marks()
    shops.full_round()
    assert shops.writes(quiet) == []


def test_a_bad_order_is_parked_and_the_others_go_on(shops: World) -> None:
    """P6: an order of a SKU that nobody knows waits for a person; the one after it is entered."""
    shops.people.list_by_hand("GHOST", "GHOST", "990.00", 5)
    ghost = shops.people.buy_on_market({"GHOST": 1}, name="Eka Lomidze", phone="+77011112233")
    good = shops.buy("market", {"007": 1}, 2)
    shops.drain()
    entered = {entry["number"] for entry in shops.books()["erp"] if entry["kind"] == "order"}
    assert good.number in entered
    assert ghost.number not in entered
    assert [line for line in shops.parked() if "market-kz order" in line]
