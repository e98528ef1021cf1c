"""Whether an order's money adds up, to the minor unit: what the buyer owes, and the tenders that pay it.

What surprises here: figures are the platform's own, summed and compared, never rebuilt from unit prices (their rounding
differs from platform to platform). And unpaid is a state, not an imbalance: a tender that is due counts like one that
is captured, and one that failed leaves its amount owed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from mappings.commerce.prices.money import digits, exact

FAILED = "failed"
ZERO = Fraction(0)
Money = Mapping[str, str]
"""{"amount": "12.50", "currency": "EUR"}"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Imbalance:
    """Where an order does not add up (a JSON path), the figures, and what to do about it."""

    path: str
    message: str
    remedy: str


def imbalance(order: Mapping[str, Any]) -> Imbalance | None:
    """The first equation that does not hold; None when all do, or when the order does not say enough to tell.

    ``Σ line gross − discounts + shipping + surcharges + tax where not included + rounding = total``
    ``Σ tenders that did not fail = total``, less at most what failed; no tender told: nothing to compare
    ``line gross − its discounts + its tax where not included = line total``, where all of these are told
    ``0 ≤ refunded ≤ captured`` of each tender
    All in the currency's major units, exact.
    """
    if order.get("total") is None or order.get("lines") is None:
        return None
    try:
        one_currency(_amounts(order))
    except ValueError as fault:
        return Imbalance(path="$", message=str(fault), remedy="mend the mapping of its amounts, then `serai replay`")
    return _lines_apart(order) or _total_apart(order) or _tenders_apart(order)


def balance(order: Mapping[str, Any]) -> dict[str, str]:
    """Money: ``Σ parts − total``, exact, at the currency's digits or finer if the order is finer. Zero: it adds up.

    Raises ValueError when the amounts are not all in one currency.
    """
    currency = one_currency(_amounts(order))
    difference = sum((amount for _, amount in parts(order)), ZERO) - _of(order["total"])
    finest = max(digits(currency), *(_places(money) for money in _amounts(order)))
    return {"amount": f"{exact(difference, finest):f}", "currency": currency}


def balanced(order: Mapping[str, Any]) -> bool:
    """Whether its parts add up to the total, to the last digit."""
    return Decimal(balance(order)["amount"]) == 0


def parts(order: Mapping[str, Any]) -> list[tuple[str, Fraction]]:
    """What the total is made of, as (name, signed amount), those of zero left out, the lines first.

    Where every line says its gross: gross, less discounts, and with ``tax_included: false`` the taxes on top (``taxes``
    where told, else the lines' own). Else line totals, which are with tax and after their discounts.
    """
    lines = order["lines"]
    gross = bool(lines) and all(line.get("gross") is not None for line in lines)
    found = [("lines", sum((_of(line["gross" if gross else "total"]) for line in lines), ZERO))]
    if gross:
        found.append(("line discounts", -sum((line_discount(line) for line in lines), ZERO)))
    found.append(("discounts", -sum((_of(row["amount"]) for row in order.get("discounts") or ()), ZERO)))
    found.append(("shipping", _of(order.get("shipping"))))
    found.append(("surcharges", sum((_of(row["amount"]) for row in order.get("surcharges") or ()), ZERO)))
    if gross and order.get("tax_included") is False:
        found.append(("tax", _tax(order)))
    found.append(("rounding", _of(order.get("rounding"))))
    return [found[0], *((name, amount) for name, amount in found[1:] if amount != 0)]


def line_discount(line: Mapping[str, Any]) -> Fraction:
    """What a line's price was lowered by: the sum of ``discounts`` where these are told, else ``discount``."""
    if line.get("discounts") is not None:
        return sum((_of(row["amount"]) for row in line["discounts"]), ZERO)
    return _of(line.get("discount"))


def one_currency(amounts: Iterable[Money]) -> str:
    """The currency all amounts share; raises ValueError naming the currencies found."""
    found = sorted({money["currency"] for money in amounts})
    if len(found) != 1:
        raise ValueError(f"one order, one currency: found {', '.join(found) or 'none'}")
    return found[0]


def spelled(amount: Fraction, currency: str) -> str:
    """An amount as a sentence shows it, at the currency's digits or as fine as it is."""
    places = digits(currency)
    while (amount * 10**places).denominator != 1 and places < 12:
        places += 1
    return f"{exact(amount, places):f} {currency}"


def _lines_apart(order: Mapping[str, Any]) -> Imbalance | None:
    net = order.get("tax_included") is False
    for n, line in enumerate(order["lines"]):
        if line.get("gross") is None or line.get("total") is None:
            continue
        if order.get("tax_included") is None or (net and line.get("tax") is None):
            continue
        made = _of(line["gross"]) - line_discount(line) + (_of(line["tax"]) if net else ZERO)
        if made != _of(line["total"]):
            currency = line["total"]["currency"]
            return Imbalance(
                path=f"$.lines[{n}].total",
                message=f"line {line['key']}: gross, discounts{' and tax' if net else ''} make "
                        f"{spelled(made, currency)}, its total is {spelled(_of(line['total']), currency)}",
                remedy="mend the line on the channel, or the mapping of its amounts, then `serai replay`",
            )  # fmt: skip
    return None


def _total_apart(order: Mapping[str, Any]) -> Imbalance | None:
    made, total, currency = parts(order), _of(order["total"]), order["total"]["currency"]
    difference = sum((amount for _, amount in made), ZERO) - total
    if difference == 0:
        return None
    said = " ".join(
        f"{'−' if amount < 0 else '+' if n else ''}{' ' if n else ''}{name} {spelled(abs(amount), currency)}"
        for n, (name, amount) in enumerate(made)
    )
    return Imbalance(
        path="$.total",
        message=f"{said} differ from the total {spelled(total, currency)} by {spelled(difference, currency)}",
        remedy="mend the order on the channel, or the mapping of its amounts, then `serai replay`",
    )


def _tenders_apart(order: Mapping[str, Any]) -> Imbalance | None:
    tenders: Sequence[Mapping[str, Any]] = order.get("tenders") or ()
    total, currency = _of(order["total"]), order["total"]["currency"]
    for n, tender in enumerate(tenders):
        captured, refunded = _captured(tender), _of(tender.get("refunded"))
        if not 0 <= refunded <= captured:
            return Imbalance(
                path=f"$.tenders[{n}].refunded",
                message=f"tender {tender['key']}: {spelled(refunded, currency)} went back, "
                        f"{spelled(captured, currency)} was captured",
                remedy="correct the refund on the channel, then `serai replay`",
            )  # fmt: skip
    live = [tender for tender in tenders if tender["state"] != FAILED]
    if not live:
        return None
    paid = sum((_of(tender["amount"]) for tender in live), ZERO)
    failed = sum((_of(tender["amount"]) for tender in tenders if tender["state"] == FAILED), ZERO)
    if 0 <= total - paid <= failed:
        return None
    return Imbalance(
        path="$.tenders",
        message=f"tenders make {spelled(paid, currency)}, the total is {spelled(total, currency)}",
        remedy="correct how the order is paid on the channel, or the mapping of its tenders, then `serai replay`",
    )


def _captured(tender: Mapping[str, Any]) -> Fraction:
    """``captured`` where told; else the amount once it was captured, nothing before."""
    if tender.get("captured") is not None:
        return _of(tender["captured"])
    return _of(tender["amount"]) if tender["state"] in ("captured", "part_refunded", "refunded") else ZERO


def _tax(order: Mapping[str, Any]) -> Fraction:
    if order.get("taxes") is not None:
        return sum((_of(row["amount"]) for row in order["taxes"]), ZERO)
    return sum((_of(line.get("tax")) for line in order["lines"]), ZERO)


def _amounts(order: Mapping[str, Any]) -> list[Money]:
    """Every amount the equations read."""
    found: list[Money | None] = [order["total"], order.get("shipping"), order.get("rounding")]
    for name in ("discounts", "surcharges", "taxes", "tenders"):
        for row in order.get(name) or ():
            found += [row["amount"], row.get("captured"), row.get("refunded")]
    for line in order["lines"]:
        found += [line.get("total"), line.get("gross"), line.get("discount"), line.get("tax")]
        found += [row["amount"] for row in line.get("discounts") or ()]
    return [money for money in found if money is not None]


def _of(money: Money | None) -> Fraction:
    return ZERO if money is None else Fraction(money["amount"])


def _places(money: Money) -> int:
    return -int(Decimal(money["amount"]).as_tuple().exponent)
