"""Vendure in front of the contract suite: products and customers behind its GraphQL address.

What surprises here: only what a connector meets is played, as the real 3.7.3 does it (tests/integration): lists skip
and take in the order of ids, ``after`` excludes the stamp, the database's refusals have no code, a declined mutation
has another type. Which field was asked for is read from the text of the question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from connectors.base import Doc
from tests.contract.harness import EARLY, Call, Reply, Simulator, Subject

KEY = "5cfd932e6f66:28b2407a93dc"
KINDS = {"products": "product", "customers": "customer"}
EMPTY: Mapping[str, Mapping[str, Any]] = {
    "product": {"name": None, "slug": "", "description": "", "enabled": True, "languageCode": "en"},
    "customer": {"firstName": "", "lastName": "", "phoneNumber": None, "user": None, "addresses": []},
}


class Declined(Exception):
    """The database says no: ``errors`` without a code."""


class Vendure(Simulator):
    """A server with one channel and tables of rows by id."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, dict[str, Doc]] = {kind: {} for kind in EMPTY}
        self.now = EARLY
        self.taken = {"taken@example.test"}

    def put(self, kind: str, values: Doc, id: str | None = None) -> Doc:
        """A new row, or new values in one."""
        table = self.rows[kind]
        id = str(len(table) + 1) if id is None else id
        row = {**EMPTY[kind], "id": id, **table.get(id, {}), **values, "updatedAt": self.now.isoformat()}
        table[id] = row
        return row

    def is_work(self, call: Call) -> bool:
        return b"query home" not in call.body

    def handle(self, call: Call) -> Reply:
        if call.method != "POST" or call.path != "/admin-api":
            return Reply(status=404, body={"message": "Cannot find it"})
        if call.headers.get("vendure-api-key") != KEY:
            return failed("You are not currently authorized to perform this action", "FORBIDDEN")
        asked = call.json
        field = re.search(r"\{ (?:\w+: )?(\w+)", asked["query"])
        variables = asked["variables"]
        assert field is not None
        try:
            data = {field[1]: self.answer(field[1], variables)}
        except Declined as fault:
            return failed(str(fault), None)
        more = (
            {"globalSettings": {"serverConfig": {"moneyStrategyPrecision": 2}}} if field[1] == "activeChannel" else {}
        )
        return Reply(body={"data": {**data, **more}})

    def answer(self, field: str, variables: Doc) -> Any:
        """What stands under the field."""
        if field == "activeChannel":
            return {"defaultLanguageCode": "en", "defaultCurrencyCode": "KZT", "pricesIncludeTax": False}
        if field in KINDS:
            return self.listed(KINDS[field], variables["options"])
        return self.written(field, variables["input"])

    def listed(self, kind: str, options: Doc) -> Doc:
        """A page of a list, filtered."""
        rows = [row for row in self.rows[kind].values() if all(held(row, *term) for term in terms(options))]
        return {"items": rows[options["skip"] : options["skip"] + options["take"]], "totalItems": len(rows)}

    def written(self, field: str, given: Doc) -> Doc:
        """The row that createX or updateX leaves, or why not."""
        kind, id = ("product" if field.endswith("Product") else "customer"), given.get("id")
        texts = given.get("translations", [{}])[0]
        values = {
            name: value for name, value in {**given, **texts}.items() if name not in ("translations", "languageCode")
        }
        if id is not None and id not in self.rows[kind]:
            raise Declined(f'No {kind} with the id "{id}" could be found')
        if kind == "product" and id is None:
            slugs = [row["slug"] for row in self.rows[kind].values()]
            values["slug"] = f"{values['slug']}-2" if values.get("slug") in slugs else values.get("slug")
            if values.get("name") is None or values.get("description") is None:
                raise Declined('null value in column "name" violates not-null constraint')
        if kind == "customer" and id is None:
            values["emailAddress"] = values["emailAddress"].lower()
            held_by = {row["emailAddress"] for row in self.rows[kind].values()}
            if values["emailAddress"] in held_by | self.taken:
                return {"errorCode": "EMAIL_ADDRESS_CONFLICT_ERROR", "message": "The email address is not available."}
        return self.put(kind, values, id)


def failed(message: str, code: str | None) -> Reply:
    """An answer with ``errors``, HTTP 200."""
    more = {} if code is None else {"extensions": {"code": code}}
    return Reply(body={"errors": [{"message": message, **more}], "data": None})


def terms(options: Doc) -> list[tuple[str, str, Any]]:
    """(field, operator, value) of a filter."""
    wanted = options.get("filter") or {}
    parts = wanted.get("_and", [wanted])
    return [(field, name, value) for part in parts for field, by in part.items() for name, value in by.items()]


def held(row: Doc, field: str, operator: str, value: Any) -> bool:
    """Whether a row meets one term."""
    return bool(row[field] in value if operator == "in" else moment(row[field]) > moment(value))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def of(simulator: Simulator) -> Vendure:
    assert isinstance(simulator, Vendure)
    return simulator


class _Vendure(Subject):
    """What all lists of Vendure share."""

    platform = "vendure"
    kind: ClassVar[str]
    secrets: ClassVar[Mapping[str, str]] = {"key": KEY}
    lacks: ClassVar[Mapping[str, str]] = {
        "rpc": "every question is a POST to one address", "notices": "there are no outbound webhooks",
        "delete": "what is gone is switched off",
    }  # fmt: skip

    def simulator(self) -> Simulator:
        return Vendure()

    def options(self, simulator: Simulator) -> Mapping[str, Any]:
        return {"page_size": 3, "lag": 5}

    def denied(self, status: int, scope: str) -> Reply:
        if status == 401:
            return Reply(status=401, body={"errors": [{"message": f"Missing `{scope}`"}]})
        return failed(f"You are not currently authorized: `{scope}`", "FORBIDDEN")

    def seed(self, simulator: Simulator, stamps: Sequence[datetime]) -> list[str]:
        ids = []
        for number, at in enumerate(stamps):
            of(simulator).now = at
            ids.append(str(of(simulator).put(self.kind, self.row(number))["id"]))
        return ids

    def row(self, number: int) -> Doc:
        """A row that was there before."""
        raise NotImplementedError

    def touch(self, simulator: Simulator, id: str, at: datetime) -> None:
        of(simulator).now = at
        of(simulator).put(self.kind, {}, id)

    def held(self, simulator: Simulator) -> Mapping[str, Doc]:
        return of(simulator).rows[self.kind]

    def with_exact(self, values: Mapping[str, Any]) -> Doc:
        return {**self.creation(900), **values}

    def exact_of(self, doc: Doc) -> Mapping[str, Any]:
        return {name: doc[name] for name in self.exact}


class Products(_Vendure):
    """Products, whose texts are translations, found again by their slug."""

    name, resource, kind = "vendure-products", "products", "product"
    exact: ClassVar[Mapping[str, Any]] = {"name": "007", "description": "", "slug": "0", "enabled": False}

    def row(self, number: int) -> Doc:
        return {"name": f"Kettle {number}", "slug": f"old-{number}", "description": ""}

    def creation(self, number: int) -> Doc:
        return {"name": f"Kettle {number}", "slug": f"kettle-{number}", "description": None, "enabled": True}

    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        return {"name": f"Pot {number}"}

    def bad(self) -> Doc:
        return {"slug": "nameless", "description": "", "enabled": True}


class Customers(_Vendure):
    """Customers, whose mutations answer with another type when they decline, found again by their address of mail."""

    name, resource, kind = "vendure-customers", "customers", "customer"
    exact: ClassVar[Mapping[str, Any]] = {"firstName": "1E5", "lastName": "", "phoneNumber": None}

    def row(self, number: int) -> Doc:
        return {"emailAddress": f"old{number}@example.test", "firstName": "Aigerim"}

    def creation(self, number: int) -> Doc:
        return {"emailAddress": f"C{number}@Example.test", "firstName": f"Aigerim {number}", "lastName": ""}

    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        return {"firstName": f"Dina {number}"}

    def bad(self) -> Doc:
        return {"emailAddress": "Taken@example.test", "firstName": "A", "lastName": ""}


SUBJECTS = [Products(), Customers()]
