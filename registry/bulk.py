"""Many rows in few statements: the only module that speaks to the drivers themselves.

What surprises here:

* PostgreSQL: above a few dozen rows they go by COPY: straight into the table where they are known to be new, else into
  a temporary table and from there in one ``INSERT … SELECT`` or ``UPDATE … FROM``. The UPDATE also asks for its keys as
  ``= ANY(array)``: without that the planner, knowing nothing of a temporary table, may read the whole target.
* Keys are asked for by an array that the planner cannot look into: it would weigh each of them, which takes longer than
  to look most of them up, and of too many it would rather read the whole table.
* SQLite: ``executemany``; inside one transaction that is as fast as it gets.
* Rows are written in the order of their key, so that two transactions meeting on the same rows queue instead of
  deadlocking; of two rows with one key the last counts, on both dialects.
* Clauses given as text are SQL that both dialects read: ``excluded.x`` is the row that came, ``table.x`` the one there.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from operator import itemgetter, lt
from typing import Any, Literal, TypeAlias

from psycopg2.extras import execute_values
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Delete,
    Integer,
    Text,
    Update,
    any_,
    bindparam,
    cast,
    func,
    select,
)

from registry.codec import encode, holdable
from registry.engine import AnyRow, AnySelect, Tx, Unholdable

CHUNK = 1_000
"""Keys in one ``= ANY(array)``: above it plans were seen to flip to reading whole tables."""
BETWEEN = "\x1f"
"""Between the keys of a list that is sent as one text; a list with such a key is sent as a list."""
Form: TypeAlias = Literal["json", "joined", "list"]
_COPY_FROM = 64
_NAME = re.compile(r":(\w+)")
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})

Rows: TypeAlias = Sequence[tuple[Any, ...]]
Turned: TypeAlias = Sequence[tuple[Any, ...]]
"""Rows column by column."""


def chunks(keys: Collection[Any]) -> Iterator[list[Any]]:
    """The distinct keys in lists of at most ``CHUNK``, in order; nothing for none."""
    distinct = list(dict.fromkeys(keys))
    for start in range(0, len(distinct), CHUNK):
        yield distinct[start : start + CHUNK]


def within(tx: Tx, column: ColumnElement[Any], keys: Collection[Any]) -> ColumnElement[bool]:
    """``column`` is one of ``keys``, in the form whose plan cannot flip: an array, or a JSON list on SQLite."""
    form, sent = _sent(tx, keys)
    return _one_of(column, form, partial(bindparam, None, sent))


def gather(tx: Tx, statement: AnySelect, column: ColumnElement[Any], keys: Collection[Any]) -> list[AnyRow]:
    """Rows of ``statement`` whose ``column`` is one of ``keys``: one statement per 1,000 keys, none for none."""
    found: list[AnyRow] = []
    for chunk in chunks(keys):
        found += tx.rows(statement.where(within(tx, column, chunk)))
    return found


def change(tx: Tx, statement: Update | Delete, column: ColumnElement[Any], keys: Collection[Any]) -> int:
    """Runs an UPDATE or DELETE on the rows whose ``column`` is one of ``keys``; the number of rows it touched."""
    return sum(tx.run(statement.where(within(tx, column, chunk))) for chunk in chunks(keys))


class Keyed:
    """A statement for many keys, built once: SQLAlchemy takes ten times as long to build one as to run it.

    It reads or changes the rows whose ``column`` is one of the keys, one statement per 1,000 of them; its other values
    stand in it as ``bindparam`` and are given at each call.
    """

    __slots__ = ("_statements",)

    def __init__(self, statement: AnySelect | Update | Delete, column: Column[Any]) -> None:
        given = partial(bindparam, "keys")
        self._statements = {form: statement.where(_one_of(column, form, given)) for form in ("json", "joined", "list")}

    def rows(self, tx: Tx, keys: Collection[Any], **values: Any) -> list[AnyRow]:
        """The rows it finds; none for no keys."""
        found: list[AnyRow] = []
        for chunk in chunks(keys):
            found += tx.rows(*self._of(tx, chunk, values))
        return found

    def run(self, tx: Tx, keys: Collection[Any], **values: Any) -> int:
        """The number of rows it touched."""
        return sum(tx.run(*self._of(tx, chunk, values)) for chunk in chunks(keys))

    def _of(self, tx: Tx, keys: list[Any], values: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        form, sent = _sent(tx, keys)
        return self._statements[form], {**values, "keys": sent}


def _sent(tx: Tx, keys: Collection[Any]) -> tuple[Form, Any]:
    """The keys as the database gets them. PostgreSQL's driver quotes a list key by key: one text takes a tenth."""
    listed = list(keys)
    if not tx.postgres:
        return "json", encode(listed)
    joined = BETWEEN.join(map(str, listed))
    return ("joined", joined) if joined and joined.count(BETWEEN) == len(listed) - 1 else ("list", listed)


def _one_of(column: ColumnElement[Any], form: Form, given: Callable[..., Any]) -> ColumnElement[bool]:
    if form == "json":
        return column.in_(select(func.json_each(given(type_=Text)).table_valued("value").c.value))
    kind: ARRAY[Any] = ARRAY(BigInteger()) if isinstance(column.type, Integer) else ARRAY(Text())
    if form == "list":
        return column == any_(given(type_=kind))
    return column == any_(cast(select(func.string_to_array(given(type_=Text), BETWEEN)).scalar_subquery(), kind))


def upsert(
    tx: Tx,
    table: str,
    columns: Sequence[str],
    rows: Rows,
    *,
    key: Sequence[str],
    where: str = "",
    change: Mapping[str, str] | None = None,
    keep: Collection[str] = (),
    unless: str = "",
) -> int:
    """Inserts rows, or changes those that stand there under the same ``key``; the number inserted or changed.

    ``change`` gives column → SQL of the new value (default: every column but ``key`` and ``keep`` takes the value that
    came; an empty mapping: what stands there stays). ``where`` is the predicate of a partial unique index; ``unless``
    leaves rows that stand there and fulfil it unchanged and uncounted. Raises Unholdable, before anything is sent,
    when a text cannot be held.
    """
    if not rows:
        return 0
    places = [columns.index(name) for name in key]
    rows = _in_key_order(rows, places)
    if change is None:
        change = {name: f"excluded.{_q(name)}" for name in columns if name not in key and name not in keep}
    sets = ", ".join(f"{_q(name)} = {sql}" for name, sql in change.items())
    target = f"ON CONFLICT ({_list(key)})" + (f" WHERE {where}" if where else "")
    tail = f"{target} DO UPDATE SET {sets}" if sets else f"{target} DO NOTHING"
    turned = list(zip(*rows, strict=True))
    return _insert(tx, table, columns, turned, f"{tail} WHERE NOT ({unless})" if unless else tail)


def insert(tx: Tx, table: str, columns: Sequence[str], rows: Rows, *, key: Sequence[str] = ()) -> int:
    """Inserts rows that are new, the cheapest way there is; the number inserted.

    With ``key`` in its order, and of two rows with one key the last. A row that breaks a constraint fails the
    transaction; where that means that somebody else was first, it is repeatable.
    """
    if not rows:
        return 0
    if key:
        rows = _in_key_order(rows, [columns.index(name) for name in key])
    said = {
        name: column for name, column in zip(columns, zip(*rows, strict=True), strict=True)
        if column[0] is not None or column.count(None) < len(column)
    }  # fmt: skip
    return _insert(tx, table, list(said), list(said.values()), "")


def update(
    tx: Tx, table: str, key: str, columns: Sequence[str], rows: Rows, *, change: Mapping[str, str] | None = None,
    of: Mapping[str, str] | None = None, where: str = "",
) -> int:
    """Changes rows that stand there; each row is (key value, values of ``columns``…). The number changed.

    ``change`` gives column → SQL in which ``:name`` is the value that came for column ``name``; columns that it does
    not name take the value that came. ``of`` are columns whose value is the same for all rows, where the key is not
    one by itself; ``where`` is what else must be true of a row that stands there. No row is inserted.
    """
    if not rows:
        return 0
    rows = _in_key_order(rows, [0])
    templates = {**{name: f":{name}" for name in columns}, **(change or {})}
    if tx.postgres:
        return _update_postgres(tx, table, key, columns, rows, templates, of or {}, where)
    _check(table, (key, *columns), list(zip(*rows, strict=True)))
    sets = _sets(templates, lambda name: f"?{columns.index(name) + 2}")
    also = "".join(f" AND {_q(name)} = ?{len(columns) + 2 + place}" for place, name in enumerate(of or {}))
    also += f" AND {where}" if where else ""
    statement = f"UPDATE {_q(table)} SET {sets} WHERE {_q(key)} = ?1{also}"  # noqa: S608 — names are this package's own
    return _many(tx, statement, [(*row, *of.values()) for row in rows] if of else rows)


# ── one dialect each ────────────────────────────────────────────────────────────────────────────────────────────────
def _insert(tx: Tx, table: str, columns: Sequence[str], turned: Turned, tail: str) -> int:
    head = f"INSERT INTO {_q(table)} ({_list(columns)})"
    count = len(turned[0])
    if not tx.postgres:
        _check(table, columns, turned)
        marks = ", ".join("?" * len(columns))
        return _many(tx, f"{head} VALUES ({marks}) {tail}", list(zip(*turned, strict=True)))
    if count < _COPY_FROM:
        _check(table, columns, turned)
        with _cursor(tx) as cursor:
            tx.statements += 1
            execute_values(cursor, f"{head} VALUES %s {tail}", list(zip(*turned, strict=True)), page_size=count)
            return int(cursor.rowcount)
    if not tail:
        with _cursor(tx) as cursor:
            tx.statements += 1
            cursor.copy_expert(f"COPY {_q(table)} ({_list(columns)}) FROM STDIN", _copy_text(table, columns, turned))
            return count
    with _staged(tx, table, columns, turned) as (cursor, stage):
        tx.statements += 1
        cursor.execute(f"{head} SELECT {_list(columns)} FROM {stage} {tail}")  # noqa: S608 — this package's own names
        return int(cursor.rowcount)


def _update_postgres(
    tx: Tx, table: str, key: str, columns: Sequence[str], rows: Rows, templates: Mapping[str, str],
    of: Mapping[str, str], where: str,
) -> int:
    sets = _sets(templates, lambda name: f"came.{_q(name)}")
    also = "".join(f" AND {_q(table)}.{_q(name)} = %s" for name in of) + (f" AND {where}" if where else "")
    with _staged(tx, table, (key, *columns), list(zip(*rows, strict=True))) as (cursor, stage):
        tx.statements += 1
        cursor.execute(
            f"UPDATE {_q(table)} SET {sets} FROM {stage} AS came "  # noqa: S608 — names are this package's own
            f"WHERE {_q(table)}.{_q(key)} = came.{_q(key)} "
            f"AND {_q(table)}.{_q(key)} = ANY(ARRAY(SELECT {_q(key)} FROM {stage})){also}",
            tuple(of.values()),
        )
        return int(cursor.rowcount)


class _staged:
    """A temporary table holding the rows; emptied first where this transaction has used it before."""

    def __init__(self, tx: Tx, table: str, columns: Sequence[str], turned: Turned) -> None:
        self._tx, self._table, self._columns, self._turned = tx, table, columns, turned
        self._stage = _q("stage_" + "_".join((table, *(name[:3] for name in columns)))[:55])

    def __enter__(self) -> tuple[Any, str]:
        columns = _list(self._columns)
        body = _copy_text(self._table, self._columns, self._turned)
        cursor = self._cursor = self._tx.conn.connection.cursor()
        cursor.execute(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {self._stage} ON COMMIT DELETE ROWS AS "  # noqa: S608 — own names
            f"SELECT {columns} FROM {_q(self._table)} WITH NO DATA"
        )
        if self._stage in self._tx.staged:
            self._tx.statements += 1
            cursor.execute(f"DELETE FROM {self._stage}")  # noqa: S608 — this package's own name
        self._tx.staged.add(self._stage)
        cursor.copy_expert(f"COPY {self._stage} ({columns}) FROM STDIN", body)
        self._tx.statements += 2
        return cursor, self._stage

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._cursor.close()


def _cursor(tx: Tx) -> Any:
    return tx.conn.connection.cursor()


def _many(tx: Tx, statement: str, rows: Rows) -> int:
    tx.statements += 1
    cursor = tx.conn.connection.cursor()
    try:
        cursor.executemany(statement, rows)
        return int(cursor.rowcount)
    finally:
        cursor.close()


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _in_key_order(rows: Rows, places: Sequence[int]) -> Rows:
    keys = list(map(itemgetter(*places), rows))
    if all(map(lt, keys, keys[1:])):  # most pages come so
        return rows
    last = dict(zip(keys, rows, strict=True))
    return [last[key] for key in sorted(last)]


def _copy_text(table: str, columns: Sequence[str], turned: Turned) -> io.BytesIO:
    """The rows in PostgreSQL's COPY format, converted column by column: a third faster than value by value."""
    text = "\n".join(map("\t".join, zip(*map(_cells, turned), strict=True))) + "\n"
    if "\x00" not in text:
        try:
            return io.BytesIO(text.encode("utf-8"))
        except UnicodeEncodeError:
            pass  # found below, with its row
    _check(table, columns, turned)
    raise AssertionError("unreachable: _check finds what could not be encoded")


def _cells(column: Sequence[Any]) -> Sequence[str]:
    first = column[0]
    if first is column[-1] and column.count(first) == len(column):  # what a page has in common
        return [_cell(first)] * len(column)
    kinds = set(map(type, column))
    if kinds == {str}:
        return [_escaped(value) for value in column] if _special("".join(column)) else column
    if kinds == {int}:
        return list(map(str, column))
    if kinds == {bytes}:
        return ["\\\\x" + value.hex() for value in column]
    return [_cell(value) for value in column]


def _cell(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return _escaped(value)
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    if isinstance(value, bool):
        return "t" if value else "f"
    return str(value)


def _escaped(value: str) -> str:
    return value.translate(_ESCAPES) if _special(value) else value


def _special(text: str) -> bool:
    """Looked for one by one, at the speed of memory: a pattern takes ten nanoseconds for each character."""
    return "\\" in text or "\n" in text or "\r" in text or "\t" in text


def _check(table: str, columns: Sequence[str], turned: Turned) -> None:
    """Raises Unholdable for the first text that PostgreSQL cannot hold: SQLite refuses it too, so that both agree."""
    for name, column in zip(columns, turned, strict=True):
        kinds = set(map(type, column))
        if str not in kinds:
            continue
        if holdable("".join(column if kinds == {str} else [value for value in column if type(value) is str])):
            continue
        row, found = next(
            (place, text) for place, text in enumerate(column) if type(text) is str and not holdable(text)
        )
        what = "the character NUL" if "\x00" in found else "a lone surrogate"
        raise Unholdable(f"{table}.{name}: row {row} holds {what}, which no database holds; park the item", row=row)


def _sets(templates: Mapping[str, str], value: Callable[[str], str]) -> str:
    def put(found: re.Match[str]) -> str:
        return value(found.group(1))

    return ", ".join(f"{_q(name)} = {_NAME.sub(put, sql)}" for name, sql in templates.items())


def _q(name: str) -> str:
    return f'"{name}"'


def _list(names: Sequence[str]) -> str:
    return ", ".join(_q(name) for name in names)
