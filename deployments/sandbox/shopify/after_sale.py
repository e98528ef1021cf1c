"""What programs do to orders of the simulated shop after the sale: ready for pickup, cancelled, money back.

What surprises here: goods are prepared once, and asked a second time the shop says that there is nothing to prepare; an
order is cancelled by a job, of which only the order tells that it is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from deployments.sandbox.design import Refused
from deployments.sandbox.notation import Doc
from deployments.sandbox.shopify.orders import cancel, give_back
from deployments.sandbox.shopify.state import Shop, total
from deployments.sandbox.shopify.views import Views


def said(message: str, *path: str, code: str | None = None) -> Doc:
    """One of ``userErrors``."""
    return {"field": list(path) or None, "message": message, **({} if code is None else {"code": code})}


def booked(shop: Shop, resource: str, op: str, id: str | None, errors: Sequence[Doc]) -> None:
    """A request to write, in the books."""
    shop.books.enter(
        "write", shop.now(), resource=resource, op=op, id=id, reference=None, status=422 if errors else 200,
        changed=not errors, code=errors[0].get("code") if errors else None,
    )  # fmt: skip


def told(shop: Shop, order: Doc, what: str, reason: str | None = None) -> None:
    """The buyer was told, in the books."""
    shop.books.enter("told", shop.now(), id=order["id"], number=order["name"], what=what, reason=reason)


def prepared(shop: Shop, info: Any, input: Doc) -> Doc:
    """The buyer is told that the goods of fulfilment orders wait at the place where they are collected."""
    wanted = [row["fulfillmentOrderId"] for row in input["lineItemsByFulfillmentOrder"]]
    rows = [row.doc for row in shop.table("Order").values()]
    orders = [doc for doc in rows if any(part["id"] in wanted for part in doc["parts"])]
    parts = {part["id"]: part for order in orders for part in order["parts"]}
    errors: list[Doc] = []
    for n, id in enumerate(wanted):
        path = ("input", "lineItemsByFulfillmentOrder", str(n), "fulfillmentOrderId")
        part = parts.get(id)
        if part is None or part["status"] not in ("OPEN", "IN_PROGRESS"):
            errors.append(said("Fulfillment order is invalid.", *path, code="FULFILLMENT_ORDER_INVALID"))
        elif part["prepared"] or part["deliveryMethod"]["methodType"] != "PICK_UP":
            why = "The fulfillment order does not have any line items that can be prepared."
            errors.append(said(why, *path, code="NO_LINE_ITEMS_TO_PREPARE_FOR_FULFILLMENT_ORDER"))
    booked(shop, "decisions", "create", orders[0]["id"] if orders else None, errors)
    for order in () if errors else orders:
        parts_now = [{**part, "prepared": part["prepared"] or part["id"] in wanted} for part in order["parts"]]
        changed = shop.put(order["id"], {"parts": parts_now}, "orders/updated")
        facts = {"id": order["id"], "number": order["name"], "decision": "READY", "reason": None, "accept_by": None}
        shop.books.enter("decision", shop.now(), **facts, why="api")
        told(shop, changed, "ready")
    return {"userErrors": errors}


def ended(
    shop: Shop, info: Any, orderId: str, reason: str, restock: bool, refund: bool = False, notifyCustomer: bool = False,
    staffNote: str | None = None,
) -> Doc:  # fmt: skip
    """The order is cancelled, its money goes back where it came from."""
    errors = []
    try:
        order = cancel(shop, {"id": orderId, "reason": reason, "why": "api"})
    except Refused as refused:
        code = "NOT_FOUND" if refused.status == 404 else "INVALID"
        errors.append(said("Order does not exist" if code == "NOT_FOUND" else str(refused), "orderId", code=code))
    booked(shop, "decisions", "create", orderId, errors)
    if errors:
        plain = [{name: one[name] for name in ("field", "message")} for one in errors]
        return {"job": None, "orderCancelUserErrors": errors, "userErrors": plain}
    taken = [one for one in order["payments"] if one["kind"] in ("SALE", "CAPTURE") and one["status"] == "SUCCESS"]
    if refund and taken:
        give_back(shop, order, [], [(one, total([one["amountSet"]])) for one in taken], why="api")
    shop.books.enter("decision", shop.now(), id=order["id"], number=order["name"], decision="CANCELLED", reason=reason,
                     accept_by=None, why="api")  # fmt: skip
    if notifyCustomer:
        told(shop, order, "cancelled", reason)
    return {"job": {"id": shop.gid("Job"), "done": False}, "orderCancelUserErrors": [], "userErrors": []}


def refunded(shop: Shop, views: Views, info: Any, input: Doc) -> Doc:
    """Money goes back to the payments it came from, never more than one took; goods come back with it or not."""
    order = shop.find(input["orderId"])
    errors: list[Doc] = []
    if order is None or order["__typename"] != "Order":
        errors.append(said("Order does not exist", "input", "orderId"))
        order = {"lines": [], "payments": []}
    lines = {line["id"]: line for line in order["lines"]}
    payments = {one["id"]: one for one in order["payments"] if one["status"] == "SUCCESS"}
    rows = [(lines.get(row["lineItemId"]), row) for row in input.get("refundLineItems") or []]
    paid = [(payments.get(str(row.get("parentId"))), row) for row in input.get("transactions") or []]
    for line, row in rows:
        if line is None or not 0 < row["quantity"] <= line["currentQuantity"]:
            errors.append(said("Quantity cannot refund more items than were purchased", "input", "refundLineItems"))
        if row.get("restockType") != "NO_RESTOCK" and row.get("locationId") is None:
            errors.append(said("Location can't be blank", "input", "refundLineItems"))
    for payment, row in paid:
        back = [one["amountSet"] for one in order["payments"]
                if one["kind"] == "REFUND" and one["parentTransaction"]["id"] == row.get("parentId")]  # fmt: skip
        if payment is None or row["kind"] != "REFUND" or row["gateway"] != payment["gateway"]:
            errors.append(said("Transactions parent_id is not a valid parent transaction", "input", "transactions"))
        elif Decimal(str(row["amount"])) > total([payment["amountSet"]]) - total(back):
            errors.append(said("Refund amount cannot be greater than amount paid", "input", "transactions"))
    booked(shop, "refunds", "create", input["orderId"], errors)
    if errors:
        return {"order": None, "refund": None, "userErrors": errors}
    made = give_back(
        shop, order,
        [(line, row["quantity"], row["restockType"], row.get("locationId")) for line, row in rows if line is not None],
        [(payment, Decimal(str(row["amount"]))) for payment, row in paid if payment is not None],
        note=input.get("note"), why="api",
    )  # fmt: skip
    told(shop, order, "refunded")
    return {"order": views.by_id(order["id"]), "refund": views.record(made), "userErrors": []}
