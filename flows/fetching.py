"""Documents let in: what was read, what is asked for by id, and what the channel says is no more.

What surprises here: a document that another transaction overtook is read once more, by whoever let it in; "it does not
exist" is believed only from a fetch by id (P5, P10).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from connectors.base import Doc
from connectors.errors import RetryLater
from flows.accept import accept_page
from flows.consequences import Change, follow
from flows.ledger import Account, Ledger
from flows.matching import matchable
from flows.reserving import stock_records, takes_at_once
from flows.resources import followed
from flows.wiring import House
from registry import (
    DatabaseRefused,
    ParkedRow,
    RecordRow,
    Tx,
    Unholdable,
    binding_for,
    bindings,
    digest,
    holdable,
    holders,
    lock_entities,
    lock_records,
    mark_due,
    park,
    posted_reservations,
    put_bindings,
    put_records,
    wait_is_over,
)


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


def fetch(
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
        fetch(house, account, channel, resource, sorted(stale), again=False)


def vanish(house: House, account: Account, channel: str, resource: str, ids: Sequence[str]) -> None:
    """The channel says that these do not exist: bindings are gone; where it has authority, records are archived.

    A price has no status of its own: one that no other channel with a say keeps is a price no more.
    """
    _, entities = followed(house, channel, resource)

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


def waiting_again(house: House, account: Account, channel: str, resource: str) -> None:
    """At the end of a read: items whose reference has come since, and stock whose reservations were posted."""
    entities = house.of(channel).inward[resource].inward
    with house.registry.read() as tx:
        ready = {*matchable(house, tx, channel, entities), *no_longer_waiting(house, tx, channel).get(resource, ())}
    if ready:
        fetch(house, account, channel, resource, sorted(ready))
    if "stock" in entities and house.may_create(channel, "stock"):
        recount(house, account, channel, resource)


def no_longer_waiting(house: House, tx: Tx, channel: str) -> dict[str, set[str]]:
    """Resource → ids of documents that waited for what is there now."""
    found: dict[str, set[str]] = {}
    for row in wait_is_over(tx, channel):
        if row.resource is not None and row.resource in house.of(channel).inward:
            found.setdefault(row.resource, set()).add(house.document_of(row))
    return found


def recount(house: House, account: Account, channel: str, resource: str) -> None:
    """Reads the stock of posted orders once more: a figure asked for after the posting sets the reservation free."""
    with house.registry.read() as tx:
        places = posted_reservations(tx, taken=takes_at_once(house))
        uids = stock_records(tx, places)
        ids = sorted({binding.external_id for binding in binding_for(tx, channel, "stock", uids).values()})
    if ids:
        fetch(house, account, channel, resource, ids)


def accept(
    house: House, channel: str, resource: str, docs: Sequence[Doc], *, asked_at: datetime, scan: str | None = None
) -> Ledger:
    """Accepts documents asked for at ``asked_at``, in one transaction of its own; stale ones are read once more."""
    account = house.account(channel, resource, "inward")
    stale = take(house, account, channel, resource, docs, asked_at, scan=scan)
    if stale:
        fetch(house, account, channel, resource, sorted(stale))
    return house.finish(account.ledger(house.registry.now()))


def reread(house: House, channel: str, resource: str, ids: Sequence[str]) -> Ledger:
    """Asks for these documents now and accepts what comes. Raises ConnectorError when the channel cannot be asked."""
    account = house.account(channel, resource, "inward")
    fetch(house, account, channel, resource, ids)
    return house.finish(account.ledger(house.registry.now()))


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
                    recount(house, account, channel, resource)
                except RetryLater:
                    continue  # the next notice, or the next pull of stock, asks again
                ledgers.append(house.finish(account.ledger(house.registry.now())))
    return ledgers
