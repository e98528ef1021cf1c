"""What a person decides of a variant's stock for a while: nothing on show anywhere, or a buffer; it ends by itself.

What surprises here: a stop is an override that every figure meets last (`flows.figures`), and its end is marked due
when it is made, so that nobody has to remember it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from connectors.errors import Misconfigured
from flows.consequences import stock_due
from flows.wiring import House
from registry import (
    EVERYWHERE,
    DueRow,
    OverrideRow,
    Tx,
    all_overrides,
    end_override,
    mark_due,
    overrides,
    owners,
    put_override,
    records,
)

LONGEST = timedelta(days=366)


def decide(
    house: House, sku: str, value: Mapping[str, Any], *, until: datetime, who: str, because: str,
    channel: str = EVERYWHERE,
) -> OverrideRow:
    """Afterwards the variant's stock follows ``value`` (``most`` units, ``safety`` kept back) until then; all channels
    hear of it at once, ahead of what is due already, and again when it ends. Raises Misconfigured.
    """
    if channel != EVERYWHERE:
        house.channel(channel)
        if channel not in (told := {route.channel for route in house.routes.get("stock", ())}):
            raise Misconfigured(f"{sku}: {channel} is told no stock; told are {', '.join(sorted(told)) or 'none'}")
    if not because.strip():
        raise Misconfigured(f"{sku}: say why: add --because \"…\"; it is kept in the audit")
    if not timedelta(0) < until - house.registry.now() <= LONGEST:
        raise Misconfigured(f"{sku}: it would end on {until:%Y-%m-%d %H:%M}; allowed is from now on up to a year")

    def work(tx: Tx) -> OverrideRow:
        row = OverrideRow(
            entity="stock", uid=_variant(tx, sku), channel=channel, value=value, who=who, because=because, until=until
        )
        put_override(tx, row)
        stock_due(house, tx, [row.uid], who)
        mark_due(tx, _at(house, row.uid, until, who))
        return row

    with house.registry.ahead():
        return house.registry.attempt(work)


def end(house: House, sku: str, *, who: str, because: str, channel: str = EVERYWHERE) -> OverrideRow:
    """Afterwards what was decided of the variant's stock holds no more. Raises Misconfigured when nothing was."""
    def work(tx: Tx) -> OverrideRow:
        uid = _variant(tx, sku)
        row = overrides(tx, "stock", [uid], house.registry.now()).get((channel, uid))
        if row is None:
            raise Misconfigured(f"{sku}: nothing was decided of its stock; `serai stop --list` shows what was")
        end_override(tx, row, who, because)
        stock_due(house, tx, [uid], who)
        return row

    return house.registry.attempt(work)


def decided(house: House) -> list[tuple[str, OverrideRow]]:
    """(SKU, what was decided) of everything that holds now, what ends first in front."""
    with house.registry.read() as tx:
        rows = all_overrides(tx, house.registry.now())
        there = records(tx, sorted({row.uid for row in rows}))
    return [(str(there[row.uid].values.get("sku", row.uid)) if row.uid in there else row.uid, row) for row in rows]


def _variant(tx: Tx, sku: str) -> str:
    found = owners(tx, [("variant", "sku", sku)])
    if not found:
        raise Misconfigured(f"no variant has the SKU {sku!r}; `serai why` and the console find one by other names")
    return found["variant", "sku", sku]


def _at(house: House, uid: str, until: datetime, cause: str) -> list[DueRow]:
    """The variant's groups of stock on every channel, due at the end; groups of one location follow their record."""
    return [
        (route.channel, "stock", uid, until, False, cause) for route in house.routes.get("stock", ())
        if route.group.entity == "stock" and route.group.base == "variant"
    ]
