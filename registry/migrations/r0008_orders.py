"""The numbers an order goes by, and what was edited of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations import has

revision = "0008"
down_revision = "0007"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Creates both. Numbers of orders known before come with the next read of each."""
    if not has("registry"):
        return
    op.create_table(
        "order_number",
        sa.Column("order_uid", KEY, nullable=False),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("whose", KEY, nullable=False),
        sa.Column("number", KEY, nullable=False),
        sa.PrimaryKeyConstraint("order_uid", "channel", "whose", name="one_number_per_order_channel_and_party"),
    )
    op.create_index("orders_by_number", "order_number", ["number"], unique=False)
    op.create_table(
        "order_edit",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("order_uid", KEY, nullable=False),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("edits_of_an_order", "order_edit", ["order_uid", "id"], unique=False)
