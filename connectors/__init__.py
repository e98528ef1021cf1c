"""How systems speak: native documents in, native documents out. ``CATALOG`` names every platform Serai knows.

What surprises here: a platform's module is imported when its class is asked for, so that this package costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from connectors.base import Connector

_LINES = {
    "feed_google": "connectors.feed:GoogleFeed",
    "feed_google_local": "connectors.feed:GoogleLocalFeed",
    "feed_kaspi": "connectors.feed:PriceListFeed",
    "feed_meta": "connectors.feed:MetaFeed",
    "generic_rest": "connectors.generic_rest:GenericRest",
    "medusa": "connectors.medusa:Medusa",
    "shopify": "connectors.shopify:Shopify",
    "tryton": "connectors.tryton:Tryton",
}


class _Catalog(Mapping[str, type[Connector]]):
    """Platform → connector class, imported on first use."""

    def __getitem__(self, platform: str) -> type[Connector]:
        module, _, name = _LINES[platform].partition(":")
        found: type[Connector] = getattr(import_module(module), name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(_LINES)

    def __len__(self) -> int:
        return len(_LINES)


CATALOG: Mapping[str, type[Connector]] = _Catalog()
"""Every platform, one line each above; wiring asks here and nowhere else."""
