"""Shopify's Admin API 2026-10: every question and change is validated against the schema that Shopify published.

What surprises here: the types say neither that ``changeFromQuantity`` must be sent even as null nor that 16 mutations
demand ``@idempotent``; both stand in the descriptions only and are rules of our own, the second read from those texts.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    Visitor,
    build_schema,
    parse,
    type_from_ast,
    validate,
    visit,
)
from graphql.execution.values import get_variable_values

from connectors import shopify_after_sale, shopify_bulk, shopify_facts, shopify_writes
from connectors.base import Write
from connectors.graphql import Operation
from connectors.shopify import Shopify
from deployments.sandbox.shopify import orders
from deployments.sandbox.shopify.bulk import unfit
from tests.contract.harness import Call, ports_with
from tests.contract.shopify_simulator import HOOK_SECRET, PLACE, TOKEN, Simulated
from tests.contract.vendor.checking import Place, Sent, Vendor

_MODULES = (shopify_facts, shopify_writes, shopify_bulk, shopify_after_sale)
_NUMBERS = ("Money", "Decimal")
_TEXTS = ("URL", "DateTime", "HTML", "ID")


def _number(value: Any) -> Any:
    if (
        isinstance(value, bool)
        or not isinstance(value, str | int | float)
        or not re.fullmatch(r"-?\d+(\.\d+)?", str(value))
    ):
        raise GraphQLError(f"no decimal number: {value!r}")
    return Decimal(str(value))


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise GraphQLError(f"no text: {value!r}")
    return value


@cache
def published() -> GraphQLSchema:
    """The schema, its scalars as strict as their names: the printed one takes anything for Money."""
    schema = build_schema(VENDOR.file("admin_2026-10.graphql").read_text(encoding="utf-8"), assume_valid=True)
    for names, check in ((_NUMBERS, _number), (_TEXTS, _text)):
        for name in names:
            scalar: Any = schema.type_map[name]
            for method in ("parse_value", "coerce_input_value"):
                if hasattr(scalar, method):
                    setattr(scalar, method, check)
    return schema


@cache
def idempotent() -> frozenset[str]:
    """The mutations whose description says that the key is required."""
    mutations = published().mutation_type
    assert mutations is not None
    told = {name: " ".join((field.description or "").split()) for name, field in mutations.fields.items()}
    return frozenset(name for name, text in told.items() if "idempotency key is required" in text)


@cache
def operation_of(text: str) -> OperationDefinitionNode:
    """The one operation of a text."""
    (found,) = [node for node in parse(text).definitions if isinstance(node, OperationDefinitionNode)]
    return found


@cache
def misunderstood(text: str) -> str | None:
    """Why the published schema does not understand a text."""
    problems = validate(published(), parse(text))
    return problems[0].message if problems else None


@cache
def session() -> Simulated:
    """A shop in which the connector did everything it can; the requests it made are in ``calls``."""
    simulated = Simulated()
    shop = simulated.shop
    connector = Shopify(
        channel="shop-kz", url=simulated.url, options={"secrets": {"token": "env:T"}, "notify": True},
        ports=ports_with({"token": TOKEN, "hook_secret": HOOK_SECRET}),
    )  # fmt: skip
    bulky = Shopify(
        channel="shop-kz", url=simulated.url, options={**connector.options, "bulk": 0}, ports=connector.ports
    )
    with simulated.running():
        connector.check()
        connector.granted()
        catalogue = shop.put("gid://shopify/PriceList/7", {"name": "wholesale", "currency": "KZT"})["id"]
        (made,) = connector.write("products", [Write(key="kettle", op="create", doc={
            "title": "Kettle", "descriptionHtml": "<p>Boils</p>", "vendor": "Karavan", "productType": "Kitchen",
            "status": "ACTIVE", "tags": ["new"],
            "files": [{"originalSource": "https://img.example/1.png", "alt": "red"}],
        })])  # fmt: skip
        product = str(made.id)
        list(connector.write("products", [Write(key="p2", op="update", id=product, doc={"title": "Kettle 2"})]))
        variants = [Write(key=f"v{n}", op="create", doc={
            "productId": product, "price": "12490.00", "compareAtPrice": "13990.00", "barcode": "4870001000017",
            "taxable": True, "inventoryItem": {"sku": f"KTL-{n}", "tracked": True, "cost": "9000.00"},
            "optionValues": [{"optionName": "Colour", "name": f"red {n}"}],
        }) for n in range(12)]  # fmt: skip
        receipts = list(connector.write("variants", variants))
        ids = [str(receipt.id) for receipt in receipts]
        items = [str(receipt.doc["inventoryItem"]["id"]) for receipt in receipts if receipt.doc is not None]
        list(connector.settle("variants", variants[:1]))
        list(
            connector.write(
                "variants",
                [
                    Write(
                        key="v-2",
                        op="update",
                        id=ids[0],
                        doc={
                            "productId": product,
                            "barcode": "4870001000024",
                            "inventoryItem": {"sku": "KTL-0", "tracked": True},
                        },
                    )
                ],
            )
        )
        list(
            connector.write(
                "prices",
                [
                    Write(
                        key=f"p-{n}",
                        op="update",
                        id=id,
                        doc={"productId": product, "variantId": id, "price": "11990.00", "compareAtPrice": None},
                    )
                    for n, id in enumerate(ids)
                ],
            )
        )
        fixed = [Write(key=f"c-{n}", op="create", doc={
            "priceListId": catalogue, "productId": product, "variantId": id, "price": "9990.00", "currency": "KZT",
            "compareAtPrice": "10990.00" if n else None}) for n, id in enumerate(ids)]  # fmt: skip
        list(connector.write("prices", fixed))
        list(connector.settle("prices", fixed[:1]))
        levels = [{"inventoryItemId": item, "locationId": PLACE, "quantity": 20} for item in items]
        list(connector.write("inventory", [Write(key=f"l-{n}", op="create", doc=doc) for n, doc in enumerate(levels)]))
        list(connector.write("inventory", [
            Write(key=f"s-{n}", op="update", id=f"{doc['inventoryItemId']}@{PLACE}", doc={**doc, "quantity": 25},
                  expected="20" if n else None)
            for n, doc in enumerate(levels)
        ]))  # fmt: skip
        person = Write(key="c", op="create", doc={
            "email": "dina@example.test", "phone": "+77010000001", "firstName": "Dina", "lastName": "A", "locale": "ru",
            "note": "", "tags": [],
        })  # fmt: skip
        (known,) = connector.write("customers", [person])
        list(connector.settle("customers", [person, Write(key="c2", op="create", doc={"phone": "+77010000001"})]))
        list(connector.write("customers", [Write(key="c3", op="update", id=known.id, doc={"firstName": "Дина"})]))
        _orders(simulated, connector, str(known.id))
        connector.subscribe("http://127.0.0.1:8080/hooks/shop-kz")
        list(connector.settle("products", [Write(key="kettle", op="create", doc={"title": "Kettle"})]))
        for resource in connector.resources:
            pages = list(connector.read(resource))
            docs = [doc for page in pages for doc in page.docs]
            list(connector.read(resource, pages[-1].cursor))
            connector.fetch(resource, [str(doc["id"]) for doc in docs])
        for resource in shopify_bulk.BULKS:
            list(bulky.read(resource))
    return simulated


def _orders(simulated: Simulated, connector: Shopify, customer: str) -> None:
    """Orders of many lines, sent in part, refunded and cancelled."""
    shop = simulated.shop
    lines = [{"sku": f"KTL-{n}", "quantity": 2, "discount": "10"} for n in range(12)]
    address = {"name": "Dina", "address1": "Abay 1", "city": "Almaty", "zip": "050000", "countryCodeV2": "KZ"}
    more = {"place": PLACE, "customer": customer, "code": "SPRING", "shipping": "1000", "email": "dina@example.test",
            "address": address}  # fmt: skip
    order = orders.place(shop, {"lines": lines, **more})
    named = [{"lineItemId": line["id"], "quantity": 1} for line in order["lines"]]
    parcels = [Write(key="s1", op="create", doc={
        "orderId": order["id"], "lines": named, "tracking": {"company": "Kazpost", "number": "KZ1", "url": "https://t.example/1"},
    }), Write(key="s2", op="create", doc={"orderId": order["id"]})]  # fmt: skip
    sent = list(connector.write("shipments", parcels))
    list(connector.settle("shipments", parcels[:1]))
    tracked = {"tracking": {"number": "KZ2"}, "notifyCustomer": False}
    list(connector.write("shipments", [Write(key="s3", op="update", id=sent[1].id, doc=tracked)]))
    back = [{"sku": f"KTL-{n}", "quantity": 1} for n in range(6)]
    for closed in (True, False, True):
        orders.take_in(shop, {"id": order["id"], "lines": back, "closed": closed, "exchange": closed})
    orders.refund(shop, {"id": order["id"], "lines": [{"sku": f"KTL-{n}", "quantity": 1} for n in range(12)]})
    big = orders.place(shop, {"lines": [{"sku": f"KTL-{n % 12}", "quantity": 1} for n in range(21)], "place": PLACE})
    list(connector.write("shipments", [Write(key="s4", op="create", doc={"orderId": big["id"]})]))
    orders.cancel(shop, {"id": orders.place(shop, {"lines": lines[:1], **more})["id"]})
    _after_sale(simulated, connector, lines[:1])
    orders.place(shop, {"lines": lines[:1], "place": PLACE, "source": "pos"})


def asked(simulated: Simulated) -> Sequence[Call]:
    """The questions of a session; files have addresses of their own."""
    return [call for call in simulated.calls if call.method == "POST"]


def _after_sale(simulated: Simulated, connector: Shopify, lines: list[dict[str, Any]]) -> None:
    """An order is put aside at a store, handed over and paid back in part; another is cancelled."""
    shop = simulated.shop
    store = shop.put("gid://shopify/Location/5", {"legacyResourceId": "5", "name": "Store", "isActive": True,
                                                  "fulfillsOnlineOrders": False, "address": {}})["id"]  # fmt: skip
    box = [{"name": "Box", "amount": 1}]
    order = orders.place(shop, {"lines": lines, "place": PLACE, "pickup": store, "fees": box})
    ready = Write(key="d1", op="create", doc={"orderId": order["id"], "kind": "READY", "reason": None, "note": None})
    list(connector.write("decisions", [ready]))
    list(connector.settle("decisions", [ready]))
    paid = [{"tender": order["payments"][0]["id"], "amount": "100.00"}]
    back = Write(key="r1", op="create", doc={
        "orderId": order["id"], "lines": [{"lineItemId": order["lines"][0]["id"], "quantity": 1}], "payments": paid,
    })  # fmt: skip
    list(connector.write("refunds", [back]))
    list(connector.settle("refunds", [back]))
    other = orders.place(shop, {"lines": lines, "place": PLACE})["id"]
    gone = Write(key="d2", op="create", doc={"orderId": other, "kind": "CANCELLED", "reason": "INVENTORY", "note": "0"})
    list(connector.write("decisions", [gone]))
    list(connector.settle("decisions", [gone]))


class _Shopify(Vendor):
    """The Admin API."""

    name, folder = "shopify", "shopify"

    def known(self) -> Sequence[str]:
        found = [value for module in _MODULES for value in vars(module).values()]
        tables = [*shopify_facts.LISTS.values(), *shopify_facts.FETCHES.values(), *shopify_bulk.COUNTS.values()]
        return sorted({one.name for one in [*found, *tables] if isinstance(one, Operation)})

    def recorded(self) -> Sequence[Sent]:
        found = []
        for call in asked(session()):
            body = json.loads(call.body)
            operation = operation_of(body["query"])
            assert operation.name is not None
            found.append(Sent(operation=operation.name.value, body=body["variables"], text=body["query"]))
        return found

    def objection(self, sent: Sent) -> str | None:
        schema, problem = published(), misunderstood(sent.text)
        if problem is not None:
            return problem
        operation = operation_of(sent.text)
        declared = {one.variable.name.value for one in operation.variable_definitions or ()}
        unknown = set(sent.body) - declared
        if unknown:
            return f"variable {sorted(unknown)[0]} is not declared"
        coerced = get_variable_values(schema, operation.variable_definitions or (), sent.body)
        if isinstance(coerced, list):
            return str(coerced[0])
        return self._prose(operation, sent.body)

    def _prose(self, operation: OperationDefinitionNode, variables: Any) -> str | None:
        """What the descriptions demand and the types do not."""
        for field in operation.selection_set.selections:
            assert isinstance(field, FieldNode)
            marks = [mark.name.value for mark in field.directives or ()]
            if field.name.value in idempotent() and "idempotent" not in marks:
                return f"{field.name.value} demands @idempotent(key:)"
            if field.name.value == "inventorySetQuantities":
                rows = variables["input"]["quantities"]
                if any("changeFromQuantity" not in row for row in rows):
                    return "changeFromQuantity must be sent, even as null"
            if field.name.value == "bulkOperationRunQuery":
                return unfit(published(), str(variables["query"]))
        return None

    def required(self, sent: Sent) -> Sequence[Place]:
        operation = operation_of(sent.text)
        found: list[Place] = []
        for one in operation.variable_definitions or ():
            name = one.variable.name.value
            kind = type_from_ast(published(), one.type)
            if isinstance(kind, GraphQLNonNull):
                found.append((name,))
            if name in sent.body:
                found += _demanded(kind, sent.body[name], (name,))
        return found

    def spoilt(self) -> Sequence[Sent]:
        found = []
        for sent in self.recorded():
            if "@idempotent" in sent.text:
                text = sent.text.replace(" @idempotent(key: $key)", "").replace(", $key: String!", "")
                body = {name: value for name, value in sent.body.items() if name != "key"}
                found.append(Sent(operation=sent.operation, body=body, text=text))
            if sent.operation == "bulkOperationRunQuery":
                text = "{ orders { edges { node { id refunds { id refundLineItems { edges { node { id } } } } } } } }"
                found.append(Sent(operation=sent.operation, body={**sent.body, "query": text}, text=sent.text))
        return found

    def misfits(self) -> Sequence[str]:
        from tests.contract.vendor.shopify_answers import answered, offered

        return [*offered(), *answered()]

    def examples(self) -> Sequence[tuple[str, str | None]]:
        from tests.contract.vendor.shopify_answers import webhooks

        return webhooks()

    def renamed(self, sent: Sent, dice: random.Random) -> Sent | None:
        """A field that is asked for, misspelt."""
        spots: list[int] = []

        class Fields(Visitor):
            def enter_field(self, node: FieldNode, *_: Any) -> None:
                assert node.name.loc is not None
                spots.append(node.name.loc.end)

        visit(parse(sent.text), Fields())
        end = dice.choice(spots)
        return Sent(operation=sent.operation, body=sent.body, text=f"{sent.text[:end]}X{sent.text[end:]}")


def _demanded(kind: Any, value: Any, path: Place) -> list[Place]:
    """The places in a value that its type demands, and those that only the description does."""
    if isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
    if isinstance(kind, GraphQLList):
        return [place for n, item in enumerate(value or []) for place in _demanded(kind.of_type, item, (*path, n))]
    if not isinstance(kind, GraphQLInputObjectType) or not isinstance(value, dict):
        return []
    found: list[Place] = []
    for name, field in kind.fields.items():
        prose = name == "changeFromQuantity"
        if name in value and (isinstance(field.type, GraphQLNonNull) or prose):
            found.append((*path, name))
        if name in value:
            found += _demanded(field.type, value[name], (*path, name))
    return found


VENDOR = _Shopify()
