"""Verbs about single orders: what is known of one, what a person decides about it, what a desk may take back, lateness.

What surprises here: an order is named by any of its numbers (the buyer's, the channel's, the ERP's); where two shops
have the same one, `--channel` tells them apart. No verb shows who the buyer is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.commands import HERE, MISTAKE, AnyChannel, Json, Project, number, say

if TYPE_CHECKING:
    from flows.desk import Shown
    from flows.pressing import Pressing
    from mappings.commerce.fulfilment.decisions import Kind

Number = Annotated[str, typer.Argument(help="the buyer's, the channel's or the ERP's number of the order")]
Reason = Annotated[str, typer.Option("--reason", help="what the buyer is told: out_of_stock, late, fraud, price, …")]
Note = Annotated[str | None, typer.Option("--note", help="in words, kept with the decision")]


def show(number: Number, channel: AnyChannel = None, project: Project = HERE, json: Json = False) -> None:
    """Show an order: its numbers, status, where its goods are held, deadlines, and what its channel was told."""
    from deployments.commands.houses import opened
    from deployments.printing import print_json
    from flows.desk import show_order

    with opened(project) as house:
        found = show_order(house, number, channel)
        now = house.registry.now()
    if json:
        print_json(_row(found))
    else:
        for line in sentences(found, now):
            say(line)


def accept(number: Number, channel: AnyChannel = None, note: Note = None, project: Project = HERE) -> None:
    """Accept an order that waits for our answer."""
    _decide(project, number, "accepted", channel, note=note)


def refuse(number: Number, reason: Reason, channel: AnyChannel = None, note: Note = None, project: Project = HERE
           ) -> None:
    """Refuse an order that waits for our answer; its goods are free at once, its buyer is told why."""
    _decide(project, number, "refused", channel, reason=reason, note=note)


def cancel(number: Number, reason: Reason, channel: AnyChannel = None, note: Note = None, project: Project = HERE
           ) -> None:
    """Cancel an order that was not sent; its goods are free at once, its buyer is told why."""
    _decide(project, number, "cancelled", channel, reason=reason, note=note)


def delay(
    number: Number, until: Annotated[datetime, typer.Option("--until", help="the new moment of sending, UTC")],
    channel: AnyChannel = None, note: Note = None, project: Project = HERE,
) -> None:
    """Tell the buyer that an order is sent later."""
    at = until.replace(tzinfo=UTC) if until.tzinfo is None else until
    _decide(project, number, "delayed", channel, reason="late", note=note, until=at)


def ready(number: Number, channel: AnyChannel = None, note: Note = None, project: Project = HERE) -> None:
    """Say that you hold all goods of an order to be collected in your hands; only then its buyer is told to come."""
    _decide(project, number, "ready", channel, note=note)


def returnable(
    number: Number, at: Annotated[str, typer.Option("--at", help="the code of the store whose desk asks")],
    channel: AnyChannel = None, project: Project = HERE, json: Json = False,
) -> None:
    """Say whether a desk may take an order's goods back, and to which tender the money goes; exit 1 when it may not."""
    from deployments.commands.houses import opened
    from deployments.printing import print_json
    from flows.desk import returnable as ask

    with opened(project) as house:
        answer = ask(house, number, at, channel=channel)
    if json:
        print_json(answer)
    elif answer.allowed:
        goods = ", ".join(f"line {key}: {units.normalize():f}" for key, units in answer.lines.items())
        say(f"yes: take back {goods}")
        for tender, money in answer.refund:
            say(f"  {money['amount']} {money['currency']} to {tender}")
        if not answer.refund:
            say("  the order does not say how it was paid: ask where the money came from")
    else:
        say(f"no, do not take it: {answer.because}; {answer.remedy}")
    if not answer.allowed:
        raise typer.Exit(MISTAKE)


def deadlines(
    project: Project = HERE,
    history: Annotated[bool, typer.Option("--history", help="open orders that were late before Serai was on")] = False,
    json: Json = False,
) -> None:
    """List orders that are late or soon late, most pressing first, and how often what was decided."""
    from deployments.commands.houses import opened
    from deployments.printing import print_json, show as table
    from flows.pressing import pressing

    with opened(project) as house:
        found = pressing(house)
    rows = found.history if history else found.lines
    listed = [_pressing(one, found.at, notes=json or any(row.note or row.parked for row in rows)) for one in rows]
    counted = [{"decision": kind, "reason": reason, "orders": count} for kind, reason, count in found.decided]
    if json:
        print_json({"deadlines": listed, "decisions": counted, "history": len(found.history)})
        return
    if history:
        table("open, and late before their channel was switched on", listed, False, nothing="there are no such orders")
        return
    table("late and soon late", listed, False, nothing="no order is late or soon late")
    if found.history:
        say(f"{number(len(found.history), 'open order')} had passed a deadline before orders of the channel were "
            "switched on: `serai deadlines --history`")
    table("decided so far", counted, False, nothing="nothing was decided yet")


def _decide(project: Path, number: str, kind: Kind, channel: str | None, **more: Any) -> None:
    from deployments.commands.houses import opened
    from deployments.commands.knowing import who
    from flows.desk import decide

    with opened(project) as house:
        say(decide(house, number, kind, who=who(), channel=channel, **more))


def _pressing(one: Pressing, now: datetime, *, notes: bool) -> dict[str, Any]:
    found = {"order": one.number, "channel": one.channel, "what": one.kind, "due_at": one.due_at,
             "when": when(one.due_at, now), "what_to_do": one.remedy}
    if notes:
        found["note"] = "; ".join(text for text in (one.note, one.parked and f"parked: {one.parked}") if text) or None
    return found


def _moved(order: Mapping[str, Any]) -> list[str]:
    """Where the units of each line are of which somebody said so: picked, handed over, cancelled, returned."""
    from mappings.commerce.orders.quantities import COUNTED, counts

    found = []
    for line in order["lines"]:
        if any(line.get(name) is not None for name in COUNTED):
            there = counts(line)
            said = [f"{units.normalize():f} {name.replace('_', ' ')}" for name in ("open", *COUNTED)
                    if (units := getattr(there, name)) > 0]
            found.append(f"line {line['key']}: {', '.join(said)} of {there.ordered.normalize():f}")
    return found


def when(due_at: datetime, now: datetime) -> str:
    """``late by 2 h 05 min`` or ``in 7 min``."""
    minutes = int((due_at - now).total_seconds() // 60)
    return f"late by {span(-minutes)}" if due_at <= now else f"in {span(minutes)}"


def span(minutes: int) -> str:
    """``2 d 3 h``, ``1 h 05 min``, ``7 min``."""
    if minutes >= 48 * 60:
        return f"{minutes // 1440} d {minutes % 1440 // 60} h"
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def sentences(found: Shown, now: datetime) -> list[str]:
    """Everything about an order that is no personal value, a line each."""
    order = found.order
    status = f"{order['status']}, {order['payment']}"
    said = [f"order {order['number']} of {found.channel}: {status}, {order['total']['amount']} "
            f"{order['total']['currency']}, {number(len(order['lines']), 'line')}"]
    said.append("known as " + ", ".join(
        f"{name} ({channel}{'' if whose in ('id', 'channel') else f', {whose}'})" for channel, whose, name in
        sorted({(channel, "channel" if whose == "id" else whose, name) for channel, whose, name in found.numbers})
    ))
    said.append(_money(order))
    delivery = order.get("delivery") or {}
    if delivery.get("kind") is not None:
        where = found.places.get(delivery.get("location") or "", "")
        said.append(f"delivery: {delivery['kind']} {where}".rstrip())
    said += [
        f"line {row.of_line}: {row.quantity.normalize():f} at {found.places.get(row.location or '', 'no place yet')}"
        + (" (set free)" if row.released else "") for row in found.held
    ]
    said += _moved(order)
    said += [_sent(one) for one in found.shipments]
    said += [_back(one, found) for one in found.returns]
    said += _fiscal(order)
    for row in sorted(found.deadlines, key=lambda one: one.due_at):
        state = row.state if row.state != "open" else when(row.due_at, now)
        said.append(f"{row.kind} by {row.due_at:%Y-%m-%d %H:%M} UTC: {state}" + (f": {row.note}" if row.note else ""))
    for one in found.decisions:
        because = ": ".join(part for part in (one.reason, one.note) if part is not None)
        told = f"{found.channel} told at {one.told:%H:%M:%S} UTC" if one.told is not None else (
            f"{found.channel} NOT told: {one.why_not}"
        )
        said.append(f"{one.at:%Y-%m-%d %H:%M} UTC {one.kind} by {one.by}" + (f" ({because})" if because else "")
                    + f"; {told}")
    nowhere = found.refuser or (
        "it was cancelled" if order["status"] == "cancelled" else "no place takes returns of this channel"
    )
    said.append("may be brought back to " + ", ".join(found.returnable) if found.returnable
                else f"may be brought back to no store: {nowhere}")
    return said


def _sent(one: Mapping[str, Any]) -> str:
    papers = ", ".join(f"{row['kind']} {row.get('number') or row.get('url')}" for row in one.get("documents") or ())
    by = " ".join(part for part in (one.get("carrier"), one.get("tracking")) if part is not None)
    return f"shipment {one['number']}: {by or 'handed over'}" + (f"; {papers}" if papers else "")


def _back(one: Mapping[str, Any], found: Shown) -> str:
    money = ", ".join(
        f"{_spoken(row['amount'])} "
        + ("pays the goods taken in exchange" if row.get("tender") is None and one.get("kind") == "exchange"
           else f"to {row.get('tender') or 'the buyer'}")
        for row in one.get("refunds") or ()
    )
    whose = ""
    if one.get("exchange") == found.uid:
        whose = f", of order {found.exchanges.get(one.get('order') or '', 'unknown')}"
    elif one.get("exchange") is not None:
        whose = f", for order {found.exchanges.get(one['exchange'], 'unknown')}"
    issued = ", ".join(str(row["number"]) for row in one.get("fiscal") or () if row.get("number") is not None)
    return (f"{one.get('kind') or 'return'} {one['number']}{whose}: {money or 'no money'}"
            + (f"; fiscal receipt {issued}" if issued else ""))


def _fiscal(order: Mapping[str, Any]) -> list[str]:
    return [f"fiscal receipt {row['number']}" for row in order.get("fiscal") or () if row.get("number") is not None]


def _money(order: Mapping[str, Any]) -> str:
    """The three figures: what the buyer pays, what it was sold for, what of it is paid out; and the fees between."""
    from flows.finding import three_figures

    figures = three_figures(order)
    fees = ", ".join(f"{fee['key']} {fee['amount']['amount']} ({fee.get('state') or 'told'})"
                     for fee in order.get("fees") or ())
    paid = "paid out" if order.get("payout") is not None else "payout expected"
    return (f"buyer pays {_spoken(figures['buyer_pays'])}, seller's price {_spoken(figures['seller_price'])}, "
            f"{paid} {_spoken(figures['payout'])}" + (f"; fees: {fees}" if fees else ""))


def _spoken(amount: Mapping[str, str]) -> str:
    return f"{amount['amount']} {amount['currency']}"


def _row(found: Shown) -> dict[str, Any]:
    from flows.finding import three_figures

    return {
        "uid": found.uid, "channel": found.channel, "order": found.order, **three_figures(found.order),
        "numbers": [{"channel": channel, "whose": whose, "number": name} for channel, whose, name in found.numbers],
        "held": [{"line": row.of_line, "variant": row.variant, "quantity": row.quantity, "released": row.released,
                  "place": found.places.get(row.location or "")} for row in found.held],
        "deadlines": [{"what": row.kind, "due_at": row.due_at, "state": row.state, "settled_at": row.settled_at,
                       "note": row.note} for row in found.deadlines],
        "decisions": [{"kind": one.kind, "at": one.at, "by": one.by, "reason": one.reason, "note": one.note,
                       "told_at": one.told, "why_not": one.why_not} for one in found.decisions],
        "shipments": list(found.shipments), "returns": list(found.returns), "exchanges": dict(found.exchanges),
        "returnable_at": list(found.returnable), "only_the_channel_refunds": found.refuser,
    }
