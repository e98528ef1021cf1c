"""What a person says of an order, and what a person is shown of it: found by any of its numbers, decided, explained.

What surprises here: a person's word passes the same way as a rule's: a decision that the channel of origin hears of
once. Nothing of the order is edited; its status moves when its channel has carried the decision out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final

from msgspec import Struct

from flows.consequences import stock_due
from flows.fulfilment import DESK, Told, date_orders, hears, origins_of, tell
from flows.loyalty import Answer
from flows.placing import SERVICES, closed
from flows.wiring import House
from mappings.commerce.fulfilment.deadlines import LIVE, awaits_us, is_collected
from mappings.commerce.fulfilment.decisions import REASONS, Decision, Kind, place_of
from mappings.commerce.fulfilment.returns import Desk, desk, refuser, returnable_at
from registry import (
    DeadlineRow,
    Record,
    Reservation,
    Tx,
    binding_for,
    cancel_reservations,
    deadlines_of,
    lock_records,
    mark_due,
    numbers_of_orders,
    orders_by_number,
    outbox_rows,
    owners,
    records,
    records_by_field,
    records_where,
    reservations_of,
    write_audit,
)

UNTOLD: Final = "nobody told the buyer"
WORDS: Final[Mapping[Kind, str]] = {
    "accepted": "accept", "refused": "refuse", "delayed": "delay", "cancelled": "cancel", "ready": "ready",
    "delivered": "delivered",
}


class CannotDecide(Exception):
    """No such order, several of them, or one in a state that does not allow it; the message says what to do."""


class Decided(Struct, frozen=True, kw_only=True):
    """A decision and whether its channel heard of it: ``told`` a moment, or why not."""

    kind: str
    at: datetime
    by: str
    reason: str | None
    note: str | None
    told: datetime | None
    why_not: str


class Shown(Struct, frozen=True, kw_only=True):
    """An order as a person is shown it: no personal values."""

    uid: str
    channel: str
    order: Mapping[str, Any]
    numbers: tuple[tuple[str, str, str], ...]
    held: tuple[Reservation, ...]
    places: Mapping[str, str]
    deadlines: tuple[DeadlineRow, ...]
    decisions: tuple[Decided, ...]
    returnable: tuple[str, ...]
    refuser: str | None
    shipments: tuple[Mapping[str, Any], ...] = ()
    returns: tuple[Mapping[str, Any], ...] = ()
    exchanges: Mapping[str, str] = {}
    """Order → number, of the orders that this one was exchanged for, or whose goods were given back for it."""


def find_order(house: House, tx: Tx, number: str, channel: str | None = None) -> tuple[str, str]:
    """(order, its channel of origin) of the one order that goes by a number; CannotDecide for none or several."""
    if channel is not None:
        house.channel(channel)
    named = [row.order for row in orders_by_number(tx, [number])]
    there = records(tx, [*named, number])
    uids = {record.uid for record in there.values() if record.entity == "order"}
    origins = {uid: at for uid, at in origins_of(house, tx, sorted(uids)).items() if channel in (None, at)}
    if len(origins) == 1:
        return next(iter(origins.items()))
    if not origins:
        raise CannotDecide(f"no order goes by {number!r}" + (f" on {channel}" if channel is not None else ""))
    where = ", ".join(sorted(origins.values()))
    raise CannotDecide(f"{len(origins)} orders go by {number!r}: name one's channel with --channel: {where}")


def decide(
    house: House, number: str, kind: Kind, *, who: str, channel: str | None = None, reason: str | None = None,
    note: str | None = None, until: datetime | None = None,
) -> str:
    """Afterwards the decision stands and its channel hears of it; a sentence that says so. Audited.

    Raises CannotDecide, with what is allowed, when the order is not in a state for it.
    """
    return house.registry.attempt(partial(
        _decide, house, number, kind, who=who, channel=channel, reason=reason, note=note, until=until,
    ))


def confirmed(house: House, *, till: str, number: str, store: str, channel: str | None = None) -> Answer:
    """Whether somebody at a till of the store may say that an order's goods are set aside there; then its buyer is told
    that it is ready. No where the order is to be collected elsewhere, or in a state that has nothing ready."""
    try:
        with house.registry.read() as tx:
            uid, _ = find_order(house, tx, number, channel)
            here = owners(tx, [("location", "code", store)]).get(("location", "code", store))
            place = place_of(records(tx, [uid])[uid].values)
        if here is None or here != place:
            raise CannotDecide(f"order {number} is not collected in {store}; `serai order show {number}` says where")
        said = decide(house, number, "ready", who=f"a till of {store} ({till})", channel=channel)
    except CannotDecide as fault:
        return Answer(number=number, accepted=False, because=str(fault))
    return Answer(number=number, accepted=True, because=said)


def _decide(
    house: House, number: str, kind: Kind, tx: Tx, *, who: str, channel: str | None, reason: str | None,
    note: str | None, until: datetime | None,
) -> str:
    uid, origin = find_order(house, tx, number, channel)
    order = lock_records(tx, [uid])[uid].values
    _legal(order, kind, number, reason, until)
    now = house.registry.now()
    told = Told(order=uid, by=DESK, decision=Decision(
        kind=kind, reason=reason, note=note, location=place_of(order) if kind == "ready" else None,
        until=None if until is None else until.isoformat().replace("+00:00", "Z"),
    ))
    before = {row.values["kind"] for row in records_by_field(tx, "decision", "order", [uid])[uid]}
    opposite = {"accepted": "refused", "refused": "accepted"}.get(kind)
    if opposite in before:
        raise CannotDecide(f"order {number} was {opposite} before; the channel has heard so")
    if kind in before and kind != "delayed":
        return f"order {number} was {kind} before; nothing to do"
    orders, origins = {uid: order}, {uid: origin}
    rows = tell(house, tx, [told], orders, origins, now, f"desk: {who}")
    mark_due(tx, rows)
    held = reservations_of(tx, [uid])[uid]
    if kind in ("refused", "cancelled"):
        cancel_reservations(tx, [uid])
        stock_due(house, tx, {row.variant for row in held if not row.released}, f"desk: {who}")
    date_orders(house, tx, orders, origins, now, told=[told])
    write_audit(tx, who, f"order {uid}", note or reason or "", str(order.get("status")), kind)
    if hears(house, origin):
        return f"order {number} is {kind}; {origin} is told with the next push"
    return f"order {number} is {kind}; {origin} takes no decisions: tell the buyer yourself"


def _legal(order: Mapping[str, Any], kind: Kind, number: str, reason: str | None, until: datetime | None) -> None:
    status = order.get("status")
    if kind in ("accepted", "refused") and not awaits_us(order):
        raise CannotDecide(f"order {number} is {status}: only an offer that waits for us can be {kind}")
    if kind in ("delayed", "cancelled", "ready") and status not in LIVE:
        raise CannotDecide(f"order {number} is {status}: it cannot be {kind} any more; goods come back as a return")
    if kind in ("refused", "cancelled") and reason not in REASONS:
        raise CannotDecide(f"a buyer is told why: --reason is one of {', '.join(REASONS)}, found {reason!r}")
    if kind == "ready" and not is_collected(order):
        raise CannotDecide(f"order {number} is sent, not collected: a shipment tells its buyer")
    if kind == "ready" and status == "offered":
        raise CannotDecide(f"order {number} is an offer; nothing is handed over before it is accepted and signed")
    if kind == "delayed" and until is None:
        raise CannotDecide("a delay names the new moment with --until")


def show_order(house: House, number: str, channel: str | None = None) -> Shown:
    """Everything about an order that is no personal value. Raises CannotDecide."""
    with house.registry.read() as tx:
        uid, origin = find_order(house, tx, number, channel)
        order = records(tx, [uid])[uid].values
        held = reservations_of(tx, [uid])[uid]
        places = _places(tx)
        codes = {place: record.values["code"] for place, record in places.items()}
        shipments, returns = _moves(tx, uid)
        returns += [one.values for one in records_by_field(tx, "return", "exchange", [uid])[uid]]
        named = {one[name] for one in returns for name in ("order", "exchange") if one.get(name) is not None}
        others = records(tx, sorted(named - {uid}))
        return Shown(
            uid=uid, channel=origin,
            order={name: value for name, value in order.items() if name not in house.personal["order"]},
            numbers=tuple((row.channel, row.whose, row.number) for row in numbers_of_orders(tx, [uid])[uid]),
            held=tuple(held), places=codes, deadlines=tuple(deadlines_of(tx, [uid])[uid].values()),
            decisions=tuple(_decided(house, tx, uid, origin)),
            returnable=() if order.get("status") == "cancelled" else tuple(returnable_at(
                order, {record.values["code"]: _services(record) for record in places.values()},
                house.project.fulfilment.of(origin).returns,
            )),
            refuser=refuser(order), shipments=tuple(shipments), returns=tuple(returns),
            exchanges={other: record.values["number"] for other, record in others.items()},
        )


def returnable(
    house: House, number: str, at: str, *, channel: str | None = None, lines: Mapping[str, Decimal] | None = None
) -> Desk:
    """What the desk of the place with code ``at`` may do with an order. Raises CannotDecide."""
    with house.registry.read() as tx:
        uid, origin = find_order(house, tx, number, channel)
        order = records(tx, [uid])[uid].values
        place = next((record for record in _places(tx).values() if record.values["code"] == at), None)
        if place is None:
            raise CannotDecide(f"there is no place {at!r}; `serai order show {number}` lists those that take it back")
        shipments, returns = _moves(tx, uid)
        shut = closed(place.values, house.registry.now())
    if shut is not None:
        return Desk(who="nobody", because=f"{at}: {shut}", remedy=f"`serai order show {number}` lists other places")
    return desk(
        order, shipments, returns, at=at, services=_services(place),
        allowed=house.project.fulfilment.of(origin).returns, wanted=lines,
    )


def _moves(tx: Tx, uid: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The shipments and the returns of an order."""
    sent, back = (
        [record.values for record in records_by_field(tx, entity, "order", [uid])[uid]]
        for entity in ("shipment", "return")
    )
    return sent, back


def _places(tx: Tx) -> dict[str, Record]:
    return {record.uid: record for record in records_where(tx, "location")}


def _services(place: Record) -> frozenset[str]:
    told = place.values.get("services")
    return SERVICES.get(place.values.get("kind"), frozenset()) if told is None else frozenset(told)


def _decided(house: House, tx: Tx, uid: str, origin: str) -> list[Decided]:
    made = sorted(records_by_field(tx, "decision", "order", [uid])[uid], key=lambda record: record.values["at"])
    bound = binding_for(tx, origin, "decision", [record.uid for record in made])
    open_ = outbox_rows(tx, origin, "decision", uids=[record.uid for record in made])
    waits = {row.uid: row.reason or row.state for row in open_}
    return [
        Decided(
            kind=record.values["kind"], at=datetime.fromisoformat(record.values["at"]), by=record.values["by"],
            reason=record.values.get("reason"), note=record.values.get("note"),
            told=bound[record.uid].told_at if record.uid in bound else None,
            why_not="" if record.uid in bound else waits.get(record.uid, UNTOLD),
        )
        for record in made
    ]
