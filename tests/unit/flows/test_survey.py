"""The survey finds what is wrong, each kind by a seeded mistake, and writes nothing anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployments.cli import app
from flows.settings import ENTITIES
from flows.survey import KINDS, survey
from registry import records_where, runs
from tests.scenario.kept import made
from tests.scenario.world import World
from tests.unit.flows.retail import live, tried

ALL = ("erp-kz", "crm-kz", "shop-kz", "pos-kz", "market-kz")


@pytest.fixture
def clean(tmp_path: Path) -> Iterator[World]:
    """A retailer in agreement: nothing to find."""
    with made(tmp_path, in_agreement) as found:
        yield found


def in_agreement(world: World) -> None:
    for sku in ("KTL-1", "KTL-2"):
        world.goods(sku, on_hand=10, price="1000.00")
    live(world, *ALL)
    found = survey(world.house)
    assert found.counts() == dict.fromkeys(KINDS, 0), found.findings
    assert (found.faults, found.unreachable) == ((), {})


def shop_id(retail: World, sku: str) -> str:
    return retail.shop_id(sku)


def only(retail: World, kind: str, *besides: str) -> list[str]:
    """The findings of a kind; those of other kinds are none."""
    found = survey(retail.house)
    others = {name: n for name, n in found.counts().items() if n and name not in (kind, *besides)}
    assert others == {}
    return [f"{one.subject}: {one.sentence} ({one.at_stake})" for one in found.of(kind)]


def test_a_price_that_differs_is_found_with_the_money_at_stake(clean: World) -> None:
    """At stake: the difference times the units shown there."""
    clean.people.edit("shop", "prices", shop_id(clean, "KTL-1"), {"amountMinor": 90000})
    (said,) = only(clean, "price")
    assert said == "KTL-1 on shop-kz: shop-kz shows 900.00 KZT, erp-kz says 1000.00 KZT (600.00)"


def test_what_can_oversell_now_is_found_with_what_is_there(clean: World) -> None:
    """P8: all channels together show more than the warehouse holds."""
    clean.people.edit("market", "stocks", "KTL-1", {"available": "9"})
    (said,) = only(clean, "oversell", "stock")
    assert "shop-kz 6, market-kz 9: together 15, and 10 are there (5000.00)" in said


def test_a_figure_off_its_allotment_is_found_though_nothing_can_oversell(clean: World) -> None:
    """Goods that nobody can buy are money, too."""
    clean.people.edit("market", "stocks", "KTL-2", {"available": "1"})
    (said,) = only(clean, "stock")
    assert said == "KTL-2 on market-kz: market-kz shows 1, its allotment is 4 (3000.00)"


def test_an_article_on_one_channel_only_is_found(clean: World) -> None:
    """A listing typed in by hand that no other system knows."""
    clean.people.list_by_hand("GHOST", "Ghost", "500.00", 0)
    assert only(clean, "missing") == ["GHOST: GHOST is on market-kz only (0)"]


def test_an_order_that_the_erp_does_not_have_is_found_with_its_total(clean: World) -> None:
    """What a buyer paid for and nobody will send."""
    placed = clean.buy("shop", {"KTL-1": 2})
    (said,) = only(clean, "order", "stock")
    assert said.startswith(f"{placed.number} of shop-kz: erp-kz has no order for it (open, paid)")
    assert "(2000.00)" in said
    live(clean, *ALL)
    assert only(clean, "order") == []


def test_the_same_person_twice_is_found_without_saying_who(clean: World) -> None:
    """P13: the survey counts doubles, and names nobody."""
    for _ in range(2):
        clean.people.add("crm", "contacts", {"properties": {
            "firstname": "Aigerim", "lastname": "Seitkali", "fullname": "Aigerim Seitkali",
            "email": "double@example.kz", "phone": "", "language": "", "street": "", "city": "", "zip": "",
            "country": ""}})
    (said,) = only(clean, "double")
    assert said.startswith("2 customers of crm-kz")
    assert "Aigerim" not in str(survey(clean.house).row())
    assert "double@example.kz" not in str(survey(clean.house).row())


def test_the_command_says_how_much_is_wrong_and_what_is_worst_and_that_nothing_is(
    clean: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person's first look: one line per kind, with the money; what is away is named; finding things is no failure."""
    monkeypatch.setenv("SERAI_PROJECT", str(clean.house.project.folder))
    monkeypatch.setenv("SERAI_REGISTRY", clean.url)

    def said(*words: str) -> list[str]:
        done = CliRunner().invoke(app, ["survey", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return [line.strip() for line in done.output.splitlines()]

    assert said() == [*(f"0 {words}" for words in KINDS.values()), "the channels agree"]
    clean.people.edit("shop", "prices", shop_id(clean, "KTL-1"), {"amountMinor": 90000})
    clean.people.temper("market", "fail", next=100)
    lines = said()
    assert f"1 {KINDS['price']}, 600.00 KZT at stake" in lines
    assert any(line.startswith("market-kz was left out: ") for line in lines)
    assert "the channels agree" not in lines
    worst = next(line for line in lines if "shop-kz shows 900.00" in line)
    assert "KTL-1 on shop-kz" in worst
    assert "600.00" in worst.rpartition("KZT")[2]
    found = json.loads("\n".join(said("--json")))
    assert (found["counts"]["price"], list(found["unreachable"])) == (1, ["market-kz"])


def test_a_system_that_is_away_is_named_and_the_others_are_surveyed(clean: World) -> None:
    """A first look does not fail because one of five systems is down."""
    clean.people.edit("shop", "prices", shop_id(clean, "KTL-1"), {"amountMinor": 90000})
    clean.people.temper("crm", "fail", next=100)
    found = survey(clean.house)
    assert list(found.unreachable) == ["crm-kz"]
    assert found.counts()["price"] == 1


def test_the_survey_writes_nothing_to_systems_or_registry(retail: World) -> None:
    """P12: looking is safe before anything is connected."""
    retail.goods("KTL-1", on_hand=10)
    marks = retail.marks()
    found = survey(retail.house)
    assert sum(found.read.values()) > 0
    assert sum(tried(retail, marks, system) for system in ("erp", "crm", "shop", "pos", "market")) == 0
    with retail.registry.read() as tx:
        assert [entity for entity in ENTITIES if records_where(tx, entity)] == []
        assert runs(tx) == []


def test_a_document_that_does_not_fit_is_a_line_of_the_survey(clean: World) -> None:
    """What a pull would park is told beforehand, and stops no finding."""
    system = clean.sandbox.systems["market"]
    row = system.tables["prices"].rows["KTL-1"]
    row.doc["price"] = {"amount": "a lot", "currency": "KZT"}
    found = survey(clean.house)
    assert any(fault.startswith("market-kz: ") and "prices.yaml" in fault for fault in found.faults)


def test_the_survey_adds_up_in_its_own_currency(clean: World) -> None:
    """The sum per kind is the sum of its findings, exactly."""
    for sku in ("KTL-1", "KTL-2"):
        clean.people.edit("shop", "prices", shop_id(clean, sku), {"amountMinor": 99999})
    found = survey(clean.house)
    assert found.row()["at_stake"]["price"] == "0.12"
    assert sum((one.at_stake for one in found.of("price")), Decimal(0)) == Decimal("0.12")
    assert found.currency == "KZT"
