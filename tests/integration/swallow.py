"""A TCP proxy on 127.0.0.1 that lets everything through, until it is told to swallow an answer.

What surprises here: the request reaches the system and is carried out; only the answer never arrives, which is what a
time-out usually is.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit


class Proxy:
    """``swallow(marker)``: of the next connection whose request holds ``marker``, no answer comes back."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (str(parts.hostname), int(parts.port or 80))
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}{parts.path}"
        self._marker: bytes | None = None
        self.swallowed = 0

    def swallow(self, marker: bytes) -> None:
        """The next request that holds ``marker`` is carried out in silence."""
        self._marker = marker

    @contextlib.contextmanager
    def running(self) -> Iterator[Proxy]:
        """Serves inside the block."""
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target, timeout=60) as upstream, contextlib.suppress(OSError):
            silent = threading.Event()
            back = threading.Thread(target=self._answer, args=(upstream, client, silent), daemon=True)
            back.start()
            seen = b""
            while data := client.recv(65536):
                seen = (seen + data)[-1_000_000:]
                marker = self._marker
                if marker is not None and marker in seen:
                    self._marker = None
                    silent.set()
                upstream.sendall(data)
            upstream.shutdown(socket.SHUT_WR)
            back.join(60)

    def _answer(self, upstream: socket.socket, client: socket.socket, silent: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := upstream.recv(65536):
                if not silent.is_set():
                    client.sendall(data)
            if silent.is_set():
                self.swallowed += 1
                threading.Event().wait(60)  # the caller hears nothing, not even an end
            else:
                client.shutdown(socket.SHUT_WR)
