"""The last raw document of each external id, kept so that a changed mapping can be applied without asking again."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import bindparam, delete, select

from registry import bulk
from registry.codec import micros
from registry.engine import Tx
from registry.tables import document

_PACK_ABOVE = 512
"""Bytes; below it compressing costs more than it saves."""


_DROP = bulk.Keyed(
    delete(document).where(document.c.channel == bindparam("on"), document.c.resource == bindparam("of")),
    document.c.external_id,
)


def put_documents(tx: Tx, rows: Iterable[tuple[str, str, str, bytes, datetime]]) -> int:
    """(channel, resource, external id, body, asked at): afterwards these are the last documents."""
    packed = []
    for channel, resource, external_id, body, asked_at in rows:
        pack = len(body) > _PACK_ABOVE
        stored = zlib.compress(body, 1) if pack else body
        packed.append((channel, resource, external_id, stored, pack, micros(asked_at)))
    key = ("channel", "resource", "external_id")
    columns = (*key, "body", "packed", "asked_at")
    if not tx.postgres:
        return bulk.upsert(tx, "document", columns, packed, key=key)
    for channel, resource in sorted({row[:2] for row in packed}):  # nobody locks them: put anew, they can be copied in
        ids = [row[2] for row in packed if row[:2] == (channel, resource)]
        _DROP.run(tx, ids, on=channel, of=resource)
    return bulk.insert(tx, "document", columns, packed, key=key)


def documents(tx: Tx, channel: str, resource: str, external_ids: Collection[str]) -> dict[str, bytes]:
    """External id → body, of those that are kept."""
    statement = select(document.c.external_id, document.c.body, document.c.packed).where(
        document.c.channel == channel, document.c.resource == resource
    )
    found = bulk.gather(tx, statement, document.c.external_id, external_ids)
    return {row[0]: _unpack(row[1], row[2]) for row in found}


def document_pages(tx: Tx, channel: str, resource: str, after: str = "", limit: int = 1_000) -> list[tuple[str, bytes]]:
    """(external id, body) in the order of external ids, after ``after``: call again with the last one."""
    found = tx.rows(
        select(document.c.external_id, document.c.body, document.c.packed)
        .where(document.c.channel == channel, document.c.resource == resource, document.c.external_id > after)
        .order_by(document.c.external_id)
        .limit(limit)
    )
    return [(row[0], _unpack(row[1], row[2])) for row in found]


def _unpack(body: bytes, packed: bool) -> bytes:
    return zlib.decompress(body) if packed else bytes(body)
