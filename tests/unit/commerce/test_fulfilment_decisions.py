"""What goes back to the channel an order came from: every answer once, none that nobody made."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from mappings.commerce.fulfilment.decisions import Decision, about, answer, follow_up, reason_of

OFFER = {"status": "offered", "deadlines": {"accept_by": "2026-03-02T06:00:00Z"},
         "lines": [{"key": "1", "variant": "v1", "quantity": {"value": "2", "unit": "each", "kind": "ordered"}}]}


def test_an_offer_is_accepted_when_all_of_it_is_reserved_and_else_refused_with_the_reason() -> None:
    """Two buyers of the last piece: one is accepted, the other refused and told why."""
    assert answer(OFFER, "automatic", (), None) == Decision(kind="accepted")
    short = answer(OFFER, "automatic", ("1",), "no place holds line 1")
    assert short == Decision(kind="refused", reason="out_of_stock")
    shut = answer(OFFER, "automatic", (), "s1 is closed")
    assert shut == Decision(kind="refused", reason="no_place", note="s1 is closed")


@pytest.mark.parametrize(("change", "mode"), [
    ({}, "person"), ({}, "none"), ({"status": "open"}, "automatic"), ({"status": "held"}, "automatic"),
    ({"deadlines": None, "expires_at": "2026-03-02T06:00:00Z"}, "automatic"),
    ({"lines": [{"key": "1", "variant": None, "quantity": {"value": "2"}}]}, "automatic"),
])
def test_what_waits_for_a_person_or_a_bank_is_not_answered_by_a_rule(change: dict[str, Any], mode: Any) -> None:
    """A credit that awaits its signature, an article nobody can name, and channels that a person answers."""
    assert answer({**OFFER, **change}, mode, (), None) is None


def order(status: str = "open", kind: str = "pickup", **counts: int) -> dict[str, Any]:
    line: dict[str, Any] = {"key": "1", "quantity": {"value": "3", "unit": "each", "kind": "ordered"}}
    line |= {name: {"value": str(n), "unit": "each", "kind": "ordered"} for name, n in counts.items()}
    return {"status": status, "delivery": {"kind": kind, "location": "s1"}, "lines": [line]}


def test_a_cancellation_elsewhere_goes_back_with_its_reason_once() -> None:
    """An ERP's cancellation for lack of stock reaches the channel of origin; an unknown reason keeps its words."""
    gone = {**order("cancelled"), "cancel_reason": "Out of stock"}
    assert follow_up(order(), gone) == [Decision(kind="cancelled", reason="out_of_stock")]
    assert follow_up(gone, gone) == []
    assert follow_up(order(), {**gone, "cancel_reason": "Kessel kaputt"}) == [
        Decision(kind="cancelled", reason="other", note="Kessel kaputt")
    ]
    assert reason_of(None) == ("other", None)


def test_a_pickup_is_announced_only_when_a_person_holds_all_of_it() -> None:
    """picked of every open piece, by somebody in the store; what is cancelled need not be picked."""
    ready = Decision(kind="ready", location="s1")
    assert follow_up(order(), order(picked=2)) == []
    assert follow_up(order(), order(allocated=3)) == []
    assert follow_up(order(picked=2), order(picked=3)) == [ready]
    assert follow_up(order(picked=3), order(picked=3)) == []
    assert follow_up(order(picked=2), order(picked=2, cancelled=1)) == [
        Decision(kind="cancelled", reason="other", lines={"1": Decimal(1)},
                 standing={"1": Decimal(1)}), ready,
    ]
    assert follow_up(order(kind="ship"), order(kind="ship", picked=3)) == []
    assert follow_up(order(picked=3), order(picked=3, handed_over=3)) == [Decision(kind="delivered")]
    assert follow_up(order(), order(handed_over=3)) == [Decision(kind="delivered")], "nobody is called for what he has"


MARKS = ("cancelled", "allocated", "picked", "handed_over")
counts = st.fixed_dictionaries({name: st.integers(0, 3) for name in MARKS})
STATUSES = ("offered", "open", "confirmed", "shipped", "cancelled")


@given(history=st.lists(st.tuples(st.sampled_from(STATUSES), counts), min_size=1, max_size=6))
@settings(max_examples=120)
def test_over_any_history_of_growing_counts_nothing_is_told_twice_and_cancellations_add_up(
    history: list[tuple[str, dict[str, int]]]
) -> None:
    """Σ of what was told cancelled = what is cancelled; ready, delivered and the whole cancellation at most once."""
    marks = dict.fromkeys(MARKS, 0)
    states = [order("open")]
    for status, seen in history:
        marks = {name: max(marks[name], seen[name]) for name in marks}
        ended = states[-1]["status"] == "cancelled"
        states.append(order("cancelled" if ended else status, "pickup", **marks))
    told = [one for before, after in pairwise(states) for one in follow_up(before, after)]
    assert len({about(one) for one in told}) == len(told)
    whole = [one for one in told if one.kind == "cancelled" and not one.lines]
    assert len(whole) <= 1
    if "cancelled" not in [state["status"] for state in states]:
        parts = sum((one.lines["1"] for one in told if one.lines), Decimal(0))
        assert parts == marks["cancelled"]


@given(one=st.dictionaries(st.sampled_from("abc"), st.integers(1, 3).map(Decimal), min_size=1),
       other=st.dictionaries(st.sampled_from("abc"), st.integers(1, 3).map(Decimal), min_size=1))
@settings(max_examples=40)
def test_two_decisions_are_the_same_exactly_when_they_say_the_same_of_the_same_pieces(
    one: dict[str, Decimal], other: dict[str, Decimal]
) -> None:
    """about(a) = about(b) ⇔ same lines and quantities; a delay is another one with another day."""
    assert (about(Decision(kind="cancelled", lines=one)) == about(Decision(kind="cancelled", lines=other))) is (
        one == other
    )
    assert about(Decision(kind="delayed", until="1")) != about(Decision(kind="delayed", until="2"))
    assert about(Decision(kind="cancelled", lines=one)) != about(Decision(kind="cancelled"))
