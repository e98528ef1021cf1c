"""What was changed of an order after it came in, as typed changes, and two orders compared across channels.

What surprises here: a change holds no personal value: of buyer and address it says only that they changed. And two
channels are compared on what both of them say, since few repeat everything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from mappings.commerce.orders.quantities import COUNTED

PERSONAL: Final = ("buyer", "address", "customer")
MONEYS: Final = ("shipping", "rounding", "total")
LISTS: Final = {"discounts": "discount", "surcharges": "surcharge", "taxes": "tax", "tenders": "tender"}
WORDS: Final = ("delivery", "expires_at", "deadlines", "cancel_requested", "cancel_reason", "location", "currency",
                "tax_included", "fiscal", "numbers", "number", "placed_at", "handed_over", "attributes")
MACHINES: Final = ("status", "payment", "fees", "payout")
"""Fields that move by themselves: a move of theirs is no edit."""
_ABSENT: Final = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """One change. ``kind`` says what was changed (``line added``, ``quantity``, ``address``, …), ``key`` of which line
    or part; ``before`` and ``after`` are the values, None for personal ones and for what was not there."""

    kind: str
    key: str | None = None
    before: Any = None
    after: Any = None

    def __str__(self) -> str:
        what = self.kind if self.key is None else f"{self.kind} of {self.key}"
        if self.before is None and self.after is None:
            return what
        return f"{what}: {_spoken(self.before)} → {_spoken(self.after)}"


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Edit]:
    """What a person edited between two states of an order; empty when only its machines moved.

    line added · line removed · quantity · line price (total, gross, discount, tax) · line (its other fields) · address
    · buyer · customer · discount · surcharge · tax · tender · shipping · rounding · total · any other field by its
    name.
    """
    found = [*_lines(before.get("lines") or (), after.get("lines") or ())]
    found += [Edit(kind=name) for name in PERSONAL if before.get(name) != after.get(name)]
    for name, kind in LISTS.items():
        found += _keyed(kind, before.get(name) or (), after.get(name) or ())
    found += [
        Edit(kind=name, before=before.get(name), after=after.get(name))
        for name in (*MONEYS, *WORDS) if before.get(name) != after.get(name)
    ]
    return found


def _lines(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[Edit]:
    old, new = {row["key"]: row for row in before}, {row["key"]: row for row in after}
    found = [Edit(kind="line removed", key=key, before=old[key]) for key in old if key not in new]
    for key, row in new.items():
        if key not in old:
            found.append(Edit(kind="line added", key=key, after=dict(row)))
            continue
        was = old[key]
        if was["quantity"] != row["quantity"]:
            found.append(Edit(kind="quantity", key=key, before=was["quantity"], after=row["quantity"]))
        rest = [
            name for name in dict.fromkeys((*was, *row))
            if name not in ("key", "quantity", *COUNTED) and was.get(name) != row.get(name)
        ]
        found += [Edit(kind=f"line {name}", key=key, before=was.get(name), after=row.get(name)) for name in rest]
    return found


def _keyed(kind: str, before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[Edit]:
    """Rows by key. A tender's state moves by itself; its amount is edited."""
    own = (lambda row: {k: v for k, v in row.items() if k not in ("state", "captured", "refunded")}) \
        if kind == "tender" else dict
    old, new = {row["key"]: own(row) for row in before}, {row["key"]: own(row) for row in after}
    return [
        Edit(kind=kind, key=key, before=old.get(key), after=new.get(key))
        for key in dict.fromkeys((*old, *new)) if old.get(key) != new.get(key)
    ]


def fingerprint(order: Mapping[str, Any], keys: Sequence[str] | None = None) -> str:
    """A digest of what a buyer ordered: currency, total, and of each line key, article, quantity and total.

    Numbers are compared as numbers (``2.000`` is ``2``); the sequence of lines is none of it. ``keys`` are the line
    keys that count; None: all.
    """
    text = "\n".join(f"{name}={value}" for name, value in compared(order, keys).items())
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def compared(order: Mapping[str, Any], keys: Sequence[str] | None = None) -> dict[str, str]:
    """What `fingerprint` is of, by name, in a fixed sequence."""
    found: dict[str, str] = {}
    if order.get("total") is not None:
        found["total"] = f"{_number(order['total']['amount'])} {order['total']['currency']}"
    for row in sorted(order.get("lines") or (), key=lambda row: str(row["key"])):
        if keys is not None and row["key"] not in keys:
            continue
        found[f"line {row['key']} quantity"] = _number(row["quantity"]["value"])
        found[f"line {row['key']} total"] = _number(row["total"]["amount"])
        if row.get("variant") is not None:
            found[f"line {row['key']} variant"] = row["variant"]
    return found


def apart(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """What the receiver holds otherwise, in words with figures; empty when the fingerprints agree.

    A receiver that tells no lines is compared on the total alone, one that tells no total on the lines.
    """
    said = {name for name in ("total", "lines") if theirs.get(name) is not None and ours.get(name) is not None}
    mine = compared({name: ours[name] for name in said})
    other = compared({name: theirs[name] for name in said})
    found = []
    for name in dict.fromkeys((*mine, *other)):
        if name not in mine:
            found.append(f"{name}: {other[name]} there, none here")
        elif name not in other:
            if not name.endswith(" variant"):
                found.append(f"{name}: {mine[name]} here, none there")
        elif mine[name] != other[name]:
            found.append(f"{name}: {mine[name]} here, {other[name]} there")
    return found


def _number(value: str) -> str:
    number = Decimal(value)
    return f"{number.normalize():f}" if number else "0"


def _spoken(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        if "amount" in value and "currency" in value:
            return f"{value['amount']} {value['currency']}"
        if "value" in value and "unit" in value:
            return f"{value['value']} {value['unit']}"
        named = value.get("sku") or value.get("name") or value.get("key")
        return str(named) if named is not None else "…"
    return str(value)
