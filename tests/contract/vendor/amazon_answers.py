"""What Amazon published as examples of its answers, read by the connector and its mappings; reports and notifications.

What surprises here: ``x-amzn-api-sandbox`` holds request and answer in pairs; of eight the answer breaks its own model
and is left out. An answer is read as the connector reads it: documents, the next page, an error's sentence and what to
do next; a document goes through its mapping.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from connectors import amazon_writes as written
from connectors.amazon import Amazon
from connectors.amazon_facts import SETTLEMENT, TYPES, operation_of
from connectors.amazon_feeds import processed
from connectors.amazon_notices import documents, noticed
from connectors.answers import Answer, Unsure, said, trouble
from connectors.base import Doc, Write
from connectors.errors import ConnectorError, Misconfigured, RetryLater
from connectors.paging import at
from flows.mapping_files import PACKAGE, compile_file
from mappings.language.examples import mapped
from tests.contract.amazon_simulator import NOW, Simulated
from tests.contract.openapi import Schema, misfits, plain

if TYPE_CHECKING:
    from tests.contract.harness import Call, Reply
    from tests.contract.vendor.amazon import _Amazon

NOTIFICATIONS: Mapping[str, str] = {
    "ORDER_CHANGE": "OrderChangeNotification", "LISTINGS_ITEM_STATUS_CHANGE": "ListingsItemStatusChangeNotification",
    "LISTINGS_ITEM_ISSUES_CHANGE": "ListingsItemIssuesChangeNotification",
    "LISTINGS_ITEM_MFN_QUANTITY_CHANGE": "ListingsItemMfnQuantityChange",
    "FBA_INVENTORY_AVAILABILITY_CHANGES": "FBAInventoryAvailabilityChangeNotification",
    "REPORT_PROCESSING_FINISHED": "ReportProcessingFinishedNotification",
    "FEED_PROCESSING_FINISHED": "FeedProcessingFinishedNotification",
}  # fmt: skip
READ: Mapping[str, tuple[str, ...]] = {
    "searchListingsItems": ("listings", "listing_prices"), "getListingsItem": ("listings", "listing_prices"),
    "searchOrders": ("orders",), "getOrder": ("orders",), "getInventorySummaries": ("inventory",),
    "listReturns": ("returns",), "getReturn": ("returns",),
}  # fmt: skip
"""Operation → the mappings that read its documents."""
COMPANY = {"name": "Karavan", "country": "KZ", "currency": "KZT", "tax": "0.16", "price_list": "retail"}


def notification(vendor: _Amazon, kind: str) -> Schema:
    """The schema of a notification."""
    text = vendor.file(f"schemas/notifications/{NOTIFICATIONS[kind]}.json").read_text(encoding="utf-8")
    file = json.loads(text)
    return plain(file, file)


def reports(vendor: _Amazon, answered: Sequence[tuple[Call, Reply]]) -> Iterator[str]:
    """Processing reports of the simulator that Amazon's schema does not allow."""
    from tests.contract.vendor.amazon import unpacked

    path = "schemas/feeds/listings-feed-processing-report-schema-v2.json"
    file = json.loads(vendor.file(path).read_text(encoding="utf-8"))
    schema = plain({"type": "object", **file}, file)
    found = [data for _, reply in answered if (data := unpacked(reply)) is not None and data[:1] == b"{"]
    if not found:
        yield "no feed was processed"
    for data in found:
        yield from (f"processing report: {wrong}" for wrong in misfits(json.loads(data), schema, strict=True))


def examples(vendor: _Amazon) -> Iterator[tuple[str, str | None]]:
    """Every published example of an operation that we ask, with what is wrong in how it was read."""
    asked = {name for name in vendor.known() if " " in name}
    for operation in vendor.api.operations:
        if operation.name not in asked:
            continue
        for status, row in operation.row["responses"].items():
            for n, pair in enumerate((row.get("x-amzn-api-sandbox") or {}).get("static") or ()):
                schema = operation.answer(int(status))
                answer = pair["response"]
                if schema is not None and list(misfits(answer, schema, strict=False)):
                    continue
                name = operation_of(operation.method, operation.path)
                yield f"{name} {status} {n}", _read(name, int(status), answer)
    yield from _notices(vendor)
    yield _processed(vendor)


def _read(name: str, status: int, body: Any) -> str | None:
    """What is wrong in how an answer was read; None: nothing."""
    given = Answer(status=status, headers={}, body=body, url="http://x/", asked_at=NOW, began=NOW)
    if status >= 400:
        return _refused(given)
    if name in READ:
        return _documents(name, given)
    if name in ("patchListingsItem", "putListingsItem", "deleteListingsItem"):
        receipt = written.judged(Write(key="k", op="update", id="S", doc={}), body, NOW)
        rejected = body["status"] == "INVALID"
        wrong = (receipt.outcome == "rejected") is not rejected or (rejected and not receipt.detail)
        return f"{body['status']} was read as {receipt.outcome}: {receipt.detail}" if wrong else None
    told = {
        "createFeed": "feedId", "createFeedDocument": "url", "getFeed": "processingStatus", "getFeedDocument": "url",
        "getReports": "reports", "getReport": "reportId", "getReportDocument": "url",
        "createRestrictedDataToken": "restrictedDataToken", "getDestinations": "payload.0.destinationId",
        "createDestination": "payload.destinationId", "getSubscription": "payload.destinationId",
        "createSubscription": "payload.destinationId",
    }  # fmt: skip
    if name == "getOrderV0":
        whole = written.with_buyer({"orderId": "O"}, body["payload"])
        wanted = {"buyer": "BuyerInfo", "recipient": "ShippingAddress"}
        lost = [word for name, word in wanted.items() if (name in whole) is not (word in body["payload"])]
        return f"{lost[0]} was not found" if lost else None
    if name == "confirmShipment":
        return None if body == {} else "a confirmation answers nothing"
    return None if isinstance(at(body, told[name]), str | list) else f"nothing stands at {told[name]}"


def _refused(given: Answer) -> str | None:
    """An error says what to do next, and why."""
    problem: ConnectorError | None = trouble("x", given, lambda text: text, lambda: "ask")
    wanted = {429: RetryLater, 401: Misconfigured, 403: Misconfigured, 500: Unsure, 503: Unsure}.get(given.status)
    if wanted is not None and not isinstance(problem, wanted):
        return f"{given.status} was read as {type(problem).__name__}"
    return None if said(given.body) else "its sentence was not found"


def _documents(name: str, given: Answer) -> str | None:
    """The documents of an answer through the connector and the mappings."""
    from tests.contract.vendor.amazon import connected

    simulated = Simulated()
    connector = connected(simulated)
    connector.options = {**connector.options, "personal": "roles"}
    with simulated.running():  # of a return the connector asks for its order too
        return _taken(connector, name, given)


def _taken(connector: Amazon, name: str, given: Answer) -> str | None:
    for resource in READ[name]:
        facts = connector.facts(resource)
        single = name in ("getListingsItem", "getOrder", "getReturn")
        docs: Sequence[Doc] = [at(given.body, facts.embed or "")] if single else connector._documents(
            resource, facts, given)  # fmt: skip
        if not single:
            further = at(given.body, facts.paging_options["next"])
            after = connector._onward(resource, facts, {}, given)
            if isinstance(further, str) and (after or {}).get(facts.paging_options["param"]) != further:
                return f"the next page is {further}, not {after}"
        wrong = _mapped(resource, docs)
        if wrong is not None:
            return wrong
    return None


def _mapped(resource: str, docs: Sequence[Doc]) -> str | None:
    mapping = compile_file(None, PACKAGE / "amazon" / f"{resource}.yaml")
    for doc in docs:
        places = [row["marketplaceId"] for row in doc.get("summaries") or ()]
        settings = {"marketplace": places[0] if places else "ATVPDKIKX0DER"}
        given = {"given": doc, "context": {"settings": settings, "company": COMPANY}}
        made = mapped(mapping, given)
        faults = [str(fault) for fault in getattr(made, "faults", ())]
        if faults:
            return faults[0]
    return None


def _notices(vendor: _Amazon) -> Iterator[tuple[str, str | None]]:
    """The examples of notifications, taken as the receiver takes them."""
    for kind, name in NOTIFICATIONS.items():
        file = json.loads(vendor.file(f"schemas/notifications/{name}.json").read_text(encoding="utf-8"))
        for n, one in enumerate(file.get("examples") or ()):
            if not one:
                continue
            payload = one.get("Payload") or one.get("payload")
            inner = next(iter(payload.values())) if len(payload) == 1 else payload
            seller = str(inner.get("SellerId", inner.get("sellerId", "")))
            if kind == "REPORT_PROCESSING_FINISHED":
                inner["reportType"] = SETTLEMENT
            notice = noticed(next(documents(one)), NOW, seller)
            known = kind in TYPES
            wrong = None if (notice is not None) == known else "it was passed over" if known else "it was believed"
            if notice is not None and not (notice.id and notice.delivery and replace(notice, at=NOW)):
                wrong = "it names nothing"
            yield f"{kind} {n}", wrong


def _processed(vendor: _Amazon) -> tuple[str, str | None]:
    """The published processing report: two of its messages were refused."""
    path = "schemas/feeds/listings-feed-processing-report-schema-v2.example.json"
    report = json.loads(vendor.file(path).read_text(encoding="utf-8"))
    write = Write(key="k", op="update", id="S", doc={})
    ends = [processed(write, message, report).outcome for message in range(1, 6)]
    right = ends == ["applied", "applied", "applied", "rejected", "rejected"]
    return "processing report", None if right else f"it was read as {ends}"
