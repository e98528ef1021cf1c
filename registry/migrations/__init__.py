"""The registry's tables, step by step: every module ``r<number>_<subject>.py`` here is one Alembic revision.

What surprises here: there is no alembic.ini and no env.py; ``upgrade`` is the whole environment. The inbox of a SQLite
registry is a database of its own and runs the same revisions: a revision asks ``has("registry")`` or ``has("inbox")``
before it creates a table, and on PostgreSQL both are true. Everything happens in one transaction, so a revision that
fails leaves nothing behind. Alembic is imported only where there is something to do: it takes longer to import than
most commands take to run. A revision's name is the number in its file's name.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

_HERE = Path(__file__).parent
_LOCK = 0x5E7A1  # advisory lock of this registry's migrations: one process migrates, the others wait and find it done
_PARTS = "serai.parts"


def has(part: str) -> bool:
    """Inside a revision: whether the database being migrated holds this part ("registry" or "inbox")."""
    from alembic import op

    return part in op.get_context().opts[_PARTS]


def upgrade(conn: Connection, parts: frozenset[str]) -> None:
    """Brings the database behind ``conn`` (in an open transaction) to the newest revision."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext

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
    if not inspect(conn).has_table("alembic_version"):
        return False
    return list(conn.execute(text("SELECT version_num FROM alembic_version")).scalars()) == [_newest()]


def newer(conn: Connection) -> str | None:
    """The revision of the database behind ``conn`` where only a later version of Serai knows it."""
    if not inspect(conn).has_table("alembic_version"):
        return None
    found = conn.execute(text("SELECT version_num FROM alembic_version")).scalars()
    return next((str(one) for one in found if str(one) > _newest()), None)


def _newest() -> str:
    return max(found[1] for path in _HERE.iterdir() if (found := re.fullmatch(r"r(\d+)_\w+\.py", path.name)))


def _revisions() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(_HERE), version_locations=[str(_HERE)])
