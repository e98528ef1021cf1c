"""Ill tempers on command: each strikes the next ``next`` requests (or scans, notices, changes) that fit, then is over.

``POST /<system>/_control`` takes ``{"fault": "throttle", "next": 3, "on": "POST /orders", "seconds": 1}``; ``on`` is a
method, a path or both (absent: any), or what every system of its role has under a path of its own (``catalogue``, ``new
order``, ``reads``); ``{"clear": true}`` ends all of them. The kinds:

* ``throttle``     429 with ``Retry-After: seconds``
* ``fail``         500 before anything was done
* ``fail_after``   500 after the write was applied
* ``lose_answer``  applied; after ``seconds`` the connection ends without an answer
* ``slow``         the answer comes ``seconds`` later
* ``garbage``      200 with a page that is not JSON
* ``omit_page``    page ``page`` is missing from the next full scan of ``on``
* ``backdate``     the next changes of ``on`` are stamped ``seconds`` in the past: rows committed late
* ``ignore``       the next updates of ``on`` are answered 200 with the row as it was, and change nothing
* ``drop``, ``duplicate``, ``reorder``   what becomes of the next notices
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from deployments.sandbox.design import Refused

KINDS = (
    "throttle",
    "fail",
    "fail_after",
    "lose_answer",
    "slow",
    "omit_page",
    "backdate",
    "ignore",
    "drop",
    "duplicate",
    "reorder",
    "garbage",
)
_KEYS = {"fault", "next", "on", "seconds", "page"}


@dataclass(kw_only=True, slots=True)
class Fault:
    """One ill temper and how often it still strikes."""

    kind: str
    left: int
    on: str
    seconds: float
    page: int

    def fits(self, method: str, path: str) -> bool:
        """Whether it strikes this request (or this kind of row: method "")."""
        wanted = self.on.split()
        verbs = [word for word in wanted if not word.startswith("/")]
        paths = [word for word in wanted if word.startswith("/")]
        return (not verbs or method == "" or method in verbs) and (
            not paths or any(path == p or path.startswith(p + "/") for p in paths)
        )


class Faults:
    """The ill tempers a system has now. ``places``: what is called by its role → method and path of this system."""

    def __init__(self, places: Mapping[str, str] | None = None) -> None:
        self._places = places or {}
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._calm = threading.Event()

    def command(self, order: Mapping[str, Any]) -> None:
        """Adds the fault asked for, or clears all and lets go of whom one holds up; raises Refused for nonsense."""
        if order.get("clear") is True:
            with self._lock:
                self._faults.clear()
                self._calm.set()
                self._calm = threading.Event()
            return
        unknown = sorted(set(order) - _KEYS)
        if unknown or order.get("fault") not in KINDS:
            found = unknown or order.get("fault")
            raise Refused(400, "bad_fault", f"found {found}; keys: {sorted(_KEYS)}; faults: {', '.join(KINDS)}")
        numbers = {name: order.get(name, default) for name, default in (("next", 1), ("seconds", 0), ("page", 1))}
        if any(isinstance(n, bool) or not isinstance(n, int | float | Decimal) or n < 0 for n in numbers.values()):
            raise Refused(400, "bad_fault", "next, seconds and page are numbers, not below zero")
        fault = Fault(
            kind=order["fault"],
            left=int(numbers["next"]),
            on=self._places.get(str(order.get("on", "")), str(order.get("on", ""))),
            seconds=float(numbers["seconds"]),
            page=int(numbers["page"]),
        )
        with self._lock:
            self._faults.append(fault)

    def wait(self, seconds: float) -> None:
        """Returns after so many seconds, or when all is cleared."""
        self._calm.wait(seconds)

    def strike(self, kind: str, method: str, path: str) -> Fault | None:
        """The fault of this kind that strikes now; it is used up by one."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if fault.kind == kind and fault.left > 0 and fault.fits(method, path):
                    fault.left -= 1
                    if fault.left == 0:
                        self._faults.remove(fault)
                    return fault
        return None
