"""Settlement reports beside the orders they are about: what is paid out, what differs, to the minor unit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from mappings.commerce.orders.figures import expected_payout, seller_price
from mappings.commerce.orders.merging import settled
from mappings.commerce.orders.refunds import exchange_apart
from mappings.commerce.orders.settlement import difference, outstanding, reported, sums, unsettled, wrong

MINOR = st.integers(0, 10**7)


def eur(minor: int, currency: str = "EUR") -> dict[str, str]:
    return {"amount": f"{Decimal(minor).scaleb(-2):f}", "currency": currency}


def line(kind: str, minor: int, name: str | None = None, currency: str = "EUR") -> dict[str, Any]:
    return {"kind": kind, "name": name, "amount": eur(minor, currency)}


def sold(total: int, funded: int = 0, remitted: int = 0) -> dict[str, Any]:
    """An order of so much, a discount of it funded by the channel, a tax of it remitted by the channel."""
    return {
        "total": eur(total), "lines": [], "fees": [{"key": "commission", "amount": eur(7), "state": "estimated"}],
        "discounts": [{"key": "d", "amount": eur(funded), "funded_by": "channel"}],
        "taxes": [{"key": "t", "amount": eur(remitted), "remitted_by": "channel"}],
    }


@settings(max_examples=150)
@given(MINOR, st.integers(0, 5_000), st.lists(st.tuples(st.sampled_from(["commission", "ads", None]),
                                                       st.integers(-500, 5_000)), max_size=4),
       st.floats(0, 1), st.integers(-300, 300))
def test_a_payout_is_the_buyers_money_less_fees_and_refunds_or_the_difference_is_named(
    total: int, funded: int, kept: list[tuple[str | None, int]], back: float, apart: int
) -> None:
    """`payout = seller's price − fees − refunds`, to the minor unit, whatever a report holds."""
    order = sold(total, funded)
    refunded = int(total * back)
    lines = [line("sale", total + funded), *(line("fee", -minor, name) for name, minor in kept)]
    share = int(outstanding(order, lines, Fraction(refunded, 100)) * 100)
    assert share == (refunded if not funded else pytest.approx(refunded * (total + funded) / max(total, 1), abs=1))
    lines.append(line("refund", -share))
    if apart:
        lines.append(line("adjustment", apart))
    found = difference(order, lines, Fraction(refunded, 100))
    assert found is not None
    assert Decimal(found["amount"]) * 100 == apart
    fault = wrong(order, lines, Fraction(refunded, 100))
    assert (fault is None) == (apart == 0 or (abs(apart) == 1 and funded > 0 and refunded > 0))
    then = reported(order, lines)
    assert Decimal(then["payout"]["amount"]) * 100 == total + funded - sum(minor for _, minor in kept) - share + apart
    assert {fee["state"] for fee in then["fees"]} <= {"settled"}
    assert sum(Decimal(fee["amount"]["amount"]) for fee in then["fees"]) * 100 == sum(minor for _, minor in kept)
    assert Decimal(expected_payout(then, Fraction(refunded, 100))["amount"]) * 100 == (
        Decimal(then["payout"]["amount"]) * 100 - apart
    )


def test_a_refund_that_no_report_tells_yet_is_outstanding_and_one_that_nobody_made_is_wrong() -> None:
    order = sold(10_000)
    lines = [line("sale", 10_000), line("fee", -1_200, "commission")]
    assert wrong(order, lines, Fraction(30)) is None
    assert outstanding(order, lines, Fraction(30)) == 30
    lines.append(line("refund", -3_000))
    assert wrong(order, lines, Fraction(30)) is None
    assert outstanding(order, lines, Fraction(30)) == 0
    assert difference(order, lines, Fraction(0)) == eur(-3_000)
    assert "58.00 EUR paid out, 30.00 EUR less" in str(wrong(order, lines, Fraction(0)))


def test_a_refund_takes_off_the_sellers_share_where_others_paid_or_took_a_part() -> None:
    """80.00 paid, 20.00 of it a discount of the channel's: half of it back is 50.00 of the seller's 100.00."""
    order = sold(8_000, funded=2_000)
    assert seller_price(order) == eur(10_000)
    assert wrong(order, [line("sale", 10_000), line("refund", -5_000)], Fraction(40)) is None
    remits = sold(12_000, remitted=2_000)
    assert wrong(remits, [line("sale", 10_000), line("refund", -10_000)], Fraction(120)) is None
    assert wrong(sold(0), [line("sale", 0)], Fraction(0)) is None


def test_estimates_stay_until_the_sale_is_reported_and_never_come_back() -> None:
    order = sold(10_000)
    early = reported(order, [line("refund", -100)])
    assert [fee["state"] for fee in early["fees"]] == ["estimated"]
    assert early["payout"] == eur(-100)
    assert difference(order, [line("refund", -100)]) is None
    assert reported(order, []) == order
    free = reported(order, [line("sale", 10_000)])
    assert free["fees"] == []
    report = reported(order, [line("sale", 10_000), line("fee", -900, "ads")])
    repeated = {**order, "status": "open"}
    again = settled(repeated, [repeated], report)
    assert (again["fees"], again["payout"]) == (report["fees"], eur(9_100))


def test_a_report_in_another_currency_is_compared_with_nothing() -> None:
    order, lines = sold(10_000), [line("sale", 10_000, currency="USD")]
    assert reported(order, lines) == order
    assert difference(order, lines) is None
    assert wrong(order, lines) == "the order is in EUR, its report in USD"


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(["sale", "refund", "fee", "adjustment"]), st.integers(-10**6, 10**6)),
                max_size=8), st.integers(-2, 2), st.integers(-2, 2))
def test_a_report_adds_up_to_its_total_and_its_payouts_or_says_by_how_much_not(
    told: list[tuple[str, int]], off: int, lost: int
) -> None:
    lines = [line(kind, minor) for kind, minor in told]
    left = sum(minor for _, minor in told)
    assert sums(lines).paid_out * 100 == left
    report = {"number": "1", "total": eur(left + off), "lines": [*lines, line("payout", left + lost)]}
    fault = unsettled(report)
    assert (fault is None) == (off == 0 and lost == 0)
    if fault is not None:
        first = off if off else lost
        assert f": {Decimal(-first).scaleb(-2):f} EUR apart" in fault.message
    assert unsettled({"number": "1", "total": None, "lines": lines}) is None


@pytest.mark.parametrize("more", [[line("sale", 1, currency="USD")], [line("payout", 1, currency="USD")]])
def test_a_report_of_two_currencies_does_not_add_up(more: list[dict[str, Any]]) -> None:
    fault = unsettled({"number": "1", "lines": [line("sale", 1), *more]})
    assert fault is not None
    assert "EUR, USD" in fault.message


@settings(max_examples=100)
@given(MINOR, MINOR, st.integers(-2, 2))
def test_what_is_given_back_covers_what_is_taken_in_exchange_to_the_minor_unit(
    worth: int, price: int, off: int
) -> None:
    """Nothing is adjusted in silence: a minor unit too much or too little is a person's, with both amounts."""
    paid = min(worth, price)
    back = {"kind": "exchange", "order": "o", "refunds": [
        {"key": "1", "tender": None, "amount": eur(max(0, paid + off))},
        {"key": "2", "tender": "card", "amount": eur(worth - paid)},
    ]}
    taken = {"exchange_of": "o", "total": eur(price), "tenders": [
        {"key": "1", "kind": "exchange", "amount": eur(paid), "state": "captured"},
        {"key": "2", "kind": "cash", "amount": eur(price - paid), "state": "captured"},
        {"key": "3", "kind": "exchange", "amount": eur(1), "state": "failed"},
    ]}
    fault = exchange_apart(back, taken)
    assert (fault is None) == (max(0, paid + off) == paid)
    if fault is not None:
        assert f"{eur(max(0, paid + off))['amount']} EUR" in fault.message
        assert f"{eur(paid)['amount']} EUR by them" in fault.message
    assert exchange_apart({**back, "kind": "return"}, None) is None
    assert exchange_apart(back, None) is not None
    assert exchange_apart({**back, "order": "another"}, taken) is not None
