"""Who writes first on SQLite: what cannot wait goes before all others, of whichever process.

What surprises here: SQLite itself has no queue. Whoever asks in the moment the lock is free has it, so somebody with
one small write may wait for seconds behind workers that write page after page. The door is a file beside the database:
who goes first holds it, everybody else looks whether it is open before each attempt at SQLite's own lock. It is a
courtesy; that no two write at once rests on SQLite's lock alone, and a door that stays shut too long is walked through.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_LOOKS_EVERY: Final = 0.002
_PATIENCE: Final = 30.0


class Door:
    """The door of one SQLite file, shared by every process that opens it."""

    def __init__(self, database: str) -> None:
        self._path = Path(f"{database}-door")

    @contextmanager
    def first(self) -> Iterator[None]:
        """Inside the block nobody else begins to write who was not about to already; several go one by one."""
        file = self._open()
        try:
            _lock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)      # and with it the lock

    def wait(self) -> None:
        """Returns when nobody goes first."""
        file = self._open()
        try:
            _lock(file, fcntl.LOCK_SH)
        finally:
            os.close(file)

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lock(file: int, how: int) -> None:
    """The lock, or after `_PATIENCE` none: whoever holds it stands still, and the database may be free all the same."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOOKS_EVERY)
        else:
            return
