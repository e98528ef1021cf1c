"""Units of measure: cases and pieces, steps of weight, exactly; what does not come out is reported, never rounded away.

What surprises here: every division gives two figures, the whole number and what is left; nobody drops the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, localcontext
from typing import Any, Final

ONE: Final = Decimal(1)
_DIGITS: Final = 60
LEVELS: Final = ("require", "warn", "ignore")
"""What becomes of a line that hands over tracked goods and does not name them: parked, listed as a fault, taken."""


def whole(quantity: Decimal, size: Decimal) -> tuple[int, Decimal]:
    """``(⌊quantity ÷ size⌋, what is left)`` with ``n · size + left = quantity`` and ``0 ≤ left < size``, exactly.

    Of cases: so many full ones, and loose pieces. Raises ValueError for a size that is not above zero.
    """
    if size <= 0:
        raise ValueError(f"a size is above zero, found {size}")
    with localcontext() as context:
        context.prec = _DIGITS
        left = quantity % size
        if left < 0:
            left += size
        return int((quantity - left) / size), left


def pieces(cases: Decimal, size: Decimal) -> Decimal:
    """``cases · size`` pieces, exactly."""
    with localcontext() as context:
        context.prec = _DIGITS
        return cases * size


def sold_in(quantity: Decimal, step: Decimal | None) -> tuple[Decimal, Decimal]:
    """``(⌊quantity ÷ step⌋ · step, what is left)``: what can be sold of it in its step (or 1), and the rest."""
    count, left = whole(quantity, ONE if step is None else step)
    return pieces(Decimal(count), ONE if step is None else step), left


def counted_in(quantity: Decimal, unit: str, of_variant: str, case: tuple[str, Decimal] | None) -> Decimal | None:
    """The quantity in the variant's unit; None when nothing says how many make one.

    ``case`` is (the unit of the pack, pieces in it): ``pieces = packs · size``.
    """
    if unit == of_variant:
        return quantity
    if case is not None and unit == case[0]:
        return pieces(quantity, case[1])
    return None


def unsold_units(line: Mapping[str, Any], tracking: str | None) -> str | None:
    """Why the units that an order line names are not those it sells; None when they are, or none need be named.

    ``lot``: each unit names its lot; ``serial`` and ``marked``: as many units as the quantity, each with its own, none
    twice. Marks are opaque text: whatever they hold, U+001D too, is theirs.
    """
    if tracking in (None, "none"):
        return None
    units = line.get("units") or ()
    name = {"lot": "lot", "serial": "serial", "marked": "mark"}[str(tracking)]
    said = [unit[name] for unit in units if unit.get(name) is not None]
    if len(said) != len(units):
        return f"{len(units) - len(said)} of {len(units)} units say no {name}"
    if tracking == "lot":
        return None if units else "no unit says its lot"
    if len(said) != Decimal(line["quantity"]["value"]):
        return f"{len(said)} units say their {name}, {line['quantity']['value']} are sold"
    return f"a {name} stands twice" if len(set(said)) != len(said) else None
