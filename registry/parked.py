"""Items that could not go on: waiting for a reference, parked for a person, quarantined because they are ambiguous.

What surprises here: an open item is unique per subject: inward the channel's external id, outward the record's uid, and
for a document that does not even reveal an id, the digest of the document. Parking it again counts ``times``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import bindparam, func, literal_column, select, update

from registry import bulk
from registry.codec import digest, moment, new_uids
from registry.engine import AnyRow, RegistryError, Tx
from registry.tables import binding, parked as items

ParkedKey: TypeAlias = tuple[str, str, str, str]
"""(channel, entity, subject, direction); the subject is the external id inward, the record's uid outward."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ParkedRow:
    """An item to park. ``kind`` is waiting, parked or quarantined; ``value_masked`` never shows a personal value.

    ``awaits`` is the (entity, external id) of the reference that a waiting item needs.
    """

    channel: str
    entity: str
    direction: str
    message: str
    kind: str = "parked"
    external_id: str | None = None
    record_uid: str | None = None
    resource: str | None = None
    document: bytes | None = None
    field: str | None = None
    path: str | None = None
    file: str | None = None
    line: int | None = None
    rule: str | None = None
    value_masked: str | None = None
    remedy: str | None = None
    awaits: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Parked(ParkedRow):
    """An item as stored."""

    uid: str
    subject: str
    first_at: datetime
    last_at: datetime
    times: int
    state: str

    @property
    def key(self) -> ParkedKey:
        """What ``unpark`` takes."""
        return (self.channel, self.entity, self.subject, self.direction)


_COLUMNS = (
    "uid", "kind", "channel", "direction", "entity", "subject", "external_id", "record_uid", "resource", "document",
    "field", "path", "file", "line", "rule", "value_masked", "message", "remedy", "awaits_entity", "awaits_id",
    "first_at", "last_at", "times", "state",
)  # fmt: skip
_FIRST = ("uid", "first_at")


def park(tx: Tx, rows: Iterable[ParkedRow]) -> int:
    """Afterwards each stands open, once per subject; one that stood open already says what is wrong now."""
    given = list(rows)
    stored = [_values(tx, row, uid) for row, uid in zip(given, new_uids(len(given)), strict=True)]
    key = ("channel", "direction", "entity", "subject")
    change = {name: f'excluded."{name}"' for name in _COLUMNS if name not in (*key, *_FIRST, "times", "state")}
    change["times"] = '"parked".times + 1'
    return bulk.upsert(tx, "parked", _COLUMNS, stored, key=key, where="state = 'open'", change=change)


_OPEN = (
    items.c.channel == bindparam("on"),
    items.c.entity == bindparam("of"),
    items.c.direction == bindparam("way"),
    items.c.state == literal_column("'open'"),  # in full: its index is partial
)
_ANY_OPEN = select(items.c.uid).where(*_OPEN).limit(1)
_CLOSE = bulk.Keyed(
    update(items).where(*_OPEN).values(state=bindparam("ends"), last_at=bindparam("stamp")), items.c.subject
)


_CLOSE_ALONE = bulk.Keyed(
    update(items).where(*_OPEN, (items.c.direction == "outward") | items.c.record_uid.is_(None))
    .values(state=bindparam("ends"), last_at=bindparam("stamp")), items.c.subject
)  # fmt: skip
_BESIDE = bulk.Keyed(
    select(items.c.record_uid, items.c.rule, items.c.message).where(
        items.c.entity == bindparam("of"), items.c.direction == literal_column("'inward'"),
        items.c.state == literal_column("'open'"), items.c.record_uid.is_not(None),
    ), items.c.record_uid
)  # fmt: skip


def open_inward(tx: Tx, entity: str, record_uids: Collection[str]) -> dict[str, tuple[str, str]]:
    """Record → (rule, message) of the item that stands open beside it: it was taken, and a person must look at it."""
    return {row.record_uid: (row.rule or "", row.message) for row in _BESIDE.rows(tx, record_uids, of=entity)}


_OUTWARD = bulk.Keyed(
    select(items.c.subject, items.c.rule).where(
        items.c.channel == bindparam("on"), items.c.entity == bindparam("of"),
        items.c.direction == literal_column("'outward'"), items.c.state == literal_column("'open'"),
    ), items.c.subject
)  # fmt: skip


def open_outward(tx: Tx, channel: str, entity: str, record_uids: Collection[str]) -> dict[str, str]:
    """Record → rule of the item that stands open about writing it to the channel."""
    return {row.subject: row.rule or "" for row in _OUTWARD.rows(tx, record_uids, on=channel, of=entity)}


def unpark(tx: Tx, keys: Collection[ParkedKey], *, state: str = "replayed", beside: bool = True) -> int:
    """Closes the open items of these keys, because they succeeded; the number closed. Unknown keys are no error.

    Without ``beside`` those stay open that stand beside their record: what is as it was is still to be looked at.
    """
    subjects: dict[tuple[str, str, str], list[str]] = {}
    for channel, entity, subject, direction in keys:
        subjects.setdefault((channel, entity, direction), []).append(subject)
    return sum(
        unpark_at(tx, *place, given, state=state, beside=beside) for place, given in sorted(subjects.items())
    )


def unpark_at(
    tx: Tx, channel: str, entity: str, direction: str, subjects: Collection[str], *, state: str = "replayed",
    beside: bool = True,
) -> int:
    """``unpark`` for a page of subjects of one place."""
    place = {"on": channel, "of": entity, "way": direction}
    if not subjects or not tx.rows(_ANY_OPEN, place):  # mostly nothing is open, and then none need be looked for
        return 0
    close = _CLOSE if beside else _CLOSE_ALONE
    return close.run(tx, subjects, **place, ends=state, stamp=tx.stamp)


def parked(
    tx: Tx,
    channel: str | None = None,
    state: str = "open",
    limit: int = 1_000,
    *,
    kinds: Collection[str] = (),
    uids: Collection[str] | None = None,
) -> list[Parked]:
    """Items, the oldest first."""
    statement = select(items).where(items.c.state == state).order_by(items.c.first_at, items.c.uid).limit(limit)
    if channel is not None:
        statement = statement.where(items.c.channel == channel)
    if kinds:
        statement = statement.where(items.c.kind.in_(tuple(kinds)))
    if uids is not None:
        statement = statement.where(bulk.within(tx, items.c.uid, uids))
    return [_row(row) for row in tx.rows(statement)]


_COME = select(items).join(
    binding, (binding.c.channel == items.c.channel) & (binding.c.entity == items.c.awaits_entity)
    & (binding.c.external_id == items.c.awaits_id),
).where(
    items.c.channel == bindparam("on"), items.c.kind == "waiting", items.c.direction == "inward",
    items.c.state == literal_column("'open'"), items.c.awaits_id.is_not(None),
    binding.c.uid.is_not(None), binding.c.state == "live",
)  # fmt: skip


def wait_is_over(tx: Tx, channel: str) -> list[Parked]:
    """Inward items of a channel that wait for what is there by now; usually there are none."""
    return [_row(row) for row in tx.rows(_COME, {"on": channel})]


def parked_counts(tx: Tx) -> dict[tuple[str, str, str, str], int]:
    """(channel, entity, direction, kind) → how many stand open."""
    place = (items.c.channel, items.c.entity, items.c.direction, items.c.kind)
    found = tx.rows(select(*place, func.count()).where(items.c.state == "open").group_by(*place))
    return {(row[0], row[1], row[2], row[3]): row[4] for row in found}


def _values(tx: Tx, row: ParkedRow, uid: str) -> tuple[Any, ...]:
    subject = row.external_id if row.direction == "inward" else row.record_uid
    if subject is None:
        if row.document is None:
            raise RegistryError(
                f"{row.channel} {row.entity}: an item to park needs an external id (inward), a record uid (outward) "
                "or a document"
            )
        subject = digest(row.document).hex()
    awaits = row.awaits or (None, None)
    return (
        uid, row.kind, row.channel, row.direction, row.entity, subject, row.external_id, row.record_uid, row.resource,
        row.document, row.field, row.path, row.file, row.line, row.rule, row.value_masked, row.message, row.remedy,
        *awaits, tx.stamp, tx.stamp, 1, "open",
    )  # fmt: skip


def _row(row: AnyRow) -> Parked:
    return Parked(
        channel=row.channel,
        entity=row.entity,
        direction=row.direction,
        message=row.message,
        kind=row.kind,
        external_id=row.external_id,
        record_uid=row.record_uid,
        resource=row.resource,
        document=None if row.document is None else bytes(row.document),
        field=row.field,
        path=row.path,
        file=row.file,
        line=row.line,
        rule=row.rule,
        value_masked=row.value_masked,
        remedy=row.remedy,
        awaits=None if row.awaits_id is None else (row.awaits_entity, row.awaits_id),
        uid=row.uid,
        subject=row.subject,
        first_at=moment(row.first_at),
        last_at=moment(row.last_at),
        times=row.times,
        state=row.state,
    )
