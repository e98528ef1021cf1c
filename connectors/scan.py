"""One read of a resource: pages from a cursor on, until the platform says that the list ends.

What surprises here:

* A cursor is all a scan needs: given to a fresh connector it yields the same rest, and never a page twice.
* A position that the platform no longer knows (400, 410, 422) restarts its window from page one, once per read.
* A platform that ignores the position answers the same page for ever; that is an error, not an endless scan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from connectors import paging, window
from connectors.answers import Answer
from connectors.base import Cursor, Doc, Page, Resource, ShapeChanged

EXPIRED = (400, 410, 422)


def pages(
    facts: Resource,
    cursor: Cursor | None,
    *,
    ask: Callable[[str, Mapping[str, str] | None, Sequence[int]], Answer],
    documents: Callable[[Answer], Sequence[Doc]],
    following: Callable[[paging.Position, Answer, Sequence[Doc]], paging.Position | None],
    params: Mapping[str, str],
    where: str,
) -> Iterator[Page]:
    """Pages from the cursor on; each cursor is ``{since, seen, until, position, form}`` (window.py)."""
    state = window.opened(cursor)
    first = paging.STYLES[facts.paging](None, None, facts) or {}
    met: set[str] = set()
    before: list[object] = []
    resumed = state.position is not None
    while True:
        position = first if state.position is None else state.position
        path, query = request(facts, state, position, params)
        answer = ask(path, query, EXPIRED if resumed else ())
        if not answer.ok:
            state, resumed = replace(state, position=None, until=None), False
            continue
        resumed = False
        docs = documents(answer)
        after = following(position, answer, docs)
        ids = [paging.at(doc, facts.id) for doc in docs]
        if after is not None and (repr(after) in met or after == position or (ids and ids == before)):
            raise ShapeChanged(f"{where}: the platform repeats a page, so its paging loops; correct `paging_options`")
        met.add(repr(after))
        before = ids
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
