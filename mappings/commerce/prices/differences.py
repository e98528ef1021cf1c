"""Why two channels show different prices: the first step in which their rules part.

What surprises here: a rule explains a difference only where both channels show what their rules say. Whatever else they
show is a difference that nobody decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_INPUTS = ("after", "where")


def parted(one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> str | None:
    """The rule that makes two prices differ: name and place of the first step whose inputs differ; None: none does.

    Steps are compared by what they need, not by what came out of them: from the same inputs the same price follows.
    """
    for place in range(max(len(one), len(other))):
        first = one[place] if place < len(one) else None
        second = other[place] if place < len(other) else None
        if first is None or second is None or _inputs(first) != _inputs(second):
            return " against ".join(_named(step) for step in (first, second))
    return None


def _inputs(step: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in step.items() if name not in _INPUTS}


def _named(step: Mapping[str, Any] | None) -> str:
    if step is None:
        return "no rule"
    place = step.get("where") or step.get("list", "")
    return f"{step['step']} ({place})" if place else str(step["step"])
