"""Three figures of an order, its fees, its refunds, and what was edited of it."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from mappings.commerce.orders.edits import apart, changes, fingerprint
from mappings.commerce.orders.figures import (
    FeeRule,
    buyer_pays,
    estimated_fees,
    expected_payout,
    fees,
    payout_apart,
    seller_price,
)
from mappings.commerce.orders.merging import settled
from mappings.commerce.orders.refunds import money_ledger, over_refunded, refund_plan, worth


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def units(n: Any) -> dict[str, str]:
    return {"value": str(n), "unit": "each", "kind": "ordered"}


SOLD: dict[str, Any] = {
    "total": eur("84.00"),
    "lines": [{"key": "1", "quantity": units(3), "total": eur("90.00"), "sku": "KTL", "variant": "v1", "discounts": [
        {"key": "a", "amount": eur("5.00"), "funded_by": "channel"},
        {"key": "b", "amount": eur("5.00"), "funded_by": "seller"},
    ]}],
    "discounts": [{"key": "c", "amount": eur("6.00"), "funded_by": "manufacturer"}],
    "taxes": [{"key": "vat", "amount": eur("14.00"), "remitted_by": "channel"}, {"key": "eco", "amount": eur("1.00")}],
    "tenders": [{"key": "g", "kind": "gift_card", "amount": eur("30.00"), "state": "captured"},
                {"key": "k", "kind": "card", "amount": eur("54.00"), "state": "captured"}],
}
RULES = (FeeRule(kind="commission", rate=Decimal("0.10")),
         FeeRule(kind="payment", rate=Decimal("0.015"), fixed=Decimal("0.30"), currency="EUR"))


def test_buyer_seller_and_payout_are_three_figures() -> None:
    """84.00 paid; 5.00 + 6.00 of discounts are others' money, 14.00 of tax never reaches the seller; then the fees."""
    assert buyer_pays(SOLD) == eur("84.00")
    assert seller_price(SOLD) == eur("81.00")
    told = {**SOLD, "fees": estimated_fees(SOLD, RULES)}
    assert [fee["amount"]["amount"] for fee in told["fees"]] == ["8.10", "1.52"]
    assert expected_payout(told) == eur("71.38")
    cod = {**told, "tenders": [{"key": "c", "kind": "cash", "amount": eur("84.00"), "state": "due"}]}
    assert expected_payout(cod) == eur("-12.62")


def test_a_settlement_report_replaces_the_estimate_and_an_estimate_is_made_once() -> None:
    report = [{"key": "commission", "amount": eur("9.00"), "state": "settled"}]
    old = estimated_fees(SOLD, RULES)
    assert fees(None, old) == old
    assert fees(old, report) == report      # a channel that repeats its estimate later takes nothing back
    assert fees(report, old) == report
    assert fees(None, None) == []
    assert settled({**SOLD, "status": "open"}, [{"status": "open"}], {"fees": old, "status": "open"})["fees"] == old
    paid = {**SOLD, "fees": report, "payout": eur("71.50")}
    assert payout_apart(paid) == eur("-0.50")
    assert payout_apart({**paid, "fees": old}) is None


@settings(max_examples=100)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_any_way_of_cutting_a_line_into_parts_adds_up_to_the_line(minor: int, parts: list[int]) -> None:
    """P7: no cent is lost or invented by refunding unit after unit."""
    total = eur(f"{Decimal(minor).scaleb(-2):f}")
    line = {"key": "1", "quantity": units(sum(parts)), "total": total}
    done, found = Decimal(0), []
    for part in parts:
        found.append(worth(line, Decimal(part), after=done))
        done += part
    assert sum(found) == Fraction(total["amount"])
    assert all(one >= 0 for one in found)


def refund(*rows: tuple[str, str]) -> dict[str, Any]:
    return {"kind": "refund", "refunds": [
        {"key": str(n), "tender": tender, "amount": eur(amount)} for n, (tender, amount) in enumerate(rows)
    ]}


def test_money_goes_back_to_its_own_tenders_and_never_more_than_was_captured() -> None:
    """A gift card gets its own back first; the rest of 84.00 is the card's; a cent more is refused."""
    assert refund_plan(SOLD, [], Fraction(40)) == [("g", eur("30.00")), ("k", eur("10.00"))]
    assert refund_plan(SOLD, [refund(("g", "30.00"))], Fraction(54)) == [("k", eur("54.00"))]
    with pytest.raises(ValueError, match=r"only 44.00 EUR"):
        refund_plan(SOLD, [refund(("g", "30.00"), ("k", "10.00"))], Fraction("44.01"))
    assert over_refunded(SOLD, [refund(("g", "30.00"), ("k", "54.00"))]) is None
    for wrong in (("g", "30.01"), ("k", "54.01"), ("x", "0.01")):
        found = over_refunded(SOLD, [refund(wrong)])
        assert found is not None
        assert wrong[0] in found.message
    unnamed = {"refunds": [{"key": "0", "tender": None, "amount": eur("84.01")}]}
    assert over_refunded(SOLD, [unnamed]) is not None


@settings(max_examples=100)
@given(st.lists(st.integers(1, 8_400), max_size=6))
def test_refunds_in_any_portions_stay_within_what_was_captured(portions: list[int]) -> None:
    given_back: list[dict[str, Any]] = []
    left = 8_400
    for minor in portions:
        if minor > left:
            with pytest.raises(ValueError, match="cannot go back"):
                refund_plan(SOLD, given_back, Fraction(minor, 100))
            continue
        plan = refund_plan(SOLD, given_back, Fraction(minor, 100))
        assert sum(Fraction(money["amount"]) for _, money in plan) == Fraction(minor, 100)
        given_back.append(refund(*((key, money["amount"]) for key, money in plan)))
        left -= minor
        assert over_refunded(SOLD, given_back) is None
    assert money_ledger(SOLD, (), given_back).refunded == Fraction(8_400 - left, 100)


def edited(**more: Any) -> dict[str, Any]:
    return {**SOLD, **more}


def test_every_edit_has_its_type_and_personal_values_stay_out() -> None:
    line = SOLD["lines"][0]
    kinds = {
        "line added": edited(lines=[line, {"key": "2", "quantity": units(1), "total": eur("1.00"), "sku": "CUP"}]),
        "line removed": edited(lines=[]), "quantity": edited(lines=[{**line, "quantity": units(2)}]),
        "line total": edited(lines=[{**line, "total": eur("89.00")}]), "address": edited(address={"street": "Abay 1"}),
        "buyer": edited(buyer={"name": "Aigerim"}), "discount": edited(discounts=[]),
        "total": edited(total=eur("83.00")),
        "tender": edited(tenders=SOLD["tenders"][:1]), "shipping": edited(shipping=eur("4.00")),
        "delivery": edited(delivery={"kind": "pickup"}),
    }
    for kind, after in kinds.items():
        assert [edit.kind for edit in changes(SOLD, after)] == [kind]
    said = " ".join(str(edit) for after in kinds.values() for edit in changes(SOLD, after))
    assert "quantity of 1: 3 each → 2 each" in said
    assert "line added of 2: none → CUP" in said
    assert "Abay" not in said
    assert "Aigerim" not in said


def test_what_the_machines_move_is_no_edit() -> None:
    line = {**SOLD["lines"][0], "picked": units(1), "handed_over": units(1)}
    tenders = [{**row, "state": "part_refunded", "refunded": eur("1.00")} for row in SOLD["tenders"]]
    assert changes(SOLD, edited(status="shipped", payment="paid", lines=[line], tenders=tenders, fees=[])) == []


def test_the_same_order_written_otherwise_has_the_same_fingerprint() -> None:
    """`3` and `3.000`, `90.00` and `90`, lines in another sequence."""
    line = SOLD["lines"][0]
    other = {"key": "0", "quantity": units(1), "total": eur("0.00"), "variant": "v2"}
    here = edited(lines=[line, other])
    there = {"lines": [other, {**line, "quantity": units("3.000"), "total": eur("90")}], "total": eur("84.0")}
    assert fingerprint(here) == fingerprint(there)
    assert apart(here, there) == []
    assert fingerprint(here) != fingerprint(SOLD)
    assert apart(SOLD, {"total": eur("83.00")}) == ["total: 84 EUR here, 83 EUR there"]
    assert apart(SOLD, {"lines": [{**line, "quantity": units(2)}]}) == ["line 1 quantity: 3 here, 2 there"]
    assert apart(SOLD, {"lines": []}) == [
        "line 1 quantity: 3 here, none there", "line 1 total: 90 here, none there"
    ]
