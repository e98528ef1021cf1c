"""Verbs for authors of settings and mappings: nothing is opened, asked or stored."""

from __future__ import annotations

import typer

from deployments.commands import HERE, MISTAKE, AllMappings, Json, Project, number, say


def lint(
    project: Project = HERE,
    all_mappings: AllMappings = False,
    json: Json = False,
) -> None:
    """Check settings and mappings without running anything: file:line:column: code: what; what is allowed."""
    from deployments.authoring import lint_project
    from deployments.tables import print_json

    checked, errors = lint_project(project, all_mappings=all_mappings)
    if json:
        print_json([{name: getattr(error, name) for name in error.__dataclass_fields__} for error in errors])
    else:
        for error in errors:
            typer.echo(str(error))
        say(f"{len(checked)} mapping files checked, {number(len(errors), 'mistake')}")
    raise typer.Exit(MISTAKE if errors else 0)


def run_tests(
    project: Project = HERE,
    all_mappings: AllMappings = False,
    json: Json = False,
) -> None:
    """Run the tests that stand in the mapping files."""
    from deployments.authoring import run_project_tests
    from deployments.tables import print_json

    outcomes = run_project_tests(project, all_mappings=all_mappings)
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if json:
        print_json([{"place": o.place, "test": o.test, "passed": o.passed, "detail": o.detail} for o in outcomes])
    else:
        for outcome in failed:
            typer.echo(f"{outcome.place}: {outcome.test}:\n  {outcome.detail}")
        say(f"{number(len(outcomes), 'test')} in {len({o.file for o in outcomes})} files, {len(failed)} failed")
    raise typer.Exit(MISTAKE if failed else 0)
