"""Why a planned write differs from what the channel was told: the file and row that changed it, in words.

What surprises here: reasons are found by comparing, not by guessing: rows of a mapping whose text is new, fields whose
authority is another, shares that moved. What none of them explains was on its way already, and is said to be.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flows.realign import Realigned
from flows.release import Content, shown
from flows.routes import Group
from flows.wiring import House
from mappings import canonical
from mappings.language import Mapping as MappingFile

DUE_ALREADY = "it was due already"
NOT_YET_TOLD = "the channel was not told of it yet"
MOST = 4
"""Reasons named for one write."""
_NAMES = re.compile(r"[^.\[\]]+")


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """A file of the checkout that differs from what is in force: added, changed or removed, and by how many lines."""

    name: str
    what: str
    added: int
    removed: int


def file_changes(house: House, old: Content | None, new: Content) -> list[FileChange]:
    """Every file that differs, by name; nothing where nothing is in force yet."""
    if old is None:
        return []
    found = []
    for name in sorted(old.texts.keys() | new.texts.keys()):
        was, now = old.texts.get(name), new.texts.get(name)
        if was == now:
            continue
        steps = list(difflib.ndiff((was or "").splitlines(), (now or "").splitlines()))
        found.append(FileChange(
            name=shown(name, house.project.folder),
            what="added" if was is None else "removed" if now is None else "changed",
            added=sum(step.startswith("+ ") for step in steps), removed=sum(step.startswith("- ") for step in steps),
        ))
    return found


@dataclass(kw_only=True)
class Reasons:
    """What differs between what is in force and the checkout, ready to be asked about a write."""

    house: House
    before: House | None
    realigned: Realigned
    due: frozenset[tuple[str, str, str]]
    _rows: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    _canonical: dict[tuple[str, str], str] = field(default_factory=dict)
    _stock: str = ""

    def __post_init__(self) -> None:
        for entity in self.house.references:
            self._authority(entity)
        for name in self.house.project.channels:
            platform = self.house.of(name)
            old = None if self.before is None or name not in self.before.project.channels else self.before.of(name)
            for entity, group in platform.outward.items():
                was = None if old is None or entity not in old.outward else old.outward[entity].mapping
                if was is None or was.hash != group.mapping.hash:
                    self._rows[name, entity] = rows_changed(was, group.mapping)
            for resource, mapping in platform.inward.items():
                known = None if old is None else old.inward.get(resource)
                if known is not None and known.hash != mapping.hash:
                    for row, place in rows_changed(known, mapping).items():
                        for entity in mapping.inward:
                            self._canonical.setdefault((entity, row), place)
        self._stock = self._policy()

    def of(self, channel: str, group: Group, uid: str, paths: Sequence[str], *, told: bool) -> tuple[str, ...]:
        """Why the record's document on the channel differs at ``paths``."""
        found: dict[str, None] = {}
        rows = self._rows.get((channel, group.entity))
        names = {name for path in paths for name in _NAMES.findall(path)}
        if rows:
            found.update(dict.fromkeys(place for name, place in rows.items() if name in names))
        found.update(dict.fromkeys(self._moved(group, uid)))
        if self._stock and "stock" in (group.entity, *group.joins):
            found[self._stock] = None
        if not found and (channel, group.entity, uid) in self.due:
            found[DUE_ALREADY] = None
        if not found and rows is not None and self.before is not None:
            found[group.mapping.name] = None
        if not found and not told:
            found[NOT_YET_TOLD] = None
        return tuple(list(found)[:MOST])

    def _moved(self, group: Group, uid: str) -> list[str]:
        """Why the record itself, or any joined to its group, is another now."""
        fields = set()
        if uid in self.realigned.moved:
            entity, names = self.realigned.moved[uid]
            fields |= {(entity, name) for name in names}
        joined = {entity for entity in group.joins if entity != group.base}
        if joined:
            fields |= {(entity, name) for entity, names in self.realigned.moved.values() if entity in joined
                       for name in names}
        source = group.mapping.source
        read = source[source.index("def outward("):]
        return sorted({self._canonical[one] for one in fields if one in self._canonical and f"'{one[1]}'" in read})

    def _authority(self, entity: str) -> None:
        if self.before is None:
            return
        old, new = self.before.authority(entity), self.house.authority(entity)
        for name in canonical.fields(entity):
            was, now = old.get(name, old["*"]), new.get(name, new["*"])
            if was != now:
                row = name if name in new else "*"
                self._canonical[entity, name] = f"authority.yaml: {entity}.{row}: {_order(was)} → {_order(now)}"

    def _policy(self) -> str:
        if self.before is None or self.before.project.stock == self.house.project.stock:
            return ""
        old, new = self.before.project.stock, self.house.project.stock
        words = []
        for name in sorted(old.keys() | new.keys()):
            was, now = old.get(name), new.get(name)
            if was == now:
                continue
            if was is None or now is None:
                words.append(f"{name} {'added' if was is None else 'removed'}")
                continue
            words += [f"{name}.{key} {_text(getattr(was, key))} → {_text(getattr(now, key))}"
                      for key in ("locations", "share", "safety") if getattr(was, key) != getattr(now, key)]
        return f"policies/stock.yaml: {', '.join(words)}"


def rows_changed(old: MappingFile | None, new: MappingFile) -> dict[str, str]:
    """Field → file:line of each row of ``new`` that ``old`` does not have in these words."""
    known = set() if old is None else {(row.field, row.text) for row in old.rows}
    return {row.field: f"{row.file}:{row.line}" for row in new.rows if (row.field, row.text) not in known}


def _order(order: Any) -> str:
    return order if isinstance(order, str) else ", ".join(order)


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)

