"""Edits of YAML text by the places the loader noted: what is not edited stays as it was written, comments included.

What surprises here: nothing is dumped again. A new value takes the quotes of the one it replaces; new lists and objects
are written in braces. Places are trusted only as far as a second reading confirms them: who edits, reads the result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from mappings.language.loader import Node, scalar

_PLAIN = re.compile(r"[^\W\d_][\w./@+ -]*")
Key = str | int


@dataclass(kw_only=True)
class Edits:
    """What is to become of one text. Each node is changed in one way only."""

    text: str
    _starts: list[int] = field(init=False)
    _cuts: list[tuple[int, int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._starts = [0]
        for line in self.text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def done(self) -> str:
        """The text with every edit in it."""
        made = self.text
        for start, end, new in sorted(self._cuts, key=lambda cut: (cut[0], cut[1]), reverse=True):
            made = made[:start] + new + made[end:]
        return made

    # -- what can be done ---------------------------------------------------------------------------------------------
    def replace(self, node: Node, value: Any) -> None:
        """The node holds another value."""
        start, end = self._span(node)
        old = self.text[start:end]
        new = written(value, quote=old[0] if old[:1] in ("'", '"') else "")
        if start == end and self.text[start - 1 : start] == ":":
            new = f" {new}"
        self._cuts.append((start, end, new))

    def remove(self, container: Node, keys: Sequence[Key]) -> None:
        """A map or list without some of its entries."""
        entries = self._entries(container)
        gone = [number for number, (key, _, _) in enumerate(entries) if key in keys]
        if len(gone) == len(entries):
            start, end = self._span(container)
            self._cuts.append((start, end, "{}" if container.kind == "map" else "[]"))
            return
        for number in gone:
            _, start, end = entries[number]
            if self._flow(container) or not self.text[self._line_start(start) : start].isspace():
                if number + 1 < len(entries):
                    self._cuts.append((start, entries[number + 1][1], ""))
                else:
                    before = max(other for other in range(number) if other not in gone)
                    self._cuts = [cut for cut in self._cuts if cut[0] < entries[before][2] or cut[1] > end]
                    self._cuts.append((entries[before][2], end, ""))
            else:
                self._cuts.append((self._line_start(start), self._line_end(end), ""))

    def append(self, container: Node, values: Sequence[Any]) -> None:
        """A list with further items at its end."""
        entries = self._entries(container)
        if not entries:
            self.replace(container, list(values))
        elif self._flow(container):
            self._cuts.append((entries[-1][2], entries[-1][2], "".join(f", {written(value)}" for value in values)))
        else:
            indent = " " * (container.column - 1)
            added = "".join(f"{self._newline}{indent}- {written(value)}" for value in values)
            self._cuts.append((entries[-1][2], entries[-1][2], added))

    def put(self, container: Node, key: str, value: Any) -> None:
        """A map with one more entry at its end."""
        entries = self._entries(container)
        entry = f"{written(key)}: {written(value)}"
        if self._flow(container):
            at = entries[-1][2]
            self._cuts.append((at, at, f", {entry}"))
        else:
            at, column = entries[-1][2], next(iter(container.keys.values()))[1]
            self._cuts.append((at, at, f"{self._newline}{' ' * (column - 1)}{entry}"))

    @property
    def _newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    # -- places -------------------------------------------------------------------------------------------------------
    def _at(self, place: tuple[int, int]) -> int:
        return self._starts[place[0] - 1] + place[1] - 1

    def _flow(self, node: Node) -> bool:
        return self.text[self._at((node.line, node.column))] in "{["

    def _span(self, node: Node) -> tuple[int, int]:
        """Where the node begins and where its last character ends; a block ends with its last value."""
        start = self._at((node.line, node.column))
        if node.kind == "scalar" and self.text[start : start + 1] in ("|", ">"):
            return start, start + len(self.text[start : self._at(node.end)].rstrip())
        if node.kind == "scalar" or self._flow(node):
            return start, self._at(node.end)
        return start, max((end for _, _, end in self._entries(node)), default=start)

    def _entries(self, node: Node) -> list[tuple[Key, int, int]]:
        """(key or index, where the entry begins, where it ends); an item of a block list begins with its dash."""
        entries: list[tuple[Key, int, int]] = []
        if node.kind == "map":
            for key, child in node.items():
                begins = self._at(node.keys[key])
                entries.append((key, begins, max(self._span(child)[1], begins)))
            return entries
        for number, child in enumerate(node.value):
            start, end = self._span(child)
            if not self._flow(node):
                start = self.text.rindex("-", 0, start)
            entries.append((number, start, end))
        return entries

    def _line_start(self, at: int) -> int:
        return self.text.rfind("\n", 0, at) + 1

    def _line_end(self, at: int) -> int:
        """Behind the end of the line, so that a comment on it goes too."""
        end = self.text.find("\n", at)
        return len(self.text) if end < 0 else end + 1


def written(value: Any, *, quote: str = "") -> str:
    """A value as YAML on one line; text stands in the quotes given, else in none where it can."""
    if isinstance(value, str):
        if quote == "'" and value.isprintable():
            return "'" + value.replace("'", "''") + "'"
        plain = quote == "" and _PLAIN.fullmatch(value) and not value.endswith(" ") and scalar(value) == value
        return value if plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{written(str(key))}: {written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(written(one) for one in value) + "]"
    if isinstance(value, Decimal):
        return format(value, "f")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
