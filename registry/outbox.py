"""Open writes on their way: claimed, decided with key and payload, sent, closed or set aside.

What surprises here:

* A write that is finished has no row.
* What is due is claimed by its lock, until the transaction ends: decide it, set it or close it in the same one. A
  change that comes meanwhile waits for that transaction and then finds the write in flight. On SQLite, whose lock is
  everybody's, a page may be claimed for longer, looked at without the lock, and decided in a second transaction: a
  change that comes meanwhile leaves its mark on the row, and what is so marked is not decided (``still_claimed``).
* ``owner`` where a function takes one: rows whose claim ran out are left alone and not among those returned; their
  late worker must not act on them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import cache

from msgspec import Struct
from sqlalchemy import BigInteger, Integer, and_, bindparam, case, delete, or_, select, true, update

from registry import bulk
from registry.codec import maybe_micros, maybe_moment, moment
from registry.due import HELD_AHEAD, ripen
from registry.engine import AnyRow, AnySelect, Tx
from registry.tables import STALLED, either, outbox


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


def claim_due(
    tx: Tx, channel: str, entity: str, limit: int, *, ahead: bool = False, owner: str | None = None,
    seconds: float = 60.0,
) -> list[OutboxRow]:
    """The longest due writes that nobody works on, locked until this transaction ends; decide, set or close each in it.

    With ``owner`` they are its own beyond this transaction, for ``seconds``: before they are decided in a later one,
    ``still_claimed`` says which of them are as they were claimed. Rows in state ``decided`` come too: they go out with
    the key and payload they have. ``ahead``: only what was marked so, and nothing else beside it.
    """
    ripen(tx, channel, entity)
    stamp = tx.stamp - HELD_AHEAD if ahead else tx.stamp
    values = {"on": channel, "of": entity, "most": limit, "stamp": stamp}
    found = tx.rows(_ready(("due", "decided")), values)
    if owner is None:
        return [stored(row) for row in found]
    until = tx.stamp + int(seconds * 1_000_000)
    _CLAIM_DUE.run(tx, [row[0] for row in found], owner=owner, until=until)
    claim = owner, moment(until)
    return [stored(row, claim) for row in found]


def still_claimed(tx: Tx, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
    """Those of the claimed rows that nothing was marked on since; the others are due as they are now, for whoever comes
    next. To be called in the transaction that decides them."""
    if not rows:
        return []
    values = {"owner": rows[0].claimed_by, "until": maybe_micros(rows[0].claimed_until)}
    there = {id: marked for id, marked in _CLAIMED.rows(tx, [row.id for row in rows], **values)}
    _LET_GO.run(tx, [id for id, marked in there.items() if marked], **values)
    return [row for row in rows if there.get(row.id) == 0]


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
    found = [stored(row) for row in tx.rows(_ready(tuple(states)), values)]
    _CLAIM.run(tx, [row.id for row in found], owner=owner, until=tx.stamp + int(seconds * 1_000_000))
    return found


def renew_claims(tx: Tx, ids: Collection[int], *, owner: str, seconds: float) -> int:
    """Those of the rows that nobody claimed after ``owner`` are its own for ``seconds`` from now; how many."""
    return _RENEW.run(tx, ids, owner=owner, until=tx.stamp + int(seconds * 1_000_000))


def owned(tx: Tx, ids: Collection[int], *, owner: str) -> set[int]:
    """Those of the rows that nobody claimed, set or closed since ``owner`` claimed them."""
    return {row[0] for row in _OWN.rows(tx, ids, owner=owner)}


_OWN = bulk.Keyed(select(outbox.c.id).where(outbox.c.claimed_by == bindparam("owner")).with_for_update(), outbox.c.id)
_RENEW = bulk.Keyed(
    update(outbox)
    .where(outbox.c.claimed_by == bindparam("owner"))
    .values(claimed_until=bindparam("until", type_=BigInteger)),
    outbox.c.id,
)


_MINE = and_(outbox.c.claimed_by == bindparam("owner"), outbox.c.claimed_until == bindparam("until"))
_FRESH = outbox.c.state == "due"
_CLAIM_DUE = bulk.Keyed(
    update(outbox).values(
        claimed_by=bindparam("owner"), claimed_until=bindparam("until", type_=BigInteger),
        due_again=and_(outbox.c.due_again, ~_FRESH),    # from now on it says whether something came since
    ),
    outbox.c.id,
)
_CLAIMED = bulk.Keyed(
    select(outbox.c.id, case((and_(_FRESH, outbox.c.due_again), 1), else_=0)).where(
        _MINE, outbox.c.state.in_(("due", "decided"))
    ),
    outbox.c.id,
)
_LET_GO = bulk.Keyed(
    update(outbox).where(_MINE).values(claimed_by=None, claimed_until=None, due_again=False), outbox.c.id
)


_UNDER_WAY = bulk.Keyed(
    select(outbox.c.uid).where(
        outbox.c.channel == bindparam("on"),
        outbox.c.entity == bindparam("of"),
        or_(
            outbox.c.state.in_(("sent", "accepted", "unknown")),
            and_(outbox.c.state.in_(("due", "decided")), outbox.c.attempt > 0),
        ),
    ),
    outbox.c.uid,
)


def under_way(tx: Tx, channel: str, entity: str, uids: Collection[str]) -> set[str]:
    """Those of the records whose open write went out once at least, so that the channel may hold it already."""
    return {row[0] for row in _UNDER_WAY.rows(tx, uids, on=channel, of=entity)}


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
_STAMP = bindparam("stamp", type_=BigInteger)
_NEXT = case((outbox.c.due_at <= _STAMP - HELD_AHEAD, outbox.c.due_at), else_=_STAMP)
"""When a write is due that is due again: now, or ahead of bulk work where it was marked so."""
_AGAIN = {
    owned: bulk.Keyed(
        update(outbox)
        .where(mine, outbox.c.due_again)
        .values(
            state="due", due_at=_NEXT, due_again=False, attempt=0, claimed_by=None, claimed_until=None,
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
    still = either(":state", *STALLED)
    again = f'({still} AND "outbox".due_again)'
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
            "due_at": f'CASE WHEN {again} AND "outbox".due_at <= {tx.stamp - HELD_AHEAD} THEN "outbox".due_at '
            f'WHEN {again} THEN {tx.stamp} ELSE coalesce(:due_at, "outbox".due_at) END',
            "due_again": f"CASE WHEN :state = 'due' OR {still} THEN FALSE ELSE \"outbox\".due_again END",
            "claimed_by": "NULL",
            "claimed_until": "NULL",
            "stalled_at": f"CASE WHEN {still} AND NOT {again} THEN {tx.stamp} ELSE NULL END",
        },
    )
    return ours


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


def stored(row: AnyRow, claim: tuple[str, datetime] | None = None) -> OutboxRow:
    """A row of the table as it is given out; ``claim`` is by whom it was claimed since it was read, and until when."""
    (id, channel, entity, uid, state, key, op, payload, external_id, ticket, attempt, due_at, due_again, forced, reason,
     claimed_by, claimed_until, created_at, decided_at, cause, stalled_at) = row  # fmt: skip
    by, until = (claimed_by, maybe_moment(claimed_until)) if claim is None else claim
    return OutboxRow(
        id=id, channel=channel, entity=entity, uid=uid, state=state, key=key, op=op,
        payload=None if payload is None else bytes(payload), external_id=external_id, ticket=ticket, attempt=attempt,
        due_at=moment(due_at), due_again=bool(due_again), forced=bool(forced), reason=reason, claimed_by=by,
        claimed_until=until, created_at=moment(created_at), decided_at=maybe_moment(decided_at), cause=cause,
        stalled_at=maybe_moment(stalled_at),
    )  # fmt: skip
