"""A headless Chromium that is installed on the machine; without one these tests skip, on CI they fail instead."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from deployments.console.app import create_app
from tests.retailer import Retailer, running, served

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=30_000)  # a busy machine; only a test that fails waits so long


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Started once for the module; Playwright's event loop would stand in the way of every later ``asyncio.run``."""
    path = os.environ.get("SERAI_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        missing = "no Chromium is installed; on Debian: apt-get install chromium, or name one in SERAI_TEST_CHROMIUM"
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def retailer(tmp_path: Path) -> Iterator[Retailer]:
    with running(tmp_path / "karavan") as found:
        yield found


@pytest.fixture
def url(retailer: Retailer) -> Iterator[str]:
    with served(create_app(retailer.house)) as address:
        yield address


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["desk", "phone"])
def page(request: pytest.FixtureRequest, browser: Browser, url: str) -> Iterator[Page]:
    """The console's first page on a desk and on a phone; no script of it may fail, nothing may load from elsewhere."""
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, base_url=url)
    opened = context.new_page()
    troubles: list[str] = []
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("console", lambda line: troubles.append(line.text) if "Content Security Policy" in line.text else None)
    opened.on("request", lambda sent: None if sent.url.startswith(url) else troubles.append(sent.url))
    opened.set_default_timeout(30_000)
    opened.goto("/")
    yield opened
    context.close()
    assert troubles == []
