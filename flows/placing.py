"""Which place serves which order: goods, places and reservations loaded for a whole page, `commerce` decides.

What surprises here: the stock records of what is wanted are locked before what is reserved is read, so that two workers
who both want the last piece queue, and the second one sees that it is gone. Orders are served in the order in which
they were placed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from flows.figures import others_may_sell
from flows.holdings import pools
from flows.pledges import Pledges, by_place, hard, kin, pledges, sold_from
from flows.wiring import House
from mappings.commerce.fulfilment.calendar import DAY, calendar, windows
from mappings.commerce.fulfilment.deadlines import is_collected
from mappings.commerce.fulfilment.decisions import place_of
from mappings.commerce.fulfilment.routing import Part, Place, Routing, Unroutable, distance, route
from mappings.commerce.stock.ledger import holding, ours, unreserved
from registry import (
    Record,
    Reservation,
    ReservationRow,
    Tx,
    deadlines_of,
    keys_of,
    lock_records,
    move_reservations,
    owners,
    records,
    records_by_field,
    reservations_of,
    reserved,
)

ZERO: Final = Decimal(0)
PLACE: Final = "place"
"""The kind of deadline that says that an order waits for a place, since when, and why."""
SHUT: Final = 7
"""Days without opening after which a place counts as closed."""
SERVICES: Final[Mapping[str | None, frozenset[str]]] = {
    "store": frozenset({"ship", "pickup", "curbside", "return"}), "warehouse": frozenset({"ship"}),
    "pickup": frozenset({"pickup"}),
}
"""What a place does for buyers when it does not say."""


class Wanting(Struct, frozen=True, kw_only=True):
    """An order that wants a place: its record, the channel it came from, and what is reserved for its lines."""

    uid: str
    channel: str
    order: Mapping[str, Any]
    held: Sequence[Reservation]


class Placed(Struct, frozen=True, kw_only=True):
    """Where an order goes, or why nowhere; ``moved`` is what is now reserved elsewhere than before.

    ``certain``: the goods are free even if every other channel sells all that it may still show. While they are not,
    a promise about them could be broken by a sale that is not read yet.
    """

    uid: str
    verdict: tuple[Part, ...] | Unroutable
    moved: tuple[ReservationRow, ...] = ()
    certain: bool = True


def place(house: House, tx: Tx, wanting: Sequence[Wanting], now: datetime) -> dict[str, Placed]:
    """Order → where it goes; afterwards its reservations stand there. A constant number of statements."""
    if not wanting:
        return {}
    variants = sorted({row.variant for one in wanting for row in one.held})
    rules = {one.uid: rule_of(house, one.channel, service_of(one.order)) for one in wanting}
    chosen = {one.uid: place_of(one.order) for one in wanting}
    found = owners(tx, [("location", "code", code) for rule in rules.values() for code in rule.places])
    codes = {uid: code for (_, _, code), uid in found.items()}
    there = records(tx, sorted({*codes, *(uid for uid in chosen.values() if uid is not None)}))
    codes |= {uid: there[uid].values["code"] for uid in chosen.values() if uid in there}
    stocks = records_by_field(tx, "stock", "variant", variants)
    free = _free(tx, stocks, codes, {one.uid for one in wanting}, now.date())
    spare = {channel: _spare(house, tx, channel, stocks, free)
             for channel in sorted({one.channel for one in wanting if one.order.get("status") == "offered"})}
    keeping = _keeping(house, tx, wanting, rules, codes, now)
    placed: dict[str, Placed] = {}
    for one in sorted(wanting, key=lambda one: (one.order.get("placed_at") or "", one.uid)):
        placed[one.uid] = done = _place(one, rules[one.uid], chosen[one.uid], there, codes, free, now, keeping)
        if one.channel in spare and not isinstance(done.verdict, Unroutable):
            placed[one.uid] = replace(done, certain=_take(spare[one.channel], one.held))
    rows = [row for done in placed.values() for row in done.moved]
    if rows:
        move_reservations(tx, rows)
    return placed


def service_of(order: Mapping[str, Any]) -> str:
    """What the buyer wants of a place: ``pickup``, ``curbside`` or ``ship``."""
    return str(order["delivery"]["kind"]) if is_collected(order) else "ship"


def is_placed(house: House, channel: str, order: Mapping[str, Any]) -> bool:
    """Whether we say where an order is served: where policy routes it, and always where the buyer comes for it."""
    return is_collected(order) or house.project.fulfilment.route_of(channel, service_of(order)) is not None


def rule_of(house: House, channel: str, service: str) -> Routing:
    """The channel's routing; without one, the places of its stock policy in their order, in as many parcels."""
    rule = house.project.fulfilment.route_of(channel, service)
    if rule is not None:
        return rule
    policy = house.project.stock.get(channel)
    places = () if policy is None else policy.locations
    return Routing(places=places, parcels=max(1, min(4, len(places))))


def _place(
    one: Wanting, rule: Routing, chosen: str | None, there: Mapping[str, Record], codes: Mapping[str, str],
    free: dict[str, dict[str, Decimal]], now: datetime, keeping: Pledges | None,
) -> Placed:
    held = _named([row for row in one.held if not row.released and row.quantity > 0])
    wanted = {name: (row.variant, row.quantity) for name, row in held.items()}
    service = service_of(one.order)
    places = {code: _as_place(code, there[uid].values, one.order, now) for uid, code in codes.items() if uid in there}
    code = None if chosen is None else codes.get(chosen, chosen)
    verdict = route(wanted, _unpledged(free, held, rule, keeping), places, rule, service=service, chosen=code)
    if isinstance(verdict, Unroutable) and keeping is not None:     # it was sold: another's figure has to go down
        verdict = route(wanted, free, places, rule, service=service, chosen=code)
    if isinstance(verdict, Unroutable):
        return Placed(uid=one.uid, verdict=verdict)
    uids = {code: uid for uid, code in codes.items()}
    moved = []
    for part in verdict:
        row = held[part.line]
        free[part.place][row.variant] -= part.quantity
        if keeping is not None:
            keeping.ordered(row.variant, frozenset(rule.places), -part.quantity, at=part.place)
        if row.location != uids[part.place]:
            moved.append(ReservationRow(
                order=row.order, line=row.line, variant=row.variant, channel=row.channel, quantity=row.quantity,
                location=uids[part.place],
            ))
    return Placed(uid=one.uid, verdict=verdict, moved=tuple(moved))


def _keeping(
    house: House, tx: Tx, wanting: Sequence[Wanting], rules: Mapping[str, Routing], codes: Mapping[str, str],
    now: datetime,
) -> Pledges | None:
    """What may still be sold at each place, with these orders pledged to all that they may come from; None where all
    channels of the escrow sell from the same places by one figure each: then any of them may serve."""
    policies = house.project.stock
    names = {name for name in policies if hard(house, name) is not None}
    sets = {frozenset(policies[name].locations) for name in names}
    if not any(by_place(house, name) for name in names) and len(sets) < 2:
        return None
    related = kin(tx, sorted({row.variant for one in wanting for row in one.held}))
    parts = sorted({part for parts in related.values() for part in parts})
    found = pledges(house, tx, names, related, pools(house, tx, parts, now), sold_from(house, tx))
    for one in wanting:
        for row in one.held:
            if not row.released and row.quantity > 0:
                at = None if row.location is None else codes.get(row.location)
                found.ordered(row.variant, frozenset(rules[one.uid].places), row.quantity, at=at)
    return found


def _unpledged(
    free: Mapping[str, Mapping[str, Decimal]], held: Mapping[str, Reservation], rule: Routing, keeping: Pledges | None
) -> Mapping[str, Mapping[str, Decimal]]:
    """What is free at each place and may not be sold there by somebody else, for the order that holds this."""
    if keeping is None:
        return free
    places = frozenset(rule.places)
    for row in held.values():
        keeping.ordered(row.variant, places, -row.quantity, at=None)
    kept = {
        code: {
            variant: min(units, max(ZERO, keeping.spare(variant, code)))
            if code in keeping.sellable.get(variant, {}) else units for variant, units in there.items()
        } for code, there in free.items()
    }
    for row in held.values():
        keeping.ordered(row.variant, places, row.quantity, at=None)
    return kept


def _named(rows: Sequence[Reservation]) -> dict[str, Reservation]:
    """Reservations by the key of their line; further parts of a line get a number behind it."""
    found: dict[str, Reservation] = {}
    for row in rows:
        name, number = row.of_line, 2
        while name in found:
            name, number = f"{row.of_line}.{number}", number + 1
        found[name] = row
    return found


def _as_place(code: str, values: Mapping[str, Any], order: Mapping[str, Any], now: datetime) -> Place:
    services = values.get("services")
    return Place(
        code=code, services=SERVICES.get(values.get("kind"), SERVICES["warehouse"]) if services is None
        else frozenset(services), closed=closed(values, now),
        distance=distance(values, order.get("address")),
    )


def closed(values: Mapping[str, Any], now: datetime) -> str | None:
    """Why nothing can be sent from a place or handed over there; None: it can."""
    if values.get("status") == "archived":
        return "it was given up"
    if not ours(values):
        return f"its goods are held by {values.get('owner') or values['held_by']}"
    if values.get("hours") is not None:
        place = calendar(zone=values.get("zone") or "UTC", hours=values["hours"])
        today = now.astimezone(place.place).date()
        if not any(windows(today + ahead * DAY, place) for ahead in range(SHUT)):
            return f"it does not open within {SHUT} days"
    return None


def show_places(house: House, tx: Tx, orders: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """Order → why it cannot be sent anywhere, of those no place can serve; the others say where they were placed.

    ``location`` of the order where all of it comes from one place, and of each line; what a channel said stays.
    """
    stuck = {
        uid: kinds[PLACE].note or "" for uid, kinds in deadlines_of(tx, list(orders)).items()
        if PLACE in kinds and kinds[PLACE].state == "open"
    }
    routed = {
        uid for uid, keys in keys_of(tx, list(orders)).items() for _, kind, value in keys
        if kind == "origin" and is_placed(house, value.partition(":")[0], orders[uid])
    }
    for uid, rows in reservations_of(tx, sorted(routed - stuck.keys())).items():
        lines = {row.of_line: row.location for row in rows if row.location is not None and row.quantity > 0}
        order = orders[uid]
        if len(set(lines.values())) == 1 and order.get("location") is None:
            order["location"] = next(iter(lines.values()))
        for line in order.get("lines") or ():
            if line.get("location") is None and line["key"] in lines:
                line["location"] = lines[line["key"]]
    return stuck


def _take(spare: dict[str, Decimal], held: Sequence[Reservation]) -> bool:
    """Takes what an order wants off what no other channel may sell; False, and nothing taken, when it is less."""
    wanted: dict[str, Decimal] = {}
    for row in held:
        if not row.released and row.quantity > 0:
            wanted[row.variant] = wanted.get(row.variant, ZERO) + row.quantity
    if any(spare.get(variant, ZERO) < quantity for variant, quantity in wanted.items()):
        return False
    for variant, quantity in wanted.items():
        spare[variant] -= quantity
    return True


def _spare(
    house: House, tx: Tx, channel: str, stocks: Mapping[str, Sequence[Record]],
    free: Mapping[str, Mapping[str, Decimal]],
) -> dict[str, Decimal]:
    """Variant → units that stay free whatever the other channels sell of what they may still sell:
    ``Σ free over the places − Σ over the others of what may still be sold there``; those that share a pool on purpose
    may show the same units, and are not counted."""
    shown = others_may_sell(house, tx, channel, {
        variant: [{**row.values, "uid": row.uid} for row in rows] for variant, rows in stocks.items()
    })
    return {
        variant: sum((there.get(variant, ZERO) for there in free.values()), ZERO) - sum(shown[variant].values())
        for variant in stocks
    }


def _free(
    tx: Tx, found: Mapping[str, Sequence[Record]], codes: Mapping[str, str], ours_: Collection[str], today: date
) -> dict[str, dict[str, Decimal]]:
    """Place → variant → units that nobody but these orders was promised; what is promised nowhere is taken first."""
    locked = lock_records(tx, sorted({row.uid for rows in found.values() for row in rows}))
    promised = reserved(tx, list(found))
    free: dict[str, dict[str, Decimal]] = {code: {} for code in codes.values()}
    for variant, rows in found.items():
        for row in rows:
            values = locked[row.uid].values if row.uid in locked else row.values
            code = codes.get(values["location"])
            if code is not None:
                free[code][variant] = free[code].get(variant, ZERO) + unreserved(holding(values, today=today))
        for _, location, quantity, order in promised[variant]:
            if order in ours_:
                continue
            if location is not None:
                if location in codes:
                    code = codes[location]
                    free[code][variant] = max(ZERO, free[code].get(variant, ZERO) - quantity)
                continue
            for there in free.values():
                taken = min(quantity, there.get(variant, ZERO))
                there[variant] = there.get(variant, ZERO) - taken
                quantity -= taken
    return free
