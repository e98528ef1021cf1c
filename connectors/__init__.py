"""How systems speak: native documents in, native documents out. ``CATALOG`` names every platform Serai knows.

What surprises here: a platform's module is imported when its class is asked for, so that this package costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from connectors.base import Connector
from connectors.errors import Misconfigured
from connectors.verified import Verified, read_verified

_LINES = {
    "amazon": "connectors.amazon:Amazon",
    "bitrix24": "connectors.bitrix24:Bitrix24",
    "feed_google": "connectors.feed:GoogleFeed",
    "feed_google_local": "connectors.feed:GoogleLocalFeed",
    "feed_kaspi": "connectors.feed:PriceListFeed",
    "feed_meta": "connectors.feed:MetaFeed",
    "files": "connectors.files:Files",
    "generic_rest": "connectors.generic_rest:GenericRest",
    "medusa": "connectors.medusa:Medusa",
    "odoo": "connectors.odoo:Odoo",
    "shopify": "connectors.shopify:Shopify",
    "sql": "connectors.sql:Sql",
    "tryton": "connectors.tryton:Tryton",
    "tryton_point": "connectors.tryton_point:TrytonPoint",
    "vendure": "connectors.vendure:Vendure",
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


SPEAKS: Mapping[str, str] = {"rest": "generic_rest", "sql": "sql", "files": "files"}
"""What a described system speaks (``speaks:`` in platforms/<name>.yaml; rest when it does not say) → its platform."""


def speaker(description: Mapping[str, Any]) -> str:
    """The platform of CATALOG behind a description. Raises Misconfigured."""
    word = description.get("speaks", "rest")
    if word not in SPEAKS:
        raise Misconfigured(f"speaks: found {word!r}; allowed: {', '.join(SPEAKS)}")
    return SPEAKS[word]


CATALOG: Mapping[str, type[Connector]] = _Catalog()
"""Every platform, one line each above; wiring asks here and nowhere else."""


DESCRIBED: Mapping[str, Path] = {
    path.stem: path for path in sorted((Path(__file__).parent / "platforms").glob("*.yaml"))
}
"""Platforms that need no Python, by name: the descriptions that come with Serai. A project's own wins."""


def platforms() -> list[str]:
    """Every platform a channel may name without describing it."""
    return sorted((set(CATALOG) | set(DESCRIBED)) - set(SPEAKS.values()))


def verified(platform: str, description: Mapping[str, Any] | None) -> Verified:
    """What the platform was held against: a described one says so itself."""
    if description is not None:
        return read_verified(f"platforms/{platform}.yaml: verified", description.get("verified"))
    return CATALOG[platform].verified if platform in CATALOG else Verified()
