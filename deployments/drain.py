"""The long-lived process that acts at once: notices become records, what is due goes out; reports come afterwards.

What surprises here:

* Each channel has one thread that takes in, one that sends, and one that sends what cannot wait (goods that an order or
  a person took off sale), in small pages: a system that hangs, refuses or asks to wait holds up nobody else, and bulk
  work holds up no stop.
* Nothing here remembers anything that matters. What is to do stands in the inbox and the outbox; a drain that is
  killed leaves claims that run out, and the next one goes on (P15). Any number of drains may run.
* Where a platform keeps notices for us and can be waited for (a queue), a thread of its own waits there all the time.
* Prefect only hears of it afterwards, from a thread of its own: with its server away the drain works on.
* Its sign of life is a lease, renewed every few seconds; ``alive`` reads it.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeAlias

from sqlalchemy.exc import SQLAlchemyError

from connectors.errors import ConnectorError, Misconfigured, RetryLater
from deployments.helping import Helper
from deployments.reports import Reports
from deployments.telling import kind_and_place, log_to_stderr
from flows import steps
from flows.collecting import collect, listening
from flows.ledger import Ledger, Stretch
from flows.release import on_disk
from flows.settings import ROUTE_ORDER
from flows.wiring import House, opened, reopened
from mappings.language import LintErrors
from registry import (
    AHEAD,
    Lease,
    LeaseLost,
    RegistryError,
    acquire,
    channels_due,
    held,
    modes,
    paused,
    release,
    renew,
    to_settle,
)

log = logging.getLogger("serai.drain")

Place: TypeAlias = tuple[str, str, str]
"""channel, what is done ("hear", "notices", "settle", "push", "lapse"), entity ("" where there is none)"""

Side: TypeAlias = Literal["ear", "in", "out", "ahead"]
Hand: TypeAlias = tuple[str, Side]
"""channel, and what it does there, ``ear`` being who waits for notices, ``ahead`` what goes out before all else: each
has a thread, none waits for the others"""

LOOKS_EVERY: Final = 0.1
"""Seconds between two looks at inbox and outbox while nothing happens: two small statements."""
LOOKS_A_SHARE: Final = 50
"""What became of writes is looked for at most so that one part in so many of the time goes into looking: it reads every
open write, and a first sync has a hundred thousand of them."""
STRETCH: Final = Stretch(seconds=1.0)
"""Work between two looks at whether to end; small, because nothing is reported per stretch."""
AT_ONCE: Final = Stretch(seconds=1.0, records=100)
"""The same of what cannot wait: a page is decided and sent before the next, so small ones are out sooner."""
NOTICES: Final = 500
HEARS_FOR: Final = 2.0
"""Seconds for which a platform is waited at for notices; whoever ends waits for that long."""
ASKS_EVERY: Final = 2.0
"""Seconds between two looks at whether another release is in force."""
RESTS: Final = 1.0
"""Seconds a place is left alone after work that moved nothing, so that a row nobody can move does not make us spin."""
LONGEST_REST: Final = 60.0
LAPSES_EVERY: Final = 5.0
"""Seconds between two looks at what time itself did: orders nobody paid, offers that wait until others show less."""
LAPSE: Final[Place] = ("*", "lapse", "")
LAST: Final = len(ROUTE_ORDER)
SIGN_OF_LIFE: Final = ("*", "drain", "live")
"""The lease that says that a drain works: channel, resource, lane."""
ALIVE_FOR: Final = 15.0
BEATS_EVERY: Final = 5.0


def to_do(house: House, *, settling: bool = True) -> dict[Hand, list[Place]]:
    """What each hand has to do now, in the order of its entities; only what may be done.

    Writes are sent for an entity that is on, to a channel whose writes are not paused. What became of writes already
    sent is found out in any case (that sends nothing), unless not ``settling``.
    """
    registry = house.registry
    with registry.read() as tx:
        waiting = channels_due(tx)
        mode = modes(tx) if waiting else {}     # ten looks a second, and mostly there is nothing to do
        stopped = paused(tx) if waiting else set()
        due = [(channel, entity) for channel, entity, _ in waiting]
        ahead = {("push", (channel, entity)) for channel, entity, at in waiting if at <= tx.now - AHEAD / 2}
        unsettled = [(channel, entity) for channel, entity, _ in to_settle(tx)] if settling else []
        now = tx.now
    ready = registry.inbox.next_ready()
    noticed = sorted(registry.inbox.depth()) if ready is not None and ready <= now else []
    known = house.settings.channels
    found: dict[Hand, list[Place]] = {}
    for kind, places in (
        ("notices", [(channel, "") for channel in noticed if channel in known]),
        ("settle", [place for place in unsettled if _is_written(house, *place)]),
        (
            "push",
            [
                place
                for place in sorted(due, key=lambda place: ROUTE_ORDER.get(place[1], LAST))
                if _is_written(house, *place) and mode.get(place) == "on" and place[0] not in stopped
            ],
        ),
    ):
        for channel, entity in places:
            side: Side = "in" if kind == "notices" else "ahead" if (kind, (channel, entity)) in ahead else "out"
            found.setdefault((channel, side), []).append((channel, kind, entity))
    return found


def _is_written(house: House, channel: str, entity: str) -> bool:
    return channel in house.settings.channels and entity in house.of(channel).outward


def alive(house: House) -> Lease | None:
    """The sign of life of a working drain, None when none has given one for ALIVE_FOR seconds."""
    with house.registry.read() as tx:
        return next((lease for lease in held(tx) if (lease.channel, lease.resource, lease.lane) == SIGN_OF_LIFE), None)


class Drain:
    """The threads of a working drain; ``run`` until ``stop``, or ``once`` until nothing more can move."""

    def __init__(self, house: House, report: Callable[[Ledger], None]) -> None:
        self._house = house
        self._report = report
        self._threads: dict[Hand, ThreadPoolExecutor] = {}
        self._busy: dict[Hand, Future[None]] = {}
        self._rests: dict[Hand | tuple[Hand, Place], float] = {}
        self._failures: Counter[Hand] = Counter()
        self._lease: Lease | None = None
        self._beat_at = 0.0
        self._asked_at = time.monotonic()
        self._lapse_at = 0.0
        self._settle_at = 0.0
        self._listening: Sequence[str] = ()
        self.renewed = False
        """Whether it ended because another release is in force: whoever runs it opens the house anew and goes on."""
        self._stop = threading.Event()
        self._news = threading.Event()
        self._helper = Helper(house)

    def run(self) -> None:
        """Works until ``stop``, or until another release is in force; ends after the batches that are under way."""
        self._listening = listening(self._house)
        try:
            while not self._stop.is_set() and not self._outdated():
                self._look()
                self._helper.look()
                self._news.wait(LOOKS_EVERY)
                self._news.clear()
        finally:
            self._end()
            self._helper.end()

    def _outdated(self) -> bool:
        if time.monotonic() - self._asked_at < ASKS_EVERY:
            return False
        self._asked_at = time.monotonic()
        try:
            self.renewed = self._house.outdated() and self._sound()
        except (SQLAlchemyError, RegistryError, OSError):
            return False        # the next look says what is wrong
        return self.renewed

    def _sound(self) -> bool:
        """Whether what would be run from now on passes lint; a file saved half-way stops nobody."""
        try:
            reopened(self._house)
        except LintErrors as found:
            log.error("what was saved does not pass lint, the work goes on as before: %s", found.errors[0])
            self._house.read_from = on_disk(self._house.project).hash
            return False
        return True

    def once(self) -> None:
        """Works until nothing that may move now is left; what waits for a moment to come stays for later."""
        try:
            while not self._stop.is_set() and (self._look() or self._busy):
                self._news.wait(LOOKS_EVERY)
                self._news.clear()
        finally:
            self._end()

    def stop(self) -> None:
        """Asks ``run`` to end after the batches under way; may be called from a signal handler."""
        self._stop.set()
        self._news.set()

    def _look(self) -> bool:
        """Gives each idle hand what there is to do; whether there was anything to give, or may have been."""
        self._busy = {hand: future for hand, future in self._busy.items() if not future.done()}
        began = time.monotonic()
        settling = began >= self._settle_at
        try:
            self._beat()
            found = to_do(self._house, settling=settling)
        except (SQLAlchemyError, RegistryError) as error:
            log.error("the registry does not answer (%s); looking again in %.0f s", type(error).__name__, RESTS)
            self._stop.wait(RESTS)
            return True
        if settling:
            self._settle_at = time.monotonic() + LOOKS_A_SHARE * (time.monotonic() - began)
        if time.monotonic() >= self._lapse_at:
            self._lapse_at = time.monotonic() + LAPSES_EVERY
            found[LAPSE[0], "in"] = [LAPSE]
        found |= {(channel, "ear"): [(channel, "hear", "")] for channel in self._listening}
        given = False
        for hand, places in found.items():
            awake = [place for place in places if not self._rests_still(hand) and not self._rests_still((hand, place))]
            if awake and hand not in self._busy:
                name = f"{hand[1]} {hand[0]}"
                thread = self._threads.setdefault(hand, ThreadPoolExecutor(max_workers=1, thread_name_prefix=name))
                self._busy[hand] = thread.submit(self._work, hand, awake)
                given = True
        return given or not settling

    def _rests_still(self, what: Hand | tuple[Hand, Place]) -> bool:
        return self._rests.get(what, 0.0) > time.monotonic()

    def _work(self, hand: Hand, places: Sequence[Place]) -> None:
        """One place after another; a fault ends it and makes the hand rest, for as long as the platform asked."""
        try:
            for place in places:
                if not self._do(hand, place):
                    self._rests[hand, place] = time.monotonic() + RESTS
                if self._stop.is_set():
                    break
            self._failures.pop(hand, None)
        except RetryLater as error:
            self._rest(hand, error.after, str(error))
        except Misconfigured as error:
            self._rest(hand, LONGEST_REST, str(error))
        except (ConnectorError, RegistryError) as error:
            self._rest(hand, self._pause(hand), str(error))
        except Exception as error:  # noqa: BLE001  # a defect met on one channel must not stop the others
            self._rest(hand, self._pause(hand), f"{hand[0]}: {kind_and_place(error)}; report this as a defect")
        finally:
            self._news.set()

    def _do(self, hand: Hand, place: Place) -> bool:
        """One kind of work until a look is due; whether anything moved."""
        channel, kind, entity = place
        if kind == "hear":
            began = time.monotonic()
            new = collect(self._house, channel, wait=HEARS_FOR)
            return new > 0 or time.monotonic() - began >= HEARS_FOR / 2  # who does not wait is not asked all the time
        if kind == "notices":
            ledgers = steps.take_notices(self._house, limit=NOTICES, channels=[channel])
        elif kind == "lapse":
            ledgers = [steps.lapse(self._house)]
        elif kind == "settle":
            ledgers = [steps.settle(self._house, channel, entity)]
        else:
            ahead = hand[1] == "ahead"
            ledgers = [steps.push(self._house, channel, entity, stretch=AT_ONCE if ahead else STRETCH, ahead=ahead)]
        for ledger in ledgers:
            if ledger.read > 0 or ledger.note:
                log.info("%s", ledger.sentence())
                self._report(ledger)
        return any(ledger.read > 0 for ledger in ledgers)

    def _rest(self, hand: Hand, seconds: float, why: str) -> None:
        log.warning("%s; next attempt in %.0f s", why, seconds)
        self._rests[hand] = time.monotonic() + seconds

    def _pause(self, hand: Hand) -> float:
        self._failures[hand] += 1
        return min(LONGEST_REST, 2.0 ** min(self._failures[hand], 6))

    def _beat(self) -> None:
        """Renews the sign of life; when another drain gives it, that one's is enough."""
        if time.monotonic() < self._beat_at:
            return
        self._beat_at = time.monotonic() + BEATS_EVERY
        registry = self._house.registry
        with registry.ahead():      # who beats also looks what there is to do: neither waits behind a page
            try:
                if self._lease is None:
                    self._lease = acquire(registry, *SIGN_OF_LIFE, self._house.owner, ALIVE_FOR)
                else:
                    lease = self._lease
                    self._lease = registry.attempt(lambda tx: renew(tx, lease, ALIVE_FOR))
            except LeaseLost:
                self._lease = None

    def _end(self) -> None:
        self._stop.set()
        for thread in self._threads.values():
            thread.shutdown(wait=True)
        if self._lease is not None:
            release(self._house.registry, self._lease)


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m deployments.drain``: until SIGTERM, or with ``--once`` until nothing more can move."""
    parser = argparse.ArgumentParser(prog="deployments.drain", description="Acts on notices and sends what is due.")
    parser.add_argument("--project", type=Path, default=Path(os.environ.get("SERAI_PROJECT", ".")))
    parser.add_argument("--once", action="store_true", help="end when nothing more can move")
    given = parser.parse_args(arguments)
    log_to_stderr()
    stopping = threading.Event()
    with Reports(os.environ.get("PREFECT_API_URL")) as reports:
        while True:
            with opened(given.project) as house:
                drain = Drain(house, reports.add)
                for number in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, partial(_end, stopping, drain))
                if stopping.is_set():
                    break
                log.info("drain of %s works, %s", house.settings.folder, _under(house))
                if given.once:
                    drain.once()
                else:
                    drain.run()
            if not drain.renewed:
                break
    log.info("drain ended")
    return 0


def _end(stopping: threading.Event, drain: Drain, _number: int, _frame: object) -> None:
    stopping.set()
    drain.stop()


def _under(house: House) -> str:
    return "following the disk" if house.release is None else f"release {house.release.number}"


if __name__ == "__main__":
    faulthandler.enable()       # a crash in a library of C says on stderr where every thread was
    sys.exit(main())
