"""policies/stock.yaml: which stock each channel may show, and how much of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from flows.setting_files import Row, SettingsFile, is_number, one_of
from mappings.commerce.stock import PRESETS, StockPolicy, publish_by_location
from mappings.commerce.stock.allocation import holding_for
from mappings.commerce.stock.cohorts import Article, Cohort
from mappings.commerce.stock.promising import promised
from mappings.language import LintError

COHORT_KEYS: Final = ("share", "safety", "cap", "allocation", "listing", "within", "on")
"""What a channel may say otherwise of a cohort."""
KEYS: Final = ("locations", *COHORT_KEYS, "preset", "cohorts")
ALLOCATIONS: Final = ("hard", "pooled")
LISTINGS: Final = ("stock", "back_order", "pre_order")
DAYS: Final = re.compile(r"(\d{1,4})d")


def read(
    rows: Mapping[str, Row], channels: Collection[str], errors: list[LintError],
    cohorts: Mapping[str, Cohort] | None = None,
) -> dict[str, StockPolicy]:
    """Channel → what it may show. A location's shares add up to at most 1, but for channels that pool it on purpose."""
    policies: dict[str, StockPolicy] = {}
    for name, (file, row) in rows.items():
        if name not in channels:
            file.fail((name,), "unknown-channel", f"found {name!r}", one_of(channels))
            continue
        preset = row.get("preset") if isinstance(row, dict) else None
        usual: Mapping[str, Any] = {}
        if preset is not None and preset not in [*PRESETS]:
            file.fail((name, "preset"), "preset", f"found {preset!r}", f"one of {', '.join(PRESETS)}")
            continue
        if preset is not None:
            usual = PRESETS[preset]
        required = ("locations",) if "share" in usual else ("locations", "share")
        if not file.keys((name,), row, KEYS, required) or not file.list_of_texts((name, "locations"), row["locations"]):
            continue
        found = {**usual, **row}
        if not _sound(file, (name,), found):
            continue
        policies[name] = _policy(found, _cohorts(file, name, found, cohorts or {}))
    _shares(rows, policies)
    for cohort in sorted({one.name for policy in policies.values() for one, _ in policy.cohorts}):
        _shares(rows, {name: _of_cohort(policy, cohort) for name, policy in policies.items()}, cohort)
    return policies


def _policy(found: Mapping[str, Any], cohorts: tuple[tuple[Cohort, StockPolicy], ...] = ()) -> StockPolicy:
    return StockPolicy(
        locations=tuple(found["locations"]), share=Decimal(found["share"]), safety=found.get("safety", 0),
        cap=found.get("cap"), allocation=found.get("allocation"), listing=found.get("listing", "stock"),
        within=None if found.get("within") is None else int(found["within"][:-1]),
        on=None if found.get("on") is None else date.fromisoformat(str(found["on"])), cohorts=cohorts,
    )


def _cohorts(
    file: SettingsFile, name: str, row: Mapping[str, Any], known: Mapping[str, Cohort]
) -> tuple[tuple[Cohort, StockPolicy], ...]:
    """The rows of cohorts, each with all that the channel's row says and it does not."""
    table = row.get("cohorts", {})
    found = []
    for cohort, own in table.items() if file.is_map((name, "cohorts"), table) else ():
        path = (name, "cohorts", cohort)
        if cohort not in known:
            file.fail(path, "unknown-cohort", f"found {cohort!r}", f"{one_of(known)}, by `cohorts:` of this file")
        elif file.keys(path, own, COHORT_KEYS):
            whole = {**row, **own}
            if not _sound(file, path, whole, own):
                continue
            if own.get("allocation") == "hard" and row.get("allocation") != "hard":
                file.fail((*path, "allocation"), "allocation", f"{name} is not under hard allocation itself",
                          "hard for the channel; a cohort of it may be pooled")
                continue
            found.append((known[cohort], _policy(whole)))
    return tuple(found)


def _of_cohort(policy: StockPolicy, name: str) -> StockPolicy:
    return next((row for cohort, row in policy.cohorts if cohort.name == name), policy)


def _sound(
    file: SettingsFile, path: tuple[str, ...], row: Mapping[str, Any], own: Mapping[str, Any] | None = None
) -> bool:
    """Whether figures and words of a row can be used; each that cannot, and stands in this row, is an error."""
    said = row if own is None else own
    ok = True

    def wrong(key: str, allowed: str) -> None:
        nonlocal ok
        ok = False
        file.fail((*path, key) if key in said else path, key, f"found {row.get(key)!r}", allowed)

    for key in ("safety", "cap"):
        units = said.get(key, 0)
        if isinstance(units, bool) or not isinstance(units, int) or units < 0:
            wrong(key, "whole units from 0 on")
    if "share" in said and not (is_number(said["share"]) and 0 <= said["share"] <= 1):
        wrong("share", "a fraction from 0 to 1")
    if said.get("allocation") is not None and said["allocation"] not in ALLOCATIONS:
        wrong("allocation", "hard (an escrow: nothing is oversold) or pooled (all that is free everywhere, at a risk)")
    return _listing(said, row, wrong) and ok


def _listing(said: Mapping[str, Any], row: Mapping[str, Any], wrong: Any) -> bool:
    """Whether what is said of goods that are not there yet holds together."""
    faults = []
    if said.get("listing", "stock") not in LISTINGS:
        faults.append(("listing", "stock (what is there), back_order (what comes, too) or pre_order (from a day on)"))
    if "within" in said and (row.get("listing") != "back_order" or DAYS.fullmatch(str(said["within"])) is None):
        faults.append(("within", "days ahead, such as 30d, of a listing that is a back_order"))
    if (row.get("listing") == "pre_order") != ("on" in row) or ("on" in row and not _is_day(row["on"])):
        faults.append(("on", "the day from which a pre_order is there, such as 2026-12-01; of no other listing"))
    for key, allowed in faults:
        wrong(key, allowed)
    return not faults


def _is_day(found: Any) -> bool:
    try:
        return bool(date.fromisoformat(str(found)))
    except ValueError:
        return False


def _shares(rows: Mapping[str, Row], policies: Mapping[str, StockPolicy], cohort: str | None = None) -> None:
    """Shares that add up to more than there is, and places of an escrow from which somebody sells outside of it."""
    of = "" if cohort is None else f" for {cohort}"
    for location in sorted({location for policy in policies.values() for location in policy.locations}):
        using = {name: policy for name, policy in policies.items() if location in policy.locations}
        total = sum((policy.share for policy in using.values() if not policy.oversells), Decimal(0))
        if total > 1:
            name = next(iter(using))
            what = f"the shares of {location} add up to {total}{of}"
            rows[name][0].fail((name, "share"), "shares", what, "at most 1")
        kept = [name for name, policy in using.items() if policy.allocation == "hard"]
        loose = [name for name, policy in using.items() if policy.oversells]
        if kept and loose:
            rows[loose[0]][0].fail(
                (loose[0],), "mixed-allocation",
                f"{loose[0]} pools {location}{of}, of which {', '.join(kept)} may show nothing twice",
                "`allocation: hard` for every channel of a location, or for none",
            )


def example(policy: Mapping[str, StockPolicy], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Channel → location → what it may show, of ``sellable`` and ``reserved`` units by location.

    ``article`` (sku, category, fields) says for which article, ``step`` in which step it is sold. Of a channel that
    promises goods before they are there: ``units`` and ``available_on`` in all, of what is ``inbound`` (on, units) and
    of open ``back_orders``, as of ``today``.
    """
    sellable = {code: Decimal(units) for code, units in given["sellable"].items()}
    reserved: dict[str | None, Decimal] = {code: Decimal(units) for code, units in given.get("reserved", {}).items()}
    asked = given.get("article")
    article = None if asked is None else Article(
        sku=asked["sku"], category=asked.get("category"), fields=frozenset(asked.get("fields", {}).items())
    )
    holds, step = holding_for(policy, article), Decimal(given.get("step", 1))
    split = publish_by_location(sellable, reserved, holds, step)
    inbound = [(date.fromisoformat(str(row["on"])), Decimal(row["units"])) for row in given.get("inbound", ())]
    found: dict[str, Any] = {
        name: parts if step == 1 else {code: units * step for code, units in parts.items()}
        for name, parts in split.items()
    }
    for name, rule in holds.items():
        if rule.promises and "today" in given:
            told = promised(rule, sum(split[name].values()), inbound, Decimal(given.get("back_orders", 0)),
                            date.fromisoformat(str(given["today"])), step)
            day = None if told.available_on is None else told.available_on.isoformat()
            found[name] = {"units": told.steps * step, "available_on": day}
    return found
