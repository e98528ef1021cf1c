"""Processes that `serai up` started end with it, however it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.leash import descendants
from tests.processes import gone, lives
from tests.retailer import until

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


def pids(note: Path) -> list[int]:
    until(lambda: note.exists() and len(note.read_text().split()) == 2, 60)
    return [int(word) for word in note.read_text().split()]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_parent_leaves_no_child_and_no_grandchild_behind(tmp_path: Path, number: int) -> None:
    """Ctrl-C, SIGTERM or SIGKILL: no orphan is left holding ports and leases (P15)."""
    note = tmp_path / "pids"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, sys.executable, "-c", FAMILY, str(note)])
    family = pids(note)
    assert all(lives(pid) for pid in family)
    os.kill(parent.pid, number)
    parent.wait(timeout=60)
    gone(family)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_command_that_ignores_sigterm_is_killed_after_a_while(tmp_path: Path) -> None:
    """A part that hangs cannot keep `serai up` from ending."""
    note = tmp_path / "pids"
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FAMILY
    held = "import os, sys, deployments.leash as leash; leash.PATIENCE = 0.5; leash.hold(os.getppid(), sys.argv[1:])"
    leash = subprocess.Popen([sys.executable, "-c", held, sys.executable, "-c", deaf, str(note)])
    family = pids(note)
    leash.terminate()
    leash.wait(timeout=60)
    assert not any(lives(pid) for pid in family)


def test_the_exit_code_of_a_command_is_the_exit_code_of_its_leash() -> None:
    """A part that failed to start is seen to have failed."""
    command = [sys.executable, "-m", "deployments.leash", str(os.getpid()), "--", sys.executable, "-c", "exit(7)"]
    before = set(descendants(os.getpid()))  # servers that other tests keep for the session
    assert subprocess.run(command, timeout=60, check=False).returncode == 7
    assert set(descendants(os.getpid())) - before == set()
