"""Stops a test run's PostgreSQL server once the run is over, however it ended: ``python postgres_end.py FOLDER``.

What surprises here: the run holds the other end of this program's input, so the end of the run, a SIGKILL included, is
the end of the input. The server's own package stops it only from ``atexit``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

PATIENCE = 10.0
"""Seconds a server has to shut down before it is killed."""


def end(folder: Path) -> None:
    """Afterwards neither the server whose data lies in ``folder`` nor the folder is there."""
    note = folder / "data" / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        pid = int(note.read_text().split()[0])
        os.kill(pid, signal.SIGINT)  # "fast": open sessions are ended
        deadline = time.monotonic() + PATIENCE
        while note.exists():  # removed last; the process itself may stay as somebody else's zombie
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                break
            time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.stdin.buffer.read()
    end(Path(sys.argv[1]))
