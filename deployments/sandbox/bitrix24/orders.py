"""Orders of the portal's shop: placed, paid, shipped and cancelled by people; programs read them.

What surprises here: a list tells the order alone; goods, buyer, payments and shipments come only with the order by its
number. What is in no delivery yet lies in a shipment of the system's own. An order reserves what it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from deployments.sandbox.bitrix24.catalogue import figure, lying, move, reserve
from deployments.sandbox.bitrix24.lists import listed
from deployments.sandbox.bitrix24.state import Fault, Portal, Row
from deployments.sandbox.design import Refused
from deployments.sandbox.notation import Doc

INNER = ("basketItems", "clients", "payments", "propertyValues", "shipments", "requisiteLink", "tradeBindings")
"""What a list leaves out."""
_BUYER = {"FIO": "name", "EMAIL": "email", "PHONE": "phone", "ADDRESS": "address"}


def _shown(doc: Doc) -> Doc:
    """The order without what only the portal knows: where its goods are taken from."""
    return {name: value for name, value in doc.items() if not name.startswith("_")}


def _cents(value: Decimal) -> Decimal | int:
    return figure(value.quantize(Decimal("0.01"), ROUND_HALF_UP))


def of_orders(portal: Portal) -> Mapping[str, Callable[[Doc], Any]]:
    """What is read of orders."""

    def outer() -> list[Doc]:
        docs = [row.doc for row in portal.table("order").values()]
        return [{name: value for name, value in _shown(doc).items() if name not in INNER} for doc in docs]

    def one(params: Doc) -> Doc:
        row = portal.table("order").get(int(str(params.get("id") or 0))) if str(params.get("id")).isdigit() else None
        if row is None:
            raise Fault("order does not exist", 200540400001)
        return {"order": _shown(row.doc)}

    fields = ("id", "accountNumber", "dateInsert", "dateUpdate", "statusId", "canceled", "payed", "deducted", "xmlId")
    return {"sale.order.list": lambda p: listed(portal, outer(), p, "orders", fields), "sale.order.get": one}


def place(portal: Portal, ask: Mapping[str, Any]) -> Doc:
    """A buyer orders: ``lines`` [{sku, quantity, price, discount?, vat?, vat_included?}], ``store``, ``contact``,
    ``shipping``, ``name``, ``email``, ``phone``, ``address``, ``paid``. Raises Refused when the goods are not there."""
    store, stamp, basket, total = int(str(ask["store"])), portal.stamp(), [], Decimal(0)
    articles = {row.doc["xmlId"]: row.doc for kind in ("product", "offer") for row in portal.table(kind).values()}
    for line in ask["lines"]:
        article, quantity = articles.get(line["sku"]), Decimal(str(line["quantity"]))
        if article is None:
            raise Refused(422, "unknown_sku", f"nothing here has the SKU {line['sku']}")
        row = lying(portal, article["id"], store)
        if Decimal(str(row["amount"])) - Decimal(str(row["quantityReserved"] or 0)) < quantity:
            raise Refused(409, "sold_out", f"{line['sku']} is sold out")
        base, off = Decimal(str(line["price"])), Decimal(str(line.get("discount", 0)))
        rate, inside = Decimal(str(line.get("vat", "0"))), line.get("vat_included", True)
        total += (base - off) * quantity * (1 if inside else 1 + rate)
        basket.append({
            "basePrice": figure(base), "currency": "KZT", "discountPrice": figure(off),
            "id": str(portal.number("basket")), "measureCode": "796", "measureName": "pcs", "name": article["name"],
            "price": figure(base - off), "productId": article["id"], "productXmlId": article["xmlId"],
            "quantity": figure(quantity),
            "vatIncluded": "Y" if inside else "N", "vatRate": figure(rate), "dateInsert": stamp, "dateUpdate": stamp,
            "module": "catalog", "customPrice": "N", "canBuy": "Y", "lid": "s1", "type": "", "weight": 0,
        })  # fmt: skip
    id = portal.number("order")
    shipping = Decimal(str(ask.get("shipping", 0)))
    total += shipping
    paid = "Y" if ask.get("paid") else "N"
    delivery: Doc = {
        "id": portal.number("delivery"), "orderId": id, "currency": "KZT", "deducted": "N", "canceled": "N",
        "trackingNumber": "", "deliveryName": "Courier", "statusId": "DN", "allowDelivery": "N",
    }  # fmt: skip
    clients = [] if ask.get("contact") is None else [{
        "entityId": int(str(ask["contact"])), "entityTypeId": 3, "id": portal.number("client"), "isPrimary": "Y",
        "orderId": id, "roleId": 0, "sort": 0,
    }]  # fmt: skip
    doc: Doc = {
        "accountNumber": str(1000 + id), "additionalInfo": "", "affiliateId": None, "canceled": "N", "comments": "",
        "companyId": None, "currency": "KZT", "dateCanceled": None, "dateInsert": stamp, "dateUpdate": stamp,
        "dateStatus": stamp, "deducted": "N", "discountValue": 0, "externalOrder": "N", "id1c": "", "lid": "s1",
        "marked": "N", "orderTopic": "", "payed": paid, "personTypeId": 3, "price": _cents(total),
        "reasonCanceled": "", "responsibleId": 1, "statusId": "N", "taxValue": 0, "userDescription": "", "userId": 1,
        "version": 0, "xmlId": f"bx_{id:08x}", "_store": store, "basketItems": basket, "clients": clients,
        "payments": [{"id": portal.number("payment"), "orderId": id, "paid": paid, "sum": _cents(total),
                      "currency": "KZT", "paySystemId": 48, "paySystemName": "Card", "paySystemIsCash": "N"}],
        "propertyValues": [{"code": code, "id": portal.number("value", 9001), "name": code, "orderPropsId": n,
                            "value": ask.get(name)} for n, (code, name) in enumerate(_BUYER.items(), 20)],
        "shipments": [{**delivery, "system": "N", "priceDelivery": _cents(shipping)},
                      {**delivery, "id": portal.number("delivery"), "system": "Y", "priceDelivery": 0}],
    }  # fmt: skip
    for item in basket:
        reserve(portal, item["productId"], store, Decimal(str(item["quantity"])))
    portal.table("order")[id] = Row(doc={**doc, "id": id}, at=portal.now())
    sums = [_cents(Decimal(str(item["price"])) * Decimal(str(item["quantity"]))) for item in basket]
    lines = [
        {"sku": item["productXmlId"], "quantity": str(item["quantity"]), "total": str(sum)}
        for item, sum in zip(basket, sums, strict=True)
    ]
    portal.books.enter(
        "order", portal.now(), id=f"O_{id}", number=doc["accountNumber"], reference=None, total=str(doc["price"]),
        currency="KZT", lines=lines, handed_over=False, location=str(store), state="N",
        customer=str(ask.get("contact") or ""), why="people",
    )  # fmt: skip
    portal.told("order", "SAVED", str(id))
    return portal.table("order")[id].doc


def change(portal: Portal, ask: Mapping[str, Any]) -> Doc:
    """An order moves on: ``id`` and ``to`` (paid, shipped, done, cancelled). Raises Refused."""
    row = portal.table("order").get(int(str(ask["id"])))
    if row is None:
        raise Refused(404, "not_found", f"there is no order {ask['id']}")
    doc, to = dict(row.doc), str(ask["to"])
    if doc["canceled"] == "Y" or (to == "cancelled" and doc["deducted"] == "Y"):
        raise Refused(409, "closed", f"order {doc['accountNumber']} cannot move to {to}")
    if to == "paid":
        doc |= {"payed": "Y", "payments": [{**one, "paid": "Y"} for one in doc["payments"]]}
    if to in ("shipped", "cancelled"):
        for item in doc["basketItems"]:
            quantity = Decimal(str(item["quantity"]))
            reserve(portal, item["productId"], doc["_store"], -quantity)
            if to == "shipped":
                move(portal, item["productId"], doc["_store"], -quantity, why="shipment", doc=doc["accountNumber"])
        doc |= {"deducted": "Y"} if to == "shipped" else {"canceled": "Y", "dateCanceled": portal.stamp()}
    if to == "done":
        doc |= {"statusId": "F"}
    doc["dateUpdate"] = portal.stamp()
    portal.table("order")[doc["id"]] = Row(doc=doc, at=portal.now())
    portal.books.enter(
        "change", portal.now(), id=f"O_{doc['id']}", number=doc["accountNumber"], was=row.doc["statusId"], now=to,
        why="people",
    )  # fmt: skip
    portal.told("order", "SAVED", str(doc["id"]))
    return doc
