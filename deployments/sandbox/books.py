"""A system's own books: an append-only journal from which a judge can tell the truth without asking Serai.

Every entry has ``n`` (counting from 1), ``at`` (the system's own clock, UTC), ``kind`` and the fields of its kind;
amounts and quantities are decimal text, whatever the system's native notation. The kinds:

* ``stock``     goods moved: sku, location, delta, now, why (opening, count, sale, shipment), doc
* ``shown``     a sales channel shows another figure: sku, was, now, why (opening, write, order, cancel, people)
* ``price``     a price in force: sku, list, was, now, currency, why
* ``name``      what a thing is called: sku, was, now, why
* ``order``     an order entered: id, number, reference, total, currency, lines [{sku, quantity,
  total}], handed_over, location, state, customer, why
* ``change``    an order moved on: id, number, was, now, reason (where the system has one), why
* ``amount``    an order comes to another sum: id, number, total, currency, why
* ``payment``   an order was paid, or its money went back: id, number, was, now, why
* ``decision``  the seller's word on an order: id, number, decision, reason, accept_by, why
* ``told``      a buyer was told: id, number, what (accepted, refused, cancelled, ready, delayed, expired, …), reason
* ``held``      what lies in a marketplace's own warehouse: sku, location, was, now, why
* ``refund``    money went back in the shop: id, order, number, payments [{kind, amount}], lines [{sku, quantity, to,
  tax_rate}], why; ``return`` the same at a till's desk (store) and in the ERP (location)
* ``turned_away`` a desk could not take back what somebody brought: number, store
* ``sale``      a till sold: id, store, total, lines, sold_at (native), shift
* ``shipment``  goods sent: id, order, number, tracking, lines, location (in the ERP), why
* ``customer``  somebody entered or changed: id, email, phone, why
* ``write``     a request to write: resource, op, id, status, changed, reference, code
* ``notice``    a notice: delivery, resource, id, url, attempt, outcome (delivered, failed, dropped, given up)
* ``fetch``     a price list was fetched, and what came of it is another thing than before: said, offers
* ``fault``     an ill temper struck: fault, method, path
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import msgspec

Entry = dict[str, Any]
_encode = msgspec.json.Encoder(decimal_format="string").encode


class Books:
    """Holds the journal in memory and, with a path, line by line on disk (an existing file is begun anew)."""

    def __init__(self, system: str, path: Path | None) -> None:
        self.system = system
        self._entries: list[Entry] = []
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", encoding="utf-8", buffering=1 << 16)

    def enter(self, kind: str, at: datetime, **fields: Any) -> None:
        """Appends one entry."""
        with self._lock:
            entry = {"n": len(self._entries) + 1, "at": at.isoformat(), "system": self.system, "kind": kind, **fields}
            self._entries.append(entry)
            if self._file is not None:
                self._file.write(_encode(entry).decode() + "\n")

    def after(self, n: int) -> Sequence[Entry]:
        """The entries with a number greater than ``n``; those before them are on disk as well afterwards."""
        with self._lock:
            if self._file is not None and not self._file.closed:
                self._file.flush()
            return self._entries[n:]

    def close(self) -> None:
        """Everything is on disk; nothing can be written to it any more."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
