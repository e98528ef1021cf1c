"""The same small retailer with goods in several places: a channel with a figure per place beside one with one figure.

What surprises here:

* A listing draws on a set of places. What happens on its channel is `escrow_world`'s; here is only where goods lie, who
  may draw on them, and to which place an order goes.
* An order of a listing that draws on several places may be sent from any of them. ``routed``: Serai says from which
  when it reads the order; else nobody does before it is sent, and Serai reckons with the first of them, as it does for
  channels without a rule of routing.
* Oversold is found by trying: whether there is a way to give each unit that was sold a unit that is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import product
from typing import NamedTuple

from mappings.commerce.stock import escrow
from mappings.commerce.stock.escrow import Places, Raises
from tests.model.escrow_world import ARTICLE, Listing, Rules, _account, _most, _steps


@dataclass(frozen=True, kw_only=True)
class Shops:
    """Who sells from where, how much lies where, and the rules that can be switched off one by one."""

    listings: tuple[tuple[Raises, str], ...]
    """Per listing: how its figure may rise, and the places it draws on, a letter each."""
    there: tuple[tuple[str, int], ...]
    channels: tuple[str, ...] = ()
    """Sets of places that a channel with a figure per place sells from, where its orders do not say which."""
    routed: bool = True
    by_place: bool = True
    """Off: only the sum over all places is compared, wherever the goods lie."""
    keeps_pledges: bool = True
    """Off: an order is given any place that has goods, whoever may still sell them there."""
    counts_channels: bool = True
    """Off: the places of a channel with a figure per place are not reckoned with together."""
    names_listing: bool = True

    @property
    def of_channel(self) -> Rules:
        """The rules of what happens on and around one listing."""
        return Rules(
            listings=tuple((raises, 1) for raises, _ in self.listings), units=sum(units for _, units in self.there),
            erp=False, regrets=0, expires=False, late=False, names_listing=self.names_listing,
        )


class World(NamedTuple):
    """The whole state: per listing its figures and its orders without a place; per place the orders that go there."""

    listings: tuple[Listing, ...]
    waiting: tuple[int, ...]
    placed: tuple[int, ...]


def starts(shops: Shops) -> Iterator[World]:
    """Every state of rest in which all figures have their goods."""
    most = sum(units for _, units in shops.there)
    for figures in product(range(most + 1), repeat=len(shops.listings)):
        if _served(shops.there, tuple(zip((at for _, at in shops.listings), figures, strict=True))):
            yield World(
                listings=tuple(Listing(shows=n, held=n, shown=n) for n in figures), waiting=(0,) * len(figures),
                placed=(0,) * len(shops.there),
            )


def moves(world: World, shops: Shops) -> Iterator[tuple[str, World]]:
    """Everything that can happen next."""
    rules = shops.of_channel
    for n, one in enumerate(world.listings):
        raises, at = shops.listings[n]
        for told, after, accepted, _ in _steps(rules, one, raises, 1, _room(world, shops, n), False, False):
            waiting = list(world.waiting)
            waiting[n] += accepted
            yield f"{at}: {told}", world._replace(
                listings=(*world.listings[:n], after, *world.listings[n + 1 :]), waiting=tuple(waiting)
            )
        if world.waiting[n] > 0 and shops.routed:
            yield from _placings(world, shops, n, at)


def _placings(world: World, shops: Shops, n: int, at: str) -> Iterator[tuple[str, World]]:
    """An order is given a place: one where it breaks into nothing that may still be sold there, if there is one."""
    names = [place for place, _ in shops.there]
    free = {place: units - world.placed[k] for k, (place, units) in enumerate(shops.there)}
    pledged = _pledged(world, shops, but=-1)
    pledged[frozenset(at)] -= 1
    there = {place: Decimal(units) for place, units in free.items()}
    for place in at:
        kept = not shops.keeps_pledges or escrow.left(frozenset(place), there, pledged) >= 1
        if free[place] > 0 and kept:
            k = names.index(place)
            yield f"{at}: an order goes to {place}", world._replace(
                waiting=(*world.waiting[:n], world.waiting[n] - 1, *world.waiting[n + 1 :]),
                placed=(*world.placed[:k], world.placed[k] + 1, *world.placed[k + 1 :]),
            )


def oversold(world: World, shops: Shops) -> bool:
    """Whether some unit that was sold has no unit that is there, at a place it may be sent from."""
    everywhere = "".join(shops.channels) if not shops.names_listing else ""
    demands = [
        (everywhere if everywhere and len(at) == 1 else at, one.unread + waiting)
        for (_, at), one, waiting in zip(shops.listings, world.listings, world.waiting, strict=True)
    ] + [(place, units) for (place, _), units in zip(shops.there, world.placed, strict=True)]
    return not _served(shops.there, tuple(demands))


@cache
def _served(there: tuple[tuple[str, int], ...], demands: tuple[tuple[str, int], ...]) -> bool:
    """Whether each unit that is asked for can have one that is there; all ways are tried."""
    wanted = [at for at, units in demands for _ in range(units)]
    if not wanted:
        return True
    left = dict(there)
    for place in wanted[0]:
        if left[place] > 0:
            rest = tuple((name, units - (name == place)) for name, units in there)
            if _served(rest, tuple((at, 1) for at in wanted[1:])):
                return True
    return False


def _pledged(world: World, shops: Shops, *, but: int) -> dict[Places, Decimal]:
    """Places → units that the listings which draw on them may still sell, all but one; every set of places is named."""
    found = {frozenset(at): Decimal(0) for at in (shops.channels if shops.counts_channels else ())}
    for n, ((_, at), one, waiting) in enumerate(zip(shops.listings, world.listings, world.waiting, strict=True)):
        own = frozenset(at)
        pledged = 0 if n == but else _most(_account(one))
        found[own] = found.get(own, Decimal(0)) + pledged + (waiting if shops.routed else 0)
    return found


def _room(world: World, shops: Shops, n: int) -> int:
    """What the others leave to a listing, by the real rule."""
    pledged = _pledged(world, shops, but=n)
    free = {place: Decimal(units - world.placed[k]) for k, (place, units) in enumerate(shops.there)}
    for (_, at), waiting in zip(shops.listings, () if shops.routed else world.waiting, strict=False):
        free[at[0] if shops.names_listing else shops.channels[0][0]] -= waiting
    own = frozenset(shops.listings[n][1])
    if not shops.by_place:
        own = frozenset(free)
        pledged = {own: sum(pledged.values(), Decimal(0))}
    return escrow.room({ARTICLE: Decimal(1)}, own, {ARTICLE: free}, {ARTICLE: pledged})
