"""Settlement reports: what a channel kept of each order and paid out, beside what the order says it should be.

What surprises here: amounts are signed as the seller sees them (a fee is below zero). An order may stand in several
reports, its sale in one and its refund in the next, so whatever is asked of an order is asked of all its lines. And a
refund that no report tells yet is outstanding, not wrong; one that a report tells and nobody made is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from mappings.commerce.orders.balance import Imbalance, spelled
from mappings.commerce.orders.figures import ZERO, buyers_money, payout_apart, seller_price, sellers_part
from mappings.commerce.prices.money import digits, money

PAYOUT: Final = "payout"
REMEDY: Final = "ask the channel for the missing lines, or mend the mapping of its report, then `serai replay`"
Line = Mapping[str, Any]
"""{kind, name, amount: {amount, currency}}, signed"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """What lines come to by kind, in one currency's major units. ``paid_out = sale + refund + fee + adjustment``."""

    sale: Fraction = ZERO
    refund: Fraction = ZERO
    fee: Fraction = ZERO
    adjustment: Fraction = ZERO

    @property
    def paid_out(self) -> Fraction:
        """``sale + refund + fee + adjustment``: what is left for the seller."""
        return self.sale + self.refund + self.fee + self.adjustment


def sums(lines: Sequence[Line]) -> Sums:
    """The lines by kind; payouts are no part of it, they are what it is compared with."""
    found = {name: ZERO for name in ("sale", "refund", "fee", "adjustment", PAYOUT)}
    for line in lines:
        found[line["kind"]] += Fraction(line["amount"]["amount"])
    del found[PAYOUT]
    return Sums(**found)


def unsettled(settlement: Mapping[str, Any]) -> Imbalance | None:
    """The first equation of a report that does not hold, to the last digit; None when all do.

    ``Σ lines that are no payout = total``, where a total is told · ``Σ payouts = Σ all other lines``, where a payout is
    told. All in one currency.
    """
    lines = settlement["lines"]
    told = [line["amount"] for line in lines]
    told += [settlement["total"]] if settlement.get("total") is not None else []
    currencies = sorted({amount["currency"] for amount in told})
    if len(currencies) > 1:
        return Imbalance(path="$.lines", message=f"one report, one currency: found {', '.join(currencies)}",
                         remedy=REMEDY)
    left = sums(lines).paid_out
    paid = [Fraction(line["amount"]["amount"]) for line in lines if line["kind"] == PAYOUT]
    said = [("total", Fraction(settlement["total"]["amount"]))] if settlement.get("total") is not None else []
    said += [("payouts", sum(paid, ZERO))] if paid else []
    for name, amount in said:
        if amount != left:
            here, there = spelled(left, currencies[0]), spelled(amount, currencies[0])
            return Imbalance(
                path="$.total" if name == "total" else "$.lines", remedy=REMEDY,
                message=f"its lines make {here}, the {name} {there}: {spelled(left - amount, currencies[0])} apart",
            )
    return None


def reported(order: Mapping[str, Any], lines: Sequence[Line]) -> dict[str, Any]:
    """The order with what its reports say: a fee per name, ``−Σ of its lines``, settled, in place of every estimate,
    and ``payout = Σ lines``. Before a sale or a fee is reported the estimates stay."""
    if not lines or _foreign(order, lines):
        return dict(order)
    currency = order["total"]["currency"]
    found = {**order, "payout": money(sums(lines).paid_out, currency)}
    if not any(line["kind"] in ("sale", "fee") for line in lines):
        return found
    by_name: dict[str, Fraction] = {}
    for line in lines:
        if line["kind"] == "fee":
            name = line.get("name") or "fee"
            by_name[name] = by_name.get(name, ZERO) - Fraction(line["amount"]["amount"])
    found["fees"] = [
        {"key": name, "kind": name, "amount": money(amount, currency), "state": "settled"}
        for name, amount in sorted(by_name.items())
    ]
    return found


def difference(order: Mapping[str, Any], lines: Sequence[Line], refunded: Fraction = ZERO) -> dict[str, str] | None:
    """What the channel paid out more (less: below zero) than it should: ``Σ lines − outstanding − expected payout``.

    ``refunded`` is what the buyer got back in all by the channel; what of it no report tells yet is `outstanding`.
    Zero is a difference of zero; None: its sale is not reported yet, or the reports are in another currency.
    """
    if _foreign(order, lines) or not any(line["kind"] == "sale" for line in lines):
        return None
    apart = payout_apart(reported(order, lines), refunded)
    if apart is None:
        return None
    return money(Fraction(apart["amount"]) - outstanding(order, lines, refunded), apart["currency"])


def outstanding(order: Mapping[str, Any], lines: Sequence[Line], refunded: Fraction = ZERO) -> Fraction:
    """``max(0, seller's part of the refunds + Σ refund lines)``: refunds that the next report will take off."""
    paid = buyers_money(order)
    part = sellers_part(order, paid) - sellers_part(order, paid - refunded)
    return max(ZERO, part + sums(lines).refund)


def wrong(order: Mapping[str, Any], lines: Sequence[Line], refunded: Fraction = ZERO) -> str | None:
    """Why a person must ask the channel about this order, with the difference in money; None: all is as it should be.

    To the minor unit; where others paid or took a part of what was refunded, one minor unit is their rounding.
    """
    if _foreign(order, lines):
        return f"the order is in {order['total']['currency']}, its report in {lines[0]['amount']['currency']}"
    apart = difference(order, lines, refunded)
    if apart is None or Fraction(apart["amount"]) == 0:
        return None
    amount, currency = Fraction(apart["amount"]), apart["currency"]
    shared = refunded != 0 and Fraction(seller_price(order)["amount"]) != Fraction(order["total"]["amount"])
    if shared and abs(amount) * 10 ** digits(currency) <= 1:
        return None
    more = "more" if amount > 0 else "less"
    paid = spelled(sums(lines).paid_out, currency)
    return f"{paid} paid out, {spelled(abs(amount), currency)} {more} than its price, fees and refunds make"


def _foreign(order: Mapping[str, Any], lines: Sequence[Line]) -> bool:
    return any(line["amount"]["currency"] != order["total"]["currency"] for line in lines)
