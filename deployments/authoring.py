"""What an author of settings and mappings asks before anything runs: is it right, and do its own tests pass?

What surprises here: nothing is opened, asked or stored; no registry, no network, no Prefect.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flows.settings import Project, load_project
from flows.wiring import PACKAGE, compile_file, mapping_files
from mappings.language import LintError, LintErrors, Mapping as MappingFile, run_tests_of


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One mapping file that compiled."""

    file: str
    mapping: MappingFile


def lint_project(folder: Path, *, all_mappings: bool = False) -> tuple[list[Checked], list[LintError]]:
    """The mapping files that are right, and every mistake found in settings and mappings, in the order of files."""
    errors: list[LintError] = []
    project: Project | None = None
    try:
        project = load_project(folder)
    except LintErrors as found:
        errors += found.errors
    checked: list[Checked] = []
    for platform in platforms(project, all_mappings=all_mappings):
        for path in mapping_files(project, platform).values():
            try:
                mapping = compile_file(project, platform, path)
            except LintErrors as found:
                errors += found.errors
            else:
                checked.append(Checked(file=mapping.name, mapping=mapping))
    return checked, errors


def platforms(project: Project | None, *, all_mappings: bool) -> list[str]:
    """The platforms of the project's channels, or all that Serai has mappings for besides."""
    used = set() if project is None else {channel.platform for channel in project.channels.values()}
    shipped = {folder.name for folder in PACKAGE.iterdir() if (folder / "forms.yaml").exists() or _has_mapping(folder)}
    return sorted(used | shipped if all_mappings else used)


def _has_mapping(folder: Path) -> bool:
    return folder.is_dir() and any(folder.glob("*.yaml"))


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one test of a mapping file went; ``place`` is file:line, ``detail`` what came instead of the expected."""

    file: str
    place: str
    test: str
    passed: bool
    detail: str


def run_project_tests(folder: Path, *, all_mappings: bool = False) -> list[Outcome]:
    """Runs every test that stands in the mapping files. Raises LintErrors when a file or a setting is wrong."""
    checked, errors = lint_project(folder, all_mappings=all_mappings)
    if errors:
        raise LintErrors(errors)
    return [
        Outcome(
            file=one.file,
            place=f"{one.file}:{result.line}",
            test=result.name,
            passed=result.ok,
            detail="\n  ".join(result.diff),
        )
        for one in checked
        for result in run_tests_of(one.mapping)
    ]
