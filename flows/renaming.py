"""Match keys that change: a renamed article is found by its new SKU, and its old one is free for another.

What surprises here: a key that a rename has superseded is not a key any more, but only once nobody knows the record by
it. Until every channel that is read says the new one, a new document with the old SKU is neither the renamed article
nor surely another: it is quarantined, and taken when it is read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from flows.work import Item, Work
from mappings.commerce.match import Key, keys as match_keys
from registry import Binding, binding_for, bindings_of, claim_keys, drop_keys, owners

RENAMED: Final = ("product", "variant", "location")
"""Entities whose keys are names that people give and change."""
STILL_KNOWN: Final = "its key was another record's, and a channel still knows that one by it"
TWICE: Final = "the channel says its key of two documents"


def renew_keys(work: Work, entity: str, edited: Sequence[Item]) -> None:
    """Afterwards records are found by the keys their documents say now; what nobody says any more is nobody's key.

    A new key that is another record's moves where the channel may make records, else it stays. A constant number of
    statements where something was renamed, else none.
    """
    if entity not in RENAMED:
        return
    gained: list[tuple[str, str, str, str]] = []
    lost: dict[Key, str] = {}
    said_now: dict[str, set[Key]] = {}
    for item in edited:
        old = {} if item.binding is None or item.binding.values is None else item.binding.values
        before = _keys(work, entity, old, item.record.id)
        after = _keys(work, entity, {**old, **item.record.values}, item.record.id)
        said_now[item.record.id] = after
        if item.uid is not None and before != after and item.binding is not None:
            gained += [(entity, kind, value, item.uid) for kind, value in after - before]
            lost.update(dict.fromkeys(before - after, item.uid))
    if not lost:
        return
    owned = owners(work.tx, [(entity, kind, value) for kind, value in {*lost, *((row[1], row[2]) for row in gained)}])
    others = bindings_of(work.tx, sorted(set(lost.values())), entity)
    gone = {
        (entity, *key) for key, uid in lost.items() if owned.get((entity, *key)) == uid
        and not any(_knows(work, one, key, said_now) for one in others.get(uid, ()))
    }
    if work.house.may_create(work.channel, entity):     # what its own document says last is what it is called
        gone |= {row[:3] for row in gained if owned.get(row[:3], row[3]) != row[3]}
    drop_keys(work.tx, gone)
    claim_keys(work.tx, gained)


def doubtful(work: Work, entity: str, hits: dict[str, tuple[str, set[Key]]]) -> dict[str, str]:
    """External id → why a new document is not taken for the one record (uid, keys that lead there) of its keys.

    That record has a document of this channel already: it was renamed and the key is not free yet, or, on a channel
    that makes records, both say the same. One statement where there are such entities.
    """
    if entity not in RENAMED or not hits:
        return {}
    there = binding_for(work.tx, work.channel, entity, sorted({uid for uid, _ in hits.values()}))
    found: dict[str, str] = {}
    for id, (uid, keys) in hits.items():
        one = there.get(uid)
        if one is None or one.external_id == id or one.values is None:
            continue
        if not keys & _keys(work, entity, one.values, one.external_id):
            found[id] = STILL_KNOWN
        elif work.house.may_create(work.channel, entity):
            found[id] = TWICE
    return found


def _knows(work: Work, one: Binding, key: Key, said_now: dict[str, set[Key]]) -> bool:
    """Whether an account of the record still says the key, or goes by it."""
    if one.external_id == key[1]:
        return True
    if one.channel == work.channel and one.external_id in said_now:
        return key in said_now[one.external_id]
    return one.values is not None and key in _keys(work, one.entity, one.values, one.external_id)


def _keys(work: Work, entity: str, values: dict[str, Any], id: str) -> set[Key]:
    return set(match_keys(entity, values, work.channel, id))
