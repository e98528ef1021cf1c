"""A small retailer for tests of Prefect: one channel, one resource, a real HTTP server that can be told to stall."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMPANIES = "kz: {name: Karavan Home, country: KZ, currency: KZT, tax: 0.16, price_list: retail}\n"
CHANNELS = """\
depot:
  platform: depot
  company: kz
  url: env:DEPOT_URL
  secrets: {token: env:DEPOT_TOKEN}
  entities: {location: on}
  every: 24h
"""
AUTHORITY = "location: {'*': [depot]}\n"
PLATFORM = """\
auth: {scheme: bearer, token: token}
check: GET /ping
resources:
  places: {path: /places, items: items, id: code, paging: cursor, paging_options: {param: cursor, next: next_cursor}}
"""
MAPPING = """\
platform: depot
resource: places
id: code
inward:
  location:
    code: code
    name: title
    kind: = 'warehouse'
    status: = 'active'
tests:
  - {name: a code stays text, given: {code: "007", title: ""}, expect: {location: {code: "007", name: ""}}}
"""
SCHEMA = {
    "type": "object",
    "required": ["code", "title"],
    "properties": {"code": {"type": "string"}, "title": {"type": "string"}},
}
FILES = {
    "companies.yaml": COMPANIES,
    "channels.yaml": CHANNELS,
    "authority.yaml": AUTHORITY,
    "platforms/depot.yaml": PLATFORM,
    "mappings/depot/places.yaml": MAPPING,
    "mappings/depot/places.schema.json": json.dumps(SCHEMA),
}
TOKEN = "depot-token-3141"
CODES = [f"{number:03}" for number in range(1, 8)]


def write_project(folder: Path) -> Path:
    """The project's folder, complete and right."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


class Depot:
    """The system behind the channel.

    While ``stalls`` is set, a request for places is not answered; ``busy_for`` makes the next one a 429 with that wait;
    ``garbage`` is answered in place of a page.
    """

    def __init__(self) -> None:
        self.stalls = threading.Event()
        self.asked = threading.Event()
        self.busy_for: str | None = None
        self.garbage: object = None
        self.url = ""

    def answer(self, path: str) -> tuple[int, dict[str, str], object]:
        if path.startswith("/ping"):
            return 200, {}, {"ok": True}
        self.asked.set()
        while self.stalls.is_set() and not self._gone.wait(0.1):
            pass
        if self.busy_for is not None:
            wait, self.busy_for = self.busy_for, None
            return 429, {"Retry-After": wait}, {"error": "busy"}
        if self.garbage is not None:
            return 200, {}, self.garbage
        return 200, {}, {"items": [{"code": code, "title": f"№ {code}"} for code in CODES], "next_cursor": None}

    @contextmanager
    def serving(self) -> Iterator[Depot]:
        """Serves on a free port of the loopback; afterwards nothing listens."""
        depot = self
        self._gone = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    status, headers, body = 401, {}, {"error": "unauthorized"}
                else:
                    status, headers, body = depot.answer(self.path)
                text = json.dumps(body).encode()
                self.send_response(status)
                headers = {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            self._gone.set()
            server.shutdown()
            server.server_close()
            thread.join(timeout=5)
