"""What the ledger of stock keeps beside figures: shifts of tills, figures from before a count, who was last heard when.

What surprises here: nothing here decides; a shift covers receipts, a count freezes a figure and a silence lowers one by
the rules of trade.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import delete, select

from registry import bulk
from registry.codec import maybe_moment, micros, moment
from registry.engine import Tx
from registry.tables import counting, shift, silence


@dataclass(frozen=True, kw_only=True, slots=True)
class Shift:
    """A document by which a register's receipts from ``since`` until ``until`` reached the system that counts stock."""

    channel: str
    document: str
    location: str
    since: datetime
    until: datetime
    seen_at: datetime
    register: str | None = None


def put_shifts(tx: Tx, rows: Iterable[Shift]) -> int:
    """Afterwards these are known; the moment at which one was first seen stays. The number stored."""
    columns = ("location_uid", "channel", "document", "register", "since", "until", "seen_at")
    stored = [
        (row.location, row.channel, row.document, row.register, micros(row.since), micros(row.until),
         micros(row.seen_at)) for row in rows
    ]
    return bulk.upsert(
        tx, "shift", columns, stored, key=("location_uid", "channel", "document"), keep=("seen_at",)
    )


def shifts_at(tx: Tx, location_uids: Collection[str]) -> list[Shift]:
    """The shifts of these places, the earliest first."""
    rows = bulk.gather(tx, select(shift), shift.c.location_uid, location_uids)
    return sorted(
        (Shift(channel=row.channel, document=row.document, location=row.location_uid, register=row.register,
               since=moment(row.since), until=moment(row.until), seen_at=moment(row.seen_at)) for row in rows),
        key=lambda found: (found.since, found.document),
    )


def note_counts(tx: Tx, begun: Iterable[tuple[str, Decimal]], ended: Collection[str]) -> None:
    """Afterwards the figures from before counts that go on are kept (the first one stays), those of ended ones not."""
    stored = [(uid, format(before, "f"), tx.stamp) for uid, before in begun]
    bulk.upsert(tx, "counting", ("stock_uid", "before", "began_at"), stored, key=("stock_uid",), change={})
    if ended:
        bulk.change(tx, delete(counting), counting.c.stock_uid, ended)


def before_counts(tx: Tx, stock_uids: Collection[str]) -> dict[str, Decimal]:
    """Stock record → the figure from before its count; only those being counted."""
    rows = bulk.gather(tx, select(counting), counting.c.stock_uid, stock_uids)
    return {row.stock_uid: Decimal(row.before) for row in rows}


@dataclass(frozen=True, kw_only=True, slots=True)
class Silence:
    """When a channel last said something of a place ("" : at all), and since when it is known to be silent."""

    channel: str
    place: str
    heard_at: datetime | None
    quiet_since: datetime | None


def heard(tx: Tx, places: Iterable[tuple[str, str, datetime]]) -> int:
    """These channels said something of these places at these moments; the latest moment of each stays."""
    stored = [(channel, place, micros(at), None) for channel, place, at in places]
    return bulk.upsert(
        tx, "silence", ("channel", "place", "heard_at", "quiet_since"), stored, key=("channel", "place"),
        change={"heard_at": "excluded.heard_at"}, unless="silence.heard_at >= excluded.heard_at",
    )


def note_silence(tx: Tx, rows: Iterable[tuple[str, str, datetime | None]]) -> int:
    """Afterwards these channels are known to be silent of these places since then; None: they are not."""
    stored = [(channel, place, None if at is None else micros(at)) for channel, place, at in rows]
    return bulk.upsert(tx, "silence", ("channel", "place", "quiet_since"), stored, key=("channel", "place"))


def silences(tx: Tx) -> dict[tuple[str, str], Silence]:
    """(channel, place) → when it was heard; a row per source and per place with a till."""
    return {
        (row.channel, row.place): Silence(
            channel=row.channel, place=row.place, heard_at=maybe_moment(row.heard_at),
            quiet_since=maybe_moment(row.quiet_since),
        )
        for row in tx.rows(select(silence))
    }
