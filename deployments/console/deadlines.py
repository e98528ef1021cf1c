"""The console's pages of orders: what is late or soon late, what to do about it, and what is known of one order.

What surprises here: nothing is decided on these pages. What a person decides about an order is told to its buyer, so
it is typed, with a name and a reason, and the page says which command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response

from deployments.commands.orders import sentences, when
from deployments.console.asking import Unknown
from flows.desk import CannotDecide, show_order
from flows.pressing import pressing
from flows.wiring import House

Render = Callable[..., Response]
Channel = Annotated[str, Query(max_length=200)]
Kind = Annotated[str, Query(max_length=20)]
WORDS = {
    "accept": "answer an offer", "ship": "send", "collect": "wait for the buyer to come", "answer": "answer the buyer",
    "pay": "wait for the buyer's money", "place": "find a place for it",
}
"""What people call a deadline."""


def add_pages(app: FastAPI, house: House, render: Render) -> None:
    """Adds ``/deadlines`` and ``/orders/<number>``."""

    @app.get("/deadlines")
    def every(request: Request, channel: Channel = "", kind: Kind = "") -> Response:
        found = pressing(house, channel or None)
        lines = [row for row in found.lines if kind in ("", row.kind)]
        return render(
            request, "deadlines.html", lines=lines, history=found.history, decided=found.decided, at=found.at,
            channels=list(house.settings.channels), chosen=channel, kind=kind, words=WORDS,
            kinds=sorted({row.kind for row in found.lines} | ({kind} & WORDS.keys())), late_by=when,
        )

    @app.get("/orders/{number}")
    def one(request: Request, number: str, channel: Channel = "") -> Response:
        try:
            found = show_order(house, number, channel or None)
        except CannotDecide as fault:
            raise Unknown(str(fault)) from None
        first, *rest = sentences(found, house.registry.now())
        return render(request, "order.html", found=found, first=first, rest=rest)
