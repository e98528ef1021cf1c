"""Medusa as far as its customers go: the admin API with a secret key, ids that grow, and refusals in its own words.

What surprises here: it refuses query parameters it does not know, as Medusa does, stores JavaScript's view of JSON in
``metadata``, and never has two guests with one e-mail.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from connectors.base import Doc
from tests.contract.harness import Call, Reply, Simulator, Subject

KEY = "sk_4be19f0c77aa"
FIELDS = ("email", "first_name", "last_name", "phone", "company_name", "metadata")
PARAMETERS = ("order", "with_deleted", "fields", "limit", "offset", "id[$gt]", "updated_at[$gte]")


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def refused(status: int, kind: str, message: str) -> Reply:
    """A refusal in Medusa's words."""
    return Reply(status=status, body={"type": kind, "message": message})


class Shop(Simulator):
    """Customers, and the store that `check` asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
        self.rows: dict[str, Doc] = {}

    def put(self, doc: Doc, at: datetime) -> Doc:
        """A new customer in the books."""
        bare = dict.fromkeys(FIELDS)
        id = f"cus_{len(self.rows) + 1:06d}"
        self.rows[id] = {**bare, **doc, "id": id, "has_account": False, "deleted_at": None, "updated_at": _iso(at)}
        return self.rows[id]

    def handle(self, call: Call) -> Reply:
        given = base64.b64decode(call.headers.get("authorization", "").removeprefix("Basic ")).decode()
        if given != f"{KEY}:":
            return refused(401, "unauthorized", "Unauthorized")
        return self.serve(call)

    def serve(self, call: Call) -> Reply:
        """What it answers to somebody who may ask."""
        if call.path == "/admin/stores":
            return Reply(body={"stores": [{"id": "store_1", "default_sales_channel_id": "sc_1"}]})
        if call.path == "/admin/shipping-profiles":
            return Reply(body={"shipping_profiles": [{"id": "sp_1"}]})
        id = call.path.removeprefix("/admin/customers").strip("/")
        if not call.path.startswith("/admin/customers") or (id and id not in self.rows):
            return refused(404, "not_found", f"Customer with id: {id} was not found")
        if call.method == "GET" and not id:
            return self._list(call.query)
        unknown = set(call.json) - set(FIELDS)
        if unknown:
            return refused(400, "invalid_data", f"Invalid request: Unrecognized fields: {', '.join(sorted(unknown))}")
        if id:
            self.rows[id].update(call.json, updated_at=_iso(self.now))
            return Reply(body={"customer": self.rows[id]})
        email = call.json.get("email")
        if not isinstance(email, str) or "@" not in email:
            return refused(400, "invalid_data", f"Field 'email' is no address: {email}; ask ops@shop.example")
        if any(row["email"] == email for row in self.rows.values()):
            return refused(400, "invalid_data", f"Customer with email: {email}, has_account: false, already exists.")
        return Reply(body={"customer": self.put(call.json, self.now)})

    def _list(self, query: Mapping[str, str]) -> Reply:
        named = [name.split("[")[0] for name in query if name not in PARAMETERS]
        if set(named) - {"id", "email"}:
            return refused(400, "invalid_data", f"Invalid request: Unrecognized fields: {named}")
        rows = sorted(self.rows.values(), key=lambda row: str(row[query.get("order", "id")]))
        for name in dict.fromkeys(named):
            wanted = [value for key, value in query.items() if key.split("[")[0] == name and key not in PARAMETERS]
            rows = [row for row in rows if row[name] in wanted]
        rows = [row for row in rows if row["id"] > query.get("id[$gt]", "")]
        if "updated_at[$gte]" in query:
            since = datetime.fromisoformat(query["updated_at[$gte]"])
            rows = [row for row in rows if datetime.fromisoformat(row["updated_at"]) >= since]
        limit, offset = int(query.get("limit", "50")), int(query.get("offset", "0"))
        page = rows[offset : offset + limit]
        return Reply(body={"customers": page, "count": len(rows), "offset": offset, "limit": limit})


class Customers(Subject):
    """The connector `medusa` on customers: read by ``id[$gt]`` within a window, written one by one."""

    name = "medusa"
    platform = "medusa"
    resource = "customers"
    secrets: ClassVar[Mapping[str, str]] = {"key": KEY}
    exact: ClassVar[Mapping[str, Any]] = {
        "zero": 0, "empty": "", "false": False, "null": None, "none": [], "seven": "007", "exponent": "1E5",
    }  # fmt: skip
    lacks: ClassVar[Mapping[str, str]] = {
        "notices": "Medusa has no outbound webhooks",
        "delete": "a customer with orders is archived, not deleted",
    }

    def simulator(self) -> Simulator:
        return Shop()

    def options(self, simulator: Simulator) -> Mapping[str, Any]:
        return {"page_size": 3, "lag": 5}

    def seed(self, simulator: Simulator, stamps: Sequence[datetime]) -> list[str]:
        assert isinstance(simulator, Shop)
        first = len(simulator.rows)
        return [str(simulator.put({"email": f"s{first + n}@example.test"}, at)["id"]) for n, at in enumerate(stamps)]

    def touch(self, simulator: Simulator, id: str, at: datetime) -> None:
        assert isinstance(simulator, Shop)
        simulator.rows[id]["updated_at"] = _iso(at)

    def held(self, simulator: Simulator) -> Mapping[str, Doc]:
        assert isinstance(simulator, Shop)
        return {id: dict(row) for id, row in simulator.rows.items()}

    def creation(self, number: int) -> Doc:
        return {"email": f"c{number}@example.test", "first_name": f"Aigerim {number}"}

    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        return {"first_name": f"Dina {number}"}

    def bad(self) -> Doc:
        return {"email": "nobody"}

    def with_exact(self, values: Mapping[str, Any]) -> Doc:
        return {"email": "exact@example.test", "metadata": dict(values)}

    def exact_of(self, doc: Doc) -> Mapping[str, Any]:
        return {name: value for name, value in doc["metadata"].items() if name in self.exact}


SUBJECTS = [Customers()]
