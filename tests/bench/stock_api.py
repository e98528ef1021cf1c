"""A local API for the bench: 100,000 stock levels in pages of 250, and a batch endpoint that answers with documents.

What surprises here: pages are made once, before anything is measured, and the server is a process of its own, so that
its work is not counted as ours; it runs until its standard input closes. With a rate and a burst it refuses what comes
on top of them (429), and ``/calls`` says how many it let in, how many it refused, and in how many seconds.
"""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import orjson

from deployments.sandbox.quota import Quota

PAGE = 250


def documents(count: int) -> list[dict[str, object]]:
    """Stock levels of about 190 bytes, one per SKU."""
    return [
        {
            "code": f"SKU-{n:06d}@main", "item": f"SKU-{n:06d}", "location": "main", "on_hand": f"{n % 97}.000",
            "uom": "PCE", "batch": None, "counted_by": "system", "changed_at": "2026-03-01T09:00:00Z",
        }
        for n in range(count)
    ]


def serve(count: int, rate: int = 0, burst: int = 0) -> None:
    """Prints its port, then answers until its standard input closes."""
    docs = documents(count)
    pages = [
        orjson.dumps({"items": docs[start:start + PAGE], "next": str(start + PAGE) if start + PAGE < count else None})
        for start in range(0, count, PAGE)
    ]
    written = 0
    quota = Quota()
    if rate > 0:
        quota.command({"rate": rate, "burst": burst})
    calls: list[tuple[float, bool]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # one packet an answer: header and body apart wait 40 ms for an acknowledgement

        def do_GET(self) -> None:
            nonlocal written
            parts = urlsplit(self.path)
            if parts.path == "/calls":
                let_in = [at for at, over in calls if not over]
                body = orjson.dumps({
                    "let_in": len(let_in), "refused": len(calls) - len(let_in),
                    "seconds": let_in[-1] - let_in[0] if let_in else 0.0,
                })
                calls.clear()
            elif parts.path == "/written":
                body, written = orjson.dumps(written), 0
            elif self.over():
                return
            else:
                body = pages[int(parse_qs(parts.query).get("cursor", ["0"])[0]) // PAGE]
            self.answer(body)

        def do_POST(self) -> None:
            nonlocal written
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if self.over():
                return
            rows = orjson.loads(data)["items"]
            written += len(rows)
            self.answer(orjson.dumps({
                "results": [{"status": 200, "id": row["doc"]["sku"], "doc": row["doc"]} for row in rows]
            }))

        def over(self) -> bool:
            """Whether the request is one too many; it is answered then."""
            wait = quota.wait()
            calls.append((time.monotonic(), wait is not None))
            if wait is not None:
                self.answer(b'{"error": "too many requests"}', 429, wait)
            return wait is not None

        def answer(self, body: bytes, status: int = 200, wait: float = 0.0) -> None:
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", f"{wait:.3f}")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    import threading

    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:]))
