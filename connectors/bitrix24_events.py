"""News of a Bitrix24 portal: posted to our address (online), or kept in a queue there until we ask (offline).

What surprises here (reference of 2026-08-21: events/offline-events, the pages of ``event.offline.*``; read 2026-11-22):

* The queue keeps a record's last change, not each: an event's name, a number, a moment; the record is fetched.
* ``event.offline.get`` deletes what it gives. With ``clear: 0`` it hides a packet under a ``process_id`` instead, until
  ``event.offline.clear``; what nobody clears is hidden for 30 days and gone then. Not every plan can
  (``feature.get`` of ``rest_offline_extended``); without it a crash loses a packet, and the timetable's reads heal it.
* The two kinds are bound and unbound each by itself: an event bound in both comes in both, so that the other kind of
  ours is unbound. Only an administrator may bind offline.
* No page shows which record an offline event is about (``EVENT_DATA`` is false in their examples); it is looked for
  where an online event has it, and an event without it is passed over: the timetable finds the change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.answers import Answer
from connectors.base import Doc, Notice
from connectors.bitrix24_facts import EVENTS, PREFIXES
from connectors.errors import ShapeChanged
from connectors.window import moment

Ask = Callable[[str, Doc], Answer]
"""ask(method, parameters) → answer."""
PACKET = 50
EXTENDED = "rest_offline_extended"


def bind(ask: Ask, url: str, *, offline: bool) -> None:
    """Afterwards every event that is open to us is bound in the one way, and none of ours in the other."""
    known = {str(event).upper() for event in ask("events", {}).body.get("result") or []}
    held: Sequence[Mapping[str, Any]] = ask("event.get", {}).body.get("result") or []
    queued = {str(row.get("event")).upper() for row in held if _is_offline(row)}
    posted = {str(row.get("event")).upper() for row in held if not _is_offline(row) and row.get("handler") == url}
    for event in EVENTS:
        if event in known and event not in (queued if offline else posted):
            ask("event.bind", {"event": event} | ({"event_type": "offline"} if offline else {"handler": url}))
        if offline and event in posted:
            ask("event.unbind", {"event": event, "handler": url})
        if not offline and event in queued:
            ask("event.unbind", {"event": event, "event_type": "offline"})


def _is_offline(row: Mapping[str, Any]) -> bool:
    return str(row.get("offline", 0)) == "1"


def kept(ask: Ask, now: Callable[[], datetime]) -> Iterator[Sequence[Notice]]:
    """The queue, packet by packet; each is cleared when the next one is asked for, so store it before."""
    held = ask("feature.get", {"CODE": EXTENDED}).body.get("result") in (True, "Y")
    while True:
        told = ask("event.offline.get", {"clear": 0 if held else 1, "limit": PACKET}).body.get("result")
        events = told.get("events") if isinstance(told, Mapping) else None
        if not isinstance(told, Mapping) or not isinstance(events, list):
            raise ShapeChanged("event.offline.get: the answer has no list of events")
        yield [notice for event in events for notice in _noticed(event, now())]
        process = told.get("process_id")
        if held and events and isinstance(process, str):
            ask("event.offline.clear", {"process_id": process})
        if len(events) < PACKET:
            return


def _noticed(event: Mapping[str, Any], arrived: datetime) -> Iterator[Notice]:
    """What an event of the queue is news of: one record, or nothing that is read here."""
    resource = EVENTS.get(str(event.get("EVENT_NAME", "")).upper())
    data = event.get("EVENT_DATA")
    fields = data.get("FIELDS", data) if isinstance(data, Mapping) else {}
    id = next((value for name, value in fields.items() if name.upper() == "ID"), None)
    if resource is None or id is None:
        return
    told = f"{event.get('EVENT_NAME')} {event.get('MESSAGE_ID')} {event.get('TIMESTAMP_X')} {id}"
    at = moment(event.get("TIMESTAMP_X"))
    yield Notice(
        delivery=hashlib.sha256(told.encode()).hexdigest(), resource=resource, id=f"{PREFIXES.get(resource, '')}{id}",
        at=arrived if at is None else min(at, arrived),
    )  # fmt: skip
