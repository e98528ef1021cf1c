"""Stock promised to an order line until the system that counts stock has taken it off.

What surprises here: a reservation ends only when a stock figure was *asked for after* the order was posted to what
counts stock: an earlier figure does not contain the sale yet, and releasing on it would sell the piece twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select, update

from registry import bulk
from registry.codec import micros
from registry.engine import Tx
from registry.tables import reservation


@dataclass(frozen=True, kw_only=True, slots=True)
class ReservationRow:
    """``quantity`` of a variant promised to a line of an order; ``location`` None: wherever it will be taken from."""

    order: str
    line: str
    variant: str
    channel: str
    quantity: Decimal
    location: str | None = None


def reserve(tx: Tx, rows: Iterable[ReservationRow]) -> int:
    """Afterwards each line has its reservation; one that had stays as it was. The number that was new."""
    columns = ("order_uid", "line", "variant_uid", "location_uid", "channel", "quantity", "made_at")
    stored = [
        (row.order, row.line, row.variant, row.location, row.channel, format(row.quantity, "f"), tx.stamp)
        for row in rows
    ]
    return bulk.upsert(tx, "reservation", columns, stored, key=("order_uid", "line"), change={})


def post_reservations(tx: Tx, order_uids: Collection[str], at: datetime) -> int:
    """The system that counts stock took these orders at ``at``; the first such moment stays."""
    statement = update(reservation).where(reservation.c.posted_at.is_(None)).values(posted_at=micros(at))
    return bulk.change(tx, statement, reservation.c.order_uid, order_uids)


def release_reservations(tx: Tx, places: Collection[tuple[str, str | None]], asked_at: datetime) -> int:
    """A stock figure of these (variant, location) was asked for at ``asked_at``: releases what was posted before.

    A reservation without a location is released by a figure of any location of its variant. The number released.
    """
    released = 0
    for location in sorted({place[1] for place in places}, key=str):
        variants = [variant for variant, at in places if at == location]
        statement = (
            update(reservation)
            .where(reservation.c.released_at.is_(None), reservation.c.posted_at < micros(asked_at))
            .values(released_at=tx.stamp)
        )
        if location is not None:
            statement = statement.where(
                (reservation.c.location_uid == location) | (reservation.c.location_uid.is_(None))
            )
        released += bulk.change(tx, statement, reservation.c.variant_uid, variants)
    return released


def posted_reservations(tx: Tx) -> list[tuple[str, str | None]]:
    """(variant, location) of what is posted and not yet released: whose figures must be asked for once more."""
    statement = (
        select(reservation.c.variant_uid, reservation.c.location_uid)
        .where(reservation.c.posted_at.is_not(None), reservation.c.released_at.is_(None))
        .distinct()
    )
    return [(row[0], row[1]) for row in tx.rows(statement)]


def cancel_reservations(tx: Tx, order_uids: Collection[str], lines: Collection[str] | None = None) -> int:
    """The orders (or only these ``lines`` of them) will not be fulfilled: releases what is left of them."""
    statement = update(reservation).where(reservation.c.released_at.is_(None)).values(released_at=tx.stamp)
    if lines is not None:
        statement = statement.where(bulk.within(tx, reservation.c.line, lines))
    return bulk.change(tx, statement, reservation.c.order_uid, order_uids)


_RESERVED = bulk.Keyed(select(reservation).where(reservation.c.released_at.is_(None)), reservation.c.variant_uid)


def reserved(tx: Tx, variant_uids: Collection[str]) -> dict[str, list[tuple[str, str | None, Decimal, str]]]:
    """Variant → (channel, location, quantity, order) still promised, in the order of orders; [] for none."""
    found: dict[str, list[tuple[str, str | None, Decimal, str]]] = {uid: [] for uid in variant_uids}
    for row in sorted(_RESERVED.rows(tx, variant_uids), key=lambda row: (row.order_uid, row.line)):
        found[row.variant_uid].append((row.channel, row.location_uid, Decimal(row.quantity), row.order_uid))
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Reservation(ReservationRow):
    """As stored; ``released`` when it binds nothing any more."""

    released: bool


def reservations_of(tx: Tx, order_uids: Collection[str]) -> dict[str, list[Reservation]]:
    """Order → its reservations by line, whether they still bind or not; [] for none."""
    found: dict[str, list[Reservation]] = {uid: [] for uid in order_uids}
    for row in sorted(bulk.gather(tx, select(reservation), reservation.c.order_uid, order_uids), key=lambda r: r.line):
        found[row.order_uid].append(Reservation(
            order=row.order_uid, line=row.line, variant=row.variant_uid, channel=row.channel,
            quantity=Decimal(row.quantity), location=row.location_uid, released=row.released_at is not None,
        ))
    return found


def move_reservations(tx: Tx, rows: Iterable[ReservationRow]) -> int:
    """Afterwards what is still promised of these lines is promised at the ``location`` given here; the number moved."""
    columns = ("order_uid", "line", "variant_uid", "location_uid", "channel", "quantity", "made_at")
    stored = [
        (row.order, row.line, row.variant, row.location, row.channel, format(row.quantity, "f"), tx.stamp)
        for row in rows
    ]
    return bulk.upsert(
        tx, "reservation", columns, stored, key=("order_uid", "line"),
        change={"location_uid": "excluded.location_uid"}, unless="reservation.released_at IS NOT NULL",
    )
