"""Shopify over its Admin GraphQL API 2026-10: catalogue, stock, prices, orders, shipments, customers; Shopify POS too.

What surprises here (the schema published for 2026-10; shopify.dev where named, read 2026-11-22):

* Stock is compared and set: ``changeFromQuantity`` must be sent even where it is null, and a sale moves it, so that it
  is a version (changelog 2025-12-12). 16 mutations demand ``@idempotent(key:)`` since 2026-04; neither is in the types.
* A batch of `inventorySetQuantities` is all or nothing, `productVariantsBulkUpdate` here is not; both name the row at
  fault by its path, so that a bad row costs one more call and not a search.
* Requests cost points by what they *could* return: 100 a second on the Standard plan, 1,000 at most for one query
  (usage/limits, read by others 2026-08-27; older pages say 50). What was not used is given back at once.
* Lists filter by a search index that lags: a row just written may be missing from ``updated_at`` filters, so the window
  overlaps by a minute; of customers ``updated_at`` matches whole days. Lookups by id, handle and e-mail do not lag.
* `products` without a status lists active ones only, by the schema's own words; all are asked for.
* A product holds up to 2,048 variants, an order any number of lines: variants are read by themselves, lines in pages.
* What is not ``tracked`` has figures that mean nothing; gift cards are variants without goods.
* Only ``available`` is what may be sold: ``on_hand`` holds what is promised. Refunds change neither lines nor total.
* The newest 60 days of orders are readable without ``read_all_orders``; older ones are silently not there.
* A webhook's signature covers the body alone, so its headers prove nothing: the body says which record it is about, and
  its digest is the delivery. Shopify tells repetitions by X-Shopify-Event-Id; one carries the old body, for 4 hours at
  most (webhooks/best-practices), so that the digest finds the same ones, and cannot be forged. It is a hint.
* A return that was refunded is told by its refund, with the order. One that was closed without money, for other goods
  or for none, stands in a list of its own (`returns`); its goods are what was processed, not what was asked back.
* Nothing of ours can be stored on a fulfilment: it is found again by tracking number or lines, and Shopify refuses to
  fulfil twice what is left once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from typing import Any, ClassVar

from msgspec import structs

from connectors import (
    graphql,
    shopify_after_sale as after_sale,
    shopify_facts as facts_of,
    shopify_writes as written,
    signatures,
)
from connectors.answers import Answer, Unsure, decoded
from connectors.base import Cursor, Doc, Notice, Page, Receipt, Received, Request, Resource, Write
from connectors.errors import Forged, Misconfigured, RetryLater, ShapeChanged
from connectors.limits import Limit
from connectors.paging import Position, at
from connectors.rest import Rest
from connectors.scan import pages
from connectors.shopify_bulk import BULK_OPTIONS, Gone, Reader
from connectors.shopify_points import Points
from connectors.verified import Verified
from connectors.window import moment
from connectors.writes import NOT_FOUND, referenced, settled

VERSION = "2026-10"
LATE = timedelta(hours=5)
"""A webhook is tried for 4 hours, and its body is as old as its first attempt."""


class Shopify(Rest):
    """One Shopify shop. ``url`` is https://<shop>.myshopify.com; secrets: ``token`` (of a custom app), or ``client_id``
    and ``client_secret`` of an app whose tokens live a day; ``hook_secret`` is the app's client secret.

    Options: ``page_size`` (an upper bound), ``lag``, ``notify`` (true: the buyer gets Shopify's own mail on shipment),
    ``bulk`` (500: a full read of so many documents or more is a bulk operation), ``bulk_part`` (bytes of its file that
    are read at once, 1,000,000).
    """

    platform = "shopify"
    verified = Verified(
        when="2026-11", contract="Admin GraphQL 2026-10: every question and change",
        examples="the REST pairs of 2024-04, read as webhooks", simulator="stateful, held against the schema",
    )
    limits: ClassVar[Mapping[str, Limit]] = {"": Limit(rate=100.0, burst=1_000.0, unit="points")}
    scopes = facts_of.SCOPES
    resources = facts_of.RESOURCES
    auth: Mapping[str, str] = {"scheme": "header_key", "token": "token", "header": "X-Shopify-Access-Token"}

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.resources = facts_of.adjusted(self.options)
        if "client_id" in (self.options.get("secrets") or {}):
            self.auth = {**facts_of.CLIENT, "token_url": f"{self.url}/admin/oauth/access_token"}
        self._graph = Points(
            path=f"/admin/api/{VERSION}/graphql.json", exchange=self.exchange, clean=self.clean, remedy=self._remedy,
            budget=self.ports.budget, where=self.channel,
        )  # fmt: skip
        sizes = {name: int(self.options[key]) for name, key in BULK_OPTIONS.items() if key in self.options}
        self._bulk = Reader(graph=self._graph, document=self.document, **sizes)
        self._fulfil = replace(written.FULFIL, variables=lambda writes: {"fulfillment": self._parcel(writes[0].doc)})

    def check(self) -> None:
        """One cheap question."""
        self._graph.question(facts_of.CHECK, {})

    def granted(self) -> frozenset[str]:
        """The rights of the app that was installed; what may be written may be read."""
        data = self._graph.question(facts_of.CHECK, {}).body["data"]
        found = {str(scope["handle"]) for scope in data["currentAppInstallation"]["accessScopes"]}
        return frozenset(found | {scope.replace("write_", "read_") for scope in found})

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, resource: str, cursor: Cursor | None = None) -> Iterator[Page]:
        """Pages from the cursor on; a cursor is ``{since, seen, until, position, form}`` (window.py).

        A full read of much is a bulk operation, whose place is the position (shopify_bulk.py).
        """
        return self._pages(resource, self.facts(resource), cursor)

    def _pages(self, resource: str, facts: Resource, cursor: Cursor | None) -> Iterator[Page]:
        if self.lane != "check" and self._bulk.due(resource, cursor):
            try:
                yield from self._bulk.pages(resource, facts, cursor)
                return
            except Gone:
                cursor = None  # by pages, from the first one on
        yield from pages(
            facts,
            cursor,
            ask=self._graph.paged(facts_of.LISTS[resource], lambda params: facts_of.terms(facts, params)),
            documents=lambda answer: self._documents(resource, facts, answer),
            params=self.parameters(resource),
            following=lambda position, answer, docs: self.following(facts, position, answer, docs),
            where=f"{self.channel}: {resource}",
        )

    def _documents(self, resource: str, facts: Resource, answer: Answer) -> Sequence[Doc]:
        if "outer" in facts_of.LISTS[resource].text and at(answer.body, f"data.{facts.path}.nodes") == []:
            return []
        rows = self.documents(facts, answer)
        if resource == "inventory":
            return [written.level_doc(level) for level in rows]
        if resource == "catalog_prices":
            price_list = str(at(answer.body, f"data.{facts.path}.nodes.0.id"))
            return [written.price_doc(price, price_list) for price in rows]
        if resource == "shipments":
            rows = [part for order in rows for part in order["fulfillments"]]
        if resource == "returns":
            whole = [self._filled(order, "returns", facts_of.RETURNS) for order in rows]
            rows = [{**part, "updatedAt": order["updatedAt"]} for order in whole for part in order["returns"]["nodes"]]
        return [self._whole(resource, doc) for doc in rows]

    def following(self, facts: Resource, position: Position, answer: Answer, docs: Sequence[Doc]) -> Position | None:
        """The position after an answer. A list that stands in another list is read one of the outer after the other:
        its own next page, else the first page of the next outer node, which ``outer`` beside ``after`` names."""
        if f"data.{facts.path}.nodes.0" not in facts.items:
            return super().following(facts, position, answer, docs)
        if at(answer.body, f"data.{facts.path}.nodes") == []:
            return None
        inner = super().following(facts, position, answer, docs)
        if inner is not None:
            return {**inner, **({"outer": position["outer"]} if "outer" in position else {})}
        info = at(answer.body, f"data.{facts.path}.pageInfo")
        if not isinstance(info, dict) or not isinstance(info.get("hasNextPage"), bool):
            raise ShapeChanged(f"{self.channel}: {facts.path}: the answer does not say whether more follow")
        return {"first": position["first"], "outer": str(info["endCursor"])} if info["hasNextPage"] else None

    def _whole(self, resource: str, doc: Doc) -> Doc:
        """The document with all the lines of its inner lists, however many there are."""
        if resource == "orders":
            self._filled(doc, "lineItems", facts_of.LINES)
            for refund in doc["refunds"]:
                self._filled(refund, "refundLineItems", facts_of.REFUND_LINES)
        if resource == "shipments":
            self._filled(doc, "fulfillmentLineItems", facts_of.SENT_LINES)
        if resource == "returns":
            self._filled(doc, "returnLineItems", facts_of.RETURNED_LINES)
        return doc

    def _filled(self, owner: Doc, name: str, operation: graphql.Operation) -> Doc:
        """The document with the whole of one of its lists."""
        while owner[name]["pageInfo"]["hasNextPage"]:
            variables = {"id": owner["id"], "after": owner[name]["pageInfo"]["endCursor"]}
            more = at(self._graph.question(operation, variables).body, f"data.node.{name}")
            owner[name] = {"nodes": [*owner[name]["nodes"], *more["nodes"]], "pageInfo": more["pageInfo"]}
        return owner

    def fetch(self, resource: str, ids: Sequence[str]) -> Mapping[str, Doc | None]:
        """Every id asked for, once; None: the platform says that it does not exist. Forbidden raises Misconfigured."""
        self.facts(resource)
        wanted = list(dict.fromkeys(ids))
        if resource == "inventory":
            return self._levels(wanted)
        fixed = {id: self._fixed_price(id) for id in wanted if "@" in id}  # of a price list
        wanted = [id for id in wanted if id not in fixed]
        if resource == "catalog_prices":
            return fixed | dict.fromkeys(wanted)
        found = dict(self._graph.nodes(facts_of.FETCHES[resource], wanted, self.resources[resource].fetch_size))
        return fixed | {id: None if doc is None else self._whole(resource, doc) for id, doc in found.items()}

    def _levels(self, ids: Sequence[str]) -> Mapping[str, Doc | None]:
        found: dict[str, Doc | None] = dict.fromkeys(ids)
        places = dict.fromkeys(id.partition("@")[2] for id in ids)
        for place in places:
            items = [id.partition("@")[0] for id in found if id.endswith(f"@{place}")]
            for _, item in self._graph.nodes(facts_of.LEVELS, items, 50, {"place": place}):
                level = item.get("inventoryLevel") if item is not None else None
                if level is not None and level["isActive"]:
                    doc = written.level_doc(level)
                    found[doc["id"]] = doc
        return found

    def _fixed_price(self, id: str) -> Doc | None:
        variant, _, price_list = id.partition("@")
        query = f"variant_id:{variant.rpartition('/')[2]}"
        variables = {"id": price_list, "after": None, "query": query}
        rows = at(self._graph.question(facts_of.FIXED, variables).body, "data.priceList.prices.nodes")
        docs = [written.price_doc(row, price_list) for row in rows] if isinstance(rows, list) else []
        return next((doc for doc in docs if doc["id"] == id), None)

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order. Raises RetryLater or Misconfigured when the rest was not sent."""
        facts = self.facts(resource)
        for write in writes:
            if getattr(facts, write.op) is None:
                raise Misconfigured(f"{self.channel}: {resource} takes no {write.op}; archive with an update instead")
        found = self._earlier(resource, facts, writes)
        parts = _parted(facts, [write for write in writes if write.key not in found])
        answered = self._graph.write(call for part in parts for call in self._calls(resource, facts, part))
        for write in writes:
            receipt = found[write.key] if write.key in found else next(answered)
            if (
                resource == "inventory"
                and write.op == "create"
                and receipt.outcome == "rejected"
                and self._stocked(write)
            ):
                receipt = next(self._graph.write([(written.SET, [write])]))
            yield receipt

    def _stocked(self, write: Write) -> bool:
        """Somebody else has begun to keep the item there."""
        place = str(_place(write))
        try:
            return self._levels([place])[place] is not None
        except ValueError:  # what JSON cannot carry is nowhere
            return False

    def _earlier(self, resource: str, facts: Resource, writes: Sequence[Write]) -> Mapping[str, Receipt]:
        """Receipts of creates that are tried again and were carried out the first time (P2)."""
        again = [write for write in writes if write.op == "create" and write.attempt > 1]
        try:
            looked = {write.key: self.by_reference(facts, write) for write in again}
        except Unsure as fault:  # nothing was sent yet
            problem = RetryLater(str(fault), after=fault.after)
        else:
            return {key: receipt for key, receipt in looked.items() if receipt.outcome == "applied"}
        raise problem

    def _calls(
        self, resource: str, facts: Resource, part: Sequence[Write]
    ) -> Iterator[tuple[graphql.Mutation, Sequence[Write]]]:
        """The calls that carry neighbouring writes of one kind; what they need to know is asked before."""
        op = part[0].op
        if resource in after_sale.RESOURCES:
            ours = [structs.replace(write, doc=referenced(facts, write)) for write in part]
            yield from ((after_sale.mutation(self._graph, resource, write), [write]) for write in ours)
            return
        if resource in ("inventory", "shipments", "products") and op == "create":
            carried = {"inventory": written.ACTIVATE, "shipments": self._fulfil, "products": written.PRODUCT_SET}
            yield from ((carried[resource], [structs.replace(write, doc=referenced(facts, write))]) for write in part)
            return
        if resource == "variants" and op == "create":
            self._offer(part)
        of_list = resource == "prices" and part[0].doc.get("priceListId") is not None
        yield written.PRICES_ADD if of_list else _MUTATIONS[resource, op], part

    def _offer(self, writes: Sequence[Write]) -> None:
        """Afterwards the product has every option that its new variants have a value of."""
        product = str(writes[0].doc["productId"])
        asked = self._graph.question(facts_of.OF_PRODUCT, {"id": product, "after": None}).body["data"]["product"]
        there = {option["name"] for option in (asked or {"options": []})["options"]}
        lacking: dict[str, list[str]] = {}
        for value in [value for write in writes for value in write.doc.get("optionValues") or []]:
            if value.get("optionName") not in (None, *there):
                lacking.setdefault(str(value["optionName"]), []).append(value["name"])
        if lacking and asked is not None:
            rows = [{"name": name, "values": [{"name": v} for v in dict.fromkeys(lacking[name])]} for name in lacking]
            self._graph.question(facts_of.OPTIONS, {"id": product, "options": rows})

    def _parcel(self, doc: Doc) -> Doc:
        """The fulfilment of what a shipment names; ValueError says what the order lacks for it."""
        try:
            rows = written.parcel(doc, self._order(doc))
        except Unsure as fault:  # nothing was sent yet
            problem = RetryLater(str(fault), after=fault.after)
        else:
            told = {"trackingInfo": doc["tracking"]} if doc.get("tracking") is not None else {}
            return {"lineItemsByFulfillmentOrder": rows, "notifyCustomer": self.options.get("notify") is True, **told}
        raise problem

    def _order(self, doc: Doc) -> Doc | None:
        order = str(doc["orderId"])
        return dict(self._graph.nodes(facts_of.FULFILLABLES, [order], 1))[order]

    def settle(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order: what has an id, or names its place, by its document; else by reference."""
        facts = self.facts(resource)
        told = resource in after_sale.RESOURCES
        ids = {write.key: None if told else write.id or _place(write, resource) for write in writes}
        held = self.fetch(resource, [id for id in ids.values() if id is not None])
        for write in writes:
            id = ids[write.key]
            if id is None:
                yield self.by_reference(facts, write)
            else:
                yield settled(facts, structs.replace(write, doc=written.as_held(resource, write.doc)), held[id])

    def by_reference(self, facts: Resource, write: Write) -> Receipt:
        """What became of a create: a product by its handle, a variant by SKU in its product, a customer by e-mail or
        telephone, a shipment by its tracking number or lines; a level and a fixed price by the place they name."""
        found: Doc | None
        if facts.create in after_sale.CREATES:
            found = after_sale.same(self._graph, facts.create, referenced(facts, write))
        elif facts.reference == "id":
            return next(self.settle("inventory" if facts.stock_kind else "prices", [write]))
        elif facts.create == "productSet":
            found = self._one(facts_of.BY_HANDLE, referenced(facts, write)["handle"])
        elif facts.create == "customerCreate":
            mail, phone = write.doc.get("email"), write.doc.get("phone")
            by = facts_of.BY_EMAIL if mail else facts_of.BY_PHONE
            found = self._one(by, mail or phone) if mail or phone else None
        elif facts.create == "fulfillmentCreate":
            found = written.same_parcel(write.doc, self._order(write.doc))
        else:
            found = self._variant(str(write.doc["productId"]), at(write.doc, "inventoryItem.sku"))
        if found is None:
            return Receipt(outcome="rejected", detail=NOT_FOUND + "no document carries our reference")
        return Receipt(outcome="applied", id=str(found["id"]), doc=found)

    def _one(self, operation: graphql.Operation, of: Any) -> Doc | None:
        (found,) = self._graph.question(operation, {"of": str(of)}).body["data"].values()
        return found if isinstance(found, dict) else None

    def _variant(self, product: str, sku: Any) -> Doc | None:
        after: Any = None
        while True:
            asked = self._graph.question(facts_of.OF_PRODUCT, {"id": product, "after": after}).body["data"]["product"]
            if asked is None:
                return None
            for variant in asked["variants"]["nodes"]:
                if variant["sku"] == sku:
                    return dict(variant)
            if not asked["variants"]["pageInfo"]["hasNextPage"]:
                return None
            after = asked["variants"]["pageInfo"]["endCursor"]

    # ── notices ──────────────────────────────────────────────────────────────────────────────────────────────────

    def subscribe(self, url: str) -> None:
        """Afterwards Shopify notifies ``url`` of every topic; calling it again changes nothing."""
        held = self._graph.question(facts_of.HOOKS, {"uri": url}).body["data"]["webhookSubscriptions"]["nodes"]
        there = {hook["topic"] for hook in held if hook["uri"] == url}
        for topic in facts_of.TOPICS:
            if topic not in there:
                hook = {"uri": url, "format": "JSON"}
                asked = self._graph.question(facts_of.SUBSCRIBE, {"topic": topic, "hook": hook})
                errors = at(asked.body, "data.webhookSubscriptionCreate.userErrors")
                if errors:
                    raise Misconfigured(f"{self.channel}: Shopify does not notify {url}: {self.clean(str(errors))}")

    def receive(self, request: Request) -> Received:
        """The notices of a verified request. Raises Forged, and ShapeChanged when a signed body cannot be read."""
        names = ["hook_secret", "hook_secret_previous"]
        known = [name for name in names if name == names[0] or name in (self.options.get("secrets") or {})]
        secrets = [self.ports.secrets.get(name) for name in known]
        settings = {"header": "x-shopify-hmac-sha256", "encoding": "base64"}
        delivery: str = self._named(lambda: signatures.hmac_sha256(settings, secrets, request))
        try:
            body = decoded(request.body)
        except ValueError as fault:
            raise ShapeChanged(f"{self.channel}: a signed notice is not JSON: {fault}") from None
        told = written.noticed(body if isinstance(body, dict) else {}, request.headers.get("x-shopify-topic", ""))
        stamp = moment(told.at if told.at is not None else request.headers.get("x-shopify-triggered-at"))
        if stamp is not None and abs(request.at - stamp) > LATE:
            raise Forged("the notice is not from this channel")
        notices = [
            Notice(delivery=f"{delivery}:{n}" if n else delivery, resource=resource, id=id, at=stamp or request.at)
            for n, (resource, id) in enumerate(told.records)
        ]
        return Received(notices=notices, reply="" if notices else "passed over: nothing here is read from it")


_MUTATIONS: Mapping[tuple[str, str], graphql.Mutation] = {
    ("products", "create"): written.PRODUCT_SET, ("products", "update"): written.PRODUCT_SET,
    ("variants", "create"): written.VARIANTS_CREATE, ("variants", "update"): written.VARIANTS_UPDATE,
    ("prices", "create"): written.VARIANTS_UPDATE, ("prices", "update"): written.VARIANTS_UPDATE,
    ("inventory", "update"): written.SET,
    ("customers", "create"): written.CUSTOMER_CREATE, ("customers", "update"): written.CUSTOMER_UPDATE,
    ("shipments", "create"): written.FULFIL, ("shipments", "update"): written.TRACK,
}  # fmt: skip


def _place(write: Write, resource: str = "inventory") -> str | None:
    """The id of what a write is about, where its document names the place; None where Shopify gives the id."""
    if resource == "prices" and write.doc.get("priceListId") is None:
        return str(write.doc["variantId"]) if "variantId" in write.doc else None
    places = {"inventory": ("inventoryItemId", "locationId"), "prices": ("variantId", "priceListId")}
    names = places.get(resource)
    return None if names is None else "@".join(str(write.doc[name]) for name in names)


def _parted(facts: Resource, writes: Sequence[Write]) -> Iterator[Sequence[Write]]:
    """Neighbouring writes that may go in one call: of one kind, product and price list, up to a batch."""
    for _, some in groupby(writes, lambda w: (w.op, w.doc.get("productId"), w.doc.get("priceListId"))):
        rows = list(some)
        yield from (rows[start : start + facts.batch] for start in range(0, len(rows), facts.batch))
