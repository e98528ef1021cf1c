"""Amazon over its Selling Partner API: listings with price and stock, orders, shipments, returns, settlements, notices.

What surprises here (Amazon's models of August 2026; threads and pages where named, looked up 2026-11-22):

* HTTP 200 to a submission says nothing: ``status`` is INVALID (a rejection) or ACCEPTED, which is processed later and
  may still end in an issue. So a submission is accepted, and settled by what the listing then says.
* A search lists 1,000 listings at most, 20 on a page: a longer list is read in windows by the moment of creation.
* Every operation has a bucket of its own; `searchOrders` allows one call in three minutes (burst 20). 429 comes without
  Retry-After: the wait is one call's share of the rate.
* A token that has ended is 403, like a missing right; only the sentence differs. It is renewed once.
* Orders 2026-01-01 want no restricted token: the application's roles decide what of a buyer is there (threads 5300 and
  5306 of amzn/selling-partner-api-models, July 2026). With the setting ``personal: token`` what is missing is asked of
  Orders v0 with one, as before.
* An order shows up to two minutes late in searches, may come twice on neighbouring pages, and has neither price nor
  buyer while it is Pending. What Amazon sends from its network (AFN) is not ours to confirm.
* Shipments are confirmed by Orders v0; 2026-01-01 only reads. With our package reference it can be said again.
* Feeds and reports lie at addresses of their own, packed; a feed takes up to 25,000 messages, one in two minutes.
* Notices stand in a queue of Amazon's cloud, which wants AWS keys of the retailer's (amazon_queue.py); without them an
  API destination (EventBridge) or a pipe may carry them to the receiver, with a key in ``x-api-key``. They are hints,
  and each is fetched.
* Reports are only made for 90 days, settlement reports by Amazon itself, about every two weeks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote, urlsplit

from msgspec import structs

from connectors import (
    amazon_facts as facts_of,
    amazon_feeds as feeds,
    amazon_notices as notices,
    amazon_queue as queues,
    amazon_reports as reports,
    amazon_writes as written,
)
from connectors.amazon_cancelling import Cancelling, is_cancelled
from connectors.answers import AWAY, Answer, Unsure, encoded, said, trouble
from connectors.base import Cursor, Doc, Notice, Page, Receipt, Received, Request, Resource, Unreadable, Write
from connectors.errors import Forged, Misconfigured, RetryLater, ShapeChanged
from connectors.limits import Limit
from connectors.paging import Position, at
from connectors.ports import LOOKING
from connectors.rest import Rest
from connectors.scan import pages
from connectors.verified import Verified
from connectors.window import iso, moment
from connectors.writes import NOT_FOUND, filled, judged as judged_by_status

FEED_FROM = 60
"""From so many writes at once on they go as one feed."""
PROCESSED = timedelta(minutes=15)
"""A submission that a listing does not show after this long is sent again."""
LONGEST = 1_000
"""A search of listings shows no more."""
LISTED = ("listings", "listing_prices", "offers")
"""Resources that are read from the list of listings."""
WINDOWS = ("createdAfter", "lastUpdatedAfter")


class Amazon(Rest):
    """One seller on one marketplace. ``url`` is the address of the region (https://sellingpartnerapi-eu.amazon.com);
    secrets: ``client_id``, ``client_secret``, ``refresh_token``; for notices ``aws_access_key_id`` and
    ``aws_secret_access_key``, or ``hook_secret`` where something carries them.

    Options: ``seller``, ``marketplace`` (their ids), ``orders_from`` (the moment from which orders are read; 30 days),
    ``personal`` (roles, token), ``queue`` (the ARN of the notices' queue), ``queue_url`` (where it is not at the
    address that follows from that), ``feed_from`` (60), ``page_size``, ``lag``.
    """

    platform = "amazon"
    verified = Verified(
        when="2026-11", contract="models of August 2026: every request; usage plans", examples="74 sandbox answers",
        simulator="stateful, its answers, notifications and queue held against the models",
    )  # fmt: skip
    limits: ClassVar[Mapping[str, Limit]] = facts_of.LIMITS

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.seller, self.marketplace = self._setting("seller"), self._setting("marketplace")
        self._restricted: dict[str, str] = {}
        self.resources = facts_of.resources(self.seller, self.marketplace, self.options)
        self._feeds = feeds.Feeds(
            seller=self.seller, marketplace=self.marketplace, where=self.channel, call=self.call, store=self.document,
            content=self._content,
        )  # fmt: skip
        self._cancelling = Cancelling(feeds=self._feeds, orders=partial(super().fetch, "orders"))
        self.auth = {
            "scheme": "oauth2", "grant": "refresh_token", "credentials": "body", "header": "x-amz-access-token",
            "token_url": str(self.options.get("token_url", facts_of.LWA)), "refresh_token": "refresh_token",
            "client_id": "client_id", "client_secret": "client_secret",
        }  # fmt: skip
        self._queue = queues.queue_of(
            channel=self.channel, base=self.url, options=self.options, ports=self.ports, post=self._signed
        )
        self.listens = self._queue is not None

    def _setting(self, name: str) -> str:
        value = self.options.get(name)
        if not isinstance(value, str) or value == "":
            raise Misconfigured(f"{self.channel}: `{name}` is missing in the channel's settings: its id at Amazon")
        return value

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────

    def bucket(self, method: str, address: str) -> str:
        """Which operation's plan a request draws on."""
        return facts_of.operation_of(method, urlsplit(address).path)

    def _send(self, method: str, target: str, **sent: Any) -> Answer:
        """What a request is answered, as other platforms would have said it: how long to wait, that a token ended."""
        answer = super()._send(method, target, **sent)
        if answer.status == 429 and "retry-after" not in answer.headers:
            limit = self.limits.get(self.bucket(method, target))
            rate = rate_of(answer.headers.get("x-amzn-ratelimit-limit")) or (None if limit is None else limit.rate)
            if rate is not None:
                return replace(answer, headers={**answer.headers, "retry-after": f"{1 / rate:.1f}"})
        if answer.status == 403 and "token" in said(answer.body) and "expired" in said(answer.body):
            return replace(answer, status=401)
        return answer

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, resource: str, cursor: Cursor | None = None) -> Iterator[Page]:
        """Pages from the cursor on; a cursor is ``{since, seen, until, position, form}`` (window.py)."""
        facts = self.facts(resource)
        return pages(
            facts,
            cursor,
            ask=self._asked,
            documents=lambda answer: self._documents(resource, facts, answer),
            params=self.parameters(resource),
            following=lambda position, answer, docs: self._onward(resource, facts, position, answer),
            where=f"{self.channel}: GET {facts.path}",
        )

    def parameters(self, resource: str) -> Mapping[str, str]:
        """The query of every read: orders from a day on, listings the oldest first."""
        found = dict(self.facts(resource).params)
        if resource in ("orders", "shipments", "cancellations"):
            start = moment(self.options.get("orders_from"))
            midnight = self.ports.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
            found["createdAfter"] = iso(midnight - timedelta(days=30) if start is None else start)
        if resource in LISTED:
            found |= {"sortBy": "createdDate", "sortOrder": "ASC"}
        return found

    def _asked(self, method: str, path: str, **sent: Any) -> Answer:
        """The answer to a page's request: what changed is not asked for together with what was created."""
        params = dict(sent.pop("params", None) or {})
        if "lastUpdatedAfter" in params:
            params.pop("createdAfter", None)
            if "sortBy" in params:
                params["sortBy"] = "lastUpdatedDate"
        return self.call(method, path, params=params, **sent)

    def _documents(self, resource: str, facts: Resource, answer: Answer) -> Sequence[Doc]:
        rows = self.documents(facts, answer)
        if resource == "shipments":
            return [row for order in rows for row in written.packages(order)]
        if resource == "cancellations":
            return [row for row in rows if is_cancelled(row)]
        if resource == "orders":
            return [self._whole(order) for order in rows]
        if resource == "returns":
            return self._named_returns(rows)
        return [self._settlement(row) for row in rows] if resource == "settlements" else rows

    def _onward(self, resource: str, facts: Resource, position: Position, answer: Answer) -> Position | None:
        """The position after an answer; a list of listings that is longer than may be shown goes on in a new window."""
        rows = self.documents(facts, answer)
        after = self.following(facts, position, answer, rows)
        bounds: Position = {name: position[name] for name in WINDOWS if name in position}
        if after is not None and "alone" in facts.paging_options:
            return {name: value for name, value in after.items() if name == facts.paging_options["param"]}
        if after is not None:
            return {**bounds, **after}
        found = answer.body.get("numberOfResults", 0)
        if resource not in LISTED or found <= LONGEST or not rows:
            return None
        changed = "lastUpdatedAfter" in dict(parse_qsl(urlsplit(answer.url).query))
        stamp = str(at(rows[-1], f"summaries.0.{'lastUpdatedDate' if changed else 'createdDate'}"))
        first = {name: value for name, value in position.items() if name == "pageSize"}
        return first | {"lastUpdatedAfter" if changed else "createdAfter": stamp}

    def fetch(self, resource: str, ids: Sequence[str]) -> Mapping[str, Doc | None]:
        """Every id asked for, once; None: Amazon says that it does not exist."""
        facts = self.facts(resource)
        wanted = list(dict.fromkeys(ids))
        if resource == "shipments":
            return self._packages(wanted)
        if resource == "cancellations":
            states = super().fetch("orders", wanted)
            return {id: doc if doc is not None and is_cancelled(doc) else None for id, doc in states.items()}
        if resource not in (*LISTED, "inventory"):
            found = super().fetch(resource, wanted)
            if resource == "returns":
                there = iter(self._named_returns([doc for doc in found.values() if doc is not None]))
                return {id: None if doc is None else next(there) for id, doc in found.items()}
            whole: Callable[[Doc], Doc] = {"orders": self._whole, "settlements": self._settlement}.get(resource, dict)
            return {id: None if doc is None else whole(doc) for id, doc in found.items()}
        known = dict(super().fetch(resource, [id for id in wanted if "," not in id]))
        for id in wanted:
            if "," in id and resource != "inventory":
                one = self.call("GET", f"{facts.path}/{quote(id, safe='')}", params=facts.params, allow=(404,))
                known[id] = one.body if one.ok else None
        return {id: known.get(id) for id in wanted}

    def _packages(self, ids: Sequence[str]) -> Mapping[str, Doc | None]:
        found: dict[str, Doc | None] = dict.fromkeys(ids)
        for order in super().fetch("orders", [id.rpartition(written.WITHIN)[0] for id in ids]).values():
            rows = () if order is None else written.packages(order)
            found.update({row["id"]: row for row in rows if row["id"] in found})
        return found

    def _whole(self, order: Doc) -> Doc:
        """The order with what Orders v0 tells of its buyer, where the settings say so and no role shows it."""
        status = at(order, "fulfillment.fulfillmentStatus")
        if self.options.get("personal") != "token" or "buyer" in order or status in ("PENDING", "PENDING_AVAILABILITY"):
            return order
        template = f"{facts_of.ORDERS_V0}/{{orderId}}"
        path = template.replace("{orderId}", quote(str(order["orderId"]), safe=""))
        target = self._target(path)
        for refused in (None, self._restricted.get("token")):
            answer = self._send("GET", target, proof={"x-amz-access-token": self._opened(template, refused)})
            if answer.status != 401:
                break
        problem = trouble(self._where("GET", path), answer, self.clean, self._remedy)
        if problem is not None:
            raise problem
        return written.with_buyer(order, at(answer.body, "payload"))

    def _named_returns(self, rows: Sequence[Doc]) -> Sequence[Doc]:
        """The returns, each with the item of its order that it is of: Amazon tells its SKU only."""
        numbers = [str(at(row, "marketplaceChannelDetails.customerOrderId")) for row in rows if written.is_back(row)]
        bought = super().fetch("orders", numbers)
        return [written.with_item(row, bought.get(number)) if written.is_back(row) else row for row in rows
                for number in (str(at(row, "marketplaceChannelDetails.customerOrderId")),)]  # fmt: skip

    def _opened(self, path: str, refused: str | None) -> str:
        """A restricted data token for a path's buyers and addresses, kept until it ends or is refused."""
        ends = moment(self._restricted.get("ends"))
        if refused is not None or ends is None or self.ports.clock.now() >= ends:
            wanted = {"method": "GET", "path": path, "dataElements": list(facts_of.PERSONAL)}
            asked = self.call("POST", facts_of.RESTRICTED, body={"restrictedResources": [wanted]})
            lives = timedelta(seconds=int(asked.body["expiresIn"]) - 60)
            self._restricted = {"token": str(asked.body["restrictedDataToken"]), "ends": iso(asked.asked_at + lives)}
        return self._restricted["token"]

    def _settlement(self, report: Doc) -> Doc:
        """The settlement report as a document."""
        id = quote(str(report.get("reportDocumentId")), safe="")
        return reports.settlement(report, self._content(f"{facts_of.REPORTS}/documents/{id}").decode("utf-8-sig"))

    def _content(self, path: str) -> bytes:
        """What lies at the address that a document's description names."""
        told = self.call("GET", path).body
        file = self.document(str(told.get("url")))
        if not file.ok:
            raise RetryLater(f"{self.channel}: GET {path}: its address has ended (HTTP {file.status})", after=AWAY)
        return reports.unpacked(file.body, told.get("compressionAlgorithm"))

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order. Raises RetryLater or Misconfigured when the rest was not sent."""
        facts = self.facts(resource)
        for write in writes:
            if getattr(facts, write.op) is None:
                raise Misconfigured(f"{self.channel}: {resource} takes no {write.op}")
        if resource == "shipments":
            return self._one_by_one(facts, writes, self._confirm)
        if resource == "cancellations":
            return self._cancelling.write(writes)
        writes = [written.meant(write) for write in (self._beside(writes) if resource == "offers" else writes)]
        if len(writes) >= int(self.options.get("feed_from", FEED_FROM)):
            return self._feeds.write(writes)
        return self._one_by_one(facts, writes, self._submit)

    def _beside(self, writes: Sequence[Write]) -> Sequence[Write]:
        """What is listed already is changed, not made: a listing that is put loses all that it is not told again."""
        skus = [sku for write in writes if write.op == "create" and isinstance(sku := write.doc.get("sku"), str)]
        try:
            there = self.fetch("listings", skus) if skus else {}
        except Unsure as fault:  # nothing was sent yet
            problem = RetryLater(str(fault), after=fault.after)
        else:
            known = {sku for sku, doc in there.items() if doc is not None}
            made = [write.op == "create" and write.doc.get("sku") in known for write in writes]
            return [structs.replace(write, op="update", id=write.doc["sku"]) if again else write
                    for write, again in zip(writes, made, strict=True)]  # fmt: skip
        raise problem

    def _one_by_one(
        self, facts: Resource, writes: Sequence[Write], send: Callable[[Resource, Write], Receipt]
    ) -> Iterator[Receipt]:
        open_before = False
        for n, write in enumerate(writes, 1):
            silent = False
            try:
                receipt = self._earlier(facts, write) or send(facts, write)
            except ValueError as fault:  # nothing that JSON can carry
                receipt = Receipt(outcome="rejected", id=write.id, detail=f"the document cannot be written: {fault}")
            except (Unsure, ShapeChanged) as fault:
                receipt = Receipt(outcome="unknown", id=write.id, detail=str(fault))
                silent = isinstance(fault, Unsure) and fault.silent
            yield receipt
            open_now = receipt.outcome == "unknown"
            if n < len(writes) and (silent or (open_now and open_before)):
                raise RetryLater(f"{self.channel}: Amazon is in trouble; the rest was not sent", after=AWAY)
            open_before = open_now

    def _earlier(self, facts: Resource, write: Write) -> Receipt | None:
        """The receipt of a create that is tried again and was carried out the first time (P2)."""
        if write.op != "create" or write.attempt == 1:
            return None
        try:
            receipt = self.by_reference(facts, write)
        except Unsure as fault:  # nothing was sent yet
            problem = RetryLater(str(fault), after=fault.after)
        else:
            return receipt if receipt.outcome == "applied" else None
        raise problem

    def _submit(self, facts: Resource, write: Write) -> Receipt:
        method, path = filled(str(getattr(facts, write.op)), written.sku_of(write))
        body = None if write.op == "delete" else encoded(written.submission(write))
        params = {"marketplaceIds": self.marketplace, "issueLocale": "en_US"}
        answer = self.exchange(method, path, params=params, body=body)
        if not answer.ok:
            return judged_by_status(facts, write, answer.status, answer.body, self.clean)
        return written.judged(write, answer.body, answer.asked_at)

    def _confirm(self, facts: Resource, write: Write) -> Receipt:
        order, ours = written.package_of(write)
        path = f"{facts_of.ORDERS_V0}/{quote(order, safe='')}/shipmentConfirmation"
        body = encoded(written.parcel(self.marketplace, write, self.ports.clock.now()))
        answer = self.exchange("POST", path, body=body)
        if not answer.ok:
            return judged_by_status(facts, write, answer.status, answer.body, self.clean)
        return Receipt(outcome="applied", id=f"{order}{written.WITHIN}{ours}")

    # ── settling ─────────────────────────────────────────────────────────────────────────────────────────────────

    def settle(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order: by the feed's report, or by the listing or package as it is now."""
        facts = self.facts(resource)
        if resource == "shipments":
            yield from (self.by_reference(facts, write) for write in writes)
            return
        if resource == "cancellations":
            yield from self._cancelling.settle(writes)
            return
        writes = [written.meant(write) for write in writes]
        of = {write.key: feeds.feed_of(write.ticket) for write in writes}
        stand = {fed[0]: self._feeds.report(fed[0]) for fed in of.values() if fed is not None}
        by_themselves = [written.sku_of(write) for write in writes if of[write.key] is None]
        held = self.fetch(resource, by_themselves) if by_themselves else {}
        for write in writes:
            fed = of[write.key]
            if fed is None:
                yield written.concluded(write, held[written.sku_of(write)], self._over(write))
            else:
                yield feeds.ended(write, fed[1], *stand[fed[0]])

    def _over(self, write: Write) -> bool:
        sent = moment((write.ticket or "").rpartition(written.SENT_AT)[2])
        return sent is None or self.ports.clock.now() - sent > PROCESSED

    # ── notices ──────────────────────────────────────────────────────────────────────────────────────────────────

    def subscribe(self, url: str) -> None:
        """Afterwards Amazon tells the queue of the settings of every type that is read here; again changes nothing.

        The queue is polled where its keys stand among the secrets. What else carries its documents to ``url`` (a pipe,
        an API destination) is set up at Amazon's cloud.
        """
        arn = self.options.get("queue")
        if not isinstance(arn, str):
            raise Misconfigured(
                f"{self.channel}: `queue` is missing in the settings: the ARN of a queue (arn:aws:sqs:…), read with "
                f"the secrets {' and '.join(queues.KEYS)}, or carried to {url} by an API destination with the "
                "key `hook_secret` in x-api-key"
            )
        form = {"grant_type": "client_credentials", "scope": facts_of.GRANTLESS,
                "client_id": self.ports.secrets.get("client_id"),
                "client_secret": self.ports.secrets.get("client_secret")}  # fmt: skip
        token = self.post_form(self.auth["token_url"], form, {}).get("access_token")
        proof = {"x-amz-access-token": str(token)}
        notices.subscribe(arn, self.call, lambda method, path, **sent: self._granted(method, path, proof=proof, **sent))

    def _granted(self, method: str, path: str, **sent: Any) -> Answer:
        """The answer to a request that the application makes for itself."""
        answer = self._send(method, self._target(path), **sent)
        problem = trouble(self._where(method, path), answer, self.clean, self._remedy)
        if problem is None and not answer.ok:
            told = self.clean(said(answer.body))
            problem = Misconfigured(f"{self._where(method, path)}: Amazon refuses the destination: {told}")
        if problem is not None:
            raise problem
        return answer

    def kept(self, wait: float = 0.0) -> Iterator[Sequence[Notice | Unreadable]]:
        """What stands in the queue, ten by ten, the first waited for; gone there once the next ones are asked for."""
        if self._queue is None:
            return
        wait = min(wait, self._timeout[1] / 2)
        while messages := self._named(partial(self._queue.messages, wait, hide=self.lane not in LOOKING)):
            yield [one for message in messages for one in notices.told(message, self.ports.clock.now(), self.seller)]
            self._named(partial(self._queue.forget, messages))
            wait = 0.0

    def _signed(self, address: str, data: bytes, headers: Mapping[str, str], proof: Mapping[str, str]) -> Answer:
        """What the queue answers; it draws on no limit of the Selling Partner API."""
        answer = self._send("POST", address, proof=proof, form=data, headers=headers, cost=0)
        where = f"{self.channel}: the queue at {urlsplit(address).netloc}"
        problem = trouble(where, answer, self.clean, partial(self._remedy, *queues.KEYS))
        if problem is not None:
            raise problem
        return answer

    def receive(self, request: Request) -> Received:
        """The notices of documents that a pipe or an API destination carries here. Raises Forged, and ShapeChanged when
        a body with the right key cannot be read."""
        known = self.options.get("secrets") or {}
        if "hook_secret" not in known:
            raise Forged("the notice is not from this channel")
        secrets = [self.ports.secrets.get(name) for name in ("hook_secret", "hook_secret_previous") if name in known]
        found: Received = self._named(lambda: notices.received(request, secrets, self.seller))
        return found

    def by_reference(self, facts: Resource, write: Write) -> Receipt:
        """What became of a create: a listing by its SKU, a package by our reference in its order."""
        if facts.reference == "orderId":
            return next(self._cancelling.settle([write]))
        if facts.reference == "sku":
            sku = written.sku_of(write)
            return written.concluded(write, self.fetch("listings", [sku])[sku], over=True)
        order, ours = written.package_of(write)
        id = f"{order}{written.WITHIN}{ours}"
        found = self._packages([id])[id]
        if found is None:
            return Receipt(outcome="rejected", detail=NOT_FOUND + "no package carries our reference")
        if write.op == "update" and not written.same_parcel(found, write):
            return Receipt(outcome="rejected", detail=NOT_FOUND + "the package does not hold what was sent")
        return Receipt(outcome="applied", id=id, doc=found)


def rate_of(text: str | None) -> float | None:
    """Calls a second, as a header says it; None: it does not."""
    try:
        found = float(text or "")
    except ValueError:
        return None
    return found if found > 0 else None
