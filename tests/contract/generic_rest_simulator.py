"""A private REST system in seven dialects, one per way of paging, as `generic_rest` descriptions name them.

What surprises here: it is strict. A query parameter it does not know is refused, a page is never larger than three
rows whatever is asked for, and a position belongs to the filter it was handed out for.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

from connectors.base import Doc, Request
from tests.contract.harness import Call, Reply, Simulator, Subject

TOKEN, HOOK = "tok-5f0c9a7e21", "hook-88b1d0c4e6"
PAGE = 3
OWN = frozenset({"limit", "reference", "ids", "after", "after_stamp", "cursor", "page", "offset", "changed_since"})


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Shelf(Simulator):
    """One collection, ``/v1/things``; ``style`` is how it pages, ``unix`` whether its stamps are epoch seconds."""

    prefix = "/v1"

    def __init__(self, style: str, *, unix: bool = False) -> None:
        super().__init__()
        self.style, self.unix = style, unix
        self.rows: dict[str, Doc] = {}
        self.at: dict[str, datetime] = {}
        self.now = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
        self.hooks: list[str] = []

    def put(self, doc: Doc, at: datetime) -> Doc:
        """The row as it stands in the books from now on."""
        id = doc.setdefault("id", f"t/{len(self.rows) + 1:03d}")
        doc["stamp"] = int(at.timestamp()) if self.unix else _iso(at)
        doc["revision"] = self.rows[id]["revision"] + 1 if id in self.rows else 1
        self.rows[id], self.at[id] = doc, at
        return doc

    def handle(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return _failed(401, "bad_token", "who are you")
        if call.path == "/ping":
            return Reply(body={"ok": True})
        if call.path == "/hooks":
            if call.method == "POST":
                self.hooks.append(call.json["url"])
            return Reply(body={"hooks": [{"url": url} for url in self.hooks]})
        if call.path == "/things/batch":
            return Reply(body={"results": [self._row(row) for row in call.json["items"]]})
        if call.path == "/things":
            return self._create(call.json) if call.method == "POST" else self._list(call)
        id = call.path.removeprefix("/things/").replace("%2F", "/")
        return self._one(call.method, id, call.json, call.headers.get("if-match"))

    def _row(self, row: Mapping[str, Any]) -> Doc:
        if row["op"] == "create":
            reply = self._create(row["doc"])
        else:
            method = {"update": "PATCH", "delete": "DELETE"}[row["op"]]
            reply = self._one(method, row["id"], row.get("doc"), row.get("expected"))
        if reply.status >= 400:
            return {"status": reply.status, "id": row.get("id"), "error": reply.body["error"]}
        return {"status": reply.status, "id": row.get("id"), "doc": reply.body}

    def _create(self, doc: Doc) -> Reply:
        if doc.get("price") == "abc":
            return _failed(422, "bad_price", "price is not a number; ask ops@shop.example")
        return Reply(status=201, body=self.put(dict(doc), self.now))

    def _one(self, method: str, id: str, doc: Doc | None, expected: str | None) -> Reply:
        if id not in self.rows:
            return _failed(404, "no_such_thing", "there is none")
        if expected is not None and expected != str(self.rows[id]["revision"]):
            return _failed(412, "stale", "somebody else was faster")
        if method == "DELETE":
            del self.rows[id], self.at[id]
            return Reply(status=204)
        if method == "PATCH":
            self.put({**self.rows[id], **(doc or {})}, self.now)
        return Reply(body=self.rows[id])

    def _list(self, call: Call) -> Reply:
        query = dict(call.query)
        if unknown := set(query) - OWN:
            return _failed(400, "unknown_parameter", ", ".join(sorted(unknown)))
        filters = {name: query[name] for name in ("reference", "ids", "changed_since") if name in query}
        ids = sorted(self.rows, key=lambda id: (self.at[id], id))
        if "reference" in filters:
            ids = [id for id in ids if self.rows[id].get("reference") == filters["reference"]]
        if "ids" in filters:
            ids = [id for id in ids if id in filters["ids"].split(",")]
        if "changed_since" in filters:
            since = filters["changed_since"]
            from_then = datetime.fromtimestamp(int(since), UTC) if self.unix else datetime.fromisoformat(since)
            ids = [id for id in ids if self.at[id] >= from_then]
        return getattr(self, f"_by_{self.style}")(ids, query, filters, call)  # type: ignore[no-any-return]

    def _docs(self, ids: Sequence[str], start: int) -> list[Doc]:
        return [self.rows[id] for id in ids[start : start + PAGE]]

    def _by_cursor(self, ids: Sequence[str], query: Mapping[str, str], filters: Mapping[str, str], call: Call) -> Reply:
        start = 0
        if "cursor" in query:
            start, made_for = json.loads(base64.b64decode(query["cursor"]))
            if made_for != filters:
                return _failed(400, "bad_cursor", "this cursor belongs to another list")
        after = base64.b64encode(json.dumps([start + PAGE, filters]).encode()).decode()
        return Reply(body={"items": self._docs(ids, start), "next": after if start + PAGE < len(ids) else None})

    def _by_page(self, ids: Sequence[str], query: Mapping[str, str], filters: Mapping[str, str], call: Call) -> Reply:
        pages = -(-len(ids) // PAGE)
        return Reply(body={"items": self._docs(ids, (int(query["page"]) - 1) * PAGE), "pages": pages})

    def _by_offset(self, ids: Sequence[str], query: Mapping[str, str], filters: Mapping[str, str], call: Call) -> Reply:
        return Reply(body={"data": {"items": self._docs(ids, int(query["offset"]))}})

    def _by_keyset(self, ids: Sequence[str], query: Mapping[str, str], filters: Mapping[str, str], call: Call) -> Reply:
        if "after" in query:
            after = (datetime.fromtimestamp(int(query["after_stamp"]), UTC), query["after"])
            ids = [id for id in ids if (self.at[id], id) > after]
        return Reply(body=self._docs(ids, 0))

    def _by_link(self, ids: Sequence[str], query: Mapping[str, str], filters: Mapping[str, str], call: Call) -> Reply:
        start = int(query.get("offset", "0"))
        links = [f'<{self.url}/things>; rel="first"']
        if start + PAGE < len(ids):
            links.append(f'<{self.url}/things?{_encoded({**filters, "offset": str(start + PAGE)})}>; rel="next"')
        return Reply(body=self._docs(ids, start), headers={"Link": ", ".join(links)})

    def _by_next_url(
        self, ids: Sequence[str], query: Mapping[str, str], filters: Mapping[str, str], call: Call
    ) -> Reply:
        start = int(query.get("offset", "0"))
        more = start + PAGE < len(ids)
        after = f"things?{_encoded({**filters, 'offset': str(start + PAGE)})}" if more else None
        return Reply(body={"value": self._docs(ids, start), "@next": after})


def _encoded(query: Mapping[str, str]) -> str:
    return "&".join(f"{name}={value.replace('+', '%2B')}" for name, value in query.items())


def _failed(status: int, code: str, message: str) -> Reply:
    return Reply(status=status, body={"error": {"code": code, "message": message}})


_BATCH = {"batch": 4, "batch_path": "POST /things/batch"}
_ROWS: Mapping[str, Mapping[str, Any]] = {
    "cursor": {"items": "items", "paging": "cursor", "paging_options": {"next": "next"}, **_BATCH},
    "page": {"items": "items", "paging": "page", "paging_options": {"pages": "pages"}, "fetch": "GET /things/{id}"},
    "offset": {"items": "data.items", "paging": "offset", "fetch": "GET /things?ids={ids}"},
    "keyset": {
        "items": "", "paging": "keyset", "paging_options": {"param": "after", "stamp": "after_stamp"}, **_BATCH,
    },
    "link": {"items": "", "paging": "link", "key_header": "Idempotency-Key"},
    "next_url": {"items": "value", "paging": "next_url", "paging_options": {"next": "@next"}},
}  # fmt: skip


class Described(Subject):
    """`generic_rest` with one dialect's description."""

    platform = "generic_rest"
    resource = "things"
    secrets: ClassVar[Mapping[str, str]] = {"token": TOKEN, "hook_secret": HOOK}
    exact: ClassVar[Mapping[str, Any]] = {
        "zero": 0, "empty": "", "no": False, "nothing": None, "none_of": [], "code": "007", "power": "1E5",
        "price": Decimal("0.10"), "large": 2**53 + 1, "longer": 10**30 + 1,
    }  # fmt: skip

    def __init__(self, style: str) -> None:
        self.style, self.name = style, f"generic_rest by {style}"

    def simulator(self) -> Shelf:
        return Shelf(self.style, unix=self.style == "keyset")

    def options(self, simulator: Simulator) -> Mapping[str, Any]:
        row = {
            "path": "/things", "updated": "stamp", "since": "changed_since", "page_size": PAGE, "version": "revision",
            "create": "POST /things", "update": "PATCH /things/{id}", "delete": "DELETE /things/{id}",
            "expect": "If-Match", **_ROWS[self.style],
        }  # fmt: skip
        return {
            "platform": "sandbox_erp",
            "description": {
                "auth": {"scheme": "bearer", "token": "token"},
                "signature": {
                    "scheme": "hmac_sha256", "secret": "hook_secret", "header": "x-signature",
                    "timestamp": "x-timestamp", "delivery": "x-delivery", "tolerance": 300,
                },
                "notices": {"resource": "resource", "id": "id", "at": "at"},
                "subscribe": "POST /hooks",
                "check": "GET /ping",
                "by_reference": {"param": "reference", "field": "reference"},
                "resources": {"things": row},
            },
        }  # fmt: skip

    def seed(self, simulator: Simulator, stamps: Sequence[datetime]) -> list[str]:
        assert isinstance(simulator, Shelf)
        return [simulator.put({"title": f"thing {i}"}, at)["id"] for i, at in enumerate(stamps)]

    def touch(self, simulator: Simulator, id: str, at: datetime) -> None:
        assert isinstance(simulator, Shelf)
        simulator.put(dict(simulator.rows[id]), at)

    def held(self, simulator: Simulator) -> Mapping[str, Doc]:
        assert isinstance(simulator, Shelf)
        return simulator.rows

    def creation(self, number: int) -> Doc:
        return {"title": f"new {number}"}

    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        return {"title": f"changed {number}"}

    def bad(self) -> Doc:
        return {"title": "bad", "price": "abc"}

    def with_exact(self, values: Mapping[str, Any]) -> Doc:
        return {"title": "exact", "values": dict(values)}

    def exact_of(self, doc: Doc) -> Mapping[str, Any]:
        found: Mapping[str, Any] = doc["values"]
        return found

    def notice(self, simulator: Simulator, id: str, at: datetime, *, sent: datetime, delivery: str) -> Request:
        body = json.dumps({"resource": "things", "id": id, "at": _iso(at)}).encode()
        stamp = str(int(sent.timestamp()))
        digest = hmac.new(HOOK.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"x-signature": digest, "x-timestamp": stamp, "x-delivery": delivery}
        return Request(method="POST", url="/hooks/shop-kz", query={}, headers=headers, body=body, at=sent)


SUBJECTS: list[Subject] = [Described(style) for style in _ROWS]
