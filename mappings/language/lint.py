"""What is wrong with a YAML file, said so that its author can mend it: the place, what, and what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class LintError:
    """One mistake at one place. ``line`` and ``column`` count from 1; ``allowed`` says what would have been right."""

    file: str
    line: int
    column: int
    code: str
    what: str
    allowed: str = ""

    def __str__(self) -> str:
        tail = f"; {self.allowed}" if self.allowed else ""
        return f"{self.file}:{self.line}:{self.column}: {self.code}: {self.what}{tail}"


class LintErrors(Exception):
    """Every mistake found in one reading, in the order of the file; ``str()`` prints one per line."""

    def __init__(self, errors: Iterable[LintError]) -> None:
        unique = dict.fromkeys(errors)
        self.errors: list[LintError] = sorted(unique, key=lambda e: (e.file, e.line, e.column))
        super().__init__("\n".join(str(error) for error in self.errors))


def nearest(word: str, known: Iterable[str], *, at_most: int = 12) -> str:
    """``did you mean 'x'? known: a, b, c``: the nearest known name first, then the known ones."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    listed = ", ".join(names[:at_most]) + (", …" if len(names) > at_most else "")
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {listed}" if names else hint.strip()
