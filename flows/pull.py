"""How a resource is read: pages by cursor, and complete scans for what everything else missed.

What surprises here:

* A commit covers whole pages with their cursor; what a crash leaves is a cursor that points before the lost pages (P1).
* The stored cursor remembers which entities were taken when it was written; an entity switched on since then starts the
  read at page one, so that nothing that happened while it was off is missed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from connectors.base import Cursor, Page
from connectors.errors import ConnectorError
from flows.collecting import collect, keeps_notices
from flows.drift import drifted
from flows.escrows import caught_up
from flows.fetching import fetch, take, waiting_again
from flows.ledger import Account, Ledger, Stretch
from flows.order_check import compare_orders
from flows.resources import followed, resources_of
from flows.segmenting import look_again
from flows.wiring import House
from registry import (
    Lease,
    LeaseLost,
    Tx,
    acquire,
    begin_scan,
    finish_scan,
    load_cursor,
    mark_due,
    release,
    renew,
    save_cursor,
    scan_of,
)

LEASE_SECONDS = 120.0
COMMIT_RECORDS = 4_000
"""A commit covers whole pages of up to about so many documents."""
COMMITS_FOR = 0.04
"""Seconds that a commit should take on SQLite: whoever writes meanwhile waits for it, and be it to stop an article."""
HELD_SHARE, HELD_COUNT = 0.2, 10
"""A complete scan in which more than this share *and* this many are missing deletes nothing: a person looks first."""


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
    carried, taken = followed(house, channel, resource)
    if not carried:
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


def _first(house: House, channel: str) -> str:
    """The first resource of the channel that is read."""
    return next(name for name in house.of(channel).inward if followed(house, channel, name)[0])


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
    waiting_again(house, account, channel, resource)
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
        fetch(house, account, channel, resource, sorted(stale))


def _missing(house: House, account: Account, channel: str, resource: str, scan: str) -> None:
    """After a complete scan: what it did not see is asked for by id, and only a clear "no" counts (P10)."""
    missing = house.registry.attempt(lambda tx: finish_scan(tx, scan))
    ids = sorted({id for _, id, _ in missing})
    if len(ids) > HELD_COUNT and len(ids) > HELD_SHARE * max(1, account.read):
        account.fault(f"{channel} {resource}: {len(ids)} documents are missing from a complete scan of {account.read}; "
                      "nothing is concluded from so many: look at the channel, then run the scan again")
        return
    if ids:
        fetch(house, account, channel, resource, ids)


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
