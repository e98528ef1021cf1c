"""Where a channel is quick the next page is decided while one is on its way; what a fault meets still goes out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from connectors.errors import RetryLater
from flows import steps
from flows.ledger import Ledger
from flows.wiring import House, open_house
from registry import outbox_counts
from tests.bench.sync_speed import api, known, project
from tests.databases import postgres_url, registry_url  # noqa: F401 — the fixtures: that one, each in turn

COUNT, PAGE = 2_000, 1_000
RATE, AT_ONCE = 10, 5


def _open(house: House) -> Mapping[tuple[str, str, str], int]:
    with house.registry.read() as tx:
        return outbox_counts(tx)


def test_a_platform_that_asks_to_wait_gets_the_page_decided_meanwhile_once_and_later(
    registry_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:
    """P1, P2, P14: neither the page that met the refusal nor the one behind it is lost, unknown, or sent twice."""
    with api(COUNT) as source, api(COUNT, RATE, AT_ONCE) as limited:
        monkeypatch.setenv("SERAI_REGISTRY", registry_url)
        monkeypatch.setenv("BENCH_URL", source)
        monkeypatch.setenv("LIMITED_URL", limited)
        files = project(tmp_path / "project")
        channels = (files / "channels.yaml").read_text(encoding="utf-8").splitlines()
        channels[1] = channels[1].replace("BENCH_URL", "LIMITED_URL")
        (files / "channels.yaml").write_text("\n".join(channels) + "\n", encoding="utf-8")
        house = open_house(files)
        known(house, COUNT)
        steps.pull(house, "erp", "stock", full=True, stretch=steps.UNBOUNDED)
        house.paces["shop", "stock"] = 1e-6     # as after writes that were answered at once

        with pytest.raises(RetryLater):         # a batch of the first page, the second page being decided
            steps.push(house, "shop", "stock", stretch=steps.UNBOUNDED)
        arrived = requests.get(f"{limited}/written", timeout=30).json()
        assert _open(house) == {("shop", "stock", "due"): COUNT - arrived}
        assert arrived < PAGE

        ledgers: list[Ledger] = []
        until = time.monotonic() + 60
        while _open(house) and time.monotonic() < until:
            time.sleep(AT_ONCE / RATE)          # longer than the platform asks for
            house.paces["shop", "stock"] = 1e-6
            with suppress(RetryLater):
                ledgers.append(steps.push(house, "shop", "stock", stretch=steps.UNBOUNDED))
        assert not _open(house)
        house.close()
        assert requests.get(f"{limited}/written", timeout=30).json() == COUNT - arrived
        assert all(ledger.balanced for ledger in ledgers)


def test_a_quick_channels_second_page_is_decided_before_the_first_is_answered(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:
    """While a page is on its way to the channel the next stands decided, with key and payload."""
    with api(COUNT) as url:
        monkeypatch.setenv("SERAI_REGISTRY", postgres_url)
        monkeypatch.setenv("BENCH_URL", url)
        house = open_house(project(tmp_path / "project"))
        known(house, COUNT)
        steps.pull(house, "erp", "stock", full=True, stretch=steps.UNBOUNDED)
        house.paces["shop", "stock"] = 1e-6
        connector = house.connector("shop", "write")
        write, most = connector.write, list[dict[tuple[str, str, str], int]]()

        def watched(*given: object) -> object:
            until = time.monotonic() + 60
            while not most and time.monotonic() < until:
                with house.registry.read() as tx:
                    if outbox_counts(tx).get(("shop", "stock", "sent"), 0) == 2 * PAGE:
                        most.append(outbox_counts(tx))
            return write(*given)  # type: ignore[arg-type]  # passed on as it came

        monkeypatch.setattr(connector, "write", watched)
        ledger = steps.push(house, "shop", "stock", stretch=steps.UNBOUNDED)
        house.close()
        assert most == [{("shop", "stock", "sent"): 2 * PAGE}]
        assert ledger.total("written") == COUNT
        assert ledger.balanced
        assert requests.get(f"{url}/written", timeout=30).json() == COUNT
