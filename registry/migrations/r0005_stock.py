"""What the ledger of stock keeps beside its figures."""

from __future__ import annotations

from registry.migrations import has

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Nothing yet."""
    if not has("registry"):
        return
