"""The console's pages of readiness and feeds, over real HTTP: what is missing per SKU, who came for which feed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from deployments.console.app import create_app
from deployments.feeds import feeds_of
from deployments.receiver import create_app as receiver, intake_of
from flows.ready import readiness
from tests.databases import sqlite_url  # noqa: F401 (a fixture)
from tests.retailer import served
from tests.unit.flows.showroom import Showroom, goods, product, showroom


@pytest.fixture
def room(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Showroom]:  # noqa: F811
    with showroom(tmp_path / "project", sqlite_url, monkeypatch) as found:
        found.take("products", product(), product("CUP", description=None))
        goods(found, "007")
        goods(found, "C-1", "C-2", of="CUP")
        yield found


@pytest.fixture
def url(room: Showroom) -> Iterator[str]:
    with served(create_app(room.house)) as address:
        yield address


def page(url: str, path: str) -> str:
    answer = requests.get(f"{url}{path}", timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_what_is_missing_is_shown_per_sku_as_the_command_says_it(room: Showroom, url: str) -> None:
    """The page and `serai ready` judge the same views; a filter narrows by what is missing, a look-up to one SKU."""
    found = readiness(room.house, "feed-google")
    assert (found.ready, found.articles) == (1, 3)
    text = page(url, "/ready?channel=feed-google")
    assert "<strong>1 of 3</strong> articles" in text
    lacking = found.lacks[0]
    assert text.count("<tr>") == 1 + len(found.lacks)
    assert lacking.what in text
    assert page(url, f"/ready?channel=feed-google&what={lacking.what}").count("<tr>") == 3
    assert "Nothing is missing." in page(url, "/ready?channel=feed-google&sku=007")
    assert "no variant has the sku" in page(url, "/ready?channel=feed-google&sku=008")
    assert requests.get(f"{url}/ready?channel=pim-kz", timeout=10).status_code == 404
    assert readiness(room.house, "feed-google", most=0).more


def test_a_feed_is_shown_with_who_came_for_it_and_what_is_not_in_it(room: Showroom, url: str) -> None:
    room.push("feed-google")
    before = page(url, "/feeds")
    assert "feed-google" in before
    assert "2 not ready" in before
    with served(receiver(intake_of(room.house), feeds=feeds_of(room.house))) as address:
        for _ in range(2):
            answer = requests.get(f"{address}/feeds/feed-google/t0ken-of-the-feeds", timeout=20,
                                  headers={"User-Agent": "Googlebot-Merchant/1.0 <b>"})
            assert answer.status_code == 200
    text = page(url, "/feeds")
    assert "Googlebot-Merchant/1.0 &lt;b&gt;" in text
    assert text.count("just now") >= 2


def test_an_item_that_a_feed_cannot_hold_is_named_with_its_remedy(room: Showroom, url: str) -> None:
    room.take("prices", {"id": "007", "variant": "007", "amount": "4990.55"})
    room.push("feed-kaspi")
    text = page(url, "/feeds")
    assert "1 refused" in text
    row = text[text.index('<tr class="bad">'):]
    row = row[: row.index("</tr>")]
    assert "007" in row
    assert "the number has a fraction" in row
    assert "serai replay" in row
