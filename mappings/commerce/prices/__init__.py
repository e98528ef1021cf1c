"""Prices as rules: which price of a list holds, and what a channel's price becomes of it, step by step. Pure functions.

``money`` digits and rounding · ``windows`` what holds when · ``lists`` the price of a list · ``taxes`` net, gross and
dated rates · ``currencies`` dated rates of exchange and redenominations · ``rounding`` steps and endings ·
``pipeline`` a channel's price from its list · ``reference`` strike-through prices and prices per unit.
"""

from mappings.commerce.prices.lists import Overlap, breaks, describe, faults, next_change, pick, plain
from mappings.commerce.prices.money import digits, exact, money
from mappings.commerce.prices.taxes import TaxRate, convert, gross, net, rate

__all__ = [
    "Overlap", "TaxRate", "breaks", "convert", "describe", "digits", "exact", "faults", "gross", "money", "net",
    "next_change", "pick", "plain", "rate",
]
