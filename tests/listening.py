"""Somebody who listens on 127.0.0.1 to what systems tell, and keeps it as a receiver is given it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.base import Request


@dataclass(kw_only=True)
class Ear:
    """Takes whatever is posted to ``url``; the next ``failing`` are answered 500 all the same."""

    url: str
    heard: list[Request] = field(default_factory=list)
    failing: int = 0


@contextmanager
def listening(clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Iterator[Ear]:
    """An ear that is open for as long as this lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            query = dict(parse_qsl(urlsplit(self.path).query))
            request = Request(method="POST", url=self.path, query=query, headers=headers, body=body, at=clock())
            ear.heard.append(request)
            self.send_response(500 if ear.failing > 0 else 202)
            ear.failing -= 1
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """What was heard is the log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ear = Ear(url=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield ear
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
