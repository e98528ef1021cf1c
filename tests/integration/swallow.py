"""A TCP proxy on 127.0.0.1 that lets everything through, until it is told to swallow an answer or to end the caller.

What surprises here: the request reaches the system and is carried out; only the answer never arrives, which is what a
time-out usually is.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
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
        with client, contextlib.suppress(OSError), contextlib.ExitStack() as opened:
            line: _Line | None = None
            seen, told = b"", False
            while data := client.recv(65536):
                fresh = line is None or line.stale()
                if line is None or fresh:
                    line = _Line(self, client, opened.enter_context(socket.create_connection(self._target, timeout=60)))
                if fresh or line.answered.is_set():  # the next request on the same connection
                    line.answered.clear()
                    seen, told = b"", False
                seen = (seen + data)[-1_000_000:]
                marker, met = self._marker, self._met
                if marker is not None and marker in seen:
                    self._marker = None
                    line.silent.set()
                line.system.sendall(data)
                if met is not None and not told and met[0] in seen:
                    told = True
                    self._met = (met[0], met[1] - 1, met[2]) if met[1] > 1 else None
                    if met[1] == 1:
                        met[2]()
            if line is not None:
                line.system.shutdown(socket.SHUT_WR)
                line.back.join(60)


class _Line:
    """A connection to the system behind the proxy, and who carries its answers back.

    Node closes a connection that was idle for five seconds, on a busy machine just as the next request is on its way:
    one that has rested for three is not used again, and its end is kept from the caller.
    """

    def __init__(self, proxy: Proxy, client: socket.socket, system: socket.socket) -> None:
        self.silent, self.answered = threading.Event(), threading.Event()
        self.proxy, self.client, self.system = proxy, client, system
        self.kept, self.last = False, time.monotonic()
        self.back = threading.Thread(target=self._carry, daemon=True)
        self.back.start()

    def stale(self) -> bool:
        """Whether it has rested too long since its last answer."""
        return self.kept and self.answered.is_set() and time.monotonic() - self.last > 3

    def _carry(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.system.recv(65536):
                self.last, self.kept = time.monotonic(), self.kept or b"\r\nConnection: keep-alive\r\n" in data
                self.answered.set()
                if not self.silent.is_set():
                    self.client.sendall(data)
            if self.silent.is_set():
                self.proxy.swallowed += 1
                threading.Event().wait(60)  # the caller hears nothing, not even an end
            elif not self.kept:
                self.client.shutdown(socket.SHUT_WR)
