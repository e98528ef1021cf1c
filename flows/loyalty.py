"""Points and gift cards: events go to the one channel that keeps them; a redemption counts when that confirms it.

What surprises here:

* A buyer waits at the till. What is asked is written down before anybody is asked, with the moment from which no answer
  is a refusal; the first answer stands. So whoever asks again hears the same, and a redemption whose answer nobody can
  have heard (a crash between) is refused and given back.
* No answer is a refusal. What was not sent is withdrawn; what may have arrived is taken back by an event of its own,
  under a number that follows from the first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias

from sqlalchemy.exc import SQLAlchemyError

from connectors.errors import ConnectorError, Misconfigured
from flows.push import push
from flows.reversals import EVENT, MOVING
from flows.wiring import House, moment_text
from mappings.commerce.customers.loyalty import EARN, REDEEM, hopeless, number, reversal
from registry import (
    OutboxRow,
    RecordRow,
    RegistryError,
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
from registry.answers import AnswerRow, answers, put_question, say, unanswered

LOOKS_EVERY: Final = 0.05
"""Seconds between two looks at an event that another worker has under way."""
GRACE: Final = timedelta(seconds=30)
"""So long after a till stopped waiting it may still ask again and hear what its keeper said."""
TAKEN_BACK: Final = "it was taken back; use another receipt"
Money: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Whether the keeper took it, under which number, and why not."""

    number: str
    accepted: bool
    because: str = ""


def redeem(
    house: House, account: str, *, channel: str, reference: str, points: Decimal | None = None,
    amount: Money | None = None,
) -> Answer:
    """Asks the keeper to take points or an amount off an account, for a receipt or order of a channel.

    Answers within ``loyalty.within`` seconds of the policy. Asking again for the same (account, channel, reference)
    gives the same answer and takes nothing twice. Raises Misconfigured when no channel keeps points.
    """
    keeper = keeper_of(house)
    event = _event(house, REDEEM, account, channel, reference, points, amount)
    within = timedelta(seconds=_within(house))

    def begin(tx: Tx) -> tuple[AnswerRow | None, str | None]:
        known = answers(tx, [event["number"]]).get(event["number"])
        if known is not None and known.said is not None:
            return known, None
        card = owners(tx, [("gift_card", "code", account)]).get(("gift_card", "code", account))
        why = hopeless(event, None if card is None else records(tx, [card])[card].values)
        if why is not None and known is None:
            return None, why
        uid = _make(tx, keeper, event)
        put_question(tx, AnswerRow(number=event["number"], uid=uid, channel=keeper, until=tx.now + within))
        return answers(tx, [event["number"]])[event["number"]], None

    asked, why = house.registry.attempt(begin)
    if asked is None:
        return Answer(number=event["number"], accepted=False, because=str(why))
    if asked.said is not None:
        return _told(asked)
    trouble = _ask(house, keeper, asked.uid, within.total_seconds())
    return house.registry.attempt(lambda tx: _outcome(house, tx, asked, event, trouble))


def earn(
    house: House, account: str, *, channel: str, reference: str, points: Decimal | None = None,
    amount: Money | None = None,
) -> str:
    """Tells the keeper that points or an amount were earned; returns the event's number, the same however often.

    Nobody waits: it goes out with the next writes, and is tried again until the keeper answers.
    """
    keeper = keeper_of(house)
    event = _event(house, EARN, account, channel, reference, points, amount)
    why = hopeless(event, None)
    if why is not None:
        raise Misconfigured(why)
    house.registry.attempt(lambda tx: _make(tx, keeper, event))
    return str(event["number"])


def reverse(house: House, of: str) -> str:
    """Takes an event back, named by its number; returns the number of the reversal, the same however often."""
    keeper = keeper_of(house)

    def work(tx: Tx) -> str:
        uid = owners(tx, [(EVENT, "number", of)]).get((EVENT, "number", of))
        if uid is None:
            raise Misconfigured(f"no event has the number {of!r}")
        if answers(tx, [of]):
            say(tx, of, "refused", TAKEN_BACK, anew=True)
        return _take_back(house, tx, keeper, records(tx, [uid])[uid].values)

    return house.registry.attempt(work)


def unheard(house: House) -> int:
    """Refuses redemptions whose till stopped waiting without an answer, and gives back what they may have taken.

    Afterwards every redemption older than the wait and ``GRACE`` is answered; how many were not.
    """
    def work(tx: Tx) -> int:
        rows = unanswered(tx, tx.now - GRACE)
        there = records(tx, [row.uid for row in rows]) if rows else {}
        for row in rows:
            _refuse(house, tx, row, there[row.uid].values, "nobody waited for the answer any more", given=True)
        return len(rows)

    with house.registry.read() as tx:
        if not unanswered(tx, tx.now - GRACE, 1):
            return 0
    return house.registry.attempt(work)


def keeper_of(house: House) -> str:
    """The channel that keeps points and cards. Raises Misconfigured where none does, or it cannot be told."""
    loyalty = house.project.customers.loyalty
    if loyalty is None:
        raise Misconfigured("policies/customers.yaml names no keeper of points: `loyalty: {authority: CHANNEL}`")
    if EVENT not in house.channel(loyalty.authority).receives:
        raise Misconfigured(
            f"{loyalty.authority} keeps points and does not receive {EVENT}: add it in channels.yaml")
    return loyalty.authority


def _within(house: House) -> float:
    loyalty = house.project.customers.loyalty
    return 0.0 if loyalty is None else loyalty.within


def _event(
    house: House, kind: str, account: str, channel: str, reference: str, points: Decimal | None, amount: Money | None
) -> dict[str, Any]:
    return {
        "number": number(kind, account, channel, reference), "kind": kind, "account": account,
        "at": moment_text(house.registry.now()), **({} if points is None else {"points": format(points, "f")}),
        **({} if amount is None else {"amount": dict(amount)}),
    }


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


def _ask(house: House, keeper: str, uid: str, seconds: float) -> str:
    """Sends the event, and waits until it is known what became of it or the time is over; what stood in the way.

    The write has a thread of its own: a keeper that hangs holds up nobody but it.
    """
    sent: Future[None] = Future()

    def send() -> None:
        try:
            push(house, keeper, EVENT)
        except BaseException as fault:  # noqa: BLE001  # whoever waits must hear of it, whatever it was
            sent.set_exception(fault)
        else:
            sent.set_result(None)
        finally:
            house.beside.discard(thread)

    trouble = ""
    until = time.monotonic() + seconds
    thread = threading.Thread(target=send, daemon=True, name=f"points at {keeper}")
    house.beside.add(thread)
    thread.start()
    try:
        sent.result(seconds)
    except TimeoutError:
        return ""
    except (ConnectorError, RegistryError, SQLAlchemyError) as fault:
        trouble = type(fault).__name__
    while time.monotonic() < until and not trouble:      # another worker may have taken the row along
        with house.registry.read() as tx:
            row = next(iter(outbox_rows(tx, keeper, EVENT, uids=[uid])), None)
        if row is None or row.state not in ("decided", "sent"):
            break
        time.sleep(LOOKS_EVERY)
    return trouble


def _outcome(house: House, tx: Tx, asked: AnswerRow, event: Mapping[str, Any], trouble: str) -> Answer:
    """What became of it: taken, or refused, and then nothing of it is left to arrive without being taken back."""
    known = answers(tx, [asked.number])[asked.number]
    if known.said is not None:
        return _told(known)
    told = binding_for(tx, asked.channel, EVENT, [asked.uid]).get(asked.uid)
    if told is not None and told.told is not None:
        return _told(say(tx, asked.number, "accepted", ""))
    row = next(iter(outbox_rows(tx, asked.channel, EVENT, uids=[asked.uid])), None)
    if row is not None and row.state == "parked":
        why = f"{asked.channel} refused it"
    elif row is not None and _arrived(row):
        why = f"{asked.channel} did not answer; it is taken back there"
    else:
        why = f"{asked.channel} does not answer" + (f" ({trouble})" if trouble else "")
    return _refuse(house, tx, asked, event, why)


def _refuse(
    house: House, tx: Tx, asked: AnswerRow, event: Mapping[str, Any], why: str, *, given: bool = False
) -> Answer:
    """Afterwards it is refused, unless it was answered before; ``given``: what the keeper took is given back, too."""
    answer = say(tx, asked.number, "refused", why)
    if answer.because != why or answer.said != "refused":
        return _told(answer)
    told = binding_for(tx, asked.channel, EVENT, [asked.uid]).get(asked.uid) if given else None
    row = next(iter(outbox_rows(tx, asked.channel, EVENT, uids=[asked.uid])), None)
    if told is not None or (row is not None and _arrived(row)):
        _take_back(house, tx, asked.channel, event)
    elif row is not None:
        close_outbox(tx, [row.id])
        unpark(tx, [(asked.channel, EVENT, asked.uid, "outward")])
    return _told(answer)


def _arrived(row: OutboxRow) -> bool:
    """Whether the keeper may have it, or may still get it: what it did not answer may arrive late."""
    return row.state in MOVING or (row.state == "due" and row.attempt > 0)


def _told(row: AnswerRow) -> Answer:
    return Answer(number=row.number, accepted=row.said == "accepted", because=row.because)
