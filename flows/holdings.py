"""What there is of variants, place by place, as it counts now: the ledger, silent sources, counts under way, bundles.

What surprises here: nothing of this is stored. A figure is what its source said; what counts of it follows from the
moment, from who is silent, and from what is being counted, and every departure from the figure has its sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

from flows.reserving import recipes
from flows.wiring import House
from mappings.commerce.fulfilment.calendar import calendar
from mappings.commerce.stock.allocation import connected, left
from mappings.commerce.stock.bundles import Parts, makeable_by_location
from mappings.commerce.stock.cohorts import Article, article
from mappings.commerce.stock.freshness import (
    Source,
    is_dead,
    is_silent,
    of_dead_source,
    quieted,
    spoken,
    while_counting,
)
from mappings.commerce.stock.ledger import (
    Holding,
    Inbound,
    Place,
    back_orders,
    faults,
    holding,
    missing,
    ours,
    owed,
    pool,
    unreserved,
)
from mappings.commerce.stock.units import ONE, counted_in
from registry import (
    Record,
    Reservation,
    Tx,
    before_counts,
    bindings_of,
    cursors,
    encode,
    linked,
    promises,
    records,
    records_by_field,
    reserved_since,
    silences,
)

ZERO: Final = Decimal(0)
WEEK: Final = timedelta(days=7)
"""What usually sells is told from so long a time."""


class Standing(Struct, frozen=True, kw_only=True):
    """One variant at one place: what its source says, and ``units`` of it that could be sold if none were reserved.

    ``there`` are the units that lie there as far as anybody knows, some of which a rule may hide. ``pooled`` is whether
    it counts at all: what others hold is shown only. ``because`` are the sentences of whatever rule departed from the
    figure, ``faults`` what cannot be.
    """

    location: str
    code: str
    source: str
    held: Holding
    units: Decimal
    there: Decimal
    pooled: bool
    unit: str
    held_by: str = "us"
    because: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    inbound: Inbound = ()


class Pool(Struct, frozen=True, kw_only=True):
    """What may be divided of one variant, by the code of the place: as ``commerce.stock.allocation`` takes it.

    ``reserved`` at None is reserved, or lacking, nowhere in particular. A bundle has ``parts``; what is sellable of it
    is what can be put together of what is free of them, at one place. ``waiting`` are units of orders that wait for
    goods that come; a bundle promises nothing that is not there. ``step`` is the least that is sold of it. ``pools``
    are the places that stand in for each other (`connected`).
    """

    sellable: Mapping[str, Decimal]
    reserved: Mapping[str | None, Decimal]
    standings: Sequence[Standing] = ()
    parts: Parts = {}
    waiting: Mapping[str | None, Decimal] = {}
    article: Article | None = None
    step: Decimal = ONE
    pools: tuple[frozenset[str], ...] | None = None

    @property
    def because(self) -> list[str]:
        """Why a figure is not what its source says, once each."""
        return list(dict.fromkeys(sentence for one in self.standings for sentence in one.because))

    def left(self) -> dict[str, Decimal]:
        """What nobody has claimed, by the code of the place, exactly."""
        return left(self.sellable, self.reserved, self.pools)

    def inbound(self, codes: Collection[str] | None = None) -> list[tuple[date, Decimal]]:
        """What is announced for these places (None: for all of ours), with its days."""
        return [] if self.parts else [
            row for one in self.standings if one.pooled and (codes is None or one.code in codes)
            for row in one.inbound
        ]

    def back_orders(self, codes: Collection[str] | None = None) -> Decimal:
        """Open back-orders at these places and at none in particular (None: at all of ours)."""
        if self.parts:
            return ZERO
        asked = {*self.sellable, *self.waiting} if codes is None else {*codes, None}
        return back_orders(
            {code: units for code, units in self.sellable.items() if code in asked},
            {code: units for code, units in self.reserved.items() if code is None or code in asked},
            waiting=sum((units for code, units in self.waiting.items() if code is None or code in asked), ZERO),
            owed=sum((owed(one.held) for one in self.standings if one.pooled and one.code in asked), ZERO),
            pools=self.pools,
        )


class Pools(Struct, frozen=True, kw_only=True):
    """What may be divided of a page of variants: ``of`` each its pool, the very same for those that are alike; and
    ``stocks``, the rows of stock that lie behind it, in the order of its standings (a bundle has none of its own)."""

    of: Mapping[str, Pool]
    stocks: Mapping[str, Sequence[Mapping[str, Any]]]


class Seen(Struct, frozen=True, kw_only=True):
    """What was read already, so that it is not read again: values of variants, and all stock rows of each, by uid."""

    variants: Mapping[str, Mapping[str, Any]] = {}
    stocks: Mapping[str, Sequence[Mapping[str, Any]]] = {}


NOTHING: Final = Seen()


@dataclass(kw_only=True)
class _Known:
    """What a page of variants needs to know, loaded at once: the values of variants, of their stock and of places by
    uid, and the places' codes; the codes of the locations that channels sell from, in pools; and how long dead sources
    have said nothing."""

    variants: Mapping[str, Mapping[str, Any]]
    stocks: Mapping[str, Sequence[Mapping[str, Any]]]
    places: Mapping[str, Mapping[str, Any]]
    codes: Mapping[str, str]
    pools: tuple[frozenset[str], ...] | None
    sold_from: Set[str]
    source: Mapping[str, str]
    dead: Mapping[str, timedelta]
    before: Mapping[str, Decimal]
    rate: Mapping[str, Decimal]
    mute: Mapping[str, str]
    packs: Mapping[str, tuple[str, Decimal]]
    articles: Mapping[str, Article]
    alike: dict[tuple[Any, ...], Pool] = field(default_factory=dict)


def pools(
    house: House, tx: Tx, variants: Collection[str], now: datetime, seen: Seen = NOTHING
) -> Pools:
    """What may be divided of these variants. A constant number of statements, however many variants and parts."""
    made_of = recipes(tx, variants, seen.variants)
    own = sorted({*variants, *(part for parts in made_of.values() for part in parts)} - made_of.keys())
    promised = _promised(tx, own)
    known = _known(house, tx, own, sorted(made_of), promised, now, seen)
    found = {variant: _own(house, known, variant, promised.get(variant, ()), now) for variant in own}
    over = {part: found[part].left() for parts in made_of.values() for part in parts if part in found}
    for variant in _parts_first(made_of):
        parts = made_of[variant]
        over[variant] = made = {code: Decimal(n) for code, n in makeable_by_location(over, parts).items()}
        found[variant] = Pool(
            sellable=made, reserved={}, parts=parts, article=known.articles.get(variant),
            standings=[one for part in parts if part in found for one in found[part].standings],
        )
    return Pools(of={variant: found[variant] for variant in variants if variant in found}, stocks=known.stocks)


def _parts_first(made_of: Mapping[str, Parts]) -> list[str]:
    """Bundles, those that are parts of others before them; one that holds itself is left out."""
    done: list[str] = []
    left = dict(made_of)
    while ready := [name for name, parts in left.items() if not parts.keys() & left.keys()]:
        done += ready
        for name in ready:
            del left[name]
    return done


def _known(
    house: House, tx: Tx, variants: Sequence[str], bundles: Sequence[str],
    promised: Mapping[str, Sequence[Reservation]], now: datetime, seen: Seen,
) -> _Known:
    stocks = _stock_rows(tx, variants, seen)
    rows = {one["uid"]: one for uid in variants for one in stocks[uid]}
    places = records(tx, sorted({one["location"] for one in rows.values()} | {
        row.location for held in promised.values() for row in held if row.location is not None
    }))
    unread = [uid for uid in (*variants, *bundles) if uid not in seen.variants]
    described = {**seen.variants, **{uid: record.values for uid, record in records(tx, unread).items()}}
    sources = house.project.counting.sources
    source = dict.fromkeys(rows, next(iter(sources), ""))
    if len(sources) > 1:
        for uid, bound in bindings_of(tx, list(rows), "stock").items():
            source[uid] = next((one.channel for one in bound if one.channel in sources), source[uid])
    age = ages(house, tx, now)
    mute = muted(house, tx, places, now)
    counting = [uid for uid, one in rows.items() if "count" in one and _counted(one)]
    dead = {name: old for name, old in age.items() if is_dead(sources[name], old)}
    quiet = mute.keys() | dead.keys()
    sold = reserved_since(tx, variants, now - WEEK) if quiet else {}
    odd = {variant for variant in variants for one in stocks[variant]
           if variant in described and one["quantity"]["unit"] != described[variant].get("unit")}
    there = {uid: place.values for uid, place in places.items()}
    connections = connected(house.project.stock)
    return _Known(
        variants=described, stocks=stocks, places=there,
        codes={uid: values.get("code", uid) for uid, values in there.items()},
        pools=connections or None, sold_from=frozenset[str]().union(*connections),
        source=source, dead=dead, mute=mute,
        before=before_counts(tx, counting) if counting else {},
        rate={variant: units / Decimal(WEEK // timedelta(hours=1)) for variant, units in sold.items()},
        packs=_packs(tx, odd) if odd else {},
        articles=articles(house, tx, described),
    )


def _stock_rows(tx: Tx, variants: Sequence[str], seen: Seen) -> dict[str, Sequence[Mapping[str, Any]]]:
    """Variant → the values of its stock records, each with its uid."""
    unread = [uid for uid in variants if uid not in seen.stocks]
    found = records_by_field(tx, "stock", "variant", unread)
    return {**seen.stocks, **{uid: [{**one.values, "uid": one.uid} for one in rows] for uid, rows in found.items()}}


def articles(house: House, tx: Tx, variants: Mapping[str, Mapping[str, Any]]) -> dict[str, Article]:
    """Variant → what cohorts ask of it, where some channel has cohorts; else nothing is looked up."""
    cohorts = [cohort for policy in house.project.stock.values() for cohort, _ in policy.cohorts]
    if not cohorts:
        return {}
    above: Mapping[str, Record] = {}
    if any(cohort.categories or cohort.fields for cohort in cohorts):
        above = records(tx, sorted({values["product"] for values in variants.values() if values.get("product")}))
    products = {uid: record.values for uid, record in above.items()}
    return {uid: article(values, products.get(values.get("product") or "")) for uid, values in variants.items()}


def _packs(tx: Tx, variants: Collection[str]) -> dict[str, tuple[str, Decimal]]:
    """Variant → (the unit of its case, pieces in it), of the variants that are cases of it."""
    cases = linked(tx, "variant", "components", sorted(variants))
    found = {}
    for record in records(tx, sorted({uid for uids in cases.values() for uid in uids})).values():
        case = record.values.get("case")
        if case is not None:
            found[case["variant"]] = record.values["unit"], Decimal(case["quantity"]["value"])
    return found


def ages(house: House, tx: Tx, now: datetime) -> dict[str, timedelta]:
    """Source → how long ago its stock was last asked for with success; only of those that were read at all."""
    found: dict[str, timedelta] = {}
    sources = house.project.counting.sources
    for row in cursors(tx) if sources else ():
        mapping = house.of(row.channel).inward.get(row.resource) if row.channel in sources else None
        if mapping is not None and "stock" in mapping.inward:
            age = max(timedelta(0), now - row.asked_at)
            found[row.channel] = min(age, found.get(row.channel, age))
    return found


def muted(house: House, tx: Tx, places: Mapping[str, Record], now: datetime) -> dict[str, str]:
    """Place → the till that should have said something of it and did not."""
    tills = {name: till for name, till in house.project.counting.tills.items() if till.silent_after is not None}
    if not tills:
        return {}
    found = {}
    for (name, place), heard in silences(tx).items():
        if name in tills and place in places:
            values = places[place].values
            hours = calendar(zone=values.get("zone") or house.channel(name).company.zone, hours=values.get("hours"))
            if is_silent(tills[name], hours, heard.heard_at, now):
                found[place] = name
    return found


def _own(
    house: House, known: _Known, variant: str, promised: Sequence[Reservation], now: datetime
) -> Pool:
    """The pool of a variant that has stock of its own.

    What a place lacks is taken off the pool that channels sell from; a place that none of them sells from has no pool,
    and its lack is a fault that is only told. Of variants that are alike it is reached once a page.
    """
    like = _likeness(known, variant, promised)
    if like in known.alike:
        return known.alike[like]
    standings = [_standing(house, known, variant, stock, now) for stock in known.stocks[variant]]
    rows = [
        (row, None if row.location is None else known.codes.get(row.location, row.location))
        for row in promised if ours(known.places.get(row.location or "", {}))
    ]
    places = [
        Place(code=one.code, units=one.units, there=one.there,
              missing=missing(one.held) if one.code in known.sold_from else ZERO)
        for one in standings if one.pooled
    ]
    sellable, reserved = pool(places, ((code, row.quantity) for row, code in rows if not row.waiting))
    waiting: dict[str | None, Decimal] = {}
    for row, code in rows:
        if row.waiting:
            waiting[code] = waiting.get(code, ZERO) + row.quantity
    step = known.variants.get(variant, {}).get("step")
    found = Pool(
        sellable=sellable, reserved=reserved, standings=standings, waiting=waiting, article=known.articles.get(variant),
        step=ONE if step is None else Decimal(step),
        pools=known.pools,
    )
    if like is not None and not any(one.faults or one.because for one in standings):    # those name the article
        known.alike[like] = found
    return found


def _likeness(known: _Known, variant: str, promised: Sequence[Reservation]) -> tuple[Any, ...] | None:
    """What a pool follows from: two variants with the same have the same.

    None where more than the sources' words and orders decides: a cohort, a case of several, a silence, a count.
    """
    if variant in known.articles or variant in known.packs:
        return None
    described, rows = known.variants.get(variant, {}), known.stocks[variant]
    like: list[Any] = [described.get("unit"), described.get("step")]
    for row in rows:
        uid = row["uid"]
        source = known.source[uid]
        if uid in known.before or source in known.dead or row["location"] in known.mute:
            return None
        like.append(source)
    for one in promised:
        like += (one.location, str(one.quantity), one.waiting)
    like.append(encode([{name: said for name, said in row.items() if name not in _ITS_OWN} for row in rows]))
    return tuple(like)


_ITS_OWN: Final = frozenset(("uid", "variant", "as_of"))
"""What of a row of stock tells which it is, not what there is."""


def _promised(tx: Tx, variants: Collection[str]) -> dict[str, list[Reservation]]:
    """Variant → what still binds stock of it, in the order of orders and lines; only of those with any."""
    found: dict[str, list[Reservation]] = {}
    for row in promises(tx, variants):
        found.setdefault(row.variant, []).append(row)
    return found


def _counted(row: Mapping[str, Any]) -> bool:
    """Whether the goods are being counted just now."""
    return (row["count"] or {}).get("state") == "counting"


def _standing(house: House, known: _Known, variant: str, values: Mapping[str, Any], now: datetime) -> Standing:
    at = known.places.get(values["location"], {})
    name = known.source.get(values["uid"], "")
    source = house.project.counting.sources.get(name) or Source(figure=values["quantity"]["kind"], restocks="source")
    described = known.variants.get(variant, {})
    sku, code = described.get("sku", variant), at.get("code", values["location"])
    unit, of_variant = values["quantity"]["unit"], described.get("unit", values["quantity"]["unit"])
    held = holding(values, today=now.date(), expires_within=source.expires_within)
    units = counted_in(unreserved(held), unit, of_variant, known.packs.get(variant))
    rate, because = known.rate.get(variant, ZERO), []
    told = there = units if units is not None else ZERO
    if "count" in values and _counted(values):
        before = known.before.get(values["uid"])
        there = max(told, ZERO if before is None else before)
        adjusted = while_counting(told, before, source.counting, code)
        told = adjusted.units
        because.append(adjusted.because)
    if name in known.dead:
        adjusted = of_dead_source(told, name, source, known.dead[name], rate)
        told = adjusted.units
        because.append(adjusted.because)
    till = known.mute.get(values["location"])
    if till is not None:
        rule = house.project.counting.tills[till]
        after = rule.silent_after or timedelta(0)
        why = f"{till} said nothing of {code} for {spoken(after)} of its hours"
        adjusted = quieted(told, rule.silent, rate, after, why)
        told = adjusted.units
        because.append(adjusted.because)
    return Standing(
        location=values["location"], code=code, source=name, held=held, units=told, unit=unit,
        there=there, pooled=ours(at), held_by=at.get("held_by") or "us", because=tuple(because),
        inbound=tuple(
            (day, pieces) for day, units in held.inbound
            if (pieces := counted_in(units, unit, of_variant, known.packs.get(variant))) is not None
        ),
        faults=tuple(faults(sku, code, held, unit, of_variant if units is None else unit)) + _other_kind(
            sku, code, name, source, held
        ),
    )


def _other_kind(sku: str, code: str, name: str, source: Source, held: Holding) -> tuple[str, ...]:
    if held.kind == source.figure:
        return ()
    return (f"{sku} at {code}: {name} tells {held.kind}, policies/stock.yaml says {source.figure}: an order is taken "
            "to be in it only once its goods have gone",)
