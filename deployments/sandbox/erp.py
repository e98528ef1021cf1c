"""The ERP: a company's products, stock by location, prices, customers, sales, shipments and returns.

What surprises here: it takes the same ``reference`` of a sale twice without a word (as most do); a sale that says
``handed_over`` posts stock the moment it is entered, any other when staff ship it; stamps are whole seconds. What
people do there: ``erp_acts.py``.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from deployments.sandbox.design import By, Collection, Design, Lists, Refused
from deployments.sandbox.engine import System
from deployments.sandbox.erp_acts import ACTS, CLOSED, known, move
from deployments.sandbox.notation import Doc, Written, in_sofia, local

_FIXED = ("lines", "handed_over", "location", "currency", "total", "delivery", "ordered_at", "reference")


def _envelope(resource: str, docs: list[Doc], facts: Doc) -> Any:
    return {"items": docs, "next_cursor": facts["next"]}


def _check_item(system: System, old: Doc | None, new: Doc, by: By) -> None:
    known(system, "products", new["product"], "product")


def _named(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if old is None or old["name"] != new["name"]:
        was = None if old is None else old["name"]
        system.books.enter("name", system.now(), sku=new["code"], was=was, now=new["name"], why=by)


def _check_stock(system: System, old: Doc | None, new: Doc, by: By) -> None:
    known(system, "items", new["item"], "item")
    known(system, "locations", new["location"], "location")


def _price_code(doc: Doc) -> str:
    """list:item, and what makes the row special: for whom, from how many pieces on, a sale since when."""
    parts = [doc["list"], doc["item"], doc.get("customer_group"), doc.get("from_quantity")]
    parts += ["sale", doc.get("valid_from")] if doc.get("sale") is True else []
    return ":".join(part for part in parts if part is not None)


def _check_price(system: System, old: Doc | None, new: Doc, by: By) -> None:
    known(system, "items", new["item"], "item")
    if Decimal(new["amount"]) <= 0:
        raise Refused(422, "bad_price", "a price is above zero", field="amount")


def _priced(system: System, old: Doc | None, new: Doc, by: By) -> None:
    was = None if old is None else old["amount"]
    if was != new["amount"]:
        facts = {"sku": new["item"], "list": new["list"], "was": was, "now": new["amount"], "currency": new["currency"]}
        system.books.enter("price", system.now(), **facts, why=by)


def _met(system: System, old: Doc | None, new: Doc, by: By) -> None:
    system.books.enter("customer", system.now(), id=new["code"], email=new["email"], phone=new["phone"], why=by)


def _check_order(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if not new["lines"]:
        raise Refused(422, "empty", "a sale has lines", field="lines")
    for n, line in enumerate(new["lines"]):
        known(system, "items", line["item"], f"lines.{n}.item")
        if Decimal(line["qty"]) <= 0:
            raise Refused(422, "bad_quantity", "a quantity is above zero", field=f"lines.{n}.qty")
    total = sum((Decimal(line["sum"]) for line in new["lines"]), Decimal(new["delivery"]))
    total += Decimal(new["surcharge"]) - Decimal(new["discount"])
    if total != Decimal(new["total"]):
        raise Refused(422, "bad_total", f"lines and delivery make {total}, not {new['total']}", field="total")
    if new["currency"] != system.design.currency:
        raise Refused(422, "bad_currency", f"this company sells in {system.design.currency}", field="currency")
    if new["customer"] is not None:
        known(system, "customers", new["customer"], "customer")
    if new["location"] is not None:
        known(system, "locations", new["location"], "location")
    if new["replaces"] is not None:
        known(system, "orders", new["replaces"], "replaces")
    if new["handed_over"] and new["location"] is None:
        raise Refused(422, "no_location", "goods handed over left some location", field="location")
    if old is None or by != "api":
        return
    for name in _FIXED:
        if old[name] != new[name]:
            raise Refused(422, "fixed", f"{name} of a sale cannot change", field=name)
    if old["state"] in CLOSED and new["state"] != old["state"]:
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


def _check_return(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if old is not None:
        raise Refused(422, "fixed", "a return stays as it is", field="lines")
    known(system, "orders", new["order"], "order")
    if new["exchange"] is not None:
        known(system, "orders", new["exchange"], "exchange")
    if new["location"] is not None:
        known(system, "locations", new["location"], "location")
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
        acts=ACTS,
        places={"new order": "POST /orders", "reads": "GET"},
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
