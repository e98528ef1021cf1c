"""Whether processes live, as Linux tells it."""

from __future__ import annotations

from pathlib import Path

from tests.retailer import until


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
