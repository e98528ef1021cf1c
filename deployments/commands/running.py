"""Verbs that start things, and that prepare Prefect and the registry for them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from deployments.commands import HERE, Json, Port, Project, say


def demo(
    once: Annotated[bool, typer.Option("--once", help="play one trading day, judge it, end")] = False,
    json: Json = False,
    without_serai: Annotated[
        bool, typer.Option("--without-serai", help="the same day with a plain copy loop, for comparison")
    ] = False,
) -> None:
    """Run Karavan Home, a small retailer on simulated systems; with --once, a day that ends with a verdict."""
    from deployments.demo.day import run_demo

    raise typer.Exit(run_demo(once=once, json=json, without_serai=without_serai))


def up(
    project: Project = HERE,
    prefect_port: Port = None,
    console_port: Port = None,
    receiver_port: Port = None,
    dev: Annotated[
        bool, typer.Option("--dev", help="run what is on disk, not the release in force: for trying, never for trade")
    ] = False,
) -> None:
    """Start Prefect's server and worker, the drain, the console and the receiver; Ctrl-C stops them all."""
    from deployments import local

    if dev:
        os.environ["SERAI_DEV"] = "1"
    asked = {"prefect": prefect_port, "console": console_port, "receiver": receiver_port}
    _checked(project)
    local.up(project, ports={name: port for name, port in asked.items() if port is not None}, say=say)


def deploy(project: Project = HERE) -> None:
    """Tell Prefect the work pool, the deployments with schedules, the heartbeat automation; again: no change."""
    import asyncio

    from deployments.deploy import deploy as bring_about

    find_prefect(project)
    say(asyncio.run(bring_about(project.resolve())).sentence())


def migrate(project: Project = HERE) -> None:
    """Create or update the registry's tables; again: no change."""
    from flows.settings import STATE, load_project
    from flows.wiring import registry_url
    from registry import open_registry

    if not (project / "channels.yaml").is_file():
        load_project(project)       # says so
    registry = open_registry(registry_url(project.resolve() / STATE))
    try:
        before = registry.migrated()
        registry.migrate()
    finally:
        registry.close()
    say("the registry is up to date" if before else "the registry is migrated")


def find_prefect(project: Path) -> None:
    """Prefect's address from the environment, else from the `serai up` that runs for this project."""
    from deployments.local import running_now

    urls = running_now(project)
    if "PREFECT_API_URL" not in os.environ and "prefect" in urls:
        os.environ["PREFECT_API_URL"] = f"{urls['prefect']}/api"
        os.environ["SERAI_CONSOLE_URL"] = urls["console"]


def _checked(project: Path) -> None:
    """Raises LintErrors before anything is started."""
    from flows.wiring import opened

    with opened(project):
        pass
