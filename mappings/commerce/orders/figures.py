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


def expected_payout(order: Mapping[str, Any], back: Fraction = ZERO) -> dict[str, str]:
    """``seller's price − Σ fees − Σ tenders that the seller has himself − back``.

    A tender in cash counts as collected by the seller; ``cod`` does where its provider is ``seller``; what goods of
    another order paid (``exchange``) came with that order. ``back`` is what
    of the seller's price went back to the buyer, in the order's currency: `seller_share` of the refunds.
    """
    amount = _of(seller_price(order)) - sum((_of(fee["amount"]) for fee in order.get("fees") or ()), ZERO) - back
    for tender in order.get("tenders") or ():
        own = tender["kind"] in ("cash", "exchange") or (tender["kind"] == "cod" and tender.get("provider") == "seller")
        if own and tender["state"] != "failed":
            amount -= _of(tender["amount"])
    return money(amount, order["total"]["currency"])


def seller_share(order: Mapping[str, Any], refunded: Fraction) -> Fraction:
    """What of a refund the seller pays: ``round(refunded · seller's price / total)`` at the currency's digits.

    The rest is what others gave (a discount of theirs) or took (a tax they remit) when it was sold.
    """
    total, currency = _of(order["total"]), order["total"]["currency"]
    if total == 0:
        return ZERO
    return Fraction(money(refunded * _of(seller_price(order)) / total, currency)["amount"])


def payout_apart(order: Mapping[str, Any], back: Fraction = ZERO) -> dict[str, str] | None:
    """``payout − expected payout`` once every fee is settled and the channel said what it paid; None before."""
    fees = order.get("fees") or ()
    if order.get("payout") is None or any(fee.get("state") != "settled" for fee in fees):
        return None
    return money(_of(order["payout"]) - _of(expected_payout(order, back)), order["total"]["currency"])


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
    told: Sequence[Mapping[str, Any]] | None, before: Sequence[Mapping[str, Any]] | None
) -> list[dict[str, Any]]:
    """The order's fees: what is settled in place of every estimate, by whatever the channel told it; else what the
    channel tells; else the estimate that was made at acceptance, and never another one later."""
    known = [dict(row) for row in before or ()]
    if told and (is_settled(told) or not is_settled(known)):
        return [dict(row) for row in told]
    return known


def is_settled(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether these fees are the channel's own final word: there are some, and none is an estimate."""
    return bool(rows) and all(row.get("state") == "settled" for row in rows)


def _line_discounts(order: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [row for line in order.get("lines") or () for row in line.get("discounts") or ()]


def _of(amount: Mapping[str, str]) -> Fraction:
    return Fraction(amount["amount"])
