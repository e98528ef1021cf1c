"""Feeds: many submissions of listings as one document, and what its processing report says of each.

What surprises here: a feed that is DONE says nothing of its messages, its report does; CANCELLED and FATAL mean that
nothing of it was done. A feed takes up to 25,000 messages, and one may be made in two minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from connectors.amazon_facts import FEED, FEEDS
from connectors.amazon_writes import sku_of, submission, told
from connectors.answers import AWAY, Answer, Unsure, decoded, encoded
from connectors.base import Doc, Receipt, Write
from connectors.errors import RetryLater, ShapeChanged
from connectors.writes import NOT_FOUND

CONTENT: Final = "application/json; charset=UTF-8"
_OPERATIONS: Final[Mapping[str, str]] = {"create": "UPDATE", "update": "PATCH", "delete": "DELETE"}


def feed(seller: str, writes: Sequence[Write]) -> Doc:
    """A JSON_LISTINGS_FEED: the n-th write is message n."""
    messages = []
    for n, write in enumerate(writes, 1):
        row: Doc = {"messageId": n, "sku": sku_of(write), "operationType": _OPERATIONS[write.op]}
        messages.append(row if write.op == "delete" else row | submission(write))
    return {"header": {"sellerId": seller, "version": "2.0", "issueLocale": "en_US"}, "messages": messages}


def ticket(feed_id: str, message: int) -> str:
    """What is kept of a write that went with a feed."""
    return f"feed:{feed_id}:{message}"


def feed_of(text: str | None) -> tuple[str, int] | None:
    """Feed and message of a ticket; None: the write went by itself."""
    parts = (text or "").split(":")
    return (parts[1], int(parts[2])) if len(parts) == 3 and parts[0] == "feed" else None


def processed(write: Write, message: int, report: Doc) -> Receipt:
    """What a processing report says of one message."""
    issues = [row for row in report.get("issues") or () if row.get("messageId") == message]
    wrong = told([{**row, "attributeNames": row.get("attributeNames") or filter(None, [row.get("attributeName")])}
                  for row in issues])  # fmt: skip
    if wrong:
        return Receipt(outcome="rejected", id=write.id, detail=wrong)
    return Receipt(outcome="applied", id=sku_of(write))


MOST_FEEDS: Final = 3
"""A feed that was given up so often is a person's."""
MOST_KEPT: Final = 4


def unprocessed(write: Write, status: str) -> Receipt:
    """What becomes of a write whose feed was given up (CANCELLED, FATAL): nothing of it was done."""
    why = f"Amazon gave the feed up ({status})"
    if write.op != "update" and write.attempt < MOST_FEEDS:
        return Receipt(outcome="rejected", detail=f"{NOT_FOUND}{why}")
    if status == "CANCELLED" or write.attempt < MOST_FEEDS:
        return Receipt(outcome="unknown", id=write.id, detail=why)
    return Receipt(outcome="rejected", id=write.id, detail=f"{why}; its processing report in Seller Central says why")


@dataclass(frozen=True, kw_only=True)
class Feeds:
    """One seller's feeds: ``call`` asks an operation, ``store`` a document's own address, ``content`` reads one."""

    seller: str
    marketplace: str
    where: str
    call: Callable[..., Answer]
    store: Callable[..., Answer]
    content: Callable[[str], bytes]
    kept: dict[str, bytes] = field(default_factory=dict)

    def write(self, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order: all that JSON can carry as one feed, which is accepted as a whole."""
        sound: list[Write] = []
        bad: dict[str, Receipt] = {}
        for write in writes:
            try:
                encoded((sku_of(write), write.doc))
            except ValueError as fault:
                why = f"the document cannot be written: {fault}"
                bad[write.key] = Receipt(outcome="rejected", id=write.id, detail=why)
            else:
                sound.append(write)
        fed = self.send(FEED, CONTENT, encoded(feed(self.seller, sound)), sound) if sound else {}
        return iter([bad.get(write.key) or fed[write.key] for write in writes])

    def send(self, kind: str, content_type: str, content: bytes, writes: Sequence[Write]) -> Mapping[str, Receipt]:
        """Receipts by key of writes that make one feed: accepted as a whole, or nobody knows. Raises RetryLater."""
        document = self._stored(content_type, content)
        body = {"feedType": kind, "marketplaceIds": [self.marketplace], "inputFeedDocumentId": document}
        try:
            made = str(self.call("POST", f"{FEEDS}/feeds", body=body).body["feedId"])
        except (Unsure, ShapeChanged) as fault:
            return {one.key: Receipt(outcome="unknown", id=one.id, detail=str(fault)) for one in writes}
        return {
            one.key: Receipt(outcome="accepted", id=one.id, ticket=ticket(made, n)) for n, one in enumerate(writes, 1)
        }

    def _stored(self, content_type: str, content: bytes) -> str:
        """The id of the document that holds it. Raises RetryLater: no feed was made of it yet."""
        try:
            place = self.call("POST", f"{FEEDS}/documents", body={"contentType": content_type}).body
            stored = self.store(str(place["url"]), content, {"Content-Type": content_type})
        except Unsure as fault:
            problem = RetryLater(str(fault), after=fault.after)
        else:
            if stored.ok:
                return str(place["feedDocumentId"])
            why = f"{self.where}: a feed's document was not taken (HTTP {stored.status})"
            problem = RetryLater(why, after=AWAY)
        raise problem

    def stands(self, feed_id: str) -> tuple[str, bytes]:
        """How a feed stands, and its processing report once it is done; of the last few it is kept."""
        if feed_id in self.kept:
            return "DONE", self.kept[feed_id]
        told = self.call("GET", f"{FEEDS}/feeds/{quote(feed_id, safe='')}").body
        if told.get("processingStatus") != "DONE":
            return str(told.get("processingStatus")), b""
        id = quote(str(told.get("resultFeedDocumentId")), safe="")
        while len(self.kept) >= MOST_KEPT:
            del self.kept[next(iter(self.kept))]
        self.kept[feed_id] = self.content(f"{FEEDS}/documents/{id}")
        return "DONE", self.kept[feed_id]

    def report(self, feed_id: str) -> tuple[str, Doc | None]:
        """How a feed of listings stands, and what its processing report says once it is done."""
        status, content = self.stands(feed_id)
        if status != "DONE":
            return status, None
        try:
            report = decoded(content)
        except ValueError as fault:
            raise ShapeChanged(f"{self.where}: the report of feed {feed_id} is not JSON: {fault}") from None
        return "DONE", report if isinstance(report, dict) else {}


def ended(write: Write, message: int, status: str, report: Doc | None) -> Receipt:
    """What became of one message of a feed that stands so."""
    if report is not None:
        return processed(write, message, report)
    if status in ("CANCELLED", "FATAL"):
        return unprocessed(write, status)
    return Receipt(outcome="accepted", id=write.id, ticket=write.ticket)
