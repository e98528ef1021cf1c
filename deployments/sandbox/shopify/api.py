"""What the simulated shop answers: rights, points, then the question itself, in Shopify's own envelope.

What surprises here:

* A query costs what it *could* return: 1 an object, 2 and its size a connection, 10 a mutation; what it did not use is
  given back at once. More than ``MOST_AT_ONCE`` is refused whatever is left; less than it costs is THROTTLED.
* All failures have HTTP 200 but a wrong token (401).
* A mutation of the inventory without ``@idempotent``, or a quantity without ``changeFromQuantity``, is refused at run
  time: the types do not say so. The same key again answers what it answered then.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute_sync,
    get_named_type,
    parse,
    validate,
    value_from_ast_untyped,
)

from deployments.sandbox.notation import Doc
from deployments.sandbox.shopify.bulk import Bulks
from deployments.sandbox.shopify.mutations import Mutations
from deployments.sandbox.shopify.schema import schema
from deployments.sandbox.shopify.state import Shop
from deployments.sandbox.shopify.views import Views, connection

MOST_AT_ONCE = 1_000
RIGHTS: Mapping[str, str] = {
    "locations": "read_locations", "products": "read_products", "productVariants": "read_products",
    "product": "read_products", "productByIdentifier": "read_products", "orders": "read_orders",
    "productsCount": "read_products", "productVariantsCount": "read_products", "customersCount": "read_customers",
    "inventoryItems": "read_inventory",
    "customers": "read_customers", "customerByIdentifier": "read_customers", "priceLists": "read_products",
    "priceList": "read_products", "inventorySetQuantities": "write_inventory", "inventoryActivate": "write_inventory",
    "productSet": "write_products", "productVariantsBulkUpdate": "write_products",
    "productVariantsBulkCreate": "write_products", "productOptionsCreate": "write_products",
    "priceListFixedPricesAdd": "write_products", "customerCreate": "write_customers",
    "customerUpdate": "write_customers", "fulfillmentCreate": "write_merchant_managed_fulfillment_orders",
    "fulfillmentTrackingInfoUpdate": "write_merchant_managed_fulfillment_orders",
    "fulfillmentOrderLineItemsPreparedForPickup": "write_merchant_managed_fulfillment_orders",
    "orderCancel": "write_orders", "refundCreate": "write_orders",
}  # fmt: skip
SCOPES = frozenset(RIGHTS.values()) | {"read_inventory"}


@dataclass(kw_only=True)
class Bucket:
    """A leaky bucket of points, refilled continuously, ``speed`` times as fast as the real one."""

    maximum: float = 1_000.0
    restore: float = 100.0
    speed: float = 1.0
    clock: Callable[[], float] = time.monotonic
    level: float = field(init=False)
    _at: float = field(init=False)
    refusals: int = 0
    """How often somebody asked for more than there was."""
    spent: float = 0.0
    """Points that were used in all."""

    def __post_init__(self) -> None:
        self.level, self._at = self.maximum, self.clock()

    def available(self) -> float:
        """What is left now."""
        now = self.clock()
        self.level = min(self.maximum, self.level + (now - self._at) * self.restore * self.speed)
        self._at = now
        return self.level

    def status(self) -> Doc:
        """As an answer tells it."""
        return {"maximumAvailable": self.maximum, "currentlyAvailable": int(self.available()),
                "restoreRate": self.restore * self.speed}  # fmt: skip


class Api:
    """The shop's one address. ``tokens``: token → the rights it has."""

    def __init__(self, shop: Shop, *, tokens: Mapping[str, frozenset[str]], bucket: Bucket | None = None) -> None:
        self.shop, self.tokens = shop, tokens
        self.bucket = Bucket() if bucket is None else bucket
        self.schema, self.views = schema(), Views(shop)
        self.mutations = Mutations(shop, self.views)
        self.bulks = Bulks(shop=shop, schema=self.schema, root=self._query)

    def answer(self, token: str, body: Any) -> tuple[int, Doc]:
        """HTTP status and body of the answer to a posted question."""
        rights = next((held for known, held in self.tokens.items() if hmac.compare_digest(known, token)), None)
        if rights is None:
            told = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return 401, {"errors": told}
        if not isinstance(body, dict) or not isinstance(body.get("query"), str):
            return 400, {"errors": {"query": "Required parameter missing or invalid"}}
        with self.shop.lock:
            return 200, self._answered(rights, body["query"], body.get("variables") or {})

    def _answered(self, rights: frozenset[str], text: str, variables: Doc) -> Doc:
        document = understood(text)
        if not isinstance(document, DocumentNode):
            return {"errors": document}
        operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
        asked = cost(self, document, operation, variables)
        lacking = [RIGHTS[name] for name in _roots(operation) if RIGHTS.get(name, "") and RIGHTS[name] not in rights]
        if lacking:
            told = f"Access denied for {_roots(operation)[0]} field. Required access: `{lacking[0]}` access scope."
            more = {"code": "ACCESS_DENIED", "requiredAccess": f"`{lacking[0]}` access scope."}
            return {"data": None, "errors": [{"message": told, "extensions": more}]}
        if asked > MOST_AT_ONCE:
            told = f"Query cost is {asked:g}, which exceeds the single query max cost limit ({MOST_AT_ONCE})."
            return {"errors": [{"message": told, "extensions": {"code": "MAX_COST_EXCEEDED"}}]}
        if self.bucket.available() < asked:
            self.bucket.refusals += 1
            weighed = {"requestedQueryCost": asked, "actualQueryCost": None, "throttleStatus": self.bucket.status()}
            return {
                "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
                "extensions": {"cost": weighed},
            }
        self.bucket.level -= asked
        root = self._query() if operation.operation is OperationType.QUERY else self._changes()
        result = execute_sync(self.schema, document, root, variable_values=variables)
        used = min(asked, spent(result.data) if operation.operation is OperationType.QUERY else asked)
        self.bucket.level += asked - used
        self.bucket.spent += used
        weighed = {"requestedQueryCost": asked, "actualQueryCost": used, "throttleStatus": self.bucket.status()}
        answer: Doc = {"data": result.data, "extensions": {"cost": weighed}}
        if result.errors:
            answer = {"data": None, "errors": [one.formatted for one in result.errors], "extensions": {"cost": weighed}}
        return answer

    def _changes(self) -> Doc:
        return {**self.mutations.root(), "bulkOperationRunQuery": self.bulks.run}

    # ── questions ────────────────────────────────────────────────────────────────────────────────────────────────

    def _query(self) -> Doc:
        views, shop = self.views, self.shop

        def found(kind: str) -> Callable[..., Doc]:
            def field(
                info: Any, first: int | None = None, after: str | None = None, query: str | None = None, **more: Any
            ) -> Doc:
                rows = views.search(kind, query)
                if query is None and after is None:  # a scan's first page decides what the whole scan will lack
                    page, size = shop.lost(kind), int(first or 1)
                    lost = [] if page is None else rows[(page - 1) * size : page * size]
                    shop.omitted[kind] = frozenset(id for id, _ in lost)
                if query is None and shop.omitted.get(kind):
                    rows = [row for row in rows if row[0] not in shop.omitted[kind]]
                if kind == "Location" and not more.get("includeInactive"):
                    rows = [(id, doc) for id, doc in rows if doc["isActive"]]
                return connection(rows, first, after)

            return field

        def one(kind: str, keys: Mapping[str, str]) -> Callable[..., Doc | None]:
            def field(info: Any, identifier: Mapping[str, str]) -> Doc | None:
                ((name, value),) = identifier.items()
                for row in shop.table(kind).values():
                    if row.doc[keys[name]] == value:
                        return views.record(row.doc)
                return None

            return field

        def counted(kind: str) -> Callable[..., Doc]:
            def field(info: Any, limit: int | None = 10_000) -> Doc:
                there = len(shop.table(kind))
                most = there if limit is None else min(there, limit)
                return {"count": most, "precision": "EXACT" if most == there else "AT_LEAST"}

            return field

        def hooks(info: Any, first: int | None = None, after: str | None = None, uri: str | None = None) -> Doc:
            return connection([(hook["id"], hook) for hook in shop.hooks if uri in (None, hook["uri"])], first, after)

        return {
            "shop": {"name": shop.name, "currencyCode": shop.currency},
            "currentAppInstallation": lambda info: {"accessScopes": [{"handle": s} for s in sorted(self._granted())]},
            "node": lambda info, id: views.by_id(id), "nodes": lambda info, ids: [views.by_id(id) for id in ids],
            "locations": found("Location"), "products": found("Product"), "productVariants": found("ProductVariant"),
            "orders": found("Order"), "customers": found("Customer"), "priceLists": found("PriceList"),
            "priceList": lambda info, id: views.by_id(id), "product": lambda info, id: views.by_id(id),
            "productByIdentifier": one("Product", {"id": "id", "handle": "handle"}),
            "customerByIdentifier": one("Customer", {"id": "id", "emailAddress": "email", "phoneNumber": "phone"}),
            "webhookSubscriptions": hooks, "inventoryItems": found("InventoryItem"),
            "productsCount": counted("Product"), "productVariantsCount": counted("ProductVariant"),
            "customersCount": counted("Customer"), "bulkOperation": self.bulks.shown,
        }  # fmt: skip

    def _granted(self) -> frozenset[str]:
        return next(iter(self.tokens.values()))


@lru_cache(maxsize=500)
def understood(text: str) -> DocumentNode | list[Any]:
    """The question, or what is wrong with it: programs ask the same ones again and again."""
    try:
        document = parse(text)
    except GraphQLError as fault:
        return [fault.formatted]
    problems = validate(schema(), document)
    wrong = [{**one.formatted, "extensions": {"code": "undefinedField"}} for one in problems]
    return wrong or document


def _roots(operation: OperationDefinitionNode) -> list[str]:
    return [node.name.value for node in operation.selection_set.selections if isinstance(node, FieldNode)]


def cost(api: Api, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> float:
    """What the question could return, in points."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}

    def of(selections: SelectionSetNode, parent: Any) -> float:
        points = 0.0
        for node in selections.selections:
            if isinstance(node, FragmentSpreadNode):
                part: FragmentDefinitionNode = fragments[node.name.value]
                points += of(part.selection_set, api.schema.type_map[part.type_condition.name.value])
            elif isinstance(node, InlineFragmentNode):
                kind = node.type_condition.name.value if node.type_condition else parent.name
                points += of(node.selection_set, api.schema.type_map[kind])
            elif isinstance(node, FieldNode) and node.selection_set is not None:
                inner = get_named_type(parent.fields[node.name.value].type)
                given = {
                    one.name.value: value_from_ast_untyped(one.value, dict(variables)) for one in node.arguments or ()
                }
                if inner.name.endswith("Connection"):
                    points += 2 + int(given.get("first") or 0) * of_nodes(node.selection_set, inner)
                elif node.name.value == "nodes" and "ids" in given:
                    points += len(given["ids"]) * max(1.0, of(node.selection_set, inner))
                elif inner.name != "PageInfo":
                    points += 1 + of(node.selection_set, inner)
        return points

    def of_nodes(selections: SelectionSetNode, parent: Any) -> float:
        for node in selections.selections:
            if isinstance(node, FieldNode) and node.name.value in ("nodes", "edges") and node.selection_set is not None:
                inner = get_named_type(parent.fields[node.name.value].type)
                return 1 + of(node.selection_set, inner)
        return 1.0

    if operation.operation is OperationType.MUTATION:
        return 10.0
    return max(1.0, of(operation.selection_set, api.schema.query_type))


def spent(value: Any) -> float:
    """What an answer returned, in points: one an object."""
    if isinstance(value, Mapping):
        return 1 + sum(spent(each) for each in value.values())
    return (
        float(sum(spent(each) for each in value)) if isinstance(value, Sequence) and not isinstance(value, str) else 0.0
    )
