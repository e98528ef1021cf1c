"""What tills were answered that asked for points."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations import has

revision = "0016"
down_revision = "0015"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Creates the table; nobody asked through Serai before there was one."""
    if not has("registry"):
        return
    op.create_table(
        "answer",
        sa.Column("number", KEY, nullable=False),
        sa.Column("uid", KEY, nullable=False),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("said", sa.Text(), nullable=True),
        sa.Column("because", sa.Text(), nullable=False),
        sa.CheckConstraint("said IN ('accepted', 'refused')", name="an_answer_is_yes_or_no"),
        sa.PrimaryKeyConstraint("number", name="one_answer_per_redemption"),
    )
    op.create_index(
        "redemptions_without_an_answer", "answer", ["until"], unique=False,
        sqlite_where=sa.text("said IS NULL"), postgresql_where=sa.text("said IS NULL"),
    )
