"""What an order takes from stock: which units of which variant, line by line, and what an edit changes about that.

What surprises here: a bundle takes its parts, never itself; a line that its channel fulfils takes nothing of ours; and
what was taken before an edit is never taken a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias

from mappings.commerce.stock.bundles import Parts, explode

GONE: Final = ("shipped", "delivered")
"""Statuses in which an order's goods have left."""
TAKEN: Final = ("confirmed", *GONE)
"""Statuses in which the system that says them has taken the order."""

Place: TypeAlias = tuple[str, str | None]
"""An order line's key, and the part it takes where the line sells a bundle."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """So many units of a variant, to be taken from a location; None: wherever."""

    variant: str
    quantity: Decimal
    location: str | None


def claims(order: Mapping[str, Any], recipes: Mapping[str, Parts]) -> dict[Place, Claim]:
    """What the order still takes from stock of ours, line by line: ``ordered − cancelled``, of a bundle its parts.

    A line without a variant we know cannot be named and takes nothing yet; one that its channel fulfils never does.
    """
    found: dict[Place, Claim] = {}
    for line in order.get("lines") or ():
        variant = line.get("variant")
        if variant is None or line.get("fulfilled_by") == "channel":
            continue
        units = Decimal(line["quantity"]["value"])
        if line.get("cancelled") is not None:
            units = max(Decimal(0), units - Decimal(line["cancelled"]["value"]))
        location = line.get("location") or order.get("location")
        if recipes.get(variant):
            for part, number in explode(variant, units, recipes).items():
                found[line["key"], part] = Claim(variant=part, quantity=number, location=location)
        else:
            found[line["key"], None] = Claim(variant=variant, quantity=units, location=location)
    return found


def of_shipped(whole: Decimal, shipped: Decimal, ordered: Decimal) -> Decimal:
    """The units of a claim that go with ``shipped`` of ``ordered`` units of its line: ``whole · shipped ÷ ordered``.

    At most ``whole``; a part of a bundle goes in its own number.
    """
    return whole if ordered <= 0 else min(whole, whole * shipped / ordered)
