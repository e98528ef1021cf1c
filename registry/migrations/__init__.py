"""The registry's tables, step by step: every module ``r<number>_<subject>.py`` here is one Alembic revision.

What surprises here: there is no alembic.ini and no env.py; ``upgrade`` is the whole environment. The inbox of a SQLite
registry is a database of its own and runs the same revisions: a revision asks ``has("registry")`` or ``has("inbox")``
before it creates a table, and on PostgreSQL both are true. Everything happens in one transaction, so a revision that
fails leaves nothing behind.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

_HERE = Path(__file__).parent
_LOCK = 0x5E7A1  # advisory lock of this registry's migrations: one process migrates, the others wait and find it done
_PARTS = "serai.parts"


def has(part: str) -> bool:
    """Inside a revision: whether the database being migrated holds this part ("registry" or "inbox")."""
    return part in op.get_context().opts[_PARTS]


def upgrade(conn: Connection, parts: frozenset[str]) -> None:
    """Brings the database behind ``conn`` (in an open transaction) to the newest revision."""
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    revisions = _revisions()
    environment = EnvironmentContext(
        Config(), revisions, fn=lambda rev, _context: revisions._upgrade_revs("head", rev), destination_rev="head"
    )
    environment.configure(connection=conn, transactional_ddl=True, **{_PARTS: parts})  # type: ignore[arg-type]
    with environment:
        environment.run_migrations()


def at_head(conn: Connection) -> bool:
    """Whether the database behind ``conn`` stands at the newest revision."""
    return MigrationContext.configure(conn).get_current_heads() == tuple(_revisions().get_heads())


def _revisions() -> ScriptDirectory:
    return ScriptDirectory(str(_HERE), version_locations=[str(_HERE)])
