"""Forgetting a person outside the registry: the project's logs and texts, and the database of Prefect on this machine.

What surprises here: Prefect's server keeps events for up to five seconds before it writes them (its event persister,
PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL of 3.8.8), and clients hold log lines for two. While it runs, its
database is therefore swept until nothing more of the person has come for longer than that.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from registry.erasing import cleaned

LATE: Final = 6.0
"""Seconds for which something told to Prefect may still be on its way to its database."""
SWEEPS: Final = 10
"""How often at most: who goes on being told to Prefect is found by the proof."""


def clean_files(state: Path, texts: Collection[str]) -> Counter[str]:
    """Takes the texts out of every log, text and Prefect database below the folder; how many of which were changed.

    Afterwards nothing that was told before this call is left there, also what a running Prefect had not written yet.
    """
    removed: Counter[str] = Counter()
    for path in _texts_in(state):
        said = path.read_text(encoding="utf-8", errors="surrogateescape")
        clean = cleaned(said, texts)
        if clean != said:
            with path.open("r+", encoding="utf-8", errors="surrogateescape") as file:      # who appends goes on
                file.write(clean)
                file.truncate()
            removed["logs"] += 1
    databases = _prefect(state)
    removed["prefect"] += sum(_sweep(path, texts) for path in databases)
    for _ in range(SWEEPS):
        running = [path for path in databases if _open_elsewhere(path)]
        if not running:
            break
        time.sleep(LATE)
        late = sum(_sweep(path, texts) for path in running)
        removed["prefect"] += late
        if not late:
            break
    return removed


def left_in_files(state: Path, texts: Collection[str]) -> Iterator[str]:
    """The name of every file, and ``prefect table.column`` of every row, in which one of the texts stands."""
    for path in _texts_in(state):
        said = path.read_text(encoding="utf-8", errors="surrogateescape")
        if cleaned(said, texts) != said:
            yield path.name
    for path in _prefect(state):
        with closing(sqlite3.connect(path, timeout=30)) as conn:
            for table, column in _columns(conn):
                for _ in _saying(conn, table, column, texts):
                    yield f"prefect {table}.{column}"


def _sweep(path: Path, texts: Collection[str]) -> int:
    """Overwrites the texts in a database of Prefect, its free pages and its log included; how many cells spoke."""
    found = 0
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as conn:
        for table, column in _columns(conn):
            for row, value in _saying(conn, table, column, texts):
                _overwrite(conn, table, column, row, cleaned(value, texts))
                found += 1
        conn.execute("VACUUM")
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return found


def _open_elsewhere(path: Path) -> bool:
    """Whether another process has the database open: the last one to close it takes its write-ahead log away."""
    return path.with_name(f"{path.name}-wal").exists()


def _overwrite(conn: sqlite3.Connection, table: str, column: str, row: int, text: str) -> None:
    """Two names that differed by what was taken out of them alone (keys, flows) are told apart by their rows."""
    statement = f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?'  # noqa: S608 — names of its own tables
    try:
        conn.execute(statement, (text, row))
    except sqlite3.IntegrityError:
        conn.execute(statement, (f"{text}-{row}", row))


def _texts_in(state: Path) -> list[Path]:
    return sorted(path for kind in ("*.log", "*.log.*", "*.json", "*.jsonl", "*.txt", "*.html")
                  for path in state.rglob(kind) if path.is_file())


def _prefect(state: Path) -> list[Path]:
    return sorted(path for path in (state / "prefect").rglob("*.db") if path.is_file())


def _columns(conn: sqlite3.Connection) -> list[tuple[str, str]]:
    """(table, column) of everything that may hold text."""
    tables = [row[0] for row in conn.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
    return [
        (table, row[1]) for table in tables for row in conn.execute(f'PRAGMA table_info("{table}")')
        if not re.match(r"(?i)(bigint|integer|boolean|float|blob)", row[2])
    ]


def _saying(conn: sqlite3.Connection, table: str, column: str, texts: Collection[str]) -> list[tuple[int, str]]:
    """(row, text) of a column that says one of these."""
    found = conn.execute(f'SELECT rowid, "{column}" FROM "{table}" WHERE typeof("{column}") = \'text\'')  # noqa: S608 — names of its own tables
    return [(row, value) for row, value in found if cleaned(value, texts) != value]
