"""The simulated Amazon marketplace with a clock that moves, for the tests of what Amazon does to a connector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.amazon import Amazon
from connectors.base import Doc, Write
from deployments.sandbox.amazon import orders
from deployments.sandbox.amazon.api import Plan
from deployments.sandbox.amazon.fill import enter
from deployments.sandbox.amazon.server import Running, empty, start
from flows.mapping_files import PACKAGE, compile_file
from tests.contract.harness import FixedClock, ports_with

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


class Moving:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        """Where it stands."""
        return self.at

    def on(self, **passed: float) -> None:
        """Time passes."""
        self.at += timedelta(**passed)


@contextmanager
def serving(clock: Moving) -> Iterator[Running]:
    """A marketplace with three kettles, ten of each, of which five more lie in Amazon's network."""
    market = empty()
    market.wall, market.opening = clock.now, NOW - timedelta(days=1)
    for number in range(3):
        enter(market, f"K{number}", title=f"Kettle {number}", price=Decimal(12490), available=10)
    orders.lay(market, "K0", 5, "opening")
    market.opening = None
    found = start(market, plan=Plan(speed=1e9))
    try:
        yield found
    finally:
        found.stop()


def connect(running: Running, clock: Moving | None = None, **given: Any) -> Amazon:
    """A connector on it; ``clock``: they live in the same time."""
    names = dict(running.secrets)
    settings = {**running.settings, "orders_from": "2026-02-01T00:00:00Z", **given.pop("settings", {})}
    options = {"secrets": {name: f"env:{name}" for name in names}, **settings}
    ports = ports_with(names)
    assert isinstance(ports.clock, FixedClock)
    ports.clock.at = NOW
    if clock is not None:
        ports.clock.now = clock.now  # type: ignore[method-assign]  # both live in the same time
    return Amazon(channel="market-kz", url=running.url, options=options, ports=ports, **given)


def stock(sku: str, quantity: Any, **given: Any) -> Write:
    """A listing's figure."""
    row = {"fulfillment_channel_code": "DEFAULT", "quantity": quantity}
    patch = {"op": "replace", "path": "/attributes/fulfillment_availability", "value": [row]}
    doc = {"productType": "PRODUCT", "patches": [patch]}
    return Write(key=f"{sku}-{quantity}", op="update", id=sku, doc=doc, **given)


def inward(resource: str, docs: list[Doc], known: Mapping[tuple[str, str], str], **settings: Any) -> Any:
    """The documents through the mapping of their resource."""
    mapping = compile_file(None, PACKAGE / "amazon" / f"{resource}.yaml")
    company = {"name": "Karavan", "country": "KZ", "currency": "KZT", "tax": "0.16", "price_list": "retail"}
    return mapping.map_inward(docs, known, {"settings": settings, "company": company})


def parcel(order: Doc, quantity: int, **given: Any) -> Write:
    """So many of an order's first item, on their way."""
    doc = {"orderId": order["orderId"], "carrierCode": "Other", "carrierName": "Kazpost", "trackingNumber": "KZ1",
           "shipDate": "2026-03-01T09:00:00+00:00",
           "orderItems": [{"orderItemId": order["orderItems"][0]["orderItemId"], "quantity": quantity}]}  # fmt: skip
    return Write(key=f"p-{quantity}", op="create", doc=doc, **given)
