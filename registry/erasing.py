"""Looking through every table for texts that must not be there, and taking them out, whatever the table is about.

What surprises here: this is the one module that reads whole tables, and knows none of them: what is added later is
looked through too. Text is found as it is, in lower, upper and title case and as JSON writes it; blobs are looked into
after they are unpacked. On SQLite what was deleted stays in the file until it is written anew (``forget_freed``).
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import LargeBinary, Table, Text, and_, func, literal, or_, select

from registry import bulk
from registry.bindings import Binding
from registry.engine import Registry, Tx
from registry.tables import binding, candidate, document, inbox, metadata, outbox, parked

NOT_LOOKED_INTO = {"release_text", "credential"}
"""What people wrote as rules, and what is sealed."""
GONE = "…"
_MOST = 200
"""Needles in one statement: SQLite takes no more than so many conditions at once."""


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A place where one of the texts stands: a row by its primary key, a column, and what is in it."""

    table: str
    column: str
    key: tuple[Any, ...]
    text: str

    @property
    def place(self) -> str:
        """The column's name, for people."""
        return f"{self.table}.{self.column}"


def look_through(tx: Tx, needles: Collection[str], *, part: str = "registry") -> Iterator[Hit]:
    """Every place of this part of the registry in which one of these texts stands."""
    if not needles:
        return
    pattern = _pattern(needles)
    for table in metadata.sorted_tables:
        if table.info.get("part", "registry") != part or table.name in NOT_LOOKED_INTO:
            continue
        keys = [column for column in table.primary_key.columns]
        for column in table.columns:
            if isinstance(column.type, Text):
                for row in _rows_with(tx, table, column, needles):
                    if pattern.search(row[0]):
                        yield Hit(table=table.name, column=column.name, key=tuple(row[1:]), text=row[0])
            elif isinstance(column.type, LargeBinary) and column.type.length is None:
                statement = select(column, *keys).where(column.is_not(None))
                if table.name == "document":
                    statement = select(column, *keys, table.c.packed).where(column.is_not(None))
                for row in tx.rows(statement):
                    text = _unpacked(bytes(row[0]), table.name == "document" and bool(row[-1]))
                    if pattern.search(text):
                        yield Hit(table=table.name, column=column.name, key=tuple(row[1 : 1 + len(keys)]), text=text)


def take_out(tx: Tx, hits: Iterable[Hit], needles: Collection[str]) -> dict[str, int]:
    """Afterwards ``…`` stands in each of these places instead of the texts; how often, by place."""
    pattern = _pattern(needles)
    done: dict[str, int] = {}
    for hit in hits:
        table = metadata.tables[hit.table]
        text = pattern.sub(GONE, hit.text)
        column = table.c[hit.column]
        if isinstance(column.type, LargeBinary):
            changed: Any = text.encode()
            if hit.table == "document":
                changed = zlib.compress(changed, 1)
                tx.run(table.update().where(_is(table, hit.key)).values({column: changed, table.c.packed: True}))
                done[hit.place] = done.get(hit.place, 0) + 1
                continue
        else:
            changed = text
        tx.run(table.update().where(_is(table, hit.key)).values({column: changed}))
        done[hit.place] = done.get(hit.place, 0) + 1
    return done


def cleaned(text: str, needles: Collection[str]) -> str:
    """The text with ``…`` instead of these."""
    return _pattern(needles).sub(GONE, text) if needles else text


def bindings_ever(tx: Tx, uids: Collection[str]) -> list[Binding]:
    """All bindings of these records, also of what is gone from its channel."""
    return [Binding(row) for row in bulk.gather(tx, select(binding), binding.c.uid, uids)]


def bindings_saying(tx: Tx, needles: Collection[str]) -> list[Binding]:
    """The bindings whose contribution or projection holds one of these texts."""
    pattern = _pattern(needles)
    found: dict[tuple[str, str, str], Binding] = {}
    for column in (binding.c["values"], binding.c.told):
        for chunk in _spellings(needles):
            for row in tx.rows(select(binding).where(or_(*(_holds(tx, column, one) for one in chunk)))):
                one = Binding(row)
                if pattern.search(f"{one.values_text} {one.told_text}"):
                    found[one.channel, one.entity, one.external_id] = one
    return list(found.values())


def drop_traces(tx: Tx, items: Collection[tuple[str, str, str]], uids: Collection[str]) -> dict[str, int]:
    """(channel, entity, external id) and their records: afterwards nothing raw is kept of them, by place.

    Raw documents and candidates are gone, parked items hold no document and are closed, open writes no payload; a write
    on its way keeps a payload without contents, which is all that settling needs.
    """
    done = {"document": 0, "candidate": 0, "parked": 0, "outbox": 0}
    by_channel: dict[str, set[str]] = {}
    for channel, _, id in items:
        by_channel.setdefault(channel, set()).update((id, id.split("/")[0]))
    for channel, ids in sorted(by_channel.items()):
        done["document"] += bulk.change(
            tx, document.delete().where(document.c.channel == channel), document.c.external_id, ids
        )
        done["candidate"] += bulk.change(
            tx, candidate.delete().where(candidate.c.channel == channel), candidate.c.external_id, ids
        )
        done["parked"] += bulk.change(
            tx, parked.update().where(parked.c.channel == channel).values(_SILENT), parked.c.external_id, ids
        )
    done["candidate"] += bulk.change(tx, candidate.delete(), candidate.c.uid, uids)
    done["parked"] += bulk.change(tx, parked.update().values(_SILENT), parked.c.record_uid, uids)
    moving = outbox.c.state.in_(("decided", "sent", "accepted", "unknown"))
    done["outbox"] += bulk.change(
        tx, outbox.update().where(moving).values(payload=b'{"doc":{}}'), outbox.c.uid, uids
    )
    done["outbox"] += bulk.change(
        tx, outbox.update().where(~moving).values(payload=None, reason=None), outbox.c.uid, uids
    )
    return done


_SILENT = {"document": None, "value_masked": None, "state": "dismissed", "awaits_id": None, "awaits_entity": None}


def drop_bodies(tx: Tx, items: Collection[tuple[str, str]]) -> int:
    """(channel, external id): afterwards notices of these are hints without a document. Runs where the inbox is."""
    done = 0
    for channel in sorted({channel for channel, _ in items}):
        ids = [id for name, id in items if name == channel]
        statement = inbox.update().where(inbox.c.channel == channel, inbox.c.body.is_not(None)).values(body=None)
        done += bulk.change(tx, statement, inbox.c.external_id, ids)
    return done


def forget_freed(registry: Registry) -> list[Path]:
    """Afterwards the databases hold what their tables hold and nothing that was deleted; the files of SQLite.

    SQLite writes its files anew (VACUUM) and empties the log beside them; PostgreSQL gives dead rows free, and what was
    archived of its log expires with the backups.
    """
    files: list[Path] = []
    for engine, _ in registry._parts():
        with closing(engine.raw_connection()) as conn:
            driver: Any = conn.driver_connection
            if registry.postgres:
                driver.rollback()
                driver.autocommit = True
                with driver.cursor() as cursor:
                    cursor.execute("VACUUM")
                driver.autocommit = False
                continue
            driver.execute("VACUUM")
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            files.append(Path(str(engine.url.database)))
    return [file for name in files for file in (name, Path(f"{name}-wal")) if file.is_file()]


def _pattern(needles: Collection[str]) -> re.Pattern[str]:
    forms = {form for needle in needles for form in (needle, json.dumps(needle)[1:-1],
                                                      json.dumps(needle, ensure_ascii=False)[1:-1])}
    return re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)), re.IGNORECASE)


def _spellings(needles: Collection[str]) -> Iterator[list[str]]:
    forms = {
        form
        for needle in needles
        for case in _cases(needle)
        for form in (case, json.dumps(case)[1:-1], json.dumps(case, ensure_ascii=False)[1:-1])
    }
    ordered = sorted(forms)
    for start in range(0, len(ordered), _MOST):
        yield ordered[start : start + _MOST]


def _cases(needle: str) -> set[str]:
    """The needle in the cases that a database does not fold by itself: SQLite folds letters of ASCII only."""
    if needle.isascii():
        return {needle.lower()}
    return {needle, needle.lower(), needle.upper(), needle.title(), needle.capitalize()}


def _rows_with(tx: Tx, table: Table, column: Any, needles: Collection[str]) -> list[Sequence[Any]]:
    found: dict[tuple[Any, ...], Sequence[Any]] = {}
    for chunk in _spellings(needles):
        statement = select(column, *table.primary_key.columns).where(or_(*(_holds(tx, column, one) for one in chunk)))
        for row in tx.rows(statement):
            found[tuple(row[1:])] = row
    return list(found.values())


def _holds(tx: Tx, column: Any, needle: str) -> Any:
    """That the column holds the text; on SQLite letters of ASCII in any case, on PostgreSQL every letter."""
    if tx.postgres:
        return func.strpos(func.lower(column), literal(needle.lower())) > 0
    return func.instr(func.lower(column), func.lower(literal(needle))) > 0


def _is(table: Table, key: tuple[Any, ...]) -> Any:
    return and_(*(column == value for column, value in zip(table.primary_key.columns, key, strict=True)))


def _unpacked(body: bytes, packed: bool) -> str:
    return (zlib.decompress(body) if packed else body).decode("utf-8", "replace")
