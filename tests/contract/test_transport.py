"""What Rest does with sockets, headers and bytes, whatever the platform."""

from __future__ import annotations

import ast
import gzip
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import connectors
from connectors.errors import Misconfigured, RetryLater, ShapeChanged
from connectors.rest import Rest
from tests.contract.generic_rest_simulator import TOKEN, Described, Shelf
from tests.contract.harness import SPREAD, Fault, Reply, read_all

ROOT = Path(connectors.__file__).parent.parent
NETWORK = {"requests", "urllib3", "httpx", "aiohttp", "http.client", "urllib.request", "socket", "ftplib", "smtplib"}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            yield from (node.module, *(f"{node.module}.{name.name}" for name in node.names))


def network_imports(path: Path) -> set[str]:
    return {name for name in imported(path) if any(name == one or name.startswith(one + ".") for one in NETWORK)}


def test_only_rest_reaches_the_network() -> None:
    """P13, P14: time-outs, budget and masking are in one place, so nothing else may open a connection."""
    files = [
        path for package in ("connectors", "mappings", "registry", "flows") for path in (ROOT / package).rglob("*.py")
    ]
    assert len(files) > 10
    callers = {str(path.relative_to(ROOT)) for path in files if network_imports(path)}
    assert callers == {"connectors/rest.py"}


@pytest.fixture
def subject() -> Described:
    return Described("cursor")


@pytest.fixture
def simulator(subject: Described) -> Iterator[Shelf]:
    simulator = subject.simulator()
    with simulator.running():
        yield simulator


def test_one_connection_serves_many_requests(subject: Described, simulator: Shelf) -> None:
    """A kept session: no handshake per page."""
    peers = set[Any]()
    accept = simulator._server.get_request

    def counted() -> Any:
        request, peer = accept()
        peers.add(peer)
        return request, peer

    simulator._server.get_request = counted  # type: ignore[method-assign]
    subject.seed(simulator, SPREAD)
    connector = subject.connect(simulator)
    for _ in range(3):
        read_all(connector, subject)
    assert len(peers) == 1
    connector.close()
    read_all(connector, subject)
    assert len(peers) == 2


def test_a_connection_the_platform_closed_while_idle_is_replaced(subject: Described, simulator: Shelf) -> None:
    """P15: a pause between two polls is not an error."""
    connector = subject.connect(simulator)
    simulator.befall(Fault(reply=Reply(body={"items": [], "next": None}, headers={"Connection": "close"})))
    assert read_all(connector, subject)[0] == []
    time.sleep(0.05)
    subject.seed(simulator, SPREAD)
    assert len(read_all(connector, subject)[0]) == len(SPREAD)


def test_each_thread_has_its_own_connection(subject: Described, simulator: Shelf) -> None:
    """A session is not made for two threads; a connector may serve many."""
    subject.seed(simulator, SPREAD)
    connector = subject.connect(simulator)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(read_all(connector, subject)[0]))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [len(SPREAD)] * 6


def test_proxies_and_netrc_of_the_machine_are_not_used(
    subject: Described, simulator: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """P13: what stands in the environment neither redirects our requests nor replaces our credential."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    read_all(subject.connect(simulator), subject)
    assert {call.headers["authorization"] for call in simulator.calls} == {f"Bearer {TOKEN}"}


def test_a_redirect_is_not_followed(subject: Described, simulator: Shelf) -> None:
    """P13: the credential goes where the settings say, and nowhere else."""
    other = subject.simulator()
    with other.running():
        simulator.befall(Fault(reply=Reply(status=302, headers={"Location": f"{other.url}/things"})))
        with pytest.raises(Misconfigured, match="redirects"):
            list(subject.connect(simulator).read("things"))
        assert other.calls == []


def test_cookies_of_the_platform_are_not_kept(subject: Described, simulator: Shelf) -> None:
    """A session that a load balancer remembers would make two workers differ."""
    connector = subject.connect(simulator)
    answer = Reply(body={"items": [], "next": None}, headers={"Set-Cookie": "session=abc; Path=/"})
    simulator.befall(Fault(reply=answer))
    for _ in range(2):
        read_all(connector, subject)
    assert all("cookie" not in call.headers for call in simulator.calls)


def test_a_compressed_answer_is_read_and_its_bound_holds_unpacked(subject: Described, simulator: Shelf) -> None:
    """A small answer that unpacks to gigabytes is the oldest trick."""
    body = gzip.compress(b'{"items": [], "next": null}')
    simulator.befall(Fault(reply=Reply(raw=body, headers={"Content-Encoding": "gzip"})))
    assert read_all(subject.connect(simulator), subject)[0] == []
    bomb = gzip.compress(b'{"items": [' + b" " * 50_000_000 + b"]}")
    assert len(bomb) < 100_000
    simulator.befall(Fault(reply=Reply(raw=bomb, headers={"Content-Encoding": "gzip"})))
    with pytest.raises(ShapeChanged, match="largest_answer"):
        list(subject.connect(simulator).read("things"))


def test_the_largest_answer_is_a_setting(subject: Described, simulator: Shelf) -> None:
    """The remedy that the error names works."""
    subject.seed(simulator, SPREAD)
    with pytest.raises(ShapeChanged, match="larger than 100 bytes"):
        list(subject.connect(simulator, options={"largest_answer": 100}).read("things"))
    assert len(read_all(subject.connect(simulator, options={"largest_answer": 9_000}), subject)[0]) == len(SPREAD)


def served_raw(chunks: list[bytes], pause: float) -> tuple[str, threading.Thread]:
    """An address that answers one connection with these bytes, pausing between them."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def serve() -> None:
        with listener:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                try:
                    for chunk in chunks:
                        connection.sendall(chunk)
                        time.sleep(pause)
                except OSError:
                    return  # the caller had enough, which is the point

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}", thread


def test_an_answer_in_pieces_is_whole(subject: Described, simulator: Shelf) -> None:
    """Chunked transfer, each piece later than the one before."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = [head, b'a\r\n{"items": \r\n', b'11\r\n[], "next": null}\r\n', b"0\r\n\r\n"]
    url, thread = served_raw(pieces, 0.02)
    assert read_all(subject.connect(simulator, url=url), subject)[0] == []
    thread.join(5)


def test_an_answer_cut_short_is_not_believed(subject: Described, simulator: Shelf) -> None:
    """P1: a body shorter than its length says is a broken connection, even where what came is valid JSON."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"
    url, thread = served_raw([head + b'{"items": [], "next": null}'], 0)
    with pytest.raises(RetryLater, match="broke"):
        list(subject.connect(simulator, url=url).read("things"))
    thread.join(5)


def test_a_platform_that_drips_bytes_does_not_hold_a_worker(subject: Described, simulator: Shelf) -> None:
    """Each byte comes within the time-out; the whole answer has a bound as well."""
    url, thread = served_raw([b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"] + [b" "] * 400, 0.05)
    began = time.monotonic()
    with pytest.raises(RetryLater):
        list(subject.connect(simulator, url=url, timeout=0.1).read("things"))
    assert time.monotonic() - began < 15
    thread.join(30)


@pytest.mark.parametrize(
    "url", ["shop.example", "ftp://shop.example", "http://", "https://me:pw@shop.example/api", "https://x.example/?k=v"]
)
def test_an_address_that_cannot_be_one_is_named_before_the_first_request(url: str, subject: Described) -> None:
    """P13: a credential in an address is refused without being shown."""
    with pytest.raises(Misconfigured, match=r"^shop-kz: `url`") as caught:
        subject.connect(subject.simulator(), url=url)
    assert "pw" not in str(caught.value)


def test_a_wrong_path_is_a_persons_task(subject: Described, simulator: Shelf) -> None:
    """A 404 for a collection is a setting, not an empty list."""
    with pytest.raises(Misconfigured, match=r"HTTP 404.*`url`"):
        list(subject.connect(simulator, url=simulator.url + "/old").read("things"))


def test_an_unknown_resource_names_those_there_are(subject: Described, simulator: Shelf) -> None:
    """Where, what was found, what is allowed."""
    with pytest.raises(Misconfigured, match="no resource `thing`; there are things"):
        list(subject.connect(simulator).read("thing"))


@pytest.mark.parametrize("setting", ["timeout", "largest_answer"])
@pytest.mark.parametrize("value", [0, -1, "5", True, None, Decimal("NaN")], ids=str)
def test_a_bound_that_is_none_is_named(setting: str, value: Any, subject: Described, simulator: Shelf) -> None:
    """A request without a bound is never sent."""
    with pytest.raises(Misconfigured, match=rf"^shop-kz: `{setting}`"):
        subject.connect(simulator, options={setting: value})


def test_importing_the_catalogue_costs_nothing() -> None:
    """The receiver and the command line start at once; a platform's module is loaded when it is used."""
    code = "import sys, connectors; sys.exit('requests' in sys.modules or 'connectors.rest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0


def test_rest_is_no_deeper_than_the_style_allows() -> None:
    """Connector → Rest → platform, and no deeper."""
    assert [each.__name__ for each in Rest.__mro__] == ["Rest", "Connector", "ABC", "object"]
