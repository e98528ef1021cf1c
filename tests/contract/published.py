"""A platform that behaves as its vendor's OpenAPI files say, for the contract suite of a platform described in YAML.

What surprises here: it is made of the files, not of our description. Every request is judged by them, strictly, and
refused as the vendor would (422); documents are the vendor's own examples with what was written laid over them; each
answer is held against the schema of the answer (`misfits`). Of our description it only takes which path is a list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar

from connectors import CATALOG, DESCRIBED
from connectors.base import Connector, Doc, Request, Resource
from connectors.paging import at
from connectors.writes import filled, placed
from mappings.language import load_yaml
from tests.contract.harness import Call, Reply, Simulator, Subject, ports_with
from tests.contract.openapi import Operation, Schema, example, misfits, openapi, query_of

COUNTS = {
    "total": lambda size, page, all: all, "count": lambda size, page, all: max(0, min(size, all - size * (page - 1))),
    "per_page": lambda size, page, all: size, "limit": lambda size, page, all: size,
    "current_page": lambda size, page, all: page, "page": lambda size, page, all: page,
    "total_pages": lambda size, page, all: -(-all // size), "pages": lambda size, page, all: -(-all // size),
    "offset": lambda size, page, all: size * (page - 1),
}  # fmt: skip
"""What a list says of itself, by the names that vendors use: of (page size, page, rows in all)."""
AWKWARD: Mapping[str, Sequence[Any]] = {
    "string": ("", "007", "1E5"), "integer": (0,), "boolean": (False,), "array": ([],),
    "number": (Decimal("0.10"), Decimal("12.3400")),
}  # fmt: skip
"""Values that must come back as they went out, by the type of the field that may hold them."""
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


@cache
def description(platform: str) -> Mapping[str, Any]:
    """The description that comes with Serai."""
    found: Mapping[str, Any] = load_yaml(DESCRIBED[platform].read_text(encoding="utf-8"), platform)[0]
    return found


class Published(Simulator):
    """The collections of a description, each with its books; webhooks and other posts are kept by their path."""

    def __init__(self, subject: PublishedSubject) -> None:
        super().__init__()
        self.api = openapi(subject.folder, subject.files)
        self.token = subject.secrets["token"]
        self.resources = subject.facts
        self.books: dict[str, dict[str, Doc]] = {name: {} for name in self.resources}
        self.parts: dict[tuple[str, str], list[Doc]] = {}
        self.posted: dict[str, list[Doc]] = {}
        self.sent: list[tuple[Operation, str, Mapping[str, str], Any]] = []
        self.misfits: list[str] = []
        self.next = 100

    @property
    def hooks(self) -> list[str]:
        """The address of the webhooks, once where none was made twice."""
        rows = [json.dumps(row, sort_keys=True) for rows in self.posted.values() for row in rows]
        found = [text for row in rows for text in json.loads(row).values() if str(text).startswith("http")]
        return sorted(set(found)) if len(rows) == len(set(rows)) else found

    def handle(self, call: Call) -> Reply:
        if not any(self.token in value for value in call.headers.values()):
            return Reply(status=401, body={"status": 401, "title": "The credential is not known"})
        try:
            body = call.json
        except ValueError:
            return _refused(400, "this is no JSON")
        operation = self.api.find(call.method, call.path)
        why = self.api.objection(call.method, call.path, call.query, body)
        if operation is None:
            return _refused(404, why or "")
        self.sent.append((operation, call.path, call.query, body))
        reply = _refused(422, f"{why}; ask ops@shop.example") if why is not None else self._done(operation, call, body)
        schema = operation.answer(reply.status)
        if schema is not None and reply.status < 300:
            self.misfits += [f"{operation.name}: {wrong}" for wrong in misfits(reply.body, schema, strict=False)]
        return reply

    def put(self, resource: str, doc: Doc, id: str | None, at_moment: datetime) -> Doc:
        """A document in the books, with a stamp: the vendor's example, what was there, what is written."""
        facts, books = self.resources[resource], self.books[resource]
        if id is None:
            self.next += 1
            id = str(self.next)
        self.parts |= {filled(path, id): doc[field] for field, path in facts.parts.items() if field in doc}
        own = {field: value for field, value in doc.items() if field not in facts.parts}
        books[id] = {**books.get(id, self._example(facts)), **own}
        books[id] = _set(books[id], facts.id, int(id))
        if facts.updated is not None:
            stamp = at_moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
            books[id] = _set(books[id], facts.updated, stamp)
        return books[id]

    def _example(self, facts: Resource) -> Doc:
        """What a document of the list looks like: the first item of the answer's example."""
        operation = self.api.find("GET", facts.path)
        schema = None if operation is None else operation.answer(200)
        rows = at(example(schema or {}), facts.items)
        return dict(rows[0]) if isinstance(rows, list) and rows else {}

    def _done(self, operation: Operation, call: Call, body: Any) -> Reply:
        if (call.method, call.path) in self.parts:
            return Reply(body=self.parts[call.method, call.path])
        for name, facts in self.resources.items():
            if call.method == "GET" and call.path == facts.path:
                return self._listed(name, facts, operation, call.query)
            calls = [one for one in (facts.create, facts.batch_path) if one is not None]
            if (call.method, call.path) in [filled(one, None) for one in calls] and isinstance(body, dict):
                return self._answer(operation, facts, self.put(name, body, None, NOW) if facts.batch == 1 else None)
            if call.method in ("GET", "PUT", "PATCH", "DELETE") and call.path.rpartition("/")[0] == facts.path:
                return self._one(name, facts, operation, call, body)
        if call.method == "POST" and isinstance(body, dict):
            self.posted.setdefault(call.path, []).append(body)
        if call.method == "GET" and call.path in self.posted:
            return Reply(body=_with_list(example(operation.answer(200) or {}), self.posted[call.path]))
        return Reply(body=example(operation.answer(200) or {}))

    def _one(self, name: str, facts: Resource, operation: Operation, call: Call, body: Any) -> Reply:
        id = call.path.rpartition("/")[2]
        if id not in self.books[name]:
            return _refused(404, "there is none")
        if call.method == "DELETE":
            del self.books[name][id]
            return Reply(status=204)
        doc = self.books[name][id] if call.method == "GET" else self.put(name, body, id, NOW)
        return self._answer(operation, facts, doc)

    def _answer(self, operation: Operation, facts: Resource, doc: Doc | None) -> Reply:
        """One document as the vendor answers it: under the key where lists stand, or bare."""
        found = example(operation.answer(200) or {})
        if doc is None or not isinstance(found, dict):
            return Reply(body=found)
        return Reply(body={**found, facts.items: doc} if facts.items in found else doc)

    def _listed(self, name: str, facts: Resource, operation: Operation, query: Mapping[str, str]) -> Reply:
        rows = sorted(self.books[name].values(), key=lambda doc: int(at(doc, facts.id)))
        if facts.since is not None and facts.since in query:
            since = datetime.fromisoformat(query[facts.since])
            rows = [row for row in rows if datetime.fromisoformat(at(row, facts.updated or "")) >= since]
        if facts.reference is not None and facts.reference in query:
            rows = [row for row in rows if str(at(row, facts.reference_field or "")) == query[facts.reference]]
        by_ids = [key for key, value in query_of(filled(facts.fetch or "", None)[1])[1].items() if value == "{ids}"]
        if by_ids and by_ids[0] in query:
            rows = [row for row in rows if str(at(row, facts.id)) in query[by_ids[0]].split(",")]
        size, page = int(query.get("limit", "50")), int(query.get("page", "1"))
        shown = rows[size * (page - 1) : size * page]
        if facts.items == "":
            return Reply(body=shown) if shown else Reply(status=204)
        found = example(operation.answer(200) or {})
        return Reply(body=_counted(_set(found, facts.items, shown), size, page, len(rows)))


class PublishedSubject(Subject):
    """A platform of `connectors/platforms` in front of `Published`: a newcomer names ``platform``, the ``resource``
    that is read and written, and the vendor's ``files`` (in the folder of the specifications called like the platform).

    Documents are made of the files: what a create demands, with texts that differ.
    """

    files: ClassVar[tuple[str, ...]]

    @property
    def secrets(self) -> Mapping[str, str]:  # type: ignore[override]  # of what the platform offers
        """What the description names: a token, and a secret of its notices where it sends some."""
        notices = {} if "notices" in self.lacks else {"hook_secret": "hook-88b1d0c4e6"}
        return {"token": "tok-5f0c9a7e21", **notices}

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.platform

    @property
    def folder(self) -> str:
        """The vendor's folder."""
        return self.platform

    def body(self) -> Schema:
        """What the vendor takes as a new document of the resource."""
        facts = self.facts[self.resource]
        operation = openapi(self.folder, self.files).find(*filled(facts.create or "", None))
        found = None if operation is None else operation.body()
        assert found is not None, f"the files do not describe {facts.create}"
        return found

    @property
    def facts(self) -> Mapping[str, Resource]:
        """The resources as the connector reads them, in pages of three."""
        return self._connector("http://localhost").resources

    def _connector(self, url: str) -> Connector:
        ports = ports_with(self.secrets)
        return CATALOG["generic_rest"](channel="shop-kz", url=url, options=self._options(), ports=ports)

    def _options(self) -> dict[str, Any]:
        found = dict(description(self.platform))
        found["resources"] = {name: {**row, "page_size": 3} for name, row in found["resources"].items()}
        return {"platform": self.platform, "description": found}

    def simulator(self) -> Published:
        return Published(self)

    def options(self, simulator: Simulator) -> Mapping[str, Any]:
        return self._options()

    def seed(self, simulator: Simulator, stamps: Sequence[datetime]) -> list[str]:
        assert isinstance(simulator, Published)
        id = self.facts[self.resource].id
        docs = [simulator.put(self.resource, self.creation(1000 + n), None, at) for n, at in enumerate(stamps)]
        return [str(at(doc, id)) for doc in docs]

    def touch(self, simulator: Simulator, id: str, at: datetime) -> None:
        assert isinstance(simulator, Published)
        simulator.put(self.resource, {}, id, at)

    def held(self, simulator: Simulator) -> Mapping[str, Doc]:
        assert isinstance(simulator, Published)
        return {id: dict(doc) for id, doc in simulator.books[self.resource].items()}

    def creation(self, number: int) -> Doc:
        """What is demanded of a new document, and where our reference stands; its free texts differ by the number."""
        schema, facts = self.body(), self.facts[self.resource]
        names = [*schema.get("required", ()), *([facts.reference_field] if facts.reference_field else [])]
        made = {name: example(schema["properties"][name], depth=1) for name in dict.fromkeys(names)}
        return {name: f"{name} {number}" if self._free(name) else value for name, value in made.items()}

    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        """Another text in the first free field that a new document must have."""
        name = next(name for name in self.body().get("required", ()) if self._free(name))
        return {name: f"changed {number}"}

    def _free(self, name: str) -> bool:
        schema = self.body()["properties"][name]
        return schema.get("type") == "string" and "enum" not in schema

    @property
    def exact(self) -> Mapping[str, Any]:  # type: ignore[override]
        """The awkward values, each in a field of a new document that may hold it and is not demanded."""
        schema, made = self.body(), dict[str, Any]()
        demanded = {*schema.get("required", ()), self.facts[self.resource].reference_field}
        for kind, values in AWKWARD.items():
            for value in values:
                fields = [
                    name for name, one in schema["properties"].items() if one.get("type") == kind
                    and name not in (*made, *demanded) and not list(misfits(value, one, strict=True))
                ]  # fmt: skip
                made |= {fields[0]: value} if fields else {}
        return made

    def bad(self) -> Doc:
        """What the schema demands is missing."""
        return {}

    def with_exact(self, values: Mapping[str, Any]) -> Doc:
        return {**self.creation(0), **values}

    def exact_of(self, doc: Doc) -> Mapping[str, Any]:
        return {name: doc[name] for name in self.exact}

    def notice(self, simulator: Simulator, id: str, at: datetime, *, sent: datetime, delivery: str) -> Request:
        """As `notices` of the description places it, with the fixed word of its header."""
        told = description(self.platform)
        places, signature = told["notices"], told["signature"]
        topic = next(word for word, resource in places["topics"].items() if resource == self.resource)
        values = {"resource": topic, "id": int(id), "at": int(at.timestamp()), "delivery": delivery}
        body: Doc = {}
        for key, value in values.items():
            body = placed(body, str(places[key]).split("."), value) if key in places else body
        headers = {signature["header"]: self.secrets["hook_secret"]}
        return Request(method="POST", url="/", query={}, headers=headers, body=json.dumps(body).encode(), at=sent)


def _refused(status: int, why: str) -> Reply:
    return Reply(status=status, body={"status": status, "title": why, "errors": {}})


def _set(value: Any, path: str, new: Any) -> Any:
    """A copy of the JSON value that holds ``new`` at the path."""
    if path == "":
        return new
    head, _, rest = path.partition(".")
    there = value if isinstance(value, dict) else {}
    return {**there, head: _set(there.get(head), rest, new)}


def _counted(found: Any, size: int, page: int, all: int) -> Any:
    """The answer with its counts set, wherever they stand outside the list."""
    if not isinstance(found, dict):
        return found
    return {name: COUNTS[name](size, page, all) if name in COUNTS and not isinstance(value, dict | list)
            else _counted(value, size, page, all) for name, value in found.items()}


def _with_list(found: Any, rows: Sequence[Doc]) -> Any:
    """The answer with these rows in the place of its first list, as far as they have the fields."""
    if isinstance(found, list):
        return [{**(found[0] if found and isinstance(found[0], dict) else {}), **row} for row in rows]
    if isinstance(found, dict):
        name = next((name for name, value in found.items() if isinstance(value, list)), None)
        return found if name is None else {**found, name: _with_list(found[name], rows)}
    return found
