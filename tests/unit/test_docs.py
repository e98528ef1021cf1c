"""What a person can type or set is written down."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from connectors import CATALOG, DESCRIBED, verified
from deployments.authoring.pages import lint_page
from deployments.cli import VERBS, app, match_app
from mappings.language import load_yaml

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "deployments" / "README.md").read_text(encoding="utf-8")
CODE = ("connectors", "mappings", "registry", "flows", "deployments", "tests/integration")


MATCH = [f"match {one.callback.__name__}" for one in match_app.registered_commands if one.callback is not None]


@pytest.mark.parametrize("verb", [*(verb for verbs in VERBS.values() for verb in verbs), "match", *MATCH])
def test_every_verb_is_described(verb: str) -> None:
    """A verb that is in no page is found by nobody."""
    assert f"`serai {verb}" in PAGES


EVERYWHERE = {"--help", "--project", "--json"}
"""Options that the page describes once, for all verbs."""


def verbs(group: Any, before: str = "") -> Iterator[tuple[str, set[str]]]:
    """Everything that can be typed behind `serai`, groups opened, with its options."""
    for name, command in group.commands.items():
        options = {option for one in command.params for option in one.opts if option.startswith("-")}
        if not hasattr(command, "commands") or command.invoke_without_command:
            yield before + name, options - EVERYWHERE
        if hasattr(command, "commands"):
            yield from verbs(command, f"{before}{name} ")


@pytest.mark.parametrize(("verb", "options"), verbs(typer.main.get_command(app)))
def test_every_option_is_described_where_its_verb_is(verb: str, options: set[str]) -> None:
    """What `--help` lists, the page explains in the verb's own row, and it explains nothing that is not there."""
    first = "| `serai match" if verb.startswith("match") else f"| `serai {verb}"  # one row for three
    rows = [row for row in PAGES.splitlines() if re.match(rf"{re.escape(first)}\b", row) and f"`serai {verb}" in row]
    assert rows, f"no row of the table in deployments/README.md begins with `serai {verb}"
    text = " ".join(rows)
    assert {option for option in options if not re.search(rf"`[^`]*{option}\b", text)} == set()
    if not verb.startswith("match"):
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - options - EVERYWHERE == set()


PAGES_WITH_EXAMPLES = [*ROOT.glob("*.md"), *(page for folder in CODE[:5] for page in (ROOT / folder).rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES_WITH_EXAMPLES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_yaml_example_of_a_page_lints(page: Path) -> None:
    """What readers copy is held to the same rules as what they write."""
    _, errors = lint_page(page, str(page.relative_to(ROOT)))
    assert [str(error) for error in errors] == []


def test_every_variable_is_described() -> None:
    """A setting that only the code knows is set wrongly or not at all."""
    found = set()
    for folder in CODE:
        for path in (ROOT / folder).rglob("*.py"):
            found |= set(re.findall(r'["\'](SERAI_[A-Z_]+[A-Z])["\']', path.read_text(encoding="utf-8")))
    pages = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("*/README.md")) + PAGES
    pages += (ROOT / "README.md").read_text(encoding="utf-8") + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert {name for name in found if name not in pages} == set()


def test_the_table_of_platforms_says_what_each_was_verified_against() -> None:
    """The list of platforms is the first thing a new user looks for; it says what their connectors say."""
    page = (ROOT / "connectors" / "README.md").read_text(encoding="utf-8")
    table = page.partition("## Platforms")[2].partition("\n## ")[0]
    described = {name: load_yaml(path.read_text(encoding="utf-8"), name)[0] for name, path in DESCRIBED.items()}
    rows = {name: verified(name, described.get(name)).row(name) for name in (*CATALOG, *DESCRIBED)}
    assert sorted(re.findall(r"^[|] `.*$", table, re.MULTILINE)) == sorted(rows.values()), "\n".join(rows.values())
    assert [name for name in rows if verified(name, described.get(name)).when == ""] == []


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
