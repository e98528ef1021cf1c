"""Bulk operations of the simulated shop: one question for everything, answered by a file at an address of its own.

What surprises here:

* The question is held to Shopify's rules: connections (at most five, two deep, none inside a list), no ``node``, and
  the ``id`` of each record around another connection.
* What an operation finds is what there was when it began, however late it is done (``seconds``).
* Without ``groupObjects`` the lines of inner connections come after all records of the root, the last first: nothing
  says that they follow their parent.
* A file's address is signed and can be ended (`end_addresses`); Shopify names another one. Whoever sends the shop's
  token to it is refused, and counted (``leaks``).
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    parse,
    validate,
    value_from_ast_untyped,
)

from deployments.sandbox.notation import Doc
from deployments.sandbox.shopify.state import Shop, stamp
from deployments.sandbox.shopify.views import unbounded

MOST_RUNNING, MOST_CONNECTIONS, DEEPEST = 5, 5, 2
PATH = "/bulk/"
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass(kw_only=True, slots=True)
class Job:
    """An operation: its file, when it is done, and what becomes of it."""

    doc: Doc
    data: bytes
    due: float
    error: str | None


@dataclass(kw_only=True)
class Bulks:
    """The operations of one shop. ``seconds``: how long one runs; ``fails``: the codes with which the next ones end;
    ``base``: where its files are served."""

    shop: Shop
    schema: GraphQLSchema
    root: Callable[[], Doc]
    base: str = ""
    seconds: float = 0.0
    fails: list[str] = field(default_factory=list)
    jobs: dict[str, Job] = field(default_factory=dict)
    leaks: int = 0
    downloads: int = 0
    _generation: int = 0

    def run(self, info: Any, query: str, groupObjects: bool = False) -> Doc:
        """An operation begins, or is refused."""
        running = [job for job in self.jobs.values() if self._status(job) == "RUNNING"]
        if len(running) >= MOST_RUNNING:
            why = "Bulk operations limit reached. Please try again later."
            told = {"field": None, "message": why, "code": "LIMIT_REACHED"}
            return {"bulkOperation": None, "userErrors": [told]}
        problem = unfit(self.schema, query)
        if problem is not None:
            return {"bulkOperation": None,
                    "userErrors": [{"field": ["query"], "message": problem, "code": "INVALID"}]}  # fmt: skip
        lines, inner = list[Doc](), list[Doc]()
        (operation,) = [node for node in parse(query).definitions if isinstance(node, OperationDefinitionNode)]
        with unbounded():
            for value in picked(operation.selection_set, self.root()).values():
                _flat(value, None, lines, lines if groupObjects else inner)
        rows = [*lines, *reversed(inner)]
        data = b"".join(json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n" for row in rows)
        id, error = self.shop.gid("BulkOperation"), self.fails.pop(0) if self.fails else None
        doc = {"__typename": "BulkOperation", "id": id, "query": query, "type": "QUERY", "objectCount": str(len(rows)),
               "rootObjectCount": str(len(lines)), "createdAt": stamp(self.shop.now())}  # fmt: skip
        self.jobs[id] = Job(doc=doc, data=data, due=time.monotonic() + self.seconds, error=error)
        self.shop.books.enter("bulk", self.shop.now(), id=id, objects=len(rows), error=error)
        return {"bulkOperation": self.shown(info, id), "userErrors": []}

    def shown(self, info: Any, id: str) -> Doc | None:
        """The operation as it stands; None: there is none."""
        job = self.jobs.get(id)
        if job is None:
            return None
        status = self._status(job)
        address = f"{self.base}{PATH}{id.rpartition('/')[2]}?signature={self._signature(id)}"
        whole = status == "COMPLETED" and job.data != b""
        return {
            **job.doc, "status": status, "errorCode": job.error if status == "FAILED" else None,
            "completedAt": stamp(self.shop.now()) if status == "COMPLETED" else None,
            "fileSize": str(len(job.data)) if status == "COMPLETED" else None, "url": address if whole else None,
            "partialDataUrl": address if status == "FAILED" and job.error != "ACCESS_DENIED" else None,
        }  # fmt: skip

    def file(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, bytes and headers of the answer to who asks for a file, or a part of it."""
        if any(name.lower() == "x-shopify-access-token" for name in headers):
            self.leaks += 1
            return 400, b"", {}
        id = f"gid://shopify/BulkOperation/{path.removeprefix(PATH)}"
        job = self.jobs.get(id)
        if job is None or query.get("signature") != self._signature(id):
            return 403, b"<Error><Code>ExpiredToken</Code></Error>", {"Content-Type": "application/xml"}
        self.downloads += 1
        data = job.data if self._status(job) == "COMPLETED" else job.data[: len(job.data) // 2]
        part = _RANGE.fullmatch({name.lower(): value for name, value in headers.items()}.get("range", ""))
        kind = {"Content-Type": "application/jsonl"}
        if part is None:
            return 200, data, kind
        start, end = int(part[1]), min(int(part[2]), len(data) - 1)
        if start >= len(data):
            return 416, b"", kind
        return 206, data[start : end + 1], {**kind, "Content-Range": f"bytes {start}-{end}/{len(data)}"}

    def end_addresses(self) -> None:
        """The addresses given out so far are good for nothing any more."""
        self._generation += 1

    def _signature(self, id: str) -> str:
        return hashlib.sha256(f"{id} {self._generation} {self.shop.name}".encode()).hexdigest()[:16]

    def _status(self, job: Job) -> str:
        if time.monotonic() < job.due:
            return "RUNNING"
        return "COMPLETED" if job.error is None else "EXPIRED" if job.error == "EXPIRED" else "FAILED"


def _flat(value: Any, parent: str | None, lines: list[Doc], inner: list[Doc]) -> None:
    """The records of a connection as lines, those of connections inside them as lines that name their parent."""
    for edge in value["edges"]:
        row, within = _without(edge["node"])
        lines.append(row if parent is None else {**row, "__parentId": parent})
        for one in within:
            _flat(one, str(row["id"]), inner, inner)


def _without(node: Doc) -> tuple[Doc, list[Doc]]:
    """A record without its connections, and these; those of its own parts too."""
    row, within = Doc(), list[Doc]()
    for name, value in node.items():
        if isinstance(value, dict) and "edges" in value:
            within.append(value)
        elif isinstance(value, dict):
            row[name], more = _without(value)
            within += more
        else:
            row[name] = value
    return row, within


def picked(selections: SelectionSetNode, value: Doc) -> Doc:
    """What a question asks of a record, as the views give it; by the book it would take a hundred times as long."""
    found = Doc()
    for node in selections.selections:
        assert isinstance(node, FieldNode)
        inner = value[node.name.value]
        if callable(inner):
            given = {one.name.value: value_from_ast_untyped(one.value) for one in node.arguments or ()}
            inner = inner(None, **given)
        if node.selection_set is not None and isinstance(inner, dict):
            inner = picked(node.selection_set, inner)
        elif node.selection_set is not None and inner is not None:
            inner = [picked(node.selection_set, one) for one in inner]
        found[node.name.value] = inner
    return found


def unfit(schema: GraphQLSchema, query: str) -> str | None:
    """What a bulk operation may not ask, or None."""
    try:
        document = parse(query)
    except GraphQLError as fault:
        return str(fault.message)
    wrong = validate(schema, document)
    if wrong:
        return wrong[0].message
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) != 1 or len(operations[0].selection_set.selections) != 1:
        return "Bulk queries must have a single top-level field."
    met: list[str] = []
    problem = _broken(operations[0].selection_set, schema.query_type, 0, False, met)
    if problem is None and not met:
        return "Bulk queries must contain at least one connection."
    return problem or (None if len(met) <= MOST_CONNECTIONS else "Bulk queries cannot contain more than 5 connections.")


def _broken(selections: SelectionSetNode, parent: Any, depth: int, listed: bool, met: list[str]) -> str | None:
    for node in selections.selections:
        if not isinstance(node, FieldNode) or node.selection_set is None:
            continue
        name, kind = node.name.value, parent.fields[node.name.value].type
        inner: Any = get_named_type(kind)
        own = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        deeper = depth
        if depth == 0 and name in ("node", "nodes"):
            return "Bulk queries cannot contain the top-level node field."
        if inner.name.endswith("Connection"):
            met.append(name)
            deeper += 1
            if listed:
                return "Queries that contain a connection field within a list field are not currently supported."
            if deeper > DEEPEST + 1:
                return "Bulk queries cannot nest connections deeper than two levels."
        if name == "node" and _holds_connection(node.selection_set, inner) and "id" not in _fields(node.selection_set):
            return "The parent 'node' field for a nested connection must select the 'id' field without an alias."
        within = listed or (isinstance(own, GraphQLList) and name not in ("edges", "nodes"))
        problem = _broken(node.selection_set, inner, deeper, within, met)
        if problem is not None:
            return problem
    return None


def _fields(selections: SelectionSetNode) -> set[str]:
    return {node.name.value for node in selections.selections if isinstance(node, FieldNode) and node.alias is None}


def _holds_connection(selections: SelectionSetNode, parent: Any) -> bool:
    for node in selections.selections:
        if isinstance(node, FieldNode) and node.selection_set is not None:
            inner: Any = get_named_type(parent.fields[node.name.value].type)
            if inner.name.endswith("Connection") or _holds_connection(node.selection_set, inner):
                return True
    return False
