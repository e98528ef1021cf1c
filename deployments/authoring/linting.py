"""Is it right? Settings, mapping files and the YAML of Markdown pages, each mistake with file, line and remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deployments.authoring.finding import files_of, find, shipped, shown
from deployments.authoring.pages import lint_page
from flows.mapping_files import PACKAGE, compile_file
from flows.settings import Project, load_project
from mappings.language import LintError, LintErrors, Mapping as MappingFile, load_yaml


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One mapping file that compiled; ``folder`` is its project's."""

    path: Path
    folder: Path | None
    mapping: MappingFile


@dataclass(frozen=True, kw_only=True)
class Linted:
    """What was looked at, and every mistake found in it, in the order of files, shown as a person types them."""

    checked: Sequence[Checked]
    projects: Sequence[Project]
    looked_at: Mapping[str, int]
    errors: Sequence[LintError]


def lint(paths: Sequence[Path], folder: Path, *, all_mappings: bool = False) -> Linted:
    """Everything under the paths; without any, the project: settings, own mappings, those its channels use.

    ``all_mappings``: besides, every mapping that comes with Serai. Raises CannotDo for a path that is not there.
    """
    found = find(paths)
    errors: list[LintError] = []
    if not paths:
        found.projects[folder.resolve()] = None
    projects: list[Project] = []
    for project in found.projects:
        platforms, mistakes = _settings(project, projects)
        errors += mistakes
        if not paths:
            found.mappings.update(files_of(project, platforms))
    if all_mappings:
        found.mappings = {**files_of(None, shipped()), **found.mappings}
    checked = []
    for path, owner in found.mappings.items():
        try:
            mapping = compile_file(owner, path, name=shown(path))
        except LintErrors as fault:
            errors += [_located(error, owner) for error in fault.errors]
        else:
            checked.append(Checked(path=path, folder=owner, mapping=mapping))
    blocks = 0
    for page in found.pages:
        number, mistakes = lint_page(page, shown(page))
        blocks += number
        errors += mistakes
    for path in found.others:
        errors += _unreadable(path)
    looked_at = {
        "project": len(found.projects), "mapping file": len(found.mappings), "example": blocks,
        "other file": len(found.others),
    }
    return Linted(checked=checked, projects=projects, looked_at=looked_at, errors=LintErrors(errors).errors)


def _settings(project: Path, read: list[Project]) -> tuple[list[str], list[LintError]]:
    """The platforms the project uses or has mappings for, and what is wrong in its settings; adds it to ``read``."""
    own = {folder.name for folder in (project / "mappings").glob("*") if folder.is_dir()}
    try:
        settings = load_project(project)
    except LintErrors as found:
        return sorted(own), [replace(error, file=shown(project / error.file)) for error in found.errors]
    read.append(settings)
    return sorted({*own, *(channel.platform for channel in settings.channels.values())}), []


def _located(error: LintError, owner: Path | None) -> LintError:
    """A mistake in what a mapping lies over (its forms, what it extends), under the path where that lies."""
    if not error.file.startswith("mappings/"):
        return error
    places = [root / error.file for root in (owner, PACKAGE.parent) if root is not None]
    return replace(error, file=next((shown(place) for place in places if place.is_file()), error.file))


def _unreadable(path: Path) -> list[LintError]:
    try:
        load_yaml(path.read_text(encoding="utf-8"), shown(path))
    except LintErrors as found:
        return found.errors
    except UnicodeDecodeError as fault:
        what = f"byte {fault.start + 1} of the file is not UTF-8"
        return [LintError(file=shown(path), line=1, column=1, code="encoding", what=what)]
    return []
