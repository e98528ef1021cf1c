"""Which documents a channel was seen to hold, and when: one row per request and entity, not one per document.

What surprises here: a document that is as it was writes nothing of its own. That it was seen, and how lately, stands
with the ids of its page, so that an older answer which arrives late is known to be older (P5) and a complete scan knows
what it did not see (P10). Rows older than ``KEPT`` go; what is left of them is a row without ids, which says that
nobody remembers what was seen until then.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, func, select

from registry import bulk
from registry.codec import decode, encode, micros, moment
from registry.engine import Tx
from registry.tables import scan, sighting

KEPT = timedelta(hours=2)
"""How long an answer may be under way (a request with its repetitions) and still be compared with later ones."""

_OF = (sighting.c.channel == bindparam("on"), sighting.c.entity == bindparam("of"))
_LATER = select(sighting.c.ids).where(*_OF, sighting.c.asked_at > bindparam("stamp", type_=BigInteger))
_NEWEST = select(sighting.c.asked_at, sighting.c.ids).where(*_OF, sighting.c.ids.is_not(None)).order_by(
    sighting.c.asked_at.desc()
)  # fmt: skip
_OLD = (
    delete(sighting)
    .where(
        sighting.c.channel == bindparam("on"),
        sighting.c.entity.in_(bindparam("entities", expanding=True)),
        sighting.c.asked_at < bindparam("stamp", type_=BigInteger),
        sighting.c.asked_at
        < func.coalesce(
            select(func.min(scan.c.began_at)).where(scan.c.channel == bindparam("on")).scalar_subquery(),
            bindparam("stamp", type_=BigInteger),
        ),
        sighting.c.scan.is_(None) | sighting.c.scan.not_in(select(scan.c.scan)),
    )
    .returning(sighting.c.entity, sighting.c.asked_at, sighting.c.ids.is_(None))
)


def put_sightings(
    tx: Tx, channel: str, seen: Mapping[str, Collection[str]], asked_at: datetime, *, scan: str | None = None
) -> None:
    """Notes that a request that began at ``asked_at`` saw these documents: entity → external ids.

    ``scan`` is the complete scan it is part of. Belongs into the transaction that stores the page.
    """
    at = micros(asked_at)
    rows: list[tuple[Any, ...]] = [
        (channel, entity, at, scan, zlib.compress(encode(list(ids)).encode(), 1)) for entity, ids in seen.items() if ids
    ]
    if not rows:
        return
    until = tx.stamp - KEPT // timedelta(microseconds=1)
    old = tx.rows(_OLD, {"on": channel, "entities": sorted(seen), "stamp": until})
    newest: dict[str, int] = {}
    for entity, stamp, _ in old:
        newest[entity] = max(stamp, newest.get(entity, 0))
    rows += [(channel, entity, stamp, None, None) for entity, stamp in newest.items()]
    bulk.insert(tx, "sighting", ("channel", "entity", "asked_at", "scan", "ids"), rows)


def seen_later(tx: Tx, channel: str, entity: str, than: datetime) -> frozenset[str] | None:
    """The ids that requests which began later saw; None when that was so long ago that nobody remembers."""
    found: set[str] = set()
    for (ids,) in tx.rows(_LATER, {"on": channel, "of": entity, "stamp": micros(than)}):
        if ids is None:
            return None
        found.update(unpack(ids))
    return frozenset(found)


def last_seen(tx: Tx, channel: str, entity: str, external_id: str) -> datetime | None:
    """When the newest request began that saw this document; None when none of those remembered did."""
    for asked_at, ids in tx.rows(_NEWEST, {"on": channel, "of": entity}):
        if external_id in unpack(ids):
            return moment(asked_at)
    return None


def unpack(ids: bytes) -> list[str]:
    """The external ids of one row."""
    found: list[str] = decode(zlib.decompress(ids))
    return found
