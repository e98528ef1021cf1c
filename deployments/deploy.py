"""Tells Prefect what to run: work pool, deployments with schedules, and the automation that marks dead runs Crashed.

What surprises here:

* Doing it again changes nothing: what already is as wanted is left alone, ids stay, and a deployment that somebody
  paused in Prefect's UI stays paused. Deployments of this project that are no longer wanted are removed.
* The runs of one interval are spread over it; otherwise every channel would start in the same second.
* Prefect without an address would start a server of its own and lose it again; so an address is required.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from connectors.errors import ConnectorError
from deployments.prefect_server import know_time_zones
from flows.apply import first_release
from flows.steps import resources_of
from flows.wiring import House, opened
from mappings.language import LintErrors

if TYPE_CHECKING:  # Prefect is imported when it is used: it costs 1.3 s
    from prefect.client.orchestration import PrefectClient

DEFINITIONS = Path(__file__).with_name("prefect.yaml")
CHECKOUT = Path(__file__).resolve().parent.parent
MARK = "serai"
AUTOMATION = "serai: a run without a heartbeat is Crashed"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


NO_ADDRESS = (
    "PREFECT_API_URL is not set: name the address of Prefect's server, such as http://127.0.0.1:4200/api, "
    "or let `serai up` start one and deploy to it"
)


class NoServer(Exception):
    """Nobody said where Prefect's server is, or it does not answer, or knows no such deployment."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One deployment as Prefect should have it. ``every`` in seconds and ``offset`` within it, or ``cron``."""

    flow: str
    name: str
    entrypoint: str
    description: str
    parameters: Mapping[str, Any]
    tags: Sequence[str]
    every: int | None = None
    offset: float = 0.0
    cron: str | None = None


@dataclass(kw_only=True)
class Deployed:
    """What a deploy did, by full name of the deployment (``pull/shop-kz-orders``)."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """``27 deployments: 27 created``."""
        counts = {name: len(getattr(self, name)) for name in ("created", "updated", "unchanged", "removed")}
        present = len(self.created) + len(self.updated) + len(self.unchanged)
        return f"{present} deployments: " + ", ".join(f"{n} {name}" for name, n in counts.items() if n > 0)


def definitions() -> dict[str, Any]:
    """deployments/prefect.yaml, parsed."""
    parsed: dict[str, Any] = yaml.safe_load(DEFINITIONS.read_text(encoding="utf-8"))
    return parsed


def wanted(house: House, rows: Mapping[str, Any]) -> list[Wanted]:
    """Every deployment of the project: ``rows`` (the ``deployments`` of prefect.yaml) filled in for its channels."""
    found: list[Wanted] = []
    for flow, row in rows.items():
        for channel in house.settings.channels.values():
            things: Sequence[Mapping[str, str]]
            if row["per"] == "resource":
                things = [{"resource": name} for name in resources_of(house, channel.name)]
            elif row["per"] == "entity":
                things = [{"entity": name} for name in channel.receives]
            else:
                things = [{}]
            for thing in things:
                words = {"channel": channel.name, "project": str(house.settings.folder), **thing}
                schedule = row["schedule"]
                found.append(
                    Wanted(
                        flow=flow,
                        name=_fill(row["name"], words),
                        entrypoint=row["entrypoint"],
                        description=_fill(row["description"], words),
                        parameters={**_fill(row["parameters"], words), "project": words["project"]},
                        tags=(*_fill(row["tags"], words), MARK, _project_tag(house.settings.folder)),
                        every=channel.every if "every" in schedule else None,
                        cron=schedule.get("cron"),
                    )
                )
    regular = [one for one in found if one.every is not None]
    offsets = {id(one): (one.every or 0) * position / len(regular) for position, one in enumerate(regular)}
    return [replace(one, offset=round(offsets.get(id(one), 0.0), 1)) for one in found]


def _fill(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return value.format_map(words)
    if isinstance(value, list):
        return [_fill(item, words) for item in value]
    return {key: _fill(item, words) for key, item in value.items()}


def _project_tag(folder: Path) -> str:
    return f"project:{folder.name}"


async def deploy(folder: Path, *, dead_after: timedelta | None = None) -> Deployed:
    """Afterwards Prefect has the work pool, exactly the project's deployments, and the automation; what runs is a
    release: the first one is made of what is on disk.

    ``dead_after`` is how long a run may be silent before it counts as dead (prefect.yaml's figure unless given).
    Raises NoServer, LintErrors (project or mapping), Misconfigured.
    """
    described = definitions()
    with opened(folder) as house:
        first_release(house, os.environ.get("SERAI_USER") or getpass.getuser())
        rows = wanted(house, described["deployments"])
    tags = (MARK, _project_tag(folder.resolve()))
    return await bring_about(rows, described, tags, dead_after or timedelta(seconds=described["dead_after_seconds"]))


async def bring_about(
    rows: Sequence[Wanted], described: Mapping[str, Any], tags: Sequence[str], dead_after: timedelta
) -> Deployed:
    """Afterwards Prefect has these deployments and, of those bearing all ``tags``, no others. Raises NoServer."""
    if not os.environ.get("PREFECT_API_URL"):
        raise NoServer(NO_ADDRESS)
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from prefect.client.orchestration import get_client

    know_time_zones()
    done = Deployed()
    async with get_client() as client:
        await _answers(client)
        await _pool(client, described["work_pool"])
        for row in rows:
            getattr(done, await _one(client, row, described)).append(f"{row.flow}/{row.name}")
        done.removed += await _remove_others(client, tags, {f"{row.flow}/{row.name}" for row in rows})
        await _automation(client, dead_after)
    return done


async def _pool(client: PrefectClient, row: Mapping[str, Any]) -> None:
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    try:
        await client.read_work_pool(row["name"])
    except ObjectNotFound:
        await client.create_work_pool(
            WorkPoolCreate(
                name=row["name"],
                type=row["type"],
                description=row["description"],
                base_job_template=ProcessWorker.get_default_base_job_template(),
            )
        )


async def _one(client: PrefectClient, row: Wanted, described: Mapping[str, Any]) -> str:
    """Brings one deployment about; "created", "updated" or "unchanged"."""
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
    from prefect.exceptions import ObjectNotFound

    schedule: IntervalSchedule | CronSchedule
    if row.every is not None:
        anchor = EPOCH + timedelta(seconds=row.offset)
        schedule = IntervalSchedule(interval=timedelta(seconds=row.every), anchor_date=anchor, timezone="UTC")
    elif row.cron is not None:
        schedule = CronSchedule(cron=row.cron, timezone="UTC")
    else:
        raise ValueError(f"{row.flow}/{row.name}: prefect.yaml gives neither `every` nor `cron`")
    facts: dict[str, Any] = {
        "description": row.description,
        "parameters": dict(row.parameters),
        "tags": sorted(row.tags),
        "entrypoint": row.entrypoint,
        "work_pool_name": described["work_pool"]["name"],
        "job_variables": {
            "command": shlex.join([sys.executable, "-m", "prefect.engine"]),
            "env": {**described["environment"], **_passed_on()},
            "working_dir": str(CHECKOUT),
        },
    }
    outcome = "created"
    try:
        there = await client.read_deployment_by_name(f"{row.flow}/{row.name}")
    except ObjectNotFound:
        pass
    else:
        outcome = "updated"
        has = {name: getattr(there, name) for name in facts} | {"tags": sorted(there.tags)}
        if has == facts and [one.schedule for one in there.schedules] == [schedule]:
            return "unchanged"
    flow_id = await client.create_flow_from_name(row.flow)
    await client.create_deployment(
        flow_id=flow_id,
        name=row.name,
        # The slug is what keeps a schedule's identity; its switch in Prefect's UI is left to people.
        schedules=[DeploymentScheduleCreate(schedule=schedule, active=True, slug="every")],
        enforce_parameter_schema=False,
        **facts,
    )
    return outcome


def _passed_on() -> dict[str, str]:
    """Addresses of this installation that a run needs for its links; secrets stay in the worker's environment."""
    names = ("SERAI_CONSOLE_URL",)
    return {name: os.environ[name] for name in names if name in os.environ}


async def _remove_others(client: PrefectClient, tags: Sequence[str], keep: set[str]) -> list[str]:
    """Deletes the deployments bearing all the tags that are not wanted any more; their runs stay."""
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

    mine = DeploymentFilter(tags=DeploymentFilterTags(all_=list(tags)))
    flows = {flow.id: flow.name for flow in await client.read_flows()}
    removed = []
    for there in await client.read_deployments(deployment_filter=mine, limit=200):
        full_name = f"{flows.get(there.flow_id, '?')}/{there.name}"
        if full_name not in keep:
            await client.delete_deployment(there.id)
            removed.append(full_name)
    return removed


async def _automation(client: PrefectClient, dead_after: timedelta) -> None:
    """One automation by its name; ids of automations are Prefect's business."""
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    ended = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}
    wanted = AutomationCore(
        name=AUTOMATION,
        description="A killed run sends no heartbeat; without this it would stay Running for ever.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat"} | ended,
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=dead_after,
        ),
        actions=[
            ChangeFlowRunState(
                name=None,
                force=False,
                state=StateType.CRASHED,
                message=f"No heartbeat for {dead_after.total_seconds():.0f} s: its process is gone. "
                "The cursor stands where it was; the next run continues.",
            )
        ],
    )
    there = await client.read_automations_by_name(AUTOMATION)
    for twin in there[1:]:
        await client.delete_automation(twin.id)
    if not there:
        await client.create_automation(wanted)
    elif there[0].trigger != wanted.trigger or there[0].actions != wanted.actions:
        await client.update_automation(there[0].id, wanted)


async def _answers(client: Any) -> None:
    """Raises NoServer unless Prefect's server answers."""
    error = await client.api_healthcheck()
    if error is not None:
        api, found = os.environ["PREFECT_API_URL"], type(error).__name__
        raise NoServer(f"Prefect's server at {api} does not answer ({found}); start it, or `serai up`")


async def run_deployed(flow: str, name: str, *, wait: float = 120.0) -> tuple[str, str]:
    """Starts a deployment's run through the worker and waits for its end; (name of its state, address in the UI).

    Raises NoServer.
    """
    if not os.environ.get("PREFECT_API_URL"):
        raise NoServer(NO_ADDRESS)
    from prefect.client.orchestration import get_client
    from prefect.deployments.flow_runs import arun_deployment
    from prefect.exceptions import ObjectNotFound

    async with get_client() as client:
        await _answers(client)
    try:
        run = await arun_deployment(f"{flow}/{name}", timeout=wait, poll_interval=0.5, as_subflow=False)
    except ObjectNotFound:
        raise NoServer(f"Prefect has no deployment {flow}/{name}; `serai deploy` brings them about") from None
    ui = os.environ.get("PREFECT_API_URL", "").removesuffix("/api")
    return run.state_name or "unknown", f"{ui}/runs/flow-run/{run.id}"


def main() -> int:
    """``python -m deployments.deploy --project DIR``: what `serai deploy` does, for a parent that has no Prefect."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, default=Path(os.environ.get("SERAI_PROJECT", ".")))
    try:
        done = asyncio.run(deploy(parser.parse_args().project.resolve()))
    except (NoServer, LintErrors, ConnectorError) as error:
        print(error, file=sys.stderr)
        return 1
    print(done.sentence())
    return 0


if __name__ == "__main__":
    sys.exit(main())
