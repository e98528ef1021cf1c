"""Stock promised to an order line until a figure of it contains the sale.

What surprises here: nothing here decides when that is. A reservation holds the moments at which we *saw* that the
system that counts stock took the order (``taken``) and posted its goods as gone (``posted``), and the moment at which
they went by the document (``moved``); the rules of trade compare them with the request for a figure. A line whose goods
go in parts has a row per part; one with a negative quantity gives units back that a figure lost for ever.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, or_, select, update

from registry import bulk
from registry.codec import maybe_moment, micros, moment
from registry.engine import AnyRow, Tx
from registry.tables import reservation

PART = "\x1f"
"""Between the key of a line and what makes a part of it another row."""
WAITS = f"{PART}w:"
"""What makes a row of units that wait for goods that come: they are in nobody's way until they are there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReservationRow:
    """``quantity`` of a variant promised to a line of an order; ``location`` None: wherever it will be taken from."""

    order: str
    line: str
    variant: str
    channel: str
    quantity: Decimal
    location: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reservation(ReservationRow):
    """As stored. ``released`` when it binds nothing any more, and ``because`` says why: contained, cancelled, or
    (of units that waited) there, and then promised by another row."""

    made_at: datetime | None = None
    taken_at: datetime | None = None
    posted_at: datetime | None = None
    moved_at: datetime | None = None
    released_at: datetime | None = None
    because: str | None = None

    @property
    def released(self) -> bool:
        """Whether it binds nothing any more."""
        return self.released_at is not None

    @property
    def waiting(self) -> bool:
        """Whether it waits for goods that come; what was posted as gone was there."""
        return WAITS in self.line and self.posted_at is None

    @property
    def of_line(self) -> str:
        """The key of the order's line it is, or is a part of."""
        return self.line.partition(PART)[0]


_COLUMNS = (
    "order_uid", "line", "variant_uid", "location_uid", "channel", "quantity", "made_at", "taken_at", "posted_at",
    "moved_at", "released_at", "because",
)


def put_reservations(tx: Tx, rows: Iterable[Reservation]) -> int:
    """Afterwards these stand as they are given, new ones made now; the number stored."""

    def at(value: datetime | None) -> int | None:
        return None if value is None else micros(value)

    stored = [
        (row.order, row.line, row.variant, row.location, row.channel, format(row.quantity, "f"),
         tx.stamp if row.made_at is None else micros(row.made_at), at(row.taken_at), at(row.posted_at),
         at(row.moved_at), at(row.released_at), row.because)
        for row in rows
    ]
    return bulk.upsert(tx, "reservation", _COLUMNS, stored, key=("order_uid", "line"), keep=("made_at",))


_OF_ORDERS = bulk.Keyed(select(reservation), reservation.c.order_uid)
_BINDING = bulk.Keyed(select(reservation).where(reservation.c.released_at.is_(None)), reservation.c.variant_uid)


def reservations_of(tx: Tx, order_uids: Collection[str]) -> dict[str, list[Reservation]]:
    """Order → its reservations by line, whether they still bind or not; [] for none."""
    found: dict[str, list[Reservation]] = {uid: [] for uid in order_uids}
    for row in sorted(_OF_ORDERS.rows(tx, order_uids), key=lambda row: str(row.line)):
        found[row.order_uid].append(_stored(row))
    return found


def promises(tx: Tx, variant_uids: Collection[str]) -> list[Reservation]:
    """What still binds stock of these variants, in the order of orders and lines."""
    rows = [_stored(row) for row in _BINDING.rows(tx, variant_uids)]
    return sorted(rows, key=lambda row: (row.order, row.line))


def promises_at(tx: Tx, location_uids: Collection[str]) -> list[Reservation]:
    """What still binds stock at these places, in the order of orders and lines."""
    binding = select(reservation).where(reservation.c.released_at.is_(None))
    rows = [_stored(row) for row in bulk.gather(tx, binding, reservation.c.location_uid, location_uids)]
    return sorted(rows, key=lambda row: (row.order, row.line))


def _stored(row: AnyRow) -> Reservation:
    return Reservation(
        order=row.order_uid, line=row.line, variant=row.variant_uid, channel=row.channel,
        quantity=Decimal(row.quantity), location=row.location_uid, made_at=moment(row.made_at),
        taken_at=maybe_moment(row.taken_at), posted_at=maybe_moment(row.posted_at),
        moved_at=maybe_moment(row.moved_at), released_at=maybe_moment(row.released_at), because=row.because,
    )


def reserved(tx: Tx, variant_uids: Collection[str]) -> dict[str, list[tuple[str, str | None, Decimal, str]]]:
    """Variant → (channel, location, quantity, order) still promised of what is there, in the order of orders; [] for
    none."""
    found: dict[str, list[tuple[str, str | None, Decimal, str]]] = {uid: [] for uid in variant_uids}
    for row in promises(tx, variant_uids):
        if not row.waiting:
            found[row.variant].append((row.channel, row.location, row.quantity, row.order))
    return found


def post_reservations(
    tx: Tx, order_uids: Collection[str], at: datetime, *, moved_at: datetime | None = None
) -> int:
    """We saw at ``at`` that the goods of these orders have gone (at ``moved_at``); the first such moment stays."""
    gone = func.coalesce(reservation.c.moved_at, micros(at if moved_at is None else moved_at))
    statement = update(reservation).where(reservation.c.posted_at.is_(None))
    return bulk.change(
        tx, statement.values(posted_at=micros(at), moved_at=gone), reservation.c.order_uid, order_uids
    )


def posted_reservations(tx: Tx, *, taken: bool = False, moved: bool = False) -> list[tuple[str, str | None]]:
    """(variant, location) of what has gone and still binds: whose figures must be asked for once more.

    ``taken``: of what was confirmed and has not gone, too. ``moved``: of what a count may contain before anybody
    posted it, too.
    """
    seen = [reservation.c.posted_at.is_not(None)]
    seen += [reservation.c.taken_at.is_not(None)] if taken else []
    seen += [reservation.c.moved_at.is_not(None)] if moved else []
    statement = (
        select(reservation.c.variant_uid, reservation.c.location_uid)
        .where(or_(*seen), reservation.c.released_at.is_(None)).distinct()
    )
    return [(row[0], row[1]) for row in tx.rows(statement)]


def cancel_reservations(tx: Tx, order_uids: Collection[str], lines: Collection[str] | None = None) -> int:
    """The orders (or only these ``lines`` of them) will not be fulfilled: what has not gone binds nothing any more."""
    statement = (
        update(reservation).where(reservation.c.released_at.is_(None), reservation.c.posted_at.is_(None))
        .values(released_at=tx.stamp, because="cancelled")
    )
    if lines is not None:
        statement = statement.where(bulk.within(tx, reservation.c.line, lines))
    return bulk.change(tx, statement, reservation.c.order_uid, order_uids)


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


def orders_taking(tx: Tx, variant_uids: Collection[str]) -> dict[str, dict[str, str]]:
    """Variant → order → its channel, of all orders that ever took some; {} for none."""
    columns = select(reservation.c.variant_uid, reservation.c.order_uid, reservation.c.channel)
    found: dict[str, dict[str, str]] = {uid: {} for uid in variant_uids}
    for row in bulk.gather(tx, columns, reservation.c.variant_uid, variant_uids):
        found[row.variant_uid][row.order_uid] = row.channel
    return found


def reserved_since(tx: Tx, variant_uids: Collection[str], since: datetime) -> dict[str, Decimal]:
    """Variant → units that orders took since then, whatever became of them; only variants with any."""
    statement = select(reservation.c.variant_uid, reservation.c.quantity).where(
        reservation.c.made_at >= micros(since)
    )
    found: dict[str, Decimal] = {}
    for row in bulk.gather(tx, statement, reservation.c.variant_uid, variant_uids):
        units = Decimal(row.quantity)
        if units > 0:
            found[row.variant_uid] = found.get(row.variant_uid, Decimal(0)) + units
    return found
