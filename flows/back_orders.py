"""Orders for goods that are not there yet: what of them is served when goods come, and when their dates move.

What surprises here:

* An order of a listing that promises first waits whole. What of it is there is decided by the same rule as later what
  comes: at most what no other channel may still sell, the oldest order first. So it never lowers another's figure.
* Goods that arrive go to those who wait before any channel is told of them, in the transaction that reads them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from flows.figures import any_promises, others_may_sell, promising as promises_before
from flows.holdings import pools
from flows.reserving import BACK, MORE
from flows.wiring import House
from mappings.commerce.stock.allocation import StockPolicy
from mappings.commerce.stock.promising import taken
from registry import WAITS, DueRow, Reservation, Tx, promises, put_reservations, records_by_field, reservations_of

if TYPE_CHECKING:
    from flows.consequences import Change

ZERO: Final = Decimal(0)
THERE: Final = "there"
"""Why units that waited wait no more: they are promised of what is there, by another row."""


def promising(house: House, tx: Tx, orders: Iterable[Change]) -> set[tuple[str, str]]:
    """The listings of these orders' lines that sell goods before they are there: (channel, variant)."""
    if not any_promises(house.project.stock):
        return set()
    variants = {
        line["variant"] for change in orders for line in change.after.get("lines") or () if line.get("variant")
    }
    return promises_before(house, tx, variants) if variants else set()


def serve(house: House, tx: Tx, variants: Collection[str], now: datetime) -> set[str]:
    """Afterwards what is there of these variants, and nobody else may sell, is promised to orders that waited for it;
    the variants of which some was. A constant number of statements.
    """
    if not variants or not any_promises(house.project.stock):
        return set()
    rows = promises(tx, sorted(variants))
    lines = {(row.order, row.line) for row in rows}
    waiting = [
        row for row in rows if row.waiting and row.quantity > 0 and (row.order, f"{row.line}{BACK}") not in lines
    ]
    if not waiting:
        return set()
    waiting.sort(key=lambda row: (row.made_at or now, row.order, row.line))
    asked = sorted({row.variant for row in waiting})
    stocks = {
        uid: [{**one.values, "uid": one.uid} for one in of]
        for uid, of in records_by_field(tx, "stock", "variant", asked).items()
    }
    channels = sorted({row.channel for row in waiting})
    others = {channel: others_may_sell(house, tx, channel, stocks, lock=True) for channel in channels}
    there = pools(house, tx, asked, now).of
    kept = {order: {row.line: row for row in found}
            for order, found in reservations_of(tx, sorted({row.order for row in waiting})).items()}
    changed: dict[tuple[str, str], Reservation] = {}
    for uid in asked:
        left = there[uid].left()
        place_of = {one.code: one.location for one in there[uid].standings if one.pooled}
        code_of = {place: code for code, place in place_of.items()}
        for channel in dict.fromkeys(row.channel for row in waiting if row.variant == uid):
            policy = house.project.stock.get(channel)
            codes = [code for code in (left if policy is None else policy.locations) if code in place_of]
            room = sum((left.get(code, ZERO) for code in codes), ZERO) - sum(others[channel].get(uid, {}).values())
            mine = {f"{row.order} {row.line}": row for row in waiting if (row.variant, row.channel) == (uid, channel)}
            asks = [(key, row.quantity, codes if row.location is None else [code_of.get(row.location, "")])
                    for key, row in mine.items()]
            for key, code, units in taken(room, left, asks):
                left[code] -= units
                mine[key], row = _moved(mine[key], units, place_of[code], kept[mine[key].order], now)
                for one in (mine[key], row):
                    kept[one.order][one.line] = changed[one.order, one.line] = one
    put_reservations(tx, changed.values())
    return {row.variant for row in changed.values()}


def _moved(
    waits: Reservation, units: Decimal, place: str, kept: Mapping[str, Reservation], now: datetime
) -> tuple[Reservation, Reservation]:
    """The row that waited with so many units less, and the row of its line that has them, at the place they lie at."""
    left = waits.quantity - units
    rest = replace(waits, quantity=left) if left > 0 else replace(waits, quantity=ZERO, released_at=now, because=THERE)
    base, _, tail = waits.line.partition(WAITS)
    main = kept.get(base)
    if main is None:
        return rest, replace(waits, line=base, quantity=units, location=place)
    if not main.released and main.posted_at is None and (main.taken_at, main.location) == (waits.taken_at, place):
        return rest, replace(main, quantity=main.quantity + units)
    return rest, replace(waits, line=f"{base}{MORE}{tail}/{left}", quantity=units, location=place)


def dated(house: House, stocks: Sequence[Change], now: datetime, cause: str) -> list[DueRow]:
    """A promise is due again when its day comes, and when goods come near enough to be promised."""
    if not stocks or not any_promises(house.project.stock):
        return []
    rows: list[DueRow] = []
    for route in house.routes.get("stock", ()):
        policy = house.project.stock.get(route.channel)
        if policy is None or route.group.entity != "stock":
            continue
        for change in stocks:
            uid = change.uid if route.group.base == "stock" else change.after.get("variant")
            moments = [datetime.combine(day, time(), UTC) for day in _days(policy, change)]
            if uid is not None:
                rows += [(route.channel, "stock", uid, at, False, cause) for at in sorted(moments) if at > now]
    return rows


def _days(policy: StockPolicy, change: Change) -> set[date]:
    """The days on which a listing's promise may become another: a day of release, goods due, goods near enough."""
    found: set[date] = set()
    inbound = [date.fromisoformat(row["on"]) for row in change.after.get("inbound") or ()]
    for rule in (policy, *(row for _, row in policy.cohorts)):
        if not rule.promises:
            continue
        found |= {day + timedelta(days=1) for day in inbound}
        if rule.within is not None:
            found |= {day - timedelta(days=rule.within) for day in inbound}
        if rule.on is not None:
            found.add(rule.on)
    return found
