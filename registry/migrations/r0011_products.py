"""Which feeds were fetched, and when."""

from __future__ import annotations

from registry.migrations import has

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Nothing yet."""
    if not has("registry"):
        return
