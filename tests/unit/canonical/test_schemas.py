"""What the canonical schemas accept and refuse, and that their files are what they say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import mappings.canonical
from mappings.canonical import ENTITIES, fields, problems, references, schemas, validator

FOLDER = Path(mappings.canonical.__file__).parent

ORDER: dict[str, Any] = {
    "number": "1001",
    "placed_at": "2026-03-01T09:00:00Z",
    "status": "open",
    "payment": "paid",
    "lines": [
        {
            "key": "1",
            "variant": None,
            "sku": "007",
            "quantity": {"value": "0", "unit": "each", "kind": "ordered"},
            "total": {"amount": "0.00", "currency": "KZT"},
        }
    ],
    "shipping": None,
    "total": {"amount": "0.00", "currency": "KZT"},
}


def nodes(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        yield path, schema
        for key, value in schema.items():
            yield from nodes(value, f"{path}/{key}")
    elif isinstance(schema, list):
        for position, value in enumerate(schema):
            yield from nodes(value, f"{path}/{position}")


def test_every_entity_has_a_file_and_every_file_an_entity() -> None:
    assert {path.name.removesuffix(".schema.json") for path in FOLDER.glob("*.schema.json")} == set(ENTITIES)


@pytest.mark.parametrize("entity", ENTITIES)
def test_the_file_and_the_resolved_schema_are_valid_2020_12(entity: str) -> None:
    on_disk = json.loads((FOLDER / f"{entity}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(on_disk)
    jsonschema.Draft202012Validator.check_schema(schemas()[entity])
    assert on_disk["title"] == entity


@pytest.mark.parametrize("entity", ENTITIES)
def test_every_object_is_closed_and_no_reference_is_left(entity: str) -> None:
    open_on_purpose = {"/properties/attributes", "/properties/options"}
    for path, node in nodes(schemas()[entity]):
        assert "$ref" not in node
        assert "anyOf" not in node
        kinds = node.get("type", [])
        if ("object" in kinds) and path not in open_on_purpose:
            assert node["additionalProperties"] is False, path


@pytest.mark.parametrize("entity", ENTITIES)
def test_a_field_is_required_or_nullable_and_references_exist(entity: str) -> None:
    schema = schemas()[entity]
    for name, field in schema["properties"].items():
        nullable = isinstance(field["type"], list) and "null" in field["type"]
        assert nullable is (name not in schema["required"]), name
        if nullable and "enum" in field:
            assert None in field["enum"], name
    assert set(references(entity).values()) <= set(ENTITIES)
    assert "attributes" in fields(entity)


@pytest.mark.parametrize("entity", ENTITIES)
def test_references_point_backwards_so_that_records_can_be_made_in_order(entity: str) -> None:
    """Or at an earlier one of their own kind: the order that goods were exchanged of."""
    assert all(ENTITIES.index(target) <= ENTITIES.index(entity) for target in references(entity).values())


def test_a_complete_order_is_valid_with_zero_null_and_absent() -> None:
    """P7: zero money, a null reference and absent fields are three different things and all legal."""
    assert list(problems("order", ORDER)) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"total": {"amount": 12.5, "currency": "KZT"}}, "order.total.amount"),
        ({"total": {"amount": "1E5", "currency": "KZT"}}, "order.total.amount"),
        ({"total": {"amount": "012", "currency": "KZT"}}, "order.total.amount"),
        ({"total": {"amount": "12"}}, "order.total"),
        ({"total": {"amount": "12", "currency": "tenge"}}, "order.total.currency"),
        ({"placed_at": "2026-03-01T09:00:00"}, "order.placed_at"),
        ({"placed_at": "2026-03-01T09:00:00+05:00"}, "order.placed_at"),
        ({"placed_at": "2026-03-01T09:00:00.000Z"}, "order.placed_at"),
        ({"number": 1001}, "order.number"),
        ({"number": None}, "order.number"),
        ({"status": "paid"}, "order.status"),
        ({"handed_over": "yes"}, "order.handed_over"),
        ({"gift": True}, "order"),
    ],
)
def test_an_inexact_or_unknown_value_is_refused_with_its_path(change: dict[str, Any], where: str) -> None:
    """P7: floats, exponents, naive moments, numbers for identifiers never become a record."""
    found = list(problems("order", {**ORDER, **change}))
    assert [sentence.split(":")[0] for sentence in found] == [where]


def test_a_contribution_may_be_partial_but_not_wrong() -> None:
    assert validator("order", partial=True).is_valid({"status": "shipped"})
    assert validator("order", partial=True).is_valid({})
    assert not validator("order", partial=True).is_valid({"status": None})
    assert not validator("order").is_valid({"status": "shipped"})


def test_what_is_wrong_is_said_without_the_value() -> None:
    """P13: a personal value never reaches a message."""
    values = {"name": "Айгүл", "phone": 77011234567, "address": {"country": "Kazakhstan"}}
    text = " ".join(problems("customer", values))
    assert "customer.phone" in text
    assert "77011234567" not in text
    assert "Kazakhstan" not in text


def test_personal_fields_are_marked() -> None:
    """P11, P13: lineage and masking find personal fields by their mark."""
    marked = {
        (entity, name)
        for entity in ENTITIES
        for name, field in schemas()[entity]["properties"].items()
        if field.get("x-personal") is True
    }
    assert {(entity, name) for entity, name in marked if entity == "customer"} == {
        ("customer", name)
        for name in (
            "name", "given_name", "family_name", "number", "tax_id", "born_on", "email", "phone", "address", "accounts",
        )
    }
    assert {("order", "buyer"), ("order", "address")} <= marked


@pytest.mark.parametrize("fraction", ["", ".123456", ".120000"])
def test_a_moment_has_six_digits_behind_the_second_or_none(fraction: str) -> None:
    """P7: one moment has one text."""
    assert validator("stock", partial=True).is_valid({"as_of": f"2026-03-01T09:00:00{fraction}Z"})


@pytest.mark.parametrize("fraction", [".", ".12", ".000000", ".1234567"])
def test_a_moment_with_another_fraction_is_refused(fraction: str) -> None:
    """P7: one moment has one text."""
    assert not validator("stock", partial=True).is_valid({"as_of": f"2026-03-01T09:00:00{fraction}Z"})
