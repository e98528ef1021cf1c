"""The editor's schema of policies/customers.yaml, whose top-level names are subjects and not channels."""

from __future__ import annotations

from typing import Any

from flows.policies import customers
from mappings import canonical
from mappings.commerce.customers.matching import FEATURES
from mappings.commerce.customers.region import PERSONAL

Schema = dict[str, Any]
_SCORE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TEXTS: Schema = {"type": "array", "items": {"type": "string"}}
_HOURS: Schema = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}


def customers_schema(draft: str, tests: Schema) -> Schema:
    """Keys, choices and fields; what lint knows besides (channels, thresholds in order) stays with lint."""
    fields = [name for name in canonical.fields("customer") if name not in ("consents", "accounts")]
    features = {"type": "array", "items": {"enum": list(FEATURES)}}
    rule = _closed({"same": features, "differ": features, "score": _SCORE}, customers.RULE_KEYS, "score")
    of = {
        "match": _closed({
            "merge": {**_SCORE, "description": "from this score on two identities are one person"},
            "review": {**_SCORE, "description": "from this score on a person looks; below it they stay apart"},
            "rules": {"type": "array", "items": rule, "description": "the best rule that holds counts; one with "
                      "`differ` is an objection, and the score is at most its own"},
            "relays": {**_TEXTS, "description": "patterns of addresses that forward, such as *@relay.example"},
            "shared": {**_TEXTS, "description": "addresses and numbers of stores, offices, call centres"},
        }, customers.MATCH_KEYS, "merge", "review", "rules"),
        "survivorship": _map(_closed({
            "fields": {"type": "array", "items": {"enum": fields}},
            "order": {**_TEXTS, "description": "channels, newest or complete: the first that says anything"},
        }, ("fields", "order"), "fields", "order"), "groups of fields that are taken whole from one identity"),
        "consent": _map(_closed({
            "basis": {"enum": list(customers.BASES)},
            "quiet": _closed({"from": _HOURS, "to": _HOURS}, ("from", "to"), "from", "to"),
        }, customers.PURPOSE_KEYS, "basis"), "what each purpose needs before anybody is reached"),
        "regions": _map(_closed({
            "region": {"type": "string", "description": "where the channel keeps what it is given"},
            "personal": {"enum": list(PERSONAL), "description": "what of a person it may be given"},
        }, customers.REGION_KEYS, *customers.REGION_KEYS), "a row per channel; '*' for all others"),
        "loyalty": _closed({
            "authority": {"type": "string", "description": "the channel that keeps points and cards"},
            "tills": {**_TEXTS, "description": "channels that may ask it through Serai while a buyer waits"},
            "within": {"type": "number", "exclusiveMinimum": 0, "maximum": customers.LONGEST_WAIT,
                       "description": "seconds after which no answer is a refusal"},
        }, customers.LOYALTY_KEYS, "authority"),
        "segments": _map(_closed({
            **dict.fromkeys(("recency_to", "recency_from", "frequency"), _COUNT),
            "money": {"type": "number"}, "currency": {"type": "string"},
            **dict.fromkeys(("categories", "stores", "channels"), _TEXTS),
        }, customers.SEGMENT_KEYS), "who belongs to it: everything that is said must hold"),
        "erasure": _closed({
            "keep": _map(_TEXTS, "personal fields of invoices that the law demands, by entity"),
            "years": _COUNT, "backups_days": _COUNT,
        }, customers.ERASURE_KEYS),
    }
    return {
        "$schema": draft, "title": "Customers: who is one person, what they allowed, what is sent where",
        "type": "object", "properties": {**of, "tests": tests}, "additionalProperties": False,
    }


def _closed(properties: Schema, keys: tuple[str, ...], *required: str) -> Schema:
    """An object of exactly these keys; that they are the ones lint knows is asserted here, not hoped for."""
    if set(properties) != set(keys):
        raise ValueError(f"editor and lint differ: {set(properties) ^ set(keys)}")
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _map(row: Schema, description: str) -> Schema:
    return {"type": "object", "additionalProperties": row, "description": description}
