"""Shopify in front of the contract suite: products, stock and customers of the simulated shop of the sandbox.

What surprises here: the shop is the one of deployments/sandbox/shopify, which a test (vendor/) holds against the schema
that Shopify published; only the socket and the faults are the suite's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from connectors.base import Doc, Request
from deployments.sandbox.books import Books
from deployments.sandbox.shopify.api import SCOPES, Api, Bucket
from deployments.sandbox.shopify.bulk import PATH
from deployments.sandbox.shopify.orders import enter_customer
from deployments.sandbox.shopify.state import Shop
from tests.contract.harness import Call, Reply, Simulator, Subject

TOKEN, HOOK_SECRET = "shpat_5c1e9a7b40", "shpss_77d0c1"
PLACE = "gid://shopify/Location/4"
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


class Simulated(Simulator):
    """The shop behind the suite's socket; it has points for any number of questions."""

    def __init__(self) -> None:
        super().__init__()
        self.shop = Shop(name="shop", books=Books("shop", None), wall=lambda: NOW)
        self.api = Api(self.shop, tokens={TOKEN: SCOPES}, bucket=Bucket(maximum=1e9, restore=1e6))
        self.api.bulks.base = self.url
        self.shop.opening = NOW
        self.shop.put(PLACE, {"legacyResourceId": "4", "name": "Almaty", "isActive": True, "fulfillsOnlineOrders": True,
                              "address": {}})  # fmt: skip

    @property
    def hooks(self) -> list[str]:
        """Who is notified."""
        return list(dict.fromkeys(hook["uri"] for hook in self.shop.hooks))

    def handle(self, call: Call) -> Reply:
        if call.method == "GET" and call.path.startswith(PATH):
            status, raw, more = self.api.bulks.file(call.path, call.query, call.headers)
            return Reply(status=status, raw=raw, headers=more)
        if call.method != "POST" or call.path != "/admin/api/2026-10/graphql.json":
            return Reply(status=404, body={"errors": "Not Found"})
        body = json.loads(call.body)
        status, answer = self.api.answer(call.headers.get("x-shopify-access-token", ""), body)
        return Reply(status=status, body=json.loads(json.dumps(answer, default=str)))

    def at(self, moment: datetime) -> Simulated:
        """Its clock stands there."""
        self.shop.opening = moment
        return self


def _of(simulator: Simulator) -> Simulated:
    assert isinstance(simulator, Simulated)
    return simulator


class _Shopify(Subject):
    """What all collections of Shopify share."""

    platform = "shopify"
    secrets: ClassVar[Mapping[str, str]] = {"token": TOKEN, "hook_secret": HOOK_SECRET}
    lacks: ClassVar[Mapping[str, str]] = {"rpc": "every question is a POST to one address"}
    kind: ClassVar[str]

    def simulator(self) -> Simulator:
        return Simulated()

    def options(self, simulator: Simulator) -> Mapping[str, Any]:
        return {"page_size": 3, "lag": 5}

    def throttled(self, seconds: int) -> Reply:
        status = {"maximumAvailable": 1000.0, "currentlyAvailable": 30, "restoreRate": 10.0}
        cost = {"requestedQueryCost": 30 + seconds * 10, "actualQueryCost": None, "throttleStatus": status}
        errors = [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
        return Reply(body={"errors": errors, "extensions": {"cost": cost}})

    def denied(self, status: int, scope: str) -> Reply:
        told = f"Required access: `{scope}` access scope."
        if status == 401:  # a token that is none says nothing of scopes; the harness wants to read one
            return Reply(status=401, body={"errors": {"message": told, "scope": scope}, "scope": scope})
        more = {"code": "ACCESS_DENIED", "requiredAccess": f"`{scope}` access scope."}
        return Reply(body={"data": None, "errors": [{"message": f"Access denied. {told}", "extensions": more}]})

    def notice(self, simulator: Simulator, id: str, at: datetime, *, sent: datetime, delivery: str) -> Request:
        body = json.dumps(self.told(id, at)).encode()
        signed = base64.b64encode(hmac.new(HOOK_SECRET.encode(), body, hashlib.sha256).digest()).decode()
        headers = {"x-shopify-hmac-sha256": signed, "x-shopify-event-id": delivery, "x-shopify-webhook-id": delivery,
                   "x-shopify-topic": "x/update", "x-shopify-triggered-at": at.isoformat()}  # fmt: skip
        return Request(method="POST", url="/hooks/shop-kz", query={}, headers=headers, body=body, at=sent)

    def told(self, id: str, at: datetime) -> Doc:
        """The body of a webhook."""
        number = id.rpartition("/")[2]
        gid = f"gid://shopify/{self.kind}/{number}"
        return {"id": int(number), "admin_graphql_api_id": gid, "updated_at": at.isoformat()}


class Products(_Shopify):
    """Products: a connection with a window over a search index, written one by one with `productSet`. A full read is a
    bulk operation, whose file is read in parts of a few lines."""

    name, resource, kind = "shopify-products", "products", "Product"
    exact: ClassVar[Mapping[str, Any]] = {"vendor": "1E5", "productType": "", "tags": [], "descriptionHtml": "007",
                                          "handle": "0"}  # fmt: skip
    lacks: ClassVar[Mapping[str, str]] = {**_Shopify.lacks, "delete": "a product is archived"}

    def options(self, simulator: Simulator) -> Mapping[str, Any]:
        return {**super().options(simulator), "bulk": 0, "bulk_part": 1_000}

    def seed(self, simulator: Simulator, stamps: Sequence[datetime]) -> list[str]:
        shop = _of(simulator).shop
        return [
            _of(simulator).at(at).shop.product({"title": f"Kettle {n}"})["id"] for n, at in enumerate(stamps) if shop
        ]

    def touch(self, simulator: Simulator, id: str, at: datetime) -> None:
        _of(simulator).at(at).shop.product({}, id=id)

    def held(self, simulator: Simulator) -> Mapping[str, Doc]:
        return {id: dict(row.doc) for id, row in _of(simulator).shop.table("Product").items()}

    def creation(self, number: int) -> Doc:
        return {"title": f"Kettle {number}", "status": "ACTIVE"}

    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        return {"title": f"Pot {number}"}

    def bad(self) -> Doc:
        return {"title": ""}

    def with_exact(self, values: Mapping[str, Any]) -> Doc:
        return {"title": "exact", **values}

    def exact_of(self, doc: Doc) -> Mapping[str, Any]:
        return {name: doc[name] for name in self.exact}


class Inventory(_Shopify):
    """Stock: connections inside a connection, set by comparing, switched on where an item was not kept before."""

    name, resource, kind = "shopify-inventory", "inventory", "InventoryLevel"
    exact: ClassVar[Mapping[str, Any]] = {"available": 0}
    lacks: ClassVar[Mapping[str, str]] = {**_Shopify.lacks, "delete": "stock is set to zero"}

    def _item(self, simulator: Simulator) -> str:
        shop = _of(simulator).shop
        made = shop.product({"title": "Kettle"})
        return str(shop.variants_of(made["id"])[0]["item"])

    def seed(self, simulator: Simulator, stamps: Sequence[datetime]) -> list[str]:
        made = []
        for n, at in enumerate(stamps):
            item = self._item(_of(simulator).at(at))
            _of(simulator).shop.stock(item, PLACE, available=n)
            made.append(f"{item}@{PLACE}")
        return made

    def touch(self, simulator: Simulator, id: str, at: datetime) -> None:
        _of(simulator).at(at).shop.stock(id.partition("@")[0], PLACE, available=1)

    def held(self, simulator: Simulator) -> Mapping[str, Doc]:
        levels = _of(simulator).shop.levels
        return {f"{item}@{place}": {"available": level.available} for (item, place), level in levels.items()}

    def simulator(self) -> Simulator:
        made = Simulated()
        for _ in range(12):
            self._item(made)
        return made

    def creation(self, number: int) -> Doc:
        return {"inventoryItemId": f"gid://shopify/InventoryItem/{1001 + number}", "locationId": PLACE,
                "quantity": number}  # fmt: skip

    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        return {"inventoryItemId": id.partition("@")[0], "locationId": PLACE, "quantity": 70 + number}

    def bad(self) -> Doc:
        return {"inventoryItemId": "gid://shopify/InventoryItem/1001", "locationId": "gid://shopify/Location/9",
                "quantity": 1}  # fmt: skip

    def with_exact(self, values: Mapping[str, Any]) -> Doc:
        return {**self.creation(1), "quantity": values["available"]}

    def exact_of(self, doc: Doc) -> Mapping[str, Any]:
        return {"available": doc["available"]}

    def told(self, id: str, at: datetime) -> Doc:
        item = id.partition("@")[0].rpartition("/")[2]
        return {"inventory_item_id": int(item), "location_id": 4, "available": 1, "updated_at": at.isoformat()}


class Customers(_Shopify):
    """Customers, found again by e-mail."""

    name, resource, kind = "shopify-customers", "customers", "Customer"
    exact: ClassVar[Mapping[str, Any]] = {
        "firstName": "007",
        "lastName": "1E5",
        "note": "",
        "tags": [],
        "taxExempt": False,
    }
    lacks: ClassVar[Mapping[str, str]] = {**_Shopify.lacks, "delete": "a customer with orders cannot be deleted"}

    def seed(self, simulator: Simulator, stamps: Sequence[datetime]) -> list[str]:
        made = []
        for at in stamps:
            shop = _of(simulator).at(at).shop
            made.append(enter_customer(shop, {"email": f"s{len(shop.table('Customer'))}@example.test"})["id"])
        return made

    def touch(self, simulator: Simulator, id: str, at: datetime) -> None:
        enter_customer(_of(simulator).at(at).shop, {}, id)

    def held(self, simulator: Simulator) -> Mapping[str, Doc]:
        return {id: dict(row.doc) for id, row in _of(simulator).shop.table("Customer").items()}

    def creation(self, number: int) -> Doc:
        return {"email": f"c{number}@example.test", "firstName": f"Aigerim {number}"}

    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        return {"firstName": f"Dina {number}"}

    def bad(self) -> Doc:
        return {"email": "nobody"}

    def with_exact(self, values: Mapping[str, Any]) -> Doc:
        return {"email": "exact@example.test", **values}

    def exact_of(self, doc: Doc) -> Mapping[str, Any]:
        return {name: doc[name] for name in self.exact}


SUBJECTS = [Products(), Inventory(), Customers()]
