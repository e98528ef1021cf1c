"""Who the customers of a page are: identities of their own, compared with all others, joined or put before a person.

What surprises here: at most one person is joined by itself at a time. What would make two known people one is for a
person to decide; and who was erased is not taken in again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from flows.matching import report_matches
from flows.people import CUSTOMER, join
from flows.regions import personal
from mappings.commerce.customers.matching import FOUND_BY, Features, Likeness, features, likeness
from mappings.language import Inward
from registry import (
    Binding,
    LikenessRow,
    Tx,
    bindings_of,
    claim_keys,
    erased_ids,
    likenesses,
    members,
    new_uids,
    owners,
    put_likenesses,
    put_traits,
    with_traits,
)

if TYPE_CHECKING:
    from flows.consequences import Change
    from flows.ledger import Account
    from flows.wiring import House
    from flows.work import Item, Work

KEYS: Final = ("email", "phone")
"""Features that are match keys too: by them people name a customer, and two workers meet."""


def identities(work: Work, items: Sequence[Item], ours: Mapping[str, str]) -> list[Item]:
    """Gives each unbound item an identity of its own; who else it is, `settle` finds out once it is stored.

    An item that carries our reference is the identity that it was made from. On a channel without the right to create,
    what nobody knows is skipped and kept as a candidate.
    """
    house, channel = work.house, work.channel
    policy, country = house.project.customers.match, house.channel(channel).company.country
    taken: list[Item] = []
    unknown: list[Item] = []
    known: set[str] = set()
    if not house.may_create(channel, CUSTOMER):
        keys = {item.record.id: _keys(features(item.record.values, policy, country)) for item in items}
        owned = owners(work.tx, [(CUSTOMER, *pair) for pairs in keys.values() for pair in pairs])
        known = {id for id, pairs in keys.items() if any((CUSTOMER, *pair) in owned for pair in pairs)}
        known |= {item.record.id for item in items if item.uid is not None}
    for item in items:
        if item.record.id in ours:
            item.uid = ours[item.record.id]
        elif item.uid is None and (item.record.id in known or house.may_create(channel, CUSTOMER)):
            item.new = True
        if item.uid is None and not item.new:
            work.account.count(CUSTOMER, "skipped", reason="unmatched: `serai match` lists it for a person to bind")
            unknown.append(item)
        else:
            taken.append(item)
    if unknown:
        report_matches(house, work.tx, channel, CUSTOMER, [item.record for item in unknown])
    new = [item for item in taken if item.new]
    for item, uid in zip(new, new_uids(len(new)), strict=True):
        item.uid = uid
    for item in taken:
        work.known[CUSTOMER, item.record.id] = str(item.uid)
    if taken:
        work.matched[CUSTOMER] = [item.record.id for item in taken]
    return taken


def forgotten(house: House, tx: Tx, channel: str, account: Account, result: Inward) -> tuple[Inward, set[int], int]:
    """The page without what was erased: customers left out, other records without the person.

    Returns the documents that must not be kept, too, and how many items were left out (they are counted as skipped).
    """
    told = {(record.entity, record.id) for record in result.records if personal(record.entity)}
    told |= {(fault.entity, fault.id) for fault in result.faults if fault.id is not None and personal(fault.entity)}
    gone = erased_ids(tx, channel, told) if told else set()
    if not gone:
        return result, set(), 0
    keep = house.project.customers.erasure.keep
    silent: set[int] = set()
    kept = []
    for record in result.records:
        if (record.entity, record.id) in gone:
            silent.add(record.doc)
            if record.entity == CUSTOMER:
                continue
            for name in personal(record.entity) - set(keep.get(record.entity, ())):
                record.values.pop(name, None)
        kept.append(record)
    faults = [fault for fault in result.faults if (fault.entity, fault.id) not in gone]
    left_out = len({(fault.entity, fault.id) for fault in result.faults}) - len({(f.entity, f.id) for f in faults})
    left_out += len(result.records) - len(kept)
    account.count(CUSTOMER, "skipped", left_out, reason="erased: nothing of this person is taken in again")
    return Inward(records=kept, faults=faults, skips=result.skips), silent, left_out


@dataclass(kw_only=True)
class _Known:
    """What is known of the identities that are compared: their features, and whose person they are."""

    features: dict[str, list[Features]] = field(default_factory=dict)
    same: dict[str, list[str]] = field(default_factory=dict)

    def person(self, uid: str) -> str:
        """The person an identity stands for."""
        return self.same[uid][0] if uid in self.same else uid

    def alike(self, one: str, other: str, work: Work) -> Likeness:
        """How alike two identities are: the best of what any of their accounts says."""
        policy = work.house.project.customers.match
        found = [likeness(a, b, policy) for a in self.features.get(one, ()) for b in self.features.get(other, ())]
        return max(found, key=lambda each: each.score, default=likeness({}, {}, policy))


def settle(work: Work) -> None:
    """Compares the page's customers with all others that share a trait; joins the one they are, notes the doubtful.

    Afterwards ``work.changes`` speaks of people: of those that were joined the survivor's change is there. A constant
    number of statements.
    """
    uids = sorted(work.people)
    if not uids:
        return
    tx = work.tx
    known = _Known(features=_features(work.house, bindings_of(tx, uids, CUSTOMER)))
    pairs = {uid: {pair for one in known.features.get(uid, ()) for pair in _traits(one)} for uid in uids}
    put_traits(tx, pairs)
    keys = [(CUSTOMER, kind, value, uid) for uid, found in pairs.items() for kind, value in found if kind in KEYS]
    owned = claim_keys(tx, keys) if keys else {}
    sharing = with_traits(tx, {pair for found in pairs.values() for pair in found})
    for (_, kind, value), owner in owned.items():        # who was first with a key may not be found by it any more
        sharing.setdefault((kind, value), []).append(owner)
    candidates: dict[str, dict[str, int]] = {uid: {} for uid in uids}
    for uid, found in pairs.items():
        for pair in found:
            for other in sharing.get(pair, ()):
                if other != uid:
                    rank = FOUND_BY.index(pair[0])
                    candidates[uid][other] = min(rank, candidates[uid].get(other, rank))
    others = {other for found in candidates.values() for other in found}
    if not others:
        return
    known.same = members(tx, {*uids, *others})
    everyone = {uid for same in known.same.values() for uid in same}
    known.features = _features(work.house, bindings_of(tx, everyone, CUSTOMER))
    noted = {row.pair: row for row in likenesses(tx, everyone)}
    joins, doubts = _verdicts(work, known, candidates, noted)
    if doubts:
        put_likenesses(tx, doubts)
    if joins:
        gone = {uid for row in joins for uid in row.pair}
        changes = join(work.house, tx, joins, cause=work.account.run, source=work.channel)
        _speak_of_people(work, changes, gone)


def _verdicts(
    work: Work, known: _Known, candidates: Mapping[str, Mapping[str, int]],
    noted: Mapping[tuple[str, str], LikenessRow],
) -> tuple[list[LikenessRow], list[LikenessRow]]:
    """The pairs to join, at most one per identity, and those a person must look at."""
    joins: list[LikenessRow] = []
    doubts: list[LikenessRow] = []
    joined: dict[str, str] = {}

    def person(uid: str) -> str:
        found = known.person(uid)
        while found in joined:
            found = joined[found]
        return found

    def said(one: str, other: str) -> set[str]:
        """What is noted of any two identities of these people."""
        return {row.state for row in noted.values() if {person(row.one), person(row.other)} == {one, other}}

    for uid, found in sorted(candidates.items()):
        ranked = sorted(
            ((known.alike(uid, other, work), rank, other) for other, rank in found.items()),
            key=lambda each: (-each[0].score, each[1], each[2]),
        )
        chosen = False
        asked = {person(uid)}
        for alike, _, other in ranked:
            mine, theirs = person(uid), person(other)
            if theirs in asked or alike.verdict == "separate" or "separate" in said(mine, theirs):
                continue
            asked.add(theirs)
            row = LikenessRow(one=min(uid, other), other=max(uid, other), state="merged", score=str(alike.score),
                              because=alike.because)
            if alike.verdict == "merge" and not chosen:
                chosen = True
                joins.append(row)
                first, second = sorted((mine, theirs))
                joined[second] = first
                asked.add(first)
            elif "open" not in said(mine, theirs):
                because = alike.because if alike.verdict == "review" else f"{alike.because}, as somebody else has"
                doubts.append(_open(row, because))
    return joins, doubts


def _open(row: LikenessRow, because: str) -> LikenessRow:
    return LikenessRow(one=row.one, other=row.other, state="open", score=row.score, because=because)


def _speak_of_people(work: Work, changes: Sequence[Change], joined: Collection[str]) -> None:
    """The page's own changes of identities that were joined give way to those of the people they are."""
    said = {change.uid: change for change in work.changes if change.entity == CUSTOMER}
    survivors = {change.uid for change in changes}
    work.changes[:] = [
        change for change in work.changes
        if change.entity != CUSTOMER or (change.uid not in joined and change.uid not in survivors)
    ]
    for change in changes:
        mine = [said[uid] for uid in sorted(joined) if uid in said]
        first = next((one for one in mine if not one.bound), mine[0] if mine else None)
        work.changes.append(change if first is None else replace(
            change, bound=first.bound, identity=first.identity or first.uid
        ))


def _features(house: House, said: Mapping[str, Sequence[Binding]]) -> dict[str, list[Features]]:
    """Identity → what can be compared of each of its accounts."""
    policy = house.project.customers.match
    return {
        uid: [
            features(binding.values or {}, policy, _country(house, binding.channel))
            for binding in found if binding.values_text is not None
        ]
        for uid, found in said.items()
    }


def _country(house: House, channel: str) -> str | None:
    row = house.project.channels.get(channel)
    return None if row is None else row.company.country


def _traits(found: Features) -> set[tuple[str, str]]:
    return {(kind, found[kind]) for kind in FOUND_BY if kind in found}


def _keys(found: Features) -> list[tuple[str, str]]:
    return [(kind, found[kind]) for kind in KEYS if kind in found]
