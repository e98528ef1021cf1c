"""Writes stay their worker's for as long as it is at them, however slow the channel is.

What surprises here: they are renewed before a request of theirs begins, and only where the time left might not outlast
it. Whoever finds that another worker looks after them by now begins no more (P2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from connectors.errors import Stopped
from flows.budgets import before_each
from flows.wiring import House
from registry import renew_claims


@contextmanager
def kept(house: House, channel: str, ids: Sequence[int], since: datetime) -> Iterator[None]:
    """What this thread asks of the channel inside the block keeps these rows of the outbox, claimed at ``since``."""
    seconds = house.claims(channel)
    looks_at = since + timedelta(seconds=seconds / 2)

    def keep() -> None:
        nonlocal looks_at
        now = house.registry.now()
        if now < looks_at:
            return
        renewed = house.registry.attempt(lambda tx: renew_claims(tx, ids, owner=house.owner, seconds=seconds))
        if renewed < len(ids):
            raise Stopped(f"{channel}: it took so long that another worker looks after what is left of the page")
        looks_at = now + timedelta(seconds=seconds / 2)

    with before_each(keep):
        yield
