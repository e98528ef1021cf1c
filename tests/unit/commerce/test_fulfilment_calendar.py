"""Deadlines are exact: opening hours, holidays, cut-off, and both changes of the clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given, settings, strategies as st

from mappings.commerce.fulfilment.calendar import (
    DAYS,
    Calendar,
    Hours,
    NeverOpen,
    after_open,
    calendar,
    end_of_working_day,
    is_open,
    openings,
    windows,
    working_day,
)
from mappings.commerce.fulfilment.deadlines import Term, Terms, deadlines, due_at, expires, state

ZONES = ("Europe/Sofia", "Asia/Almaty", "America/New_York", "Australia/Lord_Howe", "UTC")
CHANGES = [date(2026, 3, 29), date(2026, 10, 25), date(2026, 3, 8), date(2026, 11, 1), date(2026, 4, 5),
           date(2026, 6, 15)]
MINUTE = timedelta(minutes=1)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """Up to three rows of hours in a zone, some holidays near the days on which clocks change."""
    rows = []
    for _ in range(draw(st.integers(1, 3))):
        opens = draw(st.integers(0, 1400))
        rows.append(Hours(days=frozenset(draw(st.sets(st.integers(0, 6), min_size=1))), opens=opens,
                          closes=draw(st.integers(opens + 40, 1440))))
    holidays = draw(st.sets(st.sampled_from(CHANGES), max_size=2))
    return Calendar(zone=draw(st.sampled_from(ZONES)), hours=tuple(rows), holidays=frozenset(holidays))


@st.composite
def moments(draw: st.DrawFn) -> datetime:
    """Minutes in the two days around a change of some clock."""
    day = datetime.combine(draw(st.sampled_from(CHANGES)), datetime.min.time(), UTC)
    return day + draw(st.integers(-1440, 1440)) * MINUTE


@given(place=calendars(), start=moments())
@settings(max_examples=60, deadline=None)
def test_a_place_is_open_exactly_when_the_clock_on_its_wall_says_so(place: Calendar, start: datetime) -> None:
    """windows(d) = {t | wall(t) on d ∧ open}: compared minute by minute, also where an hour is skipped or repeated."""
    day = start.astimezone(place.place).date()
    listed = [row for ahead in (-1, 0, 1) for row in windows(day + timedelta(days=ahead), place)]
    assert listed == sorted(listed)
    for step in range(0, 600, 7):
        at = start + step * MINUTE
        if abs((at.astimezone(place.place).date() - day).days) <= 1:
            assert any(begins <= at < ends for begins, ends in listed) is is_open(at, place)


@given(place=calendars(), start=moments(), span=st.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_only_time_in_which_the_place_is_open_counts(place: Calendar, start: datetime, span: int) -> None:
    """|open ∩ [start, t)| = span, and t is the first such moment: the minute before it is open time."""
    wanted = span * MINUTE
    end = after_open(start, wanted, place)
    counted = timedelta(0)
    for begins, ends in openings(start, place):
        counted += max(timedelta(0), min(ends, end) - begins)
        if ends >= end:
            break
    assert counted == wanted
    if wanted:
        assert is_open(end - timedelta(microseconds=1), place)


@given(place=calendars(), start=moments(), one=st.integers(0, 5), more=st.integers(0, 3),
       cut_off=st.none() | st.times(timezones=st.none()))
@settings(max_examples=60, deadline=None)
def test_a_working_day_more_never_ends_earlier(
    place: Calendar, start: datetime, one: int, more: int, cut_off: object
) -> None:
    """The end lies after the start, is monotone in days, and is the closing of a day on which the place opens."""
    place = Calendar(zone=place.zone, hours=place.hours, holidays=place.holidays, cut_off=cut_off)  # type: ignore[arg-type]  # hypothesis' strategy is typed as object
    end = end_of_working_day(start, one, place)
    assert end > start
    assert end_of_working_day(start, one + more, place) >= end
    assert windows((end - timedelta(microseconds=1)).astimezone(place.place).date(), place)[-1][1] == end
    day = working_day(start, place)
    assert day not in place.holidays
    if day == start.astimezone(place.place).date() and place.cut_off is not None:
        assert start.astimezone(place.place).time() < place.cut_off


STORE = calendar(zone="Europe/Sofia", hours=[{"days": list(DAYS), "from": "01:00", "to": "05:00"}])


def test_the_night_in_which_clocks_go_back_has_an_hour_more() -> None:
    """25 October 2026 in Sofia: 03:00–04:00 comes twice, so 01:00–05:00 lasts five hours."""
    (begins, ends), = windows(date(2026, 10, 25), STORE)
    assert ends - begins == timedelta(hours=5)
    assert after_open(begins, timedelta(hours=4), STORE) == datetime(2026, 10, 25, 2, tzinfo=UTC)


def test_the_night_in_which_clocks_go_forward_has_an_hour_less() -> None:
    """29 March 2026 in Sofia: 03:00–04:00 does not happen."""
    (begins, ends), = windows(date(2026, 3, 29), STORE)
    assert ends - begins == timedelta(hours=3)


def test_a_place_that_never_opens_is_named_not_waited_for() -> None:
    """Hours on no day within the horizon raise instead of looking for ever."""
    shut = Calendar(hours=())
    with pytest.raises(NeverOpen, match="hours and holidays"):
        after_open(datetime(2026, 1, 1, tzinfo=UTC), MINUTE, shut)
    with pytest.raises(NeverOpen):
        working_day(datetime(2026, 1, 1, tzinfo=UTC), shut)


WEEK = ["mon", "tue", "wed", "thu", "fri"]
OFFICE = calendar(zone="Asia/Almaty", hours=[{"days": WEEK, "from": "09:00", "to": "18:00"}],
                  holidays=[date(2026, 12, 16)], cut_off="14:00")


@pytest.mark.parametrize(("placed", "due"), [
    ("2026-12-14T08:59:00+00:00", "2026-12-15T13:00:00+00:00"),     # Monday 13:59: Monday is day 0
    ("2026-12-14T09:00:00+00:00", "2026-12-17T13:00:00+00:00"),     # at the cut-off: Tuesday is; Wednesday is a holiday
    ("2026-12-12T05:00:00+00:00", "2026-12-15T13:00:00+00:00"),     # Saturday: Monday is day 0
])
def test_what_comes_after_the_cut_off_begins_on_the_next_working_day(placed: str, due: str) -> None:
    """{days: 1}: closing time of the day after day 0."""
    assert due_at(datetime.fromisoformat(placed), Term(counted="days", days=1), OFFICE).isoformat() == due


ORDER = {"status": "open", "payment": "paid", "placed_at": "2026-12-14T05:00:00Z", "lines": []}
TERMS = Terms(of={kind: Term(span=timedelta(hours=n)) for n, kind in
                  enumerate(("accept", "ship", "collect", "answer", "pay"), 1)})


def running(order: dict[str, object], **more: object) -> set[str]:
    return set(deadlines({**ORDER, **order}, TERMS, OFFICE, **more))  # type: ignore[arg-type]  # ready_at only


def test_each_kind_of_order_has_the_deadlines_it_needs_and_no_others() -> None:
    """An offer is to be answered, a paid one sent, an unpaid one paid, one to collect collected once it is ready."""
    later = datetime(2026, 12, 15, tzinfo=UTC)
    assert running({"status": "offered"}) == {"accept"}
    assert running({"status": "offered", "expires_at": "2026-12-15T00:00:00Z", "payment": "open"}) == {"pay"}
    assert running({}) == {"ship"}
    assert running({"payment": "open"}) == {"ship", "pay"}
    assert running({"payment": "open", "tenders": [{"kind": "cod"}]}) == {"ship"}
    assert running({"delivery": {"kind": "pickup"}}) == set()
    assert running({"delivery": {"kind": "pickup"}}, ready_at=later) == {"collect"}
    assert running({"cancel_requested": {"at": "2026-12-14T06:00:00Z"}}) == {"ship", "answer"}
    for ended in ("cancelled", "shipped", "delivered"):
        assert running({"status": ended, "payment": "open"}) == set()
    assert running({"handed_over": True}) == set()


def test_the_channels_own_moment_wins_over_policy() -> None:
    """A marketplace counts by its own clock."""
    own = {"deadlines": {"ship_by": "2026-12-20T00:00:00Z"}}
    assert deadlines({**ORDER, **own}, TERMS, OFFICE) == {"ship": datetime(2026, 12, 20, tzinfo=UTC)}
    assert deadlines(ORDER, Terms(), OFFICE) == {}


@given(minutes=st.integers(-500, 500), soon=st.integers(0, 300))
@example(minutes=0, soon=0)
@settings(max_examples=50)
def test_late_begins_at_the_moment_itself_and_soon_before_it(minutes: int, soon: int) -> None:
    """late ⇔ now ≥ due; soon ⇔ due − soon ≤ now < due."""
    due = datetime(2026, 12, 15, tzinfo=UTC)
    found = state(due, due + minutes * MINUTE, soon * MINUTE)
    assert found == ("late" if minutes >= 0 else "soon" if minutes >= -soon else "running")


def test_only_unpaid_and_uncollected_orders_expire() -> None:
    """A paid order that we are late with never ends by itself."""
    unpaid, pickup = {**ORDER, "payment": "open"}, {**ORDER, "delivery": {"kind": "curbside"}}
    assert [expires(kind, unpaid) for kind in ("accept", "ship", "answer", "pay")] == [None, None, None, "unpaid"]
    assert expires("pay", ORDER) is None
    assert expires("pay", {**unpaid, "tenders": [{"kind": "invoice"}]}) is None
    assert expires("collect", pickup) == "not_collected"
    assert expires("collect", ORDER) is None
