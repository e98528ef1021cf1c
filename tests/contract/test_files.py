"""Files as a channel: in a folder of this machine and on a real SFTP server, read once, put away, never half."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import paramiko
import pytest
from hypothesis import given, settings, strategies as st
from msgspec.structs import replace
from openpyxl import Workbook

from connectors.base import Write
from connectors.errors import Misconfigured, RetryLater, ShapeChanged
from connectors.file_formats import READ, WRITTEN
from connectors.files import Files
from flows import wiring
from flows.checking import check
from flows.pull import pull
from flows.survey import survey
from tests.contract.harness import ports_with
from tests.contract.sftp_server import Door, Shelf
from tests.prefect.places import AUTHORITY, COMPANIES, MAPPING, SCHEMA
from tests.retailer import environment

PRICES = {"path": "in/prices-*.csv", "id": "sku", "format": "csv", "delimiter": ";", "page_size": 2, "rest": 0,
          "archive": "done", "quarantine": "bad"}  # fmt: skip


def channel(folder: Path, url: str = "", secrets: Mapping[str, str] | None = None, **rows: Any) -> Files:
    return Files(
        channel="wholesale", url=url or f"file:{folder}", ports=ports_with(secrets or {}),
        options={"description": {"speaks": "files", "resources": {"prices": PRICES, **rows}},
                 "secrets": dict.fromkeys(secrets or {}, "env:X")},
    )  # fmt: skip


def put(folder: Path, name: str, text: str, at: int = 1_000) -> None:
    path = folder / "in" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, (at, at))


@contextmanager
def sftp(folder: Path) -> Iterator[str]:
    """An SFTP server over the folder; user "wms", password "s3cret-word"."""
    listening = socket.create_server(("127.0.0.1", 0))
    key, ended = paramiko.ECDSAKey.generate(), threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                there, _ = listening.accept()
            except OSError:
                return
            transport = paramiko.Transport(there)
            transport.add_server_key(key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Shelf, folder)
            transport.start_server(server=Door("wms", "s3cret-word"))
            opened.append(transport)

    opened: list[paramiko.Transport] = []
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"sftp://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        ended.set()
        listening.shutdown(socket.SHUT_RDWR)  # a close alone leaves whoever waits in accept where it is
        listening.close()
        for one in opened:
            one.close()


Opened = Callable[..., Files]


@pytest.fixture(params=["folder", "sftp"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """How to open the channel on a folder here or on the server."""
    (tmp_path / "in").mkdir()
    if request.param == "folder":
        yield lambda **rows: channel(tmp_path, **rows)
    else:
        with sftp(tmp_path) as url:
            yield lambda **rows: channel(tmp_path, url, {"user": "wms", "password": "s3cret-word"}, **rows)


def test_every_row_is_read_once_and_a_file_is_put_away_when_it_is_certain(files: Opened, tmp_path: Path) -> None:
    """P1: oldest file first, any page's cursor gives the same rest; archived by the read after the commit."""
    put(tmp_path, "prices-2.csv", "sku;price\nB;2\n", at=2_000)
    put(tmp_path, "prices-1.csv", "sku;price\n007;0\n1E5;0.10\nA;\n", at=1_000)
    put(tmp_path, "other.csv", "sku\nX\n")
    put(tmp_path, "prices-9.csv.part", "sku\nhalf")
    pages = list(files().read("prices"))
    assert [[doc["sku"] for doc in page.docs] for page in pages] == [["007", "1E5"], ["A"], ["B"]]
    assert pages[0].docs == [{"sku": "007", "price": "0"}, {"sku": "1E5", "price": "0.10"}]
    assert [page.last for page in pages] == [False, False, True]
    for n, page in enumerate(pages[:1]):
        rest = list(files().read("prices", json.loads(json.dumps(page.cursor))))
        assert [list(one.docs) for one in rest] == [list(one.docs) for one in pages[n + 1 :]]
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == [
        "other.csv", "prices-1.csv", "prices-2.csv", "prices-9.csv.part",
    ]  # fmt: skip
    put(tmp_path, "prices-3.csv", "sku;price\nC;3\n", at=3_000)
    again = list(files().read("prices", pages[-1].cursor))
    assert [doc["sku"] for page in again for doc in page.docs] == ["C"]
    assert sorted(path.name for path in (tmp_path / "done").iterdir()) == ["prices-1.csv", "prices-2.csv"]


def test_a_malformed_file_is_put_aside_with_its_line_and_the_others_are_read(files: Opened, tmp_path: Path) -> None:
    """P1, P6: nothing of it is taken; whoever watches hears of it once."""
    put(tmp_path, "prices-1.csv", "sku;price\nA;1\nB;2;surplus\n", at=1_000)
    put(tmp_path, "prices-2.csv", "sku;price\nC;3\n", at=2_000)
    with pytest.raises(ShapeChanged, match=r"prices-1\.csv: line 3: 3 cells under 2 names.*it lies in bad"):
        list(files().read("prices"))
    assert (tmp_path / "bad" / "prices-1.csv").exists()
    assert "line 3" in (tmp_path / "bad" / "prices-1.csv.why.txt").read_text()
    assert [doc["sku"] for page in files().read("prices") for doc in page.docs] == ["C"]


def test_who_only_looks_moves_no_file(tmp_path: Path) -> None:
    """P12: `serai check` and `serai survey` of a real house say what is wrong with a file and leave it; a pull moves
    it, once."""
    files = {
        "companies.yaml": COMPANIES, "authority.yaml": AUTHORITY, "mappings/depot/places.yaml": MAPPING,
        "mappings/depot/places.schema.json": json.dumps(SCHEMA),
        "channels.yaml": "depot: {platform: depot, company: kz, url: env:DEPOT_URL, entities: {location: on}}\n",
        "platforms/depot.yaml": "speaks: files\nresources:\n  places: {path: in/places-*.csv, id: code, format: csv,"
        " rest: 0, archive: done, quarantine: bad}\n",
    }  # fmt: skip
    for name, lines in files.items():
        (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "project" / name).write_text(lines, encoding="utf-8")
    put(tmp_path, "places-1.csv", "code,title\n007,Depot\n008,Depot,surplus\n")
    put(tmp_path, "places-2.csv", "code,title\n009,Depot\n", at=2_000)
    lying = {"places-1.csv", "places-2.csv"}
    with environment({"DEPOT_URL": f"file:{tmp_path}"}), wiring.opened(tmp_path / "project") as house:
        (finding,) = [one for one in check(house, "depot") if one.what == "places: read"]
        assert finding.works is False
        assert "line 3" in finding.detail
        assert "a pull would put it into bad" in finding.detail
        assert "line 3" in str(survey(house).row())
        assert {path.name for path in (tmp_path / "in").iterdir()} == lying
        assert not (tmp_path / "bad").exists()
        with pytest.raises(ShapeChanged, match="it lies in bad"):
            pull(house, "depot", "places")
        assert {path.name for path in (tmp_path / "in").iterdir()} == lying - {"places-1.csv"}
        assert pull(house, "depot", "places").total("created") == 1


def test_a_file_that_was_replaced_while_it_was_read_is_read_from_its_beginning(tmp_path: Path) -> None:
    """P1: a position in another file means nothing."""
    put(tmp_path, "prices-1.csv", "sku;price\nA;1\nB;2\nC;3\n", at=1_000)
    page = next(iter(channel(tmp_path).read("prices")))
    put(tmp_path, "prices-1.csv", "sku;price\nX;1\nY;2\nZ;3\n", at=2_000)
    assert [doc["sku"] for one in channel(tmp_path).read("prices", page.cursor) for doc in one.docs] == ["X", "Y", "Z"]


def test_of_whole_lists_the_newest_counts_and_what_it_lacks_is_gone(tmp_path: Path) -> None:
    """P10: a list that was read stays to be asked; older ones are put away unread."""
    put(tmp_path, "prices-1.csv", "sku;price\nA;1\n", at=1_000)
    put(tmp_path, "prices-2.csv", "sku;price\nB;2\n", at=2_000)
    whole = {"stock": {**PRICES, "whole": True}}
    (page,) = channel(tmp_path, **whole).read("stock")
    assert [doc["sku"] for doc in page.docs] == ["B"]
    assert channel(tmp_path, **whole).fetch("stock", ["A", "B"]) == {"A": None, "B": {"sku": "B", "price": "2"}}
    (again,) = channel(tmp_path, **whole).read("stock", page.cursor)
    assert (list(again.docs), [path.name for path in (tmp_path / "in").iterdir()]) == ([], ["prices-2.csv"])
    assert channel(tmp_path, **whole).resources["stock"].complete
    assert not channel(tmp_path).resources["prices"].complete
    with pytest.raises(Misconfigured, match="is news"):
        channel(tmp_path).fetch("prices", ["A"])


def test_a_write_is_a_whole_file_of_its_own_name_however_often_it_is_tried(files: Opened, tmp_path: Path) -> None:
    """P2: the same order exported twice is one file; a document that has no place in a file rejects itself only."""
    out = {"orders": {"path": "out/order-*.json", "id": "number", "format": "json", "write": True}}
    order = Write(key="serai-17", op="create", doc={"number": "0017", "total": Decimal("10.50"), "note": None})
    for write in (order, replace(order, attempt=2)):
        (receipt,) = files(**out).write("orders", [write])
        assert receipt.outcome == "applied"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["order-serai-17.json"]
    assert (tmp_path / "out" / "order-serai-17.json").read_text() == '[{"number":"0017","total":10.50,"note":null}]'
    settled = list(files(**out).settle("orders", [order, replace(order, key="serai-18")]))
    assert [one.outcome for one in settled] == ["applied", "rejected"]
    rows = {"rows": {"path": "out/rows-*.csv", "id": "sku", "format": "csv", "write": True, "batch": 10,
                     "columns": ["sku", "price"]}}  # fmt: skip
    writes = [Write(key=f"k{n}", op="update", id=f"{n}", doc=doc) for n, doc in enumerate(
        [{"sku": "A", "price": Decimal("0")}, {"sku": "B", "price": {"no": "cell"}}, {"sku": "C", "price": None}]
    )]  # fmt: skip
    receipts = list(files(**rows).write("rows", writes))
    assert [receipt.outcome for receipt in receipts] == ["applied", "rejected", "applied"]
    assert sorted(path.read_text() for path in (tmp_path / "out").glob("rows-*")) == [
        "sku,price\nA,0\n", "sku,price\nC,\n",
    ]  # fmt: skip


def test_a_wrong_password_or_a_folder_that_is_not_there_is_a_persons_task(tmp_path: Path) -> None:
    """P13: said without the password; a server that is away is asked again later."""
    (tmp_path / "in").mkdir()
    right = {"user": "wms", "password": "s3cret-word"}
    with sftp(tmp_path) as url:
        with pytest.raises(Misconfigured, match="refuses the credential") as told:
            channel(tmp_path, url, {"user": "wms", "password": "wr0ng-word"}).check()
        assert "wr0ng-word" not in repr(told.value)
        with pytest.raises(Misconfigured, match="no such folder"):
            channel(tmp_path, url, right, far={**PRICES, "path": "far/*.csv"}).check()
    with pytest.raises(RetryLater, match="cannot be reached"):
        channel(tmp_path, url, right).check()


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"path": "a", "id": "b", "format": "yaml"}, "format.*found 'yaml'; allowed: csv"),
        ({"path": "a", "id": "b", "format": "xml"}, "`item` is missing"),
        ({"path": "a", "id": "b", "format": "xlsx", "write": True}, "xlsx is only read"),
        ({"path": "a.csv", "id": "b", "format": "csv", "write": True}, r"has a \*"),
        ({"path": "a", "id": "b", "format": "csv", "delimeter": ";"}, "found delimeter; allowed"),
    ],
)  # fmt: skip
def test_a_description_that_cannot_work_is_refused_before_anything_is_read(
    tmp_path: Path, row: Mapping[str, Any], words: str
) -> None:
    """The sentence names the key and what is allowed."""
    with pytest.raises(Misconfigured, match=words):
        channel(tmp_path, odd=row)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r", exclude_categories=("Cs", "Cc")), max_size=12)
MARK = "0104601234567890215abc\x1d93xyz"
"""A mark of goods: its group separator is U+001D."""


@settings(max_examples=40, deadline=None)
@given(st.lists(st.fixed_dictionaries({"id": st.text("abc", min_size=1), "text": TEXTS}), min_size=1, max_size=4),
       st.sampled_from(sorted(WRITTEN)))  # fmt: skip
def test_what_is_written_is_read_again_as_it_was(docs: list[dict[str, str]], name: str) -> None:
    """P7: commas, quotes, line ends within a cell, other alphabets."""
    options = {"item": "item", "items": "rows" if name == "json" else ""}
    docs = [{**doc, "text": " ".join(doc["text"].split()) if name == "xml" else doc["text"]} for doc in docs]
    assert list(READ[name](WRITTEN[name](docs, options), options)) == docs


@pytest.mark.parametrize("name", ["csv", "json", "jsonl"])
def test_a_mark_of_goods_comes_back_with_its_group_separator(name: str) -> None:
    """U+001D survives; XML 1.0 has no way to hold it."""
    options = {"items": ""}
    assert list(READ[name](WRITTEN[name]([{"mark": MARK}], options), options)) == [{"mark": MARK}]


def test_a_workbook_gives_exact_numbers_and_text_that_looks_like_numbers(tmp_path: Path) -> None:
    """P7: 007 that was typed as text stays; a number is a decimal, a date ISO text, an empty row nothing."""
    book = Workbook()
    for row in (["sku", "price", None, "on"], ["007", 0.1, "note", "2026-03-01"], [None] * 4, ["1E5", 12, None, None]):
        book.active.append(row)
    book.save(tmp_path / "book.xlsx")
    found = list(READ["xlsx"]((tmp_path / "book.xlsx").read_bytes(), {}))
    assert found == [
        {"sku": "007", "price": Decimal("0.1"), "on": "2026-03-01"}, {"sku": "1E5", "price": 12, "on": None},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("csv", b"", "no line of names"),
        ("csv", b"a,a\n1,2\n", "two columns are called 'a'"),
        ("csv", b'a,b\n1,"2\n', "line"),
        ("csv", "a\nжасыл".encode("cp1251"), "line 2: byte 2 is not utf-8"),
        ("jsonl", b'{"a": 1}\n[1]\n', "line 2: it is no object"),
        ("json", b'{"rows": 1', "it is not JSON"),
        ("xml", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x/>", "document type"),
        ("xml", b"<x><item></x>", "line 1"),
        ("xlsx", b"PK but no book", "no workbook"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(name: str, data: bytes, words: str) -> None:
    """Whoever sends it can mend it."""
    from connectors.file_formats import Malformed

    with pytest.raises(Malformed, match=words):
        list(READ[name](data, {"item": "item", "items": "rows"}))
