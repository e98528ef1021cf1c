"""Serai as the keeper of the scripted day: what ops and business admins do that day, through the same doors as ever.

What surprises here: what people cause is carried by webhooks, receiver and drain, which run as processes of their own;
`catch_up` only waits until nothing is due any more and tells how long that took. What a timetable or a person would
start is awaited as a Prefect flow in this process.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from connectors.errors import RetryLater
from deployments.sandbox.people import People
from flows import steps
from flows.desk import decide
from flows.holds import CannotDecide, approve, open_sets, reject
from flows.ledger import Ledger
from flows.settlements import show_report
from flows.survey import Survey, survey
from flows.why import Why, why
from flows.wiring import House
from registry import Tx, modes, open_deadlines, outbox_counts, parked, runs, set_mode

WHO = "demo"
STUCK_AFTER = 40.0
"""Seconds in which the same things are on their way, to the number."""
LOOKS_EVERY = 0.05
LOOKS = 3
"""How often a person looks at what is held: a set may grow while it is looked at."""
MOVING = ("due", "decided", "sent", "accepted", "unknown")


class DidNotSettle(Exception):
    """Something was still due when it should have been still; the message says what."""


@dataclass(kw_only=True)
class WithSerai:
    """The keeper. ``lags`` collects how long after each act everything agreed, in seconds."""

    house: House
    people: People
    systems: tuple[str, ...]

    def __post_init__(self) -> None:
        self.lags: list[float] = []
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="deployed run")
        self._run: Future[tuple[str, str]] | None = None
        self.surveys: list[Survey] = []
        self.answers: list[Why] = []

    def survey(self) -> str:
        found = survey(self.house)
        self.surveys.append(found)
        counts = found.counts()
        return (f"{counts['price']} prices differ, {counts['oversell']} SKUs can oversell now, {counts['order']} "
                f"orders have no counterpart, {counts['missing']} SKUs stand on one channel only")

    def go_live(self) -> str:
        self._pull_all()
        bound = sum(steps.accept_exact(self.house, None, WHO).values())

        self._switch(list(self.house.project.channels), "on", "the match report was accepted")
        self._pull_all()
        settled = self._wait()
        approved = self._approve("the survey was read")
        more = f"; {approved} writes of first contact were held and are approved, {self._wait()}" if approved else ""
        return f"{bound} documents bound to their records; {settled}{more}"

    def catch_up(self) -> str:
        return self._wait()

    def mass_change(self) -> str:
        followed = self.catch_up()
        rejected: dict[str, int] = {}
        for _ in range(LOOKS):
            for one in open_sets(self.house):
                if one.hold.kind == "alert" or one.count == 0:
                    continue
                try:
                    reject(self.house, one.hold.uid, who=WHO, because="a price typed for a whole category", set=one.set)
                except CannotDecide:  # it has grown meanwhile: a person looks at it again, as the message says
                    continue
                rejected[one.hold.channel] = rejected.get(one.hold.channel, 0) + one.count
        counts = ", ".join(f"{count} on {channel}" for channel, count in rejected.items())
        return f"held: {counts or 'nothing'}; a person rejects it; {followed}"

    def put_back(self) -> str:
        followed = self.catch_up()
        approved = self._approve("the prices are as they were before somebody mistyped")
        return f"{approved} prices going back were held, a person approves; {self._wait()}" if approved else followed

    def store_ready(self, number: str) -> str:
        said = decide(self.house, number, "ready", who="the store on Dostyk", channel="shop-kz")
        steps.push_all(self.house, channels=["shop-kz"])
        return f"{said}; {self._wait()}"

    def switch_market(self, *, on: bool) -> str:
        self._switch(["market-kz"], "on" if on else "off", "the scripted day")
        if not on:
            return "switched off"
        self._pull_all("market-kz")
        return f"switched on; {self._wait()}"

    def mend_unknown(self, sku: str) -> str:
        self.catch_up()
        with self.house.registry.read() as tx:
            waiting = [row for row in parked(tx, "market-kz") if row.entity == "order"]
        name = f"{len(waiting)} order parked: {waiting[0].message}" if waiting else "nothing was parked"
        self.people.enter(sku, product=sku[:7], title="Чайник «Новинка»", price="19990.00", cost="10990.00")
        self.people.receive_goods(sku, "almaty-wh", 3)
        self.catch_up()
        steps.bind(self.house, "market-kz", sku, sku)
        replayed = steps.replay(self.house, [row.uid for row in waiting])
        self._pull_all("market-kz")
        done = sum(ledger.total("created", "updated") for ledger in replayed)
        return f"{name}; entered into the ERP, bound and replayed ({done} taken); {self._wait()}"

    def full_catalogue(self) -> str:
        before = self._deletes()
        ledgers = self._flow("pull", channel="shop-kz", resource="variants", full=True)
        self._wait()
        asked = sum(ledger.read for ledger in ledgers)
        return f"{asked} variants accounted for, {self._deletes() - before} deletes"

    def reconcile(self) -> str:
        for channel in ("market-kz", "shop-kz", "erp-kz"):
            for attempt in range(5):
                try:
                    self._flow("reconcile", channel=channel)
                    break
                except RetryLater as fault:  # the weather is part of the script; the fifth time counts
                    if attempt == 4:
                        raise
                    time.sleep(fault.after)
        agreed = self._wait()
        met = Counter(
            entry["fault"] for system in ("shop", "erp", "crm") for entry in self.people.books(system)
            if entry["kind"] == "fault"
        )
        return (f"{met['throttle']} times told to wait, {met['fail']} answers of 500, {met['lose_answer']} lost; "
                f"reconciled; {agreed}")

    def explain(self, sku: str) -> str:
        answers = [why(self.house, "market-kz", entity, sku) for entity in ("price", "stock")]
        self.answers = answers
        return "; ".join(
            f"{answer.entity}: {len(answer.steps)} steps, recomputed {'equals' if answer.same else 'differs from'} "
            "what was told" for answer in answers
        )

    def settled(self, number: str) -> str:
        followed = self.catch_up()
        report = show_report(self.house, number, "amazon-kz")
        apart = [one.number for one in report.orders if one.wrong is not None]
        said = f"apart from {', '.join(apart)}" if apart else "and each is as it was booked"
        return f"{len(report.orders)} orders in the report, {said}; {followed}"

    def begin_run(self) -> str:
        def run() -> tuple[str, str]:
            from deployments.deploy import run_deployed

            return asyncio.run(run_deployed("pull", "erp-kz-prices", wait=300))

        self._run = self._aside.submit(run)
        return "pull/erp-kz-prices is to run in a process of the worker; the day goes on meanwhile"

    def ended_run(self) -> str:
        if self._run is None:
            raise AssertionError("begin_run comes before")
        state, address = self._run.result()
        if state != "Completed":
            raise DidNotSettle(f"the deployed run ended as {state}: {address}")
        return f"{state}: {address}"

    def quiet_round(self) -> int:
        """Reads everything from page one once more and sends what is due; how many writes that made."""
        ledgers = [*steps.pull_all(self.house, full=True), *steps.push_all(self.house)]
        return sum(ledger.total("written") for ledger in ledgers)

    def counts(self) -> Mapping[tuple[str, str, str], Mapping[str, int]]:
        """(channel, direction, entity) → outcome → how many, over all runs of the day."""
        found: dict[tuple[str, str, str], dict[str, int]] = {}
        with self.house.registry.read() as tx:
            for run in runs(tx, limit=100_000):
                for entity, outcomes in run.counts.items():
                    sums = found.setdefault((run.channel, run.direction, entity), {})
                    for outcome, n in outcomes.items():
                        sums[outcome] = sums.get(outcome, 0) + n
        return found

    def all_balanced(self) -> bool:
        """Whether every run of the day balanced."""
        with self.house.registry.read() as tx:
            return all(run.balanced for run in runs(tx, limit=100_000))

    def _approve(self, because: str) -> int:
        """A person lets go what breakers stopped, having looked at it; how many writes."""
        found = [one for one in open_sets(self.house) if one.hold.kind != "alert" and one.count > 0]
        for one in found:
            approve(self.house, one.hold.uid, who=WHO, because=because, set=one.set)
        return sum(one.count for one in found)

    def _switch(self, channels: list[str], word: str, because: str) -> None:
        def work(tx: Tx) -> None:
            for (channel, entity), before in modes(tx).items():
                if channel in channels and before != word:
                    set_mode(tx, channel, entity, word, WHO, because)

        self.house.registry.attempt(work)

    def _pull_all(self, *channels: str) -> list[Ledger]:
        return steps.pull_all(self.house, channels=channels or None)

    def _flow(self, name: str, **parameters: object) -> list[Ledger]:
        from flows import sync

        async def run() -> list[Ledger]:
            with sync.lend(self.house):
                return await sync.live(getattr(sync, name), **parameters)

        return asyncio.run(run())

    def _deletes(self) -> int:
        return sum(
            1 for system in self.systems for entry in self.people.books(system)
            if entry["kind"] == "write" and (entry["op"] == "delete" or entry.get("now") == "ARCHIVED")
        )

    def _wait(self) -> str:
        """Waits until no notice and no write is on its way; the sentence says how long that took."""
        began = moved_at = time.monotonic()
        before = ""
        while True:
            moving, done = self._moving()
            # A notice that no system has under way is taken in, and whatever followed from one meanwhile is a run.
            if not moving:
                moving = next((f"notices of {one}" for one in self.systems if not self._told(one)), "")
            if not moving and self._moving() == ("", done):
                lag = time.monotonic() - began
                self.lags.append(lag)
                return f"agreed after {lag:.1f} s"
            if moving != before:
                moved_at, before = time.monotonic(), moving
            elif time.monotonic() - moved_at > STUCK_AFTER:
                raise DidNotSettle(f"nothing has moved for {STUCK_AFTER:.0f} s: {moving}")
            time.sleep(LOOKS_EVERY)

    def _told(self, system: str) -> bool:
        return self.people.notices_sent(system, timeout=1)

    def _moving(self) -> tuple[str, frozenset[str]]:
        """What is on its way ("": nothing), and the latest runs."""
        waiting = self.house.registry.inbox.depth()
        if waiting:
            return ", ".join(f"{n} notices of {channel}" for channel, n in waiting.items()), frozenset()
        with self.house.registry.read() as tx:
            mode = modes(tx)
            found = [f"{n} {entity} {state} for {channel}" for (channel, entity, state), n in outbox_counts(tx).items()
                     if state in MOVING and mode.get((channel, entity)) == "on"]
            found += [f"an offer of {row.channel}" for row in open_deadlines(tx, "accept", 1_000)
                      if mode.get((row.channel, "order")) == "on"]
            return ", ".join(found), frozenset(row.run for row in runs(tx, limit=20))
