"""Verbs that show what is known of channels and records, and that take a person's decisions about them."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.commands import HERE, AnyChannel, Because, Channel, Json, Project, say

if TYPE_CHECKING:
    from flows.wiring import House


def survey(
    project: Project = HERE,
    json: Json = False,
    html: Annotated[Path | None, typer.Option("--html", help="write a page for the retailer to this file")] = None,
) -> None:
    """Look at all channels, write nothing, and say what is wrong today."""
    from connectors.errors import Misconfigured
    from deployments.commands.houses import opened
    from deployments.printing import print_json
    from deployments.tables import print_survey
    from flows.survey import survey as look

    with opened(project) as house:
        found = look(house)
        if found.unreachable and found.unreachable.keys() == house.project.channels.keys():
            reasons = "; ".join(dict.fromkeys(found.unreachable.values()))
            raise Misconfigured(f"no channel could be asked, so nothing is known of them: {reasons}")
        if html is not None:
            from deployments.planning.survey_page import survey_page

            html.write_text(survey_page(house, found), encoding="utf-8")
    if json:
        print_json(found.row())
    else:
        print_survey(found)
    if html is not None and not json:
        say(f"The page is in {html}.")


def why(
    channel: Channel,
    entity: Annotated[str, typer.Argument(help="product, variant, stock, price, …")],
    key: Annotated[str, typer.Argument(help="a SKU, code, number, external id or uid")],
    field: Annotated[str | None, typer.Argument(help="one field; all of them when absent")] = None,
    project: Project = HERE,
    json: Json = False,
) -> None:
    """Explain a published value: document, mapping file:line, authority, policy, receipt, time verified."""
    from deployments.commands.houses import opened
    from deployments.printing import print_json
    from deployments.tables import print_why
    from flows.why import why as explain

    with opened(project) as house:
        answer = explain(house, channel, entity, key, field)
    if json:
        print_json(answer.row())
    else:
        print_why(answer)


def parked(project: Project = HERE, channel: AnyChannel = None, json: Json = False) -> None:
    """List what needs a person: record, field, place in the mapping, rule, masked value, remedy."""
    from deployments.commands.houses import opened
    from deployments.printing import show
    from deployments.tables import parked_rows

    with opened(project) as house:
        show("parked and waiting", parked_rows(_known(house, channel)), json, nothing="nothing is parked")


def status(project: Project = HERE, json: Json = False) -> None:
    """Show every channel: modes, freshness, what is due, parked and waiting, and the last run."""
    from deployments.commands.houses import opened
    from deployments.local import running_now
    from deployments.printing import show
    from deployments.tables import status_rows

    with opened(project) as house:
        show("channels", status_rows(house), json, nothing="channels.yaml names no channel")
    if not json:
        urls = running_now(project)
        say("  ".join(f"{name} {url}" for name, url in urls.items()) if urls else "not running; `serai up` starts it")


def channel(
    name: Annotated[str | None, typer.Argument(help="a channel; all of them when absent")] = None,
    what: Annotated[str | None, typer.Argument(help="an entity, `all`, `pause`, `resume` or `subscribe`")] = None,
    mode: Annotated[str | None, typer.Argument(help="off, shadow, canary or on")] = None,
    because: Because = "",
    receiver: Annotated[
        str | None, typer.Option(envvar="SERAI_RECEIVER_URL", help="for subscribe: the receiver's public address")
    ] = None,
    project: Project = HERE,
    json: Json = False,
) -> None:
    """Show modes, or set one: `serai channel shop-kz stock on --because "checked the report"`."""
    from deployments import switches
    from deployments.commands.houses import opened
    from deployments.printing import show
    from deployments.tables import mode_rows

    with opened(project) as house:
        if name is not None and what == "subscribe":
            _subscribe(house, name, receiver, project)
        elif name is not None and what in ("pause", "resume"):
            say(switches.set_pause(house, name, paused=what == "pause", who=who(), because=because))
        elif name is not None and what is not None:
            for sentence in switches.set_mode(house, name, what, mode, who=who(), because=because):
                say(sentence)
            if mode in ("canary", "on"):
                say(f"it is read from page one with the next run of the timetable; `serai pull {name}` reads it now")
        else:
            show("modes", mode_rows(_known(house, name)), json, nothing="channels.yaml names no channel")


def match(
    context: typer.Context, project: Project = HERE, channel: AnyChannel = None, json: Json = False
) -> None:
    """Show the match report: exact, fuzzy, none, ambiguous. `accept` and `bind` decide."""
    if context.invoked_subcommand is not None:
        return
    from deployments.commands.houses import opened
    from deployments.printing import show
    from deployments.tables import candidate_rows

    with opened(project) as house:
        show("match report", candidate_rows(_known(house, channel)), json, nothing="nothing waits for a decision")


def accept(
    exact: Annotated[bool, typer.Option("--exact", help="bind what matches exactly; nothing else is accepted in bulk")],
    channel: AnyChannel = None,
    project: Project = HERE,
) -> None:
    """Bind all exact matches, and consent that Serai creates on the channel what it lacks."""
    from deployments.commands.houses import opened
    from flows.matching import accept_exact

    if not exact:
        raise typer.BadParameter("say --exact: fuzzy and ambiguous matches are bound one by one with `match bind`")
    with opened(project) as house:
        bound = accept_exact(house, channel, who())
    for (name, entity), number in bound.items():
        say(f"{name} {entity}: {number} bound")


def bind(
    channel: Channel,
    id: Annotated[str, typer.Argument(help="the id on the channel")],
    record: Annotated[str, typer.Argument(help="the record: its uid, SKU, code or e-mail")],
    entity: Annotated[str | None, typer.Option(help="when the id alone does not tell")] = None,
    project: Project = HERE,
) -> None:
    """Say that one document of a channel is a certain record."""
    from deployments.commands.houses import opened
    from flows.matching import bind as bind_one

    with opened(project) as house:
        found = bind_one(house, channel, id, record, entity=entity, who=who())
    say(f"{channel} {found} {id} is {record}; `serai replay` takes up what waited for it")


def _subscribe(house: House, name: str, receiver: str | None, project: Path) -> None:
    """One channel, or with ``all`` each that can: then a platform that cannot is a line, not an error."""
    from connectors.errors import ConnectorError
    from deployments import switches
    from deployments.local import running_now

    address = receiver or running_now(project).get("receiver")
    if address is None:
        raise typer.BadParameter("name the receiver's public address with --receiver, or start `serai up`")
    for one in house.settings.channels if name == "all" else [name]:
        try:
            say(switches.subscribe(house, one, address))
        except ConnectorError as error:
            if name != "all":
                raise
            say(str(error))


def _known(house: House, channel: str | None) -> tuple[House, str | None]:
    """The house with a channel it has; raises Misconfigured for another."""
    if channel is not None:
        house.channel(channel)
    return house, channel


def who() -> str:
    """Who sits at the keyboard: $SERAI_USER, else the account."""
    return os.environ.get("SERAI_USER") or getpass.getuser()
