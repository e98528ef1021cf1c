"""By when an order wants an answer, and what was answered."""

from __future__ import annotations

from registry.migrations import has

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Nothing yet."""
    if not has("registry"):
        return
