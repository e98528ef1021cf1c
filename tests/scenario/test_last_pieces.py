"""The last pieces: what two channels show together is never more than there is, whatever fails in between."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.databases import fresh_sqlite
from tests.scenario.kept import made
from tests.scenario.oracle import wrong
from tests.scenario.world import World, world

SEED = int(os.environ.get("SERAI_TEST_SEED", "1"))


@pytest.mark.parametrize("fault", ["fail", "lose_answer", "throttle"])
def test_a_figure_is_raised_only_after_the_other_channel_confirmed_its_lower_one(fault: str, tmp_path: Path) -> None:
    """P8: six of ten are sold in the shop; of the four left two are its own, but the marketplace shows all four."""
    with made(tmp_path, ten, seed=SEED) as found:
        assert (found.shown("shop", "007"), found.shown("market", "007")) == (6, 4)
        found.people.temper("market", fault, next=9, on="POST /stocks", seconds=0)
        found.people.temper("market", fault, next=9, on="PATCH /stocks", seconds=0)
        found.buy("shop", {"007": 6}, 1)
        for _ in range(3):
            found.hear()
            found.step("push_all")
            assert found.shown("shop", "007") + confirmed(found, fault) <= 4, found.story
        assert found.shown("shop", "007") == 0, "nothing of the lowering was confirmed"
        found.buy("market", {"007": found.shown("market", "007")}, 2)
        assert found.buy("shop", {"007": 1}, 3) is None
        found.settle_down()
        assert wrong(found.books()) == [], found.parked()


def ten(found: World) -> None:
    found.goods("007", on_hand=10)
    found.go_live()


def confirmed(found: World, fault: str) -> int:
    """What the marketplace shows as far as anybody was told: its answer to a lower figure was lost."""
    return 4 if fault == "lose_answer" else found.shown("market", "007")


def test_the_last_piece_is_shown_by_one_channel_and_sold_once(tmp_path: Path) -> None:
    """P8, P2: buyers try everywhere after each step of Serai, while pieces come in one by one and orders are sent."""
    with fresh_sqlite(tmp_path) as url, world(tmp_path, url, SEED) as found:
        found.goods("007", on_hand=1)
        found.go_live()
        received = 1
        for n in range(4):
            for step in (found.hear, lambda: found.step("push", "shop-kz", "stock"),
                         lambda: found.step("push", "erp-kz", "order"),
                         lambda: found.step("push", "market-kz", "stock")):
                step()
                for system in ("market", "shop") if n % 2 else ("shop", "market"):
                    if found.shown(system, "007") > 0:
                        found.buy(system, {"007": 1}, n)
            sold = len(found.placed["shop"]) + len(found.placed["market"])
            assert sold <= received
            found.people.receive_goods("007", "almaty-wh", 1)
            received += 1
        found.settle_down()
        assert wrong(found.books()) == [], found.parked()
