"""What rules of a later day will do to prices: dated taxes, rates of exchange, markups, redenominations, lists.

What surprises here: nothing is predicted. Every price is decided twice by the same rule, as of now and as of that
moment, with the files of this checkout; costs, lists and hands may still change until then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final

from msgspec import Struct

from flows.pricing import Offer, lists_of, offers, pipeline_of
from flows.wiring import House
from mappings.commerce.prices.currencies import Fx, today
from mappings.commerce.prices.lists import next_change
from mappings.commerce.prices.money import exact
from mappings.commerce.prices.pipeline import turns
from registry import Tx, binding_for, records_by_field, records_where

PAGE: Final = 1_000
SAMPLE: Final = 5
"""Prices of a channel that are listed, the largest moves first."""


class Turn(Struct, frozen=True, kw_only=True, order=True):
    """A rule begins or ends at a moment: where it stands, and on which channels prices follow from it."""

    at: datetime
    where: str
    channels: tuple[str, ...]


class Moved(Struct, frozen=True, kw_only=True):
    """An article's price now and then; ``size = |then − now| / now`` in the money of then, None where it ends.
    ``by_list``: its own list changes by that moment; else only rules do."""

    sku: str
    now: str
    then: str
    size: Decimal | None
    by_list: bool


class Foreseen(Struct, frozen=True, kw_only=True):
    """What becomes of a channel's prices: ``known`` are shown, ``changed`` of them differ then, ``by_list`` for dates
    of their list, ``held`` may not be told then; ``sample`` are the largest moves."""

    channel: str
    known: int
    changed: int
    by_list: int
    held: int
    sample: tuple[Moved, ...]


def ahead(house: House, after: datetime) -> list[Turn]:
    """Every rule that begins or ends later, the next first."""
    found: dict[tuple[datetime, str], list[str]] = {}
    for channel in _told_prices(house):
        for turn in turns(pipeline_of(house, channel), after):
            found.setdefault(turn, []).append(channel)
    return sorted(Turn(at=at, where=where, channels=tuple(channels)) for (at, where), channels in found.items())


def foreseen(house: House, at: datetime, channel: str | None = None) -> list[Foreseen]:
    """What each channel's prices will be at a moment, beside what they are to be now; reads only."""
    return [_of_channel(house, name, at) for name in _told_prices(house) if channel in (None, name)]


def _told_prices(house: House) -> list[str]:
    return [name for name, row in house.project.channels.items() if "price" in row.receives]


def _of_channel(house: House, channel: str, at: datetime) -> Foreseen:
    known = held = 0
    moved: list[Moved] = []
    after = ""
    fx = pipeline_of(house, channel).fx
    while True:
        with house.registry.read() as tx:
            page = records_where(tx, "variant", after, PAGE)
            if not page:
                break
            after = page[-1].uid
            skus = {row.uid: str(row.values.get("sku", row.uid)) for row in page if row.state == "live"}
            now = house.registry.now()
            before = _shown(house, tx, channel, offers(house, tx, channel, list(skus), now))
            then = offers(house, tx, channel, list(before), at)
            known += len(before)
            held += sum(one.held is not None for one in then.values())
            turning = _turning(house, tx, channel, list(before), now, at)
            moved += _moved(skus, before, then, turning, fx, at)
    moved.sort(key=lambda one: (one.size is not None, -(one.size or 0), one.sku))
    return Foreseen(
        channel=channel, known=known, changed=len(moved), by_list=sum(one.by_list for one in moved), held=held,
        sample=tuple(moved[:SAMPLE]),
    )


def _shown(house: House, tx: Tx, channel: str, found: Mapping[str, Offer]) -> dict[str, Offer]:
    """Those of them that the channel sells: where its prices are items of their own, the bound ones."""
    priced = {uid: offer for uid, offer in found.items() if offer.result is not None}
    group = house.of(channel).outward.get("price")
    if group is None or group.base != "price":
        return priced
    bound = binding_for(tx, channel, "price", [offer.home for offer in priced.values() if offer.home is not None])
    return {uid: offer for uid, offer in priced.items() if offer.home in bound}


def _turning(
    house: House, tx: Tx, channel: str, variants: Sequence[str], now: datetime, at: datetime
) -> set[str]:
    """The variants of which a list that the channel's price follows from says something else by then."""
    lists = lists_of(house, channel)
    found = set()
    for variant, rows in records_by_field(tx, "price", "variant", variants).items():
        prices = [row.values for row in rows if row.state == "live"]
        edges = [next_change(prices, name, now.isoformat()) for name in lists]
        if any(edge is not None and datetime.fromisoformat(edge) <= at for edge in edges):
            found.add(variant)
    return found


def _moved(
    skus: Mapping[str, str], before: Mapping[str, Offer], then: Mapping[str, Offer], turning: set[str], fx: Fx,
    at: datetime,
) -> Iterator[Moved]:
    for uid, offer in before.items():
        was, will = offer.result, then[uid].result
        if was is None or (will is not None and (was.amount, was.currency) == (will.amount, will.currency)):
            continue
        size = None
        if will is not None and was.amount > 0:
            currency, factor, _ = today(fx, was.currency, at)
            if currency == will.currency:
                old = exact(Fraction(was.amount) * factor, 8)
                size = (abs(will.amount - old) / old).quantize(Decimal("0.0001"))
        held = then[uid].held
        yield Moved(
            sku=skus[uid], now=f"{was.amount:f} {was.currency}", size=size, by_list=uid in turning,
            then=f"{will.amount:f} {will.currency}" if will is not None
            else "no price" if held is None else f"held: {held.reason}",
        )
