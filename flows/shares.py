"""A channel's part of what is there of a variant: divided by policy, less what a person keeps back for a while.

What surprises here: everything is in whole steps of the article, and nothing here knows what channels were told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from decimal import Decimal

from msgspec import Struct

from flows.holdings import Pool
from flows.pledges import pool_of, rivals_of
from mappings.commerce.stock import StockPolicy, divided, free, publish_by_location
from mappings.commerce.stock.allocation import Division, holding_for
from mappings.commerce.stock.units import covering
from registry import OverrideRow


class Dividing(Struct, frozen=True, kw_only=True):
    """How stock is divided, as one channel sees it: among whom, from which places, and which others share with it."""

    channel: str
    policies: Mapping[str, StockPolicy]
    division: Division
    codes: Sequence[str]
    pool: Set[str]
    rivals: Set[str]


def dividing(policies: Mapping[str, StockPolicy], channel: str) -> Dividing:
    """What the parts of a page have in common."""
    rule = policies.get(channel)
    return Dividing(
        channel=channel, policies=policies, division=divided(policies),
        codes=sorted({code for policy in policies.values() for code in policy.locations}),
        pool=pool_of(policies, () if rule is None else rule.locations), rivals=rivals_of(policies, channel),
    )


class Part(Struct, frozen=True, kw_only=True):
    """The channel's part of a variant: ``target`` in all, ``split`` by the code of the place; ``because`` of a person's
    word. ``left`` is what all of the pool may show together, which counts beside others, and where it is ``bounding``
    alone too: something is reserved at no place, or a cohort has rules of its own.
    """

    rule: StockPolicy | None
    sellable: Mapping[str, Decimal]
    reserved: Mapping[str | None, Decimal]
    split: Mapping[str, int]
    target: int
    left: int
    bounding: bool
    because: str | None


def part(of: Dividing, known: Pool, word: OverrideRow | None) -> Part:
    """The channel's part of what is there; ``word`` is what a person decided of the variant."""
    holds = holding_for(of.policies, known.article)
    sellable = {code: known.sellable[code] for code in of.codes if code in known.sellable}
    reserved = {code: units for code, units in known.reserved.items() if code is None or code in of.codes}
    shares = of.division if holds is of.policies else divided(holds)
    split = publish_by_location(sellable, reserved, holds, known.step, shares).get(of.channel, {})
    split, because = _overridden(split, word, known.step)
    target = left = sum(split.values())
    bounding = None in reserved or holds is not of.policies
    if bounding or of.rivals:
        steps = free(sellable, reserved, known.step, known.pools)
        left = sum([number for code, number in steps.items() if code in of.pool])
    return Part(
        rule=holds.get(of.channel), sellable=sellable, reserved=reserved, split=split, target=target, left=left,
        bounding=bounding, because=because,
    )


def _overridden(split: dict[str, int], row: OverrideRow | None, step: Decimal) -> tuple[dict[str, int], str | None]:
    """The split with what a person decided: at most ``most`` units in all, ``safety`` units kept back; and in words."""
    if row is None:
        return split, None
    allowed_now = max(0, sum(split.values()) - covering(Decimal(row.value.get("safety", 0)), step))
    left = min(allowed_now, int(row.value["most"] // step) if "most" in row.value else allowed_now)
    cut = {}
    for code, units in split.items():
        cut[code] = min(left, units)
        left -= cut[code]
    return cut, f"{row.who}: {row.because}, until {row.until.isoformat()}"
