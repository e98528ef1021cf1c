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
from typing import Any, Final

from mappings.commerce.prices.money import money

ZERO = Fraction(0)
TAKEN: Final = ("captured", "part_refunded", "refunded")


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


def sellers_part(order: Mapping[str, Any], amount: Fraction) -> Fraction:
    """What of an amount of the buyer's money is the seller's: ``round(amount · seller's price / total)`` at the
    currency's digits; of an order of nothing ``seller's price + amount``. The rest others gave (a discount of theirs)
    or take (a tax they remit)."""
    total, currency, price = _of(order["total"]), order["total"]["currency"], _of(seller_price(order))
    share = price + amount if total == 0 else amount * price / total
    return Fraction(money(share, currency)["amount"])


def buyers_money(order: Mapping[str, Any]) -> Fraction:
    """What the buyer paid or is going to: ``Σ tenders that did not fail``, of each what was captured, before that its
    amount; the total where no tender is told."""
    tenders = order.get("tenders") or ()
    if not tenders:
        return _of(order["total"])
    return sum((_of(row["captured"]) if row.get("captured") is not None and row["state"] in TAKEN
                else _of(row["amount"]) for row in tenders if row["state"] != "failed"), ZERO)


def expected_payout(order: Mapping[str, Any], refunded: Fraction = ZERO) -> dict[str, str]:
    """``seller's part of (buyer's money − refunded) − Σ fees − Σ tenders that the seller has himself``.

    A tender in cash counts as collected by the seller; ``cod`` does where its provider is ``seller``; what goods of
    another order paid (``exchange``) came with that order. ``refunded``: what went back to the buyer by the channel.
    """
    amount = sellers_part(order, buyers_money(order) - refunded)
    amount -= sum((_of(fee["amount"]) for fee in order.get("fees") or ()), ZERO)
    for tender in order.get("tenders") or ():
        own = tender["kind"] in ("cash", "exchange") or (tender["kind"] == "cod" and tender.get("provider") == "seller")
        if own and tender["state"] != "failed":
            amount -= _of(tender["amount"])
    return money(amount, order["total"]["currency"])


def payout_apart(order: Mapping[str, Any], refunded: Fraction = ZERO) -> dict[str, str] | None:
    """``payout − expected payout`` once every fee is settled and the channel said what it paid; None before."""
    fees = order.get("fees") or ()
    if order.get("payout") is None or any(fee.get("state") != "settled" for fee in fees):
        return None
    return money(_of(order["payout"]) - _of(expected_payout(order, refunded)), order["total"]["currency"])


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
    channel tells, and of other kinds the estimate that was made at acceptance, and never another one later."""
    rows, known = [dict(row) for row in told or ()], [dict(row) for row in before or ()]
    if is_settled(rows) or is_settled(known):
        return rows if is_settled(rows) else known
    kinds = {row.get("kind") for row in rows}
    return rows + [row for row in known if row.get("kind") not in kinds]


def is_settled(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether these fees are the channel's own final word: there are some, and none is an estimate."""
    return bool(rows) and all(row.get("state") == "settled" for row in rows)


def _line_discounts(order: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [row for line in order.get("lines") or () for row in line.get("discounts") or ()]


def _of(amount: Mapping[str, str]) -> Fraction:
    return Fraction(amount["amount"])
