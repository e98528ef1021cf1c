"""Signed notices to subscribed addresses, from a thread of its own, with bounded attempts.

What surprises here: the signature is hexadecimal HMAC-SHA256 over ``<x-timestamp>.<body>``; a repeated or late notice
keeps its delivery id; a notice says what changed, never what it is now.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import queue
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import SplitResult, urlsplit

import msgspec

from deployments.sandbox.books import Books
from deployments.sandbox.design import Design, Refused
from deployments.sandbox.faults import Faults
from deployments.sandbox.notation import Doc

ATTEMPTS = 3
PAUSES = (0.2, 1.0)
"""Seconds before the second and the third attempt."""
TIMEOUT = 5.0
Event = tuple[str, str, datetime]


def _on_this_machine(url: str) -> SplitResult:
    """The parts of the address; Refused for one elsewhere."""
    try:
        parts = urlsplit(url)
        here = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost") and parts.port != 0
    except ValueError:
        here = False
    if not here:
        raise Refused(422, "bad_url", "the sandbox notifies http://127.0.0.1 only", field="url")
    return parts


class Notices:
    """A system's subscriptions and the notices under way. ``stop`` ends the thread within an attempt's time-out."""

    def __init__(self, design: Design, books: Books, faults: Faults, secret: str) -> None:
        self._design, self._books, self._faults, self._secret = design, books, faults, secret
        self._urls: list[str] = []
        self._queue: queue.Queue[Event | None] = queue.Queue(maxsize=20_000)
        self._held: list[tuple[str, bytes, Sequence[Event]]] = []
        self._thread = threading.Thread(target=self._run, name=f"notices-{design.name}", daemon=True)
        self._stopping = False
        self._owed = 0

    def start(self) -> None:
        """Notices are sent from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Nothing more is sent; what was under way is given up."""
        self._stopping = True
        with contextlib.suppress(queue.Full):  # the thread looks at the flag before each event
            self._queue.put_nowait(None)
        self._thread.join(TIMEOUT + 1)

    def subscribe(self, url: str) -> bool:
        """Afterwards the address is notified; False: it was already. Loopback addresses only."""
        _on_this_machine(url)
        if url in self._urls:
            return False
        self._urls.append(url)
        return True

    def urls(self) -> Sequence[str]:
        """The addresses notified."""
        return list(self._urls)

    def announce(self, resource: str, id: str, at: datetime) -> None:
        """Queues a notice; with nobody subscribed, or far too many waiting, it is dropped."""
        if not self._urls:
            return
        try:
            self._queue.put_nowait((resource, id, at))
        except queue.Full:
            self._books.enter("notice", at, resource=resource, id=id, outcome="dropped")

    def settled(self, timeout: float = 10.0) -> bool:
        """Waits until nothing is queued or held; False: not within the time."""
        done = self._queue.all_tasks_done
        with done:
            return done.wait_for(lambda: self._queue.unfinished_tasks == 0, timeout)

    def _run(self) -> None:
        while not self._stopping:
            try:
                event = self._queue.get(timeout=0.5)
            except queue.Empty:
                self._release()
                self._done(0)
                continue
            if event is None:
                return
            events, taken = [event], 1
            while self._design.coalesces and taken < 50 and not self._queue.empty():
                more = self._queue.get_nowait()
                taken += 1
                if more is not None and more not in events:
                    events.append(more)
            self._deal(events)
            self._done(taken)

    def _done(self, taken: int) -> None:
        """A held notice is under way until it was sent."""
        self._owed += taken
        while self._owed > 0 and not self._held:
            self._queue.task_done()
            self._owed -= 1

    def _deal(self, events: Sequence[Event]) -> None:
        delivery = str(uuid.uuid4())
        told = [{"resource": resource, "id": id, "at": self._design.written(at)} for resource, id, at in events]
        body: Doc = {"delivery": delivery} | ({"events": told} if self._design.coalesces else told[0])
        data = msgspec.json.encode(body)
        about = f"/{events[0][0]}"
        if self._faults.strike("drop", "", about) is not None:
            self._book(delivery, events, url=None, attempt=0, outcome="dropped")
            return
        if self._faults.strike("reorder", "", about) is not None:
            self._held.append((delivery, data, events))
            return
        self._send(delivery, data, events)
        if self._faults.strike("duplicate", "", about) is not None:
            self._send(delivery, data, events)
        self._release()

    def _release(self) -> None:
        """Held notices go out after a later one, or when nothing else is to be sent."""
        held, self._held = self._held, []
        for delivery, data, events in reversed(held):
            self._send(delivery, data, events)

    def addresses(self, events: Sequence[Event]) -> Sequence[str]:
        """Who is told of these; asked by the thread that sends, long after they happened."""
        return self.urls()

    def _send(self, delivery: str, data: bytes, events: Sequence[Event]) -> None:
        for url in self.addresses(events):
            for attempt in range(1, ATTEMPTS + 1):
                if self._stopping:
                    return
                done = self._post(url, delivery, data, events)
                outcome = "delivered" if done else "failed" if attempt < ATTEMPTS else "given up"
                self._book(delivery, events, url=url, attempt=attempt, outcome=outcome)
                if done:
                    break
                if attempt < ATTEMPTS:
                    time.sleep(PAUSES[attempt - 1])

    def _post(self, url: str, delivery: str, data: bytes, events: Sequence[Event]) -> bool:
        return self.delivered(url, data, self._signed(delivery, data))

    def _signed(self, delivery: str, data: bytes) -> dict[str, str]:
        stamp = str(int(time.time()))
        return {
            "Content-Type": "application/json",
            "x-delivery": delivery,
            "x-timestamp": stamp,
            "x-signature": hmac.new(self._secret.encode(), stamp.encode() + b"." + data, hashlib.sha256).hexdigest(),
        }

    def ask(self, url: str, body: Doc) -> Doc:
        """What the address answers at once to a signed question; Refused when it answers nothing that can be read."""
        data, parts = msgspec.json.encode(body), _on_this_machine(url)
        connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT)
        try:
            connection.request("POST", parts.path, body=data, headers=self._signed(str(uuid.uuid4()), data))
            answer = connection.getresponse()
            said: Doc = msgspec.json.decode(answer.read(), type=dict)
        except (OSError, http.client.HTTPException, msgspec.DecodeError) as fault:
            raise Refused(502, "no_answer", f"nothing readable came from {url}: {type(fault).__name__}") from fault
        finally:
            connection.close()
        return said

    def delivered(self, url: str, data: bytes, headers: Mapping[str, str]) -> bool:
        """One attempt; False: it was not taken."""
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT)
        try:
            path = parts.path if parts.query == "" else f"{parts.path}?{parts.query}"
            connection.request("POST", path or "/", body=data, headers=dict(headers))
            return 200 <= connection.getresponse().status < 300
        except (OSError, http.client.HTTPException, UnicodeError):
            return False
        finally:
            connection.close()

    def _book(self, delivery: str, events: Sequence[Event], *, url: str | None, attempt: int, outcome: str) -> None:
        for resource, id, at in events:
            self._books.enter(
                "notice", at, delivery=delivery, resource=resource, id=id, url=url, attempt=attempt, outcome=outcome
            )
