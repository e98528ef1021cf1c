"""The ledger of one variant at one location: what is sellable there now, and what may be promised for a day.

What surprises here: ``reserved`` holds only what no figure contains yet (see ``counting``), so a source's own allocated
part and our reservation of the same order are never both taken off. Amounts are Decimals in the variant's unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from mappings.commerce.stock.counting import ON_HAND

ZERO: Final = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """What a source says of a variant at a location. ``expiring`` is the part whose last day is too near to sell it.

    ``quantity`` is of the ``kind`` the source declares; ``in_transit`` and ``inbound`` (day, units) are no part of it.
    """

    quantity: Decimal
    kind: str = ON_HAND
    allocated: Decimal | None = None
    quarantined: Decimal = ZERO
    expiring: Decimal = ZERO
    displayed: Decimal = ZERO
    in_transit: Decimal = ZERO
    inbound: tuple[tuple[date, Decimal], ...] = ()


def holding(values: Mapping[str, Any], *, today: date, expires_within: int = 0) -> Holding:
    """The holding that a stock record describes; what the source does not say is none.

    ``expiring = Σ quantity of the lots with expires_on < today + expires_within days``: what spoils within so many
    days is not sold, what spoiled before today never.
    """
    last = today + timedelta(days=expires_within)
    lots = values.get("lots") or ()
    return Holding(
        quantity=_amount(values["quantity"]), kind=values["quantity"]["kind"],
        allocated=None if values.get("allocated") is None else _amount(values["allocated"]),
        quarantined=_part(values, "quarantined"), displayed=_part(values, "displayed"),
        in_transit=_part(values, "in_transit"),
        expiring=sum(
            (_amount(lot["quantity"]) for lot in lots
             if lot.get("expires_on") is not None and date.fromisoformat(lot["expires_on"]) < last), ZERO,
        ),
        inbound=tuple(
            (date.fromisoformat(row["on"]), _amount(row["quantity"])) for row in values.get("inbound") or ()
        ),
    )


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


def promise(held: Holding, reserved: Decimal, on: date, *, back_ordered: Decimal = ZERO) -> Decimal:
    """What may be promised for a day: ``sellable_now + Σ inbound with its day ≤ on − open back-orders``, at least 0.

    Only listings that say so (back-order, pre-order) show it, with the day. What is in transit counts on no day until
    it is received or announced as inbound. More units reserved than there are wait for the inbound ones, too.
    """
    announced = sum((units for day, units in held.inbound if day <= on), ZERO)
    allocated = held.allocated if held.allocated is not None and held.kind == ON_HAND else ZERO
    there = held.quantity - allocated - held.quarantined - held.expiring - held.displayed
    return max(ZERO, there - reserved + announced - back_ordered)


def pool(
    holdings: Mapping[str, Holding], reserved: Mapping[str | None, Decimal]
) -> tuple[dict[str, Decimal], dict[str | None, Decimal]]:
    """Locations as ``allocation.publish_by_location`` takes them: (sellable before reservations, reserved).

    Σ over locations of what is missing is added to what is reserved at no location, so that it is taken off the pool:
    ``Σ free ≤ max(0, Σ unreserved − Σ missing − Σ reserved)`` wherever each location covers its own reservations.
    """
    lost = sum((missing(held) for held in holdings.values()), ZERO)
    promised = dict(reserved)
    if lost > 0:
        promised[None] = promised.get(None, ZERO) + lost
    return {name: unreserved(held) for name, held in holdings.items()}, promised


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
    there = held.quarantined + held.expiring + held.displayed
    if there > held.quantity >= 0:
        yield f"{sku} at {place}: {there} {unit} quarantined or on display, and only {held.quantity} are there"
