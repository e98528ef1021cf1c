"""The breaker's rule: when a set of writes to a channel is so large, or moves prices so far, that a person looks first.

What surprises here: this only judges a set. Falls of stock and orders are no subject of it: holding them oversells or
loses a sale, so whoever asks leaves them out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

Move: TypeAlias = tuple[Decimal, Decimal]
"""An amount before and after, in one currency."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Breaker:
    """What a channel takes without a person: ``records`` and ``price`` are fractions, ``at_least`` a number of writes.

    A set of fewer than ``at_least`` writes is never held for its size: a small channel would be held for each record.
    """

    records: Decimal = Decimal("0.3")
    price: Decimal = Decimal("0.3")
    at_least: int = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether the set would be held, and every reason for it as a sentence."""

    held: bool
    because: tuple[str, ...] = ()


def judge(changed: int, known: int, prices: Iterable[Move], rule: Breaker) -> Verdict:
    """Held when ``changed ≥ at_least and changed > records · known``, or for any price when ``after ≤ 0`` or
    ``|after − before| > price · before``.

    ``known`` is how many of these records the channel has. A price that was zero or less before has no proportion:
    any move of it is held. A price that does not move is never a reason.
    """
    reasons = []
    if changed >= rule.at_least and changed > rule.records * known:
        reasons.append(f"{changed} of {known} records would change, more than {_percent(rule.records)}")
    moved = [(before, after) for before, after in prices if before != after]
    nothing = [after for _, after in moved if after <= 0]
    if nothing:
        reasons.append(f"{_count(len(nothing), 'price')} would be zero or less")
    far = [(before, after) for before, after in moved
           if after > 0 and (before <= 0 or abs(after - before) > rule.price * before)]  # fmt: skip
    if far:
        before, after = max(far, key=lambda move: abs(move[1] - move[0]))
        reasons.append(
            f"{_count(len(far), 'price')} would move by more than {_percent(rule.price)}, "
            f"the farthest from {before} to {after}"
        )
    return Verdict(held=bool(reasons), because=tuple(reasons))


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f} %"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
