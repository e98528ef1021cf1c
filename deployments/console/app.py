"""The console's pages and switches, over an open house.

What surprises here:

* Every switch is two requests: a GET says what would happen, a POST does it. The POST carries what the person saw;
  when another hand was faster nothing is switched, and the question is asked again with what is true now.
* Every page works without scripts; htmx only swaps the same answers in without reloading.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, unquote

from fastapi import FastAPI, Form, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from starlette.exceptions import HTTPException

from connectors.errors import ConnectorError
from deployments.console import deadlines, holds, listings, pages, reviews, stock, times
from deployments.console.asking import (
    Answer,
    Ask,
    Moved,
    Unknown,
    act_mode,
    act_pause,
    ask_mode,
    ask_pause,
)
from deployments.console.guard import Refused, Token, protect
from deployments.telling import kind_and_place
from flows import steps
from flows.wiring import House, follows_disk
from mappings.language import LintErrors
from registry import RegistryError, audit_rows

log = logging.getLogger("serai.console")

HERE = Path(__file__).parent
REMEMBERED = 30 * 86_400
"""Seconds the browser remembers the name that goes into the audit."""
LOOKS_EVERY = 2.0
"""Seconds between two looks at whether another release is in force."""
FRAGMENT = {"X-Serai-Fragment": "1"}

Channel = Annotated[str, Query(max_length=200)]
Text = Annotated[str, Form(max_length=2_000)]


def _keep_current(house: House) -> None:
    """Takes up what is in force now; a file that was saved half-way is taken up when it is whole."""
    try:
        if house.outdated():
            house.renew()
    except (LintErrors, RegistryError) as fault:
        log.warning("the pages speak of what ran before: %s", type(fault).__name__)


def create_app(house: House, *, prefect: str | None = None) -> FastAPI:
    """The console of an open house; ``prefect`` is the address of Prefect's UI for links."""
    app = FastAPI(title="Serai console", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    protect(app)
    token = Token()
    prefect = prefect.rstrip("/") if prefect else None
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    templates.filters.update(
        ago=lambda at: times.ago(at, house.registry.now()),
        clock=times.clock,
        code=with_code,
        iso=lambda at: at.astimezone(UTC).isoformat(timespec="seconds"),
    )

    looked = [time.monotonic()]

    @app.middleware("http")
    async def current(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """A release that came since is what the pages speak of."""
        if time.monotonic() - looked[0] > LOOKS_EVERY:
            looked[0] = time.monotonic()
            await run_in_threadpool(_keep_current, house)
        return await call_next(request)

    def render(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        frame = {
            "here": request.url.path,
            "token": token.text,
            "who": unquote(request.cookies.get("who", "")),
            "project": house.settings.folder.name,
            "prefect": prefect,
            "parked_total": pages.parked_total(house),
            "held_total": pages.held_total(house),
            "late_total": pages.late_total(house),
            "said": unquote(request.cookies.get("said", "")),
            "zone": "UTC",
            "dev": follows_disk(),
        }
        text = templates.get_template(template).render(**(frame | values))
        answer = HTMLResponse(text, status)
        if "said" in request.cookies and "hx-request" not in request.headers:
            answer.delete_cookie("said")
        return answer

    def plain(request: Request, status: int, title: str, text: str) -> HTMLResponse:
        return render(request, "plain.html", status, title=title, text=text)

    def question(request: Request, ask: Ask, given: Answer | None = None, status: int = 200) -> Response:
        """The question in the dialog, or as a page where no script runs; what a person has typed is kept."""
        dialog = "hx-request" in request.headers
        typed = {"because": ""} if given is None else {"because": given.because, "who": given.who}
        answer = render(request, "ask.html" if dialog else "ask_page.html", status, ask=ask, **typed)
        answer.headers.update(FRAGMENT)
        return answer

    def done(request: Request, said: str, who: str) -> Response:
        """Closes the dialog and refreshes what is shown; without scripts: back to the channels."""
        answer: Response
        if "hx-request" in request.headers:
            answer = HTMLResponse(
                templates.get_template("said.html").render(said=said), headers={"HX-Trigger": "changed"}
            )
        else:
            answer = RedirectResponse("/", 303)
            answer.set_cookie("said", quote(said), max_age=30, httponly=True, samesite="strict")
        answer.set_cookie("who", quote(who), max_age=REMEMBERED, httponly=True, samesite="strict")
        return answer

    def switch(
        request: Request, given: str, answer: Answer, asked: Callable[[], Ask], act: Callable[[], str]
    ) -> Response:
        """What both switches do with an answer: check, act, or ask again."""
        token.check(given)
        ask = asked()
        if not answer.who or (ask.reason_needed and not answer.because):
            needed = "Your name and a reason are needed: the audit keeps both. Nothing was switched."
            return question(request, replace(ask, moved=needed), answer, 422)
        try:
            said = act()
        except Moved as moved:
            return question(request, replace(asked(), moved=str(moved)), answer, 409)
        return done(request, said, answer.who)

    @app.exception_handler(Refused)
    def refused(request: Request, error: Refused) -> Response:
        return plain(request, 403, "Not switched", f"{str(error).capitalize()}. Nothing was changed.")

    @app.exception_handler(Unknown)
    def unknown(request: Request, error: Unknown) -> Response:
        return plain(request, 404, "Not found", f"{str(error).capitalize()}.")

    @app.exception_handler(HTTPException)
    def absent(request: Request, error: HTTPException) -> Response:
        return plain(request, error.status_code, "Not found", f"There is nothing at {request.url.path}.")

    @app.exception_handler(RequestValidationError)
    def unfit(request: Request, error: RequestValidationError) -> Response:
        names = ", ".join(str(one["loc"][-1]) for one in error.errors())
        return plain(request, 422, "Not understood", f"What was asked does not fit: {names}. Nothing was changed.")

    @app.exception_handler(Exception)
    def broken(request: Request, error: Exception) -> Response:
        log.error("%s: %s", request.url.path, kind_and_place(error))
        return PlainTextResponse("The console met a defect; its log names the place. Nothing was switched.\n", 500)

    @app.get("/health")
    def health() -> Response:
        return PlainTextResponse("ok\n")

    @app.get("/")
    def channels(request: Request) -> Response:
        return channel_page(request, "")

    @app.get("/channels/{name}")
    def channel_page(request: Request, name: str) -> Response:
        if name and name not in house.settings.channels:
            raise Unknown(f"there is no channel {name!r}; channels.yaml has {', '.join(house.settings.channels)}")
        seen = pages.overview(house, prefect, name or None)
        return render(request, "channels.html", cards=seen.cards, drain=seen.drain, only=name, digest=_digest(seen))

    @app.get("/cards")
    def cards(request: Request, seen: str = "", channel: Channel = "") -> Response:
        """The cards again; 204 when nothing a person could see has changed since ``seen``."""
        found = pages.overview(house, prefect, channel or None)
        digest = _digest(found)
        if digest == seen:
            return Response(status_code=204)
        return render(request, "cards.html", cards=found.cards, only=channel, digest=digest, drain=found.drain)

    def _digest(seen: pages.Overview) -> str:
        """Equal as long as the page would read the same: ages count by their words, not by the second."""
        now = house.registry.now()

        def word(value: object) -> str:
            return times.ago(value, now) if isinstance(value, datetime) else repr(value)

        parts = [
            [
                word(getattr(card, name))
                for name in (
                    "name",
                    "mode",
                    "paused",
                    "read_at",
                    "verified_at",
                    "freshness",
                    "parked",
                    "late",
                    "soon",
                    "outbox",
                    "notices",
                )
            ]
            + [word(card.run and card.run.at), word(card.run and (card.run.title, card.run.good, card.run.link))]
            + [f"{row.entity} {row.mode} {word(row.read_at)} {row.waiting}" for row in card.entities]
            for card in seen.cards
        ]
        return hashlib.blake2b(repr((parts, seen.drain)).encode(), digest_size=8).hexdigest()

    @app.get("/channels/{name}/mode")
    def asks_mode(request: Request, name: str, mode: str, entity: str = "") -> Response:
        return question(request, ask_mode(house, name, entity, mode))

    @app.post("/channels/{name}/mode")
    def acts_mode(
        request: Request,
        name: str,
        mode: Text = "",
        entity: Text = "",
        before: Text = "",
        who: Text = "",
        because: Text = "",
        consent: Text = "",
        given: Annotated[str, Form(alias="token")] = "",
    ) -> Response:
        answer = Answer(who=who.strip()[:80], because=because.strip()[:300], consent=consent == "yes")
        return switch(
            request,
            given,
            answer,
            lambda: ask_mode(house, name, entity, mode),
            lambda: act_mode(house, name, answer, entity, mode, before),
        )

    @app.get("/channels/{name}/pause")
    def asks_pause(request: Request, name: str, paused: bool = True) -> Response:
        return question(request, ask_pause(house, name, paused))

    @app.post("/channels/{name}/pause")
    def acts_pause(
        request: Request,
        name: str,
        paused: Text = "",
        before: Text = "",
        who: Text = "",
        because: Text = "",
        given: Annotated[str, Form(alias="token")] = "",
    ) -> Response:
        answer = Answer(who=who.strip()[:80], because=because.strip()[:300])
        return switch(
            request,
            given,
            answer,
            lambda: ask_pause(house, name, paused == "1"),
            lambda: act_pause(house, name, answer, paused == "1", before == "1"),
        )

    @app.get("/parked")
    def parked(request: Request, channel: Channel = "") -> Response:
        rows, total = pages.parked_lines(house, channel or None)
        names = list(house.settings.channels)
        return render(request, "parked.html", rows=rows, total=total, chosen=channel, channels=names)

    @app.post("/parked/replay")
    def replay(
        request: Request,
        uid: Annotated[list[str], Form()],
        channel: Text = "",
        given: Annotated[str, Form(alias="token")] = "",
    ) -> Response:
        token.check(given)
        trouble = ""
        try:
            steps.replay(house, uid)
        except ConnectorError as error:
            trouble = f" The system does not answer as it should: {error}."
        rows, total = pages.parked_lines(house, channel or None)
        left = pages.still_open(house, uid)
        said = f"{len(uid) - left:,} of {len(uid):,} went on, {left:,} still parked.{trouble}"
        if "hx-request" not in request.headers:
            answer = RedirectResponse(f"/parked?channel={quote(channel)}" if channel else "/parked", 303)
            answer.set_cookie("said", quote(said), max_age=30, httponly=True, samesite="strict")
            return answer
        return render(request, "parked_replayed.html", rows=rows, total=total, chosen=channel, report=said)

    holds.add_pages(app, house, render, question, switch)
    deadlines.add_pages(app, house, render)
    stock.add_pages(app, house, render)
    listings.add_pages(app, house, render)
    reviews.add_pages(app, house, render, question, switch)

    @app.get("/runs")
    def run_page(request: Request, channel: Channel = "") -> Response:
        rows = pages.run_lines(house, prefect, channel or None)
        return render(request, "runs.html", rows=rows, chosen=channel, channels=list(house.settings.channels))

    @app.get("/audit")
    def audit(request: Request) -> Response:
        with house.registry.read() as tx:
            rows = audit_rows(tx, 200)
        return render(request, "audit.html", rows=rows)

    return app


def with_code(text: str) -> Markup:
    """Escaped text in which what stands between backticks is set as code."""
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(part) if n % 2 else escape(part) for n, part in enumerate(text.split("`")))
