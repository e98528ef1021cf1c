"""Odoo 16 to 19 over its external API: goods, stock, prices, sales, deliveries, returns, till orders, leads, partners.

What surprises here (documentation of 19.0, ``developer/reference/external_api``, and sources of odoo/odoo between 18
and the branch after 19, read 2026-11-22; stamps and errors as measured on a running 19; this connector met none yet):

* Since 19 every method of every model is ``POST /json/2/<model>/<method>`` with named parameters and a key that lives
  at most three months; before, and deprecated in 19, ``/jsonrpc`` with positions, whose failures are HTTP 200.
* A call is one transaction: a failure that Odoo itself tells was rolled back, whatever its status (a misspelt field is
  a 500), so that it is a rejection and not an unknown. Steps of several calls are made so that each may be repeated.
* Nothing is idempotent and no reference is unique: we look for ours (``origin`` of a sale) before creating.
* There is no lock for clients: two writers overwrite each other silently. Odoo repeats a transaction that lost a race
  five times itself, then tells a SerializationFailure, which is a reason to come back later.
* Empty is ``false``, a link ``[id, name]``, a moment naive UTC text of whole seconds, a number a binary float.
* ``write_date`` is the start of the transaction, with microseconds that are not told, so that a told stamp equals no
  row; 19 turns ``> X`` into ``>= X + 1 s``. So a window is read second by second: what shares the last second of a full
  page is read again, by id where one second fills a page. The first full read goes by id.
* A stored figure that is computed anew does not move the stamp of its record (a sale's ``delivery_status``), nor does a
  quant that was emptied and deleted leave one: `WATCHES` names the models that tell it.
* ``free_qty`` and ``qty_available`` depend on ``location`` in the context and cannot be searched by time.
* Archived records hide unless ``active_test`` is false in the context; a missing id is ``200 []``.
* Companies are record rules: without ``allowed_company_ids`` a user sees those of his own company only.
* A return is a receipt whose moves name the moves they undo; a sale's money is known by its invoices and payments.
* Nobody publishes a limit in numbers for one's own server; Odoo Online answers 429.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from connectors.answers import AWAY, Answer, Unsure, decoded, trouble
from connectors.auth import secret
from connectors.base import Cursor, Doc, Notice, Page, Receipt, Received, Request, Write
from connectors.errors import Forged, Misconfigured, RetryLater, ShapeChanged
from connectors.odoo_documents import whole
from connectors.odoo_facts import (
    BUSY,
    DENIED,
    FIELDS,
    HOOKED,
    KEY,
    ONLY,
    PAYMENT,
    REFUNDS,
    RESOURCES,
    STAMP,
    VERSIONS,
    WATCHES,
    Refused,
    adjusted,
    after,
    head,
    naive,
    older,
    spoken,
)
from connectors.odoo_writes import Writer
from connectors.rest import Rest
from connectors.verified import Verified
from connectors.watched import Seen, Watch, pages
from connectors.window import Window, iso, moment


class Odoo(Rest):
    """One company of an Odoo database. ``url`` is the server's address; secret ``token`` is a user's API key.

    Options: ``database`` (where a server has several), ``version`` (19), ``company`` (id of the one that this channel
    is; the user's own without it), ``language`` (en_US; of names, units and refusals), ``page_size`` (200), ``lag``
    (300; seconds of overlap), ``charges`` (delivery, surcharge, discount → internal reference of the product that such
    a line of a sale is booked on), ``places`` (short name of a warehouse → the retailer's code of it), ``quarantine``
    (name of the part of a warehouse's stock where goods wait that came back), ``taxes`` (rate, such as 0.12, → name of
    the tax that a line sold at it gets; any other line has its product's own), ``fields`` (resource → fields that the
    retailer has added to its model, told with each document as they are). Before 19 ``user`` (login) and ``database``
    are needed.
    Notices: an automation rule that posts to the channel's address with ``?key=`` and the secret ``hook_secret``.
    """

    platform = "odoo"
    verified = Verified(
        when="2026-11",
        contract="no schema is published; every call by fields and methods in the source of 16.0 to 19.0",
        examples="3 answers of the documentation's page",
        simulator="a stateful one of 16 to 19, its answers and models held against that source",
    )
    resources = RESOURCES
    auth: Mapping[str, str] = {"scheme": "bearer", "token": "token"}

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.resources = adjusted(self.options)
        self.version = int(self.options.get("version", 19))
        if self.version not in VERSIONS:
            raise Misconfigured(
                f"{self.channel}: `version` is {self.version}; allowed: {', '.join(map(str, VERSIONS))}"
            )
        if self.version < 19 and not {"user", "database"} <= set(self.options):
            raise Misconfigured(f"{self.channel}: before Odoo 19 the settings need `user` (a login) and `database`")
        self.writing: str | None = None
        self._writer = Writer(self)

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────

    def context(self, **more: Any) -> Doc:
        """What goes with every call: language, company, archived records too; and which write it is a step of."""
        own: Doc = {"lang": str(self.options.get("language", "en_US")), "active_test": False}
        if "company" in self.options:
            own["allowed_company_ids"] = [int(self.options["company"])]
        if self.writing is not None:
            own["serai_write"] = self.writing
        return {**own, **more}

    def ask(self, model: str, method: str, ids: Sequence[int] | None = None, *given: Any, **named: Any) -> Answer:
        """The answer whose body is what the method returned. ``given`` are parameters that JSON-RPC wants by position;
        their names are ``vals_list`` of create and ``vals`` of write. ``context`` comes on top of the usual one.

        Raises Refused (Odoo says no), Misconfigured, RetryLater, Unsure and ShapeChanged.
        """
        context = self.context(**named.pop("context", {}))
        where = f"{self.channel}: {model}.{method}"
        if self.version >= 19:
            body: Any = {"context": context, **named}
            if given:
                body[{"create": "vals_list"}.get(method, "vals")] = given[0]
            if ids is not None:
                body["ids"] = list(ids)
            answer = self._posted(where, f"/json/2/{model}/{method}", body, self.proof())
            fault = answer.body if not answer.ok and isinstance(answer.body, dict) else {}
        else:
            first: list[Any] = [list(ids)] if ids is not None else []
            arguments = [model, method, [*first, *given], {"context": context, **named}]
            answer = self._called(where, "execute_kw", self._user(), *arguments)
            fault = {}
        if isinstance(fault.get("name"), str):
            raise self._refusal(where, fault)
        problem = trouble(where, answer, self.clean, self._remedy)
        if isinstance(problem, RetryLater) and answer.status == 429:
            self.ports.budget.refused(problem.after)
        if problem is not None:
            raise problem
        if not answer.ok:
            raise Misconfigured(
                f"{where}: HTTP {answer.status}; is `url` an Odoo of {self.version}, and its server's root?"
            )
        return answer

    def result(self, model: str, method: str, ids: Sequence[int] | None = None, *given: Any, **named: Any) -> Any:
        """What the method returned; raises like `ask`."""
        return self.ask(model, method, ids, *given, **named).body

    def _posted(self, where: str, path: str, body: Any, proof: Mapping[str, str]) -> Answer:
        headers = {"X-Odoo-Database": str(self.options["database"])} if "database" in self.options else {}
        return self._send("POST", self._target(path), body=body, proof=proof, headers=headers)

    def _called(self, where: str, service: str, *arguments: Any) -> Answer:
        """The answer of the older way, its ``result`` as body."""
        common = service == "authenticate"
        key, user = secret(self.auth, "token", self.ports), arguments[0]
        own = [self.options["user"], key, {}] if common else [user, key, *arguments[1:]]
        params = {"service": "common" if common else "object", "method": service,
                  "args": [self.options["database"], *own]}  # fmt: skip
        body = {"jsonrpc": "2.0", "method": "call", "params": params, "id": 1}
        answer = self._posted(where, "/jsonrpc", body, {})
        if not answer.ok:
            return answer
        if isinstance(answer.body, dict) and isinstance(answer.body.get("error"), dict):
            raise self._refusal(where, answer.body["error"].get("data") or {})
        if not isinstance(answer.body, dict) or "result" not in answer.body:
            raise ShapeChanged(f"{where}: the answer has neither `result` nor `error`")
        return Answer(status=answer.status, headers=answer.headers, body=answer.body["result"], url=answer.url,
                      asked_at=answer.asked_at, began=answer.began)  # fmt: skip

    def _user(self) -> int:
        version, kept = self.ports.tokens.load()
        if kept.get("login") == str(self.options["user"]):
            return int(kept["user"])
        where = f"{self.channel}: authenticate"
        answer = self._called(where, "authenticate", 0)
        problem = trouble(where, answer, self.clean, self._remedy)
        if problem is not None:
            raise problem
        if not isinstance(answer.body, int) or isinstance(answer.body, bool):
            raise Misconfigured(f"{where}: Odoo refuses the login or API key (401); {self._remedy()}")
        self.ports.tokens.swap(version, {"login": str(self.options["user"]), "user": str(answer.body)})
        return answer.body

    def _refusal(self, where: str, fault: Doc) -> Misconfigured | RetryLater:
        kind, text = str(fault.get("name", "")), self.clean(str(fault.get("message", "")))
        name = kind.rpartition(".")[2]
        if name in BUSY:
            return RetryLater(f"{where}: others changed the same records at that moment ({name})", after=AWAY)
        if name in DENIED:
            return Misconfigured(f"{where}: a valid API key is missing ({text}); {self._remedy()}")
        if name == "AccessError":
            return Refused(f"{where}: Odoo does not allow it ({text}); give the user of {self._keyed()} that right")
        if name in ("UserError", "ValidationError", "MissingError", "RedirectWarning"):
            return Refused(f"{where}: Odoo refuses: {text}")
        return Refused(f"{where}: Odoo failed ({name}: {text}); is its module installed, and `version` right?")

    def _keyed(self) -> str:
        return str((self.options.get("secrets") or {}).get("token", "secret `token`"))

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def check(self) -> None:
        """Asks for one warehouse, and whether the three fields of our own are there."""
        self.rows("stock.warehouse", [], ["name"], limit=1)
        for model, field in (("sale.order.line", KEY), ("sale.order", PAYMENT), ("stock.picking", REFUNDS)):
            fields = self.result(model, "fields_get", attributes=["type"], allfields=[field])
            if not isinstance(fields, dict) or field not in fields:
                raise Misconfigured(
                    f"{self.channel}: {model} has no field {field}; add it in Odoo (Settings, Technical, Fields: type "
                    "char)"
                )

    def search(
        self, model: str, domain: Sequence[Any], fields: Sequence[str], *, limit: int | None = None, order: str = "id",
        context: Mapping[str, Any] | None = None,
    ) -> Answer:  # fmt: skip
        """The answer of a search whose body is the records, with ids, stamps and the names of 19."""
        names = older(self.version, model)
        wanted = [names.get(field, field) for field in dict.fromkeys((*fields, STAMP))]
        answer = self.ask(
            model, "search_read", domain=spoken(names, domain), fields=[field for field in wanted if field is not None],
            limit=limit, order=order, context=dict(context or {}),
        )  # fmt: skip
        rows = answer.body
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
            raise ShapeChanged(f"{self.channel}: {model}.search_read: no list of records")
        for row in rows:
            for now, then in names.items():
                if now in fields:
                    row[now] = False if then is None else row.pop(then, False)
        return answer

    def rows(self, model: str, domain: Sequence[Any], fields: Sequence[str], **given: Any) -> list[Doc]:
        """The records of a search."""
        found: list[Doc] = self.search(model, domain, fields, **given).body
        return found

    def read(self, resource: str, cursor: Cursor | None = None) -> Iterator[Page]:
        """Pages from the cursor on; a cursor is ``{at, windows, whole}`` (watched.py)."""
        self.facts(resource)
        return pages(
            WATCHES[resource], cursor, stamp=STAMP, newest=self._newest,
            look=lambda watch, window: self._look(resource, watch, window),
        )  # fmt: skip

    def _newest(self, model: str) -> datetime | None:
        found = self.rows(model, [], [], limit=1, order=f"{STAMP} desc")
        return moment(found[0][STAMP]) if found else None

    def _look(self, resource: str, watch: Watch, window: Window) -> Seen:
        """What changed of a model in a window, from its position on: by id at first, then second by second."""
        facts, position = self.facts(resource), window.position or {}
        own = watch == WATCHES[resource][0]
        stock = resource == "stock"
        fields = self._fields(resource) if own and not stock else [watch.names]
        domain: list[Any] = list(ONLY.get(resource, [])) if own else []
        order, at = "id", position.get("at")
        if window.since is None:
            domain.append(["id", ">", position.get("id", 0)])
        elif at is not None:
            domain += [[STAMP, ">=", at], [STAMP, "<", after(at)], ["id", ">", position["id"]]]
        else:
            since = position.get("from") or naive(window.since - timedelta(seconds=facts.lag))
            domain.append([STAMP, ">=", since])
            order = f"{STAMP}, id"
        answer = self.search(watch.model, domain, fields, limit=facts.page_size, order=order)
        rows: list[Doc] = answer.body
        full, following = len(rows) == facts.page_size, dict[str, Any]()
        if window.since is None:
            following = {"id": rows[-1]["id"]} if full else {}
        elif at is not None:
            following = {"at": at, "id": rows[-1]["id"]} if full else {"from": after(at)}
        elif full:
            last = rows[-1][STAMP]
            rows = [row for row in rows if row[STAMP] != last]
            following = {"from": last} if rows else {"at": last, "id": 0}
        if own:
            docs = whole(self, resource, rows)
        else:
            docs = self.documents_of(resource, [["id" if watch.via == "" else watch.via, "in", _named(rows, watch)]])
        return Seen(rows=rows, docs=docs, position=following or None, asked_at=answer.asked_at, began=answer.began)

    def documents_of(self, resource: str, domain: list[Any]) -> list[Doc]:
        """The resource's documents that a domain finds."""
        if domain and domain[0][1] == "in" and not domain[0][2]:
            return []
        model = self.facts(resource).path
        return whole(self, resource, self.rows(model, [*ONLY.get(resource, []), *domain], self._fields(resource)))

    def _fields(self, resource: str) -> list[str]:
        return [*FIELDS[self.facts(resource).path], *(self.options.get("fields") or {}).get(resource, ())]

    def fetch(self, resource: str, ids: Sequence[str]) -> Mapping[str, Doc | None]:
        """Every id asked for, once; None: Odoo has no such record, or it is not of this resource."""
        self.facts(resource)
        found: dict[str, Doc | None] = dict.fromkeys(ids)
        heads = {id.partition("@")[0] for id in found}
        wanted = sorted(int(one) for one in heads if one.isdecimal() and len(one) < 19)
        for doc in self.documents_of(resource, [["id", "in", wanted]]):
            if str(doc["id"]) in found:
                found[str(doc["id"])] = doc
        return found

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order. Raises RetryLater or Misconfigured when the rest was not sent."""
        facts = self.facts(resource)
        for write in writes:
            if getattr(facts, write.op) is None:
                raise Misconfigured(f"{self.channel}: {resource} takes no {write.op}; archive with an update instead")
            yield self._tried(resource, write)

    def _tried(self, resource: str, write: Write) -> Receipt:
        self.writing = f"{resource}/{write.key}"
        try:
            return self._writer.done(resource, write)
        except Refused as fault:
            return Receipt(outcome="rejected", id=write.id, detail=str(fault))
        except (Unsure, ShapeChanged) as fault:
            return Receipt(outcome="unknown", id=write.id, detail=str(fault))
        except ValueError as fault:
            return Receipt(outcome="rejected", id=write.id, detail=f"{self.channel}: {fault}")
        finally:
            self.writing = None

    def settle(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """By our reference or the document's id; what was begun and not ended may be sent again: it is found then."""
        self.facts(resource)
        for write in writes:
            yield self._writer.settled(resource, write)

    # ── notices ──────────────────────────────────────────────────────────────────────────────────────────────────

    def subscribe(self, url: str) -> None:
        """Afterwards automation rules of Odoo (17 or newer) post to the address, with our key in it; needs the right to
        administer Odoo. Calling it again changes nothing. Raises Misconfigured for 16, whose rules post nothing."""
        if self.version < 17:
            raise Misconfigured(
                f"{self.channel}: automation rules of Odoo {self.version} post nothing; rely on schedule and reconcile"
            )
        told = f"{url}?key={quote(self.ports.secrets.get('hook_secret'), safe='')}"
        there = {
            head(row["model_id"]) for row in self.rows("ir.actions.server", [["webhook_url", "=", told]], ["model_id"])
        }
        wanted = ["stock.quant", *dict.fromkeys(facts.path for name, facts in RESOURCES.items() if name != "stock")]
        models = {row["model"]: row["id"] for row in self.rows("ir.model", [["model", "in", wanted]], ["model"])}
        for model in wanted:
            if model not in models or models[model] in there:
                continue
            fields = self.rows("ir.model.fields", [["model", "=", model], ["name", "in", list(HOOKED)]], ["name"])
            own = {"name": f"Serai: {model}", "model_id": models[model]}
            post = {
                **own,
                "state": "webhook",
                "webhook_url": told,
                "webhook_field_ids": [[6, 0, [f["id"] for f in fields]]],
            }
            rule = {**own, "trigger": "on_create_or_write", "action_server_ids": [[0, 0, post]]}
            self.result("base.automation", "create", None, [rule])

    def receive(self, request: Request) -> Received:
        """A post of an automation rule (`Send Webhook Notification`, since 17) names record and model; it is unsigned,
        so that the address carries a secret, and only says where to look. Raises Forged."""
        given = request.query.get("key", "")
        names = [name for name in (self.options.get("secrets") or {}) if name.startswith("hook_secret")]
        if not any(hmac.compare_digest(given.encode(), self.ports.secrets.get(name).encode()) for name in names):
            raise Forged(f"{self.channel}: the address has not the key of this channel")
        try:
            told = decoded(request.body)
        except ValueError:
            told = None
        if not isinstance(told, dict) or not isinstance(told.get("_id"), int):
            raise Forged(f"{self.channel}: not the body of an automation rule")
        model, id = str(told.get("_model", "")), str(told["_id"])
        if model == "stock.quant":
            found, id = ["stock"], f"{told.get('product_id')}@{told.get('warehouse_id')}"
        else:
            found = [name for name, facts in self.resources.items() if facts.path == model and name != "stock"]
        at = min(moment(told.get(STAMP)) or request.at, request.at)
        notices = [Notice(delivery=f"{name}/{id}/{iso(at)}", resource=name, id=id, at=at) for name in found]
        return Received(notices=notices)


def _named(rows: Sequence[Doc], watch: Watch) -> list[int]:
    """The ids that these rows name, each once."""
    found: dict[int, None] = {}
    for row in rows:
        value = row["id"] if watch.via else row.get(watch.names)
        id = value if isinstance(value, int) and not isinstance(value, bool) else head(value)
        if id is not None:
            found[id] = None
    return list(found)
