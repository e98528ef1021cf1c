"""What a merge, a consent and an erasure keep."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations import has

revision = "0010"
down_revision = "0009"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Creates the tables; customers that are there stand for themselves until something of them is read again."""
    if not has("registry"):
        return
    op.create_table(
        "likeness",
        sa.Column("one", KEY, nullable=False),
        sa.Column("other", KEY, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("score", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'merged', 'separate')", name="likeness_state_is_known"),
        sa.CheckConstraint("one < other", name="a_pair_is_kept_in_one_order"),
        sa.PrimaryKeyConstraint("one", "other", name="one_likeness_per_pair"),
    )
    op.create_index("likenesses_of_the_other", "likeness", ["other"], unique=False)
    op.create_index(
        "likenesses_to_review", "likeness", ["at"], unique=False,
        sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "trait",
        sa.Column("kind", KEY, nullable=False),
        sa.Column("mark", KEY, nullable=False),
        sa.Column("uid", KEY, nullable=False),
        sa.PrimaryKeyConstraint("kind", "mark", "uid", name="one_trait_of_a_kind_and_value_per_identity"),
        sqlite_with_rowid=False,
    )
    op.create_index("traits_of_an_identity", "trait", ["uid"], unique=False)
    op.create_table(
        "opt_out",
        sa.Column("uid", KEY, nullable=False),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("uid", "channel", name="one_refusal_on_its_way_per_identity_and_channel"),
    )
    op.create_table(
        "erased",
        sa.Column("channel", KEY, nullable=False),
        sa.Column("entity", KEY, nullable=False),
        sa.Column("mark", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "entity", "mark", name="what_is_erased_is_not_taken_again"),
    )
    op.create_table(
        "erasure",
        sa.Column("uid", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("identities", sa.Text(), nullable=False),
        sa.Column("proof", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("uid", name="one_row_per_erasure"),
    )
