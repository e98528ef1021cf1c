"""What follows from a change of records: which channels must hear of it, what is reserved, what is set free.

What surprises here: the outbox is filled by *group*: a listing that carries stock of three locations is one row under
the variant. Routes are computed once from the mappings: which change of which entity touches which group, and how its
uid is found (the record itself, a reference it holds, or records that refer to it). Everything is set-based: a page
costs the same number of statements whatever it holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

from flows.routes import Route
from flows.wiring import House
from registry import (
    DueRow,
    ReservationRow,
    Tx,
    cancel_reservations,
    linked,
    mark_due,
    owners,
    post_reservations,
    posted_reservations,
    records,
    refs_for,
    release_reservations,
    reserve,
)

BACK_TO_ORIGIN: Final = ("shipment", "return")
"""Entities that only channels holding their order are told of."""
SHIPPED: Final = ("shipped", "delivered")


class Change(Struct, frozen=True, kw_only=True):
    """A record that is new or different now. ``source`` is the channel whose document changed it.

    ``put_back`` says that the source holds something that its record does not say, by an edit of its own.
    """

    entity: str
    uid: str
    source: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    bound: bool = True
    put_back: bool = False


def follow(house: House, tx: Tx, changes: Sequence[Change], *, now: datetime, cause: str) -> None:
    """Marks due what the changes touch, and keeps reservations in step. A constant number of statements."""
    due: dict[tuple[str, str, str], bool] = {}
    by_entity: dict[str, list[Change]] = {}
    for change in changes:
        by_entity.setdefault(change.entity, []).append(change)
    for entity, changed in by_entity.items():
        for route in house.routes.get(entity, ()):
            _along(tx, route, changed, due)
    _stock_of(house, tx, _reservations(house, tx, by_entity, now), due)
    mark_due(tx, [
        *((*key, None, forced, cause) for key, forced in due.items()),
        *dated(house, by_entity.get("price", ()), now, cause),
    ])


def dated(house: House, prices: Sequence[Change], now: datetime, cause: str) -> list[DueRow]:
    """A price with a window is due again when the window opens and when it closes."""
    moments = [
        (change, at) for change in prices for name in ("valid_from", "valid_to")
        if change.after.get(name) is not None and (at := datetime.fromisoformat(change.after[name])) > now
    ]
    return [
        (route.channel, route.group.entity, uid, at, False, cause)
        for change, at in moments for route in house.routes.get("price", ())
        if (uid := change.uid if route.how == "self" else change.after.get(route.field)) is not None
    ]


def stock_due(house: House, tx: Tx, variants: Iterable[str], cause: str) -> None:
    """Marks every channel's stock of these variants due: what is free changed, so what may be shown changed."""
    due: dict[tuple[str, str, str], bool] = {}
    _stock_of(house, tx, variants, due)
    mark_due(tx, [(*key, None, forced, cause) for key, forced in due.items()])


def _along(tx: Tx, route: Route, changes: Sequence[Change], due: dict[tuple[str, str, str], bool]) -> None:
    """Adds what ``changes`` make due along one route. The source hears of its own change only to put it back."""
    key = (route.channel, route.group.entity)
    if route.how == "held":
        found = linked(tx, route.group.base, route.field, [change.uid for change in changes])
        for uids in found.values():
            due.update({(*key, uid): due.get((*key, uid), False) for uid in uids})
        return
    told = changes
    if changes[0].entity in BACK_TO_ORIGIN:
        held = refs_for(tx, route.channel, [("order", change.after["order"]) for change in changes])
        told = [change for change in changes
                if change.source != route.channel and ("order", change.after["order"]) in held]
    for change in told:
        uid = change.uid if route.how == "self" else change.after.get(route.field)
        if uid is None or (change.source == route.channel and change.bound and not change.put_back):
            continue
        carries = change.entity in (route.group.entity, *route.group.joins)     # its stock need not be told again
        due[*key, uid] = due.get((*key, uid), False) or (
            change.put_back and change.source == route.channel and carries
        )


def _stock_of(house: House, tx: Tx, variants: Iterable[str], due: dict[tuple[str, str, str], bool]) -> None:
    uids = sorted(set(variants))
    if not uids:
        return
    by_location: dict[str, list[str]] | None = None
    for route in house.routes.get("stock", ()):
        if route.group.entity != "stock":
            continue
        if route.group.base == "variant":
            due.update({(route.channel, "stock", uid): due.get((route.channel, "stock", uid), False) for uid in uids})
            continue
        if by_location is None:
            by_location = linked(tx, "stock", "variant", uids)
        for stocks in by_location.values():
            due.update({(route.channel, "stock", uid): due.get((route.channel, "stock", uid), False) for uid in stocks})


def _reservations(
    house: House, tx: Tx, changes: Mapping[str, Sequence[Change]], now: datetime
) -> set[str]:
    """Reserves what new open orders name, sets free what is cancelled; the variants whose reserved figure moved.

    An order first seen when it was already shipped reserves nothing: its goods have left the figures we read.
    """
    touched: set[str] = set()
    rows: list[ReservationRow] = []
    cancelled: list[str] = []
    orders = list(changes.get("order", ()))
    fallback = first_location(house, tx) if orders else {}
    for change in orders:
        status = change.after.get("status")
        lines = [line for line in change.after.get("lines") or () if line.get("variant") is not None]
        if status == "cancelled":
            if change.before is not None:
                cancelled.append(change.uid)
                touched.update(line["variant"] for line in lines)
        elif change.before is None and (status not in SHIPPED or change.after.get("handed_over") is True):
            place = change.after.get("location") or fallback.get(change.source)
            rows.extend(
                ReservationRow(
                    variant=line["variant"], location=place, channel=change.source, order=change.uid,
                    line=line["key"], quantity=Decimal(line["quantity"]["value"]),
                )
                for line in lines
            )
            touched.update(line["variant"] for line in lines)
    if rows:
        reserve(tx, rows)
    if cancelled:
        cancel_reservations(tx, cancelled)
    shipped = [change.after["order"] for change in changes.get("shipment", ()) if change.before is None]
    if shipped:
        post_reservations(tx, shipped, now)
    return touched


def first_location(house: House, tx: Tx) -> dict[str, str]:
    """Channel → uid of the first location of its stock policy, where its unrouted orders are reserved."""
    firsts = {name: policy.locations[0] for name, policy in house.project.stock.items() if policy.locations}
    found = owners(tx, [("location", "code", code) for code in set(firsts.values())])
    return {
        name: found["location", "code", code] for name, code in firsts.items() if ("location", "code", code) in found
    }


def counted(house: House, tx: Tx, stocks: Collection[str], asked_at: datetime, cause: str) -> None:
    """Sets free reservations that the figures of these stock records, asked for at ``asked_at``, already contain.

    A reservation ends when its order was posted (shipped, or handed over and taken by the ERP) *before* the request
    for the figure began: earlier would show goods twice, later would hide them for ever.
    """
    posted = posted_reservations(tx) if stocks else []
    if not posted:
        return
    found = records(tx, [uid for uid in stock_records(tx, posted) if uid in stocks])
    places = [(record.values["variant"], record.values["location"]) for record in found.values()]
    if places and release_reservations(tx, places, asked_at) > 0:
        stock_due(house, tx, [variant for variant, _ in places], cause)


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
