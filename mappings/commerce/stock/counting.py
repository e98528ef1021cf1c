"""When a stock figure contains an order, so that its units are taken off once: never twice, never zero times.

What surprises here: the question is never "was it confirmed" but "did the request for this figure *begin* after we saw
that it was". A figure that was asked for earlier may have been computed before the event, however late it arrives. And
a count is a figure of its own moment: it contains what moved until then, whenever anybody heard of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

ON_HAND: Final = "on_hand"
AVAILABLE: Final = "available"
BEFORE_OWN: Final = "available_before_own_open_orders"
KINDS: Final = (ON_HAND, AVAILABLE, BEFORE_OWN)
"""What a source's figure may mean."""
RESTOCKS: Final = ("source", "serai")
"""Who gives the units of a cancelled order back that a source's figure had taken off already."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A figure as it was read: what it means, when the request began, whether it came with the part that the source
    has allocated to orders, and the moment of the count it is, if it is one.
    """

    kind: str
    began_at: datetime
    allocated: bool = False
    counted_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """Units promised to an order line: when we saw that the source confirmed the order, when we saw that it posted the
    goods as gone, and when they went, by the document that says so.
    """

    taken_at: datetime | None = None
    posted_at: datetime | None = None
    moved_at: datetime | None = None


def ends_when_taken(kind: str, *, allocated: bool = False) -> bool:
    """Whether the source takes an order off its figure as soon as it has confirmed it.

    ``available``: yes. ``on_hand``: only together with the part that it has allocated, which then holds the order.
    ``available_before_own_open_orders``: no, it leaves our own orders out until their goods go.
    """
    return kind == AVAILABLE or (kind == ON_HAND and allocated)


def contains(reading: Reading, promise: Promise) -> bool:
    """Whether the figure has the promised units taken off already, so that they must not be taken off again.

    ``event < began_at``, both moments, where ``event = min(taken_at, posted_at)`` of those that were seen if the
    source takes an order off when it confirms it (``ends_when_taken``), else ``posted_at``. Of a count:
    ``moved_at ≤ counted_at``. What was not seen is in no figure.
    """
    if reading.counted_at is not None:
        return promise.moved_at is not None and promise.moved_at <= reading.counted_at
    seen = [promise.posted_at]
    if ends_when_taken(reading.kind, allocated=reading.allocated):
        seen.append(promise.taken_at)
    event = min((moment for moment in seen if moment is not None), default=None)
    return event is not None and event < reading.began_at


def ends_when_cancelled(promise: Promise, *, by_source: bool, known_there: bool) -> bool:
    """Whether a cancellation frees the units at once: ``not posted and (by_source or not known_there)``.

    Where the source knows the order, only its own word counts: it may have sent the goods already, and we not heard of
    it. What has gone comes back as a return, never as a cancellation.
    """
    return promise.posted_at is None and (by_source or not known_there)


def gives_back(kind: str, *, allocated: bool, restocks: str) -> bool:
    """Whether Serai must give cancelled units back itself: ``restocks = serai`` and the source takes an order off when
    it confirms it.

    The promise then stands, and against it as many units are given back: together nothing, until a figure contains the
    order; from then on what the figure lost. A count at or after the cancellation ends it.
    """
    return restocks == "serai" and ends_when_taken(kind, allocated=allocated)
