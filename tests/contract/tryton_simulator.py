"""The simulated Tryton behind the contract suite's harness: the sandbox's database and calls, the harness's faults.

What surprises here: one database is asked as an ERP for its parties, and as tills for the articles they sell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from connectors.base import Doc
from deployments.sandbox.tryton.api import LOG_IN, Api
from deployments.sandbox.tryton.database import Database
from deployments.sandbox.tryton.fill import empty
from tests.contract.harness import EARLY, Call, Reply, Simulator, Subject

USER, PASSWORD = "serai-user", "pw-31f0c5d2"


class Simulated(Simulator):
    """A Tryton just set up: no parties, no articles."""

    prefix = "/tryton"

    def __init__(self) -> None:
        super().__init__()
        self.db: Database = empty()
        self.moment = EARLY
        self.db.wall = lambda: self.moment
        self.api = Api(self.db, USER, PASSWORD)

    def is_work(self, call: Call) -> bool:
        """A log-in is none."""
        return call.json["method"] not in LOG_IN

    def handle(self, call: Call) -> Reply:
        if call.method != "POST" or call.path != "/rpc/":
            return Reply(status=404, raw=b"<title>404 Not Found</title>")
        status, body = self.api.answer(call.headers, call.json)
        return Reply(status=status, raw=body) if isinstance(body, bytes) else Reply(status=status, body=body)

    def enter(self, model: str, values: Doc, at: datetime) -> int:
        """A record entered at a moment."""
        self.moment = at
        return int(self.db.transact(lambda: self.db.create(model, values)))


def _of(simulator: Simulator) -> Simulated:
    assert isinstance(simulator, Simulated)
    return simulator


class Parties(Subject):
    """The connector `tryton` on customers, which it reads by three watched models and writes by JSON-RPC."""

    name = "tryton"
    platform = "tryton"
    resource = "customers"
    model: ClassVar[str] = "party.party"
    secrets: ClassVar[Mapping[str, str]] = {"user": USER, "password": PASSWORD}
    exact: ClassVar[Mapping[str, Any]] = {"name": "1E5", "street": "007", "city": "0", "postal_code": None}
    lacks: ClassVar[Mapping[str, str]] = {
        "notices": "Tryton calls nobody",
        "forbidden": "a missing right is a UserError inside HTTP 200; a missing session is 401 without a word",
        "delete": "a party with documents cannot be deleted; it is archived",
        "rpc": "every call is a POST",
    }

    def simulator(self) -> Simulator:
        return Simulated()

    def options(self, simulator: Simulator) -> Mapping[str, Any]:
        return {"page_size": 3, "lag": 5}

    def seed(self, simulator: Simulator, stamps: Sequence[datetime]) -> list[str]:
        return [str(_of(simulator).enter(self.model, {"name": "Aigerim"}, at)) for at in stamps]

    def touch(self, simulator: Simulator, id: str, at: datetime) -> None:
        made = _of(simulator)
        made.moment = at
        made.db.transact(lambda: made.db.touch(self.model, int(id), {}))

    def held(self, simulator: Simulator) -> Mapping[str, Doc]:
        return {str(id): dict(row.doc) for id, row in _of(simulator).db.rows[self.model].items()}

    def creation(self, number: int) -> Doc:
        return {"name": f"Aigerim {number}", "email": f"a{number}@example.test", "phone": None}

    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        return {"name": f"Dina {number}"}

    def bad(self) -> Doc:
        return {"name": "Bad", "address": {"street_unstructured": "x", "country": "XX"}}

    def with_exact(self, values: Mapping[str, Any]) -> Doc:
        address = {"street_unstructured": values["street"], **{n: values[n] for n in ("city", "postal_code")}}
        return {"name": values["name"], "address": address}

    def exact_of(self, doc: Doc) -> Mapping[str, Any]:
        (address,) = doc["addresses"]
        return {"name": doc["name"], "street": address["street_unstructured"], "city": address["city"],
                "postal_code": address["postal_code"]}  # fmt: skip


class Articles(Parties):
    """The connector `tryton_point` on the articles that its tills sell."""

    name = "tryton_point"
    platform = "tryton_point"
    resource = "variants"
    model: ClassVar[str] = "product.product"
    exact: ClassVar[Mapping[str, Any]] = {"code": "007", "name": "1E5", "ean": None, "active": False}
    lacks: ClassVar[Mapping[str, str]] = {
        **Parties.lacks, "delete": "an article that was sold cannot be deleted; it is archived",
    }

    def seed(self, simulator: Simulator, stamps: Sequence[datetime]) -> list[str]:
        """Templates of yesterday, and one since then that has no products: so that only the products changed."""
        made, found = _of(simulator), []
        made.enter("product.template", {"name": "Set", "default_uom": 1}, EARLY - timedelta(hours=1))
        for at in stamps:
            id = len(made.db.rows[self.model]) + 1
            made.enter("product.template", {"name": "Kettle", "default_uom": 1, "sale_uom": 1, "account_category": 1,
                                            "products": [["create", [{"suffix_code": f"K{id}"}]]]},
                       EARLY - timedelta(days=1))  # fmt: skip
            self.touch(simulator, str(id), at)
            found.append(str(id))
        return found

    def creation(self, number: int) -> Doc:
        return {"code": f"N{number}", "template": {"name": f"Samovar {number}"}, "ean": None,
                "default_uom": {"symbol": "u"}, "active": True}  # fmt: skip

    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        return {"active": False}

    def bad(self) -> Doc:
        return {**self.creation(0), "code": "BAD", "ean": "4006381333932"}

    def with_exact(self, values: Mapping[str, Any]) -> Doc:
        return {"code": values["code"], "template": {"name": values["name"]}, "ean": values["ean"],
                "active": values["active"]}  # fmt: skip

    def exact_of(self, doc: Doc) -> Mapping[str, Any]:
        barcodes = [row["code"] for row in doc["identifiers"]]
        return {"code": doc["code"], "name": doc["template"]["name"], "ean": next(iter(barcodes), None),
                "active": doc["active"]}  # fmt: skip


SUBJECTS = [Parties(), Articles()]
