"""Hard allocation of goods that are sold in steps: whole steps are told, and never more than there are."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from flows import steps
from flows.apply import apply
from flows.plan import plan
from tests.scenario.stepped import in_twos, sell_in_twos
from tests.scenario.world import LONG, WAREHOUSE, World
from tests.unit.flows.retail import live
from tests.unit.flows.sharing import BOTH, kept, sell_unread, shown


@pytest.fixture
def selling(tmp_path: Path, registry_url: str) -> Iterator[World]:
    """Eleven pieces, sold two at a time: three twos in the shop, two on the marketplace, one piece nowhere."""
    with in_twos(tmp_path, registry_url, 7) as found:
        found.goods("KTL-1", on_hand=11)
        live(found, *BOTH)
        assert shown(found) == (6, 4)
        yield found


def test_what_is_told_is_reckoned_in_steps(selling: World) -> None:
    """P8: six pieces in the shop are three steps that may still be sold there."""
    assert [(row.held, row.step) for row in (kept(selling, name) for name in BOTH[1:])] == [
        (3, Decimal(2)), (2, Decimal(2)),
    ]


def test_a_sale_that_nobody_read_is_not_put_back_on_show(selling: World) -> None:
    """P8: as of goods by the piece; with fixed shares the shop would be told six again."""
    sell_unread(selling, most=13 - 6)
    assert sum(shown(selling)) == 6


def test_a_raise_waits_for_the_lowering_elsewhere(selling: World) -> None:
    """P8: what a write to the marketplace without an outcome may still show is not told to the shop."""
    selling.people.temper("market", "lose_answer", on="POST /stocks", next=50, seconds=0)
    selling.people.receive_goods("KTL-1", WAREHOUSE, -5)
    steps.pull(selling.house, "erp-kz", "stock")
    for name in ("shop-kz", "market-kz"):
        selling.step("push", name, "stock")
    assert sum(shown(selling)) <= 6 + 4
    selling.people.calm("market")
    selling.pass_time(LONG)
    live(selling, *BOTH)
    assert sum(shown(selling)) == 6


def test_a_plan_is_what_apply_then_does(selling: World) -> None:
    """P12: figures in steps are planned as they are told."""
    path = selling.house.project.folder / "policies" / "stock.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("share: 0.6", "share: 0.2").replace(
        "share: 0.4", "share: 0.8"), encoding="utf-8")
    found = plan(selling.house)
    planned = {(one.channel, one.label): [change.after for change in one.fields] for one in found.writes}
    assert planned == {("shop-kz", "KTL-1"): [2], ("market-kz", "KTL-1"): ["8"]}
    done = apply(selling.house, found, who="ada")
    assert (len(done.written), done.left) == (2, [])
    assert shown(selling) == (2, 8)
    assert plan(selling.house).writes == []


def test_an_article_that_is_sold_in_steps_from_now_on_is_reckoned_anew(tmp_path: Path, sqlite_url: str) -> None:
    """P8: seven pieces and five become three twos and two; what a channel may still sell is not forgotten."""
    with in_twos(tmp_path, sqlite_url, 7, from_the_start=False) as found:
        found.goods("KTL-1", on_hand=12)
        live(found, *BOTH)
        before = shown(found)
        assert (sum(before), kept(found, "shop-kz").step) == (12, Decimal(1))
        found.buy("shop", {"KTL-1": 1})
        sell_in_twos(found)
        steps.pull(found.house, "erp-kz", "items", full=True)
        live(found, *BOTH)
        assert kept(found, "shop-kz").step == Decimal(2)
        assert all(figure % 2 == 0 for figure in shown(found))
        assert sum(shown(found)) == 10
