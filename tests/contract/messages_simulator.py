"""A business messaging provider for the example in deployments/examples/messages: contacts, messages, signed webhooks.

What surprises here: it is strict as such providers are: unknown parameters are refused, a message may only be added.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from connectors.base import Doc, Request
from mappings.language import load_yaml
from tests.contract.harness import Call, Reply, Simulator, Subject

EXAMPLE = Path(__file__).parents[2] / "deployments" / "examples" / "messages"
KEY, HOOK = "key-90f1c2d7", "hook-3b5a77e1"
KNOWN = {"after", "changed_since", "client_ref", "limit"}


def iso(at: datetime) -> str:
    """As the provider writes moments."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class Provider(Simulator):
    """The books: contacts and messages by id."""

    def __init__(self) -> None:
        super().__init__()
        self.books: dict[str, dict[str, Doc]] = {"contacts": {}, "messages": {}}
        self.now = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
        self.hooks: list[str] = []

    def put(self, kind: str, doc: Doc, at: datetime, id: str | None = None) -> Doc:
        """What stands in the books from now on."""
        id = f"{kind[0]}{len(self.books[kind]) + 1:03d}" if id is None else id
        bare: Doc = {"via": "whatsapp", "from_business": True, "type": "text", "text": None, "status": "sent",
                     "handled": False, "template": None, "sent_at": iso(at)} if kind == "messages" else {}  # fmt: skip
        there = self.books[kind].get(id, bare)
        self.books[kind][id] = {**there, **doc, "id": id, "changed_at": iso(at)}
        return self.books[kind][id]

    def handle(self, call: Call) -> Reply:
        if call.headers.get("x-api-key") != KEY:
            return _refused(401, "the key is not known")
        if call.path == "/v1/account":
            return Reply(body={"account": "karavan"})
        if call.path == "/v1/webhooks":
            if call.method == "POST":
                self.hooks.append(call.json["target"])
            return Reply(body={"webhooks": [{"target": url} for url in self.hooks]})
        kind, _, id = call.path.removeprefix("/v1/").partition("/")
        if kind not in self.books or (id and id not in self.books[kind]):
            return _refused(404, "there is none")
        if call.method == "POST" and kind == "messages":
            return self._sent(call.json)
        return Reply(body=self.books[kind][id]) if id else self._page(kind, call.query)

    def _sent(self, doc: Doc) -> Reply:
        if not doc.get("contact_id"):
            return _refused(422, "to whom? ask ops@shop.example")
        return Reply(status=201, body=self.put("messages", doc, self.now))

    def _page(self, kind: str, query: Mapping[str, str]) -> Reply:
        if odd := set(query) - KNOWN:
            return _refused(400, f"unknown parameter {min(odd)}")
        rows = sorted(self.books[kind].values(), key=lambda row: str(row["id"]))
        if "client_ref" in query:
            rows = [row for row in rows if row.get("client_ref") == query["client_ref"]]
        if "changed_since" in query:
            rows = [row for row in rows if str(row["changed_at"]) >= query["changed_since"][:19]]
        rows = [row for row in rows if str(row["id"]) > query.get("after", "")]
        size = int(query["limit"])
        return Reply(body={kind: rows[:size], "next": rows[size - 1]["id"] if len(rows) > size else None})


def _refused(status: int, message: str) -> Reply:
    return Reply(status=status, body={"error": {"message": message}})


def webhook(event: str, id: str, at: datetime, *, sent: datetime, delivery: str) -> Request:
    """As the provider signs and sends it: the timestamp and the body, in hexadecimal."""
    body = json.dumps({"event_id": delivery, "event": event, "object": {"id": id}, "sent_at": iso(at)}).encode()
    stamp = str(int(sent.timestamp()))
    mark = hmac.new(HOOK.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"x-talk-signature": f"sha256={mark}", "x-talk-timestamp": stamp}
    return Request(method="POST", url="/hooks/talk-kz", query={}, headers=headers, body=body, at=sent)


class Messages(Subject):
    """The example's own description in front of it, on messages."""

    name, platform, resource = "messages", "generic_rest", "messages"
    secrets: ClassVar[Mapping[str, str]] = {"token": KEY, "hook_secret": HOOK}
    lacks: ClassVar[Mapping[str, str]] = {"update": "what was said is said", "delete": "what was said is said"}
    exact: ClassVar[Mapping[str, Any]] = {"text": "", "zero": 0, "no": False, "code": "007", "power": "1E5", "none": []}

    def simulator(self) -> Provider:
        return Provider()

    def options(self, simulator: Simulator) -> Mapping[str, Any]:
        text = (EXAMPLE / "platforms" / "messages.yaml").read_text(encoding="utf-8")
        described: dict[str, Any] = load_yaml(text, "messages.yaml")[0]
        described["defaults"] = {**described["defaults"], "page_size": 3}
        return {"platform": "messages", "description": described}

    def seed(self, simulator: Simulator, stamps: Sequence[datetime]) -> list[str]:
        assert isinstance(simulator, Provider)
        return [str(simulator.put("messages", {"contact_id": "c1"}, at)["id"]) for at in stamps]

    def touch(self, simulator: Simulator, id: str, at: datetime) -> None:
        assert isinstance(simulator, Provider)
        simulator.put("messages", {"status": "read"}, at, id)

    def held(self, simulator: Simulator) -> Mapping[str, Doc]:
        assert isinstance(simulator, Provider)
        return simulator.books["messages"]

    def creation(self, number: int) -> Doc:
        return {"contact_id": "c1", "text": f"Ваш заказ {number} готов"}

    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        raise NotImplementedError("what was said is said")

    def bad(self) -> Doc:
        return {"contact_id": ""}

    def with_exact(self, values: Mapping[str, Any]) -> Doc:
        return {"contact_id": "c1", **values}

    def exact_of(self, doc: Doc) -> Mapping[str, Any]:
        return {name: doc[name] for name in self.exact}

    def notice(self, simulator: Simulator, id: str, at: datetime, *, sent: datetime, delivery: str) -> Request:
        return webhook("message.received", id, at, sent=sent, delivery=delivery)


SUBJECTS = [Messages()]
