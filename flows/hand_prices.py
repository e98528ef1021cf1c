"""A price that a person sets for a while: it goes before every rule, and ends by itself.

What surprises here: the amount is in the channel's own currency and tax mode; the breaker still looks at it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from connectors.errors import Misconfigured
from flows.pricing import pipeline_of
from flows.repricing import due_rows
from flows.wiring import House
from mappings.commerce.prices.currencies import today
from mappings.commerce.prices.money import digits
from registry import OverrideRow, Tx, end_override, mark_due, overrides, owners, put_override

LONGEST = timedelta(days=366)


def set_price(
    house: House, sku: str, amount: Decimal, channel: str, *, until: datetime, who: str, because: str
) -> OverrideRow:
    """Afterwards the channel shows this price until then, and what its rules say again after that.

    Raises Misconfigured for an unknown SKU or channel, no reason, an end in the past, or an amount it cannot show.
    """
    house.channel(channel)
    now = house.registry.now()
    pipeline = pipeline_of(house, channel)
    currency, _, _ = today(pipeline.fx, pipeline.currency, now)
    if not because.strip():
        raise Misconfigured(f"{sku}: say why: add --because \"…\"; it is kept in the audit")
    if not timedelta(0) < until - now <= LONGEST:
        raise Misconfigured(f"{sku}: it would end on {until:%Y-%m-%d %H:%M}; allowed is from now on up to a year")
    if channel not in (told := {route.channel for route in house.routes.get("price", ())}):
        raise Misconfigured(f"{sku}: {channel} is told no price; told are {', '.join(sorted(told)) or 'none'}")
    if amount <= 0 or -int(amount.normalize().as_tuple().exponent) > digits(currency):
        raise Misconfigured(f"{sku}: {amount} is no price in {currency}; above 0, with {digits(currency)} digits")

    def work(tx: Tx) -> OverrideRow:
        row = OverrideRow(
            entity="price", uid=_variant(tx, sku), channel=channel, who=who, because=because, until=until,
            value={"amount": f"{amount:.{digits(currency)}f}", "currency": currency},
        )
        put_override(tx, row)
        mark_due(tx, [*due_rows(house, tx, [row.uid], who), *due_rows(house, tx, [row.uid], who, at=until)])
        return row

    return house.registry.attempt(work)


def end_price(house: House, sku: str, channel: str, *, who: str, because: str) -> OverrideRow:
    """Afterwards the channel's rules say the price again. Raises Misconfigured when nobody had set one."""

    def work(tx: Tx) -> OverrideRow:
        uid = _variant(tx, sku)
        row = overrides(tx, "price", [uid], house.registry.now()).get((channel, uid))
        if row is None:
            raise Misconfigured(f"{sku}: nobody set a price on {channel}; `serai stop --list` shows what was decided")
        end_override(tx, row, who, because)
        mark_due(tx, due_rows(house, tx, [uid], who))
        return row

    return house.registry.attempt(work)


def _variant(tx: Tx, sku: str) -> str:
    found = owners(tx, [("variant", "sku", sku)])
    if not found:
        raise Misconfigured(f"no variant has the SKU {sku!r}; `serai why` and the console find one by other names")
    return found["variant", "sku", sku]
