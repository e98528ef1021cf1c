"""The drain between real systems: it acts at once, waits where it is asked to, and nobody waits for somebody else."""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from deployments import helping, receiver
from deployments.drain import Drain, alive
from deployments.reports import Reports, publish
from flows import steps
from flows.ledger import Ledger
from registry import AHEAD, mark_due, outbox_counts, outbox_rows, runs, set_mode, set_pause
from tests.retailer import Retailer, running, served, until


@pytest.fixture
def retailer(tmp_path: Path) -> Iterator[Retailer]:
    """One product everywhere, consent given, nothing due."""
    with running(tmp_path / "karavan") as found:
        found.allow_creating()
        found.add_product("K-1")
        steps.sync_all(found.house)
        assert found.shop_titles() == {"K-1": "Чайник «Алатау»"}
        yield found


@contextmanager
def draining(retailer: Retailer, ledgers: list[Ledger] | None = None) -> Iterator[Drain]:
    """A drain at work in a thread, ended in order afterwards."""
    drain = Drain(retailer.house, (ledgers if ledgers is not None else []).append)
    thread = threading.Thread(target=drain.run, daemon=True)
    thread.start()
    try:
        yield drain
    finally:
        drain.stop()
        thread.join(60)
        assert not thread.is_alive()


def noticed(retailer: Retailer, *codes: str) -> None:
    """Notices of ERP products, as the receiver stores them."""
    at = retailer.house.registry.now()
    stamp = time.monotonic_ns()
    retailer.house.registry.inbox.put([("erp-kz", f"{stamp}-{code}", "products", code, at, None) for code in codes])


def rename(retailer: Retailer, code: str, title: str) -> None:
    retailer.call("erp", "PATCH", f"/products/{code}", {"title": title})


def add_item(retailer: Retailer, code: str, name: str) -> None:
    body = {"code": code, "product": "K-1", "name": name, "barcode": None, "features": {}, "uom": "PCE", "vat": "S"}
    retailer.call("erp", "POST", "/items", {**body, "state": "A"})


def open_writes(retailer: Retailer) -> dict[tuple[str, str, str], int]:
    with retailer.house.registry.read() as tx:
        return outbox_counts(tx)


def test_a_change_reaches_the_other_channels_within_two_seconds(retailer: Retailer) -> None:
    """§8: from the ERP's own webhook through receiver and drain into the shop; the best of the changes counts."""
    took: list[float] = []
    with served(receiver.create_app(receiver.intake_of(retailer.house))) as url, draining(retailer):
        retailer.house.connector("erp-kz").subscribe(f"{url}/hooks/erp-kz")
        while len(took) < 3 or (min(took) >= 2 and len(took) < 12):
            title = f"Самовар {len(took)}"
            rename(retailer, "K-1", title)
            took.append(until(lambda title=title: retailer.shop_titles() == {"K-1": title}))
    assert min(took) < 2, took


def test_many_notices_of_one_document_cost_one_fetch(retailer: Retailer) -> None:
    """P14"""
    for _ in range(50):
        noticed(retailer, "K-1")
    ledgers: list[Ledger] = []
    with draining(retailer, ledgers):
        until(lambda: retailer.house.registry.inbox.waiting() == 0)
    assert sum(ledger.read for ledger in ledgers if ledger.direction == "inward") == 1


def test_a_channel_that_hangs_holds_up_no_other(retailer: Retailer) -> None:
    """P6 among channels: the tills do not answer, and the shop has the change all the same."""
    retailer.fault("pos", "slow", next=50, seconds=50)
    add_item(retailer, "K-1-RED", "красный")
    rename(retailer, "K-1", "Самовар")
    at = retailer.house.registry.now()
    retailer.house.registry.inbox.put([("erp-kz", "item", "items", "K-1-RED", at, None)])
    with draining(retailer):
        until(lambda: ("pos-kz", "variant", "sent") in open_writes(retailer))
        noticed(retailer, "K-1")
        until(lambda: retailer.shop_titles() == {"K-1": "Самовар"})
        assert ("pos-kz", "variant", "sent") in open_writes(retailer)
        assert retailer.call("shop", "GET", "/variants")["variants"][0]["sku"] == "K-1-RED"
        retailer.heal("pos")


def test_what_cannot_wait_goes_out_while_other_writes_to_its_channel_are_under_way(retailer: Retailer) -> None:
    """P8: what `serai stop` and orders mark ahead waits for no bulk work, not even on the same channel."""
    retailer.fault("shop", "slow", next=50, seconds=50, on="POST /variants")
    add_item(retailer, "K-1-RED", "красный")
    rename(retailer, "K-1", "Самовар")
    at = retailer.house.registry.now()
    retailer.house.registry.inbox.put([("erp-kz", "item", "items", "K-1-RED", at, None)])
    with draining(retailer):
        until(lambda: ("shop-kz", "variant", "sent") in open_writes(retailer))
        noticed(retailer, "K-1")
        until(lambda: ("shop-kz", "product", "due") in open_writes(retailer))
        assert retailer.shop_titles() == {"K-1": "Чайник «Алатау»"}
        with retailer.house.registry.read() as tx:
            product = next(row.uid for row in outbox_rows(tx) if row.entity == "product" and row.channel == "shop-kz")
        retailer.house.registry.attempt(
            lambda tx: mark_due(tx, [("shop-kz", "product", product, tx.now - AHEAD, False, None)])
        )
        until(lambda: retailer.shop_titles() == {"K-1": "Самовар"})
        assert ("shop-kz", "variant", "sent") in open_writes(retailer)
        retailer.heal("shop")


def test_a_channel_that_asks_to_wait_is_left_alone_until_then(
    retailer: Retailer, caplog: pytest.LogCaptureFixture
) -> None:
    """P14: one 429 with three seconds; a request before they are over would succeed, also one for another record."""
    retailer.fault("shop", "throttle", next=1, seconds=3)
    rename(retailer, "K-1", "Самовар")
    began = time.monotonic()
    noticed(retailer, "K-1")
    with caplog.at_level(logging.WARNING, "serai.drain"), draining(retailer):
        until(lambda: "next attempt in 3 s" in caplog.text)
        retailer.add_product("K-2")
        noticed(retailer, "K-2")
        until(lambda: retailer.shop_titles() != {"K-1": "Чайник «Алатау»"})
        assert time.monotonic() - began > 3
        until(lambda: retailer.shop_titles() == {"K-1": "Самовар", "K-2": "Чайник «Алатау»"})


def test_a_broken_secret_stops_its_channel_only_and_is_named(
    retailer: Retailer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bad input"""
    monkeypatch.delenv("SERAI_POS_TOKEN")
    add_item(retailer, "K-1-RED", "красный")
    at = retailer.house.registry.now()
    retailer.house.registry.inbox.put([("erp-kz", "item", "items", "K-1-RED", at, None)])
    with caplog.at_level(logging.WARNING, "serai.drain"), draining(retailer):
        until(lambda: retailer.call("shop", "GET", "/variants")["variants"])
        until(lambda: "SERAI_POS_TOKEN" in caplog.text)
    assert sum(n for (channel, _, _), n in open_writes(retailer).items() if channel == "pos-kz") == 1


@pytest.mark.parametrize("how", ["paused", "off", "shadow"])
def test_nothing_is_written_where_a_person_stopped_it(retailer: Retailer, how: str) -> None:
    """The red button and the modes; what was due goes out afterwards."""

    def switch(stop: bool) -> None:
        with retailer.house.registry.write() as tx:
            if how == "paused":
                set_pause(tx, "shop-kz", stop, "Aigerim", "stocktaking")
            else:
                set_mode(tx, "shop-kz", "product", how if stop else "on", "Aigerim", "stocktaking")

    switch(True)
    rename(retailer, "K-1", "Самовар")
    noticed(retailer, "K-1")
    ledgers: list[Ledger] = []
    with draining(retailer, ledgers):
        until(lambda: ledgers)
        time.sleep(1)
        assert retailer.shop_titles() == {"K-1": "Чайник «Алатау»"}
        assert len(ledgers) == 1  # the notice; what may not be written is not even tried
        switch(False)
        until(lambda: retailer.shop_titles() == {"K-1": "Самовар"})


def test_a_dated_write_goes_out_at_its_moment(retailer: Retailer) -> None:
    """Time-driven: nobody sends a notice when a moment comes."""
    with retailer.house.registry.write() as tx:
        uid = next(iter(_uids(retailer)))
        moment = tx.now + timedelta(seconds=1.5)
        mark_due(tx, [("shop-kz", "product", uid, moment, True, None)])
    ledgers: list[Ledger] = []
    with draining(retailer, ledgers):
        until(lambda: ledgers)
        assert retailer.house.registry.now() >= moment
    assert [ledger.total("written") for ledger in ledgers] == [1]


def _uids(retailer: Retailer) -> list[str]:
    from registry import records_where

    with retailer.house.registry.read() as tx:
        return [record.uid for record in records_where(tx, "product", "", 10)]


def test_once_ends_when_nothing_more_can_move(retailer: Retailer) -> None:
    """`--once`"""
    for n in range(2, 12):
        retailer.add_product(f"K-{n}")
    noticed(retailer, *(f"K-{n}" for n in range(2, 12)))
    Drain(retailer.house, lambda _: None).once()
    assert len(retailer.shop_titles()) == 11
    assert open_writes(retailer) == {}
    ledgers: list[Ledger] = []
    Drain(retailer.house, ledgers.append).once()
    assert ledgers == []


def test_sigterm_ends_after_the_batch_and_the_next_drain_goes_on(retailer: Retailer) -> None:
    """P15: no write is left in doubt by an orderly end, and nothing is written twice."""
    codes = [f"K-{n}" for n in range(2, 40)]
    for code in codes:
        retailer.add_product(code)
    noticed(retailer, *codes)
    retailer.fault("shop", "slow", next=1, seconds=2, on="POST /products")
    command = [sys.executable, "-m", "deployments.drain", "--project", str(retailer.folder)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: ("shop-kz", "product", "sent") in open_writes(retailer))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
    assert {state for _, _, state in open_writes(retailer)} <= {"due", "waiting"}
    ended = subprocess.run([*command, "--once"], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    handles = sorted(row["handle"] for row in retailer.call("shop", "GET", "/products?limit=50")["products"])
    assert handles == sorted(["K-1", *codes])


def test_a_drain_that_crashes_says_where_its_threads_were(retailer: Retailer) -> None:
    """P15: what ends the process from outside of Python leaves more than a number; the next drain goes on."""
    command = [sys.executable, "-m", "deployments.drain", "--project", str(retailer.folder)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: alive(retailer.house) is not None)
        process.send_signal(signal.SIGSEGV)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == -signal.SIGSEGV
    assert "Segmentation fault" in said
    assert 'drain.py", line' in said


def test_a_working_drain_gives_a_sign_of_life_and_a_second_one_may_work_beside_it(retailer: Retailer) -> None:
    """Status"""
    assert alive(retailer.house) is None
    with draining(retailer), draining(retailer):
        until(lambda: alive(retailer.house) is not None)
        rename(retailer, "K-1", "Самовар")
        noticed(retailer, "K-1")
        until(lambda: retailer.shop_titles() == {"K-1": "Самовар"})
    assert alive(retailer.house) is None


def children() -> set[str]:
    """The processes that this one began."""
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


def test_a_second_process_writes_what_is_much_for_one_and_none_is_begun_for_little(
    retailer: Retailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Speed: whoever drains keeps one processor busy, and a machine has more."""
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    for n in range(2, 12):
        retailer.add_product(f"K-{n}")
    steps.pull(retailer.house, "erp-kz", "products")
    due = sum(open_writes(retailer).values())
    assert due >= 10
    helper = helping.Helper(retailer.house)
    monkeypatch.setattr(helping, "HELPS_FROM", due)
    before = children()
    helper.look()
    assert children() == before
    monkeypatch.setattr(helping, "HELPS_FROM", due - 1)
    helper = helping.Helper(retailer.house)
    try:
        helper.look()
        assert len(children()) == len(before) + 1
        until(lambda: len(retailer.shop_titles()) == 11)
    finally:
        helper.end()


def test_a_registry_that_does_not_answer_ends_nobody_who_looks_whether_help_is_wanted(retailer: Retailer) -> None:
    """P15"""
    with retailer.house.registry.write() as tx:
        tx.run(text("ALTER TABLE outbox RENAME TO away"))
    helper = helping.Helper(retailer.house)
    helper.look()
    helper.end()


def test_every_batch_leaves_a_balanced_ledger(retailer: Retailer) -> None:
    """P1"""
    rename(retailer, "K-1", "Самовар")
    noticed(retailer, "K-1")
    with draining(retailer):
        until(lambda: retailer.shop_titles() == {"K-1": "Самовар"})
    with retailer.house.registry.read() as tx:
        rows = runs(tx, limit=50)
        assert outbox_rows(tx) == []
    assert all(row.balanced for row in rows)
    assert ("shop-kz", {"product": {"written": 1}}) in [(row.channel, row.counts) for row in rows]


class Heard(logging.Handler):
    """What a logger says, whatever Prefect makes of the root logger's handlers when it is imported."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def test_the_drain_works_while_prefect_does_not_answer(retailer: Retailer) -> None:
    """§8: reports are best effort; here nothing listens where Prefect should be."""
    heard = Heard()
    logging.getLogger("serai.reports").addHandler(heard)
    try:
        with Reports("http://127.0.0.1:9/api", every=0.2) as reports:
            drain = Drain(retailer.house, reports.add)
            thread = threading.Thread(target=drain.run, daemon=True)
            thread.start()
            for title in ("Самовар", "Пиала", "Казан"):
                rename(retailer, "K-1", title)
                noticed(retailer, "K-1")
                until(lambda title=title: retailer.shop_titles() == {"K-1": title})
            until(lambda: any("Prefect did not take the report" in line for line in heard.lines), 60)
            drain.stop()
            thread.join(60)
            assert not thread.is_alive()
    finally:
        logging.getLogger("serai.reports").removeHandler(heard)


def test_a_prefect_that_hangs_holds_up_the_end_of_a_drain_for_a_moment_and_no_thread_is_left(
    retailer: Retailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """§8: whoever would wait for its answer is taken back, and nothing of it lives on in an interpreter that ends."""
    monkeypatch.setattr("deployments.reports.LAST_WORDS", 0.2)
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with Reports(f"http://127.0.0.1:{silent.getsockname()[1]}/api", every=0.1) as reports:
            reports.add(retailer.house.finish(retailer.house.account("erp-kz", "items", "inward").ledger(
                retailer.house.registry.now()
            )))
            asking, _ = silent.accept()
        assert [thread.name for thread in set(threading.enumerate()) - before if thread.name == "reports"] == []
        asking.close()


def test_a_report_is_named_after_the_minute_of_its_first_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks in Prefect for what happened at 14:04 finds it there, not under the minute in which it was told."""
    told = []

    async def drained(*, channel: str, minute: str, batches: list[object]) -> None:
        told.append((channel, minute, len(batches)))

    monkeypatch.setattr("flows.sync.drained", drained)
    publish("shop-kz", [{"at": "14:04:36"}, {"at": "14:05:20"}], lambda: float("inf"))
    assert told == [("shop-kz", "14:04", 2)]
