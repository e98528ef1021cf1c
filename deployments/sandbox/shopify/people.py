"""What people do in the simulated shop, under the names that every shop of the sandbox gives it.

What surprises here: who pays later leaves a payment ``PENDING`` with a gateway that is not the merchant's own; the
order stands among the others until the payment came or was given up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from deployments.sandbox.design import Refused
from deployments.sandbox.notation import Doc
from deployments.sandbox.shopify.after_sale import told
from deployments.sandbox.shopify.orders import ACTS, COD, KINDS, cancel, enter_customer, give_back, part_of, place
from deployments.sandbox.shopify.state import Shop, total

LATER = "Halyk"
"""The gateway of those who pay by instalments."""


def online(shop: Shop) -> str:
    """The place from which orders are sent."""
    return next(id for id, row in shop.table("Location").items() if row.doc["fulfillsOnlineOrders"])


def place_of(shop: Shop, code: str) -> str:
    """The place that the merchant calls so; Refused when nobody can collect there."""
    for id, row in shop.table("Location").items():
        if row.doc.get("code") == code and not row.doc["fulfillsOnlineOrders"]:
            return id
    raise Refused(404, "no_place", f"nobody can collect at {code}")


def buy(shop: Shop, ask: Mapping[str, Any]) -> Doc:
    """Somebody orders, as in every shop of the sandbox (``shop_orders.order``); a buyer is known by e-mail address."""
    with shop.lock:
        wanted = [str(line["sku"]) for line in ask["lines"]]
        for sku in wanted:
            if shop.get(shop.get(shop.of_sku(sku)["product"])["id"])["status"] != "ACTIVE":
                raise Refused(404, "not_sold", f"the shop does not sell {sku}")
        buyer = _buyer(shop, ask)
        pay = str(ask.get("pay") or "CARD")
        tenders: list[Doc] = []
        if ask.get("gift_card"):
            tenders.append({"gateway": "gift_card", "amount": str(ask["gift_card"])})
        gateway = {"CARD": "shopify_payments", "CASH_ON_DELIVERY": COD, "INSTALMENT": LATER}[pay]
        tenders.append({"gateway": gateway, **({} if pay == "CARD" else {"status": "PENDING"})})
        told_of: Doc = {"place": online(shop), "email": buyer["email"], "phone": buyer["phone"], "tenders": tenders,
                        "customer": buyer["id"], "lines": [dict(line) for line in ask["lines"]]}  # fmt: skip
        if ask.get("coupon") is not None:
            told_of |= {"code": ask["coupon"]["code"]}
            told_of["lines"][0]["discount"] = str(ask["coupon"]["amount"])
        if ask.get("pickup") is not None:
            told_of["pickup"] = place_of(shop, str(ask["pickup"]))
        else:
            told_of["address"] = buyer["address"]
        if ask.get("cash_fee"):
            told_of["fees"] = [{"name": "cash_on_delivery", "amount": str(Decimal(str(ask["cash_fee"])) / 100)}]
        if ask.get("tax_rate") is not None:
            told_of["tax_rate"] = ask["tax_rate"]
        until = shop.now() + timedelta(seconds=float(ask.get("sign_within") or 900))
        if pay == "INSTALMENT":
            told_of["state"] = "AWAITING_SIGNATURE"
        made = place(shop, told_of)
        if pay == "INSTALMENT":
            made = shop.put(made["id"], {"unsigned": until.isoformat()})
        due = made["totalPriceSet"]["shopMoney"]
        return {"id": made["id"], "number": made["name"], "total": due["amount"], "currency": due["currencyCode"]}


def _buyer(shop: Shop, ask: Mapping[str, Any]) -> Doc:
    mail, phone = str(ask["email"]).lower(), _phone(ask.get("phone"))
    known = [row.doc for row in shop.table("Customer").values()]
    for doc in known:
        if doc["email"] == mail:
            return doc
    first, _, last = str(ask["name"]).partition(" ")
    free = phone is not None and all(doc["phone"] != phone for doc in known)
    person = {"email": mail, "firstName": first, "lastName": last or None, "phone": phone if free else None}
    return enter_customer(shop, person)


def _phone(text: Any) -> str | None:
    """As the checkout writes it: with plus and country."""
    digits = "".join(one for one in str(text or "") if one.isdigit())
    if not digits:
        return None
    return f"+7{digits[1:]}" if len(digits) == 11 and digits[0] == "8" else f"+{digits}"


def order_state(shop: Shop, ask: Mapping[str, Any]) -> Doc:
    """How an order stands and what went back of it: ``{id}``."""
    order = shop.get(str(ask["id"]))
    back: dict[str, Decimal] = {}
    for one in order["payments"]:
        if one["kind"] == "REFUND":
            parent = one["parentTransaction"]["id"]
            back[parent] = back.get(parent, Decimal(0)) + total([one["amountSet"]])
    tenders = [{"kind": KINDS.get(one["gateway"], "INSTALMENT"), "refunded": str(back.get(one["id"], Decimal(0)))}
               for one in order["payments"] if one["kind"] != "REFUND"]  # fmt: skip
    status = "CANCELLED" if order["cancelledAt"] is not None else order["displayFulfillmentStatus"]
    return {"status": status, "tenders": tenders}


def give_up(shop: Shop, ask: Mapping[str, Any]) -> Doc:
    """A shopper cancels an order that was not sent: ``{id}``."""
    return {"id": cancel(shop, {**ask, "reason": "CUSTOMER"})["id"]}


def _paid(shop: Shop, order: Doc) -> Doc:
    payments = [{**one, "status": "SUCCESS"} if one["status"] == "PENDING" else one for one in order["payments"]]
    changed = {"payments": payments, "displayFinancialStatus": "PAID", "unsigned": None}
    return shop.put(order["id"], changed, "orders/updated")


def sign(shop: Shop, ask: Mapping[str, Any]) -> Doc:
    """The buyer of an order by instalments signs at the bank, which pays: ``{id}``."""
    with shop.lock:
        order = shop.get(str(ask["id"]))
        if order.get("unsigned") is None or order["cancelledAt"] is not None:
            raise Refused(409, "closed", "nothing of the order is to be signed")
        shop.books.enter("change", shop.now(), id=order["id"], number=order["name"], was="AWAITING_SIGNATURE",
                         now="PENDING", reason=None, why="people")  # fmt: skip
        return {"id": _paid(shop, order)["id"]}


def collect_cash(shop: Shop, ask: Mapping[str, Any]) -> Doc:
    """The courier hands in the cash of an order, and the merchant marks it as paid: ``{id}``."""
    with shop.lock:
        return {"id": _paid(shop, shop.get(str(ask["id"])))["id"]}


def expire(shop: Shop, ask: Mapping[str, Any]) -> Doc:
    """Instalments that nobody signed in time are given up, their buyers are told: how many."""
    with shop.lock:
        unsigned = [row.doc for row in shop.table("Order").values()
                    if row.doc.get("unsigned") is not None and row.doc["cancelledAt"] is None]  # fmt: skip
        over = [order for order in unsigned if datetime.fromisoformat(order["unsigned"]) < shop.now()]
        for order in over:
            failed = [{**one, "status": "FAILURE"} if one["status"] == "PENDING" else one for one in order["payments"]]
            shop.put(order["id"], {"payments": failed, "unsigned": None})
            cancel(shop, {"id": order["id"], "reason": "DECLINED", "state": "EXPIRED"})
            told(shop, order, "expired", "UNPAID")
        return {"expired": len(over)}


def bring_back(shop: Shop, ask: Mapping[str, Any]) -> Doc:
    """A store takes back what was bought here, in the shop's own app: ``{store, number, lines: [{line: sku,
    quantity}]}``; the goods stay there, the money goes back to the order's payments from the last one on.
    """
    with shop.lock:
        place = place_of(shop, str(ask["store"]))
        rows = (row.doc for row in shop.table("Order").values())
        order = next((doc for doc in rows if doc["name"] == ask["number"]), None)
        if order is None:
            raise Refused(404, "unknown_order", f"the shop has no order {ask['number']}")
        lines = {line["sku"]: line for line in order["lines"]}
        back = [(lines[str(one["line"])], int(one["quantity"])) for one in ask["lines"]]
        worth = left = sum((part_of(shop, line, quantity) for line, quantity in back), Decimal(0))
        paid: list[tuple[Doc, Decimal]] = []
        for one in reversed([one for one in order["payments"] if one["kind"] in ("SALE", "CAPTURE")]):
            part = min(left, total([one["amountSet"]]))
            paid += [(one, part)] if part > 0 else []
            left -= part
        goods = [(line, quantity, "RETURN", place) for line, quantity in back]
        return {"id": give_back(shop, order, goods, paid, why="people")["id"], "total": worth}


def edit_phone(shop: Shop, ask: Mapping[str, Any]) -> Doc:
    """A shopper changes the phone number of the account: ``{id, phone}``."""
    return {"id": enter_customer(shop, {"phone": ask["phone"]}, str(ask["id"]))["id"]}


VERBS: Mapping[str, Callable[[Shop, Mapping[str, Any]], Doc]] = {
    **ACTS, "order": buy, "order_state": order_state, "cancel": give_up, "sign": sign, "collect_cash": collect_cash,
    "expire": expire, "edit_phone": edit_phone, "bring_back": bring_back,
}  # fmt: skip
