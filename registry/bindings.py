"""What each channel says of a record, what it was told, and the ids by which it knows it.

What surprises here: a ``Binding`` decodes its JSON at each access (a page of a thousand unchanged ones decodes none);
``Binding.row`` copies it for writing without decoding.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import and_, bindparam, case, func, select, text

from registry import bulk
from registry.codec import Json, as_texts, decode, digest, encode, maybe_micros, maybe_moment
from registry.engine import Tx
from registry.people import members
from registry.tables import binding

_COLUMNS = tuple(column.name for column in binding.columns)


class BindingRow(Struct, frozen=True, kw_only=True):
    """A whole binding, to be written.

    ``values`` is the contribution (canonical JSON shape), ``told`` the native document last applied, ``kept`` the
    platform's own ids; each is data or text that ``encode`` wrote. A hash left None is computed from its text.
    ``state`` is live, gone or unmatched (``uid`` None only then or when gone). ``pending``: something was written
    whose outcome on the channel was not read back yet. ``resource`` names the resource that brings it.
    ``document_hash`` is given by who accepted a document of which nothing else came, and by nobody else: without it the
    next read maps the document and compares what it says.
    """

    channel: str
    entity: str
    external_id: str
    uid: str | None = None
    resource: str | None = None
    values: Json | None = None
    covers: Collection[str] | str | None = None
    values_hash: bytes | None = None
    told: Json | None = None
    told_hash: bytes | None = None
    told_at: datetime | None = None
    kept: Json | None = None
    version: str | None = None
    asked_at: datetime | None = None
    verified_at: datetime | None = None
    mapping_hash: str | None = None
    state: str = "live"
    pending: bool = False
    document_hash: bytes | None = None


class Standing(NamedTuple):
    """Where a document's binding stands; ``asked_at`` in microseconds, ``document_hash`` as last accepted."""

    external_id: str
    uid: str | None
    state: str
    values_hash: bytes | None
    pending: bool
    asked_at: int | None
    document_hash: bytes | None


class Binding:
    """A binding as stored; JSON and moments are decoded at each access."""

    __slots__ = ("_row",)

    def __init__(self, row: Sequence[Any]) -> None:
        self._row = row

    def __repr__(self) -> str:
        return f"Binding({self.channel} {self.entity} {self.external_id} → {self.uid}, {self.state})"

    @property
    def channel(self) -> str:
        """The channel's name."""
        return str(self._row[0])

    @property
    def entity(self) -> str:
        """The canonical kind."""
        return str(self._row[1])

    @property
    def external_id(self) -> str:
        """The channel's id of it."""
        return str(self._row[2])

    @property
    def uid(self) -> str | None:
        """The record it belongs to; None while unmatched."""
        found: str | None = self._row[3]
        return found

    @property
    def resource(self) -> str | None:
        """The resource that brought it last; None when only writes did."""
        found: str | None = self._row[4]
        return found

    @property
    def values_text(self) -> str | None:
        """The contribution as stored JSON text."""
        found: str | None = self._row[5]
        return found

    @property
    def values(self) -> dict[str, Any] | None:
        """The contribution: a fresh dict at each access; None when the channel never said anything."""
        return None if self._row[5] is None else decode(self._row[5])

    @property
    def covers_text(self) -> str | None:
        """The moments of the fields that the contribution covers, as stored JSON text."""
        found: str | None = self._row[6]
        return found

    @property
    def changed(self) -> dict[str, int]:
        """Covered field → when this channel last moved it, in microseconds; empty when covers holds names only.

        Stored, ``$since`` alone stands for every field: as long as none has moved after the others.
        """
        found = None if self._row[6] is None else decode(self._row[6])
        if not isinstance(found, dict):
            return {}
        return found | dict.fromkeys(self.values or (), found["$since"]) if found.keys() == {"$since"} else found

    @property
    def values_hash(self) -> bytes | None:
        """Digest of the contribution's text."""
        return None if self._row[7] is None else bytes(self._row[7])

    @property
    def told_text(self) -> str | None:
        """The document last applied, as stored JSON text."""
        found: str | None = self._row[8]
        return found

    @property
    def told(self) -> dict[str, Any] | None:
        """The document last applied: a fresh dict at each access; None when nothing was ever written."""
        return None if self._row[8] is None else decode(self._row[8])

    @property
    def told_hash(self) -> bytes | None:
        """Digest of the document last applied."""
        return None if self._row[9] is None else bytes(self._row[9])

    @property
    def told_at(self) -> datetime | None:
        """When that write was applied."""
        return maybe_moment(self._row[10])

    @property
    def kept(self) -> dict[str, Any]:
        """The platform's own ids kept with it; empty when there are none."""
        return {} if self._row[11] is None else decode(self._row[11])

    @property
    def version(self) -> str | None:
        """The source's version text."""
        found: str | None = self._row[12]
        return found

    @property
    def asked_at(self) -> datetime | None:
        """When the request that brought the contribution began."""
        return maybe_moment(self._row[13])

    @property
    def verified_at(self) -> datetime | None:
        """When the channel was last seen to hold what is stored here."""
        return maybe_moment(self._row[14])

    @property
    def mapping_hash(self) -> str | None:
        """The mapping that made the contribution."""
        found: str | None = self._row[15]
        return found

    @property
    def state(self) -> str:
        """live, gone or unmatched."""
        return str(self._row[16])

    @property
    def pending(self) -> bool:
        """Whether a write's outcome was not read back yet."""
        return bool(self._row[17])

    def row(self, **changes: Any) -> BindingRow:
        """A copy for writing, with ``changes``; unchanged JSON stays text. A changed JSON loses its old hash.

        ``document_hash`` is never copied: what else was changed, only the next read can tell.
        """
        raw = self._row
        fields: dict[str, Any] = {
            "channel": raw[0],
            "entity": raw[1],
            "external_id": raw[2],
            "uid": raw[3],
            "resource": raw[4],
            "values": raw[5],
            "covers": raw[6],
            "values_hash": self.values_hash,
            "told": raw[8],
            "told_hash": self.told_hash,
            "told_at": self.told_at,
            "kept": raw[11],
            "version": raw[12],
            "asked_at": self.asked_at,
            "verified_at": self.verified_at,
            "mapping_hash": raw[15],
            "state": raw[16],
            "pending": self.pending,
        }
        for name in ("values", "told"):
            if name in changes:
                fields[f"{name}_hash"] = None
        return BindingRow(**{**fields, **changes})


_HERE = (binding.c.channel == bindparam("on"), binding.c.entity == bindparam("kind"))
_LIVE = binding.c.state == "live"
_BY_ID = bulk.Keyed(select(binding).where(*_HERE), binding.c.external_id)
_SEEN_BY_ID = bulk.Keyed(
    select(
        binding.c.external_id, binding.c.uid, binding.c.state, binding.c.values_hash, binding.c.pending,
        binding.c.asked_at, binding.c.document_hash,
    ).where(*_HERE),
    binding.c.external_id,
)  # fmt: skip
_SETTLED = and_(_LIVE, ~binding.c.pending, binding.c.uid.is_not(None))
_DOCUMENT_BY_ID = bulk.Keyed(
    select(binding.c.external_id, binding.c.uid, case((_SETTLED, binding.c.document_hash))).where(*_HERE),
    binding.c.external_id,
)
_UID_BY_ID = bulk.Keyed(
    select(binding.c.external_id, binding.c.uid).where(*_HERE, _LIVE), binding.c.external_id
)
# Asked for by record, only the record's index may fit: a database that knows too little of a new channel's bindings
# would else read all of them by the primary key's prefix, for each batch.
_THERE = (
    func.coalesce(binding.c.channel, "") == bindparam("on"), func.coalesce(binding.c.entity, "") == bindparam("kind")
)  # fmt: skip
_BY_UID = bulk.Keyed(select(binding).where(*_THERE, _LIVE), binding.c.uid)
_REF_BY_UID = bulk.Keyed(
    select(binding.c.uid, binding.c.external_id, binding.c.kept).where(*_THERE, _LIVE), binding.c.uid
)
_EVERYWHERE = bulk.Keyed(
    select(binding).where(binding.c.entity == bindparam("kind"), _LIVE), binding.c.uid
)
_ANY_KIND = bulk.Keyed(select(binding).where(_LIVE), binding.c.uid)
_HOLDERS = bulk.Keyed(select(binding.c.uid, binding.c.channel).where(_LIVE), binding.c.uid)
def bindings(tx: Tx, channel: str, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Binding]:
    """(entity, external id) → binding, of those that exist; one statement per entity and 1,000 external ids."""
    return {
        (entity, row[2]): Binding(row)
        for entity, ids in _by_entity(keys).items() for row in _BY_ID.rows(tx, ids, on=channel, kind=entity)
    }  # fmt: skip


def documents_known(tx: Tx, channel: str, entity: str, marks: Mapping[str, bytes]) -> tuple[dict[str, str], list[str]]:
    """Of documents, by external id with their digests: uids of those that are as they were last accepted, and the ids
    of the others that are known. At three quarters of the cost of ``standings``; what is in neither has no binding."""
    settled: dict[str, str] = {}
    others: list[str] = []
    for id, uid, mark in _DOCUMENT_BY_ID.rows(tx, marks, on=channel, kind=entity):
        if mark == marks[id]:
            settled[id] = uid
        else:
            others.append(id)
    return settled, others


def standings(tx: Tx, channel: str, entity: str, external_ids: Collection[str]) -> dict[str, Standing]:
    """External id → what tells whether a document is new, of the bindings that exist: a fifth of the cost of those."""
    return {row[0]: Standing._make(row) for row in _SEEN_BY_ID.rows(tx, external_ids, on=channel, kind=entity)}


def bindings_of(tx: Tx, uids: Collection[str], entity: str | None = None) -> dict[str, list[Binding]]:
    """uid → its live bindings on all channels, in the order of channel and external id; [] for a uid without any."""
    rows = _ANY_KIND.rows(tx, uids) if entity is None else _EVERYWHERE.rows(tx, uids, kind=entity)
    found: dict[str, list[Binding]] = {uid: [] for uid in uids}
    for row in sorted(rows, key=itemgetter(0, 2)):
        found[row[3]].append(Binding(row))
    return found


def holders(tx: Tx, uids: Collection[str]) -> dict[str, set[str]]:
    """uid → the channels on which it is bound and not gone; an empty set for a uid without any. One statement."""
    found: dict[str, set[str]] = {uid: set() for uid in uids}
    for uid, channel in _HOLDERS.rows(tx, found):
        found[uid].add(channel)
    return found


def binding_for(tx: Tx, channel: str, entity: str, uids: Collection[str]) -> dict[str, Binding]:
    """uid → its live binding on that channel (the first by external id, when a merge left several)."""
    found: dict[str, Binding] = {}
    for row in sorted(_BY_UID.rows(tx, uids, on=channel, kind=entity), key=itemgetter(2)):
        found.setdefault(row[3], Binding(row))
    return found


def put_bindings(tx: Tx, rows: Iterable[BindingRow], *, new: bool = False) -> int:
    """Afterwards these bindings stand as given, whole; the number written.

    ``new``: none of them is there yet. Should another worker have made one meanwhile, the transaction is refused as
    repeatable.
    """
    key = ("channel", "entity", "external_id")
    rows = list(rows)
    values, told = as_texts([row.values for row in rows]), as_texts([row.told for row in rows])
    kept = as_texts([row.kept for row in rows])
    stored = [_values(*one) for one in zip(rows, values, told, kept, strict=True)]
    if new:
        return bulk.insert(tx, "binding", _COLUMNS, stored, key=key)
    return bulk.upsert(tx, "binding", _COLUMNS, stored, key=key)


def lock_entities(tx: Tx, channel: str, entities: Collection[str]) -> None:
    """Afterwards nobody else writes what the channel says or was told of these entities until this transaction ends.

    One lock per entity instead of one per binding, taken before anything is read: what is read then is the last that
    was committed. SQLite has one writer anyhow.
    """
    if tx.postgres and entities:
        tx.rows(_LOCK, {"keys": [f"{channel}/{entity}" for entity in sorted(entities)]})


_LOCK = text("SELECT pg_advisory_xact_lock(1936024940, hashtext(key)) FROM unnest(CAST(:keys AS text[])) AS key")


def note_documents(tx: Tx, channel: str, entity: str, hashes: Mapping[str, bytes]) -> int:
    """External id → digest of the document that says what the binding says already; the number noted."""
    of = {"channel": channel, "entity": entity}
    return bulk.update(tx, "binding", "external_id", ("document_hash",), list(hashes.items()), of=of)


def uids_for(tx: Tx, channel: str, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """(entity, external id) → uid, of those that are bound and not gone; one statement per entity and 1,000 ids."""
    return {
        (entity, row[0]): row[1]
        for entity, ids in _by_entity(keys).items() for row in _UID_BY_ID.rows(tx, ids, on=channel, kind=entity)
    }  # fmt: skip


def refs_for(
    tx: Tx, channel: str, keys: Collection[tuple[str, str]]
) -> dict[tuple[str, str], tuple[str, dict[str, Any]]]:
    """(entity, uid) → (external id, kept) on that channel, of those that are live there.

    A customer without an account of their own there is the first by external id of the person's others.
    """
    found: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
    for entity, uids in _by_entity(keys).items():
        rows = _REF_BY_UID.rows(tx, uids, on=channel, kind=entity)
        for uid, external_id, kept in sorted(rows, key=itemgetter(1)):
            found.setdefault((entity, uid), (external_id, {} if kept is None else decode(kept)))
        lacking = [uid for uid in uids if (entity, uid) not in found] if entity == "customer" else []
        same = {uid: others for uid, others in members(tx, lacking).items() if len(others) > 1} if lacking else {}
        if same:
            rows = _REF_BY_UID.rows(tx, {one for others in same.values() for one in others}, on=channel, kind=entity)
            for uid, others in same.items():
                theirs = sorted((row for row in rows if row[0] in others), key=itemgetter(1))
                if theirs:
                    found[entity, uid] = theirs[0][1], {} if theirs[0][2] is None else decode(theirs[0][2])
    return found


def bindings_where(
    tx: Tx, channel: str, entity: str, *, after: str = "", limit: int = 1_000, state: str | None = None
) -> list[Binding]:
    """A channel's bindings of an entity in the order of their external id, after ``after``."""
    statement = select(binding).where(
        binding.c.channel == channel, binding.c.entity == entity, binding.c.external_id > after
    )
    if state is not None:
        statement = statement.where(binding.c.state == state)
    return [Binding(row) for row in tx.rows(statement.order_by(binding.c.external_id).limit(limit))]


def _by_entity(keys: Collection[tuple[str, str]]) -> dict[str, list[str]]:
    """Entity → ids: each entity is asked for by itself, so that the index is searched by all of its columns, and in
    its order."""
    found: dict[str, list[str]] = {}
    for entity, id in keys:
        found.setdefault(entity, []).append(id)
    return {entity: sorted(ids) for entity, ids in found.items()}


@lru_cache(maxsize=1_024)
def _covers_text(fields: frozenset[str]) -> str:
    return encode(sorted(fields))


def _values(row: BindingRow, values: str | None, told: str | None, kept: str | None) -> tuple[Any, ...]:
    covers = row.covers if row.covers is None or isinstance(row.covers, str) else _covers_text(frozenset(row.covers))
    return (
        row.channel,
        row.entity,
        row.external_id,
        row.uid,
        row.resource,
        values,
        covers,
        digest(values) if row.values_hash is None and values is not None else row.values_hash,
        told,
        digest(told) if row.told_hash is None and told is not None else row.told_hash,
        maybe_micros(row.told_at),
        kept,
        row.version,
        maybe_micros(row.asked_at),
        maybe_micros(row.verified_at),
        row.mapping_hash,
        row.state,
        row.pending,
        row.document_hash,
    )
