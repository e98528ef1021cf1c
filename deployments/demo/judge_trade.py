"""The judge on the rules of trade: who was told, what was sent, what was shown, what came back. Reads the books only.

What surprises here: as in ``judge.py`` nothing is imported from Serai, and every figure is 0 when it is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

Entry = Mapping[str, Any]
Books = Mapping[str, Sequence[Entry]]
ERPS = ("erp", "erp_bg")
SELLING = ("shop", "market", "amazon", "shop_bg")
SHOWING = (*SELLING, "pricelist", "pos")
NETWORKS = {"market": "mkt-alm", "amazon": "amz-alm"}
"""Marketplace → the place from which it sends by itself."""
ABSURD = Decimal("0.1")
"""A price at or below this part of the one before is nobody's intention."""


def _of(books: Books, system: str, began: Mapping[str, int], *kinds: str) -> list[Entry]:
    return [entry for entry in books[system] if entry["n"] > began[system] and entry["kind"] in kinds]


def _erp_of(system: str) -> str:
    return "erp_bg" if system.endswith("_bg") else "erp"


def not_told(books: Books, began: Mapping[str, int], said: list[str]) -> int:
    """Buyers whose offer nobody answered, and those who collected what nobody had told them was ready."""
    faults = []
    for system in SELLING:
        told: dict[str, set[str]] = {}
        for entry in _of(books, system, began, "told"):
            told.setdefault(entry["id"], set()).add(entry["what"])
        for entry in _of(books, system, began, "order"):
            words = told.get(entry["id"], set())
            if entry.get("accept_by") is not None and not words & {"accepted", "refused"}:
                faults.append(f"nobody answered the buyer of {entry['number']} on {system}")
            if entry.get("pickup") is not None and "ready" not in words:
                faults.append(f"nobody told the buyer of {entry['number']} on {system} that it can be collected")
    said += faults
    return len(faults)


def late(books: Books, began: Mapping[str, int], said: list[str]) -> int:
    """Offers answered after their time, and those that ended unanswered."""
    faults = []
    for system in SELLING:
        for entry in _of(books, system, began, "decision"):
            if entry.get("accept_by") is not None and _moment(entry["at"]) > _moment(entry["accept_by"]):
                faults.append(f"{system} heard of {entry['number']} after its time")
        faults += [
            f"{entry['number']} of {system} ended unanswered"
            for entry in _of(books, system, began, "told") if entry["what"] == "expired"
        ]
    said += faults
    return len(faults)


def refused_in_vain(books: Books, began: Mapping[str, int], supply: Mapping[str, Decimal], said: list[str]) -> int:
    """Buyers refused for lack of stock though it would have been there: ``supply`` is what nobody bought, by SKU."""
    left = dict(supply)
    faults = []
    for system in SELLING:
        orders = {entry["id"]: entry for entry in _of(books, system, began, "order")}
        for entry in _of(books, system, began, "told"):
            if entry["what"] != "refused" or entry["reason"] != "OUT_OF_STOCK":
                continue
            wanted = [(line["sku"], Decimal(line["quantity"])) for line in orders[entry["id"]]["lines"]]
            if all(left.get(sku, Decimal(0)) >= units for sku, units in wanted):
                left.update({sku: left[sku] - units for sku, units in wanted})
                faults.append(f"the buyer of {entry['number']} on {system} was refused what was there")
    said += faults
    return len(faults)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def absurd_prices(books: Books, began: Mapping[str, int], said: list[str]) -> int:
    """How often a channel showed a price of a tenth of the one before, or less."""
    count = 0
    for system in SHOWING:
        before = [
            entry for entry in _of(books, system, began, "price")
            if None not in (entry["was"], entry["now"]) and Decimal(entry["now"]) <= ABSURD * Decimal(entry["was"])
        ]
        if before:
            said.append(f"{system} showed {len(before)} prices such as {before[0]['now']} for {before[0]['sku']}")
        count += len(before)
    return count


def sent_wrongly(books: Books, began: Mapping[str, int], said: list[str]) -> int:
    """Orders sent before they were signed, though the marketplace sends them, or from where the buyer is not coming."""
    faults = []
    for system in SELLING:
        signed = {
            entry["id"]: entry["at"] for entry in _of(books, system, began, "change")
            if entry["was"] == "AWAITING_SIGNATURE" and entry["now"] == "PENDING"
        }
        shipments: dict[str, list[Entry]] = {}
        for entry in _of(books, _erp_of(system), began, "shipment"):
            shipments.setdefault(str(entry["number"]), []).append(entry)
        sales = {str(entry["number"]): entry for entry in _of(books, _erp_of(system), began, "order")}
        for order in _of(books, system, began, "order"):
            number, sent = str(order["number"]), shipments.get(str(order["number"]), [])
            if order["state"] == "AWAITING_SIGNATURE":
                faults += [f"{number} of {system} was sent unsigned" for one in sent
                           if one["at"] < signed.get(order["id"], "9")]
            if order.get("pickup") is not None:
                faults += [f"{number} of {system} left {one['location']}, its buyer comes to {order['pickup']}"
                           for one in sent if one["location"] != order["pickup"]]
            if order.get("fulfilled_by") == "MARKETPLACE":
                faults += [f"{number} of {system} was sent a second time" for _ in sent]
                sale = sales.get(number)
                if sale is not None and sale["location"] != NETWORKS[system]:
                    faults.append(f"{number} of {system} is a sale from {sale['location']}, not from the marketplace's")
    said += faults
    return len(faults)


def _sum(payments: Iterable[Entry]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for one in payments:
        found[str(one["kind"]).lower()] = found.get(str(one["kind"]).lower(), Decimal(0)) + Decimal(one["amount"])
    return found


def returns_wrong(books: Books, began: Mapping[str, int], said: list[str]) -> int:
    """What stores took back: refunds by tender alike everywhere and never above what was paid, goods where they lie.

    What was bought online comes to the till's desk or to the shop's own; a receipt is the till's, and no shop's.
    """
    orders = {str(entry["number"]): entry for entry in books["shop"] if entry["kind"] == "order"}
    receipts = {str(entry["id"]): entry for entry in books["pos"] if entry["kind"] == "sale"}
    faults = []
    shop = {str(entry["number"]): entry for entry in _of(books, "shop", began, "refund")}
    desk = {number: _kept(entry) for number, entry in shop.items() if entry.get("why") == "people"}
    desk |= {str(entry["number"]): entry for entry in _of(books, "pos", began, "return")}
    erp = {str(entry["number"]): entry for entry in _of(books, "erp", began, "return")}
    for number, taken in desk.items():
        paid, sold = _sum(taken["payments"]), orders.get(number) or receipts[number]
        given = _sum(sold["tenders"]) if "tenders" in sold else paid
        if any(amount > given.get(kind, Decimal(0)) for kind, amount in paid.items()):
            faults.append(f"more went back for {number} than was paid that way")
        for name, there in (("shop", shop.get(number)), ("ERP", erp.get(number))):
            if name == "shop" and number not in orders:
                continue
            if there is None:
                faults.append(f"the {name} knows nothing of the return of {number}")
            elif _sum(there["payments"]) != paid:
                faults.append(f"the {name} paid back {_sum(there['payments'])} for {number}, the desk {paid}")
        faults += _aside(taken, erp.get(number), sold)
    sent_away = _of(books, "pos", began, "turned_away")
    faults += [f"the desk had to send away the buyer of {entry['number']}" for entry in sent_away]
    said += faults
    return len(faults)


def _kept(refund: Entry) -> Entry:
    """What a shop's own desk took back: it lies there among the other goods."""
    return {**refund, "lines": [{**line, "to": "SHELF"} for line in refund["lines"]]}


def _aside(taken: Entry, there: Entry | None, order: Entry) -> list[str]:
    """The goods lie where the desk put them, at the tax rate of their sale."""
    if there is None:
        return []
    rates = {line["sku"]: Decimal(line["tax_rate"]) for line in order["lines"] if "tax_rate" in line}
    wanted = {(line["sku"], line["to"].lower()) for line in taken["lines"]}
    found = {(line["sku"], line["to"]) for line in there["lines"]}
    faults = [] if found == wanted else [f"the ERP put {sorted(found)} aside, the desk {sorted(wanted)}"]
    faults += [
        f"{line['sku']} came back at a tax of {line['tax_rate']}, sold at {rates[line['sku']]}"
        for line in there["lines"]
        if line["sku"] in rates and (line["tax_rate"] is None or Decimal(line["tax_rate"]) != rates[line["sku"]])
    ]
    return faults
