"""Takes the webhooks of all channels: verified, stored durably, then acknowledged; gives away feeds, answers tills.

What surprises here:

* 202 means "stored": the inbox commits before the answer leaves, so a sender may forget the moment it reads it (P2).
* The inbox is a database of its own. While Prefect is down, while a pull holds the registry's write lock, deliveries
  are still taken; when the inbox itself cannot store, the answer is 503 and the sender tries again (P1).
* A refusal says nothing about why: whoever forges a notice learns no more from the answer than from silence (P13).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import anyio.to_thread
import fastapi
import msgspec
from fastapi import FastAPI, Response
from fastapi.responses import PlainTextResponse
from starlette.requests import ClientDisconnect

from connectors.base import Connector, Notice, Received, Request
from connectors.errors import Forged, Misconfigured, RetryLater, ShapeChanged
from deployments.feeds import Feeds, add_feeds, feeds_of
from deployments.loopback import NotLoopback, address, listen, serve
from deployments.telling import kind_and_place, log_to_stderr
from deployments.tills import Tills, add_tills, tills_of
from flows.wiring import House, opened
from registry import Unholdable

log = logging.getLogger("serai.receiver")

MAX_BODY = 1_000_000
"""Bytes of the largest body that is read; the rest of a larger one is left on the wire."""
READ_WITHIN = 10.0
"""Seconds a sender has for its body."""
STORE_WITHIN = 10.0
"""Seconds after which an answer is 503 although storing may yet succeed: the repeated delivery is de-duplicated."""
RETRY_AFTER = {"Retry-After": "5"}
HANG_UP = {"Connection": "close"}

InboxRow: TypeAlias = tuple[str, str, str, str, datetime, bytes | None]
"""channel, delivery, resource, id, at, body: what one notice is in the inbox."""

_exact = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, kw_only=True, slots=True)
class Intake:
    """What the receiver needs of the house behind it.

    ``connector`` gives a channel's connector, None for a channel that does not exist; ``store`` returns when all rows
    are durable, each (channel, delivery) once; ``now`` is the database's clock.
    """

    connector: Callable[[str], Connector | None]
    store: Callable[[Sequence[InboxRow]], int]
    now: Callable[[], datetime]


class TooLarge(Exception):
    """The body is, or says it is, larger than allowed."""


class Refusals:
    """Counts refused deliveries per channel and logs each channel at most once a second: floods stay readable."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._logged: dict[str, float] = {}

    def add(self, channel: str) -> None:
        """Counts one; the line carries the count since the start."""
        with self._lock:
            self._counts[channel] += 1
            count = self._counts[channel]
            now = time.monotonic()
            due = now - self._logged.get(channel, -1.0) >= 1.0
            if due:
                self._logged[channel] = now
        if due:
            log.warning("%s: refused a delivery that is not this channel's (refused since start: %d)", channel, count)


def create_app(
    intake: Intake, *, feeds: Feeds | None = None, tills: Tills | None = None, max_body: int = MAX_BODY
) -> FastAPI:
    """The application: ``POST /hooks/{channel}``, ``GET /health``, ``GET /feeds/{channel}/{token}``, and
    ``POST /tills/{channel}/loyalty`` and ``/pickup``."""
    app = FastAPI(title="Serai receiver", docs_url=None, redoc_url=None, openapi_url=None)
    refusals = Refusals()

    @app.get("/health")
    def health() -> Response:
        return PlainTextResponse("ok\n")

    @app.post("/hooks/{channel}")
    async def hook(channel: str, request: fastapi.Request) -> Response:
        try:
            async with asyncio.timeout(READ_WITHIN):
                body = await read_body(request, max_body)
        except TooLarge:
            log.warning("a body over %d bytes was refused unread", max_body)
            return Response(status_code=413, headers=HANG_UP)
        except TimeoutError:
            return Response(status_code=408, headers=HANG_UP)
        except ClientDisconnect:
            return Response(status_code=400)
        try:
            async with asyncio.timeout(STORE_WITHIN):
                return await anyio.to_thread.run_sync(take, channel, request, body, abandon_on_cancel=True)
        except TimeoutError:
            log.error("%s: storing took longer than %.0f s; the sender is asked to repeat", channel, STORE_WITHIN)
            return Response(status_code=503, headers=RETRY_AFTER)

    def take(channel: str, request: fastapi.Request, body: bytes) -> Response:
        try:
            connector = intake.connector(channel)
            if connector is None:
                return Response(status_code=404)
            received = connector.receive(inbound(request, body, intake.now()))
            if received.notices:
                new = intake.store([inbox_row(channel, notice) for notice in received.notices])
                log.info("%s: %d notices, %d new", channel, len(received.notices), new)
            return reply(received)
        except Forged:
            refusals.add(channel)
            return Response(status_code=401)
        except Unholdable:
            log.warning("%s: a verified delivery holds text no database can hold (NUL or half a character)", channel)
            return Response(status_code=400)
        except ShapeChanged as error:
            log.warning("%s: a verified delivery is not what the platform's contract says: %s", channel, error)
            return Response(status_code=400)
        except (Misconfigured, RetryLater) as error:
            log.error("%s: cannot verify deliveries: %s", channel, error)
            return Response(status_code=503, headers=RETRY_AFTER)
        except Exception as error:  # noqa: BLE001  # whatever it was: nothing is stored, so the sender must repeat
            log.error("%s: nothing could be stored (%s); the sender is asked to repeat", channel, kind_and_place(error))
            return Response(status_code=503, headers=RETRY_AFTER)

    if feeds is not None:
        add_feeds(app, feeds)
    if tills is not None:
        add_tills(app, tills, read_body)
    return app


async def read_body(request: fastapi.Request, limit: int) -> bytes:
    """The whole body; raises TooLarge as soon as its length is announced or found to exceed ``limit``."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise TooLarge
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLarge
        chunks.append(chunk)
    return b"".join(chunks)


def inbound(request: fastapi.Request, body: bytes, at: datetime) -> Request:
    """The request as connectors see it; repeated headers are joined with a comma."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Request(
        method=request.method,
        url=str(request.url),
        query=dict(request.query_params),
        headers=headers,
        body=body,
        at=at,
    )


def inbox_row(channel: str, notice: Notice) -> InboxRow:
    """One notice as the inbox keeps it; numbers of its document stay exact (P7)."""
    body = None if notice.doc is None else _exact.encode(notice.doc)
    return (channel, notice.delivery, notice.resource, notice.id, notice.at, body)


def reply(received: Received) -> Response:
    """What the platform expects to read: its status and, for handshakes, its text."""
    if received.reply:
        return PlainTextResponse(received.reply, received.status)
    return Response(status_code=received.status)


def intake_of(house: House) -> Intake:
    """The receiver's view of an open house."""

    def connector(channel: str) -> Connector | None:
        return house.connector(channel) if channel in house.settings.channels else None

    return Intake(connector=connector, store=house.registry.inbox.put, now=house.registry.now)


def app_of(house: House) -> FastAPI:
    """The receiver of an open house."""
    tills = tills_of(house, lambda request, body: inbound(request, body, house.registry.now()))
    return create_app(intake_of(house), feeds=feeds_of(house), tills=tills)


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m deployments.receiver``: runs until SIGTERM; exit code 2 when it may not or cannot listen."""
    parser = argparse.ArgumentParser(prog="deployments.receiver", description="Takes webhooks at /hooks/<channel>.")
    parser.add_argument("--project", type=Path, default=Path(os.environ.get("SERAI_PROJECT", ".")))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4290)
    given = parser.parse_args(arguments)
    log_to_stderr()
    try:
        sock = listen(given.host, given.port)
    except (NotLoopback, OSError) as error:
        print(f"receiver: {error}", file=sys.stderr)
        return 2
    with opened(given.project) as house:
        print(f"receiver {address(sock)}", flush=True)
        serve(app_of(house), sock)
    return 0


if __name__ == "__main__":
    sys.exit(main())
