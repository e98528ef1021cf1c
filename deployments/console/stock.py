"""The console's page of stock: which allocation each channel really has and why; what an article risks by each preset.

What surprises here: the risk is played when somebody asks for an article, so the page without one costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response

from connectors.errors import Misconfigured
from flows.stock_risk import in_words, stock_risk
from flows.wiring import House
from mappings.commerce.stock.allocation import PRESETS

Render = Callable[..., Response]
Sku = Annotated[str, Query(max_length=200)]


def add_pages(app: FastAPI, house: House, render: Render) -> None:
    """Adds ``/stock``."""

    @app.get("/stock")
    def every(request: Request, sku: Sku = "") -> Response:
        found, wrong = None, ""
        if sku.strip():
            try:
                found = stock_risk(house, sku.strip())
            except Misconfigured as fault:
                wrong = str(fault)
        return render(
            request, "stock.html", channels=list(allocations(house).items()), policies=house.project.stock, sku=sku,
            found=found, wrong=wrong, rules=PRESETS,
        )


def allocations(house: House) -> dict[str, str]:
    """Channel → which allocation it really has, in words, of those that show stock."""
    return {name: in_words(house, name) for name in house.project.stock if name in house.settings.channels}
