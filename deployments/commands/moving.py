"""Verbs that move documents: in this process, or with ``--deployed`` through Prefect's worker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.commands import DEFECT, HERE, MISTAKE, Channel, Deployed, Json, Project, say
from deployments.commands.running import find_prefect

if TYPE_CHECKING:
    from flows.ledger import Ledger


def pull(
    channel: Annotated[str, typer.Argument(help="a name from channels.yaml, or `all`")],
    resource: Annotated[str | None, typer.Argument(help="a resource of its platform; all of them when absent")] = None,
    project: Project = HERE,
    full: Annotated[bool, typer.Option("--full", help="everything, not only what changed")] = False,
    deployed: Deployed = False,
    json: Json = False,
) -> None:
    """Read what changed on a channel, or on all of them: those that others refer to first."""
    if deployed:
        _deployed(project, "pull", channel, resource)
        return
    from deployments.commands.houses import opened
    from flows import steps

    with opened(project) as house:
        ledgers: list[Ledger] = []
        if channel == "all":
            _account(steps.pull_all(house, full=full), json, nothing="nothing is read from any channel")
            return
        house.channel(channel)
        for name in [resource] if resource is not None else steps.resources_of(house, channel):
            ledgers.append(steps.pull(house, channel, name, full=full))
            while ledgers[-1].more:
                ledgers.append(steps.pull(house, channel, name))
    _account(ledgers, json, nothing=f"no resource is read from {channel}")


def push(
    channel: Channel,
    entity: Annotated[str | None, typer.Argument(help="an entity it receives; all of them when absent")] = None,
    project: Project = HERE,
    deployed: Deployed = False,
    json: Json = False,
) -> None:
    """Write what is due to a channel, and find out what became of writes that got no answer."""
    if deployed:
        _deployed(project, "push", channel, entity)
        return
    from connectors.errors import Misconfigured
    from deployments.commands.houses import opened
    from flows import steps

    with opened(project) as house:
        ledgers: list[Ledger] = []
        receives = house.channel(channel).receives
        if entity is not None and entity not in receives:
            raise Misconfigured(f"{channel} receives no {entity!r}; it receives {', '.join(receives) or 'nothing'}")
        for name in [entity] if entity is not None else receives:
            for step in (steps.push, steps.settle):
                ledgers.append(step(house, channel, name))
                while ledgers[-1].more:
                    ledgers.append(step(house, channel, name))
    _account(ledgers, json, nothing=f"channels.yaml lets {channel} receive nothing")


def reconcile(
    channel: Channel,
    resource: Annotated[str | None, typer.Argument(help="a resource of its platform; all of them when absent")] = None,
    project: Project = HERE,
    deployed: Deployed = False,
    json: Json = False,
) -> None:
    """Read all of a channel and heal what differs: lost notices, late rows, drift."""
    if deployed:
        _deployed(project, "reconcile", channel, None)
        return
    from deployments.commands.houses import opened
    from flows import steps

    with opened(project) as house:
        house.channel(channel)
        ledgers: list[Ledger] = []
        for name in [resource] if resource is not None else steps.resources_of(house, channel):
            ledgers.append(steps.reconcile(house, channel, name))
            while ledgers[-1].more:
                ledgers.append(steps.reconcile(house, channel, name))
    _account(ledgers, json, nothing=f"no resource is read from {channel}")


def replay(
    numbers: Annotated[list[str] | None, typer.Argument(help="numbers from `serai parked`; all when absent")] = None,
    project: Project = HERE,
    json: Json = False,
) -> None:
    """Try parked and waiting items again, after the mapping, the document or the record was mended."""
    from connectors.errors import Misconfigured
    from deployments.commands.houses import opened
    from flows import steps
    from registry import parked

    with opened(project) as house:
        if numbers:
            with house.registry.read() as tx:
                there = {row.uid for row in parked(tx, uids=numbers)}
            if unknown := [number for number in numbers if number not in there]:
                raise Misconfigured(f"nothing is parked or waiting as {', '.join(unknown)}; "
                                    "`serai parked` lists the numbers")
        ledgers = steps.replay(house, numbers or None)
    _account(ledgers, json, nothing="nothing is parked or waiting")


def _account(ledgers: Sequence[Ledger], json: bool, *, nothing: str) -> None:
    """Prints what was done, ``nothing`` when there was nothing to do; exit code DEFECT if a ledger does not balance."""
    from deployments.printing import print_json

    if json:
        print_json([ledger.row() for ledger in ledgers])
    elif not ledgers:
        say(nothing)
    else:
        for ledger in ledgers:
            say(ledger.sentence())
            for fault in ledger.faults:
                say(f"  {fault}")
    if not all(ledger.balanced for ledger in ledgers):
        typer.echo("a ledger does not balance: report this as a defect", err=True)
        raise typer.Exit(DEFECT)


def _deployed(project: Path, flow: str, channel: str, thing: str | None) -> None:
    """Starts the deployment's run and waits for its end; exit code MISTAKE unless it completed."""
    import asyncio

    from deployments.deploy import run_deployed

    if flow != "reconcile" and thing is None:
        raise typer.BadParameter(f"--deployed runs one deployment: name what to {flow} after {channel}")
    find_prefect(project)
    state, url = asyncio.run(run_deployed(flow, channel if thing is None else f"{channel}-{thing}"))
    say(f"{flow} {channel} {thing or ''}: {state}, {url}")
    if state != "Completed":
        raise typer.Exit(MISTAKE)
