"""Values of a database: as JSON has them, as a cursor keeps them, and a while earlier.

What surprises here: a stamp may be an aware or a naive moment, text, or a counter; each is compared and kept as the
kind it is there, because a database compares only its own kind by index.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from connectors.base import Doc

_encode = msgspec.json.Encoder(decimal_format="number").encode


def as_text(value: Any) -> str:
    """An id or a version, which is text with us whatever it is there."""
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def document(row: Mapping[str, Any], zone: ZoneInfo) -> Doc:
    """A row as a document; naive moments are in ``zone``."""
    return {name: plain(value, zone) for name, value in row.items()}


def plain(value: Any, zone: ZoneInfo) -> Any:
    """A value as JSON has it: exact numbers, moments with their offset, everything else as text."""
    if value is None or isinstance(value, str | bool | int | Decimal | dict | list):
        return value
    if isinstance(value, float):
        return Decimal(repr(value)) if value == value and abs(value) != float("inf") else None
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=zone)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return str(value)


def native(value: Any, exact: bool) -> Any:
    """A value as it is written: objects and lists as JSON text, decimals as text where the driver knows none."""
    if isinstance(value, Decimal) and not exact:
        return str(value)
    return _encode(value).decode() if isinstance(value, dict | list) else value


_READ: Mapping[str, Callable[[str], Any]] = {
    "moment": datetime.fromisoformat, "day": date.fromisoformat, "number": Decimal, "uuid": UUID,
}  # fmt: skip


def kept(value: Any) -> Any:
    """A key or stamp in a cursor: what JSON cannot hold as it is goes with its kind."""
    for kind, is_of in (("moment", datetime), ("day", date), ("number", Decimal), ("uuid", UUID)):
        if isinstance(value, is_of):
            return {kind: value.isoformat() if isinstance(value, date) else str(value)}
    return value


def given(value: Any) -> Any:
    """The inverse of `kept`."""
    if not isinstance(value, Mapping):
        return value
    ((kind, written),) = value.items()
    return _READ[kind](written)


def ordered(value: Any) -> Any:
    """By what two stamps of one column are compared."""
    return value if not isinstance(value, datetime) or value.tzinfo is None else value.astimezone(UTC)


def earlier(value: Any, lag: float) -> Any:
    """The stamp ``lag`` seconds (of a counter: so many steps) before; text as it is written there, cut to seconds."""
    if isinstance(value, datetime):
        return value - timedelta(seconds=lag)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return value - int(lag)
    if isinstance(value, str):
        try:
            before = datetime.fromisoformat(value) - timedelta(seconds=lag)
        except ValueError:
            return value
        written = before.isoformat(sep=value[10:11] or "T", timespec="seconds")
        return written.replace("+00:00", "Z") if value.endswith("Z") else written
    return value


def no_later(value: Any, now: datetime, zone: ZoneInfo) -> Any:
    """The stamp, or ``now`` in its kind where it lies ahead: a stamp from the future would hide what follows."""
    if isinstance(value, datetime):
        here = now.astimezone(zone)
        return min(value, here if value.tzinfo is not None else here.replace(tzinfo=None))
    if isinstance(value, str):
        try:
            there = datetime.fromisoformat(value)
        except ValueError:
            return value
        ahead = (there if there.tzinfo is not None else there.replace(tzinfo=zone)) > now
        return earlier(_written(value, now.astimezone(zone)), 0.0) if ahead else value
    return value


def _written(like: str, at: datetime) -> str:
    found = at.replace(tzinfo=None).isoformat(sep=like[10:11] or "T", timespec="seconds")
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z" if like.endswith("Z") else found
