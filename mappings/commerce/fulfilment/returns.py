"""Who may take goods back, where, and what goes back to which tender: asked before the desk takes anything.

What surprises here: whether a desk may refund depends on who holds the buyer's money. Where the marketplace collected
it, a store that takes the goods has given them away; so the answer is no, with the way the buyer has to go.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Literal

from mappings.commerce.orders.quantities import Counts, counts, returned_by_line, shipped_by_line
from mappings.commerce.orders.refunds import refund_plan, worth

LEFT: Final = ("shipped", "delivered")
ZERO: Final = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """What a desk is told. ``who`` may refund: this ``desk``, only the ``channel``, or ``nobody``; ``because`` and
    ``remedy`` say why not. ``lines``: units that may come back. ``refund``: (tender, money), Σ = worth of the goods."""

    who: Literal["desk", "channel", "nobody"]
    because: str = ""
    remedy: str = ""
    lines: Mapping[str, Decimal] = field(default_factory=dict)
    refund: tuple[tuple[str, dict[str, str]], ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether goods may be taken here."""
        return self.who == "desk"


def with_buyer(
    order: Mapping[str, Any], shipments: Sequence[Mapping[str, Any]], returns: Sequence[Mapping[str, Any]]
) -> dict[str, Counts]:
    """Line → where its units are. A status that says the order left, without a count or shipment, means all of it."""
    lines = list(order.get("lines") or ())
    sent, back = shipped_by_line(lines, shipments), returned_by_line(returns)
    told = bool(sent) or any(line.get("handed_over") is not None for line in lines)
    if not told and (order.get("status") in LEFT or order.get("handed_over") is True):
        sent = shipped_by_line(lines, [{}])
    return {
        line["key"]: counts(line, shipped=sent.get(line["key"], ZERO), returned=back.get(line["key"], ZERO))
        for line in lines
    }


def desk(
    order: Mapping[str, Any], shipments: Sequence[Mapping[str, Any]], returns: Sequence[Mapping[str, Any]], *,
    at: str, services: Collection[str], allowed: Collection[str] | None, wanted: Mapping[str, Decimal] | None = None,
) -> Desk:
    """What the desk of the place ``at`` may do with an order of a channel whose goods ``allowed`` places take back
    (None: any that offers ``return``). ``wanted``: line → units; without it everything the buyer still has.

    refund: the worth of the units (a line's total by cumulative rounding), to the original tenders, Σ per tender
    ≤ captured − refunded; gift cards and points get their own back first.
    """
    who = refuser(order)
    if who is not None:
        return Desk(who="channel", because=who, remedy="the buyer returns it through the channel it was bought on")
    if allowed is not None and at not in allowed:
        where = f"it may be brought to {', '.join(sorted(allowed))}" if allowed else "it goes back through its channel"
        return Desk(who="channel" if not allowed else "nobody", because=f"policies/fulfilment.yaml: {where}",
                    remedy=where)
    if "return" not in services:
        return Desk(who="nobody", because=f"{at} takes no returns", remedy="see `serai returnable` for places that do")
    there = {key: one for key, one in with_buyer(order, shipments, returns).items() if one.with_buyer > 0}
    if not there:
        return Desk(who="nobody", because="nothing of it is with the buyer",
                    remedy="see the order's shipments and returns: `serai order show`")
    units = {key: one.with_buyer for key, one in there.items()} if wanted is None else dict(wanted)
    for key, number in units.items():
        left = there[key].with_buyer if key in there else ZERO
        if number > left:
            return Desk(who="nobody", because=f"line {key}: {number:f} to return, {left:f} with the buyer",
                        remedy="return what the buyer has", lines={key: one.with_buyer for key, one in there.items()})
    amount = sum((_worth(line, there[line["key"]], units[line["key"]])
                  for line in order["lines"] if line["key"] in units), Fraction(0))
    lines = {key: one.with_buyer for key, one in there.items()}
    try:
        plan = refund_plan(order, returns, amount) if order.get("tenders") else []
    except ValueError as short:
        return Desk(who="nobody", because=str(short), lines=lines,
                    remedy="the buyer has not paid for it: take the goods back without money, or ask the ERP")
    return Desk(who="desk", lines=lines, refund=tuple(plan))


def refuser(order: Mapping[str, Any]) -> str | None:
    """Why only the channel may refund: it collected the money, or sent the goods itself; None where we may."""
    if any(tender.get("kind") == "channel" for tender in order.get("tenders") or ()):
        return "the channel collected the money, only it can give it back"
    if any(line.get("fulfilled_by") == "channel" for line in order.get("lines") or ()):
        return "the channel sent it from its own stock"
    if order.get("status") == "offered":
        return "it is an offer that nobody accepted"
    return None


def returnable_at(
    order: Mapping[str, Any], places: Mapping[str, Collection[str]], allowed: Collection[str] | None
) -> list[str]:
    """The places (code → services) to which an order's goods may be brought; none where only the channel may refund."""
    if refuser(order) is not None:
        return []
    return sorted(code for code, services in places.items()
                  if "return" in services and (allowed is None or code in allowed))


def _worth(line: Mapping[str, Any], now: Counts, units: Decimal) -> Fraction:
    """Of the units still paid for the last ones come back: shares add up over any number of returns."""
    return worth(line, units, after=now.ordered - now.cancelled - now.returned - units)
