"""A database as a channel: real SQLite and real PostgreSQL, read while others write, written while others hold it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, create_engine, event, text

from connectors.base import Receipt, Write
from connectors.errors import Misconfigured, RetryLater, ShapeChanged
from connectors.sql import Sql
from flows.wiring import opened
from tests.contract.harness import ports_with
from tests.databases import fresh_postgres
from tests.prefect.places import AUTHORITY, COMPANIES, MAPPING, SCHEMA
from tests.retailer import environment

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
STAMP = {"sqlite": "text", "postgresql": "timestamptz"}
LEVELS = "create table levels (code {text} primary key, quantity numeric(12,3), rev int default 1, changed_at {stamp})"
ORDERS = "create table orders (id {serial}, serai_key text unique, total numeric(12,2) check (total >= 0), note text)"
RESOURCES: dict[str, dict[str, Any]] = {
    "levels": {"table": "levels", "id": "code", "updated": "changed_at", "page_size": 3, "version": "rev", "lag": 60,
               "write": ["create", "update", "delete"]},
    "orders": {"table": "orders", "id": "id", "reference": "serai_key", "write": ["create", "update"], "batch": 10},
    "pieces": {"query": "select code, quantity from levels where quantity > 0;", "id": "code", "page_size": 2},
}  # fmt: skip


@dataclass(kw_only=True)
class Base:
    """A database, a door of our own into it, and how to connect a channel to it."""

    url: str
    kind: str
    engine: Engine
    connect: Callable[..., Sql]

    def run(self, statement: str, **values: Any) -> list[Any]:
        with self.engine.begin() as conn:
            found = conn.execute(text(statement), values)
            return list(found) if found.returns_rows else []

    def level(self, code: str, quantity: str, at: datetime | None = AT) -> None:
        stamp = at if self.kind == "postgresql" or at is None else at.isoformat(sep=" ", timespec="seconds")
        self.run("delete from levels where code = :code", code=code)
        self.run("insert into levels values (:code, :quantity, 1, :at)", code=code, quantity=quantity, at=stamp)


@pytest.fixture(params=["sqlite", "postgresql"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Base]:
    if request.param == "sqlite":
        with _base(f"sqlite:///{tmp_path / 'shop.db'}", "sqlite") as found:
            yield found
    else:
        with fresh_postgres(migrated=False) as url, _base(url, "postgresql") as found:
            yield found


class _base:
    def __init__(self, url: str, kind: str) -> None:
        self.url, self.kind, self.opened = url, kind, list[Sql]()

    def __enter__(self) -> Base:
        engine = create_engine(self.url)
        base = Base(url=self.url, kind=self.kind, engine=engine, connect=self.connect)
        serial = "integer primary key" if self.kind == "sqlite" else "serial primary key"
        for statement in (LEVELS, ORDERS):
            base.run(statement.format(text="text", stamp=STAMP[self.kind], serial=serial))
        self.base = base
        return base

    def connect(self, **rows: Any) -> Sql:
        found = Sql(
            channel="wms", url=self.url, ports=ports_with({}),
            options={"description": {"speaks": "sql", "resources": {**RESOURCES, **rows}}, "timeout": 5},
        )  # fmt: skip
        self.opened.append(found)
        return found

    def __exit__(self, *_: object) -> None:
        for one in self.opened:
            one.close()
        self.base.engine.dispose()


def codes(docs: Sequence[Any]) -> list[str]:
    return [doc["code"] for doc in docs]


def test_every_row_is_read_once_from_any_page_on(base: Base) -> None:
    """P1: any page's cursor, through JSON and in a fresh connector, gives the same rest; then only changes come."""
    for n in range(10):
        base.level(f"{n:03}", "1.500", AT + timedelta(minutes=n // 4))
    pages = list(base.connect().read("levels"))
    assert [len(page.docs) for page in pages] == [3, 3, 3, 1]
    assert [page.last for page in pages] == [False, False, False, True]
    assert [code for page in pages for code in codes(page.docs)] == [f"{n:03}" for n in range(10)]
    for n, page in enumerate(pages[:-1]):
        rest = base.connect().read("levels", json.loads(json.dumps(page.cursor)))
        assert [codes(one.docs) for one in rest] == [codes(one.docs) for one in pages[n + 1 :]]
    assert pages[0].docs[0]["quantity"] == Decimal("1.500")
    again = base.connect().read("levels", pages[-1].cursor)
    assert sorted(code for page in again for code in codes(page.docs)) == ["004", "005", "006", "007", "008", "009"]


def test_a_change_behind_the_scan_and_one_committed_late_are_found_by_the_next(base: Base) -> None:
    """P1: rows that share the boundary's stamp, and those within the lag, come again; nothing else does."""
    for n in range(7):
        base.level(f"{n:03}", "1")
    base.level("900", "1", AT - timedelta(hours=2))
    reading = base.connect().read("levels")
    next(reading)
    base.level("000", "5", AT + timedelta(minutes=10))  # a page already read
    cursor = list(reading)[-1].cursor
    base.level("late", "2", AT - timedelta(seconds=50))
    found = {doc["code"]: doc["quantity"] for page in base.connect().read("levels", cursor) for doc in page.docs}
    assert found["000"] == 5
    assert found["late"] == 2
    assert "900" not in found


def test_a_stamp_from_the_future_hides_nothing(base: Base) -> None:
    """A clock that is ahead somewhere must not move the watermark past what is still to come."""
    base.level("001", "1")
    base.level("ahead", "1", AT + timedelta(days=400))
    connector = base.connect()
    cursor = list(connector.read("levels"))[-1].cursor
    base.level("002", "2", AT + timedelta(hours=1))
    assert "002" in [code for page in connector.read("levels", cursor) for code in codes(page.docs)]


def test_rows_without_a_stamp_come_with_a_full_read(base: Base) -> None:
    """And a query without one is read whole each time."""
    base.level("none", "3", None)
    base.level("zero", "0")
    assert codes([doc for page in base.connect().read("levels") for doc in page.docs]) == ["none", "zero"]
    assert codes([doc for page in base.connect().read("pieces") for doc in page.docs]) == ["none"]


def test_an_id_that_is_missing_or_there_twice_ends_the_read_with_the_remedy(base: Base) -> None:
    """P1: what continues after an id would pass over rows; nothing of the page is taken."""
    base.level("001", "1")
    doubled = {"query": "select 'same' as code from levels union all select 'same' from levels", "id": "code"}
    with pytest.raises(ShapeChanged, match=r"two rows of one `code`.*filled and unique"):
        list(base.connect(doubled=doubled).read("doubled"))


def written(connector: Sql, resource: str, *writes: Write) -> list[Receipt]:
    return list(connector.write(resource, writes))


def test_one_receipt_a_write_in_order_and_a_refused_row_rejects_itself_only(base: Base) -> None:
    """P3, P6: the rest of the call is kept; the database's sentence is told without the values in it."""
    connector = base.connect()
    receipts = written(
        connector, "orders",
        Write(key="serai-1", op="create", doc={"total": Decimal("10.50"), "note": ""}),
        Write(key="serai-2", op="create", doc={"total": Decimal("-1"), "note": "aigul@example.kz"}),
        Write(key="serai-3", op="create", doc={"total": Decimal("0"), "note": None}),
    )  # fmt: skip
    assert [receipt.outcome for receipt in receipts] == ["applied", "rejected", "applied"]
    assert "aigul" not in receipts[1].detail
    assert "check" in receipts[1].detail.lower()
    assert [tuple(row) for row in base.run("select serai_key, note from orders order by id")] == [
        ("serai-1", ""), ("serai-3", None),
    ]  # fmt: skip
    assert receipts[0].doc is not None
    assert receipts[0].doc["total"] == Decimal("10.5")


def test_a_row_that_only_the_commit_refuses_rejects_itself_only(base: Base) -> None:
    """P1, P6: a deferred constraint is checked at the end; every other row of the batch is kept, each once."""
    base.run("create table parts (code text primary key, of text references levels deferrable initially deferred)")
    base.level("A", "1")
    connector = base.connect(parts={"table": "parts", "id": "code", "write": ["create"], "batch": 10})
    if base.kind == "sqlite":
        connector._opened().raw_connection().cursor().execute("pragma foreign_keys = on")
    writes = [Write(key=f"k{n}", op="create", doc={"code": f"P{n}", "of": "Z" if n in (2, 5) else "A"})
              for n in range(7)]  # fmt: skip
    receipts = written(connector, "parts", *writes)
    assert [receipt.outcome for receipt in receipts] == [
        "rejected" if n in (2, 5) else "applied" for n in range(7)
    ]  # fmt: skip
    assert "foreign key" in receipts[2].detail.lower()
    assert [row[0] for row in base.run("select code from parts order by code")] == ["P0", "P1", "P3", "P4", "P6"]


def test_a_create_that_is_tried_again_makes_no_second_row(base: Base) -> None:
    """P2: found by our key where the database numbers its rows, by its own id elsewhere."""
    connector = base.connect()
    order = Write(key="serai-1", op="create", doc={"total": Decimal("1"), "note": "a"})
    first, second = *written(connector, "orders", order), *written(connector, "orders", replace(order, attempt=2))
    assert first.id == second.id
    level = Write(key="serai-2", op="create", doc={"code": "007", "quantity": Decimal("1.25")})
    for write in (level, replace(level, attempt=2)):
        assert [receipt.outcome for receipt in written(connector, "levels", write)] == ["applied"]
    assert base.run("select count(*) from orders")[0][0] == base.run("select count(*) from levels")[0][0] == 1
    (settled,) = connector.settle("orders", [order])
    assert (settled.outcome, settled.id) == ("applied", first.id)
    (absent,) = connector.settle("orders", [replace(order, key="serai-9")])
    assert (absent.outcome, absent.detail.startswith("not found")) == ("rejected", True)


@pytest.mark.parametrize("base", ["postgresql"], indirect=True)
def test_a_commit_that_nobody_answered_leaves_its_writes_unknown_until_they_are_looked_for(base: Base) -> None:
    """P3: the line breaks while the database commits; nothing is sent again before settling says what became of it."""
    connector = base.connect()
    order = Write(key="serai-1", op="create", doc={"total": Decimal("1"), "note": "a"})
    connector.check()

    def cut(conn: Any) -> None:
        pid = conn.exec_driver_sql("select pg_backend_pid()").scalar()
        base.run("select pg_terminate_backend(:pid)", pid=pid)

    assert connector._engine is not None
    event.listen(connector._engine, "commit", cut)
    (receipt,) = written(connector, "orders", order)
    assert receipt.outcome == "unknown"
    (settled,) = connector.settle("orders", [order])
    assert (settled.outcome, settled.detail.startswith("not found")) == ("rejected", True)
    assert [one.outcome for one in written(connector, "orders", order)] == ["applied"]


def test_a_write_that_expects_another_version_changes_nothing(base: Base) -> None:
    """P5: compare and set, by the column that the description names."""
    base.level("001", "5")
    connector = base.connect()
    stale, good, gone = written(
        connector, "levels",
        Write(key="a", op="update", id="001", expected="7", doc={"quantity": Decimal("1")}),
        Write(key="b", op="update", id="001", expected="1", doc={"quantity": Decimal("2"), "rev": 2}),
        Write(key="c", op="update", id="404", doc={"quantity": Decimal("3")}),
    )  # fmt: skip
    assert (stale.outcome, stale.stale, good.outcome, gone.outcome) == ("rejected", True, "applied", "rejected")
    assert base.run("select quantity, rev from levels") == [(2, 2)]
    (deleted,) = written(connector, "levels", Write(key="d", op="delete", id="001", doc={}))
    assert (deleted.outcome, connector.fetch("levels", ["001"])) == ("applied", {"001": None})


def test_ids_are_compared_as_the_kind_they_are_and_nonsense_is_nobody(base: Base) -> None:
    """An id that is a number there is text here."""
    connector = base.connect()
    (made,) = written(connector, "orders", Write(key="k", op="create", doc={"total": Decimal("1"), "note": "n"}))
    assert made.id is not None
    found = connector.fetch("orders", [made.id, "999", "no number"])
    assert [doc is not None for doc in found.values()] == [True, False, False]


def test_a_description_that_does_not_fit_the_database_is_named(base: Base) -> None:
    """A person reads which table or column is missing, before anything is read."""
    for row, words in (
        ({"table": "nowhere", "id": "code"}, "nowhere"), ({"table": "levels", "id": "kode"}, "kode"),
    ):  # fmt: skip
        with pytest.raises(Misconfigured, match=words):
            base.connect(odd=row).check()
    base.connect().check()
    with pytest.raises(Misconfigured, match="a query is only read"):
        base.connect(odd={"query": "select 1", "id": "a", "write": ["update"]})
    with pytest.raises(Misconfigured, match=r"resources\.odd.*injection; drop"):
        base.connect(odd={"table": "injection; drop", "id": "a"})


def test_a_database_that_is_away_is_asked_again_later_and_its_password_is_never_said() -> None:
    """P13: neither in the error nor in what it came from."""
    away = Sql(
        channel="wms", url="postgresql+psycopg2://127.0.0.1:9/shop", ports=ports_with({"password": "s3cret-word"}),
        options={"description": {"speaks": "sql", "resources": RESOURCES}, "secrets": {"password": "env:P"}},
    )  # fmt: skip
    with pytest.raises(RetryLater) as told:
        away.check()
    assert "s3cret-word" not in f"{told.value!r}{told.value.__cause__!r}{told.value.__context__!r}"


def test_values_come_as_they_are(base: Base) -> None:
    """P7: zero, empty, null, text that looks like a number, more digits than a float has, moments with their zone."""
    base.run("create table odd (id text primary key, n numeric, b bigint, t text, at timestamp)")
    base.run("insert into odd values ('1E5', 0.10, 9007199254740993, '007', '2026-03-01 12:00:00')")
    base.run("insert into odd values ('', 0, null, '', null)")
    connector = base.connect(odd={"table": "odd", "id": "id", "zone": "Asia/Almaty"})
    empty, full = next(iter(connector.read("odd"))).docs
    assert empty == {"id": "", "n": 0, "b": None, "t": "", "at": None}
    assert (full["b"], full["t"], str(full["n"]).rstrip("0")) == (9007199254740993, "007", "0.1")
    if base.kind == "postgresql":  # SQLite keeps a moment as the text it was given
        assert full["at"] == "2026-03-01T07:00:00Z"


def test_a_private_table_is_a_channel_like_any_other(base: Base, tmp_path: Path) -> None:
    """Described in YAML, read into records by its mapping."""
    base.run("create table places (code text primary key, title text)")
    base.run("insert into places values ('007', 'Depot')")
    files = {
        "companies.yaml": COMPANIES, "authority.yaml": AUTHORITY, "mappings/depot/places.yaml": MAPPING,
        "mappings/depot/places.schema.json": json.dumps(SCHEMA),
        "channels.yaml": "depot: {platform: depot, company: kz, url: env:DEPOT_URL, entities: {location: on}}\n",
        "platforms/depot.yaml": "speaks: sql\nresources:\n  places: {table: places, id: code}\n",
    }  # fmt: skip
    for name, lines in files.items():
        (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "project" / name).write_text(lines, encoding="utf-8")
    with environment({"DEPOT_URL": base.url}), opened(tmp_path / "project") as house:
        from flows.steps import pull

        ledger = pull(house, "depot", "places")
        assert ledger.total("created") == 1


