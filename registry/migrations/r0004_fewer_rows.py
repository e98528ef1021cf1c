"""A record's own key stands in its row; a write that stands still says since when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations import has

revision = "0004"
down_revision = "0003"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
STILL = "('waiting', 'held', 'parked', 'rejected')"
# A key made of what a record refers to: (kind of its match key until now, the references it is made of)
OWN = {"stock": ("variant@location", ("variant", "location")), "price": ("variant@list", ("variant",))}


def upgrade() -> None:
    """Stock and prices carry their key; what it is made of needs no match key and no reference beside it."""
    if not has("registry"):
        return
    _records()
    _outbox()


def _records() -> None:
    op.add_column("record", sa.Column("key", KEY, nullable=True))
    for entity, (kind, fields) in OWN.items():
        where = f"matchkey.entity = '{entity}' AND matchkey.kind = '{kind}'"
        op.execute(
            f"UPDATE record SET key = (SELECT min(value) FROM matchkey WHERE matchkey.uid = record.uid AND {where}) "  # noqa: S608 — names of this file
            f"WHERE entity = '{entity}'"
        )
        op.execute(f"DELETE FROM matchkey WHERE {where}")  # noqa: S608 — names of this file
        parts = [
            f"coalesce((SELECT min(target_uid) FROM link WHERE link.uid = record.uid AND field = '{field}'), '') || '@'"  # noqa: S608
            for field in (*fields, *("" for _ in range(2 - len(fields))))
        ]
        op.execute(  # without a match key, as far as it refers to anything
            f"UPDATE record SET key = {' || '.join(parts)} || uid WHERE entity = '{entity}' AND key IS NULL"  # noqa: S608
        )
        op.execute(f"DELETE FROM link WHERE entity = '{entity}' AND field IN ('{fields[0]}', '{fields[-1]}')")  # noqa: S608
    op.execute("UPDATE record SET key = uid WHERE key IS NULL")
    op.drop_index("records_of_an_entity", table_name="record")
    with op.batch_alter_table("record") as batch:
        batch.alter_column("key", existing_type=KEY, nullable=False)
        batch.create_unique_constraint("one_record_per_key", ["entity", "key"])


def _outbox() -> None:
    op.drop_index("writes_by_state_and_moment", table_name="outbox")
    op.drop_index("writes_that_wait", table_name="outbox")
    op.add_column("outbox", sa.Column("stalled_at", sa.BigInteger(), nullable=True))
    op.execute(f"UPDATE outbox SET stalled_at = due_at WHERE state IN {STILL}")  # noqa: S608 — words of this file
    with op.batch_alter_table("outbox") as batch:
        batch.create_check_constraint(
            "what_stands_still_says_since_when", f"(stalled_at IS NOT NULL) = (state IN {STILL})"
        )
    for name, columns, null in (
        ("writes_that_move", ["channel", "entity", "due_at", "id"], "IS NULL"),
        ("writes_that_stand_still", ["channel", "entity"], "IS NOT NULL"),
    ):
        where = sa.text(f"stalled_at {null}")
        op.create_index(name, "outbox", columns, unique=False, sqlite_where=where, postgresql_where=where)
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE outbox SET (fillfactor = 50)")
