"""Whether a request may begin: the red button, and what the platform still allows, shared by all workers (P14).

What surprises here:

* A worker takes calls from the registry in slices of at most a second and gives back what it did not use: calls kept
  for later would come on top of a bucket that filled up meanwhile.
* The bucket kept here is smaller than the published one by what may be on its way, and fills a little slower, so that
  calls which bunch up on the way are still within the limit (`safe`).
* Bulk work leaves a fifth of the bucket to whoever works at an event: an order never waits behind a backfill.
* After a refusal nobody asks before the platform's own moment; then the pace is halved and comes back within a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from connectors.errors import RetryLater, Stopped
from connectors.limits import Limit
from registry import BudgetRow, Registry, Tx, budget_of, budgets, paused, put_budget

WRITING: Final = ("write", "bulk")
"""Lanes that the red button stops."""
BULK: Final = ("bulk", "backfill", "reconcile", "look")
"""Lanes that leave `RESERVED` of the bucket to the others."""
RESERVED: Final = 0.2
SLICE: Final = 1.0
"""Seconds for which a worker takes calls at once, at most."""
KEPT_BACK: Final = 0.04
"""The share of the rate that is never used: clocks and networks are not exact."""
RECOVERY: Final = 60.0
"""Seconds until the pace is whole again after a refusal."""
SLOWEST: Final = 0.05
PATIENCE: Final = 20.0
"""Seconds that a request waits for its turn before the work is put off."""


_BEFORE: ContextVar[Callable[[], None] | None] = ContextVar("before each request", default=None)


@contextmanager
def before_each(look: Callable[[], None]) -> Iterator[None]:
    """Inside the block this thread calls ``look`` before each request; what that raises keeps it from beginning."""
    token = _BEFORE.set(look)
    try:
        yield
    finally:
        _BEFORE.reset(token)


@dataclass(frozen=True, kw_only=True, slots=True)
class Safe:
    """The bucket that is used: ``size`` and ``rate`` below the published ones, in slices of ``seconds``."""

    size: float
    rate: float
    seconds: float


def safe(limit: Limit) -> Safe:
    """What of a published limit is used.

    ``rate = (1 − KEPT_BACK) × published rate``; ``seconds = min(SLICE, burst / (4 × published rate))``;
    ``size = max(1, burst − published rate × seconds)``. Calls given within any ``t`` seconds are at most
    ``size + rate × t``; each begins within ``seconds`` of being given, so those that *begin* within ``t`` seconds are
    at most ``size + rate × (t + seconds) ≤ burst + rate × t``: never more than the platform allows.
    """
    seconds = min(SLICE, limit.burst / (4 * limit.rate))
    if limit.burst < 4:  # a bucket of one call has no room for a slice: calls are taken one by one
        seconds = 0.0
    return Safe(
        size=max(1.0, limit.burst - limit.rate * seconds), rate=(1 - KEPT_BACK) * limit.rate, seconds=seconds
    )


def refilled(row: BudgetRow, limit: Safe, now: datetime) -> BudgetRow:
    """The budget as it stands at ``now``: ``level + rate × ∫ pace``, at most ``size``; the pace grows to 1 in RECOVERY.

    Before ``row.at`` nothing changes.
    """
    seconds = (now - row.at).total_seconds()
    if seconds <= 0:
        return row
    pace = min(1.0, row.pace + seconds / RECOVERY)
    climbing = (pace - row.pace) * RECOVERY  # seconds at a growing pace; after them it is whole
    grown = limit.rate * (climbing * (row.pace + pace) / 2 + max(0.0, seconds - climbing) * pace)
    return BudgetRow(level=min(limit.size, row.level + grown), at=now, pace=pace)


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What was taken (0: nothing) and, where nothing was, the seconds after which it is worth asking again."""

    amount: float = 0.0
    wait: float = 0.0


def taken(row: BudgetRow, limit: Safe, now: datetime, least: float, bulk: bool) -> tuple[BudgetRow, Given]:
    """At least ``least`` (one dearer than the bucket: a full bucket) and at most a slice, or nothing and a wait.

    Bulk work takes only what lies above ``RESERVED × size``; where a single call needs more than that, a full bucket.
    """
    found = refilled(row, limit, now)
    floor = min(RESERVED * limit.size, max(0.0, limit.size - least)) if bulk else 0.0
    needed = min(least, limit.size)
    there = found.level - floor
    if found.at > now:
        return found, Given(wait=(found.at - now).total_seconds())
    if there < needed:
        return found, Given(wait=(needed - there) / (limit.rate * found.pace))
    amount = max(least, min(there, limit.rate * limit.seconds))
    return replace(found, level=found.level - amount), Given(amount=amount)


class Budget:
    """One connector's turn: asked before each request. Not shared between threads; what it counts on is."""

    def __init__(self, registry: Registry, channel: str, limits: Mapping[str, Limit]) -> None:
        self._registry, self._channel = registry, channel
        self._limits = {bucket: safe(limit) for bucket, limit in limits.items()}
        self._slices: dict[str, tuple[float, float]] = {}  # bucket → what is left, until when (monotonic)
        self._paused, self._asked = False, -1.0

    def take(self, n: float, lane: str, bucket: str = "") -> None:
        """Returns when a request that costs ``n`` may begin; it does so within the slice.

        Raises Stopped when writes to the channel are paused (its answer is at most a second old, so that no write
        begins later than two seconds after the button was pressed), RetryLater when the turn is too far away.
        """
        self._look(lane)
        limit = self._limits.get(bucket)
        if limit is None or n <= 0:  # what draws on no limit still heeds the red button
            return
        left, until = self._slices.get(bucket, (0.0, 0.0))
        if left >= n and time.monotonic() < until:
            self._slices[bucket] = (left - n, until)
            return
        waited = 0.0
        while True:
            began = time.monotonic()
            unused = self._slices.pop(bucket, (0.0, 0.0))[0]
            given = self._registry.attempt(partial(self._ask, bucket, limit, n, lane in BULK, unused))
            if given.amount > 0:
                self._slices[bucket] = (given.amount - n, began + limit.seconds)
                return
            if waited + given.wait > PATIENCE:
                raise RetryLater(
                    f"{self._channel}: the platform's limit is used up for {given.wait:.0f} s; it goes on by itself",
                    after=given.wait,
                )
            pause = min(given.wait, 1.0) + 0.001
            time.sleep(pause)
            waited += pause
            self._look(lane)

    def told(self, available: float, bucket: str = "") -> None:
        """The platform says what is left; where that is less than thought, others use the account too."""
        limit = self._limits.get(bucket)
        if limit is None:
            return
        held, until = self._slices.get(bucket, (0.0, 0.0))
        if held > available:
            self._slices[bucket] = (max(0.0, available), until)

        with self._registry.read() as tx:   # most answers say nothing new, and a read holds nobody up
            known = budgets(tx, self._channel).get(bucket)
            if known is not None and available >= refilled(known, limit, tx.now).level:
                return

        def work(tx: Tx) -> None:
            row = refilled(budget_of(tx, self._channel, bucket, limit.size), limit, tx.now)
            if available < row.level:
                put_budget(tx, self._channel, bucket, replace(row, level=max(0.0, available)))

        self._registry.attempt(work)

    def back(self, n: float, bucket: str = "") -> None:
        """A request cost so much less than was taken for it; the platform gave it back at once, and so is it here."""
        held, until = self._slices.get(bucket, (0.0, 0.0))
        self._slices[bucket] = (held + n, until)

    def refused(self, after: float, bucket: str = "") -> None:
        """The platform turned a request down: for ``after`` seconds nobody asks, then at half the pace."""
        limit = self._limits.get(bucket)
        if limit is None:
            return
        self._slices.pop(bucket, None)

        def work(tx: Tx) -> None:
            row = refilled(budget_of(tx, self._channel, bucket, limit.size), limit, tx.now)
            opens = max(row.at, tx.now + timedelta(seconds=after))
            put_budget(tx, self._channel, bucket, BudgetRow(level=0.0, at=opens, pace=max(SLOWEST, row.pace / 2)))

        self._registry.attempt(work)

    def _ask(self, bucket: str, limit: Safe, n: float, bulk: bool, unused: float, tx: Tx) -> Given:
        row = refilled(budget_of(tx, self._channel, bucket, limit.size), limit, tx.now)
        row = replace(row, level=min(limit.size, row.level + unused))
        row, given = taken(row, limit, tx.now, n, bulk)
        put_budget(tx, self._channel, bucket, row)
        return given

    def _look(self, lane: str) -> None:
        look = _BEFORE.get()
        if look is not None:
            look()
        if lane not in WRITING:
            return
        if time.monotonic() - self._asked > 1:
            with self._registry.read() as tx:
                self._paused = self._channel in paused(tx)
            self._asked = time.monotonic()
        if self._paused:
            raise Stopped(f"{self._channel}: writes are paused; `serai channel {self._channel} resume` lets them go on")
