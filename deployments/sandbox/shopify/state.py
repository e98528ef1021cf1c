"""What the simulated shop holds, and what happens in it: goods, stock per place, orders, customers, and its books.

What surprises here:

* Stock is kept per item and place as available and committed; an order moves pieces from one to the other, a shipment
  takes them away. Items that are not ``tracked`` and gift cards have no stock: they are sold without end.
* The search index is ``index_lag`` seconds behind: a filter on ``updated_at`` sees the stamp from before.
* An order is edited after it was placed (``currentQuantity``), and a refund changes neither its lines nor its total.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from deployments.sandbox.books import Books
from deployments.sandbox.design import Refused
from deployments.sandbox.notation import Doc, utc_seconds

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(kw_only=True, slots=True)
class Row:
    """A record, when it changed, and when it had changed before that."""

    doc: Doc
    at: datetime
    before: datetime | None = None


@dataclass(kw_only=True, slots=True)
class Stocked:
    """Pieces of an item at a place."""

    available: int = 0
    committed: int = 0
    at: datetime = EARLIEST
    before: datetime | None = None


@dataclass(kw_only=True)
class Shop:
    """One shop. ``announce(topic, record's id, moment)`` is told of every change but the seed's."""

    name: str
    books: Books
    currency: str = "KZT"
    tax_included: bool = True
    prefix: str = "#"
    """What stands before the number of an order; a merchant may want nothing there."""
    index_lag: float = 0.0
    wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    announce: Callable[[str, str, datetime], None] = lambda topic, id, at: None
    lost: Callable[[str], int | None] = lambda kind: None
    """Which page of a whole list of this kind is missing just now."""
    omitted: dict[str, frozenset[str]] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.RLock)
    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    levels: dict[tuple[str, str], Stocked] = field(default_factory=dict)
    family: dict[str, dict[str, None]] = field(default_factory=dict)
    """Product → its variants, the oldest first."""
    shelves: dict[str, dict[str, None]] = field(default_factory=dict)
    """Item → where it is kept."""
    hooks: list[Doc] = field(default_factory=list)
    prices: dict[tuple[str, str], Doc] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    opening: datetime | None = None
    """While set, the clock stands at this moment and nobody is told: the opening data is entered."""

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def now(self) -> datetime:
        """The shop's clock."""
        return self.wall() if self.opening is None else self.opening

    def number(self, kind: str) -> int:
        """The next number of a kind."""
        self.numbers[kind] = self.numbers.get(kind, 1000) + 1
        return self.numbers[kind]

    def gid(self, kind: str) -> str:
        """A new id of a kind."""
        return f"gid://shopify/{kind}/{self.number(kind)}"

    def table(self, kind: str) -> dict[str, Row]:
        """The records of a kind, by id."""
        return self.rows.setdefault(kind, {})

    def find(self, id: str) -> Doc | None:
        """The record, whatever its kind; None: there is none."""
        row = self.table(kind_of(id)).get(id)
        return None if row is None else row.doc

    def get(self, id: str) -> Doc:
        """The record; Refused 404 when there is none."""
        doc = self.find(id)
        if doc is None:
            raise Refused(404, "not_found", f"there is no {id}")
        return doc

    def of_sku(self, sku: str) -> Doc:
        """The variant of a SKU; Refused when there is none."""
        for row in self.table("ProductVariant").values():
            if row.doc["sku"] == sku:
                return row.doc
        raise Refused(422, "unknown_sku", f"nothing here has the SKU {sku}")

    def put(self, id: str, changes: Mapping[str, Any], topic: str | None = None) -> Doc:
        """Enters or changes a record; its stamp moves, and who has subscribed is told."""
        kind, moment = kind_of(id), self.now()
        row = self.table(kind).get(id)
        doc = {**({} if row is None else row.doc), **changes, "id": id, "__typename": kind, "updatedAt": stamp(moment)}
        self.table(kind)[id] = Row(doc=doc, at=moment, before=None if row is None else row.at)
        if topic is not None and self.opening is None:
            self.announce(topic, id, moment)
        return doc

    def touched(self, row: Row | Stocked) -> datetime | None:
        """The stamp as the search index has it; None: it has not heard of the record."""
        young = self.index_lag > 0 and self.now() - row.at < timedelta(seconds=self.index_lag)
        return row.before if young else row.at

    # ── goods ────────────────────────────────────────────────────────────────────────────────────────────────────

    def product(self, doc: Mapping[str, Any], *, id: str | None = None) -> Doc:
        """A product entered or changed; a new one has one variant of its own, as Shopify gives it."""
        fresh = id is None
        id = self.gid("Product") if id is None else id
        bare: Doc = {"descriptionHtml": "", "vendor": self.name, "productType": "", "status": "ACTIVE", "tags": [],
                     "isGiftCard": False, "onlineStoreUrl": None, "options": [{"name": "Title", "values": []}],
                     "files": []}  # fmt: skip
        given = {name: value for name, value in doc.items() if value is not None or name not in bare}
        known = {**bare, "handle": f"product-{id.rpartition('/')[2]}"} if fresh else {}
        self.put(id, {**known, **given}, "products/create" if fresh else "products/update")
        if fresh:
            self.variant(id, {"sku": None, "title": "Default Title", "selectedOptions": []}, standalone=True)
        return self.get(id)

    def variant(self, product: str, doc: Mapping[str, Any], *, id: str | None = None, standalone: bool = False) -> Doc:
        """A variant entered or changed, with its inventory item."""
        bare: Doc = {}
        if id is None:
            id, item = self.gid("ProductVariant"), self.gid("InventoryItem")
            self.put(item, {"variant": id, "tracked": bool(doc.get("tracked", True)), "unitCost": None})
            bare = {"barcode": None, "price": "0.00", "compareAtPrice": None, "taxable": True, "item": item,
                    "sku": None, "title": "Default Title", "selectedOptions": []}  # fmt: skip
        old = self.find(id)
        made = self.put(id, {**bare, **doc, "product": product, "standalone": standalone})
        self.family.setdefault(product, {})[id] = None
        if self.opening is None:
            self.announce("products/update", product, self.now())
        if made["sku"] is not None and (old is None or old["price"] != made["price"]):
            self.books.enter(
                "price", self.now(), sku=made["sku"], list=self.name, was=None if old is None else old["price"],
                now=made["price"], currency=self.currency, why="seed" if self.opening else "api",
            )  # fmt: skip
        return made

    def variants_of(self, product: str) -> list[Doc]:
        """The variants of a product, the oldest first."""
        return [doc for id in self.family.get(product, ()) if (doc := self.find(id)) is not None]

    def drop(self, id: str, topic: str | None = None) -> None:
        """Afterwards the record is gone without a trace."""
        self.table(kind_of(id)).pop(id, None)
        if topic is not None and self.opening is None:
            self.announce(topic, id, self.now())

    # ── stock ────────────────────────────────────────────────────────────────────────────────────────────────────

    def level(self, item: str, place: str) -> Stocked | None:
        """The stock of an item at a place; None: it is not kept there."""
        return self.levels.get((item, place))

    def stock(
        self,
        item: str,
        place: str,
        *,
        available: int = 0,
        committed: int = 0,
        why: str = "people",
        doc: str | None = None,
    ) -> Stocked:
        """Afterwards so many pieces more (or less) are available and committed there, and the books say why."""
        level = self.levels.setdefault((item, place), Stocked())
        self.shelves.setdefault(item, {})[place] = None
        was = level.available
        level.available, level.committed = level.available + available, level.committed + committed
        level.before, level.at = (None if level.at == EARLIEST else level.at), self.now()
        variant = self.find(str(self.get(item)["variant"]))
        if available != 0 and self.get(place).get("fulfillsOnlineOrders", True):
            self.books.enter(
                "shown", self.now(), sku=None if variant is None else variant["sku"], location=place, was=str(was),
                now=str(level.available), why=why, doc=doc,
            )  # fmt: skip
        if self.opening is None:
            self.announce("inventory_levels/update", f"{item}@{place}", self.now())
        return level

    def places_of(self, item: str) -> Iterator[str]:
        """Where an item is kept."""
        return iter(list(self.shelves.get(item, ())))


def kind_of(id: str) -> str:
    """The kind of record an id names."""
    return id.removeprefix("gid://shopify/").partition("/")[0]


def legacy(id: str) -> str:
    """The number in an id."""
    return id.rpartition("/")[2]


def stamp(moment: datetime) -> str:
    """UTC with Z, whole seconds, as Shopify writes moments."""
    return utc_seconds(moment)


def bag(amount: Decimal | str | int, currency: str) -> Doc:
    """An amount in the shop's and in the buyer's currency, which are the same here."""
    money = {"amount": str(Decimal(amount).quantize(Decimal("0.01"))), "currencyCode": currency}
    return {"shopMoney": dict(money), "presentmentMoney": dict(money)}


def total(bags: Sequence[Doc]) -> Decimal:
    """The sum of amounts."""
    return sum((Decimal(one["shopMoney"]["amount"]) for one in bags), Decimal(0))
