"""JSON over HTTP: everything a platform's connector shares, and the only module that calls ``requests``.

What surprises here:

* A request that *may* have arrived raises ``Unsure``; a read repeats it, a write turns it into ``unknown`` (P3).
* 429 was not carried out and 5xx may have been, so the same status can end differently for a read and a write.
* After a time-out the rest of the writes is not sent: ``RetryLater`` is raised, and what has no receipt may go again.
* A next page's address is followed only on the channel's own host: our credential goes nowhere else.
* What a session of ``requests`` adds (cookies, proxies, redirects, netrc) is not wanted; a request goes to its adapter.
* No error is raised inside an ``except`` block: the library's exceptions hold the request with its credential (P13).
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypedDict, Unpack
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import default_headers
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError

from connectors import oauth, paging
from connectors.answers import AWAY, Answer, Unsure, dated, encoded, masked, said, trouble, understood
from connectors.base import Connector, Cursor, Doc, Page, Receipt, Resource, Write
from connectors.errors import ConnectorError, Misconfigured, RetryLater, ShapeChanged
from connectors.ports import Noted
from connectors.scan import by_id, pages
from connectors.schemes import SCHEMES
from connectors.writes import filled, receipts, reference_of, settled, sought, unsearchable

ALWAYS = {**default_headers(), "Accept": "application/json", "User-Agent": "serai"}
"""Headers of every request that does not say otherwise."""
CONNECT = 5.0
READ = 30.0
LARGEST_ANSWER = 8_000_000
WHOLE = 4
"""An answer may take this many read time-outs in all: a platform that drips bytes does not hold a worker."""


class Sent(TypedDict, total=False):
    """What may go with a request: its query, a body for JSON (or bytes), headers, what it costs of the limit (1);
    ``plain``: the answer's body is wanted as bytes."""

    params: Mapping[str, str] | None
    body: Any
    headers: Mapping[str, str] | None
    cost: float
    plain: bool


class Rest(Connector):
    """A platform that speaks JSON over HTTP, described by its ``resources``; what differs is a method override.

    Options: ``timeout`` (30; seconds of silence, 5 to connect), ``largest_answer`` (bytes, 8,000,000).
    """

    auth: Mapping[str, str] = {"scheme": "none"}
    """A scheme of schemes.py and its settings."""
    check_path: str | None = None

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        channel, options = self.channel, self.options
        try:
            parts = urlsplit(self.url)
        except ValueError:
            raise Misconfigured(f"{channel}: `url` should be the address of the API, as https://host/path") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise Misconfigured(f"{channel}: `url` should be the address of the API, as https://host/path")
        if parts.username is not None or parts.password is not None:
            raise Misconfigured(f"{channel}: `url` holds a user or password; name them under `secrets` instead")
        self._host = parts.netloc.lower()
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._timeout = (CONNECT, _positive(channel, "timeout", options.get("timeout", READ)))
        self._largest = int(_positive(channel, "largest_answer", options.get("largest_answer", LARGEST_ANSWER)))
        self._kept = threading.local()
        self._noted = Noted(self.ports.secrets)
        self.ports = replace(self.ports, secrets=self._noted)

    # ── one request ──────────────────────────────────────────────────────────────────────────────────────────────

    def proof(self, refused: str | None = None) -> Mapping[str, str]:
        """The headers that say who we are; ``refused`` is the one the platform just turned down."""
        scheme = SCHEMES[self.auth.get("scheme", "none")]
        headers: Mapping[str, str] = self._named(lambda: scheme(self.auth, self.ports, self.post_form, refused))
        return headers

    def granted(self) -> frozenset[str] | None:
        """The scopes we have; None: the platform does not say."""
        return oauth.granted(self.ports) if self.auth.get("scheme") == "oauth2" else None

    def exchange(self, method: str, path: str, **sent: Unpack[Sent]) -> Answer:
        """The answer to one request, whatever of 2xx or 4xx it is; the body decoded.

        Raises Misconfigured (401, 403, redirects, certificates), RetryLater (429, no connection), Unsure (5xx,
        time-out, broken connection) and ShapeChanged (2xx without JSON, or larger than allowed).
        """
        proof = self.proof()
        answer = self._send(method, self._target(path), proof=proof, **sent)
        if answer.status == 401 and self.auth.get("scheme") == "oauth2":
            proof = self.proof(refused=next(iter(proof.values())))
            answer = self._send(method, self._target(path), proof=proof, **sent)
        problem = trouble(self._where(method, path), answer, self.clean, self._remedy)
        if isinstance(problem, RetryLater) and answer.status == 429:
            self.ports.budget.refused(problem.after, self.bucket(method, self._target(path)))
        if problem is not None:
            raise problem
        return answer

    def bucket(self, method: str, address: str) -> str:
        """Which of ``limits`` a request draws on; a platform with a limit per operation says so."""
        return ""

    def call(self, method: str, path: str, *, allow: Sequence[int] = (), **sent: Unpack[Sent]) -> Answer:
        """Like `exchange`, but only 2xx and the statuses in ``allow`` return; another 4xx is Misconfigured."""
        answer = self.exchange(method, path, **sent)
        if answer.ok or answer.status in allow:
            return answer
        text = self.clean(said(answer.body)) or "it does not say why"
        raise Misconfigured(
            f"{self._where(method, path)}: the platform refuses the request (HTTP {answer.status}: {text}); "
            "correct `url`, or the path and parameters of the resource"
        )

    def document(self, address: str, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        """What a file's own address answers (``body`` is bytes), or answers to storing ``data`` there.

        Such an address proves itself: our credential does not go along, and it draws on no limit. Raises as `exchange`,
        but 4xx return; ShapeChanged for an address that anybody on the way could read.
        """
        if not address.startswith(("https://", f"{self._origin}/")):
            raise ShapeChanged(f"{self.channel}: the address of a file is not https; nothing of it is read")
        method = "GET" if data is None else "PUT"
        answer = self._send(method, address, proof={}, form=data, plain=True, headers=headers, cost=0)
        problem = trouble(self._where(method, urlsplit(address).path), answer, self.clean, self._remedy)
        if isinstance(problem, RetryLater):
            raise problem
        return answer

    def clean(self, text: str) -> str:
        """What the platform said, fit for an error: our credential and personal data masked."""
        return masked(text, self._noted.used)

    def close(self) -> None:
        """Afterwards this thread keeps no connection."""
        adapter: HTTPAdapter | None = getattr(self._kept, "adapter", None)
        if adapter is not None:
            adapter.close()
            del self._kept.adapter

    def _adapter(self) -> HTTPAdapter:
        adapter: HTTPAdapter | None = getattr(self._kept, "adapter", None)
        if adapter is None:
            adapter = self._kept.adapter = HTTPAdapter()
        return adapter

    def _where(self, method: str, path: str) -> str:
        return f"{self.channel}: {method} {path.partition('?')[0]}"

    def _target(self, path: str) -> str:
        return path if path.startswith(self._origin + "/") else self.url + path

    def _named(self, work: Callable[[], Any]) -> Any:
        """``work`` done; its errors name the channel."""
        try:
            return work()
        except ConnectorError as fault:
            problem = fault
        raise problem.of(self.channel)

    def post_form(self, address: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Any:
        """The decoded answer of a token address."""
        address = urljoin(self.url + "/", address)
        answer = self._send("POST", address, form=form, proof=headers)
        problem = trouble(self._where("POST", urlsplit(address).path), answer, self.clean, self._remedy)
        if problem is not None:
            raise problem
        if not answer.ok:
            raise Misconfigured(
                f"{self.channel}: the token address refuses our credentials (HTTP {answer.status}: "
                f"{self.clean(said(answer.body))}); set the secrets of `auth` again"
            )
        return answer.body

    def _send(
        self, method: str, target: str, *, proof: Mapping[str, str], form: Any = None, **sent: Unpack[Sent]
    ) -> Answer:
        headers, body, data = {**ALWAYS, **(sent.get("headers") or {}), **proof}, sent.get("body"), form
        if body is not None:
            data = body if isinstance(body, bytes) else encoded(body)
            headers["Content-Type"] = "application/json"
        for credential in proof.values():
            self._noted.note(credential, credential.rpartition(" ")[2])
        where = self._where(method, urlsplit(target).path)
        self.ports.budget.take(sent.get("cost", 1), self.lane, self.bucket(method, target))
        asked_at, started = self.ports.clock.now(), time.monotonic()
        request = requests.PreparedRequest()
        try:
            request.prepare(method=method, url=target, headers=headers, data=data, params=sent.get("params"))
            with self._adapter().send(request, stream=True, timeout=self._timeout) as response:
                raw = self._drained(response, started)
                status, received = response.status_code, {k.lower(): v for k, v in response.headers.items()}
        except (requests.RequestException, HTTPError, OSError) as failure:
            problem: ConnectorError | None = self._failed(where, urlsplit(target).netloc, failure)
        else:
            problem = None
        if problem is not None:
            raise problem
        value, complaint = understood(raw, self._largest, plain=sent.get("plain", False))
        if complaint and 200 <= status < 300:
            kind = received.get("content-type", "no content type")
            raise ShapeChanged(f"{where}: the answer cannot be used ({kind}); {complaint}")
        theirs = dated(received.get("date", ""))
        began = asked_at if theirs is None else min(asked_at, theirs - timedelta(seconds=time.monotonic() - started))
        return Answer(status=status, headers=received, body=value, url=response.url, asked_at=asked_at, began=began)

    def _drained(self, response: requests.Response, started: float) -> bytes | None:
        """The body; None when it is larger than allowed. Raises ReadTimeout when it takes too long in all."""
        chunks, size = [], 0
        while chunk := response.raw.read1(262_144, decode_content=True):
            size += len(chunk)
            if size > self._largest:
                return None
            if time.monotonic() - started > WHOLE * self._timeout[1]:
                raise requests.ReadTimeout
            chunks.append(chunk)
        return b"".join(chunks)

    def _failed(self, where: str, host: str, failure: Exception) -> ConnectorError:
        """The error for a request without an answer; it never quotes the library's, which may hold our credential."""
        cause: Any = failure.args[0] if failure.args else None
        reason = cause.reason if isinstance(cause, MaxRetryError) else None
        if isinstance(failure, requests.exceptions.SSLError):
            return Misconfigured(f"{where}: the certificate of {host} is not trusted; renew it or correct `url`")
        if isinstance(failure, requests.ConnectTimeout) or isinstance(reason, NewConnectionError | ConnectTimeoutError):
            what = f"{host} cannot be reached; is the system running and `url` right?"
            return RetryLater(f"{where}: {what}", after=AWAY)
        if isinstance(failure, requests.exceptions.InvalidHeader | requests.exceptions.InvalidURL):
            return Misconfigured(f"{where}: the request cannot be formed; correct `url` and the secrets of the channel")
        if isinstance(failure, requests.Timeout):
            what = f"{host} did not answer within {self._timeout[1]:g} s; it is tried again"
            return Unsure(f"{where}: {what}, raise `timeout` when it is always this slow", after=AWAY, silent=True)
        return Unsure(f"{where}: the connection to {host} broke before the answer was complete", after=AWAY)

    def _remedy(self, *secrets: str) -> str:
        """What to do about a refused credential: ``secrets``, or those of ``auth``."""
        references = self.options.get("secrets") or {}
        proving = secrets or tuple(value for key, value in self.auth.items() if key != "scheme")
        names = [name for name in proving if name in references]
        named = ", ".join(f"`{name}`{_shown(references[name])}" for name in names or sorted(references))
        return f"grant it to the account behind {'secret ' + named if named else 'this channel'}, or set that again"

    # ── facts ────────────────────────────────────────────────────────────────────────────────────────────────────

    def facts(self, resource: str) -> Resource:
        """The resource's description; raises Misconfigured naming those there are."""
        found = self.resources.get(resource)
        if found is None:
            raise Misconfigured(f"{self.channel}: no resource `{resource}`; there are {', '.join(self.resources)}")
        return found

    def parameters(self, resource: str) -> Mapping[str, str]:
        """The query that goes with every read of the resource; where the platform can, only what is wanted is asked."""
        facts = self.facts(resource)
        wanted = self.fields.get(resource, ())
        if facts.select is None or not wanted or "*" in wanted:
            return facts.params
        needed = (facts.id, facts.updated, facts.version, facts.reference_field)
        names = {re.split(r"[.\[]", path, maxsplit=1)[0] for path in (*wanted, *needed) if path}
        return {**facts.params, facts.select: ",".join(sorted(names))}

    def documents(self, facts: Resource, answer: Answer) -> Sequence[Doc]:
        """The list in an answer; raises ShapeChanged when it is missing or holds anything but objects."""
        found = paging.at(answer.body, facts.items)
        if isinstance(found, list) and {dict}.issuperset(map(type, found)):
            return found
        have = ", ".join(sorted(map(str, answer.body))[:8]) if isinstance(answer.body, dict) else "no object"
        raise ShapeChanged(
            f"{self.channel}: GET {facts.path}: no list of objects at `{facts.items}`; the answer has {have}; "
            "a missing list is never an empty page: correct `items`, or ask the platform what changed"
        )

    # ── Connector ────────────────────────────────────────────────────────────────────────────────────────────────

    def check(self) -> None:
        """One cheap call: ``check_path``, or one page of the first resource."""
        if self.check_path is not None:
            self.call(*filled(self.check_path, None))
            return
        name, facts = next(iter(self.resources.items()))
        first = paging.STYLES[facts.paging](None, None, replace(facts, page_size=1)) or {}
        self.documents(facts, self.call("GET", facts.path, params={**self.parameters(name), **first}))

    def read(self, resource: str, cursor: Cursor | None = None) -> Iterator[Page]:
        """Pages from the cursor on; a cursor is ``{since, seen, until, position, form}`` (window.py)."""
        facts = self.facts(resource)
        return pages(
            facts,
            cursor,
            ask=self.call,
            documents=lambda answer: self.documents(facts, answer),
            params=self.parameters(resource),
            following=lambda position, answer, docs: self.following(facts, position, answer, docs),
            where=f"{self.channel}: GET {facts.path}",
        )

    def following(
        self, facts: Resource, position: paging.Position, answer: Answer, docs: Sequence[Doc]
    ) -> paging.Position | None:
        """The position after an answer; an address stays on the channel's own host. None ends the scan."""
        turned = paging.Turned(docs=docs, body=answer.body, headers=answer.headers)
        style = paging.STYLES[facts.paging]
        found: paging.Position | None = self._named(lambda: style(position, turned, facts))
        if found is None or "url" not in found:
            return found
        target = urlsplit(urljoin(answer.url, found["url"]))
        if target.netloc.lower() != self._host:
            raise ShapeChanged(
                f"{self.channel}: GET {facts.path}: the next page is said to be on another host than {self._host}; "
                "our credential does not go there; correct `url`"
            )
        return {"url": f"{self._origin}{target.path}" + (f"?{target.query}" if target.query else "")}

    def fetch(self, resource: str, ids: Sequence[str]) -> Mapping[str, Doc | None]:
        """Every id asked for, once; None: the platform says that it does not exist. Forbidden raises Misconfigured."""
        facts = self.facts(resource)
        return by_id(
            facts,
            ids,
            ask=self.call,
            documents=lambda answer: self.documents(facts, answer),
            following=lambda position, answer, docs: self.following(facts, position, answer, docs),
            where=f"{self.channel}: GET {facts.path}",
        )

    def write(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order. Raises RetryLater or Misconfigured when the rest was not sent."""
        facts = self.facts(resource)
        return receipts(
            facts,
            writes,
            exchange=self.exchange,
            clean=self.clean,
            find=lambda write: self.by_reference(facts, write),
            where=self.channel,
        )

    def settle(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order: a create by our reference, anything with an id by its document."""
        facts = self.facts(resource)
        known = [write.id for write in writes if write.id is not None]
        held = self.fetch(resource, known) if known else {}
        for write in writes:
            yield self.by_reference(facts, write) if write.id is None else settled(facts, write, held[write.id])

    def by_reference(self, facts: Resource, write: Write) -> Receipt:
        """What became of a create, by our key. A platform that ignores the filter answers with others' documents."""
        if facts.reference is None or facts.reference_field is None:
            return unsearchable(write)
        first = paging.STYLES[facts.paging](None, None, facts) or {}
        params = {**facts.params, **first, facts.reference: reference_of(facts, write)}
        return sought(facts, write, self.documents(facts, self.call("GET", facts.path, params=params)))


def _positive(channel: str, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not 0 < float(value) < 1e12:
        raise Misconfigured(f"{channel}: `{name}` in the channel's settings should be a number above 0")
    return float(value)


def _shown(reference: str) -> str:
    """A reference to a secret, as far as it is one: a secret written out in the settings is not shown."""
    return f" ({reference})" if reference.startswith("env:") else ""
