"""Which changes a scan covers: the ``since`` window of a cursor, and the watermark the next scan starts from.

What surprises here:

* The window is fixed when a scan begins and goes with each of its pages; only the last page's cursor moves it.
* The watermark is never later than the moment the scan began, by our clock and by the platform's: a row that changed
  behind the scan's back while a later page was read would otherwise lie before the newest stamp seen, and be lost. A
  stamp in the future does no harm for the same reason.
* The watermark is asked for again (``>=``, and ``lag`` seconds earlier): rows that share the boundary stamp, or whose
  transaction committed late, are re-read. Whoever takes the pages tells repeated documents by their content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from connectors.answers import dated
from connectors.base import Cursor, Doc
from connectors.paging import Position, at

Form: TypeAlias = Literal["iso", "unix", "unix_ms"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(value: Any) -> datetime | None:
    """An aware UTC moment from ISO text (naive counts as UTC), an e-mail's date (RFC 2822) or unix seconds or
    milliseconds; None: it is none of these."""
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            return dated(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        seconds = Decimal(value)
        if seconds.is_finite() and abs(seconds) < 100_000_000_000_000:
            return _EPOCH + timedelta(microseconds=int(seconds * (1_000 if form(value) == "unix_ms" else 1_000_000)))
    return None


def form(value: Any) -> Form:
    """The notation of a stamp: text is ISO; a number is unix seconds, or milliseconds from 1e11 (5138 AD) on."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return "unix_ms" if abs(Decimal(value)) >= 100_000_000_000 else "unix"
    return "iso"


def written(value: datetime, notation: Form) -> str:
    """The moment in a notation, rounded down where the notation is coarser: a lower bound must not move up."""
    if notation == "iso":
        return iso(value)
    microseconds = (value - _EPOCH) // timedelta(microseconds=1)
    return str(microseconds // (1_000 if notation == "unix_ms" else 1_000_000))


def iso(value: datetime) -> str:
    """ISO text in UTC with Z; a fraction only where there is one."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A scan's state: ``since`` its lower bound (None: everything), ``seen`` the newest stamp met, ``until`` when it
    began, ``position`` the next page (None: the first), ``form`` the notation in which the platform writes stamps."""

    since: datetime | None = None
    seen: datetime | None = None
    until: datetime | None = None
    position: Position | None = None
    form: Form = "iso"

    def cursor(self) -> Cursor:
        """The JSON form."""
        stamps = {"since": self.since, "seen": self.seen, "until": self.until}
        texts = {name: None if value is None else iso(value) for name, value in stamps.items()}
        return {**texts, "position": self.position, "form": self.form}


def opened(cursor: Cursor | None) -> Window:
    """The window a cursor stands for."""
    if cursor is None:
        return Window()
    return Window(
        since=moment(cursor.get("since")),
        seen=moment(cursor.get("seen")),
        until=moment(cursor.get("until")),
        position=cursor.get("position"),
        form=cursor.get("form", "iso"),
    )


def turned(
    window: Window, *, docs: Sequence[Doc], path: str | None, began: datetime, position: Position | None
) -> Window:
    """The window after one page of documents with stamps at ``path``.

    Without a further position it is the start of the next scan for changes. A document whose stamp cannot be read is
    no reason to stop here: it is its mapping that says what is wrong with it.
    """
    stamps = [] if path is None else [at(doc, path) for doc in docs]
    moments = [m for m in (moment(stamp) for stamp in stamps) if m is not None]
    latest = max(moments if window.seen is None else [window.seen, *moments], default=None)
    notation = next((form(stamp) for stamp in stamps if moment(stamp) is not None), window.form)
    until = began if window.until is None else window.until
    if position is not None:
        return replace(window, seen=latest, until=until, position=position, form=notation)
    if latest is None:
        return Window(since=window.since, form=notation)
    mark = min(latest, until)
    return Window(since=mark if window.since is None else max(window.since, mark), form=notation)
