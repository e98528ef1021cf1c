"""First contact: what of a channel matches which records, as a report that a person accepts before anything is bound.

What surprises here: nothing is bound by likeness. Exact keys may be accepted in one go; a fuzzy or ambiguous candidate
is bound by a person, one by one. `accept_exact` is also the consent that Serai may create, on that channel, records
which the channel does not have yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flows.accounts import Bound, linked_accounts
from flows.wiring import House, not_there
from mappings.commerce.customers.matching import features
from mappings.commerce.match import Key, classify, keys as match_keys
from mappings.language import InwardRecord
from registry import (
    BindingRow,
    CandidateRow,
    Tx,
    bindings,
    candidates,
    consent,
    drop_candidates,
    members,
    owners,
    put_bindings,
    put_candidates,
    rebind,
    records,
    records_where,
    wake,
)

COMPARED = ("product", "variant", "customer")
"""Entities whose names are worth comparing; others match by exact key or not at all."""


class CannotBind(Exception):
    """What a person asked to bind does not exist or is something else. The message says what there is."""


def report_matches(house: House, tx: Tx, channel: str, entity: str, items: Sequence[InwardRecord]) -> None:
    """Files each item as exact, ambiguous, fuzzy or none; an item that is bound already is left out."""
    bound = bindings(tx, channel, [(entity, item.id) for item in items])
    items = [item for item in items
             if (entity, item.id) not in bound or bound[entity, item.id].state != "live"]
    found = {item.id: _keys(house, entity, item.values, channel, item.id) for item in items}
    owned = {
        (kind, value): uid for (_, kind, value), uid in owners(
            tx, [(entity, kind, value) for pairs in found.values() for kind, value in pairs]
        ).items()
    }
    unknown = any(not any(pair in owned for pair in pairs) for pairs in found.values())
    names = _names(tx, entity) if unknown and entity in COMPARED else {}
    rows = []
    for item in items:
        match = classify(found[item.id], owned, label=_label(item.values), candidates=names)
        rows.append(CandidateRow(
            channel=channel, entity=entity, external_id=item.id, kind=match.kind,
            uid=next(iter(match.uids), None), label=_label(item.values), score=match.score, values=item.values,
        ))
    if rows:
        put_candidates(tx, rows)


def matchable(house: House, tx: Tx, channel: str, entities: Sequence[str]) -> list[str]:
    """External ids of candidates that matched nothing when they were read, and whose key has an owner now."""
    keys = {
        (row.entity, row.external_id): _keys(
            house, row.entity, row.values if isinstance(row.values, dict) else {}, channel, row.external_id
        )
        for row in candidates(tx, channel, kinds=("none", "fuzzy")) if row.entity in entities
    }
    wanted = {(entity, kind, value) for (entity, _), pairs in keys.items() for kind, value in pairs}
    owned = owners(tx, list(wanted)) if wanted else {}
    return [
        id for (entity, id), pairs in keys.items() if any((entity, kind, value) in owned for kind, value in pairs)
    ]


def _keys(house: House, entity: str, values: Mapping[str, Any], channel: str, id: str) -> list[Key]:
    """The document's match keys; of a customer only addresses and numbers of the person's own."""
    country = house.channel(channel).company.country
    if entity != "customer":
        return match_keys(entity, values, channel, id, country=country)
    known = features(values, house.project.customers.match, country)
    return [(kind, known[kind]) for kind in ("email", "phone") if kind in known]


def _names(tx: Tx, entity: str) -> dict[str, str]:
    """uid → name of every record of an entity."""
    names: dict[str, str] = {}
    after = ""
    while page := records_where(tx, entity, after, 1000):
        names.update({record.uid: record.values.get("name") or "" for record in page})
        after = page[-1].uid
    return names


def _label(values: Mapping[str, Any]) -> str:
    return values.get("name") or values.get("sku") or values.get("number") or ""


def accept_exact(house: House, channel: str | None, who: str) -> dict[tuple[str, str], int]:
    """Binds every exact candidate and notes the consent to create what a channel lacks; {(channel, entity): bound}."""
    names = [channel] if channel is not None else list(house.project.channels)

    def work(tx: Tx) -> dict[tuple[str, str], int]:
        bound: dict[tuple[str, str], int] = {}
        for name in names:
            row = house.channel(name)
            exact = [c for c in candidates(tx, name) if c.kind == "exact" and c.uid is not None]
            put_bindings(tx, [_binding(c.channel, c.entity, c.external_id, str(c.uid)) for c in exact
                              if c.entity != "customer"])
            put_bindings(tx, linked_accounts(tx, [
                Bound(channel=name, external_id=c.external_id, to=str(c.uid),
                      values=c.values if isinstance(c.values, dict) else {})
                for c in exact if c.entity == "customer"
            ], who=who, because="the same address or number, accepted at first contact"))
            for entity in dict.fromkeys((*row.entities, *(c.entity for c in exact))):
                mine = [c.external_id for c in exact if c.entity == entity]
                consent(tx, name, entity, who)
                drop_candidates(tx, name, entity, mine)
                bound[name, entity] = len(mine)
            wake(tx, channel=name)
        rebind(tx, names)
        return bound

    return house.registry.attempt(work)


def bind(
    house: House, channel: str, external_id: str, record: str, *, entity: str | None = None, who: str = ""
) -> str:
    """Binds one document of a channel to a record, named by uid or by SKU, code, e-mail; returns the entity.

    Raises CannotBind naming what there is instead.
    """
    carried = house.channel(channel).entities
    if entity is not None and entity not in carried:
        raise CannotBind(f"{channel} carries no {entity!r}; it carries {', '.join(carried)}")

    def work(tx: Tx) -> str:
        found_here = [c for c in candidates(tx, channel) if c.external_id == external_id]
        wanted = entity or (found_here[0].entity if found_here else "variant")
        found = records(tx, [record])
        uid = record if record in found and found[record].entity == wanted else None
        if uid is None:
            for kind in ("sku", "code", "gtin", "email"):
                uid = owners(tx, [(wanted, kind, record)]).get((wanted, kind, record), uid)
        if uid is None:
            raise CannotBind(f"no {wanted} has the uid, SKU, code or e-mail {record!r}; `serai match` lists candidates")
        there = bindings(tx, channel, [(wanted, external_id)]).get((wanted, external_id))
        held = None if there is None or there.state != "live" else there.uid
        if held is not None and held not in (members(tx, [uid])[uid] if wanted == "customer" else [uid]):
            raise CannotBind(f"{channel} {wanted} {external_id} is bound to record {held} already")
        if wanted != "customer":
            put_bindings(tx, [_binding(channel, wanted, external_id, uid)])
        elif held is None:
            values = next((c.values for c in found_here if c.entity == wanted and isinstance(c.values, dict)), {})
            account = Bound(channel=channel, external_id=external_id, to=uid, values=values)
            put_bindings(tx, linked_accounts(tx, [account], who=who, because="a person bound the account"))
        rebind(tx, [channel])
        drop_candidates(tx, channel, wanted, [external_id])
        wake(tx, channel=channel, reason=not_there(wanted, channel))
        return wanted

    return house.registry.attempt(work)


def _binding(channel: str, entity: str, external_id: str, uid: str) -> BindingRow:
    """A binding that knows the record and nothing else yet: the next read brings what the channel says."""
    return BindingRow(channel=channel, entity=entity, external_id=external_id, uid=uid, state="live")
