"""The account of one step: every item that came in or was due, under exactly one outcome, or the step fails (P1).

What surprises here: a ledger is checked *before* its transaction commits. A page whose items do not add up commits
nothing, moves no cursor and turns the run red.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

INWARD: Final = ("created", "updated", "unchanged", "skipped", "waiting", "parked", "quarantined")
OUTWARD: Final = ("written", "unchanged", "waiting", "held", "parked", "failed")
Direction = Literal["inward", "outward"]


class Unbalanced(Exception):
    """Items were read that no outcome accounts for. Nothing was committed; the message names the difference."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """How much one call of a step may take on before it returns with ``more``."""

    seconds: float = 5.0
    records: int = 10_000


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What one step did. ``counts`` is {(entity, outcome): n}; ``reasons`` the same for skips, by reason.

    ``read`` counts items (entity, external id), and documents that yield none; outward it counts what was due.
    ``more`` says that the step stopped at the bound of its stretch; ``note`` why it did nothing, when it did nothing.
    """

    run: str
    channel: str
    what: str
    direction: Direction
    read: int
    counts: Mapping[tuple[str, str], int]
    reasons: Mapping[str, int]
    faults: tuple[str, ...]
    more: bool
    note: str
    started_at: datetime
    ended_at: datetime
    seconds: float

    @property
    def balanced(self) -> bool:
        """Whether every item read stands under exactly one outcome."""
        return self.read == sum(self.counts.values())

    def total(self, *outcomes: str) -> int:
        """How many items ended as one of these outcomes."""
        return sum(n for (_, outcome), n in self.counts.items() if outcome in outcomes)

    def sentence(self) -> str:
        """The ledger as one line for people: ``pull orders from shop-kz: 12 read = 2 created + 10 unchanged``."""
        known = INWARD if self.direction == "inward" else OUTWARD
        parts = [f"{self.total(name)} {name}" for name in known if self.total(name)]
        verb, link = ("pull", "from") if self.direction == "inward" else ("push", "to")
        head = f"{verb} {self.what} {link} {self.channel}"
        if self.note and not parts:
            return f"{head}: {self.note}"
        word = "read" if self.direction == "inward" else "due"
        return f"{head}: {self.read} {word} = {' + '.join(parts) or '0'}"

    def row(self) -> dict[str, Any]:
        """The ledger as plain JSON, entity → outcome → count."""
        counts: dict[str, dict[str, int]] = {}
        for (entity, outcome), n in sorted(self.counts.items()):
            counts.setdefault(entity, {})[outcome] = n
        return {
            "run": self.run, "channel": self.channel, "what": self.what, "direction": self.direction,
            "read": self.read, "counts": counts, "reasons": dict(self.reasons), "balanced": self.balanced,
            "more": self.more, "note": self.note, "seconds": round(self.seconds, 3), "faults": list(self.faults),
        }


@dataclass(kw_only=True)
class Account:
    """A ledger while it is being written: a stretch's sums, added page by page after each page balanced.

    ``missing`` holds the (entity, uid) that writes of the page wait for, and one write's uid for each; ``looks`` the
    uids, and their ids on the channel, of which the channel must be looked at before they can be written; ``raises``
    the uids that could be told less than they are to show, and how much.
    """

    run: str
    channel: str
    what: str
    direction: Direction
    started_at: datetime
    read: int = 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    missing: dict[tuple[str, str], str] = field(default_factory=dict)
    looks: dict[str, str] = field(default_factory=dict)
    raises: dict[str, int | Decimal] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)

    def page(self) -> Account:
        """An empty account of one page of the same step."""
        return Account(
            run=self.run, channel=self.channel, what=self.what, direction=self.direction, started_at=self.started_at
        )

    def count(self, entity: str, outcome: str, n: int = 1, reason: str = "") -> None:
        """``n`` items of an entity end as ``outcome``."""
        if n:
            self.counts[entity, outcome] += n
            if reason:
                self.reasons[f"{entity}: {reason}"] += n

    def fault(self, sentence: str) -> None:
        """Keeps the first twenty faults as sentences; all of them are in `parked`."""
        if len(self.faults) < 20:
            self.faults.append(sentence)

    def close_page(self, read: int) -> None:
        """Raises Unbalanced unless ``read`` items are accounted for, each once."""
        self.read = read
        if read != sum(self.counts.values()):
            raise Unbalanced(
                f"{self.channel} {self.what}: {read} items came in, {sum(self.counts.values())} are accounted for "
                f"({', '.join(f'{n} {entity} {outcome}' for (entity, outcome), n in sorted(self.counts.items()))}); "
                "nothing of this page was stored; report this as a defect"
            )

    def clear(self) -> None:
        """Forgets what was counted: its transaction is tried again from the start."""
        self.read = 0
        self.counts.clear()
        self.reasons.clear()
        self.faults.clear()
        self.missing.clear()
        self.looks.clear()
        self.raises.clear()

    def copy(self) -> Account:
        """An account of its own with the same sums."""
        other = self.page()
        other.add(self)
        return other

    def add(self, page: Account) -> None:
        """Adds a committed page."""
        self.read += page.read
        self.counts.update(page.counts)
        self.reasons.update(page.reasons)
        self.faults = (self.faults + page.faults)[:20]

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self._began

    def spent(self, stretch: Stretch) -> bool:
        """Whether the stretch is used up."""
        return self.elapsed >= stretch.seconds or self.read >= stretch.records

    def ledger(self, ended_at: datetime, *, more: bool = False, note: str = "") -> Ledger:
        """The finished ledger."""
        return Ledger(
            run=self.run, channel=self.channel, what=self.what, direction=self.direction, read=self.read,
            counts=dict(self.counts), reasons=dict(self.reasons), faults=tuple(self.faults), more=more, note=note,
            started_at=self.started_at, ended_at=ended_at, seconds=self.elapsed,
        )
