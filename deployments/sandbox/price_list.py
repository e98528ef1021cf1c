"""A marketplace that takes a price list: it fetches a file by HTTP now and then, and shows what stands in it.

What surprises here:

* No call ever reaches it, and it sends no notice: its shelf is what the last whole file said. A file that cannot be
  read, or is another merchant's, changes nothing; the books say why.
* It asks by the tag of the file it has; an answer of 304 leaves its shelf as it is.
* Where its file lies and how often it comes is told at ``/_control``:
  ``{"fetch": {"url": "http://127.0.0.1:…", "every": 1}}``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import requests

from deployments.sandbox.books import Books
from deployments.sandbox.design import Refused
from deployments.sandbox.faults import Faults
from deployments.sandbox.serving import Handler, Reply, Simulated, as_text, serve
from deployments.sandbox.start import Part, Playing

MERCHANT = "KARAVAN"
"""The retailer's number there, which stands in its file."""
LIST = "market"
"""The price list that buyers there see, in the books."""
_NS = "{kaspiShopping}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """What a file says of one article."""

    price: Decimal
    units: int
    """That buyers may have; 0 where it is not available."""


class Marketplace:
    """The shelf and who fills it; ``look`` fetches once, ``begin`` lets it do so again and again until ``stop``."""

    def __init__(self, *, books: Books, wall: Callable[[], datetime]) -> None:
        self.books, self.now = books, wall
        self.shelf: dict[str, Offer] = {}
        self._url, self._tag, self._every = "", "", 0.0
        self._said = ""
        self._session = requests.Session()
        self._session.trust_env = False
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="price-list", daemon=True)

    def begin(self, url: str, every: float) -> None:
        """From now on the file at ``url`` is fetched every so many seconds. Raises Refused: loopback only."""
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname != "127.0.0.1":
            raise Refused(422, "bad_url", "the sandbox fetches from http://127.0.0.1 only", field="fetch")
        with self._lock:
            self._url, self._every = url, every
        if not self._thread.is_alive():
            self._thread.start()

    def stop(self) -> None:
        """Nothing is fetched any more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(15)

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self.look()

    def look(self) -> str:
        """Fetches the file once: what came of it, ``taken``, ``as before``, or why not."""
        with self._lock:
            said = self._look()
            if said != self._said:
                self.books.enter("fetch", self.now(), said=said, offers=len(self.shelf))
            self._said = said
            return said

    def _look(self) -> str:
        try:
            answer = self._session.get(self._url, headers={"If-None-Match": self._tag, "User-Agent": "price list"},
                                       timeout=10)
        except requests.RequestException as fault:
            return f"not there: {type(fault).__name__}"
        if answer.status_code == 304:
            return "as before"
        if answer.status_code != 200:
            return f"HTTP {answer.status_code}"
        try:
            offers = offers_of(answer.content)
        except ValueError as fault:
            return f"not taken: {fault}"
        self._take(offers)
        self._tag = answer.headers.get("ETag", "")
        return "taken"

    def _take(self, offers: Mapping[str, Offer]) -> None:
        """Afterwards the shelf is what the file says; what it does not name any more is gone from it."""
        now = self.now()
        for sku in sorted(self.shelf.keys() | offers.keys()):
            was, offer = self.shelf.get(sku), offers.get(sku)
            if (was and was.price) != (offer and offer.price):
                self.books.enter("price", now, sku=sku, list=LIST, was=was and f"{was.price:.2f}",
                                 now=offer and f"{offer.price:.2f}", currency="KZT", why="file")
            if (was and was.units) != (offer and offer.units):
                self.books.enter("shown", now, sku=sku, was=was and str(was.units), now=offer and str(offer.units),
                                 why="file")
        self.shelf = dict(offers)


def offers_of(content: bytes) -> dict[str, Offer]:
    """What a price list says. Raises ValueError with what is wrong with it."""
    try:
        root = ElementTree.fromstring(content)  # noqa: S314 (what our own receiver gave, on loopback)
    except ElementTree.ParseError as fault:
        raise ValueError(f"it is no XML ({fault})") from None
    merchant = root.findtext(f"{_NS}merchantid")
    if root.tag != f"{_NS}kaspi_catalog" or merchant != MERCHANT:
        raise ValueError(f"it is the price list of {merchant or 'nobody'}")
    found: dict[str, Offer] = {}
    for offer in root.iter(f"{_NS}offer"):
        sku, price = offer.get("sku", ""), offer.findtext(f"{_NS}price")
        places = offer.findall(f"{_NS}availabilities/{_NS}availability")
        if sku == "" or sku in found or price is None or not price.isdigit() or not places:
            raise ValueError(f"its offer {sku!r} stands there twice, or lacks a whole price or a place")
        units = sum(int(one.get("stockCount", "1")) for one in places if one.get("available") == "yes")
        found[sku] = Offer(price=Decimal(price), units=units)
    return found


def play(part: Part) -> Playing:
    """Plays the marketplace of the demo's retailer; its shelf is empty until it was told where its file lies."""
    market = Marketplace(books=part.books, wall=part.wall)
    here = Simulated(
        system=market, faults=Faults(), notices=None, act=lambda act, ask: act(ask),
        acts={"fetch": lambda ask: {"said": market.look(), "offers": len(market.shelf)}},
        controls={"fetch": lambda told: market.begin(str(told["url"]), float(told["every"]))},
    )  # fmt: skip
    url, ended = serve(type("_PriceList", (_Doors,), {"simulated": here}), [here], port=0, name=part.name)

    def stop() -> None:
        market.stop()
        ended()

    return Playing(url=url, secrets={"TOKEN": f"price-list-{part.seed}"}, stop=stop)


class _Doors(Handler):
    """It has the sandbox's own doors only."""

    def asked(self, path: str, query: str, data: bytes) -> Reply:
        return Reply(404, {"error": {"code": "not_found", "message": "nobody can ask it anything"}})

    def encode(self, body: Any) -> bytes:
        return as_text(body)
