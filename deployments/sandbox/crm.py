"""The CRM: contacts and deals, every property a text; deleting archives, and archived rows leave the list.

What surprises here: it keeps the points of the loyalty cards. An event is booked once under its number, whoever says it
again; nobody redeems more than there is; a reversal gives back what its event took, once.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from deployments.sandbox.design import By, Collection, Design, Lists, Refused
from deployments.sandbox.engine import System
from deployments.sandbox.notation import Doc, utc_millis


def _envelope(resource: str, docs: list[Doc], facts: Doc) -> Any:
    return {"results": docs, "total": facts["total"], "page": facts["page"], "pages": facts["pages"]}


def _met(system: System, old: Doc | None, new: Doc, by: By) -> None:
    person = new["properties"]
    facts = {"id": new["id"], "email": person["email"], "phone": person["phone"], "archived": new["archived"]}
    system.books.enter("customer", system.now(), **facts, why=by)


def _check_deal(system: System, old: Doc | None, new: Doc, by: By) -> None:
    contact = new["properties"]["contact_id"]
    if contact != "" and system.find("contacts", contact) is None:
        raise Refused(422, "unknown_contact", f"contacts has no {contact}", field="properties.contact_id")
    if Decimal(new["properties"]["amount"]) < 0:
        raise Refused(422, "bad_amount", "an amount is not below zero", field="properties.amount")


def _dealt(system: System, old: Doc | None, new: Doc, by: By) -> None:
    deal = new["properties"]
    if old is not None:
        was = old["properties"]["stage"]
        if was != deal["stage"]:
            facts = {"id": new["id"], "number": deal["order_number"], "was": was, "now": deal["stage"]}
            system.books.enter("change", system.now(), **facts, why=by)
        return
    lines = [{"sku": line["sku"], "quantity": line["qty"], "total": line["amount"]} for line in new["lines"]]
    system.books.enter(
        "order", system.now(), id=new["id"], number=deal["order_number"], reference=deal["external_id"],
        total=deal["amount"], currency=deal["currency"], lines=lines, handed_over=False, state=deal["stage"],
        customer=deal["contact_id"], why=by,
    )  # fmt: skip


def edit_phone(system: System, ask: Doc) -> Doc:
    """A customer (or somebody at the desk) changes the phone number of a contact."""
    return system.edit("contacts", str(ask["id"]), {"properties": {"phone": ask["phone"]}})


def _holder(system: System, card: str) -> tuple[Doc, Decimal]:
    """The contact that has the card, and what the card holds."""
    for doc in system.docs("contacts"):
        for one in doc.get("cards", ()):
            if one["number"] == card:
                return doc, Decimal(one["points"])
    raise Refused(422, "unknown_card", "no contact has this card", field="card")


def _event(system: System, number: str) -> Doc | None:
    return next((doc for doc in system.docs("points") if doc["number"] == number), None)


def _check_points(system: System, old: Doc | None, new: Doc, by: By) -> None:
    points, (_, there) = Decimal(new["points"]), _holder(system, new["card"])
    if _event(system, new["number"]) is not None:
        raise Refused(409, "known_number", "this number is booked already", field="number")
    if points <= 0:
        raise Refused(422, "bad_points", "points are above zero", field="points")
    if new["kind"] == "redeem" and points > there:
        raise Refused(422, "not_enough", "the card holds fewer points", field="points")
    if new["kind"] == "reverse":
        of = _event(system, new["reverses"])
        if of is None or of["card"] != new["card"] or of["kind"] == "reverse":
            raise Refused(422, "unknown_event", "there is no such event of this card", field="reverses")


def _booked(system: System, old: Doc | None, new: Doc, by: By) -> None:
    adds = new["kind"] == "earn"
    if new["kind"] == "reverse":
        of = _event(system, new["reverses"])
        adds = of is not None and of["kind"] == "redeem"
    contact, points = _holder(system, new["card"])
    points += Decimal(new["points"]) if adds else -Decimal(new["points"])
    cards = [one | ({"points": str(points)} if one["number"] == new["card"] else {}) for one in contact["cards"]]
    system.edit("contacts", contact["id"], {"cards": cards}, by="system")
    system.books.enter(
        "points", system.now(), card=new["card"], event=new["kind"], number=new["number"], points=new["points"],
        left=str(points), why=by,
    )  # fmt: skip


_ALL = frozenset({"create", "update", "delete"})

CRM = Design(
    name="crm",
    written=utc_millis,
    resolution=timedelta(milliseconds=1),
    lists=Lists(
        style="page", size=20, since="updatedAfter", position="page", reference="external_id", envelope=_envelope
    ),
    batch=0,
    acts={"edit_phone": edit_phone},
    places={"new order": "POST /deals", "reads": "GET"},
    collections={
        "contacts": Collection(
            id="id",
            first=50101,
            allows=_ALL,
            then=_met,
            stamp="updatedAt",
            created="createdAt",
            archived="archived",
            reference="properties.external_id",
        ),
        "deals": Collection(
            id="id",
            first=90001,
            allows=_ALL,
            check=_check_deal,
            then=_dealt,
            stamp="updatedAt",
            created="createdAt",
            archived="archived",
            reference="properties.external_id",
        ),
        "campaigns": Collection(id="id", first=70001, stamp="updatedAt", created="createdAt"),
        "points": Collection(
            id="id", first=30001, allows=frozenset({"create"}), check=_check_points, then=_booked, stamp="updatedAt",
            created="createdAt", reference="external_id", once=True,
        ),
    },
)
