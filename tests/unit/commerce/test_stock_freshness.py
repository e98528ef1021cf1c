"""Figures of sources that fell silent, of places being counted, of tills that say nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from mappings.commerce.fulfilment.calendar import Calendar, calendar
from mappings.commerce.stock.freshness import (
    COUNTING,
    DEAD,
    Source,
    Till,
    expected_sales,
    is_dead,
    is_silent,
    of_dead_source,
    while_counting,
)

UNITS = st.decimals(0, 100, places=1)
RATES = st.decimals(0, 20, places=2)
AGES = st.timedeltas(timedelta(0), timedelta(days=3))


def source(dead: str = "keep") -> Source:
    return Source(figure="on_hand", restocks="source", level=timedelta(hours=1), dead_after=Decimal(4), dead=dead)


@given(UNITS, AGES, RATES, st.sampled_from(DEAD))
def test_a_figure_of_a_silent_source_is_never_raised_and_a_living_ones_never_touched(
    units: Decimal, age: timedelta, rate: Decimal, rule: str
) -> None:
    """P8: keep, less what is usually sold, or nothing; only past level · dead_after, and never without a sentence."""
    told = of_dead_source(units, "erp-kz", source(rule), age, rate)
    if age <= timedelta(hours=4):
        assert (told.units, told.because) == (units, "")
        return
    assert told.because.startswith("erp-kz has said nothing for ")
    less = max(Decimal(0), units - expected_sales(rate, age))
    assert told.units == {"keep": units, "zero": Decimal(0), "minus_expected_sales": less}[rule]


@given(RATES, AGES, AGES)
def test_more_is_expected_to_be_sold_in_more_time_and_parts_are_rounded_up(
    rate: Decimal, one: timedelta, more: timedelta
) -> None:
    assert expected_sales(rate, one + more) >= expected_sales(rate, one)
    exact = rate * Decimal(int(one.total_seconds())) / 3600
    assert exact <= expected_sales(rate, one) < exact + 1


def test_a_source_is_dead_past_its_level_by_the_factor_and_the_console_says_which() -> None:
    hours = [timedelta(hours=4), timedelta(hours=4, microseconds=1)]
    assert [is_dead(source(), age) for age in hours] == [False, True]
    age = timedelta(hours=5, minutes=20)
    told = of_dead_source(Decimal(10), "erp-kz", source("minus_expected_sales"), age, Decimal("0.5"))
    assert (told.units, told.because) == (
        Decimal(7), "erp-kz has said nothing for 5 h 20 min: shown less the 3 that are usually sold in that time",
    )


@given(UNITS, st.none() | UNITS, st.sampled_from(COUNTING))
def test_a_place_being_counted_is_frozen_lowered_or_left_out(units: Decimal, before: Decimal | None, rule: str) -> None:
    """P8: half a count is no count: only the figure from before may stand, and what is unknown is nothing."""
    told = while_counting(units, before, rule, "almaty-1").units
    known = Decimal(0) if before is None else before
    assert told == {"freeze": known, "lower": min(units, known), "leave_out": Decimal(0)}[rule]


OPEN = {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "10:00", "to": "20:00"}
WEEKDAYS = calendar(zone="Asia/Almaty", hours=[OPEN])
MONDAY = datetime(2026, 3, 2, 5, tzinfo=UTC)
"""Ten in the morning in Almaty."""
TILL = Till(posts_to_erp="per_shift", silent_after=timedelta(hours=2), silent="zero")


@pytest.mark.parametrize(
    ("hours", "last", "silent"),
    [(1.9, -60, False), (2.1, -60, True), (2.1, 0.5, False), (9.9, 7, True), (10.1, 7, False), (-1, -60, False)],
)
def test_a_register_is_silent_only_after_hours_in_which_its_store_was_open(
    hours: float, last: float, silent: bool
) -> None:
    """Friday's last receipt says nothing of Monday morning: two open hours must have passed, and the store be open."""
    now, receipt = MONDAY + timedelta(hours=hours), MONDAY + timedelta(hours=last)
    assert is_silent(TILL, WEEKDAYS, receipt, now) is silent


def test_a_till_without_a_limit_is_never_silent_and_one_never_heard_is_while_it_is_open() -> None:
    assert not is_silent(Till(posts_to_erp="never"), WEEKDAYS, None, MONDAY)
    assert is_silent(TILL, WEEKDAYS, None, MONDAY)
    assert not is_silent(TILL, Calendar(hours=()), None, MONDAY)
