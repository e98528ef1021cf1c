"""Orders: money that adds up to the minor unit, and tenders that pay it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from mappings.commerce.orders.balance import balance, balanced, imbalance


def cash(minor: int, currency: str = "KZT") -> dict[str, str]:
    return {"amount": f"{Decimal(minor).scaleb(-2):f}", "currency": currency}


def order(lines: list[str], shipping: str | None, total: str, currency: str = "KZT") -> dict[str, Any]:
    def money(amount: str) -> dict[str, str]:
        return {"amount": amount, "currency": currency}

    return {
        "lines": [{"key": str(n), "total": money(amount)} for n, amount in enumerate(lines)],
        "shipping": None if shipping is None else money(shipping),
        "total": money(total),
    }


AMOUNTS = st.integers(0, 10**9).map(lambda minor: f"{Decimal(minor).scaleb(-2):f}")
MINOR = st.integers(0, 10**6)


@given(st.lists(AMOUNTS, max_size=6), st.none() | AMOUNTS, st.integers(-5, 5))
def test_the_difference_is_found_to_the_minor_unit(lines: list[str], shipping: str | None, off: int) -> None:
    """P7: a basket balances exactly or shows by how much it does not."""
    right = sum((Decimal(amount) for amount in [*lines, shipping or "0"]), Decimal(0))
    found = order(lines, shipping, f"{right + Decimal(off).scaleb(-2):f}")
    assert Decimal(balance(found)["amount"]) == Decimal(-off).scaleb(-2)
    assert balance(found)["currency"] == "KZT"
    assert balanced(found) is (off == 0)
    assert (imbalance(found) is None) is (off == 0)


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
    apart = imbalance(mixed)
    assert apart is not None
    assert "EUR, KZT" in apart.message


ROW = st.tuples(MINOR, st.lists(st.integers(0, 5_000), max_size=2), st.integers(0, 9_999))
BASKET = st.fixed_dictionaries({
    "lines": st.lists(ROW, min_size=1, max_size=4), "discounts": st.lists(MINOR, max_size=2),
    "surcharges": st.lists(MINOR, max_size=2), "shipping": st.integers(10**7, 10**8),
    "shipping_tax": st.integers(0, 999), "rounding": st.integers(-50, 50), "included": st.booleans(),
    "split": st.integers(0, 100),
})


def basket(drawn: dict[str, Any]) -> dict[str, Any]:
    """An order with every part there is; what the buyer owes is added up in minor units, apart from the rule."""
    included, owed, lines = drawn["included"], 0, []
    for n, (gross, off, tax) in enumerate(drawn["lines"]):
        total = gross - sum(off) + (0 if included else tax)
        owed += total
        lines.append({
            "key": str(n), "gross": cash(gross), "tax": cash(tax), "total": cash(total),
            "discounts": [{"key": str(k), "amount": cash(part)} for k, part in enumerate(off)],
        })
    owed += drawn["shipping"] - sum(drawn["discounts"]) + sum(drawn["surcharges"]) + drawn["rounding"]
    taxes = sum(tax for _, _, tax in drawn["lines"]) + drawn["shipping_tax"]
    owed += 0 if included else drawn["shipping_tax"]
    paid = owed * drawn["split"] // 100
    return {
        "lines": lines, "shipping": cash(drawn["shipping"]), "tax_included": included,
        "rounding": cash(drawn["rounding"]),
        "discounts": [{"key": str(n), "amount": cash(part)} for n, part in enumerate(drawn["discounts"])],
        "surcharges": [{"key": str(n), "amount": cash(part)} for n, part in enumerate(drawn["surcharges"])],
        "taxes": [{"key": "vat", "amount": cash(taxes)}], "total": cash(owed),
        "tenders": [
            {"key": "1", "kind": "gift_card", "amount": cash(paid), "state": "captured"},
            {"key": "2", "kind": "cod", "amount": cash(owed - paid), "state": "due"},
        ],
    }


PARTS = ("total", "shipping", "rounding", "discounts", "surcharges", "taxes", "gross", "tenders")


@settings(max_examples=100)
@given(BASKET, st.sampled_from(PARTS), st.sampled_from([-1, 1]))
def test_every_part_of_the_equation_counts_and_one_minor_unit_is_enough(
    drawn: dict[str, Any], part: str, off: int
) -> None:
    """Σ gross − discounts + shipping + surcharges + tax where not included + rounding = total = Σ tenders."""
    found = basket(drawn)
    assert imbalance(found) is None
    if part in ("discounts", "surcharges", "taxes", "tenders"):
        if not found[part] or (part == "taxes" and drawn["included"]):
            return
        money = found[part][-1]["amount"]
    else:
        money = found["lines"][0]["gross"] if part == "gross" else found[part]
    money["amount"] = f"{Decimal(money['amount']) + Decimal(off).scaleb(-2):f}"
    apart = imbalance(found)
    assert apart is not None, part
    assert apart.path == {"gross": "$.lines[0].total", "tenders": "$.tenders"}.get(part, "$.total")
    assert apart.remedy


def test_unpaid_is_no_imbalance_and_a_failed_tender_leaves_its_amount_owed() -> None:
    """A cash-on-delivery order, one of which the card was declined, and one paid by a second card afterwards."""
    def paid(*tenders: tuple[int, str]) -> Any:
        rows = [{"key": str(n), "kind": "card", "amount": cash(amount), "state": state}
                for n, (amount, state) in enumerate(tenders)]
        return imbalance({**order(["12.00"], None, "12.00"), "tenders": rows})

    assert paid() is None
    assert paid((1200, "due")) is None
    assert paid((1200, "failed")) is None
    assert paid((1200, "failed"), (1200, "captured")) is None
    assert paid((200, "captured"), (1000, "failed")) is None
    assert paid((200, "captured"), (999, "failed")) is not None
    assert paid((1200, "captured"), (1, "due")) is not None
    assert "11.99 KZT" in paid((1199, "authorised")).message


def test_more_cannot_go_back_to_a_tender_than_it_gave() -> None:
    row = {"key": "1", "kind": "card", "amount": cash(1200), "state": "refunded", "captured": cash(1200)}
    assert imbalance({**order(["12.00"], None, "12.00"), "tenders": [{**row, "refunded": cash(1200)}]}) is None
    apart = imbalance({**order(["12.00"], None, "12.00"), "tenders": [{**row, "refunded": cash(1201)}]})
    assert apart is not None
    assert apart.path == "$.tenders[0].refunded"


def test_an_order_that_does_not_say_enough_is_not_judged() -> None:
    assert imbalance({"status": "shipped"}) is None
    assert imbalance({"status": "shipped", "total": cash(1)}) is None
