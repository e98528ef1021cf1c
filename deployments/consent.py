"""A person's consent on a platform's own page, and the way back: a small door on loopback that opens for one answer.

What surprises here:

* The door takes one answer, and only with the ``state`` that was sent along; another one may come from anybody's page.
* Where a platform returns only to public addresses, the person brings the address that the browser ended on.
* No code and no token is printed, logged or put into an error.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from connectors import oauth
from connectors.errors import ConnectorError, Misconfigured
from connectors.rest import Rest
from flows.wiring import House
from registry import write_audit

PATH = "/consented"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A consent that was asked for: the page to open, and what proves that an answer is to this question."""

    page: str
    redirect: str
    state: str
    verifier: str


def ask(house: House, channel: str, redirect: str) -> Asked:
    """The page on which a person consents. Raises Misconfigured when nobody has to on this platform."""
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    rest = _rest(house, channel)
    try:
        page = oauth.consent_address(rest.auth, f"{rest.url}/", rest.ports, redirect, state, verifier)
    except ConnectorError as fault:
        raise fault.of(channel) from None
    return Asked(page=page, redirect=redirect, state=state, verifier=verifier)


def take(house: House, channel: str, asked: Asked, answer: str, who: str) -> None:
    """Afterwards the channel's tokens are stored, and the audit says who consented.

    ``answer`` is the address that the browser was sent to. Raises Misconfigured when the person refused, when it is the
    answer to another question, or when the platform does not take the code.
    """
    given = {name: values[0] for name, values in parse_qs(urlsplit(answer).query).items()}
    if not hmac.compare_digest(given.get("state", "").encode(), asked.state.encode()):
        raise Misconfigured(f"{channel}: this is no answer to what was just asked; run `serai connect {channel}` again")
    if "error" in given:
        said = given["error"][:80]
        raise Misconfigured(f"{channel}: nobody consented, the platform says `{said}`; nothing is stored")
    if "code" not in given:
        raise Misconfigured(f"{channel}: the answer carries no code; run `serai connect {channel}` again")
    rest = _rest(house, channel)
    try:
        oauth.take_code(rest.auth, rest.ports, rest.post_form, given["code"], asked.redirect, asked.verifier)
    except ConnectorError as fault:
        raise fault.of(channel) from None
    house.registry.attempt(lambda tx: write_audit(tx, who, f"{channel}: access", "consented", None, "connected"))


class Door:
    """Where the platform sends the browser back to; ``http://127.0.0.1:<port>/consented``."""

    def __init__(self, port: int = 0) -> None:
        self._answer: str | None = None
        self._came = threading.Event()
        door = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 5

            def do_GET(self) -> None:
                there = urlsplit(self.path).path == PATH and door._answer is None
                if there:
                    door._answer = self.path
                text = "Serai has the answer; you may close this page." if there else "There is nothing here."
                body = f"<!doctype html><title>Serai</title><p>{text}".encode()
                self.send_response(200 if there else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                if there:
                    door._came.set()

            def log_message(self, *_: object) -> None:
                """Says nothing: a code stands in the address."""

        self._server = HTTPServer(("127.0.0.1", port), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}{PATH}"

    def wait(self, seconds: float) -> str | None:
        """The address of the answer; None when none came in time. Afterwards the door is shut."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            self._came.wait(seconds)
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
        return self._answer


def _rest(house: House, channel: str) -> Rest:
    connector = house.connector(channel)
    if not isinstance(connector, Rest):
        raise Misconfigured(f"{channel}: nobody has to consent to {connector.platform}")
    return connector
