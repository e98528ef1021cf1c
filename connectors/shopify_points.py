"""What Shopify's questions cost, and how long to wait for the points of one that was throttled.

What surprises here (shopify.dev/docs/api/usage/limits, read 2026-11-22):

* A question costs what it *could* return; what it did not use is given back at once. So it is paid for with what
  Shopify asked for the same question last time (at first with our own estimate), and the rest is handed back.
* Each answer says how much is left; that goes to whoever shares the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.answers import BUSY, Answer
from connectors.errors import Misconfigured
from connectors.graphql import Graph, Operation
from connectors.paging import ABSENT, at

_COST, _LEFT = "extensions.cost", "throttleStatus.currentlyAvailable"


class Points(Graph):
    """Shopify's one address; it remembers what each question cost last."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._asked: dict[str, float] = {}

    def cost(self, operation: Operation) -> float:
        """What Shopify asked for it last time."""
        return self._asked.get(operation.name, operation.cost)

    def weighed(self, operation: Operation, taken: float, body: Any) -> None:
        """What it cost is remembered, what was taken too much is given back, what is left is told."""
        asked, spent, left = (_figure(body, name) for name in ("requestedQueryCost", "actualQueryCost", _LEFT))
        if asked is not None:
            self._asked[operation.name] = asked
        if spent is not None:
            self.budget.back(max(0.0, taken - spent))
        if left is not None:
            self.budget.told(left)

    def wait(self, body: Any) -> float:
        """Seconds until the points are back that were lacking: (requested − available) / restore rate."""
        names = ("requestedQueryCost", _LEFT, "throttleStatus.restoreRate")
        asked, left, rate = (_figure(body, name) for name in names)
        if asked is None or left is None or rate is None or rate <= 0:
            return BUSY
        return max(1.0, (asked - left) / rate)

    def failure(self, where: str, answer: Answer, errors: Sequence[Any]) -> Exception:
        """The error that ``errors`` stand for; a question that is too dear at any time is a setting's fault."""
        if any(at(row, "extensions.code") == "MAX_COST_EXCEEDED" for row in errors):
            told = self.clean(str(at(errors[0], "message")))
            return Misconfigured(f"{where}: it costs more than the platform allows at once ({told}); lower `page_size`")
        return super().failure(where, answer, errors)


def _figure(body: Any, name: str) -> float | None:
    found = at(body, f"{_COST}.{name}")
    return None if found is ABSENT or found is None else float(found)
