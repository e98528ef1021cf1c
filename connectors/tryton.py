"""Tryton 8 over JSON-RPC: a shop's articles, stock and prices out of it, customers and sales into it.

What surprises here (seen on trytond 8.0.12, November 2026):

* A failure is HTTP 200 with ``{"error": [kind, …]}``; 401 without a word is a session that ended. A session is shared
  by all workers.
* A stamp is the *start* of the transaction, so a row committed late lies behind the watermark: ``lag`` must be longer
  than the longest transaction. ``last_modified_at`` (new in 8.0) is ``write_date``, or ``create_date`` before the
  first write; ``write_date`` alone is null until then. Several rows share a stamp, so paging is by (stamp, id).
* A change often moves another record's stamp: a template's price leaves its products' alone, a stock move leaves the
  product alone. `WATCHES` names the models whose changes mean that a document changed (watched.py).
* Prices are null without ``company`` in the context, quantities 0 without ``locations``, archived records are hidden
  unless the domain names ``active``; one missing id makes ``read`` fail for all, so ids are searched, never read.
* An address's ``street`` is rendered by its country's format and comes back as ``{unit_number}`` where that asks for
  parts nobody filled in; ``street_unstructured`` is what was written.
* With a warehouse in ``locations`` the quantity counts its input zone too, ``forecast_quantity`` deliveries still to
  come. A shipment's goods lie in the output zone from *picked* on and leave it when it is *done*, though the carrier
  has them when it is *shipped*. So a stock document tells apart what lies in the storage zone (``stored``) and what
  waits picked for the carrier (``waiting``): together they are what is on hand.
* Money is a tagged Decimal, a quantity a binary float; tags are removed here (`plain`) and put on (`tagged`). A field
  ``template.name`` comes back under ``"template."``; it takes the place of the bare id.
* Quoting a sale needs an invoice address. Confirming processes it at once unless Tryton is told to wait.
* A sale's ``reference`` is searched for, but not unique: we look for ours before creating (promise P2).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.answers import AWAY, Answer, Unsure, masked, trouble
from connectors.auth import secret
from connectors.base import Cursor, Doc, Page, Receipt, Write
from connectors.errors import ConnectorError, Misconfigured, RetryLater, ShapeChanged
from connectors.rest import Rest
from connectors.tryton_facts import (
    ALSO_ARCHIVED,
    DRAFTS,
    FIELDS,
    ONLY,
    RESOURCES,
    STAMP,
    TRANSIENT,
    WATCHES,
    address_parts,
    adjusted,
    as_sent,
    behind,
    expected,
    named_by,
    plain,
    sale_line,
    tagged,
)
from connectors.verified import Verified
from connectors.watched import Seen, Watch, pages
from connectors.window import Window, moment
from connectors.writes import NOT_FOUND, reference_of, settled


class Refused(Misconfigured):
    """Tryton did not do it and says why; the transaction was rolled back."""


class Tryton(Rest):
    """One company of a Tryton database. ``url`` ends in the database's name, secrets are ``user`` and ``password``.

    Options: ``lag`` (300; seconds of overlap), ``page_size`` (200), ``company`` (the user's own), ``warehouse`` (code
    of the one that orders without a place are shipped from; Tryton wants one as soon as there are two).
    """

    platform = "tryton"
    verified = Verified(
        when="2026-11", simulator="of what trytond 8.0.12 does with parties", real="trytond 8.0.12 on PostgreSQL 15"
    )
    resources = RESOURCES
    auth: Mapping[str, str] = {"scheme": "session", "user": "user", "password": "password"}

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.resources = adjusted(RESOURCES, self.options)

    # ── session and calls ────────────────────────────────────────────────────────────────────────────────────────

    def proof(self, refused: str | None = None) -> Mapping[str, str]:
        """The session's header; a new session where there is none, or the one there was has ended."""
        version, kept = self.ports.tokens.load()
        if "session" not in kept or refused == f"Session {kept['session']}":
            kept = self._named(lambda: self._logged_in(version))
        return {"Authorization": f"Session {kept['session']}"}

    def _logged_in(self, version: int) -> Mapping[str, str]:
        user, password = secret(self.auth, "user", self.ports), secret(self.auth, "password", self.ports)
        # the session is short-lived and ours: `lang` decides nothing but the text of refusals
        opening = self._posted("common.db.login", [user, {"password": password}, "en"], {})
        result = opening.body.get("result") if isinstance(opening.body, dict) else None
        if not isinstance(result, list) or len(result) < 2:
            raise Misconfigured("Tryton refuses the user or password; set secrets `user` and `password` again")
        session = base64.b64encode(f"{user}:{result[0]}:{result[1]}".encode()).decode()
        own = self._posted("model.res.user.get_preferences", [True, {}], {"Authorization": f"Session {session}"})
        preferences = own.body.get("result") if isinstance(own.body, dict) else None
        company = self.options.get("company") or (preferences or {}).get("company")
        if company is None:
            raise Misconfigured("the user has no company; give it one in Tryton (its prices and sales belong to one)")
        kept = {
            "session": session,
            "company": str(company),
            "language": str((preferences or {}).get("language") or "en"),
        }
        return kept if self.ports.tokens.swap(version, kept) else self.ports.tokens.load()[1]

    def _posted(self, method: str, params: Sequence[Any], proof: Mapping[str, str]) -> Answer:
        answer = self._send(
            "POST", self._target("/rpc/"), body={"id": 1, "method": method, "params": params}, proof=proof
        )
        problem = self._trouble(method, answer)
        if problem is not None and not (proof and answer.status == 401 and answer.body is None):
            raise problem
        return answer

    def _trouble(self, method: str, answer: Answer) -> ConnectorError | None:
        return trouble(f"{self.channel}: {method}", answer, self.clean, self._remedy)

    def ask(self, method: str, *params: Any, **context: Any) -> Answer:
        """The answer whose ``result`` is what the method returned, in the company's context.

        Raises Refused (Tryton says no), Misconfigured (Tryton failed), RetryLater, Unsure and ShapeChanged.
        """
        proof = self.proof()
        kept = self.ports.tokens.load()[1]
        settings = {"company": int(kept["company"]), "language": kept["language"], **context}
        sent = [*map(tagged, params), settings]
        answer = self._posted(method, sent, proof)
        if answer.status == 401:
            proof = self.proof(refused=proof["Authorization"])
            answer = self._posted(method, sent, proof)
            problem = self._trouble(method, answer)
            if problem is not None:
                raise problem
        if not answer.ok:
            raise Misconfigured(
                f"{self.channel}: {method}: HTTP {answer.status}; does `url` end in the database's name?"
            )
        body = answer.body
        if isinstance(body, dict) and isinstance(body.get("error"), list) and body["error"]:
            raise self._refusal(method, body["error"])
        if not isinstance(body, dict) or "result" not in body:
            raise ShapeChanged(f"{self.channel}: {method}: the answer has neither `result` nor `error`")
        return answer

    def result(self, method: str, *params: Any, **context: Any) -> Any:
        """What the method returned, without tags; raises like `ask`."""
        return plain(self.ask(method, *params, **context).body["result"])

    def _refusal(self, method: str, error: Sequence[Any]) -> RetryLater | Misconfigured:
        kind, rest = str(error[0]), error[1] if len(error) > 1 else ""
        if kind in ("UserError", "UserWarning", "LoginException", "ConcurrencyException"):
            parts = rest if isinstance(rest, list) else [rest]
            text = " ".join(str(part) for part in parts if isinstance(part, str) and part)
            if kind == "ConcurrencyException":
                text += " (it holds another version than we expected)"
            return Refused(f"{self.channel}: {method}: Tryton refuses: {self.clean(text)}")
        if any(word in kind.lower() for word in TRANSIENT):
            return RetryLater(f"{self.channel}: {method}: Tryton's database is busy ({self.clean(kind)})", after=AWAY)
        return Refused(
            f"{self.channel}: {method}: Tryton failed ({self.clean(kind)}); are its modules installed and of 8.0?"
        )

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def clean(self, text: str) -> str:
        """What Tryton said, without user and password, which only the log-in carries."""
        return masked(super().clean(text), [self.ports.secrets.get(name) for name in ("user", "password")])

    def check(self) -> None:
        """Logs in and asks for one location, as every other call needs both."""
        self._rows("stock.location", [], ["name"], limit=1)

    def read(self, resource: str, cursor: Cursor | None = None) -> Iterator[Page]:
        """Pages from the cursor on; a cursor is ``{at, windows, whole}`` (watched.py)."""
        self.facts(resource)
        return pages(
            WATCHES[resource], cursor, stamp=STAMP, newest=self._newest,
            look=lambda watch, window: self._look(resource, watch, window),
        )  # fmt: skip

    def _newest(self, model: str) -> datetime | None:
        rows = self._rows(model, [], [STAMP], limit=1, order=[[STAMP, "DESC"]])
        return moment(rows[0][STAMP]) if rows else None

    def _look(self, resource: str, watch: Watch, window: Window) -> Seen:
        """What changed of a model in a window; what is more than its row (stock) is read by its id."""
        facts = self.facts(resource)
        own = watch.model == facts.path
        told = own and resource != "stock"
        domain = [*(ONLY.get(resource, []) if own else []), *behind(window, facts.lag)]
        answer = self._searched(
            watch.model, domain, FIELDS[resource] if told else [watch.names], limit=facts.page_size,
            order=[[STAMP, "ASC"], ["id", "ASC"]], **({} if own else {"active_test": False}),
        )  # fmt: skip
        rows = plain(answer.body["result"])
        return Seen(
            rows=rows,
            docs=rows if told else self._documents(resource, named_by(rows, watch.names)),
            position={"stamp": rows[-1][STAMP], "id": rows[-1]["id"]} if len(rows) == facts.page_size else None,
            asked_at=answer.asked_at,
            began=answer.began,
        )

    def _searched(self, model: str, domain: list[Any], fields: Sequence[str], *, limit: int | None = None,
                  order: list[Any] | None = None, **context: Any) -> Answer:  # fmt: skip
        wanted = [*fields, STAMP, "_timestamp"]
        answer = self.ask(f"model.{model}.search_read", domain, 0, limit, order or [["id", "ASC"]], wanted, **context)
        rows = answer.body["result"]
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
            raise ShapeChanged(f"{self.channel}: {model}: no list of records at `result`")
        return answer

    def _rows(self, model: str, domain: list[Any], fields: Sequence[str], **given: Any) -> list[Doc]:
        rows: list[Doc] = plain(self._searched(model, domain, fields, **given).body["result"])
        return rows

    def _documents(self, resource: str, ids: Sequence[int]) -> list[Doc]:
        """The resource's documents of these ids; those it does not hold are left out."""
        if not ids:
            return []
        model = self.facts(resource).path
        docs = self._rows(model, [["id", "in", list(ids)], *ONLY.get(resource, [])], FIELDS[resource])
        return docs if resource != "stock" else self._stock(docs)

    def _stock(self, products: Sequence[Doc]) -> list[Doc]:
        """Per product and warehouse what lies in its storage zone, and what waits picked in its output zone."""
        units = {product["id"]: product["default_uom"] for product in products}
        ids, found = list(units), list[Doc]()
        if not ids:
            return []
        for warehouse in self._rows("stock.location", ONLY["locations"], FIELDS["locations"]):
            stored = self._lying(ids, warehouse["storage_location"])
            waiting = self._lying(ids, warehouse["output_location"])
            gone = [
                ["state", "in", ["draft", "assigned"]],
                ["product", "in", ids],
                ["from_location", "child_of", [warehouse["output_location"]], "parent"],
                ["shipment.state", "=", "shipped", "stock.shipment.out"],
            ]
            for move in self._rows("stock.move", gone, ["product", "internal_quantity"]):
                waiting[move["product"]] -= Decimal(move["internal_quantity"])
            for id, unit in units.items():
                place = {"id": f"{id}@{warehouse['id']}", "product": id, "warehouse": warehouse["id"]}
                found.append({**place, "stored": stored[id], "waiting": waiting[id], "default_uom": unit})
        return found

    def _lying(self, ids: Sequence[int], location: int) -> dict[int, Decimal]:
        """Product → how much of it lies at a location and in its parts."""
        domain = [["id", "in", list(ids)], ALSO_ARCHIVED]
        rows = self._rows("product.product", domain, ["quantity"], locations=[location], with_childs=True)
        return dict.fromkeys(ids, Decimal(0)) | {row["id"]: Decimal(row["quantity"]) for row in rows}

    def fetch(self, resource: str, ids: Sequence[str]) -> Mapping[str, Doc | None]:
        """Every id asked for, once; None: Tryton has no such record (or it is not of this resource)."""
        found: dict[str, Doc | None] = dict.fromkeys(ids)
        heads = {id.partition("@")[0] for id in found}
        for doc in self._documents(resource, sorted(int(head) for head in heads if head.isdigit())):
            if str(doc["id"]) in found:
                found[str(doc["id"])] = doc
        return found

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order. Raises RetryLater or Misconfigured when the rest was not sent."""
        work = self.works.get(resource)
        for write in writes:
            if work is None or write.op == "delete":
                raise Misconfigured(
                    f"{self.channel}: {resource} takes no {write.op}; Serai writes {' and '.join(self.works)} here"
                )
            yield self._tried(work, write)

    @property
    def works(self) -> Mapping[str, Callable[[Write], Receipt]]:
        """Resource → what a write of it takes."""
        return {"orders": self._placed, "customers": self._kept_customer}

    def _tried(self, work: Callable[[Write], Receipt], write: Write) -> Receipt:
        try:
            return work(write)
        except Refused as fault:
            return Receipt(outcome="rejected", id=write.id, detail=str(fault))
        except (Unsure, ShapeChanged) as fault:
            return Receipt(outcome="unknown", id=write.id, detail=str(fault))
        except ValueError as fault:
            return Receipt(outcome="rejected", id=write.id, detail=f"{self.channel}: {fault}")

    def settle(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """By our reference or the document's id. A sale that is still a draft may be sent again: it is found then."""
        facts = self.facts(resource)
        held = self.fetch(resource, [write.id for write in writes if write.id is not None])
        for write in writes:
            if write.id is not None:
                yield settled(facts, write, as_sent(held[write.id]))
                continue
            found = self._by_key(resource, reference_of(facts, write))
            if found is None:
                yield Receipt(outcome="rejected", detail=NOT_FOUND + "no record carries our reference")
            elif resource == "orders" and found["state"] in DRAFTS and write.doc.get("state") != found["state"]:
                yield Receipt(outcome="rejected", detail=f"{NOT_FOUND}sale {found['id']} was created but not confirmed")
            else:
                yield Receipt(outcome="applied", id=str(found["id"]), doc=found)

    def _by_key(self, resource: str, key: str) -> Doc | None:
        """The oldest record that carries our reference."""
        facts = self.facts(resource)
        found = self._rows(facts.path, [[facts.reference, "=", key]], FIELDS[resource], limit=1)
        return found[0] if found else None

    def _receipt(self, resource: str, id: int) -> Receipt:
        try:
            doc = next(iter(self._documents(resource, [id])), None)
        except (RetryLater, ShapeChanged):
            doc = None  # what was written is written; the next read completes the picture
        return Receipt(outcome="applied", id=str(id), doc=doc)

    def _placed(self, write: Write) -> Receipt:
        """A sale, found by our reference or created, then led to the state that the document asks for."""
        doc, wanted = write.doc, write.doc.get("state", "processing")
        if write.op == "update":
            return self._changed_sale(write)
        found = self._by_key("orders", write.key)
        if found is None:
            values = self._sale(doc, write.key)
            id, state = self.result("model.sale.sale.create", [values])[0], "draft"
        else:
            id, state = found["id"], found["state"]
        while state in DRAFTS and state != wanted:
            self.result(f"model.sale.sale.{DRAFTS[state]}", [id])
            state = "quotation" if state == "draft" else "confirmed"
        return self._receipt("orders", id)

    def _changed_sale(self, write: Write) -> Receipt:
        """A placed sale only takes its cancellation, as long as it is not confirmed; the rest is a person's."""
        found = next(iter(self._documents("orders", [int(str(write.id))])), None)
        if found is None:
            return Receipt(outcome="rejected", id=write.id, detail=f"sale {write.id} does not exist")
        if write.doc.get("state") == "cancelled" and found["state"] != "cancelled":
            self.result("model.sale.sale.cancel", [found["id"]], _timestamp=expected("sale.sale", write))
            return self._receipt("orders", found["id"])
        sent = {line["note"]: Decimal(line["quantity"]) for line in write.doc.get("lines", [])}
        held = {line["note"]: Decimal(line["quantity"]) for line in found["lines"] if line["note"] is not None}
        if any(held.get(note) != quantity for note, quantity in sent.items()):
            detail = f"sale {found['number'] or found['id']} is {found['state']}; change its lines in Tryton"
            return Receipt(outcome="rejected", id=write.id, detail=detail)
        return Receipt(outcome="applied", id=write.id, doc=found)

    def _sale(self, doc: Doc, key: str) -> Doc:
        """The values of a new sale; its addresses are the party's, units and taxes that are not given the article's."""
        party = int(doc["party_id"])
        address = self._address(party, doc.get("address") or {})
        lines = [*doc["lines"], *([doc["delivery"]] if doc.get("delivery") is not None else [])]
        bare = {int(line["product_id"]) for line in lines if "unit_id" not in line or "tax_ids" not in line}
        own = {article["id"]: article for article in self._documents("variants", sorted(bare))}
        warehouse = doc.get("warehouse_id")
        return {
            "reference": key,
            "description": doc.get("description"),
            "party": party,
            "currency": self._one("currency.currency", "code", doc["currency_code"]),
            "warehouse": self._warehouse() if warehouse is None else int(warehouse),
            "invoice_address": address,
            "shipment_address": address,
            "lines": [["create", [sale_line(line, own.get(int(line["product_id"]), {})) for line in lines]]],
        }

    def _warehouse(self) -> int | None:
        """Where an order that names no place is shipped from: the option's, else Tryton's only one."""
        code = self.options.get("warehouse")
        return None if code is None else self._one("stock.location", "code", str(code))

    def _one(self, model: str, field: str, value: str) -> int:
        found = self._rows(model, [[field, "=", value]], [field], limit=1)
        if not found:
            raise Refused(f"{self.channel}: Tryton has no {model} with {field} {value}; add it there")
        return int(found[0]["id"])

    def _address(self, party: int, wanted: Doc) -> int:
        """The party's address that says the same, or else a new one; any of them where nothing is wanted."""
        held = self._rows("party.address", [["party", "=", party], ["active", "=", True]],
                          ["street_unstructured", "city", "postal_code", "country.code"])  # fmt: skip
        for row in held:
            if not wanted or address_parts(row) == address_parts(wanted):
                return int(row["id"])
        return int(self.result("model.party.address.create", [{"party": party, **self._address_values(wanted)}])[0])

    def _address_values(self, wanted: Doc) -> Doc:
        street, city, postal_code, country = address_parts(wanted)
        id = None if country is None else self._one("country.country", "code", country)
        return {"street_unstructured": street, "city": city, "postal_code": postal_code, "country": id}

    def _kept_customer(self, write: Write) -> Receipt:
        """A party with its e-mail, phone and first address as the document has them."""
        if write.op == "create":
            found = self._by_key("customers", write.key) if write.attempt > 1 else None
            if found is not None:
                return Receipt(outcome="applied", id=str(found["id"]), doc=found)
            contacts = [{"type": kind, "value": write.doc[kind]} for kind in ("email", "phone") if write.doc.get(kind)]
            values = {"name": write.doc.get("name"), "identifiers": [["create", [{"code": write.key}]]],
                      "contact_mechanisms": [["create", contacts]]}  # fmt: skip
            if write.doc.get("address"):
                values["addresses"] = [["create", [self._address_values(write.doc["address"])]]]
            return self._receipt("customers", self.result("model.party.party.create", [values])[0])
        id, values = int(str(write.id)), {}
        if "name" in write.doc:
            values["name"] = write.doc["name"]
        changes = [] if not {"email", "phone"} & set(write.doc) else self._contact_changes(id, write.doc)
        if changes:
            values["contact_mechanisms"] = changes
        if write.doc.get("address"):
            address = self._address(id, write.doc["address"])
            values["addresses"] = [["write", [address], {"sequence": 0}]]
        self.result("model.party.party.write", [id], values, _timestamp=expected("party.party", write))
        return self._receipt("customers", id)

    def _contact_changes(self, party: int, doc: Doc) -> list[Any]:
        """What makes the party's first e-mail and phone those of the document; null takes them away."""
        held = self._rows("party.contact_mechanism", [["party", "=", party], ["active", "=", True]], ["type", "value"],
                          order=[["sequence", "ASC NULLS FIRST"], ["id", "ASC"]])  # fmt: skip
        changes: list[Any] = []
        for kind in ("email", "phone"):
            first = next((row for row in held if row["type"] == kind), None)
            if kind not in doc or (None if first is None else first["value"]) == doc[kind]:
                continue
            if first is None:
                changes.append(["create", [{"type": kind, "value": doc[kind]}]])
            elif doc[kind] is None:
                changes.append(["delete", [first["id"]]])
            else:
                changes.append(["write", [first["id"]], {"value": doc[kind]}])
        return changes
