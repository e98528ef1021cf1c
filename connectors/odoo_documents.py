"""Odoo's records made into documents: a sale with its lines, stock per warehouse, a delivery with what was moved.

What surprises here: records that belong together come in calls of their own, so that a page may tear between them; what
changed meanwhile has a later stamp and comes again.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.base import Doc
from connectors.odoo_facts import FIELDS, KEY, ONLY, head, joined

if TYPE_CHECKING:
    from connectors.odoo import Odoo


def whole(odoo: Odoo, resource: str, rows: list[Doc]) -> list[Doc]:
    """The documents of these records, with what belongs to them."""
    if not rows:
        return []
    ids = [row["id"] for row in rows]
    if resource == "locations":
        places = odoo.options.get("places") or {}
        for row in rows:
            row["place"] = str(places.get(row["code"], row["code"]))
    elif resource == "variants":
        _with_options(odoo, rows)
    elif resource == "stock":
        return _stock(odoo, [row["id"] for row in rows])
    elif resource == "prices":
        return _prices(odoo, rows)
    elif resource == "orders":
        lines = odoo.rows("sale.order.line", [["order_id", "in", ids]], FIELDS["sale.order.line"])
        bills = sorted({id for row in rows for id in row["invoice_ids"]})
        invoices = odoo.rows("account.move", [["id", "in", bills]], FIELDS["account.move"]) if bills else []
        charged = _charged(odoo)
        for line in lines:
            line["charge"] = charged.get(head(line["product_id"]) or 0, False)
        for row in rows:
            row["order_line"] = joined([line for line in lines if head(line["order_id"]) == row["id"]])
            row["invoice_ids"] = [one for one in invoices if one["id"] in row["invoice_ids"]]
    elif resource in ("shipments", "returns"):
        _with_moves(odoo, rows)
    elif resource == "invoices":
        for sale in odoo.rows("sale.order", [["invoice_ids", "in", ids]], ["name", "invoice_ids"]):
            for row in rows:
                if row["id"] in sale["invoice_ids"]:
                    row["order_id"] = [sale["id"], sale["name"]]
        for row in rows:
            row.setdefault("order_id", False)
    elif resource == "pos_orders":
        _with_till(odoo, rows)
    return rows


def _charged(odoo: Odoo) -> dict[int, str]:
    """Product → what the setting `charges` books on it."""
    codes = {str(code): kind for kind, code in (odoo.options.get("charges") or {}).items()}
    wanted = [["default_code", "in", sorted(codes)]]
    found = odoo.rows("product.product", wanted, ["default_code"]) if codes else []
    return {row["id"]: codes[row["default_code"]] for row in found}


def _with_options(odoo: Odoo, rows: list[Doc]) -> None:
    wanted = sorted({id for row in rows for id in row["product_template_attribute_value_ids"]})
    model, fields = "product.template.attribute.value", ["name", "attribute_id"]
    values = odoo.rows(model, [["id", "in", wanted]], fields) if wanted else []
    by_id = {value["id"]: {"name": value["attribute_id"][1], "value": value["name"]} for value in values}
    for row in rows:
        row["options"] = [by_id[id] for id in row["product_template_attribute_value_ids"] if id in by_id]


def _stock(odoo: Odoo, ids: Sequence[int]) -> list[Doc]:
    """Per product and warehouse what lies there, what of it is free, and what is announced."""
    found = list[Doc]()
    for place in odoo.rows("stock.warehouse", [], FIELDS["stock.warehouse"]):
        lot = head(place["lot_stock_id"])
        fields, only = ["uom_id", "free_qty", "qty_available"], [["id", "in", list(ids)], *ONLY["stock"]]
        answer = odoo.search("product.product", only, fields, context={"location": lot})
        coming = odoo.rows(
            "stock.move",
            [["product_id", "in", list(ids)], ["location_dest_id", "=", lot], ["picking_code", "=", "incoming"],
             ["state", "in", ["waiting", "confirmed", "partially_available", "assigned"]]],
            ["product_id", "product_uom_qty", "date", "origin"],
        )  # fmt: skip
        aside = _set_aside(odoo, ids, lot)
        for row in answer.body:
            expected = [
                {"key": move["origin"] or str(move["id"]), **{name: move[name] for name in ("product_uom_qty", "date")}}
                for move in coming if head(move["product_id"]) == row["id"]
            ]  # fmt: skip
            found.append({**row, "id": f"{row['id']}@{place['id']}", "product_id": [row["id"], ""],
                          "warehouse_id": [place["id"], place["name"]], "expected": expected,
                    "quarantined": aside.get(row["id"], Decimal(0))})  # fmt: skip
    return found


def _set_aside(odoo: Odoo, ids: Sequence[int], lot: int | None) -> dict[int, Decimal]:
    """Product → what of it lies in the part of a warehouse's stock that the setting `quarantine` names."""
    if "quarantine" not in odoo.options:
        return {}
    domain = [["product_id", "in", list(ids)], ["location_id.location_id", "=", lot],
              ["location_id.name", "=", str(odoo.options["quarantine"])]]  # fmt: skip
    found: dict[int, Decimal] = {}
    for quant in odoo.rows("stock.quant", domain, ["product_id", "quantity"]):
        product = head(quant["product_id"]) or 0
        found[product] = found.get(product, Decimal(0)) + quant["quantity"]
    return found


def _prices(odoo: Odoo, rows: list[Doc]) -> list[Doc]:
    """A price of a template is one of each of its variants."""
    whole = sorted({head(row["product_tmpl_id"]) or 0 for row in rows if row["applied_on"] == "1_product"})
    variants = odoo.rows("product.product", [["product_tmpl_id", "in", whole]], ["product_tmpl_id"]) if whole else []
    lists = sorted({head(row["pricelist_id"]) or 0 for row in rows})
    names = {one["id"]: one["name"] for one in odoo.rows("product.pricelist", [["id", "in", lists]], ["name"])}
    found = list[Doc]()
    for row in rows:
        row["list"] = names.get(head(row["pricelist_id"]), "")
        if row["applied_on"] != "1_product":
            found.append(row)
            continue
        of = [one for one in variants if one["product_tmpl_id"] == row["product_tmpl_id"]]
        found += [{**row, "id": f"{row['id']}@{one['id']}", "product_id": [one["id"], ""]} for one in of]
    return found


def _with_moves(odoo: Odoo, rows: list[Doc]) -> None:
    moves = odoo.rows("stock.move", [["picking_id", "in", [row["id"] for row in rows]], ["state", "=", "done"]],
                      FIELDS["stock.move"])  # fmt: skip
    sold = sorted({id for move in moves if (id := head(move["sale_line_id"])) is not None})
    lines = odoo.rows("sale.order.line", [["id", "in", sold]], ["order_id", KEY]) if sold else []
    types = sorted({head(row["picking_type_id"]) or 0 for row in rows})
    places = odoo.rows("stock.picking.type", [["id", "in", types]], ["warehouse_id"])
    houses, by_id = {place["id"]: place["warehouse_id"] for place in places}, {line["id"]: line for line in lines}
    for row in rows:
        row["warehouse_id"] = houses.get(head(row["picking_type_id"]), False)
        row["move_ids"] = own = [move for move in moves if head(move["picking_id"]) == row["id"]]
        for move in own:
            line = by_id.get(head(move["sale_line_id"]), {})
            move["line"] = line.get(KEY) or (str(line["id"]) if line else False)
            move["order_id"] = line.get("order_id", False)


def _with_till(odoo: Odoo, rows: list[Doc]) -> None:
    lines = odoo.rows("pos.order.line", [["order_id", "in", [row["id"] for row in rows]]], FIELDS["pos.order.line"])
    payments = odoo.rows("pos.payment", [["pos_order_id", "in", [row["id"] for row in rows]]],
                         ["pos_order_id", "amount", "payment_method_id"])  # fmt: skip
    sessions = sorted({head(row["session_id"]) or 0 for row in rows})
    shifts = {one["id"]: one for one in odoo.rows(
        "pos.session", [["id", "in", sessions]], ["name", "config_id", "start_at", "stop_at"])}  # fmt: skip
    tills = sorted({head(row["config_id"]) or 0 for row in rows})
    types = {one["id"]: head(one["picking_type_id"]) for one in odoo.rows(
        "pos.config", [["id", "in", tills]], ["picking_type_id"])}  # fmt: skip
    houses = {one["id"]: one["warehouse_id"] for one in odoo.rows(
        "stock.picking.type", [["id", "in", sorted(id for id in types.values() if id is not None)]],
        ["warehouse_id"])}  # fmt: skip
    undone = sorted({id for line in lines if (id := head(line["refunded_orderline_id"])) is not None})
    sold = {one["id"]: one["order_id"] for one in odoo.rows("pos.order.line", [["id", "in", undone]], ["order_id"])}
    for row in rows:
        row["lines"] = own = [line for line in lines if head(line["order_id"]) == row["id"]]
        of = [sold[id] for line in own if (id := head(line["refunded_orderline_id"])) in sold]
        row["refunded_order_id"] = of[0] if of else False
        row["payment_ids"] = [one for one in payments if head(one["pos_order_id"]) == row["id"]]
        row["session"] = shifts.get(head(row["session_id"]) or 0)
        row["warehouse_id"] = houses.get(types.get(head(row["config_id"]) or 0) or 0, False)
