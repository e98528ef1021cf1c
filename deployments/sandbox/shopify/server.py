"""The simulated shop over real HTTP on 127.0.0.1: its one address, its webhooks, and the sandbox's own doors beside it.

What surprises here: a webhook carries the record as it was when it was announced, also when it is repeated or comes
late; its signature covers the body alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from deployments.sandbox import serving
from deployments.sandbox.books import Books
from deployments.sandbox.faults import Faults
from deployments.sandbox.notation import Doc
from deployments.sandbox.notices import Event, Notices
from deployments.sandbox.serving import Reply, Simulated, serve
from deployments.sandbox.shop import SHOP
from deployments.sandbox.shopify.api import SCOPES, Api, Bucket
from deployments.sandbox.shopify.bulk import PATH
from deployments.sandbox.shopify.people import VERBS
from deployments.sandbox.shopify.state import Shop, kind_of, legacy, stamp

ADDRESS = "/admin/api/2026-10/graphql.json"
TOKENS = "/admin/oauth/access_token"
KEPT = 20_000
"""So many bodies of webhooks are kept for those that come late or twice."""


class Hooks(Notices):
    """Webhooks as Shopify sends them, with the queue, the attempts and the ill tempers of every system's notices."""

    def __init__(self, shop: Shop, faults: Faults, secret: str) -> None:
        super().__init__(SHOP, shop.books, faults, secret)
        self._shop, self._key = shop, secret
        self._bodies: dict[Event, bytes] = {}

    def addresses(self, events: Sequence[Event]) -> Sequence[str]:
        return self._subscribers(events[0][0])

    def _subscribers(self, topic: str) -> Sequence[str]:
        word = topic.upper().replace("/", "_")
        return list(dict.fromkeys(hook["uri"] for hook in list(self._shop.hooks) if hook["topic"] == word))

    def told(self, topic: str, id: str, at: datetime) -> None:
        """A topic's subscribers are told of a record, as it is now."""
        subscribers = self._subscribers(topic)
        if subscribers:
            while len(self._bodies) > KEPT:
                del self._bodies[next(iter(self._bodies))]
            self._bodies[topic, id, at] = json.dumps(self._body(topic, id, at)).encode()
            self._urls = list(subscribers)
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

    def _post(self, url: str, delivery: str, data: bytes, events: Sequence[Event]) -> bool:
        topic, _, at = events[0]
        body = self._bodies.get(events[0])
        if body is None:
            return True
        signed = base64.b64encode(hmac.new(self._key.encode(), body, hashlib.sha256).digest()).decode()
        return self.delivered(url, body, {
            "X-Shopify-Topic": topic, "X-Shopify-Hmac-Sha256": signed, "X-Shopify-Event-Id": delivery,
            "X-Shopify-Webhook-Id": str(uuid.uuid4()), "X-Shopify-Triggered-At": stamp(at),
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

    own = Simulated(system=shop, faults=faults, notices=hooks, acts=VERBS, act=lambda act, ask: act(shop, ask))

    class Handler(serving.Handler):
        simulated = own
        broken: ClassVar[Doc] = {"errors": "Internal Server Error"}

        def asked(self, path: str, query: str, data: bytes) -> Reply | None:
            if path.startswith(PATH):
                return Reply(*api.bulks.file(path, dict(parse_qsl(query)), dict(self.headers.items())))
            path = urlsplit(path).path
            return self.tempered(self.command, path, lambda: self._answer(path, data))

        def encode(self, body: Any) -> bytes:
            return serving.as_text(body)

        def throttled(self, wait: float) -> Reply:
            return Reply(429, {"errors": "Exceeded rate limit"}, {"Retry-After": f"{wait:g}"})

        def _answer(self, path: str, data: bytes) -> Reply:
            if self.command == "POST" and path == TOKENS:
                return self._token(data)
            if self.command != "POST" or path != ADDRESS:
                return Reply(404, {"errors": "Not Found"})
            try:
                asked = msgspec.json.decode(data)
            except msgspec.DecodeError:
                return Reply(400, {"errors": "Bad Request"})
            return Reply(*api.answer(self.headers.get("X-Shopify-Access-Token", ""), asked))

        def _token(self, data: bytes) -> Reply:
            form = dict(parse_qsl(data.decode()))
            right = (form.get("grant_type"), form.get("client_id"), form.get("client_secret"))
            if right != ("client_credentials", "app", secret):
                return Reply(400, {"error": "invalid_client"})
            return Reply(200, {"access_token": token, "scope": ",".join(sorted(SCOPES)), "expires_in": 86_399})

    url, stop = serve(Handler, [own], port=port, name="shopify")
    api.bulks.base = url
    return Running(shop=shop, api=api, faults=faults, hooks=hooks, url=url, token=token, hook_secret=secret, stop=stop)


def empty(name: str = "shopify", books: Books | None = None) -> Shop:
    """A shop that knows nothing yet but its books."""
    return Shop(name=name, books=Books(name, None) if books is None else books)
