"""The smallest retailer in which everything can go wrong that an escrow must survive: an ERP, channels, Serai between.

One article of a few units. A *listing* sells it on a channel, one unit at a time, or several as a bundle. Each step is
one thing that happens anywhere; `moves` yields all that can happen next. What Serai believes and decides is the real
code: ``mappings.commerce.stock.escrow`` for the figures, ``counting.contains`` for the end of a reservation. The rest
of this file is the outside world: it knows what is true, Serai only what it read.

What surprises here:

* Serai's targets are not computed: in each state it may want *any* figure for a listing. So what holds here holds for
  every share, cap, preset, stop and route.
* A request may be carried out and its answer lost, may be lost itself, or may arrive after Serai gave it up (``late``).
  A worker that dies before it sent, or before it kept an answer, is one of these.
* A sale is a fact from its moment on: units sold and not yet handed out are the world's, whether Serai knows or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from mappings.commerce.stock import counting, escrow
from mappings.commerce.stock.escrow import Account, Raises
from mappings.commerce.stock.units import sold_in

ARTICLE = "kettle"
SHELF = "the only place"
T0 = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules that can be switched off one by one, and what may happen in the world."""

    listings: tuple[tuple[Raises, int], ...]
    """Per listing: how its figure may rise, and how many units one piece of it takes (a bundle: more than 1)."""
    units: int = 3
    step: int = 1
    """The least of the article that is sold; its ERP counts less of it, too."""
    sells_rests: bool = False
    """On: what is left of a step counts as one more."""
    compares: bool = True
    """Off: absolute writes: the platform carries out every write, also when something was sold since."""
    lowers_first: bool = True
    """Off: what was last sent counts, not the larger of confirmed and sent."""
    kind: str = counting.ON_HAND
    """What Serai takes the ERP's figure for; it is on hand. ``available``: reservations end at its acknowledgement."""
    counts_unknown: bool = True
    """Off: a write without an answer is taken as not carried out."""
    reads_orders: bool = True
    """Off: a raise follows zero at once, without the orders up to then."""
    erp: bool = True
    """Orders are sent, shipped and posted, stock is received and counted anew."""
    regrets: int = 1
    """How many orders buyers may cancel."""
    deliveries: int = 0
    """How many units may come in."""
    expires: bool = True
    """Reservations of unpaid orders may expire."""
    drops_stale: bool = True
    """Off: an answer of the ERP that was overtaken by a later one is believed when it arrives."""
    late: bool = True
    """A request may arrive after its sender gave it up."""
    names_listing: bool = True
    """Off: an order says what was sold and not at which of the channel's places, so that no figure is known to fall."""

    def __post_init__(self) -> None:
        """Listings of one kind stand beside each other, as in the canonical form of a state."""
        object.__setattr__(self, "listings", tuple(sorted(self.listings)))


class Listing(NamedTuple):
    """One listing: the truth on the channel, then what Serai knows, then what is under way."""

    shows: int = 0
    unread: int = 0
    returned: int = 0
    """Cancelled orders that Serai knows as orders and not yet as cancelled."""
    vanished: int = 0
    """Orders that were cancelled before Serai heard of them."""
    held: int = 0
    shown: int = 0
    sent: int = -1
    open: bool = False
    late: int = 0
    back: int = 0
    current: bool = True
    """Whether the version Serai saw is still the channel's."""
    flight: int = -1
    """The figure of the write under way; -1: none."""
    fresh: bool = False
    """Whether the channel would still find the version that the write under way expects."""
    astray: int = -1
    """The figure of a write that was given up and may still arrive."""
    timely: bool = False
    """Whether it would still find the version it expects."""


class World(NamedTuple):
    """The whole state. The order's way: accepted → taken (by the ERP) → posted (goods gone) → known (we saw it)."""

    listings: tuple[Listing, ...]
    on_hand: int
    figure: int
    """The ERP's figure as Serai last read it."""
    accepted: int = 0
    taken: int = 0
    posted: int = 0
    known: int = 0
    freed: int = 0
    """Units of orders whose reservation ended though their goods are still in the warehouse."""
    answer: int = -1
    """The figure in an ERP's answer that is under way; -1: none."""
    contained: int = 0
    """How many of ``known`` were known when that request began."""
    deliveries: int = 0
    """How many units may still come in."""
    regrets: int = 0
    """How many orders may still be cancelled by their buyers."""


def moves(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """Everything that can happen next, each state in its canonical form."""
    for place, one in enumerate(world.listings):
        raises, size = rules.listings[place]
        left = _left(world, rules, place, size)
        for told, after, accepted, regrets in _steps(
            rules, one, raises, size, left, world.regrets > 0, world.regrets > 0 and world.accepted >= size
        ):
            yield told, canonical(world._replace(
                listings=(*world.listings[:place], after, *world.listings[place + 1 :]),
                accepted=world.accepted + accepted, regrets=world.regrets + regrets,
            ), rules)
    if rules.erp:
        yield from _erp(world, rules)
    if rules.expires and world.accepted > 0:
        yield "an unpaid reservation expires", world._replace(accepted=world.accepted - 1)


def oversold(world: World, rules: Rules) -> bool:
    """Whether more was promised to buyers than lies in the warehouse."""
    unread = sum(one.unread * size for one, (_, size) in zip(world.listings, rules.listings, strict=True))
    return world.on_hand < unread + world.accepted + world.taken + world.freed


def canonical(world: World, rules: Rules) -> World:
    """Listings of one kind in a fixed order: which of them is called first makes no difference."""
    one, *rest = rules.listings
    if all(other == one for other in rest):
        return world._replace(listings=tuple(sorted(world.listings)))
    pairs = sorted(zip(rules.listings, world.listings, strict=True))
    return world._replace(listings=tuple(listing for _, listing in pairs))


def starts(rules: Rules) -> Iterator[World]:
    """Every state of rest: up to ``units`` in stock, any figures on the channels that fit in them."""
    for units in range(1, rules.units + 1):
        for figures in _figures(units, [size for _, size in rules.listings]):
            yield canonical(World(
                listings=tuple(Listing(shows=n, held=n, shown=n) for n in figures), on_hand=units, figure=units,
                deliveries=rules.deliveries, regrets=rules.regrets,
            ), rules)


def _figures(units: int, sizes: list[int]) -> Iterator[tuple[int, ...]]:
    if not sizes:
        yield ()
        return
    for n in range(units // sizes[0] + 1):
        for rest in _figures(units - n * sizes[0], sizes[1:]):
            yield n, *rest


# ── one listing ──────────────────────────────────────────────────────────────────────────────────────────────────────

Step = tuple[str, Listing, int, int]
"""What happens, the listing after it, and by how much the accepted units and the cancellations still to come change."""


@cache
def _steps(
    rules: Rules, one: Listing, raises: Raises, size: int, left: int, may_cancel: bool, known_order: bool
) -> tuple[Step, ...]:
    """What can happen on and around one listing; computed once, as most states differ in other places."""
    return (
        *_channel(one, size, may_cancel, known_order), *_write(rules, one, raises), *_astray(rules, one, raises),
        *_orders(rules, one, size), *_serai(rules, one, raises, left),
    )


def _moved(one: Listing, shows: int) -> Listing:
    """The channel's figure changes: every version seen before is an old one."""
    return one._replace(shows=shows, current=False, fresh=False, timely=False)


def _channel(one: Listing, size: int, may_cancel: bool, known_order: bool) -> Iterator[Step]:
    """What buyers do."""
    if one.shows > 0:
        yield "a sale", _moved(one, one.shows - 1)._replace(unread=one.unread + 1), 0, 0
    if may_cancel and one.unread > 0:
        back = _moved(one, one.shows + 1)._replace(unread=one.unread - 1, vanished=one.vanished + 1)
        yield "a buyer cancels before anybody heard of the order", back, 0, -1
    if known_order:      # its units stay reserved until Serai hears of it
        yield "a buyer cancels", _moved(one, one.shows + 1)._replace(returned=one.returned + 1), -size, -1


def _write(rules: Rules, one: Listing, raises: Raises) -> Iterator[Step]:
    """What becomes of the write under way."""
    if one.flight < 0:
        return
    gone = one._replace(flight=-1, fresh=False)
    if _carried_out(rules, raises, one.fresh):
        done = _moved(gone, one.flight)
        kept = _known(done, escrow.applied(_account(one), one.flight))._replace(current=True)
        yield f"{one.flight} arrives and is confirmed", kept, 0, 0
    else:
        done = gone
        yield f"{one.flight} is refused", _known(gone, escrow.refused(_account(one))), 0, 0
    if one.late + one.flight > rules.units:
        return      # the scope: of writes that nobody knows anything of, no more than the stock can be astray
    yield f"{one.flight} arrives, the answer is lost", _given_up(rules, done, one, raises), 0, 0
    if rules.late and one.astray < 0:
        astray = gone._replace(astray=one.flight, timely=one.fresh)
        yield f"{one.flight} is given up under way", _given_up(rules, astray, one, raises), 0, 0
    else:
        yield f"{one.flight} is lost", _given_up(rules, gone, one, raises), 0, 0


def _astray(rules: Rules, one: Listing, raises: Raises) -> Iterator[Step]:
    """What becomes of a write that was given up."""
    if one.astray < 0:
        return
    gone = one._replace(astray=-1, timely=False)
    yield f"{one.astray} never arrives", gone, 0, 0
    if _carried_out(rules, raises, one.timely):
        yield f"{one.astray} arrives late", _moved(gone, one.astray), 0, 0


def _carried_out(rules: Rules, raises: Raises, fresh: bool) -> bool:
    return raises == "zero" or fresh or not rules.compares


def _given_up(rules: Rules, after: Listing, before: Listing, raises: Raises) -> Listing:
    if not rules.counts_unknown:
        return _known(after, escrow.refused(_account(before)))
    return _known(after, escrow.unknown(_account(before), before.flight, raises))


def _orders(rules: Rules, one: Listing, size: int) -> Iterator[Step]:
    """Serai reads what happened to the listing's orders: one by one, as notices come, or all up to now."""
    account = _account(one)
    if one.unread > 0:
        heard = _known(one, escrow.sold(account, 1)) if rules.names_listing else one
        yield "a sale is read", heard._replace(unread=one.unread - 1), size, 0
    if one.returned > 0:
        heard = _known(one, escrow.returned(account, 1))._replace(returned=one.returned - 1)
        yield "a cancellation is read", heard, 0, 0
    if one.vanished > 0:
        heard = _known(one, escrow.returned(escrow.sold(account, 1), 1))._replace(vanished=one.vanished - 1)
        yield "a cancelled order is read", heard, 0, 0
    if not escrow.waits_for_orders(account):
        return
    if rules.reads_orders:
        read = escrow.sold(account, one.unread + one.vanished) if rules.names_listing else account
        read = escrow.caught_up(escrow.returned(read, one.returned + one.vanished))
        caught = _known(one, read)._replace(unread=0, returned=0, vanished=0)
        yield "the orders are read up to now", caught, one.unread * size, 0
    elif one.shown == 0:
        yield "zero is shown: the orders are taken as read", _known(one, escrow.caught_up(account)), 0, 0


def _serai(rules: Rules, one: Listing, raises: Raises, left: int) -> Iterator[Step]:
    """Serai sends a figure, or looks what the channel shows."""
    if one.flight >= 0:
        return
    account = _account(one)
    for figure in _wanted(account, left, raises, rules.units):
        told = _known(one, escrow.sending(account, figure, raises))
        yield f"{figure} is sent", told._replace(flight=figure, fresh=one.current), 0, 0
    if raises == "zero" and one.late > 0 and one.astray < 0:
        yield "no write can arrive any more", _known(one, escrow.dead(account)), 0, 0
    past = raises == "compare" and one.open and not one.current    # the version that the unknown write expects
    looked = _known(one, escrow.seen(escrow.dead(account) if past else account, one.shows))._replace(current=True)
    if looked != one:
        yield "the channel is looked at", looked, 0, 0


def _left(world: World, rules: Rules, place: int, size: int) -> int:
    """What the other listings leave of the sellable units, in pieces of this listing."""
    reserved = world.accepted + world.taken + world.posted + world.known
    reserved += sum(one.returned * of for one, (_, of) in zip(world.listings, rules.listings, strict=True))
    exposed = 0
    for n, other in enumerate(world.listings):
        if n != place:
            most = other.sent if not rules.lowers_first and other.sent >= 0 else _most(_account(other))
            exposed += most * rules.listings[n][1]
    return _room(rules, size, world.figure - reserved, exposed)


@cache
def _room(rules: Rules, size: int, units: int, exposed: int) -> int:
    sellable, rest = sold_in(Decimal(units), Decimal(rules.step))
    sellable += rules.step if rules.sells_rests and rest > 0 else 0
    there, pledged = {SHELF: sellable}, {frozenset({SHELF}): Decimal(exposed)}
    return escrow.room({ARTICLE: Decimal(size)}, frozenset({SHELF}), {ARTICLE: there}, {ARTICLE: pledged})


@cache
def _wanted(account: Account, left: int, raises: Raises, units: int) -> tuple[int, ...]:
    """The figures that Serai would send, whatever it aims at."""
    wanted = {escrow.figure(account, target, left, raises) for target in range(units + 1)}
    return tuple(sorted(wanted - ({account.shown} if account.sent is None else set())))


_most = cache(escrow.most)


def _account(one: Listing) -> Account:
    return _accounts(one.held, one.shown, one.sent, one.open, one.late, one.back)


@cache
def _accounts(held: int, shown: int, sent: int, open: bool, late: int, back: int) -> Account:
    return Account(
        held=held, shown=None if shown < 0 else shown, sent=None if sent < 0 else sent, open=open, late=late,
        back=back,
    )


def _known(one: Listing, account: Account) -> Listing:
    return one._replace(
        held=account.held, shown=-1 if account.shown is None else account.shown,
        sent=-1 if account.sent is None else account.sent, open=account.open, late=account.late,
        back=account.back,
    )


# ── the ERP ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _erp(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    if world.accepted > 0:
        yield "the ERP takes the order", world._replace(accepted=world.accepted - 1, taken=world.taken + 1)
    if world.taken > 0 and world.on_hand > 0:
        yield "the shipment is posted", world._replace(
            taken=world.taken - 1, posted=world.posted + 1, on_hand=world.on_hand - 1
        )
    if world.freed > 0 and world.on_hand > 0:
        yield "goods that nobody reserved are sent", world._replace(freed=world.freed - 1, on_hand=world.on_hand - 1)
    if world.posted > 0:
        yield "the shipment is read", world._replace(posted=world.posted - 1, known=world.known + 1)
    overtaken = world._replace(answer=-1, contained=0) if rules.drops_stale else world
    yield "the ERP's stock is read", _counted(overtaken, rules, world.on_hand, world.known)
    if world.answer < 0:
        yield "the ERP is asked for its stock", world._replace(answer=world.on_hand, contained=world.known)
    else:
        yield "the ERP's answer arrives", _counted(
            world._replace(answer=-1, contained=0), rules, world.answer, min(world.contained, world.known)
        )
    if world.deliveries > 0:
        yield "goods come in", world._replace(deliveries=world.deliveries - 1, on_hand=world.on_hand + 1)


def _counted(world: World, rules: Rules, figure: int, known: int) -> World:
    """Serai read a figure; reservations of which it contains the order end."""
    early = _ends(rules.kind, taken=True, posted=False)
    done = known if _ends(rules.kind, taken=True, posted=True) else 0
    if not early:
        return world._replace(figure=figure, known=world.known - done)
    return world._replace(
        figure=figure, known=world.known - done, freed=world.freed + world.taken, taken=0, posted=0,
    )


@cache
def _ends(kind: str, *, taken: bool, posted: bool) -> bool:
    promise = counting.Promise(taken_at=T0 if taken else None, posted_at=T0 if posted else None)
    return counting.contains(counting.Reading(kind=kind, began_at=T0 + timedelta(seconds=1)), promise)
