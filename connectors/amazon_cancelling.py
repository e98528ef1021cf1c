"""Orders that the seller cancels: one feed in XML for all of them.

What surprises here: no operation cancels an order, it is a feed of the old kind still (POST_ORDER_ACKNOWLEDGEMENT_DATA;
Amazon's staff in thread 4839 of amzn/selling-partner-api-models, July 2025). Whether it was done the order says, also
where its buyer was faster; why not, the processing report. Orders that Amazon sends, and sent ones, are not cancelled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape, unescape

from connectors.amazon_feeds import Feeds, feed_of, unprocessed
from connectors.answers import Unsure
from connectors.base import Doc, Receipt, Write
from connectors.errors import RetryLater
from connectors.paging import at
from connectors.writes import NOT_FOUND

CANCELLING: Final = "POST_ORDER_ACKNOWLEDGEMENT_DATA"
XML: Final = "text/xml; charset=UTF-8"
_ENVELOPE: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<AmazonEnvelope xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xsi:noNamespaceSchemaLocation="amzn-envelope.xsd"><Header><DocumentVersion>1.01</DocumentVersion>'
    "<MerchantIdentifier>{seller}</MerchantIdentifier></Header><MessageType>OrderAcknowledgement</MessageType>"
    "{messages}</AmazonEnvelope>"
)


def feed(seller: str, orders: Sequence[tuple[Doc, str]]) -> bytes:
    """The feed that cancels whole orders, each for a reason: the n-th order is message n."""
    messages = []
    for n, (order, reason) in enumerate(orders, 1):
        items = "".join(
            f"<Item><AmazonOrderItemCode>{escape(str(item['orderItemId']))}</AmazonOrderItemCode>"
            f"<CancelReason>{escape(reason)}</CancelReason></Item>" for item in order["orderItems"]
        )  # fmt: skip
        messages.append(
            f"<Message><MessageID>{n}</MessageID><OrderAcknowledgement>"
            f"<AmazonOrderID>{escape(str(order['orderId']))}</AmazonOrderID><StatusCode>Failure</StatusCode>{items}"
            "</OrderAcknowledgement></Message>"
        )
    return _ENVELOPE.format(seller=escape(seller), messages="".join(messages)).encode()


def is_cancelled(order: Doc | None) -> bool:
    """Whether the order is cancelled, by whomever."""
    return order is not None and at(order, "fulfillment.fulfillmentStatus") == "CANCELLED"


@dataclass(frozen=True, kw_only=True)
class Cancelling:
    """Cancellations of one seller: ``orders`` fetches orders by id."""

    feeds: Feeds
    orders: Callable[[Sequence[str]], Mapping[str, Doc | None]]

    def write(self, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order; what cannot be cancelled any more is told at once. Raises RetryLater."""
        held = self._held(writes)
        open_: list[tuple[Write, Doc]] = []
        found: dict[str, Receipt] = {}
        for write in writes:
            order = held[_order_of(write)]
            state = "not there" if order is None else at(order, "fulfillment.fulfillmentStatus")
            if is_cancelled(order):
                found[write.key] = Receipt(outcome="applied", id=_order_of(write))
            elif order is None or state not in ("PENDING", "UNSHIPPED") or at(
                order, "fulfillment.fulfilledBy") == "AMAZON":  # fmt: skip
                detail = f"the order is {state}; Amazon cancels what is not sent yet, and not by Amazon itself"
                found[write.key] = Receipt(outcome="rejected", detail=detail)
            else:
                open_.append((write, order))
        if open_:
            content = feed(self.feeds.seller, [(order, str(write.doc.get("reason"))) for write, order in open_])
            found |= self.feeds.send(CANCELLING, XML, content, [write for write, _ in open_])
        return iter([found[write.key] for write in writes])

    def _held(self, writes: Sequence[Write]) -> Mapping[str, Doc | None]:
        try:
            return self.orders([_order_of(write) for write in writes])
        except Unsure as fault:  # nothing was sent yet
            problem = RetryLater(str(fault), after=fault.after)
        raise problem

    def settle(self, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order: from its order as it is now, else from how its feed stood before."""
        of = {write.key: feed_of(write.ticket) for write in writes}
        stood = {fed[0]: self.feeds.stands(fed[0]) for fed in of.values() if fed is not None}
        held = self.orders([_order_of(write) for write in writes])
        for write in writes:
            fed = of[write.key]
            if is_cancelled(held[_order_of(write)]):
                yield Receipt(outcome="applied", id=_order_of(write))
            elif fed is None:
                yield Receipt(outcome="rejected", detail=NOT_FOUND + "the order is not cancelled")
            else:
                yield _not_yet(write, fed[1], *stood[fed[0]])


def _order_of(write: Write) -> str:
    return str(write.doc.get("orderId"))


_RESULT: Final = re.compile(r"<Result>(.*?)</Result>", re.DOTALL)
_TOLD: Final = re.compile(r"<ResultDescription>(.*?)</ResultDescription>", re.DOTALL)


def _not_yet(write: Write, message: int, status: str, report: bytes) -> Receipt:
    """What is to be said of a cancellation that its order does not show, from how its feed stood."""
    if status in ("CANCELLED", "FATAL"):
        return unprocessed(write, status)
    for result in _RESULT.findall(report.decode("utf-8", "replace")):
        told = _TOLD.search(result)
        if f"<MessageID>{message}<" in result and "<ResultCode>Error<" in result and told is not None:
            why = " ".join(unescape(told[1]).split())
            return Receipt(outcome="rejected", detail=f"Amazon did not cancel the order: {why}")
    return Receipt(outcome="accepted", ticket=write.ticket)
