"""What a channel must be told is told, once, with the newest values, whatever comes in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st
from sqlalchemy import text

from registry import (
    AHEAD,
    DatabaseRefused,
    Decision,
    OutboxChange,
    OutboxRow,
    Registry,
    Tx,
    channels_due,
    claim_due,
    close_outbox,
    decide,
    in_flight_payloads,
    mark_due,
    more_due_than,
    open_registry,
    open_writes,
    outbox_counts,
    outbox_rows,
    put_channels,
    set_mode,
    set_outbox,
    set_pause,
    still_claimed,
    to_settle,
    wake,
)


def due(tx: Tx, *uids: str, forced: bool = False, channel: str = "shop") -> None:
    mark_due(tx, [(channel, "stock", uid, None, forced, "run") for uid in uids])


def sent(tx: Tx, rows: list[OutboxRow], owner: str | None = None, seconds: float = 60) -> set[int]:
    decisions = [Decision(id=row.id, key=f"k{row.uid}", op="update", payload=b"{}") for row in rows]
    return decide(tx, decisions, owner=owner, seconds=seconds)


class Shop:
    """A channel with records that change at any moment, and workers that die at any moment."""

    def __init__(self, reg: Registry) -> None:
        self.reg = reg
        self.version = {"u0": 0, "u1": 0}
        self.told: dict[str, int] = dict(self.version)
        self.working: list[tuple[str, OutboxRow, int]] = []
        self.looking: list[tuple[list[OutboxRow], dict[int, int]]] = []
        self.turn = 0

    def change(self, which: int) -> None:
        uid = f"u{which % 2}"
        with self.reg.write() as tx:
            self.version[uid] += 1
            due(tx, uid)

    def look(self, limit: int) -> None:
        """Claims what is due for longer, and renders it without a lock."""
        self.turn += 1
        with self.reg.write() as tx:
            rows = claim_due(tx, "shop", "stock", limit, owner=f"worker {self.turn}")
        self.looking.append((rows, {
            row.id: int(row.payload) if row.state == "decided" and row.payload else self.version[row.uid]
            for row in rows
        }))

    def fix(self, which: int) -> None:
        """What was rendered so is decided, as far as nothing came in between."""
        if not self.looking:
            return
        rows, rendered = self.looking.pop(which % len(self.looking))
        with self.reg.write() as tx:
            for row in still_claimed(tx, rows):
                assert row.state == "decided" or rendered[row.id] == self.version[row.uid]
                decision = Decision(id=row.id, key=row.uid, op="update", payload=str(rendered[row.id]).encode())
                assert decide(tx, [decision], owner=row.claimed_by) == {row.id}
                self.told[row.uid] = rendered[row.id]
                self.working.append((str(row.claimed_by), row, rendered[row.id]))

    def send(self, limit: int) -> None:
        """Claims what is due and fixes its payload; what the channel then holds is known when the receipt is stored."""
        self.turn += 1
        owner = f"worker {self.turn}"
        with self.reg.write() as tx:
            for row in claim_due(tx, "shop", "stock", limit):
                # rendered from the record as it is now, unless key and payload were fixed before
                version = int(row.payload) if row.state == "decided" and row.payload else self.version[row.uid]
                decision = Decision(id=row.id, key=row.uid, op="update", payload=str(version).encode())
                assert decide(tx, [decision], owner=owner) == {row.id}
                self.told[row.uid] = version
                self.working.append((owner, row, version))

    def receipt(self, which: int, outcome: str) -> None:
        if not self.working:
            return
        owner, row, _version = self.working.pop(which % len(self.working))
        with self.reg.write() as tx:
            state = {found.id: found.state for found in outbox_rows(tx)}.get(row.id)
            if state != "sent":
                return
            if outcome == "applied":
                close_outbox(tx, [row.id], owner=owner)
            elif outcome == "again":
                set_outbox(tx, [OutboxChange(id=row.id, state="decided")], owner=owner)
            elif outcome != "died":
                set_outbox(tx, [OutboxChange(id=row.id, state=outcome, due_at=tx.now)], owner=owner)

    def wait(self, limit: int) -> None:
        with self.reg.write() as tx:
            rows = claim_due(tx, "shop", "stock", limit)
            set_outbox(tx, [OutboxChange(id=row.id, state="waiting", reason="no listing") for row in rows])

    def settle(self) -> None:
        with self.reg.write() as tx:
            close_outbox(tx, [row.id for row in open_writes(tx, "shop", "stock", owner="settler", seconds=60)])

    def finish(self) -> None:
        """Everybody does their work to the end; workers that died are taken over."""
        self.working.clear()
        self.looking.clear()
        with self.reg.write() as tx:
            tx.conn.exec_driver_sql("UPDATE outbox SET claimed_until = 0")
        for _ in range(4):
            self.settle()
            with self.reg.write() as tx:
                wake(tx, channel="shop")
            self.send(10)
            for _row in list(self.working):
                self.receipt(0, "applied")


OUTCOMES = ["applied", "unknown", "accepted", "parked", "died", "again"]
STEPS = st.one_of(
    st.tuples(st.just("change"), st.integers(0, 1)),
    st.tuples(st.just("send"), st.integers(1, 2)),
    st.tuples(st.just("receipt"), st.integers(0, 1), st.just("applied")),
    st.tuples(st.just("receipt"), st.integers(0, 1), st.sampled_from(OUTCOMES)),
    st.tuples(st.just("look"), st.integers(1, 2)),
    st.tuples(st.just("fix"), st.integers(0, 1)),
    st.tuples(st.just("wait"), st.integers(1, 2)),
    st.tuples(st.just("settle")),
)


CHANGE, SEND, APPLIED = ("change", 0), ("send", 1), ("receipt", 0, "applied")


@example(steps=[CHANGE, SEND, CHANGE, APPLIED])  # changed in flight
@example(steps=[CHANGE, SEND, CHANGE, ("receipt", 0, "unknown"), ("settle",)])
@example(steps=[CHANGE, SEND, ("receipt", 0, "again"), CHANGE])  # changed after its payload was fixed
@example(steps=[CHANGE, ("look", 1), CHANGE, ("fix", 0)])  # changed while it was rendered
@example(steps=[CHANGE, SEND, ("receipt", 0, "again"), CHANGE, ("look", 1), CHANGE, ("fix", 0)])
@example(steps=[CHANGE, ("look", 1), CHANGE])  # whoever rendered it died
@example(steps=[CHANGE, ("wait", 1), CHANGE])  # what it waits for came
@given(steps=st.lists(STEPS, max_size=30))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_channel_ends_with_the_newest_values_whatever_happens_in_between(
    reg: Registry, steps: list[tuple[object, ...]]
) -> None:
    """P1, P3: a change while a write is rendered, in flight, unknown or waiting is told after it; none is lost."""
    with reg.write() as tx:
        tx.conn.exec_driver_sql("DELETE FROM outbox")
    shop = Shop(reg)
    for name, *arguments in steps:
        getattr(shop, str(name))(*arguments)
        with reg.read() as tx:
            rows = outbox_rows(tx)
            assert len({row.uid for row in rows}) == len(rows)  # at most one open write per record
            assert not any(row.state == "parked" and row.due_again for row in rows)
    parked = {row.uid for row in _all(reg) if row.state == "parked"}  # a person's to release
    shop.finish()
    assert {uid: at for uid, at in shop.told.items() if uid not in parked} == {
        uid: at for uid, at in shop.version.items() if uid not in parked
    }
    assert {row.uid for row in _all(reg)} <= parked


def _all(reg: Registry) -> list[OutboxRow]:
    with reg.read() as tx:
        return outbox_rows(tx)


@pytest.mark.parametrize("step", ["close", "set"])
def test_a_worker_whose_claim_ran_out_changes_nothing(reg: Registry, step: str) -> None:
    """P2: what another worker may already be settling is left alone by the one that slept."""
    with reg.write() as tx:
        due(tx, "a")
        slow = claim_due(tx, "shop", "stock", 10)
        assert sent(tx, slow, owner="slow", seconds=-1) == {slow[0].id}
        (quick,) = open_writes(tx, "shop", "stock", owner="quick", seconds=60)
        before = outbox_rows(tx)
        if step == "set":
            assert set_outbox(tx, [OutboxChange(id=quick.id, state="waiting")], owner="slow") == set()
        else:
            assert close_outbox(tx, [quick.id], owner="slow") == 0
        assert outbox_rows(tx) == before
        assert close_outbox(tx, [quick.id], owner="quick") == 1


def test_a_claimed_page_is_nobody_elses_until_its_claim_runs_out(reg: Registry) -> None:
    """P2, P3: two workers never render the same write; what one left behind when it died goes out later."""
    with reg.write() as tx:
        due(tx, "a", "b")
        (first,) = claim_due(tx, "shop", "stock", 1, owner="one", seconds=60)
        (second,) = claim_due(tx, "shop", "stock", 10, owner="two", seconds=-1)     # died, and its time is out
        assert {first.uid, second.uid} == {"a", "b"}
        (taken,) = claim_due(tx, "shop", "stock", 10, owner="three", seconds=60)
        assert taken.uid == second.uid
        assert still_claimed(tx, [second]) == []
        assert still_claimed(tx, [first]) == [first]
        assert still_claimed(tx, [taken]) == [taken]


def test_what_is_in_flight_is_not_decided_again(reg: Registry) -> None:
    """P2: only what is due or fixed goes out; a row that flies keeps its key, whoever asks."""
    with reg.write() as tx:
        due(tx, "a", "b")
        first, second = claim_due(tx, "shop", "stock", 10)
        assert sent(tx, [first], owner="one") == {first.id}
        before = next(row for row in outbox_rows(tx) if row.id == first.id)
        assert sent(tx, [first, second], owner="two", seconds=90) == {second.id}
        assert next(row for row in outbox_rows(tx) if row.id == first.id) == before


def test_a_change_while_a_write_is_decided_waits_and_is_told_after_it(postgres_url: str) -> None:
    """P1: whoever marks a write that another worker is rendering waits for its commit, and finds it in flight."""
    reg = open_registry(postgres_url)
    with reg.write() as tx:
        due(tx, "a")
    marked = threading.Event()

    def mark() -> None:
        with reg.write() as tx:
            due(tx, "a")
        marked.set()

    with reg.write() as tx:
        (row,) = claim_due(tx, "shop", "stock", 10)
        thread = threading.Thread(target=mark)
        thread.start()
        assert not marked.wait(0.3)
        sent(tx, [row], owner="one")
    thread.join(30)
    with reg.write() as tx:
        assert outbox_rows(tx)[0].due_again
        close_outbox(tx, [row.id])
        assert [found.state for found in outbox_rows(tx)] == ["due"]
    reg.close()


def test_a_write_that_is_decided_is_put_beside_what_it_was_when_due(postgres_url: str) -> None:
    """A page of decisions changes no index: rows find room where they lie, or deciding takes three times as long."""
    reg = open_registry(postgres_url)
    try:
        where = text("SELECT uid, split_part(trim(ctid::text, '()'), ',', 1) FROM outbox")
        with reg.write() as tx:
            due(tx, *(f"{n:032x}" for n in range(500)))
        with reg.write() as tx:
            lay = dict(map(tuple, tx.rows(where)))
            payload = b'{"doc": {"available": 12, "sku": "KH-000123", "warehouse": "main"}, "publish": "12"}'
            assert len(decide(tx, [
                Decision(id=row.id, key=f"serai-{row.uid[:20]}", op="update", payload=payload, external_id=row.uid)
                for row in claim_due(tx, "shop", "stock", 500)
            ], owner="worker")) == 500
        with reg.write() as tx:
            assert dict(map(tuple, tx.rows(where))) == lay
    finally:
        reg.close()


def test_key_and_payload_are_fixed_before_sending_and_attempts_are_counted(reg: Registry) -> None:
    """P2: the same key goes out at each attempt."""
    with reg.write() as tx:
        due(tx, "a")
        sent(tx, claim_due(tx, "shop", "stock", 10), owner="o")
        (row,) = outbox_rows(tx)
        assert (row.state, row.key, row.payload, row.attempt) == ("sent", "ka", b"{}", 1)
        set_outbox(tx, [OutboxChange(id=row.id, state="decided", reason="not found")])
        (again,) = claim_due(tx, "shop", "stock", 10)
        assert (again.state, again.key, again.payload) == ("decided", "ka", b"{}")
        sent(tx, [again], owner="p")
        (row,) = outbox_rows(tx)
        assert (row.key, row.attempt) == ("ka", 2)


def test_a_write_in_flight_always_has_its_key(reg: Registry) -> None:
    """P2: the database itself refuses a write in flight without key and payload."""
    with reg.write() as tx:
        due(tx, "a")
        changes = [OutboxChange(id=row.id, state="sent") for row in outbox_rows(tx)]
    with pytest.raises(DatabaseRefused, match="a_write_in_flight_has_its_key_and_payload"), reg.write() as tx:
        set_outbox(tx, changes)


def test_what_cannot_go_out_now_calls_for_no_help(reg: Registry) -> None:
    """Speed: a second process is begun for writes that it can do, of all channels together, and for no others."""

    def more(than: int) -> bool:
        with reg.read() as tx:
            return more_due_than(tx, than)

    with reg.write() as tx:
        put_channels(tx, [(name, "shop", "kz", {"stock": "on"}) for name in ("shop", "market")])
        due(tx, "a", "b", "c")
        due(tx, "a", "b", channel="market")
    assert more(4)
    assert not more(5)
    with reg.write() as tx:
        set_pause(tx, "market", True, "Aigerim", "stocktaking")
    assert not more(3)
    with reg.write() as tx:
        set_pause(tx, "market", False, "Aigerim", "counted")
        set_mode(tx, "shop", "stock", "shadow", "Aigerim", "a look first")
    assert not more(2)
    with reg.write() as tx:
        set_mode(tx, "shop", "stock", "on", "Aigerim", "seen")
        set_outbox(tx, [
            OutboxChange(id=row.id, state="due", due_at=tx.now + timedelta(seconds=60)) for row in outbox_rows(tx)[:3]
        ])
    assert more(1)
    assert not more(2)


def test_a_dated_change_survives_the_writes_before_it(reg: Registry) -> None:
    """P1: tomorrow's price is published tomorrow although today's was written meanwhile, and each date counts."""
    with reg.write() as tx:
        soon, later = tx.now + timedelta(seconds=0.15), tx.now + timedelta(hours=1)
        mark_due(tx, [("shop", "price", "a", at, False, "dated") for at in (soon, later)])
        mark_due(tx, [("shop", "price", "a", None, False, "changed")])
        assert [place[:2] for place in channels_due(tx)] == [("shop", "price")]
        close_outbox(tx, [row.id for row in claim_due(tx, "shop", "price", 10)])
        assert claim_due(tx, "shop", "price", 10) == []
        assert channels_due(tx) == []
        assert [at for *_, at in channels_due(tx, also_later=True)] == [soon]
    time.sleep(0.2)
    with reg.write() as tx:
        assert [place[:2] for place in channels_due(tx)] == [("shop", "price")]
        (row,) = claim_due(tx, "shop", "price", 10)
        assert (row.due_at, row.cause) == (soon, "dated")
        close_outbox(tx, [row.id])
        assert [at for *_, at in channels_due(tx, also_later=True)] == [later]


def test_every_place_with_a_due_write_is_found_once_the_longest_waiting_first(reg: Registry) -> None:
    """P1: no channel and no entity is passed over, however many writes others have; what stands still is not due."""
    with reg.write() as tx:
        ago = {
            ("shop", "stock"): 5, ("shop", "price"): 40, ("erp", "order"): 20, ("till", "stock"): 30,
            ("a", "variant"): 1,
        }
        for (channel, entity), seconds in ago.items():
            mark_due(tx, [(channel, entity, uid, tx.now - timedelta(seconds=seconds + n), False, None)
                          for n, uid in enumerate("xyz")])
        mark_due(tx, [("shop", "offer", "later", tx.now + timedelta(hours=1), False, None)])
        stalled = claim_due(tx, "till", "stock", 10)
        set_outbox(tx, [OutboxChange(id=row.id, state="held") for row in stalled])
        sent(tx, claim_due(tx, "erp", "order", 1))      # the oldest of three is on its way
        assert [(channel, entity, (tx.now - at).seconds) for channel, entity, at in channels_due(tx)] == [
            ("shop", "price", 42), ("erp", "order", 21), ("shop", "stock", 7), ("a", "variant", 3),
        ]


def test_a_forced_write_stays_forced_until_it_is_sent(reg: Registry) -> None:
    """P4: what must be put back is written although the projection says that nothing changed."""
    with reg.write() as tx:
        due(tx, "a", forced=True)
        due(tx, "a")
        (row,) = claim_due(tx, "shop", "stock", 10)
        assert row.forced
        sent(tx, [row])
        assert not outbox_rows(tx)[0].forced
        set_outbox(tx, [OutboxChange(id=row.id, state="unknown", forced=True)])
        assert outbox_rows(tx)[0].forced


def test_what_waits_goes_on_when_it_is_marked_and_what_is_held_is_judged_anew(reg: Registry) -> None:
    """P9: waking releases no hold; a new change of a held record is rendered and judged as any other."""
    states = ["waiting", "parked", "rejected", "held"]
    with reg.write() as tx:
        due(tx, *states)
        rows = claim_due(tx, "shop", "stock", 10)
        set_outbox(tx, [OutboxChange(id=row.id, state=row.uid, reason="because") for row in rows])
        assert {key[2]: n for key, n in outbox_counts(tx).items()} == dict.fromkeys(states, 1)
        assert wake(tx, entity="price") == wake(tx, channel="pos") == wake(tx, reason="another") == 0
        assert wake(tx, entity="stock") == 1
        due(tx, *states)
        assert {row.uid: row.state for row in outbox_rows(tx)} == dict.fromkeys(states, "due")


def test_a_change_that_the_rendering_will_see_is_told_once(reg: Registry) -> None:
    """P4: a change before the claim is in the rendering, so nothing is written after it."""
    with reg.write() as tx:
        due(tx, "a")
        due(tx, "a")
        (row,) = claim_due(tx, "shop", "stock", 10)
        sent(tx, [row], owner="o")
        assert close_outbox(tx, [row.id], owner="o") == 1
        assert outbox_rows(tx) == []


def test_only_writes_that_nobody_works_on_are_settled(reg: Registry) -> None:
    """P3: accepted and unknown ones when their moment came, sent ones when their worker is gone."""
    with reg.write() as tx:
        due(tx, *"abcd")
        rows = {row.uid: row for row in claim_due(tx, "shop", "stock", 10)}
        sent(tx, list(rows.values()))
        hour = tx.now + timedelta(hours=1)
        set_outbox(
            tx,
            [
                OutboxChange(id=rows["a"].id, state="unknown", due_at=tx.now),
                OutboxChange(id=rows["b"].id, state="accepted", ticket="T1", due_at=hour),
            ],
        )
        tx.conn.exec_driver_sql("UPDATE outbox SET claimed_until = 1 WHERE uid = 'c'")
        assert [place[:2] for place in to_settle(tx)] == [("shop", "stock")]
        found = open_writes(tx, "shop", "stock", owner="s", seconds=60)
        assert sorted(row.uid for row in found) == ["a", "c"]
        assert open_writes(tx, "shop", "stock", owner="t", seconds=60) == []
        assert next(row.ticket for row in outbox_rows(tx) if row.uid == "b") == "T1"
        payloads = in_flight_payloads(tx, "stock", ["a", "b", "z"])
        assert payloads == {"a": [("shop", b"{}")], "b": [("shop", b"{}")]}


def test_two_workers_never_get_the_same_write(reg: Registry) -> None:
    """P2: four threads claim in small bites; each write comes to exactly one of them."""
    uids = [f"u{n:03d}" for n in range(300)]
    with reg.write() as tx:
        due(tx, *uids)
    got: dict[int, list[str]] = {n: [] for n in range(4)}

    def work(n: int) -> Callable[[Tx], list[OutboxRow]]:
        def take(tx: Tx) -> list[OutboxRow]:
            rows = claim_due(tx, "shop", "stock", 7)
            assert len(sent(tx, rows, owner=f"worker {n}")) == len(rows)
            return rows

        return take

    def run(n: int) -> None:
        while rows := reg.attempt(work(n)):
            got[n] += [row.uid for row in rows]

    threads = [threading.Thread(target=run, args=(n,)) for n in got]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(uid for mine in got.values() for uid in mine) == uids


def test_what_is_marked_ahead_goes_ahead_even_when_its_write_is_on_its_way(reg: Registry) -> None:
    """P8: a figure in flight is answered first; the next one does not queue behind what was due meanwhile."""
    with reg.write() as tx:
        due(tx, "kettle")
        sent(tx, claim_due(tx, "shop", "stock", 10))
    with reg.write() as tx:
        due(tx, *(f"u{n}" for n in range(20)))
        mark_due(tx, [("shop", "stock", "kettle", tx.now - AHEAD, False, "a stop")])
        assert claim_due(tx, "shop", "stock", 10, ahead=True) == []
    with reg.write() as tx:
        close_outbox(tx, [row.id for row in outbox_rows(tx, states=("sent",))])
        assert [row.uid for row in claim_due(tx, "shop", "stock", 10, ahead=True)] == ["kettle"]
        assert claim_due(tx, "shop", "stock", 1)[0].uid == "kettle"


def test_what_was_stopped_while_its_write_was_refused_goes_ahead(reg: Registry) -> None:
    """P8: the answer was no, and there is something newer to say: at once, and before bulk work."""
    with reg.write() as tx:
        due(tx, "kettle")
        rows = claim_due(tx, "shop", "stock", 10)
        sent(tx, rows)
    with reg.write() as tx:
        mark_due(tx, [("shop", "stock", "kettle", tx.now - AHEAD, False, "a stop")])
        set_outbox(tx, [OutboxChange(id=rows[0].id, state="parked")])
        assert [row.uid for row in claim_due(tx, "shop", "stock", 10, ahead=True)] == ["kettle"]


def test_who_wakes_others_waits_for_nobody_who_makes_them_due(postgres_url: str) -> None:
    """P8: a stop marks several channels in one transaction; a receipt that wakes them all must not stand in its way."""
    reg = open_registry(postgres_url)
    with reg.write() as tx:
        due(tx, "kettle", "cup")
        rows = claim_due(tx, "shop", "stock", 9)
        set_outbox(tx, [OutboxChange(id=row.id, state="waiting", reason="r") for row in rows])
    with reg.write() as stop:
        due(stop, "kettle")
        with reg.write() as receipt:
            receipt.conn.exec_driver_sql("SET LOCAL lock_timeout = '20s'")
            assert wake(receipt, entity="stock", reason="r") == 1
    with reg.read() as tx:
        assert {row.uid: row.state for row in outbox_rows(tx)} == {"kettle": "due", "cup": "due"}
    reg.close()
