"""policies/breaker.yaml: what a channel takes without a person looking first; the row ``*`` is for all others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Final

from flows.setting_files import Row, is_number, one_of
from mappings.commerce.breaker import Breaker, judge
from mappings.language import LintError

KEYS: Final = ("records", "price", "at_least")
EVERY: Final = "*"


def read(
    rows: Mapping[str, Row], channels: Collection[str], errors: list[LintError]
) -> dict[str, Breaker]:
    """Channel → its breaker."""
    breakers: dict[str, Breaker] = {}
    for name, (file, row) in rows.items():
        if name not in channels and name != EVERY:
            file.fail((name,), "unknown-channel", f"found {name!r}", one_of({*channels, EVERY}))
            continue
        if not file.keys((name,), row, KEYS):
            continue
        wrong = [key for key in ("records", "price") if key in row and not (is_number(row[key]) and row[key] >= 0)]
        for key in wrong:
            file.fail((name, key), "share", f"found {row[key]!r}", "a fraction from 0 on, such as 0.3 for 30 %")
        least = row.get("at_least", 0)
        if isinstance(least, bool) or not isinstance(least, int) or least < 0:
            file.fail((name, "at_least"), "at-least", f"found {least!r}", "a whole number of writes from 0 on")
        elif not wrong:
            usual = Breaker()
            breakers[name] = Breaker(
                records=Decimal(row.get("records", usual.records)), price=Decimal(row.get("price", usual.price)),
                at_least=row.get("at_least", usual.at_least),
            )
    return breakers


def example(policy: Mapping[str, Breaker], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Whether ``changed`` of ``known`` records of ``channel`` with these ``prices`` (before, after) would be held."""
    rule = policy.get(given["channel"]) or policy.get(EVERY) or Breaker()
    prices = [(Decimal(before), Decimal(after)) for before, after in given.get("prices", [])]
    verdict = judge(given["changed"], given["known"], prices, rule)
    return {"held": verdict.held, "because": list(verdict.because)}
