"""Orders of the web shop: tenders, discounts, collecting in a store, instalments, decisions of the merchant, refunds.

What surprises here: an order lowers the shop's own figure at once, an instalment that waits for its signature too; cash
on delivery is due until the courier has it; money goes back tender by tender, never more than was captured; a cancelled
order's goods are shown again, unless there were none.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from deployments.sandbox.design import Act, By, Collection, Refused
from deployments.sandbox.engine import System
from deployments.sandbox.notation import Doc, parsed, utc_seconds

NOT_SENT = ("AWAITING_SIGNATURE", "PENDING", "PROCESSING", "READY_FOR_PICKUP")
ENDED = ("CANCELLED", "EXPIRED")
TAX = {"KZT": Decimal("0.16"), "EUR": Decimal("0.20")}
"""The rate that the shop's prices hold, by its currency; an order keeps the rate of its day."""


def _major(minor: int) -> str:
    return f"{Decimal(minor) / 100:.2f}"


def _order(system: System, id: str) -> Doc:
    order = system.find("orders", id)
    if order is None:
        raise Refused(422, "unknown_order", f"orders has no {id}", field="orderId")
    return order


def _ordered(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if old is not None:
        if old["status"] != new["status"]:
            facts = {"id": new["id"], "number": new["number"], "was": old["status"], "now": new["status"]}
            system.books.enter("change", system.now(), **facts, reason=new["cancelReason"], why=by)
        if old["financialStatus"] != new["financialStatus"]:
            facts = {"id": new["id"], "number": new["number"], "was": old["financialStatus"]}
            system.books.enter("payment", system.now(), **facts, now=new["financialStatus"], why=by)
        return
    lines = [
        {"sku": line["sku"], "quantity": str(line["quantity"]), "total": _major(line["totalMinor"]),
         "tax_rate": line["taxRate"]}
        for line in new["lines"]
    ]  # fmt: skip
    tenders = [{"kind": one["kind"], "amount": _major(one["amountMinor"])} for one in new["tenders"]]
    place = None if new["pickupLocationId"] is None else system.get("locations", new["pickupLocationId"])["code"]
    system.books.enter(
        "order", system.now(), id=new["id"], number=new["number"], reference=None, total=_major(new["totalMinor"]),
        currency=new["currency"], lines=lines, handed_over=False, state=new["status"], tenders=tenders,
        discounts=_major(sum(one["amountMinor"] for one in new["discounts"])), pickup=place,
        paid=new["financialStatus"], customer=new["customerId"], why=by,
    )  # fmt: skip


def _open_units(system: System, name: str, order: Doc, but: str) -> dict[str, int]:
    """Units by line that no other row of ``name`` (fulfilments, refunds) has taken."""
    left = {line["id"]: int(line["quantity"]) for line in order["lines"]}
    for doc in system.docs(name):
        if doc["orderId"] == order["id"] and doc["id"] != but:
            for line in doc["lines"]:
                left[line["orderLineId"]] -= line["quantity"]
    return left


def _check_units(left: dict[str, int], lines: list[Doc]) -> None:
    for n, line in enumerate(lines):
        if line["orderLineId"] not in left:
            raise Refused(422, "unknown_line", f"the order has no line {line['orderLineId']}", field=f"lines.{n}")
        left[line["orderLineId"]] -= line["quantity"]
        if left[line["orderLineId"]] < 0:
            raise Refused(422, "too_many", "more than was ordered", field=f"lines.{n}.quantity")


def _check_fulfilment(system: System, old: Doc | None, new: Doc, by: By) -> None:
    order = _order(system, new["orderId"])
    _check_units(_open_units(system, "fulfilments", order, new["id"]), new["lines"])


def _fulfilled(system: System, old: Doc | None, new: Doc, by: By) -> None:
    order = system.get("orders", new["orderId"])
    if old is None:
        skus = {line["id"]: line["sku"] for line in order["lines"]}
        lines = [{"sku": skus[line["orderLineId"]], "quantity": str(line["quantity"])} for line in new["lines"]]
        system.books.enter(
            "shipment", system.now(), id=new["id"], order=new["orderId"], number=order["number"],
            tracking=new["trackingNumber"], lines=lines, why=by,
        )  # fmt: skip
    sent = sum(
        line["quantity"] for doc in system.docs("fulfilments") if doc["orderId"] == order["id"] for line in doc["lines"]
    )
    if sent >= sum(line["quantity"] for line in order["lines"]) and order["status"] not in ENDED:
        status = "COMPLETED" if new["status"] == "DELIVERED" else "SHIPPED"
        if order["status"] != status:
            system.put("orders", order | {"status": status}, by="seed" if by == "seed" else "system", id=order["id"])


def variant_of(system: System, sku: str) -> Doc:
    """The variant on sale under a SKU; Refused 404 when the shop does not sell it."""
    for doc in system.docs("variants"):
        if doc["sku"] == sku and doc["active"]:
            return doc
    raise Refused(404, "not_sold", f"the shop does not sell {sku}")


def _account(system: System, ask: Doc) -> Doc | None:
    """The shopper's account: found by e-mail (as typed: case matters here), opened when new; None for a guest."""
    if ask.get("guest") is True:
        return None
    for doc in system.docs("customers"):
        if doc["email"] == ask["email"]:
            return doc
    first, _, last = str(ask["name"]).partition(" ")
    person = {"email": ask["email"], "firstName": first, "lastName": last or None, "phone": ask.get("phone")}
    return system.add("customers", person | {"locale": "ru-KZ"})


def order(system: System, ask: Doc) -> Doc:
    """A shopper buys: ``{email, name, phone?, guest?, lines: [{sku, quantity}]}``; refused when too little is shown.

    ``pay``: CARD (the default), CASH_ON_DELIVERY or INSTALMENT; ``gift_card``: what a gift card pays of it;
    ``cash_fee``: minor units;
    ``coupon``: ``{code, title, amount, funded_by}``; ``pickup``: the code of the store where it is collected;
    ``address``: where it is sent, else to the account's own;
    ``sign_within``: seconds until an instalment lapses; ``tax_rate``: when it is not today's.
    """
    lines = []
    taken: dict[str, int] = {}
    rate = Decimal(str(ask["tax_rate"])) if ask.get("tax_rate") is not None else TAX[system.design.currency]
    for n, wanted in enumerate(ask["lines"], 1):
        variant = variant_of(system, str(wanted["sku"]))
        shown, price = system.find("inventory", variant["id"]), system.find("prices", variant["id"])
        quantity = int(wanted["quantity"])
        taken[variant["id"]] = taken.get(variant["id"], 0) + quantity
        if price is None or shown is None or quantity < 1 or shown["available"] < taken[variant["id"]]:
            raise Refused(409, "sold_out", f"the shop does not show {quantity} of {wanted['sku']}")
        facts = {"id": str(n), "variantId": variant["id"], "sku": variant["sku"], "title": variant["title"]}
        facts |= {"quantity": quantity, "unitPriceMinor": price["amountMinor"], "discountMinor": 0}
        sum_ = price["amountMinor"] * quantity
        lines.append(facts | {"totalMinor": sum_, "taxRate": str(rate), "taxMinor": _within(sum_, rate)})
    account = _account(system, ask)
    pay = str(ask.get("pay", "CARD"))
    shipping = int(ask.get("shippingMinor", 0))
    discounts = _coupon(ask.get("coupon"))
    fee = int(ask.get("cash_fee", 0))
    surcharges: list[Doc] = [{"id": "1", "kind": "CASH_FEE", "amountMinor": fee}] if fee > 0 else []
    total = sum(line["totalMinor"] for line in lines) + shipping + sum(one["amountMinor"] for one in surcharges)
    total -= sum(one["amountMinor"] for one in discounts)
    unsigned = pay == "INSTALMENT"
    number = system.tables["orders"].number
    doc = {
        "number": str(number - 39000),
        "placedAt": utc_seconds(system.now()),
        "status": "AWAITING_SIGNATURE" if unsigned else "PENDING",
        "financialStatus": {"CARD": "PAID", "CASH_ON_DELIVERY": "PENDING", "INSTALMENT": "AUTHORIZED"}[pay],
        "customerId": None if account is None else account["id"],
        "contact": {"name": ask["name"], "email": ask["email"], "phone": ask.get("phone")},
        "shippingAddress": ask.get("address") or (None if account is None else account["defaultAddress"]),
        "currency": system.design.currency,
        "lines": lines,
        "shippingMinor": shipping,
        "totalMinor": total,
        "deliveryMethod": "SHIP" if ask.get("pickup") is None else "PICKUP",
        "pickupLocationId": None if ask.get("pickup") is None else _place(system, str(ask["pickup"])),
        "signBy": _in(system, ask.get("sign_within", 900)) if unsigned else None,
        "tenders": _tenders(pay, total, ask),
        "discounts": discounts,
        "surcharges": surcharges,
    }
    placed = system.add("orders", doc)
    for id, quantity in taken.items():
        shown = system.get("inventory", id)
        system.put("inventory", shown | {"available": shown["available"] - quantity}, by="system", id=id)
    return placed


def _within(gross: int, rate: Decimal) -> int:
    """The tax that a gross amount holds, in minor units, half up."""
    return int((Decimal(gross) * rate / (1 + rate)).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _in(system: System, seconds: Any) -> str:
    return utc_seconds(system.now() + timedelta(seconds=float(seconds)))


def _place(system: System, code: str) -> str:
    for doc in system.docs("locations"):
        if doc["code"] == code and doc["pickup"]:
            return str(doc["id"])
    raise Refused(404, "no_place", f"nobody can collect at {code}")


def _coupon(given: Doc | None) -> list[Doc]:
    if given is None:
        return []
    amount = int(Decimal(str(given["amount"])) * 100)
    facts = {"id": "1", "code": given["code"], "title": given.get("title", given["code"]), "amountMinor": amount}
    return [facts | {"fundedBy": given.get("funded_by", "SHOP")}]


def _tenders(pay: str, total: int, ask: Doc) -> list[Doc]:
    """How an order is paid: a gift card first, the rest as the shopper chose."""
    card = min(total, int(Decimal(str(ask.get("gift_card", 0))) * 100))
    found: list[Doc] = []
    if card > 0:
        found.append({"id": "1", "kind": "GIFT_CARD", "amountMinor": card, "state": "CAPTURED"})
    state = {"CARD": "CAPTURED", "CASH_ON_DELIVERY": "DUE", "INSTALMENT": "AUTHORIZED"}[pay]
    if total > card:
        rest: Doc = {"id": str(len(found) + 1), "kind": pay, "amountMinor": total - card, "state": state}
        if pay == "INSTALMENT":
            rest |= {"provider": ask.get("provider", "Halyk"), "months": int(ask.get("months", 12))}
        found.append(rest)
    return found


def _shown_again(system: System, order: Doc) -> None:
    for line in order["lines"]:
        shown = system.get("inventory", line["variantId"])
        change = shown | {"available": shown["available"] + line["quantity"]}
        system.put("inventory", change, by="system", id=line["variantId"])


def _money_back(order: Doc) -> list[Doc]:
    """The tenders of an order that ended: captured ones refunded, all others failed."""
    return [
        one | ({"state": "REFUNDED", "refundedMinor": one["amountMinor"]} if one["state"] == "CAPTURED"
               else {"state": "FAILED"})
        for one in order["tenders"]
    ]  # fmt: skip


def _end(system: System, order: Doc, status: str, reason: str | None) -> Doc:
    paid = any(one["state"] == "CAPTURED" for one in order["tenders"]) or order["financialStatus"] == "PAID"
    change = {"status": status, "financialStatus": "REFUNDED" if paid else "VOIDED", "cancelReason": reason}
    return system.put("orders", order | change | {"tenders": _money_back(order)}, by="system", id=order["id"])


def _told(system: System, order: Doc, what: str, reason: str | None) -> None:
    facts = {"id": order["id"], "number": order["number"], "what": what, "reason": reason}
    system.books.enter("told", system.now(), **facts)


def cancel(system: System, ask: Doc) -> Doc:
    """A shopper cancels an order that was not sent; its goods are shown again."""
    doc = system.get("orders", str(ask["id"]))
    if doc["status"] not in NOT_SENT:
        raise Refused(409, "closed", f"the order is {doc['status']}")
    _shown_again(system, doc)
    return _end(system, doc, "CANCELLED", ask.get("reason", "BUYER"))


def sign(system: System, ask: Doc) -> Doc:
    """The buyer signs the instalment at the bank: ``{id}``; the bank pays, the order can be sent."""
    doc = system.get("orders", str(ask["id"]))
    if doc["status"] != "AWAITING_SIGNATURE" or parsed(doc["signBy"]) < system.now():
        raise Refused(409, "closed", f"the order is {doc['status']}")
    tenders = [one | {"state": "CAPTURED"} for one in doc["tenders"]]
    return system.edit("orders", doc["id"], {"status": "PENDING", "financialStatus": "PAID", "tenders": tenders})


def expire(system: System, ask: Doc) -> Doc:
    """Instalments that nobody signed in time end, their buyers are told: how many. (The shop's clock strikes.)"""
    over = [doc for doc in system.docs("orders")
            if doc["status"] == "AWAITING_SIGNATURE" and parsed(doc["signBy"]) < system.now()]  # fmt: skip
    for doc in over:
        _shown_again(system, doc)
        _end(system, doc, "EXPIRED", "UNPAID")
        _told(system, doc, "expired", "UNPAID")
    return {"expired": len(over)}


def collect_cash(system: System, ask: Doc) -> Doc:
    """The courier hands in the cash of an order: ``{id}``."""
    doc = system.get("orders", str(ask["id"]))
    tenders = [one | ({"state": "CAPTURED"} if one["state"] == "DUE" else {}) for one in doc["tenders"]]
    return system.edit("orders", doc["id"], {"financialStatus": "PAID", "tenders": tenders})


def _check_decision(system: System, old: Doc | None, new: Doc, by: By) -> None:
    order = _order(system, new["orderId"])
    if new["kind"] in ("REFUSED", "CANCELLED") and new["reason"] is None:
        raise Refused(422, "no_reason", "the buyer is told why: give a reason", field="reason")
    if new["kind"] == "DELAYED" and new["until"] is None:
        raise Refused(422, "no_day", "a delay names the new day", field="until")
    if new["kind"] == "READY" and order["deliveryMethod"] != "PICKUP":
        raise Refused(422, "not_collected", "the order is not collected in a store", field="kind")
    allowed = (*NOT_SENT, "SHIPPED") if new["kind"] == "DELIVERED" else NOT_SENT
    if order["status"] not in allowed:
        raise Refused(409, "closed", f"the order is {order['status']}", field="orderId")


def _decided(system: System, old: Doc | None, new: Doc, by: By) -> None:
    order = system.get("orders", new["orderId"])
    facts = {"id": order["id"], "number": order["number"], "decision": new["kind"], "reason": new["reason"]}
    system.books.enter("decision", system.now(), **facts, accept_by=None, why=by)
    if new["kind"] in ("REFUSED", "CANCELLED"):
        if new["reason"] != "OUT_OF_STOCK":
            _shown_again(system, order)
        _end(system, order, "CANCELLED", new["reason"])
    else:
        status = {"READY": "READY_FOR_PICKUP", "DELIVERED": "COMPLETED", "ACCEPTED": "PROCESSING"}.get(new["kind"])
        if status is not None:
            system.put("orders", order | {"status": status}, by="system", id=order["id"])
    _told(system, order, new["kind"].lower(), new["reason"])


def _captured(order: Doc) -> dict[str, int]:
    """What may still be given back, by tender."""
    paid = ("CAPTURED", "PARTIALLY_REFUNDED", "REFUNDED")
    return {one["id"]: one["amountMinor"] - one["refundedMinor"] for one in order["tenders"] if one["state"] in paid}


def _check_refund(system: System, old: Doc | None, new: Doc, by: By) -> None:
    order = _order(system, new["orderId"])
    if old is not None:
        raise Refused(422, "fixed", "a refund stays as it is", field="payments")
    if new["locationId"] is not None and system.find("locations", new["locationId"]) is None:
        raise Refused(422, "unknown_location", f"locations has no {new['locationId']}", field="locationId")
    _check_units(_open_units(system, "refunds", order, new["id"]), new["lines"])
    left = _captured(order)
    for n, payment in enumerate(new["payments"]):
        left[payment["tenderId"]] = left.get(payment["tenderId"], 0) - payment["amountMinor"]
        if left[payment["tenderId"]] < 0:
            raise Refused(422, "too_much", f"more than tender {payment['tenderId']} captured", field=f"payments.{n}")


def _refunded(system: System, old: Doc | None, new: Doc, by: By) -> None:
    order = system.get("orders", new["orderId"])
    back: dict[str, int] = {}
    for payment in new["payments"]:
        back[payment["tenderId"]] = back.get(payment["tenderId"], 0) + payment["amountMinor"]
    tenders = []
    for one in order["tenders"]:
        sum_ = one["refundedMinor"] + back.get(one["id"], 0)
        state = one["state"] if sum_ == 0 else "REFUNDED" if sum_ == one["amountMinor"] else "PARTIALLY_REFUNDED"
        tenders.append(one | {"refundedMinor": sum_, "state": state})
    whole = all(one["state"] == "REFUNDED" for one in tenders)
    status = "REFUNDED" if whole else "PARTIALLY_REFUNDED" if back else order["financialStatus"]
    change = {"tenders": tenders, "financialStatus": status}
    system.put("orders", order | change, by="system", id=order["id"])
    kinds = {one["id"]: one["kind"] for one in order["tenders"]}
    skus = {line["id"]: line["sku"] for line in order["lines"]}
    rates = {line["id"]: line["taxRate"] for line in order["lines"]}
    system.books.enter(
        "refund", system.now(), id=new["id"], order=order["id"], number=order["number"],
        payments=[{"kind": kinds[p["tenderId"]], "amount": _major(p["amountMinor"])} for p in new["payments"]],
        lines=[{"sku": skus[line["orderLineId"]], "quantity": str(line["quantity"]), "to": line["restock"],
                "tax_rate": rates[line["orderLineId"]]} for line in new["lines"]],
        why=by,
    )  # fmt: skip
    _told(system, order, "refunded", new["reason"])


def buy(system: System, ask: Doc) -> Doc:
    """`order`, told as every shop tells it."""
    doc = order(system, ask)
    return {"id": doc["id"], "number": doc["number"], "total": _major(doc["totalMinor"]), "currency": doc["currency"]}


def order_state(system: System, ask: Doc) -> Doc:
    """How an order stands and what went back of it: ``{id}``."""
    doc = _order(system, str(ask["id"]))
    tenders = [{"kind": one["kind"], "refunded": _major(one["refundedMinor"])} for one in doc["tenders"]]
    return {"status": doc["status"], "tenders": tenders}


ACTS: dict[str, Act] = {
    "order": buy, "order_state": order_state, "cancel": cancel, "sign": sign, "expire": expire,
    "collect_cash": collect_cash,
}  # fmt: skip
_WRITES = frozenset({"create", "update"})
_MADE = frozenset({"create"})
COLLECTIONS = {
    "orders": Collection(
        id="id", first=40001, allows=frozenset({"update"}), then=_ordered, stamp="updatedAt", created="createdAt"
    ),
    "fulfilments": Collection(
        id="id",
        first=60001,
        allows=_WRITES,
        reference="reference",
        check=_check_fulfilment,
        then=_fulfilled,
        stamp="updatedAt",
        created="createdAt",
    ),
    "decisions": Collection(
        id="id",
        first=65001,
        allows=_MADE,
        reference="reference",
        once=True,
        check=_check_decision,
        then=_decided,
        stamp="updatedAt",
        created="createdAt",
    ),
    "refunds": Collection(
        id="id",
        first=67001,
        allows=_MADE,
        reference="reference",
        once=True,
        check=_check_refund,
        then=_refunded,
        stamp="updatedAt",
        created="createdAt",
    ),
}
