"""policies/orders.yaml: the fees of a channel, checked and tested in their file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployments.cli import app
from flows.settings import load_project
from mappings.language import LintErrors

COMPANIES = "kz: {name: Karavan, country: KZ, currency: KZT, tax: 0.16, price_list: retail}\n"
CHANNELS = "market-kz: {platform: tryton, company: kz, url: http://localhost, entities: {order: on}}\n"
ORDERS = """\
market-kz:
  fees:
    - {kind: commission, rate: 0.12}
    - {kind: payment, rate: 0.01, fixed: 50, currency: KZT}
tests:
  - name: the marketplace pays its own coupon, and keeps its commission
    given:
      channel: market-kz
      order:
        lines: []
        total: 9500.00 KZT
        discounts: [{key: c, amount: 500.00 KZT, funded_by: channel}]
    expect:
      fees: {commission: 1200.00 KZT, payment: 150.00 KZT}
      buyer_pays: 9500.00 KZT
      seller_price: 10000.00 KZT
      payout: 8650.00 KZT
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    for name, text in (("companies", COMPANIES), ("channels", CHANNELS), ("policies/orders", ORDERS)):
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def test_three_figures_are_tested_in_the_file_of_their_fees(project: Path) -> None:
    done = CliRunner().invoke(app, ["test", str(project), "--format", "json"])
    assert [row["passed"] for row in json.loads(done.stdout)] == [True]
    assert done.exit_code == 0
    (project / "policies/orders.yaml").write_text(ORDERS.replace("rate: 0.12", "rate: 0.13"))
    assert CliRunner().invoke(app, ["test", str(project)]).exit_code == 1


@pytest.mark.parametrize(("was", "now", "place"), [
    ("rate: 0.12", "rate: 12", "policies/orders.yaml:3:26: rate"),
    ("rate: 0.12", "rait: 0.12", "policies/orders.yaml:3:26: unknown-key"),
    ("fixed: 50, currency: KZT", "fixed: 50", "policies/orders.yaml:4:7: currency"),
    ("kind: payment", "kind: commission", "policies/orders.yaml:4:8: twice"),
    ("market-kz:\n", "markt-kz:\n", "policies/orders.yaml:1:1: unknown-channel"),
])
def test_a_mistake_in_a_fee_is_found_where_it_stands(project: Path, was: str, now: str, place: str) -> None:
    (project / "policies/orders.yaml").write_text(ORDERS.replace(was, now, 1))
    with pytest.raises(LintErrors, match=place.replace(".", r"\.")):
        load_project(project)
