"""What was decided about an order and must go back to the channel it came from: accepted, refused, cancelled, ready.

What surprises here: a decision is an event of its own, told once; it changes no record by itself. The channel carries
it out and says so, and only that moves the order's status. What the channel of origin said itself is never told back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

from mappings.commerce.fulfilment.deadlines import awaits_us, is_collected
from mappings.commerce.orders.quantities import counts

Kind: TypeAlias = Literal["accepted", "refused", "delayed", "cancelled", "ready", "delivered"]
Acceptance: TypeAlias = Literal["automatic", "person", "none"]

REASONS: Final = (
    "out_of_stock", "unpaid", "not_collected", "no_place", "late", "buyer", "fraud", "price", "other",
)
ENDED: Final = ("cancelled", "delivered")
ZERO: Final = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """``lines`` maps keys of the order's lines to quantities; none: the whole order. ``note`` is what a person or
    system wrote, ``until`` the new day of what is delayed, ``standing`` how much of each line is cancelled by now."""

    kind: Kind
    reason: str | None = None
    note: str | None = None
    until: str | None = None
    location: str | None = None
    lines: Mapping[str, Decimal] | None = None
    standing: Mapping[str, Decimal] | None = None


def answer(
    order: Mapping[str, Any], mode: Acceptance, short: Collection[str], unroutable: str | None
) -> Decision | None:
    """What an order offered to us is answered; None where a person answers, or it waits for somebody else.

    ``accepted`` when every line is reserved in full, ``refused(out_of_stock)`` when a line of ``short`` is not,
    ``refused(no_place)`` when no place may serve it. A line that nobody can name is a person's to judge.
    """
    if mode != "automatic" or not awaits_us(order):
        return None
    if any(line.get("variant") is None for line in order.get("lines") or ()):
        return None
    if short:
        return Decision(kind="refused", reason="out_of_stock")
    if unroutable is not None:
        return Decision(kind="refused", reason="no_place", note=unroutable)
    return Decision(kind="accepted")


def follow_up(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[Decision]:
    """What a change that another channel made to an order means for its channel of origin.

    ``cancelled`` whole when the status became so; ``cancelled`` with lines for what lines' ``cancelled`` grew by;
    ``ready`` when somebody picked the last open piece of an order to be collected and the buyer has not all of it;
    ``delivered`` when the last piece of such an order was handed over. Nothing else, and nothing twice.
    """
    before = before or {}
    was, now = before.get("status"), after.get("status")
    if now == "cancelled":
        reason = reason_of(after.get("cancel_reason"))
        return [] if was in ENDED else [Decision(kind="cancelled", reason=reason[0], note=reason[1])]
    found: list[Decision] = []
    old, new = _lines(before), _lines(after)
    grown = {key: _of(line, "cancelled") - _of(old.get(key), "cancelled") for key, line in new.items()}
    gone = {key: quantity for key, quantity in grown.items() if quantity > 0}
    if gone:
        reason = reason_of(after.get("cancel_reason"))
        found.append(Decision(kind="cancelled", reason=reason[0], note=reason[1], lines=gone,
                              standing={key: _of(line, "cancelled") for key, line in new.items()}))
    if is_collected(after):
        if all_handed_over(after):
            # Nobody is called to come for what he has, also where the store never said that it was picked.
            found += [] if all_handed_over(before) else [Decision(kind="delivered")]
        elif all_picked(after) and not all_picked(before):
            found.append(Decision(kind="ready", location=place_of(after)))
    return found


def reason_of(text: Any) -> tuple[str, str | None]:
    """A reason of REASONS, and the text itself where it is none of them."""
    if text is None:
        return "other", None
    word = str(text).strip().lower().replace(" ", "_").replace("-", "_")
    return (word, None) if word in REASONS else ("other", str(text))


def all_picked(order: Mapping[str, Any]) -> bool:
    """``∀ line: open = allocated = 0``, with at least one piece picked or handed over: a person holds all of it."""
    every = [counts(line) for line in order.get("lines") or ()]
    return all(line.open == 0 == line.allocated for line in every) and any(
        line.picked + line.handed_over > 0 for line in every
    )


def all_handed_over(order: Mapping[str, Any]) -> bool:
    """``∀ line: open = allocated = picked = 0``, with at least one piece handed over."""
    every = [counts(line) for line in order.get("lines") or ()]
    return all(line.to_ship == 0 for line in every) and any(line.handed_over > 0 for line in every)


def place_of(order: Mapping[str, Any]) -> str | None:
    """Where the buyer comes for the goods."""
    found: str | None = (order.get("delivery") or {}).get("location") or order.get("location")
    return found


def about(decision: Decision) -> str:
    """What makes two decisions about one order the same one: told again, it is told once.

    An order is accepted, refused, ready, delivered or cancelled as a whole once; a part of it is known by how much is
    cancelled then, and a delay by its new day.
    """
    if decision.kind == "delayed":
        return f"delayed {decision.until}"
    if decision.lines:
        standing = sorted((decision.standing or decision.lines).items())
        return "cancelled " + " ".join(f"{key}={quantity.normalize():f}" for key, quantity in standing if quantity > 0)
    return decision.kind


def _lines(order: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {line["key"]: line for line in order.get("lines") or ()}


def _of(line: Mapping[str, Any] | None, name: str) -> Decimal:
    found = None if line is None else line.get(name)
    return ZERO if found is None else Decimal(found["value"])
