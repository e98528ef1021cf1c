"""What a platform allows an account, kept by all workers of it together: real HTTP, real registries."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from connectors.errors import RetryLater
from connectors.limits import Limit
from flows.budgets import Budget
from flows.settings import load_project
from flows.wiring import House
from registry import Registry, budgets, open_registry
from tests.scenario.project import write_project
from tests.scenario.world import World


@contextmanager
def workers(url: str, project: Path, count: int) -> Iterator[list[House]]:
    """So many workers of one retailer, as processes of their own would be."""
    loaded = load_project(project)
    houses = [House(project=loaded, registry=open_registry(url), mappings={}, owner=str(n)) for n in range(count)]
    try:
        yield houses
    finally:
        for house in houses:
            house.close()


def reads(house: House, calls: int) -> None:
    """A worker reads as often as it is told, and goes on where the platform asks to wait."""
    connector = house.connector("shop-kz", "reconcile")
    for _ in range(calls):
        with suppress(RetryLater):
            connector.fetch("products", ["nobody"])
    connector.close()


@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
def test_all_workers_together_stay_below_what_a_platform_allows(
    retail_on_each: World, told: bool, tmp_path: Path
) -> None:
    """P14: with the limit in the channel's settings nothing is refused; without it (the control) much is."""
    people, url = retail_on_each.people, retail_on_each.url
    project = write_project(tmp_path / "limited")
    channels = project / "channels.yaml"
    text = channels.read_text(encoding="utf-8")
    if told:
        text = text.replace("shop-kz:\n", "shop-kz:\n  settings: {limits: {rate: 80, burst: 40}}\n", 1)
        assert "limits" in text
        channels.write_text(text, encoding="utf-8")
    people.limit("shop", {"rate": 80, "burst": 40} if told else {"rate": 1, "burst": 3})
    with workers(url, project, 3) as houses:
        threads = [threading.Thread(target=reads, args=(house, 35 if told else 4)) for house in houses]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    refused = [entry for entry in people.books("shop") if entry.get("fault") == "over_limit"]
    assert bool(refused) is not told


def test_after_a_refusal_nobody_asks_before_the_platform_s_moment(retail_on_each: World) -> None:
    """P14: Retry-After holds for every worker, not only for the one that was told."""
    registry: Registry = retail_on_each.registry
    limits = {"": Limit(rate=10, burst=40)}
    first, second = Budget(registry, "shop-kz", limits), Budget(registry, "shop-kz", limits)
    second.take(1, "live")
    first.refused(500.0)
    third = Budget(registry, "shop-kz", limits)
    with pytest.raises(RetryLater) as wait:
        third.take(1, "write")
    assert 400 < wait.value.after <= 500
    with registry.read() as tx:
        assert budgets(tx, "shop-kz")[""].pace == 0.5
    Budget(registry, "shop-kz", {}).take(1, "write")  # a platform that publishes no limit has none


def test_a_worker_that_is_slower_than_the_limit_never_waits_for_it(retail_on_each: World) -> None:
    """What a slice was not used for goes back: a call every now and then costs no more than itself."""
    registry: Registry = retail_on_each.registry
    budget = Budget(registry, "shop-kz", {"": Limit(rate=4, burst=16)})
    for _ in range(6):
        budget.take(1, "write")
        retail_on_each.pass_time(0.01)
        held, _until = budget._slices[""]
        budget._slices[""] = (held, 0.0)  # the slice is over
    budget.take(0, "write")
    with registry.read() as tx:
        left = budgets(tx, "shop-kz")[""].level + budget._slices[""][0]
    assert left >= 16 - 4 - 6 - 0.001  # the smaller bucket that is used, less six calls


def test_what_others_used_up_is_counted_when_the_platform_says_so(retail_on_each: World) -> None:
    """P14: another program on the same account leaves less for us."""
    registry: Registry = retail_on_each.registry
    budget = Budget(registry, "shop-kz", {"": Limit(rate=1, burst=1_000, unit="points")})
    budget.take(100, "write")
    budget.told(30)
    with pytest.raises(RetryLater):
        budget.take(100, "write")
    budget.take(20, "write")
