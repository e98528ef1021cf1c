"""policies/stock.yaml: which stock each channel may show, and how much of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Final

from flows.setting_files import Row, is_number, one_of
from mappings.commerce.stock import StockPolicy, publish_by_location
from mappings.language import LintError

KEYS: Final = ("locations", "share", "safety")


def read(
    rows: Mapping[str, Row], channels: Collection[str], errors: list[LintError]
) -> dict[str, StockPolicy]:
    """Channel → what it may show. A location's shares add up to at most 1."""
    policies: dict[str, StockPolicy] = {}
    for name, (file, row) in rows.items():
        if name not in channels:
            file.fail((name,), "unknown-channel", f"found {name!r}", one_of(channels))
            continue
        if not file.keys((name,), row, KEYS, ("locations", "share")):
            continue
        if not file.list_of_texts((name, "locations"), row["locations"]):
            continue
        share, safety = row["share"], row.get("safety", 0)
        if isinstance(safety, bool) or not isinstance(safety, int) or safety < 0:
            file.fail((name, "safety"), "safety", f"found {safety!r}", "whole units from 0 on")
            continue
        if not is_number(share) or not 0 <= share <= 1:
            file.fail((name, "share"), "share", f"found {share!r}", "a fraction from 0 to 1")
            continue
        policies[name] = StockPolicy(
            locations=tuple(row["locations"]), share=Decimal(share), safety=safety
        )
    for location in {location for policy in policies.values() for location in policy.locations}:
        total = sum((policy.share for policy in policies.values() if location in policy.locations), Decimal(0))
        if total > 1:
            name = next(name for name, policy in policies.items() if location in policy.locations)
            rows[name][0].fail((name, "share"), "shares", f"the shares of {location} add up to {total}", "at most 1")
    return policies


def example(policy: Mapping[str, StockPolicy], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Channel → location → what it may show, of ``sellable`` and ``reserved`` units by location."""
    sellable = {code: Decimal(units) for code, units in given["sellable"].items()}
    reserved: dict[str | None, Decimal] = {code: Decimal(units) for code, units in given.get("reserved", {}).items()}
    return publish_by_location(sellable, reserved, policy)
