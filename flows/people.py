"""Who is one person: identities are found, compared, joined or put before a person, and taken apart again.

What surprises here:

* Every customer that a channel brings is an identity with a record of its own. A merge is a link between two of them:
  the person is the record of the smallest uid, computed from what all identities say. Nothing is re-pointed, so what
  comes later stays with its identity, and an undone merge leaves what would be there without it.
* At most one person is joined by itself at a time. What would make two known people one is for a person to decide.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from flows.matching import CannotBind, report_matches
from flows.regions import personal
from mappings.commerce.customers.matching import FOUND_BY, Features, Likeness, features, likeness, people
from mappings.commerce.merge import Contribution, record_values
from mappings.language import Inward
from registry import (
    Binding,
    HopRow,
    LikenessRow,
    RecordRow,
    Tx,
    binding_for,
    bindings,
    bindings_of,
    claim_keys,
    digest,
    encode,
    erased_ids,
    in_flight,
    likenesses,
    lock_records,
    mark_due,
    members,
    moment,
    new_uids,
    owners,
    put_hops,
    put_likenesses,
    put_records,
    put_traits,
    records,
    set_people,
    with_traits,
    write_audit,
)

if TYPE_CHECKING:
    from flows.consequences import Change
    from flows.ledger import Account
    from flows.wiring import House
    from flows.work import Item, Work

CUSTOMER: Final = "customer"
KEYS: Final = ("email", "phone")
"""Features that are match keys too: by them people name a customer, and two workers meet."""
MERGED: Final = "merge"
"""The direction of hops that a merge or its undoing brought."""


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


def join(
    house: House, tx: Tx, rows: Sequence[LikenessRow], *, cause: str, source: str = ""
) -> list[Change]:
    """Afterwards the two of each pair are one person; what changed of people is returned, for `follow`."""
    put_likenesses(tx, rows)
    uids = sorted({uid for row in rows for uid in row.pair})
    lock_records(tx, uids)
    same = members(tx, uids)
    everyone = sorted({uid for found in same.values() for uid in found})
    links = [(found[0], uid) for found in same.values() for uid in found] + [row.pair for row in rows]
    changes = _stand(house, tx, people(everyone, links), cause=cause, source=source)
    # What one of them refused is news to the accounts of the other: nobody knows which of them were told.
    return [replace(change, before={**(change.before or {}), "consents": []}) for change in changes]


def take_apart(
    house: House, tx: Tx, uid: str, other: str | None, *, who: str, because: str, cause: str
) -> list[Change]:
    """Afterwards no merged link leads from the identity (or between these two); each part is what it says by itself.

    Raises CannotBind when there is no such link.
    """
    linked_rows = [
        row for row in likenesses(tx, [uid], state="merged") if other is None or other in row.pair
    ]
    if not linked_rows:
        beside = likenesses(tx, members(tx, [uid])[uid], state="merged")
        links = ", ".join(f"{row.one} and {row.other} ({row.because})" for row in beside) or "none"
        to = "" if other is None else f" to {other}"
        raise CannotBind(f"no link leads from {uid}{to}; its person's links: {links}")
    put_likenesses(tx, [
        LikenessRow(one=row.one, other=row.other, state="separate", score=row.score, because=row.because, who=who,
                    reason=because)
        for row in linked_rows
    ])
    everyone = members(tx, [uid])[uid]
    lock_records(tx, everyone)
    links_left = [row.pair for row in likenesses(tx, everyone, state="merged")]
    return _stand(house, tx, people(everyone, links_left), cause=cause)


def _stand(
    house: House, tx: Tx, stands: Mapping[str, str], *, cause: str, source: str = ""
) -> list[Change]:
    """Identities stand for these people from now on; every person is computed anew from what its identities say."""
    from flows.consequences import Change

    before = {uid: record.values for uid, record in records(tx, list(stands)).items()}
    set_people(tx, stands)
    said = bindings_of(tx, list(stands), CUSTOMER)
    now = records(tx, sorted(set(stands.values())))
    rows: list[RecordRow] = []
    hops: list[HopRow] = []
    changes: list[Change] = []
    for person in sorted(set(stands.values())):
        mine = [binding for uid in sorted(stands) if stands[uid] == person for binding in said.get(uid, ())]
        found = contributions_of(mine)
        values = now[person].values
        if found:
            values = record_values(
                CUSTOMER, found, house.authority(CUSTOMER), groups=house.project.customers.survivorship
            )
        text = encode(values)
        mark = digest(text)
        if mark != now[person].hash:
            rows.append(RecordRow(uid=person, entity=CUSTOMER, values=text, hash=mark, state=now[person].state))
            hops.append(HopRow(
                uid=person, entity=CUSTOMER, channel=source or (mine[0].channel if mine else ""), direction=MERGED,
                run=cause, before_hash=now[person].hash, after_hash=mark, release=house.release_number,
            ))
        changes.append(Change(
            entity=CUSTOMER, uid=person, source=source, before=before.get(person), after=values,
        ))
    put_records(tx, rows)
    if hops:
        put_hops(tx, hops)
    return changes


def contributions_of(said: Iterable[Binding]) -> list[Contribution]:
    """What these accounts say, as the merge takes it."""
    found = []
    for binding in said:
        if binding.values_text is None:
            continue
        values, stamps = binding.values or {}, binding.changed
        moments = {name: moment(stamp) for name, stamp in stamps.items()}
        at = binding.asked_at or moments.get("$since") or moment(0)
        found.append(Contribution(
            channel=binding.channel, values=values, covers=values.keys(), asked_at=at, since=moments.pop("$since", at),
            changed=moments,
        ))
    return found


def spread(tx: Tx, changes: Sequence[Change]) -> list[Change]:
    """A change of a person as one change of each identity, so that every account on every channel hears of it.

    The account whose document changed something counts as its source; the person's others do not.
    """
    uids = {change.uid for change in changes if change.entity == CUSTOMER}
    same = members(tx, uids) if uids else {}
    if all(len(found) == 1 for found in same.values()):
        return list(changes)
    found: list[Change] = []
    for change in changes:
        if change.entity != CUSTOMER or len(same[change.uid]) == 1:
            found.append(change)
            continue
        edited = change.identity or change.uid
        found += [
            replace(change, uid=uid) if uid == edited else replace(change, uid=uid, source="", put_back=False)
            for uid in same[change.uid]
        ]
    return found


def told_elsewhere(tx: Tx, channel: str, uids: Collection[str], cause: str) -> tuple[dict[str, str], set[str]]:
    """Of identities without an account on a channel: why nothing is written for them, and which must wait.

    A person gets no second account: where another identity has one, that one is told instead; where another is being
    created, this one waits; and only the person itself is created.
    """
    same = {uid: others for uid, others in members(tx, uids).items() if len(others) > 1}
    everyone = {one for others in same.values() for one in others}
    if not everyone:
        return {}, set()
    there = binding_for(tx, channel, CUSTOMER, everyone)
    flying = in_flight(tx, channel, CUSTOMER, everyone)
    closed: dict[str, str] = {}
    waiting: set[str] = set()
    instead: set[str] = set()
    for uid, others in same.items():
        held = [one for one in others if one in there]
        if held:
            closed[uid] = "the person has another account there"
            instead.update(held)
        elif any(one in flying for one in others if one != uid):
            waiting.add(uid)
        elif uid != others[0]:
            closed[uid] = "the person is told of, not each identity"
            instead.add(others[0])
    mark_due(tx, [(channel, CUSTOMER, uid, None, False, cause) for uid in sorted(instead)])
    return closed, waiting


# ── what a person asks and decides ──────────────────────────────────────────────────────────────────────────────────
def find(tx: Tx, name: str) -> str:
    """The identity that ``name`` means: a uid, ``channel:id``, an e-mail address or a telephone number.

    Raises CannotBind when nobody is meant by it.
    """
    found = records(tx, [name])
    if name in found and found[name].entity == CUSTOMER:
        return name
    channel, colon, id = name.partition(":")
    if colon:
        there = bindings(tx, channel, [(CUSTOMER, id)]).get((CUSTOMER, id))
        if there is not None and there.uid is not None:
            return there.uid
    from mappings.commerce.customers.normalise import email, phone

    for kind, value in (("email", email(name)), ("phone", phone(name))):
        if value is not None:
            owned = owners(tx, [(CUSTOMER, kind, value)])
            if owned:
                return next(iter(owned.values()))
    raise CannotBind("nobody is known by that; name a uid, channel:id, e-mail address, or telephone number with its +")


def merge(house: House, one: str, other: str, *, who: str, because: str) -> str:
    """Joins two people by a person's word; returns the uid of the person. Raises CannotBind."""
    from flows.consequences import follow

    def work(tx: Tx) -> str:
        first, second = sorted((find(tx, one), find(tx, other)))
        if second in members(tx, [first])[first]:
            raise CannotBind("these two are one person already")
        row = LikenessRow(one=first, other=second, state="merged", score="1", because="a person said so", who=who,
                          reason=because)
        changes = join(house, tx, [row], cause=f"desk:{who}")
        follow(house, tx, changes, now=tx.now, cause="desk")
        write_audit(tx, who, f"merge customers {first} and {second}", because, None, changes[0].uid)
        return changes[0].uid

    return house.registry.attempt(work)


def split(house: House, one: str, other: str | None = None, *, who: str, because: str) -> list[str]:
    """Takes an identity out of its person, or undoes one link; returns the people there are now. Raises CannotBind."""
    from flows.consequences import follow

    def work(tx: Tx) -> list[str]:
        first = find(tx, one)
        second = None if other is None else find(tx, other)
        changes = take_apart(house, tx, first, second, who=who, because=because, cause=f"desk:{who}")
        follow(house, tx, changes, now=tx.now, cause="desk")
        write_audit(tx, who, f"split customer {first}" + (f" and {second}" if second else ""), because, None, None)
        return [change.uid for change in changes]

    return house.registry.attempt(work)


def decide(house: House, one: str, other: str, *, same: bool, who: str, because: str) -> None:
    """What a steward says of a pair: one person, or two for good. Raises CannotBind."""
    if same:
        merge(house, one, other, who=who, because=because)
        return

    def work(tx: Tx) -> None:
        first, second = sorted((find(tx, one), find(tx, other)))
        if second in members(tx, [first])[first]:
            raise CannotBind("these two are one person; `serai customer split` takes them apart")
        put_likenesses(tx, [LikenessRow(
            one=first, other=second, state="separate", score="0", because="a person said so", who=who, reason=because,
        )])
        write_audit(tx, who, f"customers {first} and {second} are two people", because, None, None)

    house.registry.attempt(work)


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
