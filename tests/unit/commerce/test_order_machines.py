"""The machines of an order, its tenders and its lines: late is nothing, illegal is a person's."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from mappings.canonical import schemas
from mappings.commerce.orders.machines import (
    CONTRADICTIONS,
    MOVES,
    STATUSES,
    TENDER_MOVES,
    contradiction,
    illegal_tender,
    late,
    legal,
    merged_status,
    payment_word,
    tender_states,
)
from mappings.commerce.orders.merging import settled
from mappings.commerce.orders.quantities import COUNTED, counts, merged_counts, over_handed, restocked, status_word

WORDS = st.sampled_from(STATUSES)
SAID = st.lists(WORDS, min_size=1, max_size=5)


def units(value: Any, kind: str = "ordered") -> dict[str, str]:
    return {"value": str(value), "unit": "each", "kind": kind}


def test_the_machines_speak_of_every_status_and_state_there_is() -> None:
    fields = schemas()["order"]["properties"]
    assert set(STATUSES) == set(fields["status"]["enum"]) == set(MOVES)
    assert set(TENDER_MOVES) == set(fields["tenders"]["items"]["properties"]["state"]["enum"])


def test_of_any_two_statuses_one_follows_the_other_or_a_person_must_look() -> None:
    """Complete and without gaps: a pair is a move, a late message, or a contradiction with a remedy."""
    for known, told in product(STATUSES, repeat=2):
        apart = not legal(known, told)
        said = contradiction([told], known)
        assert apart == (said is not None), (known, told)
        if said is not None:
            assert said.remedy
    assert {pair for pair in CONTRADICTIONS if "cancelled" in pair} == {
        ("cancelled", "shipped"), ("cancelled", "delivered")
    }


@settings(max_examples=200)
@given(SAID, SAID, st.none() | WORDS, st.randoms())
def test_the_status_depends_on_what_was_said_not_on_its_order_or_repetition(
    said: list[str], more: list[str], before: str | None, random: Any
) -> None:
    """P5: commutative, idempotent, and saying once more what is known changes nothing."""
    end = merged_status(said, before)
    shuffled = [*said, *said]
    random.shuffle(shuffled)
    assert merged_status(shuffled, before) == end
    assert merged_status(said, end) == end
    later = merged_status([*said, *more], end)
    if end in ("shipped", "delivered", "cancelled"):
        assert STATUSES.index(later) >= STATUSES.index(end)


@settings(max_examples=200)
@given(SAID, SAID)
def test_what_left_stays_gone_and_what_was_cancelled_is_not_reopened(first: list[str], then: list[str]) -> None:
    """Monotone where it matters, whatever is said afterwards."""
    known = merged_status(first)
    now = merged_status(then, known)
    assert not (known == "delivered" and now != "delivered")
    assert not (known == "shipped" and now not in ("shipped", "delivered"))
    assert not (known == "cancelled" and now not in ("cancelled", "shipped", "delivered"))
    assert not (known == "confirmed" and now in ("open", "offered"))


def test_an_offer_is_lifted_by_whoever_made_it_and_must_not_ship() -> None:
    """A bank credit that awaits its signature: the ERP's draft is an echo of ours, its shipment a person's."""
    assert merged_status(["offered", "open", "confirmed"]) == "offered"
    assert merged_status(["offered", "shipped"], "offered") == "offered"
    found = contradiction(["offered", "shipped"], "offered")
    assert found is not None
    assert "offer" in found.message
    assert merged_status(["open", "confirmed"], "offered") == "confirmed"
    assert merged_status(["cancelled", "open"], "offered") == "cancelled"
    assert merged_status(["offered"], "confirmed") == "confirmed"
    assert contradiction(["offered", "shipped"], "confirmed") is None


def test_a_hold_ends_when_nobody_says_it_and_cannot_call_back_what_left() -> None:
    assert merged_status(["held", "confirmed"], "confirmed") == "held"
    assert merged_status(["open", "confirmed"], "held") == "confirmed"
    assert merged_status(["held", "shipped"], "held") == "held"
    assert contradiction(["held", "shipped"], "held") is not None
    assert merged_status(["held"], "shipped") == "shipped"
    assert contradiction(["held"], "shipped") is None


def test_goods_that_left_are_not_cancelled_and_a_person_hears_of_it() -> None:
    assert merged_status(["shipped", "cancelled"]) == "shipped"
    assert contradiction(["shipped", "cancelled"]) is not None
    assert contradiction(["cancelled"], "confirmed") is None
    with pytest.raises(ValueError, match="'paid' is no status"):
        merged_status(["open", "paid"])


def tender(state: str, key: str = "1", amount: str = "10.00") -> dict[str, Any]:
    return {"key": key, "kind": "card", "amount": {"amount": amount, "currency": "EUR"}, "state": state}


@settings(max_examples=100)
@given(st.lists(st.sampled_from(sorted(TENDER_MOVES)), min_size=2, max_size=6))
def test_a_tender_makes_only_legal_moves_and_a_late_one_changes_nothing(states: list[str]) -> None:
    known = [tender(states[0])]
    for state in states[1:]:
        was = known[0]["state"]
        known = tender_states(known, [tender(state)])
        now = known[0]["state"]
        assert now == was or now in TENDER_MOVES[was]
        assert (now == was) == (state == was or state not in TENDER_MOVES[was])
        if late(was, state, TENDER_MOVES):
            assert illegal_tender([tender(was)], [tender(state)]) is None
    assert tender_states([], [tender("captured")]) == [tender("captured")]
    assert tender_states([tender("refunded")], [tender("captured")]) == [tender("refunded")]


def test_every_pair_of_states_of_a_tender_is_a_move_or_late() -> None:
    """A chargeback of what failed cannot be; money that came back does not come again."""
    apart = {(a, b) for a, b in product(TENDER_MOVES, repeat=2) if not legal(a, b, TENDER_MOVES)}
    assert apart == {(a, b) for pair in (("failed", "part_refunded"), ("failed", "refunded"))
                     for a, b in (pair, pair[::-1])}
    found = illegal_tender([tender("failed")], [tender("refunded")])
    assert found is not None
    assert found.path == "$.tenders[0].state"


@pytest.mark.parametrize(("states", "word"), [
    (["due"], "open"), (["authorised"], "authorized"), (["captured"], "paid"), (["captured", "due"], "part_paid"),
    (["captured", "failed"], "part_paid"), (["failed"], "void"), (["refunded"], "refunded"),
    (["refunded", "captured"], "part_refunded"), (["part_refunded"], "part_refunded"), (["authorised", "due"], "open"),
    ([], None),
])
def test_the_payment_of_an_order_follows_from_its_tenders(states: list[str], word: str | None) -> None:
    assert payment_word([tender(state, str(n)) for n, state in enumerate(states)]) == word


TOLD = st.fixed_dictionaries({name: st.none() | st.integers(0, 9) for name in COUNTED})


@settings(max_examples=200)
@given(st.integers(0, 8), TOLD, st.integers(0, 9), st.integers(0, 9))
def test_every_unit_of_a_line_is_in_one_place(
    ordered: int, told: dict[str, int | None], shipped: int, back: int
) -> None:
    """ordered = cancelled + open + allocated + picked + handed over; handed over = with buyer + returned."""
    line = {"key": "1", "quantity": units(ordered), **{
        name: None if value is None else units(value) for name, value in told.items()
    }}
    now = counts(line, shipped=Decimal(shipped), returned=Decimal(back))
    parts = (now.cancelled, now.open, now.allocated, now.picked, now.handed_over)
    assert sum(parts) == now.ordered == ordered
    assert min(*parts, now.returned, now.with_buyer) >= 0
    assert now.handed_over == min(ordered, max(told["handed_over"] or 0, shipped))
    handed, cancelled = max(told["handed_over"] or 0, 0), told["cancelled"] or 0
    over = over_handed({"lines": [line]}, [{"lines": [{"key": "a", "line": "1", "quantity": units(shipped)}]}])
    if over is None:
        assert max(handed, shipped) + cancelled <= ordered


ROWS = st.lists(TOLD, min_size=1, max_size=3)


@settings(max_examples=100)
@given(ROWS, st.randoms())
def test_counts_told_by_several_channels_are_merged_by_the_largest_in_any_order(rows: list[Any], random: Any) -> None:
    said = [[{"key": "1", "quantity": units(9), **{
        name: units(value) for name, value in row.items() if value is not None
    }}] for row in rows]
    origin = [{"key": "1", "quantity": units(9)}]
    found = merged_counts(origin, said)
    random.shuffle(said)
    assert merged_counts(origin, [*said, *said]) == found
    for name in COUNTED:
        best = [row[name] for row in rows if row[name] is not None]
        assert found[0].get(name) == (units(max(best)) if best else None)


def test_an_order_is_shipped_or_cancelled_when_every_unit_is() -> None:
    def lines(*rows: dict[str, int]) -> list[dict[str, Any]]:
        return [{"key": str(n), "quantity": units(2), **{name: units(value) for name, value in row.items()}}
                for n, row in enumerate(rows)]

    assert status_word(lines({}, {})) is None
    assert status_word(lines({"cancelled": 2}, {"cancelled": 2})) == "cancelled"
    assert status_word(lines({"cancelled": 2}, {"handed_over": 2})) == "shipped"
    assert status_word(lines({"cancelled": 2}, {"handed_over": 1})) is None
    assert status_word(lines({"handed_over": 2}, {"handed_over": 1, "cancelled": 1})) == "shipped"


def test_the_order_follows_from_all_channels_and_its_till_is_believed() -> None:
    """A voided receipt is void although the ERP took it as delivered; a reason to cancel counts whoever gives it."""
    receipt = {"status": "cancelled", "handed_over": True, "lines": []}
    assert settled(receipt, [receipt, {"status": "delivered"}], {"status": "delivered"})["status"] == "cancelled"
    shop = {"status": "open", "payment": "open", "lines": [{"key": "1", "quantity": units(3)}],
            "tenders": [tender("captured")]}
    erp = {"status": "confirmed", "cancel_reason": "out of stock", "lines": [{"key": "1", "cancelled": units(3)}]}
    found = settled(shop, [shop, erp])
    assert (found["status"], found["payment"], found["cancel_reason"]) == ("cancelled", "paid", "out of stock")
    assert found["lines"][0]["cancelled"] == units(3)
    assert settled(found, [found], found) == found
    assert settled(shop, [shop], {"status": "shipped"})["status"] == "shipped"


def test_only_what_goes_back_onto_a_shelf_is_restocked() -> None:
    """A refund without restock, and goods that a person must look at first, come back into no figure."""
    def row(restock: bool | None, condition: str | None) -> dict[str, Any]:
        return {"key": "a", "line": "1", "quantity": units(1), "restock": restock, "condition": condition}

    back = [row(True, None), row(True, "sellable"), row(True, "quarantine"), row(False, None), row(None, None)]
    assert restocked([{"lines": back}, {"kind": "refund", "lines": back}]) == {"1": 2}
