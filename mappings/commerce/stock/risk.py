"""How likely pooled channels oversell: every channel shows all that is free, and hears of the others' sales late.

What surprises here: there is no closed form for the whole of it, so it is played: Poisson demand per channel, from a
seed. The mean has one: while a sale is under way to the other channels for ``lag``, each of them goes on, so about
``Σ over channels of rate · lag · (1 − its part)`` units are sold too many when the stock runs out: of equal channels
``(channels − 1) · rate · lag``, as long as each has that much on show.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

RUNS: Final = 3_000
FEW: Final = 0.01
"""A chance below which a buffer counts as enough."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selling:
    """A channel: units its buyers ask for per minute, and the minutes until it is told of a sale elsewhere."""

    rate: float
    lag: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Risk:
    """Of ``runs`` stock-outs, the part that oversold at least one unit, and the mean of units oversold per stock-out.

    ``error``: three standard deviations of ``chance``, ``3 · √(chance · (1 − chance) / runs)``.
    """

    chance: float
    mean: float
    runs: int

    @property
    def error(self) -> float:
        """How far the true chance may be off, in 997 of 1,000 cases."""
        return 3.0 * float((self.chance * (1.0 - self.chance) / self.runs) ** 0.5)


def pooled(units: int, channels: Sequence[Selling], *, buffer: int = 0, runs: int = RUNS, seed: int = 1) -> Risk:
    """Sells ``units`` out, ``runs`` times: a channel shows ``units − buffer − its own sales − those of the others that
    are older than its lag``; a buyer who finds nothing on show goes away. Oversold is what is sold above ``units``.
    """
    rates = [one.rate for one in channels]
    whole = sum(rates)
    if units <= 0 or whole <= 0 or len(channels) < 2:
        return Risk(chance=0.0, mean=0.0, runs=runs)
    dice = Random(seed)  # noqa: S311  (it plays shoppers, it guards nothing)
    lots, surplus = 0, 0
    for _ in range(runs):
        over = max(0, _sell_out(units, channels, rates, whole, buffer, dice) - units)
        lots += over > 0
        surplus += over
    return Risk(chance=lots / runs, mean=surplus / runs, runs=runs)


def _sell_out(
    units: int, channels: Sequence[Selling], rates: Sequence[float], whole: float, buffer: int, dice: Random
) -> int:
    places = range(len(channels))
    known = [0] * len(channels)
    news: list[deque[float]] = [deque() for _ in places]
    sold, now, last, slowest = 0, 0.0, 0.0, max(one.lag for one in channels)
    while sold < units - buffer or now <= last + slowest:
        now += dice.expovariate(whole)
        here = dice.choices(places, rates)[0]
        heard, waiting = known[here], news[here]
        while waiting and waiting[0] <= now:
            waiting.popleft()
            heard += 1
        if units - buffer - heard > 0:
            sold, last = sold + 1, now
            heard += 1
            for other in places:
                if other != here:
                    news[other].append(now + channels[other].lag)
        known[here] = heard
    return sold


def enough(
    units: int, channels: Sequence[Selling], *, chance: float = FEW, runs: int = RUNS, seed: int = 1
) -> tuple[int, Risk]:
    """The smallest buffer (units that every channel keeps back) with a risk below ``chance``, and that risk.

    Found by halves: a larger buffer never sells more. With all units kept back nothing is sold, and nothing too many.
    """
    low, high = 0, units
    found = Risk(chance=0.0, mean=0.0, runs=runs)
    while low < high:
        middle = (low + high) // 2
        risk = pooled(units, channels, buffer=middle, runs=runs, seed=seed)
        if risk.chance < chance:
            high, found = middle, risk
        else:
            low = middle + 1
    return low, found


def mean_oversold(channels: Sequence[Selling]) -> float:
    """``Σ over channels of lag · rate · (1 − rate / Σ rates)``: units sold while the last sale is not heard of yet."""
    whole = sum(one.rate for one in channels)
    return sum(one.lag * one.rate * (whole - one.rate) / whole for one in channels) if whole > 0 else 0.0
