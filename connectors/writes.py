"""Writes: their bodies, what answers to them mean, and how a page of them is sent through a given ``exchange``.

What surprises here:

* A refused batch with more than one write in it says nothing of each: the caller sends its halves, so that one bad
  record does not stop the others (promise P6).
* ``holds`` compares a document with what we sent only to find out whether an *update* arrived. A difference means
  "send it again", never "the platform changed it": an absolute value sent twice does no harm (P3).

* After a time-out the rest is not sent: ``RetryLater`` is raised, and what has no receipt may go again.

Names in a batch call, overridden by ``Resource.batch_options``: the body is ``{list: [{op, id, expected, doc}]}``, the
answer ``{results: [{status, id, doc, error}]}`` in the order of the writes, or in any order where ``key`` is named.
``doc: ""`` puts the document's fields beside the others; an empty name leaves that part out: without ``list`` the body
is the bare list, without ``results`` a 2xx says that all of them were applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from connectors.answers import AWAY, Answer, Unsure, encoded, said
from connectors.base import Doc, Receipt, Resource, Write
from connectors.errors import Misconfigured, RetryLater, ShapeChanged
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
    doc = referenced(facts, write)
    return doc if facts.embed is None else {facts.embed: doc}


def referenced(facts: Resource, write: Write) -> Doc:
    """The document of a create with our reference in it; a reference that the mapping itself wrote stays."""
    if write.op != "create" or facts.reference_field is None:
        return write.doc
    return placed(write.doc, facts.reference_field.split("."), write.key)


def reference_of(facts: Resource, write: Write) -> str:
    """By what a create is found again: the reference its document carries."""
    return str(at(referenced(facts, write), facts.reference_field or ""))


def placed(doc: Doc, steps: Sequence[str], value: Any) -> Doc:
    """A copy of the document that holds ``value`` at the path; a text or number that already stands there stays."""
    head, *rest = steps
    there = doc.get(head)
    if not rest:
        return {**doc, head: value} if there is None or there == "" else doc
    return {**doc, head: placed(there if isinstance(there, dict) else {}, rest, value)}


def document_of(facts: Resource, body: Any) -> Doc | None:
    """The document in the answer to a write or a fetch, unwrapped; None where the answer carries none.

    Where one document comes alone under the key at which lists stand, it is found there.
    """
    if not isinstance(body, dict):
        return None
    inner = body.get(facts.embed) if facts.embed is not None else None
    if not isinstance(inner, dict) and facts.items != "":
        inner = at(body, facts.items)
    doc = inner if isinstance(inner, dict) else body
    return doc if at(doc, facts.id) is not ABSENT else None


def id_of(facts: Resource, doc: Mapping[str, Any] | None) -> str | None:
    """The document's id as text; None where it has none."""
    found = ABSENT if doc is None else at(doc, facts.id)
    return None if found is ABSENT or found is None else str(found)


def judged(facts: Resource, write: Write, status: int, body: Any, clean: Callable[[str], str]) -> Receipt:
    """The receipt of one write that was answered with a status: 2xx applied or accepted, 5xx unknown, else rejected."""
    doc = document_of(facts, body)
    id = id_of(facts, doc)
    if id is None and isinstance(body, dict) and isinstance(body.get("id"), str | int):
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
    stale = status in (409, 412, 428) and write.expected is not None
    text = f"{text} (the platform holds another version than we expected)" if stale else text
    return Receipt(outcome="rejected", id=write.id, detail=f"HTTP {status}: {text}", stale=stale)


def batch_body(facts: Resource, writes: Sequence[Write]) -> Doc | list[Doc]:
    """The body of a batch call, in the names of the module's docstring."""
    names = {**NAMES, **facts.batch_options}
    listed, op, id, expected, key, doc = [names[part] for part in ("list", "op", "id", "expected", "key", "doc")]
    rows: list[Doc] = []
    for write in writes:
        row: Doc = {}
        if op:
            row[op] = write.op
        if id and write.id is not None:
            row[id] = write.id
        if expected and facts.expect is not None and write.expected is not None:
            row[expected] = write.expected
        if key:
            row[key] = write.key
        if write.op != "delete" and doc:
            row[doc] = body_of(facts, write)
        elif write.op != "delete":
            row |= body_of(facts, write)
        rows.append(row)
    return {listed: rows} if listed else rows


def batch_receipts(
    facts: Resource, writes: Sequence[Write], body: Any, clean: Callable[[str], str]
) -> Mapping[str, Receipt]:
    """Receipts by key. Raises ShapeChanged when the answer cannot be laid beside the writes one by one."""
    names = {**NAMES, **facts.batch_options}
    if names["results"] == "":
        return {write.key: Receipt(outcome="applied", id=write.id) for write in writes}
    rows = at(body, names["results"])
    if not isinstance(rows, list) or not {type(row) for row in rows} <= {dict}:
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
    if type(status) is not int:
        status = 200 if error is None else 422
    if not 200 <= status < 300:
        return judged(facts, write, status, row if error is None else {"error": error}, clean)
    held = row.get(names["doc"]) if names["doc"] else row
    receipt = judged(facts, write, status, held, clean)
    if receipt.id is None and (told := row.get(names["id"])) is not None:
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


def unsearchable(write: Write) -> Receipt:
    """The receipt of a create whose outcome is open on a platform that cannot be asked for our reference."""
    detail = "this resource cannot be searched by our reference; look for the document on the platform"
    return Receipt(outcome="unknown", ticket=write.ticket, detail=detail)


def sought(facts: Resource, write: Write, docs: Sequence[Doc]) -> Receipt:
    """The receipt of a create whose outcome was open, from the documents that a search for our reference found."""
    ours = reference_of(facts, write)
    docs = [doc for doc in docs if at(doc, facts.reference_field or "") == ours]
    if not docs:
        return Receipt(outcome="rejected", detail=NOT_FOUND + "no document carries our reference")
    more = "" if len(docs) == 1 else f"{len(docs)} documents carry our reference; archive all but the first"
    return Receipt(outcome="applied", id=id_of(facts, docs[0]), doc=docs[0], detail=more)


@dataclass(frozen=True, kw_only=True)
class _Outlet:
    """Through which the writes of one call go."""

    facts: Resource
    exchange: Callable[..., Answer]
    clean: Callable[[str], str]
    find: Callable[[Write], Receipt]
    where: str


def receipts(
    facts: Resource,
    writes: Sequence[Write],
    *,
    exchange: Callable[..., Answer],
    clean: Callable[[str], str],
    find: Callable[[Write], Receipt],
    where: str,
) -> Iterator[Receipt]:
    """One receipt per write, in order, in batches where the resource has them.

    ``find`` looks for a create by our reference; a create that is tried again does so first (P2). Raises RetryLater
    or Misconfigured when the remaining writes were not sent.
    """
    outlet = _Outlet(facts=facts, exchange=exchange, clean=clean, find=find, where=where)
    size = facts.batch if facts.batch_path is not None else 1
    parts = [writes[start : start + size] for start in range(0, len(writes), size)]
    parts.reverse()
    open_before = False
    while parts:
        part = parts.pop()
        found = {
            write.key: receipt for write in part
            if write.op == "create" and write.attempt != 1 and (receipt := _earlier(outlet, write)) is not None
        }
        fresh = [write for write in part if write.key not in found]
        answered = _answered(outlet, fresh) if fresh else _Answered(receipts={})
        if answered is None:
            half = len(part) // 2
            parts += [part[half:], part[:half]]
            continue
        # What was answered leaves at once: an error of a later part must not take these receipts with it.
        yield from in_order(part, {**found, **answered.receipts})
        if parts and (answered.silent or (answered.open and open_before)):
            raise RetryLater(f"{where}: {facts.path}: the platform is in trouble; the rest was not sent", after=AWAY)
        open_before = answered.open


def _earlier(outlet: _Outlet, write: Write) -> Receipt | None:
    """What an earlier attempt at a create brought about, where the platform can be asked; None: nothing is known."""
    if outlet.facts.reference is None:
        return None
    receipt = outlet.find(write)
    return receipt if receipt.outcome == "applied" else None


@dataclass(frozen=True, kw_only=True)
class _Answered:
    """Receipts of writes sent together; ``open``: nobody can say what became of them, ``silent``: it timed out."""

    receipts: Mapping[str, Receipt]
    open: bool = False
    silent: bool = False


def _answered(outlet: _Outlet, writes: Sequence[Write]) -> _Answered | None:
    """What became of writes sent in one call. None: refused as a whole, so that each half may be sent instead."""
    facts, batch = outlet.facts, outlet.facts.batch > 1 and outlet.facts.batch_path is not None
    method, path = filled(facts.batch_path or "", None) if batch else _call_for(outlet, writes[0])
    path_only = not batch and writes[0].op == "delete"
    headers = {} if facts.key_header is None else {facts.key_header: _key_of(writes)}
    if not batch and facts.expect is not None and writes[0].expected is not None:
        headers[facts.expect] = writes[0].expected
    try:
        body = None if path_only else encoded(batch_body(facts, writes) if batch else body_of(facts, writes[0]))
    except ValueError as fault:
        if len(writes) > 1:
            return None
        detail = f"the document cannot be written as JSON: {fault}"
        return _Answered(receipts={writes[0].key: Receipt(outcome="rejected", id=writes[0].id, detail=detail)})
    try:
        answer = outlet.exchange(method, path, body=body, headers=headers)
        if batch and answer.ok:
            return _Answered(receipts=batch_receipts(facts, writes, answer.body, outlet.clean))
    except (Unsure, ShapeChanged) as fault:
        unknown = {write.key: Receipt(outcome="unknown", id=write.id, detail=str(fault)) for write in writes}
        return _Answered(receipts=unknown, open=True, silent=isinstance(fault, Unsure) and fault.silent)
    if len(writes) > 1:
        return None
    return _Answered(receipts={writes[0].key: judged(facts, writes[0], answer.status, answer.body, outlet.clean)})


def _key_of(writes: Sequence[Write]) -> str:
    """The idempotency key of a call: the write's own, for a batch one that no other selection of writes has."""
    if len(writes) == 1:
        return writes[0].key
    return sha256("\n".join(write.key for write in writes).encode()).hexdigest()


def _call_for(outlet: _Outlet, write: Write) -> tuple[str, str]:
    facts = outlet.facts
    template = {"create": facts.create, "update": facts.update, "delete": facts.delete}[write.op]
    if template is None:
        raise Misconfigured(
            f"{outlet.where}: {facts.path} takes no {write.op}; describe it as `{write.op}: METHOD path`"
        )
    return filled(template, write.id)


def in_order(writes: Iterable[Write], receipts: Mapping[str, Receipt]) -> list[Receipt]:
    """Receipts in the order of their writes; a write the platform's answer passed over is unknown."""
    return [
        receipts[write.key] if write.key in receipts
        else Receipt(outcome="unknown", id=write.id, detail="the answer did not mention it") for write in writes
    ]
