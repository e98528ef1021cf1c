"""The marketplace: listings keyed by the seller's SKU, each with one price and one figure; orders; shipments.

What surprises here: a shipment's ``reference`` is taken once, the same again gives the shipment that is there; a
listing can be made by hand for a SKU that nobody else knows; an order that waits for the seller's word (``OFFERED``)
does not lower the listing, so two buyers may want the same last unit; what lies in the marketplace's own warehouse it
sells and sends by itself. What becomes of the money: ``market_money.py``.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from deployments.sandbox.design import By, Collection, Design, Lists, Refused
from deployments.sandbox.engine import System
from deployments.sandbox.market_money import ACTS, COLLECTIONS, CURRENCY, amount_of
from deployments.sandbox.notation import Doc, parsed, utc_millis

PREPARED = timedelta(hours=24)
"""How long a seller has to send what was ordered."""


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
            system.books.enter("change", system.now(), **facts, reason=new["cancelReason"], why=by)
        return
    lines = [
        {"sku": item["sellerSku"], "quantity": item["qty"], "total": item["total"]["amount"]} for item in new["items"]
    ]
    system.books.enter(
        "order", system.now(), id=new["orderId"], number=new["orderId"], reference=None, total=new["total"]["amount"],
        currency=new["total"]["currency"], lines=lines, handed_over=False, state=new["state"],
        customer=new["buyer"]["buyerId"], accept_by=new["acceptBy"], fulfilled_by=new["fulfilledBy"], why=by,
    )  # fmt: skip


def _check_shipment(system: System, old: Doc | None, new: Doc, by: By) -> None:
    order = system.find("orders", new["orderId"])
    if order is None:
        raise Refused(422, "unknown_order", f"orders has no {new['orderId']}", field="orderId")
    if order["fulfilledBy"] == "MARKETPLACE" and by == "api":
        raise Refused(422, "not_yours", "the marketplace sends this order by itself", field="orderId")
    if order["state"] in ("OFFERED", "REFUSED", "LAPSED"):
        raise Refused(422, "not_accepted", f"the order is {order['state']}", field="orderId")
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


def _buyer(system: System, ask: Doc) -> Doc:
    """The buyer, known by phone or new."""
    for doc in system.docs("buyers"):
        if doc["phone"] is not None and doc["phone"] == ask.get("phone"):
            return doc
    return system.add("buyers", {"fullName": ask["name"], "phone": ask.get("phone"), "email": ask.get("email")})


def order(system: System, ask: Doc) -> Doc:
    """Somebody buys: ``{name, phone?, email?, lines: [{sku, quantity}]}``; refused when too little is shown.

    ``accept_within`` (seconds): the order waits for the seller's word. ``warehouse``: the marketplace sells what lies
    in its own.
    """
    items = []
    warehouse, within = ask.get("warehouse"), ask.get("accept_within")
    taken: dict[str, int] = {}
    total = Decimal(0)
    for n, wanted in enumerate(ask["lines"], 1):
        sku, quantity = str(wanted["sku"]), int(wanted["quantity"])
        offer, price = system.find("offers", sku), system.find("prices", sku)
        shown = system.find("stocks", sku) if warehouse is None else system.find("held", f"{warehouse}:{sku}")
        taken[sku] = taken.get(sku, 0) + quantity
        if offer is None or offer["state"] != "ON_SALE" or price is None or quantity < 1:
            raise Refused(404, "not_sold", f"the marketplace does not sell {sku}")
        if shown is None or int(shown["available"]) < taken[sku]:
            raise Refused(409, "sold_out", f"the listing does not show {quantity} of {sku}")
        line = Decimal(price["price"]["amount"]) * quantity
        total += line
        facts = {"itemId": str(n), "sellerSku": sku, "title": offer["title"], "qty": str(quantity)}
        items.append(facts | {"price": price["price"], "total": amount_of(line)})
    buyer = _buyer(system, ask)
    now = system.now()
    doc = {
        "state": "NEW" if within is None else "OFFERED",
        "payment": "PREPAID" if within is None else "AUTHORIZED",
        "acceptBy": None if within is None else utc_millis(now + timedelta(seconds=float(within))),
        "shipBy": utc_millis(now + PREPARED),
        "fulfilledBy": "SELLER" if warehouse is None else "MARKETPLACE",
        "warehouse": warehouse,
        "buyer": {name: buyer[name] for name in ("buyerId", "fullName", "phone", "email")},
        "delivery": {"cost": amount_of(Decimal(0)), "address": ask.get("address")},
        "items": items,
        "total": amount_of(total),
    }
    placed = system.add("orders", doc)
    if within is None:
        _take(system, placed, -1)
    return placed


def buy(system: System, ask: Doc) -> Doc:
    """`order`, told as every marketplace tells it."""
    doc = order(system, ask)
    return {"id": doc["orderId"], "number": doc["orderId"], "total": doc["total"]["amount"],
            "currency": doc["total"]["currency"]}  # fmt: skip


def order_state(system: System, ask: Doc) -> Doc:
    """How an order stands, whose it is, and why it ended: ``{id}``."""
    doc = system.get("orders", str(ask["id"]))
    return {"state": doc["state"], "buyer": doc["buyer"]["fullName"], "reason": doc["cancelReason"]}


def _take(system: System, order: Doc, sign: int) -> None:
    """The goods of an order leave (-1) or come back to (1) what is shown; never below zero."""
    for item in order["items"]:
        own = order["warehouse"] is not None
        name, id = ("held", f"{order['warehouse']}:{item['sellerSku']}") if own else ("stocks", item["sellerSku"])
        shown = system.get(name, id)
        now = max(0, int(shown["available"]) + sign * int(item["qty"]))
        system.put(name, shown | {"available": str(now)}, by="system", id=id)


def send_own(system: System, ask: Doc) -> Doc:
    """The marketplace sends an order of its own warehouse: ``{id}``."""
    doc = system.get("orders", str(ask["id"]))
    if doc["fulfilledBy"] != "MARKETPLACE" or doc["state"] in ("SENT", "DELIVERED", "CANCELLED"):
        raise Refused(409, "closed", f"the order is {doc['state']}, sent by {doc['fulfilledBy']}")
    return system.edit("orders", doc["orderId"], {"state": "SENT"})


def store(system: System, ask: Doc) -> Doc:
    """Goods of the seller arrive in (or leave) a warehouse of the marketplace: ``{sku, warehouse, delta}``."""
    warehouse, sku = str(ask["warehouse"]), str(ask["sku"])
    system.get("warehouses", warehouse)
    row = system.find("held", f"{warehouse}:{sku}")
    now = int(ask["delta"]) + (0 if row is None else int(row["available"]))
    return system.put("held", {"warehouse": warehouse, "sellerSku": sku, "available": str(now)}, by="people")


def expire(system: System, ask: Doc) -> Doc:
    """Offers whose time is over end, their buyers are told: how many. (The marketplace's clock strikes.)"""
    over = [doc for doc in system.docs("orders") if _over(system, doc)]
    for doc in over:
        _end(system, doc, "EXPIRED", "expired", None)
    return {"expired": len(over)}


def _over(system: System, order: Doc) -> bool:
    by = order["acceptBy"]
    return order["state"] == "OFFERED" and by is not None and parsed(by) < system.now()


def _end(system: System, order: Doc, state: str, what: str, reason: str | None) -> None:
    """An order ends unsent: its money goes back and the buyer is told."""
    paid = order["payment"] == "PREPAID"
    change = order | {"state": state, "cancelReason": reason, "payment": "REFUNDED" if paid else "VOID"}
    system.put("orders", change, by="system", id=order["orderId"])
    _told(system, order, what, reason)


def _told(system: System, order: Doc, what: str, reason: str | None) -> None:
    facts = {"id": order["orderId"], "number": order["orderId"], "what": what, "reason": reason}
    system.books.enter("told", system.now(), **facts)


_ANSWERS = ("ACCEPTED", "REFUSED")


def _check_decision(system: System, old: Doc | None, new: Doc, by: By) -> None:
    order = system.find("orders", new["orderId"])
    if order is None:
        raise Refused(422, "unknown_order", f"orders has no {new['orderId']}", field="orderId")
    if new["kind"] in ("REFUSED", "CANCELLED") and new["reason"] is None:
        raise Refused(422, "no_reason", "the buyer is told why: give a reason", field="reason")
    if new["kind"] == "DELAYED" and new["until"] is None:
        raise Refused(422, "no_day", "a delay names the new day", field="until")
    if new["kind"] in _ANSWERS and (order["state"] == "EXPIRED" or _over(system, order)):
        raise Refused(409, "too_late", f"the order could be answered until {order['acceptBy']}", field="orderId")
    allowed = {"ACCEPTED": ("OFFERED",), "REFUSED": ("OFFERED",), "DELIVERED": ("SENT",)}
    if order["state"] not in allowed.get(new["kind"], ("NEW", "ACCEPTED")):
        raise Refused(409, "closed", f"the order is {order['state']}", field="orderId")


def _decided(system: System, old: Doc | None, new: Doc, by: By) -> None:
    order = system.get("orders", new["orderId"])
    facts = {"id": order["orderId"], "number": order["orderId"], "decision": new["kind"], "reason": new["reason"]}
    system.books.enter("decision", system.now(), **facts, accept_by=order["acceptBy"], why=by)
    if new["kind"] in ("REFUSED", "CANCELLED"):
        if new["kind"] == "CANCELLED":
            _take(system, order, 1)
        _end(system, order, new["kind"], new["kind"].lower(), new["reason"])
        return
    change = {"ACCEPTED": {"state": "ACCEPTED", "payment": "PREPAID"}, "DELAYED": {"shipBy": new["until"]},
              "DELIVERED": {"state": "DELIVERED"}, "READY": {}}[new["kind"]]  # fmt: skip
    system.put("orders", order | change, by="system", id=order["orderId"])
    if new["kind"] == "ACCEPTED":
        _take(system, order, -1)
    _told(system, order, new["kind"].lower(), new["reason"])


def _lies(system: System, old: Doc | None, new: Doc, by: By) -> None:
    was = "0" if old is None else old["available"]
    if was != new["available"]:
        facts = {"sku": new["sellerSku"], "location": new["warehouse"], "was": was, "now": new["available"]}
        system.books.enter("held", system.now(), **facts, why=_WHY[by])


def list_by_hand(system: System, ask: Doc) -> Doc:
    """Somebody types a listing into the seller's page: ``{sku, title, price, available}``."""
    sku = str(ask["sku"])
    offer = system.add("offers", {"sellerSku": sku, "title": ask["title"], "state": "ON_SALE"})
    system.add("prices", {"sellerSku": sku, "price": amount_of(Decimal(str(ask["price"])))})
    system.add("stocks", {"sellerSku": sku, "available": str(ask["available"])})
    return offer


def cancel(system: System, ask: Doc) -> Doc:
    """A buyer cancels an order that was not sent; its goods are shown again."""
    doc = system.get("orders", str(ask["id"]))
    if doc["state"] not in ("NEW", "ACCEPTED", "OFFERED"):
        raise Refused(409, "closed", f"the order is {doc['state']}")
    if doc["state"] != "OFFERED":
        _take(system, doc, 1)
    change = {"state": "CANCELLED", "payment": "REFUNDED", "cancelReason": ask.get("reason", "BUYER")}
    return system.edit("orders", doc["orderId"], change)


_WRITES = frozenset({"create", "update"})


def _by_sku(doc: Doc) -> str:
    return str(doc["sellerSku"])


MARKET = Design(
    name="market",
    written=utc_millis,
    resolution=timedelta(milliseconds=1),
    lists=Lists(style="page", size=50, since="updatedFrom", position="page", reference="reference", envelope=_envelope),
    acts={
        "order": buy, "order_state": order_state, "list_by_hand": list_by_hand, "cancel": cancel, "expire": expire,
        "send_own": send_own, "store": store, **ACTS,
    },
    collections=COLLECTIONS | {
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
        "decisions": Collection(
            id="decisionId",
            number="DC-{}",
            allows=frozenset({"create"}),
            reference="reference",
            once=True,
            check=_check_decision,
            then=_decided,
            stamp="updatedAt",
            created="createdAt",
        ),
        "warehouses": Collection(id="warehouseId", stamp="updatedAt", key=lambda d: str(d["warehouseId"])),
        "held": Collection(
            id="heldId", stamp="updatedAt", key=lambda d: f"{d['warehouse']}:{d['sellerSku']}", then=_lies
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
