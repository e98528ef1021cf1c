"""Settlement reports meet orders: estimated fees end, payouts are known, and what does not match is a person's.

What surprises here: a report is a record of its own and changes no other contribution. What it says of an order enters
the order's record (`reported`), whichever of the two came first, and stays there like an estimate did. A difference
stands parked under ``order <number>`` on the channel that reported it, and closes by itself once report, order and
refunds agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from flows.consequences import Change
from flows.wiring import House
from flows.work import Item, Work
from mappings.commerce.orders.balance import spelled
from mappings.commerce.orders.refunds import money_ledger
from mappings.commerce.orders.settlement import Sums, difference, outstanding, reported, sums, unsettled, wrong
from mappings.commerce.prices.money import money
from registry import (
    HopRow,
    ParkedRow,
    RecordRow,
    SettlementLine,
    Tx,
    adopt_settlement_lines,
    binding_for,
    digest,
    encode,
    lock_records,
    orders_by_number,
    park,
    put_hops,
    put_records,
    put_settlement_lines,
    records,
    records_by_field,
    records_where,
    settlement_lines,
    unpark,
)

SETTLEMENT: Final = "settlement"
RULE: Final = "settlement"
UNKNOWN: Final = "no order goes by this number on the channel"
ASK: Final = "`serai settlement show` has the lines: ask the channel; it closes by itself when report and order agree"


class NoReport(Exception):
    """No report goes by this number, or reports of several channels do; the message says which."""


class Reported(Struct, frozen=True, kw_only=True):
    """One order of a report: what its lines come to in this report, and what is wrong with it over all reports."""

    number: str
    order: str | None
    said: Sums
    apart: dict[str, str] | None
    outstanding: dict[str, str] | None
    wrong: str | None


class Report(Struct, frozen=True, kw_only=True):
    """A report as a person is shown it. ``said`` is of all its lines, ``wrong`` says why they do not add up."""

    channel: str
    values: Mapping[str, Any]
    currency: str
    said: Sums
    orders: tuple[Reported, ...]
    wrong: str | None


def reports(house: House, channel: str | None = None) -> bool:
    """Whether the channel (any channel) tells settlement reports."""
    names = house.project.channels if channel is None else [channel]
    return any(SETTLEMENT in mapping.inward for name in names for mapping in house.of(name).inward.values())


def take(work: Work, items: Sequence[Item]) -> None:
    """Keeps the lines of these reports, each with its order where one goes by its number on the channel."""
    numbers = sorted({
        line["order_number"] for item in items for line in item.values["lines"] if line.get("order_number") is not None
    })
    known = {row.number: row.order for row in orders_by_number(work.tx, numbers)
             if row.channel == work.channel and row.whose in ("id", "channel")}
    before = settlement_lines(work.tx, settlements=[str(item.uid) for item in items if not item.new])
    rows = [
        SettlementLine(
            settlement=str(item.uid), key=line["key"], channel=work.channel, number=line.get("order_number"),
            order=known.get(line.get("order_number")), kind=line["kind"], name=line.get("name"),
            amount=line["amount"]["amount"], currency=line["amount"]["currency"],
        )
        for item in items for line in item.values["lines"]
    ]
    put_settlement_lines(work.tx, [str(item.uid) for item in items], rows)
    work.reported |= {row.order for row in (*rows, *before) if row.order is not None}
    lost = {row.number: row for row in rows if row.order is None and row.number is not None}
    gone = {row.number for row in before if row.order is None} - lost.keys()
    parked = [_unknown(work.channel, number, [row for row in rows if row.number == number]) for number in lost]
    parked += [_apart(work, item) for item in items if unsettled(item.values) is not None]
    work.unsettled += parked
    unpark(work.tx, [_key(work.channel, number) for number in gone if number is not None])


def store(work: Work) -> None:
    """Afterwards every order that a report, a refund or an edit touched says what it was paid out, and what is wrong
    with it is parked. A constant number of statements; none where no channel reports."""
    if not reports(work.house):
        return
    orders = [change for change in work.changes if change.entity == "order"]
    touched = work.reported | {change.uid for change in orders}
    touched |= {change.after["order"] for change in work.changes
                if change.entity == "return" and change.after.get("order") is not None}
    fresh = {change.uid for change in orders if change.before is None}
    numbers = {row.number: row.order for row in work.numbers if row.order in fresh and row.whose in ("id", "channel")}
    if numbers and reports(work.house, work.channel) and adopt_settlement_lines(work.tx, work.channel, numbers):
        unpark(work.tx, [_key(work.channel, number) for number in numbers])
    by_order: dict[str, list[SettlementLine]] = {}
    for row in settlement_lines(work.tx, orders=sorted(touched)):
        by_order.setdefault(str(row.order), []).append(row)
    if by_order:
        _settle(work, by_order)
    if work.unsettled:
        park(work.tx, work.unsettled)


def _settle(work: Work, by_order: Mapping[str, Sequence[SettlementLine]]) -> None:
    locked = lock_records(work.tx, sorted(by_order))
    returns = records_by_field(work.tx, "return", "order", list(by_order))
    rows: list[RecordRow] = []
    hops: list[HopRow] = []
    agreed: list[tuple[str, str, str, str]] = []
    for uid, record in locked.items():
        lines = [row.said for row in by_order[uid]]
        before, channel, number = record.values, by_order[uid][0].channel, by_order[uid][0].number
        after = reported(before, lines)
        if after != before:
            text = encode(after)
            mark = digest(text)
            rows.append(RecordRow(uid=uid, entity="order", values=text, hash=mark, state=record.state))
            hops.append(HopRow(
                uid=uid, entity="order", channel=channel, direction="inward", run=work.account.run,
                before_hash=record.hash, after_hash=mark, detail=SETTLEMENT, release=work.house.release_number,
            ))
            work.changes.append(Change(entity="order", uid=uid, source=channel, before=before, after=after))
        fault = wrong(after, lines, _refunded(after, [one.values for one in returns[uid]]))
        if fault is None:
            agreed.append(_key(channel, str(number)))
        else:
            work.unsettled.append(_row(channel, str(number), uid, fault))
    put_records(work.tx, rows)
    put_hops(work.tx, hops)
    unpark(work.tx, agreed)


def _refunded(order: Mapping[str, Any], returns: Sequence[Mapping[str, Any]]) -> Any:
    """What the buyer got back through the channel: what paid an exchange stayed with the seller."""
    through = [{**one, "refunds": [row for row in one.get("refunds") or ()
                                   if one.get("kind") != "exchange" or row.get("tender") is not None]}
               for one in returns]  # fmt: skip
    return money_ledger(order, (), through).refunded


def _apart(work: Work, item: Item) -> ParkedRow:
    fault = unsettled(item.values)
    assert fault is not None
    return ParkedRow(
        channel=work.channel, entity=SETTLEMENT, direction="inward", external_id=item.record.id, record_uid=item.uid,
        resource=work.resource, path=fault.path, field=fault.path.removeprefix("$."), rule=RULE, message=fault.message,
        remedy=fault.remedy,
    )


def _unknown(channel: str, number: str, lines: Sequence[SettlementLine]) -> ParkedRow:
    paid = spelled(sums([line.said for line in lines]).paid_out, lines[0].currency)
    return _row(channel, number, None, f"{UNKNOWN}: {paid} paid out for it")


def _row(channel: str, number: str, uid: str | None, message: str) -> ParkedRow:
    return ParkedRow(
        channel=channel, entity=SETTLEMENT, direction="inward", external_id=f"order {number}", record_uid=uid,
        path="$.lines", field="lines", rule=RULE, message=f"order {number}: {message}", remedy=ASK,
    )


def _key(channel: str, number: str) -> tuple[str, str, str, str]:
    return channel, SETTLEMENT, f"order {number}", "inward"


# ── for people ──────────────────────────────────────────────────────────────────────────────────────────────────────
def list_reports(house: House, channel: str | None = None) -> list[Report]:
    """Every report, the oldest first. A constant number of statements. Raises Misconfigured for an unknown channel."""
    if channel is not None:
        house.channel(channel)
    with house.registry.read() as tx:
        found = {record.uid: record.values for record in records_where(tx, SETTLEMENT)}
        told = [one for one in _reports(house, tx, found) if channel in (None, one.channel)]
    return sorted(told, key=lambda one: (one.values.get("until") or "", one.channel, one.values["number"]))


def show_report(house: House, number: str, channel: str | None = None) -> Report:
    """The report that goes by a number. Raises NoReport."""
    found = [one for one in list_reports(house, channel) if one.values["number"] == number]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NoReport(f"no settlement report goes by {number!r}; `serai settlement list` has those that do")
    where = ", ".join(one.channel for one in found)
    raise NoReport(f"{len(found)} reports go by {number!r}: name one's channel with --channel: {where}")


def _reports(house: House, tx: Tx, found: Mapping[str, Mapping[str, Any]]) -> Iterable[Report]:
    lines = settlement_lines(tx, settlements=list(found))
    uids = sorted({row.order for row in lines if row.order is not None})
    every: dict[str, list[dict[str, Any]]] = {}
    for row in settlement_lines(tx, orders=uids):
        every.setdefault(str(row.order), []).append(row.said)
    orders, returns = records(tx, uids), records_by_field(tx, "return", "order", uids)
    channels = {uid: name for name in house.project.channels for uid in binding_for(tx, name, SETTLEMENT, list(found))}
    for uid, values in found.items():
        mine = [row for row in lines if row.settlement == uid]
        fault = unsettled(values)
        currency = values.get("currency") or next((row.currency for row in mine), "")
        yield Report(
            channel=channels.get(uid, ""), values=values, currency=currency, said=sums([row.said for row in mine]),
            orders=tuple(_reported(mine, number, every, orders, returns) for number in
                         dict.fromkeys(row.number for row in mine if row.number is not None)),
            wrong=None if fault is None else fault.message,
        )


def _reported(
    lines: Sequence[SettlementLine], number: str, every: Mapping[str, Sequence[dict[str, Any]]],
    orders: Mapping[str, Any], returns: Mapping[str, Sequence[Any]],
) -> Reported:
    mine = [row for row in lines if row.number == number]
    said, uid = sums([row.said for row in mine]), mine[0].order
    if uid is None or uid not in orders:
        paid = money(said.paid_out, mine[0].currency)
        return Reported(number=number, order=None, said=said, apart=paid, outstanding=None, wrong=UNKNOWN)
    order, back = orders[uid].values, [one.values for one in returns[uid]]
    refunded = _refunded(order, back)
    return Reported(
        number=number, order=uid, said=said, apart=difference(order, every[uid], refunded),
        outstanding=money(outstanding(order, every[uid], refunded), order["total"]["currency"]),
        wrong=wrong(order, every[uid], refunded),
    )
