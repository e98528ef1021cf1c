"""What follows from a change of records: which channels must hear of it, what is reserved, what is set free.

What surprises here: the outbox is filled by *group*: a listing that carries stock of three locations is one row under
the variant. Routes are computed once from the mappings: which change of which entity touches which group, and how its
uid is found (the record itself, a reference it holds, or records that refer to it). Everything is set-based: a page
costs the same number of statements whatever it holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from flows import back_orders, repricing
from flows.companies import companies_of, hears
from flows.consenting import note_refusals
from flows.escrows import orders_moved
from flows.fulfilment import settle_orders, withheld
from flows.people import spread
from flows.pledges import listings_at_places
from flows.reserving import counted, keep_in_step, with_bundles, word_of_source
from flows.routes import Route
from flows.segmenting import wants_segments
from flows.tills import sums_up, unposted
from flows.wiring import House
from mappings.commerce.stock.bundles import parts_of
from registry import (
    AHEAD,
    DueRow,
    Tx,
    linked,
    mark_due,
    records,
    refs_for,
)

BACK_TO_ORIGIN: Final = ("shipment", "return")
"""Entities that only channels holding their order are told of."""


class Change(Struct, frozen=True, kw_only=True):
    """A record that is new or different now. ``source`` is the channel whose document changed it.

    ``put_back`` says that the source holds something that its record does not say, by an edit of its own. ``identity``
    is which of a customer's identities the document was about.
    """

    entity: str
    uid: str
    source: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    bound: bool = True
    put_back: bool = False
    identity: str | None = None


def follow(house: House, tx: Tx, changes: Sequence[Change], *, now: datetime, cause: str) -> None:
    """Marks due what the changes touch, and keeps reservations in step. A constant number of statements."""
    due: dict[tuple[str, str, str], bool] = {}
    by_entity: dict[str, list[Change]] = {}
    changes = spread(tx, changes)
    note_refusals(house, tx, changes)
    for change in changes:
        by_entity.setdefault(change.entity, []).append(change)
    for entity, changed in by_entity.items():
        heard = changed if entity != "order" else [
            change for change in changed if not withheld(change.before, change.after) and not sums_up(house, change)
        ]
        ours = unposted(house, tx, heard) if entity == "order" else heard
        whose = companies_of(house, tx, entity, {change.uid: change.source for change in heard}) if heard else None
        for route in house.routes.get(entity, ()) if heard else ():
            told = ours if route.channel in house.project.counting.sources else heard
            if whose is not None:
                told = [change for change in told if hears(house, route.channel, whose[change.uid])]
            if told:
                _along(tx, route, told, due)
    _of_refunds(house, tx, by_entity.get("return", ()), due)
    orders_moved(house, tx, by_entity.get("order", ()))
    stocks = by_entity.get("stock", ())
    promising = back_orders.promising(house, tx, by_entity.get("order", ()))
    touched = keep_in_step(house, tx, by_entity, now, promising)
    counted_anew = {change.after["variant"] for change in stocks if change.after.get("variant") is not None}
    touched |= back_orders.serve(house, tx, touched | counted_anew, now)
    settled = settle_orders(house, tx, by_entity.get("order", ()), now, cause)
    stock_due(house, tx, touched | settled.touched, cause)
    _stock_of(house, tx, [
        change.uid for change in by_entity.get("variant", ())
        if parts_of(change.after) != parts_of(change.before or {})
    ], due)     # a bundle has no record of stock whose change would tell
    mark_due(tx, [
        *settled.due,
        *((*key, None, forced, cause) for key, forced in due.items()),
        *dated(house, by_entity.get("price", ()), now, cause),
        *repricing.beside(house, tx, by_entity.get("price", ()), cause),
        *back_orders.dated(house, stocks, now, cause),
        *repricing.follow(house, tx, by_entity.get("variant", ()), cause),
    ])


def _of_refunds(
    house: House, tx: Tx, returns: Sequence[Change], due: dict[tuple[str, str, str], bool]
) -> None:
    """What went back counts in what its buyer bought: due on channels that hear of segments. One statement, or none."""
    told = [route for route in house.routes.get("order", ()) if wants_segments(route.group)] if returns else []
    orders = records(tx, sorted({str(change.after["order"]) for change in returns if change.after.get("order")})) \
        if told else {}
    buyers = {str(order.values["customer"]) for order in orders.values() if order.values.get("customer") is not None}
    for route in told:
        due.update({(route.channel, route.group.entity, uid): due.get((route.channel, route.group.entity, uid), False)
                    for uid in sorted(buyers)})


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
    """Marks every channel's stock of these variants due, ahead of bulk work: what is free changed by an order, or a
    person decided it, so that what others show may be sold no more."""
    due: dict[tuple[str, str, str], bool] = {}
    _stock_of(house, tx, variants, due)
    mark_due(tx, [(*key, tx.now - AHEAD, forced, cause) for key, forced in due.items()])


def word_of(
    house: House, tx: Tx, channel: str, said: Mapping[str, Mapping[str, Any]], now: datetime, cause: str
) -> None:
    """What a system that counts stock says of orders itself (uid → its values), whatever other channels call them."""
    freed = word_of_source(house, tx, channel, said, now)
    stock_due(house, tx, freed | back_orders.serve(house, tx, freed, now), cause)


def figures_read(
    house: House, tx: Tx, channel: str, stocks: Collection[str], asked_at: datetime, now: datetime, cause: str
) -> None:
    """The figures of these stock records came in, asked for at ``asked_at``: what they contain is promised no more."""
    ended = counted(house, tx, channel, stocks, asked_at, now)
    stock_due(house, tx, ended | back_orders.serve(house, tx, ended, now), cause)


def _along(tx: Tx, route: Route, changes: Sequence[Change], due: dict[tuple[str, str, str], bool]) -> None:
    """Adds what ``changes`` make due along one route. The source hears of its own change only to put it back."""
    key = (route.channel, route.group.entity)
    if route.how == "held":
        found = linked(tx, route.group.base, route.field, [change.uid for change in changes])
        for uids in found.values():
            due.update({(*key, uid): due.get((*key, uid), False) for uid in uids})
        return
    told = changes
    if changes and changes[0].entity in BACK_TO_ORIGIN:
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
    uids = sorted(with_bundles(tx, uids))
    by_location: dict[str, list[str]] | None = None
    for route in house.routes.get("stock", ()):
        if route.group.entity != "stock":
            continue
        if route.group.base == "variant":
            due.update({(route.channel, "stock", uid): due.get((route.channel, "stock", uid), False) for uid in uids})
            continue
        if by_location is None:
            by_location = {uid: [] for uid in uids}
            for listing, (variant, _) in listings_at_places(house, tx, uids).items():
                by_location[variant].append(listing)
        for stocks in by_location.values():
            due.update({(route.channel, "stock", uid): due.get((route.channel, "stock", uid), False) for uid in stocks})
