"""Vendure 3 over its admin API, a GraphQL server of another kind than Shopify: catalogue, stock, customers, orders.

What surprises here (seen on Vendure 3.7.3 with PostgreSQL, 2026-11-22):

* No order moves its ``updatedAt`` when it is placed, paid, sent, delivered or refunded; only a cancellation does. So
  each read asks for the orders placed in the last ``orders_days`` (30) again; older ones are the reconcile scan's.
  Nor does an order move the stamps of the variants whose stock it allocates: stock is a full scan.
* A variant created with ``prices`` costs 0 all the same, and 0 and negative prices are taken: let a channel receive
  prices before stock, as nothing can be bought while there is none.
* Money is whole minor units, two digits by default (``moneyStrategyPrecision``, checked); of a price only the channel
  knows whether it holds the tax. Line totals are not the rounded unit price times the quantity.
* A failure inside is HTTP 200 with ``errors`` and, when it comes from the database, without a code; what a mutation
  declines is its payload, of another type with ``errorCode``. A batch of variants is all or nothing.
* A second product with the same slug becomes ``slug-2``, a second variant with the same SKU is taken: we look first
  (P2). Two variants of a product must differ in an option; ours is ``Article`` and its values are SKUs.
* Stock is set per location and absolutely: what is allocated to orders is added here. Setting it moves the variant.
* E-mails are stored in lower case, and those of guests are taken too: a second customer of that address is refused.
* The filter ``after`` excludes the stamp itself. Deleted rows vanish from every list. There are no outbound webhooks.
* API keys (3.6) want ``api-key`` among the server's ``authOptions.tokenMethod``, and may not ask what they may do
  (``me`` is forbidden to them).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from msgspec import structs

from connectors import graphql, vendure_facts as facts_of, vendure_writes as written
from connectors.answers import AWAY, Answer, Unsure
from connectors.base import Cursor, Doc, Page, Receipt, Resource, Write
from connectors.errors import Misconfigured, RetryLater
from connectors.paging import Position, at
from connectors.rest import Rest
from connectors.scan import pages
from connectors.verified import Verified
from connectors.writes import NOT_FOUND, referenced, settled

TRANSIENT = ("deadlock", "serialize", "timeout", "terminat", "connection", "too many clients")


class _Graph(graphql.Graph):
    def failure(self, where: str, answer: Answer, errors: Sequence[Any]) -> Exception:
        """As everywhere, but what the database said comes without a code."""
        said = " ".join(str(at(row, "message")) for row in errors if "code" not in (row.get("extensions") or {}))
        if any(word in said.lower() for word in TRANSIENT):
            return Unsure(f"{where}: Vendure's database is in trouble ({self.clean(said)})", after=AWAY)
        return super().failure(where, answer, errors)


class Vendure(Rest):
    """One channel of a Vendure server. ``url`` is its address without ``/admin-api``, the secret ``key`` an API key.

    Options: ``page_size`` (an upper bound), ``lag`` (60), ``orders_days`` (30; see above).
    """

    platform = "vendure"
    verified = Verified(
        when="2026-11", simulator="of what 3.7.3 does with products and customers", real="Vendure 3.7.3"
    )
    scopes = facts_of.SCOPES
    resources = facts_of.RESOURCES
    auth: Mapping[str, str] = {"scheme": "header_key", "token": "key", "header": "vendure-api-key"}

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.resources = facts_of.adjusted(self.options)
        self._own: Doc | None = None
        self._graph = _Graph(
            path="/admin-api", exchange=self.exchange, clean=self.clean, remedy=self._remedy,
            budget=self.ports.budget, where=self.channel,
        )  # fmt: skip

    def check(self) -> None:
        """Reads the channel; raises Misconfigured where its money has other than two digits."""
        found = self._graph.question(facts_of.CHECK, {}).body["data"]
        digits = found["globalSettings"]["serverConfig"]["moneyStrategyPrecision"]
        if digits != 2:
            raise Misconfigured(f"{self.channel}: Vendure's money has {digits} digits; Serai knows it with 2 only")
        self._own = found["activeChannel"]

    def _home(self) -> Doc:
        """The channel's language, currency, and whether its prices hold the tax."""
        if self._own is None:
            self._own = self._graph.question(facts_of.HOME, {}).body["data"]["activeChannel"]
        return self._own

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, resource: str, cursor: Cursor | None = None) -> Iterator[Page]:
        """Pages from the cursor on; a cursor is ``{since, seen, until, position, form}`` (window.py)."""
        facts = self.facts(resource)
        return pages(
            facts,
            cursor,
            ask=self._graph.paged(facts_of.LISTS[resource], lambda params: facts_of.page(facts, params)),
            documents=lambda answer: self._documents(resource, self.documents(facts, answer)),
            params=self.parameters(resource),
            following=lambda position, answer, docs: self.following(facts, position, answer, docs),
            where=f"{self.channel}: {resource}",
        )

    def following(self, facts: Resource, position: Position, answer: Answer, docs: Sequence[Doc]) -> Position | None:
        """The position after an answer, counted in the rows of the list, not in the documents made of them."""
        return super().following(facts, position, answer, self.documents(facts, answer))

    def _documents(self, resource: str, rows: Sequence[Doc]) -> list[Doc]:
        gross = resource == "prices" and bool(self._home()["pricesIncludeTax"])
        return facts_of.documents(resource, rows, gross=gross)

    def _rows(self, resource: str, field: str, values: Sequence[str]) -> list[Doc]:
        """The rows of a resource's list whose field is one of these values, 50 values at a time."""
        found: list[Doc] = []
        for start in range(0, len(values), 50):
            asked = facts_of.of_values(field, values[start : start + 50])
            answer = self._graph.question(facts_of.LISTS[resource], asked)
            found += self.documents(self.facts(resource), answer)
        return found

    def fetch(self, resource: str, ids: Sequence[str]) -> Mapping[str, Doc | None]:
        """Every id asked for, once; None: Vendure has no such document, or no longer."""
        self.facts(resource)
        found: dict[str, Doc | None] = dict.fromkeys(ids)
        heads = list(dict.fromkeys(id.partition("@")[0] for id in found))
        for doc in self._documents(resource, self._rows(resource, "id", heads)):
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
        found = self._earlier(resource, facts, writes)
        fresh = [write for write in writes if write.key not in found]
        parts = [rows for _, some in groupby(fresh, lambda w: w.op) for rows in _batches(list(some), facts.batch)]
        answered: Iterator[Receipt] = (
            map(self._sent, fresh) if resource == "shipments"
            else self._graph.write(self._call(resource, facts, part) for part in parts)
        )  # fmt: skip
        for write in writes:
            yield found[write.key] if write.key in found else next(answered)

    def _earlier(self, resource: str, facts: Resource, writes: Sequence[Write]) -> Mapping[str, Receipt]:
        """Receipts of creates that are tried again and were carried out the first time (P2)."""
        if facts.reference is None:
            return {}
        again = [write for write in writes if write.op == "create" and write.attempt > 1]
        looked = self._asked(lambda: {write.key: self._found(resource, write) for write in again})
        return {key: receipt for key, receipt in looked.items() if receipt.outcome == "applied"}

    def _asked(self, question: Callable[[], Any]) -> Any:
        """The answer to what must be known before a write; its failure means that nothing was sent."""
        try:
            return question()
        except Unsure as fault:
            problem = RetryLater(str(fault), after=fault.after)
        raise problem

    def _call(self, resource: str, facts: Resource, part: Sequence[Write]) -> tuple[graphql.Mutation, Sequence[Write]]:
        """The call that carries these writes; what it needs to know is asked before."""
        told = [structs.replace(write, doc=referenced(facts, write)) for write in part]
        if resource in ("stock", "customers"):
            language, gross = "", False  # nobody asks
        else:
            home = self._asked(self._home)
            language, gross = str(home["defaultLanguageCode"]), bool(home["pricesIncludeTax"])
        if resource == "variants" and part[0].op == "create":
            options = self._asked(lambda: self._options(told, language))
            told = [structs.replace(w, doc={**w.doc, "optionIds": options.get(_article(w), [])}) for w in told]
        if resource == "stock":
            held = self._asked(lambda: self.fetch("stock", [str(facts_of.place_of("stock", w.doc)) for w in told]))
            told = [structs.replace(w, doc=written.on_hand(w.doc, held)) for w in told]
        if resource == "prices":
            told = [structs.replace(w, doc=written.chosen(w.doc, gross=gross)) for w in told]
        return written.mutation(resource, part[0].op, language=language, gross=gross), told

    def _options(self, writes: Sequence[Write], language: str) -> Mapping[tuple[str, str], list[str]]:
        """(product, SKU) → the option that a new variant gets; afterwards the product has it."""
        found: dict[tuple[str, str], list[str]] = {}
        for product in dict.fromkeys(str(write.doc["productId"]) for write in writes):
            skus = list(dict.fromkeys(sku for of, sku in map(_article, writes) if of == product))
            held = self._graph.question(facts_of.OPTIONS, {"id": product}).body["data"]["product"]
            if held is None:
                continue
            code = written.OPTION_CODE.format(product)
            group = next((group for group in held["optionGroups"] if group["code"] == code), None)
            if group is None:
                group = self._graph.question(written.GROUP, written.group(code, skus, language)).body["data"]["made"]
                self._graph.question(written.ADD_GROUP, {"product": product, "group": group["id"]})
            there = {option["code"]: str(option["id"]) for option in group["options"]}
            for sku in skus:
                if sku not in there:
                    row = {"productOptionGroupId": group["id"], **written.named(sku, sku, language)}
                    there[sku] = self._graph.question(written.OPTION, {"input": row}).body["data"]["made"]["id"]
                found[product, sku] = [there[sku]]
        return found

    def _sent(self, write: Write) -> Receipt:
        """A fulfilment, found or made, then marked as shipped."""
        order = self._asked(lambda: self._rows("shipments", "id", [str(write.doc["orderId"])]))
        found = written.same_parcel(write.doc, order[0]) if order else None
        if found is None:
            lines = write.doc.get("lines") or (written.unsent(order[0]) if order else [])
            write = structs.replace(write, doc={**write.doc, "lines": lines})
            (made,) = self._graph.write([(written.FULFIL, [write])])
            if made.outcome != "applied" or made.doc is None:
                return made
            found = made.doc
        id = f"{write.doc['orderId']}@{str(found['id']).rpartition('@')[2]}"
        if found["state"] == "Pending":
            (sent,) = self._graph.write([(written.SHIP, [structs.replace(write, id=id)])])
            return sent
        return Receipt(outcome="applied", id=id, doc={**found, "id": id, "orderId": write.doc["orderId"]})

    def settle(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order: what has an id, or names its place, by its document; else by reference."""
        facts = self.facts(resource)
        ids = {write.key: write.id or facts_of.place_of(resource, write.doc) for write in writes}
        held = self.fetch(resource, [id for id in ids.values() if id is not None])
        for write in writes:
            id = ids[write.key]
            if resource == "shipments" or id is None:
                yield self._found(resource, write)
            else:
                prices = resource == "prices"
                doc = written.chosen(write.doc, gross=bool(self._home()["pricesIncludeTax"])) if prices else write.doc
                told = structs.replace(write, id=id, doc=facts_of.as_held(resource, doc))
                yield settled(facts, told, held[id])

    def _found(self, resource: str, write: Write) -> Receipt:
        """What became of a create: by slug, SKU within its product, e-mail, or the parcels of its order."""
        facts = self.facts(resource)
        if resource == "shipments":
            order = self._rows(resource, "id", [str(write.doc["orderId"])])
            part = written.same_parcel(write.doc, order[0]) if order else None
            docs = [] if part is None or part["state"] == "Pending" else [facts_of.shipment_doc(order[0], part)]
        else:
            name = str(facts.reference)
            value = str(referenced(facts, write).get(name))
            rows = self._rows(resource, name, [value.lower() if name == "emailAddress" else value])
            docs = [row for row in rows if resource != "variants" or row["productId"] == str(write.doc["productId"])]
        if not docs:
            return Receipt(outcome="rejected", detail=NOT_FOUND + "no document carries our reference")
        return Receipt(outcome="applied", id=str(docs[0]["id"]), doc=docs[0])


def _article(write: Write) -> tuple[str, str]:
    return str(write.doc["productId"]), str(write.doc["sku"])


def _batches(writes: Sequence[Write], size: int) -> Iterator[Sequence[Write]]:
    yield from (writes[start : start + size] for start in range(0, len(writes), size))
