"""By when an order wants something of us, and what became of it; how many decisions of which kind were made.

What surprises here: a deadline is never deleted: one that was kept says when, so that lateness can be counted later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text

from registry import bulk
from registry.codec import maybe_micros, maybe_moment, micros, moment
from registry.engine import AnyRow, Tx
from registry.tables import deadline


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadlineRow:
    """``kind`` of an order of ``channel`` is due at ``due_at``; somebody is told from ``soon_at`` on.

    ``state``: open; met or void at ``settled_at`` (done, or no longer asked for); expired: the order ended by it.
    """

    order: str
    kind: str
    channel: str
    due_at: datetime
    soon_at: datetime
    state: str = "open"
    settled_at: datetime | None = None
    note: str | None = None


def put_deadlines(tx: Tx, rows: Iterable[DeadlineRow]) -> int:
    """Afterwards each order has this deadline of its kind; one that is expired stays so."""
    columns = ("order_uid", "kind", "channel", "due_at", "soon_at", "state", "settled_at", "note")
    stored = [
        (row.order, row.kind, row.channel, micros(row.due_at), micros(row.soon_at), row.state,
         maybe_micros(row.settled_at), row.note)
        for row in rows
    ]
    return bulk.upsert(
        tx, "deadline", columns, stored, key=("order_uid", "kind"), unless="deadline.state = 'expired'"
    )


def deadlines_of(tx: Tx, orders: Collection[str]) -> dict[str, dict[str, DeadlineRow]]:
    """Order → kind → its deadline, whatever its state; {} for none."""
    found: dict[str, dict[str, DeadlineRow]] = {uid: {} for uid in orders}
    for row in bulk.gather(tx, select(deadline), deadline.c.order_uid, orders):
        found[row.order_uid][row.kind] = _row(row)
    return found


def due_deadlines(tx: Tx, kinds: Collection[str], at: datetime, limit: int = 500) -> list[DeadlineRow]:
    """Open ones of these kinds that were due at ``at``, the oldest first."""
    statement = (
        select(deadline)
        .where(deadline.c.state == "open", deadline.c.soon_at <= micros(at), deadline.c.due_at <= micros(at))
        .where(deadline.c.kind.in_(sorted(kinds)))
        .order_by(deadline.c.due_at, deadline.c.order_uid)
        .limit(limit)
    )
    return [_row(row) for row in tx.rows(statement)]


def open_deadlines(tx: Tx, kind: str, limit: int = 500) -> list[DeadlineRow]:
    """Open ones of a kind, due or not, the oldest first."""
    statement = (
        select(deadline)
        .where(deadline.c.state == "open", deadline.c.kind == kind)
        .order_by(deadline.c.due_at, deadline.c.order_uid)
        .limit(limit)
    )
    return [_row(row) for row in tx.rows(statement)]


def pressing_deadlines(tx: Tx, at: datetime, limit: int = 500) -> list[DeadlineRow]:
    """Open ones that are late or soon late at ``at``, the most pressing first."""
    statement = (
        select(deadline)
        .where(deadline.c.state == "open", deadline.c.soon_at <= micros(at))
        .order_by(deadline.c.due_at, deadline.c.order_uid, deadline.c.kind)
        .limit(limit)
    )
    return [_row(row) for row in tx.rows(statement)]


def noted_deadlines(tx: Tx, note: str, limit: int = 500) -> list[DeadlineRow]:
    """Those no longer asked for that bear this note, the oldest first."""
    statement = (
        select(deadline)
        .where(deadline.c.state == "void", deadline.c.note == note)
        .order_by(deadline.c.due_at, deadline.c.order_uid, deadline.c.kind)
        .limit(limit)
    )
    return [_row(row) for row in tx.rows(statement)]


def deadline_counts(tx: Tx, at: datetime) -> dict[tuple[str, str, str], int]:
    """(channel, kind, ``late`` or ``soon`` or ``kept late``) → how many; reads the running ones and those kept late."""
    late, now = deadline.c.due_at <= micros(at), deadline.c.state == "open"
    place = (deadline.c.channel, deadline.c.kind)
    found: dict[tuple[str, str, str], int] = {}
    for word, condition in (
        ("late", now & late),
        ("soon", now & ~late & (deadline.c.soon_at <= micros(at))),
        ("kept late", (deadline.c.state == "met") & (deadline.c.settled_at > deadline.c.due_at)),
    ):
        for row in tx.rows(select(*place, func.count()).where(condition).group_by(*place)):
            found[row[0], row[1], word] = row[2]
    return found


def decision_counts(tx: Tx) -> dict[tuple[str, str | None], int]:
    """(kind, reason) → how many decisions were made, such as how often goods were cancelled for lack of stock."""
    kind, reason = (
        f"CAST(record.values AS json) ->> '{name}'" if tx.postgres else f"json_extract(record.\"values\", '$.{name}')"
        for name in ("kind", "reason")
    )
    statement = text(
        f"SELECT {kind}, {reason}, count(*) FROM record WHERE entity = 'decision' GROUP BY 1, 2"  # noqa: S608 — own names
    )
    return {(row[0], row[1]): row[2] for row in tx.rows(statement)}


def _row(row: AnyRow) -> DeadlineRow:
    return DeadlineRow(
        order=row.order_uid, kind=row.kind, channel=row.channel, due_at=moment(row.due_at), soon_at=moment(row.soon_at),
        state=row.state, settled_at=maybe_moment(row.settled_at), note=row.note,
    )
