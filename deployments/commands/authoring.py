"""Verbs for authors of settings and mappings: nothing is opened, asked or stored."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.commands import HERE, MISTAKE, AllMappings, Paths, Project, number, say

if TYPE_CHECKING:
    from deployments.authoring.testing import Outcome


class Format(enum.StrEnum):
    """How mistakes are printed: for a person, for a program, as annotations of a GitHub pull request."""

    text = "text"
    json = "json"
    github = "github"


As = Annotated[Format, typer.Option("--format", help="github: annotations of a pull request")]

Only = Annotated[str, typer.Option("-k", help="only tests whose file and name fit, as in: stock and not zero")]
Update = Annotated[
    bool, typer.Option("--update", help="show what failing tests would have to expect, then write that into the files")
]


def lint(
    paths: Paths = None, project: Project = HERE, all_mappings: AllMappings = False, format: As = Format.text
) -> None:
    """Check settings, mappings and the YAML in Markdown: file:line:column: code: what; what is allowed."""
    from deployments.authoring.linting import lint as check
    from deployments.printing import annotation, print_json

    linted = check(paths or [], project, all_mappings=all_mappings)
    if format is Format.json:
        print_json([{name: getattr(error, name) for name in error.__dataclass_fields__} for error in linted.errors])
    else:
        for error in linted.errors:
            typer.echo(annotation(error) if format is Format.github else str(error))
        looked_at = ", ".join(number(count, noun) for noun, count in linted.looked_at.items() if count > 0)
        say(f"{looked_at or 'nothing'} checked, {number(len(linted.errors), 'mistake')}")
    raise typer.Exit(MISTAKE if linted.errors else 0)


def run_tests(
    paths: Paths = None,
    project: Project = HERE,
    all_mappings: AllMappings = False,
    only: Only = "",
    update: Update = False,
    properties: Annotated[
        bool, typer.Option("--properties", help="also properties, on documents generated from the schemas")
    ] = False,
    examples: Annotated[int, typer.Option(min=1, help="documents per mapping and direction, for --properties")] = 100,
    seed: Annotated[int, typer.Option(help="which documents, for --properties")] = 0,
    format: As = Format.text,
) -> None:
    """Run the tests that stand in mapping files and policies; a failure shows expected, got and the row's line."""
    from deployments.authoring.testing import print_broken, print_failure, property_row, row, run, run_properties
    from deployments.printing import print_json

    outcomes = run(paths or [], project, all_mappings=all_mappings, only=only, or_nothing=properties)
    failed = [outcome for outcome in outcomes if not outcome.result.ok]
    if update:
        raise typer.Exit(_updated(failed))
    held = []
    if properties:
        linted = (paths or [], project, all_mappings)
        held = run_properties(*linted, only=only, examples=examples, seed=seed)
    broken = [one for one in held if not one.ok]
    if format is Format.json:
        print_json([*(row(outcome) for outcome in outcomes), *(property_row(one) for one in held)])
    else:
        github = format is Format.github
        for outcome in failed:
            print_failure(outcome, github=github)
        for one in broken:
            print_broken(one, github=github)
        files = {outcome.path for outcome in outcomes}
        say(f"{number(len(outcomes), 'test')} in {number(len(files), 'file')}, {len(failed)} failed")
        if properties:
            say(f"{len(held)} properties of {number(len({one.file for one in held}), 'mapping')} over {examples} "
                f"documents each (seed {seed}), {len(broken)} broken")
    raise typer.Exit(MISTAKE if failed or broken else 0)


def _updated(failed: list[Outcome]) -> int:
    """Shows and writes new expectations; the exit code says whether any failing test is left."""
    from deployments.authoring.updating import updates

    left = 0
    for one in updates(failed):
        typer.echo(one.diff, nl=False)
        one.path.write_bytes(one.text.encode("utf-8"))
        for name in one.left:
            typer.echo(f"left as it is: {name}: mend it by hand")
        left += len(one.left)
    say(f"{number(len(failed) - left, 'test')} updated, {left} left" if failed else "no test fails, nothing is updated")
    return MISTAKE if left else 0


def schema(
    name: Annotated[
        str, typer.Argument(help="mapping, forms, channels, companies, authority, or a policy such as stock")
    ] = "mapping",
    to: Annotated[Path | None, typer.Option("--to", help="write all of them into this folder instead")] = None,
) -> None:
    """Print the JSON Schema by which an editor completes and checks a YAML file."""
    from deployments.authoring import CannotDo
    from deployments.authoring.schemas import SHIPPED, schemas, text_of, write
    from flows.mapping_files import PACKAGE
    from mappings.language import nearest

    if to is not None:
        written = write(to, SHIPPED if to.resolve() == PACKAGE else None)
        say(f"{number(len(written), 'schema')} written" if written else "every schema is current")
        return
    known = schemas()
    if name not in known:
        raise CannotDo(f"there is no schema {name!r}; {nearest(name, known)}")
    typer.echo(text_of(known[name]), nl=False)
