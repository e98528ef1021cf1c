"""Platforms described in YAML against their vendors' OpenAPI files: nothing has to be written for one more of them.

What surprises here: the session is made by itself. Every list that a mapping reads is read on and fetched, every
document that the outward tests of its mappings expect is written, webhooks are asked for; what was sent is judged by
the files, and the vendor's own examples are read through the mappings.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from connectors.base import Doc, Write
from connectors.paging import ABSENT, at
from connectors.writes import filled
from flows.mapping_files import compile_file, mapping_files
from mappings.language import Mapping as MappingFile
from mappings.language.examples import mapped
from tests.contract.harness import SPREAD
from tests.contract.openapi import OpenApi, Operation, Schema, fitting, misfits, openapi, query_of
from tests.contract.published import Published, PublishedSubject, description
from tests.contract.vendor.checking import Place, Sent, Vendor

HOOKS = "http://127.0.0.1:8080/hooks/shop-kz"


class DescribedVendor(Vendor):
    """The files of one platform of `connectors/platforms`; a request is ``{query, body}``, its text the path."""

    demanded, read = 5, 5

    def __init__(self, subject: PublishedSubject) -> None:
        self.subject = subject
        self.name = subject.platform  # type: ignore[misc]  # each has its own
        self.folder = subject.folder  # type: ignore[misc]

    @property
    def api(self) -> OpenApi:
        """The files, or a visible skip."""
        return openapi(self.subject.folder, self.subject.files)

    @cached_property
    def mappings(self) -> Sequence[MappingFile]:
        """The platform's mappings."""
        return [compile_file(None, path) for path in mapping_files(None, self.subject.platform).values()]

    @property
    def inward(self) -> Mapping[str, MappingFile]:
        """Resource → mapping, of what is read."""
        return {one.resource: one for one in self.mappings if one.inward}

    def known(self) -> Sequence[str]:
        told, facts = description(self.subject.platform), self.subject.facts
        calls = [told[key] for key in ("check",) if key in told]
        hook = told.get("subscribe")
        if hook is not None:
            hook = hook["call"] if isinstance(hook, Mapping) else hook
            calls += [hook, hook.replace("POST ", "GET ")]
        for name, row in facts.items():
            if name in self.inward:
                calls += [f"GET {row.path}", row.fetch or f"{row.path}/{{id}}", *row.parts.values()]
            calls += [call for call in (row.create, row.update, row.delete, row.batch_path) if call is not None]
        found = [self.api.find(method, query_of(path)[0].replace("{id}", "1")) for method, path in
                 (filled(call.replace("{id}", "1"), None) for call in calls)]
        assert None not in found, f"the files do not describe {calls[found.index(None)]}"
        return sorted({one.name for one in found if one is not None})

    def recorded(self) -> Sequence[Sent]:
        return [Sent(operation=operation.name, text=path, body={"query": dict(query), "body": body})
                for operation, path, query, body in self.session.sent]

    def objection(self, sent: Sent) -> str | None:
        query = sent.body.get("query") if isinstance(sent.body, dict) else None
        if set(sent.body) != {"query", "body"} or not isinstance(query, dict):
            return "a request is a query and a body"
        odd = [name for name, value in query.items() if not isinstance(value, str)]
        if odd:
            return f"query parameter {odd[0]} is no text"
        return self.api.objection(sent.operation.partition(" ")[0], sent.text, query, sent.body["body"])

    def required(self, sent: Sent) -> Sequence[Place]:
        operation = self._operation(sent)
        query = [("query", name) for name, (_, needed) in operation.parameters("query").items()
                 if needed and name in sent.body["query"]]
        return [*query, *(("body", *place) for place in demanded_places(sent.body["body"], operation.body() or {}))]

    def breakable(self, sent: Sent) -> Sequence[Place]:
        schema = self._operation(sent).body() or {}
        body = [("body", *place) for place in named_places(sent.body["body"], schema)]
        return [("query",), ("body",), *(("query", name) for name in sent.body["query"]), *body]

    def renamed(self, sent: Sent, dice: random.Random) -> Sent | None:
        steps = sent.text.split("/")
        words = [number for number, step in enumerate(steps) if step and not step.isdigit()]
        chosen = dice.choice(words)
        steps[chosen] += "X"
        return replace(sent, text="/".join(steps))

    def misfits(self) -> Sequence[str]:
        return self.session.misfits

    def examples(self) -> Sequence[tuple[str, str | None]]:
        """The answers with documents of what is read, as the vendor's files show them: lists, single documents, and
        what comes back of a write; those that break their own schema are left out."""
        found: list[tuple[str, str | None]] = []
        for resource, mapping in self.inward.items():
            facts = self.subject.facts[resource]
            parts = {
                key: [doc for _, docs in self._published(self.api.find(*filled(path, "1")), "") for doc in docs][:3]
                for key, path in facts.parts.items()
            }
            near = re.compile(rf"{re.escape(facts.path)}(/\{{[^/]*\}})?")
            for operation in (one for one in self.api.operations if near.fullmatch(one.path)):
                for name, docs in self._published(operation, facts.items):
                    given = [{**doc, **parts} for doc in docs if at(doc, facts.id) is not ABSENT]
                    made = mapped(mapping, {"given": given})
                    faults = [str(fault) for fault in getattr(made, "faults", ())]
                    found.append((name, faults[0] if faults else None))
        return found

    def _published(self, operation: Operation | None, items: str) -> Iterator[tuple[str, list[Doc]]]:
        """The documents in the examples of an operation's answers."""
        schema = {} if operation is None else operation.answer(200) or {}
        for name, value in () if operation is None else operation.examples():
            docs = at(value, items)
            docs = [value] if docs is ABSENT and isinstance(value, dict) else docs
            docs = docs if isinstance(docs, list) else [docs]
            if not list(misfits(value, schema, strict=False)) and all(isinstance(doc, dict) for doc in docs) and docs:
                yield name, docs

    def _operation(self, sent: Sent) -> Operation:
        found = self.api.find(sent.operation.partition(" ")[0], sent.text)
        assert found is not None
        return found

    @cached_property
    def session(self) -> Published:
        """A platform with which the connector did everything it can."""
        simulator = self.subject.simulator()
        with simulator.running():
            connector = self.subject.connect(simulator)
            connector.check()
            if "notices" not in self.subject.lacks:
                connector.subscribe(HOOKS)
                connector.subscribe(HOOKS)
            for resource, facts in self.subject.facts.items():
                if resource in self.inward:
                    ids = [str(at(simulator.put(resource, {}, None, moment), facts.id)) for moment in SPREAD[:4]]
                    last = list(connector.read(resource))[-1].cursor
                    list(connector.read(resource, last))
                    connector.fetch(resource, ids)
            for resource, docs in self._written():
                refused = [one.detail for one in connector.write(resource, [
                    Write(key=f"{resource}-{n}", op=op, id=id, doc=doc) for n, (op, id, doc) in enumerate(docs)
                ]) if one.outcome != "applied"]  # fmt: skip
                assert refused == []
            own, name = self.subject, self.subject.resource
            new = Write(key="new", op="create", doc=own.creation(1))
            (made,) = connector.write(name, [new])
            list(connector.settle(name, [new]))
            changed = own.change(simulator, str(made.id), 2)
            list(connector.write(name, [Write(key="changed", op="update", id=made.id, doc=changed)]))
        return simulator

    def _written(self) -> Iterator[tuple[str, list[tuple[Any, str | None, Doc]]]]:
        """Every document that the outward tests of the mappings yield."""
        for mapping in self.mappings:
            tests = mapping.tests.data() if mapping.tests is not None and mapping.outward is not None else []
            for test in tests:
                if not mapping.inward or test.get("direction") == "outward":
                    made: Any = mapped(mapping, test)
                    if made.docs:
                        writes = [("create" if one.id is None else "update", one.id, one.doc) for one in made.docs]
                        yield mapping.resource, writes


def demanded_places(value: Any, schema: Schema) -> Iterator[Place]:
    """The places in a body that its schema demands."""
    schema = fitting(value, schema)
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in schema.get("required", ()):
                yield (name,)
            yield from ((name, *place) for place in demanded_places(inner, schema.get("properties", {}).get(name, {})))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from ((number, *place) for place in demanded_places(inner, schema.get("items", {})))


def named_places(value: Any, schema: Schema) -> Iterator[Place]:
    """The places in a body that its schema names; where it takes any name, a slip cannot be seen."""
    schema = fitting(value, schema)
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in schema.get("properties", {}):
                yield (name,)
                yield from ((name, *place) for place in named_places(inner, schema["properties"][name]))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from ((number, *place) for place in named_places(inner, schema.get("items", {})))
