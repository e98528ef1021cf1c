"""Fills the simulated Odoo with a retailer's opening data: warehouses, goods, prices, partners, past sales."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial

from deployments.demo.data import LOCATIONS, OPENED, Location, PastOrder, Person, Retailer, Variant
from deployments.sandbox.books import Books
from deployments.sandbox.notation import Doc
from deployments.sandbox.odoo.computed import COMPUTE
from deployments.sandbox.odoo.database import Database, Session
from deployments.sandbox.odoo.models import MODELS
from deployments.sandbox.odoo.records import create
from deployments.sandbox.odoo.trade import cancel_picking, confirm, put, set_quantity

SHORT = {
    "almaty-wh": "ALMWH",
    "almaty-1": "ALM1",
    "almaty-2": "ALM2",
    "astana-1": "AST1",
    "mkt-alm": "MKTAL",
    "amz-alm": "AMZAL",
    "plovdiv-wh": "PLVWH",
    "plovdiv-1": "PLV1",
}
"""The retailer's code of a place → what a warehouse can be called in five letters."""
COMPANIES = (("kz", "Karavan Home", "KZT", "KZ"), ("bg", "Karavan Home BG", "EUR", "BG"))
LANGUAGES = (
    ("English (US)", "en_US", True),
    ("Русский", "ru_RU", True),
    ("Қазақша", "kk_KZ", True),
    ("Deutsch", "de_DE", False),
)
ADMIN = Session(
    companies=frozenset({1, 2}), context={"allowed_company_ids": [1, 2], "active_test": False, "skip_backorder": True}
)


def empty(books: Books | None = None, version: int = 19) -> Database:
    """An Odoo as it is when it was just set up for both companies: no goods, no partners, no warehouses."""
    db = Database(books=Books("odoo", None) if books is None else books, version=version, opening=OPENED)
    db.compute = COMPUTE
    db.transact(lambda: _set_up(db))
    db.opening = None
    return db


def _set_up(db: Database) -> None:
    for name in ("KZT", "EUR"):
        db.insert("res.currency", {"name": name})
    for company, (_, name, currency, _country) in enumerate(COMPANIES, 1):
        db.insert("res.company", {"name": name, "currency_id": 1 if currency == "KZT" else 2})
        db.insert(
            "product.pricelist",
            {"name": "retail" if company == 1 else "retail-bg", "company_id": company, "currency_id": company},
        )
    for name, code in (("Kazakhstan", "KZ"), ("Bulgaria", "BG"), ("Germany", "DE")):
        db.insert("res.country", {"name": name, "code": code})
    for name, code, active in LANGUAGES:
        db.insert("res.lang", {"name": name, "code": code, "active": active})
    for name in ("Units", "kg", "Dozens"):
        db.insert("uom.uom", {"name": name})
    for model in MODELS:
        db.insert("ir.model", {"name": model, "model": model})
    for model, fields in MODELS.items():
        for name in fields:
            db.insert("ir.model.fields", {"name": name, "model": model})
    for name, usage in (("Customers", "customer"), ("Vendors", "supplier")):
        db.insert("stock.location", {"name": name, "usage": usage})
    for percent in (12, 16, 20):
        db.insert("account.tax", {"name": f"{percent}% incl.", "amount": float(percent), "price_include": True})
    db.insert("delivery.carrier", {"name": "Kazpost"})
    for name in ("Cash", "Card"):
        db.insert("pos.payment.method", {"name": name})
    for code in ("DELIVERY", "SURCHARGE", "DISCOUNT"):
        create(
            db, "product.template", {"name": code.title(), "default_code": code, "type": "service", "uom_id": 1}, ADMIN
        )


def warehouse(db: Database, name: str, code: str, company: int = 1) -> int:
    """A warehouse with its stock, receipts and deliveries."""
    session = Session(companies=frozenset({1, 2}), context={"allowed_company_ids": [company]})
    lot = db.insert("stock.location", {"name": f"{code}/Stock", "usage": "internal", "company_id": company})
    id = create(
        db, "stock.warehouse", {"name": name, "code": code, "company_id": company, "lot_stock_id": lot}, session
    )
    db.insert("stock.location", {"name": "Quarantine", "usage": "internal", "company_id": company, "location_id": lot})
    for kind, one, other in (("incoming", 2, lot), ("outgoing", lot, 1)):
        made = db.insert(
            "stock.picking.type",
            {
                "name": f"{code}: {kind}",
                "code": kind,
                "warehouse_id": id,
                "company_id": company,
                "default_location_src_id": one,
                "default_location_dest_id": other,
            },
        )
        db.update("stock.warehouse", id, {"in_type_id" if kind == "incoming" else "out_type_id": made})
    return id


def fill(db: Database, retailer: Retailer | None, companies: Sequence[str] = ("kz", "bg")) -> None:
    """Afterwards the database holds the retailer, as it was at the opening; without one only the places."""
    db.opening = OPENED
    db.transact(lambda: _places(db, LOCATIONS if retailer is None else retailer.locations, companies))
    if retailer is not None:
        db.transact(lambda: _goods(db, retailer, companies))
        if "kz" in companies:
            people = db.transact(lambda: [_person(db, person) for person in retailer.people])
            for order in retailer.orders:
                if order.known:
                    db.opening = OPENED + timedelta(days=1 + order.day, minutes=5)
                    db.transact(partial(_sale, db, retailer, order, people))
    db.opening = None


def _places(db: Database, places: Sequence[Location], companies: Sequence[str]) -> None:
    for place in places:
        if place.company in companies:
            code = SHORT.get(place.code, place.code[:5].upper())
            db.places[code] = place.code
            warehouse(db, place.name, code, 1 if place.company == "kz" else 2)


def _goods(db: Database, retailer: Retailer, companies: Sequence[str]) -> None:
    abroad = {offer.variant.sku: offer for offer in retailer.abroad} if "bg" in companies else {}
    made = 0
    for product in retailer.products:
        own = [one for one in product.variants if ("kz" in companies and "erp" in one.sold_in) or one.sku in abroad]
        if not own:
            continue
        db.opening = OPENED + timedelta(seconds=made // 40)
        made += 1
        category = db.one("product.category", name=product.category)
        of = category["id"] if category is not None else db.insert("product.category", {"name": product.category})
        template = create(
            db,
            "product.template",
            {
                "name": product.title,
                "x_code": product.code,
                "description_sale": product.text or False,
                "categ_id": of,
                "uom_id": 1,
                "is_storable": True,
                "list_price": float(own[0].price),
                "attribute_line_ids": [[0, 0, line] for line in _lines(db, own)],
            },
            ADMIN,
        )
        for variant in own:
            _variant(db, template, variant, kz="kz" in companies)
            offer = abroad.get(variant.sku)
            if offer is not None:
                item = db.one("product.product", default_code=variant.sku)
                assert item is not None
                create(
                    db,
                    "product.pricelist.item",
                    {
                        "pricelist_id": 2,
                        "applied_on": "0_product_variant",
                        "product_id": item["id"],
                        "fixed_price": float(offer.price),
                    },
                    ADMIN,
                )
                _lie(db, item["id"], offer.on_hand)


def _lines(db: Database, variants: Sequence[Variant]) -> list[Doc]:
    """The attribute lines of which the variants are made."""
    found: dict[str, list[int]] = {}
    for variant in variants:
        for name, value in variant.options.items():
            attribute = db.one("product.attribute", name=name)
            of = attribute["id"] if attribute is not None else db.insert("product.attribute", {"name": name})
            one = db.one("product.attribute.value", name=value, attribute_id=of)
            id = (
                one["id"]
                if one is not None
                else db.insert("product.attribute.value", {"name": value, "attribute_id": of})
            )
            found.setdefault(name, [])
            if id not in found[name]:
                found[name].append(id)
    return [
        {"attribute_id": (db.one("product.attribute", name=name) or {})["id"], "value_ids": [[6, 0, ids]]}
        for name, ids in found.items()
    ]


def _variant(db: Database, template: int, variant: Variant, *, kz: bool) -> None:
    """The variant of these options gets its reference, price and stock."""
    wanted = set(variant.options.values())
    for doc in db.all("product.product", product_tmpl_id=template):
        values = {
            db.value("product.template.attribute.value", one, "name", ADMIN)
            for one in doc["product_template_attribute_value_ids"]
        }
        if values != wanted:
            continue
        cost = float(round(variant.price * 55 / 100, 2))
        own = {"default_code": variant.sku, "barcode": variant.gtin or False, "standard_price": cost}
        db.update("product.product", doc["id"], own)
        if kz:
            create(
                db,
                "product.pricelist.item",
                {
                    "pricelist_id": 1,
                    "applied_on": "0_product_variant",
                    "product_id": doc["id"],
                    "fixed_price": float(variant.price),
                },
                ADMIN,
            )
            _lie(db, doc["id"], variant.on_hand)
        return


def _lie(db: Database, product: int, places: object) -> None:
    codes = {code: short for short, code in db.places.items()}
    for code, quantity in dict(places).items():  # type: ignore[call-overload]
        house = db.one("stock.warehouse", code=codes.get(code, code))
        if house is not None and quantity:
            put(db, product, house["lot_stock_id"], Decimal(quantity), "opening", None)


def _person(db: Database, person: Person) -> int:
    """A partner, where the ERP knows the person; else one that has only bought something."""
    if "erp" not in person.known_in:
        return 0
    digits = person.phone
    return create(
        db,
        "res.partner",
        {
            "name": f"{person.first} {person.last}",
            "email": person.email,
            "country_id": 1,
            "phone": f"8 ({digits[:3]}) {digits[3:6]}-{digits[6:8]}-{digits[8:]}",
            "street": person.street,
            "city": "Алматы",
            "zip": "050000",
            "lang": {"kk": "kk_KZ", "ru": "ru_RU", "en": "en_US"}[person.language],
        },
        ADMIN,
    )


def _sale(db: Database, retailer: Retailer, order: PastOrder, people: Sequence[int]) -> None:
    """A past sale: confirmed, delivered, paid."""
    person = retailer.people[order.person]
    partner = people[order.person] or create(
        db,
        "res.partner",
        {"name": f"{person.first} {person.last}", "email": person.email, "phone": f"+7{person.phone}"},
        ADMIN,
    )
    house = db.one("stock.warehouse", code=SHORT["almaty-wh"])
    lines = []
    for n, sku in enumerate(order.skus, 1):
        item = db.one("product.product", default_code=sku)
        assert item is not None
        variant = next(one for one in retailer.variants() if one.sku == sku)
        lines.append(
            [
                0,
                0,
                {
                    "product_id": item["id"],
                    "product_uom_qty": 1.0,
                    "x_serai_key": str(n),
                    "price_unit": float(variant.price_in("shop")),
                    "name": variant.name,
                },
            ]
        )
    made = create(
        db,
        "sale.order",
        {
            "partner_id": partner,
            "client_order_ref": order.number,
            "origin": f"legacy-{order.number}",
            "warehouse_id": house["id"] if house is not None else False,
            "order_line": lines,
            "x_serai_payment": "paid",
            "date_order": OPENED + timedelta(days=1 + order.day),
        },
        ADMIN,
    )
    confirm(db, made, ADMIN)
    for picking in db.all("stock.picking", sale_id=made):
        for move in db.all("stock.move", picking_id=picking["id"]):
            set_quantity(db, move, 0.0)  # the opening stock is what lay there afterwards
        cancel_picking(db, picking["id"])
        _done_before(db, picking["id"])


def _done_before(db: Database, picking: int) -> None:
    """The delivery is done, without moving the goods of the opening stock."""
    for move in db.all("stock.move", picking_id=picking):
        db.update("stock.move", move["id"], {"state": "done", "quantity": move["product_uom_qty"], "picked": True})
    db.update("stock.picking", picking, {"state": "done", "date_done": db.now()})
