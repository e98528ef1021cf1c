"""How a write becomes calls: what must be asked before, what is sent, and what of it the portal now holds.

What surprises here:

* Stock is changed by documents only: a receipt (S) or a write-off (D) of the difference, with our key as its number. It
  is made, filled and conducted in one batch; a draft that a lost connection left behind is deleted and made anew.
* What a sale takes while a document is under way stays taken: a document moves goods, it sets no figure.
* The CRM answers a write with a number or true: the record is asked for in the same batch, so that it is known at once
  how the portal holds it. That asking may fail; the write stands.
* Rows with ids (telephone, mail) take the place of the first ones; what else people entered stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from connectors.base import Doc, Resource, Write
from connectors.bitrix24_batch import MADE, Call, Said
from connectors.bitrix24_facts import MULTIPLE, ORIGINATOR, REFERENCE, field_of, listing, number_of

Known = Mapping[str, Said]
"""What came of the calls of `before`, by name."""


def before(resource: str, facts: Resource, writes: Sequence[Write], options: Mapping[str, Any]) -> dict[str, Call]:
    """What has to be read before these writes can be sent."""
    updates = [write for write in writes if write.op == "update"]
    rows = [numbered(write.id) for write in updates if set(MULTIPLE) & set(write.doc)]
    if resource in ("contacts", "companies") and rows:
        params = {"select": ["ID", *MULTIPLE], "filter": {"@ID": rows}, "order": {"ID": "ASC"}, "start": -1}
        return {"held": Call(method=f"{facts.path}.list", params=params)}
    if resource == "products" and updates and options.get("offers") is not None:
        query = {"iblockId": number_of(options, "offers"), "id": [write.id for write in updates]}
        params = {"select": ["id", "iblockId"], "filter": query, "order": {"id": "ASC"}, "start": -1}
        return {"offers": Call(method="catalog.product.offer.list", params=params)}
    if resource != "stock":
        return {}
    asked = {f"row{n}": rows_of(write.doc) for n, write in enumerate(writes)}
    again = [write.key for write in writes if write.attempt > 1]
    if again:
        select = ["id", "status", "docNumber"]
        query = {"@docNumber": again, "status": "N"}
        params = {"select": select, "filter": query, "order": {"id": "ASC"}, "start": -1}
        asked["drafts"] = Call(method="catalog.document.list", params=params)
    return asked


def rows_of(doc: Doc) -> Call:
    """What lies of a product in a store."""
    query = {"productId": doc["productId"], "storeId": doc["storeId"]}
    return Call(method="catalog.storeproduct.list", params={"filter": query, "order": {"id": "ASC"}, "start": -1})


def leftovers(known: Known) -> dict[str, Call]:
    """What an earlier attempt left behind half done, to be deleted."""
    drafts = known["drafts"].result["documents"] if "drafts" in known else []
    return {
        f"draft{doc['id']}": Call(method="catalog.document.delete", params={"id": doc["id"]})
        for doc in drafts if doc.get("status") == "N"
    }  # fmt: skip


def calls(
    resource: str, facts: Resource, write: Write, place: int, known: Known, options: Mapping[str, Any]
) -> list[Call]:
    """The calls that carry out a write, in their order; none where there is nothing to do."""
    if write.op == "delete":
        return [Call(method=str(facts.delete), params={"id": numbered(write.id)})]
    if resource == "stock":
        return _posted(write, known[f"row{place}"], options)
    fields = {name: value for name, value in write.doc.items() if name not in ("ID", "id", "KEY", "rows")}
    if resource == "products":
        return [_article(facts, write, fields, known, options)]
    if resource == "prices":
        if write.op == "create":
            return [Call(method=str(facts.create), params={"fields": fields})]
        priced = {name: fields[name] for name in ("price", "currency") if name in fields}
        return [Call(method=str(facts.update), params={"id": write.id, "fields": priced})]
    return _record(facts, write, fields, known)


def _record(facts: Resource, write: Write, fields: Doc, known: Known) -> list[Call]:
    """A record of the CRM, with the lines of a deal."""
    id = numbered(write.id)
    if write.op == "create":
        fields |= {"ORIGINATOR_ID": ORIGINATOR, REFERENCE: write.key}
    held = {str(doc["ID"]): doc for doc in known["held"].result} if "held" in known else {}
    for name in [name for name in MULTIPLE if name in fields]:
        fields[name] = renumbered(fields[name] or [], held.get(str(id), {}).get(name) or [])
        if fields[name] == []:
            del fields[name]
    if write.op == "create":
        first = Call(method=str(facts.create), params={"fields": fields})
    else:
        first = Call(method=str(facts.update), params={"id": id, "fields": fields})
    made = MADE if write.op == "create" else id
    if facts.returns_doc:
        return [first, Call(method=str(facts.fetch), params={"id": made})]
    rows = write.doc.get("rows")
    if rows is None or (rows == [] and write.op == "create"):
        return [first]
    lines = {"id": made, "rows": rows}
    return [first, Call(method=f"{facts.path}.productrows.set", params=lines)]


def _article(facts: Resource, write: Write, fields: Doc, known: Known, options: Mapping[str, Any]) -> Call:
    """An article: a product of the catalogue, or a variation where the number is one's."""
    if write.op == "create":
        fields = {"iblockId": number_of(options, "catalogue"), **fields}
        return Call(method=str(facts.create), params={"fields": fields})
    offers = {str(doc["id"]) for doc in known["offers"].result["offers"]} if "offers" in known else set()
    method = "catalog.product.offer.update" if write.id in offers else str(facts.update)
    return Call(method=method, params={"id": write.id, "fields": fields})


def _posted(write: Write, lying: Said, options: Mapping[str, Any]) -> list[Call]:
    """A document that moves what is missing in, or what is too much out. Raises ValueError for what is no figure."""
    doc = write.doc
    there: Doc = next(iter(lying.result["storeProducts"]), {})
    wanted = Decimal(str(doc["quantity"]))
    if not wanted.is_finite():
        raise ValueError("it holds a number that is not finite")
    delta = wanted + Decimal(str(there.get("quantityReserved") or 0)) - Decimal(str(there.get("amount") or 0))
    if delta == 0:
        return []
    told = {"docType": "S" if delta > 0 else "D", "currency": doc["currency"], "docNumber": write.key,
            "responsibleId": number_of(options, "responsible"), "commentary": ORIGINATOR}  # fmt: skip
    row = {"docId": MADE, "elementId": doc["productId"], "amount": abs(delta),
           "storeTo" if delta > 0 else "storeFrom": doc["storeId"]}  # fmt: skip
    return [
        Call(method="catalog.document.add", params={"fields": told}),
        Call(method="catalog.document.element.add", params={"fields": row}),
        Call(method="catalog.document.conduct", params={"id": MADE}),
    ]


def renumbered(sent: Sequence[Doc], held: Sequence[Doc]) -> list[Doc]:
    """Rows to write so that those sent stand first: each takes the id (and kind) of the one in its place, an empty one
    deletes it, and a further row that says the same as one sent goes; what else people entered stays."""
    rows = [{**row, "ID": old["ID"], "VALUE_TYPE": old["VALUE_TYPE"]} for row, old in zip(sent, held, strict=False)]
    rows += [row for row in sent[len(held) :] if row.get("VALUE") not in (None, "")]
    values = [row.get("VALUE") for row in sent]
    twice = [old for old in held[len(sent) :] if old["VALUE"] in values]
    return rows + [{"ID": old["ID"], "VALUE_TYPE": old["VALUE_TYPE"], "VALUE": ""} for old in twice]


def reference(resource: str, facts: Resource, write: Write, options: Mapping[str, Any]) -> tuple[Call, Doc]:
    """The call that looks for what a create made, and what its document must hold to be it."""
    doc, field = write.doc, field_of(facts)
    if resource == "stock":
        query: Doc = {"docNumber": write.key, "status": "Y"}
        params = {"select": ["id", "status", "docNumber"], "filter": query, "order": {"id": "ASC"}, "start": -1}
        return Call(method="catalog.document.list", params=params), query
    if resource == "products":
        query = {"iblockId": number_of(options, "catalogue"), "xmlId": doc.get("xmlId")}
    elif resource == "prices":
        query = {name: doc[name] for name in ("productId", "catalogGroupId")}
    else:
        query = {"ORIGINATOR_ID": ORIGINATOR, REFERENCE: write.key}
    return Call(method=f"{facts.path}.list", params=listing(resource, facts, query) | {"order": {field: "ASC"}}), query


def same(resource: str, sent: Doc, held: Doc) -> tuple[Doc, Doc]:
    """What was sent and what is held in one notation: "" and null are the same, and of rows only the values count."""
    rows = {name: [{"VALUE": row["VALUE"]} for row in sent[name] or [] if row.get("VALUE") not in (None, "")]
            for name in MULTIPLE if name in sent}  # fmt: skip
    cut = {name: (held.get(name) or [])[: len(values)] for name, values in rows.items()}
    told = {name: value for name, value in sent.items() if name in held}  # a contact's country, say, is never told
    return _plain(told | rows), _plain(held | cut)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value if not (isinstance(inner, dict) and inner.get("VALUE") == "")]
    return None if value == "" else value


def numbered(id: str | None) -> str | None:
    """The number in an id, without what Bitrix24 writes before it where several kinds may stand."""
    return None if id is None else id.rpartition("_")[2]


def place(write: Write) -> str:
    """What the stock row is called by that a write is about."""
    return f"{write.doc['productId']}@{write.doc['storeId']}"
