"""Fills the systems with the opening data of a demo retailer, each in its own notation; nobody is notified.

What surprises here: opening stock is a movement like any other, so the books balance from the first line. A system that
a simulator of its own plays is not among those filled here, and fills itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from deployments.demo.data import (
    LOCATIONS,
    MARKET_WAREHOUSE,
    NETWORKS,
    OPENED,
    WAREHOUSE,
    Abroad,
    PastOrder,
    Person,
    Product,
    Retailer,
    Variant,
)
from deployments.sandbox.engine import System
from deployments.sandbox.erp_acts import move
from deployments.sandbox.notation import Doc, utc_seconds

_DAY = timedelta(days=1)


class _Filling:
    """The moment that advances while data is entered, a second for every 40 rows: many rows share a stamp."""

    def __init__(self) -> None:
        self.rows = 0

    def moment(self) -> datetime:
        self.rows += 1
        return OPENED + timedelta(seconds=self.rows // 40)

    def add(self, system: System, name: str, doc: Doc, at: datetime | None = None) -> Doc:
        return system.add(name, doc, by="seed", at=self.moment() if at is None else at)


def fill(systems: Mapping[str, System], retailer: Retailer | None) -> None:
    """Afterwards the systems hold the retailer; without one only locations and stores."""
    filling = _Filling()
    _places(systems, filling)
    if retailer is None:
        return
    for product in retailer.products:
        _goods(systems, filling, product)
    accounts = [_person(systems, filling, person) for person in retailer.people]
    for order in retailer.orders:
        _order(systems, filling, retailer, order, accounts[order.person])
    pages: dict[str, str] = {}
    for offer in retailer.abroad:
        _offer(systems, filling, pages, offer)


def _places(systems: Mapping[str, System], filling: _Filling) -> None:
    for location in LOCATIONS:
        home = location.company == "kz"
        kind = {"warehouse": "W", "store": "S", "market": "M"}[location.kind]
        erp, shop = ("erp", "shop") if home else ("erp_bg", "shop_bg")
        doc: Doc = {"code": location.code, "name": location.name, "type": kind, "state": "A"}
        rows = [(erp, "locations", doc)]
        if location.kind == "store":
            rows.append((shop, "locations", {"code": location.code, "name": location.name, "pickup": True}))
        if location.kind == "store" and home:
            rows.append(("pos", "stores", {"code": location.code, "label": location.name}))
        if location.code == NETWORKS["market"]:
            doc = {"warehouseId": MARKET_WAREHOUSE, "sellerCode": location.code, "name": location.name}
            rows.append(("market", "warehouses", doc))
        for system, name, row in rows:
            if system in systems:
                filling.add(systems[system], name, row)


def _offer(systems: Mapping[str, System], filling: _Filling, pages: dict[str, str], offer: Abroad) -> None:
    """What the second company sells, in its own ERP and its own shop."""
    if "erp_bg" in systems:
        _in_erp_abroad(systems["erp_bg"], filling, offer)
    if "shop_bg" in systems:
        _in_shop_abroad(systems["shop_bg"], filling, pages, offer)


def _in_erp_abroad(erp: System, filling: _Filling, offer: Abroad) -> None:
    product, variant = offer.product, offer.variant
    if erp.find("products", product.code) is None:
        filling.add(erp, "products", {"code": product.code, "title": product.title, "group": product.category,
                                      "brand": product.brand, "state": "A"})  # fmt: skip
    doc: Doc = {"code": variant.sku, "product": product.code, "name": variant.name, "barcode": variant.gtin}
    filling.add(erp, "items", doc | {"features": dict(variant.options), "uom": "PCE", "vat": "S", "state": "A"})
    price: Doc = {"item": variant.sku, "list": "retail-bg", "amount": str(offer.price), "currency": "EUR"}
    filling.add(erp, "prices", price | {"vat_included": True})
    for location, quantity in offer.on_hand.items():
        erp.opening = filling.moment()
        move(erp, variant.sku, location, Decimal(quantity), why="opening", doc=None, by="seed")
        erp.opening = None


def _in_shop_abroad(shop: System, filling: _Filling, pages: dict[str, str], offer: Abroad) -> None:
    product, variant = offer.product, offer.variant
    if product.code not in pages:
        page: Doc = {"handle": product.code, "title": offer.title, "bodyHtml": "", "vendor": product.brand or ""}
        page |= {"productType": product.category, "images": [], "published": True}
        pages[product.code] = filling.add(shop, "products", page)["id"]
    doc: Doc = {"productId": pages[product.code], "sku": variant.sku, "barcode": variant.gtin or ""}
    doc |= {"title": offer.title, "options": dict(variant.options), "active": True}
    made = filling.add(shop, "variants", doc)
    filling.add(shop, "prices", {"variantId": made["id"], "amountMinor": int(offer.price * 100), "currency": "EUR"})
    filling.add(shop, "inventory", {"variantId": made["id"], "available": offer.on_hand["plovdiv-wh"]})


def _goods(systems: Mapping[str, System], filling: _Filling, product: Product) -> None:
    image = f"https://img.example/{product.code.lower()}.jpg"
    sold_in = frozenset(system for variant in product.variants for system in variant.sold_in)
    if "erp" in sold_in & set(systems):
        doc: Doc = {"code": product.code, "title": product.title, "text": product.text, "brand": product.brand}
        filling.add(systems["erp"], "products", doc | {"group": product.category, "images": [image], "state": "A"})
    page = None
    if "shop" in sold_in & set(systems):
        doc = {
            "handle": product.code,
            "title": product.title,
            "bodyHtml": product.text or "",
            "vendor": product.brand or "",
        }
        doc |= {"productType": product.category, "images": [{"src": image}], "published": True}
        page = filling.add(systems["shop"], "products", doc)["id"]
    for variant in product.variants:
        known = variant.sold_in & set(systems)
        if "erp" in known:
            _in_erp(systems["erp"], filling, product, variant)
        if "pos" in known:
            _in_pos(systems["pos"], filling, variant)
        if "shop" in known and page is not None:
            _in_shop(systems["shop"], filling, page, variant)
        if "market" in known:
            _on_market(systems["market"], filling, variant)


def _in_erp(erp: System, filling: _Filling, product: Product, variant: Variant) -> None:
    doc: Doc = {"code": variant.sku, "product": product.code, "name": variant.name, "barcode": variant.gtin}
    cost = f"{variant.price * 55 / 100:.2f}"
    doc |= {"features": dict(variant.options), "uom": "PCE", "vat": "S", "cost": cost, "state": "A"}
    filling.add(erp, "items", doc)
    price = {
        "item": variant.sku,
        "list": "retail",
        "amount": str(variant.price),
        "currency": "KZT",
        "vat_included": True,
    }
    filling.add(erp, "prices", price)
    for location, quantity in variant.on_hand.items():
        erp.opening = filling.moment()
        move(erp, variant.sku, location, Decimal(quantity), why="opening", doc=None, by="seed")
        erp.opening = None


def _in_pos(pos: System, filling: _Filling, variant: Variant) -> None:
    doc: Doc = {"sku": variant.sku, "label": variant.name, "unit": "st"}
    filling.add(pos, "articles", doc if variant.gtin is None else doc | {"ean": variant.gtin})
    price = variant.price_in("pos")
    filling.add(pos, "prices", {"sku": variant.sku, "price": int(price) if price == int(price) else price})


def _in_shop(shop: System, filling: _Filling, page: str, variant: Variant) -> None:
    doc: Doc = {"productId": page, "sku": variant.sku, "barcode": variant.gtin or "", "title": variant.name}
    made = filling.add(shop, "variants", doc | {"options": dict(variant.options), "active": True})
    price = int(variant.price_in("shop") * 100)
    filling.add(shop, "prices", {"variantId": made["id"], "amountMinor": price, "currency": "KZT"})
    filling.add(shop, "inventory", {"variantId": made["id"], "available": variant.shown_in("shop")})


def _on_market(market: System, filling: _Filling, variant: Variant) -> None:
    doc: Doc = {"sellerSku": variant.sku, "title": variant.name, "barcode": variant.gtin or "", "state": "ON_SALE"}
    filling.add(market, "offers", doc)
    price = {"amount": f"{variant.price_in('market'):.2f}", "currency": "KZT"}
    filling.add(market, "prices", {"sellerSku": variant.sku, "price": price})
    filling.add(market, "stocks", {"sellerSku": variant.sku, "available": str(variant.shown_in("market"))})
    if "mkt-alm" in variant.on_hand:
        held = {"warehouse": MARKET_WAREHOUSE, "sellerSku": variant.sku, "available": str(variant.on_hand["mkt-alm"])}
        filling.add(market, "held", held)


def _person(systems: Mapping[str, System], filling: _Filling, person: Person) -> dict[str, str]:
    """Enters a person wherever known; the ids by system."""
    name = f"{person.first} {person.last}"
    digits = person.phone
    ids: dict[str, str] = {}
    known = person.known_in & set(systems)
    if "erp" in known:
        doc: Doc = {"name": name, "first_name": person.first, "last_name": person.last, "email": person.email}
        doc |= {"phone": f"8 ({digits[:3]}) {digits[3:6]}-{digits[6:8]}-{digits[8:]}", "lang": person.language}
        address = {"line": person.street, "city": "Алматы", "zip": "050000", "country": "KZ"}
        ids["erp"] = filling.add(systems["erp"], "customers", doc | {"address": address})["code"]
    if "crm" in known:
        properties: Doc = {
            "firstname": person.first,
            "lastname": person.last,
            "fullname": name,
            "email": person.email.title(),
        }
        properties |= {
            "phone": f"+7 {digits[:3]} {digits[3:6]} {digits[6:8]} {digits[8:]}",
            "language": person.language,
        }
        ids["crm"] = filling.add(systems["crm"], "contacts", {"properties": properties | {"country": "KZ"}})["id"]
        if person.twice:
            again = {"fullname": person.latin, "email": person.email.upper(), "phone": f"8{digits}"}
            filling.add(systems["crm"], "contacts", {"properties": again})
    if "shop" in known:
        doc = {"email": person.email, "firstName": person.first, "lastName": person.last, "phone": f"+7{digits}"}
        address = {"address1": person.street, "city": "Алматы", "zip": "050000", "countryCode": "KZ"}
        locale = {"kk": "kk-KZ", "ru": "ru-KZ", "en": "en-GB"}[person.language]
        made = filling.add(systems["shop"], "customers", doc | {"locale": locale, "defaultAddress": address})
        ids["shop"] = made["id"]
    if "market" in known:
        doc = {"fullName": person.latin, "phone": digits, "email": None}
        ids["market"] = filling.add(systems["market"], "buyers", doc)["buyerId"]
    return ids


def _order(
    systems: Mapping[str, System], filling: _Filling, retailer: Retailer, order: PastOrder, ids: Mapping[str, str]
) -> None:
    """A past order of the shop and, where the ERP and the CRM know it, their side of it."""
    at, person = OPENED + _DAY * (1 + order.day), retailer.people[order.person]
    sold = {variant.sku: variant for variant in retailer.variants()}
    goods = [sold[sku] for sku in order.skus]
    if "shop" in systems:
        _in_the_shop(systems["shop"], filling, order, goods, ids["shop"], at)
    if not order.known:
        return
    name, total = f"{person.first} {person.last}", f"{sum(variant.price for variant in goods):.2f}"
    sums = [f"{variant.price:.2f}" for variant in goods]
    if "erp" in systems:
        lines = [
            {"ref": str(n), "item": variant.sku, "text": variant.name, "qty": "1", "price": part, "sum": part}
            for n, (variant, part) in enumerate(zip(goods, sums, strict=True), 1)
        ]
        sale: Doc = {"reference": f"legacy-{order.number}", "source_number": order.number, "state": "done"}
        sale |= {"ordered_at": utc_seconds(at), "paid": "yes", "currency": "KZT", "location": WAREHOUSE}
        sale |= {"lines": lines, "total": total, "customer": ids.get("erp")}
        sale |= {"buyer": {"name": name, "email": person.email, "phone": f"+7{person.phone}"}}
        filling.add(systems["erp"], "orders", sale, at + timedelta(minutes=5))
    if "crm" in systems:
        deal = {"order_number": order.number, "placed_at": utc_seconds(at), "stage": "closed", "payment": "received"}
        deal |= {"contact_id": ids.get("crm", ""), "buyer_name": name, "amount": total, "currency": "KZT"}
        parts = [
            {"ref": str(n), "sku": variant.sku, "name": variant.name, "qty": "1", "amount": part}
            for n, (variant, part) in enumerate(zip(goods, sums, strict=True), 1)
        ]
        filling.add(systems["crm"], "deals", {"properties": deal, "lines": parts}, at + timedelta(minutes=6))


def _in_the_shop(
    shop: System, filling: _Filling, order: PastOrder, goods: list[Variant], customer: str, at: datetime
) -> None:
    account = shop.get("customers", customer)
    variants = {doc["sku"]: doc for doc in shop.docs("variants")}
    lines = []
    for n, sold in enumerate(goods, 1):
        variant = variants[sold.sku]
        price = shop.get("prices", variant["id"])["amountMinor"]
        line = {"id": str(n), "variantId": variant["id"], "sku": sold.sku, "title": variant["title"], "quantity": 1}
        lines.append(line | {"unitPriceMinor": price, "discountMinor": 0, "totalMinor": price})
    total = sum(line["totalMinor"] for line in lines)
    name = f"{account['firstName']} {account['lastName']}"
    contact = {"name": name, "email": account["email"], "phone": account["phone"]}
    doc: Doc = {"number": order.number, "placedAt": utc_seconds(at)}
    doc |= {"status": "COMPLETED" if order.known else "PENDING", "financialStatus": "PAID"}
    doc |= {"customerId": account["id"], "contact": contact, "currency": "KZT", "lines": lines}
    doc |= {"shippingAddress": account["defaultAddress"], "shippingMinor": 0, "totalMinor": total}
    doc["tenders"] = [{"id": "1", "kind": "CARD", "amountMinor": total, "state": "CAPTURED"}]
    filling.add(shop, "orders", doc, at)
    if not order.known:
        for line in lines:  # the goods of an open order are no longer shown
            shown = shop.get("inventory", line["variantId"])
            filling.add(shop, "inventory", shown | {"available": shown["available"] - line["quantity"]}, at)
