"""What people do in the ERP: they look up, count, reprice, enter articles, pick, send and cancel sales.

What surprises here: these acts go by what the thing is called in every ERP, so that whoever plays the retailer's day
need not know which one runs.
"""

from __future__ import annotations

from decimal import Decimal

from deployments.sandbox.design import Act, By, Refused
from deployments.sandbox.engine import System
from deployments.sandbox.notation import Doc

CLOSED = {"shipped", "done", "cancelled"}


def known(system: System, name: str, id: str, field: str) -> None:
    """Refused unless there is such a row."""
    if system.find(name, id) is None:
        raise Refused(422, f"unknown_{name.removesuffix('s')}", f"{name} has no {id}", field=field)


def move(
    system: System, item: str, location: str, delta: Decimal, *, why: str, doc: str | None, by: By,
    quarantine: bool = False,
) -> None:
    """Goods come or go: the stock row is entered or changed, and the movement booked; into ``quarantine`` or not."""
    code = f"{item}@{location}"
    row = system.find("stock", code)
    now = delta if row is None else Decimal(row["on_hand"]) + delta
    if row is None:
        uom = system.get("items", item)["uom"]
        row = {"item": item, "location": location, "uom": uom}
    aside = Decimal(row.get("quarantined", "0")) + (delta if quarantine else 0)
    system.put("stock", row | {"on_hand": f"{now:.3f}", "quarantined": f"{aside:.3f}"}, by=by)
    facts = {"sku": item, "location": location, "delta": f"{delta:.3f}", "now": f"{now:.3f}"}
    system.books.enter("stock", system.now(), **facts, quarantined=f"{aside:.3f}", why=why, doc=doc)


def on_hand(system: System, item: str, location: str) -> Decimal:
    """What lies of an item in a location; nothing where there is no row."""
    row = system.find("stock", f"{item}@{location}")
    return Decimal(0) if row is None else Decimal(row["on_hand"])


def _order_of(system: System, ask: Doc) -> Doc:
    """The sale that an act means: by its own ``order`` number or by the ``source_number`` of its channel."""
    if "order" in ask:
        return system.get("orders", str(ask["order"]))
    wanted = ask.get("source_number")
    for doc in system.docs("orders"):
        if doc["source_number"] == wanted and doc["state"] != "cancelled":
            return doc
    raise Refused(404, "not_found", f"no sale with source_number {wanted}")


def sale(system: System, ask: Doc) -> Doc:
    """Staff look a sale up, by its number or that of its channel; the first that was entered."""
    return _order_of(system, ask)


def pick(system: System, ask: Doc) -> Doc:
    """Staff put goods of a sale aside: ``{order | source_number, lines?: {ref: quantity}}``; without lines all of it.

    Refused when the place does not hold them, or more of a line would be aside than was ordered.
    """
    order = _order_of(system, ask)
    if order["state"] in CLOSED or order["handed_over"]:
        raise Refused(409, "closed", f"{order['number']} is {order['state']}")
    location = order["location"] if order["location"] is not None else system.design.home
    aside = {row["order_line"]: Decimal(row["qty"]) for row in order["picked"]}
    wanted = {str(ref): Decimal(str(units)) for ref, units in (ask.get("lines") or {}).items()}
    for line in order["lines"]:
        there, ordered = aside.get(line["ref"], Decimal(0)), Decimal(line["qty"])
        more = wanted.pop(line["ref"], Decimal(0)) if ask.get("lines") else ordered - there
        if there + more > ordered:
            raise Refused(422, "too_many", f"line {line['ref']}: {there + more} of {ordered}", field="lines")
        if on_hand(system, line["item"], location) < there + more:
            raise Refused(409, "short", f"{location} does not hold {there + more} of {line['item']}")
        aside[line["ref"]] = there + more
    if wanted:
        raise Refused(422, "unknown_line", f"{order['number']} has no line {', '.join(sorted(wanted))}", field="lines")
    rows = [{"order_line": ref, "qty": f"{units:.3f}"} for ref, units in aside.items() if units > 0]
    return system.edit("orders", order["number"], {"picked": rows})


def ship(system: System, ask: Doc) -> Doc:
    """Staff send everything of a sale: refused when goods are short; posts stock, gives a tracking number.

    ``collected``: the buyer took it in the store; no carrier has it.
    """
    order = _order_of(system, ask)
    if order["state"] in CLOSED or order["handed_over"]:
        raise Refused(409, "closed", f"{order['number']} is {order['state']}")
    location = order["location"] if order["location"] is not None else system.design.home
    wanted: dict[str, Decimal] = {}
    for line in order["lines"]:
        wanted[line["item"]] = wanted.get(line["item"], Decimal(0)) + Decimal(line["qty"])
    for item, quantity in wanted.items():
        if on_hand(system, item, location) < quantity:
            raise Refused(409, "short", f"{location} does not hold {quantity} of {item} for {order['number']}")
    number = system.tables["shipments"].number
    collected = ask.get("collected") is True
    shipment = {
        "order": order["number"],
        "location": location,
        "carrier": None if collected else ask.get("carrier", "Kazpost"),
        "tracking": None if collected else ask.get("tracking", f"KZ{number:06d}"),
        "sent_at": system.design.written(system.now()),
        "state": "delivered" if collected else "sent",
        "documents": [] if collected else [
            {"type": "label", "number": None, "url": f"https://carrier.example/labels/{number}.pdf"},
            {"type": "waybill", "number": f"TTN-{number:06d}", "url": None},
        ],
        "lines": [
            {"ref": str(n), "order_line": line["ref"], "item": line["item"], "qty": line["qty"]}
            for n, line in enumerate(order["lines"], 1)
        ],
    }
    made = system.add("shipments", shipment)
    system.edit("orders", order["number"], {"state": "done" if collected else "shipped"})
    return made


def deliver(system: System, ask: Doc) -> Doc:
    """The carrier reports a shipment as delivered; the sale is done."""
    shipment = system.edit("shipments", str(ask["shipment"]), {"state": "delivered"})
    system.edit("orders", shipment["order"], {"state": "done"})
    return shipment


def cancel(system: System, ask: Doc) -> Doc:
    """Staff cancel a sale that was not shipped: ``{order | source_number, reason?}``."""
    order = _order_of(system, ask)
    if order["state"] in CLOSED:
        raise Refused(409, "closed", f"{order['number']} is {order['state']}")
    return system.edit("orders", order["number"], {"state": "cancelled", "cancel_reason": ask.get("reason")})


def post_shift(system: System, ask: Doc) -> Doc:
    """A till's own link enters a shift as one sale of everything: ``{store, shift: {number, register, since, until,
    receipts}, lines: [{item, quantity, sum}]}``; moments are text with an offset. It posts the stock of the store."""
    lines = [
        {"ref": str(n), "item": row["item"], "qty": str(row["quantity"]), "sum": str(row["sum"]),
         "price": str(round(Decimal(str(row["sum"])) / Decimal(str(row["quantity"])), 2))}
        for n, row in enumerate(ask["lines"], 1)
    ]
    sale = {"ordered_at": ask["shift"]["until"], "state": "done", "paid": "yes", "currency": system.design.currency}
    sale |= {"location": ask["store"], "handed_over": True, "shift": ask["shift"], "lines": lines}
    return system.add("orders", sale | {"total": str(sum((Decimal(row["sum"]) for row in lines), Decimal(0)))})


def count(system: System, ask: Doc) -> Doc:
    """Staff count a shelf (``on_hand``) or receive goods (``delta``, of a ``delivery``): the difference is posted."""
    item, location = str(ask["item"]), str(ask.get("location", system.design.home))
    known(system, "items", item, "item")
    known(system, "locations", location, "location")
    before = on_hand(system, item, location)
    delta = Decimal(str(ask["delta"])) if "delta" in ask else Decimal(str(ask["on_hand"])) - before
    if before + delta < 0:
        raise Refused(422, "bad_quantity", "there cannot lie less than nothing", field="on_hand")
    move(system, item, location, delta, why="count", doc=None, by="people")
    row = system.get("stock", f"{item}@{location}")
    expected = [one for one in row.get("expected", []) if one["delivery"] != ask.get("delivery")]
    return system.edit("stock", row["code"], {"expected": expected}) if expected != row.get("expected", []) else row


def order_goods(system: System, ask: Doc) -> Doc:
    """Staff order from a supplier: ``{item, location?, delivery, quantity, on}``; a delivery of that number moves."""
    item, location = str(ask["item"]), str(ask.get("location", system.design.home))
    if system.find("stock", f"{item}@{location}") is None:
        move(system, item, location, Decimal(0), why="count", doc=None, by="people")
    row = system.get("stock", f"{item}@{location}")
    expected = [one for one in row.get("expected", []) if one["delivery"] != ask["delivery"]]
    quantity = f"{Decimal(str(ask['quantity'])):.3f}"
    expected.append({"delivery": str(ask["delivery"]), "qty": quantity, "on": str(ask["on"])})
    return system.edit("stock", row["code"], {"expected": expected})


def reprice(system: System, ask: Doc) -> Doc:
    """A clerk types one price for all items of some groups: ``{groups, amount, list?, most?}``; how many it changed."""
    name, most = ask.get("list", "retail"), int(ask.get("most", 10**6))
    groups = {doc["code"] for doc in system.docs("products") if doc["group"] in ask["groups"]}
    items = [doc["code"] for doc in system.docs("items") if doc["product"] in groups]
    rows = [f"{name}:{item}" for item in items if system.find("prices", f"{name}:{item}") is not None][:most]
    for row in rows:
        system.edit("prices", row, {"amount": str(ask["amount"])})
    return {"changed": len(rows), "items": [row.partition(":")[2] for row in rows]}


def price(system: System, ask: Doc) -> Doc:
    """What an item costs in a list: ``{item, list}``."""
    return {"amount": system.get("prices", f"{ask['list']}:{ask['item']}")["amount"]}


def set_price(system: System, ask: Doc) -> Doc:
    """A clerk changes the price of an item in a list: ``{item, list, amount}``."""
    return system.edit("prices", f"{ask['list']}:{ask['item']}", {"amount": str(ask["amount"])})


def rename(system: System, ask: Doc) -> Doc:
    """A clerk gives an item another name: ``{item, name}``."""
    return system.edit("items", str(ask["item"]), {"name": ask["name"]})


def lies(system: System, ask: Doc) -> Doc:
    """What lies of an item in a location: ``{item, location}``."""
    return {"on_hand": str(on_hand(system, str(ask["item"]), str(ask["location"])))}


def enter(system: System, ask: Doc) -> Doc:
    """A clerk enters an article: ``{product, title, item, name, uom, vat, cost, price, currency, list}``."""
    code = str(ask["product"])
    if system.find("products", code) is None:
        system.add("products", {"code": code, "title": ask["title"], "state": "A"})
    item = {name: ask[name] for name in ("name", "uom", "vat", "cost")}
    made = system.add("items", {"code": ask["item"], "product": code, "state": "A", **item})
    told = {"list": ask["list"], "amount": str(ask["price"]), "currency": ask["currency"], "vat_included": True}
    system.add("prices", {"item": ask["item"], **told})
    return made


ACTS: dict[str, Act] = {
    "sale": sale, "pick": pick, "ship": ship, "deliver": deliver, "cancel": cancel, "count": count, "reprice": reprice,
    "order_goods": order_goods, "post_shift": post_shift, "price": price, "set_price": set_price, "rename": rename,
    "on_hand": lies, "enter": enter,
}  # fmt: skip
