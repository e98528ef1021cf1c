"""Verbs that change what is in force: what a change of mappings, authority or policies would do, and doing it."""

from __future__ import annotations

import enum
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from deployments.commands import HERE, MISTAKE, AnyChannel, Because, Json, Project, say


class Format(enum.StrEnum):
    """For people, for machines and ``serai apply``, for a pull request."""

    text = "text"
    json = "json"
    html = "html"


def plan(
    channel: AnyChannel = None,
    entity: Annotated[str | None, typer.Option(help="only this entity: product, price, …")] = None,
    since: Annotated[
        datetime | None, typer.Option(help="only records that changed since this moment (UTC)")
    ] = None,
    format: Annotated[Format, typer.Option(help="text, json (what `serai apply` takes), html")] = Format.text,
    out: Annotated[Path | None, typer.Option(help="write to this file")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="compare also what no changed file touches")
    ] = False,
    on: Annotated[
        datetime | None, typer.Option("--on", help="instead: what dated rules make of prices by that day (UTC)")
    ] = None,
    project: Project = HERE,
) -> None:
    """Say what would change on the channels if the files of this checkout went live. Asks and writes nothing."""
    from datetime import UTC

    from deployments.commands.houses import opened
    from flows.foreseen import ahead
    from flows.plan import Scope, plan as make
    from flows.settings import ENTITIES

    moment = None if since is None else since.replace(tzinfo=UTC)
    if on is not None:
        _on(project, on.replace(tzinfo=UTC), channel, format)
        return
    with opened(project, disk=True) as house:
        if channel is not None:
            house.channel(channel)
        if entity is not None and entity not in ENTITIES:
            raise typer.BadParameter(f"found {entity!r}; allowed are {', '.join(ENTITIES)}", param_hint="--entity")
        later = ahead(house, house.registry.now())
        made = make(house, Scope(channel=channel, entity=entity, since=moment, all_of_it=everything))
    if format is Format.text and out is None:
        from deployments.planning.text import print_plan

        print_plan(made)
        for turn in later[:1]:
            say(f"later: {len(later)} {'turn' if len(later) == 1 else 'turns'} of dated rules, the next on "
                f"{turn.at:%Y-%m-%d %H:%M} UTC ({turn.where}): `serai plan --on {turn.at:%Y-%m-%dT%H:%M:%S}`")
        return
    if format is Format.html:
        from deployments.planning.page import plan_page

        text = plan_page(made)
    elif format is Format.json:
        from flows.plan_file import to_json

        text = to_json(made).decode()
    else:
        raise typer.BadParameter("--out goes with --format json or html; text is for the terminal")
    if out is None:
        typer.echo(text, nl=False)
        return
    out.write_text(text, encoding="utf-8")
    from deployments.planning.words import heading

    say(f"{heading(made)} {'The page' if format is Format.html else 'The plan'} is in {out}.")


def _on(project: Path, at: datetime, channel: str | None, format: Format) -> None:
    """Prints what prices will be at a moment, and which rules begin or end until then."""
    from deployments.commands.houses import opened
    from deployments.printing import print_json, show
    from flows.foreseen import ahead, foreseen

    if format is Format.html:
        raise typer.BadParameter("--on is printed as text or json")
    with opened(project, disk=True) as house:
        if channel is not None:
            house.channel(channel)
        now = house.registry.now()
        if at <= now:
            raise typer.BadParameter(f"--on {at:%Y-%m-%d %H:%M} UTC is past; it looks ahead")
        turns = [turn for turn in ahead(house, now) if turn.at <= at]
        found = foreseen(house, at, channel)
    if format is Format.json:
        print_json({"on": at, "turns": turns, "channels": found})
        return
    show(f"rules that begin or end until {at:%Y-%m-%d %H:%M} UTC",
         [{"at": turn.at, "rule": turn.where, "channels": ", ".join(turn.channels)} for turn in turns], False,
         nothing=f"no rule begins or ends until {at:%Y-%m-%d %H:%M} UTC")
    for one in found:
        more = [f"{one.by_list} by dates of their list"] if one.by_list else []
        more += [f"{one.held} would be held"] if one.held else []
        say(f"{one.channel}: {one.changed} of {one.known} prices change" + (f" ({', '.join(more)})" if more else ""))
        for row in one.sample:
            size = "" if row.size is None else f" ({row.size * 100:.2f} %)"
            say(f"  {row.sku}: {row.now} → {row.then}{size}")


def apply(
    planned: Annotated[Path, typer.Argument(metavar="PLAN", help="what `serai plan --format json --out` wrote")],
    skip_stale: Annotated[
        bool, typer.Option("--skip-stale", help="leave out planned records that moved since, apply the rest")
    ] = False,
    because: Because = "",
    project: Project = HERE,
    json: Json = False,
) -> None:
    """Release the files of this checkout and make exactly the planned writes; repeat it when it was cut short."""
    from deployments.commands.houses import opened
    from deployments.commands.knowing import who
    from deployments.planning.text import print_applied
    from deployments.planning.words import verdict
    from deployments.printing import print_json
    from flows.apply import apply as bring_about
    from flows.plan_file import read_plan

    given = read_plan(planned)
    for part in given.held if not json else ():
        say(f"{part.channel} {part.entity} {verdict(part)}")
    with opened(project, disk=True) as house:
        done = bring_about(house, given, who=who(), because=because, skip_stale=skip_stale)
    if json:
        print_json({
            "release": done.release.number, "written": [one.key for one in done.written],
            "done_before": [one.key for one in done.done_before], "skipped": [one.key for one in done.skipped],
            "left": [{"write": one.key, "why": why} for one, why in done.left], "notes": list(done.notes),
        })  # fmt: skip
    else:
        print_applied(done)
    raise typer.Exit(MISTAKE if done.left else 0)
