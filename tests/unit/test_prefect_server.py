"""Prefect's server goes on when its database refused a statement, and reads many schedules cheaply."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import zoneinfo
from datetime import timedelta
from pathlib import Path

import aiosqlite
import pytest

from deployments.prefect_server import closing_what_fails, know_time_zones

HELD_UP = 10_000
"""Milliseconds that a connection waits for the write lock; far longer than anything here takes."""


def test_a_refused_statement_does_not_hold_up_those_that_wait_for_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left of the refusal is thrown away while its connection waits for a lock that this very thread holds."""
    monkeypatch.setattr(aiosqlite.Cursor, "execute", closing_what_fails(aiosqlite.Cursor.execute))

    async def day() -> None:
        with sqlite3.connect(tmp_path / "runs.db", isolation_level=None) as holder:
            holder.execute("pragma journal_mode = wal")
            holder.execute("create table run (name text primary key)")
            async with aiosqlite.connect(tmp_path / "runs.db", isolation_level=None, timeout=0.0) as other:
                holder.execute("begin immediate")
                refused = await other.cursor()
                with pytest.raises(sqlite3.OperationalError, match="locked"):
                    await refused.execute("insert into run values ('refused')")
                await (await other.execute(f"pragma busy_timeout = {HELD_UP}")).close()
                waiting = asyncio.ensure_future((await other.cursor()).execute("insert into run values ('waited')"))
                await asyncio.sleep(0.3)    # by now it waits in a thread of its own
                del refused
                gc.collect()
                holder.execute("rollback")
                await waiting
            assert holder.execute("select name from run").fetchall() == [("waited",)]

    asyncio.run(day())


def test_schedules_are_read_without_looking_for_the_time_zones_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.client.schemas.schedules import IntervalSchedule

    looked: list[str] = []

    def look() -> set[str]:
        looked.append("on disk")
        return {"UTC"}

    monkeypatch.setattr(zoneinfo, "available_timezones", look)
    monkeypatch.setattr("prefect.types._datetime.available_timezones", look)
    know_time_zones()
    know_time_zones()
    read = [IntervalSchedule(interval=timedelta(minutes=minutes), timezone="UTC") for minutes in (1, 2, 3)]
    assert [one.timezone for one in read] == ["UTC"] * 3
    assert looked == ["on disk"]
