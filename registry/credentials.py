"""Short-lived tokens of channels, shared by all workers; encrypted by the caller, never readable here."""

from __future__ import annotations

from sqlalchemy import select, update

from registry import bulk
from registry.engine import Tx
from registry.tables import credential


def load_tokens(tx: Tx, channel: str) -> tuple[int, bytes]:
    """The version and the bytes; (0, b"") when there are none."""
    found = tx.rows(select(credential.c.version, credential.c.tokens).where(credential.c.channel == channel))
    return (found[0].version, bytes(found[0].tokens)) if found else (0, b"")


def swap_tokens(tx: Tx, channel: str, version: int, tokens: bytes) -> bool:
    """Stores as ``version + 1`` if the stored version is still ``version``; False: another was faster, load again."""
    if version == 0:
        columns = ("channel", "version", "tokens", "changed_at")
        return (
            bulk.upsert(tx, "credential", columns, [(channel, 1, tokens, tx.stamp)], key=("channel",), change={}) == 1
        )
    changed = tx.run(
        update(credential)
        .where(credential.c.channel == channel, credential.c.version == version)
        .values(version=version + 1, tokens=tokens, changed_at=tx.stamp)
    )
    return changed == 1
