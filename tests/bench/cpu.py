"""CPU seconds of everything that takes part: this process, its children (the local API), the database server's.

What surprises here: on a machine with other work wall time says more about that work than about ours, and a loop that
waits for many small answers suffers most; so ratios are taken of these seconds. Without /proc only this process counts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")


def seconds(server: int | None = None) -> float:
    """CPU seconds spent so far; ``server`` is the process id of the database server, when there is one here."""
    whole = time.process_time()
    if not PROC.is_dir():
        return whole
    tick = os.sysconf("SC_CLK_TCK")
    found = dict(_processes())
    roots = {os.getpid(), server}
    for pid, (_, ticks) in found.items():
        at: int | None = pid
        while at in found and at not in roots:
            at = found[at][0]
        if at in roots and pid != os.getpid():
            whole += ticks / tick
    return whole


def parent(pid: int) -> int | None:
    """The process that started ``pid``; None where nobody can say (another machine's, no /proc)."""
    return dict(_processes()).get(pid, (None, 0))[0]


def _processes() -> Iterator[tuple[int, tuple[int, int]]]:
    """Process id → (parent, ticks spent by itself and by its children that ended)."""
    for path in PROC.glob("[0-9]*/stat"):
        try:
            parts = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        yield int(path.parent.name), (int(parts[1]), sum(map(int, parts[11:15])))
