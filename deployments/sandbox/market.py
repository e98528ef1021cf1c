"""The marketplace: listings keyed by the seller's SKU, each with one price and one figure; orders; shipments.

What surprises here: a shipment's ``reference`` is taken once, the same again gives the shipment that is there; a
listing can be made by hand for a SKU that nobody else knows.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from deployments.sandbox.design import By, Collection, Design, Lists, Refused
from deployments.sandbox.engine import System
from deployments.sandbox.notation import Doc, utc_millis

CURRENCY = "KZT"


def _envelope(resource: str, docs: list[Doc], facts: Doc) -> Any:
    return {"result": {"items": docs, "total": facts["total"], "page": facts["page"], "pages": facts["pages"]}}


def _check_listed(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if system.find("offers", new["sellerSku"]) is None:
        raise Refused(422, "unknown_offer", f"offers has no {new['sellerSku']}", field="sellerSku")


def _named(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if old is None or old["title"] != new["title"]:
        was = None if old is None else old["title"]
        system.books.enter("name", system.now(), sku=new["sellerSku"], was=was, now=new["title"], why=by)


def _check_price(system: System, old: Doc | None, new: Doc, by: By) -> None:
    _check_listed(system, old, new, by)
    if Decimal(new["price"]["amount"]) <= 0:
        raise Refused(422, "bad_price", "a price is above zero", field="price.amount")
    if new["price"]["currency"] != CURRENCY:
        raise Refused(422, "bad_currency", f"this marketplace sells in {CURRENCY}", field="price.currency")


def _priced(system: System, old: Doc | None, new: Doc, by: By) -> None:
    was = None if old is None else old["price"]["amount"]
    if was != new["price"]["amount"]:
        facts = {"sku": new["sellerSku"], "list": "market", "was": was, "now": new["price"]["amount"]}
        system.books.enter("price", system.now(), **facts, currency=new["price"]["currency"], why=by)


_WHY = {"seed": "opening", "api": "write", "system": "order", "people": "people"}


def _shown(system: System, old: Doc | None, new: Doc, by: By) -> None:
    was = None if old is None else old["available"]
    if was != new["available"]:
        system.books.enter("shown", system.now(), sku=new["sellerSku"], was=was, now=new["available"], why=_WHY[by])


def _met(system: System, old: Doc | None, new: Doc, by: By) -> None:
    system.books.enter("customer", system.now(), id=new["buyerId"], email=new["email"], phone=new["phone"], why=by)


def _ordered(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if old is not None:
        if old["state"] != new["state"]:
            facts = {"id": new["orderId"], "number": new["orderId"], "was": old["state"], "now": new["state"]}
            system.books.enter("change", system.now(), **facts, why=by)
        return
    lines = [
        {"sku": item["sellerSku"], "quantity": item["qty"], "total": item["total"]["amount"]} for item in new["items"]
    ]
    system.books.enter(
        "order", system.now(), id=new["orderId"], number=new["orderId"], reference=None, total=new["total"]["amount"],
        currency=new["total"]["currency"], lines=lines, handed_over=False, state=new["state"],
        customer=new["buyer"]["buyerId"], why=by,
    )  # fmt: skip


def _check_shipment(system: System, old: Doc | None, new: Doc, by: By) -> None:
    order = system.find("orders", new["orderId"])
    if order is None:
        raise Refused(422, "unknown_order", f"orders has no {new['orderId']}", field="orderId")
    open_ = {item["itemId"]: int(item["qty"]) for item in order["items"]}
    for doc in system.docs("shipments"):
        if doc["orderId"] == new["orderId"] and doc["shipmentId"] != new["shipmentId"]:
            for item in doc["items"]:
                open_[item["itemId"]] -= int(item["qty"])
    for n, item in enumerate(new["items"]):
        if item["itemId"] not in open_:
            raise Refused(422, "unknown_line", f"the order has no item {item['itemId']}", field=f"items.{n}")
        open_[item["itemId"]] -= int(item["qty"])
        if open_[item["itemId"]] < 0:
            raise Refused(422, "too_many", "more than was ordered", field=f"items.{n}.qty")


def _shipped(system: System, old: Doc | None, new: Doc, by: By) -> None:
    order = system.get("orders", new["orderId"])
    if old is None:
        skus = {item["itemId"]: item["sellerSku"] for item in order["items"]}
        lines = [{"sku": skus[item["itemId"]], "quantity": item["qty"]} for item in new["items"]]
        system.books.enter(
            "shipment", system.now(), id=new["shipmentId"], order=new["orderId"], number=new["orderId"],
            tracking=new["trackNumber"], lines=lines, why=by,
        )  # fmt: skip
    sent = sum(
        int(item["qty"])
        for doc in system.docs("shipments")
        if doc["orderId"] == order["orderId"]
        for item in doc["items"]
    )
    state = "DELIVERED" if new["state"] == "DELIVERED" else "SENT"
    whole = sent >= sum(int(item["qty"]) for item in order["items"])
    if whole and order["state"] not in ("CANCELLED", state):
        by_now: By = "seed" if by == "seed" else "system"
        system.put("orders", order | {"state": state}, by=by_now, id=order["orderId"])


def _money(amount: Decimal) -> Doc:
    return {"amount": f"{amount:.2f}", "currency": CURRENCY}


def _buyer(system: System, ask: Doc) -> Doc:
    """The buyer, known by phone or new."""
    for doc in system.docs("buyers"):
        if doc["phone"] is not None and doc["phone"] == ask.get("phone"):
            return doc
    return system.add("buyers", {"fullName": ask["name"], "phone": ask.get("phone"), "email": ask.get("email")})


def order(system: System, ask: Doc) -> Doc:
    """Somebody buys: ``{name, phone?, email?, lines: [{sku, quantity}]}``; refused when too little is shown."""
    items = []
    taken: dict[str, int] = {}
    total = Decimal(0)
    for n, wanted in enumerate(ask["lines"], 1):
        sku, quantity = str(wanted["sku"]), int(wanted["quantity"])
        offer, price, shown = (system.find(name, sku) for name in ("offers", "prices", "stocks"))
        taken[sku] = taken.get(sku, 0) + quantity
        if offer is None or offer["state"] != "ON_SALE" or price is None or quantity < 1:
            raise Refused(404, "not_sold", f"the marketplace does not sell {sku}")
        if shown is None or int(shown["available"]) < taken[sku]:
            raise Refused(409, "sold_out", f"the listing does not show {quantity} of {sku}")
        line = Decimal(price["price"]["amount"]) * quantity
        total += line
        facts = {"itemId": str(n), "sellerSku": sku, "title": offer["title"], "qty": str(quantity)}
        items.append(facts | {"price": price["price"], "total": _money(line)})
    buyer = _buyer(system, ask)
    doc = {
        "state": "NEW",
        "payment": "PREPAID",
        "buyer": {name: buyer[name] for name in ("buyerId", "fullName", "phone", "email")},
        "delivery": {"cost": _money(Decimal(0)), "address": ask.get("address")},
        "items": items,
        "total": _money(total),
    }
    placed = system.add("orders", doc)
    for sku, quantity in taken.items():
        shown = system.get("stocks", sku)
        system.put("stocks", shown | {"available": str(int(shown["available"]) - quantity)}, by="system", id=sku)
    return placed


def list_by_hand(system: System, ask: Doc) -> Doc:
    """Somebody types a listing into the seller's page: ``{sku, title, price, available}``."""
    sku = str(ask["sku"])
    offer = system.add("offers", {"sellerSku": sku, "title": ask["title"], "state": "ON_SALE"})
    system.add("prices", {"sellerSku": sku, "price": _money(Decimal(str(ask["price"])))})
    system.add("stocks", {"sellerSku": sku, "available": str(ask["available"])})
    return offer


def cancel(system: System, ask: Doc) -> Doc:
    """A buyer cancels an order that was not sent; its goods are shown again."""
    doc = system.get("orders", str(ask["id"]))
    if doc["state"] not in ("NEW", "ACCEPTED"):
        raise Refused(409, "closed", f"the order is {doc['state']}")
    for item in doc["items"]:
        shown = system.get("stocks", item["sellerSku"])
        available = str(int(shown["available"]) + int(item["qty"]))
        system.put("stocks", shown | {"available": available}, by="system", id=item["sellerSku"])
    return system.edit("orders", doc["orderId"], {"state": "CANCELLED", "payment": "REFUNDED"})


_WRITES = frozenset({"create", "update"})


def _by_sku(doc: Doc) -> str:
    return str(doc["sellerSku"])


MARKET = Design(
    name="market",
    written=utc_millis,
    resolution=timedelta(milliseconds=1),
    lists=Lists(style="page", size=50, since="updatedFrom", position="page", reference="reference", envelope=_envelope),
    acts={"order": order, "list_by_hand": list_by_hand, "cancel": cancel},
    collections={
        "offers": Collection(
            id="sellerSku", key=_by_sku, allows=_WRITES, then=_named, stamp="updatedAt", created="createdAt"
        ),
        "prices": Collection(
            id="sellerSku", stamp="updatedAt", key=_by_sku, allows=_WRITES, check=_check_price, then=_priced
        ),
        "stocks": Collection(
            id="sellerSku", stamp="updatedAt", key=_by_sku, allows=_WRITES, check=_check_listed, then=_shown
        ),
        "buyers": Collection(id="buyerId", stamp="updatedAt", number="B-{}", first=301, then=_met),
        "orders": Collection(
            id="orderId",
            number="MK-{}",
            first=700101,
            allows=frozenset({"update"}),
            then=_ordered,
            stamp="updatedAt",
            created="createdAt",
        ),
        "shipments": Collection(
            id="shipmentId",
            number="SH-{}",
            allows=_WRITES,
            reference="reference",
            once=True,
            check=_check_shipment,
            then=_shipped,
            stamp="updatedAt",
            created="createdAt",
        ),
    },
)
