"""The simulated portal over real HTTP on 127.0.0.1: methods, tokens, events, and the sandbox's own doors beside them.

What surprises here:

* The sandbox's own doors also stand under ``/rest``. To ill tempers each method's path is ``/<resource>`` (contacts,
  deals, …).
* An event goes out once, as a form, with no signature but the application's token; who does not answer is not told
  again. It names the record and says nothing of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

import msgspec

from deployments.sandbox import serving
from deployments.sandbox.bitrix24.acts import ACTS
from deployments.sandbox.bitrix24.api import Api, Bucket
from deployments.sandbox.bitrix24.events import EVENTS, happened
from deployments.sandbox.bitrix24.fill import fill
from deployments.sandbox.bitrix24.methods import RESOURCES
from deployments.sandbox.bitrix24.queries import from_query
from deployments.sandbox.bitrix24.state import Fault, Portal
from deployments.sandbox.books import Books
from deployments.sandbox.crm import CRM
from deployments.sandbox.design import Refused
from deployments.sandbox.faults import Faults
from deployments.sandbox.notation import Doc
from deployments.sandbox.notices import Event, Notices
from deployments.sandbox.serving import Reply, Simulated, serve
from deployments.sandbox.start import Part, Playing

TOKENS, CONSENT = "/oauth/token/", "/oauth/authorize/"
PLACES = {"catalogue": "/products", "new order": "POST /deals", "reads": "GET"}
"""What ill tempers call by its role."""
PLAYED = 500.0
"""How much faster than the real one a portal forgets its callers when it plays a part."""
_decode = msgspec.json.Decoder(float_hook=str).decode


class Hooks(Notices):
    """Events as the portal sends them, with the queue and the ill tempers of every system's notices; never twice."""

    def __init__(self, portal: Portal, faults: Faults, secret: str) -> None:
        super().__init__(CRM, portal.books, faults, secret)
        self._portal, self._token = portal, secret
        self._words: dict[tuple[str, str, str], str] = {}

    def told(self, kind: str, what: str, id: str, at: datetime) -> None:
        """Who bound the event is told of a record."""
        event = happened(self._portal, kind, what, id, at)
        urls = [row["handler"] for row in self._portal.handlers if row["event"] == event and not row["offline"]]
        if urls:
            self._urls = list(dict.fromkeys(urls))
            self._words[RESOURCES[kind], id, CRM.written(at)] = event
            self.announce(RESOURCES[kind], id, at)

    def _send(self, delivery: str, data: bytes, events: Sequence[Event]) -> None:
        for resource, id, at in events:
            event = self._words.get((resource, id, CRM.written(at)), "")
            for row in [row for row in self._portal.handlers if row["event"] == event and not row["offline"]]:
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

    def act(verb: Callable[[Portal, Doc], Doc], ask: Doc) -> Doc:
        try:
            with portal.lock:
                return verb(portal, ask)
        except Fault as fault:
            raise Refused(422, "refused", fault.description) from None

    own = Simulated(
        system=portal, faults=faults, notices=hooks, acts=ACTS, act=act,
        controls={"limit": api.bucket.limited, "speed": api.bucket.hastened,
                  "hook": lambda address: _listen(portal, str(address))},
    )  # fmt: skip

    class Handler(serving.Handler):
        simulated = own
        broken = _error("INTERNAL_SERVER_ERROR", "Internal server error")

        def asked(self, path: str, query: str, data: bytes) -> Reply | None:
            if path.startswith("/rest/_"):
                return own.door(self.command, path.removeprefix("/rest"), query, data)
            if path == CONSENT:
                return self._consent(dict(parse_qsl(query)))
            if path == TOKENS:
                return Reply(*api.token(dict(parse_qsl(query)) | dict(parse_qsl(data.decode()))))
            if not path.startswith("/rest/"):
                return Reply(404, b"<html>404</html>")
            path = path.removeprefix("/rest/")
            return self.tempered(_reads(path, data), _place(path, data), lambda: self._answer(path, query, data))

        def throttled(self, wait: float) -> Reply:
            return Reply(503, _error("QUERY_LIMIT_EXCEEDED", "Too many requests"))

        def _consent(self, asked: Mapping[str, str]) -> Reply:
            """Somebody who is logged in agrees at once, and is sent back with a code that is good once."""
            api.code = f"code-{uuid.uuid4().hex[:12]}"
            back = urlencode({"code": api.code, "state": asked.get("state", ""), "domain": "127.0.0.1"})
            return Reply(302, headers={"Location": f"{asked.get('redirect_uri', '')}?{back}"})

        def _answer(self, path: str, query: str, data: bytes) -> Reply:
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
                own.book("over_limit", "POST", _place(path, data))
            return Reply(status, answer)

    url, stop = serve(Handler, [own], port=port, name="bitrix24")
    return Running(
        portal=portal, api=api, faults=faults, hooks=hooks, url=f"{url}/rest",
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


def _error(code: str, description: str) -> Doc:
    return {"error": code, "error_description": description}


def _listen(portal: Portal, url: str) -> None:
    """Afterwards the address is told of every event, once."""
    for event in EVENTS:
        row = {"event": event, "handler": url, "auth_type": "0", "offline": 0}
        if row not in portal.handlers:
            portal.handlers.append(row)


def empty(name: str = "bitrix24", books: Books | None = None) -> Portal:
    """A portal that knows nothing yet but its books."""
    return Portal(name=name, books=Books(name, None) if books is None else books)
