"""Stock: how many units each channel may show, so that all of them together never show a unit twice.

What surprises here: allocation is fixed and per location. Each location's free units are divided among the channels
that sell from it, each unit going to at most one of them; a channel shows the sum of its parts. Hence Σ over channels
≤ stock, for every set of locations and however the channels' sets overlap. Figures are whole steps of the article:
whole units, but for goods by weight or length, of which a step is so many of its units.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from math import lcm
from typing import Any, Final, Literal, TypeAlias

from mappings.commerce.stock.cohorts import Article, Cohort, cohort_of
from mappings.commerce.stock.units import ONE, whole

_NONE = Decimal(0)

Division: TypeAlias = Mapping[str, Mapping[str, Decimal]]
"""Location → channel → its share of what is there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StockPolicy:
    """What a channel may sell: from these locations, this share of each (0 … 1), less ``safety``, at most ``cap``.

    ``allocation``: ``hard``, an escrow (`escrow`); ``pooled``, every channel its share of all whatever the others show,
    with the risk that `risk` measures; None, fixed shares, of which a raise waits for the lowering of the others.

    ``listing``: ``stock`` sells what is there; ``back_order`` what is announced, too, for at most ``within`` days
    ahead; ``pre_order`` what will be there on the day ``on`` (see `promising`). ``cohorts``: the same for some articles
    only, each with all that holds for them.
    """

    locations: tuple[str, ...]
    share: Decimal = Decimal(1)
    safety: int = 0
    cap: int | None = None
    allocation: Literal["hard", "pooled"] | None = None
    listing: Literal["stock", "back_order", "pre_order"] = "stock"
    within: int | None = None
    on: date | None = None
    cohorts: tuple[tuple[Cohort, StockPolicy], ...] = ()

    @property
    def oversells(self) -> bool:
        """Whether it may: it is told its share of all, whatever the others show."""
        return self.allocation == "pooled"

    @property
    def promises(self) -> bool:
        """Whether it sells goods before they are there."""
        return self.listing != "stock"

    def of(self, one: Article | None) -> StockPolicy:
        """What holds for an article: the row of its cohort, where it is in one that the channel has a row for."""
        cohort = None if one is None or not self.cohorts else cohort_of((cohort for cohort, _ in self.cohorts), one)
        return self if cohort is None else dict(self.cohorts)[cohort]

    def cohort(self, one: Article) -> str | None:
        """The name of the cohort whose row decides about the article; None: the channel's own does."""
        found = cohort_of((cohort for cohort, _ in self.cohorts), one)
        return None if found is None else found.name


def holding_for(policies: Mapping[str, StockPolicy], one: Article | None) -> Mapping[str, StockPolicy]:
    """Channel → what holds for this article there; the policies themselves where no channel has cohorts."""
    if one is None or not any(policy.cohorts for policy in policies.values()):
        return policies
    return {channel: policy.of(one) for channel, policy in policies.items()}


PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "careful": {"allocation": "hard", "safety": 1},
    "balanced": {"allocation": "hard", "safety": 0},
    "sell-out": {"allocation": "pooled", "share": Decimal(1), "safety": 0},
}
"""What a channel is told by a word: nothing oversold and a unit kept back; nothing oversold; everything, everywhere."""


def problems(policies: Mapping[str, StockPolicy]) -> list[str]:
    """One sentence per rule that a set of policies breaks; empty when ``publish`` may use it."""
    found = [
        f"{channel}: share {policy.share} is outside 0 … 1"
        for channel, policy in policies.items()
        if not 0 <= policy.share <= 1
    ]
    found += [f"{channel}: safety {p.safety} is negative" for channel, p in policies.items() if p.safety < 0]
    for location in dict.fromkeys(name for policy in policies.values() for name in policy.locations):
        using = {
            channel: policy.share for channel, policy in policies.items()
            if location in policy.locations and not policy.oversells
        }
        if sum(using.values()) > 1:
            shares = ", ".join(f"{channel} {share}" for channel, share in using.items())
            found.append(f"{location}: the shares add up to {sum(using.values())}, at most 1 is there ({shares})")
    return found


def publish(
    sellable: Mapping[str, Decimal], reserved: Mapping[str | None, Decimal], policies: Mapping[str, StockPolicy]
) -> dict[str, int]:
    """Channel to units of one variant it may show: the sum of its locations in ``publish_by_location``."""
    parts = publish_by_location(sellable, reserved, policies)
    return {channel: sum(by_location.values()) for channel, by_location in parts.items()}


def publish_by_location(
    sellable: Mapping[str, Decimal], reserved: Mapping[str | None, Decimal], policies: Mapping[str, StockPolicy],
    step: Decimal = ONE, division: Division | None = None,
) -> dict[str, dict[str, int]]:
    """Channel to location to steps of one variant it may show there (whole units, where its step is 1); ``division``
    is that of the policies, for who asks of many variants.

    ``free(l) = ⌊left(l) / step⌋``, with the locations that are `connected` as pools; ``part(c, l)`` divides
    ``⌊free(l) · Σ shares⌋`` by share, largest remainder first, ties in the order of ``policies``; then ``safety(c)`` is
    taken from the channel's locations in the order of its policy, never below 0. `left` takes from the locations that
    the policies name first, in their order. A pooled channel has ``⌊free(l) · share⌋`` of each, beside the others.
    Last, ``cap(c)`` is the most in all. Raises ValueError with the sentences of ``problems``.
    """
    plan = divided(policies) if division is None else division
    ordered = {name: sellable[name] for name in [*plan, *sellable] if name in sellable}
    units = free(ordered, reserved, step, connected(policies))
    parts: dict[str, dict[str, int]] = {channel: {} for channel in policies}
    for location, shares in plan.items():
        for channel, part in divide(units.get(location, 0), shares).items():
            parts[channel][location] = part
    for channel, policy in policies.items():
        if policy.oversells:
            for location in policy.locations:
                parts[channel][location] = int(units.get(location, 0) * policy.share)
        kept_back = policy.safety
        for location in policy.locations if kept_back > 0 else ():
            taken = min(kept_back, parts[channel][location])
            parts[channel][location] -= taken
            kept_back -= taken
        for location in policy.locations if policy.cap is not None else ():
            over = max(0, sum(parts[channel].values()) - (policy.cap or 0))
            parts[channel][location] -= min(over, parts[channel][location])
    return parts


def divided(policies: Mapping[str, StockPolicy]) -> Division:
    """Location to the shares of the channels that sell from it. Raises ValueError with the sentences of ``problems``.
    """
    return _divided(tuple(policies.items()))


@lru_cache(maxsize=64)
def _divided(policies: tuple[tuple[str, StockPolicy], ...]) -> Division:
    wrong = problems(dict(policies))
    if wrong:
        raise ValueError("; ".join(wrong))
    named = dict.fromkeys(name for _, policy in policies for name in policy.locations)
    return {
        location: {
            channel: policy.share for channel, policy in policies
            if location in policy.locations and not policy.oversells
        }
        for location in named
    }


def connected(policies: Mapping[str, StockPolicy]) -> tuple[frozenset[str], ...]:
    """The locations that are sold from, in sets that no channel reaches across: those of channels that share a
    location, directly or by way of others."""
    return _connected(tuple(policy.locations for policy in policies.values()))


@lru_cache(maxsize=64)
def _connected(sets: tuple[tuple[str, ...], ...]) -> tuple[frozenset[str], ...]:
    found: list[frozenset[str]] = []
    for locations in sets:
        touched = [one for one in found if one.intersection(locations)]
        found = [one for one in found if one not in touched] + [frozenset(locations).union(*touched)]
    return tuple(one for one in found if one)


def free(
    sellable: Mapping[str, Decimal], reserved: Mapping[str | None, Decimal], step: Decimal = ONE,
    pools: Iterable[Collection[str]] | None = None,
) -> dict[str, int]:
    """Location to whole steps nobody has claimed: ``⌊left / step⌋``; of an article sold by the piece, whole units."""
    over = left(sellable, reserved, pools)
    if step == 1:
        return {location: int(quantity) for location, quantity in over.items()}
    return {location: whole(quantity, step)[0] for location, quantity in over.items()}


def left(
    sellable: Mapping[str, Decimal], reserved: Mapping[str | None, Decimal],
    pools: Iterable[Collection[str]] | None = None,
) -> dict[str, Decimal]:
    """Location to what nobody has claimed, exactly: negative stock counts 0, reservations never push below 0.

    ``over(l) = max(0, sellable(l) − reserved(l))``, 0 where nothing lies. What is reserved beyond what lies there,
    ``Σ max(0, reserved(l) − max(0, sellable(l)))`` over a pool, is taken from the pool's other locations, and what is
    reserved at no location (None) from all, both in the order of ``sellable``. Hence, within one pool,
    ``Σ left = max(0, Σ max(0, sellable) − Σ reserved)``, and no reservation and no loss raises what any location shows.

    ``pools`` are `connected` locations; None: all are one. What lacks at a location of no pool is taken from no other.
    """
    over = {
        location: max(_NONE, quantity - reserved[location] if location in reserved and quantity > 0 else quantity)
        for location, quantity in sellable.items()
    }
    lacking = {
        place: units - max(_NONE, sellable.get(place, _NONE)) for place, units in reserved.items()
        if place is not None and units > 0 and units > sellable.get(place, _NONE)
    }
    if lacking:
        for pool in (over.keys() | lacking.keys(),) if pools is None else pools:
            _take(over, [place for place in over if place in pool],
                  sum((units for place, units in lacking.items() if place in pool), _NONE))
    if None in reserved:
        _take(over, over, reserved[None])
    return over


def _take(over: dict[str, Decimal], places: Iterable[str], units: Decimal) -> None:
    """Takes so many units from places in their order, as far as they have them."""
    for place in tuple(places) if units > 0 else ():
        taken = min(units, over[place])
        over[place] -= taken
        units -= taken


def divide(units: int, shares: Mapping[str, Decimal]) -> dict[str, int]:
    """``⌊units · Σ shares⌋`` whole units divided by share: ``⌊units · share⌋`` each, the rest by largest remainder.

    Ties go to the earlier channel. The sum is never above ``units`` as long as the shares add up to at most 1.
    """
    weights, whole = _weights(tuple(shares.values()))
    claims = [units * weight for weight in weights]
    parts = [claim // whole for claim in claims]
    rest = sum(claims) // whole - sum(parts)
    if rest > 0:
        for position in sorted(range(len(claims)), key=lambda n: -(claims[n] % whole))[:rest]:
            parts[position] += 1
    return dict(zip(shares, parts, strict=True))


@lru_cache(maxsize=256)
def _weights(shares: tuple[Decimal, ...]) -> tuple[list[int], int]:
    """Whole numbers in the proportion of the shares, and the number that stands for all of it."""
    ratios = [share.as_integer_ratio() for share in shares]
    whole = lcm(*(below for _, below in ratios))
    return [above * (whole // below) for above, below in ratios], whole


def allowed(target: int, sellable: int, exposures: Iterable[int]) -> int:
    """What may be shown now: ``min(target, max(0, sellable − Σ exposures of the other channels))``.

    An exposure is the most that another channel may be showing: the larger of what it confirmed and what is on its way.
    So a lower figure goes out at once, and the higher one only after the lowering elsewhere is confirmed.
    """
    return min(target, max(0, sellable - sum(exposures)))
