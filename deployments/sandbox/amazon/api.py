"""What the simulated Selling Partner API answers: the token, the usage plan, then the operation, strictly.

What surprises here:

* Every operation has a bucket of its own; beyond it comes 429 with ``x-amzn-RateLimit-Limit`` and no Retry-After.
* A parameter that the operation does not know is refused: the real one passes some of them over in silence.
* A token that has ended is 403 like one without the right, and only its text says which.
* Documents lie at pre-signed addresses that want no token and live five minutes.
"""

from __future__ import annotations

import hmac
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote

from deployments.sandbox.amazon import documents, inventory, listings, orders, subscriptions
from deployments.sandbox.amazon.state import Market
from deployments.sandbox.design import Refused
from deployments.sandbox.notation import Doc
from deployments.sandbox.serving import Reply

CLIENT, SECRET, REFRESH = "amzn1.application-oa2-client.karavan", "amzn1.oa2-cs.v1.", "Atzr|"
TOKENS = "/auth/o2/token"
LIFE = 3_600
GRANTLESS = "notifications"
"""What a token of the application opens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """An operation: name, place, what it may be asked (``*`` before what it must be), its usage plan, its work."""

    name: str
    method: str
    path: str
    rate: float
    burst: int
    params: tuple[str, ...]
    work: Callable[[Market, Mapping[str, str], Mapping[str, str], Any], Any]
    status: int = 200
    grantless: bool = False
    """It wants a token of the application, not of the seller."""


def _order(market: Market, at: Mapping[str, str], query: Mapping[str, str], body: Any) -> Doc:
    order = market.order(at["orderId"])
    return {"order": orders.shown(market, order, query.get("includedData", "").split(","))}


def _personal(market: Market, at: Mapping[str, str], query: Mapping[str, str], body: Any) -> Doc:
    return {"payload": orders.personal(market, market.order(at["orderId"]))}


def _item(market: Market, at: Mapping[str, str], query: Mapping[str, str], body: Any) -> Doc:
    return listings.shown(market, market.listing(at["sku"]), query.get("includedData", "summaries").split(","))


_LISTINGS, _ORDERS = "/listings/2021-08-01/items/{sellerId}", "/orders/2026-01-01/orders"
_FEEDS, _REPORTS, _NOTICES = "/feeds/2021-06-30", "/reports/2021-06-30", "/notifications/v1"
_RETURNS = "/externalFulfillment/2024-09-11/returns"
_SHOWN = ("*marketplaceIds", "issueLocale", "includedData")
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="searchListingsItems", method="GET", path=_LISTINGS, rate=5, burst=5,
        params=(*_SHOWN, "identifiers", "identifiersType", "variationParentSku", "packageHierarchySku", "createdAfter",
                "createdBefore", "lastUpdatedAfter", "lastUpdatedBefore", "withIssueSeverity", "withStatus",
                "withoutStatus", "sortBy", "sortOrder", "pageSize", "pageToken"),
        work=lambda market, at, query, body: listings.search(market, query),
    ),
    Operation(
        name="getListingsItem", method="GET", path=_LISTINGS + "/{sku}", rate=5, burst=10, params=_SHOWN, work=_item,
    ),
    Operation(
        name="putListingsItem", method="PUT", path=_LISTINGS + "/{sku}", rate=5, burst=10, params=(*_SHOWN, "mode"),
        work=lambda market, at, query, body: listings.put(market, at["sku"], body),
    ),
    Operation(
        name="patchListingsItem", method="PATCH", path=_LISTINGS + "/{sku}", rate=5, burst=5, params=(*_SHOWN, "mode"),
        work=lambda market, at, query, body: listings.patch(market, at["sku"], body),
    ),
    Operation(
        name="deleteListingsItem", method="DELETE", path=_LISTINGS + "/{sku}", rate=5, burst=5,
        params=("*marketplaceIds", "issueLocale"),
        work=lambda market, at, query, body: listings.delete(market, at["sku"]),
    ),
    Operation(
        name="searchOrders", method="GET", path=_ORDERS, rate=0.0056, burst=20,
        params=("createdAfter", "createdBefore", "lastUpdatedAfter", "lastUpdatedBefore", "fulfillmentStatuses",
                "marketplaceIds", "fulfilledBy", "maxResultsPerPage", "paginationToken", "includedData"),
        work=lambda market, at, query, body: orders.search(market, query),
    ),
    Operation(
        name="getOrder", method="GET", path=_ORDERS + "/{orderId}", rate=0.5, burst=30, params=("includedData",),
        work=_order,
    ),
    Operation(
        name="getOrderV0", method="GET", path="/orders/v0/orders/{orderId}", rate=0.5, burst=30, params=(),
        work=_personal,
    ),
    Operation(
        name="confirmShipment", method="POST", path="/orders/v0/orders/{orderId}/shipmentConfirmation", rate=2,
        burst=10, params=(), status=204,
        work=lambda market, at, query, body: orders.confirm(market, at["orderId"], body),
    ),
    Operation(
        name="getInventorySummaries", method="GET", path="/fba/inventory/v1/summaries", rate=2, burst=2,
        params=("details", "*granularityType", "*granularityId", "startDateTime", "sellerSkus", "sellerSku",
                "nextToken", "*marketplaceIds"),
        work=lambda market, at, query, body: inventory.summaries(market, query),
    ),
    Operation(
        name="getFeed", method="GET", path=_FEEDS + "/feeds/{feedId}", rate=2, burst=15, params=(),
        work=lambda market, at, query, body: documents.feed(market, at["feedId"]),
    ),
    Operation(
        name="createFeed", method="POST", path=_FEEDS + "/feeds", rate=0.0083, burst=15, params=(), status=202,
        work=lambda market, at, query, body: documents.create_feed(market, body),
    ),
    Operation(
        name="createFeedDocument", method="POST", path=_FEEDS + "/documents", rate=0.5, burst=15, params=(), status=201,
        work=lambda market, at, query, body: documents.feed_document(market, at["base"], body),
    ),
    Operation(
        name="getFeedDocument", method="GET", path=_FEEDS + "/documents/{id}", rate=0.0222, burst=10,
        params=("enableContentEncodingUrlHeader",),
        work=lambda market, at, query, body: documents.described(market, at["base"], "feedDocumentId", at["id"]),
    ),
    Operation(
        name="getReports", method="GET", path=_REPORTS + "/reports", rate=0.0222, burst=10,
        params=("reportTypes", "processingStatuses", "marketplaceIds", "pageSize", "createdSince", "createdUntil",
                "nextToken"),
        work=lambda market, at, query, body: documents.reports(market, query),
    ),
    Operation(
        name="getReport", method="GET", path=_REPORTS + "/reports/{reportId}", rate=2, burst=15, params=(),
        work=lambda market, at, query, body: documents.report(market, at["reportId"]),
    ),
    Operation(
        name="getReportDocument", method="GET", path=_REPORTS + "/documents/{id}", rate=0.0167, burst=15,
        params=("enableContentEncodingUrlHeader",),
        work=lambda market, at, query, body: documents.described(market, at["base"], "reportDocumentId", at["id"]),
    ),
    Operation(
        name="listReturns", method="GET", path=_RETURNS, rate=1, burst=5,
        params=("returnLocationId", "rmaId", "status", "reverseTrackingId", "createdSince", "createdUntil",
                "lastUpdatedSince", "lastUpdatedUntil", "maxResults", "nextToken"),
        work=lambda market, at, query, body: documents.returns(market, query),
    ),
    Operation(
        name="getReturn", method="GET", path=_RETURNS + "/{returnId}", rate=1, burst=5, params=(),
        work=lambda market, at, query, body: documents.returned(market, at["returnId"]),
    ),
    Operation(
        name="getDestinations", method="GET", path=_NOTICES + "/destinations", rate=1, burst=5, params=(),
        grantless=True, work=lambda market, at, query, body: subscriptions.destinations(market),
    ),
    Operation(
        name="createDestination", method="POST", path=_NOTICES + "/destinations", rate=1, burst=5, params=(),
        grantless=True, work=lambda market, at, query, body: subscriptions.destination(market, body),
    ),
    Operation(
        name="getSubscription", method="GET", path=_NOTICES + "/subscriptions/{kind}", rate=1, burst=5,
        params=("payloadVersion",), work=lambda market, at, query, body: subscriptions.subscription(market, at["kind"]),
    ),
    Operation(
        name="createSubscription", method="POST", path=_NOTICES + "/subscriptions/{kind}", rate=1, burst=5, params=(),
        work=lambda market, at, query, body: subscriptions.subscribe(market, at["kind"], body),
    ),
    Operation(
        name="createRestrictedDataToken", method="POST", path="/tokens/2021-03-01/restrictedDataToken", rate=1,
        burst=10, params=(), work=lambda market, at, query, body: subscriptions.restricted(market, body),
    ),
)  # fmt: skip


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "$")


PATTERNS = [(operation, _pattern(operation.path)) for operation in OPERATIONS]


class Plan:
    """The usage plan: a bucket an operation, filled ``speed`` times as fast as the published ones."""

    def __init__(self, *, speed: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.speed, self._clock = speed, clock
        self._levels: dict[str, tuple[float, float]] = {}
        self.refusals: dict[str, int] = {}

    def allows(self, operation: Operation) -> bool:
        """Takes one call; False: there was none left."""
        now = self._clock()
        level, at = self._levels.get(operation.name, (float(operation.burst), now))
        level = min(float(operation.burst), level + (now - at) * operation.rate * self.speed)
        fits = level >= 1.0
        self._levels[operation.name] = (level - 1.0 if fits else level, now)
        if not fits:
            self.refusals[operation.name] = self.refusals.get(operation.name, 0) + 1
        return fits


class Api:
    """The marketplace's programs' door. ``seed`` makes the application's credentials."""

    def __init__(self, market: Market, *, seed: int = 7, plan: Plan | None = None) -> None:
        self.market, self.plan = market, Plan() if plan is None else plan
        self.client, self.secret, self.refresh = CLIENT, f"{SECRET}{seed}", f"{REFRESH}karavan-{seed}"
        self.url = ""
        self.tokens: dict[str, Any] = {}
        """Access token → when it ends; of a restricted one also what it opens."""

    def answer(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], data: bytes
    ) -> Reply:
        """What is answered to a request; header names are lower case."""
        with self.market.lock:
            try:
                if path == TOKENS:
                    return self._token(method, dict(parse_qsl(data.decode())))
                if path.startswith("/documents/"):
                    id = path.removeprefix("/documents/")
                    return Reply(body=documents.stored(self.market, method, id, query, headers, data))
                return self._operation(method, path, query, headers, data)
            except Refused as refused:
                more = {"x-amzn-RequestId": str(uuid.uuid4())}
                return Reply(status=refused.status, body=errors(refused.error["code"], str(refused)), headers=more)

    def _token(self, method: str, form: Mapping[str, str]) -> Reply:
        own = (form.get("client_id"), form.get("client_secret")) == (self.client, self.secret)
        seller = form.get("grant_type") == "refresh_token" and form.get("refresh_token") == self.refresh
        app = form.get("grant_type") == "client_credentials" and form.get("scope") == "sellingpartnerapi::notifications"
        if method != "POST" or not own or not (seller or app):
            told = {"error": "invalid_client", "error_description": "Client authentication failed"}
            return Reply(status=401 if seller or not own else 400, body=told)
        token = self._issued("Atza|", None if seller else GRANTLESS)
        body = {"access_token": token, "token_type": "bearer", "expires_in": LIFE}
        return Reply(body=body | ({"refresh_token": self.refresh} if seller else {}))

    def _issued(self, prefix: str, opens: Any) -> str:
        token = f"{prefix}{uuid.uuid4()}"
        self.tokens[token] = (self.market.now() + timedelta(seconds=LIFE), opens)
        return token

    def _operation(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], data: bytes
    ) -> Reply:
        found = [(one, match) for one, pattern in PATTERNS if (match := pattern.match(path))]
        fits = [pair for pair in found if pair[0].method == method]
        grantless = any(pair[0].grantless for pair in fits)
        self._proven(method, path, headers.get("x-amz-access-token", ""), grantless)
        if not fits:
            raise Refused(405 if found else 404, "InvalidInput", "The requested resource doesn't exist.")
        operation, match = fits[0]
        rate = f"{operation.rate * self.plan.speed:g}"
        told = {"x-amzn-RateLimit-Limit": rate, "x-amzn-RequestId": str(uuid.uuid4())}
        if not self.plan.allows(operation):
            denied = errors("QuotaExceeded", "You exceeded your quota for the requested resource.")
            return Reply(status=429, body=denied, headers=told)
        known = {name.lstrip("*") for name in operation.params}
        lacking = [name[1:] for name in operation.params if name.startswith("*") and name[1:] not in query]
        if lacking or not set(query) <= known:
            what = f"{lacking[0]} is required" if lacking else f"{min(set(query) - known)} is not a parameter"
            raise Refused(400, "InvalidInput", what)
        if query.get("marketplaceIds", self.market.marketplace) != self.market.marketplace:
            raise Refused(400, "InvalidInput", "marketplaceIds: not a marketplace of this seller")
        at = {"base": self.url} | {name: unquote(value) for name, value in match.groupdict().items()}
        if at.get("sellerId", self.market.seller) != self.market.seller:
            raise Refused(403, "Unauthorized", "Access to requested resource is denied.")
        try:
            body = json.loads(data, parse_float=Decimal) if data else None
        except ValueError:
            raise Refused(400, "InvalidInput", "Request has missing or invalid parameters") from None
        answer = operation.work(self.market, at, query, body)
        if operation.name == "createRestrictedDataToken":
            answer = {"restrictedDataToken": self._issued("Atz.sprdt|", answer), "expiresIn": LIFE}
        return Reply(status=operation.status, body=answer, headers=told)

    def _proven(self, method: str, path: str, token: str, grantless: bool) -> None:
        """Refused unless the token is good for this."""
        found = next((held for known, held in self.tokens.items() if hmac.compare_digest(known, token)), None)
        if found is None:
            raise Refused(403, "Unauthorized", "Access to requested resource is denied.")
        ends, opens = found
        if ends <= self.market.now():
            raise Refused(403, "Unauthorized", "The access token you provided has expired.")
        if (opens is GRANTLESS) is not grantless:
            raise Refused(403, "Unauthorized", "Access to requested resource is denied.")
        restricted = path.startswith("/orders/v0/orders/") and method == "GET"
        if restricted and (opens is None or not any(_pattern(one).match(path) for one in opens)):
            raise Refused(403, "Unauthorized", "Access to requested resource is denied.")


def errors(code: str, message: str) -> Doc:
    """A refusal as the Selling Partner API writes it."""
    return {"errors": [{"code": str(code), "message": message, "details": ""}]}
