"""The migrations make exactly the tables that the code expects, once, and whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from registry import DatabaseRefused, Registry, claim_due, linked, mark_due, migrations, open_registry, owners, wake
from registry.tables import metadata
from tests.databases import fresh_postgres, fresh_sqlite


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_migrating_twice_changes_nothing(dialect: str, tmp_path: Path) -> None:
    """P15: every start may migrate."""
    with (
        fresh_sqlite(tmp_path / "new", migrated=False) if dialect == "sqlite" else fresh_postgres(migrated=False) as url
    ):
        reg = open_registry(url)
        assert not reg.migrated()
        reg.migrate()
        assert reg.migrated()
        with reg.write() as tx:
            mark_due(tx, [("shop", "stock", "a", None, False, None)])
        reg.migrate()
        with reg.read() as tx:
            assert tx.conn.execute(text("SELECT count(*) FROM outbox")).scalar_one() == 1
        reg.close()


def test_the_migrations_make_the_tables_of_the_code(reg: Registry) -> None:
    """P15: a column, index or constraint added to tables.py without its migration is found here."""
    names = set()
    for engine, parts in reg._parts():
        with engine.connect() as conn:
            differences = compare_metadata(MigrationContext.configure(conn), metadata)
            assert [one for one in differences if not _of_another_file(one, parts)] == []
            look = inspect(conn)
            for table in look.get_table_names():
                constraints = [*look.get_unique_constraints(table), *look.get_check_constraints(table)]
                names |= {found["name"] for found in [*constraints, look.get_pk_constraint(table)]}
    promised = {
        constraint.name for table in metadata.tables.values() for constraint in table.constraints if constraint.name
    }
    assert promised - names == set()


def _of_another_file(difference: object, parts: frozenset[str]) -> bool:
    """Whether this table or index is missing only because it stands in the other file of a SQLite registry."""
    kind, item = difference[:2] if isinstance(difference, tuple) else ("", None)
    table = metadata.tables[getattr(item, "table", item).name] if kind in ("add_table", "add_index") else None
    return table is not None and table.info.get("part", "registry") not in parts


def test_a_migration_that_fails_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """P15: a crash in the middle of a migration leaves the registry as it was."""
    broken = tmp_path / "steps"
    broken.mkdir()
    source = Path(migrations.__file__).with_name("r0001_first_tables.py").read_text()
    crash = "    raise RuntimeError('the power went')\n\n\ndef _inbox("
    (broken / "r0001_first_tables.py").write_text(source.replace("\n\ndef _inbox(", crash))
    monkeypatch.setattr(migrations, "_HERE", broken)
    for url in (f"sqlite:///{tmp_path / 'registry.db'}", None):
        with fresh_postgres(migrated=False) as postgres:
            reg = open_registry(url if url is not None else postgres)
            with pytest.raises(RuntimeError, match="the power went"):
                reg.migrate()
            with reg.read() as tx:
                assert inspect(tx.conn).get_table_names() == []
            reg.close()


def test_a_registry_without_tables_says_what_to_do(tmp_path: Path) -> None:
    """A command run before `serai migrate` names the remedy."""
    reg = open_registry(f"sqlite:///{tmp_path / 'registry.db'}")
    with reg.write() as tx, pytest.raises(Exception, match="no such table"):
        mark_due(tx, [("shop", "stock", "a", None, False, None)])

    def use() -> None:
        with reg.write() as tx:
            mark_due(tx, [("shop", "stock", "a", None, False, None)])

    with pytest.raises(DatabaseRefused, match="no such table") as refused:
        use()
    assert any("serai migrate" in note for note in refused.value.__notes__)
    reg.close()


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_what_was_known_before_is_known_after(dialect: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """P15: stock, prices and open writes of a registry of the second revision are found by the newest."""
    with (
        fresh_sqlite(tmp_path / "old", migrated=False) if dialect == "sqlite" else fresh_postgres(migrated=False) as url
    ):
        older = tmp_path / "steps"
        older.mkdir()
        for name in ("r0001_first_tables.py", "r0002_releases.py"):
            (older / name).write_text(Path(migrations.__file__).with_name(name).read_text())
        reg = open_registry(url)
        with monkeypatch.context() as before:
            before.setattr(migrations, "_HERE", older)
            reg.migrate()
        with reg.write() as tx:
            run = tx.conn.exec_driver_sql
            for uid, entity in (("v", "variant"), ("s1", "stock"), ("s2", "stock"), ("p", "price")):
                run(f"INSERT INTO record (uid, entity, \"values\", hash, created_at, changed_at, state) "
                    f"VALUES ('{uid}', '{entity}', '{{}}', '', 1, 1, 'live')")
            run("INSERT INTO matchkey VALUES ('stock', 'variant@location', 'v@l', 's1'), "
                "('price', 'variant@list', 'v@retail', 'p'), ('variant', 'sku', 'A', 'v')")
            run("INSERT INTO link (uid, entity, field, target_uid) VALUES ('s1', 'stock', 'variant', 'v'), "
                "('s1', 'stock', 'location', 'l'), ('s2', 'stock', 'variant', 'v'), ('p', 'price', 'variant', 'v'), "
                "('v', 'variant', 'product', 'x')")
            for uid, state in (("a", "due"), ("b", "waiting"), ("c", "parked")):
                run(f"INSERT INTO outbox (channel, entity, uid, state, attempt, due_at, created_at) "
                    f"VALUES ('shop', 'stock', '{uid}', '{state}', 0, 5, 5)")
        reg.migrate()
        with reg.write() as tx:
            assert linked(tx, "stock", "variant", ["v"]) == {"v": ["s1", "s2"]}
            assert linked(tx, "stock", "location", ["l"]) == {"l": ["s1"]}
            assert linked(tx, "price", "variant", ["v"]) == {"v": ["p"]}
            assert linked(tx, "variant", "product", ["x"]) == {"x": ["v"]}
            keys = [("stock", "variant@location", "v@l"), ("price", "variant@list", "v@retail")]
            keys.append(("variant", "sku", "A"))
            assert owners(tx, keys) == dict(zip(keys, ("s1", "p", "v"), strict=True))
            assert wake(tx, channel="shop") == 1
            assert [row.uid for row in claim_due(tx, "shop", "stock", 10)] == ["a", "b"]
        reg.close()
