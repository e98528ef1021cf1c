"""The simulated portal over real HTTP on 127.0.0.1: methods, tokens, events, and the sandbox's own doors beside them.

What surprises here:

* ``/_books``, ``/_control``, ``/_act/<verb>`` and ``/_settled`` are those of the other systems (sandbox/README.md) and
  ask for no token; ill tempers are the same (faults.py), each method's path is ``/<resource>`` (contacts, deals, …).
* An event goes out once, as a form, with no signature but the application's token; who does not answer is not told
  again. It names the record and says nothing of it.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from deployments.sandbox.bitrix24.acts import ACTS
from deployments.sandbox.bitrix24.api import Api, Bucket
from deployments.sandbox.bitrix24.fill import fill
from deployments.sandbox.bitrix24.methods import EVENTS, RESOURCES
from deployments.sandbox.bitrix24.queries import from_query
from deployments.sandbox.bitrix24.state import Fault, Portal
from deployments.sandbox.books import Books
from deployments.sandbox.crm import CRM
from deployments.sandbox.design import Refused
from deployments.sandbox.faults import Faults
from deployments.sandbox.notation import Doc
from deployments.sandbox.notices import Event, Notices
from deployments.sandbox.start import Part, Playing

TOKENS, CONSENT = "/oauth/token/", "/oauth/authorize/"
PLACES = {"catalogue": "/products", "new order": "POST /deals", "reads": "GET"}
"""What ill tempers call by its role."""
PLAYED = 500.0
"""How much faster than the real one a portal forgets its callers when it plays a part."""
_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder(float_hook=str).decode


class Hooks(Notices):
    """Events as the portal sends them, with the queue and the ill tempers of every system's notices; never twice."""

    def __init__(self, portal: Portal, faults: Faults, secret: str) -> None:
        super().__init__(CRM, portal.books, faults, secret)
        self._portal, self._token = portal, secret
        self._words: dict[tuple[str, str, str], str] = {}

    def told(self, kind: str, what: str, id: str, at: datetime) -> None:
        """Who bound the event is told of a record."""
        word = kind.upper()
        event = next((one for one in (f"ONCRM{word}{what}", f"CATALOG.{word}.ON.{what}", f"ONSALE{word}{what}")
                      if one in EVENTS), "")  # fmt: skip
        urls = [row["handler"] for row in self._portal.handlers if row["event"] == event]
        if urls:
            self._urls = list(dict.fromkeys(urls))
            self._words[RESOURCES[kind], id, CRM.written(at)] = event
            self.announce(RESOURCES[kind], id, at)

    def _send(self, delivery: str, data: bytes, events: Sequence[Event]) -> None:
        for resource, id, at in events:
            event = self._words.get((resource, id, CRM.written(at)), "")
            for row in [row for row in self._portal.handlers if row["event"] == event]:
                if self._stopping:
                    return
                done = self.delivered(row["handler"], self.form(event, id, at), {
                    "Content-Type": "application/x-www-form-urlencoded"})  # fmt: skip
                outcome = "delivered" if done else "given up"
                self._book(delivery, [(resource, id, at)], url=row["handler"], attempt=1, outcome=outcome)

    def form(self, event: str, id: str, at: datetime) -> bytes:
        """The body of an event."""
        return urlencode({
            "event": event, "event_handler_id": "1", "data[FIELDS][ID]": id, "ts": str(int(at.timestamp())),
            "auth[domain]": "127.0.0.1", "auth[member_id]": "a223c6b3710f85df22e9377d6c4f7553",
            "auth[application_token]": self._token,
        }).encode()  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Running:
    """A portal that serves: where, with which secrets, and how to end it. ``url`` ends in /rest."""

    portal: Portal
    api: Api
    faults: Faults
    hooks: Hooks
    url: str
    webhook: str
    hook_secret: str
    client_id: str
    client_secret: str
    refresh_token: str
    stop: Callable[[], None]

    @property
    def doors(self) -> str:
        """The address of the sandbox's own doors."""
        return self.url.removesuffix("/rest")


def start(portal: Portal, *, port: int = 0, seed: int = 7, bucket: Bucket | None = None) -> Running:
    """Serves the portal on 127.0.0.1 (port 0: a free one)."""
    webhook, secret, faults = f"1/hook{seed}code{seed}", f"b24-application-{seed}", Faults(PLACES)
    client, refresh = (f"app.{seed}", f"b24-client-secret-{seed}"), f"refresh-1-{seed}"
    api = Api(portal, webhook=webhook, client=client, refresh=refresh, bucket=bucket)
    hooks = Hooks(portal, faults, secret)
    portal.announce = hooks.told

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1
        timeout = 120

        def _serve(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            if path.startswith(("/_", "/rest/_")):
                try:
                    door = path.removeprefix("/rest")
                    self._send(200, _door(api, faults, hooks, door, dict(parse_qsl(query)), data))
                except Refused as refused:
                    self._send(refused.status, {"error": refused.error})
                except Fault as fault:
                    self._send(422, {"error": {"code": "refused", "message": fault.description}})
            elif path == CONSENT:
                self._consent(dict(parse_qsl(query)))
            elif path == TOKENS:
                self._send(*api.token(dict(parse_qsl(query)) | dict(parse_qsl(data.decode()))))
            elif not path.startswith("/rest/"):
                self._send(404, b"<html>404</html>")
            else:
                self._tempered(path.removeprefix("/rest/"), query, data)

        do_GET = do_POST = _serve

        def _consent(self, asked: Mapping[str, str]) -> None:
            """Somebody who is logged in agrees at once, and is sent back with a code that is good once."""
            api.code = f"code-{uuid.uuid4().hex[:12]}"
            back = urlencode({"code": api.code, "state": asked.get("state", ""), "domain": "127.0.0.1"})
            self.send_response(302)
            self.send_header("Location", f"{asked.get('redirect_uri', '')}?{back}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _tempered(self, path: str, query: str, data: bytes) -> None:
            """Answers as the portal, with whatever ill temper it is in."""
            place, method = _place(path, data), _reads(path, data)

            def strikes(kind: str) -> float | None:
                fault = faults.strike(kind, method, place)
                if fault is None:
                    return None
                portal.books.enter("fault", portal.now(), fault=kind, method=method, path=place)
                return fault.seconds

            if strikes("throttle") is not None:
                self._send(503, {"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"})
            elif strikes("fail") is not None:
                self._send(500, {"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"})
            elif strikes("garbage") is not None:
                self._send(200, b"<html>maintenance</html>")
            else:
                self._answer(strikes, path, query, data)

        def _answer(self, strikes: Callable[[str], float | None], path: str, query: str, data: bytes) -> None:
            params = from_query(query)
            if data:
                try:
                    asked = _decode(data)
                except msgspec.DecodeError:
                    asked = from_query(data.decode("utf-8", "replace"))
                params |= asked if isinstance(asked, dict) else {}
            refusals = api.bucket.refusals
            status, answer = api.answer(path, params)
            if api.bucket.refusals > refusals:
                portal.books.enter("fault", portal.now(), fault="over_limit", method="POST", path=_place(path, data))
            faults.wait(strikes("slow") or 0.0)
            lost = strikes("lose_answer")
            if lost is not None:
                faults.wait(lost)
                self.close_connection = True
            elif strikes("fail_after") is not None:
                self._send(500, {"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"})
            else:
                self._send(status, answer)

        def _send(self, status: int, body: Any) -> None:
            raw = body if isinstance(body, bytes) else _encode(body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            """The books are the log."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="bitrix24", daemon=True)
    thread.start()
    hooks.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(10)
        hooks.stop()
        portal.books.close()

    return Running(
        portal=portal, api=api, faults=faults, hooks=hooks, url=f"http://127.0.0.1:{server.server_port}/rest",
        webhook=webhook, hook_secret=secret, client_id=client[0], client_secret=client[1], refresh_token=refresh,
        stop=stop,
    )  # fmt: skip


def play(part: Part) -> Playing:
    """Plays the CRM of the demo's retailer, its authorization server at the same address."""
    portal = Portal(name=part.name, books=part.books, wall=part.wall)
    if part.retailer is not None:
        fill(portal, part.retailer)
    running = start(portal, seed=part.seed, bucket=Bucket(speed=PLAYED))
    secrets = {"WEBHOOK": running.webhook, "HOOK_SECRET": running.hook_secret, "CLIENT_ID": running.client_id,
               "CLIENT_SECRET": running.client_secret, "REFRESH_TOKEN": running.refresh_token}  # fmt: skip
    return Playing(url=running.url, secrets=secrets, stop=running.stop)


def _commands(path: str, data: bytes) -> str:
    """The methods that a request asks for, one after the other."""
    method = path.rpartition("/")[2]
    return data.decode("utf-8", "replace") if method == "batch" else method


def _place(path: str, data: bytes) -> str:
    """The resource that a request is about, as ill tempers name it."""
    asked = _commands(path, data)
    return next((f"/{resource}" for kind, resource in RESOURCES.items() if f".{kind}." in asked), f"/{asked[:40]}")


def _reads(path: str, data: bytes) -> str:
    """GET for what reads, POST for what writes: ill tempers know no other way to say it."""
    asked = _commands(path, data)
    return "POST" if any(f".{word}" in asked for word in ("add", "update", "delete", "set", "conduct")) else "GET"


def _door(api: Api, faults: Faults, hooks: Hooks, path: str, query: Mapping[str, str], data: bytes) -> Any:
    """The sandbox's own doors: books, ill tempers, limits, acts of people."""
    portal = api.portal
    if path == "/_books":
        return portal.books.after(int(query.get("after", "0")))
    if path == "/_settled":
        return {"settled": hooks.settled(float(query.get("timeout", "10")))}
    ask: Doc = msgspec.json.decode(data)
    if path == "/_control":
        if "limit" in ask:
            limit = ask["limit"] or {"rate": 1e9, "burst": 1e9}
            api.bucket.rate, api.bucket.burst, api.bucket.level = float(limit["rate"]), float(limit["burst"]), 0.0
        elif "speed" in ask:
            api.bucket.speed = float(ask["speed"])
        elif "hook" in ask:  # what a person does under developer resources: an outgoing webhook
            _listen(portal, str(ask["hook"]))
        else:
            faults.command(ask)
        return {"ok": True}
    act = ACTS.get(path.removeprefix("/_act/"))
    if act is None:
        raise Refused(404, "no_act", f"acts here: {', '.join(ACTS)}")
    with portal.lock:
        return act(portal, ask)


def _listen(portal: Portal, url: str) -> None:
    """Afterwards the address is told of every event, once."""
    for event in EVENTS:
        row = {"event": event, "handler": url, "auth_type": "0", "offline": 0}
        if row not in portal.handlers:
            portal.handlers.append(row)


def empty(name: str = "bitrix24", books: Books | None = None) -> Portal:
    """A portal that knows nothing yet but its books."""
    return Portal(name=name, books=Books(name, None) if books is None else books)
