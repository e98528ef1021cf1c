"""What a person decided for a while: nothing of a variant on show, a buffer, a price. Every one has an end.

What surprises here: an override that has ended is simply not found any more; what it changed was marked due for that
moment when it was made. Each is audited when it is made and when it is ended by hand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import bindparam, delete, select

from registry import bulk
from registry.channels import write_audit
from registry.codec import decode, encode, micros, moment
from registry.engine import AnyRow, Tx
from registry.tables import override

EVERYWHERE: Final = "*"
"""In place of a channel: all of them."""
_COLUMNS = ("entity", "uid", "channel", "value", "who", "because", "since", "until")


class OverrideRow(Struct, frozen=True, kw_only=True):
    """``value`` of an entity of a variant (``uid``), on one channel or `EVERYWHERE`, until a moment."""

    entity: str
    uid: str
    channel: str
    value: Mapping[str, Any]
    who: str
    because: str
    until: datetime
    since: datetime | None = None


def put_override(tx: Tx, row: OverrideRow) -> None:
    """Afterwards it holds until its end, instead of one there was; audited."""
    stored = (row.entity, row.uid, row.channel, encode(row.value), row.who, row.because, tx.stamp, micros(row.until))
    bulk.upsert(tx, "override", _COLUMNS, [stored], key=("uid", "entity", "channel"))
    write_audit(tx, row.who, _what(row), row.because, None, f"{encode(row.value)} until {row.until.isoformat()}")


def end_override(tx: Tx, row: OverrideRow, who: str, because: str) -> None:
    """Afterwards it holds no more; audited."""
    tx.run(delete(override).where(
        override.c.entity == row.entity, override.c.uid == row.uid, override.c.channel == row.channel
    ))
    write_audit(tx, who, _what(row), because, f"{encode(row.value)} until {row.until.isoformat()}", None)


_OF_RECORDS = bulk.Keyed(
    select(override).where(override.c.entity == bindparam("of"), override.c.until > bindparam("stamp")),
    override.c.uid,
)


def overrides(tx: Tx, entity: str, uids: Collection[str], now: datetime) -> dict[tuple[str, str], OverrideRow]:
    """(channel or `EVERYWHERE`, uid) → what a person decided and what holds at ``now``."""
    found = _OF_RECORDS.rows(tx, sorted(uids), of=entity, stamp=micros(now))
    return {(row.channel, row.uid): _row(row) for row in found}


def all_overrides(tx: Tx, now: datetime) -> list[OverrideRow]:
    """Everything that holds at ``now``, what ends first in front."""
    statement = select(override).where(override.c.until > micros(now))
    return [_row(row) for row in tx.rows(statement.order_by(override.c.until, override.c.uid, override.c.channel))]


def _row(row: AnyRow) -> OverrideRow:
    return OverrideRow(
        entity=row.entity, uid=row.uid, channel=row.channel, value=decode(row.value), who=row.who,
        because=row.because, until=moment(row.until), since=moment(row.since),
    )


def _what(row: OverrideRow) -> str:
    return f"{row.entity} of {row.uid} on {'every channel' if row.channel == EVERYWHERE else row.channel}"
