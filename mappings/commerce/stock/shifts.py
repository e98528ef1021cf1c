"""Shifts of tills: which receipts a shift's document covers, where a till posts its sales by the shift.

What surprises here: a receipt may arrive after the document that covers it. Then it was posted when the document was
seen, and its units end with the next figure; until then it is taken off all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """What a document covers: receipts of a register (None: of all) at a place, sold from ``since`` to ``until``."""

    location: str
    since: datetime
    until: datetime
    register: str | None = None


def window(order: Mapping[str, Any]) -> Window | None:
    """What the document covers, where it sums up a shift: it says a place, a beginning and an end; else None."""
    shift, location = order.get("shift") or {}, order.get("location")
    since, until = shift.get("since"), shift.get("until")
    if location is None or since is None or until is None:
        return None
    return Window(location=location, register=shift.get("register"), since=datetime.fromisoformat(since),
                  until=datetime.fromisoformat(until))


def covers(shift: Window, location: str | None, register: str | None, sold_at: datetime) -> bool:
    """``same place and same register (or either unsaid) and since ≤ sold_at ≤ until``."""
    same = shift.register is None or register is None or shift.register == register
    return location == shift.location and same and shift.since <= sold_at <= shift.until


def posted_with(
    shifts: Iterable[tuple[Window, datetime]], location: str | None, register: str | None, sold_at: datetime
) -> datetime | None:
    """When the first document that covers a receipt was seen; None while none was."""
    return min((seen for shift, seen in shifts if covers(shift, location, register, sold_at)), default=None)
