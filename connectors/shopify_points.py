"""What Shopify's questions cost, and how long to wait for the points of one that was throttled.

What surprises here (shopify.dev/docs/api/usage/limits, read 2026-11-22):

* A question costs what it *could* return, by published rules: an object 1, a connection 2 and its size times what a
  node costs, a change 10. What it did not use is given back at once. So it is paid for by those rules, and by what
  Shopify has asked beyond them for the same question before; what comes back is handed back.
* Each answer says how much is left; that goes to whoever shares the account.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from connectors.answers import BUSY, Answer
from connectors.errors import Misconfigured
from connectors.graphql import Graph, Operation
from connectors.paging import ABSENT, at

_COST, _LEFT = "extensions.cost", "throttleStatus.currentlyAvailable"


class Points(Graph):
    """Shopify's one address; it remembers how much dearer than published each question was."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._dearer: dict[str, float] = {}

    def cost(self, operation: Operation, variables: Mapping[str, Any]) -> float:
        """What Shopify will ask for it."""
        return points(operation.text, variables) * self._dearer.get(operation.name, 1.0)

    def weighed(self, operation: Operation, taken: float, body: Any) -> None:
        """What it was dearer is remembered, what was taken too much is given back, what is left is told."""
        asked, spent, left = (_figure(body, name) for name in ("requestedQueryCost", "actualQueryCost", _LEFT))
        if asked is not None and asked > taken:
            self._dearer[operation.name] = self._dearer.get(operation.name, 1.0) * asked / taken
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


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\.\.\.|[$@\w]+|[{}()]')


def points(text: str, variables: Mapping[str, Any]) -> float:
    """What a question costs before it is asked, by the published rules; sizes stand in it or in its variables."""
    if text.startswith("mutation"):
        return 10.0
    words = iter(_words(text))
    while next(words) != "{":  # the name of the question and its variables
        pass
    return max(1.0, _selected(words, variables)[0])


@lru_cache(maxsize=500)
def _words(text: str) -> tuple[str, ...]:
    return tuple(_TOKEN.findall(text))


def _selected(words: Iterator[str], variables: Mapping[str, Any]) -> tuple[float, float | None]:
    """The points of what stands before the next closing brace; of a connection's nodes, each, where there are some."""
    sum_, nodes = 0.0, None
    name, given = "", dict[str, Any]()
    for word in words:
        if word == "}":
            break
        if word == "(":
            given = dict(_given(words, variables))
        elif word == "{":
            inner, each = _selected(words, variables)
            if name == "nodes" and "ids" in given:
                sum_ += len(given["ids"]) * max(1.0, inner)
            elif name == "nodes":
                nodes = 1 + inner
            elif each is not None:
                sum_ += 2 + int(given.get("first") or 0) * each
            elif name.startswith("..."):
                sum_ += inner
            elif name != "pageInfo":
                sum_ += 1 + inner
        else:
            name, given = (f"...{word}" if name in ("...", "...on") else word), {}
    return sum_, nodes


def _given(words: Iterator[str], variables: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """A field's arguments, of those that are plain words: a variable by its value."""
    name = ""
    for word in words:
        if word == ")":
            return
        if word.startswith("$"):
            yield name, variables.get(word[1:])
        elif word.isdigit():
            yield name, word
        name = word
