"""Processes that `serai up` started end with it, however it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deployments.leash import descendants

# A command whose child has a session of its own, as Prefect's worker gives its flow runs; both write their pid first.
FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"], start_new_session=True)
open(sys.argv[1], "w").write(f"{os.getpid()} {child.pid}")
time.sleep(120)
"""
PARENT = """
import os, subprocess, sys, time
leash = [sys.executable, "-m", "deployments.leash", str(os.getpid()), "--"]
subprocess.Popen(leash + sys.argv[1:], start_new_session=True)
time.sleep(120)
"""


def wait_for(condition: object, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]  # a callable
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != b"Z"


def pids(note: Path) -> list[int]:
    wait_for(lambda: note.exists() and len(note.read_text().split()) == 2)
    return [int(word) for word in note.read_text().split()]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_parent_leaves_no_child_and_no_grandchild_behind(tmp_path: Path, number: int) -> None:
    """Ctrl-C, SIGTERM or SIGKILL: no orphan is left holding ports and leases (P15)."""
    note = tmp_path / "pids"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, sys.executable, "-c", FAMILY, str(note)])
    family = pids(note)
    assert all(alive(pid) for pid in family)
    os.kill(parent.pid, number)
    parent.wait(timeout=10)
    wait_for(lambda: not any(alive(pid) for pid in family))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_command_that_ignores_sigterm_is_killed_after_a_while(tmp_path: Path) -> None:
    """A part that hangs cannot keep `serai up` from ending."""
    note = tmp_path / "pids"
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FAMILY
    held = "import os, sys, deployments.leash as leash; leash.PATIENCE = 0.5; leash.hold(os.getppid(), sys.argv[1:])"
    leash = subprocess.Popen([sys.executable, "-c", held, sys.executable, "-c", deaf, str(note)])
    family = pids(note)
    leash.terminate()
    leash.wait(timeout=10)
    assert not any(alive(pid) for pid in family)


def test_the_exit_code_of_a_command_is_the_exit_code_of_its_leash() -> None:
    """A part that failed to start is seen to have failed."""
    command = [sys.executable, "-m", "deployments.leash", str(os.getpid()), "--", sys.executable, "-c", "exit(7)"]
    before = set(descendants(os.getpid()))  # servers that other tests keep for the session
    assert subprocess.run(command, timeout=20, check=False).returncode == 7
    assert set(descendants(os.getpid())) - before == set()
