"""One order as it really is in a shop and a store, in whole units and minor units, and the documents made of it.

What surprises here: the world keeps its own books, apart from the rules that are tested.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

Doc = dict[str, Any]


def cash(minor: int) -> dict[str, str]:
    return {"amount": f"{Decimal(minor).scaleb(-2):f}", "currency": "EUR"}


def units(n: int) -> dict[str, str]:
    return {"value": str(n), "unit": "each", "kind": "ordered"}


@dataclass
class Line:
    """A line in the world: ``total`` in minor units for all ``ordered`` units."""

    ordered: int
    total: int
    cancelled: int = 0
    shipped: int = 0
    returned: int = 0
    restocked: int = 0

    @property
    def open(self) -> int:
        return self.ordered - self.cancelled - self.shipped

    def share(self, n: int) -> int:
        """What the first n units cost, half up."""
        return (2 * self.total * n + self.ordered) // (2 * self.ordered)

    @property
    def kept(self) -> int:
        return self.share(self.ordered - self.cancelled - self.returned)


@dataclass
class World:
    """One order, as it really is, and the documents that were made of it."""

    dice: Random
    till: bool = False
    lines: dict[str, Line] = field(default_factory=dict)
    shipping: int = 0
    tenders: dict[str, dict[str, int]] = field(default_factory=dict)
    version: int = 0
    shipments: list[Doc] = field(default_factory=list)
    returns: list[Doc] = field(default_factory=list)
    mail: list[tuple[str, str, int, Doc]] = field(default_factory=list)
    acts: Counter[str] = field(default_factory=Counter)
    exchanges: list[Doc] = field(default_factory=list)
    credited: int = 0
    reports: list[list[Doc]] = field(default_factory=list)
    fees: int = 0
    mistakes: int = 0

    def begin(self) -> None:
        """Somebody buys: one to four lines, paid by card, or by gift card and card."""
        for n in range(self.dice.randint(1, 4)):
            self.lines[f"L{n}"] = Line(self.dice.randint(1, 5), self.dice.randint(0, 9_999))
        self.shipping = 0 if self.till else self.dice.choice((0, 499))
        if self.till:
            for line in self.lines.values():
                line.shipped = line.ordered
        gift = self.dice.choice((0, self.total // 3))
        if gift:
            self.tenders["gift"] = {"amount": gift, "captured": gift, "refunded": 0}
        self.tenders["card"] = {"amount": self.total - gift, "captured": self.total - gift, "refunded": 0}
        self.tell()

    @property
    def total(self) -> int:
        return sum(line.total for line in self.lines.values()) + self.shipping

    @property
    def worth(self) -> int:
        if all(line.cancelled == line.ordered for line in self.lines.values()):
            return 0
        return sum(line.kept for line in self.lines.values()) + self.shipping

    @property
    def paid(self) -> int:
        return self.captured - self.refunded - self.credited

    @property
    def captured(self) -> int:
        return sum(row["captured"] for row in self.tenders.values())

    @property
    def refunded(self) -> int:
        return sum(row["refunded"] for row in self.tenders.values())

    def order(self) -> Doc:
        """The order's document now. Its counts and tenders are the platform's; shipments and returns come apart."""
        gone = all(line.open == 0 for line in self.lines.values()) and any(line.shipped for line in self.lines.values())
        dead = all(line.cancelled == line.ordered for line in self.lines.values())
        return {
            "number": "#1001", "status": "delivered" if self.till else "cancelled" if dead else
            "shipped" if gone else "confirmed" if any(line.shipped for line in self.lines.values()) else "open",
            "handed_over": self.till or None,
            "lines": [
                {"key": key, "quantity": units(line.ordered), "total": cash(line.total),
                 **({"cancelled": units(line.cancelled)} if line.cancelled else {})}
                for key, line in self.lines.items()
            ],
            "shipping": cash(self.shipping), "total": cash(self.total),
            "tenders": [
                {"key": key, "kind": "gift_card" if key == "gift" else "card", "amount": cash(row["amount"]),
                 "captured": cash(row["captured"]), "refunded": cash(row["refunded"]),
                 "state": "captured" if row["refunded"] == 0 else
                 "refunded" if row["refunded"] == row["captured"] else "part_refunded"}
                for key, row in self.tenders.items()
            ],
        }  # fmt: skip

    def tell(self) -> None:
        self.version += 1
        self.mail.append(("order", "O", self.version, self.order()))

    def back(self, kind: str, rows: list[Doc], price: int | None = None) -> None:
        """Money that is owed to the buyer goes back, the last tender first; the document says to which. Before that it
        pays for goods of this ``price`` that are taken in exchange."""
        owed = self.paid - self.worth
        refunds: list[Doc] = []
        if price is not None:
            part = min(owed, price)
            refunds.append({"key": "0", "tender": None, "amount": cash(part)})
            self.credited += part
            owed -= part
            self.take_home(price, part)
        for key in reversed(list(self.tenders)):
            row = self.tenders[key]
            part = min(owed, row["captured"] - row["refunded"])
            if part > 0:
                row["refunded"] += part
                owed -= part
                refunds.append({"key": str(len(refunds)), "tender": key, "amount": cash(part)})
        assert owed <= 0, "the world gives back no more than it took"
        if rows or refunds:
            name = f"R{len(self.returns)}"
            doc = {"number": name, "kind": kind, "refunds": refunds, "lines": rows}
            if price is not None:
                doc |= {"order": "O", "exchange": self.exchanges[-1]["number"]}
            self.returns.append(doc)
            self.mail.append(("return", name, 1, doc))

    def take_home(self, price: int, paid: int) -> None:
        """An order of goods taken in exchange: what came back pays so much of it, the rest is tendered."""
        tenders = [{"key": "1", "kind": "exchange", "amount": cash(paid), "state": "captured"}]
        if price > paid:
            tenders.append({"key": "2", "kind": "cash", "amount": cash(price - paid), "state": "captured"})
        doc = {"number": f"X{len(self.exchanges)}", "status": "delivered", "handed_over": True, "exchange_of": "O",
               "lines": [{"key": "1", "quantity": units(1), "total": cash(price)}], "total": cash(price),
               "tenders": tenders}
        self.exchanges.append(doc)
        self.mail.append(("exchange", str(doc["number"]), 1, doc))

    # acts ------------------------------------------------------------------------------------------------------------

    def ship(self) -> bool:
        rows = []
        for key, line in self.lines.items():
            n = self.dice.randint(0, line.open)
            if n:
                line.shipped += n
                rows.append({"key": key, "line": key, "quantity": units(n)})
        if rows:
            name = f"S{len(self.shipments)}"
            doc = {"number": name, "lines": rows}
            self.shipments.append(doc)
            self.mail.append(("shipment", name, 1, doc))
        return bool(rows)

    def cancel(self) -> bool:
        key = self.dice.choice(list(self.lines))
        line = self.lines[key]
        if line.open == 0:
            return False
        line.cancelled += self.dice.randint(1, line.open)
        self.back("refund", [])
        return True

    def exchange(self) -> bool:
        return self.bring(True, price=self.dice.randint(0, 9_999))

    def settle(self) -> bool:
        """The channel pays out what it collected since its last report, less its fee and what it gave back; now and
        then it is mistaken."""
        if self.till:
            return False
        told = {kind: sum(int(Decimal(line["amount"]["amount"]) * 100) for lines in self.reports for line in lines
                          if line["kind"] == kind) for kind in ("sale", "refund")}
        fee, mistake = self.dice.randint(0, 300), self.dice.choice((0,) * 9 + (-1, 1, 250))
        lines = [("sale", self.captured - told["sale"]), ("fee", -fee), ("refund", -self.refunded - told["refund"]),
                 ("adjustment", mistake)]
        self.fees, self.mistakes = self.fees + fee, self.mistakes + mistake
        report = [{"key": str(n), "kind": kind, "name": None, "amount": cash(minor)}
                  for n, (kind, minor) in enumerate(lines)]
        self.reports.append(report)
        paid = {"key": "p", "kind": "payout", "amount": cash(sum(minor for _, minor in lines))}
        self.mail.append(("settlement", f"T{len(self.reports)}", 1, {"lines": [*report, paid]}))
        return True

    def bring(self, restock: bool, money: bool = True, price: int | None = None) -> bool:
        rows = []
        for key, line in self.lines.items():
            n = self.dice.randint(0, line.shipped - line.returned)
            if n:
                line.returned += n
                line.restocked += n if restock else 0
                rows.append({"key": key, "line": key, "quantity": units(n), "restock": restock,
                             "condition": "sellable" if restock else "quarantine"})
        if rows and money:
            self.back("return" if price is None else "exchange", rows, price)
        elif rows:  # money goes back later, in a document of its own
            name = f"R{len(self.returns)}"
            doc = {"number": name, "kind": "return", "lines": rows}
            self.returns.append(doc)
            self.mail.append(("return", name, 1, doc))
            self.tell()
            self.back("refund", [])
        return bool(rows)

    def edit(self) -> bool:
        """More or fewer units, another price, a line more, a line less; who owes the difference settles it at once."""
        key = self.dice.choice(list(self.lines))
        line, what = self.lines[key], self.dice.choice(("quantity", "price", "add", "remove"))
        if self.till or (line.returned and what in ("quantity", "price")):
            return False
        if what == "quantity":
            n = self.dice.randint(max(1, line.cancelled + line.shipped), line.ordered + 2)
            if n == line.ordered:
                return False
            line.ordered = n
        elif what == "price":
            line.total += self.dice.choice((-1, 1)) * min(line.total, self.dice.randint(1, 500))
        elif what == "add":
            added = Line(self.dice.randint(1, 3), self.dice.randint(1, 999))
            self.lines[f"L{len(self.lines) + 10 * self.version}"] = added
        elif len(self.lines) > 1 and line.shipped == line.cancelled == 0:
            del self.lines[key]
        else:
            return False
        owed = self.worth - self.paid
        if owed > 0:
            name = f"card-{self.version}"
            self.tenders[name] = {"amount": 0, "captured": owed, "refunded": 0}
        apart = self.total - sum(row["amount"] for row in self.tenders.values())
        for row in reversed(list(self.tenders.values())):   # what each tender pays of the total now
            part = max(apart, -row["amount"])
            row["amount"] += part
            apart -= part
        self.back("refund", [])
        return True


ACTS = {
    "partial ship": 4, "cancel line": 2, "refund and restock": 2, "refund without restock": 1, "return": 1, "edit": 2,
    "exchange": 1, "settlement": 1,
}


def live(dice: Random) -> World:
    """A history: up to twelve acts on one order, a third of them rung up at a till whose shift is posted late."""
    world = World(dice=dice, till=dice.random() < 0.3)
    world.begin()
    for act in dice.choices(list(ACTS), list(ACTS.values()), k=dice.randint(1, 12)):
        done = (
            world.ship() if act == "partial ship" else world.cancel() if act == "cancel line"
            else world.edit() if act == "edit" else world.exchange() if act == "exchange"
            else world.settle() if act == "settlement"
            else world.bring(act != "refund without restock", money=act != "return")
        )
        if done:
            world.acts[act] += 1
            world.tell()
    if world.till:
        world.acts["late shift"] += 1
    if world.reports:
        world.settle()
    return world
