"""Random histories of orders: what happens in a shop and a store, told late, twice and in any order.

The world (order_world.py) keeps its own books and makes documents; they arrive shuffled, repeated and stale. In the
end the rules' ledgers, made of the documents alone, must equal the world's books: every unit in one place, every minor
unit of money where it is, in the orders that goods were exchanged for and in what the channel paid out too.

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
from tests.property.order_world import Doc, World, live


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
