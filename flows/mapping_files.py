"""Where mapping files lie, and how one becomes a compiled mapping: the project's own before those that come with Serai.

What surprises here: nothing of the registry or of Prefect is imported, so that whatever only reads mappings starts at
once. ``folder`` is a project's folder, or None for Serai's own mappings alone; its settings need not be right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mappings
from mappings import canonical
from mappings.language import LintError, LintErrors, Mapping as MappingFile, compile as compile_mapping

PACKAGE = Path(mappings.__file__ or "").parent
_HEADER = re.compile(r"^(platform|resource):[ \t]*[\"']?([\w.-]+)", re.MULTILINE)


def mapping_files(folder: Path | None, platform: str) -> dict[str, Path]:
    """File name → path of a platform's mapping files; the project's own replace those of the package."""
    found: dict[str, Path] = {}
    for place in (PACKAGE / platform, *((folder / "mappings" / platform,) if folder else ())):
        found.update({path.name: path for path in sorted(place.glob("*.yaml")) if path.name != "forms.yaml"})
    return found


def read_mapping(name: str) -> str:
    """The text of a mapping of the package, named as ``mappings/<platform>/<file>`` or without the first folder."""
    return (PACKAGE / name.removeprefix("mappings/")).read_text(encoding="utf-8")


def source_schema(folder: Path | None, platform: str, resource: str) -> Mapping[str, Any] | None:
    """The JSON Schema of a platform's native document; None where nobody wrote one."""
    for place in (*((folder / "mappings",) if folder else ()), PACKAGE):
        path = place / platform / f"{resource}.schema.json"
        if path.is_file():
            schema: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return schema
    return None


def headers(text: str) -> dict[str, str]:
    """``platform`` and ``resource`` as a mapping's text names them, where it does; nothing is checked."""
    return {key: value for key, value in _HEADER.findall(text)}


def may_write(text: str, entity: str) -> bool:
    """Whether a mapping's text may write this entity: it says so, or is laid over a file that may. Nothing is read."""
    return "extends:" in text or ("outward:" in text and entity in text)


def compile_file(
    folder: Path | None, path: Path, *, name: str | None = None, text: str | None = None
) -> MappingFile:
    """One mapping file, checked and compiled against both schemas. Raises LintErrors.

    ``name`` is what it is called in messages and lineage; by default its path from the checkout, or from where the
    project's folder lies. ``text`` stands in for what the file holds.
    """
    root = folder.parent if folder and path.is_relative_to(folder) else PACKAGE.parent
    name = name or str(path.relative_to(root))
    try:
        text = path.read_text(encoding="utf-8") if text is None else text
    except UnicodeDecodeError as fault:
        what = f"byte {fault.start + 1} of the file is not UTF-8"
        raise LintErrors([LintError(file=name, line=1, column=1, code="encoding", what=what)]) from None
    heads = {"platform": path.parent.name, "resource": path.stem, **headers(text)}
    return compile_mapping(
        text, name, load=_loader(folder, path),
        source_schema=source_schema(folder, heads["platform"], heads["resource"]), canonical=canonical.schemas(),
    )


def _loader(folder: Path | None, own: Path) -> Callable[[str], str]:
    """What a file lies over: the project's forms and mappings, except itself, before those of the package."""

    def load(name: str) -> str:
        if folder is not None:
            path = folder / "mappings" / name.removeprefix("mappings/")
            if path != own and path.is_file():
                return path.read_text(encoding="utf-8")
        return read_mapping(name)

    return load
