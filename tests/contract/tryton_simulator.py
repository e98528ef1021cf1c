"""Tryton as far as its parties go: JSON-RPC with sessions, tagged values, domains, and failures inside HTTP 200.

What surprises here: it evaluates domains as Tryton does (prefix OR, dotted names, null-safe comparison), refuses fields
that it does not have with Tryton's own KeyError text, and rolls back what it refuses.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from connectors.base import Doc
from tests.contract.harness import Call, Reply, Simulator, Subject

USER, PASSWORD = "serai-user", "pw-31f0c5d2"
LOG_IN = ("common.db.login", "model.res.user.get_preferences")
PARTY = ("name", "code", "active", "email", "phone", "lang")


def _stamp(at: datetime) -> Doc:
    return {"__class__": "datetime", **{part: getattr(at, part) for part in (
        "year", "month", "day", "hour", "minute", "second", "microsecond")}}  # fmt: skip


class Refusal(Exception):
    """What Tryton raises and answers as an error inside HTTP 200."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(kind)
        self.error = [kind, [text, "", None]] if kind in ("UserError", "UserWarning") else [kind, text]


class Erp(Simulator):
    """Parties with addresses, contacts and identifiers; one country."""

    prefix = "/tryton"

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
        self.rows: dict[str, dict[int, Doc]] = {
            "party.party": {}, "party.address": {}, "party.contact_mechanism": {}, "party.identifier": {},
            "country.country": {1: {"id": 1, "code": "KZ"}}, "stock.location": {},
        }  # fmt: skip
        self.at: dict[tuple[str, int], datetime] = {("country.country", 1): self.now}
        self.sessions: set[str] = set()

    def put(self, model: str, values: Doc, at: datetime) -> int:
        """A new record in the books."""
        id = len(self.rows[model]) + 1
        self.rows[model][id] = {"id": id, **values}
        self.at[model, id] = at
        return id

    def is_work(self, call: Call) -> bool:
        return call.json["method"] not in LOG_IN

    def handle(self, call: Call) -> Reply:
        if call.method != "POST" or call.path != "/rpc/":
            return Reply(status=404, raw=b"<title>404 Not Found</title>")
        request = call.json
        method, params = request["method"], request["params"]
        if method == "common.db.login":
            if params[0] != USER or params[1] != {"password": PASSWORD}:
                return Reply(status=401, raw=b"<title>401 Unauthorized</title>")
            self.sessions.add(f"token-{len(self.sessions)}")
            return Reply(body={"id": 1, "result": [2, f"token-{len(self.sessions) - 1}", None]})
        scheme, _, session = call.headers.get("authorization", "").partition(" ")
        user, _, rest = base64.b64decode(session).decode().partition(":")
        if scheme != "Session" or user != USER or rest.partition(":")[2] not in self.sessions:
            return Reply(status=401, raw=b"")
        if method == "model.res.user.get_preferences":
            return Reply(body={"id": 1, "result": {"company": 1, "language": "en", "groups": [1]}})
        *arguments, context = params
        if context.get("company") != 1:
            return Reply(status=422, raw=b"context must be a dictionary")
        kept = {model: {id: dict(row) for id, row in rows.items()} for model, rows in self.rows.items()}
        try:
            model, _, verb = method.removeprefix("model.").rpartition(".")
            return Reply(body={"id": 1, "result": getattr(self, f"_{verb}")(model, context, *arguments)})
        except Refusal as refusal:
            self.rows = kept
            return Reply(body={"id": 1, "error": refusal.error})

    # ── methods ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _search_read(self, model: str, context: Doc, domain: list[Any], offset: int, limit: int | None, order: Any,
                     fields: Sequence[str]) -> list[Doc]:  # fmt: skip
        ids = [id for id in self.rows[model] if self._holds(model, id, domain)]
        for name, direction in reversed(order or [["id", "ASC"]]):
            ids.sort(key=lambda id: self._value(model, id, name), reverse=direction.startswith("DESC"))
        return [self._read(model, id, fields) for id in ids[offset : None if limit is None else offset + limit]]

    def _create(self, model: str, context: Doc, rows: Sequence[Doc]) -> list[int]:
        made = []
        for values in rows:
            own = {name: value for name, value in values.items() if not isinstance(value, list)}
            if model == "party.party":
                own = {"code": str(len(self.rows[model]) + 1), "active": True, "lang": None, **own}
            id = self.put(model, own, self.now)
            self._inside(model, id, values)
            made.append(id)
        return made

    def _write(self, model: str, context: Doc, ids: Sequence[int], values: Doc) -> None:
        for id in ids:
            if id not in self.rows[model]:
                raise Refusal("UserError", f'You are trying to write records "{id}" that don\'t exist.')
            self.rows[model][id].update({name: value for name, value in values.items() if not isinstance(value, list)})
            self.at[model, id] = self.now
            self._inside(model, id, values)

    def _inside(self, model: str, id: int, values: Doc) -> None:
        parts = {"addresses": "party.address", "contact_mechanisms": "party.contact_mechanism",
                 "identifiers": "party.identifier"}  # fmt: skip
        for name, commands in values.items():
            for command in commands if isinstance(commands, list) else []:
                if command[0] == "create":
                    self._create(parts[name], {}, [{"party": id, **row} for row in command[1]])
                elif command[0] == "write":
                    self._write(parts[name], {}, command[1], command[2])
                elif command[0] == "delete":
                    for gone in command[1]:
                        del self.rows[parts[name]][gone]

    # ── values ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _children(self, model: str, party: int) -> list[Doc]:
        return [row for row in self.rows[model].values() if row.get("party") == party]

    def _value(self, model: str, id: int, name: str) -> Any:
        row = self.rows[model][id]
        if name == "last_modified_at":
            return self.at[model, id].replace(tzinfo=None).isoformat()
        if model == "party.party" and name in ("email", "phone"):
            return next((c["value"] for c in self._children("party.contact_mechanism", id) if c["type"] == name), "")
        if name in ("id", "active") and name not in row:
            return True
        return row.get(name)

    def _read(self, model: str, id: int, fields: Sequence[str]) -> Doc:
        found: Doc = {"id": id}
        for name in fields:
            head, _, rest = name.partition(".")
            if head == "last_modified_at":
                found[head] = _stamp(self.at[model, id])
            elif head == "_timestamp":
                found[head] = f"{self.at[model, id].timestamp():.6f}"
            elif head in ("addresses", "identifiers"):
                child = {"addresses": "party.address", "identifiers": "party.identifier"}[head]
                rows = found.setdefault(f"{head}.", [{"id": row["id"]} for row in self._children(child, id)])
                for part, row in zip(rows, self._children(child, id), strict=True):
                    part.update(self._read(child, row["id"], [rest]) if rest else {})
            elif head == "country":
                country = self.rows[model][id].get("country")
                found["country."] = None if country is None else {"id": country, "code": "KZ"}
            elif head == "lang":
                found["lang."] = None
            elif model == "party.party" and head not in PARTY:
                raise Refusal(f"'{head}'", "")
            else:
                found[head] = self._value(model, id, head)
        return found

    def _holds(self, model: str, id: int, domain: list[Any]) -> bool:
        if domain and domain[0] in ("OR", "AND"):
            results = [self._holds(model, id, part) for part in domain[1:]]
            return any(results) if domain[0] == "OR" else all(results)
        if domain and isinstance(domain[0], str):
            name, operator, wanted = domain[:3]
            if name == "identifiers.code":
                return any(row["code"] == wanted for row in self._children("party.identifier", id))
            value = id if name == "id" else self._value(model, id, name)
            if name == "last_modified_at":
                wanted = datetime.fromisoformat(wanted).isoformat()
            compare = {"=": lambda: value == wanted, ">": lambda: value > wanted, ">=": lambda: value >= wanted,
                       "in": lambda: value in wanted}  # fmt: skip
            return compare[operator]()
        return all(self._holds(model, id, part) for part in domain)


class Parties(Subject):
    """The connector `tryton` on customers, which it reads by three watched models and writes by JSON-RPC."""

    name = "tryton"
    platform = "tryton"
    resource = "customers"
    secrets: ClassVar[Mapping[str, str]] = {"user": USER, "password": PASSWORD}
    exact: ClassVar[Mapping[str, Any]] = {"name": "1E5", "street": "007", "city": "0", "postal_code": None}
    lacks: ClassVar[Mapping[str, str]] = {
        "notices": "Tryton calls nobody",
        "forbidden": "a missing right is a UserError inside HTTP 200; a missing session is 401 without a word",
        "delete": "a party with documents cannot be deleted; it is archived",
        "rpc": "every call is a POST",
    }

    def simulator(self) -> Simulator:
        return Erp()

    def options(self, simulator: Simulator) -> Mapping[str, Any]:
        return {"page_size": 3, "lag": 5}

    def seed(self, simulator: Simulator, stamps: Sequence[datetime]) -> list[str]:
        assert isinstance(simulator, Erp)
        values = {"name": "Aigerim", "active": True, "lang": None}
        return [str(simulator.put("party.party", {"code": f"C{n}", **values}, at)) for n, at in enumerate(stamps)]

    def touch(self, simulator: Simulator, id: str, at: datetime) -> None:
        assert isinstance(simulator, Erp)
        simulator.at["party.party", int(id)] = at

    def held(self, simulator: Simulator) -> Mapping[str, Doc]:
        assert isinstance(simulator, Erp)
        return {str(id): dict(row) for id, row in simulator.rows["party.party"].items()}

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


class Tills(Parties):
    """The same account as a till: its customers."""

    name = "tryton_point"
    platform = "tryton_point"


SUBJECTS = [Parties(), Tills()]
