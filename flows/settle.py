"""What became of writes whose outcome is not known: found out by asking, never by sending again (P3).

What surprises here:

* An update is simply due again, forced: an absolute value may supersede one still unknown.
* A create is looked for by our reference. Where the platform keeps none, the resource is read whole instead: what was
  created is then matched by its own keys, and only what is not there after that read is sent again (P2).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from connectors.base import Op, Receipt, Write
from flows.claiming import kept
from flows.figures import of_text
from flows.ledger import Account, Ledger, Stretch
from flows.pledges import PUBLISH
from flows.pricing import PRICE
from flows.pull import pull
from flows.receipts import Sending, record_receipts
from flows.routes import Group
from flows.wiring import House
from registry import OutboxChange, OutboxRow, Tx, binding_for, decode, digest, encode, open_writes, set_outbox

LATER = timedelta(seconds=30)
WHOLE = Stretch(seconds=1e9, records=10**9)


def settle(house: House, channel: str, entity: str) -> Ledger:
    """Finds out what became of accepted and unknown writes, and of those a crash left in the middle; sends nothing."""
    account = house.account(channel, entity, "outward")
    group = house.of(channel).outward.get(entity)
    if group is None:
        return account.ledger(house.registry.now(), note="nothing is written to it")
    connector = house.connector(channel)
    searchable = house.descriptor(channel, group.mapping.resource).reference is not None
    seconds = house.claims(channel)
    while True:
        since = house.registry.now()
        rows = house.registry.attempt(
            lambda tx: open_writes(tx, channel, entity, owner=house.owner, seconds=seconds, limit=100)
        )
        if not rows:
            break
        page = account.page()
        sending = [resumed(row) for row in rows]
        unsearchable = [
            one for one in sending if one.write.op == "create" and one.write.ticket is None and not searchable
        ]
        updates = [one for one in sending if one.write.op == "update" and one.write.ticket is None]
        asked = [one for one in sending if one not in unsearchable and one not in updates]
        receipts = [
            (one, Receipt(outcome="unknown", id=one.write.id, detail="its answer was never read")) for one in updates
        ]
        with kept(house, channel, [row.id for row in rows], since):
            answers = list(connector.settle(group.mapping.resource, [one.write for one in asked])) if asked else []
            receipts += list(zip(asked, answers, strict=True))
            there, whole = _read_whole(house, channel, group, unsearchable) if unsearchable else (set(), True)

        def work(
            tx: Tx, page: Account = page, receipts: Sequence[tuple[Sending, Receipt]] = receipts,
            unsearchable: Sequence[Sending] = unsearchable, there: set[str] = there, whole: bool = whole,
        ) -> None:
            page.clear()
            record_receipts(house, tx, page, channel, group, receipts)
            _conclude(tx, page, group, unsearchable, there, whole, house.registry.now())

        house.registry.attempt(work)
        page.close_page(len(rows))
        account.add(page)
    return house.finish(account.ledger(house.registry.now()))


def _read_whole(
    house: House, channel: str, group: Group, sending: Sequence[Sending]
) -> tuple[set[str], bool]:
    """The uids that are bound on the channel now, and whether that is all: a complete read came first if needed."""
    uids = [one.row.uid for one in sending]

    def bound() -> set[str]:
        with house.registry.read() as tx:
            return set(binding_for(tx, channel, group.name, uids))

    found = bound()
    if len(found) == len(uids):
        return found, True
    mapping = house.of(channel).inward.get(group.mapping.resource)
    if mapping is None or group.entity not in mapping.inward:
        return found, False
    read = pull(house, channel, group.mapping.resource, full=True, lane="reconcile", stretch=WHOLE)
    return bound(), not read.note


def _conclude(
    tx: Tx, page: Account, group: Group, sending: Sequence[Sending], there: set[str], whole: bool, now: datetime
) -> None:
    """What is bound now arrived, and is written once more; what a complete read did not find is sent again.

    Where no complete read was possible (somebody else reads, or the platform cannot be read) nothing is concluded.
    """
    changes = []
    for one in sending:
        if one.row.uid in there:
            change = OutboxChange(id=one.row.id, state="due", forced=True, reason="it arrived; it is written once more")
        elif whole:
            change = OutboxChange(id=one.row.id, state="due", reason="a complete read did not find it: sent again")
        else:
            change = OutboxChange(
                id=one.row.id, state="unknown", due_at=now + LATER, reason="no reference and no complete read tells"
            )
        changes.append(change)
    set_outbox(tx, changes)
    page.count(group.entity, "failed", len(sending), reason="no reference to look for: the resource was read whole")


def resumed(row: OutboxRow) -> Sending:
    """A write as it was decided, read back from its outbox row."""
    payload = decode(row.payload or b"{}")
    publish = payload.get(PUBLISH)
    text = encode(payload["doc"])
    return Sending(
        row=row, text=text, mark=digest(text), view=None, publish=None if publish is None else of_text(publish),
        price=payload.get(PRICE),
        write=Write(
            key=row.key or "", op=op_of(row), doc=payload["doc"], id=row.external_id, ticket=row.ticket,
            attempt=row.attempt,
        ),
    )


def op_of(row: OutboxRow) -> Op:
    """The operation an outbox row was decided for."""
    match row.op:
        case "create" | "update" | "delete":
            return row.op
        case _:
            raise ValueError(f"outbox row {row.id} is {row.state} and has the operation {row.op!r}")
