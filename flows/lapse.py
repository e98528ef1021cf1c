"""What time itself does to orders: what nobody paid or collected ends; what waits for a place or an answer goes on.

What surprises here: before an order ends, it is read once more from its channel. A payment that arrived a minute ago
and was not read yet must not be answered by a cancellation; and an order that cannot be read now ends later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from connectors.errors import ConnectorError
from flows.consequences import stock_due
from flows.fetching import reread
from flows.figures import RAISE_WAITS
from flows.fulfilment import RULE, Told, answered, date_orders, origins_of, tell
from flows.ledger import Account, Ledger
from flows.loyalty import unheard
from flows.placing import PLACE, Placed, Wanting, place
from flows.push import PATIENCE
from flows.silence import listen
from flows.wiring import House
from mappings.commerce.fulfilment.deadlines import LIVE, expires
from mappings.commerce.fulfilment.decisions import Decision
from registry import (
    DeadlineRow,
    Reservation,
    Tx,
    binding_for,
    cancel_reservations,
    due_deadlines,
    lock_records,
    mark_due,
    open_deadlines,
    put_deadlines,
    reservations_of,
    wake,
)

ENDING: Final = ("pay", "collect")
"""Deadlines by which an order ends."""
PAGE: Final = 200
LAST_CALL: Final = timedelta(seconds=30)
"""So long before its deadline an offer is answered as it stands: later the answer might not arrive in time."""


def lapse(house: House, *, channels: Sequence[str] | None = None, limit: int = PAGE) -> Ledger:
    """Ends orders whose time is over, answers offers and places orders that wait; one outcome per order looked at.

    An ended order's goods are free at once, its channel hears why, and its deadline says that it expired. Orders that
    could not be read are counted as waiting. Where nothing moved the ledger is empty: this is asked every few seconds.
    Figures that wait for a lowering are looked at again after a while: who was to wake them may have been killed.
    """
    listen(house)
    unheard(house)
    house.registry.attempt(lambda tx: wake(tx, entity="stock", reason=RAISE_WAITS, before=tx.now - PATIENCE))
    account = house.account("*", "deadlines", "inward")
    with house.registry.read() as tx:
        now = house.registry.now()
        due = _of(due_deadlines(tx, ENDING, now, limit), channels)
        waiting = _of([*due_deadlines(tx, (PLACE,), now, limit), *_unanswered(house, tx, limit)], channels)
    readable = _read_again(house, due)
    if due or waiting:
        part = house.registry.attempt(partial(_settle, house, account, readable, waiting, now))
        unread = {row.order for row in due} - {row.order for row in readable}
        if part.counts["order", "updated"] > 0 or unread:
            account.add(part)
            account.count("order", "waiting", len(unread), reason="its channel cannot be asked now")
            account.read += len(unread)
    ledger = account.ledger(house.registry.now())
    return house.finish(ledger) if ledger.read > 0 else ledger


def _of(rows: Sequence[DeadlineRow], channels: Sequence[str] | None) -> list[DeadlineRow]:
    return [row for row in rows if channels is None or row.channel in channels]


def _unanswered(house: House, tx: Tx, limit: int) -> list[DeadlineRow]:
    """Offers that the rule is to answer and has not yet."""
    return [row for row in open_deadlines(tx, "accept", limit)
            if house.project.fulfilment.of(row.channel).acceptance == "automatic"]


def _read_again(house: House, due: Sequence[DeadlineRow]) -> list[DeadlineRow]:
    """The deadlines whose orders were read from their channel just now."""
    by_channel: dict[str, list[DeadlineRow]] = {}
    for row in due:
        by_channel.setdefault(row.channel, []).append(row)
    found: list[DeadlineRow] = []
    for channel, rows in by_channel.items():
        if channel not in house.project.channels:
            continue
        with house.registry.read() as tx:
            bound = binding_for(tx, channel, "order", [row.order for row in rows])
        asked: dict[str, list[str]] = {}
        for binding in bound.values():
            if binding.resource is not None:
                asked.setdefault(binding.resource, []).append(binding.external_id)
        try:
            for resource, ids in asked.items():
                reread(house, channel, resource, sorted(ids))
        except ConnectorError:
            continue
        found += [row for row in rows if row.order in bound]
    return found


def _settle(
    house: House, account: Account, due: Sequence[DeadlineRow], waiting: Sequence[DeadlineRow], now: datetime, tx: Tx
) -> Account:
    page = account.page()
    uids = sorted({row.order for row in (*due, *waiting)})
    orders = {uid: record.values for uid, record in lock_records(tx, uids).items()}
    origins = {uid: channel for uid, channel in origins_of(house, tx, uids).items() if uid in orders}
    held = reservations_of(tx, uids)
    told: dict[str, Told] = {}
    over: list[DeadlineRow] = []
    for row in due:
        order = orders.get(row.order)
        why = None if order is None or order.get("status") not in LIVE else expires(row.kind, order)
        if why is not None and row.order in origins:
            told[row.order] = Told(order=row.order, decision=Decision(kind="cancelled", reason=why), by=RULE)
            over.append(DeadlineRow(
                order=row.order, kind=row.kind, channel=row.channel, due_at=row.due_at, soon_at=row.soon_at,
                state="expired", settled_at=now, note=why,
            ))
    put_deadlines(tx, over)
    trying = {row.order: row for row in waiting if row.order in origins and row.order not in told}
    placed = place(house, tx, [
        Wanting(uid=uid, channel=origins[uid], order=orders[uid], held=held[uid]) for uid in trying
    ], now)
    for uid, row in trying.items():
        decision = answered(house, origins[uid], orders[uid], placed[uid], last=now >= row.due_at - LAST_CALL)
        if decision is not None:
            told[uid] = Told(order=uid, decision=decision, by=RULE)
    rows = tell(house, tx, list(told.values()), orders, origins, now, account.run)
    ended = [uid for uid, one in told.items() if one.decision.kind != "accepted"]
    cancel_reservations(tx, ended)
    date_orders(house, tx, orders, origins, now, placed=placed, told=list(told.values()))
    found = [uid for uid, row in trying.items()
             if row.kind == PLACE and uid not in ended and isinstance(placed[uid].verdict, tuple)]
    mark_due(tx, [*rows, *(
        (route.channel, route.group.entity, uid, None, False, account.run)
        for uid in found for route in house.routes.get("order", ()) if route.how == "self"
    )])
    stock_due(house, tx, _freed(held, ended, placed), account.run)
    moved = {*told, *found}
    page.count("order", "updated", len(moved))
    page.count("order", "unchanged", len(set(uids) - moved))
    page.close_page(len(uids))
    return page


def _freed(
    held: Mapping[str, Sequence[Reservation]], ended: Sequence[str], placed: Mapping[str, Placed]
) -> set[str]:
    """The variants of which something is free again, or promised elsewhere."""
    return {row.variant for done in placed.values() for row in done.moved} | {
        row.variant for uid in ended for row in held[uid]
    }
