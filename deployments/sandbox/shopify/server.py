"""The simulated shop over real HTTP on 127.0.0.1: its one address, its webhooks, and the sandbox's own doors beside it.

What surprises here:

* ``/_books``, ``/_control``, ``/_act/<verb>`` and ``/_settled`` are those of the other systems (sandbox/README.md) and
  ask for no token; ill tempers are the same (faults.py).
* A webhook carries the record as it was when it was announced, also when it is repeated or comes late; its signature
  covers the body alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from deployments.sandbox.books import Books
from deployments.sandbox.design import Refused
from deployments.sandbox.faults import Faults
from deployments.sandbox.notation import Doc
from deployments.sandbox.notices import Notices
from deployments.sandbox.shop import SHOP
from deployments.sandbox.shopify.api import SCOPES, Api, Bucket
from deployments.sandbox.shopify.bulk import PATH
from deployments.sandbox.shopify.people import VERBS
from deployments.sandbox.shopify.state import Shop, kind_of, legacy, stamp

ADDRESS = "/admin/api/2026-10/graphql.json"
TOKENS = "/admin/oauth/access_token"
KEPT = 20_000
"""So many bodies of webhooks are kept for those that come late or twice."""
_encode = msgspec.json.Encoder(decimal_format="string").encode


class Hooks(Notices):
    """Webhooks as Shopify sends them, with the queue, the attempts and the ill tempers of every system's notices."""

    def __init__(self, shop: Shop, faults: Faults, secret: str) -> None:
        super().__init__(SHOP, shop.books, faults, secret)
        self._shop, self._key = shop, secret
        self._bodies: dict[tuple[str, str, datetime], bytes] = {}

    def told(self, topic: str, id: str, at: datetime) -> None:
        """A topic's subscribers are told of a record, as it is now."""
        word = topic.upper().replace("/", "_")
        self._urls = list(dict.fromkeys(hook["uri"] for hook in self._shop.hooks if hook["topic"] == word))
        if self._urls:
            while len(self._bodies) > KEPT:
                del self._bodies[next(iter(self._bodies))]
            self._bodies[topic, id, at] = json.dumps(self._body(topic, id, at)).encode()
            self.announce(topic, id, at)

    def _body(self, topic: str, id: str, at: datetime) -> Doc:
        if "@" in id:
            item, place = (int(legacy(part)) for part in id.split("@"))
            level = self._shop.level(*id.split("@"))
            figure = 0 if level is None else level.available
            return {"inventory_item_id": item, "location_id": place, "available": figure, "updated_at": stamp(at)}
        if topic.endswith("/delete"):
            return {"id": int(legacy(id))}
        own = {"id": int(legacy(id)), "admin_graphql_api_id": id, "updated_at": stamp(at)}
        if kind_of(id) == "Product":
            own["variants"] = [{"id": int(legacy(v["id"]))} for v in self._shop.variants_of(id)]
        return own

    def _post(self, url: str, delivery: str, data: bytes) -> bool:
        told = msgspec.json.decode(data)
        topic, id, at = told["resource"], told["id"], told["at"]
        found = next((key for key in self._bodies if key[:2] == (topic, id) and stamp(key[2]) == at), None)
        if found is None:
            return True
        body = self._bodies[found]
        signed = base64.b64encode(hmac.new(self._key.encode(), body, hashlib.sha256).digest()).decode()
        return self.delivered(url, body, {
            "X-Shopify-Topic": topic, "X-Shopify-Hmac-Sha256": signed, "X-Shopify-Event-Id": delivery,
            "X-Shopify-Webhook-Id": str(uuid.uuid4()), "X-Shopify-Triggered-At": at,
            "X-Shopify-API-Version": "2026-10", "X-Shopify-Shop-Domain": "127.0.0.1",
        })  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Running:
    """A shop that serves: where, with which secrets, and how to end it."""

    shop: Shop
    api: Api
    faults: Faults
    hooks: Hooks
    url: str
    token: str
    hook_secret: str
    stop: Callable[[], None]


def start(shop: Shop, *, port: int = 0, seed: int = 7, bucket: Bucket | None = None) -> Running:
    """Serves the shop on 127.0.0.1 (port 0: a free one)."""
    token, secret, faults = f"shpat-{seed}", f"shpss-{seed}", Faults({"catalogue": "/catalogue"})
    api, hooks = Api(shop, tokens={token: SCOPES}, bucket=bucket), Hooks(shop, faults, secret)
    shop.announce = hooks.told

    def lost(kind: str) -> int | None:
        fault = faults.strike("omit_page", "GET", "/catalogue") if kind == "ProductVariant" else None
        return None if fault is None else fault.page

    shop.lost = lost

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1
        timeout = 120

        def _serve(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            if path.startswith(PATH):
                status, raw, more = api.bulks.file(path, dict(parse_qsl(query)), dict(self.headers.items()))
                self._send(status, raw, more)
                return
            if path.startswith("/_"):
                try:
                    self._send(200, _door(shop, faults, hooks, path, dict(parse_qsl(query)), data))
                except Refused as refused:
                    self._send(refused.status, {"error": refused.error})
                return
            self._tempered(urlsplit(path).path, data)

        do_GET = do_POST = _serve

        def _tempered(self, path: str, data: bytes) -> None:
            """Answers as the shop, with whatever ill temper it is in."""

            def strikes(kind: str) -> float | None:
                fault = faults.strike(kind, self.command, path)
                if fault is None:
                    return None
                shop.books.enter("fault", shop.now(), fault=kind, method=self.command, path=path)
                return fault.seconds

            wait = strikes("throttle")
            if wait is not None:
                self._send(429, {"errors": "Exceeded rate limit"}, {"Retry-After": f"{wait:g}"})
            elif strikes("fail") is not None:
                self._send(500, {"errors": "Internal Server Error"})
            elif strikes("garbage") is not None:
                self._send(200, b"<html>maintenance</html>")
            elif self.command == "POST" and path == TOKENS:
                self._token(data)
            elif self.command != "POST" or path != ADDRESS:
                self._send(404, {"errors": "Not Found"})
            else:
                self._answer(strikes, data)

        def _token(self, data: bytes) -> None:
            form = dict(parse_qsl(data.decode()))
            right = (form.get("grant_type"), form.get("client_id"), form.get("client_secret"))
            if right == ("client_credentials", "app", secret):
                scopes = ",".join(sorted(SCOPES))
                self._send(200, {"access_token": token, "scope": scopes, "expires_in": 86_399})
            else:
                self._send(400, {"error": "invalid_client"})

        def _answer(self, strikes: Callable[[str], float | None], data: bytes) -> None:
            try:
                asked = msgspec.json.decode(data)
            except msgspec.DecodeError:
                self._send(400, {"errors": "Bad Request"})
                return
            status, answer = api.answer(self.headers.get("X-Shopify-Access-Token", ""), asked)
            faults.wait(strikes("slow") or 0.0)
            lost = strikes("lose_answer")
            if lost is not None:
                faults.wait(lost)
                self.close_connection = True
            elif strikes("fail_after") is not None:
                self._send(500, {"errors": "Internal Server Error"})
            else:
                self._send(status, answer)

        def _send(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
            raw = body if isinstance(body, bytes) else _encode(body)
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            """The books are the log."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="shopify", daemon=True)
    thread.start()
    hooks.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(10)
        hooks.stop()
        shop.books.close()

    url = api.bulks.base = f"http://127.0.0.1:{server.server_port}"
    return Running(shop=shop, api=api, faults=faults, hooks=hooks, url=url, token=token, hook_secret=secret, stop=stop)


def _door(shop: Shop, faults: Faults, hooks: Hooks, path: str, query: Mapping[str, str], data: bytes) -> Any:
    """The sandbox's own doors: books, ill tempers, acts of people."""
    if path == "/_books":
        return shop.books.after(int(query.get("after", "0")))
    if path == "/_settled":
        return {"settled": hooks.settled(float(query.get("timeout", "10")))}
    ask = msgspec.json.decode(data)
    if path == "/_control":
        faults.command(ask)
        return {"ok": True}
    act = VERBS.get(path.removeprefix("/_act/"))
    if act is None:
        raise Refused(404, "no_act", f"acts here: {', '.join(VERBS)}")
    return act(shop, ask)


def empty(name: str = "shopify", books: Books | None = None) -> Shop:
    """A shop that knows nothing yet but its books."""
    return Shop(name=name, books=Books(name, None) if books is None else books)
