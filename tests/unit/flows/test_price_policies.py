"""Price policies: rates, exchange, pipelines in YAML; each mistake has its place, each file its own tests."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import jsonschema_rs
import pytest
from typer.testing import CliRunner

from deployments.authoring.schemas import schemas
from deployments.cli import app
from flows.policies.prices import KEYS
from flows.settings import Project, load_project
from mappings.language import LintErrors, load_yaml

COMPANIES = """\
kz: {name: Karavan, country: KZ, currency: KZT, tax: 0.16, price_list: retail, zone: Asia/Almaty}
bg: {name: Karavan BG, country: BG, currency: EUR, tax: 0.20, price_list: retail-bg, zone: Europe/Sofia}
"""
CHANNELS = "".join(
    f"{name}: {{platform: tryton, company: {name[-2:]}, url: 'http://localhost', entities: {{price: on}}}}\n"
    for name in ("shop-kz", "market-kz", "pos-kz", "shop-bg")
)
TAXES = """\
KZ:
  - {rate: 0.12, to: 2026-01-01}
  - {rate: 0.16, from: 2026-01-01}
  - {rate: 0, category: books}
tests:
  - name: the old rate holds until the last evening of the year, in Almaty
    given: {company: kz, at: "2025-12-31T18:59:59+00:00"}
    expect: {rate: 0.12}
  - name: the new rate begins at midnight in Almaty
    given: {company: kz, at: "2025-12-31T19:00:00+00:00"}
    expect: {rate: 0.16}
  - name: books are free of tax
    given: {company: kz, category: books, at: 2026-05-05}
    expect: {rate: 0}
  - name: a country without a rule has the rate of its company
    given: {company: bg, at: 2026-05-05}
    expect: {rate: 0.20, where: companies.yaml}
"""
FX = """\
EUR/KZT: [{rate: 600, from: 2026-01-01, to: 2026-02-01}, {rate: 620, from: 2026-02-01}]
redenominations:
  - {currency: BGN, becomes: EUR, divide_by: 1.95583, at: "2026-01-01T00:00:00+02:00"}
tests:
  - name: tenge become euros at the rate of the day, the other way round
    given: {amount: 12400, from: KZT, to: EUR, at: 2026-02-03}
    expect: {amount: 20.00, currency: EUR}
  - name: leva are euros at the fixed rate
    given: {amount: 195.583, from: BGN, to: EUR, at: 2026-02-03}
    expect: {amount: 100.00}
  - name: nobody wrote a rate for last year
    given: {amount: 1, from: EUR, to: KZT, at: 2025-02-03}
    expect: {amount: null}
"""
PRICES = """\
market-kz:
  tax_mode: gross
  markup: [{by: 0.10}, {by: 0.20, category: kettles, from: 2026-03-01}]
  round: {KZT: {step: 1000, ending: 990}}
  floor: {fee: 0.15, margin: 0.05}
  not_below: shop-kz
shop-kz: {tax_mode: gross, round: {KZT: 10}}
shop-bg:
  list: retail
  list_company: kz
  list_currency: KZT
  tax_mode: gross
  round: {EUR: {step: 1, ending: 0.99}}
tests:
  - name: ten percent more, ending in 990
    given:
      channel: market-kz
      at: 2026-02-03
      prices: [{amount: {amount: 12490, currency: KZT}, tax_mode: gross}]
      variant: {cost: {amount: 5000, currency: KZT}}
    expect: {amount: 13990.00, steps: [list, markup, round, floor], floor: 7990.00, held: null}
  - name: what is sold at a loss is raised to the floor
    given:
      channel: market-kz
      at: 2026-02-03
      prices: [{amount: {amount: 5000, currency: KZT}, tax_mode: gross}]
      variant: {cost: {amount: 8000, currency: KZT}, handling: {amount: 1000, currency: KZT}}
    expect: {amount: 13990.00}       # (8000 + 1000) / 0.8 · 1.16 = 13050
  - name: without a cost the price is held
    given: {channel: market-kz, at: 2026-02-03, prices: [{amount: {amount: 5000, currency: KZT}, tax_mode: gross}]}
    expect: {held: cost, amount: null}
  - name: from the list in tenge to a price in euros, with the tax of Bulgaria
    given: {channel: shop-bg, at: 2026-02-03, prices: [{amount: {amount: 12490, currency: KZT}, tax_mode: gross}]}
    expect: {amount: 20.99, currency: EUR}   # 12490 / 620 / 1.16 · 1.20 = 20.84
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    for name, text in (("companies", COMPANIES), ("channels", CHANNELS), ("policies/taxes", TAXES),
                       ("policies/fx", FX), ("policies/prices", PRICES)):
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def write(project: Path, name: str, text: str) -> list[str]:
    """The mistakes of a policy file, as ``line code``; empty when the project loads."""
    (project / f"policies/{name}.yaml").write_text(text)
    try:
        load_project(project)
    except LintErrors as found:
        return [f"{error.line} {error.code}" for error in found.errors if error.file == f"policies/{name}.yaml"]
    return []


def test_price_policies_are_tested_in_their_own_files(project: Path) -> None:
    """`serai test` runs what stands beside the rules, by the rules that run."""
    done = CliRunner().invoke(app, ["test", str(project), "--format", "json"])
    failed = [row for row in json.loads(done.stdout) if not row["passed"]]
    assert failed == []
    assert done.exit_code == 0
    assert len(json.loads(done.stdout)) == 11


def test_a_channel_without_a_row_sells_its_companys_list_as_it_is(project: Path) -> None:
    """Nobody has to write a policy to sell."""
    found: Project = load_project(project)
    pipeline = found.prices["pos-kz"]
    assert (pipeline.price_list, pipeline.currency, pipeline.tax_mode, pipeline.written) == (
        "retail", "KZT", None, False)
    assert found.taxes.of("bg")[-1].rate == Decimal("0.20")


@pytest.mark.parametrize(("name", "text", "mistakes"), [
    ("taxes", "KZ:\n  - {rate: 0.12, from: 2026-01-01, to: 2026-03-01}\n"
     "  - {rate: 0.16, from: 2026-02-01, to: 2027-01-01}", ["3 overlap"]),
    ("taxes", "KZ: [{rate: 0.12}, {rate: 0.13}]", ["1 overlap"]),
    ("taxes", "KZ: [{rate: 0.12, company: bg}]", ["1 unknown-company"]),
    ("taxes", "KZ: [{rate: 16}]", ["1 number"]),
    ("taxes", "US: [{rate: 0.1}]", ["1 country"]),
    ("taxes", "KZ: [{rate: 0.1, form: 2026-01-01}]", ["1 unknown-key"]),
    ("fx", "EUR/KZT: [{rate: 600, from: 2026-01-01}, {rate: 620, from: 2026-01-01}]", ["1 overlap"]),
    ("fx", "EUR/KZT: 600\nKZT/EUR: 0.0016", ["2 overlap"]),
    ("fx", "EUR/KZT: [{rate: 0}]", ["1 number"]),
    ("fx", "EURKZT: 600", ["1 currency"]),
    ("fx", "EUR/KZT: [{rate: 600, from: soon}]", ["1 date"]),
    ("fx", "redenominations: [{currency: BGN, becomes: EUR, divide_by: 2, at: 2026-01-01},"
     " {currency: BGN, becomes: USD, divide_by: 2, at: 2027-01-01}]", ["1 overlap"]),
    ("prices", "shop-xx: {}", ["1 unknown-channel"]),
    ("prices", "shop-kz: {markup: 0.1, markdown: 0.1}", ["1 markdown"]),
    ("prices", "shop-kz: {markup: [{by: 0.1}, {by: 0.2}]}", ["1 overlap"]),
    ("prices", "shop-kz: {markup: [{by: 0.1, from: 2026-02-01, to: 2026-01-01}]}", ["1 window"]),
    ("prices", "shop-kz: {round: {KZT: {step: 0.001}}}", ["1 digits"]),
    ("prices", "shop-kz: {round: {KZT: {step: 10, ending: 10}}}", ["1 ending"]),
    ("prices", "shop-kz: {round: {step: 10}}", ["1 shape"]),
    ("prices", "shop-kz: {floor: {fee: 0.6, margin: 0.4}}", ["1 floor"]),
    ("prices", "shop-kz: {ceiling: {}}", ["1 ceiling"]),
    ("prices", "shop-kz: {tax_mode: brutto}", ["1 tax-mode"]),
    ("prices", "shop-kz: {not_above: shop-kz}", ["1 unknown-channel"]),
    ("prices", "shop-kz: {not_above: shop-bg}", ["1 compare"]),
    ("prices", "shop-kz: {not_above: pos-kz}\npos-kz: {not_below: shop-kz}", ["1 circle", "2 circle"]),
    ("prices", "shop-kz: {currency: tenge}", ["1 currency"]),
])
def test_a_mistake_in_a_price_policy_is_named_with_its_line(
    project: Path, name: str, text: str, mistakes: list[str]
) -> None:
    """Overlapping windows, unknown names and impossible figures are found before anything runs."""
    (project / "policies/prices.yaml").unlink()
    assert write(project, name, text) == mistakes


def test_an_editor_accepts_what_lint_accepts_and_refuses_a_wrong_key(project: Path) -> None:
    """Every key of the three files is completed and checked while a person types."""
    for name in ("prices", "taxes", "fx"):
        check = jsonschema_rs.Draft7Validator(schemas()[name])
        plain = json.loads(json.dumps(
            load_yaml((project / f"policies/{name}.yaml").read_text(), name)[0], default=float
        ))
        assert list(check.iter_errors(plain)) == []
        first = next(iter(plain))
        wrong = plain | {first: [{"rat": 1}] if isinstance(plain[first], list) else {"marcup": 0.1}}
        assert not check.is_valid(wrong)
    assert set(schemas()["prices"]["additionalProperties"]["properties"]) == set(KEYS)
