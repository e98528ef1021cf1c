"""Amazon in front of the contract suite: listings and shipments of the simulated marketplace of the sandbox.

What surprises here:

* The marketplace is the one of deployments/sandbox/amazon, which a test (vendor/) holds against Amazon's models; only
  the socket and the faults are the suite's.
* A submission is accepted and becomes known later; the subject of listings settles it at once, as a flow does in time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

from msgspec import structs

from connectors.amazon import Amazon
from connectors.base import Connector, Doc, Receipt, Write
from deployments.sandbox.amazon import orders
from deployments.sandbox.amazon.api import Api, Plan
from deployments.sandbox.amazon.fill import enter
from deployments.sandbox.amazon.state import Market
from deployments.sandbox.books import Books
from tests.contract.harness import Call, Fault, Reply, Simulator, Subject, ports_with

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


class Simulated(Simulator):
    """The marketplace behind the suite's socket; it has calls for any number of requests."""

    def __init__(self) -> None:
        super().__init__()
        self.market = Market(name="market", books=Books("market", None), wall=lambda: NOW)
        self.api = Api(self.market, plan=Plan(speed=1e9))
        self.api.url = self.url
        self.market.opening = NOW

    @property
    def secrets(self) -> Mapping[str, str]:
        """The application's credentials."""
        return {"client_id": self.api.client, "client_secret": self.api.secret, "refresh_token": self.api.refresh}

    def befall(self, *faults: Fault) -> None:
        """An application that is refused is refused with a renewed token too."""
        twice = [fault.reply is not None and fault.reply.status == 401 for fault in faults]
        super().befall(*(one for fault, again in zip(faults, twice, strict=True) for one in [fault] * (1 + again)))

    def is_work(self, call: Call) -> bool:
        return not call.path.startswith("/auth/")

    def handle(self, call: Call) -> Reply:
        answer = self.api.answer(call.method, call.path, call.query, call.headers, call.body)
        if isinstance(answer.body, bytes):
            return Reply(status=answer.status, raw=answer.body, headers=answer.headers)
        return Reply(status=answer.status, body=answer.body, headers=answer.headers)

    def at(self, moment: datetime) -> Market:
        """The marketplace, its clock standing there."""
        self.market.opening = moment
        return self.market


def of(simulator: Simulator) -> Simulated:
    """The simulator as what it is."""
    assert isinstance(simulator, Simulated)
    return simulator


class Patient(Amazon):
    """An Amazon whose submissions are settled at once, one by one."""

    def write(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        for write, receipt in zip(writes, super().write(resource, writes), strict=False):
            if receipt.outcome != "accepted":
                yield receipt
                continue
            (settled,) = self.settle(resource, [structs.replace(write, ticket=receipt.ticket)])
            yield structs.replace(settled, id=settled.id or receipt.id)


BOUGHT = {"lines": [{"sku": "KETTLE", "quantity": 2}], "name": "Dina"}


def ordered(market: Market) -> Sequence[Doc]:
    """Twelve orders, the same in every marketplace that was empty."""
    market.opening = NOW
    enter(market, "KETTLE", title="Kettle", price=Decimal(1000), available=1_000)
    return [orders.place(market, BOUGHT) for _ in range(12)]


_SETUP = Api(Market(name="setup", books=Books("setup", None)))
ORDERS = ordered(_SETUP.market)
"""Orders that no program has sent anything of yet."""


class _Amazon(Subject):
    """What all collections of Amazon share."""

    platform = "amazon"
    secrets: ClassVar[Mapping[str, str]] = {
        "client_id": _SETUP.client, "client_secret": _SETUP.secret, "refresh_token": _SETUP.refresh,
    }  # fmt: skip
    lacks: ClassVar[Mapping[str, str]] = {
        "notices": "a queue of Amazon's cloud is named in the settings first",
        "forbidden": "Amazon says that a right is missing, not which",
    }

    def simulator(self) -> Simulator:
        return Simulated()

    def options(self, simulator: Simulator) -> Mapping[str, Any]:
        market = of(simulator).market
        return {"seller": market.seller, "marketplace": market.marketplace, "page_size": 3, "lag": 5,
                "token_url": f"{simulator.url}/auth/o2/token", "orders_from": "2020-01-01T00:00:00Z"}  # fmt: skip

    def throttled(self, seconds: int) -> Reply:
        told = {"code": "QuotaExceeded", "message": "You exceeded your quota for the requested resource."}
        return Reply(status=429, headers={"x-amzn-RateLimit-Limit": f"{1 / seconds:.6f}"}, body={"errors": [told]})

    def denied(self, status: int, scope: str) -> Reply:
        told = {"code": "Unauthorized", "message": "Access to requested resource is denied.", "details": ""}
        return Reply(status=status, body={"errors": [told]})

    def connect(self, simulator: Simulator, **given: Any) -> Connector:
        options = {
            "secrets": {name: f"env:TEST_{name.upper()}" for name in self.secrets},
            "timeout": given.pop("timeout", 5), **self.options(simulator), **given.pop("options", {}),
        }  # fmt: skip
        arguments: dict[str, Any] = {
            "channel": "shop-kz", "url": simulator.url, "options": options, "ports": ports_with(self.secrets)
        }  # fmt: skip
        return Patient(**{**arguments, **given})


class Listings(_Amazon):
    """Listings: put, patched, taken down; known by the seller's SKU."""

    name, resource = "amazon-listings", "listings"
    exact: ClassVar[Mapping[str, Any]] = {"zero": 0, "empty": "", "false": False, "null": None, "list": [],
                                          "text": "007", "exponent": "1E5", "decimal": Decimal("0.10"),
                                          "large": 2**53 + 1}  # fmt: skip

    def seed(self, simulator: Simulator, stamps: Sequence[datetime]) -> list[str]:
        made = []
        for at in stamps:
            market = of(simulator).at(at)
            sku = f"K-{len(market.listings)}"
            made.append(enter(market, sku, title="Kettle", price=Decimal(1000), available=1).sku)
        return made

    def touch(self, simulator: Simulator, id: str, at: datetime) -> None:
        market = of(simulator).at(at)
        market.listings[id].updated = at
        market.ranked.clear()

    def held(self, simulator: Simulator) -> Mapping[str, Doc]:
        return {sku: dict(one.attributes) for sku, one in of(simulator).market.listings.items()}

    def creation(self, number: int) -> Doc:
        return {"sku": f"N-{number}", "productType": "PRODUCT", "requirements": "LISTING",
                "attributes": {"item_name": [{"value": f"Kettle {number}"}]}}  # fmt: skip

    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        row = {"fulfillment_channel_code": "DEFAULT", "quantity": 70 + number}
        patch = {"op": "replace", "path": "/attributes/fulfillment_availability", "value": [row]}
        return {"productType": "PRODUCT", "patches": [patch]}

    def bad(self) -> Doc:
        return {"sku": "BAD", "productType": "SPACESHIP", "attributes": {"item_name": [{"value": "ops@shop.example"}]}}

    def with_exact(self, values: Mapping[str, Any]) -> Doc:
        attributes = {"item_name": [{"value": "exact"}], "condition_type": [{"value": dict(values)}]}
        return {"sku": "EXACT", "productType": "PRODUCT", "attributes": attributes}

    def exact_of(self, doc: Doc) -> Mapping[str, Any]:
        value: Mapping[str, Any] = doc["attributes"]["condition_type"][0]["value"]
        return value


class Shipments(_Amazon):
    """Packages of orders, confirmed one by one under a reference of ours."""

    name, resource = "amazon-shipments", "shipments"
    exact: ClassVar[Mapping[str, Any]] = {"trackingNumber": "007", "carrier": "1E5"}
    lacks: ClassVar[Mapping[str, str]] = {**_Amazon.lacks, "delete": "what was sent was sent"}

    def simulator(self) -> Simulator:
        made = Simulated()
        ordered(made.market)
        return made

    def seed(self, simulator: Simulator, stamps: Sequence[datetime]) -> list[str]:
        made = []
        for at in stamps:
            market = of(simulator).at(at)
            order = orders.place(market, BOUGHT)
            body = {"marketplaceId": market.marketplace, "packageDetail": {
                "packageReferenceId": "7", "carrierCode": "DHL", "trackingNumber": "T", "shipDate": at.isoformat(),
                "orderItems": [{"orderItemId": order["items"][0]["id"], "quantity": 1}]}}  # fmt: skip
            orders.confirm(market, order["id"], body)
            made.append(f"{order['id']}/7")
        return made

    def touch(self, simulator: Simulator, id: str, at: datetime) -> None:
        of(simulator).at(at).orders[id.partition("/")[0]]["updated"] = at

    def held(self, simulator: Simulator) -> Mapping[str, Doc]:
        rows = of(simulator).market.orders.values()
        return {f"{order['id']}/{ours}": dict(row) for order in rows for ours, row in order["packages"].items()}

    def _parcel(self, order: str, item: str, number: int) -> Doc:
        return {"orderId": order, "carrierCode": "DHL", "trackingNumber": f"T{number}",
                "shipDate": "2026-03-01T09:00:00Z", "orderItems": [{"orderItemId": item, "quantity": 1}]}  # fmt: skip

    def creation(self, number: int) -> Doc:
        order = ORDERS[number]
        return self._parcel(order["id"], order["items"][0]["id"], number)

    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        order = of(simulator).market.orders[id.partition("/")[0]]
        return self._parcel(order["id"], order["items"][0]["id"], 70 + number)

    def bad(self) -> Doc:
        return {**self.creation(1), "trackingNumber": ""}

    def with_exact(self, values: Mapping[str, Any]) -> Doc:
        return {**self.creation(1), "carrierCode": values["carrier"], "trackingNumber": values["trackingNumber"]}

    def exact_of(self, doc: Doc) -> Mapping[str, Any]:
        return {name: doc[name] for name in self.exact}


SUBJECTS = [Listings(), Shipments()]
