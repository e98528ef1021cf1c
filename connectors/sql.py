"""A database as a channel: tables and queries read by keyset, tables written by upsert, described in YAML.

What surprises here:

* A full read goes by id, a read for changes by (stamp, id) from the watermark on. Both continue after the last row
  seen, never after a count of rows, so that rows which come and go meanwhile shift nothing.
* The watermark is never later than the newest stamp when the scan began, nor than that moment by our clock; ``lag``
  seconds before it are read again: a transaction that began earlier may have committed later.
* Rows whose stamp is null are found by full reads only; a row without an id, or two with one, end the read: what
  continues after an id would pass over them.
* Writes of one call are one transaction with a savepoint each: a row that the database refuses rejects itself only. A
  commit without an answer leaves all of them ``unknown``.
* A database says in its errors which values it holds; of those only the first line is told, masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Text,
    and_,
    cast,
    column,
    create_engine,
    delete,
    event,
    func,
    insert,
    or_,
    select,
    table,
    text,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from connectors.answers import decoded, masked
from connectors.base import Connector, Cursor, Doc, Page, Receipt, Resource, Write
from connectors.errors import Misconfigured, RetryLater, ShapeChanged
from connectors.ports import Ports
from connectors.sql_values import as_text, document, earlier, given, kept, native, no_later, ordered
from connectors.verified import Verified
from connectors.writes import NOT_FOUND, referenced, settled

AWAY: Final = 15.0
"""Seconds to wait for a database that cannot be reached."""
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?")
_BARRED = re.compile(r"authentication|password|no such table|no such column|has no column|unable to open|role \"")
"""What drivers call an operational trouble though it will not go away by itself."""
_KEYS = (
    "table", "query", "id", "updated", "zone", "lag", "page_size", "write", "reference", "version", "stock_kind",
    "partial_update", "batch",
)  # fmt: skip
_WRITES = ("create", "update", "delete")


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A table, or a query with a name of its own; ``zone`` is what its naive stamps are in."""

    rows: FromClause
    name: str
    zone: ZoneInfo


class Sql(Connector):
    """A database that platforms/<name>.yaml describes. ``url`` is written as SQLAlchemy does; the secrets ``user`` and
    ``password`` win over those in it."""

    platform: ClassVar[str] = "sql"
    verified = Verified(when="2026-11", real="PostgreSQL and SQLite; no other database of SQLAlchemy")

    def __init__(
        self, *, channel: str, url: str, options: Mapping[str, Any], ports: Ports,
        fields: Mapping[str, Sequence[str]] | None = None, lane: str = "live",
    ) -> None:
        super().__init__(channel=channel, url=url, options=options, ports=ports, fields=fields, lane=lane)
        where = f"{channel}: platforms/{options.get('platform', 'sql')}.yaml"
        described = options.get("description") or {}
        odd = sorted(set(described) - {"speaks", "limits", "resources"})
        if odd:
            raise Misconfigured(f"{where}: unknown key `{odd[0]}`; allowed: limits, resources, speaks")
        rows = described.get("resources")
        if not isinstance(rows, Mapping) or not rows:
            raise Misconfigured(f"{where}: `resources` should be a map of name → row, and hold at least one")
        read = {str(name): _described(f"{where}: resources.{name}", row) for name, row in rows.items()}
        self.resources = {name: facts for name, (facts, _) in read.items()}
        self._sources = {name: source for name, (_, source) in read.items()}
        self._engine: Engine | None = None
        self._used: list[str] = []
        self._kinds: dict[str, Any] = {}

    # ── Connector ────────────────────────────────────────────────────────────────────────────────────────────────

    def check(self) -> None:
        """One row of each resource is asked for; Misconfigured names the table, column or right that is missing."""
        for name, facts in self.resources.items():
            with self._asking(name) as conn:
                conn.execute(select(*self._columns(facts)).select_from(self._sources[name].rows).limit(1)).all()

    def read(self, resource: str, cursor: Cursor | None = None) -> Iterator[Page]:
        """Pages from the cursor on; a cursor is ``{since, until, after, seen}``: values as `kept` writes them."""
        facts, source = self._facts(resource), self._sources[resource]
        state = dict(cursor or {"since": None, "until": None, "after": None, "seen": None})
        id: ColumnElement[Any] = column(facts.id)
        stamp: ColumnElement[Any] | None = None if facts.updated is None else column(facts.updated)
        while True:
            asked_at = self.ports.clock.now()
            query = select(text("*")).select_from(source.rows)
            with self._asking(resource) as conn:
                if state["until"] is None and stamp is not None:
                    state["until"] = kept(conn.execute(select(func.max(stamp)).select_from(source.rows)).scalar())
                if stamp is not None and state["since"] is not None:
                    since = earlier(given(state["since"]), facts.lag)
                    query = query.where(stamp >= since).order_by(stamp, id)
                    if state["after"] is not None:
                        at, last = (given(one) for one in state["after"])
                        query = query.where(or_(stamp > at, and_(stamp == at, id > last)))
                else:
                    query = query.order_by(id)
                    if state["after"] is not None:
                        query = query.where(id > given(state["after"][1]))
                raw = [dict(row) for row in conn.execute(query.limit(facts.page_size + 1)).mappings()]
            self._unambiguous(resource, facts, raw)
            more, raw = len(raw) > facts.page_size, raw[: facts.page_size]
            stamps = [row[facts.updated] for row in raw if facts.updated is not None and row[facts.updated] is not None]
            newest = [value for value in (given(state["seen"]), *stamps) if value is not None]
            state["seen"] = kept(max(newest, key=ordered)) if newest else None
            if more:
                state["after"] = [kept(raw[-1].get(facts.updated or "")), kept(raw[-1][facts.id])]
            else:
                state = self._finished(state, source, asked_at)
            docs = [document(dict(row), source.zone) for row in raw]
            yield Page(docs=docs, cursor=dict(state), last=not more, asked_at=asked_at)
            if not more:
                return

    def fetch(self, resource: str, ids: Sequence[str]) -> Mapping[str, Doc | None]:
        """Every id asked for, once; None: there is no such row."""
        facts, source = self._facts(resource), self._sources[resource]
        found: dict[str, Doc | None] = dict.fromkeys(ids)
        for start in range(0, len(ids), 500):
            with self._asking(resource) as conn:
                named = self._is(conn, resource, ids[start : start + 500])
                for row in conn.execute(select(text("*")).select_from(source.rows).where(named)).mappings():
                    found[as_text(row[facts.id])] = document(dict(row), source.zone)
        return found

    def write(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order; the writes of up to ``batch`` are one transaction."""
        facts = self._facts(resource)
        for start in range(0, len(writes), facts.batch):
            yield from self._written(resource, facts, writes[start : start + facts.batch])

    def settle(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """By the row's id, or a create by our reference."""
        facts = self._facts(resource)
        for write in writes:
            id = write.id if write.id is not None else self._own_id(facts, write)
            if id is not None:
                yield settled(facts, write, self.fetch(resource, [id])[id])
                continue
            with self._asking(resource) as conn:
                doc = self._by_reference(conn, resource, facts, write)
            if doc is None:
                yield Receipt(outcome="rejected", detail=NOT_FOUND + "no row carries our reference")
            else:
                yield Receipt(outcome="applied", id=as_text(doc[facts.id]), doc=doc)

    def close(self) -> None:
        """Afterwards no connection is kept."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _is(self, conn: Connection, resource: str, ids: Sequence[str]) -> ColumnElement[bool]:
        """The row has one of these ids, compared in the column's own kind, so that its index serves."""
        name = self.resources[resource].id
        if resource not in self._kinds:
            met = conn.execute(select(column(name)).select_from(self._sources[resource].rows).limit(1)).scalar()
            if met is None:
                return cast(column(name), Text).in_(ids)
            self._kinds[resource] = type(met)
        kind, found = self._kinds[resource], []
        for id in ids:
            with suppress(ValueError, ArithmeticError):  # no row has such an id
                found.append(kind.fromisoformat(id) if issubclass(kind, date) else kind(id))
        return column(name).in_(found)

    def _facts(self, resource: str) -> Resource:
        if resource not in self.resources:
            raise Misconfigured(f"{self.channel}: no resource `{resource}`; there are {', '.join(self.resources)}")
        return self.resources[resource]

    def _columns(self, facts: Resource) -> list[Any]:
        names = (facts.id, facts.updated, facts.version, facts.reference_field)
        return [column(name) for name in dict.fromkeys(names) if name is not None]

    def _unambiguous(self, resource: str, facts: Resource, rows: Sequence[Mapping[str, Any]]) -> None:
        ids = [row.get(facts.id) for row in rows]
        twice = next((one for n, one in enumerate(ids) if one in ids[n + 1 : n + 2]), None)
        if twice is None and None not in ids:
            return
        found = "a row without" if None in ids else "two rows of one"
        raise ShapeChanged(
            f"{self.channel}: {resource}: {found} `{facts.id}`; what continues after an id would pass over rows: "
            "name a column that is filled and unique"
        )

    def _finished(self, state: Mapping[str, Any], source: Source, began: datetime) -> Cursor:
        """The cursor from which the next read for changes starts."""
        marks = [given(state[name]) for name in ("seen", "until") if state[name] is not None]
        mark = min(marks, key=ordered, default=None)
        mark = no_later(mark, began, source.zone)
        before = given(state["since"])
        if mark is None or (before is not None and ordered(before) > ordered(mark)):
            mark = before
        return {"since": kept(mark), "until": None, "after": None, "seen": None}

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _written(self, resource: str, facts: Resource, writes: Sequence[Write]) -> list[Receipt]:
        receipts: list[Receipt] = []
        refused: IntegrityError | None = None
        try:
            with self._asking(resource) as conn:
                for write in writes:
                    receipts.append(self._one(conn, resource, facts, write))
                try:
                    conn.commit()
                except IntegrityError as fault:  # a constraint that is checked at the end; nothing was kept
                    conn.rollback()
                    refused = fault
        except RetryLater as away:
            if len(receipts) < len(writes):  # it was not the commit
                raise
            detail = str(away)
            return [
                Receipt(outcome="unknown", id=write.id, detail=detail) if receipt.outcome == "applied" else receipt
                for write, receipt in zip(writes, receipts, strict=True)
            ]
        if refused is None:
            return receipts
        if len(writes) == 1:
            return [Receipt(outcome="rejected", id=writes[0].id, detail=self._said(refused))]
        half = len(writes) // 2  # a row that does not fit rejects itself only (P6)
        return self._written(resource, facts, writes[:half]) + self._written(resource, facts, writes[half:])

    def _one(self, conn: Connection, resource: str, facts: Resource, write: Write) -> Receipt:
        allowed = {"create": facts.create, "update": facts.update, "delete": facts.delete}[write.op]
        if allowed is None:
            raise Misconfigured(f"{self.channel}: {resource}: `write` of its description does not have {write.op}")
        try:
            with conn.begin_nested():
                return self._done(conn, resource, facts, write)
        except (OperationalError, ProgrammingError):
            raise
        except DBAPIError as fault:
            return Receipt(outcome="rejected", id=write.id, detail=self._said(fault))

    def _done(self, conn: Connection, resource: str, facts: Resource, write: Write) -> Receipt:
        exact = conn.dialect.name != "sqlite"
        values = {name: native(value, exact) for name, value in referenced(facts, write).items()}
        into = _table(facts.path, {facts.id, *values})
        if write.op == "create":
            id = self._own_id(facts, write)
            if id is None and (doc := self._by_reference(conn, resource, facts, write)) is not None:
                return Receipt(outcome="applied", id=as_text(doc[facts.id]), doc=doc)
            if id is not None:
                there = update(into).where(self._is(conn, resource, [id])).values(values)
                if conn.execute(there).rowcount:
                    return self._receipt(conn, resource, facts, id)
            made = conn.execute(insert(into).values(values).returning(into.c[facts.id])).scalar_one()
            return self._receipt(conn, resource, facts, as_text(made))
        key = self._is(conn, resource, [str(write.id)])
        at = [key]
        if write.expected is not None and facts.version is not None:
            at.append(cast(column(facts.version), Text) == write.expected)
        statement = delete(into).where(*at) if write.op == "delete" else update(into).where(*at).values(values)
        if conn.execute(statement).rowcount:
            return self._receipt(conn, resource, facts, str(write.id), gone=write.op == "delete")
        if conn.execute(select(column(facts.id)).select_from(into).where(key)).first() is not None:
            return Receipt(outcome="rejected", id=write.id, detail="the row is at another version", stale=True)
        if write.op == "delete":
            return Receipt(outcome="applied", id=write.id)
        return Receipt(outcome="rejected", id=write.id, detail="there is no such row")

    def _receipt(self, conn: Connection, resource: str, facts: Resource, id: str, *, gone: bool = False) -> Receipt:
        if gone:
            return Receipt(outcome="applied", id=id)
        source = self._sources[resource]
        query = select(text("*")).select_from(source.rows).where(self._is(conn, resource, [id]))
        row = conn.execute(query).mappings().first()
        return Receipt(outcome="applied", id=id, doc=None if row is None else document(dict(row), source.zone))

    def _own_id(self, facts: Resource, write: Write) -> str | None:
        found = write.doc.get(facts.id)
        return None if found is None else as_text(found)

    def _by_reference(self, conn: Connection, resource: str, facts: Resource, write: Write) -> Doc | None:
        if facts.reference_field is None:
            raise Misconfigured(
                f"{self.channel}: {resource}: the database numbers its rows, so a create that got no answer could not "
                "be found again; name a text column for our key: `reference: serai_key`"
            )
        source = self._sources[resource]
        ours = referenced(facts, write)[facts.reference_field]
        query = select(text("*")).select_from(source.rows).where(column(facts.reference_field) == ours)
        row = conn.execute(query).mappings().first()
        return None if row is None else document(dict(row), source.zone)

    # ── the connection ───────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _asking(self, resource: str) -> Iterator[Connection]:
        """A transaction, rolled back unless it was committed. Raises RetryLater, Misconfigured or ShapeChanged."""
        self.ports.budget.take(1, self.lane)
        where = f"{self.channel}: {resource}"
        problem: Exception
        try:
            with self._opened().connect() as conn:
                yield conn
                return
        except ProgrammingError as fault:
            problem = Misconfigured(f"{where}: {self._said(fault)}; correct the description, or grant the right")
        except OperationalError as fault:
            told = self._said(fault)
            if _BARRED.search(told):
                problem = Misconfigured(f"{where}: {told}; correct `url`, the secrets or the description")
            else:
                problem = RetryLater(f"{where}: the database cannot be asked: {told}", after=AWAY)
        except DBAPIError as fault:
            problem = ShapeChanged(f"{where}: {self._said(fault)}")
        except SQLAlchemyError as fault:
            problem = Misconfigured(f"{where}: {masked(str(fault), self._used)}; correct `url` or the description")
        with suppress(Exception):
            self.close()
        raise problem

    def _opened(self) -> Engine:
        if self._engine is None:
            named = self.options.get("secrets") or {}
            user, password = (self.ports.secrets.get(name) if name in named else None for name in ("user", "password"))
            address = make_url(self.url)
            address = address.set(username=user or address.username, password=password or address.password)
            self._used = [str(value) for value in (address.username, address.password) if value]
            seconds = float(self.options.get("timeout", 30))
            postgres = address.get_backend_name() == "postgresql"
            more: dict[str, Any] = {"timeout": seconds} if address.get_backend_name() == "sqlite" else {}
            if postgres:
                more = {"connect_timeout": 5, "options": f"-c statement_timeout={int(seconds * 1000)}"}
            self._engine = create_engine(address, poolclass=StaticPool, connect_args=more, hide_parameters=True)
            if postgres:
                event.listen(self._engine, "connect", _exact_json)
            elif more:
                event.listen(self._engine, "connect", _no_hidden_begin)
                event.listen(self._engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN"))
        return self._engine

    def _said(self, fault: DBAPIError) -> str:
        """The database's own first line, masked; never the statement, never its parameters."""
        own = getattr(getattr(fault.orig, "diag", None), "message_primary", None) or str(fault.orig)
        return masked(own.strip().splitlines()[0] if own.strip() else type(fault).__name__, self._used)


def _described(where: str, row: Any) -> tuple[Resource, Source]:
    """Facts and rows of one description. Raises Misconfigured."""
    if not isinstance(row, Mapping) or not set(row) <= set(_KEYS):
        odd = ", ".join(sorted(set(row) - set(_KEYS))) if isinstance(row, Mapping) else repr(row)
        raise Misconfigured(f"{where}: found {odd}; allowed: {', '.join(_KEYS)}")
    if ("table" in row) == ("query" in row) or "id" not in row:
        raise Misconfigured(f"{where}: write `table` or `query`, one of them, and `id`, a column that is unique")
    writes = row.get("write", [])
    if not isinstance(writes, list) or not set(writes) <= set(_WRITES) or (writes and "query" in row):
        raise Misconfigured(f"{where}: `write` lists create, update, delete; a query is only read")
    name = str(row.get("table", "query"))
    if _NAME.fullmatch(name) is None:
        raise Misconfigured(f"{where}: `table` should be a name, such as stock or shop.stock; found {name!r}")
    try:
        zone = ZoneInfo(str(row.get("zone", "UTC")))
    except (KeyError, ValueError):
        raise Misconfigured(f"{where}: `zone`: there is no time zone {row['zone']!r}; such as Asia/Almaty") from None
    sizes = {key: row.get(key, default) for key, default in (("page_size", 500), ("batch", 100))}
    if any(isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in sizes.values()):
        raise Misconfigured(f"{where}: `page_size` and `batch` should be whole numbers, 1 or more")
    facts = Resource(
        path=name, items="", id=str(row["id"]), updated=row.get("updated"), since=row.get("updated"),
        lag=float(row.get("lag", 60)), create="INSERT /" if "create" in writes else None,
        update="UPDATE /" if "update" in writes else None, delete="DELETE /" if "delete" in writes else None,
        version=row.get("version"), compare_and_set="version" in row, reference=row.get("reference"),
        reference_field=row.get("reference"), stock_kind=row.get("stock_kind"),
        partial_update=bool(row.get("partial_update", True)), **sizes,
    )
    rows = _table(name, ()) if "table" in row else text(str(row["query"]).rstrip("; \n")).columns().subquery("rows")
    return facts, Source(rows=rows, name=name, zone=zone)


def _table(path: str, names: Any) -> Any:
    schema, _, name = path.rpartition(".")
    return table(name, *map(column, names), schema=schema or None)


def _no_hidden_begin(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # else the driver begins when it likes, and savepoints stand outside


def _exact_json(connection: Any, _: Any) -> None:
    from psycopg2.extras import register_default_json, register_default_jsonb

    register_default_json(connection, loads=lambda found: decoded(found.encode()))
    register_default_jsonb(connection, loads=lambda found: decoded(found.encode()))


