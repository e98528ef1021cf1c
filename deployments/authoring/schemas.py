"""JSON Schemas of what a person writes by hand, for editors: mapping files, forms, and a project's settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from connectors import platforms
from deployments.authoring.customer_schema import customers_schema
from deployments.authoring.price_schema import price_schemas
from flows.policies import TESTS, breaker, cohorts, fulfilment, orders, products, sources, stock
from flows.settings import CHANNEL_KEYS, COMPANY_KEYS, ENTITIES, MODES, ON_DELETE
from mappings import canonical
from mappings.commerce.fulfilment.calendar import DAYS
from mappings.commerce.fulfilment.deadlines import KINDS
from mappings.commerce.fulfilment.routing import BY, SERVICES
from mappings.commerce.products import CONTENT_FIELDS
from mappings.commerce.stock import PRESETS, counting, freshness
from mappings.commerce.stock.units import LEVELS
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
        "stock": _stock(),
        "breaker": _policy("Breakers: what a channel takes without a person; * is for all others", _object(
            _BREAKER, breaker.KEYS, required=()
        )),
        "customers": customers_schema(DRAFT, _TESTS),
        "fulfilment": _fulfilment(),
        **price_schemas(DRAFT, _TESTS),
        "products": _policy("Listings: what a channel shows of products, and what it requires of them", _object(
            _LISTING, products.KEYS, required=()
        )),
        "orders": _policy("Orders: what each channel keeps of one until its settlement report says so", _object(
            {"fees": {"type": "array", "items": _object(_FEE, orders.FEE_KEYS, required=("kind",))}},
            orders.KEYS, required=orders.KEYS,
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
                 + ", ".join(platforms())
                 + ") or one described in platforms/<name>.yaml"},
    "company": _text("a name from companies.yaml"),
    "companies": {"type": "array", "items": {"type": "string"},
                  "description": "whose orders and customers it hears of besides its own company's"},
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
    "cap": {"type": "integer", "minimum": 0, "description": "the most units it shows of anything"},
    "allocation": {"enum": list(stock.ALLOCATIONS), "description": "hard: nothing is oversold; pooled: all everywhere"},
    "preset": {"enum": list(PRESETS), "description": "a word for allocation, share and safety"},
    "listing": {"enum": list(stock.LISTINGS), "description": "whether goods are sold before they are there"},
    "within": {"type": "string", "pattern": f"^{stock.DAYS.pattern}$", "description": "how far ahead it promises"},
    "on": {"type": "string", "format": "date", "description": "the day from which a pre_order is there"},
}
_COHORT: dict[str, Schema] = {
    "skus": {"type": "array", "items": {"type": "string"}, "description": "its articles, by SKU"},
    "category": {"description": "its articles, by category: one, or a list",
                 "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    "field": {"type": "object", "additionalProperties": {"type": "string"},
              "description": "its articles, by a field or attribute of theirs, such as listing: back_order"},
}
_SPAN: Schema = {"type": "string", "pattern": f"^{sources.DURATION.pattern}$", "description": "such as 30s, 15m, 2h"}
_SOURCE: dict[str, Schema] = {
    "figure": {"enum": list(counting.KINDS), "description": "what its figure means, and so when an order is in it"},
    "restocks": {"enum": list(counting.RESTOCKS), "description": "who gives cancelled units back to its figure"},
    "allocates": {"type": "boolean", "description": "with what is on hand it tells what it allocated to orders"},
    "fresh": {**_SPAN, "description": "how old its figures may be, such as 15m"},
    "dead_after": {"type": "number", "minimum": 1, "description": "how many times that age on it counts as dead"},
    "dead": {"enum": list(freshness.DEAD), "description": "what is published of a dead source"},
    "counting": {"enum": list(freshness.COUNTING), "description": "what is published of a place while it is counted"},
    "expires_within": {"type": "integer", "minimum": 0, "description": "days: lots that expire sooner are not sold"},
}
_TILL: dict[str, Schema] = {
    "posts_to_erp": {"enum": list(freshness.POSTS), "description": "how its receipts reach who counts stock"},
    "silent_after": {**_SPAN, "description": "open hours without a receipt after which its register is silent"},
    "silent": {"enum": list(freshness.SILENT), "description": "what is published of a store with a silent register"},
    "stores": {"type": "object", "additionalProperties": {"enum": list(freshness.POSTS)},
               "description": "code of a store → how its tills post, where they do otherwise"},
}
_BREAKER: dict[str, Schema] = {
    "window": {"type": "string", "pattern": "^[0-9]+[smh]$", "description": "how far back writes of one cause count"},
    "at_least": {"type": "integer", "minimum": 0, "description": "fewer items are never held for their number"},
    "records": {**_NUMBER, "description": "the part of the channel's listings that may change within the window"},
    "price": {"type": "number", "minimum": 0, "description": "how far one price may move, as a part of what it was"},
    "moved": {**_NUMBER, "description": "the part of the listings times the size of their moves"},
    "deletions": {**_NUMBER, "description": "the part of the listings that may go within the window"},
    "zeroed": {**_NUMBER, "description": "the part of the listings that may go to zero stock unannounced"},
    "stock": {"enum": list(breaker.STOCK), "description": "a fall of stock en masse; holding it oversells"},
}
_WORDS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
_PATH: Schema = {"type": "string", "pattern": f"^({'|'.join(products.JUDGED)})[.].+", "description": "variant.gtin"}
_PATHS: Schema = {"type": "array", "items": _PATH, "minItems": 1}
_FEE: dict[str, Schema] = {
    "kind": {"type": "string", "minLength": 1, "description": "commission, payment, logistics, …: once each"},
    "rate": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "description": "a part of the seller's price"},
    "fixed": {"type": "number", "minimum": 0, "description": "per order, in `currency`"},
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
}
_LISTING: dict[str, Schema] = {
    "content": {"type": "array", "items": {"type": "string"},
                "description": "keys of content rows, the first that says something wins; without it, the channel's"},
    "over": {"type": "array", "items": {"enum": list(CONTENT_FIELDS)},
             "description": "the fields that content rows may say instead of the master"},
    "categories": {**_WORDS, "description": "our category → the channel's; what it misses is not published"},
    "attributes": {
        "type": "object", "description": "our attribute → the channel's name and words",
        "additionalProperties": _object(
            {"name": _text("the channel's name"), "values": {**_WORDS, "description": "our value → the channel's"}},
            products.ATTRIBUTE_KEYS, required=("name",),
        ),
    },
    "requires": {
        "type": "array", "description": "what a listing must have before the channel is told of it",
        "items": {"anyOf": [_PATH, _object({
            "path": _PATH, "any": {**_PATHS, "description": "one of these is enough"},
            "longest": {"type": "integer", "minimum": 1, "description": "characters"},
            "least": {"type": "integer", "minimum": 1, "description": "entries of a list"},
            "plain": {"type": "boolean", "description": "text without HTML"},
            "when": {"type": "object", "description": "path → values: required only there",
                     "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        }, products.REQUIREMENT_KEYS, required=())]},
    },
    "unready": {"enum": list(products.UNREADY),
                "description": "what becomes of a published listing that lacks something now"},
    "gtins": {"enum": list(products.GTINS), "description": "which GTINs it is told: worldwide leaves out shops' own"},
}
_TESTS: Schema = {
    "type": "array", "description": "the tests of this file, run by `serai test`", "items": {
        "type": "object", "required": ["name", "given", "expect"], "additionalProperties": False, "properties": {
            "name": _text("what holds, as a sentence"), "given": {"type": "object"}, "expect": {"type": "object"},
        },
    },
}


_DURATION: Schema = {"type": "string", "pattern": fulfilment.DURATION.pattern, "description": "such as 15m, 2h or 1d"}
_TIME: Schema = {"type": "string", "pattern": f"^({fulfilment.TIME.pattern})$", "description": "such as 09:00; 24:00"}
_NAMES: Schema = {"type": "array", "items": {"type": "string"}}
_TERM: Schema = {
    "description": "a duration; hours in which the place is open; or days on which it opens",
    "anyOf": [
        _DURATION,
        {"type": "object", "required": ["within"], "additionalProperties": False, "properties": {
            "within": _DURATION, "counted": {"enum": list(fulfilment.COUNTED)},
        }},
        {"type": "object", "required": ["days"], "additionalProperties": False, "properties": {
            "days": {"type": "integer", "minimum": 0, "maximum": 365},
        }},
    ],
}
_FULFILMENT: dict[str, Schema] = {
    **dict.fromkeys(KINDS, _TERM), "soon": _DURATION,
    "acceptance": {"enum": list(fulfilment.ACCEPTANCE), "description": "who answers an order that is offered to us"},
    "routing": {"description": "a name from the table `routing`, for all services or for each", "anyOf": [
        {"type": "string"}, {"type": "object", "additionalProperties": False,
                             "properties": {service: {"type": "string"} for service in SERVICES}},
    ]},
    "returns": {**_NAMES, "description": "places that take its goods back; empty: only the channel does"},
}
_CALENDAR: dict[str, Schema] = {
    "zone": _text("a time zone; else the company's"),
    "hours": {"type": "array", "items": _object(
        {"days": {"type": "array", "items": {"enum": list(DAYS)}}, "from": _TIME, "to": _TIME},
        fulfilment.HOURS_KEYS, required=fulfilment.HOURS_KEYS,
    )},
    "holidays": {"type": "array", "items": {"type": "string", "format": "date"}},
    "cut_off": {**_TIME, "description": "what is ordered before it is handled the same day"},
}
_ROUTING: dict[str, Schema] = {
    "places": {**_NAMES, "description": "codes of the locations, the preferred first"},
    "by": {"type": "array", "items": {"enum": list(BY)}, "description": "which of them is tried first"},
    "parcels": {"type": "integer", "minimum": 1, "maximum": 4, "description": "1: an order is never split"},
}


def _fulfilment() -> Schema:
    def table(known: dict[str, Schema], keys: tuple[str, ...], required: tuple[str, ...] = ()) -> Schema:
        return {"type": "object", "additionalProperties": _object(known, keys, required=required)}

    return {
        "$schema": DRAFT, "title": "Fulfilment: by when, by whom, from where", "type": "object",
        "additionalProperties": False, "properties": {
            "channels": table(_FULFILMENT, fulfilment.KEYS), "calendars": table(_CALENDAR, fulfilment.CALENDAR_KEYS),
            "routing": table(_ROUTING, fulfilment.ROUTING_KEYS, ("places",)), TESTS: _TESTS,
        },
    }


def _stock() -> Schema:
    def table(known: dict[str, Schema], keys: tuple[str, ...], required: tuple[str, ...], what: str) -> Schema:
        row = _object(known, keys, required=required)
        return {"type": "object", "description": what, "additionalProperties": row}

    own = table(_STOCK, stock.COHORT_KEYS, (), "cohort → what this channel says otherwise of its articles")
    row = _object({**_STOCK, "cohorts": own}, stock.KEYS, required=("locations",))
    schema = _policy("Stock policies: which stock a channel shows, and how much of it", row)
    schema["properties"]["sources"] = table(
        _SOURCE, sources.SOURCE_KEYS, sources.SOURCE_KEYS[:2], "channel → what its stock figures mean"
    )
    schema["properties"]["pos"] = table(_TILL, sources.POS_KEYS, sources.POS_KEYS[:1], "channel → how its till posts")
    schema["properties"]["cohorts"] = table(_COHORT, cohorts.KEYS, (), "a named set of articles")
    schema["properties"]["units"] = {
        "type": "object", "additionalProperties": {"enum": list(LEVELS)},
        "description": "channel (or *) → what a line that hands tracked goods over without naming them is",
    }
    return schema


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
