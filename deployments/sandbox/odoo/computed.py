"""Fields of the simulated Odoo that are computed when they are asked for: through links, from stock, from deliveries.

What surprises here: their change moves nobody's stamp; quantities depend on ``location`` in the call's context.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployments.sandbox.odoo.database import Database, Session
from deployments.sandbox.odoo.trade import delivered, parts


def _of_template(name: str) -> Any:
    return lambda db, id, session: db.get("product.template", db.get("product.product", id)["product_tmpl_id"])[name]


def _places(db: Database, session: Session) -> Iterator[int]:
    chosen = session.context.get("location")
    if chosen:
        yield int(chosen)
        yield from parts(db, int(chosen))
        return
    for house in db.all("stock.warehouse"):
        if house["company_id"] in session.allowed():
            yield house["lot_stock_id"]
            yield from parts(db, house["lot_stock_id"])


def _on_hand(free: bool) -> Any:
    def found(db: Database, id: int, session: Session) -> float:
        total = 0.0
        for place in _places(db, session):
            quant = db.quants.get((id, place))
            if quant is not None:
                row = db.get("stock.quant", quant)
                total += row["quantity"] - (row["reserved_quantity"] if free else 0.0)
        return total

    return found


def _shown(db: Database, id: int, session: Session) -> str:
    doc = db.get("product.product", id)
    name = db.get("product.template", doc["product_tmpl_id"])["name"]
    values = [
        db.value("product.template.attribute.value", one, "name", session)
        for one in doc["product_template_attribute_value_ids"]
    ]
    code = f"[{doc['default_code']}] " if doc["default_code"] else ""
    return f"{code}{name}" + (f" ({', '.join(values)})" if values else "")


def _through(name: str, model: str, field: str) -> Any:
    """A field that is that of the record a link leads to."""
    return lambda db, id, session, *, of=name: (
        False if not db.get(model, id)[of] else db.get(_LINKED[model, of], db.get(model, id)[of])[field]
    )


_LINKED = {
    ("product.pricelist.item", "pricelist_id"): "product.pricelist",
    ("pos.order", "session_id"): "pos.session",
    ("stock.move", "picking_id"): "stock.picking",
    ("res.partner", "country_id"): "res.country",
    ("pos.order", "company_id"): "res.company",
    ("product.template.attribute.value", "product_attribute_value_id"): "product.attribute.value",
}
COMPUTE: dict[tuple[str, str], Any] = {
    **{
        ("product.product", name): _of_template(name)
        for name in ("name", "type", "is_storable", "uom_id", "company_id", "sale_ok")
    },
    ("product.product", "lst_price"): _of_template("list_price"),
    ("product.product", "list_price"): _of_template("list_price"),
    ("product.product", "free_qty"): _on_hand(True),
    ("product.product", "qty_available"): _on_hand(False),
    ("product.product", "virtual_available"): _on_hand(True),
    ("product.product", "display_name"): _shown,
    ("product.pricelist", "display_name"): lambda db, id, session: "{name} ({of})".format(
        name=db.get("product.pricelist", id)["name"],
        of=db.get("res.currency", db.get("product.pricelist", id)["currency_id"])["name"],
    ),
    ("product.template.attribute.value", "name"): _through(
        "product_attribute_value_id", "product.template.attribute.value", "name"
    ),
    ("product.template.attribute.value", "attribute_id"): _through(
        "product_attribute_value_id", "product.template.attribute.value", "attribute_id"
    ),
    ("product.pricelist.item", "currency_id"): _through("pricelist_id", "product.pricelist.item", "currency_id"),
    ("product.pricelist.item", "company_id"): _through("pricelist_id", "product.pricelist.item", "company_id"),
    ("res.partner", "country_code"): _through("country_id", "res.partner", "code"),
    ("stock.quant", "warehouse_id"): lambda db, id, session: next(
        (
            one["id"]
            for one in db.all("stock.warehouse")
            if db.get("stock.quant", id)["location_id"] in [one["lot_stock_id"], *parts(db, one["lot_stock_id"])]
        ),
        False,
    ),
    ("stock.quant", "available_quantity"): lambda db, id, session: (
        db.get("stock.quant", id)["quantity"] - db.get("stock.quant", id)["reserved_quantity"]
    ),
    ("stock.move", "picking_code"): _through("picking_id", "stock.move", "picking_type_code"),
    ("sale.order", "delivery_status"): lambda db, id, session: delivered(db, id),
    ("sale.order", "amount_paid"): lambda db, id, session: 0.0,
    ("pos.order", "config_id"): _through("session_id", "pos.order", "config_id"),
    ("pos.order", "currency_id"): _through("company_id", "pos.order", "currency_id"),
}
