"""`serai new`: a project, a platform or a mapping from a skeleton that works."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.commands import HERE, Project, say

if TYPE_CHECKING:
    from deployments.authoring.starting import Started

FromSchema = Annotated[
    str | None, typer.Option("--from-schema", metavar="FILE[#/POINTER]", help="a published JSON Schema or OpenAPI file")
]
FromSample = Annotated[
    str | None, typer.Option("--from-sample", metavar="FILE[#/POINTER]", help="real documents: one, a list, or a page")
]


def new_project(folder: Annotated[Path, typer.Argument(metavar="DIR", help="a folder that is not there yet")]) -> None:
    """Start a retailer's folder: channels, authority, policies, an override; it runs against the simulated systems."""
    from deployments.authoring.starting import project

    _told(project(folder))


def new_platform(
    name: Annotated[str, typer.Argument(help="what the system is called")],
    from_openapi: Annotated[
        list[str] | None,
        typer.Option("--from-openapi", metavar="FILE", help="the vendor's OpenAPI file; once for each of several"),
    ] = None,
    python: Annotated[
        bool, typer.Option("--python", help="a connector in Python with its simulator, for one that comes with Serai")
    ] = False,
    project: Project = HERE,
) -> None:
    """Start a platform: in a project its description in YAML, in Serai's own folder one that comes with Serai."""
    from deployments.authoring.platforms import platform

    _told(platform(project, name, openapi=from_openapi or (), python=python))


def new_mapping(
    platform: Annotated[str, typer.Argument(help="the platform")],
    resource: Annotated[str, typer.Argument(help="the platform's collection")],
    entity: Annotated[str | None, typer.Option(help="the entity, where the resource's name does not tell")] = None,
    from_schema: FromSchema = None,
    from_sample: FromSample = None,
    project: Project = HERE,
) -> None:
    """Start a mapping; from a schema or a sample its rows are proposed, each marked for review."""
    from deployments.authoring.starting import mapping

    _told(mapping(project, platform, resource, entity=entity, schema=from_schema, sample=from_sample))


def _told(started: Started) -> None:
    """Says what was written, and what is left to do."""
    from deployments.authoring.finding import shown

    for path in started.files:
        say(f"wrote {shown(path)}")
    for error in started.errors:
        say(f"to do: {error}")
    for sentence in started.next:
        say(f"next: {sentence}")
