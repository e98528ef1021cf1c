"""A retailer whose product master speaks in documents of a test, with feeds and a kiosk that takes what it is told.

What surprises here: the master is never asked; a test hands its documents to ``accept`` as if they had been read. The
kiosk is a real HTTP server on loopback that keeps every document it is sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from connectors.feed import Feed
from flows import steps
from flows.ledger import Ledger
from flows.wiring import House, open_house
from registry import Record, Tx, consent, open_registry, outbox_rows, put_fetch, records_where

ASKED = datetime.fromisoformat("2026-03-01T09:00:00+00:00")
TEXT = {"type": ["string", "null"]}
TEXTS = {"type": ["array", "null"], "items": {"type": "string"}}
WHOLE = {"type": "string"}

MAPPINGS: Mapping[str, str] = {
    "pim/products": """
platform: pim
resource: products
id: code
inward:
  product:
    code: code
    name: name
    description: description
    brand: brand
    category: category
    status: status
    images: images
    link: link
    content: {each: content, fields: {key: key, name: name, description: description}}
tests: []
""",
    "pim/variants": """
platform: pim
resource: variants
id: id
inward:
  variant:
    {sku: sku, name: name, gtin: gtin, mpn: mpn, unit: = 'each', status: status, product: {from: product, ref: product}}
tests: []
""",
    "pim/places": """
platform: pim
resource: places
id: code
inward:
  location: {code: code, name: code, kind: = 'store'}
tests: []
""",
    "pim/stock": """
platform: pim
resource: stock
id: id
forms: {quantity: {unit: each, kind: on_hand}}
inward:
  stock:
    variant: {from: variant, ref: variant}
    location: {from: place, ref: location}
    quantity: {from: on_hand, as: quantity}
tests: []
""",
    "pim/prices": """
platform: pim
resource: prices
id: id
inward:
  price:
    variant: {from: variant, ref: variant}
    list: = 'retail'
    amount: {from: amount, as: {money: {currency: = 'KZT'}}}
    tax_mode: = 'gross'
tests: []
""",
    "kiosk/articles": """
platform: kiosk
resource: articles
outward:
  entity: product
  fields:
    code: code
    title: name
    text: {from: description, default: = ''}
    group: {from: category, default: = ''}
tests: []
""",
}
SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "pim/products": {
        "code": WHOLE, "name": WHOLE, "description": TEXT, "brand": TEXT, "category": TEXT, "images": TEXTS,
        "link": TEXT,
        "status": {"type": "string", "enum": ["active", "archived"]},
        "content": {"type": ["array", "null"], "items": {
            "type": "object", "required": ["key"], "properties": {"key": WHOLE, "name": TEXT, "description": TEXT},
        }},
    },
    "pim/variants": {"id": WHOLE, "sku": WHOLE, "name": WHOLE, "gtin": TEXT, "mpn": TEXT, "product": TEXT,
                     "status": {"type": "string", "enum": ["active", "archived"]}},
    "pim/places": {"code": WHOLE},
    "pim/stock": {"id": WHOLE, "variant": WHOLE, "place": WHOLE, "on_hand": {"type": "integer"}},
    "pim/prices": {"id": WHOLE, "variant": WHOLE, "amount": WHOLE},
    "kiosk/articles": {
        "code": WHOLE, "title": WHOLE, "text": WHOLE, "group": WHOLE,
    },
}  # fmt: skip
CHANNELS = """
pim-kz:
  platform: pim
  company: kz
  url: http://127.0.0.1:9
  entities: {location: on, product: on, variant: on, stock: on, price: on}
feed-google: {platform: feed_google, company: kz, url: "file:.serai/feeds", secrets: {token: env:FEED_TOKEN},
              entities: {stock: on}, receives: [stock], settings: {title: Karavan, link: "https://karavan.example"}}
feed-local: {platform: feed_google_local, company: kz, url: "file:.serai/feeds", secrets: {token: env:FEED_TOKEN},
             entities: {stock: on}, receives: [stock]}
feed-kaspi: {platform: feed_kaspi, company: kz, url: "file:.serai/feeds", secrets: {token: env:FEED_TOKEN},
             entities: {stock: on}, receives: [stock], settings: {company: Karavan, merchant_id: KRV, point: PP1}}
kiosk-kz: {platform: kiosk, company: kz, url: env:KIOSK_URL, entities: {product: on}, receives: [product]}
"""
KIOSK = """
auth: {scheme: none}
resources:
  articles: {path: /articles, create: POST /articles, update: "PUT /articles/{id}", partial_update: false}
"""
PRODUCTS = """
feed-google:
  content: [feed-google]
  categories: {Чайники: "751"}
  requires: [product.description, {any: [variant.gtin, variant.mpn]}, product.link, product.images]
  unready: withdraw
  gtins: worldwide
kiosk-kz:
  requires: [product.description]
"""


@dataclass(kw_only=True)
class Kiosk:
    """What the kiosk holds, by id, and every write that came, in order."""

    url: str = ""
    articles: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Showroom:
    """The open house, and the kiosk."""

    house: House
    kiosk: Kiosk
    clock: int = 0

    def take(self, resource: str, *docs: Mapping[str, Any]) -> Ledger:
        """The master says this now."""
        self.clock += 1
        asked = ASKED + timedelta(seconds=self.clock)
        found = steps.accept(self.house, "pim-kz", resource, [dict(doc) for doc in docs], asked_at=asked)
        assert found.balanced, found.sentence()
        return found

    def push(self, channel: str, entity: str = "stock") -> Ledger:
        """What is due goes out; the ledger balances (P1)."""
        found = steps.push(self.house, channel, entity)
        assert found.balanced, found.sentence()
        return found

    def feed(self, channel: str = "feed-google") -> Feed:
        """A channel's feed."""
        found = self.house.connector(channel)
        assert isinstance(found, Feed)
        return found

    def shown(self, channel: str = "feed-google") -> dict[str, dict[str, Any]]:
        """The items of the next file, by id."""
        pages = self.feed(channel).read("items")
        return {str(doc.get("sku", doc.get("id"))): doc for page in pages for doc in page.docs}

    def fetch(self, channel: str = "feed-google") -> None:
        """The platform comes for the file, and whoever looks afterwards knows it."""
        feed = self.feed(channel)
        served = feed.publish()
        feed.fetched(served.sequence)
        self.house.registry.attempt(lambda tx: put_fetch(tx, channel, served.sequence, 1, 200))
        steps.settle(self.house, channel, "stock")

    def reasons(self, channel: str) -> list[str]:
        """Why writes of the channel wait or stand still."""
        with self.house.registry.read() as tx:
            return [row.reason or row.state for row in outbox_rows(tx, channel, states=("waiting", "parked"))]

    def records(self, entity: str) -> list[Record]:
        """The records of an entity."""
        with self.house.registry.read() as tx:
            return list(records_where(tx, entity))


def product(code: str = "KTL", **more: Any) -> dict[str, Any]:
    """A product as the master writes it, complete."""
    return {
        "code": code, "name": "Чайник", "description": "Медный", "brand": "Karavan", "category": "Чайники",
        "status": "active", "images": ["https://img.example/1.jpg"], "link": f"https://karavan.example/{code}",
        "content": [], **more,
    }  # fmt: skip


def goods(room: Showroom, *skus: str, of: str = "KTL", units: int = 10, **more: Any) -> None:
    """Variants of a product, each with a maker's number, stock in the one store and a price."""
    room.take("places", {"code": "almaty-1"})
    room.take("variants", *({
        "id": sku, "sku": sku, "name": f"Чайник {sku}", "gtin": None, "mpn": f"M-{sku}", "product": of,
        "status": "active", **more,
    } for sku in skus))
    room.take("stock", *({"id": f"{sku}@a", "variant": sku, "place": "almaty-1", "on_hand": units} for sku in skus))
    room.take("prices", *({"id": sku, "variant": sku, "amount": "4990.00"} for sku in skus))


def count(room: Showroom, units: Mapping[str, int]) -> None:
    """The master counted these."""
    room.take("stock", *(
        {"id": f"{sku}@a", "variant": sku, "place": "almaty-1", "on_hand": n} for sku, n in units.items()
    ))


@contextmanager
def showroom(
    folder: Path, url: str, monkeypatch: Any, *, products: str = PRODUCTS, stock: str = ""
) -> Iterator[Showroom]:
    """The retailer, open."""
    kiosk = Kiosk()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(kiosk))
    Thread(target=server.serve_forever, daemon=True).start()
    kiosk.url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("FEED_TOKEN", "t0ken-of-the-feeds")
    monkeypatch.setenv("KIOSK_URL", kiosk.url)
    _write(folder, {
        "companies.yaml": "kz: {name: Karavan, country: KZ, currency: KZT, tax: 0.16, price_list: retail}\n",
        "channels.yaml": CHANNELS, "policies/products.yaml": products,
        "authority.yaml": "".join(f"{entity}: {{'*': [pim-kz]}}\n" for entity in (
            "location", "product", "variant", "stock", "price"
        )),
        "policies/stock.yaml": stock or (
            "sources: {pim-kz: {figure: on_hand, restocks: source}}\n"
            "feed-google: {locations: [almaty-1], share: 0.5}\nfeed-local: {locations: [almaty-1], share: 0.3}\n"
            "feed-kaspi: {locations: [almaty-1], share: 0.2}\n"
        ),
        "platforms/pim.yaml": "auth: {scheme: none}\nresources:\n" + "".join(
            f"  {name.split('/')[1]}: {{path: /{name.split('/')[1]}}}\n" for name in MAPPINGS if name.startswith("pim/")
        ),
        "platforms/kiosk.yaml": KIOSK,
        **{f"mappings/{name}.yaml": text for name, text in MAPPINGS.items()},
        **{f"mappings/{name}.schema.json": _schema(name) for name in MAPPINGS},
    })  # fmt: skip
    registry = open_registry(url)
    house = open_house(folder, registry=registry)

    def allow(tx: Tx) -> None:
        consent(tx, "kiosk-kz", "product", "Aigerim")

    registry.attempt(allow)
    try:
        yield Showroom(house=house, kiosk=kiosk)
    finally:
        house.close()
        server.shutdown()
        server.server_close()


def _schema(name: str) -> str:
    required = [key for key, kind in SCHEMAS[name].items() if "null" not in kind["type"]]
    return json.dumps({"type": "object", "required": required, "properties": SCHEMAS[name]}, ensure_ascii=False)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _handler(kiosk: Kiosk) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self._keep(str(len(kiosk.articles) + 1))

        def do_PUT(self) -> None:
            self._keep(self.path.rsplit("/", 1)[1])

        def _keep(self, id: str) -> None:
            doc = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            kiosk.articles[id] = {**doc, "id": id}
            kiosk.calls.append(f"{self.command} {doc['code']}")
            body = json.dumps(kiosk.articles[id]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    return Handler


__all__: Sequence[str] = ["ASKED", "Kiosk", "Showroom", "count", "goods", "product", "showroom"]
