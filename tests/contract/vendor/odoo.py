"""Odoo 16 to 19: it publishes no schema, so every call is judged by what its source says, by field and by method.

What surprises here:

* The facts are those of ``odoo_published.py``, read by hand in the public source; neither connector nor simulator knows
  them. They judge what the connector asks, what the simulator answers, and the simulator's own table of models.
* A call of JSON-RPC is written down as one of JSON-2: its positions are given the names that the source has for them.
* A field that is computed may be asked for and neither written nor searched, unless the source says how.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar

from connectors import odoo_facts
from connectors.answers import Answer
from connectors.base import Doc, Write
from connectors.odoo import Odoo
from deployments.sandbox.odoo.acts import ACTS, PEOPLE
from deployments.sandbox.odoo.calls import OF_MODEL
from deployments.sandbox.odoo.database import Session
from deployments.sandbox.odoo.fill import ADMIN
from deployments.sandbox.odoo.models import MODELS as SIMULATED, choices
from deployments.sandbox.odoo.server import DATABASE, LOGIN
from tests.contract.harness import EARLY, Call, Reply, ports_with
from tests.contract.odoo_simulator import HOOK_SECRET, TOKEN, Simulated
from tests.contract.vendor.checking import Place, Sent, Vendor, places
from tests.contract.vendor.odoo_judging import GIVEN, demanded, looser, objections, told_right, whole
from tests.contract.vendor.odoo_published import METHODS, VERSIONS, models


class Recorded(Simulated):
    """An Odoo that keeps what it was asked and what it answered."""

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.told: list[tuple[Sent, int, Any]] = []

    def handle(self, call: Call) -> Reply:
        reply = super().handle(call)
        if self.is_work(call):
            status, body = reply.status, reply.body
            if call.path == "/jsonrpc":
                status, body = (200, body["result"]) if "result" in body else (500, body["error"]["data"])
            self.told.append((sent(call), status, json.loads(json.dumps(body))))
        return reply


def sent(call: Call) -> Sent:
    """A call in the form of JSON-2; one of JSON-RPC gives its arguments by position, after the ids."""
    assert call.method == "POST"
    body = json.loads(call.body)
    if call.path != "/jsonrpc":
        model, method = call.path.removeprefix("/json/2/").split("/")
        return Sent(operation=f"{model}.{method}", body=body)
    params = body["params"]
    assert (params["service"], params["method"], params["args"][:3]) == ("object", "execute_kw", [DATABASE, 2, TOKEN])
    model, method, given, named = params["args"][3:]
    made: Doc = {} if method in OF_MODEL else {"ids": given[0]}
    names = METHODS.get(model, {}).get(method, METHODS[""].get(method, ()))
    for name, value in zip(names, given if method in OF_MODEL else given[1:], strict=False):
        made[name] = value
    assert not set(made) & set(named), "given twice"
    return Sent(operation=f"{model}.{method}", body=made | named)


@cache
def session(version: int) -> Recorded:
    """An Odoo in which the connector did everything it can."""
    made = Recorded(version)
    made.moment = EARLY
    older = {} if version >= 19 else {"version": version, "user": LOGIN, "database": DATABASE}
    connector = Odoo(
        channel="erp-kz", url=made.url, ports=ports_with({"token": TOKEN, "hook_secret": HOOK_SECRET}),
        options={"secrets": {"token": "env:T", "hook_secret": "env:H"}, "company": 1, "page_size": 3, "lag": 5,
                 "charges": {"delivery": "DELIVERY", "discount": "DISCOUNT"}, **older},
    )  # fmt: skip
    with made.running():
        connector.check()
        if version > 16:  # automation rules of 16 post nothing
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
    """JSON-2 of Odoo 19, JSON-RPC of those before."""

    folder: ClassVar[str] = "odoo"
    demanded: ClassVar[int] = 20

    def __init__(self, version: int) -> None:
        self.version, self.models = version, models(version)
        self.name = "odoo" if version == 19 else f"odoo-{version}"  # type: ignore[misc]  # one of a kind per version
        self.read = 3 if version == 19 else 0  # type: ignore[misc]  # the page shows JSON-2

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
        if self.version == 16:
            more -= {"base.automation"}
            read -= {"ir.model", "ir.model.fields", "ir.actions.server"}
        return sorted(
            {f"{model}.search_read" for model in read}
            | {f"{model}.create" for model in (made | more) - {"product.product"}}
            | {f"{model}.write" for model in written | {"stock.move"}}
            | acted
        )

    def recorded(self) -> Sequence[Sent]:
        return [asked for asked, _, _ in session(self.version).told]

    def objection(self, sent: Sent) -> str | None:
        model, _, method = sent.operation.rpartition(".")
        if model not in self.models:
            return f"no model {model}"
        parameters = METHODS.get(model, {}).get(method, METHODS[""].get(method))
        if parameters is None:
            return f"{model} has no method {method}"
        return next(objections(self.models, model, method, parameters, sent.body), None)

    def required(self, sent: Sent) -> Sequence[Place]:
        model, _, method = sent.operation.rpartition(".")
        found: list[Place] = [(name,) for name in GIVEN.get(method, ("ids",))]
        if method == "create":
            for index, values in enumerate(sent.body["vals_list"]):
                found += demanded(self.models, model, values, ("vals_list", index))
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
        return [*self._answers(), *self._kept(), *self._table()]

    def _answers(self) -> Iterator[str]:
        """What the simulator answered and Odoo would not."""
        for asked, status, body in session(self.version).told:
            model, _, method = asked.operation.rpartition(".")
            where = f"{asked.operation} {json.dumps(asked.body)[:80]}"
            if status != 200:
                if set(body) != {"name", "message", "arguments", "context", "debug"}:
                    yield f"{where}: {sorted(body)} is no error"
            elif method == "create":
                made = body if isinstance(body, list) else []
                if len(made) != len(asked.body["vals_list"]) or not all(map(whole, made)):
                    yield f"{where}: a list of ids is returned, not {body!r}"
            elif method == "write":
                if body is not True:
                    yield f"{where}: true is returned, not {body!r}"
            elif method == "fields_get":
                wanted = {name: self.models[model][name].type for name in asked.body["allfields"]
                          if name in self.models[model]}  # fmt: skip
                if body != {name: {"type": type} for name, type in wanted.items()}:
                    yield f"{where}: {body!r}"
            elif method == "search_read":
                for row in body:
                    if set(row) != {"id", *asked.body["fields"]}:
                        yield f"{where}: {sorted(row)}"
                    yield from (f"{where}: {name}: {value!r}" for name, value in row.items()
                                if not told_right(self.models[model][name], value))  # fmt: skip

    def _kept(self) -> Iterator[str]:
        """Values that stand in the simulator's database and that Odoo could not hold or would tell otherwise."""
        db = session(self.version).db
        for model, rows in db.rows.items():
            for id in rows:
                for name, inside in db.names(model).items():
                    value = db.told(model, id, inside, ADMIN)
                    kind = self.models[model].get(name)
                    if kind is not None and not told_right(kind, value):
                        yield f"{model}.{name} of {id}: {value!r}"

    def _table(self) -> Iterator[str]:
        """Fields of the simulator that Odoo has not, or of which it may do more than with Odoo's."""
        db = session(self.version).db
        for model, fields in SIMULATED.items():
            for name, inside in db.names(model).items():
                kind = self.models[model].get(name)
                if kind is None:
                    yield f"{model}.{name}: there is no such field in {self.version}"
                else:
                    ours = fields[inside]
                    values = choices(self.version, model, inside) if ours.type == "selection" else ()
                    yield from (f"{model}.{name}: {more}" for more in looser(ours, values, kind))

    def examples(self) -> Sequence[tuple[str, str | None]]:
        """The three answers of the documentation's page, read by the connector: records, a bad key, the version."""
        if self.version < 19:
            return ()
        connector = Odoo(channel="erp-kz", url="http://127.0.0.1:9", ports=ports_with({"token": TOKEN}), options={})
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
            Sent(operation="stock.quant.search_read", body={"context": {}, "domain": [["available_quantity", ">", 0]]}),
            Sent(operation="product.product.search_read", body={"context": {}, "order": "free_qty"}),
            Sent(operation="product.product.write", body={"context": {}, "ids": [1], "vals": {"free_qty": 5}}),
        ]


VENDORS = [_Odoo(version) for version in reversed(VERSIONS)]
