"""The bodies of writes and what answers to them mean, as pure functions; `Rest` sends and receives.

What surprises here:

* A refused batch with more than one write in it says nothing of each: the caller sends its halves, so that one bad
  record does not stop the others (promise P6).
* ``holds`` compares a document with what we sent only to find out whether an *update* arrived. A difference means
  "send it again", never "the platform changed it": an absolute value sent twice does no harm (P3).

Names in a batch call, overridden by ``Resource.batch_options``: the body is ``{list: [{op, id, expected, doc}]}``, the
answer ``{results: [{status, id, doc, error}]}`` in the order of the writes, or in any order where ``key`` is named.
``doc: ""`` puts the document's fields beside the others; an empty name leaves that part out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

from connectors.answers import said
from connectors.base import Doc, Receipt, Resource, ShapeChanged, Write
from connectors.paging import ABSENT, at

NAMES: Mapping[str, str] = {
    "list": "items", "op": "op", "id": "id", "expected": "expected", "doc": "doc", "key": "",
    "results": "results", "status": "status", "error": "error",
}  # fmt: skip
NOT_FOUND = "not found: "
"""How the detail of a settled write begins that never arrived and may be sent again."""


def filled(template: str, id: str | None) -> tuple[str, str]:
    """Method and path of "METHOD path", the id quoted into ``{id}``; a template without a method is a GET."""
    method, _, path = template.strip().rpartition(" ")
    return method or "GET", path.replace("{id}", quote(id if id is not None else "", safe=""))


def body_of(facts: Resource, write: Write) -> Doc:
    """The document to send: our reference put in its place on a create, wrapped in ``embed``."""
    doc = write.doc
    if write.op == "create" and facts.reference_field is not None:
        doc = placed(doc, facts.reference_field.split("."), write.key)
    return doc if facts.embed is None else {facts.embed: doc}


def placed(doc: Doc, steps: Sequence[str], value: Any) -> Doc:
    """A copy of the document that holds ``value`` at the path; a value that already stands there stays."""
    head, *rest = steps
    there = doc.get(head)
    if not rest:
        return doc if there is not None else {**doc, head: value}
    return {**doc, head: placed(there if isinstance(there, dict) else {}, rest, value)}


def document_of(facts: Resource, body: Any) -> Doc | None:
    """The document in the answer to a write or a fetch, unwrapped; None where the answer carries none."""
    if isinstance(body, Mapping) and facts.embed is not None and isinstance(body.get(facts.embed), dict):
        body = body[facts.embed]
    return body if isinstance(body, dict) and at(body, facts.id) is not ABSENT else None


def id_of(facts: Resource, doc: Mapping[str, Any] | None) -> str | None:
    """The document's id as text; None where it has none."""
    found = ABSENT if doc is None else at(doc, facts.id)
    return None if found is ABSENT or found is None else str(found)


def judged(facts: Resource, write: Write, status: int, body: Any, clean: Callable[[str], str]) -> Receipt:
    """The receipt of one write that was answered with a status: 2xx applied or accepted, 5xx unknown, else rejected."""
    doc = document_of(facts, body)
    id = id_of(facts, doc)
    if id is None and isinstance(body, Mapping) and isinstance(body.get("id"), str | int):
        id = str(body["id"])
    id = write.id if id is None else id
    if status == 202:
        ticket = at(body, "ticket")
        return Receipt(outcome="accepted", id=id, ticket=None if ticket in (ABSENT, None) else str(ticket))
    if 200 <= status < 300:
        return Receipt(outcome="applied", id=id, doc=doc if facts.returns_doc else None)
    text = clean(said(body)) or "the platform does not say why"
    if status == 408 or status >= 500:
        return Receipt(outcome="unknown", id=write.id, detail=f"HTTP {status}: {text}")
    if status in (409, 412, 428):
        text = f"{text} (the platform holds another version than we expected)" if write.expected is not None else text
    return Receipt(outcome="rejected", id=write.id, detail=f"HTTP {status}: {text}")


def batch_body(facts: Resource, writes: Sequence[Write]) -> Doc:
    """The body of a batch call, in the names of the module's docstring."""
    names = {**NAMES, **facts.batch_options}
    return {names["list"]: [_row(facts, write, names) for write in writes]}


def _row(facts: Resource, write: Write, names: Mapping[str, str]) -> Doc:
    parts = {"op": write.op, "id": write.id, "expected": write.expected, "key": write.key}
    row: Doc = {names[part]: value for part, value in parts.items() if names[part] and value is not None}
    if write.op == "delete":
        return row
    return {**row, **body_of(facts, write)} if names["doc"] == "" else {**row, names["doc"]: body_of(facts, write)}


def batch_receipts(
    facts: Resource, writes: Sequence[Write], body: Any, clean: Callable[[str], str]
) -> Mapping[str, Receipt]:
    """Receipts by key. Raises ShapeChanged when the answer cannot be laid beside the writes one by one."""
    names = {**NAMES, **facts.batch_options}
    rows = at(body, names["results"])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ShapeChanged(f"{facts.path}: the answer to a batch has no list of objects at `{names['results']}`")
    if names["key"]:
        by_key = {str(row.get(names["key"])): row for row in rows}
        pairs = [(write, by_key[write.key]) for write in writes if write.key in by_key]
    elif len(rows) == len(writes):
        pairs = list(zip(writes, rows, strict=True))
    else:
        raise ShapeChanged(f"{facts.path}: a batch of {len(writes)} was answered with {len(rows)} results")
    return {write.key: _batch_receipt(facts, write, row, names, clean) for write, row in pairs}


def _batch_receipt(
    facts: Resource, write: Write, row: Doc, names: Mapping[str, str], clean: Callable[[str], str]
) -> Receipt:
    error, status = row.get(names["error"]), row.get(names["status"])
    if not isinstance(status, int) or isinstance(status, bool):
        status = 200 if error is None else 422
    if not 200 <= status < 300:
        return judged(facts, write, status, row if error is None else {"error": error}, clean)
    held = row.get(names["doc"]) if names["doc"] else row
    receipt = judged(facts, write, status, held, clean)
    told = row.get(names["id"])
    if receipt.id is None and told is not None:
        return Receipt(outcome=receipt.outcome, id=str(told), doc=receipt.doc, ticket=receipt.ticket)
    return receipt


def holds(doc: Any, sent: Any) -> bool:
    """Every value sent stands in the document, however the platform writes numbers; what was not sent is ignored."""
    if isinstance(sent, Mapping):
        return isinstance(doc, Mapping) and all(name in doc and holds(doc[name], sent[name]) for name in sent)
    if isinstance(sent, list):
        return isinstance(doc, list) and len(doc) == len(sent) and all(map(holds, doc, sent))
    if doc == sent and isinstance(doc, bool) == isinstance(sent, bool):
        return True
    one, other = _exact(doc), _exact(sent)
    return one is not None and one == other


def _exact(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return None


def settled(facts: Resource, write: Write, doc: Doc | None) -> Receipt:
    """The receipt of an update or delete whose outcome was open, from the document as the platform now holds it."""
    if write.op == "delete":
        if doc is None:
            return Receipt(outcome="applied", id=write.id)
        return Receipt(outcome="rejected", detail=NOT_FOUND + "the document is still there")
    if doc is None:
        return Receipt(outcome="rejected", detail=NOT_FOUND + "the document does not exist")
    if holds(doc, write.doc):
        return Receipt(outcome="applied", id=id_of(facts, doc), doc=doc)
    return Receipt(outcome="rejected", detail=NOT_FOUND + "the document does not hold what was sent")
