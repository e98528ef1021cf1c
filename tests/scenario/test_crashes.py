"""A worker dies between any two steps; the next one goes on, and nothing is lost, doubled or written again.

What surprises here: an episode is played again for each place of death, in one world, so that the places are found by
counting: the last episode is the one in which nobody died. By default every few places are tried, beginning at another
one for each seed; ``SERAI_TEST_SCENARIOS=n`` with n ≥ 50 tries them all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from tests.processes import FORKED
from tests.scenario.border import Border, Crash
from tests.scenario.kept import made
from tests.scenario.oracle import wrong
from tests.scenario.world import SYSTEMS, World

SEED = int(os.environ.get("SERAI_TEST_SEED", "1"))
ALL = int(os.environ.get("SERAI_TEST_SCENARIOS", "0")) >= 50
EPISODES = 800
"""More episodes than any of them has places to die in."""
pytestmark = pytest.mark.timeout(900)  # up to 20 s of CPU each, which a busy machine stretches twentyfold


def live(found: World) -> None:
    found.goods("KTL-1", on_hand=900)
    found.goods("007", on_hand=900)
    found.go_live()


def deafen(found: World) -> None:
    """No notice comes any more."""
    for system in SYSTEMS:
        found.people.temper(system, "drop", next=10**6)


def day(found: World, n: int) -> None:
    """One order of a new customer, one shipment, one price, one number, one edit that is to be put back."""
    order = found.buy("shop", {"KTL-1": 1, "007": 2}, n)
    found.people.set_price("KTL-1", f"{1000 + n}.00")
    found.people.edit("shop", "variants", found.shop_id("007"), {"title": f"Самовар {n}"})
    entered = {doc["source_number"] for doc in found.sandbox.systems["erp"].docs("orders") if doc["state"] != "shipped"}
    ready = [order.number for order in found.placed["market"] if order.number in entered]
    if ready:
        found.people.ship(source_number=ready[0])
    found.buy("market", {"007": 1}, n)
    assert order is not None


def heard(found: World) -> None:
    """What the drain does."""
    found.hear()
    found.step("push_all")


def polled(found: World) -> None:
    """What the timetable does, and no notice ever comes: what a page held is known from nowhere else."""
    for system in SYSTEMS:
        found.people.notices_sent(system, 20)
    found.step("sync_all")


def compared(found: World) -> None:
    """What the nightly comparison does, of the channels whose figures move."""
    for channel, resource in (("erp-kz", "stock"), ("shop-kz", "inventory"), ("shop-kz", "orders")):
        found.step("reconcile", channel, resource)
    found.step("push_all")


def novelty(found: World, n: int) -> None:
    """A new article of the ERP that the shop is to have, and a buyer whom nobody knows."""
    found.goods(f"NEW-{n}", on_hand=20, listed=False)
    found.sync(channels=["market-kz"])      # its listing there was made before the ERP told of it


def die_everywhere(
    found: World, work: Callable[[World], None], every: int, day: Callable[[World, int], None] = day
) -> int:
    """Plays the day with a worker that dies before its n-th step, for each n; returns how many died."""
    stride = 1 if ALL else every
    died = 0
    for n in range(1 + SEED % stride, EPISODES, stride):
        day(found, n)
        found.house.close()
        found.house = found.worker(Border(at=n))
        try:
            work(found)
        except Crash as death:
            found.tell(f"{n}: died before {death}")
            died += 1
            found.restart()
        else:
            found.tell(f"{n}: nobody died")
            break
        found.until_quiet() if work is polled else found.drain()
        assert wrong(found.books()) == [], f"died before step {n} ({found.story[-1]}); parked: {found.parked()}"
    else:
        raise AssertionError(f"an episode has more than {EPISODES} steps")
    found.restart()
    found.settle_down()
    assert wrong(found.books()) == [], found.parked()
    quiet = found.marks()
    found.full_round()
    assert found.writes(quiet) == [], "P4: a complete round after quiescence wrote"
    return died


@pytest.mark.parametrize(("work", "every"), [(heard, 24), (polled, 120), (compared, 60)])
def test_a_worker_may_die_between_any_two_steps(work: Callable[[World], None], every: int, tmp_path: Path) -> None:
    """P15, P1, P2, P4: whatever it was doing, the next worker ends it, once."""
    with made(tmp_path, live, seed=SEED) as found:
        if work is polled:
            deafen(found)
        assert die_everywhere(found, work, every) > 1


def test_a_worker_may_die_between_any_two_steps_of_creating_an_article(tmp_path: Path) -> None:
    """P15, P2: the shop knows no reference of ours; what a lost create became is found by SKU and code."""
    with made(tmp_path, live, seed=SEED) as found:
        assert die_everywhere(found, heard, 24, novelty) > 1
        for resource, key in (("products", "handle"), ("variants", "sku")):
            there = [doc[key] for doc in found.sandbox.systems["shop"].docs(resource)]
            assert len(there) == len(set(there)), f"the shop has {resource} twice"


def test_a_worker_may_die_between_any_two_steps_on_postgresql(tmp_path: Path) -> None:
    """P15, P1, P2, P4"""
    with made(tmp_path, live, database="postgresql", seed=SEED) as found:
        assert die_everywhere(found, heard, 120) > 0


def test_a_reader_may_die_between_any_two_steps_of_a_page(tmp_path: Path) -> None:
    """P1, P15: no notice ever comes, and the documents lie further apart than the watermark's overlap."""
    with made(tmp_path, live, seed=SEED) as found:
        deafen(found)
        for n in range(1, EPISODES):
            for who in (1, 2):
                found.buy("shop", {"007": 1}, who)
                found.pass_time(30)
            found.house.close()
            found.house = found.worker(Border(at=n))
            try:
                found.step("pull", "shop-kz", "customers")
                found.step("pull", "shop-kz", "orders")
            except Crash as death:
                found.tell(f"{n}: died before {death}")
                found.restart()
            else:
                break
        assert n > 8
        found.restart()
        found.until_quiet()
        assert wrong(found.books()) == [], found.parked()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_process_may_be_killed_at_any_moment(database: str, tmp_path: Path) -> None:
    """P15: a real SIGKILL, at moments drawn from the seed."""
    with made(tmp_path, live, database=database, seed=SEED) as found:
        for n in range(12 if ALL else 1):
            day(found, n)
            with working(found) as process:
                moment = found.dice.uniform(0.02, 0.8)
                time.sleep(moment)
                process.kill()
                process.join(10)
            found.tell(f"killed after {moment:.2f} s")
            found.restart()
            found.drain()
            assert wrong(found.books()) == [], found.parked()
        found.settle_down()
        assert wrong(found.books()) == [], found.parked()
        quiet = found.marks()
        found.full_round()
        assert found.writes(quiet) == []


@contextmanager
def working(found: World) -> Iterator[ForkServerProcess]:
    """A process that does rounds of everything until it is killed or this ends; it has begun when this does."""
    from tests.scenario.worker import work  # compiles the mappings, as the world did

    ours, its = FORKED.Pipe()
    process = FORKED.Process(
        target=work, args=(found.folder / "project", found.url, found.clock.ahead, dict(os.environ), its)
    )
    process.start()
    its.close()
    try:
        assert ours.recv() == "ready"
        yield process
    finally:
        ours.close()
        process.join(300)       # it ends its round; only one that hangs is killed
        process.kill()
        process.join(10)
