"""The systems over real HTTP/1.1 on 127.0.0.1: routes, tokens, ill tempers; one port, a path prefix per system.

What surprises here: ``/_control``, ``/_act/<verb>`` and ``/_books`` are the sandbox's own doors and ask for no token;
headers and body leave in one segment, since two would cost 40 ms each under delayed acknowledgement.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from deployments.sandbox.design import Refused
from deployments.sandbox.engine import System
from deployments.sandbox.notation import Doc
from deployments.sandbox.notices import Notices

LONGEST_BODY = 10 * 1024 * 1024
_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """A system as the server offers it: ``token`` may do everything, ``reader`` only read."""

    system: System
    notices: Notices
    token: str
    reader: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back: status, JSON value (None: no body), seconds for Retry-After."""

    status: int
    body: Any = None
    wait: float | None = None


class Server(ThreadingHTTPServer):
    """All systems under one port."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, served: Mapping[str, Served]) -> None:
        self.served = served
        self._open: set[Any] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        """Ends every kept-alive connection, as a system that goes down does."""
        with self._lock:
            left = list(self._open)
        for connection in left:
            try:
                connection.shutdown(2)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    disable_nagle_algorithm = True
    timeout = 120
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """The books are the log."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PATCH = do_DELETE = do_PUT = do_GET

    def _serve(self) -> None:
        try:
            data = self._body()
        except Refused as refused:
            self.close_connection = True
            self._send(Reply(refused.status, {"error": refused.error}))
            return
        parts = urlsplit(self.path)
        name, _, rest = parts.path.lstrip("/").partition("/")
        served = self.server.served.get(name)
        if served is None:
            systems = ", ".join(f"/{known}" for known in self.server.served)
            self._send(Reply(404, {"error": {"code": "no_system", "message": f"systems here: {systems}"}}))
            return
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        path = "/" + rest
        if path.startswith("/_"):
            self._send(_answered(lambda: _own_door(served, self.command, path, query, data)))
            return
        self._tempered(served, path, query, data)

    def _tempered(self, served: Served, path: str, query: Mapping[str, str], data: bytes) -> None:
        """Answers as the system, with whatever ill temper it is in."""
        faults, method = served.system.faults, self.command

        def strikes(kind: str) -> float | None:
            fault = faults.strike(kind, method, path)
            if fault is None:
                return None
            served.system.books.enter("fault", served.system.now(), fault=kind, method=method, path=path)
            return fault.seconds

        over = served.system.quota.wait()
        if over is not None:
            served.system.books.enter("fault", served.system.now(), fault="over_limit", method=method, path=path)
        wait = strikes("throttle") if over is None else over
        if wait is not None:
            self._send(Reply(429, {"error": {"code": "throttled", "message": "too many requests"}}, wait))
            return
        if strikes("fail") is not None:
            self._send(Reply(500, {"error": {"code": "internal", "message": "something broke"}}))
            return
        if strikes("garbage") is not None:
            self._send(Reply(200, b"<html>maintenance</html>"))
            return
        reply = _answered(
            lambda: _routed(served, self.headers.get("Authorization", ""), method, path, query, data,
                            self.headers.get("If-Match"))
        )  # fmt: skip
        slow = strikes("slow")
        if slow is not None:
            faults.wait(slow)
        lost = strikes("lose_answer")
        if lost is not None:
            faults.wait(lost)
            self.close_connection = True
            return
        if strikes("fail_after") is not None:
            reply = Reply(500, {"error": {"code": "internal", "message": "something broke afterwards"}})
        self._send(reply)

    def _body(self) -> bytes:
        text = self.headers.get("Content-Length", "0")
        if not text.isdigit():
            raise Refused(400, "bad_length", "Content-Length is a number")
        if int(text) > LONGEST_BODY:
            raise Refused(413, "too_large", f"a body has at most {LONGEST_BODY} bytes")
        return self.rfile.read(int(text))

    def _send(self, reply: Reply) -> None:
        data = b"" if reply.body is None else reply.body if isinstance(reply.body, bytes) else _encode(reply.body)
        lines = [
            f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
            "Content-Type: application/json; charset=utf-8",
            f"Content-Length: {len(data)}",
            f"Date: {self.date_time_string()}",
        ]
        if reply.wait is not None:
            lines.append(f"Retry-After: {reply.wait:g}")
        if self.close_connection:
            lines.append("Connection: close")
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + data)


def _answered(work: Any) -> Reply:
    try:
        reply: Reply = work()
    except Refused as refused:
        return Reply(refused.status, {"error": refused.error})
    except (KeyError, TypeError, ValueError, ArithmeticError) as fault:
        # An act or a body that lacks what it needs: the caller's mistake, told as such.
        return Reply(400, {"error": {"code": "bad_request", "message": f"{type(fault).__name__}: {fault}"[:300]}})
    return reply


def _json(data: bytes) -> Any:
    try:
        return _decode(data)
    except (msgspec.DecodeError, RecursionError):
        raise Refused(400, "bad_json", "the body is not JSON") from None


def _own_door(served: Served, method: str, path: str, query: Mapping[str, str], data: bytes) -> Reply:
    """The sandbox's own doors: books, ill tempers, acts of people."""
    system = served.system
    if method == "GET" and path == "/_books":
        return Reply(200, system.books.after(int(query.get("after", "0"))))
    if method == "GET" and path == "/_settled":
        return Reply(200, {"settled": served.notices.settled(float(query.get("timeout", "10")))})
    ask = _json(data)
    if method != "POST" or not isinstance(ask, dict):
        raise Refused(405, "not_allowed", "POST an object")
    if path == "/_control":
        if "limit" in ask:
            system.quota.command(ask["limit"])
        else:
            system.faults.command(ask)
        return Reply(200, {"ok": True})
    verb = path.removeprefix("/_act/")
    with system.lock:
        if verb == "edit":
            return Reply(200, system.edit(str(ask["resource"]), str(ask["id"]), ask["changes"]))
        if verb == "add":
            return Reply(201, system.add(str(ask["resource"]), ask["doc"]))
        if verb == "look":
            return Reply(200, system.get(str(ask["resource"]), str(ask["id"])))
        if verb == "remove":
            system.remove(str(ask["resource"]), str(ask["id"]), by="people")
            return Reply(200, {"ok": True})
        act = system.design.acts.get(verb)
        if act is None:
            raise Refused(404, "no_act", f"acts here: add, edit, look, remove, {', '.join(system.design.acts)}")
        return Reply(200, act(system, ask))


def _routed(
    served: Served, proof: str, method: str, path: str, query: Mapping[str, str], data: bytes, expected: str | None
) -> Reply:
    """A request to the system's API."""
    system = served.system
    reads = method == "GET"
    if not hmac.compare_digest(proof.encode(), f"Bearer {served.token}".encode()):
        if not hmac.compare_digest(proof.encode(), f"Bearer {served.reader}".encode()):
            raise Refused(401, "unauthorized", "send Authorization: Bearer with this system's token")
        if not reads:
            scope = "write:" + path.split("/")[1]
            raise Refused(403, "forbidden", f"the token lacks {scope}", scope=scope)
    if path == "/ping":
        return Reply(200, {"system": system.design.name, "now": system.design.written(system.now())})
    if path == "/webhooks" and reads:
        return Reply(200, {"items": [{"url": url} for url in served.notices.urls()]})
    if path == "/webhooks":
        ask = _json(data)
        if method != "POST" or not isinstance(ask, dict) or not isinstance(ask.get("url"), str):
            raise Refused(422, "invalid", 'POST {"url": "…"}', field="url")
        return Reply(201 if served.notices.subscribe(ask["url"]) else 200, {"url": ask["url"]})
    steps = [unquote(step) for step in path[1:].split("/")]
    name = steps[0]
    if name not in system.design.collections:
        raise Refused(404, "no_resource", f"resources here: {', '.join(system.design.collections)}")
    if len(steps) == 1 and reads:
        return Reply(200, system.listing(name, query))
    if len(steps) == 1 and method == "POST":
        status, _, doc = system.write(name, "create", _json(data))
        return Reply(status, doc)
    if len(steps) == 2 and steps[1] == "batch" and method == "POST" and system.design.batch > 0:
        return _batch(system, name, _json(data))
    if len(steps) == 2 and reads:
        return Reply(200, system.get(name, steps[1]))
    if len(steps) == 2 and method in ("PATCH", "DELETE"):
        op, doc = ("update", _json(data)) if method == "PATCH" else ("delete", None)
        status, _, after = system.write(name, op, doc, id=steps[1], expected=expected)
        return Reply(status, after)
    raise Refused(405, "not_allowed", f"{method} {path} is not offered")


def _batch(system: System, name: str, body: Any) -> Reply:
    """One result per row and in order; a refused row does not stop the others."""
    rows: list[Doc] = body["items"]
    if len(rows) > system.design.batch:
        raise Refused(422, "too_many", f"at most {system.design.batch} rows in a batch", field="items")
    results: list[Doc] = []
    for row in rows:
        id, op = row.get("id"), str(row.get("op", ""))
        try:
            if op in ("update", "delete") and not isinstance(id, str):
                raise Refused(422, "invalid", f"{op} needs an id", field="id")
            told = None if row.get("expected") is None else str(row["expected"])
            status, made, doc = system.write(name, op, row.get("doc"), id=id, expected=told)
            results.append({"status": status, "id": made, "doc": doc})
        except Refused as refused:
            results.append({"status": refused.status, "id": id, "error": refused.error})
    return Reply(200, {"results": results})
