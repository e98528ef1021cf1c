"""The simulated marketplace over real HTTP on 127.0.0.1: the Selling Partner API, its log-in, the sandbox's own doors.

What surprises here:

* ``/_books``, ``/_control``, ``/_act/<verb>`` and ``/_settled`` are those of the other systems (sandbox/README.md) and
  ask for no token; ill tempers are the same (faults.py). ``{"queue": "http://127.0.0.1:…"}`` at ``/_control`` says
  where the notifications of the seller's queue are carried to: what an API destination behind SQS or EventBridge does.
* Writes that reached an operation are booked as ``write``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from deployments.sandbox.amazon.acts import ACTS
from deployments.sandbox.amazon.api import Answered, Api, Plan, errors
from deployments.sandbox.amazon.fill import fill
from deployments.sandbox.amazon.queue import Queue
from deployments.sandbox.amazon.state import Market
from deployments.sandbox.books import Books
from deployments.sandbox.design import Refused
from deployments.sandbox.faults import Faults
from deployments.sandbox.start import Part, Playing

PLAYED = 600.0
"""How much faster than the real one the usage plan is when the marketplace plays in the demo: a day in minutes."""
_encode = msgspec.json.Encoder(decimal_format="number").encode
_plain = msgspec.json.Encoder(decimal_format="string").encode


@dataclass(frozen=True, kw_only=True)
class Running:
    """A marketplace that serves: where, with which secrets, and how to end it."""

    market: Market
    api: Api
    faults: Faults
    queue: Queue
    url: str
    secrets: Mapping[str, str]
    settings: Mapping[str, str]
    """What a channel on it is told: ``seller``, ``marketplace``, ``token_url``."""
    stop: Callable[[], None]


def start(market: Market, *, port: int = 0, seed: int = 7, plan: Plan | None = None) -> Running:
    """Serves the marketplace on 127.0.0.1 (port 0: a free one)."""
    faults, key = Faults(), f"queue-key-{seed}"
    api, queue = Api(market, seed=seed, plan=plan), Queue(market, faults, key)
    market.announce = queue.told

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1
        timeout = 120

        def _serve(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            if path.startswith("/_"):
                try:
                    self._send(Answered(body=_plain(_door(market, faults, queue, path, dict(parse_qsl(query)), data))))
                except Refused as refused:
                    self._send(Answered(status=refused.status, body={"error": refused.error}))
                return
            self._tempered(path, dict(parse_qsl(query, keep_blank_values=True)), data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

        def _tempered(self, path: str, query: Mapping[str, str], data: bytes) -> None:
            """Answers as the marketplace, with whatever ill temper it is in."""

            def strikes(kind: str) -> float | None:
                fault = faults.strike(kind, self.command, path)
                if fault is None:
                    return None
                market.books.enter("fault", market.now(), fault=kind, method=self.command, path=path)
                return fault.seconds

            wait = strikes("throttle")
            if wait is not None:
                told = {"x-amzn-RateLimit-Limit": f"{1 / max(wait, 0.1):.6f}"}
                self._send(Answered(status=429, body=errors("QuotaExceeded", "You exceeded your quota."), headers=told))
            elif strikes("fail") is not None:
                self._send(Answered(status=500, body=errors("InternalFailure", "We failed")))
            elif strikes("garbage") is not None:
                self._send(Answered(body=b"<html>maintenance</html>"))
            else:
                self._answer(strikes, path, query, data)

        def _answer(
            self, strikes: Callable[[str], float | None], path: str, query: Mapping[str, str], data: bytes
        ) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = api.answer(self.command, path, query, headers, data)
            if self.command != "GET" and not path.startswith("/auth"):
                market.books.enter(
                    "write", market.now(), resource=path.split("/")[1], op=self.command, id=path.rsplit("/", 1)[-1],
                    status=answer.status, changed=answer.status < 300, reference=None, code=None,
                )  # fmt: skip
            faults.wait(strikes("slow") or 0.0)
            lost = strikes("lose_answer")
            if lost is not None:
                faults.wait(lost)
                self.close_connection = True
            elif strikes("fail_after") is not None:
                self._send(Answered(status=500, body=errors("InternalFailure", "We failed")))
            else:
                self._send(answer)

        def _send(self, answer: Answered) -> None:
            body = answer.body
            raw = body if isinstance(body, bytes) else b"" if body is None else _encode(body)
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            if answer.status != 204:
                self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            """The books are the log."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="amazon", daemon=True)
    thread.start()
    queue.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(10)
        queue.stop()
        market.books.close()

    url = f"http://127.0.0.1:{server.server_port}"
    api.url = url
    secrets = {"client_id": api.client, "client_secret": api.secret, "refresh_token": api.refresh, "hook_secret": key}
    settings = {"seller": market.seller, "marketplace": market.marketplace, "token_url": f"{url}/auth/o2/token"}
    return Running(
        market=market, api=api, faults=faults, queue=queue, url=url, secrets=secrets, settings=settings, stop=stop
    )  # fmt: skip


def _door(
    market: Market, faults: Faults, queue: Queue, path: str, query: Mapping[str, str], data: bytes
) -> Any:
    """The sandbox's own doors: books, ill tempers, acts of people."""
    if path == "/_books":
        return market.books.after(int(query.get("after", "0")))
    if path == "/_settled":
        return {"settled": queue.settled(float(query.get("timeout", "10")))}
    ask = json.loads(data)
    if path == "/_control":
        if "queue" in ask:
            queue.carried_to(str(ask["queue"]))
        else:
            faults.command(ask)
        return {"ok": True}
    act = ACTS.get(path.removeprefix("/_act/"))
    if act is None:
        raise Refused(404, "no_act", f"acts here: {', '.join(ACTS)}")
    with market.lock:
        return act(market, ask)


def play(part: Part) -> Playing:
    """Plays the marketplace of the demo's retailer; its log-in lies at /auth/o2/token of the same address."""
    market = Market(name=part.name, books=part.books, wall=part.wall)
    if part.retailer is not None:
        fill(market, part.retailer)
    running = start(market, seed=part.seed, plan=Plan(speed=PLAYED))
    secrets = {name.upper(): value for name, value in running.secrets.items()}
    return Playing(url=running.url, secrets=secrets, stop=running.stop)


def empty(name: str = "market", books: Books | None = None) -> Market:
    """A marketplace that knows nothing yet but its books."""
    return Market(name=name, books=Books(name, None) if books is None else books)
