"""policies/fx.yaml: dated rates of exchange (``EUR/KZT``: what one EUR is in KZT), and planned redenominations.

What surprises here: days begin at midnight UTC; what begins elsewhere is written as a moment with its offset.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from flows.policies import dated
from flows.setting_files import Row, SettingsFile
from mappings.commerce.prices.currencies import Fx, FxRate, Redenomination, factor, today
from mappings.commerce.prices.money import money
from mappings.commerce.prices.windows import begins
from mappings.language import LintError

REDENOMINATIONS: Final = "redenominations"
KEYS: Final = ("rate",)
REDENOMINATION_KEYS: Final = ("currency", "becomes", "divide_by", "at")


def read(rows: Mapping[str, Row], errors: list[LintError]) -> Fx:
    """Every rate and redenomination. The rates of one pair do not overlap; a currency becomes another once."""
    rates: list[FxRate] = []
    planned: list[Redenomination] = []
    for pair, (file, found) in rows.items():
        if pair == REDENOMINATIONS:
            planned = _redenominations(file, found)
            continue
        if not re.fullmatch("[A-Z]{3}/[A-Z]{3}", pair) or pair[:3] == pair[4:]:
            file.fail((pair,), "currency", f"found {pair!r}", f"two currencies such as EUR/KZT, or {REDENOMINATIONS}")
            continue
        if f"{pair[4:]}/{pair[:3]}" in rows and pair > f"{pair[4:]}/{pair[:3]}":
            file.fail((pair,), "overlap", f"{pair[4:]}/{pair[:3]} says the same the other way round", "one of them")
        rules = [
            (row, FxRate(base=pair[:3], quote=pair[4:], rate=Decimal(row.values["rate"]), start=row.start, end=row.end,
                         where=row.where))
            for row in dated.rows(file, (pair,), found, KEYS, "UTC", main="rate", required=("rate",))
            if dated.numbers(file, row, ["rate"], above=Decimal(0))
        ]
        dated.agree(file, rules, f"the rate of {pair}")
        rates += [rule for _, rule in rules]
    return Fx(rates=rates, redenominations=planned)


def _redenominations(file: SettingsFile, found: Any) -> list[Redenomination]:
    planned: list[Redenomination] = []
    if not isinstance(found, list):
        file.fail((REDENOMINATIONS,), "shape", f"found {found!r}", "a list of rows")
        return planned
    for number, row in enumerate(found):
        path = (REDENOMINATIONS, number)
        if not file.keys(path, row, REDENOMINATION_KEYS, REDENOMINATION_KEYS):
            continue
        values = dated.DatedRow(values=row, start=None, end=None, path=path, where=f"{file.name}:{file.line(*path)}")
        if not dated.numbers(file, values, ["divide_by"], above=Decimal(0)):
            continue
        wrong = [name for name in ("currency", "becomes") if not re.fullmatch("[A-Z]{3}", str(row[name]))]
        for name in wrong:
            file.fail((*path, name), "currency", f"found {row[name]!r}", "an ISO 4217 code such as KZT")
        if row["currency"] in {one.currency for one in planned} or row["currency"] == row["becomes"]:
            file.fail(path, "overlap", f"{row['currency']} becomes another currency more than once", "once")
            continue
        try:
            at = begins(str(row["at"]), "UTC")
        except ValueError:
            file.fail((*path, "at"), "date", f"found {row['at']!r}", "a moment such as 2026-01-01T00:00:00+02:00")
            continue
        if not wrong:
            planned.append(Redenomination(
                currency=row["currency"], becomes=row["becomes"], divide_by=Decimal(row["divide_by"]), at=at,
                where=values.where,
            ))
    return planned


def example(policy: Fx, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """``amount`` of ``from`` in ``to`` ``at`` a day or moment, rounded as money, and ``where`` the rate stands."""
    at = begins(given["at"], "UTC")
    base, divided, _ = today(policy, given["from"], at)
    quote, _, _ = today(policy, given["to"], at)
    found = factor(policy, base, quote, at)
    if found is None:
        return {"amount": None, "currency": quote, "where": None}
    there = money(Fraction(given["amount"]) * divided * found[0], quote)
    return {"amount": Decimal(there["amount"]), "currency": quote, "where": found[1]}
