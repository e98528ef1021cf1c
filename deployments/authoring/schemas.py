"""JSON Schemas of what a person writes by hand, for editors: mapping files, forms, and a project's settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from connectors import CATALOG
from flows.policies import TESTS, breaker, stock
from flows.settings import CHANNEL_KEYS, COMPANY_KEYS, DESCRIBED, ENTITIES, MODES, ON_DELETE
from mappings import canonical
from mappings.language.editor import DRAFT, forms_schema, mapping_schema

Schema = dict[str, Any]
SHIPPED = ("mapping", "forms")
"""The schemas that lie in ``mappings/``, where every mapping that comes with Serai points at them."""


def schemas() -> dict[str, Schema]:
    """Name → schema; the file of each is ``<name>.schema.json``."""
    return {
        "mapping": mapping_schema(canonical.schemas()), "forms": forms_schema(), "companies": _rows(
            "Companies: legal entities", _object(_COMPANY, COMPANY_KEYS, required=COMPANY_KEYS[:5])
        ),
        "channels": _rows("Channels: every account of every system", _object(
            _CHANNEL, CHANNEL_KEYS, required=("platform", "company", "url", "entities")
        )),
        "authority": _authority(),
        "stock": _policy("Stock policies: which stock a channel shows, and how much of it", _object(
            _STOCK, stock.KEYS, required=("locations", "share")
        )),
        "breaker": _policy("Breakers: what a channel takes without a person; * is for all others", _object(
            _BREAKER, breaker.KEYS, required=()
        )),
    }


def text_of(schema: Schema) -> str:
    """The schema as it lies in a file."""
    return json.dumps(schema, ensure_ascii=False, indent=1) + "\n"


def write(folder: Path, names: tuple[str, ...] | None = None) -> list[Path]:
    """Writes the schemas; only files whose content differs are touched, and they are returned."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, schema in schemas().items():
        path, text = folder / f"{name}.schema.json", text_of(schema)
        if (names is None or name in names) and not (path.is_file() and path.read_text(encoding="utf-8") == text):
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


def _rows(title: str, row: Schema) -> Schema:
    return {"$schema": DRAFT, "title": title, "type": "object", "additionalProperties": row}


def _policy(title: str, row: Schema) -> Schema:
    """Rows by channel, and the tests of the file."""
    return {**_rows(title, row), "properties": {TESTS: _TESTS}}


def _object(known: dict[str, Schema], keys: tuple[str, ...], *, required: tuple[str, ...]) -> Schema:
    return {
        "type": "object", "properties": {key: known[key] for key in keys}, "required": list(required),
        "additionalProperties": False,
    }


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


_NUMBER = {"type": "number", "minimum": 0, "maximum": 1}
_COMPANY: dict[str, Schema] = {
    "name": _text("what the company is called"),
    "country": {"type": "string", "pattern": "^[A-Z]{2}$", "description": "ISO 3166, such as KZ"},
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217, such as KZT"},
    "tax": {**_NUMBER, "description": "a rate: 0.16 is 16 %"},
    "price_list": _text("the price list its channels show"),
    "zone": _text("a time zone such as Asia/Almaty"),
}
_CHANNEL: dict[str, Schema] = {
    "platform": {"type": "string", "description": "a platform Serai knows ("
                 + ", ".join(sorted(set(CATALOG) - {DESCRIBED})) + ") or one described in platforms/<name>.yaml"},
    "company": _text("a name from companies.yaml"),
    "url": _text("the address, as it is or env:NAME"),
    "secrets": {"type": "object", "additionalProperties": {"type": "string"}, "description": "name → env:NAME"},
    "entities": {
        "type": "object", "description": "what it carries, each with its first mode", "additionalProperties": False,
        "properties": {entity: {"enum": list(MODES)} for entity in ENTITIES},
    },
    "receives": {"type": "array", "items": {"enum": list(ENTITIES)}, "description": "the entities written to it"},
    "every": {"type": "string", "pattern": "^[0-9]+[smh]$", "description": "how often it is read, such as 5m"},
    "settings": {"type": "object", "description": "what the platform's connector and mappings want to know"},
    "timeout": {"type": "number", "exclusiveMinimum": 0, "maximum": 600, "description": "seconds a request may take"},
    "on_delete": {"enum": list(ON_DELETE), "description": "what becomes of a document whose record is deleted"},
}
_STOCK: dict[str, Schema] = {
    "locations": {"type": "array", "items": {"type": "string"}, "description": "codes of the locations it sells from"},
    "share": {**_NUMBER, "description": "the part of what may be sold that it shows"},
    "safety": {"type": "integer", "minimum": 0, "description": "units it never shows"},
}
_BREAKER: dict[str, Schema] = {
    "records": {**_NUMBER, "description": "the part of the channel's records that may change at once"},
    "price": {**_NUMBER, "maximum": 10, "description": "how far a price may move, as a part of what it was"},
    "at_least": {"type": "integer", "minimum": 0, "description": "fewer writes are never held for their number"},
}
_TESTS: Schema = {
    "type": "array", "description": "the tests of this file, run by `serai test`", "items": {
        "type": "object", "required": ["name", "given", "expect"], "additionalProperties": False, "properties": {
            "name": _text("what holds, as a sentence"), "given": {"type": "object"}, "expect": {"type": "object"},
        },
    },
}


def _authority() -> Schema:
    order = {
        "anyOf": [{"enum": ["newest", "origin"]}, {"type": "array", "items": {"type": "string"}}],
        "description": "the first channel of the list that says something; newest; or origin",
    }
    return {
        "$schema": DRAFT, "title": "Authority: which channel decides a field", "type": "object",
        "properties": {
            entity: {
                "type": "object", "required": ["*"], "additionalProperties": False,
                "properties": {name: order for name in ("*", *canonical.fields(entity))},
            }
            for entity in ENTITIES
        },
        "additionalProperties": False,
    }
