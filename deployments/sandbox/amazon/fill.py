"""Enters a demo retailer's listings as they stand at the opening; nobody is told.

What surprises here: on the real Amazon a thing that Amazon sends has a SKU of its own; here one SKU may be sent by
both, so that the retailer's SKUs are the same everywhere.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from deployments.demo.data import OPENED, Retailer
from deployments.sandbox.amazon import orders
from deployments.sandbox.amazon.listings import apply
from deployments.sandbox.amazon.state import OWN, Listing, Market
from deployments.sandbox.notation import Doc

NETWORK_CODE = "mkt-alm"
"""What the retailer calls Amazon's network."""


def enter(market: Market, sku: str, *, title: str, price: Decimal, available: int, kind: str = "PRODUCT") -> Listing:
    """A listing with its price and figure, entered without anybody's submission."""
    number = market.number("asin")
    listing = Listing(sku=sku, asin=f"B0{number:08d}", product_type=kind, created=market.now(), updated=market.now())
    market.put(listing)
    place = market.marketplace
    offer = {"marketplace_id": place, "currency": market.currency,
             "our_price": [{"schedule": [{"value_with_tax": price}]}]}  # fmt: skip
    attributes: Doc = {
        "item_name": [{"value": title, "marketplace_id": place}],
        "fulfillment_availability": [{"fulfillment_channel_code": OWN, "quantity": available}],
        "purchasable_offer": [offer],
    }
    apply(market, listing, attributes, whole=True)
    return listing


def fill(market: Market, retailer: Retailer) -> None:
    """Afterwards the marketplace holds what the retailer sells there, and what of it lies in Amazon's network."""
    with market.lock:
        for n, variant in enumerate(one for one in retailer.variants() if "market" in one.sold_in):
            market.opening = OPENED + timedelta(seconds=n // 40)
            enter(
                market, variant.sku, title=variant.name, price=variant.price_in("market"),
                available=variant.shown_in("market"),
            )  # fmt: skip
            if NETWORK_CODE in variant.on_hand:
                orders.lay(market, variant.sku, variant.on_hand[NETWORK_CODE], "opening")
        market.opening = None
