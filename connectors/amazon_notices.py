"""Notifications of Amazon's queue: what is subscribed to, and what a document that was carried here says.

What surprises here: who may put a message into the queue, or knows the key of an API destination, may say anything; so
every notice is a hint. Documents come by themselves, in EventBridge's envelope or as messages of a queue; two types
write their names small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from connectors import signatures
from connectors.amazon_facts import NOTIFICATIONS, SETTLEMENT, TYPES, VERSIONS
from connectors.answers import Answer, decoded
from connectors.base import Doc, Notice, Received, Request, Unreadable
from connectors.errors import ShapeChanged
from connectors.paging import at
from connectors.window import moment

Ask = Callable[..., Answer]
"""ask(method, path, …) → answer, as `Rest.call`."""


def subscribe(arn: str, ask: Ask, as_application: Ask) -> None:
    """Afterwards the queue is told of every type that is read here; again changes nothing."""
    destination = _destination(arn, as_application)
    for kind in TYPES:
        path = f"{NOTIFICATIONS}/subscriptions/{kind}"
        held = ask("GET", path, allow=(404,))
        if not held.ok or at(held.body, "payload.destinationId") != destination:
            ask("POST", path, body={"payloadVersion": VERSIONS.get(kind, "1.0"), "destinationId": destination})


def _destination(arn: str, ask: Ask) -> str:
    """The id of the queue's destination, made where there is none; it belongs to the application."""
    path = f"{NOTIFICATIONS}/destinations"
    known = ask("GET", path).body["payload"]
    found = next((row for row in known if at(row, "resource.sqs.arn") == arn), None)
    if found is None:
        body = {"name": "serai", "resourceSpecification": {"sqs": {"arn": arn}}}
        found = ask("POST", path, body=body).body["payload"]
    return str(found["destinationId"])


def received(request: Request, secrets: Sequence[str], seller: str) -> Received:
    """The notices of a request with the right key. Raises Forged, and ShapeChanged when its body cannot be read."""
    signatures.header_token({"header": "x-api-key"}, secrets, request)
    try:
        body = decoded(request.body)
    except ValueError as fault:
        raise ShapeChanged(f"a notice with the right key is not JSON: {fault}") from None
    found = [noticed(document, request.at, seller) for document in documents(body)]
    told = [notice for notice in found if notice is not None]
    return Received(notices=told, reply="" if told else "passed over: nothing here is read from it")


def told(message: Doc, arrived: datetime, seller: str) -> Iterator[Notice | Unreadable]:
    """What a message of the queue says: notices, nothing that is read here, or nothing that anybody could read."""
    text = message["Body"]
    try:
        found = list(documents(decoded(text.encode())))
        flaws = [flaw for flaw in map(_flaw, found) if flaw] if found else ["there is no notification in it"]
    except ValueError as fault:
        found, flaws = [], [f"it is not JSON: {fault}"]
    if flaws:
        yield Unreadable(id=message["MessageId"], why=f"{flaws[0]} ({len(text)} characters)")
        return
    for document in found:
        notice = noticed(document, arrived, seller)
        if notice is not None:
            yield notice


def _flaw(document: Doc) -> str:
    """Why a document is no notification that could be acted on, or ""."""
    small = _small(document)
    kind, payload = small.get("notificationType"), small.get("payload")
    if not isinstance(kind, str) or not isinstance(payload, dict):
        return "it has no NotificationType and Payload"
    if kind not in TYPES:
        return ""
    name = TYPES[kind][1]
    id = _inner(payload, name).get(name)
    if not isinstance(id, str | int) or id == "":
        return f"there is no {name} in this {kind}"
    return f"{name} holds a character that cannot be kept" if "\0" in str(id) else ""


def documents(body: Any) -> Iterator[Doc]:
    """The notifications in what was carried here: one by itself, EventBridge's envelope, or messages of a queue."""
    if isinstance(body, list):
        for row in body:
            yield from documents(row)
    elif isinstance(body, dict) and isinstance(body.get("Records"), list):
        yield from documents(body["Records"])
    elif isinstance(body, dict) and isinstance(body.get("body"), str):
        try:
            yield from documents(decoded(body["body"].encode()))
        except ValueError:
            return
    elif isinstance(body, dict):
        yield body["detail"] if isinstance(body.get("detail"), dict) else body


def noticed(document: Doc, arrived: datetime, seller: str) -> Notice | None:
    """The news in a notification; None: it is about nothing that is read here, or about another seller."""
    small = _small(document)
    metadata = _small(small.get("notificationMetadata") or {})
    kind, payload = small.get("notificationType"), small.get("payload")
    if not isinstance(kind, str) or kind not in TYPES or not isinstance(payload, dict):
        return None
    resource, name = TYPES[kind]
    inner = _inner(payload, name)
    theirs = inner.get("SellerId", inner.get("sellerId", seller))
    if inner.get(name) is None or theirs != seller:
        return None
    if resource == "settlements" and inner.get("reportType") != SETTLEMENT:
        return None
    when = moment(small.get("eventTime")) or arrived
    return Notice(delivery=str(metadata.get("notificationId") or f"{kind}:{inner[name]}:{when.isoformat()}"),
                  resource=resource, id=str(inner[name]), at=when)  # fmt: skip


def _small(document: Doc) -> Doc:
    return {name[:1].lower() + name[1:]: value for name, value in document.items()}


def _inner(payload: Doc, name: str) -> Doc:
    """The part of a payload that names what it is about; some types wrap it."""
    return next((value for value in payload.values() if isinstance(value, dict) and name in value), payload)
