"""What people read of a plan and of a survey, and the README's walk-through, run as it stands there."""

from __future__ import annotations

import json
import re
import shlex
import threading
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployments import drain as drains
from deployments.cli import app
from deployments.drain import Drain
from deployments.planning.page import plan_page
from deployments.planning.survey_page import survey_page
from flows.apply import apply, first_release
from flows.plan import plan
from flows.survey import KINDS, survey
from flows.wiring import open_house
from tests.scenario.kept import made
from tests.scenario.world import World
from tests.unit.flows.retail import live

ALL = ("erp-kz", "crm-kz", "shop-kz", "pos-kz", "market-kz")
README = Path(__file__).parents[3] / "README.md"
TITLES = """\
extends: sandbox_shop/products
platform: sandbox_shop
resource: products
outward:
  entity: product
  fields:
    title: = 'Karavan <b>' + name
"""


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[World]:
    """A retailer in agreement under its first release, and a terminal in its folder."""
    with made(tmp_path, released) as retail:
        monkeypatch.setenv("SERAI_PROJECT", str(folder(retail)))
        monkeypatch.setenv("SERAI_REGISTRY", retail.url)
        monkeypatch.chdir(tmp_path)
        yield retail


def released(world: World) -> None:
    for sku in ("KTL-1", "KTL-2"):
        world.goods(sku, on_hand=10, price="1000.00")
    live(world, *ALL)
    first_release(world.house, "Aigerim")


def folder(world: World) -> Path:
    return world.house.project.folder


def edit(world: World, text: str = TITLES) -> None:
    path = folder(world) / "mappings" / "sandbox_shop" / "products.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def serai(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def shop_titles(world: World) -> set[str]:
    return {doc["title"] for doc in world.sandbox.systems["shop"].docs("products")}


class _Page(HTMLParser):
    """What a page loads from elsewhere, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [f"{tag} {value}" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


# ── the walk-through ────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_walk_through_of_the_readme_works_as_it_stands(shop: World) -> None:
    """P12: lint, test, plan, apply, in the words of the README; then nothing is left."""
    section = README.read_text(encoding="utf-8").split("## Change a mapping safely")[1].split("\n## ")[0]
    block = re.findall(r"```\n(.*?)```", section, re.DOTALL)[0]
    verbs = [shlex.split(line, comments=True)[1:] for line in block.splitlines() if line.startswith("serai ")]
    assert [words[0] for words in verbs] == ["lint", "test", "plan", "plan", "plan", "apply", "plan"]
    edit(shop)
    said = [serai(*words) for words in verbs]
    assert "2 writes to 1 channel." in said[2]
    assert "title" in said[2]
    assert "2 planned writes made" in said[5]
    assert "Nothing would be written to any channel." in said[6]
    assert shop_titles(shop) == {"Karavan <b>Чайник KTL-1", "Karavan <b>Чайник KTL-2"}


def test_a_mistake_in_the_checkout_is_told_before_anything_is_planned(shop: World) -> None:
    """A mapping that does not pass lint is no plan; what runs goes on."""
    edit(shop, TITLES.replace("name", "nmae"))
    with pytest.raises(Exception, match=r"products\.yaml:7.*nmae"):
        serai("plan")
    with open_house(folder(shop), registry=shop.desk.registry).registry.read():
        assert open_house(folder(shop), registry=shop.desk.registry).release_number == 1


# ── pages ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_page_of_a_plan_says_everything_and_loads_nothing(shop: World) -> None:
    """For a pull request: every record, field, before and after; text of a shop is text, never markup."""
    edit(shop)
    made = plan(shop.house)
    page = _Page(plan_page(made))
    assert page.loads == []
    assert "http" not in page.text
    for text in ("2 writes to 1 channel.", "P-KTL-1", "title", "Karavan <b>Чайник KTL-2", "products.yaml:7"):
        assert text in page.text
    assert "<b>Чайник" not in unescape(plan_page(made)).replace("Karavan <b>Чайник", "")


def test_the_survey_s_page_says_what_the_terminal_says_and_names_no_person(shop: World) -> None:
    """P13: the same counts and money, in a retailer's words."""
    shop.people.edit("shop", "prices", shop.shop_id("KTL-1"), {"amountMinor": 90000})
    shop.people.edit("market", "stocks", "KTL-1", {"available": "9"})
    shop.buy("shop", {"KTL-2": 1})
    found = survey(shop.house)
    text = _Page(survey_page(shop.house, found)).text
    page = _Page(survey_page(shop.house, found))
    assert page.loads == []
    assert found.counts()["price"] == found.counts()["oversell"] == found.counts()["order"] == 1
    for one in found.findings:
        assert one.subject in text
        assert one.sentence in text
        if one.at_stake:
            assert f"{one.at_stake:,f}" in text
    for kind in KINDS:
        assert (found.counts()[kind] > 0) or "none found" in text
    assert not [word for word in ("buyer0", "Kim", "+7701") if word in text]


def test_a_survey_that_reached_nobody_does_not_say_that_all_is_well(shop: World) -> None:
    """A system that is away is named; what was not looked at is not called in order."""
    shop.people.temper("crm", "fail", next=100)
    text = _Page(survey_page(shop.house, survey(shop.house))).text
    assert "The systems that could be read agree" in text
    assert "left out" in text
    for system in ("erp", "shop", "market", "pos"):
        shop.people.temper(system, "fail", next=100)
    text = _Page(survey_page(shop.house, survey(shop.house))).text
    assert "None of your systems could be read" in text
    assert "in order" not in text


def test_what_a_command_writes_to_a_file_is_whole(shop: World, tmp_path: Path) -> None:
    """``--out`` and ``--html``: a page, JSON with every write, and a sentence in the terminal."""
    edit(shop)
    assert "2 writes to 1 channel. The page is in" in serai("plan", "--format", "html", "--out", "plan.html")
    assert (tmp_path / "plan.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    serai("plan", "--format", "json", "--out", "plan.json", "--channel", "shop-kz", "--entity", "product")
    written = json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    assert [one["label"] for one in written["plan"]["writes"]] == ["P-KTL-1", "P-KTL-2"]
    assert "The page is in survey.html" in serai("survey", "--html", "survey.html")
    assert (tmp_path / "survey.html").read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_a_plan_shows_no_person_anywhere(shop: World) -> None:
    """P13: that a name or an address would change is said, and neither is shown: on screen, page or in the file."""
    shop.buy("shop", {"KTL-1": 1})
    shop.until_quiet()
    path = folder(shop) / "mappings" / "sandbox_crm" / "contacts.yaml"
    path.parent.mkdir()
    path.write_text(
        "extends: sandbox_crm/contacts\nplatform: sandbox_crm\nresource: contacts\noutward:\n  entity: customer\n"
        "  fields:\n    properties: {fields: {fullname: = upper(name), email: = upper(email)}}\n", encoding="utf-8",
    )
    (one,) = plan(shop.house).writes
    shown = {change.path: (change.before, change.after) for change in one.fields}
    assert shown["properties.fullname"] == shown["properties.email"] == ("…", "…")
    said = [serai("plan", "--format", kind) for kind in ("text", "json", "html")]
    for text in said:
        for word in ("buyer0", "BUYER0", "Kim", "KIM", "+7701"):
            assert word not in text


def test_a_release_that_no_longer_fits_the_channels_is_named_with_the_way_out(shop: World) -> None:
    """channels.yaml is no part of a release: a channel that left it is told, and plan and apply still work."""
    for path in (folder(shop) / "channels.yaml", *(folder(shop) / "policies").iterdir()):
        text = re.sub(r"(?m)^market-kz:.*\n(?:[ ].*\n|\n)*", "", path.read_text(encoding="utf-8"))
        path.write_text(re.sub(r"(?m)^ *market-kz:.*\n", "", text), encoding="utf-8")
    path = folder(shop) / "authority.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(", market-kz", ""), encoding="utf-8")
    with pytest.raises(Exception, match=r"release 1: authority.yaml:\d+.*market-kz.*`serai plan` and `serai apply`"):
        serai("status")
    serai("plan", "--format", "json", "--out", "plan.json")
    serai("apply", "plan.json")
    serai("status")


# ── who works for long ──────────────────────────────────────────────────────────────────────────────────────────────
def test_the_drain_goes_on_with_a_new_release_and_a_faulty_save_stops_nobody(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P12: it ends its batches, and whoever runs it opens what is in force; in dev, a half-saved file is waited out."""
    monkeypatch.setattr(drains, "ASKS_EVERY", 0.0)
    drain = Drain(open_house(folder(shop), registry=shop.desk.registry), lambda ledger: None)
    assert not drain._outdated()
    edit(shop)
    assert not drain._outdated()
    apply(shop.house, plan(shop.house), who="Aigerim")
    thread = threading.Thread(target=drain.run)
    thread.start()
    thread.join(60)
    assert (thread.is_alive(), drain.renewed) == (False, True)

    monkeypatch.setenv("SERAI_DEV", "1")
    drain = Drain(open_house(folder(shop), registry=shop.desk.registry), lambda ledger: None)
    edit(shop, "platform: [")
    assert not drain._outdated()
    edit(shop, TITLES.replace("Karavan", "Other"))
    assert drain._outdated()
