"""What happens to orders in the simulated shop: on the web or at a till, edited, cancelled, shipped, refunded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from deployments.sandbox.design import Refused
from deployments.sandbox.notation import Doc
from deployments.sandbox.shopify.state import Row, Shop, bag, legacy, stamp, total

RATE = Decimal("0.16")
COD = "Cash on Delivery (COD)"
KINDS = {"shopify_payments": "CARD", "gift_card": "GIFT_CARD", COD: "CASH_ON_DELIVERY", "cash": "CASH"}
"""Gateway → what the books call the tender; a gateway of instalments is told by the act that takes it."""


def customer(shop: Shop, ask: Mapping[str, Any]) -> Doc:
    """A customer enters the shop; a known address of mail or telephone number is the same customer again."""
    for row in shop.table("Customer").values():
        for name in ("email", "phone"):
            if ask.get(name) and row.doc[name] == ask[name]:
                return row.doc
    return enter_customer(shop, ask)


def enter_customer(shop: Shop, ask: Mapping[str, Any], id: str | None = None) -> Doc:
    """A customer entered or changed; Refused when the address or number is another's."""
    for row in shop.table("Customer").values():
        for name in ("email", "phone"):
            if ask.get(name) and row.doc[name] == ask[name] and row.doc["id"] != id:
                raise Refused(422, "taken", f"{name.capitalize()} has already been taken", field=name)
    bare: Doc = {} if id is not None else dict.fromkeys(("email", "phone", "firstName", "lastName", "note", "address"))
    bare |= {} if id is not None else {"locale": "ru", "tags": [], "taxExempt": False, "marketing": "NOT_SUBSCRIBED"}
    topic = "customers/create" if id is None else "customers/update"
    made = shop.put(shop.gid("Customer") if id is None else id, {**bare, **ask}, topic)
    shop.books.enter("customer", shop.now(), id=made["id"], email=made["email"], phone=made["phone"], why="shop")
    return made


def place(shop: Shop, ask: Mapping[str, Any]) -> Doc:
    """A buyer orders: ``lines`` [{sku, quantity, discount?, gift_card?}], ``place`` (where it is sent from), ``source``
    (web, pos), ``tenders`` [{gateway, amount?, kind?, status?}] (one without an amount pays the rest), ``shipping``,
    ``fees`` [{name, amount}], ``code``, ``email``, ``tax_rate``, ``pickup`` (the place where the buyer collects)…

    What is not tracked is sold whatever its figure says; of the rest nobody gets what is not available.
    """
    with shop.lock:
        till = ask.get("source", "web") == "pos"
        where = str(ask["place"])
        rows = [(shop.of_sku(str(line["sku"])), int(line["quantity"]), line) for line in ask["lines"]]
        for variant, quantity, _ in rows:
            level = shop.level(variant["item"], where)
            if _counted(shop, variant) and not till and (level is None or level.available < quantity):
                raise Refused(409, "sold_out", f"{variant['sku']} is sold out at {where}")
        id, number = shop.gid("Order"), shop.number("name")
        lines = [_line(shop, variant, quantity, line, ask) for variant, quantity, line in rows]
        shipping = [] if till or "shipping" not in ask else [_shipping(shop, Decimal(str(ask["shipping"])))]
        fees = [{"id": shop.gid("AdditionalFee"), "name": fee["name"], "price": bag(fee["amount"], shop.currency)}
                for fee in ask.get("fees", ())]  # fmt: skip
        due = _due(shop, lines, shipping) + total([fee["price"] for fee in fees])
        tenders = ask.get("tenders") or [{"gateway": "cash" if till else "shopify_payments", "amount": str(due)}]
        applied = {"index": 0, "__typename": "ManualDiscountApplication"}
        for line in lines:
            for allocation in line["discountAllocations"]:
                allocation["discountApplication"] = applied
        known = sum((Decimal(str(tender["amount"])) for tender in tenders if "amount" in tender), Decimal(0))
        payments = [_payment(shop, {"amount": str(due - known), **tender}) for tender in tenders]
        parts = [] if till else [_parts(shop, ask.get("pickup") or where, lines, pickup="pickup" in ask)]
        moment = shop.now()
        order = shop.put(id, {
            "legacyResourceId": legacy(id), "name": f"{shop.prefix}{number}", "sourceName": "pos" if till else "web",
            "sourceIdentifier": None, "createdAt": stamp(moment), "processedAt": stamp(moment), "cancelledAt": None,
            "cancelReason": None, "test": False, "lines": lines, "shipping": shipping, "where": where,
            "displayFulfillmentStatus": "FULFILLED" if till else "UNFULFILLED",
            "displayFinancialStatus": _financial(payments, due, Decimal(0)),
            "presentmentCurrencyCode": shop.currency, "taxesIncluded": shop.tax_included, "dutiesIncluded": False,
            "email": ask.get("email"), "phone": ask.get("phone"), "note": None, "tags": [],
            "customer": ask.get("customer"), "retail": where if till else None, "shippingAddress": ask.get("address"),
            "taxLines": _taxes(lines), "totalPriceSet": bag(due, shop.currency),
            "discountCodes": [ask["code"]] if "code" in ask else [], "rounding": bag(0, shop.currency),
            "additionalFees": fees,
            "payments": payments, "refunds": [], "parts": parts, "fulfilled": [], "returns": [],
            "returnStatus": "NO_RETURN",
        }, "orders/create")  # fmt: skip
        for variant, quantity, _ in rows:
            if _counted(shop, variant):
                shop.stock(
                    variant["item"], where, available=-quantity, committed=0 if till else quantity, why="order", doc=id
                )
        shop.books.enter(
            "order", moment, id=id, number=order["name"], reference=None, total=str(due), currency=shop.currency,
            lines=[{"sku": line["sku"], "quantity": str(line["quantity"]), "total": str(_worth(line, shop)),
                    "tax_rate": str(line["taxLines"][0]["rate"]) if line["taxLines"] else None} for line in lines],
            handed_over=till, location=where, state=ask.get("state", order["displayFulfillmentStatus"]),
            customer=order["customer"], pickup=shop.get(ask["pickup"]).get("code") if "pickup" in ask else None,
            tenders=[{"kind": KINDS.get(one["gateway"], "INSTALMENT"), "amount": str(total([one["amountSet"]]))}
                     for one in payments],
            why="seed" if shop.opening else "people",
        )  # fmt: skip
        return order


def edit(shop: Shop, ask: Mapping[str, Any]) -> Doc:
    """The merchant takes pieces off a line after the order was placed: ``id``, ``sku``, ``quantity`` (what remains)."""
    with shop.lock:
        order, left = shop.get(str(ask["id"])), int(ask["quantity"])
        line = next(line for line in order["lines"] if line["sku"] == ask["sku"])
        gone = line["currentQuantity"] - left
        lines = [{**one, "currentQuantity": left} if one is line else one for one in order["lines"]]
        variant = shop.of_sku(str(ask["sku"]))
        if _counted(shop, variant):
            shop.stock(variant["item"], order["where"], available=gone, committed=-gone, why="edit", doc=order["id"])
        parts = [
            {**part, "left": {**part["left"], line["id"]: part["left"].get(line["id"], 0) - gone}}
            for part in order["parts"]
        ]
        return shop.put(order["id"], {"lines": lines, "parts": parts}, "orders/updated")


def cancel(shop: Shop, ask: Mapping[str, Any]) -> Doc:
    """The order is cancelled and its pieces are free again."""
    with shop.lock:
        order = shop.get(str(ask["id"]))
        if order["cancelledAt"] is not None or order["fulfilled"]:
            raise Refused(409, "too_late", "it was cancelled or sent already")
        for part in order["parts"]:
            for key, quantity in part["left"].items():
                line = next(line for line in order["lines"] if line["id"] == key)
                _free(shop, line, order["where"], quantity, order["id"])
        was, moment = order["displayFinancialStatus"], stamp(shop.now())
        shop.books.enter("change", shop.now(), id=order["id"], number=order["name"], was="open",
                         now=ask.get("state", "cancelled"), reason=ask.get("reason", "CUSTOMER"),
                         why=ask.get("why", "people"))  # fmt: skip
        parts = [{**part, "status": "CANCELLED", "left": {}} for part in order["parts"]]
        changed = {"cancelledAt": moment, "cancelReason": ask.get("reason", "CUSTOMER"), "parts": parts,
                   "displayFinancialStatus": "VOIDED" if was == "AUTHORIZED" else was}  # fmt: skip
        return shop.put(order["id"], changed, "orders/cancelled")


def fulfil(shop: Shop, wanted: Mapping[str, Mapping[str, int] | None], tracking: Mapping[str, Any] | None) -> Doc:
    """A fulfilment of fulfilment orders: id → line of it → pieces (None: all that is left). Refused: too many, none."""
    order, rows = _taking(shop, wanted)
    id, moment = shop.gid("Fulfillment"), stamp(shop.now())
    for line, quantity in rows:
        variant = None if line["variantId"] is None else shop.find(line["variantId"])
        if variant is not None and _counted(shop, variant):
            shop.stock(variant["item"], order["where"], committed=-quantity, why="shipment", doc=order["id"])
    parts = []
    for part in order["parts"]:
        left = dict(part["left"])
        for line, quantity in rows if part["id"] in wanted else ():
            left[line["id"]] = left.get(line["id"], 0) - quantity
        left = {key: quantity for key, quantity in left.items() if quantity > 0}
        parts.append({**part, "left": left, "status": part["status"] if left else "CLOSED"})
    made = {"id": id, "__typename": "Fulfillment", "legacyResourceId": legacy(id), "status": "SUCCESS",
            "displayStatus": "FULFILLED", "createdAt": moment, "updatedAt": moment, "deliveredAt": None,
            "location": order["where"], "order": order["id"], "tracking": [dict(tracking)] if tracking else [],
            "lines": [{"id": shop.gid("FulfillmentLineItem"), "line": line["id"], "quantity": quantity}
                      for line, quantity in rows]}  # fmt: skip
    shop.table("Fulfillment")[id] = _row(shop, made)
    whole = all(not part["left"] for part in parts)
    shop.put(order["id"], {
        "parts": parts, "fulfilled": [*order["fulfilled"], id],
        "displayFulfillmentStatus": "FULFILLED" if whole else "PARTIALLY_FULFILLED",
    }, "orders/updated")  # fmt: skip
    shop.books.enter(
        "shipment", shop.now(), id=id, order=order["id"], number=order["name"], location=order["where"],
        tracking=None if not tracking else tracking.get("number"),
        lines=[{"sku": line["sku"], "quantity": str(quantity)} for line, quantity in rows],
    )  # fmt: skip
    return made


def refund(shop: Shop, ask: Mapping[str, Any]) -> Doc:
    """Money and goods come back: ``id``, ``lines`` [{sku, quantity, restock}], ``amount`` (none: what they cost)."""
    with shop.lock:
        order = shop.get(str(ask["id"]))
        rows = []
        for asked in ask.get("lines") or []:
            line = next(line for line in order["lines"] if line["sku"] == asked["sku"])
            back = bool(asked.get("restock", True))
            rows.append((line, int(asked["quantity"]), "RETURN" if back else "NO_RESTOCK",
                         order["where"] if back else None))  # fmt: skip
        worth = sum((part_of(shop, line, quantity) for line, quantity, _, _ in rows), Decimal(0))
        done = [one for one in order["payments"] if one["kind"] in ("SALE", "CAPTURE") and one["status"] == "SUCCESS"]
        paid = max(done, key=lambda one: Decimal(one["amountSet"]["shopMoney"]["amount"]))
        return give_back(shop, order, rows, [(paid, Decimal(str(ask.get("amount", worth))))], why="people")


def give_back(
    shop: Shop, order: Doc, rows: Sequence[tuple[Doc, int, str, str | None]], paid: Sequence[tuple[Doc, Decimal]],
    *, note: str | None = None, why: str,
) -> Doc:
    """A refund: ``rows`` are (line, pieces, restock type, place), ``paid`` (payment, what of it goes back)."""
    back = []
    for line, quantity, restock, place in rows:
        worth = part_of(shop, line, quantity)
        tax = total([row["priceSet"] for row in line["taxLines"]]) / line["quantity"] * quantity
        net = worth if shop.tax_included else worth - tax
        back.append({"id": shop.gid("RefundLineItem"), "line": line["id"], "quantity": quantity,
                     "restocked": place is not None, "restockType": restock, "location": place,
                     "subtotalSet": bag(net, shop.currency), "totalTaxSet": bag(tax, shop.currency)})  # fmt: skip
        if place is not None:
            _free(shop, line, place, quantity, order["id"], committed=False)
    refunds = [
        {**_payment(shop, {"gateway": one["gateway"], "amount": str(amount), "kind": "REFUND"}),
         "parentTransaction": {"id": one["id"]}} for one, amount in paid
    ]  # fmt: skip
    id, moment = shop.gid("Refund"), stamp(shop.now())
    amount = sum((given for _, given in paid), Decimal(0))
    made = {"id": id, "__typename": "Refund", "legacyResourceId": legacy(id), "createdAt": moment, "note": note,
            "processedAt": moment, "return": None, "totalRefundedSet": bag(amount, shop.currency), "lines": back,
            "payments": refunds, "order": order["id"]}  # fmt: skip
    shop.table("Refund")[id] = _row(shop, made)
    payments = [*order["payments"], *refunds]
    refunded = sum(
        (Decimal(p["amountSet"]["shopMoney"]["amount"]) for p in payments if p["kind"] == "REFUND"), Decimal(0)
    )
    due = Decimal(order["totalPriceSet"]["shopMoney"]["amount"])
    status = _financial([p for p in payments if p["kind"] != "REFUND"], due, refunded)
    gone = {row["line"]: row["quantity"] for row in back}
    left = [{**one, "currentQuantity": one["currentQuantity"] - gone.get(one["id"], 0)} for one in order["lines"]]
    changed = {"refunds": [*order["refunds"], id], "payments": payments, "displayFinancialStatus": status}
    shop.put(order["id"], {**changed, "lines": left}, "refunds/create")
    rates = {line["id"]: str(line["taxLines"][0]["rate"]) if line["taxLines"] else None for line in order["lines"]}
    skus = {line["id"]: line["sku"] for line in order["lines"]}
    shop.books.enter(
        "refund", shop.now(), id=id, order=order["id"], number=order["name"], why=why,
        payments=[{"kind": KINDS.get(one["gateway"], "CARD"), "amount": str(given)} for one, given in paid],
        lines=[{"line": row["line"], "sku": skus[row["line"]], "quantity": str(row["quantity"]), "to": row["location"],
                "tax_rate": rates[row["line"]]} for row in back],
    )  # fmt: skip
    return made


def part_of(shop: Shop, line: Doc, quantity: int) -> Decimal:
    """What so many pieces of a line cost."""
    return _worth(line, shop) / int(line["quantity"]) * quantity


def take_in(shop: Shop, ask: Mapping[str, Any]) -> Doc:
    """Goods come back without money: ``id``, ``lines`` [{sku, quantity}], ``exchange`` (others go out for them),
    ``closed`` (false: they are still looked at)."""
    with shop.lock:
        order, rows = shop.get(str(ask["id"])), []
        sent = {row["line"] for id in order["fulfilled"] for row in shop.get(id)["lines"]}
        for asked in ask["lines"]:
            line = next(line for line in order["lines"] if line["sku"] == asked["sku"])
            if line["id"] not in sent:
                raise Refused(422, "not_sent", f"{asked['sku']} was not sent yet")
            quantity, closed = int(asked["quantity"]), bool(ask.get("closed", True))
            rows.append({"id": shop.gid("ReturnLineItem"), "__typename": "ReturnLineItem", "line": line["id"],
                         "quantity": quantity, "processedQuantity": quantity if closed else 0})  # fmt: skip
            if closed:
                _free(shop, line, order["where"], quantity, order["id"], committed=False)
        id, number = shop.gid("Return"), len(order.get("returns", [])) + 1
        others = [shop.gid("ExchangeLineItem")] if ask.get("exchange") else []
        exchanged = [{"__typename": "ExchangeLineItem", "id": other} for other in others]
        made = shop.put(id, {
            "name": f"{order['name']}-R{number}", "status": "CLOSED" if closed else "OPEN", "order": order["id"],
            "closedAt": stamp(shop.now()) if closed else None, "lines": rows, "refunds": [], "exchanged": exchanged,
        }, "returns/close" if closed else None)  # fmt: skip
        told = {"returns": [*order.get("returns", []), id], "returnStatus": "RETURNED" if closed else "IN_PROGRESS"}
        shop.put(order["id"], told, "orders/updated")
        return made


def _row(shop: Shop, doc: Doc) -> Row:
    return Row(doc=doc, at=shop.now())


def _counted(shop: Shop, variant: Doc) -> bool:
    return bool(shop.get(variant["item"])["tracked"]) and not shop.get(variant["product"])["isGiftCard"]


def _free(shop: Shop, line: Doc, where: str, quantity: int, doc: str, *, committed: bool = True) -> None:
    variant = None if line["variantId"] is None else shop.find(line["variantId"])
    if variant is not None and quantity > 0 and _counted(shop, variant):
        shop.stock(
            variant["item"], where, available=quantity, committed=-quantity if committed else 0, why="cancel", doc=doc
        )


def _taking(shop: Shop, wanted: Mapping[str, Mapping[str, int] | None]) -> tuple[Doc, list[tuple[Doc, int]]]:
    """The order, and which of its lines go in which number; Refused where less is left."""
    rows: list[tuple[Doc, int]] = []
    found: Doc | None = None
    for row in shop.table("Order").values():
        for part in row.doc["parts"]:
            if part["id"] not in wanted:
                continue
            found, asked = row.doc, wanted[part["id"]]
            if part["status"] not in ("OPEN", "IN_PROGRESS"):
                raise Refused(
                    422,
                    "unfulfillable",
                    f"Fulfillment order {part['id']} has an unfulfillable status= {part['status'].lower()}.",
                )
            lines = {line["id"]: line for line in found["lines"]}
            for key, quantity in (part["left"] if asked is None else asked).items():
                line = lines[key.replace("FulfillmentOrderLineItem", "LineItem")]
                if quantity < 1 or quantity > part["left"].get(line["id"], 0):
                    raise Refused(422, "invalid", "Invalid fulfillment order line item quantity requested.")
                rows.append((line, quantity))
    if found is None or not rows:
        raise Refused(404, "not_found", "Fulfillment order does not exist.")
    return found, rows


def _line(shop: Shop, variant: Doc, quantity: int, line: Mapping[str, Any], ask: Mapping[str, Any]) -> Doc:
    product = shop.get(variant["product"])
    price = Decimal(str(line.get("price", variant["price"])))
    off = Decimal(str(line.get("discount", 0)))
    worth = price * quantity - off
    rate = Decimal(str(ask.get("tax_rate") or RATE))
    tax = worth - worth / (1 + rate) if shop.tax_included else worth * rate
    taxes = [{"title": "VAT", "rate": float(rate), "channelLiable": False, "priceSet": bag(tax, shop.currency)}]
    gift = bool(product["isGiftCard"])
    title = product["title"] if variant["title"] == "Default Title" else f"{product['title']} - {variant['title']}"
    return {
        "id": shop.gid("LineItem"), "__typename": "LineItem", "name": title, "title": product["title"],
        "sku": variant["sku"], "quantity": quantity, "currentQuantity": quantity, "isGiftCard": gift,
        "variantId": variant["id"], "originalUnitPriceSet": bag(price, shop.currency),
        "originalTotalSet": bag(price * quantity, shop.currency), "taxLines": [] if gift else taxes, "duties": [],
        "discountAllocations": [{"allocatedAmountSet": bag(off, shop.currency)}] if off else [],
    }  # fmt: skip


def _shipping(shop: Shop, price: Decimal) -> Doc:
    tax = price - price / (1 + RATE) if shop.tax_included else price * RATE
    taxes = [{"title": "VAT", "rate": float(RATE), "channelLiable": False, "priceSet": bag(tax, shop.currency)}]
    return {"id": shop.gid("ShippingLine"), "title": "Courier", "originalPriceSet": bag(price, shop.currency),
            "discountedPriceSet": bag(price, shop.currency), "taxLines": taxes}  # fmt: skip


def _worth(line: Doc, shop: Shop) -> Decimal:
    """What the line costs the buyer, with tax."""
    worth = total([line["originalTotalSet"]]) - total(
        [one["allocatedAmountSet"] for one in line["discountAllocations"]]
    )
    return worth if shop.tax_included else worth + total([tax["priceSet"] for tax in line["taxLines"]])


def _due(shop: Shop, lines: list[Doc], shipping: list[Doc]) -> Decimal:
    carried = total([one["discountedPriceSet"] for one in shipping])
    if not shop.tax_included:
        carried += total([tax["priceSet"] for one in shipping for tax in one["taxLines"]])
    return sum((_worth(line, shop) for line in lines), Decimal(0)) + carried


def _taxes(lines: list[Doc]) -> list[Doc]:
    """Those of the lines, each rate once; Shopify leaves out those of the shipping."""
    rows = [tax for line in lines for tax in line["taxLines"]]
    if not rows:
        return []
    currency = rows[0]["priceSet"]["shopMoney"]["currencyCode"]
    return [{**rows[0], "priceSet": bag(total([row["priceSet"] for row in rows]), currency)}]


def _payment(shop: Shop, tender: Mapping[str, Any]) -> Doc:
    manual = tender["gateway"] in ("cash", "manual", COD)
    return {"id": shop.gid("OrderTransaction"), "__typename": "OrderTransaction", "kind": tender.get("kind", "SALE"),
            "status": tender.get("status", "SUCCESS"), "gateway": tender["gateway"], "manualPaymentGateway": manual,
            "parentTransaction": None, "amountSet": bag(str(tender["amount"]), shop.currency)}  # fmt: skip


def _financial(payments: list[Doc], due: Decimal, refunded: Decimal) -> str:
    done = [one for one in payments if one["status"] == "SUCCESS"]
    paid = total([one["amountSet"] for one in done if one["kind"] in ("SALE", "CAPTURE")])
    if refunded > 0:
        return "REFUNDED" if refunded >= paid else "PARTIALLY_REFUNDED"
    if paid >= due:
        return "PAID"
    if paid > 0:
        return "PARTIALLY_PAID"
    return "AUTHORIZED" if any(one["kind"] == "AUTHORIZATION" for one in done) else "PENDING"


def _parts(shop: Shop, where: str, lines: list[Doc], *, pickup: bool) -> Doc:
    method = {"id": shop.gid("DeliveryMethod"), "methodType": "PICK_UP" if pickup else "SHIPPING"}
    return {"id": shop.gid("FulfillmentOrder"), "__typename": "FulfillmentOrder", "status": "OPEN", "location": where,
            "deliveryMethod": method, "prepared": False,
            "left": {line["id"]: line["quantity"] for line in lines if not line["isGiftCard"]}}  # fmt: skip


ACTS = {"order": place, "edit_order": edit, "cancel": cancel, "take_back": refund, "take_in": take_in,
        "customer": customer}  # fmt: skip
