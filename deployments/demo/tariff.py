"""What Karavan Home asks for an article on each channel, in plain arithmetic: for its opening data and for the judge.

What surprises here: this is written a second time on purpose. ``policies/prices.yaml`` and ``policies/fx.yaml`` say the
same to Serai; nothing of Serai is imported here, so that a rule that Serai reads or computes wrongly shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal

EUR = Decimal(540)
"""KZT for one euro since February 2026."""


def on_market(retail: Decimal) -> Decimal:
    """4 % more, to the nearest price that ends in 90: ``100 k + 90``, at least 90."""
    return max(Decimal(90), _ending(retail * 104 / 100, Decimal(100), Decimal(90)))


def on_amazon(retail: Decimal) -> Decimal:
    """8 % more, to the nearest price that ends in 90."""
    return max(Decimal(90), _ending(retail * 108 / 100, Decimal(100), Decimal(90)))


def on_price_list(retail: Decimal) -> Decimal:
    """5 % more, to the nearest ten tenge: a price list takes whole ones."""
    return max(Decimal(10), _ending(retail * 105 / 100, Decimal(10), Decimal(0)))


def in_plovdiv(retail: Decimal) -> Decimal:
    """Without the VAT of 16 %, in euro, with that of 20 %, to the nearest price that ends in .99."""
    return max(Decimal("0.99"), _ending(retail / Decimal("1.16") / EUR * Decimal("1.20"), Decimal(1), Decimal("0.99")))


def _ending(amount: Decimal, step: Decimal, ending: Decimal) -> Decimal:
    return ((amount - ending) / step).quantize(Decimal(1), ROUND_HALF_UP) * step + ending


ASKED: Mapping[str, tuple[str, Callable[[Decimal], Decimal]]] = {
    "market": ("erp", on_market), "amazon": ("erp", on_amazon), "pricelist": ("erp", on_price_list),
    "shop_bg": ("erp", in_plovdiv),
}
"""System → the ERP whose list its prices follow from, and how; the others ask what their own ERP says."""
