"""A queue of Amazon's cloud (SQS), in which notifications wait: asked for, and told to forget what was stored.

What surprises here (SQS developer guide: JSON API requests and responses, long polling, read 2026-11-23; operations as
in the service model that botocore carries, 2012-11-05 with JSON 1.0):

* The cloud knows neither the Selling Partner API's tokens nor its limits: each request is signed (Signature Version 4)
  with the retailer's own AWS keys, which need sqs:ReceiveMessage and sqs:DeleteMessage on the queue.
* A message that was read is hidden, not gone. Who dies before it is deleted reads it again later (P1); it is known then
  by its notification's id (P2). It may also come twice, and in any order, by itself.
* Who does not wait asks a part of the cloud's servers only, and may hear of nothing although there is something.
* A refusal is HTTP 400 with ``__type``; 200 to a deletion may name messages that stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urljoin, urlsplit

from connectors.answers import BUSY, Answer, encoded
from connectors.auth import secret
from connectors.base import Doc
from connectors.errors import Misconfigured, RetryLater, ShapeChanged
from connectors.ports import Ports

KEYS: Final = ("aws_access_key_id", "aws_secret_access_key")
"""The secrets of a channel that polls its queue."""
AT_ONCE: Final = 10
"""Messages that one answer holds at most."""
HIDDEN: Final = 60
"""Seconds for which nobody else is given a message that was read; storing takes much less."""
LONGEST_WAIT: Final = 20
BUSY_WORDS: Final = ("RequestThrottled", "OverLimit", "KmsThrottled", "ThrottlingException")
_ARN = re.compile(r"arn:(aws[\w-]*):sqs:([a-z0-9-]+):(\d{12}):([\w-]{1,80})")


class Post(Protocol):
    """post(address, data, headers, proof) → answer; 2xx and 4xx other than 401, 403 and 429 return."""

    def __call__(self, address: str, data: bytes, headers: Mapping[str, str], proof: Mapping[str, str]) -> Answer: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """One queue: its ``region``, its ``url`` (which names it in each request), who may ask, and how."""

    channel: str
    region: str
    url: str
    ports: Ports
    post: Post

    def messages(self, wait: float, *, hide: bool = True) -> Sequence[Doc]:
        """Up to ten messages, hidden from others for `HIDDEN` seconds; none came within ``wait`` seconds: none."""
        asked = {"MaxNumberOfMessages": AT_ONCE, "VisibilityTimeout": HIDDEN if hide else 0,
                 "WaitTimeSeconds": min(int(wait), LONGEST_WAIT)}  # fmt: skip
        found = self._ask("ReceiveMessage", asked).get("Messages") or []
        if not isinstance(found, list) or not all(map(_is_message, found)):
            raise ShapeChanged(f"{self.channel}: ReceiveMessage: no list of messages with id, handle and body")
        return found

    def forget(self, messages: Sequence[Doc]) -> None:
        """Afterwards these messages are gone. Raises RetryLater for those that the queue keeps: they come again."""
        rows = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)]
        kept = self._ask("DeleteMessageBatch", {"Entries": rows}).get("Failed") or []
        if kept:
            why = ", ".join(sorted({str(row.get("Code")) for row in kept}))
            raise RetryLater(
                f"{self.channel}: {len(kept)} messages were stored and stay in the queue ({why}); they come again and "
                "count once", after=BUSY,
            )  # fmt: skip

    def _ask(self, operation: str, asked: Mapping[str, Any]) -> Doc:
        parts = urlsplit(self.url)
        address = f"{parts.scheme}://{parts.netloc}/"
        data = encoded({"QueueUrl": self.url, **asked})
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{operation}"}
        key, word = (secret({}, name, self.ports, name) for name in KEYS)
        signed = signature(address, data, headers, region=self.region, key=key, word=word)
        proof = {"Authorization": signed.pop("Authorization")}
        answer = self.post(address, data, signed, proof)
        if answer.ok and isinstance(answer.body, dict):
            return answer.body
        if answer.ok:
            if answer.body is None:
                return {}
            raise ShapeChanged(f"{self.channel}: {operation}: the queue's answer is no object")
        told = answer.body if isinstance(answer.body, dict) else {}
        fault = str(told.get("__type", f"HTTP {answer.status}")).rpartition("#")[2]
        if fault in BUSY_WORDS:
            raise RetryLater(f"{self.channel}: {operation}: the queue is busy ({fault})", after=BUSY)
        raise Misconfigured(
            f"{self.channel}: {operation}: the queue {self.url} refuses ({fault}); correct `queue` or `queue_url` in "
            "the settings, or what is allowed to the owner of the secret `aws_access_key_id`"
        )


def queue_of(*, channel: str, base: str, options: Mapping[str, Any], ports: Ports, post: Post) -> Queue | None:
    """The queue of a channel's settings; None: no key of it stands among the secrets. Raises Misconfigured.

    ``queue_url`` may be a path at ``base``, the channel's own address: a simulated cloud is found there.
    """
    secrets = options.get("secrets") or {}
    lacking = [name for name in KEYS if name not in secrets]
    if len(lacking) == len(KEYS):
        return None
    if lacking:
        raise Misconfigured(f"{channel}: `{lacking[0]}` is missing under `secrets`; a queue is read with both keys")
    found = _ARN.fullmatch(str(options.get("queue", "")))
    if found is None:
        raise Misconfigured(f"{channel}: `queue` in the settings should be its ARN: arn:aws:sqs:REGION:ACCOUNT:NAME")
    partition, region, account, name = found.groups()
    suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    url = urljoin(f"{base}/", str(options.get("queue_url", f"https://sqs.{region}.{suffix}/{account}/{name}")))
    return Queue(channel=channel, region=region, url=url, ports=ports, post=post)


def signature(
    address: str, data: bytes, headers: Mapping[str, str], *, region: str, key: str, word: str
) -> dict[str, str]:
    """The headers with those that prove who asks."""
    from botocore.auth import SigV4Auth  # a platform's own library, and slow to load: who has no queue does without
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest(method="POST", url=address, headers=dict(headers), data=data)
    SigV4Auth(Credentials(key, word), "sqs", region).add_auth(request)
    return dict(request.headers.items())


def _is_message(found: Any) -> bool:
    return isinstance(found, dict) and all(
        isinstance(found.get(name), str) for name in ("MessageId", "ReceiptHandle", "Body")
    )

