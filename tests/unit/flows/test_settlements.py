"""Settlement reports of the marketplace through accept: fees settled, payouts known, differences in money listed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployments.cli import app
from flows import steps
from flows.desk import show_order
from flows.finding import find
from flows.settlements import NoReport, show_report
from tests.scenario.kept import made
from tests.scenario.world import World
from tests.unit.flows.retail import again, items, live, take, values

CHANNELS = ("erp-kz", "market-kz")


@pytest.fixture
def sold(tmp_path: Path) -> Iterator[World]:
    """Three orders of the marketplace, 1,000.00 KZT each, were sent."""
    with made(tmp_path, three_sent) as found:
        yield found


def three_sent(world: World) -> None:
    world.goods("KTL-1", on_hand=10, price="1000.00")
    live(world, *CHANNELS)
    placed = [world.buy("market", {"KTL-1": 1}).number for _ in range(3)]
    again(world, *CHANNELS)
    for number in placed:
        world.people.ship(source_number=number)
    again(world, *CHANNELS)
    again(world, *CHANNELS)


def numbers(world: World) -> list[str]:
    return [one.number for one in world.placed["market"]]


def wrong(world: World) -> list[str]:
    return sorted(row.message for row in items(world.house, "parked", channel="market-kz"))


def fees(world: World, number: str) -> list[tuple[str, str, str]]:
    return [(fee["key"], fee["amount"]["amount"], fee["state"]) for fee in values(world.house, "order", number)["fees"]]


def test_a_report_ends_the_estimates_and_says_what_was_paid_out(sold: World) -> None:
    """Buyer's price, seller's price and payout are three figures; estimated 12 %, settled 15 %; nothing is parked."""
    world = sold
    number = numbers(world)[0]
    assert fees(world, number) == [("commission", "120.00", "estimated")]
    assert find(world.house, number)[0].row()["payout"] == {"amount": "880.00", "currency": "KZT"}
    told = world.people.settle(commission="0.15")
    again(world, *CHANNELS)
    assert fees(world, number) == [("commission", "150.00", "settled")]
    row = find(world.house, number)[0].row()
    assert [row[name]["amount"] for name in ("buyer_pays", "seller_price", "payout")] == [
        "1000.00", "1000.00", "850.00"
    ]
    assert wrong(world) == []
    report = show_report(world.house, told["settlementId"])
    assert (report.channel, report.wrong) == ("market-kz", None)
    assert report.said.paid_out == 2550
    again(world, *CHANNELS)     # the order read once more takes nothing back
    steps.reconcile(world.house, "market-kz", "orders")
    assert fees(world, number) == [("commission", "150.00", "settled")]
    with pytest.raises(NoReport, match="no settlement report goes by"):
        show_report(world.house, "ST-0")


def test_what_a_report_tells_apart_from_the_order_is_listed_with_its_money_until_they_agree(sold: World) -> None:
    """A payout 10.00 short, a refund nobody made, an order nobody knows: each with its difference, none put right."""
    world = sold
    short, back, fair = numbers(world)
    world.people.refund_on_market(fair, {"1": 1})
    again(world, *CHANNELS)
    lost = {"type": "REFUND", "orderId": back, "amount": "-300.00"}
    told = world.people.settle(
        corrections={short: "-10.00"}, more=[lost, {"type": "SALE", "orderId": "MK-9", "amount": 5}]
    )
    again(world, *CHANNELS)
    assert wrong(world) == sorted([
        f"order {short}: 870.00 KZT paid out, 10.00 KZT less than its price, fees and refunds make",
        f"order {back}: 580.00 KZT paid out, 300.00 KZT less than its price, fees and refunds make",
        "order MK-9: no order goes by this number on the channel: 5.00 KZT paid out for it",
    ])
    report = show_report(world.house, told["settlementId"])
    assert {one.number: None if one.apart is None else one.apart["amount"] for one in report.orders} == {
        short: "-10.00", back: "-300.00", fair: "0.00", "MK-9": "5.00"
    }
    assert values(world.house, "order", fair)["payout"] == {"amount": "-120.00", "currency": "KZT"}
    late = {"returnId": "RT-1", "orderId": back, "returnedAt": "2026-03-04T05:00:00.000Z", "items": [],
            "refund": {"amount": "300.00", "currency": "KZT"}}
    take(world, "market-kz", "returns", [late], world.house.registry.now())     # the refund becomes known after all
    world.people.settle(corrections={short: "10.00"})     # the marketplace makes its mistake good
    again(world, *CHANNELS)
    assert [message.split(":")[0] for message in wrong(world)] == ["order MK-9"]
    assert values(world.house, "order", short)["payout"] == {"amount": "880.00", "currency": "KZT"}


def test_an_order_that_comes_after_its_report_is_settled_by_it(sold: World) -> None:
    world = sold
    number = world.buy("market", {"KTL-1": 1}).number
    doc = dict(world.sandbox.systems["market"].get("orders", number))
    world.people.edit("market", "orders", number, {"state": "SENT"})
    report = world.people.settle()
    take(world, "market-kz", "settlements", [report], world.house.registry.now())
    assert [message.split(":")[0] for message in wrong(world)] == [f"order {number}"]
    steps.pull(world.house, "market-kz", "buyers")
    take(world, "market-kz", "orders", [doc], world.house.registry.now())
    assert wrong(world) == []
    assert fees(world, number) == [("commission", "120.00", "settled")]
    assert values(world.house, "order", number)["payout"]["amount"] == "880.00"


def test_a_report_that_does_not_add_up_is_parked_and_mends_itself(sold: World) -> None:
    """Σ lines is the total and what was transferred, to the minor unit."""
    world = sold
    number = numbers(world)[0]
    report = world.people.settle()
    bad = {**report, "total": {"amount": "2640.01", "currency": "KZT"}}
    take(world, "market-kz", "settlements", [bad], world.house.registry.now())
    (row,) = items(world.house, "parked", channel="market-kz")
    assert (row.external_id, row.path) == (report["settlementId"], "$.total")
    assert "0.01 KZT apart" in row.message
    assert fees(world, number) == [("commission", "120.00", "settled")]
    again(world, *CHANNELS)
    assert wrong(world) == []


def test_a_person_reads_the_report_and_the_three_figures(sold: World) -> None:
    world = sold
    number = numbers(world)[0]
    report = world.people.settle(corrections={number: "-1.50"})["settlementId"]
    again(world, *CHANNELS)
    said = seen(world, "settlement", "show", report)
    assert f"settlement {report} of market-kz: the beginning to" in said
    assert "sale 3000.00 KZT, refund 0.00 KZT, fee -360.00 KZT, adjustment -1.50 KZT: 2638.50 KZT paid out" in said
    assert f"order {number}: " in said
    assert "878.50 KZT paid out, 1.50 KZT less than its price, fees and refunds make" in said
    assert report in seen(world, "settlement", "list")
    said = seen(world, "order", "show", number)
    assert ("buyer pays 1000.00 KZT, seller's price 1000.00 KZT, paid out 878.50 KZT; fees: commission 120.00 (settled)"
            in said)  # fmt: skip
    assert show_order(world.house, number).order["payout"]["amount"] == "878.50"


def seen(world: World, *words: str) -> str:
    """What a verb prints."""
    done = CliRunner().invoke(app, [*words, "--project", str(world.folder / "project")],
                              env={"SERAI_REGISTRY": world.url, "COLUMNS": "300"})
    assert done.exit_code == 0, done.output
    return done.output

