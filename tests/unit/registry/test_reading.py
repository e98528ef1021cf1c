"""Cursors, scans, documents, leases and the inbox: reading goes on where it stood, and a gap is never a deletion."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from registry import (
    BindingRow,
    LeaseLost,
    Registry,
    acquire,
    begin_scan,
    check_lease,
    cursors,
    document_pages,
    finish_scan,
    held,
    last_seen,
    load_cursor,
    put_bindings,
    put_documents,
    put_sightings,
    release,
    renew,
    save_cursor,
    scan_of,
    seen_later,
)
from registry.sightings import KEPT

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def bound(external_id: str, **more: object) -> BindingRow:
    return BindingRow(**{"channel": "erp", "entity": "stock", "external_id": external_id, "uid": "u", **more})  # type: ignore[arg-type]  # fields by name


# ── cursors ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_read_goes_on_where_its_last_committed_page_ended(reg: Registry) -> None:
    """P1, P15: the cursor moves with its page or not at all, exact numbers included."""
    position = {"since": "2026-03-01T12:00:00Z", "page": 0, "token": "", "mark": Decimal("0.10")}
    with reg.write() as tx:
        assert load_cursor(tx, "erp", "items", "live") is None
        save_cursor(tx, "erp", "items", "live", position, NOON)
        save_cursor(tx, "erp", "items", "backfill", {}, NOON)

    def page_that_fails() -> None:
        with reg.write() as tx:
            save_cursor(tx, "erp", "items", "live", {"page": 9}, NOON)
            raise LookupError("the page does not balance")

    with pytest.raises(LookupError):
        page_that_fails()
    with reg.write() as tx:
        assert load_cursor(tx, "erp", "items", "live") == position
        assert [(row.lane, row.asked_at) for row in cursors(tx)] == [("backfill", NOON), ("live", NOON)]


# ── scans ───────────────────────────────────────────────────────────────────────────────────────────────────────────
IDS = st.sets(st.text("aé\x1f", max_size=3))
"""Ids with and without the character that stands between them where many are one text."""


@given(known=IDS, seen=IDS)
@example(known={"a", "a\x1fé"}, seen={"a"})
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_complete_scan_misses_exactly_what_it_did_not_see(reg: Registry, known: set[str], seen: set[str]) -> None:
    """P10: the missing are known minus seen, whatever the pages were and whatever the ids hold."""
    with reg.write() as tx:
        tx.conn.exec_driver_sql("DELETE FROM binding")
        put_bindings(tx, [bound(id) for id in known])
        scan = begin_scan(tx, "erp", "items", entities=["stock"])
        for id in seen:
            put_sightings(tx, "erp", {"stock": [id], "variant": [id]}, NOON, scan=scan)
            put_sightings(tx, "erp", {"stock": [id]}, NOON, scan=scan)
    with reg.write() as tx:
        assert finish_scan(tx, scan) == [("stock", id, "u") for id in sorted(known - seen)]
        assert scan_of(tx, "erp", "items") is None
        assert finish_scan(tx, scan) == []


def test_a_scan_that_began_in_the_middle_proves_no_absence(reg: Registry) -> None:
    """P10: resuming a read at its cursor deletes nothing."""
    with reg.write() as tx:
        put_bindings(tx, [bound("a")])
        scan = begin_scan(tx, "erp", "items", entities=["stock"], from_page_one=False)
        assert finish_scan(tx, scan) == []


def test_a_scan_says_nothing_of_what_it_could_not_see(reg: Registry) -> None:
    """P10: other channels, entities and resources, gone ones, and what was read, told or verified since it began."""
    with reg.write() as tx:
        began = tx.now
        scan = begin_scan(tx, "erp", "items", entities=["stock"], began_at=began)
        put_bindings(
            tx,
            [
                bound("missing", resource="items", asked_at=began - timedelta(microseconds=1)),
                bound("never read"),
                bound("other resource", resource="levels"),
                bound("gone", state="gone"),
                bound("read since", asked_at=began),
                bound("told since", told_at=began),
                bound("verified since", verified_at=began),
                bound("a", channel="shop"),
                bound("a", entity="variant"),
            ],
        )
        assert [id for _entity, id, _uid in finish_scan(tx, scan)] == ["missing", "never read"]


def test_a_new_scan_forgets_the_unfinished_one(reg: Registry) -> None:
    """P10: sightings of an abandoned scan do not count for the next."""
    with reg.write() as tx:
        put_bindings(tx, [bound("a")])
        old = begin_scan(tx, "erp", "items", entities=["stock"])
        put_sightings(tx, "erp", {"stock": ["a"]}, NOON, scan=old)
        new = begin_scan(tx, "erp", "items", entities=["stock"])
        unfinished = scan_of(tx, "erp", "items")
        assert unfinished is not None
        assert (unfinished.scan, unfinished.entities, unfinished.from_page_one) == (new, frozenset({"stock"}), True)
        assert finish_scan(tx, old) == []
        assert finish_scan(tx, new) == [("stock", "a", "u")]


def test_what_a_notice_saw_while_a_scan_ran_is_not_missing(reg: Registry) -> None:
    """P10: a document that was fetched after the scan began exists, though no page of the scan has it."""
    with reg.write() as tx:
        put_bindings(tx, [bound("a"), bound("b")])
        scan = begin_scan(tx, "erp", "items", entities=["stock"])
        put_sightings(tx, "erp", {"stock": ["a"]}, tx.now)
        assert finish_scan(tx, scan) == [("stock", "b", "u")]


def test_it_is_known_what_later_requests_saw(reg: Registry) -> None:
    """P5: an answer that arrives late is compared with what was asked for after it, per channel and entity."""
    with reg.write() as tx:
        now = tx.now
        put_sightings(tx, "erp", {"stock": ["a", "b"], "price": ["p"]}, now)
        put_sightings(tx, "erp", {"stock": ["b", "c"]}, now + timedelta(seconds=2))
        assert seen_later(tx, "erp", "stock", now + timedelta(seconds=1)) == {"b", "c"}
        assert seen_later(tx, "erp", "stock", now - timedelta(seconds=1)) == {"a", "b", "c"}
        assert seen_later(tx, "erp", "stock", now + timedelta(seconds=2)) == frozenset()
        assert seen_later(tx, "shop", "stock", now - timedelta(seconds=1)) == frozenset()
        assert last_seen(tx, "erp", "stock", "b") == now + timedelta(seconds=2)
        assert last_seen(tx, "erp", "stock", "a") == now
        assert last_seen(tx, "erp", "stock", "p") is None


def test_what_is_too_old_to_remember_is_said_to_be_unknown(reg: Registry) -> None:
    """P5: sightings do not pile up, and an answer older than they are is never taken for the newest."""
    with reg.write() as tx:
        now = tx.now
        for hours in range(50, 0, -1):
            put_sightings(tx, "erp", {"stock": [f"e{hours}"]}, now - timedelta(hours=hours))
        kept = tx.conn.exec_driver_sql("SELECT count(*) FROM sighting").scalar_one()
        assert kept <= KEPT // timedelta(hours=1) + 2
        assert seen_later(tx, "erp", "stock", now - timedelta(hours=30)) is None
        assert seen_later(tx, "erp", "stock", now - timedelta(hours=1, minutes=30)) == {"e1"}


def test_a_long_scan_keeps_its_sightings(reg: Registry) -> None:
    """P10: a scan that takes a day still knows its first page at its end."""
    with reg.write() as tx:
        began = tx.now - timedelta(hours=24)
        put_bindings(tx, [bound("first"), bound("missing")])
        scan = begin_scan(tx, "erp", "items", entities=["stock"], began_at=began)
        put_sightings(tx, "erp", {"stock": ["first"]}, began, scan=scan)
        put_sightings(tx, "erp", {"stock": ["last"]}, tx.now, scan=scan)
        assert finish_scan(tx, scan) == [("stock", "missing", "u")]


# ── documents ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_kept_documents_can_be_read_page_by_page(reg: Registry) -> None:
    """P1: a changed mapping is applied to every kept document once."""
    bodies = {f"e{n}": (b"%d" % n) * (n * 50 + 1) for n in range(25)}
    with reg.write() as tx:
        put_documents(tx, [("erp", "items", id, body, NOON) for id, body in bodies.items()])
        put_documents(tx, [("erp", "orders", "e1", b"other", NOON)])
        seen: list[tuple[str, bytes]] = []
        while page := document_pages(tx, "erp", "items", seen[-1][0] if seen else "", 7):
            seen += page
        assert seen == sorted(bodies.items())


# ── leases ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_one_worker_at_a_time_works_on_a_lane(reg: Registry) -> None:
    """P15: while a lease is in force nobody else gets it, and each new holder has a higher epoch."""
    first = acquire(reg, "erp", "items", "live", "one", 60)
    assert first is not None
    assert first.epoch == 1
    assert acquire(reg, "erp", "items", "live", "two", 60) is None
    assert acquire(reg, "erp", "items", "live", "one", 60) is None
    other = acquire(reg, "erp", "items", "backfill", "two", 60)
    assert other is not None
    release(reg, first)
    second = acquire(reg, "erp", "items", "live", "two", 60)
    assert second is not None
    assert second.epoch == 2
    with reg.read() as tx:
        assert {(lease.lane, lease.owner) for lease in held(tx)} == {("backfill", "two"), ("live", "two")}


def test_a_late_commit_of_a_lost_lease_fails(reg: Registry) -> None:
    """P15: a worker that slept through its lease commits nothing, whether or not another took over."""
    lease = acquire(reg, "erp", "items", "live", "slow", 60)
    assert lease is not None
    with reg.write() as tx:
        check_lease(tx, lease)
        tx.conn.exec_driver_sql("UPDATE lease SET until = 1")  # the worker slept for an hour

    def late_commit() -> None:
        with reg.write() as tx:
            save_cursor(tx, "erp", "items", "live", {"page": 1}, NOON)
            check_lease(tx, lease)

    with pytest.raises(LeaseLost, match="ran out"):
        late_commit()
    assert acquire(reg, "erp", "items", "live", "quick", 60) is not None
    with pytest.raises(LeaseLost, match="quick holds it now"):
        late_commit()
    with pytest.raises(LeaseLost):
        reg.attempt(lambda tx: renew(tx, lease))
    release(reg, lease)
    with reg.read() as tx:
        assert load_cursor(tx, "erp", "items", "live") is None
        assert [found.owner for found in held(tx)] == ["quick"]


def test_a_renewed_lease_lasts_longer(reg: Registry) -> None:
    """P15: a worker that goes on keeps its epoch."""
    lease = acquire(reg, "erp", "items", "live", "one", 5)
    assert lease is not None
    longer = reg.attempt(lambda tx: renew(tx, lease, 60))
    assert (longer.epoch, longer.until > lease.until) == (1, True)
    with reg.write() as tx:
        check_lease(tx, longer)


def test_a_page_being_committed_keeps_the_lease_from_others(postgres_url: str) -> None:
    """P15: between the check and the commit nobody can take over (SQLite has one writer anyhow)."""
    import threading

    from registry import open_registry

    reg = open_registry(postgres_url)
    lease = acquire(reg, "erp", "items", "live", "one", 3)
    assert lease is not None
    taken: list[float] = []
    with reg.write() as tx:
        check_lease(tx, lease)
        thief = threading.Thread(
            target=lambda: taken.append(time.monotonic()) if acquire(reg, "erp", "items", "live", "two", 9) else None
        )
        time.sleep(3.1)
        thief.start()
        time.sleep(0.3)
        before_commit = time.monotonic()
    thief.join(60)
    reg.close()
    assert len(taken) == 1
    assert taken[0] > before_commit


# ── the inbox ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_repeated_delivery_is_one_row_that_is_ready_again_once_somebody_had_begun_with_it(reg: Registry) -> None:
    """P1, P2: platforms deliver again, and tell two changes within a second in the same words."""
    notice = ("shop", "d1", "orders", "7", NOON, b'{"id": 7}')
    assert reg.inbox.put([notice, notice, ("pos", "d1", "orders", "7", NOON, None)]) == 2
    assert reg.inbox.put([notice]) == 0
    assert reg.inbox.depth() == {"shop": 1, "pos": 1}
    (claimed,) = reg.inbox.claim(10, "drain", 60, channels=["shop"])
    assert (claimed.channel, claimed.resource, claimed.id, claimed.at, claimed.body, claimed.attempts) == (
        "shop", "orders", "7", NOON, b'{"id": 7}', 1,
    )  # fmt: skip
    assert reg.inbox.put([notice]) == 1
    (again,) = reg.inbox.claim(10, "another", 60, channels=["shop"])
    assert (again.uid, again.body) == (claimed.uid, b'{"id": 7}')
    assert reg.inbox.done([claimed.uid], "drain") == 0, "another has it now, who may die with it"
    assert reg.inbox.done([claimed.uid], "another") == 1
    assert reg.inbox.waiting() == 1
    assert reg.inbox.put([notice]) == 1
    assert reg.inbox.depth() == {"shop": 1, "pos": 1}
    (last,) = reg.inbox.claim(10, "drain", 60, channels=["shop"])
    assert reg.inbox.done([last.uid], "drain") == 1
    assert reg.inbox.prune(reg.now() + timedelta(seconds=1)) == 1
    assert reg.inbox.put([notice]) == 1


def test_a_claimed_notice_comes_back_when_its_worker_dies_or_fails(reg: Registry) -> None:
    """P15: a notice is acted on at least once."""
    reg.inbox.put([("shop", f"d{n}", "orders", f"{n}", NOON, None) for n in range(3)])
    first = reg.inbox.claim(2, "one", 60)
    assert [notice.id for notice in first] == ["0", "1"]
    assert [notice.id for notice in reg.inbox.claim(10, "two", 60)] == ["2"]
    with reg._inbox_engine.begin() as conn:
        conn.exec_driver_sql("UPDATE inbox SET ready_at = 1 WHERE claimed_by = 'one'")  # its worker died an hour ago
    again = reg.inbox.claim(10, "two", 60)
    assert [(notice.id, notice.attempts) for notice in again] == [("0", 2), ("1", 2)]
    later = reg.now() + timedelta(seconds=30)
    assert reg.inbox.fail([again[0].uid], "the shop is away", later) == 1
    assert reg.inbox.claim(10, "three", 60) == []
    assert reg.inbox.next_ready() == later
    assert reg.inbox.waiting() == 3


def test_a_notice_is_stored_while_the_registry_is_locked(reg: Registry) -> None:
    """P1: the receiver acknowledges within a moment although a page is being committed."""
    with reg.write() as tx:
        save_cursor(tx, "erp", "items", "live", {}, NOON)
        began = time.monotonic()
        assert reg.inbox.put([("shop", "d", "orders", "1", NOON, None)]) == 1
        assert time.monotonic() - began < 20
