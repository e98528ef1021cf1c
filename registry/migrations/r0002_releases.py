"""Releases: the mappings, authority and policies in force, by content; hops say under which they came about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations import has

revision = "0002"
down_revision = "0001"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Creates them; hops from before know no release."""
    if not has("registry"):
        return
    op.create_table(
        "release",
        sa.Column("number", SERIAL, autoincrement=True, nullable=False),
        sa.Column("content", KEY, nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="one_row_per_release"),
    )
    op.create_table(
        "release_text",
        sa.Column("hash", KEY, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="one_text_per_content"),
    )
    op.add_column("hop", sa.Column("release", sa.BigInteger(), nullable=True))
