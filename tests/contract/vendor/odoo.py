"""Odoo 19: it publishes no schema, so every call is judged by facts that were looked up, by field and by method.

What surprises here: the facts are those of ``deployments/sandbox/odoo/models.py`` (the sources of odoo/odoo and the
documentation of 19.0, looked up 2026-11-22); they know no module beyond those a retailer's house needs. A field that is
computed may be asked for and neither written nor, where it is not stored, searched.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar

from connectors import odoo_facts
from connectors.answers import Answer
from connectors.base import Doc, Write
from connectors.odoo import Odoo
from deployments.sandbox.odoo.acts import ACTS, PEOPLE
from deployments.sandbox.odoo.database import _SEARCHABLE, Session
from deployments.sandbox.odoo.fill import ADMIN
from deployments.sandbox.odoo.models import METHODS, MODELS as EVERY, UNTIL, Field
from tests.contract.harness import EARLY, ports_with
from tests.contract.odoo_simulator import HOOK_SECRET, TOKEN, Simulated
from tests.contract.vendor.checking import Place, Sent, Vendor, places

MODELS = {
    model: {name: kind for name, kind in fields.items() if (model, name) not in UNTIL}
    for model, fields in EVERY.items()
}
"""As 19 has them."""
OPERATORS = ("=", "!=", "in", "not in", ">", ">=", "<", "<=", "like", "ilike", "=like", "=ilike", "child_of")
CONTEXT: Mapping[str, type | tuple[type, ...]] = {
    "lang": str, "active_test": bool, "allowed_company_ids": list, "location": int, "disable_cancel_warning": bool,
    "skip_backorder": bool, "skip_immediate": bool, "skip_sms": bool, "serai_write": str,
}  # fmt: skip
UNKNOWN = Field(type="", stored=False)
GIVEN: Mapping[str, tuple[str, ...]] = {"create": ("vals_list",), "write": ("ids", "vals"), "search_read": (),
                                        "fields_get": ()}  # fmt: skip
"""What a method cannot do without; an action wants ids."""


@cache
def session() -> Simulated:
    """An Odoo in which the connector did everything it can; the calls it made are in ``calls``."""
    made = Simulated()
    made.moment = EARLY
    connector = Odoo(
        channel="erp-kz", url=made.url, ports=ports_with({"token": TOKEN, "hook_secret": HOOK_SECRET}),
        options={"secrets": {"token": "env:T", "hook_secret": "env:H"}, "company": 1, "page_size": 3, "lag": 5,
                 "charges": {"delivery": "DELIVERY", "discount": "DISCOUNT"}},
    )  # fmt: skip
    with made.running():
        connector.check()
        connector.subscribe("http://127.0.0.1:8080/hooks/erp-kz")
        variants = _goods(made, connector)
        _trade(made, connector, variants)
        _tills(made, variants)
        for resource in connector.resources:
            pages = list(connector.read(resource))
            docs = [doc for page in pages for doc in page.docs]
            list(connector.read(resource, pages[-1].cursor))
            connector.fetch(resource, [str(doc["id"]) for doc in docs])
    return made


def _one(connector: Odoo, resource: str, key: str, doc: Doc, id: str | None = None) -> str:
    write = Write(key=key, op="create" if id is None else "update", doc=doc, id=id)
    (receipt,) = connector.write(resource, [write])
    assert receipt.outcome == "applied", receipt.detail
    list(connector.settle(resource, [write]))
    return str(receipt.id)


def _goods(made: Simulated, connector: Odoo) -> list[str]:
    """A product of two variants with prices, and one that all its variants cost the same."""
    made.enter("product.category", {"name": "Kitchen"}, EARLY)
    template = _one(connector, "products", "p", {"name": "Kettle", "default_code": "KTL", "description_sale": None,
                                                 "categ": "Kitchen", "active": True})  # fmt: skip
    made.db.transact(lambda: made.db.update("product.template", int(template), {"is_storable": True}))
    _one(connector, "products", "p2", {"name": "Kettle 2"}, template)
    bare = _one(connector, "products", "p3", {"name": "Cup", "default_code": "CUP", "active": True})
    _one(connector, "variants", "v9", {"default_code": "CUP-1", "code": "CUP", "template": int(bare), "active": True})
    found = [
        _one(connector, "variants", f"v{n}", {
            "default_code": f"KTL-{n}", "barcode": f"487000100001{n}", "template": int(template), "active": True,
            "options": [{"name": "Colour", "value": colour}],
        }) for n, colour in enumerate(("red", "blue"))
    ]  # fmt: skip
    _one(connector, "variants", "v-2", {"barcode": None}, found[0])
    price = {"list": "retail", "product": int(found[0]), "fixed_price": Decimal("12490.00"), "min_quantity": 0,
             "date_start": "2026-03-01 00:00:00", "date_end": None}  # fmt: skip
    item = _one(connector, "prices", "q", price)
    _one(connector, "prices", "q2", {"fixed_price": Decimal("9990.00")}, item)
    whole = {"pricelist_id": 1, "applied_on": "1_product", "product_tmpl_id": int(template), "fixed_price": 5}
    made.enter("product.pricelist.item", whole, EARLY)
    return found


def _trade(made: Simulated, connector: Odoo, variants: Sequence[str]) -> None:
    """Sales of partners and of strangers, confirmed, sent in part, brought back, cancelled; a lead; a credit note."""
    person = {"name": "Dina", "email": "dina@example.test", "phone": "+77010000001", "street": "Abay 1", "lang": "ru",
              "country_code": "KZ", "is_company": False, "vat": None}  # fmt: skip
    partner = _one(connector, "customers", "c", person)
    _one(connector, "customers", "c2", {"phone": None}, partner)
    lines = [{"x_serai_key": f"li_{n}", "product": int(variant), "name": "Kettle", "product_uom_qty": Decimal(3),
              "total": "10.00"} for n, variant in enumerate(variants)]  # fmt: skip
    sale: Doc = {
        "client_order_ref": "1001", "date_order": "2026-03-01 09:00:00", "state": "sale", "delivered": False,
        "x_serai_payment": "open", "partner": int(partner), "buyer": None, "warehouse": 1, "currency": "KZT",
        "list_in": None, "order_line": lines, "amount_total": Decimal("19.50"),
        "shipping": {"name": "Dina", "street": "Abay 1", "city": "Almaty", "zip": "050000", "country_code": "KZ"},
        "charges": [{"kind": "delivery", "amount": "1.50"}, {"kind": "discount", "amount": "-2.00"}],
    }  # fmt: skip
    first = _one(connector, "orders", "o1", sale)
    stranger = {**sale, "partner": None, "buyer": {"name": "A", "email": "a@example.test", "phone": "+7701"}}
    second = _one(connector, "orders", "o2", {**stranger, "delivered": True, "list_in": "KZT"})
    _one(connector, "orders", "o1b", {"x_serai_payment": "paid"}, first)
    again = Write(key="o1", op="create", doc=sale, attempt=2)
    assert [one.id for one in connector.write("orders", [again])] == [first]
    parcel = {
        "order_id": int(first),
        "carrier_tracking_ref": "KZ1",
        "lines": [{"line": "li_0", "quantity": Decimal(1)}],
    }
    shipment = _one(connector, "shipments", "s", parcel)
    _one(connector, "shipments", "s2", {"carrier_tracking_ref": "KZ2"}, shipment)
    _one(connector, "returns", "r", {"order_id": int(second), "warehouse": 1, "lines": [
        {"line": "li_0", "quantity": Decimal(1), "to": "stock"}]})  # fmt: skip
    _one(connector, "orders", "o1c", {"state": "cancel"}, first)
    lead = _one(connector, "leads", "l", {"name": "Kettles", "type": "lead", "partner": int(partner), "active": True})
    _one(connector, "leads", "l2", {"active": False}, lead)
    for kind in ("out_invoice", "out_refund"):
        made.enter("account.move", {"name": kind, "move_type": kind, "state": "posted", "currency_id": 1}, EARLY)
    made.db.transact(lambda: made.db.update("sale.order", int(second), {"invoice_ids": [1, 2]}))
    order = {"item": "KTL-0", "location": "ALM", "delivery": "PO-1", "quantity": 6, "on": "2026-03-05"}
    made.db.transact(lambda: ACTS["order_goods"](made.db, order, Session(companies=frozenset({1, 2}), context=PEOPLE)))


def _tills(made: Simulated, variants: Sequence[str]) -> None:
    """A receipt, and one on which a thing came back."""
    made.enter("pos.config", {"name": "Till 1", "picking_type_id": 2, "company_id": 1}, EARLY)
    made.enter("pos.session", {"name": "POS/1", "config_id": 1, "state": "opened", "company_id": 1}, EARLY)
    line = {"product_id": int(variants[0]), "qty": 1, "price_subtotal_incl": 5, "full_product_name": "Kettle"}
    for sign, more in ((1, {}), (-1, {"refunded_orderline_id": 1})):
        made.enter("pos.order", {
            "name": "T/1", "session_id": 1, "state": "done", "company_id": 1, "amount_total": 5 * sign,
            "lines": [[0, 0, {**line, "qty": sign, **more}]],
            "payment_ids": [[0, 0, {"amount": 5 * sign, "payment_method_id": 1}]]}, EARLY)  # fmt: skip


class _Odoo(Vendor):
    """JSON-2 of Odoo 19."""

    name, folder = "odoo", "odoo"
    demanded: ClassVar[int] = 20
    read: ClassVar[int] = 3

    def known(self) -> Sequence[str]:
        read = {facts.path for facts in odoo_facts.RESOURCES.values()}
        read |= {watch.model for watches in odoo_facts.WATCHES.values() for watch in watches}
        read |= {
            "pos.order.line", "pos.payment", "pos.config", "stock.picking.type", "product.pricelist", "res.country",
            "res.lang", "product.category", "product.attribute", "product.attribute.value", "ir.model",
            "ir.model.fields",
            "ir.actions.server", "product.template.attribute.line", "product.template.attribute.value",
        }  # fmt: skip
        made = {facts.path for facts in odoo_facts.RESOURCES.values() if facts.create is not None}
        written = {facts.path for facts in odoo_facts.RESOURCES.values() if facts.update is not None}
        acted = {"sale.order.action_confirm", "sale.order.action_cancel", "stock.picking.action_confirm",
                 "stock.picking.button_validate", "sale.order.line.fields_get", "sale.order.fields_get",
                 "stock.picking.fields_get"}  # fmt: skip
        more = {"product.attribute", "product.attribute.value", "base.automation"}
        return sorted(
            {f"{model}.search_read" for model in read}
            | {f"{model}.create" for model in (made | more) - {"product.product"}}
            | {f"{model}.write" for model in written | {"stock.move"}}
            | acted
        )

    def recorded(self) -> Sequence[Sent]:
        found = []
        for call in session().calls:
            assert call.method == "POST"
            model, method = call.path.removeprefix("/json/2/").split("/")
            found.append(Sent(operation=f"{model}.{method}", body=json.loads(call.body)))
        return found

    def objection(self, sent: Sent) -> str | None:
        model, _, method = sent.operation.rpartition(".")
        if model not in MODELS:
            return f"no model {model}"
        parameters = METHODS.get(model, {}).get(method, METHODS[""].get(method))
        if parameters is None:
            return f"{model} has no method {method}"
        return next(_objections(model, method, parameters, sent.body), None)

    def required(self, sent: Sent) -> Sequence[Place]:
        model, _, method = sent.operation.rpartition(".")
        found: list[Place] = [(name,) for name in GIVEN.get(method, ("ids",))]
        if method == "create":
            for index, values in enumerate(sent.body["vals_list"]):
                found += _demanded(model, values, ("vals_list", index))
        return found

    def breakable(self, sent: Sent) -> list[Place]:
        """What has a name: parameters, the context's and the values'."""
        return [place for place in places(sent.body) if isinstance(place[-1], str)]

    def renamed(self, sent: Sent, dice: random.Random) -> Sent:
        """A field of a list or a domain misspelt; without one the method."""
        body = json.loads(json.dumps(sent.body))
        fields, terms = body.get("fields") or [], [term for term in body.get("domain") or [] if isinstance(term, list)]
        chosen = dice.choice([*range(len(fields)), *(range(-len(terms), 0))]) if fields or terms else None
        if chosen is None:
            return Sent(operation=f"{sent.operation}X", body=body)
        if chosen >= 0:
            fields[chosen] += "X"
        else:
            terms[chosen][0] += "X"
        return Sent(operation=sent.operation, body=body)

    def misfits(self) -> Sequence[str]:
        db, found = session().db, list[str]()
        for model, rows in db.rows.items():
            for id in rows:
                for name, kind in MODELS[model].items():
                    value = db.told(model, id, name, ADMIN)
                    if not _told_right(kind, value):
                        found.append(f"{model}.{name} of {id}: {value!r}")
        return found

    def examples(self) -> Sequence[tuple[str, str | None]]:
        """The three answers of the documentation's page, read by the connector: records, a bad key, the version."""
        made = Simulated()
        connector = Odoo(channel="erp-kz", url=made.url, ports=ports_with({"token": TOKEN}), options={})
        answers = {
            "records": (200, [{"id": 25, "name": "Deco Addict"}], "[{'id': 25, 'name': 'Deco Addict'}]"),
            "a bad key": (401, {"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey",
                                "arguments": ["Invalid apikey", 401], "context": {}, "debug": "Traceback"}, "API key"),
            "a refusal": (422, {"name": "odoo.exceptions.UserError", "message": "Not allowed", "arguments": [],
                                "context": {}, "debug": ""}, "Odoo refuses: Not allowed"),
        }  # fmt: skip
        found = list[tuple[str, str | None]]()
        for name, (status, body, wanted) in answers.items():
            answer = Answer(status=status, headers={}, body=body, url="", asked_at=EARLY, began=EARLY)
            connector._posted = lambda *given, answer=answer: answer  # type: ignore[method-assign]
            try:
                told = str(connector.rows("res.partner", [], ["name"]))
            except Exception as fault:  # noqa: BLE001 (whatever it is, its words are judged)
                told = str(fault)
            found.append((name, None if wanted in told else told))
        return found

    def spoilt(self) -> Sequence[Sent]:
        """What the documentation says in words: ids never go to a method of the model, vals only to a record."""
        partner: Doc = {"context": {}, "ids": [1]}
        return [
            Sent(operation="res.partner.search_read", body={**partner, "domain": []}),
            Sent(operation="res.partner.create", body={**partner, "vals_list": [{"name": "A"}]}),
            Sent(operation="product.product.search_read", body={"context": {}, "domain": [["free_qty", ">", 0]]}),
            Sent(operation="product.product.write", body={"context": {}, "ids": [1], "vals": {"free_qty": 5}}),
        ]


def _objections(model: str, method: str, parameters: Sequence[str], body: Any) -> Iterator[str]:
    for name in body:
        if name not in (*parameters, "ids", "context"):
            yield f"{method} has no parameter {name}"
    for name in GIVEN.get(method, ("ids",)):
        if name not in body:
            yield f"{method} needs {name}"
    ids = body.get("ids")
    if ids is not None and method in ("search_read", "create", "fields_get"):
        yield f"{method} takes no ids"
    if ids is not None and not (isinstance(ids, list) and ids and all(_whole(id) for id in ids)):
        yield "ids are whole numbers"
    if not isinstance(body.get("context"), dict):
        yield "no context"
        return
    for name, value in body["context"].items():
        if name not in CONTEXT or not isinstance(value, CONTEXT[name]) or (_whole(value) and CONTEXT[name] is bool):
            yield f"context {name}: {value!r}"
        if name == "allowed_company_ids" and not all(_whole(one) for one in value):
            yield f"context {name}: {value!r}"
    for name in ("limit", "offset"):
        if body.get(name) is not None and not _whole(body[name]):
            yield f"{name} is no number"
    for name in ("fields", "attributes", "allfields"):
        yield from _listed(model, name, body.get(name, []))
    order = body.get("order", "id")
    parts = [part.strip() for part in order.split(",")] if isinstance(order, str) else [""]
    sorted_by = [re.fullmatch(r"(\w+)( desc)?", part) for part in parts]
    if any(part is None or not MODELS[model].get(part[1], UNKNOWN).stored for part in sorted_by):
        yield f"order {order!r}"
    domain = body.get("domain", [])
    if not isinstance(domain, list):
        yield "a domain is a list"
        return
    for term in domain:
        yield from _term(model, term)
    rows = body.get("vals_list", [body["vals"]] if "vals" in body else [])
    if not isinstance(rows, list):
        yield "values are a list"
        return
    for values in rows:
        yield from _values(model, values, method == "create")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _listed(model: str, name: str, value: Any) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{name} is no list"
        return
    for one in value:
        if not isinstance(one, str) or (name != "attributes" and one not in MODELS[model]):
            yield f"{model} has no field {one!r}"
        if name == "attributes" and one not in ("type", "string", "required", "readonly"):
            yield f"attribute {one!r}"


def _term(model: str, term: Any) -> Iterator[str]:
    if term in ("&", "|", "!"):
        return
    if not isinstance(term, list) or len(term) != 3 or not isinstance(term[0], str) or term[1] not in OPERATORS:
        yield f"a term is [field, operator, value]: {term!r}"
        return
    steps, of = term[0].split("."), model
    for number, step in enumerate(steps):
        kind = MODELS[of].get(step)
        if (
            kind is None
            or not (kind.stored or (of, step) in _SEARCHABLE)
            or (number < len(steps) - 1 and kind.of not in MODELS)
        ):
            yield f"{of}.{step} cannot be searched"
            return
        of = kind.of
    values = term[2] if isinstance(term[2], list) else [term[2]]
    if any(isinstance(value, dict | list) for value in values) or (
        isinstance(term[2], list) != (term[1] in ("in", "not in"))
    ):
        yield f"{term[0]} {term[1]}: {term[2]!r}"


def _values(model: str, values: Any, fresh: bool) -> Iterator[str]:
    if not isinstance(values, dict):
        yield "values are an object"
        return
    for name, value in values.items():
        kind = MODELS[model].get(name)
        if kind is None or (kind.computed and (model, name) not in _ON_TEMPLATE):
            yield f"{model}.{name} cannot be written"
        elif not _fits(kind, value):
            yield f"{model}.{name}: {value!r}"
        elif kind.type in ("one2many", "many2many"):
            for command in value:
                if command[0] in (0, 1) and len(command) == 3 and _whole(command[1]):
                    yield from _values(kind.of, command[2], command[0] == 0)
                elif command[0] not in (4, 6) or not all(
                    _whole(id) for id in (command[2] if command[0] == 6 else [command[1]])
                ):
                    yield f"{model}.{name}: command {command!r}"
    if fresh:
        yield from (f"{model} needs {place[-1]}" for place in _needs(model) if values.get(place) in (None, False, ""))


_ON_TEMPLATE = {
    ("product.product", name) for name in ("name", "list_price", "type", "uom_id", "is_storable", "sale_ok")
}
_OWN: Mapping[str, tuple[str, ...]] = {
    "product.template": ("uom_id",), "product.product": ("product_tmpl_id",),
    "stock.picking": ("location_id", "location_dest_id"),
    "stock.move": ("location_id", "location_dest_id"), "sale.order.line": ("order_id",), "ir.actions.server": (),
    "product.template.attribute.line": ("product_tmpl_id",), "crm.lead": ("type",),
}  # fmt: skip
"""Required fields that Odoo itself fills, from a default or the record around."""
_MORE: Mapping[str, tuple[str, ...]] = {"res.partner": ("name",), "sale.order.line": ("product_id",)}
"""What a constraint demands: a contact has a name, a line of goods a product."""


def _needs(model: str) -> list[str]:
    own = _OWN.get(model, ())
    demanded = [name for name, kind in MODELS[model].items() if kind.required and not kind.computed and name not in own]
    return [*demanded, *_MORE.get(model, ())]


def _demanded(model: str, values: Mapping[str, Any], place: Place) -> list[Place]:
    found: list[Place] = [(*place, name) for name in _needs(model)]
    for name, value in values.items():
        if MODELS[model][name].type == "one2many":
            for index, command in enumerate(value):
                if command[0] == 0:
                    found += _demanded(MODELS[model][name].of, command[2], (*place, name, index, 2))
    return found


def _fits(kind: Field, value: Any) -> bool:
    if value is False:
        return True
    if kind.type in ("one2many", "many2many"):
        return isinstance(value, list) and all(isinstance(one, list) and one for one in value)
    if kind.type in ("many2one", "integer"):
        return _whole(value)
    if kind.type == "float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind.type == "boolean":
        return isinstance(value, bool)
    if kind.type == "datetime":
        return isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", value) is not None
    if kind.type == "selection":
        return value in kind.of.split("|")
    return isinstance(value, str)


def _told_right(kind: Field, value: Any) -> bool:
    """As Odoo tells it: false for empty, a pair for a link, numbers as numbers."""
    if kind.type == "many2one":
        return value is False or (
            isinstance(value, list) and len(value) == 2 and _whole(value[0]) and isinstance(value[1], str)
        )
    if kind.type in ("one2many", "many2many"):
        return isinstance(value, list) and all(_whole(id) for id in value)
    if kind.type == "float":
        return isinstance(value, float)
    return value != "" and _fits(kind, value)


VENDOR = _Odoo()
