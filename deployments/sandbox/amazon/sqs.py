"""The seller's queue at Amazon's cloud: messages that are read, hidden and deleted, over AWS JSON 1.0.

What surprises here:

* Every request is signed (Signature Version 4) with keys that the Selling Partner API knows nothing of; a wrong one is
  refused with 403, anything else that is wrong with 400 and ``__type``.
* Who reads a message hides it; who does not delete it in time sees it again. A handle is good for one reading.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msgspec

from deployments.sandbox.design import Refused
from deployments.sandbox.notation import Doc
from deployments.sandbox.serving import Reply, decoded

ARN = "arn:aws:sqs:eu-west-1:123456789012:karavan"
PATH = "/123456789012/karavan"
KEY_ID = "AKIAKARAVANHOME00001"
TARGET = "AmazonSQS."
LONGEST_WAIT, MOST, HIDDEN = 20, 10, 30
_SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/sqs/aws4_request, "
    r"SignedHeaders=(?P<headers>[^,]+), Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(kw_only=True, slots=True)
class Message:
    """One message: what it says, whether it is hidden until a moment (monotonic), under which handle it was read."""

    body: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    shown_at: float = 0.0
    handle: str = ""
    read: int = 0


class Waiting:
    """The messages of the queue. ``gone`` is told what each said that was deleted."""

    def __init__(self, secret: str, gone: Callable[[str], None]) -> None:
        self._secret, self._gone = secret, gone
        self._messages: dict[str, Message] = {}
        self._changed = threading.Condition()
        self._ended = False
        self.refuses = False
        """Whether the keys are refused: somebody took their rights away."""

    def put(self, body: str, *, first: bool = False) -> None:
        """Afterwards the message stands in the queue (``first``: before all others)."""
        with self._changed:
            made = Message(body=body)
            rest = self._messages
            self._messages = {made.id: made} | rest if first else rest | {made.id: made}
            self._changed.notify_all()

    def __len__(self) -> int:
        """How many were not deleted yet."""
        with self._changed:
            return len(self._messages)

    def empty(self, timeout: float) -> bool:
        """Waits until every message was deleted; False: not within the time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._messages, timeout)

    def again(self) -> None:
        """The time for which messages are hidden is over: those that were read can be read again."""
        with self._changed:
            for one in self._messages.values():
                one.shown_at = 0.0
            self._changed.notify_all()

    def end(self) -> None:
        """Afterwards nobody waits here any more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def answer(self, headers: Mapping[str, str], data: bytes, address: str) -> Reply:
        """What the cloud answers; ``address`` is where it is."""
        try:
            self._admit(headers, data, address)
            body = decoded(msgspec.json.decode, data)
            if not isinstance(body, dict):
                raise Refused(400, "SerializationException", "the body is an object")
            if urlsplit(str(body.get("QueueUrl", ""))).path != PATH:
                raise Refused(400, "QueueDoesNotExist", "The specified queue does not exist.")
            work = {"ReceiveMessage": self._receive, "DeleteMessageBatch": self._delete}.get(
                headers.get("x-amz-target", "").removeprefix(TARGET)
            )
            if work is None:
                raise Refused(400, "UnsupportedOperation", "this queue is read and emptied only")
            reply = Reply(200, work(body))
        except Refused as refused:
            told = {"__type": f"com.amazonaws.sqs#{refused.error['code']}", "message": refused.error["message"]}
            reply = Reply(refused.status, told)
        return Reply(reply.status, reply.body, {"Content-Type": "application/x-amz-json-1.0"})

    def _admit(self, headers: Mapping[str, str], data: bytes, address: str) -> None:
        from botocore.auth import SigV4Auth  # slow to load: who plays without a queue does without
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        found = _SIGNED.fullmatch(headers.get("authorization", ""))
        if headers.get("content-type") != "application/x-amz-json-1.0" or found is None:
            raise Refused(403, "MissingAuthenticationToken", "Missing Authentication Token")
        if self.refuses or found["key"] != KEY_ID:
            raise Refused(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        signed = {name: headers.get(name, "") for name in found["headers"].split(";") if name != "host"}
        request = AWSRequest(method="POST", url=f"{address}/", headers=signed, data=data)
        request.context["timestamp"] = headers.get("x-amz-date", "")
        proof = SigV4Auth(Credentials(KEY_ID, self._secret), "sqs", found["region"])
        wanted = proof.signature(proof.string_to_sign(request, proof.canonical_request(request)), request)
        if not hmac.compare_digest(wanted, found["signature"]):
            raise Refused(403, "InvalidSignatureException", "The request signature we calculated does not match the "
                          "signature you provided.")  # fmt: skip

    def _receive(self, body: Doc) -> Doc:
        most = _whole(body, "MaxNumberOfMessages", 1, MOST, 1)
        wait = _whole(body, "WaitTimeSeconds", 0, LONGEST_WAIT, 0)
        hidden = _whole(body, "VisibilityTimeout", 0, 43_200, HIDDEN)
        with self._changed:
            self._changed.wait_for(lambda: self._ended or bool(self._shown()), wait)
            found = self._shown()[:most]
            for one in found:
                one.shown_at, one.handle, one.read = time.monotonic() + hidden, f"handle-{uuid.uuid4()}", one.read + 1
        rows = [{"MessageId": one.id, "ReceiptHandle": one.handle, "Body": one.body,
                 "MD5OfBody": hashlib.md5(one.body.encode(), usedforsecurity=False).hexdigest()}
                for one in found]  # fmt: skip
        return {"Messages": rows} if rows else {}

    def _shown(self) -> list[Message]:
        now = time.monotonic()
        return [one for one in self._messages.values() if one.shown_at <= now]

    def _delete(self, body: Doc) -> Doc:
        entries = body.get("Entries")
        if not isinstance(entries, list) or not entries:
            raise Refused(400, "EmptyBatchRequest", "There should be at least one entry in the batch.")
        if len(entries) > MOST:
            raise Refused(400, "TooManyEntriesInBatchRequest", f"at most {MOST} entries")
        if len({one["Id"] for one in entries}) < len(entries):
            raise Refused(400, "BatchEntryIdsNotDistinct", "Two or more entries have the same Id")
        done: list[Doc] = []
        failed: list[Doc] = []
        with self._changed:
            handles = {one.handle: one for one in self._messages.values() if one.handle}
            for entry in entries:
                one = handles.get(entry["ReceiptHandle"])
                if not str(entry["ReceiptHandle"]).startswith("handle-"):
                    failed.append({"Id": entry["Id"], "SenderFault": True, "Code": "ReceiptHandleIsInvalid"})
                    continue
                done.append({"Id": entry["Id"]})
                if one is not None:
                    del self._messages[one.id]
                    self._gone(one.body)
            self._changed.notify_all()
        return {"Successful": done, "Failed": failed}


def _whole(body: Doc, name: str, least: int, most: int, default: int) -> int:
    value: Any = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Refused(400, "InvalidParameterValue", f"Value {value} for parameter {name} is invalid.")
    return value
