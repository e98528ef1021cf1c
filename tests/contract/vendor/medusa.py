"""Medusa's customers and price lists as the connector asks and writes them, against the OpenAPI description of October
2024 (2.0).

What surprises here: a filter such as ``id[$gt]`` is described by its bare name, and ``with_deleted`` stands in the
guides only. The description demands the whole customer of an update; the real 2.21.2 takes a part (tests/integration).
What Medusa added later is told in test_medusa_openapi.py.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from connectors.base import Write
from tests.contract.harness import SPREAD, Call
from tests.contract.medusa_price_lists import ListShop
from tests.contract.medusa_simulator import Customers
from tests.contract.openapi import OpenApi, example, openapi
from tests.contract.vendor.checking import Place, Sent, Vendor
from tests.contract.vendor.described import demanded_places, named_places

GUIDES = {"with_deleted"}
UPDATE = "POST /admin/customers/{id}"
LATER = {"POST /admin/price-lists": {"metadata"}}
"""Operation → fields that 2.21.2 takes (tests/integration) and the description of 2.0 does not name."""
NEWER = re.compile("GET /admin/price-lists/[^/]*/prices")
"""What Medusa has since 2.12.3 only; test_medusa_openapi.py keeps the list of such."""


class _Medusa(Vendor):
    """The admin API, as far as a simulator plays it."""

    name, folder = "medusa", "medusa"
    demanded, read = 8, 0

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
        return [*simulator.calls, *priced()]

    def known(self) -> Sequence[str]:
        return [
            "DELETE /admin/price-lists/{id}", "GET /admin/customers", "GET /admin/price-lists",
            "GET /admin/shipping-profiles", "GET /admin/stores", "POST /admin/customers", "POST /admin/customers/{id}",
            "POST /admin/price-lists", "POST /admin/price-lists/{id}", "POST /admin/price-lists/{id}/prices/batch",
        ]  # fmt: skip

    def recorded(self) -> Sequence[Sent]:
        found = []
        for call in self.session:
            if NEWER.fullmatch(f"{call.method} {call.path}"):
                continue
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
        if isinstance(body, dict):
            body = {name: value for name, value in body.items() if name not in LATER.get(operation.name, ())}
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


def priced() -> Sequence[Call]:
    """What the connector sends while it does everything it can with price lists."""
    subject, shop = Customers(), ListShop("variant_1", "variant_2")
    with shop.running():
        connector = subject.connect(shop)
        price = {"variant_id": "variant_1", "product_id": "prod_1", "currency_code": "kzt", "amount": 80,
                 "min_quantity": 10, "price_list": "retail|sale||", "title": "Sale", "type": "sale",
                 "starts_at": "2026-03-01T00:00:00Z", "ends_at": None, "customer_group": "cusgroup_1"}  # fmt: skip
        new = [Write(key=name, op="create", doc={**price, "variant_id": name}) for name in ("variant_1", "variant_2")]
        made = list(connector.write("prices", new))
        (one,) = connector.write("prices", [
            Write(key="u", op="update", id=made[0].id, doc={**price, "amount": 79, "ends_at": "2026-04-01T00:00:00Z"})
        ])  # fmt: skip
        last = list(connector.read("price_lists"))[-1].cursor
        list(connector.read("price_lists", last))
        connector.fetch("price_lists", [str(one.id)])
        ids = [str(receipt.id) for receipt in made]
        list(connector.write("prices", [Write(key=f"d{id}", op="delete", id=id, doc={}) for id in ids]))
    return shop.calls


VENDOR = _Medusa()
