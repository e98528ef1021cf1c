"""What stands in the outbox, for people, plans and whoever decides what to work on next; nothing is claimed here."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from operator import itemgetter

from sqlalchemy import BigInteger, bindparam, func, or_, select, text

from registry import bulk
from registry.codec import moment
from registry.engine import Tx
from registry.outbox import OutboxRow, stored
from registry.tables import IN_FLIGHT, outbox


def outbox_rows(
    tx: Tx,
    channel: str | None = None,
    entity: str | None = None,
    *,
    states: Collection[str] = (),
    uids: Collection[str] | None = None,
    limit: int = 1_000,
) -> list[OutboxRow]:
    """Open writes in the order of their moment, for people and for plans; claims nothing."""
    statement = select(outbox).order_by(outbox.c.due_at, outbox.c.id).limit(limit)
    if channel is not None:
        statement = statement.where(outbox.c.channel == channel)
    if entity is not None:
        statement = statement.where(outbox.c.entity == entity)
    if states:
        statement = statement.where(outbox.c.state.in_(tuple(states)))
    if uids is not None:
        statement = statement.where(bulk.within(tx, outbox.c.uid, uids))
    return [stored(row) for row in tx.rows(statement)]


def outbox_counts(tx: Tx) -> dict[tuple[str, str, str], int]:
    """(channel, entity, state) → how many open writes; those of a future moment are not among them."""
    place = (outbox.c.channel, outbox.c.entity, outbox.c.state)
    return {(row[0], row[1], row[2]): row[3] for row in tx.rows(select(*place, func.count()).group_by(*place))}


def channels_due(tx: Tx, *, also_later: bool = False) -> list[tuple[str, str, datetime]]:
    """(channel, entity, oldest moment) with a due or decided write unclaimed now, the longest waiting first.

    Without ``also_later`` only moments that have come.
    """
    found = tx.rows(_DUE)
    return [(row[0], row[1], moment(row[2])) for row in found if also_later or row[2] <= tx.stamp]


# From place to place through the index: to group would be to read every open write at each look, and a first sync has
# a hundred thousand of them.
_MOVES = "FROM outbox WHERE stalled_at IS NULL"
_DUE = text(
    f"WITH RECURSIVE named (channel) AS (SELECT min(channel) {_MOVES} UNION ALL "  # noqa: S608 — own names throughout
    f"SELECT (SELECT min(channel) {_MOVES} AND channel > named.channel) FROM named WHERE named.channel IS NOT NULL), "
    f"place (channel, entity) AS (SELECT channel, (SELECT min(entity) {_MOVES} AND channel = named.channel) FROM named "
    f"UNION ALL SELECT channel, (SELECT min(entity) {_MOVES} AND channel = place.channel AND entity > place.entity) "
    "FROM place WHERE place.entity IS NOT NULL) "
    "SELECT channel, entity, min(at) AS oldest FROM ("
    f"SELECT channel, entity, (SELECT due_at {_MOVES} AND channel = place.channel AND entity = place.entity "
    "AND state IN ('due', 'decided') ORDER BY due_at LIMIT 1) AS at FROM place WHERE entity IS NOT NULL "
    "UNION ALL SELECT channel, entity, min(due_at) FROM outbox_later GROUP BY channel, entity"
    ") AS waiting WHERE at IS NOT NULL GROUP BY channel, entity ORDER BY oldest"
)


def more_due_than(tx: Tx, number: int) -> bool:
    """Whether more than so many writes could go out now: their moment has come, and nobody stopped them."""
    return bool(tx.rows(_MORE, {"number": number, "stamp": tx.stamp}))


_MORE = text(
    f"SELECT 1 {_MOVES} AND due_at <= :stamp AND (channel, entity) IN (SELECT mode.channel, mode.entity FROM mode "  # noqa: S608 — own names
    "JOIN channel ON channel.name = mode.channel WHERE mode.mode = 'on' AND NOT channel.paused) LIMIT 1 OFFSET :number"
)


def to_settle(tx: Tx) -> list[tuple[str, str, datetime]]:
    """(channel, entity, oldest moment) with something for ``open_writes``. Reads every open write that moves."""
    return [(row[0], row[1], moment(row[2])) for row in tx.rows(_UNSETTLED, {"stamp": tx.stamp})]


_STAMP = bindparam("stamp", type_=BigInteger)
_UNSETTLED = (
    select(outbox.c.channel, outbox.c.entity, func.min(outbox.c.due_at).label("oldest"))
    .where(
        outbox.c.stalled_at.is_(None),
        outbox.c.state.in_(("accepted", "unknown", "sent")),
        or_(outbox.c.state == "sent", outbox.c.due_at <= _STAMP),
        or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until <= _STAMP),
    )
    .group_by(outbox.c.channel, outbox.c.entity)
    .order_by("oldest")
)


_FLIGHTS = bulk.Keyed(
    select(outbox.c.uid, outbox.c.channel, outbox.c.payload).where(
        outbox.c.entity == bindparam("of"), outbox.c.state.in_(IN_FLIGHT)
    ),
    outbox.c.uid,
)


def in_flight_payloads(tx: Tx, entity: str, uids: Collection[str]) -> dict[str, list[tuple[str, bytes]]]:
    """uid → (channel, payload) of its writes that may be on the channel already; uids without any are left out."""
    found: dict[str, list[tuple[str, bytes]]] = {}
    for row in sorted(_FLIGHTS.rows(tx, uids, of=entity), key=itemgetter(0, 1)):
        found.setdefault(row[0], []).append((row[1], bytes(row[2])))
    return found
