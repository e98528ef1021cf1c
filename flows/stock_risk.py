"""How likely a variant oversells at today's lag and demand, as the registry measured them, and what would prevent it.

What surprises here: lag is what a channel needs to hear of a sale elsewhere: from the buyer's order to the first figure
that the channel confirmed after it. Where nothing was sold and told lately there is none to measure, and the timetable
of the channel that is read counts, which is the worst case without notices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connectors.errors import Misconfigured
from flows.holdings import pools
from flows.pledges import by_place, hard, pool_of, raises, rivals_of, why_pooled
from flows.wiring import House
from mappings.commerce.stock import free
from mappings.commerce.stock.allocation import PRESETS
from mappings.commerce.stock.risk import Risk, Selling, enough, escrowed, pooled
from registry import Hop, Tx, fetch_interval, hops_of, owners, records, takings

DAYS: Final = 30
"""Demand is what was ordered in so many days."""
RUNS: Final = 2_000
PLAYED: Final = 4_000
"""Units that are sold, in all runs of the escrow together, and at most so many runs as a pool has."""
WORST: Final = 0.95


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One channel: units a day, seconds until it hears of a sale elsewhere, from how many sales that was measured."""

    channel: str
    allocation: str
    per_day: float
    lag: float
    measured: int


@dataclass(frozen=True, kw_only=True)
class StockRisk:
    """What was measured of a variant, what it risks by each preset, and the buffer that is enough for pooled channels.

    Under hard allocation nothing is oversold, as the model of the escrow proves; the figure beside it is played.
    """

    sku: str
    units: int
    channels: Sequence[Measured]
    presets: Mapping[str, Risk]
    pooled: Risk
    buffer: int
    buffered: Risk
    notes: Sequence[str]

    @property
    def escrowed(self) -> bool:
        """Whether every channel is under hard allocation: then nothing is oversold, whatever lag and demand."""
        return all(row.allocation == "hard" for row in self.channels)


def stock_risk(house: House, sku: str) -> StockRisk:
    """What the variant risks now. Raises Misconfigured for an unknown SKU, or one that no channel is told of."""
    now = house.registry.now()
    with house.registry.read() as tx:
        found = owners(tx, [("variant", "sku", sku)])
        if not found:
            raise Misconfigured(f"no variant has the SKU {sku!r}")
        uid = found["variant", "sku", sku]
        policies = house.project.stock
        selling = _together(house)
        if not selling:
            raise Misconfigured("policies/stock.yaml lets no channel show stock: nothing can be oversold")
        pool = pools(house, tx, [uid], now).of[uid]
        places = pool_of(policies, policies[selling[0]].locations)
        units = sum(n for code, n in free(pool.sellable, pool.reserved, pools=pool.pools).items() if code in places)
        measured = [_measured(house, tx, uid, name, now) for name in selling]
    channels = [Selling(rate=row.per_day / 1_440, lag=row.lag / 60) for row in measured]
    buffer, buffered = enough(units, channels, runs=RUNS)
    return StockRisk(
        sku=sku, units=units, channels=measured, pooled=pooled(units, channels, runs=RUNS), buffer=buffer,
        buffered=buffered, notes=_notes(house, measured), presets=presets(units, channels),
    )


def presets(units: int, channels: Sequence[Selling]) -> dict[str, Risk]:
    """Preset → what it risks when these channels sell so many units out: played with their demand and lag."""
    runs = max(10, min(PLAYED // max(1, units), RUNS))
    return {
        name: escrowed(units, channels, safety=row["safety"], runs=runs) if row["allocation"] == "hard"
        else pooled(units, channels, buffer=row["safety"], runs=RUNS)
        for name, row in PRESETS.items()
    }


def _together(house: House) -> list[str]:
    """The channels of the largest pool: those that can sell the same unit."""
    policies = house.project.stock
    groups = [sorted({name, *rivals_of(policies, name)}) for name in policies]
    return max(groups, key=len, default=[])


def _measured(house: House, tx: Tx, uid: str, channel: str, now: datetime) -> Measured:
    sales = takings(tx, uid, now - timedelta(days=DAYS))
    orders = records(tx, sorted({row.order for row in sales}))
    placed: Mapping[str, datetime] = {
        order: datetime.fromisoformat(record.values["placed_at"]) for order, record in orders.items()
        if record.values.get("placed_at") is not None
    }
    own = [row for row in sales if row.channel == channel and placed.get(row.order, now) > now - timedelta(days=DAYS)]
    told = sorted(hop.at for hop in hops_of(tx, uid, limit=5_000) if _figure(hop, channel))
    lags = sorted(
        (next(at for at in told if at >= row.made_at) - placed[row.order]).total_seconds()
        for row in sales
        if row.channel != channel and row.order in placed and told and told[-1] >= row.made_at
    )
    fetched = fetch_interval(tx, channel) or 0.0        # whoever is not told hears when it comes for its feed
    unmeasured = max(float(_slowest(house, channel)), fetched)
    lag = lags[min(len(lags) - 1, int(len(lags) * WORST))] if lags else unmeasured
    return Measured(
        channel=channel, allocation="hard" if hard(house, channel) is not None else _allocation(house, channel),
        per_day=float(sum(row.quantity for row in own)) / DAYS, lag=max(0.0, lag), measured=len(lags),
    )


def _figure(hop: Hop, channel: str) -> bool:
    return hop.direction == "outward" and hop.entity == "stock" and hop.channel == channel


def _slowest(house: House, channel: str) -> int:
    """Seconds between two reads of the channels whose sales it would have to hear of."""
    others = rivals_of(house.project.stock, channel)
    return max((house.channel(name).every for name in others), default=house.channel(channel).every)


def _allocation(house: House, channel: str) -> str:
    return house.project.stock[channel].allocation or "shares"


def in_words(house: House, channel: str) -> str:
    """Which allocation the channel really has, how its figures rise, and why not otherwise."""
    policy, why = house.project.stock[channel], why_pooled(house, channel)
    each = ", a figure per location" if by_place(house, channel) else ""
    if why is not None:
        asked = "; `allocation: hard` is not in force" if policy.allocation == "hard" else ""
        return f"pooled only: {why}{asked}"
    if policy.allocation == "hard":
        how = ("its platform compares before it sets" if raises(house, channel) == "compare"
               else "zero, then its orders are read, then the raise")
        return f"under hard allocation: {how}{each}; nothing is oversold, whatever the lag"
    if policy.oversells:
        return (f"pooled: it shows all that is free{each}, and hears of sales elsewhere late; "
                "hard allocation is possible")
    return (f"given fixed shares{each}: no unit is shown twice, a raise waits for the lowering elsewhere; "
            "hard allocation is possible")


def _notes(house: House, measured: Sequence[Measured]) -> list[str]:
    notes = []
    for row in measured:
        notes.append(f"{row.channel} is {in_words(house, row.channel)}")
        if row.measured == 0:
            notes.append(f"{row.channel}: no sale elsewhere was told to it in {DAYS} days; the timetable's "
                         f"{row.lag:.0f} s count as its lag")
    return notes

