"""Orders: money that adds up to the minor unit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st

from mappings.commerce.orders.balance import balance, balanced


def order(lines: list[str], shipping: str | None, total: str, currency: str = "KZT") -> dict[str, Any]:
    def money(amount: str) -> dict[str, str]:
        return {"amount": amount, "currency": currency}

    return {
        "lines": [{"key": str(n), "total": money(amount)} for n, amount in enumerate(lines)],
        "shipping": None if shipping is None else money(shipping),
        "total": money(total),
    }


AMOUNTS = st.integers(0, 10**9).map(lambda minor: f"{Decimal(minor).scaleb(-2):f}")


@given(st.lists(AMOUNTS, max_size=6), st.none() | AMOUNTS, st.integers(-5, 5))
def test_the_difference_is_found_to_the_minor_unit(lines: list[str], shipping: str | None, off: int) -> None:
    """P7: a basket balances exactly or shows by how much it does not."""
    right = sum((Decimal(amount) for amount in [*lines, shipping or "0"]), Decimal(0))
    found = order(lines, shipping, f"{right + Decimal(off).scaleb(-2):f}")
    assert Decimal(balance(found)["amount"]) == Decimal(-off).scaleb(-2)
    assert balance(found)["currency"] == "KZT"
    assert balanced(found) is (off == 0)


def test_an_order_of_nothing_and_one_with_zero_shipping_add_up() -> None:
    assert balance(order([], None, "0.00")) == {"amount": "0.00", "currency": "KZT"}
    assert balanced(order(["12.00"], "0.00", "12.00"))
    assert balanced({k: v for k, v in order(["12.00"], None, "12.00").items() if k != "shipping"})


def test_a_difference_finer_than_the_currency_is_not_rounded_away() -> None:
    assert balance(order(["0.004"], None, "0.00")) == {"amount": "0.004", "currency": "KZT"}


def test_currencies_are_never_added_together() -> None:
    """P7: USD 224.23 is not EUR 224.23."""
    mixed = {**order(["1.00"], None, "1.00"), "shipping": {"amount": "0.00", "currency": "EUR"}}
    with pytest.raises(ValueError, match="EUR, KZT"):
        balance(mixed)
