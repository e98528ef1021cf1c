"""Stock that channels show: allotted, reserved on order, set free by a newer count, raised only after lowering."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from deployments.drain import Drain
from flows import steps
from flows.consequences import stock_due
from registry import reserved
from tests.scenario.border import Crash
from tests.scenario.kept import made
from tests.scenario.world import LONG, WAREHOUSE, World
from tests.unit.flows.retail import live, outbox, records, written
from tests.unit.flows.sharing import BOTH, shown


def promised(world: World, sku: str) -> list[Decimal]:
    """The reservations that stand of an article."""
    uid = records(world.house, "variant")[sku].uid
    with world.registry.read() as tx:
        return [quantity for _, _, quantity, _ in reserved(tx, [uid])[uid]]


@pytest.fixture
def selling(tmp_path: Path) -> Iterator[World]:
    """Ten kettles in the warehouse: six for the shop, four for the marketplace."""
    with made(tmp_path, divided) as found:
        yield found


def divided(world: World) -> None:
    world.goods("KTL-1", on_hand=10)
    live(world, *BOTH)
    assert shown(world) == (6, 4)


def divided_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are twelve now, nearly all for the shop, which may show them once the marketplace shows fewer."""
    policies = dict(world.house.project.stock)
    for name, share in (("market-kz", "0.1"), ("shop-kz", "0.9")):
        monkeypatch.setitem(world.house.project.stock, name, replace(policies[name], share=Decimal(share)))
    world.people.count_stock("KTL-1", WAREHOUSE, 12)
    steps.pull(world.house, "erp-kz", "stock")


def test_channels_together_never_show_more_than_there_is(selling: World) -> None:
    """P8: the shares divide what is there, down to the last piece."""
    for on_hand in (1, 0, 17):
        selling.people.count_stock("KTL-1", WAREHOUSE, on_hand)
        live(selling, *BOTH)
        assert sum(shown(selling)) == on_hand


def test_a_raise_waits_until_the_other_channel_has_been_lowered(
    selling: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P8: shares move from one to the other, and at no moment do the two figures add up to more than the stock."""
    house = selling.house
    policies = dict(house.project.stock)
    for name, share in (("market-kz", "0.1"), ("shop-kz", "0.9")):
        monkeypatch.setitem(house.project.stock, name, replace(policies[name], share=Decimal(share)))
    selling.people.count_stock("KTL-1", WAREHOUSE, 11)
    selling.people.count_stock("KTL-1", WAREHOUSE, 10)
    sums: list[int] = []
    house.border.before = lambda what: sums.append(sum(shown(selling)))
    steps.pull(house, "erp-kz", "stock", full=True)
    uid = records(house, "variant")["KTL-1"].uid
    house.registry.attempt(lambda tx: stock_due(house, tx, [uid], "test"))
    first = steps.push(house, "shop-kz", "stock")
    assert first.total("written") == 0
    assert first.total("waiting") == 1
    assert outbox(house)["shop-kz stock waiting"] == 1
    assert steps.push(house, "market-kz", "stock").total("written") == 1
    assert steps.push(house, "shop-kz", "stock").total("written") == 1
    house.border.before = lambda what: None
    assert shown(selling) == (9, 1)
    assert max(sums) <= 10


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_what_another_channel_frees_while_a_figure_is_on_its_way_is_shown_too(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P1: another process lowers the marketplace between the request to the shop and its answer; nobody does later."""
    with made(tmp_path, divided, database=database) as selling:
        house, other = selling.house, selling.worker()
        divided_anew(selling, monkeypatch)
        lowered: list[int] = []

        def lower(what: str) -> None:
            if "shop/inventory" in what and not lowered:
                lowered.append(sum(shown(selling)))
                lowered.append(steps.push(other, "market-kz", "stock").total("written"))

        house.border.answered = lower
        steps.push(house, "shop-kz", "stock")
        other.close()
        assert lowered == [12, 1]
        assert sum(shown(selling)) == 12
        assert "shop-kz stock waiting" not in outbox(house)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_figure_whose_worker_was_killed_before_it_looked_again_is_raised_by_the_next(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P15: nothing else is due on the shop, and nothing changes any more."""
    with made(tmp_path, divided, database=database) as selling:
        house, other = selling.house, selling.worker()
        divided_anew(selling, monkeypatch)

        def lower_and_die(what: str) -> None:
            if "shop/inventory" in what:
                steps.push(other, "market-kz", "stock")
                house.border.at = house.border.count + 2        # its receipt is kept, and no more

        house.border.answered = lower_and_die
        with pytest.raises(Crash):
            steps.push(house, "shop-kz", "stock")
        other.close()
        assert outbox(house)["shop-kz stock waiting"] == 1
        selling.restart()
        Drain(selling.house, lambda _: None).once()
        assert sum(shown(selling)) == 12


def test_an_order_is_reserved_at_once_and_set_free_by_a_count_after_its_goods_left(selling: World) -> None:
    """P8: a sold kettle is not shown again while it still stands in the warehouse, nor taken off twice when it left."""
    selling.buy("shop", {"KTL-1": 2})
    live(selling, *BOTH)
    assert promised(selling, "KTL-1") == [Decimal(2)]
    assert sum(shown(selling)) == 8
    (sale,) = selling.sandbox.systems["erp"].docs("orders")
    selling.people.ship(order=sale["number"])
    live(selling, *BOTH)
    selling.pass_time(LONG)
    live(selling, *BOTH)
    assert promised(selling, "KTL-1") == []
    assert sum(shown(selling)) == 8


def test_a_reservation_outlives_a_count_that_was_asked_for_before_the_goods_left(selling: World) -> None:
    """P8, P5: only a figure asked for after the posting contains it; one from before sets nothing free."""
    house = selling.house
    selling.buy("shop", {"KTL-1": 2})
    live(selling, *BOTH)
    before = house.registry.now()
    old = [dict(doc) for doc in selling.sandbox.systems["erp"].docs("stock")]
    (sale,) = selling.sandbox.systems["erp"].docs("orders")
    selling.people.ship(order=sale["number"])
    steps.pull(house, "erp-kz", "orders")
    selling.people.temper("erp", "fail", on="GET /stock", next=50)
    selling.step("pull", "erp-kz", "shipments")
    assert promised(selling, "KTL-1") == [Decimal(2)]
    selling.step("accept", "erp-kz", "stock", old, asked_at=before)
    assert promised(selling, "KTL-1") == [Decimal(2)]
    selling.people.calm("erp")
    selling.pass_time(LONG)
    live(selling, *BOTH)
    assert promised(selling, "KTL-1") == []


def test_an_order_read_twice_is_reserved_once(selling: World) -> None:
    """P2: the same order by page, by notice and by reconcile takes its goods once."""
    selling.buy("shop", {"KTL-1": 2})
    live(selling, *BOTH)
    for _ in range(2):
        steps.pull(selling.house, "shop-kz", "orders", full=True)
        steps.reconcile(selling.house, "shop-kz", "orders")
    assert promised(selling, "KTL-1") == [Decimal(2)]


def test_a_cancelled_order_gives_its_goods_back_once(selling: World) -> None:
    """P2: after a cancellation all is shown again, and not more."""
    selling.buy("shop", {"KTL-1": 2})
    live(selling, *BOTH)
    (sale,) = selling.sandbox.systems["erp"].docs("orders")
    selling.people.cancel_sale(sale["number"])
    live(selling, *BOTH)
    steps.reconcile(selling.house, "erp-kz", "orders")
    live(selling, *BOTH)
    assert promised(selling, "KTL-1") == []
    assert shown(selling) == (6, 4)


def test_a_buyers_cancellation_reaches_the_erp_and_frees_the_goods(selling: World) -> None:
    """P1: the latest status counts, whoever has authority over the others; the goods can be sold again."""
    order = selling.buy("shop", {"KTL-1": 2})
    live(selling, *BOTH)
    selling.people.cancel_in_shop(order.id)
    live(selling, *BOTH)
    (sale,) = selling.sandbox.systems["erp"].docs("orders")
    assert sale["state"] == "cancelled"
    assert promised(selling, "KTL-1") == []
    assert shown(selling) == (6, 4)


def test_a_sale_that_the_shop_booked_itself_is_not_put_back(selling: World) -> None:
    """P4, P8: the shop lowers its figure when it sells; that is no drift, and never raised before the order came."""
    selling.buy("shop", {"KTL-1": 2})
    marks = selling.marks()
    steps.pull(selling.house, "shop-kz", "inventory")
    steps.push(selling.house, "shop-kz", "stock")
    assert written(selling, marks, "shop") == []
    assert selling.shown("shop", "KTL-1") == 4


def test_a_figure_raised_by_hand_is_put_back_at_once(selling: World) -> None:
    """P8: more than the channel was told can sell what is not there."""
    selling.people.edit("market", "stocks", "KTL-1", {"available": "50"})
    live(selling, *BOTH)
    assert shown(selling) == (6, 4)


def test_a_figure_lowered_by_hand_is_put_right_by_the_comparison(selling: World) -> None:
    """Drift that cannot oversell waits for reconcile, which reads the orders first."""
    selling.people.edit("market", "stocks", "KTL-1", {"available": "1"})
    live(selling, *BOTH)
    assert selling.shown("market", "KTL-1") == 1
    steps.reconcile(selling.house, "market-kz", "stocks")
    live(selling, *BOTH)
    assert shown(selling) == (6, 4)


def test_what_a_till_sells_leaves_the_store_and_nobody_elses_figure(selling: World) -> None:
    """A receipt is posted where it was handed over; the warehouse's figures stay."""
    live(selling, *BOTH, "pos-kz")
    selling.people.sell_at_till("almaty-1", {"KTL-1": 1})
    live(selling, *BOTH, "pos-kz")
    selling.pass_time(LONG)
    live(selling, *BOTH, "pos-kz")
    assert shown(selling) == (6, 4)
    assert promised(selling, "KTL-1") == []
    stock = selling.sandbox.systems["erp"].get("stock", "KTL-1@almaty-1")
    assert Decimal(str(stock["on_hand"])) == 4
