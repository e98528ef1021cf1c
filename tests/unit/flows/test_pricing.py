"""What channels show as prices: by their pipelines, held, at their moment, bounded by each other, proven."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors.errors import Misconfigured
from deployments.cli import app
from deployments.sandbox import market
from flows import steps
from flows.differences import compare
from flows.foreseen import ahead, foreseen
from flows.hand_prices import end_price, set_price
from flows.pricing import offers, recomputed
from flows.settings import load_project
from flows.survey import survey as steps_survey
from flows.why import why
from registry import Hop, ShownPrice, hops_of, shown_prices
from tests.scenario.world import World
from tests.unit.flows.retail import again, items, live, outbox, records, written
from tests.unit.flows.sharing import BOTH


def rule(world: World, prices: str, **policies: str) -> None:
    """These price policies are in force from now on."""
    folder = world.folder / "project" / "policies"
    for name, text in {"prices": prices, **policies}.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    found = load_project(world.folder / "project")
    object.__setattr__(world.house.project, "fx", found.fx)
    in_force: dict[str, Any] = world.house.project.prices  # type: ignore[assignment]  # a dict, as it was read
    in_force.update(found.prices)


def priced(world: World, system: str, sku: str) -> Decimal:
    """What a channel shows as the price of an article, with tax."""
    if system == "shop":
        return Decimal(world.sandbox.systems["shop"].get("prices", world.shop_id(sku))["amountMinor"]) / 100
    return Decimal(world.sandbox.systems["market"].get("prices", sku)["price"]["amount"])


def both(world: World, sku: str = "KTL-1") -> tuple[Decimal, ...]:
    """What shop and marketplace show."""
    return priced(world, "shop", sku), priced(world, "market", sku)


def erp_price(world: World, sku: str, amount: str, **more: Any) -> None:
    """A further row of the ERP's price list."""
    world.people.add("erp", "prices", {
        "item": sku, "list": "retail", "amount": amount, "currency": "KZT", "vat_included": True, **more,
    })


def cost(world: World, sku: str, amount: str | None) -> None:
    world.people.edit("erp", "items", sku, {"cost": amount})


def test_a_plan_says_what_a_later_tax_rate_will_do_and_what_a_sale_of_the_list_will(
    retail_on_each: World
) -> None:
    """One rate for two prices of the marketplace, net of tax in the list; the shop keeps its own but for the sale."""
    world = retail_on_each
    now = world.clock.now()
    sale, tax, end = ((now + timedelta(days=days)).date() for days in (20, 40, 80))
    rule(world, "market-kz: {tax_mode: gross, list: net}\n", taxes=(
        f"KZ: [{{rate: 0.16, to: {tax}}}, {{rate: 0.20, from: {tax}}}]\n"
    ))
    for sku, price in (("KTL-1", "12490.00"), ("KTL-2", "3990.00")):
        world.goods(sku, price=price)
        world.people.add("erp", "prices", {
            "item": sku, "list": "net", "amount": "1000.00", "currency": "KZT", "vat_included": False,
        })
    live(world, *BOTH)
    erp_price(world, "KTL-1", "9990.00", sale=True, valid_from=f"{sale}T00:00:00+05:00",
              valid_to=f"{end}T00:00:00+05:00")
    steps.pull(world.house, "erp-kz", "prices")
    assert [(turn.where, "market-kz" in turn.channels) for turn in ahead(world.house, now)] == [
        ("policies/taxes.yaml:1", True),
    ]
    found = {one.channel: one for one in foreseen(world.house, now + timedelta(days=42))}
    market = found["market-kz"]
    assert (market.known, market.changed, market.by_list, market.held) == (2, 2, 0, 0)
    assert [(row.sku, row.now, row.then, str(row.size)) for row in market.sample] == [
        ("KTL-1", "1160.00 KZT", "1200.00 KZT", "0.0345"), ("KTL-2", "1160.00 KZT", "1200.00 KZT", "0.0345"),
    ]
    shop = found["shop-kz"]
    assert (shop.changed, shop.by_list) == (1, 1)
    assert (shop.sample[0].now, shop.sample[0].then) == ("12490.00 KZT", "9990.00 KZT")
    assert foreseen(world.house, now + timedelta(days=30), "market-kz")[0].changed == 0
    environment = {"SERAI_PROJECT": str(world.folder / "project"), "SERAI_REGISTRY": world.url}
    done = CliRunner().invoke(app, ["plan", "--on", str((now + timedelta(days=42)).date())], env=environment)
    assert done.exit_code == 0, done.output
    assert "market-kz: 2 of 2 prices change" in done.output
    assert "KTL-1: 1160.00 KZT → 1200.00 KZT (3.45 %)" in done.output
    assert CliRunner().invoke(app, ["plan", "--on", "2020-01-02"], env=environment).exit_code == 2
    now_planned = CliRunner().invoke(app, ["plan"], env=environment)
    assert now_planned.exit_code == 0, now_planned.output
    (later,) = [line for line in now_planned.output.splitlines() if line.startswith("later: ")]
    begins = tax - timedelta(days=1)        # midnight in Almaty
    assert later == (f"later: 1 turn of dated rules, the next on {begins} 19:00 UTC (policies/taxes.yaml:1): "
                     f"`serai plan --on {begins}T19:00:00`")


def told(world: World, sku: str, channel: str) -> list[Hop]:
    """The writes of an article's price to a channel, the newest first."""
    prices = [one for one in records(world.house, "price").values()
              if one.values["variant"] == records(world.house, "variant")[sku].uid]
    with world.registry.read() as tx:
        return [hop for one in prices for hop in hops_of(tx, one.uid)
                if (hop.channel, hop.direction, hop.entity) == (channel, "outward", "price")]


def history(world: World, channel: str, sku: str) -> list[ShownPrice]:
    uid = records(world.house, "variant")[sku].uid
    with world.registry.read() as tx:
        return shown_prices(tx, [uid], [channel]).get((channel, uid), [])


MARKET = """\
market-kz:
  markup: 0.10
  round: {KZT: {step: 1000, ending: 990}}
  floor: {fee: 0.15, margin: 0.05}
"""


def test_a_channel_shows_what_its_pipeline_gives_and_says_step_by_step_why(retail_on_each: World) -> None:
    """P11: list, markup, rounding, floor; an unknown or zero cost holds the price until somebody says it."""
    world = retail_on_each
    rule(world, MARKET)
    for sku, price in (("KTL-1", "12490.00"), ("KTL-2", "3990.00")):
        world.goods(sku, price=price)
    cost(world, "KTL-1", "5000.00")
    live(world, *BOTH)
    assert both(world) == (Decimal(12490), Decimal(13990))
    assert priced(world, "shop", "KTL-2") == 3990
    assert world.sandbox.systems["market"].find("prices", "KTL-2") is None
    (parked,) = items(world.house, "parked", channel="market-kz")
    assert (parked.rule, parked.field) == ("cost", "amount")
    assert "the cost is unknown" in parked.message
    cost(world, "KTL-2", "0.00")
    again(world, *BOTH)
    assert "the cost is nothing" in items(world.house, "parked", channel="market-kz")[0].message
    cost(world, "KTL-2", "9000.00")
    live(world, *BOTH)
    assert priced(world, "market", "KTL-2") == 13990, "(9000 / 0.8) · 1.16 = 13050 goes up to the next 990"
    assert items(world.house, "parked", channel="market-kz") == []

    answer = why(world.house, "market-kz", "price", "KTL-2")
    said = [(step.sentence, step.where) for step in answer.steps if step.kind == "policy"]
    assert said == [
        ("the list retail says, gross: 3990.00 KZT", "policies/prices.yaml:1"),
        ("10 % more: 4389.00 KZT", "policies/prices.yaml:2"),
        ("rounded (nearest) to 1000 ending in 990: 3990.00 KZT", "policies/prices.yaml:3"),
        ("not below (cost 9000 + handling 0) / (1 − fee 0.15 − margin 0.05) · (1 + tax 0.16): 13990.00 KZT",
         "policies/prices.yaml:4"),
    ]
    assert answer.same
    (proof,) = [step.sentence for step in answer.steps if step.kind == "proof"]
    assert proof == "the 4 steps kept when it was told give 13990.00 KZT again"
    assert [str(one.amount) for one in history(world, "market-kz", "KTL-2")] == ["13990.00"]


def test_a_price_edited_on_the_channel_is_put_back_to_the_pipelines(retail: World) -> None:
    """P4: also where somebody types exactly what the list says, which is not what this channel is to show."""
    rule(retail, "market-kz: {markup: 0.10}")
    retail.goods("KTL-1", price="10000.00")
    live(retail, *BOTH)
    assert priced(retail, "market", "KTL-1") == 11000
    marks = retail.marks()
    live(retail, *BOTH)
    assert written(retail, marks, "market") == [], "P4: what was written and read back is no edit"
    retail.people.edit("market", "prices", "KTL-1", {"price": {"amount": "10000.00", "currency": "KZT"}})
    live(retail, *BOTH)
    assert priced(retail, "market", "KTL-1") == 11000
    assert [str(one.amount) for one in history(retail, "market-kz", "KTL-1")] == ["11000.00", "10000.00", "11000.00"]


def test_a_future_price_goes_out_at_its_moment_and_back_at_its_end(retail_on_each: World) -> None:
    """The moment is known before: nothing is sent early, and how late it was shown is kept."""
    world = retail_on_each
    world.goods("KTL-1", price="10000.00")
    live(world, *BOTH)
    now = world.registry.now().replace(microsecond=0)
    start, end = now + timedelta(hours=1), now + timedelta(hours=3)
    erp_price(world, "KTL-1", "8000.00", sale=True, valid_from=start.isoformat(), valid_to=end.isoformat())
    live(world, *BOTH)
    assert both(world) == (Decimal(10000), Decimal(10000))
    for hours, price in ((1, 8000), (2, 10000)):
        world.pass_time(hours * 3600 + 5)
        steps.push_all(world.house)
        assert both(world) == (Decimal(price), Decimal(price))
    shown = history(world, "shop-kz", "KTL-1")
    assert [int(one.amount) for one in shown] == [10000, 8000, 10000]
    for one, moment in zip(shown[1:], (start, end), strict=True):
        assert one.due_at == moment
        assert timedelta(0) < one.start - moment < timedelta(minutes=10), "the lag is on record"
    assert again(world, *BOTH) is not None
    marks = world.marks()
    again(world, *BOTH)
    assert written(world, marks, "shop") == []


def test_a_rule_that_begins_at_a_moment_makes_every_price_due_then(
    retail_on_each: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rates, markups and a planned redenomination are dated rules: nobody has to push anything by hand."""
    world = retail_on_each
    now = world.registry.now()
    dawn, noon = (now + timedelta(hours=hours) for hours in (1, 2))
    for number in range(3):
        world.goods(f"KTL-{number}", price=f"{1000 * (number + 1)}.00")
    rule(
        world, f"market-kz: {{markup: [{{by: 0}}, {{by: 0.1, from: \"{dawn.isoformat()}\"}}]}}",
        fx=f"redenominations: [{{currency: KZT, becomes: KZN, divide_by: 100, at: \"{noon.isoformat()}\"}}]",
    )
    live(world, *BOTH)
    assert [priced(world, "market", f"KTL-{number}") for number in range(3)] == [1000, 2000, 3000]
    world.pass_time(3605)
    steps.push_all(world.house)
    assert [priced(world, "market", f"KTL-{number}") for number in range(3)] == [1100, 2200, 3300]
    assert [priced(world, "shop", f"KTL-{number}") for number in range(3)] == [1000, 2000, 3000]
    world.pass_time(3600)
    monkeypatch.setattr(market, "CURRENCY", "KZN")      # the marketplace changes its money that morning, too
    steps.push_all(world.house)
    assert [world.sandbox.systems["market"].get("prices", f"KTL-{number}")["price"] for number in range(3)] == [
        {"amount": amount, "currency": "KZN"} for amount in ("11.00", "22.00", "33.00")
    ]
    assert not any("market-kz price" in what for what in outbox(world.house))


def test_a_raise_waits_for_the_channel_it_must_not_be_above(retail_on_each: World) -> None:
    """Not above the shop, at no moment: a fall goes out at once, a raise after the shop's is confirmed."""
    world = retail_on_each
    rule(world, "market-kz: {not_above: shop-kz}")
    world.goods("KTL-1", price="10000.00")
    live(world, *BOTH)
    seen: list[tuple[Decimal, ...]] = []
    world.house.border.before = lambda what: seen.append(both(world))
    for amount in ("12000.00", "9000.00"):
        world.people.set_price("KTL-1", Decimal(amount))
        steps.pull(world.house, "erp-kz", "prices")
        steps.push(world.house, "market-kz", "price")
        steps.push(world.house, "shop-kz", "price")
        steps.push(world.house, "market-kz", "price")
        assert both(world) == (Decimal(amount), Decimal(amount))
    world.house.border.before = lambda what: None
    assert all(market <= shop for shop, market in seen)
    (rule_,) = [step.sentence for step in why(world.house, "market-kz", "price", "KTL-1").steps
                if step.sentence.startswith("not above shop-kz")]
    assert rule_.startswith("not above shop-kz, 9000.00")


def test_two_sales_at_once_are_a_fault_of_the_data_and_neither_is_picked(retail: World) -> None:
    """The channel keeps what it shows; a person reads which two rows contradict each other."""
    retail.goods("KTL-1", price="10000.00")
    live(retail, *BOTH)
    now = retail.registry.now().replace(microsecond=0)
    for amount, start in (("8000.00", -2), ("7000.00", -1)):
        erp_price(retail, "KTL-1", amount, sale=True, valid_from=(now + timedelta(hours=start)).isoformat(),
                  valid_to=(now + timedelta(days=1)).isoformat())
    live(retail, *BOTH)
    assert priced(retail, "shop", "KTL-1") == 10000
    (parked,) = items(retail.house, "parked", channel="shop-kz")
    assert parked.rule == "overlap"
    assert "retail 7000.00 KZT sale" in parked.message
    assert "retail 8000.00 KZT sale" in parked.message


EU = """\
shop-kz: {tax_mode: gross}
market-kz: {tax_mode: gross}
"""


@pytest.fixture
def european(retail: World) -> World:
    """The retailer sells in the European Union; its shop can show a strike-through price."""
    rule(retail, EU)
    prices: dict[str, Any] = retail.house.project.prices  # type: ignore[assignment]  # a dict, as it was read
    prices.update({name: replace(one, country="BG") for name, one in prices.items()})
    retail.goods("KTL-1", price="100.00")
    live(retail, *BOTH)
    return retail


def test_a_strike_through_price_is_the_lowest_of_30_days_or_none_with_the_reason(european: World) -> None:
    """Only what this channel was seen to show counts; with too short a history there is none, and it says so."""
    now = european.registry.now().replace(microsecond=0)

    def sale(amount: str, at: Any) -> Mapping[str, Any]:
        erp_price(european, "KTL-1", amount, sale=True, valid_from=at.isoformat(),
                  valid_to=(at + timedelta(days=5)).isoformat())
        european.pass_time((at - european.registry.now()).total_seconds() + 60)
        live(european, *BOTH)
        kept = told(european, "KTL-1", "shop-kz")[0].policy
        assert isinstance(kept, dict)
        assert priced(european, "shop", "KTL-1") == Decimal(amount)
        found: Mapping[str, Any] = kept["price"]["reference"]
        struck = european.sandbox.systems["shop"].get("prices", european.shop_id("KTL-1"))["compareAtMinor"]
        assert struck == (None if found["amount"] is None else Decimal(found["amount"]) * 100)
        return found

    assert sale("90.00", now + timedelta(days=10, hours=1)) == {
        "amount": None, "reason": "of the 30 days before, what this channel showed is known for 10"}
    european.pass_time(6 * 86_400)
    live(european, *BOTH)
    assert priced(european, "shop", "KTL-1") == 100
    assert sale("80.00", now + timedelta(days=40))["amount"] == "90.00", "the earlier sale was 30 days before this one"
    european.pass_time(6 * 86_400)
    live(european, *BOTH)
    assert sale("85.00", now + timedelta(days=60)) == {
        "amount": None, "reason": "the lowest price of the 30 days before, 80.00, is not above this one"}
    european.people.edit("shop", "prices", european.shop_id("KTL-1"), {"compareAtMinor": 50000})
    live(european, *BOTH)
    shop = european.sandbox.systems["shop"]
    assert shop.get("prices", european.shop_id("KTL-1"))["compareAtMinor"] is None, "invented by hand: put back"
    (said,) = [step.sentence for step in why(european.house, "shop-kz", "price", "KTL-1").steps
               if "strike-through" in step.sentence]
    assert said == "no strike-through price: the lowest price of the 30 days before, 80.00, is not above this one"


def test_no_rule_reprices_an_order(retail: World) -> None:
    """Prices are decided where the sale happens: what was paid reaches the ERP as it was, whatever holds by then."""
    retail.goods("KTL-1", price="10000.00")
    live(retail, *BOTH)
    order = retail.buy("shop", {"KTL-1": 2})
    rule(retail, "shop-kz: {markup: 0.99, round: {KZT: {step: 1000, ending: 1}}}\nmarket-kz: {markdown: 0.5}")
    retail.people.set_price("KTL-1", Decimal("5100.00"))
    live(retail, *BOTH)
    assert priced(retail, "shop", "KTL-1") == 10001
    (sale,) = retail.sandbox.systems["erp"].docs("orders")
    placed = retail.sandbox.systems["shop"].get("orders", order.id)
    assert Decimal(str(sale["total"])) == Decimal(placed["totalMinor"]) / 100
    assert Decimal(str(sale["total"])) >= 20000
    (line,) = sale["lines"]
    assert Decimal(str(line["sum"])) == 20000


def test_every_published_price_is_what_its_kept_steps_give(retail: World) -> None:
    """P11: over many random articles and rules, computing again from lineage alone gives what the channel holds."""
    dice = random.Random(11)
    rule(retail, """\
shop-kz: {markdown: 0.07, tax_mode: gross, floor: {margin: 0.1}}
market-kz:
  tax_mode: gross
  markup: [{by: 0.13, plus: 45}]
  round: {KZT: {step: 50, ending: 49}}
  floor: {fee: 0.12}
  ceiling: 60000
  not_below: shop-kz
""")
    for number in range(40):
        sku = retail.goods(f"R-{number}", price=f"{dice.randint(100, 5_000_000) / 100:.2f}")
        cost(retail, sku, f"{dice.randint(100, 3_000_000) / 100:.2f}")
    live(retail, *BOTH)
    proven = 0
    for sku in retail.skus:
        for system in ("shop", "market"):
            hops = told(retail, sku, f"{system}-kz")
            if not hops:
                continue        # held: its floor is above its ceiling
            kept = hops[0].policy
            assert isinstance(kept, dict)
            assert Decimal(recomputed(kept["price"])["amount"]) == priced(retail, system, sku)
            proven += 1
    assert proven >= 60
    uids = [record.uid for record in records(retail.house, "variant").values()]
    costs = []
    with retail.registry.read() as tx:
        for few in (uids[:2], uids):
            before = tx.statements
            offers(retail.house, tx, "market-kz", few, tx.now)
            costs.append(tx.statements - before)
    assert costs[0] == costs[1] <= 6, "a page of prices costs the same number of statements whatever it holds"
    assert {row.rule for row in items(retail.house, "parked")} <= {"floor"}


def ask(world: World, *words: str) -> tuple[int, str]:
    """Exit code and words of `serai differences`."""
    done = CliRunner().invoke(app, ["differences", "--project", str(world.folder / "project"), *words],
                              env={"SERAI_REGISTRY": world.url})
    return done.exit_code, done.stdout


def test_a_difference_between_two_channels_names_its_rule_or_that_nobody_decided_it(retail: World) -> None:
    """What differs by a rule is no finding; what differs without one is, with what stands in the way."""
    rule(retail, "market-kz: {markup: 0.10}")
    for number in range(3):
        retail.goods(f"KTL-{number}", price="10000.00")
    live(retail, *BOTH)
    found = compare(retail.house)
    assert found.undecided == []
    assert {(one.channels, one.prices, one.rule) for one in found.differences} == {(
        ("market-kz", "shop-kz"), ("11000.00 KZT", "10000.00 KZT"), "markup (policies/prices.yaml:1) against no rule")}
    assert ask(retail) == (0, "no price differs without a rule, of 3 articles\n"
                              "3 differences more, made by a rule: `serai differences --all` names it.\n")
    assert "markup (policies/prices.yaml:1) against no rule" in ask(retail, "--all")[1]
    assert [one for one in steps_survey(retail.house).findings if one.kind == "price"] == [], "the survey knows rules"
    rule(retail, "market-kz: {}")
    retail.people.edit("market", "prices", "KTL-0", {"price": {"amount": "9990.00", "currency": "KZT"}})
    steps.pull(retail.house, "market-kz", "prices")
    found = compare(retail.house)
    assert [one.sku for one in found.undecided] == ["KTL-0", "KTL-1", "KTL-2"]
    assert found.undecided[0].prices == ("9990.00 KZT", "10000.00 KZT")
    assert found.undecided[0].because == "market-kz: its rules say 10000.00 KZT, the write is due"
    assert found.undecided[1].because == "market-kz: its rules say 10000.00 KZT, nothing is on its way"
    erp_price(retail, "KTL-2", "9000.00", sale=True, valid_from="2026-01-01T00:00:00+05:00",
              valid_to="2027-01-01T00:00:00+05:00")
    erp_price(retail, "KTL-2", "8000.00", sale=True, valid_from="2026-01-02T00:00:00+05:00",
              valid_to="2026-01-03T00:00:00+05:00")
    steps.pull(retail.house, "erp-kz", "prices")
    code, said = ask(retail)
    assert code == 1
    assert "KTL-0" in said
    assert "market-kz: its rules say 10000.00 KZT" in said
    assert "lists that contradict themselves" in said
    (doubt,) = compare(retail.house).doubts
    assert doubt.sku == "KTL-2"
    assert "8000.00 KZT sale" in doubt.fault


def test_a_list_of_dated_prices_groups_and_quantities_is_one_price_on_each_channel(retail_on_each: World) -> None:
    """A list that knows only windows is found by what the shop shows already; each group sees its own."""
    world = retail_on_each
    rule(world, "market-kz: {group: club}")
    world.goods("KTL-1", price="12000.00")
    world.people.remove("erp", "prices", "retail:KTL-1")
    start = (world.registry.now() - timedelta(days=2)).replace(microsecond=0).isoformat()
    erp_price(world, "KTL-1", "10000.00", valid_from=start, from_quantity="1")
    erp_price(world, "KTL-1", "9000.00", customer_group="club")
    erp_price(world, "KTL-1", "7000.00", from_quantity="10")
    world.people.add("shop", "prices", {"variantId": world.shop_id("KTL-1"), "amountMinor": 999_900, "currency": "KZT"})
    live(world, *BOTH)
    assert both(world) == (Decimal(10000), Decimal(9000))
    assert len(list(world.sandbox.systems["shop"].docs("prices"))) == 1
    uid = records(world.house, "variant")["KTL-1"].uid
    with world.registry.read() as tx:
        row = offers(world.house, tx, "shop-kz", [uid], tx.now)[uid].row
    assert row is not None
    assert row["breaks"] == [{"min_quantity": "10", "amount": {"amount": "7000.00", "currency": "KZT"}}]
    marks = world.marks()
    live(world, *BOTH)
    assert written(world, marks, "shop") == []


def test_a_price_by_hand_holds_until_its_end(retail: World) -> None:
    """A person's price goes before every rule, says who and why, and ends by itself."""
    rule(retail, "market-kz: {markup: 0.10}")
    retail.goods("KTL-1", price="10000.00")
    live(retail, *BOTH)
    until = retail.registry.now() + timedelta(hours=2)
    for amount, wrong in (("9990.001", "no price in KZT"), ("-1", "no price in KZT"), ("9990", "say why")):
        with pytest.raises(Misconfigured, match=wrong):
            set_price(retail.house, "KTL-1", Decimal(amount), "market-kz", until=until, who="Aigerim",
                      because="" if wrong == "say why" else "fair")
    set_price(retail.house, "KTL-1", Decimal(9990), "market-kz", until=until, who="Aigerim", because="fair")
    live(retail, *BOTH)
    assert both(retail) == (Decimal(10000), Decimal(9990))
    sentences = [(step.sentence, step.where) for step in why(retail.house, "market-kz", "price", "KTL-1").steps]
    assert any(said == "set by hand: 9990.00 KZT" and "Aigerim: fair, until" in where for said, where in sentences)
    retail.pass_time(7300)
    steps.push_all(retail.house)
    assert both(retail) == (Decimal(10000), Decimal(11000))
    words = ["price", "market-kz", "KTL-1", "10500", "--for", "1d", "--because", "fair", "--project",
             str(retail.folder / "project")]
    done = CliRunner().invoke(app, words, env={"SERAI_REGISTRY": retail.url, "SERAI_USER": "Aigerim"})
    assert done.exit_code == 0
    assert "KTL-1: 10500.00 KZT on market-kz until" in done.stdout
    with pytest.raises(Misconfigured, match="nobody set a price on shop-kz"):
        end_price(retail.house, "KTL-1", "shop-kz", who="Aigerim", because="over")
    end_price(retail.house, "KTL-1", "market-kz", who="Aigerim", because="over")


def test_what_a_litre_costs_stands_beside_the_price_and_goes_with_it(retail: World) -> None:
    """From what the ERP says one holds; a new price, and another bottle at the old one, each bring a new one; who says
    nothing any more shows none."""
    retail.goods("KTL-1", price="1500.00")
    retail.goods("007", price="1500.00")
    retail.people.edit("erp", "items", "KTL-1", {"contents": {"amount": "750", "uom": "MLT"}})
    live(retail, "erp-kz", "shop-kz")

    def beside(sku: str) -> tuple[object, object]:
        doc = retail.sandbox.systems["shop"].get("prices", retail.shop_id(sku))
        return doc.get("unitPriceMinor"), doc.get("unitPricePer")

    assert (beside("KTL-1"), beside("007")) == ((200_000, "1 l"), (None, None))
    retail.people.set_price("KTL-1", "1200.00")
    again(retail, "erp-kz", "shop-kz")
    assert beside("KTL-1") == (160_000, "1 l")
    retail.people.edit("erp", "items", "KTL-1", {"contents": {"amount": "1.5", "uom": "KGM"}})
    again(retail, "erp-kz", "shop-kz")
    assert beside("KTL-1") == (80_000, "1 kg")
    retail.people.edit("erp", "items", "KTL-1", {"contents": None})
    again(retail, "erp-kz", "shop-kz")
    assert beside("KTL-1") == (None, None)
