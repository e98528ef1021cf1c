"""Says whether a trading day came out right, from the simulated systems' own books and from nothing else.

What surprises here: nothing is imported from Serai. The judge reads each system's journal (see
``deployments/sandbox/books.py``), replays it, and compares systems with each other; what Serai says of itself comes in
only as `claims`, to be compared with what the systems wrote down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from deployments.demo import judge_trade as trade
from deployments.demo.tariff import ASKED

Entry = Mapping[str, Any]
Books = Mapping[str, Sequence[Entry]]
"""System (erp, crm, shop, pos, market, amazon, pricelist, erp_bg, shop_bg) → its journal."""

Asked = Mapping[str, tuple[str, Callable[[Decimal], Decimal]]]
"""As tariff.ASKED."""

RETAIL = ("retail", "retail-bg", "market", "tills", "shop")
LISTED_FROM, KEPT_BACK = "astana-1", 1
"""Where what a price list offers is fetched by its buyers, and how much of each is kept back there for who walks in."""
DEAD = {"cancelled", "CANCELLED", "REFUSED", "EXPIRED"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """One company: its ERP, what sells online from its warehouse, what takes a price list, and its tills."""

    erp: str
    online: tuple[str, ...]
    lists: tuple[str, ...]
    tills: tuple[str, ...]
    warehouse: str


HOMES = (
    Home(erp="erp", online=("shop", "market", "amazon"), lists=("pricelist",), tills=("pos",), warehouse="almaty-wh"),
    Home(erp="erp_bg", online=("shop_bg",), lists=(), tills=(), warehouse="plovdiv-wh"),
)
SELLING = tuple(system for home in HOMES for system in home.online)


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What Serai counted of something, beside the system's books: they have at least ``least`` and at most ``most``.

    Of writes, ``least`` are those that changed something and ``most`` all that were taken: an absolute value whose
    answer was lost is sent once more and counted once, and the books have it twice, the second time changing nothing.
    """

    system: str
    what: str
    ours: int
    least: int
    most: int

    def sentence(self) -> str:
        """What a person reads where the two differ."""
        theirs = f"{self.most}" if self.least == self.most else f"{self.least} to {self.most}"
        return f"{self.system}: Serai counted {self.ours} {self.what}, its books have {theirs}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The day in figures. Every figure but ``agreed``, ``ledgers_balanced`` and ``seconds`` is right when it is 0.

    ``oversold``: units sold that were not there. ``buyers_not_told``: buyers who were promised what cannot be, whose
    offer nobody answered, or who came to a store before anybody called them. ``refused_in_vain``: buyers turned down
    for lack of what was there. ``late``: answers that came after their time. ``wrong_prices_live``: prices on a channel
    that neither the ERP says nor the tariff makes of it (``tariff.py``); ``absurd_prices_shown``: prices that a channel
    showed at any time and that are a tenth of those before, or less. ``orders_lost`` / ``orders_twice``: orders of a
    channel that its ERP has not, or has more
    than once. ``sent_wrongly``: orders sent before they were signed, or though the marketplace sends them, or from
    another place than the buyer comes to. ``returns_wrong``: what came back and is not in the ERP aside, at the sale's
    own tax rate, with the money back to the tenders it came from. ``writes_after_quiescence``: writes that changed
    something after everything agreed. ``money_difference``: what buyers paid against what the ERP booked, and units
    sold at another price than that, in each order's currency.
    """

    agreed: bool
    ledgers_balanced: bool
    oversold: int
    buyers_not_told: int
    refused_in_vain: int
    late: int
    wrong_prices_live: int
    absurd_prices_shown: int
    orders_lost: int
    orders_twice: int
    sent_wrongly: int
    returns_wrong: int
    writes_after_quiescence: int
    money_difference: Decimal
    seconds: float
    disagreements: Sequence[str] = field(default_factory=tuple)

    @property
    def right(self) -> bool:
        """Whether the day came out right."""
        return self.agreed and self.ledgers_balanced and not any((
            self.oversold, self.buyers_not_told, self.refused_in_vain, self.late, self.wrong_prices_live,
            self.absurd_prices_shown, self.orders_lost, self.orders_twice, self.sent_wrongly, self.returns_wrong,
            self.writes_after_quiescence, self.money_difference,
        ))

    def row(self) -> dict[str, Any]:
        """The verdict as plain JSON."""
        return {**asdict(self), "money_difference": str(self.money_difference), "right": self.right,
                "disagreements": list(self.disagreements)}


def judge(
    books: Books, *, began: Mapping[str, int], quiet: Mapping[str, int], seconds: float,
    claims: Sequence[Claim] = (), unlisted: Iterable[str] = (), asked: Asked = ASKED, homes: Sequence[Home] = HOMES,
) -> Verdict:
    """The verdict on a day.

    ``began`` and ``quiet`` give, per system, how many entries its journal had when the day began, and when everything
    was said to agree. ``claims`` are what Serai counted. ``unlisted`` are SKUs that a channel has and the ERP does not:
    nobody has authority over them. ``asked`` is what channels ask for an article where it is not the ERP's price;
    ``homes`` the companies.
    """
    said: list[str] = []
    aside = set(unlisted)
    wrong = [fault for home in homes for fault in _wrong_prices(books, home, aside, asked)]
    said += wrong
    lost = twice = 0
    money = Decimal(0)
    for home in homes:
        missing, again, difference = _orders(books, home, began, said)
        lost, twice, money = lost + missing, twice + again, money + difference + _sold_wrong(books, home, began, asked)
        said += _shown(books, home, aside) + _people(books, home, began) + listed_wrongly(books, home)
    said += _tracking(books, began)
    left = [_left(books, home, began) for home in homes]
    over = {sku: int(-units) for by_sku in left for sku, units in by_sku.items() if units < 0}
    said += [f"{sku} was sold {units} times more often than it was there" for sku, units in over.items()]
    oversold = sum(over.values())
    vain = sum(trade.refused_in_vain(books, began, by_sku, said) for by_sku in left[:1])
    told, late = trade.not_told(books, began, said), trade.late(books, began, said)
    sent, back = trade.sent_wrongly(books, began, said), trade.returns_wrong(books, began, said)
    absurd = trade.absurd_prices(books, began, said)
    unbalanced = [
        claim.sentence() for claim in claims if not claim.least <= claim.ours <= claim.most
    ]
    after = sum(
        1 for system, entries in books.items() for entry in entries
        if entry["n"] > quiet[system] and entry["kind"] == "write" and entry["changed"]
    )
    return Verdict(
        agreed=not said, ledgers_balanced=not unbalanced, oversold=oversold, buyers_not_told=told + oversold,
        refused_in_vain=vain, late=late,
        wrong_prices_live=len(wrong), absurd_prices_shown=absurd, orders_lost=lost, orders_twice=twice,
        sent_wrongly=sent, returns_wrong=back, writes_after_quiescence=after, money_difference=money,
        seconds=round(seconds, 1), disagreements=tuple(said + unbalanced),
    )


def _wrong_prices(books: Books, home: Home, aside: set[str], asked: Asked) -> list[str]:
    found = []
    for system in (*home.online, *home.lists, *home.tills):
        erp, of = asked.get(system, (home.erp, _as_it_is))
        listed = _prices(books[erp])
        found += [
            f"{system} shows {sku} at {amount}, the ERP says {listed[sku]}"
            + ("" if of is _as_it_is else f", which is {of(listed[sku])} there")
            for sku, amount in _prices(books[system]).items()
            if sku in listed and sku not in aside and amount != of(listed[sku])
        ]
    return found


def _as_it_is(amount: Decimal) -> Decimal:
    return amount


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


def _orders(books: Books, home: Home, began: Mapping[str, int], said: list[str]) -> tuple[int, int, Decimal]:
    """Each order of a channel stands in its company's ERP once, with the total the buyer paid; and so in the CRM.

    A receipt stands there by itself or in the one sale that sums its shift up, which says what all of them came to.
    """
    gone = {entry["id"] for entry in books[home.erp] if entry["kind"] == "change" and entry["now"] in DEAD}
    booked: dict[str, list[Entry]] = {}
    for entry in books[home.erp]:
        if entry["kind"] == "order" and entry["number"] is not None and entry["id"] not in gone:
            booked.setdefault(str(entry["number"]), []).append(entry)
    shifts = [entry for entry in books[home.erp] if entry["kind"] == "order" and entry.get("receipts")]
    money = _apart(books, home, shifts)
    sums = {entry["id"]: entry for entry in books["crm"] if entry["kind"] in ("order", "amount")}
    known: dict[tuple[str, str], list[Decimal]] = {}
    for entry in sums.values():
        known.setdefault((str(entry["number"]), entry["currency"]), []).append(Decimal(entry["total"]))
    lost = twice = 0
    for system in (*home.online, *home.tills):
        for entry in _placed(books[system], 0 if system == "shop" else began[system]):
            number = _number(entry)
            there = booked.get(number, [])
            summed = sum(number in shift["receipts"] for shift in shifts)
            if not there and summed == 0:
                lost += 1
                said.append(f"the ERP has no order {number} of {system}")
            if len(there) + summed > 1:
                twice += len(there) + summed - 1
                said.append(f"the ERP has order {number} of {system} {len(there) + summed} times")
            if summed == 0 or there:
                money += abs(sum((Decimal(one["total"]) for one in there), Decimal(0)) - Decimal(entry["total"]))
            copies = known.get((number, entry["currency"]), [])
            if entry["n"] > began[system] and len(copies) != 1:
                said.append(f"the CRM has order {number} of {system} {len(copies)} times")
            elif entry["n"] > began[system] and copies[0] != Decimal(entry["total"]):
                said.append(f"the CRM has order {number} of {system} at {copies[0]}, its buyer pays {entry['total']}")
    return lost, twice, money


def _apart(books: Books, home: Home, shifts: Sequence[Entry]) -> Decimal:
    """What the sales that sum shifts up say against what their receipts came to."""
    sold = {_number(entry): Decimal(entry["total"]) for system in home.tills for entry in books[system]
            if entry["kind"] == "sale"}
    return sum((
        abs(Decimal(shift["total"]) - sum((sold.get(number, Decimal(0)) for number in shift["receipts"]), Decimal(0)))
        for shift in shifts
    ), Decimal(0))


def _sold_wrong(books: Books, home: Home, began: Mapping[str, int], asked: Asked) -> Decimal:
    """What was sold at another price than was to be asked some seconds before: the difference, times the units."""
    total = Decimal(0)
    for system in home.online:
        erp, of = asked.get(system, (home.erp, _as_it_is))
        steps: dict[str, list[tuple[str, Decimal]]] = {}
        for entry in books[erp]:
            if entry["kind"] == "price" and entry["list"] in RETAIL and entry["now"] is not None:
                steps.setdefault(entry["sku"], []).append((entry["at"], of(Decimal(entry["now"]))))
        for entry in _placed(books[system], began[system]):
            for line in entry["lines"]:
                in_force = [amount for at, amount in steps.get(line["sku"], ()) if at <= entry["at"]]
                units = Decimal(line["quantity"])
                if in_force:
                    total += abs(Decimal(line["total"]) - in_force[-1] * units)
    return total


def _physical(books: Books, home: Home, place: str | None = None) -> dict[str, Decimal]:
    """What lies in the warehouse (or another place), by the ERP's movements."""
    held: dict[str, Decimal] = {}
    for entry in books[home.erp]:
        if entry["kind"] == "stock" and entry["location"] == (place or home.warehouse):
            held[entry["sku"]] = held.get(entry["sku"], Decimal(0)) + Decimal(entry["delta"])
    return held


def _from_warehouse(entry: Entry) -> bool:
    """Whether an order is served from the company's warehouse: neither collected in a store nor sent by the channel."""
    return entry.get("pickup") is None and entry.get("fulfilled_by") != "MARKETPLACE"


def _unshipped(books: Books, home: Home, system: str) -> Counter[str]:
    """Units ordered on a channel and not yet taken from the warehouse, by SKU."""
    sent = {str(entry["number"]) for entry in books[home.erp] if entry["kind"] == "shipment"}
    units: Counter[str] = Counter()
    for entry in _placed(books[system], 0):
        if not _from_warehouse(entry):
            continue
        if _number(entry) not in sent and entry.get("state") not in ("SHIPPED", "COMPLETED", "SENT", "DELIVERED"):
            for line in entry["lines"]:
                units[line["sku"]] += int(Decimal(line["quantity"]))
    return units


def _shown(books: Books, home: Home, aside: set[str]) -> list[str]:
    """All selling channels together show no more than lies there unpromised, and something where there is enough."""
    shown: dict[str, dict[str, Decimal]] = {}
    for system in home.online:
        for entry in books[system]:
            if entry["kind"] == "shown":
                shown.setdefault(entry["sku"], {})[system] = Decimal(entry["now"] if entry["now"] is not None else 0)
    promised: Counter[str] = sum((_unshipped(books, home, system) for system in home.online), Counter())
    held = _physical(books, home)
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


def listed_wrongly(books: Books, home: Home) -> list[str]:
    """A price list has every article that the ERP prices and no other, and of each what lies in its place but one."""
    found = []
    for system in home.lists:
        shown: dict[str, int] = {}
        for entry in books[system]:
            if entry["kind"] == "shown":
                shown.pop(entry["sku"], None)
                if entry["now"] is not None:
                    shown[entry["sku"]] = int(entry["now"])
        listed = _prices(books[home.erp])
        held = _physical(books, home, LISTED_FROM)
        found += [f"the list of {system} lacks {sku}" for sku in sorted(listed.keys() - shown.keys())]
        found += [f"the list of {system} has {sku}, the ERP does not" for sku in sorted(shown.keys() - listed.keys())]
        for sku in sorted(shown.keys() & listed.keys()):
            there = max(0, int(held.get(sku, Decimal(0))) - KEPT_BACK)
            if shown[sku] != there:
                found.append(f"the list of {system} says {shown[sku]} of {sku}, {there} are for it")
    return found


def _left(books: Books, home: Home, began: Mapping[str, int]) -> dict[str, Decimal]:
    """SKU → what the warehouse ever held since the day began, less what was sold online; below zero: oversold."""
    left: dict[str, Decimal] = {}
    for entry in books[home.erp]:
        if entry["kind"] == "stock" and entry["location"] == home.warehouse and entry["why"] in ("opening", "count"):
            left[entry["sku"]] = left.get(entry["sku"], Decimal(0)) + Decimal(entry["delta"])
    for system in home.online:
        for entry in _placed(books[system], began[system]):
            for line in entry["lines"] if _from_warehouse(entry) else ():
                if line["sku"] in left:
                    left[line["sku"]] -= int(Decimal(line["quantity"]))
    return left


def _tracking(books: Books, began: Mapping[str, int]) -> list[str]:
    """What an ERP sent since the day began is known with its tracking number where the order came from."""
    found = []
    for home in HOMES:
        known = {
            (str(entry["number"]), entry["tracking"]) for system in home.online for entry in books[system]
            if entry["kind"] == "shipment"
        }
        from_channel = {_number(entry) for system in home.online for entry in _placed(books[system], 0)}
        found += [
            f"order {entry['number']} was sent as {entry['tracking']}, and its channel does not know"
            for entry in books[home.erp]
            if entry["kind"] == "shipment" and entry["n"] > began[home.erp] and str(entry["number"]) in from_channel
            and (str(entry["number"]), entry["tracking"]) not in known
        ]
    return found


def _people(books: Books, home: Home, began: Mapping[str, int]) -> list[str]:
    """Nobody who was met since the day began stands in an ERP twice under one e-mail address."""
    met: dict[str, set[str]] = {}
    for entry in books[home.erp]:
        if entry["kind"] == "customer" and entry["email"]:
            met.setdefault(entry["email"].lower(), set()).add(entry["id"])
    fresh = {
        entry["email"].lower() for entry in books[home.erp]
        if entry["kind"] == "customer" and entry["email"] and entry["n"] > began[home.erp]
    }
    return [f"one customer of {home.erp} is {len(met[email])} customers" for email in fresh if len(met[email]) > 1]
