"""The breaker: what is so much at once, or so far, that a person looks first."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given, settings, strategies as st

from mappings.commerce.breaker import Breaker, Effect, Move, Tally, alone, judge, tally, together

RULE = Breaker(records=Decimal("0.3"), price=Decimal("0.3"), at_least=20)
AMOUNTS = st.decimals(Decimal("0.01"), 10**9, places=2)
EFFECTS = st.lists(st.builds(
    Effect, deletes=st.booleans(), zeroes=st.booleans(),
    moves=st.lists(st.builds(Move, before=AMOUNTS, after=AMOUNTS, currency=st.just("KZT")), max_size=2).map(tuple),
), max_size=30)


def changes(n: int) -> list[Effect]:
    return [Effect()] * n


def one(before: str, after: str) -> tuple[str, ...]:
    move = Move(before=Decimal(before), after=Decimal(after), currency="KZT")
    return judge([Effect(moves=(move,))], 1000, RULE).because


def test_a_small_channel_is_not_held_for_each_record() -> None:
    """P9: the share counts from ``at_least`` writes on."""
    assert not judge(changes(19), 19, RULE).held
    assert judge(changes(20), 20, RULE).because == ("20 of 20 records would change, more than 30 %",)
    assert not judge(changes(30), 100, RULE).held
    assert judge(changes(31), 100, RULE).held


def test_a_price_that_moves_far_is_held_and_the_farthest_is_named() -> None:
    """P9: up or down, exactly at the limit still passes."""
    assert one("100.00", "130.00") == one("100.00", "70.00") == ()
    assert one("100.00", "130.01") == ("1 price would move by more than 30 %, the farthest from 100.00 to 130.01",)
    assert one("100.00", "69.99") == ("1 price would move by more than 30 %, the farthest from 100.00 to 69.99",)


def test_no_price_becomes_nothing_unseen() -> None:
    """P9: half of a catalogue at 0.00 is a known accident; one that was free already moves nothing."""
    assert one("100.00", "0.00") == one("100.00", "-1.00") == ("1 price would be zero or less",)
    assert one("0.00", "0.00") == ()


@pytest.mark.parametrize("was", ["0", "0.00", "-1"])
def test_a_price_after_none_or_zero_is_a_first_price_and_no_rise(was: str) -> None:
    """P9: a shop whose new variants stand at 0.00 until they have a price: thirty of them are priced unheld."""
    assert one(was, "12990") == ()
    firsts = [Effect(moves=(Move(before=Decimal(was), after=Decimal(n), currency="KZT"),)) for n in range(1, 31)]
    assert judge(firsts, 100, RULE).because == ()
    under = Move(before=Decimal(was), after=Decimal(9), currency="KZT", floor=Decimal(10))
    assert judge([Effect(moves=(under,))], 1000, RULE).because == (
        "1 price would be under the floor, such as 9 under 10",
    )
    turned = Move(before=Decimal(was), after=Decimal(9), currency="EUR", was_currency="KZT")
    assert judge([Effect(moves=(turned,))], 1000, RULE).because == ("1 price would turn from KZT to EUR",)


def test_another_currency_or_tax_mode_is_never_taken_for_a_price() -> None:
    """P9: 100 KZT that turn into 100 EUR move by nothing and are a disaster."""
    turned = Move(before=Decimal(100), after=Decimal(100), currency="EUR", was_currency="KZT")
    assert judge([Effect(moves=(turned,))], 1, RULE).because == ("1 price would turn from KZT to EUR",)
    netted = Move(before=Decimal(100), after=Decimal(99), currency="KZT", was_currency="KZT", tax_mode="net",
                  was_tax_mode="gross")
    assert judge([Effect(moves=(netted,))], 1, RULE).because == ("1 price would turn from gross to net",)


def test_a_price_under_its_floor_is_held_however_little_it_moves() -> None:
    """P9: below cost and margin nobody sells by mistake; at the floor it passes."""
    def held(after: str) -> tuple[str, ...]:
        move = Move(before=Decimal(100), after=Decimal(after), currency="KZT", floor=Decimal(95))
        return judge([Effect(moves=(move,))], 1000, RULE).because

    assert held("94.99") == ("1 price would be under the floor, such as 94.99 under 95",)
    assert held("95.00") == ()


@settings(max_examples=60)
@given(AMOUNTS, AMOUNTS, st.decimals(0, 2, places=2))
def test_a_wider_rule_holds_nothing_more(before: Decimal, after: Decimal, price: Decimal) -> None:
    """A person who widens a limit is asked less, never more."""
    effects = [Effect(moves=(Move(before=before, after=after, currency="KZT"),))]
    narrow, wide = Breaker(price=price), Breaker(price=price + 1)
    assert not judge(effects, 1, wide).held or judge(effects, 1, narrow).held


@settings(max_examples=60)
@given(EFFECTS, st.integers(0, 30), st.integers(0, 60))
@example([Effect(moves=(Move(before=Decimal(b), after=Decimal(a), currency="KZT"),))
          for b, a in (("0.08", "0.01"), ("0.15", "0.01"), ("0.22", "0.06"))], 1, 0)
def test_how_the_writes_are_cut_into_batches_makes_no_difference(effects: list[Effect], at: int, known: int) -> None:
    """P9: the tally of 200 small batches is that of one large one."""
    whole, parts = tally(effects), tally(effects[:at]) + tally(effects[at:])
    assert whole == parts
    assert together(whole, known, RULE) == together(parts, known, RULE)


@settings(max_examples=60)
@given(EFFECTS, EFFECTS, st.integers(0, 60))
def test_more_writes_never_make_a_held_set_pass(effects: list[Effect], more: list[Effect], known: int) -> None:
    """P9: once a cause did too much, doing more does not heal it."""
    done = tally(effects)
    assert not together(done, known, RULE) or together(done + tally(more), known, RULE)


@settings(max_examples=60)
@given(st.lists(EFFECTS, max_size=40), st.integers(0, 60))
def test_of_a_change_in_a_trickle_no_more_is_live_than_the_limits_say(pages: list[list[Effect]], known: int) -> None:
    """P9: each page is judged with what went before it; what is live stays under ``at_least`` or under the shares."""
    seen, live = Tally(), list[Effect]()
    for page in pages:
        seen += tally(page)
        if together(seen, known, RULE):
            break
        live += [one for one in page if not alone([one], RULE)]
    done = tally(live)
    within = done.changed <= RULE.records * known and done.moved <= RULE.moved * known
    assert done.changed < RULE.at_least or within
    assert done.deleted < RULE.at_least or done.deleted <= RULE.deletions * known
    assert all(abs(move.after - move.before) <= RULE.price * move.before for one in live for move in one.moves
               if move.before is not None and move.before > 0)


def test_deletions_and_falls_to_zero_have_limits_of_their_own() -> None:
    """P9: five of a hundred listings may go; a fall of stock is held only where the policy says so."""
    assert together(Tally(deleted=20), 100, RULE) == ("20 of 100 listings would go, more than 5 %",)
    assert together(Tally(zeroed=90), 100, RULE) == ()
    assert together(Tally(zeroed=90), 100, Breaker(stock="hold")) != ()
