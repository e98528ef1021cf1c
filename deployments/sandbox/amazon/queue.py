"""What the marketplace notifies its seller of: into the queue at Amazon's cloud, or carried on from there over HTTP.

What surprises here:

* Only those types arrive that were subscribed to, at the queue that the subscription's destination names.
* A document comes at least once, in no promised order. Carried on (as an API destination behind a queue does), it has
  the key of that destination in ``x-api-key`` and nothing that signs it.
* It says what changed when it was published; its body is kept until it was taken.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from deployments.sandbox.amazon.sqs import ARN, Waiting
from deployments.sandbox.amazon.state import Market, stamp
from deployments.sandbox.faults import Faults
from deployments.sandbox.market import MARKET
from deployments.sandbox.notation import Doc
from deployments.sandbox.notices import Event, Notices

KEPT = 20_000
SMALL = ("FEED_PROCESSING_FINISHED", "REPORT_PROCESSING_FINISHED")
"""Types whose names begin with a small letter, and whose payload has a name of its own."""


class Queue(Notices):
    """Notifications under way, with the attempts and the ill tempers of every system's notices."""

    def __init__(self, market: Market, faults: Faults, key: str) -> None:
        super().__init__(MARKET, market.books, faults, key)
        self._market, self._key = market, key
        self._documents: dict[str, bytes] = {}
        self.waiting = Waiting(key, self._taken)

    def carried_to(self, url: str) -> None:
        """Afterwards every document of the queue is carried there."""
        self.subscribe(url)

    def told(self, kind: str, payload: Doc, at: datetime) -> None:
        """A notification is published, if somebody subscribed to its type."""
        subscription = self._market.subscriptions.get(kind)
        if subscription is None:
            return
        id = str(uuid.uuid4())
        body = json.dumps(document(self._market, kind, payload, at, id))
        if not self._urls:
            place = self._market.destinations[subscription["destinationId"]]
            if place["resource"]["sqs"]["arn"] == ARN:
                self._stands(kind, id, body, at)
            return
        while len(self._documents) > KEPT:
            del self._documents[next(iter(self._documents))]
        self._documents[id] = body.encode()
        self.announce(kind, id, at)

    def settled(self, timeout: float = 10.0) -> bool:
        """Waits until nothing is under way and nothing stands in the queue; False: not within the time."""
        return super().settled(timeout) and self.waiting.empty(timeout)

    def stop(self) -> None:
        """Nothing more is sent, and nobody waits at the queue."""
        self.waiting.end()
        super().stop()

    def _stands(self, kind: str, id: str, body: str, at: datetime) -> None:
        if self._faults.strike("drop", "", f"/{kind}") is not None:
            self._book(id, [(kind, id, at)], url=ARN, attempt=0, outcome="dropped")
            return
        early = self._faults.strike("reorder", "", f"/{kind}") is not None
        for _ in range(2 if self._faults.strike("duplicate", "", f"/{kind}") is not None else 1):
            self.waiting.put(body, first=early)

    def _taken(self, body: str) -> None:
        """A message was deleted by whom it was meant for."""
        try:
            told = json.loads(body)
            kind = str(told.get("NotificationType", told.get("notificationType")))
            id = str((told.get("NotificationMetadata") or {}).get("NotificationId", ""))
        except (ValueError, AttributeError):    # whatever somebody else put there
            kind, id = "unknown", ""
        self._book(id, [(kind, id, self._market.now())], url=ARN, attempt=1, outcome="delivered")

    def _post(self, url: str, delivery: str, data: bytes, events: Sequence[Event]) -> bool:
        body = self._documents.get(events[0][1])
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
