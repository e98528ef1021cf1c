"""What Bitrix24's collections are to us: which methods read and write them, what is asked for, what their news are.

What surprises here (see bitrix24.py, whose facts these are):

* ``Resource.path`` is the common part of a collection's method names (``crm.contact`` → ``crm.contact.list``);
  ``since`` is a key of the filter, and ``paging_options.param`` the one by which pages follow each other.
* A contact and a company, a deal and an order may have one number: companies are called CO_8 and orders O_236, as
  Bitrix24 itself writes where both may stand. A stock row is called by its product and store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from connectors.base import Doc, Resource
from connectors.errors import Misconfigured

PAGE = 50
"""Documents in a page and commands in a batch, always."""
AHEAD = 10
"""Pages that are read in one request once a list has more than one: a method's time is limited too."""
REFERENCE = "ORIGIN_ID"
ORIGINATOR = "serai"
"""What stands in ORIGINATOR_ID of what we created; our key stands in ORIGIN_ID."""
MULTIPLE = ("PHONE", "EMAIL", "WEB", "IM")
"""Fields that hold several values, each with an id of its own."""
PREFIXES: Mapping[str, str] = {"companies": "CO_", "orders": "O_"}


def _crm(path: str, **given: Any) -> Resource:
    facts: dict[str, Any] = {
        "items": "result", "id": "ID", "updated": "DATE_MODIFY", "since": ">=DATE_MODIFY", "lag": 60.0,
        "paging": "keyset", "paging_options": {"param": ">ID", "size": ""}, "page_size": PAGE, "fetch_size": PAGE,
        "fetch": f"{path}.get", "create": f"{path}.add", "update": f"{path}.update", "delete": f"{path}.delete",
        "batch": PAGE // 2, "reference": REFERENCE, "reference_field": REFERENCE,
    }  # fmt: skip
    return Resource(path=path, **{**facts, **given})


def _shop(path: str, items: str, updated: str | None, **given: Any) -> Resource:
    facts: dict[str, Any] = {
        "items": f"result.{items}", "id": "id", "updated": updated, "lag": 60.0, "paging": "keyset",
        "since": None if updated is None else f">={updated}", "paging_options": {"param": ">id", "size": ""},
        "page_size": PAGE, "fetch_size": PAGE, "fetch": f"{path}.get", "batch": PAGE,
    }  # fmt: skip
    return Resource(path=path, **{**facts, **given})


_READ = {"create": None, "update": None, "delete": None, "reference": None, "reference_field": None}
RESOURCES: Mapping[str, Resource] = {
    "contacts": _crm("crm.contact"),
    "companies": _crm("crm.company", id="KEY"),
    "deals": _crm("crm.deal", fetch_size=PAGE // 2, returns_doc=False),
    "activities": _crm("crm.activity", updated="LAST_UPDATED", since=">=LAST_UPDATED", **_READ),
    "stores": _shop("catalog.store", "stores", "dateModify"),
    "products": _shop(
        "catalog.product", "products", "timestampX", create="catalog.product.add", update="catalog.product.update",
        reference="xmlId", reference_field="xmlId",
    ),
    "offers": _shop("catalog.product.offer", "offers", "timestampX"),
    "prices": _shop(
        "catalog.price", "prices", "timestampX", create="catalog.price.add", update="catalog.price.update",
        delete="catalog.price.delete", reference="productId", reference_field="productId",
    ),
    "stock": _shop(
        "catalog.storeproduct", "storeProducts", None, id="KEY", create="catalog.document.add",
        update="catalog.document.add", batch=PAGE // 3, reference="docNumber", reference_field="docNumber",
        returns_doc=False, stock_kind="available",
    ),
    "orders": _shop("sale.order", "orders", "dateUpdate", id="KEY"),
}  # fmt: skip
_ARTICLE = ("id", "iblockId", "name", "code", "xmlId", "active", "detailText", "measure", "type", "timestampX", "vatId")
SELECTED: Mapping[str, Sequence[str]] = {
    "contacts": ("*", "UF_*", *MULTIPLE), "companies": ("*", "UF_*", *MULTIPLE), "deals": ("*", "UF_*"),
    "activities": ("*", "COMMUNICATIONS"), "stores": (), "products": _ARTICLE, "offers": (*_ARTICLE, "parentId"),
    "prices": (), "stock": (), "orders": ("id", "dateUpdate"),
}  # fmt: skip
"""Resource → what a list is asked for; several values of a field come only when it is named, "" is all there is."""
MADE_AT: Mapping[str, str] = {"products": "[element][id]", "prices": "[price][id]", "stock": "[document][id]"}
"""Resource → where the first answer to a create has the new id; of the CRM it is the answer."""
NEEDS: Mapping[str, tuple[str, ...]] = {"products": ("catalogue",), "offers": ("offers",)}
"""Resource → the settings without which it cannot be read."""
SCOPES: Mapping[str, tuple[str, ...]] = {
    name: ("sale" if facts.path.startswith("sale") else facts.path.partition(".")[0],)
    for name, facts in RESOURCES.items()
}
"""Resource → the rights that its reading and writing need."""
EVENTS: Mapping[str, str] = {
    **{f"ONCRM{word}{what}": resource
       for word, resource in (("CONTACT", "contacts"), ("COMPANY", "companies"), ("DEAL", "deals"),
                              ("ACTIVITY", "activities"))
       for what in ("ADD", "UPDATE", "DELETE")},
    **{f"CATALOG.{word}.ON.{what}": resource for word, resource in (("PRODUCT", "products"), ("PRICE", "prices"))
       for what in ("ADD", "UPDATE", "DELETE")},
    "ONSALEORDERSAVED": "orders", "ONSALEORDERDELETED": "orders",
}  # fmt: skip
"""Event → the resource it is news of. Stock has none."""


def queued(options: Mapping[str, Any]) -> bool:
    """Whether the portal keeps its events for us. Raises Misconfigured."""
    value = options.get("events", "online")
    if value not in ("online", "offline"):
        raise Misconfigured(f"`events` in the channel's settings: found {value!r}; allowed: online, offline")
    return bool(value == "offline")


def adjusted(options: Mapping[str, Any]) -> Mapping[str, Resource]:
    """The resources with the channel's own ``lag`` and ``batch``. Raises Misconfigured."""
    found = dict(RESOURCES)
    for name, most in (("lag", 86_400), ("batch", PAGE)):
        value = options.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= most:
            raise Misconfigured(f"`{name}` in the channel's settings should be a whole number from 1 to {most}")
        for resource, facts in found.items():
            batch = name == "batch"
            found[resource] = replace(facts, batch=min(value, facts.batch)) if batch else replace(facts, lag=value)
    return found


def number_of(options: Mapping[str, Any], name: str) -> int:
    """The number under a setting. Raises Misconfigured."""
    value = options.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Misconfigured(f"`{name}` in the channel's settings should be the number of {_MEANT[name]}")
    return value


_MEANT = {
    "catalogue": "the portal's catalogue of products (`productIblockId` in catalog.catalog.list)",
    "offers": "the portal's catalogue of variations (`iblockId` in catalog.catalog.list)",
    "responsible": "the user who is responsible for stock documents",
}


def field_of(facts: Resource) -> str:
    """The field with a document's number: ID or id."""
    return facts.paging_options["param"][1:]


def keyed(resource: str, doc: Doc) -> Doc:
    """The document with what it is called by, where its number alone is not enough."""
    if resource in PREFIXES:
        return {**doc, "KEY": f"{PREFIXES[resource]}{doc.get('ID', doc.get('id'))}"}
    if resource == "stock":
        return {**doc, "KEY": f"{doc['productId']}@{doc['storeId']}"}
    return doc


def listing(resource: str, facts: Resource, query: Mapping[str, Any], wanted: Sequence[str] = ()) -> Doc:
    """The parameters of a list: by id from the last one on, without counting (``start: -1``); no page shifts."""
    selected = list(SELECTED[resource])
    field = field_of(facts)
    if wanted and "*" not in wanted and resource != "orders":
        needed = (field, facts.updated, *(("iblockId",) if resource in NEEDS else ()), *wanted)
        selected = sorted({path.partition(".")[0].partition("[")[0] for path in needed if path} - {"KEY", "rows"})
    chosen = {"select": selected} if selected else {}
    return {**chosen, "filter": dict(query), "order": {field: "ASC"}, "start": -1}
