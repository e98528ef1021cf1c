"""The simulated marketplace that fetches a price list: it shows what the last whole file of its merchant says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from connectors.feed_formats import PRICE_LIST
from deployments.sandbox.books import Books
from deployments.sandbox.people import People, Refusal
from deployments.sandbox.price_list import Marketplace, play
from deployments.sandbox.start import Part
from tests.retailer import until

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Shop(ThreadingHTTPServer):
    """Whoever gives a price list away: the file, its tag, and how often it was asked for."""

    body, tag, status, asked = b"", '"1"', 200, 0


@pytest.fixture
def shop() -> Iterator[Shop]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.server
            assert isinstance(found, Shop)
            found.asked += 1
            same = self.headers.get("If-None-Match") == found.tag
            self.send_response(304 if same else found.status)
            self.send_header("ETag", found.tag)
            self.send_header("Content-Length", "0" if same else str(len(found.body)))
            self.end_headers()
            if not same:
                self.wfile.write(found.body)

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    server = Shop(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


def file(*offers: tuple[str, int, int], merchant: str = "KARAVAN") -> bytes:
    """A price list as Serai writes it: (SKU, price, units)."""
    rows = [
        PRICE_LIST.row({"sku": sku, "model": sku, "price": price,
                        "availabilities": [{"storeId": "PP1", "available": units > 0, "stockCount": units}]})
        for sku, price, units in offers
    ]  # fmt: skip
    head = PRICE_LIST.head({"company": "Karavan", "merchant_id": merchant}, NOW)
    return f"{head}{''.join(rows)}{PRICE_LIST.tail}".encode()


def market(shop: Shop) -> Marketplace:
    found = Marketplace(books=Books("pricelist", None), wall=lambda: NOW)
    found.begin(f"http://127.0.0.1:{shop.server_port}/feeds/k/t", 3_600.0)
    return found


def test_it_shows_what_the_file_says_and_what_the_file_drops_is_gone(shop: Shop) -> None:
    """Price and units of each offer stand in the books once per change; SKUs stay text, nothing is 0 and not absent."""
    here = market(shop)
    shop.body = file(("007", 4990, 3), ("1E5", 10, 0))
    assert here.look() == "taken"
    assert here.look() == "as before"
    shelf = {sku: (str(one.price), one.units) for sku, one in here.shelf.items()}
    assert shelf == {"007": ("4990", 3), "1E5": ("10", 0)}
    shop.body, shop.tag = file(("007", 5990, 3)), '"2"'
    assert here.look() == "taken"
    said = [one for one in here.books.after(4) if one["kind"] != "fetch"]
    assert [(one["kind"], one["sku"], one["was"], one["now"]) for one in said] == [
        ("price", "007", "4990.00", "5990.00"), ("price", "1E5", "10.00", None), ("shown", "1E5", "0", None)
    ]  # fmt: skip
    here.stop()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (file(("A", 10, 1))[:-20], "not taken: it is no XML"),
        (file(("A", 10, 1), merchant="OTHER"), "not taken: it is the price list of OTHER"),
        (file(("A", 10, 1), ("A", 20, 1)), "not taken: its offer 'A' stands there twice"),
        (file(("A", 10, 1)).replace(b"<price>10</price>", b"<price>10.50</price>"), "not taken: its offer 'A'"),
    ],
)
def test_a_file_that_it_cannot_take_changes_nothing(shop: Shop, body: bytes, why: str) -> None:
    """Half a file, another merchant's, an offer twice, a price with tiyn: the shelf stays, the books say why."""
    here = market(shop)
    shop.body = file(("A", 990, 2))
    here.look()
    shop.body, shop.tag = body, '"2"'
    assert here.look().startswith(why)
    assert (here.shelf["A"].units, str(here.shelf["A"].price)) == (2, "990")
    shop.status = 503
    assert here.look() == "HTTP 503"
    assert here.books.after(0)[-1]["said"] == "HTTP 503"
    here.stop()


def test_it_comes_by_itself_and_only_to_this_machine(shop: Shop) -> None:
    """Told where and how often at its own door, as the day tells it; elsewhere it does not go."""
    shop.body = file(("A", 990, 2))
    playing = play(Part(name="pricelist", books=Books("pricelist", None), seed=7, retailer=None, wall=lambda: NOW))
    people = People("http://127.0.0.1:1", {"pricelist": playing.url})
    try:
        with pytest.raises(Refusal, match="bad_url"):
            people.fetches("http://example.com/feed", every=1)
        people.fetches(f"http://127.0.0.1:{shop.server_port}/feeds/k/t", every=0.02)
        until(lambda: shop.asked >= 3, 20)
        assert people.shown("pricelist", "A") == 2
    finally:
        playing.stop()
