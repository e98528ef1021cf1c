"""Events of points that were taken back: in which order the keeper hears of an event and of its reversal.

What surprises here: a reversal that overtook its event would give back nothing and then the event would take. So it
waits until its event is known to have arrived. One that was never sent when it is taken back never is; one that was
sent and not found is sent again, under its own number, since the first may still arrive: only then is it given back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from flows.consenting import Stop
from flows.wiring import not_there
from mappings.commerce.customers.loyalty import reversed_by
from registry import Tx, binding_for, outbox_rows, owners

if TYPE_CHECKING:
    from flows.render import View
    from flows.routes import Group

EVENT: Final = "loyalty_event"
MOVING: Final = ("decided", "sent", "accepted", "unknown")
"""States of a write that may have arrived, or may still."""
TAKEN_BACK: Final = "it was taken back before it was sent"
NOTHING_TAKEN: Final = "what it takes back never arrived"


def taken_back(
    tx: Tx, channel: str, group: Group, seen: Mapping[str, View], attempts: Mapping[str, int]
) -> dict[str, Stop]:
    """uid → why an event is not written now; ``attempts``: how often each was sent. A constant number of statements.

    An event that was never sent is dropped when its reversal is there; a reversal waits while its event may still
    arrive, and is dropped when that did not.
    """
    if group.entity != EVENT or group.base != EVENT:
        return {}
    numbers = {uid: str(view.values["number"]) for uid, view in seen.items()}
    backs = {uid: str(view.values["reverses"]) for uid, view in seen.items() if view.values.get("reverses") is not None}
    wanted = {reversed_by(one) for one in numbers.values()} | set(backs.values())
    owned = {key[2]: uid for key, uid in owners(tx, [(EVENT, "number", one) for one in sorted(wanted)]).items()}
    of = {uid: owned[one] for uid, one in backs.items() if one in owned}
    told = binding_for(tx, channel, EVENT, {*seen, *of.values()})
    arrived = {uid for uid, one in told.items() if one.told is not None}
    moving = {
        row.uid for row in outbox_rows(tx, channel, EVENT, uids=sorted(set(of.values())), states=(*MOVING, "due"))
        if row.attempt > 0 or row.uid not in attempts
    } if of else set()
    found = {
        uid: Stop(kind="refused", because=TAKEN_BACK) for uid, one in numbers.items()
        if reversed_by(one) in owned and uid not in arrived and attempts.get(uid, 0) == 0
    }
    for uid, event in of.items():
        if event in moving:
            found[uid] = Stop(kind="waits", because=not_there(EVENT, channel))
        elif event not in arrived:
            found[uid] = Stop(kind="refused", because=NOTHING_TAKEN)
    return found
