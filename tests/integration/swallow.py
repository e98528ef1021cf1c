"""A TCP proxy on 127.0.0.1 that lets everything through, until it is told to swallow an answer or to end the caller.

What surprises here: the request reaches the system and is carried out; only the answer never arrives, which is what a
time-out usually is.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit


class Proxy:
    """``swallow(marker)``: to the next request that holds ``marker`` no answer comes back, ever."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (str(parts.hostname), int(parts.port or 80))
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}{parts.path}"
        self._marker: bytes | None = None
        self._met: tuple[bytes, int, Callable[[], None]] | None = None
        self.swallowed = 0

    def swallow(self, marker: bytes) -> None:
        """The next request that holds ``marker`` is carried out in silence."""
        self._marker = marker

    def upon(self, marker: bytes, number: int, act: Callable[[], None]) -> None:
        """``act`` is done when the ``number``-th request from now on that holds ``marker`` has gone through."""
        self._met = (marker, number, act)

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
            silent, answered = threading.Event(), threading.Event()
            back = threading.Thread(target=self._answer, args=(upstream, client, silent, answered), daemon=True)
            back.start()
            seen, told = b"", False
            while data := client.recv(65536):
                if answered.is_set():  # the next request on the same connection
                    answered.clear()
                    seen, told = b"", False
                seen = (seen + data)[-1_000_000:]
                marker, met = self._marker, self._met
                if marker is not None and marker in seen:
                    self._marker = None
                    silent.set()
                upstream.sendall(data)
                if met is not None and not told and met[0] in seen:
                    told = True
                    self._met = (met[0], met[1] - 1, met[2]) if met[1] > 1 else None
                    if met[1] == 1:
                        met[2]()
            upstream.shutdown(socket.SHUT_WR)
            back.join(60)

    def _answer(
        self, upstream: socket.socket, client: socket.socket, silent: threading.Event, answered: threading.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := upstream.recv(65536):
                answered.set()
                if not silent.is_set():
                    client.sendall(data)
            if silent.is_set():
                self.swallowed += 1
                threading.Event().wait(60)  # the caller hears nothing, not even an end
            else:
                client.shutdown(socket.SHUT_WR)
