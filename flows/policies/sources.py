"""The rows ``sources``, ``pos``, ``units`` of policies/stock.yaml: what figures mean, how tills post, who names units.

What surprises here: a channel that decides stock and has no row is a mistake, not a default: whether an order is in a
figure as soon as it is confirmed or only once its goods have gone cannot be guessed, and either guess sells twice or
hides for ever.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from flows.setting_files import Row, SettingsFile, is_number, one_of
from mappings.commerce.stock.counting import KINDS, RESTOCKS, Promise, Reading, contains, gives_back
from mappings.commerce.stock.freshness import (
    COUNTING,
    DEAD,
    POSTS,
    SILENT,
    Source,
    Till,
    of_dead_source,
    quieted,
    while_counting,
)
from mappings.commerce.stock.units import LEVELS
from mappings.language import LintError

ROWS: Final = ("sources", "pos", "units")
"""Names in policies/stock.yaml that are no channel's."""
SOURCE_KEYS: Final = ("figure", "restocks", "allocates", "fresh", "dead_after", "dead", "counting", "expires_within")
EVERY: Final = "*"
"""All channels that the row ``units`` does not name."""
POS_KEYS: Final = ("posts_to_erp", "silent_after", "silent", "stores")
DURATION: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_WORDS: Final = {
    "figure": KINDS, "restocks": RESTOCKS, "dead": DEAD, "counting": COUNTING, "posts_to_erp": POSTS, "silent": SILENT,
}


@dataclass(frozen=True, kw_only=True)
class Counting:
    """Channel → what its figures mean; channel → how its till posts; channel → how strictly its lines must name the
    units of tracked goods that they hand over."""

    sources: Mapping[str, Source] = field(default_factory=dict)
    tills: Mapping[str, Till] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    def naming(self, channel: str) -> str:
        """``require`` (parked), ``warn`` (a fault that is listed) or ``ignore``."""
        return self.units.get(channel, self.units.get(EVERY, LEVELS[0]))


def read(rows: dict[str, Row], channels: Collection[str], errors: list[LintError]) -> Counting:
    """Takes the rows ``sources``, ``pos`` and ``units`` out of those of policies/stock.yaml."""
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
        units=_levels(rows, channels),
        sources={channel: _source(row) for channel, (_, row) in found["sources"].items()},
        tills={channel: _till(row) for channel, (_, row) in found["pos"].items()},
    )


def _levels(rows: dict[str, Row], channels: Collection[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    if ROWS[2] not in rows:
        return found
    file, table = rows.pop(ROWS[2])
    for channel, level in table.items() if file.is_map((ROWS[2],), table) else ():
        if channel not in channels and channel != EVERY:
            file.fail((ROWS[2], channel), "unknown-channel", f"found {channel!r}", one_of([*channels, EVERY]))
        elif level not in LEVELS:
            file.fail((ROWS[2], channel), "units", f"found {level!r}", f"one of {', '.join(LEVELS)}")
        else:
            found[channel] = level
    return found


def _sound(file: SettingsFile, name: str, channel: str, row: Mapping[str, Any]) -> bool:
    ok = True
    for key, value in row.items():
        path = (name, channel, key)
        if key in _WORDS:
            if value not in _WORDS[key]:
                file.fail(path, key.replace("_", "-"), f"found {value!r}", f"one of {', '.join(_WORDS[key])}")
                ok = False
        elif key == "stores":
            for store, how in value.items() if file.is_map(path, value) else ():
                if how not in POSTS:
                    file.fail((*path, store), "posts-to-erp", f"found {how!r}", f"one of {', '.join(POSTS)}")
                    ok = False
            ok = ok and isinstance(value, dict)
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
        stores=tuple(row.get("stores", {}).items()),
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


def example(counting: Counting, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """What follows from the row of a ``source`` or of a ``pos``.

    Of a source: ``counts``, what counts of ``figure`` units that were read ``age`` ago (0s) while ``per_hour`` are
    sold, or, with ``before``, while they are being counted; ``contains``, whether a figure asked for after the order
    was confirmed, or after its goods had gone, has it taken off; ``gives_back``, whether cancelled units are ours to
    give back. Of a pos: ``counts`` of a store whose register says nothing for ``age`` of its hours; ``posted_by_us``,
    whether its receipts (those of ``store``) go to who counts stock through us.
    """
    figure, age = Decimal(given.get("figure", 0)), _duration(given.get("age", "0s"))
    rate = Decimal(given.get("per_hour", 0))
    if "pos" in given:
        till = counting.tills[given["pos"]]
        silent = till.silent_after is not None and age > till.silent_after
        counts = quieted(figure, till.silent, rate, age, given["pos"]).units if silent else figure
        return {"counts": counts, "posted_by_us": till.posts(given.get("store")) == "per_receipt"}
    source = counting.sources[given["source"]]
    counts = of_dead_source(figure, given["source"], source, age, rate).units
    if "before" in given:
        counts = while_counting(counts, Decimal(given["before"]), source.counting, given["source"]).units
    event = datetime(2026, 1, 1, tzinfo=UTC)
    after = Reading(kind=source.figure, began_at=event + timedelta(seconds=1), allocated=source.allocates)
    return {
        "counts": counts,
        "contains": {
            "confirmed": contains(after, Promise(taken_at=event)),
            "shipped": contains(after, Promise(taken_at=event, posted_at=event, moved_at=event)),
        },
        "gives_back": gives_back(source.figure, allocated=source.allocates, restocks=source.restocks),
    }
