"""Orders over their lives: whatever happened, in whatever order it was told, no unit and no cent is missing."""

from __future__ import annotations

from collections import Counter

from tests.property.order_histories import play
from tests.property.order_world import ACTS

HISTORIES = 1_000
"""`make histories` plays 10,000."""


def test_two_thousand_orders_end_with_every_unit_and_every_minor_unit_in_its_place() -> None:
    """{partial ship, cancel line, refund ± restock, return, edit, duplicate, reorder, late shift}: zero difference."""
    acts, fates = Counter[str](), Counter[str]()
    for seed in range(HISTORIES):
        world, seen, found = play(seed)
        assert found == [], f"seed {seed}"
        acts += world.acts
        fates += seen.fate
    assert all(acts[act] > 100 for act in (*ACTS, "late shift")), acts
    assert all(fates[fate] > 100 for fate in ("applied", "late or repeated", "parked")), fates
