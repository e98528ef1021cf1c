"""A business admin finds what is late, and what to do about it, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from deployments.console.app import create_app
from tests.databases import sqlite_url  # noqa: F401 (a fixture)
from tests.retailer import served
from tests.scenario.world import World, world

pytestmark = pytest.mark.browser


@pytest.fixture
def shop(tmp_path: Path, sqlite_url: str) -> Iterator[World]:  # noqa: F811 (the fixture)
    """An order of the shop that nobody has sent for four days."""
    with world(tmp_path, sqlite_url, seed=7) as found:
        found.goods("K-01", on_hand=10)
        found.go_live()
        found.people.buy_in_shop({"K-01": 1}, email="buyer@example.kz", name="Ким", guest=True)
        found.hear()
        found.pass_time(4 * 86_400)
        yield found


@pytest.fixture
def url(shop: World) -> Iterator[str]:
    with served(create_app(shop.house)) as address:
        yield address


@pytest.mark.parametrize("page", [(390, 844)], ids=["phone"], indirect=True)
def test_a_late_order_is_found_from_its_channels_card_with_what_to_do_about_it(shop: World, page: Page) -> None:
    """The card says how many, the list says which and what to do, the order's page what its buyer was told."""
    page.locator("#deadlines-shop-kz").click()
    row = page.locator("#pressing tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("late by")
    expect(row).to_contain_text("serai order delay 1001")
    page.get_by_role("link", name="market-kz").click()
    expect(page.locator("#pressing")).to_contain_text("No order of market-kz is late or soon late.")
    page.get_by_role("link", name=re.compile("^Deadlines *1$")).click()
    page.get_by_role("link", name="1001").click()
    expect(page.locator("main")).to_contain_text("order 1001 of shop-kz: ")
    expect(page.locator("#order")).to_contain_text("ship by")
    assert "Ким" not in page.content()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
