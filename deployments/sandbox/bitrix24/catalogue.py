"""The portal's catalogue: stores, products and variations, prices, and stock, which only documents move.

What surprises here:

* A product without variations is sold itself (type 1); one with some is their head (type 3); a variation is type 4.
* A document moves goods when it is conducted: S brings them in, D takes them out, not more than there are. A conducted
  one cannot be deleted: the answer is null.
* Nothing of the catalogue is unique but a price: one of a type for a product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from deployments.sandbox.bitrix24.lists import Listed, listed
from deployments.sandbox.bitrix24.state import CURRENCIES, Fault, Portal, Row
from deployments.sandbox.notation import Doc

PRODUCTS, OFFERS = 23, 24
"""The numbers of the two catalogues."""
Method = Callable[[Doc], Any]
ARTICLE: Mapping[str, Any] = {
    "active": "Y", "available": "Y", "bundle": "N", "canBuyZero": "N", "code": None, "createdBy": 1,
    "dateActiveFrom": None, "dateActiveTo": None, "detailPicture": None, "detailText": None, "detailTextType": "text",
    "height": None, "iblockSectionId": None, "length": None, "measure": 5, "modifiedBy": 1, "name": None,
    "previewPicture": None, "previewText": None, "previewTextType": "text", "purchasingCurrency": None,
    "purchasingPrice": None, "quantity": 0, "quantityReserved": 0, "quantityTrace": "Y", "sort": 500,
    "subscribe": "D", "vatId": None, "vatIncluded": "N", "weight": 0, "width": None, "xmlId": None,
}  # fmt: skip
STORE: Mapping[str, Any] = {
    "active": "Y", "address": "", "code": None, "description": None, "email": None, "gpsN": None, "gpsS": None,
    "imageId": None, "issuingCenter": "N", "modifiedBy": 1, "phone": None, "schedule": None, "sort": 100, "title": "",
    "userId": 1, "xmlId": None,
}  # fmt: skip
DOCUMENT: Mapping[str, Any] = {
    "commentary": None, "createdBy": 1, "dateDocument": None, "modifiedBy": 1, "siteId": "s1", "statusBy": None,
    "title": None, "total": None,
}  # fmt: skip


def figure(value: Any) -> Decimal | int:
    """A figure as the catalogue writes it: whole where it is whole. Raises Fault for what is none."""
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise Fault(f"Validate error. {value!r} is no number", 0) from None
    return int(found) if found == found.to_integral_value() else found.normalize()


def lying(portal: Portal, product: int, store: int) -> Doc:
    """The row of a product in a store, which begins with nothing."""
    for row in portal.table("storeproduct").values():
        if (row.doc["productId"], row.doc["storeId"]) == (product, store):
            return row.doc
    doc = {"amount": 0, "productId": product, "quantityReserved": None, "storeId": store}
    return portal.put("storeproduct", doc)


def move(portal: Portal, product: int, store: int, delta: Decimal, *, why: str, doc: str | None = None) -> None:
    """Goods come in or go out, and the books say why."""
    row = lying(portal, product, store)
    now = figure(Decimal(str(row["amount"])) + delta)
    portal.put("storeproduct", {**row, "amount": now}, row["id"])
    article = (portal.table("product").get(product) or portal.table("offer")[product]).doc
    portal.books.enter(
        "stock", portal.now(), sku=article["xmlId"], location=str(store), delta=str(delta), now=str(now), why=why,
        doc=doc,
    )  # fmt: skip


def reserve(portal: Portal, product: int, store: int, delta: Decimal) -> None:
    """So much more (or less) of what lies there is promised."""
    row = lying(portal, product, store)
    held = Decimal(str(row["quantityReserved"] or 0)) + delta
    portal.put("storeproduct", {**row, "quantityReserved": figure(held)}, row["id"])


def article(
    portal: Portal, kind: str, fields: Mapping[str, Any], id: int | None = None, parent: int | None = None
) -> Doc:
    """A product or variation entered or changed. Raises Fault."""
    given = {name: value for name, value in fields.items() if name in ARTICLE}
    old = {} if id is None else portal.table(kind)[id].doc
    doc: Doc = {**ARTICLE, "dateCreate": portal.stamp(), **old, **given, "timestampX": portal.stamp()}
    if str(doc["name"] or "") == "":
        raise Fault("Required fields: name", 0)
    doc["measure"] = int(str(doc["measure"])) if doc["measure"] not in (None, "") else None
    doc["iblockId"] = PRODUCTS if kind == "product" else OFFERS
    doc["type"] = old.get("type", 1) if kind == "product" else 4
    if kind == "offer" and parent is not None:
        doc["parentId"] = {"value": str(parent), "valueId": str(portal.number("value", 9001))}
        head = portal.table("product")[parent].doc
        portal.put("product", {**head, "type": 3}, parent)
    if id is None:  # both catalogues count with one number
        id = portal.number("element", 1201)
        portal.table(kind)[id] = Row(doc={**doc, "id": id}, at=portal.now())
        portal.told("product", "ADD", str(id))
        return portal.table(kind)[id].doc
    return portal.put(kind, doc, id)


def priced(portal: Portal, fields: Mapping[str, Any], id: int | None = None, *, by: str = "api") -> Doc:
    """A price entered or changed. Raises Fault."""
    wanted = ("price", "currency") if id is not None else ("productId", "catalogGroupId", "price", "currency")
    lacking = [name for name in wanted if fields.get(name) in (None, "")]
    if lacking:
        raise Fault(f"Required fields: {', '.join(lacking)}", 0)
    if fields["currency"] not in CURRENCIES:
        raise Fault("Validate price error. Currency is wrong", 0)
    old = {"extraId": None, "quantityFrom": None, "quantityTo": None} if id is None else portal.table("price")[id].doc
    doc: Doc = {**old, "price": figure(fields["price"]), "currency": fields["currency"], "timestampX": portal.stamp()}
    if id is None:
        doc |= {name: int(str(fields[name])) for name in ("productId", "catalogGroupId")}
        same = [row.doc for row in portal.table("price").values() if row.doc["productId"] == doc["productId"]]
        if any(other["catalogGroupId"] == doc["catalogGroupId"] for other in same):
            why = "Validate price error. Catalog product is allowed has only single price without ranges in price group"
            raise Fault(why, 0)
    made = portal.put("price", doc, id)
    held = portal.table("product").get(doc["productId"]) or portal.table("offer").get(doc["productId"])
    portal.books.enter(
        "price", portal.now(), sku=None if held is None else held.doc["xmlId"], list=str(doc["catalogGroupId"]),
        was=None if id is None else str(old["price"]), now=str(doc["price"]), currency=doc["currency"], why=by,
    )  # fmt: skip
    return made


def _one(portal: Portal, kind: str, params: Doc, lost: str, error: Any = 0) -> Doc:
    if params.get("id") in (None, ""):
        raise Fault("Could not find value for parameter {id}", 100)
    row = portal.table(kind).get(int(str(params["id"]))) if str(params["id"]).isdigit() else None
    if row is None:
        raise Fault(lost, error)
    return row.doc


def _fields(params: Doc) -> Mapping[str, Any]:
    fields = params.get("fields")
    if not isinstance(fields, Mapping) or not fields:
        raise Fault("Could not find value for parameter {fields}", 100)
    return fields


def of_catalogue(portal: Portal) -> Mapping[str, Method]:
    """The methods of stores, products, variations, prices and what lies where."""

    def rows(kind: str) -> list[Doc]:
        return [row.doc for row in portal.table(kind).values()]

    def articles(kind: str, word: str, iblock: int) -> Method:
        def method(params: Doc) -> Listed:
            select, filter = params.get("select") or [], params.get("filter") or {}
            if not {"id", "iblockId"} <= set(select):
                raise Fault("Fields id, iblockId are not specified in the selection fields", 0)
            if "iblockId" not in filter:
                raise Fault("Field iblockId is not specified in the filter", 0)
            found = rows(kind) if str(filter["iblockId"]) == str(iblock) else []
            return listed(portal, found, params, word, (*ARTICLE, "id", "iblockId", "timestampX", "type", "parentId"))

        return method

    def added(params: Doc) -> Doc:
        fields = _fields(params)
        if str(fields.get("iblockId")) != str(PRODUCTS):
            raise Fault("Information block with the specified identifier does not exist", 200040300000)
        made = article(portal, "product", fields)
        portal.booked("products", "create", made["id"], reference=made["xmlId"])
        return {"element": made}

    def changed(kind: str, word: str) -> Method:
        def method(params: Doc) -> Doc:
            doc = _one(portal, kind, params, f"{kind} does not exist")
            portal.booked("products", "update", doc["id"])
            return {word: article(portal, kind, _fields(params), doc["id"])}

        return method

    def price_added(params: Doc) -> Doc:
        made = priced(portal, _fields(params))
        portal.booked("prices", "create", made["id"])
        return {"price": made}

    def price_changed(params: Doc) -> Doc:
        doc = _one(portal, "price", params, "Price does not exist", "-")
        portal.booked("prices", "update", doc["id"])
        return {"price": priced(portal, _fields(params), doc["id"])}

    def price_gone(params: Doc) -> bool:
        doc = _one(portal, "price", params, "Price does not exist", "-")
        portal.drop("price", doc["id"], "Price does not exist")
        return True

    price = ("id", "productId", "catalogGroupId", "price", "currency", "timestampX")
    place = ("id", "productId", "storeId", "amount", "quantityReserved")
    return {
        "catalog.store.list": lambda p: listed(
            portal, rows("store"), p, "stores", (*STORE, "id", "dateModify", "dateCreate")
        ),
        "catalog.store.get": lambda p: {
            "store": _one(portal, "store", p, "Store with the specified identifier not found", 201100000000)
        },
        "catalog.product.list": articles("product", "products", PRODUCTS),
        "catalog.product.get": lambda p: {"product": _one(portal, "product", p, "product does not exist")},
        "catalog.product.add": added,
        "catalog.product.update": changed("product", "element"),
        "catalog.product.offer.list": articles("offer", "offers", OFFERS),
        "catalog.product.offer.get": lambda p: {"offer": _one(portal, "offer", p, "offer does not exist")},
        "catalog.product.offer.update": changed("offer", "offer"),
        "catalog.price.list": lambda p: listed(portal, rows("price"), p, "prices", price),
        "catalog.price.get": lambda p: {"price": _one(portal, "price", p, "Price does not exist", "-")},
        "catalog.price.add": price_added,
        "catalog.price.update": price_changed,
        "catalog.price.delete": price_gone,
        "catalog.storeproduct.list": lambda p: listed(portal, rows("storeproduct"), p, "storeProducts", place),
        "catalog.storeproduct.get": lambda p: {
            "storeProduct": _one(portal, "storeproduct", p, "Store product does not exist", "-")
        },
    }


def of_documents(portal: Portal) -> Mapping[str, Method]:
    """The methods of stock documents."""

    def open_one(id: Any) -> Doc:
        row = portal.table("document").get(int(str(id))) if str(id).isdigit() else None
        if row is None:
            raise Fault("Document not found", "ERROR_DOCUMENT_STATUS")
        if row.doc["status"] == "Y":
            raise Fault("Conducted document", "ERROR_DOCUMENT_STATUS")
        return row.doc

    def added(params: Doc) -> Doc:
        fields = _fields(params)
        if fields.get("docType") not in ("A", "S", "M", "R", "D"):
            raise Fault("DOC_TYPE isn't available", "0")
        if fields.get("currency") not in CURRENCIES or fields.get("responsibleId") in (None, ""):
            raise Fault("Required fields: currency, responsibleId", "0")
        stamp = portal.stamp()
        doc = {**DOCUMENT, "dateCreate": stamp, "dateModify": stamp, "dateStatus": stamp, "status": "N",
               "docType": fields["docType"], "currency": fields["currency"], "docNumber": fields.get("docNumber"),
               "commentary": fields.get("commentary"), "responsibleId": int(str(fields["responsibleId"]))}  # fmt: skip
        made = portal.put("document", doc)
        portal.booked("stock", "create", made["id"], reference=made["docNumber"])
        return {"document": made}

    def element(params: Doc) -> Doc:
        fields = _fields(params)
        document = open_one(fields.get("docId"))
        product, amount = str(fields.get("elementId")), figure(fields.get("amount") or 0)
        known = product.isdigit() and (int(product) in portal.table("product") or int(product) in portal.table("offer"))
        if not known or amount <= 0:
            raise Fault("Error of adding new document element", "0")
        stores = {name: None if fields.get(name) in (None, "") else int(str(fields[name]))
                  for name in ("storeFrom", "storeTo")}  # fmt: skip
        if any(store is not None and store not in portal.table("store") for store in stores.values()):
            raise Fault("Access denied", "ERROR_DOCUMENT_RIGHTS")
        doc = {"docId": document["id"], "elementId": int(product), "amount": amount, "purchasingPrice": None, **stores}
        return {"documentElement": portal.put("element_row", doc)}

    def conduct(params: Doc) -> bool:
        row = portal.table("document").get(int(str(params.get("id") or 0))) if str(params.get("id")).isdigit() else None
        if row is None:
            raise Fault("Document not found", "0")
        doc = row.doc
        goods = [r.doc for r in portal.table("element_row").values() if r.doc["docId"] == doc["id"]]
        if doc["status"] == "Y" or not goods:
            raise Fault("Document conducting error: the document is empty or conducted", "0")
        if doc["docType"] == "A":
            raise Fault("Document conducting error: Supplier not specified", "0")
        for good in goods:
            place = good["storeTo"] if doc["docType"] == "S" else good["storeFrom"]
            if place is None:
                raise Fault("Document conducting error: store not specified", "0")
            if doc["docType"] == "D" and lying(portal, good["elementId"], place)["amount"] < good["amount"]:
                raise Fault("Document conducting error: not enough goods in the store", "0")
        for good in goods:
            sign, place = (1, good["storeTo"]) if doc["docType"] == "S" else (-1, good["storeFrom"])
            delta = Decimal(str(good["amount"])) * sign
            move(portal, good["elementId"], place, delta, why="api", doc=str(doc["id"]))
        portal.put("document", {**doc, "status": "Y", "dateStatus": portal.stamp()}, doc["id"])
        return True

    def gone(params: Doc) -> bool | None:
        row = portal.table("document").get(int(str(params.get("id") or 0)))
        if row is None:
            raise Fault("Document not found", "0")
        if row.doc["status"] == "Y":
            return None
        portal.drop("document", row.doc["id"], "Document not found")
        return True

    fields = (*DOCUMENT, "id", "docType", "status", "docNumber", "currency", "responsibleId", "dateModify")
    return {
        "catalog.document.add": added,
        "catalog.document.element.add": element,
        "catalog.document.conduct": conduct,
        "catalog.document.delete": gone,
        "catalog.document.list": lambda p: listed(
            portal, [row.doc for row in portal.table("document").values()], p, "documents", fields
        ),
    }
