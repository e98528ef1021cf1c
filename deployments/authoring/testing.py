"""Do the tests that stand in mapping files pass? Each failure with what was expected, what came, and by which row."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from deployments.authoring import CannotDo
from deployments.authoring.explaining import place_of, row_of
from deployments.authoring.finding import shown
from deployments.authoring.linting import Checked, lint
from deployments.commands import number
from deployments.printing import annotation, one_line
from flows import policies
from flows.mapping_files import source_schema
from mappings import canonical
from mappings.language import Difference, LintError, LintErrors, Mapping as MappingFile, TestResult, run_tests_of
from mappings.language.examples import ABSENT

if TYPE_CHECKING:
    from mappings.language.properties import PropertyOutcome


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one test of a mapping file or a policy went; ``place`` is file:line. A policy has no mapping."""

    path: Path
    result: TestResult
    checked: Checked | None = None

    @property
    def place(self) -> str:
        """Where the test stands."""
        return f"{shown(self.path)}:{self.result.line}"

    def row_of(self, difference: Difference) -> str:
        """file:line and text of the row that set the value; empty where no single row did."""
        return "" if self.checked is None else _row(self.checked.mapping, self.result.direction, difference)


def row(outcome: Outcome) -> dict[str, Any]:
    """The outcome as plain JSON."""
    differences = [
        {
            "field": one.field, "what": one.what, "row": outcome.row_of(one),
            **{name: value for name, value in (("expected", one.expected), ("got", one.got)) if value is not ABSENT},
        }
        for one in outcome.result.differences
    ]
    return {
        "place": outcome.place, "test": outcome.result.name, "passed": outcome.result.ok, "differences": differences
    }


def print_failure(outcome: Outcome, *, github: bool = False) -> None:
    """A failed test, field by field; ``github``: as annotations, one per difference."""
    result = outcome.result
    if github:
        for one in result.differences:
            file = shown(outcome.path)
            mistake = LintError(file=file, line=result.line, column=1, code="test", what=one.what)
            typer.echo(annotation(mistake, title=result.name))
        return
    typer.echo(f"{outcome.place}: {result.name}")
    for one in result.differences:
        if (one.expected is ABSENT and one.got is ABSENT) or one.field == "faults":
            typer.echo(f"  {one.what}")
            continue
        typer.echo(f"  {one.field}")
        typer.echo(f"    expected  {in_words(one.expected)}")
        typer.echo(f"    got       {in_words(one.got)}")
        if (by := outcome.row_of(one)) != "":
            typer.echo(f"    by        {by}")


def in_words(value: Any) -> str:
    """A value as JSON on one line, or the word for none."""
    return "nothing" if value is ABSENT else one_line(value)


def run(
    paths: Sequence[Path], folder: Path, *, all_mappings: bool = False, only: str = "", or_nothing: bool = False
) -> list[Outcome]:
    """Runs the tests of every mapping file and policy under the paths, those of the project without any.

    Raises LintErrors when a file or a setting is wrong, CannotDo for a path that is not there, and for an ``only`` that
    cannot be read or, unless ``or_nothing``, fits no test.
    """
    chosen = chooser(only)
    linted = lint(paths, folder, all_mappings=all_mappings)
    if linted.errors:
        raise LintErrors(linted.errors)
    outcomes = [
        Outcome(path=checked.path, checked=checked, result=result)
        for checked in linted.checked
        for result in run_tests_of(checked.mapping)
        if chosen(f"{shown(checked.path)} {result.name}")
    ] + [
        Outcome(path=project.folder / example.file, result=policies.run(example, getattr(project, example.policy)))
        for project in linted.projects
        for example in project.tests
        if chosen(f"{shown(project.folder / example.file)} {example.name}")
    ]
    if only and not outcomes and not or_nothing:
        raise CannotDo(f"no test of {number(len(linted.checked), 'mapping file')} fits -k {only!r}")
    return outcomes


def run_properties(
    paths: Sequence[Path], folder: Path, all_mappings: bool, *, only: str, examples: int, seed: int
) -> list[PropertyOutcome]:
    """Checks the properties of the same mapping files; ``only`` is compared with file and property."""
    from mappings.language.properties import check_properties

    chosen = chooser(only)
    return [
        outcome
        for checked in lint(paths, folder, all_mappings=all_mappings).checked
        for outcome in check_properties(
            checked.mapping,
            source_schema(checked.folder, checked.mapping.platform, checked.mapping.resource),
            canonical.schemas(), examples=examples, seed=seed,
        )
        if chosen(f"{outcome.file} {outcome.property}")
    ]


def property_row(outcome: PropertyOutcome) -> dict[str, Any]:
    """The outcome as plain JSON, in the shape of a test's."""
    difference = {"field": outcome.field, "what": outcome.what, "row": "", "given": outcome.document}
    return {
        "place": f"{outcome.file}:{outcome.line}" if outcome.line else outcome.file,
        "test": f"{outcome.direction}: {outcome.property}", "passed": outcome.ok,
        "examples": outcome.examples, "reached": outcome.reached,
        "differences": [] if outcome.ok else [difference],
    }


def print_broken(outcome: PropertyOutcome, *, github: bool) -> None:
    """A broken property with the smallest document that breaks it."""
    if not github:
        typer.echo(str(outcome))
        return
    mistake = LintError(
        file=outcome.file, line=max(outcome.line, 1), column=max(outcome.column, 1), code=outcome.property,
        what=f"{outcome.field}: {outcome.what}; given {one_line(outcome.document)}",
    )
    typer.echo(annotation(mistake))


def chooser(expression: str) -> Callable[[str], bool]:
    """Whether a test's file and name fit ``stock and not zero``: parts of words, joined by and, or, not.

    ``and`` binds closer than ``or``; the case of letters does not matter. Raises CannotDo for one that says nothing.
    """
    if not expression.strip():
        return lambda name: True
    ways = []
    for way in re.split(r"\s+or\s+", expression.strip()):
        terms = []
        for term in re.split(r"\s+and\s+", way):
            wanted, part = (False, term[4:]) if term.lower().startswith("not ") else (True, term)
            part = part.strip().lower()
            if not part or part in ("and", "or", "not"):
                raise CannotDo(f"-k {expression!r} cannot be read; write parts of names joined by and, or, not")
            terms.append((wanted, part))
        ways.append(terms)
    return lambda name: any(all((part in name.lower()) is wanted for wanted, part in terms) for terms in ways)


def _row(mapping: MappingFile, direction: str, difference: Difference) -> str:
    if not difference.path or difference.path[0] not in ("expect", "absent"):
        return ""
    head, _, field = difference.field.partition(".")
    entity = re.sub(r"\[\d+\]$", "", head)
    row = row_of(field, [
        one for one in mapping.lineage
        if one.direction == direction and (direction == "outward" or one.entity == entity)
    ])
    return f"{place_of(row)}: {row.text}".removesuffix(": ") if row is not None else ""
