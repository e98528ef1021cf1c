"""Orders beside their records: every number they go by, and what was edited of them.

What surprises here: a number is no key. The ``#1001`` of two shops names two orders; looking for it finds both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import select

from registry import bulk
from registry.codec import micros, moment
from registry.engine import Tx
from registry.tables import order_edit, order_number

WHOSE: Final = ("id", "channel", "buyer", "erp")
"""Whose number it is, as a channel tells it: its own id and number, the buyer's, the ERP's."""


class NumberRow(Struct, frozen=True, kw_only=True):
    """``number``: what ``whose`` calls an order, told by ``channel``."""

    order: str
    channel: str
    whose: str
    number: str


class EditRow(Struct, frozen=True, kw_only=True):
    """An edit of an order that came from ``channel``: its kind, which line or part, and a sentence without personal
    values."""

    order: str
    channel: str
    at: datetime
    kind: str
    key: str | None
    detail: str


def put_numbers(tx: Tx, rows: Iterable[NumberRow]) -> int:
    """Afterwards each order goes by these numbers; the last number that a channel tells of a party holds."""
    stored = {(row.order, row.channel, row.whose): row.number for row in rows}
    return bulk.upsert(
        tx, "order_number", ("order_uid", "channel", "whose", "number"),
        [(*key, number) for key, number in stored.items()], key=("order_uid", "channel", "whose"),
        unless='"order_number".number = excluded.number',
    )


def orders_by_number(tx: Tx, numbers: Collection[str]) -> list[NumberRow]:
    """Every order that goes by one of these numbers, with who calls it so; sorted by channel and order."""
    found = bulk.gather(tx, select(order_number), order_number.c.number, numbers)
    rows = [NumberRow(order=row.order_uid, channel=row.channel, whose=row.whose, number=row.number) for row in found]
    return sorted(rows, key=lambda row: (row.channel, row.order, row.whose))


def numbers_of_orders(tx: Tx, orders: Collection[str]) -> dict[str, list[NumberRow]]:
    """Order → every number it goes by."""
    found: dict[str, list[NumberRow]] = {uid: [] for uid in orders}
    for row in bulk.gather(tx, select(order_number), order_number.c.order_uid, orders):
        found[row.order_uid].append(
            NumberRow(order=row.order_uid, channel=row.channel, whose=row.whose, number=row.number)
        )
    return {uid: sorted(rows, key=lambda row: (row.channel, row.whose)) for uid, rows in found.items()}


def put_edits(tx: Tx, rows: Iterable[EditRow]) -> int:
    """Keeps these edits; the number kept."""
    return bulk.insert(
        tx, "order_edit", ("order_uid", "channel", "at", "kind", "part", "detail"),
        [(row.order, row.channel, micros(row.at), row.kind, row.key, row.detail) for row in rows],
    )


def edits_of(tx: Tx, orders: Collection[str]) -> dict[str, list[EditRow]]:
    """Order → what was edited of it, the oldest first."""
    found: dict[str, list[EditRow]] = {uid: [] for uid in orders}
    rows = bulk.gather(tx, select(order_edit), order_edit.c.order_uid, orders)
    for row in sorted(rows, key=lambda row: row.id):
        found[row.order_uid].append(EditRow(
            order=row.order_uid, channel=row.channel, at=moment(row.at), kind=row.kind, key=row.part,
            detail=row.detail,
        ))
    return found
