"""Categories and attributes in a channel's own words, by tables.

What surprises here: a table that does not know a category or a value leaves a gap that is reported; the retailer's own
word never goes out in the place of the channel's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribute:
    """What a channel calls an attribute, and its words for the values; without ``values`` any value goes as it is."""

    name: str
    values: Mapping[str, str] = field(default_factory=dict)


def category_of(own: str | None, path: Sequence[str], table: Mapping[str, str]) -> str | None:
    """The channel's category: that of the article's own one, else of the narrowest category above it; None: no row.

    ``table[own]``, else ``table[path[n]]`` for the largest n that has a row.
    """
    for name in (own, *reversed(path)):
        if name is not None and name in table:
            return table[name]
    return None


def attributes_of(
    own: Mapping[str, Any], table: Mapping[str, Attribute]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The channel's attributes, and the (attribute, value) pairs that its table misses.

    One with a row goes under the channel's name with the channel's word for its value; one without goes as it is,
    unless a row gives its name to another. A null is no value: it goes as null.
    """
    found: dict[str, Any] = {}
    gaps = []
    for name, value in own.items():
        row = table.get(name)
        if row is None:
            found.setdefault(name, value)
        elif value is None or not row.values:
            found[row.name] = value
        elif str(value) in row.values:
            found[row.name] = row.values[str(value)]
        else:
            gaps.append((name, str(value)))
    return found, gaps
