"""Moments and days while a mapping runs.

What surprises here: a moment is its canonical text (UTC, ``…Z``), which compares as time does.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from mappings.language.values import EXACT, Refused, decimal_of, wrong


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """The zone of that name in the IANA list."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Refused("zone", "there is no time zone of that name in the IANA list", name) from None


_CANONICAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}Z").fullmatch
"""How many platforms write a moment: it need only be looked at, not written anew."""


def moment_of(value: Any, zone: str | None = None, format: str | None = None) -> str:
    """A moment as UTC text ``2026-03-01T09:00:00Z``. Without an offset in the text it needs ``zone``.

    ``format`` is ``unix``, ``unix_ms``, or a pattern of strptime; without it the text is ISO 8601.
    """
    try:
        if format is None:
            if value.__class__ is not str:
                raise wrong(value, "text with a moment")
            moment = datetime.fromisoformat(value)
            if len(value) < 13:
                raise Refused("moment", "a date without a time of day; `as: date` reads dates", value)
            if _CANONICAL(value) is not None:
                return value
        elif format in ("unix", "unix_ms"):
            micro = int(decimal_of(value).scaleb(6 if format == "unix" else 3, EXACT))
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micro)
        else:
            if value.__class__ is not str:
                raise wrong(value, "text with a moment")
            moment = datetime.strptime(value, format)  # noqa: DTZ007  # its zone is settled below
        if moment.tzinfo is not UTC:
            if moment.tzinfo is None:
                if zone is None:
                    raise Refused("zone", "a moment without offset or zone; `forms: {moment: {zone: …}}`", value)
                moment = moment.replace(tzinfo=zone_of(zone))
            moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(
            "moment", "the text is not a moment" + (f" of the form {format}" if format else ""), value
        ) from None
    return moment.isoformat()[:-6] + "Z"


def moment_text(value: str, zone: str | None = None, format: str | None = None) -> Any:
    """A canonical moment in a platform's way of writing it: UTC unless ``zone``, ISO unless ``format``."""
    moment = datetime.fromisoformat(value)
    if format in ("unix", "unix_ms"):
        micro = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        return micro // (1_000_000 if format == "unix" else 1_000)
    if zone is not None:
        moment = moment.astimezone(zone_of(zone))
    if format is not None:
        return moment.strftime(format)
    return value if zone is None else moment.isoformat()


def date_of(value: Any, format: str | None = None) -> str:
    """A calendar date as text ``2026-03-01``."""
    if value.__class__ is not str:
        raise wrong(value, "text with a date")
    try:
        if format is not None:
            return datetime.strptime(value, format).date().isoformat()  # noqa: DTZ007  # a date has no zone
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise Refused("date", "the text is not a date" + (f" of the form {format}" if format else ""), value) from None
