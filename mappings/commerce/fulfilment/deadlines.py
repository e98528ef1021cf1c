"""By when an order must be accepted, sent, collected, answered; and whether that is soon, or past.

What surprises here: the channel's own moment always wins, since it is the channel that counts. Policy speaks only where
the channel says nothing; ``collect`` runs from when the buyer was told that the goods are ready, ``answer`` from the
buyer's wish to cancel. What had passed before orders of the channel were switched on here is history: it does not run
(`is_history`), but it stays listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from mappings.commerce.fulfilment.calendar import Calendar, after_open, end_of_working_day

Kind: TypeAlias = Literal["accept", "ship", "collect", "answer", "pay"]
State: TypeAlias = Literal["running", "soon", "late"]

KINDS: Final = ("accept", "ship", "collect", "answer", "pay")
FIELDS: Final = {"accept": "accept_by", "ship": "ship_by", "collect": "collect_by", "answer": "answer_by"}
"""Deadline → the field of an order's ``deadlines`` in which a channel states it; ``pay`` stands in ``expires_at``."""
AWAITED: Final = ("offered", "held")
LIVE: Final = ("offered", "held", "open", "confirmed")
UNPAID: Final = ("open", "part_paid")
PICKED_UP: Final = ("pickup", "curbside")


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """``span`` of real time, of time in which the place is ``open``, or whole ``days`` of opening until it closes."""

    span: timedelta = timedelta(0)
    counted: Literal["always", "open", "days"] = "always"
    days: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What a channel's orders have time for; a kind without a term has no deadline of ours. ``soon``: how long before
    a deadline somebody is told."""

    of: Mapping[str, Term] = field(default_factory=dict)
    soon: timedelta = timedelta(hours=1)


def due_at(start: datetime, term: Term, place: Calendar) -> datetime:
    """When a term that begins at ``start`` is over.

    ``always``: start + span. ``open``: the first t with |open ∩ [start, t)| = span. ``days``: the end of the n-th day
    of opening after the day on which work begins (today before the cut-off, else the next one).
    """
    if term.counted == "always":
        return start + term.span
    if term.counted == "open":
        return after_open(start, term.span, place)
    return end_of_working_day(start, term.days, place)


def deadlines(
    order: Mapping[str, Any], terms: Terms, place: Calendar, *, ready_at: datetime | None = None
) -> dict[str, datetime]:
    """Kind → moment, of the deadlines that run for an order as it stands.

    ``accept``: while it is offered. ``ship``: while it is live and not to be collected. ``collect``: once the buyer was
    told at ``ready_at``. ``answer``: from ``cancel_requested.at`` on. ``pay``: while it waits for the buyer to pay or
    to sign. Each is the channel's own, else start + term.
    """
    status = order.get("status")
    if status not in LIVE or order.get("handed_over") is True:
        return {}
    stated = {kind: _moment((order.get("deadlines") or {}).get(name)) for kind, name in FIELDS.items()}
    stated["pay"] = _moment(order.get("expires_at"))
    placed, wish = _moment(order.get("placed_at")), _moment((order.get("cancel_requested") or {}).get("at"))
    collected = is_collected(order)
    starts = {
        "accept": placed if awaits_us(order) else None,
        "ship": placed if status in ("open", "confirmed") and not collected else None,
        "collect": ready_at if collected else None,
        "answer": wish,
        "pay": placed if waits_for_buyer(order) else None,
    }
    found: dict[str, datetime] = {}
    for kind, start in starts.items():
        own = stated[kind]
        if start is None:
            continue
        if own is not None:
            found[kind] = own
        elif kind in terms.of:
            found[kind] = due_at(start, terms.of[kind], place)
    return found


def state(due: datetime, now: datetime, soon: timedelta) -> State:
    """``late`` from the moment itself on, ``soon`` from ``due − soon`` on, else ``running``."""
    if now >= due:
        return "late"
    return "soon" if now >= due - soon else "running"


def is_history(due: datetime, live_since: datetime) -> bool:
    """Whether a deadline was over before anybody here could keep it: ``due ≤ live_since``, the moment at which orders
    of the channel were switched on for the first time.

    First contact brings years of orders that a shop never closed; they are neither late nor ended by us. What fell due
    later runs whenever its order is seen: an order that comes in after an outage is late, and is said to be.
    """
    return due <= live_since


def expires(kind: str, order: Mapping[str, Any]) -> str | None:
    """Why the order ends when this deadline passes: ``unpaid`` or ``not_collected``; None: it stays, late.

    Only what nobody paid for and what nobody came for expires; a paid order that we are late with never does.
    """
    if kind == "pay" and waits_for_buyer(order):
        return "unpaid"
    if kind == "collect" and is_collected(order):
        return "not_collected"
    return None


def awaits_us(order: Mapping[str, Any]) -> bool:
    """Whether an offer waits for our answer: ``offered``, and either the channel states ``accept_by`` or nothing says
    that it ends by itself. One that only has ``expires_at`` waits for buyer or bank: a credit to be signed."""
    stated = (order.get("deadlines") or {}).get("accept_by")
    return order.get("status") == "offered" and (stated is not None or order.get("expires_at") is None)


def waits_for_buyer(order: Mapping[str, Any]) -> bool:
    """Whether the goods are kept for somebody who has not paid, or not signed the credit: ``offered`` and not waiting
    for us; or unpaid, and neither to be paid at the door nor by invoice."""
    if order.get("status") == "offered":
        return not awaits_us(order)
    return unpaid(order) and not pays_later(order)


def is_collected(order: Mapping[str, Any]) -> bool:
    """Whether the buyer comes for the goods."""
    return (order.get("delivery") or {}).get("kind") in PICKED_UP


def unpaid(order: Mapping[str, Any]) -> bool:
    """Whether the buyer's money is still to come."""
    return order.get("payment") in UNPAID


def pays_later(order: Mapping[str, Any]) -> bool:
    """Whether the buyer owes nothing before the goods are there: cash on delivery, or an invoice."""
    kinds = {tender.get("kind") for tender in order.get("tenders") or ()}
    return bool(kinds & {"cod", "invoice"})


def _moment(text: Any) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
