"""Listings that sell goods before they are there, and rows that hold for a cohort of articles only."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import example, given, settings, strategies as st

from mappings.commerce.stock.allocation import StockPolicy, holding_for, publish_by_location
from mappings.commerce.stock.cohorts import Article, Cohort, article, cohort_of, overlaps
from mappings.commerce.stock.ledger import promise
from mappings.commerce.stock.promising import promised, taken

TODAY = date(2026, 3, 1)
ZERO = Decimal(0)
INBOUND = st.lists(st.tuples(st.dates(TODAY, TODAY + timedelta(days=20)), st.integers(0, 30).map(Decimal)), max_size=4)


def row(**more: object) -> StockPolicy:
    return StockPolicy(locations=("wh",), **more)  # type: ignore[arg-type]  # the rows that tests want


@given(st.integers(0, 30), INBOUND, st.integers(0, 40).map(Decimal), st.integers(0, 25))
@settings(max_examples=150)
@example(0, [(TODAY, Decimal(5))], Decimal(5), 9)
def test_a_channel_of_its_own_shows_the_promise_of_the_last_day_and_names_the_first_on_which_it_holds(
    now: int, inbound: list[tuple[date, Decimal]], back: Decimal, within: int
) -> None:
    """P8: sellable now + inbound until the day − open back-orders; a day is named where something must come first."""
    told = promised(row(listing="back_order", within=within), now, inbound, back, TODAY)
    last = TODAY + timedelta(days=within)
    assert told.steps == promise(Decimal(now), inbound, last, back)
    if told.available_on is None:
        assert told.steps == max(0, now - back)
    else:
        assert told.available_on <= last
        assert promise(Decimal(now), inbound, told.available_on, back) == told.steps
        assert promise(Decimal(now), inbound, told.available_on - timedelta(days=1), back) < told.steps


@given(INBOUND, st.integers(0, 20).map(Decimal), st.lists(st.integers(1, 5), min_size=1, max_size=4))
@settings(max_examples=100)
def test_channels_that_promise_share_what_comes_and_never_promise_a_unit_twice(
    inbound: list[tuple[date, Decimal]], back: Decimal, weights: list[int]
) -> None:
    """P8: each its share of what comes and is not owed; together at most all of it."""
    parts = [
        promised(row(listing="back_order", share=Decimal(weight) / sum(weights)), 0, inbound, back, TODAY).steps
        for weight in weights
    ]
    assert sum(parts) <= max(ZERO, sum((units for _, units in inbound), ZERO) - back)


def test_a_pre_order_names_its_day_and_is_a_listing_like_any_other_from_that_day_on() -> None:
    day = date(2026, 3, 9)
    game = row(listing="pre_order", on=day)
    inbound = [(date(2026, 3, 8), Decimal(40)), (date(2026, 3, 10), Decimal(60))]
    before = promised(game, 0, inbound, Decimal(3), TODAY)
    assert (before.steps, before.available_on) == (37, day)
    then = promised(game, 5, inbound, ZERO, day)
    assert (then.steps, then.available_on) == (5, None)
    assert promised(game, 0, [], ZERO, TODAY).available_on == day


def test_goods_by_weight_are_promised_in_whole_steps() -> None:
    cheese = row(listing="back_order", share=Decimal("0.5"))
    told = promised(cheese, 2, [(TODAY, Decimal("1.3"))], Decimal("0.1"), TODAY, Decimal("0.25"))
    assert told.steps == 2 + 2                          # half of 1.2 kg is 0.6 kg: two steps of 0.25 kg


@given(
    st.integers(-5, 30).map(Decimal), st.integers(0, 20).map(Decimal),
    st.lists(st.integers(1, 9).map(Decimal), max_size=6),
)
def test_who_waits_longest_is_served_first_and_none_gets_what_is_not_there(
    room: Decimal, there: Decimal, asked: list[Decimal]
) -> None:
    """P8: Σ served ≤ room; an order is served in part only where nothing is left for the next."""
    asks = [(str(n), units, ["wh", "st"]) for n, units in enumerate(asked)]
    found = taken(room, {"wh": there, "st": Decimal(5)}, asks)
    assert sum(units for _, _, units in found) == max(ZERO, min(room, there + 5, sum(asked, ZERO)))
    assert sum(units for _, place, units in found if place == "wh") <= there
    served = [sum((units for row, _, units in found if row == str(n)), ZERO) for n in range(len(asked))]
    full = [n for n, units in enumerate(asked) if served[n] == units]
    assert full == list(range(len(full)))
    assert all(units == 0 for units in served[len(full) + 1:])


CLEARANCE = Cohort(name="clearance", skus=frozenset({"A"}))
COMING = Cohort(name="coming", fields=frozenset({("listing", "back_order")}))
TEA = Cohort(name="tea", categories=frozenset({"tea"}))


def test_the_most_specific_cohort_counts_and_two_may_not_name_the_same() -> None:
    one = article({"sku": "A", "product": "p", "attributes": {"listing": "back_order"}}, {"category": "tea"})
    assert [cohort_of(some, one) for some in ([TEA, COMING, CLEARANCE], [TEA, COMING], [TEA], [])] \
        == [CLEARANCE, COMING, TEA, None]
    assert cohort_of([CLEARANCE, COMING, TEA], Article(sku="B")) is None
    assert overlaps([CLEARANCE, COMING, Cohort(name="old", skus=frozenset({"A", "B"}))]) == [("clearance", "old", "A")]


@given(st.integers(0, 40).map(Decimal), st.sampled_from(["A", "B"]))
def test_a_cohort_is_divided_by_its_own_rows_and_never_shown_twice(there: Decimal, sku: str) -> None:
    """P8: shares, safety and cap of the cohort hold for its articles, and all channels together show what is there."""
    policies = {
        "shop": row(share=Decimal("0.5"), safety=2, cohorts=((CLEARANCE, row(share=Decimal("0.9"))),)),
        "market": row(share=Decimal("0.5"), cohorts=((CLEARANCE, row(share=Decimal("0.1"), cap=1)),)),
    }
    holds = holding_for(policies, Article(sku=sku))
    shown = {name: sum(parts.values()) for name, parts in publish_by_location({"wh": there}, {}, holds).items()}
    assert sum(shown.values()) <= there
    if sku == "A":
        assert shown["market"] <= 1
        assert shown["shop"] >= there * Decimal("0.9") - 1
    else:
        assert shown["shop"] == max(0, (int(there) + 1) // 2 - 2)
