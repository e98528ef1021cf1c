"""Bitrix24: the CRM with its catalogue and shop, by the classic REST methods; incoming webhook or application (OAuth).

What surprises here (reference of 2026-08-21, github bitrix24/b24restdocs; read 2026-11-22):

* The throttle is 503 ``QUERY_LIMIT_EXCEEDED``, counted per source address: 2 calls a second and 50 at once, Enterprise
  5 and 250; a method that used up its time of ten minutes answers 429 ``OPERATION_TIME_LIMIT`` until the moment that
  ``operating_reset_at`` of an earlier answer named. ``OVERLOAD_LIMIT`` (503 too) is lifted by the vendor's people only.
* An error is ``{error, error_description}`` with 400, 401, 403, 503, or with 200; ``error`` is a word, a number or "".
* Lists give 50, count all of them and shift while they are read; ``start: -1`` with a filter ``>ID`` does neither.
* A list leaves out silently what its reader may not see, and filters ignore fields they do not know: what is missing
  is asked for by id, where "Not found" and "Access denied" differ, and what a filter found is looked at.
* Telephone numbers and addresses of mail are rows with ids: one without an id is added, never replaced; it is deleted
  by its id and an empty value. So they are read before they are written.
* A field that does not exist is ignored without a word. What was left empty is "" or null, yes is "Y", and in the CRM
  all values are text; the catalogue has numbers and names in camelCase. Moments carry the portal's offset.
* Nothing is unique: our key stands in ORIGIN_ID, with ORIGINATOR_ID saying whose it is.
* Events name a record and no more, come once, late, or never; only ``application_token`` in the body tells that they
  are the portal's, and it covers nothing: they are hints. ``event.bind`` is an application's; with a webhook a person
  sets an outgoing one up.
* A webhook's address is a password: user and code stand in the secret ``webhook``, never in ``url``.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from msgspec import structs

from connectors import (
    auth,
    bitrix24_batch as batch,
    bitrix24_events as events,
    bitrix24_facts as facts_of,
    bitrix24_writes as written,
)
from connectors.answers import Answer, said
from connectors.base import Cursor, Doc, Notice, Page, Receipt, Received, Request, Resource, Unreadable, Write
from connectors.bitrix24_batch import MADE, Call, Said
from connectors.bitrix24_sending import Sending, lost, unwrapped
from connectors.errors import ConnectorError, Forged, Misconfigured, RetryLater, ShapeChanged
from connectors.limits import Limit
from connectors.paging import Position, at
from connectors.rest import Rest
from connectors.scan import pages
from connectors.verified import Verified
from connectors.window import moment
from connectors.writes import NOT_FOUND, holds, id_of, settled

OAUTH = "https://oauth.bitrix.info"
BREATH = 2
"""Seconds to wait after QUERY_LIMIT_EXCEEDED, which names none: four calls leak away meanwhile."""
BASKET = 60
"""Seconds to wait for a method's time where no answer has said when it comes back: the length of a basket."""
_CODE = re.compile(r"\d+/\w+")


class Bitrix24(Rest):
    """One portal. ``url`` is https://<portal>/rest; secrets: ``webhook`` (``<user>/<code>`` of an incoming webhook), or
    ``client_id`` and ``client_secret`` of an application (then `serai connect`, or ``refresh_token``); ``hook_secret``
    is the application token that events carry.

    Options: ``catalogue`` and ``offers`` (numbers of the portal's catalogues of products and of variations),
    ``responsible`` (the user of stock documents), ``events`` (offline: the portal keeps them until we ask, for those
    that cannot reach us), ``lag``, ``batch`` (writes in one request), ``oauth`` (the server).
    """

    platform = "bitrix24"
    verified = Verified(
        when="2026-11", contract="its reference pages of 2026-08: every call, alone and in a batch",
        examples="119 answers, errors and events of the pages", simulator="a stateful portal with the published limits",
    )  # fmt: skip
    limits: ClassVar[Mapping[str, Limit]] = {"": Limit(rate=2.0, burst=50.0)}
    scopes = facts_of.SCOPES
    resources = facts_of.RESOURCES

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.resources = self._named(lambda: facts_of.adjusted(self.options))
        self._secrets = self.options.get("secrets") or {}
        self._hooked = "webhook" in self._secrets
        self._queued = self._named(lambda: facts_of.queued(self.options))
        self._back: dict[str, float] = {}
        """Method → when its oldest minute stops counting, as its last answer said."""
        if not self._hooked:
            portal = self.url.removesuffix("/rest")
            self.auth = {
                "scheme": "oauth2", "header": "auth", "prefix": "", "credentials": "body",
                "grant": "refresh_token" if "refresh_token" in self._secrets else "authorization_code",
                "token_url": f"{str(self.options.get('oauth', OAUTH)).rstrip('/')}/oauth/token/",
                "authorize_url": f"{portal}/oauth/authorize/",
            }  # fmt: skip

    # ── one request ──────────────────────────────────────────────────────────────────────────────────────────────

    def _target(self, path: str) -> str:
        if not self._hooked:
            return super()._target(path)
        code: str = self._named(lambda: auth.secret({}, "webhook", self.ports, "webhook"))
        if _CODE.fullmatch(code) is None:
            raise Misconfigured(f"{self.channel}: secret `webhook` should be <user>/<code>, the end of its address")
        self._noted.note(code, code.partition("/")[2])
        return f"{self.url}/{code}{path}"

    def _where(self, method: str, path: str) -> str:
        return f"{self.channel}: {path.rstrip('/').rpartition('/')[2]}"  # a webhook's path is its password

    def _send(self, method: str, target: str, *, proof: Mapping[str, str], **given: Any) -> Answer:
        """The answer, with the status that what it says deserves. A token travels in the body."""
        if given.get("form") is not None:  # the authorization server is documented for GET
            return super()._send("GET", target, proof=proof, params=given["form"])
        if "auth" in proof:
            self._noted.note(proof["auth"])
            given["body"], proof = {**(given.get("body") or {}), "auth": proof["auth"]}, {}
        answer = super()._send(method, target, proof=proof, **given)
        return self._judged(urlsplit(target).path.rpartition("/")[2], answer)

    def _judged(self, name: str, answer: Answer) -> Answer:
        body = answer.body if isinstance(answer.body, Mapping) else {}
        self._resets(name, at(body, "time.operating_reset_at"))
        if "error" not in body:
            return answer
        status, wait = self._deserved(name, answer.status, body)
        headers = answer.headers if wait is None else {"retry-after": f"{wait:g}", **answer.headers}
        if status == 403 and "scope" not in body:
            body = {**body, "scope": name.partition(".")[0]}
        return replace(answer, status=status, headers=headers, body=body)

    def _resets(self, method: str, moment: Any) -> None:
        """Notes when the oldest minute of a method stops counting."""
        if isinstance(moment, int):
            self._back[method] = float(moment)

    def _deserved(self, name: str, status: int, error: Mapping[str, Any]) -> tuple[int, float | None]:
        """The status that an error means, and how long it lasts."""
        code = str(error.get("error"))
        if code == "QUERY_LIMIT_EXCEEDED":
            return 429, BREATH
        if code == "OPERATION_TIME_LIMIT":
            left = self._back.get(name, 0.0) - self.ports.clock.now().timestamp()
            return 429, left if left > 0 else BASKET
        if code == "OVERLOAD_LIMIT":
            return 403, None
        if code in ("expired_token", "invalid_token", "NO_AUTH_FOUND"):
            return 401, None
        if code in ("insufficient_scope", "ACCESS_DENIED", "INVALID_CREDENTIALS", "user_access_error"):
            return 403, None
        if "access denied" in str(error.get("error_description")).casefold():
            return 403, None
        return (400 if status < 400 else status), None

    def _asked(self, method: str, params: Doc, allow: Sequence[int] = ()) -> Answer:
        """The answer to one method; Misconfigured for an error that nobody judges."""
        return self.call("POST", f"/{method}", body=params, allow=allow)

    def _batched(self, calls: Mapping[str, str]) -> dict[str, Said]:
        """What came of commands sent together, by name."""
        answer = self._asked("batch", {"halt": 0, "cmd": dict(calls)})
        for name, line in calls.items():
            self._resets(line.partition("?")[0], at(answer.body, f"result.result_time.{name}.operating_reset_at"))
        return batch.outcomes(answer.body, list(calls), self.channel)

    def check(self) -> None:
        """One cheap call."""
        self._asked("scope", {})

    def granted(self) -> frozenset[str]:
        """The rights of the webhook or application."""
        found = self._asked("scope", {}).body.get("result")
        if not isinstance(found, list):
            raise ShapeChanged(f"{self.channel}: scope: `result` should list rights")
        return frozenset(map(str, found))

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, resource: str, cursor: Cursor | None = None) -> Iterator[Page]:
        """Pages from the cursor on, by id; a cursor is ``{since, seen, until, position, form}`` (window.py)."""
        facts = self.facts(resource)
        needs = facts_of.NEEDS.get(resource, ())
        numbers = self._named(lambda: [facts_of.number_of(self.options, name) for name in needs])
        own = {"iblockId": number for number in numbers}  # noqa: B035 (one at most)
        ahead: dict[str, Answer] = {}
        before: list[str] = []
        """The last number of a page that was full: only then more can be told to follow."""

        def ask(method: str, path: str, *, params: Mapping[str, str] | None, allow: Sequence[int]) -> Answer:
            query = {**own, **(params or {})}
            position = str(query.get(facts.paging_options["param"]))
            asked = facts_of.listing(resource, facts, query, self.fields.get(resource, ()))
            if position in before and position not in ahead:
                ahead.update(self._ahead(facts, asked))
            answer = ahead.pop(position) if position in ahead else self._asked(f"{path}.list", asked, allow)
            docs = at(answer.body, facts.items)
            full = isinstance(docs, list) and len(docs) >= facts_of.PAGE
            before[:] = [str(docs[-1][facts_of.field_of(facts)])] if full else []
            return answer

        return pages(
            facts,
            cursor,
            ask=ask,
            documents=lambda answer: self._whole(resource, self.documents(facts, answer)),
            params={},
            following=lambda position, answer, docs: self.following(facts, position, answer, docs),
            where=f"{self.channel}: {facts.path}.list",
        )

    def _ahead(self, facts: Resource, asked: Doc) -> Mapping[str, Answer]:
        """The answers of pages that follow each other, by the number before each, from one request: each command goes
        on after the last document of the one before it. A page that is not full is the last that can be believed."""
        field, after = facts_of.field_of(facts), facts.paging_options["param"]
        inside = "".join(f"[{step}]" for step in facts.items.split(".")[1:])
        names = [f"p{n}" for n in range(facts_of.AHEAD)]
        calls = {}
        for name, before in zip(names, [None, *names], strict=False):
            call = Call(method=f"{facts.path}.list", params=asked)
            if before is not None:
                call = Call(method=call.method, params={**asked, "filter": {**asked["filter"], after: MADE}})
            calls[name] = batch.command(call, f"$result[{before}]{inside}[{facts_of.PAGE - 1}][{field}]")
        answer = self._asked("batch", {"halt": 1, "cmd": calls})
        told, found, position = batch.outcomes(answer.body, names, self.channel), {}, str(asked["filter"][after])
        for n, name in enumerate(names):
            one = told.get(name)
            if one is None or (one.error is not None and n > 0):
                break
            if one.error is not None:
                raise self._problem(calls[name].partition("?")[0], one.error)
            found[position] = replace(answer, body={"result": one.result})
            docs = self.documents(facts, found[position])
            if len(docs) < facts_of.PAGE:
                break
            position = str(docs[-1][field])
        return found

    def following(self, facts: Resource, position: Position, answer: Answer, docs: Sequence[Doc]) -> Position | None:
        """After the last number met; an empty page ends."""
        field = facts_of.field_of(facts)
        return {facts.paging_options["param"]: str(docs[-1][field])} if docs else None

    def _whole(self, resource: str, docs: Sequence[Doc]) -> Sequence[Doc]:
        """The documents with what lists leave out: the lines of deals, all but the number of orders."""
        if resource == "deals" and docs:
            asked = {doc["ID"]: Call(method="crm.deal.productrows.get", params={"id": doc["ID"]}) for doc in docs}
            rows = self._all({f"d{id}": call for id, call in asked.items()})
            docs = [{**doc, "rows": rows[f"d{doc['ID']}"].result or []} for doc in docs]
        if resource == "orders" and docs and "basketItems" not in docs[0]:
            found = self.fetch(resource, [f"O_{doc['id']}" for doc in docs])
            return [doc for doc in found.values() if doc is not None]
        return [facts_of.keyed(resource, doc) for doc in docs]

    def _all(self, calls: Mapping[str, Call], absent: bool = False) -> dict[str, Said]:
        """What came of calls that read. Raises for an error, ``absent``: but not where something does not exist."""
        found: dict[str, Said] = {}
        names = list(calls)
        for start in range(0, len(names), facts_of.PAGE):
            some = {name: batch.command(calls[name]) for name in names[start : start + facts_of.PAGE]}
            told = self._batched(some)
            for name in some:
                one = told.get(name)
                if one is None:
                    raise ShapeChanged(f"{self.channel}: {calls[name].method}: the batch does not say what came of it")
                if one.error is not None and not (absent and lost(one.error)):
                    raise self._problem(calls[name].method, one.error)
                found[name] = one
        return found

    def _problem(self, method: str, error: Mapping[str, Any]) -> ConnectorError:
        """The exception for an error inside a batch."""
        status, wait = self._deserved(method, 400, error)
        text = self.clean(said(error)) or "it does not say why"
        if status == 429:
            self.ports.budget.refused(wait or BREATH, "")
            return RetryLater(f"{self.channel}: {method}: the portal asks to wait ({text})", after=wait or BREATH)
        if status in (401, 403):
            scope = error.get("scope", method.partition(".")[0])
            return Misconfigured(f"{self.channel}: {method}: scope `{scope}` is missing ({text}); {self._remedy()}")
        return Misconfigured(f"{self.channel}: {method}: the portal refuses it ({text})")

    def fetch(self, resource: str, ids: Sequence[str]) -> Mapping[str, Doc | None]:
        """Every id asked for, once; None: the platform says that it does not exist. Forbidden raises Misconfigured."""
        facts = self.facts(resource)
        found: dict[str, Doc | None] = dict.fromkeys(ids)
        if resource == "stock":
            return {**found, **self._levels([id for id in found if re.fullmatch(r"\d+@\d+", id)])}
        named = re.compile(re.escape(facts_of.PREFIXES.get(resource, "")) + r"[1-9]\d{0,17}")
        numbers = {str(written.numbered(id)): id for id in found if named.fullmatch(id)}
        asked = {f"g{number}": Call(method=str(facts.fetch), params={"id": number}) for number in numbers}
        docs = []
        for name, one in self._all(asked, absent=True).items():
            if one.error is None:
                docs.append(self._held(facts, name[1:], one.result))
        return found | {str(doc[facts.id]): doc for doc in self._whole(resource, docs)}

    def _levels(self, ids: Sequence[str]) -> Mapping[str, Doc]:
        """What lies of products in stores; where nothing ever lay there is no row."""
        places = {id: dict(zip(("productId", "storeId"), id.split("@"), strict=True)) for id in ids}
        told = self._all({f"s{n}": written.rows_of(place) for n, place in enumerate(places.values())})
        docs = [facts_of.keyed("stock", doc) for one in told.values() for doc in one.result["storeProducts"]]
        return {doc["KEY"]: doc for doc in docs if doc["KEY"] in places}

    def _held(self, facts: Resource, number: str, result: Any) -> Doc:
        doc = unwrapped(result)
        if doc is None or str(doc.get(facts_of.field_of(facts))) != number:
            raise ShapeChanged(f"{self.channel}: {facts.fetch}: asked for {number}, got another document or none")
        return doc

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order. Raises RetryLater or Misconfigured when the rest was not sent."""
        facts = self.facts(resource)
        for write in writes:
            if getattr(facts, write.op) is None:
                raise Misconfigured(f"{self.channel}: {resource} takes no {write.op}")
        sending = Sending(
            resource=resource, facts=facts, options=self.options, where=self.channel, reads=self._all,
            batched=self._batched, exchange=self.exchange, problem=self._problem, clean=self.clean,
            earlier=lambda part: self._earlier(facts, part),
        )  # fmt: skip
        yield from sending.receipts(writes)

    def _earlier(self, facts: Resource, part: Sequence[Write]) -> Mapping[str, Receipt]:
        """Receipts of creates that are tried again and were carried out the first time (P2)."""
        again = [write for write in part if write.op == "create" and write.attempt > 1]
        looked = {write.key: self.by_reference(facts, write) for write in again}
        return {key: receipt for key, receipt in looked.items() if receipt.outcome == "applied"}

    def settle(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order: a create (and stock) by our reference, anything else by its document."""
        facts = self.facts(resource)
        ids = [write.id for write in writes if write.id is not None and resource != "stock"]
        held = self.fetch(resource, ids)
        for write in writes:
            doc = held.get(str(write.id))
            if write.id is None or resource == "stock":
                yield self.by_reference(facts, write)
            elif doc is None:
                yield settled(facts, write, None)
            else:
                sent, there = written.same(resource, write.doc, doc)
                receipt = settled(facts, structs.replace(write, doc=sent), {**there, facts.id: doc[facts.id]})
                yield receipt if receipt.doc is None else structs.replace(receipt, doc=doc)

    def by_reference(self, facts: Resource, write: Write) -> Receipt:
        """What became of a create, by our key or what else tells it; a filter that was ignored finds others'."""
        resource = next(name for name, known in self.resources.items() if known.path == facts.path)
        call, query = self._named(lambda: written.reference(resource, facts, write, self.options))
        items = "result.documents" if resource == "stock" else facts.items
        told = at(self._asked(call.method, call.params).body, items)
        if not isinstance(told, list):
            raise ShapeChanged(f"{self.channel}: {call.method}: the answer has no list of documents")
        docs = [doc for doc in told if all(holds(doc.get(name), value) for name, value in query.items())]
        if not docs:
            return Receipt(outcome="rejected", detail=NOT_FOUND + "no document carries our reference")
        more = "" if len(docs) == 1 else f"{len(docs)} documents carry our reference; delete all but the first"
        if resource == "stock":
            return Receipt(outcome="applied", id=write.id or written.place(write), detail=more)
        doc = self._whole(resource, docs[:1])[0]
        return Receipt(outcome="applied", id=id_of(facts, doc), doc=doc, detail=more)

    # ── notices ──────────────────────────────────────────────────────────────────────────────────────────────────

    def subscribe(self, url: str) -> None:
        """Afterwards the portal notifies ``url`` of every event that is open to the application, or keeps it for us."""
        if self._hooked:
            raise Misconfigured(
                f"{self.channel}: an incoming webhook cannot bind events; in Bitrix24, under developer resources, make "
                f"an outgoing webhook to {url} and set its application token as `hook_secret`"
            )
        events.bind(self._asked, url, offline=self._queued)

    def kept(self, wait: float = 0.0) -> Iterator[Sequence[Notice | Unreadable]]:
        """Where the setting ``events: offline`` says so: what the portal kept for us."""
        if self._queued and not self._hooked:
            yield from events.kept(self._asked, self.ports.clock.now)

    def receive(self, request: Request) -> Received:
        """The notices of a request that carries our application token. Raises Forged."""
        if "hook_secret" not in self._secrets:
            raise Forged("the notice is not from this channel")
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        names = [name for name in ("hook_secret", "hook_secret_previous") if name in self._secrets]
        known = [auth.secret({}, name, self.ports, name) for name in names]
        given = form.get("auth[application_token]", "")
        sent = moment(int(form["ts"]) if re.fullmatch(r"\d{1,11}", form.get("ts", "")) else None)
        matched = [hmac.compare_digest(value.encode(), given.encode()) for value in known]
        if not any(matched) or sent is None:
            raise Forged("the notice is not from this channel")
        resource = facts_of.EVENTS.get(form.get("event", "").upper())
        id = next((value for name, value in form.items() if name.upper() == "DATA[FIELDS][ID]"), None)
        if resource is None or id is None:
            return Received(reply="passed over: nothing here is read from it")
        delivery = hashlib.sha256(request.body).hexdigest()
        named = f"{facts_of.PREFIXES.get(resource, '')}{id}"
        return Received(notices=[Notice(delivery=delivery, resource=resource, id=named, at=min(sent, request.at))])
