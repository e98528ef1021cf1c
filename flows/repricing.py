"""Whom a change of prices concerns and when, and what channels were seen to show.

What surprises here:

* Rules that begin or end at a moment make all prices of a channel due: one dated row in the outbox stands for all
  (``EVERY``), and becomes all of them when its moment has come.
* A price that was seen to change makes those due that are bounded by it on other channels.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from flows.pricing import APART, carries, lists_of, neighbours, pipeline_of, told_apart
from flows.routes import Group
from flows.wiring import House
from mappings.commerce.prices.lists import apart, plain
from mappings.commerce.prices.pipeline import moments
from registry import DueRow, OutboxRow, ShownRow, Tx, linked, mark_due, put_shown_prices, records_where

if TYPE_CHECKING:
    from flows.consequences import Change

EVERY: Final = "*"
"""Stands in the outbox for every price of a channel."""
PAGE: Final = 5_000
COUNTS: Final = ("cost", "handling", "map", "tax_category", "category", "net_content")
"""The fields of a variant that its price follows from."""


# ── whom it concerns ─────────────────────────────────────────────────────────────────────────────────────────────────


def due_rows(house: House, tx: Tx, variants: Iterable[str], cause: str, *, only: Collection[str] | None = None,
             at: datetime | None = None) -> list[DueRow]:
    """The outbox rows that look at these variants' prices anew, on every channel or ``only`` on some."""
    uids = sorted(set(variants))
    routes = [route for route in house.routes.get("price", ()) if only is None or route.channel in only]
    if not uids or not routes:
        return []
    by_price: dict[str, list[str]] = {}
    if any(route.how == "self" for route in routes):
        by_price = linked(tx, "price", "variant", uids)
    found: list[DueRow] = []
    for route in routes:
        touched = [uid for uids_ in by_price.values() for uid in uids_] if route.how == "self" else uids
        found += [(route.channel, route.group.entity, uid, at, False, cause) for uid in touched]
    return found


def follow(house: House, tx: Tx, changes: Sequence[Change], cause: str) -> list[DueRow]:
    """What a change of variants makes due: their prices, where a field moved from which a price follows."""
    moved = [
        change.uid for change in changes
        if any((change.before or {}).get(name) != change.after.get(name) for name in COUNTS)
        and change.before is not None
    ]
    written = {name for name, pipeline in house.project.prices.items() if pipeline.written}
    content = [change.uid for change in changes if change.before is not None
               and change.before.get("net_content") != change.after.get("net_content")]
    return [*due_rows(house, tx, moved, cause, only=written), *due_rows(house, tx, content, cause)]


def beside(house: House, tx: Tx, changes: Sequence[Change], cause: str) -> list[DueRow]:
    """What a change of a dated price makes due where such are told by themselves: the variant's others, which it may
    have contradicted until now. One statement, or none."""
    apart_on = {route.channel for route in house.routes.get("price", ()) if told_apart(route.group)}
    moved = [
        change.after["variant"] for change in changes if change.after.get("variant") is not None
        and change.before is not None and not (plain(change.before) and plain(change.after))
    ] if apart_on else []
    return due_rows(house, tx, moved, cause, only=apart_on - {cause})


def dependents(house: House, channel: str) -> list[str]:
    """The channels whose prices are bounded by this one's."""
    return [name for name, one in house.project.prices.items() if channel in (*one.not_above, *one.not_below)]


def later(house: House, channel: str, group: Group, now: datetime) -> list[DueRow]:
    """One row for each moment ahead at which a rule of the channel, or of one that bounds it, begins or ends."""
    if not carries(group):
        return []
    ahead = {at for name in {channel, *neighbours(house, channel)} for at in moments(pipeline_of(house, name), now)}
    return [(channel, group.entity, EVERY, at, False, "clock") for at in sorted(ahead)]


def later_prices(house: House, now: datetime) -> list[DueRow]:
    """As `later`, of every channel that is told prices: so that a moment comes also where nothing else happens."""
    return [
        row for name, channel in house.project.channels.items() for entity in channel.receives
        if (group := house.of(name).outward.get(entity)) is not None for row in later(house, name, group, now)
    ]


def all_of(house: House, tx: Tx, channel: str, group: Group, row: OutboxRow) -> int:
    """A rule has begun or ended: afterwards every price of the channel is due since that moment; how many there are."""
    mine, number, after = lists_of(house, channel), 0, ""
    while page := records_where(tx, group.base, after, PAGE):
        after = page[-1].uid
        uids = [one.uid for one in page if group.base != "price" or one.values["list"] in mine]
        mark_due(tx, [(channel, group.entity, uid, row.due_at, row.forced, row.cause) for uid in uids])
        number += len(uids)
    return number


# ── what was seen ────────────────────────────────────────────────────────────────────────────────────────────────────


def seen(house: House, tx: Tx, rows: Sequence[ShownRow], cause: str) -> None:
    """Keeps what channels were seen to show; whose price is bounded by one that is new becomes due."""
    news = put_shown_prices(tx, rows)
    due: list[DueRow] = []
    for channel in dict.fromkeys(row.channel for row in news):
        bounded = dependents(house, channel)
        if bounded:
            due += due_rows(house, tx, [row.variant for row in news if row.channel == channel], cause, only=bounded)
    if due:
        mark_due(tx, due)


class Told(Struct, frozen=True, kw_only=True):
    """A write that was applied: what is kept of its price, and what the channel answered it holds; None: nothing."""

    price: Mapping[str, Any]
    answer: Mapping[str, Any] | None
    key: str
    due_at: datetime


def confirmed(house: House, tx: Tx, channel: str, told: Sequence[Told], now: datetime) -> None:
    """Keeps what these applied writes show. One that was not answered with its price counts as shown only where the
    channel's prices are never read; else the next read tells.
    """
    is_read = any("price" in mapping.inward for mapping in house.of(channel).inward.values())
    rows = []
    for one in told:
        if APART in one.price:      # it stands beside the usual price, maybe for later or for some buyers
            continue
        says: Mapping[str, Any] = {
            "amount": {name: one.price[name] for name in ("amount", "currency")}, "tax_mode": one.price["tax_mode"],
        }
        if one.answer is not None and "amount" in one.answer:
            says = {**says, **one.answer}
        elif is_read:
            continue
        row = shown_row(channel, one.price["variant"], says, now, f"receipt {one.key}", one.due_at)
        rows += [] if row is None else [row]
    if rows:
        seen(house, tx, rows, channel)


def read(
    house: House, tx: Tx, channel: str, values: Iterable[Mapping[str, Any]], asked_at: datetime, run: str
) -> None:
    """Keeps what a channel was seen to show, asked at a moment: the prices of the list that it sells from."""
    name, each = pipeline_of(house, channel).price_list, told_apart(house.of(channel).outward.get("price"))
    rows = [
        row for one in values if one.get("list") == name and one.get("variant") is not None
        and not (each and apart(one, name))
        if (row := shown_row(channel, one["variant"], one, asked_at, f"run {run}")) is not None
    ]
    if rows:
        seen(house, tx, rows, channel)


def shown_row(
    channel: str, variant: str, values: Mapping[str, Any], at: datetime, source: str, due_at: datetime | None = None
) -> ShownRow | None:
    """What canonical values say that a channel shows; None where they say no whole price."""
    amount = values.get("amount")
    if amount is None or values.get("tax_mode") is None:
        return None
    return ShownRow(
        channel=channel, variant=variant, amount=Decimal(amount["amount"]), currency=amount["currency"],
        tax_mode=values["tax_mode"], start=at, source=source, due_at=due_at,
    )
