"""The rows ``sources`` and ``pos`` of policies/stock.yaml: what the figures of a channel mean, and how a till posts.

What surprises here: a channel that decides stock and has no row is a mistake, not a default: whether an order is in a
figure as soon as it is confirmed or only once its goods have gone cannot be guessed, and either guess sells twice or
hides for ever.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from flows.setting_files import Row, SettingsFile, is_number, one_of
from mappings.commerce.stock.counting import KINDS, RESTOCKS
from mappings.commerce.stock.freshness import COUNTING, DEAD, POSTS, SILENT, Source, Till
from mappings.language import LintError

ROWS: Final = ("sources", "pos")
"""Names in policies/stock.yaml that are no channel's."""
SOURCE_KEYS: Final = ("figure", "restocks", "allocates", "fresh", "dead_after", "dead", "counting", "expires_within")
POS_KEYS: Final = ("posts_to_erp", "silent_after", "silent")
DURATION: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_WORDS: Final = {
    "figure": KINDS, "restocks": RESTOCKS, "dead": DEAD, "counting": COUNTING, "posts_to_erp": POSTS, "silent": SILENT,
}


@dataclass(frozen=True, kw_only=True)
class Counting:
    """Channel → what its figures mean; channel → how its till posts."""

    sources: Mapping[str, Source] = field(default_factory=dict)
    tills: Mapping[str, Till] = field(default_factory=dict)


def read(rows: dict[str, Row], channels: Collection[str], errors: list[LintError]) -> Counting:
    """Takes the rows ``sources`` and ``pos`` out of those of policies/stock.yaml."""
    found: dict[str, dict[str, tuple[SettingsFile, Mapping[str, Any]]]] = {}
    for name, keys, required in (("sources", SOURCE_KEYS, SOURCE_KEYS[:2]), ("pos", POS_KEYS, POS_KEYS[:1])):
        found[name] = {}
        if name not in rows:
            continue
        file, table = rows.pop(name)
        for channel, row in table.items() if file.is_map((name,), table) else ():
            if channel not in channels:
                file.fail((name, channel), "unknown-channel", f"found {channel!r}", one_of(channels))
            elif file.keys((name, channel), row, keys, required) and _sound(file, name, channel, row):
                found[name][channel] = file, row
    return Counting(
        sources={channel: _source(row) for channel, (_, row) in found["sources"].items()},
        tills={channel: _till(row) for channel, (_, row) in found["pos"].items()},
    )


def _sound(file: SettingsFile, name: str, channel: str, row: Mapping[str, Any]) -> bool:
    ok = True
    for key, value in row.items():
        path = (name, channel, key)
        if key in _WORDS:
            if value not in _WORDS[key]:
                file.fail(path, key.replace("_", "-"), f"found {value!r}", f"one of {', '.join(_WORDS[key])}")
                ok = False
        elif key == "allocates":
            if not isinstance(value, bool):
                file.fail(path, "allocates", f"found {value!r}", "true or false")
                ok = False
        elif key == "dead_after":
            if not is_number(value) or value < 1:
                file.fail(path, "dead-after", f"found {value!r}", "how many times `fresh`, from 1 on, such as 4")
                ok = False
        elif key == "expires_within":
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                file.fail(path, "expires-within", f"found {value!r}", "whole days from 0 on")
                ok = False
        elif not isinstance(value, str) or DURATION.fullmatch(value) is None:
            file.fail(path, "duration", f"found {value!r}", "a duration such as 30s, 5m, 2h or 1d")
            ok = False
    return ok


def _duration(text: str) -> timedelta:
    match = DURATION.fullmatch(text)
    assert match is not None                            # checked with its place before
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _source(row: Mapping[str, Any]) -> Source:
    plain = ("figure", "restocks", "allocates", "dead", "counting", "expires_within")
    words = {key: row[key] for key in plain if key in row}
    if "fresh" in row:
        words["level"] = _duration(row["fresh"])
    if "dead_after" in row:
        words["dead_after"] = Decimal(row["dead_after"])
    return Source(**words)


def _till(row: Mapping[str, Any]) -> Till:
    return Till(
        posts_to_erp=row["posts_to_erp"], silent=row.get("silent", "keep"),
        silent_after=_duration(row["silent_after"]) if "silent_after" in row else None,
    )


def undeclared(
    channels: Mapping[str, Collection[str]], receives: Mapping[str, Collection[str]],
    authority: Mapping[str, Any], counting: Counting,
) -> list[str]:
    """The channels that say how much stock there is and do not declare what that means.

    Those that ``authority`` names for stock; where it names none, all that carry stock and are not told it.
    """
    orders = [order for order in authority.get("stock", {"*": "origin"}).values()]
    named = {name for order in orders if not isinstance(order, str) for name in order}
    carrying = [name for name, entities in channels.items() if "stock" in entities]
    free = any(isinstance(order, str) or "origin" in order for order in orders)
    deciding = [
        name for name in carrying if name in named or (free and "stock" not in receives.get(name, ()))
    ]
    return [name for name in deciding if name not in counting.sources]
