"""The lines of settlement reports: found by report, by order, and by the number of an order that nobody knows yet.

What surprises here: a line is about an order as soon as one goes by its number on the same channel, whichever of the
two came first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import delete, select

from registry import bulk
from registry.engine import AnyRow, Tx
from registry.tables import settlement_line as lines


class SettlementLine(Struct, frozen=True, kw_only=True):
    """A line of a report of ``channel``; ``order`` is null while nobody knows an order by ``number`` there."""

    settlement: str
    key: str
    channel: str
    number: str | None
    order: str | None
    kind: str
    name: str | None
    amount: str
    currency: str

    @property
    def said(self) -> dict[str, Any]:
        """As the rules of trade take it."""
        return {"kind": self.kind, "name": self.name, "amount": {"amount": self.amount, "currency": self.currency}}


def put_settlement_lines(tx: Tx, settlements: Collection[str], rows: Iterable[SettlementLine]) -> int:
    """Afterwards these reports have exactly these lines; the number of lines."""
    bulk.change(tx, delete(lines), lines.c.settlement_uid, settlements)
    return bulk.insert(
        tx, "settlement_line",
        ("settlement_uid", "part", "channel", "order_number", "order_uid", "kind", "name", "amount", "currency"),
        [(row.settlement, row.key, row.channel, row.number, row.order, row.kind, row.name, row.amount, row.currency)
         for row in rows],
        key=("settlement_uid", "part"),
    )  # fmt: skip


def adopt_settlement_lines(tx: Tx, channel: str, orders: Mapping[str, str]) -> int:
    """Number → order: afterwards lines of the channel that named an order nobody knew are about it; how many."""
    return bulk.update(
        tx, "settlement_line", "order_number", ("order_uid",), list(orders.items()), of={"channel": channel},
        where='"settlement_line".order_uid IS NULL',
    )


def settlement_lines(
    tx: Tx, *, orders: Collection[str] = (), settlements: Collection[str] = ()
) -> list[SettlementLine]:
    """The lines about these orders, or of these reports; sorted by report and key."""
    found = bulk.gather(tx, select(lines), lines.c.order_uid, orders)
    found += bulk.gather(tx, select(lines), lines.c.settlement_uid, settlements)
    return sorted({(row.settlement, row.key): row for row in map(_row, found)}.values(),
                  key=lambda row: (row.settlement, row.key))


def _row(row: AnyRow) -> SettlementLine:
    return SettlementLine(
        settlement=row.settlement_uid, key=row.part, channel=row.channel, number=row.order_number, order=row.order_uid,
        kind=row.kind, name=row.name, amount=row.amount, currency=row.currency,
    )
