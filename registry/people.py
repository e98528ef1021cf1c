"""Which identities are one person, by what they are found, which refusals are on their way, who was forgotten.

What surprises here: a merge of two customers re-points nothing. Every identity (what one channel says) keeps a record
of its own; ``record.merged_into`` names the person that it stands for, and ``likeness`` says why. So whatever comes
later stays with its identity, and taking the link away gives what would have been without it. Traits are digests.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select

from registry import bulk
from registry.codec import decode, digest, encode, micros, moment
from registry.engine import Tx
from registry.records import resolve
from registry.tables import erased, erasure, likeness, opt_out, outbox, record, trait
from registry.tables.moving import IN_FLIGHT


@dataclass(frozen=True, kw_only=True, slots=True)
class LikenessRow:
    """What is known of a pair of identities: ``open`` (a person looks), ``merged`` (one person), ``separate``.

    ``because`` names features; ``who`` and ``reason`` are a person's, None where a rule decided.
    """

    one: str
    other: str
    state: str
    score: str
    because: str
    who: str | None = None
    reason: str | None = None
    at: datetime | None = None

    @property
    def pair(self) -> tuple[str, str]:
        """Both uids, the smaller first."""
        return (self.one, self.other) if self.one < self.other else (self.other, self.one)


@dataclass(frozen=True, kw_only=True, slots=True)
class ErasureRow:
    """One erasure: who asked for it, which identities it covered, and its proof, which holds no personal value."""

    uid: str
    at: datetime
    who: str
    because: str
    identities: list[str]
    proof: dict[str, Any]


def members(tx: Tx, uids: Collection[str]) -> dict[str, list[str]]:
    """uid → the uids of all identities of the person it belongs to, ascending; two statements per 1,000."""
    if not uids:
        return {}
    stands = resolve(tx, uids)
    found: dict[str, set[str]] = {}
    statement = select(record.c.uid, record.c.merged_into)
    for row in bulk.gather(tx, statement, record.c.merged_into, sorted(set(stands.values()))):
        found.setdefault(row[1], set()).add(row[0])
    return {uid: sorted({uid, stands[uid], *found.get(stands[uid], ())}) for uid in uids}


def set_people(tx: Tx, stands: Mapping[str, str]) -> int:
    """Identity → the person it stands for (itself: nobody else); the number of identities written."""
    rows = [(uid, None if person == uid else person) for uid, person in sorted(stands.items())]
    return bulk.update(tx, "record", "uid", ("merged_into",), rows, of={})


def likenesses(tx: Tx, uids: Collection[str], *, state: str | None = None) -> list[LikenessRow]:
    """The pairs that one of these identities is part of, each once, in the order of the pair."""
    found: dict[tuple[str, str], LikenessRow] = {}
    statement = select(likeness) if state is None else select(likeness).where(likeness.c.state == state)
    for column in (likeness.c.one, likeness.c.other):
        for row in bulk.gather(tx, statement, column, uids):
            found[row.one, row.other] = _likeness(row)
    return [found[pair] for pair in sorted(found)]


def to_review(tx: Tx, limit: int = 1_000) -> list[LikenessRow]:
    """The pairs a person must look at, the oldest first."""
    statement = select(likeness).where(likeness.c.state == "open")
    return [_likeness(row) for row in tx.rows(statement.order_by(likeness.c.at, likeness.c.one).limit(limit))]


def put_likenesses(tx: Tx, rows: Iterable[LikenessRow]) -> int:
    """Afterwards this is known of these pairs."""
    columns = ("one", "other", "state", "score", "because", "at", "who", "reason")
    stored = [(*row.pair, row.state, row.score, row.because, tx.stamp, row.who, row.reason) for row in rows]
    return bulk.upsert(tx, "likeness", columns, stored, key=("one", "other"))


def put_traits(tx: Tx, traits: Mapping[str, Iterable[tuple[str, str]]]) -> None:
    """uid → (kind, value): afterwards these identities are found by these values and no others."""
    bulk.change(tx, delete(trait), trait.c.uid, traits)
    rows = [(kind, _mark(value), uid) for uid, pairs in traits.items() for kind, value in pairs]
    bulk.upsert(tx, "trait", ("kind", "mark", "uid"), rows, key=("kind", "mark", "uid"), change={})


def with_traits(tx: Tx, traits: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[str]]:
    """(kind, value) → uids of the identities that have it, ascending; one statement per kind and 1,000 values."""
    by_kind: dict[str, dict[str, str]] = {}
    for kind, value in traits:
        by_kind.setdefault(kind, {})[_mark(value)] = value
    found: dict[tuple[str, str], list[str]] = {}
    for kind, marks in sorted(by_kind.items()):
        statement = select(trait.c.mark, trait.c.uid).where(trait.c.kind == kind)
        for row in bulk.gather(tx, statement, trait.c.mark, marks):
            found.setdefault((kind, marks[row[0]]), []).append(row[1])
    return {pair: sorted(uids) for pair, uids in found.items()}


def in_flight(tx: Tx, channel: str, entity: str, uids: Collection[str]) -> set[str]:
    """Which of these records have a write on its way to the channel."""
    statement = select(outbox.c.uid).where(
        outbox.c.channel == channel, outbox.c.entity == entity, outbox.c.state.in_(IN_FLIGHT)
    )
    return {row[0] for row in bulk.gather(tx, statement, outbox.c.uid, uids)}


# ── refusals on their way ───────────────────────────────────────────────────────────────────────────────────────────
def put_opt_outs(tx: Tx, rows: Iterable[tuple[str, str]]) -> int:
    """(identity, channel): afterwards the channel must hear of the refusal before anything is advertised."""
    stored = [(uid, channel, tx.stamp) for uid, channel in rows]
    return bulk.upsert(tx, "opt_out", ("uid", "channel", "at"), stored, key=("uid", "channel"), change={})


def opt_outs(tx: Tx, uids: Collection[str] | None = None) -> list[tuple[str, str]]:
    """(identity, channel) of refusals that channels have not confirmed; of everybody without ``uids``."""
    statement = select(opt_out.c.uid, opt_out.c.channel)
    found = tx.rows(statement) if uids is None else bulk.gather(tx, statement, opt_out.c.uid, uids)
    return sorted((row[0], row[1]) for row in found)


def told_opt_outs(tx: Tx, channel: str, uids: Collection[str]) -> int:
    """The channel holds what these identities refused; the number that is settled by it."""
    return bulk.change(tx, delete(opt_out).where(opt_out.c.channel == channel), opt_out.c.uid, uids)


# ── who was forgotten ───────────────────────────────────────────────────────────────────────────────────────────────
def put_erased(tx: Tx, items: Iterable[tuple[str, str, str]]) -> int:
    """(channel, entity, external id): afterwards what the channel still says of these is not taken again."""
    rows = [(channel, entity, _mark(id), tx.stamp) for channel, entity, id in items]
    return bulk.upsert(tx, "erased", ("channel", "entity", "mark", "at"), rows,
                       key=("channel", "entity", "mark"), change={})


def erased_ids(tx: Tx, channel: str, items: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which of these (entity, external id) were erased; one statement per 1,000."""
    marks: dict[str, list[tuple[str, str]]] = {}
    for item in items:
        marks.setdefault(_mark(item[1]), []).append(item)
    statement = select(erased.c.entity, erased.c.mark).where(erased.c.channel == channel)
    found = {(row[0], row[1]) for row in bulk.gather(tx, statement, erased.c.mark, marks)}
    return {item for mark, same in marks.items() for item in same if (item[0], mark) in found}


def put_erasure(tx: Tx, row: ErasureRow) -> None:
    """Afterwards the erasure and its proof are kept."""
    columns = ("uid", "at", "who", "because", "identities", "proof")
    stored = [(row.uid, micros(row.at), row.who, row.because, encode(row.identities), encode(row.proof))]
    bulk.upsert(tx, "erasure", columns, stored, key=("uid",))


def erasures(tx: Tx, limit: int = 100) -> list[ErasureRow]:
    """What was erased, the newest first."""
    found = tx.rows(select(erasure).order_by(erasure.c.at.desc()).limit(limit))
    return [
        ErasureRow(uid=row.uid, at=moment(row.at), who=row.who, because=row.because,
                   identities=decode(row.identities), proof=decode(row.proof))
        for row in found
    ]


def forget_people(tx: Tx, uids: Collection[str]) -> int:
    """Afterwards nobody is found by what these identities said, and no reason written by a person speaks of them."""
    gone = bulk.change(tx, delete(trait), trait.c.uid, uids)
    for row in likenesses(tx, uids):
        pair = (likeness.c.one == row.one, likeness.c.other == row.other)
        tx.run(likeness.update().where(*pair).values(reason=None))
        if row.state == "open":
            tx.run(delete(likeness).where(*pair))
    return gone


def _mark(value: str) -> str:
    return digest(value).hex()


def _likeness(row: Any) -> LikenessRow:
    return LikenessRow(
        one=row.one, other=row.other, state=row.state, score=row.score, because=row.because, who=row.who,
        reason=row.reason, at=moment(row.at),
    )
