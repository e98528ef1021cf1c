"""Whether two descriptions are of one person: rules with scores, and two thresholds between merge, review and separate.

What surprises here: an address that a marketplace forwards, a masked or shared number and a store's own address say
nothing of who somebody is: they are no feature at all, so that no rule can use them by mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any, Final, Literal, TypeAlias

from mappings.commerce.customers import normalise

Features: TypeAlias = Mapping[str, str]
"""Feature → its one comparable text; what is not known is not there."""
Verdict: TypeAlias = Literal["merge", "review", "separate"]

FEATURES: Final = (
    "email", "verified_email", "phone", "number", "tax_id", "address", "name", "family_name", "born_on",
)
"""All that rules may compare."""
FOUND_BY: Final = ("email", "phone", "number", "tax_id", "address")
"""Features by which others are looked for; a name alone is no reason to look."""
OWN: Final = "own"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Where all features of ``same`` agree, and all of ``differ`` are known and differ, ``score`` counts.

    A rule with ``differ`` is an objection: the score is at most its own then.
    """

    score: Decimal
    same: tuple[str, ...] = ()
    differ: tuple[str, ...] = ()

    def holds(self, one: Features, other: Features) -> bool:
        """Whether it speaks of these two."""
        agree = all(name in one and one[name] == other.get(name) for name in self.same)
        return agree and all(name in one and name in other and one[name] != other[name] for name in self.differ)


@dataclass(frozen=True, kw_only=True)
class MatchPolicy:
    """``merge`` and ``review`` are scores from 0 to 1. ``relays`` are patterns of addresses that forward
    (``*@relay.example``), ``shared`` addresses and numbers that belong to a store, an office or a call centre.
    """

    merge: Decimal = Decimal(1)
    review: Decimal = Decimal(1)
    rules: tuple[Rule, ...] = (Rule(score=Decimal(1), same=("email",)), Rule(score=Decimal(1), same=("phone",)))
    relays: tuple[str, ...] = ()
    shared: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """How alike two descriptions are; ``because`` names features, never their values."""

    score: Decimal
    verdict: Verdict
    because: str


def features(values: Mapping[str, Any], policy: MatchPolicy, country: str | None = None) -> dict[str, str]:
    """What of a customer can be compared. ``country`` is where a number without prefix is at home."""
    mail = reachable_email(values, policy)
    found = {
        "email": mail,
        "verified_email": mail if values.get("email_verified") is True else None,
        "phone": reachable_phone(values, policy, country),
        "number": _text(values.get("number")),
        "tax_id": _text(values.get("tax_id")),
        "address": normalise.address(values.get("address"), country),
        "name": normalise.name(values.get("name")),
        "family_name": normalise.name(values.get("family_name")),
        "born_on": _text(values.get("born_on")),
    }
    return {name: text for name, text in found.items() if text is not None}


def reachable_email(values: Mapping[str, Any], policy: MatchPolicy) -> str | None:
    """The person's own address; None for one that forwards or is shared, and where there is none."""
    text = normalise.email(values.get("email"))
    own = values.get("email_kind") in (None, OWN)
    if text is None or not own or text in policy.shared or any(fnmatchcase(text, one) for one in policy.relays):
        return None
    return text


def reachable_phone(values: Mapping[str, Any], policy: MatchPolicy, country: str | None = None) -> str | None:
    """The person's own number; None for one that is masked or shared, and where there is none."""
    text = normalise.phone(values.get("phone"), country)
    own = values.get("phone_kind") in (None, OWN)
    return None if text is None or not own or text in policy.shared else text


def likeness(one: Features, other: Features, policy: MatchPolicy) -> Likeness:
    """How likely two descriptions are one person.

    ``score = min(max(score of the rules without differ that hold, else 0), scores of the rules with differ that hold)``
    ``verdict = merge where score ≥ merge, else review where score ≥ review, else separate``. Symmetric.
    """
    holding = [rule for rule in policy.rules if rule.holds(one, other)]
    best = max((rule for rule in holding if not rule.differ), key=lambda rule: rule.score, default=None)
    if best is None:
        return Likeness(score=Decimal(0), verdict="separate", because="no rule holds")
    said = f"same {' and '.join(best.same)}"
    against = min((rule for rule in holding if rule.differ), key=lambda rule: rule.score, default=None)
    score = best.score
    if against is not None and against.score < score:
        score = against.score
        said += f", but another {' and '.join(against.differ)}"
    verdict: Verdict = "merge" if score >= policy.merge else "review" if score >= policy.review else "separate"
    return Likeness(score=score, verdict=verdict, because=said)


def people(uids: Sequence[str], links: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Each identity → the person it stands for: the smallest uid that links lead to. Order of links does not matter.

    ``person(u) = min{v : v reachable from u over links}``; taking a link away gives what was without it.
    """
    leads = {uid: uid for uid in uids}

    def root(uid: str) -> str:
        while leads[uid] != uid:
            leads[uid] = leads[leads[uid]]
            uid = leads[uid]
        return uid

    for one, other in links:
        leads.setdefault(one, one)
        leads.setdefault(other, other)
        first, second = sorted((root(one), root(other)))
        leads[second] = first
    return {uid: root(uid) for uid in list(leads)}


def _text(found: Any) -> str | None:
    return found.strip() if isinstance(found, str) and found.strip() != "" else None
