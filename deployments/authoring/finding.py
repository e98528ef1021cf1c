"""What the paths of a command line mean: mapping files, projects and Markdown pages, and how each is shown again.

What surprises here: a mapping file is known by its headers, not by where it lies; its project is the nearest folder
above it that has a channels.yaml.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deployments.authoring import CannotDo
from flows.mapping_files import PACKAGE, compile_file, mapping_files
from flows.settings import RULES
from mappings.language import Mapping as MappingFile

SETTINGS = ("companies", "channels", *RULES)
"""What a project's own settings files are called, without ``.yaml`` and without the environment."""
_HEADS = re.compile(r"^(platform|resource|inward|outward|extends)[ \t]*:", re.MULTILINE)


@dataclass(kw_only=True)
class Found:
    """What is to be looked at, each once, in the order of the paths. ``projects`` are folders whose settings count."""

    mappings: dict[Path, Path | None] = field(default_factory=dict)
    """Mapping file → the folder of its project, None for one that comes with Serai."""
    projects: dict[Path, None] = field(default_factory=dict)
    pages: dict[Path, None] = field(default_factory=dict)
    others: dict[Path, None] = field(default_factory=dict)
    """YAML that is neither: it is only read."""


def shown(path: Path) -> str:
    """The path as a person in this directory types it."""
    path = path.resolve()
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def is_mapping(text: str) -> bool:
    """Whether it has the headers of a mapping file, at least two of them."""
    return len(set(_HEADS.findall(text))) >= 2


def project_of(path: Path) -> Path | None:
    """The nearest folder above with a channels.yaml, or the folder itself; None where there is none."""
    for folder in (path, *path.parents):
        if (folder / "channels.yaml").is_file():
            return folder
    return None


def find(paths: Sequence[Path]) -> Found:
    """Everything under the paths. Raises CannotDo for a path that is not there."""
    found = Found()
    for given in paths:
        path = given.resolve()
        if path.is_dir():
            for file in _walk(path):
                _sort(file, found)
        elif path.is_file():
            _sort(path, found)
        else:
            raise CannotDo(f"there is no file or folder {given}")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    """YAML and Markdown, hidden folders and installed packages left out."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name == "node_modules":
            continue
        if path.is_dir():
            yield from _walk(path)
        elif path.suffix in (".yaml", ".yml", ".md"):
            yield path


def _sort(path: Path, found: Found) -> None:
    if path.suffix == ".md":
        found.pages[path] = None
        return
    project = project_of(path.parent)
    if path.name == "forms.yaml" and path.parent.parent.name == "mappings":
        for file in mapping_files(project, path.parent.name).values():
            found.mappings[file] = project
    elif is_mapping(path.read_text(encoding="utf-8", errors="replace")):
        found.mappings[path] = project
    elif project is not None and _is_setting(path, project):
        found.projects[project] = None
    else:
        found.others[path] = None


def _is_setting(path: Path, project: Path) -> bool:
    name = str(path.relative_to(project))
    return any(name.startswith(f"{stem}.") for stem in SETTINGS) or path.parent == project / "platforms"


def files_of(project: Path | None, platforms: Sequence[str]) -> dict[Path, Path | None]:
    """Mapping file → the project's folder, of these platforms."""
    return {path: project for platform in platforms for path in mapping_files(project, platform).values()}


def shipped() -> list[str]:
    """The platforms Serai has mappings for."""
    return sorted(
        folder.name for folder in PACKAGE.iterdir() if folder.is_dir() and any(folder.glob("*.yaml"))
    )


def one_mapping(given: str, folder: Path) -> Path:
    """The mapping file a person means: a path, ``platform/resource``, or a resource that only one platform has.

    Of a resource that several have, the project's own is meant.

    Raises CannotDo naming the nearest known ones.
    """
    path = Path(given)
    if path.is_file() and path.suffix in (".yaml", ".yml"):
        return path.resolve()
    project = project_of(folder.resolve())
    own = [place.name for place in (project / "mappings").glob("*") if place.is_dir()] if project is not None else []
    known = {
        f"{platform}/{name.removesuffix('.yaml')}": file
        for platform in sorted({*shipped(), *own})
        for name, file in mapping_files(project, platform).items()
    }
    word = given.removesuffix(".yaml").removeprefix("mappings/")
    same = [name for name in known if word in (name, name.partition("/")[2])]
    if len(same) > 1:
        same = [name for name in same if project is not None and known[name].is_relative_to(project)] or same
    if len(same) == 1:
        return known[same[0]]
    if same:
        raise CannotDo(f"{given} may be {', '.join(same)}; name the platform too")
    raise CannotDo(f"there is no mapping {given}; {_nearest(word, list(known))}")


def _nearest(word: str, known: Sequence[str]) -> str:
    """The mappings called alike, and those of the platform, or the platforms there are."""
    platform, slash, _ = word.partition("/")
    own = [name for name in known if name.startswith(f"{platform}/")] if slash else []
    resources = {name.partition("/")[2] for name in known}
    alike = difflib.get_close_matches(word, resources, n=1) if not slash else []
    close = [name for one in alike for name in known if name.endswith(f"/{one}")]
    close = close or difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean {' or '.join(close[:4])}? " if close else ""
    if own:
        return f"{hint}{platform} has {', '.join(name.partition('/')[2] for name in own)}"
    return f"{hint}platforms: {', '.join(dict.fromkeys(name.partition('/')[0] for name in known))}"


def compiled(given: str, folder: Path) -> MappingFile:
    """The mapping a person means, compiled; its rows are shown under the path as typed. Raises CannotDo, LintErrors."""
    path = one_mapping(given, folder)
    return compile_file(project_of(path.parent) or project_of(folder.resolve()), path, name=shown(path))
