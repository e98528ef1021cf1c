"""The console's pages of listings: what is missing per SKU before a channel may show it, and the feeds it fetches.

What surprises here: readiness is judged by rendering, as push does, so a page looks at a bounded number of articles and
says so; a feed's lag is how often somebody comes for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response

from connectors.errors import ConnectorError, Misconfigured
from connectors.feed import Feed
from deployments.console import times
from deployments.console.asking import Unknown
from flows.labels import labels
from flows.ready import publishing, readiness
from flows.verdicts import NOT_READY
from flows.wiring import House
from registry import fetch_interval, fetches, outbox_rows, parked

Render = Callable[..., Response]
Channel = Annotated[str, Query(max_length=200)]
Words = Annotated[str, Query(max_length=200)]
MOST = 2_000
"""Articles that a page looks at; the command line looks at all."""
ROWS = 200
"""Rows that a page lists."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One item that a feed does not hold, why, and what to do."""

    key: str
    why: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class FeedLine:
    """A feed as people see it. ``lag`` is the usual time between two fetches; ``trouble``: it cannot be built."""

    channel: str
    platform: str
    items: int | None
    whole: bool
    built_at: datetime | None
    fetched_at: datetime | None
    fetched_by: str | None
    lag: timedelta | None
    waiting: int
    unready: int
    refused: Sequence[Refusal]
    trouble: str = ""


def add_pages(app: FastAPI, house: House, render: Render) -> None:
    """Adds ``/ready`` and ``/feeds``."""

    @app.get("/ready")
    def ready(request: Request, channel: Channel = "", what: Words = "", sku: Words = "") -> Response:
        channels = publishing(house)
        if channel and channel not in channels:
            raise Unknown(f"{channel!r} publishes no listings; those that do: {', '.join(channels) or 'none'}")
        chosen = channel or (channels[0] if channels else "")
        try:
            found = readiness(house, chosen, sku.strip() or None, most=MOST) if chosen else None
            unknown = ""
        except Misconfigured as fault:
            found, unknown = None, str(fault)
        lacks = [] if found is None else [one for one in found.lacks if what in ("", one.what)]
        kinds = Counter[str]() if found is None else Counter(one.what for one in found.lacks)
        return render(
            request, "ready.html", channels=channels, chosen=chosen, found=found, lacks=lacks[:ROWS], all=len(lacks),
            kinds=kinds.most_common(), what=what, sku=sku, unknown=unknown,
        )

    @app.get("/feeds")
    def feeds(request: Request) -> Response:
        return render(request, "feeds.html", feeds=feed_lines(house),
                      lag=lambda gap: "–" if gap is None else times.length(gap))


def feed_lines(house: House) -> list[FeedLine]:
    """Every channel that is a feed, in the order of channels.yaml; nothing is built for it."""
    found = []
    for name, row in house.project.channels.items():
        try:
            feed = house.connector(name)
        except ConnectorError:
            continue
        if isinstance(feed, Feed):
            found.append(_line(house, name, row.platform, feed))
    return found


def _line(house: House, name: str, platform: str, feed: Feed) -> FeedLine:
    with house.registry.read() as tx:
        came = fetches(tx, name)
        seconds = fetch_interval(tx, name)
        open_rows = outbox_rows(tx, name, states=("due", "decided", "sent", "waiting"))
        faults = parked(tx, name, kinds=("parked",))
        names = labels(tx, [one.record_uid for one in faults if one.record_uid is not None])
    unready = sum((row.reason or "").startswith(NOT_READY) for row in open_rows)
    trouble, items, whole, built = "", None, False, None
    try:
        served = feed.served()
        items, whole, built = feed.items(), feed.whole(), None if served is None else served.modified
    except (ConnectorError, OSError) as fault:
        trouble = str(fault)
    return FeedLine(
        channel=name, platform=platform, items=items, whole=whole, built_at=built, trouble=trouble,
        fetched_at=came[0].at if came else None, fetched_by=came[0].who if came else None,
        lag=None if seconds is None else timedelta(seconds=seconds), waiting=len(open_rows) - unready, unready=unready,
        refused=[Refusal(key=names.get(one.record_uid or "", one.external_id or ""), why=one.message,
                         remedy=one.remedy or "") for one in faults],
    )
