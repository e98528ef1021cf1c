"""The money of an order over its life: what its goods are worth now, what was captured, what went back, what is left.

What surprises here: the worth of some units of a line is the difference of two roundings of the whole line, so that any
way of cutting a line into parts adds up to the line, to the minor unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from mappings.commerce.orders.machines import Illegal
from mappings.commerce.orders.quantities import of_order
from mappings.commerce.prices.money import digits, exact, money

ZERO = Fraction(0)
BACK_FIRST: Final = ("gift_card", "points")
"""Kinds of tender that get their own money back before any other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MoneyLedger:
    """All amounts in ``currency``. ``owed = worth − (captured − refunded)``: above zero the buyer still owes it, below
    zero it is owed to the buyer, zero: the ledger is settled."""

    currency: str
    worth: Fraction
    captured: Fraction
    refunded: Fraction

    @property
    def owed(self) -> Fraction:
        """``worth − (captured − refunded)``."""
        return self.worth - (self.captured - self.refunded)


def worth(line: Mapping[str, Any], units: Decimal, *, after: Decimal = Decimal(0)) -> Fraction:
    """What ``units`` of a line are worth, the first ``after`` of them left out: ``share(after + units) −
    share(after)``, where ``share(n) = round(total · n / ordered)`` at the currency's digits. With tax, after the
    line's discounts."""
    ordered = Decimal(line["quantity"]["value"])
    return _share(line["total"], after + units, ordered) - _share(line["total"], after, ordered)


def kept_worth(
    order: Mapping[str, Any], shipments: Sequence[Mapping[str, Any]] = (), returns: Sequence[Mapping[str, Any]] = ()
) -> Fraction:
    """What the buyer pays for in the end: ``total − Σ worth of the units that were cancelled or came back``.

    Shipping, surcharges and discounts of the order as a whole stay, unless all of it was cancelled before it left.
    """
    lines = list(order.get("lines") or ())
    where = of_order(order, shipments, returns)
    gone, nothing = ZERO, bool(lines)
    for line in lines:
        now = where[line["key"]]
        away = now.cancelled + now.returned
        gone += worth(line, away, after=now.ordered - away)
        nothing = nothing and now.cancelled == now.ordered
    return ZERO if nothing else Fraction(order["total"]["amount"]) - gone


def money_ledger(
    order: Mapping[str, Any], shipments: Sequence[Mapping[str, Any]] = (), returns: Sequence[Mapping[str, Any]] = ()
) -> MoneyLedger:
    """The ledger now, of the order's tenders and of the refunds that its returns tell."""
    captured = sum((_captured(row) for row in order.get("tenders") or ()), ZERO)
    refunded = max(
        sum((Fraction(row["refunded"]["amount"]) for row in order.get("tenders") or ()
             if row.get("refunded") is not None), ZERO),
        sum(refunded_by_tender(returns).values(), ZERO),
    )  # fmt: skip
    return MoneyLedger(
        currency=order["total"]["currency"], worth=kept_worth(order, shipments, returns), captured=captured,
        refunded=refunded,
    )


def refunded_by_tender(returns: Sequence[Mapping[str, Any]]) -> dict[str | None, Fraction]:
    """Tender key → Σ of its refunds; None holds what names no tender."""
    found: dict[str | None, Fraction] = {}
    for one in returns:
        for row in one.get("refunds") or ():
            found[row.get("tender")] = found.get(row.get("tender"), ZERO) + Fraction(row["amount"]["amount"])
    return found


def over_refunded(order: Mapping[str, Any], returns: Sequence[Mapping[str, Any]]) -> Illegal | None:
    """The first tender of which more went back than was captured: ``Σ refunds per tender ≤ captured``; None without
    one.

    What names no tender counts against all of them together. An order whose tenders nobody told refuses nothing.
    """
    tenders = order.get("tenders") or ()
    if not tenders:
        return None
    back, currency = refunded_by_tender(returns), order["total"]["currency"]
    for n, row in enumerate(tenders):
        if back.get(row["key"], ZERO) > _captured(row):
            return _over(f"$.tenders[{n}]", f"tender {row['key']}", back[row["key"]], _captured(row), currency)
    known = {row["key"] for row in tenders}
    captured = sum((_captured(row) for row in tenders), ZERO)
    for key in back.keys() - known - {None}:
        return _over("$.tenders", f"tender {key}, which the order does not have", back[key], ZERO, currency)
    if sum(back.values(), ZERO) > captured:
        return _over("$.tenders", "all tenders", sum(back.values(), ZERO), captured, currency)
    return None


def credit(one: Mapping[str, Any]) -> Fraction:
    """What of an exchange no tender got back, so that it pays the other order: ``Σ refunds without a tender``."""
    if one.get("kind") != "exchange":
        return ZERO
    return sum((Fraction(row["amount"]["amount"]) for row in one.get("refunds") or () if row.get("tender") is None),
               ZERO)


def exchange_apart(one: Mapping[str, Any], other: Mapping[str, Any] | None) -> Illegal | None:
    """Why an exchange (a return) and the order of its new goods do not fit; None when they do, and for other returns.

    ``Σ refunds without a tender = Σ exchange tenders of the other order``, to the minor unit, and the other order says
    that it is an exchange of the returned one. So what is given back covers what is taken, and the difference is
    tendered: `balance` of the other order has it paid, `over_refunded` of the returned one has it given back.
    """
    if one.get("kind") != "exchange":
        return None
    if other is None:
        return Illegal(
            path="$.exchange", message="the goods that were taken in exchange are no order here",
            remedy="see what is parked of that order; then `serai replay`",
        )
    if other.get("exchange_of") != one.get("order"):
        return Illegal(
            path="$.exchange", message="the order of the new goods is not an exchange of the order that came back",
            remedy="see at the store which goods were given for which; then `serai replay`",
        )
    currency = other["total"]["currency"]
    paid = sum((Fraction(row["amount"]["amount"]) for row in other.get("tenders") or ()
                if row["kind"] == "exchange" and row["state"] != "failed"), ZERO)
    if paid == credit(one):
        return None
    return Illegal(
        path="$.refunds",
        message=f"{money(credit(one), currency)['amount']} {currency} of the goods given back pay the new ones, whose "
                f"order was paid {money(paid, currency)['amount']} {currency} by them",
        remedy="see at the store what the goods given back were worth, correct the exchange, then `serai replay`",
    )  # fmt: skip


def refund_plan(
    order: Mapping[str, Any], returns: Sequence[Mapping[str, Any]], amount: Fraction
) -> list[tuple[str, dict[str, str]]]:
    """(tender key, money) that gives ``amount`` back: gift cards and points first, then in the order's own sequence,
    each at most ``captured − refunded``. Raises ValueError when that is less than the amount."""
    back, currency = refunded_by_tender(returns), order["total"]["currency"]
    tenders = sorted(order.get("tenders") or (), key=lambda row: row["kind"] not in BACK_FIRST)
    plan, left = [], amount
    for row in tenders:
        told = Fraction(row["refunded"]["amount"]) if row.get("refunded") is not None else ZERO
        part = min(left, _captured(row) - max(back.get(row["key"], ZERO), told))
        if part > 0:
            plan.append((row["key"], money(part, currency)))
            left -= part
    if left > 0:
        raise ValueError(
            f"{money(amount, currency)['amount']} {currency} cannot go back: only "
            f"{money(amount - left, currency)['amount']} {currency} of what was captured is left"
        )
    return plan


def _over(path: str, which: str, back: Fraction, captured: Fraction, currency: str) -> Illegal:
    return Illegal(
        path=path,
        message=f"{which}: {money(back, currency)['amount']} {currency} refunded, "
                f"{money(captured, currency)['amount']} {currency} captured",
        remedy="see on the channel what went back to the buyer, correct the return, then `serai replay`",
    )  # fmt: skip


def _captured(tender: Mapping[str, Any]) -> Fraction:
    if tender.get("captured") is not None:
        return Fraction(tender["captured"]["amount"])
    taken = tender["state"] in ("captured", "part_refunded", "refunded")
    return Fraction(tender["amount"]["amount"]) if taken else ZERO


def _share(total: Mapping[str, str], units: Decimal, ordered: Decimal) -> Fraction:
    if ordered == 0:
        return ZERO
    return Fraction(exact(Fraction(total["amount"]) * Fraction(units) / Fraction(ordered), digits(total["currency"])))
