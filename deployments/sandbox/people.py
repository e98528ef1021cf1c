"""What people do in the simulated systems: shoppers, cashiers, warehouse staff; a small typed client over HTTP.

What surprises here: these are the sandbox's own doors, not the systems' APIs; Serai never uses them.
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import msgspec

Doc = dict[str, Any]
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Refusal(Exception):
    """The system did not let a person do it; ``code`` says why: sold_out, not_sold, short, closed, not_found, …"""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Placed:
    """An order that was placed: the channel's id of it, its number, its total in the channel's currency."""

    id: str
    number: str
    total: Decimal


@dataclass(frozen=True, slots=True)
class Sent:
    """A shipment: its number in the ERP and the carrier's tracking number (None: collected in the store)."""

    number: str
    tracking: str | None


@dataclass(frozen=True, slots=True)
class People:
    """The people around a sandbox at ``url`` (without a system's prefix). Every act raises Refusal when turned down.

    ``elsewhere``: the addresses of systems that a simulator of their own plays. ``desk``: the system at which the
    stores take back what was bought online.
    """

    url: str
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    desk: str = "pos"

    # -- shoppers

    def buy_in_shop(
        self, lines: Mapping[str, int], *, email: str, name: str, phone: str | None = None, guest: bool = False,
        shop: str = "shop", **how: Any,
    ) -> Placed:
        """A shopper orders {sku: quantity}; the shop's own figures fall. sold_out when it shows too little.

        ``how``: pay, gift_card, coupon, pickup, address, sign_within, cash_fee, tax_rate; see ``shop_orders.order``.
        """
        doc = self._act(shop, "order", lines=_lines(lines), email=email, name=name, phone=phone, guest=guest, **how)
        return _placed(doc)

    def buy_on_market(
        self, lines: Mapping[str, int], *, name: str, phone: str | None = None, email: str | None = None,
        accept_within: float | None = None, warehouse: str | None = None, market: str = "market", **how: Any,
    ) -> Placed:
        """Somebody orders on a marketplace; the listings' own figures fall. sold_out when one shows too little.

        ``accept_within``: seconds in which the seller must answer; until then the listing keeps its figure.
        ``warehouse``: bought from the marketplace's own, which sends it itself. ``how``: on Amazon also pending.
        """
        doc = self._act(market, "order", lines=_lines(lines), name=name, phone=phone, email=email,
                        accept_within=accept_within, warehouse=warehouse, **how)
        return _placed(doc)

    def pay_on_amazon(self, id: str) -> None:
        """The payment of a pending order went through."""
        self._act("amazon", "pay", id=id)

    def order_state(self, system: str, id: str) -> Doc:
        """How an order stands: in a shop status and tenders with what went back, elsewhere state, buyer, reason."""
        return self._act(system, "order_state", id=id)

    def cancel_in_shop(self, id: str) -> None:
        """A shopper cancels an order that was not sent."""
        self._act("shop", "cancel", id=id)

    def cancel_on_market(self, id: str, *, market: str = "market") -> None:
        """A buyer cancels an order that was not sent."""
        self._act(market, "cancel", id=id)

    def sign(self, id: str) -> None:
        """The buyer of an order by instalments signs at the bank."""
        self._act("shop", "sign", id=id)

    def pay_courier(self, id: str) -> None:
        """The courier hands in the cash that an order's buyer paid at the door."""
        self._act("shop", "collect_cash", id=id)

    def expire(self, system: str) -> int:
        """The clock of the shop or the marketplace strikes: what nobody answered or signed in time ends; how many."""
        return int(self._act(system, "expire")["expired"])

    def send_from_market(self, id: str, *, market: str = "market") -> None:
        """The marketplace sends an order from its own warehouse."""
        self._act(market, "send_own", id=id)

    def store_at_market(self, sku: str, delta: int, *, warehouse: str = "MKT-ALM") -> None:
        """Goods of the seller arrive in (or leave) the marketplace's own warehouse."""
        self._act("market", "store", sku=sku, delta=delta, warehouse=warehouse)

    def edit_phone(self, system: str, id: str, phone: str) -> None:
        """A customer's phone number changes in the shop or the CRM (``system``)."""
        self._act(system, "edit_phone", id=id, phone=phone)

    # -- stores

    def sell_at_till(
        self, store: str, lines: Mapping[str, int], *, tender: str = "CARD", phone: str | None = None
    ) -> Placed:
        """A till of the store (its location code) sells what lies on the counter; the receipt is final."""
        doc = self._act("pos", "sell", store=store, lines=_lines(lines), tender=tender, phone=phone)
        return Placed(doc["id"], doc["id"], Decimal(doc["total"]))

    def set_aside(self, store: str, number: str, desk: str) -> None:
        """Somebody in the store has the goods of an order to be collected; its till tells the desk (an address)."""
        self._act("pos", "pickup", store=store, number=number, desk=desk)

    def cut_off(self, store: str) -> None:
        """The tills of a store lose their line; they sell on, and nobody sees what."""
        self._act("pos", "cut_off", store=store)

    def back_online(self, store: str) -> str:
        """The line is there again: the shift and its receipts are posted; the shift's number."""
        return str(self._act("pos", "back_online", store=store)["id"])

    def post_shift(self, store: str, number: str) -> str:
        """The tills' own link enters a closed shift of theirs into the ERP, as one sale; its number there."""
        shift = self.look("pos", "shifts", number)
        sold: dict[str, tuple[Decimal, Decimal]] = {}
        for id in shift["receipts"]:
            for row in self.look("pos", "receipts", id)["rows"]:
                units, total = sold.get(row["sku"], (Decimal(0), Decimal(0)))
                sold[row["sku"]] = units + Decimal(str(row["qty"])), total + Decimal(str(row["sum"]))
        since, until = (datetime.fromtimestamp(shift[at], UTC).isoformat() for at in ("opened", "closed"))
        sale = self._act(
            "erp", "post_shift", store=store,
            shift={"number": number, "register": str(shift["till"]), "since": since, "until": until,
                   "receipts": shift["receipts"]},
            lines=[{"item": sku, "quantity": str(units), "sum": str(total)} for sku, (units, total) in sold.items()],
        )  # fmt: skip
        return str(sale["number"])

    def bring_back(self, store: str, number: str, lines: Mapping[str, int], *, to: str = "QUARANTINE") -> Decimal:
        """Somebody brings {line of an online order, or its SKU: quantity} to a store's desk; what was paid back.

        unknown_order when the desk was not told that the order may be brought there.
        """
        rows = [{"line": line, "quantity": quantity, "to": to} for line, quantity in lines.items()]
        return Decimal(self._act(self.desk, "bring_back", store=store, number=number, lines=rows)["total"])

    def bring_to_till(self, store: str, receipt: str, lines: Mapping[str, int]) -> Decimal:
        """Somebody brings {SKU: quantity} of a receipt back to the till that sold it; what was paid back."""
        rows = [{"line": sku, "quantity": quantity, "to": "SHELF"} for sku, quantity in lines.items()]
        return Decimal(self._act("pos", "bring_back", store=store, receipt=receipt, lines=rows)["total"])

    def exchange(
        self, store: str, back: Mapping[str, int], lines: Mapping[str, int], *, number: str | None = None,
        receipt: str | None = None, tender: str = "CARD",
    ) -> Doc:
        """Somebody gives {line: quantity} of an online order (its number) or a receipt back for {sku: quantity}."""
        rows = [{"line": line, "quantity": quantity} for line, quantity in back.items()]
        which = {"number": number} if number is not None else {"receipt": receipt}
        return self._act("pos", "exchange", store=store, back=rows, lines=_lines(lines), tender=tender, **which)

    # -- staff at the ERP

    def reprice(self, groups: Sequence[str], amount: Decimal | str, *, most: int) -> Sequence[str]:
        """A clerk types one price for every item of some groups (at most ``most``); the items."""
        found: Sequence[str] = self._act("erp", "reprice", groups=groups, amount=str(amount), most=most)["items"]
        return found

    def sale(self, source_number: str, *, erp: str = "erp") -> Doc | None:
        """The sale in the ERP of an order's number in its channel; None: it has none."""
        try:
            return self._act(erp, "sale", source_number=source_number)
        except Refusal:
            return None

    def shown(self, system: str, sku: str) -> int:
        """What a selling channel shows of an article now."""
        figures = [entry["now"] for entry in self.books(system) if entry["kind"] == "shown" and entry["sku"] == sku]
        return int(figures[-1]) if figures else 0

    def set_price(self, item: str, amount: Decimal | str, *, price_list: str = "retail") -> None:
        """The price of an item in a list of the ERP changes."""
        self._act("erp", "set_price", item=item, list=price_list, amount=str(amount))

    def price(self, item: str, *, price_list: str = "retail") -> Decimal:
        """What an item costs in a list of the ERP."""
        return Decimal(self._act("erp", "price", item=item, list=price_list)["amount"])

    def on_hand(self, item: str, location: str) -> Decimal:
        """What lies of an item in a location, by the ERP."""
        return Decimal(self._act("erp", "on_hand", item=item, location=location)["on_hand"])

    def enter(self, item: str, *, product: str, title: str, price: str, cost: str) -> None:
        """A clerk enters an article of a new product, sold by the piece at the usual tax, with its price."""
        self._act("erp", "enter", product=product, title=title, item=item, name=title, uom="PCE", vat="S", cost=cost,
                  price=price, currency="KZT", list="retail")

    def rename_item(self, item: str, name: str) -> None:
        """An item of the ERP gets another name."""
        self._act("erp", "rename", item=item, name=name)

    def count_stock(self, item: str, location: str, on_hand: int) -> None:
        """A shelf was counted: the ERP posts the difference."""
        self._act("erp", "count", item=item, location=location, on_hand=on_hand)

    def receive_goods(self, item: str, location: str, quantity: int) -> None:
        """Goods came in: the ERP posts them."""
        self._act("erp", "count", item=item, location=location, delta=quantity)

    def order_goods(self, item: str, location: str, quantity: int, on: str, *, delivery: str = "PO-1") -> None:
        """Goods are ordered from a supplier, expected in a location on a day."""
        self._act("erp", "order_goods", item=item, location=location, quantity=quantity, on=on, delivery=delivery)

    def unpack(self, item: str, location: str, quantity: int, *, delivery: str = "PO-1") -> None:
        """A delivery that was expected is here."""
        self._act("erp", "count", item=item, location=location, delta=quantity, delivery=delivery)

    def pick(
        self, *, order: str | None = None, source_number: str | None = None, lines: Mapping[str, int] | None = None,
        erp: str = "erp",
    ) -> None:
        """Staff put goods of a sale aside: ``lines`` of its own references, else all. short, too_many, closed."""
        which: Doc = {"order": order} if order is not None else {"source_number": source_number}
        self._act(erp, "pick", **which, **({} if lines is None else {"lines": dict(lines)}))

    def ship(
        self, *, order: str | None = None, source_number: str | None = None, collected: bool = False, erp: str = "erp"
    ) -> Sent:
        """Staff send a sale, meant by its ERP number or its number in the channel. short when goods are missing.

        ``collected``: they hand it over in the store.
        """
        which: Doc = {"order": order} if order is not None else {"source_number": source_number}
        doc = self._act(erp, "ship", **which, collected=collected)
        return Sent(doc["number"], doc["tracking"])

    def deliver(self, shipment: str) -> None:
        """The carrier reports a shipment of the ERP as delivered."""
        self._act("erp", "deliver", shipment=shipment)

    def cancel_sale(
        self, order: str | None = None, *, source_number: str | None = None, reason: str | None = None, erp: str = "erp"
    ) -> None:
        """Staff cancel a sale that was not sent, meant by its ERP number or its number in the channel, and why."""
        which: Doc = {"order": order} if order is not None else {"source_number": source_number}
        self._act(erp, "cancel", **which, reason=reason)

    # -- staff at the marketplace

    def list_by_hand(self, sku: str, title: str, price: Decimal | str, available: int) -> None:
        """Somebody types a listing into the marketplace, for a SKU that the ERP may not know."""
        self._act("market", "list_by_hand", sku=sku, title=title, price=str(price), available=available)

    def refund_on_market(self, id: str, lines: Mapping[str, int]) -> None:
        """A buyer sends {item: quantity} of an order back to the marketplace, and gets the money from it."""
        self._act("market", "refund", id=id, lines=dict(lines))

    def settle(self, *, market: str = "market", **how: Any) -> Doc:
        """The marketplace pays out what was sent or came back since its last report; ``how``: `market_money.settle`."""
        return self._act(market, "settle", **how)

    # -- anything by hand

    def edit(self, system: str, resource: str, id: str, changes: Doc) -> Doc:
        """A person changes a row of a system by hand."""
        return self._act(system, "edit", resource=resource, id=id, changes=changes)

    def add(self, system: str, resource: str, doc: Doc) -> Doc:
        """A person enters a row into a system by hand."""
        return self._act(system, "add", resource=resource, doc=doc)

    def look(self, system: str, resource: str, id: str) -> Doc:
        """A person looks a row up; not_found when there is none."""
        return self._act(system, "look", resource=resource, id=id)

    def remove(self, system: str, resource: str, id: str) -> None:
        """A person deletes (or archives) a row by hand."""
        self._act(system, "remove", resource=resource, id=id)

    # -- the sandbox itself

    def fetches(self, url: str, *, every: float) -> None:
        """The marketplace that takes a price list fetches it there, every so many seconds."""
        self._call("POST", "pricelist", "_control", {"fetch": {"url": url, "every": every}})

    def temper(self, system: str, fault: str, **how: Any) -> None:
        """The system falls into an ill temper; faults.py lists them and their keys."""
        self._call("POST", system, "_control", {"fault": fault, **how})

    def limit(self, system: str, limit: Mapping[str, Any] | None) -> None:
        """The system allows so many requests from now on ({rate, burst}), or as many as come (None)."""
        self._call("POST", system, "_control", {"limit": limit})

    def calm(self, system: str) -> None:
        """All ill tempers of the system end."""
        self._call("POST", system, "_control", {"clear": True})

    def books(self, system: str, after: int = 0) -> Sequence[Doc]:
        """The system's journal from entry ``after`` + 1 on; books.py lists the kinds."""
        found: Sequence[Doc] = self._call("GET", system, f"_books?after={after}", None)
        return found

    def notices_sent(self, system: str, timeout: float = 10.0) -> bool:
        """Waits until the system has no notice under way; False: not within the time."""
        return bool(self._call("GET", system, f"_settled?timeout={timeout}", None)["settled"])

    def _act(self, system: str, verb: str, **ask: Any) -> Doc:
        done: Doc = self._call("POST", system, f"_act/{verb}", ask)
        return done

    def _call(self, method: str, system: str, door: str, body: Any) -> Any:
        parts = urlsplit(self.elsewhere.get(system, f"{self.url}/{system}"))
        connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=30)
        try:
            data = None if body is None else _encode(body)
            connection.request(method, f"{parts.path}/{door}", body=data, headers={"Content-Type": "application/json"})
            answer = connection.getresponse()
            found = _decode(answer.read())
        finally:
            connection.close()
        if answer.status >= 300:
            raise Refusal(answer.status, found["error"]["code"], found["error"]["message"])
        return found


def _placed(doc: Doc) -> Placed:
    return Placed(doc["id"], doc["number"], Decimal(str(doc["total"])))


def _lines(lines: Mapping[str, int]) -> list[Doc]:
    return [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()]
