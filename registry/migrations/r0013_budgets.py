"""What is left of the calls that a platform allows one of its accounts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations import has

revision = "0013"
down_revision = "0012"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Every budget is full until it is first used."""
    if not has("registry"):
        return
    op.create_table(
        "budget",
        sa.Column("channel", KEY, nullable=False),
        sa.Column("bucket", KEY, nullable=False),
        sa.Column("level", sa.Float(53), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("pace", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("channel", "bucket", name="one_budget_per_channel_and_bucket"),
        sa.CheckConstraint("pace > 0 AND pace <= 1", name="pace_is_a_share"),
    )
