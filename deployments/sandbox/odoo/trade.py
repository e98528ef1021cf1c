"""What happens in the simulated Odoo: sales are confirmed and cancelled, goods reserved, moved and brought back.

What surprises here: goods that are all gone leave no quant behind; a transfer of less than it should hold leaves a
backorder; Odoo lets stock go below zero; what a sale reserves makes ``free_qty`` less, never ``qty_available``.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from deployments.sandbox.notation import Doc
from deployments.sandbox.odoo.database import Database, Session, user_error
from deployments.sandbox.odoo.records import create

STATES = {"draft": "draft", "sent": "draft", "sale": "confirmed", "cancel": "cancelled"}


def confirm(db: Database, id: int, session: Session) -> bool:
    """A quotation becomes a sale: its goods are reserved in a delivery."""
    order = db.get("sale.order", id)
    if order["state"] not in ("draft", "sent"):
        raise user_error("Some orders are not in a state requiring confirmation.")
    db.update("sale.order", id, {"state": "sale"})
    lines = [
        line
        for line in db.all("sale.order.line", order_id=id)
        if line["product_id"] and _stored(db, line["product_id"])
    ]
    if lines:
        house = db.get("stock.warehouse", order["warehouse_id"])
        picking = create(
            db,
            "stock.picking",
            {
                "picking_type_id": house["out_type_id"],
                "sale_id": id,
                "origin": order["name"],
                "partner_id": order["partner_shipping_id"],
                "move_ids": [
                    [
                        0,
                        0,
                        {
                            "product_id": line["product_id"],
                            "product_uom_qty": line["product_uom_qty"],
                            "sale_line_id": line["id"],
                            "name": line["name"],
                            "origin": order["name"],
                        },
                    ]
                    for line in lines
                ],
            },
            session,
        )
        ready(db, picking)
    book_order(db, id, "seed" if db.opening is not None else "api")
    return True


def book_order(db: Database, id: int, why: str, receipts: Any = ()) -> None:
    """Enters a sale into the books."""
    order = db.get("sale.order", id)
    goods = [
        line
        for line in db.all("sale.order.line", order_id=id)
        if line["product_id"] and _stored(db, line["product_id"])
    ]
    lines = [
        {
            "sku": sku_of(db, line["product_id"]),
            "quantity": figure(line["product_uom_qty"]),
            "total": f"{Decimal(repr(line['price_total'])):.2f}",
            "tax_rate": _rate(db, line),
        }
        for line in goods
    ]
    db.book(
        "order",
        id=order["name"],
        number=order["client_order_ref"] or None,
        reference=order["origin"] or None,
        total=f"{Decimal(repr(order['amount_total'])):.2f}",
        lines=lines,
        handed_over=False,
        currency=db.get("res.currency", order["currency_id"])["name"],
        state=STATES[order["state"]],
        location=place_of(db, db.get("stock.warehouse", order["warehouse_id"])["lot_stock_id"]),
        customer=str(order["partner_id"]),
        paid=order["x_serai_payment"] or None,
        ordered_at=order["date_order"].isoformat(),
        payments=[],
        receipts=list(receipts),
        why=why,
    )


def cancel(db: Database, id: int, session: Session, why: str = "api", reason: str | None = None) -> bool:
    """A sale is cancelled: what it reserved is free again; what has left stays away."""
    order = db.get("sale.order", id)
    if order["state"] == "cancel":
        return True
    for picking in db.all("stock.picking", sale_id=id):
        if picking["state"] not in ("done", "cancel"):
            cancel_picking(db, picking["id"])
    db.update("sale.order", id, {"state": "cancel"})
    if order["state"] == "sale":
        changed(db, order, STATES[order["state"]], "cancelled", why, reason)
    return True


def changed(db: Database, order: Doc, was: str, now: str, why: str, reason: str | None = None) -> None:
    """Enters a sale's step into the books."""
    facts = {"id": order["name"], "number": order["client_order_ref"] or None, "was": was, "now": now}
    db.book("change", **facts, reason=reason, why=why)


def cancel_picking(db: Database, id: int) -> bool:
    """A transfer is cancelled and its goods are free."""
    for move in db.all("stock.move", picking_id=id):
        if move["state"] not in ("done", "cancel"):
            _release(db, move)
            db.update("stock.move", move["id"], {"state": "cancel", "quantity": 0.0})
    db.update("stock.picking", id, {"state": "cancel"})
    return True


def ready(db: Database, id: int) -> bool:
    """A transfer is confirmed, and what there is for it reserved."""
    for move in db.all("stock.move", picking_id=id):
        if move["state"] in ("done", "cancel", "assigned"):
            continue
        _release(db, move)
        if db.get("stock.location", move["location_id"])["usage"] != "internal":
            db.update("stock.move", move["id"], {"state": "assigned", "quantity": move["product_uom_qty"]})
            continue
        quant = db.quants.get((move["product_id"], move["location_id"]))
        row = None if quant is None else db.get("stock.quant", quant)
        free = 0.0 if row is None else max(0.0, row["quantity"] - row["reserved_quantity"])
        taken = min(free, move["product_uom_qty"])
        if row is not None and taken > 0:
            db.update("stock.quant", row["id"], {"reserved_quantity": row["reserved_quantity"] + taken})
        state = "assigned" if taken >= move["product_uom_qty"] else "partially_available" if taken > 0 else "confirmed"
        db.update("stock.move", move["id"], {"state": state, "quantity": taken})
    _state(db, id)
    return True


def _state(db: Database, id: int) -> None:
    states = {move["state"] for move in db.all("stock.move", picking_id=id)} - {"cancel"}
    state = "assigned" if states <= {"assigned", "done"} else "confirmed"
    db.update("stock.picking", id, {"state": state}, stamped=False)


def _release(db: Database, move: Doc) -> None:
    """What the move has reserved is free again."""
    quant = db.quants.get((move["product_id"], move["location_id"]))
    if quant is not None and move["state"] in ("assigned", "partially_available", "confirmed"):
        row = db.get("stock.quant", quant)
        held = max(0.0, row["reserved_quantity"] - _reserved(db, move))
        db.update("stock.quant", quant, {"reserved_quantity": held})


def _reserved(db: Database, move: Doc) -> float:
    internal = db.get("stock.location", move["location_id"])["usage"] == "internal"
    return float(move["quantity"]) if internal else 0.0


def set_quantity(db: Database, move: Doc, quantity: float) -> None:
    """Somebody says how much of a move is done; the reservation is as much."""
    quant = db.quants.get((move["product_id"], move["location_id"]))
    if quant is not None and move["state"] in ("assigned", "partially_available", "confirmed"):
        row = db.get("stock.quant", quant)
        held = row["reserved_quantity"] - _reserved(db, move) + quantity
        db.update("stock.quant", quant, {"reserved_quantity": max(0.0, held)})
    db.update("stock.move", move["id"], {"quantity": quantity})


def validate(db: Database, id: int, session: Session, why: str = "api") -> Any:
    """A transfer is done: its goods move; the rest stays for a backorder. A dict is a wizard that asks a person."""
    picking = db.get("stock.picking", id)
    if picking["state"] in ("done", "cancel"):
        raise user_error("You cannot validate a transfer that is done or cancelled.")
    moves = [move for move in db.all("stock.move", picking_id=id) if move["state"] not in ("done", "cancel")]
    if not any(move["quantity"] > 0 for move in moves):
        raise user_error("You cannot validate a transfer if no quantities are reserved. Set some quantities first.")
    short = [move for move in moves if move["quantity"] < move["product_uom_qty"]]
    if short and not session.context.get("skip_backorder"):
        return {"type": "ir.actions.act_window", "res_model": "stock.backorder.confirmation"}
    left: list[Any] = []
    for move in moves:
        done, rest = move["quantity"], move["product_uom_qty"] - move["quantity"]
        if rest > 0:
            names = (
                "name",
                "product_id",
                "location_id",
                "location_dest_id",
                "sale_line_id",
                "origin",
                "origin_returned_move_id",
            )
            left.append([0, 0, {**{name: move[name] for name in names if move[name]}, "product_uom_qty": rest}])
        _release(db, move)
        if done <= 0:
            db.update("stock.move", move["id"], {"state": "cancel"})
            continue
        db.update(
            "stock.move", move["id"], {"state": "done", "product_uom_qty": done, "date": db.now(), "picked": True}
        )
        _move(db, move, done, picking, why)
    db.update("stock.picking", id, {"state": "done", "date_done": db.now()})
    if left:
        again = create(
            db,
            "stock.picking",
            {
                "picking_type_id": picking["picking_type_id"],
                "sale_id": picking["sale_id"] or False,
                "origin": picking["origin"],
                "backorder_id": id,
                "move_ids": left,
            },
            session,
        )
        ready(db, again)
    _told(db, db.get("stock.picking", id), why)
    return True


def _told(db: Database, picking: Doc, why: str) -> None:
    """What of a sale has left, or came back, is in the books."""
    moves = [move for move in db.all("stock.move", picking_id=picking["id"]) if move["state"] == "done"]
    goods = [{"sku": sku_of(db, move["product_id"]), "quantity": figure(move["quantity"])} for move in moves]
    if picking["picking_type_code"] == "outgoing" and picking["sale_id"]:
        order, place = db.get("sale.order", picking["sale_id"]), place_of(db, picking["location_id"])
        if why == "people":
            db.book(
                "shipment",
                id=picking["name"],
                order=order["name"],
                number=order["client_order_ref"] or None,
                tracking=picking["carrier_tracking_ref"] or None,
                lines=goods,
                location=place,
                why=why,
            )
        if delivered(db, order["id"]) == "full":
            changed(db, order, "confirmed", "shipped", why)
    back = [move for move in moves if move["origin_returned_move_id"]]
    if picking["picking_type_code"] == "incoming" and back:
        line = db.get("sale.order.line", back[0]["sale_line_id"])
        order = db.get("sale.order", line["order_id"])
        aside = [bool(db.get("stock.location", move["location_dest_id"])["location_id"]) for move in moves]
        rates = [_rate(db, db.get("sale.order.line", move["sale_line_id"] or line["id"])) for move in moves]
        lines = [
            {**one, "to": "quarantine" if away else "shelf", "tax_rate": rate, "total": None}
            for one, away, rate in zip(goods, aside, rates, strict=True)
        ]
        db.book(
            "return",
            id=picking["name"],
            order=order["name"],
            number=order["client_order_ref"] or None,
            location=place_of(db, picking["location_dest_id"]),
            total=None,
            lines=lines,
            payments=_paid_back(picking),
            why=why,
        )


def _rate(db: Database, line: Doc) -> str | None:
    """The tax rate of a sale's line; None: its product's own."""
    return str(Decimal(repr(db.get("account.tax", line["tax_ids"][0])["amount"])) / 100) if line["tax_ids"] else None


def _paid_back(picking: Doc) -> list[Doc]:
    """What the receipt says that went back: ``card 10.00 KZT; gift_card 5.00 KZT``."""
    parts = [part.split(" ") for part in (picking["x_serai_refunds"] or "").split("; ") if part]
    return [{"kind": kind, "amount": amount} for kind, amount, _ in parts]


def _move(db: Database, move: Doc, quantity: float, picking: Doc, why: str) -> None:
    """The goods of a done move change their place."""
    returned = bool(move["origin_returned_move_id"])
    word = "return" if returned else "shipment" if why == "people" else "sale" if move["sale_line_id"] else "count"
    for place, delta in ((move["location_id"], -quantity), (move["location_dest_id"], quantity)):
        if db.get("stock.location", place)["usage"] == "internal":
            put(db, move["product_id"], place, Decimal(repr(delta)), word, picking["name"])


def put(db: Database, product: int, location: int, delta: Decimal, why: str, doc: str | None) -> None:
    """Goods come or go: the quant is made, changed, or, when nothing is left, deleted without a trace."""
    quant = db.quants.get((product, location))
    held = Decimal(0) if quant is None else Decimal(repr(db.get("stock.quant", quant)["quantity"]))
    now = held + delta
    if quant is None:
        company = db.get("stock.location", location)["company_id"]
        quant = db.insert(
            "stock.quant",
            {"product_id": product, "location_id": location, "quantity": float(now), "company_id": company},
        )
        db.quants[product, location] = quant
    elif now == 0 and db.get("stock.quant", quant)["reserved_quantity"] == 0:
        db.delete("stock.quant", quant)
        del db.quants[product, location]
    else:
        db.update("stock.quant", quant, {"quantity": float(now)})
    lot = db.get("stock.location", location)["location_id"] or location
    aside, whole = lying(db, product, parts(db, lot)), lying(db, product, [lot, *parts(db, lot)])
    db.book(
        "stock",
        sku=sku_of(db, product),
        location=place_of(db, lot),
        delta=f"{delta:.3f}",
        now=f"{whole:.3f}",
        quarantined=f"{aside:.3f}",
        why=why,
        doc=doc,
    )


def parts(db: Database, lot: int) -> list[int]:
    """The locations inside a warehouse's stock, such as its quarantine."""
    return [one["id"] for one in db.all("stock.location", location_id=lot)]


def lying(db: Database, product: int, places: Iterable[int]) -> Decimal:
    quants = [db.quants[product, place] for place in places if (product, place) in db.quants]
    return sum((Decimal(repr(db.get("stock.quant", one)["quantity"])) for one in quants), Decimal(0))


def delivered(db: Database, order: int) -> Any:
    """How far a sale has been delivered, as Odoo says it: transfers back count too; False where nothing is to be."""
    transfers = list(db.all("stock.picking", sale_id=order))
    states = [one["state"] for one in transfers]
    if not states or all(state == "cancel" for state in states):
        return False
    if all(state in ("done", "cancel") for state in states):
        return "full"
    if "done" not in states:
        return "pending"
    gone = sum(move["quantity"] * (1 if one["picking_type_code"] == "outgoing" else -1)
               for one in transfers if one["state"] == "done" for move in db.all("stock.move", picking_id=one["id"]))
    return "partial" if gone > 0 or db.version < 18 else "started"


def sku_of(db: Database, product: int) -> str:
    """The internal reference of a variant."""
    return str(db.get("product.product", product)["default_code"] or "")


def place_of(db: Database, location: int) -> str:
    """The code of the warehouse that a location is the stock of, or a part of it."""
    lot = db.get("stock.location", location)["location_id"] or location
    house = db.one("stock.warehouse", lot_stock_id=lot)
    return "" if house is None else db.places.get(house["code"], str(house["code"]))


def figure(value: float) -> str:
    """A quantity as the books have it."""
    return f"{Decimal(repr(value)):.3f}"


def _stored(db: Database, product: int) -> bool:
    template = db.get("product.template", db.get("product.product", product)["product_tmpl_id"])
    return bool(template["is_storable"])
