"""A private copy of a registry, in which anything may be tried: what a plan rehearses on.

What surprises here: the copy is an SQLite file whatever the original is, taken within one reading transaction, so it
shows one moment. It keeps what decides what channels are told (bindings, records, keys, the outbox, reservations,
modes) and leaves out what does not: documents, lineage, runs, audit, parked items, tokens, notices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine, select, update

from registry.engine import Registry, Tx, open_registry
from registry.tables import hop, metadata, outbox

COPIED = (
    "channel", "mode", "consent", "cursor", "binding", "record", "link", "matchkey", "outbox", "outbox_later",
    "reservation", "escrow", "override", "opt_out",
)  # fmt: skip
_PAGE = 5_000
_UNCLAIMED = update(outbox).where(outbox.c.state.in_(("due", "decided"))).values(claimed_by=None, claimed_until=None)
"""Whoever looks at a page of the original does not work on the copy."""


class Copy(Registry):
    """A registry that goes by the clock of the one it was copied from."""

    def __init__(self, original: Registry, engine: Engine, inbox_engine: Engine) -> None:
        super().__init__(engine, inbox_engine)
        self._original = original

    def now(self) -> datetime:
        """The original's time."""
        return self._original.now()

    def told(self) -> list[tuple[str, str, str, str, str]]:
        """(channel, entity, uid, op, key) of what channels were told in the copy, in that order."""
        with self.read() as tx:
            found = tx.rows(
                select(hop.c.channel, hop.c.entity, hop.c.uid, hop.c.detail, hop.c.key)
                .where(hop.c.direction == "outward").order_by(hop.c.id)
            )  # fmt: skip
        return [(row[0], row[1], row[2], row[3], row[4]) for row in found]


@contextmanager
def copied(original: Registry) -> Iterator[Copy]:
    """A copy of a registry as it is now, gone afterwards. Nothing is written to the original."""
    with TemporaryDirectory(prefix="serai-plan-") as folder:  # readable by its owner only
        plain = open_registry(f"sqlite:///{Path(folder) / 'registry.db'}")
        copy = Copy(original, plain.engine, plain._inbox_engine)
        try:
            metadata.create_all(copy.engine)
            with original.read() as source, copy.write() as target:
                for name in COPIED:
                    _table(source, target, name)
                target.run(_UNCLAIMED)
            yield copy
        finally:
            copy.close()


def _table(source: Tx, target: Tx, name: str) -> None:
    table = metadata.tables[name]
    places = ", ".join("?" for _ in table.columns)
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    plain: Callable[[Any], Any] = _plain if source.postgres else tuple
    cursor = target.conn.connection.cursor()
    try:
        found = source.conn.execution_options(stream_results=True).execute(select(table))
        for page in found.partitions(_PAGE):
            cursor.executemany(
                f'INSERT INTO "{name}" ({names}) VALUES ({places})',  # noqa: S608 — this package's own names
                list(map(plain, page)),
            )
    finally:
        cursor.close()


def _plain(row: Iterable[Any]) -> tuple[Any, ...]:
    """PostgreSQL's driver gives bytes as views of memory, which SQLite's does not take."""
    return tuple(bytes(value) if type(value) is memoryview else value for value in row)
