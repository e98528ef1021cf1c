"""Prices that look like prices: multiples of a step with an ending, per currency.

What surprises here: a price above nothing never becomes nothing or less, and a price of nothing stays nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Literal, TypeAlias

from mappings.commerce.prices.money import digits

Mode: TypeAlias = Literal["nearest", "up", "down"]
MODES: tuple[Mode, ...] = ("nearest", "up", "down")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rounding:
    """Prices are ``k · step + ending``: step 1000, ending 990 gives 990, 1990, 2990."""

    step: Decimal
    ending: Decimal = Decimal(0)
    mode: Mode = "nearest"
    category: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    where: str = ""


def minor(currency: str) -> Rounding:
    """The currency's own: its minor unit, half up."""
    return Rounding(step=Decimal(1).scaleb(-digits(currency)))


def rounded(value: Fraction, rule: Rounding, mode: Mode | None = None) -> Fraction:
    """The figure ``k · step + ending``, k whole, that is nearest (of two the higher), next above or next below.

    ``k = ⌊(v − ending) / step + ½⌋``, ``⌈(v − ending) / step⌉``, ``⌊(v − ending) / step⌋``. 0 stays 0, a negative value
    is rounded as its opposite; instead of nothing or less for something, the lowest figure above nothing is taken.
    """
    if value == 0:
        return value
    if value < 0:
        return -rounded(-value, rule, mode)
    step, ending = Fraction(rule.step), Fraction(rule.ending)
    places = (value - ending) / step
    mode = rule.mode if mode is None else mode
    k = floor(places + Fraction(1, 2)) if mode == "nearest" else floor(places) if mode == "down" else -floor(-places)
    lowest = floor(-ending / step) + 1
    return max(k, lowest) * step + ending
