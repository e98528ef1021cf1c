"""Which record an item of a page is about: the owner of its keys, the one our reference names, or a new one.

What surprises here: what matches several records is never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flows.identities import identities
from flows.matching import report_matches
from flows.people import CUSTOMER
from flows.pricing import told_apart, unmatched_homes
from flows.renaming import doubtful
from flows.wiring import OURS
from flows.work import Item, Work
from mappings.commerce.match import Key, keys as match_keys
from mappings.language import InwardRecord
from registry import (
    MatchKey,
    claim_keys,
    new_uids,
    own_kind,
    owners,
    rebind,
    records,
)


def identify(work: Work, entity: str, items: list[Item]) -> list[Item]:
    """Gives each unbound item its record: the owner of its keys, or a new one where the channel may create.

    What matches several records is quarantined; what matches none, on a channel without the right to create, is
    skipped and kept as a candidate for a person to bind.
    """
    if not items:
        return []
    if entity == CUSTOMER:
        before = {item.record.id: item.uid for item in items if item.uid is not None}
        taken = identities(work, items, _ours(work, entity, items))
        if any(before.get(item.record.id, item.uid) != item.uid for item in taken):
            rebind(work.tx, [work.channel])
        return taken
    country = work.house.channel(work.channel).company.country
    keys = {
        item.record.id: match_keys(entity, item.record.values, work.channel, item.record.id, country=country)
        for item in items
    }
    owned = owners(work.tx, [(entity, kind, value) for pairs in keys.values() for kind, value in pairs])
    ours = _ours(work, entity, items)
    each = told_apart(work.house.of(work.channel).outward.get("price"))
    if entity == "price" and not each and not work.house.may_create(work.channel, entity):
        owned |= _prices_of_lists(work, items, keys, owned)
    may_create = work.house.may_create(work.channel, entity)
    matched: list[Item] = []
    unmatched: list[InwardRecord] = []
    before = {item.record.id: item.uid for item in items if item.uid is not None}
    hits_of = {
        id: list(dict.fromkeys(owned[entity, kind, value] for kind, value in pairs if (entity, kind, value) in owned))
        for id, pairs in keys.items()
    } if owned else {}
    doubts = doubtful(work, entity, {
        id: (hits[0], {pair for pair in keys[id] if (entity, *pair) in owned})
        for id, hits in hits_of.items() if len(hits) == 1
    })
    for item in items:
        id = item.record.id
        hits = hits_of.get(id, ())
        if id in ours:
            item.uid = ours[id]
            matched.append(item)
        elif len(hits) > 1:
            work.account.count(entity, "quarantined", reason="its keys belong to several records")
            unmatched.append(item.record)
        elif id in doubts:
            work.account.count(entity, "quarantined", reason=doubts[id])
            unmatched.append(item.record)
        elif hits:
            item.uid = hits[0]
            matched.append(item)
        elif may_create:
            item.new = True
            matched.append(item)
        else:
            work.account.count(entity, "skipped", reason="unmatched: `serai match` lists it for a person to bind")
            unmatched.append(item.record)
    if unmatched:
        report_matches(work.house, work.tx, work.channel, entity, unmatched)
    new = [item for item in matched if item.new]
    for item, uid in zip(new, new_uids(len(new)), strict=True):
        item.uid = uid
    if own_kind(entity) is None:
        _claim(work, entity, matched, keys, owned)
    else:
        _meet(entity, new, keys, owned)
    work.known.update({(entity, item.record.id): str(item.uid) for item in matched})
    if before and any(before.get(item.record.id, item.uid) != item.uid for item in matched):
        rebind(work.tx, [work.channel])
    if matched:
        work.matched[entity] = [item.record.id for item in matched]
    return matched


def _meet(
    entity: str, new: Sequence[Item], keys: Mapping[str, list[Key]], owned: dict[MatchKey, str]
) -> None:
    """What is nothing but a meeting of others has one key, in its record: two documents of a page may be about one."""
    for item in new:
        for kind, value in keys[item.record.id]:
            item.key = value
            uid = owned.setdefault((entity, kind, value), str(item.uid))
            if uid != item.uid:
                item.uid, item.new = uid, False


def _claim(
    work: Work, entity: str, matched: Sequence[Item], keys: Mapping[str, list[Key]], owned: Mapping[MatchKey, str]
) -> None:
    """Free keys are their record's afterwards; another worker, or this page, may have been first with one."""
    claims = [
        (entity, kind, value, str(item.uid)) for item in matched for kind, value in keys[item.record.id]
        if owned.get((entity, kind, value), item.uid) == item.uid
    ]
    winners = claim_keys(work.tx, claims) if claims else {}
    for item in matched:
        for kind, value in keys[item.record.id] if item.new and winners else ():
            winner = winners.get((entity, kind, value))
            if winner is not None and winner != item.uid:
                item.uid, item.new = winner, False
                break


def _prices_of_lists(
    work: Work, items: Sequence[Item], keys: Mapping[str, list[Key]],
    owned: Mapping[MatchKey, str],
) -> dict[MatchKey, str]:
    """What a channel shows as the price of a list that has no usual one, only dated ones, is about the list's home."""
    lost = {
        (str(item.record.values["variant"]), str(item.record.values["list"])): pair for item in items
        for pair in keys[item.record.id] if ("price", *pair) not in owned
    }
    return {("price", *lost[place]): uid for place, uid in unmatched_homes(work.tx, lost).items()}


def _ours(work: Work, entity: str, items: Sequence[Item]) -> dict[str, str]:
    """External id → record, of documents that carry our reference: it names the record by itself.

    The platform may tell of what we created before its answer to us was read or kept, and may remember it after a
    registry was put back from a copy; without this such a document would make a second record.
    """
    named: dict[str, str] = {}
    if not work.house.carries_ours(work.channel, work.resource, entity):
        return named
    for item in items:
        key = work.house.our_reference(work.channel, work.resource, entity, work.docs[item.record.doc])
        if key is not None:
            named[item.record.id] = key.removeprefix(OURS)[:32]
    there = records(work.tx, list(named.values())) if named else {}
    return {id: there[uid].uid for id, uid in named.items() if uid in there and there[uid].entity == entity}
