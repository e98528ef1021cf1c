"""The portal's methods: name → what it does with its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployments.sandbox.bitrix24.queries import kept, lowered, ordered
from deployments.sandbox.bitrix24.state import FIELDS, MULTIPLE, Fault, Portal
from deployments.sandbox.notation import Doc

Method = Callable[[Doc], Any]
EVENTS = tuple(f"ONCRM{word}{what}" for word in ("CONTACT", "DEAL") for what in ("ADD", "UPDATE", "DELETE"))
OF_SYSTEM = ("ID", "DATE_CREATE", "DATE_MODIFY", "CREATED_BY_ID", "MODIFY_BY_ID", "LAST_ACTIVITY_TIME",
             "LAST_ACTIVITY_BY", "HAS_PHONE", "HAS_EMAIL", "HAS_IMOL", "STAGE_SEMANTIC_ID", "CLOSED")  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A page of a list; ``total`` None: nobody counted."""

    result: Any
    total: int | None = None
    following: int | None = None


def page(portal: Portal, docs: list[Doc], params: Doc, *, id: str, fields: Sequence[str]) -> tuple[list[Doc], Listed]:
    """The documents of a page, and the page without them: 50 of those that the filter keeps, in the order asked for."""
    for name in ("filter", "order", "select"):
        if name in params and not isinstance(params[name], Mapping | list):
            raise Fault(f"Parameter '{name}' must be array.")
    keep = kept(params.get("filter"), fields, portal.zone)
    found = ordered([doc for doc in docs if keep(doc)], params.get("order"), id, portal.zone)
    start = int(str(params.get("start") or 0))
    if start < 0:
        return found[: portal.page], Listed(result=None)
    after = start + portal.page
    more = after if after < len(found) else None
    return found[start:after], Listed(result=None, total=len(found), following=more)


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
    resource = {"contact": "contacts", "deal": "deals"}[kind]

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
        fields = (*FIELDS[kind], *OF_SYSTEM, *MULTIPLE, *_custom(portal, kind))
        docs = [row.doc for row in portal.table(kind).values()]
        found, empty = page(portal, docs, params, id="ID", fields=fields)
        rows = [shown(doc, params.get("select")) for doc in found]
        return Listed(result=rows, total=empty.total, following=empty.following)

    def one(params: Doc) -> Doc:
        doc = portal.get(kind, params.get("id"))
        return {name: value for name, value in doc.items() if name != "rows" and (name not in MULTIPLE or value)}

    def gone(params: Doc) -> bool:
        lost = {"contact": "Element not found", "deal": "Not found"}[kind]
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


def _custom(portal: Portal, kind: str) -> set[str]:
    return {name for row in portal.table(kind).values() for name in row.doc if name.startswith("UF_")}


def of_events(portal: Portal) -> Mapping[str, Method]:
    """Who is told of what."""

    def bind(params: Doc) -> bool:
        event, handler = str(params.get("event", "")).upper(), str(params.get("handler", ""))
        if event not in EVENTS:
            raise Fault("Event not found", "ERROR_EVENT_NOT_FOUND")
        row = {"event": event, "handler": handler, "auth_type": str(params.get("auth_type") or 0), "offline": 0}
        if row in portal.handlers:
            raise Fault("Handler already binded", "ERROR_EVENT_BINDING_EXISTS")
        portal.handlers.append(row)
        return True

    def unbind(params: Doc) -> Doc:
        event, handler = str(params.get("event", "")).upper(), params.get("handler")
        gone = [row for row in portal.handlers if row["event"] == event and row["handler"] == handler]
        portal.handlers[:] = [row for row in portal.handlers if row not in gone]
        return {"count": len(gone)}

    return {
        "events": lambda params: list(EVENTS), "event.bind": bind, "event.unbind": unbind,
        "event.get": lambda params: list(portal.handlers),
    }  # fmt: skip


def methods(portal: Portal) -> Mapping[str, Method]:
    """All of them, by name."""

    def lines(params: Doc) -> bool:
        portal.lines(params.get("id"), params.get("rows") or [])
        return True

    found: dict[str, Method] = {**of_crm(portal, "contact"), **of_crm(portal, "deal"), **of_events(portal)}
    found |= {
        "crm.deal.productrows.get": lambda params: portal.get("deal", params.get("id"))["rows"],
        "crm.deal.productrows.set": lines,
    }
    return {name: _lowering(method) for name, method in found.items()}


def _lowering(method: Method) -> Method:
    return lambda params: method(lowered(params))
