"""Which place sends, or hands over, which line of an order: by rule, by what lies there, by distance.

What surprises here: a line is never torn apart; it comes whole from one place. Among all ways to serve an order the one
with the fewest parcels wins, then the one whose places stand first in the rule's order; the search is exhaustive, so
that "no place can" is a fact and not bad luck.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from math import asin, cos, radians, sin, sqrt
from typing import Any, Final, Literal, TypeAlias

By: TypeAlias = Literal["priority", "distance", "stock"]
BY: Final = ("priority", "distance", "stock")
SERVICES: Final = ("ship", "pickup", "curbside")
EARTH_KM: Final = 6371.0088
FAR: Final = 20_100.0
"""Kilometres assumed to a place whose distance nobody knows: farther than any place on earth."""
ZERO: Final = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Routing:
    """From these places, in the order of ``by``, in at most ``parcels`` parcels (1: an order is never split)."""

    places: tuple[str, ...]
    by: tuple[By, ...] = ("priority",)
    parcels: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A place an order may be served from: what it does, whether it serves at all, how far it is from the buyer."""

    code: str
    services: frozenset[str]
    closed: str | None = None
    distance: float = FAR


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """``quantity`` of a line is served from ``place``."""

    line: str
    place: str
    quantity: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Unroutable:
    """No place can serve the order: why, what to do, and the lines that are short even of all places together."""

    reason: str
    remedy: str
    short: tuple[str, ...] = ()


def route(
    wanted: Mapping[str, tuple[str, Decimal]], free: Mapping[str, Mapping[str, Decimal]],
    places: Mapping[str, Place], rule: Routing, *, service: str = "ship", chosen: str | None = None,
) -> tuple[Part, ...] | Unroutable:
    """One part per line, or why there is no way.

    ``wanted``: line → (variant, quantity). ``free``: place → variant → units nobody else was promised. Of all sets of
    at most ``rule.parcels`` places that offer ``service``, are not closed, and hold every line whole at one of them
    (``Σ of the lines a place serves ≤ free(place, variant)``), the smallest, then the first in the order of ``by``.
    ``chosen`` is the place the buyer comes to: then only that one.
    """
    if chosen is not None:
        return _at(wanted, free, places, service, chosen)
    able = [places[code] for code in rule.places
            if code in places and service in places[code].services and places[code].closed is None]
    if not able:
        shut = [f"{code}: {places[code].closed}" for code in rule.places if code in places and places[code].closed]
        return Unroutable(
            reason=f"no place offers {service}" + (f" ({'; '.join(shut)})" if shut else ""),
            remedy=f"open one of {', '.join(rule.places)} for {service}, or name others in policies/fulfilment.yaml",
        )
    ranked = sorted(able, key=lambda place: _rank(place, wanted, free, rule))
    for size in range(1, min(rule.parcels, len(ranked)) + 1):
        for some in combinations(ranked, size):
            parts = _serve(wanted, free, some)
            if parts is not None:
                return parts
    together = {variant: max((free.get(place.code, {}).get(variant, ZERO) for place in able), default=ZERO)
                for variant, _ in wanted.values()}
    short = tuple(sorted(key for key, (variant, quantity) in wanted.items() if together[variant] < quantity))
    if short:
        return Unroutable(
            reason=f"no place holds line {', '.join(short)} in full", short=short,
            remedy="receive or move goods, or cancel the line: `serai order cancel`",
        )
    return Unroutable(
        reason=f"no {rule.parcels} of {', '.join(place.code for place in ranked)} hold all lines together",
        remedy="allow more parcels in policies/fulfilment.yaml, or move goods to one place",
    )


def _at(
    wanted: Mapping[str, tuple[str, Decimal]], free: Mapping[str, Mapping[str, Decimal]],
    places: Mapping[str, Place], service: str, chosen: str,
) -> tuple[Part, ...] | Unroutable:
    place = places.get(chosen)
    if place is None or service not in place.services:
        return Unroutable(reason=f"{chosen} does not offer {service}",
                          remedy=f"add {service} to the place's services where locations are kept, or offer another")
    if place.closed is not None:
        return Unroutable(reason=f"{chosen} is closed: {place.closed}",
                          remedy="agree on another place with the buyer, or open it again")
    parts = _serve(wanted, free, (place,))
    if parts is not None:
        return parts
    there = free.get(chosen, {})
    short = tuple(sorted(key for key, (variant, quantity) in wanted.items() if there.get(variant, ZERO) < quantity))
    return Unroutable(reason=f"{chosen} does not hold the goods", short=short or tuple(sorted(wanted)),
                      remedy="move goods there, or cancel the order: `serai order cancel`")


def _rank(
    place: Place, wanted: Mapping[str, tuple[str, Decimal]], free: Mapping[str, Mapping[str, Decimal]], rule: Routing
) -> tuple[Any, ...]:
    """``priority``: the rule's order. ``distance``: nearest first. ``stock``: most units of what is wanted first."""
    there = free.get(place.code, {})
    keys: dict[str, Any] = {
        "priority": rule.places.index(place.code),
        "distance": place.distance,
        "stock": -sum((there.get(variant, ZERO) for variant in {variant for variant, _ in wanted.values()}), ZERO),
    }
    return (*(keys[by] for by in rule.by), keys["priority"])


def _serve(
    wanted: Mapping[str, tuple[str, Decimal]], free: Mapping[str, Mapping[str, Decimal]], some: Sequence[Place]
) -> tuple[Part, ...] | None:
    """Each line at the first of these places from which the rest can still be served; None when there is no way."""
    left = {(place.code, variant): free.get(place.code, {}).get(variant, ZERO)
            for place in some for variant, _ in wanted.values()}
    lines = sorted(wanted.items(), key=lambda row: (row[1][0], -row[1][1], row[0]))
    taken: dict[str, str] = {}

    def fits(at: int) -> bool:
        if at == len(lines):
            return True
        key, (variant, quantity) = lines[at]
        for place in some:
            if left[place.code, variant] >= quantity:
                left[place.code, variant] -= quantity
                taken[key] = place.code
                if fits(at + 1):
                    return True
                left[place.code, variant] += quantity
        return False

    if not fits(0):
        return None
    return tuple(Part(line=key, place=taken[key], quantity=quantity) for key, (_, quantity) in wanted.items())


def kilometres(one: Mapping[str, str] | None, other: Mapping[str, str] | None) -> float:
    """The great-circle distance of two positions ``{lat, lon}`` in degrees, in kilometres; FAR where one is not known.

    ``2 R asin √(sin²(Δlat / 2) + cos lat₁ · cos lat₂ · sin²(Δlon / 2))`` with R = 6371.0088 km, the earth's mean
    radius: at most π R = 20,015 km.
    """
    if one is None or other is None:
        return FAR
    lat1, lon1, lat2, lon2 = (radians(float(row[name])) for row in (one, other) for name in ("lat", "lon"))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(min(1.0, half)))


def distance(place: Mapping[str, Any], address: Mapping[str, Any] | None) -> float:
    """Kilometres from a location to the buyer: by positions where both are known, else 0 in the same town, else FAR."""
    position = (address or {}).get("position")
    if position is not None and place.get("position") is not None:
        return kilometres(place["position"], position)
    here, there = ((row or {}).get("city") for row in (place.get("address"), address))
    return 0.0 if here is not None and there is not None and here.casefold() == there.casefold() else FAR
