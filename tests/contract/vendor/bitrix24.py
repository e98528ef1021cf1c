"""Bitrix24's reference pages: every call, alone or in a batch, is held against the tables of its method's own page.

What surprises here: Bitrix24 publishes no schema. Methods, parameters, field names, types and what is required are read
from the published pages; filters, selections and orders may name what the page of an entity's fields lists.
``batch``, ``scope`` and the activities' methods stand on the vendor's site and not among the pages at hand: theirs were
read there on 2026-11-22 (bitrix24/b24restdocs of 2026-08-21) and are written down below. A batch's commands are text,
so a number there is digits.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache, partial
from typing import Any

from connectors.base import Doc, Write
from connectors.bitrix24 import Bitrix24
from connectors.bitrix24_facts import MULTIPLE, RESOURCES
from deployments.sandbox.bitrix24 import catalogue, orders
from deployments.sandbox.bitrix24.events import happened
from deployments.sandbox.bitrix24.queries import from_query
from deployments.sandbox.bitrix24.server import TOKENS
from deployments.sandbox.bitrix24.state import Portal
from tests.contract.bitrix24_simulator import CLIENT, HOOK_SECRET, REFRESH, Simulated
from tests.contract.harness import ports_with
from tests.contract.vendor.checking import Place, Sent, Vendor

_ROW = re.compile(r"^\|\|\s*\*\*([\w.]+?)(\*|\^\*\^)?\*\*\s*(?:\n|\|)?\s*\[?`?([\w.\[\]|]*)`?", re.MULTILINE)
_KEY = re.compile(r"^(>=|<=|!@|!=%|!%|=%|%=|!=|>|<|@|%|=|!)?([A-Za-z_0-9]+)$")
_PAGES = {
    "crm.contact": "crm/contacts", "crm.company": "crm/companies", "crm.deal": "crm/deals",
    "catalog.store": "catalog/store", "catalog.product": "catalog/product", "catalog.price": "catalog/price",
    "catalog.product.offer": "catalog/product/offer", "catalog.storeproduct": "catalog/store-product",
    "catalog.document": "catalog/document", "sale.order": "sale/order",
}  # fmt: skip
"""Where the pages of an entity lie."""
_FIELD_PAGES = {
    "crm.contact": "crm/contacts/crm-contact-fields.md", "crm.company": "crm/companies/crm-company-fields.md",
    "crm.deal": "crm/deals/crm-deal-fields.md", "catalog.store": "catalog/store/catalog-store-get-fields.md",
    "catalog.product": "catalog/product/catalog-product-get-fields-by-filter.md",
    "catalog.product.offer": "catalog/product/offer/catalog-product-offer-get-fields-by-filter.md",
    "catalog.price": "catalog/price/catalog-price-get-fields.md",
    "catalog.storeproduct": "catalog/store-product/catalog-store-product-get-fields.md",
    "catalog.document": "catalog/document/catalog-document-get-fields.md",
    "sale.order": "sale/order/sale-order-get-fields.md",
}  # fmt: skip
_ACTIVITY = dict.fromkeys(
    ("ID", "OWNER_ID", "OWNER_TYPE_ID", "TYPE_ID", "SUBJECT", "CREATED", "LAST_UPDATED", "START_TIME", "COMPLETED",
     "DESCRIPTION", "DIRECTION", "COMMUNICATIONS"), "string",
)  # fmt: skip
OTHERS = (
    "crm.deal.productrows.get", "crm.deal.productrows.set", "catalog.document.element.add", "catalog.document.conduct",
    "catalog.document.delete", "catalog.document.list", "catalog.product.offer.update", "events", "event.bind",
    "event.get", "event.unbind", "event.offline.get", "event.offline.clear", "feature.get", "batch", "scope",
)  # fmt: skip
"""What the connector calls beside the methods that its facts name."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """A method as its page describes it: name → (required, type), of its parameters and of an object's own fields."""

    params: Mapping[str, tuple[bool, str]]
    inner: Mapping[str, Mapping[str, tuple[bool, str]]] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    """What a filter, a selection and an order may name."""


_LIST = {
    "select": (False, "array"), "filter": (False, "object"), "order": (False, "object"), "start": (False, "integer"),
}  # fmt: skip
_ELSEWHERE = {
    "batch": Page(params={"cmd": (True, "object"), "halt": (False, "integer")}),
    "scope": Page(params={"full": (False, "boolean")}),
    "feature.get": Page(params={"CODE": (True, "string")}),  # as events/offline-events calls it
    "crm.activity.list": Page(params=_LIST, fields=_ACTIVITY),
    "crm.activity.get": Page(params={"id": (True, "integer")}),
}


@cache
def answers() -> list[Any]:
    """The examples that stand on the pages, as they were taken from them."""
    found: list[Any] = json.loads(VENDOR.file("examples-extracted.json").read_text(encoding="utf-8"))
    return found


@cache
def titles() -> Mapping[str, str]:
    """Method → the file of its page."""
    found: dict[str, str] = {}
    root = VENDOR.file("limits.md").parent / "docs"
    for path in sorted(root.rglob("*.md")):
        if "outdated" in path.parts:
            continue
        title = path.read_text(encoding="utf-8").partition("\n")[0].split()
        if title and re.fullmatch(r"[a-z]+(\.[A-Za-z]+)+", title[-1]):
            found[title[-1]] = str(path.relative_to(root))
    return found | {"events": "events/events.md"}


@cache
def fields_of(entity: str) -> Mapping[str, Doc]:
    """The fields of an entity with their types, as the page about them shows."""
    if entity not in _FIELD_PAGES:
        return {}
    shown = [block["json"]["result"] for block in answers()
             if block["file"] == _FIELD_PAGES[entity] and block["heading"] == "Response Handling" and "json" in block]
    found: Mapping[str, Doc] = shown[0] if len(shown[0]) > 1 else next(iter(shown[0].values()))
    return found


@cache
def page(method: str) -> Page | None:
    """What the vendor says of a method; None: it has none of this name."""
    if method in _ELSEWHERE:
        return _ELSEWHERE[method]
    if method not in titles():
        return None
    text = VENDOR.file(f"docs/{titles()[method]}").read_text(encoding="utf-8").partition("## Response Handling")[0]
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    first, *rest = re.split(r"^### ", text, flags=re.MULTILINE)
    params = dict(_rows(first.partition("## Code Examples")[0].partition("## Examples")[0]))
    inner = {}
    for part in rest:
        title = part.partition("\n")[0].lower()
        if title.startswith("additional parameters"):
            params |= dict(_rows(part.partition("## Code Examples")[0]))
        name = next((word for word in ("rows", "params", "fields") if word in title), None)
        if name is not None:
            inner[name] = dict(_rows(part.partition("## Code Examples")[0]))
    entity = method.rpartition(".")[0]
    known = {name: str(facts["type"]) for name, facts in fields_of(entity).items()}
    if "fields" in params and known:
        listed = fields_of(entity)
        asks = method == "crm.company.add"  # its page sends to that of the fields for what is required
        written = {name: (asks and bool(listed[name].get("isRequired")), kind)
                   for name, kind in known.items() if not listed[name].get("isReadOnly")}  # fmt: skip
        inner["fields"] = {**written, **inner.get("fields", {})}
    return Page(params=params, inner=inner, fields=known)


def _rows(text: str) -> Iterator[tuple[str, tuple[bool, str]]]:
    for name, mark, kind in _ROW.findall(text):
        if name not in ("Name", "Value"):
            yield name, (mark != "", kind)


# ── judging ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _fits(kind: str, value: Any) -> bool:
    """Whether a value is of a type of the pages; in a batch figures are their digits."""
    if value is None:
        return True
    if kind.endswith("[]") or kind == "array":
        return isinstance(value, list)
    if kind == "object":
        return isinstance(value, dict)
    if isinstance(value, dict | list):
        return False
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    if text in ("", "$made"):
        return True
    if kind == "integer" or kind.endswith(".id") or kind in ("crm_contact", "crm_company", "user"):
        return re.fullmatch(r"-?\d+", text) is not None
    if kind == "double":
        return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None
    if kind == "boolean":
        return text in ("true", "false", "True", "False", "0", "1", "Y", "N")
    return True


def _multiple(name: str, rows: Any, new: bool) -> str | None:
    """What is wrong in the rows of a field of several values."""
    if not isinstance(rows, list) or rows == []:
        return f"{name} should be a list of rows"
    for row in rows:
        if not isinstance(row, dict) or set(row) - {"ID", "VALUE", "VALUE_TYPE"}:
            return f"{name}: a row has ID, VALUE and VALUE_TYPE"
        if "VALUE" not in row or (not new and "ID" not in row):
            return f"{name}: a row without an ID is added, one without a VALUE deleted"
        if any(isinstance(value, dict | list) for value in row.values()):
            return f"{name}: a row holds texts"
    return None


def _object(name: str, allowed: Mapping[str, tuple[bool, str]], given: Any, method: str) -> str | None:
    """What is wrong in an object whose fields a page lists."""
    if not isinstance(given, dict):
        return f"{name} should be an object"
    for key, value in given.items():
        if key not in allowed and not key.startswith("UF_"):
            return f"{name}.{key} is no field"
        if key in MULTIPLE:
            wrong = _multiple(key, value, method.endswith(".add"))
            if wrong is not None:
                return wrong
        elif not _fits(allowed.get(key, (False, ""))[1], value):
            return f"{name}.{key}: {value!r} is no {allowed[key][1]}"
    lacking = [key for key, (demanded, _) in allowed.items() if demanded and key not in given]
    return f"{name}.{lacking[0]} is required" if lacking else None


def _listed(method: str, known: Page, params: Doc) -> str | None:
    """What is wrong in the parameters of a list."""
    names = {name.upper(): name for name in known.fields} | {name: name for name in ("ORIGINATOR_ID", "ORIGIN_ID")}
    for key, value in (params.get("filter") or {}).items():
        match = _KEY.match(key)
        if match is None or names.get(match[2].upper()) != match[2]:
            return f"filter.{key} is no field"
        if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(v, dict | list) for v in value)):
            return f"filter.{key} is no value"
    for name in params.get("select") or []:
        if name not in ("*", "UF_*") and (not isinstance(name, str) or names.get(name.upper()) != name):
            return f"select: {name} is no field"
    for name, way in (params.get("order") or {}).items():
        if names.get(name.upper()) != name or way not in ("ASC", "DESC"):
            return f"order.{name} is no field or no way"
    named = "iblockId" in (params.get("filter") or {}) and {"id", "iblockId"} <= set(params.get("select") or [])
    if method in ("catalog.product.list", "catalog.product.offer.list") and not named:
        return "id and iblockId are selected, iblockId stands in the filter"
    # settings/performance/huge-data: without a count, pages follow each other by id
    unordered = list((params.get("order") or {}).values()) != ["ASC"]
    if str(params.get("start")) == "-1" and unordered and not method.startswith("event"):
        return "start -1 needs an ascending order of ids"
    return None


def objection(method: str, params: Any) -> str | None:
    """Why the vendor's pages refuse a call."""
    known = page(method)
    if known is None:
        return f"{method} is no method"
    if not isinstance(params, dict):
        return "parameters are an object"
    for name, value in params.items():
        if name not in known.params:
            return f"{method} has no parameter {name}"
        if not _fits(known.params[name][1], value):
            return f"{name}: {value!r} is no {known.params[name][1]}"
    lacking = [name for name, (demanded, _) in known.params.items() if demanded and params.get(name) in (None, "")]
    if params.get("event_type") == "offline":   # events/offline-events: no handler is provided then
        if "handler" in params:
            return "handler: an offline event has none"
        lacking = [name for name in lacking if name != "handler"]
    elif "event_type" in params and params["event_type"] != "online":
        return "event_type is online or offline"
    if lacking:
        return f"{lacking[0]} is required"
    if method == "batch":
        return _commands(params["cmd"])
    for name, allowed in known.inner.items():
        if name == "rows" and isinstance(params.get("rows"), list):
            wrong = next((w for row in params["rows"] if (w := _object("rows", allowed, row, method))), None)
        else:
            wrong = _object(name, allowed, params[name], method) if name in params else None
        if wrong is not None:
            return wrong
    if method == "catalog.document.element.add" and not {"storeFrom", "storeTo"} & set(params["fields"]):
        return "goods come from a store or go to one"
    return _listed(method, known, params) if method.endswith(".list") else None


def _commands(commands: Any) -> str | None:
    if not isinstance(commands, dict) or not 0 < len(commands) <= 50:
        return "a batch has 1 to 50 commands by name"
    for line in commands.values():
        if not isinstance(line, str):
            return "a command is a text"
        method, _, query = line.partition("?")
        if method == "batch":
            return "a batch in a batch is not allowed"
        wrong = objection(method, understood(query))
        if wrong is not None:
            return wrong
    return None


def understood(query: str) -> Any:
    """The parameters of a command, a reference to an earlier one as a mark."""
    return from_query(re.sub(r"\$result\[\w+\](\[\w+\])*", "$made", query))


# ── what was sent ────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def session() -> Simulated:
    """A portal in which the connector did everything it can; the requests it made are in ``calls``."""
    simulated = Simulated()
    simulated.portal.page = 50
    portal = simulated.portal
    store = {**catalogue.STORE, "title": "Almaty", "dateCreate": portal.stamp(), "dateModify": portal.stamp()}
    portal.put("store", store)
    head = catalogue.article(portal, "product", {"name": "Shirt", "xmlId": "S"})
    offer = catalogue.article(portal, "offer", {"name": "Shirt red", "xmlId": "S-R"}, parent=head["id"])
    catalogue.move(portal, head["id"], 1, Decimal(10), why="opening")
    secrets = {"client_id": CLIENT[0], "client_secret": CLIENT[1], "refresh_token": REFRESH, "hook_secret": HOOK_SECRET}
    options = {"secrets": {name: f"env:{name}" for name in secrets}, "catalogue": 23, "offers": 24, "responsible": 1}
    with simulated.running():
        options["oauth"] = simulated.url.removesuffix("/rest")
        connector = Bitrix24(channel="crm-kz", url=simulated.url, options=options, ports=ports_with(secrets))
        connector.check()
        connector.subscribe("http://127.0.0.1:8080/hooks/crm-kz")
        _people(connector)
        _goods(connector, str(offer["id"]), head["id"])
        portal.met({"OWNER_ID": "1"})
        orders.place(portal, {"store": 1, "lines": [{"sku": "S", "quantity": 1, "price": "5"}], "contact": "1"})
        for resource in connector.resources:
            pages = list(connector.read(resource))
            docs = [doc for one in pages for doc in one.docs]
            list(connector.read(resource, pages[-1].cursor))
            connector.fetch(resource, [str(doc[connector.resources[resource].id]) for doc in docs])
        _kept(portal, Bitrix24(
            channel="crm-kz", url=simulated.url, options={**options, "events": "offline"}, ports=ports_with(secrets)
        ))
        connector.subscribe("http://127.0.0.1:8080/hooks/crm-kz")
    return simulated


def _kept(portal: Portal, connector: Bitrix24) -> None:
    """Events in the portal's queue, with a plan that holds packets and one that gives them away."""
    portal.announce, portal.opening = partial(happened, portal), None
    connector.subscribe("http://127.0.0.1:8080/hooks/crm-kz")
    for portal.extended in (True, False):
        made = portal.enter("contact", {"NAME": "Kept"}, by="people")
        assert [[notice.id for notice in notices] for notices in connector.kept()] == [[str(made["ID"])]]
        portal.drop("contact", made["ID"], "lost")
        list(connector.kept())
    portal.extended, portal.opening = True, portal.now()


def _people(connector: Bitrix24) -> None:
    mail = {"VALUE": "dina@example.test", "VALUE_TYPE": "HOME"}
    person = {"NAME": "Дина", "LAST_NAME": "A&B", "EMAIL": [mail], "ADDRESS": "Abay 1", "ADDRESS_2": "",
              "ADDRESS_CITY": "Almaty", "ADDRESS_REGION": "", "ADDRESS_POSTAL_CODE": "050000",
              "ADDRESS_COUNTRY": "KZ", "PHONE": [{"VALUE": "+77010000001", "VALUE_TYPE": "MOBILE"}]}  # fmt: skip
    for resource, doc, change in (
        ("contacts", person, {"NAME": "Dina", "EMAIL": [{**mail, "VALUE": "d@example.test"}]}),
        ("companies", {"TITLE": "Karavan", "EMAIL": [mail]}, {"TITLE": "Karavan Home", "EMAIL": [mail]}),
        ("deals", {"TITLE": "Order 1", "STAGE_ID": "NEW", "CURRENCY_ID": "KZT", "OPPORTUNITY": Decimal("10.01"),
                   "IS_MANUAL_OPPORTUNITY": "Y", "CONTACT_ID": 1, "ADDITIONAL_INFO": "Dina",
                   "rows": [{"PRODUCT_ID": None, "PRODUCT_NAME": "Kettle", "PRICE": Decimal("3.3333"),
                             "QUANTITY": Decimal(3), "TAX_INCLUDED": "Y"}]},
         {"STAGE_ID": "WON", "rows": []}),
    ):  # fmt: skip
        made = list(connector.write(resource, [Write(key=f"{resource}{n}", op="create", doc=doc) for n in range(3)]))
        list(connector.settle(resource, [Write(key=f"{resource}0", op="create", doc=doc)]))
        ids = [str(receipt.id) for receipt in made]
        list(connector.write(resource, [Write(key="u", op="update", id=ids[0], doc=change)]))
        alone = change | {"ADDITIONAL_INFO" if resource == "deals" else "COMMENTS": "$result[x]"}
        list(connector.write(resource, [Write(key="v", op="update", id=ids[1], doc=alone)]))
        list(connector.write(resource, [Write(key="d", op="delete", id=ids[2], doc={})]))


def _goods(connector: Bitrix24, offer: str, product: int) -> None:
    doc = {"name": "Kettle", "xmlId": "007", "active": "Y", "measure": 5, "detailText": "Boils"}
    (made,) = connector.write("products", [Write(key="p", op="create", doc=doc)])
    list(connector.settle("products", [Write(key="p", op="create", doc=doc)]))
    for id in (str(made.id), offer):
        list(connector.write("products", [Write(key=f"q{id}", op="update", id=id, doc={"name": "Pot", "active": "N"})]))
    price = {"productId": product, "catalogGroupId": 1, "price": Decimal("12490.50"), "currency": "KZT"}
    (first,) = connector.write("prices", [Write(key="a", op="create", doc=price)])
    list(connector.settle("prices", [Write(key="a", op="create", doc=price)]))
    list(connector.write("prices", [Write(key="b", op="update", id=first.id, doc=price)]))
    list(connector.write("prices", [Write(key="c", op="delete", id=first.id, doc={})]))
    list(connector.write("prices", [Write(key="e", op="create", doc=price)]))
    simulated_draft = {"docType": "S", "currency": "KZT", "responsibleId": 1, "docNumber": "s3"}
    connector._asked("catalog.document.add", {"fields": simulated_draft})
    row = {"productId": product, "storeId": 1, "currency": "KZT"}
    for n, figure in enumerate((Decimal(12), Decimal("0.5"), Decimal(0), Decimal(3))):
        stock = Write(key=f"s{n}", op="update", id=f"{product}@1", doc={**row, "quantity": figure}, attempt=n // 3 + 1)
        list(connector.write("stock", [stock]))
        list(connector.settle("stock", [stock]))


class _Bitrix24(Vendor):
    """The classic REST methods."""

    name, folder = "bitrix24", "bitrix24"

    def known(self) -> Sequence[str]:
        found = {f"{facts.path}.list" for facts in RESOURCES.values()} | set(OTHERS)
        for resource, facts in RESOURCES.items():
            found |= {op for op in (facts.create, facts.update, facts.delete) if op is not None}
            found |= {str(facts.fetch)} if resource != "stock" else set()
        return sorted(found)

    def recorded(self) -> Sequence[Sent]:
        found = []
        for call in session().calls:
            if call.path == TOKENS:
                continue
            method, body = call.path.lstrip("/"), dict(call.json or {})
            body.pop("auth", None)
            found.append(Sent(operation=method, body=body, text=method))
            for line in body.get("cmd", {}).values():
                inner, _, query = line.partition("?")
                found.append(Sent(operation=inner, body=understood(query), text=inner))
        return found

    def objection(self, sent: Sent) -> str | None:
        return objection(sent.text, sent.body)

    def required(self, sent: Sent) -> Sequence[Place]:
        known = page(sent.operation)
        assert known is not None
        found: list[Place] = [(name,) for name, (demanded, _) in known.params.items() if demanded and name in sent.body]
        if "fields" in sent.body:
            demanded = [name for name, rule in known.inner.get("fields", {}).items() if rule[0]]
            found += [("fields", name) for name in demanded]
            found += [("fields", name, n, "VALUE") for name in MULTIPLE
                      for n, _ in enumerate(sent.body["fields"].get(name) or [])]  # fmt: skip
        if sent.operation in ("catalog.product.list", "catalog.product.offer.list"):
            found.append(("filter", "iblockId"))
        if sent.operation.endswith(".list"):
            found += [("order", name) for name in sent.body.get("order") or {}]
        return found

    def breakable(self, sent: Sent) -> Sequence[Place]:
        if sent.operation == "batch":  # its commands are judged one by one; of itself it has two words
            return [("cmd",), ("halt",)]
        return super().breakable(sent)

    def spoilt(self) -> Sequence[Sent]:
        found = [replace(sent, body={**sent.body, "order": {}}) for sent in self.recorded()
                 if sent.operation.endswith(".list") and str(sent.body.get("start")) == "-1"]  # fmt: skip
        line = "crm.contact.get?id=1"
        found.append(Sent(operation="batch", text="batch", body={"cmd": {str(n): line for n in range(51)}, "halt": 0}))
        found.append(Sent(operation="batch", text="batch", body={"cmd": {"a": "batch?cmd[b]=scope"}, "halt": 0}))
        added = {"fields": {"PHONE": [{"VALUE": "+77010000001", "VALUE_TYPE": "WORK"}]}, "id": "1"}
        found.append(Sent(operation="crm.contact.update", text="crm.contact.update", body=added))
        nowhere = {"fields": {"docId": "1", "elementId": "2", "amount": "3"}}
        found.append(Sent(operation="catalog.document.element.add", text="catalog.document.element.add", body=nowhere))
        return found

    def misfits(self) -> Sequence[str]:
        from tests.contract.vendor.bitrix24_answers import answered

        return answered()

    def examples(self) -> Sequence[tuple[str, str | None]]:
        from tests.contract.vendor.bitrix24_answers import replayed

        return replayed()

    def renamed(self, sent: Sent, dice: random.Random) -> Sent | None:
        spot = dice.randrange(len(sent.text) + 1)
        return replace(sent, text=f"{sent.text[:spot]}X{sent.text[spot:]}")


VENDOR = _Bitrix24()
