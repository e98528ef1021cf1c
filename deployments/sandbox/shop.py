"""The web shop: pages, variants, one available figure and one price each, accounts; its orders: ``shop_orders.py``.

What surprises here: money is integer minor units; a write that changes nothing moves the stamp all the same; a figure
can be written on condition that nothing moved it (``If-Match``, in a batch ``expected``: its revision); a deleted
product or variant leaves nothing behind.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from deployments.sandbox import shop_orders as orders
from deployments.sandbox.design import By, Collection, Design, Lists, Refused
from deployments.sandbox.engine import System
from deployments.sandbox.notation import Doc, utc_seconds


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
    if new["currency"] != system.design.currency:
        raise Refused(422, "bad_currency", f"this shop sells in {system.design.currency}", field="currency")


def _priced(system: System, old: Doc | None, new: Doc, by: By) -> None:
    was = None if old is None else _major(old["amountMinor"])
    if was != _major(new["amountMinor"]):
        facts = {"sku": _variant(system, new["variantId"])["sku"], "list": "shop", "was": was}
        facts |= {"now": _major(new["amountMinor"]), "currency": new["currency"]}
        system.books.enter("price", system.now(), **facts, why=by)


def _met(system: System, old: Doc | None, new: Doc, by: By) -> None:
    system.books.enter("customer", system.now(), id=new["id"], email=new["email"], phone=new["phone"], why=by)


def edit_phone(system: System, ask: Doc) -> Doc:
    """A shopper changes the phone number of the account."""
    return system.edit("customers", str(ask["id"]), {"phone": ask["phone"]})


_WRITES = frozenset({"create", "update"})
_ALL = _WRITES | {"delete"}


def _by_variant(doc: Doc) -> str:
    return str(doc["variantId"])


def _by_code(doc: Doc) -> str:
    return str(doc["code"])


def _check_review(system: System, old: Doc | None, new: Doc, by: By) -> None:
    if system.find("products", new["productId"]) is None:
        raise Refused(422, "unknown_product", f"products has no {new['productId']}", field="productId")


def shop(name: str, currency: str) -> Design:
    """A shop of the platform, in a currency of its own."""
    return Design(
        name=name,
        platform="shop",
        currency=currency,
        written=utc_seconds,
        resolution=timedelta(seconds=1),
        lists=Lists(
            style="cursor", size=50, since="updatedSince", position="after", reference="reference", envelope=_envelope
        ),
        restamps=True,
        acts=orders.ACTS | {"edit_phone": edit_phone},
        places={"catalogue": "/variants"},
        collections=_CATALOGUE | orders.COLLECTIONS,
    )


_CATALOGUE = {
    "products": Collection(id="id", first=7001, allows=_ALL, stamp="updatedAt", created="createdAt"),
    "variants": Collection(
        id="id", first=81001, allows=_ALL, check=_check_variant, then=_named, stamp="updatedAt", created="createdAt"
    ),
    "inventory": Collection(
        id="variantId",
        stamp="updatedAt",
        key=_by_variant,
        allows=_WRITES,
        check=_check_inventory,
        then=_shown,
        version="revision",
    ),
    "prices": Collection(
        id="variantId", stamp="updatedAt", key=_by_variant, allows=_WRITES, check=_check_price, then=_priced
    ),
    "customers": Collection(id="id", first=9001, allows=_WRITES, then=_met, stamp="updatedAt", created="createdAt"),
    "locations": Collection(id="id", stamp="updatedAt", first=501),
    "coupons": Collection(id="code", stamp="updatedAt", created="createdAt", key=_by_code, allows=_WRITES),
    "reviews": Collection(id="id", stamp="updatedAt", created="createdAt", first=30001, check=_check_review),
}

SHOP = shop("shop", "KZT")
SHOP_BG = shop("shop_bg", "EUR")
