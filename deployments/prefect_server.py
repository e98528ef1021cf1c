"""Prefect's server on its SQLite file: ``python -m deployments.prefect_server server start``, as Prefect's own command.

What surprises here: a statement that SQLite refused ("database is locked", a second row of the same key) stays with
its cursor, and the cursor in an exception's traceback until Python collects it, in the thread of the event loop.
Collecting it takes the mutex of its connection. Should that connection just then wait for the write lock, whose holder
waits for the event loop, everything stands still for Prefect's busy timeout of 60 s, and the errors that end it make
the next such wait. Seen with Prefect 3.8.8, SQLAlchemy 2.0.58, aiosqlite 0.22.1 and Python 3.11 (2026-11-22), when a
dozen runs began at once: the main thread stood in ``sqlite3_reset`` below ``gc_collect_main``. So a cursor that failed
is closed at once, in the thread of its connection.

And Prefect asks, for every schedule that it reads, which time zones there are: each time it looks for some 600 files,
28 ms of a core. A hundred deployments are read again and again, so that was a third of what the server did (Prefect
3.8.8, 2026-11-23); here it asks once.
"""

from __future__ import annotations

import functools
import importlib
import sqlite3
import zoneinfo
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiosqlite

Running = Callable[..., Awaitable[Any]]


def closing_what_fails(execute: Running) -> Running:
    """A cursor's ``execute`` that closes the cursor when SQLite refuses the statement; the error is raised on."""

    @functools.wraps(execute)
    async def executed(cursor: aiosqlite.Cursor, *given: Any) -> Any:
        try:
            return await execute(cursor, *given)
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                await cursor.close()
            raise

    return executed


def know_time_zones() -> None:
    """Afterwards Prefect in this process remembers which time zones there are."""
    asks: Any = importlib.import_module("prefect.types._datetime")  # Prefect is imported when it is used
    if asks.available_timezones is zoneinfo.available_timezones:
        asks.available_timezones = functools.cache(zoneinfo.available_timezones)


def main() -> None:
    """What ``python -m prefect`` does."""
    for name in ("execute", "executemany"):
        setattr(aiosqlite.Cursor, name, closing_what_fails(getattr(aiosqlite.Cursor, name)))
    from prefect.cli import app

    know_time_zones()
    app()


if __name__ == "__main__":
    main()
