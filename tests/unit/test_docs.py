"""What a person can type or set is written down."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from connectors import CATALOG
from deployments.cli import VERBS, match_app

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "deployments" / "README.md").read_text(encoding="utf-8")
CODE = ("connectors", "mappings", "registry", "flows", "deployments", "tests/integration")


MATCH = [f"match {one.callback.__name__}" for one in match_app.registered_commands if one.callback is not None]


@pytest.mark.parametrize("verb", [*VERBS, "match", *MATCH])
def test_every_verb_is_described(verb: str) -> None:
    """A verb that is in no page is found by nobody."""
    assert f"`serai {verb}" in PAGES


def test_every_variable_is_described() -> None:
    """A setting that only the code knows is set wrongly or not at all."""
    found = set()
    for folder in CODE:
        for path in (ROOT / folder).rglob("*.py"):
            found |= set(re.findall(r'["\'](SERAI_[A-Z_]+[A-Z])["\']', path.read_text(encoding="utf-8")))
    pages = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("*/README.md")) + PAGES
    pages += (ROOT / "README.md").read_text(encoding="utf-8") + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert {name for name in found if name not in pages} == set()


def test_every_platform_is_described() -> None:
    """The list of platforms is the first thing a new user looks for."""
    page = (ROOT / "connectors" / "README.md").read_text(encoding="utf-8")
    assert [name for name in CATALOG if f"`{name}`" not in page] == []


def test_every_target_of_make_has_a_line_of_help() -> None:
    """`make` alone says what there is."""
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("setup", "demo", "day", "test", "check", "bench", "real"):
        assert re.search(rf"make {target} +\S", shown), target


def test_every_relative_link_leads_somewhere() -> None:
    """A page that points nowhere costs trust in the rest."""
    dead = []
    for page in (*ROOT.glob("*.md"), *(path for folder in CODE for path in (ROOT / folder).rglob("*.md"))):
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not (page.parent / link).exists():
                dead.append(f"{page.relative_to(ROOT)}: {link}")
    assert dead == []


def test_every_package_of_the_distribution_is_listed() -> None:
    """A package missing from pyproject.toml works in a checkout and nowhere else."""
    import tomllib

    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for folder in ("connectors", "mappings", "registry", "flows", "deployments")
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert there - listed == set()
    assert sys.version_info >= (3, 11)
