"""Feeds, served: ``GET /feeds/<channel>/<token>`` gives the last complete file, and the fetch is the channel's receipt.

What surprises here:

* Whoever does not know the token learns nothing: an unknown channel, a channel that is no feed and a wrong token are
  the same 404, found in the same time.
* Before everything was written once, and when the state was lost, the answer is 503: a file without most of the goods
  would take them off the platform. What a lost state misses is written again by itself.
* Only an answer that was given to its end counts as a fetch; "you have it already" (304) is one, HEAD is none.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import format_datetime, parsedate_to_datetime
from typing import BinaryIO

import anyio.to_thread
import fastapi
from fastapi import FastAPI, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.background import BackgroundTask

from connectors.errors import Misconfigured
from connectors.feed import Feed, Served
from flows.wiring import House
from registry import Tx, mark_due, outbox_rows, put_fetch, told_uids

log = logging.getLogger("serai.feeds")

CHUNK = 65_536
LONGEST_NAME = 200
"""Letters of a caller's name for itself that are kept."""
RETRY_AFTER = {"Retry-After": "60"}
_NOBODY = secrets.token_bytes(32)
"""What the token of a channel that does not exist is compared with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Feeds:
    """What serving needs of the house: a channel's feed (None where it has none), whether all of it is in its file, and
    where a fetch is noted (channel, sequence, bytes, status, the caller's name for itself)."""

    feed: Callable[[str], Feed | None]
    ready: Callable[[str, Feed], bool]
    fetched: Callable[[str, Feed, int, int, int, str], None]


def add_feeds(app: FastAPI, feeds: Feeds) -> None:
    """Afterwards the application serves ``GET`` and ``HEAD /feeds/{channel}/{token}``."""

    @app.api_route("/feeds/{channel}/{token}", methods=["GET", "HEAD"])
    async def give(channel: str, token: str, request: fastapi.Request) -> Response:
        return await anyio.to_thread.run_sync(answer, channel, token, request)

    def answer(channel: str, token: str, request: fastapi.Request) -> Response:
        feed = feeds.feed(channel)
        if not _right(feed, token) or feed is None:
            return Response(status_code=404)
        if not feeds.ready(channel, feed):
            return PlainTextResponse("the feed is not complete yet\n", 503, headers=RETRY_AFTER)
        served, file, zipped = _open(feed, _takes_gzip(request.headers.get("accept-encoding", "")))
        tag = f'"{served.tag}-gz"' if zipped else f'"{served.tag}"'
        who = request.headers.get("user-agent", "")[:LONGEST_NAME]
        headers = {
            "ETag": tag, "Last-Modified": format_datetime(served.modified.astimezone(UTC), usegmt=True),
            "Vary": "Accept-Encoding", "Cache-Control": "private, no-cache",
        }
        if _has_it(request, served):
            file.close()
            return Response(status_code=304, headers=headers, background=BackgroundTask(
                feeds.fetched, channel, feed, served.sequence, 0, 304, who
            ))
        size = file.seek(0, 2)
        file.seek(0)
        headers |= {"Content-Length": str(size), **({"Content-Encoding": "gzip"} if zipped else {})}
        if request.method == "HEAD":
            file.close()
            return Response(headers=headers, media_type=served.media)
        ended = Ended(request)

        def note() -> None:
            if ended.well:
                feeds.fetched(channel, feed, served.sequence, size, 200, who)

        return StreamingResponse(
            ended.chunks(file), headers=headers, media_type=served.media, background=BackgroundTask(note)
        )


class Ended:
    """One answer while it is given: whether its last byte went out to somebody who was still there."""

    def __init__(self, request: fastapi.Request) -> None:
        self._request, self.well = request, False

    async def chunks(self, file: BinaryIO) -> AsyncIterator[bytes]:
        """The file, piece by piece. Who is still there when the last piece leaves has it: asked any later, a caller
        that hung up at once because it had everything looks like one that broke off."""
        with file:
            piece = await anyio.to_thread.run_sync(file.read, CHUNK)
            while piece:
                following = await anyio.to_thread.run_sync(file.read, CHUNK)
                if not following:
                    self.well = not await self._request.is_disconnected()
                yield piece
                piece = following


def feeds_of(house: House) -> Feeds:
    """The feeds of an open house."""

    def feed(channel: str) -> Feed | None:
        found = house.connector(channel) if channel in house.project.channels else None
        return found if isinstance(found, Feed) else None

    def ready(channel: str, feed: Feed) -> bool:
        if feed.whole():
            return True
        with house.registry.read() as tx:
            told = told_uids(tx, channel)
            moving = bool(outbox_rows(tx, channel, states=("due", "decided", "sent"), limit=1))
        if feed.items() < len(told):
            log.error("%s: its kept items are gone; what it was told is written again", channel)
            _tell_again(house, channel, told)
            return False
        if moving:
            return False
        feed.now_whole()
        return True

    def fetched(channel: str, feed: Feed, sequence: int, size: int, status: int, who: str) -> None:
        feed.fetched(sequence)
        house.registry.attempt(lambda tx: put_fetch(tx, channel, sequence, size, status, who or None))
        log.info("%s: its feed was fetched (%d, %d bytes)", channel, status, size)

    return Feeds(feed=feed, ready=ready, fetched=fetched)


def _tell_again(house: House, channel: str, told: set[tuple[str, str]]) -> None:
    """Marks due, by force, everything the channel was told; ``told`` holds (entity, uid)."""

    def work(tx: Tx) -> None:
        mark_due(tx, [(channel, entity, uid, None, True, "the feed's state was lost") for entity, uid in told])

    house.registry.attempt(work)


def _right(feed: Feed | None, token: str) -> bool:
    """Whether it is the channel's token; compared by digest, so that neither length nor place of a difference tells."""
    expected = _NOBODY
    if feed is not None:
        try:
            expected = feed.ports.secrets.get("token").encode()
        except Misconfigured as fault:
            log.error("%s", fault)
            return False
    same = hmac.compare_digest(hashlib.sha256(expected).digest(), hashlib.sha256(token.encode()).digest())
    return same and feed is not None


def _open(feed: Feed, zipped: bool) -> tuple[Served, BinaryIO, bool]:
    """The last complete file, opened; it stays what it is while it is read, whatever takes its place."""
    served = feed.publish()
    while True:
        try:
            return served, (served.zipped if zipped else served.path).open("rb"), zipped
        except FileNotFoundError:
            served = feed.publish()     # two newer ones came between


def _takes_gzip(header: str) -> bool:
    for part in header.lower().split(","):
        coding, _, weight = part.strip().partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _has_it(request: fastapi.Request, served: Served) -> bool:
    """Whether the caller holds this very file, by its tag, else by its date (RFC 9110, 13.1)."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        held = {one.strip().removeprefix("W/").strip('"').removesuffix("-gz") for one in tags.split(",")}
        return served.tag in held
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        at = parsedate_to_datetime(since)
    except ValueError:
        return False
    return served.modified <= (at if at.tzinfo is not None else at.replace(tzinfo=UTC))
