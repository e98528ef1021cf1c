"""The ERP: the company's products, stock by location, prices, customers, sales and shipments.

What surprises here: it takes the same ``reference`` of a sale twice without a word (as most do); a sale that says
``handed_over`` posts stock the moment it is entered, any other when staff ship it; stamps are whole seconds.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from deployments.sandbox.design import By, Collection, Design, Lists, Refused
from deployments.sandbox.engine import System
from deployments.sandbox.notation import Doc, local

WAREHOUSE = "almaty-wh"
_CLOSED = {"shipped", "done", "cancelled"}
_FIXED = ("lines", "handed_over", "location", "currency", "total", "delivery", "ordered_at", "reference")


def _envelope(resource: str, docs: list[Doc], facts: Doc) -> Any:
    return {"items": docs, "next_cursor": facts["next"]}


def _known(system: System, name: str, id: str, field: str) -> None:
    if system.find(name, id) is None:
        raise Refused(422, f"unknown_{name.removesuffix('s')}", f"{name} has no {id}", field=field)


def _check_item(system: System, old: Doc | None, new: Doc, by: By) -> None:
    _known(system, "products", new["product"], "product")


def _named(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if old is None or old["name"] != new["name"]:
        was = None if old is None else old["name"]
        system.books.enter("name", system.now(), sku=new["code"], was=was, now=new["name"], why=by)


def _check_stock(system: System, old: Doc | None, new: Doc, by: By) -> None:
    _known(system, "items", new["item"], "item")
    _known(system, "locations", new["location"], "location")


def _check_price(system: System, old: Doc | None, new: Doc, by: By) -> None:
    _known(system, "items", new["item"], "item")
    if Decimal(new["amount"]) <= 0:
        raise Refused(422, "bad_price", "a price is above zero", field="amount")


def _priced(system: System, old: Doc | None, new: Doc, by: By) -> None:
    was = None if old is None else old["amount"]
    if was != new["amount"]:
        facts = {"sku": new["item"], "list": new["list"], "was": was, "now": new["amount"], "currency": new["currency"]}
        system.books.enter("price", system.now(), **facts, why=by)


def _met(system: System, old: Doc | None, new: Doc, by: By) -> None:
    system.books.enter("customer", system.now(), id=new["code"], email=new["email"], phone=new["phone"], why=by)


def move(system: System, item: str, location: str, delta: Decimal, *, why: str, doc: str | None, by: By) -> None:
    """Goods come or go: the stock row is entered or changed, and the movement booked."""
    code = f"{item}@{location}"
    row = system.find("stock", code)
    now = delta if row is None else Decimal(row["on_hand"]) + delta
    if row is None:
        uom = system.get("items", item)["uom"]
        row = {"item": item, "location": location, "uom": uom}
    system.put("stock", row | {"on_hand": f"{now:.3f}"}, by=by)
    facts = {"sku": item, "location": location, "delta": f"{delta:.3f}", "now": f"{now:.3f}"}
    system.books.enter("stock", system.now(), **facts, why=why, doc=doc)


def on_hand(system: System, item: str, location: str) -> Decimal:
    """What lies of an item in a location; nothing where there is no row."""
    row = system.find("stock", f"{item}@{location}")
    return Decimal(0) if row is None else Decimal(row["on_hand"])


def _check_order(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if not new["lines"]:
        raise Refused(422, "empty", "a sale has lines", field="lines")
    for n, line in enumerate(new["lines"]):
        _known(system, "items", line["item"], f"lines.{n}.item")
        if Decimal(line["qty"]) <= 0:
            raise Refused(422, "bad_quantity", "a quantity is above zero", field=f"lines.{n}.qty")
    total = sum((Decimal(line["sum"]) for line in new["lines"]), Decimal(new["delivery"]))
    if total != Decimal(new["total"]):
        raise Refused(422, "bad_total", f"lines and delivery make {total}, not {new['total']}", field="total")
    if new["customer"] is not None:
        _known(system, "customers", new["customer"], "customer")
    if new["location"] is not None:
        _known(system, "locations", new["location"], "location")
    if new["handed_over"] and new["location"] is None:
        raise Refused(422, "no_location", "goods handed over left some location", field="location")
    if old is None or by != "api":
        return
    for name in _FIXED:
        if old[name] != new[name]:
            raise Refused(422, "fixed", f"{name} of a sale cannot change", field=name)
    if old["state"] in _CLOSED and new["state"] != old["state"]:
        raise Refused(422, "closed", f"a sale that is {old['state']} stays so", field="state")


def _ordered(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if old is not None:
        if old["state"] != new["state"]:
            facts = {"id": new["number"], "number": new["source_number"], "was": old["state"], "now": new["state"]}
            system.books.enter("change", system.now(), **facts, why=by)
        return
    lines = [{"sku": line["item"], "quantity": line["qty"], "total": line["sum"]} for line in new["lines"]]
    system.books.enter(
        "order", system.now(), id=new["number"], number=new["source_number"], reference=new["reference"],
        total=new["total"], currency=new["currency"], lines=lines, handed_over=new["handed_over"],
        location=new["location"], state=new["state"], customer=new["customer"], why=by,
    )  # fmt: skip
    if new["handed_over"] and by != "seed":
        for line in new["lines"]:
            move(
                system, line["item"], new["location"], -Decimal(line["qty"]), why="sale", doc=new["number"], by="system"
            )


def _shipped(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if old is not None:
        return
    order = system.get("orders", new["order"])
    lines = [{"sku": line["item"], "quantity": line["qty"]} for line in new["lines"]]
    system.books.enter(
        "shipment", system.now(), id=new["number"], order=new["order"], number=order["source_number"],
        tracking=new["tracking"], lines=lines, why=by,
    )  # fmt: skip
    if by != "seed":
        for line in new["lines"]:
            delta = -Decimal(line["qty"])
            move(system, line["item"], new["location"], delta, why="shipment", doc=new["number"], by="system")


def _order_of(system: System, ask: Doc) -> Doc:
    """The sale that an act means: by its own ``order`` number or by the ``source_number`` of its channel."""
    if "order" in ask:
        return system.get("orders", str(ask["order"]))
    wanted = ask.get("source_number")
    for doc in system.docs("orders"):
        if doc["source_number"] == wanted and doc["state"] != "cancelled":
            return doc
    raise Refused(404, "not_found", f"no sale with source_number {wanted}")


def ship(system: System, ask: Doc) -> Doc:
    """Staff send everything of a sale: refused when goods are short; posts stock, gives a tracking number."""
    order = _order_of(system, ask)
    if order["state"] in _CLOSED or order["handed_over"]:
        raise Refused(409, "closed", f"{order['number']} is {order['state']}")
    location = order["location"] if order["location"] is not None else WAREHOUSE
    wanted: dict[str, Decimal] = {}
    for line in order["lines"]:
        wanted[line["item"]] = wanted.get(line["item"], Decimal(0)) + Decimal(line["qty"])
    for item, quantity in wanted.items():
        if on_hand(system, item, location) < quantity:
            raise Refused(409, "short", f"{location} does not hold {quantity} of {item} for {order['number']}")
    number = system.tables["shipments"].number
    shipment = {
        "order": order["number"],
        "location": location,
        "carrier": ask.get("carrier", "Kazpost"),
        "tracking": ask.get("tracking", f"KZ{number:06d}"),
        "sent_at": local(system.now()),
        "state": "sent",
        "lines": [
            {"ref": str(n), "order_line": line["ref"], "item": line["item"], "qty": line["qty"]}
            for n, line in enumerate(order["lines"], 1)
        ],
    }
    made = system.add("shipments", shipment)
    system.edit("orders", order["number"], {"state": "shipped"})
    return made


def deliver(system: System, ask: Doc) -> Doc:
    """The carrier reports a shipment as delivered; the sale is done."""
    shipment = system.edit("shipments", str(ask["shipment"]), {"state": "delivered"})
    system.edit("orders", shipment["order"], {"state": "done"})
    return shipment


def cancel(system: System, ask: Doc) -> Doc:
    """Staff cancel a sale that was not shipped."""
    order = _order_of(system, ask)
    if order["state"] in _CLOSED:
        raise Refused(409, "closed", f"{order['number']} is {order['state']}")
    return system.edit("orders", order["number"], {"state": "cancelled"})


def count(system: System, ask: Doc) -> Doc:
    """Staff count a shelf (``on_hand``) or receive goods (``delta``): the difference is posted."""
    item, location = str(ask["item"]), str(ask.get("location", WAREHOUSE))
    _known(system, "items", item, "item")
    _known(system, "locations", location, "location")
    before = on_hand(system, item, location)
    delta = Decimal(str(ask["delta"])) if "delta" in ask else Decimal(str(ask["on_hand"])) - before
    if before + delta < 0:
        raise Refused(422, "bad_quantity", "there cannot lie less than nothing", field="on_hand")
    move(system, item, location, delta, why="count", doc=None, by="people")
    return system.get("stock", f"{item}@{location}")


_WRITES = frozenset({"create", "update"})

ERP = Design(
    name="erp",
    written=local,
    resolution=timedelta(seconds=1),
    lists=Lists(
        style="cursor", size=100, since="changed_since", position="cursor", reference="reference", envelope=_envelope
    ),
    coalesces=True,
    acts={"ship": ship, "deliver": deliver, "cancel": cancel, "count": count},
    collections={
        "locations": Collection(id="code", key=lambda d: d["code"], stamp="changed_at", created="created_at"),
        "products": Collection(
            id="code", key=lambda d: d["code"], allows=_WRITES, stamp="changed_at", created="created_at"
        ),
        "items": Collection(
            id="code",
            key=lambda d: d["code"],
            allows=_WRITES,
            version="revision",
            check=_check_item,
            then=_named,
            stamp="changed_at",
            created="created_at",
        ),
        "stock": Collection(
            id="code", stamp="changed_at", key=lambda d: f"{d['item']}@{d['location']}", check=_check_stock
        ),
        "prices": Collection(
            id="code",
            stamp="changed_at",
            key=lambda d: f"{d['list']}:{d['item']}",
            allows=_WRITES,
            check=_check_price,
            then=_priced,
        ),
        "customers": Collection(
            id="code",
            number="C{:05d}",
            allows=_WRITES,
            reference="reference",
            then=_met,
            stamp="changed_at",
            created="created_at",
        ),
        "orders": Collection(
            id="number",
            number="S{:06d}",
            allows=_WRITES,
            reference="reference",
            check=_check_order,
            then=_ordered,
            stamp="changed_at",
            created="created_at",
        ),
        "shipments": Collection(id="number", number="D{:06d}", then=_shipped, stamp="changed_at", created="created_at"),
    },
)
