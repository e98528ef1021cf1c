"""The ledger of one article for people: place by place, what is promised to whom, what may be promised for a day.

What surprises here: it is the same ``pools`` that decides what channels are told, so what is printed is what counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from flows import tracked
from flows.holdings import Pool, Standing, ages, pools
from flows.why import Unknown
from flows.wiring import House
from mappings.commerce.stock.allocation import free
from mappings.commerce.stock.freshness import is_dead, spoken
from mappings.commerce.stock.ledger import promise
from mappings.commerce.stock.units import pieces, sold_in
from registry import Reservation, Tx, owners, promises, records, records_where, silences

ZERO: Final = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Promised:
    """Units promised to an order, and how far they are on their way out of the figures."""

    order: str
    channel: str
    place: str
    units: Decimal
    since: datetime | None
    state: str


@dataclass(frozen=True, kw_only=True)
class Article:
    """What there is of one article. ``free`` is by the code of the place, in whole steps of it; ``left`` what its step
    leaves over; ``back_orders`` what orders want beyond what is there; ``loose`` the parts (SKU → units) that do not
    make a whole one."""

    sku: str
    name: str
    unit: str
    pool: Pool
    free: dict[str, Decimal]
    left: Decimal
    promised: Sequence[Promised]
    parts: dict[str, Decimal]
    by_day: dict[date, Decimal] = field(default_factory=dict)
    back_orders: Decimal = ZERO
    loose: dict[str, Decimal] = field(default_factory=dict)

    @property
    def standings(self) -> Sequence[Standing]:
        """Its own places; none for a bundle, whose parts have theirs."""
        return () if self.parts else self.pool.standings


def article(house: House, sku: str, on: date | None = None) -> Article:
    """The ledger of an article by its SKU or uid; ``on`` adds what may be promised for that day. Raises Unknown."""
    with house.registry.read() as tx:
        found = owners(tx, [("variant", "sku", sku)])
        uid = found.get(("variant", "sku", sku), sku)
        record = records(tx, [uid]).get(uid)
        if record is None or record.entity != "variant":
            raise Unknown(f"no article has the SKU or uid {sku!r}")
        now = house.registry.now()
        pool = pools(house, tx, [uid], now).of.get(uid, Pool(sellable={}, reserved={}))
        made_of = pools(house, tx, sorted(pool.parts), now).of if pool.parts else {}
        rows = promises(tx, [uid])
        orders = records(tx, sorted({row.order for row in rows}))
        codes = {one.location: one.code for one in pool.standings}
        parts = {part: number for part, number in pool.parts.items()}
        named = records(tx, sorted(parts))
    values = record.values
    left = pool.left()
    days = {} if on is None else {on: promise(sum(left.values(), ZERO), pool.inbound(), on, pool.back_orders())}
    return Article(
        sku=values["sku"], name=values.get("name", ""), unit=values.get("unit", "each"), pool=pool,
        free={code: pieces(Decimal(steps), pool.step)
              for code, steps in free(pool.sellable, pool.reserved, pool.step, pool.pools).items()},
        left=sum((sold_in(units, pool.step)[1] for units in left.values()), ZERO), by_day=days,
        back_orders=pool.back_orders(),
        loose={named[part].values["sku"]: over for part, number in parts.items() if part in named and part in made_of
               and (over := sum(made_of[part].left().values(), ZERO) - number * sum(pool.sellable.values(), ZERO)) > 0},
        parts={named[part].values["sku"] if part in named else part: number for part, number in parts.items()},
        promised=[
            Promised(
                order=orders[row.order].values.get("number", row.order) if row.order in orders else row.order,
                channel=row.channel, place=codes.get(row.location or "", row.location or "anywhere"),
                units=row.quantity, since=row.made_at, state=state_of(row),
            ) for row in rows if row.quantity != 0
        ],
    )


def state_of(row: Reservation) -> str:
    """How far promised units are, in words."""
    if row.quantity < 0:
        return "given back until a count"
    if row.waiting:
        return "back-order: waits for goods that come"
    if row.posted_at is not None:
        return "gone; ends with the next figure"
    if row.moved_at is not None:
        return "handed over; its till has not posted it"
    return "open" if row.taken_at is None else "taken by who counts stock"


def faults(house: House) -> list[str]:
    """What cannot be, or cannot be taken as it stands, in all stock: one sentence each; sources and tills first."""
    with house.registry.read() as tx:
        now = house.registry.now()
        found = _silent(house, tx, now)
        variants = sorted({record.values["variant"] for record in records_where(tx, "stock")})
        for start in range(0, len(variants), 1_000):
            for pool in pools(house, tx, variants[start:start + 1_000], now).of.values():
                found += [sentence for one in pool.standings for sentence in one.faults]
        found += tracked.faults(house, tx)
    return found


def _silent(house: House, tx: Tx, now: datetime) -> list[str]:
    sources, tills = house.project.counting.sources, house.project.counting.tills
    found = [
        f"{name} has not been read for {spoken(age)}, its level is {spoken(sources[name].level)}: published is "
        f"{sources[name].dead.replace('_', ' ')}"
        for name, age in ages(house, tx, now).items() if is_dead(sources[name], age)
    ]
    rows = silences(tx)
    named = records(tx, sorted({place for _, place in rows if place}))
    return found + [
        f"{name} says nothing of {named[place].values['code'] if place in named else place} since "
        f"{row.quiet_since:%Y-%m-%d %H:%M} UTC: published is {tills[name].silent.replace('_', ' ')}"
        for (name, place), row in sorted(rows.items())
        if place and row.quiet_since is not None and name in tills
    ]
