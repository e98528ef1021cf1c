"""Cohorts: named sets of articles for which a channel's rules are others, by SKU, by a field, or by category.

What surprises here: of several cohorts that hold an article the most specific counts: one that names its SKU, then one
that names a value of a field, then one that names its category. Two that name the same thing are a mistake of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Cohort:
    """A named set of articles; ``fields`` are (name, value) of a variant's own field or of its attributes."""

    name: str
    skus: frozenset[str] = frozenset()
    fields: frozenset[tuple[str, str]] = frozenset()
    categories: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Article:
    """What cohorts ask of a variant: its SKU, its category or that of its product, and its fields as text."""

    sku: str
    category: str | None = None
    fields: frozenset[tuple[str, str]] = frozenset()


def article(variant: Mapping[str, Any], product: Mapping[str, Any] | None = None) -> Article:
    """A variant record as cohorts see it; what it does not say itself its product says."""
    above = product or {}
    said = {**_texts(above.get("attributes")), **_texts(variant.get("attributes")), **_texts(variant)}
    category = variant.get("category") or above.get("category")
    return Article(sku=str(variant.get("sku")), category=category, fields=frozenset(said.items()))


def _texts(values: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: value for name, value in (values or {}).items() if isinstance(value, str)}


def precedence(cohort: Cohort, one: Article) -> int:
    """How closely the cohort names the article: 3 by SKU, 2 by a field, 1 by category, 0 not at all."""
    if one.sku in cohort.skus:
        return 3
    if cohort.fields & one.fields:
        return 2
    return 1 if one.category is not None and one.category in cohort.categories else 0


def cohort_of(cohorts: Iterable[Cohort], one: Article) -> Cohort | None:
    """The cohort that names the article most closely, the first of equals; None when none does."""
    found = [(precedence(cohort, one), cohort) for cohort in cohorts]
    best = max((rank for rank, _ in found), default=0)
    return None if best == 0 else next(cohort for rank, cohort in found if rank == best)


def overlaps(cohorts: Iterable[Cohort]) -> list[tuple[str, str, str]]:
    """(cohort, other cohort, what both name) for everything that two cohorts name alike."""
    found = []
    for one, other in combinations(cohorts, 2):
        shared = [*sorted(one.skus & other.skus), *sorted(one.categories & other.categories)]
        shared += [f"{name}: {value}" for name, value in sorted(one.fields & other.fields)]
        found += [(one.name, other.name, what) for what in shared]
    return found
