"""Records (the merge of their contributions), the references between them, and the keys that make two documents one.

What surprises here: ``claim_keys`` is how two channels bringing the same new SKU make one record: insert what is
missing, then read who owns each key. A record that is nothing but a meeting of others (``OWN_KEY``: the stock of a
variant at a location) needs neither match key nor reference beside it: both stand in its own ``key``. A record merged
into another (`people.set_people`) keeps its row; functions given its uid or its key answer with the survivor.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, TypeAlias

from msgspec import Struct
from sqlalchemy import bindparam, delete, func, select, text

from registry import bulk
from registry.codec import Json, as_text, decode, digest, encode, moment
from registry.engine import Tx
from registry.tables import (
    link,
    matchkey,
    record,
)

MatchKey: TypeAlias = tuple[str, str, str]
"""(entity, kind, value), for example ("variant", "sku", "KH-0001")."""


OWN_KEY = {"stock": ("variant", "location"), "price": ("variant", "list")}
"""Entity → the fields that its own key is made of. The first are looked up by: see ``linked``."""


QUALIFIED = {"price": ("group", "min_quantity", "kind", "valid_from", "valid_to")}
"""Entity → the fields that tell several records of one meeting apart; the usual one has none of them."""


def own_kind(entity: str) -> str | None:
    """The kind of match key that stands in the record itself, such as ``variant@location``; None where none does."""
    return "@".join(OWN_KEY[entity]) if entity in OWN_KEY else None


def own_key(entity: str, values: Mapping[str, Any], uid: str, *, free: bool = True) -> str | None:
    """The record's own key; with its uid in it where a part is missing or another record has it (``free`` False)."""
    parts = [values.get(name) for name in OWN_KEY.get(entity, ())]
    if not parts:
        return None
    told = [values.get(name) for name in QUALIFIED.get(entity, ())]
    more = ["" if value is None or value == "regular" else str(value) for value in told]
    parts += more if any(more) else []
    return "@".join([part or "" for part in parts] + ([] if free and None not in parts else [uid]))


class RecordRow(Struct, frozen=True, kw_only=True):
    """A record to be written; ``values`` is data or text that ``encode`` wrote, ``hash`` None: computed from it.

    ``key`` is its own key among its entity; None: the one it has, or its uid.
    """

    uid: str
    entity: str
    values: Json
    hash: bytes | None = None
    state: str = "live"
    key: str | None = None


class Record:
    """A record as stored; JSON and moments are decoded at each access."""

    __slots__ = ("_row",)

    def __init__(self, row: Sequence[Any]) -> None:
        self._row = row

    def __repr__(self) -> str:
        return f"Record({self.entity} {self.uid}, {self.state})"

    @property
    def uid(self) -> str:
        """Ours, for ever."""
        return str(self._row[0])

    @property
    def entity(self) -> str:
        """The canonical kind."""
        return str(self._row[1])

    @property
    def key(self) -> str:
        """Its own key among its entity: what it is made of, or its uid."""
        return str(self._row[2])

    @property
    def values_text(self) -> str:
        """The merged values as stored JSON text."""
        return str(self._row[3])

    @property
    def values(self) -> dict[str, Any]:
        """The merged values: a fresh dict at each access."""
        found: dict[str, Any] = decode(self._row[3])
        return found

    @property
    def hash(self) -> bytes:
        """Digest of the merged values' text."""
        return bytes(self._row[4])

    @property
    def created_at(self) -> datetime:
        """When it was first stored."""
        return moment(self._row[5])

    @property
    def changed_at(self) -> datetime:
        """When it was last stored."""
        return moment(self._row[6])

    @property
    def state(self) -> str:
        """live or archived."""
        return str(self._row[7])

    @property
    def merged_into(self) -> str | None:
        """The survivor's uid, when this one was merged away."""
        found: str | None = self._row[8]
        return found


_BY_UID = bulk.Keyed(select(record), record.c.uid)
_LOCKED = bulk.Keyed(select(record).order_by(record.c.uid).with_for_update(), record.c.uid)


def records(tx: Tx, uids: Collection[str]) -> dict[str, Record]:
    """Asked uid → record (the survivor, when it was merged away), of those that exist."""
    return _with_survivors(tx, uids, _BY_UID)


def lock_records(tx: Tx, uids: Collection[str]) -> dict[str, Record]:
    """As ``records``, each locked until the transaction ends, in uid order so that two pages queue.

    (SQLite has one writer anyhow.) A new record has no row to lock: its match keys are what two pages meet on.
    """
    return _with_survivors(tx, sorted(uids), _LOCKED)


def put_records(tx: Tx, rows: Iterable[RecordRow], *, new: bool = False) -> int:
    """Afterwards these records hold these values; ``created_at`` and ``merged_into`` of existing ones stay.

    ``new``: none of them is there yet. Should another worker have made one with the same key meanwhile, the
    transaction is refused as repeatable.
    """
    encoded = []
    stamp = tx.stamp
    for row in rows:
        values = as_text(row.values)
        assert values is not None
        hashed = digest(values) if row.hash is None else row.hash
        key = row.uid if row.key is None else row.key
        encoded.append((row.uid, row.entity, key, values, hashed, stamp, stamp, row.state))
    columns = ("uid", "entity", "key", "values", "hash", "created_at", "changed_at", "state")
    if new:
        return bulk.insert(tx, "record", columns, encoded, key=("uid",))
    change = {name: f'excluded."{name}"' for name in ("entity", "values", "hash", "changed_at", "state")}
    change["key"] = 'CASE WHEN excluded.key = excluded.uid THEN "record".key ELSE excluded.key END'
    return bulk.upsert(tx, "record", columns, encoded, key=("uid",), change=change)


def records_where(
    tx: Tx, entity: str, after_uid: str = "", limit: int = 1_000, *, state: str | None = None
) -> list[Record]:
    """An entity's records in the order of their own keys, after the record ``after_uid``; merged ones are left out."""
    last = select(record.c.key).where(record.c.uid == after_uid).scalar_subquery()
    statement = select(record).where(
        record.c.entity == entity, record.c.key > func.coalesce(last, ""), record.c.merged_into.is_(None)
    )
    if state is not None:
        statement = statement.where(record.c.state == state)
    return [Record(row) for row in tx.rows(statement.order_by(record.c.key).limit(limit))]


def resolve(tx: Tx, uids: Collection[str]) -> dict[str, str]:
    """Each uid → the uid that stands for it now: itself, or the survivor it was merged into."""
    statement = select(record.c.uid, record.c.merged_into).where(record.c.merged_into.is_not(None))
    merged = {row[0]: row[1] for row in bulk.gather(tx, statement, record.c.uid, uids)}
    return {uid: merged.get(uid, uid) for uid in uids}


# ── references between records ──────────────────────────────────────────────────────────────────────────────────────
_HELD = (link.c.entity == bindparam("entity"), link.c.field == bindparam("field"))
_LINKS = bulk.Keyed(select(link.c.target_uid, link.c.uid).where(*_HELD), link.c.target_uid)
_LINKED = bulk.Keyed(
    select(*record.c, link.c.target_uid)
    .join(record, record.c.uid == link.c.uid)
    .where(*_HELD, record.c.merged_into.is_(None)),
    link.c.target_uid,
)


def put_links(tx: Tx, links: Iterable[tuple[str, str, str, str]], *, of: Collection[str] = ()) -> None:
    """(uid, entity, field, target uid): afterwards the uids named here, or in ``of``, have exactly these references."""
    rows = list(links)
    bulk.change(tx, delete(link), link.c.uid, [*(row[0] for row in rows), *of])
    columns = ("uid", "entity", "field", "target_uid")
    bulk.upsert(tx, "link", columns, rows, key=("uid", "field", "target_uid"), change={})


def add_links(tx: Tx, links: Iterable[tuple[str, str, str, str]]) -> None:
    """(uid, entity, field, target uid): the references of records that are new and have none yet."""
    columns = ("uid", "entity", "field", "target_uid")
    bulk.upsert(tx, "link", columns, list(links), key=("uid", "field", "target_uid"), change={})


def linked(tx: Tx, entity: str, field: str, target_uids: Collection[str]) -> dict[str, list[str]]:
    """Target → uids of the ``entity`` records that refer to it in ``field``, ascending; [] for none."""
    if field in OWN_KEY.get(entity, ()):
        return {target: [one.uid for one in rows] for target, rows in _met(tx, entity, field, target_uids).items()}
    found: dict[str, list[str]] = {uid: [] for uid in target_uids}
    for target, uid in sorted(map(tuple, _LINKS.rows(tx, target_uids, entity=entity, field=field))):
        found[target].append(uid)
    return found


def records_by_field(tx: Tx, entity: str, field: str, target_uids: Collection[str]) -> dict[str, list[Record]]:
    """As ``linked``, with the records themselves, in one statement per 1,000 targets."""
    if field in OWN_KEY.get(entity, ()):
        return _met(tx, entity, field, target_uids)
    found: dict[str, list[Record]] = {uid: [] for uid in target_uids}
    for row in sorted(_LINKED.rows(tx, target_uids, entity=entity, field=field), key=itemgetter(0)):
        found[row[-1]].append(Record(row))
    return found


def _met(tx: Tx, entity: str, field: str, targets: Collection[str]) -> dict[str, list[Record]]:
    """Target → the records whose own key names it: a range of the index for the first part, a walk for another."""
    place = OWN_KEY[entity].index(field)
    found: dict[str, list[Record]] = {uid: [] for uid in targets}
    for keys in bulk.chunks(targets):
        values: dict[str, Any] = {"entity": entity}
        if place == 0:
            values["keys"] = bulk.BETWEEN.join(keys) if tx.postgres else encode(keys)
        for row in sorted(tx.rows(_MET[tx.postgres, place == 0], values), key=itemgetter(0)):
            if place == 0:
                found[row[-1]].append(Record(row))
            elif (target := row[2].split("@")[place]) in found:
                found[target].append(Record(row))
    return found


_NAMES = ", ".join(f'record."{column.name}"' for column in record.columns)
_MADE_OF = "record.entity = :entity AND record.merged_into IS NULL"
# Each target is looked for by itself, which neither planner does of its own accord: both would rather hold every record
# of the entity against every target. "A" follows "@".
_RANGE = f"{_MADE_OF} AND record.key >= target.value || '@' AND record.key < target.value || 'A'"
_MET = {
    (True, True): text(
        f"SELECT found.*, target.value FROM unnest(string_to_array(:keys, '{bulk.BETWEEN}')) AS target (value) "  # noqa: S608 — own names
        f"CROSS JOIN LATERAL (SELECT {_NAMES} FROM record WHERE {_RANGE} OFFSET 0) AS found"
    ),
    (False, True): text(
        f"SELECT {_NAMES}, target.value FROM json_each(:keys) AS target CROSS JOIN record WHERE {_RANGE}"  # noqa: S608
    ),
    (True, False): text(f"SELECT {_NAMES} FROM record WHERE {_MADE_OF}"),  # noqa: S608 — own names
    (False, False): text(f"SELECT {_NAMES} FROM record WHERE {_MADE_OF}"),  # noqa: S608 — own names
}


# ── match keys ──────────────────────────────────────────────────────────────────────────────────────────────────────
_OWN = bulk.Keyed(
    select(record.c.key, func.coalesce(record.c.merged_into, record.c.uid)).where(
        record.c.entity == bindparam("entity")
    ),
    record.c.key,
)
_OWNERS = bulk.Keyed(
    select(matchkey.c.value, matchkey.c.uid).where(
        matchkey.c.entity == bindparam("entity"), matchkey.c.kind == bindparam("kind")
    ),
    matchkey.c.value,
)


def claim_keys(tx: Tx, keys: Iterable[tuple[str, str, str, str]]) -> dict[MatchKey, str]:
    """(entity, kind, value, uid): claims those that are free; returns the owner of each key, ours or another's.

    Whoever comes second waits until the first transaction ends, and then is told its uid. A key that stands in the
    record itself (``own_kind``) is not claimed: it comes with the record.
    """
    rows = [row for row in keys if row[1] != own_kind(row[0])]
    bulk.upsert(tx, "matchkey", ("entity", "kind", "value", "uid"), rows, key=("entity", "kind", "value"), change={})
    return owners(tx, [(entity, kind, value) for entity, kind, value, _uid in rows])


def owners(tx: Tx, keys: Collection[MatchKey]) -> dict[MatchKey, str]:
    """Match key → uid of its record, of those that have one; one statement per kind of key and 1,000 values."""
    values: dict[tuple[str, str], list[str]] = {}
    for entity, kind, value in keys:
        values.setdefault((entity, kind), []).append(value)
    return {
        (entity, kind, row[0]): row[1]
        for (entity, kind), wanted in values.items()
        for row in (
            _OWN.rows(tx, wanted, entity=entity) if kind == own_kind(entity)
            else _OWNERS.rows(tx, wanted, entity=entity, kind=kind)
        )
    }


def keys_of(tx: Tx, uids: Collection[str]) -> dict[str, list[MatchKey]]:
    """uid → its match keys, sorted; [] for none."""
    found: dict[str, list[MatchKey]] = {uid: [] for uid in uids}
    for row in bulk.gather(tx, select(matchkey), matchkey.c.uid, uids):
        found[row[3]].append((row[0], row[1], row[2]))
    for row in bulk.gather(tx, select(record.c.uid, record.c.entity, record.c.key), record.c.uid, uids):
        kind = own_kind(row[1])
        if kind is not None:
            found[row[0]].append((row[1], kind, row[2]))
    return {uid: sorted(keys) for uid, keys in found.items()}


def drop_keys(tx: Tx, keys: Collection[MatchKey]) -> int:
    """Afterwards nobody owns these keys; the number dropped."""
    dropped = 0
    for entity, kind in sorted({(key[0], key[1]) for key in keys}):
        statement = delete(matchkey).where(matchkey.c.entity == entity, matchkey.c.kind == kind)
        values = [key[2] for key in keys if (key[0], key[1]) == (entity, kind)]
        dropped += bulk.change(tx, statement, matchkey.c.value, values)
    return dropped


def _with_survivors(tx: Tx, uids: Collection[str], statement: bulk.Keyed) -> dict[str, Record]:
    rows = statement.rows(tx, uids)
    found = {row[0]: Record(row) for row in rows}
    targets = sorted({row[8] for row in rows if row[8] is not None})
    if not targets:
        return found
    survivors = {row[0]: Record(row) for row in statement.rows(tx, targets)}
    return {uid: survivors.get(at.merged_into or "", at) for uid, at in found.items()}
