"""policies/breaker.yaml: what a channel takes without a person looking first; the row ``*`` is for all others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from flows.setting_files import Row, SettingsFile, is_number, one_of, seconds
from mappings.commerce.breaker import Breaker, Effect, Move, judge
from mappings.language import LintError

KEYS: Final = ("window", "at_least", "records", "price", "moved", "deletions", "zeroed", "stock")
FRACTIONS: Final = ("records", "price", "moved", "deletions", "zeroed")
STOCK: Final = ("alert", "hold")
EVERY: Final = "*"


def read(rows: Mapping[str, Row], channels: Collection[str], errors: list[LintError]) -> dict[str, Breaker]:
    """Channel → its breaker."""
    breakers: dict[str, Breaker] = {}
    for name, (file, row) in rows.items():
        if name not in channels and name != EVERY:
            file.fail((name,), "unknown-channel", f"found {name!r}", one_of({*channels, EVERY}))
        elif file.keys((name,), row, KEYS) and _right(file, name, row):
            given: dict[str, Any] = {key: Decimal(row[key]) for key in FRACTIONS if key in row}
            given |= {key: row[key] for key in ("at_least", "stock") if key in row}
            if "window" in row:
                given["window"] = timedelta(seconds=seconds(row["window"]) or 0)
            breakers[name] = Breaker(**given)
    return breakers


def _right(file: SettingsFile, name: str, row: Mapping[str, Any]) -> bool:
    before = len(file.errors)
    for key in FRACTIONS:
        if key in row and not (is_number(row[key]) and row[key] >= 0):
            file.fail((name, key), "share", f"found {row[key]!r}", "a fraction from 0 on, such as 0.3 for 30 %")
    least = row.get("at_least", 0)
    if isinstance(least, bool) or not isinstance(least, int) or least < 0:
        file.fail((name, "at_least"), "at-least", f"found {least!r}", "a whole number of writes from 0 on")
    if "window" in row and not seconds(row["window"]):
        file.fail((name, "window"), "duration", f"found {row['window']!r}", "a duration such as 30m or 1h")
    if row.get("stock", STOCK[0]) not in STOCK:
        file.fail((name, "stock"), "stock", f"found {row['stock']!r}", f"one of {', '.join(STOCK)}")
    return len(file.errors) == before


def example(policy: Mapping[str, Breaker], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Whether ``changed`` of ``known`` records of ``channel`` would be held, the first of them with these ``prices``
    (before, after), the others with none; ``deleted`` and ``zeroed`` are how many of them go, or go to zero stock."""
    prices = [(Decimal(before), Decimal(after)) for before, after in given.get("prices", [])]
    effects = [
        Effect(
            moves=tuple(Move(before=before, after=after, currency="") for before, after in prices[place:place + 1]),
            deletes=place < given.get("deleted", 0), zeroes=place < given.get("zeroed", 0),
        )
        for place in range(max(given.get("changed", 0), len(prices), given.get("deleted", 0), given.get("zeroed", 0)))
    ]
    rule = policy.get(given["channel"]) or policy.get(EVERY) or Breaker()
    verdict = judge(effects, given["known"], rule)
    return {"held": verdict.held, "because": list(verdict.because)}
