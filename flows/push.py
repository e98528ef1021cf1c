"""What is due on a channel goes out: rendered from the current records, keyed before the first attempt, receipts kept.

What surprises here:

* Two transactions around the calls, none across them: *decide* fixes key and payload, *record* keeps the receipts. A
  crash between leaves rows ``sent``; once their claim has run out `settle` finds out what became of them (P3, P15).
  Who lives renews it, however long the calls take (claiming.py).
* What cannot wait goes out by itself (``ahead``): in pages that hold nothing else, before whoever else writes to the
  registry. Where a write of it is on its way already it must wait for its answer; so a page is never larger than what
  the channel takes within `SENDS_FOR` seconds, by how long its last writes took.
* On PostgreSQL, where a channel is quick, the next page is decided while one is on its way; never of what an escrow
  governs, or of what may be created but once. A fault puts it back, as what is left of the page that met it.
* An update whose outcome is unknown is simply due again: an absolute value may supersede it. A create may not (P2).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial

from connectors.base import Connector, Receipt
from connectors.errors import ConnectorError, Misconfigured, RetryLater, Stopped
from flows import escrows
from flows.claiming import kept
from flows.deciding import BULK, FREELY_CREATED, decide_page
from flows.fetching import recount_posted
from flows.figures import RAISE_WAITS, Units
from flows.ledger import Account, Ledger, Stretch
from flows.receipts import Sending, record_receipts
from flows.render import views
from flows.routes import Group
from flows.settle import settle
from flows.wiring import House, not_there
from registry import (
    OutboxChange,
    Tx,
    load_cursor,
    mark_due,
    modes,
    owned,
    paused,
    refs_for,
    renew_claims,
    set_outbox,
    wake,
)

PATIENCE = timedelta(seconds=60)
SENDS_FOR = 0.25
"""Seconds within which a page should be answered."""
LOOKS = 4
"""How often one push looks at a channel's figure before it leaves it to the next."""


def push(
    house: House, channel: str, entity: str, *, stretch: Stretch | None = None, ahead: bool = False
) -> Ledger:
    """Sends what is due of an entity to a channel, until nothing is or the stretch is spent (then ``more``).

    ``ahead``: only what was marked to go before bulk work, and before all other work on the registry.
    Afterwards every row that was due is written, unchanged, waiting, parked, or due again later. Raises RetryLater
    (after keeping what was answered) when the platform asks to wait, Misconfigured when a person must act.
    """
    with house.registry.ahead() if ahead else nullcontext():
        return _push(house, channel, entity, stretch or Stretch(), ahead)


def _push(house: House, channel: str, entity: str, stretch: Stretch, ahead: bool) -> Ledger:
    account = house.account(channel, entity, "outward")
    note = _may_write(house, channel, entity)
    if note:
        return account.ledger(house.registry.now(), note=note)
    group = house.of(channel).outward[entity]
    connector, lane = house.connector(channel, "write"), "write"
    resource = group.mapping.resource
    batch = connector.resources[resource].batch
    most = min(stretch.records, max(20, min(1_000, batch * 10)))
    patient = house.registry.now() - PATIENCE
    looked: Counter[str] = Counter()
    if connector.resources[resource].supersedes:
        settle(house, channel, entity)      # what was fetched meanwhile is known before anything takes its place
    absolute = entity in BULK and not ahead and escrows.governs(house, channel, group) is None
    apart = absolute and house.registry.postgres    # SQLite's driver would give way at each row, its lock in its hand

    def decided() -> tuple[Account, list[Sending] | None, datetime]:
        page, since = account.page(), house.registry.now()
        limit = min(most, max(1, batch, int(SENDS_FOR / house.paces.get((channel, entity), SENDS_FOR / most))))
        return page, decide_page(house, page, channel, group, limit, patient, ahead), since

    following: Future[tuple[Account, list[Sending] | None, datetime]] | None = None
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"next {channel}") as beside:
        while True:
            page, sending, since = decided() if following is None else following.result()
            if sending is None:
                if entity == "order" and account.counts[entity, "written"] > 0:
                    recount_posted(house)
                return house.finish(account.ledger(house.registry.now()))
            if page.missing:
                house.registry.attempt(partial(_come_since, channel, dict(page.missing)))
            looks = {uid: id for uid, id in page.looks.items() if looked[uid] < LOOKS}
            quick = house.paces.get((channel, entity), 1.0) * most <= SENDS_FOR / 2
            more = page.read == most and account.read + most < stretch.records and account.elapsed < stretch.seconds
            following = beside.submit(decided) if apart and quick and more else None
            began = time.monotonic()
            fault = _send(house, page, channel, group, house.connector(channel, lane), sending, since)
            if sending:
                house.paces[channel, entity] = max(1e-6, time.monotonic() - began) / len(sending)
            if entity not in FREELY_CREATED and not ahead:
                lane = "bulk"           # what waits longest, and what an order freed, stood in the first page
            account.add(page)
            if fault is None and looks:
                looked.update(looks.keys())
                escrows.look(house, channel, group, looks)
            if fault is not None:
                if following is not None:
                    _put_back(house, account, channel, group, fault, *following.result())
                house.finish(account.ledger(house.registry.now(), more=True, note=str(fault)), error=str(fault))
                if isinstance(fault, Stopped):
                    return account.ledger(house.registry.now(), note=str(fault))
                raise fault
            if following is None and account.spent(stretch):
                return house.finish(account.ledger(house.registry.now(), more=True))


def _put_back(
    house: House, account: Account, channel: str, group: Group, fault: ConnectorError,
    page: Account, sending: Sequence[Sending] | None, since: datetime,
) -> None:
    """The page that was decided while the one before met a fault is due again, like what that one did not send."""
    if sending is not None:
        _record(house, page, channel, group, (), sending, fault, since)
        account.add(page)


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
    again after its commit, where commits may overlap; so either it sees that we wait, or we see what it stored.
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


def _send(
    house: House, page: Account, channel: str, group: Group, connector: Connector, sending: Sequence[Sending],
    since: datetime,
) -> ConnectorError | None:
    """Sends, keeps every receipt, puts back what was not sent; returns what stopped it, None when nothing did."""
    receipts: list[tuple[Sending, Receipt]] = []
    stopped: ConnectorError | None = None
    rest = list(sending)
    try:
        with kept(house, channel, [one.row.id for one in sending], since):
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
    _record(house, page, channel, group, receipts, unsent, stopped, since)
    return stopped


def _record(
    house: House, page: Account, channel: str, group: Group, receipts: Sequence[tuple[Sending, Receipt]],
    unsent: Sequence[Sending], stopped: ConnectorError | None, since: datetime,
) -> None:
    """Keeps the receipts of a page; what was not sent of it is due again, when the platform allows.

    Of what another worker looked after meanwhile nobody knows which write was the last: it is told once more.
    """
    after = stopped.after if isinstance(stopped, RetryLater) else 0.0 if isinstance(stopped, Stopped) else 60.0
    decided, raises = page.copy(), dict(page.raises)

    def work(tx: Tx) -> bool:
        page.clear()
        lost = _overtaken(house, tx, channel, receipts, since)
        lowered = record_receipts(house, tx, page, channel, group, [
            (one, receipt) for one, receipt in receipts if one.row.id not in lost or one.write.op == "create"
        ])
        if lost:
            again = {one.row.id for one, _ in receipts if one.row.id in lost and one.write.op != "create"}
            mark_due(tx, [
                (channel, group.entity, uid, None, id in again, None) for id, uid in lost.items()
            ])
            page.count(group.entity, "failed", len(again), reason="another worker looked after it: told once more")
        if unsent:
            escrows.unsent(house, tx, channel, group, unsent, house.registry.now())
            # Those whose time ran out, but which nobody took over, are this worker's to put back.
            renew_claims(tx, [one.row.id for one in unsent], owner=house.owner, seconds=house.claims(channel))
            set_outbox(tx, [
                OutboxChange(id=one.row.id, state="due", reason=str(stopped or "the platform did not answer"),
                        due_at=house.registry.now() + timedelta(seconds=after), forced=one.row.forced)
                for one in unsent
            ], owner=house.owner)       # what another worker looks after by now is its own
            page.count(group.entity, "failed", len(unsent), reason=type(stopped).__name__)
        return lowered

    lowered = house.registry.attempt(work)
    created = any(one.write.op == "create" and receipt.outcome == "applied" for one, receipt in receipts)
    if house.registry.postgres and (created or lowered):
        # After the commit: a worker that looked before it and waits since is woken by this, one that looks now sees it.
        # On SQLite one writes after the other: who waited before it was woken by it, who waits since looks once more.
        house.registry.attempt(partial(_wake, channel, group, created, lowered))
    if raises:
        _lowered_since(house, channel, group, raises)
    page.add(decided)
    page.close_page(decided.read)


def _wake(channel: str, group: Group, created: bool, lowered: bool, tx: Tx) -> None:
    """What waits for an id on the channel, or for another channel to show less."""
    if created:
        wake(tx, channel=channel, reason=not_there(group.entity, channel))
    if lowered:
        wake(tx, entity="stock", reason=RAISE_WAITS)


def _overtaken(
    house: House, tx: Tx, channel: str, receipts: Sequence[tuple[Sending, Receipt]], since: datetime
) -> dict[int, str]:
    """Row → uid of what is no longer this worker's: it was suspended, or one request took longer than its claims."""
    if not receipts or house.registry.now() < since + timedelta(seconds=house.claims(channel)):
        return {}
    ours = owned(tx, [one.row.id for one, _ in receipts], owner=house.owner)
    return {one.row.id: one.row.uid for one, _ in receipts if one.row.id not in ours}


def _lowered_since(house: House, channel: str, group: Group, raises: Mapping[str, Units]) -> None:
    """Makes due what may be told more by now than when it was looked at.

    Who lowered a figure since then has woken nobody, as long as these were on their way and did not wait yet.
    """
    with house.registry.read() as tx:
        seen = views(house, tx, channel, group, sorted(raises), house.registry.now())
    more = [
        (channel, group.entity, uid, None, False, None) for uid, view in seen.items()
        if view.publish is not None and view.publish > raises[uid]
    ]
    if more:
        house.registry.attempt(lambda tx: mark_due(tx, more))


def _look_for_ours(connector: Connector, group: Group, sending: Sequence[Sending]) -> dict[str, Receipt]:
    """Creates that are there already, by our reference: an order is never created without looking first (P2)."""
    creates = [one.write for one in sending if one.write.op == "create"]
    if not creates:
        return {}
    found = connector.settle(group.mapping.resource, creates)
    return {
        write.key: receipt for write, receipt in zip(creates, found, strict=True) if receipt.outcome == "applied"
    }
