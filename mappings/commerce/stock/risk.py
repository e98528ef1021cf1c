"""How likely channels oversell that hear of each other's sales late: pooled ones, and beside them those of the escrow.

What surprises here: there is no closed form for the whole of it, so it is played: Poisson demand per channel, from a
seed. The mean has one: while a sale is under way to the other channels for ``lag``, each of them goes on, so about
``Σ over channels of rate · lag · (1 − its part)`` units are sold too many when the stock runs out: of equal channels
``(channels − 1) · rate · lag``, as long as each has that much on show. Under hard allocation nothing can be oversold
(`escrow` says why, a model tries every order of events); it is played all the same, with the same buyers and lags and
the very functions that run, so that the one figure is measured as the other is.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Final

from mappings.commerce.stock.allocation import divide
from mappings.commerce.stock.escrow import (
    Account,
    applied,
    caught_up,
    figure,
    most,
    refused,
    seen,
    sending,
    sold as less_sold,
)

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


def escrowed(
    units: int, channels: Sequence[Selling], *, safety: int = 0, runs: int = RUNS, seed: int = 1
) -> Risk:
    """Sells ``units`` out under hard allocation, ``runs`` times: equal shares, ``safety`` kept back on each channel.

    A sale is read half a ``lag`` after it happened, a figure arrives half a ``lag`` after it was decided, and is
    refused when something was sold meanwhile: then the channel is looked at and its orders are read.
    """
    if units <= 0 or sum(one.rate for one in channels) <= 0:
        return Risk(chance=0.0, mean=0.0, runs=runs)
    dice = Random(seed)  # noqa: S311  (it plays shoppers, it guards nothing)
    over = [max(0, _Shops(units, channels, safety, dice).sold_out() - units) for _ in range(runs)]
    return Risk(chance=sum(n > 0 for n in over) / runs, mean=sum(over) / runs, runs=runs)


class _Shops:
    """Channels of the escrow while one article is sold out."""

    def __init__(self, units: int, channels: Sequence[Selling], safety: int, dice: Random) -> None:
        self.units, self.channels, self.safety, self.dice = units, channels, safety, dice
        self.shares = {str(n): Decimal(1) / len(channels) for n in range(len(channels))}
        self.reserved = self.sold = self.busy = 0
        self.shows = [self._target(n) for n in range(len(channels))]
        self.accounts = [Account(held=units, shown=units) for units in self.shows]
        self.unread = [0] * len(channels)
        self.told: list[int | None] = [None] * len(channels)
        self.moved = [False] * len(channels)
        self.events: list[tuple[float, int, str, int]] = []
        self.number = 0

    def sold_out(self) -> int:
        """How many were sold when no channel that has buyers shows any and nothing is under way."""
        for n, one in enumerate(self.channels):
            if one.rate > 0:
                self._later(self.dice.expovariate(one.rate), "buyer", n)
        while self.busy or any(shows for shows, one in zip(self.shows, self.channels, strict=True) if one.rate > 0):
            now, _, what, n = heapq.heappop(self.events)
            if what == "buyer":
                self._later(now + self.dice.expovariate(self.channels[n].rate), "buyer", n)
                self._buy(now, n)
                continue
            self.busy -= 1
            if what == "read" and self.unread[n] > 0:
                self._read(n, 1)
            elif what == "lands":
                self._lands(n)
            for other in range(len(self.channels)):
                self._tell(now, other)
        return self.sold

    def _later(self, at: float, what: str, n: int) -> None:
        self.number += 1
        self.busy += what != "buyer"
        heapq.heappush(self.events, (at, self.number, what, n))

    def _buy(self, now: float, n: int) -> None:
        if self.shows[n] > 0:
            self.shows[n] -= 1
            self.sold += 1
            self.unread[n] += 1
            self.moved[n] = True
            self._later(now + self.channels[n].lag / 2, "read", n)

    def _read(self, n: int, units: int) -> None:
        self.unread[n] -= units
        self.reserved += units
        self.accounts[n] = less_sold(self.accounts[n], units)

    def _lands(self, n: int) -> None:
        """The figure that was told arrives."""
        told, self.told[n] = self.told[n], None
        if told is None:
            return
        if not self.moved[n]:
            self.shows[n] = told
            self.accounts[n] = applied(self.accounts[n], told)
            return
        self.accounts[n] = seen(refused(self.accounts[n]), self.shows[n])
        self._read(n, self.unread[n])
        self.accounts[n] = caught_up(self.accounts[n])
        self.moved[n] = False

    def _target(self, n: int) -> int:
        return max(0, divide(max(0, self.units - self.reserved), self.shares)[str(n)] - self.safety)

    def _tell(self, now: float, n: int) -> None:
        if self.told[n] is not None:
            return
        left = self.units - self.reserved - sum(most(one) for k, one in enumerate(self.accounts) if k != n)
        publish = figure(self.accounts[n], self._target(n), left, "compare")
        if publish != self.accounts[n].shown:
            self.accounts[n] = sending(self.accounts[n], publish, "compare")
            self.told[n] = publish
            self._later(now + self.channels[n].lag / 2, "lands", n)


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
