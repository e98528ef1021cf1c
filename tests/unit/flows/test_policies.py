"""Policies carry their own tests, and those are run by the functions that decide in a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployments.cli import app
from flows.settings import load_project
from mappings.language import LintErrors

COMPANIES = "kz: {name: Karavan, country: KZ, currency: KZT, tax: 0.16, price_list: retail}\n"
CHANNELS = "shop-kz: {platform: tryton, company: kz, url: http://localhost, entities: {stock: on}, receives: [stock]}\n"
STOCK = """\
shop-kz: {locations: [almaty], share: 0.5}
tests:
  - name: half of what nobody claimed
    given: {sellable: {almaty: 10}, reserved: {almaty: 4}}
    expect: {shop-kz: {almaty: 3}}
"""
BREAKER = """\
'*': {price: 0.5}
tests:
  - name: a price that falls to a tenth is for a person
    given: {channel: shop-kz, changed: 1, known: 100, prices: [[100, 10]]}
    expect: {held: true}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    for name, text in (("companies", COMPANIES), ("channels", CHANNELS), ("policies/stock", STOCK),
                       ("policies/breaker", BREAKER)):
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def outcomes(project: Path, *words: str) -> tuple[int, dict[str, bool]]:
    """Exit code of `serai test --format json`, and by name whether each test passed."""
    done = CliRunner().invoke(app, ["test", str(project), "--format", "json", *words])
    return done.exit_code, {row["test"]: row["passed"] for row in json.loads(done.stdout)}


def test_a_policy_is_tested_in_its_own_file(project: Path) -> None:
    """`serai test` runs what stands beside the rule."""
    code, passed = outcomes(project)
    assert code == 0
    assert passed == {"half of what nobody claimed": True, "a price that falls to a tenth is for a person": True}


def test_a_policy_that_no_longer_gives_what_its_test_expects_is_named_with_its_line(project: Path) -> None:
    """Whoever changes a share reads which promise it breaks."""
    (project / "policies/stock.yaml").write_text(STOCK.replace("share: 0.5", "share: 1"))
    done = CliRunner().invoke(app, ["test", str(project), "-k", "nobody"])
    assert done.exit_code == 1
    assert "policies/stock.yaml:3: half of what nobody claimed" in done.stdout
    assert "expected  3" in done.stdout
    assert "got       6" in done.stdout


def test_updating_expectations_leaves_policies_to_a_person(project: Path) -> None:
    """What a policy decides is not rewritten by a tool."""
    (project / "policies/stock.yaml").write_text(wrong := STOCK.replace("share: 0.5", "share: 1"))
    done = CliRunner().invoke(app, ["test", str(project), "--update"])
    assert done.exit_code == 1
    assert "mend it by hand" in done.stdout
    assert (project / "policies/stock.yaml").read_text() == wrong


def test_a_test_that_asks_what_the_policy_cannot_answer_fails(project: Path) -> None:
    """A misspelt given is no green test."""
    (project / "policies/stock.yaml").write_text(STOCK.replace("sellable:", "sellabel:"))
    code, passed = outcomes(project)
    assert code == 1
    assert passed["half of what nobody claimed"] is False


def test_a_test_of_another_shape_is_a_mistake_of_the_file(project: Path) -> None:
    """Each mistake with its line and what is allowed."""
    (project / "policies/stock.yaml").write_text(
        STOCK.replace("    expect: {shop-kz: {almaty: 3}}\n", "    expects: {}\n")
    )
    with pytest.raises(LintErrors) as found:
        load_project(project)
    lines = [str(error) for error in found.value.errors]
    assert any(line.startswith("policies/stock.yaml:5:5: unknown-key: unknown key 'expects'") for line in lines)
    assert any("'expect' is missing" in line for line in lines)
