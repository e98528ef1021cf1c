"""Functions of moments and dates: a moment is UTC text, a date a day of a calendar; zones are named, never assumed.

Where a function takes both, a date stays a date and a moment a moment.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from mappings.language.functions.registry import Family, list_only, whole
from mappings.language.moments import moment_of, moment_text, zone_of
from mappings.language.operators import text_only
from mappings.language.values import Refused, text_of

family = Family("moment")


def _is_date(value: Any) -> bool:
    return len(text_only(value)) == 10


def _date(value: Any) -> date:
    try:
        if not _is_date(value):
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise Refused("date", "a date is wanted; day(moment, zone) gives the day of a moment", value) from None


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(moment_of(text_only(value)))


def _shifted(value: Any, zone: str, run: Any) -> str:
    """A date, or a moment by its wall clock in the zone: the hour stays across a change of summer time."""
    try:
        if _is_date(value):
            return run(_date(value)).isoformat()  # type: ignore[no-any-return]  # run gives a date
        local = _moment(value).astimezone(zone_of(zone))
        return moment_of(run(local.replace(tzinfo=None)).isoformat(), zone)
    except (OverflowError, ValueError):
        raise Refused("date", "the day is out of the calendar (years 1 to 9999)", value) from None


def _count(value: Any) -> int:
    if not -1_000_000 <= whole(value) <= 1_000_000:
        raise Refused("date", "at most a million", value)
    return value  # type: ignore[no-any-return]  # whole gives an int


@family(
    "day(value: moment, zone: zone = 'UTC') -> date",
    "the calendar day in that zone",
    "day(moment('2026-03-01T20:00:00Z'), 'Asia/Almaty')",
    "2026-03-02",
)
def _day(value: str, zone: str = "UTC") -> str:
    text: str = moment_text(text_only(value), zone, "%Y-%m-%d")
    return text


@family(
    "format_moment(value: moment, format: format, zone: zone = 'UTC') -> text",
    "written by a pattern",
    "format_moment(moment('2026-03-01T09:00:00Z'), '%d.%m.%Y')",
    "01.03.2026",
)
def _format_moment(value: str, format: str, zone: str = "UTC") -> Any:
    return text_of(moment_text(moment_of(value), zone, format))


@family(
    "format_date(value: date, format: format) -> text",
    "written by a pattern",
    "format_date(date('2026-03-01'), '%d.%m.%Y')",
    "01.03.2026",
)
def _format_date(value: Any, format: str) -> str:
    return _date(value).strftime(text_only(format))


@family(
    "add_days(value: same, days: integer, zone: zone = 'UTC') -> same",
    "so many days later; of a moment the hour in the zone stays",
    "add_days(date('2026-02-27'), 3)",
    "2026-03-02",
)
def _add_days(value: Any, days: int, zone: str = "UTC") -> str:
    return _shifted(value, zone, lambda at: at + timedelta(days=_count(days)))


@family(
    "add_months(value: same, months: integer, zone: zone = 'UTC') -> same",
    "so many months later; a day that the month lacks becomes its last",
    "add_months(date('2026-01-31'), 1)",
    "2026-02-28",
)
def _add_months(value: Any, months: int, zone: str = "UTC") -> str:
    def run(at: Any) -> Any:
        number = at.year * 12 + at.month - 1 + _count(months)
        year, month = divmod(number, 12)
        first = at.replace(year=year, month=month + 1, day=1)
        last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1) if year < 9999 else None
        return first.replace(day=min(at.day, last.day if last is not None else 28))

    return _shifted(value, zone, run)


@family(
    "add_seconds(value: moment, seconds: integer) -> moment",
    "so many seconds later",
    "add_seconds(moment('2026-03-01T09:00:00Z'), 90)",
    "2026-03-01T09:01:30Z",
)
def _add_seconds(value: Any, seconds: int) -> str:
    if abs(whole(seconds)) > 10**11:
        raise Refused("date", "at most a hundred thousand million seconds", seconds)
    try:
        return moment_of((_moment(value) + timedelta(seconds=seconds)).isoformat())
    except OverflowError:
        raise Refused("date", "the moment is out of the calendar (years 1 to 9999)", value) from None


def _holidays(values: Any) -> frozenset[date]:
    return frozenset(_date(value) for value in list_only(values))


@family(
    "add_business_days(value: date, days: integer, holidays: list = []) -> date",
    "so many working days later: Saturdays, Sundays and the listed days do not count",
    "add_business_days(date('2026-03-06'), 1, ['2026-03-09'])",
    "2026-03-10",
)
def _add_business_days(value: Any, days: int, holidays: Any = ()) -> str:
    at, free = _date(value), _holidays(list(holidays))
    if abs(whole(days)) > 5000:
        raise Refused("date", "at most 5,000 working days", days)
    step = timedelta(days=1 if days > 0 else -1)
    try:
        left = abs(days)
        while left > 0:
            at += step
            left -= at.weekday() < 5 and at not in free
    except OverflowError:
        raise Refused("date", "the day is out of the calendar (years 1 to 9999)", value) from None
    return at.isoformat()


@family(
    "is_business_day(value: date, holidays: list = []) -> boolean",
    "whether it is neither a Saturday, a Sunday nor one of the listed days",
    "is_business_day(date('2026-03-07'))",
    False,
)
def _is_business_day(value: Any, holidays: Any = ()) -> bool:
    at = _date(value)
    return at.weekday() < 5 and at not in _holidays(list(holidays))


@family(
    "start_of(value: same, unit: span, zone: zone = 'UTC') -> same",
    "the first day of the week (Monday), month or year; of a moment its midnight in the zone, also of its `day`",
    "start_of(moment('2026-03-04T20:00:00Z'), 'month', 'Asia/Almaty')",
    "2026-02-28T19:00:00Z",
)
def _start_of(value: Any, unit: str, zone: str = "UTC") -> str:
    def run(at: Any) -> Any:
        if at.__class__ is datetime:
            at = at.replace(hour=0, minute=0, second=0, microsecond=0)
        if unit == "week":
            return at - timedelta(days=at.weekday())
        if unit in ("month", "year"):
            return at.replace(day=1, month=at.month if unit == "month" else 1)
        if unit != "day":
            raise Refused("unit", "day, week, month or year", unit)
        return at

    return _shifted(value, zone, run)


@family(
    "days_between(start: any, end: any, zone: zone = 'UTC') -> integer",
    "how many days from one date (or the day of a moment in the zone) to the other; negative when it is before",
    "days_between(date('2026-02-27'), date('2026-03-02'))",
    3,
)
def _days_between(start: Any, end: Any, zone: str = "UTC") -> int:
    def at(value: Any) -> date:
        return _date(value if _is_date(value) else _day(moment_of(value), zone))

    first = at(start)
    return (at(end) - first).days


@family(
    "seconds_between(start: moment, end: moment) -> integer",
    "how many whole seconds from one moment to the other; negative when it is before",
    "seconds_between(moment('2026-03-01T09:00:00Z'), moment('2026-03-01T09:01:30Z'))",
    90,
)
def _seconds_between(start: Any, end: Any) -> int:
    gone = (_moment(end) - _moment(start)) // timedelta(microseconds=1)
    return gone // 1_000_000 if gone >= 0 else -(-gone // 1_000_000)


@family("weekday(value: date) -> integer", "1 is Monday, 7 is Sunday", "weekday(date('2026-03-01'))", 7)
def _weekday(value: Any) -> int:
    return _date(value).isoweekday()
