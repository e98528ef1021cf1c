"""One person, several identities: joined by links, taken apart again, and every account told who the person is.

What surprises here: every customer that a channel brings is an identity with a record of its own. A merge is a link
between two of them: the person is the record of the smallest uid, computed from what all identities say. Nothing is
re-pointed, so what comes later stays with its identity, and an undone merge leaves what would be there without it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from flows.matching import CannotBind
from mappings.commerce.customers.matching import people
from mappings.commerce.merge import Contribution, record_values
from registry import (
    Binding,
    HopRow,
    LikenessRow,
    RecordRow,
    Tx,
    binding_for,
    bindings_of,
    digest,
    encode,
    in_flight,
    likenesses,
    lock_records,
    mark_due,
    members,
    moment,
    put_hops,
    put_likenesses,
    put_records,
    records,
    set_people,
)

if TYPE_CHECKING:
    from flows.consequences import Change
    from flows.wiring import House

CUSTOMER: Final = "customer"
MERGED: Final = "merge"
"""The direction of hops that a merge or its undoing brought."""


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
