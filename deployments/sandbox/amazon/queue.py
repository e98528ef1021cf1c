"""The seller's queue of notifications, carried to an address over HTTP: as an API destination behind a queue does.

What surprises here:

* A document is carried at least once, in no promised order, with the key of the destination in ``x-api-key`` and
  nothing that signs it. Only those types arrive that were subscribed to.
* It says what changed when it was published; its body is kept until it was taken.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any

import msgspec

from deployments.sandbox.amazon.state import Market, stamp
from deployments.sandbox.faults import Faults
from deployments.sandbox.market import MARKET
from deployments.sandbox.notation import Doc
from deployments.sandbox.notices import Notices

KEPT = 20_000
SMALL = ("FEED_PROCESSING_FINISHED", "REPORT_PROCESSING_FINISHED")
"""Types whose names begin with a small letter, and whose payload has a name of its own."""


class Queue(Notices):
    """Notifications under way, with the attempts and the ill tempers of every system's notices."""

    def __init__(self, market: Market, faults: Faults, key: str) -> None:
        super().__init__(MARKET, market.books, faults, key)
        self._market, self._key = market, key
        self._documents: dict[str, bytes] = {}

    def carried_to(self, url: str) -> None:
        """Afterwards every document of the queue is carried there."""
        self.subscribe(url)

    def told(self, kind: str, payload: Doc, at: datetime) -> None:
        """A notification is published, if somebody subscribed to its type."""
        if kind not in self._market.subscriptions or not self._urls:
            return
        id = str(uuid.uuid4())
        while len(self._documents) > KEPT:
            del self._documents[next(iter(self._documents))]
        self._documents[id] = json.dumps(document(self._market, kind, payload, at, id)).encode()
        self.announce(kind, id, at)

    def _post(self, url: str, delivery: str, data: bytes) -> bool:
        body = self._documents.get(str(msgspec.json.decode(data)["id"]))
        headers = {"Content-Type": "application/json", "x-api-key": self._key}
        return body is None or self.delivered(url, body, headers)


def document(market: Market, kind: str, payload: Doc, at: datetime, id: str) -> Any:
    """A notification as Amazon publishes it."""
    subscription = market.subscriptions.get(kind, {}).get("subscriptionId", "subscription")
    told = {"ApplicationId": "amzn1.sellerapps.app.karavan", "SubscriptionId": subscription, "PublishTime": stamp(at),
            "NotificationId": id}  # fmt: skip
    found = {"NotificationVersion": "1.0", "NotificationType": kind, "PayloadVersion": "1.0", "EventTime": stamp(at),
             "Payload": payload, "NotificationMetadata": told}  # fmt: skip
    if kind not in SMALL:
        return found
    version = {"notificationVersion": "2020-09-04", "payloadVersion": "2020-09-04"}
    small = {name[0].lower() + name[1:]: value for name, value in found.items()}
    metadata = {name[0].lower() + name[1:]: value for name, value in told.items()}
    return {**small, **version, "notificationMetadata": metadata}
