"""What a merge, a consent and an erasure keep."""

from __future__ import annotations

from registry.migrations import has

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Nothing yet."""
    if not has("registry"):
        return
