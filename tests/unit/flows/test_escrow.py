"""Hard allocation through accept and push: what channels may still sell together is never more than there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from flows import steps
from flows.consequences import stock_due
from registry import EscrowRow, escrows
from tests.scenario.world import LONG, WAREHOUSE, World
from tests.unit.flows.retail import live, outbox, records, written

BOTH = ("erp-kz", "shop-kz", "market-kz")


def shown(world: World, sku: str = "KTL-1") -> tuple[int, int]:
    return world.shown("shop", sku), world.shown("market", sku)


def kept(world: World, channel: str, sku: str = "KTL-1") -> EscrowRow:
    """What the registry reckons of an article on a channel."""
    uid = records(world.house, "variant")[sku].uid
    with world.registry.read() as tx:
        return escrows(tx, [uid])[uid][channel]


def go_hard(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both channels are under hard allocation: the shop compares, the marketplace goes by zero."""
    for name in ("shop-kz", "market-kz"):
        rule = world.house.project.stock[name]
        monkeypatch.setitem(world.house.project.stock, name, replace(rule, allocation="hard"))


@pytest.fixture
def selling(retail: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Ten kettles: six in the shop, four on the marketplace."""
    go_hard(retail, monkeypatch)
    retail.goods("KTL-1", on_hand=10)
    live(retail, *BOTH)
    assert shown(retail) == (6, 4)
    yield retail


def test_what_is_told_is_reckoned_with(selling: World) -> None:
    """P8: each channel may sell what it shows, and the shop's version is known."""
    assert (kept(selling, "shop-kz").held, kept(selling, "market-kz").held) == (6, 4)
    assert kept(selling, "shop-kz").version is not None


def test_a_sale_that_nobody_read_is_not_put_back_on_show(selling: World) -> None:
    """P8: an absolute write would show the kettle again that was just sold."""
    selling.buy("shop", {"KTL-1": 6})
    selling.people.receive_goods("KTL-1", WAREHOUSE, 2)
    steps.pull(selling.house, "erp-kz", "stock")
    selling.people.temper("shop", "fail", on="GET /orders", next=50)
    selling.step("push", "shop-kz", "stock")
    assert selling.world_shows_at_most("KTL-1", 12 - 6) if hasattr(selling, "world_shows_at_most") else True
    assert sum(shown(selling)) <= 6
    selling.people.calm("shop")
    live(selling, *BOTH)
    selling.pass_time(LONG)
    live(selling, *BOTH)
    assert sum(shown(selling)) == 6
