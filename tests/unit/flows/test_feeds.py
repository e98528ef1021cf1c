"""Feeds over real HTTP: the last complete file to whoever has the token, and what a fetch means for the channel."""

from __future__ import annotations

import csv
import gzip
import http.client
import io
import logging
import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
import requests

from connectors.base import Write
from connectors.errors import Misconfigured
from deployments import receiver
from deployments.feeds import feeds_of
from flows import steps
from flows.consequences import Change, follow
from flows.holds import open_sets
from flows.stock_risk import stock_risk
from flows.why import why
from registry import (
    Fetch,
    RecordRow,
    Tx,
    fetch_interval,
    fetches,
    micros,
    outbox_counts,
    put_links,
    put_records,
    records_where,
)
from registry.tables import feed_fetch
from tests.databases import registry_url, sqlite_url  # noqa: F401 (fixtures)
from tests.retailer import served, until
from tests.unit.flows.showroom import Showroom, count, goods, product, showroom

TOKEN = "t0ken-of-the-feeds"
G = "{http://base.google.com/ns/1.0}"
SKUS = [f"{n:04}" for n in range(40)]


@pytest.fixture
def room(tmp_path: Path, registry_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Showroom]:  # noqa: F811
    with showroom(tmp_path / "project", registry_url, monkeypatch) as found:
        yield found


@pytest.fixture
def one(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Showroom]:  # noqa: F811
    with showroom(tmp_path / "project", sqlite_url, monkeypatch) as found:
        yield found


@pytest.fixture
def url(one: Showroom) -> Iterator[str]:
    with open_door(one) as address:
        yield address


def open_door(room: Showroom):  # type: ignore[no-untyped-def]  # the context manager of `served`
    return served(receiver.create_app(receiver.intake_of(room.house), feeds=feeds_of(room.house)))


def get(url: str, channel: str = "feed-google", token: str = TOKEN, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(f"{url}/feeds/{channel}/{token}", headers={"Accept-Encoding": "identity", **named}, timeout=60)


def stocked(room: Showroom, *channels: str) -> None:
    room.take("products", product())
    goods(room, *SKUS)
    for channel in channels or ("feed-google",):
        room.push(channel)


def items(body: bytes) -> dict[str, str]:
    """id → availability of a Google file; a half one does not parse."""
    return {row.findtext(f"{G}id") or "": row.findtext(f"{G}availability") or ""
            for row in ElementTree.fromstring(body).iter("item")}


def test_a_fetch_is_the_receipt_on_both_databases(room: Showroom) -> None:
    """P3: written is accepted; fetched is applied; the time between two fetches is the channel's lag."""
    stocked(room)
    assert states(room) == {"accepted": 40}
    with open_door(room) as url:
        assert get(url).status_code == 200
        noted(room, 1)
        assert states(room) == {}
        assert why(room.house, "feed-google", "stock", "0000").verified_at is not None
        count(room, {"0000": 0})
        room.push("feed-google")
        assert states(room) == {"accepted": 1}
        steps.settle(room.house, "feed-google", "stock")
        assert states(room) == {"accepted": 1}, "nobody came since"
        assert items(get(url).content)["0000"] == "out_of_stock"
        noted(room, 2)
        assert states(room) == {}
    with room.house.registry.read() as tx:
        newest, first = fetches(tx, "feed-google")
        assert fetch_interval(tx, "feed-google") == (newest.at - first.at).total_seconds()
        assert newest.sequence > first.sequence


def noted(room: Showroom, times: int, channel: str = "feed-google") -> None:
    """So many fetches are known; what became of the writes they held is looked at."""
    until(lambda: len(fetched(room, channel)) >= times)
    steps.settle(room.house, channel, "stock")
    assert len(fetched(room, channel)) == times


def fetched(room: Showroom, channel: str = "feed-google") -> list[Fetch]:
    with room.house.registry.read() as tx:
        return fetches(tx, channel)


def states(room: Showroom, channel: str = "feed-google") -> dict[str, int]:
    with room.house.registry.read() as tx:
        return {state: n for (name, _, state), n in outbox_counts(tx).items() if name == channel}


def test_a_change_takes_the_place_of_one_that_nobody_fetched_on_both_databases(room: Showroom) -> None:
    """A fall of stock never waits for the fetch of the figure before it; back to what was told counts too."""
    stocked(room)
    room.fetch()
    for units, shown in ((0, "out_of_stock"), (20, "in_stock"), (0, "out_of_stock"), (10, "in_stock")):
        count(room, {"0007": units})
        room.push("feed-google")
        assert room.shown()["0007"]["availability"] == shown
        assert states(room) == {"accepted": 1}
    room.fetch()
    assert states(room) == {}


def test_a_category_typed_as_9_99_is_held_in_a_file_that_nobody_reads_back(one: Showroom) -> None:
    """P9: a feed is compared with what it was seen to show when it was fetched; one price alone, then all of them."""
    stocked(one)
    one.fetch()
    one.take("prices", {"id": "0000", "variant": "0000", "amount": "9.99"})
    one.push("feed-google")
    (found,) = open_sets(one.house)
    assert (found.hold.channel, found.hold.kind, found.count) == ("feed-google", "single", 1)
    assert one.shown()["0000"]["price"] == "4990.00 KZT"
    one.take("prices", *({"id": sku, "variant": sku, "amount": "4000.00"} for sku in SKUS))
    one.push("feed-google")
    assert {row["price"] for row in one.shown().values()} == {"4990.00 KZT"}
    assert open_sets(one.house)[0].hold.kind == "all"
    one.take("prices", {"id": "0001", "variant": "0001", "amount": "4990.00"})
    count(one, {"0001": 0})
    one.push("feed-google")
    assert one.shown()["0001"]["availability"] == "out_of_stock", "a fall of stock is not held with the prices"
    one.take("prices", *({"id": sku, "variant": sku, "amount": "4990.00"} for sku in SKUS))
    one.push("feed-google")
    assert {row["price"] for row in one.shown().values()} == {"4990.00 KZT"}


def test_whoever_does_not_know_the_token_learns_nothing(
    one: Showroom, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """P13: a wrong token, a channel that is no feed and one that does not exist are the same answer."""
    stocked(one)
    with caplog.at_level(logging.DEBUG):
        answers = [get(url, *place) for place in (
            ("feed-google", "wrong"), ("feed-google", TOKEN + "x"), ("feed-google", TOKEN[:-1]), ("pim-kz", TOKEN),
            ("nobody", TOKEN), ("feed-google", "%00"), ("feed-google", "т"),
        )]
        right = get(url)
    told = {(a.status_code, a.content, tuple(sorted(set(a.headers) - {"Date", "date"}))) for a in answers}
    assert len(told) == 1
    assert {a.status_code for a in answers} == {404}
    assert right.status_code == 200
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("serai")]
    assert [line for line in ours if TOKEN in line] == []


def test_the_receiver_process_gives_feeds_away_and_writes_no_token_down(one: Showroom, sqlite_url: str) -> None:  # noqa: F811
    """P13: neither its own lines nor those of the server it runs in."""
    stocked(one)
    command = [sys.executable, "-m", "deployments.receiver", "--project", str(one.house.project.folder), "--port", "0"]
    environment = {**os.environ, "SERAI_REGISTRY": sqlite_url}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        assert items(get(url).content).keys() == set(SKUS)
        assert get(url, token="wrong-token").status_code == 404
    finally:
        process.terminate()
        told, errors = process.communicate(timeout=60)
    assert "its feed was fetched (200" in errors
    assert TOKEN not in told + errors
    assert "wrong-token" not in told + errors


def test_the_same_file_is_not_sent_twice_and_a_new_one_is(one: Showroom, url: str) -> None:
    stocked(one)
    first = get(url)
    assert items(first.content).keys() == set(SKUS)
    tag, date = first.headers["ETag"], first.headers["Last-Modified"]
    for condition in ({"If_None_Match": tag}, {"If_None_Match": f'"other", W/{tag}'}, {"If_Modified_Since": date}):
        again = get(url, **condition)
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert get(url, If_None_Match='"other"', If_Modified_Since=date).status_code == 200, "the tag decides"
    assert get(url, If_None_Match="*").status_code == 200
    assert get(url, If_Modified_Since="nonsense").status_code == 200
    count(one, {"0000": 0})
    one.push("feed-google")
    for condition in ({"If_None_Match": tag}, {"If_Modified_Since": date}):
        assert get(url, **condition).status_code == 200


def test_who_has_the_newest_file_already_has_received_it(one: Showroom, url: str) -> None:
    """A write that leaves the file as it was is applied when the caller says that it holds this very file."""
    stocked(one)
    tag = get(url).headers["ETag"]
    noted(one, 1)
    count(one, {"0000": 0})
    one.push("feed-google")
    count(one, {"0000": 10})
    one.push("feed-google")
    assert states(one) == {"accepted": 1}
    assert get(url, If_None_Match=tag).status_code == 304
    noted(one, 2)
    assert states(one) == {}


def test_the_compressed_file_says_the_same_and_a_look_at_its_head_is_no_fetch(one: Showroom, url: str) -> None:
    stocked(one)
    head = requests.head(f"{url}/feeds/feed-google/{TOKEN}", headers={"Accept-Encoding": "identity"}, timeout=60)
    plain = get(url)
    raw = requests.get(f"{url}/feeds/feed-google/{TOKEN}", headers={"Accept-Encoding": "gzip"}, stream=True, timeout=60)
    body = raw.raw.read(decode_content=False)
    assert raw.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == plain.content
    assert raw.headers["ETag"] != plain.headers["ETag"]
    assert get(url, Accept_Encoding="gzip;q=0").headers.get("Content-Encoding") is None
    assert int(head.headers["Content-Length"]) == len(plain.content)
    noted(one, 3)
    assert sorted(fetch.size for fetch in fetched(one)) == sorted([len(body), *[len(plain.content)] * 2]), "no head"


def test_an_answer_that_broke_off_is_no_fetch(one: Showroom, url: str) -> None:
    """P3: the platform does not have what it did not read to the end."""
    stocked(one)
    (doc, *_), feed = list(one.shown().values()), one.feed()
    list(feed.write("items", [
        Write(key=f"k{n}", op="create", doc={**doc, "id": f"{n:05}", "description": "Медный " * 650})
        for n in range(960)
    ]))
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port)) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.sendall(f"GET /feeds/feed-google/{TOKEN} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert line.recv(1024).startswith(b"HTTP/1.1 200")
    whole = get(url)
    assert len(items(whole.content)) == 1_000
    noted(one, 1)
    assert [fetch.size for fetch in fetched(one)] == [len(whole.content)]


def test_nothing_is_given_away_before_everything_was_written_once(one: Showroom, url: str) -> None:
    """A file without most of the goods would take them off the platform."""
    one.take("products", product())
    goods(one, *SKUS)
    early = get(url)
    assert (early.status_code, early.headers["Retry-After"]) == (503, "60")
    one.push("feed-google")
    assert get(url).status_code == 200
    count(one, dict.fromkeys(SKUS, 3))
    assert get(url).status_code == 200, "from then on the last complete one is"


def test_a_feed_whose_state_was_lost_is_written_again_and_never_given_away_empty(one: Showroom, url: str) -> None:
    stocked(one)
    assert get(url).status_code == 200
    noted(one, 1)
    for path in (one.house.project.folder / ".serai" / "feeds" / "feed-google").iterdir():
        path.unlink()
    assert get(url).status_code == 503
    one.push("feed-google")
    again = get(url)
    assert again.status_code == 200
    assert items(again.content).keys() == set(SKUS)


def test_stores_and_price_list_of_the_same_goods_never_show_a_unit_twice(one: Showroom, url: str) -> None:
    """Feeds are channels like any other: shares hold for them, each in its own format."""
    stocked(one, "feed-google", "feed-local", "feed-kaspi")
    local = list(csv.DictReader(io.StringIO(get(url, "feed-local").text, newline=""), delimiter="\t"))
    prices = ElementTree.fromstring(get(url, "feed-kaspi").content)
    places = [place.attrib for place in prices.iter("{kaspiShopping}availability")]
    assert {(row["store_code"], row["quantity"]) for row in local} == {("almaty-1", "3")}
    assert {(place["storeId"], place["stockCount"], place["available"]) for place in places} == {("PP1", "2", "yes")}
    assert {row.text for row in prices.iter("{kaspiShopping}price")} == {"4990"}
    assert {item["availability"] for item in one.shown().values()} == {"in_stock"}


def test_a_bundle_stands_in_the_list_of_each_store_that_has_its_parts(one: Showroom, url: str) -> None:
    """P8: it has no stock of its own: as many as can be put together there, from the moment it is known."""
    stocked(one, "feed-local")
    with one.house.registry.read() as tx:
        part = records_where(tx, "variant")[0]

    def pack(tx: Tx) -> None:
        values = {**part.values, "sku": "SET", "components": [
            {"key": "1", "variant": part.uid, "quantity": {"value": "2", "unit": "each", "kind": "contained"}},
        ]}
        put_records(tx, [RecordRow(uid="set", entity="variant", key="set", values=values)], new=True)
        put_links(tx, [("set", "variant", "components", part.uid)], of={"set"})
        change = Change(entity="variant", uid="set", source="erp", before=None, after=values)
        follow(one.house, tx, [change], now=tx.now, cause="erp")

    one.house.registry.attempt(pack)
    one.push("feed-local")
    local = list(csv.DictReader(io.StringIO(get(url, "feed-local").text, newline=""), delimiter="\t"))
    assert {row["store_code"]: row["quantity"] for row in local if row["id"] == "SET"} == {"almaty-1": "1"}


def test_fetched_while_it_is_rewritten_a_file_is_whole_and_of_one_moment(one: Showroom, url: str) -> None:
    """P15: never half and never of two versions, over four real clients; what a tag names never changes."""
    stocked(one)
    assert get(url).status_code == 200
    seen: dict[str, bytes] = {}
    wrong: list[str] = []
    stop = threading.Event()

    def fetch(zipped: bool) -> None:
        while not stop.is_set():
            answer = get(url, Accept_Encoding="gzip" if zipped else "identity")
            moments = {row.findtext(f"{G}description") for row in ElementTree.fromstring(answer.content).iter("item")}
            tag = answer.headers["ETag"].replace("-gz", "")
            if answer.status_code != 200 or len(moments) != 1 or seen.setdefault(tag, answer.content) != answer.content:
                wrong.append(f"{answer.status_code} {moments}")

    clients = [threading.Thread(target=fetch, args=(n % 2 == 0,)) for n in range(4)]
    for client in clients:
        client.start()
    feed = one.feed()
    docs = [doc for page in feed.read("items") for doc in page.docs]
    for turn in range(2_000):
        said = [{**doc, "description": f"turn {turn}"} for doc in docs]
        list(feed.write("items", [Write(key=f"k{doc['id']}", op="update", id=doc["id"], doc=doc) for doc in said]))
        if wrong or (turn > 20 and len(seen) > 6):
            break
    stop.set()
    for client in clients:
        client.join()
    assert wrong == []
    assert len(seen) > 6, "it was rewritten meanwhile"


def test_a_connection_that_asks_for_what_is_not_there_is_not_kept_waiting(url: str) -> None:
    parts = urlsplit(url)
    line = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    line.request("GET", "/feeds/feed-google/")
    assert line.getresponse().status == 404
    line.close()



@pytest.mark.parametrize("seed", [3, 8])
def test_whatever_happens_in_whatever_order_the_file_shows_what_is_ready_as_it_is_now(one: Showroom, seed: int) -> None:
    """After each push the feed holds exactly the ready listings, each with its present stock and text; what was fetched
    is settled, and nothing else is left (P1, P3)."""
    dice = random.Random(seed)
    units, text, sku = dict.fromkeys("ABC", 10), dict.fromkeys("ABC", "Медный"), {key: key for key in "ABC"}
    one.take("products", *(product(f"P-{key}") for key in "ABC"))
    for key in "ABC":
        goods(one, key, of=f"P-{key}")
    for turn in range(20):
        what, key = dice.choice(["count", "describe", "rename", "push", "fetch"]), dice.choice("ABC")
        if what == "count":
            units[key] = dice.choice([0, 1, 2, 40])
            count(one, {key: units[key]})
        elif what == "describe":
            text[key] = dice.choice(["", "Медный", f"text {turn}"])
            one.take("products", product(f"P-{key}", description=text[key] or None))
        elif what == "rename":
            sku[key] = f"{key}{turn}"
            one.take("variants", {"id": key, "sku": sku[key], "name": key, "gtin": None, "mpn": f"M-{key}",
                                  "product": f"P-{key}", "status": "active"})
        elif what == "fetch":
            one.fetch()
        one.push("feed-google")
        shown = {doc["mpn"]: (doc["description"], doc["availability"] == "in_stock") for doc in one.shown().values()}
        assert shown == {f"M-{key}": (text[key], units[key] > 0) for key in "ABC" if text[key]}, what
    one.fetch()
    assert set(states(one)) <= {"waiting"}


def test_how_often_a_feed_is_fetched_is_its_lag_where_the_risk_is_told(one: Showroom) -> None:
    """The interval between fetches is how long a change waits before the platform can know it."""
    stocked(one)
    now = one.house.registry.now()
    rows = [
        {"channel": "feed-google", "at": micros(now - timedelta(hours=ago)), "sequence": 1, "size": 1, "status": 200}
        for ago in (7, 4, 2, 0)
    ]
    one.house.registry.attempt(lambda tx: tx.run(feed_fetch.insert().values(rows)))
    lags = {row.channel: row.lag for row in stock_risk(one.house, "0000").channels}
    assert lags["feed-google"] == pytest.approx(7200, abs=60)
    assert lags["feed-kaspi"] == 300, "never fetched: as often as the others are read"
    with pytest.raises(Misconfigured, match="no variant"):
        stock_risk(one.house, "nobody")
