"""What becomes of each write that is due: told already, waiting, parked, held, or decided with key and payload.

What surprises here: nothing is stored until `store`, in a few statements for a whole page, so that a breaker can still
take back what was decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connectors.base import Op, Write
from flows import consenting, escrows, pricing
from flows.faults import explained
from flows.figures import ORDERS_WAIT, RAISE_WAITS, Escrowed, Units, of_text
from flows.holding import Held
from flows.ledger import Account
from flows.people import CUSTOMER
from flows.pledges import PUBLISH
from flows.receipts import Sending
from flows.render import View, seen_equal
from flows.routes import Group
from flows.wiring import OURS, House, not_there
from mappings.language import Fault
from registry import (
    ON_ITS_WAY,
    Binding,
    BindingRow,
    Decision,
    DueRow,
    OutboxChange,
    OutboxRow,
    ParkedRow,
    Tx,
    close_outbox,
    decide,
    decode,
    digest,
    encode,
    encoded,
    mark_due,
    park,
    put_bindings,
    put_escrows,
    set_outbox,
    unpark,
    verbatim,
)

NOT_READY: Final = "not ready"
"""How the reason of a write begins that waits for what its listing lacks."""


class Verdicts:
    """What becomes of each claimed row; lives for one transaction and is stored by `store` in a few statements."""

    def __init__(self, *, house: House, channel: str, group: Group, page: Account, now: datetime) -> None:
        self.house, self.channel, self.group, self.page, self.now = house, channel, group, page, now
        descriptor = house.descriptor(channel, group.mapping.resource)
        self.creates = descriptor.create is not None or descriptor.batch_path is not None
        self.deletes, self.supersedes, self.ours = descriptor.delete is not None, descriptor.supersedes, descriptor.ours
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

    def unpriced(self, row: OutboxRow, view: View, price: pricing.Telling, bound: Binding | None) -> None:
        """A price that is told under another record is due there; one that is held is a person's, until what it lacks
        is there; the channel keeps what it shows. One that was told by itself and is none any more is taken back."""
        if price.nothing == pricing.NO_MORE and self.deletes and bound is not None and bound.told_hash is not None:
            self._withdraw(row, view, bound)
            return
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
        self._decided(row, view, text, mark, None if view.publish is None else 0, Write(
            key=key, op="delete", doc=doc, id=external_id, attempt=row.attempt + 1,
            expected=None if bound is None else bound.version,
        ))

    def weigh(
        self, row: OutboxRow, view: View, doc: dict[str, Any], text: str, id: str | None, bound: Binding | None,
        said: Mapping[str, Binding], may_create: bool,
    ) -> None:
        """Unchanged, adopted, waiting for consent, or decided; ``text`` is the document encoded."""
        if view.escrowed is not None:
            self.escrowed(row, view, view.escrowed, doc, text, id, bound, may_create)
            return
        if bound is None and view.price is not None and view.price.over:
            self.unchanged(row, pricing.OVER)
            return
        if view.waits == RAISE_WAITS and view.publish is not None:
            self.page.raises[row.uid] = view.publish
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
        self._decided(row, view, text, mark, view.publish, Write(
            key=key, op=op, doc=self._written(row, op, doc, bound), id=external_id, attempt=row.attempt + 1,
            expected=bound.version if bound is not None else None,
        ))

    def escrowed(
        self, row: OutboxRow, view: View, by: Escrowed, doc: dict[str, Any], text: str, id: str | None,
        bound: Binding | None, may_create: bool,
    ) -> None:
        """Hard allocation: what counts is what the channel shows now, not what it was told. A channel that compares is
        looked at first; one that goes by zero is raised once its orders are read.
        """
        kept, publish = by.row, view.publish or 0
        mark = digest(text)
        external_id = bound.external_id if bound is not None else id
        if external_id is None and not may_create:
            self.waiting(row, "creating it needs consent: `serai match accept --exact`")
            return
        if external_id is not None and by.raises == "compare" and kept.version is None:
            self.page.looks[row.uid] = external_id
            self.waiting(row, escrows.LOOK_FIRST)
            return
        told = (self._accepted(row) or {}).get(PUBLISH)
        if told is not None and kept.sent is not None and escrows.stays(by, of_text(told), view.target or 0):
            self.on_its_way(row)
            return
        steps = escrows.in_steps(kept, publish)
        settled = kept.shown == steps and kept.sent is None
        if external_id is not None and view.waits == ORDERS_WAIT and (settled or steps > (kept.shown or 0)):
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
        self._decided(row, view, text, mark, publish, Write(
            key=key, op=op, doc=doc, id=external_id, attempt=row.attempt + 1,
            expected=version if by.raises == "compare" and op == "update" else None,
        ))

    def _decided(self, row: OutboxRow, view: View, text: str, mark: bytes, publish: Units | None, write: Write) -> None:
        """Fixes the write's key and payload: the whole document, the figure, and the price that goes with it."""
        before = self._accepted(row)
        if before is not None and row.op == write.op and encode(before["doc"]) == text:
            self.on_its_way(row)
            return
        kept: dict[str, Any] = {"doc": verbatim(text), PUBLISH: None if publish is None else str(publish)}
        if "price" in view.policy and write.op != "delete":
            kept[pricing.PRICE] = view.policy["price"]
        self.decisions.append(Decision(
            id=row.id, key=write.key, op=write.op, payload=encoded(kept), external_id=write.id,
        ))
        self.sending.append(Sending(row=row, text=text, mark=mark, view=view, publish=publish, write=write))

    def on_its_way(self, row: OutboxRow) -> None:
        """The channel has accepted this very write and still works on it: asking tells what becomes of it."""
        self.settings.append(OutboxChange(id=row.id, state="accepted", reason=ON_ITS_WAY, due_at=self.now))
        self.page.count(self.group.entity, "unchanged", reason=ON_ITS_WAY)

    def _accepted(self, row: OutboxRow) -> dict[str, Any] | None:
        """What the channel has accepted of a row and still works on; None: nothing, or a file of ours holds it, which
        is written anew."""
        if row.payload is None or row.reason != ON_ITS_WAY or self.ours:
            return None
        found: dict[str, Any] = decode(row.payload)
        return found

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
            escrows.sending(one.view.escrowed.row, one.publish, one.view.escrowed.raises, self.now)
            for one in self.sending
            if one.view is not None and one.view.escrowed is not None and one.publish is not None
        ])
        if self.decisions:
            decide(tx, self.decisions, owner=self.house.owner, seconds=self.house.claims(self.channel))
        return self.sending
