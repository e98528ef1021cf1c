"""Runs one command that ends when its parent ends: ``python -m deployments.leash PID -- COMMAND…``.

What surprises here:

* The command has a session of its own, so Ctrl-C in a terminal does not reach it. The parent's SIGTERM to this process
  ends it, and so does the parent's disappearance: SIGKILL leaves a parent no time to stop anybody.
* Everything the command started ends with it, also in other sessions: Prefect's worker gives each flow run its own.
* SIGTERM comes first, SIGKILL after ``PATIENCE`` seconds. Only the standard library is imported: five of these run.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PATIENCE = 8.0
"""Seconds a command has to end by itself: a step finishes its page, Prefect's server closes its database."""
GLANCE = 0.25
"""Seconds between two looks at the parent."""
PR_SET_CHILD_SUBREAPER = 36


def hold(parent: int, command: list[str]) -> int:
    """Runs the command until it ends, the parent ends, or SIGTERM, SIGINT or SIGHUP arrives; returns its exit code.

    Afterwards no process that the command started is left.
    """
    asked = False

    def ask(_signal: int, _frame: object) -> None:
        nonlocal asked
        asked = True

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, ask)
    if sys.platform == "linux":
        # Orphans of the command become children of this process instead of init's, so none is lost sight of.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # The command is the operator's own, from deployments/local.py.
    child = subprocess.Popen(command, start_new_session=True)  # noqa: S603
    # getppid changes the moment the parent is gone, even when somebody else gets its number at once.
    while child.poll() is None and not asked and os.getppid() == parent:
        time.sleep(GLANCE)
    end_all(child)
    return child.wait()


def end_all(child: subprocess.Popen[bytes]) -> None:
    """SIGTERM to every descendant of this process, SIGKILL to those left after PATIENCE; none lives afterwards."""
    for pid in descendants(os.getpid()):
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while True:
        child.poll()
        left = descendants(os.getpid())
        if not left:
            return
        if time.monotonic() > deadline:
            for pid in left:
                _signal(pid, signal.SIGKILL)
        time.sleep(0.1)


def descendants(root: int) -> list[int]:
    """The living (not zombie) processes below ``root``, parents before their children."""
    children: dict[int, list[int]] = {}
    for pid, parent in _processes():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    level = [root]
    while level:
        level = [child for pid in level for child in children.get(pid, [])]
        found += level
    return found


def _processes() -> list[tuple[int, int]]:
    """(pid, parent's pid) of every living process."""
    if sys.platform == "linux":
        rows = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # it ended between the listing and the reading
                # The name of the program, in parentheses, may hold anything; what follows its last one is fixed.
                state, parent = stat.read_bytes().rpartition(b")")[2].split()[:2]
                if state != b"Z":
                    rows.append((int(stat.parent.name), int(parent)))
        return rows
    shown = subprocess.run(
        ["/bin/ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
    )
    words = (line.split() for line in shown.stdout.splitlines())
    return [(int(pid), int(parent)) for pid, parent, state, *_ in words if not state.startswith("Z")]


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


if __name__ == "__main__":
    sys.exit(hold(int(sys.argv[1]), sys.argv[3:]))
