"""Tells Prefect, afterwards, what the drain has done: one flow run per channel and busy minute, one row per batch.

What surprises here: best effort, from a thread of its own. Nothing waits for it, and nothing is lost with it: the
ledgers are in the registry; with Prefect's server away the batches of that minute are counted, logged and dropped.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from flows.ledger import Ledger

log = logging.getLogger("serai.reports")

MINUTE: Final = 60.0
MOST_ROWS: Final = 500
"""Rows of one report; a busier minute says how many more there were."""
ANSWERS_WITHIN: Final = 30.0
"""Seconds Prefect has for one report."""
LAST_WORDS: Final = 5.0
"""Seconds that reports may take when the drain ends, the one under way included; the others are dropped."""
ENDS_WITHIN: Final = 60.0
"""Seconds after which the drain ends though its reports hang where nothing can be taken back."""
LOOKS_EVERY: Final = 0.2


class Reports:
    """Collects ledgers and publishes them once a minute; a context, so that the last minute is told too.

    ``api`` is Prefect's address (``PREFECT_API_URL``); None: there is no Prefect, and nothing is collected.
    """

    def __init__(self, api: str | None, *, every: float = MINUTE) -> None:
        self._api = api
        self._every = every
        self._lock = threading.Lock()
        self._batches: dict[str, list[dict[str, Any]]] = {}
        self._dropped: dict[str, int] = {}
        self._since = 0.0
        self._ending = threading.Event()
        self._until = float("inf")
        """When the last report must have been taken, by the monotonic clock."""
        self._thread = threading.Thread(target=self._run, args=(api,), name="reports", daemon=True)

    def __enter__(self) -> Self:
        if self._api is None:
            log.info("PREFECT_API_URL is not set: batches are kept in the registry and reported to nobody else")
        else:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._until = time.monotonic() + LAST_WORDS
        self._ending.set()
        if self._thread.is_alive():     # an interpreter that ends under a thread of Prefect's aborts: it is waited for
            self._thread.join(ENDS_WITHIN)

    def add(self, ledger: Ledger) -> None:
        """Notes a batch for the next report; returns at once."""
        if self._api is None:
            return
        with self._lock:
            rows = self._batches.setdefault(ledger.channel, [])
            if len(rows) < MOST_ROWS:
                rows.append(batch_row(ledger))
            else:
                self._dropped[ledger.channel] = self._dropped.get(ledger.channel, 0) + 1

    def _run(self, api: str) -> None:
        while not self._ending.wait(self._every):
            self._publish(api)
        self._publish(api)

    def _publish(self, api: str) -> None:
        with self._lock:
            batches, self._batches = self._batches, {}
            dropped, self._dropped = self._dropped, {}
        if not batches or time.monotonic() >= self._until:
            return
        # importing Prefect takes over a second: only here, in this thread
        from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE, temporary_settings

        # without the second setting Prefect would start a server of its own where none answers
        with temporary_settings({PREFECT_API_URL: api, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False}):
            for channel, rows in batches.items():
                if dropped.get(channel):
                    rows.append({"at": "", "what": f"{dropped[channel]:,} more batches: see the runs in the console"})
                try:
                    publish(channel, rows, lambda: self._until)
                except Exception as error:  # noqa: BLE001  # whatever Prefect does, the drain works on
                    log.warning(
                        "%s: Prefect did not take the report of %d batches (%s); they are in the registry",
                        channel,
                        len(rows),
                        type(error).__name__,
                    )


def batch_row(ledger: Ledger) -> dict[str, Any]:
    """A ledger as a row of the report."""
    return {
        "at": ledger.ended_at.strftime("%H:%M:%S"),
        "what": ledger.sentence(),
        "read": ledger.read,
        **{outcome: ledger.total(outcome) for outcome in sorted({outcome for _, outcome in ledger.counts})},
        "balanced": ledger.balanced,
        "seconds": round(ledger.seconds, 2),
    }


def publish(channel: str, rows: Sequence[Mapping[str, Any]], until: Callable[[], float]) -> None:
    """One flow run that carries these batches as a table; raises whatever Prefect raises, TimeoutError included.

    It is given up after ANSWERS_WITHIN, and at the moment ``until`` says, which may be brought forward meanwhile.
    """
    from flows.sync import drained

    minute = str(rows[0]["at"])[:5]
    asyncio.run(_within(drained(channel=channel, minute=minute, batches=list(rows)), until))


async def _within(work: Coroutine[Any, Any, object], until: Callable[[], float]) -> None:
    task = asyncio.ensure_future(work)
    longest = time.monotonic() + ANSWERS_WITHIN
    while not task.done() and time.monotonic() < min(longest, until()):
        await asyncio.wait([task], timeout=LOOKS_EVERY)
    if not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=LAST_WORDS)
    if not task.done() or task.cancelled():
        raise TimeoutError
    task.result()
