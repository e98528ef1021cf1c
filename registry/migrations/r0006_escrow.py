"""What the escrow of stock and what a person overrides keep."""

from __future__ import annotations

from registry.migrations import has

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Nothing yet."""
    if not has("registry"):
        return
