"""The marketplace's money: what buyers get back through it, and what it pays out to the seller, with a report.

What surprises here: the marketplace collects from the buyer and refunds by itself; the seller hears of a return when it
has happened. A report has each order sent since the last one, and each return.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from deployments.sandbox.design import Act, Collection, Refused
from deployments.sandbox.engine import System
from deployments.sandbox.notation import Doc, utc_millis

CURRENCY = "KZT"
COMMISSION = Decimal("0.12")
"""What the marketplace keeps of a sale."""


def amount_of(amount: Decimal) -> Doc:
    """Money as the marketplace writes it."""
    return {"amount": f"{amount:.2f}", "currency": CURRENCY}


def refund(system: System, ask: Doc) -> Doc:
    """A buyer sends goods back to the marketplace and gets the money: ``{id, lines: {item: quantity}}``."""
    order = system.get("orders", str(ask["id"]))
    if order["state"] not in ("SENT", "DELIVERED"):
        raise Refused(409, "closed", f"the order is {order['state']}")
    sold = {item["itemId"]: item for item in order["items"]}
    lines = {str(id): int(quantity) for id, quantity in ask["lines"].items()}
    total = sum((Decimal(sold[id]["price"]["amount"]) * quantity for id, quantity in lines.items()), Decimal(0))
    return system.add("returns", {
        "orderId": order["orderId"], "returnedAt": utc_millis(system.now()), "refund": amount_of(total),
        "items": [{"id": str(n), "itemId": id, "qty": str(quantity)} for n, (id, quantity) in enumerate(lines.items())],
    })  # fmt: skip


def settle(system: System, ask: Doc) -> Doc:
    """The marketplace pays out what was sent or came back since its last report.

    ``{commission?, corrections?, more?}``: the rate it keeps; order → what it adds or takes; rows as they are.
    """
    told = {(row["type"], row["orderId"]) for doc in system.docs("settlements") for row in doc["rows"]}
    rate = Decimal(str(ask.get("commission", COMMISSION)))
    rows: list[tuple[str, str | None, Decimal]] = []
    for doc in system.docs("orders"):
        if doc["state"] in ("SENT", "DELIVERED") and ("SALE", doc["orderId"]) not in told:
            total = Decimal(doc["total"]["amount"])
            fee = (total * rate).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
            rows += [("SALE", doc["orderId"], total), ("COMMISSION", doc["orderId"], -fee)]
    rows += [("REFUND", doc["orderId"], -Decimal(doc["refund"]["amount"])) for doc in system.docs("returns")
             if ("REFUND", doc["orderId"]) not in told]  # fmt: skip
    rows += [("CORRECTION", id, Decimal(str(amount))) for id, amount in ask.get("corrections", {}).items()]
    rows += [(row["type"], row["orderId"], Decimal(str(row["amount"]))) for row in ask.get("more", ())]
    total = sum((amount for _, _, amount in rows), Decimal(0))
    rows.append(("TRANSFER", None, total))
    last = max((doc["period"]["to"] for doc in system.docs("settlements")), default=None)
    now = utc_millis(system.now())
    return system.add("settlements", {
        "period": {"from": last, "to": now}, "paidAt": now, "currency": CURRENCY, "total": amount_of(total),
        "rows": [{"rowId": str(n), "type": type, "orderId": id, "amount": amount_of(amount)}
                 for n, (type, id, amount) in enumerate(rows, 1)],
    })  # fmt: skip


ACTS: dict[str, Act] = {"settle": settle, "refund": refund}
COLLECTIONS = {
    "settlements": Collection(id="settlementId", number="ST-{}", first=1001, stamp="updatedAt", created="createdAt"),
    "returns": Collection(id="returnId", number="RT-{}", first=801, stamp="updatedAt", created="createdAt"),
}
