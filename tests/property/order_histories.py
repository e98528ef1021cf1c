"""Random histories of orders: what happens in a shop and a store, told late, twice and in any order.

The world here keeps its own books in whole units and minor units, apart from the rules that are tested. It makes
documents; they arrive shuffled, repeated and stale. In the end the rules' ledgers, made of the documents alone, must
equal the world's books: every unit in one place, every minor unit of money where it is, in the orders that goods were
exchanged for and in what the channel paid out too.

``python -m tests.property.order_histories 10000`` plays so many and says what happened in them.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

from mappings.commerce.orders.balance import imbalance
from mappings.commerce.orders.edits import changes
from mappings.commerce.orders.merging import settled
from mappings.commerce.orders.quantities import of_order, over_handed, over_returned, restocked
from mappings.commerce.orders.refunds import (
    credit,
    exchange_apart,
    money_ledger,
    over_refunded,
    refunded_by_tender,
)
from mappings.commerce.orders.settlement import difference, outstanding, reported, unsettled, wrong

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


@dataclass
class Serai:
    """What is known of the order from the documents alone, by the rules alone."""

    order: Doc | None = None
    first: Doc = field(default_factory=dict)
    version: int = 0
    shipments: dict[str, Doc] = field(default_factory=dict)
    returns: dict[str, Doc] = field(default_factory=dict)
    parked: list[tuple[str, str, int, Doc]] = field(default_factory=list)
    fate: Counter[str] = field(default_factory=Counter)
    edited: list[Any] = field(default_factory=list)
    exchanges: dict[str, Doc] = field(default_factory=dict)
    reports: dict[str, Doc] = field(default_factory=dict)

    @property
    def lines(self) -> list[Doc]:
        """What the reports say of the order."""
        return [line for doc in self.reports.values() for line in doc["lines"] if line["kind"] != "payout"]

    def take(self, message: tuple[str, str, int, Doc]) -> None:
        """One document: applied, no-op (late or repeated), or parked."""
        kind, id, version, doc = message
        if kind == "order":
            if version <= self.version:
                self.fate["late or repeated"] += 1
                return
            assert imbalance(doc) is None, imbalance(doc)
            now = settled(doc, [doc], self.order)
            if self.order is not None:
                self.edited += changes(self.order, now)
            else:
                self.first = now
            self.order, self.version = reported(now, self.lines), version
            self.fate["applied"] += 1
            return
        if kind in ("exchange", "settlement"):
            whole = self.exchanges if kind == "exchange" else self.reports
            self.fate["late or repeated" if id in whole else "applied"] += 1
            assert (imbalance(doc) if kind == "exchange" else unsettled(doc)) is None
            whole[id] = doc
            if self.order is not None:
                self.order = reported(self.order, self.lines)
            return
        known = self.shipments if kind == "shipment" else self.returns
        if id in known:
            self.fate["late or repeated"] += 1
            return
        then = {**known, id: doc}
        shipments = list((then if kind == "shipment" else self.shipments).values())
        returns = list((then if kind == "return" else self.returns).values())
        if self.order is None or (over_handed(self.order, shipments) if kind == "shipment" else
                                  over_returned(self.order, shipments, returns) or over_refunded(self.order, returns)
                                  or exchange_apart(doc, self.exchanges.get(doc.get("exchange", "")))):
            self.parked.append(message)
            self.fate["parked"] += 1
            return
        known[id] = doc
        self.fate["applied"] += 1


def deliver(world: World, dice: Random) -> Serai:
    """Documents arrive: most in turn, some late, some twice; then what was parked is replayed, as a person does."""
    mail = [(n + dice.choice((0, 0, 0, 1, 3, 50)) * dice.random(), message) for n, message in enumerate(world.mail)]
    mail += [(at + dice.random() * 9, message) for at, message in mail if dice.random() < 0.25]
    seen = Serai()
    for _, message in sorted(mail, key=lambda one: one[0]):
        seen.take(message)
        if seen.order is not None:
            for line in of_order(seen.order, list(seen.shipments.values()), list(seen.returns.values())).values():
                assert line.ordered == line.cancelled + line.to_ship + line.handed_over
                assert line.handed_over == line.with_buyer + line.returned
                assert min(line.cancelled, line.to_ship, line.handed_over, line.with_buyer, line.returned) >= 0
    assert sum(seen.fate.values()) == len(mail)
    for _ in range(len(seen.parked)):
        again, seen.parked = seen.parked, []
        for message in again:
            seen.take(message)
        if not seen.parked:
            break
    return seen


def differences(world: World, seen: Serai) -> list[str]:
    """Where the ledgers and the world's books differ, each with figures; empty: zero difference."""
    if seen.order is None or seen.parked:
        return [f"{len(seen.parked)} documents are parked for ever, order known: {seen.order is not None}"]
    shipments, returns = list(seen.shipments.values()), list(seen.returns.values())
    found = []
    where, shelf = of_order(seen.order, shipments, returns), restocked(returns)
    if where.keys() != world.lines.keys():
        found.append(f"lines {sorted(where)} are {sorted(world.lines)}")
    for key, line in world.lines.items():
        now = where.get(key)
        if now is None:
            continue
        ours: Sequence[Any] = (
            now.ordered, now.cancelled, now.to_ship, now.handed_over, now.returned, shelf.get(key, Decimal(0))
        )
        theirs: Sequence[Any] = (line.ordered, line.cancelled, line.open, line.shipped, line.returned, line.restocked)
        if ours != theirs:
            found.append(f"{key}: ordered, cancelled, to ship, handed over, returned, restocked {ours} are {theirs}")
    money = money_ledger(seen.order, shipments, returns)
    books = (world.worth, world.captured, world.refunded + world.credited)
    if [amount * 100 for amount in (money.worth, money.captured, money.refunded)] != list(books):
        found.append(f"worth, captured, refunded {money.worth, money.captured, money.refunded} are {books}")
    if money.owed != 0:
        found.append(f"owed {money.owed}")
    back = refunded_by_tender(returns)
    for key, row in world.tenders.items():
        if back.get(key, Fraction(0)) * 100 != row["refunded"] or row["refunded"] > row["captured"]:
            found.append(f"tender {key}: {back.get(key)} went back, in the books {row}")
    found += exchanges_apart(world, seen, returns) + payout_apart(world, seen)
    ordered = Counter({row["key"]: units_of(row) for row in seen.first["lines"]})
    for edit in seen.edited:
        if edit.kind in ("line added", "line removed", "quantity"):
            ordered[str(edit.key)] += units_of(edit.after) - units_of(edit.before)
    if +ordered != Counter({key: line.ordered for key, line in world.lines.items()}):
        found.append(f"the edits lead to {dict(+ordered)} units")
    return found


def exchanges_apart(world: World, seen: Serai, returns: Sequence[Doc]) -> list[str]:
    """Where the orders of goods taken in exchange, or what paid them, differ from the books."""
    found = [f"order {number} owes {money_ledger(doc).owed}" for number, doc in seen.exchanges.items()
             if money_ledger(doc).owed != 0]
    if len(seen.exchanges) != len(world.exchanges) or sum(map(credit, returns)) * 100 != world.credited:
        found.append(f"{sum(map(credit, returns))} of exchanges are {world.credited} in {len(world.exchanges)} orders")
    return found


def payout_apart(world: World, seen: Serai) -> list[str]:
    """Where what the channel paid out differs from the books by anything but its own mistakes, which are named."""
    if not world.reports or seen.order is None:
        return []
    refunded = Fraction(world.refunded, 100)
    apart = difference(seen.order, seen.lines, refunded)
    fees = sum(Fraction(fee["amount"]["amount"]) for fee in seen.order["fees"])
    paid = Fraction(seen.order["payout"]["amount"])
    found = []
    if apart is None or Fraction(apart["amount"]) * 100 != world.mistakes:
        found.append(f"the payout is {apart} apart, the channel's mistakes are {world.mistakes}")
    if (wrong(seen.order, seen.lines, refunded) is None) != (world.mistakes == 0):
        found.append(f"mistakes of {world.mistakes}: {wrong(seen.order, seen.lines, refunded)}")
    if fees * 100 != world.fees or outstanding(seen.order, seen.lines, refunded) != 0:
        found.append(f"fees {fees} are {world.fees}, {outstanding(seen.order, seen.lines, refunded)} is outstanding")
    if paid * 100 != world.captured - world.refunded - world.fees + world.mistakes:
        found.append(f"{paid} paid out of {world.captured} − {world.refunded} − {world.fees} + {world.mistakes}")
    return found


def units_of(value: Any) -> int:
    """Units of a quantity, of a line, or of nothing."""
    if value is None:
        return 0
    return int(value["value"]) if "value" in value else int(value["quantity"]["value"])


def play(seed: int) -> tuple[World, Serai, list[str]]:
    """One history from its seed."""
    dice = Random(seed)
    world = live(dice)
    seen = deliver(world, dice)
    return world, seen, differences(world, seen)


def main(histories: int) -> int:
    acts, fates, wrong = Counter[str](), Counter[str](), 0
    for seed in range(histories):
        world, seen, found = play(seed)
        acts += world.acts
        fates += seen.fate
        if found:
            wrong += 1
            print(f"seed {seed}: " + "; ".join(found))
    print(f"{histories} histories, {wrong} with a difference")
    print("acts: " + ", ".join(f"{n} {act}" for act, n in acts.most_common()))
    print("documents: " + ", ".join(f"{n} {fate}" for fate, n in fates.most_common()))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
