"""The web shop: pages, variants, one available figure and one price each, accounts, orders, fulfilments.

What surprises here: money is integer minor units; a write that changes nothing moves the stamp all the same; an order
lowers the shop's own figure; a deleted product or variant leaves nothing behind.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from deployments.sandbox.design import By, Collection, Design, Lists, Refused
from deployments.sandbox.engine import System
from deployments.sandbox.notation import Doc, utc_seconds

CURRENCY = "KZT"


def _envelope(resource: str, docs: list[Doc], facts: Doc) -> Any:
    return {resource: docs, "pageInfo": {"endCursor": facts["next"]}}


def _major(minor: int) -> str:
    return f"{Decimal(minor) / 100:.2f}"


def _variant(system: System, id: str) -> Doc:
    doc = system.find("variants", id)
    if doc is None:
        raise Refused(422, "unknown_variant", f"variants has no {id}", field="variantId")
    return doc


def _check_variant(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if system.find("products", new["productId"]) is None:
        raise Refused(422, "unknown_product", f"products has no {new['productId']}", field="productId")


def _named(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if old is None or old["title"] != new["title"]:
        was = None if old is None else old["title"]
        system.books.enter("name", system.now(), sku=new["sku"], was=was, now=new["title"], why=by)


def _check_inventory(system: System, old: Doc | None, new: Doc, by: By) -> None:
    _variant(system, new["variantId"])
    if new["available"] < 0:
        raise Refused(422, "bad_quantity", "the shop shows no figure below zero", field="available")


_WHY = {"seed": "opening", "api": "write", "system": "order", "people": "people"}


def _shown(system: System, old: Doc | None, new: Doc, by: By) -> None:
    was = None if old is None else str(old["available"])
    if was != str(new["available"]):
        facts = {"sku": _variant(system, new["variantId"])["sku"], "was": was, "now": str(new["available"])}
        system.books.enter("shown", system.now(), **facts, why=_WHY[by])


def _check_price(system: System, old: Doc | None, new: Doc, by: By) -> None:
    _variant(system, new["variantId"])
    if new["currency"] != CURRENCY:
        raise Refused(422, "bad_currency", f"this shop sells in {CURRENCY}", field="currency")


def _priced(system: System, old: Doc | None, new: Doc, by: By) -> None:
    was = None if old is None else _major(old["amountMinor"])
    if was != _major(new["amountMinor"]):
        facts = {"sku": _variant(system, new["variantId"])["sku"], "list": "shop", "was": was}
        facts |= {"now": _major(new["amountMinor"]), "currency": new["currency"]}
        system.books.enter("price", system.now(), **facts, why=by)


def _met(system: System, old: Doc | None, new: Doc, by: By) -> None:
    system.books.enter("customer", system.now(), id=new["id"], email=new["email"], phone=new["phone"], why=by)


def _ordered(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if old is not None:
        if old["status"] != new["status"]:
            facts = {"id": new["id"], "number": new["number"], "was": old["status"], "now": new["status"]}
            system.books.enter("change", system.now(), **facts, why=by)
        return
    lines = [
        {"sku": line["sku"], "quantity": str(line["quantity"]), "total": _major(line["totalMinor"])}
        for line in new["lines"]
    ]
    system.books.enter(
        "order", system.now(), id=new["id"], number=new["number"], reference=None, total=_major(new["totalMinor"]),
        currency=new["currency"], lines=lines, handed_over=False, state=new["status"],
        customer=new["customerId"], why=by,
    )  # fmt: skip


def _check_fulfilment(system: System, old: Doc | None, new: Doc, by: By) -> None:
    order = system.find("orders", new["orderId"])
    if order is None:
        raise Refused(422, "unknown_order", f"orders has no {new['orderId']}", field="orderId")
    open_ = {line["id"]: line["quantity"] for line in order["lines"]}
    for doc in system.docs("fulfilments"):
        if doc["orderId"] == new["orderId"] and doc["id"] != new["id"]:
            for line in doc["lines"]:
                open_[line["orderLineId"]] -= line["quantity"]
    for n, line in enumerate(new["lines"]):
        if line["orderLineId"] not in open_:
            raise Refused(422, "unknown_line", f"the order has no line {line['orderLineId']}", field=f"lines.{n}")
        open_[line["orderLineId"]] -= line["quantity"]
        if open_[line["orderLineId"]] < 0:
            raise Refused(422, "too_many", "more than was ordered", field=f"lines.{n}.quantity")


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
    if sent >= sum(line["quantity"] for line in order["lines"]) and order["status"] != "CANCELLED":
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
    """A shopper buys: ``{email, name, phone?, guest?, lines: [{sku, quantity}]}``; refused when too little is shown."""
    lines = []
    taken: dict[str, int] = {}
    for n, wanted in enumerate(ask["lines"], 1):
        variant = variant_of(system, str(wanted["sku"]))
        shown, price = system.find("inventory", variant["id"]), system.find("prices", variant["id"])
        quantity = int(wanted["quantity"])
        taken[variant["id"]] = taken.get(variant["id"], 0) + quantity
        if price is None or shown is None or quantity < 1 or shown["available"] < taken[variant["id"]]:
            raise Refused(409, "sold_out", f"the shop does not show {quantity} of {wanted['sku']}")
        facts = {"id": str(n), "variantId": variant["id"], "sku": variant["sku"], "title": variant["title"]}
        facts |= {"quantity": quantity, "unitPriceMinor": price["amountMinor"], "discountMinor": 0}
        lines.append(facts | {"totalMinor": price["amountMinor"] * quantity})
    account = _account(system, ask)
    shipping = int(ask.get("shippingMinor", 0))
    number = system.tables["orders"].number
    doc = {
        "number": str(number - 39000),
        "placedAt": utc_seconds(system.now()),
        "status": "PENDING",
        "financialStatus": "PAID",
        "customerId": None if account is None else account["id"],
        "contact": {"name": ask["name"], "email": ask["email"], "phone": ask.get("phone")},
        "shippingAddress": None if account is None else account["defaultAddress"],
        "currency": CURRENCY,
        "lines": lines,
        "shippingMinor": shipping,
        "totalMinor": sum(line["totalMinor"] for line in lines) + shipping,
    }
    placed = system.add("orders", doc)
    for id, quantity in taken.items():
        shown = system.get("inventory", id)
        system.put("inventory", shown | {"available": shown["available"] - quantity}, by="system", id=id)
    return placed


def cancel(system: System, ask: Doc) -> Doc:
    """A shopper cancels an order that was not sent; its goods are shown again."""
    doc = system.get("orders", str(ask["id"]))
    if doc["status"] not in ("PENDING", "PROCESSING"):
        raise Refused(409, "closed", f"the order is {doc['status']}")
    for line in doc["lines"]:
        shown = system.get("inventory", line["variantId"])
        change = shown | {"available": shown["available"] + line["quantity"]}
        system.put("inventory", change, by="system", id=line["variantId"])
    return system.edit("orders", doc["id"], {"status": "CANCELLED", "financialStatus": "REFUNDED"})


def edit_phone(system: System, ask: Doc) -> Doc:
    """A shopper changes the phone number of the account."""
    return system.edit("customers", str(ask["id"]), {"phone": ask["phone"]})


_WRITES = frozenset({"create", "update"})
_ALL = _WRITES | {"delete"}


def _by_variant(doc: Doc) -> str:
    return str(doc["variantId"])


SHOP = Design(
    name="shop",
    written=utc_seconds,
    resolution=timedelta(seconds=1),
    lists=Lists(
        style="cursor", size=50, since="updatedSince", position="after", reference="reference", envelope=_envelope
    ),
    restamps=True,
    acts={"order": order, "cancel": cancel, "edit_phone": edit_phone},
    collections={
        "products": Collection(id="id", first=7001, allows=_ALL, stamp="updatedAt", created="createdAt"),
        "variants": Collection(
            id="id", first=81001, allows=_ALL, check=_check_variant, then=_named, stamp="updatedAt", created="createdAt"
        ),
        "inventory": Collection(
            id="variantId", stamp="updatedAt", key=_by_variant, allows=_WRITES, check=_check_inventory, then=_shown
        ),
        "prices": Collection(
            id="variantId", stamp="updatedAt", key=_by_variant, allows=_WRITES, check=_check_price, then=_priced
        ),
        "customers": Collection(id="id", first=9001, allows=_WRITES, then=_met, stamp="updatedAt", created="createdAt"),
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
    },
)
