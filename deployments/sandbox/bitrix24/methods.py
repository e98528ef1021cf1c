"""The portal's methods: name → what it does with its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from deployments.sandbox.bitrix24.catalogue import of_catalogue, of_documents
from deployments.sandbox.bitrix24.events import of_events
from deployments.sandbox.bitrix24.lists import Listed, page
from deployments.sandbox.bitrix24.orders import of_orders
from deployments.sandbox.bitrix24.queries import lowered
from deployments.sandbox.bitrix24.state import FIELDS, MULTIPLE, Fault, Portal
from deployments.sandbox.notation import Doc

Method = Callable[[Doc], Any]
RESOURCES = {"contact": "contacts", "company": "companies", "deal": "deals", "activity": "activities",
             "product": "products", "offer": "offers", "price": "prices", "store": "stores", "document": "documents",
             "storeproduct": "stock", "order": "orders"}  # fmt: skip
"""Kind → what its collection is called in the books and in ill tempers."""
UNTOLD = {"contact": ("ADDRESS_COUNTRY_CODE",)}
"""What may be written and is not among the fields of an answer."""
OF_SYSTEM = ("ID", "DATE_CREATE", "DATE_MODIFY", "CREATED_BY_ID", "MODIFY_BY_ID", "LAST_ACTIVITY_TIME",
             "LAST_ACTIVITY_BY", "HAS_PHONE", "HAS_EMAIL", "HAS_IMOL", "STAGE_SEMANTIC_ID", "CLOSED")  # fmt: skip


def shown(doc: Doc, select: Any) -> Doc:
    """The fields of a document that were selected; several values of a field only where it is named."""
    names = list(select.values()) if isinstance(select, Mapping) else list(select or ["*", "UF_*"])
    own = {name: value for name, value in doc.items() if name != "rows"}
    plain = {n: v for n, v in own.items() if n not in MULTIPLE and not n.startswith("UF_")}
    found = dict(plain) if "*" in names else {n: v for n, v in plain.items() if n in names or n == "ID"}
    found |= {n: v for n, v in own.items() if n.startswith("UF_") and ("UF_*" in names or n in names)}
    return found | {n: own[n] for n in MULTIPLE if n in names and own.get(n)}


def of_crm(portal: Portal, kind: str) -> Mapping[str, Method]:
    """The five methods of a kind of record."""
    resource = RESOURCES[kind]

    def written(op: str, work: Callable[[Doc], Any]) -> Method:
        def method(params: Doc) -> Any:
            fields = params.get("fields")
            reference = fields.get("ORIGIN_ID") if isinstance(fields, Mapping) else None
            try:
                made = work(params)
            except Fault as fault:
                portal.booked(resource, op, params.get("id"), reference=reference, code=fault.description)
                raise
            portal.booked(resource, op, made if op == "create" else params.get("id"), reference=reference)
            return made

        return method

    def listed(params: Doc) -> Listed:
        fields = (*FIELDS[kind], *OF_SYSTEM, *MULTIPLE)
        docs = [row.doc for row in portal.table(kind).values()]
        found, empty = page(portal, docs, params, id="ID", fields=fields)
        rows = [told(shown(doc, params.get("select"))) for doc in found]
        return Listed(result=rows, total=empty.total, following=empty.following)

    def told(doc: Doc) -> Doc:
        return {name: value for name, value in doc.items() if name not in UNTOLD.get(kind, ())}

    def one(params: Doc) -> Doc:
        doc = told(portal.get(kind, params.get("id")))
        return {name: value for name, value in doc.items() if name != "rows" and (name not in MULTIPLE or value)}

    def gone(params: Doc) -> bool:
        lost = {"contact": "Element not found", "company": "Company is not found"}.get(kind, "Not found")
        portal.drop(kind, params.get("id"), lost)
        return True

    return {
        f"crm.{kind}.list": listed,
        f"crm.{kind}.get": one,
        f"crm.{kind}.add": written("create", lambda params: int(portal.enter(kind, params.get("fields"))["ID"])),
        f"crm.{kind}.update": written(
            "update", lambda params: portal.enter(kind, params.get("fields"), params.get("id") or 0) is not None
        ),
        f"crm.{kind}.delete": written("delete", gone),
    }


def of_activities(portal: Portal) -> Mapping[str, Method]:
    """What is read of calls, meetings and mail."""

    def listed(params: Doc) -> Listed:
        docs = [row.doc for row in portal.table("activity").values()]
        fields = tuple({name for doc in docs for name in doc} | {"ID", "LAST_UPDATED"})
        found, empty = page(portal, docs, params, id="ID", fields=fields)
        rows = [{**shown(doc, params.get("select")), "COMMUNICATIONS": doc.get("COMMUNICATIONS", [])} for doc in found]
        return Listed(result=rows, total=empty.total, following=empty.following)

    return {
        "crm.activity.list": listed,
        "crm.activity.get": lambda params: portal.get("activity", params.get("id"), "Activity is not found"),
    }


def methods(portal: Portal) -> Mapping[str, Method]:
    """All of them, by name."""

    def lines(params: Doc) -> bool:
        portal.lines(params.get("id"), params.get("rows") or [])
        return True

    found: dict[str, Method] = {**of_crm(portal, "contact"), **of_crm(portal, "company"), **of_crm(portal, "deal")}
    found |= {**of_activities(portal), **of_catalogue(portal), **of_documents(portal), **of_orders(portal)}
    found |= {
        **of_events(portal),
        "crm.deal.productrows.get": lambda params: portal.get("deal", params.get("id"))["rows"],
        "crm.deal.productrows.set": lines,
    }
    return {name: _lowering(method) for name, method in found.items()}


def _lowering(method: Method) -> Method:
    return lambda params: method(lowered(params))
