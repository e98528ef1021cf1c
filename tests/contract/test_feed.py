"""Feeds: the contract of connectors as far as a file has one, and what a file promises: whole, exact, never half."""

from __future__ import annotations

import csv
import gzip
import io
import multiprocessing
import os
import re
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings, strategies as st

from connectors import CATALOG
from connectors.base import Receipt, Write
from connectors.errors import Misconfigured, Stopped
from connectors.feed import Feed
from connectors.feed_formats import GOOGLE, GOOGLE_TSV, META, PRICE_LIST, plain
from connectors.ports import Ports, SystemClock

PLATFORMS = ("feed_google", "feed_google_local", "feed_meta", "feed_kaspi")
SETTINGS = {"company": "Karavan & Co", "merchant_id": "KRV-1", "title": "Karavan", "link": "https://karavan.example"}
G = "{http://base.google.com/ns/1.0}"
K = "{kaspiShopping}"


@dataclass
class Open:
    """Ports of a test: a token, and a button that can be pressed."""

    pressed: bool = False

    def get(self, name: str) -> str:
        return {"token": "t0ken"}[name]

    def load(self) -> tuple[int, Mapping[str, str]]:
        return 0, {}

    def swap(self, version: int, tokens: Mapping[str, str]) -> bool:
        return False

    def take(self, n: float, lane: str, bucket: str = "") -> None:
        if self.pressed:
            raise Stopped("pressed")

    def told(self, available: float, bucket: str = "") -> None:
        return None

    def back(self, n: float, bucket: str = "") -> None:
        return None

    def refused(self, after: float, bucket: str = "") -> None:
        return None


def feed(platform: str, folder: Path, ports: Open | None = None, **options: Any) -> Feed:
    port = ports or Open()
    made = CATALOG[platform](
        channel="feed", url=f"file:{folder}", options={**SETTINGS, **options}, lane="write",
        ports=Ports(secrets=port, tokens=port, budget=port, clock=SystemClock()),
    )
    assert isinstance(made, Feed)
    return made


def item(platform: str, sku: str = "007", price: Decimal = Decimal(4990), units: int = 3) -> dict[str, Any]:
    """One row as the mappings of the platform write it."""
    words = {"title": "Чайник <«Алатау»> & co", "description": "Медный, 1.7 л", "link": "https://karavan.example/p?a=1&b=2",
             "image_link": "https://img.example/1.jpg", "brand": "Karavan"}
    match platform:
        case "feed_google":
            return {**words, "id": sku, "availability": "in_stock", "price": f"{price} KZT", "gtin": None,
                    "additional_image_link": ["https://img.example/2,3.jpg", "https://img.example/4.jpg"]}
        case "feed_google_local":
            return {"store_code": "almaty-1", "id": sku, "availability": "in_stock", "quantity": units}
        case "feed_meta":
            return {**words, "id": sku, "availability": "in stock", "condition": "new", "price": f"{price} KZT"}
        case _:
            return {"sku": sku, "model": words["title"], "brand": "Karavan", "price": price, "availabilities": [
                {"available": units > 0, "storeId": "PP1", "preOrder": None, "stockCount": units}]}


def write(platform: str, sku: str = "007", op: Any = "create", id: str | None = None, **more: Any) -> Write:
    doc = {} if op == "delete" else item(platform, sku, **more)
    return Write(key=f"serai-{sku}-{op}-{more}", op=op, doc=doc, id=id)


def asking(sent: Write, receipt: Receipt) -> Write:
    """The write as it is settled after its receipt."""
    return Write(key=sent.key, op=sent.op, doc=sent.doc, id=receipt.id, ticket=receipt.ticket)


def parsed(served_bytes: bytes, platform: str) -> list[dict[str, Any]]:
    """The items of a file, as somebody else's reader sees them; a half file raises."""
    if platform == "feed_google":
        root = ElementTree.fromstring(served_bytes)
        return [{one.tag.removeprefix(G): one.text or "" for one in row} for row in root.iter("item")]
    if platform == "feed_kaspi":
        root = ElementTree.fromstring(served_bytes)
        return [{"sku": row.get("sku"), "price": row.findtext(f"{K}price"), "model": row.findtext(f"{K}model"),
                 "places": [dict(place.attrib) for place in row.iter(f"{K}availability")]}
                for row in root.iter(f"{K}offer")]
    assert served_bytes.endswith(b"\n")
    tab = "," if platform == "feed_meta" else "\t"
    return list(csv.DictReader(io.StringIO(served_bytes.decode(), newline=""), delimiter=tab))


def shown(one: Feed) -> list[dict[str, Any]]:
    """What the file of a feed shows; the compressed one says the same."""
    served = one.publish()
    assert gzip.decompress(served.zipped.read_bytes()) == served.path.read_bytes()
    return parsed(served.path.read_bytes(), one.platform)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_write_is_accepted_and_the_fetch_of_a_file_with_it_is_its_receipt(platform: str, tmp_path: Path) -> None:
    """P3: accepted is not applied; only who came for the file knows what is in it."""
    one = feed(platform, tmp_path)
    one.check()
    sent = [write(platform, sku) for sku in ("007", "0", "A-1")]
    receipts = list(one.write("items", sent))
    assert [receipt.outcome for receipt in receipts] == ["accepted"] * 3
    asked = [asking(one, receipt) for one, receipt in zip(sent, receipts, strict=True)]
    assert {receipt.outcome for receipt in one.settle("items", asked)} == {"accepted"}
    one.fetched(one.publish().sequence)
    assert [(r.outcome, r.id) for r in one.settle("items", asked)] == [("applied", r.id) for r in receipts]
    later = write(platform, "007", "update", receipts[0].id, units=0)
    (receipt,) = one.write("items", [later])
    (settled,) = one.settle("items", [asking(later, receipt)])
    assert settled.outcome == "accepted", "that was not in what was fetched"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_a_crash_left_without_an_answer_is_found_by_our_key(platform: str, tmp_path: Path) -> None:
    """P2, P3: the state knows the key of each write; what it does not know never arrived."""
    one = feed(platform, tmp_path)
    sent, lost = write(platform, "007"), write(platform, "lost")
    list(one.write("items", [sent]))
    found, missing = one.settle("items", [sent, lost])
    assert (found.outcome, missing.outcome, missing.id) == ("accepted", "rejected", None)
    assert missing.detail.startswith("not found")
    one.fetched(one.publish().sequence)
    assert next(iter(one.settle("items", [sent]))).outcome == "applied"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_file_holds_everything_told_in_full_and_nothing_withdrawn(platform: str, tmp_path: Path) -> None:
    one = feed(platform, tmp_path)
    list(one.write("items", [write(platform, sku) for sku in ("007", "0", "A-1")]))
    key = "sku" if platform == "feed_kaspi" else "id"
    assert {row[key] for row in shown(one)} == {"007", "0", "A-1"}, "an SKU is text (P7)"
    id = next(page.docs[0] for page in one.read("items"))
    external = "/".join(str(id[name]) for name in one.identity)
    list(one.write("items", [write(platform, op="delete", sku="x", id=external)]))
    assert len(shown(one)) == 2
    assert one.fetch("items", [external, "nobody"]) == {external: None, "nobody": None}
    (again,) = one.write("items", [write(platform, str(id[key]))])
    assert again.outcome == "accepted"
    assert len(shown(one)) == 3


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_item_keeps_its_id_on_the_platform_when_its_sku_is_renamed(platform: str, tmp_path: Path) -> None:
    one = feed(platform, tmp_path)
    (first,) = one.write("items", [write(platform, "OLD")])
    list(one.write("items", [write(platform, "NEW", "update", first.id, units=1)]))
    (row,) = shown(one)
    assert row["sku" if platform == "feed_kaspi" else "id"] == "OLD"


@pytest.mark.parametrize("platform", ["feed_google"])
def test_pages_of_a_feed_resume_after_any_of_them_and_end_once(platform: str, tmp_path: Path) -> None:
    one = feed(platform, tmp_path)
    list(one.write("items", [write(platform, f"{n:05}") for n in range(2_100)]))
    pages = list(one.read("items"))
    assert [len(page.docs) for page in pages] == [1000, 1000, 100]
    assert [page.last for page in pages] == [False, False, True]
    rest = list(feed(platform, tmp_path).read("items", pages[0].cursor))
    assert [page.docs for page in rest] == [page.docs for page in pages[1:]]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_nothing_begins_after_the_red_button(platform: str, tmp_path: Path) -> None:
    """P14."""
    button = Open()
    one = feed(platform, tmp_path, button)
    list(one.write("items", [write(platform)]))
    before = one.publish()
    button.pressed = True
    with pytest.raises(Stopped):
        list(one.write("items", [write(platform, "B")]))
    assert one.publish() == before


def test_a_folder_or_a_setting_that_is_not_there_names_itself(tmp_path: Path) -> None:
    ports = feed("feed_meta", tmp_path).ports
    with pytest.raises(Misconfigured, match=r"settings\.company"):
        CATALOG["feed_kaspi"](channel="f", url=f"file:{tmp_path}", options={}, ports=ports).check()
    (tmp_path / "taken").write_text("")
    with pytest.raises(Misconfigured, match="cannot be used"):
        feed("feed_meta", tmp_path / "taken").check()
    with pytest.raises(Misconfigured, match="tsv, xml"):
        feed("feed_google", tmp_path, format="yaml")


TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)


@settings(max_examples=40)
@given(TEXTS, TEXTS, st.decimals(0, 10**9, places=2))
def test_what_another_reader_finds_in_a_file_is_what_was_told_or_it_was_refused_by_name(
    title: str, brand: str, price: Decimal
) -> None:
    """P7: no text changes on its way into CSV, TSV or XML; what a format cannot hold is refused with its field."""
    words = {"title": title, "brand": brand, "price": f"{price:f} KZT"}
    row = {**item("feed_google"), "additional_image_link": None, **words}
    meta = {**item("feed_meta"), **words}
    for form, told, delimiter in ((META, meta, ","), (GOOGLE_TSV, row, "\t")):
        fault = form.fault(told)
        bad = [name for name in ("title", "brand") if told[name].startswith(("=", "+", "-", "@", "\t", "\r"))
               or "\0" in told[name] or (told[name] == "" and (name == "title" or form is META))]
        assert (fault is None) == (bad == [])
        if fault is None:
            text = form.head({}, SystemClock().now()) + form.row(told)
            (read,) = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
            assert (read["title"], read["brand"], read["price"]) == (title, brand, f"{price:f} KZT")
            assert not any(value.startswith(("=", "+", "-", "@")) for value in read.values())
        else:
            assert fault.partition(":")[0] in bad
    fault = GOOGLE.fault(row)
    assert (fault is None) == (title != "" and not re.search("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", title + brand))
    if fault is None:
        xml = GOOGLE.head(SETTINGS, SystemClock().now()) + GOOGLE.row(row) + GOOGLE.tail
        (read,) = parsed(xml.encode(), "feed_google")
        assert read["title"] == re.sub("\r\n?", "\n", title), "XML readers make one line end of any"
        assert read["price"] == f"{price:f} KZT"


def test_a_list_of_pictures_is_repeated_in_xml_and_one_cell_elsewhere_its_commas_escaped(tmp_path: Path) -> None:
    told = item("feed_google")
    xml = GOOGLE.row(told)
    assert xml.count("<g:additional_image_link>") == 2
    assert "g:gtin" not in xml, "null is no element"
    assert GOOGLE.fault({**told, "additional_image_link": []}) is None
    assert (GOOGLE.fault({**told, "title": "x" * 151}) or "").startswith("title: has 151 characters")
    assert "https://img.example/2%2C3.jpg,https://img.example/4.jpg" in GOOGLE_TSV.row(told)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"price": Decimal("4990.50")}, "price: is no whole amount above zero"),
        ({"price": Decimal(0)}, "price: is no whole amount above zero"),
        ({"price": None}, "price: is empty"),
        ({"model": "a\x1db"}, "model: holds the sign U+001D"),
        ({"availabilities": []}, "availabilities: names no place"),
        ({"colour": "red"}, "colour: is no column of this feed"),
        ({"price": 4990.5}, "price: float has no exact text"),
    ],
)
def test_a_price_list_refuses_what_the_marketplace_would_misread(change: dict[str, Any], says: str) -> None:
    assert PRICE_LIST.fault(item("feed_kaspi")) is None
    assert (PRICE_LIST.fault({**item("feed_kaspi"), **change}) or "").startswith(says)


def test_numbers_are_written_digit_by_digit() -> None:
    assert [plain(one) for one in (Decimal("0.10"), Decimal("1E+3"), 2**53 + 1, Decimal(0), None, False)] == [
        "0.10", "1000", "9007199254740993", "0", "", "no"
    ]


def test_a_refused_row_costs_only_itself_and_the_file_goes_on(tmp_path: Path) -> None:
    """P6."""
    one = feed("feed_meta", tmp_path)
    bad = Write(key="bad", op="create", doc={**item("feed_meta", "B"), "title": "=HYPERLINK(1)"})
    outcomes = [r.outcome for r in one.write("items", [write("feed_meta", "A"), bad, write("feed_meta", "C")])]
    assert outcomes == ["accepted", "rejected", "accepted"]
    assert [row["id"] for row in shown(one)] == ["A", "C"]


def test_an_equal_file_keeps_its_tag_and_its_date_and_a_new_one_is_always_later(tmp_path: Path) -> None:
    one = feed("feed_meta", tmp_path)
    list(one.write("items", [write("feed_meta", "A")]))
    first = one.publish()
    list(one.write("items", [write("feed_meta", "A")]))
    same = one.publish()
    assert (same.tag, same.modified) == (first.tag, first.modified)
    assert same.sequence > first.sequence
    list(one.write("items", [write("feed_meta", "B")]))
    other = one.publish()
    assert other.tag != first.tag
    assert other.modified > first.modified, "within the same second, too: a date tells files apart"


def rewrite(folder: str, platform: str) -> None:
    """A writer that never ends by itself."""
    one = feed(platform, Path(folder))
    for turn in range(10**6):
        list(one.write("items", [
            write(platform, f"{n:04}", "update", id=ids(platform, n), units=turn % 50) for n in range(300)
        ]))


def ids(platform: str, n: int) -> str:
    return f"almaty-1/{n:04}" if platform == "feed_google_local" else f"{n:04}"


@pytest.mark.parametrize("platform", ["feed_kaspi", "feed_google_local"])
def test_a_writer_that_is_killed_anywhere_leaves_the_last_complete_file(platform: str, tmp_path: Path) -> None:
    """P15: never half. Killed at many moments; what stands there is whole each time, and the next writer goes on."""
    one = feed(platform, tmp_path)
    list(one.write("items", [write(platform, f"{n:04}") for n in range(300)]))
    for turn in range(6):
        before = one.served()
        assert before is not None
        writer = multiprocessing.get_context("fork").Process(target=rewrite, args=(str(tmp_path), platform))
        writer.start()
        wait_for_news(one, before.sequence)
        time.sleep(turn * 0.007)
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        left = one.served()
        assert left is not None
        assert len(parsed(left.path.read_bytes(), platform)) == 300
        assert len(parsed(gzip.decompress(left.zipped.read_bytes()), platform)) == 300
        link = tmp_path / "feed" / f"feed.{one.format.suffix}"
        assert len(parsed(link.read_bytes(), platform)) == 300
    assert len(shown(one)) == 300
    list(one.write("items", [write(platform, "0000")]))  # whoever writes to the end clears what killed ones left
    names = {path.name for path in (tmp_path / "feed").iterdir()}
    assert len([name for name in names if name[0].isdigit()]) <= 4, names


def wait_for_news(one: Feed, sequence: int) -> None:
    for _ in range(2_000):
        served = one.served()
        if served is not None and served.sequence > sequence:
            return
        time.sleep(0.005)
    raise AssertionError("the writer wrote nothing")


def all_platforms() -> Sequence[str]:
    return [name for name in CATALOG if name.startswith("feed_")]


def test_every_feed_of_the_catalogue_is_held_to_this() -> None:
    assert set(all_platforms()) == set(PLATFORMS)
