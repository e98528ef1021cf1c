"""What the escrow of stock and what a person overrides keep."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations import has

revision = "0006"
down_revision = "0005"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Creates both tables; what channels may still sell is found out when hard allocation is switched on."""
    if not has("registry"):
        return
    op.create_table(
        "escrow",
        sa.Column("channel", KEY, nullable=False),
        sa.Column("variant_uid", KEY, nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("shown", sa.Integer(), nullable=True),
        sa.Column("sent", sa.Integer(), nullable=True),
        sa.Column("open", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("late", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("back", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("expected", sa.Text(), nullable=True),
        sa.Column("shown_at", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("held >= 0 AND late >= 0 AND back >= 0", name="nothing_less_than_nothing_may_be_sold"),
        sa.PrimaryKeyConstraint("variant_uid", "channel", name="one_escrow_per_variant_and_channel"),
    )
    op.create_table(
        "override",
        sa.Column("entity", KEY, nullable=False),
        sa.Column("uid", KEY, nullable=False),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("entity IN ('stock', 'price')", name="overridden_entity_is_known"),
        sa.CheckConstraint("until > since", name="an_override_ends"),
        sa.PrimaryKeyConstraint("uid", "entity", "channel", name="one_override_per_record_entity_and_channel"),
    )
