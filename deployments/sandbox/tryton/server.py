"""The simulated Tryton over real HTTP on 127.0.0.1: JSON-RPC at ``/rpc/``, and the sandbox's doors beside it.

What surprises here: it calls nobody; who wants to know of receipts asks for them, and has heard of one when he asks a
second time after it. To ill tempers a read is a ``GET /<model>``, any other call a ``POST``;
``/_control`` also takes ``{"sessions": true}``: every session ends. The doors stand under the database's name too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deployments.sandbox import serving
from deployments.sandbox.design import Refused
from deployments.sandbox.faults import Faults
from deployments.sandbox.notation import Doc
from deployments.sandbox.serving import Reply, Simulated, serve
from deployments.sandbox.start import Part, Playing
from deployments.sandbox.tryton.acts import ACTS, Tills
from deployments.sandbox.tryton.api import LOG_IN, READS, Api
from deployments.sandbox.tryton.database import Database, Failure
from deployments.sandbox.tryton.fill import empty, fill
from deployments.sandbox.tryton.trade import SALE

PLACES = {"reads": "GET", "catalogue": "/product.product"}
USER, DATABASE = "serai", "tills"


class Asked:
    """How often receipts were asked for since the last of them changed; nobody asks unless he wants to know."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._times = 2

    def start(self) -> None:
        """Nothing to begin."""

    def stop(self) -> None:
        """Nobody waits any more."""
        self.asked(2)

    def changed(self, model: str, id: int) -> None:
        """A record was written."""
        if model == SALE:
            with self._news:
                self._times = 0

    def asked(self, times: int = 1) -> None:
        """Somebody asked for receipts."""
        with self._news:
            self._times += times
            self._news.notify_all()

    def settled(self, timeout: float = 10.0) -> bool:
        """Waits until who asked for receipts has stored what he was told, since he asks again."""
        with self._news:
            return self._news.wait_for(lambda: self._times >= 2, timeout)


@dataclass(frozen=True, kw_only=True)
class Running:
    """A Tryton that serves: where, for whom, and how to end it. ``url`` ends in the database's name."""

    db: Database
    api: Api
    tills: Tills
    faults: Faults
    url: str
    user: str
    password: str
    stop: Callable[[], None]


def start(db: Database, *, port: int = 0, seed: int = 7, name: str = "tryton") -> Running:
    """Serves the database on 127.0.0.1 (port 0: a free one)."""
    faults, tills, api = Faults(PLACES), Tills(db), Api(db, USER, f"tryton-password-{seed}")
    db.late = lambda model: ((fault := faults.strike("backdate", "", f"/{model}")) and fault.seconds) or 0.0

    def act(verb: Callable[[Tills, Mapping[str, Any]], Doc], ask: Doc) -> Doc:
        try:
            with db.lock:
                return verb(tills, ask)
        except Failure as failure:
            raise Refused(422, "refused", str(failure.error[1])) from None

    heard = Asked()
    db.changed = heard.changed
    own = Simulated(
        system=db, faults=faults, notices=heard, acts=ACTS, act=act, controls={"sessions": api.end_sessions}
    )

    class Handler(serving.Handler):
        simulated = own
        broken = b"<!doctype html>\n<title>500 Internal Server Error</title>"

        def asked(self, path: str, query: str, data: bytes) -> Reply | None:
            if path.startswith(f"/{DATABASE}/_"):
                return own.door(self.command, path.removeprefix(f"/{DATABASE}"), query, data)
            if self.command != "POST" or path != f"/{DATABASE}/rpc/":
                return Reply(404, b"<!doctype html>\n<title>404 Not Found</title>")
            try:
                request = serving.decoded(own.decode, data)
            except Refused:
                return Reply(400, b"<!doctype html>\n<title>400 Bad Request</title>")
            headers = {name.lower(): value for name, value in self.headers.items()}
            method = str(request.get("method"))
            if method in LOG_IN:
                return Reply(*api.answer(headers, request))
            model, _, verb = method.removeprefix("model.").rpartition(".")
            word = "GET" if verb in READS else "POST"
            if model == SALE:
                heard.asked()
            return self.tempered(word, f"/{model}", lambda: Reply(*api.answer(headers, request)))

        def throttled(self, wait: float) -> Reply:
            return Reply(429, b"<!doctype html>\n<title>429 Too Many Requests</title>", {"Retry-After": f"{wait:g}"})

    url, stop = serve(Handler, [own], port=port, name=name)
    return Running(db=db, api=api, tills=tills, faults=faults, url=f"{url}/{DATABASE}", user=USER,
                   password=api.password, stop=stop)  # fmt: skip


def play(part: Part) -> Playing:
    """Plays the tills of the retailer's stores in Kazakhstan."""
    db = empty(part.books)
    if part.retailer is not None:
        fill(db, part.retailer)
    db.wall = part.wall
    running = start(db, seed=part.seed, name=part.name)
    secrets = {"USER": running.user, "PASSWORD": running.password}
    return Playing(url=running.url, secrets=secrets, stop=running.stop)

