"""What people do at the simulated tills: sell, take back what a till sold, sell on paper while the line is down.

What surprises here:

* A till is a screen of the server's: without a line it sells nothing. The store writes slips, and enters them as
  receipts when the line is back; then somebody counts the drawer, closes its session and posts what was sold.
* A receipt names no other. Who brings goods back has the receipt opened again: the goods stand on it a second time,
  less than nothing of them, and the money goes out of the drawer, whatever it came in by.
* A receipt knows no buyer: a telephone number that somebody leaves is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from deployments.sandbox.design import Refused
from deployments.sandbox.notation import Doc, epoch
from deployments.sandbox.tryton.database import Database
from deployments.sandbox.tryton.trade import (
    LINE,
    PAYMENT,
    SALE,
    SESSION,
    asked,
    close,
    post,
    process,
    rate_of,
    reopen,
    session_of,
    worth,
)

METHODS = {"CASH": "Cash", "CARD": "Card", "QR": "Card"}
"""How a buyer pays → what the till calls it."""


class Tills:
    """The stores' people at one database; ``slips``: what the stores without a line have sold on paper."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.slips: dict[int, list[Doc]] = {}

    # ── selling ──────────────────────────────────────────────────────────────────────────────────────────────────

    def sell(self, ask: Mapping[str, Any]) -> Doc:
        """A store sells: ``{store: code, lines: [{sku, quantity}], tender?}``; a slip while its line is down."""
        point = self._point(ask)
        rows = [self._rung_up(str(line["sku"]), int(line["quantity"])) for line in ask["lines"]]
        if point not in self.slips:
            return self._receipt(point, rows, str(ask.get("tender", "CARD")))
        slip = f"slip {len(self.slips[point]) + 1}"
        total = sum((row["unit_gross_price"] * row["quantity"] for row in rows), Decimal(0))
        self.slips[point].append({"rows": rows, "tender": str(ask.get("tender", "CARD"))})
        return {"id": slip, "number": slip, "total": total}

    def _rung_up(self, sku: str, quantity: int) -> Doc:
        found = self.db.search("product.product", [["code", "=", sku], ["salable", "=", True]])
        price = asked(self.db, found[0]) if found else None
        if price is None or quantity < 1:
            raise Refused(409, "not_sold", f"the tills cannot sell {quantity} of {sku}")
        return {"product": found[0], "quantity": quantity, "unit_gross_price": price[0], "unit_list_price": price[1]}

    def _receipt(self, point: int, rows: Sequence[Doc], tender: str) -> Doc:
        def work() -> int:
            sale = self.db.create(SALE, {"point": point, "date": self.db.now().date(), "lines": [["create", rows]]})
            self._pay(sale, tender, self.db.value(SALE, sale, "total"))
            process(self.db, [sale])
            return sale

        sale = self.db.transact(work)
        doc = self.db.get(SALE, sale)
        lines = [{"sku": self._sku(line), "quantity": str(int(line["quantity"])), "total": str(worth(line))}
                 for line in self.db.all(LINE, sale=sale)]  # fmt: skip
        total = self.db.value(SALE, sale, "total")
        self.db.books.enter(
            "sale", self.db.now(), id=doc["number"], store=self._code(point), total=str(total), currency="KZT",
            tenders=[{"kind": tender, "amount": str(total)}], lines=lines, sold_at=self._moment(sale).isoformat(),
            shift=None, why="people",
        )  # fmt: skip
        return {"id": doc["number"], "number": doc["number"], "total": total}

    def _pay(self, sale: int, tender: str, amount: Decimal) -> None:
        method = self.db.one("sale.point.payment.method", name=METHODS[tender])
        if method is None:
            raise Refused(409, "no_method", f"the tills take no {tender}")
        self.db.create(PAYMENT, {"sale": sale, "method": method["id"], "amount": amount})

    # ── coming back ──────────────────────────────────────────────────────────────────────────────────────────────

    def bring_back(self, ask: Mapping[str, Any]) -> Doc:
        """Goods of a receipt come back: ``{store, receipt: number, lines: [{line: sku, quantity}]}``; cash goes out.

        unknown_order for what no till sold: an order of a shop is taken back by the shop.
        """
        point, number = self._point(ask), ask.get("receipt")
        sale = None if number is None else self.db.one(SALE, point=point, number=str(number))
        if sale is None:
            raise Refused(404, "unknown_order", "the tills know their own receipts only")
        sold = {self._sku(line): line for line in self.db.all(LINE, sale=sale["id"]) if line["quantity"] > 0}
        back = [{"product": sold[str(one["line"])]["product"], "quantity": -int(one["quantity"]),
                 "unit_gross_price": sold[str(one["line"])]["unit_gross_price"],
                 "unit_list_price": sold[str(one["line"])]["unit_list_price"]} for one in ask["lines"]]  # fmt: skip

        def work() -> Decimal:
            reopen(self.db, [sale["id"]])
            for row in back:
                self.db.create(LINE, {**row, "sale": sale["id"]})
            due = self.db.value(SALE, sale["id"], "amount_to_pay")
            self._pay(sale["id"], "CASH", due)
            process(self.db, [sale["id"]])
            return -Decimal(due)

        total = self.db.transact(work)
        self.db.books.enter(
            "return", self.db.now(), id=f"{number}-back", number=str(number), store=self._code(point), total=str(total),
            lines=[{"sku": str(one["line"]), "quantity": str(one["quantity"]), "to": "SHELF",
                    "tax_rate": str(rate_of(self.db, sold[str(one["line"])]["product"]))} for one in ask["lines"]],
            payments=[{"kind": "CASH", "amount": str(total)}], why="people",
        )  # fmt: skip
        return {"id": f"{number}-back", "total": total}

    # ── the line to the server ───────────────────────────────────────────────────────────────────────────────────

    def cut_off(self, ask: Mapping[str, Any]) -> Doc:
        """The tills of a store lose their line: ``{store}``; it sells on, on paper."""
        self.slips.setdefault(self._point(ask), [])
        return {"ok": True}

    def back_online(self, ask: Mapping[str, Any]) -> Doc:
        """The line is there again: ``{store}``; the slips are entered, the drawer is counted, all of it is posted."""
        point = self._point(ask)
        session: int = self.db.transact(lambda: session_of(self.db, point))
        for slip in self.slips.pop(point, []):
            self._receipt(point, slip["rows"], slip["tender"])

        def work() -> None:
            held = self.db.value(SESSION, session, "start_amount") + self.db.value(SESSION, session, "balance")
            self.db.write(SESSION, [session], {"end_amount": held})
            close(self.db, [session])
            post(self.db, [doc["id"] for doc in self.db.all(SALE, point=point, state="done")])

        self.db.transact(work)
        return {"id": str(session)}

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────

    def look(self, ask: Mapping[str, Any]) -> Doc:
        """A row as people tell it: ``resource`` (receipts by number, shifts: sessions), ``id``."""
        if ask["resource"] == "shifts" and int(ask["id"]) in self.db.rows[SESSION]:
            row = self.db.rows[SESSION][int(ask["id"])]
            since = epoch(row.made)
            sold = self.db.all(SALE, point=row.doc["point"])
            own = [sale for sale in sold if epoch(self._moment(sale["id"])) >= since]
            name = self.db.get("sale.point", row.doc["point"])["name"]
            return {"id": str(row.doc["id"]), "till": name, "opened": since, "closed": epoch(row.at) + 1,
                    "receipts": [sale["number"] for sale in own]}  # fmt: skip
        sale = self.db.one(SALE, number=str(ask["id"])) if ask["resource"] == "receipts" else None
        if sale is None:
            raise Refused(404, "not_found", f"no {ask['resource']} {ask['id']}")
        return {"rows": [{"sku": self._sku(line), "qty": line["quantity"], "sum": str(worth(line))}
                         for line in self.db.all(LINE, sale=sale["id"])]}  # fmt: skip

    def _point(self, ask: Mapping[str, Any]) -> int:
        for doc in self.db.all("sale.point"):
            if self._code(doc["id"]) == ask["store"]:
                return int(doc["id"])
        raise Refused(404, "unknown_store", f"no store {ask['store']}")

    def _code(self, point: int) -> str:
        place = self.db.get("sale.point", point)["storage_location"]
        return str(self.db.get("stock.location", self.db.get("stock.location", place)["warehouse"])["code"])

    def _sku(self, line: Doc) -> str:
        return str(self.db.get("product.product", line["product"])["code"])

    def _moment(self, sale: int) -> datetime:
        return self.db.rows[SALE][sale].made


ACTS: Mapping[str, Callable[[Tills, Mapping[str, Any]], Doc]] = {
    "sell": Tills.sell, "bring_back": Tills.bring_back, "cut_off": Tills.cut_off, "back_online": Tills.back_online,
    "look": Tills.look,
}  # fmt: skip
