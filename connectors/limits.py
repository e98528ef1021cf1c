"""How much a platform lets one account ask: the token buckets that vendors publish, as facts.

What surprises here: a limit belongs to the account, not to a process, so nothing here counts; the budget port does
(base.py), for all workers together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors.errors import Misconfigured


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """A bucket that holds ``burst`` and grows by ``rate`` a second; ``unit`` says what of: calls, or points of cost."""

    rate: float
    burst: float
    unit: str = "calls"


def read_limits(where: str, rows: Any) -> dict[str, Limit]:
    """Bucket → limit, from ``{rate: 10, burst: 40}`` (one bucket, "") or a map of such rows. Raises Misconfigured."""
    if isinstance(rows, Mapping) and rows and all(isinstance(row, Mapping) for row in rows.values()):
        return {str(bucket): _limit(f"{where}.{bucket}", row) for bucket, row in rows.items()}
    return {"": _limit(where, rows)}


def _limit(where: str, row: Any) -> Limit:
    if not isinstance(row, Mapping) or not {"rate"} <= set(row) <= {"rate", "burst", "unit"}:
        found = ", ".join(map(str, row)) if isinstance(row, Mapping) else repr(row)
        raise Misconfigured(f"{where}: found {found or 'nothing'}; allowed: `rate` (a second), `burst`, `unit`")
    rate = _above_zero(f"{where}.rate", row["rate"])
    burst = _above_zero(f"{where}.burst", row.get("burst", row["rate"]))
    unit = row.get("unit", "calls")
    if unit not in ("calls", "points"):
        raise Misconfigured(f"{where}.unit: found {unit!r}; allowed: calls, points")
    return Limit(rate=rate, burst=max(burst, 1.0), unit=unit)


def _above_zero(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not 0 < value < 1_000_000:
        raise Misconfigured(f"{where}: found {value!r}; allowed: a number above 0, at most a million")
    return float(value)
