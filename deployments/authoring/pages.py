"""YAML that stands in Markdown: examples that readers copy are held to the same rules as files.

What surprises here: a block is a mapping when it has the headers of one; a comment line ``# channels.yaml`` inside a
block begins that file of the page's project, so that one page shows one retailer; any other block must only be YAML
that can be read. A block that begins with ``# wrong`` shows what not to write and is left alone. Lines are the page's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from deployments.authoring.finding import is_mapping
from flows.mapping_files import read_mapping
from flows.settings import described, load_project
from mappings import canonical
from mappings.language import LintError, LintErrors, compile as compile_mapping, load_yaml

_FENCE = re.compile(r"^( *)(```+|~~~+)\s*(yaml|yml)\b[^\n]*$")
_PART = re.compile(r"^# ((?:companies|channels|authority|policies/\w+|platforms/[\w.-]+)\.yaml)\b")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block: ``text`` begins with as many empty lines as precede it on the page, ``indent`` is cut off."""

    text: str
    line: int
    indent: int


def blocks(page: str) -> Iterator[Block]:
    """The YAML blocks of a page, in order; one that is never closed ends with the page."""
    lines = page.splitlines()
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        at += 1
        if fence is None:
            continue
        indent, begin = len(fence[1]), at
        while at < len(lines) and not re.match(rf" *{re.escape(fence[2])}\s*$", lines[at]):
            at += 1
        body = [line[indent:] if line[:indent].isspace() or indent == 0 else line.lstrip() for line in lines[begin:at]]
        yield Block(text="\n" * begin + "\n".join(body) + "\n", line=begin + 1, indent=indent)
        at += 1


def lint_page(path: Path, name: str) -> tuple[int, list[LintError]]:
    """How many YAML blocks the page has, and every mistake in them."""
    errors: list[LintError] = []
    settings: dict[str, str] = {}
    count = 0
    for block in blocks(path.read_text(encoding="utf-8", errors="replace")):
        if block.text.lstrip().startswith("# wrong"):
            continue
        count += 1
        found: list[LintError] = []
        try:
            if is_mapping(block.text):
                compile_mapping(
                    block.text, name, load=_load, source_schema=None, canonical=canonical.schemas()
                )
            elif parts := _parts(block.text):
                settings.update(parts)
            else:
                load_yaml(block.text, name)
        except LintErrors as fault:
            found = fault.errors
        errors += [replace(error, column=error.column + block.indent) for error in found]
    errors += _lint_settings(settings, name)
    return count, errors


def _load(name: str) -> str:
    """An example lies over what comes with Serai, but is not bound by a platform's forms: it shows its own."""
    if name.endswith("forms.yaml"):
        raise FileNotFoundError(name)
    return read_mapping(name)


def _parts(text: str) -> dict[str, str]:
    """File → its text, for a block that names the files it shows; lines stay where they are on the page."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for number, line in enumerate(text.splitlines()):
        begins = _PART.match(line)
        if begins is not None:
            current = found.setdefault(begins[1], [])
        if current is not None:
            current += [""] * (number - len(current)) + [line]
    return {file: "\n".join(lines) + "\n" for file, lines in found.items()}


def _lint_settings(files: dict[str, str], name: str) -> list[LintError]:
    with TemporaryDirectory() as place:
        folder = Path(place)
        for file, text in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
        errors: list[LintError] = []
        if "channels.yaml" in files:
            try:
                load_project(folder)
            except LintErrors as found:
                errors += found.errors
        else:
            for file, text in files.items():
                if file.startswith("platforms/"):
                    described(folder, Path(file).stem, errors)
                else:
                    try:
                        load_yaml(text, file)
                    except LintErrors as found:
                        errors += found.errors
    return [replace(error, file=name) for error in dict.fromkeys(errors)]
