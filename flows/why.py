"""Why a channel shows what it shows: from the source's document to the receipt, one step a line, recomputed (P11).

What surprises here: field detail is not stored. A hop keeps ids, digests and the policy's inputs; the answer renders
the record again with the mapping in force and says whether the outcome is what the channel was told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flows.pledges import PUBLISH
from flows.pricing import offers
from flows.render import View, views
from flows.routes import Group
from flows.why_prices import proof, sentences
from flows.wiring import House
from mappings.language import Mapping as MappingFile, Ref
from registry import (
    Binding,
    HeldItem,
    Hop,
    Record,
    Tx,
    binding_for,
    bindings_of,
    decode,
    encode,
    held_items,
    hold_name,
    hops_of,
    last_seen,
    owners,
    records,
    records_by_field,
    refs_for,
)

MASKED = "…"


class Unknown(Exception):
    """There is nothing by that name, or the channel was never told of it. The message says what there is."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the answer: what kind it is, the sentence, and where to look (file:line, run, receipt)."""

    kind: str
    sentence: str
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class Why:
    """The answer. ``told`` is the document last applied on the channel, personal values masked; ``same`` says that
    recomputing gives it.
    """

    channel: str
    entity: str
    key: str
    told: dict[str, Any]
    same: bool
    verified_at: datetime | None
    steps: Sequence[Step] = field(default_factory=tuple)

    def row(self) -> dict[str, Any]:
        """The answer as plain JSON."""
        return {
            "channel": self.channel, "entity": self.entity, "key": self.key, "told": decode(encode(self.told)),
            "recomputed_equals_told": self.same,
            "verified_at": None if self.verified_at is None else self.verified_at.isoformat(),
            "steps": [{"kind": step.kind, "sentence": step.sentence, "where": step.where} for step in self.steps],
        }


def why(house: House, channel: str, entity: str, key: str, field: str | None = None) -> Why:
    """Explains what ``channel`` was told of an entity; ``key`` is a SKU, code, number, e-mail, or a uid.

    ``field`` limits the fields shown. Raises Unknown naming what there is instead.
    """
    row = house.channel(channel)
    group = house.of(channel).outward.get(entity)
    if group is None or entity not in row.receives:
        raise Unknown(f"{channel} receives {', '.join(row.receives) or 'nothing'}, not {entity!r}")
    with house.registry.read() as tx:
        base = _base(house, tx, channel, group, key)
        told = binding_for(tx, channel, group.name, [base]).get(base)
        if told is None or told.told is None:
            raise Unknown(f"{channel} was not told of {entity} {key} yet; `serai status` shows what waits")
        verified = max(
            (at for at in (told.verified_at, last_seen(tx, channel, entity, told.external_id)) if at is not None),
            default=None,
        )
        now = house.registry.now()
        view = views(house, tx, channel, group, [base], now)[base]
        doc = _rendered(house, tx, channel, group, view, now)
        steps = [
            *_sources(house, tx, entity, view, field),
            *_policy(view, group),
            *_outward(house, group, told, field),
            *_receipts(hops_of(tx, base), channel, entity),
        ]
        stopped = held_items(tx, channel, entity, [base]).get(base, ())
    same = doc is not None and encode(doc) == encode(told.told)
    doc = None if doc is None else masked(house, group, doc)
    steps.append(Step(kind="verified", sentence=(
        f"the channel was last seen to hold it at {verified:%Y-%m-%d %H:%M:%S} UTC" if verified is not None
        else "the channel has not been read since"
    )))
    steps.append(Step(kind="recomputed", sentence=(
        "nothing is told now, the channel keeps what it was told last" if doc is None
        else "rendering the record again gives exactly what the channel was told" if same
        else f"rendering the record again gives {encode(doc)}: " + _on_its_way(stopped)
    )))
    return Why(
        channel=channel, entity=entity, key=key, told=masked(house, group, told.told), same=same, verified_at=verified,
        steps=steps,
    )


def _on_its_way(stopped: Sequence[HeldItem]) -> str:
    """What became of the newer document: a breaker stopped it, a person refused it, or it will be written."""
    for item in reversed(stopped):
        if item.state == "open":
            return f"it is held, look at `serai hold show {hold_name(item.hold)}`"
        if item.state == "rejected":
            return f"{item.who} rejected it (hold {hold_name(item.hold)})"
    return "a newer change is on its way"


def _base(house: House, tx: Tx, channel: str, group: Group, key: str) -> str:
    """The uid under which the outbox files what ``key`` names."""
    if key in records(tx, [key]):
        return key
    base = group.base
    for kind in ("sku", "gtin", "code", "email"):
        found = owners(tx, [(base, kind, key)])
        if found:
            return next(iter(found.values()))
    variant = owners(tx, [("variant", "sku", key)]).get(("variant", "sku", key))
    if variant is not None and "variant" in house.references.get(base, {}).values():
        if base == "price":
            home = offers(house, tx, channel, [variant], house.registry.now())[variant].home
            mine = [] if home is None else [home]
        else:
            mine = [record.uid for record in records_by_field(tx, base, "variant", [variant])[variant]]
        if mine:
            return mine[0]
    raise Unknown(f"no {base} has the SKU, code, GTIN, e-mail or uid {key!r}")


def _rendered(house: House, tx: Tx, channel: str, group: Group, view: View, now: datetime) -> dict[str, Any] | None:
    if view.price is not None and view.price.silent:
        return None
    refs = refs_for(tx, channel, list(group.mapping.outward_references([view.values])))
    result = group.mapping.map_outward(
        [view.values], {pair: Ref(id=id, kept=kept) for pair, (id, kept) in refs.items()}, house.context(channel, now)
    )
    return result.docs[0].doc if result.docs else None


def _sources(house: House, tx: Tx, entity: str, view: View, wanted: str | None) -> list[Step]:
    """Which channel's document says each field, by which row, and why that channel decides."""
    uids = [*view.parts.get(entity, ())]
    if entity == "price" and "price" in view.policy:
        uids = [view.policy["price"]["steps"][0]["price"]]      # the one of the list's prices that holds now
    found = records(tx, uids)
    steps = []
    said = bindings_of(tx, uids)
    for uid in uids:
        for name, value in found[uid].values.items():
            if (wanted is not None and name != wanted) or value is None:
                continue
            steps.append(_source(house, entity, found[uid], said[uid], name, value))
    return steps


def _source(house: House, entity: str, record: Record, said: Sequence[Binding], name: str, value: Any) -> Step:
    authority = house.authority(entity)
    order = authority.get(name, authority["*"])
    speaking = [b for b in said if b.values is not None and name in b.values and b.values[name] == value]
    by = next((b for channel in ([order] if isinstance(order, str) else order) for b in speaking
               if b.channel == channel), speaking[0] if speaking else None)
    shown = MASKED if name in house.personal.get(entity, ()) else encode(value)
    rule = order if isinstance(order, str) else " before ".join(order)
    if by is None:
        return Step(kind="record", sentence=f"{entity}.{name} = {shown}; authority: {rule}")
    mapping = house.of(by.channel).inward.get(by.resource or "")
    asked = by.asked_at
    return Step(
        kind="source", where=place(mapping, name, inward=True),
        sentence=f"{entity}.{name} = {shown}: {by.channel} says so in {by.resource} {by.external_id}"
                 + (f", asked at {asked:%H:%M:%S} UTC" if asked is not None else "") + f"; authority: {rule}",
    )


def _further(rule: Mapping[str, Any]) -> list[str]:
    """What else decided a figure: the row of a cohort, what is promised of goods that come, what a step leaves over."""
    said = [f"the row of its cohort {rule['cohort']} decides"] if "cohort" in rule else []
    if "listing" in rule:
        comes = ", ".join(f"{units} on {day}" for day, units in rule["inbound"]) or "nothing"
        day = rule["available_on"]
        when = "all of it is there" if day is None else f"all of it there on {day}"
        said.append(f"listed as {rule['listing']}: what may be shown now + what comes ({comes}) - open back-orders "
                    f"({rule['back_orders']}) = {rule['publish']}, {when}")
    if "step" in rule:
        said.append(f"sold in steps of {rule['step']}: {rule['left_over']} are less than a step and not shown")
    return said


def _policy(view: View, group: Group) -> list[Step]:
    steps = []
    for rule in view.policy.get("stock", ()):
        sellable = ", ".join(f"{code} {figure}" for code, figure in rule["sellable"].items())
        reserved = ", ".join(f"{code} {figure}" for code, figure in rule["reserved"].items()) or "nothing"
        others = ", ".join(f"{name} may show {figure}" for name, figure in rule["exposed"].items()) or "none"
        steps.append(Step(kind="policy", where="policies/stock.yaml", sentence=(
            f"on hand: {sellable}; reserved: {reserved}; share {rule['share']} gives {rule['target']}; other channels: "
            f"{others}; so {rule['publish']} may be shown"
        )))
        words = [*_further(rule), *rule.get("because", ())]
        steps += [Step(kind="policy", where="policies/stock.yaml", sentence=said) for said in words]
    steps += [
        Step(kind="policy", where="policies/products.yaml", sentence=f"{place}: from the {source}")
        for place, source in view.policy.get("content", {}).items()
    ]
    if "price" in view.policy:
        steps += [Step(kind="policy", sentence=said, where=where) for said, where in sentences(view.policy["price"])]
    if view.price is not None and view.price.held is not None:
        steps.append(Step(kind="policy", sentence=f"held: {view.price.held.reason}; {view.price.held.remedy}"))
    return steps


def masked(house: House, group: Group, doc: dict[str, Any]) -> dict[str, Any]:
    """The document with ``…`` for every value whose row in the mapping reads a personal field of the entity."""
    fields = personal_rows(house, group)
    return {name: veiled(name, value, fields) for name, value in doc.items()}


def personal_rows(house: House, group: Group) -> set[str]:
    """The fields of a native document that are filled from personal fields of the entity, directly or by a `let`."""
    personal = set(house.personal.get(group.entity, ()))
    fields: set[str] = set()
    while found := {
        row.field for row in group.mapping.rows
        if row.field not in fields and personal & set(re.findall(r"[a-z_]+", row.text.replace("context.", "")))
    }:
        fields |= found
        personal |= found
    return fields


def veiled(name: str, value: Any, hidden: Set[str], known: Set[str] | None = None) -> Any:
    """The value of the field ``name``, with ``…`` for fields that are hidden and, where ``known`` is given, for values
    of fields that nobody knows."""
    if value is None or value == "":
        return value
    if name in hidden:
        return MASKED
    if isinstance(value, dict):
        return {key: veiled(key, part, hidden, known) for key, part in value.items()}
    if isinstance(value, list):
        return [veiled(name, part, hidden, known) for part in value]
    return value if known is None or name in known else MASKED


def _outward(house: House, group: Group, told: Binding, wanted: str | None) -> list[Step]:
    mapping, steps = group.mapping, []
    for name, value in masked(house, group, told.told or {}).items():
        if wanted is None or wanted == name or wanted not in (told.told or {}):
            steps.append(Step(
                kind="told", where=place(mapping, name, inward=False),
                sentence=f"{mapping.resource}.{name} = {encode(value)}",
            ))
    figure = told.kept.get(PUBLISH)
    return steps if figure is None else [*steps, Step(kind="told", sentence=f"the figure told is {figure}")]


def place(mapping: MappingFile | None, name: str, *, inward: bool) -> str:
    """file:line of the row that fills a field; the file alone when no row has that name."""
    if mapping is None:
        return ""
    rows = [row for row in mapping.rows if row.field == name]
    if not rows:
        return mapping.name
    row = rows[0] if inward else rows[-1]
    return f"{row.file}:{row.line}"


def _receipts(hops: Sequence[Hop], channel: str, entity: str) -> list[Step]:
    written = [hop for hop in hops if hop.direction == "outward" and hop.channel == channel and hop.entity == entity]
    if not written:
        return [Step(kind="receipt", sentence="the channel held this already when it was matched; nothing was written")]
    last = written[0]
    kept = last.policy.get("price") if isinstance(last.policy, dict) else None
    proven = [] if kept is None else [Step(kind="proof", sentence=proof(kept), where=f"lineage, hop {last.id}")]
    return [*proven, Step(
        kind="receipt", where=f"run {last.run}",
        sentence=f"{last.detail} applied at {last.at:%Y-%m-%d %H:%M:%S} UTC as {last.external_id}, key {last.key}",
    )]
