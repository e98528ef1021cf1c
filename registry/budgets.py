"""What is left of a platform's calls, shared by every worker of a channel; kept here, reckoned by whoever asks.

What surprises here: a row is locked from ``budget_of`` until the transaction ends, also one that was not there before,
so that two workers never take the same calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from registry import bulk
from registry.codec import micros, moment
from registry.engine import Tx
from registry.tables import budget


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetRow:
    """``level`` (calls or points) was there to take at ``at``, which may lie ahead: nothing is given before it.

    ``pace`` (above 0, at most 1) is the share of the platform's rate at which it grew again from then on.
    """

    level: float
    at: datetime
    pace: float = 1.0


def budget_of(tx: Tx, channel: str, bucket: str, full: float) -> BudgetRow:
    """The budget, locked; one that was never used is ``full``."""
    columns = ("channel", "bucket", "level", "at", "pace")
    bulk.upsert(
        tx, "budget", columns, [(channel, bucket, full, tx.stamp, 1.0)], key=("channel", "bucket"), change={}
    )
    of = (budget.c.channel == channel, budget.c.bucket == bucket)
    row = tx.rows(select(budget.c.level, budget.c.at, budget.c.pace).where(*of).with_for_update())[0]
    return BudgetRow(level=row.level, at=moment(row.at), pace=row.pace)


def put_budget(tx: Tx, channel: str, bucket: str, row: BudgetRow) -> None:
    """Afterwards the budget is what ``row`` says."""
    tx.run(
        update(budget)
        .where(budget.c.channel == channel, budget.c.bucket == bucket)
        .values(level=row.level, at=micros(row.at), pace=row.pace)
    )


def budgets(tx: Tx, channel: str) -> dict[str, BudgetRow]:
    """Every budget of the channel that was used, by bucket; not locked."""
    found = tx.rows(select(budget).where(budget.c.channel == channel).order_by(budget.c.bucket))
    return {row.bucket: BudgetRow(level=row.level, at=moment(row.at), pace=row.pace) for row in found}
