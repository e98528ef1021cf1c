"""The match report of first contact: what a channel's documents would be matched with, before a person consents."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, delete, select

from registry import bulk
from registry.codec import Json, as_text, decode, moment
from registry.engine import Tx
from registry.tables import candidate


@dataclass(frozen=True, kw_only=True, slots=True)
class CandidateRow:
    """``kind`` is exact, fuzzy, none or ambiguous; ``uid`` the record it would join; ``label`` what a person reads."""

    channel: str
    entity: str
    external_id: str
    kind: str
    label: str
    uid: str | None = None
    score: float | None = None
    values: Json | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate(CandidateRow):
    """A candidate as stored; ``values`` is decoded."""

    at: datetime


def put_candidates(tx: Tx, rows: Iterable[CandidateRow]) -> int:
    """Afterwards the report says this of these documents."""
    columns = ("channel", "entity", "external_id", "kind", "uid", "label", "score", "values", "at")
    stored = [
        (
            row.channel,
            row.entity,
            row.external_id,
            row.kind,
            row.uid,
            row.label,
            row.score,
            as_text(row.values),
            tx.stamp,
        )
        for row in rows
    ]
    return bulk.upsert(tx, "candidate", columns, stored, key=("channel", "entity", "external_id"))


def candidates(
    tx: Tx, channel: str | None = None, *, entity: str | None = None, kinds: Collection[str] = (), limit: int = 10_000
) -> list[Candidate]:
    """The report in the order of channel, entity and external id."""
    given = {"channel": channel, "entity": entity, "kind": tuple(kinds) or None}
    asked = {f"{name}_": value for name, value in given.items() if value is not None}
    return [_row(row) for row in tx.rows(_report(*asked), {**asked, "limit_": limit})]


@cache
def _report(*asked: str) -> Select[Any]:
    """Built once for what is asked: it is asked at the end of every read."""
    statement = select(candidate).order_by(candidate.c.channel, candidate.c.entity, candidate.c.external_id)
    if "channel_" in asked:
        statement = statement.where(candidate.c.channel == bindparam("channel_"))
    if "entity_" in asked:
        statement = statement.where(candidate.c.entity == bindparam("entity_"))
    if "kind_" in asked:
        statement = statement.where(candidate.c.kind.in_(bindparam("kind_", expanding=True)))
    return statement.limit(bindparam("limit_"))


_HERE = (candidate.c.channel == bindparam("on"), candidate.c.entity == bindparam("of"))
_ANY = select(candidate.c.external_id).where(*_HERE).limit(1)
_DROP = bulk.Keyed(delete(candidate).where(*_HERE), candidate.c.external_id)


def drop_candidates(tx: Tx, channel: str, entity: str, external_ids: Collection[str]) -> int:
    """Afterwards the report no longer mentions these documents; the number dropped."""
    place = {"on": channel, "of": entity}
    if not external_ids or not tx.rows(_ANY, place):  # once a channel is matched there are none to look for
        return 0
    return _DROP.run(tx, external_ids, **place)


def _row(row: Any) -> Candidate:
    return Candidate(
        channel=row.channel,
        entity=row.entity,
        external_id=row.external_id,
        kind=row.kind,
        label=row.label,
        uid=row.uid,
        score=row.score,
        values=None if row.values is None else decode(row.values),
        at=moment(row.at),
    )
