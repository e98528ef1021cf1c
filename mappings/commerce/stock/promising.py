"""Listings that sell goods before they are there: how many, and for which day.

What surprises here:

* Such a listing is in nobody's way. Its orders take of what is there at most what no other channel may still sell;
  the rest of them waits for goods that come, and lowers promises only. Whatever it shows, no other's figure falls.
* Figures are whole steps of the article, as those of `allocation` are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from mappings.commerce.stock.allocation import StockPolicy
from mappings.commerce.stock.ledger import ZERO, announced
from mappings.commerce.stock.units import ONE, covering, whole


@dataclass(frozen=True, kw_only=True, slots=True)
class Promised:
    """What a listing shows of goods that come: ``steps`` in all, and the day by which they are there; None: now."""

    steps: int
    available_on: date | None = None


def counts_until(policy: StockPolicy, today: date) -> date | None:
    """The last day whose inbound goods are promised; None: none are, whatever is announced.

    ``back_order``: ``today + within`` days, without a limit any day. ``pre_order``: its day ``on``; from that day on it
    is a listing like any other.
    """
    if policy.listing == "back_order":
        return date.max if policy.within is None else today + timedelta(days=policy.within)
    if policy.listing == "pre_order" and policy.on is not None and today < policy.on:
        return policy.on
    return None


def promised(
    policy: StockPolicy, now: int, inbound: Iterable[tuple[date, Decimal]], back_ordered: Decimal, today: date,
    step: Decimal = ONE,
) -> Promised:
    """``now + coming``, at least 0 and at most ``cap``, with ``coming = ⌊net · share / step⌋`` where
    ``net = Σ inbound(≤ last day) − open back-orders`` is above zero, and all of ``net`` where it is below.

    ``now`` is what the channel may show of what is there. ``available_on``: of a pre-order its day; of a back-order the
    day of the last inbound goods that it needs; None where all of it is there.
    """
    last = counts_until(policy, today)
    rows = [] if last is None else sorted((day, units) for day, units in inbound if day <= last)
    until = {day: _with(policy, now, announced(rows, day) - back_ordered, step) for day, _ in rows}
    there = _with(policy, now, -back_ordered, step)
    steps = max(there, *until.values()) if until else there
    if policy.listing == "pre_order":
        return Promised(steps=steps, available_on=last)
    if there >= steps:
        return Promised(steps=steps)
    return Promised(steps=steps, available_on=next(day for day, units in until.items() if units >= steps))


def _with(policy: StockPolicy, now: int, net: Decimal, step: Decimal) -> int:
    coming = whole(net * policy.share, step)[0] if net > 0 else -covering(-net, step)
    return _capped(policy, now + coming)


def _capped(policy: StockPolicy, steps: int) -> int:
    return max(0, steps if policy.cap is None else min(policy.cap, steps))


def taken(
    room: Decimal, left: Mapping[str, Decimal], waiting: Iterable[tuple[str, Decimal, Sequence[str]]]
) -> list[tuple[str, str, Decimal]]:
    """Which of the waiting orders (row, units, places it may be served from), the oldest first, get what is ``left`` at
    places: (row, place, units), with ``Σ ≤ room`` and at each place ``Σ ≤ left``.

    An order takes what there is for it, also a part of what it waits for, from its places in their order.
    """
    there, found = dict(left), []
    for row, units, places in waiting:
        for place in places:
            part = min(units, room, there.get(place, ZERO))
            if part > 0:
                found.append((row, place, part))
                units, room, there[place] = units - part, room - part, there[place] - part
    return found
