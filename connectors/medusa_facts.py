"""What Medusa's collections are to us, and how its answers become documents.

What surprises here: see medusa.py, whose facts and documents these are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from connectors.base import Doc, Resource, Write
from connectors.errors import ShapeChanged
from connectors.medusa_lists import BATCH, READ, list_of, place_of

KEY = "serai_key"
"""Where our reference stands in ``metadata``."""
OPTION = "Article"
LEVELS = "id,sku,*location_levels,*variants"
BY_ID = {"order": "id", "with_deleted": "true"}


def _listed(path: str, items: str, fields: str, **facts: Any) -> Resource:
    """A collection paged by offset over ids."""
    return Resource(path=path, items=items, paging="offset", paging_options={"total": "count"}, page_size=200, lag=60.0,
                    params={**BY_ID, "fields": fields}, **facts)  # fmt: skip


def _streamed(path: str, items: str, fields: str, **facts: Any) -> Resource:
    """A collection paged by ``id[$gt]``."""
    return Resource(path=path, items=items, paging="keyset", paging_options={"param": "id[$gt]"}, page_size=200,
                    lag=60.0, since="updated_at[$gte]", params={**BY_ID, "fields": fields}, **facts)  # fmt: skip


FULFILMENTS = "*fulfillments,*fulfillments.items,*fulfillments.labels"
RESOURCES: Mapping[str, Resource] = {
    "locations": _listed("/admin/stock-locations", "stock_locations", "id,name,metadata,updated_at,deleted_at",
                         since="updated_at[$gte]"),
    "products": _listed("/admin/products", "products",
                        "id,title,handle,status,description,external_id,metadata,updated_at,deleted_at",
                        since="updated_at[$gte]", batch=50, create="POST /admin/products/batch",
                        update="POST /admin/products/batch", reference="external_id", reference_field="external_id"),
    "variants": _listed("/admin/product-variants", "variants",
                        "id,title,sku,barcode,ean,product_id,metadata,updated_at,deleted_at,*inventory_items",
                        since="updated_at[$gte]", create="POST variants/batch", update="POST variants/batch", batch=50,
                        reference="sku", reference_field=f"metadata.{KEY}"),
    "prices": _listed("/admin/product-variants", "variants", "id,product_id,updated_at,deleted_at,*prices",
                      since="updated_at[$gte]", create="POST variants/batch", update="POST variants/batch",
                      delete="POST prices/batch", batch=50, reference="variant_id"),
    "price_lists": replace(_listed("/admin/price-lists", "price_lists", READ, updated=None), page_size=5),
    "stock": _listed("/admin/inventory-items", "inventory_items", LEVELS, updated=None, stock_kind="available",
                     create="POST location-levels/batch", update="POST location-levels/batch", batch=100),
    "customers": _streamed("/admin/customers", "customers",
                           "id,email,first_name,last_name,phone,has_account,metadata,updated_at,deleted_at",
                           create="POST /admin/customers", update="POST /admin/customers/{id}",
                           reference="email", reference_field=f"metadata.{KEY}"),
    "orders": _streamed("/admin/orders", "orders",
                        "id,display_id,status,email,currency_code,created_at,updated_at,canceled_at,payment_status,"
                        "fulfillment_status,total,shipping_total,discount_total,customer_id,*customer,*shipping_address,"
                        f"*items,{FULFILMENTS}"),
    "returns": _listed("/admin/returns", "returns",
                       "id,order_id,display_id,status,received_at,location_id,updated_at,*items",
                       since="updated_at[$gte]"),
    "shipments": _streamed("/admin/orders", "orders", f"id,updated_at,{FULFILMENTS}",
                           create="POST fulfillments", reference="order_id", reference_field=f"metadata.{KEY}"),
}  # fmt: skip


def adjusted(resources: Mapping[str, Resource], options: Mapping[str, Any]) -> Mapping[str, Resource]:
    """The resources with the channel's own ``page_size`` and ``lag``, where its settings name them."""
    own: dict[str, Any] = {}
    if "page_size" in options:
        own["page_size"] = int(options["page_size"])
    if "lag" in options:
        own["lag"] = float(options["lag"])
    return {name: replace(facts, **own) for name, facts in resources.items()}


def parted(facts: Resource, writes: Sequence[Write]) -> list[list[Write]]:
    """Neighbouring writes that may go in one call: variants and prices of one product or list, others up to a batch."""
    parts: list[list[Write]] = []
    for write in writes:
        last = parts[-1] if parts else []
        listed = _list_of(write) is not None
        same = bool(last) and (
            _list_of(last[0]) == _list_of(write) if listed or _list_of(last[0]) is not None
            else last[0].doc.get("product_id") == write.doc.get("product_id")
        ) and (last[0].op == "delete") is (write.op == "delete")
        if same and len(last) < (BATCH if listed else facts.batch):
            last.append(write)
        else:
            parts.append([write])
    return parts


def _list_of(write: Write) -> str | None:
    """The price list that a write is about; None: none."""
    found: str | None = list_of(write.id) if write.op == "delete" else write.doc.get("price_list")
    return found


def paired(
    new: Sequence[Write], old: Sequence[Write], answer: Doc, reference: Callable[[Doc], Any], sent: Sequence[Any]
) -> Mapping[str, Doc]:
    """Documents by key: updated ones by id, created ones by the ``reference`` that was ``sent`` with each, as a batch
    answers in any order. ShapeChanged: they cannot be told apart."""
    created, updated = answer.get("created"), answer.get("updated")
    if not isinstance(created, list) or not isinstance(updated, list):
        raise ShapeChanged("the answer to a batch does not hold what was created and updated")
    by_id = {str(doc["id"]): doc for doc in updated}
    by_reference = {str(reference(doc)): doc for doc in created}
    if set(by_reference) != set(map(str, sent)) or len(created) != len(new):
        raise ShapeChanged("the answer to a batch does not hold just what was created")
    pairs = {write.key: by_reference[str(word)] for write, word in zip(new, sent, strict=True)}
    return pairs | {write.key: by_id[str(write.id)] for write in old if str(write.id) in by_id}


def level_id(doc: Doc) -> str:
    return f"{doc['inventory_item_id']}@{doc['location_id']}"


def level_doc(level: Doc, variant: str | None = None) -> Doc:
    """A stock level with an id that names its place, and what may still be sold there."""
    stocked, reserved = Decimal(level["stocked_quantity"]), Decimal(level["reserved_quantity"])
    names = ("inventory_item_id", "location_id", "stocked_quantity", "reserved_quantity", "updated_at")
    return {"id": level_id(level), **{name: level[name] for name in names}, "available_quantity": stocked - reserved,
            "variant_id": variant}  # fmt: skip


def level_docs(item: Doc) -> list[Doc]:
    variants = [variant["id"] for variant in item.get("variants") or [] if variant.get("deleted_at") is None]
    levels = [level for level in item.get("location_levels") or [] if level.get("deleted_at") is None]
    return [level_doc(level, variants[0] if len(variants) == 1 else None) for level in levels]


def price_id(doc: Doc) -> str:
    """The place of a price: of a variant in a currency, or in one of our lists."""
    return f"{doc['variant_id']}@{doc['currency_code']}" if doc.get("price_list") is None else place_of(doc)


def price_docs(variant: Doc) -> list[Doc]:
    """The variant's base prices: those without a rule or a number of pieces."""
    if variant.get("deleted_at") is not None:
        return []
    base = [
        {"variant_id": variant["id"], "product_id": variant["product_id"], "currency_code": price["currency_code"],
         "amount": price["amount"], "updated_at": variant["updated_at"]}
        for price in variant.get("prices") or []
        if not price.get("rules") and price.get("min_quantity") is None and price.get("max_quantity") is None
    ]  # fmt: skip
    return [{"id": price_id(doc), **doc} for doc in base]


def fulfilment_doc(order: Doc, part: Doc) -> Doc:
    return {**part, "id": f"{order['id']}@{part['id']}", "order_id": order["id"], "updated_at": order["updated_at"]}


def fulfilment_of(order: Doc, key: str) -> Doc | None:
    """The order's fulfilment that carries our reference and was not cancelled."""
    for part in order.get("fulfillments") or []:
        if (part.get("metadata") or {}).get(KEY) == key and part.get("canceled_at") is None:
            return fulfilment_doc(order, part)
    return None
