"""One YAML file of a project's settings with the place of every value, and what may be asked of it.

What surprises here: mistakes are collected, not raised at the first, so that one look shows all of them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

from mappings.language import LintError, LintErrors, load_yaml

NUMBER = re.compile(r"Decimal\('([^']*)'\)")
"""How Python shows an exact number; whoever typed it knows it without."""


class SettingsFile:
    """One YAML file with positions: collects errors instead of stopping at the first."""

    def __init__(self, path: Path, folder: Path, text: str | None = None) -> None:
        self.name = str(path.relative_to(folder))
        self.errors: list[LintError] = []
        self.data: Any = None
        self._where: Callable[..., tuple[int, int]] = lambda *path: (1, 1)
        try:
            self.data, self._where = load_yaml(
                path.read_text(encoding="utf-8") if text is None else text, self.name
            )
        except LintErrors as found:
            self.errors += found.errors
        except UnicodeDecodeError as fault:
            self.fail((), "encoding", f"byte {fault.start + 1} of the file is not UTF-8", "text in UTF-8")
        if self.data is None:
            self.data = {}
        if not isinstance(self.data, dict):
            self.fail((), "shape", f"found {type(self.data).__name__}", "a mapping of names to rows")
            self.data = {}

    def fail(self, path: tuple[str | int, ...], code: str, what: str, allowed: str) -> None:
        line, column = self._where(*path)
        plain = NUMBER.sub(r"\1", what)
        self.errors.append(
            LintError(file=self.name, line=line, column=column, code=code, what=plain, allowed=allowed)
        )

    def line(self, *path: str | int) -> int:
        """The line in which the value at the path begins."""
        return self._where(*path)[0]

    def is_map(self, path: tuple[str | int, ...], found: Any) -> bool:
        """Whether it is a mapping; else that is an error."""
        if not isinstance(found, dict):
            self.fail(path, "shape", f"found {found!r}", "a mapping of names to values")
        return isinstance(found, dict)

    def keys(self, path: tuple[str | int, ...], row: Any, allowed: Iterable[str], required: Iterable[str] = ()) -> bool:
        """Whether the row is a mapping with only allowed keys and all required ones; each failure is an error."""
        known = list(allowed)
        if not isinstance(row, dict):
            self.fail(path, "shape", f"found {row!r}", f"a mapping with keys {', '.join(known)}")
            return False
        ok = True
        for key in row:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"did you mean {near[0]!r}? known: " if near else "known: "
                self.fail((*path, key), "unknown-key", f"unknown key {key!r}", hint + ", ".join(known))
                ok = False
        for key in required:
            if key not in row:
                self.fail(path, "missing-key", f"{key!r} is missing", f"required: {', '.join(required)}")
                ok = False
        return ok

    def texts(self, path: tuple[str | int, ...], row: Mapping[str, Any], names: Iterable[str]) -> bool:
        """Whether these keys hold text where they stand; each that does not is an error."""
        wrong = [name for name in names if name in row and (not isinstance(row[name], str) or row[name] == "")]
        for name in wrong:
            self.fail((*path, name), "type", f"found {row[name]!r}", f"text for {name!r}; put a number in quotes")
        return not wrong

    def list_of_texts(self, path: tuple[str | int, ...], found: Any) -> bool:
        """Whether it is a list of text; else that is an error."""
        if isinstance(found, list) and all(isinstance(item, str) for item in found):
            return True
        self.fail(path, "type", f"found {found!r}", "a list of names, such as [first, second]")
        return False


Row: TypeAlias = tuple[SettingsFile, Any]
"""A row of settings and the file it stands in."""


def read_rows(
    root: Path, name: str, environment: str | None, errors: list[LintError], texts: Mapping[str, str] | None = None
) -> dict[str, Row]:
    """name → (its file, its row); the environment's file replaces whole rows. ``texts`` count instead of the disk."""
    found: dict[str, Row] = {}
    for stem in (name, f"{name}.{environment}" if environment else None):
        path = root / f"{stem}.yaml"
        if stem is None or not (path.is_file() if texts is None else f"{stem}.yaml" in texts):
            continue
        file = SettingsFile(path, root, None if texts is None else texts[f"{stem}.yaml"])
        errors.extend(file.errors)
        file.errors = errors
        found.update({key: (file, row) for key, row in file.data.items()})
    return found


def is_number(found: Any) -> bool:
    """An exact number: YAML's ``true`` is none."""
    return isinstance(found, int | Decimal) and not isinstance(found, bool)


def one_of(names: Collection[str]) -> str:
    """What is allowed, as an error says it."""
    return f"one of {', '.join(sorted(names))}" if names else "none is defined yet"


def seconds(text: object) -> int | None:
    """A duration such as 30s, 5m or 1h; None where it is none."""
    match = re.fullmatch(r"(\d+)([smh])", str(text))
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]] if match else None
