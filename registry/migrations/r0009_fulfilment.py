"""By when an order wants an answer, and what was answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations import has

revision = "0009"
down_revision = "0008"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Creates ``deadline``; deadlines of orders that are there come with the next change of each."""
    if not has("registry"):
        return
    op.create_table(
        "deadline",
        sa.Column("order_uid", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("soon_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'met', 'void', 'expired')", name="deadline_state_is_known"),
        sa.PrimaryKeyConstraint("order_uid", "kind", name="one_deadline_of_a_kind_per_order"),
    )
    op.create_index(
        "deadlines_that_run", "deadline", ["soon_at"], unique=False,
        sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'"),
    )
