"""From when to when something holds, and which of several dated rules holds at a moment.

What surprises here: an open end is closed by whoever begins later, as every price list and every law book has it ("from
1 March: 16 %"); windows with both ends that hold together are a contradiction, never a question of order. A dated rule
beats an undated one. Moments are aware, UTC; a window holds its start and not its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

ALWAYS = datetime.min.replace(tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)


class Dated(Protocol):
    """Anything that holds from a moment (None: ever since) to a moment (None: for good)."""

    @property
    def start(self) -> datetime | None:
        """The first moment at which it holds."""

    @property
    def end(self) -> datetime | None:
        """The first moment at which it no longer holds."""


D = TypeVar("D", bound=Dated)


def moment(text: str) -> datetime:
    """A canonical moment; raises ValueError for a naive one."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"a moment needs its zone: {text}")
    return found


def begins(text: str, zone: str) -> datetime:
    """The moment that a policy means: ``2026-03-01`` is midnight in ``zone``, a moment with its offset is itself."""
    if len(text) == 10:
        return datetime.combine(date.fromisoformat(text), time(), ZoneInfo(zone)).astimezone(UTC)
    return moment(text).astimezone(UTC)


def rank(start: datetime | None, end: datetime | None) -> tuple[int, datetime]:
    """How dated it is, the larger the more: ``(2, ·)`` both ends, ``(1, start)`` one end, ``(0, ·)`` undated."""
    if start is None and end is None:
        return (0, ALWAYS)
    return (1, start or ALWAYS) if end is None or start is None else (2, ALWAYS)


def holds(rule: Dated, at: datetime) -> bool:
    """``start ≤ at < end``, an absent end being open."""
    return (rule.start or ALWAYS) <= at < (rule.end or FOREVER)


def in_force(rules: Iterable[D], at: datetime) -> D | None:
    """The rule that holds at a moment: the most dated one, among those without end the latest start; None: none holds.

    Rules without `contradictions` have exactly one such.
    """
    found = [rule for rule in rules if holds(rule, at)]
    return max(found, key=lambda rule: rank(rule.start, rule.end), default=None)


def contradictions(rules: Sequence[D]) -> list[tuple[D, D]]:
    """Pairs of which neither beats the other at some moment: equally dated, and there is a moment at which both hold.

    ``max(starts) < min(ends)`` and ``rank`` the same: two with both ends that overlap, two undated ones, two that begin
    together and never end, two that only end.
    """
    return [
        (one, other) for place, one in enumerate(rules) for other in rules[place + 1:]
        if max(one.start or ALWAYS, other.start or ALWAYS) < min(one.end or FOREVER, other.end or FOREVER)
        and rank(one.start, one.end) == rank(other.start, other.end)
    ]


def edges(rules: Iterable[Dated], after: datetime) -> set[datetime]:
    """The moments after ``after`` at which another rule may hold."""
    return {at for rule in rules for at in (rule.start, rule.end) if at is not None and at > after}
