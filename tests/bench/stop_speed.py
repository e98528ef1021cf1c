"""``python -m tests.bench.stop_speed``: from `serai stop SKU` until no channel shows the article, idle and under load.

What surprises here:

* Nothing is in this process but the clock: simulated systems, drain and command are processes of their own, and when a
  figure fell to 0 stands in the systems' own books. The control is the same command while nothing else is due.
* The load is kept up: as soon as a third of it was written it is marked due again, until both channels show 0. The
  article's own figure is part of it, so sometimes it is on its way when it is stopped.
* On a machine with other work a wait says more about that work than about ours: beside each wait stand the CPU seconds
  that the command took, and how much of both cores strangers had meanwhile.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import median

from sqlalchemy import select

from deployments.demo.data import karavan_home
from deployments.demo.day import fresh_project
from deployments.sandbox.people import People
from flows import steps
from flows.wiring import House, opened
from registry import DueRow, Tx, all_overrides, mark_due, modes, outbox_counts, set_mode
from registry.tables import binding
from tests.bench import cpu
from tests.databases import fresh_postgres, fresh_sqlite
from tests.retailer import environment, until

SHOWN = {"shop": "shop-kz", "market": "market-kz"}
"""The systems that show stock of the company in Almaty, and their channels."""
BOUND = 2.0
"""Seconds within which an article is off every channel."""
MOVING = ("due", "decided", "sent", "accepted", "unknown")


@dataclass(frozen=True, kw_only=True)
class Stop:
    """One stop, in seconds from the command's start: decided, ended, off each channel; and what went on meanwhile."""

    decided: float
    ended: float
    off: dict[str, float]
    spent: float
    strangers: float
    before: int
    after: int

    @property
    def whole(self) -> float:
        """Until no channel shows the article."""
        return max(self.off.values())


def main() -> int:
    """Stops articles idle and under load, on both databases; 1 when one was on show for longer than BOUND."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stop_speed", description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="stops of each kind")
    parser.add_argument("--writes", type=int, default=2_000, help="other writes under way")
    parser.add_argument("--database", choices=("SQLite", "PostgreSQL"), help="only this one")
    asked = parser.parse_args()
    kept = True
    for dialect in ("SQLite", "PostgreSQL") if asked.database is None else (asked.database,):
        for load in (0, asked.writes):
            found = measure(dialect, asked.times, load)
            show(dialect, load, found)
            kept = kept and max(one.whole for one in found) <= BOUND
    return 0 if kept else 1


def show(dialect: str, load: int, found: Sequence[Stop]) -> None:
    """Prints how the waits are distributed, and of what they are made."""
    print(f"\n{dialect}, {f'while {load:,} other writes are due' if load else 'nothing else due (the control)'}, "
          f"{len(found)} stops; at the start {median(one.before for one in found):.0f} writes were open, "
          f"{median(one.after for one in found):.0f} when both channels showed 0")
    for name, values in (
        ("off every channel", [one.whole for one in found]),
        *((f"  off {channel}", [one.off[channel] for one in found]) for channel in found[0].off),
        ("  decided", [one.decided for one in found]),
        ("  decided → off every channel", [one.whole - one.decided for one in found]),
        ("command ended", [one.ended for one in found]),
        ("CPU of the command", [one.spent for one in found]),
    ):
        row = sorted(values)
        print(f"{name:<32} median {median(row):5.2f} s   max {row[-1]:5.2f} s   "
              f"{sum(value <= BOUND for value in row)}/{len(row)} ≤ {BOUND:g} s")
    print("each: " + " ".join(f"{one.whole:.2f}" for one in found))
    busy = [one.strangers for one in found]
    print(f"cores that strangers had meanwhile: median {median(busy):.1f}, max {max(busy):.1f} of {os.cpu_count()}",
          flush=True)


def measure(dialect: str, times: int, writes: int) -> list[Stop]:
    """So many stops on a demo retailer whose drain works, each while ``writes`` others are due."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = fresh_sqlite(folder / "registry") if dialect == "SQLite" else fresh_postgres()
        with database as url, systems(folder) as variables:
            project = fresh_project(folder / "project")
            people = People(variables["SERAI_SHOP_URL"].removesuffix("/shop"))
            settings = {**variables, "SERAI_REGISTRY": url, "SERAI_PROJECT": str(project)}
            with environment(settings), opened(project) as house:
                live(house)
                with program("deployments.drain", "--project", str(project)):
                    until(lambda: not moving(house), 120)
                    return [stop(house, people, sku, writes) for sku in articles(people, times)]


@contextmanager
def systems(folder: Path) -> Iterator[dict[str, str]]:
    """The simulated systems of the demo as a process; yields the variables that channels.yaml refers to."""
    with program("deployments.sandbox", "--port", "0") as process:
        found = {}
        assert process.stdout is not None
        while "SERAI_SHOP_BG_HOOK_SECRET" not in found:
            name, _, value = process.stdout.readline().strip().removeprefix("export ").partition("=")
            found[name] = value
        yield found


@contextmanager
def program(module: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A program of ours as a process, ended in order afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def live(house: House) -> None:
    """Every channel is read and switched on, and nothing is due."""
    steps.pull_all(house)
    steps.accept_exact(house, None, "bench")

    def on(tx: Tx) -> None:
        for (channel, entity), mode in modes(tx).items():
            if mode != "on":
                set_mode(tx, channel, entity, "on", "bench", "measured")

    house.registry.attempt(on)
    steps.pull_all(house)
    steps.push_all(house)


def moving(house: House) -> int:
    """Open writes that may move now."""
    with house.registry.read() as tx:
        return sum(n for (_, _, state), n in outbox_counts(tx).items() if state in MOVING)


def articles(people: People, count: int) -> list[str]:
    """SKUs that shop and marketplace both show."""
    skus = [variant.sku for variant in karavan_home(7).variants() if {"shop", "market"} <= variant.sold_in]
    shows = {system: figures(people, system) for system in SHOWN}
    found = [sku for sku in skus if all(shows[system].get(sku, 0) > 0 for system in SHOWN)]
    return found[:count]


def figures(people: People, system: str) -> dict[str, int]:
    """SKU → what the system shows now."""
    return {one["sku"]: int(one["now"]) for one in people.books(system) if one["kind"] == "shown"}


def stop(house: House, people: People, sku: str, writes: int) -> Stop:
    """Stops the article by the command line while so many writes are due, and lets it be sold again."""
    seen = {system: len(people.books(system)) for system in SHOWN}
    with loaded(house, writes):
        found = _stopped(house, people, sku, seen)
    serai("stop", sku, "--end")
    until(lambda: moving(house) == 0, 300)
    return found


def _stopped(house: House, people: People, sku: str, seen: Mapping[str, int]) -> Stop:
    before = moving(house)
    machine, used, ours = busy(), resource.getrusage(resource.RUSAGE_CHILDREN), cpu.seconds()
    began, clock = time.time(), time.perf_counter()
    serai("stop", sku, "--for", "1h", "--because", "measured")
    ended = time.perf_counter() - clock
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    at: dict[str, float] = {}

    def gone() -> bool:
        for system, channel in SHOWN.items():
            fell = [one for one in people.books(system, after=seen[system])
                    if one["kind"] == "shown" and one["sku"] == sku and int(one["now"]) == 0]
            if fell and channel not in at:
                at[channel] = datetime.fromisoformat(fell[0]["at"]).timestamp() - began
        return len(at) == len(SHOWN)

    until(gone, 60)
    passed = time.perf_counter() - clock
    after = moving(house)
    strangers = max(0.0, (busy() - machine) - (cpu.seconds() - ours)) / passed
    with house.registry.read() as tx:
        kept = all_overrides(tx, house.registry.now())[0].since
    assert kept is not None
    return Stop(
        decided=kept.timestamp() - began, ended=ended, off=at, strangers=strangers, before=before, after=after,
        spent=spent.ru_utime + spent.ru_stime - used.ru_utime - used.ru_stime,
    )


def serai(*words: str) -> None:
    """A verb, as a person types it."""
    subprocess.run([sys.executable, "-m", "deployments.cli", *words], check=True, stdout=subprocess.DEVNULL)


@contextmanager
def loaded(house: House, writes: int) -> Iterator[None]:
    """Inside the block so many writes are due, and again as soon as a third of them was made."""
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(0.1):
            if moving(house) < writes * 2 / 3:
                house.registry.attempt(partial(load, house, writes))

    thread = threading.Thread(target=keep, daemon=True)
    if writes:
        house.registry.attempt(partial(load, house, writes))
        thread.start()
        until(lambda: moving(house) < writes * 0.95, 60)      # the drain is at it
    try:
        yield
    finally:
        ended.set()
        if writes:
            thread.join(60)


def load(house: House, writes: int, tx: Tx) -> None:
    """Marks so many writes to all channels due, shop and marketplace first, to be made even where nothing changed."""
    rows: list[DueRow] = []
    for channel in (*SHOWN.values(), *(name for name in house.project.channels if name not in SHOWN.values())):
        for entity, group in house.of(channel).outward.items():
            if entity in ("product", "variant", "price", "stock"):
                bound = select(binding.c.uid).where(
                    binding.c.channel == channel, binding.c.entity == group.name, binding.c.uid.is_not(None)
                ).distinct().order_by(binding.c.uid)
                rows += [(channel, entity, row[0], None, True, "bench") for row in tx.rows(bound)]
    mark_due(tx, rows[:writes])


def busy() -> float:
    """Seconds of CPU that the whole machine has spent."""
    ticks = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:]
    return (sum(map(int, ticks)) - int(ticks[3]) - int(ticks[4])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
