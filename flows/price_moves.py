"""The prices that a write moves: what the channel would say of itself before and after, read by its mapping.

What surprises here: native documents write money in their own ways (minor units, text, pairs), so both documents go
back through the channel's inward mapping, and the amounts of the canonical record are compared. Where that mapping
cannot read what is written, the price records themselves are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from flows.routes import Group
from flows.wiring import House
from mappings.commerce.breaker import Effect, Move
from mappings.commerce.prices.currencies import today
from mappings.commerce.prices.money import digits, exact
from mappings.language import Mapping as MappingFile
from registry import Binding, Tx, records

Amounts = dict[str, tuple[Decimal, str, str | None]]
"""Path of a canonical money value → amount, currency, and the tax mode of the record it stands in."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """One amount that moves, and what it was; ``before`` None: there was none."""

    path: str
    before: Decimal | None
    after: Decimal
    currency: str
    was_currency: str | None = None
    tax_mode: str | None = None
    was_tax_mode: str | None = None

    @property
    def first(self) -> bool:
        """Whether there was no price before: none, or the 0 at which some shops open an article."""
        return self.before is None or self.before <= 0

    @property
    def moved(self) -> Decimal:
        """How far, up or down; nothing where it is a first price."""
        return Decimal(0) if self.before is None or self.first else abs(self.after - self.before)


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
    former = [_in_todays_money(house, one) for one in former]
    return {
        uid: [
            _price(path, former[place].get(path), after) for path, after in coming[place].items()
            if former[place].get(path) != after
        ]
        for place, uid in enumerate(uids)
    }


def effect(
    prices: Sequence[Price], *, deletes: bool = False, zeroes: bool = False, counts: bool = True,
    floor: Decimal | None = None,
) -> Effect:
    """What the breaker judges of one write."""
    return Effect(deletes=deletes, zeroes=zeroes, counts=counts, moves=tuple(
        Move(before=one.before, after=one.after, currency=one.currency, was_currency=one.was_currency,
             tax_mode=one.tax_mode, was_tax_mode=one.was_tax_mode, floor=floor)
        for one in prices
    ))


def opens(entity: str, prices: Sequence[Price]) -> bool:
    """Whether a write gives an article its first price and does nothing else: no change that a breaker counts."""
    return entity == "price" and len(prices) > 0 and all(price.first for price in prices)


def _price(path: str, before: tuple[Decimal, str, str | None] | None, after: tuple[Decimal, str, str | None]) -> Price:
    was = (None, None, None) if before is None else before
    return Price(
        path=path, before=was[0], after=after[0], currency=after[1], was_currency=was[1], tax_mode=after[2],
        was_tax_mode=was[2],
    )


def _in_todays_money(house: House, amounts: Amounts) -> Amounts:
    """Amounts of a currency that was redenominated since, in what it became: a planned change of money is no move."""
    return {path: (*in_todays_money(house, amount, currency), mode)
            for path, (amount, currency, mode) in amounts.items()}


def in_todays_money(house: House, amount: Decimal, currency: str) -> tuple[Decimal, str]:
    """An amount of a currency that was redenominated since, and what that became; else as it is."""
    name, factor, _ = today(house.project.fx, currency, house.registry.now())
    return amount if name == currency else exact(Fraction(amount) * factor, digits(name)), name


def _amounts(mapping: MappingFile | None, docs: Sequence[dict[str, Any]], context: dict[str, Any]) -> list[Amounts]:
    found: list[Amounts] = [{} for _ in docs]
    if mapping is not None and mapping.inward:
        for record in mapping.map_inward(docs, _Anything(), context).records:
            found[record.doc].update(_money(record.values, record.entity))
    return found


def _money(
    values: Any, path: str = "", mode: str | None = None
) -> Iterator[tuple[str, tuple[Decimal, str, str | None]]]:
    """Every money value in canonical values, with its path, and the tax mode that stands beside or above it."""
    if isinstance(values, Mapping):
        if values.keys() == {"amount", "currency"} and isinstance(values["amount"], str):
            yield path, (Decimal(values["amount"]), values["currency"], mode)
            return
        mode = values.get("tax_mode") or mode
        for name, value in values.items():
            yield from _money(value, f"{path}.{name}" if path else name, mode)
    elif isinstance(values, list):
        for place, value in enumerate(values):
            yield from _money(value, f"{path}[{place}]", mode)
