"""What became of every unit of an order's line: one place each, and nothing is in two.

What surprises here: what channels tell are high-water marks (so many were picked, so many handed over), merged by their
largest; a unit is counted where it got farthest, so that a late message about an earlier stage changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from mappings.commerce.orders.machines import LEFT, Illegal

COUNTED: Final = ("cancelled", "allocated", "picked", "handed_over", "returned")
"""The counts of a line that any channel may tell."""
ZERO = Decimal(0)
Amounts = Mapping[str, Decimal]


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """Where a line's units are, in its own unit. ``ordered = cancelled + open + allocated + picked + handed_over`` and
    ``handed_over = with_buyer + returned``."""

    ordered: Decimal
    cancelled: Decimal
    open: Decimal
    allocated: Decimal
    picked: Decimal
    handed_over: Decimal
    returned: Decimal

    @property
    def with_buyer(self) -> Decimal:
        """``handed_over − returned``."""
        return self.handed_over - self.returned

    @property
    def to_ship(self) -> Decimal:
        """``open + allocated + picked``: what is still promised."""
        return self.open + self.allocated + self.picked


def counts(line: Mapping[str, Any], *, shipped: Decimal = ZERO, returned: Decimal = ZERO) -> Counts:
    """Where a line's units are, of its own marks and of what shipments and returns say (the larger counts).

    ``handed_over = max(told, shipped)``, ``picked``, ``allocated`` what is left of theirs, ``open`` the rest; no count
    goes below zero or above what is ordered: `over_handed` and `over_returned` name what would.
    """
    ordered = Decimal(line["quantity"]["value"])
    told = {name: Decimal(line[name]["value"]) if line.get(name) is not None else ZERO for name in COUNTED}
    handed = min(max(told["handed_over"], shipped), ordered)
    cancelled = min(told["cancelled"], ordered - handed)
    rest = ordered - handed - cancelled
    picked = min(max(told["picked"] - handed, ZERO), rest)
    allocated = min(max(told["allocated"] - handed - picked, ZERO), rest - picked)
    return Counts(
        ordered=ordered, cancelled=cancelled, open=rest - picked - allocated, allocated=allocated, picked=picked,
        handed_over=handed, returned=min(max(told["returned"], returned), handed),
    )  # fmt: skip


def of_order(
    order: Mapping[str, Any], shipments: Sequence[Mapping[str, Any]] = (), returns: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Counts]:
    """Line key → where its units are. An order that was handed over, or of which a channel says that it has left while
    nobody tells what, left whole but for what was cancelled."""
    lines = list(order.get("lines") or ())
    left, back = shipped_by_line(lines, shipments), returned_by_line(returns)
    if order.get("handed_over") is True or (order.get("status") in LEFT and not left):
        left = {line["key"]: Decimal(line["quantity"]["value"]) - _told(line, "cancelled") for line in lines}
    return {
        line["key"]: counts(line, shipped=left.get(line["key"], ZERO), returned=back.get(line["key"], ZERO))
        for line in lines
    }


def restocked(returns: Sequence[Mapping[str, Any]]) -> dict[str, Decimal]:
    """Line key → units that came back onto a sellable shelf: ``restock`` is true and the condition is no quarantine."""
    found: dict[str, Decimal] = {}
    for one in returns:
        for row in one.get("lines") or () if one.get("kind") != "refund" else ():
            if row.get("line") is not None and row.get("restock") is True and row.get("condition") != "quarantine":
                found[row["line"]] = found.get(row["line"], ZERO) + Decimal(row["quantity"]["value"])
    return found


def over_handed(order: Mapping[str, Any], shipments: Sequence[Mapping[str, Any]] = ()) -> Illegal | None:
    """The first line of which more went than there is: ``handed over + cancelled > ordered``; None without one."""
    lines = list(order.get("lines") or ())
    left = shipped_by_line(lines, shipments)
    for n, line in enumerate(lines):
        ordered, cancelled = Decimal(line["quantity"]["value"]), _told(line, "cancelled")
        handed = max(_told(line, "handed_over"), left.get(line["key"], ZERO))
        if handed + cancelled > ordered:
            return Illegal(
                path=f"$.lines[{n}]",
                message=f"line {line['key']}: {handed:f} {line['quantity']['unit']} handed over and {cancelled:f} "
                        f"cancelled of {ordered:f} ordered",
                remedy="find out which of them left: take the goods back as a return, or undo the cancellation",
            )  # fmt: skip
    return None


def over_returned(
    order: Mapping[str, Any], shipments: Sequence[Mapping[str, Any]] = (), returns: Sequence[Mapping[str, Any]] = ()
) -> Illegal | None:
    """The first line of which more came back than left: ``returned > handed over``; None without one.

    Where nobody tells what left (no shipment, no count) a return is compared with what was ordered and not cancelled.
    So it may come before its shipments, which nothing but `over_handed` refuses.
    """
    lines = list(order.get("lines") or ())
    left, back = shipped_by_line(lines, shipments), returned_by_line(returns)
    all_left = order.get("status") in LEFT or order.get("handed_over") is True
    told = bool(left) or any(line.get("handed_over") is not None for line in lines)
    for n, line in enumerate(lines):
        handed = max(_told(line, "handed_over"), left.get(line["key"], ZERO))
        most = handed if told and not all_left else Decimal(line["quantity"]["value"]) - _told(line, "cancelled")
        returned = max(_told(line, "returned"), back.get(line["key"], ZERO))
        if returned > most:
            return Illegal(
                path=f"$.lines[{n}].returned",
                message=f"line {line['key']}: {returned:f} {line['quantity']['unit']} came back "
                        f"of {most:f} handed over",
                remedy="correct the return, or enter the shipment that is missing, then `serai replay`",
            )
    return None


def shipped_by_line(lines: Iterable[Mapping[str, Any]], shipments: Iterable[Mapping[str, Any]]) -> dict[str, Decimal]:
    """Line key → units in these shipments; a shipment without lines is the whole order, once."""
    found: dict[str, Decimal] = {}
    whole = False
    for shipment in shipments:
        if shipment.get("lines") is None:
            whole = True
        for row in shipment.get("lines") or ():
            if row.get("line") is not None:
                found[row["line"]] = found.get(row["line"], ZERO) + Decimal(row["quantity"]["value"])
    if whole:
        for line in lines:
            rest = Decimal(line["quantity"]["value"]) - _told(line, "cancelled")
            found[line["key"]] = max(found.get(line["key"], ZERO), rest)
    return found


def returned_by_line(returns: Iterable[Mapping[str, Any]]) -> dict[str, Decimal]:
    """Line key → units that came back in these returns; a refund of money alone brings none."""
    found: dict[str, Decimal] = {}
    for one in returns:
        for row in one.get("lines") or () if one.get("kind") != "refund" else ():
            if row.get("line") is not None:
                found[row["line"]] = found.get(row["line"], ZERO) + Decimal(row["quantity"]["value"])
    return found


def merged_counts(
    lines: Sequence[Mapping[str, Any]], said: Iterable[Sequence[Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """The lines of the channel that decides, with each count the largest that any channel says of the same line key.

    ``count = max over channels``: commutative, idempotent, never falls while its channel stands by it.
    """
    best: dict[tuple[str, str], Mapping[str, Any]] = {}
    for rows in said:
        for row in rows:
            for name in COUNTED:
                told = row.get(name)
                if told is None:
                    continue
                held = best.get((row["key"], name))
                if held is None or Decimal(told["value"]) > Decimal(held["value"]):
                    best[row["key"], name] = told
    return [
        {**line, **{name: best[line["key"], name] for name in COUNTED if (line["key"], name) in best}} for line in lines
    ]


def status_word(lines: Sequence[Mapping[str, Any]]) -> str | None:
    """What the counts say of the whole order: cancelled or shipped when every unit is; None while something is open."""
    every = [counts(line) for line in lines]
    if any(one.to_ship > 0 for one in every):
        return None
    if any(one.handed_over > 0 for one in every):
        return "shipped"
    return "cancelled" if any(one.cancelled > 0 for one in every) else None


def _told(line: Mapping[str, Any], name: str) -> Decimal:
    return Decimal(line[name]["value"]) if line.get(name) is not None else ZERO
