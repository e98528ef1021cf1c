"""Stock as rules: what there is, what a figure of it means, and what a channel may be told of it. Pure functions.

``allocation`` how a location's free units are divided among channels · ``units`` cases, pieces, steps and packs ·
``ledger`` what is sellable now and what may be promised for a day · ``counting`` when a figure contains an order ·
``freshness`` figures older than they may be · ``bundles`` what can be put together of parts · ``escrow`` what may
still be sold on each channel under hard allocation · ``risk`` how likely pooled channels oversell.
"""

from mappings.commerce.stock.allocation import (
    PRESETS,
    StockPolicy,
    allowed,
    divide,
    divided,
    free,
    problems,
    publish,
    publish_by_location,
)

__all__ = [
    "PRESETS",
    "StockPolicy",
    "allowed",
    "divide",
    "divided",
    "free",
    "problems",
    "publish",
    "publish_by_location",
]
