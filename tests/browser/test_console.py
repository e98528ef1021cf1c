"""An admin at the console, in a real browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, Route, expect

from registry import AuditRow, audit_rows, modes, paused, set_mode, write_audit
from tests.retailer import Retailer

pytestmark = pytest.mark.browser

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


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


def test_the_audit_fits_beside_long_names_and_values(retailer: Retailer, page: Page) -> None:
    """Who reads why something was switched scrolls to no side, and the reason is no column of single words."""
    long = '{"most":0} until 2026-03-01T12:00:00.123456+00:00'
    with retailer.house.registry.write() as tx:
        write_audit(tx, "Aigerim", f"stock of {'0a' * 16} on every channel", "a pallet fell over", None, long)
        write_audit(tx, "Aigerim", f"stock of {'0a' * 16} on every channel", "everything was counted again", long, None)
    page.goto("/audit")
    assert page.locator(".scroll").evaluate("box => box.scrollWidth - box.clientWidth") == 0
    assert page.locator("#audit td:last-child").first.evaluate("cell => cell.getBoundingClientRect().width") >= 200


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


def test_a_slow_browser_takes_nothing_from_who_types(retailer: Retailer, page: Page) -> None:
    """What the page's timers do late finds a person typing: each letter stays in the field it was typed into."""
    page.clock.install(time=NOON)
    page.reload()
    page.clock.pause_at(NOON + timedelta(hours=1))
    page.locator("#pause-pos-kz").click()
    expect(page.get_by_label("Your name")).to_be_focused()
    page.keyboard.type("Bolat")
    page.keyboard.press("Tab")
    page.keyboard.type("f")
    page.clock.run_for(10_000)  # whatever waits for a timer, the refresh of the cards among it, comes now
    page.keyboard.type("irst contact")
    expect(page.get_by_label("Your name")).to_have_value("Bolat")
    expect(page.get_by_label("Why")).to_have_value("first contact")


def test_a_switch_works_as_soon_as_it_is_drawn(retailer: Retailer, page: Page) -> None:
    """No timer has to pass between a refresh and the first press, or the press would leave the page."""
    page.clock.install(time=NOON)
    page.reload()
    page.clock.pause_at(NOON + timedelta(hours=1))
    redrawn(retailer, page, "shadow")
    page.locator("#shop-kz-all-off").click()
    expect(page.get_by_role("dialog")).to_contain_text("Switch all of shop-kz off?")


def test_a_refresh_leaves_the_keyboard_where_it_is(retailer: Retailer, page: Page) -> None:
    """The cards are redrawn under whoever walks them by keyboard, also inside *More*, and while the dialog asks."""
    switch, summary = page.locator("#shop-kz-variant-shadow"), page.locator("#more-shop-kz summary")
    summary.focus()
    redrawn(retailer, page, "shadow")
    expect(summary).to_be_focused()
    page.keyboard.press("Enter")
    switch.focus()
    redrawn(retailer, page, "on")
    expect(switch).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your name")).to_be_focused()
    page.keyboard.type("Bo")
    redrawn(retailer, page, "shadow")
    page.keyboard.type("lat")
    expect(page.get_by_label("Your name")).to_have_value("Bolat")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(switch).to_be_focused()


def test_a_refresh_swallows_no_click(retailer: Retailer, page: Page) -> None:
    """Cards that change while the mouse is down on them are redrawn after it is up."""
    page.locator("#shop-kz-all-off").hover()
    page.mouse.down()
    with retailer.house.registry.write() as tx:
        set_mode(tx, "erp-kz", "product", "shadow", "Bolat", "looking")
    with page.expect_response(lambda answer: "/cards" in answer.url and answer.status == 200):
        refresh(page)
    page.mouse.up()
    expect(page.get_by_role("dialog")).to_contain_text("Switch all of shop-kz off?")
    refresh(page)
    expect(page.locator("#card-erp-kz .badge").first).to_have_text("mixed")


def test_an_impatient_second_press_asks_once(retailer: Retailer, page: Page) -> None:
    """Pressed twice while the console is slow, a switch opens one dialog, and nothing typed into it is lost."""
    asked: list[Route] = []
    page.route("**/pause**", lambda route: asked.append(route))
    button = page.locator("#pause-pos-kz")
    for presses in (1, 2):
        button.click()
        while len(asked) < presses:
            page.wait_for_timeout(20)
    asked.pop().continue_()
    expect(page.get_by_label("Your name")).to_be_focused()
    page.keyboard.type("Bo")
    asked.pop().continue_()
    page.unroute("**/pause**")
    page.wait_for_load_state("networkidle")
    page.keyboard.type("lat")
    expect(page.get_by_label("Your name")).to_have_value("Bolat")


def refresh(page: Page) -> None:
    """The cards are asked for now, as after a switch, instead of within three seconds."""
    page.evaluate("document.body.dispatchEvent(new Event('changed'))")


def redrawn(retailer: Retailer, page: Page, mode: str) -> None:
    """Somebody else switches, and the page has shown it."""
    with retailer.house.registry.write() as tx:
        set_mode(tx, "erp-kz", "product", mode, "Aigerim", "looking")
    refresh(page)
    expect(page.locator("#card-erp-kz .badge").first).to_have_text("mixed" if mode == "shadow" else "on")


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
