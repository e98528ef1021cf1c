"""The registry's door: opens a database, hands out transactions, keeps the database's clock.

What surprises here:

* Every writing transaction on SQLite is ``BEGIN IMMEDIATE``: a deferred one that upgrades later fails at once with
  SQLITE_BUSY under five writers, an immediate one queues. What is written `ahead` goes before all others (`door.py`).
* The inbox is its own SQLite file with ``synchronous=FULL``, so that a receiver can store a notice durably while the
  registry is locked by a page. On PostgreSQL it is a table beside the others, with transactions of its own.
* ``Registry.now`` is the database's time kept by offset against this machine's monotonic clock.
"""

from __future__ import annotations

import random
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import psycopg2
from sqlalchemy import Connection, Engine, Executable, Row, Select, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError, SQLAlchemyError

from registry import migrations
from registry.codec import micros, moment
from registry.door import Door

if TYPE_CHECKING:
    from registry.inbox import Inbox

T = TypeVar("T")
AnyRow: TypeAlias = Row[Any]
AnySelect: TypeAlias = Select[Any]

_BUSY_SECONDS = 30.0
_ASKS_EVERY = 0.002
"""Seconds between two attempts at SQLite's lock: shorter than those who write page after page take to read one."""
_CLOCK_SECONDS = 60.0
_IDLE_SECONDS = 1.0
"""A connection to PostgreSQL that was used since is taken as it is: to ask costs as much as a small statement."""
_ATTEMPTS = 5
# Every statement of a page asks by key. Of a table that grew since the server last analyzed it, as at a first sync, it
# expects a thousand times as many rows, and would read the table whole or start workers: 20 to 45 ms instead of 1.
_BY_KEY = "-c enable_seqscan=off -c max_parallel_workers_per_gather=0 -c jit=off"
_REPEATABLE = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available
_UNIQUE = "23505"
_AHEAD: ContextVar[bool] = ContextVar("ahead", default=False)
# Rows found to be new are inserted without looking again. Broken, these say that somebody else was first in between:
# run again, the transaction finds what stands there.
_MEETINGS = {
    "one_binding_per_channel_entity_and_external_id",
    "one_record_per_key",
    "one_open_write_per_channel_entity_and_record",
    "one_last_document_per_external_id",
}


class RegistryError(Exception):
    """Something the registry refuses; the message says what to do."""


class LeaseLost(RegistryError):
    """Somebody else holds the lease now, or its time is out: commit nothing, end the stretch."""


class Unholdable(RegistryError):
    """A text that a database cannot hold (NUL, lone surrogate). ``row`` is its position among the rows given."""

    def __init__(self, message: str, *, row: int) -> None:
        super().__init__(message)
        self.row = row


class DatabaseRefused(RegistryError, SQLAlchemyError):
    """The database refused a statement; the transaction is rolled back.

    ``constraint`` names the broken promise where there is one (SQLite names it for checks only). ``repeatable``: the
    same transaction may succeed when it is simply run again (deadlock, serialization failure, locked). The message
    never shows the rows concerned: a driver's own message would.
    """

    def __init__(self, message: str, *, constraint: str | None = None, repeatable: bool = False) -> None:
        super().__init__(message)
        self.constraint = constraint
        self.repeatable = repeatable


class Tx:
    """One transaction. ``statements`` counts those issued so far (one executemany or COPY is one).

    Functions of this package take it first; none of them commits.
    """

    __slots__ = ("_clock", "_stamp", "conn", "postgres", "staged", "statements")

    def __init__(self, conn: Connection, clock: Callable[[], datetime]) -> None:
        self.conn = conn
        self.postgres: bool = conn.dialect.name == "postgresql"
        self.statements = 0
        self.staged: set[str] = set()
        self._clock = clock
        self._stamp: int | None = None

    @property
    def stamp(self) -> int:
        """The transaction's moment by the database's clock, in microseconds; the same at each call."""
        if self._stamp is None:
            self._stamp = micros(self._clock())
        return self._stamp

    @property
    def now(self) -> datetime:
        """The transaction's moment by the database's clock; the same at each call."""
        return moment(self.stamp)

    def rows(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sequence[AnyRow]:
        """All rows of one statement; ``values`` are those of its ``bindparam``s."""
        self.statements += 1
        return self.conn.execute(statement, values).all()

    def run(self, statement: Executable, values: Mapping[str, Any] | None = None) -> int:
        """Runs one statement; the number of rows it touched."""
        self.statements += 1
        return int(self.conn.execute(statement, values).rowcount)


class Registry:
    """One retailer's registry, shared by the threads of one process; never carried over a fork."""

    def __init__(self, engine: Engine, inbox_engine: Engine) -> None:
        from registry.inbox import Inbox  # the inbox hands out transactions of this module

        self.engine = engine
        self.postgres = engine.dialect.name == "postgresql"
        self._inbox_engine = inbox_engine
        self._door = None if self.postgres else Door(str(engine.url.database))
        self._clock: tuple[float, int] | None = None  # (monotonic seconds, the database's microseconds then)
        self.inbox: Inbox = Inbox(self, inbox_engine)

    # ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def now(self) -> datetime:
        """The database's clock (aware, UTC); asked at most once a minute, kept by offset in between."""
        if not self.postgres:  # an embedded database has no other clock than this machine's
            return moment(time.time_ns() // 1000)
        clock = self._clock
        if clock is None or time.monotonic() - clock[0] > _CLOCK_SECONDS:
            with self.engine.connect() as conn:
                began = time.monotonic()
                at = conn.execute(text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")).scalar_one()
                clock = self._clock = ((began + time.monotonic()) / 2, int(at))
        return moment(clock[1] + int((time.monotonic() - clock[0]) * 1_000_000))

    # ── transactions ────────────────────────────────────────────────────────────────────────────────────────────────
    @contextmanager
    def write(self) -> Iterator[Tx]:
        """One writing transaction; commits at the end of the block, rolls back on an exception."""
        door = self._door if _AHEAD.get() else None
        with door.first() if door is not None else nullcontext(), transaction(self.engine, self.now, write=True) as tx:
            yield tx

    @contextmanager
    def ahead(self) -> Iterator[None]:
        """What this thread writes inside the block waits for the transaction under way and for no other.

        For small transactions that a person or a buyer waits for. PostgreSQL has rows to wait for, no queue to skip.
        """
        token = _AHEAD.set(True)
        try:
            yield
        finally:
            _AHEAD.reset(token)

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """One reading transaction with a single view of the data throughout."""
        with transaction(self.engine, self.now, write=False) as tx:
            yield tx

    def attempt(self, work: Callable[[Tx], T]) -> T:
        """``work(tx)`` in a writing transaction; repeated up to 5 times when the database says "not now".

        Deadlocks, serialization failures and SQLITE_BUSY are repeated with jitter; ``work`` therefore must do nothing
        outside the transaction. Any other exception rolls back and is raised.
        """
        return attempt(self.write, work)

    def repeat(self, work: Callable[[], T]) -> T:
        """``work()``, which opens transactions of its own; repeated from its start as ``attempt`` repeats one."""
        return repeat(work)

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def migrate(self) -> None:
        """Afterwards every table is as this version wants it. Idempotent; any number of processes may call at once."""
        if self.migrated():
            return
        for engine, parts in self._parts():
            with engine.connect().execution_options(serai_write=True) as conn, conn.begin():
                if (newer := migrations.newer(conn)) is not None:
                    raise RegistryError(
                        f"registry: its tables are of a newer version of Serai (revision {newer}) than this one; "
                        "update Serai, or name another registry in $SERAI_REGISTRY"
                    )
                migrations.upgrade(conn, parts)

    def migrated(self) -> bool:
        """Whether ``migrate`` has nothing to do."""
        for engine, _parts in self._parts():
            with engine.connect() as conn:
                if not migrations.at_head(conn):
                    return False
        return True

    def close(self) -> None:
        """Closes every connection; the registry is not usable afterwards."""
        self.engine.dispose()
        if self._inbox_engine is not self.engine:
            self._inbox_engine.dispose()

    def _parts(self) -> list[tuple[Engine, frozenset[str]]]:
        if self._inbox_engine is self.engine:
            return [(self.engine, frozenset({"registry", "inbox"}))]
        return [(self.engine, frozenset({"registry"})), (self._inbox_engine, frozenset({"inbox"}))]


def open_registry(url: str, *, inbox_url: str | None = None, power_safe: bool = False) -> Registry:
    """A registry on ``sqlite:///path`` or ``postgresql://…``; creates the folder of a SQLite file, but no table.

    ``inbox_url`` is the SQLite file of the inbox (default: ``<name>-inbox.db`` beside the registry's); on PostgreSQL
    the inbox is always in the same database. ``power_safe`` sets ``synchronous=FULL`` on the registry's SQLite file
    too: commits then survive a power cut, at the price of one fsync each. Raises RegistryError for another database.
    """
    address = _address(url)
    if address.get_backend_name() == "postgresql":
        if inbox_url is not None:
            raise RegistryError("inbox_url: on PostgreSQL the inbox is a table of the registry; leave inbox_url out")
        engine = _asked_when_idle(create_engine(address, hide_parameters=True, connect_args={"options": _BY_KEY}))
        return Registry(engine, engine)
    inbox = _address(inbox_url) if inbox_url is not None else address.set(database=_beside(str(address.database)))
    if inbox.get_backend_name() != "sqlite":
        raise RegistryError(
            f"inbox_url: found {inbox.get_backend_name()}; beside a SQLite registry stands a SQLite file"
        )
    return Registry(_sqlite(address, "FULL" if power_safe else "NORMAL"), _sqlite(inbox, "FULL"))


@contextmanager
def transaction(engine: Engine, clock: Callable[[], datetime], *, write: bool) -> Iterator[Tx]:
    """A transaction of one engine; see ``Registry.write`` and ``Registry.read``."""
    if write:
        options: dict[str, Any] = {"serai_write": True}
    elif engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    else:
        options = {}
    try:
        with engine.connect().execution_options(**options) as conn, conn.begin():
            yield Tx(conn, clock)
    except (DBAPIError, psycopg2.Error, sqlite3.Error) as error:
        raise _refused(error).with_traceback(error.__traceback__) from None


def attempt(write: Callable[[], AbstractContextManager[Tx]], work: Callable[[Tx], T]) -> T:
    """``work`` in transactions of ``write``, repeated while the database says "not now"; see ``Registry.attempt``."""

    def once() -> T:
        with write() as tx:
            return work(tx)

    return repeat(once)


def repeat(work: Callable[[], T]) -> T:
    """``work()``, repeated while the database says "not now"; see ``Registry.attempt``."""
    for turn in range(1, _ATTEMPTS + 1):
        try:
            return work()
        except DatabaseRefused as error:
            if turn == _ATTEMPTS or not error.repeatable:
                raise
            time.sleep(random.uniform(0.2, 1.0) * 0.05 * 2**turn)  # noqa: S311 — jitter, not a secret
    raise AssertionError("unreachable: the last turn returns or raises")


def _refused(error: DBAPIError | psycopg2.Error | sqlite3.Error) -> DatabaseRefused:
    origin = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(origin, psycopg2.Error):
        primary = origin.diag.message_primary
        message = primary if primary is not None else str(origin).strip()
        refused = DatabaseRefused(
            f"PostgreSQL {origin.pgcode or type(origin).__name__}: {message}",
            constraint=origin.diag.constraint_name,
            repeatable=origin.pgcode in _REPEATABLE
            or (origin.pgcode == _UNIQUE and origin.diag.constraint_name in _MEETINGS),
        )
    else:
        message = str(origin)
        check = re.fullmatch(r"CHECK constraint failed: (\w+)", message)
        refused = DatabaseRefused(
            f"SQLite: {message}",
            constraint=check[1] if check else None,
            repeatable=message.endswith("is locked"),
        )
    if "no such table" in message or "does not exist" in message:
        refused.add_note("the registry's tables are missing or older than this version: run `serai migrate`")
    return refused


def _address(url: str) -> URL:
    try:
        address = make_url(url.replace("postgres://", "postgresql://", 1) if url.startswith("postgres://") else url)
    except (ArgumentError, ValueError):     # neither repeats the address: it may hold a password
        raise RegistryError(
            "registry: $SERAI_REGISTRY is no address; allowed: sqlite:///path/registry.db, postgresql://host:port/name"
        ) from None
    backend = address.get_backend_name()
    if backend == "postgresql":
        return address.set(drivername="postgresql+psycopg2")
    if backend != "sqlite":
        raise RegistryError(f"registry: found {backend!r}; allowed: sqlite:///path/registry.db, postgresql://host/name")
    if address.database in (None, "", ":memory:"):
        raise RegistryError(
            "registry: a SQLite registry is a file that processes share; write sqlite:///path/registry.db"
        )
    return address


def _beside(path: str) -> str:
    file = Path(path)
    return str(file.with_name(f"{file.stem}-inbox{file.suffix or '.db'}"))


def _asked_when_idle(engine: Engine) -> Engine:
    """A connection that lay idle is asked whether it still stands, and replaced unseen where it does not."""

    @event.listens_for(engine, "checkin")
    def _lies(_connection: Any, record: Any) -> None:
        record.info["idle since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _taken(connection: Any, record: Any, _fairy: Any) -> None:
        since = record.info.get("idle since")
        if since is None or time.monotonic() - since < _IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg2.Error as error:
            raise InvalidatePoolError() from error

    return engine


def _sqlite(address: URL, synchronous: str) -> Engine:
    Path(str(address.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(address, connect_args={"timeout": _BUSY_SECONDS}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, in our words
        run = connection.execute
        run("PRAGMA journal_mode=WAL")
        run(f"PRAGMA synchronous={synchronous}")
        run("PRAGMA temp_store=MEMORY")
        run("PRAGMA cache_size=-65536")

    door = Door(str(address.database))

    @event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        if not conn.get_execution_options().get("serai_write"):
            conn.exec_driver_sql("BEGIN")
            return
        _begin_writing(conn.connection.dbapi_connection, door)

    return engine


def _begin_writing(connection: Any, door: Door) -> None:
    """SQLite's lock is ours afterwards. It is asked for often, with a look each time whether somebody goes first.

    SQLite's own waiting sleeps for up to 50 ms between two attempts, and whoever writes page after page has the lock
    again by then.
    """
    until = time.monotonic() + _BUSY_SECONDS
    connection.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            if not _AHEAD.get():
                door.wait()
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not str(error).endswith("is locked") or time.monotonic() > until:
                    raise
                time.sleep(_ASKS_EVERY)
            else:
                return
    finally:
        connection.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1_000:.0f}")
