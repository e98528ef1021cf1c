"""Files in an S3 bucket, by the server of moto: read once, put away, quarantined, written whole.

What surprises here: moto speaks S3 over HTTP and keeps objects, but it checks neither signatures nor rights and answers
at once with what was just written; what a real store refuses or delays is not seen here.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from typing import Any

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from connectors.base import Write
from connectors.errors import Misconfigured, RetryLater, ShapeChanged
from connectors.files import Files
from tests.contract.harness import ports_with

SECRETS = {"user": "AKIAKARAVAN", "password": "s3cret-word"}
PRICES = {"path": "in/prices-*.csv", "id": "sku", "format": "csv", "delimiter": ";", "page_size": 2, "rest": 0,
          "archive": "done", "quarantine": "bad"}  # fmt: skip
ORDERS = {"path": "out/order-*.json", "id": "number", "format": "json", "write": True}
STOCK = {"path": "stock/stock-*.csv", "id": "sku", "format": "csv", "whole": True, "rest": 0}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The server, on a free port of loopback."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def store(address: str) -> Any:
    """The store as somebody else uses it."""
    return fsspec.filesystem(
        "s3", key="other", secret="other", endpoint_url=address, use_listings_cache=False, skip_instance_cache=True
    )


@pytest.fixture
def bucket(address: str, store: Any, request: pytest.FixtureRequest) -> Any:
    """The store, with a bucket of this test's own (`bucket.name`)."""
    store.name = f"b{abs(hash(request.node.name))}"
    store.mkdir(store.name)
    store.address = address
    return store


def channel(bucket: Any, folder: str = "inbox", address: str = "") -> Files:
    return Files(
        channel="wholesale", url=f"s3://{bucket.name}/{folder}", ports=ports_with(SECRETS),
        options={"description": {"speaks": "files", "resources": {"prices": PRICES, "orders": ORDERS, "stock": STOCK}},
                 "secrets": dict.fromkeys(SECRETS, "env:X"), "endpoint": address or bucket.address},
    )  # fmt: skip


def put(bucket: Any, path: str, text: str) -> None:
    bucket.pipe_file(f"{bucket.name}/inbox/{path}", text.encode())


def there(bucket: Any, folder: str) -> list[str]:
    """The names that lie in a folder."""
    where = f"{bucket.name}/inbox/{folder}"
    return sorted(path.rpartition("/")[2] for path in bucket.ls(where)) if bucket.isdir(where) else []


def test_every_row_is_read_once_and_an_object_is_put_away_when_it_is_certain(bucket: Any) -> None:
    """P1: any page's cursor gives the same rest; archived by the read after the commit, an emptied folder is empty."""
    put(bucket, "in/prices-1.csv", "sku;price\n007;0\n1E5;0.10\nA;\n")
    put(bucket, "in/other.csv", "sku\nX\n")
    files = channel(bucket)
    pages = list(files.read("prices"))
    assert [[doc["sku"] for doc in page.docs] for page in pages] == [["007", "1E5"], ["A"]]
    assert pages[0].docs == [{"sku": "007", "price": "0"}, {"sku": "1E5", "price": "0.10"}]
    rest = list(channel(bucket).read("prices", json.loads(json.dumps(pages[0].cursor))))
    assert [list(page.docs) for page in rest] == [list(pages[1].docs)]
    assert there(bucket, "in") == ["other.csv", "prices-1.csv"]
    (after,) = files.read("prices", pages[-1].cursor)
    assert (after.docs, after.last) == ([], True)
    assert (there(bucket, "in"), there(bucket, "done")) == (["other.csv"], ["prices-1.csv"])
    bucket.rm(f"{bucket.name}/inbox/in/other.csv")
    (nothing,) = files.read("prices", after.cursor)
    assert (nothing.docs, nothing.last) == ([], True)


def test_an_object_of_the_same_name_with_other_content_is_news(bucket: Any) -> None:
    """P1: also within the second and of the same size: the store's own tag tells."""
    put(bucket, "in/prices-1.csv", "sku;price\nA;1\n")
    files = channel(bucket)
    pages = list(files.read("prices"))
    tag = hashlib.md5(b"sku;price\nA;1\n").hexdigest()
    assert [mark.endswith(tag) for _, mark in pages[-1].cursor["taken"]] == [True]
    put(bucket, "in/prices-1.csv", "sku;price\nA;2\n")
    (news,) = files.read("prices", pages[-1].cursor)
    assert news.docs == [{"sku": "A", "price": "2"}]


def test_a_malformed_object_lies_in_quarantine_with_a_note(bucket: Any) -> None:
    """P6: line and reason stand in the note; the others are read by the next run."""
    put(bucket, "in/prices-1.csv", "sku;price\nA;1\nB;2;3\n")
    put(bucket, "in/prices-2.csv", "sku;price\nC;3\n")
    files = channel(bucket)
    with pytest.raises(ShapeChanged, match=r"prices-1.csv: .*bad"):
        list(files.read("prices"))
    assert there(bucket, "bad") == ["prices-1.csv", "prices-1.csv.why.txt"]
    assert b"line 3" in bucket.cat_file(f"{bucket.name}/inbox/bad/prices-1.csv.why.txt")
    assert [doc["sku"] for page in files.read("prices") for doc in page.docs] == ["C"]


def test_a_write_is_one_whole_object_and_the_same_one_again(bucket: Any) -> None:
    """P2: named after its key; nothing else is ever seen beside it, and it is settled by being there."""
    write = Write(key="k-1", op="create", doc={"number": "007", "total": "0.10"})
    files = channel(bucket)
    for _ in range(2):
        (receipt,) = files.write("orders", [write])
        assert receipt.outcome == "applied"
    assert there(bucket, "out") == ["order-k-1.json"]
    written = json.loads(bucket.cat_file(f"{bucket.name}/inbox/out/order-k-1.json"))
    assert written in (write.doc, [write.doc])
    settled = list(files.settle("orders", [write, Write(key="k-2", op="create", doc={"number": "8"})]))
    assert [one.outcome for one in settled] == ["applied", "rejected"]


def test_of_whole_lists_the_newest_counts(bucket: Any) -> None:
    """P10: what it lacks is gone; fetch asks the newest."""
    put(bucket, "stock/stock-1.csv", "sku,on_hand\nA,1\nB,2\n")
    files = channel(bucket)
    (page,) = files.read("stock")
    assert [doc["sku"] for doc in page.docs] == ["A", "B"]
    assert files.fetch("stock", ["B", "Z"]) == {"B": {"sku": "B", "on_hand": "2"}, "Z": None}


def test_a_bucket_that_is_not_there_and_a_store_that_is_away_are_told_apart(bucket: Any) -> None:
    """Ops read what to do; no error holds the credential (P13)."""
    bucket.name = "nobody-has-this"
    with pytest.raises(Misconfigured, match=r"no such folder at `url`") as missing:
        list(channel(bucket).read("prices"))
    with pytest.raises(RetryLater, match="cannot be reached") as away:
        list(channel(bucket, address="http://127.0.0.1:9").read("prices"))
    assert not any(secret in str(error.value) for error in (missing, away) for secret in SECRETS.values())
