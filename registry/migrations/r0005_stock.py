"""What the ledger of stock keeps beside its figures: when a promise was taken and moved, shifts, counts, silence."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations import has

revision = "0005"
down_revision = "0004"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """A reservation that had ended keeps no reason: nobody wrote it down."""
    if not has("registry"):
        return
    for column in (
        sa.Column("taken_at", sa.BigInteger(), nullable=True), sa.Column("moved_at", sa.BigInteger(), nullable=True),
        sa.Column("because", sa.Text(), nullable=True),
    ):
        op.add_column("reservation", column)
    op.execute("UPDATE reservation SET moved_at = posted_at")
    op.create_index("reservations_by_variant_and_moment", "reservation", ["variant_uid", "made_at"], unique=False)
    op.create_table(
        "shift",
        sa.Column("channel", KEY, nullable=False),
        sa.Column("document", KEY, nullable=False),
        sa.Column("location_uid", KEY, nullable=False),
        sa.Column("register", sa.Text(), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("location_uid", "channel", "document", name="one_row_per_shift_document"),
    )
    op.create_table(
        "counting",
        sa.Column("stock_uid", KEY, nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stock_uid", name="one_figure_from_before_a_count"),
    )
    op.create_table(
        "silence",
        sa.Column("channel", KEY, nullable=False),
        sa.Column("place", KEY, nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=True),
        sa.Column("quiet_since", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("channel", "place", name="one_row_per_channel_and_place"),
    )
