"""What a platform allows is never exceeded, whoever asks when, and what may be asked is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings, strategies as st

from connectors.limits import Limit
from flows.budgets import BULK, KEPT_BACK, RESERVED, Safe, refilled, safe, taken
from registry import BudgetRow

BEGIN = datetime(2026, 11, 22, tzinfo=UTC)
LIMITS = st.builds(
    Limit, rate=st.floats(0.01, 200), burst=st.integers(1, 1_000).map(float), unit=st.sampled_from(("calls", "points"))
)


def after(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


@settings(max_examples=60, deadline=None)
@given(
    LIMITS,
    st.lists(st.tuples(st.floats(0, 3), st.floats(0.1, 20), st.floats(0, 1), st.sampled_from(("write", *BULK)))),
)
def test_whatever_is_asked_for_when_the_platform_s_bucket_never_runs_over(
    limit: Limit, asks: list[tuple[float, float, float, str]]
) -> None:
    """P14: calls begin as late as their slice lets them, and still the published bucket holds them all."""
    bucket, row = safe(limit), BudgetRow(level=safe(limit).size, at=BEGIN)
    now, begun = 0.0, list[tuple[float, float]]()
    for pause, least, late, lane in asks:
        now += pause
        least = min(least, limit.burst)
        row, given = taken(row, bucket, after(now), least, lane in BULK)
        if given.amount > 0:
            begun.append((now + late * bucket.seconds, given.amount))
    level, at = limit.burst, 0.0
    for moment, amount in sorted(begun):
        level = min(limit.burst, level + (moment - at) * limit.rate) - amount
        at = moment
        assert level >= -1e-3 or amount > bucket.size, f"{amount} at {moment} s is {-level} too much"


@settings(max_examples=60, deadline=None)
@given(LIMITS, st.floats(0.1, 50), st.sampled_from(("write", "backfill")))
def test_a_worker_that_always_waits_its_turn_gets_nine_tenths_of_what_is_allowed(
    limit: Limit, least: float, lane: str
) -> None:
    """What is kept back is a twenty-fifth of the rate; a wait is never longer than needed."""
    least = min(least, limit.burst)
    bucket, row = safe(limit), BudgetRow(level=0.0, at=BEGIN)
    now, got = 0.0, 0.0
    for _ in range(60):
        row, given = taken(row, bucket, after(now), least, lane in BULK)
        got += given.amount
        now += given.wait + 1e-6
        if given.amount > 0:
            now += bucket.seconds * given.amount / max(bucket.rate * bucket.seconds, given.amount)
    held_back = bucket.size  # what lies in the bucket at the end, a bulk worker's reserve among it
    assert got + held_back >= 0.9 * limit.rate * now or got >= (1 - KEPT_BACK - 0.01) * limit.rate * now


def test_bulk_work_leaves_a_share_to_whoever_works_at_an_event() -> None:
    """P14: an order's write begins at once while a backfill waits."""
    bucket = Safe(size=100.0, rate=10.0, seconds=1.0)
    row = BudgetRow(level=100.0, at=BEGIN)
    while True:
        row, given = taken(row, bucket, BEGIN, 1.0, True)
        if given.amount == 0:
            break
    assert row.level == RESERVED * 100.0
    assert given.wait == 0.1
    row, given = taken(row, bucket, BEGIN, 1.0, False)
    assert given.amount == 10.0


@settings(max_examples=40, deadline=None)
@given(st.floats(0.05, 1), st.lists(st.floats(0, 40), min_size=1, max_size=6))
def test_the_pace_comes_back_the_same_however_often_somebody_looks(pace: float, steps: list[float]) -> None:
    """After a refusal the budget grows slowly at first; looking at it changes nothing."""
    bucket = Safe(size=1e9, rate=7.0, seconds=1.0)
    looked = row = BudgetRow(level=0.0, at=BEGIN, pace=pace)
    now = 0.0
    for step in steps:
        now += step
        looked = refilled(looked, bucket, after(now))
    once = refilled(row, bucket, after(now))
    assert abs(looked.level - once.level) < 1e-3
    assert abs(looked.pace - once.pace) < 1e-6
    assert once.level <= 7.0 * now + 1e-4
