"""Which feeds were fetched, and when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations import has

revision = "0011"
down_revision = "0010"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Creates the table; no feed was fetched before there was one."""
    if not has("registry"):
        return
    op.create_table(
        "feed_fetch",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("fetches_of_a_channel", "feed_fetch", ["channel", "at"], unique=False)
