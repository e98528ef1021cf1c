"""Verbs about access: a person's consent on a platform's page, and what of a channel works."""

from __future__ import annotations

from typing import Annotated

import typer

from deployments.commands import HERE, MISTAKE, Json, Project, say

Channel = Annotated[str, typer.Argument(help="the channel")]
WAIT = 300


def connect(
    channel: Channel,
    port: Annotated[int, typer.Option("--port", help="where the browser comes back to on this machine; 0: any")] = 0,
    redirect: Annotated[
        str | None, typer.Option("--redirect", metavar="URL", help="the platform wants this public address instead")
    ] = None,
    only_print: Annotated[bool, typer.Option("--print", help="print the page's address, open no browser")] = False,
    project: Project = HERE,
) -> None:
    """Ask for access on the platform's own page, store what it grants (encrypted), and check it."""
    import getpass
    import webbrowser

    from deployments.commands.houses import opened
    from deployments.consent import Door, ask, take

    with opened(project) as house:
        door = None if redirect else Door(port)
        asked = ask(house, channel, redirect or (door.address if door else ""))
        say(f"open this page and consent:\n  {asked.page}")
        if not only_print:
            webbrowser.open(asked.page)
        if door is None:
            answer: str | None = typer.prompt("the address that the browser ended on", hide_input=True)
        else:
            say(f"waiting at {door.address} (Ctrl-C ends it)")
            answer = door.wait(WAIT)
        if answer is None:
            typer.echo(f"nobody consented within {WAIT // 60} minutes; nothing is stored", err=True)
            raise typer.Exit(MISTAKE)
        take(house, channel, asked, answer, getpass.getuser())
        say(f"{channel}: connected; what works now:")
    check(channel, project)


def check(
    channel: Annotated[str | None, typer.Argument(help="one channel; else all")] = None,
    project: Project = HERE, json: Json = False,
) -> None:
    """Say what works on a channel, per resource and right, and what is missing; exit code 1 when something is."""
    from connectors import verified
    from deployments.commands.houses import opened
    from deployments.printing import show
    from flows.checking import check as look

    with opened(project) as house:
        found = {name: look(house, name) for name in ([channel] if channel else house.project.channels)}
    words = {True: "works", False: "missing", None: "not known"}
    rows = [
        {"channel": name, "what": one.what, "state": words[one.works], "detail": one.detail}
        for name, findings in found.items() for one in findings
    ]
    if not json:
        for name in found:
            row = house.project.channels[name]
            say(f"{name}: {row.platform}, verified against: {verified(row.platform, row.description).badge()}")
    show("What works", rows, json, nothing="no channels yet; write them into channels.yaml")
    if any(row["state"] == "missing" for row in rows):
        raise typer.Exit(MISTAKE)
