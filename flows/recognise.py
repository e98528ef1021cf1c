"""Documents that are exactly as they were when they were last accepted, told apart before anything is mapped.

What surprises here: what a document means depends on more than itself: on the mapping, on the channel's settings, and
on which records the documents it refers to stand for. All of that goes into the digest that is compared, so that one
that is equal cannot say anything new. A mapping that reads the clock or the run, or a document that may yield several
items, is always mapped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from connectors.base import Doc
from flows.pledges import by_place, hard
from flows.wiring import House
from mappings.language import Mapping as MappingFile
from registry import Standing, Tx, document_hashes, documents_known, encode, rebound, same_document, standings

TAKEN = ("canary", "on")


@dataclass(frozen=True, kw_only=True)
class Look:
    """A page after the first look: ``docs`` are those still to be mapped, with their ``hashes`` (none: not known).

    ``settled`` holds external id → uid of the items of ``entity`` that are as they were; ``found`` the standing of
    every other id of those ``asked`` for.
    """

    docs: Sequence[Doc]
    hashes: Sequence[bytes] = ()
    entity: str = ""
    settled: Mapping[str, str] = field(default_factory=dict)
    found: Mapping[str, Standing] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()


def look(
    house: House, tx: Tx, channel: str, resource: str, docs: Sequence[Doc], now: datetime, mode: Mapping[str, str]
) -> Look:
    """Tells what is as it was from what must be mapped. A constant number of statements."""
    mapping = house.of(channel).inward[resource]
    if not docs or not _plain(mapping) or mode.get(mapping.inward[0]) not in TAKEN:
        return Look(docs=docs)
    entity = mapping.inward[0]
    if entity == "stock" and by_place(house, channel) and hard(house, channel) is not None:
        return Look(docs=docs)  # that a figure is what it was says more than nothing: the channel was looked at
    context = house.context(channel, now)
    del context["now"], context["run"]
    hashes = document_hashes(docs, f"{mapping.hash} {rebound(tx, channel)} {encode(context)}".encode())
    ids = _ids(mapping.id_path or (), docs)
    asked = frozenset(ids)
    if len(asked) < len(docs):
        return Look(docs=docs, hashes=hashes)  # one twice, or without an id: the mapping says what becomes of it
    settled, others = documents_known(tx, channel, entity, dict(zip(ids, hashes, strict=True)))
    rest = [n for n, id in enumerate(ids) if id not in settled]
    found = standings(tx, channel, entity, others)
    return Look(
        docs=docs if not settled else [docs[n] for n in rest],
        hashes=hashes if not settled else [hashes[n] for n in rest],
        entity=entity, settled=settled, found=found, asked=asked,
    )


def only_salted_otherwise(known: Standing, mark: bytes) -> bool:
    """Whether the document is the one accepted last, or nobody knows which that was: then its digest is noted anew.

    A document in which only something nobody reads has moved is not noted: some move at every read.
    """
    return same_document(known.document_hash, mark)


@lru_cache(maxsize=256)
def _plain(mapping: MappingFile) -> bool:
    """Whether each document yields one item, under the document's own id, by nothing but what is compared."""
    inward = mapping.source.partition("def outward(")[0]
    return mapping.one_each and mapping.id_path is not None and re.search(r"'(now|run)'", inward) is None


def _ids(path: Sequence[str], docs: Sequence[Doc]) -> list[str]:
    """The documents' ids as text; none at all when one of them has no plain one."""
    if len(path) == 1:
        name = path[0]
        found: list[Any] = [doc.get(name) for doc in docs]
    else:
        found = []
        for doc in docs:
            place: Any = doc
            for step in path:
                place = place.get(step) if isinstance(place, dict) else None
            found.append(place)
    kinds = set(map(type, found))
    if kinds == {str}:
        return found
    return list(map(str, found)) if kinds <= {str, int} else []
