"""How values, sums and reasons of a plan are put into words, the same in a terminal and on a page."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from flows.plan import ABSENT, Part, Plan
from registry import encode

LONGEST = 120
"""Characters of a value that are shown."""


def value(found: Any) -> str:
    """A field's value on one line: text bare, everything else as JSON; ``—`` where there is no such field."""
    if found == ABSENT:
        return "—"
    text = found if isinstance(found, str) and found != "" else encode(found)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def amount(found: Decimal) -> str:
    """``12,400.00``."""
    return f"{found:,f}"


def money(part: Part) -> str:
    """``1,250.00 KZT, at most 400.00``; empty when no price moves."""
    return "; ".join(
        f"{amount(total)} {currency}" + (f", at most {amount(largest)}" if largest != total else "")
        for currency, (total, largest) in sorted(part.money().items())
        if total != 0
    )


def verdict(part: Part) -> str:
    """``would be held: …``; empty when it would pass."""
    return f"would be held: {'; '.join(part.verdict.because)}" if part.verdict.held else ""


def number(count: int, noun: str) -> str:
    """``1 write``, ``2 writes``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def heading(plan: Plan) -> str:
    """What the plan says, in one sentence."""
    writes = number(len(plan.writes), "write")
    channels = len({one.channel for one in plan.writes})
    if not plan.writes:
        return "Nothing would be written to any channel."
    held = f"; the breaker would hold {number(len(plan.held), 'set')} of them" if plan.held else ""
    return f"{writes} to {number(channels, 'channel')}{held}."


def against(plan: Plan) -> str:
    """``against release 3``, or what runs as long as there is none."""
    return "before the first release" if plan.base is None else f"against release {plan.base}"


def scope(plan: Plan) -> str:
    """Which part was looked at; empty for all of it."""
    given = (("channel", plan.scope.channel), ("entity", plan.scope.entity), ("since", plan.scope.since))
    return ", ".join(f"{name} {what}" for name, what in given if what is not None)


def stands_out(parts: Sequence[Part]) -> list[Part]:
    """The parts in which something would happen, or cannot."""
    return [part for part in parts if part.writes or part.waiting or part.parked or part.note]
