"""What each channel must still be told: at most one open write per (channel, entity, record), marked due.

What surprises here:

* A change that comes while a write is claimed or in flight notes ``due_again``: closing such a write makes it due
  instead of deleting it, so no change is lost between rendering and closing.
* What is marked ahead of bulk work stays so when it finds its write in flight: the next one goes ahead too.
* A moment in the future (a dated price, an expiring reservation) stands in its own table until it comes, so that it
  survives any number of writes before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, TypeAlias

from sqlalchemy import BigInteger, Update, bindparam, delete, func, select, update

from registry import bulk
from registry.codec import micros
from registry.engine import Tx
from registry.tables import IN_FLIGHT, STALLED, either, outbox, outbox_later

AHEAD: Final = timedelta(hours=12)
"""Writes that must not wait behind bulk work are marked due so long ago: what is longest due goes first."""
HELD_AHEAD: Final = int(AHEAD.total_seconds() * 1_000_000) // 2
"""Whatever is due for so many microseconds counts as marked ahead."""
DueRow: TypeAlias = tuple[str, str, str, datetime | None, bool, str | None]
"""(channel, entity, uid, due at (None: now), forced, cause)"""
_STATE = '"outbox".state'
_STILL = either(_STATE, *STALLED)
_MARK = {
    "state": f"CASE WHEN {_STILL} THEN 'due' ELSE {_STATE} END",
    "due_at": (
        f"CASE WHEN {_STILL} THEN excluded.due_at "
        f"WHEN {_STATE} IN ('decided', 'sent') AND excluded.due_at <= excluded.created_at - {HELD_AHEAD} "
        "THEN excluded.due_at "
        f'WHEN {_STATE} = \'due\' AND "outbox".attempt = 0 AND excluded.due_at < "outbox".due_at '
        'THEN excluded.due_at ELSE "outbox".due_at END'
    ),
    "due_again": f'CASE WHEN {either(_STATE, *IN_FLIGHT)} OR "outbox".claimed_until IS NOT NULL THEN TRUE '
    'ELSE "outbox".due_again END',
    "stalled_at": f'CASE WHEN {_STILL} THEN NULL ELSE "outbox".stalled_at END',
    "forced": '("outbox".forced OR excluded.forced)',
    "cause": 'coalesce(excluded.cause, "outbox".cause)',
}


def mark_due(tx: Tx, rows: Iterable[DueRow]) -> int:
    """Afterwards each of these will be rendered and written after its moment; the number of rows inserted or changed.

    A waiting, held, parked or rejected write becomes due (and is held again when it is rendered, unless it need no
    longer be); one that is claimed, decided or in flight is due again when it is closed. ``forced`` (write even if the
    projection says unchanged) is never taken back here.
    A ``due_at`` in the future waits beside the others and survives them.
    """
    now: list[tuple[Any, ...]] = []
    later: list[tuple[Any, ...]] = []
    stamp = tx.stamp
    for channel, entity, uid, due_at, forced, cause in rows:
        at = stamp if due_at is None else micros(due_at)
        if at > stamp:
            later.append((channel, entity, at, uid, forced, cause))
        else:
            now.append((channel, entity, uid, "due", 0, at, False, forced, stamp, cause))
    return _mark(tx, now) + bulk.upsert(
        tx,
        "outbox_later",
        ("channel", "entity", "due_at", "uid", "forced", "cause"),
        later,
        key=("channel", "entity", "due_at", "uid"),
        change={"forced": '("outbox_later".forced OR excluded.forced)'},
    )


_RIPE = (
    delete(outbox_later)
    .where(
        outbox_later.c.channel == bindparam("on"),
        outbox_later.c.entity == bindparam("of"),
        outbox_later.c.due_at <= bindparam("stamp", type_=BigInteger),
    )
    .returning(outbox_later.c.uid, outbox_later.c.due_at, outbox_later.c.forced, outbox_later.c.cause)
)


def ripen(tx: Tx, channel: str, entity: str) -> None:
    """Moments of the channel's entity that have come: afterwards what they stand for is due."""
    ripe = tx.rows(_RIPE, {"on": channel, "of": entity, "stamp": tx.stamp})
    _mark(tx, [(channel, entity, row[0], "due", 0, row[1], False, bool(row[2]), tx.stamp, row[3]) for row in ripe])


def _mark(tx: Tx, rows: list[tuple[Any, ...]]) -> int:
    merged: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for row in rows:  # of several marks of one record the earliest moment counts, and any that forces
        key = row[:3]
        other = merged.get(key)
        merged[key] = (
            row
            if other is None
            else (
                *key,
                "due",
                0,
                min(row[5], other[5]),
                False,
                row[7] or other[7],
                row[8],
                row[9] if row[9] is not None else other[9],
            )
        )
    columns = ("channel", "entity", "uid", "state", "attempt", "due_at", "due_again", "forced", "created_at", "cause")
    given = list(merged.values())
    key = ("uid", "entity", "channel")
    if tx.postgres and given:  # mostly none is there yet: what is new needs no look at each row while it is inserted
        there = {tuple(row) for row in _THERE.rows(tx, sorted({row[2] for row in given}))}
        fresh = [row for row in given if (row[2], row[1], row[0]) not in there]
        known = [row for row in given if (row[2], row[1], row[0]) in there]
        return bulk.insert(tx, "outbox", columns, fresh, key=key) + (
            bulk.upsert(tx, "outbox", columns, known, key=key, change=_MARK)
        )
    return bulk.upsert(tx, "outbox", columns, given, key=key, change=_MARK)


_THERE = bulk.Keyed(select(outbox.c.uid, outbox.c.entity, outbox.c.channel), outbox.c.uid)


ON_ITS_WAY = "the channel has accepted it and not settled it yet"
"""The reason of a write that is due again while the channel still works on it."""


def reopen(tx: Tx, channel: str, entity: str) -> int:
    """Accepted writes that are due again are due at once; how many. For channels that know nothing of a write before
    they come for it: a later one may take its place. ``forced``: what the file holds is not what the channel was told.
    Their reason is ``ON_ITS_WAY``, by which whoever decides knows them.
    """
    return tx.run(
        update(outbox)
        .where(
            outbox.c.channel == channel,
            outbox.c.entity == entity,
            outbox.c.state == "accepted",
            outbox.c.due_again,
        )
        .values(state="due", due_at=tx.stamp, due_again=False, forced=True, reason=ON_ITS_WAY, claimed_by=None,
                claimed_until=None)
    )


def wake(
    tx: Tx,
    *,
    channel: str | None = None,
    entity: str | None = None,
    reason: str | None = None,
    before: datetime | None = None,
) -> int:
    """What waits (on this channel, of this entity, for this reason) is due again: what it waited for may have come.

    With ``before`` only what began to wait before that moment: those whose waker came between their look and their
    wait are found so.
    """
    values = {"on": channel, "of": entity, "because": reason, "began": None if before is None else micros(before)}
    given = {name: value for name, value in values.items() if value is not None}
    return tx.run(_woken(tx.postgres, frozenset(given)), {**given, "stamp": tx.stamp})


@cache
def _woken(postgres: bool, given: frozenset[str]) -> Update:
    """Makes due what waits, by the values that are given."""
    waits = [outbox.c.state == "waiting", outbox.c.stalled_at.is_not(None)]  # has an index
    if "on" in given:
        waits.append(func.coalesce(outbox.c.channel, "") == bindparam("on"))  # or SQLite reads all that is open
    if "of" in given:
        waits.append(func.coalesce(outbox.c.entity, "") == bindparam("of"))
    if "because" in given:
        waits.append(outbox.c.reason == bindparam("because"))
    if "began" in given:
        waits.append(outbox.c.due_at < bindparam("began", type_=BigInteger))
    if postgres:     # whoever holds a waiting row makes it due: to wait for them would be a way to deadlocks
        waits = [outbox.c.id.in_(select(outbox.c.id).where(*waits).with_for_update(skip_locked=True))]
    stamp = bindparam("stamp", type_=BigInteger)
    return update(outbox).where(*waits).values(state="due", due_at=stamp, stalled_at=None)
