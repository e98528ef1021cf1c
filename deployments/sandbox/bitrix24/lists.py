"""A page of a list: 50 of those that the filter keeps, in the order asked for, counted or not."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from deployments.sandbox.bitrix24.queries import in_their_order, kept, ordered
from deployments.sandbox.bitrix24.state import Fault, Portal
from deployments.sandbox.notation import Doc


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A page of a list; ``total`` None: nobody counted."""

    result: Any
    total: int | None = None
    following: int | None = None


def page(portal: Portal, docs: list[Doc], params: Doc, *, id: str, fields: Sequence[str]) -> tuple[list[Doc], Listed]:
    """The documents of a page, and the page without them."""
    for name in ("filter", "order", "select"):
        if name in params and not isinstance(params[name], Mapping | list):
            raise Fault(f"Parameter '{name}' must be array.")
    keep = kept(params.get("filter"), fields, portal.zone)
    start = int(str(params.get("start") or 0))
    if start < 0 and in_their_order(params.get("order"), id):  # they are kept as they came, by their numbers
        last = str((params.get("filter") or {}).get(f">{id}") or 0)
        first = bisect_right(docs, int(last) if last.isdigit() else 0, key=lambda doc: int(doc[id]))
        return list(islice(filter(keep, islice(docs, first, None)), portal.page)), Listed(result=None)
    found = ordered([doc for doc in docs if keep(doc)], params.get("order"), id, portal.zone)
    if start < 0:
        return found[: portal.page], Listed(result=None)
    after = start + portal.page
    more = after if after < len(found) else None
    return found[start:after], Listed(result=None, total=len(found), following=more)


def listed(portal: Portal, docs: list[Doc], params: Doc, word: str, fields: Sequence[str]) -> Listed:
    """A list of the catalogue or the shop, under its own word; only the fields that were selected, all without any."""
    found, empty = page(portal, docs, params, id="id", fields=fields)
    select = params.get("select")
    names = list(select.values()) if isinstance(select, Mapping) else list(select or [])
    rows = [{name: doc.get(name) for name in (names or doc) if name in doc} for doc in found]
    return Listed(result={word: rows}, total=empty.total, following=empty.following)
