"""A retailer of one warehouse, one store, one shop and one till, whose documents a test writes itself.

What surprises here: nobody is asked anything: what a system tells is accepted as if it had been read at a moment, so
that a test decides what was seen when, and what a request that began earlier brings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from flows import steps
from flows.holdings import Pool, pools
from flows.ledger import Ledger
from flows.render import views
from flows.wiring import House, open_house
from mappings.commerce.stock.allocation import free
from registry import promises, records_where

FILES = {
    "companies.yaml": "kz: {name: K, country: KZ, currency: KZT, tax: 0.16, price_list: retail, zone: Asia/Almaty}\n",
    "authority.yaml": "location: {'*': [erp]}\nvariant: {'*': [erp]}\nstock: {'*': [erp]}\norder: {'*': origin}\n"
                      "shipment: {'*': [erp]}\n",
    "channels.yaml": """\
erp:
  {platform: room_erp, company: kz, url: "http://127.0.0.1:9",
   entities: {location: on, variant: on, stock: on, order: on, shipment: on}}
shop:
  {platform: room_shop, company: kz, url: "http://127.0.0.1:9",
   entities: {location: on, variant: on, order: on, stock: on}, receives: [stock]}
till:
  {platform: room_till, company: kz, url: "http://127.0.0.1:9", entities: {location: on, variant: on, order: on}}
""",
    "platforms/room_erp.yaml": """\
auth: {scheme: none}
check: GET /stock
resources:
  locations: {path: /locations, items: items, id: code}
  items: {path: /items, items: items, id: code}
  stock: {path: /stock, items: items, id: id}
  orders: {path: /orders, items: items, id: id}
  shipments: {path: /shipments, items: items, id: id}
""",
    "platforms/room_shop.yaml": """\
auth: {scheme: none}
check: GET /stock
resources:
  locations: {path: /locations, items: items, id: code}
  items: {path: /items, items: items, id: code}
  orders: {path: /orders, items: items, id: id}
  stocks: {path: /stocks, items: items, id: sku, create: POST /stocks}
""",
    "platforms/room_till.yaml": """\
auth: {scheme: none}
check: GET /orders
resources:
  locations: {path: /locations, items: items, id: code}
  items: {path: /items, items: items, id: code}
  orders: {path: /orders, items: items, id: id}
""",
    "mappings/room_erp/locations.yaml": """\
platform: room_erp
resource: locations
id: code
inward:
  location:
    {code: code, name: code, held_by: held_by, zone: zone,
     hours: {each: hours, fields: {days: {each: days}, from: from, to: to}}}
""",
    "mappings/room_erp/items.yaml": """\
platform: room_erp
resource: items
id: code
forms: {quantity: {unit: each, kind: contained}}
inward:
  variant:
    sku: code
    name: code
    unit: {from: unit, default: = 'each'}
    status: = 'active'
    tracking: tracking
    step: {from: step, as: decimal}
    components:
      {each: parts, fields: {key: item, variant: {from: item, ref: variant}, quantity: {from: n, as: quantity}}}
""",
    "mappings/room_erp/stock.yaml": """\
platform: room_erp
resource: stock
forms: {moment: {zone: UTC}}
inward:
  stock:
    variant: {from: item, ref: variant, otherwise: wait}
    location: {from: location, ref: location, otherwise: wait}
    quantity: {from: n, as: {quantity: {unit: "= first(unit, 'each')", kind: KIND}}}
    allocated: {from: allocated, as: {quantity: {unit: each, kind: allocated}}}
    quarantined: {from: quarantined, as: {quantity: {unit: each, kind: quarantined}}}
    inbound:
      {each: inbound, fields: {key: key, quantity: {from: n, as: {quantity: {unit: each, kind: inbound}}}, on: on}}
    count:
      {from: count, fields: {at: {from: at, as: moment}, state: {from: state, table: {counting: counting, done: done}}}}
""",
    "mappings/room_erp/shipments.yaml": """\
platform: room_erp
resource: shipments
forms: {moment: {zone: UTC}, quantity: {unit: each, kind: ordered}}
inward:
  shipment:
    order: {from: order, ref: order, otherwise: wait}
    number: id
    shipped_at: {from: at, as: moment}
    lines:
      each: lines
      fields: {key: line, line: line, quantity: {from: n, as: quantity}, units: {each: units, fields: {mark: mark}}}
""",
    "mappings/room_shop/stocks.yaml": """\
platform: room_shop
resource: stocks
id: sku
outward:
  entity: stock
  per: variant
  fields:
    sku: {ref: variant}
    available: = sum(int(stock.publish) for stock in stocks)
""",
}
PLACES = """\
platform: room_{name}
resource: locations
id: code
inward:
  location: {{code: code, name: code}}
"""
ITEMS = """\
platform: room_{name}
resource: items
id: code
inward:
  variant: {{sku: code, name: code, unit: = 'each', status: = 'active'}}
"""
ORDER = """\
platform: room_{name}
resource: orders
forms: {{moment: {{zone: UTC}}, quantity: {{unit: each, kind: ordered}}, money: {{currency: = 'KZT'}}}}
inward:
  order:
    number: {{from: number, default: = text(id)}}
    placed_at: {{from: at, as: moment}}
    status:
      from: state
      table: {{open: open, confirmed: confirmed, shipped: shipped, delivered: delivered, cancelled: cancelled}}
    payment: = 'paid'
    location: {{from: location, ref: location, otherwise: wait}}
    handed_over: handed_over
    shift:
      from: shift
      fields: {{register: register, since: {{from: since, as: moment}}, until: {{from: until, as: moment}}}}
    lines:
      each: lines
      fields:
        key: key
        variant: {{from: item, ref: variant}}
        quantity: {{from: n, as: {{quantity: {{unit: "= first(unit, 'each')"}}}}}}
        cancelled: {{from: cancelled, as: quantity}}
        units: {{each: units, fields: {{mark: mark}}}}
        fulfilled_by: {{from: by, table: {{us: us, channel: channel}}}}
        total: = money(0, 'KZT')
    total: = money(0, 'KZT')
"""


def moment(at: datetime) -> str:
    """A moment as the systems write it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(kw_only=True)
class Stockroom:
    """The retailer's house, and the words of its systems."""

    house: House
    began: datetime

    def now(self) -> datetime:
        """The registry's time."""
        return self.house.registry.now()

    def take(self, channel: str, resource: str, *docs: Mapping[str, Any], at: datetime | None = None) -> Ledger:
        """Documents come in that were asked for at a moment (now, when none is said)."""
        found = steps.accept(
            self.house, channel, resource, [dict(doc) for doc in docs], asked_at=self.now() if at is None else at
        )
        assert not found.faults, found.faults
        assert found.balanced
        return found

    def figure(self, item: str, n: float | str, at: datetime | None = None, place: str = "wh", **more: Any) -> None:
        """The ERP says how much of an item there is, as read at a moment."""
        doc = {"id": f"{item}@{place}", "item": item, "location": place, "n": str(n), **more}
        self.take("erp", "stock", doc, at=at)

    def order(
        self, id: str, lines: Mapping[str, Any], *, channel: str = "shop", state: str = "open", **more: Any
    ) -> None:
        """An order as a channel tells it: item → how many, or the line's own words."""
        rows = [{"key": str(n), "item": item, **(how if isinstance(how, dict) else {"n": str(how)})}
                for n, (item, how) in enumerate(lines.items(), 1)]
        doc = {"id": id, "at": moment(self.began), "state": state, "lines": rows, **more}
        self.take(channel, "orders", doc)

    def bind(self, channel: str, order: str, id: str) -> None:
        """The order is known to another channel, too, under this id."""
        from registry import BindingRow, put_bindings, uids_for

        def work(tx: Any) -> None:
            uid = uids_for(tx, "shop", [("order", order)])["order", order]
            put_bindings(tx, [BindingRow(channel=channel, entity="order", external_id=id, uid=uid, pending=True)])

        self.house.registry.attempt(work)

    def pool(self, item: str) -> Pool:
        """What may be divided of an item now."""
        with self.house.registry.read() as tx:
            return pools(self.house, tx, [self.uid(item)], self.now()).of[self.uid(item)]

    def free(self, item: str) -> int:
        """Units that are free of an item, everywhere together."""
        pool = self.pool(item)
        return sum(free(pool.sellable, pool.reserved, pools=pool.pools).values())

    def told(self, item: str) -> int:
        """What the shop would be told of an item now."""
        group = self.house.of("shop").outward["stock"]
        uid = self.uid(item)
        with self.house.registry.read() as tx:
            view = views(self.house, tx, "shop", group, [uid], self.now())[uid]
        assert view.publish == sum(int(row["publish"]) for row in view.values["stocks"])
        return int(view.publish or 0)

    def told_by_weight(self, item: str) -> tuple[str, Any]:
        """What the shop would be told of an item sold in steps, and what its figure followed from."""
        group = self.house.of("shop").outward["stock"]
        uid = self.uid(item)
        with self.house.registry.read() as tx:
            view = views(self.house, tx, "shop", group, [uid], self.now())[uid]
        assert view.publish == sum(Decimal(row["publish"]) for row in view.values["stocks"])
        return str(view.publish), view.policy["stock"][0]

    def promised(self, item: str) -> list[int]:
        """Units that are promised of an item, row by row."""
        with self.house.registry.read() as tx:
            return [int(row.quantity) for row in promises(tx, [self.uid(item)])]

    def orders(self) -> list[str]:
        """The records of all orders."""
        with self.house.registry.read() as tx:
            return [one.uid for one in records_where(tx, "order")]

    def uid(self, item: str) -> str:
        """The record of an item."""
        with self.house.registry.read() as tx:
            return next(one.uid for one in records_where(tx, "variant") if one.values["sku"] == item)


Rooms = Callable[..., Stockroom]
"""What makes a stockroom, given what `stockroom` is."""


@contextmanager
def stockroom(
    folder: Path, url: str, monkeypatch: Any, *, kind: str = "on_hand", sources: str = "", pos: str = "",
    items: Sequence[Mapping[str, Any]] = ({"code": "K"},), store: Mapping[str, Any] | None = None,
    erp_receives: str = "",
) -> Iterator[Stockroom]:
    """A stockroom whose ERP's figures are of this kind, with ten kettles in the warehouse."""
    files = {**FILES, **{
        f"mappings/room_{name}/{resource}.yaml": text.format(name=name)
        for resource, text in (("orders", ORDER), ("locations", PLACES), ("items", ITEMS))
        for name in ("erp", "shop", "till") if resource == "orders" or name != "erp"
    }}
    files["mappings/room_erp/stock.yaml"] = files["mappings/room_erp/stock.yaml"].replace("KIND", kind)
    said = sources or f"{{figure: {kind}, restocks: source}}"
    till = pos or "{posts_to_erp: per_receipt}"
    files["policies/stock.yaml"] = f"sources: {{erp: {said}}}\npos: {{till: {till}}}\n" \
                                   "shop: {locations: [wh, st], share: 1}\n"
    if erp_receives:
        files["channels.yaml"] = files["channels.yaml"].replace("erp:\n  {", f"erp:\n  {{{erp_receives}")
        files["mappings/room_erp/orders.yaml"] += "outward: {entity: order, fields: {number: number}}\n"
        files["platforms/room_erp.yaml"] = files["platforms/room_erp.yaml"].replace(
            "orders: {path: /orders,", "orders: {create: POST /orders, path: /orders,")
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("SERAI_REGISTRY", url)
    house = open_house(folder)
    room = Stockroom(house=house, began=house.registry.now() - timedelta(minutes=5))
    try:
        room.take("erp", "locations", {"code": "wh"}, {"code": "st", **(store or {})},
                  {"code": "fba", "held_by": "channel"})
        for channel in ("shop", "till"):
            room.take(channel, "locations", *({"code": code} for code in ("wh", "st", "fba")))
        for item in items:
            room.take("erp", "items", item)
            if not item.get("parts"):
                room.figure(item["code"], 10)
            for channel in ("shop", "till"):
                room.take(channel, "items", {"code": item["code"]})
        yield room
    finally:
        house.close()
