"""What keeps other people's web pages out of a console without accounts: Host, origin, token and headers.

What surprises here: listening on loopback is not enough. A page of a stranger, open in the admin's own browser, can
post forms to 127.0.0.1, and by DNS rebinding even read it under a name of its own. So the name asked for must be
loopback, a POST must come from our own page, and it must carry the token that only our own page holds.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from deployments.loopback import is_loopback

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FORM_LIMIT = 64_000
"""Bytes of the largest form the console posts."""


class Refused(Exception):
    """A request that did not come from the console's own page; ``str()`` says what the person can do."""


def host_name(header: str) -> str:
    """The name in a Host header without port and brackets ("" when there is none)."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.rpartition(":")[0] if ":" in header else header


class Token:
    """One token per process, put into each page and demanded of each POST."""

    def __init__(self) -> None:
        self.text = secrets.token_urlsafe(32)

    def check(self, given: str) -> None:
        """Returns when it is ours; raises Refused."""
        if not hmac.compare_digest(given.encode(), self.text.encode()):
            raise Refused("this page is older than the running console; reload it and press again")


def protect(app: FastAPI) -> None:
    """Afterwards every answer carries HEADERS, and foreign hosts, foreign origins and large forms are refused."""

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        refusal = _refusal(request)
        answer = await call_next(request) if refusal is None else refusal
        answer.headers.update(HEADERS)
        if not request.url.path.startswith("/static/"):
            answer.headers["Cache-Control"] = "no-store"
        return answer


def _refusal(request: Request) -> Response | None:
    host = request.headers.get("host", "")
    if not is_loopback(host_name(host)):
        return PlainTextResponse(
            "This console answers only to localhost, 127.0.0.1 and [::1]; open it under one of these.", 421
        )
    if request.method in {"GET", "HEAD"}:
        return None
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    # "none" is a person's own address bar; a POST never comes from there
    if site != "same-origin" or (origin is not None and origin.partition("://")[2] != host):
        return PlainTextResponse("This request came from another site's page; the console refuses it.", 403)
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > FORM_LIMIT:
        return PlainTextResponse(f"A form of at most {FORM_LIMIT} bytes with a Content-Length is expected.", 413)
    return None
