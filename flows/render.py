"""Records as a channel is to see them: groups joined, the rules of trade applied, ready for the outward mapping.

What surprises here: stock is never a record's own figure. ``publish`` is what this channel may show of it now
(`flows.figures`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from flows.content import as_they_are, with_content
from flows.figures import NO_FIGURES, Escrowed, Figure, Figures, Told, Units, figures, shown
from flows.people import CUSTOMER
from flows.placing import show_places
from flows.pledges import AT
from flows.pricing import Telling, priced
from flows.regions import shield_of
from flows.routes import Group
from flows.segmenting import show_segments, wants_segments
from flows.wiring import House
from mappings.commerce.customers.offers import seen_on
from mappings.commerce.products import Missing
from mappings.commerce.stock.bundles import parts_of
from mappings.commerce.stock.counting import AVAILABLE
from registry import (
    Binding,
    Record,
    Tx,
    owners,
    records,
    records_by_field,
)


class View(Struct, frozen=True, kw_only=True):
    """One group as the outward mapping sees it. ``publish`` is what may be shown now, ``target`` what is aimed at, and
    ``waits`` what stands between them ("": nothing); ``escrowed`` is set where the escrow of hard allocation decides.

    ``parts`` holds the uids of the group's records by entity, to compare with what the channel says of them.
    ``missing`` is what a listing lacks: while it is not empty, nothing is published. ``stuck`` is why an order has no
    place to be sent from: while it is not empty, who keeps stock does not hear of it. ``price`` is what may be told as
    its price, or why nothing may. ``available_on`` is the day by which all of ``publish`` is there, where it is
    promised before that day.
    """

    uid: str
    values: dict[str, Any]
    parts: Mapping[str, Sequence[str]]
    publish: Units | None
    target: Units | None
    waits: str
    policy: Mapping[str, Any]
    missing: tuple[Missing, ...] = ()
    stuck: str = ""
    price: Telling | None = None
    escrowed: Escrowed | None = None
    available_on: date | None = None


def views(house: House, tx: Tx, channel: str, group: Group, uids: Sequence[str], now: datetime) -> dict[str, View]:
    """uid → view, of the groups that exist; a constant number of statements."""
    base = records(tx, uids)
    own = {uid: _values(record) for uid, record in base.items()}
    if group.base == CUSTOMER:
        for uid, person in own.items():
            person["uid"] = uid     # an identity is shown with what the person is
    if group.base == "stock":
        own |= _bundles_at_places(house, tx, channel, [uid for uid in uids if AT in uid])
    joined = {entity: _join(house, tx, group.base, entity, base, own) for entity in group.joins}
    prices = priced(house, tx, channel, group, own, now)
    for uid, rows in joined.get("price", {}).items():
        row = prices[uid].row if uid in prices else None
        rows[:] = [] if row is None else [dict(row)]
    for entity, by_base in joined.items():
        shield = shield_of(house, channel, entity)
        if shield is not None:
            for rows in by_base.values():
                rows[:] = map(shield, rows)
    shield = shield_of(house, channel, group.base)
    if shield is not None:
        own = {uid: shield(row) for uid, row in own.items()}
    if wants_segments(group):
        show_segments(house, tx, channel, own, now)
    if group.entity == "offer" == group.base:
        own = {uid: seen_on(row, channel) for uid, row in own.items()}
    if group.base == "price":
        own |= {uid: dict(one.row) for uid, one in prices.items() if one.row is not None}
    if group.base == "variant" and "stock" in joined:
        _of_bundles(house, tx, channel, own, joined["stock"])
    stocks = joined.get("stock") or ({uid: [row] for uid, row in own.items()} if group.entity == "stock" else {})
    found_figures = _figures(house, tx, channel, group, own, stocks, now) if stocks else NO_FIGURES
    to_one = set(house.references.get(group.base, {}).values())
    stuck = show_places(house, tx, own) if group.entity == "order" == group.base else {}
    found = {
        uid: _view(group, uid, row, {entity: rows[uid] for entity, rows in joined.items()}, stocks.get(uid, []),
                   found_figures, to_one)
        for uid, row in own.items()
    }
    seen = found
    if not as_they_are(house.project, channel, group):
        seen = {uid: _in_its_words(house, channel, group, view) for uid, view in found.items()}
    for uid, one in prices.items():
        policy = seen[uid].policy if one.policy is None else {**seen[uid].policy, "price": one.policy}
        seen[uid] = replace(seen[uid], price=one, policy=policy)
    return seen | {uid: replace(seen[uid], stuck=why) for uid, why in stuck.items()}


def _of_bundles(
    house: House, tx: Tx, channel: str, variants: Mapping[str, dict[str, Any]],
    stocks: Mapping[str, list[dict[str, Any]]],
) -> None:
    """Adds a row of stock per place the channel sells from to bundles, which have none of their own.

    The row stands for no record: its figure follows from the parts.
    """
    bundles = [(uid, row) for uid, row in variants.items() if not stocks[uid] and parts_of(row)]
    policy = house.project.stock.get(channel)
    if not bundles or policy is None:
        return
    places = owners(tx, [("location", "code", code) for code in policy.locations])
    for uid, row in bundles:
        stocks[uid].extend(
            {"uid": f"{uid}{AT}{place}", "variant": row["uid"], "location": place,
             "quantity": {"value": "0", "unit": row["unit"], "kind": AVAILABLE}}
            for place in places.values()
        )


def _bundles_at_places(house: House, tx: Tx, channel: str, uids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Rows of stock of bundles at the places that the channel sells from, which stand for no record.

    Of what is a bundle no more there is none.
    """
    policy = house.project.stock.get(channel)
    if not uids or policy is None:
        return {}
    places = owners(tx, [("location", "code", code) for code in policy.locations]).values()
    named = {uid: row for uid in uids if (row := uid.partition(AT))[2] in places}
    there = records(tx, sorted({variant for variant, _, _ in named.values()}))
    return {
        uid: {"uid": uid, "variant": variant, "location": place,
              "quantity": {"value": "0", "unit": there[variant].values["unit"], "kind": AVAILABLE}}
        for uid, (variant, _, place) in named.items() if variant in there and parts_of(there[variant].values)
    }


def _figures(
    house: House, tx: Tx, channel: str, group: Group, own: Mapping[str, dict[str, Any]],
    stocks: Mapping[str, list[dict[str, Any]]], now: datetime,
) -> Figures:
    """The figures of variants, from all their stock records: those joined already where the group is the variant's."""
    if group.base == "variant":
        every = {own[uid]["uid"]: rows for uid, rows in stocks.items() if rows}
        return figures(house, tx, channel, every, now, {row["uid"]: row for row in own.values()})
    variants = sorted({row["variant"] for rows in stocks.values() for row in rows})
    found = records_by_field(tx, "stock", "variant", variants)
    every = {uid: [_values(record) for record in rows] for uid, rows in found.items()}
    for row in own.values():
        if AT in row["uid"]:
            every.setdefault(row["variant"], []).append(row)
    return figures(house, tx, channel, every, now)


def _view(
    group: Group, uid: str, own: dict[str, Any], joined: Mapping[str, list[dict[str, Any]]],
    stocks: Sequence[dict[str, Any]], figures: Figures, to_one: Set[str],
) -> View:
    mine: dict[str, Figure] = {}
    published: Units = 0
    for row in stocks:
        units: Units = 0
        variant = row["variant"]
        if variant in figures.of:
            figure = mine[variant] = figures.of[variant]
            units = figures.by_stock.get(row["uid"], 0)
            row["available_on"] = None if figure.available_on is None else figure.available_on.isoformat()
        row["publish"] = str(units)
        published += units
    each = group.base == "stock"
    publish = target = published if each else 0
    waits, available_on = "", None
    alone: Told | None = None
    for one in mine.values():
        waits, available_on = waits or one.waits, available_on or one.available_on
        if one.by_listing:
            alone = alone or one.by_listing.get(uid)
        if not each:
            publish, target = publish + one.publish, target + one.target
    if alone is not None:
        waits, target = alone.waits, alone.target if each else target
    shaped: dict[str, Any] = own if group.base == group.entity else {"uid": uid, group.base: own}
    parts = {group.base: [own["uid"]]}
    for entity, rows in joined.items():
        parts[entity] = [row["uid"] for row in rows if AT not in row["uid"]]
        if entity in to_one:
            shaped[entity] = rows[0] if rows else None
        else:
            shaped[plural(entity)] = rows
    return View(
        uid=uid, values=shaped, parts=parts, publish=publish if stocks else None, target=target if stocks else None,
        waits=waits, escrowed=None if alone is None else alone.escrowed, available_on=available_on,
        policy={"stock": [{"variant": of, **figure.policy} for of, figure in mine.items()]} if mine else {},
    )


def _in_its_words(house: House, channel: str, group: Group, view: View) -> View:
    """The view with product content as the channel is to see it, and what its listing lacks."""
    values, lacks, because = with_content(house.project, channel, group, view.values)
    if values is view.values:
        return view
    return replace(view, values=values, missing=lacks, policy={**view.policy, "content": because})


def plural(entity: str) -> str:
    """How the outward mapping names a joined list: stock → stocks."""
    return f"{entity}s"


def _values(record: Record) -> dict[str, Any]:
    """The record with its uid."""
    values = record.values
    values["uid"] = record.uid
    return values


def _join(
    house: House, tx: Tx, base: str, entity: str, of: Mapping[str, Record], values: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Base uid → the joined records: those that refer to it, or the one it refers to."""
    for name, target in house.references.get(entity, {}).items():
        if target == base:
            mine = {uid: record.uid for uid, record in of.items()}
            found = records_by_field(tx, entity, name, list(mine.values()))
            return {uid: [_values(one) for one in found[mine[uid]]] if uid in mine else [] for uid in values}
    for name, target in house.references.get(base, {}).items():
        if target == entity:
            wanted = {uid: row.get(name) for uid, row in values.items()}
            there = records(tx, sorted({one for one in wanted.values() if one is not None}))
            return {uid: [_values(there[one])] if one in there else [] for uid, one in wanted.items()}
    return {uid: [] for uid in values}


def seen_equal(view: View, group: Group, said: Mapping[str, Binding]) -> bool:
    """Whether the channel already holds what the view says, field by field, so that a first write is not needed.

    ``said`` holds what the channel says of the group's records by uid, or of the group itself under the group's uid.
    """
    if not said:
        return False
    uids = list(view.parts.get(group.entity, ()))
    if group.entity == "stock" and view.uid in said:
        uids = [view.uid]
    if not uids or any(uid not in said or said[uid].values_text is None for uid in uids):
        return False
    if group.entity == "stock":
        figure = sum((shown(said[uid].values or {}) for uid in uids), Decimal(0))
        return view.publish is not None and figure == view.publish and not view.waits and view.available_on is None
    rows = {row["uid"]: row for row in _rows(view, group)}
    return all(
        (said[uid].values or {}).get(name) == rows[uid].get(name)
        for uid in uids if uid in rows for name in group.needs
    )


def _rows(view: View, group: Group) -> list[dict[str, Any]]:
    if group.base == group.entity:
        return [view.values]
    found = view.values.get(plural(group.entity))
    return found if isinstance(found, list) else []
