"""Points are kept in one place: a redemption counts when that confirms it, once, and is refused when it does not."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.errors import Misconfigured
from deployments.cli import app
from flows import steps
from flows.loyalty import Answer, redeem, reverse
from flows.wiring import House
from registry import outbox_rows, parked
from tests.databases import sqlite_url  # noqa: F401 (fixture)
from tests.retailer import until
from tests.unit.flows.mailing import Mailer, mailing

KEEPER = "loyalty: {authority: crm}\n"


@pytest.fixture
def shop(tmp_path: Path, sqlite_url: str) -> Iterator[tuple[House, Mailer]]:  # noqa: F811 (the fixture)
    with mailing(tmp_path / "project", sqlite_url, KEEPER) as (house, mailers):
        mailers["crm"].points["K-1"] = 100
        yield house, mailers["crm"]


def ask(house: House, points: int, reference: str = "receipt 1") -> Answer:
    return redeem(house, "K-1", channel="mail", reference=reference, points=Decimal(points))


def settled(house: House) -> None:
    """Time passes, and what had no answer is looked after, until nothing is under way."""

    def quiet() -> bool:
        steps.settle(house, "crm", "loyalty_event")
        steps.push(house, "crm", "loyalty_event")
        with house.registry.read() as tx:
            return outbox_rows(tx, "crm") == []

    until(quiet, 20)


def test_a_redemption_is_taken_once_however_often_it_is_asked_for(shop: tuple[House, Mailer]) -> None:
    house, keeper = shop
    first = ask(house, 40)
    assert (first.accepted, keeper.points["K-1"]) == (True, 60)
    assert ask(house, 40) == first
    assert keeper.points["K-1"] == 60
    assert ask(house, 40, "receipt 2").accepted
    assert keeper.points["K-1"] == 20


def test_what_the_keeper_refuses_is_refused_and_leaves_nothing_open(shop: tuple[House, Mailer]) -> None:
    house, keeper = shop
    refused = ask(house, 500)
    assert (refused.accepted, refused.because, keeper.points["K-1"]) == (False, "crm refused it", 100)
    with house.registry.read() as tx:
        assert outbox_rows(tx, "crm") == []
        assert parked(tx) == []


def test_where_the_keeper_cannot_answer_redemption_is_refused(shop: tuple[House, Mailer]) -> None:
    """Nothing is spent for nothing: what was not taken never arrives, what arrived without an answer is given back."""
    house, keeper = shop
    keeper.mood = "down"
    down = ask(house, 40)
    assert not down.accepted
    keeper.mood = "lost"
    lost = ask(house, 30, "receipt 2")
    assert not lost.accepted
    keeper.mood = ""
    settled(house)
    assert keeper.points["K-1"] == 100
    assert not ask(house, 40).accepted
    assert keeper.points["K-1"] == 100


def test_a_reversal_gives_back_once(shop: tuple[House, Mailer]) -> None:
    house, keeper = shop
    given = ask(house, 40).number
    assert reverse(house, given) == reverse(house, given)
    settled(house)
    assert keeper.points["K-1"] == 100
    with pytest.raises(Misconfigured, match="no event has the number"):
        reverse(house, "redeem-0")


def test_without_a_keeper_nothing_is_redeemed(tmp_path: Path, sqlite_url: str) -> None:  # noqa: F811 (the fixture)
    with mailing(tmp_path / "project", sqlite_url) as (house, _), pytest.raises(Misconfigured, match="names no keeper"):
        ask(house, 1)
    policy = "loyalty: {authority: mail}\n"
    with mailing(tmp_path / "other", sqlite_url, policy) as (house, _), pytest.raises(Misconfigured, match="receive"):
        ask(house, 1)


def test_a_cashier_without_a_till_asks_by_hand(
    shop: tuple[House, Mailer], sqlite_url: str, monkeypatch: pytest.MonkeyPatch  # noqa: F811 (the fixture)
) -> None:
    """The verbs say what the keeper said; a refusal is exit code 1, a question that makes no sense 2."""
    house, keeper = shop
    monkeypatch.setenv("SERAI_REGISTRY", sqlite_url)

    def serai(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["loyalty", *words, "--project", str(house.project.folder)])
        return done.exit_code, done.stdout.strip()

    asked = ("redeem", "K-1", "--at", "mail", "--receipt", "R1", "--points")
    code, said = serai(*asked, "40")
    assert (code, keeper.points["K-1"]) == (0, 60)
    number = said.removeprefix("accepted: ")
    assert serai(*asked[:-2], "R2", "--points", "99") == (1, "refused: crm refused it")
    assert serai("reverse", number) == (0, f"on its way: reverse-{number}")
    assert serai("earn", "K-1", "--at", "mail", "--receipt", "R3", "--points", "5")[0] == 0
    assert serai(*asked[:-1], "--amount", "5")[0] == 2
    settled(house)
    assert keeper.points["K-1"] == 100
