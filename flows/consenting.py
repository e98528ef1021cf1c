"""A refusal reaches every channel before anything is advertised to the person; nobody is reached who did not agree.

What surprises here: a refusal that channels have not confirmed is a row of its own, made in the transaction that
accepted it. While one is there, whatever advertises to the person waits, on every channel; the confirmation of the last
channel wakes it, and then it is judged anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from mappings.commerce.customers.consent import MARKETING, may_reach, stricter
from mappings.commerce.customers.matching import reachable_email, reachable_phone
from mappings.commerce.customers.offers import ENDED
from registry import Tx, binding_for, mark_due, members, opt_outs, put_opt_outs, records, told_opt_outs, wake

if TYPE_CHECKING:
    from flows.consequences import Change
    from flows.render import View
    from flows.routes import Group
    from flows.wiring import House

ADVERTISES: Final = ("interaction", "offer")
"""Entities whose writes may be marketing."""
ELSEWHERE: Final = "it does not hold there, and never did"
ON_ITS_WAY: Final = "a refusal is on its way to a channel: nothing is advertised until it is there"


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Why a marketing write does not go out: it ``waits`` for a refusal, comes ``later``, or is ``refused``."""

    kind: Literal["waits", "later", "refused"]
    because: str
    until: datetime | None = None


def note_refusals(house: House, tx: Tx, changes: Sequence[Change]) -> None:
    """Afterwards every account on a channel that can hold consents, and must hear of a new refusal, is noted.

    The account that said so itself need not hear it. Channels whose mapping reads no consents cannot be told: to them
    nothing is advertised either, since consent is asked for at each write.
    """
    refused = [change for change in changes if change.entity == "customer" and stricter(
        (change.before or {}).get("consents") or [], change.after.get("consents") or [])]
    if not refused:
        return
    uids = {change.uid for change in refused}
    said = {(change.uid, change.source) for change in refused}
    rows = []
    for channel in house.project.channels.values():
        group = house.of(channel.name).outward.get("customer") if "customer" in channel.receives else None
        if group is not None and "consents" in group.mapping.outward_needs.get("customer", ()):
            there = binding_for(tx, channel.name, group.name, uids)
            rows += [(uid, channel.name) for uid in there if (uid, channel.name) not in said]
    put_opt_outs(tx, rows)


def confirmed(tx: Tx, channel: str, uids: Collection[str]) -> None:
    """The channel holds what these customers said; afterwards what waited for that alone is due again."""
    if uids and told_opt_outs(tx, channel, uids) > 0:
        wake(tx, reason=ON_ITS_WAY)


def confirmed_by(tx: Tx, channel: str, written: Mapping[str, View | None]) -> None:
    """The channel took these writes; a refusal counts as told where what was written is what the person says now.

    What was rendered before the refusal came, or by somebody who is gone, is looked at once more.
    """
    now = records(tx, list(written))
    sure = {uid for uid, view in written.items() if view is not None and uid in now
            and (view.values.get("consents") or []) == (now[uid].values.get("consents") or [])}
    confirmed(tx, channel, sure)
    unsure = {uid for uid, of in opt_outs(tx, written.keys() - sure) if of == channel}
    mark_due(tx, [(channel, "customer", uid, None, False, None) for uid in sorted(unsure)])


def stops(
    house: House, tx: Tx, channel: str, group: Group, seen: Mapping[str, View], now: datetime
) -> dict[str, Stop]:
    """uid → why it is not written, of what would advertise. A constant number of statements.

    An offer to a segment waits while any refusal is on its way, unless it ends; a message with the purpose marketing
    while one of its person is, and it is refused without agreement, in quiet hours comes later, and goes to no address
    that forwards or is shared.
    """
    if group.entity not in ADVERTISES or group.base != group.entity:
        return {}
    if group.entity == "offer":
        return _offers(tx, channel, group, seen)
    mine = records(tx, list(seen))
    messages = {uid: record.values for uid, record in mine.items() if _advertises(record.values)}
    if not messages:
        return {}
    customers = {values["customer"] for values in messages.values() if values.get("customer") is not None}
    people = records(tx, customers)
    same = members(tx, customers)
    pending = {uid for uid, _ in opt_outs(tx, {uid for found in same.values() for uid in found})}
    return {
        uid: stop for uid, values in messages.items()
        if (stop := _stop(house, channel, values, people, same, pending, now)) is not None
    }


def _offers(tx: Tx, channel: str, group: Group, seen: Mapping[str, View]) -> dict[str, Stop]:
    ended = {uid for uid, view in seen.items() if view.values.get("state") == ENDED}
    untold = ended - {uid for uid, one in binding_for(tx, channel, group.name, ended).items() if one.told is not None}
    aimed = {uid for uid, view in seen.items() if view.values.get("segment") is not None} - ended
    waits = aimed if aimed and opt_outs(tx) else set()
    return {
        **dict.fromkeys(waits, Stop(kind="waits", because=ON_ITS_WAY)),
        **dict.fromkeys(untold, Stop(kind="refused", because=ELSEWHERE)),
    }


def _advertises(values: Mapping[str, Any]) -> bool:
    return values.get("purpose") == MARKETING and values.get("direction") != "in"


def _stop(
    house: House, channel: str, message: Mapping[str, Any], people: Mapping[str, Any],
    same: Mapping[str, Sequence[str]], pending: Set[str], now: datetime,
) -> Stop | None:
    customer, means = message.get("customer"), message.get("means")
    if customer is None or customer not in people or means is None:
        return Stop(kind="refused", because="marketing that names neither person nor means is not sent")
    if pending & set(same[customer]):
        return Stop(kind="waits", because=ON_ITS_WAY)
    values = people[customer].values
    policy, company = house.project.customers, house.channel(channel).company
    if means == "email" and reachable_email(values, policy.match) is None:
        return Stop(kind="refused", because="there is no e-mail address of the person's own")
    if means in ("call", "sms", "messenger") and reachable_phone(values, policy.match, company.country) is None:
        return Stop(kind="refused", because="there is no telephone number of the person's own")
    answer = may_reach(
        values.get("consents") or [], MARKETING, channel, means, now, company.zone, policy.purposes.get(MARKETING)
    )
    if answer.allowed:
        return None
    return Stop(kind="refused" if answer.until is None else "later", because=answer.because, until=answer.until)
