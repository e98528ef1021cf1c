"""Every mapping file of the package and of the demo retailer: it compiles, its own tests pass, and they test enough."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

import mappings
from mappings.canonical import problems, schemas
from mappings.language import LintErrors, Ref, compile, load_yaml, run_tests  # the language's word for it
from tests.projects import RETAIL, own_mappings, project_of

PACKAGE = Path(mappings.__file__ or "").parent
COMPANY = {"name": "Test", "country": "KZ", "currency": "KZT", "tax": "0.16", "price_list": "retail"}
CONTEXT = {"channel": "test", "company": COMPANY, "settings": {}, "now": "2026-01-01T00:00:00Z", "run": "test"}


def mapping_files() -> Iterator[Path]:
    yield from (path for path in sorted(PACKAGE.glob("*/*.yaml")) if path.name != "forms.yaml")
    yield from own_mappings()


def label(path: Path) -> str:
    return str(path.relative_to(PACKAGE.parent))


def load(relative: str) -> str:
    return (PACKAGE / relative.removeprefix("mappings/")).read_text(encoding="utf-8")


def parts(path: Path) -> tuple[str, dict[str, Any], dict[str, Any] | None]:
    """The file's text, its content, and the native document's JSON Schema: the retailer's own beside it, if any."""
    text = path.read_text(encoding="utf-8")
    data, _ = load_yaml(text, label(path))
    own, shipped = (folder / f"{data['resource']}.schema.json" for folder in (path.parent, PACKAGE / data["platform"]))
    schema = own if own.is_file() else shipped
    return text, data, json.loads(schema.read_text(encoding="utf-8")) if schema.is_file() else None


def values(node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping):
        for value in node.values():
            yield from values(value)
    elif isinstance(node, list):
        for value in node:
            yield from values(value)
    else:
        yield node


def is_zero(value: Any) -> bool:
    if isinstance(value, str):
        return re.fullmatch(r"0+(\.0+)?", value) is not None
    return not isinstance(value, bool) and value is not None and value == 0


FILES = list(mapping_files())
every_file = pytest.mark.parametrize("path", FILES, ids=label)


def test_the_sandbox_platforms_and_an_override_are_here() -> None:
    folders = {path.parent.name for path in FILES}
    assert {"sandbox_erp", "sandbox_crm", "sandbox_shop", "sandbox_pos", "sandbox_market"} <= folders
    assert any(project_of(path) == RETAIL and "extends" in parts(path)[1] for path in FILES)


@every_file
def test_a_mapping_compiles_against_both_schemas_and_passes_its_own_tests(path: Path) -> None:
    """P7: what a mapping says, it does."""
    text, _, schema = parts(path)
    assert schema is not None, "the native document has a JSON Schema"
    results = run_tests(text, label(path), load=load, source_schema=schema, canonical=schemas())
    assert results
    failed = [f"{label(path)}:{r.line}: {r.name}\n  " + "\n  ".join(r.diff) for r in results if not r.ok]
    assert not failed, "\n".join(failed)


@every_file
def test_a_mapping_is_tested_with_a_zero_an_absent_and_a_null(path: Path) -> None:
    """P7: 0, absent and null are three things; nothing tests a value for truthiness."""
    tests = parts(path)[1]["tests"]
    found = [value for test in tests for value in values([test["given"], test.get("expect")])]
    assert any(is_zero(value) for value in found), "no test holds a zero"
    assert any(value is None for value in found), "no test holds a null"
    given = [doc for test in tests for doc in (test["given"] if isinstance(test["given"], list) else [test["given"]])]
    known = {name for doc in given for name in doc}
    assert any("absent" in test for test in tests) or any(known - set(doc) for doc in given), "no test lacks a field"


@every_file
def test_both_directions_are_tested(path: Path) -> None:
    data = parts(path)[1]
    directions = {test.get("direction", "inward" if "inward" in data else "outward") for test in data["tests"]}
    assert directions == {direction for direction in ("inward", "outward") if direction in data}


class Everything(dict[tuple[str, str], Any]):
    """References that all resolve."""

    def __init__(self, outward: bool) -> None:
        super().__init__()
        self.outward = outward

    def __missing__(self, key: tuple[str, str]) -> Any:
        return Ref(f"{key[0]}-{key[1]}", {}) if self.outward else f"{key[0]}-{key[1]}"

    def get(self, key: tuple[str, str], default: Any = None) -> Any:
        return self[key]


def partial(schema: Any) -> Any:
    """The schema of a document that is written: it may leave out anything, however deep."""
    if isinstance(schema, dict):
        return {key: partial(value) for key, value in schema.items() if key != "required" or isinstance(value, dict)}
    return [partial(one) for one in schema] if isinstance(schema, list) else schema


@every_file
def test_what_comes_in_is_canonical_and_what_goes_out_is_native(path: Path) -> None:
    """P7: records of the tests hold to the canonical schema, documents to the platform's own."""
    text, data, schema = parts(path)
    assert schema is not None
    mapping = compile(text, label(path), load=load, source_schema=schema, canonical=schemas())
    native = jsonschema_rs.validator_for(partial(schema))
    for test in data["tests"]:
        context = {**CONTEXT, **test.get("context", {}), "company": COMPANY}
        given = test["given"] if isinstance(test["given"], list) else [test["given"]]
        if test.get("direction", "inward" if mapping.inward else "outward") == "inward":
            for record in mapping.map_inward(given, Everything(outward=False), context).records:
                local = {reference.path[0] for reference in record.local}
                told = {name: value for name, value in record.values.items() if name not in local}
                assert list(problems(record.entity, told, partial=True)) == [], test["name"]
                assert record.covers == set(record.values), test["name"]
        else:
            for made in mapping.map_outward(given, Everything(outward=True), context).docs:
                shown = json.loads(json.dumps(made.doc, default=float))
                assert [error.message for error in native.iter_errors(shown)] == [], test["name"]
                own = {name for name in made.doc if schema["properties"][name].get("readOnly") is True}
                assert not own, f"{test['name']}: the platform does not let anybody write {own}"


def test_a_missing_base_of_an_override_is_named() -> None:
    """An override says what it lies over; a wrong name is an error with file and line."""
    text = "extends: sandbox_erp/nothing\nplatform: sandbox_erp\nresource: products\n"
    with pytest.raises(LintErrors, match=r"over\.yaml:1:\d+: extends: there is no mapping sandbox_erp/nothing"):
        compile(text, "over.yaml", load=load, source_schema=None, canonical=schemas())


def test_a_retailer_s_override_changes_its_row_and_keeps_the_rest() -> None:
    path = RETAIL / "mappings" / "sandbox_erp" / "products.yaml"
    text, _, schema = parts(path)
    mapping = compile(text, label(path), load=load, source_schema=schema, canonical=schemas())
    doc = {"code": "A", "title": "Kettle", "text": None, "brand": None, "state": "A"}
    records = mapping.map_inward([doc], {}, {**CONTEXT, "company": {**COMPANY, "name": "Karavan Home"}}).records
    assert [record.values["brand"] for record in records] == ["Karavan Home"]
    assert records[0].values["name"] == "Kettle"
