"""policies/orders.yaml: what each channel keeps of an order until its settlement report says so."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Final

from flows.setting_files import Row, is_number, one_of
from mappings.commerce.orders.figures import (
    FeeRule,
    OrderPolicy,
    buyer_pays,
    estimated_fees,
    expected_payout,
    seller_price,
)
from mappings.language import LintError

KEYS: Final = ("fees",)
FEE_KEYS: Final = ("kind", "rate", "fixed", "currency")


def read(rows: Mapping[str, Row], channels: Collection[str], errors: list[LintError]) -> dict[str, OrderPolicy]:
    """Channel → its fees. A kind stands once; a rate is a fraction; a fixed amount names its currency."""
    policies: dict[str, OrderPolicy] = {}
    for name, (file, row) in rows.items():
        if name not in channels:
            file.fail((name,), "unknown-channel", f"found {name!r}", one_of(channels))
            continue
        if not file.keys((name,), row, KEYS, KEYS):
            continue
        if not isinstance(row["fees"], list):
            file.fail((name, "fees"), "shape", f"found {row['fees']!r}", "a list of {kind: …, rate: …}")
            continue
        fees: list[FeeRule] = []
        for n, fee in enumerate(row["fees"]):
            where: tuple[str | int, ...] = (name, "fees", n)
            if not file.keys(where, fee, FEE_KEYS, ("kind",)) or not file.texts(where, fee, ("kind", "currency")):
                continue
            rate, fixed = fee.get("rate", 0), fee.get("fixed")
            if not is_number(rate) or not 0 <= rate < 1:
                file.fail((*where, "rate"), "rate", f"found {rate!r}", "a fraction from 0 to below 1: 0.12 for 12 %")
            elif fixed is not None and (not is_number(fixed) or fixed < 0):
                file.fail((*where, "fixed"), "fixed", f"found {fixed!r}", "an amount from 0 on")
            elif (fixed is None) != ("currency" not in fee):
                file.fail(where, "currency", "fixed and currency stand together", "fixed: 0.30, currency: EUR")
            elif any(fee["kind"] == other.kind for other in fees):
                file.fail((*where, "kind"), "twice", f"{fee['kind']!r} stands twice", "one row per kind of fee")
            else:
                fees.append(FeeRule(
                    kind=fee["kind"], rate=Decimal(rate), fixed=None if fixed is None else Decimal(fixed),
                    currency=fee.get("currency"),
                ))
        policies[name] = OrderPolicy(fees=tuple(fees))
    return policies


def example(policy: Mapping[str, OrderPolicy], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """``{channel, order}`` → its fees by kind, and the three figures, as ``12.50 EUR``."""
    order = _plain(given["order"])
    rule = policy.get(given["channel"])
    fees = estimated_fees(order, rule.fees if rule is not None else ())
    told = {**order, "fees": order.get("fees") or fees}
    return {
        "fees": {row["kind"]: _spoken(row["amount"]) for row in told["fees"]},
        "buyer_pays": _spoken(buyer_pays(told)), "seller_price": _spoken(seller_price(told)),
        "payout": _spoken(expected_payout(told)),
    }


def _plain(value: Any) -> Any:
    """An order as a test writes it: ``12.50 EUR`` is money."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, str) and len(value.split(" ")) == 2 and value[-3:].isupper():
        amount, currency = value.split(" ")
        return {"amount": amount, "currency": currency}
    return value


def _spoken(amount: Mapping[str, str]) -> str:
    return f"{amount['amount']} {amount['currency']}"
