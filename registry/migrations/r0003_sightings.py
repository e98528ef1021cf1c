"""What a request saw is one row per entity, not one per document; bindings know the document they came from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations import has

revision = "0003"
down_revision = "0002"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Creates them. Scans that were under way are forgotten: they conclude nothing, and the next one begins anew."""
    if not has("registry"):
        return
    op.drop_table("scan_key")
    op.execute("DELETE FROM scan")
    op.create_table(
        "sighting",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("entity", KEY, nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("scan", KEY, nullable=True),
        sa.Column("ids", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("sightings_of_an_entity", "sighting", ["channel", "entity", "asked_at"], unique=False)
    op.add_column("channel", sa.Column("rebound", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("binding", sa.Column("document_hash", sa.LargeBinary(24), nullable=True))
