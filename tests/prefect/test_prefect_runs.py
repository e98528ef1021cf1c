"""Deployed flows against a real Prefect: server, worker and everything else of `serai up`."""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from deployments.leash import descendants
from tests.prefect.conftest import Up, start_up, wait_for_line, with_words
from tests.prefect.places import CODES, TOKEN, Depot, write_project
from tests.processes import gone

T = TypeVar("T")

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.timeout(900),  # what a test waits for adds up to more than the usual 300 s on a busy machine
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc"),
]


def api(up: Up, method: str, path: str, **body: Any) -> Any:
    with httpx.Client(trust_env=False, timeout=60) as client:
        for _ in range(10):
            answer = client.request(method, f"{up.urls['prefect']}/api{path}", json=body or None)
            if answer.status_code != 503:
                break
            time.sleep(0.5)  # its SQLite was locked; Prefect's own client asks again, too
    answer.raise_for_status()
    return answer.json() if answer.content else None


def deployments(up: Up) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in api(up, "POST", "/deployments/filter", limit=50)}


def run_named(up: Up, name: str) -> list[dict[str, Any]]:
    return [row for row in api(up, "POST", "/flow_runs/filter", sort="START_TIME_DESC") if row["name"] == name]


def until(found: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.5)
    return value


def awaited(work: Coroutine[Any, Any, T]) -> T:
    """The result, from a thread of its own: a browser test may have left its loop in the main thread."""
    context = contextvars.copy_context()
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(context.run, asyncio.run, work).result()


def ledger_of(up: Up, run: str) -> dict[str, Any]:
    """The ledger among the artifacts of a run; Prefect keeps results as artifacts, too."""
    found = api(up, "POST", "/artifacts/filter", artifacts={"flow_run_id": {"any_": [run]}})
    (ledger,) = [row for row in found if (row["key"] or "").startswith("ledger-")]
    return dict(ledger)


def test_a_deployed_pull_goes_through_the_worker_and_leaves_its_ledger(up: Up) -> None:
    """Ops see a run that reads as a sentence, its ledger in numbers, and the way into the console (P1)."""
    done = up.serai("pull", "depot", "places", "--deployed")
    assert done.returncode == 0, done.stdout + done.stderr
    run = run_named(up, "pull places from depot")[0]
    assert run["state"]["type"] == "COMPLETED"
    assert f"{len(CODES)} read" in run["state"]["message"]
    assert run["work_pool_name"] == "serai"
    assert {"channel:depot", "entity:places", "serai"} <= set(run["tags"])
    ledger = ledger_of(up, run["id"])
    assert sum(row["count"] for row in _table(ledger)) == len(CODES)
    assert f"{up.urls['console']}/channels/depot" in ledger["description"]
    assert run["id"] == _our_run(up)


def _table(artifact: dict[str, Any]) -> list[dict[str, Any]]:
    data = artifact["data"]
    rows: list[dict[str, Any]] = json.loads(data) if isinstance(data, str) else data
    return rows


def _our_run(up: Up) -> str | None:
    """What the newest run in our registry knows of Prefect's."""
    from flows.wiring import opened
    from registry import runs

    with opened(up.project) as house, house.registry.read() as tx:
        return next(row.prefect_run_id for row in runs(tx, "depot") if row.prefect_run_id is not None)


def test_the_timetable_plans_runs_by_itself(up: Up) -> None:
    """Nobody starts anything: Prefect's own scheduler makes the coming runs of every deployment."""
    wanted = {row["id"] for row in deployments(up).values()}

    def planned() -> bool:
        found = api(up, "POST", "/flow_runs/filter", flow_runs={"state": {"type": {"any_": ["SCHEDULED"]}}})
        return wanted <= {row["deployment_id"] for row in found}

    until(planned, 120)


def test_deploying_again_changes_nothing_and_keeps_a_pause(up: Up) -> None:
    """`serai deploy` can be run at any time: ids, planned runs and what ops switched in the UI stay."""
    before = deployments(up)
    assert {"depot-places", "depot"} == set(before)
    api(up, "PATCH", f"/deployments/{before['depot']['id']}", paused=True)
    automations = api(up, "POST", "/automations/filter")
    done = up.serai("deploy")
    assert (done.returncode, done.stdout.strip()) == (0, "2 deployments: 2 unchanged"), done.stderr
    after = deployments(up)
    assert {name: row["id"] for name, row in after.items()} == {name: row["id"] for name, row in before.items()}
    assert [row["schedules"] for row in after.values()] == [row["schedules"] for row in before.values()]
    assert after["depot"]["paused"]
    again = api(up, "POST", "/automations/filter")
    assert [(one["id"], one["updated"]) for one in again] == [(one["id"], one["updated"]) for one in automations]


def test_telemetry_is_off_and_old_runs_are_vacuumed(up: Up) -> None:
    """Nothing phones home, and Prefect's database does not grow for ever (P13)."""
    settings = api(up, "GET", "/admin/settings")["server"]
    assert settings["analytics_enabled"] is False
    assert "flow_runs" in settings["services"]["db_vacuum"]["enabled"]


def test_a_second_serai_up_on_the_same_project_is_refused(up: Up) -> None:
    """Two Prefect servers on one SQLite file would lose runs; the message says where the first one is."""
    done = up.serai("up")
    assert done.returncode == 1
    assert "already running" in done.stderr
    assert up.urls["console"] in done.stderr
    assert "Traceback" not in done.stderr


def test_a_busy_platform_is_waited_for_as_long_as_it_asked(up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 429 is no failure: the stretch is tried again after the platform's own figure, and only then (P14)."""
    from flows import sync

    monkeypatch.setenv("DEPOT_URL", up.depot.url)
    monkeypatch.setenv("DEPOT_TOKEN", TOKEN)
    up.depot.busy_for = "2"
    began = time.monotonic()
    ledgers = awaited(sync.live(sync.pull, channel="depot", resource="places", full=True, project=str(up.project)))
    assert time.monotonic() - began >= 2
    assert ledgers[-1].balanced
    assert up.depot.busy_for is None


def test_a_ledger_that_does_not_balance_turns_the_run_red(up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
    """Items that vanish between two counts are never a success (P1). The step is made to lie: the real ones cannot."""
    from dataclasses import replace

    from flows import steps, sync
    from flows.ledger import Unbalanced

    monkeypatch.setenv("DEPOT_URL", up.depot.url)
    monkeypatch.setenv("DEPOT_TOKEN", TOKEN)
    honest = steps.pull
    monkeypatch.setattr(steps, "pull", lambda *a, **k: replace(honest(*a, **k), read=len(CODES) + 1))
    with pytest.raises(Unbalanced, match="accounted for"):
        awaited(sync.live(sync.pull, channel="depot", resource="places", full=True, project=str(up.project)))
    run = run_named(up, "pull places from depot")[0]
    assert run["state"]["type"] == "FAILED"
    assert "accounted for" in run["state"]["message"]
    assert "Stopped by Unbalanced" in ledger_of(up, run["id"])["description"]


def test_a_run_that_dies_with_its_worker_is_marked_crashed_and_the_worker_comes_back(up: Up) -> None:
    """A power cut leaves no run that is "Running" for ever, and the next run goes through (P15)."""
    from deployments.deploy import deploy

    awaited(deploy(up.project, dead_after=timedelta(seconds=35)))
    up.depot.asked.clear()
    up.depot.stalls.set()
    try:
        run = api(up, "POST", f"/deployments/{deployments(up)['depot-places']['id']}/create_flow_run", name="doomed")
        assert up.depot.asked.wait(120), "the run never asked the depot"
        until(lambda: _heartbeats(up, run["id"]), 90)
        doomed = with_words(up.process.pid, "prefect worker start")
        doomed += with_words(up.process.pid, f"PREFECT__FLOW_RUN_ID={run['id']}", "environ")
        assert len(doomed) >= 2
        for pid in doomed:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:  # the worker's leash was faster
                continue
    finally:
        up.depot.stalls.clear()
    crashed = until(lambda: _crashed(up, run["id"]), 200)
    assert "No heartbeat" in crashed["state"]["message"]
    done = up.serai("pull", "depot", "places", "--deployed")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "worker ended by itself" in up.output.read_text()


def _heartbeats(up: Up, run: str) -> int:
    since = datetime.now(UTC) - timedelta(hours=1)
    query = {
        "occurred": {"since": since.isoformat()},
        "event": {"name": ["prefect.flow-run.heartbeat"]},
        "resource": {"id": [f"prefect.flow-run.{run}"]},
    }
    return int(api(up, "POST", "/events/filter", filter=query)["total"])


def _crashed(up: Up, run: str) -> dict[str, Any] | None:
    row: dict[str, Any] = api(up, "GET", f"/flow_runs/{run}")
    return row if row["state"]["type"] == "CRASHED" else None


def test_ctrl_c_while_everything_starts_stops_what_was_started(tmp_path: Path) -> None:
    """Whoever changes their mind in the first seconds finds no process and no port taken afterwards."""
    project = write_project(tmp_path / "depot")
    output = tmp_path / "output"
    with Depot().serving() as depot:
        env = {**os.environ, "DEPOT_URL": depot.url, "DEPOT_TOKEN": TOKEN, "SERAI_PROJECT": str(project)}
        with output.open("w") as out:
            process = start_up(env, out)
        wait_for_line(process, output, "receiver  http", 200)
        family = descendants(process.pid)
        assert len(family) >= 3
        process.send_signal(signal.SIGINT)
        process.wait(timeout=150)
        gone(family)
    assert "Traceback" not in output.read_text()
