"""Says what is wrong after a history, from the systems' own journals and from nothing else.

What surprises here: nothing is imported from Serai. What the channels show together is compared with what is free to
the unit: their shares add up to 1, so that less than all of it is as wrong as more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

Entry = Mapping[str, Any]
Books = Mapping[str, Sequence[Entry]]
"""System (erp, crm, shop, market, pos) → its journal."""

SELLING = ("shop", "market")
WAREHOUSE = "almaty-wh"
SHARES = {"shop": Decimal("0.6"), "market": Decimal("0.4")}
CANCELLED = {"cancelled", "CANCELLED"}


def wrong(
    books: Books, *, unlisted: Collection[str] = (), tampered: Collection[str] = (), label: int | None = None
) -> list[str]:
    """One sentence per thing that is wrong; empty: all systems agree with the ERP and nothing was lost or doubled.

    ``unlisted`` are SKUs the ERP does not know. ``tampered`` are SKUs of which somebody raised a channel's figure by
    hand, or took goods away: what was sold of them before that was put right is nobody's fault. ``label``: how many
    letters of a name the tills keep.
    """
    return [
        *orders_once(books, "erp"), *orders_once(books, "crm"), *nothing_invented(books), *people_once(books),
        *oversold(books, tampered), *shown(books, unlisted), *prices(books, unlisted), *names(books, label),
        *tracked(books), *deletes(books), *references_once(books),
    ]


# ── what was sold ────────────────────────────────────────────────────────────────────────────────────────────────────


def gone(books: Books, system: str) -> set[str]:
    """Ids of a system's orders that were cancelled there."""
    return {entry["id"] for entry in books[system] if entry["kind"] == "change" and entry["now"] in CANCELLED}


def placed(books: Books, system: str) -> list[tuple[str, Entry]]:
    """(number, entry) of what people bought in a channel."""
    return [
        (str(entry["number"] if entry["kind"] == "order" else entry["id"]), entry) for entry in books[system]
        if entry["kind"] in ("order", "sale") and entry["why"] != "api"
    ]


def orders_once(books: Books, keeper: str) -> list[str]:
    """P1, P2: each order of a channel stands in the ERP (in the CRM) exactly once, with the total the buyer paid."""
    held: dict[str, list[Entry]] = {}
    for entry in books[keeper]:
        if entry["kind"] == "order":
            held.setdefault(str(entry["number"]), []).append(entry)
    found = []
    for system in (*SELLING, "pos"):
        for number, entry in placed(books, system):
            there = held.get(number, [])
            if len(there) != 1:
                found.append(f"the {keeper} has order {number} of {system} {len(there)} times")
            found += [
                f"the {keeper} has order {number} of {system} with {one['total']}, the buyer paid {entry['total']}"
                for one in there if Decimal(one["total"]) != Decimal(entry["total"])
            ]
    return found


def nothing_invented(books: Books) -> list[str]:
    """P2: programs entered no order that no buyer made."""
    known = {number for system in (*SELLING, "pos") for number, _ in placed(books, system)}
    known |= {str(entry["number"] or entry["id"]) for entry in books["erp"]
              if entry["kind"] == "order" and entry["why"] != "api"}
    return [
        f"a program entered order {entry['number']} into the {keeper}, and nobody bought it"
        for keeper in ("erp", "crm") for entry in books[keeper]
        if entry["kind"] == "order" and entry["why"] == "api" and str(entry["number"]) not in known
    ]


def references_once(books: Books) -> list[str]:
    """P2: no reference of ours was entered twice."""
    found = []
    for system, entries in books.items():
        made = Counter(
            (entry["resource"], entry["reference"]) for entry in entries
            if entry["kind"] == "write" and entry["op"] == "create" and entry["status"] == 201 and entry["reference"]
        )
        found += [f"{system} {resource}: {reference} was entered {n} times"
                  for (resource, reference), n in made.items() if n > 1]
    return found


def people_once(books: Books) -> list[str]:
    """P2: nobody stands twice in the ERP or the CRM under one e-mail address."""
    found = []
    for keeper in ("erp", "crm"):
        met: dict[str, set[str]] = {}
        for entry in books[keeper]:
            if entry["kind"] == "customer" and entry["email"]:
                met.setdefault(entry["email"].lower(), set()).add(entry["id"])
        found += [f"the {keeper} has {email} {len(ids)} times" for email, ids in met.items() if len(ids) > 1]
    return found


# ── stock ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def units(entries: Sequence[Entry]) -> Counter[str]:
    """SKU → units in these orders."""
    found: Counter[str] = Counter()
    for entry in entries:
        for line in entry["lines"]:
            found[line["sku"]] += int(Decimal(line["quantity"]))
    return found


def oversold(books: Books, tampered: Collection[str]) -> list[str]:
    """P8: online no more was sold than ever lay in the warehouse."""
    supply: Counter[str] = Counter()
    for entry in books["erp"]:
        if entry["kind"] == "stock" and entry["location"] == WAREHOUSE and entry["why"] in ("opening", "count"):
            supply[entry["sku"]] += int(Decimal(entry["delta"]))
    let_go = {str(entry["number"]) for entry in books["erp"]
              if entry["kind"] == "change" and entry["now"] in CANCELLED}
    sold: Counter[str] = Counter()
    for system in SELLING:
        cancelled = gone(books, system)
        sold += units([entry for number, entry in placed(books, system)
                       if entry["id"] not in cancelled and number not in let_go])
    return [
        f"{sku}: {n} were sold online, {supply[sku]} ever lay in the warehouse" for sku, n in sold.items()
        if sku in supply and sku not in tampered and n > supply[sku]
    ]


def free(books: Books) -> dict[str, Decimal]:
    """SKU → what lies in the warehouse and is in no sale of the ERP that is still to be sent."""
    left: dict[str, Decimal] = {}
    for entry in books["erp"]:
        if entry["kind"] == "stock" and entry["location"] == WAREHOUSE:
            left[entry["sku"]] = left.get(entry["sku"], Decimal(0)) + Decimal(entry["delta"])
    sent = {entry["order"] for entry in books["erp"] if entry["kind"] == "shipment"}
    cancelled = gone(books, "erp")
    open_ = [
        entry for entry in books["erp"]
        if entry["kind"] == "order" and not entry["handed_over"] and entry["id"] not in sent | cancelled
        and entry["state"] not in CANCELLED
    ]
    for sku, n in units(open_).items():
        if sku in left:
            left[sku] = max(Decimal(0), left[sku]) - n
    return {sku: max(Decimal(0), n) for sku, n in left.items()}


def figures(books: Books) -> dict[str, dict[str, Decimal]]:
    """SKU → channel → what it shows now."""
    found: dict[str, dict[str, Decimal]] = {}
    for system in SELLING:
        for entry in books[system]:
            if entry["kind"] == "shown":
                found.setdefault(entry["sku"], {})[system] = Decimal(entry["now"])
    return found


def shown(books: Books, unlisted: Collection[str]) -> list[str]:
    """P8: the channels show together exactly what is free, each its share of it."""
    found = []
    now = figures(books)
    for sku, left in free(books).items():
        if sku in unlisted:
            continue
        there = now.get(sku, {})
        together = sum(there.values(), Decimal(0))
        if together != left:
            said = ", ".join(f"{system} {figure}" for system, figure in there.items()) or "none"
            found.append(f"{sku}: {left} are free, the channels show {together} ({said})")
        found += [
            f"{sku}: {system} shows {there.get(system, 0)} of {left} free, its share is {share}"
            for system, share in SHARES.items() if abs(there.get(system, Decimal(0)) - left * share) >= 1
        ]
    return found


# ── what things cost and are called ──────────────────────────────────────────────────────────────────────────────────


def prices(books: Books, unlisted: Collection[str]) -> list[str]:
    """P5: each channel asks what the ERP says."""
    last = {
        (system, entry["sku"]): Decimal(entry["now"]) for system in ("erp", *SELLING, "pos") for entry in books[system]
        if entry["kind"] == "price" and (system != "erp" or entry["list"] == "retail")
    }
    found = []
    for (system, sku), amount in last.items():
        told = last.get(("erp", sku))
        if system != "erp" and sku not in unlisted and amount != told:
            found.append(f"{system} asks {amount} for {sku}, the ERP says {told}")
    for system in (*SELLING, "pos"):
        found += [f"{system} has no price for {sku}" for owner, sku in last
                  if owner == "erp" and (system, sku) not in last]
    return found


def names(books: Books, label: int | None) -> list[str]:
    """P5: shop and tills call a thing what the ERP calls it."""
    last = {
        (system, entry["sku"]): entry["now"] for system in ("erp", "shop", "pos") for entry in books[system]
        if entry["kind"] == "name"
    }
    return [
        f"{system} calls {sku} {name!r}, the ERP {last['erp', sku]!r}" for (system, sku), name in last.items()
        if ("erp", sku) in last and name != last["erp", sku][: label if system == "pos" else None]
    ]


def tracked(books: Books) -> list[str]:
    """P1, P2: what the ERP sent is known with its tracking number in the order's channel, once."""
    home = {number: system for system in SELLING for number, _ in placed(books, system)}
    known = Counter(
        (system, str(entry["number"]), entry["tracking"]) for system in SELLING for entry in books[system]
        if entry["kind"] == "shipment"
    )
    found = []
    for entry in books["erp"]:
        number = str(entry.get("number"))
        if entry["kind"] == "shipment" and number in home:
            n = known.pop((home[number], number, entry["tracking"]), 0)
            if n != 1:
                found.append(f"{home[number]} knows {n} times that {number} was sent as {entry['tracking']}")
    return found + [
        f"{system} knows of {tracking} for {number}, the ERP does not" for system, number, tracking in known
    ]


def deletes(books: Books) -> list[str]:
    """P10: no program deleted anything."""
    return [
        f"{system} {entry['resource']} {entry['id']} was deleted" for system, entries in books.items()
        for entry in entries if entry["kind"] == "write" and entry["op"] == "delete"
    ]
