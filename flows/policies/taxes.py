"""policies/taxes.yaml: the rates of tax by country, company and category, each from a day on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Protocol

from flows.policies import dated
from flows.setting_files import Row, one_of
from mappings.commerce.prices.taxes import TaxRate, rate
from mappings.commerce.prices.windows import begins
from mappings.language import LintError

KEYS: Final = ("rate", "company", "category")
COMPANIES: Final = "companies.yaml"


class Taxed(Protocol):
    """What is asked of a company."""

    @property
    def country(self) -> str:
        """ISO 3166."""

    @property
    def tax(self) -> Decimal:
        """Its rate where no policy says otherwise."""

    @property
    def zone(self) -> str:
        """The zone in which its days begin."""


@dataclass(frozen=True, kw_only=True)
class Taxes:
    """Company → the rates that may hold for it."""

    rates: Mapping[str, Sequence[TaxRate]] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)

    def of(self, company: str) -> Sequence[TaxRate]:
        """The rates of a company's country and its own, that of companies.yaml where none holds always."""
        return self.rates.get(company, ())


def read(rows: Mapping[str, Row], companies: Mapping[str, Taxed], errors: list[LintError]) -> Taxes:
    """Every company's rates. Rates of one country, company and category do not overlap."""
    rates: dict[str, list[TaxRate]] = {name: [] for name in companies}
    for country, (file, found) in rows.items():
        mine = {name: company for name, company in companies.items() if company.country == country}
        if not re.fullmatch("[A-Z]{2}", country) or not mine:
            file.fail((country,), "country", f"found {country!r}",
                      "the country of a company: " + one_of({company.country for company in companies.values()}))
            continue
        for name, company in mine.items():
            rules: list[tuple[dated.DatedRow, TaxRate]] = []
            for row in dated.rows(file, (country,), found, KEYS, company.zone, main="rate", required=("rate",)):
                whose = row.values.get("company")
                if whose is not None and whose not in mine:
                    file.fail((*row.path, "company"), "unknown-company", f"found {whose!r}", one_of(mine))
                if not dated.numbers(file, row, ["rate"], least=Decimal(0), below=Decimal(1)):
                    continue
                if not file.texts(row.path, row.values, ["company", "category"]):
                    continue
                rules.append((row, TaxRate(
                    rate=Decimal(row.values["rate"]), company=whose, category=row.values.get("category"),
                    start=row.start, end=row.end, where=row.where,
                )))
            for place in dict.fromkeys((rule.company, rule.category) for _, rule in rules):
                dated.agree(file, [one for one in rules if (one[1].company, one[1].category) == place], "the rate")
            rates[name] = [rule for _, rule in rules if rule.company in (None, name)]
    errors[:] = list(dict.fromkeys(errors))     # companies of one country read the same rows
    for name, company in companies.items():
        if not any(one.category is None and one.start is None and one.end is None for one in rates[name]):
            rates[name].append(TaxRate(rate=company.tax, where=COMPANIES))
    return Taxes(rates=rates, zones={name: company.zone for name, company in companies.items()})


def example(policy: Taxes, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The ``rate`` for a ``company`` and ``category`` ``at`` a day or moment, and ``where`` it stands."""
    company = given["company"]
    found = rate(policy.of(company), company, given.get("category"), begins(given["at"], policy.zones[company]))
    return {"rate": None if found is None else found.rate, "where": None if found is None else found.where}
