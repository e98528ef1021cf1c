"""What the simulated marketplace holds of one seller: listings, orders, goods in Amazon's network, and its books.

What surprises here:

* A submission that was ACCEPTED changes nothing yet: it is processed ``patch_lag`` seconds later, and what is wrong
  with it then stands among the listing's issues only.
* Orders show in a search ``order_lag`` seconds after their last change (two minutes on the real one), by id at once.
* A listing that Amazon fulfils has no quantity of the seller's; what lies in the network stands in the inventory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from deployments.sandbox.books import Books
from deployments.sandbox.design import Refused
from deployments.sandbox.notation import Doc, utc_seconds

Why: TypeAlias = Literal["opening", "write", "order", "cancel", "people"]
OWN, NETWORK = "DEFAULT", "AMAZON_EU"
"""Who sends what is ordered of a listing: the seller, or Amazon from its network."""
EVERYWHERE = frozenset({
    "item_name", "condition_type", "fulfillment_availability", "purchasable_offer",
    "externally_assigned_product_identifier", "merchant_suggested_asin", "brand", "product_description", "list_price",
})  # fmt: skip
PRODUCT_TYPES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "PRODUCT": {"more": (), "required": ("item_name",)},
    "KITCHEN": {"more": ("capacity", "color"), "required": ("item_name", "brand")},
    "RUG": {"more": ("size", "color"), "required": ("item_name", "brand")},
}
"""What may and must be said of a thing beside `EVERYWHERE`, by its product type."""


@dataclass(kw_only=True, slots=True)
class Listing:
    """One SKU: what its seller said of it (``attributes``), what buyers see, and what is still to be processed."""

    sku: str
    asin: str
    product_type: str
    created: datetime
    updated: datetime
    attributes: Doc = field(default_factory=dict)
    quantity: int | None = None
    price: Decimal | None = None
    issues: list[Doc] = field(default_factory=list)
    waiting: list[tuple[datetime, Callable[[Listing], None]]] = field(default_factory=list)

    @property
    def network(self) -> bool:
        """Amazon sends it."""
        rows = self.attributes.get("fulfillment_availability") or [{}]
        return bool(rows[0].get("fulfillment_channel_code", OWN) != OWN)

    @property
    def title(self) -> str:
        """What it is called."""
        return str((self.attributes.get("item_name") or [{"value": self.sku}])[0]["value"])


@dataclass(kw_only=True)
class Market:
    """One seller's account on one marketplace. ``announce(type, payload, moment)`` is told of what happens."""

    name: str
    books: Books
    seller: str = "A3KARAVANHOME1"
    marketplace: str = "A1KARAVANKZ001"
    currency: str = "KZT"
    roles: bool = True
    """Whether the application has the restricted roles; without them personal data needs a token of its own."""
    patch_lag: float = 0.0
    order_lag: float = 0.0
    feed_lag: float = 0.0
    repeats: bool = False
    """Whether a page of orders begins with the last one of the page before, as it does when orders move meanwhile."""
    wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    announce: Callable[[str, Doc, datetime], None] = lambda kind, payload, at: None
    lock: Any = field(default_factory=threading.RLock)
    listings: dict[str, Listing] = field(default_factory=dict)
    ranked: dict[str, list[Listing]] = field(default_factory=dict)
    """The listings in the orders that were asked for, kept until one comes, goes or moves."""
    orders: dict[str, Doc] = field(default_factory=dict)
    returns: dict[str, Doc] = field(default_factory=dict)
    held: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    """SKU → what lies in the network, since when."""
    feeds: dict[str, Doc] = field(default_factory=dict)
    reports: dict[str, Doc] = field(default_factory=dict)
    documents: dict[str, Doc] = field(default_factory=dict)
    destinations: dict[str, Doc] = field(default_factory=dict)
    subscriptions: dict[str, Doc] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    report_page: int = 10
    fates: list[str] = field(default_factory=list)
    """How the next feeds end, where not DONE."""
    settled: set[str] = field(default_factory=set)
    """What a settlement report told already."""
    opening: datetime | None = None
    """While set, the clock stands at this moment and nobody is told: the opening data is entered."""

    def now(self) -> datetime:
        """The marketplace's clock."""
        return self.wall() if self.opening is None else self.opening

    def number(self, kind: str, first: int = 1000) -> int:
        """The next number of a kind."""
        self.numbers[kind] = self.numbers.get(kind, first) + 1
        return self.numbers[kind]

    def tell(self, kind: str, payload: Doc) -> None:
        """Who has subscribed to this kind of notification is told."""
        if self.opening is None:
            self.announce(kind, payload, self.now())

    # ── listings ─────────────────────────────────────────────────────────────────────────────────────────────────

    def listing(self, sku: str) -> Listing:
        """The listing, with everything processed that was due; Refused 404 when there is none."""
        found = self.listings.get(sku)
        if found is None:
            raise Refused(404, "NOT_FOUND", f"SKU '{sku}' not found in marketplace {self.marketplace}")
        self.process(found)
        return found

    def put(self, listing: Listing) -> None:
        """Afterwards there is this listing."""
        self.listings[listing.sku] = listing
        self.ranked.clear()

    def drop(self, sku: str) -> None:
        """Afterwards there is no such listing."""
        del self.listings[sku]
        self.ranked.clear()

    def moved(self, listing: Listing) -> None:
        """The listing's stamp is now."""
        listing.updated = self.now()
        self.ranked.pop("lastUpdatedDate", None)

    def process(self, listing: Listing) -> None:
        """Submissions whose moment has come take effect, the oldest first."""
        while listing.waiting and listing.waiting[0][0] <= self.now():
            listing.waiting.pop(0)[1](listing)

    def submit(self, listing: Listing, work: Callable[[Listing], None]) -> None:
        """``work`` is done to the listing when it is processed."""
        listing.waiting.append((self.now() + timedelta(seconds=self.patch_lag), work))
        self.process(listing)

    def status(self, listing: Listing) -> list[str]:
        """What buyers can do with it."""
        if any(issue["severity"] == "ERROR" and "enforcements" in issue for issue in listing.issues):
            return []
        there = self.held.get(listing.sku, (0, None))[0] if listing.network else listing.quantity
        return ["BUYABLE", "DISCOVERABLE"] if listing.price is not None and there else ["DISCOVERABLE"]

    def show(self, listing: Listing, quantity: int, why: Why) -> None:
        """Afterwards buyers see this figure, and the books say why."""
        was, before = listing.quantity, self.status(listing)
        listing.quantity = quantity
        self.moved(listing)
        if was != quantity:
            self.books.enter(
                "shown", self.now(), sku=listing.sku, was=None if was is None else str(was), now=str(quantity), why=why
            )
            self.tell("LISTINGS_ITEM_MFN_QUANTITY_CHANGE", {
                "SellerId": self.seller, "FulfillmentChannelCode": OWN, "Sku": listing.sku, "Quantity": quantity,
            })  # fmt: skip
        self._status_changed(listing, before)

    def ask(self, listing: Listing, price: Decimal, why: str) -> None:
        """Afterwards buyers pay this price, and the books say why."""
        was, before = listing.price, self.status(listing)
        listing.price = price
        self.moved(listing)
        if was != price:
            self.books.enter(
                "price", self.now(), sku=listing.sku, list="market", was=None if was is None else f"{was:.2f}",
                now=f"{price:.2f}", currency=self.currency, why=why,
            )  # fmt: skip
        self._status_changed(listing, before)

    def _status_changed(self, listing: Listing, before: Sequence[str]) -> None:
        now = self.status(listing)
        if now != list(before):
            self.tell("LISTINGS_ITEM_STATUS_CHANGE", {
                "SellerId": self.seller, "MarketplaceId": self.marketplace, "Asin": listing.asin, "Sku": listing.sku,
                "CreatedDate": stamp(listing.created), "Status": now,
            })  # fmt: skip

    # ── orders ───────────────────────────────────────────────────────────────────────────────────────────────────

    def order(self, id: str) -> Doc:
        """The order; Refused 404 when there is none."""
        found = self.orders.get(id)
        if found is None:
            raise Refused(404, "NotFound", f"The order {id} was not found")
        return found

    def touched(self, order: Doc, reason: str = "Status change") -> None:
        """The order's stamp moves, and who has subscribed is told."""
        order["updated"] = self.now()
        sent = sum(int(item["sent"]) for item in order["items"])
        self.tell("ORDER_CHANGE", {"OrderChangeNotification": {
            "NotificationLevel": "OrderLevel", "SellerId": self.seller, "AmazonOrderId": order["id"],
            "OrderChangeType": "OrderStatusChange",
            "OrderChangeTrigger": {"TimeOfOrderChange": stamp(self.now()), "ChangeReason": reason},
            "Summary": {
                "MarketplaceId": self.marketplace, "OrderStatus": WORDS[order["status"]],
                "PurchaseDate": stamp(order["created"]),
                "DestinationPostalCode": order["address"].get("postalCode", ""),
                "FulfillmentType": "AFN" if order["network"] else "MFN", "OrderType": "StandardOrder",
                "NumberOfItemsShipped": sent,
                "NumberOfItemsUnshipped": sum(int(item["quantity"]) for item in order["items"]) - sent,
                "OrderItems": [{
                    "OrderItemId": item["id"], "SellerSKU": item["sku"], "SupplySourceId": "",
                    "Quantity": item["quantity"], "QuantityShipped": item["sent"],
                    "OrderItemStatus": "Shipped" if item["sent"] == item["quantity"] else "Unshipped",
                } for item in order["items"]],
            },
        }})  # fmt: skip


WORDS: Mapping[str, str] = {
    "PENDING": "Pending", "UNSHIPPED": "Unshipped", "PARTIALLY_SHIPPED": "PartiallyShipped", "SHIPPED": "Shipped",
    "CANCELLED": "Canceled",
}
"""An order's state in Orders 2026-01-01 → its word in notifications and in Orders v0."""


def stamp(moment: datetime) -> str:
    """UTC with Z, whole seconds."""
    return utc_seconds(moment)


def money(amount: Decimal | int, currency: str) -> Doc:
    """An amount as the Selling Partner API writes it."""
    return {"amount": f"{amount:.2f}", "currencyCode": currency}
