"""Sets the simulated Tryton up as tills: units, taxes, a point of sale per store, and what the stores sell."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from deployments.demo.data import OPENED, Product, Retailer, Variant
from deployments.sandbox.books import Books
from deployments.sandbox.tryton.database import Database
from deployments.sandbox.tryton.trade import AFTER, COMPUTE

UNITS: Final = (("Unit", "u"), ("Kilogram", "kg"), ("Gram", "g"), ("Meter", "m"))


def empty(books: Books | None = None, tax: str = "0.16", currency: str = "KZT") -> Database:
    """A Tryton as it is when it was just set up for one company: no parties, no articles, no points of sale."""
    db = Database(books=Books("tryton", None) if books is None else books, opening=OPENED)
    db.compute, db.after = COMPUTE, AFTER

    def work() -> None:
        db.create("country.country", {"code": "KZ", "name": "Kazakhstan"})
        db.create("currency.currency", {"code": currency, "name": currency})
        for name, symbol in UNITS:
            db.create("product.uom", {"name": name, "symbol": symbol})
        db.create("account.tax", {"name": f"VAT {tax}", "rate": Decimal(tax)})
        db.create("product.category", {"name": "Goods", "accounting": True, "customer_taxes": [["add", [1]]]})
        for name, cash in (("Cash", True), ("Card", False)):
            db.create("sale.point.payment.method", {"name": name, "cash": cash})

    db.transact(work)
    db.opening = None
    return db


def store(db: Database, code: str, name: str, prefix: str) -> int:
    """A store with a warehouse of its own and one point of sale, whose receipts are numbered from ``prefix``1 on."""
    house = db.create("stock.location", {"name": name, "code": code, "type": "warehouse"})
    places = {}
    for kind in ("storage", "output"):
        own = {"name": f"{name} {kind}", "code": f"{code}-{kind}", "type": "storage", "warehouse": house}
        places[f"{kind}_location"] = db.create("stock.location", own)
    db.touch("stock.location", house, {**places, "warehouse": house})
    till = {"name": f"Till {code}", "prefix": prefix, "storage_location": places["storage_location"]}
    return db.create("sale.point", till)


def article(db: Database, product: Product, variant: Variant) -> None:
    """An article as it was once taken from the ERP: a template with one product, under the ERP's name for it."""
    price = variant.price_in("pos")
    own = {"suffix_code": variant.sku, "gross_price": price,
               "list_price": (price / Decimal("1.16")).quantize(Decimal("0.0001"))}  # fmt: skip
    if variant.gtin is not None:
        own["identifiers"] = [["create", [{"type": "ean", "code": variant.gtin}]]]
    db.create("product.template", {
        "name": f"{product.title} ({', '.join(variant.options.values())})", "default_uom": 1, "sale_uom": 1,
        "salable": True, "account_category": 1, "products": [["create", [own]]],
    })  # fmt: skip
    db.book("price", sku=variant.sku, list="tills", was=None, now=f"{price:.2f}", currency="KZT", why="opening")


def fill(db: Database, retailer: Retailer) -> None:
    """Afterwards the tills know the retailer's stores in Almaty and Astana, and what is sold there."""

    def work() -> None:
        stores = [place for place in retailer.locations if place.company == "kz" and place.kind == "store"]
        for n, place in enumerate(stores, 1):
            store(db, place.code, place.name, f"{n}-")
        for product in retailer.products:
            for variant in product.variants:
                if "pos" in variant.sold_in:
                    article(db, product, variant)

    db.opening = OPENED
    db.transact(work)
    db.opening = None
