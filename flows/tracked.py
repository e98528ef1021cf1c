"""Tracked goods: lines that hand them over name their units; a unit that was handed over twice is a fault of the data.

What surprises here: a receipt that names too few units is parked beside its record (the goods have left all the same),
a shipment becomes nothing until it names them. How strict a channel is stands in policies/stock.yaml (`units:`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from flows.wiring import House
from flows.work import Work
from mappings.commerce.orders.machines import Illegal
from mappings.commerce.stock.units import IGNORE, REQUIRE, UNITS, handed_twice, unnamed
from registry import Tx, orders_taking, records, records_where

RULE: Final = "units"
REMEDY: Final = (
    "name the units (lot, serial number, mark) in the document where it was made, then `serai replay`; "
    "policies/stock.yaml `units:` says which channels must name them"
)


def tracking_of(tx: Tx, variants: Collection[str]) -> dict[str, str]:
    """Variant → how its units are told apart; only of those that are tracked."""
    found = {uid: record.values.get("tracking") for uid, record in records(tx, sorted(variants)).items()}
    return {uid: how for uid, how in found.items() if how in UNITS}


def variants_of(orders: Collection[Mapping[str, Any]]) -> set[str]:
    """The articles of orders' lines."""
    return {line["variant"] for order in orders for line in order.get("lines") or () if line.get("variant")}


def required(work: Work) -> bool:
    """Whether what this channel hands over without naming it is parked."""
    return work.house.project.counting.naming(work.channel) == REQUIRE


def illegal(shipment: Mapping[str, Any], order: Mapping[str, Any], tracking: Mapping[str, str]) -> Illegal | None:
    """Why a shipment must not be taken: it hands over tracked goods that neither it nor its order names."""
    what = unnamed(shipment.get("lines"), order, tracking)
    return None if what is None else Illegal(path="$.lines", message=what, remedy=REMEDY)


def receipts(work: Work) -> dict[str, Illegal]:
    """Receipt → why a person must look: it handed over tracked goods that it does not name. One statement a page."""
    if not required(work):
        return {}
    handed = {
        change.uid: change.after for change in work.changes
        if change.entity == "order" and change.source == work.channel and change.after.get("handed_over") is True
    }
    tracking = tracking_of(work.tx, variants_of(list(handed.values()))) if handed else {}
    found = {uid: unnamed(None, order, tracking) for uid, order in handed.items()} if tracking else {}
    return {
        uid: Illegal(path="$.lines", message=what, remedy=REMEDY) for uid, what in found.items() if what is not None
    }


def faults(house: House, tx: Tx) -> list[str]:
    """Units that were handed over twice, and, where a channel only warns, lines that name none: a sentence each."""
    variants = {record.uid: record.values for record in records_where(tx, "variant") if record.values.get("tracking")}
    tracking = {uid: values["tracking"] for uid, values in variants.items() if values["tracking"] in UNITS}
    if not tracking:
        return []
    taking = orders_taking(tx, tracking)
    orders = records(tx, sorted({order for of in taking.values() for order in of}))
    named = {uid: (record.values.get("number", uid), record.values) for uid, record in orders.items()}
    said = [
        f"{variants[variant]['sku']}: {unit!r} was handed over in {' and in '.join(numbers)}, and exists once: correct "
        "the document that names the wrong one"
        for (variant, unit), numbers in handed_twice(named.values(), tracking).items()
    ]
    channels = {order: channel for of in taking.values() for order, channel in of.items()}
    for uid, (number, order) in named.items():
        level = house.project.counting.naming(channels[uid])
        if level not in (REQUIRE, IGNORE) and order.get("handed_over") is True:
            what = unnamed(None, order, tracking)
            said += [f"{number} of {channels[uid]}: {what}"] if what is not None else []
    return said
