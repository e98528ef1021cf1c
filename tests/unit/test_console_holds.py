"""The console's pages of holds, over real HTTP: what is held is seen, and a person decides about what was seen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from deployments.console.app import create_app
from flows.holds import open_sets
from tests.databases import sqlite_url  # noqa: F401 (a fixture)
from tests.retailer import served
from tests.scenario.world import World, world
from tests.unit.flows.test_holds import PAIR, shown, sku, stocked, type_prices

WHO = {"who": "Aigerim", "because": "a clerk's mistake"}


@pytest.fixture
def shop(tmp_path: Path, sqlite_url: str) -> Iterator[World]:  # noqa: F811 (the fixture)
    with world(tmp_path, sqlite_url, seed=7, breakers=True) as found:
        yield stocked(found, 6)


@pytest.fixture
def url(shop: World) -> Iterator[str]:
    type_prices(shop, {sku(n): "9.99" for n in range(3)})
    with served(create_app(shop.house)) as address:
        yield address


def form(url: str, word: str) -> tuple[str, dict[str, str]]:
    """The question of a decision: where it is answered, and what it carries."""
    page = requests.get(url, timeout=10).text
    (hold,) = set(re.findall(r'href="/holds/(\w+)"', page))
    text = requests.get(f"{url}/{hold}/{word}", timeout=10).text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text))
    return f"{url}/{hold}/{word}", hidden


def test_held_prices_are_seen_with_the_money_at_stake_and_rejected(shop: World, url: str) -> None:
    """P9: three prices of 9.99 that would lose 90.01 a piece on six units each."""
    page = requests.get(f"{url}/holds", timeout=10).text
    assert "1 620.18 KZT" in page
    assert "3 prices would move by more than 30 %" in page
    place, hidden = form(f"{url}/holds", "reject")
    done = requests.post(place, data={**hidden, **WHO}, timeout=10)
    assert done.status_code == 200
    assert "Nothing is held." in requests.get(f"{url}/holds", timeout=10).text
    shop.step("sync_all", channels=PAIR)
    assert set(shown(shop).values()) == {Decimal(100)}


def test_approving_on_the_page_writes_what_the_page_showed(shop: World, url: str) -> None:
    """P9: at once, and nothing else."""
    place, hidden = form(f"{url}/holds", "approve")
    requests.post(place, data={**hidden, **WHO}, timeout=10)
    assert [price for _, price in sorted(shown(shop).items())] == [Decimal("9.99")] * 3 + [Decimal(100)] * 3


def test_what_joined_since_the_page_was_loaded_is_not_approved_with_it(shop: World, url: str) -> None:
    """P9: the question is asked again with what is held now."""
    place, hidden = form(f"{url}/holds", "approve")
    type_prices(shop, {sku(4): "1.00"})
    asked = requests.post(place, data={**hidden, **WHO}, timeout=10)
    assert asked.status_code == 409
    assert "another set by now" in asked.text
    assert set(shown(shop).values()) == {Decimal(100)}


def test_without_a_name_and_a_reason_nothing_is_decided(shop: World, url: str) -> None:
    """The audit keeps who let prices out, and why."""
    place, hidden = form(f"{url}/holds", "approve")
    assert requests.post(place, data=hidden, timeout=10).status_code == 422
    assert [one.count for one in open_sets(shop.house)] == [3]


def test_a_hold_that_is_not_there_is_said_so(url: str) -> None:
    """A link from yesterday's message names what is open today."""
    answer = requests.get(f"{url}/holds/nowhere", timeout=10)
    assert answer.status_code == 404
    assert "There is no hold" in answer.text
