"""Breadth-first search over every interleaving of a small system; the first bad state found is a shortest one.

What surprises here: a state is its canonical form, so that states that differ only in which of two equal channels is
called first are looked at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

State = TypeVar("State", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class Found(Generic[State]):
    """What a search saw: how many states and steps, and the steps to the first bad state, None when there is none."""

    states: int
    steps: int
    trace: list[str] | None


def search(
    starts: Iterable[State], moves: Callable[[State], Iterator[tuple[str, State]]], bad: Callable[[State], bool]
) -> Found[State]:
    """Every state that can be reached from ``starts``, the nearest first; ends at the first that is ``bad``."""
    came: dict[State, tuple[State, str] | None] = {start: None for start in starts}
    level = list(came)
    steps = 0
    while level:
        reached: list[State] = []
        for state in level:
            for label, after in moves(state):
                steps += 1
                if after in came:
                    continue
                came[after] = (state, label)
                if bad(after):
                    return Found(states=len(came), steps=steps, trace=_trace(came, after))
                reached.append(after)
        level = reached
    return Found(states=len(came), steps=steps, trace=None)


def _trace(came: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    told: list[str] = []
    while (before := came[state]) is not None:
        state, label = before
        told.append(label)
    return told[::-1]
