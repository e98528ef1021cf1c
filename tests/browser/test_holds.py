"""A business admin decides about held prices, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from deployments.console.app import create_app
from tests.databases import sqlite_url  # noqa: F401 (a fixture)
from tests.retailer import served
from tests.scenario.world import World, world
from tests.unit.flows.test_holds import shown, sku, stocked, type_prices

pytestmark = pytest.mark.browser


@pytest.fixture
def shop(tmp_path: Path, sqlite_url: str) -> Iterator[World]:  # noqa: F811 (the fixture)
    """Four articles at 100.00; a clerk has typed 9.99 for two of them."""
    with world(tmp_path, sqlite_url, seed=7, breakers=True) as found:
        stocked(found, 4)
        type_prices(found, {sku(n): "9.99" for n in range(2)})
        yield found


@pytest.fixture
def url(shop: World) -> Iterator[str]:
    with served(create_app(shop.house)) as address:
        yield address


def test_held_prices_are_found_looked_at_and_rejected(shop: World, page: Page) -> None:
    """P9: from the first page by what stands there, on a desk and on a phone."""
    page.get_by_role("link", name=re.compile("^Held *1$")).click()
    page.get_by_role("link", name="price on shop-kz").click()
    expect(page.locator("#held")).to_contain_text("1 080.12 KZT at stake")
    page.get_by_role("button", name="Reject 2").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("shop-kz keeps what it shows")
    dialog.get_by_label("Your name").fill("Aigerim")
    dialog.get_by_label("Why").fill("a clerk's mistake")
    dialog.get_by_role("button", name="Reject 2").click()
    expect(page.locator("#said")).to_contain_text("2 held writes to shop-kz are dropped.")
    expect(page.locator("#held")).to_contain_text("Rejected by Aigerim: a clerk's mistake")
    assert set(shown(shop).values()) == {Decimal(100)}
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
