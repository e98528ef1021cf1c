"""Worlds that begin where another one stood: what brings a retailer into agreement is done once for a process.

What surprises here: the first test is given the very world that was made, the later ones copies. A copy has the first
one's registry, systems, books and dice, and a worker, addresses and a clock of its own. It has the project as `world`
writes it, so what is made must leave the project alone.
"""

from __future__ import annotations

import atexit
import pickle
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from deployments.sandbox.engine import System
from tests.databases import fresh_postgres, fresh_sqlite, kept_postgres
from tests.scenario.world import SYSTEMS, World, world


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A world that stands still: its registry (a folder of files, or a database's name), all that people know."""

    registry: Path | str
    state: bytes
    listening: bool


_KEPT: dict[object, Kept] = {}


@contextmanager
def made(
    folder: Path, make: Callable[[World], object], *, database: str = "sqlite", seed: int = 7, **how: Any
) -> Iterator[World]:
    """A world as ``make`` left it; ``how`` is the rest of what `world` takes."""
    how["seed"] = seed
    key = (make, database, *sorted(how.items()))
    kept = _KEPT.get(key)
    with _registry(folder, database, kept) as url, world(folder, url, **how) as found:
        if kept is None:
            make(found)
            _KEPT[key] = _taken(found)
        else:
            _restore(found, kept)
        yield found


@contextmanager
def _registry(folder: Path, database: str, kept: Kept | None) -> Iterator[str]:
    like = None if kept is None else kept.registry
    if isinstance(like, Path):
        shutil.copytree(like, folder, dirs_exist_ok=True)
    with fresh_sqlite(folder, migrated=like is None) if database == "sqlite" else fresh_postgres(like=like) as url:
        yield url


def _taken(found: World) -> Kept:
    for system in SYSTEMS:
        assert found.people.notices_sent(system, 20)
    if found.url.startswith("sqlite"):
        registry: Path | str = _copied(found.folder)
    else:
        for one in (found.desk, found.house):
            one.registry.engine.dispose()       # a database is copied while nobody is connected to it
        registry = kept_postgres(found.url)
    state = {
        "systems": {name: _state(system) for name, system in found.sandbox.systems.items()},
        "world": {name: getattr(found, name) for name in ("placed", "skus", "story")},
        "ahead": found.clock.ahead, "dice": found.dice.getstate(),
    }  # fmt: skip
    listening = any(notices.urls() for notices in found.sandbox.notices.values())
    return Kept(registry=registry, state=pickle.dumps(state), listening=listening)


def _copied(folder: Path) -> Path:
    to = _shelf() / str(len(_KEPT))
    to.mkdir()
    for file in folder.glob("registry*.db"):
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(to / file.name)) as copy:
            source.backup(copy)
    return to


def _restore(found: World, kept: Kept) -> None:
    state = pickle.loads(kept.state)
    found.clock.ahead = state["ahead"]
    found.dice.setstate(state["dice"])
    for name, value in state["world"].items():
        setattr(found, name, value)
    for name, system in found.sandbox.systems.items():
        now = state["systems"][name]
        system._last, system.offline, system.books._entries = now["last"], now["offline"], now["books"]
        for resource, table in system.tables.items():
            table.number, table.rows, table.references = now["tables"][resource]
    if kept.listening:
        found.listen()


def _state(system: System) -> dict[str, Any]:
    return {
        "last": system._last, "offline": system.offline, "books": system.books._entries,
        "tables": {name: (one.number, one.rows, one.references) for name, one in system.tables.items()},
    }  # fmt: skip


@cache
def _shelf() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="serai-worlds-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
