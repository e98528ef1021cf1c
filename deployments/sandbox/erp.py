"""The ERP: a company's products, stock by location, prices, customers, sales, shipments and returns.

What surprises here: it takes the same ``reference`` of a sale twice without a word (as most do); a sale that says
``handed_over`` posts stock the moment it is entered, any other when staff ship it; stamps are whole seconds.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from deployments.sandbox.design import By, Collection, Design, Lists, Refused
from deployments.sandbox.engine import System
from deployments.sandbox.notation import Doc, Written, in_sofia, local

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


def _price_code(doc: Doc) -> str:
    """list:item, and what makes the row special: for whom, from how many pieces on, a sale since when."""
    parts = [doc["list"], doc["item"], doc.get("customer_group"), doc.get("from_quantity")]
    parts += ["sale", doc.get("valid_from")] if doc.get("sale") is True else []
    return ":".join(part for part in parts if part is not None)


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


def _check_order(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if not new["lines"]:
        raise Refused(422, "empty", "a sale has lines", field="lines")
    for n, line in enumerate(new["lines"]):
        _known(system, "items", line["item"], f"lines.{n}.item")
        if Decimal(line["qty"]) <= 0:
            raise Refused(422, "bad_quantity", "a quantity is above zero", field=f"lines.{n}.qty")
    total = sum((Decimal(line["sum"]) for line in new["lines"]), Decimal(new["delivery"]))
    total += Decimal(new["surcharge"]) - Decimal(new["discount"])
    if total != Decimal(new["total"]):
        raise Refused(422, "bad_total", f"lines and delivery make {total}, not {new['total']}", field="total")
    if new["currency"] != system.design.currency:
        raise Refused(422, "bad_currency", f"this company sells in {system.design.currency}", field="currency")
    if new["customer"] is not None:
        _known(system, "customers", new["customer"], "customer")
    if new["location"] is not None:
        _known(system, "locations", new["location"], "location")
    if new["replaces"] is not None:
        _known(system, "orders", new["replaces"], "replaces")
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
        if old["paid"] != new["paid"]:
            facts = {"id": new["number"], "number": new["source_number"], "was": old["paid"], "now": new["paid"]}
            system.books.enter("payment", system.now(), **facts, why=by)
        return
    lines = [
        {"sku": line["item"], "quantity": line["qty"], "total": line["sum"], "tax_rate": line["vat_rate"]}
        for line in new["lines"]
    ]
    system.books.enter(
        "order", system.now(), id=new["number"], number=new["source_number"], reference=new["reference"],
        total=new["total"], currency=new["currency"], lines=lines, handed_over=new["handed_over"],
        location=new["location"], state=new["state"], customer=new["customer"], paid=new["paid"],
        ordered_at=new["ordered_at"], payments=[{"kind": p["kind"], "amount": p["amount"]} for p in new["payments"]],
        receipts=(new.get("shift") or {}).get("receipts", []), why=by,
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
        tracking=new["tracking"], lines=lines, location=new["location"], why=by,
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


def sale(system: System, ask: Doc) -> Doc:
    """Staff look a sale up, by its number or that of its channel; the first that was entered."""
    return _order_of(system, ask)


def pick(system: System, ask: Doc) -> Doc:
    """Staff put goods of a sale aside: ``{order | source_number, lines?: {ref: quantity}}``; without lines all of it.

    Refused when the place does not hold them, or more of a line would be aside than was ordered.
    """
    order = _order_of(system, ask)
    if order["state"] in _CLOSED or order["handed_over"]:
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
    if order["state"] in _CLOSED or order["handed_over"]:
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
    if order["state"] in _CLOSED:
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
    _known(system, "items", item, "item")
    _known(system, "locations", location, "location")
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


def _check_return(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if old is not None:
        raise Refused(422, "fixed", "a return stays as it is", field="lines")
    _known(system, "orders", new["order"], "order")
    if new["exchange"] is not None:
        _known(system, "orders", new["exchange"], "exchange")
    if new["location"] is not None:
        _known(system, "locations", new["location"], "location")
    elif any(line["to"] != "none" for line in new["lines"]):
        raise Refused(422, "no_location", "goods that came back lie somewhere", field="location")
    left = {line["ref"]: Decimal(line["qty"]) for line in system.get("orders", new["order"])["lines"]}
    for doc in system.docs("returns"):
        if doc["order"] == new["order"] and doc["number"] != new["number"]:
            for line in doc["lines"]:
                left[line["order_line"]] -= Decimal(line["qty"])
    for n, line in enumerate(new["lines"]):
        left[line["order_line"]] = left.get(line["order_line"], Decimal(0)) - Decimal(line["qty"])
        if left[line["order_line"]] < 0:
            raise Refused(422, "too_many", "more than was sold", field=f"lines.{n}.qty")
    paid = sum((Decimal(one["amount"]) for one in new["refunds"]), Decimal(0))
    if paid != Decimal(new["total"]):
        raise Refused(422, "bad_total", f"refunds make {paid}, not {new['total']}", field="total")


def _returned(system: System, old: Doc | None, new: Doc, by: By) -> None:
    order = system.get("orders", new["order"])
    items = {line["ref"]: line["item"] for line in order["lines"]}
    kinds = {one["ref"]: one["kind"] for one in order["payments"]}
    system.books.enter(
        "return", system.now(), id=new["number"], order=new["order"], number=order["source_number"],
        location=new["location"], total=new["total"],
        lines=[{"sku": items[line["order_line"]], "quantity": line["qty"], "to": line["to"],
                "tax_rate": line["vat_rate"], "total": line["sum"]} for line in new["lines"]],
        payments=[{"kind": kinds.get(one["payment"]), "amount": one["amount"]} for one in new["refunds"]], why=by,
    )  # fmt: skip
    for line in new["lines"]:
        if line["to"] != "none":
            move(system, items[line["order_line"]], new["location"], Decimal(line["qty"]), why="return",
                 doc=new["number"], by="system", quarantine=line["to"] == "quarantine")  # fmt: skip


_WRITES = frozenset({"create", "update"})


def erp(name: str, currency: str, home: str, written: Written) -> Design:
    """An ERP of the platform: each company has one, with a currency and a warehouse of its own."""
    return Design(
        name=name,
        platform="erp",
        currency=currency,
        home=home,
        written=written,
        resolution=timedelta(seconds=1),
        lists=Lists(
            style="cursor", size=100, since="changed_since", position="cursor", reference="reference",
            envelope=_envelope,
        ),
        coalesces=True,
        acts={"sale": sale, "pick": pick, "ship": ship, "deliver": deliver, "cancel": cancel, "count": count,
              "reprice": reprice, "order_goods": order_goods, "post_shift": post_shift},
        collections=_COLLECTIONS,
    )  # fmt: skip


_COLLECTIONS = {
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
        key=_price_code,
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
    "returns": Collection(
        id="number",
        number="R{:06d}",
        allows=frozenset({"create"}),
        reference="reference",
        check=_check_return,
        then=_returned,
        stamp="changed_at",
        created="created_at",
    ),
}

ERP = erp("erp", "KZT", "almaty-wh", local)
ERP_BG = erp("erp_bg", "EUR", "plovdiv-wh", in_sofia)
