"""Units of measure: cases and pieces, steps of weight, exactly; what does not come out is reported, never rounded away.

What surprises here: every division gives two figures, the whole number and what is left; nobody drops the second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, localcontext
from typing import Any, Final

ONE: Final = Decimal(1)
UNITS: Final = {"lot": "lot", "serial": "serial", "marked": "mark"}
"""How units are told apart → the field of a unit that does."""
_DIGITS: Final = 60
REQUIRE, WARN, IGNORE = LEVELS = ("require", "warn", "ignore")
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


def covering(quantity: Decimal, size: Decimal) -> int:
    """``⌈quantity ÷ size⌉``: the least number of steps of this size that hold all of it, exactly."""
    return -whole(-quantity, size)[0]


def pieces(cases: Decimal, size: Decimal) -> Decimal:
    """``cases · size`` pieces, exactly."""
    with localcontext() as context:
        context.prec = _DIGITS
        return cases * size


def sold_in(quantity: Decimal, step: Decimal | None) -> tuple[Decimal, Decimal]:
    """``(⌊quantity ÷ step⌋ · step, what is left)``: what can be sold of it in its step (or 1), and the rest."""
    count, left = whole(quantity, ONE if step is None else step)
    return pieces(Decimal(count), ONE if step is None else step), left


def off_step(order: Mapping[str, Any], steps: Mapping[str, tuple[Decimal, str]]) -> str | None:
    """Which line asks for what cannot be sold, ``quantity − cancelled ≠ n · step``, and what can; None: all can be.

    ``steps``: variant → (its step, the unit of it); a line in another unit is of packs, which are whole.
    """
    for line in order.get("lines") or ():
        step, unit = steps.get(line.get("variant") or "", (ONE, ""))
        said = line.get("quantity")
        if said is None or said.get("unit") != unit:
            continue
        wanted = Decimal(said["value"])
        if line.get("cancelled") is not None:
            wanted -= Decimal(line["cancelled"]["value"])
        below, rest = sold_in(wanted, step)
        if rest != 0:
            return (f"line {line['key']} asks for {wanted} {unit} of an article that is sold in steps of {step}: "
                    f"{below} or {below + step} can be sold")
    return None


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
    name = UNITS[str(tracking)]
    said = [unit[name] for unit in units if unit.get(name) is not None]
    if len(said) != len(units):
        return f"{len(units) - len(said)} of {len(units)} units say no {name}"
    if tracking == "lot":
        return None if units else "no unit says its lot"
    if len(said) != Decimal(line["quantity"]["value"]):
        return f"{len(said)} units say their {name}, {line['quantity']['value']} are sold"
    return f"a {name} stands twice" if len(set(said)) != len(said) else None


def unnamed(
    handed: Iterable[Mapping[str, Any]] | None, order: Mapping[str, Any], tracking: Mapping[str, str]
) -> str | None:
    """Which line hands over tracked goods and does not name them, and how many; None when none does.

    ``handed`` are the lines of a shipment, None: the order's own, all of them. A shipment's line that names no unit is
    as good as the order's line, where that names every unit. ``tracking``: variant → how its units are told apart.
    """
    ordered = {line["key"]: line for line in order.get("lines") or ()}
    for row in order.get("lines") or () if handed is None else handed:
        line = row if handed is None else ordered.get(row.get("line"), {})
        how = tracking.get(line.get("variant") or "")
        if how is None or (handed is not None and not row.get("units") and unsold_units(line, how) is None):
            continue
        why = unsold_units(row, how)
        if why is not None:
            return f"line {line['key']} hands over goods that are tracked by {UNITS[how]}: {why}"
    return None


def handed_twice(
    orders: Iterable[tuple[str, Mapping[str, Any]]], tracking: Mapping[str, str]
) -> dict[tuple[str, str], list[str]]:
    """(variant, serial number or mark) → the numbers of the orders, two or more, that name it.

    Lots are many units each, so they may. An order that was cancelled handed nothing over, and a line that came back
    whole gave its units back.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for number, order in orders:
        for line in order.get("lines") or () if order.get("status") != "cancelled" else ():
            how, back = tracking.get(line.get("variant") or ""), line.get("returned")
            if how not in ("serial", "marked") or (
                back is not None and Decimal(back["value"]) >= Decimal(line["quantity"]["value"])
            ):
                continue
            for unit in line.get("units") or ():
                if unit.get(UNITS[how]) is not None:
                    found.setdefault((line["variant"], unit[UNITS[how]]), []).append(number)
    return {unit: numbers for unit, numbers in found.items() if len(numbers) > 1}
