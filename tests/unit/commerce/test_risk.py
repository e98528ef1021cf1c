"""The simulator of pooled stock against the table of our own simulation, and what a buffer brings."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from mappings.commerce.stock.risk import Selling, enough, escrowed, pooled

RUNS = 600
"""Three standard deviations of a chance near a half are 6 points then; the table itself was played 3,000 times."""


def three(rate: float, lag: float) -> list[Selling]:
    """Three equal channels: units a minute, minutes."""
    return [Selling(rate=rate, lag=lag)] * 3


@pytest.mark.parametrize(
    ("rate", "lag", "chance", "mean"),
    [(0.02, 15, 0.48, 0.59), (0.02, 1, 0.042, None), (0.1, 15, 0.98, 3.0), (0.1, 1, 0.18, None), (1, 1 / 6, 0.32, None),
     (1, 1 / 60, 0.038, None)],
)
def test_the_chance_of_an_oversell_is_that_of_the_table(rate: float, lag: float, chance: float, mean: float) -> None:
    """P8: 20 units, three channels; within three standard deviations of both simulations together."""
    found = pooled(20, three(rate, lag), runs=RUNS, seed=7)
    tables = 3 * (chance * (1 - chance) / 3_000) ** 0.5
    assert abs(found.chance - chance) <= found.error + tables + 0.005
    assert mean is None or found.mean == pytest.approx(mean, rel=0.2)


@pytest.mark.parametrize(("buffer", "chance"), [(2, 0.63), (4, 0.14), (8, 0.001)])
def test_a_buffer_brings_what_the_table_says(buffer: int, chance: float) -> None:
    """P8: 0.1 a minute, told after 15 minutes."""
    found = pooled(20, three(0.1, 15), buffer=buffer, runs=RUNS, seed=7)
    assert abs(found.chance - chance) <= found.error + 3 * (chance * (1 - chance) / 3_000) ** 0.5 + 0.005


def test_the_mean_is_what_the_others_sell_until_they_hear_of_it() -> None:
    """P8: (channels − 1) · rate · lag for equal channels."""
    equal, uneven = three(0.1, 15), [Selling(rate=0.1, lag=10), Selling(rate=0.3, lag=5)]
    assert pooled(30, equal, runs=RUNS, seed=3).mean == pytest.approx(2 * 0.1 * 15, rel=0.15)
    assert pooled(30, uneven, runs=RUNS, seed=3).mean == pytest.approx(0.1 * 10 * 0.75 + 0.3 * 5 * 0.25, rel=0.15)


def test_a_buffer_that_is_enough_is_the_smallest_that_is() -> None:
    found, risk = enough(20, three(0.1, 5), runs=RUNS)
    assert risk.chance < 0.01
    assert pooled(20, three(0.1, 5), buffer=found - 1, runs=RUNS).chance >= 0.01


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 8), st.integers(0, 8), st.integers(0, 3))
def test_nothing_is_oversold_where_it_cannot_be(units: int, buffer: int, seed: int) -> None:
    """P8: one channel alone, nothing to sell, nobody who buys, everything kept back."""
    assert pooled(units, [Selling(rate=1, lag=9)], runs=20, seed=seed).chance == 0
    assert pooled(units, three(0, 9), runs=20, seed=seed).chance == 0
    assert pooled(units, three(1, 9), buffer=units, runs=20, seed=seed).chance == 0
    assert pooled(units, three(1, 0), buffer=buffer, runs=20, seed=seed).chance == 0


@settings(max_examples=12)
@given(
    st.integers(1, 8), st.lists(st.tuples(st.floats(0.1, 5), st.floats(0.01, 30)), min_size=1, max_size=3),
    st.integers(0, 1), st.integers(0, 99),
)
def test_the_escrow_oversells_nothing_whatever_demand_and_lag(
    units: int, selling: list[tuple[float, float]], safety: int, seed: int
) -> None:
    """P8: played with the functions that run; the same buyers oversell a pool."""
    channels = [Selling(rate=rate, lag=lag) for rate, lag in selling]
    assert escrowed(units, channels, safety=safety, runs=10, seed=seed).mean == 0


def test_the_escrow_is_measured_beside_the_pool() -> None:
    """P8: three channels that hear of each other after a quarter of an hour."""
    assert escrowed(20, three(0.1, 15), runs=60).chance == 0
    assert pooled(20, three(0.1, 15), runs=60).chance > 0.9
