"""An article is taken off every channel at once, or a buffer is kept back; both end by themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from typer.testing import CliRunner

from connectors.errors import Misconfigured
from deployments.cli import app
from flows import steps, stopping
from registry import Tx, all_overrides, audit_rows, end_override, mark_due, outbox_rows
from tests.scenario.world import WAREHOUSE, World
from tests.unit.flows.retail import live, records
from tests.unit.flows.sharing import BOTH, shown


def pushed(world: World) -> None:
    for name in ("shop-kz", "market-kz"):
        steps.push(world.house, name, "stock")


def stop(world: World, **value: int) -> None:
    until = world.registry.now() + timedelta(hours=2)
    stopping.decide(world.house, "KTL-1", value, until=until, who="Aigerim", because="a crack in the lid")


@pytest.fixture
def selling(retail_on_each: World) -> World:
    """Ten kettles in the warehouse: six for the shop, four for the marketplace."""
    retail_on_each.goods("KTL-1", on_hand=10)
    live(retail_on_each, *BOTH)
    assert shown(retail_on_each) == (6, 4)
    return retail_on_each


def test_a_stopped_article_is_on_no_channel_and_returns_when_its_time_is_over(selling: World) -> None:
    """P8: off everywhere with the next writes; sold again after the end, which nobody has to remember."""
    stop(selling, most=0)
    pushed(selling)
    assert shown(selling) == (0, 0)
    selling.people.receive_goods("KTL-1", WAREHOUSE, 10)
    live(selling, *BOTH)
    assert shown(selling) == (0, 0)
    assert [(sku, row.because) for sku, row in stopping.decided(selling.house)] == [("KTL-1", "a crack in the lid")]
    selling.pass_time(7_201)
    pushed(selling)
    assert shown(selling) == (12, 8)
    assert stopping.decided(selling.house) == []


def test_a_buffer_is_kept_back_on_every_channel_until_it_is_ended_by_hand(selling: World) -> None:
    stop(selling, safety=1)
    pushed(selling)
    assert shown(selling) == (5, 3)
    stopping.end(selling.house, "KTL-1", who="Daulet", because="it was a hair")
    pushed(selling)
    assert shown(selling) == (6, 4)
    with selling.registry.read() as tx:
        assert [(row.who, row.because) for row in audit_rows(tx)[:2]] == [
            ("Daulet", "it was a hair"), ("Aigerim", "a crack in the lid"),
        ]


def test_a_stop_goes_out_before_a_thousand_other_writes(selling: World) -> None:
    """P8: an article that must not be sold any more waits behind no bulk work, even of the same kind."""
    house = selling.house
    uid = records(house, "variant")["KTL-1"].uid

    def bulk(tx: Tx) -> None:
        mark_due(tx, [("shop-kz", "stock", f"none-{n}", None, False, None) for n in range(1_500)])

    house.registry.attempt(bulk)
    stop(selling, most=0)
    marks = selling.marks()
    calls: list[str] = []
    house.border.before = calls.append
    steps.push(house, "shop-kz", "stock", stretch=steps.Stretch(seconds=0, records=1))
    house.border.before = lambda what: None
    assert selling.shown("shop", "KTL-1") == 0, selling.writes(marks)
    assert uid is not None
    assert sum("inventory" in call for call in calls) == 1


def test_what_goes_ahead_takes_nothing_else_with_it(selling: World) -> None:
    """P8: its page holds what a person or an order took off sale and no bulk work, for which it would wait."""
    house = selling.house

    def bulk(tx: Tx) -> None:
        mark_due(tx, [("shop-kz", "stock", f"none-{n}", None, False, None) for n in range(30)])

    house.registry.attempt(bulk)
    stop(selling, most=0)
    done = steps.push(house, "shop-kz", "stock", ahead=True)
    assert (done.read, done.total("written"), selling.shown("shop", "KTL-1")) == (1, 1, 0)
    assert steps.push(house, "shop-kz", "stock").read == 30


def test_a_slow_channel_is_sent_small_pages_so_that_a_stop_waits_for_few_answers(selling: World) -> None:
    """P8: what is on its way must be answered first; after slow answers a page is one batch, after quick ones more."""
    house, rows = selling.house, 150

    def bulk(tx: Tx) -> None:
        mark_due(tx, [("market-kz", "stock", f"none-{n}", None, False, None) for n in range(rows)])

    pages = []
    for pace in (10.0, 0.000_1):
        house.registry.attempt(bulk)
        house.paces["market-kz", "stock"] = pace
        pages.append(steps.push(house, "market-kz", "stock", stretch=steps.Stretch(seconds=0)).read)
        while steps.push(house, "market-kz", "stock").read:
            pass
    facts = house.descriptor("market-kz", house.of("market-kz").outward["stock"].mapping.resource)
    assert pages == [facts.batch, rows]
    assert facts.batch < rows


def test_a_stop_typed_at_a_terminal_marks_the_same_writes_as_one_in_the_console(selling: World) -> None:
    """P8: the command opens only what it needs of the house, and that is enough."""
    uid = records(selling.house, "variant")["KTL-1"].uid

    def marked() -> set[tuple[str, str]]:
        with selling.registry.read() as tx:
            return {(row.channel, row.uid) for row in outbox_rows(tx) if row.entity == "stock"}

    stop(selling, most=0)
    asked = marked()
    pushed(selling)
    selling.registry.attempt(lambda tx: end_override(tx, all_overrides(tx, tx.now)[0], "A", "over"))
    assert marked() == set()
    done = CliRunner(env={"SERAI_REGISTRY": selling.url, "SERAI_USER": "Dana"}).invoke(app, [
        "stop", "KTL-1", "--because", "a crack", "--project", str(selling.desk.settings.folder)
    ])
    assert done.exit_code == 0, done.output
    assert "off every channel until" in done.output
    assert asked == marked() == {("shop-kz", uid), ("market-kz", uid)}


def test_a_stop_without_article_end_or_reason_is_refused(retail: World) -> None:
    retail.goods("KTL-1", on_hand=1)
    live(retail, "erp-kz")
    for sku, hours, because, says in (
        ("KTL-9", 2, "broken", "no variant"), ("KTL-1", 0, "broken", "from now on"),
        ("KTL-1", 9_999, "broken", "a year"), ("KTL-1", 2, " ", "say why"),
    ):
        until = retail.registry.now() + timedelta(hours=hours)
        with pytest.raises(Misconfigured, match=says):
            stopping.decide(retail.house, sku, {"most": 0}, until=until, who="A", because=because)
    assert stopping.decided(retail.house) == []
