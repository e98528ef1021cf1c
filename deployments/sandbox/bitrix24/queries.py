"""How the portal understands what it is asked: PHP's queries, references in a batch, filters and orders of lists.

What surprises here (as the real one does): a filter on a field that does not exist is passed over in silence, a
reference to what failed becomes an empty text, and names of parameters may be written in any case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from deployments.sandbox.notation import Doc

_REFERENCE = re.compile(r"\$result\[([^\]]+)\]((?:\[[^\]]+\])*)")
_STEP = re.compile(r"\[([^\]]*)\]")
_FILTER = re.compile(r"^(>=|<=|!@|!=%|!%|=%|%=|!=|>|<|@|%|=|!)?(.+)$", re.DOTALL)


def from_query(query: str) -> Doc:
    """Nested parameters of ``fields[PHONE][0][VALUE]=…``; an object whose keys count from 0 is a list."""
    found: Doc = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        steps = [name.partition("[")[0], *_STEP.findall(name)]
        inner = found
        for step in steps[:-1]:
            inner = inner.setdefault(str(len(inner)) if step == "" else step, {})
        inner[str(len(inner)) if steps[-1] == "" else steps[-1]] = value
    return {name: _listed(value) for name, value in found.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and list(value) == [str(n) for n in range(len(value))]:
        return [_listed(inner) for inner in value.values()]
    return {name: _listed(inner) for name, inner in value.items()}


def referred(value: Any, results: Mapping[str, Any]) -> Any:
    """The value with every ``$result[name][step]…`` in its place; what is not there is an empty text."""
    if isinstance(value, dict):
        return {name: referred(inner, results) for name, inner in value.items()}
    if isinstance(value, list):
        return [referred(inner, results) for inner in value]
    if not isinstance(value, str) or "$result[" not in value:
        return value

    def found(match: re.Match[str]) -> str:
        inner: Any = results.get(match[1])
        for step in _STEP.findall(match[2]):
            if isinstance(inner, Mapping):
                inner = inner.get(step)
            elif isinstance(inner, Sequence) and not isinstance(inner, str) and step.isdigit():
                inner = inner[int(step)] if int(step) < len(inner) else None
            else:
                inner = None
        return "" if inner is None or isinstance(inner, dict | list) else str(inner)

    return _REFERENCE.sub(found, value)


def lowered(params: Any) -> Doc:
    """The parameters by their names in small letters."""
    return {str(name).lower(): value for name, value in params.items()} if isinstance(params, Mapping) else {}


def _comparable(value: Any, zone: timezone) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    text = str(value)
    try:
        return Decimal(text)
    except InvalidOperation:
        pass
    if re.match(r"\d{4}-\d\d-\d\dT", text):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return text
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).timestamp()
    return text.casefold()


def _same_kind(one: Any, other: Any) -> bool:
    return isinstance(one, str) == isinstance(other, str) and one is not None and other is not None


def _test(operation: str, wanted: Any, zone: timezone) -> Callable[[Any], bool]:
    several = [_comparable(one, zone) for one in (wanted if isinstance(wanted, list) else [wanted])]
    inside = operation in ("@", "=", "")

    def test(value: Any) -> bool:
        rows = value if isinstance(value, list) else [value]
        held = [_comparable(row.get("VALUE") if isinstance(row, dict) else row, zone) for row in rows]
        if inside or operation in ("!@", "!=", "!"):
            empty = several in ([""], [None])
            equal = any(one in several or (empty and one in ("", None)) for one in held) or (empty and not held)
            return equal if inside else not equal
        one, other = held[0] if held else None, several[0]
        if "%" in operation:
            part = str(wanted).strip("%").casefold()
            found = part in str(rows[0] if rows else "").casefold()
            return not found if operation.startswith("!") else found
        if not _same_kind(one, other):
            return False
        return bool({">=": one >= other, "<=": one <= other, ">": one > other, "<": one < other}[operation])

    return test


def kept(filter: Any, fields: Iterable[str], zone: timezone) -> Callable[[Doc], bool]:
    """What a filter lets through; fields that are not among these do not count."""
    known, tests = {name.upper(): name for name in fields}, []
    for key, wanted in (filter or {}).items() if isinstance(filter, Mapping) else ():
        match = _FILTER.match(str(key))
        named = "" if match is None else match[2].upper()
        name = named if named.startswith("UF_") else known.get(named)
        if match is None or name is None or (match[1] in (">", ">=") and wanted == ""):
            continue
        tests.append((name, _test(match[1] or "", wanted, zone)))
    return lambda doc: all(test(doc.get(name)) for name, test in tests)


def in_their_order(order: Any, id: str) -> bool:
    """Whether an order asks for no other than by their numbers."""
    rules = order.items() if isinstance(order, Mapping) else ()
    return [(str(name).upper(), str(way).upper()) for name, way in rules] == [(id.upper(), "ASC")]


def ordered(docs: list[Doc], order: Any, id: str, zone: timezone) -> list[Doc]:
    """The documents in the order asked for; by id where nothing is."""
    rules = list(order.items()) if isinstance(order, Mapping) and order else [(id, "ASC")]
    for name, way in reversed(rules):
        found = next((key for key in (docs[0] if docs else {}) if key.upper() == str(name).upper()), None)
        if found is not None:
            docs.sort(key=lambda doc, found=found: _key(doc.get(found), zone),  # type: ignore[misc]  # bound now
                      reverse=str(way).upper() == "DESC")  # fmt: skip
    return docs


def _key(value: Any, zone: timezone) -> tuple[int, Any]:
    found = _comparable(value, zone)
    return (0, 0) if found is None else (1, found) if not isinstance(found, str) else (2, found)
