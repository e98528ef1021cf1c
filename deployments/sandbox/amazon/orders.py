"""Orders of the simulated marketplace: how they are shown, searched and sent, and what becomes of them.

What surprises here:

* An order is Pending until it is paid, and then has neither a price nor a buyer; nobody may ship it.
* Amazon sends what lies in its network by itself; a seller who confirms such an order is refused.
* A package is known by the seller's own reference: the same one again corrects the package, it makes no second one.
* Personal data is only there for applications with the restricted roles, in Orders v0 only with a token of its own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from deployments.sandbox.amazon.state import WORDS, Market, money, stamp
from deployments.sandbox.design import Refused
from deployments.sandbox.notation import Doc, parsed

MOST = 100
PREPARED = timedelta(hours=24)
"""How long a seller has to send what was ordered."""


# ── what people do ───────────────────────────────────────────────────────────────────────────────────────────────────


def place(market: Market, ask: Mapping[str, Any]) -> Doc:
    """Somebody buys: ``{lines: [{sku, quantity}], name, phone?, email?, warehouse?, pending?, shipping?, discount?,
    tax?}``.

    ``warehouse``: Amazon sells what lies in its network. ``pending``: it is not paid yet. Refused when too little is
    shown.
    """
    network = ask.get("warehouse") is not None
    taken: dict[str, int] = {}
    items: list[Doc] = []
    for wanted in ask["lines"]:
        sku, quantity = str(wanted["sku"]), int(wanted["quantity"])
        listing = market.listings.get(sku)
        if listing is not None:
            market.process(listing)
        taken[sku] = taken.get(sku, 0) + quantity
        if listing is None or listing.price is None or quantity < 1:
            raise Refused(404, "not_sold", f"the marketplace does not sell {sku}")
        there = market.held.get(sku, (0, None))[0] if network else (listing.quantity or 0)
        if there < taken[sku]:
            raise Refused(409, "sold_out", f"the listing does not show {quantity} of {sku}")
        rate = Decimal(str(wanted.get("tax", ask.get("tax", "0"))))
        items.append({
            "id": str(market.number("item", 10_000_000)), "sku": sku, "asin": listing.asin, "title": listing.title,
            "quantity": quantity, "sent": 0, "price": listing.price, "tax": (listing.price * quantity * rate),
            "discount": Decimal(str(wanted.get("discount", "0"))),
            "shipping": Decimal(str(wanted.get("shipping", "0"))),
        })  # fmt: skip
    number = market.number("order", 5_000_000)
    order: Doc = {
        "id": f"{number % 899 + 100}-{number:07d}-{market.number('half', 1_000_000):07d}", "network": network,
        "status": "PENDING" if ask.get("pending") else "UNSHIPPED", "items": items, "packages": {},
        "created": market.now(), "updated": market.now(), "paid": not ask.get("pending"), "reason": None,
        "buyer": {"name": str(ask.get("name", "Buyer")), "email": _relay(ask, number), "phone": ask.get("phone")},
        "address": ask.get("address") or {"addressLine1": "Abay 10", "city": "Almaty", "postalCode": "050000",
                                          "countryCode": "KZ"},
    }  # fmt: skip
    market.orders[order["id"]] = order
    lines = [
        {"sku": item["sku"], "quantity": str(item["quantity"]), "total": f"{paid_for(item):.2f}"} for item in items
    ]
    market.books.enter(
        "order", market.now(), id=order["id"], number=order["id"], reference=None, total=f"{total(order):.2f}",
        currency=market.currency, lines=lines, handed_over=False, state=order["status"], customer=None, accept_by=None,
        fulfilled_by="MARKETPLACE" if network else "SELLER", why="seed" if market.opening is not None else "people",
    )  # fmt: skip
    take(market, order, -1)
    market.touched(order)
    return order


def _relay(ask: Mapping[str, Any], number: int) -> str:
    """The address by which the seller may write to the buyer: Amazon's own, whatever the buyer's is."""
    return f"b{number}@marketplace.amazon.example"


def paid_for(item: Doc) -> Decimal:
    """What the buyer pays for an item, with tax and delivery."""
    return Decimal(item["price"] * item["quantity"] + item["tax"] + item["shipping"] - item["discount"])


def total(order: Doc) -> Decimal:
    """What the buyer pays."""
    return sum((paid_for(item) for item in order["items"]), Decimal(0))


def take(market: Market, order: Doc, sign: int) -> None:
    """The unsent goods of an order leave (-1) or come back to (1) what is shown; never below zero."""
    for item in order["items"]:
        quantity = sign * (item["quantity"] - item["sent"])
        if order["network"]:
            lay(market, item["sku"], quantity, "system")
        elif item["sku"] in market.listings:
            listing = market.listings[item["sku"]]
            market.show(listing, max(0, (listing.quantity or 0) + quantity), "order" if sign < 0 else "cancel")


def lay(market: Market, sku: str, delta: int, why: str) -> None:
    """So many more (or fewer) lie in Amazon's network afterwards."""
    was = market.held.get(sku, (0, None))[0]
    market.held[sku] = (max(0, was + delta), market.now())
    if delta != 0:
        market.books.enter(
            "held", market.now(), sku=sku, location="AMAZON", was=str(was), now=str(market.held[sku][0]), why=why
        )
        market.tell("FBA_INVENTORY_AVAILABILITY_CHANGES", {
            "SellerId": market.seller, "FNSKU": f"X00{sku}", "ASIN": market.listings[sku].asin, "SKU": sku,
            "FulfillmentInventoryByMarketplace": [{
                "MarketplaceId": market.marketplace, "ItemName": market.listings[sku].title,
                "FulfillmentInventory": {
                    "InboundQuantityBreakdown": {"Working": 0, "Shipped": 0, "Receiving": 0},
                    "Fulfillable": market.held[sku][0], "Unfulfillable": 0, "Researching": 0, "FutureSupplyBuyable": 0,
                    "ReservedQuantityBreakdown": {"WarehouseProcessing": 0, "WarehouseTransfer": 0,
                                                  "PendingCustomerOrder": 0},
                    "PendingCustomerOrderInTransit": 0,
                },
                "Stores": [],
            }],
        })  # fmt: skip


def pay(market: Market, ask: Mapping[str, Any]) -> Doc:
    """The payment of a Pending order went through: it may be shipped."""
    order = market.order(str(ask["id"]))
    _move(market, order, "UNSHIPPED", ("PENDING",))
    order["paid"] = True
    return order


def cancel(market: Market, ask: Mapping[str, Any]) -> Doc:
    """A buyer (or, with ``by``, the seller or Amazon) cancels what was not sent; its goods are shown again."""
    order = market.order(str(ask["id"]))
    if order["status"] not in ("PENDING", "UNSHIPPED"):
        raise Refused(409, "closed", f"the order is {order['status']}")
    take(market, order, 1)
    order["reason"], order["by"] = str(ask.get("reason", "BUYER")), str(ask.get("by", "BUYER"))
    _move(market, order, "CANCELLED", ("PENDING", "UNSHIPPED"))
    return order


def send_own(market: Market, ask: Mapping[str, Any]) -> Doc:
    """Amazon sends an order of its own network: ``{id}``."""
    order = market.order(str(ask["id"]))
    if not order["network"]:
        raise Refused(409, "closed", f"the order is {order['status']}, sent by the seller")
    for item in order["items"]:
        item["sent"] = item["quantity"]
    _move(market, order, "SHIPPED", ("UNSHIPPED",))
    return order


def _move(market: Market, order: Doc, now: str, allowed: Sequence[str]) -> None:
    was = order["status"]
    if was not in allowed:
        raise Refused(409, "closed", f"the order is {was}")
    order["status"] = now
    facts = {"id": order["id"], "number": order["id"], "was": was, "now": now, "reason": order["reason"]}
    market.books.enter("change", market.now(), **facts, why="people")
    if now == "CANCELLED":
        told = {"id": order["id"], "number": order["id"], "what": "cancelled", "reason": order["reason"]}
        market.books.enter("told", market.now(), **told)
    market.touched(order)


# ── what programs ask ────────────────────────────────────────────────────────────────────────────────────────────────


def shown(market: Market, order: Doc, parts: Sequence[str]) -> Doc:
    """An order as Orders 2026-01-01 shows it, with the data sets asked for."""
    priced = order["status"] not in ("PENDING", "CANCELLED") or order["paid"]
    doc: Doc = {
        "orderId": order["id"], "createdTime": stamp(order["created"]), "lastUpdatedTime": stamp(order["updated"]),
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": market.marketplace, "marketplaceName": "Amazon"},
        "orderItems": [_item(market, order, item, parts, priced) for item in order["items"]],
    }  # fmt: skip
    personal = market.roles and order["status"] != "PENDING"
    if "BUYER" in parts and personal:
        doc["buyer"] = {"buyerName": order["buyer"]["name"]}
        if not order["network"]:
            doc["buyer"]["buyerEmail"] = order["buyer"]["email"]
    if "RECIPIENT" in parts and personal and not order["network"]:
        phone = {} if order["buyer"]["phone"] is None else {"phone": order["buyer"]["phone"]}
        doc["recipient"] = {"deliveryAddress": {"name": order["buyer"]["name"], **order["address"], **phone}}
    if "PROCEEDS" in parts and priced:
        doc["proceeds"] = {"grandTotal": money(total(order), market.currency)}
    if "FULFILLMENT" in parts:
        doc["fulfillment"] = {
            "fulfillmentStatus": order["status"], "fulfilledBy": "AMAZON" if order["network"] else "MERCHANT",
            "fulfillmentServiceLevel": "STANDARD",
            "shipByWindow": {"earliestDateTime": stamp(order["created"]),
                             "latestDateTime": stamp(order["created"] + PREPARED)},
        }  # fmt: skip
    if "PACKAGES" in parts and not order["network"]:
        doc["packages"] = list(order["packages"].values())
    return doc


def _item(market: Market, order: Doc, item: Doc, parts: Sequence[str], priced: bool) -> Doc:
    product: Doc = {"asin": item["asin"], "title": item["title"], "sellerSku": item["sku"],
                    "condition": {"conditionType": "NEW", "conditionSubtype": "NEW"}}  # fmt: skip
    doc: Doc = {"orderItemId": item["id"], "quantityOrdered": item["quantity"], "product": product}
    if priced:
        product["price"] = {"unitPrice": money(item["price"], market.currency)}
        if "PROCEEDS" in parts:
            signed = {"ITEM": item["price"] * item["quantity"], "TAX": item["tax"], "SHIPPING": item["shipping"],
                      "DISCOUNT": -item["discount"]}  # fmt: skip
            rows = [{"type": kind, "subtotal": money(amount, market.currency)} for kind, amount in signed.items()
                    if kind == "ITEM" or amount != 0]  # fmt: skip
            doc["proceeds"] = {"proceedsTotal": money(paid_for(item), market.currency), "breakdowns": rows}
    if "FULFILLMENT" in parts:
        left = 0 if order["status"] == "CANCELLED" else item["quantity"] - item["sent"]
        doc["fulfillment"] = {"quantityFulfilled": item["sent"], "quantityUnfulfilled": left}
    if "CANCELLATION" in parts and order["status"] == "CANCELLED":
        done = {"cancelledBy": order["by"], "cancelReason": order["reason"]}
        doc["cancellation"] = {"cancellationExecution": done}
    return doc


def search(market: Market, query: Mapping[str, str]) -> Doc:
    """A page of `searchOrders`: the oldest change first, without what changed within the last two minutes."""
    given = [name for name in ("createdAfter", "lastUpdatedAfter") if name in query]
    if len(given) != 1:
        raise Refused(400, "InvalidInput", "exactly one of createdAfter and lastUpdatedAfter is required")
    size = int(query.get("maxResultsPerPage", str(MOST)))
    if not 1 <= size <= MOST:
        raise Refused(400, "InvalidInput", f"maxResultsPerPage is at most {MOST}")
    seen = market.now() - timedelta(seconds=market.order_lag)
    after = parsed(query[given[0]])
    by = "created" if given[0] == "createdAfter" else "updated"
    rows = [one for one in market.orders.values() if after <= one[by].replace(microsecond=0) and one["updated"] <= seen]
    rows.sort(key=lambda one: (one[by], one["id"]))
    start = _start(query)
    part = rows[max(0, start - (1 if market.repeats else 0)) : start + size]
    found: Doc = {"orders": [shown(market, one, query.get("includedData", "").split(",")) for one in part]}
    found["createdBefore" if by == "created" else "lastUpdatedBefore"] = stamp(seen)
    if start + size < len(rows):
        token = base64.urlsafe_b64encode(json.dumps({"at": start + size}).encode()).decode()
        found["pagination"] = {"nextToken": token}
    return found


def _start(query: Mapping[str, str]) -> int:
    if "paginationToken" not in query:
        return 0
    try:
        return int(json.loads(base64.urlsafe_b64decode(query["paginationToken"]))["at"])
    except (ValueError, KeyError, TypeError):
        problem = Refused(400, "InvalidInput", "paginationToken is not valid")
    raise problem


def personal(market: Market, order: Doc) -> Doc:
    """An order as Orders v0 shows it to who may see personal data."""
    found: Doc = {
        "AmazonOrderId": order["id"], "PurchaseDate": stamp(order["created"]),
        "LastUpdateDate": stamp(order["updated"]),
        "OrderStatus": WORDS[order["status"]], "FulfillmentChannel": "AFN" if order["network"] else "MFN",
        "MarketplaceId": market.marketplace,
    }  # fmt: skip
    if order["status"] != "PENDING":
        found["BuyerInfo"] = {"BuyerName": order["buyer"]["name"], "BuyerEmail": order["buyer"]["email"]}
        if not order["network"]:
            names = {"addressLine1": "AddressLine1", "addressLine2": "AddressLine2", "city": "City",
                     "stateOrRegion": "StateOrRegion", "postalCode": "PostalCode",
                     "countryCode": "CountryCode"}  # fmt: skip
            address = {names[name]: value for name, value in order["address"].items() if name in names}
            phone = {} if order["buyer"]["phone"] is None else {"Phone": order["buyer"]["phone"]}
            found["ShippingAddress"] = {"Name": order["buyer"]["name"], **address, **phone}
    return found


def confirm(market: Market, id: str, body: Any) -> None:
    """`confirmShipment`: a package of the seller left; the same reference again corrects it."""
    order = market.order(id)
    detail = body.get("packageDetail") if isinstance(body, dict) else None
    if not isinstance(detail, dict) or body.get("marketplaceId") != market.marketplace:
        raise Refused(400, "InvalidInput", "marketplaceId and packageDetail are required")
    needed = ("packageReferenceId", "carrierCode", "trackingNumber", "shipDate", "orderItems")
    for name in needed:
        if detail.get(name) in (None, "", []):
            raise Refused(400, "InvalidInput", f"{name} is required")
    reference = str(detail["packageReferenceId"])
    if not reference.isdigit() or int(reference) == 0:
        raise Refused(400, "InvalidInput", "packageReferenceId must be a positive number")
    if detail["carrierCode"] == "Other" and not detail.get("carrierName"):
        raise Refused(400, "InvalidInput", "carrierName is required when carrierCode is Other")
    if order["network"] or order["status"] in ("PENDING", "CANCELLED"):
        raise Refused(400, "InvalidInput", f"The order is not one that you can ship ({order['status']})")
    try:
        left = parsed(str(detail["shipDate"]))
    except ValueError:
        left = None
    if left is None or left > market.now() + timedelta(minutes=5):
        raise Refused(400, "InvalidInput", "shipDate is not a valid moment, or lies in the future")
    _pack(market, order, reference, detail)


def _pack(market: Market, order: Doc, reference: str, detail: Doc) -> None:
    old = order["packages"].get(reference)
    items = {item["id"]: item for item in order["items"]}
    before = {row["orderItemId"]: row["quantity"] for row in ([] if old is None else old["packageItems"])}
    for row in detail["orderItems"]:
        item = items.get(str(row.get("orderItemId")))
        if item is None or not isinstance(row.get("quantity"), int) or row["quantity"] < 1:
            raise Refused(400, "InvalidInput", "an order item is not one of the order")
        if item["sent"] - before.get(item["id"], 0) + row["quantity"] > item["quantity"]:
            raise Refused(400, "InvalidInput", "more than was ordered, or sent already")
    for id, quantity in before.items():
        items[id]["sent"] -= quantity
    rows = [{"orderItemId": str(row["orderItemId"]), "quantity": row["quantity"]} for row in detail["orderItems"]]
    for row in rows:
        items[row["orderItemId"]]["sent"] += row["quantity"]
    order["packages"][reference] = {
        "packageReferenceId": reference, "createdTime": stamp(market.now()) if old is None else old["createdTime"],
        "packageStatus": {"status": "SHIPPED"}, "carrier": detail.get("carrierName") or detail["carrierCode"],
        "shipTime": stamp(parsed(str(detail["shipDate"]))), "trackingNumber": detail["trackingNumber"],
        **({"shippingService": detail["shippingMethod"]} if detail.get("shippingMethod") else {}), "packageItems": rows,
    }  # fmt: skip
    if old is None:
        sent = [{"sku": items[row["orderItemId"]]["sku"], "quantity": str(row["quantity"])} for row in rows]
        market.books.enter(
            "shipment", market.now(), id=f"{order['id']}/{reference}", order=order["id"], number=order["id"],
            tracking=detail["trackingNumber"], lines=sent, why="api",
        )  # fmt: skip
    whole = all(item["sent"] == item["quantity"] for item in order["items"])
    now = "SHIPPED" if whole else "PARTIALLY_SHIPPED"
    if order["status"] != now:
        _move(market, order, now, ("UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED"))
    else:
        market.touched(order)
