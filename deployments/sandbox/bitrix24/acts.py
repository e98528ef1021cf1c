"""What people do in the simulated portal: sales people and those at the desk, by verb."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from deployments.sandbox.bitrix24 import orders
from deployments.sandbox.bitrix24.state import Fault, Portal
from deployments.sandbox.design import Refused
from deployments.sandbox.notation import Doc

_KINDS = {"contacts": "contact", "companies": "company", "deals": "deal"}


def _found(portal: Portal, kind: str, id: Any) -> Doc:
    try:
        return portal.get(kind, id)
    except Fault as fault:
        raise Refused(404, "not_found", fault.description) from None


def edit_phone(portal: Portal, ask: Doc) -> Doc:
    """A customer (or somebody at the desk) changes the first telephone number of a contact."""
    held = _found(portal, "contact", ask["id"])["PHONE"]
    row = {"VALUE": str(ask["phone"]), "VALUE_TYPE": "MOBILE"}
    if held:
        row |= {"ID": held[0]["ID"]}
    return portal.enter("contact", {"PHONE": [row]}, ask["id"], by="people")


def add(portal: Portal, ask: Doc) -> Doc:
    """Somebody enters a record: ``resource`` (contacts, companies, deals), ``doc`` (its fields)."""
    kind = _KINDS[str(ask["resource"])]
    return portal.enter(kind, ask["doc"], by="people")


def edit(portal: Portal, ask: Doc) -> Doc:
    """Somebody changes a record: ``resource``, ``id``, ``changes`` (fields)."""
    kind = _KINDS[str(ask["resource"])]
    _found(portal, kind, ask["id"])
    return portal.enter(kind, ask["changes"], ask["id"], by="people")


def look(portal: Portal, ask: Doc) -> Doc:
    """A record as it stands: ``resource``, ``id``."""
    return _found(portal, _KINDS[str(ask["resource"])], ask["id"])


def remove(portal: Portal, ask: Doc) -> Doc:
    """Somebody deletes a record: ``resource``, ``id``."""
    kind = _KINDS[str(ask["resource"])]
    _found(portal, kind, ask["id"])
    portal.drop(kind, ask["id"], "Not found")
    return {"ok": True}


ACTS: Mapping[str, Callable[[Portal, Doc], Doc]] = {
    "edit_phone": edit_phone, "add": add, "edit": edit, "look": look, "remove": remove, "met": Portal.met,
    "order": orders.place, "order_to": orders.change,
}  # fmt: skip
