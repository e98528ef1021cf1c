"""What may still be sold on a channel, and the figure it may be told next; the model in tests/model plays all of it."""

from __future__ import annotations

from decimal import Decimal
from typing import get_args

from hypothesis import given, settings, strategies as st

from mappings.commerce.stock.escrow import (
    Account,
    Raises,
    applied,
    caught_up,
    dead,
    figure,
    left,
    most,
    refused,
    returned,
    room,
    seen,
    sending,
    sold,
    unknown,
)
from mappings.commerce.stock.units import covering, sold_in

UNITS = st.integers(0, 20)
RAISES = st.sampled_from(get_args(Raises))
ACCOUNTS = st.builds(
    Account, held=UNITS, shown=st.none() | UNITS, sent=st.none() | UNITS, open=st.booleans(), late=st.integers(0, 5),
    back=st.integers(0, 3),
)


@settings(max_examples=200)
@given(ACCOUNTS, UNITS, st.integers(0, 40), RAISES)
def test_what_is_sent_never_pledges_more_than_the_others_leave(
    account: Account, target: int, left: int, raises: Raises
) -> None:
    """P8: most(after) ≤ max(most(before), left), and no figure is above its target."""
    told = figure(account, target, left, raises)
    assert 0 <= told <= target
    if told != account.shown:
        assert most(sending(account, told, raises)) <= max(most(account), left)


@settings(max_examples=100)
@given(ACCOUNTS, UNITS, UNITS, RAISES)
def test_nothing_that_may_still_be_sold_is_forgotten_before_the_orders_are_read(
    account: Account, told: int, units: int, raises: Raises
) -> None:
    """P3, P8: an answer, a lost answer and a look never take down what a write may have put on show."""
    after = sending(account, told, raises)
    assert most(after) >= max(most(account), told)
    assert most(applied(after, told)) >= told + account.late
    assert most(unknown(after, told, raises)) >= max(account.held, told) + account.late
    assert most(dead(after)) == most(after)
    assert most(seen(after, units)) >= units
    assert most(returned(after, units)) == most(after) + units
    assert most(sold(after, units)) >= most(after) - units


def test_a_refused_write_leaves_all_as_it_was_and_one_without_answer_counts_on() -> None:
    quiet = Account(held=3, shown=3)
    assert refused(sending(quiet, 5, "compare")) == quiet
    doubtful = unknown(sending(quiet, 5, "compare"), 5, "compare")
    assert most(refused(sending(doubtful, 1, "compare"))) == 5


def test_a_raise_by_zero_takes_three_steps() -> None:
    """P8: told 0, the orders are read, told the rest."""
    account = Account(held=4, shown=4)
    assert figure(account, 6, 6, "zero") == 0
    account = applied(sending(account, 0, "zero"), 0)
    assert (most(account), figure(account, 6, 6, "zero")) == (4, 0)
    account = caught_up(sold(account, 1))
    assert (most(account), figure(account, 6, 6, "zero")) == (0, 6)


def test_a_channel_that_compares_is_raised_in_one_step_and_lowered_at_once() -> None:
    account = Account(held=4, shown=4)
    assert figure(account, 6, 6, "compare") == 6
    assert figure(account, 6, 5, "compare") == 5
    assert figure(account, 6, 2, "compare") == 2


STORE = frozenset({"store"})


def test_a_bundle_has_room_for_as_many_as_its_scarcest_part() -> None:
    parts = {"cup": Decimal(6), "pot": Decimal(1)}
    there = {"cup": {"store": Decimal(20)}, "pot": {"store": Decimal(9)}}
    assert room(parts, STORE, there, {}) == 3
    assert room(parts, STORE, there, {"cup": {STORE: Decimal(9)}}) == 1
    assert room(parts, STORE, there, {"pot": {STORE: Decimal(9)}}) == 0
    assert room(parts, STORE, {"cup": {"store": Decimal(20)}}, {}) == 0


def test_a_bundle_at_one_place_has_no_room_for_parts_that_lie_at_another() -> None:
    """P8: the cups of the warehouse are of no use to who sells sets in the store."""
    parts = {"cup": Decimal(6), "pot": Decimal(1)}
    there = {"cup": {"store": Decimal(6), "yard": Decimal(60)}, "pot": {"store": Decimal(9)}}
    assert room(parts, STORE, there, {}) == 1


PLACES = ("a", "b", "c")
SETS = st.sets(st.sampled_from(PLACES), min_size=1).map(frozenset)


def served(there: dict[str, int], asked: list[frozenset[str]]) -> bool:
    """Whether each unit asked for can have one that is there, at one of its places: every way is tried."""
    if not asked:
        return True
    return any(
        served({**there, place: there[place] - 1}, asked[1:]) for place in asked[0] if there[place] > 0
    )


@settings(max_examples=150)
@given(
    st.fixed_dictionaries({place: st.integers(0, 2) for place in PLACES}),
    st.dictionaries(SETS, st.integers(0, 2), max_size=3), SETS,
)
def test_what_is_left_at_places_is_what_can_still_be_served_from_them(
    there: dict[str, int], pledged: dict[frozenset[str], int], places: frozenset[str]
) -> None:
    """P8: not a unit more may be told to a channel than can be sent from where it sells, and not one less."""
    asked = [at for at, units in pledged.items() for _ in range(units)]
    if not served(there, asked):
        return
    most_of_all = max(n for n in range(8) if served(there, [*asked, *[places] * n]))
    exact = {at: Decimal(units) for at, units in pledged.items()}
    assert left(places, {place: Decimal(units) for place, units in there.items()}, exact) == most_of_all


@settings(max_examples=200)
@given(
    st.sampled_from([Decimal(1), Decimal("0.25"), Decimal("0.3"), Decimal(2)]), st.decimals(-2, 9, places=3),
    st.lists(st.tuples(UNITS, RAISES), min_size=2, max_size=3), st.decimals(0, 3, places=2),
)
def test_goods_by_weight_are_told_in_whole_steps_that_are_there_and_no_rest_is_told_twice(
    step: Decimal, there: Decimal, listings: list[tuple[int, Raises]], ordered: Decimal
) -> None:
    """P8: whatever each channel aims at, all of them together may sell so many steps as nobody ordered; exactly."""
    free = {"store": sold_in(there - ordered, step)[0]}
    accounts = [Account() for _ in listings]
    for place, (target, raises) in enumerate(listings):
        pledged = sum((most(one) * step for one in accounts), Decimal(0))
        left_over = room({"tea": step}, STORE, {"tea": free}, {"tea": {STORE: pledged}})
        told = figure(accounts[place], target, left_over, raises)
        accounts[place] = applied(sending(accounts[place], told, raises), told)
    told_units = sum((most(one) * step for one in accounts), Decimal(0))
    assert told_units <= max(Decimal(0), there - ordered)
    if sum(target for target, _ in listings) * step >= there - ordered >= 0:
        assert there - ordered - told_units < step
    assert covering(told_units, step) * step == told_units


def test_part_of_a_step_on_show_goes_by_zero_to_a_whole_one() -> None:
    """P8: one of two pieces was sold: a new figure beside it would show the other one twice."""
    account = seen(Account(held=1, shown=1), 1, exact=False)
    assert (most(account), figure(account, 3, 9, "compare"), figure(account, 3, 9, "zero")) == (1, 0, 0)
    account = applied(sending(account, 0, "compare"), 0)
    assert (most(account), figure(caught_up(account), 3, 9, "compare")) == (1, 3)
