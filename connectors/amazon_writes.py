"""What is sent to Amazon and what its answers mean: patches, messages of a feed, packages, settlement reports.

What surprises here:

* A listing is compared by what its seller said of it (``attributes``), not by what buyers see: sales lower the latter.
* A package's reference is a positive number of ours, made of the write's key: the same key is the same package.
* A settlement report is text with tabs; its first row is the sum, and every other row leaves those columns empty. Its
  moments are written as ``2026-03-01 09:00:00 UTC``, with an offset, or in Europe as ``01.03.2026 09:00:00 UTC``, its
  amounts there with a comma (samples that sellers published, looked up 2026-11-22; Amazon describes columns only).
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from connectors.amazon_facts import SETTLEMENT, TYPES
from connectors.answers import decoded
from connectors.base import Doc, Notice, Receipt, Write
from connectors.errors import ShapeChanged
from connectors.window import moment as stamp
from connectors.writes import NOT_FOUND, holds

LARGEST_DOCUMENT: Final = 64_000_000
"""Bytes of an unpacked document."""
SENT_AT: Final = "@"
"""Between a submission's id and its moment, in a ticket."""
WITHIN: Final = "/"
"""Between an order's id and its package's reference."""


def submission(write: Write) -> Doc:
    """The body of putListingsItem or patchListingsItem."""
    if write.op == "create":
        return {"requirements": "LISTING", **{name: value for name, value in write.doc.items() if name != "sku"}}
    return write.doc


def sku_of(write: Write) -> str:
    """Which listing a write is about. Raises ValueError where it names none."""
    sku = write.id if write.id is not None else write.doc.get("sku")
    if not isinstance(sku, str) or sku == "":
        raise ValueError("`sku` should be a text")
    return sku


def judged(write: Write, body: Any, at: datetime) -> Receipt:
    """What a submission's answer means: INVALID is a rejection, ACCEPTED is to be processed. Raises ShapeChanged."""
    status = body.get("status") if isinstance(body, dict) else None
    if status == "INVALID":
        return Receipt(outcome="rejected", id=write.id, detail=told(body.get("issues")))
    if status not in ("ACCEPTED", "VALID"):
        raise ShapeChanged(f"listings: the answer to a submission has the status {status!r}")
    return Receipt(outcome="accepted", id=sku_of(write), ticket=f"{body.get('submissionId')}{SENT_AT}{at.isoformat()}")


def told(issues: Any) -> str:
    """What Amazon says is wrong: the code, the attributes, the sentence; "" when nothing stops the submission."""
    rows = [row for row in issues or () if isinstance(row, dict) and row.get("severity", "ERROR") == "ERROR"]
    parts = [" ".join(filter(None, (str(row.get("code", "")), *map(str, row.get("attributeNames") or ()), "—",
                                    str(row.get("message", ""))))) for row in rows[:5]]  # fmt: skip
    return "; ".join(parts)


def concluded(write: Write, doc: Doc | None, over: bool) -> Receipt:
    """What became of a submission, from the listing as it is now; ``over``: it had time enough to be processed."""
    if write.op == "delete":
        if doc is None:
            return Receipt(outcome="applied", id=write.id)
        return Receipt(outcome="rejected", detail=NOT_FOUND + "the listing is still there")
    id = sku_of(write)
    if doc is not None and said(doc.get("attributes") or {}, write):
        return Receipt(outcome="applied", id=id, doc=doc)
    wrong = told(_about(doc, write))
    if wrong:
        return Receipt(outcome="rejected", id=id, detail=wrong)
    if write.ticket is not None and not over:
        return Receipt(outcome="accepted", id=id, ticket=write.ticket)
    if write.ticket is not None:
        return Receipt(outcome="unknown", id=id, detail="it was accepted, and the listing does not say it")
    lacks = "the listing does not exist" if doc is None else "the listing does not say what was sent"
    return Receipt(outcome="rejected", detail=NOT_FOUND + lacks)


def said(attributes: Mapping[str, Any], write: Write) -> bool:
    """Every attribute sent stands in the listing; rows of others (another audience, another place) may stand beside."""
    if write.op == "create":
        return all(_stands(attributes.get(name), value) for name, value in write.doc.get("attributes", {}).items())
    for row in write.doc.get("patches", ()):
        name = str(row["path"]).rpartition("/")[2]
        if row["op"] == "delete":
            if name in attributes:
                return False
        elif not _stands(attributes.get(name), row.get("value")):
            return False
    return True


def _stands(held: Any, sent: Any) -> bool:
    if not isinstance(sent, list) or not isinstance(held, list):
        return holds(held, sent)
    return all(any(holds(row, wanted) for row in held) for wanted in sent)


def _about(doc: Doc | None, write: Write) -> list[Doc]:
    """The listing's issues with what this write sent."""
    names = {str(row["path"]).rpartition("/")[2] for row in write.doc.get("patches", ())}
    names |= set(write.doc.get("attributes", {}))
    found = [] if doc is None else doc.get("issues") or []
    return [row for row in found if names & {str(name).split(".")[0] for name in row.get("attributeNames") or ()}]


# ── feeds ────────────────────────────────────────────────────────────────────────────────────────────────────────────

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


def unprocessed(write: Write, status: str) -> Receipt:
    """What becomes of a write whose feed was given up (CANCELLED, FATAL): nothing of it was done."""
    why = f"Amazon gave the feed up ({status})"
    if write.op != "update" and write.attempt < MOST_FEEDS:
        return Receipt(outcome="rejected", detail=f"{NOT_FOUND}{why}")
    if status == "CANCELLED" or write.attempt < MOST_FEEDS:
        return Receipt(outcome="unknown", id=write.id, detail=why)
    return Receipt(outcome="rejected", id=write.id, detail=f"{why}; its processing report in Seller Central says why")


def unpacked(data: bytes, algorithm: str | None) -> bytes:
    """A document's content. Raises ShapeChanged for what cannot be unpacked, or would fill the memory."""
    if algorithm is None:
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            found = packed.read(LARGEST_DOCUMENT + 1)
    except (OSError, EOFError, zlib.error) as fault:
        raise ShapeChanged(f"a document cannot be unpacked ({algorithm}): {type(fault).__name__}") from None
    if len(found) > LARGEST_DOCUMENT:
        raise ShapeChanged(f"a document is larger than {LARGEST_DOCUMENT:,} bytes")
    return found


# ── packages ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def reference(key: str) -> str:
    """The package's number that a key stands for: positive, of at most 15 digits."""
    return str(int(sha256(key.encode()).hexdigest(), 16) % 899_999_999_999_999 + 100_000_000_000_000)


def package_of(write: Write) -> tuple[str, str]:
    """Order and reference of the package that a write is about."""
    if write.id is not None:
        order, _, ours = write.id.rpartition(WITHIN)
        return order, ours
    return str(write.doc["orderId"]), str(write.doc.get("packageReferenceId") or reference(write.key))


def parcel(marketplace: str, write: Write, at: datetime) -> Doc:
    """The body of confirmShipment."""
    doc, (_, ours) = write.doc, package_of(write)
    detail = {name: value for name, value in doc.items() if name not in ("orderId", "id") and value is not None}
    return {"marketplaceId": marketplace,
            "packageDetail": {"shipDate": at.isoformat(), **detail, "packageReferenceId": ours}}  # fmt: skip


def packages(order: Doc) -> Iterator[Doc]:
    """The packages of an order, each with its order and an id of its own."""
    for row in order.get("packages") or ():
        id = f"{order['orderId']}{WITHIN}{row['packageReferenceId']}"
        yield {**row, "id": id, "orderId": order["orderId"], "lastUpdatedTime": order["lastUpdatedTime"]}


def same_parcel(doc: Doc, write: Write) -> bool:
    """The package holds what was sent; a carrier comes back under its name."""
    rows = {row["orderItemId"]: row["quantity"] for row in doc.get("packageItems") or ()}
    sent = {row["orderItemId"]: row["quantity"] for row in write.doc.get("orderItems") or ()}
    return rows == sent and doc.get("trackingNumber") == write.doc.get("trackingNumber")


# ── settlement reports ───────────────────────────────────────────────────────────────────────────────────────────────

_COLUMNS: Final[Mapping[str, str]] = {
    "transaction-type": "type", "order-id": "orderId", "amount-type": "amountType",
    "amount-description": "description", "amount": "amount", "sku": "sku", "order-item-code": "orderItemId",
    "quantity-purchased": "quantity", "posted-date-time": "postedAt", "posted-date": "postedDate",
}  # fmt: skip


_NEEDED: Final = frozenset({
    "settlement-id", "total-amount", "currency", "transaction-type", "order-id", "amount-type", "amount-description",
    "amount",
})  # fmt: skip


def settlement(report: Doc, text: str) -> Doc:
    """A settlement report as a document: what it is of, and its rows. Raises ShapeChanged naming the missing column."""
    rows = list(csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))
    lacking = sorted(_NEEDED - set(rows[0])) if rows else ["row"]
    if lacking:
        raise ShapeChanged(f"settlement report {report['reportId']}: it has no {lacking[0]}")
    head, *rest = rows
    return {
        "reportId": report["reportId"], "createdTime": report["createdTime"], "settlementId": head["settlement-id"],
        "start": moment(head.get("settlement-start-date")), "end": moment(head.get("settlement-end-date")),
        "depositDate": moment(head.get("deposit-date")), "total": number(head["total-amount"]),
        "currency": head["currency"],
        "rows": [_row(n, row) for n, row in enumerate(rest, 1)],
    }  # fmt: skip


def _row(n: int, row: Mapping[str, str]) -> Doc:
    found: Doc = {"row": str(n)} | {name: row.get(column) or None for column, name in _COLUMNS.items()}
    found["amount"] = number(str(found["amount"]))
    found["postedAt"] = moment(found["postedAt"] or found.pop("postedDate", None))
    found.pop("postedDate", None)
    return found


def number(text: str) -> str:
    """An amount as the report writes it, with a point: ``1.234,50`` and ``1234.50`` are the same."""
    text = text.strip().replace(" ", "")
    if re.fullmatch(r"-?[\d.]*,\d{1,2}", text):
        return text.replace(".", "").replace(",", ".")
    return text


def moment(text: str | None) -> str | None:
    """ISO text of a report's moment; what is none stays as it is, for its mapping to say so."""
    plain = (text or "").strip().removesuffix(" UTC")
    for form in ("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%Y-%m-%d", "%d.%m.%Y"):
        try:
            return datetime.strptime(plain, form).replace(tzinfo=UTC).isoformat()
        except ValueError:
            continue
    found = stamp(plain)
    return text or None if found is None else found.isoformat()


# ── buyers and notices ───────────────────────────────────────────────────────────────────────────────────────────────

_BUYER: Final[Mapping[str, str]] = {"BuyerName": "buyerName", "BuyerEmail": "buyerEmail"}
_ADDRESS: Final[Mapping[str, str]] = {
    "Name": "name", "AddressLine1": "addressLine1", "AddressLine2": "addressLine2", "AddressLine3": "addressLine3",
    "City": "city", "StateOrRegion": "stateOrRegion", "PostalCode": "postalCode", "CountryCode": "countryCode",
    "Phone": "phone",
}  # fmt: skip


def with_buyer(order: Doc, old: Any) -> Doc:
    """The order with buyer and address of Orders v0, in the words of Orders 2026-01-01."""
    told = old if isinstance(old, dict) else {}
    found = dict(order)
    buyer = {name: told["BuyerInfo"][word] for word, name in _BUYER.items() if word in told.get("BuyerInfo", {})}
    address = {name: told["ShippingAddress"][word] for word, name in _ADDRESS.items()
               if word in told.get("ShippingAddress", {})}  # fmt: skip
    if buyer:
        found["buyer"] = buyer
    if address:
        found["recipient"] = {"deliveryAddress": address}
    return found


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


def noticed(document: Doc, at: datetime, seller: str) -> Notice | None:
    """The news in a notification; None: it is about nothing that is read here, or about another seller."""
    small = {name[:1].lower() + name[1:]: value for name, value in document.items()}
    metadata = {name[:1].lower() + name[1:]: value for name, value in (small.get("notificationMetadata") or {}).items()}
    kind, payload = small.get("notificationType"), small.get("payload")
    if not isinstance(kind, str) or kind not in TYPES or not isinstance(payload, dict):
        return None
    resource, name = TYPES[kind]
    inner = next((value for value in payload.values() if isinstance(value, dict) and name in value), payload)
    theirs = inner.get("SellerId", inner.get("sellerId", seller))
    if inner.get(name) is None or theirs != seller:
        return None
    if resource == "settlements" and inner.get("reportType") != SETTLEMENT:
        return None
    when = stamp(small.get("eventTime")) or at
    return Notice(delivery=str(metadata.get("notificationId") or f"{kind}:{inner[name]}:{when.isoformat()}"),
                  resource=resource, id=str(inner[name]), at=when)  # fmt: skip
