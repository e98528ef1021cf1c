"""Who fell silent, noticed once: a source whose figures grew too old, a till that says nothing in opening hours.

What surprises here: nothing is read and nothing decided here. When somebody falls silent or speaks again, the stock
that follows from it is due, and `holdings` says what of it counts; while less is shown the longer it lasts, it is due
again.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from flows.consequences import stock_due
from flows.holdings import ages, muted
from flows.wiring import House
from mappings.commerce.stock.freshness import is_dead, spoken
from registry import Tx, bindings_of, note_silence, records, records_where, silences

KEEP = "keep"
CAUSE = "silence"


def listen(house: House) -> list[str]:
    """Marks due what follows from who fell silent or speaks again; a sentence for each. Usually there is none."""
    counting = house.project.counting
    if not counting.sources and not counting.tills:
        return []
    with house.registry.read() as tx:
        before, now = silences(tx), house.registry.now()
        quiet = _quiet(house, tx, now)
    known = {key: row.quiet_since for key, row in before.items() if row.quiet_since is not None}
    again = {
        (name, place) for (name, place), since in known.items()
        if (name, place) in quiet and _grows(house, name, place) and now - since >= _every(house, name, place)
    }
    moved = (quiet ^ known.keys()) | again
    if not moved:
        return []

    def work(tx: Tx) -> None:
        note_silence(tx, [(name, place, now if (name, place) in quiet else None) for name, place in sorted(moved)])
        stock_due(house, tx, _variants(house, tx, {key for key in moved if _lowers(house, *key)}), CAUSE)

    house.registry.attempt(work)
    return [_sentence(house, name, place, (name, place) in quiet) for name, place in sorted(moved - again)]


def _quiet(house: House, tx: Tx, now: datetime) -> set[tuple[str, str]]:
    sources = house.project.counting.sources
    dead = {(name, "") for name, age in ages(house, tx, now).items() if is_dead(sources[name], age)}
    tills = {place for name, place in silences(tx) if name in house.project.counting.tills}
    return dead | {(name, place) for place, name in muted(house, tx, records(tx, sorted(tills)), now).items()}


def _rule(house: House, name: str, place: str) -> str:
    counting = house.project.counting
    if place == "":
        return counting.sources[name].dead if name in counting.sources else KEEP
    return counting.tills[name].silent if name in counting.tills else KEEP


def _lowers(house: House, name: str, place: str) -> bool:
    return _rule(house, name, place) != KEEP


def _grows(house: House, name: str, place: str) -> bool:
    return _rule(house, name, place) == "minus_expected_sales"


def _every(house: House, name: str, place: str) -> timedelta:
    counting = house.project.counting
    return counting.sources[name].level if place == "" else counting.tills[name].silent_after or timedelta(hours=1)


def _variants(house: House, tx: Tx, keys: Collection[tuple[str, str]]) -> set[str]:
    """The variants of which these sources, or these places, have stock."""
    if not keys:
        return set()
    places = {place for _, place in keys if place != ""}
    sources = {name for name, place in keys if place == ""}
    rows = {record.uid: record.values for record in records_where(tx, "stock")}
    said = bindings_of(tx, list(rows), "stock") if sources else {}
    return {
        values["variant"] for uid, values in rows.items()
        if values["location"] in places or any(b.channel in sources for b in said.get(uid, ()))
    }


def _sentence(house: House, name: str, place: str, quiet: bool) -> str:
    if not quiet:
        return f"{name} speaks again" + (f" of {place}" if place else "")
    if place == "":
        source = house.project.counting.sources[name]
        return (f"{name} has not been read for more than {spoken(source.level * int(source.dead_after))}: its stock "
                f"counts as dead ({source.dead})")
    return f"{name} says nothing of {place} in opening hours ({house.project.counting.tills[name].silent})"
