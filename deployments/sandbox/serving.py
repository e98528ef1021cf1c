"""What every simulated system does over HTTP/1.1 on 127.0.0.1: a connection's manners, ill tempers, its own doors.

What surprises here:

* ``/_books``, ``/_control``, ``/_act/<verb>`` and ``/_settled`` are the sandbox's own doors (README.md), the same for
  all systems; they ask for no token and no ill temper strikes them.
* Headers and body leave in one segment, since two would cost 40 ms each under delayed acknowledgement.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Protocol
from urllib.parse import parse_qsl

import msgspec

from deployments.sandbox.books import Books
from deployments.sandbox.design import Refused
from deployments.sandbox.faults import Faults
from deployments.sandbox.notation import Doc

LONGEST_BODY = 10 * 1024 * 1024
as_number = msgspec.json.Encoder(decimal_format="number").encode
as_text = msgspec.json.Encoder(decimal_format="string").encode


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back: status, body (JSON, or bytes as they are; None: none) and headers beside the usual ones."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class System(Protocol):
    """A system's state, as far as it is asked here."""

    @property
    def books(self) -> Books:
        """Its journal."""

    def now(self) -> datetime:
        """Its clock."""


class Told(Protocol):
    """How others hear of what happened in a system."""

    def start(self) -> None:
        """They do from now on."""

    def stop(self) -> None:
        """They do no more."""

    def settled(self, timeout: float = 10.0) -> bool:
        """Waits until they have heard of all there is; False: not within the time."""


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """A system with its ill tempers, its notices (None: it sends none) and the people around it."""

    system: System
    faults: Faults
    notices: Told | None
    acts: Mapping[str, Callable[..., Any]]
    act: Callable[[Callable[..., Any], Doc], Any]
    """Does one of the acts as it is done here: to what, under which lock."""
    controls: Mapping[str, Callable[[Any], None]] = field(default_factory=dict)
    """What ``/_control`` sets beside ill tempers, by its key."""
    decode: Callable[[bytes], Any] = msgspec.json.decode

    def book(self, kind: str, method: str, place: str) -> None:
        """An ill temper (or a limit) that struck stands in the books afterwards."""
        self.system.books.enter("fault", self.system.now(), fault=kind, method=method, path=place)

    def door(self, method: str, path: str, query: str, data: bytes) -> Reply:
        """The sandbox's own doors: books, ill tempers, acts of people."""
        return told(lambda: Reply(200, self._door(method, path, dict(parse_qsl(query)), data)))

    def _door(self, method: str, path: str, query: Mapping[str, str], data: bytes) -> Any:
        if method == "GET" and path == "/_books":
            return self.system.books.after(int(query.get("after", "0")))
        if method == "GET" and path == "/_settled":
            return {"settled": self.notices is None or self.notices.settled(float(query.get("timeout", "10")))}
        ask = decoded(self.decode, data)
        if method != "POST" or not isinstance(ask, dict):
            raise Refused(405, "not_allowed", "POST an object")
        if path == "/_control":
            key = next((key for key in ask if key in self.controls), None)
            if key is None:
                self.faults.command(ask)
            else:
                self.controls[key](ask[key])
            return {"ok": True}
        verb = path.removeprefix("/_act/")
        if verb not in self.acts:
            raise Refused(404, "no_act", f"acts here: {', '.join(self.acts)}")
        return self.act(self.acts[verb], ask)


def told(work: Callable[[], Reply]) -> Reply:
    """The reply of work, also when it refuses or was given what it cannot do with."""
    try:
        return work()
    except Refused as refused:
        return Reply(refused.status, {"error": refused.error})
    except (KeyError, TypeError, ValueError, ArithmeticError) as fault:
        # An act or a body that lacks what it needs: the caller's mistake, told as such.
        return Reply(400, {"error": {"code": "bad_request", "message": f"{type(fault).__name__}: {fault}"[:300]}})


def decoded(decode: Callable[[bytes], Any], data: bytes) -> Any:
    """The JSON of a body; raises Refused when it is none."""
    try:
        return decode(data)
    except (msgspec.DecodeError, RecursionError):
        raise Refused(400, "bad_json", "the body is not JSON") from None


class Handler(BaseHTTPRequestHandler):
    """One connection. A system's own handler says ``asked``, and how it answers when it is throttled or broken."""

    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 120
    simulated: Simulated
    broken: ClassVar[Any] = None
    """The body of a 500."""

    def asked(self, path: str, query: str, data: bytes) -> Reply | None:
        """The reply to a request to the system itself; None: it is never answered."""
        raise NotImplementedError

    def encode(self, body: Any) -> bytes:
        """A body as JSON."""
        return as_number(body)

    def throttled(self, wait: float) -> Reply:
        """What a program is told that must wait so many seconds."""
        raise NotImplementedError

    def tempered(self, method: str, place: str, work: Callable[[], Reply]) -> Reply | None:
        """What work replies, or the ill temper that the system is in towards such a request."""
        faults = self.simulated.faults

        def strikes(kind: str) -> float | None:
            fault = faults.strike(kind, method, place)
            if fault is None:
                return None
            self.simulated.book(kind, method, place)
            return fault.seconds

        wait = strikes("throttle")
        if wait is not None:
            return self.throttled(wait)
        if strikes("fail") is not None:
            return Reply(500, self.broken)
        if strikes("garbage") is not None:
            return Reply(200, b"<html>maintenance</html>")
        reply = work()
        faults.wait(strikes("slow") or 0.0)
        lost = strikes("lose_answer")
        if lost is not None:
            faults.wait(lost)
            return None
        return reply if strikes("fail_after") is None else Reply(500, self.broken)

    def _send(self, reply: Reply) -> None:
        body = reply.body
        data = b"" if body is None else body if isinstance(body, bytes) else self.encode(body)
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json; charset=utf-8", **reply.headers}.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        try:
            data = self._body()
        except Refused as refused:
            self.close_connection = True
            self._send(Reply(refused.status, {"error": refused.error}))
            return
        path, _, query = self.path.partition("?")
        own = path.startswith("/_")
        reply = self.simulated.door(self.command, path, query, data) if own else self.asked(path, query, data)
        if reply is None:
            self.close_connection = True
        else:
            self._send(reply)

    do_POST = do_GET

    def _body(self) -> bytes:
        text = self.headers.get("Content-Length") or "0"
        if not text.isdigit():
            raise Refused(400, "bad_length", "Content-Length is a number")
        if int(text) > LONGEST_BODY:
            raise Refused(413, "too_large", f"a body has at most {LONGEST_BODY} bytes")
        return self.rfile.read(int(text))

    def log_message(self, format: str, *args: Any) -> None:
        """The books are the log."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, handler: type[Handler]) -> None:
        self._open: set[Any] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), handler)

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
        """A client that went away is no news; anything else is told on stderr."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def serve(
    handler: type[Handler], simulated: Sequence[Simulated], *, port: int, name: str
) -> tuple[str, Callable[[], None]]:
    """Serves on 127.0.0.1 (port 0: a free one): the address, and what ends it.

    After the end nothing listens, nothing is sent, and the books are on disk.
    """
    server = _Server(port, handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name=name, daemon=True)
    thread.start()
    sending = [one.notices for one in simulated if one.notices is not None]
    for notices in sending:
        notices.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        server.drop_connections()
        thread.join(10)
        for notices in sending:
            notices.stop()
        for one in simulated:
            one.system.books.close()

    return f"http://127.0.0.1:{server.server_port}", stop
