"""A second process of the drain, while more is due than one gets done within seconds and a processor is free for it.

What surprises here: it is the drain itself, told to end when nothing more can move; so it may be killed at any moment,
and whoever looks at it finds nothing new. Threads would not do: what takes the time is Python's, which does one thing
at a time in a process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from flows.wiring import House
from registry import RegistryError, held, more_due_than

HELPS_FROM: Final = 20_000
"""So many writes that are due keep one process busy for two seconds and more; a second one is there after one."""
LOOKS_EVERY: Final = 0.5
"""Seconds between two looks at how much is due."""
AGAIN_AFTER: Final = 30.0
"""Seconds from one beginning to the next: what cannot move, as a system asks to wait, is not tried by process after
process."""


class Helper:
    """The second process of a drain, where there is one; a place to keep it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._process: subprocess.Popen[bytes] | None = None
        self._looks_at = 0.0

    def look(self) -> None:
        """Begins it where much is due and fewer work than there are processors: who reads or drains has a lease."""
        now = time.monotonic()
        if now < self._looks_at or (self._process is not None and self._process.poll() is None):
            return
        self._looks_at = now + LOOKS_EVERY
        try:
            with self._house.registry.read() as tx:
                if not more_due_than(tx, HELPS_FROM) or len(held(tx)) >= (os.cpu_count() or 1):
                    return
        except (SQLAlchemyError, RegistryError):
            return      # the drain's own look says what is wrong, and goes on
        self._looks_at = now + AGAIN_AFTER
        command = [sys.executable, "-m", "deployments.drain", "--once", "--project", str(self._house.settings.folder)]
        self._process = subprocess.Popen(command)  # noqa: S603 — this program itself

    def end(self) -> None:
        """Afterwards there is none: it was asked to end after the batches under way, and has."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
