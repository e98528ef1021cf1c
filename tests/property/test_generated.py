"""Properties of mappings on generated documents: each law finds what breaks it, every mapping of the house holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows.mapping_files import PACKAGE, compile_file, headers, source_schema
from mappings import canonical
from mappings.language import Mapping, compile
from mappings.language.properties import PropertyOutcome, check_properties
from tests.projects import own_mappings, project_of

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "code", "title", "state"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "code": {"type": "string", "minLength": 1},
        "title": {"type": "string"},
        "state": {"type": "string", "enum": ["A", "B"]},
        "maker": {"type": ["string", "null"]},
        "note": {"type": ["string", "null"]},
    },
}
TEXT = """\
platform: x
resource: r
inward:
  product:
    code: code
    name: title
    brand: maker
    status: {from: state, table: {A: active, B: archived}}
outward:
  entity: product
  fields:
    code: code
    title: name
    maker: brand
    state: {from: status, table: {active: A, archived: B}}
"""
STOCK = """\
platform: x
resource: r
outward:
  entity: stock
  fields: {shown: "= 10 - int(publish)"}
"""


def _load(name: str) -> str:
    raise FileNotFoundError(name)


def built(text: str, schema: Any = SCHEMA) -> Mapping:
    return compile(text, "mappings/x/r.yaml", load=_load, source_schema=schema, canonical=canonical.schemas())


def broken(mapping: Mapping, schema: Any = SCHEMA, entities: Any = None, examples: int = 40) -> list[PropertyOutcome]:
    outcomes = check_properties(mapping, schema, entities or canonical.schemas(), examples=examples)
    return [outcome for outcome in outcomes if not outcome.ok]


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_a_mapping_that_loses_nothing_holds_and_says_over_how_many_documents() -> None:
    """Every property that has something to say is told, with the documents in which it had."""
    outcomes = check_properties(built(TEXT), SCHEMA, canonical.schemas(), examples=40)
    assert [(o.direction, o.property, o.ok) for o in outcomes] == [
        ("inward", "total", True),
        ("inward", "valid", True),
        ("inward", "echo", True),
        ("outward", "total", True),
        ("outward", "round trip", True),
    ]
    assert all(0 < outcome.reached <= 60 for outcome in outcomes)


def test_a_table_that_leads_back_elsewhere_is_an_echo_that_does_not_die() -> None:
    """P4: what a channel told, written back to it, must read the same; the failure is one document and its row."""
    text = TEXT.replace("{active: A, archived: B}", "{active: B, archived: B}")
    (outcome,) = broken(built(text))
    assert (outcome.property, outcome.field) == ("echo", "product.status")
    assert outcome.line == line_of(text, "table: {A: active")
    assert outcome.document.keys() <= {"id", "code", "title", "state"}
    assert outcome.document["state"] == "A"
    assert '"active"' in str(outcome)
    assert '"archived"' in str(outcome)


def test_a_record_that_breaks_its_canonical_schema_is_found() -> None:
    """P7: a mapping never hands on what the canonical schema refuses."""
    entities = dict(canonical.schemas())
    product = entities["product"]
    name = {"type": "string", "maxLength": 3}
    entities["product"] = {**product, "properties": {**product["properties"], "name": name}}
    (outcome,) = broken(built(TEXT), entities=entities)
    assert (outcome.property, outcome.field) == ("valid", "product.name")
    assert outcome.line == line_of(TEXT, "name: title")
    assert len(outcome.document["title"]) == 4
    assert outcome.document.keys() <= {"id", "code", "title", "state"}


def test_more_to_sell_never_shows_as_less() -> None:
    """A figure that falls when there is more to publish would close an offer that has stock."""
    (outcome,) = broken(built(STOCK, None), None)
    assert (outcome.property, outcome.field) == ("monotone", "shown")
    assert outcome.line == line_of(STOCK, "shown")
    assert outcome.document == {"uid": "stock:1", "publish": "0"}


def spoiled(mapping: Mapping, function: str, spoil: Callable[[Any, list[Any]], None]) -> Mapping:
    """The mapping as if the compiler had emitted something else for its fast variant."""
    right = mapping._space[function]

    def wrong(docs: Any, refs: Any, context: Any, made: list[Any], *rest: Any) -> None:
        right(docs, refs, context, made, *rest)
        spoil(docs, made)

    return replace(mapping, _space={**mapping._space, function: wrong})


def test_a_fast_variant_that_says_something_else_than_the_safe_one_is_found() -> None:
    """Both variants of the generated code have one meaning."""

    def shorten(_: Any, records: list[Any]) -> None:
        records[:] = [one._replace(values={**one.values, "name": one.values["name"][:2]}) for one in records]

    def lose(_: Any, records: list[Any]) -> None:
        records.clear()

    for spoil in (shorten, lose):
        outcome = broken(spoiled(built(TEXT), "inward", spoil))[0]
        assert outcome.property == "total"
        assert "variant" in outcome.what


def test_a_document_at_which_a_mapping_raises_is_found() -> None:
    """P1, P6: what the schema allows ends as a record, a fault or a skip, never as an exception."""

    def explode(docs: Any, _: list[Any]) -> None:
        if docs[0].get("note") is not None:
            raise ZeroDivisionError

    (outcome,) = [o for o in broken(spoiled(built(TEXT), "inward", explode)) if o.property == "total"]
    assert "ZeroDivisionError" in outcome.what
    assert outcome.document["note"] == "a"


def test_a_field_that_only_looks_lossless_is_found() -> None:
    """What stands at one place of the document in both directions comes back as it went."""

    def shout(_: Any, docs: list[Any]) -> None:
        for doc in docs:
            if doc.doc.get("maker") is not None:
                doc.doc["maker"] = doc.doc["maker"].upper()

    mapping = spoiled(built(TEXT), "outward", shout)
    outcomes = {(o.property, o.field) for o in broken(mapping, examples=200)}
    assert ("round trip", "product.brand") in outcomes
    assert ("echo", "product.brand") in outcomes


def test_the_same_seed_finds_the_same_document() -> None:
    """A failure in CI is the failure on the engineer's desk."""
    text = TEXT.replace("{active: A, archived: B}", "{active: B, archived: B}")
    assert list(map(str, broken(built(text)))) == list(map(str, broken(built(text))))


def paths() -> list[Path]:
    found = [*PACKAGE.glob("*/*.yaml"), *own_mappings()]
    return sorted(path for path in found if path.name != "forms.yaml")


@pytest.mark.parametrize("platform", sorted({path.parent.name for path in paths()}))
def test_every_mapping_of_the_house_holds(platform: str) -> None:
    """The properties over a few documents each; `serai test --all --properties` runs more."""
    told = []
    for path in (path for path in paths() if path.parent.name == platform):
        folder = project_of(path)
        schema = source_schema(folder, platform, headers(path.read_text())["resource"])
        outcomes = check_properties(compile_file(folder, path), schema, canonical.schemas(), examples=8)
        told += [str(outcome) for outcome in outcomes if not outcome.ok]
    assert told == []
