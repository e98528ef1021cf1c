"""Releases: the texts of mappings, authority and policies in force, kept by content, so that saving a file on disk
changes nothing that runs.

What surprises here: a text is stored once, whatever number of releases hold it; a release that brings an earlier
content back is a row of its own. The newest release is the one in force.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select, update

from registry import bulk
from registry.codec import decode, encode, maybe_moment, moment
from registry.engine import AnyRow, Tx
from registry.tables import channel, release, release_text


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One release. ``content`` is the digest of all its texts and names; ``files`` maps names to texts' digests.

    ``settled_at`` is None until everything kept has been brought in line with it: what was mapped, merged.
    """

    number: int
    content: str
    files: Mapping[str, str]
    at: datetime
    who: str
    because: str
    settled_at: datetime | None


def content_hash(texts: Mapping[str, str]) -> str:
    """The digest of a set of named texts: equal for equal names and texts, and for nothing else."""
    made = hashlib.blake2b(digest_size=16)
    for name, digest in sorted(_digests(texts).items()):
        made.update(f"{name}\0{digest}\0".encode())
    return made.hexdigest()


def put_release(tx: Tx, texts: Mapping[str, str], who: str, because: str) -> Release:
    """Afterwards these texts are in force; nothing is added when the newest release holds exactly them already."""
    content = content_hash(texts)
    newest = newest_release(tx)
    if newest is not None and newest.content == content:
        return newest
    files = _digests(texts)
    bodies = {digest: texts[name] for name, digest in files.items()}
    bulk.upsert(
        tx,
        "release_text",
        ("hash", "body"),
        [(digest, zlib.compress(body.encode())) for digest, body in bodies.items()],
        key=("hash",),
        change={},
    )
    tx.run(insert(release).values(content=content, files=encode(files), at=tx.stamp, who=who, because=because))
    made = newest_release(tx)
    if made is None:
        raise AssertionError("a release was stored in this transaction")
    return made


def settle_release(tx: Tx, number: int) -> None:
    """Notes that everything kept is in line with this release; the first such moment stays."""
    tx.run(
        update(release).where(release.c.number == number, release.c.settled_at.is_(None)).values(settled_at=tx.stamp)
    )


def newest_release(tx: Tx) -> Release | None:
    """The release in force; None before the first one."""
    found = tx.rows(select(release).order_by(release.c.number.desc()).limit(1))
    return _row(found[0]) if found else None


def released_before(tx: Tx) -> Release | None:
    """The newest release that everything kept is in line with; None before there is one."""
    found = tx.rows(select(release).where(release.c.settled_at.is_not(None)).order_by(release.c.number.desc()).limit(1))
    return _row(found[0]) if found else None


def release_texts(tx: Tx, of: Release) -> dict[str, str]:
    """Name → text of everything a release holds."""
    found = bulk.gather(
        tx, select(release_text.c.hash, release_text.c.body), release_text.c.hash, sorted(set(of.files.values()))
    )
    bodies = {row[0]: zlib.decompress(row[1]).decode() for row in found}
    return {name: bodies[digest] for name, digest in of.files.items()}


def registry_mark(tx: Tx) -> str:
    """A text that tells this registry from others: the moment its first channel was made known; empty before that."""
    first = tx.rows(select(func.min(channel.c.created_at)))[0][0]
    return "" if first is None else str(first)


def _digests(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for name, text in texts.items()}


def _row(row: AnyRow) -> Release:
    return Release(
        number=row.number,
        content=row.content,
        files=decode(row.files),
        at=moment(row.at),
        who=row.who,
        because=row.because,
        settled_at=maybe_moment(row.settled_at),
    )
