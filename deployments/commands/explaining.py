"""Verbs that show what a mapping does: to any document, to one at hand, to one on a channel."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from deployments.commands import HERE, Json, Project, say


class Direction(enum.StrEnum):
    """Inward: from the platform to records. Outward: from records to the platform."""

    inward = "inward"
    outward = "outward"


MappingName = Annotated[str, typer.Argument(metavar="MAPPING", help="a file, platform/resource, or a resource")]


def explain(
    mapping: MappingName,
    document: Annotated[str | None, typer.Argument(help="a JSON file, - for stdin, or a test of the mapping")] = None,
    graph: Annotated[bool, typer.Option("--graph", help="field-level lineage as Mermaid")] = False,
    needs: Annotated[bool, typer.Option("--needs", help="the source fields the mapping reads")] = False,
    python: Annotated[bool, typer.Option("--python", help="the Python the mapping is compiled to")] = False,
    direction: Annotated[Direction | None, typer.Option(help="one direction of a mapping that has both")] = None,
    project: Project = HERE,
    json: Json = False,
) -> None:
    """Show what a mapping does: field ← row (file:line) ← source path ← value."""
    from deployments.authoring import explaining
    from deployments.authoring.finding import compiled
    from deployments.authoring.showing import short, show_result
    from deployments.printing import print_json, show

    made = compiled(mapping, project)
    side = direction.value if direction is not None else None
    if python:
        typer.echo(made.source)
    elif graph:
        typer.echo(explaining.mermaid(made, side))
    elif needs:
        found = explaining.needs(made)
        if json:
            print_json(found)
        else:
            for name, paths in found.items():
                say(f"{name}:")
                for path in paths:
                    say(f"  {path}")
    elif document is None:
        rows = explaining.rows(made, side)
        show(made.name, rows if json else short(rows), json, nothing="the mapping sets nothing")
    else:
        test = explaining.document(document, made, side)
        show_result(made, test, explaining.run(made, test), json)


def try_out(
    mapping: MappingName,
    channel: Annotated[str, typer.Option("--channel", help="a name from channels.yaml")],
    id: Annotated[str, typer.Option("--id", help="the document's id on the channel")],
    project: Project = HERE,
    json: Json = False,
) -> None:
    """Fetch one live document, map it, show both sides; nothing is written."""
    from deployments.authoring.finding import compiled
    from deployments.authoring.showing import show_result
    from deployments.authoring.trying import look
    from deployments.commands.houses import with_demo
    from deployments.printing import in_full

    made = compiled(mapping, project)
    with_demo(project)
    tried = look(project, made, channel, id)
    if not json:
        say(f"{made.platform} {made.resource} {id} of {channel}:")
        say(in_full(tried.document))
    show_result(made, {"given": tried.document}, tried.made, json, unknown=tried.unknown)
    if not json:
        for entity, unknown in tried.unknown:
            say(f"not known yet: {entity} {unknown}; a pull would let the record wait for it")
        say("nothing was written")
