"""The escrow of hard allocation: what may still be sold on each channel, together never more than there is.

What surprises here:

* **The figure on a channel is not ours alone**: the channel lowers it with each sale, and we read the sale later. A
  plain write of 3 where 3 − 1 stood puts the sold unit back on show. So what counts is not a figure but
  ``most = figure now + sales not yet read``, bounded from above by arithmetic on what was sent, confirmed and accepted.
* **A write makes ``figure + gap`` of it**, where the gap is what may have been sold unread until it lands: nothing
  beyond ``held − shown`` where the platform compares first (it refuses when anything was sold since), all of ``held``
  where it does not. Hence *zero → read the orders past that moment → raise* needs no rule of its own: writing zero
  adds nothing, reading the orders takes ``held`` down to 0, and then a raise adds only itself.
* **Where the goods lie counts.** A listing draws on a set of places: on one where its channel takes a figure per
  location, else on all that the channel sells from. With ``S(A)`` for what is sellable at the places of a set ``A``,
  what holds is, per component and for every set ``A``::

      Σ most · number, over the listings that draw on nothing outside A  ≤  S(A)

  which says no more and no less than that each unit which may still be sold has a unit of its own, at a place from
  which it may be sent (Hall's theorem). Of ``A = all places`` follows that nothing is oversold in total, of one place
  that nothing is oversold there.
* All figures are whole steps of the listing: a piece, or for goods by weight or length so many of their units.
  ``room`` turns them into units of its components, which a place has in whole steps of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal, TypeAlias

ZERO: Final = Decimal(0)

Raises = Literal["compare", "zero"]
"""How a channel's figure may rise: the platform compares with what it held, or by way of zero and its orders."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """What is known of one listing on one channel, in whole steps of it (which are its units here).

    ``held``: the most that may still be sold there by what is confirmed, less accepted orders; it includes sales that
    are not read yet. ``shown``: the figure last confirmed or seen there; None: not known. ``sent``: what ``held``
    becomes if a write that is under way is carried out; None when none is. ``open``: an earlier one that compares has
    no outcome yet. ``late``: figures of writes that compared nothing, have no outcome and may still arrive. ``back``:
    units of cancelled orders that the channel shows again since ``shown`` was confirmed or seen.
    """

    held: int = 0
    shown: int | None = None
    sent: int | None = None
    open: bool = False
    late: int = 0
    back: int = 0


def most(account: Account) -> int:
    """What may still be sold on the channel: ``max(held, sent) + late``, the larger of confirmed and sent."""
    return max(account.held, account.sent or 0) + account.late


def gap(account: Account, raises: Raises) -> int:
    """Units that may have been sold unread before a write lands: ``max(0, held − shown)`` compared, else ``held``."""
    known = account.shown if raises == "compare" and account.shown is not None else 0
    return max(0, account.held - known)


def sold(account: Account, units: int) -> Account:
    """An order for ``units`` of the channel was accepted: ``held − units`` and ``sent − units``, at least 0.

    A write under way counts the order too: one that compares is refused if the sale came before it, and one that does
    not had all of ``held`` added.
    """
    sent = None if account.sent is None else max(0, account.sent - units)
    return replace(account, held=max(0, account.held - units), sent=sent)


def returned(account: Account, units: int) -> Account:
    """An order for ``units`` was cancelled and the channel shows its goods again: ``held``, ``sent``, ``back + units``.

    What was ordered and cancelled between a look and the reading of the orders is on show again, and nothing else
    tells: an order first read as cancelled is ``sold``, then ``returned``.
    """
    sent = None if account.sent is None else account.sent + units
    return replace(account, held=account.held + units, sent=sent, back=account.back + units)


def sending(account: Account, figure: int, raises: Raises) -> Account:
    """``figure`` goes out: ``sent = max(sent, figure + gap)``; it counts from the moment it is decided."""
    return replace(account, sent=max(account.sent or 0, figure + gap(account, raises)))


def applied(account: Account, figure: int) -> Account:
    """The channel confirmed ``figure``: ``held = sent``; what may have been sold unread before it is still in it.

    The version of a channel that compares has moved on, so that nothing sent earlier can be carried out any more.
    """
    held = account.held if account.sent is None else account.sent
    return replace(account, held=held, shown=figure, sent=None, open=False, back=0)


def refused(account: Account) -> Account:
    """The channel said that it did not carry the write out: all is as it was before, an ``open`` one counts on."""
    return account if account.open else replace(account, sent=None)


def unknown(account: Account, figure: int, raises: Raises) -> Account:
    """Nobody knows whether ``figure`` was carried out, or will be: it counts at the larger until that is known.

    One that compares stays ``sent``, until the channel is seen at another version than it expects. Any other may
    arrive even after later writes: ``late + figure``; what the channel shows is not known then.
    """
    if raises == "compare":
        return replace(account, open=True)
    return replace(account, sent=None, shown=None, late=account.late + figure)


def dead(account: Account) -> Account:
    """No write without an outcome can arrive any more: ``held = max(held, sent) + late``, ``shown`` is not known."""
    return replace(account, held=most(account), shown=None, sent=None, open=False, late=0, back=0)


def seen(account: Account, figure: int, *, exact: bool = True) -> Account:
    """The channel was read and shows ``figure``: what may be sold there is at least that.

    Not ``exact``: less than ``figure`` by a part of a step, since somebody bought another part. Then ``shown`` is not
    known in steps, and the way to a new figure is by zero.
    """
    return replace(account, shown=figure if exact else None, held=max(account.held, figure), back=0)


def caught_up(account: Account) -> Account:
    """All orders, cancelled ones too, were read by a request that began after ``shown`` was confirmed or seen:
    ``held = min(held, shown + back)``.
    """
    if account.shown is None:
        return account
    return replace(account, held=min(account.held, account.shown + account.back))


Places: TypeAlias = frozenset[str]
"""The places that a listing draws on, by their codes."""


def room(
    components: Mapping[str, Decimal], places: Places, sellable: Mapping[str, Mapping[str, Decimal]],
    pledged: Mapping[str, Mapping[Places, Decimal]],
) -> int:
    """Steps of a listing at ``places`` that what is left can hold: ``min over components ⌊max(0, left) / quantity⌋``.

    ``components``: component → its quantity in one step of the listing (a plain article by the piece: itself → 1).
    ``sellable`` and ``pledged`` are those of `left`, by component. Of what nobody counts nothing is there: 0.
    """
    return min(
        (int(max(ZERO, left(places, sellable.get(name, {}), pledged.get(name, {}))) // quantity)
         for name, quantity in components.items()),
        default=0,
    )


def left(places: Places, sellable: Mapping[str, Decimal], pledged: Mapping[Places, Decimal]) -> Decimal:
    """Units of a component that the other listings leave to one that draws on ``places``, less than 0 where they have
    too much already: ``min over A of Σ sellable over A − Σ pledged to those that draw on nothing outside A``.

    ``A`` is ``places`` with any of the sets of several places that somebody draws on: no other set says more.
    ``sellable``: place → units that no order has, below 0 where orders have more than is there. ``pledged``: places →
    ``Σ most · quantity`` of all *other* listings that draw on them; it names every set that somebody may draw on, also
    one to which nothing is pledged now. Orders that have no place yet are pledged to the places they may come from.
    """
    return min(
        sum((sellable.get(place, ZERO) for place in within), ZERO)
        - sum((units for at, units in pledged.items() if at <= within), ZERO)
        for within in _unions(places, frozenset(at for at in pledged if len(at) > 1))
    )


@lru_cache(maxsize=1_024)
def _unions(places: Places, sets: frozenset[Places]) -> frozenset[Places]:
    """``places`` alone, and with every choice of these sets."""
    found = {places}
    for one in sets:
        found |= {one | other for other in found}
    return frozenset(found)


def figure(account: Account, target: int, left: int, raises: Raises) -> int:
    """The figure the channel should show next: ``min(target, left − gap − late)``, at least 0.

    ``left`` is `room`: what the others leave. After it is sent, ``most`` is at most ``max(most before, left)``: so a
    lowering goes out at once, and a raise only into what the others were confirmed to have given up. Where nothing is
    compared and not all of the target fits beside unread sales, it is 0: the orders are read, and then it is raised;
    so it is where something may be sold and nobody knows what is shown. Equal to ``shown`` means that nothing is to be
    written now.
    """
    if account.shown is None and account.held > 0:
        return 0
    aim = max(0, min(target, left))
    free = max(0, left - gap(account, raises) - account.late)
    if raises == "compare":
        return min(aim, free)
    if account.shown == aim and most(account) <= left:
        return aim
    return aim if aim <= free else 0


def waits_for_orders(account: Account) -> bool:
    """Whether unread sales may be hidden in it: reading the channel's orders would make more of it free."""
    return account.held > (account.shown or 0)
