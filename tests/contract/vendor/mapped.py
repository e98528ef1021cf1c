"""Platforms that so far have mappings only: what these write is judged by the vendor's files, its examples are read.

What surprises here: nothing is sent, so a request is the body that the outward tests of a mapping yield, wrapped as the
vendor's call has it. Where the vendor publishes no schema (WooCommerce), its examples are all there is.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from connectors.base import Doc
from connectors.paging import at
from flows.mapping_files import compile_file, mapping_files
from mappings.language import Mapping as MappingFile
from mappings.language.examples import mapped
from tests.contract.openapi import OpenApi, Operation, misfits, openapi
from tests.contract.vendor.checking import Place, Sent, Vendor
from tests.contract.vendor.described import demanded_places, named_places

Wrap = Callable[[Sequence[Doc]], Any]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Where a platform's documents are written and read: resource → (METHOD path, body of the call), and resource →
    [(METHOD path, where the documents stand in the answer)]."""

    files: tuple[str, ...]
    writes: Mapping[str, tuple[str, Wrap]] = field(default_factory=dict)
    reads: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)


class MappedVendor(Vendor):
    """The mappings of a platform against its vendor's OpenAPI files."""

    def __init__(self, name: str, facts: Facts, *, demanded: int, read: int) -> None:
        self.name = self.folder = name  # type: ignore[misc]  # each has its own
        self.demanded, self.read, self.facts = demanded, read, facts  # type: ignore[misc]

    @property
    def api(self) -> OpenApi:
        """The files, or a visible skip."""
        return openapi(self.folder, self.facts.files)

    @cached_property
    def mappings(self) -> dict[str, MappingFile]:
        """Resource → mapping."""
        found = [compile_file(None, path) for path in mapping_files(None, self.name).values()]
        return {one.resource: one for one in found}

    def known(self) -> Sequence[str]:
        return sorted({call for call, _ in self.facts.writes.values()})

    def recorded(self) -> Sequence[Sent]:
        made = []
        for resource, (call, wrap) in self.facts.writes.items():
            mapping = self.mappings[resource]
            for test in mapping.tests.data() if mapping.tests is not None else []:
                if not mapping.inward or test.get("direction") == "outward":
                    came: Any = mapped(mapping, test)
                    if came.docs:
                        body = wrap([one.doc for one in came.docs])
                        made.append(Sent(operation=call, text=call.partition(" ")[2], body=body))
        return made

    def objection(self, sent: Sent) -> str | None:
        return self.api.objection(sent.operation.partition(" ")[0], sent.text, {}, sent.body)

    def required(self, sent: Sent) -> Sequence[Place]:
        return list(demanded_places(sent.body, self._operation(sent).body() or {}))

    def breakable(self, sent: Sent) -> Sequence[Place]:
        return list(named_places(sent.body, self._operation(sent).body() or {}))

    def renamed(self, sent: Sent, dice: random.Random) -> Sent | None:
        return replace(sent, text=f"{sent.text}X")

    def examples(self) -> Sequence[tuple[str, str | None]]:
        found: list[tuple[str, str | None]] = []
        for resource, places in self.facts.reads.items():
            for call, items in places:
                operation = self.api.find(*_split(call))
                assert operation is not None, call
                schema = operation.answer(200) or {}
                for name, value in operation.examples():
                    if not list(misfits(value, schema, strict=False)):
                        found.append((f"{resource}: {name}", _misread(self.mappings[resource], at(value, items))))
        return found

    def _operation(self, sent: Sent) -> Operation:
        found = self.api.find(sent.operation.partition(" ")[0], sent.text)
        assert found is not None
        return found


class WooCommerceVendor(Vendor):
    """The examples of its reference pages, which are read; a schema is not published."""

    name, folder = "woocommerce", "woocommerce"
    demanded, read = 0, 20
    pages: Mapping[str, str] = {"products": "products", "customers": "customers", "orders": "orders",
                                "order-refunds": "refunds", "product-variations": "variations"}  # fmt: skip
    needs: Mapping[str, str] = {"products": "name", "customers": "email", "orders": "line_items", "refunds": "amount",
                                "variations": "regular_price"}  # fmt: skip

    def known(self) -> Sequence[str]:
        return []

    def recorded(self) -> Sequence[Sent]:
        return []

    def objection(self, sent: Sent) -> str | None:
        return None

    def required(self, sent: Sent) -> Sequence[Place]:
        return []

    def examples(self) -> Sequence[tuple[str, str | None]]:
        mappings = {one.resource: one for one in map(_compiled, mapping_files(None, self.name).values())}
        found: list[tuple[str, str | None]] = []
        rows = json.loads(self.file("examples-extracted.json").read_text(encoding="utf-8"))
        for row in (one for one in rows if "json" in one):
            resource = self.pages.get(row["file"].removesuffix(".md"))
            docs = row["json"] if isinstance(row["json"], list) else [row["json"]]
            if resource is None:
                continue
            whole = [one for one in docs if isinstance(one, dict) and {"id", self.needs[resource]} <= set(one)]
            if whole:
                found.append((f"{resource}: {row['heading']}", _misread(mappings[resource], whole)))
        return found


def _compiled(path: Path) -> MappingFile:
    return compile_file(None, path)


def _split(call: str) -> tuple[str, str]:
    method, _, path = call.partition(" ")
    return method, path


def _misread(mapping: MappingFile, found: Any) -> str | None:
    """What is wrong in how the vendor's documents were read; None: nothing."""
    docs = found if isinstance(found, list) else [found]
    docs = [doc for doc in docs if isinstance(doc, dict)]
    if not docs:
        return "there is no document where one was looked for"
    faults = list(getattr(mapped(mapping, {"given": docs}), "faults", ()))
    return str(faults[0]) if faults else None


SQUARE = Facts(
    files=("api.loadable.json",),
    writes={"inventory": ("POST /v2/inventory/changes/batch-create",
                          lambda docs: {"idempotency_key": "8fc6a5b0", "changes": list(docs)})},
    reads={
        "catalog": [("GET /v2/catalog/list", "objects"), ("POST /v2/catalog/search", "objects")],
        "inventory": [("POST /v2/inventory/counts/batch-retrieve", "counts")],
        "locations": [("GET /v2/locations", "locations"), ("GET /v2/locations/1", "location")],
        "customers": [("GET /v2/customers", "customers"), ("GET /v2/customers/1", "customer"),
                      ("POST /v2/customers/search", "customers")],
        "orders": [("POST /v2/orders/batch-retrieve", "orders"), ("GET /v2/orders/1", "order")],
    },
)  # fmt: skip
VENDORS: list[Vendor] = [MappedVendor("square", SQUARE, demanded=1, read=10), WooCommerceVendor()]
