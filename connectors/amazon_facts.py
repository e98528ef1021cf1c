"""Facts of Amazon's Selling Partner API: operations with their usage plans, resources, what is asked of each.

What surprises here: the plans are the defaults printed beside each operation in Amazon's models (August 2026); an
account may have more, and says so in ``x-amzn-RateLimit-Limit``: write it into the channel's setting ``limits``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from connectors.base import Resource
from connectors.limits import Limit

LISTINGS: Final = "/listings/2021-08-01/items"
ORDERS: Final = "/orders/2026-01-01/orders"
ORDERS_V0: Final = "/orders/v0/orders"
FEEDS: Final = "/feeds/2021-06-30"
REPORTS: Final = "/reports/2021-06-30"
RETURNS: Final = "/externalFulfillment/2024-09-11/returns"
INVENTORY: Final = "/fba/inventory/v1/summaries"
NOTIFICATIONS: Final = "/notifications/v1"
RESTRICTED: Final = "/tokens/2021-03-01/restrictedDataToken"
LWA: Final = "https://api.amazon.com/auth/o2/token"
SETTLEMENT: Final = "GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2"
FEED: Final = "JSON_LISTINGS_FEED"


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One operation: where it is, and what of it one seller may ask a second, and at once."""

    name: str
    method: str
    path: str
    rate: float
    burst: float


def _op(name: str, method: str, path: str, rate: float, burst: float) -> Operation:
    return Operation(name=name, method=method, path=path, rate=rate, burst=burst)


OPERATIONS: Final[tuple[Operation, ...]] = (
    _op("searchListingsItems", "GET", f"{LISTINGS}/{{sellerId}}", 5, 5),
    _op("getListingsItem", "GET", f"{LISTINGS}/{{sellerId}}/{{sku}}", 5, 10),
    _op("putListingsItem", "PUT", f"{LISTINGS}/{{sellerId}}/{{sku}}", 5, 10),
    _op("patchListingsItem", "PATCH", f"{LISTINGS}/{{sellerId}}/{{sku}}", 5, 5),
    _op("deleteListingsItem", "DELETE", f"{LISTINGS}/{{sellerId}}/{{sku}}", 5, 5),
    _op("searchOrders", "GET", ORDERS, 0.0056, 20),
    _op("getOrder", "GET", f"{ORDERS}/{{orderId}}", 0.5, 30),
    _op("getOrderV0", "GET", f"{ORDERS_V0}/{{orderId}}", 0.5, 30),
    _op("confirmShipment", "POST", f"{ORDERS_V0}/{{orderId}}/shipmentConfirmation", 2, 10),
    _op("createRestrictedDataToken", "POST", RESTRICTED, 1, 10),
    _op("getInventorySummaries", "GET", INVENTORY, 2, 2),
    _op("createFeedDocument", "POST", f"{FEEDS}/documents", 0.5, 15),
    _op("createFeed", "POST", f"{FEEDS}/feeds", 0.0083, 15),
    _op("getFeed", "GET", f"{FEEDS}/feeds/{{feedId}}", 2, 15),
    _op("getFeedDocument", "GET", f"{FEEDS}/documents/{{feedDocumentId}}", 0.0222, 10),
    _op("getReports", "GET", f"{REPORTS}/reports", 0.0222, 10),
    _op("getReport", "GET", f"{REPORTS}/reports/{{reportId}}", 2, 15),
    _op("getReportDocument", "GET", f"{REPORTS}/documents/{{reportDocumentId}}", 0.0167, 15),
    _op("listReturns", "GET", RETURNS, 1, 5),
    _op("getReturn", "GET", f"{RETURNS}/{{returnId}}", 1, 5),
    _op("getDestinations", "GET", f"{NOTIFICATIONS}/destinations", 1, 5),
    _op("createDestination", "POST", f"{NOTIFICATIONS}/destinations", 1, 5),
    _op("getSubscription", "GET", f"{NOTIFICATIONS}/subscriptions/{{notificationType}}", 1, 5),
    _op("createSubscription", "POST", f"{NOTIFICATIONS}/subscriptions/{{notificationType}}", 1, 5),
)
"""Every operation that is asked. For returns Amazon prints no plan; ours is careful."""
LIMITS: Final[Mapping[str, Limit]] = {one.name: Limit(rate=one.rate, burst=one.burst) for one in OPERATIONS}
_PATTERNS: Final = [(one, re.compile(re.sub(r"\{\w+\}", "[^/]+", one.path) + "$")) for one in OPERATIONS]


def operation_of(method: str, path: str) -> str:
    """The operation that a request is; "" for one that has no usage plan (a log-in, a document)."""
    return next((one.name for one, at in _PATTERNS if one.method == method and at.match(path)), "")


SHOWN: Final = "summaries,attributes,issues,offers,fulfillmentAvailability"
PARTS: Final = "BUYER,RECIPIENT,PROCEEDS,EXPENSE,PROMOTION,CANCELLATION,FULFILLMENT,PACKAGES,TAX,PAYMENT"
PERSONAL: Final = ("buyerInfo", "shippingAddress")
TYPES: Final[Mapping[str, tuple[str, str]]] = {
    "ORDER_CHANGE": ("orders", "AmazonOrderId"),
    "LISTINGS_ITEM_STATUS_CHANGE": ("listings", "Sku"),
    "LISTINGS_ITEM_ISSUES_CHANGE": ("listings", "Sku"),
    "LISTINGS_ITEM_MFN_QUANTITY_CHANGE": ("listings", "Sku"),
    "FBA_INVENTORY_AVAILABILITY_CHANGES": ("inventory", "SKU"),
    "REPORT_PROCESSING_FINISHED": ("settlements", "reportId"),
}
"""Type of a notification → the resource that it is about, and what its id is called in the payload."""
VERSIONS: Final[Mapping[str, str]] = {"REPORT_PROCESSING_FINISHED": "2020-09-04"}
"""Payload versions that are not 1.0."""
GRANTLESS: Final = "sellingpartnerapi::notifications"
_TOKEN: Final = {"param": "nextToken", "next": "nextToken", "absent": "end"}


def resources(seller: str, marketplace: str, options: Mapping[str, Any]) -> dict[str, Resource]:
    """The resources of one seller on one marketplace."""
    own = f"{LISTINGS}/{seller}"
    asked = {"marketplaceIds": marketplace, "includedData": SHOWN}
    listing = Resource(
        path=own, id="sku", updated="summaries.0.lastUpdatedDate", since="lastUpdatedAfter", lag=300.0, params=asked,
        paging_options={"size": "pageSize", "param": "pageToken", "next": "pagination.nextToken", "absent": "end"},
        page_size=20, fetch=f"{own}?{_query(asked)}&identifiersType=SKU&identifiers={{ids}}", fetch_size=20,
        create=f"PUT {own}/{{id}}", update=f"PATCH {own}/{{id}}", delete=f"DELETE {own}/{{id}}", batch=100,
        reference="sku", reference_field="sku", returns_doc=False, visible_after=10.0, supersedes=True,
    )  # fmt: skip
    order = Resource(
        path=ORDERS, items="orders", id="orderId", updated="lastUpdatedTime", since="lastUpdatedAfter", lag=180.0,
        params={"marketplaceIds": marketplace, "includedData": PARTS},
        paging_options={"size": "maxResultsPerPage", "param": "paginationToken", "next": "pagination.nextToken",
                        "absent": "end"},
        page_size=100, fetch=f"{ORDERS}/{{id}}?includedData={PARTS}", embed="order", complete=False,
    )  # fmt: skip
    place = {"granularityType": "Marketplace", "granularityId": marketplace, "marketplaceIds": marketplace,
             "details": "true"}  # fmt: skip
    found = {
        "listings": replace(listing, stock_kind="available"),
        "listing_prices": replace(listing, create=None, delete=None),
        "offers": listing,
        "orders": order,
        "shipments": replace(
            order, id="id", embed=None, create=f"POST {ORDERS_V0}/{{order}}/shipmentConfirmation",
            update=f"POST {ORDERS_V0}/{{order}}/shipmentConfirmation", reference="packageReferenceId",
            reference_field="packageReferenceId", returns_doc=False,
        ),
        "cancellations": replace(
            order, id="orderId", create=f"POST {FEEDS}/feeds", reference="orderId", reference_field="orderId",
            returns_doc=False, visible_after=60.0,
        ),
        "inventory": Resource(
            path=INVENTORY, items="payload.inventorySummaries", id="sellerSku", updated="lastUpdatedTime",
            since="startDateTime", lag=180.0, params=place, stock_kind="available",
            paging_options={"size": "", "param": "nextToken", "next": "pagination.nextToken", "absent": "end"},
            fetch=f"{INVENTORY}?{_query(place)}&sellerSkus={{ids}}", fetch_size=50,
        ),
        "returns": Resource(
            path=RETURNS, items="returns", updated="lastUpdatedDateTime", page_size=100, complete=False,
            paging_options={**_TOKEN, "size": "maxResults"},
        ),
        "settlements": Resource(
            path=f"{REPORTS}/reports", items="reports", id="reportId", updated="createdTime", since="createdSince",
            lag=86_400.0, params={"reportTypes": SETTLEMENT, "processingStatuses": "DONE"}, page_size=10,
            paging_options={**_TOKEN, "size": "pageSize", "alone": "true"}, complete=False,
        ),
    }  # fmt: skip
    size, lag = options.get("page_size"), options.get("lag")
    for name, facts in found.items():
        smaller = facts.page_size if size is None else min(facts.page_size, int(size))
        late = facts.lag if lag is None else float(lag)
        found[name] = replace(facts, page_size=smaller, lag=late, visible_after=min(facts.visible_after, late))
    return found


def _query(params: Mapping[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in params.items())
