"""How many units of each variant a channel may show now: what is free divided by policy, then what the escrow allows.

What surprises here:

* **Hard allocation** decides from what may still be *sold* on each channel (`flows.escrows`), not from what was told;
  any other from what was told and is being told: there a raise waits until every lowering is confirmed (P8).
* What a person decided for a while (`serai stop`) is the last word, and only ever lowers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

from connectors.base import Misconfigured
from flows.holdings import Pool, pools
from flows.reserving import recipes, with_bundles
from flows.wiring import House
from mappings.commerce.stock import StockPolicy, allowed, free, publish_by_location
from mappings.commerce.stock.bundles import Parts, explode
from mappings.commerce.stock.escrow import Account, Raises, figure, most, room, waits_for_orders
from registry import (
    EVERYWHERE,
    EscrowRow,
    OverrideRow,
    Tx,
    bindings_of,
    decode,
    escrows,
    in_flight_payloads,
    overrides,
    owners,
)

ZERO: Final = Decimal(0)
PUBLISH: Final = "$publish"
"""Where the figure last told stands among a binding's kept values and in an outbox row's payload."""
RAISE_WAITS: Final = "a raise waits until the other channels' lowering is confirmed"
ORDERS_WAIT: Final = "a raise waits until the channel's orders are read"


def shown(values: Mapping[str, Any]) -> Decimal:
    """The figure of a stock contribution or record."""
    return Decimal(values["quantity"]["value"])


class Escrowed(Struct, frozen=True, kw_only=True):
    """How a figure under hard allocation was found: what the registry keeps of it, and how the channel lets it rise."""

    row: EscrowRow
    raises: Raises


class Figure(Struct, frozen=True, kw_only=True):
    """What a channel may show of one variant: the aim, what is allowed now, the split by stock record, and why.

    ``waits`` is what stands between the two, "" when nothing does.
    """

    target: int
    publish: int
    by_stock: Mapping[str, int]
    policy: Mapping[str, Any]
    waits: str = ""
    escrowed: Escrowed | None = None


def account(row: EscrowRow) -> Account:
    """The row as the rules of trade know it."""
    return Account(held=row.held, shown=row.shown, sent=row.sent, open=row.open, late=row.late, back=row.back)


def raises(house: House, channel: str) -> Raises | None:
    """How a channel's figures may rise under hard allocation; None: it can do neither way, and is `pooled`.

    By comparing, where its platform says so; else by zero and its orders. Both want one figure per listing and orders
    that we read.
    """
    group = house.of(channel).outward.get("stock")
    carries = house.channel(channel).entities
    sells = "order" in carries and any("order" in mapping.inward for mapping in house.of(channel).inward.values())
    if group is None or group.base != "variant" or not sells:
        return None
    try:
        return "compare" if house.descriptor(channel, group.mapping.resource).compare_and_set else "zero"
    except Misconfigured:       # nothing can be written to it now; what it may still sell counts all the same
        return "zero"


def hard(house: House, channel: str) -> Raises | None:
    """How figures rise where hard allocation is in force on the channel; None where it is not."""
    policy = house.project.stock.get(channel)
    if policy is None or policy.allocation != "hard" or house.rehearses:
        return None         # a rehearsal asks no channel what it shows: it tells the aim, by what each was last told
    return raises(house, channel)


def pool_of(policies: Mapping[str, StockPolicy], locations: Sequence[str]) -> set[str]:
    """The locations of every channel that shares one with these, so that a pool is compared with all it feeds."""
    shared = set(locations)
    for policy in policies.values():
        if shared & set(policy.locations):
            shared |= set(policy.locations)
    return shared


def rivals_of(policies: Mapping[str, StockPolicy], channel: str) -> set[str]:
    """The other channels that sell from the same pool."""
    pool = pool_of(policies, policies[channel].locations if channel in policies else ())
    return {name for name, policy in policies.items() if name != channel and pool.intersection(policy.locations)}


def kin(tx: Tx, variants: Collection[str]) -> dict[str, dict[str, Decimal]]:
    """Every listing that is made of something these are made of → what one of it takes of each part.

    An article takes one of itself. A bundle that holds itself takes nothing: it can be put together never.
    """
    made_of = recipes(tx, variants)
    parts = {part for uid in variants for part in _taken(uid, made_of)}
    listings = with_bundles(tx, parts) | set(variants)
    made_of |= recipes(tx, listings - set(variants)) if listings != set(variants) else {}
    return {uid: _taken(uid, made_of) for uid in sorted(listings)}


def _taken(listing: str, made_of: Mapping[str, Parts]) -> dict[str, Decimal]:
    try:
        return explode(listing, Decimal(1), made_of)
    except ValueError:
        return {}


def figures(
    house: House, tx: Tx, channel: str, every: Mapping[str, Sequence[dict[str, Any]]], now: datetime
) -> dict[str, Figure]:
    """Variant → figure for this channel, from ``every`` stock record of each variant.

    ``target = Σ sellable − reserved`` over the policy's locations, divided by policy. ``publish``: under hard
    allocation what the escrow allows; else never more than sellable less what the other channels are exposed with, the
    larger of what each was last told and is being told. A constant number of statements.
    """
    policies = house.project.stock
    rule = policies.get(channel)
    codes = sorted({code for policy in policies.values() for code in policy.locations})
    places = {uid: code for (_, _, code), uid in owners(tx, [("location", "code", code) for code in codes]).items()}
    pool = pool_of(policies, () if rule is None else rule.locations)
    others = rivals_of(policies, channel)
    way = hard(house, channel)
    related = kin(tx, list(every)) if way is not None else {}
    there = pools(house, tx, sorted({*every, *(part for parts in related.values() for part in parts)}), now)
    accounts = escrows(tx, list(related)) if way is not None else {}
    pledged = _pledged(accounts, related, {channel, *others})
    soft = {name for name in others if way is None or hard(house, name) is None}
    exposed = exposures(tx, soft, every) if soft and not (rule is not None and rule.oversells) else {}
    decided = overrides(tx, "stock", list(every), now)
    found = {}
    for variant, stocks in every.items():
        known = there.get(variant)
        if known is None:                       # a bundle that holds itself can be put together never
            continue
        sellable = {code: known.sellable[code] for code in codes if code in known.sellable}
        promised = {code: units for code, units in known.reserved.items() if code is None or code in sellable}
        split = publish_by_location(sellable, promised, policies).get(channel, {})
        split, because = _overridden(split, decided.get((channel, variant)) or decided.get((EVERYWHERE, variant)))
        target = sum(split.values())
        left = sum(units for code, units in free(sellable, promised).items() if code in pool)
        rows = accounts.get(variant, {})
        others_now = {**exposed.get(variant, {}), **{
            name: most(account(row)) for name, row in rows.items() if name in others and name not in soft
        }}
        mine = rows.get(channel)
        waits, escrowed = "", None
        if way is not None and mine is not None:
            own, escrowed = account(mine), Escrowed(row=mine, raises=way)
            parts = related[variant]
            beside = room(parts, {part: _free(there[part], pool) for part in parts if part in there}, {
                part: pledged[part] - number * most(own) + number * sum(exposed.get(variant, {}).values())
                for part, number in parts.items()
            })
            publish = figure(own, target, beside, way)
            if waits_for_orders(own) and (target > publish or publish != own.shown):
                waits = ORDERS_WAIT
            elif publish < target:
                waits = RAISE_WAITS
        else:
            publish = target if rule is not None and rule.oversells else allowed(target, left, others_now.values())
            waits = RAISE_WAITS if publish < target else ""
        found[variant] = Figure(
            target=target, publish=publish, by_stock=_spread(publish, split, stocks, places), waits=waits,
            escrowed=escrowed,
            policy={
                "variant": variant, "sellable": {code: str(units) for code, units in sellable.items()},
                "reserved": {str(code): str(units) for code, units in promised.items()}, "exposed": others_now,
                "share": "0" if rule is None else str(rule.share), "target": target, "publish": publish,
                **({} if rule is None or rule.allocation is None else {"allocation": rule.allocation}),
                **({} if because is None else {"decided": because}),
                **({} if known.because == [] else {"because": known.because}),
            },
        )
    return found


def _pledged(
    accounts: Mapping[str, Mapping[str, EscrowRow]], related: Mapping[str, Mapping[str, Decimal]], names: Set[str]
) -> dict[str, Decimal]:
    """Part → units of it that may still be sold: ``Σ over listings and channels of most · units in one``."""
    found: dict[str, Decimal] = {}
    for listing, parts in related.items():
        pieces = sum(most(account(row)) for name, row in accounts.get(listing, {}).items() if name in names)
        for part, number in parts.items():
            found[part] = found.get(part, ZERO) + number * pieces
    return found


def _free(pool: Pool, codes: Set[str]) -> Decimal:
    """Units of a part that are free at these places."""
    return Decimal(sum(units for code, units in free(pool.sellable, pool.reserved).items() if code in codes))


def _overridden(split: dict[str, int], row: OverrideRow | None) -> tuple[dict[str, int], str | None]:
    """The split with what a person decided: at most ``most`` units in all, ``safety`` units kept back; and in words."""
    if row is None:
        return split, None
    allowed_now = max(0, sum(split.values()) - int(row.value.get("safety", 0)))
    left = min(allowed_now, int(row.value.get("most", allowed_now)))
    cut = {}
    for code, units in split.items():
        cut[code] = min(left, units)
        left -= cut[code]
    return cut, f"{row.who}: {row.because}, until {row.until.isoformat()}"


def _spread(
    publish: int, split: Mapping[str, int], stocks: Sequence[dict[str, Any]], places: Mapping[str, str]
) -> dict[str, int]:
    """Stock uid → its part of ``publish``: each location's own part, cut from the last when less is allowed."""
    left = publish
    parts = {}
    for code, amount in split.items():
        for stock in stocks:
            if places.get(stock["location"]) == code:
                parts[stock["uid"]] = part = min(left, amount)
                left -= part
                break
    return parts


def exposures(
    tx: Tx, rivals: Set[str], stocks: Mapping[str, Sequence[dict[str, Any]]]
) -> dict[str, dict[str, int]]:
    """Variant → rival → the most it may be showing: last told or being told, else what it was seen to hold."""
    owner = {stock["uid"]: variant for variant, rows in stocks.items() for stock in rows}
    bound = {**bindings_of(tx, list(stocks), "stock/variant"), **bindings_of(tx, list(owner), "stock")}
    flights = {**in_flight_payloads(tx, "stock", list(stocks)), **in_flight_payloads(tx, "stock", list(owner))}
    told: dict[tuple[str, str], int] = {}
    seen: dict[tuple[str, str], int] = {}
    for uid, rows in bound.items():
        for binding in rows:
            if binding.channel not in rivals:
                continue
            place = (owner.get(uid, uid), binding.channel)
            units = binding.kept.get(PUBLISH)
            if units is not None:
                told[place] = told.get(place, 0) + int(units)
            elif binding.values is not None:
                seen[place] = seen.get(place, 0) + max(0, int(shown(binding.values)))
    for uid, flying in flights.items():
        for name, payload in flying:
            units = decode(payload).get(PUBLISH)
            if name in rivals and units is not None:
                place = (owner.get(uid, uid), name)
                told[place] = max(told.get(place, 0), int(units))
    found: dict[str, dict[str, int]] = {}
    for (variant, name), units in {**seen, **told}.items():
        found.setdefault(variant, {})[name] = units
    return found
