"""Matching: the keys by which a document finds its record, and what to say when keys are missing or contradict.

What surprises here: a match is made by exact keys only. Names propose (for the match report, read by a person), they
never decide: a catalogue matched by product name is a known way to ruin a shop. A key is a pair (kind, value) and is
unique per entity; two records that claim one key are one record. A key that a rename has superseded is not a key any
more: once no account of the record says it, or goes by it, it belongs to whoever says it next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from mappings.commerce.customers.normalise import email, phone, words as folded
from mappings.commerce.products.identifiers import worldwide

Key: TypeAlias = tuple[str, str]
Kind: TypeAlias = Literal["exact", "fuzzy", "ambiguous", "none"]

SIMILAR = 0.5
"""From this share of common words on, two names are worth a person's look."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """What a document's keys and name say about its record.

    ``exact``: ``uid`` is the record. ``ambiguous``: the keys lead to several records, ``uids``; a person decides.
    ``fuzzy``: no key leads anywhere, but the names of ``uids`` (best first, ``score`` of the best) look alike.
    ``none``: a new record. ``because`` is one sentence without personal values.
    """

    kind: Kind
    uid: str | None = None
    uids: tuple[str, ...] = ()
    score: float = 0.0
    because: str = ""


def keys(
    entity: str, values: Mapping[str, Any], channel: str, external_id: str, *, country: str | None = None
) -> list[Key]:
    """The document's match keys, strongest first; ``country`` (ISO 3166) is where a phone without prefix is at home.

    variant: sku (exact text), gtin (valid check digit, no shop's own number) · product, location: code · customer:
    email, phone (E.164) · stock: ``variant@location`` · price: ``variant@list`` · order, shipment: ``channel:external
    id`` and nothing else · return, interaction, review, settlement: the same. A field that is absent, null, empty or
    not valid as a key yields no key.
    """
    if entity in ("stock", "price"):
        where = "location" if entity == "stock" else "list"
        variant, place = values.get("variant"), values.get(where)
        kind = _price_kind(values) if entity == "price" else ""
        return [] if variant is None or place is None else [(f"variant@{where}", f"{variant}@{place}{kind}")]
    if entity == "variant":
        found = [("sku", values.get("sku")), ("gtin", worldwide(values.get("gtin")))]
    elif entity in ("product", "location", "offer", "gift_card"):
        found = [("code", values.get("code"))]
    elif entity == "customer":
        found = [("email", email(values.get("email"))), ("phone", phone(values.get("phone"), country))]
    elif entity == "loyalty_event":
        found = [("number", values.get("number"))]
    else:
        found = [("origin", f"{channel}:{external_id}")]
    return [(kind, value) for kind, value in found if value is not None and value != ""]


def _price_kind(values: Mapping[str, Any]) -> str:
    """What tells a price from the usual one of its list: group, quantity, kind, window; nothing for the usual one."""
    told = [values.get(name) for name in ("group", "min_quantity", "kind", "valid_from", "valid_to")]
    texts = ["" if value is None or value == "regular" else str(value) for value in told]
    return "".join(f"@{text}" for text in texts) if any(texts) else ""


def classify(
    found: Sequence[Key],
    owners: Mapping[Key, str],
    *,
    label: str = "",
    candidates: Mapping[str, str] | None = None,
) -> Match:
    """Which record a document with keys ``found`` is about; ``owners`` maps keys to the uids that hold them.

    All owned keys lead to one record: exact. They lead to several: ambiguous. None is owned: fuzzy when a name among
    ``candidates`` (uid to name) is similar to ``label``, else none. Keys that nobody owns do not count against a match.
    """
    held = {key: owners[key] for key in found if key in owners}
    uids = tuple(dict.fromkeys(held.values()))
    if len(uids) == 1:
        kinds = " and ".join(dict.fromkeys(kind for kind, _ in held))
        return Match(kind="exact", uid=uids[0], uids=uids, score=1.0, because=f"same {kinds}")
    if len(uids) > 1:
        said = ", ".join(f"{kind} leads to {uid}" for (kind, _), uid in held.items())
        return Match(kind="ambiguous", uids=uids, because=f"the keys contradict each other: {said}")
    alike = similar(label, candidates or {})
    if alike:
        best = alike[0][1]
        because = f"no key is known; {len(alike)} names alike, the best shares {best:.0%} of its words"
        return Match(kind="fuzzy", uids=tuple(uid for uid, _ in alike), score=best, because=because)
    return Match(kind="none", because="no key is known" if found else "the document has no key")


def similar(label: str, candidates: Mapping[str, str], *, at_least: float = SIMILAR) -> list[tuple[str, float]]:
    """Candidates (uid to name) whose names look like ``label``: (uid, score), best first.

    ``score = |words(a) ∩ words(b)| / |words(a) ∪ words(b)|`` over words folded to plain Latin letters, so that
    "Чайник Tefal 1.7" and "Chaynik TEFAL, 1.7 l" share four of five. Ties in the order of uids.
    """
    mine = words(label)
    scores = [(uid, _overlap(mine, words(name))) for uid, name in candidates.items()]
    return sorted(((uid, score) for uid, score in scores if score >= at_least), key=lambda row: (-row[1], row[0]))


def words(text: str) -> frozenset[str]:
    """The words of a name: any script folded to Latin letters, lower case, without punctuation."""
    return frozenset(folded(text))


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one and other else 0.0
