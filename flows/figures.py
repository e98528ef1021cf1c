"""How many units of each variant a channel may show now: what is free divided by policy, then what the escrow allows.

What surprises here:

* **Hard allocation** decides from what may still be *sold* on each channel (`flows.escrows`), not from what was told;
  any other from what was told and is being told: there a raise waits until every lowering is confirmed (P8).
* What a person decided for a while (`serai stop`) is the last word, and only ever lowers.
* **A listing that promises** (back-order, pre-order) is outside of both: its orders take only what no other channel may
  still sell (`flows.back_orders`), so it counts against nobody, and shows what comes as well.
* What counts is in whole steps of the article; what is told is a quantity again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from msgspec import Struct

from flows.holdings import Pool, Seen, articles, pools
from flows.pledges import (
    ZERO,
    Pledges,
    account,
    by_place,
    hard,
    kin,
    pledges,
    rivals_of,
    sold_from,
    told_figures,
)
from flows.shares import Dividing, Part, dividing, part
from flows.wiring import House
from mappings.commerce.stock import StockPolicy, allowed
from mappings.commerce.stock.allocation import holding_for
from mappings.commerce.stock.bundles import parts_of
from mappings.commerce.stock.escrow import Raises, figure, most, sending, waits_for_orders
from mappings.commerce.stock.promising import Promised, promised as with_what_comes
from mappings.commerce.stock.units import covering, sold_in
from registry import (
    EVERYWHERE,
    EscrowRow,
    OverrideRow,
    Tx,
    escrows,
    overrides,
    records,
)

Units: TypeAlias = int | Decimal
"""A figure: whole units, or a multiple of the article's step."""
RAISE_WAITS: Final = "a raise waits until the other channels' lowering is confirmed"
ORDERS_WAIT: Final = "a raise waits until the channel's orders are read"


def shown(values: Mapping[str, Any]) -> Decimal:
    """The figure of a stock contribution or record."""
    return Decimal(values["quantity"]["value"])


def of_text(figure: str) -> Units:
    """A figure that was told, as it is kept: ``7``, ``1.75``."""
    return _whole(Decimal(figure))


def _whole(units: Decimal) -> Units:
    return int(units) if units == units.to_integral_value() else units


class Escrowed(Struct, frozen=True, kw_only=True):
    """How a figure under hard allocation was found: what the registry keeps of it, how the channel lets it rise, and
    the room in steps that the other listings leave it."""

    row: EscrowRow
    raises: Raises
    room: int


class Told(Struct, frozen=True, kw_only=True):
    """What the escrow says of one listing: the aim, what is allowed now (in ``steps``, too), what stands between."""

    target: Units
    publish: Units
    steps: int
    waits: str
    escrowed: Escrowed


class Figure(Struct, frozen=True, kw_only=True):
    """What a channel may show of one variant: the aim, what is allowed now, and why; alike ones share it.

    ``parts`` is the split by its rows of stock, in their order. ``waits`` is what stands between the two, "" when
    nothing does; ``by_listing`` the same of each listing where the escrow decides; ``available_on`` the day by which
    all of it is there, where it is promised before.
    """

    target: Units
    publish: Units
    parts: Sequence[Units]
    policy: Mapping[str, Any]
    waits: str = ""
    by_listing: Mapping[str, Told] = {}
    available_on: date | None = None


class Figures(Struct, frozen=True, kw_only=True):
    """Variant → its figure, and row of stock → its part of what is published."""

    of: Mapping[str, Figure]
    by_stock: Mapping[str, Units]


NO_FIGURES: Final = Figures(of={}, by_stock={})


@dataclass(frozen=True, kw_only=True)
class _Page:
    """What the figures of a page have in common, and what was found already of pools, which alike variants share."""

    house: House
    channel: str
    now: datetime
    dividing: Dividing
    places: Mapping[str, str]
    way: Raises | None
    placed: bool
    calm: Set[tuple[str, str]]
    pledged: Pledges | None
    parts: dict[int, Part] = field(default_factory=dict)


def figures(
    house: House, tx: Tx, channel: str, every: Mapping[str, Sequence[dict[str, Any]]], now: datetime,
    variants: Mapping[str, Mapping[str, Any]] | None = None,
) -> Figures:
    """The figures of variants for this channel, from ``every`` stock record of each variant; ``variants`` are their own
    values, as far as they were read already.

    ``target = Σ sellable − reserved`` over the policy's locations, divided by policy. ``publish``: under hard
    allocation what the escrow allows; else never more than sellable less what the other channels are exposed with, the
    larger of what each was last told and is being told. A constant number of statements.
    """
    policies = house.project.stock
    rule = policies.get(channel)
    divides = dividing(policies, channel)
    others, places = divides.rivals, sold_from(house, tx)
    way = hard(house, channel)
    related = kin(tx, list(every)) if way is not None else {}
    there = pools(house, tx, sorted({*every, *(part for parts in related.values() for part in parts)}), now,
                  Seen(variants=variants or {}, stocks=every))
    calm = promising(house, tx, {*every, *related}) if any_promises(policies) else set()
    pledged = pledges(house, tx, {channel, *others}, related, there, places, calm) if way is not None else None
    soft = {name for name in others if way is None or hard(house, name) is None}
    pooled = rule is not None and all(row.oversells for row in (rule, *(one for _, one in rule.cohorts)))
    exposed = exposures(tx, soft, every) if soft and not pooled else {}
    decided = overrides(tx, "stock", list(every), now)
    page = _Page(
        house=house, channel=channel, now=now, dividing=divides, places=places, way=way,
        placed=by_place(house, channel), calm=calm, pledged=pledged,
    )
    found: dict[str, Figure] = {}
    by_stock: dict[str, Units] = {}
    alike: dict[tuple[Any, ...], Figure] = {}
    for variant, stocks in every.items():
        known = there.of.get(variant)
        if known is None:                       # a bundle that holds itself can be put together never
            continue
        beside = exposed.get(variant) or {}
        word = (decided.get((channel, variant)) or decided.get((EVERYWHERE, variant))) if decided else None
        if pledged is not None or calm or word is not None:
            figure = _figure(page, variant, stocks, known, beside, word)
        else:
            like = id(known), *beside.items()
            if like not in alike:
                alike[like] = _figure(page, variant, stocks, known, beside, None)
            figure = alike[like]
        found[variant] = figure
        for row, units in zip(stocks, figure.parts, strict=True):
            by_stock[row["uid"]] = units
    return Figures(of=found, by_stock=by_stock)


def _figure(
    page: _Page, variant: str, stocks: Sequence[Mapping[str, Any]], known: Pool, beside: Mapping[str, Units],
    word: OverrideRow | None,
) -> Figure:
    """The figure of one variant; ``beside`` is what others are exposed with, ``word`` what a person decided of it."""
    channel, pledged, step = page.channel, page.pledged, known.step
    mine = page.parts.get(id(known)) if word is None else None
    if mine is None:
        mine = part(page.dividing, known, word)
        if word is None:
            page.parts[id(known)] = mine
    rule, split, target = mine.rule, mine.split, mine.target
    kept = pledged.by_variant.get(variant, {}) if pledged is not None else {}
    others_now = {
        name: covering(Decimal(units), step) for name, units in {**beside, **kept}.items()
        if name != channel and (name, variant) not in page.calm
    } if beside or kept else {}
    left = mine.left if others_now or mine.bounding else target      # alone it may show all that is its part
    by_listing: Mapping[str, Told] = {}
    calm = (channel, variant) in page.calm
    if pledged is not None and page.way is not None and rule is not None and rule.allocation == "hard" and not calm:
        aims = {variant: target} if not page.placed else {
            row["uid"]: split.get(page.places.get(row["location"], ""), 0) for row in stocks
        }
        by_listing = _by_escrow(pledged, channel, page.way, aims, step)
    waits, told = "", None
    if rule is not None and calm:
        codes_of = set(rule.locations)
        comes = known.inbound(codes_of) if mine.because is None else []      # a person's word is about all of it
        owed = known.back_orders(codes_of) if mine.because is None else ZERO
        today = page.now.date()
        told = with_what_comes(rule, allowed(target, left, others_now.values()), comes, owed, today, step)
        aim = with_what_comes(rule, target, comes, owed, today, step)
        publish, target = told.steps, aim.steps
        split = _with_rest(split, publish, rule, known)
        waits = RAISE_WAITS if publish < target else ""
    elif by_listing:
        publish = sum(one.steps for one in by_listing.values())
        waits = next((one.waits for one in by_listing.values() if one.waits), "")
    else:
        publish = target if rule is not None and rule.oversells else allowed(target, left, others_now.values())
        waits = RAISE_WAITS if publish < target else ""
    aimed, allowed_now = _units(target, step), _units(publish, step)
    return Figure(
        target=aimed, publish=allowed_now, waits=waits, by_listing=by_listing,
        parts=[by_listing[row["uid"]].publish for row in stocks] if page.placed and by_listing
        else _spread(publish, split, stocks, page.places, step),
        available_on=None if told is None else told.available_on,
        policy={
            "sellable": {code: str(units) for code, units in mine.sellable.items()},
            "reserved": {str(code): str(units) for code, units in mine.reserved.items()},
            "exposed": {name: _plain(_units(units, step)) for name, units in others_now.items()},
            "share": "0" if rule is None else str(rule.share),
            "target": _plain(aimed), "publish": _plain(allowed_now),
            **({} if rule is None or rule.allocation is None else {"allocation": rule.allocation}),
            **({} if mine.because is None else {"decided": mine.because}),
            **_why(page.house.project.stock.get(channel), rule, known, told),
        },
    )


def _by_escrow(
    pledged: Pledges, channel: str, way: Raises, aims: Mapping[str, int], step: Decimal
) -> dict[str, Told]:
    """Listing → what the channel may be told of it; nothing where an account is not opened yet, or in other steps.

    One after the other: what one is to be raised by is nothing that another could have.
    """
    rows = [pledged.rows.get(uid, {}).get(channel) for uid in aims]
    if any(row is None or row.step != step for row in rows):
        return {}
    found = {}
    for uid, target in aims.items():
        row = pledged.rows[uid][channel]
        own = account(row)
        room = pledged.room(channel, uid)
        publish = figure(own, target, room, way)
        waits = RAISE_WAITS if publish < target else ""
        if waits_for_orders(own) and (target > publish or publish != own.shown):
            waits = ORDERS_WAIT
        found[uid] = Told(
            target=_units(target, step), publish=_units(publish, step), steps=publish, waits=waits,
            escrowed=Escrowed(row=row, raises=way, room=room),
        )
        if publish != own.shown:
            pledged.takes(channel, uid, most(sending(own, publish, way)))
    return found


def _why(row: StockPolicy | None, rule: StockPolicy | None, known: Pool, told: Promised | None) -> dict[str, Any]:
    """What else decided a figure, in words: the cohort's row, what comes, what a step leaves over, what a rule took."""
    said: dict[str, Any] = {} if known.because == [] else {"because": known.because}
    cohort = row.cohort(known.article) if row is not None and known.article is not None else None
    if cohort is not None:
        said["cohort"] = cohort
    if known.step != 1:
        said["step"] = str(known.step)
        said["left_over"] = str(sum(sold_in(units, known.step)[1] for units in known.left().values()))
    if told is not None and rule is not None:
        codes = set(rule.locations)
        said |= {
            "listing": rule.listing, "back_orders": str(known.back_orders(codes)),
            "inbound": [[day.isoformat(), str(units)] for day, units in sorted(known.inbound(codes))],
            "available_on": None if told.available_on is None else told.available_on.isoformat(),
        }
    return said


def any_promises(policies: Mapping[str, StockPolicy]) -> bool:
    """Whether some channel sells goods before they are there."""
    return any(row.promises for policy in policies.values() for row in (policy, *(one for _, one in policy.cohorts)))


def promising(house: House, tx: Tx, variants: Collection[str]) -> set[tuple[str, str]]:
    """The listings (channel, variant) that promise goods before they are there; a bundle never does."""
    policies = house.project.stock
    described = {uid: record.values for uid, record in records(tx, sorted(variants)).items()}
    known = articles(house, tx, described)
    return {
        (channel, uid) for uid, values in described.items() if not parts_of(values)
        for channel, policy in holding_for(policies, known.get(uid)).items() if policy.promises
    }


def others_may_sell(
    house: House, tx: Tx, channel: str, stocks: Mapping[str, Sequence[dict[str, Any]]], *, lock: bool = False
) -> dict[str, dict[str, Units]]:
    """Variant → other channel → the most that may still be sold there of what is there.

    Those that share a pool on purpose, and those that promise, take nothing that somebody else may not sell as well.
    """
    policies = house.project.stock
    others = {name for name in rivals_of(policies, channel) if not policies[name].oversells}
    kept = {name for name in others if hard(house, name) is not None}
    calm = promising(house, tx, stocks) if any_promises(policies) else set()
    told = exposures(tx, others - kept, stocks) if others - kept else {}
    owner = {**dict.fromkeys(stocks), **{row["uid"]: variant for variant, rows in stocks.items() for row in rows}}
    found: dict[str, dict[str, Units]] = {variant: dict(told.get(variant, {})) for variant in stocks}
    for uid, rows in (escrows(tx, list(owner), lock=lock) if kept else {}).items():
        variant = owner[uid]
        for name, row in rows.items():
            if name in kept and by_place(house, name) == (variant is not None):
                here = found[variant or uid]
                here[name] = here.get(name, 0) + _units(most(account(row)), row.step)
    return {variant: {name: units for name, units in here.items() if (name, variant) not in calm}
            for variant, here in found.items()}


def _units(steps: int, step: Decimal) -> Units:
    return steps if step == 1 else steps * step


def _plain(units: Units) -> int | str:
    return units if isinstance(units, int) else str(units)


def _with_rest(split: Mapping[str, int], steps: int, rule: StockPolicy, known: Pool) -> dict[str, int]:
    """The split with what is promised beyond it: at the first place where some of it comes, else at the first place."""
    first = next((code for code in rule.locations if known.inbound({code})), rule.locations[0])
    rest = max(0, steps - sum(split.values()))
    return {**split, first: split.get(first, 0) + rest}


def _spread(
    publish: int, split: Mapping[str, int], stocks: Sequence[Mapping[str, Any]], places: Mapping[str, str],
    step: Decimal,
) -> list[Units]:
    """The parts of ``publish`` by row of stock: each location's own, cut from the last when less is allowed."""
    left = publish
    parts: list[Units] = [0] * len(stocks)
    for code, amount in split.items():
        for at, stock in enumerate(stocks):
            if places.get(stock["location"]) == code:
                part = min(left, amount)
                parts[at] = _units(part, step)
                left -= part
                break
    return parts


def exposures(
    tx: Tx, rivals: Set[str], stocks: Mapping[str, Sequence[dict[str, Any]]]
) -> dict[str, dict[str, Units]]:
    """Variant → rival → the most it may be showing, at all its places: last told or being told, else seen to hold."""
    owner = {**{variant: variant for variant in stocks},
             **{stock["uid"]: variant for variant, rows in stocks.items() for stock in rows}}
    found: dict[str, dict[str, Units]] = {}
    for uid, told in told_figures(tx, rivals, list(owner)).items():
        here = found.setdefault(owner[uid], {})
        for name, units in told.items():
            here[name] = _whole(here.get(name, 0) + units)
    return found
