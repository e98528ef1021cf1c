"""Reads of systems where a change to one record moves the stamp of another: a resource watches several models.

What surprises here: a whole read asks the first model only, which tells everything there is; what the others say is
asked from the next read on, since the moment the whole one began. A cursor is ``{at, windows, whole}``: which model is
next, a window (window.py) of each, and whether a whole read is under way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.base import Cursor, Doc, Page
from connectors.paging import Position
from connectors.window import Window, opened, turned


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """A model whose changed rows mean changed documents: field ``names`` holds their ids (one, a list, or null), or the
    documents' field ``via`` holds the rows."""

    model: str
    names: str = "id"
    via: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A look at a model: the changed rows, the documents they mean, where to go on (None: the window is done)."""

    rows: Sequence[Doc]
    docs: Sequence[Doc]
    position: Position | None
    asked_at: datetime
    began: datetime


def pages(
    watches: Sequence[Watch],
    cursor: Cursor | None,
    *,
    stamp: str,
    newest: Callable[[str], datetime | None],
    look: Callable[[Watch, Window], Seen],
) -> Iterator[Page]:
    """Pages from the cursor on; ``newest`` is a model's latest stamp, ``look`` asks for what changed in a window."""
    at, windows, whole = 0, {watch.model: Window() for watch in watches}, cursor is None
    if cursor is None:
        windows |= {watch.model: Window(since=newest(watch.model)) for watch in watches[1:]}
    else:
        at, whole = int(cursor["at"]), cursor.get("whole") is True
        windows |= {model: opened(kept) for model, kept in cursor["windows"].items() if model in windows}
    while True:
        watch = watches[at]
        seen = look(watch, windows[watch.model])
        windows[watch.model] = turned(
            windows[watch.model], docs=seen.rows, path=stamp, began=seen.began, position=seen.position
        )
        if seen.position is None:
            at = 0 if whole else (at + 1) % len(watches)
        last = seen.position is None and at == 0
        if seen.docs or last:
            kept = {
                "at": at,
                "windows": {model: window.cursor() for model, window in windows.items()},
                "whole": whole and not last,
            }
            yield Page(docs=seen.docs, cursor=kept, last=last, asked_at=seen.asked_at)
        if last:
            return
