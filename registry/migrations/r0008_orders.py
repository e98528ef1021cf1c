"""What an order's money and machines keep beside its record."""

from __future__ import annotations

from registry.migrations import has

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Nothing yet."""
    if not has("registry"):
        return
