"""What orders take from stock, and when a figure contains it: reservations kept in step with records, inside accept.

What surprises here:

* Only the word of a system that counts stock says that it took an order, posted or cancelled it: a shop that calls its
  own order confirmed or shipped has lowered no figure of ours.
* A line whose goods go in parts has a row per part, so that each part ends with the figure that contains it.
* A line of a listing that promises waits, in a row of its own, until `flows.back_orders` says what of it is there.
* Everything is set-based: a page costs the same number of statements whatever it holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from flows import tills
from flows.wiring import House
from mappings.commerce.stock.bundles import Parts, parts_of
from mappings.commerce.stock.claims import GONE, TAKEN, Claim, Place, claims, of_shipped
from mappings.commerce.stock.counting import (
    ON_HAND,
    Promise,
    Reading,
    contains,
    ends_when_cancelled,
    ends_when_taken,
    gives_back,
)
from mappings.commerce.stock.ledger import ours
from registry import (
    PART,
    WAITS,
    Reservation,
    Tx,
    binding_for,
    in_flight_payloads,
    linked,
    note_counts,
    owners,
    posted_reservations,
    promises,
    put_reservations,
    records,
    reservations_of,
)

if TYPE_CHECKING:
    from flows.consequences import Change

ZERO: Final = Decimal(0)
SENT, MORE, BACK = (f"{PART}{letter}:" for letter in "smb")
"""What makes another row of a line: units that went, units that an edit added, units given back."""
MARKS: Final = (SENT, MORE, BACK, WAITS)
PARTS: Final = "components"
"""The field under which a bundle's parts are linked to it."""
PART_FIELDS: Final = (PARTS, "case")
"""The fields of a variant that name other variants inside it."""
DEPTH: Final = 4
"""Bundles of bundles are followed so far down."""


def keep_in_step(
    house: House, tx: Tx, changes: Mapping[str, Sequence[Change]], now: datetime,
    promising: Collection[tuple[str, str]] = (),
) -> set[str]:
    """Reserves what orders take, sets free what they give up, posts what went; the variants whose free units moved.

    ``promising`` are the listings (channel, variant) that sell goods before they are there.
    """
    orders = changes.get("order", ())
    shipments = [change for change in changes.get("shipment", ()) if change.source in house.project.counting.sources]
    touched = of_changed_stock(tx, changes.get("stock", ())) if changes.get("stock") else set()
    _counts(tx, changes.get("stock", ()))
    if not orders and not shipments:
        return touched
    rows = reservations_of(tx, [*(c.uid for c in orders), *(c.after["order"] for c in shipments)])
    kept = {order: {row.line: row for row in found} for order, found in rows.items()}
    changed: dict[tuple[str, str], Reservation] = {}

    def put(row: Reservation) -> None:
        kept.setdefault(row.order, {})[row.line] = row
        changed[row.order, row.line] = row

    if orders:
        _of_orders(house, tx, orders, kept, put, now, promising)
    if shipments:
        there = records(tx, [change.after["order"] for change in shipments])
        for change in shipments:
            order = there.get(change.after["order"])
            _gone(change, {} if order is None else order.values, kept.get(change.after["order"], {}), put, now)
    put_reservations(tx, changed.values())
    return touched | {row.variant for row in changed.values()}


def _counts(tx: Tx, stocks: Sequence[Change]) -> None:
    """Keeps the figure from before a count while it goes on."""
    def going(values: Mapping[str, Any]) -> bool:
        return (values.get("count") or {}).get("state") == "counting"

    begun = [(change.uid, Decimal(change.before["quantity"]["value"])) for change in stocks
             if change.before is not None and going(change.after) and not going(change.before)]
    ended = [change.uid for change in stocks
             if change.before is not None and going(change.before) and not going(change.after)]
    if begun or ended:
        note_counts(tx, begun, ended)


# ── orders ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _of_orders(
    house: House, tx: Tx, orders: Sequence[Change], kept: Mapping[str, dict[str, Reservation]],
    put: Any, now: datetime, promising: Collection[tuple[str, str]],
) -> None:
    cancelled = [change for change in orders if change.after.get("status") == "cancelled"]
    known = _known_to_source(house, tx, [change.uid for change in cancelled]) if cancelled else set()
    for change in cancelled:
        by_source = change.source in house.project.counting.sources
        _cancelled(kept[change.uid].values(), put, now, by_source=by_source, known=change.uid in known)
    sums = [change for change in orders if tills.sums_up(house, change)]
    if sums:
        for row in tills.posted_by(house, tx, sums, now):
            put(row)
    living = [change for change in orders
              if change.after.get("status") != "cancelled" and _takes(change) and change not in sums]
    variants = {line["variant"] for c in living for line in c.after.get("lines") or () if line.get("variant")}
    known_recipes = recipes(tx, variants) if variants else {}
    fallback = first_location(house, tx) if living else {}
    wanted = {change.uid: claims(change.after, known_recipes) for change in living}
    places = {claim.location for claim in (c for found in wanted.values() for c in found.values())} - {None}
    foreign = {uid for uid, place in records(tx, sorted(map(str, places))).items() if not ours(place.values)} \
        if places else set()
    tills.note_heard(house, tx, living)
    posted = tills.shifts_seen(house, tx, living)
    for change in living:
        for place, claim in wanted[change.uid].items():
            if claim.location not in foreign:
                _claimed(change, place, claim, claim.location or fallback.get(change.source), kept[change.uid], put,
                         posted.get(change.uid), waits=_waits(change, place, claim, promising))
        if change.before is not None:
            _given_up(wanted[change.uid], kept[change.uid], put, now)


def _waits(change: Change, place: Place, claim: Claim, promising: Collection[tuple[str, str]]) -> bool:
    """Whether the line's goods need not be there yet; what a till handed over was, and a bundle's parts are to be."""
    return (place[1] is None and change.after.get("handed_over") is not True
            and (change.source, claim.variant) in promising)


def _takes(change: Change) -> bool:
    """Whether the order takes anything: one first seen when its goods had left has left the figures that we read."""
    gone = change.after.get("status") in GONE and change.after.get("handed_over") is not True
    return not (gone and change.before is None)


def _base(place: Place) -> str:
    line, part = place
    return line if part is None else f"{line}{PART}{part}"


def _rows_of(base: str, kept: Mapping[str, Reservation]) -> list[Reservation]:
    return [row for line, row in kept.items()
            if (line == base or line.startswith((base + SENT, base + MORE, base + WAITS)))
            and row.because != "cancelled"]


def _base_of(line: str) -> str:
    """The row of which a part is a part."""
    for mark in MARKS:
        line = line.partition(mark)[0]
    return line


def _claimed(
    change: Change, place: Place, claim: Claim, location: str | None, kept: Mapping[str, Reservation], put: Any,
    posted_at: datetime | None, *, waits: bool,
) -> None:
    """Afterwards as many units are promised to the line as it claims, those that went or were counted included."""
    base = _base(place)
    rows = _rows_of(base, kept)
    missing = claim.quantity - sum((row.quantity for row in rows), ZERO)
    main = kept.get(base)
    gone = change.after.get("placed_at") if change.after.get("handed_over") is True else None
    moved_at = datetime.fromisoformat(gone) if gone is not None else None
    if missing <= 0:
        return
    if waits:
        put(Reservation(order=change.uid, line=f"{base}{WAITS}{claim.quantity}", variant=claim.variant,
                        channel=change.source, quantity=missing, location=claim.location))
    elif main is None or main.because == "cancelled":
        put(Reservation(order=change.uid, line=base, variant=claim.variant, channel=change.source,
                        quantity=missing, location=location, moved_at=moved_at, posted_at=posted_at))
    elif not main.released and main.taken_at is None:
        put(replace(main, quantity=main.quantity + missing))
    else:
        put(replace(main, line=f"{base}{MORE}{claim.quantity}", quantity=missing, made_at=None, taken_at=None,
                    posted_at=posted_at, moved_at=moved_at, released_at=None, because=None))


def _given_up(wanted: Mapping[Place, Claim], kept: Mapping[str, Reservation], put: Any, now: datetime) -> None:
    """Units that an edit took off a line are free again, as far as they have not gone and are in no figure."""
    claimed = {_base(place): claim.quantity for place, claim in wanted.items()}
    for base in {_base_of(line) for line in kept}:
        rows = _rows_of(base, kept)
        surplus = sum((row.quantity for row in rows), ZERO) - claimed.get(base, ZERO)
        for row in sorted(rows, key=lambda row: row.line, reverse=True):
            if surplus <= 0 or row.released or row.posted_at is not None:
                continue
            taken = min(surplus, row.quantity)
            surplus -= taken
            put(replace(row, quantity=row.quantity - taken) if taken < row.quantity
                else replace(row, released_at=now, because="cancelled"))


def _cancelled(
    rows: Iterable[Reservation], put: Any, now: datetime, *, by_source: bool, known: bool, back: bool = False
) -> None:
    """What a cancellation frees. ``back``: its units are given back, because the source does not restock."""
    for row in list(rows):
        if row.because == "cancelled" or BACK in row.line:
            continue
        promise = Promise(taken_at=row.taken_at, posted_at=row.posted_at, moved_at=row.moved_at)
        if not ends_when_cancelled(promise, by_source=by_source, known_there=known):
            continue
        if back and by_source:
            put(replace(row, line=f"{row.line}{BACK}", quantity=-row.quantity, made_at=None, taken_at=None,
                        posted_at=None, moved_at=now, released_at=None, because=None))
        elif not row.released:
            put(replace(row, released_at=now, because="cancelled"))


def _known_to_source(house: House, tx: Tx, orders: Sequence[str]) -> set[str]:
    """The orders that a system that counts stock has, or may have by a write whose outcome is not known yet."""
    sources = house.project.counting.sources
    found = {uid for channel in sources for uid in binding_for(tx, channel, "order", orders)}
    flying = in_flight_payloads(tx, "order", orders)
    return found | {uid for uid, rows in flying.items() if any(channel in sources for channel, _ in rows)}


# ── what the system that counts stock says ───────────────────────────────────────────────────────────────────────────
def _gone(
    change: Change, order: Mapping[str, Any], kept: Mapping[str, Reservation], put: Any, now: datetime
) -> None:
    """A shipment posts what it names, and without lines everything; a second telling of it posts nothing more."""
    told = change.after.get("shipped_at")
    moved_at = datetime.fromisoformat(told) if told is not None else now
    ordered = {line["key"]: Decimal(line["quantity"]["value"]) for line in order.get("lines") or ()}
    lines = change.after.get("lines")
    if lines is None or any(row.get("line") not in ordered for row in lines):
        for row in list(kept.values()):
            if row.posted_at is None and BACK not in row.line:
                put(replace(row, posted_at=now, moved_at=row.moved_at or moved_at))
        return
    for sent in lines:
        for base in sorted({_base_of(line) for line in kept if line.partition(PART)[0] == sent["line"]}):
            rows = [row for row in _rows_of(base, kept)]
            whole = sum((row.quantity for row in rows), ZERO)
            part = f"{base}{SENT}{change.uid}/{sent['key']}"
            if part in kept:
                continue
            left = of_shipped(whole, Decimal(sent["quantity"]["value"]), ordered[sent["line"]])
            for row in sorted((row for row in rows if row.posted_at is None), key=lambda row: row.waiting):
                taken = min(left, row.quantity)
                left -= taken
                if taken == row.quantity:
                    put(replace(row, posted_at=now, moved_at=row.moved_at or moved_at))
                elif taken > 0:
                    put(replace(row, quantity=row.quantity - taken))
                    put(replace(row, line=part, quantity=taken, posted_at=now, moved_at=row.moved_at or moved_at))


def word_of_source(
    house: House, tx: Tx, channel: str, said: Mapping[str, Mapping[str, Any]], now: datetime
) -> set[str]:
    """A system that counts stock says this of orders (uid → its own values): what it confirmed is taken, what it calls
    gone is posted, what it cancelled is free or given back. Returns the variants whose free units moved.
    """
    source = house.project.counting.sources.get(channel)
    if source is None or not said:
        return set()
    changed: dict[tuple[str, str], Reservation] = {}

    def put(row: Reservation) -> None:
        changed[row.order, row.line] = row

    for order, rows in reservations_of(tx, list(said)).items():
        status = said[order].get("status")
        if status == "cancelled":
            back = gives_back(source.figure, allocated=source.allocates, restocks=source.restocks)
            there = {row.line for row in rows}
            _cancelled([row for row in rows if f"{row.line}{BACK}" not in there], put, now, by_source=True, known=True,
                       back=back)
            continue
        for row in rows:
            if status in TAKEN and not row.released and BACK not in row.line:
                posted = row.posted_at or (now if status in GONE else None)
                seen = replace(row, taken_at=row.taken_at or now, posted_at=posted,
                               moved_at=row.moved_at or posted)
                if seen != row:
                    put(seen)
    put_reservations(tx, changed.values())
    return {row.variant for row in changed.values() if row.released or BACK in row.line}


def counted(house: House, tx: Tx, channel: str, stocks: Collection[str], asked_at: datetime, now: datetime) -> set[str]:
    """Ends the promises that the figures of these stock records, asked for at ``asked_at``, contain; their variants."""
    places = posted_reservations(tx, taken=takes_at_once(house), moved=True) if stocks else []
    if not places:
        return set()
    found = records(tx, [uid for uid in stock_records(tx, places) if uid in stocks])
    if not found:
        return set()
    source = house.project.counting.sources.get(channel)
    readings: dict[tuple[str, str], Reading] = {}
    for record in found.values():
        values, count = record.values, record.values.get("count")
        if count is not None and count["state"] == "counting":
            continue                                                # half a count contains nothing for certain
        kind = values["quantity"]["kind"]
        if source is not None and source.figure != kind:
            kind = ON_HAND                                          # two meanings: the one that ends later
        readings[values["variant"], values["location"]] = Reading(
            kind=kind, began_at=asked_at, allocated=values.get("allocated") is not None,
            counted_at=None if count is None else datetime.fromisoformat(count["at"]),
        )
    ended = []
    for row in promises(tx, sorted({variant for variant, _ in readings})):
        at = [row.location] if row.location is not None else [place for name, place in readings if name == row.variant]
        promise = Promise(taken_at=row.taken_at, posted_at=row.posted_at, moved_at=row.moved_at)
        reading = next((readings[row.variant, place] for place in at if (row.variant, place) in readings), None)
        if reading is not None and contains(reading, promise):
            ended.append(replace(row, released_at=now, because="contained"))
    put_reservations(tx, ended)
    return {row.variant for row in ended}


def takes_at_once(house: House) -> bool:
    """Whether some source takes an order off its figure when it confirms it."""
    return any(ends_when_taken(source.figure, allocated=source.allocates)
               for source in house.project.counting.sources.values())


# ── places and parts ─────────────────────────────────────────────────────────────────────────────────────────────────
def first_location(house: House, tx: Tx) -> dict[str, str]:
    """Channel → uid of the first location of its stock policy, where its unrouted orders are reserved."""
    firsts = {name: policy.locations[0] for name, policy in house.project.stock.items() if policy.locations}
    found = owners(tx, [("location", "code", code) for code in set(firsts.values())])
    return {
        name: found["location", "code", code] for name, code in firsts.items() if ("location", "code", code) in found
    }


def stock_records(tx: Tx, places: Iterable[tuple[str, str | None]]) -> list[str]:
    """The stock records of these (variant, location); of every location where none is named."""
    named: list[str] = []
    anywhere: list[str] = []
    for variant, location in places:
        if location is None:
            anywhere.append(variant)
        else:
            named.append(f"{variant}@{location}")
    found = owners(tx, [("stock", "variant@location", key) for key in named])
    rest = linked(tx, "stock", "variant", anywhere) if anywhere else {}
    return sorted({*found.values(), *(uid for uids in rest.values() for uid in uids)})


def recipes(
    tx: Tx, variants: Collection[str], known: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Parts]:
    """Variant → its parts, of these variants and of their parts, as far down as bundles go; own stock has none.

    ``known`` are the values of variants that were read already.
    """
    found: dict[str, Parts] = {}
    ask = set(variants)
    for _ in range(DEPTH):
        if not ask:
            break
        here = {uid: known[uid] for uid in ask if uid in known} if known else {}
        here |= {uid: record.values for uid, record in records(tx, sorted(ask - here.keys())).items()}
        found |= {uid: parts_of(values) for uid, values in here.items()}
        ask = {part for uid in ask for part in found.get(uid, ())} - found.keys()
    return {uid: parts for uid, parts in found.items() if parts}


def part_links(entity: str, uid: str, values: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """The links of a bundle to its parts and of a case to what is in it: who asks for a part finds them."""
    if entity != "variant":
        return []
    case = values.get("case")
    inside = {*parts_of(values), *(() if case is None else (case["variant"],))}
    return [(uid, entity, PARTS, part) for part in sorted(inside)]


def with_bundles(tx: Tx, variants: Collection[str]) -> set[str]:
    """These variants and every bundle that holds one of them, however far up."""
    found = ask = set(variants)
    for _ in range(DEPTH):
        if not ask:
            break
        ask = {uid for uids in linked(tx, "variant", PARTS, sorted(ask)).values() for uid in uids} - found
        found = found | ask
    return found


def of_changed_stock(tx: Tx, stocks: Sequence[Change]) -> set[str]:
    """The bundles of which these stock records count a part: their figure follows from it."""
    variants = {change.after["variant"] for change in stocks if change.after.get("variant") is not None}
    return with_bundles(tx, variants) - variants
