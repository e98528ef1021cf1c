"""Full reads of Shopify as bulk operations: one question for everything, answered minutes later by a file.

What surprises here (the schema of 2026-10; shopify.dev/docs/api/usage/bulk-operations/queries, read 2026-11-22):

* The question costs ten points whatever it brings; 20,000 variants page by page would cost 100,000. Five operations may
  run at a time, one before 2026-01.
* The operation's id stands in the cursor before anybody waits, and the place in the file beside it, so that a read goes
  on after a crash. The file's address is not: it is as good as a credential, and ends after seven days. Asked again,
  Shopify names a new one.
* The file is JSON Lines. What stood in an inner connection is a line of its own, with the ``__parentId`` of the record
  around it; only where asked to (``groupObjects``, slower) do these lines follow that record.
* An operation that failed may name a file of what it had by then (``partialDataUrl``). It is not read: what it lacks
  would look deleted. Whatever becomes of an operation but success, the list is read page by page instead, which also
  tells which right is missing.
* Connections inside a list (an order's refunds) are refused, so that orders and shipments are always read by pages.
* A row is as old as the operation's begin (P5), however late the file is read.
* It is asked whether it is done: a point each time. `bulk_operations/finish` tells nothing that this does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from connectors import window
from connectors.answers import Answer, decoded
from connectors.base import Cursor, Doc, Page, Resource
from connectors.errors import RetryLater, ShapeChanged
from connectors.graphql import Graph, Operation
from connectors.paging import Position, at
from connectors.shopify_facts import CODED, CUSTOMER, MEDIA, PRICE, PRODUCT_ITSELF, RESOURCES, STOCKED, VARIANT
from connectors.shopify_writes import level_doc, price_doc

LARGE: Final = 500
"""A full read of so many documents is a bulk operation; fewer are there sooner by pages."""
PART: Final = 1_000_000
"""Bytes of the file that are read at once."""
BULK_OPTIONS: Final[Mapping[str, str]] = {"large": "bulk", "part": "bulk_part"}
PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds between two questions whether it is done; the last one again and again."""
FULL: Final = 60.0
"""Seconds to wait when as many operations run as may."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bulk:
    """What is asked for everything of a resource. ``docs`` makes documents of lines; ``together``: a record's lines are
    needed at once; ``counted``: the field of the root that says how many there are."""

    text: str
    docs: Callable[[Sequence[Doc]], Sequence[Doc]]
    counted: str
    together: bool = False


def _all(name: str, fields: str, arguments: str = "") -> str:
    return f"{name}{arguments} {{ edges {{ node {{ {fields} }} }} }}"


def _products(rows: Sequence[Doc]) -> list[Doc]:
    found: dict[str, Doc] = {}
    for row in rows:
        if "__parentId" in row:
            media = found[row["__parentId"]]["media"]["nodes"]
            if len(media) < 10:  # as many as a page has
                media.append({name: value for name, value in row.items() if name != "__parentId"})
        else:
            found[row["id"]] = {**row, "media": {"nodes": []}}
    return list(found.values())


def _levels(rows: Sequence[Doc]) -> list[Doc]:
    items: dict[str, Doc] = {}
    levels: list[Doc] = []
    for row in rows:
        if "__parentId" not in row:
            items[row["id"]] = {**row, "variants": {"nodes": []}}
        elif "quantities" in row:
            own = {name: value for name, value in row.items() if name != "__parentId"}
            levels.append(level_doc({**own, "item": items[row["__parentId"]]}))
        else:
            items[row["__parentId"]]["variants"]["nodes"].append({"id": row["id"]})
    return levels


def _prices(rows: Sequence[Doc]) -> list[Doc]:
    return [
        price_doc({name: value for name, value in row.items() if name != "__parentId"}, row["__parentId"])
        for row in rows
        if "__parentId" in row
    ]


_VARIANTS = Bulk(text=f"{{ {_all('productVariants', VARIANT)} }}", docs=list, counted="productVariantsCount")
_ITEM = f"id tracked {_all('variants', 'id')} {_all('inventoryLevels', STOCKED)}"
_EVERY = f'(query: "{RESOURCES["products"].params["filter"]}")'
BULKS: Mapping[str, Bulk] = {
    "products": Bulk(
        text=f"{{ {_all('products', f'{PRODUCT_ITSELF} ' + _all('media', MEDIA), _EVERY)} }}", docs=_products,
        counted="productsCount", together=True,
    ),
    "variants": _VARIANTS, "prices": _VARIANTS,
    "inventory": Bulk(
        text=f"{{ {_all('inventoryItems', _ITEM)} }}", docs=_levels, counted="productVariantsCount", together=True,
    ),
    "catalog_prices": Bulk(
        text=f"{{ {_all('priceLists', 'id ' + _all('prices', PRICE, '(originType: FIXED)'))} }}", docs=_prices,
        counted="productVariantsCount",
    ),
    "customers": Bulk(text=f"{{ {_all('customers', CUSTOMER)} }}", docs=list, counted="customersCount"),
}  # fmt: skip
RUN = Operation(
    name="bulkOperationRunQuery",
    text="mutation bulkOperationRunQuery($query: String!, $group: Boolean!)"
    f" {{ bulkOperationRunQuery(query: $query, groupObjects: $group) {{ bulkOperation {{ id }} {CODED} }} }}",
)  # fmt: skip
LOOK = Operation(
    name="bulkOperation",
    text="query bulkOperation($id: ID!) { bulkOperation(id: $id) { status errorCode fileSize url } }",
)  # fmt: skip
COUNTS: Mapping[str, Operation] = {
    name: Operation(
        name=name, text=f"query {name}($most: Int) {{ {name}(limit: $most) {{ count }} }}"
    )
    for name in sorted({bulk.counted for bulk in BULKS.values()})
}  # fmt: skip


class Gone(Exception):
    """The operation came to nothing, or its file is there no more: the list must be read by pages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """Reads of one channel by bulk operations: ``document`` reads a file's own address, ``part`` bytes at once; from
    ``large`` documents on a full read is one."""

    graph: Graph
    document: Callable[..., Answer]
    part: int = PART
    large: int = LARGE

    def due(self, resource: str, cursor: Cursor | None) -> bool:
        """The read is, or goes on with, a bulk operation."""
        state = window.opened(cursor)
        if state.position is not None:
            return "operation" in state.position
        if state.since is not None or resource not in BULKS:
            return False
        if self.large <= 0:
            return True
        counted = BULKS[resource].counted
        found = self.graph.question(COUNTS[counted], {"most": self.large}).body["data"][counted]
        return found is not None and int(found["count"]) >= self.large

    def pages(self, resource: str, facts: Resource, cursor: Cursor | None) -> Iterator[Page]:
        """Pages from the cursor on; one without documents stands for a place that is worth keeping. Raises Gone."""
        bulk, state = BULKS[resource], window.opened(cursor)
        if state.position is None:
            answer = self._run(bulk)
            id = at(answer.body, f"data.{RUN.name}.bulkOperation.id")
            state = replace(state, until=answer.began, position={"operation": str(id), "from": 0})
            yield self._page(state, answer.began)
        began, turn = state.until, 0
        assert began is not None
        while (job := self._look(state))["status"] != "COMPLETED":
            time.sleep(PAUSES[min(turn, len(PAUSES) - 1)])
            turn += 1
            yield self._page(state, began)
        yield from self._read(facts, bulk, state, job, began)

    def _run(self, bulk: Bulk) -> Answer:
        answer = self.graph.question(RUN, {"query": bulk.text, "group": bulk.together})
        errors = at(answer.body, f"data.{RUN.name}.userErrors")
        if not errors:
            return answer
        text = f"{self.graph.where}: {RUN.name}: {self.graph.clean('; '.join(str(row['message']) for row in errors))}"
        if any(row["code"] in ("LIMIT_REACHED", "OPERATION_IN_PROGRESS") for row in errors):
            raise RetryLater(f"{text}; it begins when another one has ended", after=FULL)
        raise ShapeChanged(f"{text}; the list can be read by pages: raise `bulk` in the channel's settings")

    def _look(self, state: window.Window) -> Doc:
        """The operation; Gone when there is none, or none that will have a file."""
        found = at(self.graph.question(LOOK, {"id": _operation(state)}).body, "data.bulkOperation")
        if not isinstance(found, dict) or found["status"] in ("FAILED", "CANCELED", "CANCELING", "EXPIRED"):
            raise Gone
        return found

    def _read(self, facts: Resource, bulk: Bulk, state: window.Window, job: Doc, began: datetime) -> Iterator[Page]:
        where = f"{self.graph.where}: {facts.path}: the file of a bulk operation"
        if job["url"] is None:  # nothing was found
            yield self._page(_on(state, facts, [], None, began), began, last=True)
            return
        total, start, size = int(job["fileSize"]), int((state.position or {})["from"]), self.part
        while start < total:
            raw, job = self._part(job, state, start, size)
            whole = start + len(raw) >= total
            try:
                rows, used = taken(raw, whole=whole, together=bulk.together)
            except ValueError as fault:
                problem = str(fault)
                break
            if used == 0 and raw and not whole:
                size *= 2  # a line, or a record's lines, longer than a part
                continue
            if used == 0:
                problem = f"it ends after {start} of {total} bytes"
                break
            start, size, docs = start + used, self.part, bulk.docs(rows)
            position = None if start >= total else {"operation": _operation(state), "from": start}
            state = _on(state, facts, docs, position, began)
            yield self._page(state, began, docs, last=position is None)
        else:
            return
        raise ShapeChanged(f"{where} cannot be used: {problem}")

    def _part(self, job: Doc, state: window.Window, start: int, size: int) -> tuple[bytes, Doc]:
        """Bytes of the file from ``start`` on, and the operation that names the file; its address may have ended."""
        asked = {"Range": f"bytes={start}-{start + size - 1}", "Accept-Encoding": "identity"}
        for fresh in (job, None):
            job = self._look(state) if fresh is None else fresh
            answer = self.document(str(job["url"]), headers=asked)
            if answer.ok:
                raw = bytes(answer.body)
                return (raw if answer.status == 206 else raw[start : start + size]), job
        raise Gone

    def _page(self, state: window.Window, began: datetime, docs: Sequence[Doc] = (), *, last: bool = False) -> Page:
        return Page(docs=docs, cursor=state.cursor(), last=last, asked_at=began)


def _operation(state: window.Window) -> str:
    return str((state.position or {})["operation"])


def _on(
    state: window.Window, facts: Resource, docs: Sequence[Doc], position: Position | None, began: datetime
) -> window.Window:
    stamps = facts.updated if facts.since is not None else None
    return window.turned(state, docs=docs, path=stamps, began=began, position=position)


def taken(raw: bytes, *, whole: bool, together: bool) -> tuple[list[Doc], int]:
    """The lines of a part of the file that are complete, and how many bytes they are.

    ``whole``: the file ends with it. ``together``: the last record may have lines in the next part, and is left to it.
    """
    end = len(raw) if whole else raw.rfind(b"\n") + 1
    lines = raw[:end].splitlines(keepends=True)
    rows = [decoded(line) for line in lines]
    if together and not whole:
        roots = [n for n, row in enumerate(rows) if "__parentId" not in row]
        kept = roots[-1] if roots else 0
        return rows[:kept], sum(map(len, lines[:kept]))
    return rows, end
