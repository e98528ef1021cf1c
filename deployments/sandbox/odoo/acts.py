"""What people do in the simulated Odoo, by the verbs of every ERP of the retailer (people.py).

What surprises here: there is no word for a parcel that was delivered; a delivery that was sent is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from deployments.sandbox.design import Refused
from deployments.sandbox.notation import Doc
from deployments.sandbox.odoo.database import Database, Session
from deployments.sandbox.odoo.records import create, write
from deployments.sandbox.odoo.trade import (
    cancel,
    delivered,
    lying,
    parts,
    place_of,
    put,
    set_quantity,
    sku_of,
    validate,
)

PEOPLE = {"people": True, "active_test": False, "skip_backorder": True}


def of_item(db: Database, sku: str) -> Doc:
    """The variant of an internal reference; Refused where there is none."""
    found = db.one("product.product", default_code=sku)
    if found is None:
        raise Refused(422, "unknown_item", f"nothing has the reference {sku}", field="item")
    return found


def of_place(db: Database, code: Any) -> Doc:
    """The warehouse of a place's code (none: the first there is)."""
    for house in db.all("stock.warehouse"):
        if code is None or db.places.get(house["code"], house["code"]) == str(code):
            return house
    raise Refused(422, "unknown_location", f"there is no warehouse {code}", field="location")


def _sale(db: Database, ask: Doc) -> Doc:
    for doc in db.all("sale.order"):
        if "order" in ask and doc["name"] == str(ask["order"]):
            return doc
        if "order" not in ask and doc["client_order_ref"] == ask.get("source_number") and doc["state"] != "cancel":
            return doc
    raise Refused(404, "not_found", f"no sale {ask.get('order', ask.get('source_number'))}")


def _state(db: Database, order: Doc) -> str:
    if order["state"] in ("draft", "sent", "cancel"):
        return {"cancel": "cancelled"}.get(order["state"], "draft")
    return "shipped" if delivered(db, order["id"]) == "full" else "confirmed"


def sale(db: Database, ask: Doc, session: Session) -> Doc:
    """A sale by its number or that of its channel."""
    order = _sale(db, ask)
    place = place_of(db, db.get("stock.warehouse", order["warehouse_id"])["lot_stock_id"])
    return {
        "number": order["name"],
        "source_number": order["client_order_ref"] or None,
        "state": _state(db, order),
        "paid": order["x_serai_payment"] or None,
        "location": place,
        "reference": order["origin"] or None,
    }


def _open(db: Database, order: Doc) -> list[Doc]:
    if _state(db, order) != "confirmed":
        raise Refused(409, "closed", f"{order['name']} is {_state(db, order)}")
    return [one for one in db.all("stock.picking", sale_id=order["id"]) if one["state"] not in ("done", "cancel")]


def _held(db: Database, move: Doc) -> Decimal:
    quant = db.quants.get((move["product_id"], move["location_id"]))
    return Decimal(0) if quant is None else Decimal(repr(db.get("stock.quant", quant)["quantity"]))


def pick(db: Database, ask: Doc, session: Session) -> Doc:
    """Staff put goods of a sale aside: ``lines`` of its own keys, or all of it."""
    order = _sale(db, ask)
    wanted = {str(key): Decimal(str(units)) for key, units in (ask.get("lines") or {}).items()}
    for picking in _open(db, order):
        for move in db.all("stock.move", picking_id=picking["id"]):
            key = db.get("sale.order.line", move["sale_line_id"])["x_serai_key"] if move["sale_line_id"] else ""
            ordered = Decimal(repr(move["product_uom_qty"]))
            aside = Decimal(repr(move["quantity"])) if move["picked"] else Decimal(0)
            more = wanted.pop(str(key), Decimal(0)) if ask.get("lines") else ordered - aside
            if aside + more > ordered:
                raise Refused(422, "too_many", f"line {key}: {aside + more} of {ordered}", field="lines")
            if _held(db, move) < aside + more:
                raise Refused(409, "short", f"there is less than {aside + more} of {sku_of(db, move['product_id'])}")
            if aside + more > 0:
                set_quantity(db, move, float(aside + more))
                db.update("stock.move", move["id"], {"picked": True})
    if wanted:
        raise Refused(422, "unknown_line", f"{order['name']} has no line {', '.join(sorted(wanted))}", field="lines")
    return {"number": order["name"]}


def ship(db: Database, ask: Doc, session: Session) -> Doc:
    """Staff send all of a sale; short when goods are missing."""
    order = _sale(db, ask)
    pickings = _open(db, order)
    wanted: dict[tuple[int, int], Decimal] = {}
    moves = [
        move
        for one in pickings
        for move in db.all("stock.move", picking_id=one["id"])
        if move["state"] not in ("done", "cancel")
    ]
    for move in moves:
        key = (move["product_id"], move["location_id"])
        wanted[key] = wanted.get(key, Decimal(0)) + Decimal(repr(move["product_uom_qty"]))
        if _held(db, move) < wanted[key]:
            raise Refused(409, "short", f"there is less than {wanted[key]} of {sku_of(db, move['product_id'])}")
    for move in moves:
        set_quantity(db, move, move["product_uom_qty"])
    tracking = None if ask.get("collected") is True else str(ask.get("tracking", f"KZ{order['id']:06d}"))
    for one in pickings:
        carrier = db.one("delivery.carrier")
        told = {
            "carrier_tracking_ref": tracking or False,
            "carrier_id": carrier["id"] if carrier and tracking else False,
        }
        db.update("stock.picking", one["id"], told)
        validate(db, one["id"], session, "people")
    return {"number": pickings[0]["name"] if pickings else order["name"], "tracking": tracking}


def deliver(db: Database, ask: Doc, session: Session) -> Doc:
    """The carrier has delivered: Odoo has no word for it."""
    return {"number": str(ask["shipment"])}


def cancel_sale(db: Database, ask: Doc, session: Session) -> Doc:
    """Staff cancel a sale of which nothing has left."""
    order = _sale(db, ask)
    if _state(db, order) in ("shipped", "cancelled"):
        raise Refused(409, "closed", f"{order['name']} is {_state(db, order)}")
    cancel(db, order["id"], session, "people", ask.get("reason"))
    return {"number": order["name"]}


def on_hand(db: Database, ask: Doc, session: Session) -> Doc:
    """What lies of an item in a place."""
    lot, item = of_place(db, ask["location"])["lot_stock_id"], of_item(db, str(ask["item"]))["id"]
    return {"on_hand": str(lying(db, item, [lot, *parts(db, lot)]))}


def count(db: Database, ask: Doc, session: Session) -> Doc:
    """Staff count a shelf (``on_hand``) or receive goods (``delta``, of a ``delivery``)."""
    item, house = of_item(db, str(ask["item"])), of_place(db, ask.get("location"))
    held = Decimal(on_hand(db, {"item": ask["item"], "location": ask.get("location")}, session)["on_hand"])
    delta = Decimal(str(ask["delta"])) if "delta" in ask else Decimal(str(ask["on_hand"])) - held
    if held + delta < 0:
        raise Refused(422, "bad_quantity", "there cannot lie less than nothing", field="on_hand")
    put(db, item["id"], house["lot_stock_id"], delta, "count", None)
    create(
        db,
        "stock.move",
        {
            "name": str(ask["item"]),
            "product_id": item["id"],
            "product_uom_qty": float(abs(delta)),
            "quantity": float(abs(delta)),
            "state": "done",
            "location_id": house["lot_stock_id"],
            "location_dest_id": house["lot_stock_id"],
        },
        session,
    )
    for picking in db.all("stock.picking", origin=str(ask.get("delivery"))):
        if picking["state"] not in ("done", "cancel"):
            for move in db.all("stock.move", picking_id=picking["id"]):
                db.update("stock.move", move["id"], {"state": "cancel"})
            db.update("stock.picking", picking["id"], {"state": "cancel"})
    return {"on_hand": str(held + delta)}


def order_goods(db: Database, ask: Doc, session: Session) -> Doc:
    """Goods are expected from a supplier: a receipt that is not done yet."""
    item, house = of_item(db, str(ask["item"])), of_place(db, ask.get("location"))
    day = datetime.fromisoformat(str(ask["on"])).replace(tzinfo=UTC)
    move = {
        "product_id": item["id"],
        "product_uom_qty": float(str(ask["quantity"])),
        "date": day,
        "state": "assigned",
        "origin": str(ask["delivery"]),
        "name": str(ask["item"]),
    }
    made = create(
        db,
        "stock.picking",
        {
            "picking_type_id": house["in_type_id"],
            "origin": str(ask["delivery"]),
            "scheduled_date": day,
            "move_ids": [[0, 0, move]],
        },
        session,
    )
    db.update("stock.picking", made, {"state": "assigned"})
    return {"number": db.get("stock.picking", made)["name"]}


def _price_of(db: Database, ask: Doc) -> Doc:
    chosen = db.one("product.pricelist", name=str(ask["list"]))
    item = of_item(db, str(ask["item"]))
    found = (
        None if chosen is None else db.one("product.pricelist.item", pricelist_id=chosen["id"], product_id=item["id"])
    )
    if found is None:
        raise Refused(404, "not_found", f"{ask['item']} has no price in {ask['list']}")
    return found


def price(db: Database, ask: Doc, session: Session) -> Doc:
    """What an item costs in a list."""
    return {"amount": f"{Decimal(repr(_price_of(db, ask)['fixed_price'])):.2f}"}


def set_price(db: Database, ask: Doc, session: Session) -> Doc:
    """A clerk changes a price."""
    write(db, "product.pricelist.item", [_price_of(db, ask)["id"]], {"fixed_price": float(str(ask["amount"]))}, session)
    return {"amount": str(ask["amount"])}


def reprice(db: Database, ask: Doc, session: Session) -> Doc:
    """A clerk types one price for every item of some groups."""
    groups = {one["id"] for one in db.all("product.category") if one["name"] in ask["groups"]}
    name, changed = ask.get("list", "retail"), list[str]()
    for variant in db.all("product.product"):
        template = db.get("product.template", variant["product_tmpl_id"])
        asked = {"item": variant["default_code"], "list": name, "amount": ask["amount"]}
        if template["categ_id"] in groups and len(changed) < int(ask.get("most", 10**6)):
            try:
                set_price(db, asked, session)
            except Refused:
                continue
            changed.append(str(variant["default_code"]))
    return {"changed": len(changed), "items": changed}


def rename(db: Database, ask: Doc, session: Session) -> Doc:
    """A clerk gives an item another name, which is that of its template."""
    item = of_item(db, str(ask["item"]))
    was = db.get("product.template", item["product_tmpl_id"])["name"]
    write(db, "product.template", [item["product_tmpl_id"]], {"name": str(ask["name"])}, session)
    db.book("name", sku=str(ask["item"]), was=was, now=str(ask["name"]), why="people")
    return {"name": str(ask["name"])}


def enter(db: Database, ask: Doc, session: Session) -> Doc:
    """A clerk enters an article with its price."""
    template = create(
        db,
        "product.template",
        {
            "name": str(ask["name"]),
            "default_code": str(ask["item"]),
            "x_code": str(ask.get("product", ask["item"])),
            "is_storable": True,
            "uom_id": 1,
            "standard_price": float(str(ask["cost"])),
            "list_price": float(str(ask["price"])),
        },
        session,
    )
    item = of_item(db, str(ask["item"]))
    chosen = db.one("product.pricelist", name=str(ask["list"]))
    assert chosen is not None
    create(
        db,
        "product.pricelist.item",
        {
            "pricelist_id": chosen["id"],
            "applied_on": "0_product_variant",
            "product_id": item["id"],
            "fixed_price": float(str(ask["price"])),
        },
        session,
    )
    db.book("name", sku=str(ask["item"]), was=None, now=str(ask["name"]), why="people")
    return {"id": template}


def post_shift(db: Database, ask: Doc, session: Session) -> Doc:
    """A till's own link enters a shift as one order of the point of sale, and posts the stock of the store."""
    house, shift = of_place(db, ask["store"]), ask["shift"]
    till = db.one("pos.config", picking_type_id=house["out_type_id"])
    till_id = (
        till["id"]
        if till is not None
        else create(
            db,
            "pos.config",
            {"name": str(ask["store"]), "picking_type_id": house["out_type_id"], "company_id": house["company_id"]},
            session,
        )
    )
    since, until = (datetime.fromisoformat(str(shift[name])).astimezone(UTC) for name in ("since", "until"))
    opened = create(
        db,
        "pos.session",
        {
            "name": str(shift["number"]),
            "config_id": till_id,
            "state": "closed",
            "start_at": since,
            "stop_at": until,
            "company_id": house["company_id"],
        },
        session,
    )
    total = sum((Decimal(str(row["sum"])) for row in ask["lines"]), Decimal(0))
    number = db.numbers.get("pos.order", 0) + 1
    made = create(
        db,
        "pos.order",
        {
            "name": f"{ask['store']}/{number:04d}",
            "pos_reference": f"SHIFT {shift['number']}",
            "session_id": opened,
            "date_order": until,
            "state": "done",
            "amount_total": float(total),
            "amount_paid": float(total),
            "company_id": house["company_id"],
            "lines": [
                [
                    0,
                    0,
                    {
                        "product_id": of_item(db, str(row["item"]))["id"],
                        "qty": float(str(row["quantity"])),
                        "price_unit": float(str(row["sum"])) / float(str(row["quantity"])),
                        "price_subtotal_incl": float(str(row["sum"])),
                        "full_product_name": str(row["item"]),
                    },
                ]
                for row in ask["lines"]
            ],
        },
        session,
    )
    lines = [
        {
            "sku": str(row["item"]),
            "quantity": f"{Decimal(str(row['quantity'])):.3f}",
            "total": f"{Decimal(str(row['sum'])):.2f}",
            "tax_rate": None,
        }
        for row in ask["lines"]
    ]
    name = db.get("pos.order", made)["name"]
    db.book(
        "order",
        id=name,
        number=None,
        reference=None,
        total=f"{total:.2f}",
        lines=lines,
        handed_over=True,
        currency=db.get("res.currency", db.get("res.company", house["company_id"])["currency_id"])["name"],
        state="done",
        location=str(ask["store"]),
        customer=None,
        paid="yes",
        ordered_at=until.isoformat(),
        payments=[],
        receipts=list(shift["receipts"]),
        why="people",
    )
    for row in ask["lines"]:
        put(
            db, of_item(db, str(row["item"]))["id"], house["lot_stock_id"], -Decimal(str(row["quantity"])), "sale", name
        )
    return {"number": name}


Act = Callable[[Database, Doc, Session], Doc]
ACTS: Mapping[str, Act] = {
    "sale": sale,
    "pick": pick,
    "ship": ship,
    "deliver": deliver,
    "cancel": cancel_sale,
    "count": count,
    "order_goods": order_goods,
    "reprice": reprice,
    "price": price,
    "set_price": set_price,
    "rename": rename,
    "on_hand": on_hand,
    "enter": enter,
    "post_shift": post_shift,
}
