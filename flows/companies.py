"""Whose record it is: the systems of one company do not hear of another company's buyers and orders.

What surprises here: nothing is written down per record. A record belongs to the companies of the channels that hold it;
a customer of two companies is one record, and each hears of it. Shipments, returns and decisions follow their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flows.wiring import House
from registry import Tx, holders

OWNED: Final = ("customer", "order")
"""Entities that belong to a company; goods, prices and stock are told wherever they are sold."""


def companies_of(house: House, tx: Tx, entity: str, sources: Mapping[str, str | None]) -> dict[str, set[str]] | None:
    """uid → the companies whose channels hold the record, with that of the channel (``sources``) it comes from.

    None where it makes no difference: other entities, or a retailer of one company. Else one statement.
    """
    if entity not in OWNED or len({channel.company.id for channel in house.project.channels.values()}) < 2:
        return None
    known = house.project.channels
    found = holders(tx, list(sources))
    for uid, source in sources.items():
        if source is not None:
            found[uid].add(source)
    return {uid: {known[name].company.id for name in names if name in known} for uid, names in found.items()}


def hears(house: House, channel: str, companies: set[str] | None) -> bool:
    """Whether a channel hears of a record of these companies."""
    return companies is None or not house.channel(channel).companies.isdisjoint(companies)
