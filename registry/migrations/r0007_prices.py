"""What prices were shown, and by which rules."""

from __future__ import annotations

from registry.migrations import has

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Nothing yet."""
    if not has("registry"):
        return
