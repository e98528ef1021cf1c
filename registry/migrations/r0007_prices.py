"""What prices were shown."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations import has

revision = "0007"
down_revision = "0006"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Creates the table; the history of a channel's prices begins with the next that is seen."""
    if not has("registry"):
        return
    op.create_table(
        "shown_price",
        sa.Column("channel", KEY, nullable=False),
        sa.Column("variant_uid", KEY, nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("amount", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("tax_mode", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("until IS NULL OR until > start", name="a_price_is_shown_for_some_time"),
        sa.PrimaryKeyConstraint(
            "variant_uid", "channel", "start", name="one_price_shown_per_variant_channel_and_moment"
        ),
    )
    op.create_index(
        "one_price_shown_now_per_variant_and_channel", "shown_price", ["variant_uid", "channel"], unique=True,
        sqlite_where=sa.text("until IS NULL"), postgresql_where=sa.text("until IS NULL"),
    )
