"""The drain beside a real Prefect server: it is told what was done, and when it goes away nothing else does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from deployments.drain import Drain
from deployments.local import environment as settings_of_everything
from deployments.reports import Reports
from flows import steps
from tests.retailer import Retailer, running, until

STARTS_WITHIN = 180


@contextmanager
def prefect_server(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A real server with a database of its own; afterwards it does not run."""
    (folder / ".serai" / "prefect").mkdir(parents=True)
    for _ in range(3):      # it takes no port 0; somebody else may be faster to take the free one that was found
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        ours = settings_of_everything(folder, {"prefect": port, "console": 1, "receiver": 1})
        with (folder / "prefect.log").open("wb") as log:
            command = [sys.executable, "-m", "deployments.prefect_server", "server", "start"]
            server = subprocess.Popen(command, env={**os.environ, **ours}, stdout=log, stderr=log)
        try:
            up = partial(answers, f"{ours['PREFECT_API_URL']}/health")
            until(lambda server=server, up=up: server.poll() is not None or up(), STARTS_WITHIN)
            if server.poll() is None:
                yield ours["PREFECT_API_URL"], server
                return
        finally:
            server.kill()
            server.wait(20)
    raise AssertionError((folder / "prefect.log").read_text())


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=10).ok
    except requests.RequestException:
        return False


def ask(api: str, what: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.post(f"{api}/{what}/filter", json={}, timeout=60).json()
    return found


def rename(retailer: Retailer, title: str, delivery: str) -> None:
    """A change in the ERP and its notice in the inbox."""
    retailer.call("erp", "PATCH", "/products/K-1", {"title": title})
    at = retailer.house.registry.now()
    retailer.house.registry.inbox.put([("erp-kz", delivery, "products", "K-1", at, None)])


@pytest.mark.prefect
@pytest.mark.timeout(600)
def test_prefect_hears_of_busy_minutes_and_the_drain_works_on_when_its_server_stops(tmp_path: Path) -> None:
    """§8: one flow run per channel with the batches as its table; then the server is stopped in mid-flight."""
    with running(tmp_path / "karavan") as retailer, prefect_server(tmp_path) as (api, server):
        retailer.allow_creating()
        retailer.add_product("K-1")
        steps.sync_all(retailer.house)
        with Reports(api, every=1.0) as reports:
            drain = Drain(retailer.house, reports.add)
            thread = threading.Thread(target=drain.run, daemon=True)
            thread.start()
            rename(retailer, "Самовар", "d-1")
            until(lambda: retailer.shop_titles() == {"K-1": "Самовар"})
            until(lambda: {"drained-erp-kz", "drained-shop-kz"} <= {row["key"] for row in ask(api, "artifacts")}, 120)
            until(lambda: [run["state_type"] for run in ask(api, "flow_runs")] == ["COMPLETED", "COMPLETED"], 120)
            names = sorted(run["name"] for run in ask(api, "flow_runs"))
            table = next(row["data"] for row in ask(api, "artifacts") if row["key"] == "drained-shop-kz")
            assert [name.rpartition(" at ")[0] for name in names] == [
                "what the drain did for erp-kz", "what the drain did for shop-kz",
            ]  # fmt: skip
            assert "1 written" in table

            server.kill()
            server.wait(20)
            for number, title in enumerate(("Пиала", "Казан")):
                rename(retailer, title, f"d-after-{number}")
                until(lambda title=title: retailer.shop_titles() == {"K-1": title})
            drain.stop()
            thread.join(60)
            assert not thread.is_alive()
