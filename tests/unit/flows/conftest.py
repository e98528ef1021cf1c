"""A small retailer for each test: five empty real systems on loopback, the demo's project, a fresh registry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.databases import registry_url, sqlite_url  # noqa: F401 (fixtures)
from tests.scenario.kept import made
from tests.scenario.world import World, world
from tests.unit.flows.retail import live
from tests.unit.flows.stockroom import Rooms, stockroom


@pytest.fixture
def retail(tmp_path: Path, sqlite_url: str) -> Iterator[World]:  # noqa: F811 (the fixture)
    """The retailer on SQLite."""
    with world(tmp_path, sqlite_url, seed=7) as found:
        yield found


@pytest.fixture
def retail_on_each(tmp_path: Path, registry_url: str) -> Iterator[World]:  # noqa: F811 (the fixture)
    """The retailer on SQLite and on PostgreSQL in turn."""
    with world(tmp_path, registry_url, seed=7) as found:
        yield found


@pytest.fixture
def kettles(tmp_path: Path) -> Iterator[World]:
    """The retailer with ten of KTL-1, in agreement on ERP and shop, on SQLite."""
    with made(tmp_path, ten_kettles) as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def kettles_on_each(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """The same on SQLite and on PostgreSQL in turn."""
    with made(tmp_path, ten_kettles, database=request.param) as found:
        yield found


@pytest.fixture
def room(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rooms]:  # noqa: F811 (fixture)
    """Makes a stockroom on SQLite."""
    with ExitStack() as open_:
        yield lambda **how: open_.enter_context(stockroom(tmp_path, sqlite_url, monkeypatch, **how))


@pytest.fixture
def room_on_each(tmp_path: Path, registry_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rooms]:  # noqa: F811
    """Makes a stockroom on SQLite and on PostgreSQL in turn."""
    with ExitStack() as open_:
        yield lambda **how: open_.enter_context(stockroom(tmp_path, registry_url, monkeypatch, **how))


def ten_kettles(world: World) -> None:
    world.goods("KTL-1", on_hand=10)
    live(world, "erp-kz", "shop-kz")
