"""Goods sold in steps are in the escrow: its figures are whole steps, and each row says of how many units."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations import has

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Adds the column; a row of an article sold in other steps is reckoned anew when it is next decided about."""
    if not has("registry"):
        return
    op.add_column("escrow", sa.Column("step", sa.Text(), nullable=False, server_default=sa.text("'1'")))
