"""Tills: which receipts they bring themselves into the system that counts stock, one by one or by the shift.

What surprises here: a receipt may come after the document that sums its shift up; it was posted when that was seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flows.wiring import House
from mappings.commerce.stock.shifts import Window, covers, posted_with, window
from registry import Reservation, Shift, Tx, heard, promises_at, put_shifts, records, shifts_at

if TYPE_CHECKING:
    from flows.consequences import Change


def _of_till(house: House, change: Change) -> bool:
    """Whether it is a receipt of a till."""
    return change.source in house.project.counting.tills and change.after.get("handed_over") is True


def posting(house: House, tx: Tx, places: Iterable[tuple[str, str | None]]) -> dict[tuple[str, str | None], str]:
    """(Channel, uid of a store) → how its tills post; of channels that are tills. At most one statement."""
    tills = house.project.counting.tills
    asked = {(channel, place) for channel, place in places if channel in tills}
    named = sorted({place for channel, place in asked if place is not None and tills[channel].stores})
    codes = {uid: record.values["code"] for uid, record in records(tx, named).items()} if named else {}
    return {(channel, place): tills[channel].posts(codes.get(place or "")) for channel, place in asked}


def note_heard(house: House, tx: Tx, orders: Sequence[Change]) -> None:
    """Notes when each till was last heard of its place, where it matters."""
    limits = {name for name, till in house.project.counting.tills.items() if till.silent_after is not None}
    said = [
        (change.source, change.after["location"], datetime.fromisoformat(change.after["placed_at"]))
        for change in orders
        if change.source in limits and change.after.get("location") is not None and _of_till(house, change)
    ]
    latest = {(channel, place): (channel, place, at) for channel, place, at in sorted(said)}
    if latest:
        heard(tx, latest.values())


def posted_by(house: House, tx: Tx, sums: Sequence[Change], now: datetime) -> list[Reservation]:
    """Documents that sum shifts up were seen: they are known, and the receipts they cover are posted, as given back."""
    windows = [(change, found) for change in sums if (found := window(change.after)) is not None]
    put_shifts(tx, [
        Shift(channel=change.source, document=change.uid, location=one.location, register=one.register,
              since=one.since, until=one.until, seen_at=now) for change, one in windows
    ])
    rows = [row for row in promises_at(tx, sorted({one.location for _, one in windows}))
            if row.posted_at is None and row.moved_at is not None]
    ways = posting(house, tx, ((row.channel, row.location) for row in rows))
    rows = [row for row in rows if ways.get((row.channel, row.location)) == "per_shift"]
    orders = records(tx, sorted({row.order for row in rows}))
    posted = []
    for row in rows:
        register = _register(orders[row.order].values) if row.order in orders else None
        if row.moved_at is not None and any(covers(one, row.location, register, row.moved_at) for _, one in windows):
            posted.append(replace(row, posted_at=now))
    return posted


def shifts_seen(house: House, tx: Tx, orders: Sequence[Change]) -> dict[str, datetime]:
    """Receipt → when a document that covers it was seen, of receipts that come after it."""
    late = [change for change in orders if change.before is None and change.after.get("location") is not None
            and _of_till(house, change)]
    ways = posting(house, tx, ((change.source, change.after["location"]) for change in late)) if late else {}
    late = [change for change in late if ways[change.source, change.after["location"]] == "per_shift"]
    if not late:
        return {}
    known = [
        (Window(location=row.location, register=row.register, since=row.since, until=row.until), row.seen_at)
        for row in shifts_at(tx, sorted({change.after["location"] for change in late}))
    ]
    found = {
        change.uid: posted_with(known, change.after["location"], _register(change.after),
                                datetime.fromisoformat(change.after["placed_at"])) for change in late
    }
    return {uid: at for uid, at in found.items() if at is not None}


def _register(order: Mapping[str, Any]) -> str | None:
    found: str | None = (order.get("shift") or {}).get("register")
    return found


def unposted(house: House, tx: Tx, orders: Sequence[Change]) -> list[Change]:
    """The orders that we may bring into the system that counts stock: no receipt that its till brings there itself."""
    ways = posting(house, tx, ((c.source, c.after.get("location")) for c in orders if _of_till(house, c)))
    return [
        change for change in orders
        if not _of_till(house, change) or ways[change.source, change.after.get("location")] == "per_receipt"
    ]


def sums_up(house: House, change: Change) -> bool:
    """Whether it is the document by which a shift's receipts reached the system that counts stock: nobody's order."""
    return change.source in house.project.counting.sources and window(change.after) is not None
