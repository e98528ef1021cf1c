"""The lines of settlement reports, found by the order they are about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations import has

revision = "0015"
down_revision = "0013"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Creates the table; reports come with the first read of their resource."""
    if not has("registry"):
        return
    op.create_table(
        "settlement_line",
        sa.Column("settlement_uid", KEY, nullable=False),
        sa.Column("part", KEY, nullable=False),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("order_number", KEY, nullable=True),
        sa.Column("order_uid", KEY, nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("amount", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("settlement_uid", "part", name="one_line_per_report_and_key"),
    )
    op.create_index("settlement_lines_of_an_order", "settlement_line", ["order_uid"], unique=False)
    op.create_index("settlement_lines_by_number", "settlement_line", ["channel", "order_number"], unique=False)
