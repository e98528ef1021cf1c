"""An editor looks up what listings lack and whether a feed is fetched, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from deployments.console.app import create_app
from tests.databases import sqlite_url  # noqa: F401 (a fixture)
from tests.retailer import served
from tests.unit.flows.showroom import Showroom, goods, product, showroom

pytestmark = pytest.mark.browser


@pytest.fixture
def url(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:  # noqa: F811
    with showroom(tmp_path / "project", sqlite_url, monkeypatch) as room:
        _fill(room)
        with served(create_app(room.house)) as address:
            yield address


def _fill(room: Showroom) -> None:
    room.take("products", product(), product("CUP", description=None, images=[]))
    goods(room, "007")
    goods(room, "C-1", "C-2", of="CUP")
    room.push("feed-google")
    room.fetch()


def test_what_is_missing_is_found_filtered_and_looked_up(page: Page) -> None:
    """From the first page by links alone, on a desk and on a phone; the feed's page leads here, too."""
    page.get_by_role("link", name="Feeds").click()
    expect(page.locator("#feeds")).to_contain_text("feed-google")
    page.get_by_role("link", name="2 not ready").click()
    expect(page.locator("#counts")).to_contain_text("1 of 3 articles")
    expect(page.locator("#lacks tbody tr")).to_have_count(4)
    page.get_by_role("navigation", name="Missing").get_by_role("link", name=re.compile("description")).click()
    expect(page.locator("#lacks tbody tr")).to_have_count(2)
    page.get_by_label("SKU").fill("007")
    page.get_by_role("button", name="Look up").click()
    expect(page.locator("main")).to_contain_text("Nothing is missing.")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
