"""The prices that a planned write moves: what the channel would say of itself before and after, read by its mapping.

What surprises here: native documents write money in their own ways (minor units, text, pairs), so both documents go
back through the channel's inward mapping, and the amounts of the canonical record are compared. Where that mapping
cannot read what is written, the price records themselves are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flows.routes import Group
from flows.wiring import House
from mappings.language import Mapping as MappingFile
from registry import Binding, Tx, records

Amounts = dict[str, tuple[Decimal, str]]
"""Path of a canonical money value → amount and currency."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """One amount that moves, in one currency; ``before`` None: there was none."""

    path: str
    before: Decimal | None
    after: Decimal
    currency: str

    @property
    def moved(self) -> Decimal:
        """How far, up or down; nothing where there was no price before."""
        return Decimal(0) if self.before is None else abs(self.after - self.before)


class _Anything(dict[Any, Any]):
    """References of which every one is known: what is compared here is money, not who refers to whom."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: tuple[str, str]) -> str:
        return key[1]

    def get(self, key: Any, default: Any = None) -> Any:
        """Any reference, by its own id."""
        return key[1]


def prices_of(
    house: House, before: House | None, channel: str, group: Group,
    docs: Mapping[str, tuple[dict[str, Any], dict[str, Any]]], was: Mapping[str, Binding], tx: Tx,
) -> dict[str, list[Price]]:
    """uid → the amounts that differ between a document before and after; orders carry money, and move none."""
    if group.entity not in ("price", "variant", "product"):
        return {}
    mapping = house.of(channel).inward.get(group.mapping.resource)
    old = mapping
    if before is not None and channel in before.project.channels:
        old = before.of(channel).inward.get(group.mapping.resource, mapping)
    context = house.context(channel, house.registry.now())
    uids = list(docs)
    former = _amounts(old, [docs[uid][0] for uid in uids], context)
    coming = _amounts(mapping, [docs[uid][1] for uid in uids], context)
    if group.entity == "price":
        merged = records(tx, uids)
        for place, uid in enumerate(uids):
            if not former[place] and not coming[place] and uid in merged:
                values = was[uid].values if uid in was else None
                former[place] = dict(_money(values or {}))
                coming[place] = dict(_money(merged[uid].values))
    return {
        uid: [
            Price(path=path, before=former[place][path][0] if path in former[place] else None, after=amount,
                  currency=currency)
            for path, (amount, currency) in coming[place].items()
            if path not in former[place] or former[place][path] != (amount, currency)
        ]
        for place, uid in enumerate(uids)
    }


def _amounts(mapping: MappingFile | None, docs: Sequence[dict[str, Any]], context: dict[str, Any]) -> list[Amounts]:
    found: list[Amounts] = [{} for _ in docs]
    if mapping is not None and mapping.inward:
        for record in mapping.map_inward(docs, _Anything(), context).records:
            found[record.doc].update(_money(record.values, record.entity))
    return found


def _money(values: Any, path: str = "") -> Iterator[tuple[str, tuple[Decimal, str]]]:
    """Every money value in canonical values, with its path."""
    if isinstance(values, Mapping):
        if values.keys() == {"amount", "currency"} and isinstance(values["amount"], str):
            yield path, (Decimal(values["amount"]), values["currency"])
            return
        for name, value in values.items():
            yield from _money(value, f"{path}.{name}" if path else name)
    elif isinstance(values, list):
        for place, value in enumerate(values):
            yield from _money(value, f"{path}[{place}]")
