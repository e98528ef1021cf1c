"""policies/stock.yaml: which stock each channel may show, and how much of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Final

from flows.setting_files import Row, SettingsFile, is_number, one_of
from mappings.commerce.stock import PRESETS, StockPolicy, publish_by_location
from mappings.language import LintError

KEYS: Final = ("locations", "share", "safety", "cap", "allocation", "preset")
ALLOCATIONS: Final = ("hard", "pooled")


def read(
    rows: Mapping[str, Row], channels: Collection[str], errors: list[LintError]
) -> dict[str, StockPolicy]:
    """Channel → what it may show. A location's shares add up to at most 1, but for channels that pool it on purpose."""
    policies: dict[str, StockPolicy] = {}
    for name, (file, row) in rows.items():
        if name not in channels:
            file.fail((name,), "unknown-channel", f"found {name!r}", one_of(channels))
            continue
        preset = row.get("preset") if isinstance(row, dict) else None
        usual: Mapping[str, Any] = {}
        if preset is not None and preset not in PRESETS:
            file.fail((name, "preset"), "preset", f"found {preset!r}", f"one of {', '.join(PRESETS)}")
            continue
        if preset is not None:
            usual = PRESETS[preset]
        required = ("locations",) if "share" in usual else ("locations", "share")
        if not file.keys((name,), row, KEYS, required) or not file.list_of_texts((name, "locations"), row["locations"]):
            continue
        found = {**usual, **row}
        if not _sound(file, name, found):
            continue
        policies[name] = StockPolicy(
            locations=tuple(found["locations"]), share=Decimal(found["share"]), safety=found.get("safety", 0),
            cap=found.get("cap"), allocation=found.get("allocation"),
        )
    _shares(rows, policies)
    return policies


def _sound(file: SettingsFile, name: str, row: Mapping[str, Any]) -> bool:
    """Whether figures and words of a channel's row can be used; each that cannot is an error."""
    ok = True
    for key in ("safety", "cap"):
        units = row.get(key, 0)
        if isinstance(units, bool) or not isinstance(units, int) or units < 0:
            file.fail((name, key), key, f"found {units!r}", "whole units from 0 on")
            ok = False
    if not is_number(row["share"]) or not 0 <= row["share"] <= 1:
        file.fail((name, "share"), "share", f"found {row['share']!r}", "a fraction from 0 to 1")
        ok = False
    if row.get("allocation") is not None and row["allocation"] not in ALLOCATIONS:
        file.fail((name, "allocation"), "allocation", f"found {row['allocation']!r}",
                  "hard (an escrow: nothing is oversold) or pooled (all that is free everywhere, at a risk)")
        ok = False
    return ok


def _shares(rows: Mapping[str, Row], policies: Mapping[str, StockPolicy]) -> None:
    """Shares that add up to more than there is, and places of an escrow from which somebody sells outside of it."""
    for location in sorted({location for policy in policies.values() for location in policy.locations}):
        using = {name: policy for name, policy in policies.items() if location in policy.locations}
        total = sum((policy.share for policy in using.values() if not policy.oversells), Decimal(0))
        if total > 1:
            name = next(iter(using))
            rows[name][0].fail((name, "share"), "shares", f"the shares of {location} add up to {total}", "at most 1")
        kept = [name for name, policy in using.items() if policy.allocation == "hard"]
        loose = [name for name, policy in using.items() if policy.oversells]
        if kept and loose:
            rows[loose[0]][0].fail(
                (loose[0],), "mixed-allocation",
                f"{loose[0]} pools {location}, of which {', '.join(kept)} may show nothing twice",
                "`allocation: hard` for every channel of a location, or for none",
            )


def example(policy: Mapping[str, StockPolicy], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Channel → location → what it may show, of ``sellable`` and ``reserved`` units by location."""
    sellable = {code: Decimal(units) for code, units in given["sellable"].items()}
    reserved: dict[str | None, Decimal] = {code: Decimal(units) for code, units in given.get("reserved", {}).items()}
    return publish_by_location(sellable, reserved, policy)
