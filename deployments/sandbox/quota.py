"""How many requests a simulated system allows: a leaky bucket that counts what came on top of it.

What surprises here: it measures, it does not wait; a request beyond the bucket is refused (429) and booked as the fault
``over_limit``. Without an order there is no limit. ``POST /<system>/_control`` takes
``{"limit": {"rate": 20, "burst": 40}}`` (requests a second, and how many at once), ``{"limit": null}`` lifts it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from deployments.sandbox.design import Refused


class Quota:
    """What a system still allows now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rate = self._burst = self._level = self._at = 0.0

    def command(self, limit: Any) -> None:
        """Sets the limit (None: none), with a full bucket; raises Refused for nonsense."""
        rate, burst = (0, 0) if limit is None else _figures(limit)
        with self._lock:
            self._rate, self._burst = float(rate), float(burst)
            self._level, self._at = self._burst, time.monotonic()

    def wait(self) -> float | None:
        """None: a request may come; else the seconds after which the next one may."""
        with self._lock:
            if self._rate == 0.0:
                return None
            now = time.monotonic()
            self._level = min(self._burst, self._level + (now - self._at) * self._rate)
            self._at = now
            if self._level < 1.0:
                return (1.0 - self._level) / self._rate
            self._level -= 1.0
            return None


def _figures(limit: Any) -> tuple[Any, Any]:
    if isinstance(limit, Mapping) and set(limit) == {"rate", "burst"}:
        rate, burst = limit["rate"], limit["burst"]
        if all(isinstance(n, int | float | Decimal) and not isinstance(n, bool) and n > 0 for n in (rate, burst)):
            return rate, burst
    raise Refused(400, "bad_limit", f"found {limit!r}; write {{rate, burst}}, numbers above 0, or null")
