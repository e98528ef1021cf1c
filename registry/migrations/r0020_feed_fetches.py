"""Who came for a feed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations import has

revision = "0020"
down_revision = "0016"


def upgrade() -> None:
    """Adds the column; who came before is not known."""
    if not has("registry"):
        return
    op.add_column("feed_fetch", sa.Column("who", sa.Text(), nullable=True))
