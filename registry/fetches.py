"""Fetches of feeds: when somebody came for a channel's file, and how often that happens.

What surprises here: only complete answers are kept, "you have it already" among them; so the time between two of them
is how long a change may wait before the channel can know it.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from statistics import median

from msgspec import Struct
from sqlalchemy import delete, func, select, update

from registry.codec import micros, moment
from registry.engine import Tx
from registry.tables import binding, feed_fetch, outbox

KEPT = 50
"""Fetches kept per channel."""


class Fetch(Struct, frozen=True, kw_only=True):
    """One complete answer: everything told with a ticket of at most ``sequence`` was in it; ``who`` is what the caller
    calls itself."""

    at: datetime
    sequence: int
    size: int
    status: int
    who: str | None = None


def put_fetch(
    tx: Tx, channel: str, sequence: int, size: int, status: int, who: str | None = None
) -> None:
    """Notes a fetch at the transaction's moment; the oldest beyond ``KEPT`` go. Writes that wait for it are settled
    by the next who looks."""
    row = {"channel": channel, "at": tx.stamp, "sequence": sequence, "size": size, "status": status, "who": who}
    tx.run(feed_fetch.insert().values(**row))
    newest = select(feed_fetch.c.id).where(feed_fetch.c.channel == channel).order_by(feed_fetch.c.id.desc()).limit(KEPT)
    tx.run(delete(feed_fetch).where(feed_fetch.c.channel == channel, feed_fetch.c.id.not_in(newest)))
    tx.run(
        update(outbox)
        .where(outbox.c.channel == channel, outbox.c.state == "accepted", outbox.c.due_at > tx.stamp)
        .values(due_at=tx.stamp)
    )


def fetches(tx: Tx, channel: str) -> list[Fetch]:
    """The kept fetches of a channel, the newest first."""
    rows = tx.rows(
        select(feed_fetch.c.at, feed_fetch.c.sequence, feed_fetch.c.size, feed_fetch.c.status, feed_fetch.c.who)
        .where(feed_fetch.c.channel == channel)
        .order_by(feed_fetch.c.id.desc())
    )
    return [Fetch(at=moment(row[0]), sequence=row[1], size=row[2], status=row[3], who=row[4]) for row in rows]


def fetch_interval(tx: Tx, channel: str) -> float | None:
    """The median of the seconds between two fetches, over those kept; None before there were two.

    This is the channel's lag: a change waits for at most one interval before the channel can know of it.
    """
    stamps = [micros(one.at) for one in fetches(tx, channel)]
    gaps = [(later - earlier) / 1_000_000 for later, earlier in pairwise(stamps)]
    return median(gaps) if gaps else None


def told_uids(tx: Tx, channel: str) -> set[tuple[str, str]]:
    """(entity, uid) of everything that a channel's feed must hold: what it was told, and what waits to be fetched."""
    told = tx.rows(
        select(binding.c.entity, binding.c.uid).where(binding.c.channel == channel, binding.c.told_hash.is_not(None))
    )
    waiting = tx.rows(
        select(outbox.c.entity, outbox.c.uid).where(
            outbox.c.channel == channel, outbox.c.state == "accepted", func.coalesce(outbox.c.op, "") != "delete"
        )
    )
    return {(row[0].partition("/")[0], row[1]) for row in (*told, *waiting)}
