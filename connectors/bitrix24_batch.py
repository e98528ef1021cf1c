"""Bitrix24's ``batch``: up to 50 calls in one request, the later ones with what the earlier ones gave.

What surprises here (settings/how-to-call-rest-api/batch, bitrix24/b24restdocs of 2026-08-21):

* A command is ``method?name=value`` as PHP reads a query: everything becomes text, an empty list cannot be said, and
  ``$result[…]`` in any value is replaced, also where a customer wrote it. What cannot be said so goes by itself.
* A reference to what failed becomes an empty text, it stops nothing; each call's error stands beside the results.
* An empty object is an empty list in PHP's JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from connectors.base import Doc
from connectors.errors import ShapeChanged

MADE = "\x00made"
"""In a later call of a write, for the id of what its first call made."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A method and its parameters."""

    method: str
    params: Doc


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What came of one call: its result, or the error that the platform names."""

    result: Any = None
    error: Mapping[str, Any] | None = None


def command(call: Call, made: str = "") -> str:
    """The call as one line, `MADE` as ``made``. Raises ValueError for what a line cannot say."""
    pairs = "&".join(f"{name}={value}" for name, value in _pairs("", call.params, made))
    return call.method if pairs == "" else f"{call.method}?{pairs}"


def _pairs(name: str, value: Any, made: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping | list | tuple):
        items = list(value.items() if isinstance(value, Mapping) else enumerate(value))
        if not items and name:
            raise ValueError(f"{name} is empty, which a command of a batch cannot say")
        for key, inner in items:
            step = quote(str(key), safe="")
            yield from _pairs(f"{name}[{step}]" if name else step, inner, made)
        return
    if value == MADE:
        yield name, made
    elif value is None:
        yield name, ""
    elif isinstance(value, bool):
        yield name, "1" if value else "0"
    elif isinstance(value, str):
        if "$result[" in value:
            raise ValueError(f"{name} looks like a reference to another command")
        yield name, quote(value, safe="")
    elif isinstance(value, Decimal) and value.is_finite():
        yield name, format(value, "f")
    elif isinstance(value, int):
        yield name, str(value)
    else:
        raise ValueError(f"{name} holds what cannot be written: {type(value).__name__}")


def filled(params: Any, made: Any) -> Any:
    """The parameters with `MADE` in its place."""
    if isinstance(params, Mapping):
        return {name: filled(value, made) for name, value in params.items()}
    if isinstance(params, list):
        return [filled(value, made) for value in params]
    return made if isinstance(params, str) and params == MADE else params


def outcomes(body: Any, names: Sequence[str], where: str) -> dict[str, Said]:
    """What came of each command that was carried out. Raises ShapeChanged when the answer is no batch's."""
    around = body.get("result") if isinstance(body, Mapping) else None
    if not isinstance(around, Mapping) or "result" not in around or "result_error" not in around:
        raise ShapeChanged(f"{where}: batch: the answer has no `result.result` and `result.result_error`")
    results, errors = _named(around["result"], where), _named(around["result_error"], where)
    found: dict[str, Said] = {}
    for name in names:
        if name in errors:
            problem = errors[name]
            found[name] = Said(error=problem if isinstance(problem, Mapping) else {"error": str(problem)})
        elif name in results:
            found[name] = Said(result=results[name])
    return found


def _named(part: Any, where: str) -> Mapping[str, Any]:
    if part == []:
        return {}
    if not isinstance(part, Mapping):
        raise ShapeChanged(f"{where}: batch: results should stand by the names of their commands")
    return part
