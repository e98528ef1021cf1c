"""Rows of a policy that hold from a day to a day: read, checked for contradictions.

What surprises here: one row may stand without its list, and a bare number where a row has one main figure. ``from`` and
``to`` are a day (midnight in the zone of whom the rule is for) or a moment with its offset; ``to`` is the first day on
which the row no longer holds.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from flows.setting_files import SettingsFile, is_number
from mappings.commerce.prices.windows import Dated, begins, contradictions

WINDOW: Final = ("from", "to")
Path = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class DatedRow:
    """One row with its window; ``path`` is its place in the file, ``where`` the same for people."""

    values: dict[str, Any]
    start: datetime | None
    end: datetime | None
    path: Path
    where: str


def rows(
    file: SettingsFile, path: Path, found: Any, keys: Collection[str], zone: str, *, main: str | None = None,
    required: Collection[str] = (),
) -> list[DatedRow]:
    """The rows at ``path``; each that cannot be used is an error. ``main`` is the key of a bare number."""
    several = isinstance(found, list)
    read = []
    for number, row in enumerate(found if several else [found]):
        place = (*path, number) if several else path
        values = {main: row} if main is not None and is_number(row) else row
        if not file.keys(place, values, (*keys, *WINDOW), required):
            continue
        edges: list[datetime | None] = []
        for name in WINDOW:
            try:
                edges.append(None if values.get(name) is None else begins(str(values[name]), zone))
            except ValueError:
                file.fail((*place, name), "date", f"found {values[name]!r}",
                          "a day such as 2026-03-01, or a moment with its offset: 2026-03-01T09:00:00+05:00")
        if len(edges) < len(WINDOW):
            continue
        start, end = edges
        if start is not None and end is not None and start >= end:
            file.fail(place, "window", f"it ends ({values['to']}) before it begins ({values['from']})",
                      "`to` after `from`: `to` is the first day on which the row no longer holds")
            continue
        read.append(DatedRow(
            values={name: value for name, value in values.items() if name not in WINDOW}, start=start, end=end,
            path=place, where=f"{file.name}:{file.line(*place)}",
        ))
    return read


def numbers(
    file: SettingsFile, row: DatedRow, names: Collection[str], *, least: Decimal | None = None,
    below: Decimal | None = None, above: Decimal | None = None,
) -> bool:
    """Whether these keys hold exact numbers in range where they stand; each that does not is an error."""
    ok = True
    for name in names:
        value: Any = row.values.get(name)
        if name not in row.values:
            continue
        fits = is_number(value) and (
            (least is None or Decimal(value) >= least) and (below is None or Decimal(value) < below)
            and (above is None or Decimal(value) > above)
        )
        if not fits:
            limits = [f"from {least} on" if least is not None else "", f"above {above}" if above is not None else "",
                      f"below {below}" if below is not None else ""]
            path = (*row.path, name) if name in row.values else row.path
            file.fail(path, "number", f"found {value!r} for {name!r}", " ".join(["a number", *filter(None, limits)]))
            ok = False
    return ok


D = TypeVar("D", bound=Dated)


def agree(file: SettingsFile, rules: Sequence[tuple[DatedRow, D]], what: str) -> None:
    """Two rules that hold at once, neither more dated than the other, are an error at the second."""
    place = {id(rule): row for row, rule in rules}
    for one, other in contradictions([rule for _, rule in rules]):
        file.fail(place[id(other)].path, "overlap",
                  f"{what} is said twice for the same time: here and at {place[id(one)].where}",
                  "windows that do not overlap; one row without `from` and `to` for all other times")
