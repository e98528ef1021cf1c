"""Amazon's Selling Partner API: every request judged by the models of August 2026, every example of an answer read.

What surprises here:

* What stands inside an attribute of a listing is decided by the product type's own schema, which Amazon gives to
  sellers only: the models take any object there, and so do these checks.
* The content of a feed is no request of the models; it is judged by the feed's own schema, under the feed's name.
* A request is ``{query, body}``, its text the path.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from msgspec import structs

from connectors import amazon_facts
from connectors.amazon import Amazon
from connectors.base import Doc, Write
from deployments.sandbox.amazon import orders
from deployments.sandbox.amazon.acts import ACTS
from deployments.sandbox.amazon.api import OPERATIONS
from deployments.sandbox.amazon.fill import enter
from deployments.sandbox.amazon.queue import document
from tests.contract.amazon_simulator import NOW, Simulated
from tests.contract.harness import Call, FixedClock, Reply, ports_with
from tests.contract.openapi import OpenApi, Schema, misfits, openapi, plain
from tests.contract.vendor import amazon_answers
from tests.contract.vendor.checking import Place, Sent, Vendor
from tests.contract.vendor.described import demanded_places, named_places

FILES = (
    "listingsItems_2021-08-01", "orders_2026-01-01", "ordersV0", "feeds_2021-06-30", "reports_2021-06-30",
    "fbaInventory", "externalFulfillmentReturns_2024-09-11", "notifications", "tokens_2021-03-01",
)  # fmt: skip
QUEUE = "arn:aws:sqs:eu-west-1:444455556666:serai"


class Recorded(Simulated):
    """A marketplace that keeps what it was asked and answered, and what it published."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: list[tuple[Call, Reply]] = []
        self.published: list[tuple[str, Doc]] = []
        market = self.market
        market.announce = lambda kind, payload, at: self.published.append(
            (kind, document(market, kind, payload, at, "id"))
        )

    def handle(self, call: Call) -> Reply:
        reply = super().handle(call)
        self.answered.append((call, reply))
        return reply


class _Amazon(Vendor):
    """The models."""

    name, folder = "amazon", "amazon_sp_api"

    @property
    def api(self) -> OpenApi:
        """The operations of the models, or a visible skip."""
        return openapi(self.folder, tuple(f"models/{name}.json" for name in FILES))

    @cached_property
    def feed(self) -> Schema:
        """What a JSON_LISTINGS_FEED may hold."""
        file = json.loads(self.file("schemas/feeds/listings-feed-schema-v2.json").read_text(encoding="utf-8"))
        return plain({"type": "object", **file}, file)

    def known(self) -> Sequence[str]:
        found = [self.api.find(one.method, re.sub(r"\{\w+\}", "1", one.path)) for one in amazon_facts.OPERATIONS]
        assert None not in found
        return [*(one.name for one in found if one is not None), amazon_facts.FEED]

    def recorded(self) -> Sequence[Sent]:
        found = []
        for call, _ in self.session.answered:
            body = json.loads(call.body) if call.body[:1] == b"{" else None
            if call.path.startswith("/documents/") and body is not None:
                found.append(Sent(operation=amazon_facts.FEED, body={"query": {}, "body": body}, text="feed"))
            operation = self.api.find(call.method, call.path)
            if operation is not None:
                made = {"query": dict(call.query), "body": body}
                found.append(Sent(operation=operation.name, body=made, text=call.path))
        return found

    def objection(self, sent: Sent) -> str | None:
        query = sent.body.get("query") if isinstance(sent.body, dict) else None
        if set(sent.body) != {"query", "body"} or not isinstance(query, dict):
            return "a request is a query and a body"
        if any(not isinstance(value, str) for value in query.values()):
            return "a query parameter is no text"
        if sent.operation == amazon_facts.FEED:
            if sent.text != "feed":
                return "a feed is a feed"
            return next(iter(misfits(sent.body["body"], self.feed, strict=True)), None)
        found = self.api.objection(sent.operation.partition(" ")[0], sent.text, query, sent.body["body"])
        return found or self._prose(sent, query)

    def _prose(self, sent: Sent, query: Mapping[str, str]) -> str | None:
        """What the models say in their descriptions only."""
        name = amazon_facts.operation_of(*sent.operation.split(" ", 1))
        if name == "searchOrders":
            if ("createdAfter" in query) == ("lastUpdatedAfter" in query):
                return "exactly one of createdAfter and lastUpdatedAfter"
            if "includedData" not in query:
                return "nothing of buyer, price or shipment comes unless it is asked for"
        if name == "searchListingsItems" and ("identifiers" in query) != ("identifiersType" in query):
            return "identifiers and identifiersType go together"
        if name == "getReports" and "nextToken" in query and len(query) > 1:
            return "nextToken goes alone"
        if name == "getReports" and "nextToken" not in query and "reportTypes" not in query:
            return "without reportTypes every report there is would come"
        if name == "confirmShipment":
            detail = sent.body["body"]["packageDetail"]
            if not re.fullmatch(r"[1-9]\d*", detail["packageReferenceId"]):
                return "only positive numeric values are supported"
            if detail["carrierCode"] == "Other" and not detail.get("carrierName"):
                return "carrierName is required when carrierCode is Other"
        return None

    def required(self, sent: Sent) -> Sequence[Place]:
        if sent.operation == amazon_facts.FEED:
            return [("body", *place) for place in demanded_places(sent.body["body"], self.feed)]
        operation = self._operation(sent)
        query = [("query", name) for name, (_, needed) in operation.parameters("query").items()
                 if needed and name in sent.body["query"]]  # fmt: skip
        return [*query, *(("body", *place) for place in demanded_places(sent.body["body"], operation.body() or {}))]

    def breakable(self, sent: Sent) -> Sequence[Place]:
        schema = self.feed if sent.operation == amazon_facts.FEED else self._operation(sent).body() or {}
        body = [("body", *place) for place in named_places(sent.body["body"], schema)]
        return [("query",), ("body",), *(("query", name) for name in sent.body["query"]), *body]

    def renamed(self, sent: Sent, dice: random.Random) -> Sent | None:
        steps = sent.text.split("/")
        template = steps if sent.operation == amazon_facts.FEED else sent.operation.partition(" ")[2].split("/")
        fixed = [number for number, step in enumerate(template) if step and not step.startswith("{")]
        steps[dice.choice(fixed)] += "X"
        return replace(sent, text="/".join(steps))

    def _operation(self, sent: Sent) -> Any:
        found = self.api.find(sent.operation.partition(" ")[0], sent.text)
        assert found is not None
        return found

    def spoilt(self) -> Sequence[Sent]:
        return list(self._spoilt())

    def _spoilt(self) -> Iterator[Sent]:
        for sent in self.recorded():
            name = amazon_facts.operation_of(*sent.operation.split(" ", 1)) if " " in sent.operation else ""
            query, body = sent.body["query"], sent.body["body"]
            spoils: list[Mapping[str, Any]] = []
            if name == "searchOrders":
                both = {"createdAfter": "2026-01-01T00:00:00Z", "lastUpdatedAfter": "2026-01-01T00:00:00Z"}
                spoils = [query | both, {key: one for key, one in query.items() if key not in both},
                          {key: one for key, one in query.items() if key != "includedData"}]  # fmt: skip
            if name == "searchListingsItems" and "identifiers" in query:
                spoils = [{key: one for key, one in query.items() if key != "identifiersType"}]
            if name == "getReports":
                spoils = [query | {"nextToken": "1", "pageSize": "10"}, {"pageSize": "10"}]
            yield from (replace(sent, body={"query": dict(one), "body": body}) for one in spoils)
            if name == "confirmShipment":
                for change in ({"packageReferenceId": "k-1"}, {"carrierCode": "Other", "carrierName": ""}):
                    detail = {**body["packageDetail"], **change}
                    yield replace(sent, body={"query": query, "body": {**body, "packageDetail": detail}})

    def misfits(self) -> Sequence[str]:
        processed = amazon_answers.reports(self, self.session.answered)
        return [*self._answers(), *self._plans(), *self._published(), *processed]

    def _answers(self) -> Iterator[str]:
        """What the simulator answered that the models do not allow."""
        for call, reply in self.session.answered:
            operation = self.api.find(call.method, call.path)
            if operation is None:
                continue
            told = operation.answer(reply.status)
            if str(reply.status) not in operation.row["responses"]:
                yield f"{operation.name}: {reply.status} is no status of it"
            elif told is not None:
                yield from (f"{operation.name}: {wrong}" for wrong in misfits(reply.body, told, strict=True))

    def _plans(self) -> Iterator[str]:
        """Usage plans of ours, or of the simulator, that are not those printed beside the operation."""
        ours = [(one.method, one.path, one.rate, one.burst) for one in amazon_facts.OPERATIONS]
        for method, path, rate, burst in [*ours, *((o.method, o.path, o.rate, float(o.burst)) for o in OPERATIONS)]:
            operation = self.api.find(method, re.sub(r"\{\w+\}", "1", path))
            assert operation is not None
            told = re.search(r"\|\s*([\d.]+)\s*\|\s*([\d.]+)\s*\|", str(operation.row.get("description")))
            if told is not None and (float(told[1]), float(told[2])) != (rate, burst):
                yield f"{method} {path}: {rate} and {burst}; printed are {told[1]} and {told[2]}"

    def _published(self) -> Iterator[str]:
        """Notifications that the simulator published and Amazon would not."""
        for kind, told in self.session.published:
            schema = amazon_answers.notification(self, kind)
            yield from (f"{kind}: {wrong}" for wrong in misfits(told, schema, strict=True))

    def examples(self) -> Sequence[tuple[str, str | None]]:
        return list(amazon_answers.examples(self))

    @cached_property
    def session(self) -> Recorded:
        """A marketplace in which the connector did everything it can."""
        simulated = Recorded()
        market = simulated.market
        connector = connected(simulated)
        clock = connector.ports.clock
        assert isinstance(clock, FixedClock)
        clock.at = NOW
        with simulated.running():
            for number in range(25):
                enter(market, f"K{number}", title=f"Kettle {number}", price=Decimal(1000), available=9)
            enter(market, "a,b", title="Cup", price=Decimal(100), available=1)
            orders.lay(market, "K1", 4, "opening")
            market.opening = None
            market.wall = clock.now
            connector.check()
            for kind in amazon_facts.TYPES:
                market.subscriptions.pop(kind, None)
            connector.subscribe("http://127.0.0.1:8080/hooks/market-kz")
            _sell(simulated, connector)
            _list(simulated, connector)
            for resource in connector.resources:
                pages = list(connector.read(resource))
                clock.at += timedelta(seconds=1)
                list(connector.read(resource, pages[-1].cursor))
                ids = [str(doc[connector.resources[resource].id]) for page in pages for doc in page.docs]
                connector.fetch(resource, ids)
                connector.fetch(resource, ["nothing"])
        return simulated


def connected(simulated: Simulated) -> Amazon:
    """A connector on it, with every setting that asks for more."""
    secrets = {**simulated.secrets, "hook_secret": "key"}
    options = {
        "secrets": {name: f"env:{name}" for name in secrets}, "seller": simulated.market.seller,
        "marketplace": simulated.market.marketplace, "token_url": "/auth/o2/token", "personal": "token", "queue": QUEUE,
        "orders_from": "2026-01-01T00:00:00Z", "feed_from": 4, "page_size": 2,
    }  # fmt: skip
    return Amazon(channel="market-kz", url=simulated.url, options=options, ports=ports_with(secrets))


def _sell(simulated: Recorded, connector: Amazon) -> None:
    """Orders of every kind, sent in parcels, cancelled, returned and paid out."""
    market = simulated.market
    lines = [{"sku": f"K{n}", "quantity": 2, "discount": "10", "shipping": "5", "tax": "0.16"} for n in range(3)]
    first = ACTS["order"](market, {"lines": lines, "name": "Dina", "phone": "+77010000001"})["id"]
    pending = ACTS["order"](market, {"lines": lines[:1], "name": "D", "pending": True})["id"]
    ACTS["order"](market, {"lines": lines[:1], "name": "D", "pending": True})
    ACTS["pay"](market, {"id": pending})
    ACTS["cancel"](market, {"id": ACTS["order"](market, {"lines": lines[:1], "name": "D"})["id"]})
    own = ACTS["order"](market, {"lines": [{"sku": "K1", "quantity": 1}], "name": "D", "warehouse": "X"})["id"]
    ACTS["send_own"](market, {"id": own})
    market.roles = False
    connector.fetch("orders", [first])
    market.roles = True
    items = market.orders[first]["items"]
    for n, item in enumerate(items):
        carrier = {"carrierCode": "DHL"} if n == 0 else {"carrierCode": "Other", "carrierName": "Kazpost"}
        rows = [{"orderItemId": item["id"], "quantity": 2}]
        doc = {"orderId": first, **carrier, "trackingNumber": f"KZ{n}", "shippingMethod": "Post", "orderItems": rows,
               "shipDate": "2026-03-01T09:00:00Z" if n else None}  # fmt: skip
        (sent,) = connector.write("shipments", [Write(key=f"s{n}", op="create", doc=doc)])
        again = Write(key=f"u{n}", op="update", id=sent.id, doc={**doc, "trackingNumber": f"KZ-{n}"})
        list(connector.write("shipments", [again]))
        list(connector.settle("shipments", [again]))
    late = ACTS["order"](market, {"lines": lines[2:], "name": "D"})["id"]
    (asked,) = connector.write("cancellations", [given := Write(key="x", op="create", doc={
        "orderId": late, "reason": "NoInventory"})])  # fmt: skip
    (done,) = connector.settle("cancellations", [structs.replace(given, ticket=asked.ticket)])
    assert done.outcome == "applied"
    ACTS["refund"](market, {"id": first, "lines": {"1": 1}})
    for _ in range(3):
        ACTS["settle"](market, {"corrections": {first: "-1.00"}})


def _list(simulated: Recorded, connector: Amazon) -> None:
    """Listings made, changed, priced and taken down, one by one and as a feed."""
    market = simulated.market
    stock = {"op": "replace", "path": "/attributes/fulfillment_availability",
             "value": [{"fulfillment_channel_code": "DEFAULT", "quantity": 3}]}  # fmt: skip
    offer = {"marketplace_id": market.marketplace, "currency": "KZT",
             "our_price": [{"schedule": [{"value_with_tax": Decimal("0")}]}]}  # fmt: skip
    price = {"op": "replace", "path": "/attributes/purchasable_offer", "value": [offer]}
    new = {"sku": "NEW", "productType": "PRODUCT", "attributes": {"item_name": [{"value": "New"}]}}
    writes = [
        Write(key="c", op="create", doc=new), Write(key="d", op="delete", id="K20", doc={}),
        Write(key="u", op="update", id="K1", doc={"productType": "PRODUCT", "patches": [stock]}),
    ]  # fmt: skip
    for write, receipt in zip(writes, list(connector.write("listings", writes)), strict=True):
        list(connector.settle("listings", [structs.replace(write, ticket=receipt.ticket)]))
    priced = Write(key="p", op="update", id="K2", doc={"productType": "PRODUCT", "patches": [price]})
    list(connector.write("listing_prices", [priced]))
    bad = {**stock, "value": [{"fulfillment_channel_code": "DEFAULT", "quantity": -1}]}
    many = [
        Write(key="f1", op="create", doc={**new, "sku": "FED"}), Write(key="f2", op="delete", id="K21", doc={}),
        Write(key="f3", op="update", id="K3", doc={"productType": "PRODUCT", "patches": [stock]}),
        Write(key="f4", op="update", id="K4", doc={"productType": "PRODUCT", "patches": [bad]}),
    ]  # fmt: skip
    receipts = list(connector.write("listings", many))
    fed = [structs.replace(one, ticket=receipt.ticket) for one, receipt in zip(many, receipts, strict=True)]
    assert [one.outcome for one in connector.settle("listings", fed)] == ["applied", "applied", "applied", "rejected"]


def unpacked(reply: Reply) -> bytes | None:
    """What a document holds; None: it is no document."""
    return gzip.decompress(reply.raw) if reply.raw is not None and reply.raw[:2] == b"\x1f\x8b" else None


VENDOR = _Amazon()
