"""The sets of writes that a breaker stopped, and what each cause did to a channel of late."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations import has

revision = "0012"
down_revision = "0011"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Nothing is held yet."""
    if not has("registry"):
        return
    op.create_table(
        "hold",
        sa.Column("uid", KEY, nullable=False),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("entity", KEY, nullable=False),
        sa.Column("cause", KEY, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("who", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("uid", name="one_row_per_hold"),
        sa.CheckConstraint("state IN ('open', 'approved', 'rejected', 'resolved')", name="hold_state_is_known"),
        sa.CheckConstraint("kind IN ('single', 'all', 'alert')", name="hold_kind_is_known"),
    )
    is_open = sa.text("state = 'open'")
    op.create_index(
        "one_open_hold_per_channel_entity_and_cause", "hold", ["channel", "entity", "cause"], unique=True,
        sqlite_where=is_open, postgresql_where=is_open,
    )
    op.create_table(
        "hold_item",
        sa.Column("hold", KEY, nullable=False),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("entity", KEY, nullable=False),
        sa.Column("uid", KEY, nullable=False),
        sa.Column("mark", sa.LargeBinary(16), nullable=False),
        sa.Column("moves", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hold", "uid", name="one_item_per_hold_and_record"),
    )
    op.create_index("held_writes_of_a_record", "hold_item", ["uid", "entity", "channel"], unique=False)
    op.create_table(
        "tally",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("entity", KEY, nullable=False),
        sa.Column("cause", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("moved", sa.Text(), nullable=False),
        sa.Column("deleted", sa.Integer(), nullable=False),
        sa.Column("zeroed", sa.Integer(), nullable=False),
    )
    op.create_index("tallies_of_a_cause", "tally", ["channel", "entity", "at"], unique=False)
