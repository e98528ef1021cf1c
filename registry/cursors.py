"""Where each read stands, and which documents a complete scan did not see.

What surprises here: a deletion may be concluded only from a scan that began at page one and whose sightings were
stored with its pages; a binding that was read, told or verified after the scan began is never counted as missing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, func, insert, select

from registry import bulk
from registry.codec import decode, encode, micros, moment, new_uids
from registry.engine import Tx
from registry.sightings import unpack
from registry.tables import binding, cursor, scan, sighting

# Built once: these are asked for at every page, and building a statement costs more than running it.
_CURSOR = select(cursor.c.cursor).where(
    cursor.c.channel == bindparam("channel_"),
    cursor.c.resource == bindparam("resource_"),
    cursor.c.lane == bindparam("lane_"),
)
_OF_RESOURCE = (scan.c.channel == bindparam("channel_"), scan.c.resource == bindparam("resource_"))
_SCAN = select(scan).where(*_OF_RESOURCE)
_DROP_SCAN = delete(scan).where(*_OF_RESOURCE)
_BY_ID = select(scan).where(scan.c.scan == bindparam("scan_")).with_for_update()
_SEEN = select(sighting.c.entity, sighting.c.ids).where(
    sighting.c.channel == bindparam("channel_"),
    sighting.c.ids.is_not(None),
    (sighting.c.scan == bindparam("scan_")) | (sighting.c.asked_at >= bindparam("began_", type_=BigInteger)),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CursorRow:
    """Where one read stands; ``asked_at`` is how fresh the channel is known to be."""

    channel: str
    resource: str
    lane: str
    cursor: dict[str, Any]
    asked_at: datetime
    saved_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """An unfinished scan."""

    scan: str
    channel: str
    resource: str
    entities: frozenset[str]
    from_page_one: bool
    began_at: datetime


def load_cursor(tx: Tx, channel: str, resource: str, lane: str) -> dict[str, Any] | None:
    """The stored cursor, or None when nothing was read yet."""
    found = tx.rows(_CURSOR, {"channel_": channel, "resource_": resource, "lane_": lane})
    return decode(found[0].cursor) if found else None


def save_cursor(
    tx: Tx, channel: str, resource: str, lane: str, position: Mapping[str, Any], asked_at: datetime
) -> None:
    """Afterwards the next read continues at ``position``; belongs into the transaction that stores its page."""
    bulk.upsert(
        tx,
        "cursor",
        ("channel", "resource", "lane", "cursor", "asked_at", "saved_at"),
        [(channel, resource, lane, encode(position), micros(asked_at), tx.stamp)],
        key=("channel", "resource", "lane"),
    )


def cursors(tx: Tx) -> list[CursorRow]:
    """Every cursor, for status and freshness."""
    found = tx.rows(select(cursor).order_by(cursor.c.channel, cursor.c.resource, cursor.c.lane))
    return [
        CursorRow(
            channel=row.channel,
            resource=row.resource,
            lane=row.lane,
            cursor=decode(row.cursor),
            asked_at=moment(row.asked_at),
            saved_at=moment(row.saved_at),
        )
        for row in found
    ]


def begin_scan(
    tx: Tx,
    channel: str,
    resource: str,
    *,
    entities: Collection[str] = (),
    from_page_one: bool = True,
    began_at: datetime | None = None,
) -> str:
    """The id of a new scan; an unfinished one of the same resource is forgotten.

    ``entities`` are those whose absence the scan may prove (none: those it will have seen). ``began_at`` is when its
    first request began (default: this transaction's moment); it must not be later.
    """
    drop_scan(tx, channel, resource)
    (uid,) = new_uids(1)
    tx.run(
        insert(scan).values(
            scan=uid,
            channel=channel,
            resource=resource,
            entities=encode(sorted(entities)),
            from_page_one=from_page_one,
            began_at=tx.stamp if began_at is None else micros(began_at),
        )
    )
    return uid


def scan_of(tx: Tx, channel: str, resource: str) -> Scan | None:
    """The unfinished scan of a resource, None when there is none."""
    found = tx.rows(_SCAN, {"channel_": channel, "resource_": resource})
    return _scan(found[0]) if found else None


_HERE = (binding.c.channel == bindparam("on"), binding.c.entity == bindparam("of"))
_KNOWN = select(binding.c.external_id).where(*_HERE)  # the index alone holds them: no row is read
_KNOWN_IN_ONE = select(func.count(), func.aggregate_strings(binding.c.external_id, bulk.BETWEEN)).where(*_HERE)
_LOST = bulk.Keyed(
    select(binding.c.entity, binding.c.external_id, binding.c.uid).where(
        *_HERE, binding.c.state == "live",
        (binding.c.resource.is_(None)) | (binding.c.resource == bindparam("resource")),
        *(
            func.coalesce(at, 0) < bindparam("began", type_=BigInteger)
            for at in (binding.c.asked_at, binding.c.told_at, binding.c.verified_at)
        ),
    ),
    binding.c.external_id,
)


def finish_scan(tx: Tx, scan_id: str) -> list[tuple[str, str, str | None]]:
    """Ends a scan whose last page is stored: the (entity, external id, uid) of live bindings that it did not see.

    Only bindings of the scan's resource (or of none) count, and only if nobody read, told or verified them after the
    scan began. Empty for a scan that did not begin at page one, or that is no longer the resource's scan.
    """
    found = tx.rows(_BY_ID, {"scan_": scan_id})
    if not found:
        return []
    begun = _scan(found[0])
    missing: list[tuple[str, str, str | None]] = []
    if begun.from_page_one:
        began = micros(begun.began_at)
        seen: dict[str, set[str]] = {entity: set() for entity in begun.entities}
        for entity, ids in tx.rows(_SEEN, {"channel_": begun.channel, "scan_": scan_id, "began_": began}):
            if entity in seen or not begun.entities:
                seen.setdefault(entity, set()).update(unpack(ids))
        for entity, ids in sorted(seen.items()):
            unseen = _known(tx, begun.channel, entity) - ids
            lost = _LOST.rows(tx, unseen, on=begun.channel, of=entity, resource=begun.resource, began=began)
            missing += sorted((row[0], row[1], row[2]) for row in lost)
    drop_scan(tx, begun.channel, begun.resource)
    return missing


def _known(tx: Tx, channel: str, entity: str) -> set[str]:
    """Every external id of an entity on a channel; as one text: rows cost half as much again."""
    here = {"on": channel, "of": entity}
    ((count, joined),) = tx.rows(_KNOWN_IN_ONE, here)
    ids = joined.split(bulk.BETWEEN) if count > 0 else []
    return set(ids) if len(ids) == count else {id for (id,) in tx.rows(_KNOWN, here)}  # an id holds what stands between


def drop_scan(tx: Tx, channel: str, resource: str) -> None:
    """Forgets the unfinished scan of a resource; what its pages saw, and when, stays known."""
    tx.run(_DROP_SCAN, {"channel_": channel, "resource_": resource})


def _scan(row: Any) -> Scan:
    return Scan(
        scan=row.scan,
        channel=row.channel,
        resource=row.resource,
        entities=frozenset(decode(row.entities) if row.entities is not None else ()),
        from_page_one=row.from_page_one,
        began_at=moment(row.began_at),
    )
