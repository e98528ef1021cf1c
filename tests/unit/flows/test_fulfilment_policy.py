"""policies/fulfilment.yaml is checked where it stands, and its editor schema takes what the reader takes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from deployments.authoring.schemas import schemas
from deployments.cli import app
from flows.settings import load_project
from mappings.commerce.fulfilment.deadlines import Term
from mappings.commerce.fulfilment.routing import Routing
from mappings.language import LintErrors, load_yaml
from tests.projects import RETAIL

COMPANIES = "kz: {name: K, country: KZ, currency: KZT, tax: 0.16, price_list: retail, zone: Asia/Almaty}\n"
CHANNELS = "shop-kz: {platform: tryton, company: kz, url: http://localhost, entities: {order: on}}\n"
GOOD = """\
calendars:
  kz: {hours: [{days: [mon, tue], from: "09:00", to: "24:00"}], holidays: ["2026-12-16"], cut_off: "14:00"}
channels:
  '*': {soon: 15m, ship: {days: 2}, collect: 3d}
  shop-kz: {accept: {within: 4h, counted: open}, acceptance: automatic, routing: {pickup: stores}, returns: []}
routing:
  stores: {places: [a, b], by: [distance, stock], parcels: 2}
"""


def project(folder: Path, text: str) -> Path:
    (folder / "policies").mkdir(exist_ok=True)
    for name, content in (("companies", COMPANIES), ("channels", CHANNELS), ("policies/fulfilment", text)):
        (folder / f"{name}.yaml").write_text(content)
    return folder


def test_a_channel_takes_what_it_leaves_out_from_the_row_for_all(tmp_path: Path) -> None:
    """Key by key; the company's zone is the calendar's unless it names another."""
    policy = load_project(project(tmp_path, GOOD)).fulfilment
    rules = policy.of("shop-kz")
    assert rules.terms.soon == timedelta(minutes=15)
    assert rules.terms.of == {
        "accept": Term(span=timedelta(hours=4), counted="open"), "ship": Term(counted="days", days=2),
        "collect": Term(span=timedelta(days=3)),
    }
    assert (rules.acceptance, rules.returns) == ("automatic", ())
    assert policy.of("another").acceptance == "person"
    assert policy.route_of("shop-kz", "pickup") == Routing(places=("a", "b"), by=("distance", "stock"), parcels=2)
    assert policy.route_of("shop-kz", "ship") is None
    assert policy.calendars["kz"].zone == "Asia/Almaty"


@pytest.mark.parametrize(("wrong", "right", "place", "code"), [
    ("chanels:", "channels:", "3:1", "unknown-key"),
    ("soon: soon", "soon: 15m", "4:9", "duration"),
    ("ship: {days: -1}", "ship: {days: 2}", "4:20", "term"),
    ("acceptance: maybe", "acceptance: automatic", "5:50", "acceptance"),
    ("{pickup: shops}", "{pickup: stores}", "5:73", "unknown-routing"),
    ("{teleport: stores}", "{pickup: stores}", "5:83", "service"),
    ("shop-bg:", "shop-kz:", "5:3", "unknown-channel"),
    ("parcels: 0", "parcels: 2", "7:51", "parcels"),
    ("by: [price]", "by: [distance, stock]", "7:28", "by"),
    ("bg: {hours", "kz: {hours", "2:3", "unknown-company"),
    ('to: "08:00"', 'to: "24:00"', "2:50", "hours"),
    ('"2026-13-16"', '"2026-12-16"', "2:76", "date"),
    ('cut_off: "25:00"', 'cut_off: "14:00"', "2:91", "time"),
])
def test_each_mistake_is_named_where_it_stands_with_what_is_allowed(
    tmp_path: Path, wrong: str, right: str, place: str, code: str
) -> None:
    """file:line:column: code, and a remedy."""
    with pytest.raises(LintErrors) as found:
        load_project(project(tmp_path, GOOD.replace(right, wrong, 1)))
    errors = [error for error in found.value.errors if error.code == code]
    assert [f"{error.line}:{error.column}" for error in errors] == [place], found.value.errors
    assert errors[0].file == "policies/fulfilment.yaml"
    assert errors[0].allowed


def test_the_editor_takes_what_the_reader_takes_and_marks_what_it_refuses() -> None:
    """The sandbox retailer's file and the one above are complete by the schema; a misspelt table is not."""
    check = Draft202012Validator(schemas()["fulfilment"])
    shipped = (RETAIL / "policies" / "fulfilment.yaml").read_text(encoding="utf-8")
    for text in (GOOD, shipped):
        data, _ = load_yaml(text, "fulfilment.yaml")
        assert [error.message for error in check.iter_errors(data)] == []
    for wrong, right in (("chanels", "channels"), ("parcels: 9", "parcels: 2"), ("counted: often", "counted: open")):
        data, _ = load_yaml(GOOD.replace(right, wrong, 1), "fulfilment.yaml")
        assert not check.is_valid(data), wrong


def test_the_files_own_tests_run_with_the_rules_that_decide(tmp_path: Path) -> None:
    """A changed term turns its test red, naming expected and got."""
    text = GOOD + """\
tests:
  - name: sent by the end of the second day of opening
    given:
      {channel: shop-kz, company: kz, order: {status: open, payment: paid, placed_at: "2026-12-14T05:00:00Z"}}
    expect: {ship_by: "2026-12-21T19:00:00Z"}
"""
    folder = project(tmp_path, text)
    assert CliRunner().invoke(app, ["test", str(folder)]).exit_code == 0
    done = CliRunner().invoke(app, ["test", str(project(tmp_path, text.replace("{days: 2}", "{days: 1}")))])
    assert done.exit_code == 1
    assert "2026-12-15T19:00:00Z" in done.stdout
