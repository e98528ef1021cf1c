"""What may still be sold of a variant on each channel under hard allocation, as `flows` reckons it.

What surprises here: who changes rows reads them with ``lock``, in key order, and writes them in the same transaction,
so that no two workers raise two channels into the same free units.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal

from msgspec import Struct
from sqlalchemy import bindparam, select

from registry import bulk
from registry.codec import maybe_micros, maybe_moment, micros, moment
from registry.engine import Tx
from registry.tables import escrow, reservation

_COLUMNS = ("channel", "variant_uid", "held", "shown", "sent", "open", "late", "back", "version", "expected",
            "shown_at", "sent_at", "opened_at", "step")  # fmt: skip


class EscrowRow(Struct, frozen=True, kw_only=True):
    """What is known of one variant on one channel; ``mappings.commerce.stock.escrow`` says what each figure means.

    Figures are whole steps of ``step`` units: 1 where the article is sold by the piece.
    ``version`` is the channel's at ``shown``; None: look before anything is compared with it. ``expected``: the version
    that a write without an outcome expects. ``opened_at``: from when on the channel's orders are reckoned with.
    """

    channel: str
    variant: str
    held: int
    opened_at: datetime
    shown: int | None = None
    sent: int | None = None
    open: bool = False
    late: int = 0
    back: int = 0
    version: str | None = None
    expected: str | None = None
    shown_at: datetime | None = None
    sent_at: datetime | None = None
    step: Decimal = Decimal(1)


_SOME = select(*(escrow.c[name] for name in _COLUMNS)).order_by(escrow.c.variant_uid, escrow.c.channel)
_OF_VARIANTS = bulk.Keyed(_SOME, escrow.c.variant_uid)
_LOCKED = bulk.Keyed(_SOME.with_for_update(), escrow.c.variant_uid)
_UNREAD = (
    select(escrow.c.variant_uid)
    .where(
        escrow.c.channel == bindparam("on"), escrow.c.shown_at < bindparam("before"),
        escrow.c.shown.is_not(None), escrow.c.held > escrow.c.shown,
    )
    .order_by(escrow.c.variant_uid)
)


def escrows(tx: Tx, variants: Collection[str], *, lock: bool = False) -> dict[str, dict[str, EscrowRow]]:
    """Variant → channel → row, of those that have any; ``lock``: nobody else reckons with them until this commits."""
    found: dict[str, dict[str, EscrowRow]] = {}
    for row in (_LOCKED if lock else _OF_VARIANTS).rows(tx, sorted(variants)):
        found.setdefault(row.variant_uid, {})[row.channel] = EscrowRow(
            channel=row.channel, variant=row.variant_uid, held=row.held, shown=row.shown, sent=row.sent,
            open=bool(row.open), late=row.late, back=row.back, version=row.version, expected=row.expected,
            shown_at=maybe_moment(row.shown_at), sent_at=maybe_moment(row.sent_at), opened_at=moment(row.opened_at),
            step=Decimal(row.step),
        )
    return found


def put_escrows(tx: Tx, rows: Iterable[EscrowRow], *, new: bool = False) -> int:
    """Afterwards these rows stand as they are given; ``new``: only where there was none. The number written."""
    stored = [
        (row.channel, row.variant, row.held, row.shown, row.sent, row.open, row.late, row.back, row.version,
         row.expected, maybe_micros(row.shown_at), maybe_micros(row.sent_at), micros(row.opened_at),
         str(row.step))
        for row in rows
    ]  # fmt: skip
    if not stored:
        return 0
    if new:
        return bulk.upsert(tx, "escrow", _COLUMNS, stored, key=("variant_uid", "channel"), change={})
    return bulk.upsert(tx, "escrow", _COLUMNS, stored, key=("variant_uid", "channel"))


def unread_escrows(tx: Tx, channel: str, before: datetime) -> list[str]:
    """Variants of which the channel may have sold more than we read, by figures confirmed or seen before a moment."""
    return [row.variant_uid for row in tx.rows(_UNREAD, {"on": channel, "before": micros(before)})]


class Taking(Struct, frozen=True, kw_only=True):
    """What an order of a channel took of a variant, and when we heard of it."""

    channel: str
    order: str
    quantity: Decimal
    made_at: datetime


def takings(tx: Tx, variant: str, since: datetime) -> list[Taking]:
    """What orders took of a variant since then, whatever became of it, the oldest first."""
    statement = (
        select(reservation)
        .where(reservation.c.variant_uid == variant, reservation.c.made_at >= micros(since))
        .order_by(reservation.c.made_at, reservation.c.order_uid, reservation.c.line)
    )
    return [
        Taking(channel=row.channel, order=row.order_uid, quantity=Decimal(row.quantity), made_at=moment(row.made_at))
        for row in tx.rows(statement) if Decimal(row.quantity) > 0
    ]
