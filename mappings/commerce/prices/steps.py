"""The steps from a list's price to a channel's: each is data, and `apply` is the only place that computes.

What surprises here: figures in a step are text that ``Fraction`` reads, so a step that was kept as JSON gives the very
same amount again, years later (P11).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

from msgspec import Struct

from mappings.commerce.prices.money import text
from mappings.commerce.prices.rounding import MODES, Rounding, rounded

Step: TypeAlias = dict[str, Any]
"""``step`` (its name), ``where`` (file:line), what it needs, and ``after``: the amount behind it, exact."""


class State(Struct, frozen=True, kw_only=True):
    """An amount on its way: exact, in a currency and a tax mode; ``floor`` is set once a floor was passed."""

    amount: Fraction
    currency: str
    tax_mode: str
    floor: Fraction | None = None


def first(price: Mapping[str, Any], where: str = "") -> Step:
    """The step that every price begins with: what its list says; ``where`` says why this list."""
    return {
        "step": "list", "amount": price["amount"]["amount"], "currency": price["amount"]["currency"],
        "tax_mode": price["tax_mode"], "list": price["list"], "price": price.get("uid"),
        "after": price["amount"]["amount"], "where": where,
        **{name: price[name] for name in ("group", "min_quantity", "kind", "valid_from", "valid_to")
           if price.get(name) is not None},
    }


def apply(step: Mapping[str, Any], state: State | None) -> State:
    """The amount behind a step.

    list: ``a`` · redenomination, fx: ``p · factor`` · markup: ``p · (1 + by) + plus`` · tax: ``p / (1 + off) ·
    (1 + on)`` · round: the nearest, next higher or lower ``k · size + ending`` · floor: ``max(p, next higher of
    max(map, (cost + handling) / (1 − fee − margin) · (1 + tax)))`` · ceiling, not_above: ``min(p, next lower of
    amount)`` · not_below: ``max(p, next higher of amount)`` · override: the amount. Cost and handling are without tax,
    ``map`` is as advertised.
    """
    name = step["step"]
    if name == "list":
        return State(amount=_f(step["amount"]), currency=step["currency"], tax_mode=step["tax_mode"])
    if state is None:
        raise ValueError(f"a price begins with its list, not with {name!r}")
    p, currency, mode, low = state.amount, state.currency, state.tax_mode, state.floor
    if name in ("redenomination", "fx"):
        p, currency = p * _f(step["factor"]), step["currency"]
    elif name == "markup":
        p = p * (1 + _f(step["by"])) + _f(step["plus"])
    elif name == "tax":
        p, mode = p / (1 + _f(step["off"])) * (1 + _f(step["on"])), step["tax_mode"]
    elif name == "round":
        p = rounded(p, _grid(step))
    elif name == "floor":
        low = rounded(floor_of(step), _grid(step), "up")
        p = max(p, low)
    elif name in ("ceiling", "not_above"):
        p = _lower(p, _f(step["amount"]), _grid(step))
    elif name == "not_below":
        p = max(p, rounded(_f(step["amount"]), _grid(step), "up"))
    elif name == "override":
        p = _f(step["amount"])
    else:
        raise ValueError(f"{name!r} is no step of a price")
    return State(amount=p, currency=currency, tax_mode=mode, floor=low)


def floor_of(step: Mapping[str, Any]) -> Fraction:
    """``max(map, (cost + handling) / (1 − fee − margin) · (1 + tax))`` before it goes up to a price with an ending."""
    kept = 1 - _f(step["fee"]) - _f(step["margin"])
    least = (_f(step["cost"]) + _f(step["handling"])) / kept * (1 + _f(step["tax"]))
    return least if step["map"] is None else max(least, _f(step["map"]))


def replay(steps: Sequence[Mapping[str, Any]]) -> State:
    """The amount that kept steps give, each computed again; raises ValueError where one does not give what it says."""
    state: State | None = None
    for number, step in enumerate(steps, 1):
        state = apply(step, state)
        if text(state.amount) != step["after"] and _f(step["after"]) != state.amount:
            raise ValueError(f"step {number} ({step['step']}) gives {text(state.amount)}, not {step['after']}")
    if state is None:
        raise ValueError("no steps were kept")
    return state


def _lower(value: Fraction, limit: Fraction, grid: Rounding) -> Fraction:
    """``min(value, next lower price)``; the limit itself where no price with the ending lies below it."""
    if value <= limit:
        return value
    lower = rounded(limit, grid, "down")
    return lower if lower <= limit else limit


def _grid(step: Mapping[str, Any]) -> Rounding:
    mode = step.get("mode", MODES[0])
    return Rounding(step=Decimal(step["size"]), ending=Decimal(step["ending"]), mode=mode)


def _f(figure: str) -> Fraction:
    return Fraction(figure)
