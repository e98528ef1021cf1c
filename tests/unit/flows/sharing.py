"""The ERP and the two channels that share its goods: what these show, and what the registry reckons of them."""

from __future__ import annotations

from flows import steps
from registry import EscrowRow, escrows
from tests.scenario.world import LONG, WAREHOUSE, World
from tests.unit.flows.retail import live, records

BOTH = ("erp-kz", "shop-kz", "market-kz")


def shown(world: World, sku: str = "KTL-1") -> tuple[int, int]:
    """What the shop shows of an article, and the marketplace."""
    return world.shown("shop", sku), world.shown("market", sku)


def kept(world: World, channel: str, sku: str = "KTL-1") -> EscrowRow:
    """What the registry reckons of an article on a channel."""
    uid = records(world.house, "variant")[sku].uid
    with world.registry.read() as tx:
        return escrows(tx, [uid])[uid][channel]


def sell_unread(world: World, *, most: int) -> None:
    """The shop sells six that nobody can read, goods come in, no more than ``most`` are on show; then all is calm."""
    world.buy("shop", {"KTL-1": 6})
    world.people.receive_goods("KTL-1", WAREHOUSE, 2)
    steps.pull(world.house, "erp-kz", "stock")
    world.people.temper("shop", "fail", on="GET /orders", next=50)
    world.step("push", "shop-kz", "stock")
    assert sum(shown(world)) <= most
    world.people.calm("shop")
    world.pass_time(LONG)
    live(world, *BOTH)
