"""What each run read, did and left over: the ledgers that must balance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from registry import bulk
from registry.codec import decode, encode, maybe_micros, maybe_moment, micros, moment
from registry.engine import Tx
from registry.tables import run


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRow:
    """One run. ``counts`` is JSON: entity → outcome → number; ``ended_at`` None while it goes on."""

    run: str
    channel: str
    what: str
    direction: str
    started_at: datetime
    read: int = 0
    counts: Mapping[str, Any] = field(default_factory=dict)
    balanced: bool = True
    ended_at: datetime | None = None
    error: str | None = None
    prefect_run_id: str | None = None


_COLUMNS = ("run", "channel", "what", "direction", "read", "counts", "balanced", "started_at", "ended_at", "error",
            "prefect_run_id")  # fmt: skip


def put_run(tx: Tx, row: RunRow) -> None:
    """Afterwards the run stands as given; the same run may be put again as it goes on."""
    stored = (row.run, row.channel, row.what, row.direction, row.read, encode(row.counts), row.balanced,
              micros(row.started_at), maybe_micros(row.ended_at), row.error, row.prefect_run_id)  # fmt: skip
    bulk.upsert(tx, "run", _COLUMNS, [stored], key=("run",), keep=("started_at",))


def runs(tx: Tx, channel: str | None = None, limit: int = 100) -> list[RunRow]:
    """The newest runs first."""
    statement = select(run).order_by(run.c.started_at.desc(), run.c.run.desc()).limit(limit)
    if channel is not None:
        statement = statement.where(run.c.channel == channel)
    return [_row(row) for row in tx.rows(statement)]


def last_runs(tx: Tx) -> dict[tuple[str, str], RunRow]:
    """(channel, what) → its newest run."""
    newest = (
        select(run.c.channel, run.c.what, func.max(run.c.started_at).label("at"))
        .group_by(run.c.channel, run.c.what)
        .subquery()
    )
    found = tx.rows(
        select(run)
        .join(
            newest,
            (run.c.channel == newest.c.channel) & (run.c.what == newest.c.what) & (run.c.started_at == newest.c.at),
        )
        .order_by(run.c.run)
    )
    return {(row.channel, row.what): _row(row) for row in found}


def _row(row: Any) -> RunRow:
    return RunRow(
        run=row.run,
        channel=row.channel,
        what=row.what,
        direction=row.direction,
        started_at=moment(row.started_at),
        read=row.read,
        counts=decode(row.counts),
        balanced=bool(row.balanced),
        ended_at=maybe_moment(row.ended_at),
        error=row.error,
        prefect_run_id=row.prefect_run_id,
    )
