"""Says whether a trading day came out right, from the simulated systems' own books and from nothing else.

What surprises here: nothing is imported from Serai. The judge reads each system's journal (see
``deployments/sandbox/books.py``), replays it, and compares systems with each other; what Serai says of itself comes in
only as `claims`, to be compared with what the systems wrote down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

Entry = Mapping[str, Any]
Books = Mapping[str, Sequence[Entry]]
"""System (erp, crm, shop, pos, market) → its journal."""

SELLING = ("shop", "market")
RETAIL = ("retail", "market", "tills", "shop")
WAREHOUSE = "almaty-wh"
DEAD = {"cancelled", "CANCELLED"}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The day in figures. Every figure but ``agreed``, ``ledgers_balanced`` and ``seconds`` is right when it is 0.

    ``oversold``: units sold that were not there. ``wrong_prices_live``: prices on a channel that the ERP does not say.
    ``orders_lost`` / ``orders_twice``: orders of a channel that the ERP has not, or has more than once.
    ``writes_after_quiescence``: writes that changed something after everything agreed. ``money_difference``: what
    buyers paid against what the ERP booked, and units sold at another price than the ERP's, in KZT.
    """

    agreed: bool
    ledgers_balanced: bool
    oversold: int
    wrong_prices_live: int
    orders_lost: int
    orders_twice: int
    writes_after_quiescence: int
    money_difference: Decimal
    seconds: float
    disagreements: Sequence[str] = field(default_factory=tuple)

    @property
    def right(self) -> bool:
        """Whether the day came out right."""
        return self.agreed and self.ledgers_balanced and not any((
            self.oversold, self.wrong_prices_live, self.orders_lost, self.orders_twice, self.writes_after_quiescence,
            self.money_difference,
        ))

    def row(self) -> dict[str, Any]:
        """The verdict as plain JSON."""
        return {**asdict(self), "money_difference": str(self.money_difference), "right": self.right,
                "disagreements": list(self.disagreements)}


def judge(
    books: Books, *, began: Mapping[str, int], quiet: Mapping[str, int], seconds: float,
    claims: Sequence[tuple[str, str, int, int]] = (), unlisted: Iterable[str] = (),
) -> Verdict:
    """The verdict on a day.

    ``began`` and ``quiet`` give, per system, how many entries its journal had when the day began, and when everything
    was said to agree. ``claims`` are (system, what, Serai's count, the system's own count). ``unlisted`` are SKUs that
    a channel has and the ERP does not: nobody has authority over them.
    """
    said: list[str] = []
    aside = set(unlisted)
    prices = {system: _prices(books[system]) for system in ("erp", "shop", "market", "pos")}
    wrong = [
        f"{system} shows {sku} at {amount}, the ERP says {prices['erp'][sku]}"
        for system in ("shop", "market", "pos") for sku, amount in prices[system].items()
        if sku in prices["erp"] and sku not in aside and amount != prices["erp"][sku]
    ]
    said += wrong
    lost, twice, money = _orders(books, began, said)
    said += _shown(books, aside)
    said += _tracking(books, began)
    said += _people(books, began)
    unbalanced = [
        f"{system}: Serai counted {ours} {what}, its books have {theirs}" for system, what, ours, theirs in claims
        if ours != theirs
    ]
    oversold = _oversold(books, began, said)
    late = sum(
        1 for system, entries in books.items() for entry in entries
        if entry["n"] > quiet[system] and entry["kind"] == "write" and entry["changed"]
    )
    return Verdict(
        agreed=not said, ledgers_balanced=not unbalanced, oversold=oversold, wrong_prices_live=len(wrong),
        orders_lost=lost, orders_twice=twice, writes_after_quiescence=late,
        money_difference=money + _sold_wrong(books, began), seconds=round(seconds, 1),
        disagreements=tuple(said + unbalanced),
    )


def _prices(entries: Sequence[Entry]) -> dict[str, Decimal]:
    return {
        entry["sku"]: Decimal(entry["now"]) for entry in entries
        if entry["kind"] == "price" and entry["list"] in RETAIL and entry["now"] is not None
    }


def _placed(entries: Sequence[Entry], after: int) -> list[Entry]:
    """Orders and receipts that people made since the day began, without those that were cancelled."""
    gone = {entry["id"] for entry in entries if entry["kind"] == "change" and entry["now"] in DEAD}
    return [
        entry for entry in entries
        if entry["n"] > after and entry["kind"] in ("order", "sale")
        and entry.get("why") != "api" and entry["id"] not in gone
    ]


def _number(entry: Entry) -> str:
    return str(entry["number"] if entry["kind"] == "order" else entry["id"])


def _orders(books: Books, began: Mapping[str, int], said: list[str]) -> tuple[int, int, Decimal]:
    """Each order of a channel stands in the ERP once, with the total the buyer paid; and in the CRM."""
    gone = {entry["id"] for entry in books["erp"] if entry["kind"] == "change" and entry["now"] in DEAD}
    booked: dict[str, list[Entry]] = {}
    for entry in books["erp"]:
        if entry["kind"] == "order" and entry["number"] is not None and entry["id"] not in gone:
            booked.setdefault(str(entry["number"]), []).append(entry)
    known = Counter(str(entry["number"]) for entry in books["crm"] if entry["kind"] == "order")
    lost = twice = 0
    money = Decimal(0)
    for system in ("shop", "market", "pos"):
        for entry in _placed(books[system], 0 if system == "shop" else began[system]):
            number = _number(entry)
            there = booked.get(number, [])
            if not there:
                lost += 1
                said.append(f"the ERP has no order {number} of {system}")
            if len(there) > 1:
                twice += len(there) - 1
                said.append(f"the ERP has order {number} of {system} {len(there)} times")
            money += abs(sum((Decimal(one["total"]) for one in there), Decimal(0)) - Decimal(entry["total"]))
            if entry["n"] > began[system] and known[number] != 1:
                said.append(f"the CRM has order {number} of {system} {known[number]} times")
    return lost, twice, money


def _sold_wrong(books: Books, began: Mapping[str, int]) -> Decimal:
    """What was sold at another price than the ERP had in force some seconds before: the difference, times the units."""
    steps: dict[str, list[tuple[str, Decimal]]] = {}
    for entry in books["erp"]:
        if entry["kind"] == "price" and entry["list"] == "retail" and entry["now"] is not None:
            steps.setdefault(entry["sku"], []).append((entry["at"], Decimal(entry["now"])))
    total = Decimal(0)
    for system in SELLING:
        for entry in _placed(books[system], began[system]):
            for line in entry["lines"]:
                in_force = [amount for at, amount in steps.get(line["sku"], ()) if at <= entry["at"]]
                units = Decimal(line["quantity"])
                if in_force:
                    total += abs(Decimal(line["total"]) - in_force[-1] * units)
    return total


def _physical(books: Books) -> dict[str, Decimal]:
    """What lies in the warehouse, by the ERP's movements."""
    held: dict[str, Decimal] = {}
    for entry in books["erp"]:
        if entry["kind"] == "stock" and entry["location"] == WAREHOUSE:
            held[entry["sku"]] = held.get(entry["sku"], Decimal(0)) + Decimal(entry["delta"])
    return held


def _unshipped(books: Books, system: str) -> Counter[str]:
    """Units ordered on a channel and not yet taken from the warehouse, by SKU."""
    sent = {str(entry["number"]) for entry in books["erp"] if entry["kind"] == "shipment"}
    units: Counter[str] = Counter()
    for entry in _placed(books[system], 0):
        if _number(entry) not in sent and entry.get("state") not in ("SHIPPED", "COMPLETED", "SENT", "DELIVERED"):
            for line in entry["lines"]:
                units[line["sku"]] += int(Decimal(line["quantity"]))
    return units


def _shown(books: Books, aside: set[str]) -> list[str]:
    """All selling channels together show no more than lies there unpromised, and something where there is enough."""
    shown: dict[str, dict[str, Decimal]] = {}
    for system in SELLING:
        for entry in books[system]:
            if entry["kind"] == "shown":
                shown.setdefault(entry["sku"], {})[system] = Decimal(entry["now"] if entry["now"] is not None else 0)
    promised = _unshipped(books, "shop") + _unshipped(books, "market")
    held = _physical(books)
    found = []
    for sku, by_system in shown.items():
        if sku in aside or sku not in held:
            continue
        free = held[sku] - promised[sku]
        together = sum(by_system.values(), Decimal(0))
        if together > max(Decimal(0), free):
            found.append(f"{sku}: the channels show {together} together, {free} are free")
        elif free >= 4 and together < free / 3:
            found.append(f"{sku}: the channels show {together} together though {free} are free")
    return found


def _oversold(books: Books, began: Mapping[str, int], said: list[str]) -> int:
    """Units sold online since the day began beyond what the warehouse ever held for them."""
    supply: dict[str, Decimal] = {}
    for entry in books["erp"]:
        if entry["kind"] == "stock" and entry["location"] == WAREHOUSE and entry["why"] in ("opening", "count"):
            supply[entry["sku"]] = supply.get(entry["sku"], Decimal(0)) + Decimal(entry["delta"])
    sold: Counter[str] = Counter()
    for system in SELLING:
        for entry in _placed(books[system], began[system]):
            for line in entry["lines"]:
                sold[line["sku"]] += int(Decimal(line["quantity"]))
    over = {sku: int(units - supply[sku]) for sku, units in sold.items() if sku in supply and units > supply[sku]}
    said += [f"{sku} was sold {units} times more often than it was there" for sku, units in over.items()]
    return sum(over.values())


def _tracking(books: Books, began: Mapping[str, int]) -> list[str]:
    """What the ERP sent since the day began is known with its tracking number where the order came from."""
    known = {
        (str(entry["number"]), entry["tracking"]) for system in SELLING for entry in books[system]
        if entry["kind"] == "shipment"
    }
    from_channel = {_number(entry) for system in SELLING for entry in _placed(books[system], 0)}
    return [
        f"order {entry['number']} was sent as {entry['tracking']}, and its channel does not know"
        for entry in books["erp"]
        if entry["kind"] == "shipment" and entry["n"] > began["erp"] and str(entry["number"]) in from_channel
        and (str(entry["number"]), entry["tracking"]) not in known
    ]


def _people(books: Books, began: Mapping[str, int]) -> list[str]:
    """Nobody who was met since the day began stands in the ERP twice under one e-mail address."""
    met: dict[str, set[str]] = {}
    for entry in books["erp"]:
        if entry["kind"] == "customer" and entry["email"]:
            met.setdefault(entry["email"].lower(), set()).add(entry["id"])
    fresh = {
        entry["email"].lower() for entry in books["erp"]
        if entry["kind"] == "customer" and entry["email"] and entry["n"] > began["erp"]
    }
    return [f"one customer of the ERP is {len(met[email])} customers" for email in fresh if len(met[email]) > 1]
