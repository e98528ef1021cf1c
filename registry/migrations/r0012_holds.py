"""The sets of writes that a breaker stopped."""

from __future__ import annotations

from registry.migrations import has

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Nothing yet."""
    if not has("registry"):
        return
