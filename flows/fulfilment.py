"""What a change of orders means for those who wait: a place for them, an answer to their channel, deadlines.

What surprises here:

* A decision is a record of its own that only the channel its order came from hears of; the order's status moves when
  that channel has carried it out. So what is told and what is so cannot drift apart.
* An offer goes nowhere but back: no other channel hears of it before the channel of origin says that it is an order.
* An order that no place can serve keeps what it has reserved and its deadlines; it is parked where it would be sent,
  and tried again whenever deadlines are looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from flows.placing import PLACE, Placed, Wanting, is_placed, place
from flows.wiring import House, moment_text
from mappings.commerce.fulfilment.calendar import Calendar, NeverOpen
from mappings.commerce.fulfilment.deadlines import LIVE, Terms, deadlines, is_collected, is_history
from mappings.commerce.fulfilment.decisions import Decision, about, answer, follow_up, place_of
from mappings.commerce.fulfilment.routing import Unroutable
from registry import (
    DeadlineRow,
    DueRow,
    HopRow,
    RecordRow,
    Tx,
    add_links,
    cancel_reservations,
    claim_keys,
    deadlines_of,
    digest,
    encode,
    keys_of,
    live_since,
    new_uids,
    put_deadlines,
    put_hops,
    put_records,
    records,
    reservations_of,
)

if TYPE_CHECKING:
    from flows.consequences import Change

RULE: Final = "rule"
DESK: Final = "desk"
MADE: Final = "merge"
"""The direction of hops that no document brought."""
HISTORY: Final = "it was over before orders of its channel were switched on"
"""The note of a deadline that does not run (`is_history`)."""


class Told(Struct, frozen=True, kw_only=True):
    """A decision about an order and who made it: a channel, the rule, or a person at the desk."""

    order: str
    decision: Decision
    by: str


class Outcome(Struct, frozen=True, kw_only=True):
    """What follows: writes that are due, and variants of which something was set free or promised elsewhere."""

    due: list[DueRow]
    touched: set[str]


def settle_orders(
    house: House, tx: Tx, changes: Sequence[Change], now: datetime, cause: str
) -> Outcome:
    """Places, answers and dates the orders among ``changes``. A constant number of statements; none without orders."""
    orders = [change for change in changes if change.source != ""]
    if not orders:
        return Outcome(due=[], touched=set())
    after = {change.uid: change.after for change in orders}
    origins = origins_of(house, tx, after)
    fresh = [change for change in orders if _wants_place(house, change, origins.get(change.uid))]
    held = reservations_of(tx, [change.uid for change in fresh]) if fresh else {}
    placed = place(house, tx, [
        Wanting(uid=change.uid, channel=origins[change.uid], order=change.after, held=held[change.uid])
        for change in fresh
    ], now)
    told = [*_answers(house, fresh, origins, placed), *_follow_ups(orders, origins)]
    due = tell(house, tx, told, after, origins, now, cause)
    refused = [one.order for one in told if one.decision.kind == "refused"]
    if refused:
        cancel_reservations(tx, refused)
    date_orders(house, tx, after, origins, now, placed=placed, told=told)
    touched = {row.variant for done in placed.values() for row in done.moved}
    touched |= {row.variant for uid in refused for row in held.get(uid, ())}
    return Outcome(due=due, touched=touched)


def origins_of(house: House, tx: Tx, orders: Collection[str]) -> dict[str, str]:
    """Order → the channel it came from, of those whose channel is still in the project."""
    found = {}
    for uid, keys in keys_of(tx, orders).items():
        for _, kind, value in keys:
            channel = value.partition(":")[0]
            if kind == "origin" and channel in house.project.channels:
                found[uid] = channel
    return found


def withheld(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> bool:
    """Whether other channels do not hear of an order: it is offered, or ends as an offer that was never accepted."""
    was = None if before is None else before.get("status")
    return after.get("status") == "offered" or (was == "offered" and after.get("status") == "cancelled")


def _wants_place(house: House, change: Change, origin: str | None) -> bool:
    """An order not seen before that is to leave one of our places: where policy routes it, or it is to be answered."""
    order = change.after
    if origin is None or change.before is not None or order.get("status") not in LIVE:
        return False
    if order.get("handed_over") is True or (order.get("location") is not None and not is_collected(order)):
        return False
    offered = order.get("status") == "offered" and house.project.fulfilment.of(origin).acceptance == "automatic"
    return offered or is_placed(house, origin, order)


def _answers(
    house: House, fresh: Sequence[Change], origins: Mapping[str, str], placed: Mapping[str, Placed]
) -> list[Told]:
    found = []
    for change in fresh:
        decision = answered(house, origins[change.uid], change.after, placed[change.uid])
        if decision is not None:
            found.append(Told(order=change.uid, decision=decision, by=RULE))
    return found


def answered(
    house: House, channel: str, order: Mapping[str, Any], placed: Placed, *, last: bool = False
) -> Decision | None:
    """What the rule says of an offer. None: a person answers it, or it waits until other channels show less.

    Its goods are reserved already, so the others are being lowered; `lapse` asks again. The ``last`` time it is asked
    an offer whose goods another channel may still sell is refused: a promise that may break is none.
    """
    stuck = placed.verdict if isinstance(placed.verdict, Unroutable) else None
    decision = answer(
        order, house.project.fulfilment.of(channel).acceptance, () if stuck is None else stuck.short,
        None if stuck is None else stuck.reason,
    )
    if decision is not None and decision.kind == "accepted" and not placed.certain:
        return Decision(kind="refused", reason="out_of_stock") if last else None
    return decision


def _follow_ups(orders: Sequence[Change], origins: Mapping[str, str]) -> list[Told]:
    """What other channels than the one of origin did to orders that were known before."""
    return [
        Told(order=change.uid, decision=decision, by=change.source)
        for change in orders
        if change.before is not None and change.uid in origins and change.source != origins[change.uid]
        for decision in follow_up(change.before, change.after)
    ]


def tell(
    house: House, tx: Tx, told: Sequence[Told], orders: Mapping[str, Mapping[str, Any]], origins: Mapping[str, str],
    now: datetime, cause: str,
) -> list[DueRow]:
    """Afterwards each decision is a record, once however often it is made; what must be written for it.

    A channel that takes no decisions is not written to; `untold` lists those whose buyers nobody told.
    """
    if not told:
        return []
    uids = new_uids(len(told))
    keys = [("decision", "about", f"{one.order} {about(one.decision)}", uid)
            for one, uid in zip(told, uids, strict=True)]
    owned = claim_keys(tx, keys)
    rows: dict[str, RecordRow] = {}
    links: list[tuple[str, str, str, str]] = []
    hops: list[HopRow] = []
    due: list[DueRow] = []
    for one, (_, _, key, uid) in zip(told, keys, strict=True):
        if owned["decision", "about", key] != uid:
            continue
        values = _values(one, orders[one.order], now)
        text = encode(values)
        mark = digest(text)
        rows[uid] = RecordRow(uid=uid, entity="decision", values=text, hash=mark)
        links += [(uid, "decision", name, values[name]) for name in ("order", "location") if values.get(name)]
        channel = origins.get(one.order)
        hops.append(HopRow(
            uid=uid, entity="decision", channel=one.by, direction=MADE, after_hash=mark, detail=one.decision.kind,
            release=house.release_number,
        ))
        if channel is not None and hears(house, channel):
            due.append((channel, "decision", uid, None, False, cause))
    put_records(tx, list(rows.values()), new=True)
    add_links(tx, links)
    put_hops(tx, hops)
    return due


def hears(house: House, channel: str) -> bool:
    """Whether decisions are written to the channel."""
    row = house.project.channels.get(channel)
    return row is not None and "decision" in row.receives and "decision" in house.of(channel).outward


def _values(one: Told, order: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    decision = one.decision
    units = {line["key"]: line["quantity"]["unit"] for line in order.get("lines") or ()}
    found: dict[str, Any] = {
        "order": one.order, "kind": decision.kind, "number": order.get("number"), "at": moment_text(now),
        "reason": decision.reason, "note": decision.note, "by": one.by,
    }
    if decision.until is not None:
        found["until"] = decision.until
    if decision.location is not None:
        found["location"] = decision.location
    if decision.lines:
        found["lines"] = [
            {"key": key, "line": key, "quantity": {"value": f"{quantity:f}", "unit": units[key], "kind": "ordered"}}
            for key, quantity in sorted(decision.lines.items())
        ]
    return found


def date_orders(
    house: House, tx: Tx, orders: Mapping[str, Mapping[str, Any]], origins: Mapping[str, str], now: datetime, *,
    placed: Mapping[str, Placed] | None = None, told: Sequence[Told] = (),
) -> None:
    """Afterwards every deadline of these orders stands as it is now: open while it runs, met or void when it ended.

    One that was over before orders of its channel were switched on never runs; it stays listed as void.
    """
    known = deadlines_of(tx, list(origins))
    placed = placed or {}
    ready = {one.order for one in told if one.decision.kind == "ready"}
    refused = {one.order for one in told if one.decision.kind in ("refused", "cancelled") and not one.decision.lines}
    places = records(tx, sorted({
        uid for order in origins if (uid := place_of(orders[order])) is not None
    }))
    dated: dict[str, dict[str, datetime]] = {}
    for uid, channel in origins.items():
        company = house.channel(channel).company
        there = places.get(place_of(orders[uid]) or "")
        calendar = house.project.fulfilment.calendar_of(
            company.id, company.zone, None if there is None else there.values
        )
        dated[uid] = {} if uid in refused else _running(
            orders[uid], house.project.fulfilment.of(channel).terms, calendar, known[uid], now if uid in ready else None
        )
    over = any(at <= now for found in dated.values() for at in found.values())
    live = live_since(tx, "order") if over else {}
    rows: list[DeadlineRow] = []
    for uid, channel in origins.items():
        order, before, soon = orders[uid], known[uid], house.project.fulfilment.of(channel).terms.soon
        past = {kind for kind, at in dated[uid].items() if is_history(at, live.get(channel, now))}
        rows += [
            DeadlineRow(
                order=uid, kind=kind, channel=channel, due_at=at, soon_at=at - soon,
                state="void" if kind in past else "open", settled_at=now if kind in past else None,
                note=HISTORY if kind in past else None,
            )
            for kind, at in dated[uid].items()
            if kind not in before or before[kind].due_at != at
            or before[kind].state != ("void" if kind in past else "open")
        ]
        word = "void" if order.get("status") == "cancelled" or uid in refused else "met"
        rows += [
            _settled(row, word, now) for kind, row in before.items()
            if row.state == "open" and kind not in dated[uid] and (kind != PLACE or word == "void")
        ]
        if is_placed(house, channel, order):
            rows += _place_rows(uid, channel, placed.get(uid), before, now)
    put_deadlines(tx, rows)


def _running(
    order: Mapping[str, Any], terms: Terms, calendar: Calendar, before: Mapping[str, DeadlineRow],
    ready_at: datetime | None,
) -> dict[str, datetime]:
    """The deadlines that run; that of collecting begins once, when the buyer is told, and then stays."""
    try:
        found = deadlines(order, terms, calendar, ready_at=ready_at)
    except NeverOpen:
        found = deadlines(order, terms, Calendar(zone=calendar.zone), ready_at=ready_at)
    collect = before.get("collect")
    if ready_at is None and collect is not None and collect.state == "open" and order.get("status") in LIVE:
        found["collect"] = collect.due_at
    return found


def _settled(row: DeadlineRow, state: str, now: datetime) -> DeadlineRow:
    return DeadlineRow(
        order=row.order, kind=row.kind, channel=row.channel, due_at=row.due_at, soon_at=row.soon_at, state=state,
        settled_at=now, note=row.note,
    )


def _place_rows(
    uid: str, channel: str, done: Placed | None, before: Mapping[str, DeadlineRow], now: datetime
) -> list[DeadlineRow]:
    """Since when, and why, an order waits for a place."""
    waits = before.get(PLACE)
    if done is None:
        return []
    if isinstance(done.verdict, Unroutable):
        since = waits.due_at if waits is not None and waits.state == "open" else now
        note = f"{done.verdict.reason}; {done.verdict.remedy}"
        return [DeadlineRow(order=uid, kind=PLACE, channel=channel, due_at=since, soon_at=since, note=note)]
    return [_settled(waits, "met", now)] if waits is not None and waits.state == "open" else []
