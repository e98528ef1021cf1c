"""The breaker in force: what a retailer never meant does not reach a channel, and a person decides about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from deployments.commands.holding import row
from flows.holds import CannotDecide, Shown, approve, hold_called, open_sets, reject, send_approved
from flows.price_moves import Price, opens
from flows.why import why
from mappings.commerce.breaker import Breaker
from registry import Tx, outbox_counts, put_hold
from tests.databases import registry_url, sqlite_url  # noqa: F401 (fixtures)
from tests.scenario.kept import made
from tests.scenario.world import World, world
from tests.unit.flows.retail import again, live, take

PAIR = ("erp-kz", "shop-kz")
PRICES = ("erp-kz", "prices")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[World]:
    """Forty articles at 100.00, in agreement on ERP and shop."""
    with made(tmp_path, stocked, breakers=True) as found:
        yield found


@pytest.fixture
def shop_on_each(tmp_path: Path, registry_url: str) -> Iterator[World]:  # noqa: F811 (the fixture)
    """The same on SQLite and on PostgreSQL in turn."""
    with world(tmp_path, registry_url, seed=7, breakers=True) as found:
        yield stocked(found)


def stocked(world: World, count: int = 40) -> World:
    for n in range(count):
        world.goods(sku(n), on_hand=10, price="100.00")
    live(world, *PAIR)
    assert set(shown(world).values()) == {Decimal(100)}
    return world


def sku(n: int) -> str:
    return f"KTL-{n:02d}"


def shown(world: World) -> dict[str, Decimal]:
    """SKU → the price that the shop itself shows."""
    names = {doc["id"]: doc["sku"] for doc in world.sandbox.systems["shop"].docs("variants")}
    return {names[doc["variantId"]]: Decimal(doc["amountMinor"]) / 100
            for doc in world.sandbox.systems["shop"].docs("prices")}


def type_prices(world: World, amounts: dict[str, str]) -> None:
    """A clerk types these; the ERP is read and what follows goes to the shop."""
    for article, amount in amounts.items():
        world.people.set_price(article, amount)
    world.step("pull", *PRICES)
    world.step("push", "shop-kz", "price")


def held(world: World) -> list[Shown]:
    return open_sets(world.house)


def test_a_category_typed_at_9_99_stays_at_its_prices_while_its_stock_goes_on(shop_on_each: World) -> None:
    """P9: thirty prices are held, the money at stake is told, and no sale waits for the decision."""
    for n in range(30):
        shop_on_each.people.set_price(sku(n), "9.99")
    shop_on_each.people.count_stock(sku(0), "almaty-wh", 3)
    again(shop_on_each, *PAIR)
    assert set(shown(shop_on_each).values()) == {Decimal(100)}
    assert shop_on_each.shown("shop", sku(0)) == 2      # 60 % of three
    (hold,) = held(shop_on_each)
    assert (hold.hold.channel, hold.hold.entity, hold.hold.cause, hold.count) == ("shop-kz", "price", "erp-kz", 30)
    units = {sku(n): shop_on_each.shown("shop", sku(n)) for n in range(30)}
    assert hold.stakes == {"KZT": sum((Decimal("90.01") * units[name] for name in units), Decimal(0))}
    assert {one.label for one in hold.moved} == set(units)


def test_what_was_rejected_is_never_written_and_a_corrected_price_is(shop: World) -> None:
    """P9: not at the next read, not forced by a full one; the record may change to something meant."""
    type_prices(shop, {sku(n): "9.99" for n in range(30)})
    (hold,) = held(shop)
    reject(shop.house, hold.hold.uid[:8], who="Aigerim", because="a clerk's mistake", set=hold.set)
    marks = shop.marks()
    shop.step("pull", *PRICES, full=True)
    shop.step("reconcile", "shop-kz", "prices")
    again(shop, *PAIR)
    assert shop.writes(marks, "shop") == []
    assert held(shop) == []
    type_prices(shop, {sku(0): "110.00"})
    assert shown(shop)[sku(0)] == Decimal(110)
    type_prices(shop, {sku(0): "9.99"})
    assert shown(shop)[sku(0)] == Decimal(110)


def test_what_was_approved_goes_out_as_it_was_shown_and_nothing_else(shop: World) -> None:
    """P9: a person releases exactly that set; what renders otherwise by then asks again."""
    type_prices(shop, {sku(n): "60.00" for n in range(25)})
    (hold,) = held(shop)
    assert hold.count == 25
    shop.people.set_price(sku(3), "0.01")
    shop.step("pull", *PRICES)
    (hold,) = held(shop)
    done = approve(shop.house, hold.hold.uid, who="Aigerim", because="the winter sale", set=hold.set)
    assert send_approved(shop.house, done) == 24
    assert {price for name, price in shown(shop).items() if name != sku(3)} == {Decimal(60), Decimal(100)}
    assert shown(shop)[sku(3)] == Decimal(100)
    (next_hold,) = held(shop)
    assert [(one.label, one.after) for one in next_hold.moved] == [(sku(3), Decimal("0.01"))]


def test_a_set_that_grew_since_it_was_looked_at_is_not_approved(shop: World) -> None:
    """P9: nobody approves what was not on the screen."""
    type_prices(shop, {sku(0): "1.00"})
    (seen,) = held(shop)
    type_prices(shop, {sku(1): "2.00"})
    with pytest.raises(CannotDecide, match="another set by now"):
        approve(shop.house, seen.hold.uid, who="Aigerim", because="", set=seen.set)
    assert set(shown(shop).values()) == {Decimal(100)}
    assert hold_called(shop.house, seen.hold.uid[:6]).count == 2


def test_half_a_catalogue_at_nothing_sends_no_price_of_nothing_in_200_small_batches(shop: World) -> None:
    """P9: facebook-for-woocommerce#52, about half of all items at 0.00, as 200 micro-batches."""
    marks = shop.marks()
    prices = [doc for doc in shop.sandbox.systems["erp"].docs("prices") if doc["item"] < sku(20)]
    for batch in range(200):
        doc = {**prices[batch % len(prices)], "amount": "0.00" if batch % 3 else f"0.0{1 + batch % 9}"}
        take(shop, *PRICES, [doc], at=shop.registry.now())
        shop.step("push", "shop-kz", "price")
    assert shop.writes(marks, "shop") == []
    assert set(shown(shop).values()) == {Decimal(100)}
    (hold,) = held(shop)
    assert hold.count == len(prices) == 20


def test_price_lists_overwritten_by_another_list_reach_nobody_in_small_batches(shop: World) -> None:
    """P9: frappe/erpnext#7920, retail prices written into other lists: each moves by 60 to 150 %, a few at a time."""
    for batch in range(0, 40, 2):
        type_prices(shop, {sku(batch): f"{160 + batch}.00", sku(batch + 1): f"{170 + 2 * batch}.00"})
    assert set(shown(shop).values()) == {Decimal(100)}
    assert sum(one.count for one in held(shop)) == 40


def test_many_small_moves_of_one_cause_are_one_large_one(shop: World) -> None:
    """P9: each price moves by 12 % only, which is for nobody; half of the assortment within the hour is for a person,
    and what that cause changes afterwards joins."""
    for n in range(40):
        type_prices(shop, {sku(n): "112.00"})
    moved = [name for name, price in shown(shop).items() if price == Decimal(112)]
    assert len(moved) == 19      # the twentieth item is enough to be many: 20 x 12 % of 40 listings is 6 %
    (hold,) = held(shop)
    assert hold.hold.kind == "all"
    assert hold.count == 21
    assert hold.hold.because == ("20 of 40 records would change, more than 30 %",
                                 "prices would move by 6 % over all listings, more than 5 %")


def test_an_hour_later_the_window_is_empty(shop: World) -> None:
    """P9: yesterday's honest changes do not count against today's."""
    type_prices(shop, {sku(n): "112.00" for n in range(10)})
    shop.pass_time(3_700)
    type_prices(shop, {sku(n): "112.00" for n in range(10, 20)})
    assert held(shop) == []
    assert sorted(shown(shop).values()) == [Decimal(100)] * 20 + [Decimal(112)] * 20


def test_a_first_price_is_no_change_that_a_breaker_counts_and_no_money_is_at_stake() -> None:
    """P9: none before, or the 0.00 at which a shop opens an article; an article whose name changes too is a change."""
    first = [Price(path="amount", before=before, after=Decimal(12990), currency="KZT") for before in (None, Decimal(0))]
    rise = Price(path="amount", before=Decimal("0.01"), after=Decimal(12990), currency="KZT")
    assert [price.moved for price in (*first, rise)] == [Decimal(0), Decimal(0), Decimal("12989.99")]
    assert [opens("price", [price]) for price in (*first, rise)] == [True, True, False]
    assert not opens("price", [*first, rise])
    assert not opens("price", [])
    assert not opens("variant", first)


def test_a_held_price_that_is_put_right_at_its_source_is_forgotten(shop: World) -> None:
    """P9: nobody is asked about what no longer differs."""
    type_prices(shop, {sku(0): "1.00"})
    assert [one.count for one in held(shop)] == [1]
    type_prices(shop, {sku(0): "100.00"})
    assert [one.count for one in held(shop)] == [0]
    assert shown(shop)[sku(0)] == Decimal(100)
    with shop.registry.read() as tx:
        assert [place for place in outbox_counts(tx) if place[0] == "shop-kz"] == []


def test_stock_that_goes_to_zero_everywhere_is_told_and_not_held(shop: World) -> None:
    """P9, P8: holding a fall sells what is not there; somebody hears of it."""
    for n in range(30):
        shop.people.count_stock(sku(n), "almaty-wh", 0)
    again(shop, *PAIR)
    assert [shop.shown("shop", sku(n)) for n in range(30)] == [0] * 30
    (alert,) = held(shop)
    assert (alert.hold.kind, alert.count) == ("alert", 0)
    assert alert.hold.because == ("30 of 40 listings go to zero stock, more than 30 %",)


def test_where_falls_of_stock_are_held_what_was_rejected_or_joined_the_set_stays_where_it_is(shop: World) -> None:
    """P9: `stock: hold` is one decision about the whole set, whatever else its page holds."""
    shop.house.project = replace(shop.house.project, breaker={"*": Breaker(stock="hold")})
    for n in range(30):
        shop.people.count_stock(sku(n), "almaty-wh", 0)
    again(shop, *PAIR)
    assert {shop.shown("shop", sku(n)) for n in range(30)} == {6}       # 60 % of ten
    shop.people.count_stock(sku(35), "almaty-wh", 5)
    again(shop, *PAIR)
    assert shop.shown("shop", sku(35)) == 6
    (hold,) = held(shop)
    assert hold.count == 31
    reject(shop.house, hold.hold.uid, who="Aigerim", because="the warehouse's export was empty", set=hold.set)
    shop.people.count_stock(sku(36), "almaty-wh", 5)
    shop.step("pull", "erp-kz", "inventory", full=True)
    shop.step("reconcile", "shop-kz", "variants")
    again(shop, *PAIR)
    assert (shop.shown("shop", sku(35)), shop.shown("shop", sku(36))) == (6, 3)


def test_every_run_with_held_writes_still_balances(shop: World) -> None:
    """P1: due = written + unchanged + waiting + held + parked + failed."""
    for n in range(5):
        shop.people.set_price(sku(n), "1.00")
    shop.people.set_price(sku(9), "101.00")
    shop.step("pull", *PRICES)
    ledgers: Sequence[object] = shop.step("push", "shop-kz", "price")
    (ledger,) = [one for one in shop.ledgers[-len(ledgers):] if one.direction == "outward"]
    assert (ledger.read, ledger.total("held"), ledger.total("written")) == (6, 5, 1)
    assert ledger.balanced


def test_a_range_archived_by_mistake_stays_listed_until_a_person_agrees(shop: World) -> None:
    """P9, P10: half of the shop's articles would go at once."""
    for n in range(25):
        shop.people.edit("erp", "items", sku(n), {"state": "X"})
    again(shop, *PAIR)
    active = [doc["sku"] for doc in shop.sandbox.systems["shop"].docs("variants") if doc["active"]]
    assert len(active) == 40
    (hold,) = [one for one in held(shop) if one.hold.entity == "variant"]
    assert hold.count == 25
    assert "25 of 40 listings would go, more than 5 %" in hold.hold.because
    send_approved(shop.house, approve(shop.house, hold.hold.uid, who="Aigerim", because="the range is discontinued"))
    active = [doc["sku"] for doc in shop.sandbox.systems["shop"].docs("variants") if doc["active"]]
    assert len(active) == 15


def test_why_a_price_is_still_the_old_one_is_answered_with_the_hold(shop: World) -> None:
    """P11: whoever wonders reads where to decide, and afterwards who decided."""
    type_prices(shop, {sku(0): "9.99"})
    (hold,) = held(shop)
    assert why(shop.house, "shop-kz", "price", sku(0)).steps[-1].sentence.endswith(
        f"it is held, look at `serai hold show {hold.hold.uid[-8:]}`"
    )
    reject(shop.house, hold.hold.uid, who="Aigerim", because="a clerk's mistake")
    assert why(shop.house, "shop-kz", "price", sku(0)).steps[-1].sentence.endswith(
        f"Aigerim rejected it (hold {hold.hold.uid[-8:]})"
    )


def test_holds_of_one_change_are_told_apart_by_what_is_shown_of_them(shop: World) -> None:
    """P9: one price typed stops on several channels at the same moment, and each is decided by its own name."""

    def hold(tx: Tx) -> list[str]:
        return [put_hold(tx, channel=name, entity="price", cause="erp-kz", kind="single", because=["it moved"]).uid
                for name in ("shop-kz", "pos-kz", "market-kz")]  # fmt: skip

    uids = shop.house.registry.attempt(hold)
    names = [str(row(one)["hold"]) for one in held(shop)]
    assert sorted(hold_called(shop.house, name).hold.uid for name in names) == sorted(uids)
