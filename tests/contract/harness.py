"""What a platform must bring to be held to the contract: a `Simulator` (its behaviour) and a `Subject` (its facts).

What surprises here: a simulator is a real HTTP server on 127.0.0.1 that keeps state and answers as its platform would;
faults (throttling, silence, broken answers) are laid over it by the harness, so that no simulator writes its own.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from connectors import CATALOG
from connectors.base import Connector, Cursor, Doc, Page, Request
from connectors.errors import Misconfigured
from connectors.paging import at
from connectors.ports import Ports

EARLY = datetime(2026, 3, 1, 9, 0, 0, tzinfo=UTC)
"""The stamp of the first seeded row; the clock of `FixedClock` stands an hour later."""
SPREAD = [EARLY + timedelta(minutes=minute) for minute in range(7)]
"""Stamps of rows for several pages."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request as the simulated platform received it; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The decoded body, numbers exact; None when there is none."""
        return json.loads(self.body, parse_float=Decimal) if self.body else None


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the platform answers: ``body`` as JSON, or ``raw`` bytes as they are."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None

    def data(self) -> bytes:
        """The bytes to send."""
        if self.raw is not None:
            return self.raw
        return b"" if self.body is None else msgspec.json.Encoder(decimal_format="number").encode(self.body)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What befalls one request: it is ``carried_out`` or not, then answered with ``reply`` after ``delay`` seconds.

    Without a reply the connection is closed in silence.
    """

    reply: Reply | None = None
    carried_out: bool = False
    delay: float = 0.0


class Simulator(ABC):
    """A platform behind a real socket: implement `handle`, and keep the books in the object.

    ``calls`` are the requests received. ``url`` is the address to connect to.
    """

    prefix: ClassVar[str] = ""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.lock = threading.RLock()
        self._faults: list[Fault] = []
        simulator = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # headers and body leave in one segment
            disable_nagle_algorithm = True

            def _serve(self) -> None:
                simulator._serve(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

            def log_message(self, format: str, *args: Any) -> None:
                return

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                if not isinstance(sys.exception(), OSError):  # a caller that stopped waiting is what some tests want
                    super().handle_error(request, client_address)

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}{self.prefix}"

    @abstractmethod
    def handle(self, call: Call) -> Reply:
        """Carry the request out and answer it. Called under the simulator's lock."""

    def is_work(self, call: Call) -> bool:
        """False for log-in and token calls: faults do not befall them."""
        return True

    def befall(self, *faults: Fault) -> None:
        """The next work calls meet these faults, in this order."""
        self._faults.extend(faults)

    @property
    def work(self) -> Sequence[Call]:
        """The calls received that are not log-ins."""
        return [call for call in self.calls if self.is_work(call)]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Answers requests inside the block."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            self._server.server_close()

    def _serve(self, http: BaseHTTPRequestHandler) -> None:
        target = urlsplit(http.path)
        call = Call(
            method=http.command,
            path=target.path.removeprefix(self.prefix),
            query=dict(parse_qsl(target.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in http.headers.items()},
            body=http.rfile.read(int(http.headers.get("content-length") or 0)),
        )
        with self.lock:
            self.calls.append(call)
            fault = self._faults.pop(0) if self._faults and self.is_work(call) else None
            reply = self.handle(call) if fault is None or fault.carried_out else None
        if fault is not None:
            time.sleep(fault.delay)
            reply = fault.reply
        if reply is None:
            http.close_connection = True
            return
        data = reply.data()
        http.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            http.send_header(name, value)
        http.send_header("Content-Length", str(len(data)))
        http.end_headers()
        http.wfile.write(data)


class Subject(ABC):
    """One line of CATALOG under test: how to reach it, what it holds, what it cannot do.

    ``lacks`` names what the platform does not offer, and why: "since", "notices", "reference", "rejection",
    "forbidden", "delete", "update", "signature" (its notices carry a fixed word only). A test then asserts that the
    descriptor says so too; nothing is skipped.
    """

    name: str
    platform: ClassVar[str]
    resource: ClassVar[str]
    secrets: ClassVar[Mapping[str, str]] = {}
    lacks: ClassVar[Mapping[str, str]] = {}
    exact: ClassVar[Mapping[str, Any]] = {}
    """Field → value: what must come back as it went out (a value may be text, int, Decimal, list, bool, None)."""

    @abstractmethod
    def simulator(self) -> Simulator:
        """A fresh, empty platform."""

    def options(self, simulator: Simulator) -> Mapping[str, Any]:
        """The channel's settings beside ``secrets`` and ``timeout``."""
        return {}

    @abstractmethod
    def seed(self, simulator: Simulator, stamps: Sequence[datetime]) -> list[str]:
        """Rows that changed at these moments, put into the books directly; their ids, in this order."""

    @abstractmethod
    def touch(self, simulator: Simulator, id: str, at: datetime) -> None:
        """The row changes at that moment."""

    @abstractmethod
    def held(self, simulator: Simulator) -> Mapping[str, Doc]:
        """What the platform holds, by id."""

    @abstractmethod
    def creation(self, number: int) -> Doc:
        """A document the platform accepts as new; each number another one."""

    @abstractmethod
    def change(self, simulator: Simulator, id: str, number: int) -> Doc:
        """A document the platform accepts as an update of the row."""

    def bad(self) -> Doc:
        """A document the platform rejects as new, on its own merits; see ``lacks["rejection"]``."""
        raise NotImplementedError

    def with_exact(self, values: Mapping[str, Any]) -> Doc:
        """A creation that carries these values of ``exact``."""
        raise NotImplementedError

    def exact_of(self, doc: Doc) -> Mapping[str, Any]:
        """Those values as a document carries them."""
        raise NotImplementedError

    def throttled(self, seconds: int) -> Reply:
        """How the platform asks to wait."""
        return Reply(status=429, headers={"Retry-After": str(seconds)}, body={"error": {"message": "slow down"}})

    def denied(self, status: int, scope: str) -> Reply:
        """How the platform says that a right is missing (401, 403)."""
        return Reply(status=status, body={"error": {"code": "denied", "scope": scope, "message": "not allowed"}})

    def shapeless(self) -> Reply:
        """A successful answer to a read without its list."""
        return Reply(body={"unexpected": True})

    def notice(self, simulator: Simulator, id: str, at: datetime, *, sent: datetime, delivery: str) -> Request:
        """A notice as the platform signs and sends it at ``sent``; see ``lacks["notices"]``."""
        raise NotImplementedError

    def connect(self, simulator: Simulator, **given: Any) -> Connector:
        """A fresh connector on the simulator, with `TestPorts`; ``given`` overrides its arguments."""
        options = {
            "secrets": {name: f"env:TEST_{name.upper()}" for name in self.secrets},
            "timeout": given.pop("timeout", 5),
            **self.options(simulator),
            **given.pop("options", {}),
        }
        arguments: dict[str, Any] = {
            "channel": "shop-kz", "url": simulator.url, "options": options, "ports": ports_with(self.secrets)
        }  # fmt: skip
        speaks = self.platform if self.platform in CATALOG else "generic_rest"
        return CATALOG[speaks](**{**arguments, **given})


class FixedClock:
    """Stands still, an hour after `EARLY`, until it is set."""

    def __init__(self) -> None:
        self.at = EARLY + timedelta(hours=1)

    def now(self) -> datetime:
        """The moment it stands at."""
        return self.at


class GivenSecrets:
    """Secrets from a mapping."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)

    def get(self, name: str) -> str:
        """The value; raises Misconfigured."""
        if name not in self.values:
            raise Misconfigured(f"secret `{name}` is not set")
        return self.values[name]


class KeptTokens:
    """Tokens in memory, with the compare-and-swap of the registry."""

    def __init__(self) -> None:
        self.version, self.tokens = 0, dict[str, str]()

    def load(self) -> tuple[int, Mapping[str, str]]:
        """Version and tokens."""
        return self.version, self.tokens

    def swap(self, version: int, tokens: Mapping[str, str]) -> bool:
        """Stores when nobody else did."""
        if version != self.version:
            return False
        self.version, self.tokens = version + 1, dict(tokens)
        return True


class CountedBudget:
    """Counts the requests taken, by lane; some cost more than others."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def take(self, n: float, lane: str, bucket: str = "") -> None:
        """Always lets them begin."""
        self.taken.append(lane)

    def told(self, available: float, bucket: str = "") -> None:
        """Nothing is limited here."""

    def back(self, n: float, bucket: str = "") -> None:
        """Nothing is limited here."""

    def refused(self, after: float, bucket: str = "") -> None:
        """Nothing is limited here."""


def ports_with(secrets: Mapping[str, str]) -> Ports:
    """Ports in memory; each test gets its own."""
    return Ports(secrets=GivenSecrets(secrets), tokens=KeptTokens(), budget=CountedBudget(), clock=FixedClock())


def subjects() -> list[Subject]:
    """Every ``SUBJECTS`` of the modules named ``*_simulator.py`` beside this one."""
    found: list[Subject] = []
    for path in sorted(Path(__file__).parent.glob("*_simulator.py")):
        found.extend(import_module(f"tests.contract.{path.stem}").SUBJECTS)
    return found


def ids_of(connector: Connector, subject: Subject, docs: Sequence[Doc]) -> list[str]:
    """The documents' ids, as the subject's resource has them."""
    return [str(at(doc, connector.resources[subject.resource].id)) for doc in docs]


def read_all(connector: Connector, subject: Subject, cursor: Cursor | None = None) -> tuple[list[str], Page]:
    """The ids of a whole scan, and its last page; exactly the last one says so."""
    pages = list(connector.read(subject.resource, cursor))
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    return [id for page in pages for id in ids_of(connector, subject, page.docs)], pages[-1]
