"""Points and gift cards: Serai carries what one authority keeps, and asks it; it never computes a balance of its own.

What surprises here: a redemption that the authority did not confirm is refused, also when its answer only got lost;
the event that may have arrived is then taken back under the same number, so that nothing is spent twice or for nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

EARN, REDEEM, REVERSE = "earn", "redeem", "reverse"


def number(kind: str, account: str, channel: str, reference: str) -> str:
    """The idempotency key of an event: the same for the same (kind, account, channel, receipt or order)."""
    said = "\x1f".join((kind, account, channel, reference))
    return f"{kind}-{hashlib.blake2b(said.encode(), digest_size=12).hexdigest()}"


def reversal(event: Mapping[str, Any], at: str) -> dict[str, Any]:
    """The event that takes ``event`` back whole, under a number that follows from its own."""
    kept = {name: event[name] for name in ("account", "points", "amount", "customer", "order") if name in event}
    return {**kept, "kind": REVERSE, "number": reversed_by(event["number"]), "reverses": event["number"], "at": at}


def reversed_by(number: str) -> str:
    """The number of the event that takes the event of this number back."""
    return f"{REVERSE}-{number}"


def hopeless(event: Mapping[str, Any], account: Mapping[str, Any] | None) -> str | None:
    """Why there is no use in asking the authority to redeem; None where only it can tell.

    ``asked > 0 ∧ (the copy is unknown ∨ asked ≤ copy)``: the copy may be behind, so it only ever refuses.
    """
    asked, have = _figure(event, "points", "amount"), None if account is None else _figure(account, "points", "balance")
    if asked is None or asked[0] <= 0:
        return "it names neither points nor an amount above zero"
    if have is not None and have[1] != asked[1]:
        return f"the account holds {have[1] or 'points'}, not {asked[1] or 'points'}"
    if have is not None and asked[0] > have[0]:
        return "the account holds less"
    return None


def _figure(row: Mapping[str, Any], points: str, money: str) -> tuple[Decimal, str] | None:
    """(figure, currency); points have no currency."""
    if row.get(points) is not None:
        return Decimal(row[points]), ""
    if row.get(money) is not None:
        return Decimal(row[money]["amount"]), row[money]["currency"]
    return None
