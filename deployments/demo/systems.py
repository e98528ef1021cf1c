"""Which system plays which part in the demo, and what its books call what Serai writes there.

What surprises here: Serai counts writes by entity, a platform by its own calls: one call of a platform may carry two
entities (a variant and its price), so counts are compared by groups of entities. One write may take Odoo several calls,
each of which says which write it is a step of.
"""

from __future__ import annotations

from collections.abc import Mapping

from deployments.sandbox.amazon.server import play as play_amazon
from deployments.sandbox.bitrix24.server import play as play_bitrix24
from deployments.sandbox.odoo.server import play as play_odoo
from deployments.sandbox.price_list import play as play_price_list
from deployments.sandbox.shopify.fill import play as play_shopify
from deployments.sandbox.start import Player
from deployments.sandbox.tryton.server import play as play_tryton

Counted = Mapping[tuple[str, ...], str]
"""Entities → the resource under which a system's books count the writes of them."""

MORE: Mapping[str, Player] = {"amazon": play_amazon, "pricelist": play_price_list}
"""The systems that the sandbox has no part of its own for."""
PLAYERS: Mapping[str, Player] = {
    "erp": play_odoo, "erp_bg": play_odoo, "crm": play_bitrix24, "shop": play_shopify, "pos": play_tryton, **MORE,
}  # fmt: skip
"""The systems that a simulator of a real platform plays; the others are the sandbox's own."""

_ODOO: Counted = {("customer",): "customers", ("order",): "orders", ("return",): "returns"}
_SHOP: Counted = {
    ("product",): "products", ("variant",): "variants", ("stock",): "inventory", ("price",): "prices",
    ("shipment",): "fulfilments", ("decision",): "decisions", ("return",): "refunds",
}  # fmt: skip
_SHOPIFY: Counted = {
    ("product",): "products", ("variant", "price"): "variants", ("stock",): "inventory", ("shipment",): "shipments",
    ("decision",): "decisions", ("return",): "refunds",
}  # fmt: skip
COUNTED: Mapping[str, Counted] = {
    "erp": _ODOO, "erp_bg": _ODOO, "crm": {("customer",): "contacts", ("order",): "deals"}, "shop": _SHOPIFY,
    "shop_bg": _SHOP, "pos": {("variant",): "variants", ("price",): "prices"},
    "market": {("stock",): "stocks", ("price",): "prices", ("shipment",): "shipments", ("decision",): "decisions"},
    "amazon": {("stock", "price"): "listings", ("shipment",): "orders"},
}  # fmt: skip
"""System → what its books count of Serai's writes."""
