"""Lists as the systems give them: by cursor token, by page number, by key; windows of change, lookups, lost pages.

What surprises here: a list by page number is ordered by id and shifts when rows leave it; one by token or key is
ordered by (stamp, id), so a row that changes during a scan is met again at its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from deployments.sandbox.design import Refused
from deployments.sandbox.notation import Doc, parsed

if TYPE_CHECKING:
    from deployments.sandbox.engine import Row, System


class Listing:
    """One request for a list."""

    def __init__(self, system: System, name: str, query: Mapping[str, str]) -> None:
        self.system, self.name, self.query = system, name, query
        self.design = system.design
        self.lists = system.design.lists
        self.collection = system.design.collections[name]
        self.table = system.tables[name]

    def answer(self) -> Any:
        lists, query = self.lists, self.query
        known = {"limit", "per_page", "ids", lists.since, lists.position, "page", "after_modified", "archived"}
        if lists.reference is not None:
            known.add(lists.reference)
        unknown = sorted(set(query) - known)
        if unknown:
            raise Refused(400, "unknown_parameter", f"found {unknown}; known: {', '.join(sorted(known))}")
        if "ids" in query:
            wanted = [] if self.lists.style == "keyset" and self.start() is not None else query["ids"].split(",")[:100]
            return self.whole([self.table.rows[id].doc for id in wanted if id in self.table.rows])
        if lists.reference is not None and lists.reference in query and self.collection.reference is not None:
            return self.whole(self.system.by_reference(self.name, query[lists.reference]))
        return self.page()

    def whole(self, docs: list[Doc]) -> Any:
        return self.lists.envelope(self.name, docs, {"next": None, "page": 1, "pages": 1, "total": len(docs)})

    def page(self) -> Any:
        size = self.size()
        rows = self.rows()
        if self.lists.style == "page":
            number = self.whole_number("page", 1)
            total = len(rows)
            part = rows[(number - 1) * size : number * size]
            facts: Doc = {"next": None, "page": number, "pages": max(1, -(-total // size)), "total": total}
            return self.lists.envelope(self.name, [row.doc for _, row in part], facts)
        start = self.start()
        if start is not None:
            rows = [item for item in rows if (item[1].at, item[0]) > start]
        part = rows[:size]
        more = part[-1] if len(rows) > size else None
        token = None if more is None else f"{more[1].at.isoformat()}~{more[0]}".encode().hex()
        facts = {"next": token, "page": 1, "pages": 1, "total": len(rows)}
        return self.lists.envelope(self.name, [row.doc for _, row in part], facts)

    def size(self) -> int:
        asked = self.whole_number("limit", self.whole_number("per_page", self.lists.size))
        return max(1, min(asked, self.lists.size))

    def whole_number(self, parameter: str, default: int) -> int:
        text = self.query.get(parameter)
        if text is None:
            return default
        if not text.isdigit() or (parameter == "page" and int(text) < 1):
            raise Refused(400, "bad_parameter", f"{parameter} should be a whole number, found {text[:40]!r}")
        return int(text)

    def rows(self) -> Sequence[tuple[str, Row]]:
        """The rows the scan covers, in the system's order, without those an ill temper hides."""
        rows = list(self.table.rows.items())
        archived = self.collection.archived
        if archived is not None and self.query.get("archived") != "true":
            rows = [item for item in rows if item[1].doc[archived] is not True]
        since = self.query.get(self.lists.since)
        if since is not None:
            bound = self.moment(since)
            rows = [item for item in rows if item[1].at >= bound]
        by_page = self.lists.style == "page"
        rows.sort(key=(lambda item: (len(item[0]), item[0])) if by_page else (lambda item: (item[1].at, item[0])))
        if since is None:
            self.omit(rows)
            rows = [item for item in rows if item[0] not in self.table.omitted] if self.table.omitted else rows
        return rows

    def omit(self, rows: Sequence[tuple[str, Row]]) -> None:
        """A scan's first page decides what the whole scan will lack."""
        first = self.query.get("page", "1") == "1" if self.lists.style == "page" else self.start() is None
        if not first:
            return
        fault = self.system.faults.strike("omit_page", "GET", f"/{self.name}")
        size = self.size()
        lost = () if fault is None else rows[(fault.page - 1) * size : fault.page * size]
        self.table.omitted = frozenset(id for id, _ in lost)

    def start(self) -> tuple[datetime, str] | None:
        """The (stamp, id) after which this page begins; None: from the start."""
        query = self.query
        if self.lists.style == "keyset":
            if "after_modified" not in query or self.lists.position not in query:
                return None
            return self.moment(query["after_modified"]), query[self.lists.position]
        if self.lists.position not in query:
            return None
        try:
            stamp, _, id = bytes.fromhex(query[self.lists.position]).decode().partition("~")
            return datetime.fromisoformat(stamp), id
        except ValueError:
            raise Refused(400, "bad_parameter", f"{self.lists.position} is not a token of this system") from None

    def moment(self, text: str) -> datetime:
        try:
            return parsed(text)
        except ValueError:
            raise Refused(400, "bad_parameter", f"not a moment with an offset: {text[:40]!r}") from None
