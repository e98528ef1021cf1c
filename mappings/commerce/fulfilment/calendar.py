"""When a place is open: weekly hours in its own time zone, less holidays, exact across changes of the clocks.

What surprises here: whether a place is open at a moment is decided by what the clock on its wall shows then. An hour
that the clocks repeat is open twice, an hour that they skip is not open at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HORIZON = 400
"""Days after which a place that did not open is taken to be closed for good."""
DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hours:
    """Open on these weekdays (0 is Monday) from ``opens`` until ``closes``, minutes since midnight, 0 … 1440."""

    days: frozenset[int]
    opens: int
    closes: int


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """Weekly hours in a zone, without the holidays. ``cut_off``: what is accepted before it is handled the same day."""

    zone: str = "UTC"
    hours: tuple[Hours, ...] = (Hours(days=frozenset(range(7)), opens=0, closes=1440),)
    holidays: frozenset[date] = frozenset()
    cut_off: time | None = None

    @property
    def place(self) -> tzinfo:
        """The zone itself."""
        return ZoneInfo(self.zone)


class NeverOpen(ValueError):
    """A place does not open within HORIZON days: nothing can be due there."""


def calendar(
    *, zone: str, hours: Sequence[Mapping[str, Any]] | None, holidays: Iterable[date] = (), cut_off: str | None = None
) -> Calendar:
    """The calendar that rows ``{days, from, to}`` describe; without rows it is always open."""
    usual = Calendar().hours
    rows = usual if hours is None else tuple(
        Hours(days=frozenset(DAYS.index(day) for day in row["days"]), opens=minutes(row["from"]),
              closes=minutes(row["to"]))
        for row in hours
    )
    return Calendar(
        zone=zone, hours=rows, holidays=frozenset(holidays),
        cut_off=None if cut_off is None else time.fromisoformat(cut_off),
    )


def minutes(text: str) -> int:
    """``HH:MM`` as minutes since midnight; ``24:00`` is 1440."""
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)


def is_open(at: datetime, place: Calendar) -> bool:
    """``∃ row: weekday(wall) ∈ days ∧ opens ≤ wall < closes``, and the wall's date is no holiday."""
    wall = at.astimezone(place.place)
    if wall.date() in place.holidays:
        return False
    now = timedelta(hours=wall.hour, minutes=wall.minute, seconds=wall.second, microseconds=wall.microsecond)
    return any(
        wall.weekday() in row.days and timedelta(minutes=row.opens) <= now < timedelta(minutes=row.closes)
        for row in place.hours
    )


def windows(day: date, place: Calendar) -> list[tuple[datetime, datetime]]:
    """The UTC intervals ``[from, to)`` in which the place is open on a day of its wall, merged and in order."""
    if day in place.holidays:
        return []
    midnight = datetime.combine(day, time(), UTC)
    found: list[tuple[datetime, datetime]] = []
    for offset, begins, ends in _offsets(day, place.zone):
        for row in place.hours:
            if day.weekday() in row.days:
                start = max(midnight + timedelta(minutes=row.opens) - offset, begins)
                end = min(midnight + timedelta(minutes=row.closes) - offset, ends)
                if start < end:
                    found.append((start, end))
    return _merged(sorted(found))


@lru_cache(maxsize=2_048)
def _offsets(day: date, zone: str) -> tuple[tuple[timedelta, datetime, datetime], ...]:
    """(offset from UTC, from, to): what the zone's clocks are set to around a day; two entries where they change."""
    place = ZoneInfo(zone)
    first, last = (datetime.combine(day, time(), UTC) + shift for shift in (-DAY, 2 * DAY))
    before, after = _offset(first, place), _offset(last, place)
    if before == after:
        return ((before, first, last),)
    low, high = first, last
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low).total_seconds() // 2)
        low, high = (middle, high) if _offset(middle, place) == before else (low, middle)
    return (before, first, high), (after, high, last)


def _offset(at: datetime, place: tzinfo) -> timedelta:
    found = at.astimezone(place).utcoffset()
    assert found is not None
    return found


def _merged(sorted_windows: Sequence[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    found: list[tuple[datetime, datetime]] = []
    for start, end in sorted_windows:
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def openings(after: datetime, place: Calendar) -> Iterator[tuple[datetime, datetime]]:
    """The open intervals that end after a moment, the first cut at it; raises NeverOpen where none comes."""
    day = after.astimezone(place.place).date() - DAY
    closed = 0
    while closed < HORIZON:
        closed += 1
        for start, end in windows(day, place):
            closed = 0
            if end > after:
                yield max(start, after), end
        day += DAY
    raise NeverOpen(f"not open within {HORIZON} days: mend hours and holidays")


def after_open(start: datetime, span: timedelta, place: Calendar) -> datetime:
    """The first moment t ≥ start with ``|open ∩ [start, t)| = span``: only time in which the place is open counts."""
    left = span
    for begins, ends in openings(start, place):
        if ends - begins >= left:
            return begins + left
        left -= ends - begins
    raise NeverOpen("unreachable: openings raises before it ends")


def working_day(at: datetime, place: Calendar) -> date:
    """The day that counts as day 0 of what is accepted at ``at``: its own day on the wall when the place opens on it,
    has not closed yet, and it is before the cut-off; else the next day on which the place opens."""
    wall = at.astimezone(place.place)
    today = windows(wall.date(), place)
    late = place.cut_off is not None and wall.time() >= place.cut_off
    if today and at < today[-1][1] and not late:
        return wall.date()
    return _next_day(wall.date(), place)


def end_of_working_day(at: datetime, days: int, place: Calendar) -> datetime:
    """When the place closes on the ``days``-th day of opening after ``working_day(at)``."""
    day = working_day(at, place)
    for _ in range(days):
        day = _next_day(day, place)
    return windows(day, place)[-1][1]


def _next_day(day: date, place: Calendar) -> date:
    for ahead in range(1, HORIZON):
        if windows(day + ahead * DAY, place):
            return day + ahead * DAY
    raise NeverOpen(f"not open within {HORIZON} days: mend hours and holidays")
