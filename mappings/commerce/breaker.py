"""The breaker's rule: when writes to a channel would do so much, or move prices so far, that a person looks first.

What surprises here: two questions are asked. A single write that no retailer means (a price of nothing, one that moves
far, another currency) is held by itself. And everything of one cause counts together over a window: what 200 small
batches do is what one large batch does. Falls of stock are only told, unless the policy says otherwise: holding a fall
sells what is not there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_UP, Decimal
from typing import Literal

_NONE = Decimal(0)
_ALL = Decimal(1)
_FINE = Decimal("1e-9")
"""Sizes are whole billionths, rounded up: their sums are exact, in whatever order and batches they are added."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Breaker:
    """What a channel takes without a person. ``records price moved deletions zeroed`` are fractions.

    ``window``: how far back writes of one cause count together. ``at_least``: fewer items than this are never held for
    their number, or a small channel would be held for each record.
    """

    window: timedelta = timedelta(hours=1)
    at_least: int = 20
    records: Decimal = Decimal("0.3")
    price: Decimal = Decimal("0.3")
    moved: Decimal = Decimal("0.05")
    deletions: Decimal = Decimal("0.05")
    zeroed: Decimal = Decimal("0.3")
    stock: Literal["alert", "hold"] = "alert"


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """One price that a write would change. ``before`` None, zero or less: the channel shows no price yet; ``floor``:
    its lowest."""

    before: Decimal | None
    after: Decimal
    currency: str
    floor: Decimal | None = None
    was_currency: str | None = None
    tax_mode: str | None = None
    was_tax_mode: str | None = None

    @property
    def size(self) -> Decimal:
        """``min(1, |after − before| / before)``; 0 where ``before`` is none or at most 0: a first price is no rise."""
        if self.before is None or self.before <= 0:
            return _NONE
        if abs(self.after - self.before) >= self.before:
            return _ALL
        return (abs(self.after - self.before) / self.before).quantize(_FINE, ROUND_UP)


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """What one write would do to what the channel shows. ``counts`` False: a fall of stock, which is no change here."""

    moves: tuple[Move, ...] = ()
    deletes: bool = False
    zeroes: bool = False
    counts: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """What the writes of one cause did inside the window: items changed, Σ sizes of moves, items deleted, at zero."""

    changed: int = 0
    moved: Decimal = _NONE
    deleted: int = 0
    zeroed: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            changed=self.changed + other.changed, moved=self.moved + other.moved,
            deleted=self.deleted + other.deleted, zeroed=self.zeroed + other.zeroed,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether the writes would be held, and every reason for it as a sentence."""

    held: bool
    because: tuple[str, ...] = ()


def tally(effects: Iterable[Effect]) -> Tally:
    """The sum of the effects; an item whose prices move counts with the farthest of them."""
    them = list(effects)
    return Tally(
        changed=sum([one.counts for one in them]), deleted=sum([one.deletes for one in them]),
        zeroed=sum([one.zeroes for one in them]),
        moved=sum([max([move.size for move in one.moves]) for one in them if one.moves], _NONE),
    )


def alone(effects: Iterable[Effect], rule: Breaker) -> tuple[str, ...]:
    """Why these writes are for a person, each by itself, whatever else happens: a sentence per kind of reason.

    For any price: ``after ≤ 0``; ``after < floor``; ``|after − before| > price · before`` where ``before > 0``;
    another currency or tax mode than the channel shows. A price that does not move is never a reason, nor is how far
    it is from zero: some shops open an article at 0.00, and what follows is its first price.
    """
    found: dict[str, list[Move]] = {}
    for move in (move for effect in effects for move in effect.moves):
        kind = _strange(move, rule)
        if kind is not None:
            found.setdefault(kind, []).append(move)
    reasons = []
    for why, moves in sorted(found.items()):
        far = max(moves, key=lambda move: abs(move.after - (move.before or _NONE)))
        reasons.append(f"{_count(len(moves), 'price')} " + {
            "nothing": "would be zero or less",
            "floor": f"would be under the floor, such as {far.after} under {far.floor}",
            "far": f"would move by more than {_percent(rule.price)}, the farthest from {far.before} to {far.after}",
            "currency": f"would turn from {far.was_currency} to {far.currency}",
            "tax": f"would turn from {far.was_tax_mode} to {far.tax_mode}",
        }[why])
    return tuple(reasons)


def _strange(move: Move, rule: Breaker) -> Literal["nothing", "floor", "currency", "tax", "far"] | None:
    if move.was_currency is not None and move.was_currency != move.currency:
        return "currency"
    if move.was_tax_mode is not None and move.was_tax_mode != move.tax_mode:
        return "tax"
    if move.after == move.before:
        return None
    if move.after <= 0:
        return "nothing"
    if move.floor is not None and move.after < move.floor:
        return "floor"
    if move.before is not None and move.before > 0 and abs(move.after - move.before) > rule.price * move.before:
        return "far"
    return None


def together(done: Tally, known: int, rule: Breaker) -> tuple[str, ...]:
    """Why everything of this cause is for a person; () when it is not. ``known``: how many items the channel lists.

    ``changed ≥ at_least and changed > records · known`` · ``changed ≥ at_least and Σ size > moved · known`` (the share
    of items times the size of their moves) · ``deleted ≥ at_least and deleted > deletions · known``. Where
    ``stock`` is ``hold``: ``zeroed ≥ at_least and zeroed > zeroed · known``.

    It is asked before each page goes out, of what went out within the window and of the whole page: what is due at once
    is held from its first item. Of a change that comes in a trickle no more is live when the rest is held than fewer
    than ``at_least`` items, or ``records · known`` items whose sizes sum up to ``moved · known``; none moved by more
    than ``price``.
    """
    reasons = []
    if done.changed >= rule.at_least and done.changed > rule.records * known:
        reasons.append(f"{done.changed} of {known} records would change, more than {_percent(rule.records)}")
    if done.changed >= rule.at_least and done.moved > rule.moved * known:
        reasons.append(f"prices would move by {_percent(done.moved / known if known else _ALL)} over all listings, "
                       f"more than {_percent(rule.moved)}")
    if done.deleted >= rule.at_least and done.deleted > rule.deletions * known:
        reasons.append(f"{done.deleted} of {known} listings would go, more than {_percent(rule.deletions)}")
    if rule.stock == "hold":
        reasons += emptied(done, known, rule)
    return tuple(reasons)


def emptied(done: Tally, known: int, rule: Breaker) -> tuple[str, ...]:
    """Why somebody should be told of stock: ``zeroed ≥ at_least and zeroed > zeroed · known``; () otherwise."""
    if done.zeroed >= rule.at_least and done.zeroed > rule.zeroed * known:
        return (f"{done.zeroed} of {known} listings go to zero stock, more than {_percent(rule.zeroed)}",)
    return ()


def judge(effects: Iterable[Effect], known: int, rule: Breaker) -> Verdict:
    """What would become of these writes as one set of one cause with nothing before it in the window."""
    effects = list(effects)
    reasons = (*together(tally(effects), known, rule), *alone(effects, rule))
    return Verdict(held=bool(reasons), because=reasons)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _percent(share: Decimal) -> str:
    return f"{(share * 100).quantize(Decimal('0.1')).normalize():f} %"
