"""The simulated Odoo behind the contract suite's harness: the sandbox's database and calls, the harness's faults.

What surprises here: the same partners are asked for by JSON-2 of Odoo 19 and by JSON-RPC of 16, whose names differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from connectors.base import Doc, Request
from deployments.sandbox.faults import Faults
from deployments.sandbox.odoo.database import Database
from deployments.sandbox.odoo.fill import ADMIN, empty, warehouse
from deployments.sandbox.odoo.records import create
from deployments.sandbox.odoo.server import DATABASE, LOGIN, Api
from tests.contract.harness import EARLY, Call, Reply, Simulator, Subject

TOKEN, HOOK_SECRET = "odoo-key-5d0c2a", "odoo-hook-93ab"


class Simulated(Simulator):
    """An Odoo of two companies, a warehouse each, and nothing else."""

    def __init__(self, version: int = 19) -> None:
        super().__init__()
        self.db: Database = empty(version=version)
        self.moment = EARLY
        self.db.wall = lambda: self.moment
        self.db.opening = EARLY
        self.db.transact(lambda: [warehouse(self.db, name, code, n) for n, (name, code) in enumerate(HOUSES, 1)])
        self.db.opening = None
        self.api = Api(self.db, Faults(), TOKEN)

    def handle(self, call: Call) -> Reply:
        status, body = self.api.answer(call.path, call.headers, call.json)
        return Reply(status=status, body=body)

    def is_work(self, call: Call) -> bool:
        """A log-in of the older way is none."""
        return not (call.path == "/jsonrpc" and call.json["params"]["service"] == "common")

    @property
    def hooks(self) -> list[str]:
        """The addresses that rules post to, each once, without our key."""
        posts = [row.doc["webhook_url"].partition("?")[0] for row in self.db.rows["ir.actions.server"].values()]
        assert len(posts) == len({row.doc["model_id"] for row in self.db.rows["ir.actions.server"].values()})
        return list(dict.fromkeys(posts))

    def enter(self, model: str, values: Doc, at: datetime) -> int:
        """A record entered at a moment."""
        self.moment = at
        return int(self.db.transact(lambda: create(self.db, model, values, ADMIN)))


HOUSES = (("Almaty", "ALM"), ("Plovdiv", "PLV"))


def _of(simulator: Simulator) -> Simulated:
    assert isinstance(simulator, Simulated)
    return simulator


class Partners(Subject):
    """Partners by JSON-2."""

    name = "odoo"
    platform = "odoo"
    resource = "customers"
    version: ClassVar[int] = 19
    secrets: ClassVar[Mapping[str, str]] = {"token": TOKEN, "hook_secret": HOOK_SECRET}
    exact: ClassVar[Mapping[str, Any]] = {"name": "1E5", "street": "007", "zip": "0", "is_company": False}
    lacks: ClassVar[Mapping[str, str]] = {
        "delete": "a partner with documents cannot be deleted; it is archived",
        "rpc": "every call is a POST",
        "signature": "an automation rule's post is not signed; its address carries a word",
    }

    def simulator(self) -> Simulator:
        return Simulated(self.version)

    def options(self, simulator: Simulator) -> Mapping[str, Any]:
        return {"page_size": 3, "lag": 5, "company": 1}

    def seed(self, simulator: Simulator, stamps: Sequence[datetime]) -> list[str]:
        return [str(_of(simulator).enter("res.partner", {"name": f"Aigerim {n}"}, at)) for n, at in enumerate(stamps)]

    def touch(self, simulator: Simulator, id: str, at: datetime) -> None:
        made = _of(simulator)
        made.moment = at
        made.db.transact(lambda: made.db.update("res.partner", int(id), {}))

    def held(self, simulator: Simulator) -> Mapping[str, Doc]:
        return {str(id): dict(row.doc) for id, row in _of(simulator).db.rows["res.partner"].items()}

    def creation(self, number: int) -> Doc:
        return {"name": f"Aigerim {number}", "email": f"a{number}@example.test", "phone": None}

    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        return {"name": f"Dina {number}"}

    def bad(self) -> Doc:
        return {"name": "Bad", "country_code": "XX"}

    def with_exact(self, values: Mapping[str, Any]) -> Doc:
        return dict(values)

    def exact_of(self, doc: Doc) -> Mapping[str, Any]:
        return {name: doc[name] for name in self.exact}

    def denied(self, status: int, scope: str) -> Reply:
        names = {401: "werkzeug.exceptions.Unauthorized", 403: "odoo.exceptions.AccessError"}
        return Reply(status=status, body={"name": names[status], "message": f"You may not read {scope}"})

    def notice(self, simulator: Simulator, id: str, at: datetime, *, sent: datetime, delivery: str) -> Request:
        told = f'"_model": "res.partner", "_id": {id}, "write_date": "{at:%Y-%m-%d %H:%M:%S.%f}"'
        body = f'{{{told}, "_action": "Serai(#1)"}}'.encode()
        return Request(method="POST", url="/hooks/shop-kz", query={"key": HOOK_SECRET}, headers={}, body=body, at=sent)


class OlderPartners(Partners):
    """Partners by JSON-RPC, as 16 to 18 know it."""

    name = "odoo-16"
    version = 16
    secrets: ClassVar[Mapping[str, str]] = {"token": TOKEN}
    lacks: ClassVar[Mapping[str, str]] = {
        "delete": Partners.lacks["delete"], "rpc": Partners.lacks["rpc"],
        "notices": "its automation rules post nothing",
    }  # fmt: skip

    def options(self, simulator: Simulator) -> Mapping[str, Any]:
        return {**super().options(simulator), "version": 16, "user": LOGIN, "database": DATABASE}


class Orders(Partners):
    """Sales: found by our reference, confirmed, cancelled."""

    name = "odoo-orders"
    resource = "orders"
    exact: ClassVar[Mapping[str, Any]] = {"client_order_ref": "007", "x_serai_payment": "1E5"}
    lacks: ClassVar[Mapping[str, str]] = {**Partners.lacks, "delete": "a sale is cancelled"}

    def simulator(self) -> Simulator:
        made = Simulated()
        made.enter("res.partner", {"name": "Aigerim"}, EARLY)
        made.enter("product.template", {"name": "Kettle", "default_code": "K", "is_storable": True}, EARLY)
        return made

    def seed(self, simulator: Simulator, stamps: Sequence[datetime]) -> list[str]:
        made = _of(simulator)
        return [str(made.enter("sale.order", {"partner_id": 1}, at)) for at in stamps]

    def touch(self, simulator: Simulator, id: str, at: datetime) -> None:
        made = _of(simulator)
        made.moment = at
        made.db.transact(lambda: made.db.update("sale.order", int(id), {}))

    def held(self, simulator: Simulator) -> Mapping[str, Doc]:
        rows = _of(simulator).db.rows["sale.order"]
        return {str(id): dict(row.doc) for id, row in rows.items() if row.doc["state"] != "cancel"}

    def creation(self, number: int) -> Doc:
        line = {"x_serai_key": "1", "product": 4, "name": f"Kettle {number}", "product_uom_qty": 2}
        lines = [{**line, "total": "10.00"}]
        return {"client_order_ref": str(number), "state": "draft", "partner": 1, "order_line": lines,
                "currency": "KZT", "amount_total": "10.00"}  # fmt: skip

    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        return {"x_serai_payment": f"paid {number}"}

    def bad(self) -> Doc:
        return {**self.creation(1), "partner": 99}

    def with_exact(self, values: Mapping[str, Any]) -> Doc:
        return {**self.creation(1), **values}

    def notice(self, simulator: Simulator, id: str, at: datetime, *, sent: datetime, delivery: str) -> Request:
        made = super().notice(simulator, id, at, sent=sent, delivery=delivery)
        return Request(method="POST", url=made.url, query=made.query, headers={},
                       body=made.body.replace(b"res.partner", b"sale.order"), at=sent)  # fmt: skip


SUBJECTS = [Partners(), OlderPartners(), Orders()]
