"""Prices: validity, tax, rounding."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, strategies as st

from mappings.commerce.prices import Overlap, convert, digits, exact, faults, gross, money, net, next_change, pick

VAT = Decimal("0.16")
AMOUNTS = st.decimals(0, 10**12, places=2)


def price(amount: str, start: str | None = None, end: str | None = None, price_list: str = "retail") -> dict[str, Any]:
    return {
        "variant": "v1",
        "list": price_list,
        "amount": {"amount": amount, "currency": "KZT"},
        "tax_mode": "gross",
        "valid_from": start,
        "valid_to": end,
    }


NOW = "2026-03-01T09:00:00Z"


def test_a_dated_price_beats_an_undated_one_while_it_holds() -> None:
    usual, sale = price("100.00"), price("80.00", "2026-03-01T09:00:00Z", "2026-03-02T09:00:00Z")
    assert pick([usual, sale], "retail", NOW) is sale
    assert pick([sale, usual], "retail", "2026-03-01T08:59:59.999Z") is usual
    assert pick([sale, usual], "retail", "2026-03-02T09:00:00Z") is usual


def test_the_latest_start_wins_among_dated_ones_and_another_list_never_counts() -> None:
    old = price("90.00", "2026-01-01T00:00:00Z")
    new = price("85.00", "2026-02-01T00:00:00Z")
    other = price("1.00", "2026-02-28T00:00:00Z", price_list="wholesale")
    assert pick([old, other, new], "retail", NOW) is new
    assert pick([other], "retail", NOW) is None
    assert pick([price("5.00", None, NOW)], "retail", NOW) is None


def test_a_price_of_zero_is_a_price() -> None:
    """P7: zero is not absent; whether it may go out is the breaker's question."""
    free = price("0.00")
    assert pick([free], "retail", NOW) is free


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="needs its zone"):
        pick([price("1.00")], "retail", "2026-03-01T09:00:00")


def test_the_next_change_is_the_nearest_edge_ahead() -> None:
    prices = [price("100.00"), price("80.00", NOW, "2026-03-02T09:00:00Z"), price("70.00", "2026-03-01T09:00:00.5Z")]
    assert next_change(prices, "retail", NOW) == "2026-03-01T09:00:00.5Z"
    assert next_change(prices, "retail", "2026-03-02T09:00:00Z") is None


MOMENTS = st.none() | st.integers(0, 9).map(lambda day: f"2026-03-0{day + 1 if day < 9 else 9}T00:00:00Z")


@given(st.lists(st.builds(price, st.sampled_from(["1.00", "2.00"]), MOMENTS, MOMENTS), max_size=5), st.randoms())
def test_the_price_that_holds_does_not_depend_on_the_order_of_the_prices(
    prices: list[dict[str, Any]], random: Any
) -> None:
    """Nothing is picked in silence: where two prices hold and neither is the more dated, that is said whatever comes
    first, and it is a fault of the data that is listed."""

    def picked(rows: list[dict[str, Any]]) -> Any:
        try:
            return pick(rows, "retail", "2026-03-04T12:00:00Z")
        except Overlap as fault:
            return str(fault)

    shuffled = list(prices)
    random.shuffle(shuffled)
    chosen = picked(prices)
    assert picked(shuffled) == chosen
    if isinstance(chosen, str):
        assert faults(prices) != []


@pytest.mark.parametrize(("currency", "places"), [("KZT", 2), ("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)])
def test_each_currency_has_its_digits(currency: str, places: int) -> None:
    assert digits(currency) == places
    assert money(Decimal(5), currency) == {"amount": f"{Decimal(5):.{places}f}", "currency": currency}


@pytest.mark.parametrize(
    ("value", "text"),
    [("2.345", "2.35"), ("2.3449999999999999999999999999999", "2.34"), ("-2.345", "-2.35"), ("-0.001", "0.00")],
)
def test_rounding_is_half_up_once_and_has_no_negative_zero(value: str, text: str) -> None:
    assert money(Fraction(value), "KZT")["amount"] == text


def test_the_tax_of_a_price_is_exact() -> None:
    assert gross({"amount": "10767.24", "currency": "KZT"}, VAT) == {"amount": "12490.00", "currency": "KZT"}
    assert net({"amount": "12490.00", "currency": "KZT"}, VAT) == {"amount": "10767.24", "currency": "KZT"}
    huge = {"amount": "98765432109876543210987654321.99", "currency": "KZT"}
    assert gross(huge, Decimal(0)) == huge


@given(AMOUNTS, st.decimals(0, 1, places=4))
def test_gross_is_never_further_than_half_a_minor_unit_from_the_exact_figure(amount: Decimal, tax: Decimal) -> None:
    """P7: one rounding, at the end."""
    found = gross({"amount": str(amount), "currency": "KZT"}, tax)
    assert abs(Fraction(found["amount"]) - Fraction(amount) * (1 + Fraction(tax))) <= Fraction(1, 200)


@given(AMOUNTS, st.decimals(0, 1, places=4))
def test_net_of_gross_is_the_price_again(amount: Decimal, tax: Decimal) -> None:
    """P4: a price that went out with tax and came back does not drift."""
    start = {"amount": f"{amount:.2f}", "currency": "KZT"}
    assert net(gross(start, tax), tax) == start


def test_a_price_already_in_the_wanted_mode_is_left_alone_and_unknown_modes_are_refused() -> None:
    odd = price("12.345")
    assert convert(odd, "gross", VAT) == {"amount": "12.345", "currency": "KZT"}
    assert convert({**odd, "tax_mode": "net"}, "gross", VAT)["amount"] == "14.32"
    assert convert(odd, "net", VAT)["amount"] == "10.64"
    with pytest.raises(ValueError, match="no tax mode"):
        convert(odd, "brutto", VAT)
    with pytest.raises(ValueError, match="not negative"):
        gross(odd["amount"], Decimal("-0.1"))


@given(st.fractions(), st.integers(0, 6))
def test_rounding_agrees_with_its_formula(value: Fraction, places: int) -> None:
    rounded = Fraction(exact(value, places))
    assert abs(rounded - value) <= Fraction(1, 2 * 10**places)
    assert Fraction(exact(-value, places)) == -rounded
