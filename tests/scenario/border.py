"""A worker that can die between any two steps, on a clock that can be moved.

What surprises here: all that it does to the outside passes a `Border`: each commit of its registry, each connector's
request. A border told to break before its n-th crossing stays broken, as a killed process does: what stands in a
``finally`` reaches nothing either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from sqlalchemy import Connection, event

from connectors.base import Connector
from connectors.rest import Rest
from flows.wiring import House
from registry import Registry, open_registry


class Crash(BaseException):
    """The worker is dead; nothing of the code under test may catch this."""


class Clock:
    """How far ahead of this machine's clock the retailer's is."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        """The time in the systems."""
        return datetime.now(UTC) + self.ahead


class Border:
    """Counts what a worker does to the outside; breaks before the ``at``-th crossing, and stays broken."""

    def __init__(self, at: int | None = None) -> None:
        self.at, self.count, self.broken = at, 0, False
        self.last = ""
        self.before: Callable[[str], None] = lambda what: None
        """Called before each crossing: a test's way to let something happen just then."""
        self.answered: Callable[[str], None] = lambda what: None
        """Called when a request was answered and the worker has not seen the answer yet."""
        self.slow = ""
        """The next request of this kind is under way for so long that its caller gives up; `arrive` lets it arrive."""
        self.arrive: Callable[[], object] = lambda: None

    def cross(self, what: str) -> None:
        """Raises Crash instead of letting ``what`` happen."""
        if self.broken:
            raise Crash(self.last)
        self.before(what)
        self.count += 1
        self.last = what
        if self.count == self.at:
            self.broken = True
            raise Crash(what)


class Gate(HTTPAdapter):
    """The transport adapter of a worker: each request crosses its border."""

    def __init__(self, border: Border, clock: Clock) -> None:
        super().__init__()
        self.border, self.clock = border, clock

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        what = f"{request.method} {str(request.url).split('/', 3)[3].split('?')[0]}"
        self.border.cross(what)
        if what == self.border.slow:
            self.border.slow = ""
            self.border.arrive = lambda: super(Gate, self).send(request, *args, **more).close()
            raise requests.ReadTimeout("the test's border holds the request back")
        answer = super().send(request, *args, **more)
        self.border.answered(what)
        answer.headers["Date"] = format_datetime(self.clock.now(), usegmt=True)  # the systems' clock is ahead, too
        return answer


class TimedRegistry(Registry):
    """A registry whose clock can be moved."""

    clock = Clock()

    def now(self) -> datetime:
        return super().now() + self.clock.ahead


@dataclass(kw_only=True)
class Worker(House):
    """A house whose commits and requests cross a border."""

    border: Border = field(default_factory=Border)
    clock: Clock = field(default_factory=Clock)

    def connector(self, channel: str, lane: str = "live") -> Connector:
        found = super().connector(channel, lane)
        assert isinstance(found, Rest)      # as every platform here
        if not isinstance(found._adapter(), Gate):
            found._kept.adapter = Gate(self.border, self.clock)
        return found


def timed(url: str, clock: Clock) -> TimedRegistry:
    """A registry whose clock is the retailer's."""
    plain = open_registry(url)
    found = TimedRegistry(plain.engine, plain._inbox_engine)
    found.clock = clock
    return found


def bordered(url: str, clock: Clock, border: Border) -> TimedRegistry:
    """The same, with commits that cross a border."""

    def crosses(conn: Connection) -> None:
        if conn.get_execution_options().get("serai_write"):
            border.cross("commit")

    found = timed(url, clock)
    for engine in {found.engine, found._inbox_engine}:
        event.listen(engine, "commit", crosses)
    return found
