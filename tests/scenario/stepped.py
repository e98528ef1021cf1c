"""The small retailer under hard allocation whose ERP says that every article is sold in steps of two pieces.

What surprises here: shop and marketplace know nothing of steps, as most platforms: a buyer may take one piece of two.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.routes import PlatformMappings, load_mappings
from flows.settings import Project, load_project
from tests.scenario.world import World, world

ITEMS = """\
extends: sandbox_erp/items
platform: sandbox_erp
resource: items
inward: {variant: {step: = 2}}
"""


@contextmanager
def in_twos(tmp_path: Path, url: str, seed: int, *, from_the_start: bool = True) -> Iterator[World]:
    """No goods yet, and nothing is switched on; both selling channels are under hard allocation."""
    with world(tmp_path, url, seed) as found:
        policy = found.desk.project.folder / "policies" / "stock.yaml"
        policy.write_text(policy.read_text(encoding="utf-8").replace("safety: 0", "safety: 0, allocation: hard"),
                          encoding="utf-8")
        found.desk.project = load_project(found.desk.project.folder)
        if from_the_start:
            sell_in_twos(found)
        else:
            found.house.close()
            found.house = found.worker()
        yield found


def sell_in_twos(found: World) -> None:
    """From now on the ERP's articles are sold in steps of two."""
    path = found.desk.project.folder / "mappings" / "sandbox_erp" / "items.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(ITEMS, encoding="utf-8")
    found.desk.mappings = _compiled(found.desk.project)
    found.house.close()
    found.house = found.worker()


_KEPT: dict[str, dict[str, PlatformMappings]] = {}


def _compiled(project: Project) -> dict[str, PlatformMappings]:
    """Compiled once for all tests of the process."""
    if not _KEPT:
        _KEPT["all"] = load_mappings(project)
    return _KEPT["all"]
