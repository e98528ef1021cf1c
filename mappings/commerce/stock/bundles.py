"""Bundles and cases: variants that hold no stock of their own; their parts are what is counted, reserved and shared.

What surprises here: a case of twelve is a bundle with one part. A part may be a bundle itself; a bundle that holds
itself, however far down, can be put together never.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from mappings.commerce.stock.units import pieces, whole

Parts: TypeAlias = Mapping[str, Decimal]
"""Part → how many of it make one."""


def parts_of(variant: Mapping[str, Any]) -> dict[str, Decimal]:
    """What one unit of a variant record is put together of; nothing for one that has stock of its own.

    A part that stands twice counts twice. A case is one only where it names no components.
    """
    if "components" not in variant and "case" not in variant:
        return {}
    found: dict[str, Decimal] = {}
    for row in variant.get("components") or ():
        found[row["variant"]] = found.get(row["variant"], Decimal(0)) + Decimal(row["quantity"]["value"])
    case = variant.get("case")
    if not found and case is not None:
        found[case["variant"]] = Decimal(case["quantity"]["value"])
    return found


def explode(variant: str, quantity: Decimal, recipes: Mapping[str, Parts]) -> dict[str, Decimal]:
    """Part → units that ``quantity`` of a variant takes: ``Σ over paths of quantity · Π of the numbers on the way``.

    A variant without a recipe is its own part. Raises ValueError naming the way for one that holds itself.
    """
    found: dict[str, Decimal] = {}
    _explode(variant, quantity, recipes, (), found)
    return found


def _explode(
    variant: str, quantity: Decimal, recipes: Mapping[str, Parts], way: tuple[str, ...], found: dict[str, Decimal]
) -> None:
    if variant in way:
        raise ValueError(f"a bundle holds itself: {' > '.join((*way, variant))}")
    recipe = recipes.get(variant)
    if not recipe:
        found[variant] = found.get(variant, Decimal(0)) + quantity
        return
    for part, number in recipe.items():
        _explode(part, pieces(quantity, number), recipes, (*way, variant), found)


def can_make(available: Mapping[str, Decimal], parts: Parts) -> int:
    """How many can be put together: ``min over parts of ⌊available ÷ number⌋``, at least 0; 0 without parts.

    A part that nobody counts is not there.
    """
    if not parts:
        return 0
    return max(0, min(whole(available.get(part, Decimal(0)), number)[0] for part, number in parts.items()))


def makeable_by_location(available: Mapping[str, Mapping[str, Decimal]], parts: Parts) -> dict[str, int]:
    """Location → how many can be put together there: of part → location → units; a bundle leaves from one place."""
    places = dict.fromkeys(place for part in parts for place in available.get(part, ()))
    return {
        place: can_make({part: available.get(part, {}).get(place, Decimal(0)) for part in parts}, parts)
        for place in places
    }
