"""What tills were answered that asked for points or credit: the first answer stands, whoever gives it.

What surprises here: a row is there before anybody is asked. One without an answer after its time belongs to a till
that has stopped waiting, whatever its keeper does meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from registry import bulk
from registry.codec import micros, moment
from registry.engine import AnyRow, Tx
from registry.tables import answer


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerRow:
    """A redemption: its number, its record, the channel that keeps the points, until when somebody waits; ``said`` is
    accepted, refused, or None while nobody was answered."""

    number: str
    uid: str
    channel: str
    until: datetime
    said: str | None = None
    because: str = ""


def put_question(tx: Tx, row: AnswerRow) -> None:
    """Afterwards somebody waits for an answer until ``until``; an answer that was given stays."""
    columns = ("number", "uid", "channel", "until", "said", "because")
    stored = [(row.number, row.uid, row.channel, micros(row.until), None, "")]
    bulk.upsert(tx, "answer", columns, stored, key=("number",), change={"until": "excluded.until"})


def answers(tx: Tx, numbers: Collection[str]) -> dict[str, AnswerRow]:
    """Number → what is known of the redemption."""
    return {row.number: _row(row) for row in bulk.gather(tx, select(answer), answer.c.number, numbers)}


def say(tx: Tx, number: str, said: str, because: str, *, anew: bool = False) -> AnswerRow:
    """Afterwards the redemption is answered; the answer that stands, which is an earlier one where there was one.

    ``anew``: a person or the till itself took back what was answered before.
    """
    statement = answer.update().where(answer.c.number == number)
    tx.run((statement if anew else statement.where(answer.c.said.is_(None))).values(said=said, because=because))
    return answers(tx, [number])[number]


def unanswered(tx: Tx, at: datetime, limit: int = 200) -> list[AnswerRow]:
    """Redemptions without an answer for which nobody waited any more at ``at``, the oldest first."""
    statement = select(answer).where(answer.c.said.is_(None), answer.c.until <= micros(at))
    return [_row(row) for row in tx.rows(statement.order_by(answer.c.until, answer.c.number).limit(limit))]


def _row(row: AnyRow) -> AnswerRow:
    return AnswerRow(number=row.number, uid=row.uid, channel=row.channel, until=moment(row.until), said=row.said,
                     because=row.because)
