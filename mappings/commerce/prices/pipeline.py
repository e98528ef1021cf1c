"""A channel's price: what its list says, taken through the channel's own rules, one kept step at a time.

What surprises here:

* Each step is data that holds everything it needs (`steps.apply` makes the amount of it again), so what was kept of a
  published price proves it (`steps.replay`) whatever rules hold by then.
* Nothing is rounded before the rounding step. Floor and ceiling keep to the same steps and endings: a floor goes up to
  the next such price, a ceiling down.
* What cannot be decided is held, with the reason: no rate, no cost, prices that contradict each other, a floor above a
  ceiling. A held price is not sent; the channel keeps what it shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Protocol, TypeAlias, TypeVar

from mappings.commerce.prices.currencies import NO_FX, Fx, factor as fx_factor, formerly, today
from mappings.commerce.prices.lists import COST, Overlap, Price, breaks, describe, pick
from mappings.commerce.prices.money import digits, exact, text
from mappings.commerce.prices.rounding import Rounding, minor
from mappings.commerce.prices.steps import State, Step, apply, first
from mappings.commerce.prices.taxes import TaxRate, rate
from mappings.commerce.prices.windows import Dated, edges, in_force


@dataclass(frozen=True, kw_only=True, slots=True)
class Markup:
    """The price is multiplied by ``1 + by`` (a markdown is below 0), then ``plus`` is added, in the list's tax mode."""

    by: Decimal = Decimal(0)
    plus: Decimal = Decimal(0)
    category: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    where: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Floor:
    """Never below cost: ``fee`` is the part of the price that the channel keeps, ``margin`` the part that must be left.

    ``cost_list`` is the list whose prices of kind cost count; None: the variant's own cost.
    """

    fee: Decimal = Decimal(0)
    margin: Decimal = Decimal(0)
    cost_list: str | None = None
    category: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    where: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ceiling:
    """Never above ``amount``, or above the price of the list ``price_list``."""

    amount: Decimal | None = None
    price_list: str | None = None
    category: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    where: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pipeline:
    """How a channel's price follows from a list. ``tax_mode`` None: as the list says it.

    ``list_company`` is whose tax is in the list's gross prices, ``list_currency`` in which currency the list is read
    (None: the channel's own); ``written`` says that a person wrote the row, not that all is as the company has it.
    """

    channel: str
    company: str
    country: str
    price_list: str
    currency: str
    list_company: str
    list_currency: str | None = None
    group: str | None = None
    tax_mode: str | None = None
    markups: Sequence[Markup] = ()
    roundings: Mapping[str, Sequence[Rounding]] = field(default_factory=dict)
    floors: Sequence[Floor] = ()
    ceilings: Sequence[Ceiling] = ()
    not_above: tuple[str, ...] = ()
    not_below: tuple[str, ...] = ()
    taxes: Sequence[TaxRate] = ()
    list_taxes: Sequence[TaxRate] = ()
    fx: Fx = NO_FX
    where: str = ""
    written: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Priced:
    """What a channel is to show: ``amount`` in ``currency`` and ``tax_mode``, of the record ``price``, by ``steps``.

    ``floor`` is the lowest that the rules would let it show; None: there is no such rule.
    """

    amount: Decimal
    currency: str
    tax_mode: str
    price: Price
    steps: tuple[Step, ...]
    floor: Decimal | None = None
    breaks: tuple[tuple[Decimal, Decimal], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """Why no price may go out; ``rule`` is its short name, ``remedy`` what a person can do."""

    reason: str
    rule: str
    remedy: str
    steps: tuple[Step, ...] = ()


Override: TypeAlias = tuple[Decimal, str, str]
"""What a person said that the price is for now: amount, currency, and who said it until when and why."""


class Ruled(Protocol):
    """A dated rule that may be for one category only."""

    @property
    def category(self) -> str | None:
        """The category it is for; None: every other."""

    @property
    def start(self) -> datetime | None:
        """See windows.Dated."""

    @property
    def end(self) -> datetime | None:
        """See windows.Dated."""


class Ruling(Dated, Protocol):
    """A dated rule that says where it stands."""

    @property
    def where(self) -> str:
        """File and line."""


R = TypeVar("R", bound=Ruled)


class _Hold(Exception):
    def __init__(self, reason: str, rule: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason, self.rule, self.remedy = reason, rule, remedy


def price(
    pipeline: Pipeline, prices: Sequence[Price], variant: Mapping[str, Any], at: datetime, *,
    others: Mapping[str, Sequence[Decimal]] | None = None, override: Override | None = None,
) -> Priced | Held | None:
    """The channel's price of a variant at a moment; None: its list has no price that holds then.

    ``list → redenomination → fx → markup → tax → rounding → floor → ceiling → not above, not below``. ``prices`` are
    all price records of the variant; ``others`` channel → the prices it may be showing, in this channel's currency and
    tax mode; ``override`` what a person said the price is for now: it is the last step, no rule changes it.
    """
    try:
        chosen = _chosen(pipeline, prices, at, Decimal(1))
        if chosen is None:
            return None
        if not pipeline.written and override is None and not pipeline.fx.redenominations:
            return _as_listed(pipeline, chosen, prices, at)
        steps, state, floor = _run(pipeline, chosen, prices, variant, at, others or {}, override)
        ladder = [] if override is not None else [
            (least, _run(pipeline, row, prices, variant, at, others or {}, None)[1].amount)
            for least in breaks(prices, pipeline.price_list, _text(at), group=pipeline.group)
            if (row := _chosen(pipeline, prices, at, least)) is not None and row is not chosen
        ]
    except Overlap as fault:
        return Held(reason=str(fault), rule="overlap", remedy="end one of them where the prices are kept")
    except _Hold as fault:
        return Held(reason=fault.reason, rule=fault.rule, remedy=fault.remedy)
    places = max(digits(state.currency), _places(state.amount))
    return Priced(
        amount=exact(state.amount, places), currency=state.currency, tax_mode=state.tax_mode, price=chosen,
        steps=tuple(steps), floor=None if floor is None else exact(floor, digits(state.currency)),
        breaks=tuple((least, exact(amount, digits(state.currency))) for least, amount in ladder),
    )


def _as_listed(pipeline: Pipeline, chosen: Price, prices: Sequence[Price], at: datetime) -> Priced:
    """What a channel without rules shows: its list. Most channels have none, so nothing is computed for them."""
    ladder = [
        (least, Decimal(row["amount"]["amount"]))
        for least in breaks(prices, pipeline.price_list, _text(at), currency=pipeline.currency)
        if (row := _chosen(pipeline, prices, at, least)) is not None and row is not chosen
    ]
    return Priced(
        amount=Decimal(chosen["amount"]["amount"]), currency=chosen["amount"]["currency"],
        tax_mode=chosen["tax_mode"], price=chosen, steps=(first(chosen, pipeline.where),), breaks=tuple(ladder),
    )


def moments(pipeline: Pipeline, after: datetime) -> list[datetime]:
    """When rules that this channel's prices follow from begin or end: each makes all its prices due."""
    return sorted({at for at, _ in turns(pipeline, after)})


def turns(pipeline: Pipeline, after: datetime) -> list[tuple[datetime, str]]:
    """(moment, where the rule stands) of each rule that begins or ends after a moment, the next first."""
    rules: list[Ruling] = [
        *pipeline.markups, *pipeline.floors, *pipeline.ceilings, *pipeline.taxes, *pipeline.list_taxes,
        *pipeline.fx.rates, *(rule for rules in pipeline.roundings.values() for rule in rules),
    ]
    found = {(at, rule.where) for rule in rules for at in edges([rule], after)}
    found |= {(one.at, one.where) for one in pipeline.fx.redenominations if one.at > after}
    return sorted(found)


def ruled(rules: Sequence[R], category: str | None, at: datetime) -> R | None:
    """The rule for the category that holds, else the one for every category."""
    if not rules:
        return None
    own = in_force([rule for rule in rules if rule.category is not None and rule.category == category], at)
    return own if own is not None else in_force([rule for rule in rules if rule.category is None], at)


def _chosen(pipeline: Pipeline, prices: Sequence[Price], at: datetime, quantity: Decimal) -> Price | None:
    """The list's price in the currency that the channel reads it in, or that has become this currency."""
    wanted = pipeline.list_currency or pipeline.currency
    if not pipeline.fx.redenominations:
        return pick(prices, pipeline.price_list, _text(at), currency=wanted, group=pipeline.group, quantity=quantity)
    now, _, _ = today(pipeline.fx, wanted, at)
    held = [price for price in prices if price["amount"]["currency"] in {wanted, *formerly(pipeline.fx, now, at)}]
    for currency in (now, None):      # a price already written in the new currency goes before one in the old
        found = pick(held, pipeline.price_list, _text(at), currency=currency, group=pipeline.group, quantity=quantity)
        if found is not None:
            return found
    return None


def _run(
    pipeline: Pipeline, chosen: Price, prices: Sequence[Price], variant: Mapping[str, Any], at: datetime,
    others: Mapping[str, Sequence[Decimal]], override: Override | None,
) -> tuple[list[Step], State, Fraction | None]:
    steps: list[Step] = [first(chosen, pipeline.where)]
    state = apply(steps[0], None)

    def then(step: Step) -> None:
        nonlocal state
        state = apply(step, state)
        steps.append({**step, "after": text(state.amount)})

    category, taxed = variant.get("category"), variant.get("tax_category")
    currency, divided, where = today(pipeline.fx, state.currency, at)
    if currency != state.currency:
        then({"step": "redenomination", "factor": text(divided), "currency": currency, "where": where})
    wanted, _, _ = today(pipeline.fx, pipeline.currency, at)
    if wanted != state.currency:
        then({"step": "fx", "factor": text(_rate(pipeline, state.currency, wanted, at)[0]), "currency": wanted,
              "where": _rate(pipeline, state.currency, wanted, at)[1]})
    markup = ruled(pipeline.markups, category, at)
    if markup is not None:
        then({"step": "markup", "by": str(markup.by), "plus": str(markup.plus), "where": markup.where})
    mode = pipeline.tax_mode or state.tax_mode
    tax = _tax(pipeline, state.tax_mode, mode, taxed, at)
    if tax is not None:
        then(tax)
    if override is not None:
        amount, said, who = override
        if said != wanted:
            raise _Hold(f"somebody set a price in {said}, and {pipeline.channel} shows {wanted}", "override",
                        f"set it in {wanted}, or end it")
        then({"step": "override", "amount": str(amount), "where": who})
        return steps, state, None
    grid = ruled(pipeline.roundings.get(wanted, ()), category, at) or minor(wanted)
    shape = {"size": str(grid.step), "ending": str(grid.ending)}
    if grid.where != "" or _places(state.amount) > digits(wanted):
        then({"step": "round", **shape, "mode": grid.mode, "where": grid.where or "the currency's minor unit"})
    floor = ruled(pipeline.floors, category, at)
    lowest = None
    if floor is not None:
        then({**_floor(pipeline, floor, prices, variant, at, wanted, mode), **shape})
        lowest = state.floor
    ceiling = ruled(pipeline.ceilings, category, at)
    if ceiling is not None:
        limit = _ceiling(pipeline, ceiling, prices, variant, at, wanted, mode)
        if limit is not None:
            then({"step": "ceiling", "amount": text(limit), **shape, "where": ceiling.where})
    for name, channels, least in (("not_above", pipeline.not_above, min), ("not_below", pipeline.not_below, max)):
        for channel in channels:
            if others.get(channel):
                then({"step": name, "channel": channel, "amount": str(least(others[channel])), **shape,
                      "where": pipeline.where})
    if lowest is not None and state.amount < lowest:
        raise _Hold(
            f"the floor {text(lowest)} {wanted} is above what other rules allow, {text(state.amount)} {wanted}",
            "floor",
            f"change the floor, the ceiling or not_above of {pipeline.channel} in policies/prices.yaml",
        )
    return steps, state, lowest


def _rate(pipeline: Pipeline, base: str, quote: str, at: datetime) -> tuple[Fraction, str]:
    found = fx_factor(pipeline.fx, base, quote, at)
    if found is None:
        raise _Hold(f"no rate from {base} to {quote} holds", "fx", f"write {base}/{quote} into policies/fx.yaml")
    return found


def _tax_rate(
    pipeline: Pipeline, rates: Sequence[TaxRate], company: str, category: str | None, at: datetime
) -> TaxRate:
    found = rate(rates, company, category, at)
    if found is None:
        raise _Hold(f"no tax rate holds for the category {category or 'without name'} of {company}", "tax",
                    f"write the rate of {pipeline.country} into policies/taxes.yaml")
    return found


def _tax(pipeline: Pipeline, of: str, to: str, category: str | None, at: datetime) -> Step | None:
    """The step from the list's tax mode to the channel's: off with the list's own rate, on with the channel's."""
    if of == to and (to == "net" or pipeline.list_company == pipeline.company):
        return None
    off, on, where = Decimal(0), Decimal(0), ""
    if of == "gross":
        found = _tax_rate(pipeline, pipeline.list_taxes, pipeline.list_company, category, at)
        off, where = found.rate, found.where
    if to == "gross":
        found = _tax_rate(pipeline, pipeline.taxes, pipeline.company, category, at)
        on, where = found.rate, found.where
    return {"step": "tax", "off": str(off), "on": str(on), "tax_mode": to, "where": where}


def _floor(
    pipeline: Pipeline, floor: Floor, prices: Sequence[Price], variant: Mapping[str, Any], at: datetime, currency: str,
    mode: str,
) -> Step:
    """The floor's inputs in the channel's currency. A cost that is unknown or nothing holds the price."""
    cost = _money_in(pipeline, _cost(floor, prices, variant, at), currency, at)
    if cost is None or cost <= 0:
        raise _Hold(
            f"the cost is {'unknown' if cost is None else 'nothing'}, so the lowest price is not known", "cost",
            "say what it costs " + ("on the variant" if floor.cost_list is None else f"on the list {floor.cost_list}")
            + " where it is kept; the price goes out by itself then",
        )
    handling = _money_in(pipeline, variant.get("handling"), currency, at)
    advertised = _money_in(pipeline, variant.get("map"), currency, at)
    tax = Decimal(0)
    if mode == "gross":
        tax = _tax_rate(pipeline, pipeline.taxes, pipeline.company, variant.get("tax_category"), at).rate
    return {
        "step": "floor", "cost": text(cost), "handling": text(handling or Fraction(0)), "fee": str(floor.fee),
        "margin": str(floor.margin), "tax": str(tax), "map": None if advertised is None else text(advertised),
        "where": floor.where,
    }


def _cost(floor: Floor, prices: Sequence[Price], variant: Mapping[str, Any], at: datetime) -> Any:
    if floor.cost_list is None:
        return variant.get("cost")
    found = pick(prices, floor.cost_list, _text(at), kind=COST)
    return None if found is None else found["amount"]


def _money_in(pipeline: Pipeline, money: Any, currency: str, at: datetime) -> Fraction | None:
    if money is None:
        return None
    base, divided, _ = today(pipeline.fx, money["currency"], at)
    return Fraction(money["amount"]) * divided * _rate(pipeline, base, currency, at)[0]


def _ceiling(
    pipeline: Pipeline, ceiling: Ceiling, prices: Sequence[Price], variant: Mapping[str, Any], at: datetime,
    currency: str, mode: str,
) -> Fraction | None:
    if ceiling.amount is not None:
        return Fraction(ceiling.amount)
    found = pick(prices, str(ceiling.price_list), _text(at), group=pipeline.group)
    if found is None:
        return None
    amount = _money_in(pipeline, found["amount"], currency, at)
    step = _tax(pipeline, found["tax_mode"], mode, variant.get("tax_category"), at)
    if amount is None or step is None:
        return amount
    return apply(step, State(amount=amount, currency=currency, tax_mode=found["tax_mode"])).amount


def _places(value: Fraction) -> int:
    """Digits behind the point that the value needs; more than any currency has where it never ends."""
    below, places = value.denominator, 0
    while below != 1 and places < 12:
        places += 1
        below = (value * 10**places).denominator
    return places


def _text(at: datetime) -> str:
    return at.isoformat()


def named(found: Priced | Held | None) -> str:
    """The outcome in words: the price and the record it comes from, or why there is none."""
    if found is None:
        return "no price holds"
    if isinstance(found, Held):
        return f"held: {found.reason}"
    return f"{found.amount} {found.currency} {found.tax_mode}, from {describe(found.price)}"
