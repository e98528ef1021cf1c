"""What each channel must still be told: at most one open write per (channel, entity, record).

What surprises here:

* A write that is finished has no row. ``due_again`` notes a change that came while a write was in flight; closing such
  a write makes it due instead of deleting it, so no change is lost between rendering and closing.
* What is due is claimed by its lock, until the transaction ends: decide it, set it or close it in the same one. A
  change that comes meanwhile waits for that transaction and then finds the write in flight.
* A moment in the future (a dated price, an expiring reservation) stands in its own table until it comes, so that it
  survives any number of writes before it.
* ``owner`` where a function takes one: rows whose claim ran out are left alone and not among those returned; their
  late worker must not act on them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from functools import cache
from operator import itemgetter
from typing import Any, Final, TypeAlias

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Integer,
    bindparam,
    delete,
    func,
    or_,
    select,
    true,
    union_all,
    update,
)

from registry import bulk
from registry.codec import maybe_micros, maybe_moment, micros, moment
from registry.engine import AnyRow, AnySelect, Tx
from registry.tables import IN_FLIGHT, outbox, outbox_later

AHEAD: Final = timedelta(hours=12)
"""Writes that must not wait behind bulk work are marked due so long ago: what is longest due goes first."""

DueRow: TypeAlias = tuple[str, str, str, datetime | None, bool, str | None]
"""(channel, entity, uid, due at (None: now), forced, cause)"""

_STALLED = "'waiting', 'held', 'parked', 'rejected'"
_FLYING = ", ".join(f"'{state}'" for state in IN_FLIGHT)
_STATE = '"outbox".state'
_MARK = {
    "state": f"CASE WHEN {_STATE} IN ({_STALLED}) THEN 'due' ELSE {_STATE} END",
    "due_at": (
        f"CASE WHEN {_STATE} IN ({_STALLED}) THEN excluded.due_at "
        f'WHEN {_STATE} = \'due\' AND "outbox".attempt = 0 AND excluded.due_at < "outbox".due_at '
        'THEN excluded.due_at ELSE "outbox".due_at END'
    ),
    "due_again": f'CASE WHEN {_STATE} IN ({_FLYING}) THEN TRUE ELSE "outbox".due_again END',
    "stalled_at": f'CASE WHEN {_STATE} IN ({_STALLED}) THEN NULL ELSE "outbox".stalled_at END',
    "forced": '("outbox".forced OR excluded.forced)',
    "cause": 'coalesce(excluded.cause, "outbox".cause)',
}


class OutboxRow(Struct, frozen=True, kw_only=True):
    """An open write. ``key``, ``op`` and ``payload`` are None until it is decided; ``id`` is the row's own."""

    id: int
    channel: str
    entity: str
    uid: str
    state: str
    key: str | None
    op: str | None
    payload: bytes | None
    external_id: str | None
    ticket: str | None
    attempt: int
    due_at: datetime
    due_again: bool
    forced: bool
    reason: str | None
    claimed_by: str | None
    claimed_until: datetime | None
    created_at: datetime
    decided_at: datetime | None
    cause: str | None
    stalled_at: datetime | None


class Decision(Struct, frozen=True, kw_only=True):
    """What will be sent for outbox row ``id``, fixed before the first attempt and the same at each."""

    id: int
    key: str
    op: str
    payload: bytes
    external_id: str | None = None


class OutboxChange(Struct, frozen=True, kw_only=True):
    """The new state of outbox row ``id``. ``ticket`` and ``due_at`` None: as they are; ``reason`` is replaced.

    ``forced`` True: what the channel holds is not known, so the next rendering is written even if it looks unchanged.
    """

    id: int
    state: str
    reason: str | None = None
    ticket: str | None = None
    due_at: datetime | None = None
    forced: bool = False


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


def claim_due(tx: Tx, channel: str, entity: str, limit: int) -> list[OutboxRow]:
    """The longest due writes that nobody works on, locked until this transaction ends; decide, set or close each in it.

    Rows in state ``decided`` come too: they go out with the key and payload they have.
    """
    ripe = tx.rows(_RIPE, {"on": channel, "of": entity, "stamp": tx.stamp})
    _mark(tx, [(channel, entity, row[0], "due", 0, row[1], False, bool(row[2]), tx.stamp, row[3]) for row in ripe])
    values = {"on": channel, "of": entity, "most": limit, "stamp": tx.stamp}
    return [_row(row) for row in tx.rows(_ready(("due", "decided")), values)]


def open_writes(
    tx: Tx,
    channel: str,
    entity: str,
    *,
    owner: str,
    seconds: float,
    limit: int = 1_000,
    states: Collection[str] = ("accepted", "unknown", "sent"),
) -> list[OutboxRow]:
    """Writes to settle, claimed: accepted and unknown whose moment (``due_at``) has come, sent whose claim ran out."""
    values = {"on": channel, "of": entity, "most": limit, "stamp": tx.stamp}
    found = [_row(row) for row in tx.rows(_ready(tuple(states)), values)]
    _CLAIM.run(tx, [row.id for row in found], owner=owner, until=tx.stamp + int(seconds * 1_000_000))
    return found


FIXED = "\"outbox\".state = 'decided'"
"""The payload was fixed by an earlier attempt that was not sent."""


def decide(
    tx: Tx, decisions: Iterable[Decision], *, owner: str | None = None, seconds: float = 60.0, state: str = "sent"
) -> set[int]:
    """Fixes key and payload and counts the attempt: due → decided → sent, ours for ``seconds``. The ids to be sent now.

    Only of rows that ``claim_due`` gave in this transaction; one that is neither due nor decided is not among those
    returned: do not send it. ``state="decided"`` fixes without counting an attempt, for a later ``claim_due``.
    """
    wanted = {row.id: row for row in decisions}
    sent = _known(state, ("decided", "sent")) == "sent"
    until = tx.stamp + int(seconds * 1_000_000)
    changed = bulk.update(
        tx,
        "outbox",
        "id",
        ("key", "op", "payload", "external_id", "claimed_by"),
        [(row.id, row.key, row.op, row.payload, row.external_id, owner) for row in wanted.values()],
        change={
            "state": f"'{state}'",
            "attempt": '"outbox".attempt + 1' if sent else '"outbox".attempt',
            "decided_at": f'coalesce("outbox".decided_at, {tx.stamp})',
            "claimed_by": ":claimed_by" if sent else "NULL",
            "claimed_until": str(until) if sent else "NULL",
            # Rendered from the record as it is now: marks are fulfilled, but not those since a payload was fixed.
            "forced": f"({FIXED} AND \"outbox\".forced)",
            "due_again": f"({FIXED} AND \"outbox\".due_again)",
        },
        where="\"outbox\".state IN ('due', 'decided')",
    )
    if changed == len(wanted):
        return set(wanted)
    ours = outbox.c.claimed_until == until if sent else outbox.c.claimed_until.is_(None)
    statement = select(outbox.c.id).where(outbox.c.state == state, ours)
    return {row[0] for row in bulk.gather(tx, statement, outbox.c.id, wanted)}


_UNTOLD = {name: None for name in ("key", "op", "payload", "external_id", "ticket", "reason", "decided_at")}
_OWNED = {False: true(), True: outbox.c.claimed_by == bindparam("owner")}
_DELETE = {
    owned: bulk.Keyed(delete(outbox).where(mine, ~outbox.c.due_again), outbox.c.id) for owned, mine in _OWNED.items()
}
_AGAIN = {
    owned: bulk.Keyed(
        update(outbox)
        .where(mine, outbox.c.due_again)
        .values(
            state="due", due_at=bindparam("stamp"), due_again=False, attempt=0, claimed_by=None, claimed_until=None,
            **_UNTOLD,
        ),
        outbox.c.id,
    )
    for owned, mine in _OWNED.items()
}  # fmt: skip


def close_outbox(tx: Tx, ids: Collection[int], *, owner: str | None = None) -> int:
    """Finished (applied, or nothing to tell): deletes the rows, makes those due that are due again; how many closed."""
    ids = set(ids)
    closed = _DELETE[owner is not None].run(tx, ids, owner=owner)
    if closed == len(ids):
        return closed
    return closed + _AGAIN[owner is not None].run(tx, ids, owner=owner, stamp=tx.stamp)


def set_outbox(tx: Tx, changes: Iterable[OutboxChange], *, owner: str | None = None) -> set[int]:
    """Afterwards these rows stand in their new state, unclaimed; the ids changed.

    Key, payload and attempts stay. One that goes to waiting, held, parked or rejected while it is due again is due at
    once instead: what it waits for may have just come.
    """
    wanted = {row.id: row for row in changes}
    ours = _ours(tx, wanted, owner, ())
    again = f'(:state IN ({_STALLED}) AND "outbox".due_again)'
    bulk.update(
        tx,
        "outbox",
        "id",
        ("state", "reason", "ticket", "due_at", "forced"),
        [
            (row.id, row.state, row.reason, row.ticket, maybe_micros(row.due_at), row.forced)
            for row in wanted.values()
            if row.id in ours
        ],
        change={
            "state": f"CASE WHEN {again} THEN 'due' ELSE :state END",
            "ticket": 'coalesce(:ticket, "outbox".ticket)',
            "forced": '("outbox".forced OR :forced)',
            "due_at": f'CASE WHEN {again} THEN {tx.stamp} ELSE coalesce(:due_at, "outbox".due_at) END',
            "due_again": f"CASE WHEN :state IN ({_STALLED}, 'due') THEN FALSE ELSE \"outbox\".due_again END",
            "claimed_by": "NULL",
            "claimed_until": "NULL",
            "stalled_at": f"CASE WHEN :state IN ({_STALLED}) AND NOT {again} THEN {tx.stamp} ELSE NULL END",
        },
    )
    return ours


def reopen(tx: Tx, channel: str, entity: str) -> int:
    """Accepted writes that are due again are due at once; how many. For channels that know nothing of a write before
    they come for it: a later one may take its place. ``forced``: what the file holds is not what the channel was told.
    """
    return tx.run(
        update(outbox)
        .where(
            outbox.c.channel == channel,
            outbox.c.entity == entity,
            outbox.c.state == "accepted",
            outbox.c.due_again,
        )
        .values(state="due", due_at=tx.stamp, due_again=False, forced=True, claimed_by=None, claimed_until=None)
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
    statement = update(outbox).where(outbox.c.state == "waiting", outbox.c.stalled_at.is_not(None))  # has an index
    if channel is not None:
        statement = statement.where(func.coalesce(outbox.c.channel, "") == channel)  # or SQLite reads all that is open
    if entity is not None:
        statement = statement.where(func.coalesce(outbox.c.entity, "") == entity)
    if reason is not None:
        statement = statement.where(outbox.c.reason == reason)
    if before is not None:
        statement = statement.where(outbox.c.due_at < micros(before))
    return tx.run(statement.values(state="due", due_at=tx.stamp, stalled_at=None))


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
    return [_row(row) for row in tx.rows(statement)]


def outbox_counts(tx: Tx) -> dict[tuple[str, str, str], int]:
    """(channel, entity, state) → how many open writes; those of a future moment are not among them."""
    place = (outbox.c.channel, outbox.c.entity, outbox.c.state)
    return {(row[0], row[1], row[2]): row[3] for row in tx.rows(select(*place, func.count()).group_by(*place))}


def next_due(tx: Tx) -> datetime | None:
    """The earliest moment of a due or decided write that nobody works on, also a past one; None when nothing is due."""
    moments = [at for _channel, _entity, at in channels_due(tx, also_later=True)]
    return min(moments, default=None)


def channels_due(tx: Tx, *, also_later: bool = False) -> list[tuple[str, str, datetime]]:
    """(channel, entity, oldest moment) with a due or decided write unclaimed now, the longest waiting first.

    Without ``also_later`` only moments that have come.
    """
    open_now = (
        select(outbox.c.channel, outbox.c.entity, func.min(outbox.c.due_at).label("at"))
        .where(
            outbox.c.stalled_at.is_(None),
            outbox.c.state.in_(("due", "decided")),
        )
        .group_by(outbox.c.channel, outbox.c.entity)
    )
    dated = select(outbox_later.c.channel, outbox_later.c.entity, func.min(outbox_later.c.due_at).label("at")).group_by(
        outbox_later.c.channel, outbox_later.c.entity
    )
    both = union_all(open_now, dated).subquery()
    oldest = func.min(both.c.at)
    found = tx.rows(
        select(both.c.channel, both.c.entity, oldest).group_by(both.c.channel, both.c.entity).order_by(oldest)
    )
    return [(row[0], row[1], moment(row[2])) for row in found if also_later or row[2] <= tx.stamp]


def to_settle(tx: Tx) -> list[tuple[str, str, datetime]]:
    """(channel, entity, oldest moment) with something for ``open_writes``."""
    oldest = func.min(outbox.c.due_at)
    found = tx.rows(
        select(outbox.c.channel, outbox.c.entity, oldest)
        .where(
            outbox.c.stalled_at.is_(None),
            outbox.c.state.in_(("accepted", "unknown", "sent")),
            or_(outbox.c.state == "sent", outbox.c.due_at <= tx.stamp),
            or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until <= tx.stamp),
        )
        .group_by(outbox.c.channel, outbox.c.entity)
        .order_by(oldest)
    )
    return [(row[0], row[1], moment(row[2])) for row in found]


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


@cache
def _ready(states: tuple[str, ...]) -> AnySelect:
    """The rows nobody works on whose moment has come, locked, the oldest first: the order of the index, no sort."""
    now = bindparam("stamp", type_=BigInteger)
    return (
        select(outbox)
        .where(
            outbox.c.channel == bindparam("on"),
            outbox.c.entity == bindparam("of"),
            outbox.c.stalled_at.is_(None),
            outbox.c.state.in_(states),
            or_(outbox.c.state == "sent", outbox.c.due_at <= now),
            or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until <= now),
        )
        .order_by(outbox.c.due_at, outbox.c.id)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
    )


_CLAIM = bulk.Keyed(
    update(outbox).values(claimed_by=bindparam("owner"), claimed_until=bindparam("until")), outbox.c.id
)


def _ours(tx: Tx, ids: Collection[int], owner: str | None, states: tuple[str, ...]) -> set[int]:
    return {row[0] for row in _held(states, owner is not None).rows(tx, sorted(ids), owner=owner, stamp=tx.stamp)}


@cache
def _held(states: tuple[str, ...], owned: bool) -> bulk.Keyed:
    statement = select(outbox.c.id).with_for_update().order_by(outbox.c.id)
    if states:
        statement = statement.where(outbox.c.state.in_(states))
    if owned:
        statement = statement.where(
            outbox.c.claimed_by == bindparam("owner"), outbox.c.claimed_until > bindparam("stamp", type_=BigInteger)
        )
    return bulk.Keyed(statement, outbox.c.id)


def _known(state: str, allowed: tuple[str, ...]) -> str:
    if state not in allowed:
        raise ValueError(f"state {state!r}: allowed here are {', '.join(allowed)}")
    return state


def _row(row: AnyRow) -> OutboxRow:
    (id, channel, entity, uid, state, key, op, payload, external_id, ticket, attempt, due_at, due_again, forced, reason,
     claimed_by, claimed_until, created_at, decided_at, cause, stalled_at) = row  # fmt: skip
    return OutboxRow(
        id=id, channel=channel, entity=entity, uid=uid, state=state, key=key, op=op,
        payload=None if payload is None else bytes(payload), external_id=external_id, ticket=ticket, attempt=attempt,
        due_at=moment(due_at), due_again=bool(due_again), forced=bool(forced), reason=reason, claimed_by=claimed_by,
        claimed_until=maybe_moment(claimed_until), created_at=moment(created_at), decided_at=maybe_moment(decided_at),
        cause=cause, stalled_at=maybe_moment(stalled_at),
    )  # fmt: skip
