"""The simulated shop and our reading of webhooks against what Shopify published, for shopify.py beside this."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    InlineFragmentNode,
    SelectionSetNode,
    get_named_type,
    is_composite_type,
    is_input_object_type,
)

from connectors.base import Request
from connectors.shopify import Shopify
from connectors.shopify_points import points
from deployments.sandbox.shopify.schema import schema
from tests.contract.harness import ports_with
from tests.contract.shopify_simulator import HOOK_SECRET, TOKEN
from tests.contract.vendor.shopify import VENDOR, asked, operation_of, published, session


def offered() -> list[str]:
    """What the simulated shop offers that Shopify does not, or not so: types, fields, arguments and words."""
    theirs, wrong = published().type_map, []
    for name, kind in schema().type_map.items():
        other: Any = theirs.get(name)
        if name.startswith("__") or isinstance(kind, GraphQLScalarType):
            continue
        if other is None:
            wrong.append(name)
        elif isinstance(kind, GraphQLEnumType):
            wrong += [f"{name}.{word}" for word in kind.values if word not in other.values]
        elif is_input_object_type(kind) or hasattr(kind, "fields"):
            for field, own in kind.fields.items():
                their = other.fields.get(field)
                if their is None or str(their.type) != str(own.type):
                    wrong.append(f"{name}.{field}: {own.type}, published {their and their.type}")
                    continue
                for argument, given in getattr(own, "args", {}).items():
                    if argument not in their.args or str(their.args[argument].type) != str(given.type):
                        wrong.append(f"{name}.{field}({argument})")
    return wrong


def conforms(kind: Any, selections: SelectionSetNode | None, value: Any, where: str) -> list[str]:
    """What of an answer is not of the published type."""
    if isinstance(kind, GraphQLNonNull):
        return [f"{where}: null"] if value is None else conforms(kind.of_type, selections, value, where)
    if value is None:
        return []
    if isinstance(kind, GraphQLList):
        if not isinstance(value, list):
            return [f"{where}: no list"]
        return [one for n, item in enumerate(value) for one in conforms(kind.of_type, selections, item, f"{where}.{n}")]
    if isinstance(kind, GraphQLEnumType):
        return [] if value in kind.values else [f"{where}: {value} is no word of {kind.name}"]
    if not is_composite_type(kind):
        kinds: dict[str, Any] = {"Int": int, "Float": (int, float), "Boolean": bool, "UnsignedInt64": (int, str)}
        wanted = kinds.get(kind.name, str)
        return [] if isinstance(value, wanted) else [f"{where}: {value!r} is no {kind.name}"]
    return [one for node, inner in fields(kind, selections, value) for one in (
        [f"{where}.{node.name.value}: missing"] if node.name.value not in value
        else conforms(inner, node.selection_set, value[node.name.value], f"{where}.{node.name.value}"))]  # fmt: skip


def fields(kind: Any, selections: SelectionSetNode | None, value: Any) -> list[tuple[FieldNode, Any]]:
    """The fields of an object that were asked for, each with its published type."""
    found: list[tuple[FieldNode, Any]] = []
    for node in selections.selections if selections is not None else ():
        if isinstance(node, InlineFragmentNode):
            inner: Any = published().type_map[node.type_condition.name.value] if node.type_condition else kind
            if value.get("__typename") in (None, inner.name) and set(_names(node)) <= set(value):
                found += fields(inner, node.selection_set, value)
        elif isinstance(node, FieldNode) and node.name.value != "__typename":
            found.append((node, kind.fields[node.name.value].type))
    return found


def _names(node: InlineFragmentNode | FragmentDefinitionNode) -> list[str]:
    return [one.name.value for one in node.selection_set.selections if isinstance(one, FieldNode)]


def answered() -> list[str]:
    """What of the simulated shop's answers Shopify could not have said: each question of the session once more."""
    simulated, wrong = session(), list[str]()
    for call in asked(simulated):
        operation = operation_of(json.loads(call.body)["query"])
        reply = json.loads(simulated.handle(call).data())
        root: Any = published().mutation_type if operation.operation.value == "mutation" else published().query_type
        name = operation.name.value if operation.name is not None else ""
        sent = json.loads(call.body)
        told, paid = reply["extensions"]["cost"]["requestedQueryCost"], points(sent["query"], sent["variables"])
        if told != paid:
            wrong.append(f"{name}: it asks {told} points, and {paid} were taken for it")
        if reply.get("errors"):
            wrong.append(f"{name}: {reply['errors']}")
        else:
            wrong += conforms(get_named_type(root), operation.selection_set, reply["data"], name)
    return wrong


WEBHOOKS = {"order": "orders", "product": "products", "customer": "customers", "location": "locations",
            "inventory_level": "inventory", "refund": "orders", "fulfillment": "orders"}  # fmt: skip


def webhooks() -> list[tuple[str, str | None]]:
    """Published records (a webhook's body is the record as the REST API of 2024-04 writes it), each with what is wrong
    in our reading of it: signed and received, it is news of that very record."""
    ports, read = ports_with({"token": TOKEN, "hook_secret": HOOK_SECRET}), list[tuple[str, str | None]]()
    connector = Shopify(channel="shop-kz", url="https://shop.example", options={}, ports=ports)
    for name in WEBHOOKS:
        pairs = json.loads(VENDOR.file(f"rest-2024-04-pairs/{name}.json").read_text(encoding="utf-8"))
        answers = [pair["response"] for pair in pairs if isinstance(pair["response"], dict)]
        held = [value for answer in answers for key, value in answer.items() if key in (name, f"{name}s")]
        for record in [record for value in held for record in (value if isinstance(value, list) else [value])]:
            if "admin_graphql_api_id" in record:  # others were asked for in part
                read.append((f"{name} {record.get('id')}", _misread(connector, name, record)))
    return read


def _misread(connector: Shopify, name: str, record: Any) -> str | None:
    stamp = record.get("updated_at") or record.get("created_at") or record.get("processed_at")
    data = json.dumps(record).encode()
    signed = base64.b64encode(hmac.new(HOOK_SECRET.encode(), data, hashlib.sha256).digest()).decode()
    at = datetime.fromisoformat(stamp) if stamp else datetime(2026, 3, 1, tzinfo=UTC)
    headers = {"x-shopify-hmac-sha256": signed}
    first = connector.receive(Request(method="POST", url="/", query={}, headers=headers, body=data, at=at)).notices[0]
    number = record.get("order_id") or record.get("id") or record.get("inventory_item_id")
    right = first.resource == WEBHOOKS[name] and str(number) in first.id
    return None if right else f"read as {first.resource} {first.id}"
