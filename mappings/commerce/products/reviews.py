"""Ratings: what the published reviews of a product say together.

What surprises here: a review that waits for a person, or that one has hidden, counts nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

_TENTH = Decimal("0.1")


def rating(reviews: Iterable[Mapping[str, Any]]) -> tuple[Decimal | None, int]:
    """The mean of the published ratings, ``Σ rating / n`` on the scale 1 to 5 to one decimal, half up; and ``n``.

    No published review: (None, 0), which is not a rating of 0. A review without a status counts as published.
    """
    found = [Decimal(one["rating"]) for one in published(reviews)]
    if not found:
        return None, 0
    return (sum(found, Decimal(0)) / len(found)).quantize(_TENTH, ROUND_HALF_UP), len(found)


def published(reviews: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The reviews that everybody may read, the newest first."""
    shown = [one for one in reviews if one.get("status") in (None, "published")]
    return sorted(shown, key=lambda one: (one["at"], one.get("uid", "")), reverse=True)
