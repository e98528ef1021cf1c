"""What a connector may ask of the house it runs in: secrets, tokens, whether a request may begin, the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

LOOKING = frozenset({"look", "check"})
"""Lanes of reads that change nothing, not even where a file lies; ``check`` wants the first page only."""
MOST_NOTED = 100


class Secrets(Protocol):
    """Resolves a secret's name at the moment of use."""

    def get(self, name: str) -> str:
        """The value; raises Misconfigured naming the reference when there is none."""


class Noted:
    """Secrets that are noted as they are used, so that a platform's answer cannot carry them into an error."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets, self.used = secrets, set[str]()

    def get(self, name: str) -> str:
        """The value; raises Misconfigured naming the reference when there is none."""
        value = self._secrets.get(name)
        self.note(value)
        return value

    def note(self, *values: str) -> None:
        """These are secret too from now on; short-lived tokens are forgotten in time."""
        if len(self.used) > MOST_NOTED:
            self.used = set()
        self.used.update(values)


class Tokens(Protocol):
    """A channel's short-lived tokens, shared by all workers."""

    def load(self) -> tuple[int, Mapping[str, str]]:
        """The version and the tokens; version 0 and an empty mapping when there are none."""

    def swap(self, version: int, tokens: Mapping[str, str]) -> bool:
        """Store if the version is still the one loaded; False: somebody else was faster, load again."""


class Budget(Protocol):
    """Asked before each request begins; what a platform allows an account is shared by all workers (limits.py)."""

    def take(self, n: float, lane: str, bucket: str = "") -> None:
        """Returns when a request that costs ``n`` may begin; raises Stopped on mode, lease or pause, or RetryLater."""

    def told(self, available: float, bucket: str = "") -> None:
        """The platform says that so much is left."""

    def back(self, n: float, bucket: str = "") -> None:
        """A request cost so much less than was taken for it."""

    def refused(self, after: float, bucket: str = "") -> None:
        """The platform turned a request down; nobody asks before ``after`` seconds have gone."""


class Clock(Protocol):
    """The database's time."""

    def now(self) -> datetime:
        """An aware moment in UTC."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """What a connector may ask of the house it runs in."""

    secrets: Secrets
    tokens: Tokens
    budget: Budget
    clock: Clock


class SystemClock:
    """This machine's clock, for tools that run without a registry."""

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.now(UTC)
