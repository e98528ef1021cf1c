"""What is told Shopify of an order after the sale: it can be collected, it is cancelled, money went back.

What surprises here (the schema published for 2026-10, read 2026-11-22):

* Goods are marked as prepared once; Shopify then tells the buyer. Asked again it says that there is nothing to prepare:
  that is what was asked for, and no failure.
* `orderCancel` answers with a job and its own kind of ``userErrors``; that it is done only the order says.
* A refund names the payment that took the money: the capture, not the authorisation before it; ``note`` keeps our key.
* Goods that came back are counted by who took them and come as stock, so that Shopify restocks nothing by a refund.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from connectors import shopify_facts as facts_of
from connectors.answers import Unsure
from connectors.base import Doc, Write
from connectors.errors import RetryLater
from connectors.graphql import Graph, Mutation, Operation
from connectors.paging import at
from connectors.shopify_writes import key_of

RESOURCES = ("decisions", "refunds")
CREATES = ("orderCancel", "refundCreate")
PREPARED = "NO_LINE_ITEMS_TO_PREPARE_FOR_FULFILLMENT_ORDER"
_CODED = "{ code field message }"

OF_ORDER = Operation(
    name="afterSale", cost=50.0,
    text="query afterSale($id: ID!) { node(id: $id) { ... on Order {"
    f" {facts_of.PAYABLE} fulfillmentOrders(first: 20)"
    " { nodes { id status deliveryMethod { methodType } } } } } }",
)  # fmt: skip
READY = Mutation(
    name="fulfillmentOrderLineItemsPreparedForPickup", cost=10.0, variables=lambda writes: {},
    docs=lambda writes, payload: [{"id": f"{writes[0].doc['orderId']}/ready"}],
    complaints=lambda payload: [row for row in payload["userErrors"] if row["code"] != PREPARED],
    text="mutation fulfillmentOrderLineItemsPreparedForPickup($input: FulfillmentOrderLineItemsPreparedForPickupInput!)"
    f" {{ fulfillmentOrderLineItemsPreparedForPickup(input: $input) {{ userErrors {_CODED} }} }}",
)  # fmt: skip
CANCEL = Mutation(
    name="orderCancel", cost=10.0, complaints=lambda payload: at(payload, "orderCancelUserErrors"),
    docs=lambda writes, payload: [{"id": f"{writes[0].doc['orderId']}/cancelled"}],
    variables=lambda writes: {"id": writes[0].doc["orderId"], "reason": writes[0].doc.get("reason"),
                              "note": writes[0].doc.get("note")},
    text="mutation orderCancel($id: ID!, $reason: OrderCancelReason!, $note: String) { orderCancel(orderId: $id,"
    " reason: $reason, restock: true, refund: true, notifyCustomer: true, staffNote: $note)"
    f" {{ job {{ id }} orderCancelUserErrors {_CODED} }} }}",
)  # fmt: skip
REFUND = Mutation(
    name="refundCreate", cost=10.0, variables=lambda writes: {},
    docs=lambda writes, payload: [payload["refund"]],
    text="mutation refundCreate($input: RefundInput!, $key: String!) { refundCreate(input: $input)"
    " @idempotent(key: $key) { refund { id note createdAt } userErrors { field message } } }",
)  # fmt: skip


def mutation(graph: Graph, resource: str, write: Write) -> Mutation:
    """The mutation that carries the write; what it must know of the order is asked when it is sent."""
    if resource == "refunds":
        return replace(REFUND, variables=lambda writes: _refund(graph, writes))
    if write.doc["kind"] == "READY":
        return replace(READY, variables=lambda writes: {"input": _parts(graph, writes[0].doc)})
    return CANCEL


def same(graph: Graph, create: str, doc: Doc) -> Doc | None:
    """What the order says of a write whose outcome was open: the refund with our note, the cancellation. That its goods
    were prepared nothing says, and telling it again changes nothing."""
    order = _order(graph, doc)
    if order is None:
        return None
    if create == "refundCreate":
        return next((dict(one) for one in order["refunds"] if one["note"] == doc["note"]), None)
    cancelled = doc["kind"] != "READY" and order["cancelledAt"] is not None
    return {"id": f"{doc['orderId']}/cancelled"} if cancelled else None


def _order(graph: Graph, doc: Doc) -> Doc | None:
    found = at(graph.question(OF_ORDER, {"id": str(doc["orderId"])}).body, "data.node")
    return found if isinstance(found, dict) and found else None


def _known(graph: Graph, doc: Doc) -> Doc:
    """The order; ValueError: there is none. An answer that did not come is waited for: nothing was sent yet."""
    try:
        order = _order(graph, doc)
    except Unsure as fault:
        problem = RetryLater(str(fault), after=fault.after)
    else:
        if order is None:
            raise ValueError("the order does not exist")
        return order
    raise problem


def _parts(graph: Graph, doc: Doc) -> Doc:
    parts = [
        {"fulfillmentOrderId": part["id"]} for part in _known(graph, doc)["fulfillmentOrders"]["nodes"]
        if part["status"] in ("OPEN", "IN_PROGRESS") and at(part, "deliveryMethod.methodType") == "PICK_UP"
    ]  # fmt: skip
    if not parts:
        raise ValueError("nothing of the order is to be collected")
    return {"lineItemsByFulfillmentOrder": parts}


def _refund(graph: Graph, writes: Sequence[Write]) -> Doc:
    doc = writes[0].doc
    order = _known(graph, doc)
    lines = [{"lineItemId": line["lineItemId"], "quantity": line["quantity"], "restockType": "NO_RESTOCK"}
             for line in doc.get("lines") or []]  # fmt: skip
    paid = [
        {"orderId": doc["orderId"], "kind": "REFUND", "amount": one["amount"], **_payment(order, str(one["tender"]))}
        for one in doc.get("payments") or []
    ]
    told = {"orderId": doc["orderId"], "note": doc["note"], "refundLineItems": lines, "transactions": paid}
    return {"key": key_of("refund", writes), "input": told}


def _payment(order: Doc, tender: str) -> Mapping[str, Any]:
    """The payment that took the money of a tender, and its gateway; ValueError: nothing was taken."""
    took = [
        one for one in order["transactions"]
        if one["status"] == "SUCCESS" and one["kind"] in ("SALE", "CAPTURE")
        and tender in (one["id"], at(one, "parentTransaction.id"))
    ]  # fmt: skip
    if not took:
        raise ValueError(f"the order has no payment {tender} that took money")
    return {"parentId": took[-1]["id"], "gateway": took[-1]["gateway"]}
