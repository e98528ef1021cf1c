"""Lineage: one hop per record and change, holding ids, digests and the inputs of policies, never personal values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import select

from registry import bulk
from registry.codec import Json, as_texts, decode, moment
from registry.engine import Tx
from registry.tables import hop, record


class HopRow(Struct, frozen=True, kw_only=True):
    """One step of one record: inward (a contribution changed it), merge, or outward (a channel was told)."""

    uid: str
    entity: str
    channel: str
    direction: str
    run: str | None = None
    external_id: str | None = None
    document_hash: bytes | None = None
    before_hash: bytes | None = None
    after_hash: bytes | None = None
    mapping_hash: str | None = None
    policy: Json | None = None
    key: str | None = None
    detail: str | None = None
    release: int | None = None


class Hop(HopRow, frozen=True, kw_only=True):
    """A hop as stored; ``policy`` is decoded."""

    id: int
    at: datetime


_COLUMNS = ("uid", "entity", "channel", "direction", "at", "run", "external_id", "document_hash", "before_hash",
            "after_hash", "mapping_hash", "policy", "key", "detail", "release")  # fmt: skip


def put_hops(tx: Tx, rows: Iterable[HopRow]) -> int:
    """Afterwards these hops are known, stamped with the transaction's moment; the number stored."""
    rows, stamp = list(rows), tx.stamp
    stored = [
        (row.uid, row.entity, row.channel, row.direction, stamp, row.run, row.external_id, row.document_hash,
         row.before_hash, row.after_hash, row.mapping_hash, policy, row.key, row.detail,
         row.release)
        for row, policy in zip(rows, as_texts([row.policy for row in rows]), strict=True)
    ]  # fmt: skip
    return bulk.insert(tx, "hop", _COLUMNS, stored)


def hops_of(tx: Tx, uid: str, limit: int = 100) -> list[Hop]:
    """The record's hops and those of records merged into it, the newest first."""
    merged = select(record.c.uid).where(record.c.merged_into == uid).scalar_subquery()
    found = tx.rows(
        select(hop).where((hop.c.uid == uid) | hop.c.uid.in_(merged)).order_by(hop.c.id.desc()).limit(limit)
    )
    return [_row(row) for row in found]


def _row(row: Any) -> Hop:
    return Hop(
        id=row.id,
        uid=row.uid,
        entity=row.entity,
        channel=row.channel,
        direction=row.direction,
        at=moment(row.at),
        run=row.run,
        external_id=row.external_id,
        document_hash=None if row.document_hash is None else bytes(row.document_hash),
        before_hash=None if row.before_hash is None else bytes(row.before_hash),
        after_hash=None if row.after_hash is None else bytes(row.after_hash),
        mapping_hash=row.mapping_hash,
        policy=None if row.policy is None else decode(row.policy),
        key=row.key,
        detail=row.detail,
        release=row.release,
    )
