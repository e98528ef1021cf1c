"""Who sells from the same goods, and what each may still sell of them: what the escrow of hard allocation goes by.

What surprises here:

* A *listing* is what the outbox has a row for: a variant, or where a channel takes a figure per location one variant at
  one place: its stock record, or of a bundle, which has none, ``variant@place``.
* A channel outside of the escrow that shares its goods counts with what it was told, is being told or was seen to hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from decimal import Decimal
from typing import Final

from msgspec import Struct

from connectors.errors import Misconfigured
from flows.holdings import Pool, Pools
from flows.reserving import recipes, with_bundles
from flows.wiring import House
from mappings.commerce.stock import StockPolicy, escrow
from mappings.commerce.stock.allocation import connected
from mappings.commerce.stock.bundles import Parts, explode
from mappings.commerce.stock.escrow import Account, Places, Raises, most
from mappings.commerce.stock.units import sold_in
from registry import (
    EscrowRow,
    Tx,
    bindings_of,
    decode,
    escrows,
    in_flight_payloads,
    owners,
    records,
    records_by_field,
)

ZERO: Final = Decimal(0)
PUBLISH: Final = "$publish"
"""Where the figure last told stands among a binding's kept values and in an outbox row's payload."""
AT: Final = "@"
"""Between a bundle and a place, in the uid of a row of stock that stands for no record."""


def account(row: EscrowRow) -> Account:
    """The row as the rules of trade know it."""
    return Account(held=row.held, shown=row.shown, sent=row.sent, open=row.open, late=row.late, back=row.back)


# ── who ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def by_place(house: House, channel: str) -> bool:
    """Whether the channel takes a figure of stock per location."""
    group = house.of(channel).outward.get("stock")
    return group is not None and group.base == "stock"


def why_pooled(house: House, channel: str) -> str | None:
    """Why the channel's figures cannot be under hard allocation, in words; None: they can."""
    if house.of(channel).outward.get("stock") is None:
        return "no mapping of its platform writes stock"
    carries = house.channel(channel).entities
    if not any("order" in mapping.inward for mapping in house.of(channel).inward.values()):
        return "its platform can neither compare a figure before it sets it nor tell its orders: no mapping reads them"
    return None if "order" in carries else "its orders are not read: channels.yaml does not list `order` for it"


def raises(house: House, channel: str) -> Raises | None:
    """How a channel's figures may rise under hard allocation; None: it can do neither way, and is `pooled`.

    By comparing, where its platform says so; else by zero and its orders. Both want orders that we read.
    """
    group = house.of(channel).outward.get("stock")
    if group is None or why_pooled(house, channel) is not None:
        return None
    try:
        return "compare" if house.descriptor(channel, group.mapping.resource).compare_and_set else "zero"
    except Misconfigured:       # nothing can be written to it now; what it may still sell counts all the same
        return "zero"


def hard(house: House, channel: str) -> Raises | None:
    """How figures rise where hard allocation is in force on the channel; None where it is not."""
    policy = house.project.stock.get(channel)
    return raises(house, channel) if policy is not None and policy.allocation == "hard" else None


def pool_of(policies: Mapping[str, StockPolicy], locations: Sequence[str]) -> set[str]:
    """The locations of every channel that shares one with these, directly or by way of others."""
    return set(locations).union(*(pool for pool in connected(policies) if pool.intersection(locations)))


def rivals_of(policies: Mapping[str, StockPolicy], channel: str) -> set[str]:
    """The other channels that sell from the same pool."""
    pool = pool_of(policies, policies[channel].locations if channel in policies else ())
    return {name for name, policy in policies.items() if name != channel and pool.intersection(policy.locations)}


# ── what ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def kin(tx: Tx, variants: Collection[str]) -> dict[str, dict[str, Decimal]]:
    """Every variant that is made of something these are made of → what one of it takes of each part.

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


def steps_of(tx: Tx, variants: Collection[str]) -> dict[str, Decimal]:
    """Variant → the least that is sold of it, of those that are not sold by the piece."""
    said = {uid: record.values.get("step") for uid, record in records(tx, sorted(variants)).items()}
    return {uid: Decimal(step) for uid, step in said.items() if step is not None and Decimal(step) != 1}


class Listing(Struct, frozen=True, kw_only=True):
    """A variant, at the place of that code; None: wherever its channel sells from."""

    variant: str
    place: str | None = None


def variants_of(tx: Tx, uids: Sequence[str]) -> list[str]:
    """The variants of these listings at places."""
    there = records(tx, [uid for uid in uids if AT not in uid])
    return sorted({
        *(uid.partition(AT)[0] for uid in uids if AT in uid),
        *(str(record.values["variant"]) for record in there.values()),
    })


def listings_at_places(house: House, tx: Tx, variants: Collection[str]) -> dict[str, tuple[str, str]]:
    """uid → (variant, uid of the place), of these variants' listings wherever they lie or can be put together."""
    found = {
        row.uid: (variant, str(row.values["location"]))
        for variant, rows in records_by_field(tx, "stock", "variant", variants).items() for row in rows
    }
    bundles = recipes(tx, set(variants) - {variant for variant, _ in found.values()})
    if bundles:
        found |= {f"{uid}{AT}{place}": (uid, place) for uid in bundles if uid in variants
                  for place in sold_from(house, tx)}
    return found


def sold_from(house: House, tx: Tx) -> dict[str, str]:
    """uid → code of the places from which some channel sells."""
    codes = sorted({code for policy in house.project.stock.values() for code in policy.locations})
    return {uid: code for (_, _, code), uid in owners(tx, [("location", "code", code) for code in codes]).items()}


def _at_places(
    related: Mapping[str, Mapping[str, Decimal]], there: Pools, codes: Mapping[str, str]
) -> dict[str, Listing]:
    found: dict[str, Listing] = {}
    for variant, parts in related.items():
        if variant in parts:
            rows = zip(there.stocks[variant], there.of[variant].standings, strict=True) if variant in there.of else ()
            found |= {row["uid"]: Listing(variant=variant, place=one.code) for row, one in rows}
        else:
            found |= {f"{variant}{AT}{uid}": Listing(variant=variant, place=code) for uid, code in codes.items()}
    return found


class Pledges(Struct, kw_only=True):
    """What the channels of a pool may still sell of a page of variants and of all that shares goods with them.

    ``of``: part → places → units pledged to what draws on them. ``sellable``: part → place → units in whole steps that
    no order has, less than none where orders have more than is there. ``rows``: listing → channel → its account, in
    steps of the listing; ``counted``: (channel, listing) → its steps that stand in ``of``, for the channels of the
    escrow; ``by_variant``: variant → channel → the same at all its places, in units.
    """

    related: Mapping[str, Mapping[str, Decimal]]
    listings: Mapping[str, Listing]
    rows: Mapping[str, Mapping[str, EscrowRow]]
    of: dict[str, dict[Places, Decimal]]
    counted: dict[tuple[str, str], int]
    by_variant: Mapping[str, Mapping[str, Decimal]]
    sellable: dict[str, dict[str, Decimal]]
    policies: Mapping[str, StockPolicy]

    def places(self, channel: str, listing: str) -> Places:
        """The places that a listing of the channel draws on."""
        at = self.listings[listing].place
        return frozenset(self.policies[channel].locations) if at is None else frozenset({at})

    def parts(self, channel: str, listing: str) -> dict[str, Decimal]:
        """Part → its units in one step of the listing."""
        step = self.rows[listing][channel].step
        return {part: number * step for part, number in self.related[self.listings[listing].variant].items()}

    def room(self, channel: str, listing: str) -> int:
        """Steps of it that all others leave to the channel."""
        at, own = self.places(channel, listing), self.counted.get((channel, listing), 0)
        parts = self.parts(channel, listing)
        others = {
            part: {**self.of[part], at: self.of[part].get(at, ZERO) - number * own} for part, number in parts.items()
        }
        return escrow.room(parts, at, self.sellable, others)

    def spare(self, part: str, place: str) -> Decimal:
        """Units of it that may be taken from the place without breaking into what may still be sold."""
        return escrow.left(frozenset({place}), self.sellable.get(part, {}), self.of.get(part, {}))

    def ordered(self, part: str, places: Places, units: Decimal, *, at: str | None) -> None:
        """Afterwards so many units, until now reckoned at place ``at``, may be sent from any of ``places``; less than
        0: they are sent from ``at``."""
        if part in self.sellable and at in self.sellable[part]:
            self.sellable[part][at] += units
        of = self.of.setdefault(part, {})
        of[places] = of.get(places, ZERO) + units

    def takes(self, channel: str, listing: str, steps: int) -> None:
        """Afterwards so many steps of it count, where fewer did: they are about to be told to the channel."""
        more = steps - self.counted.get((channel, listing), 0)
        if more > 0:
            self.counted[channel, listing] = steps
            at = self.places(channel, listing)
            for part, number in self.parts(channel, listing).items():
                self.of[part][at] = self.of[part].get(at, ZERO) + number * more


def pledges(
    house: House, tx: Tx, names: Set[str], related: Mapping[str, Mapping[str, Decimal]], there: Pools,
    codes: Mapping[str, str], calm: Set[tuple[str, str]] = frozenset(),
) -> Pledges:
    """What the channels ``names``, all of one pool, may still sell of ``related`` (as `kin` has it).

    ``codes``: uid → code of the places that channels sell from. Listings in ``calm`` (channel, variant) take nothing
    that somebody else may not sell as well. A constant number of statements.
    """
    policies = {name: house.project.stock[name] for name in sorted(names)}
    placed = {name for name in policies if by_place(house, name)}
    listings = {uid: Listing(variant=uid) for uid in related}
    if placed:
        listings |= _at_places(related, there, codes)
    rows = escrows(tx, list(listings))
    soft = {name for name in policies if hard(house, name) is None and not policies[name].oversells}
    told = told_figures(tx, soft, list(listings)) if soft else {}
    pools = there.of
    pool = frozenset(code for policy in policies.values() for code in policy.locations)
    sets = {pool, *(frozenset(policy.locations) for policy in policies.values())}
    of: dict[str, dict[Places, Decimal]] = {
        part: {**dict.fromkeys(sets, ZERO), pool: pools[part].reserved.get(None, ZERO) if part in pools else ZERO}
        for parts in related.values() for part in parts
    }
    counted: dict[tuple[str, str], int] = {}
    by_variant: dict[str, dict[str, Decimal]] = {}
    for uid, listing in listings.items():
        steps = {name: most(account(row)) for name, row in rows.get(uid, {}).items()
                 if name in policies and name not in soft}
        units = {name: count * rows[uid][name].step for name, count in steps.items()}
        exposed: dict[str, Decimal] = {**told.get(uid, {}), **units}
        for name, pledged in exposed.items():
            if (name in placed) == (listing.place is None) or (name, listing.variant) in calm:
                continue
            if name in units:
                counted[name, uid] = steps[name]
                shown = by_variant.setdefault(listing.variant, {})
                shown[name] = shown.get(name, ZERO) + units[name]
            at = frozenset(policies[name].locations) if listing.place is None else frozenset({listing.place})
            for part, number in related[listing.variant].items():
                of[part][at] = of[part].get(at, ZERO) + number * pledged
    return Pledges(
        related=related, listings=listings, rows=rows, of=of, counted=counted, by_variant=by_variant, policies=policies,
        sellable={part: _sellable(pools[part], pool, codes) for part in of if part in pools},
    )


def _sellable(pool: Pool, sold_from: Iterable[str], codes: Mapping[str, str]) -> dict[str, Decimal]:
    """What no order has, by place, in whole steps; an order counts too where the article was never seen to lie."""
    asked: dict[str, Decimal] = {}
    for place, units in pool.reserved.items():
        if place is not None:
            code = codes.get(place, place)
            asked[code] = asked.get(code, ZERO) + units
    return {
        code: sold_in(pool.sellable.get(code, ZERO) - asked.get(code, ZERO), pool.step)[0] for code in sold_from
    }


def told_figures(tx: Tx, channels: Set[str], listings: Sequence[str]) -> dict[str, dict[str, Decimal]]:
    """Listing → channel → the most it may be showing: last told or being told, else what it was seen to hold."""
    found: dict[str, dict[str, Decimal]] = {}
    for entity in ("stock/variant", "stock"):
        for uid, rows in bindings_of(tx, listings, entity).items():
            for binding in rows:
                if binding.channel in channels:
                    units = binding.kept.get(PUBLISH)
                    if units is None and binding.values is not None:
                        units = max(ZERO, Decimal(binding.values["quantity"]["value"]))
                    if units is not None:
                        found.setdefault(uid, {})[binding.channel] = Decimal(units)
    for uid, flying in in_flight_payloads(tx, "stock", listings).items():
        for name, payload in flying:
            units = decode(payload).get(PUBLISH)
            if name in channels and units is not None:
                here = found.setdefault(uid, {})
                here[name] = max(here.get(name, ZERO), Decimal(units))
    return found
