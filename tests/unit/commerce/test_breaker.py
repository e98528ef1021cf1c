"""The breaker: what is so much at once, or so far, that a person looks first."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings, strategies as st

from mappings.commerce.breaker import Breaker, judge

RULE = Breaker(records=Decimal("0.3"), price=Decimal("0.3"), at_least=20)
AMOUNTS = st.decimals(Decimal("0.01"), 10**9, places=2)


def one(before: str, after: str) -> tuple[str, ...]:
    return judge(1, 1, [(Decimal(before), Decimal(after))], RULE).because


def test_a_small_channel_is_not_held_for_each_record() -> None:
    """P9: the share counts from ``at_least`` writes on."""
    assert not judge(19, 19, [], RULE).held
    assert judge(20, 20, [], RULE).because == ("20 of 20 records would change, more than 30 %",)
    assert not judge(30, 100, [], RULE).held
    assert judge(31, 100, [], RULE).held


def test_a_price_that_moves_far_is_held_and_the_farthest_is_named() -> None:
    """P9: up or down, exactly at the limit still passes."""
    assert one("100.00", "130.00") == one("100.00", "70.00") == ()
    assert one("100.00", "130.01") == ("1 price would move by more than 30 %, the farthest from 100.00 to 130.01",)
    assert one("100.00", "69.99") == ("1 price would move by more than 30 %, the farthest from 100.00 to 69.99",)


def test_no_price_becomes_nothing_unseen() -> None:
    """P9: half of a catalogue at 0.00 is a known accident; one that was free already moves nothing."""
    assert one("100.00", "0.00") == ("1 price would be zero or less",)
    assert one("0.00", "0.00") == ()
    assert one("0.00", "1.00") == ("1 price would move by more than 30 %, the farthest from 0.00 to 1.00",)


@settings(max_examples=60)
@given(AMOUNTS, AMOUNTS, st.decimals(0, 2, places=2))
def test_a_wider_rule_holds_nothing_more(before: Decimal, after: Decimal, price: Decimal) -> None:
    """A person who widens a limit is asked less, never more."""
    narrow, wide = Breaker(price=price), Breaker(price=price + 1)
    assert not judge(1, 1, [(before, after)], wide).held or judge(1, 1, [(before, after)], narrow).held
