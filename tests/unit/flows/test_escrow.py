"""Hard allocation through accept and push: what channels may still sell together is never more than there is."""

from __future__ import annotations

import html
from dataclasses import replace

import pytest
import requests
from msgspec.structs import replace as changed

from connectors.errors import Misconfigured
from deployments.console.app import create_app
from flows import steps
from flows.apply import apply
from flows.figures import figures
from flows.plan import Scope, plan
from flows.pledges import raises, why_pooled
from flows.stock_risk import in_words, stock_risk
from registry import EscrowRow, RecordRow, Tx, put_escrows, put_links, put_records, records_by_field
from tests.retailer import served
from tests.scenario.world import LONG, WAREHOUSE, World
from tests.unit.flows.retail import live, records, written
from tests.unit.flows.sharing import BOTH, kept, sell_unread, shown


def go_hard(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both channels are under hard allocation: the shop compares, the marketplace goes by zero."""
    for name in ("shop-kz", "market-kz"):
        rule = world.house.project.stock[name]
        monkeypatch.setitem(world.house.project.stock, name, replace(rule, allocation="hard"))


@pytest.fixture
def selling(retail: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Ten kettles: six in the shop, four on the marketplace."""
    go_hard(retail, monkeypatch)
    retail.goods("KTL-1", on_hand=10)
    live(retail, *BOTH)
    assert shown(retail) == (6, 4)
    return retail


def test_what_is_told_is_reckoned_with(selling: World) -> None:
    """P8: each channel may sell what it shows, and the shop's version is known."""
    assert (kept(selling, "shop-kz").held, kept(selling, "market-kz").held) == (6, 4)
    assert kept(selling, "shop-kz").version is not None


def test_a_sale_that_nobody_read_is_not_put_back_on_show(selling: World) -> None:
    """P8: an absolute write would show the kettles again that were just sold."""
    sell_unread(selling, most=12 - 6)
    assert sum(shown(selling)) == 6


def test_where_nothing_is_compared_zero_comes_before_a_raise_and_the_orders_between(selling: World) -> None:
    """P8: zero → the orders past that moment → the raise; nobody buys in between what was sold before."""
    selling.buy("market", {"KTL-1": 1})
    selling.people.receive_goods("KTL-1", WAREHOUSE, 10)
    steps.pull(selling.house, "erp-kz", "stock")
    steps.push(selling.house, "shop-kz", "stock")
    calls: list[str] = []
    selling.house.border.before = calls.append
    told: list[int] = []
    selling.house.border.answered = lambda what: told.append(selling.shown("market", "KTL-1"))
    steps.push(selling.house, "market-kz", "stock")
    selling.house.border.before = lambda what: None
    selling.house.border.answered = lambda what: None
    first, last = (n for n, call in enumerate(calls) if call == "POST market/stocks/batch")
    assert "GET market/orders" in calls[first:last]
    assert 0 in told
    assert (selling.shown("market", "KTL-1"), sum(shown(selling))) == (19 - 12, 19)


def test_what_a_write_without_an_answer_may_have_put_on_show_is_left_to_nobody_else(selling: World) -> None:
    """P8: the shop was raised from 6 to 12 and said nothing; all twenty are sold, and not one more."""
    selling.people.receive_goods("KTL-1", WAREHOUSE, 10)
    steps.pull(selling.house, "erp-kz", "stock")
    selling.people.temper("shop", "fail_after", on="POST /inventory", next=1)
    selling.step("push", "shop-kz", "stock")
    assert (selling.shown("shop", "KTL-1"), kept(selling, "shop-kz").held) == (12, 6)
    selling.people.temper("shop", "fail", on="POST /inventory", next=100)
    bought = 0
    for _ in range(2):
        units = selling.shown("market", "KTL-1")
        assert selling.buy("market", {"KTL-1": units}) is not None
        bought += units
        for resource in ("stocks", "orders"):
            steps.pull(selling.house, "market-kz", resource)
        selling.step("push", "market-kz", "stock")
    assert bought == 8
    assert bought + sum(shown(selling)) == 20


def test_no_raise_is_built_on_orders_of_which_one_waits(selling: World) -> None:
    """P8: an order that waits for its customer is in no reservation: what it took is not free."""
    selling.people.temper("shop", "fail", on="GET /customers", next=50)
    selling.buy("shop", {"KTL-1": 1})
    selling.people.receive_goods("KTL-1", WAREHOUSE, 2)
    steps.pull(selling.house, "erp-kz", "stock")
    for name in ("shop-kz", "market-kz"):
        selling.step("push", name, "stock")
    assert sum(shown(selling)) <= 11
    selling.people.calm("shop")
    selling.pass_time(LONG)
    live(selling, *BOTH)
    assert sum(shown(selling)) == 11


def test_a_bundle_and_its_part_are_never_pledged_twice(selling: World) -> None:
    """P8: components are escrowed: what a bundle may still sell is taken from what its part may show."""
    house = selling.house
    uid = records(house, "variant")["KTL-1"].uid
    now = house.registry.now()

    def pack(tx: Tx) -> None:
        values = {"sku": "SET-2", "name": "Two", "unit": "each", "components": [
            {"key": "1", "variant": uid, "quantity": {"value": "2", "unit": "each", "kind": "contained"}},
        ]}
        put_records(tx, [RecordRow(uid="set-2", entity="variant", key="set-2", values=values)], new=True)
        put_links(tx, [("set-2", "variant", "components", uid)], of={"set-2"})
        put_escrows(tx, [EscrowRow(channel="market-kz", variant="set-2", held=2, shown=2, opened_at=now)])

    house.registry.attempt(pack)
    with selling.registry.read() as tx:
        rows = {uid: [{**row.values, "uid": row.uid} for row in records_by_field(tx, "stock", "variant", [uid])[uid]]}
        found = figures(house, tx, "shop-kz", rows, now).of[uid]
    assert found.target == 6
    assert found.publish == 10 - 4 - 2 * 2


def test_the_console_and_the_command_line_say_who_can_only_be_pooled(selling: World) -> None:
    """P8: a channel whose orders nobody reads can neither compare nor go by zero."""
    assert raises(selling.house, "shop-kz") == "compare"
    assert raises(selling.house, "market-kz") == "zero"
    assert raises(selling.house, "pos-kz") is None
    assert why_pooled(selling.house, "pos-kz") == "no mapping of its platform writes stock"
    assert "compares before it sets" in in_words(selling.house, "shop-kz")
    assert "zero, then its orders are read" in in_words(selling.house, "market-kz")
    with served(create_app(selling.house)) as address:
        page, cards, risk = (
            html.unescape(requests.get(f"{address}/{path}", timeout=30).text)
            for path in ("stock", "", "stock?sku=KTL-1")
        )
    assert "under hard allocation: its platform compares before it sets; nothing is oversold" in page
    assert "under hard allocation: zero, then its orders are read, then the raise" in cards
    assert risk.count("measured so, and proved") == 2


def test_a_plan_of_hard_channels_is_what_apply_then_does(selling: World) -> None:
    """P12, P8: the plan counts what may still be sold, as the run does; and it asks no channel anything."""
    path = selling.house.project.folder / "policies" / "stock.yaml"
    text = path.read_text(encoding="utf-8")
    assert "shop-kz: {locations: [almaty-wh], share: 0.6, safety: 0" in text
    path.write_text(text.replace("share: 0.6, safety: 0", "share: 0.3, safety: 0, allocation: hard").replace(
        "share: 0.4, safety: 0", "share: 0.7, safety: 0, allocation: hard"
    ), encoding="utf-8")
    before = selling.marks()
    found = plan(selling.house)
    assert written(selling, before, "shop") == written(selling, before, "market") == []
    planned = {(one.channel, one.label): [change.after for change in one.fields] for one in found.writes}
    assert planned == {("shop-kz", "KTL-1"): [3], ("market-kz", "KTL-1"): ["7"]}
    done = apply(selling.house, found, who="ada")
    assert (len(done.written), done.left) == (2, [])
    assert shown(selling) == (3, 7)
    assert plan(selling.house).writes == []


def test_a_plan_does_not_raise_into_what_may_still_be_sold_elsewhere(selling: World) -> None:
    """P12, P8: a write to the marketplace without an outcome counts at the larger figure in the plan as in the run."""
    path = selling.house.project.folder / "policies" / "stock.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("safety: 0", "safety: 0, allocation: hard"), encoding="utf-8")
    row, now = kept(selling, "market-kz"), selling.registry.now()
    selling.registry.attempt(lambda tx: put_escrows(tx, [changed(row, late=6, sent_at=now)]))
    selling.people.receive_goods("KTL-1", WAREHOUSE, 10)
    steps.pull(selling.house, "erp-kz", "stock")
    found = plan(selling.house, Scope(channel="shop-kz", entity="stock", all_of_it=True))
    assert [(one.label, one.fields[0].after) for one in found.writes] == [("KTL-1", 20 - 4 - 6)]
    steps.push(selling.house, "shop-kz", "stock")
    assert selling.shown("shop", "KTL-1") == 10


def test_the_risk_is_told_with_the_lag_that_was_measured(selling: World) -> None:
    """P8: from the order to the first figure that the other channel confirmed after it; hard allocation risks none."""
    selling.buy("shop", {"KTL-1": 2})
    selling.pass_time(40)
    live(selling, *BOTH)
    found = stock_risk(selling.house, "KTL-1")
    told = {row.channel: row for row in found.channels}
    assert (found.units, found.escrowed) == (8, True)
    assert told["market-kz"].measured == 1
    assert told["market-kz"].lag >= 40
    assert told["shop-kz"].per_day == pytest.approx(2 / 30)
    assert [note.partition(":")[0] for note in found.notes] == [
        "market-kz is under hard allocation", "shop-kz is under hard allocation", "shop-kz",
    ]
    assert {name: risk.chance for name, risk in found.presets.items() if name != "sell-out"} == {
        "careful": 0, "balanced": 0,
    }
    assert found.presets["balanced"].runs >= 100
    with pytest.raises(Misconfigured, match="no variant"):
        stock_risk(selling.house, "KTL-9")
