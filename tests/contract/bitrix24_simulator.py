"""Bitrix24 in front of the contract suite: contacts by an application's token, deals by a webhook's address.

What surprises here: the portal is the one of deployments/sandbox/bitrix24, with pages of three; only the socket and the
faults are the suite's. An event carries a token and no signature: whoever holds the token can write any body.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from connectors.base import Doc, Request
from deployments.sandbox.bitrix24.api import Api, Bucket
from deployments.sandbox.bitrix24.queries import from_query
from deployments.sandbox.bitrix24.server import TOKENS
from deployments.sandbox.bitrix24.state import Portal
from deployments.sandbox.books import Books
from tests.contract.harness import Call, Reply, Simulator, Subject

WEBHOOK, CLIENT, REFRESH = "1/h00kc0de71", ("app.77", "cl13nt-secret"), "r3fresh-token"
HOOK_SECRET = "appl1cation-token"
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


class Simulated(Simulator):
    """The portal behind the suite's socket; it may be asked any number of times."""

    prefix = "/rest"

    def __init__(self) -> None:
        super().__init__()
        self.portal = Portal(name="portal", books=Books("portal", None), page=3, wall=lambda: NOW)
        self.portal.opening = NOW
        bucket = Bucket(rate=1e9, burst=1e9)
        self.api = Api(self.portal, webhook=WEBHOOK, client=CLIENT, refresh=REFRESH, bucket=bucket)

    @property
    def hooks(self) -> list[str]:
        """Who is notified."""
        return list(dict.fromkeys(row["handler"] for row in self.portal.handlers))

    def is_work(self, call: Call) -> bool:
        return call.path != TOKENS

    def handle(self, call: Call) -> Reply:
        if call.path == TOKENS:
            if call.query.get("refresh_token") == REFRESH:  # each connector of the suite begins with this one
                self.api.refresh = REFRESH
            status, body = self.api.token(call.query)
        else:
            asked = call.json if call.body else from_query(urlencode(call.query))
            status, body = self.api.answer(call.path, asked)
        return Reply(status=status, body=body)

    def at(self, moment: datetime) -> Simulated:
        """Its clock stands there; tokens do not end meanwhile."""
        self.portal.opening = moment
        self.api.tokens = dict.fromkeys(self.api.tokens, datetime.max.replace(tzinfo=UTC))
        return self


def _of(simulator: Simulator) -> Simulated:
    assert isinstance(simulator, Simulated)
    return simulator


class _Bitrix24(Subject):
    """What all collections of Bitrix24 share."""

    platform = "bitrix24"
    lacks: ClassVar[Mapping[str, str]] = {"rpc": "every method is a POST"}
    kind: ClassVar[str]

    def simulator(self) -> Simulator:
        return Simulated()

    def options(self, simulator: Simulator) -> Mapping[str, Any]:
        return {"lag": 5, "batch": 3, "oauth": simulator.url.removesuffix("/rest")}

    def seed(self, simulator: Simulator, stamps: Sequence[datetime]) -> list[str]:
        return [
            str(_of(simulator).at(at).portal.enter(self.kind, self.creation(n), by="seed")["ID"])
            for n, at in enumerate(stamps)
        ]

    def touch(self, simulator: Simulator, id: str, at: datetime) -> None:
        _of(simulator).at(at).portal.enter(self.kind, {}, id, by="people")

    def held(self, simulator: Simulator) -> Mapping[str, Doc]:
        return {str(id): dict(row.doc) for id, row in _of(simulator).portal.table(self.kind).items()}

    def exact_of(self, doc: Doc) -> Mapping[str, Any]:
        return {name: doc[name] for name in self.exact}

    def throttled(self, seconds: int) -> Reply:
        body = {"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}
        return Reply(status=503, headers={"Retry-After": str(seconds)}, body=body)

    def denied(self, status: int, scope: str) -> Reply:
        code = {401: "NO_AUTH_FOUND", 403: "insufficient_scope"}[status]
        why = f"The request requires higher privileges than provided ({scope})"
        return Reply(status=status, body={"error": code, "error_description": why})


class Contacts(_Bitrix24):
    """Contacts, by an application's tokens, with events."""

    name, resource, kind = "bitrix24-contacts", "contacts", "contact"
    secrets: ClassVar[Mapping[str, str]] = {
        "client_id": CLIENT[0], "client_secret": CLIENT[1], "refresh_token": REFRESH, "hook_secret": HOOK_SECRET,
    }  # fmt: skip
    lacks: ClassVar[Mapping[str, str]] = {
        **_Bitrix24.lacks, "signature": "an event carries the application's token, which covers nothing",
    }  # fmt: skip
    exact: ClassVar[Mapping[str, Any]] = {"NAME": "007", "LAST_NAME": "1E5", "POST": "0", "OPENED": "N"}

    def creation(self, number: int) -> Doc:
        mail = [{"VALUE": f"c{number}@example.test", "VALUE_TYPE": "WORK"}]
        return {"NAME": f"Aigerim {number}", "EMAIL": mail}

    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        return {"NAME": f"Dina {number}", "COMMENTS": ""}

    def bad(self) -> Doc:
        return {"NAME": "Ops", "EMAIL": [{"VALUE": "ops at shop", "VALUE_TYPE": "WORK"}]}

    def with_exact(self, values: Mapping[str, Any]) -> Doc:
        return dict(values)

    def notice(self, simulator: Simulator, id: str, at: datetime, *, sent: datetime, delivery: str) -> Request:
        body = urlencode({
            "event": "ONCRMCONTACTUPDATE", "event_handler_id": "12", "data[FIELDS][ID]": id,
            "ts": str(int(at.timestamp())), "auth[application_token]": HOOK_SECRET,
        })  # fmt: skip
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return Request(method="POST", url="/hooks/shop-kz", query={}, headers=headers, body=body.encode(), at=sent)


class Deals(_Bitrix24):
    """Deals with their lines, by an incoming webhook."""

    name, resource, kind = "bitrix24-deals", "deals", "deal"
    secrets: ClassVar[Mapping[str, str]] = {"webhook": WEBHOOK}
    lacks: ClassVar[Mapping[str, str]] = {**_Bitrix24.lacks, "notices": "an incoming webhook cannot bind events"}
    exact: ClassVar[Mapping[str, Any]] = {"TITLE": "007", "OPPORTUNITY": "0.10", "COMMENTS": "1E5", "OPENED": "N"}

    def creation(self, number: int) -> Doc:
        line = {"PRODUCT_NAME": "Kettle", "PRICE": number, "QUANTITY": 2}
        return {"TITLE": f"Order {number}", "CURRENCY_ID": "KZT", "rows": [line]}

    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        return {"TITLE": f"Order {number}", "rows": []}

    def bad(self) -> Doc:
        return {"TITLE": "Order", "CURRENCY_ID": "ops"}

    def with_exact(self, values: Mapping[str, Any]) -> Doc:
        return {**values, "CURRENCY_ID": "KZT"}


SUBJECTS = [Contacts(), Deals()]
