"""What an editor completes and refuses while a person types: the JSON Schemas of mapping files and settings."""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from deployments.authoring.schemas import SHIPPED, schemas, text_of
from mappings.language import examples, grammar, load_yaml
from mappings.language.functions import FUNCTIONS
from mappings.language.keys import KEYS
from tests.projects import RETAIL, own_mappings

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "mappings").glob("*/*.yaml"), *own_mappings()])
WORDS = {*grammar.HEADERS, *grammar.ROW, *grammar.BLOCK, *grammar.OUTWARD}


def plain(path: Path) -> Any:
    """A YAML file as JSON."""
    return json.loads(json.dumps(load_yaml(path.read_text(encoding="utf-8"), path.name)[0], default=float))


def name_of(path: Path) -> str:
    return "forms" if path.name == "forms.yaml" else "mapping"


@pytest.fixture(scope="module")
def validators() -> dict[str, Any]:
    return {name: jsonschema_rs.Draft7Validator(schema) for name, schema in schemas().items()}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_schema_that_editors_load_is_that_of_the_grammar(name: str) -> None:
    """A key that lint knows and the editor does not is red in the editor: `serai schema --to mappings` renews it."""
    assert (ROOT / "mappings" / f"{name}.schema.json").read_text(encoding="utf-8") == text_of(schemas()[name])


def test_every_key_says_what_it_does() -> None:
    """Hovering over a key explains it, and completion lists every function."""
    known = {
        *WORDS, *grammar.CASE, *grammar.SORT, *grammar.FORMS, *examples.KEYS,
        *(option for options in grammar.OPTIONS.values() for option in options),
    }
    assert known - set(KEYS) == set()
    leaf = schemas()["mapping"]["definitions"]["leaf"]["description"]
    assert [name for name, function in FUNCTIONS.items() if function.signature not in leaf] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_mapping_names_its_schema_and_is_accepted(path: Path, validators: dict[str, Any]) -> None:
    """Opened in an editor, a file that lint accepts shows nothing red."""
    name = name_of(path)
    place = os.path.relpath(ROOT / "mappings" / f"{name}.schema.json", path.parent)
    assert path.read_text(encoding="utf-8").startswith(f"# yaml-language-server: $schema={place}\n")
    errors = [f"{list(error.instance_path)}: {error.message}" for error in validators[name].iter_errors(plain(path))]
    assert errors == []


def rows(value: Any) -> Iterator[dict[str, Any]]:
    """Every row with keys in a map of fields."""
    for row in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        if isinstance(row, dict):
            yield row
            for key in ("fields", "let", "items", "keep"):
                yield from rows(row.get(key))


def keyed(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every map of a mapping file whose keys are words of the language."""
    yield data
    for block in data.get("inward", {}).values():
        full = "fields" in block
        if full:
            yield block
        yield from rows(block["fields"] if full else block)
    if "outward" in data:
        yield data["outward"]
        yield from rows(data["outward"]["fields"])
    yield from data.get("tests", [])


@pytest.mark.parametrize("path", [path for path in FILES if name_of(path) == "mapping"],
                         ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_misspelt_key_is_refused_wherever_it_stands(path: Path, validators: dict[str, Any]) -> None:
    """The editor underlines it before lint is ever run."""
    data = plain(path)
    places = [(number, key) for number, one in enumerate(keyed(data)) for key in one if key in WORDS or key in KEYS]
    assert places
    for number, key in places:
        wrong = copy.deepcopy(data)
        place = next(one for at, one in enumerate(keyed(wrong)) if at == number)
        place[key[:-1] + "x"] = place.pop(key)
        assert not validators["mapping"].is_valid(wrong), f"{key} at {number}"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("{from: a, as: monye}", "{from: a, as: money}"),
        ("{from: a, otherwise: skip}", "{from: a, table: {a: b}, otherwise: pass}"),
        ("{from: a, required: maybe}", "{from: a, required: true}"),
        ("{from: a, as: {moment: {zoen: UTC}}}", "{from: a, as: {moment: {zone: UTC}}}"),
        ("5", "= 5"),
        ("[a]", "{items: [a]}"),
    ],
)
def test_a_wrong_value_is_refused_and_the_right_one_is_not(
    wrong: str, right: str, validators: dict[str, Any], tmp_path: Path
) -> None:
    for text, valid in ((wrong, False), (right, True)):
        path = tmp_path / "x.yaml"
        path.write_text(f"platform: x\nresource: y\ninward:\n  order:\n    number: {text}\n")
        assert validators["mapping"].is_valid(plain(path)) is valid, text


def test_a_field_that_no_entity_has_is_refused(validators: dict[str, Any], tmp_path: Path) -> None:
    """Completion offers the canonical fields of the entity, and nothing else is one."""
    for field, valid in (("number", True), ("nunber", False), ("key", True)):
        for block in (f"{{{field}: a}}", f"{{fields: {{{field}: a}}}}"):
            path = tmp_path / "x.yaml"
            path.write_text(f"platform: x\nresource: y\ninward:\n  order: {block}\n")
            assert validators["mapping"].is_valid(plain(path)) is valid, block


@pytest.mark.parametrize(
    ("file", "name", "wrong"),
    [
        ("companies.yaml", "companies", ("currency: KZT", "currency: tenge")),
        ("channels.yaml", "channels", ("every: 5m", "every: 5 minutes")),
        ("channels.yaml", "channels", ("entities:", "entites:")),
        ("authority.yaml", "authority", ("given_name:", "givenname:")),
        ("policies/stock.yaml", "stock", ("share:", "shares:")),
    ],
)
def test_a_project_s_settings_are_checked_too(
    file: str, name: str, wrong: tuple[str, str], validators: dict[str, Any], tmp_path: Path
) -> None:
    """The sandbox retailer's settings are accepted; each with one slip is not."""
    path = RETAIL / file
    assert validators[name].is_valid(plain(path))
    spoilt = tmp_path / "x.yaml"
    text = path.read_text(encoding="utf-8")
    assert wrong[0] in text
    spoilt.write_text(re.sub(re.escape(wrong[0]), wrong[1], text, count=1), encoding="utf-8")
    assert not validators[name].is_valid(plain(spoilt))
