"""The simulated shop with the opening data of the demo retailer, and as the shop that the demo starts.

What surprises here: only one place has stock, the one that orders are sent from; at the stores buyers collect. The
merchant wants no sign before the numbers of orders. The shop is a big one (a Plus plan's points, many times as fast as
the real one), so that a day of trade takes a minute.
"""

from __future__ import annotations

from datetime import timedelta

from deployments.demo.data import LOCATIONS, OPENED, WAREHOUSE, PastOrder, Person, Product, Retailer
from deployments.sandbox.notation import Doc
from deployments.sandbox.shopify.api import Bucket
from deployments.sandbox.shopify.orders import enter_customer, fulfil, place
from deployments.sandbox.shopify.people import online
from deployments.sandbox.shopify.server import start
from deployments.sandbox.shopify.state import Shop
from deployments.sandbox.start import Part, Playing

SPEED = 50.0
"""How many times as fast as the real one its points come back."""


def play(part: Part) -> Playing:
    """The shop serves on a port of its own, filled with the retailer's goods, customers and past orders."""
    shop = Shop(name=part.name, books=part.books, wall=part.wall, prefix="")
    fill(shop, part.retailer)
    bucket = Bucket(maximum=20_000, restore=1_000, speed=SPEED)
    running = start(shop, seed=part.seed, bucket=bucket)
    return Playing(
        url=running.url, secrets={"TOKEN": running.token, "HOOK_SECRET": running.hook_secret}, stop=running.stop,
        desk=True,
    )  # fmt: skip


def fill(shop: Shop, retailer: Retailer | None) -> None:
    """Afterwards the shop holds the retailer; without one only the places from which it sends and where buyers come."""
    shop.opening = OPENED
    for location in LOCATIONS:
        if location.company == "kz" and location.kind != "market":
            id = shop.gid("Location")
            shop.put(id, {
                "legacyResourceId": id.rpartition("/")[2], "name": location.name, "isActive": True,
                "fulfillsOnlineOrders": location.code == WAREHOUSE, "address": {}, "code": location.code,
            })  # fmt: skip
    if retailer is not None:
        for n, product in enumerate(retailer.products):
            shop.opening = OPENED + timedelta(seconds=n // 10)
            _product(shop, product)
        people = {n: _person(shop, person) for n, person in enumerate(retailer.people) if "shop" in person.known_in}
        for order in retailer.orders:
            shop.opening = OPENED + timedelta(days=1 + order.day)
            _order(shop, order, people[order.person])
    shop.opening = None


def _product(shop: Shop, product: Product) -> None:
    sold = [variant for variant in product.variants if "shop" in variant.sold_in]
    if not sold:
        return
    names = list(dict.fromkeys(name for variant in sold for name in variant.options))
    options = [{"name": name, "values": [variant.options[name] for variant in sold if name in variant.options]}
               for name in names]  # fmt: skip
    made = shop.product({
        "handle": product.code.lower(), "title": product.title, "descriptionHtml": product.text or "",
        "vendor": product.brand or "", "productType": product.category, "options": options,
        "files": [{"originalSource": f"https://img.example/{product.code.lower()}.jpg"}],
    })  # fmt: skip
    shop.drop(shop.variants_of(made["id"])[0]["id"])
    for variant in sold:
        chosen = [{"name": name, "value": value} for name, value in variant.options.items()]
        entered = shop.variant(made["id"], {
            "sku": variant.sku, "barcode": variant.gtin, "price": f"{variant.price_in('shop'):.2f}",
            "title": " / ".join(one["value"] for one in chosen), "selectedOptions": chosen,
        })  # fmt: skip
        shop.stock(entered["item"], online(shop), available=variant.shown_in("shop"), why="opening")


def _person(shop: Shop, person: Person) -> Doc:
    address = {"name": f"{person.first} {person.last}", "address1": person.street, "address2": None, "city": "Алматы",
               "province": None, "provinceCode": None, "zip": "050000", "countryCodeV2": "KZ",
               "phone": f"+7{person.phone}"}  # fmt: skip
    return enter_customer(shop, {
        "email": person.email, "firstName": person.first, "lastName": person.last, "phone": f"+7{person.phone}",
        "locale": person.language, "address": address,
    })  # fmt: skip


def _order(shop: Shop, order: PastOrder, buyer: Doc) -> None:
    made = place(shop, {
        "place": online(shop), "lines": [{"sku": sku, "quantity": 1} for sku in order.skus], "customer": buyer["id"],
        "email": buyer["email"], "phone": buyer["phone"], "address": buyer["address"],
        "state": "COMPLETED" if order.known else "UNFULFILLED",
    })  # fmt: skip
    if order.known:
        for line in made["lines"]:  # what was sent long ago came from what lay there then
            variant = shop.get(line["variantId"])
            shop.stock(variant["item"], online(shop), available=line["quantity"], why="opening")
        tracking = {"company": "Kazpost", "number": f"KZ0{order.number}"}
        fulfil(shop, {part["id"]: None for part in made["parts"]}, tracking)


