"""Reads of a resource: pages from a cursor on until the platform says that the list ends, and documents by id.

What surprises here:

* A cursor is all a scan needs: given to a fresh connector it yields the same rest, and never a page twice.
* A position that the platform no longer knows (400, 410, 422) restarts its window from page one, once per read.
* A platform that ignores the position answers the same page for ever; that is an error, not an endless scan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeAlias
from urllib.parse import quote

from connectors import paging, window
from connectors.answers import Answer
from connectors.base import Cursor, Doc, Page, Resource
from connectors.errors import ShapeChanged
from connectors.writes import document_of, filled, id_of

EXPIRED = (400, 410, 422)
ABSENT = (404, 410)
Ask: TypeAlias = Callable[..., Answer]
"""ask(method, path, params=query, allow=statuses to let through) -> answer, as `Rest.call`."""
Following: TypeAlias = Callable[[paging.Position, Answer, Sequence[Doc]], paging.Position | None]


def pages(
    facts: Resource,
    cursor: Cursor | None,
    *,
    ask: Ask,
    documents: Callable[[Answer], Sequence[Doc]],
    following: Following,
    params: Mapping[str, str],
    where: str,
) -> Iterator[Page]:
    """Pages from the cursor on; each cursor is ``{since, seen, until, position, form}`` (window.py)."""
    state = window.opened(cursor)
    first = paging.STYLES[facts.paging](None, None, facts) or {}
    met: set[str] = set()
    before: Sequence[Doc] = ()
    resumed = state.position is not None
    while True:
        position = first if state.position is None else state.position
        path, query = request(facts, state, position, params)
        answer = ask("GET", path, params=query, allow=EXPIRED if resumed else ())
        if not answer.ok:
            state, resumed = replace(state, position=None, until=None), False
            continue
        resumed = False
        docs = documents(answer)
        after = following(position, answer, docs)
        if after is not None and (repr(after) in met or after == position or (docs and docs == before)):
            raise ShapeChanged(f"{where}: the platform repeats a page, so its paging loops; correct `paging_options`")
        met.add(repr(after))
        before = docs
        stamps = facts.updated if facts.since is not None else None
        state = window.turned(state, docs=docs, path=stamps, began=answer.began, position=after)
        yield Page(docs=docs, cursor=state.cursor(), last=after is None, asked_at=answer.asked_at)
        if after is None:
            return


def request(
    facts: Resource, state: window.Window, position: paging.Position, params: Mapping[str, str]
) -> tuple[str, Mapping[str, str] | None]:
    """Path and query of the page at a position; the ``since`` window goes with each of them."""
    if "url" in position:
        return str(position["url"]), None
    if facts.paging_options.get("alone") == "true" and state.position is not None:
        return facts.path, position
    query = dict(params)
    if facts.since is not None and state.since is not None:
        query[facts.since] = window.written(state.since - timedelta(seconds=facts.lag), state.form)
    return facts.path, {**query, **position}


def by_id(
    facts: Resource,
    ids: Sequence[str],
    *,
    ask: Ask,
    documents: Callable[[Answer], Sequence[Doc]],
    following: Following,
    where: str,
) -> dict[str, Doc | None]:
    """Every id asked for, once; None: the platform says that it does not exist."""
    found: dict[str, Doc | None] = dict.fromkeys(ids)
    template, each = facts.fetch or "", list(found)
    if "{ids}" in template:
        each = [id for id in found if "," in id]  # a comma would read as two ids
        together = [id for id in found if "," not in id]
        for start in range(0, len(together), facts.fetch_size):
            some = together[start : start + facts.fetch_size]
            for doc in _listed(facts, some, ask=ask, documents=documents, following=following, where=where):
                id = id_of(facts, doc)
                if id is not None and id in found:
                    found[id] = doc
        template = ""
    for id in each:
        found[id] = _single(facts, template or f"{facts.path}/{{id}}", id, ask, where)
    return found


def _listed(
    facts: Resource,
    ids: Sequence[str],
    *,
    ask: Ask,
    documents: Callable[[Answer], Sequence[Doc]],
    following: Following,
    where: str,
) -> Iterator[Doc]:
    """The documents of these ids from a list call, all its pages: an id is absent only when no page has it."""
    method, path = filled(facts.fetch or "", None)
    path = path.replace("{ids}", ",".join(quote(id, safe="") for id in ids))
    position: paging.Position | None = paging.STYLES[facts.paging](None, None, facts) or {}
    while position is not None:
        url = position.get("url")
        answer = ask(method, path if url is None else str(url), params=position if url is None else None)
        docs = documents(answer)
        yield from docs
        after = following(position, answer, docs) if docs else None
        if after == position:
            raise ShapeChanged(f"{where}: the platform repeats a page, so its paging loops; correct `paging_options`")
        position = after


def _single(facts: Resource, template: str, id: str, ask: Ask, where: str) -> Doc | None:
    method, path = filled(template, id)
    answer = ask(method, path, allow=ABSENT)
    if not answer.ok:
        return None
    doc = document_of(facts, answer.body)
    told = id_of(facts, doc)
    if doc is None or told is None or told.casefold() != id.casefold():
        found = "none" if told is None else "another"
        raise ShapeChanged(f"{where}: asked for one document, got {found}; correct `fetch`, `embed` or `id`")
    return doc
