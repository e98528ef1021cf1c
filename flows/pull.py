"""How documents come in: pages by cursor, notices by fetch, complete scans for what everything else missed.

What surprises here:

* A commit covers whole pages with their cursor; what a crash leaves is a cursor that points before the lost pages (P1).
* A notice is a hint: the document is fetched, and "it does not exist" is believed only from that fetch (P5, P10).
* The stored cursor remembers which entities were taken when it was written; an entity switched on since then starts the
  read at page one, so that nothing that happened while it was off is missed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from connectors.base import Cursor, Doc, Page
from connectors.errors import ConnectorError, Misconfigured, RetryLater
from flows.accept import accept_page
from flows.collecting import MESSAGE, collect, keeps_notices
from flows.consequences import Change, follow
from flows.drift import drifted
from flows.escrows import caught_up
from flows.ledger import Account, Ledger, Stretch
from flows.matching import matchable
from flows.order_check import compare_orders
from flows.reserving import stock_records, takes_at_once
from flows.segmenting import look_again
from flows.settings import ENTITIES
from flows.wiring import House, entity_order
from registry import (
    DatabaseRefused,
    Lease,
    LeaseLost,
    Parked,
    ParkedRow,
    RecordRow,
    StoredNotice,
    Tx,
    Unholdable,
    acquire,
    begin_scan,
    binding_for,
    bindings,
    digest,
    finish_scan,
    holdable,
    holders,
    load_cursor,
    lock_entities,
    lock_records,
    mark_due,
    modes,
    park,
    parked,
    posted_reservations,
    put_bindings,
    put_records,
    release,
    renew,
    save_cursor,
    scan_of,
    unpark,
    wait_is_over,
)

LEASE_SECONDS = 120.0
COMMIT_RECORDS = 4_000
"""A commit covers whole pages of up to about so many documents."""
COMMITS_FOR = 0.04
"""Seconds that a commit should take on SQLite: whoever writes meanwhile waits for it, and be it to stop an article."""
HELD_SHARE, HELD_COUNT = 0.2, 10
"""A complete scan in which more than this share *and* this many are missing deletes nothing: a person looks first."""


def resources_of(house: House, channel: str) -> list[str]:
    """The resources read from a channel, so that each comes after those it may refer to.

    A mapping of a resource that the connector has not (what an older interface of the platform tells) is not read.
    Nobody is asked: neither address nor secrets need to be set.
    """
    inward = house.of(channel).inward
    carried = house.channel(channel).entities
    there = house.offered(channel)
    wanted = {
        resource: [entity for entity in mapping.inward if entity in carried]
        for resource, mapping in inward.items() if there is None or resource in there
    }
    ranked = {resource: entity_order(entities)[0] for resource, entities in wanted.items() if entities}
    order = entity_order(list(set(ranked.values())))
    return sorted(ranked, key=lambda resource: (order.index(ranked[resource]), resource))


def pull(
    house: House, channel: str, resource: str, *, full: bool = False, lane: str = "live", stretch: Stretch | None = None
) -> Ledger:
    """Reads a resource from its cursor on (``full``: from page one) and accepts it, page by page.

    With the first resource of a channel the notices that its platform keeps for us are asked for; where that fails, the
    ledger says so. Returns with ``more`` when the stretch is spent. Another worker's lease makes it a no-op with a
    note. Raises what the connector raises; the pages before are committed and the cursor stands behind them.
    """
    stretch = stretch or Stretch()
    account = house.account(channel, resource, "inward")
    followed, taken = _followed(house, channel, resource)
    if not followed:
        return account.ledger(house.registry.now(), note="everything it carries is switched off")
    if keeps_notices(house, channel) and _first(house, channel) == resource:
        try:
            collect(house, channel)
        except ConnectorError as fault:  # its run says so; what the resource holds is read all the same
            account.fault(str(fault))
    lease = acquire(house.registry, channel, resource, lane, house.owner, LEASE_SECONDS)
    if lease is None:
        return account.ledger(house.registry.now(), note="another worker reads it now")
    try:
        return _pull(house, account, channel, resource, lane, full, stretch, taken, lease)
    except LeaseLost as fault:
        return house.finish(account.ledger(house.registry.now(), more=True, note=str(fault)))
    finally:
        release(house.registry, lease)


def _followed(house: House, channel: str, resource: str) -> tuple[list[str], list[str]]:
    """The entities of a resource that are not switched off, and those of them that enter records."""
    mapping = house.of(channel).inward.get(resource)
    if mapping is None:
        raise Misconfigured(f"{channel}: nothing is read from a resource {resource!r}; "
                            f"there are {', '.join(resources_of(house, channel)) or 'none'}")
    with house.registry.read() as tx:
        mode = modes(tx)
    carried = {entity: mode.get((channel, entity), "off") for entity in mapping.inward}
    return (
        [entity for entity, word in carried.items() if word != "off"],
        [entity for entity, word in carried.items() if word in ("canary", "on")],
    )


def _first(house: House, channel: str) -> str:
    """The first resource of the channel that is read."""
    return next(name for name in house.of(channel).inward if _followed(house, channel, name)[0])


def _pull(
    house: House, account: Account, channel: str, resource: str, lane: str, full: bool, stretch: Stretch,
    taken: Sequence[str], lease: Lease,
) -> Ledger:
    cursor, began, scan = _standing(house, channel, resource, lane, taken, full=full)
    pages: list[Page] = []
    held = 0
    connector = house.connector(channel, "backfill" if cursor is None and lane == "live" else lane)
    for page in connector.read(resource, cursor):
        pages.append(page)
        began = began or page.asked_at
        held += len(page.docs)
        worth_keeping = not page.docs  # such a page is there for its cursor alone: a platform is at work on the list
        pace = 0.0 if house.registry.postgres else house.paces.get((channel, f"read {resource}"), 0.0)
        much = held >= COMMIT_RECORDS or held * pace >= COMMITS_FOR
        if page.last or worth_keeping or much or account.spent(stretch):
            clock = time.monotonic()
            _commit(house, account, channel, resource, lane, pages, scan, taken, lease, began)
            if held > 0:
                house.paces[channel, f"read {resource}"] = max(1e-6, time.monotonic() - clock) / held
            held = 0
            pages = []
            if not page.last and account.spent(stretch):
                return house.finish(account.ledger(house.registry.now(), more=True))
    if scan is not None:
        _missing(house, account, channel, resource, scan)
    if began is not None:
        caught_up(house, channel, resource, began)
    _again(house, account, channel, resource)
    return house.finish(account.ledger(house.registry.now()))


def _standing(
    house: House, channel: str, resource: str, lane: str, taken: Sequence[str], *, full: bool
) -> tuple[Cursor | None, datetime | None, str | None]:
    """Where to read on, when the first page of this read was asked for, and the complete scan that it belongs to.

    No position (page one) when nothing was read yet, an entity was switched on since, or ``full``; a new scan then. No
    moment when a new read begins: a stretch leaves one that goes on.
    """
    complete = house.descriptor(channel, resource).complete

    def work(tx: Tx) -> tuple[Cursor | None, datetime | None, str | None]:
        stored = None if full else load_cursor(tx, channel, resource, lane)
        if stored is None or stored["at"] is None or not set(taken) <= set(stored["taken"]):
            return None, None, begin_scan(tx, channel, resource, entities=taken) if complete else None
        told = stored.get("began")
        going = scan_of(tx, channel, resource) if complete else None
        return (
            stored["at"], None if told is None else datetime.fromisoformat(told), None if going is None else going.scan
        )

    if complete:
        return house.registry.attempt(work)
    with house.registry.read() as tx:
        return work(tx)


def _commit(
    house: House, account: Account, channel: str, resource: str, lane: str, pages: Sequence[Page], scan: str | None,
    taken: Sequence[str], lease: Lease, began: datetime,
) -> None:
    """Whole pages with their cursor, in one transaction; the account grows only when it has committed.

    The lease is good for its whole time again.
    """
    docs = [doc for page in pages for doc in page.docs]
    asked_at = min(page.asked_at for page in pages)

    def finish(tx: Tx) -> None:
        renew(tx, lease, LEASE_SECONDS)
        before = load_cursor(tx, channel, resource, lane)
        known = before is not None and bool(before["whole"]) and set(taken) <= set(before["taken"])
        save_cursor(tx, channel, resource, lane, {
            "at": pages[-1].cursor, "taken": list(taken), "whole": known or pages[-1].last,
            "began": None if pages[-1].last else began.isoformat(),
        }, asked_at)

    stale = take(house, account, channel, resource, docs, asked_at, scan=scan, finish=finish)
    if stale:
        _fetch(house, account, channel, resource, sorted(stale))


def take(
    house: House, account: Account, channel: str, resource: str, docs: Sequence[Doc], asked_at: datetime, *,
    scan: str | None = None, finish: Callable[[Tx], None] | None = None,
) -> set[str]:
    """Accepts documents in one transaction, ``finish`` in it; returns ids to read once more.

    What the database or the encoder refuses is found by halves: the good documents are taken, the bad one is parked
    with what was refused, and only then ``finish`` (the cursor) is kept (P6).
    """

    def work(tx: Tx) -> tuple[Account, set[str]]:
        page = account.page()
        stale = accept_page(house, tx, page, channel, resource, docs, asked_at, house.registry.now(), scan=scan)
        if finish is not None:
            finish(tx)
        return page, stale

    try:
        page, stale = house.registry.attempt(work)
    except (DatabaseRefused, Unholdable, UnicodeError, ValueError) as fault:
        if (isinstance(fault, DatabaseRefused) and fault.repeatable) or not docs:
            raise
        if len(docs) == 1:
            _park_refused(house, account, channel, resource, docs[0], fault, finish)
            return set()
        half = len(docs) // 2
        stale = take(house, account, channel, resource, docs[:half], asked_at, scan=scan)
        return stale | take(house, account, channel, resource, docs[half:], asked_at, scan=scan, finish=finish)
    account.add(page)
    return stale


def _park_refused(
    house: House, account: Account, channel: str, resource: str, doc: Doc, fault: Exception,
    finish: Callable[[Tx], None] | None,
) -> None:
    """Parks a document that no database holds, by its id and the kind of refusal; its text is not repeated."""
    entity = house.of(channel).inward[resource].inward[0]
    id = house.document_id(channel, resource, doc)
    safe = id if holdable(id) else digest(repr(doc)).hex()
    message = f"the document holds what no database can keep ({type(fault).__name__}): a NUL or half a character"

    def work(tx: Tx) -> Account:
        page = account.page()
        park(tx, [ParkedRow(
            channel=channel, entity=entity, direction="inward", external_id=safe, resource=resource, rule="unholdable",
            message=message, remedy=f"mend {resource} {safe} on {channel}, then `serai replay`",
        )])
        page.count(entity, "parked")
        page.fault(f"{channel} {entity} {safe}: {message}")
        page.close_page(1)
        if finish is not None:
            finish(tx)
        return page

    account.add(house.registry.attempt(work))


def _fetch(
    house: House, account: Account, channel: str, resource: str, ids: Sequence[str], *, again: bool = True
) -> None:
    """Reads these documents now and accepts them; those that no longer exist are gone.

    What a write of ours overtook meanwhile is read once more: whoever asked for it may never ask again (P5).
    """
    asked_at = house.registry.now()
    found = house.connector(channel).fetch(resource, ids)
    docs = [doc for doc in found.values() if doc is not None]
    stale = take(house, account, channel, resource, docs, asked_at) if docs else set()
    gone = [id for id, doc in found.items() if doc is None]
    if gone:
        vanish(house, account, channel, resource, gone)
    if stale and again:
        _fetch(house, account, channel, resource, sorted(stale), again=False)


def _missing(house: House, account: Account, channel: str, resource: str, scan: str) -> None:
    """After a complete scan: what it did not see is asked for by id, and only a clear "no" counts (P10)."""
    missing = house.registry.attempt(lambda tx: finish_scan(tx, scan))
    ids = sorted({id for _, id, _ in missing})
    if len(ids) > HELD_COUNT and len(ids) > HELD_SHARE * max(1, account.read):
        account.fault(f"{channel} {resource}: {len(ids)} documents are missing from a complete scan of {account.read}; "
                      "nothing is concluded from so many: look at the channel, then run the scan again")
        return
    if ids:
        _fetch(house, account, channel, resource, ids)


def vanish(house: House, account: Account, channel: str, resource: str, ids: Sequence[str]) -> None:
    """The channel says that these do not exist: bindings are gone; where it has authority, records are archived.

    A price has no status of its own: one that no other channel with a say keeps is a price no more.
    """
    _, entities = _followed(house, channel, resource)

    def work(tx: Tx) -> None:
        lock_entities(tx, channel, entities)
        found = bindings(tx, channel, [(entity, id) for entity in entities for id in ids])
        live = [binding for binding in found.values() if binding.state == "live" and binding.uid is not None]
        put_bindings(tx, [binding.row(state="gone") for binding in live])
        ours = {str(b.uid): b for b in live if house.may_create(channel, b.entity)}
        changes = []
        priced = holders(tx, [uid for uid, b in ours.items() if b.entity == "price"])
        kept = {uid for uid, names in priced.items() if any(house.may_create(name, "price") for name in names)}
        for uid, record in lock_records(tx, sorted(ours)).items():
            if uid in kept or (uid not in priced and record.values.get("status") not in ("active", "archived")):
                continue
            values = dict(record.values) if uid in priced else {**record.values, "status": "archived"}
            put_records(tx, [RecordRow(uid=record.uid, entity=record.entity, values=values, state="archived")])
            changes.append(Change(entity=record.entity, uid=uid, source=channel, before=record.values, after=values))
        follow(house, tx, changes, now=house.registry.now(), cause=channel)
        mark_due(tx, [(channel, b.entity, str(b.uid), None, True, channel) for b in live
                      if b.entity in house.channel(channel).receives and str(b.uid) not in ours])

    house.registry.attempt(work)


def _again(house: House, account: Account, channel: str, resource: str) -> None:
    """At the end of a read: items whose reference has come since, and stock whose reservations were posted."""
    entities = house.of(channel).inward[resource].inward
    with house.registry.read() as tx:
        ready = {*matchable(house, tx, channel, entities), *_no_longer_waiting(house, tx, channel).get(resource, ())}
    if ready:
        _fetch(house, account, channel, resource, sorted(ready))
    if "stock" in entities and house.may_create(channel, "stock"):
        _recount(house, account, channel, resource)


def _no_longer_waiting(house: House, tx: Tx, channel: str) -> dict[str, set[str]]:
    """Resource → ids of documents that waited for what is there now."""
    found: dict[str, set[str]] = {}
    for row in wait_is_over(tx, channel):
        if row.resource is not None and row.resource in house.of(channel).inward:
            found.setdefault(row.resource, set()).add(house.document_of(row))
    return found


def _recount(house: House, account: Account, channel: str, resource: str) -> None:
    """Reads the stock of posted orders once more: a figure asked for after the posting sets the reservation free."""
    with house.registry.read() as tx:
        places = posted_reservations(tx, taken=takes_at_once(house))
        uids = stock_records(tx, places)
        ids = sorted({binding.external_id for binding in binding_for(tx, channel, "stock", uids).values()})
    if ids:
        _fetch(house, account, channel, resource, ids)


def accept(
    house: House, channel: str, resource: str, docs: Sequence[Doc], *, asked_at: datetime, scan: str | None = None
) -> Ledger:
    """Accepts documents asked for at ``asked_at``, in one transaction of its own; stale ones are read once more."""
    account = house.account(channel, resource, "inward")
    stale = take(house, account, channel, resource, docs, asked_at, scan=scan)
    if stale:
        _fetch(house, account, channel, resource, sorted(stale))
    return house.finish(account.ledger(house.registry.now()))


def reread(house: House, channel: str, resource: str, ids: Sequence[str]) -> Ledger:
    """Asks for these documents now and accepts what comes. Raises ConnectorError when the channel cannot be asked."""
    account = house.account(channel, resource, "inward")
    _fetch(house, account, channel, resource, ids)
    return house.finish(account.ledger(house.registry.now()))


def take_notices(house: House, *, limit: int = 500, channels: Sequence[str] | None = None) -> list[Ledger]:
    """Stored notices, coalesced by channel and resource: each document is fetched once and accepted.

    A channel that asks to wait, or that a person must mend, has its notices put back; the other channels go on.
    """
    rows = house.registry.inbox.claim(limit, house.owner, house.claim_seconds, channels)
    groups: dict[tuple[str, str], list[StoredNotice]] = {}
    for row in rows:
        groups.setdefault((row.channel, row.resource), []).append(row)
    ledgers = []
    told: dict[str, None] = {}
    for (channel, resource), notices in sorted(groups.items(), key=lambda group: _rank(house, *group[0])):
        uids = [notice.uid for notice in notices]
        if resource not in house.of(channel).inward or not _followed(house, channel, resource)[0]:
            house.registry.inbox.done(uids, house.owner)
            continue
        account = house.account(channel, resource, "inward")
        try:
            _fetch(house, account, channel, resource, sorted({notice.id for notice in notices}))
            _again(house, account, channel, resource)
        except ConnectorError as fault:
            wait = fault.after if isinstance(fault, RetryLater) else 60.0
            house.registry.inbox.fail(uids, str(fault), house.registry.now() + timedelta(seconds=wait))
            ledgers.append(house.finish(account.ledger(house.registry.now(), note=str(fault)), error=str(fault)))
            continue
        house.registry.inbox.done(uids, house.owner)
        ledgers.append(house.finish(account.ledger(house.registry.now())))
        told[channel] = None
    for channel in told:
        ledgers += _others_again(house, channel)
    if ledgers:
        ledgers += recount_posted(house)
    return ledgers


def _others_again(house: House, channel: str) -> list[Ledger]:
    """Documents of other resources that waited for what these brought, such as a parcel whose order came after it."""
    ledgers = []
    with house.registry.read() as tx:
        ready = _no_longer_waiting(house, tx, channel)
    for resource, ids in ready.items():
        if not _followed(house, channel, resource)[0]:
            continue
        account = house.account(channel, resource, "inward")
        try:
            _fetch(house, account, channel, resource, sorted(ids))
        except ConnectorError as fault:     # they wait on: the next notice or read of the channel asks again
            ledgers.append(house.finish(account.ledger(house.registry.now(), note=str(fault)), error=str(fault)))
            continue
        ledgers.append(house.finish(account.ledger(house.registry.now())))
    return ledgers


def _rank(house: House, channel: str, resource: str) -> tuple[int, str, str]:
    """Over all channels, those first to which the others refer."""
    mapping = house.of(channel).inward.get(resource)
    entities = mapping.inward if mapping is not None else ()
    return (min((ENTITIES.index(entity) for entity in entities), default=len(ENTITIES)), channel, resource)


def recount_posted(house: House) -> list[Ledger]:
    """Asks once more for the stock of orders that were posted, where stock has its authority; usually there is none."""
    with house.registry.read() as tx:
        if not posted_reservations(tx, taken=takes_at_once(house)):
            return []
    ledgers = []
    for channel in house.project.channels:
        for resource, mapping in house.of(channel).inward.items():
            if "stock" in mapping.inward and house.may_create(channel, "stock"):
                account = house.account(channel, resource, "inward")
                try:
                    _recount(house, account, channel, resource)
                except RetryLater:
                    continue  # the next notice, or the next pull of stock, asks again
                ledgers.append(house.finish(account.ledger(house.registry.now())))
    return ledgers


def reconcile(house: House, channel: str, resource: str) -> Ledger:
    """A complete scan compared with what we know; what notices and cursors missed is taken, drift is put right.

    Orders are compared with what the other channels hold of them (`order_check`).

    Stock of a channel that sells is compared last and after its orders were read: a figure that is lower because of a
    sale we do not know yet must not be raised.
    """
    ledger = pull(house, channel, resource, full=True, lane="reconcile", stretch=Stretch(seconds=1e9, records=10**9))
    if "order" in house.of(channel).inward[resource].inward:
        ledger = replace(ledger, faults=(*ledger.faults, *compare_orders(house, channel)))
    row = house.channel(channel)
    drifting = [entity for entity in house.of(channel).inward[resource].inward if entity in row.receives]
    if drifting:
        for other in resources_of(house, channel):
            if "order" in house.of(channel).inward[other].inward:
                pull(house, channel, other, stretch=Stretch(seconds=1e9, records=10**9))
        if "stock" in drifting:
            house.registry.attempt(lambda tx: _put_right(house, tx, channel))
        if "customer" in drifting:
            look_again(house, channel)
    return ledger


def _put_right(house: House, tx: Tx, channel: str) -> None:
    """Marks due, forced, the stock that the channel was seen to show otherwise than it was told."""
    mark_due(tx, [(channel, "stock", uid, None, True, channel) for uid in drifted(house, tx, channel)])


def replay(house: House, uids: Sequence[str] | None = None, *, channel: str | None = None) -> list[Ledger]:
    """Takes parked items up again: inward by fetching the document anew, outward by marking it due.

    Afterwards what succeeded is no longer parked; what did not says so again, with one more to its ``times``. A message
    that is no notice can only be let go.
    """
    with house.registry.read() as tx:
        rows = parked(tx, channel, uids=uids)
    messages = [row.key for row in rows if row.entity == MESSAGE]
    if messages:
        house.registry.attempt(lambda tx: unpark(tx, messages, state="dismissed"))
    ledgers = []
    inward: dict[tuple[str, str], list[Parked]] = {}
    for row in rows:
        if row.direction == "inward" and row.resource is not None:
            inward.setdefault((row.channel, row.resource), []).append(row)
    outward = [row for row in rows if row.direction == "outward" and row.record_uid is not None]
    for (name, resource), items in inward.items():
        account = house.account(name, resource, "inward")
        _fetch(house, account, name, resource, sorted({house.document_of(item) for item in items}))
        ledgers.append(house.finish(account.ledger(house.registry.now())))
    if outward:
        def work(tx: Tx) -> None:
            mark_due(tx, [(row.channel, row.entity, str(row.record_uid), None, True, None) for row in outward])
            unpark(tx, [row.key for row in outward])

        house.registry.attempt(work)
    return ledgers
