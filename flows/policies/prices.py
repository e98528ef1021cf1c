"""policies/prices.yaml: how each channel's price follows from a list: rate, markup, tax, rounding, floor, ceiling.

What surprises here: a channel without a row has a pipeline too: its company's list, as it is. Days are those of the
channel's company.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Protocol

from flows.policies import dated
from flows.policies.dated import DatedRow
from flows.policies.taxes import COMPANIES, Taxed, Taxes
from flows.setting_files import Row, SettingsFile, is_number, one_of
from mappings.commerce.prices.currencies import Fx
from mappings.commerce.prices.money import digits
from mappings.commerce.prices.pipeline import Ceiling, Floor, Held, Markup, Pipeline, Priced, price
from mappings.commerce.prices.reference import unit_price
from mappings.commerce.prices.rounding import MODES, Rounding
from mappings.commerce.prices.taxes import MODES as TAX_MODES
from mappings.commerce.prices.windows import begins
from mappings.language import LintError

KEYS: Final = (
    "list", "list_currency", "list_company", "group", "currency", "tax_mode", "markup", "markdown", "round", "floor",
    "ceiling", "not_above", "not_below",
)
MARKUP_KEYS: Final = ("by", "plus", "category")
ROUND_KEYS: Final = ("step", "ending", "mode", "category")
FLOOR_KEYS: Final = ("fee", "margin", "cost", "category")
CEILING_KEYS: Final = ("amount", "list", "category")
NEIGHBOURS: Final = ("not_above", "not_below")
FILE: Final = "policies/prices.yaml"


class Selling(Taxed, Protocol):
    """What is asked of a channel's company."""

    @property
    def id(self) -> str:
        """Its name in companies.yaml."""

    @property
    def currency(self) -> str:
        """ISO 4217."""

    @property
    def price_list(self) -> str:
        """The list it sells from."""


def read(
    rows: Mapping[str, Row], known: Collection[str], errors: list[LintError], *, selling: Mapping[str, Selling],
    companies: Mapping[str, Selling], taxes: Taxes, fx: Fx,
) -> dict[str, Pipeline]:
    """Channel → its pipeline, those without a row too. ``selling``: channel → company, where both can be used."""
    pipelines = {
        name: Pipeline(
            channel=name, company=company.id, country=company.country, price_list=company.price_list,
            currency=company.currency, list_company=company.id, taxes=taxes.of(company.id),
            list_taxes=taxes.of(company.id), fx=fx, where=COMPANIES,
        )
        for name, company in selling.items()
    }
    for name, (file, row) in rows.items():
        if name not in known:
            file.fail((name,), "unknown-channel", f"found {name!r}", one_of(known))
        elif name in selling and file.keys((name,), row, KEYS) and _words(file, name, row, selling, companies):
            pipelines[name] = _pipeline(file, name, row, selling[name], taxes, fx)
    for name, (file, row) in rows.items():
        if isinstance(row, dict) and name in pipelines and pipelines[name].written:
            _neighbours(file, name, row, pipelines)
    return pipelines


def _words(
    file: SettingsFile, name: str, row: Mapping[str, Any], selling: Mapping[str, Selling],
    companies: Mapping[str, Selling],
) -> bool:
    """Whether the plain words of a row can be used; each fault is an error."""
    ok = file.texts((name,), row, ("list", "list_currency", "list_company", "group", "currency", "tax_mode"))
    for key in ("currency", "list_currency"):
        if ok and key in row and not re.fullmatch("[A-Z]{3}", row[key]):
            file.fail((name, key), "currency", f"found {row[key]!r}", "an ISO 4217 code such as KZT")
            ok = False
    if ok and row.get("list_company") is not None and row["list_company"] not in companies:
        file.fail((name, "list_company"), "unknown-company", f"found {row['list_company']!r}", one_of(companies))
        ok = False
    if row.get("tax_mode") is not None and row["tax_mode"] not in TAX_MODES:
        file.fail((name, "tax_mode"), "tax-mode", f"found {row['tax_mode']!r}", f"one of {', '.join(TAX_MODES)}")
        ok = False
    if "markup" in row and "markdown" in row:
        file.fail((name, "markdown"), "markdown", "a price is marked up and down", "one of markup, markdown")
        ok = False
    for key in NEIGHBOURS:
        for place, other in _listed(row, key, name):
            if other not in selling or other == name:
                file.fail(place, "unknown-channel", f"found {other!r}", one_of({*selling} - {name}))
                ok = False
    return ok


def _listed(row: Mapping[str, Any], key: str, name: str) -> list[tuple[tuple[str | int, ...], Any]]:
    """(place, channel) of the channels under a key: one, or a list of them."""
    found = row.get(key)
    if found is None:
        return []
    if isinstance(found, list):
        return [((name, key, place), one) for place, one in enumerate(found)]
    return [((name, key), found)]


def _pipeline(
    file: SettingsFile, name: str, row: Mapping[str, Any], company: Selling, taxes: Taxes, fx: Fx
) -> Pipeline:
    whose = row.get("list_company", company.id)
    currency = row.get("currency", company.currency)
    zone = company.zone
    return Pipeline(
        channel=name, company=company.id, country=company.country, price_list=row.get("list", company.price_list),
        currency=currency, list_company=whose, list_currency=row.get("list_currency"), group=row.get("group"),
        tax_mode=row.get("tax_mode"), markups=_markups(file, name, row, zone),
        roundings=_roundings(file, name, row, zone), floors=_floors(file, name, row, zone),
        ceilings=_ceilings(file, name, row, zone),
        not_above=tuple(one for _, one in _listed(row, "not_above", name)),
        not_below=tuple(one for _, one in _listed(row, "not_below", name)),
        taxes=taxes.of(company.id), list_taxes=taxes.of(whose), fx=fx, where=f"{FILE}:{file.line(name)}", written=True,
    )


def _each(
    file: SettingsFile, path: tuple[str | int, ...], found: Any, keys: Sequence[str], zone: str, what: str,
    make: Callable[[DatedRow], Any], main: str | None = None, required: Sequence[str] = (),
) -> list[Any]:
    """The rules at a path, each made of its row (None: it cannot be); rules of one category do not overlap."""
    rules = []
    for row in dated.rows(file, path, found, keys, zone, main=main, required=required):
        if file.texts(row.path, row.values, ["category"]) and (rule := make(row)) is not None:
            rules.append((row, rule))
    for category in dict.fromkeys(rule.category for _, rule in rules):
        dated.agree(file, [one for one in rules if one[1].category == category], what)
    return [rule for _, rule in rules]


def _markups(file: SettingsFile, name: str, row: Mapping[str, Any], zone: str) -> list[Markup]:
    key = "markdown" if "markdown" in row else "markup"
    if key not in row:
        return []
    sign = -1 if key == "markdown" else 1

    def make(one: DatedRow) -> Markup | None:
        if not dated.numbers(file, one, ["by"], above=Decimal(-1), below=None if sign > 0 else Decimal(1)):
            return None
        if not dated.numbers(file, one, ["plus"]):
            return None
        return Markup(
            by=sign * Decimal(one.values.get("by", 0)), plus=sign * Decimal(one.values.get("plus", 0)),
            category=one.values.get("category"), start=one.start, end=one.end, where=one.where,
        )

    return _each(file, (name, key), row[key], MARKUP_KEYS, zone, f"the {key}", make, main="by")


def _roundings(file: SettingsFile, name: str, row: Mapping[str, Any], zone: str) -> dict[str, list[Rounding]]:
    if "round" not in row:
        return {}
    by_currency = row["round"]
    if not isinstance(by_currency, dict) or not all(re.fullmatch("[A-Z]{3}", str(key)) for key in by_currency):
        file.fail((name, "round"), "shape", f"found {by_currency!r}", "a row per currency: {KZT: {step: 10}}")
        return {}

    def made(currency: str) -> list[Rounding]:
        def make(one: DatedRow) -> Rounding | None:
            if not dated.numbers(file, one, ["step"], above=Decimal(0)) or not dated.numbers(file, one, ["ending"]):
                return None
            step, ending = Decimal(one.values["step"]), Decimal(one.values.get("ending", 0))
            mode = one.values.get("mode", MODES[0])
            if mode not in MODES:
                file.fail((*one.path, "mode"), "mode", f"found {mode!r}", f"one of {', '.join(MODES)}")
                return None
            if not -step < ending < step:
                file.fail((*one.path, "ending"), "ending", f"found {ending}", f"above -{step} and below {step}")
                return None
            for key, value in (("step", step), ("ending", ending)):
                if -int(value.as_tuple().exponent) > digits(currency):
                    file.fail((*one.path, key), "digits", f"found {value}", f"{digits(currency)} digits of {currency}")
                    return None
            return Rounding(step=step, ending=ending, mode=mode, category=one.values.get("category"), start=one.start,
                            end=one.end, where=one.where)

        return _each(file, (name, "round", currency), by_currency[currency], ROUND_KEYS, zone,
                     f"the rounding of {currency}", make, main="step", required=("step",))

    return {currency: made(currency) for currency in by_currency}


def _floors(file: SettingsFile, name: str, row: Mapping[str, Any], zone: str) -> list[Floor]:
    if "floor" not in row:
        return []

    def make(one: DatedRow) -> Floor | None:
        if not dated.numbers(file, one, ["fee", "margin"], least=Decimal(0), below=Decimal(1)):
            return None
        fee, margin = Decimal(one.values.get("fee", 0)), Decimal(one.values.get("margin", 0))
        if fee + margin >= 1:
            file.fail(one.path, "floor", f"fee {fee} and margin {margin} leave nothing of the price",
                      "fee + margin below 1")
            return None
        if not file.texts(one.path, one.values, ["cost"]):
            return None
        return Floor(fee=fee, margin=margin, cost_list=one.values.get("cost"), category=one.values.get("category"),
                     start=one.start, end=one.end, where=one.where)

    return _each(file, (name, "floor"), row["floor"], FLOOR_KEYS, zone, "the floor", make)


def _ceilings(file: SettingsFile, name: str, row: Mapping[str, Any], zone: str) -> list[Ceiling]:
    if "ceiling" not in row:
        return []

    def make(one: DatedRow) -> Ceiling | None:
        if ("amount" in one.values) is ("list" in one.values):
            file.fail(one.path, "ceiling", "a ceiling is an amount or a list", "{amount: 99990} or {list: msrp}")
            return None
        if not dated.numbers(file, one, ["amount"], above=Decimal(0)) or not file.texts(one.path, one.values, ["list"]):
            return None
        amount = one.values.get("amount")
        return Ceiling(amount=None if amount is None else Decimal(amount), price_list=one.values.get("list"),
                       category=one.values.get("category"), start=one.start, end=one.end, where=one.where)

    return _each(file, (name, "ceiling"), row["ceiling"], CEILING_KEYS, zone, "the ceiling", make, main="amount")


def _neighbours(file: SettingsFile, name: str, row: Mapping[str, Any], pipelines: Mapping[str, Pipeline]) -> None:
    """Prices that depend on each other are in one currency and tax mode, and none depends on itself in the end."""
    mine = pipelines[name]
    for key in NEIGHBOURS:
        for place, other in _listed(row, key, name):
            theirs = pipelines[other]
            if (mine.currency, mine.tax_mode) != (theirs.currency, theirs.tax_mode) or (
                mine.tax_mode is None and mine.price_list != theirs.price_list
            ):
                said = [f"{one.channel} is in {one.currency} {one.tax_mode or 'as its list'}" for one in (mine, theirs)]
                file.fail(place, "compare", ", ".join(said), "one currency and one tax_mode")
            if name in _leads_to(other, pipelines):
                file.fail(place, "circle", f"the price of {other} depends on that of {name}", "no circle")


def _leads_to(name: str, pipelines: Mapping[str, Pipeline]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = pipelines[waiting.pop()]
        fresh = {*one.not_above, *one.not_below} - found
        found |= fresh
        waiting += fresh
    return found


def example(policy: Mapping[str, Pipeline], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a ``channel`` shows ``at`` a moment, of ``prices`` of a ``variant``; ``others`` is what other channels show.

    ``amount``, ``currency``, ``tax_mode``, ``floor``, ``unit_price``, ``steps`` (their names); ``held`` is the rule
    that holds it. All null: no price holds.
    """
    pipeline = policy[given["channel"]]
    variant = given.get("variant", {})
    prices = [_money_as_text({"list": pipeline.price_list, **row}) for row in given["prices"]]
    others = {name: [Decimal(amount)] for name, amount in given.get("others", {}).items()}
    found = price(pipeline, prices, _money_as_text(variant), _at(given["at"]), others=others)
    empty = dict.fromkeys(("amount", "currency", "tax_mode", "floor", "unit_price", "held"))
    if isinstance(found, Held):
        return {**empty, "held": found.rule, "reason": found.reason}
    if not isinstance(found, Priced):
        return empty
    return {
        **empty, "amount": found.amount, "currency": found.currency, "tax_mode": found.tax_mode, "floor": found.floor,
        "unit_price": unit_price(found.amount, found.currency, variant.get("net_content")),
        "steps": [step["step"] for step in found.steps],
        "breaks": {str(least): amount for least, amount in found.breaks},
    }


def _at(text: str) -> datetime:
    return begins(text, "UTC")


def _money_as_text(found: Any) -> Any:
    """Canonical values of what a person wrote: exact numbers as text."""
    if isinstance(found, dict):
        return {key: _money_as_text(value) for key, value in found.items()}
    return str(found) if is_number(found) else found
