"""Random histories: whatever people and systems do, in the end all agree, nothing is lost, nothing is there twice.

Each is made from its seed; a failure prints it with the story. ``SERAI_TEST_SCENARIOS=n`` plays n histories instead of
the few that always run, ``SERAI_TEST_SEED=s`` begins with seed s.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.databases import fresh_postgres, fresh_sqlite
from tests.scenario.history import History
from tests.scenario.oracle import wrong
from tests.scenario.project import LABEL
from tests.scenario.world import World, world

FIRST = int(os.environ.get("SERAI_TEST_SEED", "1"))
COUNT = int(os.environ.get("SERAI_TEST_SCENARIOS", "4"))
ON_POSTGRES = max(1, COUNT // 4)
MOVES = 45


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_after_any_history_all_agree_and_nothing_is_lost_or_doubled(seed: int, tmp_path: Path) -> None:
    """P1 P2 P3 P4 P5 P6 P10 P15: orders once, stock and prices right, nothing written after that."""
    lossy = seed % 3 == 0
    with fresh_sqlite(tmp_path) as url, world(tmp_path, url, seed, lossy=lossy) as found:
        live(found)
        play(found, label=LABEL if lossy else None)


@pytest.mark.parametrize("seed", range(FIRST + COUNT, FIRST + COUNT + ON_POSTGRES))
def test_after_any_history_on_postgresql_all_agree(seed: int, tmp_path: Path) -> None:
    """P1 P2 P3 P4 P5 P6 P10 P15: the same on the other database."""
    with fresh_postgres() as url, world(tmp_path, url, seed) as found:
        live(found)
        play(found)


def live(found: World) -> None:
    """Three articles, one of them not in the shop yet, one of which there is a single piece."""
    found.goods("KTL-1", on_hand=12)
    found.goods("007", on_hand=1)
    found.goods("1E5", on_hand=5, listed=False)
    found.go_live()


def play(found: World, label: int | None = None) -> None:
    """A history, calm, and what the books say of it."""
    history = History(world=found)
    history.play(MOVES)
    found.restart()
    found.settle_down()
    history.mend()
    said = wrong(found.books(), unlisted=history.unlisted, tampered=history.tampered, label=label)
    assert said == [], found.parked()
    quiet = found.marks()
    found.full_round()
    assert found.writes(quiet) == [], "P4: a complete round after quiescence wrote"
