"""Medusa's customers as the connector asks and writes them, against the OpenAPI description of October 2024 (2.0).

What surprises here: a filter such as ``id[$gt]`` is described by its bare name, and ``with_deleted`` stands in the
guides only. The description demands the whole customer of an update; the real 2.21.2 takes a part (tests/integration).
What Medusa added later is told in test_medusa_openapi.py.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from connectors.base import Write
from tests.contract.harness import SPREAD, Call
from tests.contract.medusa_simulator import Customers
from tests.contract.openapi import OpenApi, example, openapi
from tests.contract.vendor.checking import Place, Sent, Vendor
from tests.contract.vendor.described import demanded_places, named_places

GUIDES = {"with_deleted"}
UPDATE = "POST /admin/customers/{id}"


class _Medusa(Vendor):
    """The admin API, as far as a simulator plays it."""

    name, folder = "medusa", "medusa"
    demanded, read = 1, 0

    @property
    def api(self) -> OpenApi:
        """The file, or a visible skip."""
        return openapi(self.folder, ("admin.openapi.full.yaml",))

    @cached_property
    def session(self) -> Sequence[Call]:
        """What the connector sent while it did everything it can with customers."""
        subject = Customers()
        simulator = subject.simulator()
        with simulator.running():
            connector = subject.connect(simulator)
            connector.check()
            ids = subject.seed(simulator, SPREAD[:4])
            last = list(connector.read("customers"))[-1].cursor
            list(connector.read("customers", last))
            connector.fetch("customers", ids)
            whole = {"first_name": "Dina", "last_name": "A", "phone": "+77010000001", "company_name": "K"}
            new = [Write(key=f"k{n}", op="create", doc={**subject.creation(n), **whole}) for n in range(2)]
            (made, _) = connector.write("customers", new)
            list(connector.settle("customers", new[:1]))
            changed = subject.change(simulator, str(made.id), 2)
            list(connector.write("customers", [Write(key="u", op="update", id=made.id, doc=changed)]))
        return simulator.calls

    def known(self) -> Sequence[str]:
        return ["GET /admin/customers", "GET /admin/shipping-profiles", "GET /admin/stores", "POST /admin/customers",
                "POST /admin/customers/{id}"]  # fmt: skip

    def recorded(self) -> Sequence[Sent]:
        found = []
        for call in self.session:
            operation = self.api.find(call.method, call.path)
            assert operation is not None, call.path
            query = {name.partition("[")[0]: value for name, value in call.query.items()}
            found.append(Sent(operation=operation.name, text=call.path, body={"query": query, "body": call.json}))
        return found

    def objection(self, sent: Sent) -> str | None:
        query = sent.body.get("query")
        if set(sent.body) != {"query", "body"} or not isinstance(query, dict):
            return "a request is a query and a body"
        operation = self.api.find(sent.operation.partition(" ")[0], sent.text)
        if operation is None:
            return f"there is no {sent.text}"
        unknown = set(query) - set(operation.parameters("query")) - GUIDES
        if unknown or not all(isinstance(value, str) for value in query.values()):
            return f"{operation.name}: query parameter {min(unknown, default='of another type')}"
        body = sent.body["body"]
        if operation.name == UPDATE and isinstance(body, dict):
            schema = operation.body() or {}
            kept = {name: example(schema["properties"][name], depth=1) for name in schema.get("required", ())}
            body = {**kept, **body}
        return self.api.objection(operation.method, sent.text, {}, body)

    def required(self, sent: Sent) -> Sequence[Place]:
        if sent.operation == UPDATE:
            return []
        operation = self.api.find(sent.operation.partition(" ")[0], sent.text)
        schema = (operation.body() if operation is not None else None) or {}
        return [("body", *place) for place in demanded_places(sent.body["body"], schema)]

    def breakable(self, sent: Sent) -> Sequence[Place]:
        operation = self.api.find(sent.operation.partition(" ")[0], sent.text)
        schema = (operation.body() if operation is not None else None) or {}
        body = [("body", *place) for place in named_places(sent.body["body"], schema)]
        return [("query",), ("body",), *(("query", name) for name in sent.body["query"]), *body]

    def renamed(self, sent: Sent, dice: random.Random) -> Sent | None:
        return replace(sent, text=sent.text.replace("/admin/", "/admins/"))


VENDOR = _Medusa()
