"""What programs and people may do to records: create and write with links and commands, checked as Odoo checks them.

What surprises here: a field that a model does not have is a ValueError (HTTP 500); a link to a record that is not there
breaks a foreign key; ``False`` empties. What follows from a change (a sale's total, a product's variant) follows here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import product
from typing import Any

from deployments.sandbox.notation import Doc
from deployments.sandbox.odoo.database import Database, Failure, Session, moment, value_error
from deployments.sandbox.odoo.models import MODELS, UNTIL, Field, choices


def create(db: Database, model: str, values: Mapping[str, Any], session: Session) -> int:
    """A new record with all that belongs to it; its id."""
    own = _own(db, model, values, session)
    defaults = _defaults(db, model, own, session)
    own = {**defaults, **own}
    for name, kind in MODELS[model].items():
        gone = db.version > UNTIL.get((model, name), db.version)
        if kind.required and not kind.computed and not gone and own.get(name) in (None, False, ""):
            raise Failure("odoo.exceptions.ValidationError", f"Missing required value for the field '{name}'.", 422)
    id = db.insert(model, own)
    _inside(db, model, id, values, session)
    _then(db, model, id, None, session)
    return id


def write(db: Database, model: str, ids: Sequence[int], values: Mapping[str, Any], session: Session) -> bool:
    """One set of values for all the records."""
    visible = {id for id in ids if id in db.rows[model]}
    if len(visible) < len(set(ids)):
        raise Failure("odoo.exceptions.MissingError", "Record does not exist or has been deleted.", 404)
    allowed = {*session.allowed(), False}
    for id in ids:
        if "company_id" in MODELS[model] and db.value(model, id, "company_id", session) not in allowed:
            text = f"You are not allowed to modify '{model}' records. (record rule: multi-company)"
            raise Failure("odoo.exceptions.AccessError", text, 403)
        old = dict(db.get(model, id))
        db.update(model, id, _own(db, model, values, session))
        _inside(db, model, id, values, session)
        _then(db, model, id, old, session)
    return True


def _own(db: Database, model: str, values: Mapping[str, Any], session: Session) -> Doc:
    """The values that the record itself keeps."""
    found: Doc = {}
    for name, value in values.items():
        kind = MODELS[model].get(name)
        if kind is None:
            raise value_error(f"Invalid field '{name}' on model '{model}'")
        if model == "product.product" and name in _OF_TEMPLATE:
            continue
        if kind.computed or name in ("id", "create_date", "write_date"):
            continue  # Odoo ignores them without a word
        if kind.type == "many2many":
            found[name] = _linked(db, kind, value, found.get(name, []))
        elif kind.type != "one2many":
            found[name] = _checked(db, model, name, kind, value)
    return found


_OF_TEMPLATE = {
    "name": "name",
    "list_price": "list_price",
    "lst_price": "list_price",
    "type": "type",
    "uom_id": "uom_id",
    "is_storable": "is_storable",
    "sale_ok": "sale_ok",
    "company_id": "company_id",
}
"""What a variant has from its template, and the template's name of it."""


def _checked(db: Database, model: str, name: str, kind: Field, value: Any) -> Any:
    if value is False or value is None:
        return 0.0 if kind.type == "float" else False
    if kind.type == "many2one":
        if isinstance(value, bool) or not isinstance(value, int) or value not in db.rows[kind.of]:
            if isinstance(value, int):
                raise Failure("odoo.exceptions.MissingError", f"{kind.of} {value} does not exist", 404)
            raise value_error(f"Wrong value for {model}.{name}: {value!r}")
        return value
    if kind.type == "datetime":
        return value if isinstance(value, datetime) else moment(value)
    if kind.type == "float":
        if isinstance(value, str | bool):
            raise value_error(f"could not convert {value!r} to float")
        return float(value)
    if kind.type == "selection" and value not in choices(db.version, model, name):
        raise value_error(f"Wrong value for {model}.{name}: {value!r}")
    if kind.type == "boolean":
        return bool(value)
    if model == "stock.warehouse" and name == "code":
        return str(value)[:5]
    if kind.type in ("char", "text", "html", "date"):
        if not isinstance(value, str):
            raise value_error(f"Wrong value for {model}.{name}: {value!r}")
        if "\x00" in value or any(0xD800 <= ord(letter) < 0xE000 for letter in value):
            raise value_error("A string literal cannot contain NUL (0x00) characters.")
        return value or False
    return value


def _linked(db: Database, kind: Field, commands: Any, held: Sequence[int]) -> list[int]:
    found = list(held)
    for command in commands or []:
        if isinstance(command, int):
            found = [*found, command]
        elif command[0] == 6:
            found = list(command[2])
        elif command[0] == 4:
            found = [*dict.fromkeys([*found, command[1]])]
        elif command[0] == 5:
            found = []
        else:
            raise value_error(f"Invalid command {command!r}")
    for id in found:
        db.get(kind.of, id)
    return found


def _inside(db: Database, model: str, id: int, values: Mapping[str, Any], session: Session) -> None:
    """Carries out the commands on one-to-many fields, and adds to many-to-many ones what they had."""
    for name, commands in values.items():
        kind = MODELS[model][name]
        if kind.type != "one2many":
            continue
        for command in commands or []:
            if command[0] == 0:
                create(db, kind.of, {**command[2], kind.inverse: id}, session)
            elif command[0] == 1:
                given = dict(command[2])
                for part, of in MODELS[kind.of].items():
                    if of.type == "many2many" and part in given:
                        given[part] = [[6, 0, _linked(db, of, given[part], db.get(kind.of, command[1])[part])]]
                write(db, kind.of, [command[1]], given, session)
            elif command[0] == 2:
                db.delete(kind.of, command[1])
            else:
                raise value_error(f"Invalid command {command!r}")


def _defaults(db: Database, model: str, own: Doc, session: Session) -> Doc:
    company, now = session.allowed()[0], db.now()
    found: Doc = {}
    if model == "sale.order":
        house = db.one("stock.warehouse", company_id=own.get("company_id") or company)
        number = db.numbers.get("sale.order", 0) + 1
        found = {
            "name": f"S{number:05d}",
            "state": "draft",
            "date_order": now,
            "company_id": company,
            "warehouse_id": False if house is None else house["id"],
            "partner_shipping_id": own.get("partner_id") or False,
        }
        chosen = own.get("pricelist_id")
        currency = (
            db.get("product.pricelist", chosen)["currency_id"]
            if chosen
            else db.get("res.company", company)["currency_id"]
        )
        found |= {"currency_id": currency}
    elif model == "sale.order.line":
        order = db.get("sale.order", own["order_id"])
        found = {"company_id": order["company_id"], "sequence": 10, "product_uom_qty": 1.0}
        if own.get("product_id"):
            template = db.get("product.template", db.get("product.product", own["product_id"])["product_tmpl_id"])
            found |= {
                "product_uom_id": template["uom_id"],
                "name": template["name"],
                "price_unit": template["list_price"],
            }
    elif model in ("product.template", "product.product"):
        found = {"sale_ok": True, "type": "consu", "uom_id": 1} if model == "product.template" else {}
        if model == "product.product" and "product_tmpl_id" not in own:
            raise value_error("a variant has a template")
    elif model == "stock.picking":
        kind = db.get("stock.picking.type", own["picking_type_id"])
        number = db.numbers.get("stock.picking", 0) + 1
        code = db.get("stock.warehouse", kind["warehouse_id"])["code"]
        found = {
            "name": f"{code}/{'IN' if kind['code'] == 'incoming' else 'OUT'}/{number:05d}",
            "state": "draft",
            "picking_type_code": kind["code"],
            "company_id": kind["company_id"],
            "scheduled_date": now,
            "location_id": kind["default_location_src_id"],
            "location_dest_id": kind["default_location_dest_id"],
        }
    elif model == "stock.move":
        picking = db.get("stock.picking", own["picking_id"]) if own.get("picking_id") else None
        place = {} if picking is None else {name: picking[name] for name in ("location_id", "location_dest_id")}
        template = db.get("product.template", db.get("product.product", own["product_id"])["product_tmpl_id"])
        found = {"state": "draft", "date": now, "company_id": company, "product_uom": template["uom_id"], **place}
    elif model == "product.pricelist.item":
        found = {"applied_on": "3_global", "compute_price": "fixed"}
    elif model == "res.partner":
        found = {"type": "contact", "partner_share": True}
        if not own.get("name") and own.get("type", "contact") == "contact":
            text = "The operation cannot be completed: Contacts require a name"
            raise Failure("odoo.exceptions.ValidationError", text, 422)
    elif model == "crm.lead":
        found = {"type": "lead", "company_id": company, "probability": 0.0}
    return found


def _then(db: Database, model: str, id: int, old: Doc | None, session: Session) -> None:
    """What follows from a record that is new or has changed."""
    doc = db.get(model, id)
    if model == "product.template":
        _variants(db, id, old, session)
    elif model == "product.product":
        if old is not None and doc["default_code"] != old["default_code"]:
            db.update("product.template", doc["product_tmpl_id"], {}, stamped=False)
        _barcodes(db, doc)
    elif model == "sale.order.line":
        _amounts(db, doc)
        total(db, doc["order_id"])
    elif model == "product.pricelist.item" and (old is None or old["fixed_price"] != doc["fixed_price"]):
        _priced(db, doc, old, session)
    elif model == "res.partner" and doc["type"] == "contact":
        seed = "seed" if db.opening is not None else "api"
        db.book("customer", id=str(id), email=doc["email"] or None, phone=doc["phone"] or None, why=seed)
    elif model == "sale.order" and old is not None and old["x_serai_payment"] != doc["x_serai_payment"]:
        facts = {"id": doc["name"], "number": doc["client_order_ref"] or None}
        db.book("payment", **facts, was=old["x_serai_payment"] or None, now=doc["x_serai_payment"] or None, why="api")


def _barcodes(db: Database, doc: Doc) -> None:
    if doc["barcode"] and sum(1 for one in db.all("product.product", barcode=doc["barcode"])) > 1:
        text = f"Barcode(s) already assigned: {doc['barcode']}"
        raise Failure("odoo.exceptions.ValidationError", text, 422)


def _variants(db: Database, id: int, old: Doc | None, session: Session) -> None:
    """Makes the variants that a template's attribute lines stand for; those that are no longer wanted are archived."""
    template = db.get("product.template", id)
    lines = list(db.all("product.template.attribute.line", product_tmpl_id=id))
    wanted: list[tuple[int, ...]] = []
    for values in product(*[line["value_ids"] for line in lines]):
        made = []
        for line, value in zip(lines, values, strict=True):
            one = db.one(
                "product.template.attribute.value", attribute_line_id=line["id"], product_attribute_value_id=value
            )
            made.append(
                one["id"]
                if one is not None
                else db.insert(
                    "product.template.attribute.value",
                    {"product_tmpl_id": id, "attribute_line_id": line["id"], "product_attribute_value_id": value},
                )
            )
        wanted.append(tuple(made))
    there = {
        tuple(one["product_template_attribute_value_ids"]): one["id"]
        for one in db.all("product.product", product_tmpl_id=id)
    }
    for combination in wanted or [()]:
        if combination not in there:
            fresh: Doc = {"product_tmpl_id": id, "product_template_attribute_value_ids": list(combination)}
            if old is None:
                fresh |= {name: template[name] for name in ("default_code", "barcode", "standard_price")}
            _barcodes(db, db.get("product.product", db.insert("product.product", fresh)))
    for combination, variant in there.items():
        active = combination in (wanted or [()])
        if db.get("product.product", variant)["active"] != (active and template["active"]):
            db.update("product.product", variant, {"active": active and template["active"]})


def _amounts(db: Database, line: Doc) -> None:
    paid = _rounded(line["price_unit"] * line["product_uom_qty"] * (1 - line["discount"] / 100))
    db.update("sale.order.line", line["id"], {"price_total": paid, "price_subtotal": paid}, stamped=False)


def total(db: Database, order: int) -> None:
    """Afterwards the sale's total is that of its lines; its stamp stays."""
    made = sum((Decimal(str(line["price_total"])) for line in db.all("sale.order.line", order_id=order)), Decimal(0))
    db.update("sale.order", order, {"amount_total": float(made)}, stamped=False)


def _rounded(value: float) -> float:
    return float(Decimal(repr(value)).quantize(Decimal("0.01"), rounding="ROUND_HALF_UP"))


def _priced(db: Database, item: Doc, old: Doc | None, session: Session) -> None:
    chosen = db.get("product.pricelist", item["pricelist_id"])
    currency = db.get("res.currency", chosen["currency_id"])["name"]
    if item["product_id"]:
        why = "seed" if db.opening is not None else "people" if session.context.get("people") else "api"
        was = None if old is None else f"{Decimal(repr(old['fixed_price'])):.2f}"
        sku = db.get("product.product", item["product_id"])["default_code"]
        db.book(
            "price",
            sku=sku,
            list=chosen["name"],
            was=was,
            now=f"{Decimal(repr(item['fixed_price'])):.2f}",
            currency=currency,
            why=why,
        )
