"""JSON Schemas of policies/prices.yaml, taxes.yaml and fx.yaml, for editors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.policies import TESTS, fx, prices, taxes
from flows.policies.dated import WINDOW
from mappings.commerce.prices.rounding import MODES
from mappings.commerce.prices.taxes import MODES as TAX_MODES

Schema = dict[str, Any]
_CURRENCY: Schema = {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217, such as KZT"}
_NAME: Schema = {"type": "string", "minLength": 1}
_NUMBER: Schema = {"type": "number"}
_SHARE: Schema = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
_DATES: Mapping[str, Schema] = {
    "from": {"type": "string", "description": "the first day (2026-03-01) or moment (with its offset) it holds"},
    "to": {"type": "string", "description": "the first day or moment it no longer holds"},
}
_CATEGORY: Schema = {**_NAME, "description": "only for variants of this category; without it for all others"}
_MARKUP: Mapping[str, Schema] = {
    "by": {**_NUMBER, "description": "a fraction of the price: 0.1 is 10 %"},
    "plus": {**_NUMBER, "description": "an amount on top of that"}, "category": _CATEGORY,
}
_ROUND: Mapping[str, Schema] = {
    "step": {"type": "number", "exclusiveMinimum": 0, "description": "prices are multiples of it, plus the ending"},
    "ending": {**_NUMBER, "description": "step 1000, ending 990: 990, 1990, 2990"},
    "mode": {"enum": list(MODES), "description": "which of the two neighbours; nearest by itself"},
    "category": _CATEGORY,
}
_FLOOR: Mapping[str, Schema] = {
    "fee": {**_SHARE, "description": "the part of the price that the channel keeps"},
    "margin": {**_SHARE, "description": "the part of the price that must be left for us"},
    "cost": {**_NAME, "description": "the list whose prices of kind cost count; without it the variant's cost"},
    "category": _CATEGORY,
}
_CEILING: Mapping[str, Schema] = {
    "amount": {"type": "number", "exclusiveMinimum": 0, "description": "no price above it"},
    "list": {**_NAME, "description": "no price above that of this list"}, "category": _CATEGORY,
}


def price_schemas(draft: str, tests: Schema) -> dict[str, Schema]:
    """Name → schema of the three files."""
    return {
        "prices": _file(draft, "Prices: how each channel's price follows from a list", tests, _PRICES),
        "taxes": _file(draft, "Taxes: rates by country (ISO 3166)", tests, _dated({
            "rate": {**_SHARE, "description": "0.16 is 16 %"},
            "company": {**_NAME, "description": "only for this company of companies.yaml"}, "category": {
                **_NAME, "description": "only for this tax_category of variants"},
        }, taxes.KEYS, main="rate", required=("rate",))),
        "fx": {
            **_file(draft, "Exchange: what one EUR is in KZT, as EUR/KZT; days begin at midnight UTC", tests, {}),
            "patternProperties": {"^[A-Z]{3}/[A-Z]{3}$": _dated(
                {"rate": {"type": "number", "exclusiveMinimum": 0}}, fx.KEYS, main="rate", required=("rate",)
            )},
            "properties": {TESTS: tests, fx.REDENOMINATIONS: {"type": "array", "items": _object({
                "currency": _CURRENCY, "becomes": _CURRENCY, "divide_by": {"type": "number", "exclusiveMinimum": 0},
                "at": {"type": "string", "description": "a moment with its offset"},
            }, fx.REDENOMINATION_KEYS, required=fx.REDENOMINATION_KEYS)}},
            "additionalProperties": False,
        },
    }


def _file(draft: str, title: str, tests: Schema, row: Schema) -> Schema:
    return {
        "$schema": draft, "title": title, "type": "object", "properties": {TESTS: tests}, "additionalProperties": row,
    }


def _object(known: Mapping[str, Schema], keys: tuple[str, ...], *, required: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object", "properties": {key: known[key] for key in keys}, "required": list(required),
        "additionalProperties": False,
    }


def _dated(
    known: Mapping[str, Schema], keys: tuple[str, ...], *, main: str | None = None, required: tuple[str, ...] = ()
) -> Schema:
    """One row or several, each with its window; a bare number where a row has one main figure."""
    row = _object({**known, **_DATES}, (*keys, *WINDOW), required=required)
    return {"anyOf": [row, {"type": "array", "items": row}, *([known[main]] if main is not None else [])]}


_CHANNELS: Schema = {"anyOf": [_NAME, {"type": "array", "items": _NAME}]}
_PRICES: Schema = _object({
    "list": {**_NAME, "description": "the price list; the company's by itself"},
    "list_currency": {**_CURRENCY, "description": "the currency in which the list is read; the channel's by itself"},
    "list_company": {**_NAME, "description": "whose tax is in the list's prices; the channel's company by itself"},
    "group": {**_NAME, "description": "the customer group whose prices it shows"},
    "currency": {**_CURRENCY, "description": "what it shows prices in; the company's by itself"},
    "tax_mode": {"enum": list(TAX_MODES), "description": "with tax or without; as the list by itself"},
    "markup": {**_dated(_MARKUP, prices.MARKUP_KEYS, main="by"), "description": "what it costs more here"},
    "markdown": {**_dated(_MARKUP, prices.MARKUP_KEYS, main="by"), "description": "what it costs less here"},
    "round": {
        "type": "object", "description": "per currency: steps and endings",
        "additionalProperties": _dated(_ROUND, prices.ROUND_KEYS, main="step", required=("step",)),
    },
    "floor": {
        **_dated(_FLOOR, prices.FLOOR_KEYS),
        "description": "never below max(MAP, (cost + handling) / (1 − fee − margin)); without a cost it is held",
    },
    "ceiling": {**_dated(_CEILING, prices.CEILING_KEYS, main="amount"), "description": "never above"},
    "not_above": {**_CHANNELS, "description": "never above what these channels show"},
    "not_below": {**_CHANNELS, "description": "never below what these channels show"},
}, prices.KEYS)
