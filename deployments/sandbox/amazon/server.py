"""The simulated marketplace over real HTTP on 127.0.0.1: the Selling Partner API, its log-in, the sandbox's own doors.

What surprises here:

* The seller's queue at Amazon's cloud (sqs.py) is served at the same address, where the header ``x-amz-target`` asks
  for it.
* Writes that reached an operation are booked as ``write``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from deployments.sandbox import serving
from deployments.sandbox.amazon.acts import ACTS
from deployments.sandbox.amazon.api import Api, Plan, errors
from deployments.sandbox.amazon.fill import fill
from deployments.sandbox.amazon.queue import Queue
from deployments.sandbox.amazon.sqs import ARN, KEY_ID, PATH, TARGET
from deployments.sandbox.amazon.state import Market
from deployments.sandbox.books import Books
from deployments.sandbox.faults import Faults
from deployments.sandbox.notation import Doc
from deployments.sandbox.serving import Reply, Simulated, serve
from deployments.sandbox.start import Part, Playing

PLAYED = 600.0
"""How much faster than the real one the usage plan is when the marketplace plays in the demo: a day in minutes."""


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
    """What a channel on it is told: ``seller``, ``marketplace``, ``token_url``, ``queue``, ``queue_url``."""
    stop: Callable[[], None]


def start(market: Market, *, port: int = 0, seed: int = 7, plan: Plan | None = None) -> Running:
    """Serves the marketplace on 127.0.0.1 (port 0: a free one)."""
    faults, key = Faults(), f"queue-key-{seed}"
    api, queue = Api(market, seed=seed, plan=plan), Queue(market, faults, key)
    market.announce = queue.told

    def act(verb: Callable[[Market, Doc], Doc], ask: Doc) -> Doc:
        with market.lock:
            return verb(market, ask)

    own = Simulated(system=market, faults=faults, notices=queue, acts=ACTS, act=act)

    class Handler(serving.Handler):
        simulated = own
        broken = errors("InternalFailure", "We failed")

        def asked(self, path: str, query: str, data: bytes) -> Reply | None:
            return self.tempered(self.command, path, lambda: self._answer(path, query, data))

        do_POST = do_PUT = do_PATCH = do_DELETE = serving.Handler.do_GET

        def throttled(self, wait: float) -> Reply:
            limit = {"x-amzn-RateLimit-Limit": f"{1 / max(wait, 0.1):.6f}"}
            return Reply(429, errors("QuotaExceeded", "You exceeded your quota."), limit)

        def _answer(self, path: str, query: str, data: bytes) -> Reply:
            headers = {name.lower(): value for name, value in self.headers.items()}
            if headers.get("x-amz-target", "").startswith(TARGET):
                return queue.waiting.answer(headers, data, f"http://{headers.get('host')}")
            reply = api.answer(self.command, path, dict(parse_qsl(query, keep_blank_values=True)), headers, data)
            if self.command != "GET" and not path.startswith("/auth"):
                market.books.enter(
                    "write", market.now(), resource=path.split("/")[1], op=self.command, id=path.rsplit("/", 1)[-1],
                    status=reply.status, changed=reply.status < 300, reference=None, code=None,
                )  # fmt: skip
            return reply

    url, stop = serve(Handler, [own], port=port, name="amazon")
    api.url = url
    secrets = {"client_id": api.client, "client_secret": api.secret, "refresh_token": api.refresh, "hook_secret": key,
               "aws_access_key_id": KEY_ID, "aws_secret_access_key": key}  # fmt: skip
    settings = {"seller": market.seller, "marketplace": market.marketplace, "token_url": f"{url}/auth/o2/token",
                "queue": ARN, "queue_url": url + PATH}  # fmt: skip
    return Running(
        market=market, api=api, faults=faults, queue=queue, url=url, secrets=secrets, settings=settings, stop=stop
    )  # fmt: skip


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
