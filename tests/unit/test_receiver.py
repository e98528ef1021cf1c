"""The receiver over real HTTP and a real inbox: what it takes is durable, what it refuses leaves no trace."""

from __future__ import annotations

import json
import logging
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from deployments import receiver
from tests.retailer import Retailer, notice, running, served

LIMIT = receiver.MAX_BODY


@pytest.fixture(scope="module")
def retailer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retailer]:
    with running(tmp_path_factory.mktemp("karavan")) as found:
        yield found


@pytest.fixture(scope="module")
def url(retailer: Retailer) -> Iterator[str]:
    with served(receiver.create_app(receiver.intake_of(retailer.house))) as address:
        yield address


@pytest.fixture(autouse=True)
def _empty_inbox(retailer: Retailer) -> None:
    inbox = retailer.house.registry.inbox
    while rows := inbox.claim(1_000, "test", 60):
        inbox.done([row.uid for row in rows], "test")


def post(url: str, channel: str, body: bytes, headers: dict[str, str]) -> requests.Response:
    return requests.post(f"{url}/hooks/{channel}", data=body, headers=headers, timeout=60)


def claimed(retailer: Retailer) -> list[tuple[str, str, str]]:
    rows = retailer.house.registry.inbox.claim(100, "test", 0)
    return [(row.channel, row.resource, row.id) for row in rows]


def test_a_verified_notice_is_in_the_inbox_when_the_sender_reads_202(retailer: Retailer, url: str) -> None:
    """P1"""
    body = notice("products", "7001")
    answer = post(url, "shop-kz", body, retailer.signed("shop", body))
    assert answer.status_code == 202
    assert claimed(retailer) == [("shop-kz", "products", "7001")]


def test_several_events_of_one_delivery_are_stored_one_by_one(retailer: Retailer, url: str) -> None:
    """P1"""
    events = [{"resource": "products", "id": f"K-{n}", "at": "2026-03-01T14:00:00+05:00"} for n in range(3)]
    body = json.dumps({"delivery": "d-several", "events": events}).encode()
    assert post(url, "erp-kz", body, retailer.signed("erp", body)).status_code == 202
    assert sorted(claimed(retailer)) == [("erp-kz", "products", f"K-{n}") for n in range(3)]


def test_five_threads_delivering_the_same_notice_leave_one_row(retailer: Retailer, url: str) -> None:
    """P2"""
    body = notice("products", "7002")
    headers = retailer.signed("shop", body)
    together = threading.Barrier(5)
    statuses: list[int] = []

    def deliver() -> None:
        together.wait()
        statuses.append(post(url, "shop-kz", body, headers).status_code)

    threads = [threading.Thread(target=deliver) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [202] * 5
    assert claimed(retailer) == [("shop-kz", "products", "7002")]


def test_a_delivery_that_comes_again_while_or_after_it_is_acted_on_is_acted_on_once_more(
    retailer: Retailer, url: str
) -> None:
    """P1, P2: whether it repeats the first or tells of a second change in the same words, nobody can know."""
    body = notice("products", "7003")
    headers = retailer.signed("shop", body)
    inbox = retailer.house.registry.inbox
    for _ in range(2):
        assert post(url, "shop-kz", body, headers).status_code == 202
    (meanwhile,) = inbox.claim(10, "test", 60)
    assert post(url, "shop-kz", body, headers).status_code == 202
    assert inbox.done([meanwhile.uid], "test") == 0
    (afterwards,) = inbox.claim(10, "test", 60)
    assert inbox.done([afterwards.uid], "test") == 1
    assert post(url, "shop-kz", body, headers).status_code == 202
    (last,) = inbox.claim(10, "test", 60)
    assert last.uid == meanwhile.uid
    assert inbox.done([last.uid], "test") == 1


@pytest.mark.parametrize("how", ["another secret", "altered body", "no signature", "an hour old", "another channel"])
def test_a_forged_notice_is_refused_and_learns_nothing(
    retailer: Retailer, url: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """P13: a bare 401, nothing stored, and a log line that counts."""
    body = notice("products", "666")
    headers = retailer.signed("shop", body)
    if how == "another secret":
        headers = retailer.signed("shop", body, secret="guessed")
    elif how == "altered body":
        body = body.replace(b"666", b"667")
    elif how == "no signature":
        del headers["x-signature"]
    elif how == "an hour old":
        headers = retailer.signed("shop", body, at=time.time() - 3600)
    elif how == "another channel":
        headers = retailer.signed("pos", body)
    time.sleep(1.05)  # a channel's refusals are logged at most once a second
    with caplog.at_level(logging.WARNING, "serai.receiver"):
        answer = post(url, "shop-kz", body, headers)
    assert answer.status_code == 401
    assert answer.content == b""
    assert retailer.house.registry.inbox.waiting() == 0
    assert "shop-kz: refused" in caplog.text
    assert "refused since start:" in caplog.text
    assert "666" not in caplog.text


def test_a_flood_of_forged_notices_is_counted_and_fills_no_log(
    retailer: Retailer, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """P13: one line a second at most, however long forty of them take."""
    began = time.monotonic()
    with caplog.at_level(logging.WARNING, "serai.receiver"):
        for _ in range(40):
            assert post(url, "pos-kz", b"{}", {}).status_code == 401
    assert len([line for line in caplog.messages if line.startswith("pos-kz")]) <= 1 + time.monotonic() - began


@pytest.mark.parametrize("body", [b"{not json", b"[]", b'{"delivery": "x"}', b"\xff\xfe", b""])
def test_a_signed_but_malformed_notice_is_400(retailer: Retailer, url: str, body: bytes) -> None:
    """Nothing is stored, and the sender learns that repeating is useless."""
    assert post(url, "shop-kz", body, retailer.signed("shop", body)).status_code == 400
    assert retailer.house.registry.inbox.waiting() == 0


def test_text_no_database_can_hold_is_400_and_harms_nobody(retailer: Retailer, url: str) -> None:
    """P6"""
    body = json.dumps(
        {"delivery": "d-nul", "resource": "products", "id": "7\x00", "at": "2026-03-01T09:00:00Z"}
    ).encode()
    assert post(url, "shop-kz", body, retailer.signed("shop", body)).status_code == 400
    assert retailer.house.registry.inbox.waiting() == 0


def test_an_unknown_channel_is_404_and_another_method_is_refused(retailer: Retailer, url: str) -> None:
    """Bad input"""
    body = notice("products", "1")
    assert post(url, "no-such", body, retailer.signed("shop", body)).status_code == 404
    assert requests.get(f"{url}/hooks/shop-kz", timeout=5).status_code == 405


def test_a_ten_megabyte_body_is_refused_before_it_is_sent(url: str) -> None:
    """Bad input: the answer comes on the header alone, and the connection ends."""
    with connection(url) as sock:
        sock.sendall(b"POST /hooks/shop-kz HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n")
        assert sock.recv(65_536).startswith(b"HTTP/1.1 413")
        assert drained(sock)


def test_a_body_without_a_length_is_cut_off_at_the_limit(url: str) -> None:
    """Bad input: of 10 MB sent in chunks the receiver reads little more than it allows."""
    chunk = b"%x\r\n" % 50_000 + b"x" * 50_000 + b"\r\n"
    sent = 0
    with connection(url) as sock:
        sock.sendall(b"POST /hooks/shop-kz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while sent < 10_000_000:
                sock.sendall(chunk)
                sent += 50_000
        except (ConnectionError, TimeoutError):
            pass
        answer = b""
        try:
            answer = sock.recv(65_536)
        except ConnectionError:
            assert sent < 10_000_000  # it hung up while we were still sending
        assert answer == b"" or answer.startswith(b"HTTP/1.1 413")
    assert sent + 50_000 > LIMIT


def test_a_body_of_just_the_limit_is_read(retailer: Retailer, url: str) -> None:
    """The limit is what it says."""
    text = notice("products", "7004")
    body = text + b" " * (LIMIT - len(text))
    assert post(url, "shop-kz", body, retailer.signed("shop", body)).status_code == 202
    body += b" "
    assert post(url, "shop-kz", body, retailer.signed("shop", body)).status_code == 413


def test_notices_are_taken_while_a_pull_holds_the_registry(retailer: Retailer, url: str) -> None:
    """P1: the inbox is a database of its own."""
    body = notice("products", "7005")
    with retailer.house.registry.write():
        began = time.monotonic()
        assert post(url, "shop-kz", body, retailer.signed("shop", body)).status_code == 202
        assert time.monotonic() - began < 20
    assert claimed(retailer) == [("shop-kz", "products", "7005")]


def test_a_stalled_inbox_is_503_so_that_the_sender_repeats(
    retailer: Retailer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P1: never 202 for what is not stored; the repeated delivery is one row."""
    monkeypatch.setattr(receiver, "STORE_WITHIN", 0.5)
    body = notice("products", "7006")
    headers = retailer.signed("shop", body)
    path = retailer.folder / ".serai" / "registry-inbox.db"
    with sqlite3.connect(path, isolation_level=None) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        answer = post(url, "shop-kz", body, headers)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        blocker.execute("ROLLBACK")
    assert post(url, "shop-kz", body, headers).status_code == 202
    time.sleep(0.2)
    assert claimed(retailer) == [("shop-kz", "products", "7006")]


def test_a_registry_that_is_gone_is_503(tmp_path: Path) -> None:
    """P1"""
    with running(tmp_path) as retailer, served(receiver.create_app(receiver.intake_of(retailer.house))) as url:
        path = tmp_path / ".serai" / "registry-inbox.db"
        with sqlite3.connect(path) as database:
            database.execute("ALTER TABLE inbox RENAME TO gone")
        body = notice("products", "1")
        assert post(url, "shop-kz", body, retailer.signed("shop", body)).status_code == 503


def test_a_missing_secret_is_503_and_the_log_names_it(
    retailer: Retailer, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Bad input: the delivery is repeated until somebody sets the secret; nothing is lost by our mistake."""
    body = notice("products", "7007")
    headers = retailer.signed("shop", body)
    monkeypatch.delenv("SERAI_SHOP_HOOK_SECRET")
    with caplog.at_level(logging.ERROR, "serai.receiver"):
        assert post(url, "shop-kz", body, headers).status_code == 503
    assert "SERAI_SHOP_HOOK_SECRET" in caplog.text


def test_the_program_listens_on_loopback_only_and_stops_on_sigterm(
    retailer: Retailer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Starts as `serai up` starts it."""
    assert receiver.main(["--project", str(retailer.folder), "--host", "0.0.0.0"]) == 2
    assert "refuses to listen on '0.0.0.0'" in capsys.readouterr().err
    command = [sys.executable, "-m", "deployments.receiver", "--project", str(retailer.folder), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        body = notice("products", "7008")
        assert post(url, "shop-kz", body, retailer.signed("shop", body)).status_code == 202
    finally:
        process.terminate()
        assert process.wait(60) == 0
    assert claimed(retailer) == [("shop-kz", "products", "7008")]


def connection(url: str) -> socket.socket:
    place = urlsplit(url)
    assert place.hostname is not None
    return socket.create_connection((place.hostname, place.port or 80), timeout=60)


def drained(sock: socket.socket) -> bool:
    """Whether the other side ends the connection."""
    try:
        while sock.recv(65_536):
            pass
    except ConnectionError:
        pass
    return True
