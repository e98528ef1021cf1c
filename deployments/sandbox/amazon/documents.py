"""Feeds and reports of the simulated marketplace, and the documents they are made of.

What surprises here:

* A document lies at a pre-signed address: it wants no token and refuses one, lives five minutes, and what is stored
  there must say the content type that was announced. What Amazon made is packed with gzip; no header says so.
* A feed ends DONE, CANCELLED or FATAL; ``fates`` says how the next ones do. DONE says nothing of its messages: the
  processing report does.
* Settlement reports are made by the marketplace itself (``settle``), never on demand; a token for the next page of
  reports goes alone.
"""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import msgspec

from deployments.sandbox.amazon import listings, orders
from deployments.sandbox.amazon.state import Market, stamp
from deployments.sandbox.design import Refused
from deployments.sandbox.notation import Doc, parsed

SETTLEMENT = "GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2"
FEED, CANCELLING = "JSON_LISTINGS_FEED", "POST_ORDER_ACKNOWLEDGEMENT_DATA"
REASONS = {
    "NoInventory", "ShippingAddressUndeliverable", "CustomerExchange", "BuyerCanceled", "GeneralAdjustment",
    "CarrierCreditDecision", "RiskAssessmentInformationNotValid", "CarrierCoverageFailure", "CustomerReturn",
    "MerchandiseNotReceived",
}  # fmt: skip
"""Why a seller may cancel an order."""
LIFE = timedelta(minutes=5)
COMMISSION = Decimal("0.12")
"""What the marketplace keeps of a sale."""
_encode = msgspec.json.Encoder(decimal_format="number").encode
COLUMNS = (
    "settlement-id", "settlement-start-date", "settlement-end-date", "deposit-date", "total-amount", "currency",
    "transaction-type", "order-id", "merchant-order-id", "adjustment-id", "shipment-id", "marketplace-name",
    "amount-type", "amount-description", "amount", "fulfillment-id", "posted-date", "posted-date-time",
    "order-item-code", "merchant-order-item-id", "merchant-adjustment-item-id", "sku", "quantity-purchased",
    "promotion-id",
)  # fmt: skip


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


def make(market: Market, kind: str, content: bytes | None, content_type: str = "") -> str:
    """A document, to be stored by the seller (``content`` None) or read by him; its id."""
    id = f"amzn1.tortuga.4.eu.{uuid.uuid4()}"
    market.documents[id] = {"kind": kind, "content": content, "type": content_type, "at": market.now()}
    return id


def address(market: Market, base: str, id: str) -> str:
    """A fresh pre-signed address of a document."""
    document = market.documents[id]
    document["at"], document["signature"] = market.now(), uuid.uuid4().hex
    return f"{base}/documents/{id}?X-Amz-Expires=300&X-Amz-Signature={document['signature']}"


def described(market: Market, base: str, name: str, id: str) -> Doc:
    """What `getFeedDocument` and `getReportDocument` say."""
    if id not in market.documents:
        raise Refused(404, "NotFound", "Invalid input")
    return {name: id, "url": address(market, base, id), "compressionAlgorithm": "GZIP"}


def stored(
    market: Market, method: str, id: str, query: Mapping[str, str], headers: Mapping[str, str], data: bytes
) -> bytes:
    """What the address of a document answers."""
    document = market.documents.get(id)
    if document is None or query.get("X-Amz-Signature") != document.get("signature"):
        raise Refused(403, "SignatureDoesNotMatch", "The request signature we calculated does not match")
    if market.now() - document["at"] > LIFE:
        raise Refused(403, "AccessDenied", "Request has expired")
    if "x-amz-access-token" in headers or "authorization" in headers:
        raise Refused(400, "InvalidArgument", "Only one auth mechanism allowed")
    if method == "PUT":
        if document["content"] is not None or headers.get("content-type") != document["type"]:
            raise Refused(403, "SignatureDoesNotMatch", "The content type is not the one that was announced")
        document["content"] = data
        return b""
    return bytes(document["content"] or b"")


# ── feeds ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def feed_document(market: Market, base: str, body: Any) -> Doc:
    """`createFeedDocument`."""
    if not isinstance(body, dict) or not isinstance(body.get("contentType"), str):
        raise Refused(400, "InvalidInput", "contentType is required")
    id = make(market, "feed", None, body["contentType"])
    return {"feedDocumentId": id, "url": address(market, base, id)}


def create_feed(market: Market, body: Any) -> Doc:
    """`createFeed`."""
    known = isinstance(body, dict) and body.get("feedType") in (FEED, CANCELLING)
    if not known or body.get("marketplaceIds") != [market.marketplace]:
        raise Refused(400, "InvalidInput", "feedType and marketplaceIds are required")
    document = market.documents.get(str(body.get("inputFeedDocumentId")))
    if document is None or document["content"] is None:
        raise Refused(400, "InvalidInput", "inputFeedDocumentId: nothing was stored there")
    id = str(market.number("feed", 50_000))
    fate = market.fates.pop(0) if market.fates else "DONE"
    market.feeds[id] = {"feedId": id, "feedType": body["feedType"], "marketplaceIds": [market.marketplace],
                        "made": market.now(), "createdTime": stamp(market.now()), "processingStatus": "IN_QUEUE",
                        "fate": fate, "content": document["content"]}  # fmt: skip
    return {"feedId": id}


def feed(market: Market, id: str) -> Doc:
    """`getFeed`; a feed whose time has come is processed."""
    found = market.feeds.get(id)
    if found is None:
        raise Refused(404, "NotFound", "Invalid input")
    if found["processingStatus"] == "IN_QUEUE" and market.now() - found["made"] >= timedelta(seconds=market.feed_lag):
        _process(market, found)
    hidden = ("made", "fate", "content")
    return {name: value for name, value in found.items() if name not in hidden}


def _process(market: Market, feed: Doc) -> None:
    content = feed.pop("content")
    work = _cancelled if feed["feedType"] == CANCELLING else _listed
    report = work(market, feed["feedId"], content) if feed["fate"] == "DONE" else b""
    sound = report is not None
    feed["processingStartTime"] = feed["processingEndTime"] = stamp(market.now())
    feed["processingStatus"] = feed["fate"] if sound else "FATAL"
    told = {"sellerId": market.seller, "accountId": account(market), "feedId": feed["feedId"],
            "feedType": feed["feedType"],
            "processingStatus": feed["processingStatus"]}  # fmt: skip
    if feed["processingStatus"] == "DONE" and report is not None:
        feed["resultFeedDocumentId"] = make(market, "report", gzip.compress(report))
        told["resultFeedDocumentId"] = feed["resultFeedDocumentId"]
    market.tell("FEED_PROCESSING_FINISHED", {"feedProcessingFinishedNotification": told})


def _listed(market: Market, id: str, content: bytes) -> bytes | None:
    """The processing report of a feed of listings; None: it is none."""
    try:
        feed = json.loads(content, parse_float=Decimal)
        header, messages = feed["header"], feed["messages"]
        sound = header["sellerId"] == market.seller and header["version"] == "2.0"
    except (ValueError, KeyError, TypeError):
        return None
    return _encode(_report(market, id, messages)) if sound else None


def _cancelled(market: Market, id: str, content: bytes) -> bytes | None:
    """The processing report of a feed that cancels orders, in XML as the feed; None: it is none."""
    try:
        feed = ElementTree.fromstring(content.decode())  # noqa: S314 (what our own connector made, on loopback)
    except (ElementTree.ParseError, UnicodeDecodeError):
        return None
    if feed.findtext("Header/MerchantIdentifier") != market.seller:
        return None
    results = []
    for message in feed.findall("Message"):
        number, order = message.findtext("MessageID"), message.find("OrderAcknowledgement")
        reasons = [] if order is None else [item.findtext("CancelReason") for item in order.findall("Item")]
        try:
            if order is None or order.findtext("StatusCode") != "Failure" or not set(reasons) <= REASONS or not reasons:
                raise Refused(400, "5000", "XML Parsing Error: the message is not a cancellation")
            found = market.order(str(order.findtext("AmazonOrderID")))
            if found["network"]:
                raise Refused(409, "18028", "The order is fulfilled by Amazon")
            orders.cancel(market, {"id": found["id"], "by": "MERCHANT", "reason": reasons[0]})
        except Refused as refused:
            results.append(
                f"<Result><MessageID>{number}</MessageID><ResultCode>Error</ResultCode>"
                f"<ResultDescription>{escape(str(refused))}</ResultDescription></Result>"
            )
    body = "".join(results)
    return f"<AmazonEnvelope><Message><ProcessingReport>{body}</ProcessingReport></Message></AmazonEnvelope>".encode()


def _report(market: Market, id: str, messages: Sequence[Doc]) -> Doc:
    issues: list[Doc] = []
    invalid = 0
    for message in messages:
        wrong = _message(market, message)
        invalid += bool(wrong)
        for one in wrong:
            row = {"messageId": message["messageId"], "sku": message["sku"], "code": one["code"],
                   "severity": one["severity"], "message": one["message"]}  # fmt: skip
            issues.append(row | ({"attributeName": one["attributeNames"][0]} if one.get("attributeNames") else {}))
    counts = {"errors": len(issues), "warnings": 0, "messagesProcessed": len(messages),
              "messagesAccepted": len(messages) - invalid, "messagesInvalid": invalid}  # fmt: skip
    return {"header": {"sellerId": market.seller, "version": "2.0", "feedId": id}, "issues": issues, "summary": counts}


def _message(market: Market, message: Doc) -> Sequence[Doc]:
    """What is wrong with a message; nothing: it is done."""
    sku = str(message["sku"])
    try:
        if message["operationType"] == "PATCH":
            answer = listings.patch(market, sku, message)
        elif message["operationType"] == "UPDATE":
            answer = listings.put(market, sku, message)
        else:
            answer = listings.delete(market, sku)
    except Refused as refused:
        return [listings.issue(str(refused.error["code"]), str(refused), "INVALID_ATTRIBUTE")]
    found: Sequence[Doc] = answer["issues"]
    return found


# ── reports ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def reports(market: Market, query: Mapping[str, str]) -> Doc:
    """A page of `getReports`, the newest first."""
    start = 0
    if "nextToken" in query:
        if set(query) != {"nextToken"} or not query["nextToken"].isdigit():
            raise Refused(400, "InvalidInput", "nextToken goes alone")
        start, size = int(query["nextToken"]), market.report_page
    else:
        size = market.report_page = int(query.get("pageSize", "10"))
    if "nextToken" not in query and "reportTypes" not in query:
        raise Refused(400, "InvalidInput", "reportTypes or nextToken is required")
    since = parsed(query["createdSince"]) if "createdSince" in query else None
    rows = [one for one in market.reports.values() if since is None or one["made"] >= since]
    rows.sort(key=lambda one: (one["made"], one["reportId"]), reverse=True)
    found: Doc = {"reports": [report(market, one["reportId"]) for one in rows[start : start + size]]}
    if start + size < len(rows):
        found["nextToken"] = str(start + size)
    return found


def report(market: Market, id: str) -> Doc:
    """`getReport`."""
    found = market.reports.get(id)
    if found is None:
        raise Refused(404, "NotFound", "Invalid input")
    return {name: value for name, value in found.items() if name != "made"}


def settle(market: Market, ask: Mapping[str, Any]) -> Doc:
    """The marketplace pays out what was sent or came back since its last report.

    ``{commission?, corrections?, more?}``: the rate it keeps; order → what it adds or takes; rows
    ``{type, orderId, amount}`` as they are.
    """
    rate = Decimal(str(ask.get("commission", COMMISSION)))
    rows: list[tuple[str, str, str, str, Decimal, str]] = []
    for order in market.orders.values():
        if order["status"] == "SHIPPED" and order["id"] not in market.settled:
            market.settled.add(order["id"])
            rows += _sale(order, rate)
    for one in market.returns.values():
        if one["id"] not in market.settled:
            market.settled.add(one["id"])
            rows.append(("Refund", one["order"], "ItemPrice", "Principal", -one["amount"], one["sku"]))
    for id, amount in (ask.get("corrections") or {}).items():
        rows.append(("other-transaction", str(id), "other-transaction", "Correction", Decimal(str(amount)), ""))
    for row in ask.get("more") or ():
        rows.append((str(row["type"]), str(row["orderId"] or ""), "other-transaction", str(row["type"]),
                     Decimal(str(row["amount"])), ""))  # fmt: skip
    return _paid(market, rows)


def _sale(order: Doc, rate: Decimal) -> list[tuple[str, str, str, str, Decimal, str]]:
    rows = []
    for item in order["items"]:
        amounts = {("ItemPrice", "Principal"): item["price"] * item["quantity"], ("ItemPrice", "Tax"): item["tax"],
                   ("ItemPrice", "Shipping"): item["shipping"],
                   ("Promotion", "Principal"): -item["discount"]}  # fmt: skip
        paid = sum(amounts.values(), Decimal(0))
        amounts["ItemFees", "Commission"] = -(paid * rate).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
        rows += [("Order", order["id"], kind, what, amount, item["sku"])
                 for (kind, what), amount in amounts.items() if amount != 0]  # fmt: skip
    return rows


def _paid(market: Market, rows: Sequence[tuple[str, str, str, str, Decimal, str]]) -> Doc:
    number, now = str(market.number("settlement", 18_000_000)), market.now()
    total = sum((row[4] for row in rows), Decimal(0))
    last = max((one["dataEndTime"] for one in market.reports.values()), default=None)
    start = "" if last is None else _written(last)
    head = [number, start, _written(stamp(now)), _written(stamp(now)), f"{total:.2f}", market.currency]
    lines = [COLUMNS, [*head, *[""] * (len(COLUMNS) - len(head))]]
    for kind, order, of, what, amount, sku in rows:
        row = dict.fromkeys(COLUMNS, "") | {
            "settlement-id": number, "transaction-type": kind, "order-id": order, "merchant-order-id": order,
            "adjustment-id": f"amzn1:crow:{len(lines)}" if kind == "Refund" else "", "marketplace-name": "Amazon",
            "amount-type": of, "amount-description": what, "amount": f"{amount:.2f}",
            "posted-date": _written(stamp(now))[:10], "posted-date-time": _written(stamp(now)), "sku": sku,
        }  # fmt: skip
        lines.append(list(row.values()))
    text = "".join("\t".join(line) + "\r\n" for line in lines)
    id = str(market.number("report", 60_000))
    document = make(market, "report", gzip.compress(text.encode()))
    market.reports[id] = {
        "reportId": id, "reportType": SETTLEMENT, "marketplaceIds": [market.marketplace], "made": now,
        "createdTime": stamp(now), "processingStatus": "DONE", "dataEndTime": stamp(now), "reportDocumentId": document,
        **({} if last is None else {"dataStartTime": last}),
    }  # fmt: skip
    market.tell("REPORT_PROCESSING_FINISHED", {"reportProcessingFinishedNotification": {
        "sellerId": market.seller, "accountId": account(market), "reportId": id, "reportType": SETTLEMENT,
        "processingStatus": "DONE",
        "reportDocumentId": document,
    }})  # fmt: skip
    return {"id": id, "number": number, "total": f"{total:.2f}"}


def account(market: Market) -> str:
    """The seller's account, as some notifications call it."""
    return f"amzn1.merchant.o.{market.seller}"


def _written(text: str) -> str:
    """A moment as the flat file writes it."""
    return text.replace("T", " ").replace("Z", " UTC")


# ── returns ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def refund(market: Market, ask: Mapping[str, Any]) -> Doc:
    """A buyer sends goods back and gets the money from the marketplace: ``{id, lines: {item: quantity}}``.

    An item goes by its id or by its place in the order (1, 2, …).
    """
    order = market.order(str(ask["id"]))
    if order["status"] != "SHIPPED":
        raise Refused(409, "closed", f"the order is {order['status']}")
    known = {name: item for n, item in enumerate(order["items"], 1) for name in (str(n), item["id"])}
    made: Doc = {}
    for name, quantity in ask["lines"].items():
        item = known[str(name)]
        id = str(uuid.uuid4())
        amount = (orders.paid_for(item) / item["quantity"] * int(quantity)).quantize(Decimal("0.01"))
        made = {"id": id, "order": order["id"], "sku": item["sku"], "quantity": int(quantity), "amount": amount,
                "created": market.now(), "updated": market.now(), "status": str(ask.get("status", "PROCESSED"))}
        market.returns[id] = made
        market.books.enter("refund", market.now(), id=id, order=order["id"], number=order["id"], payments=[
            {"kind": "channel", "amount": f"{made['amount']:.2f}"}], why="people",
            lines=[{"sku": item["sku"], "quantity": str(quantity), "to": None, "tax_rate": None}])  # fmt: skip
    return {"id": made["id"]}


def returned(market: Market, id: str) -> Doc:
    """`getReturn`."""
    found = market.returns.get(id)
    if found is None:
        raise Refused(404, "NotFound", "Return not found")
    return {
        "id": id, "merchantSku": found["sku"], "returnType": "CUSTOMER", "returnSubType": "NORMAL",
        "numberOfUnits": found["quantity"], "status": found["status"], "fulfillmentLocationId": "LOC-1",
        "creationDateTime": stamp(found["created"]), "lastUpdatedDateTime": stamp(found["updated"]),
        "returnMetadata": {"returnReason": "CR-UNWANTED_ITEM", "rmaId": f"RMA-{id[:8]}"},
        "returnShippingInfo": {"deliveryDateTime": stamp(found["updated"])},
        "marketplaceChannelDetails": {
            "customerOrderId": found["order"], "channelSku": found["sku"], "merchantId": market.seller,
            "marketplaceChannel": {"marketplaceName": "AMAZON", "channelName": "MFN"},
        },
    }  # fmt: skip


def returns(market: Market, query: Mapping[str, str]) -> Doc:
    """A page of `listReturns`: whoever asks by change names a place and a status too."""
    if "lastUpdatedSince" in query and not {"returnLocationId", "status"} <= set(query):
        raise Refused(400, "InvalidInput", "lastUpdatedSince goes with returnLocationId and status")
    size, start = int(query.get("maxResults", "10")), int(query.get("nextToken", "0"))
    rows = sorted(market.returns.values(), key=lambda one: (one["created"], one["id"]))
    if "createdSince" in query:
        rows = [one for one in rows if one["created"] >= parsed(query["createdSince"])]
    found: Doc = {"returns": [returned(market, one["id"]) for one in rows[start : start + size]]}
    if start + size < len(rows):
        found["nextToken"] = str(start + size)
    return found
