"""What Odoo's models are to us: which resource is which model, which changes count, which fields, older names.

What surprises here: see odoo.py, whose facts these are. Documents have the names of Odoo 19 whatever runs; `OLDER` says
what a field was called before (None: it was not there, and documents hold false).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.base import Doc, Resource, Write
from connectors.errors import Misconfigured
from connectors.watched import Watch

STAMP = "write_date"
LAG = 300.0
VERSIONS = (16, 17, 18, 19)
KEY = "x_serai_key"
"""Our own text field on sale.order.line: the key of the order's line, which nothing of Odoo's own can hold."""
PAYMENT, REFUNDS = "x_serai_payment", "x_serai_refunds"
"""Those on sale.order and stock.picking: how far it is paid, and what went back for goods that came back, by tender."""


def _resource(model: str, **facts: Any) -> Resource:
    return Resource(path=model, items="", updated=STAMP, since=STAMP, lag=LAG, paging="keyset", page_size=200, **facts)


def _written(model: str, reference: str, **facts: Any) -> Resource:
    return _resource(
        model, create="create", update="write", reference=reference, reference_field=reference, **facts
    )  # fmt: skip


RESOURCES: Mapping[str, Resource] = {
    "locations": _resource("stock.warehouse"),
    "products": _written("product.template", "default_code"),
    "variants": _written("product.product", "default_code"),
    "stock": _resource("product.product", stock_kind="on_hand"),
    "prices": _written("product.pricelist.item", "pricelist_id"),
    "customers": _written("res.partner", "ref"),
    "orders": _written("sale.order", "origin"),
    "shipments": _written("stock.picking", "origin"),
    "returns": _resource("stock.picking", create="create", reference="origin", reference_field="origin"),
    "invoices": _resource("account.move"),
    "leads": _written("crm.lead", "referred"),
    "pos_orders": _resource("pos.order"),
}
WATCHES: Mapping[str, Sequence[Watch]] = {
    "locations": [Watch(model="stock.warehouse")],
    "products": [Watch(model="product.template")],
    "variants": [Watch(model="product.product"), Watch(model="product.template", via="product_tmpl_id")],
    "stock": [Watch(model="product.product"), Watch(model="stock.quant", names="product_id"),
              Watch(model="stock.move", names="product_id")],
    "prices": [Watch(model="product.pricelist.item")],
    "customers": [Watch(model="res.partner")],
    "orders": [Watch(model="sale.order"), Watch(model="sale.order.line", names="order_id"),
               Watch(model="stock.picking", names="sale_id"), Watch(model="account.move", via="invoice_ids")],
    "shipments": [Watch(model="stock.picking")],
    "returns": [Watch(model="stock.picking")],
    "invoices": [Watch(model="account.move")],
    "leads": [Watch(model="crm.lead")],
    "pos_orders": [Watch(model="pos.order"), Watch(model="pos.session", via="session_id")],
}  # fmt: skip
ONLY: Mapping[str, list[Any]] = {
    "stock": [["is_storable", "=", True]],
    "prices": [["compute_price", "=", "fixed"], ["applied_on", "in", ["0_product_variant", "1_product"]]],
    "customers": [["parent_id", "=", False], ["partner_share", "=", True]],
    "shipments": [["picking_type_code", "=", "outgoing"], ["state", "=", "done"], ["sale_id", "!=", False]],
    "returns": [["picking_type_code", "=", "incoming"], ["state", "=", "done"],
                ["move_ids.origin_returned_move_id", "!=", False]],
    "invoices": [["move_type", "in", ["out_invoice", "out_refund"]], ["state", "!=", "draft"]],
    "pos_orders": [["state", "in", ["paid", "done", "invoiced"]]],
}  # fmt: skip
FIELDS: Mapping[str, Sequence[str]] = {
    "stock.warehouse": ["name", "code", "active", "lot_stock_id", "company_id"],
    "product.template": ["name", "default_code", "description_sale", "categ_id", "active", "sale_ok", "type"],
    "product.product": ["display_name", "default_code", "barcode", "product_tmpl_id", "uom_id", "active", "sale_ok",
                        "type", "standard_price", "lst_price", "product_template_attribute_value_ids"],
    "product.pricelist.item": ["pricelist_id", "applied_on", "product_tmpl_id", "product_id", "min_quantity",
                               "fixed_price", "date_start", "date_end", "currency_id"],
    "res.partner": ["name", "email", "phone", "street", "street2", "city", "zip", "country_code", "is_company", "vat",
                    "lang", "ref", "active"],
    "sale.order": ["name", "state", "client_order_ref", "origin", "date_order", "partner_id", "currency_id",
                   "warehouse_id", "amount_total", "amount_paid", "delivery_status", "invoice_ids", "x_serai_payment"],
    "sale.order.line": ["order_id", "display_type", "is_delivery", "product_id", "name", "product_uom_qty",
                        "product_uom_id", "price_unit", "discount", "price_total", KEY],
    "stock.picking": ["name", "state", "date_done", "origin", "sale_id", "picking_type_id", "carrier_id",
                      "carrier_tracking_ref", "note"],
    "stock.move": ["picking_id", "product_id", "quantity", "product_uom", "sale_line_id", "origin_returned_move_id"],
    "account.move": ["name", "move_type", "state", "payment_state", "invoice_date", "amount_total", "amount_residual",
                     "currency_id", "partner_id", "invoice_origin", "ref", "reversed_entry_id"],
    "crm.lead": ["name", "type", "partner_id", "contact_name", "email_from", "phone", "description", "active",
                 "probability", "create_date", "referred"],
    "pos.order": ["name", "pos_reference", "session_id", "config_id", "date_order", "state", "partner_id",
                  "amount_total", "amount_tax", "amount_paid", "currency_id", "company_id", "lines"],
    "pos.order.line": ["order_id", "product_id", "full_product_name", "qty", "price_unit", "discount",
                       "price_subtotal_incl", "refunded_orderline_id"],
}  # fmt: skip
OLDER: Mapping[int, Mapping[str, Mapping[str, str | None]]] = {
    18: {"sale.order.line": {"product_uom_id": "product_uom", "tax_ids": "tax_id"}},
    17: {"product.product": {"is_storable": None}},
    16: {"sale.order": {"amount_paid": None}, "stock.move": {"quantity": "quantity_done"}},
}
"""Up to this version → model → field of 19 → what it was called."""
BUSY = ("SerializationFailure", "DeadlockDetected", "LockNotAvailable", "LockError", "ConcurrencyError",
        "OperationalError", "PoolError", "QueryCanceled")  # fmt: skip
HOOKED = ("write_date", "product_id", "warehouse_id")
"""What a rule's post tells beside model and record, where the model has it."""
OPEN = ["state", "not in", ["done", "cancel"]]
"""The term of a domain for transfers and moves that are still to be done."""
DENIED = ("AccessDenied", "Unauthorized", "SessionExpiredException")


class Refused(Misconfigured):
    """Odoo did not do it and says why; the transaction was rolled back."""


def adjusted(options: Mapping[str, Any]) -> Mapping[str, Resource]:
    """The resources with the channel's own ``page_size`` and ``lag``, where its settings name them."""
    own: dict[str, Any] = {}
    if "page_size" in options:
        own["page_size"] = int(options["page_size"])
    if "lag" in options:
        own["lag"] = float(options["lag"])
    return {name: replace(facts, **own) for name, facts in RESOURCES.items()}


def older(version: int, model: str) -> Mapping[str, str | None]:
    """Field of Odoo 19 → its name in a version, where that is another one; None: it has none."""
    found: dict[str, str | None] = {}
    for until, models in OLDER.items():
        if version <= until:
            found |= models.get(model, {})
    return found


def spoken(names: Mapping[str, str | None], domain: Sequence[Any]) -> list[Any]:
    """The domain in a version's own names; what the version does not have is left out."""
    found: list[Any] = []
    for term in domain:
        if isinstance(term, str):
            found.append(term)
        elif term[0] == "is_storable" and names.get("is_storable", "") is None:
            found.append(["type", "=", "product"])
        else:
            found.append([names.get(term[0]) or term[0], *term[1:]])
    return found


def naive(at: datetime) -> str:
    """A moment as Odoo reads it: UTC without a zone, whole seconds, rounded down."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def after(stamp: str) -> str:
    """The second after a stamp."""
    return naive(datetime.fromisoformat(stamp).replace(tzinfo=UTC) + timedelta(seconds=1))


def head(link: Any) -> int | None:
    """The id of a link, which is ``[id, name]``; None for false."""
    return int(link[0]) if isinstance(link, list) and link else None


def parted(quantity: Decimal, total: Decimal, digits: int = 2) -> list[tuple[Decimal, Decimal]]:
    """Pieces and unit prices that make up a line's total to the last digit: most pieces at ``total / quantity`` rounded
    down, the others one unit of the last digit dearer. A quantity that is no whole number stays in one part."""
    unit = Decimal(1).scaleb(-digits)
    if quantity != quantity.to_integral_value() or quantity <= 0:
        return [(quantity, total / quantity if quantity else total)]
    low = (total / quantity).quantize(unit, rounding="ROUND_FLOOR")
    dearer = (total - low * quantity) / unit
    if dearer != dearer.to_integral_value():
        return [(quantity, total / quantity)]
    parts = [(quantity - dearer, low), (dearer, low + unit)]
    return [part for part in parts if part[0] > 0]


def joined(lines: Sequence[Doc]) -> list[Doc]:
    """The lines of a sale, those that `parted` took apart put together again."""
    found: dict[Any, Doc] = {}
    for line in lines:
        key = line.get(KEY)
        same = found.get(key) if isinstance(key, str) and key else None
        if same is None:
            found[key if isinstance(key, str) and key else line["id"]] = line
            continue
        for name in ("product_uom_qty", "price_total"):
            same[name] += line[name]
        same["price_unit"] = max(same["price_unit"], line["price_unit"])
    return list(found.values())


def id_of(write: Write) -> int:
    """The number of the record; ValueError for an id that Odoo never gave."""
    return int(str(write.id).partition("@")[0])


def or_false(value: Any) -> Any:
    """The value as Odoo takes it: null is false."""
    return False if value is None else value
