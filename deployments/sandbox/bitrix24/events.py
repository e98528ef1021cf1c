"""Events of the simulated portal: who is told of what, and the queue of those that nobody is told of (offline).

What surprises here:

* The queue keeps a record's last event of a kind, not each. Who takes a packet deletes it, or with ``clear`` 0 hides it
  under a process until that clears it, where the portal's plan allows this.
* The vendor's pages show an offline event's data as ``false``; here it names the record as an online event does.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from deployments.sandbox.bitrix24.lists import Listed
from deployments.sandbox.bitrix24.state import Fault, Portal
from deployments.sandbox.notation import Doc

_WHAT = ("ADD", "UPDATE", "DELETE")
EVENTS = (
    *(f"ONCRM{word}{what}" for word in ("CONTACT", "COMPANY", "DEAL", "ACTIVITY") for what in _WHAT),
    *(f"CATALOG.{word}.ON.{what}" for word in ("PRODUCT", "PRICE") for what in _WHAT),
    "ONSALEORDERSAVED", "ONSALEORDERDELETED",
)  # fmt: skip
PACKET = 50


def of_events(portal: Portal) -> Mapping[str, Callable[[Doc], Any]]:
    """Who is told of what, and what waits."""

    def bind(params: Doc) -> bool:
        row = _row(params)
        if row["event"] not in EVENTS:
            raise Fault("Event not found", "ERROR_EVENT_NOT_FOUND")
        if row in portal.handlers:
            raise Fault("Handler already binded", "ERROR_EVENT_BINDING_EXISTS")
        portal.handlers.append(row)
        return True

    def unbind(params: Doc) -> Doc:
        wanted = _row(params)
        gone = [row for row in portal.handlers if {**row, "auth_type": wanted["auth_type"]} == wanted]
        portal.handlers[:] = [row for row in portal.handlers if row not in gone]
        return {"count": len(gone)}

    def get(params: Doc) -> Doc:
        waiting = [row for row in portal.queue.values() if row["PROCESS_ID"] == params.get("process_id", "")]
        packet = waiting[: int(params.get("limit") or PACKET)]
        process = None
        if str(params.get("clear", 1)) == "0":
            if not portal.extended:
                raise Fault("Access denied!", "ACCESS_DENIED", 403)
            process = str(params.get("process_id") or uuid.uuid4().hex)
            for row in packet:
                row["PROCESS_ID"] = process
        else:
            _forget(portal, packet)
        told = [{name: value for name, value in row.items() if name != "PROCESS_ID"} for row in packet]
        return {"process_id": process, "events": told}

    def clear(params: Doc) -> bool:
        rows = [row for row in portal.queue.values() if row["PROCESS_ID"] == str(params["process_id"])]
        for name, field in (("id", "ID"), ("message_id", "MESSAGE_ID")):
            if name in params:
                rows = [row for row in rows if row[field] in {str(one) for one in params[name]}]
                break
        _forget(portal, rows)
        return True

    return {
        "events": lambda params: list(EVENTS), "event.bind": bind, "event.unbind": unbind,
        "event.get": lambda params: list(portal.handlers),
        "event.offline.get": get, "event.offline.clear": clear,
        "event.offline.list": lambda params: Listed(result=list(portal.queue.values()), total=len(portal.queue)),
        "feature.get": lambda params: portal.extended and params.get("code") == "rest_offline_extended",
    }  # fmt: skip


def happened(portal: Portal, kind: str, what: str, id: str, at: datetime) -> str:
    """The event's name, "" for none; afterwards it waits in the queue where it is bound offline."""
    word = kind.upper()
    event = next((one for one in (f"ONCRM{word}{what}", f"CATALOG.{word}.ON.{what}", f"ONSALE{word}{what}")
                  if one in EVENTS), "")  # fmt: skip
    if any(row["event"] == event and row["offline"] for row in portal.handlers):
        held = portal.queue.pop((event, id), None)
        if held is not None and held["PROCESS_ID"]:     # a process has it: what comes since is another one
            portal.queue[event, f"{id} {held['ID']}"] = held
        portal.queue[event, id] = {
            "ID": str(portal.number("offline event")), "TIMESTAMP_X": portal.stamp(at), "EVENT_NAME": event,
            "EVENT_DATA": {"FIELDS": {"ID": id}}, "EVENT_ADDITIONAL": False, "MESSAGE_ID": f"{event}-{id}",
            "PROCESS_ID": "",
        }  # fmt: skip
    return event


def _row(params: Doc) -> Doc:
    offline = params.get("event_type") == "offline"
    return {
        "event": str(params.get("event", "")).upper(), "handler": "" if offline else str(params.get("handler", "")),
        "auth_type": str(params.get("auth_type") or 0), "offline": int(offline),
    }  # fmt: skip


def _forget(portal: Portal, rows: list[Doc]) -> None:
    for key in [key for key, row in portal.queue.items() if any(row is one for one in rows)]:
        del portal.queue[key]
