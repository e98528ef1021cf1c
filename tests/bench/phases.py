"""Where the time of a sync goes: wall time by phase, each moment of a thread counted once, under its innermost phase.

What surprises here: functions are wrapped where they are looked up, while the block runs; a page calls each of them a
few times, so measuring changes nothing that can be measured.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.engine.default import DefaultDialect

from connectors.rest import Rest
from flows import accept, deciding, push
from mappings.language import Mapping
from registry import Tx, bulk

REST = "everything else (pages, ledger, leases)"
PLACES: list[tuple[Any, str, str]] = [
    (Rest, "exchange", "HTTP and JSON"),
    *((Mapping, name, "mappings") for name in
      ("inward_references", "map_inward", "outward_references", "map_outward")),
    *((bulk, name, "database: rows written") for name in ("upsert", "insert", "update")),
    (Tx, "rows", "database: rows read and claimed"),
    (Tx, "run", "database: rows touched and closed"),
    (DefaultDialect, "do_commit", "database: commits"),
    (accept, "look", "documents known again"),
    (accept, "identify", "matching"),
    (accept, "contribute", "contributions, merge, lineage"),
    (accept, "_store", "storing: rows made ready"),
    (accept, "_accept_entity", "new, edited or unchanged"),
    (deciding, "views", "rules of trade, rendering"),
    (push, "decide_page", "deciding: keys and payloads"),
    (push, "record_receipts", "receipts, projections, lineage"),
]  # fmt: skip


@contextmanager
def phases() -> Iterator[dict[str, float]]:
    """Phase → seconds of the block; what no phase claims of this thread stands under ``REST``.

    A thread that works beside this one adds what it does in a phase, so that all may be more than the clock's.
    """
    spent: dict[str, float] = defaultdict(float)
    of_thread = threading.local()

    def turn(phase: str | None) -> None:
        now = time.perf_counter()
        stack = of_thread.__dict__.setdefault("stack", [])
        if stack:
            spent[stack[-1]] += now - of_thread.last
        of_thread.last = now
        if phase is None:
            stack.pop()
        else:
            stack.append(phase)

    def timed(work: Callable[..., Any], phase: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            turn(phase)
            try:
                return work(*args, **kwargs)
            finally:
                turn(None)

        return call

    before = [(place, name, getattr(place, name)) for place, name, _ in PLACES]
    for place, name, phase in PLACES:
        setattr(place, name, timed(getattr(place, name), phase))
    turn(REST)
    try:
        yield spent
    finally:
        for place, name, work in before:
            setattr(place, name, work)
        turn(None)
