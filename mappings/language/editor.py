"""A JSON Schema of mapping files, for editors that complete and check keys while a file is written.

What surprises here: it is generated from the grammar (draft 7, which editors know best) and says less than lint: paths,
types and expressions are judged by ``serai lint`` alone. Whatever lint accepts, it accepts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mappings.language import examples, grammar
from mappings.language.functions import FUNCTIONS
from mappings.language.keys import KEYS
from mappings.language.types import READERS
from mappings.language.values import ROUNDING

Schema = dict[str, Any]
DRAFT = "http://json-schema.org/draft-07/schema#"
SCALAR = ["string", "number", "boolean", "null"]


def mapping_schema(canonical: Mapping[str, Schema]) -> Schema:
    """The schema of a mapping file; ``canonical`` holds a schema per entity, as ``compile`` takes them."""
    entities = [name for name, schema in canonical.items() if "properties" in schema]
    return {
        "$schema": DRAFT,
        "title": "A mapping file of Serai",
        "type": "object",
        "properties": {key: _key(key, _HEADERS.get(key, {})) for key in grammar.HEADERS}
        | {
            "inward": _key("inward", {
                "type": "object",
                "properties": {name: _entity(canonical[name]) for name in entities},
                "additionalProperties": False,
            }),
        },
        "required": ["platform", "resource"],
        "additionalProperties": False,
        "definitions": {
            "leaf": {"type": "string", "minLength": 1, "description": _expression()},
            "value": {"anyOf": [_ref("leaf"), _ref("row")]},
            "rows": {"type": "object", "additionalProperties": _ref("value")},
            "row": _map(grammar.ROW),
            "block": _map(grammar.BLOCK),
            "outward": _map(grammar.OUTWARD) | {"required": ["entity"]},
            "case": _map(grammar.CASE),
            "sort": _map(grammar.SORT),
            "forms": forms_of(),
            "table": {"type": "object", "additionalProperties": {"type": SCALAR}},
            "tables": {"type": "object", "additionalProperties": _ref("table")},
            "fragment": {"anyOf": [_ref("leaf"), _map(dict.fromkeys((*grammar.ROW, *grammar.BLOCK)))]},
            "fragments": {"type": "object", "additionalProperties": _ref("fragment")},
            "type": {"enum": list(READERS)},
            "entity": {"enum": entities},
            "test": _test(),
        },
    }


def forms_schema() -> Schema:
    """The schema of ``<platform>/forms.yaml``."""
    shared = {key: _key(key, _HEADERS[key]) for key in grammar.SHARED}
    forms = forms_of()
    return {
        "$schema": DRAFT,
        "title": "How a platform writes things",
        **forms,
        "properties": forms["properties"] | shared,
        "definitions": {
            name: part for name, part in mapping_schema({})["definitions"].items() if name not in ("test", "forms")
        },
    }


def forms_of() -> Schema:
    """The options of each type, and how nulls, links and numbers are written."""
    made: dict[str, Schema] = {
        "empty": {"anyOf": [{"type": "array", "items": {"type": SCALAR}}, {"type": SCALAR}]},
        "link": {"type": ["string", "integer"]},
        "decimal": {"enum": [",", "."]},
        "thousands": {"type": "string"},
    }
    made |= {name: _options(name) for name in grammar.OPTIONS}
    return {
        "type": "object",
        "properties": {name: _key(name, made.get(name, {})) for name in grammar.FORMS},
        "additionalProperties": False,
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _key(key: str, schema: Schema) -> Schema:
    """A key's schema with what the key says. Beside ``$ref`` draft 7 reads nothing: it stands inside ``allOf``."""
    inner = {"allOf": [schema]} if "$ref" in schema else schema
    return {"description": KEYS[key], **inner} if key in KEYS else inner


def _map(keys: Iterable[str]) -> Schema:
    """A map of these keys and no other."""
    return {
        "type": "object",
        "properties": {key: _key(key, _ROW.get(key, {})) for key in keys},
        "additionalProperties": False,
    }


def _options(name: str) -> Schema:
    return {
        "type": "object",
        "properties": {
            key: _key(key, {"type": "boolean" if key == "minor" else "string"}) for key in grammar.OPTIONS.get(name, ())
        },
        "additionalProperties": False,
    }


def _entity(schema: Schema) -> Schema:
    """An entity's block: a row when it has ``fields``, ``use`` or ``without``, else its keys are the fields."""
    fields = {
        "type": "object",
        "properties": {
            name: {"allOf": [_ref("value")], **_described(part)} for name, part in schema["properties"].items()
        }
        | {"key": {"allOf": [_ref("value")], "description": "the item's id within its document"}},
        "additionalProperties": False,
    }
    block = _ref("block")
    return {
        "if": {"type": "object", "anyOf": [{"required": [key]} for key in ("fields", "use", "without")]},
        "then": {"allOf": [block], "properties": {"fields": fields}},
        "else": fields,
        **_described(schema),
    }


def _described(schema: Schema) -> Schema:
    return {"description": schema["description"]} if "description" in schema else {}


def _test() -> Schema:
    made: dict[str, Schema] = {
        "name": {"type": ["string", "number"]},
        "direction": {"enum": ["inward", "outward"]},
        "like": {"type": ["string", "number"]},
        "given": {"type": ["object", "array"]},
        "expect": {"type": ["object", "array"]},
        "absent": {"type": ["object", "array"]},
        "refs": {"type": "object"},
        "context": {"type": "object"},
        "faults": {"type": "array", "items": {"type": ["string", "object"]}},
        "skips": {"type": "array", "items": {"type": "string"}},
    }
    return {
        "type": "object",
        "properties": {key: {"description": KEYS[key], **made.get(key, {})} if key in KEYS else made.get(key, {})
                       for key in examples.KEYS},
        "required": ["name", "given"],
        "additionalProperties": False,
    }


def _expression() -> str:
    functions = ", ".join(function.signature for function in FUNCTIONS.values())
    return (
        "A path such as customer.id, or an expression that begins with =; a constant text is = 'x'. "
        f"Functions: {functions}"
    )


_LIST: Schema = {"anyOf": [_ref("leaf"), {"type": "array", "items": _ref("leaf"), "minItems": 1}]}
_NAMES: Schema = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_HEADERS: dict[str, Schema] = {
    "platform": {"type": "string"},
    "resource": {"type": "string"},
    "id": _ref("leaf"),
    "extends": {"type": "string"},
    "forms": _ref("forms"),
    "tables": _ref("tables"),
    "fragments": _ref("fragments"),
    "outward": _ref("outward"),
    "tests": {"type": "array", "items": _ref("test")},
}
_ROW: dict[str, Schema] = {
    "use": _NAMES,
    "without": _NAMES,
    "let": _ref("rows"),
    "from": _ref("leaf"),
    "when": {"type": "array", "items": _ref("case"), "minItems": 1},
    "if": _ref("leaf"),
    "then": _ref("value"),
    "else": _ref("value"),
    "each": _LIST,
    "where": _ref("leaf"),
    "distinct": _ref("leaf"),
    "sort": {"anyOf": [_ref("leaf"), _ref("sort"),
                       {"type": "array", "items": {"anyOf": [_ref("leaf"), _ref("sort")]}}]},
    "by": _ref("leaf"),
    "descending": {"type": "boolean"},
    "group": _ref("leaf"),
    "fields": _ref("rows"),
    "items": {"type": "array", "items": _ref("value")},
    "table": {"anyOf": [{"type": "string"}, _ref("table")]},
    "ref": {"type": "string"},
    "kept": {"type": "string"},
    "otherwise": {"enum": list(dict.fromkeys((*grammar.OTHERWISE_TABLE, *grammar.OTHERWISE_REF)))},
    "as": {"anyOf": [
        _ref("type"),
        {"type": "object", "properties": {name: _options(name) for name in READERS}, "additionalProperties": False,
         "minProperties": 1, "maxProperties": 1},
    ]},
    "round": {"anyOf": [{"enum": list(ROUNDING)}, {"type": "integer"}]},
    "default": _ref("leaf"),
    "required": {"type": "boolean"},
    "on_error": {"enum": list(dict.fromkeys((*grammar.ON_ERROR, *grammar.ON_ERROR_BLOCK)))},
    "id": _ref("value"),
    "drop_if": {"type": "object", "additionalProperties": _ref("leaf")},
    "keep": _ref("rows"),
    "entity": _ref("entity"),
    "per": _ref("entity"),
    "with": {"type": "array", "items": _ref("entity")},
}
