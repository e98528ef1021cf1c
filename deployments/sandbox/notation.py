"""How a system writes things down: its own notation of moments, its decimals, its defaults, driven by its JSON Schemas.

What surprises here: a document is brought into the system's notation before it is checked, so ``"12490"`` is kept as
``"12490.00"`` and a moment written in UTC comes back in local time, as on real platforms.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

Doc: TypeAlias = dict[str, Any]
Written: TypeAlias = Callable[[datetime], Any]
"""A moment in a system's notation."""

ALMATY = timezone(timedelta(hours=5))
SOFIA = ZoneInfo("Europe/Sofia")
SCHEMAS = Path(__file__).parents[2] / "mappings"


def local(moment: datetime) -> str:
    """Almaty time with offset, whole seconds."""
    return moment.astimezone(ALMATY).isoformat(timespec="seconds")


def in_sofia(moment: datetime) -> str:
    """Sofia time with offset (another in summer), whole seconds."""
    return moment.astimezone(SOFIA).isoformat(timespec="seconds")


def utc_seconds(moment: datetime) -> str:
    """UTC with Z, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_millis(moment: datetime) -> str:
    """UTC with Z and milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch(moment: datetime) -> int:
    """Whole seconds since 1970."""
    return int(moment.timestamp())


def parsed(value: str | int) -> datetime:
    """The aware UTC moment that ISO text with an offset or epoch seconds stand for; ValueError for anything else."""
    text = str(value)
    if text.isdigit():
        return datetime.fromtimestamp(int(text), UTC)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment needs an offset")
    return moment.astimezone(UTC)


def schema(system: str, resource: str) -> Doc:
    """The JSON Schema of a system's native documents."""
    loaded: Doc = json.loads((SCHEMAS / f"sandbox_{system}" / f"{resource}.schema.json").read_text(encoding="utf-8"))
    return loaded


def normalised(value: Any, rule: Mapping[str, Any], written: Written) -> Any:
    """The value in the system's notation, defaults filled in; ValueError for a moment without offset."""
    if isinstance(value, dict) and "properties" in rule:
        out = {}
        for name, part in rule["properties"].items():
            if name in value:
                out[name] = normalised(value[name], part, written)
            elif "default" in part:
                out[name] = part["default"]
        return out | {name: kept for name, kept in value.items() if name not in out}
    if isinstance(value, list) and "items" in rule:
        return [normalised(item, rule["items"], written) for item in value]
    if isinstance(value, str) and "x-places" in rule:
        return _rounded(value, rule["x-places"])
    if isinstance(value, str) and rule.get("format") == "date-time":
        return written(parsed(value))
    return value


def _rounded(text: str, places: int) -> str:
    try:
        return str(Decimal(text).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP))
    except InvalidOperation:
        return text


def merged(old: Any, change: Any, rule: Mapping[str, Any]) -> Any:
    """The old value with the change laid over it: objects of fixed fields merge, everything else is replaced."""
    if isinstance(old, dict) and isinstance(change, dict) and "properties" in rule:
        fields = rule["properties"]
        return old | {name: merged(old.get(name), part, fields.get(name, {})) for name, part in change.items()}
    return change
