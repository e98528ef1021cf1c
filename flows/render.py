"""Records as a channel is to see them: groups joined, the rules of trade applied, ready for the outward mapping.

What surprises here: stock is never a record's own figure. ``publish`` is what this channel may show: the sellable stock
of its locations divided by fixed shares, less its share's reservations, and never more than what the other channels
leave free while they still show an older figure: a raise waits until every lowering is confirmed (P8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from flows.content import with_content
from flows.routes import Group
from flows.wiring import House, moment_text
from mappings.commerce.prices import pick
from mappings.commerce.products import Missing
from mappings.commerce.stock import allowed, free, publish_by_location
from registry import (
    Binding,
    Record,
    Tx,
    bindings_of,
    decode,
    in_flight_payloads,
    owners,
    records,
    records_by_field,
    reserved,
)

ZERO = Decimal(0)


def shown(values: Mapping[str, Any]) -> Decimal:
    """The figure of a stock contribution or record."""
    return Decimal(values["quantity"]["value"])


PUBLISH = "$publish"
"""Where the figure last told stands among a binding's kept values and in an outbox row's payload."""


class View(Struct, frozen=True, kw_only=True):
    """One group as the outward mapping sees it. ``publish`` is what may be shown now, ``target`` what is aimed at.

    ``parts`` holds the uids of the group's records by entity, to compare with what the channel says of them.
    ``missing`` is what a listing lacks: while it is not empty, nothing is published.
    """

    uid: str
    values: dict[str, Any]
    parts: Mapping[str, Sequence[str]]
    publish: int | None
    target: int | None
    waits: bool
    policy: Mapping[str, Any]
    missing: tuple[Missing, ...] = ()


class Figure(Struct, frozen=True, kw_only=True):
    """What a channel may show of one variant: the aim, what is allowed now, the split by stock record, and why."""

    target: int
    publish: int
    by_stock: Mapping[str, int]
    policy: Mapping[str, Any]


def views(house: House, tx: Tx, channel: str, group: Group, uids: Sequence[str], now: datetime) -> dict[str, View]:
    """uid → view, of the groups that exist; a constant number of statements."""
    base = records(tx, uids)
    joined = {entity: _join(house, tx, group.base, entity, base) for entity in group.joins}
    if "price" in joined:
        for rows in joined["price"].values():
            rows[:] = _priced(house, channel, rows, now)
    own = {uid: _values(record) for uid, record in base.items()}
    stocks = joined.get("stock") or ({uid: [row] for uid, row in own.items()} if group.entity == "stock" else {})
    figures = _figures(house, tx, channel, _of_variants(tx, group, own, stocks)) if stocks else {}
    to_one = set(house.references.get(group.base, {}).values())
    found = {
        uid: _view(group, uid, row, {entity: rows[uid] for entity, rows in joined.items()}, stocks.get(uid, []),
                   figures, to_one)
        for uid, row in own.items()
    }
    return {uid: _in_its_words(house, channel, group, view) for uid, view in found.items()}


def _of_variants(
    tx: Tx, group: Group, own: Mapping[str, dict[str, Any]], stocks: Mapping[str, list[dict[str, Any]]]
) -> dict[str, list[dict[str, Any]]]:
    """Variant → all its stock records: those joined already where the group is the variant's."""
    if group.base == "variant":
        return {own[uid]["uid"]: rows for uid, rows in stocks.items() if rows}
    variants = sorted({row["variant"] for rows in stocks.values() for row in rows})
    found = records_by_field(tx, "stock", "variant", variants)
    return {variant: [_values(record) for record in rows] for variant, rows in found.items()}


def _view(
    group: Group, uid: str, own: dict[str, Any], joined: Mapping[str, list[dict[str, Any]]],
    stocks: Sequence[dict[str, Any]], figures: Mapping[str, Figure], to_one: Set[str],
) -> View:
    mine: dict[str, Figure] = {}
    published = 0
    for row in stocks:
        variant = row["variant"]
        units = 0
        if variant in figures:
            mine[variant] = figures[variant]
            units = figures[variant].by_stock.get(row["uid"], 0)
        row["publish"] = str(units)
        published += units
    shaped: dict[str, Any] = own if group.base == group.entity else {"uid": uid, group.base: own}
    parts = {group.base: [own["uid"]]}
    for entity, rows in joined.items():
        parts[entity] = [row["uid"] for row in rows]
        if entity in to_one:
            shaped[entity] = rows[0] if rows else None
        else:
            shaped[plural(entity)] = rows
    publish, target = published, published
    if group.base != "stock":
        publish, target = sum(one.publish for one in mine.values()), sum(one.target for one in mine.values())
    return View(
        uid=uid, values=shaped, parts=parts, publish=publish if stocks else None, target=target if stocks else None,
        waits=any(figure.publish < figure.target for figure in mine.values()),
        policy={"stock": [figure.policy for figure in mine.values()]} if mine else {},
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
    values = record.values
    values["uid"] = record.uid
    return values


def _join(
    house: House, tx: Tx, base: str, entity: str, of: Mapping[str, Record]
) -> dict[str, list[dict[str, Any]]]:
    """Base uid → the joined records: those that refer to it, or the one it refers to."""
    for name, target in house.references.get(entity, {}).items():
        if target == base:
            found = records_by_field(tx, entity, name, [record.uid for record in of.values()])
            return {uid: [_values(one) for one in found.get(record.uid, ())] for uid, record in of.items()}
    for name, target in house.references.get(base, {}).items():
        if target == entity:
            wanted = {uid: record.values.get(name) for uid, record in of.items()}
            there = records(tx, sorted({one for one in wanted.values() if one is not None}))
            return {uid: [_values(there[one])] if one in there else [] for uid, one in wanted.items()}
    return {uid: [] for uid in of}


def _priced(house: House, channel: str, rows: Sequence[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """The one price of the company's list that holds now; none when the list has none."""
    company = house.channel(channel).company
    chosen = pick(rows, company.price_list, moment_text(now))
    return [] if chosen is None else [dict(chosen)]


def _figures(
    house: House, tx: Tx, channel: str, every: Mapping[str, Sequence[dict[str, Any]]]
) -> dict[str, Figure]:
    """Variant → figure for this channel, from ``every`` stock record of each variant.

    ``publish = Σ sellable − reserved`` over the policy's locations, split by fixed shares; then never more than
    sellable less what the other channels are exposed with: the larger of what each was last told and is being told.
    """
    policies = house.project.stock
    codes = sorted({code for policy in policies.values() for code in policy.locations})
    places = {uid: code for (_, _, code), uid in owners(tx, [("location", "code", code) for code in codes]).items()}
    held = reserved(tx, list(every))
    pool = _shared(policies, policies[channel].locations if channel in policies else ())
    rivals = {name for name, policy in policies.items() if name != channel and pool.intersection(policy.locations)}
    exposed = _exposures(tx, rivals, every) if rivals else {}
    share = str(policies[channel].share) if channel in policies else "0"
    found = {}
    for variant, stocks in every.items():
        sellable: dict[str, Decimal] = {}
        for stock in stocks:
            code = places.get(stock["location"])
            if code is not None:
                sellable[code] = sellable.get(code, ZERO) + shown(stock)
        promised: dict[str | None, Decimal] = {}
        for _channel, location, quantity, _order in held[variant]:
            code = places.get(location) if location is not None else None
            if location is None or code is not None:
                promised[code] = promised.get(code, ZERO) + quantity
        split = publish_by_location(sellable, promised, policies).get(channel, {})
        target = sum(split.values())
        left = sum(units for code, units in free(sellable, promised).items() if code in pool)
        others = exposed.get(variant, {})
        publish = allowed(target, left, others.values())
        found[variant] = Figure(
            target=target, publish=publish, by_stock=_spread(publish, split, stocks, places),
            policy={
                "variant": variant, "sellable": {code: str(figure) for code, figure in sellable.items()},
                "reserved": {str(code): str(figure) for code, figure in promised.items()}, "exposed": others,
                "share": share, "target": target, "publish": publish,
            },
        )
    return found


def _shared(policies: Mapping[str, Any], locations: Sequence[str]) -> set[str]:
    """The locations of every channel that shares one with these, so that a pool is compared with all it feeds."""
    shared = set(locations)
    for policy in policies.values():
        if shared & set(policy.locations):
            shared |= set(policy.locations)
    return shared


def _spread(
    publish: int, split: Mapping[str, int], stocks: Sequence[dict[str, Any]], places: Mapping[str, str]
) -> dict[str, int]:
    """Stock uid → its part of ``publish``: each location's own part, cut from the last when less is allowed."""
    left = publish
    parts = {}
    for code, amount in split.items():
        for stock in stocks:
            if places.get(stock["location"]) == code:
                parts[stock["uid"]] = part = min(left, amount)
                left -= part
                break
    return parts


def _exposures(
    tx: Tx, rivals: Set[str], stocks: Mapping[str, Sequence[dict[str, Any]]]
) -> dict[str, dict[str, int]]:
    """Variant → rival → the most it may be showing: last told or being told, else what it was seen to hold."""
    owner = {stock["uid"]: variant for variant, rows in stocks.items() for stock in rows}
    bound = {**bindings_of(tx, list(stocks), "stock/variant"), **bindings_of(tx, list(owner), "stock")}
    flights = {**in_flight_payloads(tx, "stock", list(stocks)), **in_flight_payloads(tx, "stock", list(owner))}
    told: dict[tuple[str, str], int] = {}
    seen: dict[tuple[str, str], int] = {}
    for uid, rows in bound.items():
        for binding in rows:
            if binding.channel not in rivals:
                continue
            place = (owner.get(uid, uid), binding.channel)
            figure = binding.kept.get(PUBLISH)
            if figure is not None:
                told[place] = told.get(place, 0) + int(figure)
            elif binding.values is not None:
                seen[place] = seen.get(place, 0) + max(0, int(shown(binding.values)))
    for uid, flying in flights.items():
        for name, payload in flying:
            figure = decode(payload).get(PUBLISH)
            if name in rivals and figure is not None:
                place = (owner.get(uid, uid), name)
                told[place] = max(told.get(place, 0), int(figure))
    found: dict[str, dict[str, int]] = {}
    for (variant, name), units in {**seen, **told}.items():
        found.setdefault(variant, {})[name] = units
    return found


def seen_equal(view: View, group: Group, said: Mapping[str, Binding]) -> bool:
    """Whether the channel already holds what the view says, field by field, so that a first write is not needed.

    ``said`` holds what the channel says of the group's records by uid, or of the group itself under the group's uid.
    """
    if group.entity == "stock":
        uids = [view.uid] if view.uid in said else list(view.parts.get("stock", ()))
        if not uids or any(uid not in said or said[uid].values is None for uid in uids):
            return False
        figure = sum((shown(said[uid].values or {}) for uid in uids), Decimal(0))
        return view.publish is not None and figure == view.publish and not view.waits
    uids = list(view.parts.get(group.entity, ()))
    if not uids or any(uid not in said or said[uid].values is None for uid in uids):
        return False
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
