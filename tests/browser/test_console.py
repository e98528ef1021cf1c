"""An admin at the console, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from registry import AuditRow, audit_rows, modes, paused, set_mode
from tests.retailer import Retailer

pytestmark = pytest.mark.browser


def state(retailer: Retailer) -> tuple[dict[tuple[str, str], str], list[AuditRow]]:
    """The modes and the audit, as the registry has them."""
    with retailer.house.registry.read() as tx:
        return modes(tx), audit_rows(tx)


def test_a_toggle_asks_acts_and_writes_the_audit(retailer: Retailer, page: Page) -> None:
    """A channel is switched off by mouse: dialog, mode in the registry, audit in registry and page."""
    card = page.locator("#card-shop-kz")
    expect(card.locator(".badge").first).to_have_text("on")
    card.get_by_role("group", name="Mode of all entities on shop-kz").get_by_text("off", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Switch all of shop-kz off?")
    expect(dialog).to_contain_text("Nothing that shop-kz says of product and variant enters the records.")
    assert state(retailer)[1] == []
    dialog.get_by_label("Your name").fill("Aigerim")
    dialog.get_by_label("Why").fill("stocktaking until noon")
    dialog.get_by_role("button", name="Switch all off").click()
    expect(page.locator("#said")).to_contain_text("All of shop-kz is off now.")
    expect(dialog).to_be_hidden()
    expect(card.locator(".badge").first).to_have_text("off")
    known, audit = state(retailer)
    assert {mode for (channel, _), mode in known.items() if channel == "shop-kz"} == {"off"}
    assert {mode for (channel, _), mode in known.items() if channel != "shop-kz"} == {"on"}
    assert {(row.who, row.because, row.before, row.after) for row in audit} == {
        ("Aigerim", "stocktaking until noon", "on", "off")
    }
    page.get_by_role("link", name="Audit").click()
    expect(page.locator("#audit")).to_contain_text("mode of product on shop-kz")
    expect(page.locator("#audit")).to_contain_text("stocktaking until noon")


def test_one_entity_is_switched_by_keyboard_alone(retailer: Retailer, page: Page) -> None:
    """Under *More*: open, choose, type, confirm, without a mouse; the name is remembered."""
    page.locator("#more-shop-kz summary").focus()
    page.keyboard.press("Enter")
    page.locator("#shop-kz-variant-shadow").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your name")).to_be_focused()
    page.keyboard.type("Bolat")
    page.keyboard.press("Tab")
    page.keyboard.type("first contact")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_contain_text("Variant on shop-kz is shadow now.")
    assert state(retailer)[0]["shop-kz", "variant"] == "shadow"
    expect(page.locator("#card-shop-kz .badge").first).to_have_text("mixed")
    expect(page.locator("#more-shop-kz")).to_have_attribute("open", "")
    page.locator("#shop-kz-variant-on").click()
    expect(page.get_by_label("Your name")).to_have_value("Bolat")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert state(retailer)[0]["shop-kz", "variant"] == "shadow"


def test_the_red_button_pauses_writes(retailer: Retailer, page: Page) -> None:
    """Two clicks and a reason."""
    page.locator("#pause-pos-kz").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("begins later than 2 seconds from now")
    dialog.get_by_label("Your name").fill("Aigerim")
    dialog.get_by_label("Why").fill("the tills show a wrong price")
    dialog.get_by_role("button", name="Pause writes").click()
    expect(page.locator("#card-pos-kz")).to_contain_text("writes paused")
    with retailer.house.registry.read() as tx:
        assert paused(tx) == {"pos-kz"}


def test_what_another_admin_does_appears_without_reloading(retailer: Retailer, page: Page) -> None:
    """The page refreshes itself, keeps *More* open, and an answer to an old question switches nothing."""
    page.locator("#more-erp-kz summary").click()
    page.locator("#shop-kz-all-off").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Now: on.")
    with retailer.house.registry.write() as tx:
        set_mode(tx, "shop-kz", "product", "shadow", "Bolat", "looking")
    expect(page.locator("#card-shop-kz .badge").first).to_have_text("mixed")
    expect(page.locator("#more-erp-kz")).to_have_attribute("open", "")
    dialog.get_by_label("Your name").fill("Aigerim")
    dialog.get_by_label("Why").fill("stocktaking")
    dialog.get_by_role("button", name="Switch all off").click()
    expect(dialog).to_contain_text("Somebody switched meanwhile.")
    assert len(state(retailer)[1]) == 1
    expect(dialog.get_by_label("Why")).to_have_value("stocktaking")
    dialog.get_by_role("button", name="Switch all off").click()
    expect(page.locator("#card-shop-kz .badge").first).to_have_text("off")


def test_no_page_scrolls_sideways(page: Page) -> None:
    """1280 and 390 pixels wide."""
    for path in ("/", "/parked", "/runs", "/audit", "/channels/shop-kz/mode?entity=&mode=off"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path


def test_a_console_that_is_gone_is_said(retailer: Retailer, page: Page) -> None:
    """A page that cannot be refreshed does not pretend to be fresh."""
    expect(page.locator("#lost")).to_be_hidden()
    page.route("**/cards**", lambda route: route.abort())
    expect(page.locator("#lost")).to_be_visible()
    page.unroute("**/cards**")
    expect(page.locator("#lost")).to_be_hidden()


def test_the_theme_is_chosen_and_kept(page: Page) -> None:
    """Light and dark."""
    page.get_by_role("button", name="Light or dark").click()
    page.goto("/runs")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
