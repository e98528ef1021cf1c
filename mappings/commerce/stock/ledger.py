"""The ledger of one variant at one location: what is sellable there now, and what may be promised for a day.

What surprises here: ``reserved`` holds only what no figure contains yet (see ``counting``), so a source's own allocated
part and our reservation of the same order are never both taken off; and what an order wants beyond what is there is an
open back-order, which lowers what is promised, never what is sellable now. Amounts are Decimals in the variant's unit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias

from msgspec import Struct

from mappings.commerce.stock.allocation import left
from mappings.commerce.stock.counting import ON_HAND

ZERO: Final = Decimal(0)
Inbound: TypeAlias = tuple[tuple[date, Decimal], ...]
"""(day, units): what is announced, with the day on which it can be sold."""


class Holding(Struct, frozen=True, kw_only=True):
    """What a source says of a variant at a location. ``expiring`` is the part whose last day is too near to sell it.

    ``quantity`` is of the ``kind`` the source declares; ``in_transit``, ``inbound`` (day, units) and ``overdue``, what
    was announced for a day before today, are no part of it.
    """

    quantity: Decimal
    kind: str = ON_HAND
    allocated: Decimal | None = None
    quarantined: Decimal = ZERO
    expiring: Decimal = ZERO
    displayed: Decimal = ZERO
    in_transit: Decimal = ZERO
    inbound: Inbound = ()
    overdue: Decimal = ZERO


def holding(values: Mapping[str, Any], *, today: date, expires_within: int = 0) -> Holding:
    """The holding that a stock record describes; what the source does not say is none.

    ``expiring = Σ quantity of the lots with expires_on < today + expires_within days``: what spoils within so many
    days is not sold, what spoiled before today never. What was announced for a day that is past is ``overdue``: nobody
    knows any more when it comes, so it is promised to nobody until it is here or has another day.
    """
    last = today + timedelta(days=expires_within)
    announced = [(date.fromisoformat(row["on"]), _amount(row["quantity"])) for row in values.get("inbound") or ()]
    return Holding(
        quantity=_amount(values["quantity"]), kind=values["quantity"]["kind"],
        allocated=None if values.get("allocated") is None else _amount(values["allocated"]),
        quarantined=_part(values, "quarantined"), displayed=_part(values, "displayed"),
        in_transit=_part(values, "in_transit"), expiring=_expiring(values.get("lots") or (), last),
        inbound=tuple([(day, units) for day, units in announced if day >= today]),
        overdue=sum([units for day, units in announced if day < today], ZERO),
    )


def _expiring(lots: Sequence[Mapping[str, Any]], last: date) -> Decimal:
    """Σ quantity of the lots whose last day is before ``last``."""
    ends = [lot for lot in lots if lot.get("expires_on") is not None]
    return sum([_amount(lot["quantity"]) for lot in ends if date.fromisoformat(lot["expires_on"]) < last], ZERO)


def _amount(quantity: Mapping[str, str]) -> Decimal:
    return Decimal(quantity["value"])


def _part(values: Mapping[str, Any], name: str) -> Decimal:
    found = values.get(name)
    return ZERO if found is None else _amount(found)


def unreserved(held: Holding) -> Decimal:
    """What could be sold if nothing were reserved: ``quantity − allocated − quarantined − expiring − displayed``, ≥ 0.

    ``allocated`` is taken off a figure of what is on hand only: the other kinds are without it. A negative quantity
    counts 0 here and is taken off the pool by ``missing``.
    """
    if held.quantity < 0:
        return ZERO
    allocated = held.allocated if held.allocated is not None and held.kind == ON_HAND else ZERO
    return max(ZERO, held.quantity - allocated - held.quarantined - held.expiring - held.displayed)


def sellable_now(held: Holding, reserved: Decimal) -> Decimal:
    """``max(0, quantity − allocated − reserved − quarantined − expiring − displayed)``, in the variant's unit."""
    return max(ZERO, unreserved(held) - reserved)


def missing(held: Holding) -> Decimal:
    """``max(0, −quantity)``: units that were sold before they were booked. The pool has fewer than it says."""
    return max(ZERO, -held.quantity)


def owed(held: Holding) -> Decimal:
    """What the source allocated to orders beyond what is there: ``max(0, allocated − max(0, quantity − what is not for
    sale))``, of a figure on hand. Those orders wait for goods that come."""
    if held.allocated is None or held.kind != ON_HAND:
        return ZERO
    return max(ZERO, held.allocated - max(ZERO, held.quantity - held.quarantined - held.expiring - held.displayed))


class Place(Struct, frozen=True, kw_only=True):
    """What counts of a variant at one place: ``units`` could be sold if none were reserved, ``missing`` are lacking.

    ``there`` is what lies there as far as anybody knows, before a rule hid some of it; None: ``units``.
    """

    code: str
    units: Decimal
    missing: Decimal = ZERO
    there: Decimal | None = None


def pool(
    places: Iterable[Place], reserved: Iterable[tuple[str | None, Decimal]]
) -> tuple[dict[str, Decimal], dict[str | None, Decimal]]:
    """Places as ``allocation.publish_by_location`` takes them: (sellable before reservations, reserved), by code.

    ``sellable = max(units, min(there, reserved))``: a hidden figure still covers what is reserved there, so that hiding
    it shows nothing of the place and looks for nothing elsewhere; what is reserved beyond ``there`` is.
    Σ over places of what is missing is added to what is reserved at no place, so that it is taken off the pool:
    ``Σ free ≤ max(0, Σ units − Σ missing − Σ reserved)`` wherever each place covers its own reservations.
    """
    sellable: dict[str, Decimal] = {}
    there: dict[str, Decimal] = {}
    promised: dict[str | None, Decimal] = {}
    for place in places:
        sellable[place.code] = sellable.get(place.code, ZERO) + place.units
        there[place.code] = there.get(place.code, ZERO) + (place.units if place.there is None else place.there)
        if place.missing > 0:
            promised[None] = promised.get(None, ZERO) + place.missing
    for code, units in reserved:
        promised[code] = promised.get(code, ZERO) + units
    return {
        code: max(units, min(there[code], promised[code])) if code in promised else units
        for code, units in sellable.items()
    }, promised


def back_orders(
    sellable: Mapping[str, Decimal], reserved: Mapping[str | None, Decimal], *, waiting: Decimal = ZERO,
    owed: Decimal = ZERO, pools: Iterable[Collection[str]] | None = None,
) -> Decimal:
    """Open back-orders: units of orders that nothing there covers.

    ``waiting + owed + Σ reserved − (Σ max(0, sellable) − Σ left)``: those that wait for goods that come, those that a
    source allocated beyond what it has, and those reserved beyond what is there. What covers an order is in none of it.
    """
    there = sum((max(ZERO, units) for units in sellable.values()), ZERO)
    covered = there - sum(left(sellable, reserved, pools).values(), ZERO)
    return waiting + owed + sum(reserved.values(), ZERO) - covered


def announced(inbound: Iterable[tuple[date, Decimal]], on: date) -> Decimal:
    """``Σ inbound with its day ≤ on``."""
    return sum((units for day, units in inbound if day <= on), ZERO)


def promise(sellable_now: Decimal, inbound: Iterable[tuple[date, Decimal]], on: date, back_ordered: Decimal) -> Decimal:
    """What may be promised for a day: ``max(0, sellable_now + Σ inbound(≤ on) − open back-orders)``.

    Only listings that say so (back-order, pre-order) show it, with the day. What is in transit counts on no day until
    it is received or announced as inbound.
    """
    return max(ZERO, sellable_now + announced(inbound, on) - back_ordered)


HELD_BY: Final = ("us", "channel", "supplier", "partner")


def ours(location: Mapping[str, Any]) -> bool:
    """Whether goods there are in our hands, so that they may be pooled, pushed and routed."""
    return location.get("held_by") in (None, "us")


def faults(sku: str, place: str, held: Holding, unit: str, of_variant: str) -> Iterable[str]:
    """One sentence for everything about a holding that cannot be: what it says, and what counts instead."""
    if held.quantity < 0:
        yield (f"{sku} at {place}: {held.quantity} {unit} {held.kind}; a place cannot hold less than nothing: it "
               f"counts 0 there, and {missing(held)} are taken off the pool")
    if unit != of_variant:
        yield f"{sku} at {place}: counted in {unit}, sold in {of_variant}, and no case says how many make one"
    if held.overdue > 0:
        yield (f"{sku} at {place}: {held.overdue} {unit} were announced for a day that is past and are not here: they "
               "are promised to nobody until they are received or announced for another day")
    there = held.quarantined + held.expiring + held.displayed
    if there > held.quantity >= 0:
        yield f"{sku} at {place}: {there} {unit} quarantined or on display, and only {held.quantity} are there"
