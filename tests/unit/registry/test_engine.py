"""Transactions, the clock, repetition, addresses, and a constant number of statements."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from registry import (
    BindingRow,
    CandidateRow,
    DatabaseRefused,
    Decision,
    HopRow,
    OutboxChange,
    ParkedRow,
    RecordRow,
    Registry,
    RegistryError,
    Reservation,
    Tx,
    begin_scan,
    binding_for,
    bindings,
    bindings_of,
    claim_due,
    claim_keys,
    close_outbox,
    decide,
    documents,
    finish_scan,
    in_flight_payloads,
    linked,
    lock_records,
    mark_due,
    new_uids,
    note_documents,
    open_registry,
    park,
    promises,
    put_bindings,
    put_candidates,
    put_documents,
    put_hops,
    put_links,
    put_records,
    put_reservations,
    put_sightings,
    records,
    refs_for,
    reservations_of,
    reserved,
    seen_later,
    set_outbox,
    standings,
    uids_for,
    unpark,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_connection_that_the_server_closed_meanwhile_is_replaced_unseen(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P15: a server that was started anew between two pages stops nobody."""
    monkeypatch.setattr("registry.engine._IDLE_SECONDS", 0.0)
    reg, other = open_registry(postgres_url), open_registry(postgres_url)
    try:
        with reg.write() as tx:
            (mine,) = tx.rows(text("SELECT pg_backend_pid()"))[0]
        with other.write() as tx:
            assert tx.rows(text("SELECT pg_terminate_backend(:mine, 60000)"), {"mine": mine})[0][0] is True
        with reg.write() as tx:
            assert tx.rows(text("SELECT pg_backend_pid()"))[0][0] != mine
    finally:
        reg.close()
        other.close()


def a_page(tx: Tx, n: int) -> dict[str, int]:
    """Everything a step does with a page of ``n``; function → statements it issued."""
    uids = new_uids(n)
    ids = [f"{uid}-id" for uid in uids]
    keys = [("stock", id) for id in ids]
    issued: dict[str, int] = {}

    def did(work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        before = tx.statements
        result = work(tx, *arguments, **named)
        issued[work.__name__] = tx.statements - before
        return result

    did(put_documents, [("erp", "items", id, b"{}", NOON) for id in ids])
    did(claim_keys, [("stock", "place", uid, uid) for uid in uids])
    did(put_records, [RecordRow(uid=uid, entity="stock", values={}) for uid in uids])
    did(
        put_bindings,
        [BindingRow(channel="erp", entity="stock", external_id=id, uid=uid) for id, uid in zip(ids, uids, strict=True)],
    )
    did(put_links, [(uid, "stock", "variant", uid) for uid in uids])
    did(put_hops, [HopRow(uid=uid, entity="stock", channel="erp", direction="inward") for uid in uids])
    did(park, [ParkedRow(channel="erp", entity="stock", direction="inward", message="m", external_id=id) for id in ids])
    did(put_candidates, [CandidateRow(channel="e", entity="s", external_id=id, kind="none", label="x") for id in ids])
    piece = Decimal(1)
    did(put_reservations, [
        Reservation(order=uid, line="1", variant=uid, channel="shop", quantity=piece) for uid in uids
    ])
    for work in (documents,):
        assert len(did(work, "erp", "items", ids)) == n
    for work in (bindings, uids_for):
        assert len(did(work, "erp", keys)) == n
    for work in (records, lock_records, bindings_of, reserved):
        assert len(did(work, uids)) == n
    assert len(did(binding_for, "erp", "stock", uids)) == n
    assert len(did(refs_for, "erp", [("stock", uid) for uid in uids])) == n
    assert len(did(linked, "stock", "variant", uids)) == n
    assert did(note_documents, "erp", "stock", dict.fromkeys(ids, b"h")) == n
    assert len(did(standings, "erp", "stock", ids)) == n
    assert did(unpark, [("erp", "stock", id, "inward") for id in ids]) == n
    assert len(did(promises, uids)) == n
    assert len(did(reservations_of, uids)) == n
    did(put_reservations, [row for rows in did(reservations_of, uids).values() for row in rows])
    did(mark_due, [("shop", "stock", uid, None, False, None) for uid in uids])
    rows = did(claim_due, "shop", "stock", n)
    assert len(rows) == n
    decisions = [Decision(id=row.id, key=row.uid, op="update", payload=b"{}") for row in rows]
    assert len(did(decide, decisions, owner="o")) == n
    assert len(did(in_flight_payloads, "stock", uids)) == n
    assert len(did(set_outbox, [OutboxChange(id=row.id, state="unknown") for row in rows])) == n
    assert did(close_outbox, [row.id for row in rows]) == n
    scan = did(begin_scan, "erp", "items", entities=["stock"])
    did(put_sightings, "erp", {"stock": ids}, NOON, scan=scan)
    did(seen_later, "erp", "stock", NOON)
    did(finish_scan, scan)
    return issued


def test_a_page_costs_the_same_statements_whatever_its_size(reg: Registry) -> None:
    """P1: a page of 1,000 issues as many statements as one of 100, and one of 1 never more."""
    counts = {}
    for n in (1, 100, 1_000):
        with reg.write() as tx:
            counts[n] = a_page(tx, n)
    assert counts[100] == counts[1_000]
    assert all(counts[1][name] <= most for name, most in counts[1_000].items())
    assert max(counts[1_000].values()) <= 7


def test_what_is_written_ahead_waits_for_no_queue_of_other_writers(sqlite_url: str) -> None:
    """P8: four workers that write without a pause end what they began; without a door hundreds of theirs go before."""
    reg, others = open_registry(sqlite_url), open_registry(sqlite_url)
    ended, written, went = threading.Event(), [0, 0, 0, 0], []

    def work(n: int) -> None:
        while not ended.is_set():
            with others.write() as tx:
                mark_due(tx, [("shop", "stock", f"{n}-{written[n] % 50}", None, False, None)])
            written[n] += 1

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        while sum(written) < 20:
            threading.Event().wait(0.001)
        for turn in range(101):
            before = sum(written)
            with reg.ahead(), reg.write():
                if turn > 0:        # the first opens its connection
                    went.append(sum(written) - before)
    finally:
        ended.set()
        for thread in threads:
            thread.join(30)
        reg.close()
        others.close()
    assert max(went) <= 40, went


def test_work_is_repeated_when_the_database_says_not_now(postgres_url: str) -> None:
    """P15: of two transactions that deadlock one is repeated, and both are done in the end."""
    reg = open_registry(postgres_url)
    with reg.write() as tx:
        put_records(tx, [RecordRow(uid=uid, entity="stock", values={"n": 0}) for uid in "ab"])
    both_hold_one = threading.Barrier(2)
    turns: list[str] = []

    def cross(first: str, second: str) -> None:
        def work(tx: Tx) -> None:
            turns.append(first)
            for uid in (first, second):
                held = lock_records(tx, [uid])[uid]
                put_records(tx, [RecordRow(uid=uid, entity="stock", values={"n": held.values["n"] + 1})])
                if uid == first and len(turns) <= 2:
                    both_hold_one.wait(10)

        reg.attempt(work)

    threads = [threading.Thread(target=cross, args=order) for order in ("ab", "ba")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(turns) == 3, "one deadlocked and came again"
    with reg.read() as tx:
        assert [records(tx, [uid])[uid].values for uid in "ab"] == [{"n": 2}, {"n": 2}]
    reg.close()


def test_a_refusal_names_the_promise_and_shows_no_row(reg: Registry) -> None:
    """P13: a driver's message would show the row, and with it a customer's name."""

    def refuse() -> None:
        with reg.write() as tx:
            rows = [BindingRow(channel="crm", entity="customer", external_id="1", values={"name": "Aigerim"})]
            put_bindings(tx, rows)

    with pytest.raises(DatabaseRefused) as refused:
        refuse()
    assert refused.value.constraint == "a_live_binding_names_its_record"
    assert not refused.value.repeatable
    assert "Aigerim" not in f"{refused.value!r} {refused.value} {refused.value.__cause__}"


def test_an_exception_undoes_the_whole_transaction(reg: Registry) -> None:
    """P15: a page commits whole or not at all, and what is no matter of the database is not repeated."""
    turns = []

    def work(tx: Tx) -> None:
        turns.append(1)
        put_records(tx, [RecordRow(uid=uid, entity="stock", values={}) for uid in new_uids(100)])
        raise LookupError("does not balance")

    with pytest.raises(LookupError):
        reg.attempt(work)
    assert turns == [1]
    with reg.read() as tx:
        assert tx.conn.exec_driver_sql("SELECT count(*) FROM record").scalar_one() == 0


def test_a_reader_sees_one_state_throughout(reg: Registry) -> None:
    """P11: what a page of the console shows fits together, though a write lands while it is read."""
    with reg.read() as reading:
        assert records(reading, ["a"]) == {}
        with reg.write() as tx:
            put_records(tx, [RecordRow(uid="a", entity="stock", values={})])
        assert records(reading, ["a"]) == {}
    with reg.read() as reading:
        assert set(records(reading, ["a"])) == {"a"}


def test_all_stamps_come_from_one_clock(reg: Registry) -> None:
    """P5: the database's clock, aware, in UTC, never going back; one moment per transaction."""
    moments = [reg.now() for _ in range(50)]
    assert moments == sorted(moments)
    assert all(at.tzinfo is UTC for at in moments)
    with reg.write() as tx:
        assert tx.now == tx.now
        assert abs(tx.now - datetime.now(UTC)) < timedelta(seconds=5)
        put_records(tx, [RecordRow(uid="a", entity="stock", values={})])
        assert records(tx, ["a"])["a"].created_at == tx.now


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://host/x", "found 'mysql'; allowed: sqlite"),
        ("sqlite://", "a file that processes share"),
        ("sqlite:///:memory:", "a file that processes share"),
    ],
)
def test_an_address_that_cannot_be_a_registry_says_what_can(url: str, says: str) -> None:
    """A wrong SERAI_REGISTRY is answered with what is allowed."""
    with pytest.raises(RegistryError, match=says):
        open_registry(url)


def test_the_inbox_of_a_file_survives_a_power_cut(tmp_path: Path) -> None:
    """P15: a notice that was acknowledged is on the disk; so is a page when asked for."""
    for power_safe, expected in ((False, 1), (True, 2)):
        reg = open_registry(f"sqlite:///{tmp_path}/{power_safe}/registry.db", power_safe=power_safe)
        for engine, parts in reg._parts():
            with engine.connect() as conn:
                found = conn.exec_driver_sql("PRAGMA synchronous").scalar_one()
                assert found == (2 if "inbox" in parts else expected)
                assert conn.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        reg.close()


def test_a_naive_moment_is_refused(reg: Registry) -> None:
    """P7: a moment without a zone is somebody's guess."""
    with reg.write() as tx, pytest.raises(ValueError, match="moments are aware"):
        seen_later(tx, "erp", "stock", datetime(2026, 3, 1))  # noqa: DTZ001 — that is the point
