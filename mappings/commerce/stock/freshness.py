"""Figures that cannot be taken as they stand: of a source that fell silent, of a place being counted, of a mute till.

What surprises here: nothing is adjusted upwards, and nothing silently: each answer comes with the sentence that the
console and ``serai stock show`` print. Levels and ages are durations; expected sales are units per hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Final

from mappings.commerce.fulfilment.calendar import Calendar, after_open, is_open

DEAD: Final = ("keep", "minus_expected_sales", "zero")
"""What is published of a source that fell silent."""
COUNTING: Final = ("freeze", "lower", "leave_out")
"""What is published of a place while it is counted."""
POSTS: Final = ("per_receipt", "per_shift", "never")
"""How the receipts of a till get into the system that counts stock."""
SILENT: Final = ("keep", "minus_expected_sales", "zero")
"""What is published of a store whose register says nothing in opening hours."""
_HOUR: Final = Decimal(3600)
ZERO: Final = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What a channel that says how much stock there is declares: what its figure means, who restocks what is cancelled,
    how fresh its figures are to be, from how many times that age on it counts as dead, and what then is published.
    ``allocates``: with what is on hand it tells the part that it has allocated to orders.
    """

    figure: str
    restocks: str
    allocates: bool = False
    level: timedelta = timedelta(hours=1)
    dead_after: Decimal = Decimal(4)
    dead: str = "keep"
    counting: str = "leave_out"
    expires_within: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Till:
    """How a POS posts, for how long it may say nothing while its store is open, and what then is published there.

    ``stores``: (code, how) of those stores whose tills post otherwise.
    """

    posts_to_erp: str
    silent_after: timedelta | None = None
    silent: str = "keep"
    stores: tuple[tuple[str, str], ...] = ()

    def posts(self, store: str | None) -> str:
        """How the tills of a store post."""
        return dict(self.stores).get(store or "", self.posts_to_erp)


@dataclass(frozen=True, kw_only=True, slots=True)
class Adjusted:
    """A figure after a rule, and the sentence of the rule; no sentence: the figure stands as it was."""

    units: Decimal
    because: str = ""


def is_dead(source: Source, age: timedelta) -> bool:
    """``age > level · dead_after``."""
    return Decimal(age // timedelta(microseconds=1)) > (
        Decimal(source.level // timedelta(microseconds=1)) * source.dead_after
    )


def expected_sales(per_hour: Decimal, age: timedelta) -> Decimal:
    """``⌈units per hour · hours⌉``: whole units that were probably sold meanwhile, rounded up."""
    hours = Decimal(age // timedelta(seconds=1)) / _HOUR
    return (per_hour * hours).to_integral_value(ROUND_CEILING)


def quieted(units: Decimal, rule: str, per_hour: Decimal, age: timedelta, why: str) -> Adjusted:
    """``keep``: units; ``minus_expected_sales``: ``max(0, units − ⌈per_hour · age⌉)``; ``zero``: 0. Never more."""
    if rule == "zero":
        return Adjusted(units=min(units, ZERO), because=f"{why}: nothing is shown of it")
    if rule == "minus_expected_sales":
        sold = expected_sales(per_hour, age)
        return Adjusted(units=min(units, max(ZERO, units - sold)),
                        because=f"{why}: shown less the {sold} that are usually sold in that time")
    return Adjusted(units=units, because=f"{why}: its last figures are kept")


def of_dead_source(units: Decimal, name: str, source: Source, age: timedelta, per_hour: Decimal) -> Adjusted:
    """What counts of a figure whose source was last heard ``age`` ago; as it stands while the source is not dead."""
    if not is_dead(source, age):
        return Adjusted(units=units)
    return quieted(units, source.dead, per_hour, age, f"{name} has said nothing for {spoken(age)}")


def while_counting(units: Decimal, before: Decimal | None, rule: str, place: str) -> Adjusted:
    """What counts of a figure that is still being counted; ``before`` is the last figure from before the count.

    ``freeze``: before (0 when unknown); ``lower``: ``min(units, before)``; ``leave_out``: 0.
    """
    if rule == "leave_out":
        return Adjusted(units=ZERO, because=f"{place} is being counted: left out")
    known = ZERO if before is None else before
    if rule == "freeze":
        return Adjusted(units=known, because=f"{place} is being counted: the figure from before stands")
    return Adjusted(units=min(units, known), because=f"{place} is being counted: the lower of both figures counts")


def is_silent(till: Till, place: Calendar, last_receipt: datetime | None, now: datetime) -> bool:
    """Whether a store's register should have said something: the store is open, and has been open for longer than
    ``silent_after`` since the last receipt. Without ``silent_after`` never; without any receipt while it is open.
    """
    if till.silent_after is None or not is_open(now, place):
        return False
    return last_receipt is None or after_open(last_receipt, till.silent_after, place) < now


def spoken(age: timedelta) -> str:
    """A duration in words: ``3 h 20 min``."""
    minutes = int(age.total_seconds()) // 60
    hours, rest = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (rest if days == 0 else 0, "min")]
    return " ".join(f"{n} {unit}" for n, unit in parts if n > 0) or "less than a minute"
