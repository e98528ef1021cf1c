"""Three figures of one order: what the buyer pays, what the seller sold it for, what the channel pays out.

What surprises here: a discount that the channel or the manufacturer funds lowers the buyer's price but not the
seller's; a tax that the channel remits is in the buyer's price but never reaches the seller; fees touch the payout
alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from mappings.commerce.prices.money import money

ZERO = Fraction(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class FeeRule:
    """What a channel keeps of an order: ``rate · the seller's price + fixed``, in the order's currency.

    ``rate`` is a fraction (0.12 = 12 %), ``fixed`` an amount per order in ``currency``; null: none.
    """

    kind: str
    rate: Decimal = Decimal(0)
    fixed: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderPolicy:
    """What policies/orders.yaml says of a channel."""

    fees: tuple[FeeRule, ...] = ()


def buyer_pays(order: Mapping[str, Any]) -> dict[str, str]:
    """``total``: what the buyer owes in all, whoever gets it."""
    return dict(order["total"])


def seller_price(order: Mapping[str, Any]) -> dict[str, str]:
    """``total + Σ discounts that the channel or the manufacturer funds − Σ taxes that the channel remits``."""
    amount = _of(order["total"])
    for discount in [*(order.get("discounts") or ()), *_line_discounts(order)]:
        if discount.get("funded_by") in ("channel", "manufacturer"):
            amount += _of(discount["amount"])
    for tax in order.get("taxes") or ():
        if tax.get("remitted_by") == "channel":
            amount -= _of(tax["amount"])
    return money(amount, order["total"]["currency"])


def expected_payout(order: Mapping[str, Any]) -> dict[str, str]:
    """``seller's price − Σ fees − Σ captured cash and cod tenders that the seller collected himself``.

    A tender in cash counts as collected by the seller; ``cod`` does where its provider is ``seller``.
    """
    amount = _of(seller_price(order)) - sum((_of(fee["amount"]) for fee in order.get("fees") or ()), ZERO)
    for tender in order.get("tenders") or ():
        own = tender["kind"] == "cash" or (tender["kind"] == "cod" and tender.get("provider") == "seller")
        if own and tender["state"] != "failed":
            amount -= _of(tender["amount"])
    return money(amount, order["total"]["currency"])


def payout_apart(order: Mapping[str, Any]) -> dict[str, str] | None:
    """``payout − expected payout`` once every fee is settled and the channel said what it paid; None before."""
    fees = order.get("fees") or ()
    if order.get("payout") is None or any(fee.get("state") != "settled" for fee in fees):
        return None
    return money(_of(order["payout"]) - _of(expected_payout(order)), order["total"]["currency"])


def estimated_fees(order: Mapping[str, Any], rules: Sequence[FeeRule]) -> list[dict[str, Any]]:
    """One fee per rule, ``round half up(rate · seller's price + fixed)`` at the currency's digits, state estimated.

    A fixed amount in another currency than the order's is left out: nothing is converted without a rate.
    """
    currency, base = order["total"]["currency"], _of(seller_price(order))
    found = []
    for rule in rules:
        fixed = Fraction(rule.fixed) if rule.fixed is not None and rule.currency in (None, currency) else ZERO
        amount = money(Fraction(rule.rate) * base + fixed, currency)
        found.append({"key": rule.kind, "kind": rule.kind, "amount": amount, "state": "estimated"})
    return found


def fees(
    told: Sequence[Mapping[str, Any]] | None, before: Sequence[Mapping[str, Any]] | None,
    estimated: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """The order's fees: what the channel tells (a settlement report) in place of every estimate; else the estimate that
    was made at acceptance, and never another one later."""
    if told:
        return [dict(row) for row in told]
    return [dict(row) for row in (before if before else estimated)]


def _line_discounts(order: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [row for line in order.get("lines") or () for row in line.get("discounts") or ()]


def _of(amount: Mapping[str, str]) -> Fraction:
    return Fraction(amount["amount"])
