"""What orders want of people now: late, soon late, with the number people know and what to do about it.

What surprises here: deadlines that were over before orders of their channel were switched on are listed apart. They are
history, but an order that still stands open in a shop must not vanish from sight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from flows.fulfilment import HISTORY
from flows.placing import PLACE
from flows.wiring import House
from mappings.commerce.fulfilment.deadlines import LIVE, State, state
from registry import (
    DeadlineRow,
    Tx,
    decision_counts,
    noted_deadlines,
    numbers_of_orders,
    open_inward,
    pressing_deadlines,
    records,
)

REMEDIES: Final[Mapping[str, str]] = {
    "accept": "`serai order accept {number}`, or refuse with a reason",
    "ship": "send it, or tell the buyer: `serai order delay {number} --until DATE`",
    "collect": "nothing: when its time is over it ends, and its goods are free",
    "answer": "the buyer wants it cancelled: `serai order cancel {number} --reason buyer`, or send it",
    "pay": "nothing: when its time is over it is read once more, then it ends, and its goods are free",
}
"""Deadline → what keeps it, for people."""
ANSWERED: Final = "nothing: it is answered by the rule once no other channel may sell its goods"


class Pressing(Struct, frozen=True, kw_only=True):
    """One deadline of an order: ``state`` late or soon, ``parked`` why the order stands parked beside it."""

    order: str
    number: str
    channel: str
    kind: str
    state: State
    due_at: datetime
    remedy: str
    note: str | None = None
    parked: str | None = None


class Pressure(Struct, frozen=True, kw_only=True):
    """``lines``: the most pressing first. ``history``: open orders with a deadline that was over before their channel
    was switched on. ``decided``: (kind, reason, orders)."""

    at: datetime
    lines: tuple[Pressing, ...]
    history: tuple[Pressing, ...]
    decided: tuple[tuple[str, str | None, int], ...]


def pressing(house: House, channel: str | None = None) -> Pressure:
    """What is late or soon late, of one channel or of all; seven statements, however many there are."""
    with house.registry.read() as tx:
        now = house.registry.now()
        rows = [row for row in pressing_deadlines(tx, now) if channel in (None, row.channel)]
        past = [row for row in noted_deadlines(tx, HISTORY) if channel in (None, row.channel)]
        live = {uid for uid, record in records(tx, sorted({row.order for row in past})).items()
                if record.values.get("status") in LIVE}
        past = [row for row in past if row.order in live]
        told = sorted(decision_counts(tx).items(), key=lambda item: (item[0][0], item[0][1] or ""))
        return Pressure(
            at=now, lines=_lines(house, tx, rows, now), history=_lines(house, tx, past, now),
            decided=tuple((kind, reason, count) for (kind, reason), count in told),
        )


def _lines(house: House, tx: Tx, rows: Sequence[DeadlineRow], now: datetime) -> tuple[Pressing, ...]:
    orders = sorted({row.order for row in rows})
    names = numbers_of_orders(tx, orders)
    stuck = open_inward(tx, "order", orders)
    found = []
    for row in rows:
        number = next((one.number for one in names.get(row.order, ())
                       if one.channel == row.channel and one.whose == "channel"), row.order)
        found.append(Pressing(
            order=row.order, number=number, channel=row.channel, kind=row.kind, due_at=row.due_at,
            state=state(row.due_at, now, row.due_at - row.soon_at), remedy=_remedy(house, row, number),
            note=None if row.kind == PLACE else row.note, parked=stuck[row.order][1] if row.order in stuck else None,
        ))
    return tuple(found)


def _remedy(house: House, row: DeadlineRow, number: str) -> str:
    if row.kind == PLACE:
        return row.note or ""
    if row.kind == "accept" and house.project.fulfilment.of(row.channel).acceptance == "automatic":
        return ANSWERED
    return REMEDIES[row.kind].format(number=number)
