"""Moments as people read them: "3 min ago" beside the exact time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo


def ago(at: datetime, now: datetime) -> str:
    """``just now``, ``40 s ago``, ``3 min ago``, ``5 h ago``, ``2 days ago``; a moment to come is ``in 3 min``."""
    gap = now - at
    if abs(gap) < timedelta(seconds=10):
        return "just now"
    words = length(abs(gap))
    return f"{words} ago" if gap > timedelta(0) else f"in {words}"


def length(gap: timedelta) -> str:
    """``40 s``, ``3 min``, ``5 h``, ``2 days``."""
    seconds = int(gap.total_seconds())
    if seconds < 60:
        return f"{seconds // 10 * 10} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 86_400:
        return f"{seconds // 3600} h"
    days = seconds // 86_400
    return "1 day" if days == 1 else f"{days} days"


def clock(at: datetime, zone: tzinfo = UTC) -> str:
    """``2026-03-01 14:05:09`` in a zone."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def took(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
