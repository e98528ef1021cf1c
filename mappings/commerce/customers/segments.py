"""What a customer is worth and how often they came, from orders; and which segments that makes them part of.

What surprises here: money of two currencies is never added; each figure of money is per currency. A cancelled order and
one that is only offered count nowhere; what was refunded is taken off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from mappings.commerce.customers.consent import DENIED, MARKETING

NOT_BOUGHT: Final = ("offered", "cancelled")
PROFILING: Final = "profiling"


@dataclass(frozen=True, kw_only=True)
class Purchases:
    """What somebody bought. ``spent`` is per currency; ``recency`` is whole days since the last order, None without."""

    orders: int = 0
    recency: int | None = None
    first_at: datetime | None = None
    last_at: datetime | None = None
    spent: Mapping[str, Decimal] = field(default_factory=dict)
    counted: Mapping[str, int] = field(default_factory=dict)
    categories: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()

    @property
    def average(self) -> dict[str, Decimal]:
        """Average order per currency: ``spent / orders of that currency``, half up to two digits."""
        return {
            currency: (amount / self.counted[currency]).quantize(Decimal("0.01"), ROUND_HALF_UP)
            for currency, amount in self.spent.items()
        }


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Who belongs to it: everything that is said must hold, and somebody without an order belongs to none.

    ``recency_to`` and ``recency_from`` are days since the last order, ``frequency`` orders, ``money`` what was spent in
    ``currency``; of ``categories``, ``stores`` and ``channels`` one suffices.
    """

    name: str
    recency_to: int | None = None
    recency_from: int | None = None
    frequency: int = 1
    money: Decimal | None = None
    currency: str | None = None
    categories: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()

    def holds(self, of: Purchases) -> bool:
        """``recency_from ≤ recency ≤ recency_to ∧ orders ≥ frequency ∧ spent[currency] ≥ money ∧ one of each set``."""
        if of.recency is None or of.orders < max(1, self.frequency):
            return False
        return (
            (self.recency_to is None or of.recency <= self.recency_to)
            and (self.recency_from is None or of.recency >= self.recency_from)
            and (self.money is None or of.spent.get(self.currency or "", Decimal(0)) >= self.money)
            and all(not wanted or wanted & had for wanted, had in (
                (self.categories, of.categories), (self.stores, of.stores), (self.channels, of.channels),
            ))
        )


def purchases(
    orders: Iterable[Mapping[str, Any]], now: datetime, *, categories: Mapping[str, str] | None = None,
    stores: Mapping[str, str] | None = None,
) -> Purchases:
    """What these orders come to, each with ``channel`` and, where goods came back, ``refunded`` (money).

    ``spent[c] = Σ total − Σ refunded`` over orders of currency c that are neither offered nor cancelled;
    ``recency = ⌊(now − last order) / 1 day⌋``. ``categories`` and ``stores`` name variants' and locations' uids.
    """
    categories, stores = categories or {}, stores or {}
    spent: dict[str, Decimal] = {}
    counted: dict[str, int] = {}
    moments: list[datetime] = []
    seen: tuple[set[str], set[str], set[str]] = (set(), set(), set())
    for order in orders:
        total = order.get("total")
        if order.get("status") in NOT_BOUGHT or total is None:
            continue
        currency = total["currency"]
        back = order.get("refunded")
        less = Decimal(back["amount"]) if back is not None and back["currency"] == currency else Decimal(0)
        spent[currency] = spent.get(currency, Decimal(0)) + Decimal(total["amount"]) - less
        counted[currency] = counted.get(currency, 0) + 1
        if order.get("placed_at") is not None:
            moments.append(datetime.fromisoformat(order["placed_at"]))
        variants = {line.get("variant") for line in order.get("lines") or ()}
        seen[0].update(categories[uid] for uid in variants if uid in categories)
        seen[1].update([stores[order["location"]]] if order.get("location") in stores else [])
        seen[2].update([order["channel"]] if order.get("channel") is not None else [])
    last = max(moments, default=None)
    return Purchases(
        orders=sum(counted.values()), spent=spent, counted=counted, first_at=min(moments, default=None), last_at=last,
        recency=None if last is None else max(0, (now.astimezone(UTC) - last).days),
        categories=frozenset(seen[0]), stores=frozenset(seen[1]), channels=frozenset(seen[2]),
    )


def repeat_rate(everybody: Iterable[Purchases]) -> Decimal | None:
    """``customers with at least two orders / customers with at least one``, to four digits; None without any."""
    counts = [one.orders for one in everybody if one.orders > 0]
    if not counts:
        return None
    again = sum(count > 1 for count in counts)
    return (Decimal(again) / len(counts)).quantize(Decimal("0.0001"), ROUND_HALF_UP)


def segments_of(of: Purchases, segments: Sequence[Segment]) -> list[str]:
    """Names of the segments that somebody with these purchases belongs to, in alphabetical order."""
    return sorted(segment.name for segment in segments if segment.holds(of))


def shown_segments(names: Sequence[str], consents: Iterable[Mapping[str, Any]], channel: str) -> list[str]:
    """What of somebody's segments a channel is told: all, or none of who objected.

    ``none ⇔ some statement denies profiling, or marketing by every means, on this channel or on every one``: segments
    serve to advertise, and who is not advertised to is in none.
    """
    objects = any(
        one["state"] == DENIED and one.get("channel") in (None, channel)
        and (one["purpose"] == PROFILING or (one["purpose"] == MARKETING and one.get("means") is None))
        for one in consents
    )
    return [] if objects else sorted(names)
