"""Verified notices between the receiver's 202 and the step that acts on them: stored durably, each delivery once.

What surprises here:

* The inbox has transactions of its own, because on SQLite it is a file of its own.
* A delivery that comes again while it waits is the same one. One that comes again once somebody has begun to act on it
  is acted on again: many platforms name no delivery and stamp whole seconds, so that two changes within a second are
  told in the same words, and the second may be younger than what was fetched for the first. A row stays after it is
  done, so that a repetition takes its place and whoever repeats a captured one fills no table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, TypeVar

from sqlalchemy import Engine, delete, func, select, update

from registry import bulk
from registry.codec import micros, moment, new_uids
from registry.engine import Registry, Tx, attempt, transaction
from registry.tables import inbox

T = TypeVar("T")

NoticeRow: TypeAlias = tuple[str, str, str, str, datetime, bytes | None]
"""(channel, delivery, resource, external id, the source's moment, body or None)"""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredNotice:
    """A claimed notice; ``attempts`` counts claims, this one included."""

    uid: str
    channel: str
    delivery: str
    resource: str
    id: str
    at: datetime
    body: bytes | None
    attempts: int
    received_at: datetime


class Inbox:
    """``Registry.inbox``; every method is one durable transaction."""

    def __init__(self, registry: Registry, engine: Engine) -> None:
        self._registry = registry
        self._engine = engine

    def put(self, notices: Iterable[NoticeRow]) -> int:
        """Afterwards every notice is on disk, once per (channel, delivery), and somebody will act on it.

        Returns the number that is to be acted on because of this call: new ones, and those whose turn had begun or was
        over.
        """
        rows = list(notices)
        uids = new_uids(len(rows))

        def work(tx: Tx) -> int:
            columns = (
                "uid",
                "channel",
                "delivery",
                "resource",
                "external_id",
                "at",
                "body",
                "received_at",
                "attempts",
                "ready_at",
            )
            stored = [
                (uid, channel, delivery, resource, external_id, micros(at), body, tx.stamp, 0, tx.stamp)
                for uid, (channel, delivery, resource, external_id, at, body) in zip(uids, rows, strict=True)
            ]
            return bulk.upsert(
                tx,
                "inbox",
                columns,
                stored,
                key=("channel", "delivery"),
                change={
                    **{name: f"excluded.{name}" for name in ("at", "body", "received_at", "ready_at")},
                    "claimed_by": "NULL",
                    "done_at": "NULL",
                },
                unless="inbox.done_at IS NULL AND inbox.claimed_by IS NULL",
            )

        return self._write(work)

    def claim(
        self, limit: int, owner: str, seconds: float, channels: Collection[str] | None = None
    ) -> list[StoredNotice]:
        """The oldest notices that wait, ours for ``seconds``; afterwards others may claim them again."""

        def work(tx: Tx) -> list[StoredNotice]:
            ready = select(inbox.c.uid).where(inbox.c.done_at.is_(None), inbox.c.ready_at <= tx.stamp)
            if channels is not None:
                ready = ready.where(bulk.within(tx, inbox.c.channel, channels))
            ready = ready.order_by(inbox.c.ready_at, inbox.c.uid).limit(limit).with_for_update(skip_locked=True)
            claimed = tx.rows(
                update(inbox)
                .where(inbox.c.uid.in_(ready.scalar_subquery()))
                .values(
                    claimed_by=owner,
                    ready_at=tx.stamp + int(seconds * 1_000_000),
                    attempts=inbox.c.attempts + 1,
                )
                .returning(*inbox.c)
            )
            return [
                StoredNotice(
                    uid=row.uid,
                    channel=row.channel,
                    delivery=row.delivery,
                    resource=row.resource,
                    id=row.external_id,
                    at=moment(row.at),
                    body=None if row.body is None else bytes(row.body),
                    attempts=row.attempts,
                    received_at=moment(row.received_at),
                )
                for row in sorted(claimed, key=lambda row: str(row.uid))
            ]

        return self._write(work)

    def done(self, uids: Collection[str], owner: str) -> int:
        """Afterwards those that ``owner`` still holds are finished and their bodies dropped; the number of them.

        What came again since it was claimed is nobody's: it waits for its next turn.
        """

        def work(tx: Tx) -> int:
            mine = update(inbox).where(inbox.c.claimed_by == owner, inbox.c.done_at.is_(None))
            return bulk.change(tx, mine.values(done_at=tx.stamp, body=None), inbox.c.uid, uids)

        return self._write(work)

    def fail(self, uids: Collection[str], detail: str, retry_at: datetime) -> int:
        """Afterwards these wait until ``retry_at``; ``detail`` (never a secret) says why."""
        values = {"claimed_by": None, "ready_at": micros(retry_at), "detail": detail}
        return self._write(lambda tx: bulk.change(tx, update(inbox).values(**values), inbox.c.uid, uids))

    def waiting(self) -> int:
        """How many notices are not done."""
        return sum(self.depth().values())

    def depth(self) -> dict[str, int]:
        """Channel → notices not done; channels without any are left out."""
        statement = select(inbox.c.channel, func.count()).where(inbox.c.done_at.is_(None)).group_by(inbox.c.channel)
        with transaction(self._engine, self._registry.now, write=False) as tx:
            return {row[0]: row[1] for row in tx.rows(statement)}

    def next_ready(self) -> datetime | None:
        """When the next waiting notice may be claimed (also in the past), None when nothing waits."""
        with transaction(self._engine, self._registry.now, write=False) as tx:
            at = tx.rows(select(func.min(inbox.c.ready_at)).where(inbox.c.done_at.is_(None)))[0][0]
            return None if at is None else moment(at)

    def prune(self, before: datetime) -> int:
        """Forgets notices done before that moment."""
        return self._write(lambda tx: tx.run(delete(inbox).where(inbox.c.done_at < micros(before))))

    def _write(self, work: Callable[[Tx], T]) -> T:
        return attempt(lambda: transaction(self._engine, self._registry.now, write=True), work)
