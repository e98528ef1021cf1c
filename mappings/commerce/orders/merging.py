"""One order out of what its channels say: what `merge` decided by authority, with the machines in step.

What surprises here: status, counts of lines and states of tenders have no authority: they are what happened, whoever
saw it. A till's receipt is what its till says, sold or void, since nobody else may sell or void it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mappings.commerce.orders.figures import fees
from mappings.commerce.orders.machines import merged_status, payment_word, tender_states
from mappings.commerce.orders.quantities import COUNTED, merged_counts, status_word

TOLD_BY_ANY: Final = ("cancel_requested", "cancel_reason")
Values = Mapping[str, Any]


def settled(values: Values, said: Sequence[Values], before: Values | None = None) -> dict[str, Any]:
    """The order ``values`` with its machines in step. ``said`` is what each channel says, its origin first; ``before``
    the order as it was.

    status = `merged_status` of all channels' words, of the lines' counts, and of before; a till's receipt: the origin's
    word · a line's counts = the largest any channel says · a tender's state = as told, unless that is late · payment =
    of the tenders, where they are told · a cancellation's reason: of the first channel that gives one · fees = the
    settled ones, else as told, else as they were · payout = as told, else as it was.
    """
    found = dict(values)
    lines = found.get("lines")
    if lines and any(name in row for one in said for row in one.get("lines") or () for name in COUNTED):
        found["lines"] = lines = merged_counts(lines, [one.get("lines") or () for one in said])
    words = words_of(said, lines or ())
    if found.get("handed_over") is True and said and said[0].get("status") is not None:
        found["status"] = said[0]["status"]
    else:
        found["status"] = merged_status(words, None if before is None else before.get("status")) if words else None
    if found.get("tenders"):
        found["tenders"] = tender_states((before or {}).get("tenders") or (), found["tenders"])
        word = payment_word(found["tenders"])
        if word is not None:
            found["payment"] = word
    for name in TOLD_BY_ANY:
        if found.get(name) is None:
            told = next((one[name] for one in said if one.get(name) is not None), None)
            if told is not None:
                found[name] = told
    known = before or {}
    if known.get("fees"):
        found["fees"] = fees(found.get("fees"), known["fees"])
    if found.get("payout") is None and known.get("payout") is not None:
        found["payout"] = known["payout"]
    return found


def words_of(said: Sequence[Values], lines: Sequence[Mapping[str, Any]] = ()) -> set[str]:
    """The statuses said now: each channel's own word, and what the lines' counts come to."""
    words = {one["status"] for one in said if one.get("status") is not None}
    counted = status_word(lines)
    return words | {counted} if counted is not None and words else words
