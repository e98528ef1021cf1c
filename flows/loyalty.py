"""Points and gift cards: events go to the one channel that keeps them; a redemption counts when that confirms it.

What surprises here: a till waits for the answer. No answer is a refusal: what was not sent is withdrawn, and what may
have arrived is taken back by an event of its own, under a number that follows from the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from connectors.base import ConnectorError, Misconfigured
from flows.push import push
from flows.wiring import House, moment_text
from mappings.commerce.customers.loyalty import REDEEM, hopeless, number, reversal
from registry import (
    RecordRow,
    Tx,
    binding_for,
    claim_keys,
    close_outbox,
    encode,
    mark_due,
    new_uids,
    outbox_rows,
    owners,
    put_records,
    records,
    unpark,
)

EVENT: Final = "loyalty_event"
SENT: Final = ("sent", "accepted", "unknown", "decided")


@dataclass(frozen=True, kw_only=True)
class Redemption:
    """Whether the keeper took it, under which number, and why not."""

    number: str
    accepted: bool
    because: str = ""


def redeem(
    house: House, account: str, *, channel: str, reference: str, points: Decimal | None = None,
    amount: Mapping[str, str] | None = None,
) -> Redemption:
    """Asks the keeper to take points or an amount off an account, for a receipt or order of a channel.

    Asking again for the same (account, channel, reference) gives the same answer and takes nothing twice. Raises
    Misconfigured when no channel keeps points.
    """
    keeper = keeper_of(house)
    event: dict[str, Any] = {
        "number": number(REDEEM, account, channel, reference), "kind": REDEEM, "account": account,
        "at": moment_text(house.registry.now()), **({} if points is None else {"points": format(points, "f")}),
        **({} if amount is None else {"amount": dict(amount)}),
    }

    def begin(tx: Tx) -> tuple[str, str | None]:
        known = owners(tx, [(EVENT, "number", event["number"])]).get((EVENT, "number", event["number"]))
        if known is not None:
            return known, None
        card = owners(tx, [("gift_card", "code", account)]).get(("gift_card", "code", account))
        why = hopeless(event, None if card is None else records(tx, [card])[card].values)
        return ("", why) if why is not None else (_make(tx, keeper, event), None)

    uid, why = house.registry.attempt(begin)
    if why is not None:
        return Redemption(number=event["number"], accepted=False, because=why)
    trouble = ""
    try:
        push(house, keeper, EVENT)
    except ConnectorError as fault:
        trouble = type(fault).__name__
    return house.registry.attempt(lambda tx: _outcome(house, tx, keeper, uid, event, trouble))


def reverse(house: House, of: str) -> str:
    """Takes an event back, named by its number; returns the number of the reversal, the same however often."""
    keeper = keeper_of(house)

    def work(tx: Tx) -> str:
        uid = owners(tx, [(EVENT, "number", of)]).get((EVENT, "number", of))
        if uid is None:
            raise Misconfigured(f"no event has the number {of!r}")
        return _take_back(house, tx, keeper, records(tx, [uid])[uid].values)

    return house.registry.attempt(work)


def keeper_of(house: House) -> str:
    """The channel that keeps points and cards. Raises Misconfigured where none does, or it cannot be told."""
    keeper = house.project.customers.loyalty
    if keeper is None:
        raise Misconfigured("policies/customers.yaml names no keeper of points: `loyalty: {authority: CHANNEL}`")
    if EVENT not in house.channel(keeper).receives:
        raise Misconfigured(f"{keeper} keeps points and does not receive {EVENT}: add it in channels.yaml")
    return keeper


def _make(tx: Tx, keeper: str, event: Mapping[str, Any]) -> str:
    """The event as a record, due on the keeper; the one that is there when its number is known."""
    (uid,) = new_uids(1)
    owner = claim_keys(tx, [(EVENT, "number", event["number"], uid)])[EVENT, "number", event["number"]]
    if owner == uid:
        put_records(tx, [RecordRow(uid=uid, entity=EVENT, values=encode(dict(event)))])
        mark_due(tx, [(keeper, EVENT, uid, None, False, "till")])
    return owner


def _take_back(house: House, tx: Tx, keeper: str, event: Mapping[str, Any]) -> str:
    back = reversal(event, moment_text(house.registry.now()))
    _make(tx, keeper, back)
    return str(back["number"])


def _outcome(
    house: House, tx: Tx, keeper: str, uid: str, event: Mapping[str, Any], trouble: str
) -> Redemption:
    """What became of it: taken, or refused, and then nothing of it is left to arrive without being taken back."""
    given = str(event["number"])
    told = binding_for(tx, keeper, EVENT, [uid]).get(uid)
    back = f"reverse-{given}"
    reversed_already = (EVENT, "number", back) in owners(tx, [(EVENT, "number", back)])
    if told is not None and told.told is not None and not reversed_already:
        return Redemption(number=given, accepted=True)
    if reversed_already:
        return Redemption(number=given, accepted=False, because="it was refused and taken back; use another reference")
    row = next(iter(outbox_rows(tx, keeper, EVENT, uids=[uid])), None)
    if row is not None and (row.state in SENT or (row.state == "due" and row.attempt > 0)):
        _take_back(house, tx, keeper, event)
        return Redemption(number=given, accepted=False, because=f"{keeper} did not answer; it is taken back there")
    if row is not None:
        close_outbox(tx, [row.id])
        unpark(tx, [(keeper, EVENT, uid, "outward")])
    if row is not None and row.state == "parked":
        return Redemption(number=given, accepted=False, because=f"{keeper} refused it")
    said = f" ({trouble})" if trouble else ""
    return Redemption(number=given, accepted=False, because=f"{keeper} does not answer{said}")
