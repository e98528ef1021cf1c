"""What is due on a channel goes out: rendered from the current records, keyed before the first attempt, receipts kept.

What surprises here:

* Two transactions around the calls, none across them: *decide* fixes key and payload, *record* keeps the receipts. A
  crash between leaves rows ``sent``; once their claim has run out `settle` finds out what became of them (P3, P15).
* An update whose outcome is unknown is simply due again: an absolute value may supersede it. A create may not (P2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from connectors.base import Connector, ConnectorError, Misconfigured, Op, Receipt, RetryLater, Stopped, Write
from flows import consenting, escrows, order_moves, pricing
from flows.faults import explained
from flows.figures import ORDERS_WAIT, Escrowed, Units
from flows.holding import Held, stop
from flows.ledger import Account, Ledger, Stretch
from flows.people import CUSTOMER, told_elsewhere
from flows.pledges import PUBLISH
from flows.pull import recount_posted
from flows.receipts import Sending, record_receipts
from flows.render import View, seen_equal, views
from flows.reversals import taken_back
from flows.routes import Group
from flows.settle import settle
from flows.wiring import OURS, House, not_there
from mappings.language import Fault, Ref
from registry import (
    Binding,
    BindingRow,
    Decision,
    DueRow,
    OutboxChange,
    OutboxRow,
    ParkedRow,
    Tx,
    binding_for,
    claim_due,
    close_outbox,
    consented,
    decide,
    decode,
    digest,
    encode,
    load_cursor,
    mark_due,
    modes,
    park,
    paused,
    put_bindings,
    put_escrows,
    refs_for,
    reopen,
    set_outbox,
    unpark,
    verbatim,
    wake,
)

FREELY_CREATED = ("order", "decision", "customer", "shipment", "return", "interaction", "loyalty_event", "offer")
"""Entities whose creation on a channel follows from what happened; the others want a person's consent first."""

PATIENCE = timedelta(seconds=60)
LOOKS = 4
"""How often one push looks at a channel's figure before it leaves it to the next."""
NOT_READY = "not ready"
"""How the reason of a write begins that waits for what its listing lacks."""


def push(house: House, channel: str, entity: str, *, stretch: Stretch | None = None) -> Ledger:
    """Sends what is due of an entity to a channel, until nothing is or the stretch is spent (then ``more``).

    Afterwards every row that was due is written, unchanged, waiting, parked, or due again later. Raises RetryLater
    (after keeping what was answered) when the platform asks to wait, Misconfigured when a person must act.
    """
    stretch = stretch or Stretch()
    account = house.account(channel, entity, "outward")
    note = _may_write(house, channel, entity)
    if note:
        return account.ledger(house.registry.now(), note=note)
    group = house.of(channel).outward[entity]
    connector, lane = house.connector(channel, "write"), "write"
    resource = group.mapping.resource
    limit = min(stretch.records, max(20, min(1_000, connector.resources[resource].batch * 10)))
    patient = house.registry.now() - PATIENCE
    looked: Counter[str] = Counter()
    if connector.resources[resource].supersedes:
        settle(house, channel, entity)      # what was fetched meanwhile is known before anything takes its place
    while True:
        page = account.page()
        sending = house.registry.attempt(partial(_decide, house, page, channel, group, limit, patient))
        if sending is None:
            if entity == "order" and account.counts[entity, "written"] > 0:
                recount_posted(house)
            return house.finish(account.ledger(house.registry.now()))
        if page.missing:
            house.registry.attempt(partial(_come_since, channel, dict(page.missing)))
        looks = {uid: id for uid, id in page.looks.items() if looked[uid] < LOOKS}
        fault = _send(house, page, channel, group, house.connector(channel, lane), sending)
        if entity not in FREELY_CREATED:
            lane = "bulk"           # what waits longest, and what an order freed, stood in the first page
        account.add(page)
        if fault is None and looks:
            looked.update(looks.keys())
            escrows.look(house, channel, group, looks)
        if fault is not None:
            house.finish(account.ledger(house.registry.now(), more=True, note=str(fault)), error=str(fault))
            if isinstance(fault, Stopped):
                return account.ledger(house.registry.now(), note=str(fault))
            raise fault
        if account.spent(stretch):
            return house.finish(account.ledger(house.registry.now(), more=True))


def _may_write(house: House, channel: str, entity: str) -> str:
    """Why nothing may be written now; empty when it may."""
    if entity not in house.of(channel).outward:
        return f"platform {house.channel(channel).platform} has no outward mapping of {entity}"
    with house.registry.read() as tx:
        mode = modes(tx).get((channel, entity), "off")
        stopped = channel in paused(tx)
        unread = mode == "on" and not read_whole(house, tx, channel, entity)
    if stopped:
        return "writes are paused"
    if unread:
        return f"{channel} is read first: what it holds of {entity} is not known yet"
    return "" if mode == "on" else f"mode is {mode}: nothing is written"


def _come_since(channel: str, missing: Mapping[tuple[str, str], str], tx: Tx) -> None:
    """Wakes what waits for a reference that came between our look and our wait.

    Another worker that stored it in between has woken nobody, since we did not wait yet. Whoever stores one wakes
    again after its commit; so either it sees that we wait, or we see what it stored.
    """
    for entity, _ in refs_for(tx, channel, list(missing)):
        wake(tx, channel=channel, reason=not_there(entity, channel))


def read_whole(house: House, tx: Tx, channel: str, entity: str) -> bool:
    """Whether what the channel holds of an entity was read from page one to the end since it was switched on.

    Before that, every write would be a guess: what the channel holds already would be written once more.
    """
    resource = house.of(channel).outward[entity].mapping.resource
    mapping = house.of(channel).inward.get(resource)
    if mapping is None or entity not in mapping.inward:
        return True
    stored = load_cursor(tx, channel, resource, "live")
    return stored is not None and bool(stored["whole"]) and entity in stored["taken"]


def _decide(
    house: House, page: Account, channel: str, group: Group, limit: int, patient: datetime, tx: Tx
) -> list[Sending] | None:
    """Claims what is due, renders it, and fixes key and payload of what must be written; None: nothing was due.

    What has waited since before ``patient`` is looked at again, whatever became of whoever should have woken it.
    """
    page.clear()
    wake(tx, channel=channel, entity=group.entity, before=patient)
    facts = house.descriptor(channel, group.mapping.resource)
    if facts.supersedes:
        reopen(tx, channel, group.entity)
    rows = claim_due(tx, channel, group.entity, limit)
    if not rows:
        return None
    page.read = len(rows)
    now = house.registry.now()
    uids = [row.uid for row in rows]
    escrows.opened(house, tx, channel, group, uids, now)
    seen = views(house, tx, channel, group, uids, now)
    bound = binding_for(tx, channel, group.name, uids)
    said = _said(house, tx, channel, group, seen)
    mapping = group.mapping
    mark_due(tx, pricing.later(house, channel, group, now))
    order = [uid for uid in uids if uid in seen and not _silent(seen[uid])]
    shapes = [seen[uid].values for uid in order]
    refs = refs_for(tx, channel, list(mapping.outward_references(shapes)))
    result = mapping.map_outward(shapes, _refs(refs), house.context(channel, now, page.run))
    documents = {order[out.index]: out for out in result.docs}
    faults: dict[str, list[Fault]] = {}
    for fault in result.faults:
        faults.setdefault(order[fault.doc], []).append(fault)
    skipped = {order[skip.doc]: skip.reason for skip in result.skips}
    may_create = group.entity in FREELY_CREATED or facts.ours or (channel, group.entity) in consented(tx)
    stopped = order_moves.stopped(tx, uids) if group.entity == "order" else {}
    verdicts = _Verdicts(house=house, channel=channel, group=group, page=page, now=now)
    elsewhere, joining = (
        told_elsewhere(tx, channel, set(uids) - bound.keys(), page.run) if group.name == CUSTOMER else ({}, set())
    )
    stops = consenting.stops(house, tx, channel, group, seen, now) | taken_back(tx, channel, group, seen)
    for row in rows:
        view, out = seen.get(row.uid), documents.get(row.uid)
        if row.uid in stops:
            verdicts.kept_back(row, stops[row.uid])
        elif row.uid in elsewhere:
            verdicts.unchanged(row, elsewhere[row.uid])
        elif row.uid in joining:
            verdicts.waiting(row, not_there(CUSTOMER, channel))
        elif row.uid in stopped:
            verdicts.waiting(row, stopped[row.uid])
        elif row.uid == pricing.EVERY:
            pricing.all_of(house, tx, channel, group, row)
            verdicts.unchanged(row, "a rule began or ended: each of its prices is looked at")
        elif view is not None and view.price is not None and view.price.silent:
            verdicts.unpriced(row, view.price)
        elif view is not None and view.missing:
            verdicts.unready(row, view, bound.get(row.uid))
        elif view is not None and group.base == group.entity == "order" and view.values.get("status") == "offered":
            verdicts.unchanged(row, "an offer goes to no other channel before it is accepted")
        elif view is not None and view.stuck and house.may_create(channel, "stock"):
            verdicts.stuck(row, view.stuck)
        elif row.uid in faults:
            verdicts.fault(row, faults[row.uid])
        elif view is None or out is None:
            verdicts.unchanged(row, skipped.get(row.uid, "the record is gone"))
        else:
            verdicts.weigh(row, view, out.doc, out.id, bound.get(row.uid), said, may_create)
    verdicts.stop(stop(house, tx, channel, group, verdicts.sending, bound, now))
    return verdicts.store(tx)


def _silent(view: View) -> bool:
    return view.price is not None and view.price.silent


def _refs(found: Mapping[tuple[str, str], tuple[str, Mapping[str, Any]]]) -> dict[tuple[str, str], Ref]:
    return {key: Ref(id=id, kept=kept) for key, (id, kept) in found.items()}


def _said(house: House, tx: Tx, channel: str, group: Group, seen: Mapping[str, View]) -> dict[str, Binding]:
    """What the channel itself says of the records in these groups, by uid; nothing where it is not read."""
    if not any(group.entity in mapping.inward for mapping in house.of(channel).inward.values()):
        return {}
    parts = sorted({uid for view in seen.values() for uid in view.parts.get(group.entity, ())})
    return binding_for(tx, channel, group.entity, parts)


class _Verdicts:
    """What becomes of each claimed row; lives for one transaction and is stored by `store` in a few statements."""

    def __init__(self, *, house: House, channel: str, group: Group, page: Account, now: datetime) -> None:
        self.house, self.channel, self.group, self.page, self.now = house, channel, group, page, now
        descriptor = house.descriptor(channel, group.mapping.resource)
        self.creates = descriptor.create is not None or descriptor.batch_path is not None
        self.deletes, self.supersedes = descriptor.delete is not None, descriptor.supersedes
        self.keeps = descriptor.partial_update
        self.sending: list[Sending] = []
        self.decisions: list[Decision] = []
        self.finished: list[int] = []
        self.told: set[str] = set()
        self.settings: list[OutboxChange] = []
        self.parked: list[ParkedRow] = []
        self.adopted: list[BindingRow] = []
        self.passed: list[DueRow] = []
        self.cleared: list[str] = []

    def unchanged(self, row: OutboxRow, reason: str) -> None:
        """Nothing to write."""
        self.finished.append(row.id)
        self.told.add(row.uid)
        self.page.count(self.group.entity, "unchanged", reason=reason)

    def waiting(self, row: OutboxRow, reason: str) -> None:
        """Not now: something must come first; any progress on the channel makes it due again."""
        self.settings.append(OutboxChange(id=row.id, state="waiting", reason=reason, due_at=self.now))
        self.page.count(self.group.entity, "waiting", reason=reason)

    def kept_back(self, row: OutboxRow, stop: consenting.Stop) -> None:
        """Marketing that must wait for a refusal, for the end of quiet hours, or that nobody agreed to; points taken
        back."""
        if stop.kind == "waits":
            self.waiting(row, stop.because)
        elif stop.until is not None:
            self.settings.append(OutboxChange(id=row.id, state="due", reason=stop.because, due_at=stop.until))
            self.page.count(self.group.entity, "waiting", reason=stop.because)
        else:
            self.unchanged(row, stop.because)

    def fault(self, row: OutboxRow, faults: Sequence[Fault]) -> None:
        """A missing reference waits; any other fault parks the write for a person."""
        hard = [fault for fault in faults if fault.kind not in ("wait", "fetch")]
        if not hard:
            entity = faults[0].reference[0] if faults[0].reference is not None else "a reference"
            self.page.missing.update({one.reference: row.uid for one in faults if one.reference is not None})
            self.waiting(row, not_there(entity, self.channel))
            return
        self.settings.append(OutboxChange(id=row.id, state="parked", reason=hard[0].message))
        self.page.count(self.group.entity, "parked")
        self.page.fault(f"{self.channel} {self.group.entity} {row.uid}: {hard[0]}")
        self.parked.append(ParkedRow(
            channel=self.channel, entity=self.group.entity, external_id=row.external_id or row.uid,
            direction="outward", resource=self.group.mapping.resource, kind="parked", record_uid=row.uid,
            **explained(hard[0], self.channel, others=len(faults) - 1),
        ))

    def stuck(self, row: OutboxRow, why: str) -> None:
        """An order that no place can serve is a person's, until there is a place; it keeps what it has reserved."""
        message, _, remedy = why.partition("; ")
        self.settings.append(OutboxChange(id=row.id, state="parked", reason=message))
        self.page.count(self.group.entity, "parked", reason="no place can serve it")
        self.page.fault(f"{self.channel} {self.group.entity} {row.uid}: {why}")
        self.parked.append(ParkedRow(
            channel=self.channel, entity=self.group.entity, external_id=row.external_id or row.uid,
            direction="outward", resource=self.group.mapping.resource, kind="parked", record_uid=row.uid,
            field="location", rule="routing", message=message, remedy=remedy,
        ))

    def unpriced(self, row: OutboxRow, price: pricing.Telling) -> None:
        """A price that is told under another record is due there; one that is held is a person's, until what it lacks
        is there; the channel keeps what it shows."""
        if price.instead is not None:
            self.passed.append((self.channel, self.group.entity, price.instead, row.due_at, row.forced, row.cause))
            self.unchanged(row, pricing.ELSEWHERE)
        elif price.held is None:
            self.unchanged(row, price.nothing)
            self.cleared.append(row.uid)
        else:
            held = price.held
            self.settings.append(OutboxChange(id=row.id, state="parked", reason=held.reason))
            self.page.count(self.group.entity, "parked", reason=f"the price is held: {held.rule}")
            self.page.fault(f"{self.channel} {self.group.entity} {row.uid}: held: {held.reason}")
            self.parked.append(ParkedRow(
                channel=self.channel, entity=self.group.entity, external_id=row.uid, direction="outward",
                resource=self.group.mapping.resource, kind="parked", record_uid=row.uid, field="amount",
                rule=held.rule, message=held.reason, remedy=held.remedy,
            ))

    def unready(self, row: OutboxRow, view: View, bound: Binding | None) -> None:
        """A listing that lacks something is never sent. One that is out already is withdrawn where the policy says so
        and the channel can delete; else it stays as it was told last. Any change of its records looks again."""
        rule = self.house.project.products.get(self.channel)
        out = (row.attempt > 0 and self.supersedes) or (bound is not None and bound.told_hash is not None)
        if out and rule is not None and rule.unready == "withdraw" and self.deletes:
            self._withdraw(row, view, bound)
            return
        lacks = view.missing[0]
        more = f" and {len(view.missing) - 1} more" if len(view.missing) > 1 else ""
        self.settings.append(OutboxChange(id=row.id, state="waiting", due_at=self.now, reason=(
            f"{NOT_READY}: {lacks.what}{more}: {lacks.remedy}; `serai ready {self.channel}` lists all"
        )))
        self.page.count(self.group.entity, "waiting", reason=f"{NOT_READY}: `serai ready {self.channel}` says why")

    def _withdraw(self, row: OutboxRow, view: View, bound: Binding | None) -> None:
        """What nobody fetched yet has no id of its own: the key under which it was created says which one it is."""
        doc = decode(row.payload)["doc"] if bound is None and row.payload is not None else {}
        external_id = None if bound is None else bound.external_id
        text = encode(doc)
        mark = digest(text)
        key = self._key(row, "create" if bound is None else "delete", mark)
        publish = None if view.publish is None else 0
        payload = encode({"doc": verbatim(text), PUBLISH: None if publish is None else "0"})
        self.decisions.append(Decision(
            id=row.id, key=key, op="delete", payload=payload.encode(), external_id=external_id,
        ))
        self.sending.append(Sending(row=row, text=text, mark=mark, view=view, publish=publish, write=Write(
            key=key, op="delete", doc=doc, id=external_id, attempt=row.attempt + 1,
            expected=None if bound is None else bound.version,
        )))

    def weigh(
        self, row: OutboxRow, view: View, doc: dict[str, Any], id: str | None, bound: Binding | None,
        said: Mapping[str, Binding], may_create: bool,
    ) -> None:
        """Unchanged, adopted, waiting for consent, or decided."""
        if view.escrowed is not None:
            self.escrowed(row, view, view.escrowed, doc, id, bound, may_create)
            return
        text = encode(doc)
        mark = digest(text)
        external_id = bound.external_id if bound is not None else id
        if bound is not None and bound.told_hash == mark and not row.forced:
            if view.waits:
                self.waiting(row, view.waits)
            else:
                self.unchanged(row, "the channel was told so already")
                self.cleared += [row.uid] if "price" in view.policy else []
            return
        untold = external_id is not None and (bound is None or bound.told_hash is None) and not row.forced
        own = {row.uid: bound} if bound is not None and self.group.base != self.group.entity else said
        if external_id is not None and untold and seen_equal(view, self.group, own):
            self.adopted.append(self._told(bound, external_id, row.uid, text, mark, view.publish))
            self.unchanged(row, "the channel holds it already")
            return
        if external_id is None and not may_create:
            self.waiting(row, "creating it needs consent: `serai match accept --exact`")
            return
        known = bound is not None and (bound.told_hash is not None or bound.values_text is not None)
        there = known or (external_id is not None and not self.creates)
        op: Op = "update" if there else "create"
        key = self._key(row, op, mark)
        price = {pricing.PRICE: view.policy["price"]} if "price" in view.policy else {}
        payload = encode({"doc": verbatim(text), PUBLISH: None if view.publish is None else str(view.publish), **price})
        self.decisions.append(Decision(
            id=row.id, key=key, op=op, payload=payload.encode(), external_id=external_id,
        ))
        self.sending.append(Sending(row=row, text=text, mark=mark, view=view, publish=view.publish, write=Write(
            key=key, op=op, doc=self._written(row, op, doc, bound), id=external_id, attempt=row.attempt + 1,
            expected=bound.version if bound is not None else None,
        )))

    def escrowed(
        self, row: OutboxRow, view: View, by: Escrowed, doc: dict[str, Any], id: str | None, bound: Binding | None,
        may_create: bool,
    ) -> None:
        """Hard allocation: what counts is what the channel shows now, not what it was told. A channel that compares is
        looked at first; one that goes by zero is raised once its orders are read.
        """
        kept, publish, text = by.row, view.publish or 0, encode(doc)
        mark = digest(text)
        external_id = bound.external_id if bound is not None else id
        if external_id is None and not may_create:
            self.waiting(row, "creating it needs consent: `serai match accept --exact`")
            return
        if external_id is not None and by.raises == "compare" and kept.version is None:
            self.page.looks[row.uid] = external_id
            self.waiting(row, escrows.LOOK_FIRST)
            return
        settled = kept.shown == publish and kept.sent is None
        if external_id is not None and view.waits == ORDERS_WAIT and (settled or publish > (kept.shown or 0)):
            self.page.looks[row.uid] = external_id
            self.waiting(row, ORDERS_WAIT)
            return
        if settled and external_id is not None:
            if bound is None or bound.told_hash != mark:
                self.adopted.append(self._told(bound, external_id, row.uid, text, mark, publish))
            if view.waits:
                self.waiting(row, view.waits)
            else:
                self.unchanged(row, "the channel holds it already")
            return
        known = bound is not None and (bound.told_hash is not None or bound.values_text is not None)
        there = (known or (external_id is not None and not self.creates)) and kept.version != escrows.NOTHING_THERE
        op: Op = "update" if there else "create"
        version = kept.version or None
        key = self._key(row, op, digest(f"{text} {version}") if by.raises == "compare" else mark)
        payload = encode({"doc": verbatim(text), PUBLISH: str(publish)})
        self.decisions.append(Decision(
            id=row.id, key=key, op=op, payload=payload.encode(), external_id=external_id,
        ))
        self.sending.append(Sending(row=row, text=text, mark=mark, view=view, publish=publish, write=Write(
            key=key, op=op, doc=doc, id=external_id, attempt=row.attempt + 1,
            expected=version if by.raises == "compare" and op == "update" else None,
        )))

    def stop(self, stopped: Held) -> None:
        """What the breaker stopped is not sent: it is held, or refused once and for all."""
        for one in self.sending:
            if one.row.id in stopped.held:
                reason = stopped.held[one.row.id]
                self.settings.append(OutboxChange(id=one.row.id, state="held", reason=f"hold {reason}"))
                self.page.count(self.group.entity, "held", reason=reason.partition(": ")[2])
            elif one.row.id in stopped.refused:
                self.unchanged(one.row, stopped.refused[one.row.id])
        gone = {*stopped.held, *stopped.refused}
        if gone:
            self.sending = [one for one in self.sending if one.row.id not in gone]
            self.decisions = [one for one in self.decisions if one.id not in gone]

    def _written(self, row: OutboxRow, op: str, doc: dict[str, Any], bound: Binding | None) -> dict[str, Any]:
        """The whole document, or what changed of it: where the channel keeps what a write leaves out, the mapping asks
        for it, and it is sure what the channel holds: no write of this row went out before, and none is forced."""
        head = self.group.mapping.outward
        sure = op == "update" and self.keeps and not row.forced and row.attempt == 0
        if head is None or bound is None or bound.told is None or not sure:
            return doc
        return head.changed(doc, bound.told)

    def _key(self, row: OutboxRow, op: str, mark: bytes) -> str:
        """The idempotency key: of an update, this payload's; of a create, the record's uid, so that whoever reads our
        reference knows the record, even from a registry put back from a copy."""
        if op == "create":
            return f"{OURS}{row.uid}" + ("" if self.group.base == self.group.entity else f"-{self.group.entity}")
        return f"{OURS}{digest(f'{self.channel}/{self.group.name}/{row.uid}/{row.id}/{mark.hex()}').hex()[:20]}"

    def _told(
        self, bound: Binding | None, external_id: str, uid: str, text: str, mark: bytes, publish: Units | None
    ) -> BindingRow:
        kept = dict(bound.kept) if bound is not None else {}
        if publish is not None:
            kept[PUBLISH] = str(publish)
        if bound is not None:
            return bound.row(told=text, told_hash=mark, told_at=self.now, kept=kept)
        return BindingRow(
            channel=self.channel, entity=self.group.name, external_id=external_id, uid=uid, told=text,
            told_hash=mark, told_at=self.now, kept=kept, state="live",
        )

    def store(self, tx: Tx) -> list[Sending]:
        """Writes the verdicts; returns what is to be sent."""
        if self.adopted:
            put_bindings(tx, self.adopted)
        if self.finished:
            close_outbox(tx, self.finished)
        if self.told and self.group.name == CUSTOMER:
            consenting.confirmed(tx, self.channel, self.told)
        if self.settings:
            set_outbox(tx, self.settings)
        if self.passed:
            mark_due(tx, self.passed)
        if self.cleared:
            unpark(tx, [(self.channel, self.group.entity, uid, "outward") for uid in self.cleared])
        if self.parked:
            park(tx, self.parked)
        put_escrows(tx, [
            escrows.sending(one.view.escrowed.row, int(one.publish), one.view.escrowed.raises, self.now)
            for one in self.sending
            if one.view is not None and one.view.escrowed is not None and one.publish is not None
        ])
        if self.decisions:
            decide(tx, self.decisions, owner=self.house.owner, seconds=self.house.claim_seconds)
        return self.sending


def _send(
    house: House, page: Account, channel: str, group: Group, connector: Connector, sending: Sequence[Sending]
) -> ConnectorError | None:
    """Sends, keeps every receipt, puts back what was not sent; returns what stopped it, None when nothing did."""
    receipts: list[tuple[Sending, Receipt]] = []
    stopped: ConnectorError | None = None
    rest = list(sending)
    try:
        if group.entity == "order":
            known = _look_for_ours(connector, group, rest)
            receipts += [(one, known[one.write.key]) for one in rest if one.write.key in known]
            rest = [one for one in rest if one.write.key not in known]
        answers: Iterator[Receipt] = connector.write(group.mapping.resource, [one.write for one in rest])
        for one, receipt in zip(rest, answers, strict=False):
            receipts.append((one, receipt))
    except (RetryLater, Misconfigured, Stopped) as fault:
        stopped = fault
    answered = {one.write.key for one, _ in receipts}
    unsent = [one for one in sending if one.write.key not in answered]
    after = stopped.after if isinstance(stopped, RetryLater) else 0.0 if isinstance(stopped, Stopped) else 60.0

    decided = page.copy()

    def work(tx: Tx) -> None:
        page.clear()
        record_receipts(house, tx, page, channel, group, receipts)
        if unsent:
            escrows.unsent(house, tx, channel, group, unsent, house.registry.now())
            set_outbox(tx, [
                OutboxChange(id=one.row.id, state="due", reason=str(stopped or "the platform did not answer"),
                        due_at=house.registry.now() + timedelta(seconds=after), forced=one.row.forced)
                for one in unsent
            ])
            page.count(group.entity, "failed", len(unsent), reason=type(stopped).__name__)

    house.registry.attempt(work)
    if any(one.write.op == "create" and receipt.outcome == "applied" for one, receipt in receipts):
        # After the commit: a worker that looked before it and waits since is woken by this, one that looks now sees it.
        house.registry.attempt(lambda tx: wake(tx, channel=channel, reason=not_there(group.entity, channel)))
    page.add(decided)
    page.close_page(decided.read)
    return stopped


def _look_for_ours(connector: Connector, group: Group, sending: Sequence[Sending]) -> dict[str, Receipt]:
    """Creates that are there already, by our reference: an order is never created without looking first (P2)."""
    creates = [one.write for one in sending if one.write.op == "create"]
    if not creates:
        return {}
    found = connector.settle(group.mapping.resource, creates)
    return {
        write.key: receipt for write, receipt in zip(creates, found, strict=True) if receipt.outcome == "applied"
    }
