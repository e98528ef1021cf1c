"""The canonical entities: one JSON Schema (2020-12) each, and the validators that hold records to them.

What surprises here:

* The files on disk are plain JSON Schema and refer to ``definitions.json``; ``schemas()`` hands them out with those
  references resolved and ``anyOf [X, null]`` folded into a nullable X, so that a reader follows one shape only.
* A field that is not required is nullable: a covered null is a value ("this is empty"), an absent field says nothing.
* Beside the standard keywords: ``x-type`` (which exact value: decimal, money, quantity, moment, date, address),
  ``x-ref`` (the entity a uid points at), ``x-key`` (the field that identifies an item of a list), ``x-personal``.
* A record is held to ``required``, a contribution is not: one channel rarely knows everything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

Schema: TypeAlias = dict[str, Any]

ENTITIES = (
    "location",
    "product",
    "variant",
    "stock",
    "price",
    "customer",
    "offer",
    "gift_card",
    "order",
    "decision",
    "shipment",
    "return",
    "loyalty_event",
    "interaction",
    "review",
    "settlement",
)
"""Every entity, those that others refer to first."""

_HERE = Path(__file__).parent


@cache
def schemas() -> Mapping[str, Schema]:
    """Entity to its schema, references resolved, nullable values folded. Shared: do not change what it returns."""
    definitions = json.loads((_HERE / "definitions.json").read_text(encoding="utf-8"))["$defs"]
    return {entity: _resolved(_file(entity), definitions) for entity in ENTITIES}


@cache
def fields(entity: str) -> tuple[str, ...]:
    """The entity's top-level fields, in the order of its schema."""
    return tuple(schemas()[entity]["properties"])


def references(entity: str) -> Mapping[str, str]:
    """Top-level fields that hold a uid, each with the entity it points at."""
    properties = schemas()[entity]["properties"]
    return {name: field["x-ref"] for name, field in properties.items() if "x-ref" in field}


@cache
def validator(entity: str, *, partial: bool = False) -> Draft202012Validator:
    """The validator of a complete record, or of a contribution (``partial``), which may leave out required fields.

    Its messages show ``…`` instead of values: they may be logged.
    """
    from jsonschema_rs import Draft202012Validator  # who only reads schemas does not pay for it

    schema = schemas()[entity]
    if partial:
        schema = {key: value for key, value in schema.items() if key != "required"}
    return Draft202012Validator(schema, mask="…")


def problems(entity: str, values: Mapping[str, Any], *, partial: bool = False) -> Iterator[str]:
    """One sentence per violation, ``path: what``, without any value of the record. Nothing: it is valid."""
    for error in validator(entity, partial=partial).iter_errors(values):
        path = ".".join(str(step) for step in error.instance_path)
        yield f"{entity}.{path}: {error.message}" if path else f"{entity}: {error.message}"


def _file(entity: str) -> Schema:
    loaded: Schema = json.loads((_HERE / f"{entity}.schema.json").read_text(encoding="utf-8"))
    return loaded


def _resolved(node: Any, definitions: Mapping[str, Schema]) -> Any:
    """``node`` without ``$ref``; siblings of a reference (a description, ``x-personal``) are kept beside it."""
    if isinstance(node, list):
        return [_resolved(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        siblings = {key: value for key, value in node.items() if key != "$ref"}
        return {**_resolved(definitions[name], definitions), **siblings}
    if "anyOf" in node:
        value, nothing = node["anyOf"]
        if nothing != {"type": "null"}:
            raise ValueError(f"anyOf is used for nullable values only, found {nothing}")
        siblings = {key: item for key, item in node.items() if key != "anyOf"}
        resolved = _resolved(value, definitions)
        return {**resolved, "type": [resolved["type"], "null"], **siblings}
    return {key: _resolved(value, definitions) for key, value in node.items()}
