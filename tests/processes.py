"""Processes of tests: forked from a server that has imported what they need and opened nothing; whether they live.

To start one anew costs 1 to 4 s of CPU, to fork it a tenth.
"""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Final

from tests.retailer import until

FORKED: Final = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["tests.unit.registry.workers", "tests.scenario.worker"])


def lives(pid: int) -> bool:
    """Whether there is such a process; one that only waits for its parent to take note of its end is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(family: list[int], seconds: float = 60) -> None:
    """Fails unless none of these processes lives before the time is up."""
    try:
        until(lambda: not any(lives(pid) for pid in family), seconds)
    except AssertionError:
        raise AssertionError([command(pid) for pid in family if lives(pid)]) from None


def command(pid: int) -> str:
    """The command line of a process; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
